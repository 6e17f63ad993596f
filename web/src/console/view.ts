// How the page looks for a given state. Nothing here asks the node.

import { type CallActions, calls } from "./calls.js";
import { type Child, h, type Node } from "../dom.js";
import { guestForm, roomForm } from "./forms.js";
import { called, grouped, lasted, may, shownRooms, type State, waysIn, whispers } from "./model.js";
import { people, type PeopleActions } from "./people.js";
import { routing, type RoutingActions } from "./routing.js";
import { texts } from "./texts.js";
import type { Participant, Problem, Room } from "./types.js";

export interface Actions extends RoutingActions, CallActions, PeopleActions {
  login(key: string): Promise<boolean>;
  logout(): void;
  retry(): void;
  search(text: string): void;
  open(room: string): void;
  toRoom(room: Room, verb: "mute-all" | "unmute-all" | "admit-all" | "lock" | "unlock" | "end"): void;
  toParticipant(room: Room, who: Participant, verb: "mute" | "unmute" | "admit" | "refuse" | "remove" | "lower-hand"): void;
  create(room: object): Promise<Problem | null>;
  remove(room: Room): void;
  copy(text: string): void;
}

export function view(state: State, now: number, act: Actions): Child[] {
  if (!state.session) return [loginView(state, act)];
  return [header(state, now, act), h("main", { key: "main" }, notices(state), rooms(state, now, act), calls(state, now, act), texts(state, now), people(state, act), routing(state, act))];
}

function loginView(state: State, act: Actions): Node {
  const submit = async (event: Event) => {
    event.preventDefault();
    const field = (event.target as HTMLFormElement).elements.namedItem("key") as HTMLInputElement;
    if (!(await act.login(field.value))) field.select();
  };
  return h(
    "main",
    { key: "login", class: "login" },
    h("img", { src: "/icon.svg", alt: "", width: 56, height: 56 }),
    h("h1", {}, "Ringlift"),
    h("p", { class: "quiet" }, state.loaded ? "Log in with an API key. The program printed one at its first start." : "One moment …"),
    state.loaded &&
      h(
        "form",
        { onsubmit: submit },
        h("label", { for: "key" }, "API key"),
        h("input", { id: "key", name: "key", type: "password", autocomplete: "current-password", required: true, placeholder: "rlk_…", spellcheck: "false" }),
        h("button", { class: "main" }, "Log in"),
      ),
  );
}

function header(state: State, now: number, act: Actions): Node {
  const wait = state.retryAt === null ? 0 : Math.max(0, Math.ceil((state.retryAt - now) / 1000));
  const link = {
    live: ["live", "Live", "What you see is what is"],
    connecting: ["waiting", "Connecting …", "Connecting to the gateway"],
    lost: ["lost", wait > 0 ? `Reconnecting in ${wait} s` : "Reconnecting …", "What you see may be old"],
  }[state.link];
  return h(
    "header",
    { key: "header" },
    h("img", { src: "/icon.svg", alt: "", width: 32, height: 32 }),
    h("div", { class: "name" }, h("h1", {}, "Ringlift"), state.status && state.status.name !== "ringlift" && h("span", { class: "quiet" }, state.status.name)),
    h("span", { class: `pill ${link[0]}`, title: link[2] ?? "" }, h("span", { class: "dot", "aria-hidden": "true" }), link[1]),
    state.link === "lost" && h("button", { class: "plain", onclick: () => act.retry() }, "Try now"),
    h("span", { class: "gap" }),
    h("span", { class: "quiet who", title: "Logged in with this key" }, state.session?.name),
    h("button", { class: "plain", onclick: () => act.logout() }, "Log out"),
  );
}

function notices(state: State): Child {
  const texts = [];
  if (state.status?.gateway.draining) texts.push("This node is going out of service: it takes no new calls, those that are up go on.");
  if (state.status && !state.status.store.healthy) texts.push("The database takes nothing at the moment. Calls go on; what happens is kept in memory and written later.");
  return texts.map((text) => h("p", { class: "notice", role: "alert" }, text));
}

function rooms(state: State, now: number, act: Actions): Node {
  const shown = shownRooms(state);
  const people = [...state.rooms.values()].reduce((sum, room) => sum + room.participants.length, 0);
  const create = may(state, "rooms:write") && state.loaded;
  return h(
    "section",
    { key: "rooms", class: "rooms", "aria-labelledby": "rooms-title" },
    h(
      "div",
      { class: "title" },
      h("h2", { id: "rooms-title" }, "Rooms"),
      state.loaded && h("span", { class: "quiet" }, `${count(state.rooms.size, "room")}, ${people === 0 ? "nobody in" : count(people, "person", "people")}`),
      h("span", { class: "gap" }),
      state.rooms.size > 6 &&
        h("input", {
          type: "search",
          placeholder: "Find a room, PIN or person",
          "aria-label": "Find a room, PIN or person",
          value: state.search,
          oninput: (event: Event) => act.search((event.target as HTMLInputElement).value),
        }),
      create && h("button", { class: "main", onclick: () => roomForm(act.create) }, "New room"),
    ),
    !state.loaded && h("p", { class: "quiet empty" }, "Reading rooms …"),
    state.loaded && state.rooms.size === 0 && h("div", { class: "empty card" }, h("p", {}, "There is no room yet."), h("p", { class: "quiet" }, create ? "Make one, and call it with the PIN that it gets." : "Your key may not make one.")),
    state.loaded && state.rooms.size > 0 && shown.length === 0 && h("p", { class: "quiet empty" }, "No room fits."),
    shown.map((room) => roomCard(state, room, now, act)),
  );
}

function roomCard(state: State, room: Room, now: number, act: Actions): Node {
  const id = room.settings.id;
  const people = room.participants;
  const live = people.length > 0;
  const open = live || state.open === id;
  const waiting = people.filter((one) => one.state === "lobby" || one.state === "waiting_for_host").length;
  const host = may(state, "rooms:write");
  const lobby = people.some((one) => one.state === "lobby");
  const muted = people.some((one) => one.muted_by_host);
  return h(
    "article",
    { key: id, class: live ? "card live" : "card", "aria-labelledby": `${id}-name` },
    h(
      "div",
      { class: "head" },
      h("h3", { id: `${id}-name` }, room.settings.name),
      live && h("span", { class: "badge on" }, count(people.length - waiting, "in", "in")),
      waiting > 0 && h("span", { class: "badge wait" }, `${waiting} waiting`),
      live && !room.started && h("span", { class: "badge" }, "not started"),
      room.locked && h("span", { class: "badge locked" }, "locked"),
      h("span", { class: "gap" }),
      h(
        "span",
        { class: "end" },
        room.settings.pin && pinChip(room.settings.pin, "PIN", act),
        !live &&
          h(
            "button",
            { class: "plain", "aria-expanded": open ? "true" : "false", onclick: () => act.open(id), "aria-label": `${open ? "Less" : "More"} about ${room.settings.name}` },
            open ? "Less" : "More",
          ),
      ),
    ),
    open && ways(state, room, act),
    live && h("ul", { class: "people", "aria-label": `People in ${room.settings.name}` }, inOrder(people).map((one) => person(room, one, host, now, act))),
    open &&
      host &&
      h(
        "div",
        { class: "actions", role: "group", "aria-label": `Actions for ${room.settings.name}` },
        lobby && h("button", { class: "main", onclick: () => act.toRoom(room, "admit-all") }, "Admit all"),
        may(state, "calls:write") && h("button", { onclick: () => guestForm(room, (body) => act.send(`/v1/rooms/${id}/dial`, body, "It rings")) }, "Call somebody in"),
        live && h("button", { onclick: () => act.toRoom(room, "mute-all") }, "Mute all"),
        live && muted && h("button", { onclick: () => act.toRoom(room, "unmute-all") }, "Unmute all"),
        live && h("button", { onclick: () => act.toRoom(room, room.locked ? "unlock" : "lock") }, room.locked ? "Unlock" : "Lock"),
        h("span", { class: "gap" }),
        live && h("button", { class: "danger", onclick: () => act.toRoom(room, "end") }, "End for all"),
        !live && h("button", { class: "danger", onclick: () => act.remove(room) }, "Delete room"),
      ),
  );
}

function pinChip(pin: string, label: string, act: Actions): Node {
  return h("button", { class: "pin", title: "Copy", onclick: () => act.copy(pin), "aria-label": `${label} ${pin.split("").join(" ")}, copy` }, h("span", {}, label), h("b", {}, grouped(pin)));
}

function ways(state: State, room: Room, act: Actions): Child {
  const { straight, attendant } = waysIn(state, room);
  const { pin, host_pin } = room.settings;
  const list = (items: string[]) => items.map((item, index) => [index > 0 && " or ", h("span", { class: "number" }, item)]);
  return h(
    "div",
    { class: "ways" },
    h(
      "p",
      {},
      straight.length > 0 && ["Call ", list(straight), " to come straight in. "],
      pin && attendant.length > 0 && [straight.length > 0 ? "Or call " : "Call ", list(attendant), " and key ", h("b", {}, grouped(pin)), " and #. "],
      pin && attendant.length === 0 && straight.length === 0 && ["Key ", h("b", {}, grouped(pin)), " and # when the attendant asks. No number leads to the attendant yet. "],
      !pin && straight.length === 0 && "No PIN and no number leads here: nobody can come in. ",
    ),
    host_pin && pinChip(host_pin, "Host PIN", act),
  );
}

/** Who waits first, for something is to be done; then hands, in their order; then as they came. */
function inOrder(people: Participant[]): Participant[] {
  const weight = (one: Participant) => (one.state === "lobby" ? 0 : one.hand !== null ? 1 : one.state === "active" ? 2 : 3);
  return people
    .map((one, index) => ({ one, index }))
    .sort((a, b) => weight(a.one) - weight(b.one) || (a.one.hand ?? 0) - (b.one.hand ?? 0) || a.index - b.index)
    .map(({ one }) => one);
}

function person(room: Room, one: Participant, host: boolean, now: number, act: Actions): Node {
  const muted = one.muted_by_host || one.muted_by_self;
  const speaking = one.speaking && one.state === "active" && !muted;
  const button = (verb: Parameters<Actions["toParticipant"]>[2], text: string, kind = "") =>
    h("button", { class: kind, onclick: () => act.toParticipant(room, one, verb), "aria-label": `${text} ${called(one)}` }, text);
  return h(
    "li",
    { key: one.id, class: `person ${one.state}${speaking ? " speaking" : ""}` },
    h("span", { class: "light", "aria-hidden": "true" }, initials(one)),
    h(
      "span",
      { class: "who" },
      h("span", { class: "display" }, called(one)),
      h(
        "span",
        { class: "marks" },
        speaking && h("span", { class: "sr" }, "speaking"),
        one.role === "host" && h("span", { class: "badge host" }, "host"),
        one.hand !== null && h("span", { class: "badge hand" }, `hand ${one.hand}`),
        one.state === "ringing" && h("span", { class: "badge" }, "ringing"),
        one.state === "lobby" && h("span", { class: "badge wait" }, "in the lobby"),
        one.state === "waiting_for_host" && h("span", { class: "badge wait" }, "waits for the host"),
        one.held && h("span", { class: "badge" }, "on hold"),
        one.others_hear !== undefined && h("span", { class: "badge" }, whispers(room, one)),
        one.muted_by_host && h("span", { class: "badge mute" }, "muted by host"),
        one.muted_by_self && !one.muted_by_host && h("span", { class: "badge mute" }, "muted"),
        one.name && one.number && h("span", { class: "quiet number" }, one.number),
        h("span", { class: "quiet time" }, lasted(one.since, now)),
      ),
    ),
    host &&
      h(
        "span",
        { class: "buttons" },
        one.state === "lobby" && [button("admit", "Admit", "main"), button("refuse", "Refuse", "danger")],
        one.state !== "lobby" && one.hand !== null && button("lower-hand", "Lower hand"),
        one.state === "active" && button(one.muted_by_host ? "unmute" : "mute", one.muted_by_host ? "Unmute" : "Mute"),
        one.state !== "lobby" && button("remove", "Remove", "danger"),
      ),
  );
}

function initials(one: Participant): string {
  if (!one.name) return (one.number ?? "").replace(/\D/g, "").slice(-2) || "?";
  const words = one.name.trim().split(/\s+/);
  return [words[0], words.length > 1 ? words.at(-1) : ""].map((word) => [...(word ?? "")][0] ?? "").join("").toUpperCase();
}

function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}
