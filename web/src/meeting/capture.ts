// Microphone, camera and screen: taken, changed, lost, and whether others are to see them.

import { remember } from "../i18n/core.js";
import type { Words } from "../i18n/words.js";
import * as devices from "./devices.js";
import type { Taken } from "./local.js";
import { you } from "./model.js";
import { ask, draw, page, t } from "./page.js";
import { say } from "./say.js";
import { byPhone, hush, setMuted, useAudio } from "./sound.js";

/** What was asked of the node and is not answered: what it says of it meanwhile nobody decided. */
export const publishing = new Set<string>();

export function stop(one: Taken): void {
  one.track?.stop();
  one.track = null;
}

export function hold(one: Taken, taken: { track: MediaStreamTrack } | { trouble: devices.Trouble }, which: devices.Kind): boolean {
  stop(one);
  if ("trouble" in taken) {
    one.trouble = taken.trouble;
    return false;
  }
  one.track = taken.track;
  one.trouble = null;
  taken.track.addEventListener("ended", () => one.track === taken.track && void lost(which));
  return true;
}

/** Pulled out, or taken away: another one, or none, and in words which. */
async function lost(which: devices.Kind): Promise<void> {
  const { local } = page;
  const one = local[which];
  one.track = null;
  const taken = await devices.take(which, null);
  const there = hold(one, taken, which);
  local.devices = await devices.list();
  if (there) say(t(`${which}_changed`, { name: one.track ? (one.track as MediaStreamTrack).label : "" }));
  else say(t(`${which}_lost`), { wrong: true });
  if (which === "microphone") {
    page.meter?.of(one.on ? one.track : null);
    if (!there && page.state.phase === "in") void setMuted(true);
    await useAudio();
  } else {
    await page.peer?.send("camera", one.track);
    if (!there && page.state.phase === "in") setCamera(false);
  }
  draw();
}

export async function takeMicrophone(): Promise<boolean> {
  const { local } = page;
  const there = hold(local.microphone, await devices.take("microphone", local.microphone.device), "microphone");
  if (!there && local.microphone.trouble) say(t(`microphone_${local.microphone.trouble}` as keyof Words), { wrong: true });
  local.devices = await devices.list();
  await useAudio();
  draw();
  return there;
}

/** Before the meeting: both, so that people are asked once. */
export async function takeDevices(): Promise<void> {
  const { local } = page;
  const { microphone, camera } = local;
  const taken = camera.on && !local.listenOnly ? await devices.takeBoth(microphone.device, camera.device) : { microphone: await devices.take("microphone", microphone.device), camera: null };
  hold(microphone, taken.microphone, "microphone");
  if (taken.camera) hold(camera, taken.camera, "camera");
  // Switched off while the browser asked: its light goes out.
  if (!camera.on) stop(camera);
  if (local.dead) {
    // Meanwhile it is known that the link leads nowhere.
    stop(microphone);
    stop(camera);
    return;
  }
  if (microphone.trouble) microphone.on = false;
  if (camera.trouble) camera.on = false;
  local.devices = await devices.list();
  if (page.state.phase === "preview" && microphone.track && !page.meter) page.meter = new devices.Meter(level);
  page.meter?.of(microphone.on ? microphone.track : null);
  hush();
  await arrived();
  draw();
}

/** Devices that the browser gave only after the person had joined, or gone. */
export async function arrived(): Promise<void> {
  const { state, local } = page;
  if (state.phase === "ended") {
    stop(local.microphone);
    stop(local.camera);
  }
  if (state.phase !== "in" || !(local.microphone.track || local.microphone.trouble)) return;
  // Whoever pressed the microphone meanwhile was given another one, in whose place this one is.
  await useAudio();
  if (!local.awaited) return;
  local.awaited = false;
  const { microphone, camera } = local;
  const me = you(state);
  const entersMuted = state.room?.muted_on_entry === true && me?.role === "guest";
  if (microphone.on && microphone.track && me?.muted_by_self && !me.muted_by_host && !entersMuted) void setMuted(false);
  if (!camera.on || !camera.track) return;
  await page.peer?.send("camera", camera.track);
  await publish("camera", true);
}

function level(now: number): void {
  const bar = document.getElementById("meter");
  if (!bar) return;
  bar.style.setProperty("--level", now.toFixed(3));
  const value = String(Math.round(now * 10) * 10);
  if (bar.getAttribute("aria-valuenow") !== value) bar.setAttribute("aria-valuenow", value);
}

export async function choose(which: devices.Kind, device: string): Promise<void> {
  const { local } = page;
  local[which].device = device;
  if (which === "microphone" && byPhone()) return draw();
  hold(local[which], await devices.take(which, device), which);
  if (which === "microphone") {
    page.meter?.of(local.microphone.on ? local.microphone.track : null);
    await useAudio();
  } else if (local.camera.on) await page.peer?.send("camera", local.camera.track);
  else stop(local.camera);
  draw();
}

export async function publish(source: "camera" | "screen", on: boolean): Promise<void> {
  publishing.add(source);
  const done = await ask({ type: "publish", source, on });
  publishing.delete(source);
  if (!done && on && page.state.link === "live") {
    if (source === "camera") setCamera(false);
    else stopSharing(false);
  }
}

export function setCamera(on: boolean): void {
  const { local } = page;
  local.camera.on = on;
  if (!on) stop(local.camera);
  void page.peer?.send("camera", local.camera.track);
  draw();
}

export async function toggleCamera(): Promise<void> {
  const { camera } = page.local;
  if (camera.on) {
    setCamera(false);
    if (page.state.phase === "in") await publish("camera", false);
  } else {
    if (!hold(camera, await devices.take("camera", camera.device), "camera")) {
      if (camera.trouble) say(t(`camera_${camera.trouble}` as keyof Words), { wrong: true });
      draw();
      return;
    }
    setCamera(true);
    page.local.devices = await devices.list();
    if (page.state.phase === "in") await publish("camera", true);
  }
  remember("ringlift.camera", camera.on ? "on" : "off");
  draw();
}

export function stopSharing(told = true): void {
  const track = page.local.sharing;
  page.local.sharing = null;
  track?.stop();
  void page.peer?.send("screen", null);
  if (track && told) void publish("screen", false);
  draw();
}

export async function toggleScreen(): Promise<void> {
  const { local } = page;
  if (local.sharing) return stopSharing();
  const taken = await devices.screen();
  if (!taken) return;
  if ("trouble" in taken) return say(t(taken.trouble === "denied_by_system" ? "screen_denied_by_system" : "screen_failed"), { wrong: true });
  local.sharing = taken.track;
  taken.track.addEventListener("ended", () => local.sharing === taken.track && stopSharing());
  await page.peer?.send("screen", taken.track);
  draw();
  await publish("screen", true);
}
