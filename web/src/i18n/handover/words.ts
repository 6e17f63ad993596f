// The words for a call that goes to another device, in every language: in the meeting and on the personal page alike.

import type { Language } from "../core.js";
import { de } from "./de.js";
import { en } from "./en.js";
import { es } from "./es.js";
import { fr } from "./fr.js";
import { pt } from "./pt.js";
import { zh } from "./zh.js";

export type HandoverWords = Record<keyof typeof en, string>;

export const handover: Record<Language, HandoverWords> = { en, de, es, fr, pt, zh };
