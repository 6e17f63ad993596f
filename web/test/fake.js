// A node that the meeting's page can be tried with: it serves web/dist as the real one does, and speaks the protocol with people
// who are made up. What it decides is what the tests tell it to.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { gzipSync } from "node:zlib";

const dist = new URL("../dist/", import.meta.url);
const source = readFileSync(new URL("../../src/api/page.rs", import.meta.url), "utf8");
const policy = source.match(/"(default-src [^"]+)"/)[1];
const devices = source.match(/"(camera=[^"]+)"/)[1];
const files = { "/": "landing.html", "/console": "console.html" };
const kinds = { html: "text/html; charset=utf-8", js: "text/javascript; charset=utf-8", css: "text/css; charset=utf-8", svg: "image/svg+xml" };

export const person = (id, rest = {}) => ({
  id, display: rest.name ?? rest.number ?? "Guest", name: null, number: null, role: "guest", state: "active", since: `2026-01-01T10:00:${String(id.length).padStart(2, "0")}Z`, audio: "web", phone_kept: false, video: true,
  screen_on: false, camera_on: false, muted_by_self: false, muted_by_host: false, held: false, held_by_us: false, hand: null, speaking: false, ringing: false, avatar: null, quality: 4, away: false, ...rest,
});

export class FakeNode {
  people = [];
  chat = [];
  heard = [];
  /** Bytes sent for each path, compressed. */
  sent = new Map();
  sockets = new Set();
  refuse = null;
  state = "active";
  role = "host";
  audio = "web";
  room = { id: "room_1", name: "Board meeting", locked: false, started: true, muted_on_entry: false, self_unmute: true, lobby: false };
  dialIn = { numbers: ["+49 30 901820", "+43 1 205060"], pin: "482913", one_tap: "+4930901820,,482913#", tel: "tel:+4930901820,,482913%23" };
  answer = null;
  refuseOperation = null;
  you = "part_you";
  silent = false;
  invited = 0;
  /** What an invitation is for, or why it is not any more. */
  preview = {};
  previews = null;
  looked = [];
  /** What was posted to elevate. */
  posted = [];
  informs = null;
  /** What was asked of /meet/push, and the key that pages are told to subscribe with. */
  pushes = [];
  pushKey = null;
  refusesPush = false;
  redeems = null;
  pin = false;
  /** The telephone whose link it is, is on the line. */
  phone = true;
  /** Who knocks, and who is on the telephone beside the meeting, as a page that comes is told. */
  knocks = [];
  lines = [];

  async start(port = 0) {
    this.server = createServer((request, response) => this.serve(request, response));
    this.server.on("upgrade", (request, socket) => this.upgrade(request, socket));
    await new Promise((done) => this.server.listen(port, "127.0.0.1", done));
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    this.port = this.server.address().port;
    return this;
  }

  async stop() {
    for (const socket of this.sockets) socket.destroy();
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  serve(request, response) {
    const path = new URL(request.url, this.url).pathname;
    this.asked?.(request, path);
    if (path === "/meet/push") return void this.push(request, response);
    if (path === "/meet/elevate" || path === "/meet/elevate/info") return void this.elevate(request, response, path);
    if (path === "/meet/invitation") {
      this.looked.push(request.headers.authorization);
      const body = this.previews ? { type: `https://ringlift.org/problems/${this.previews}`, title: "", status: 410, detail: "" } : { room: this.room.name, role: this.role, name: null, personal: false, lobby: false, waits_for_host: false, started: true, locked: false, full: false, expires: null, ...this.preview };
      return response.writeHead(this.previews ? 410 : 200, { "Content-Type": "application/json" }).end(JSON.stringify(body));
    }
    const file = files[path] ?? (/^\/([jm]\/[^/]+|e(\/[^/]+)?)$/.test(path) ? "meeting.html" : /^\/[a-z]+\.(js|css|svg)$/.test(path) ? path.slice(1) : null);
    response.setHeader("Content-Security-Policy", policy);
    response.setHeader("Permissions-Policy", devices);
    if (!file) return response.writeHead(path === "/v1/session" ? 401 : 404, { "Content-Type": "application/json" }).end("{}");
    const packed = gzipSync(readFileSync(new URL(file, dist)), { level: 9 });
    this.sent.set(path, packed.length);
    response.writeHead(200, { "Content-Type": kinds[file.split(".").pop()], "Content-Encoding": "gzip" }).end(packed);
  }

  /** As docs/elevation.md has it; `redeems` says what a link is answered with, none for a ticket. */
  async elevate(request, response, path) {
    let text = "";
    for await (const part of request) text += part;
    const asked = JSON.parse(text);
    this.posted.push({ path, ...asked });
    const answer = (status, body, headers = {}) => response.writeHead(status, { "Content-Type": status < 400 ? "application/json" : "application/problem+json", ...headers }).end(JSON.stringify(body));
    if (request.headers["x-ringlift-page"] !== "1") return answer(403, { type: "/problems/foreign-origin", status: 403, title: "", detail: "" });
    const refused = (path.endsWith("info") ? this.informs : this.redeems)?.(asked);
    if (refused) return answer(refused.status ?? 409, { type: `https://ringlift.org/problems/elevation-${refused.problem}`, title: "", status: refused.status ?? 409, detail: "" }, refused.after ? { "Retry-After": String(refused.after) } : {});
    if (path.endsWith("info")) return answer(200, { room: "room_1", name: this.room.name, person: "+•••••••••••42", phone: this.phone, used: false, pin: this.pin, expires: "2026-11-21T07:30:24.000Z" });
    return answer(200, { ticket: `seat${this.posted.length}`, holder: "holder-of-this-browser", room: "room_1", name: this.room.name, person: "+•••••••••••42", ...(this.pushKey ? { push: this.pushKey } : {}) });
  }

  async push(request, response) {
    let text = "";
    for await (const part of request) text += part;
    this.pushes.push({ method: request.method, page: request.headers["x-ringlift-page"], ...JSON.parse(text) });
    response.writeHead(this.refusesPush ? 403 : 204).end();
  }

  upgrade(request, socket) {
    const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    this.sockets.add(socket);
    socket.setNoDelay(true);
    let bytes = Buffer.alloc(0);
    let text = [];
    socket.on("error", () => {});
    socket.on("close", () => this.sockets.delete(socket));
    socket.on("data", (data) => {
      bytes = Buffer.concat([bytes, data]);
      for (;;) {
        if (bytes.length < 2) return;
        const [first, second] = bytes;
        let [length, at] = [second & 127, 2];
        if (length === 126) [length, at] = [bytes.length >= 4 ? bytes.readUInt16BE(2) : Infinity, 4];
        else if (length === 127) [length, at] = [bytes.length >= 10 ? Number(bytes.readBigUInt64BE(2)) : Infinity, 10];
        if (bytes.length < at + 4 + length) return;
        const mask = bytes.subarray(at, at + 4);
        const payload = Buffer.from(bytes.subarray(at + 4, at + 4 + length)).map((byte, i) => byte ^ mask[i % 4]);
        bytes = bytes.subarray(at + 4 + length);
        if ((first & 15) === 8) return socket.end();
        text.push(payload);
        if (first & 128) {
          const whole = Buffer.concat(text).toString();
          text = [];
          this.hear(socket, JSON.parse(whole));
        }
      }
    });
  }

  to(socket, message) {
    const payload = Buffer.from(JSON.stringify(message));
    const head = payload.length < 126 ? Buffer.from([129, payload.length]) : payload.length < 65536 ? Buffer.from([129, 126, payload.length >> 8, payload.length & 255]) : Buffer.concat([Buffer.from([129, 127]), (() => { const long = Buffer.alloc(8); long.writeBigUInt64BE(BigInt(payload.length)); return long; })()]);
    socket.write(Buffer.concat([head, payload]));
  }

  say(message) {
    for (const socket of this.sockets) if (socket.in) this.to(socket, message);
  }

  drop() {
    for (const socket of this.sockets) socket.destroy();
  }

  change(id, rest) {
    const one = this.people.find((one) => one.id === id);
    Object.assign(one, rest);
    this.say({ type: "changed", person: one });
  }

  join(one) {
    this.people.push(one);
    this.say({ type: "joined", person: one });
  }

  leave(id) {
    this.people = this.people.filter((one) => one.id !== id);
    this.say({ type: "left", participant: id, cause: "hung_up" });
  }

  standing(message) {
    let own = this.people.find((one) => one.id === this.you);
    if (!own) {
      own = person(this.you, { name: message.name || null, role: this.role, state: this.state, audio: this.audio, since: "2026-01-01T09:00:00Z", muted_by_self: message.listen_only, display: message.name || "Guest" });
      this.people.unshift(own);
    }
    own.state = this.state;
    const inside = this.state === "active";
    return {
      version: 1, session: "ses_1", resume: "resume-token", resumed: message.resume !== undefined && !this.forgot, you: this.you, role: this.role, state: this.state, room: this.room,
      people: inside ? this.people : [own], chat: inside ? this.chat : [], slots: [null, null, null, null], ice_servers: [], limits: { chat_chars: 2000, video_slots: 9, avatar_bytes: 262144 }, dial_in: this.dialIn,
      ...(this.knocks.length > 0 ? { knocks: this.knocks } : {}), ...(this.lines.length > 0 ? { lines: this.lines } : {}),
    };
  }

  admit() {
    this.state = "active";
    this.say({ type: "admitted", ...this.standing({}) });
  }

  async hear(socket, message) {
    this.heard.push(message);
    if (this.silent) return;
    const { id } = message;
    const done = () => this.to(socket, { type: "done", id });
    const own = () => this.people.find((one) => one.id === this.you);
    switch (message.type) {
      case "join": {
        if (this.refuse) return this.to(socket, { type: "problem", id, ...this.refuse });
        socket.in = true;
        return this.to(socket, { type: "welcome", id, ...this.standing(message) });
      }
      case "ping":
        return this.to(socket, { type: "pong", id });
      case "offer": {
        if (!this.answer) return undefined;
        // The page may be gone, or have offered anew, before the far end is ready: then nobody waits for this answer.
        const sdp = await this.answer(message.sdp).catch(() => null);
        if (sdp === null) return undefined;
        this.to(socket, { type: "answer", id, sdp });
        return this.to(socket, { type: "media", state: "connected" });
      }
      case "watch":
        done();
        return this.to(socket, { type: "shown", slots: message.slots.map(({ slot, participant, source }) => ({ slot, participant, source, layer: 1 })) });
      case "publish": {
        if (this.refuseOperation) return this.to(socket, { type: "problem", id, ...this.refuseOperation });
        const field = { microphone: { muted_by_self: !message.on }, camera: { camera_on: message.on }, screen: { screen_on: message.on } }[message.source];
        this.change(this.you, field);
        return done();
      }
      case "chat": {
        const line = { id: this.chat.length + 1, from: this.you, to: message.to, name: own().name, text: message.text, at: Date.now() };
        this.chat.push(line);
        done();
        return this.say({ type: "chat", line });
      }
      case "invite": {
        if (this.role !== "host") return this.to(socket, { type: "problem", id, code: "host_only", detail: "only a host may do this" });
        const { role = "guest", name = null, personal = false } = message.invitation ?? {};
        const ticket = `ticket${++this.invited}`.padEnd(26, "x");
        return this.to(socket, { type: "invited", id, invitation: { id: `tkt_${this.invited}`, role, name, personal, uses: null, expires: null, ticket, path: `/j/${ticket}` } });
      }
      case "elevate":
        return this.refuseElevate ? this.to(socket, { type: "problem", id, ...this.refuseElevate }) : done();
      case "call_me":
        return this.refuseOperation ? this.to(socket, { type: "problem", id, ...this.refuseOperation }) : done();
      case "audio": {
        if (this.refuseOperation) return this.to(socket, { type: "problem", id, ...this.refuseOperation });
        done();
        return this.change(this.you, { audio: message.by, phone_kept: message.by === "web" && message.keep && own().audio === "phone" });
      }
      case "devices":
        return this.to(socket, { type: "devices", id, devices: this.devices ?? [], ...(this.back ? { back: this.back } : {}) });
      case "merge":
        return this.refuseMerge ? this.to(socket, { type: "problem", id, ...this.refuseMerge }) : done();
      case "react":
        done();
        return this.say({ type: "reaction", from: this.you, reaction: message.reaction });
      case "operate": {
        if (this.refuseOperation) return this.to(socket, { type: "problem", id, ...this.refuseOperation });
        const { operation, participant, name, role } = message.operation;
        const fields = {
          mute: participant === this.you ? { muted_by_self: true } : { muted_by_host: true },
          unmute: { muted_by_self: false, muted_by_host: false },
          raise_hand: { hand: 1 + this.people.filter((one) => one.hand !== null).length },
          lower_hand: { hand: null },
          rename: { name, display: name },
          set_role: { role },
          admit: { state: "active" },
        }[operation];
        done();
        if (operation === "remove" || operation === "refuse") this.leave(participant);
        else if (operation === "lock" || operation === "unlock") this.say({ type: "room", room: (this.room = { ...this.room, locked: operation === "lock" }) });
        else if (operation === "end") this.say({ type: "bye", cause: "room_ended", text: "the meeting was ended" });
        else if (fields) this.change(participant, fields);
        return undefined;
      }
      default:
        return done();
    }
  }
}

/** In a page of its own: the far end of the peer connection. It hears what comes and shows a picture in each slot. */
export async function farEnd(browser) {
  const page = await (await browser.newContext()).newPage();
  await page.goto("about:blank");
  await page.evaluate(() => {
    const colours = ["#35507a", "#7a4b35", "#3f6f4c", "#6a3f6f", "#70662f", "#2f6a70", "#70304a", "#454d66", "#2f4f2f"];
    // What paints and sounds for the connection before would go on for ever, and make each test slower than the last.
    const ends = [];
    globalThis.answer = async (sdp) => {
      globalThis.far?.close();
      ends.splice(0).forEach((end) => end());
      const far = (globalThis.far = new RTCPeerConnection());
      await far.setRemoteDescription({ type: "offer", sdp });
      const context = new AudioContext();
      ends.push(() => context.close());
      let slot = 0;
      for (const one of far.getTransceivers()) {
        const line = sdp.split("\r\nm=").find((part) => part.includes(`a=mid:${one.mid}\r\n`)) ?? "";
        if (!line.includes("a=recvonly")) continue;
        one.direction = "sendonly";
        if (one.receiver.track.kind === "audio") {
          const tone = context.createOscillator();
          const out = context.createMediaStreamDestination();
          tone.connect(out);
          tone.start();
          await one.sender.replaceTrack(out.stream.getAudioTracks()[0]);
          continue;
        }
        const at = slot++;
        const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 360 });
        const pen = canvas.getContext("2d");
        const paints = setInterval(() => {
          pen.fillStyle = colours[at];
          pen.fillRect(0, 0, 640, 360);
          pen.fillStyle = "#e9cfb5";
          pen.beginPath();
          pen.arc(320, 150 + 3 * Math.sin(Date.now() / 300), 70, 0, 7);
          pen.fill();
          pen.fillStyle = "#ffffff33";
          pen.beginPath();
          pen.ellipse(320, 380, 160, 140, 0, 0, 7);
          pen.fill();
        }, 60);
        const [track] = canvas.captureStream(15).getVideoTracks();
        ends.push(() => (clearInterval(paints), track.stop()));
        await one.sender.replaceTrack(track);
      }
      await far.setLocalDescription();
      await new Promise((done) => (far.iceGatheringState === "complete" ? done() : far.addEventListener("icegatheringstatechange", () => far.iceGatheringState === "complete" && done())));
      return far.localDescription.sdp;
    };
  });
  return { page, answer: (sdp) => page.evaluate((sdp) => globalThis.answer(sdp), sdp) };
}
