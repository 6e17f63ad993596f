// The page of one person: their calls, their devices, and moving the one to the other.

import { type Child, h, type Node, patch } from "../dom.js";
import { progressWords } from "../handover/code.js";
import { shows } from "../handover/dialog.js";
import { goesOn } from "../handover/types.js";
import { isLanguage, keep, LANGUAGES, remember, remembered } from "../i18n/core.js";
import { calls, question } from "./calls.js";
import { devices } from "./devices.js";
import { dialog } from "./dialogs.js";
import { Socket } from "./socket.js";
import { draw, drawnBy, hostOf, known, nameOf, page, problemWords, say, t } from "./state.js";
import type { Me, Message } from "./types.js";
import type { MeWords } from "./words.js";

const TICKET = "ringlift.me.ticket";
const KEY = "ringlift.me.key";

/** A call that is to be taken to this device as soon as the page is in, for its person said so on another page. */
let wanted: string | null = null;

/** The link stays in this browser, and leaves the address bar and the history. */
function ticket(): string {
  const given = location.hash.slice(1);
  wanted = new URLSearchParams(given).get("take");
  if (given !== "") history.replaceState(null, "", location.pathname);
  if (/^[0-9a-z]{20,40}$/.test(given)) {
    remember(TICKET, given);
    return given;
  }
  return remembered(TICKET) ?? "";
}

const link = ticket();

function hello(): object {
  const key = remembered(KEY);
  const media = typeof navigator.mediaDevices?.getUserMedia === "function";
  const screen = typeof navigator.mediaDevices?.getDisplayMedia === "function";
  return { type: "me", ticket: link, ...(key ? { key } : {}), name: agent(), capabilities: [...(media ? ["audio", "video"] : []), ...(screen ? ["screen"] : [])] };
}

/** Which browser this is, in two words. */
function agent(): string {
  const text = navigator.userAgent;
  const browser = /Firefox/.test(text) ? "Firefox" : /Edg/.test(text) ? "Edge" : /Chrom(e|ium)/.test(text) ? "Chrome" : /Safari/.test(text) ? "Safari" : t("browser");
  const system = /Android/.test(text) ? "Android" : /iPhone|iPad/.test(text) ? "iOS" : /Mac/.test(text) ? "Mac" : /Windows/.test(text) ? "Windows" : /Linux/.test(text) ? "Linux" : "";
  return system ? `${browser}, ${system}` : browser;
}

function standing(me: Me): void {
  if (me.key) remember(KEY, me.key);
  // A page that found its node again is told anew of what goes on; what is told no more is over.
  if (me.id !== undefined) {
    page.codes.clear();
    page.callbacks.clear();
  }
  page.me = me;
  // What is moving no longer is asked no longer.
  if (page.asked && !me.calls.some((call) => call.call === page.asked?.call && call.moving?.device === me.device)) page.asked = null;
  if (page.dialog?.kind === "forget" && !known(page.dialog.device)) page.dialog = null;
  if (wanted === null) return;
  const call = me.calls.find((one) => one.call === wanted);
  wanted = null;
  if (!call) say(t("not_yours"), false);
  else if (call.audio !== me.device) page.socket?.say({ type: "move_here", call: call.call });
}

function hear(message: Message): void {
  switch (message.type) {
    case "me":
      standing(message);
      break;
    case "move_asked":
      page.asked = message;
      break;
    case "take_call": {
      // The meeting opens in place of this page; the browser's way back leads here again.
      const how = new URLSearchParams({ take: message.channels.join(","), camera: message.camera ? "1" : "0" });
      location.assign(`/j/${encodeURIComponent(message.ticket)}#${how}`);
      return;
    }
    case "move_over": {
      if (page.asked?.call === message.call) page.asked = null;
      const device = nameOf(message.device);
      const failure = message.failure;
      say(failure ? t(`go_failed_${failure}` as keyof MeWords, { device }) : t("go_done", { device }), !failure);
      break;
    }
    case "code":
      page.codes.set(message.participant, message);
      // Where no dialog shows how it ended, the page says so.
      if (!goesOn(message) && page.dialog?.kind !== "code") say(progressWords(hostOf(message.participant), message), message.state === "transferred");
      break;
    case "callback":
      if (message.participant) page.callbacks.set(message.participant, message);
      break;
    case "not_moved":
      say(message.why === "move-several-calls" ? t("several") : t("go_not_now", { why: message.text }), false);
      break;
    case "problem":
      if (["bad_ticket", "expired_ticket", "revoked_ticket"].includes(message.code)) {
        // Taken back while it was open, too: nothing of the person is left to be seen.
        page.dead = t("bad_link");
        [page.me, page.dialog] = [null, null];
        page.socket?.end();
      } else say(problemWords(message.code, message.detail), false);
      break;
    case "done":
    case "pong":
    case "goaway":
      return;
  }
  draw();
}

function render(): void {
  document.documentElement.lang = page.language;
  document.title = t("title");
  const app = document.getElementById("app");
  if (!app) return;
  patch(app, view());
  shows(app);
  for (const video of app.querySelectorAll("video")) if (video.paused) void video.play().catch(() => undefined);
}

function view(): Node[] {
  const { me } = page;
  const front = me ? dialog() : null;
  return [
    h(
      "header",
      { key: "head" },
      h("img", { src: "/icon.svg", alt: "", width: 36, height: 36 }),
      h("div", { class: "who" }, h("b", {}, me?.name ?? "Ringlift"), me ? h("span", { class: "quiet small" }, me.user) : null),
      me && !page.there ? h("span", { class: "state tag", role: "status" }, t("lost")) : null,
    ),
    me ? h("main", { key: "in" }, h("div", { class: "column", key: "calls" }, question(), said(), calls(me)), h("div", { class: "column", key: "devices" }, devices(me))) : waiting(),
    h(
      "footer",
      { key: "foot" },
      h(
        "select",
        { "aria-label": t("language"), onchange: speak },
        Object.entries(LANGUAGES).map(([code, name]) => h("option", { value: code, lang: code, selected: code === page.language }, name)),
      ),
    ),
    ...(front ? [front] : []),
  ];
}

function waiting(): Node {
  const text = link === "" ? t("no_link") : page.dead || t("connecting");
  return h("main", { key: "out" }, h("section", { class: "card" }, h("h1", {}, t("title")), h("p", { class: page.dead || link === "" ? "wrong" : "quiet", role: "status" }, text)));
}

function speak(event: Event): void {
  const to = (event.target as HTMLSelectElement).value;
  if (!isLanguage(to)) return;
  keep(to);
  page.language = to;
  draw();
}

function said(): Child {
  const { notice } = page;
  return h("p", { class: notice ? `notice ${notice.good ? "good" : "bad"}` : "sr", role: "status", key: "said" }, notice?.text ?? "");
}

drawnBy(render);
if (link !== "") {
  const address = `${location.protocol.replace("http", "ws")}//${location.host}/meet/socket`;
  page.socket = new Socket(address, hello, hear, (now) => {
    page.there = now;
    draw();
  });
}
draw();
