// Draws the page, and looks how much room the stage has.

import { h, patch, type Node } from "../dom.js";
import { act } from "./actions.js";
import { banners, tools, top } from "./bar.js";
import { dialog } from "./dialogs.js";
import { elevates } from "./elevate.js";
import { elevated } from "./elevated.js";
import type { App } from "./local.js";
import { drawnBy, draw, page, t } from "./page.js";
import { panel } from "./panel.js";
import { between, preview } from "./preview.js";
import { stageView } from "./stage.js";
import { watchSoon } from "./watch.js";

function render(): void {
  const root = document.getElementById("app");
  if (!root) return;
  const { state, local } = page;
  document.documentElement.lang = local.language;
  const app: App = { state, local, now: Date.now(), t, act };
  document.title = [state.unread > 0 ? `(${state.unread})` : "", state.room?.name ?? local.invitedTo?.room ?? t(elevates ? "elevate_title" : "ready"), "· Ringlift"].filter(Boolean).join(" ");
  patch(root, [...view(app), ...[dialog(app)].filter((one) => one !== null)]);
  const open = root.querySelector("dialog:not([open])");
  if (open instanceof HTMLDialogElement) open.showModal();
  for (const video of root.querySelectorAll("video")) if (video.paused) void video.play().catch(() => undefined);
  const stage = root.querySelector("#stage");
  if (stage && stage !== observed) {
    sizes.disconnect();
    sizes.observe(stage);
    observed = stage;
  }
  if (state.phase === "in") watchSoon();
}

function view(app: App): Node[] {
  const { phase } = app.state;
  if (phase === "preview" || phase === "joining") return elevates ? elevated(app) : preview(app);
  if (phase !== "in") return between(app);
  const side = panel(app);
  return [h("div", { class: side ? "meeting with-panel" : "meeting", key: "meeting" }, top(app), banners(app), h("main", { class: "middle" }, stageView(app), side), tools(app))];
}

let observed: Element | null = null;
const sizes = new ResizeObserver((entries) => {
  const box = entries.at(-1)?.contentRect;
  const { size } = page.local;
  if (!box || (Math.abs(box.width - size.width) < 1 && Math.abs(box.height - size.height) < 1)) return;
  page.local.size = { width: box.width, height: box.height };
  draw();
});

/** The newest line is seen, unless somebody reads further up. */
export function toEnd(always: boolean): void {
  const lines = document.getElementById("lines");
  if (lines && (always || lines.scrollHeight - lines.scrollTop - lines.clientHeight < 160)) lines.scrollTop = lines.scrollHeight;
}

/** From now on what changes is drawn. */
export function begin(): void {
  drawnBy(render);
  new MutationObserver(() => toEnd(false)).observe(document.getElementById("app") ?? document.body, { childList: true, subtree: true });
  draw();
}
