// Before the meeting: how one looks and sounds, one's name, and the way in.

import { h, type Child, type Node } from "../dom.js";
import { LANGUAGES, remembered } from "../i18n/core.js";
import type { Words } from "../i18n/words.js";
import type { Trouble } from "./devices.js";
import { icon } from "./icons.js";
import type { App } from "./local.js";
import { initials } from "./model.js";

/** On a telephone the way in comes before the choice of devices. */
const WIDE = matchMedia("(min-width: 50rem) and (min-height: 30rem)").matches;

export function header(app: App): Node {
  return h(
    "header",
    { class: "top plain" },
    h("a", { href: "/", class: "brand", "aria-label": "Ringlift" }, h("img", { src: "/icon.svg", alt: "", width: 32, height: 32 }), h("b", {}, "Ringlift")),
    h("span", { class: "gap" }),
    languages(app),
  );
}

export function languages(app: App): Node {
  return h(
    "select",
    { class: "language", "aria-label": app.t("language"), value: app.local.language, onchange: (event: Event) => app.act.speak((event.target as HTMLSelectElement).value) },
    Object.entries(LANGUAGES).map(([code, name]) => h("option", { value: code, lang: code }, name)),
  );
}

/** What is the matter with a device, and what to do. */
export function explain(app: App, kind: "microphone" | "camera", trouble: Trouble): string {
  return app.t(`${kind}_${trouble}` as keyof Words);
}

export function picker(app: App, kind: "microphone" | "camera" | "speaker"): Node | null {
  const { devices, microphone, camera, speaker } = app.local;
  const all = kind === "microphone" ? devices.microphones : kind === "camera" ? devices.cameras : devices.speakers;
  if (all.length === 0) return null;
  const track = kind === "microphone" ? microphone.track : kind === "camera" ? camera.track : null;
  const chosen = track?.getSettings().deviceId ?? (kind === "microphone" ? microphone.device : kind === "camera" ? camera.device : speaker) ?? "";
  return h(
    "label",
    { class: "field", key: kind },
    app.t(kind),
    h(
      "select",
      { name: kind, value: all.some((one) => one.id === chosen) ? chosen : (all[0]?.id ?? ""), onchange: (event: Event) => app.act.choose(kind, (event.target as HTMLSelectElement).value) },
      all.map((one, at) => h("option", { value: one.id, key: one.id }, one.label || `${app.t(kind)} ${at + 1}`)),
    ),
  );
}

export function preview(app: App): Node[] {
  const { local, state, t, act } = app;
  const { microphone, camera } = local;
  const troubles = [microphone.trouble, camera.trouble];
  const both = troubles[0] !== null && troubles[0] === troubles[1];
  const notices: Child[] = [];
  if (troubles[0] === "insecure") notices.push(h("p", { class: "notice", role: "note", key: "insecure" }, t("insecure")));
  else if (troubles[0] === "unsupported") notices.push(h("p", { class: "notice", role: "note", key: "unsupported" }, t("unsupported")));
  else {
    if (microphone.trouble) notices.push(h("p", { class: "notice", role: "note", key: "m" }, explain(app, "microphone", microphone.trouble)));
    if (camera.trouble && !(both && camera.trouble === "none") && camera.trouble !== "none") notices.push(h("p", { class: "notice", role: "note", key: "c" }, explain(app, "camera", camera.trouble)));
  }
  const again = troubles.some((one) => one === "denied" || one === "in_use" || one === "failed" || one === "denied_by_system");
  const busy = state.phase === "joining";
  const to = local.invitedTo;
  const hints: (keyof Words)[] = !to ? [] : to.locked ? ["problem_room_locked"] : to.full ? ["problem_room_full"] : to.waits_for_host ? ["waiting_for_host"] : to.lobby ? ["lobby_hint"] : [];
  if (local.dead) return dead(app);
  return [
    header(app),
    h(
      "main",
      { class: "preview" },
      h(
        "section",
        { class: "look", "aria-label": t("preview") },
        h(
          "div",
          { class: "picture" },
          camera.on && camera.track
            ? h("video", { key: "v", class: "mirror", autoplay: true, playsinline: true, muted: true, srcObject: streamOf(camera.track), "aria-label": t("your_camera") })
            : h("div", { key: "a", class: "nobody" }, h("span", { class: "avatar big tint-0" }, initials(local.name) || icon("people")), h("p", { class: "quiet" }, camera.trouble === "none" ? t("camera_none") : t("camera_is_off"))),
          h(
            "div",
            { class: "over" },
            toggle(t(microphone.on ? "mute" : "unmute"), microphone.on ? "mic" : "mic_off", microphone.on, microphone.trouble !== null, () => act.microphone()),
            toggle(t(camera.on ? "camera_off" : "camera_on"), camera.on ? "camera" : "camera_off", camera.on, camera.trouble !== null, () => act.camera()),
          ),
        ),
        h(
          "div",
          { class: "meter", role: "meter", id: "meter", "aria-label": t("microphone_level"), "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": 0 },
          h("i", {}),
        ),
        h("p", { class: "quiet small", key: "hint" }, microphone.on && microphone.track ? t("say_something") : t("microphone_is_off")),
      ),
      h(
        "section",
        { class: "card enter", "aria-labelledby": "ready" },
        h("h1", { id: "ready" }, t("ready")),
        to ? h("p", { class: "with", key: "room" }, h("b", {}, to.room)) : null,
        hints.map((one) => h("p", { class: "quiet", key: one }, t(one))),
        notices,
        again ? h("button", { key: "again", type: "button", onclick: () => act.allow() }, t("try_again")) : null,
        h(
          "form",
          {
            key: "form",
            novalidate: true,
            onsubmit: (event: Event) => {
              event.preventDefault();
              act.join();
            },
          },
          h("label", { class: "field" }, t("your_name"), h("input", { name: "name", value: local.name, maxlength: 64, autocomplete: "name", autocapitalize: "words", enterkeyhint: "go", oninput: (event: Event) => act.type("name", (event.target as HTMLInputElement).value) })),
          local.asks === "nothing"
            ? null
            : h(
                "label",
                { class: "field" },
                t(local.asks),
                h("input", {
                  name: "passcode",
                  value: local.passcode,
                  type: local.asks === "number" ? "text" : "password",
                  inputmode: "numeric",
                  autocomplete: "off",
                  enterkeyhint: "go",
                  "aria-invalid": local.refused !== null,
                  oninput: (event: Event) => act.type("passcode", (event.target as HTMLInputElement).value),
                }),
              ),
          h("details", { key: "devices", open: WIDE }, h("summary", {}, t("devices")), h("div", { class: "stack" }, picker(app, "microphone"), picker(app, "camera"), picker(app, "speaker"), local.devices.microphones.length + local.devices.cameras.length === 0 ? h("p", { class: "quiet" }, t("no_devices")) : null)),
          h(
            "label",
            { class: "check", key: "listen" },
            h("input", { type: "checkbox", name: "listen", checked: local.listenOnly, onchange: (event: Event) => act.listenOnly((event.target as HTMLInputElement).checked) }),
            h("span", {}, t("listen_only")),
          ),
          h("p", { class: "wrong", role: "alert" }, local.refused ?? ""),
          h("button", { class: "main wide", disabled: busy }, busy ? t("joining") : t("join")),
        ),
      ),
    ),
  ];
}

/** A link that opens nothing any more: said before anybody gives a name or a camera. */
function dead(app: App): Node[] {
  const { local, t } = app;
  return [header(app), h("main", { class: "between" }, h("section", { class: "card" }, h("h1", {}, t("dead_link")), h("p", { role: "alert" }, local.refused ?? ""), h("a", { class: "button", href: "/" }, t("to_start"))))];
}

function toggle(label: string, sign: "mic" | "mic_off" | "camera" | "camera_off", on: boolean, disabled: boolean, act: () => void): Node {
  return h("button", { type: "button", class: on ? "round" : "round off", "aria-label": label, title: label, disabled, onclick: act }, icon(sign));
}

const streams = new WeakMap<MediaStreamTrack, MediaStream>();

/** One stream for each track, so that a picture is not begun anew at each look. */
export function streamOf(track: MediaStreamTrack): MediaStream {
  let stream = streams.get(track);
  if (!stream) {
    stream = new MediaStream([track]);
    streams.set(track, stream);
  }
  return stream;
}

/** Ends of a telephone's call: the page alone cannot come back. */
const CALL_OVER = new Set(["restarted", "forgotten", "call_ended"]);

/** What is said after the meeting, and the way on. */
function over(app: App, cause: string): Node {
  const { state, t, act } = app;
  const name = state.room?.name ?? "";
  const mine = remembered("ringlift.me.ticket") !== null;
  // Who gave the call away by a code has no way back to it; who moved it to another device of theirs has.
  const given = [...state.codes.values()].some((one) => one.participant === state.you && one.state === "transferred");
  const back = cause === "moved" && mine && !given && state.you !== null;
  const key = ([`ended_${cause}`, `problem_${cause}`, "ended_other"] as (keyof Words)[]).find((one) => t(one) !== one) ?? "ended_other";
  const hint = CALL_OVER.has(cause) ? "elevate_call_again" : null;
  const again = CALL_OVER.has(cause) || cause === "not_moved" || back ? null : h("button", { class: cause === "moved" ? "plain" : "main", onclick: () => act.again() }, t(cause === "left_video" ? "elevate_button" : "join_again"));
  return h(
    "section",
    { class: "card" },
    h("h1", { tabindex: -1, id: "ended" }, t(key)),
    name ? h("p", { class: "quiet" }, name) : null,
    hint ? h("p", {}, t(hint)) : null,
    h(
      "div",
      { class: "row" },
      back ? h("a", { class: "button main", href: `/me#take=${state.you}` }, t("take_back_here")) : null,
      cause === "not_moved" && mine ? h("a", { class: "button main", href: "/me" }, t("go_devices")) : null,
      again,
      h("a", { class: "button plain", href: "/" }, t("to_start")),
    ),
  );
}

/** In front of the door, and after the meeting. */
export function between(app: App): Node[] {
  const { state, t, act } = app;
  const name = state.room?.name ?? "";
  if (state.phase === "ended") {
    const cause = state.ended?.cause ?? "";
    return [
      header(app),
      h(
        "main",
        { class: "between" },
        over(app, cause),
      ),
    ];
  }
  return [
    header(app),
    h(
      "main",
      { class: "between" },
      h(
        "section",
        { class: "card" },
        h("span", { class: "waits", "aria-hidden": "true" }, h("i", {}), h("i", {}), h("i", {})),
        h("h1", {}, state.phase === "lobby" ? t("in_lobby") : t("waiting_for_host")),
        h("p", { class: "quiet" }, name ? `${name} · ` : "", t("you_come_in")),
        state.link === "lost" ? h("p", { class: "notice", role: "status" }, t("connection_lost")) : null,
        h("button", { onclick: () => act.leave() }, t("leave")),
      ),
    ),
  ];
}
