// How far a link is that adds video to somebody's call: each step and its reason, for whoever asked.

import { h, type Child, type Node } from "../dom.js";
import { clock } from "../i18n/core.js";
import type { Words } from "../i18n/words.js";
import { frame } from "./dialogs.js";
import { icon, type Sign } from "./icons.js";
import { qrFigure } from "../handover/picture.js";
import type { App } from "./local.js";
import { called, isHost, underWay } from "./model.js";
import type { Person, Progress } from "./protocol.js";
import { name } from "./stage.js";

/** The step in words. */
export function stepWords(app: App, step: Progress["step"]): string {
  const key = `step_${step}` as keyof Words;
  const words = app.t(key);
  return words === key ? step : words;
}

/** Why; a reason that a newer node has is shown as it is called. */
export function reasonWords(app: App, reason: string | null | undefined): string | null {
  if (!reason) return null;
  const key = `reason_${reason}` as keyof Words;
  const words = app.t(key);
  return words === key ? reason.replaceAll("_", " ") : words;
}

/** Whether a link can be sent to this person from here. */
export function mayElevate(app: App, person: Person): boolean {
  return person.state === "active" && person.audio === "phone" && !person.video && (isHost(app.state) || person.id === app.state.you);
}

function sign(step: Progress["step"]): Sign {
  if (step === "failed" || step === "ended" || step === "closed") return "close";
  if (step === "spoken") return "phone";
  if (step === "shown") return "grid";
  if (step === "bound") return "camera";
  if (step === "texted" || step === "sent" || step === "delivered" || step === "pushed") return "chat";
  return "check";
}

export function ladder(app: App, person: Person): Node {
  const { state, local, t, act } = app;
  const taken = state.elevations.get(person.id);
  const steps = taken?.steps ?? [];
  const last = steps.at(-1);
  const rung = steps.findLast((one) => one.link || one.code);
  const going = underWay(last);
  return frame(
    app,
    `ladder-${person.id}`,
    t("video_link_for", { name: name(app, person) }),
    "wide",
    h(
      "div",
      { class: "stack" },
      steps.length === 0 ? h("p", { class: "quiet", role: "status" }, t("elevate_looking")) : null,
      h(
        "ol",
        { class: "ladder", role: "log", "aria-label": t("video_link_for", { name: name(app, person) }) },
        steps.map((one, at) => {
          const why = reasonWords(app, one.reason);
          const now = at === steps.length - 1;
          return h("li", { key: `${one.elevation}:${at}`, class: `${one.step}${now ? " now" : ""}${now && going ? " going" : ""}` }, icon(sign(one.step)), h("span", { class: "what" }, h("b", {}, stepWords(app, one.step)), why ? h("small", {}, why) : null), h("time", {}, clock(local.language, one.at)));
        }),
      ),
      last?.wants ? wants(app, person, last) : null,
      rung && going ? shownRung(app, rung) : null,
      h("div", { class: "row" }, mayElevate(app, person) && !going && steps.length > 0 ? h("button", { class: "main", key: "again", onclick: () => act.elevate(person.id) }, t("send_again")) : null, h("button", { key: "close", onclick: () => act.dismiss() }, t("close"))),
    ),
  );
}

/** Another browser wants the seat: whoever may let it in is asked. */
export function wants(app: App, person: Person, one: Progress): Child {
  const { t, act, state } = app;
  return h("div", { class: "notice", key: `wants-${person.id}`, role: "alert" }, h("p", {}, person.id === state.you ? t("elevate_wants_you") : t("elevate_wants", { name: called(person, t("guest")) })), h("div", { class: "row" }, h("button", { class: "main", onclick: () => act.letIn(one.elevation, true) }, t("allow")), h("button", { onclick: () => act.letIn(one.elevation, false) }, t("keep_out"))));
}

/** The last rung: whoever asked reads the link and the digits to the other, or shows them. */
function shownRung(app: App, one: Progress): Child {
  const { t } = app;
  const address = one.link ? one.link.replace(/^https?:\/\//, "").replace(/\/e\/.*$/, "/e") : null;
  return h(
    "div",
    { class: "invite", key: "rung" },
    h("div", { class: "stack" }, h("p", {}, t("elevate_read_out")), address ? h("p", {}, h("b", {}, address)) : null, one.code ? h("p", { class: "spell" }, one.code.replace(/(\d{3})(?=\d)/g, "$1 ")) : null),
    one.link ? qrFigure(one.link, t("elevate_scan")) : null,
  );
}
