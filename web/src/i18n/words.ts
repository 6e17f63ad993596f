// The meeting's words in every language.

import type { Language } from "./core.js";
import { de } from "./de.js";
import { en } from "./en.js";
import { es } from "./es.js";
import { fr } from "./fr.js";
import { pt } from "./pt.js";
import { zh } from "./zh.js";

export type Words = Record<keyof typeof en, string>;

export const words: Record<Language, Words> = { en, de, es, fr, pt, zh };
