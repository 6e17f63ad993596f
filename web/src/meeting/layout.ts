// Where everybody is on the stage, and what of it is asked for. Pure.

import { present, sharing, type State } from "./model.js";
import type { Shown, Wish } from "./protocol.js";

export interface Tile {
  participant: string;
  source: "camera" | "screen";
  /** In the large place, beside which the others are a strip. */
  large: boolean;
}

/** Where a tile is on the stage, in pixels. */
export interface Place {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Narrowest tile that still holds a name and a face, in pixels: on a telephone two stand side by side. */
const NARROWEST = 150;
const GAP = 8;

/** The tiles that are largest in this room: of about 16:9, up to 4:5 on a tall screen. A last row that is not full stands in the middle. */
export function grid(count: number, width: number, height: number): Place[] {
  let best = { columns: 1, rows: 1, width: 0, height: 0 };
  for (let columns = 1; columns <= Math.max(1, count); columns++) {
    const rows = Math.ceil(count / columns);
    const wide = (width - GAP * (columns - 1)) / columns;
    const high = (height - GAP * (rows - 1)) / rows;
    if (wide <= 0 || high <= 0) continue;
    const tile = { columns, rows, width: Math.floor(Math.min(wide, high * (16 / 9))), height: Math.floor(Math.min(high, wide * (5 / 4))) };
    if (tile.width * tile.height > best.width * best.height) best = tile;
  }
  const top = (height - best.rows * (best.height + GAP) + GAP) / 2;
  return Array.from({ length: count }, (_, at) => {
    const row = Math.floor(at / best.columns);
    const inRow = Math.min(best.columns, count - row * best.columns);
    const left = (width - inRow * (best.width + GAP) + GAP) / 2;
    return { x: Math.round(left + (at % best.columns) * (best.width + GAP)), y: Math.round(top + row * (best.height + GAP)), width: best.width, height: best.height };
  });
}

/** How many tiles have room in a grid: no more than a page is looked over at once. */
function room(width: number, height: number): number {
  const columns = Math.max(1, Math.floor((width + GAP) / (NARROWEST + GAP)));
  const rows = Math.max(1, Math.floor((height + GAP) / (NARROWEST * 0.75 + GAP)));
  return Math.min(columns * rows, 49);
}

/** One large, and a strip of cells beside or below it. */
function withLarge(width: number, height: number): { large: Place; cells: Place[] } {
  const beside = width > height;
  const wide = beside ? Math.floor(Math.min(240, Math.max(130, width * 0.17))) : Math.floor((width - 2 * GAP) / Math.max(3, Math.floor(width / 180)));
  const high = Math.floor(beside ? wide * (9 / 16) : Math.min(wide * 0.8, height * 0.2));
  const count = Math.max(1, beside ? Math.floor((height + GAP) / (high + GAP)) : Math.floor((width + GAP) / (wide + GAP)));
  const cells = Array.from({ length: count }, (_, at) => (beside ? { x: width - wide, y: at * (high + GAP), width: wide, height: high } : { x: at * (wide + GAP), y: height - high, width: wide, height: high }));
  return { large: beside ? { x: 0, y: 0, width: width - wide - GAP, height } : { x: 0, y: 0, width, height: height - high - GAP }, cells };
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
  tiles: (Tile & Place)[];
  /** How many people have no tile beside what is large, and where that is said. */
  hidden: number;
  rest: Place | null;
  /** Which page of the grid is shown, from 0, and how many there are. */
  page: number;
  pages: number;
  /** Who is on the first page, to be given as `before` the next time. */
  first: string[];
}

/** Height of what turns the pages, below the grid. */
export const PAGER = 52;

/** Most tiles of one page: where more cameras are on than can be shown, a page has as many as can, and oneself. */
function most(state: State, slots: number): number {
  const cameras = present(state).filter((one) => one.camera_on && one.id !== state.you).length;
  return cameras > slots ? slots + 1 : 49;
}

/**
 * The grid: where not all have room, its first page has oneself and whoever speaks, the others come after it in the order of
 * arrival. While a later page is looked at nobody changes pages.
 */
function paged(state: State, people: string[], before: string[], width: number, height: number, at: number, slots: number): Stage {
  const keep = state.you !== null ? [state.you] : [];
  const limit = most(state, slots);
  const whole = people.length <= Math.min(room(width, height), limit);
  const space = whole ? people.length : Math.min(room(width, height - PAGER), limit);
  const first = seats(people, before, at > 0 ? [] : state.spoke, space, keep);
  const later = people.filter((id) => !first.includes(id));
  const pages = 1 + Math.ceil(later.length / Math.max(1, space));
  const page = Math.min(Math.max(0, at), pages - 1);
  const shown = page === 0 ? first : later.slice((page - 1) * space, page * space);
  const cells = grid(shown.length, width, whole ? height : height - PAGER);
  const nowhere = { x: 0, y: 0, width: 0, height: 0 };
  return { tiles: shown.map((participant, index) => ({ participant, source: "camera" as const, large: false, ...(cells[index] ?? nowhere) })), hidden: people.length - shown.length, rest: null, page, pages, first };
}

/** What is on the stage, for a place of this size, with so many slots for video. */
export function stage(state: State, before: string[], width: number, height: number, at = 0, slots = 9): Stage {
  const people = present(state).map((one) => one.id);
  const screen = sharing(state);
  const pinned = state.pinned !== null && people.includes(state.pinned) ? state.pinned : null;
  const keep = state.you !== null ? [state.you] : [];
  const chosen: Tile | null = screen
    ? { participant: screen.id, source: "screen", large: true }
    : (pinned !== null || state.view === "speaker") && people.length > 1
      ? { participant: pinned ?? speaker(state, people), source: "camera", large: true }
      : null;
  const others = chosen?.source === "camera" ? people.filter((id) => id !== chosen.participant) : people;
  if (!chosen) return paged(state, others, before, width, height, at, slots);
  const { large, cells } = withLarge(width, height);
  // Where not all have room, the last place says how many more there are.
  const seen = seats(others, before, state.spoke, others.length > cells.length ? cells.length - 1 : cells.length, keep);
  const hidden = others.length - seen.length;
  const nowhere = { x: 0, y: 0, width: 0, height: 0 };
  const tiles = seen.map((participant, index) => ({ participant, source: "camera" as const, large: false, ...(cells[index] ?? nowhere) }));
  return { tiles: [{ ...chosen, ...large }, ...tiles], hidden, rest: hidden > 0 ? (cells[seen.length] ?? null) : null, page: 0, pages: 1, first: seen };
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
