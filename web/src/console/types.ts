// What the API sends, as far as the page reads it. The whole of it is in /openapi.json.

export type ParticipantState = "ringing" | "waiting_for_host" | "lobby" | "active";

export interface Participant {
  id: string;
  display: string;
  name: string | null;
  number: string | null;
  role: "host" | "guest";
  state: ParticipantState;
  held: boolean;
  muted_by_self: boolean;
  muted_by_host: boolean;
  /** Whom alone it speaks to, and how loud others hear it, in percent. */
  whispers_to?: string[];
  others_hear?: number;
  hand: number | null;
  speaking: boolean;
  audio: string | null;
  since: string;
}

export interface RoomSettings {
  id: string;
  name: string;
  pin: string | null;
  host_pin: string | null;
  first_caller: "music" | "tone" | "start" | "host";
  lobby: boolean;
  /** The room of a call between people: no meeting, and not shown as one. */
  call?: boolean;
}

export interface Room {
  settings: RoomSettings;
  started: boolean;
  locked: boolean;
  participants: Participant[];
}

export interface Figures {
  received: number;
  lost: number;
  late: number;
  jitter_ms: number;
  round_trip_ms: number | null;
  remote_loss: number | null;
  echo?: { delay_ms: number; loss_db: number } | null;
  music?: boolean;
  quality?: { last: Span; call: Span; far_end: { rating: number | null } | null };
}

/** One way over some time; `mos` is the mean opinion score, 1 to 4.4. */
export interface Score {
  loss: number;
  late: number;
  jitter_ms: number;
  delay_ms: number;
  mos: number;
}

export type Blame = "unknown" | "nobody" | "way_to_us" | "way_from_us" | "both_ways" | "their_end" | "us";

export interface Span {
  ingress: Score | null;
  egress: Score | null;
  blame: Blame;
}

export interface Call {
  id: string;
  direction: "inbound" | "outbound";
  state: "inviting" | "ringing" | "attendant" | "in_room" | "leaving";
  from: string | null;
  to: string;
  trunk: string | null;
  extension: string | null;
  room: string | null;
  participant: string | null;
  held: boolean;
  held_by_us: boolean;
  media: string | null;
  figures: Figures | null;
  since: string;
  answered: string | null;
}

export interface TrunkState {
  up: boolean | null;
  why: string | null;
  registration: string | null;
}

export interface Trunk {
  id: string;
  name: string;
  networks: string[];
  username: string | null;
  enabled: boolean;
  outbound: { targets: { uri: string }[] } | null;
  state: TrunkState | null;
}

export interface Telephone {
  address: string;
  user_agent: string | null;
}

export interface Extension {
  id: string;
  user: string;
  name: string;
  number: string | null;
  enabled: boolean;
  dnd: boolean;
  registered: Telephone[];
}

export interface Group {
  id: string;
  user: string;
  name: string;
}

export type Destination =
  | { to: "attendant" | "webhook" }
  | { to: "room"; room: string }
  | { to: "extension"; extension: string }
  | { to: "group"; group: string }
  | { to: "trunk"; trunks: string[] }
  | { to: "refuse"; cause: string };

export interface Did {
  id: string;
  called: string;
  languages: string[];
  action: Destination;
}

/** A text message, as `GET /v1/texts` has it. */
export interface Text {
  id: string;
  to: string;
  /** None for a key that may not read it. */
  body: string | null;
  state: string;
  reason: string | null;
  code: string | null;
  created: string;
}

export interface Texts {
  items: Text[];
  /** Who sends them; `outbox` is nobody. */
  provider: string;
}

export interface NodeStatus {
  name: string;
  version: string;
  now: string;
  how_to_call: string[];
  key_maps: string[];
  gateway: { draining: boolean };
  store: { healthy: boolean };
}

export interface Session {
  name: string;
  scopes: string[];
}

interface InRoom<T extends string> {
  type: T;
  seq: number;
  room: string;
}

export type Happening =
  | (InRoom<"participant.joined" | "participant.changed"> & { participant: Participant })
  | (InRoom<"participant.speaking"> & { participant: string; speaking: boolean })
  | (InRoom<"participant.left"> & { participant: string })
  | (InRoom<"participant.operator"> & { participant: string })
  | (InRoom<"room.locked"> & { locked: boolean })
  | InRoom<"room.started" | "room.ended" | "room.configured" | "room.deleted">
  | { type: "node.started" | "node.draining"; seq: number }
  | { type: "call.began" | "call.ringing" | "call.answered" | "call.bridged" | "call.held" | "call.echo" | "call.music" | "call.transferred" | "call.merged" | "call.ended"; seq: number; call: string }
  | { type: "trunk.up" | "trunk.down"; seq: number; trunk: string }
  | { type: "trunk.target_up" | "trunk.target_down"; seq: number; trunk: string; address: string }
  | { type: `elevation.${string}`; seq: number; room: string; participant: string }
  | { type: "extension.registered" | "extension.unregistered"; seq: number; extension: string };

export interface Problem {
  title: string;
  status: number;
  detail: string;
  errors?: { pointer: string; detail: string }[];
}
