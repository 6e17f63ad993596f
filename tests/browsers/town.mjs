// Drives the meeting's own page in two browsers, Anna's in another network than Bruno's.
//
//   node town.mjs <playwright-core> <scenario> <town>     prints what was seen as JSON
import { execSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { sine } from "../../web/test/tools.js";

const [playwright, scenario, given] = process.argv.slice(2);
const town = JSON.parse(given);
const { chromium } = await import(pathToFileURL(`${playwright}/index.mjs`).href);
const TONES = { Anna: 440, Bruno: 1100 };
const browsers = [];
/** What the node told each page of its place, in the order it came. */
const places = { Anna: [], Bruno: [] };
const pages = {};

async function come(name) {
  const voice = join(town.folder, `${name}.wav`);
  writeFileSync(voice, sine(TONES[name]));
  const browser = await chromium.launch({
    executablePath: town.browsers[name],
    args: [
      "--no-sandbox",
      "--use-fake-device-for-media-stream",
      "--use-fake-ui-for-media-stream",
      "--autoplay-policy=no-user-gesture-required",
      `--use-file-for-fake-audio-capture=${voice}`,
      // The page asks for the microphone, which a page without TLS may only on loopback.
      `--unsafely-treat-insecure-origin-as-secure=${new URL(town.page).origin}`,
      "--disable-gpu",
    ],
  });
  browsers.push(browser);
  const context = await browser.newContext({ permissions: ["camera", "microphone"], locale: "en-US" });
  const page = await context.newPage();
  page.on("websocket", (socket) =>
    socket.on("framereceived", ({ payload }) => {
      const said = JSON.parse(payload.toString());
      if (said.type === "welcome" || said.type === "admitted") places[name].push({ you: said.you, resumed: said.resumed ?? false });
    }),
  );
  await page.addInitScript((other) => {
    // What cleans voices takes tones away.
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = (wanted) =>
      ask(wanted.audio ? { ...wanted, audio: { ...(wanted.audio === true ? {} : wanted.audio), echoCancellation: false, noiseSuppression: false, autoGainControl: false } } : wanted);
    const Real = RTCPeerConnection;
    window.peers = [];
    window.RTCPeerConnection = class extends Real {
      constructor(...given) {
        super(...given);
        window.peers.push(this);
      }
    };
    // The other's tone, every 50 ms: whether it was there, and when.
    const heard = (window.heard = []);
    const ears = new WeakSet();
    let meter;
    setInterval(() => {
      const tracks = (window.peers.at(-1)?.getReceivers() ?? []).map((receiver) => receiver.track).filter((track) => track.kind === "audio");
      if (tracks.length === 0) return;
      if (!meter) {
        const context = new AudioContext();
        meter = context.createAnalyser();
        meter.fftSize = 4096;
        meter.smoothingTimeConstant = 0;
      }
      for (const track of tracks) {
        if (!ears.has(track)) meter.context.createMediaStreamSource(new MediaStream([track])).connect(meter);
        ears.add(track);
      }
      const bins = new Float32Array(meter.frequencyBinCount);
      meter.getFloatFrequencyData(bins);
      const bin = Math.round((other / meter.context.sampleRate) * meter.fftSize);
      heard.push([Date.now(), Math.max(bins[bin - 1], bins[bin], bins[bin + 1]) > -45]);
    }, 50);
  }, TONES[name === "Anna" ? "Bruno" : "Anna"]);
  await page.goto(town.page);
  await page.getByLabel("Your name").fill(name);
  // Who joins before the microphone is there joins muted.
  await page.getByText("Say something: the bar shows how well you are heard.").waitFor();
  await page.getByRole("button", { name: "Join now" }).click();
  pages[name] = page;
}

async function until(what, look, seconds = 30) {
  const end = Date.now() + seconds * 1000;
  let last;
  for (;;) {
    last = await look();
    if (last) return last;
    if (Date.now() > end) throw new Error(`not seen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Hears the other: for the whole last second. */
const hears = (name) =>
  until(`${name} hears the other`, () => pages[name].evaluate(() => {
    const last = window.heard.filter(([at]) => at > Date.now() - 1000);
    return last.length > 10 && last.every(([, there]) => there);
  }));
const sees = (name, other) =>
  until(`${name} sees ${other}`, () => pages[name].locator(".tile", { hasText: other }).first().locator("video").evaluate((video) => video.videoWidth > 0 && video.currentTime > 0).catch(() => false));
/** The longest time since then for which the other was not heard, in ms. */
const away = (name, since) =>
  pages[name].evaluate((since) => {
    let [longest, there] = [0, since];
    for (const [at, heard] of window.heard.filter(([at]) => at >= since)) {
      if (heard) there = at;
      else longest = Math.max(longest, at - there);
    }
    return longest;
  }, since);
const way = (name) =>
  pages[name].evaluate(async () => {
    const stats = [...(await window.peers.at(-1).getStats()).values()];
    const chosen = stats.find((one) => one.type === "transport")?.selectedCandidatePairId;
    const pair = stats.find((one) => one.id === chosen);
    const { candidateType, protocol, relayProtocol, address } = stats.find((one) => one.id === pair?.localCandidateId) ?? {};
    return { candidateType, protocol, relayProtocol, address };
  });

const scenarios = {
  // Anna's address goes and another comes: her page finds the node again, and her place is hers.
  async change_networks() {
    await come("Bruno");
    await come("Anna");
    for (const name of ["Anna", "Bruno"]) await hears(name);
    const before = await way("Anna");
    const since = Date.now();
    for (const words of town.move) execSync(words);
    await until("Anna's way is another", async () => (await way("Anna")).address === town.elsewhere);
    for (const name of ["Anna", "Bruno"]) await hears(name);
    return {
      annas_voice_away_ms: await away("Bruno", since),
      brunos_voice_away_ms: await away("Anna", since),
      before,
      after: await way("Anna"),
      place: places.Anna[0].you,
      places: [...new Set(places.Anna.map((place) => place.you))],
      told: places.Anna,
      tiles: await pages.Bruno.locator(".tile").count(),
    };
  },

  // The way to the node's port is walled up: what is left is the relay.
  async meet_by_relay() {
    await come("Bruno");
    await come("Anna");
    for (const name of ["Anna", "Bruno"]) await hears(name);
    await sees("Anna", "Bruno");
    await sees("Bruno", "Anna");
    return { way: await way("Anna") };
  },

  // And the relay does not let her in.
  async be_refused() {
    await come("Anna");
    const words = await until("the page says so", async () => {
      const all = await pages.Anna.locator(".banner").allTextContents();
      return all.find((words) => /relay/i.test(words));
    }, 45);
    return { words };
  },
};

try {
  const seen = await scenarios[scenario]();
  console.log(JSON.stringify({ ok: true, seen }));
} catch (error) {
  const report = {};
  for (const [name, page] of Object.entries(pages)) {
    report[name] = {
      way: await way(name).catch(String),
      banners: await page.locator(".banner").allTextContents().catch(String),
      states: await page.evaluate(() => window.peers.map((peer) => [peer.connectionState, peer.iceConnectionState, peer.signalingState])).catch(String),
      text: (await page.locator("body").innerText().catch(String)).slice(0, 500),
    };
  }
  console.log(JSON.stringify({ ok: false, why: String(error), places, report }));
} finally {
  for (const browser of browsers) await browser.close();
}
