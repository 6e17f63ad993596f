// Forms for what can be made: rooms, trunks, numbers.

import type { Extension, Group, Problem, Room } from "./types.js";

type Send = (body: object) => Promise<Problem | null>;

/** A field's text, less what people put around it. */
type Text = (name: string) => string;

interface Form {
  title: string;
  verb: string;
  /** A constant, but for what `options` fills in as text. */
  fields: string;
  /** What is to be sent. */
  body(text: Text, checked: (name: string) => boolean): object;
}

const ROOM: Form = {
  title: "New room",
  verb: "Make the room",
  fields: `
  <label>Name <input name="name" required maxlength="100" autocomplete="off" placeholder="Monday call"></label>
  <label>PIN <input name="pin" inputmode="numeric" maxlength="24" autocomplete="off" placeholder="drawn: six digits"><small>1 to 20 digits, no other room’s. Leave it empty and one is drawn.</small></label>
  <label>Host PIN <input name="host_pin" inputmode="numeric" maxlength="24" autocomplete="off" placeholder="none"><small>Who keys it may mute, admit, lock and end.</small></label>
  <label>The first caller <select name="first_caller">
    <option value="music">hears music until a second comes</option>
    <option value="tone">hears a soft tone until a second comes</option>
    <option value="start">starts the meeting</option>
    <option value="host">waits until a host comes</option>
  </select></label>
  <label class="check"><input type="checkbox" name="lobby"> Guests wait in a lobby until they are admitted</label>
  <label class="check"><input type="checkbox" name="muted_on_entry"> Guests come in muted</label>`,
  body(text, checked) {
    const [pin, host] = [text("pin"), text("host_pin")].map((digits) => digits.replace(/[\s-]/g, ""));
    return {
      name: text("name"),
      ...(pin ? { pin } : { pin_digits: 6 }),
      ...(host ? { host_pin: host } : {}),
      first_caller: text("first_caller"),
      lobby: checked("lobby"),
      muted_on_entry: checked("muted_on_entry"),
    };
  },
};

const TRUNK: Form = {
  title: "New trunk",
  verb: "Add the trunk",
  fields: `
  <label>Name <input name="name" required maxlength="100" autocomplete="off" placeholder="Carrier, switchboard or office"></label>
  <label>Networks <input name="networks" autocomplete="off" placeholder="192.168.1.0/24, 203.0.113.7"><small>Where its calls come from. Leave it empty when it shows a password instead.</small></label>
  <label>Calls go out to <input name="targets" autocomplete="off" placeholder="carrier.example"><small>A name, or an address with port; several with commas, the first one first. Empty: no calls go out.</small></label>
  <div class="pair">
    <label>Our user name there <input name="account" autocomplete="off" maxlength="64" placeholder="none"></label>
    <label>Our password there <input name="secret" type="password" autocomplete="new-password" maxlength="128" placeholder="none"></label>
  </div>
  <label class="check"><input type="checkbox" name="register"> It wants us to register</label>
  <label>User name it shows <input name="username" autocomplete="off" maxlength="64" placeholder="none"></label>
  <label>Password it shows <input name="password" type="password" autocomplete="new-password" maxlength="128" placeholder="none"><small>8 characters or more. It is not shown again.</small></label>
  <label>Country code <input name="country" inputmode="numeric" maxlength="3" autocomplete="off" placeholder="49"><small>Only when it writes numbers without it.</small></label>
  <div class="pair">
    <label>Before national numbers <input name="national" inputmode="numeric" maxlength="5" autocomplete="off" placeholder="0"></label>
    <label>Before international ones <input name="international" inputmode="numeric" maxlength="5" autocomplete="off" placeholder="00"></label>
  </div>`,
  body(text, checked) {
    const networks = text("networks").split(/[\s,]+/).filter(Boolean);
    const username = text("username");
    const targets = text("targets").split(/[\s,]+/).filter(Boolean).map((target, priority) => ({ uri: /^sips?:/.test(target) ? target : `sip:${target}`, priority }));
    const account = text("account");
    const host = targets[0]?.uri.replace(/^sips?:/, "").replace(/;.*$/, "");
    const outbound = {
      targets,
      ...(account || text("secret") ? { credentials: { username: account, password: text("secret") } } : {}),
      ...(checked("register") ? { register: { aor: `sip:${account}@${host}` } } : {}),
    };
    return {
      name: text("name"),
      networks,
      ...(targets.length > 0 ? { outbound } : {}),
      ...(username || text("password") ? { credentials: { username, password: text("password") } } : {}),
      numbers: {
        country: text("country").replace(/^\+/, "") || null,
        national_prefix: text("national") || null,
        international_prefix: text("international") || null,
      },
    };
  },
};

const NUMBER: Form = {
  title: "New number",
  verb: "Route the number",
  fields: `
  <label>What is dialled <input name="called" required maxlength="64" autocomplete="off" placeholder="+4930901820"><small>+ and digits, the name before the @, or * for whatever no other rule fits.</small></label>
  <label>Leads to <select name="to"><option value="attendant">the attendant, who asks for the PIN</option></select></label>
  <label>Languages <input name="languages" autocomplete="off" placeholder="en, de"><small>Offered to the caller, the first spoken when there is no choice. Empty: the node’s.</small></label>`,
  body(text) {
    const to = text("to");
    return {
      called: text("called").startsWith("+") ? text("called").replace(/[\s()./-]/g, "") : text("called"),
      action: leading(to),
      languages: text("languages").split(/[\s,]+/).filter(Boolean),
    };
  },
};

/** A choice as a destination: ids say what they are. */
function leading(to: string): object {
  if (to === "refuse") return { to, cause: "refused_by_rule" };
  if (to.startsWith("room_")) return { to: "room", room: to };
  if (to.startsWith("ext_")) return { to: "extension", extension: to };
  if (to.startsWith("group_")) return { to: "group", group: to };
  return { to };
}

const EXTENSION: Form = {
  title: "New extension",
  verb: "Make the extension",
  fields: `
  <label>What others dial <input name="user" required maxlength="64" autocomplete="off" placeholder="101"><small>Letters and digits; also the user name of its telephones.</small></label>
  <label>Name <input name="name" maxlength="100" autocomplete="off" placeholder="Anna Schmidt"></label>
  <label>Number outside <input name="number" inputmode="tel" maxlength="24" autocomplete="off" placeholder="none"><small>+ and digits. Shown when it calls out.</small></label>
  <label>Password <input name="password" type="password" autocomplete="new-password" maxlength="128" placeholder="drawn"><small>8 characters or more. Leave it empty and one is drawn.</small></label>`,
  body(text) {
    const [name, number, password] = [text("name"), text("number").replace(/[\s()./-]/g, ""), text("password")];
    return { user: text("user"), ...(name ? { name } : {}), ...(number ? { number } : {}), ...(password ? { password } : {}) };
  },
};

const DIAL: Form = {
  title: "Dial",
  verb: "Dial",
  fields: `
  <label>From <select name="from"></select><small>Rings first; then whom it calls.</small></label>
  <label>To <input name="to" required maxlength="128" autocomplete="off" placeholder="+4930901820 or 102"></label>`,
  body: (text) => ({ from: text("from"), to: text("to").startsWith("+") ? text("to").replace(/[\s()./-]/g, "") : text("to") }),
};

const TO = '<label>To <input name="to" required maxlength="128" autocomplete="off" placeholder="+4930901820 or 102"></label>';

export const roomForm = (send: Send) => void show(ROOM, send);
export const trunkForm = (send: Send) => void show(TRUNK, send);
export const extensionForm = (send: Send) => void show(EXTENSION, send);

export function dialForm(extensions: Extension[], send: Send): void {
  show(DIAL, send).querySelector("select")?.append(...extensions.filter((one) => one.enabled).map((one) => new Option(named(one), one.id)));
}

export function transferForm(who: string, send: Send): void {
  show({ title: "Transfer", verb: "Transfer", fields: TO, body: (text) => ({ to: text("to") }) }, send).setAttribute("aria-label", `Transfer ${who}`);
}

export function guestForm(room: Room, send: Send): void {
  show({ title: "Call somebody in", verb: "Call", fields: TO, body: (text) => ({ to: text("to") }) }, send).setAttribute("aria-label", `Call somebody into ${room.settings.name}`);
}

function named(one: { user: string; name: string }): string {
  return one.name === one.user ? one.user : `${one.name} (${one.user})`;
}

export function numberForm(rooms: Room[], extensions: Extension[], groups: Group[], send: Send): void {
  const options = show(NUMBER, send).querySelector("select");
  const choices = [
    ...rooms.map((room) => [room.settings.id, `straight into ${room.settings.name}`] as const),
    ...extensions.map((one) => [one.id, `rings ${named(one)}`] as const),
    ...groups.map((one) => [one.id, `rings ${named(one)}`] as const),
    ["refuse", "nowhere: refused"] as const,
  ];
  options?.append(...choices.map(([value, text]) => new Option(text, value)));
}

/** Shows something that is shown once, until it is put away. */
export function showOnce(title: string, text: string, secret: string, copy: (text: string) => void): void {
  const dialog = document.createElement("dialog");
  dialog.className = "create";
  dialog.setAttribute("aria-label", title);
  dialog.innerHTML = '<h2></h2><p></p><p><code></code></p><div class="actions"><button class="plain">Copy</button><button class="main">I have it</button></div>';
  (dialog.querySelector("h2") as HTMLElement).textContent = title;
  (dialog.querySelector("p") as HTMLElement).textContent = text;
  (dialog.querySelector("code") as HTMLElement).textContent = secret;
  dialog.querySelector("button.plain")?.addEventListener("click", () => copy(secret));
  dialog.querySelector("button.main")?.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** Asks until it is sent or given up. */
function show(wanted: Form, send: Send): HTMLDialogElement {
  const dialog = document.createElement("dialog");
  dialog.className = "create";
  dialog.setAttribute("aria-label", wanted.title);
  dialog.innerHTML = `<form novalidate><h2>${wanted.title}</h2>${wanted.fields}
    <p class="wrong" role="alert"></p>
    <div class="actions"><button type="button" class="plain">Cancel</button><button class="main">${wanted.verb}</button></div></form>`;
  const form = dialog.querySelector("form") as HTMLFormElement;
  const wrong = dialog.querySelector(".wrong") as HTMLElement;
  const field = (name: string) => form.elements.namedItem(name) as HTMLInputElement;
  dialog.querySelector("button.plain")?.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const problem = await send(wanted.body((name) => field(name).value.trim(), (name) => field(name).checked));
    if (!problem) return dialog.close();
    for (const input of form.querySelectorAll("input")) input.removeAttribute("aria-invalid");
    const errors = problem.errors ?? [];
    const texts = errors.length > 0 ? errors.map((error) => error.detail) : [problem.detail];
    wrong.textContent = texts.map((text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`).join(" ");
    for (const { pointer } of errors) {
      const names = pointer.split("/").map((part) => part.replace(/_prefix$/, ""));
      names.flatMap((name) => (name && field(name) ? [field(name)] : [])).forEach((input) => input.setAttribute("aria-invalid", "true"));
    }
    (form.querySelector("[aria-invalid]") as HTMLElement | null)?.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
