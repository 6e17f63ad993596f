// Beside the stage: who is here, and what they write.

import { h, type Child, type Node } from "../dom.js";
import { clock } from "../i18n/core.js";
import { button } from "./bar.js";
import { icon } from "./icons.js";
import { stepWords } from "./ladder.js";
import { type App, silent } from "./local.js";
import { admits, called, coming, hands, isHost, isPrivate, muted, plain, present, underWay, waiting } from "./model.js";
import type { ChatLine, Person } from "./protocol.js";
import { avatar, bars, mutedWords, name, standing } from "./stage.js";

export function panel(app: App): Node | null {
  const { state, t, act } = app;
  if (state.panel === null) return null;
  const chat = state.panel === "chat";
  return h(
    "aside",
    { class: "panel", key: state.panel, id: "panel", "aria-label": t(chat ? "chat" : "people") },
    h("div", { class: "head" }, h("h2", { tabindex: -1 }, chat ? t("chat") : t("people_n", { n: present(state).length })), button("close", t("close"), { id: "close-panel" }, () => act.panel(null))),
    chat ? chatView(app) : peopleView(app),
  );
}

function peopleView(app: App): Node {
  const { state, t, act } = app;
  const doors = waiting(state);
  const raised = hands(state);
  const group = (key: string, title: string | null, people: Person[], more?: Child): Child =>
    people.length === 0 ? null : h("section", { key }, title ? h("div", { class: "title" }, h("h3", {}, title), more ?? null) : null, h("ul", { class: "people" }, people.map((one) => row(app, one, key))));
  return h(
    "div",
    { class: "scroll" },
    admits(state) ? group("lobby", t("in_the_lobby"), doors, doors.length > 1 ? h("button", { class: "plain small", onclick: () => act.operate({ operation: "admit_all" }) }, t("admit_all")) : null) : null,
    group("hands", t("raised_hands"), raised),
    group("coming", t("on_the_way"), coming(state)),
    group("here", raised.length + coming(state).length + doors.length > 0 ? t("in_the_meeting") : null, present(state)),
    h(
      "div",
      { class: "foot", key: "foot" },
      h("button", { onclick: () => act.open({ kind: "invite" }) }, icon("invite"), t("invite")),
      isHost(state) && present(state).length > 1 ? h("button", { onclick: () => act.operate({ operation: "mute_all" }) }, icon("mic_off"), t("mute_all")) : null,
    ),
  );
}

function row(app: App, person: Person, group: string): Node {
  const { state, local, t, act } = app;
  const label = name(app, person);
  const own = person.id === state.you;
  const quiet = own && person.audio !== "phone" ? silent(state, local) : muted(person);
  const words = standing(app, person);
  const lobby = person.state === "lobby";
  const link = state.elevations.get(person.id)?.steps.at(-1);
  const marks: Child[] = [
    person.role === "host" ? h("span", { class: "mark host" }, t("host")) : person.role === "member" ? h("span", { class: "mark" }, t("member")) : null,
    person.audio === "phone" ? h("span", { class: "mark" }, icon("phone"), t("phone")) : null,
    person.name && person.number ? h("span", { class: "number" }, person.number) : null,
    words ? h("span", { class: "mark warn" }, words) : null,
    link && underWay(link) ? h("span", { class: "mark" }, icon("camera"), stepWords(app, link.step)) : null,
    quiet && person.state === "active" ? h("span", { class: "mark" }, mutedWords(app, person)) : null,
  ];
  return h(
    "li",
    { key: `${group}:${person.id}`, class: person.speaking && !quiet ? "person speaks" : "person" },
    avatar(person, label),
    h("div", { class: "who" }, h("b", {}, label), h("div", { class: "marks" }, marks)),
    group === "hands" ? h("span", { class: "place", role: "img", "aria-label": t("hand_place", { n: hands(state).findIndex((one) => one.id === person.id) + 1 }) }, icon("hand"), String(hands(state).findIndex((one) => one.id === person.id) + 1)) : null,
    person.speaking && !quiet ? h("span", { class: "sr" }, t("speaks")) : null,
    bars(app, person),
    lobby
      ? h(
          "div",
          { class: "row" },
          h("button", { class: "main small", "aria-label": t("admit_named", { name: label }), onclick: () => act.operate({ operation: "admit", participant: person.id }) }, t("admit")),
          h("button", { class: "small", "aria-label": t("refuse_named", { name: label }), onclick: () => act.operate({ operation: "refuse", participant: person.id }) }, t("refuse")),
        )
      : button("more", t("actions_for", { name: label }), { id: `menu-${group}-${person.id}` }, () => act.open({ kind: "person", person: person.id })),
  );
}

function chatView(app: App): Node[] {
  const { state, local, t, act } = app;
  const readers = present(state).filter((one) => one.id !== state.you && (one.audio !== "phone" || one.video));
  const left = state.limits.chat_chars - [...local.draft].length;
  return [
    h(
      "ol",
      { class: "scroll lines", id: "lines", tabindex: 0, role: "log", "aria-live": "off", "aria-label": t("chat") },
      state.chat.length === 0 ? h("li", { class: "quiet empty", key: "none" }, t("chat_empty")) : null,
      state.chat.map((one, at) => line(app, one, state.chat[at - 1])),
    ),
    h(
      "form",
      {
        class: "write",
        onsubmit: (event: Event) => {
          event.preventDefault();
          act.chat();
        },
      },
      h(
        "label",
        { class: "to" },
        h("span", {}, t("chat_to")),
        h(
          "select",
          { value: state.to ?? "", name: "to", onchange: (event: Event) => act.to((event.target as HTMLSelectElement).value || null) },
          h("option", { value: "", key: "all" }, t("everyone")),
          readers.map((one) => h("option", { value: one.id, key: one.id }, called(one, t("guest")))),
        ),
      ),
      h(
        "div",
        { class: "row" },
        h("textarea", {
          name: "text",
          rows: 2,
          value: local.draft,
          placeholder: t("chat_write"),
          "aria-label": t("chat_write"),
          enterkeyhint: "send",
          oninput: (event: Event) => act.type("draft", (event.target as HTMLTextAreaElement).value),
          onkeydown: (event: KeyboardEvent) => {
            if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            act.chat();
          },
        }),
        h("button", { class: "main send", "aria-label": t("send"), title: t("send"), disabled: local.draft.trim() === "" || left < 0 || state.link !== "live" }, icon("send")),
      ),
      left < 200 ? h("small", { class: left < 0 ? "wrong" : "quiet", role: "status" }, t("chars_left", { n: left })) : null,
    ),
  ];
}

/** Lines of one person within this time stand together. */
const TOGETHER = 120_000;

function time(line: ChatLine): number {
  return typeof line.at === "number" ? line.at : Date.parse(line.at);
}

function line(app: App, one: ChatLine, before: ChatLine | undefined): Node {
  const { state, local, t } = app;
  const own = one.from !== null && one.from === state.you;
  const joined = before && before.from === one.from && before.to === one.to && time(one) - time(before) < TOGETHER;
  const other = one.to === null ? "" : called(state.people.get(own ? one.to : (one.from ?? "")), plain(one.name));
  const who = own ? t("you") : one.from === null ? t("operator") : plain(one.name) || t("guest");
  return h(
    "li",
    { key: `l${one.id}`, class: `line${own ? " own" : ""}${isPrivate(one) ? " private" : ""}${joined ? " joined" : ""}` },
    h("div", { class: joined ? "sr" : "by" }, h("b", {}, who), isPrivate(one) ? h("em", {}, own ? t("private_to", { name: other }) : t("private")) : null, h("time", {}, clock(local.language, one.at))),
    h("p", {}, one.text),
  );
}
