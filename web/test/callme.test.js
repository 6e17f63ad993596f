// "Call me", in a real browser: what is asked, what is shown of each state, and how it is stopped.
import assert from "node:assert/strict";
import { test } from "node:test";
import { asked, complaints, DESKTOP, enter, node, open, PHONE, skip, until } from "./browser.js";
import { person } from "./fake.js";

const LANGUAGES = ["en", "de", "es", "fr", "pt", "zh"];
const says = (state, rest = {}) => node.say({ type: "callback", id: "cbk_1", room: "room_1", participant: "part_you", to: "+49 30 •••• 20", name: "Dora", by: "page", state, ...rest });
const shot = async (page, name) => process.env.SHOTS && page.screenshot({ path: `${process.env.SHOTS}/${name}.png` });

async function there(options = {}) {
  node.people = [person("p1", { name: "Anna Schmidt", role: "host" })];
  const page = await open({ locale: "en", ...DESKTOP, ...options });
  await enter(page);
  return page;
}

test("a telephone is called, each step is seen, and in the end it carries the voice", { skip }, async () => {
  const page = await there();
  await page.click("#call-me");
  await page.waitForSelector("dialog.call-me input[name=number]");
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("name")), "number");
  await page.fill("dialog.call-me input[name=number]", "+49 30 901820");
  await shot(page, "form");
  await page.keyboard.press("Enter");
  await until(() => asked("call_me")[0]?.number === "+49 30 901820", "asked for");
  for (const [state, words] of [["calling", "Calling +49 30 •••• 20"], ["ringing", "rings"], ["accepted", "Press 1 on the phone"]]) {
    says(state);
    await page.waitForSelector(`dialog.call-me .ladder li.now:has-text('${words}')`);
  }
  await shot(page, "accepted");
  says("success");
  await page.waitForSelector("dialog.call-me .ladder li:has-text('Your phone carries the sound')");
  await page.click("dialog.call-me button.main");
  await page.waitForSelector("dialog", { state: "detached" });
  // The number is kept in this browser.
  await page.click("#call-me");
  assert.equal(await page.inputValue("dialog.call-me input[name=number]"), "+49 30 901820");
  assert.deepEqual(complaints, []);
});

test("what rings is stopped from the dialog, and from the banner once that is closed", { skip }, async () => {
  const page = await there();
  await page.click("#call-me");
  await page.fill("dialog.call-me input[name=number]", "204");
  await page.keyboard.press("Enter");
  says("ringing");
  await page.click("#call-me-cancel");
  await until(() => asked("call_me_cancel").length === 1, "stopped");
  says("canceling");
  await page.waitForSelector("#call-me-cancel[disabled]");
  says("canceled");
  await page.waitForSelector("dialog.call-me .notice:has-text('was stopped')");
  await page.keyboard.press("Enter");
  says("ringing");
  await page.waitForSelector("#call-me-cancel");
  await page.keyboard.press("Escape");
  await page.click("#call-me-show");
  await until(() => asked("call_me_cancel").length === 2, "stopped from the banner");
});

test("each failure is said in words, and the call can be tried again", { skip }, async () => {
  const page = await there();
  await page.click("#call-me");
  for (const failure of ["busy", "no_answer", "refused", "voicemail", "no_host", "high_rate", "too_frequent", "not_allowed", "loop", "blocked", "unreachable", "ours"]) {
    says("failed", { failure });
    const words = await until(async () => (await page.locator("dialog.call-me .notice").textContent()) || null, failure);
    assert.ok(!/call_me|problem|_/.test(words), `${failure}: ${words}`);
    await page.waitForSelector("dialog.call-me button:has-text('Try again')");
  }
  await shot(page, "failed");
  node.refuseOperation = { code: "callback_no_host", detail: "no host" };
  await page.fill("dialog.call-me input[name=number]", "+49 30 901820");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#said:has-text('No host is here')");
  node.refuseOperation = null;
});

test("in every language the dialog fits a telephone's screen", { skip }, async () => {
  for (const locale of LANGUAGES) {
    const page = await there({ ...PHONE, locale });
    await page.click("#more");
    await page.click("dialog .item:has(path[d^='M6.5 3.5'])");
    await page.waitForSelector("dialog.call-me input[name=number]");
    const fits = await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth && document.querySelector("dialog.call-me").scrollWidth <= innerWidth);
    assert.ok(fits, locale);
    await shot(page, `phone-${locale}`);
    says("accepted");
    await page.waitForSelector("#call-me-cancel");
    await shot(page, `phone-${locale}-accepted`);
    await page.context().close();
  }
});
