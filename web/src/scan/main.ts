// The page at `/scan` and behind a code's link: a device that is in no call takes one over, or shows a code of its own.

import { type Child, h, type Node, patch } from "../dom.js";
import { current, fill, isLanguage, keep, LANGUAGES, remember, remembered } from "../i18n/core.js";
import { scan, type ScanWords } from "../i18n/scan.js";
import { path, qr } from "../meeting/qr.js";
import { Camera, type NoPicture, ticketOf } from "./camera.js";
import { type Claim, digitsOf, grouped, type Info, post, type Read, Refusal } from "./state.js";

/** How often it is asked how far it is, in ms. More often: requests for nothing. Less: the call comes later. */
const ASKS = 700;

type View = "looking" | "found" | "waiting" | "own" | "gone";

let language = current();
let view: View = "looking";
let camera: Camera | null = null;
let stream: MediaStream | null = null;
let noPicture: NoPicture | null = null;
let digits = "";
let name = remembered("ringlift.name") ?? "";
let read: Read | null = null;
let info: Info | null = null;
let claim: Claim | null = null;
let secret: string | null = null;
let problem: string | null = null;
let wait = 0;
let busy = false;
let foreign = false;

const t = (key: keyof ScanWords, values = {}) => fill(language, scan[language][key] ?? key, values);

function draw(): void {
  document.documentElement.lang = language;
  document.title = `${t("title")} · Ringlift`;
  const app = document.getElementById("app");
  if (!app) return;
  patch(app, page() as Exclude<Child, Child[] | number | null | false | undefined>[]);
  const video = app.querySelector("video");
  if (video && video.paused) void video.play().catch(() => undefined);
}

function page(): Node[] {
  return [
    h("header", {}, h("img", { src: "/icon.svg", alt: "", width: 32, height: 32 }), h("b", {}, "Ringlift")),
    h("main", {}, body()),
    h(
      "footer",
      {},
      h(
        "select",
        { "aria-label": t("language"), onchange: speak },
        Object.entries(LANGUAGES).map(([code, label]) => h("option", { value: code, lang: code, selected: code === language }, label)),
      ),
    ),
  ];
}

function body(): Child {
  switch (view) {
    case "looking":
      return looking();
    case "found":
      return found();
    case "waiting":
      return waiting();
    case "own":
      return own();
    case "gone":
      return gone();
  }
}

function wrong(): Node {
  return h("p", { class: "wrong", role: "alert", key: "wrong" }, problem ? why(problem) : foreign ? t("foreign") : "");
}

function why(name: string): string {
  return scan[language][`why_${name}` as keyof ScanWords] ? t(`why_${name}` as keyof ScanWords, { n: Math.max(1, wait) }) : t("why_failed");
}

function looking(): Child {
  const finder = stream
    ? h("div", { class: "finder", key: "finder" }, h("video", { srcObject: stream, muted: true, playsinline: true, autoplay: true, "aria-label": t("camera") }))
    : h("div", { class: "finder dark", key: "dark" }, h("p", { role: "status" }, noPicture ? t(`camera_${noPicture}`) : t("camera_opens")));
  return [
    h("h1", { tabindex: -1, key: "h" }, t("title")),
    h("p", { class: "quiet", key: "lead" }, t("lead")),
    finder,
    noPicture === "denied" || noPicture === "busy" ? h("button", { key: "again", onclick: () => void open() }, t("camera_again")) : null,
    wrong(),
    h("p", { class: "or", key: "or" }, t("or")),
    h(
      "form",
      { key: "typed", novalidate: true, onsubmit: typed },
      h("label", { class: "field" }, t("digits"), h("input", { name: "digits", class: "digits", value: digits, inputmode: "numeric", autocomplete: "one-time-code", enterkeyhint: "go", maxlength: 13, oninput: (event: Event) => ((digits = digitsOf((event.target as HTMLInputElement).value)), draw()) })),
      h("button", { class: "main", disabled: busy || digits.length < 6 }, t(busy ? "busy" : "go_on")),
    ),
    h("p", { class: "or", key: "or2" }, t("or")),
    h("button", { key: "own", disabled: busy, onclick: () => void ask() }, t("show_own")),
    h("p", { class: "quiet", key: "own-hint" }, t("show_own_hint")),
  ];
}

function found(): Child {
  if (!info) return h("p", { class: "quiet", role: "status" }, t("busy"));
  if (info.kind === "give") return [h("h1", { key: "h", tabindex: -1 }, t("give_title")), h("p", { class: "quiet", key: "hint" }, t("give_hint")), h("button", { key: "back", onclick: restart }, t("back"))];
  const call = info.kind === "call";
  return [
    h("h1", { key: "h", tabindex: -1 }, t(call ? "call_title" : "take_title")),
    h(
      "section",
      { class: "card", key: "card" },
      h("p", { class: "with" }, h("b", {}, (call ? info.name : info.person) ?? ""), call ? (info.person ? h("span", { class: "quiet" }, t("calls", { person: info.person })) : null) : info.name ? h("span", { class: "quiet" }, info.name) : null),
      h(
        "form",
        { novalidate: true, onsubmit: take },
        h("label", { class: "field" }, t("name"), h("input", { name: "name", value: name, maxlength: 64, autocomplete: "name", enterkeyhint: "go", oninput: (event: Event) => (name = (event.target as HTMLInputElement).value) }), call || info.confirm === "nobody" ? null : h("small", {}, t("name_hint"))),
        wrong(),
        h("button", { class: "main", disabled: busy }, t(busy ? "busy" : call ? "call_now" : "take_now")),
        h("button", { type: "button", class: "plain", onclick: restart }, t("cancel")),
      ),
    ),
    h("p", { class: "quiet", key: "mic" }, t("microphone_hint")),
  ];
}

function waiting(): Child {
  const shows = claim?.link && claim.digits ? [h("p", { class: "quiet", key: "show" }, t("mutual_hint")), picture(claim.link, claim.digits)] : null;
  return [
    h("h1", { key: "h", tabindex: -1 }, t(shows ? "mutual_title" : "waiting_title", { person: claim?.person ?? "" })),
    shows ?? [h("p", { class: "quiet", key: "hint", role: "status" }, t(claim?.confirm === "holder_and_remote" ? "waiting_both" : "waiting_hint")), dots()],
    h("button", { key: "cancel", onclick: () => void giveUp() }, t("cancel")),
  ];
}

function own(): Child {
  return [
    h("h1", { key: "h", tabindex: -1 }, t("own_title")),
    h("p", { class: "quiet", key: "hint" }, t("own_hint")),
    claim?.link && claim.digits ? picture(claim.link, claim.digits) : dots(),
    h("button", { key: "cancel", onclick: () => void giveUp() }, t("cancel")),
  ];
}

function gone(): Child {
  return [h("h1", { key: "h", tabindex: -1 }, t("gone_title")), h("p", { key: "why", role: "alert" }, problem ? why(problem) : ""), h("button", { class: "main", key: "again", onclick: restart }, t("again"))];
}

function dots(): Node {
  return h("span", { class: "waits", key: "waits", "aria-hidden": "true" }, h("i", {}), h("i", {}), h("i", {}));
}

function picture(link: string, shown: string): Node {
  const code = qr(link);
  const side = (code?.length ?? 0) + 8;
  return h("figure", { class: "qr", key: "qr" }, code ? h("svg", { viewBox: `0 0 ${side} ${side}`, role: "img", "aria-label": t("qr") }, h("rect", { width: side, height: side }), h("path", { d: path(code) })) : null, h("figcaption", { class: "spell" }, grouped(shown)));
}

function speak(event: Event): void {
  const chosen = (event.target as HTMLSelectElement).value;
  if (!isLanguage(chosen)) return;
  keep(chosen);
  language = chosen;
  draw();
}

/** Opens the camera and looks, until a code is there. */
async function open(): Promise<void> {
  close();
  const mine = new Camera((text) => {
    const ticket = ticketOf(text);
    foreign = ticket === null;
    if (ticket === null) return draw();
    void look({ ticket });
  });
  camera = mine;
  const taken = await mine.open();
  if (camera !== mine) return;
  [stream, noPicture] = taken instanceof MediaStream ? [taken, null] : [null, taken];
  draw();
  const video = document.querySelector("video");
  if (video) void mine.look(video);
}

function close(): void {
  camera?.close();
  [camera, stream] = [null, null];
}

function restart(): void {
  [view, read, info, claim, secret, problem, busy, digits, foreign] = ["looking", null, null, null, null, null, false, "", false];
  // A link that opened this page is not looked at again.
  if (location.pathname !== "/scan") history.replaceState(null, "", "/scan");
  draw();
  void open();
}

/** What the code is for; that uses nothing up. */
async function look(what: Read, told: string | null = null): Promise<void> {
  close();
  [read, view, info, problem] = [what, "found", null, told];
  draw();
  try {
    info = await post<Info>("info", what);
  } catch (error) {
    return refused(error);
  }
  draw();
  document.querySelector<HTMLElement>("h1")?.focus();
}

function typed(event: SubmitEvent): void {
  event.preventDefault();
  if (digits.length >= 6) void look({ digits });
}

/** Takes the call: the microphone is asked for first, so that it is there when the call comes. */
async function take(event: SubmitEvent): Promise<void> {
  event.preventDefault();
  if (!read || busy) return;
  [busy, problem] = [true, null];
  draw();
  remember("ringlift.name", name.trim());
  await microphone();
  try {
    follow(await post<Claim>("redeem", { ...read, ...(name.trim() ? { name: name.trim() } : {}) }), "waiting");
  } catch (error) {
    refused(error);
  }
}

/** The browser asks for the microphone now; whoever refuses can still listen. */
async function microphone(): Promise<void> {
  try {
    const taken = await navigator.mediaDevices.getUserMedia({ audio: true });
    taken.getTracks().forEach((track) => track.stop());
  } catch {
    // The meeting says so, and offers it again.
  }
}

/** Shows a code of this device's own. */
async function ask(): Promise<void> {
  close();
  [busy, problem] = [true, null];
  draw();
  await microphone();
  try {
    follow(await post<Claim>("ask", name.trim() ? { name: name.trim() } : {}), "own");
  } catch (error) {
    busy = false;
    refused(error);
  }
}

function follow(now: Claim, where: View): void {
  [claim, secret, busy, view] = [now, now.claim ?? secret, false, where];
  draw();
  document.querySelector<HTMLElement>("h1")?.focus();
  void until();
}

/** Asks how far it is, until it is ours or nobody's. */
async function until(): Promise<void> {
  const mine = secret;
  for (;;) {
    if (!claim || secret !== mine) return;
    if (claim.ticket) return go(claim.ticket);
    if (claim.state === "refused" || claim.state === "expired") return over(claim.reason ?? claim.state);
    await new Promise((done) => setTimeout(done, ASKS));
    if (!mine || secret !== mine) return;
    try {
      claim = { ...(await post<Claim>("wait", { claim: mine })) };
      // Somebody read this device's own code.
      if (view === "own" && claim.state !== "shown") view = "waiting";
      problem = null;
    } catch (error) {
      // A network that is gone for a moment is asked again.
      if (!(error instanceof Refusal) || error.problem !== "unreachable") return refused(error);
    }
    draw();
  }
}

/** Into the meeting, with the call. */
function go(ticket: string): void {
  close();
  const from = read && "ticket" in read ? read.ticket : "";
  const calls = info?.rings ? `&${new URLSearchParams({ from, calls: info.person ?? info.name ?? "" })}` : "";
  location.replace(`/j/${encodeURIComponent(ticket)}#take${claim?.channels.includes("audio") === false ? "=pictures" : ""}${calls}`);
}

async function giveUp(): Promise<void> {
  const mine = secret;
  secret = null;
  if (mine) await post("leave", { claim: mine }).catch(() => undefined);
  restart();
}

function refused(error: unknown): void {
  const { problem: which, wait: seconds } = error instanceof Refusal ? error : new Refusal("failed", 0);
  [problem, wait, busy] = [which, seconds, false];
  // A slip is mended where it was made; everything else ends here.
  if (which === "mistyped" || which === "unreachable" || (which === "unknown" && read && "digits" in read) || which === "too_many_attempts") {
    const again = view;
    view = "looking";
    if (again !== "looking") void open();
    return draw();
  }
  over(which);
}

function over(which: string): void {
  close();
  [view, problem, busy, secret] = ["gone", which, false, null];
  draw();
  document.querySelector<HTMLElement>("h1")?.focus();
}

const [, door, rest] = location.pathname.split("/");
if (door === "c" && rest) {
  // The call that this code began is over, or nobody answered.
  const told = ["#over", "#nowhere"].includes(location.hash) ? location.hash.slice(1) : null;
  if (told) history.replaceState(null, "", location.pathname);
  void look({ ticket: decodeURIComponent(rest) }, told);
}
else {
  draw();
  void open();
}
// The browser's way back shows the page as it was; what it waited for is gone.
addEventListener("pageshow", (event) => event.persisted && restart());
