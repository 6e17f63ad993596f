// The meeting's page: what the address gives, keys, and what the browser tells.

import { fetched } from "../i18n/words.js";
import { act } from "./actions.js";
import { takeDevices } from "./capture.js";
import { returned } from "./connection.js";
import { canShare, list } from "./devices.js";
import { readInvitation } from "./invited.js";
import { keys } from "./keyboard.js";
import { comeOver, take, wanted } from "./moved.js";
import { elevates, look } from "./elevate.js";
import { change, draw, page, place, session, takes } from "./page.js";
import { begin } from "./render.js";
import { begin as join } from "./session.js";
import { talk } from "./sound.js";

/** What is behind the # of an invitation. */
function arrived(): void {
  const { local } = page;
  const key = `ringlift.passcode.${location.pathname}`;
  const given = new URLSearchParams(location.hash.slice(1)).get("passcode");
  if (given) {
    // A passcode stays in this tab, and leaves the address bar and the history.
    session(key, given);
    history.replaceState(null, "", location.pathname);
  }
  local.passcode = session(key) ?? "";
  if (!elevates && !takes && page.ticket === null && !local.passcode && !/^\d+$/.test(place)) local.asks = place.startsWith("room_") ? "passcode" : "number";
}

/** Behind a link of a text message: nothing of this browser is opened before the tap. */
function opened(): void {
  const { local } = page;
  [local.camera.on, local.microphone.on] = [false, false];
  if (page.resume === null) return void look();
  // Loaded anew: the same place, without a question.
  change({ phase: "joining" });
  join();
}

async function start(): Promise<void> {
  const { local } = page;
  if (!(await fetched(local.language))) local.language = "en";
  const moved = wanted(location.hash);
  arrived();
  const turn = (panel: "people" | "chat") => act.panel(page.state.panel === panel ? null : panel);
  keys({
    active: () => page.state.phase === "in" && local.dialog === null,
    does: { m: act.microphone, v: act.camera, h: act.hand, c: () => turn("chat"), p: () => turn("people"), s: () => canShare() && act.screen(), pagedown: () => act.turn(local.page + 1), pageup: () => act.turn(local.page - 1) },
    escape: () => page.state.panel !== null && act.panel(null),
    talk: (on) => void talk(on),
  });
  navigator.mediaDevices?.addEventListener?.("devicechange", () => void list().then((all) => {
    local.devices = all;
    draw();
  }));
  document.addEventListener("visibilitychange", () => !document.hidden && returned());
  // A page that goes keeps its seat for a while; loaded anew, it takes it again.
  begin();
  if (elevates) opened();
  else if (moved) void take(moved);
  else if (takes) void comeOver(takes === "all", false);
  else {
    void takeDevices();
    void readInvitation();
  }
}

void start();
