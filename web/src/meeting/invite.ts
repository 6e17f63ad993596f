// Inviting others: by a link that can be taken back, by telephone, by a picture.

import { h, type Child, type Node } from "../dom.js";
import { qrFigure } from "../handover/picture.js";
import { frame } from "./dialogs.js";
import { icon } from "./icons.js";
import type { App } from "./local.js";
import { isHost } from "./model.js";

/** The link by which others come; none until the node made one, and for who may not invite. */
export function link(app: App): string | null {
  const made = app.local.invitation;
  return made ? `${location.origin}${made.path}` : null;
}

/** Numbers as people read them: what is keyed after them apart. */
function dialText(app: App): string[] {
  const { state, t } = app;
  const dial = state.dialIn;
  const lines: string[] = [];
  // Without a link the number is keyed at the page, too.
  if (!link(app) && dial?.pin) lines.push(`${location.origin}/ · ${t("number")}: ${dial.pin}`);
  if (!dial || dial.numbers.length === 0) return lines;
  lines.push(`${t("by_phone")}: ${dial.numbers.join(", ")}`);
  if (dial.pin) lines.push(`${t("meeting_pin")}: ${dial.pin}#`);
  if (dial.one_tap) lines.push(`${t("one_tap")}: ${dial.one_tap}`);
  return lines;
}

export function invitationText(app: App): string {
  const { state, local, t } = app;
  const name = state.room?.name ?? "Ringlift";
  const to = local.invitation?.name;
  return [to ? t("invitation_to", { name, person: to }) : t("invitation_for", { name }), link(app), ...dialText(app)].filter(Boolean).join("\n");
}

export function invite(app: App): Node {
  const { t, act } = app;
  const to = link(app);
  const host = isHost(app.state);
  return frame(
    app,
    "invite",
    t("invite"),
    "wide",
    h(
      "div",
      { class: "invite" },
      h(
        "div",
        { class: "stack" },
        to ? h("label", { class: "field", key: "link" }, app.local.invitation?.name ? t("link_for", { name: app.local.invitation.name }) : t("link_for_all"), h("input", { name: "link", readonly: true, value: to, onfocus: (event: Event) => (event.target as HTMLInputElement).select() })) : h("p", { class: "quiet", key: "none", role: "status" }, t(host ? "link_comes" : "link_by_host")),
        h("div", { class: "row", key: "row" }, h("button", { class: "main", onclick: () => act.copy(invitationText(app)) }, icon(app.local.copied ? "check" : "copy"), t(app.local.copied ? "copied" : "copy_invitation")), typeof navigator.share === "function" ? h("button", { onclick: () => act.share(invitationText(app)) }, icon("share"), t("share")) : null),
        host ? personal(app) : null,
        dialIn(app),
      ),
      to ? qrFigure(to, t("qr")) : null,
    ),
  );
}

/** A link for one person, under a name. */
function personal(app: App): Node {
  const { local, t, act } = app;
  return h(
    "form",
    {
      class: "field personal",
      key: "personal",
      onsubmit: (event: Event) => {
        event.preventDefault();
        act.invite(local.invitee.trim() || null);
      },
    },
    h("label", { for: "invitee" }, t("invite_one")),
    h("div", { class: "row" }, h("input", { id: "invitee", name: "invitee", value: local.invitee, maxlength: 64, autocomplete: "off", placeholder: t("name"), oninput: (event: Event) => act.type("invitee", (event.target as HTMLInputElement).value) }), h("button", {}, t("make_link"))),
    h("small", { class: "hint" }, t("invite_one_hint")),
  );
}

function dialIn(app: App): Child {
  const { state, t } = app;
  const dial = state.dialIn;
  if (!dial || (dial.numbers.length === 0 && !dial.pin)) return null;
  return h(
    "div",
    { class: "dial", key: "dial" },
    dial.numbers.length > 0 ? h("h3", {}, t("by_phone")) : null,
    h("ul", {}, dial.numbers.map((number) => h("li", { key: number }, h("a", { href: `tel:${number.replace(/[^+\d]/g, "")}` }, number)))),
    dial.pin ? h("p", {}, `${t("meeting_pin")}: `, h("b", {}, `${dial.pin}#`)) : null,
    dial.one_tap ? h("a", { class: "button", href: dial.tel ?? `tel:${dial.one_tap.replaceAll("#", "%23")}` }, icon("phone"), t("one_tap")) : null,
    dial.one_tap ? h("code", { class: "quiet" }, dial.one_tap) : null,
  );
}
