// What the personal page knows, and how it asks, says and draws.

import type { Host } from "../handover/host.js";
import type { Callback, CodeProgress, OwnDevice } from "../handover/types.js";
import { current, fill, type Values } from "../i18n/core.js";
import type { Socket } from "./socket.js";
import type { Asked, Me } from "./types.js";
import { type MeWords, words } from "./words.js";

export type Dialog = { kind: "code" | "call_me"; call: string } | { kind: "forget"; device: string };

export const page = {
  language: current(),
  me: null as Me | null,
  asked: null as Asked | null,
  /** The way to the node is there. */
  there: false,
  /** Why this link opens nothing. */
  dead: "",
  notice: null as { text: string; good: boolean } | null,
  dialog: null as Dialog | null,
  /** Codes of one's calls, and telephones that are called for them, the latest of each call. */
  codes: new Map<string, CodeProgress>(),
  callbacks: new Map<string, Callback>(),
  /** The device chosen for each call. */
  chosen: new Map<string, string>(),
  socket: null as Socket | null,
};

/** How long a notice is shown, in ms. */
const SHOWN = 8000;

let fades: ReturnType<typeof setTimeout> | undefined;
let look: () => void = () => undefined;

/** How the page is drawn. */
export function drawnBy(render: () => void): void {
  look = render;
}

export function draw(): void {
  look();
}

export const t = (key: keyof MeWords, values: Values = {}) => fill(page.language, words[page.language][key] ?? key, values);

export function say(text: string, good: boolean): void {
  page.notice = { text, good };
  clearTimeout(fades);
  fades = setTimeout(() => {
    page.notice = null;
    draw();
  }, SHOWN);
  draw();
}

/** Why the node refused, in words. */
export function problemWords(code: string, detail: string): string {
  const known = words[page.language][`problem_${code}` as keyof MeWords];
  return known ?? t("go_not_now", { why: detail });
}

/** A device of the person; none where a call went to somebody else's telephone. */
export function known(id: string | null | undefined): OwnDevice | undefined {
  return page.me?.devices.find((device) => device.id === id);
}

export function nameOf(id: string | null | undefined): string {
  return known(id)?.name ?? t("move_device");
}

export function open(dialog: Dialog): void {
  page.dialog = dialog;
  page.notice = null;
  draw();
}

export function dismiss(): void {
  const shown = document.querySelector<HTMLDialogElement>("dialog[open]");
  page.dialog = null;
  // The browser gives the focus back to where it was.
  shown?.close();
  draw();
}

/** The dialogs' host for one call: what they ask is asked for that one. */
export function hostOf(call: string): Host {
  return {
    t,
    draw,
    dismiss,
    async ask(message) {
      // What was refused before is of no interest any more.
      page.notice = null;
      const answer = await page.socket?.ask(message.type === "code_answer" || message.type === "code_withdraw" ? message : { ...message, call });
      if (answer?.type === "problem") say(problemWords(answer.code, answer.detail), false);
      return answer?.type === "done";
    },
  };
}
