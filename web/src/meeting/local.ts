// What only this browser knows: its devices, what is open, what is being typed.

import type { Devices, Trouble } from "./devices.js";
import type { Words } from "../i18n/words.js";
import type { Language, Values } from "../i18n/core.js";
import type { InvitedTo } from "./invited.js";
import type { Invited, Operation, Person, Reaction } from "./protocol.js";
import type { State } from "./model.js";

export interface Taken {
  /** The person wants it. */
  on: boolean;
  /** Which was chosen; none is the browser's own choice. */
  device: string | null;
  track: MediaStreamTrack | null;
  trouble: Trouble | null;
}

export type Dialog =
  | { kind: "invite" | "settings" | "more" | "react" | "leave" | "end" | "sound_here" | "call_me" | "move" }
  | { kind: "person" | "rename" | "remove" | "ladder"; person: string };

export interface Local {
  language: Language;
  name: string;
  /** Whether a passcode is asked for, and what was typed. */
  asks: "nothing" | "passcode" | "number";
  passcode: string;
  microphone: Taken;
  camera: Taken;
  speaker: string | null;
  devices: Devices;
  sharing: MediaStreamTrack | null;
  listenOnly: boolean;
  /** Whom a printed code calls, until they answer. */
  calls: string | null;
  /** Who joined before the browser gave the microphone is heard as soon as it does. */
  awaited: boolean;
  /** What was asked and is not answered: shown at once. */
  muting: boolean | null;
  talking: boolean;
  refused: string | null;
  /** What the invitation is for, once it is known. */
  invitedTo: InvitedTo | null;
  /** The invitation opens nothing any more. */
  dead: boolean;
  silenced: boolean;
  dialog: Dialog | null;
  voices: Map<number, MediaStream>;
  pictures: Map<number, MediaStream>;
  size: { width: number; height: number };
  seen: string[];
  /** Which page of the grid; the first has who speaks. */
  page: number;
  draft: string;
  /** The voice is on its way from the telephone to this browser. */
  moving: boolean;
  copied: boolean;
  /** The link that is shown; made when it is first asked for. */
  invitation: Invited | null;
  /** For whom a link is to be made. */
  invitee: string;
}

export interface App {
  state: State;
  local: Local;
  now: number;
  t(key: keyof Words, values?: Values): string;
  act: Actions;
}

export interface Actions {
  join(): void;
  again(): void;
  type(field: "name" | "passcode" | "draft" | "invitee", value: string): void;
  listenOnly(on: boolean): void;
  microphone(): void;
  camera(): void;
  screen(): void;
  hand(): void;
  react(reaction: Reaction): void;
  choose(kind: "microphone" | "camera" | "speaker", device: string): void;
  allow(): void;
  unblock(): void;
  panel(panel: "people" | "chat" | null): void;
  view(): void;
  turn(page: number): void;
  pin(person: string | null): void;
  open(dialog: Dialog): void;
  /** Makes a link: for one person, or for any number. */
  invite(name: string | null): void;
  dismiss(): void;
  chat(): void;
  to(person: string | null): void;
  mute(person: Person, on: boolean): void;
  operate(operation: Operation): void;
  rename(person: string, name: string): void;
  leave(): void;
  speak(language: string): void;
  picture(file: File): void;
  copy(text: string): void;
  share(text: string): void;
  retry(): void;
  /** Redeems the link of a text message, with the camera or without. */
  elevated(camera: boolean, confirm: boolean): void;
  digits(code: string, pin: string): void;
  notMe(): void;
  /** Sends somebody on the telephone a link that adds video. */
  elevate(person: string): void;
  /** What becomes of whoever calls a person in the meeting. */
  knock(call: string, answer: "take" | "decline" | "ring"): void;
  /** Brings in a call of one's own telephone. */
  bringIn(call: string): void;
  /** Lets another browser take the seat, or keeps it out. */
  letIn(elevation: string, allow: boolean): void;
  /** Has this browser notified instead of a text the next time; or not, or no more. */
  notifyHere(): void;
  notNotified(): void;
  notifyNoMore(): void;
  /** Moves one's own voice; from the telephone it may be kept on the line. */
  sound(by: "web" | "phone", keep: boolean): void;
}

/** Whether the microphone is silent, as the person at the page is shown it: at once, and in the end as the node says. */
export function silent(state: State, local: Local): boolean {
  const one = state.you === null ? undefined : state.people.get(state.you);
  if (one?.muted_by_host && local.muting !== false) return true;
  return local.muting ?? one?.muted_by_self ?? !local.microphone.on;
}
