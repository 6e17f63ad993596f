// What people do at the page.

import { shut } from "../handover/code.js";
import { rings } from "../handover/types.js";
import { isLanguage, keep, remember } from "../i18n/core.js";
import { fetched } from "../i18n/words.js";
import { portrait } from "./avatar.js";
import { choose, stop, takeDevices, toggleCamera, toggleScreen } from "./capture.js";
import { elevates, look as lookAtLink, notMe, tap, typed } from "./elevate.js";
import { readInvitation } from "./invited.js";
import { look } from "./mine.js";
import { type Actions, silent } from "./local.js";
import { blank, isHost, muted, you } from "./model.js";
import { ask, change, draw, operate, page, request, t } from "./page.js";
import { notifyHere, notifyNoMore, notNotified } from "./push.js";
import { toEnd } from "./render.js";
import { say } from "./say.js";
import { begin, leave } from "./session.js";
import { byPhone, hush, listen, moveSound, playBy, setMuted } from "./sound.js";

const { local } = page;
let panelFrom = "people";

export const act: Actions = {
  join() {
    if (page.ticket === null && local.asks !== "nothing" && local.passcode.trim() === "") {
      local.refused = t(local.asks === "number" ? "number_missing" : "passcode_missing");
      return draw();
    }
    local.refused = null;
    local.awaited = local.microphone.on && !local.listenOnly && !local.microphone.track && !local.microphone.trouble;
    remember("ringlift.name", local.name.trim());
    remember("ringlift.microphone", local.microphone.on ? "on" : "off");
    change({ phase: "joining" });
    begin();
  },
  again() {
    change({ ...blank });
    local.refused = null;
    if (elevates) void lookAtLink();
    else {
      void takeDevices();
      void readInvitation();
    }
  },
  type(field, value) {
    local[field] = value;
    draw();
  },
  listenOnly(on) {
    local.listenOnly = on;
    [local.microphone.on, local.camera.on] = [!on, !on];
    if (on) {
      stop(local.microphone);
      stop(local.camera);
      page.meter?.of(null);
    } else void takeDevices();
    draw();
  },
  microphone() {
    if (page.state.phase === "in") {
      // Whose telephone hung up goes on with this browser's sound.
      if (elevates && you(page.state)?.audio === "none") return void moveSound("web", false);
      void setMuted(byPhone() ? !muted(you(page.state)) : !silent(page.state, local));
      return;
    }
    local.microphone.on = !local.microphone.on;
    if (local.microphone.on && !local.microphone.track) {
      local.listenOnly = false;
      void takeDevices();
    }
    page.meter?.of(local.microphone.on ? local.microphone.track : null);
    hush();
    draw();
  },
  camera: () => void toggleCamera(),
  screen: () => void toggleScreen(),
  hand() {
    const up = (you(page.state)?.hand ?? null) !== null;
    if (page.state.you) void operate({ operation: up ? "lower_hand" : "raise_hand", participant: page.state.you });
  },
  react: (reaction) => void ask({ type: "react", reaction }),
  choose(which, device) {
    remember(`ringlift.${which}.device`, device);
    if (which !== "speaker") return void choose(which, device);
    local.speaker = device;
    playBy(device);
    draw();
  },
  allow() {
    [local.microphone.on, local.camera.on] = [true, true];
    void takeDevices();
  },
  unblock() {
    local.silenced = false;
    void listen();
    draw();
  },
  panel(open) {
    change({ panel: open, unread: open === "chat" ? 0 : page.state.unread });
    requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        if (open === null) document.getElementById(panelFrom)?.focus();
        else document.querySelector<HTMLElement>(open === "chat" ? "#panel textarea" : "#panel h2")?.focus();
        toEnd(true);
      }),
    );
    if (open !== null) panelFrom = open;
  },
  view: () => change({ view: page.state.view === "grid" ? "speaker" : "grid", pinned: null }),
  turn(page) {
    local.page = Math.max(0, page);
    draw();
  },
  pin: (person) => change({ pinned: person }),
  open(dialog) {
    local.dialog = dialog;
    local.copied = false;
    // What came of the last call is not the next one's.
    if (dialog.kind === "call_me" && !rings(page.state.callback)) change({ callback: null });
    if (dialog.kind === "move") {
      shut();
      look();
    }
    if (dialog.kind === "invite" && !local.invitation && isHost(page.state)) act.invite(null);
    draw();
  },
  invite(name) {
    void request({ type: "invite", ...(name === null ? {} : { invitation: { role: "guest", name, personal: true } }) }).then((answer) => {
      if (answer?.type !== "invited") return;
      local.invitation = answer.invitation;
      local.invitee = "";
      local.copied = false;
      draw();
    });
  },
  dismiss() {
    const open = document.querySelector<HTMLDialogElement>("dialog[open]");
    local.dialog = null;
    // The browser gives the focus back to where it was.
    if (open) open.close();
    draw();
  },
  chat() {
    const text = local.draft.trim();
    const { to, limits } = page.state;
    if (text === "" || [...text].length > limits.chat_chars) return;
    local.draft = "";
    draw();
    void ask({ type: "chat", to, text }).then((done) => {
      if (done) return toEnd(true);
      // What was not sent is not lost.
      if (local.draft === "") local.draft = text;
      draw();
    });
  },
  to(person) {
    change({ to: person });
    if (page.state.panel !== "chat") act.panel("chat");
  },
  mute: (person, on) => void operate({ operation: on ? "mute" : "unmute", participant: person.id }),
  operate: (operation) => void operate(operation),
  rename(person, name) {
    if (person === page.state.you) {
      local.name = name;
      remember("ringlift.name", name);
    }
    void operate({ operation: "rename", participant: person, name });
  },
  leave() {
    leave();
    stop(local.camera);
    stop(local.microphone);
  },
  speak(language) {
    if (!isLanguage(language)) return;
    keep(language);
    void fetched(language).then((there) => {
      if (there) local.language = language;
      else say(t("unreachable"), { wrong: true });
      draw();
    });
  },
  picture(file) {
    void portrait(file, page.state.limits.avatar_bytes).then(async (made) => {
      if (!made) return say(t("picture_bad"), { wrong: true });
      const answer = await fetch("/meet/avatar", { method: "PUT", headers: { Authorization: `Bearer ${page.resume ?? ""}`, "Content-Type": made.type }, body: made }).catch(() => null);
      say(t(answer?.ok ? "picture_set" : "picture_refused"), { wrong: !answer?.ok });
    });
  },
  copy(text) {
    if (!navigator.clipboard) return say(t("copy_failed"), { wrong: true });
    void navigator.clipboard.writeText(text).then(
      () => {
        local.copied = true;
        say(t("copied"), { seen: false });
        draw();
      },
      () => say(t("copy_failed"), { wrong: true }),
    );
  },
  share: (text) => void navigator.share({ text }).catch(() => undefined),
  retry: () => page.link?.now(),
  elevated(camera, confirm) {
    local.refused = null;
    void tap(begin, camera, confirm);
  },
  digits: typed,
  notMe,
  elevate(person) {
    local.dialog = { kind: "ladder", person };
    draw();
    // Asked in vain, there is nothing to be looked at, unless a link is out.
    void ask({ type: "elevate", participant: person }).then((done) => !done && local.dialog?.kind === "ladder" && !page.state.elevations.has(person) && act.dismiss());
  },
  knock: (call, answer) => void ask({ type: "knock", call, answer }),
  bringIn: (call) => void ask({ type: "merge", call, both: false }),
  letIn: (elevation, allow) => void ask({ type: "allow", elevation, allow }),
  notifyHere: () => void notifyHere(),
  notNotified,
  notifyNoMore: () => void notifyNoMore(),
  sound: (by, keep) => void moveSound(by, keep),
};
