// Asking the node. Logged in by cookie: the header tells it that its own page asks.

import type { Happening, Problem } from "./console/types.js";

/** What the node refused. */
export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail);
  }
}

export async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { "X-Ringlift-Page": "1", Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      credentials: "same-origin",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    });
  } catch {
    throw new Refused({ title: "No connection", status: 0, detail: "The gateway cannot be reached." });
  }
  if (response.ok) return (response.status === 204 ? undefined : await response.json()) as T;
  throw new Refused(await problem(response));
}

async function problem(response: Response): Promise<Problem> {
  try {
    return (await response.json()) as Problem;
  } catch {
    return { title: response.statusText, status: response.status, detail: `The gateway answered ${response.status}.` };
  }
}

/** Silence after which the stream is taken for dead: the node says something every 15 seconds. */
const SILENCE = 35_000;

export interface Followed {
  opened(): void;
  happened(event: Happening): void;
  /** Events are missing: read everything anew. */
  gap(): void;
  /** The stream ended; `status` is what the node refused it with, 0 when the connection broke. */
  ended(status: number): void;
}

/** Follows the event log until the signal; goes on after `after` where given. */
export async function follow(after: number | null, told: Followed, signal: AbortSignal): Promise<void> {
  const stop = new AbortController();
  signal.addEventListener("abort", () => stop.abort(), { once: true });
  let silence = setTimeout(() => stop.abort(), SILENCE);
  let status = 0;
  try {
    const headers: Record<string, string> = after === null ? {} : { "Last-Event-ID": String(after) };
    const response = await fetch("/v1/events", { headers, credentials: "same-origin", cache: "no-store", signal: stop.signal });
    if (!response.ok || !response.body) {
      status = response.status;
      return;
    }
    told.opened();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(silence);
      silence = setTimeout(() => stop.abort(), SILENCE);
      text += value;
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        tell(text.slice(0, end), told);
        text = text.slice(end + 2);
      }
    }
  } catch {
    // A broken connection is told as an end.
  } finally {
    clearTimeout(silence);
    if (!signal.aborted) told.ended(status);
  }
}

function tell(message: string, told: Followed): void {
  let name = "message";
  let data = "";
  for (const line of message.split("\n")) {
    if (line.startsWith("event: ")) name = line.slice(7);
    if (line.startsWith("data: ")) data += line.slice(6);
  }
  if (name === "gap") told.gap();
  else if (name === "message" && data) told.happened(JSON.parse(data) as Happening);
}
