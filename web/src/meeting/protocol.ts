// What the page and the node say to each other over /meet/socket, version 1 (docs/meeting.md).

import type { Callback, CodeProgress, HandoverAsked, MoveOver, OwnDevice } from "../handover/types.js";

export const VERSION = 1;

export type Role = "host" | "member" | "guest";
export type Source = "microphone" | "camera" | "screen";

export interface Person {
  id: string;
  display: string;
  name: string | null;
  number: string | null;
  role: Role;
  state: "ringing" | "waiting_for_host" | "lobby" | "active";
  since: string;
  audio: "phone" | "web" | "none";
  /** A telephone is on the line in silence, while a browser carries the voice. */
  phone_kept: boolean;
  video: boolean;
  screen_on: boolean;
  camera_on: boolean;
  muted_by_self: boolean;
  muted_by_host: boolean;
  held: boolean;
  held_by_us: boolean;
  hand: number | null;
  speaking: boolean;
  ringing: boolean;
  avatar: string | null;
  quality: number | null;
  away: boolean;
  /** Music on hold comes from their telephone; nobody hears it. */
  music?: boolean;
  /** What their telephone hears comes back from it. */
  echo?: boolean;
  /** Whom alone they speak to. */
  whispers_to?: string[];
  /** While they do: how loud the telephones of others hear it, in percent. */
  others_hear?: number;
}

export interface Room {
  id: string;
  name: string;
  locked: boolean;
  started: boolean;
  muted_on_entry: boolean;
  self_unmute: boolean;
  lobby?: boolean;
}

export interface ChatLine {
  id: number | string;
  /** Who wrote; none: the operator. */
  from: string | null;
  to: string | null;
  name: string;
  text: string;
  /** In ms since 1970, or RFC 3339. */
  at: number | string;
}

export interface DialIn {
  numbers: string[];
  pin?: string | null;
  one_tap?: string | null;
  tel?: string | null;
}

/** A call beside the meeting: the other's leg, and who they are. */
export interface Line {
  call: string;
  name: string | null;
  number: string | null;
}

/** Somebody calls a person in the meeting. */
export interface Knocking extends Line {
  participant: string;
}

export interface Standing {
  session: string;
  resume: string;
  /** The same place as before. */
  resumed?: boolean;
  you: string;
  role: Role;
  state: "active" | "lobby" | "waiting_for_host";
  room: Room;
  people: Person[];
  chat: ChatLine[];
  slots: (string | null)[];
  ice_servers: { urls: string[]; username?: string; credential?: string }[];
  limits: { chat_chars: number; video_slots: number; avatar_bytes: number };
  dial_in?: DialIn | null;
  knocks?: Knocking[];
  lines?: Line[];
}

/** An invitation as it is told once. */
export interface Invited {
  id: string;
  role: Role;
  name: string | null;
  personal: boolean;
  uses: number | null;
  expires: number | null;
  ticket: string;
  /** The link without the node's name. */
  path: string;
}

export interface Shown {
  slot: number;
  participant: string;
  source: "camera" | "screen";
  layer: number | null;
}

export const REACTIONS = ["thumbs_up", "heart", "laugh", "surprised", "applause", "party"] as const;
export type Reaction = (typeof REACTIONS)[number];

/** How a reaction looks. */
export const SIGNS: Record<Reaction, string> = { thumbs_up: "👍", heart: "❤️", laugh: "😂", surprised: "😮", applause: "👏", party: "🎉" };

export type ServerMessage =
  | ({ type: "welcome"; id: number; version: number } & Standing)
  | ({ type: "admitted" } & Standing)
  | { type: "done"; id: number }
  | { type: "problem"; id: number | null; code: string; detail: string; after_ms?: number }
  | { type: "joined" | "changed"; person: Person }
  | { type: "left"; participant: string; cause?: string }
  | { type: "people"; people: Person[] }
  | { type: "speaking"; participant: string; speaking: boolean }
  | { type: "slots"; slots: (string | null)[] }
  | { type: "chat"; line: ChatLine }
  | { type: "reaction"; from: string; reaction: string }
  | { type: "room"; room: Room }
  | { type: "answer"; id: number; sdp: string }
  | { type: "invited"; id: number; invitation: Invited }
  | { type: "candidate"; candidate: string }
  | { type: "shown"; slots: Shown[] }
  | { type: "quality"; participant: string; quality: number | null }
  | { type: "media"; state: "connected" | "interrupted" | "lost" }
  | { type: "bye"; cause: string; text: string }
  | { type: "goaway"; after_ms: number; text: string }
  | ({ type: "elevation" } & Progress)
  | ({ type: "code" } & CodeProgress)
  | { type: "audio_offer"; reason: string }
  | { type: "merged"; participant: string; by: string | null }
  | ({ type: "knock" } & Knocking)
  | { type: "lines"; lines: Line[] }
  | { type: "knock_over"; call: string }
  | ({ type: "callback" } & Callback)
  | { type: "devices"; id: number; devices: OwnDevice[]; back?: string | null }
  | { type: "not_moved"; id: number; why: string; text: string }
  | ({ type: "move_over" } & MoveOver)
  | { type: "pong"; id: number };

export type Step = "asked" | "looking_up" | "pushed" | "texted" | "sent" | "delivered" | "spoken" | "shown" | "opened" | "authenticated" | "bound" | "closed" | "failed" | "ended";

/** How far a link is that adds video to a call (docs/elevation.md). */
export interface Progress {
  elevation: string;
  participant: string;
  step: Step;
  reason?: string | null;
  by: string;
  /** Another browser wants the seat. */
  wants?: boolean;
  /** For the page that asked. */
  link?: string | null;
  code?: string | null;
}

export interface Wish {
  slot: number;
  participant: string;
  source: "camera" | "screen";
  height: number;
}

export type Operation =
  | { operation: "mute" | "unmute" | "raise_hand" | "lower_hand" | "admit" | "refuse" | "remove"; participant: string }
  | { operation: "hide"; participant: string; source: "camera" | "screen" }
  | { operation: "mute_all" | "unmute_all" | "admit_all" | "lock" | "unlock" | "end" }
  | { operation: "rename"; participant: string; name: string }
  | { operation: "set_role"; participant: string; role: Role };

export interface Join {
  type: "join";
  version: number;
  ticket?: string;
  room?: string;
  passcode?: string;
  name: string;
  language: string;
  resume?: string;
  listen_only: boolean;
}

export type Asked =
  | Join
  | { type: "operate"; operation: Operation }
  | { type: "chat"; to: string | null; text: string }
  | { type: "react"; reaction: Reaction }
  | { type: "offer"; sdp: string; restart: boolean }
  | { type: "candidate"; candidate: string }
  | { type: "watch"; slots: Wish[] }
  | { type: "publish"; source: Source; on: boolean }
  | { type: "invite"; invitation?: { role: Role; name: string | null; personal: boolean } }
  | { type: "elevate"; participant: string }
  | { type: "allow"; elevation: string; allow: boolean }
  | { type: "audio"; by: "web" | "phone"; keep: boolean }
  | { type: "merge"; call: string; both: boolean }
  | { type: "knock"; call: string; answer: "take" | "decline" | "ring" }
  | HandoverAsked
  | { type: "devices" }
  | { type: "move_there"; device: string }
  | { type: "hand_back" }
  | { type: "move_answer"; call: string; takes: boolean }
  | { type: "leave" }
  | { type: "ping" };
