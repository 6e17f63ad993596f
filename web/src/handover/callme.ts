// "Call me": a telephone rings and carries the voice, once 1 was pressed on it. The number is kept in this browser alone.

import { h, type Child } from "../dom.js";
import { remember, remembered } from "../i18n/core.js";
import type { HandoverWords } from "../i18n/handover/words.js";
import { icon } from "../meeting/icons.js";
import type { Asks, Host } from "./host.js";
import { type Callback, rings } from "./types.js";

const KEPT = "ringlift.telephone";

/** What is typed and what is on its way to the node. */
const calling = { number: remembered(KEPT) ?? "", asked: false };

/** What differs from page to page: the words about the sound, and what else takes the call. */
export interface Manner {
  hint: string;
  done: string;
  besides?: Child;
}

/** How far it is, in words. */
export function stateWords(host: Host, one: Callback, done: string = host.t("call_me_success")): string {
  const to = one.to;
  if (one.state === "failed") return failureWords(host, one.failure ?? "unreachable");
  if (one.state === "success") return done;
  const key = `call_me_${one.state}` as keyof HandoverWords;
  const words = host.t(key, { to });
  return words === key ? one.state : words;
}

function failureWords(host: Host, failure: string): string {
  for (const key of [`call_me_${failure}`, `problem_callback_${failure}`] as (keyof HandoverWords)[]) {
    const words = host.t(key);
    if (words !== key) return words;
  }
  return host.t("problem_callback_unreachable");
}

/** Has a telephone ring. */
export function call(asks: Asks, number: string): void {
  if (calling.asked) return;
  calling.asked = true;
  asks.draw();
  void asks.ask({ type: "call_me", number }).then(() => {
    calling.asked = false;
    asks.draw();
  });
}

/** What is in the dialog: how far it is, or the form. */
export function callMe(host: Host, one: Callback | null, manner: Manner): Child {
  return h("div", { class: "stack" }, one && (rings(one) || one.state === "success") ? progress(host, one, manner) : form(host, one, manner));
}

function progress(host: Host, one: Callback, manner: Manner): Child {
  const { t } = host;
  const steps = ["calling", "ringing", "accepted", "success"] as const;
  const at = steps.findIndex((step) => step === one.state);
  // What is being stopped is told as that alone.
  const shown: Callback["state"][] = one.state === "canceling" ? ["canceling"] : steps.slice(0, at + 1);
  const step = (state: Callback["state"], index: number) => h("li", { key: state, class: index === shown.length - 1 ? "now going" : "" }, icon(state === "success" ? "check" : "phone"), h("span", { class: "what" }, h("b", {}, stateWords(host, { ...one, state }, manner.done))));
  return [
    h("ol", { class: "ladder", key: "steps", role: "log", "aria-label": t("call_me") }, shown.map(step)),
    one.state === "success"
      ? h("button", { key: "close", class: "main", onclick: () => host.dismiss() }, t("close"))
      : h("button", { key: "cancel", id: "call-me-cancel", class: "main stop", disabled: one.state === "canceling", onclick: () => void host.ask({ type: "call_me_cancel" }) }, t("call_me_cancel")),
  ];
}

function form(host: Host, one: Callback | null, manner: Manner): Child {
  const { t } = host;
  const over = one && one.state !== "success" ? one : null;
  return [
    h(
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
          call(host, typed);
        },
      },
      over ? h("p", { class: "notice", key: "over", role: "alert" }, stateWords(host, over)) : null,
      h("p", { class: "quiet", key: "hint" }, manner.hint),
      h("label", { class: "field", key: "number" }, t("call_me_number"), h("input", { name: "number", type: "tel", inputmode: "tel", autocomplete: "tel", maxlength: 32, required: true, autofocus: true, value: calling.number, placeholder: "+49 30 901820" })),
      h("button", { key: "go", class: "main", disabled: calling.asked }, icon("phone"), t(over ? "call_me_again" : "call_me_go")),
    ),
    manner.besides ?? null,
    h("button", { key: "no", type: "button", class: "plain", onclick: () => host.dismiss() }, t("cancel")),
  ];
}
