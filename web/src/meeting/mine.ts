// The devices of the person at this page, where the node knows whose they are: the call goes to one of them, and back.

import { h, type Child } from "../dom.js";
import type { MoveOver, OwnDevice } from "../handover/types.js";
import type { App } from "./local.js";
import { ask, draw, page, request, t } from "./page.js";
import { say } from "./say.js";

const own = { devices: [] as OwnDevice[], back: null as string | null, /** Where the call is going. */ going: null as string | null };

/** Asks which there are; of whom the node knows nothing there are none. */
export function look(): void {
  void request({ type: "devices" }).then((answer) => {
    if (answer?.type !== "devices") return;
    [own.devices, own.back] = [answer.devices, answer.back ?? null];
    draw();
  });
}

function nameOf(id: string): string {
  return own.devices.find((one) => one.id === id)?.name ?? t("move_device");
}

/** A move has ended, well or not. */
export function over(what: MoveOver): void {
  if (what.call !== page.state.you) return;
  own.going = null;
  // A page whose call went is closed, and says so.
  if (what.failure) say(`${t("move_why_not_connected")} ${t("move_refused")}`, { wrong: true });
  look();
  draw();
}

function moves(to: string, message: { type: "move_there"; device: string } | { type: "hand_back" }): void {
  own.going = to;
  draw();
  void request(message).then((answer) => {
    if (answer?.type === "done") return;
    own.going = null;
    if (answer?.type === "not_moved") say(t("problem_other", { why: answer.text }), { wrong: true });
    draw();
  });
}

/** The devices to move to; nothing where there are none. */
export function mine(app: App): Child {
  const { state } = app;
  const call = state.you;
  if (own.devices.length === 0 || call === null) return null;
  if (own.going !== null) {
    return h(
      "div",
      { class: "row", key: "going" },
      h("p", { role: "status" }, t("move_awaiting", { who: nameOf(own.going) })),
      h("button", { onclick: () => void ask({ type: "move_answer", call, takes: false }) }, t("cancel")),
    );
  }
  const { back } = own;
  const carries = own.devices.filter((one) => one.calls.includes(call));
  const others = own.devices.filter((one) => one.online && one.transfers !== "never" && one.id !== back && !carries.includes(one));
  return [
    h("h3", { key: "mine" }, t("go_devices")),
    h("ul", { class: "stack", key: "list" }, [
      back && !carries.some((one) => one.id === back) ? h("li", { key: back }, h("button", { class: "main", onclick: () => moves(back, { type: "hand_back" }) }, t("go_back", { device: nameOf(back) }))) : null,
      others.map((one) => h("li", { key: one.id }, h("button", { onclick: () => moves(one.id, { type: "move_there", device: one.id }) }, one.name))),
    ]),
  ];
}
