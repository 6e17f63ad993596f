// The reader of pictures, without a browser: what our own codes look like to a bad camera.
import assert from "node:assert/strict";
import { test } from "node:test";
import { build } from "esbuild";

const bundled = await build({
  stdin: { contents: 'export { decode } from "./src/scan/decode.ts"; export { qr } from "./src/meeting/qr.ts";', resolveDir: new URL("..", import.meta.url).pathname, loader: "ts" },
  bundle: true,
  format: "esm",
  write: false,
});
const { decode, qr } = await import(`data:text/javascript;base64,${Buffer.from(bundled.outputFiles[0].text).toString("base64")}`);

const LINK = "https://v.example.org/c/4xq8c1d2h5k7m9p0r3t6v8";

/** A photograph: the code turned by an angle, seen from the side, on an uneven table, with noise. */
function photograph(text, { width = 640, height = 480, side = 260, angle = 0, tilt = 0, light = 0, noise = 0, blur = 0, seed = 1 } = {}) {
  const code = qr(text);
  const modules = code.length + 8;
  const data = new Uint8Array(width * height);
  let state = seed;
  const random = () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648;
  const [sin, cos] = [Math.sin(angle), Math.cos(angle)];
  const dark = (px, py) => {
    // From the picture back onto the paper.
    const [dx, dy] = [px - width / 2, py - height / 2];
    const w = 1 + (tilt * dy) / height;
    const [u, v] = [(dx * cos + dy * sin) / w, (-dx * sin + dy * cos) / w];
    const x = Math.floor((u / side + 0.5) * modules) - 4;
    const y = Math.floor((v / side + 0.5) * modules) - 4;
    if (x < -4 || y < -4 || x >= modules - 4 || y >= modules - 4) return 0.55;
    return code[y]?.[x] ? 0.12 : 0.9;
  };
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
    let value = 0;
    const spots = blur > 0 ? [[0, 0], [blur, 0], [-blur, 0], [0, blur], [0, -blur]] : [[0, 0]];
    for (const [bx, by] of spots) value += dark(x + bx, y + by) / spots.length;
    value *= 1 - (light * x) / width;
    data[y * width + x] = Math.max(0, Math.min(255, 255 * value + (random() - 0.5) * noise));
  }
  return { data, width, height };
}

test("a code is read as it is shown", () => {
  for (const side of [120, 200, 400]) assert.equal(decode(photograph(LINK, { side })), LINK, `${side} points`);
});

test("it may be turned any way", () => {
  for (let turn = 0; turn < 12; turn++) assert.equal(decode(photograph(LINK, { angle: (turn * Math.PI) / 6 + 0.1 })), LINK, `${turn}`);
});

test("it may be seen from the side, in half a shadow, by a noisy camera that is not quite sharp", () => {
  assert.equal(decode(photograph(LINK, { tilt: 0.35 })), LINK, "from the side");
  assert.equal(decode(photograph(LINK, { light: 0.7 })), LINK, "in a shadow");
  assert.equal(decode(photograph(LINK, { noise: 90 })), LINK, "noise");
  assert.equal(decode(photograph(LINK, { blur: 1.5, noise: 30, angle: 0.3, tilt: 0.2, light: 0.4, side: 300 })), LINK, "all of it");
});

test("every length of link that is shown is read", () => {
  for (const length of [10, 20, 40, 60, 90, 130, 180, 210]) {
    const text = `https://x/${"a1".repeat(105)}`.slice(0, length);
    assert.equal(decode(photograph(text, { side: 460, width: 480 })), text, `${length} characters`);
  }
});

test("what is covered is mended, and what is no code is none", () => {
  const picture = photograph(LINK, { side: 400 });
  for (let y = 240; y < 262; y++) for (let x = 310; x < 350; x++) picture.data[y * 640 + x] = 255;
  assert.equal(decode(picture), LINK);
  for (let y = 120; y < 360; y++) for (let x = 240; x < 420; x++) picture.data[y * 640 + x] = 255;
  assert.equal(decode(picture), null);
  assert.equal(decode({ data: new Uint8Array(640 * 480).fill(200), width: 640, height: 480 }), null);
  const noise = Uint8Array.from({ length: 640 * 480 }, (_, at) => (at * 2654435761) >>> 24);
  assert.equal(decode({ data: noise, width: 640, height: 480 }), null);
});

test("a picture takes so little that a telephone looks several times a second", () => {
  const picture = photograph(LINK, { noise: 40 });
  const each = Math.min(...Array.from({ length: 10 }, () => {
    const began = performance.now();
    decode(picture);
    return performance.now() - began;
  }));
  assert.ok(each < 150, `${each.toFixed(0)} ms`);
  console.log(`# ${each.toFixed(1)} ms a picture of 640 by 480`);
});
