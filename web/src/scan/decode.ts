// Reads a QR code (ISO/IEC 18004) in a picture, for browsers without a detector of their own: error correction M, versions 1 to 10,
// which is what this node shows. Turned, tilted and badly lit it is read, too; in a mirror it is not.

import { BLOCKS, EXP, LOG, MASKS, pattern, times } from "../meeting/qr.js";

/** A picture of greys. */
export interface Grey {
  data: Uint8Array | Uint8ClampedArray;
  width: number;
  height: number;
}

interface Point {
  x: number;
  y: number;
}

interface Finder extends Point {
  /** The side of a square, in points. */
  size: number;
  /** How many lines crossed it. */
  seen: number;
}

/** Brings the colours of a canvas to greys. */
export function greyOf(pixels: Uint8ClampedArray, width: number, height: number): Grey {
  const data = new Uint8Array(width * height);
  for (let at = 0; at < data.length; at++) data[at] = (pixels[at * 4]! * 77 + pixels[at * 4 + 1]! * 150 + pixels[at * 4 + 2]! * 29) >> 8;
  return { data, width, height };
}

/** The text of the code in the picture; null where there is none that can be read. */
export function decode(picture: Grey): string | null {
  const bits = darkened(picture);
  const found = finders(bits);
  for (let a = 0; a < found.length; a++) for (let b = a + 1; b < found.length; b++) for (let c = b + 1; c < found.length; c++) {
    const text = between(bits, [found[a]!, found[b]!, found[c]!]);
    if (text !== null) return text;
  }
  return null;
}

interface Bits {
  at(x: number, y: number): boolean;
  width: number;
  height: number;
}

/** Dark is what is darker than what is around it: half of a code may lie in the shadow. */
function darkened({ data, width, height }: Grey): Bits {
  const sums = new Float64Array((width + 1) * (height + 1));
  for (let y = 0; y < height; y++) {
    let row = 0;
    for (let x = 0; x < width; x++) {
      row += data[y * width + x]!;
      sums[(y + 1) * (width + 1) + x + 1] = sums[y * (width + 1) + x + 1]! + row;
    }
  }
  const reach = Math.max(8, Math.min(width, height) >> 3);
  const dark = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const [top, bottom] = [Math.max(0, y - reach), Math.min(height, y + reach)];
    for (let x = 0; x < width; x++) {
      const [left, right] = [Math.max(0, x - reach), Math.min(width, x + reach)];
      const sum = sums[bottom * (width + 1) + right]! - sums[top * (width + 1) + right]! - sums[bottom * (width + 1) + left]! + sums[top * (width + 1) + left]!;
      const mean = sum / ((bottom - top) * (right - left));
      // A little darker than the mean: an even wall is no noise.
      if (data[y * width + x]! < mean * 0.92 - 2) dark[y * width + x] = 1;
    }
  }
  return { at: (x, y) => x >= 0 && y >= 0 && x < width && y < height && dark[y * width + x] === 1, width, height };
}

/** Dark, light, dark, light, dark as 1:1:3:1:1: the side of a square where it is so, else 0. */
function ratio(runs: number[]): number {
  const [a, b, c, d, e] = runs as [number, number, number, number, number];
  const all = a + b + c + d + e;
  if (all < 7) return 0;
  const size = all / 7;
  const near = (run: number, times: number) => Math.abs(run - times * size) < times * size * 0.6;
  return near(a, 1) && near(b, 1) && near(c, 3) && near(d, 1) && near(e, 1) ? size : 0;
}

/** The middle of a finder that a line crosses, as seen by the line across; null where it is none. */
function across(bits: Bits, x: number, y: number, dx: number, dy: number, size: number): { middle: number; size: number } | null {
  const runs = [0, 0, 0, 0, 0];
  const longest = size * 6;
  const walk = (sign: number, order: number[]) => {
    let step = sign > 0 ? 1 : 0;
    for (const [index, run] of order.entries()) {
      const dark = index % 2 === 0;
      while (bits.at(x + sign * step * dx, y + sign * step * dy) === dark) {
        if (++runs[run]! > longest) return -1;
        step++;
        if (x + sign * step * dx < 0 || y + sign * step * dy < 0 || x + sign * step * dx >= bits.width || y + sign * step * dy >= bits.height) break;
      }
    }
    return step;
  };
  const before = walk(-1, [2, 1, 0]);
  const after = walk(1, [2, 3, 4]);
  if (before < 0 || after < 0) return null;
  const found = ratio(runs);
  if (found === 0) return null;
  return { middle: after - runs[4]! - runs[3]! - runs[2]! / 2 - 0.5, size: found };
}

/** The marks of the corners, those most often crossed first. */
function finders(bits: Bits): Finder[] {
  const found: Finder[] = [];
  const step = bits.height > 600 ? 2 : 1;
  for (let y = 0; y < bits.height; y += step) {
    const runs: number[] = [];
    let run = 0;
    let dark = false;
    for (let x = 0; x <= bits.width; x++) {
      const now = x < bits.width && bits.at(x, y);
      if (now === dark && x < bits.width) {
        run++;
        continue;
      }
      runs.push(run);
      // Five runs that end with a dark one.
      if (dark && runs.length >= 5) {
        const last = runs.slice(-5);
        const size = ratio(last);
        if (size > 0) {
          const middle = Math.round(x - last[4]! - last[3]! - last[2]! / 2 - 0.5);
          note(bits, found, middle, y, size);
        }
      }
      [run, dark] = [1, now];
    }
  }
  return found
    .filter((one) => one.seen >= 2)
    .sort((one, other) => other.seen - one.seen)
    .slice(0, 7);
}

function note(bits: Bits, found: Finder[], x: number, y: number, size: number): void {
  const down = across(bits, x, y, 0, 1, size);
  if (!down) return;
  const middle = y + down.middle;
  const level = across(bits, x, Math.round(middle), 1, 0, size);
  if (!level) return;
  const at = { x: x + level.middle, y: middle };
  const side = (down.size + level.size) / 2;
  const known = found.find((one) => Math.hypot(one.x - at.x, one.y - at.y) < side * 2.5 && Math.abs(one.size - side) < side);
  if (!known) found.push({ ...at, size: side, seen: 1 });
  else {
    const n = known.seen;
    known.x = (known.x * n + at.x) / (n + 1);
    known.y = (known.y * n + at.y) / (n + 1);
    known.size = (known.size * n + side) / (n + 1);
    known.seen++;
  }
}

const far = (one: Point, other: Point) => Math.hypot(one.x - other.x, one.y - other.y);

/** Reads what stands between three marks, if they are a code's. */
function between(bits: Bits, three: [Finder, Finder, Finder]): string | null {
  const sizes = three.map((one) => one.size);
  if (Math.max(...sizes) > Math.min(...sizes) * 2.2) return null;
  // The corner is opposite the longest side; the others follow it clockwise.
  const [a, b, c] = three;
  const sides: [number, Finder, Finder, Finder][] = [[far(b, c), a, b, c], [far(a, c), b, a, c], [far(a, b), c, a, b]];
  const [, corner, one, other] = sides.sort((left, right) => right[0] - left[0])[0]!;
  const turn = (one.x - corner.x) * (other.y - corner.y) - (one.y - corner.y) * (other.x - corner.x);
  const [right, below] = turn > 0 ? [one, other] : [other, one];
  const [level, down] = [far(corner, right), far(corner, below)];
  if (Math.max(level, down) > Math.min(level, down) * 2) return null;
  const squares = (level / ((corner.size + right.size) / 2) + down / ((corner.size + below.size) / 2)) / 2 + 7;
  const guess = Math.round((squares - 17) / 4);
  for (const version of [guess, guess - 1, guess + 1]) {
    if (version < 1 || version > BLOCKS.length) continue;
    const text = sampled(bits, version, corner, right, below);
    if (text !== null) return text;
  }
  return null;
}

function sampled(bits: Bits, version: number, corner: Point, right: Point, below: Point): string | null {
  const size = version * 4 + 17;
  const flat = { x: right.x + below.x - corner.x, y: right.y + below.y - corner.y };
  const from: Point[] = [{ x: 3.5, y: 3.5 }, { x: size - 3.5, y: 3.5 }, { x: 3.5, y: size - 3.5 }, { x: size - 3.5, y: size - 3.5 }];
  const plain = mapping(from, [corner, right, below, flat]);
  if (!plain) return null;
  const tries = [plain];
  if (version > 1) {
    // The small mark near the fourth corner says how the picture is tilted.
    const mark = aligned(bits, plain, size);
    const tilted = mark && mapping([from[0]!, from[1]!, from[2]!, { x: size - 6.5, y: size - 6.5 }], [corner, right, below, mark]);
    if (tilted) tries.unshift(tilted);
  }
  for (const map of tries) {
    const grid: boolean[][] = [];
    for (let y = 0; y < size; y++) {
      const row: boolean[] = [];
      for (let x = 0; x < size; x++) {
        let dark = 0;
        for (const [dx, dy] of [[0.5, 0.5], [0.35, 0.5], [0.65, 0.5], [0.5, 0.35], [0.5, 0.65]] as const) {
          const at = map(x + dx, y + dy);
          if (bits.at(Math.round(at.x), Math.round(at.y))) dark++;
        }
        row.push(dark >= 3);
      }
      grid.push(row);
    }
    const text = read(grid, version);
    if (text !== null) return text;
  }
  return null;
}

/** Where the small mark is, near where it would be in a picture that is not tilted. */
function aligned(bits: Bits, map: (x: number, y: number) => Point, size: number): Point | null {
  const looks = (dx: number, dy: number) => {
    let right = 0;
    for (let y = -2; y <= 2; y++) for (let x = -2; x <= 2; x++) {
      const at = map(size - 6.5 + dx + x, size - 6.5 + dy + y);
      const dark = Math.max(Math.abs(x), Math.abs(y)) !== 1;
      if (bits.at(Math.round(at.x), Math.round(at.y)) === dark) right++;
    }
    return right;
  };
  let best = { right: 0, dx: 0, dy: 0 };
  const reach = Math.max(3, size / 8);
  for (let dy = -reach; dy <= reach; dy += 0.25) for (let dx = -reach; dx <= reach; dx += 0.25) {
    const right = looks(dx, dy);
    if (right > best.right || (right === best.right && Math.hypot(dx, dy) < Math.hypot(best.dx, best.dy))) best = { right, dx, dy };
  }
  if (best.right < 21) return null;
  // The middle of all that look as good.
  let [x, y, n] = [0, 0, 0];
  for (let dy = -0.75; dy <= 0.75; dy += 0.25) for (let dx = -0.75; dx <= 0.75; dx += 0.25) {
    if (looks(best.dx + dx, best.dy + dy) < best.right) continue;
    [x, y, n] = [x + best.dx + dx, y + best.dy + dy, n + 1];
  }
  return map(size - 6.5 + x / n, size - 6.5 + y / n);
}

/** The projection that brings four points to four others. */
function mapping(from: Point[], to: Point[]): ((x: number, y: number) => Point) | null {
  // Eight unknowns of a projection, by elimination.
  const rows: number[][] = [];
  from.forEach((one, at) => {
    const { x, y } = to[at]!;
    rows.push([one.x, one.y, 1, 0, 0, 0, -one.x * x, -one.y * x, x], [0, 0, 0, one.x, one.y, 1, -one.x * y, -one.y * y, y]);
  });
  for (let column = 0; column < 8; column++) {
    let pivot = column;
    for (let row = column + 1; row < 8; row++) if (Math.abs(rows[row]![column]!) > Math.abs(rows[pivot]![column]!)) pivot = row;
    if (Math.abs(rows[pivot]![column]!) < 1e-9) return null;
    [rows[column], rows[pivot]] = [rows[pivot]!, rows[column]!];
    for (let row = 0; row < 8; row++) {
      if (row === column) continue;
      const factor = rows[row]![column]! / rows[column]![column]!;
      for (let at = column; at < 9; at++) rows[row]![at]! -= factor * rows[column]![at]!;
    }
  }
  const [a, b, c, d, e, f, g, h] = rows.map((row, at) => row[8]! / row[at]!) as [number, number, number, number, number, number, number, number];
  return (x, y) => {
    const w = g * x + h * y + 1;
    return { x: (a * x + b * y + c) / w, y: (d * x + e * y + f) / w };
  };
}

/** The mask that the format names; null where it is none of error correction M. */
function maskOf(grid: boolean[][]): number | null {
  const size = grid.length;
  let [one, other] = [0, 0];
  for (let at = 0; at < 15; at++) {
    if (grid[at < 6 ? at : at < 8 ? at + 1 : size - 15 + at]![8]) one |= 1 << at;
    if (grid[8]![at < 8 ? size - 1 - at : at < 9 ? 7 : 14 - at]) other |= 1 << at;
  }
  let best = { mask: -1, wrong: 4 };
  for (let mask = 0; mask < 8; mask++) {
    let rest = mask;
    for (let at = 0; at < 10; at++) rest = (rest << 1) ^ ((rest >> 9) * 0x537);
    const format = ((mask << 10) | rest) ^ 0x5412;
    for (const seen of [one, other]) {
      const wrong = (seen ^ format).toString(2).replaceAll("0", "").length;
      if (wrong < best.wrong) best = { mask, wrong };
    }
  }
  return best.mask < 0 ? null : best.mask;
}

function read(grid: boolean[][], version: number): string | null {
  const which = maskOf(grid);
  if (which === null) return null;
  const mask = MASKS[which]!;
  const fixed = pattern(version);
  const size = grid.length;
  const words: number[] = [];
  let bit = 0;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step++) {
      const y = ((right + 1) & 2) === 0 ? size - 1 - step : step;
      for (const x of [right, right - 1]) {
        if (fixed[y]![x] !== null) continue;
        const dark = grid[y]![x]! !== mask(y, x);
        words[bit >> 3] = ((words[bit >> 3] ?? 0) << 1) | (dark ? 1 : 0);
        bit++;
      }
    }
  }
  const [count, blocks] = BLOCKS[version - 1]!;
  const parts: number[][] = blocks.map(() => []);
  let from = 0;
  for (let at = 0; at < Math.max(...blocks); at++) blocks.forEach((length, part) => at < length && parts[part]!.push(words[from++] ?? 0));
  for (let at = 0; at < count; at++) for (const part of parts) part.push(words[from++] ?? 0);
  const data: number[] = [];
  for (const part of parts) {
    if (!mended(part, count)) return null;
    data.push(...part.slice(0, part.length - count));
  }
  return said(data, version);
}

const over = (one: number, other: number) => (one ? EXP[(LOG[one]! - LOG[other]! + 255) % 255]! : 0);
const valued = (powers: number[], x: number) => powers.reduceRight((sum, one) => times(sum, x) ^ one, 0);

/** Mends a block (Reed and Solomon, by Berlekamp, Massey and Forney); false where too much of it is wrong. */
function mended(block: number[], count: number): boolean {
  const syndromes: number[] = [];
  for (let at = 0; at < count; at++) syndromes.push(block.reduce((sum, one) => times(sum, EXP[at]!) ^ one, 0));
  if (syndromes.every((one) => one === 0)) return true;
  let locator = [1];
  let before = [1];
  let [length, gap, scale] = [0, 1, 1];
  for (let at = 0; at < count; at++) {
    let wrong = syndromes[at]!;
    for (let i = 1; i <= length; i++) wrong ^= times(locator[i] ?? 0, syndromes[at - i]!);
    if (wrong === 0) {
      gap++;
      continue;
    }
    const factor = over(wrong, scale);
    const next = [...locator];
    before.forEach((one, i) => (next[i + gap] = (next[i + gap] ?? 0) ^ times(one, factor)));
    for (let i = 0; i < next.length; i++) next[i] ??= 0;
    if (2 * length <= at) [length, before, scale, gap] = [at + 1 - length, locator, wrong, 1];
    else gap++;
    locator = next;
  }
  if (2 * length > count) return false;
  const places: number[] = [];
  for (let at = 0; at < block.length; at++) if (valued(locator, EXP[(255 - at) % 255]!) === 0) places.push(at);
  if (places.length !== length) return false;
  const evaluator: number[] = new Array<number>(count).fill(0);
  for (let i = 0; i < count; i++) for (let j = 0; j <= i; j++) evaluator[i]! ^= times(locator[j] ?? 0, syndromes[i - j]!);
  for (const place of places) {
    const inverse = EXP[(255 - place) % 255]!;
    let slope = 0;
    for (let i = 1; i < locator.length; i += 2) slope ^= times(locator[i]!, EXP[(LOG[inverse]! * (i - 1)) % 255]!);
    if (slope === 0) return false;
    block[block.length - 1 - place]! ^= times(EXP[place % 255]!, over(valued(evaluator, inverse), slope));
  }
  return true;
}

const LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/** Digits, letters and bytes, as they come one after the other. */
function said(data: number[], version: number): string | null {
  let at = 0;
  const take = (bits: number) => {
    let value = 0;
    for (let i = 0; i < bits; i++, at++) value = (value << 1) | (((data[at >> 3] ?? 0) >> (7 - (at & 7))) & 1);
    return value;
  };
  const bytes: number[] = [];
  const put = (text: string) => bytes.push(...new TextEncoder().encode(text));
  const long = version >= 10 ? 1 : 0;
  while (data.length * 8 - at >= 4) {
    const mode = take(4);
    if (mode === 0) break;
    if (mode === 1) {
      for (let left = take(long ? 12 : 10); left > 0; left -= 3) put(String(take(left >= 3 ? 10 : left === 2 ? 7 : 4)).padStart(Math.min(3, left), "0"));
    } else if (mode === 2) {
      for (let left = take(long ? 11 : 9); left > 0; left -= 2) {
        const pair = take(left >= 2 ? 11 : 6);
        put(left >= 2 ? (LETTERS[Math.floor(pair / 45)] ?? "") + (LETTERS[pair % 45] ?? "") : (LETTERS[pair] ?? ""));
      }
    } else if (mode === 4) {
      for (let left = take(long ? 16 : 8); left > 0 && at < data.length * 8; left--) bytes.push(take(8));
    } else if (mode === 7) take(8);
    else return null;
  }
  return new TextDecoder().decode(new Uint8Array(bytes));
}
