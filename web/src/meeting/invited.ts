// What an invitation is for, before anybody joins by it: asking spends nothing.

import type { Words } from "../i18n/words.js";
import { remembered } from "../i18n/core.js";
import { stop } from "./capture.js";
import { draw, page, t } from "./page.js";

/** As `GET /meet/invitation` answers. */
export interface InvitedTo {
  /** What the meeting is called. */
  room: string;
  /** What the invited person is called who gives no other name. */
  name: string | null;
  personal: boolean;
  /** One will wait to be let in, or for the host. */
  lobby: boolean;
  waits_for_host: boolean;
  started: boolean;
  locked: boolean;
  full: boolean;
}

/** Reads what the ticket is for; an invitation that opens nothing any more is told of at once. */
export async function readInvitation(): Promise<void> {
  const { local, ticket, resume } = page;
  if (ticket === null) return;
  const headers: Record<string, string> = { Authorization: `Bearer ${ticket}`, Accept: "application/json" };
  if (resume) headers["X-Ringlift-Resume"] = resume;
  // Where it cannot be read now, joining tells.
  const response = await fetch("/meet/invitation", { headers, credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(10_000) }).catch(() => null);
  const answer = (await response?.json().catch(() => null)) as (InvitedTo & { type?: string }) | null;
  if (!response || !answer || page.state.phase !== "preview") return;
  if (response.ok) {
    local.invitedTo = answer;
    // A link for one person has their name; who comes by a link for all keeps the own.
    if (answer.name && (answer.personal || local.name === "") && local.name === (remembered("ringlift.name") ?? "")) local.name = answer.name;
    return draw();
  }
  const code = /([a-z]+)-ticket$/.exec(answer.type ?? "")?.[1];
  if (!code) return;
  const key = `problem_${code}_ticket` as keyof Words;
  local.dead = true;
  local.refused = t(t(key) === key ? "problem_bad_ticket" : key);
  [local.camera.on, local.microphone.on] = [false, false];
  stop(local.camera);
  stop(local.microphone);
  page.meter?.of(null);
  draw();
}
