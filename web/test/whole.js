// The whole program for tests: a node, browsers with a tone and a camera each, telephones with a tone, and what they recorded.
// Needs Chromium (CHROMIUM names it); RINGLIFT names a program that is built already.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { built, free, PATIENCE, sine, until } from "./tools.js";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
export const skip = existsSync(executablePath) ? false : `no ${executablePath}`;

/** The longest silence at the far end that a machine with nothing else to do makes of a move, in ms. The 60 ms that are promised are
 * held against virtual time, in tests/media_handover.rs. On a busy one everything is late, so that a silence is held against how long
 * the move took: who lets go before the other device carries is silent for all of it. */
const GAP = 200;

/** The same for a machine that takes `took` ms for a move, and made a silence of `before` ms with nothing moved. */
export const bearable = (took, before) => Math.max(GAP, took / 2, before * 2);

/** A node of its own, whose audio ports begin at `media`; everybody's tone is in `tones`, in hertz. */
export async function start(tones, media) {
  const program = built();
  const directory = mkdtempSync(join(tmpdir(), "ringlift-whole-"));
  const ports = { http: await free(), sip: await free(), web: await free() };
  writeFileSync(join(directory, "ringlift.toml"), `
[sip]
listen = ["udp:127.0.0.1:${ports.sip}"]
[api]
listen = ["127.0.0.1:${ports.http}"]
[media]
listen = ["127.0.0.1"]
first_port = ${media}
last_port = ${media + 199}
[web]
listen = ["udp:127.0.0.1:${ports.web}"]
`);
  const node = spawn(program, ["serve", "--config", "ringlift.toml"], { cwd: directory, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  node.stdout.on("data", (data) => (said += data));
  node.stderr.on("data", (data) => (said += data));
  await until("the node is in service", () => said.includes("in service"), () => said);
  return new Whole({ program, directory, ports, node, tones, pin: said.match(/and key\s+(\d+)/)?.[1], key: said.match(/rlk_\w+/)?.[0] });
}

class Whole {
  constructor(of) {
    Object.assign(this, of);
    this.browsers = [];
    this.phones = [];
    this.url = `http://127.0.0.1:${this.ports.http}`;
  }

  async stop() {
    for (const phone of this.phones) phone.kill("SIGINT");
    for (const browser of this.browsers) await browser.close();
    this.node.kill("SIGTERM");
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Asks the API. */
  asked(path) {
    return fetch(this.url + path, { headers: { Authorization: `Bearer ${this.key}` } }).then((answer) => answer.json());
  }

  made(path, body) {
    return fetch(this.url + path, { method: "POST", headers: { Authorization: `Bearer ${this.key}`, "Content-Type": "application/json" }, body: JSON.stringify(body) }).then((answer) => answer.json());
  }

  /** Somebody of the house; what `phone` logs in with is in a file. */
  async extension(user, name) {
    writeFileSync(join(this.directory, user), `${user} has a secret\n`);
    return this.made("/v1/extensions", { user, name, password: `${user} has a secret` });
  }

  /** The words that log a telephone in. */
  login(user) {
    return ["--user", user, "--password-file", user];
  }

  /** A telephone; `name` is its recording's, and its tone's. */
  telephone(name, ...words) {
    const phone = spawn(this.program, ["phone", ...words, "--tone", String(this.tones[name]), "--record", join(this.directory, `${name}.rec.wav`)], { cwd: this.directory, stdio: [words.includes("--commands") ? "pipe" : "ignore", "ignore", "ignore"] });
    this.phones.push(phone);
    return phone;
  }

  /** A browser of its own, with a microphone that sounds one tone, and a camera that sees this film where there is one. */
  async browserOf(name, film, viewport) {
    const sound = join(this.directory, `${name}.wav`);
    writeFileSync(sound, sine(this.tones[name]));
    const browser = await chromium.launch({
      executablePath,
      args: ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required", `--use-file-for-fake-audio-capture=${sound}`, ...(film ? [`--use-file-for-fake-video-capture=${film}`] : [])],
    });
    this.browsers.push(browser);
    const context = await browser.newContext({ viewport, permissions: ["camera", "microphone"], locale: "en-US" });
    context.setDefaultTimeout(PATIENCE);
    const page = await context.newPage();
    await page.addInitScript(() => {
      // What cleans voices takes tones away.
      const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = (wanted) =>
        ask(wanted.audio ? { ...wanted, audio: { ...(wanted.audio === true ? {} : wanted.audio), echoCancellation: false, noiseSuppression: false, autoGainControl: false } } : wanted);
    });
    return page;
  }

  /** What a telephone recorded (8 kHz, 16 bit). */
  recording(name) {
    const file = join(this.directory, `${name}.rec.wav`);
    return existsSync(file) ? readFileSync(file).subarray(44) : Buffer.alloc(0);
  }

  /** Whether somebody's tone was in the last 300 ms of it. */
  hears(name, whose) {
    const data = this.recording(name);
    const samples = Math.floor(data.length / 2);
    return samples > 4000 && share(data, samples - 2400, 2400, this.tones[whose]) > 0.05;
  }

  /** How much a telephone has recorded, in samples. */
  recorded(name) {
    return Math.floor(this.recording(name).length / 2);
  }

  /** The longest time in which none of these tones was there, in ms, to the end: from when the first was there, or from `since` samples on. */
  longestGap(name, tones, since = 0) {
    const data = this.recording(name).subarray(since * 2);
    const samples = Math.floor(data.length / 2);
    // Windows of 10 ms: a whole number of periods matters less than to see when.
    const loud = [];
    for (let from = 0; from + 80 <= samples; from += 40) loud.push(Math.max(...tones.map((whose) => share(data, from, 80, this.tones[whose]))) > 0.03);
    const first = since > 0 ? 0 : Math.max(0, loud.findIndex((_, at) => at + 100 <= loud.length && loud.slice(at, at + 100).every(Boolean)));
    let [longest, run] = [0, 0];
    for (const one of loud.slice(first)) {
      run = one ? 0 : run + 1;
      longest = Math.max(longest, run);
    }
    return longest * 5;
  }
}

/** How loud one tone is in a piece of a recording, as a share of full scale. */
function share(data, from, length, hertz) {
  let [re, im] = [0, 0];
  for (let i = from; i < from + length; i++) {
    const value = data.readInt16LE(i * 2) / 32768;
    re += value * Math.cos((2 * Math.PI * hertz * i) / 8000);
    im += value * Math.sin((2 * Math.PI * hertz * i) / 8000);
  }
  return (2 * Math.hypot(re, im)) / length;
}

/** What a camera sees that is held before this picture: a film of 640 by 480 (YUV4MPEG2). */
export async function filmed(page, picture, file) {
  const grey = await page.evaluate(async (base64) => {
    const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], { type: "image/png" }));
    const canvas = new OffscreenCanvas(640, 480);
    const surface = canvas.getContext("2d");
    surface.fillStyle = "#777";
    surface.fillRect(0, 0, 640, 480);
    // Held a little askew, as by a hand.
    surface.translate(320, 240);
    surface.rotate(0.09);
    const side = 360;
    surface.drawImage(bitmap, -side / 2, -side / 2, side, (side * bitmap.height) / bitmap.width);
    const { data } = surface.getImageData(0, 0, 640, 480);
    const out = new Uint8Array(640 * 480);
    for (let at = 0; at < out.length; at++) out[at] = 16 + (data[at * 4] * 219) / 255;
    let text = "";
    for (let at = 0; at < out.length; at += 8192) text += String.fromCharCode(...out.subarray(at, at + 8192));
    return btoa(text);
  }, picture.toString("base64"));
  const chroma = Buffer.alloc((640 * 480) / 2, 128);
  const frame = Buffer.concat([Buffer.from("FRAME\n"), Buffer.from(grey, "base64"), chroma]);
  writeFileSync(file, Buffer.concat([Buffer.from("YUV4MPEG2 W640 H480 F10:1 Ip A0:0 C420jpeg\n"), frame, frame, frame]));
}
