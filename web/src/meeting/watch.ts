// What is seen is asked for, as large as it is seen.

import { wishes } from "./layout.js";
import { page, SLOTS } from "./page.js";
import type { Wish } from "./protocol.js";

let watched: Wish[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;

export function watchSoon(): void {
  clearTimeout(timer);
  timer = setTimeout(watch, 150);
}

/** Another peer connection shows nothing yet. */
export function unwatch(): void {
  watched = [];
}

function watch(): void {
  const { state, link } = page;
  if (state.phase !== "in" || state.link !== "live" || !link || document.hidden) return;
  const ratio = Math.min(devicePixelRatio || 1, 2);
  const tiles = [...document.querySelectorAll<HTMLElement>(".tile[data-person]")].map((tile) => ({
    participant: tile.dataset["person"] ?? "",
    source: tile.dataset["source"] === "screen" ? ("screen" as const) : ("camera" as const),
    large: tile.dataset["large"] !== undefined,
    height: Math.round(tile.clientHeight * ratio),
  }));
  const wanted = wishes(state, tiles, watched, Math.min(SLOTS, state.limits.video_slots));
  if (JSON.stringify(wanted) === JSON.stringify(watched)) return;
  watched = wanted;
  void link.ask({ type: "watch", slots: wanted }).catch(unwatch);
}
