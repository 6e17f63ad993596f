// The whole program: browsers and telephones in one room, a tone each, and who hears whom. Needs Chromium (CHROMIUM names it).
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { built, free, PATIENCE, sine, until } from "./tools.js";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const skip = existsSync(executablePath) ? false : `no ${executablePath}`;
/** Everybody's tone, in hertz. */
const TONES = { Anna: 440, Bruno: 620, first: 800, second: 1000 };
const HEARD = -45;
const SILENT = -65;

let program, directory, ports, node, pin, key;
const browsers = [];
const phones = [];

before(async () => {
  if (skip) return;
  program = built();
  directory = mkdtempSync(join(tmpdir(), "ringlift-live-"));
  ports = { http: await free(), sip: await free(), web: await free() };
  writeFileSync(join(directory, "ringlift.toml"), `
[sip]
listen = ["udp:127.0.0.1:${ports.sip}"]
[api]
listen = ["127.0.0.1:${ports.http}"]
[media]
listen = ["127.0.0.1"]
first_port = 47000
last_port = 47199
[web]
listen = ["udp:127.0.0.1:${ports.web}"]
`);
  await start();
  for (const [name, tone] of [["Anna", TONES.Anna], ["Bruno", TONES.Bruno]]) writeFileSync(join(directory, `${name}.wav`), sine(tone));
});

after(async () => {
  for (const phone of phones) phone.kill("SIGINT");
  for (const browser of browsers) await browser.close();
  node?.kill("SIGTERM");
  if (directory) rmSync(directory, { recursive: true, force: true });
});

async function start() {
  // Its words at the first start hold the room's PIN.
  node = spawn(program, ["serve", "--config", "ringlift.toml"], { cwd: directory, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  node.stdout.on("data", (data) => (said += data));
  node.stderr.on("data", (data) => (said += data));
  await until("the node is in service", () => said.includes("in service"), () => said);
  pin ??= said.match(/and key\s+(\d+)/)?.[1];
  key ??= said.match(/rlk_\w+/)?.[0];
}

/** A browser of its own, because each has one microphone; `late` has its person think over who may hear them until `window.give` is called. */
async function join_as(name, viewport, late = false) {
  const browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required", `--use-file-for-fake-audio-capture=${join(directory, `${name}.wav`)}`],
  });
  browsers.push(browser);
  const context = await browser.newContext({ viewport, permissions: ["camera", "microphone"], locale: "en-US" });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  await page.addInitScript((late) => {
    const given = late ? new Promise((resolve) => (window.give = resolve)) : null;
    // What cleans voices takes tones away.
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wanted) =>
      (await given, ask)(wanted.audio ? { ...wanted, audio: { ...(wanted.audio === true ? {} : wanted.audio), echoCancellation: false, noiseSuppression: false, autoGainControl: false } } : wanted);
    const Real = RTCPeerConnection;
    window.peers = [];
    window.RTCPeerConnection = class extends Real {
      constructor(...given) {
        super(...given);
        window.peers.push(this);
      }
    };
  }, late);
  await page.goto(`http://127.0.0.1:${ports.http}/m/${pin}`);
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("button", { name: "Join now" }).click();
  return page;
}

/** Calls in, keys the PIN and these keys after it. */
function call(name, keys = "") {
  const phone = spawn(program, ["phone", "call", `sip:1000@127.0.0.1:${ports.sip}`, "--digits", `,,${pin}#${keys}`, "--tone", String(TONES[name]), "--record", join(directory, `${name}.rec.wav`)], { cwd: directory, stdio: "ignore" });
  phones.push(phone);
  return phone;
}

/** How loud each tone is in what a page is sent, in dB: the median over half a second or so. */
function heard(page) {
  return page.evaluate(async (tones) => {
    const context = new AudioContext();
    await context.resume();
    const meter = context.createAnalyser();
    meter.fftSize = 8192;
    meter.smoothingTimeConstant = 0;
    for (const receiver of window.peers.at(-1).getReceivers()) {
      if (receiver.track.kind === "audio") context.createMediaStreamSource(new MediaStream([receiver.track])).connect(meter);
    }
    const levels = Object.fromEntries(Object.keys(tones).map((name) => [name, []]));
    const bins = new Float32Array(meter.frequencyBinCount);
    await new Promise((resolve) => setTimeout(resolve, 400));
    for (let turn = 0; turn < 5; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      meter.getFloatFrequencyData(bins);
      for (const [name, hertz] of Object.entries(tones)) {
        const bin = Math.round((hertz / context.sampleRate) * 8192);
        levels[name].push(Math.max(bins[bin - 1], bins[bin], bins[bin + 1]));
      }
    }
    await context.close();
    return Object.fromEntries(Object.entries(levels).map(([name, all]) => [name, all.sort((a, b) => a - b)[2]]));
  }, TONES);
}

/** The names whose tones are there; fails where one is neither there nor gone. */
function who(levels) {
  return Object.entries(levels).filter(([, level]) => level > HEARD).map(([name]) => name).sort();
}

/** Waits until a page hears exactly these. */
async function hears(page, names) {
  let levels;
  await until(`hears ${names}`, async () => {
    levels = await heard(page);
    return String(who(levels)) === String([...names].sort()) && Object.entries(levels).every(([name, level]) => names.includes(name) || level < SILENT);
  }, () => JSON.stringify(levels));
}

/** Whose tones were in the last second of what a telephone recorded (8 kHz, 16 bit), as shares of full scale. */
function recorded(name) {
  const data = readFileSync(join(directory, `${name}.rec.wav`)).subarray(44);
  const samples = Math.floor(data.length / 2);
  if (samples < 16000) return {};
  return Object.fromEntries(Object.entries(TONES).map(([whose, hertz]) => {
    let [re, im] = [0, 0];
    for (let i = samples - 8000; i < samples; i++) {
      const value = data.readInt16LE(i * 2) / 32768;
      re += value * Math.cos((2 * Math.PI * hertz * i) / 8000);
      im += value * Math.sin((2 * Math.PI * hertz * i) / 8000);
    }
    return [whose, (2 * Math.hypot(re, im)) / 8000];
  }));
}

/** Waits until what a telephone hears is exactly these. */
async function phone_hears(name, names) {
  let shares;
  await until(`the ${name} telephone hears ${names}`, () => {
    shares = recorded(name);
    return Object.keys(TONES).every((whose) => names.includes(whose) ? shares[whose] > 0.05 : shares[whose] < 0.01);
  }, () => JSON.stringify(shares));
}

const person = (page, name) => page.locator(".tile", { hasText: name }).first();

let anna, bruno;

test("two browsers and two telephones: everyone hears exactly the others, and the page shows who they are", { skip, timeout: 600_000 }, async () => {
  anna = await join_as("Anna", { width: 1280, height: 800 });
  // He is in before he lets the browser hear him.
  bruno = await join_as("Bruno", { width: 390, height: 844 }, true);
  await until("Bruno is in", async () => (await bruno.locator(".tile").count()) === 2);
  await until("Bruno is shown muted", () => anna.locator(".tile[aria-label*='muted']", { hasText: "Bruno" }).count());
  await bruno.evaluate(() => window.give());
  call("first");
  call("second");
  await hears(anna, ["Bruno", "first", "second"]);
  await hears(bruno, ["Anna", "first", "second"]);
  await phone_hears("first", ["Anna", "Bruno", "second"]);
  await phone_hears("second", ["Anna", "Bruno", "first"]);
  assert.equal(await anna.locator(".tile").count(), 4);
  // Pictures go from the one to the other.
  await until("Anna sees Bruno", () => person(anna, "Bruno").locator("video").evaluate((video) => video.videoWidth > 0 && video.currentTime > 0));
  await until("Bruno sees Anna", () => person(bruno, "Anna").locator("video").evaluate((video) => video.videoWidth > 0 && video.currentTime > 0));
});

test("who mutes herself is heard by nobody, and heard again after", { skip, timeout: 600_000 }, async () => {
  await anna.keyboard.press("m");
  await hears(bruno, ["first", "second"]);
  await phone_hears("first", ["Bruno", "second"]);
  await anna.keyboard.press("m");
  await hears(bruno, ["Anna", "first", "second"]);
  await phone_hears("first", ["Anna", "Bruno", "second"]);
});

test("a telephone that mutes itself by key is shown muted and heard by nobody; one that hangs up is gone", { skip, timeout: 600_000 }, async () => {
  phones[1].kill("SIGINT");
  await until("three are left", async () => (await anna.locator(".tile").count()) === 3);
  await hears(anna, ["Bruno", "first"]);
  call("second", ",*6");
  await until("four again", async () => (await anna.locator(".tile").count()) === 4);
  await anna.getByRole("button", { name: "People" }).first().click();
  await anna.getByText("muted").first().waitFor();
  await hears(bruno, ["Anna", "first"]);
  await phone_hears("second", ["Anna", "Bruno", "first"]);
});

test("a node that is started anew has its browsers back by themselves", { skip, timeout: 600_000 }, async () => {
  for (const phone of phones) phone.kill("SIGINT");
  await until("the telephones are gone", async () => (await anna.locator(".tile").count()) === 2);
  node.kill("SIGKILL");
  await new Promise((resolve) => node.once("exit", resolve));
  await start();
  await until("both are back", async () => (await anna.locator(".tile").count()) === 2 && (await bruno.locator(".tile").count()) === 2);
  await hears(anna, ["Bruno"]);
  await hears(bruno, ["Anna"]);
});

test("on the node's own machine anybody begins a meeting, and the invitation in it leads others in", { skip, timeout: 600_000 }, async () => {
  const context = await browsers[0].newContext({ permissions: ["camera", "microphone"], locale: "en-US" });
  context.setDefaultTimeout(PATIENCE);
  const host = await context.newPage();
  await host.goto(`http://127.0.0.1:${ports.http}/`);
  await host.locator("input[name=key]").waitFor({ state: "detached" });
  await host.getByLabel("Name of the meeting").fill("Breakfast");
  await host.getByRole("button", { name: "Start a meeting" }).click();
  await host.waitForURL(/\/j\//);
  await host.getByLabel("Your name").fill("Cleo");
  await host.getByRole("button", { name: "Join now" }).click();
  await host.locator(".tile").first().waitFor();
  await host.getByRole("button", { name: "Invite" }).first().click();
  const link = await until("the link", () => host.evaluate(() => [...document.querySelectorAll("dialog, [role=dialog]")].map((one) => `${one.textContent} ${[...one.querySelectorAll("input")].map((field) => field.value)}`).join(" ").match(/http\S*\/j\/\w+/)?.[0]));
  const guest = await context.newPage();
  await guest.goto(link);
  await guest.getByLabel("Your name").fill("Dora");
  await guest.getByRole("button", { name: "Join now" }).click();
  await until("both are in", async () => (await host.locator(".tile").count()) === 2);
  // Each page that stays paints and encodes its camera, beside those of the next test.
  for (const browser of browsers) for (const open of browser.contexts()) await open.close();
});

test("a caller presses *3, reads the text in the outbox, taps its link: one seat, the call untouched, the camera at the others", { skip, timeout: 600_000 }, async () => {
  const context = await browsers[0].newContext({ permissions: ["camera", "microphone"], locale: "en-US" });
  context.setDefaultTimeout(PATIENCE);
  const host = await context.newPage();
  await host.goto(`http://127.0.0.1:${ports.http}/m/${pin}`);
  await host.getByLabel("Your name").fill("Anna");
  await host.getByRole("button", { name: "Join now" }).click();
  await host.locator(".tile").first().waitFor();
  // Others may come and go meanwhile: the caller is known by what is seen of the number.
  const tile = host.locator(".tile", { has: host.locator("figcaption", { hasText: /•67/ }) });
  const caller = spawn(program, ["phone", "call", `sip:1000@127.0.0.1:${ports.sip}`, "--from", "sip:+491701234567@127.0.0.1", "--digits", `,,${pin}#,,,,*3`, "--tone", String(TONES.first), "--record", join(directory, "caller.rec.wav")], { cwd: directory, stdio: "ignore" });
  phones.push(caller);
  await tile.waitFor();
  const asked = (path) => fetch(`http://127.0.0.1:${ports.http}${path}`, { headers: { Authorization: `Bearer ${key}` } }).then((answer) => answer.json());
  const link = await until("the text", async () => (await asked("/v1/texts")).items[0]?.body.match(/http\S+\/e\/\w+/)?.[0]);
  const call = (await asked("/v1/calls")).items.find((one) => one.from?.includes("1701234567"));
  // A robot that looks at the link opens nothing.
  assert.equal((await fetch(link)).status, 200);
  const phone = await (await browsers[0].newContext({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, permissions: ["camera", "microphone"], locale: "en-US" })).newPage();
  phone.setDefaultTimeout(PATIENCE);
  await phone.goto(link);
  await phone.locator(".elevate button.main").click();
  await phone.getByText("Sound by your phone").waitFor();
  await until("the caller's picture", () => tile.locator("video").evaluateAll((all) => all.some((one) => one.videoWidth > 0)));
  assert.equal(await tile.count(), 1, "one person, one seat");
  const still = (await asked("/v1/calls")).items.find((one) => one.id === call.id);
  assert.deepEqual([still?.since, still?.state, still?.held], [call.since, "in_room", false], "the same call");
  await phone.locator("#mic").click();
  await until("muted for the others", () => tile.locator("figcaption .silent").count());
  await phone.locator("#mic").click();
  caller.kill("SIGINT");
  await phone.locator("#sound-web").click();
  await phone.locator("#sound-web").waitFor({ state: "detached" });
  await context.close();
  await phone.context().close();
});
