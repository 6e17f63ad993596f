// Who may call, and where numbers lead.

import { type Child, h, type Node } from "../dom.js";
import { numberForm, trunkForm } from "./forms.js";
import { may, type State } from "./model.js";
import type { Destination, Did, Problem, Trunk } from "./types.js";

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
      h("h2", { id: "routing-title" }, "Trunks and numbers"),
      h("span", { class: "gap" }),
      write && h("button", { onclick: () => trunkForm((body) => act.add("/v1/trunks", body)) }, "New trunk"),
      write && h("button", { onclick: () => numberForm(rooms, state.extensions, state.groups, (body) => act.add("/v1/dids", body)) }, "New number"),
    ),
    h(
      "div",
      { class: "pair" },
      h(
        "ul",
        { class: "card", "aria-label": "Trunks" },
        state.trunks.length === 0 && h("li", { class: "row quiet" }, "No trunk yet: nobody outside may call, and no calls go out."),
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
  const out = trunk.outbound?.targets.map((target) => target.uri.replace(/^sips?:/, "")).join(", ");
  return h(
    "li",
    { key: trunk.id, class: "row" },
    h("span", { class: "parties" }, h("span", { class: "display" }, trunk.name), known.length > 0 && h("span", { class: "quiet" }, `from ${known.join(", ")}`), out && h("span", { class: "quiet" }, `to ${out}`), trunk.state?.up === false && h("span", { class: "down" }, trunk.state.why ?? "it does not answer")),
    !trunk.enabled && h("span", { class: "badge" }, "off"),
    trunk.state?.registration && h("span", { class: trunk.state.registration === "registered" ? "badge on" : "badge wait" }, trunk.state.registration),
    trunk.state?.up === true && h("span", { class: "badge on" }, "up"),
    trunk.state?.up === false && h("span", { class: "badge mute" }, "down"),
    write && h("button", { class: "danger", "aria-label": `Remove ${trunk.name}`, onclick: () => act.takeAway(`/v1/trunks/${trunk.id}`, `Let “${trunk.name}” call no more?`) }, "Remove"),
  );
}

function didRow(state: State, did: Did, write: boolean, act: RoutingActions): Node {
  const leads = leadsTo(state, did.action);
  const name = did.called === "*" ? "anything else" : did.called;
  return h(
    "li",
    { key: did.id, class: "row" },
    h("span", { class: "parties" }, h("span", { class: "display" }, name), h("span", { class: "quiet" }, leads, did.languages.length > 0 && ` · ${did.languages.join(", ")}`)),
    write && h("button", { class: "danger", "aria-label": `Remove number ${name}`, onclick: () => act.takeAway(`/v1/dids/${did.id}`, `Should ${name} lead nowhere?`) }, "Remove"),
  );
}

function leadsTo(state: State, action: Destination): string {
  switch (action.to) {
    case "attendant":
      return "asks for the PIN";
    case "room":
      return `straight into ${state.rooms.get(action.room)?.settings.name ?? "a room"}`;
    case "extension":
      return `rings ${state.extensions.find((one) => one.id === action.extension)?.name ?? "an extension"}`;
    case "group":
      return `rings ${state.groups.find((one) => one.id === action.group)?.name ?? "a group"}`;
    case "trunk":
      return `goes out by ${action.trunks.map((id) => state.trunks.find((one) => one.id === id)?.name ?? "a trunk").join(", then ")}`;
    case "webhook":
      return "asks a program where to";
    case "refuse":
      return "refused";
  }
}

/** One address is written without its prefix length. */
function short(network: string): string {
  return network.replace(/(?<=\.\d+)\/32$|(?<=:.*)\/128$/, "");
}
