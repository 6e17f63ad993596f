// A call goes to another device by a code: one is shown for it to read, or its own is read here.

import { h, type Child, type Node } from "../dom.js";
import type { HandoverWords } from "../i18n/handover/words.js";
import type { Camera, NoPicture } from "../scan/camera.js";
import { digitsOf, grouped } from "../scan/state.js";
import type { Asks, Host } from "./host.js";
import { qrFigure } from "./picture.js";
import { type CodeConfirm, type CodeProgress, goesOn } from "./types.js";

const own = { confirm: "holder" as CodeConfirm, mutual: false, digits: "", scans: false, busy: false, trouble: null as NoPicture | null, stream: null as MediaStream | null };

let camera: Camera | null = null;

/** The way to the reader of pictures: its own file, for few need it. */
const READER = "/reader.js";

/** Nothing is looked at any more. */
export function shut(): void {
  camera?.close();
  camera = null;
  [own.scans, own.stream, own.trouble, own.digits] = [false, null, null, ""];
}

function show(asks: Asks): void {
  shut();
  own.busy = true;
  asks.draw();
  void asks.ask({ type: "code_show", code: { confirm: own.confirm, mutual: own.mutual } }).then(() => {
    own.busy = false;
    asks.draw();
  });
}

/** Opens the camera to read the other device's code. */
async function scan(asks: Asks): Promise<void> {
  shut();
  own.scans = true;
  asks.draw();
  const { Camera: Kind, ticketOf } = (await import(READER)) as typeof import("../scan/camera.js");
  if (!own.scans) return;
  const looks = new Kind((text) => {
    const ticket = ticketOf(text);
    if (ticket !== null) reads(asks, { ticket });
  });
  camera = looks;
  const taken = await looks.open();
  if (camera !== looks) return;
  if (taken instanceof MediaStream) own.stream = taken;
  else own.trouble = taken;
  asks.draw();
  requestAnimationFrame(() =>
    requestAnimationFrame(() => {
      const video = document.querySelector<HTMLVideoElement>("dialog .finder video");
      if (video && camera === looks) void looks.look(video);
    }),
  );
}

/** What was read goes to the node: whose device it is, and whether it may have the call, is known there. */
function reads(asks: Asks, what: { ticket: string } | { digits: string }): void {
  shut();
  void asks.ask({ type: "code_scan", ...what, code: { confirm: own.confirm } }).then(() => asks.draw());
  asks.draw();
}

/** What the device that wants the call is, in words. */
function deviceOf(host: Host, from: NonNullable<CodeProgress["receiver"]>): string {
  return from.agent ?? host.t(from.device === "telephone" ? "move_telephone" : from.device === "app" ? "move_app" : "move_browser");
}

/** Who wants the call: the name that was typed, or what it is. */
function whoOf(host: Host, one: CodeProgress): string {
  const from = one.receiver;
  return from ? from.name || deviceOf(host, from) : host.t("move_device");
}

/** By which device, and whether that stands beside this one. */
function whenceOf(host: Host, one: CodeProgress): string | null {
  const from = one.receiver;
  if (!from) return null;
  const device = deviceOf(host, from);
  return [device, from.nearby ? host.t("move_from_beside") : from.from].filter(Boolean).join(", ");
}

/** The question, on the page or in the dialog; `name` is whose call it is, where that is somebody else. */
export function codeAsks(host: Host, one: CodeProgress, name: string | null): Node {
  const { t } = host;
  const whence = whenceOf(host, one);
  const says = (allow: boolean) => () => void host.ask({ type: "code_answer", code: one.code, allow });
  return h(
    "div",
    { class: "notice", key: `code-${one.code}`, role: "alert" },
    h("p", {}, name === null ? t("move_asks", { name: one.receiver?.name || t("somebody") }) : t("move_asks_remote", { name })),
    whence ? h("p", { class: "whence" }, whence) : null,
    h("div", { class: "row" }, h("button", { class: "main", onclick: says(true) }, t("move_allow")), h("button", { onclick: says(false) }, t("move_refuse"))),
  );
}

/** What is in the dialog: how far one's code is, or what can be done. */
export function byCode(host: Host, one: CodeProgress | undefined): Child {
  const { t } = host;
  const going = goesOn(one);
  const withdraw = () => {
    shut();
    if (one) void host.ask({ type: "code_withdraw", code: one.code });
  };
  const close = () => {
    shut();
    host.dismiss();
  };
  return [
    one ? progress(host, one) : null,
    !going && !own.scans ? choice(host) : null,
    own.scans || one?.scan ? reader(host) : null,
    h("div", { class: "row", key: "foot" }, going ? h("button", { key: "withdraw", onclick: withdraw }, t("move_withdraw")) : null, h("button", { key: "close", onclick: close }, t("close"))),
  ];
}

/** How far it is. */
function progress(host: Host, one: CodeProgress): Child {
  const { t } = host;
  if (one.state === "shown" && one.link && one.digits) {
    return [h("p", { class: "quiet", key: "hint" }, t("move_hint", { address: `${location.host}/scan` })), h("div", { class: "code", key: "code" }, qrFigure(one.link, t("move_qr")), h("p", { class: "spell" }, grouped(one.digits)), h("p", { class: "quiet small" }, t("move_lasts")))];
  }
  if (one.asked) return codeAsks(host, one, null);
  return h("p", { role: "status", key: "state", class: one.state === "refused" || one.state === "expired" ? "wrong" : "" }, progressWords(host, one));
}

/** How far it is, in words. */
export function progressWords(host: Host, one: CodeProgress): string {
  const { t } = host;
  const key = `move_why_${one.reason}` as keyof HandoverWords;
  const why = one.reason ? t(key) : "";
  const words = one.scan ? t("move_read_other", { who: whoOf(host, one) }) : t(`move_${one.state}` as keyof HandoverWords, { who: whoOf(host, one) });
  return why && why !== key ? `${words} ${why}` : words;
}

/** What is to be shown, and who is asked. */
function choice(host: Host): Child {
  const { t } = host;
  const asks: [CodeConfirm, keyof HandoverWords][] = [["holder", "move_ask_me"], ["holder_and_remote", "move_ask_both"], ["nobody", "move_ask_nobody"]];
  const confirms = (event: Event) => {
    own.confirm = (event.target as HTMLSelectElement).value as CodeConfirm;
    host.draw();
  };
  const mutual = (event: Event) => {
    own.mutual = (event.target as HTMLInputElement).checked;
    host.draw();
  };
  return [
    h("label", { class: "field", key: "asks" }, t("move_who_is_asked"), h("select", { name: "confirm", value: own.confirm, onchange: confirms }, asks.map(([value, words]) => h("option", { value, selected: value === own.confirm }, t(words))))),
    h("label", { class: "check", key: "mutual" }, h("input", { type: "checkbox", name: "mutual", checked: own.mutual, onchange: mutual }), t("move_mutual")),
    h("div", { class: "row", key: "go" }, h("button", { id: "show-code", class: "main", disabled: own.busy, onclick: () => show(host) }, t("move_show")), h("button", { id: "scan-code", onclick: () => void scan(host) }, t("move_scan"))),
  ];
}

/** Reads the other device's code: by the camera, or as typed. */
function reader(host: Host): Child {
  const { t } = host;
  const type = (event: Event) => {
    own.digits = digitsOf((event.target as HTMLInputElement).value).slice(0, 6);
    host.draw();
  };
  const typed = (event: Event) => {
    event.preventDefault();
    if (own.digits.length === 6) reads(host, { digits: own.digits });
  };
  return [
    own.stream
      ? h("div", { class: "finder", key: "finder" }, h("video", { srcObject: own.stream, muted: true, playsinline: true, autoplay: true, "aria-label": t("move_camera") }))
      : own.trouble
        ? h("p", { class: "wrong", key: "trouble" }, t("move_no_camera"))
        : own.scans
          ? h("p", { class: "quiet", key: "opens", role: "status" }, t("move_camera_opens"))
          : h("button", { key: "scan", onclick: () => void scan(host) }, t("move_scan")),
    h(
      "form",
      { class: "field", key: "typed", novalidate: true, onsubmit: typed },
      h("label", { for: "code-digits" }, t("move_digits")),
      h("div", { class: "row" }, h("input", { id: "code-digits", name: "digits", class: "digits", value: own.digits, inputmode: "numeric", autocomplete: "off", maxlength: 7, oninput: type }), h("button", { disabled: own.digits.length < 6 }, t("move_go"))),
    ),
  ];
}
