// Forms for what can be made: rooms, trunks, numbers.

import type { Problem, Room } from "./types.js";

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
  title: "Let somebody call",
  verb: "Let them call",
  fields: `
  <label>Name <input name="name" required maxlength="100" autocomplete="off" placeholder="Carrier, switchboard or office"></label>
  <label>Networks <input name="networks" autocomplete="off" placeholder="192.168.1.0/24, 203.0.113.7"><small>Where its calls come from. Leave it empty when it shows a password instead.</small></label>
  <label>User name <input name="username" autocomplete="off" maxlength="64" placeholder="none"></label>
  <label>Password <input name="password" type="password" autocomplete="new-password" maxlength="128" placeholder="none"><small>8 characters or more. It is not shown again.</small></label>
  <label>Country code <input name="country" inputmode="numeric" maxlength="3" autocomplete="off" placeholder="49"><small>Only when it writes numbers without it.</small></label>
  <div class="pair">
    <label>Before national numbers <input name="national" inputmode="numeric" maxlength="5" autocomplete="off" placeholder="0"></label>
    <label>Before international ones <input name="international" inputmode="numeric" maxlength="5" autocomplete="off" placeholder="00"></label>
  </div>`,
  body(text) {
    const networks = text("networks").split(/[\s,]+/).filter(Boolean);
    const username = text("username");
    return {
      name: text("name"),
      networks,
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
      action: to === "attendant" ? { to } : to === "refuse" ? { to, cause: "refused_by_rule" } : { to: "room", room: to },
      languages: text("languages").split(/[\s,]+/).filter(Boolean),
    };
  },
};

export const roomForm = (send: Send) => void show(ROOM, send);
export const trunkForm = (send: Send) => void show(TRUNK, send);

export function numberForm(rooms: Room[], send: Send): void {
  const options = show(NUMBER, send).querySelector("select");
  const choices = [...rooms.map((room) => [room.settings.id, `straight into ${room.settings.name}`] as const), ["refuse", "nowhere: refused"] as const];
  options?.append(...choices.map(([value, text]) => new Option(text, value)));
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
