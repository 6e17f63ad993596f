// What tests of the whole program need: ports, patience, tones.
import { execFileSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

/** The program: what RINGLIFT names, or as the tests of the program have built it, so that it is not built once more. */
export function built() {
  if (process.env.RINGLIFT) return process.env.RINGLIFT;
  const said = execFileSync("cargo", ["test", "--quiet", "--locked", "--no-run", "--test", "it_api", "--message-format=json"], { cwd: "..", encoding: "utf8", maxBuffer: 1 << 28 });
  return said.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line)).find((one) => one.executable && one.target.kind.includes("bin")).executable;
}

/** A port nobody has, neither for TCP nor for UDP, and that the system gives to nobody who asks for any: browsers ask for hundreds. */
export async function free() {
  for (;;) {
    const port = randomInt(20_000, 28_000);
    if ((await binds(port, "tcp")) && (await binds(port, "udp"))) return port;
  }
}

function binds(port, protocol) {
  return new Promise((resolve) => {
    const socket = protocol === "tcp" ? createServer() : createSocket("udp4");
    const bound = () => socket.close(() => resolve(true));
    socket.once("error", () => resolve(false));
    if (protocol === "tcp") socket.listen(port, "127.0.0.1", bound);
    else socket.bind(port, "127.0.0.1", bound);
  });
}

/** How long is waited for what does not come, in ms. Many times what a machine with nothing else to do needs: others may have it. */
export const PATIENCE = 60_000;

/** Waits for what holds, and gives it; `tell` says what there was instead. */
export async function until(what, holds, tell = () => "", seconds = PATIENCE / 1000) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await holds();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not seen: ${what} ${tell()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The least of what `once` gives, tried again until it is below the limit: a machine that is busy with others is late now and then,
 * a page that is slow is so each time. */
export async function quickest(limit, once, tries = 8) {
  let best = Infinity;
  for (let nth = 0; nth < tries && best >= limit; nth++) best = Math.min(best, await once());
  return best;
}

/** A sine at 48 kHz, mono, 16 bit, as WAV; whole periods, so that it can be repeated without a click. */
export function sine(hertz) {
  const samples = 48000 * 2;
  const data = Buffer.alloc(44 + samples * 2);
  data.write("RIFF", 0);
  data.writeUInt32LE(36 + samples * 2, 4);
  data.write("WAVEfmt ", 8);
  data.writeUInt32LE(16, 16);
  data.writeUInt16LE(1, 20);
  data.writeUInt16LE(1, 22);
  data.writeUInt32LE(48000, 24);
  data.writeUInt32LE(96000, 28);
  data.writeUInt16LE(2, 32);
  data.writeUInt16LE(16, 34);
  data.write("data", 36);
  data.writeUInt32LE(samples * 2, 40);
  for (let i = 0; i < samples; i++) data.writeInt16LE(Math.round(12000 * Math.sin((2 * Math.PI * hertz * i) / 48000)), 44 + i * 2);
  return data;
}
