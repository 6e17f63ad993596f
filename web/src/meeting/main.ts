// The meeting's page: keeps what is known, moves devices and packets, shows what is.

import { h, patch, type Node } from "../dom.js";
import { current, fill, isLanguage, keep, remember, remembered, type Values } from "../i18n/core.js";
import { words, type Words } from "../i18n/words.js";
import { portrait } from "./avatar.js";
import { banners, tools, top } from "./bar.js";
import * as devices from "./devices.js";
import { dialog } from "./dialogs.js";
import { keys } from "./keyboard.js";
import { wishes } from "./layout.js";
import { Link, Problem } from "./link.js";
import { type Actions, type App, type Local, silent, type Taken } from "./local.js";
import { blank, FLOATS, fresh, muted, type Note, receive, type State, you } from "./model.js";
import { panel } from "./panel.js";
import { Peer } from "./peer.js";
import { between, preview } from "./preview.js";
import { type Asked, type Join, type Operation, type ServerMessage, VERSION, type Wish } from "./protocol.js";
import { stageView } from "./stage.js";

/** A telephone shows four of the others at once; a screen as many as the node has slots. */
const SLOTS = Math.min(screen.width, screen.height) < 600 ? 4 : 9;

/** Ends after which the page comes back by itself. */
const COMES_BACK = new Set(["draining", "drained_out", "cut_off", "internal"]);

const [, kind, place = ""] = location.pathname.split("/");
const ticket = kind === "j" ? decodeURIComponent(place) : null;
const SEAT = `ringlift.seat.${location.pathname}`;

let state: State = blank;
let link: Link | null = null;
let peer: Peer | null = null;
let meter: devices.Meter | null = null;
let resume: string | null = session(SEAT);
let watched: Wish[] = [];
let drawing = false;
let awake: { release(): Promise<void> } | null = null;

const untouched = (): Taken => ({ on: true, device: null, track: null, trouble: null });
const local: Local = {
  language: current(),
  name: remembered("ringlift.name") ?? "",
  asks: "nothing",
  passcode: "",
  microphone: { ...untouched(), on: remembered("ringlift.microphone") !== "off", device: remembered("ringlift.microphone.device") },
  camera: { ...untouched(), on: remembered("ringlift.camera") !== "off", device: remembered("ringlift.camera.device") },
  speaker: remembered("ringlift.speaker.device"),
  devices: { microphones: [], cameras: [], speakers: [] },
  sharing: null,
  listenOnly: false,
  muting: null,
  talking: false,
  refused: null,
  silenced: false,
  dialog: null,
  voices: new Map(),
  pictures: new Map(),
  size: { width: 800, height: 500 },
  seen: [],
  draft: "",
  copied: false,
};

function session(key: string, value?: string | null): string | null {
  try {
    if (value === null) sessionStorage.removeItem(key);
    else if (value !== undefined) sessionStorage.setItem(key, value);
    return sessionStorage.getItem(key);
  } catch {
    return null;
  }
}

function t(key: keyof Words, values: Values = {}): string {
  return fill(local.language, words[local.language][key] ?? key, values);
}

// ---- looks

function draw(): void {
  if (drawing) return;
  drawing = true;
  // A page in the background is not drawn by frames; what it says is still to be heard.
  if (document.hidden) setTimeout(render, 100);
  else requestAnimationFrame(render);
}

function render(): void {
  drawing = false;
  const root = document.getElementById("app");
  if (!root) return;
  document.documentElement.lang = local.language;
  const app: App = { state, local, now: Date.now(), t, act };
  document.title = [state.unread > 0 ? `(${state.unread})` : "", state.room?.name ?? t("ready"), "· Ringlift"].filter(Boolean).join(" ");
  patch(root, [...view(app), ...[dialog(app)].filter((one) => one !== null)]);
  const open = root.querySelector("dialog:not([open])");
  if (open instanceof HTMLDialogElement) open.showModal();
  for (const video of root.querySelectorAll("video")) if (video.paused) void video.play().catch(() => undefined);
  const stage = root.querySelector("#stage");
  if (stage && stage !== observed) {
    sizes.disconnect();
    sizes.observe(stage);
    observed = stage;
  }
  if (state.phase === "in") watchSoon();
}

function view(app: App): Node[] {
  if (state.phase === "preview" || state.phase === "joining") return preview(app);
  if (state.phase !== "in") return between(app);
  const side = panel(app);
  return [h("div", { class: side ? "meeting with-panel" : "meeting", key: "meeting" }, top(app), banners(app), h("main", { class: "middle" }, stageView(app), side), tools(app))];
}

let observed: Element | null = null;
const sizes = new ResizeObserver((entries) => {
  const box = entries.at(-1)?.contentRect;
  if (!box || (Math.abs(box.width - local.size.width) < 1 && Math.abs(box.height - local.size.height) < 1)) return;
  local.size = { width: box.width, height: box.height };
  draw();
});

function change(next: Partial<State>): void {
  state = { ...state, ...next };
  draw();
}

let quietAfter: ReturnType<typeof setTimeout> | undefined;

/** Tells people something: read out, and where `seen` shown for a while. */
function say(text: string, how: { seen?: boolean; wrong?: boolean } = {}): void {
  const heard = document.getElementById(how.seen === false ? "heard" : "said");
  if (!heard) return;
  heard.textContent = "";
  heard.textContent = text;
  if (how.seen === false) return;
  heard.className = how.wrong ? "wrong-one" : "shown";
  // Shown anew, it is above a dialog that was opened since.
  if (heard.matches(":popover-open")) heard.hidePopover();
  heard.showPopover();
  clearTimeout(quietAfter);
  quietAfter = setTimeout(() => heard.hidePopover(), how.wrong ? 7000 : 4000);
}

function tell(notes: Note[]): void {
  for (const note of notes) say(t(note.say, note.values), { seen: note.seen });
}

// ---- the way to the node

function joining(): Join {
  const typed = local.passcode.trim();
  const number = kind === "m" && /^\d+$/.test(place) ? place : null;
  return {
    type: "join",
    version: VERSION,
    ...(ticket !== null ? { ticket } : {}),
    ...(ticket === null && place.startsWith("room_") ? { room: place } : {}),
    ...(ticket === null ? { passcode: typed || number || "" } : {}),
    ...(resume ? { resume } : {}),
    name: local.name.trim(),
    language: local.language,
    listen_only: state.you !== null ? silent(state, local) : local.listenOnly || !local.microphone.on || !local.microphone.track,
  };
}

function begin(): void {
  const address = new URL("/meet/socket", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  link?.close();
  link = new Link(address.href, joining, {
    message: hear,
    joined,
    lost() {
      if (state.phase !== "joining" && state.link !== "lost") say(t("connection_lost"), { seen: false });
      if (state.phase === "joining") local.refused = t("unreachable");
      change({ link: "lost" });
    },
    refused,
  });
}

function refused(problem: Problem): void {
  local.refused = problemWords(problem);
  if (problem.code === "wrong_passcode" || problem.code === "no_such_room") {
    local.passcode = "";
    if (local.asks === "nothing" && ticket === null) local.asks = place.startsWith("room_") ? "passcode" : "number";
  }
  session(SEAT, null);
  resume = null;
  link = null;
  const there = state.phase !== "joining" && state.phase !== "preview";
  hangUp();
  if (there) change({ ...blank, room: state.room, phase: "ended", ended: { cause: problem.code, text: problem.message } });
  else change({ ...blank, phase: "preview" });
}

function problemWords(problem: Problem): string {
  const key = `problem_${problem.code}` as keyof Words;
  const known = words[local.language][key];
  return known ? t(key, { n: Math.ceil((problem.after ?? 0) / 1000) }) : t("problem_other", { why: problem.message });
}

function hear(message: ServerMessage): void {
  const before = you(state);
  const phase = state.phase;
  if (message.type === "bye" && COMES_BACK.has(message.cause)) {
    // The link finds the node again; whoever looks is told why.
    change({ goaway: message.text });
    return;
  }
  if (message.type === "candidate") peer?.candidate(message.candidate);
  const [next, notes] = receive(state, message, Date.now());
  state = next;
  if (message.type === "welcome" || message.type === "admitted") {
    resume = session(SEAT, message.resume) ?? message.resume;
    servers = message.ice_servers ?? [];
    local.refused = null;
  }
  tell(notes);
  if (message.type === "bye") {
    session(SEAT, null);
    resume = null;
    link?.close();
    link = null;
    hangUp();
  }
  if (message.type === "reaction") setTimeout(() => change({ floating: fresh(state.floating, Date.now()) }), FLOATS + 50);
  const now = you(state);
  // A welcome tells of a seat, which may be a new one: nobody decided anything.
  if (phase === "in" && before && now && message.type !== "welcome" && message.type !== "admitted") followed(before, now);
  if (phase !== "in" && state.phase === "in" && message.type !== "welcome") enter(false);
  if (message.type === "media" && message.state === "lost") connect();
  draw();
}

/** What the node decided about this person is done here. */
function followed(before: NonNullable<ReturnType<typeof you>>, now: typeof before): void {
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

function joined(): void {
  if (state.phase !== "in") return draw();
  enter(true);
}

let seat: string | null = null;

/** In the meeting: with a seat that may be the old one. */
function enter(welcomed: boolean): void {
  const same = seat !== null && seat === state.you && peer !== null && welcomed;
  seat = state.you;
  meter?.close();
  meter = null;
  watched = [];
  if (same && peer) {
    if (!peer.connected) peer.restart();
  } else connect();
  if (local.camera.on && local.camera.track) void publish("camera", true);
  if (local.sharing) void publish("screen", true);
  void stayAwake();
  draw();
}

function connect(): void {
  if (!link || typeof RTCPeerConnection === "undefined") return;
  peer?.close();
  local.pictures.clear();
  const slots = Math.min(SLOTS, state.limits.video_slots);
  const made = new Peer(link, servers, slots, {
    voice(slot, stream) {
      local.voices.set(slot, stream);
      void listen();
    },
    picture: (slot, stream) => local.pictures.set(slot, stream),
    state(now) {
      if (peer !== made && peer !== null) return;
      if (now === "connected") change({ media: "connected" });
      else if (now === "interrupted") change({ media: "interrupted" });
      else if (now === "failed") {
        change({ media: "lost" });
        again();
      }
    },
  });
  peer = made;
  void useAudio();
  if (local.camera.on) void peer.send("camera", local.camera.track);
  if (local.sharing) void peer.send("screen", local.sharing);
}

let servers: RTCIceServer[] = [];
let renewing: ReturnType<typeof setTimeout> | undefined;

/** A peer connection that failed is made anew, not more often than every two seconds. */
function again(): void {
  clearTimeout(renewing);
  renewing = setTimeout(() => {
    if (state.phase !== "in") return;
    if (state.link === "live" && !peer?.connected) connect();
    else if (state.link !== "live") again();
  }, 2000);
}

function hangUp(): void {
  peer?.close();
  peer = null;
  seat = null;
  local.voices.clear();
  local.pictures.clear();
  for (const audio of speakers.values()) audio.srcObject = null;
  stopSharing(false);
  void awake?.release().catch(() => undefined);
  awake = null;
  local.dialog = null;
}

async function stayAwake(): Promise<void> {
  const lock = (navigator as { wakeLock?: { request(kind: "screen"): Promise<{ release(): Promise<void> }> } }).wakeLock;
  if (awake || !lock) return;
  awake = await lock.request("screen").catch(() => null);
}

async function ask(asked: Asked): Promise<boolean> {
  if (!link) return false;
  try {
    await link.ask(asked);
    return true;
  } catch (error) {
    if (error instanceof Problem) say(problemWords(error), { wrong: true });
    return false;
  }
}

const operate = (operation: Operation) => ask({ type: "operate", operation });

// ---- sound

const speakers = new Map<number, HTMLAudioElement>();

/** Plays the voices; not where the telephone does. */
async function listen(): Promise<void> {
  const byPhone = you(state)?.audio === "phone";
  for (const [slot, stream] of local.voices) {
    let audio = speakers.get(slot);
    if (!audio) {
      audio = new Audio();
      audio.autoplay = true;
      speakers.set(slot, audio);
      if (local.speaker && "setSinkId" in audio) void audio.setSinkId(local.speaker).catch(() => undefined);
    }
    audio.muted = byPhone;
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

/** The microphone goes to the node, unless the telephone carries the voice. */
async function useAudio(): Promise<void> {
  const byPhone = you(state)?.audio === "phone";
  if (byPhone && local.microphone.track) {
    stop(local.microphone);
  }
  hush();
  await peer?.send("microphone", byPhone || local.listenOnly ? null : local.microphone.track);
  await listen();
}

/** A muted microphone sends silence at once, whatever the node knows. */
function hush(): void {
  const { track, on } = local.microphone;
  if (!track) return;
  track.enabled = state.phase === "in" ? local.talking || !silent(state, local) : on;
}

async function setMuted(on: boolean): Promise<void> {
  if (you(state)?.audio === "phone") {
    await operate({ operation: on ? "mute" : "unmute", participant: state.you ?? "" });
    return;
  }
  if (!on && !local.microphone.track) {
    local.listenOnly = false;
    if (!(await takeMicrophone())) return;
  }
  local.microphone.on = !on;
  local.muting = on;
  hush();
  draw();
  const done = await ask({ type: "publish", source: "microphone", on: !on });
  // The node says what is; where it says nothing new, what it said before is true.
  if (!done || muted(you(state)) === on) local.muting = null;
  else setTimeout(() => {
    local.muting = null;
    hush();
    draw();
  }, 2000);
  hush();
  draw();
}

// ---- devices

function stop(one: Taken): void {
  one.track?.stop();
  one.track = null;
}

function hold(one: Taken, taken: { track: MediaStreamTrack } | { trouble: devices.Trouble }, which: devices.Kind): boolean {
  stop(one);
  if ("trouble" in taken) {
    one.trouble = taken.trouble;
    return false;
  }
  one.track = taken.track;
  one.trouble = null;
  taken.track.addEventListener("ended", () => one.track === taken.track && void lostDevice(which));
  return true;
}

/** Pulled out, or taken away: another one, or none, and in words which. */
async function lostDevice(which: devices.Kind): Promise<void> {
  const one = local[which];
  one.track = null;
  const taken = await devices.take(which, null);
  const there = hold(one, taken, which);
  local.devices = await devices.list();
  if (there) say(t(`${which}_changed`, { name: one.track ? (one.track as MediaStreamTrack).label : "" }));
  else say(t(`${which}_lost`), { wrong: true });
  if (which === "microphone") {
    meter?.of(one.on ? one.track : null);
    if (!there && state.phase === "in") void setMuted(true);
    await useAudio();
  } else {
    await peer?.send("camera", one.track);
    if (!there && state.phase === "in") setCamera(false);
  }
  draw();
}

async function takeMicrophone(): Promise<boolean> {
  const there = hold(local.microphone, await devices.take("microphone", local.microphone.device), "microphone");
  if (!there && local.microphone.trouble) say(t(`microphone_${local.microphone.trouble}` as keyof Words), { wrong: true });
  local.devices = await devices.list();
  await useAudio();
  draw();
  return there;
}

async function takeDevices(): Promise<void> {
  const { microphone, camera } = local;
  const taken = camera.on && !local.listenOnly ? await devices.takeBoth(microphone.device, camera.device) : { microphone: await devices.take("microphone", microphone.device), camera: null };
  hold(microphone, taken.microphone, "microphone");
  if (taken.camera) hold(camera, taken.camera, "camera");
  if (microphone.trouble) microphone.on = false;
  if (camera.trouble) camera.on = false;
  local.devices = await devices.list();
  if (state.phase === "preview" && microphone.track && !meter) meter = new devices.Meter(level);
  meter?.of(microphone.on ? microphone.track : null);
  hush();
  draw();
}

function level(now: number): void {
  const bar = document.getElementById("meter");
  if (!bar) return;
  bar.style.setProperty("--level", now.toFixed(3));
  const value = String(Math.round(now * 10) * 10);
  if (bar.getAttribute("aria-valuenow") !== value) bar.setAttribute("aria-valuenow", value);
}

const publishing = new Set<string>();

async function publish(source: "camera" | "screen", on: boolean): Promise<void> {
  publishing.add(source);
  const done = await ask({ type: "publish", source, on });
  publishing.delete(source);
  if (!done && on && state.link === "live") {
    if (source === "camera") setCamera(false);
    else stopSharing(false);
  }
}

function setCamera(on: boolean): void {
  local.camera.on = on;
  if (!on) stop(local.camera);
  void peer?.send("camera", local.camera.track);
  draw();
}

async function toggleCamera(): Promise<void> {
  const { camera } = local;
  if (camera.on) {
    setCamera(false);
    if (state.phase === "in") await publish("camera", false);
  } else {
    if (!hold(camera, await devices.take("camera", camera.device), "camera")) {
      if (camera.trouble) say(t(`camera_${camera.trouble}` as keyof Words), { wrong: true });
      draw();
      return;
    }
    setCamera(true);
    local.devices = await devices.list();
    if (state.phase === "in") await publish("camera", true);
  }
  remember("ringlift.camera", camera.on ? "on" : "off");
  draw();
}

function stopSharing(told = true): void {
  const track = local.sharing;
  local.sharing = null;
  track?.stop();
  void peer?.send("screen", null);
  if (track && told) void publish("screen", false);
  draw();
}

async function toggleScreen(): Promise<void> {
  if (local.sharing) return stopSharing();
  const taken = await devices.screen();
  if (!taken) return;
  if ("trouble" in taken) return say(t(taken.trouble === "denied_by_system" ? "screen_denied_by_system" : "screen_failed"), { wrong: true });
  local.sharing = taken.track;
  taken.track.addEventListener("ended", () => local.sharing === taken.track && stopSharing());
  await peer?.send("screen", taken.track);
  draw();
  await publish("screen", true);
}

// ---- what is seen is asked for

let watchTimer: ReturnType<typeof setTimeout> | undefined;

function watchSoon(): void {
  clearTimeout(watchTimer);
  watchTimer = setTimeout(watch, 150);
}

function watch(): void {
  if (state.phase !== "in" || state.link !== "live" || !link || document.hidden) return;
  const ratio = Math.min(devicePixelRatio || 1, 2);
  const tiles = [...document.querySelectorAll<HTMLElement>(".tile[data-person]")].map((tile) => ({
    participant: tile.dataset["person"] ?? "",
    source: tile.dataset["source"] === "screen" ? ("screen" as const) : ("camera" as const),
    large: tile.dataset["large"] !== undefined,
    height: Math.round(tile.clientHeight * ratio),
  }));
  const wanted = wishes(state, tiles, watched, Math.min(SLOTS, state.limits.video_slots));
  if (JSON.stringify(wanted) === JSON.stringify(watched)) return;
  watched = wanted;
  void link.ask({ type: "watch", slots: wanted }).catch(() => (watched = []));
}

// ---- what people do

const act: Actions = {
  join() {
    if (ticket === null && local.asks !== "nothing" && local.passcode.trim() === "") {
      local.refused = t(local.asks === "number" ? "number_missing" : "passcode_missing");
      return draw();
    }
    local.refused = null;
    remember("ringlift.name", local.name.trim());
    remember("ringlift.microphone", local.microphone.on ? "on" : "off");
    change({ phase: "joining" });
    begin();
  },
  again() {
    change({ ...blank });
    local.refused = null;
    void takeDevices();
  },
  type(field, value) {
    local[field] = value;
    draw();
  },
  listenOnly(on) {
    local.listenOnly = on;
    if (on) {
      [local.microphone.on, local.camera.on] = [false, false];
      stop(local.microphone);
      stop(local.camera);
      meter?.of(null);
    } else {
      [local.microphone.on, local.camera.on] = [true, true];
      void takeDevices();
    }
    draw();
  },
  microphone() {
    if (state.phase === "in") {
      const byPhone = you(state)?.audio === "phone";
      void setMuted(byPhone ? !muted(you(state)) : !silent(state, local));
      return;
    }
    local.microphone.on = !local.microphone.on;
    if (local.microphone.on && !local.microphone.track) {
      local.listenOnly = false;
      void takeDevices();
    }
    meter?.of(local.microphone.on ? local.microphone.track : null);
    hush();
    draw();
  },
  camera: () => void toggleCamera(),
  screen: () => void toggleScreen(),
  hand() {
    const up = (you(state)?.hand ?? null) !== null;
    if (state.you) void operate({ operation: up ? "lower_hand" : "raise_hand", participant: state.you });
  },
  react: (reaction) => void ask({ type: "react", reaction }),
  choose(which, device) {
    remember(`ringlift.${which}.device`, device);
    if (which === "speaker") {
      local.speaker = device;
      for (const audio of speakers.values()) if ("setSinkId" in audio) void audio.setSinkId(device).catch(() => undefined);
      return draw();
    }
    local[which].device = device;
    void devices.take(which, device).then(async (taken) => {
      hold(local[which], taken, which);
      if (which === "microphone") {
        meter?.of(local.microphone.on ? local.microphone.track : null);
        await useAudio();
      } else if (local.camera.on) await peer?.send("camera", local.camera.track);
      else stop(local.camera);
      draw();
    });
  },
  allow() {
    [local.microphone.on, local.camera.on] = [true, true];
    void takeDevices();
  },
  unblock() {
    local.silenced = false;
    void listen();
    draw();
  },
  panel(open) {
    change({ panel: open, unread: open === "chat" ? 0 : state.unread });
    requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        if (open === null) document.getElementById(panelFrom)?.focus();
        else document.querySelector<HTMLElement>(open === "chat" ? "#panel textarea" : "#panel h2")?.focus();
        toEnd(true);
      }),
    );
    if (open !== null) panelFrom = open;
  },
  view: () => change({ view: state.view === "grid" ? "speaker" : "grid", pinned: null }),
  pin: (person) => change({ pinned: person }),
  open(dialog) {
    local.dialog = dialog;
    local.copied = false;
    draw();
  },
  dismiss() {
    const open = document.querySelector<HTMLDialogElement>("dialog[open]");
    local.dialog = null;
    // The browser gives the focus back to where it was.
    if (open) open.close();
    draw();
  },
  chat() {
    const text = local.draft.trim();
    if (text === "" || [...text].length > state.limits.chat_chars) return;
    local.draft = "";
    draw();
    void ask({ type: "chat", to: state.to, text }).then((done) => {
      if (done) return toEnd(true);
      // What was not sent is not lost.
      if (local.draft === "") local.draft = text;
      draw();
    });
  },
  to(person) {
    change({ to: person });
    if (state.panel !== "chat") act.panel("chat");
  },
  mute: (person, on) => void operate({ operation: on ? "mute" : "unmute", participant: person.id }),
  operate: (operation) => void operate(operation),
  rename(person, name) {
    if (person === state.you) {
      local.name = name;
      remember("ringlift.name", name);
    }
    void operate({ operation: "rename", participant: person, name });
  },
  leave() {
    void link?.ask({ type: "leave" }).catch(() => undefined);
    const gone = link;
    link = null;
    setTimeout(() => gone?.close(), 200);
    session(SEAT, null);
    resume = null;
    hangUp();
    stop(local.camera);
    stop(local.microphone);
    change({ phase: "ended", link: "none", ended: { cause: "left", text: "" } });
  },
  speak(language) {
    if (!isLanguage(language)) return;
    keep(language);
    local.language = language;
    draw();
  },
  picture(file) {
    void portrait(file, state.limits.avatar_bytes).then(async (made) => {
      if (!made) return say(t("picture_bad"), { wrong: true });
      const answer = await fetch("/meet/avatar", { method: "PUT", headers: { Authorization: `Bearer ${resume ?? ""}`, "Content-Type": made.type }, body: made }).catch(() => null);
      say(t(answer?.ok ? "picture_set" : "picture_refused"), { wrong: !answer?.ok });
    });
  },
  copy(text) {
    void navigator.clipboard?.writeText(text).then(
      () => {
        local.copied = true;
        say(t("copied"), { seen: false });
        draw();
      },
      () => say(t("copy_failed"), { wrong: true }),
    );
    if (!navigator.clipboard) say(t("copy_failed"), { wrong: true });
  },
  share: (text) => void navigator.share({ text }).catch(() => undefined),
  retry: () => link?.now(),
};

let panelFrom = "people";

/** The newest line is seen, unless somebody reads further up. */
function toEnd(always: boolean): void {
  const lines = document.getElementById("lines");
  if (lines && (always || lines.scrollHeight - lines.scrollTop - lines.clientHeight < 160)) lines.scrollTop = lines.scrollHeight;
}

async function talk(on: boolean): Promise<void> {
  if (local.talking === on || !local.microphone.track) return;
  if (on && (!silent(state, local) || you(state)?.muted_by_host)) return;
  local.talking = on;
  hush();
  draw();
  await ask({ type: "publish", source: "microphone", on });
}

function start(): void {
  const behind = new URLSearchParams(location.hash.slice(1));
  const given = behind.get("passcode");
  if (given) {
    // A passcode stays in this tab, and leaves the address bar and the history.
    session(`ringlift.passcode.${location.pathname}`, given);
    history.replaceState(null, "", location.pathname);
  }
  local.passcode = session(`ringlift.passcode.${location.pathname}`) ?? "";
  if (ticket === null && !local.passcode && !/^\d+$/.test(place)) local.asks = place.startsWith("room_") ? "passcode" : "number";
  keys({
    active: () => state.phase === "in" && local.dialog === null,
    does: { m: act.microphone, v: act.camera, h: act.hand, c: () => act.panel(state.panel === "chat" ? null : "chat"), p: () => act.panel(state.panel === "people" ? null : "people"), s: () => devices.canShare() && act.screen() },
    escape: () => state.panel !== null && act.panel(null),
    talk: (on) => void talk(on),
  });
  navigator.mediaDevices?.addEventListener?.("devicechange", () => void devices.list().then((all) => {
    local.devices = all;
    draw();
  }));
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    link?.probe(1500);
    awake = null;
    if (state.phase === "in") void stayAwake();
    draw();
  });
  // A page that goes keeps its seat for a while; reloaded, it takes it again.
  draw();
  void takeDevices();
}

new MutationObserver(() => toEnd(false)).observe(document.getElementById("app") ?? document.body, { childList: true, subtree: true });
start();
