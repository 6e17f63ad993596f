// "Call me": a telephone rings and carries the voice, once 1 was pressed on it. The number is kept in this browser alone.

import { h, type Child, type Node } from "../dom.js";
import { remember, remembered } from "../i18n/core.js";
import type { Words } from "../i18n/words.js";
import { frame } from "./dialogs.js";
import { icon } from "./icons.js";
import type { App } from "./local.js";
import type { Callback } from "./protocol.js";

const KEPT = "ringlift.telephone";

/** What is typed and what is on its way to the node. */
export const calling = { number: remembered(KEPT) ?? "", asked: false };

/** Whether a telephone is being called, and can be silenced. */
export function rings(one: Callback | null): boolean {
  return !!one && ["none", "calling", "ringing", "accepted", "canceling"].includes(one.state);
}

/** How far it is, in words. */
export function stateWords(app: App, one: Callback): string {
  const to = one.to;
  if (one.state === "failed") return failureWords(app, one.failure ?? "unreachable");
  const key = `call_me_${one.state}` as keyof Words;
  const words = app.t(key, { to });
  return words === key ? one.state : words;
}

function failureWords(app: App, failure: string): string {
  for (const key of [`call_me_${failure}`, `problem_callback_${failure}`] as (keyof Words)[]) {
    const words = app.t(key);
    if (words !== key) return words;
  }
  return app.t("problem_callback_unreachable");
}

export function callMe(app: App): Node {
  const { t, state } = app;
  const one = state.callback;
  return frame(app, "call-me", t("call_me"), "ask call-me", h("div", { class: "stack" }, one && (rings(one) || one.state === "success") ? progress(app, one) : form(app, one)));
}

function progress(app: App, one: Callback): Child {
  const { t, act } = app;
  const steps = ["calling", "ringing", "accepted", "success"];
  const at = steps.indexOf(one.state);
  return [
    h(
      "ol",
      { class: "ladder", key: "steps", role: "log", "aria-label": t("call_me") },
      steps.map((step, index) => (index > at && one.state !== "canceling" ? null : one.state === "canceling" && index > 0 ? null : h("li", { key: step, class: index === at ? "now going" : "" }, icon(step === "success" ? "check" : "phone"), h("span", { class: "what" }, h("b", {}, stateWords(app, { ...one, state: one.state === "canceling" ? "canceling" : (step as Callback["state"]) })))))),
    ),
    one.state === "success"
      ? h("button", { key: "close", class: "main", onclick: () => act.dismiss() }, t("close"))
      : h("button", { key: "cancel", id: "call-me-cancel", class: "main stop", disabled: one.state === "canceling", onclick: () => act.callMeCancel() }, t("call_me_cancel")),
  ];
}

function form(app: App, one: Callback | null): Child {
  const { t, act } = app;
  const over = one && one.state !== "success" ? one : null;
  return h(
    "form",
    {
      class: "stack",
      key: "form",
      onsubmit: (event: Event) => {
        event.preventDefault();
        const typed = String(new FormData(event.target as HTMLFormElement).get("number") ?? "").trim();
        if (typed === "") return;
        calling.number = typed;
        remember(KEPT, typed);
        act.callMe(typed);
      },
    },
    over ? h("p", { class: "notice", key: "over", role: "alert" }, stateWords(app, over)) : null,
    h("p", { class: "quiet", key: "hint" }, t("call_me_hint")),
    h("label", { class: "field", key: "number" }, t("call_me_number"), h("input", { name: "number", type: "tel", inputmode: "tel", autocomplete: "tel", maxlength: 32, required: true, autofocus: true, value: calling.number, placeholder: "+49 30 901820" })),
    h("button", { key: "go", class: "main", disabled: calling.asked }, icon("phone"), t(over ? "call_me_again" : "call_me_go")),
    h("button", { key: "no", type: "button", class: "plain", onclick: () => act.dismiss() }, t("cancel")),
  );
}
