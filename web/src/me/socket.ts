// The way to the node: one WebSocket, found again by itself.

import type { Message } from "./types.js";

/** Pauses between tries to connect, in ms. */
const PAUSES = [200, 1000, 2000, 4000, 8000, 15000];

/** How often the node is asked whether it is there. */
const EVERY = 15_000;

export class Socket {
  private socket: WebSocket | null = null;
  private next = 1;
  private readonly waiting = new Map<number, (answer: Message | null) => void>();
  private tries = 0;
  private heard = 0;
  private ended = false;

  constructor(
    private readonly url: string,
    private readonly hello: () => object,
    private readonly told: (message: Message) => void,
    private readonly there: (there: boolean) => void,
  ) {
    setInterval(() => this.probe(), EVERY);
    addEventListener("online", () => this.socket === null && this.open());
    addEventListener("pageshow", () => this.socket === null && this.open());
    this.open();
  }

  say(message: object): number {
    const id = this.next++;
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ ...message, id }));
    return id;
  }

  /** Says something, and waits for the answer; null where the way to the node is lost. What is answered is not told besides. */
  ask(message: object): Promise<Message | null> {
    if (this.socket?.readyState !== WebSocket.OPEN) return Promise.resolve(null);
    const id = this.say(message);
    return new Promise((answered) => this.waiting.set(id, answered));
  }

  /** No more is tried: the node does not know this link. */
  end(): void {
    this.ended = true;
    this.socket?.close();
  }

  private open(): void {
    if (this.ended) return;
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.addEventListener("open", () => this.say(this.hello()));
    socket.addEventListener("message", (event) => {
      this.heard = performance.now();
      let message: Message;
      try {
        message = JSON.parse(String(event.data)) as Message;
      } catch {
        return;
      }
      if (message.type === "me") {
        this.tries = 0;
        this.there(true);
      }
      const id = "id" in message ? message.id : null;
      const answered = typeof id === "number" ? this.waiting.get(id) : undefined;
      if (!answered || typeof id !== "number") return this.told(message);
      this.waiting.delete(id);
      answered(message);
    });
    socket.addEventListener("close", () => this.dropped(socket));
  }

  private probe(): void {
    const socket = this.socket;
    if (socket?.readyState !== WebSocket.OPEN) return;
    const asked = performance.now();
    this.say({ type: "ping" });
    setTimeout(() => this.socket === socket && this.heard < asked && socket.close(), 5000);
  }

  private dropped(socket: WebSocket): void {
    if (this.socket !== socket) return;
    this.socket = null;
    for (const answered of this.waiting.values()) answered(null);
    this.waiting.clear();
    if (this.ended) return;
    this.there(false);
    const pause = PAUSES[Math.min(this.tries++, PAUSES.length - 1)] ?? 15_000;
    setTimeout(() => this.socket === null && this.open(), pause * (0.75 + Math.random() / 2));
  }
}
