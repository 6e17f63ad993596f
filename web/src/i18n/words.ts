// The meeting's words: English is there at once, any other language is a file of its own, for nobody reads six.

import type { Language } from "./core.js";
import { en } from "./en.js";

export type Words = Record<keyof typeof en, string>;

const there: Partial<Record<Language, Words>> = { en };

/** The words of a language; English ones until those have come. */
export function wordsOf(language: Language): Words {
  return there[language] ?? en;
}

/** Has the words of a language come; false where they do not. */
export async function fetched(language: Language): Promise<boolean> {
  if (there[language]) return true;
  const file = `/${language}.js`;
  try {
    there[language] = ((await import(file)) as Record<Language, Words>)[language];
  } catch {
    // Whoever is here stays here, in the language that is there.
  }
  return there[language] !== undefined;
}
