// What the page that takes calls knows, and what it asks the node. No camera and nothing drawn in here.

/** What a code is for (docs/codes.md). */
export interface Info {
  kind: "take" | "give" | "call";
  name: string | null;
  person: string | null;
  /** By a printed code: somebody's telephone. */
  rings: boolean;
  confirm: "nobody" | "holder" | "holder_and_remote";
  channels: string[];
}

/** How far it is. */
export interface Claim {
  claim?: string;
  state: "shown" | "scanned" | "awaiting" | "transferred" | "refused" | "expired";
  reason?: string;
  confirm: Info["confirm"];
  channels: string[];
  /** What this device is to show. */
  link?: string;
  digits?: string;
  expires: string;
  name?: string;
  person?: string;
  /** For `join`: the call is ours. */
  ticket?: string;
}

/** A code as it was read. */
export type Read = { ticket: string } | { digits: string };

export class Refusal extends Error {
  constructor(
    readonly problem: string,
    readonly wait: number,
  ) {
    super(problem);
  }
}

/** Asks the node; what it refuses is a `Refusal` with the problem's short name. */
export async function post<T>(path: string, body: object): Promise<T> {
  const headers = { "Content-Type": "application/json", Accept: "application/json", "X-Ringlift-Page": "1" };
  let response: Response;
  try {
    response = await fetch(`/meet/codes/${path}`, { method: "POST", headers, credentials: "same-origin", cache: "no-store", body: JSON.stringify(body), signal: AbortSignal.timeout(15_000) });
  } catch {
    throw new Refusal("unreachable", 0);
  }
  if (response.status === 204) return undefined as T;
  const answer = (await response.json().catch(() => ({}))) as T & { type?: string };
  if (response.ok) return answer;
  // A name of the problem is the end of its type: code-expired.
  const problem = /:code-([a-z-]+)$/.exec(answer.type ?? "")?.[1]?.replaceAll("-", "_");
  throw new Refusal(problem ?? (response.status === 429 ? "too_many_attempts" : "failed"), Number(response.headers.get("Retry-After")) || 0);
}

/** Digits as they are typed: nothing else, and no more than there are. */
export function digitsOf(text: string): string {
  return text.replace(/\D/g, "").slice(0, 10);
}

/** Digits as they are read: in groups. */
export function grouped(digits: string): string {
  return digits.replace(/(\d{3})(?=\d)/g, "$1 ");
}
