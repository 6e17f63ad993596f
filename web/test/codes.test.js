// The whole program: a shopper's browser shows a code, an unknown one's camera reads it, and the customer on a telephone hears no break;
// and somebody who answered at the desk goes on in the browser, by the personal page.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { until } from "./tools.js";
import { bearable, filmed, skip, start } from "./whole.js";

const TONES = { Anna: 440, Dario: 620, customer: 800, Bruno: 800, desk: 1000 };
let whole;

before(async () => {
  if (!skip) whole = await start(TONES, 28000);
});
after(() => whole?.stop());

test("the delivery story: an unknown phone's camera reads the shopper's code, and the customer hears no break and sees no new call", { skip, timeout: 600_000 }, async () => {
  const shots = process.env.SHOTS;
  const anna = await whole.browserOf("Anna", null, { width: 390, height: 844 });
  await anna.goto(`${whole.url}/m/${whole.pin}`);
  await anna.getByLabel("Your name").fill("Anna");
  await anna.getByRole("button", { name: "Join now" }).click();
  await anna.locator(".tile").first().waitFor();
  whole.telephone("customer", "call", `sip:1000@127.0.0.1:${whole.ports.sip}`, "--digits", `,,${whole.pin}#`);
  await until("the customer hears Anna", () => whole.hears("customer", "Anna"));
  const call = (await whole.asked("/v1/calls")).items[0];
  // The shopper shows the code.
  await anna.locator("#more").click();
  await anna.getByRole("button", { name: "Move to another device" }).click();
  if (shots) await anna.screenshot({ path: `${shots}/move.png` });
  await anna.locator("#show-code").click();
  await anna.locator(".code .qr svg").waitFor();
  if (shots) await anna.screenshot({ path: `${shots}/shown.png` });
  const film = join(whole.directory, "code.y4m");
  await filmed(await (await whole.browsers[0].newContext()).newPage(), await anna.locator(".code .qr svg").screenshot(), film);
  // Somebody else holds a telephone before it.
  const dario = await whole.browserOf("Dario", film, { width: 390, height: 844 });
  const began = Date.now();
  await dario.goto(`${whole.url}/scan`);
  await dario.getByRole("heading", { name: "Take over this call?" }).waitFor();
  const read = Date.now() - began;
  if (shots) await dario.screenshot({ path: `${shots}/found.png` });
  await dario.getByLabel("Your name").fill("Dario");
  await dario.getByRole("button", { name: "Take the call" }).click();
  await dario.getByText("Asking Anna").waitFor();
  if (shots) await dario.screenshot({ path: `${shots}/waiting.png` });
  // Anna sees who asks, and allows it.
  const question = anna.getByRole("alert").filter({ hasText: "Dario" });
  await question.waitFor();
  assert.match(await question.innerText(), /Dario wants to take your call\.\s+Chrome, Linux, beside you/);
  if (shots) await anna.screenshot({ path: `${shots}/asked.png` });
  const [before, since] = [whole.longestGap("customer", ["Anna"]), whole.recorded("customer")];
  const allowed = Date.now();
  await question.getByRole("button", { name: "Hand over" }).click();
  await dario.waitForURL(/\/j\//);
  await dario.locator(".tile").first().waitFor();
  await until("the customer hears Dario", () => whole.hears("customer", "Dario"));
  const heard = Date.now() - allowed;
  await anna.getByText("The call has moved to another device").waitFor();
  if (shots) await anna.screenshot({ path: `${shots}/moved.png` });
  if (shots) await dario.screenshot({ path: `${shots}/taken.png` });
  await until("the customer hears Anna no more", () => !whole.hears("customer", "Anna"));
  // The customer: the same call, and nothing but it.
  const calls = (await whole.asked("/v1/calls")).items;
  assert.deepEqual(calls.map((one) => [one.id, one.call_id, one.since]), [[call.id, call.call_id, call.since]]);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const gap = whole.longestGap("customer", ["Anna", "Dario"], since);
  console.log(`# read after ${read} ms, heard ${heard} ms after the yes, ${gap} ms without a tone, ${before} ms before it`);
  assert.ok(gap <= bearable(heard, before), `${gap} ms of silence`);
  const events = (await whole.asked("/v1/status")).codes ?? {};
  assert.equal(events.transferred ?? 1, 1);
  // A bystander's photograph of the same code comes too late.
  const late = await whole.browserOf("Dario", film, { width: 390, height: 844 });
  // With no code behind it, the link of one asks for it too.
  await late.goto(`${whole.url}/c/`);
  await late.getByRole("heading", { name: "That did not work" }).waitFor();
  assert.match(await late.getByRole("alert").first().innerText(), /has read this code already/);
  if (shots) await late.screenshot({ path: `${shots}/late.png` });
});

test("a call that was answered at the desk goes on in the browser, and whoever called hears no break", { skip, timeout: 600_000 }, async () => {
  const berg = await whole.extension("101", "Anna Berg");
  await whole.extension("102", "Bruno");
  const { sip } = whole.ports;
  whole.telephone("desk", "wait", "--register", `sip:101@127.0.0.1:${sip}`, ...whole.login("101"));
  await until("the desk phone is registered", async () => (await whole.asked("/v1/registrations")).items?.length === 1);
  whole.telephone("Bruno", "call", `sip:101@127.0.0.1:${sip}`, "--from", `sip:102@127.0.0.1:${sip}`, ...whole.login("102"));
  await until("Bruno hears the desk phone", () => whole.hears("Bruno", "desk"));
  const { url } = await whole.made(`/v1/extensions/${berg.id}/me_link`, {});
  const anna = await whole.browserOf("Anna", null, { width: 390, height: 844 });
  await anna.goto(url);
  await anna.getByText("Bruno").first().waitFor();
  if (process.env.SHOTS) await anna.screenshot({ path: `${process.env.SHOTS}/desk.png` });
  const [before, since] = [whole.longestGap("Bruno", ["desk"]), whole.recorded("Bruno")];
  const began = Date.now();
  await anna.getByRole("button", { name: "Move here" }).click();
  await anna.waitForURL(/\/j\//);
  await until("Bruno hears the browser", () => whole.hears("Bruno", "Anna"));
  const took = Date.now() - began;
  await until("and the desk phone no more", () => !whole.hears("Bruno", "desk"));
  if (process.env.SHOTS) await anna.screenshot({ path: `${process.env.SHOTS}/here.png` });
  await until("the desk phone is hung up", async () => (await whole.asked(`/v1/extensions/${berg.id}/calls`)).items[0]?.audio !== null && (await whole.asked("/v1/calls")).items.filter((one) => one.to === "101").length === 1);
  const gap = whole.longestGap("Bruno", ["desk", "Anna"], since);
  console.log(`# heard ${took} ms after the tap, ${gap} ms without a tone, ${before} ms before it`);
  assert.ok(gap <= bearable(took, before), `${gap} ms of silence`);
});
