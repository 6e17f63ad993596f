// The form for a new room.

import type { Problem } from "./types.js";

export interface NewRoom {
  name: string;
  pin?: string;
  pin_digits?: number;
  host_pin?: string;
  first_caller: string;
  lobby: boolean;
  muted_on_entry: boolean;
}

const FORM = `
<form novalidate>
  <h2>New room</h2>
  <label>Name <input name="name" required maxlength="100" autocomplete="off" placeholder="Monday call"></label>
  <label>PIN <input name="pin" inputmode="numeric" maxlength="20" autocomplete="off" placeholder="drawn: six digits"><small>1 to 20 digits, no other room’s. Leave it empty and one is drawn.</small></label>
  <label>Host PIN <input name="host_pin" inputmode="numeric" maxlength="20" autocomplete="off" placeholder="none"><small>Who keys it may mute, admit, lock and end.</small></label>
  <label>The first caller <select name="first_caller">
    <option value="music">hears music until a second comes</option>
    <option value="tone">hears a soft tone until a second comes</option>
    <option value="start">starts the meeting</option>
    <option value="host">waits until a host comes</option>
  </select></label>
  <label class="check"><input type="checkbox" name="lobby"> Guests wait in a lobby until they are admitted</label>
  <label class="check"><input type="checkbox" name="muted_on_entry"> Guests come in muted</label>
  <p class="wrong" role="alert"></p>
  <div class="actions"><button type="button" class="plain">Cancel</button><button class="main">Make the room</button></div>
</form>`;

/** Asks for a room until it is made or given up. */
export function createDialog(create: (room: NewRoom) => Promise<Problem | null>): void {
  const dialog = document.createElement("dialog");
  dialog.className = "create";
  dialog.setAttribute("aria-label", "New room");
  // A constant: nothing in it comes from anybody.
  dialog.innerHTML = FORM;
  const form = dialog.querySelector("form") as HTMLFormElement;
  const wrong = dialog.querySelector(".wrong") as HTMLElement;
  const field = (name: string) => form.elements.namedItem(name) as HTMLInputElement;
  dialog.querySelector("button.plain")?.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const digits = (name: string) => field(name).value.replace(/[\s-]/g, "");
    const room: NewRoom = {
      name: field("name").value,
      first_caller: field("first_caller").value,
      lobby: field("lobby").checked,
      muted_on_entry: field("muted_on_entry").checked,
    };
    if (digits("pin")) room.pin = digits("pin");
    else room.pin_digits = 6;
    if (digits("host_pin")) room.host_pin = digits("host_pin");
    const problem = await create(room);
    if (!problem) return dialog.close();
    for (const input of form.querySelectorAll("input")) input.removeAttribute("aria-invalid");
    const errors = problem.errors ?? [];
    const texts = errors.length > 0 ? errors.map((error) => error.detail) : [problem.detail];
    wrong.textContent = texts.map((text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`).join(" ");
    for (const error of errors) field(error.pointer.slice(1))?.setAttribute("aria-invalid", "true");
    (form.querySelector("[aria-invalid]") as HTMLElement | null)?.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
}
