// Keys: one letter each, where nobody types.

export interface Keys {
  active(): boolean;
  does: Record<string, () => void>;
  escape(): void;
  /** Space held and let go. */
  talk(on: boolean): void;
}

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

function presses(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("button, a, summary, [role=button]") !== null;
}

export function keys(all: Keys): void {
  addEventListener("keydown", (event) => {
    if (!all.active() || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") return all.escape();
    if (typing(event.target)) return;
    if (event.code === "Space") {
      if (presses(event.target)) return;
      event.preventDefault();
      if (!event.repeat) all.talk(true);
      return;
    }
    const does = event.repeat ? undefined : all.does[event.key.toLowerCase()];
    if (!does) return;
    event.preventDefault();
    does();
  });
  addEventListener("keyup", (event) => event.code === "Space" && all.talk(false));
  // Whoever lets go outside the window has let go.
  addEventListener("blur", () => all.talk(false));
}
