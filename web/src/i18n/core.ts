// Which language, and how its words, numbers and times are written.

export const LANGUAGES = { en: "English", de: "Deutsch", es: "Español", fr: "Français", pt: "Português", zh: "中文" } as const;

export type Language = keyof typeof LANGUAGES;

const KEPT = "ringlift.language";

export function isLanguage(text: unknown): text is Language {
  return typeof text === "string" && text in LANGUAGES;
}

/** The first of the wanted languages that we have; English otherwise. */
export function choose(kept: string | null, wanted: readonly string[]): Language {
  if (isLanguage(kept)) return kept;
  for (const tag of wanted) {
    const primary = tag.toLowerCase().split("-")[0];
    if (isLanguage(primary)) return primary;
  }
  return "en";
}

export function remembered(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** Where a browser keeps nothing (private windows), nothing is kept. */
export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Asked again next time.
  }
}

export function current(): Language {
  return choose(remembered(KEPT), navigator.languages);
}

export function keep(language: Language): void {
  remember(KEPT, language);
}

export type Values = Record<string, string | number>;

/** Fills `{name}`; `{n|one|many}` takes the word for the number `n` in that language. */
export function fill(language: Language, text: string, values: Values = {}): string {
  return text.replace(/\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g, (whole, name: string, one?: string, many?: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    if (one !== undefined && many !== undefined) return new Intl.PluralRules(language).select(Number(value)) === "one" ? one : many;
    return typeof value === "number" ? new Intl.NumberFormat(language).format(value) : value;
  });
}

export function clock(language: Language, at: string | number): string {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? "" : new Intl.DateTimeFormat(language, { hour: "numeric", minute: "2-digit" }).format(time);
}
