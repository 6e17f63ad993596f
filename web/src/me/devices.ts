// One's devices: which there are, what is allowed of them, and which are forgotten.

import { type Child, h, type Node } from "../dom.js";
import type { OwnDevice } from "../handover/types.js";
import { draw, open, page, t } from "./state.js";
import type { Me } from "./types.js";

/** Browsers and programs that are not there and shown all the same, those seen last: the tablet that is switched off for a moment.
 * More: the list is long of what nobody uses. */
const ABSENT = 2;

/** The device whose name was taken away, which it keeps. */
let nameless: string | null = null;

export function devices(of: Me): Node {
  const away = of.devices.filter((device) => device.kind !== "telephone" && !device.online && device.id !== of.device && device.calls.length === 0);
  const latest = [...away].sort((one, other) => (other.seen ?? "").localeCompare(one.seen ?? ""));
  const folded = latest.slice(ABSENT);
  return h(
    "section",
    { class: "card", "aria-labelledby": "mine", key: "mine" },
    h("h2", { id: "mine" }, t("go_devices")),
    h("ul", { key: "shown" }, of.devices.filter((device) => !folded.includes(device)).map((device) => one(of, device))),
    folded.length === 0 ? null : h("details", { class: "folded", key: "folded" }, h("summary", {}, t("absent", { n: folded.length })), h("ul", {}, folded.map((device) => away_one(device)))),
    h(
      "label",
      { class: "switch", key: "follow" },
      t("follow"),
      h("input", { type: "checkbox", checked: of.follow, onchange: (event: Event) => page.socket?.say({ type: "follow", on: (event.target as HTMLInputElement).checked }) }),
      h("small", {}, t("follow_hint")),
    ),
  );
}

function set(device: OwnDevice, change: object): void {
  page.socket?.say({ type: "set_device", device: device.id, ...change });
}

/** When it was last there. */
function seen(device: OwnDevice): string | null {
  const at = new Date(device.seen ?? "");
  if (Number.isNaN(at.getTime())) return null;
  return t("seen", { time: new Intl.DateTimeFormat(page.language, { dateStyle: "medium" }).format(at) });
}

function away_one(device: OwnDevice): Node {
  return h(
    "li",
    { class: "device", key: device.id },
    h("div", { class: "line" }, h("h3", { class: "grow" }, device.name, " ", h("span", { class: "quiet small" }, [t(device.kind), seen(device)].filter(Boolean).join(" · "))), h("button", { class: "danger", "aria-label": t("forget_named", { device: device.name }), onclick: () => open({ kind: "forget", device: device.id }) }, t("forget"))),
  );
}

function state(of: Me, device: OwnDevice): Child {
  return [
    device.id === of.device ? h("span", { class: "tag here", key: "here" }, t("this_device")) : null,
    device.calls.length ? h("span", { class: "tag on", key: "state" }, t("in_call")) : h("span", { class: device.online ? "tag on" : "tag", key: "state" }, t(device.online ? "online" : "offline")),
  ];
}

function one(of: Me, device: OwnDevice): Node {
  const phone = device.kind === "telephone";
  const transfers = [["never", t("transfers_never")], ["ask", t("transfers_ask")], ["at_once", t(phone ? "transfers_phone" : "transfers_at_once")]] as const;
  const renamed = (event: Event) => {
    const field = event.target as HTMLInputElement;
    // A name that is none is not asked for: the one it has stands there again, and why.
    nameless = field.value.trim() === "" ? device.id : null;
    if (nameless !== null) field.value = device.name;
    else set(device, { name: field.value });
    draw();
  };
  return h(
    "li",
    { class: "device", key: device.id },
    h("div", { class: "line" }, h("h3", { class: "grow" }, device.name, " ", h("span", { class: "quiet small" }, [t(device.kind), device.online ? null : seen(device)].filter(Boolean).join(" · "))), state(of, device)),
    h(
      "details",
      {},
      h("summary", {}, t("settings"), h("span", { class: "sr" }, ` ${device.name}`)),
      h(
        "div",
        { class: "device-body" },
        h("label", { class: "field", key: "name" }, t("name"), h("input", { value: device.name, maxlength: 64, onchange: renamed })),
        nameless === device.id ? h("p", { class: "wrong", role: "alert", key: "nameless" }, t("nameless", { device: device.name })) : null,
        h(
          "label",
          { class: "switch", key: "transfers" },
          t("transfers"),
          h("select", { onchange: (event: Event) => set(device, { transfers: (event.target as HTMLSelectElement).value }) }, transfers.map(([value, text]) => h("option", { value, selected: value === device.transfers }, text))),
        ),
        phone || !device.capabilities.includes("video")
          ? null
          : h("label", { class: "switch", key: "camera" }, t("camera"), h("input", { type: "checkbox", checked: device.camera, onchange: (event: Event) => set(device, { camera: (event.target as HTMLInputElement).checked }) })),
        device.id === of.device || (phone && device.online) ? null : h("button", { class: "danger", key: "forget", onclick: () => open({ kind: "forget", device: device.id }) }, t("forget")),
      ),
    ),
  );
}
