// What is asked and shown in front of the rest. Each is a modal dialog: the browser keeps the focus in it and gives it back.

import { h, type Child, type Node } from "../dom.js";
import { sheet } from "../handover/dialog.js";
import { canShare } from "./devices.js";
import type { Words } from "../i18n/words.js";
import { icon, type Sign } from "./icons.js";
import { invite } from "./invite.js";
import { ladder, mayElevate } from "./ladder.js";
import type { App } from "./local.js";
import { callMe, moving } from "./handover.js";
import { handPlace, isHost, muted, you } from "./model.js";
import { languages, picker } from "./preview.js";
import { type Person, REACTIONS, SIGNS } from "./protocol.js";
import { pushing } from "./push.js";
import { avatar, name } from "./stage.js";

export function dialog(app: App): Node | null {
  const { local, state } = app;
  const open = local.dialog;
  if (!open) return null;
  const person = "person" in open ? state.people.get(open.person) : undefined;
  switch (open.kind) {
    case "invite":
      return invite(app);
    case "settings":
      return settings(app);
    case "more":
      return more(app);
    case "react":
      return react(app);
    case "leave":
      return leave(app);
    case "end":
      return sure(app, app.t("end_sure"), app.t("end_for_all"), () => app.act.operate({ operation: "end" }));
    case "person":
      return person ? menu(app, person) : null;
    case "rename":
      return person ? rename(app, person) : null;
    case "ladder":
      return person ? ladder(app, person) : null;
    case "call_me":
      return callMe(app);
    case "move":
      return moving(app);
    case "sound_here":
      return soundHere(app);
    case "remove":
      return person ? sure(app, app.t("remove_sure", { name: name(app, person) }), app.t("remove"), () => app.act.operate({ operation: "remove", participant: person.id })) : null;
  }
}

export function frame(app: App, key: string, title: string, kind: string, ...children: Child[]): Node {
  const open = app.local.dialog;
  // Told late that it is closed: by then another one may be open.
  return sheet({ words: app.t("close"), close: () => app.act.dismiss(), closed: () => app.local.dialog === open && app.act.dismiss() }, key, title, kind, ...children);
}

function item(sign: Sign, label: string, act: () => void, kind = ""): Node {
  return h("button", { key: label, class: `item ${kind}`, onclick: act }, icon(sign), h("span", {}, label));
}

/** Does something, and closes. */
function then(app: App, act: () => void): () => void {
  return () => {
    app.act.dismiss();
    act();
  };
}

function menu(app: App, person: Person): Node {
  const { state, t, act } = app;
  const own = person.id === state.you;
  const host = isHost(state);
  const active = person.state === "active";
  const items: Child[] = [];
  if (active) {
    const pinned = state.pinned === person.id;
    items.push(item("pin", t(pinned ? "unpin" : "pin"), then(app, () => act.pin(pinned ? null : person.id))));
    if (!own && (person.audio !== "phone" || person.video)) items.push(item("chat", t("write_to"), then(app, () => act.to(person.id))));
    if (state.elevations.has(person.id) && (host || own)) items.push(item("camera", t("video_link"), then(app, () => act.open({ kind: "ladder", person: person.id }))));
    else if (mayElevate(app, person)) items.push(item("camera", t("send_video_link"), then(app, () => act.elevate(person.id))));
    if (host && !own) {
      // Nobody opens a microphone that the person closed; a host takes back only what hosts did.
      if (person.muted_by_host) items.push(item("mic", t("unmute"), then(app, () => act.mute(person, false))));
      else if (!muted(person)) items.push(item("mic_off", t("mute"), then(app, () => act.mute(person, true))));
      if (person.camera_on) items.push(item("camera_off", t("stop_camera"), then(app, () => act.operate({ operation: "hide", participant: person.id, source: "camera" }))));
      if (person.screen_on) items.push(item("screen", t("stop_their_sharing"), then(app, () => act.operate({ operation: "hide", participant: person.id, source: "screen" }))));
    }
    if (own && pushing.on) items.push(item("phone", t("push_off"), then(app, () => act.notifyNoMore())));
    if ((host || own) && handPlace(state, person) !== null) items.push(item("hand", t("lower_hand"), then(app, () => act.operate({ operation: "lower_hand", participant: person.id }))));
  }
  if (own || host) items.push(item("edit", t("rename"), then(app, () => act.open({ kind: "rename", person: person.id }))));
  if (host && active) {
    for (const role of ["host", "member", "guest"] as const) {
      if (role !== person.role) items.push(item(role === "host" ? "crown" : "people", t(`make_${role}`), then(app, () => act.operate({ operation: "set_role", participant: person.id, role }))));
    }
  }
  if (host && !own) items.push(item("out", t("remove"), then(app, () => act.open({ kind: "remove", person: person.id })), "danger"));
  return frame(app, `person-${person.id}`, name(app, person), "menu", h("div", { class: "about" }, avatar(person, name(app, person)), h("p", { class: "quiet" }, person.number ?? t(person.audio === "phone" ? "on_phone" : "in_browser"))), h("div", { class: "items" }, items));
}

function more(app: App): Node {
  const { state, local, t, act } = app;
  const open = (kind: "invite" | "settings" | "end") => then(app, () => act.open({ kind }));
  const host = isHost(state);
  const items: Child[] = [
    h(
      "div",
      { class: "reactions narrow-only", key: "reactions", role: "group", "aria-label": t("react") },
      REACTIONS.map((one) => h("button", { class: "tool", "aria-label": t(one), title: t(one), onclick: then(app, () => act.react(one)) }, SIGNS[one])),
    ),
    item("invite", t("invite"), open("invite")),
    canShare() ? item("screen", t(local.sharing ? "stop_sharing" : "share_screen"), then(app, () => act.screen()), "narrow-only") : null,
    item("people", t("people"), then(app, () => act.panel("people")), "narrow-only"),
    state.phase === "in" ? item("phone", t("call_me"), then(app, () => act.open({ kind: "call_me" })), "narrow-only") : null,
    item("phone", t("move_call"), () => act.open({ kind: "move" })),
    sharingOrNot(app),
    document.fullscreenEnabled ? item("spread", t(document.fullscreenElement ? "small_screen" : "full_screen"), then(app, fullScreen)) : null,
    item("settings", t("settings"), open("settings")),
  ];
  if (host) {
    items.push(
      h("hr", { key: "rule" }),
      item("mic_off", t("mute_all"), then(app, () => act.operate({ operation: "mute_all" }))),
      item("mic", t("unmute_all"), then(app, () => act.operate({ operation: "unmute_all" }))),
      state.room?.locked ? item("unlock", t("unlock"), then(app, () => act.operate({ operation: "unlock" }))) : item("lock", t("lock"), then(app, () => act.operate({ operation: "lock" }))),
      item("leave", t("end_for_all"), open("end"), "danger"),
    );
  }
  return frame(app, "more", t("more"), "menu", h("div", { class: "items" }, items));
}

function sharingOrNot(app: App): Node {
  const grid = app.state.view === "grid";
  return item(grid ? "speaker" : "grid", app.t(grid ? "speaker_view" : "grid_view"), then(app, () => app.act.view()));
}

function fullScreen(): void {
  if (document.fullscreenElement) void document.exitFullscreen();
  else void document.documentElement.requestFullscreen().catch(() => undefined);
}

function react(app: App): Node {
  return frame(app, "react", app.t("react"), "menu small-one", h("div", { class: "reactions" }, REACTIONS.map((one) => h("button", { class: "tool", "aria-label": app.t(one), title: app.t(one), onclick: then(app, () => app.act.react(one)) }, SIGNS[one]))));
}

/** What becomes of the telephone once the browser carries the voice. */
function soundHere(app: App): Node {
  const { t, act } = app;
  return frame(
    app,
    "sound-here",
    t("sound_here"),
    "ask",
    h(
      "div",
      { class: "stack" },
      h("p", { class: "quiet" }, t("sound_here_hint")),
      h("button", { class: "main", onclick: then(app, () => act.sound("web", true)) }, t("keep_phone")),
      h("button", { onclick: then(app, () => act.sound("web", false)) }, t("hang_up_phone")),
      h("button", { class: "plain", onclick: () => act.dismiss() }, t("cancel")),
    ),
  );
}

function leave(app: App): Node {
  const { state, t, act } = app;
  if (you(state)?.audio === "phone") {
    const closes = h("button", { class: "main stop", onclick: then(app, () => act.leave()) }, t("leave_video"));
    return frame(app, "leave", t("leave_video_sure"), "ask", h("div", { class: "stack" }, h("p", { class: "quiet" }, t("leave_video_hint")), closes, isHost(state) ? h("button", { class: "danger", onclick: then(app, () => act.open({ kind: "end" })) }, t("end_for_all")) : null, h("button", { onclick: () => act.dismiss() }, t("cancel"))));
  }
  return frame(
    app,
    "leave",
    t("leave_sure"),
    "ask",
    h("div", { class: "stack" }, h("button", { class: "main stop", onclick: then(app, () => act.leave()) }, t("leave_meeting")), isHost(state) ? h("button", { class: "danger", onclick: then(app, () => act.open({ kind: "end" })) }, t("end_for_all")) : null, h("button", { onclick: () => act.dismiss() }, t("cancel"))),
  );
}

function sure(app: App, question: string, verb: string, act: () => void): Node {
  return frame(app, `sure-${verb}`, question, "ask", h("div", { class: "stack" }, h("button", { class: "main stop", onclick: then(app, act) }, verb), h("button", { onclick: () => app.act.dismiss() }, app.t("cancel"))));
}

function rename(app: App, person: Person): Node {
  return frame(
    app,
    "rename",
    app.t("rename"),
    "ask",
    h(
      "form",
      {
        class: "stack",
        onsubmit: (event: Event) => {
          event.preventDefault();
          const typed = String(new FormData(event.target as HTMLFormElement).get("name") ?? "").trim();
          app.act.dismiss();
          app.act.rename(person.id, typed);
        },
      },
      h("label", { class: "field" }, app.t("name"), h("input", { name: "name", value: person.name ?? "", maxlength: 64, autocomplete: "off" })),
      h("button", { class: "main" }, app.t("save")),
    ),
  );
}

function settings(app: App): Node {
  const { t, state } = app;
  const pickers = [picker(app, "microphone"), picker(app, "camera"), picker(app, "speaker")];
  return frame(
    app,
    "settings",
    t("settings"),
    "wide",
    h(
      "div",
      { class: "stack" },
      pickers,
      pickers.every((one) => one === null) ? h("p", { class: "notice" }, t("no_devices")) : null,
      h("label", { class: "field" }, t("language"), languages(app)),
      state.you ? h("div", { class: "field" }, h("label", { class: "button file" }, t("your_picture"), h("input", { type: "file", accept: "image/*", onchange: (event: Event) => chosen(app, event) })), h("small", { class: "hint" }, t("picture_hint"))) : null,
      h(
        "div",
        { class: "keys" },
        h("h3", {}, t("keyboard")),
        h("dl", {}, ([["M", "mute"], ["V", "camera_on"], ["H", "raise_hand"], ["C", "chat"], ["P", "people"], ["S", "share_screen"], [t("space"), "push_to_talk"]] as [string, keyof Words][]).map(([key, words]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, t(words))])),
      ),
    ),
  );
}

function chosen(app: App, event: Event): void {
  const file = (event.target as HTMLInputElement).files?.[0];
  if (file) app.act.picture(file);
}
