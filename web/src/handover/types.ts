// What pages and the node say of a call that goes to another device: the meeting's page of its own, the personal page of any
// call of its person (docs/codes.md, docs/callback.md, docs/devices.md).

/** How far a telephone is that is rung for a person. */
export interface Callback {
  id: string;
  participant?: string | null;
  state: "none" | "calling" | "ringing" | "accepted" | "success" | "failed" | "canceling" | "canceled" | "timeout";
  failure?: string | null;
  /** Whom, masked. */
  to: string;
  by: string;
}

/** How far a code is by which a call moves. */
export interface CodeProgress {
  code: string;
  participant: string;
  state: "shown" | "scanned" | "awaiting" | "transferred" | "refused" | "expired";
  reason?: string | null;
  topology: "holder_shows" | "receiver_shows" | "mutual";
  confirm: CodeConfirm;
  channels: string[];
  receiver?: { name: string | null; device: "browser" | "app" | "telephone"; agent: string | null; from: string | null; nearby: boolean } | null;
  /** This page is asked. */
  asked?: boolean;
  /** The other device shows a code that this page is to read. */
  scan?: boolean;
  link?: string | null;
  digits?: string | null;
  expires: number;
}

export type CodeConfirm = "nobody" | "holder" | "holder_and_remote";

/** How a call is to be moved. */
export interface CodeRequest {
  channels?: string[];
  confirm?: CodeConfirm;
  mutual?: boolean;
}

/** A device of the person. */
export interface OwnDevice {
  id: string;
  kind: "telephone" | "browser" | "app";
  name: string;
  capabilities: ("audio" | "video" | "screen")[];
  transfers: "never" | "ask" | "at_once";
  camera: boolean;
  online: boolean;
  /** When a browser was last there. */
  seen?: string;
  calls: string[];
}

/** How a move ended: the failure's name, or that it did not fail. */
export interface MoveOver {
  call: string;
  device: string;
  failure?: string | null;
}

/** What a page asks; a personal page says besides which call. */
export type HandoverAsked =
  | { type: "call_me"; number: string }
  | { type: "call_me_cancel" }
  | { type: "code_show"; code: CodeRequest }
  | { type: "code_scan"; ticket?: string; digits?: string; code: CodeRequest }
  | { type: "code_answer"; code: string; allow: boolean }
  | { type: "code_withdraw"; code: string };

/** Whether a telephone is being called, and can be silenced. */
export function rings(one: Callback | null | undefined): boolean {
  return !!one && ["none", "calling", "ringing", "accepted", "canceling"].includes(one.state);
}

/** Whether a code still counts, or is being carried out. */
export function goesOn(one: CodeProgress | undefined): boolean {
  return !!one && (one.state === "shown" || one.state === "scanned" || one.state === "awaiting");
}
