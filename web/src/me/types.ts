// What the node and the personal page say to each other.

import type { Callback, CodeProgress, MoveOver, OwnDevice } from "../handover/types.js";

export type Channel = "audio" | "video" | "data";

export interface Call {
  call: string;
  meeting: string | null;
  with: string[];
  since: string;
  leg: string | null;
  audio: string | null;
  video: string | null;
  movable: boolean;
  moving?: { device: string; phase: "ringing" | "asked" | "opening" | "settling" };
  back?: string;
}

export interface Me {
  id?: number;
  key?: string;
  device: string;
  name: string;
  user: string;
  devices: OwnDevice[];
  calls: Call[];
  follow: boolean;
  rests: number;
}

export interface Asked {
  call: string;
  from: string | null;
  with: string[];
  channels: Channel[];
}

export type Message =
  | ({ type: "me" } & Me)
  | ({ type: "move_asked" } & Asked)
  | { type: "take_call"; call: string; ticket: string; channels: Channel[]; camera: boolean }
  | ({ type: "move_over" } & MoveOver)
  | ({ type: "code" } & CodeProgress)
  | ({ type: "callback" } & Callback)
  | { type: "not_moved"; id: number; why: string; text: string; calls?: string[] }
  | { type: "problem"; id: number | null; code: string; detail: string }
  | { type: "done"; id: number }
  | { type: "pong"; id: number }
  | { type: "goaway" };
