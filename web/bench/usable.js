// How long after a tap on a link the page can be used: a telephone of the middle class (a CPU four times slower than this one) on a
// slow mobile network (1.6 Mbit/s, 150 ms there and back), against a page of one button by the same way. `npm run bench`; needs Chromium.
import { createServer } from "node:http";
import { chromium } from "playwright-core";
import { FakeNode } from "../test/fake.js";

const TIMES = 9;
const NETWORK = { offline: false, latency: 150, downloadThroughput: 1_600_000 / 8, uploadThroughput: 750_000 / 8 };
const SLOWER = 4;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
});
const node = await new FakeNode().start();
const bare = createServer((_, response) => response.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html><title>.</title><button class=go>Join</button>"));
await new Promise((done) => bare.listen(0, "127.0.0.1", done));

/** Milliseconds from the tap until the button of this selector is there and can be pressed, nothing of the page kept from before. */
async function usable(url, selector) {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, locale: "en" });
  const page = await context.newPage();
  const tools = await context.newCDPSession(page);
  await tools.send("Network.enable");
  await tools.send("Network.emulateNetworkConditions", NETWORK);
  await tools.send("Emulation.setCPUThrottlingRate", { rate: SLOWER });
  const tapped = performance.now();
  await page.goto(url, { waitUntil: "commit" });
  await page.click(selector, { trial: true });
  const took = performance.now() - tapped;
  await context.close();
  return took;
}

const median = (all) => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)];
const ways = { "an invitation": [`${node.url}/j/a-ticket`, "button.main.wide"], "a link of a text": [`${node.url}/e/a-ticket`, "button.main.wide"], "one button alone": [`http://127.0.0.1:${bare.address().port}/`, "button"] };
const took = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
for (let time = 0; time < TIMES; time += 1) for (const [name, [url, selector]] of Object.entries(ways)) took[name].push(await usable(url, selector));
await browser.close();
await node.stop();
bare.close();

const least = median(took["one button alone"]);
for (const [name, all] of Object.entries(took)) console.log(`${name.padEnd(18)} usable after ${Math.round(median(all))} ms (worst of ${TIMES}: ${Math.round(Math.max(...all))}), ${(median(all) / least).toFixed(2)} times one button alone`);
const bytes = [...node.sent.values()].reduce((sum, one) => sum + one, 0);
console.log(`loaded first        ${(bytes / 1024).toFixed(0)} KiB, compressed: ${[...node.sent].map(([path, size]) => `${path} ${(size / 1024).toFixed(1)}`).join(", ")}`);
if (median(took["an invitation"]) > 2000) console.log("goal missed: usable within two seconds of the tap");
