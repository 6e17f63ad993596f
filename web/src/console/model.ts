// What the page knows, and how what happens changes it. (state, event) → [state, what to read anew]. No DOM, no network.

import type { Blame, Call, Did, Extension, Group, Happening, NodeStatus, Participant, Room, Score, Session, Texts, Trunk } from "./types.js";

export type Link = "connecting" | "live" | "lost";

export interface State {
  /** None: not logged in. */
  session: Session | null;
  link: Link;
  /** When the next try is due, while the link is lost. */
  retryAt: number | null;
  status: NodeStatus | null;
  rooms: Map<string, Room>;
  calls: Call[];
  dids: Did[];
  trunks: Trunk[];
  extensions: Extension[];
  groups: Group[];
  texts: Texts | null;
  /** Whether rooms were read at least once. */
  loaded: boolean;
  /** The room whose people are shown although nobody is in it. */
  open: string | null;
  search: string;
}

export type Anew = "rooms" | "calls" | "status" | "routing" | "texts" | { room: string };

export const blank: State = {
  session: null,
  link: "connecting",
  retryAt: null,
  status: null,
  rooms: new Map(),
  calls: [],
  dids: [],
  trunks: [],
  extensions: [],
  groups: [],
  texts: null,
  loaded: false,
  open: null,
  search: "",
};

export function may(state: State, scope: string): boolean {
  const scopes = state.session?.scopes ?? [];
  return scopes.includes(scope) || scopes.includes("admin");
}

/** Applies an event; says what it does not tell and has to be read. */
export function happen(state: State, event: Happening): [State, Anew[]] {
  switch (event.type) {
    case "participant.joined":
    case "participant.changed": {
      const room = state.rooms.get(event.room);
      if (!room) return [state, [{ room: event.room }]];
      const known = room.participants.find((one) => one.id === event.participant.id);
      const next = merge(known, event.participant);
      const participants = known
        ? room.participants.map((one) => (one === known ? next : one))
        : [...room.participants, next];
      // Events carry masked numbers: who may see them whole reads the room.
      const anew: Anew[] = !known && may(state, "numbers:read") ? [{ room: event.room }] : [];
      return [withRoom(state, { ...room, participants }), known ? anew : [...anew, "calls"]];
    }
    case "participant.speaking":
      return [withParticipant(state, event.room, event.participant, { speaking: event.speaking }), []];
    case "participant.left": {
      const room = state.rooms.get(event.room);
      if (!room) return [state, []];
      const participants = room.participants.filter((one) => one.id !== event.participant);
      return [withRoom(state, { ...room, participants }), ["calls"]];
    }
    case "participant.operator":
      return [state, []];
    case "room.locked": {
      const room = state.rooms.get(event.room);
      return [room ? withRoom(state, { ...room, locked: event.locked }) : state, []];
    }
    case "room.started": {
      const room = state.rooms.get(event.room);
      return [room ? withRoom(state, { ...room, started: true }) : state, []];
    }
    case "room.ended": {
      const room = state.rooms.get(event.room);
      if (!room) return [state, []];
      return [withRoom(state, { ...room, started: false, locked: false, participants: [] }), [{ room: event.room }]];
    }
    case "room.configured":
      return [state, [{ room: event.room }]];
    case "room.deleted": {
      const rooms = new Map(state.rooms);
      rooms.delete(event.room);
      return [{ ...state, rooms }, []];
    }
    case "node.started":
    case "node.draining":
      return [state, ["status"]];
    case "call.began":
    case "call.ringing":
    case "call.answered":
    case "call.bridged":
    case "call.held":
    case "call.echo":
    case "call.music":
    case "call.transferred":
    case "call.merged":
    case "call.ended":
      return [state, ["calls"]];
    case "trunk.up":
    case "trunk.down":
    case "trunk.target_up":
    case "trunk.target_down":
    case "extension.registered":
    case "extension.unregistered":
      return [state, ["routing"]];
    default:
      // Each step may have sent a text.
      if (event.type.startsWith("elevation.")) return [state, ["texts"]];
      // A newer node tells of things that this page does not know.
      return [state, []];
  }
}

/** A number known whole is not hidden again by a masked one. */
function merge(known: Participant | undefined, next: Participant): Participant {
  const whole = known?.number && !known.number.includes("•") ? known.number : null;
  if (!whole || !next.number?.includes("•")) return next;
  return { ...next, number: whole };
}

export function withRoom(state: State, room: Room): State {
  if (room.settings.call) return state;
  const rooms = new Map(state.rooms);
  rooms.set(room.settings.id, room);
  return { ...state, rooms };
}

function withParticipant(state: State, id: string, who: string, change: Partial<Participant>): State {
  const room = state.rooms.get(id);
  if (!room) return state;
  const participants = room.participants.map((one) => (one.id === who ? { ...one, ...change } : one));
  return withRoom(state, { ...room, participants });
}

/** Rooms in the order shown: those with people first, then by name. */
export function shownRooms(state: State): Room[] {
  const wanted = state.search.trim().toLowerCase();
  const fits = (room: Room) =>
    !wanted ||
    room.settings.name.toLowerCase().includes(wanted) ||
    (room.settings.pin ?? "").startsWith(wanted) ||
    room.participants.some((one) => called(one).toLowerCase().includes(wanted));
  return [...state.rooms.values()]
    .filter(fits)
    .sort(
      (a, b) =>
        Number(b.participants.length > 0) - Number(a.participants.length > 0) ||
        a.settings.name.localeCompare(b.settings.name) ||
        a.settings.id.localeCompare(b.settings.id),
    );
}

/** Numbers and addresses that lead to the room: straight, or by the attendant who asks for the PIN. */
export function waysIn(state: State, room: Room): { straight: string[]; attendant: string[] } {
  const named = (did: Did) => (did.called === "*" ? [] : [did.called]);
  const straight = state.dids.flatMap((did) =>
    did.action.to === "room" && did.action.room === room.settings.id ? named(did) : [],
  );
  const attendant = state.dids.flatMap((did) => (did.action.to === "attendant" ? named(did) : []));
  if (attendant.length === 0 && state.status) attendant.push(...state.status.how_to_call);
  return { straight, attendant };
}

export type Quality = "good" | "fair" | "poor";

/** Whose fault it is, in the words of somebody who is asked. */
const BLAMED: Record<Blame, string> = {
  unknown: "nobody can say why yet",
  nobody: "nothing is wrong",
  way_to_us: "their way to us loses packets",
  way_from_us: "our way to them loses packets",
  both_ways: "the line suffers both ways",
  their_end: "their end drops packets, or sends what it should not",
  us: "this machine is too slow",
};

/** Of a call that sounds good, nobody asks why. */
function why(blame: Blame | undefined, grade: Quality): string[] {
  const nobody = blame === "nobody" || blame === "unknown";
  return blame && !(nobody && grade === "good") ? [BLAMED[blame]] : [];
}

/** How a call sounds now: by its score each way where there is one, else by the share lost and by jitter. */
export function quality(call: Call): { grade: Quality; text: string } | null {
  const figures = call.figures;
  if (!figures || figures.received === 0) return null;
  const now = figures.quality?.last;
  const scores = [now?.ingress, now?.egress].filter((score) => score != null);
  if (now && scores.length > 0) {
    const worst = Math.min(...scores.map((score) => score.mos));
    // What people say of a rating of 80 and of 70 (G.107): content, and some are not.
    const grade: Quality = worst < 3.6 ? "poor" : worst < 4.03 ? "fair" : "good";
    const shown = (score: Score | null) => (score ? score.mos.toFixed(1) : "–");
    const parts = [`heard ${shown(now.ingress)}, hears ${shown(now.egress)} of 4.4`];
    const lost = Math.max(...scores.map((score) => score.loss));
    if (lost >= 0.001) parts.push(`${(lost * 100).toFixed(1)} % lost`);
    parts.push(`${Math.round(Math.max(...scores.map((score) => score.delay_ms)))} ms`);
    return { grade, text: [...parts, ...why(now.blame, grade)].join(" · ") };
  }
  const lost = (figures.lost + figures.late) / (figures.received + figures.lost);
  const worst = Math.max(lost, figures.remote_loss ?? 0);
  const grade: Quality =
    worst > 0.05 || figures.jitter_ms > 80 ? "poor" : worst > 0.01 || figures.jitter_ms > 30 ? "fair" : "good";
  const parts = [`${(worst * 100).toFixed(1)} % lost`, `jitter ${Math.round(figures.jitter_ms)} ms`];
  if (figures.round_trip_ms !== null) parts.push(`round trip ${Math.round(figures.round_trip_ms)} ms`);
  return { grade, text: [...parts, ...why(now?.blame, grade)].join(" · ") };
}

/** Digits in groups, as people read them out: 482 913, 7712 0458. */
export function grouped(pin: string): string {
  if (pin.length <= 4) return pin;
  const size = pin.length % 3 !== 0 && pin.length % 4 === 0 ? 4 : 3;
  const groups = pin.match(new RegExp(`.{1,${size}}`, "g")) ?? [pin];
  // No digit stands alone at the end.
  const last = groups.at(-1) ?? "";
  if (last.length === 1 && groups.length > 1) groups.splice(-2, 2, `${groups.at(-2)}${last}`);
  return groups.join(" ");
}

/** What a person is called: by name, else by number as far as it may be seen. */
export function called(one: Participant): string {
  return one.name || one.number || one.display;
}

/** Whom alone somebody speaks to, and what others hear of it. */
export function whispers(room: Room, one: Participant): string {
  const here = room.participants.filter((other) => one.whispers_to?.includes(other.id)).map(called);
  const others = one.others_hear ? `other phones hear ${one.others_hear} %` : "others hear nothing";
  return `whispers to ${here.join(", ") || "people who left"} · ${others}`;
}

/** Who is at the far end of a call: of the house by name, else by the name on the roster, else by number. */
export function farEnd(state: State, call: Call): string {
  const known = state.extensions.find((one) => one.id === call.extension);
  if (known) return known.name;
  const room = call.room ? state.rooms.get(call.room) : undefined;
  const name = room?.participants.find((one) => one.id === call.participant)?.name;
  return name ?? (call.direction === "outbound" ? call.to : (call.from ?? "Anonymous caller"));
}

/** The other calls of a call between people: those in its room, which is no meeting. */
export function others(state: State, call: Call): Call[] {
  if (!call.room || state.rooms.has(call.room)) return [];
  return state.calls.filter((other) => other.room === call.room && other.id !== call.id);
}

/** Where a call stands, in words. */
export function whereabouts(state: State, call: Call): string {
  switch (call.state) {
    case "inviting":
      return call.direction === "outbound" ? "being called" : "calling";
    case "ringing":
      return call.direction === "outbound" ? "rings" : "hears it ring";
    case "attendant":
      return "with the attendant";
    case "leaving":
      return "leaving";
    case "in_room": {
      const room = call.room ? state.rooms.get(call.room) : undefined;
      if (!room) {
        const with_ = others(state, call).map((other) => farEnd(state, other));
        return with_.length > 0 ? `with ${with_.join(" and ")}` : "in a call";
      }
      // Who waits in the lobby is not in the meeting.
      const who = room.participants.find((one) => one.id === call.participant);
      const before = { lobby: "in the lobby of", waiting_for_host: "waits for the host of", ringing: "ringing for", active: "in" }[who?.state ?? "active"];
      return `${before} ${room.settings.name}`;
    }
  }
}

/** `4:05`, `1:02:03`. */
export function lasted(since: string, now: number): string {
  const seconds = Math.max(0, Math.floor((now - Date.parse(since)) / 1000));
  const two = (n: number) => String(n).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}
