// The whole program: somebody talks on the desk phone, has another telephone called by the personal page, and gives the call away by a
// code that is shown there. Whoever called them hears each in turn, and no break.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { until } from "./tools.js";
import { bearable, filmed, skip, start } from "./whole.js";

const TONES = { Anna: 300, Dario: 440, guest: 620, Bruno: 800, desk: 1000 };
const SIZE = { width: 390, height: 844 };
let whole;

before(async () => {
  if (!skip) whole = await start(TONES, 28200);
});
after(() => whole?.stop());

async function shot(page, name) {
  if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/walk-${name}.png` });
}

test("a desk phone's call goes on by a telephone that the personal page calls, and by a browser that scans its code", { skip, timeout: 600_000 }, async () => {
  const berg = await whole.extension("101", "Anna Berg");
  await whole.extension("102", "Bruno");
  await whole.extension("103", "Guest room");
  const { sip } = whole.ports;
  whole.telephone("desk", "wait", "--register", `sip:101@127.0.0.1:${sip}`, ...whole.login("101"));
  const guest = whole.telephone("guest", "wait", "--commands", "--register", `sip:103@127.0.0.1:${sip}`, ...whole.login("103"));
  await until("both are registered", async () => (await whole.asked("/v1/registrations")).items?.length === 2);
  whole.telephone("Bruno", "call", `sip:101@127.0.0.1:${sip}`, "--from", `sip:102@127.0.0.1:${sip}`, ...whole.login("102"));
  await until("Bruno hears the desk phone", () => whole.hears("Bruno", "desk"));
  const bruno = (await whole.asked("/v1/calls")).items.find((one) => one.direction === "inbound");
  const { url } = await whole.made(`/v1/extensions/${berg.id}/me_link`, {});
  const anna = await whole.browserOf("Anna", null, SIZE);
  await anna.goto(url);
  await anna.getByText("With Bruno").waitFor();

  // Call me: the telephone in the guest room.
  await anna.getByRole("button", { name: "Call me" }).click();
  await anna.getByLabel("Phone number or extension").fill("103");
  await anna.keyboard.press("Enter");
  await anna.locator(".ladder li.now", { hasText: "Press 1 on the phone" }).waitFor();
  await until("Bruno hears the desk phone as before", () => whole.hears("Bruno", "desk"));
  assert.ok(!whole.hears("Bruno", "guest"), "answering is not joining");
  await shot(anna, "press-1");
  const [before, since] = [whole.longestGap("Bruno", ["desk"]), whole.recorded("Bruno")];
  let began = Date.now();
  guest.stdin.write("key 1\n");
  await until("Bruno hears the guest room", () => whole.hears("Bruno", "guest"));
  const called = Date.now() - began;
  await until("and the desk phone no more", () => !whole.hears("Bruno", "desk"));
  await anna.getByText("The call goes on by that phone.").waitFor();
  await shot(anna, "called");
  await anna.getByRole("dialog").getByRole("button", { name: "Close" }).last().click();

  // Show a code: a browser that nobody here knows holds its camera before it.
  await anna.getByRole("button", { name: "Show a code" }).click();
  await anna.locator("#show-code").click();
  await anna.locator(".code .qr svg").waitFor();
  await shot(anna, "code");
  const film = join(whole.directory, "code.y4m");
  await filmed(await (await whole.browsers[0].newContext()).newPage(), await anna.locator(".code .qr svg").screenshot(), film);
  const dario = await whole.browserOf("Dario", film, SIZE);
  await dario.goto(`${whole.url}/scan`);
  await dario.getByRole("heading", { name: "Take over this call?" }).waitFor();
  await dario.getByLabel("Your name").fill("Dario");
  await dario.getByRole("button", { name: "Take the call" }).click();
  const question = anna.getByRole("alert").filter({ hasText: "Dario wants to take your call." });
  await question.waitFor();
  await shot(anna, "asked");
  began = Date.now();
  await question.getByRole("button", { name: "Hand over" }).click();
  await until("Bruno hears Dario", () => whole.hears("Bruno", "Dario"));
  const scanned = Date.now() - began;
  await until("and the guest room no more", () => !whole.hears("Bruno", "guest"));
  await shot(dario, "dario");

  // Anna sees that it is gone, and Bruno's call is the one it was.
  await anna.getByRole("dialog").getByText("The call has moved: Dario.").waitFor();
  await anna.getByRole("dialog").getByRole("button", { name: "Close" }).last().click();
  await anna.getByText("You are in no call.").waitFor();
  await shot(anna, "gone");
  const still = (await whole.asked("/v1/calls")).items.find((one) => one.id === bruno.id);
  assert.deepEqual([still?.call_id, still?.since, still?.held], [bruno.call_id, bruno.since, false]);
  const gap = whole.longestGap("Bruno", ["desk", "guest", "Dario"], since);
  console.log(`# heard ${called} ms after the key, ${scanned} ms after the yes, ${gap} ms without a tone, ${before} ms before it`);
  assert.ok(gap <= bearable(Math.max(called, scanned), before), `${gap} ms of silence`);
});
