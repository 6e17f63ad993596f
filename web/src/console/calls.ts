// Live calls: who talks with whom, how it sounds, and what can be done about it.

import { type Child, h, type Node } from "../dom.js";
import { dialForm, transferForm } from "./forms.js";
import { farEnd, lasted, may, others, quality, type State, whereabouts } from "./model.js";
import type { Call, Problem } from "./types.js";

export interface CallActions {
  hangUp(call: Call, who: string): void;
  hold(call: Call, hold: boolean): void;
  /** Sends what a form says; what is refused goes back to the form. */
  send(path: string, body: object, done: string): Promise<Problem | null>;
}

export function calls(state: State, now: number, act: CallActions): Child {
  if (!may(state, "calls:read") || !state.loaded) return null;
  const write = may(state, "calls:write");
  const dial = write && state.extensions.length > 0;
  return h(
    "section",
    { key: "calls", class: "calls", "aria-labelledby": "calls-title" },
    h(
      "div",
      { class: "title" },
      h("h2", { id: "calls-title" }, "Live calls"),
      h("span", { class: "quiet" }, state.calls.length === 0 ? "none" : String(state.calls.length)),
      h("span", { class: "gap" }),
      dial && h("button", { onclick: () => dialForm(state.extensions, (body) => act.send("/v1/calls", body, "It rings")) }, "Dial"),
    ),
    state.calls.length > 0 && h("ul", { class: "card", "aria-labelledby": "calls-title" }, inOrder(state).map((call) => row(state, call, write, now, act))),
  );
}

/** Who talks with whom stands together, in the order of the first of them. */
function inOrder(state: State): Call[] {
  const shown = new Set<Call>();
  for (const call of state.calls) [call, ...others(state, call)].forEach((one) => shown.add(one));
  return [...shown];
}

function row(state: State, call: Call, write: boolean, now: number, act: CallActions): Node {
  const who = farEnd(state, call);
  const sound = quality(call);
  const talks = call.state === "in_room";
  const button = (text: string, does: () => void, kind = "") => h("button", { class: kind, onclick: does, "aria-label": `${text} ${who}` }, text);
  const other = call.direction === "outbound" ? (call.from ? ["for ", h("span", { class: "number" }, call.from)] : "") : ["to ", h("span", { class: "number" }, call.to)];
  return h(
    "li",
    { key: call.id, class: "call" },
    h("span", { class: "parties" }, h("span", { class: "display" }, who), h("span", { class: "quiet" }, other)),
    h("span", { class: "where" }, whereabouts(state, call), call.held_by_us && h("span", { class: "badge wait" }, "on hold"), call.held && h("span", { class: "badge" }, "has us on hold"), call.figures?.music && h("span", { class: "badge wait" }, "music on hold"), call.figures?.echo && h("span", { class: "badge wait" }, `echo ${call.figures.echo.delay_ms} ms`)),
    h(
      "span",
      { class: "sound" },
      sound ? [h("span", { class: `grade ${sound.grade}` }, h("span", { class: "bars", "aria-hidden": "true" }), `${sound.grade} sound`), h("span", { class: "quiet" }, sound.text)] : h("span", { class: "quiet" }, call.media ? "no figures yet" : ""),
    ),
    h("span", { class: "quiet media" }, call.media),
    h("span", { class: "quiet time" }, lasted(call.since, now)),
    write &&
      h(
        "span",
        { class: "buttons" },
        talks && button(call.held_by_us ? "Resume" : "Hold", () => act.hold(call, !call.held_by_us)),
        talks && button("Transfer", () => transferForm(who, (body) => act.send(`/v1/calls/${call.id}/transfer`, body, "Handing over"))),
        button("Hang up", () => act.hangUp(call, who), "danger"),
      ),
  );
}
