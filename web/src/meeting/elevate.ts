// From a link in a text message into the seat that one's telephone has: looking changes nothing, a tap redeems.

import { remember, remembered } from "../i18n/core.js";
import type { Words } from "../i18n/words.js";
import { hold, stop } from "./capture.js";
import * as devices from "./devices.js";
import type { Local } from "./local.js";
import { blank } from "./model.js";
import { change, draw, keepSeat, kind, page, place, t } from "./page.js";
import { opened } from "./push.js";

/** What the node says of a link before it is redeemed. */
export interface Info {
  room: string;
  /** What the meeting is called. */
  name: string;
  /** Who is invited: their number, masked, or their name. */
  person: string;
  /** Their telephone is on the line; else their voice goes by the browser. */
  phone: boolean;
  /** Opened before, here or elsewhere. */
  used: boolean;
  /** Digits that are said on the telephone are wanted, too. */
  pin: boolean;
}

export interface Elevating {
  /** Of the link; none where six digits are typed instead. */
  ticket: string | null;
  info: Info | null;
  /**
   * What is asked: nothing yet, a tap, the digits of the code, those of the PIN, whether it is the same person, patience while they
   * are asked on the telephone; or nothing more.
   */
  asks: "looking" | "tap" | "code" | "pin" | "confirm" | "patience" | "gone";
  /** Why, by its name. */
  problem: string | null;
  /** Seconds to wait, where that helps. */
  wait: number;
  busy: boolean;
  code: string;
  pin: string;
}

/** A link that came by a text. */
const LINK = kind === "e" && place !== "" ? decodeURIComponent(place) : null;

/** Under which this browser keeps what opens the seat again. */
const HOLDER = `ringlift.holder.${LINK ?? "code"}`;

export const elevates = kind === "e";

export const elevating: Elevating = { ticket: LINK, info: null, asks: LINK === null ? "code" : "looking", problem: null, wait: 0, busy: false, code: "", pin: "" };

/** Refusals after which nothing on this page helps. */
const OVER = new Set(["unknown", "forgotten", "expired", "ended", "declined"]);

/** Drawn once: whoever says yes on the telephone says it to this browser alone. */
const ASKING = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

interface Refused {
  problem: string;
  wait: number;
}

async function post<T>(path: string, body: object): Promise<T | Refused> {
  const headers = { "Content-Type": "application/json", Accept: "application/json", "X-Ringlift-Page": "1" };
  try {
    const response = await fetch(path, { method: "POST", headers, credentials: "same-origin", cache: "no-store", body: JSON.stringify(body), signal: AbortSignal.timeout(15_000) });
    const answer = (await response.json()) as T & { type?: string };
    if (response.ok) return answer;
    // A name of the problem is the end of its type: elevation-expired.
    const problem = /elevation-([a-z-]+)$/.exec(answer.type ?? "")?.[1]?.replaceAll("-", "_");
    return { problem: problem ?? (response.status === 429 ? "too_many_attempts" : "failed"), wait: Number(response.headers.get("Retry-After")) || 0 };
  } catch {
    return { problem: "unreachable", wait: 0 };
  }
}

function set(next: Partial<Elevating>): void {
  Object.assign(elevating, next);
  draw();
}

/** Reads whom the link invites to what; that changes nothing, however often. */
export async function look(): Promise<void> {
  const { ticket } = elevating;
  if (ticket === null) return set({ asks: "code", problem: null, busy: false });
  set({ asks: "looking", problem: null });
  const answer = await post<Info>("/meet/elevate/info", { ticket });
  if (!("problem" in answer)) return set({ info: answer, asks: answer.pin && !holder() ? "pin" : "tap" });
  // With what it kept, this browser comes back also when the link's time is over.
  if (answer.problem === "expired" && holder()) return set({ asks: "tap" });
  set({ asks: OVER.has(answer.problem) ? "gone" : "tap", problem: known(answer.problem), wait: answer.wait });
}

/** A link that this browser was let in by, and that nobody knows any more: the call is over, however it ended. */
function known(problem: string): string {
  return problem === "unknown" && elevating.ticket !== null && holder() ? "forgotten" : problem;
}

function holder(): string | null {
  return remembered(HOLDER) || null;
}

type Answer = { ticket: string; holder?: string; name?: string; person?: string; push?: string };

/** Redeems the link or the digits; true once there is a ticket to join with. */
async function redeem(confirm: boolean): Promise<boolean> {
  const { ticket, code, pin } = elevating;
  const kept = holder();
  const answer = await post<Answer>("/meet/elevate", {
    ...(ticket !== null ? { ticket } : { code }),
    ...(pin !== "" ? { pin } : {}),
    ...(confirm ? { confirm, asking: ASKING } : {}),
    ...(kept ? { holder: kept } : {}),
  });
  if (!("problem" in answer)) {
    page.ticket = answer.ticket;
    if (answer.holder) remember(HOLDER, answer.holder);
    void opened(answer);
    set({ problem: null, busy: false });
    return true;
  }
  const [problem, wait] = [known(answer.problem), answer.wait];
  if (problem === "confirming") {
    set({ asks: "patience", problem: null, wait });
    await new Promise((done) => setTimeout(done, Math.min(10, Math.max(1, wait)) * 1000));
    // Whoever closed the question meanwhile does not wait any more.
    return elevating.asks === "patience" ? redeem(true) : false;
  }
  const asks = problem === "used" ? "confirm" : problem.startsWith("pin") ? "pin" : OVER.has(problem) && ticket !== null ? "gone" : ticket === null ? "code" : elevating.asks === "pin" ? "pin" : "tap";
  set({ asks, problem: problem === "used" || problem === "pin_wanted" ? null : problem, wait, busy: false, pin: "" });
  return false;
}

/** Into the meeting: with the camera, where it is wanted and the browser lets us; the voice stays with the telephone. */
export async function tap(join: () => void, camera: boolean, confirm = false): Promise<void> {
  if (elevating.busy) return;
  set({ busy: true, problem: null });
  const { local } = page;
  const [there] = await Promise.all([redeem(confirm), camera && !local.camera.track ? takeCamera(local) : null]);
  if (!there) {
    stop(local.camera);
    return set({ busy: false });
  }
  local.camera.on = camera && local.camera.track !== null;
  change({ phase: "joining" });
  join();
}

async function takeCamera(local: Local): Promise<void> {
  hold(local.camera, await devices.take("camera", local.camera.device), "camera");
}

let again = -Infinity;

/** The place is gone, as after a restart of the node: with what this browser kept it is taken once more. */
export async function renew(join: () => void): Promise<boolean> {
  if (!elevates || !holder() || performance.now() - again < 20_000) return false;
  again = performance.now();
  keepSeat(null);
  if (!(await redeem(false))) return false;
  join();
  return true;
}

/** Six digits that were said on the telephone. */
export function typed(code: string, pin: string): void {
  set({ code: code.replace(/\D/g, "").slice(0, 6), pin: pin.replace(/\D/g, "").slice(0, 8) });
}

/** Back to the question, without having confirmed anything. */
export function notMe(): void {
  change({ ...blank });
  set({ asks: elevating.ticket === null ? "code" : "tap", problem: null, busy: false });
}

/** Why not, in words. */
export function why(problem: string): string {
  const key = `elevate_${problem}` as keyof Words;
  const words = t(key, { n: Math.max(1, elevating.wait) });
  return words === key ? t("elevate_failed") : words;
}
