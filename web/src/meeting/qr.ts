// A QR code (ISO/IEC 18004) of a link: byte mode, error correction M, versions 1 to 10 (213 bytes).

/** Per version: error-correcting codewords per block, and the data codewords of each block. */
export const BLOCKS: [number, number[]][] = [
  [10, [16]],
  [16, [28]],
  [26, [44]],
  [18, [32, 32]],
  [24, [43, 43]],
  [16, [27, 27, 27, 27]],
  [18, [31, 31, 31, 31]],
  [22, [38, 38, 39, 39]],
  [22, [36, 36, 36, 37, 37]],
  [26, [43, 43, 43, 43, 44]],
];

/** Where the small squares are. */
export const ALIGNED: number[][] = [[], [6, 18], [6, 22], [6, 26], [6, 30], [6, 34], [6, 22, 38], [6, 24, 42], [6, 26, 46], [6, 28, 50]];

export const EXP: number[] = [];
export const LOG: number[] = [];
for (let at = 0, value = 1; at < 255; at++) {
  EXP[at] = value;
  LOG[value] = at;
  value = value << 1 ^ (value > 127 ? 0x11d : 0);
}

export function times(one: number, other: number): number {
  return one && other ? EXP[(LOG[one]! + LOG[other]!) % 255]! : 0;
}

function correction(data: number[], count: number): number[] {
  let generator = [1];
  for (let at = 0; at < count; at++) {
    const next = new Array<number>(generator.length + 1).fill(0);
    generator.forEach((factor, power) => {
      next[power]! ^= factor;
      next[power + 1]! ^= times(factor, EXP[at]!);
    });
    generator = next;
  }
  const rest = [...data, ...new Array<number>(count).fill(0)];
  for (let at = 0; at < data.length; at++) {
    const factor = rest[at]!;
    if (factor) generator.forEach((one, power) => (rest[at + power]! ^= times(one, factor)));
  }
  return rest.slice(data.length);
}

function codewords(bytes: Uint8Array, version: number): number[] {
  const [count, blocks] = BLOCKS[version - 1]!;
  const room = blocks.reduce((sum, one) => sum + one, 0);
  const bits: number[] = [];
  const push = (value: number, length: number) => {
    for (let at = length - 1; at >= 0; at--) bits.push(value >> at & 1);
  };
  push(4, 4);
  push(bytes.length, version < 10 ? 8 : 16);
  bytes.forEach((byte) => push(byte, 8));
  push(0, Math.min(4, room * 8 - bits.length));
  while (bits.length % 8) bits.push(0);
  const data: number[] = [];
  for (let at = 0; at < bits.length; at += 8) data.push(bits.slice(at, at + 8).reduce((sum, bit) => sum * 2 + bit, 0));
  for (let pad = 0xec; data.length < room; pad ^= 0xec ^ 0x11) data.push(pad);
  let from = 0;
  const parts = blocks.map((length) => data.slice(from, (from += length)));
  const checks = parts.map((part) => correction(part, count));
  const woven: number[] = [];
  for (let at = 0; at < Math.max(...blocks); at++) for (const part of parts) if (at < part.length) woven.push(part[at]!);
  for (let at = 0; at < count; at++) for (const check of checks) woven.push(check[at]!);
  return woven;
}

type Grid = (boolean | null)[][];

export function pattern(version: number): Grid {
  const size = version * 4 + 17;
  const grid: Grid = Array.from({ length: size }, () => new Array<boolean | null>(size).fill(null));
  const put = (y: number, x: number, dark: boolean) => {
    const row = grid[y];
    if (row && x >= 0 && x < size) row[x] = dark;
  };
  for (const [cy, cx] of [[3, 3], [3, size - 4], [size - 4, 3]] as const) {
    for (let y = -4; y <= 4; y++) for (let x = -4; x <= 4; x++) {
      const far = Math.max(Math.abs(y), Math.abs(x));
      put(cy + y, cx + x, far !== 2 && far !== 4);
    }
  }
  for (let at = 8; at < size - 8; at++) {
    put(6, at, at % 2 === 0);
    put(at, 6, at % 2 === 0);
  }
  const aligned = ALIGNED[version - 1]!;
  for (const cy of aligned) for (const cx of aligned) {
    const corner = (cy === 6 && cx === 6) || (cy === 6 && cx === size - 7) || (cy === size - 7 && cx === 6);
    if (!corner) for (let y = -2; y <= 2; y++) for (let x = -2; x <= 2; x++) put(cy + y, cx + x, Math.max(Math.abs(y), Math.abs(x)) !== 1);
  }
  // Room for the format, and for the version from 7 on.
  for (let at = 0; at < 9; at++) {
    if (at !== 6) {
      put(8, at, false);
      put(at, 8, false);
    }
    if (at < 8) {
      put(8, size - 1 - at, false);
      put(size - 1 - at, 8, false);
    }
  }
  put(size - 8, 8, true);
  if (version >= 7) {
    let rest = version;
    for (let at = 0; at < 12; at++) rest = rest << 1 ^ (rest >> 11) * 0x1f25;
    const bits = version << 12 | rest;
    for (let at = 0; at < 18; at++) {
      const dark = (bits >> at & 1) === 1;
      put(Math.floor(at / 3), size - 11 + (at % 3), dark);
      put(size - 11 + (at % 3), Math.floor(at / 3), dark);
    }
  }
  return grid;
}

export const MASKS: ((y: number, x: number) => boolean)[] = [
  (y, x) => (y + x) % 2 === 0,
  (y) => y % 2 === 0,
  (_y, x) => x % 3 === 0,
  (y, x) => (y + x) % 3 === 0,
  (y, x) => (Math.floor(y / 2) + Math.floor(x / 3)) % 2 === 0,
  (y, x) => ((y * x) % 2) + ((y * x) % 3) === 0,
  (y, x) => (((y * x) % 2) + ((y * x) % 3)) % 2 === 0,
  (y, x) => (((y + x) % 2) + ((y * x) % 3)) % 2 === 0,
];

function penalty(grid: boolean[][]): number {
  const size = grid.length;
  let sum = 0;
  let dark = 0;
  const finder = [true, false, true, true, true, false, true, false, false, false, false];
  for (let a = 0; a < size; a++) {
    for (const at of [(b: number) => grid[a]![b]!, (b: number) => grid[b]![a]!]) {
      let run = 0;
      for (let b = 0; b < size; b++) {
        run = b > 0 && at(b) === at(b - 1) ? run + 1 : 1;
        if (run === 5) sum += 3;
        else if (run > 5) sum += 1;
        if (b + 11 <= size && (finder.every((one, c) => at(b + c) === one) || finder.every((one, c) => at(b + 10 - c) === one))) sum += 40;
      }
    }
    for (let b = 0; b < size; b++) {
      if (grid[a]![b]) dark++;
      if (a && b && grid[a]![b] === grid[a - 1]![b] && grid[a]![b] === grid[a]![b - 1] && grid[a]![b] === grid[a - 1]![b - 1]) sum += 3;
    }
  }
  return sum + Math.floor(Math.abs((dark * 20) / (size * size) - 10)) * 10;
}

/** The code, true where it is dark; null where the text is too long. */
export function qr(text: string): boolean[][] | null {
  const bytes = new TextEncoder().encode(text);
  const version = BLOCKS.findIndex(([, blocks], at) => bytes.length + (at < 9 ? 2 : 3) <= blocks.reduce((sum, one) => sum + one, 0)) + 1;
  if (version === 0) return null;
  const fixed = pattern(version);
  const size = fixed.length;
  const words = codewords(bytes, version);
  let best: boolean[][] | null = null;
  let least = Infinity;
  MASKS.forEach((mask, which) => {
    const grid = fixed.map((row) => [...row]);
    let bit = 0;
    for (let right = size - 1; right >= 1; right -= 2) {
      if (right === 6) right = 5;
      for (let step = 0; step < size; step++) {
        const y = (right + 1 & 2) === 0 ? size - 1 - step : step;
        for (const x of [right, right - 1]) {
          if (fixed[y]![x] !== null) continue;
          const dark = ((words[bit >> 3] ?? 0) >> (7 - (bit & 7)) & 1) === 1;
          grid[y]![x] = dark !== mask(y, x);
          bit++;
        }
      }
    }
    // The format: error correction M is 00, then the mask, with its own correction.
    let rest = which;
    for (let at = 0; at < 10; at++) rest = rest << 1 ^ (rest >> 9) * 0x537;
    const format = (which << 10 | rest) ^ 0x5412;
    for (let at = 0; at < 15; at++) {
      const dark = (format >> at & 1) === 1;
      grid[at < 6 ? at : at < 8 ? at + 1 : size - 15 + at]![8] = dark;
      grid[8]![at < 8 ? size - 1 - at : at < 9 ? 7 : 14 - at] = dark;
    }
    const whole = grid as boolean[][];
    const cost = penalty(whole);
    if (cost < least) [best, least] = [whole, cost];
  });
  return best;
}

/** The same as one path in a square of `size + 8`, with the quiet zone around. */
export function path(code: boolean[][]): string {
  return code.map((row, y) => row.map((dark, x) => (dark ? `M${x + 4} ${y + 4}h1v1h-1z` : "")).join("")).join("");
}
