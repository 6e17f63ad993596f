// The stage: a tile for everybody who has room, and large what matters.

import { h, type Child, type Node } from "../dom.js";
import { icon } from "./icons.js";
import { type Place, slotOf, stage, type Tile } from "./layout.js";
import { type App, silent } from "./local.js";
import { called, fresh, handPlace, initials, muted, tint, type State, whispers } from "./model.js";
import { type Person, SIGNS } from "./protocol.js";
import { SLOTS } from "./page.js";
import { streamOf } from "./preview.js";

/** Height of what is said to whoever is alone, in pixels. */
const ALONE = 76;

export function avatar(person: Person, name: string, kind = ""): Node {
  const letters = initials(person.name ?? "");
  const inside: Child = person.avatar ? h("img", { src: person.avatar, alt: "" }) : letters || icon(person.audio === "phone" ? "phone" : "people");
  return h("span", { class: `avatar tint-${tint(person.id)} ${kind}`, "aria-hidden": "true", title: name }, inside);
}

/** The state of somebody in words, besides speaking and muted. */
export function standing(app: App, person: Person): string | null {
  if (person.ringing || person.state === "ringing") return app.t("state_ringing");
  if (person.state === "lobby") return app.t("state_lobby");
  if (person.state === "waiting_for_host") return app.t("state_waiting");
  if (person.held || person.held_by_us) return app.t("state_held");
  if (person.music) return app.t("state_music");
  const whisper = whispers(person);
  if (whisper) return app.t(whisper, { n: person.others_hear ?? 0 });
  if (person.echo) return app.t("state_echo");
  if (person.away) return app.t("state_away");
  return null;
}

export function mutedWords(app: App, person: Person): string {
  if (person.muted_by_host) return app.t("muted_by_host");
  return app.t(person.audio === "phone" ? "muted_by_key" : "muted");
}

export function name(app: App, person: Person): string {
  const plain = called(person, app.t("guest"));
  return person.id === app.state.you ? app.t("you_named", { name: plain }) : plain;
}

export function bars(app: App, person: Person): Node | null {
  if (person.quality === null || person.quality === undefined) return null;
  const words = app.t((["quality_0", "quality_1", "quality_2", "quality_3", "quality_4"] as const)[Math.max(0, Math.min(4, person.quality))] ?? "quality_4");
  return h("span", { class: `bars q${person.quality}`, role: "img", "aria-label": words, title: words }, h("i", {}), h("i", {}), h("i", {}), h("i", {}));
}

function isSilent(state: State, app: App, person: Person): boolean {
  return person.id === state.you && person.audio !== "phone" ? silent(state, app.local) : muted(person);
}

function pixels({ x, y, width, height }: Place): Record<string, string> {
  return { "--x": `${x}px`, "--y": `${y}px`, "--w": `${width}px`, "--h": `${height}px` };
}

function tile(app: App, one: Tile & Place): Node | null {
  const { state, local, t, act } = app;
  const person = state.people.get(one.participant);
  if (!person) return null;
  const own = person.id === state.you;
  const label = name(app, person);
  const slot = own ? null : slotOf(state.shown, one.participant, one.source);
  const stream = own ? (one.source === "camera" && local.camera.on && local.camera.track ? streamOf(local.camera.track) : null) : slot !== null ? (local.pictures.get(slot) ?? null) : null;
  const quiet = isSilent(state, app, person);
  const words = standing(app, person);
  const hand = handPlace(state, person);
  const speaks = person.speaking && one.source === "camera" && !quiet;
  const said = [label, person.audio === "phone" ? t("on_phone") : null, quiet ? mutedWords(app, person) : speaks ? t("speaks") : null, words, hand !== null ? t("hand_place", { n: hand }) : null].filter(Boolean).join(", ");
  const reactions = one.source === "camera" ? fresh(state.floating, app.now).filter((float) => float.from === person.id) : [];
  return h(
    "figure",
    {
      key: `${one.source}:${one.participant}`,
      class: `tile ${one.source}${one.large ? " large" : ""}${speaks ? " speaks" : ""}${stream ? " seen" : ""}${person.away || words ? " dim" : ""}`,
      ...pixels(one),
      "data-person": one.participant,
      "data-source": one.source,
      "data-large": one.large,
      role: "group",
      "aria-label": one.source === "screen" ? t("screen_of", { name: label }) : said,
    },
    stream
      ? h("video", { key: "video", autoplay: true, playsinline: true, muted: true, srcObject: stream, class: own ? "mirror" : "", "aria-hidden": "true" })
      : one.source === "screen"
        ? h("div", { key: "wait", class: "center quiet" }, t("screen_comes"))
        : h("div", { key: "face", class: "center" }, avatar(person, label, "face")),
    hand !== null && one.source === "camera" ? h("span", { key: "hand", class: "flag hand", "aria-hidden": "true" }, icon("hand"), String(hand)) : null,
    reactions.map((float) => h("span", { key: `r${float.id}`, class: `float f${float.id % 5}`, "aria-hidden": "true" }, SIGNS[float.reaction])),
    h(
      "figcaption",
      { key: "plate", "aria-hidden": "true" },
      quiet && one.source === "camera" ? h("span", { class: "silent" }, icon("mic_off")) : null,
      person.audio === "phone" && one.source === "camera" ? h("span", { class: "phone" }, icon("phone")) : null,
      h("b", {}, one.source === "screen" ? t("screen_of", { name: label }) : own ? t("you") : label),
      words && one.source === "camera" ? h("small", {}, words) : null,
    ),
    h(
      "div",
      { key: "corner", class: "corner" },
      one.source === "camera" ? bars(app, person) : null,
      h("button", { key: "menu", class: "dot", "aria-label": t("actions_for", { name: label }), title: t("actions_for", { name: label }), onclick: () => act.open({ kind: "person", person: person.id }) }, icon("more")),
    ),
  );
}

export function stageView(app: App): Node {
  const { state, local, t, act } = app;
  const { width, height } = local.size;
  const alone = [...state.people.values()].filter((one) => one.state === "active").length === 1;
  const shown = stage(state, local.seen, width, height - (alone ? ALONE : 0), local.page, Math.min(SLOTS, state.limits.video_slots));
  local.seen = shown.first;
  local.page = shown.page;
  return h(
    "div",
    { class: "stage", id: "stage", role: "region", "aria-label": t("stage"), ...(shown.pages > 1 ? swipes(app) : {}) },
    shown.tiles.map((one) => tile(app, one)),
    shown.rest ? h("button", { class: "others", key: "others", ...pixels(shown.rest), onclick: () => act.panel("people") }, t("and_others", { n: shown.hidden })) : null,
    alone && local.calls ? h("div", { class: "alone", key: "alone" }, h("p", { role: "status" }, `${local.calls} · ${t("state_ringing")}`)) : null,
    alone && !local.calls ? h("div", { class: "alone", key: "alone" }, h("p", {}, t("alone")), h("button", { onclick: () => act.open({ kind: "invite" }) }, icon("invite"), t("invite"))) : null,
    shown.pages > 1 ? pager(app, shown.page, shown.pages) : null,
  );
}

function pager(app: App, page: number, pages: number): Node {
  const { t, act } = app;
  const turn = (id: string, sign: "before" | "after", label: string, to: number) => h("button", { id, class: "tool", "aria-label": label, title: label, disabled: to < 0 || to >= pages, onclick: () => act.turn(to) }, icon(sign));
  return h(
    "div",
    { class: "pager", key: "pager", role: "group", "aria-label": t("pages") },
    turn("page-before", "before", t("page_before"), page - 1),
    h("span", { role: "status" }, t("page_of", { n: page + 1, all: pages })),
    turn("page-after", "after", t("page_after"), page + 1),
  );
}

/** Shortest way of a finger that turns the page, in pixels. Shorter: taps that slip turn it. */
const SWIPE = 60;

let touched: { x: number; y: number } | null = null;

function swipes(app: App): Record<string, (event: never) => void> {
  return {
    ontouchstart: (event: TouchEvent) => {
      const touch = event.touches.length === 1 ? event.touches[0] : undefined;
      touched = touch ? { x: touch.clientX, y: touch.clientY } : null;
    },
    ontouchend: (event: TouchEvent) => {
      const touch = event.changedTouches[0];
      if (!touched || !touch) return;
      const [x, y] = [touch.clientX - touched.x, touch.clientY - touched.y];
      touched = null;
      if (Math.abs(x) > SWIPE && Math.abs(x) > 2 * Math.abs(y)) app.act.turn(app.local.page + (x < 0 ? 1 : -1));
    },
  };
}
