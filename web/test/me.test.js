// The personal page in a browser: calls, devices, and moving the one to the other. Needs Chromium: CHROMIUM names it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const skip = existsSync(executablePath) ? false : `no ${executablePath}`;
const SHOTS = process.env.SHOTS;
const TICKET = "abcdefghijklmnopqrstuvwxyz";
let browser, server, url, sockets, said;

/** A frame of text to a browser (RFC 6455 §5.2). */
function frame(text) {
  const body = Buffer.from(text);
  const head = body.length < 126 ? Buffer.from([0x81, body.length]) : Buffer.from([0x81, 126, body.length >> 8, body.length & 255]);
  return Buffer.concat([head, body]);
}

/** The texts in what a browser sent. */
function* texts(data) {
  for (let at = 0; at + 2 <= data.length; ) {
    const kind = data[at] & 15;
    let [length, from] = [data[at + 1] & 127, at + 2];
    if (length === 126) [length, from] = [data.readUInt16BE(at + 2), at + 4];
    const mask = data.subarray(from, from + 4);
    const body = Buffer.from(data.subarray(from + 4, from + 4 + length).map((byte, index) => byte ^ mask[index % 4]));
    if (kind === 1) yield body.toString();
    at = from + 4 + length;
  }
}

const device = (id, name, kind, more = {}) => ({ id, extension: "ext_1", kind, name, capabilities: kind === "telephone" ? ["audio"] : ["audio", "video"], transfers: "ask", camera: false, online: true, calls: [], ...more });
const everything = () => ({
  type: "me",
  device: "dev_3",
  name: "Anna Berger",
  user: "101",
  devices: [device("dev_1", "Yealink T54W", "telephone", { calls: ["p_1"] }), device("dev_2", "Snom D785", "telephone"), device("dev_3", "Chrome, Linux", "browser"), device("dev_4", "Tablet", "app", { online: false })],
  calls: [{ call: "p_1", room: "room_1", meeting: null, with: ["+49 30 ••• 20"], since: "2026-11-21T13:00:00Z", leg: null, audio: "dev_1", video: null, movable: true }],
  follow: false,
  rests: 0,
});
const tell = (message) => sockets.forEach((socket) => socket.write(frame(JSON.stringify(message))));
const hears = async (type) => {
  for (let tries = 0; tries < 100; tries++) {
    const found = said.find((message) => message.type === type);
    if (found) return found;
    await new Promise((done) => setTimeout(done, 20));
  }
  assert.fail(`the page never said ${type}: ${JSON.stringify(said)}`);
};

before(async () => {
  if (skip) return;
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  const kinds = { html: "text/html", js: "text/javascript", css: "text/css", svg: "image/svg+xml" };
  server = createServer((request, response) => {
    const path = new URL(request.url, "http://x").pathname;
    const name = path === "/me" ? "me.html" : path.startsWith("/j/") ? "meeting.html" : path.slice(1);
    const file = new URL(`../dist/${name}`, import.meta.url);
    if (!existsSync(file)) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": kinds[name.split(".").pop()], "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; connect-src 'self'" }).end(readFileSync(file));
  });
  server.on("upgrade", (request, socket) => {
    const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (data) => {
      for (const text of texts(data)) {
        const message = JSON.parse(text);
        said.push(message);
        if (message.type === "me") tell(message.ticket === TICKET ? { ...everything(), id: message.id, key: "k" } : { type: "problem", id: message.id, code: "bad_ticket", detail: "not known" });
        else if (message.type !== "join") tell({ type: "done", id: message.id });
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${server.address().port}`;
});
after(async () => {
  await browser?.close();
  sockets?.forEach((socket) => socket.destroy());
  server?.close();
});

async function opens(options = {}, hash = `#${TICKET}`) {
  sockets?.forEach((socket) => socket.destroy());
  [sockets, said] = [new Set(), []];
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en", ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => /Content Security|Refused/.test(message.text()) && complaints.push(message.text()));
  await page.goto(`${url}/me${hash}`);
  return { page, context, complaints };
}

async function shot(page, name) {
  if (!SHOTS) return;
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true });
}

test("a person sees calls and devices, and moves the one to the other", { skip }, async () => {
  const { page, context, complaints } = await opens();
  await page.getByText("With +49 30 ••• 20").waitFor();
  assert.equal(new URL(page.url()).hash, "", "the link leaves the address bar");
  const hello = await hears("me");
  assert.deepEqual([hello.ticket, hello.name], [TICKET, "Chrome, Linux"]);
  await shot(page, "me-desktop");
  await page.getByRole("button", { name: "Move here" }).click();
  assert.equal((await hears("move_here")).call, "p_1");
  await page.getByRole("combobox", { name: "Move to …" }).selectOption({ label: "Move to Snom D785" });
  await page.getByRole("button", { name: "Move", exact: true }).click();
  assert.deepEqual([(await hears("move_there")).device, said.at(-1).call], ["dev_2", "p_1"]);
  const ringing = everything();
  ringing.calls[0].moving = { device: "dev_2", phase: "ringing", channels: ["audio"] };
  tell(ringing);
  await page.getByText("Snom D785 rings …").waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  assert.equal((await hears("move_answer")).takes, false);
  tell(everything());
  tell({ type: "move_over", call: "p_1", device: "dev_2", failure: "busy" });
  await page.getByText("Snom D785 is busy. The call stays where it was.").waitFor();
  await page.getByText("Settings").nth(1).click();
  await page.locator("details[open] select").selectOption("at_once");
  assert.deepEqual([(await hears("set_device")).device, said.at(-1).transfers], ["dev_2", "at_once"]);
  await page.getByLabel("Calls follow me").check();
  assert.equal((await hears("follow")).on, true);
  await shot(page, "me-desktop-open");
  assert.deepEqual(complaints, []);
  await context.close();
});

test("a page that is asked takes the call, and the meeting opens in its place", { skip }, async () => {
  const { page, context, complaints } = await opens({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, locale: "de" });
  await page.getByText("Mit +49 30 ••• 20").waitFor();
  const moving = everything();
  moving.calls[0].moving = { device: "dev_3", phase: "asked", channels: ["audio", "video"] };
  tell(moving);
  tell({ type: "move_asked", call: "p_1", from: "dev_1", with: ["+49 30 ••• 20"], channels: ["audio", "video"], how: "pushed" });
  await page.getByText("Gespräch hier übernehmen?").waitFor();
  await shot(page, "me-phone-asked");
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  assert.ok(!wide, "nothing is wider than the screen");
  await page.getByRole("button", { name: "Übernehmen" }).tap();
  assert.equal((await hears("move_answer")).takes, true);
  tell({ type: "take_call", call: "p_1", room: "room_1", ticket: "seat", channels: ["audio", "video"], camera: false });
  await page.waitForURL(/\/j\/seat/);
  const join = await hears("join");
  assert.equal(join.ticket, "seat");
  assert.deepEqual(complaints, []);
  await context.close();
});

test("a link that opens nothing says so, in each language", { skip }, async () => {
  for (const [locale, words] of [["en", "opens nothing"], ["de", "öffnet nichts"], ["es", "ya no abre nada"], ["fr", "n’ouvre"], ["pt", "já não abre nada"], ["zh", "已失效"]]) {
    const { page, context } = await opens({ locale }, "#wrongwrongwrongwrongwrong");
    await page.getByText(words).waitFor();
    await context.close();
  }
  const { page, context } = await opens({}, "");
  await page.getByText("Open this page by your personal link.").waitFor();
  await context.close();
});
