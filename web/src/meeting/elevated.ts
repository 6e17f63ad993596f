// The page behind a link in a text message: what it adds to the call, and one button.

import { h, type Child, type Node } from "../dom.js";
import { elevating, why } from "./elevate.js";
import { icon } from "./icons.js";
import type { App } from "./local.js";
import { header } from "./preview.js";

export function elevated(app: App): Node[] {
  const { t, state, local } = app;
  const { asks, info, problem } = elevating;
  const busy = elevating.busy || state.phase === "joining";
  const wrong = local.refused ?? (problem ? why(problem) : "");
  return [
    header(app),
    h(
      "main",
      { class: "between" },
      h(
        "section",
        { class: "card elevate", "aria-busy": busy || asks === "looking" },
        h("span", { class: "sign", "aria-hidden": "true" }, icon(asks === "gone" ? "phone" : "camera")),
        h("h1", { tabindex: -1 }, t(asks === "gone" ? "dead_link" : asks === "confirm" ? "elevate_is_it_you" : asks === "patience" ? "elevate_confirming" : "elevate_title")),
        info && asks !== "gone" ? h("p", { class: "with" }, h("b", {}, info.name), h("span", { class: "quiet" }, t(info.phone ? "elevate_as" : "elevate_by_browser", { person: info.person }))) : null,
        asks === "gone" ? null : body(app, busy),
        h("p", { class: asks === "gone" ? "why" : "wrong", role: "alert" }, wrong),
        asks === "gone" ? body(app, busy) : null,
      ),
    ),
  ];
}

function body(app: App, busy: boolean): Child {
  const { t, act } = app;
  switch (elevating.asks) {
    case "looking":
      return h("p", { class: "quiet", role: "status" }, t("elevate_looking"));
    case "gone":
      return h("p", { class: "quiet" }, t(elevating.problem === "forgotten" ? "elevate_call_again" : "elevate_ask_again"));
    case "patience":
      return [h("p", { class: "quiet", role: "status", key: "wait" }, t("elevate_confirming_hint")), waits(), h("button", { key: "no", onclick: () => act.notMe() }, t("cancel"))];
    case "confirm":
      return [
        h("p", { class: "quiet", key: "hint" }, t("elevate_used_hint")),
        h("button", { key: "yes", class: "main wide large", disabled: busy, onclick: () => act.elevated(true, true) }, t("elevate_it_is_me")),
        h("button", { key: "no", onclick: () => act.notMe() }, t("cancel")),
      ];
    case "code":
    case "pin":
    case "tap":
      return form(app, busy);
  }
}

function waits(): Node {
  return h("span", { class: "waits", key: "waits", "aria-hidden": "true" }, h("i", {}), h("i", {}), h("i", {}));
}

/** Digits where some are wanted, and the button. */
function form(app: App, busy: boolean): Child {
  const { t, act } = app;
  const { asks, code, pin, ticket } = elevating;
  const digits = (name: "code" | "pin", label: string, hint: string, value: string, length: number) =>
    h(
      "label",
      { class: "field", key: name },
      label,
      h("input", {
        name,
        class: "digits",
        value,
        inputmode: "numeric",
        pattern: "[0-9]*",
        autocomplete: name === "code" ? "one-time-code" : "off",
        enterkeyhint: "go",
        maxlength: length + 2,
        "aria-invalid": elevating.problem !== null,
        oninput: (event: Event) => {
          const now = (event.target as HTMLInputElement).value;
          act.digits(name === "code" ? now : code, name === "pin" ? now : pin);
        },
      }),
      h("small", {}, hint),
    );
  const ready = (ticket !== null || code.length === 6) && (asks !== "pin" || pin.length >= 3);
  return h(
    "form",
    {
      class: "stack",
      key: "form",
      novalidate: true,
      onsubmit: (event: Event) => {
        event.preventDefault();
        if (ready) act.elevated(true, false);
      },
    },
    ticket === null ? digits("code", t("elevate_code"), t("elevate_code_hint"), code, 6) : null,
    asks === "pin" ? digits("pin", t("elevate_pin"), t("elevate_pin_hint"), pin, 8) : null,
    h("button", { class: "main wide large", key: "go", disabled: busy || !ready }, busy ? t("joining") : [icon("camera"), t("elevate_button")]),
    h("button", { type: "button", class: "plain", key: "without", disabled: busy || !ready, onclick: () => act.elevated(false, false) }, t("elevate_without_camera")),
    elevating.info?.phone === false ? null : h("p", { class: "quiet small by-phone", key: "sound" }, icon("phone"), h("span", {}, t("elevate_sound"))),
  );
}
