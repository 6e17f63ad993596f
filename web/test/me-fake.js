// A node that is made up for the tests of the personal page: one person with a call on the desk phone. Needs Chromium: CHROMIUM names it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createHash } from "node:crypto";
import { after, before } from "node:test";
import { chromium } from "playwright-core";
import { PATIENCE } from "./tools.js";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
export const skip = existsSync(executablePath) ? false : `no ${executablePath}`;
const SHOTS = process.env.SHOTS;
export const TICKET = "abcdefghijklmnopqrstuvwxyz";
let browser, server, url, sockets;
/** What the page said since it was opened; not that it asks now and then whether the node is there. */
export let said;
/** What the node refuses, by the type of the message: the code. */
export const refuses = {};

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

export const device = (id, name, kind, more = {}) => ({ id, extension: "ext_1", kind, name, capabilities: kind === "telephone" ? ["audio"] : ["audio", "video"], transfers: "ask", camera: false, online: true, calls: [], ...more });
export const everything = () => ({
  type: "me",
  device: "dev_3",
  name: "Anna Berger",
  user: "101",
  devices: [device("dev_1", "Yealink T54W", "telephone", { calls: ["p_1"] }), device("dev_2", "Snom D785", "telephone"), device("dev_3", "Chrome, Linux", "browser"), device("dev_4", "Tablet", "app", { online: false })],
  calls: [{ call: "p_1", room: "room_1", meeting: null, with: ["+49 30 ••• 20"], since: "2026-11-21T13:00:00Z", leg: null, audio: "dev_1", video: null, movable: true }],
  follow: false,
  rests: 0,
});
export const tell = (message) => sockets.forEach((socket) => socket.write(frame(JSON.stringify(message))));
export const hears = async (type) => {
  for (const end = Date.now() + PATIENCE; Date.now() < end; await new Promise((done) => setTimeout(done, 20))) {
    const found = said.find((message) => message.type === type);
    if (found) return found;
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
        if (message.type === "ping") {
          tell({ type: "pong", id: message.id });
          continue;
        }
        said.push(message);
        if (message.type === "me") tell(message.ticket === TICKET ? { ...everything(), id: message.id, key: "k" } : { type: "problem", id: message.id, code: "bad_ticket", detail: "not known" });
        else if (refuses[message.type]) tell({ type: "problem", id: message.id, code: refuses[message.type], detail: "refused for the test" });
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

export async function opens(options = {}, hash = `#${TICKET}`) {
  sockets?.forEach((socket) => socket.destroy());
  [sockets, said] = [new Set(), []];
  for (const type of Object.keys(refuses)) delete refuses[type];
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en", ...options });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => /Content Security|Refused/.test(message.text()) && complaints.push(message.text()));
  await page.goto(`${url}/me${hash}`);
  return { page, context, complaints };
}

export async function shot(page, name) {
  if (!SHOTS) return;
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true });
}
