// The whole program: a shopper's browser shows a code, an unknown one's camera reads it, and the customer on a telephone hears no break;
// and somebody who answered at the desk goes on in the browser, by the personal page.
// Needs Chromium (CHROMIUM names it); RINGLIFT names a program that is built already.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { built, free, sine, until } from "./tools.js";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const skip = existsSync(executablePath) ? false : `no ${executablePath}`;
const TONES = { Anna: 440, Dario: 620, customer: 800, desk: 1000 };
/** The longest silence at the far end that a machine with nothing else to do makes of a move, in ms. The 60 ms that are promised are
 * held against virtual time, in tests/media_handover.rs. On a busy one everything is late, so that a silence is held against how long
 * the move took: who lets go before the other device carries is silent for all of it. */
const GAP = 200;
const bearable = (took) => Math.max(GAP, took / 2);

let program, directory, ports, node, pin, key;
const browsers = [];
const phones = [];

before(async () => {
  if (skip) return;
  program = built();
  directory = mkdtempSync(join(tmpdir(), "ringlift-codes-"));
  ports = { http: await free(), sip: await free(), web: await free() };
  writeFileSync(join(directory, "ringlift.toml"), `
[sip]
listen = ["udp:127.0.0.1:${ports.sip}"]
[api]
listen = ["127.0.0.1:${ports.http}"]
[media]
listen = ["127.0.0.1"]
first_port = 28000
last_port = 28199
[web]
listen = ["udp:127.0.0.1:${ports.web}"]
`);
  node = spawn(program, ["serve", "--config", "ringlift.toml"], { cwd: directory, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  node.stdout.on("data", (data) => (said += data));
  node.stderr.on("data", (data) => (said += data));
  await until("the node is in service", () => said.includes("in service"), () => said);
  pin = said.match(/and key\s+(\d+)/)?.[1];
  key = said.match(/rlk_\w+/)?.[0];
});

after(async () => {
  for (const phone of phones) phone.kill("SIGINT");
  for (const browser of browsers) await browser.close();
  node?.kill("SIGTERM");
  if (directory) rmSync(directory, { recursive: true, force: true });
});

/** A browser of its own, with a microphone that sounds one tone, and a camera that sees this film where there is one. */
async function browserOf(name, film, viewport) {
  writeFileSync(join(directory, `${name}.wav`), sine(TONES[name]));
  const browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required", `--use-file-for-fake-audio-capture=${join(directory, `${name}.wav`)}`, ...(film ? [`--use-file-for-fake-video-capture=${film}`] : [])],
  });
  browsers.push(browser);
  const context = await browser.newContext({ viewport, permissions: ["camera", "microphone"], locale: "en-US" });
  const page = await context.newPage();
  await page.addInitScript(() => {
    // What cleans voices takes tones away.
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = (wanted) =>
      ask(wanted.audio ? { ...wanted, audio: { ...(wanted.audio === true ? {} : wanted.audio), echoCancellation: false, noiseSuppression: false, autoGainControl: false } } : wanted);
  });
  return page;
}

/** What a camera sees that is held before this picture: a film of 640 by 480 (YUV4MPEG2). */
async function filmed(page, picture, file) {
  const grey = await page.evaluate(async (base64) => {
    const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${base64}`).catch(() => null))?.blob() ?? new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], { type: "image/png" }));
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

/** How loud one tone is in a piece of what the telephone recorded (8 kHz, 16 bit), as a share of full scale. */
function share(data, from, length, hertz) {
  let [re, im] = [0, 0];
  for (let i = from; i < from + length; i++) {
    const value = data.readInt16LE(i * 2) / 32768;
    re += value * Math.cos((2 * Math.PI * hertz * i) / 8000);
    im += value * Math.sin((2 * Math.PI * hertz * i) / 8000);
  }
  return (2 * Math.hypot(re, im)) / length;
}

const recording = (name) => readFileSync(join(directory, `${name}.rec.wav`)).subarray(44);

/** Whether a tone was in the last 300 ms of it. */
function hears(name, hertz) {
  const data = recording(name);
  const samples = Math.floor(data.length / 2);
  return samples > 4000 && share(data, samples - 2400, 2400, hertz) > 0.05;
}

/** The longest time in which neither of the two tones was there, in ms, from when the first was there to the end. */
function longestGap(name, tones) {
  const data = recording(name);
  const samples = Math.floor(data.length / 2);
  // Windows of 10 ms: a whole number of periods matters less than to see when.
  const loud = [];
  for (let from = 0; from + 80 <= samples; from += 40) loud.push(Math.max(...tones.map((hertz) => share(data, from, 80, hertz))) > 0.03);
  const first = loud.findIndex((_, at) => at + 100 <= loud.length && loud.slice(at, at + 100).every(Boolean));
  let [longest, run] = [0, 0];
  for (const one of loud.slice(first)) {
    run = one ? 0 : run + 1;
    longest = Math.max(longest, run);
  }
  return longest * 5;
}

const asked = (path) => fetch(`http://127.0.0.1:${ports.http}${path}`, { headers: { Authorization: `Bearer ${key}` } }).then((answer) => answer.json());

test("the delivery story: an unknown phone's camera reads the shopper's code, and the customer hears no break and sees no new call", { skip, timeout: 150_000 }, async () => {
  const shots = process.env.SHOTS;
  const anna = await browserOf("Anna", null, { width: 390, height: 844 });
  await anna.goto(`http://127.0.0.1:${ports.http}/m/${pin}`);
  await anna.getByLabel("Your name").fill("Anna");
  await anna.getByRole("button", { name: "Join now" }).click();
  await anna.locator(".tile").first().waitFor();
  const phone = spawn(program, ["phone", "call", `sip:1000@127.0.0.1:${ports.sip}`, "--digits", `,,${pin}#`, "--tone", String(TONES.customer), "--record", join(directory, "customer.rec.wav")], { cwd: directory, stdio: "ignore" });
  phones.push(phone);
  await until("the customer hears Anna", () => existsSync(join(directory, "customer.rec.wav")) && hears("customer", TONES.Anna));
  const call = (await asked("/v1/calls")).items[0];
  // The shopper shows the code.
  await anna.locator("#more").click();
  await anna.getByRole("button", { name: "Move to another device" }).click();
  if (shots) await anna.screenshot({ path: `${shots}/move.png` });
  await anna.locator("#show-code").click();
  await anna.locator(".code .qr svg").waitFor();
  if (shots) await anna.screenshot({ path: `${shots}/shown.png` });
  const film = join(directory, "code.y4m");
  await filmed(await (await browsers[0].newContext()).newPage(), await anna.locator(".code .qr svg").screenshot(), film);
  // Somebody else holds a telephone before it.
  const dario = await browserOf("Dario", film, { width: 390, height: 844 });
  const began = Date.now();
  await dario.goto(`http://127.0.0.1:${ports.http}/scan`);
  await dario.getByRole("heading", { name: "Take over this call?" }).waitFor({ timeout: 20_000 });
  const read = Date.now() - began;
  if (shots) await dario.screenshot({ path: `${shots}/found.png` });
  await dario.getByLabel("Your name").fill("Dario");
  await dario.getByRole("button", { name: "Take the call" }).click();
  await dario.getByText("Asking Anna").waitFor();
  if (shots) await dario.screenshot({ path: `${shots}/waiting.png` });
  // Anna sees who asks, and allows it.
  const question = anna.getByRole("alert").filter({ hasText: "Dario" });
  await question.waitFor();
  assert.match(await question.innerText(), /Dario wants to take your call\.\s+Chrome, Linux, beside you/);
  if (shots) await anna.screenshot({ path: `${shots}/asked.png` });
  const allowed = Date.now();
  await question.getByRole("button", { name: "Hand over" }).click();
  await dario.waitForURL(/\/j\//, { timeout: 15_000 });
  await dario.locator(".tile").first().waitFor();
  await until("the customer hears Dario", () => hears("customer", TONES.Dario));
  const heard = Date.now() - allowed;
  await anna.getByText("The call has moved to another device").waitFor();
  if (shots) await anna.screenshot({ path: `${shots}/moved.png` });
  if (shots) await dario.screenshot({ path: `${shots}/taken.png` });
  await until("the customer hears Anna no more", () => !hears("customer", TONES.Anna));
  // The customer: the same call, and nothing but it.
  const calls = (await asked("/v1/calls")).items;
  assert.deepEqual(calls.map((one) => [one.id, one.call_id, one.since]), [[call.id, call.call_id, call.since]]);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const gap = longestGap("customer", [TONES.Anna, TONES.Dario]);
  console.log(`# read after ${read} ms, heard ${heard} ms after the yes, ${gap} ms without a tone`);
  assert.ok(gap <= bearable(heard), `${gap} ms of silence`);
  const events = (await asked("/v1/status")).codes ?? {};
  assert.equal(events.transferred ?? 1, 1);
  // A bystander's photograph of the same code comes too late.
  const late = await browserOf("Dario", film, { width: 390, height: 844 });
  await late.goto(`http://127.0.0.1:${ports.http}/scan`);
  await late.getByRole("heading", { name: "That did not work" }).waitFor({ timeout: 20_000 });
  assert.match(await late.getByRole("alert").first().innerText(), /has read this code already/);
  if (shots) await late.screenshot({ path: `${shots}/late.png` });
});

test("a call that was answered at the desk goes on in the browser, and whoever called hears no break", { skip, timeout: 150_000 }, async () => {
  const made = (path, body) => fetch(`http://127.0.0.1:${ports.http}${path}`, { method: "POST", headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" }, body: JSON.stringify(body) }).then((answer) => answer.json());
  const people = [];
  for (const [user, name] of [["101", "Anna Berg"], ["102", "Bruno"]]) {
    people.push(await made("/v1/extensions", { user, name, password: `${user} has a secret` }));
    writeFileSync(join(directory, user), `${user} has a secret\n`);
  }
  const telephone = (...words) => phones.push(spawn(program, ["phone", ...words], { cwd: directory, stdio: "ignore" }));
  telephone("wait", "--register", `sip:101@127.0.0.1:${ports.sip}`, "--user", "101", "--password-file", "101", "--tone", String(TONES.desk));
  await until("the desk phone is registered", async () => (await asked("/v1/registrations")).items?.length === 1);
  telephone("call", `sip:101@127.0.0.1:${ports.sip}`, "--from", `sip:102@127.0.0.1:${ports.sip}`, "--user", "102", "--password-file", "102", "--tone", String(TONES.customer), "--record", join(directory, "bruno.rec.wav"));
  await until("Bruno hears the desk phone", () => existsSync(join(directory, "bruno.rec.wav")) && hears("bruno", TONES.desk));
  const { url } = await made(`/v1/extensions/${people[0].id}/me_link`, {});
  const anna = await browserOf("Anna", null, { width: 390, height: 844 });
  await anna.goto(url);
  await anna.getByText("Bruno").first().waitFor();
  if (process.env.SHOTS) await anna.screenshot({ path: `${process.env.SHOTS}/desk.png` });
  const began = Date.now();
  await anna.getByRole("button", { name: "Move here" }).click();
  await anna.waitForURL(/\/j\//, { timeout: 15_000 });
  await until("Bruno hears the browser", () => hears("bruno", TONES.Anna));
  const took = Date.now() - began;
  await until("and the desk phone no more", () => !hears("bruno", TONES.desk));
  if (process.env.SHOTS) await anna.screenshot({ path: `${process.env.SHOTS}/here.png` });
  await until("the desk phone is hung up", async () => (await asked(`/v1/extensions/${people[0].id}/calls`)).items[0]?.audio !== null && (await asked("/v1/calls")).items.filter((one) => one.to === "101").length === 1);
  const gap = longestGap("bruno", [TONES.desk, TONES.Anna]);
  console.log(`# heard ${took} ms after the tap, ${gap} ms without a tone`);
  assert.ok(gap <= bearable(took), `${gap} ms of silence`);
});
