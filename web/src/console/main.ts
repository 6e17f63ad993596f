// The page: keeps the state, asks the node, shows what is.

import { ask, follow, Refused } from "../api.js";
import { type Child, patch } from "../dom.js";
import { showOnce } from "./forms.js";
import { type Anew, blank, called, happen, may, type State, withRoom } from "./model.js";
import type { Call, Did, Extension, Group, NodeStatus, Problem, Room, Session, Texts, Trunk } from "./types.js";
import { type Actions, view } from "./view.js";

/** How often figures of calls are read: they come from the media plane every five seconds. */
const CALLS_EVERY = 5000;

/** Pauses between tries to connect: a restart takes a second, an outage longer. */
const PAUSES = [500, 1000, 2000, 4000, 8000];

let state: State = blank;
let drawing = false;
let after: number | null = null;
let tries = 0;
let stop = new AbortController();
const pending = new Map<string, Anew>();

function change(next: Partial<State>): void {
  state = { ...state, ...next };
  draw();
}

function draw(): void {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    const app = document.getElementById("app");
    if (app) patch(app, [view(state, Date.now(), actions)].flat() as Exclude<Child, Child[] | number | null | false | undefined>[]);
    const busy = [...state.rooms.values()].reduce((sum, room) => sum + room.participants.length, 0);
    document.title = state.session && busy > 0 ? `(${busy}) Ringlift` : "Ringlift";
  });
}

/** Tells people something: seen for a while at the foot, and read out. */
function say(text: string, wrong = false): void {
  const said = document.getElementById("said");
  if (!said) return;
  said.textContent = capital(text);
  said.className = wrong ? "wrong" : "right";
  clearTimeout(saidUntil);
  saidUntil = setTimeout(() => (said.className = "hidden"), wrong ? 8000 : 3000);
}

/** Problems are written as clauses; alone they are sentences. */
function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

let saidUntil: ReturnType<typeof setTimeout> | undefined;

async function login(key: string): Promise<void> {
  const session = await ask<Session>("POST", "/v1/login", { key: key.trim() });
  // What was said of an earlier try is past.
  document.getElementById("said")?.classList.replace("wrong", "hidden");
  change({ ...blank, session });
  connect();
}

function logout(): void {
  stop.abort();
  void ask("POST", "/v1/logout").catch(() => undefined);
  after = null;
  change({ ...blank });
}

function connect(): void {
  stop.abort();
  stop = new AbortController();
  const signal = stop.signal;
  if (state.link !== "lost") change({ link: "connecting" });
  void follow(
    after,
    {
      opened() {
        tries = 0;
        if (state.link === "lost") say("Connected again");
        change({ link: "live", retryAt: null });
        void load();
      },
      happened(event) {
        after = event.seq;
        const [next, anew] = happen(state, event);
        state = next;
        anew.forEach(readSoon);
        draw();
      },
      gap: () => void load(),
      ended(status) {
        if (status === 401 || status === 403) {
          after = null;
          change({ ...blank });
          say(status === 401 ? "The login has ended. Log in again." : "This key may not follow events.", true);
          return;
        }
        const pause = PAUSES[Math.min(tries++, PAUSES.length - 1)] ?? 8000;
        if (state.link === "live") say("Connection lost. What you see may be old.", true);
        change({ link: "lost", retryAt: Date.now() + pause });
        setTimeout(() => {
          if (!signal.aborted) connect();
        }, pause);
      },
    },
    signal,
  );
}

async function load(): Promise<void> {
  await Promise.all((["status", "rooms", "calls", "texts"] as const).map(read));
  await readRouting();
}

async function readRouting(): Promise<void> {
  if (!may(state, "routing:read")) return;
  const list = <T>(path: string) => ask<{ items: T[] }>("GET", path).then((list) => list.items);
  const all = await Promise.all([list<Did>("/v1/dids"), list<Trunk>("/v1/trunks"), list<Extension>("/v1/extensions"), list<Group>("/v1/groups")]).catch(() => null);
  if (all) change({ dids: all[0], trunks: all[1], extensions: all[2], groups: all[3] });
}

/** Reads soon, and once, however many events ask for it. */
function readSoon(what: Anew): void {
  const key = typeof what === "string" ? what : what.room;
  if (pending.size === 0) {
    setTimeout(() => {
      const due = [...pending.values()];
      pending.clear();
      due.forEach((one) => void read(one));
    }, 150);
  }
  pending.set(key, what);
}

async function read(what: Anew): Promise<void> {
  try {
    if (what === "routing") await readRouting();
    else if (what === "texts") {
      if (may(state, "texts:read")) change({ texts: await ask<Texts>("GET", "/v1/texts?limit=20") });
    } else if (what === "status") change({ status: await ask<NodeStatus>("GET", "/v1/status") });
    else if (what === "calls") {
      if (may(state, "calls:read")) change({ calls: (await ask<{ items: Call[] }>("GET", "/v1/calls")).items });
    } else if (what === "rooms") {
      const rooms = (await ask<{ items: Room[] }>("GET", "/v1/rooms")).items;
      change({ rooms: new Map(rooms.map((room) => [room.settings.id, room])), loaded: true });
    } else {
      state = withRoom(state, await ask<Room>("GET", `/v1/rooms/${what.room}`));
      draw();
    }
  } catch (error) {
    if (typeof what !== "string" && error instanceof Refused && error.problem.status === 404) {
      const rooms = new Map(state.rooms);
      rooms.delete(what.room);
      change({ rooms });
    }
    // Whatever else is wrong shows as a lost connection.
  }
}

/** Does something and says what was refused. */
async function attempt(done: string | null, what: () => Promise<unknown>): Promise<boolean> {
  try {
    await what();
    if (done) say(done);
    return true;
  } catch (error) {
    say(error instanceof Refused ? error.problem.detail : String(error), true);
    return false;
  }
}

/** Does something; what refused it goes back to the form. */
async function refusal(what: () => Promise<void>): Promise<Problem | null> {
  try {
    await what();
    return null;
  } catch (error) {
    return error instanceof Refused ? error.problem : { title: "", status: 0, detail: String(error) };
  }
}

function sure(question: string, verb: string): Promise<boolean> {
  const dialog = document.createElement("dialog");
  dialog.className = "ask";
  dialog.setAttribute("aria-label", question);
  const text = document.createElement("p");
  text.textContent = question;
  const form = document.createElement("form");
  form.method = "dialog";
  for (const [value, label, kind] of [["no", "Cancel", "plain"], ["yes", verb, "danger"]] as const) {
    const button = document.createElement("button");
    button.value = value;
    button.textContent = label;
    button.className = kind;
    form.append(button);
  }
  dialog.append(text, form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes");
      dialog.remove();
    });
  });
}

const actions: Actions = {
  login: (key) => attempt(null, () => login(key)),
  logout,
  retry: connect,
  search: (search) => change({ search }),
  open: (room) => change({ open: state.open === room ? null : room }),
  async toRoom(room, verb) {
    if (verb === "end" && !(await sure(`End “${room.settings.name}” for everyone?`, "End for all"))) return;
    await attempt(null, () => ask("POST", `/v1/rooms/${room.settings.id}/${verb}`));
  },
  async toParticipant(room, who, verb) {
    if (verb === "remove" && !(await sure(`Remove ${called(who)} from “${room.settings.name}”?`, "Remove"))) return;
    await attempt(null, () => ask("POST", `/v1/rooms/${room.settings.id}/participants/${who.id}/${verb}`));
  },
  async hangUp(call, who) {
    if (!(await sure(`Hang up on ${who}?`, "Hang up"))) return;
    await attempt("Hung up", () => ask("DELETE", `/v1/calls/${call.id}`));
    readSoon("calls");
  },
  async hold(call, hold) {
    await attempt(null, () => ask("POST", `/v1/calls/${call.id}/${hold ? "hold" : "resume"}`));
    readSoon("calls");
  },
  async send(path, body, done) {
    return refusal(async () => {
      await ask("POST", path, body);
      say(done);
      readSoon("calls");
    });
  },
  async addExtension(body) {
    return refusal(async () => {
      const made = await ask<Extension & { password?: string }>("POST", "/v1/extensions", body);
      await readRouting();
      if (made.password) showOnce(`Extension ${made.user}`, "Its password, which is not shown again:", made.password, actions.copy);
    });
  },
  async disturb(extension, dnd) {
    await attempt(null, () => ask("PATCH", `/v1/extensions/${extension.id}`, { dnd }));
    await readRouting();
  },
  async create(room) {
    return refusal(async () => {
      const made = await ask<Room>("POST", "/v1/rooms", room);
      state = { ...withRoom(state, made), open: made.settings.id, search: "" };
      draw();
      say(`“${made.settings.name}” is ready`);
    });
  },
  async add(path, body) {
    return refusal(async () => {
      await ask("POST", path, body);
      await readRouting();
    });
  },
  async takeAway(path, question) {
    if (!(await sure(question, "Remove"))) return;
    if (await attempt("Removed", () => ask("DELETE", path))) await readRouting();
  },
  async remove(room) {
    if (!(await sure(`Delete the room “${room.settings.name}”? Its PIN stops working.`, "Delete"))) return;
    const gone = await attempt("Deleted", () => ask("DELETE", `/v1/rooms/${room.settings.id}`));
    if (gone) change({ rooms: new Map([...state.rooms].filter(([id]) => id !== room.settings.id)) });
  },
  async copy(text) {
    await attempt("Copied", () => navigator.clipboard.writeText(text));
  },
};

async function begin(): Promise<void> {
  // The key in the fragment never reaches a server or a log; it leaves the address bar and the history at once.
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (key) {
    history.replaceState(null, "", location.pathname);
    draw();
    if (await attempt(null, () => login(key))) return;
  }
  try {
    change({ session: await ask<Session>("GET", "/v1/session") });
    connect();
  } catch {
    change({ session: null, loaded: true });
  }
}

addEventListener("online", () => state.link === "lost" && connect());
setInterval(() => {
  if (document.hidden || !state.session) return;
  if (state.calls.length === 0 || state.link !== "live") return;
  void read("calls");
  void read("texts");
}, CALLS_EVERY);
// Durations go on.
setInterval(() => !document.hidden && state.session && draw(), 1000);
void begin();
