// In front of the personal page: a code for a call, a telephone that is called for it, or the question whether a device is forgotten.

import { h, type Child, type Node } from "../dom.js";
import { callMe } from "../handover/callme.js";
import { byCode, shut } from "../handover/code.js";
import { sheet } from "../handover/dialog.js";
import { icon } from "../meeting/icons.js";
import { dismiss, hostOf, known, page, t } from "./state.js";

export function dialog(): Node | null {
  const open = page.dialog;
  if (!open) return null;
  const closing = { words: t("close"), close: dismiss, closed: () => page.dialog === open && (shut(), dismiss()) };
  if (open.kind === "forget") {
    const device = known(open.device);
    return device ? sheet(closing, "forget", t("forget_sure", { device: device.name }), "ask", forgetting(device.id)) : null;
  }
  const host = hostOf(open.call);
  if (open.kind === "code") return sheet(closing, "code", t("move_call"), "wide", h("div", { class: "stack move" }, warning(), byCode(host, page.codes.get(open.call))));
  const inside = callMe(host, page.callbacks.get(open.call) ?? null, { hint: t("call_me_hint_me"), done: t("call_me_success_me"), besides: phones(open.call) });
  return sheet(closing, "call-me", t("call_me"), "ask call-me", warning(), inside);
}

function forgetting(device: string): Node {
  const forget = () => {
    page.socket?.say({ type: "set_device", device, forget: true });
    dismiss();
  };
  return h(
    "div",
    { class: "stack" },
    h("p", { class: "quiet" }, t("forget_hint")),
    h("div", { class: "actions" }, h("button", { autofocus: true, onclick: dismiss }, t("cancel")), h("button", { class: "stop", onclick: forget }, t("forget"))),
  );
}

/** What was refused, where the dialog is in front of the page that says it. */
function warning(): Child {
  return page.notice && !page.notice.good ? h("p", { class: "notice bad", key: "warning", role: "alert" }, page.notice.text) : null;
}

/** The person's own telephones: no number is wanted, and no key. */
function phones(call: string): Child {
  const carries = page.me?.calls.find((one) => one.call === call)?.audio;
  const own = page.me?.devices.filter((one) => one.kind === "telephone" && one.online && one.transfers !== "never" && one.id !== carries) ?? [];
  if (own.length === 0) return null;
  const moves = (device: string) => () => {
    page.socket?.say({ type: "move_there", device, call });
    dismiss();
  };
  return h("div", { class: "stack own", key: "own" }, h("p", { class: "quiet" }, t("call_me_phones")), own.map((one) => h("button", { key: one.id, type: "button", onclick: moves(one.id) }, icon("phone"), one.name)));
}
