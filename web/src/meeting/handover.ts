// One's own call goes to another device, or to a telephone that is called: the dialogs of the meeting's page.

import { h, type Node } from "../dom.js";
import { callMe as calls } from "../handover/callme.js";
import { byCode } from "../handover/code.js";
import type { Host } from "../handover/host.js";
import { frame } from "./dialogs.js";
import type { App } from "./local.js";
import { mine } from "./mine.js";
import { ask, draw } from "./page.js";

export function hostOf(app: App): Host {
  return { t: app.t, draw, ask, dismiss: () => app.act.dismiss() };
}

export function callMe(app: App): Node {
  return frame(app, "call-me", app.t("call_me"), "ask call-me", calls(hostOf(app), app.state.callback, { hint: app.t("call_me_hint"), done: app.t("call_me_success") }));
}

export function moving(app: App): Node {
  const { t, state } = app;
  const one = [...state.codes.values()].find((code) => code.participant === state.you);
  const devices = one ? null : mine(app);
  return frame(app, "move", t("move_call"), "wide", h("div", { class: "stack move" }, devices, devices ? h("hr", { key: "or" }) : null, byCode(hostOf(app), one)));
}
