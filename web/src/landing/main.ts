// The page at `/`: join by number or link, begin a meeting, or go to the console.

import { ask, Refused } from "../api.js";
import { type Child, h, type Node, patch } from "../dom.js";
import { current, fill, keep, isLanguage, LANGUAGES } from "../i18n/core.js";
import { landing, type LandingWords } from "../i18n/landing.js";
import { destination } from "./where.js";

let language = current();
let joinWrong = "";
let createWrong = "";
let busy = false;
/** Whether somebody is logged in here already. */
let known = false;
/** Whether this node lets anybody begin a meeting. */
let open = false;

const t = (key: keyof LandingWords, values = {}) => fill(language, landing[language][key], values);

function draw(): void {
  document.documentElement.lang = language;
  document.title = t("title");
  const app = document.getElementById("app");
  if (app) patch(app, view() as Exclude<Child, Child[] | number | null | false | undefined>[]);
}

function field(name: string, label: string, props: Record<string, string | boolean | number>, hint?: string): Node {
  return h("label", { class: "field" }, label, h("input", { name, ...props }), hint ? h("small", {}, hint) : null);
}

function view(): Node[] {
  return [
    h("header", {}, h("img", { src: "/icon.svg", alt: "", width: 36, height: 36 }), h("b", {}, "Ringlift"), h("a", { class: "button plain", href: "/console" }, t("console"))),
    h(
      "main",
      {},
      h("h1", {}, t("lead")),
      isSecureContext ? null : h("p", { class: "notice", role: "note" }, t("insecure")),
      h(
        "div",
        { class: "ways" },
        h(
          "section",
          { class: "card", "aria-labelledby": "join" },
          h("div", {}, h("h2", { id: "join" }, t("join")), h("p", { class: "quiet" }, t("join_hint"))),
          h(
            "form",
            { onsubmit: join, novalidate: true },
            field("number", t("number"), { autocomplete: "off", autocapitalize: "off", spellcheck: "false", inputmode: "text", enterkeyhint: "go" }),
            h("p", { class: "wrong", role: "alert" }, joinWrong),
            h("button", { class: "main" }, t("join_button")),
          ),
        ),
        h(
          "section",
          { class: "card", "aria-labelledby": "create" },
          h("div", {}, h("h2", { id: "create" }, t("create")), h("p", { class: "quiet" }, t("create_hint"))),
          h(
            "form",
            { onsubmit: create, novalidate: true },
            field("name", t("name"), { autocomplete: "off", maxlength: 100, placeholder: t("name_default"), enterkeyhint: "go" }),
            known || open ? null : field("key", t("key"), { type: "password", autocomplete: "current-password" }, t("key_hint")),
            h("p", { class: "wrong", role: "alert" }, createWrong),
            h("button", { class: "main", disabled: busy }, busy ? t("busy") : t("create_button")),
          ),
        ),
      ),
    ),
    h(
      "footer",
      {},
      h(
        "select",
        { "aria-label": t("language"), onchange: speak },
        Object.entries(LANGUAGES).map(([code, name]) => h("option", { value: code, lang: code, selected: code === language }, name)),
      ),
    ),
  ];
}

function speak(event: Event): void {
  const chosen = (event.target as HTMLSelectElement).value;
  if (!isLanguage(chosen)) return;
  keep(chosen);
  language = chosen;
  draw();
}

function text(form: FormData, name: string): string {
  return String(form.get(name) ?? "").trim();
}

function join(event: SubmitEvent): void {
  event.preventDefault();
  const form = new FormData(event.target as HTMLFormElement);
  const to = destination(text(form, "number"), location.origin);
  if ("wrong" in to) {
    joinWrong = t(to.wrong);
    draw();
    return;
  }
  location.assign(to.path);
}

async function create(event: SubmitEvent): Promise<void> {
  event.preventDefault();
  const form = new FormData(event.target as HTMLFormElement);
  [busy, createWrong] = [true, ""];
  draw();
  try {
    if (!known && !open) {
      await ask("POST", "/v1/login", { key: text(form, "key") });
      known = true;
    }
    const name = text(form, "name") || t("name_default");
    const made = await ask<{ host: { ticket: string } }>("POST", "/meet/rooms", { name, language });
    location.assign(`/j/${encodeURIComponent(made.host.ticket)}`);
  } catch (error) {
    busy = false;
    createWrong = refused(error);
    draw();
  }
}

function refused(error: unknown): string {
  if (!(error instanceof Refused)) return t("failed", { why: String(error) });
  const { status, detail } = error.problem;
  if (status === 0) return t("unreachable");
  if (status === 401) return t("key_wrong");
  if (status === 403) return t("not_allowed");
  return t("failed", { why: detail });
}

/** A link with a key logs in at the console, where it always led. */
if (new URLSearchParams(location.hash.slice(1)).has("key")) {
  location.replace(`/console${location.hash}`);
} else {
  draw();
  void ask("GET", "/v1/session").then(
    () => {
      known = true;
      draw();
    },
    () => undefined,
  );
  void ask<{ create: "open" | "login" }>("GET", "/meet/info").then(
    (info) => {
      open = info.create === "open";
      draw();
    },
    () => undefined,
  );
}
// The browser's way back shows the page as it was: not busy any more.
addEventListener("pageshow", () => {
  busy = false;
  draw();
});
