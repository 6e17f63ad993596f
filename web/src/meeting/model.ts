// What the page knows of the meeting, and how what the node says changes it. Pure: no socket, no clock, no device.

import type { Callback, CodeProgress } from "../handover/types.js";
import { type ChatLine, type DialIn, type Knocking, type Line, type Person, type Progress, type Reaction, REACTIONS, type Room, type Role, type ServerMessage, type Shown, type Standing } from "./protocol.js";

export type Phase = "preview" | "joining" | "lobby" | "waiting" | "in" | "ended";

export interface Floating {
  id: number;
  from: string;
  reaction: Reaction;
  /** When it came, in ms. */
  at: number;
}

export interface Elevation {
  id: string;
  /** What happened, the latest last, and when, in ms. */
  steps: (Progress & { at: number })[];
}

export interface State {
  phase: Phase;
  /** The way to the node: not begun, there, or being looked for again. */
  link: "none" | "live" | "lost";
  /** Blocked and refused: it never came about, by the network's fault or since a relay did not take our credentials. */
  media: "none" | "connected" | "interrupted" | "blocked" | "refused" | "lost";
  session: string | null;
  you: string | null;
  role: Role;
  room: Room | null;
  people: Map<string, Person>;
  chat: ChatLine[];
  unread: number;
  slots: (string | null)[];
  shown: Shown[];
  floating: Floating[];
  dialIn: DialIn | null;
  iceServers: RTCIceServer[];
  limits: Standing["limits"];
  /** Who spoke, the latest first. */
  spoke: string[];
  /** Links that add video to calls, by whose call it is. */
  elevations: Map<string, Elevation>;
  /** Who calls a person in the meeting, and may be let in from here. */
  knocks: Knocking[];
  /** Whom one has on the telephone beside the meeting. */
  lines: Line[];
  /** Codes by which calls move: one's own, and those that one is asked about. */
  codes: Map<string, CodeProgress>;
  /** One's telephone hung up: who goes on with the voice is asked. */
  audioOffer: boolean;
  /** One's telephone is rung, or was. */
  callback: Callback | null;
  ended: { cause: string; text: string } | null;
  goaway: string | null;
  panel: "people" | "chat" | null;
  view: "grid" | "speaker";
  pinned: string | null;
  /** Whom the next chat line goes to; none is all. */
  to: string | null;
}

export const blank: State = {
  phase: "preview",
  link: "none",
  media: "none",
  session: null,
  you: null,
  role: "guest",
  room: null,
  people: new Map(),
  chat: [],
  unread: 0,
  slots: [null, null, null, null],
  shown: [],
  floating: [],
  dialIn: null,
  iceServers: [],
  limits: { chat_chars: 2000, video_slots: 9, avatar_bytes: 262_144 },
  spoke: [],
  elevations: new Map(),
  knocks: [],
  lines: [],
  codes: new Map(),
  audioOffer: false,
  callback: null,
  ended: null,
  goaway: null,
  panel: null,
  view: "grid",
  pinned: null,
  to: null,
};

/** Something to tell the person at the page: said by the words' key, with names. */
export interface Note {
  say: "somebody_joined" | "somebody_left" | "somebody_waits" | "hand_up" | "chat_from" | "chat_from_alone" | "host_muted_you" | "host_unmuted_you" | "you_are_host" | "you_are_host_no_more" | "locked" | "unlocked" | "shares" | "shares_no_more" | "joined_anew" | "back" | "video_added" | "video_link_failed" | "call_me_success" | "call_me_failed" | "brought_in" | "phone_gone";
  values?: Record<string, string>;
  /** Seen too, not only heard by screen readers. */
  seen: boolean;
}

/** Chat lines kept: as many as the node keeps. */
const CHAT = 200;

/** How long a reaction floats. */
export const FLOATS = 4000;

export function called(person: Person | undefined, fallback: string): string {
  const name = person ? person.name || person.display || person.number || fallback : fallback;
  return plain(name);
}

/** A name that changes nothing beside it. */
export function plain(name: string): string {
  return name.replace(TURNS, "");
}

/** What turns the direction of writing: in a name it would turn what stands beside it, too. */
const TURNS = /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

export function you(state: State): Person | undefined {
  return state.you === null ? undefined : state.people.get(state.you);
}

/** Sound and picture have not come through at all. */
export function walled(state: State): boolean {
  return state.media === "blocked" || state.media === "refused";
}

export function muted(person: Person | undefined): boolean {
  return !!person && (person.muted_by_self || person.muted_by_host);
}

export function isHost(state: State): boolean {
  return (you(state)?.role ?? state.role) === "host";
}

/** Hosts and members let people in. */
export function admits(state: State): boolean {
  return (you(state)?.role ?? state.role) !== "guest";
}

const collator = (one: Person, other: Person) => (one.since < other.since ? -1 : one.since > other.since ? 1 : one.id < other.id ? -1 : 1);

/** Who is in the meeting, in the order they came. */
export function present(state: State): Person[] {
  return [...state.people.values()].filter((one) => one.state === "active").sort(collator);
}

/** Who waits to be let in. */
export function waiting(state: State): Person[] {
  return [...state.people.values()].filter((one) => one.state === "lobby").sort(collator);
}

/** Who is being called or waits for the host. */
export function coming(state: State): Person[] {
  return [...state.people.values()].filter((one) => one.state === "ringing" || one.state === "waiting_for_host").sort(collator);
}

/** Raised hands, the first raised first. */
export function hands(state: State): Person[] {
  return present(state)
    .filter((one) => one.hand !== null)
    .sort((one, other) => (one.hand ?? 0) - (other.hand ?? 0));
}

/** Its place in the line of raised hands, from 1. */
export function handPlace(state: State, person: Person): number | null {
  const at = hands(state).findIndex((one) => one.id === person.id);
  return at < 0 ? null : at + 1;
}

/** What is said of somebody who speaks to some alone, also once all of those have left; nothing of who speaks to all. */
export function whispers(person: Person): "state_whispers" | "state_whispers_softly" | "state_whispers_nobody" | null {
  if (!person.whispers_to?.length) return person.others_hear === undefined ? null : "state_whispers_nobody";
  return person.others_hear ? "state_whispers_softly" : "state_whispers";
}

/** Whose screen is shown large: the pinned one, or the one that began last. */
export function sharing(state: State): Person | null {
  const all = present(state).filter((one) => one.screen_on && one.id !== state.you);
  return all.find((one) => one.id === state.pinned) ?? all.at(-1) ?? null;
}

/** The other way to look at it: what one said in private belongs to the same talk. */
export function isPrivate(line: ChatLine): boolean {
  return line.to !== null;
}

function stand(state: State, standing: Standing): State {
  const phase = standing.state === "active" ? "in" : standing.state === "lobby" ? "lobby" : "waiting";
  const people = new Map((standing.people ?? []).map((one) => [one.id, one]));
  return {
    ...state,
    phase,
    link: "live",
    session: standing.session ?? state.session,
    you: standing.you ?? state.you,
    role: standing.role ?? state.role,
    room: standing.room ?? state.room,
    people,
    chat: (standing.chat ?? []).slice(-CHAT),
    slots: standing.slots ?? state.slots,
    shown: [],
    spoke: state.spoke.filter((id) => people.has(id)),
    dialIn: standing.dial_in ?? null,
    knocks: standing.knocks ?? [],
    lines: standing.lines ?? [],
    iceServers: standing.ice_servers ?? [],
    limits: { ...state.limits, ...standing.limits },
    ended: null,
    goaway: null,
    pinned: state.pinned !== null && people.has(state.pinned) ? state.pinned : null,
    to: state.to !== null && people.has(state.to) ? state.to : null,
  };
}

/** What the node says, and what of it the person is told. */
export function receive(state: State, message: ServerMessage, now: number): [State, Note[]] {
  switch (message.type) {
    case "welcome":
    case "admitted": {
      const next = stand(state, message);
      if (message.type === "admitted" || state.you === null) return [next, []];
      // Told once, when it is there again: whether in the same seat or in a new one.
      return [next, [{ say: message.resumed ?? state.you === next.you ? "back" : "joined_anew", seen: true }]];
    }
    case "joined":
    case "changed":
      return person(state, message.person);
    case "people": {
      const people = new Map(message.people.map((one) => [one.id, one]));
      return [{ ...state, people, role: people.get(state.you ?? "")?.role ?? state.role }, []];
    }
    case "left": {
      const gone = state.people.get(message.participant);
      const people = new Map(state.people);
      people.delete(message.participant);
      const elevations = new Map(state.elevations);
      elevations.delete(message.participant);
      const next = {
        ...state,
        people,
        elevations,
        spoke: state.spoke.filter((id) => id !== message.participant),
        pinned: state.pinned === message.participant ? null : state.pinned,
        to: state.to === message.participant ? null : state.to,
      };
      const tell = gone && gone.state === "active" && gone.id !== state.you;
      return [next, tell ? [{ say: "somebody_left", values: { name: called(gone, "") }, seen: false }] : []];
    }
    case "speaking": {
      const one = state.people.get(message.participant);
      if (!one) return [state, []];
      const people = new Map(state.people).set(one.id, { ...one, speaking: message.speaking });
      const spoke = message.speaking ? [one.id, ...state.spoke.filter((id) => id !== one.id)] : state.spoke;
      return [{ ...state, people, spoke }, []];
    }
    case "quality": {
      const one = state.people.get(message.participant);
      return one ? [{ ...state, people: new Map(state.people).set(one.id, { ...one, quality: message.quality }) }, []] : [state, []];
    }
    case "slots":
      return [{ ...state, slots: message.slots }, []];
    case "shown":
      return [{ ...state, shown: message.slots }, []];
    case "chat": {
      if (state.chat.some((line) => line.id === message.line.id)) return [state, []];
      const own = message.line.from === state.you;
      const open = state.panel === "chat";
      const next = { ...state, chat: [...state.chat, message.line].slice(-CHAT), unread: own || open ? state.unread : state.unread + 1 };
      return [next, own ? [] : [{ say: isPrivate(message.line) ? "chat_from_alone" : "chat_from", values: { name: plain(message.line.name), text: message.line.text.slice(0, 120) }, seen: !open }]];
    }
    case "reaction": {
      const reaction = REACTIONS.find((one) => one === message.reaction);
      if (!reaction) return [state, []];
      const last = state.floating.at(-1)?.id ?? 0;
      const floating = [...fresh(state.floating, now), { id: last + 1, from: message.from, reaction, at: now }].slice(-40);
      return [{ ...state, floating }, []];
    }
    case "room": {
      const next = { ...state, room: message.room };
      if (!state.room || state.room.locked === message.room.locked) return [next, []];
      return [next, [{ say: message.room.locked ? "locked" : "unlocked", seen: true }]];
    }
    case "media":
      // A way that never came about is no interruption.
      return [walled(state) && message.state !== "connected" ? state : { ...state, media: message.state }, []];
    case "goaway":
      return [{ ...state, goaway: message.text }, []];
    case "bye":
      return [{ ...state, phase: "ended", link: "none", ended: { cause: message.cause, text: message.text } }, []];
    case "elevation":
      return elevation(state, message, now);
    case "code":
      return [coded(state, message), []];
    case "devices":
    case "not_moved":
    case "move_over":
      return [state, []];
    case "audio_offer":
      return [{ ...state, audioOffer: you(state)?.audio === "none" }, []];
    case "callback": {
      const over = message.state === "success" || message.state === "failed";
      const note: Note[] = over ? [{ say: message.state === "success" ? "call_me_success" : "call_me_failed", seen: message.state === "failed" }] : [];
      return [{ ...state, callback: message }, note];
    }
    case "merged": {
      const [one, by] = [state.people.get(message.participant), state.people.get(message.by ?? "")];
      return [state, one && by ? [{ say: "brought_in", values: { name: called(one, ""), by: called(by, "") }, seen: true }] : []];
    }
    case "knock": {
      const { call, participant, name, number } = message;
      return [{ ...state, knocks: [...state.knocks.filter((one) => one.call !== call), { call, participant, name, number }] }, []];
    }
    case "knock_over":
      return [{ ...state, knocks: state.knocks.filter((one) => one.call !== message.call) }, []];
    case "lines":
      return [{ ...state, lines: message.lines }, []];
    case "answer":
    case "invited":
    case "candidate":
    case "done":
    case "problem":
    case "pong":
      return [state, []];
  }
}

/** One's own latest code is kept to be looked at; others' as long as one is asked. */
function coded(state: State, progress: CodeProgress): State {
  const codes = new Map([...state.codes].filter(([, one]) => one.participant !== progress.participant || one.code === progress.code));
  if (progress.participant === state.you || progress.asked) codes.set(progress.code, progress);
  else codes.delete(progress.code);
  return { ...state, codes };
}

/** Whether a link is still on its way, or waits to be opened. */
export function underWay(step: Progress | undefined): boolean {
  return !!step && !["bound", "closed", "failed", "ended"].includes(step.step);
}

function elevation(state: State, progress: Progress, now: number): [State, Note[]] {
  const before = state.elevations.get(progress.participant);
  const same = before?.id === progress.elevation ? before.steps : [];
  const steps = [...same, { ...progress, at: now }].slice(-30);
  const next = { ...state, elevations: new Map(state.elevations).set(progress.participant, { id: progress.elevation, steps }) };
  const say = progress.step === "bound" ? "video_added" : progress.step === "failed" ? "video_link_failed" : null;
  const other = progress.participant !== state.you;
  return [next, say && other && before?.steps.at(-1)?.step !== progress.step ? [{ say, values: { name: called(state.people.get(progress.participant), "") }, seen: true }] : []];
}

/** The reactions still to be seen. */
export function fresh(floating: Floating[], now: number): Floating[] {
  return floating.filter((one) => now - one.at < FLOATS);
}

function person(state: State, one: Person): [State, Note[]] {
  const before = state.people.get(one.id);
  const people = new Map(state.people).set(one.id, one);
  const spoke = one.speaking && !before?.speaking ? [one.id, ...state.spoke.filter((id) => id !== one.id)] : state.spoke;
  const mine = one.id === state.you;
  const role = mine ? one.role : state.role;
  const notes: Note[] = [];
  const values = { name: called(one, "") };
  if (mine && before) {
    if (before.phone_kept && !one.phone_kept && one.audio === "web") notes.push({ say: "phone_gone", seen: true });
    if (one.muted_by_host && !before.muted_by_host) notes.push({ say: "host_muted_you", seen: true });
    if (!one.muted_by_host && before.muted_by_host && !one.muted_by_self) notes.push({ say: "host_unmuted_you", seen: true });
    if (one.role === "host" && before.role !== "host") notes.push({ say: "you_are_host", seen: true });
    if (one.role !== "host" && before.role === "host") notes.push({ say: "you_are_host_no_more", seen: true });
  }
  if (!mine) {
    if (one.state === "active" && before?.state !== "active") notes.push({ say: "somebody_joined", values, seen: false });
    if (one.state === "lobby" && before?.state !== "lobby" && role !== "guest") notes.push({ say: "somebody_waits", values, seen: true });
    if (one.hand !== null && (before?.hand ?? null) === null && before) notes.push({ say: "hand_up", values, seen: true });
    if (one.screen_on && !before?.screen_on) notes.push({ say: "shares", values, seen: false });
    if (!one.screen_on && before?.screen_on) notes.push({ say: "shares_no_more", values, seen: false });
  }
  const phase = !mine ? state.phase : one.state === "active" ? "in" : one.state === "lobby" ? "lobby" : one.state === "waiting_for_host" ? "waiting" : state.phase;
  const audioOffer = state.audioOffer && !(mine && one.audio !== "none");
  return [{ ...state, people, spoke, role, phase, audioOffer }, notes];
}

/** Two letters at most for who has no picture; none for a bare number. */
export function initials(name: string): string {
  const words = name.trim().split(/[\s\-_.@]+/u).filter((word) => /^\p{L}/u.test(word));
  const first = words[0];
  if (!first) return "";
  const last = words.length > 1 ? words.at(-1) : undefined;
  return ([...first][0]! + (last ? [...last][0]! : "")).toLocaleUpperCase();
}

/** One of eight colours, always the same for one person. */
export function tint(id: string): number {
  let sum = 0;
  for (const letter of id) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) >>> 0;
  return sum % 8;
}
