// The peer connection of a place in the meeting: made, kept, made anew.

import { arrived, publish, stopSharing, toggleCamera } from "./capture.js";
import { elevates } from "./elevate.js";
import { walled, you } from "./model.js";
import { change, draw, page, SLOTS } from "./page.js";
import { Peer } from "./peer.js";
import { listen, silence, useAudio } from "./sound.js";
import { unwatch } from "./watch.js";

let seat: string | null = null;
let awake: { release(): Promise<void> } | null = null;
let renewing: ReturnType<typeof setTimeout> | undefined;

/** In the meeting: with a seat that may be the old one. */
export function enter(welcomed: boolean): void {
  const { state, local, peer } = page;
  const same = seat !== null && seat === state.you && peer !== null && welcomed;
  seat = state.you;
  page.meter?.close();
  page.meter = null;
  unwatch();
  if (same && peer) {
    if (!peer.connected) peer.restart();
  } else connect();
  if (local.awaited) void arrived();
  else if (local.camera.on && local.camera.track) void publish("camera", true);
  if (local.sharing) void publish("screen", true);
  // Loaded anew, the camera that was on is on again; where the browser does not let us, the others are told.
  if (elevates && you(state)?.camera_on && !local.camera.on) void toggleCamera().then(() => (local.camera.on ? undefined : publish("camera", false)));
  void stayAwake();
  draw();
}

export function connect(): void {
  const { state, local, link } = page;
  if (!link || typeof RTCPeerConnection === "undefined") return;
  page.peer?.close();
  local.pictures.clear();
  const slots = Math.min(SLOTS, state.limits.video_slots);
  const made = new Peer(link, state.iceServers, slots, {
    voice(slot, stream) {
      local.voices.set(slot, stream);
      void listen();
    },
    picture: (slot, stream) => local.pictures.set(slot, stream),
    state(now) {
      if (page.peer !== made && page.peer !== null) return;
      if (now === "connected") change({ media: "connected" });
      else if (now === "interrupted") change({ media: "interrupted" });
      else if (now === "blocked" || now === "refused") change({ media: now });
      else if (now === "failed") {
        if (!walled(page.state)) change({ media: "lost" });
        again();
      }
    },
  });
  page.peer = made;
  void useAudio();
  if (local.camera.on) void made.send("camera", local.camera.track);
  if (local.sharing) void made.send("screen", local.sharing);
}

/** A peer connection that failed is made anew, not more often than every two seconds. */
function again(): void {
  clearTimeout(renewing);
  renewing = setTimeout(() => {
    if (page.state.phase !== "in") return;
    if (page.state.link === "live" && !page.peer?.connected) connect();
    else if (page.state.link !== "live") again();
  }, 2000);
}

/** No longer in the meeting: nothing is sent, heard or seen. */
export function drop(): void {
  page.peer?.close();
  page.peer = null;
  seat = null;
  page.local.pictures.clear();
  silence();
  stopSharing(false);
  void awake?.release().catch(() => undefined);
  awake = null;
  page.local.dialog = null;
  page.local.invitation = null;
}

async function stayAwake(): Promise<void> {
  const lock = (navigator as { wakeLock?: { request(kind: "screen"): Promise<{ release(): Promise<void> }> } }).wakeLock;
  if (awake || !lock) return;
  awake = await lock.request("screen").catch(() => null);
}

/** The page is looked at again: the browser let the screen sleep meanwhile, and the network may be another. */
export function returned(): void {
  page.link?.probe(1500);
  awake = null;
  if (page.state.phase === "in") void stayAwake();
  draw();
}
