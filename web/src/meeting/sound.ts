// The voices that are heard, and whether one's own is.

import { takeMicrophone, stop } from "./capture.js";
import { Listener } from "./devices.js";
import { silent } from "./local.js";
import { muted, you } from "./model.js";
import { ask, draw, operate, page, t } from "./page.js";
import { say } from "./say.js";

/** How long nobody is told again that they are muted, in ms. Shorter: a nuisance to who talks to others in the room. */
const TOLD_AGAIN = 20_000;

/** How long the voice may take from the telephone to this browser, in tenths of a second. */
const MOVES = 100;

const speakers = new Map<number, HTMLAudioElement>();
let told = -TOLD_AGAIN;

/** Hears whether one talks while nobody hears it. */
const listener = new Listener(() => {
  if (performance.now() - told < TOLD_AGAIN) return;
  told = performance.now();
  say(t(you(page.state)?.muted_by_host && page.state.room?.self_unmute === false ? "muted_talking_host" : "muted_talking"));
});

/** The telephone carries the voice, and goes on to. */
export function byPhone(): boolean {
  return you(page.state)?.audio === "phone" && !page.local.moving;
}

/** Plays the voices; not where the telephone does. */
export async function listen(): Promise<void> {
  const { local } = page;
  if (byPhone()) {
    local.silenced = false;
    for (const audio of speakers.values()) {
      audio.muted = true;
      audio.pause();
    }
    return;
  }
  for (const [slot, stream] of local.voices) {
    let audio = speakers.get(slot);
    if (!audio) {
      audio = new Audio();
      audio.autoplay = true;
      speakers.set(slot, audio);
      if (local.speaker && "setSinkId" in audio) void audio.setSinkId(local.speaker).catch(() => undefined);
    }
    audio.muted = false;
    if (audio.srcObject !== stream) audio.srcObject = stream;
    try {
      await audio.play();
    } catch (error) {
      if (error instanceof DOMException && error.name === "NotAllowedError") {
        local.silenced = true;
        draw();
      }
    }
  }
}

/** Nothing is played any more. */
export function silence(): void {
  page.local.voices.clear();
  for (const audio of speakers.values()) audio.srcObject = null;
  listener.of(null);
}

/** Plays by this device. */
export function playBy(device: string): void {
  for (const audio of speakers.values()) if ("setSinkId" in audio) void audio.setSinkId(device).catch(() => undefined);
}

/** The microphone goes to the node, unless the telephone carries the voice. */
export async function useAudio(): Promise<void> {
  const { local } = page;
  if (byPhone() && local.microphone.track) stop(local.microphone);
  hush();
  await page.peer?.send("microphone", byPhone() || local.listenOnly ? null : local.microphone.track);
  await listen();
}

/** A muted microphone sends silence at once, whatever the node knows. */
export function hush(): void {
  const { state, local } = page;
  const { track, on } = local.microphone;
  if (track) track.enabled = state.phase === "in" ? local.talking || !silent(state, local) : on;
  listener.of(track && state.phase === "in" && !track.enabled ? track : null);
}

/** Takes the voice to this browser, or back to the telephone. The new way carries before the old one is quiet. */
export async function moveSound(by: "web" | "phone", keep: boolean): Promise<void> {
  const { local } = page;
  if (local.moving) return;
  if (by === "web") {
    local.moving = true;
    local.listenOnly = false;
    const muted = you(page.state)?.muted_by_self ?? false;
    local.microphone.on = !muted;
    // Without a microphone here the telephone goes on.
    const moved = (await takeMicrophone()) && (await ask({ type: "audio", by, keep }));
    // Said to be done, it is so once the roster has it: until then both ways stay open.
    for (let looks = 0; moved && looks < MOVES && you(page.state)?.audio !== "web"; looks++) await new Promise((later) => setTimeout(later, 100));
    local.moving = false;
    if (moved && you(page.state)?.audio !== "web") {
      // Nothing of this microphone arrived: the telephone goes on.
      say(t("problem_no_such_audio"), { wrong: true });
      await ask({ type: "audio", by: "phone", keep });
    }
  } else await ask({ type: "audio", by, keep });
  await useAudio();
  draw();
}

/** How often the microphone was pressed: what is answered to a press before the last one is over. */
let presses = 0;

export async function setMuted(on: boolean): Promise<void> {
  const { local } = page;
  if (byPhone()) {
    await operate({ operation: on ? "mute" : "unmute", participant: page.state.you ?? "" });
    return;
  }
  if (!on && !local.microphone.track) {
    local.listenOnly = false;
    if (!(await takeMicrophone())) return;
  }
  local.microphone.on = !on;
  local.muting = on;
  const press = ++presses;
  hush();
  draw();
  const done = await ask({ type: "publish", source: "microphone", on: !on });
  if (press !== presses) return;
  // The node says what is; where it says nothing new, what it said before is true.
  if (!done || muted(you(page.state)) === on) local.muting = null;
  else
    setTimeout(() => {
      if (press !== presses) return;
      local.muting = null;
      hush();
      draw();
    }, 2000);
  hush();
  draw();
}

/** Speaks while a key is held. */
export async function talk(on: boolean): Promise<void> {
  const { state, local } = page;
  if (local.talking === on || !local.microphone.track) return;
  if (on && (!silent(state, local) || you(state)?.muted_by_host)) return;
  local.talking = on;
  hush();
  draw();
  await ask({ type: "publish", source: "microphone", on });
}
