// One's call goes to another device: a code is shown for it to read, or its own is read here.

import { h, type Child, type Node } from "../dom.js";
import type { Words } from "../i18n/words.js";
import type { Camera, NoPicture } from "../scan/camera.js";
import { digitsOf, grouped } from "../scan/state.js";
import { frame } from "./dialogs.js";
import { qrFigure } from "./invite.js";
import type { App } from "./local.js";
import { called } from "./model.js";
import { ask, draw, page } from "./page.js";
import type { CodeConfirm, CodeProgress } from "./protocol.js";

/** What the person does about moving the call. */
export type Moving =
  | { do: "open" | "show" | "scan" | "withdraw" }
  | { do: "mutual"; on: boolean }
  | { do: "confirm"; who: CodeConfirm }
  | { do: "digits"; text: string }
  | { do: "typed" }
  | { do: "answer"; code: string; allow: boolean };

const own = { confirm: "holder" as CodeConfirm, mutual: false, digits: "", scans: false, busy: false, trouble: null as NoPicture | null, stream: null as MediaStream | null };

let camera: Camera | null = null;

/** The way to the node's reader of pictures: its own file, for few need it. */
const READER = "/reader.js";

/** One's own code. */
function mine(): CodeProgress | undefined {
  return [...page.state.codes.values()].find((one) => one.participant === page.state.you);
}

export function move(what: Moving): void {
  switch (what.do) {
    case "open":
      shut();
      page.local.dialog = { kind: "move" };
      break;
    case "show":
      shut();
      own.busy = true;
      void ask({ type: "code_show", code: { confirm: own.confirm, mutual: own.mutual } }).then(() => {
        own.busy = false;
        draw();
      });
      break;
    case "scan":
      void scans();
      break;
    case "withdraw": {
      const one = mine();
      shut();
      if (one) void ask({ type: "code_withdraw", code: one.code });
      break;
    }
    case "mutual":
      own.mutual = what.on;
      break;
    case "confirm":
      own.confirm = what.who;
      break;
    case "digits":
      own.digits = digitsOf(what.text).slice(0, 6);
      break;
    case "typed":
      if (own.digits.length === 6) void reads({ digits: own.digits });
      break;
    case "answer":
      void ask({ type: "code_answer", code: what.code, allow: what.allow });
      break;
  }
  draw();
}

/** Nothing is looked at any more. */
function shut(): void {
  camera?.close();
  camera = null;
  [own.scans, own.stream, own.trouble, own.digits] = [false, null, null, ""];
}

/** Opens the camera to read the other device's code. */
async function scans(): Promise<void> {
  shut();
  own.scans = true;
  draw();
  const { Camera: Kind, ticketOf } = (await import(READER)) as typeof import("../scan/camera.js");
  if (!own.scans) return;
  const looks = new Kind((text) => {
    const ticket = ticketOf(text);
    if (ticket !== null) void reads({ ticket });
  });
  camera = looks;
  const taken = await looks.open();
  if (camera !== looks) return;
  if (taken instanceof MediaStream) own.stream = taken;
  else own.trouble = taken;
  draw();
  requestAnimationFrame(() =>
    requestAnimationFrame(() => {
      const video = document.querySelector<HTMLVideoElement>("dialog .finder video");
      if (video && camera === looks) void looks.look(video);
    }),
  );
}

/** What was read goes to the node: whose device it is, and whether it may have the call, is known there. */
async function reads(what: { ticket: string } | { digits: string }): Promise<void> {
  shut();
  await ask({ type: "code_scan", ...what, code: { confirm: own.confirm } });
  draw();
}

/** Who wants a call, in words. */
function who(app: App, one: CodeProgress): string {
  const { t } = app;
  const from = one.receiver;
  if (!from) return t("move_device");
  const device = from.agent ?? t(from.device === "telephone" ? "move_telephone" : from.device === "app" ? "move_app" : "move_browser");
  return [from.name, device, from.nearby ? t("move_nearby") : from.from].filter(Boolean).join(" · ");
}

/** The question, on the page or in the dialog. */
export function codeAsks(app: App, one: CodeProgress): Node {
  const { t, act, state } = app;
  const own = one.participant === state.you;
  const words = own ? t("move_asks", { who: who(app, one) }) : t("move_asks_remote", { name: called(state.people.get(one.participant), t("guest")), who: who(app, one) });
  return h(
    "div",
    { class: "notice", key: `code-${one.code}`, role: "alert" },
    h("p", {}, words),
    h("div", { class: "row" }, h("button", { class: "main", onclick: () => act.move({ do: "answer", code: one.code, allow: true }) }, t("allow")), h("button", { onclick: () => act.move({ do: "answer", code: one.code, allow: false }) }, t("move_refuse"))),
  );
}

export function moving(app: App): Node {
  const { t, act } = app;
  const one = mine();
  const going = one && (one.state === "shown" || one.state === "scanned" || one.state === "awaiting");
  const close = h("button", { key: "close", onclick: () => (shut(), act.dismiss()) }, t("close"));
  return frame(
    app,
    "move",
    t("move_call"),
    "wide",
    h(
      "div",
      { class: "stack move" },
      one ? state(app, one) : null,
      !going && !own.scans ? choice(app) : null,
      own.scans || one?.scan ? reader(app) : null,
      h("div", { class: "row" }, going ? h("button", { key: "withdraw", onclick: () => act.move({ do: "withdraw" }) }, t("move_withdraw")) : null, close),
    ),
  );
}

/** How far it is. */
function state(app: App, one: CodeProgress): Child {
  const { t } = app;
  if (one.state === "shown" && one.link && one.digits) {
    return [h("p", { class: "quiet", key: "hint" }, t("move_hint", { address: `${location.host}/scan` })), h("div", { class: "code", key: "code" }, qrFigure(one.link, t("move_qr")), h("p", { class: "spell" }, grouped(one.digits)), h("p", { class: "quiet small" }, t("move_lasts")))];
  }
  if (one.asked) return codeAsks(app, one);
  const why = one.reason ? t(`move_why_${one.reason}` as keyof Words) : "";
  const words = one.scan ? t("move_read_other", { who: who(app, one) }) : t(`move_${one.state}` as keyof Words, { who: who(app, one) });
  return h("p", { role: "status", key: "state", class: one.state === "refused" || one.state === "expired" ? "wrong" : "" }, words, why && !why.startsWith("move_why_") ? ` ${why}` : "");
}

/** What is to be shown, and who is asked. */
function choice(app: App): Child {
  const { t, act } = app;
  const asks: [CodeConfirm, keyof Words][] = [["holder", "move_ask_me"], ["holder_and_remote", "move_ask_both"], ["nobody", "move_ask_nobody"]];
  return [
    h("label", { class: "field", key: "asks" }, t("move_who_is_asked"), h("select", { name: "confirm", value: own.confirm, onchange: (event: Event) => act.move({ do: "confirm", who: (event.target as HTMLSelectElement).value as CodeConfirm }) }, asks.map(([value, words]) => h("option", { value, selected: value === own.confirm }, t(words))))),
    h("label", { class: "check", key: "mutual" }, h("input", { type: "checkbox", name: "mutual", checked: own.mutual, onchange: (event: Event) => act.move({ do: "mutual", on: (event.target as HTMLInputElement).checked }) }), t("move_mutual")),
    h("div", { class: "row", key: "go" }, h("button", { id: "show-code", class: "main", disabled: own.busy, onclick: () => act.move({ do: "show" }) }, t("move_show")), h("button", { id: "scan-code", onclick: () => act.move({ do: "scan" }) }, t("move_scan"))),
  ];
}

/** Reads the other device's code: by the camera, or as typed. */
function reader(app: App): Child {
  const { t, act } = app;
  return [
    own.stream ? h("div", { class: "finder", key: "finder" }, h("video", { srcObject: own.stream, muted: true, playsinline: true, autoplay: true, "aria-label": t("move_camera") })) : own.trouble ? h("p", { class: "wrong", key: "trouble" }, t("move_no_camera")) : own.scans ? h("p", { class: "quiet", key: "opens", role: "status" }, t("move_camera_opens")) : h("button", { key: "scan", onclick: () => act.move({ do: "scan" }) }, t("move_scan")),
    h(
      "form",
      {
        class: "field",
        key: "typed",
        novalidate: true,
        onsubmit: (event: Event) => {
          event.preventDefault();
          act.move({ do: "typed" });
        },
      },
      h("label", { for: "code-digits" }, t("move_digits")),
      h("div", { class: "row" }, h("input", { id: "code-digits", name: "digits", class: "digits", value: own.digits, inputmode: "numeric", autocomplete: "off", maxlength: 7, oninput: (event: Event) => act.move({ do: "digits", text: (event.target as HTMLInputElement).value }) }), h("button", { disabled: own.digits.length < 6 }, t("move_go"))),
    ),
  ];
}
