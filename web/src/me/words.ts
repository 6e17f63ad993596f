// The words of the personal page, in every language.

import type { Language } from "../i18n/core.js";
import { handover, type HandoverWords } from "../i18n/handover/words.js";
import { de } from "./words/de.js";
import { en } from "./words/en.js";
import { es } from "./words/es.js";
import { fr } from "./words/fr.js";
import { pt } from "./words/pt.js";
import { zh } from "./words/zh.js";

export type MeWords = Record<keyof typeof en, string> & HandoverWords;

const own = { en, de, es, fr, pt, zh };

export const words = Object.fromEntries(Object.entries(own).map(([language, of]) => [language, { ...handover[language as Language], ...of }])) as Record<Language, MeWords>;
