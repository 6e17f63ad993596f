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
}

export interface Call {
  id: string;
  state: "inviting" | "attendant" | "in_room" | "leaving";
  from: string | null;
  to: string;
  room: string | null;
  participant: string | null;
  held: boolean;
  media: string | null;
  figures: Figures | null;
  since: string;
}

export interface Trunk {
  id: string;
  name: string;
  networks: string[];
  username: string | null;
  enabled: boolean;
}

export interface Did {
  id: string;
  called: string;
  languages: string[];
  action: { to: "attendant" } | { to: "room"; room: string } | { to: "refuse"; cause: string };
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
  | { type: "call.began" | "call.answered" | "call.held" | "call.ended"; seq: number; call: string };

export interface Problem {
  title: string;
  status: number;
  detail: string;
  errors?: { pointer: string; detail: string }[];
}
