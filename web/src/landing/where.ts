// Where what somebody typed leads.

export type Destination = { path: string } | { wrong: "number_missing" | "foreign_link" };

/** A link of ours is followed; of a number, spaces and signs are dropped. It goes behind `#`, which no server sees and no log holds. */
export function destination(typed: string, origin: string): Destination {
  const text = typed.trim();
  if (text === "") return { wrong: "number_missing" };
  if (/^https?:/i.test(text) || text.startsWith(`${new URL(origin).host}/`)) {
    const url = parsed(/^https?:/i.test(text) ? text : `${new URL(origin).protocol}//${text}`);
    if (!url || url.host !== new URL(origin).host || !/^\/[jm]\/[^/]+$/.test(url.pathname)) return { wrong: "foreign_link" };
    return { path: url.pathname + url.hash };
  }
  const number = text.replace(/[\s().\-–#*]/g, "");
  if (!/^\d+$/.test(number)) return { wrong: "number_missing" };
  return { path: `/m/number#${new URLSearchParams({ passcode: number })}` };
}

function parsed(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}
