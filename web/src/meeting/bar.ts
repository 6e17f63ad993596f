// Above and below the stage: where one is, and what one can do.

import { h, type Child, type Node } from "../dom.js";
import { stateWords } from "../handover/callme.js";
import { codeAsks } from "../handover/code.js";
import { rings } from "../handover/types.js";
import { canShare } from "./devices.js";
import { icon, type Sign } from "./icons.js";
import { wants } from "./ladder.js";
import { hostOf } from "./handover.js";
import { type App, silent } from "./local.js";
import { admits, called, plain, present, sharing, waiting, walled, you } from "./model.js";
import type { Line } from "./protocol.js";
import { offers, pushing } from "./push.js";

export function button(sign: Sign, label: string, options: { id?: string; class?: string; on?: boolean; off?: boolean; badge?: number; key?: string; disabled?: boolean; words?: boolean; expanded?: boolean }, act: () => void): Node {
  const kind = ["tool", options.class ?? "", options.on ? "on" : "", options.off ? "off" : ""].join(" ").trim();
  return h(
    "button",
    {
      key: options.id ?? sign,
      id: options.id,
      class: kind,
      title: options.key ? `${label} (${options.key})` : label,
      "aria-label": options.badge ? `${label} (${options.badge})` : label,
      "aria-keyshortcuts": options.key ?? null,
      "aria-pressed": options.on === undefined ? null : String(options.on),
      "aria-expanded": options.expanded === undefined ? null : String(options.expanded),
      disabled: options.disabled ?? false,
      onclick: act,
    },
    icon(sign),
    options.words ? h("span", { class: "word" }, label) : null,
    options.badge ? h("span", { class: "badge", "aria-hidden": "true" }, options.badge > 99 ? "99+" : options.badge) : null,
  );
}

export function top(app: App): Node {
  const { state, t, act } = app;
  const at = admits(state) ? waiting(state).length : 0;
  return h(
    "header",
    { class: "top" },
    h("h1", { title: state.room?.name ?? "" }, state.room?.name ?? "Ringlift"),
    state.room?.locked ? h("span", { class: "pill", title: t("is_locked") }, icon("lock"), h("span", { class: "word" }, t("is_locked"))) : null,
    at > 0 ? h("button", { class: "pill warn", key: "waiting", onclick: () => act.panel("people") }, t("n_waiting", { n: at })) : null,
    h("span", { class: "gap" }),
    sharing(state) ? null : button(state.view === "grid" ? "speaker" : "grid", t(state.view === "grid" ? "speaker_view" : "grid_view"), { id: "view" }, () => act.view()),
    button("invite", t("invite"), { id: "invite", class: "wide-only" }, () => act.open({ kind: "invite" })),
    button("people", t("people_n", { n: present(state).length }), { id: "people-top", class: "counted", expanded: state.panel === "people" }, () => act.panel(state.panel === "people" ? null : "people")),
    h("span", { class: "count", "aria-hidden": "true" }, String(present(state).length)),
  );
}

/** Who calls, as far as it is known. */
function caller(app: App, one: Line): string {
  return plain(one.name || one.number || app.t("somebody"));
}

export function banners(app: App): Node {
  const { state, local, t, act } = app;
  const all: Child[] = [];
  const banner = (key: string, kind: string, words: string, ...rest: Child[]) => all.push(h("div", { class: `banner ${kind}`, key }, kind.endsWith("by-telephone") ? icon("phone") : null, h("span", {}, words), rest));
  if (state.link === "lost") banner("lost", "warn", t("connection_lost"), h("button", { onclick: () => act.retry() }, t("try_now")));
  else if (state.goaway !== null) banner("goaway", "warn", t("goaway"));
  else if (walled(state)) banner("media", "warn", t(state.media === "refused" ? "relay_refused" : "media_blocked"));
  else if (state.media === "interrupted" || state.media === "lost") banner("media", "warn", t("media_interrupted"));
  if (local.silenced) banner("silenced", "warn", t("sound_blocked"), h("button", { class: "main", onclick: () => act.unblock() }, icon("sound"), t("turn_on_sound")));
  const audio = you(state)?.audio;
  if (audio === "phone") banner("phone", "info by-telephone", t("audio_by_phone"), h("button", { id: "sound-here", title: t("sound_here"), disabled: local.moving, onclick: () => act.open({ kind: "sound_here" }) }, t(local.moving ? "sound_moves" : "sound_move")));
  else if (you(state)?.phone_kept && audio === "web") banner("kept", "info", t("phone_is_kept"), h("button", { id: "sound-back", disabled: local.moving, onclick: () => act.sound("phone", false) }, t("sound_back")));
  for (const one of state.knocks) {
    const [who, whom] = [caller(app, one), state.people.get(one.participant)];
    const words = one.participant === state.you ? t("knock_you", { name: who }) : t("knock", { name: who, whom: called(whom, t("guest")) });
    const says = (answer: "take" | "decline" | "ring") => () => act.knock(one.call, answer);
    banner(`knock-${one.call}`, "info knock", words, h("div", { class: "row" }, h("button", { class: "main", onclick: says("take") }, t("allow")), h("button", { onclick: says("decline") }, t("knock_decline")), h("button", { class: "plain", onclick: says("ring") }, t("knock_ring"))));
  }
  for (const one of state.lines) banner(`line-${one.call}`, "info line", t("line_beside", { name: caller(app, one) }), h("button", { class: "main", onclick: () => act.bringIn(one.call) }, t("bring_in")));
  if (state.audioOffer) banner("offer", "warn", t("phone_hung_up"), h("button", { id: "sound-web", class: "main", disabled: local.moving, onclick: () => act.sound("web", false) }, icon("mic"), t("sound_of_browser")), h("button", { id: "call-back", onclick: () => act.open({ kind: "call_me" }) }, icon("phone"), t("call_me_back")));
  if (state.callback && rings(state.callback) && local.dialog?.kind !== "call_me") banner("callback", "info by-telephone", stateWords(hostOf(app), state.callback), h("button", { id: "call-me-show", onclick: () => void hostOf(app).ask({ type: "call_me_cancel" }), disabled: state.callback.state === "canceling" }, t("call_me_cancel")));
  if (offers()) banner("push", "info", t("push_offer"), h("button", { id: "push-yes", class: "main", disabled: pushing.busy, onclick: () => act.notifyHere() }, t("push_yes")), h("button", { id: "push-no", onclick: () => act.notNotified() }, t("push_not_now")));
  for (const [id, { steps }] of state.elevations) {
    const [last, person] = [steps.at(-1), state.people.get(id)];
    if (last?.wants && person) all.push(wants(app, person, last));
  }
  for (const one of state.codes.values()) if (one.asked && local.dialog?.kind !== "move") all.push(codeAsks(hostOf(app), one, one.participant === state.you ? null : called(state.people.get(one.participant), t("guest"))));
  if (you(state)?.held || you(state)?.held_by_us) banner("held", "warn", t("you_are_held"));
  if (local.sharing) banner("sharing", "info", t("you_share"), h("button", { onclick: () => act.screen() }, t("stop_sharing")));
  return h("div", { class: "banners", role: "status" }, all);
}

export function tools(app: App): Node {
  const { state, local, t, act } = app;
  const quiet = silent(state, local);
  const byPhone = you(state)?.audio === "phone";
  const quietNow = byPhone ? !!(you(state)?.muted_by_self || you(state)?.muted_by_host) : quiet && !local.talking;
  const hand = (you(state)?.hand ?? null) !== null;
  const noMicrophone = !byPhone && local.microphone.trouble === "insecure";
  return h(
    "footer",
    { class: "tools", role: "toolbar", "aria-label": t("tools") },
    button(quietNow ? "mic_off" : "mic", t(quietNow ? "unmute" : "mute"), { id: "mic", off: quietNow, key: "M", words: true, disabled: noMicrophone }, () => act.microphone()),
    button("phone", t("call_me"), { id: "call-me", class: "wide-only", on: rings(state.callback), words: true, expanded: local.dialog?.kind === "call_me" }, () => act.open({ kind: "call_me" })),
    button(local.camera.on ? "camera" : "camera_off", t(local.camera.on ? "camera_off" : "camera_on"), { id: "camera", off: !local.camera.on, key: "V", words: true, disabled: local.camera.trouble === "insecure" }, () => act.camera()),
    canShare() ? button("screen", t(local.sharing ? "stop_sharing" : "share_screen"), { id: "screen", class: "wide-only", on: local.sharing !== null, key: "S", words: true }, () => act.screen()) : null,
    button("hand", t(hand ? "lower_hand" : "raise_hand"), { id: "hand", on: hand, key: "H", words: true }, () => act.hand()),
    button("smile", t("react"), { id: "react", class: "wide-only", words: true, expanded: local.dialog?.kind === "react" }, () => act.open({ kind: "react" })),
    button("chat", t("chat"), { id: "chat", badge: state.unread, key: "C", words: true, expanded: state.panel === "chat" }, () => act.panel(state.panel === "chat" ? null : "chat")),
    button("people", t("people"), { id: "people", class: "wide-only", key: "P", words: true, expanded: state.panel === "people" }, () => act.panel(state.panel === "people" ? null : "people")),
    button("more", t("more"), { id: "more", words: true, expanded: local.dialog?.kind === "more" }, () => act.open({ kind: "more" })),
    button("leave", t("leave"), { id: "leave", class: "leave", words: true }, () => act.open({ kind: "leave" })),
  );
}
