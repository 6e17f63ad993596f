// What the parts of the meeting's page share: what is known, what only this browser knows, and how it is drawn anew.

import { current, fill, remembered, type Values } from "../i18n/core.js";
import { type Words, wordsOf } from "../i18n/words.js";
import type { Meter } from "./devices.js";
import { type Link, Problem } from "./link.js";
import type { Local, Taken } from "./local.js";
import { blank, type State } from "./model.js";
import type { Peer } from "./peer.js";
import type { Asked, Operation, ServerMessage } from "./protocol.js";
import { say } from "./say.js";

/** A telephone shows four of the others at once; a screen as many as the node has slots. */
export const SLOTS = Math.min(screen.width, screen.height) < 600 ? 4 : 9;

/** What the address says: which door, and what is behind its name. */
const [, door = "", rest = ""] = location.pathname.split("/");
export const kind = door;
export const place = rest;

const hash = new URLSearchParams(location.hash.slice(1));

/** A printed code began this call: where its page is, and whom it calls. */
export const begun: { from: string; calls: string } | null = door === "j" ? began() : null;

function began(): { from: string; calls: string } | null {
  const key = `ringlift.begun.${location.pathname}`;
  if (hash.has("calls")) session(key, JSON.stringify([hash.get("from") ?? "", hash.get("calls")]));
  const [from, calls] = JSON.parse(session(key) ?? "[]") as string[];
  return from === undefined || calls === undefined ? null : { from: from ? `/c/${encodeURIComponent(from)}` : "/scan", calls };
}

/** A code gave somebody else's call to this device: what of it, or null. It stays so for a tab that is loaded anew. */
export const takes: "all" | "pictures" | null = door === "j" ? taken() : null;

function taken(): "all" | "pictures" | null {
  const key = `ringlift.takes.${location.pathname}`;
  const what = hash.get("take");
  if (what === "" || what === "pictures") {
    session(key, what || "all");
    history.replaceState(null, "", location.pathname);
  }
  const kept = session(key);
  return kept === "all" || kept === "pictures" ? kept : null;
}

/** Under which a place in the meeting is kept for a tab that is loaded anew. */
const SEAT = `ringlift.seat.${location.pathname}`;

const untouched = (): Taken => ({ on: true, device: null, track: null, trouble: null });

const local: Local = {
  language: current(),
  name: remembered("ringlift.name") ?? "",
  asks: "nothing",
  passcode: "",
  microphone: { ...untouched(), on: remembered("ringlift.microphone") !== "off", device: remembered("ringlift.microphone.device") },
  camera: { ...untouched(), on: remembered("ringlift.camera") !== "off", device: remembered("ringlift.camera.device") },
  speaker: remembered("ringlift.speaker.device"),
  devices: { microphones: [], cameras: [], speakers: [] },
  sharing: null,
  listenOnly: false,
  calls: begun?.calls ?? null,
  awaited: false,
  muting: null,
  talking: false,
  refused: null,
  invitedTo: null,
  dead: false,
  silenced: false,
  dialog: null,
  voices: new Map(),
  pictures: new Map(),
  size: { width: 800, height: 500 },
  seen: [],
  page: 0,
  draft: "",
  moving: false,
  copied: false,
  invitation: null,
  invitee: "",
};

export const page: {
  state: State;
  readonly local: Local;
  link: Link | null;
  peer: Peer | null;
  meter: Meter | null;
  /** An invitation's ticket; none where one comes by a room's number. */
  ticket: string | null;
  /** Takes the same place again. */
  resume: string | null;
  /** Somebody's call is on its way to this page, and has not come: all of it, or without the voice. */
  coming: "all" | "pictures" | null;
} = { state: blank, local, link: null, peer: null, meter: null, ticket: kind === "j" ? decodeURIComponent(place) : null, resume: session(SEAT), coming: null };

/** What this tab keeps, and keeps from now on; windows that keep nothing have nothing. */
export function session(key: string, value?: string | null): string | null {
  try {
    if (value === null) sessionStorage.removeItem(key);
    else if (value !== undefined) sessionStorage.setItem(key, value);
    return sessionStorage.getItem(key);
  } catch {
    return null;
  }
}

/** Keeps what takes the place again, or forgets it. */
export function keepSeat(resume: string | null): void {
  page.resume = session(SEAT, resume) ?? resume;
}

export function t(key: keyof Words, values: Values = {}): string {
  return fill(local.language, wordsOf(local.language)[key] ?? key, values);
}

let drawing = false;
let look: () => void = () => undefined;

/** How the page is drawn. */
export function drawnBy(render: () => void): void {
  look = render;
}

function render(): void {
  drawing = false;
  look();
}

/** Draws soon, and once, however much changes. */
export function draw(): void {
  if (drawing) return;
  drawing = true;
  // A page in the background is not drawn by frames; what it says is still to be heard.
  if (document.hidden) setTimeout(render, 100);
  else requestAnimationFrame(render);
}

export function change(next: Partial<State>): void {
  page.state = { ...page.state, ...next };
  draw();
}

/** Why the node refused, in words. */
export function problemWords(problem: Problem): string {
  const key = `problem_${problem.code}` as keyof Words;
  const known = wordsOf(local.language)[key];
  return known ? t(key, { n: Math.ceil((problem.after ?? 0) / 1000) }) : t("problem_other", { why: problem.message });
}

/** Asks the node for something that it answers with more than yes; says what it refused. */
export async function request(asked: Asked): Promise<ServerMessage | null> {
  if (!page.link) return null;
  try {
    return await page.link.ask(asked);
  } catch (error) {
    if (error instanceof Problem) say(problemWords(error), { wrong: true });
    return null;
  }
}

/** Asks the node to do something; says what it refused. */
export async function ask(asked: Asked): Promise<boolean> {
  return (await request(asked)) !== null;
}

export const operate = (operation: Operation) => ask({ type: "operate", operation });
