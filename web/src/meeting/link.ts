// The way to the node: one WebSocket, found again by itself. Whoever uses it sees messages and whether it is there.

import type { Asked, Join, ServerMessage } from "./protocol.js";

/** Pauses between tries to connect, in ms: a switch of networks takes half a second, a restart a few, an outage longer. */
const PAUSES = [100, 500, 1000, 2000, 4000, 8000];

/** How often the node is asked whether it is there. More often: batteries. Less: a dead network is noticed late. */
const EVERY = 5000;

/** Silence after which the way is taken for dead. */
const PATIENCE = 4000;

/** A refusal by the node, or the want of an answer. */
export class Problem extends Error {
  constructor(
    readonly code: string,
    detail: string,
    readonly after: number | null = null,
  ) {
    super(detail);
  }
}

export interface Told {
  message(message: ServerMessage): void;
  /** Connected, and in. */
  joined(): void;
  lost(): void;
  /** The node does not let us in; no more is tried. */
  refused(problem: Problem): void;
}

type Answer = { done(message: ServerMessage): void; failed(problem: Problem): void };

export class Link {
  private socket: WebSocket | null = null;
  private waiting = new Map<number, Answer>();
  private next = 1;
  private tries = 0;
  private ended = false;
  private in = false;
  private heard = 0;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private readonly beat: ReturnType<typeof setInterval>;

  constructor(
    private readonly url: string,
    private readonly join: () => Join,
    private readonly told: Told,
  ) {
    this.beat = setInterval(() => this.probe(PATIENCE), EVERY);
    addEventListener("online", this.now);
    this.open();
  }

  /** Asks and waits for the answer; what is asked while the way is lost is refused. */
  ask(asked: Asked): Promise<ServerMessage> {
    const socket = this.socket;
    if (!socket || socket.readyState !== WebSocket.OPEN || (!this.in && asked.type !== "join")) {
      return Promise.reject(new Problem("no_connection", "no connection"));
    }
    const id = this.next++;
    socket.send(JSON.stringify({ ...asked, id }));
    return new Promise((done, failed) => this.waiting.set(id, { done, failed }));
  }

  /** Looks whether the node is there, and connects anew where it does not answer within this time. */
  probe(patience: number): void {
    const socket = this.socket;
    if (!socket || socket.readyState !== WebSocket.OPEN) return;
    const asked = performance.now();
    void this.ask({ type: "ping" }).catch(() => undefined);
    setTimeout(() => {
      if (this.socket === socket && this.heard < asked) this.dropped(socket);
    }, patience);
  }

  /** Tries at once. */
  readonly now = (): void => {
    if (this.ended) return;
    if (this.socket?.readyState === WebSocket.OPEN) this.probe(1000);
    else if (this.retry !== undefined) {
      this.tries = 0;
      this.open();
    }
  };

  close(): void {
    this.ended = true;
    clearInterval(this.beat);
    clearTimeout(this.retry);
    removeEventListener("online", this.now);
    const socket = this.socket;
    this.socket = null;
    socket?.close(1000);
    this.fail();
  }

  private open(): void {
    clearTimeout(this.retry);
    this.retry = undefined;
    const socket = new WebSocket(this.url);
    this.socket = socket;
    // A network that swallows everything never says no.
    const late = setTimeout(() => socket.readyState === WebSocket.CONNECTING && this.dropped(socket), 6000);
    socket.addEventListener("open", () => {
      clearTimeout(late);
      this.ask(this.join()).then(
        () => undefined,
        (problem: Problem) => this.refused(problem, socket),
      );
    });
    socket.addEventListener("message", (event) => this.socket === socket && this.hear(String(event.data)));
    socket.addEventListener("close", () => {
      clearTimeout(late);
      this.dropped(socket);
    });
  }

  private refused(problem: Problem, socket: WebSocket): void {
    if (this.socket !== socket || problem.code === "no_connection") return;
    // What passes: the node goes out of service, or too much was asked for. Everything else stays true.
    if (problem.code === "draining" || problem.code === "too_often") return this.dropped(socket);
    this.close();
    this.told.refused(problem);
  }

  private hear(text: string): void {
    this.heard = performance.now();
    let message: ServerMessage;
    try {
      message = JSON.parse(text) as ServerMessage;
    } catch {
      return;
    }
    const id = "id" in message ? message.id : null;
    const answer = typeof id === "number" ? this.waiting.get(id) : undefined;
    if (message.type === "welcome") {
      this.in = true;
      this.tries = 0;
    }
    this.told.message(message);
    if (message.type === "welcome") this.told.joined();
    if (!answer || typeof id !== "number") return;
    this.waiting.delete(id);
    if (message.type === "problem") answer.failed(new Problem(message.code, message.detail, message.after_ms ?? null));
    else answer.done(message);
  }

  private dropped(socket: WebSocket): void {
    if (this.socket !== socket || this.ended) return;
    this.socket = null;
    this.in = false;
    socket.close();
    this.fail();
    const pause = PAUSES[Math.min(this.tries++, PAUSES.length - 1)] ?? 8000;
    // Not all at once after a restart.
    const wait = pause * (0.75 + Math.random() / 2);
    this.retry = setTimeout(() => this.open(), wait);
    this.told.lost();
  }

  private fail(): void {
    const all = [...this.waiting.values()];
    this.waiting.clear();
    all.forEach((one) => one.failed(new Problem("no_connection", "no connection")));
  }
}
