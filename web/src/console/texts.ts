// Text messages: to whom, how far they are, and, where no provider sends them, what is in them.

import { type Child, h, type Node } from "../dom.js";
import { lasted, may, type State } from "./model.js";
import type { Text } from "./types.js";

/** How many are shown: those of now, not a history. */
const SHOWN = 12;

export function texts(state: State, now: number): Child {
  if (!may(state, "texts:read") || !state.loaded || !state.texts) return null;
  const { items, provider } = state.texts;
  const kept = provider === "outbox";
  if (items.length === 0 && !kept) return null;
  return h(
    "section",
    { key: "texts", "aria-labelledby": "texts-title" },
    h("div", { class: "title" }, h("h2", { id: "texts-title" }, kept ? "Outbox" : "Text messages"), h("span", { class: "quiet" }, items.length === 0 ? "empty" : kept ? "kept here: no SMS account is configured" : `sent by ${provider}`)),
    items.length === 0
      ? h("p", { class: "quiet empty" }, "Callers who press *3 get a text message with a link that adds video to their call. Without an SMS account it is shown here.")
      : h("ul", { class: "card", "aria-labelledby": "texts-title" }, items.slice(0, SHOWN).map((one) => row(one, kept, now))),
  );
}

function row(one: Text, kept: boolean, now: number): Node {
  const fine = ["delivered", "sent", "handed"].includes(one.state);
  const wrong = ["failed", "undelivered", "unknown"].includes(one.state);
  return h(
    "li",
    { key: one.id, class: "row text" },
    h("span", { class: "parties" }, h("span", { class: "display number" }, one.to), h("span", { class: "body" }, one.body === null ? h("span", { class: "quiet" }, "What it says is not for this key.") : linked(one.body).map((part) => (part.link ? h("a", { href: part.link, target: "_blank", rel: "noopener noreferrer" }, part.text) : part.text)))),
    h("span", { class: wrong ? "badge mute" : fine && !kept ? "badge on" : "badge", title: one.code ?? "" }, kept && !wrong ? "kept here" : one.state.replaceAll("_", " ")),
    one.reason && one.reason !== "no_provider" && h("span", { class: "quiet" }, one.reason.replaceAll("_", " ")),
    h("span", { class: "quiet time" }, `${lasted(one.created, now)} ago`),
  );
}

/** The text in parts; a link of ours may come without its scheme, for want of room. */
export function linked(body: string): { text: string; link?: string }[] {
  const parts: { text: string; link?: string }[] = [];
  let at = 0;
  for (const found of body.matchAll(/https?:\/\/[^\s<>"]+|[\w.-]+(?::\d+)?\/e\/[A-Za-z0-9]+/g)) {
    if (found.index > at) parts.push({ text: body.slice(at, found.index) });
    const text = found[0].replace(/[.,;:!?)]+$/, "");
    parts.push({ text, link: /^https?:/.test(text) ? text : `${text.startsWith(`${location.host}/`) ? location.protocol : "https:"}//${text}` });
    at = found.index + text.length;
  }
  if (at < body.length) parts.push({ text: body.slice(at) });
  return parts;
}
