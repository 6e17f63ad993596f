// A browser for the tests of the meeting's page: a node that is made up, and a far end that is not. Needs Chromium: CHROMIUM names it.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, afterEach, before, beforeEach } from "node:test";
import { chromium } from "playwright-core";
import { FakeNode, farEnd } from "./fake.js";
import { PATIENCE } from "./tools.js";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
export const skip = existsSync(executablePath) ? false : `no ${executablePath}`;
export const DESKTOP = { viewport: { width: 1280, height: 800 } };
export const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
let browser, contexts;
export let far, node, complaints;

/** Another node takes the place of the one before. */
export function replace(next) {
  node = next;
}

before(async () => {
  if (skip) return;
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--auto-select-desktop-capture-source=Entire screen", "--host-resolver-rules=MAP meet.test 127.0.0.1"] });
  far = await farEnd(browser);
});
after(async () => browser?.close());
beforeEach(async () => {
  if (skip) return;
  [complaints, contexts] = [[], []];
  node = await new FakeNode().start();
  node.answer = far.answer;
});
afterEach(async () => {
  if (skip) return;
  for (const context of contexts) await context.close();
  await node.stop();
});

export async function open(options = {}, path = "/j/a-ticket", origin = node.url) {
  const context = await browser.newContext({ ...DESKTOP, locale: "en", ...options });
  context.setDefaultTimeout(PATIENCE);
  contexts.push(context);
  const page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => /Content Security|Refused|Permissions-Policy/.test(message.text()) && complaints.push(message.text()));
  page.on("request", (request) => !request.url().startsWith(origin) && !request.url().startsWith("blob:") && complaints.push(`asked a third party: ${request.url()}`));
  await page.addInitScript(() => {
    // What the page takes of devices and plays, for the tests to look at.
    globalThis.taken = [];
    const media = navigator.mediaDevices;
    if (media) {
      const take = media.getUserMedia.bind(media);
      media.getUserMedia = async (wanted) => {
        if (globalThis.deny?.(wanted)) throw new DOMException("denied for the test", globalThis.deny(wanted));
        const stream = await take(wanted);
        globalThis.taken.push(...stream.getTracks());
        return stream;
      };
    }
    globalThis.WebSocket = class extends WebSocket {
      constructor(url) {
        super(url);
        this.addEventListener("message", (event) => event.data.includes('"speaking","participant"') && (globalThis.told = performance.now()));
      }
    };
    globalThis.played = [];
    globalThis.Audio = class extends Audio { constructor() { super(); globalThis.played.push(this); } };
  });
  await page.goto(origin + path);
  await page.waitForSelector("#app > *");
  return page;
}

export async function enter(page, name = "Dora") {
  await page.fill("input[name=name]", name);
  await page.click(".enter button.main.wide");
  await page.waitForSelector("#stage .tile");
}

/** Waits for what holds, and gives it. */
export async function until(what, says, ms = PATIENCE) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await what();
    if (value) return value;
    if (Date.now() > end) assert.fail(`${says} within ${ms} ms`);
    await new Promise((done) => setTimeout(done, 30));
  }
}

export const asked = (type) => node.heard.filter((one) => one.type === type);
