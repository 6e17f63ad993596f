// One's calls: where each is, and the ways on for it.

import { type Child, h, type Node } from "../dom.js";
import { stateWords } from "../handover/callme.js";
import { codeAsks, shut } from "../handover/code.js";
import { goesOn, rings } from "../handover/types.js";
import { clock } from "../i18n/core.js";
import { icon } from "../meeting/icons.js";
import { draw, hostOf, known, nameOf, open, page, t } from "./state.js";
import type { Call, Me } from "./types.js";

/** Whether the call is to be taken here. */
export function question(): Child {
  if (!page.asked) return null;
  const { call, with: names, from } = page.asked;
  const answer = (takes: boolean) => () => {
    page.socket?.say({ type: "move_answer", call, takes });
    page.asked = null;
    draw();
  };
  return h(
    "section",
    { class: "card asked", role: "alertdialog", "aria-labelledby": "asked", key: "asked" },
    h("h2", { id: "asked" }, t("asked")),
    h("p", {}, names.length ? t("with", { names: names.join(", ") }) : t("nobody"), from ? ` · ${t("on", { device: nameOf(from) })}` : ""),
    h("div", { class: "actions" }, h("button", { class: "main", onclick: answer(true) }, t("take")), h("button", { onclick: answer(false) }, t("decline"))),
  );
}

export function calls(of: Me): Node {
  return h(
    "section",
    { class: "card", "aria-labelledby": "calls", key: "list" },
    h("h2", { id: "calls" }, t("calls")),
    of.calls.length === 0 ? h("p", { class: "quiet" }, t("no_calls")) : h("ul", {}, of.calls.map((call) => one(of, call))),
    h("a", { class: "button plain", href: "/scan" }, t("take_by_code")),
  );
}

/** Where the voice is, and the pictures, and since when. */
function places(call: Call): string {
  const carries = known(call.audio);
  const voice = carries ? t("on", { device: carries.name }) : call.leg ? t("by_phone") : "";
  const pictures = call.video && call.video !== call.audio ? t("video_on", { device: nameOf(call.video) }) : "";
  const others = call.meeting && call.with.length ? t("with", { names: call.with.join(", ") }) : "";
  return [others, voice, pictures, t("since", { time: clock(page.language, call.since) })].filter(Boolean).join(" · ");
}

function one(of: Me, call: Call): Node {
  const asking = page.codes.get(call.call);
  const shown = page.dialog?.kind === "code" && page.dialog.call === call.call;
  return h(
    "li",
    { class: "call", key: call.call },
    h("h3", {}, call.meeting ?? (call.with.length ? t("with", { names: call.with.join(", ") }) : t("nobody"))),
    h("p", { class: "quiet small" }, places(call)),
    asking?.asked && !shown ? codeAsks(hostOf(call.call), asking, null) : null,
    called(call),
    call.moving
      ? h("div", { class: "line", key: "moving" }, h("span", { class: "grow", role: "status" }, t(`go_${call.moving.phase}`, { device: nameOf(call.moving.device) })), h("button", { onclick: asks(call, { type: "move_answer", takes: false }) }, t("cancel")))
      : !call.movable
        ? h("p", { class: "quiet small" }, t("held"))
        : ways(of, call),
  );
}

/** A telephone that is being called for it. */
function called(call: Call): Child {
  const callback = page.callbacks.get(call.call);
  if (!callback || !rings(callback) || page.dialog?.kind === "call_me") return null;
  const host = hostOf(call.call);
  return h("div", { class: "line", key: "callback" }, h("span", { class: "grow", role: "status" }, stateWords(host, callback)), h("button", { disabled: callback.state === "canceling", onclick: () => void host.ask({ type: "call_me_cancel" }) }, t("call_me_cancel")));
}

function asks(call: Call, message: object): () => void {
  return () => {
    page.notice = null;
    page.socket?.say({ ...message, call: call.call });
  };
}

/** What can be done with a call that may move. */
function ways(of: Me, call: Call): Child {
  const own = of.devices.find((device) => device.id === of.device);
  const here = call.audio === of.device;
  const others = of.devices.filter((device) => device.id !== of.device && device.online && device.id !== call.audio && device.transfers !== "never");
  const to = others.find((device) => device.id === page.chosen.get(call.call))?.id ?? others[0]?.id ?? "";
  const choose = (event: Event) => {
    page.chosen.set(call.call, (event.target as HTMLSelectElement).value);
    draw();
  };
  const byCode = () => {
    shut();
    // What came of the last one is not this one's.
    if (!goesOn(page.codes.get(call.call))) page.codes.delete(call.call);
    open({ kind: "code", call: call.call });
  };
  const callMe = () => {
    if (!rings(page.callbacks.get(call.call))) page.callbacks.delete(call.call);
    open({ kind: "call_me", call: call.call });
  };
  return [
    h(
      "div",
      { class: "actions", key: "here" },
      here || !own?.capabilities.includes("audio") ? null : h("button", { class: "main", key: "all", onclick: asks(call, { type: "move_here" }) }, t("here")),
      here || call.video === of.device || !own?.capabilities.includes("video") ? null : h("button", { key: "pictures", onclick: asks(call, { type: "move_here", channels: ["video"] }) }, t("video_here")),
      call.back ? h("button", { key: "back", onclick: asks(call, { type: "hand_back" }) }, t("go_back", { device: nameOf(call.back) })) : null,
    ),
    others.length === 0
      ? null
      : h(
          "div",
          { class: "there", key: "there" },
          h("label", { class: "field" }, t("there"), h("select", { onchange: choose }, others.map((device) => h("option", { value: device.id, selected: device.id === to, key: device.id }, device.name)))),
          h("button", { disabled: to === "", onclick: asks(call, { type: "move_there", device: to }) }, t("go_move")),
        ),
    h("div", { class: "actions", key: "doors" }, h("button", { key: "call", onclick: callMe }, icon("phone"), t("call_me")), h("button", { key: "code", onclick: byCode }, icon("share"), t("show_code"))),
  ];
}
