// Extensions: who they are, and which telephones are registered.

import { type Child, h, type Node } from "../dom.js";
import { extensionForm } from "./forms.js";
import { may, type State } from "./model.js";
import type { Extension, Problem, Telephone } from "./types.js";

export interface PeopleActions {
  addExtension(body: object): Promise<Problem | null>;
  disturb(extension: Extension, dnd: boolean): void;
  takeAway(path: string, question: string): void;
}

export function people(state: State, act: PeopleActions): Child {
  if (!may(state, "routing:read") || !state.loaded) return null;
  const write = may(state, "routing:write");
  const here = state.extensions.filter((one) => one.registered.length > 0).length;
  const all = state.extensions.length;
  return h(
    "section",
    { key: "people", "aria-labelledby": "people-title" },
    h(
      "div",
      { class: "title" },
      h("h2", { id: "people-title" }, "Telephones"),
      h("span", { class: "quiet" }, all === 0 ? "none" : `${here} of ${all} registered`),
      h("span", { class: "gap" }),
      write && h("button", { onclick: () => extensionForm(act.addExtension) }, "New extension"),
    ),
    all > 0 && h("ul", { class: "card", "aria-labelledby": "people-title" }, state.extensions.map((one) => row(one, write, act))),
  );
}

function row(one: Extension, write: boolean, act: PeopleActions): Node {
  return h(
    "li",
    { key: one.id, class: "row person-row" },
    h("span", { class: `lamp${one.registered.length > 0 ? " on" : ""}`, "aria-hidden": "true" }),
    h("span", { class: "parties" }, h("span", { class: "display" }, one.name), h("span", { class: "quiet number" }, one.name === one.user ? (one.number ?? "") : [one.user, one.number].filter(Boolean).join(" · "))),
    h("span", { class: "parties devices" }, one.registered.length === 0 ? h("span", { class: "quiet" }, "not registered") : one.registered.map(device)),
    !one.enabled && h("span", { class: "badge" }, "off"),
    one.dnd && h("span", { class: "badge mute" }, "do not disturb"),
    write &&
      h(
        "span",
        { class: "buttons" },
        h("button", { "aria-label": one.dnd ? `Disturb ${one.name} again` : `Do not disturb ${one.name}`, onclick: () => act.disturb(one, !one.dnd) }, one.dnd ? "Disturb" : "Do not disturb"),
        h("button", { class: "danger", "aria-label": `Remove extension ${one.name}`, onclick: () => act.takeAway(`/v1/extensions/${one.id}`, `Remove extension ${one.user}? Its telephones can register no more.`) }, "Remove"),
      ),
  );
}

function device(phone: Telephone): Node {
  return h("span", {}, phone.user_agent ?? "A telephone", " ", h("span", { class: "quiet" }, phone.address));
}
