// What people are told in passing: read out, and where it matters seen for a while.

import { t } from "./page.js";
import type { Note } from "./model.js";

let quietAfter: ReturnType<typeof setTimeout> | undefined;
let clearAfter: ReturnType<typeof setTimeout> | undefined;

/** How long words that are only heard stay, in ms: shorter, and a slow reader misses them; what stays for good is read again whenever
 * the page is drawn anew around it. */
const HEARD = 3000;

/** Tells people something: read out, and where `seen` shown for a while. */
export function say(text: string, how: { seen?: boolean; wrong?: boolean } = {}): void {
  const heard = document.getElementById(how.seen === false ? "heard" : "said");
  if (!heard) return;
  heard.textContent = "";
  heard.textContent = text;
  if (how.seen === false) {
    clearTimeout(clearAfter);
    clearAfter = setTimeout(() => (heard.textContent = ""), HEARD);
    return;
  }
  heard.className = how.wrong ? "wrong-one" : "shown";
  // Shown anew, it is above a dialog that was opened since.
  if (heard.matches(":popover-open")) heard.hidePopover();
  heard.showPopover();
  clearTimeout(quietAfter);
  quietAfter = setTimeout(
    () => {
      heard.hidePopover();
      heard.textContent = "";
    },
    how.wrong ? 7000 : 4000,
  );
}

export function tell(notes: Note[]): void {
  for (const note of notes) say(t(note.say, note.values), { seen: note.seen });
}
