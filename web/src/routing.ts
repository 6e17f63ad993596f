// Who may call, and where numbers lead.

import { type Child, h, type Node } from "./dom.js";
import { numberForm, trunkForm } from "./forms.js";
import { may, type State } from "./model.js";
import type { Did, Problem, Trunk } from "./types.js";

export interface RoutingActions {
  add(path: "/v1/trunks" | "/v1/dids", body: object): Promise<Problem | null>;
  takeAway(path: string, question: string): void;
}

export function routing(state: State, act: RoutingActions): Child {
  if (!may(state, "routing:read") || !state.loaded) return null;
  const write = may(state, "routing:write");
  const rooms = [...state.rooms.values()];
  // The last resort comes last.
  const dids = [...state.dids].sort((a, b) => Number(a.called === "*") - Number(b.called === "*"));
  return h(
    "section",
    { key: "routing", "aria-labelledby": "routing-title" },
    h(
      "div",
      { class: "title" },
      h("h2", { id: "routing-title" }, "Who may call, and what"),
      h("span", { class: "gap" }),
      write && h("button", { onclick: () => trunkForm((body) => act.add("/v1/trunks", body)) }, "Let somebody call"),
      write && h("button", { onclick: () => numberForm(rooms, (body) => act.add("/v1/dids", body)) }, "New number"),
    ),
    h(
      "div",
      { class: "pair" },
      h(
        "ul",
        { class: "card", "aria-label": "Who may call" },
        state.trunks.length === 0 && h("li", { class: "row quiet" }, "Nobody may call yet: every caller is refused."),
        state.trunks.map((trunk) => trunkRow(trunk, write, act)),
      ),
      h(
        "ul",
        { class: "card", "aria-label": "Numbers" },
        state.dids.length === 0 && h("li", { class: "row quiet" }, "No number leads anywhere yet."),
        dids.map((did) => didRow(state, did, write, act)),
      ),
    ),
  );
}

function trunkRow(trunk: Trunk, write: boolean, act: RoutingActions): Node {
  const known = [...trunk.networks.map(short), ...(trunk.username ? [`user ${trunk.username}`] : [])];
  return h(
    "li",
    { key: trunk.id, class: "row" },
    h("span", { class: "parties" }, h("span", { class: "display" }, trunk.name), h("span", { class: "quiet" }, known.join(", ") || "known by nothing: nobody can match it")),
    !trunk.enabled && h("span", { class: "badge" }, "off"),
    write && h("button", { class: "danger", "aria-label": `Remove ${trunk.name}`, onclick: () => act.takeAway(`/v1/trunks/${trunk.id}`, `Let “${trunk.name}” call no more?`) }, "Remove"),
  );
}

function didRow(state: State, did: Did, write: boolean, act: RoutingActions): Node {
  const { action } = did;
  const room = action.to === "room" ? state.rooms.get(action.room)?.settings.name ?? "a room" : "";
  const leads = { attendant: "asks for the PIN", room: `straight into ${room}`, refuse: "refused" }[action.to];
  const name = did.called === "*" ? "anything else" : did.called;
  return h(
    "li",
    { key: did.id, class: "row" },
    h("span", { class: "parties" }, h("span", { class: "display" }, name), h("span", { class: "quiet" }, leads, did.languages.length > 0 && ` · ${did.languages.join(", ")}`)),
    write && h("button", { class: "danger", "aria-label": `Remove number ${name}`, onclick: () => act.takeAway(`/v1/dids/${did.id}`, `Should ${name} lead nowhere?`) }, "Remove"),
  );
}

/** One address is written without its prefix length. */
function short(network: string): string {
  return network.replace(/(?<=\.\d+)\/32$|(?<=:.*)\/128$/, "");
}
