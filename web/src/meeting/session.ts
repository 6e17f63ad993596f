// The way into the meeting, what the node says there, and the way out.

import { publishing, setCamera, stopSharing } from "./capture.js";
import { connect, drop, enter } from "./connection.js";
import { elevates, elevating, renew } from "./elevate.js";
import { Link, type Problem } from "./link.js";
import { silent } from "./local.js";
import { over } from "./mine.js";
import { blank, FLOATS, fresh, muted, receive, you } from "./model.js";
import { begun, change, draw, keepSeat, kind, page, place, problemWords, t, takes } from "./page.js";
import { type Join, type ServerMessage, VERSION } from "./protocol.js";
import { say, tell } from "./say.js";
import { byPhone, hush, useAudio } from "./sound.js";

/** Ends after which the page comes back by itself. */
const COMES_BACK = new Set(["draining", "drained_out", "cut_off", "internal"]);

/** How long a node that runs on remembers a link whose call ended, in ms. */
const REMEMBERED = 600_000;

/** When the connection was lost. */
let lostAt = 0;

function joining(): Join {
  const { state, local, ticket, resume } = page;
  const typed = local.passcode.trim();
  const number = kind === "m" && /^\d+$/.test(place) ? place : null;
  return {
    type: "join",
    version: VERSION,
    ...(ticket !== null ? { ticket } : {}),
    ...(ticket === null && place.startsWith("room_") ? { room: place } : {}),
    ...(ticket === null && !elevates ? { passcode: typed || number || "" } : {}),
    ...(resume ? { resume } : {}),
    name: elevates ? "" : local.name.trim(),
    language: local.language,
    // The telephone is no less heard because a browser comes to it.
    listen_only: elevates ? state.you !== null && you(state)?.audio === "web" && silent(state, local) : state.you !== null ? silent(state, local) : local.listenOnly || !local.microphone.on || !local.microphone.track,
  };
}

/** Joins, and stays joined for as long as the node lets us. */
export function begin(): void {
  const address = new URL("/meet/socket", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  page.link?.close();
  page.link = new Link(address.href, joining, {
    message: hear,
    joined() {
      if (page.state.phase !== "in") return draw();
      enter(true);
    },
    lost() {
      const { state, local } = page;
      if (state.link !== "lost") lostAt = performance.now();
      if (state.phase === "joining") local.refused = t("unreachable");
      change({ link: "lost" });
    },
    refused,
  });
}

function refused(problem: Problem): void {
  if (/_ticket$|^no_such_room$/.test(problem.code) && elevates) return void renew(begin).then((done) => !done && turnedAway(problem, elevatedEnd()));
  turnedAway(problem);
}

/** Why somebody's place beside a telephone is gone: a node that forgot the link soon after it was there began anew. */
function elevatedEnd(): string | null {
  if (elevating.problem === "ended") return "call_ended";
  if (elevating.problem !== "forgotten") return null;
  return performance.now() - lostAt < REMEMBERED ? "restarted" : "forgotten";
}

function turnedAway(problem: Problem, end: string | null = null): void {
  const { state, local, ticket } = page;
  local.refused = end === null ? problemWords(problem) : null;
  if (problem.code === "wrong_passcode" || problem.code === "no_such_room") {
    local.passcode = "";
    if (local.asks === "nothing" && ticket === null) local.asks = place.startsWith("room_") ? "passcode" : "number";
  }
  keepSeat(null);
  page.link = null;
  if (back(problem.code)) return;
  const there = takes !== null || page.coming !== null || (state.phase !== "joining" && state.phase !== "preview");
  drop();
  if (there) change({ ...blank, room: state.room, phase: "ended", ended: { cause: end ?? (page.coming === null ? problem.code : "not_moved"), text: problem.message } });
  else change({ ...blank, phase: "preview" });
}

function hear(message: ServerMessage): void {
  const before = you(page.state);
  const { phase } = page.state;
  if (message.type === "bye" && COMES_BACK.has(message.cause)) {
    // The link finds the node again; whoever looks is told why.
    change({ goaway: message.text });
    return;
  }
  if (message.type === "candidate") page.peer?.candidate(message.candidate);
  const [next, notes] = receive(page.state, message, Date.now());
  page.state = next;
  if (message.type === "welcome" || message.type === "admitted") {
    keepSeat(message.resume);
    page.local.refused = null;
  }
  tell(notes);
  if ([...page.state.people.values()].some((one) => one.id !== page.state.you && one.state === "active")) page.local.calls = null;
  if (message.type === "move_over") over(message);
  arrives();
  if (message.type === "bye") {
    keepSeat(null);
    page.link?.close();
    page.link = null;
    drop();
    if (back(message.cause)) return;
  }
  if (message.type === "reaction") setTimeout(() => change({ floating: fresh(page.state.floating, Date.now()) }), FLOATS + 50);
  const now = you(page.state);
  // A welcome tells of a seat, which may be a new one: nobody decided anything.
  if (phase === "in" && before && now && message.type !== "welcome" && message.type !== "admitted") followed(before, now);
  if (phase !== "in" && page.state.phase === "in" && message.type !== "welcome") enter(false);
  if (message.type === "media" && message.state === "lost") connect();
  draw();
}

/** Ends that are told here, whoever began the call: it goes on elsewhere, or somebody decided. */
const TOLD_HERE = new Set(["moved", "replaced", "removed", "not_admitted"]);

/** A call that a printed code began ends on the code's page: from there it is begun again. */
function back(cause: string): boolean {
  if (!begun || TOLD_HERE.has(cause)) return false;
  // Who goes of their own accord is told nothing.
  location.replace(begun.from + (cause === "left" ? "" : page.local.calls === null ? "#over" : "#nowhere"));
  return true;
}

/** A call that is to come to this page has come, or has not. */
function arrives(): void {
  const { coming, state } = page;
  if (coming === null) return;
  if (state.phase === "in" && state.media === "connected" && (coming === "pictures" || you(state)?.audio === "web")) page.coming = null;
  if (state.phase === "ended") change({ ended: { cause: "not_moved", text: state.ended?.text ?? "" } });
}

/** What the node decided about this person is done here. */
function followed(before: NonNullable<ReturnType<typeof you>>, now: typeof before): void {
  const { local } = page;
  if (local.muting !== null && muted(now) === local.muting) local.muting = null;
  if (before.camera_on && !now.camera_on && local.camera.on && !publishing.has("camera")) {
    setCamera(false);
    say(t("host_stopped_camera"));
  }
  if (before.screen_on && !now.screen_on && local.sharing && !publishing.has("screen")) {
    stopSharing(false);
    say(t("host_stopped_sharing"));
  }
  if (before.audio !== now.audio) void useAudio();
  hush();
}

/** Leaves for good. */
export function leave(): void {
  const gone = page.link;
  void gone?.ask({ type: "leave" }).catch(() => undefined);
  page.link = null;
  setTimeout(() => gone?.close(), 200);
  keepSeat(null);
  const cause = byPhone() ? "left_video" : "left";
  drop();
  if (back(cause)) return;
  change({ phase: "ended", link: "none", ended: { cause, text: "" } });
}

