// What the dialogs for a call that goes elsewhere want of the page that shows them: the meeting's, or the personal one.

import type { Values } from "../i18n/core.js";
import type { HandoverWords } from "../i18n/handover/words.js";
import type { HandoverAsked } from "./types.js";

/** Asks the node, and draws. */
export interface Asks {
  /** Whether it was done; what was refused is said by the page. */
  ask(message: HandoverAsked): Promise<boolean>;
  draw(): void;
}

export interface Host extends Asks {
  t(key: keyof HandoverWords, values?: Values): string;
  /** Closes the dialog. */
  dismiss(): void;
}
