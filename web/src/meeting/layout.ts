// Where everybody is on the stage, and what of it is asked for. Pure.

import { present, sharing, type State } from "./model.js";
import type { Shown, Wish } from "./protocol.js";

export interface Tile {
  participant: string;
  source: "camera" | "screen";
  /** In the large place, beside which the others are a strip. */
  large: boolean;
}

export interface Grid {
  columns: number;
  rows: number;
  width: number;
  height: number;
}

/** Narrowest tile that still holds a name and a face, in pixels: on a telephone two stand side by side. */
const NARROWEST = 150;
const GAP = 8;

/** The columns that make tiles of about 16:9 (down to 4:5 on a tall screen) largest. */
export function grid(count: number, width: number, height: number): Grid {
  let best: Grid = { columns: 1, rows: 1, width: 0, height: 0 };
  for (let columns = 1; columns <= Math.max(1, count); columns++) {
    const rows = Math.ceil(count / columns);
    const wide = (width - GAP * (columns - 1)) / columns;
    const high = (height - GAP * (rows - 1)) / rows;
    if (wide <= 0 || high <= 0) continue;
    const tile = { columns, rows, width: Math.min(wide, high * (16 / 9)), height: Math.min(high, wide * (5 / 4)) };
    if (tile.width * tile.height > best.width * best.height) best = tile;
  }
  return { ...best, width: Math.floor(best.width), height: Math.floor(best.height) };
}

/** How many tiles have room. */
export function room(width: number, height: number): number {
  const columns = Math.max(1, Math.floor((width + GAP) / (NARROWEST + GAP)));
  const rows = Math.max(1, Math.floor((height + GAP) / (NARROWEST * 0.75 + GAP)));
  return Math.min(columns * rows, 49);
}

/**
 * Who is seen when not all have room: those seen before stay where they are; who speaks and is not among them takes the place
 * of the one silent for longest.
 */
export function seats(all: string[], before: string[], spoke: string[], count: number, keep: string[] = []): string[] {
  if (all.length <= count) return all;
  const there = new Set(all);
  const seen = before.filter((id) => there.has(id)).slice(0, count);
  for (const id of all) {
    if (seen.length >= count) break;
    if (!seen.includes(id)) seen.push(id);
  }
  const rank = (id: string) => {
    if (keep.includes(id)) return -1;
    const at = spoke.indexOf(id);
    return at < 0 ? Infinity : at;
  };
  for (const id of [...keep, ...spoke.slice(0, Math.max(1, count - 1))]) {
    if (!there.has(id) || seen.includes(id)) continue;
    let worst = 0;
    seen.forEach((other, at) => {
      if (rank(other) >= rank(seen[worst] ?? "")) worst = at;
    });
    if (rank(seen[worst] ?? "") > rank(id)) seen[worst] = id;
  }
  return seen;
}

export interface Stage {
  tiles: Tile[];
  /** How many people have no tile. */
  hidden: number;
}

/** What is on the stage, for a place of this size. */
export function stage(state: State, before: string[], width: number, height: number): Stage {
  const people = present(state).map((one) => one.id);
  const screen = sharing(state);
  const pinned = state.pinned !== null && people.includes(state.pinned) ? state.pinned : null;
  const large: Tile | null = screen
    ? { participant: screen.id, source: "screen", large: true }
    : pinned || state.view === "speaker"
      ? { participant: pinned ?? speaker(state, people), source: "camera", large: true }
      : null;
  const keep = state.you !== null ? [state.you] : [];
  if (!large || people.length < 2 && !screen) {
    const all = seats(people, before, state.spoke, room(width, height), keep);
    return { tiles: all.map((participant) => ({ participant, source: "camera", large: false })), hidden: people.length - all.length };
  }
  const others = people.filter((id) => large.source === "screen" || id !== large.participant);
  const beside = width > height;
  const along = beside ? Math.floor((height + GAP) / (116 + GAP)) : Math.floor((width + GAP) / (116 + GAP));
  const strip = seats(others, before, state.spoke, Math.max(1, along), keep);
  return { tiles: [large, ...strip.map((participant): Tile => ({ participant, source: "camera", large: false }))], hidden: others.length - strip.length };
}

/** Who speaks, or spoke last; of the others the first; alone oneself. */
function speaker(state: State, people: string[]): string {
  const other = (id: string) => id !== state.you && people.includes(id);
  return state.spoke.find(other) ?? people.find(other) ?? people[0] ?? "";
}

/** Heights that are asked for: steps, so that a window being dragged does not ask sixty times a second. */
const STEPS = [90, 180, 360, 540, 720, 1080, 2160];

export function step(height: number): number {
  return STEPS.find((one) => one >= height - 8) ?? 2160;
}

/**
 * What is asked for: the tiles whose camera or screen is on, each in the slot it had. What has no slot left is not seen; large ones
 * come first.
 */
export function wishes(state: State, tiles: (Tile & { height: number })[], before: Wish[], slots: number): Wish[] {
  const wanted = tiles.filter(({ participant, source }) => {
    const one = state.people.get(participant);
    return participant !== state.you && one && !one.away && (source === "screen" ? one.screen_on : one.camera_on);
  });
  wanted.sort((one, other) => Number(other.large) - Number(one.large));
  const chosen = wanted.slice(0, slots);
  const same = (one: { participant: string; source: string }, other: { participant: string; source: string }) => one.participant === other.participant && one.source === other.source;
  const taken = new Set<number>();
  const kept = chosen.map((tile) => {
    const had = before.find((wish) => same(wish, tile) && wish.slot < slots);
    if (had) taken.add(had.slot);
    return had?.slot;
  });
  let free = 0;
  return chosen
    .map((tile, at) => {
      let slot = kept[at];
      if (slot === undefined) {
        while (taken.has(free)) free++;
        taken.add(free);
        slot = free;
      }
      return { slot, participant: tile.participant, source: tile.source, height: step(tile.height) };
    })
    .sort((one, other) => one.slot - other.slot);
}

/** The slot in which this is seen now, if any: by what the node says it sends, not by what was asked. */
export function slotOf(shown: Shown[], participant: string, source: "camera" | "screen"): number | null {
  const found = shown.find((one) => one.participant === participant && one.source === source && one.layer !== null);
  return found ? found.slot : null;
}
