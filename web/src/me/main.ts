// The page of one person: their calls, their devices, and moving the one to the other.

import { type Child, h, type Node, patch } from "../dom.js";
import { clock, current, fill, isLanguage, keep, LANGUAGES, remember, remembered } from "../i18n/core.js";
import { Socket } from "./socket.js";
import type { Asked, Call, Device, Me, Message } from "./types.js";
import { type MeWords, words } from "./words.js";

const TICKET = "ringlift.me.ticket";
const KEY = "ringlift.me.key";

let language = current();
let me: Me | null = null;
let asked: Asked | null = null;
let there = false;
let dead = "";
let notice: { text: string; good: boolean } | null = null;
let fades: ReturnType<typeof setTimeout> | undefined;
/** The device chosen for each call. */
const chosen = new Map<string, string>();

const t = (key: keyof MeWords, values = {}) => fill(language, words[language][key], values);

/** The link stays in this browser, and leaves the address bar and the history. */
function ticket(): string {
  const given = location.hash.slice(1);
  if (/^[0-9a-z]{20,40}$/.test(given)) {
    remember(TICKET, given);
    history.replaceState(null, "", location.pathname);
    return given;
  }
  return remembered(TICKET) ?? "";
}

const link = ticket();
const socket = link === "" ? null : new Socket(`${location.protocol.replace("http", "ws")}//${location.host}/meet/socket`, hello, hear, (now) => {
  there = now;
  draw();
});

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

function hear(message: Message): void {
  switch (message.type) {
    case "me":
      if (message.key) remember(KEY, message.key);
      me = message;
      // What is moving no longer is asked no longer.
      if (asked && !me.calls.some((call) => call.call === asked?.call && call.moving?.device === me?.device)) asked = null;
      break;
    case "move_asked":
      asked = message;
      break;
    case "take_call": {
      // The meeting opens in place of this page; the browser's way back leads here again.
      const how = new URLSearchParams({ take: message.channels.join(","), camera: message.camera ? "1" : "0" });
      location.assign(`/j/${encodeURIComponent(message.ticket)}#${how}`);
      return;
    }
    case "move_over": {
      if (asked?.call === message.call) asked = null;
      const device = nameOf(message.device);
      const failure = message.failure;
      say(failure ? t(`failed_${failure}` as keyof MeWords, { device }) : t("done", { device }), !failure);
      break;
    }
    case "not_moved":
      say(message.why === "move-several-calls" ? t("several") : t("not_now", { why: message.text }), false);
      break;
    case "problem":
      if (["bad_ticket", "expired_ticket", "revoked_ticket"].includes(message.code)) {
        // Taken back while it was open, too: nothing of the person is left to be seen.
        dead = t("bad_link");
        me = null;
        socket?.end();
      } else say(t("not_now", { why: message.detail }), false);
      break;
    case "done":
    case "pong":
    case "goaway":
      return;
  }
  draw();
}

function say(text: string, good: boolean): void {
  notice = { text, good };
  clearTimeout(fades);
  fades = setTimeout(() => {
    notice = null;
    draw();
  }, 8000);
}

function nameOf(id: string | null | undefined): string {
  return me?.devices.find((device) => device.id === id)?.name ?? t("elsewhere");
}

function draw(): void {
  document.documentElement.lang = language;
  document.title = t("title");
  const app = document.getElementById("app");
  if (app) patch(app, view());
}

function view(): Node[] {
  return [
    h(
      "header",
      {},
      h("img", { src: "/icon.svg", alt: "", width: 36, height: 36 }),
      h("div", { class: "who" }, h("b", {}, me?.name ?? "Ringlift"), me ? h("span", { class: "quiet small" }, me.user) : null),
      me && !there ? h("span", { class: "state tag", role: "status" }, t("lost")) : null,
    ),
    me ? h("main", { key: "in" }, h("div", { class: "column", key: "calls" }, question(), said(), calls(me)), h("div", { class: "column", key: "devices" }, devices(me))) : waiting(),
    h(
      "footer",
      {},
      h(
        "select",
        { "aria-label": t("language"), onchange: speak },
        Object.entries(LANGUAGES).map(([code, name]) => h("option", { value: code, lang: code, selected: code === language }, name)),
      ),
    ),
  ];
}

function waiting(): Node {
  const text = link === "" ? t("no_link") : dead || t(there ? "connecting" : "connecting");
  return h("main", { key: "out" }, h("section", { class: "card" }, h("h1", {}, t("title")), h("p", { class: dead || link === "" ? "wrong" : "quiet", role: "status" }, text)));
}

function speak(event: Event): void {
  const to = (event.target as HTMLSelectElement).value;
  if (!isLanguage(to)) return;
  keep(to);
  language = to;
  draw();
}

function said(): Child {
  return h("p", { class: notice ? `notice ${notice.good ? "good" : "bad"}` : "sr", role: "status", key: "said" }, notice?.text ?? "");
}

/** Whether the call is to be taken here. */
function question(): Child {
  if (!asked) return null;
  const { call, with: names, from } = asked;
  const answer = (takes: boolean) => () => {
    socket?.say({ type: "move_answer", call, takes });
    asked = null;
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

function calls(of: Me): Node {
  return h(
    "section",
    { class: "card", "aria-labelledby": "calls", key: "list" },
    h("h2", { id: "calls" }, t("calls")),
    of.calls.length === 0 ? h("p", { class: "quiet" }, t("no_calls")) : h("ul", {}, of.calls.map((call) => one(of, call))),
  );
}

function one(of: Me, call: Call): Node {
  const place = [call.audio ? t("on", { device: nameOf(call.audio) }) : "", call.video && call.video !== call.audio ? t("video_on", { device: nameOf(call.video) }) : "", t("since", { time: clock(language, call.since) })];
  const others = of.devices.filter((device) => device.id !== of.device && device.online && device.id !== call.audio && device.transfers !== "never");
  const to = chosen.get(call.call) ?? others[0]?.id ?? "";
  const own = of.devices.find((device) => device.id === of.device);
  const here = call.audio === of.device;
  const move = (message: object) => () => {
    notice = null;
    socket?.say({ ...message, call: call.call });
  };
  return h(
    "li",
    { class: "call", key: call.call },
    h("h3", {}, call.meeting ?? (call.with.length ? t("with", { names: call.with.join(", ") }) : t("nobody"))),
    h("p", { class: "quiet small" }, [call.meeting && call.with.length ? t("with", { names: call.with.join(", ") }) : "", ...place].filter(Boolean).join(" · ")),
    call.moving
      ? h(
          "div",
          { class: "line", key: "moving" },
          h("span", { class: "grow", role: "status" }, t(`moving_${call.moving.phase}`, { device: nameOf(call.moving.device) })),
          h("button", { onclick: move({ type: "move_answer", takes: false }) }, t("cancel")),
        )
      : !call.movable
        ? h("p", { class: "quiet small" }, t("held"))
        : [
            h(
              "div",
              { class: "actions", key: "here" },
              here || !own?.capabilities.includes("audio") ? null : h("button", { class: "main", key: "all", onclick: move({ type: "move_here" }) }, t("here")),
              here || call.video === of.device || !own?.capabilities.includes("video") ? null : h("button", { key: "pictures", onclick: move({ type: "move_here", channels: ["video"] }) }, t("video_here")),
              call.back ? h("button", { key: "back", onclick: move({ type: "hand_back" }) }, t("back", { device: nameOf(call.back) })) : null,
            ),
            others.length === 0
              ? null
              : h(
                  "div",
                  { class: "line", key: "there" },
                  h(
                    "select",
                    {
                      class: "grow",
                      "aria-label": t("there"),
                      onchange: (event: Event) => {
                        chosen.set(call.call, (event.target as HTMLSelectElement).value);
                        draw();
                      },
                    },
                    others.map((device) => h("option", { value: device.id, selected: device.id === to, key: device.id }, t("there").replace("…", device.name))),
                  ),
                  h("button", { disabled: to === "", onclick: move({ type: "move_there", device: to }) }, t("move")),
                ),
          ],
  );
}

function devices(of: Me): Node {
  return h(
    "section",
    { class: "card", "aria-labelledby": "mine", key: "mine" },
    h("h2", { id: "mine" }, t("devices")),
    h("ul", {}, of.devices.map((device) => deviceOf(of, device))),
    h(
      "label",
      { class: "switch" },
      t("follow"),
      h("input", { type: "checkbox", checked: of.follow, onchange: (event: Event) => socket?.say({ type: "follow", on: (event.target as HTMLInputElement).checked }) }),
      h("small", {}, t("follow_hint")),
    ),
  );
}

function deviceOf(of: Me, device: Device): Node {
  const set = (change: object) => socket?.say({ type: "set_device", device: device.id, ...change });
  const phone = device.kind === "telephone";
  const transfers = [["never", t("transfers_never")], ["ask", t("transfers_ask")], ["at_once", t(phone ? "transfers_phone" : "transfers_at_once")]] as const;
  return h(
    "li",
    { class: "device", key: device.id },
    h(
      "div",
      { class: "line" },
      h("h3", { class: "grow" }, device.name, " ", h("span", { class: "quiet small" }, t(device.kind))),
      device.id === of.device ? h("span", { class: "tag here" }, t("this_device")) : null,
      device.calls.length ? h("span", { class: "tag on" }, t("in_call")) : h("span", { class: device.online ? "tag on" : "tag" }, t(device.online ? "online" : "offline")),
    ),
    h(
      "details",
      {},
      h("summary", {}, t("settings")),
      h(
        "div",
        { class: "device-body" },
        h("label", { class: "field" }, t("name"), h("input", { value: device.name, maxlength: 64, onchange: (event: Event) => set({ name: (event.target as HTMLInputElement).value }) })),
        h(
          "label",
          { class: "switch" },
          t("transfers"),
          h("select", { onchange: (event: Event) => set({ transfers: (event.target as HTMLSelectElement).value }) }, transfers.map(([value, text]) => h("option", { value, selected: value === device.transfers }, text))),
        ),
        phone || !device.capabilities.includes("video")
          ? null
          : h("label", { class: "switch", key: "camera" }, t("camera"), h("input", { type: "checkbox", checked: device.camera, onchange: (event: Event) => set({ camera: (event.target as HTMLInputElement).checked }) })),
        device.id === of.device || (phone && device.online) ? null : h("button", { class: "danger", key: "forget", onclick: () => set({ forget: true }) }, t("forget")),
      ),
    ),
  );
}

draw();
