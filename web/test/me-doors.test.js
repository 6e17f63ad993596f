// The personal page for a call that another device has: a code is shown, a telephone called, devices told apart and forgotten.
import assert from "node:assert/strict";
import { test } from "node:test";
import { device, everything, hears, opens, refuses, said, shot, skip, tell } from "./me-fake.js";
import { until } from "./tools.js";

const LANGUAGES = ["en", "de", "es", "fr", "pt", "zh"];
const DESKTOP = { viewport: { width: 1280, height: 800 } };
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
const code = (more) => tell({ type: "code", code: "code_1", participant: "p_1", topology: "holder_shows", confirm: "holder", channels: ["audio", "video", "data"], expires: Date.now() + 120_000, ...more });
const callback = (state, more = {}) => tell({ type: "callback", id: "cbk_1", room: "room_1", participant: "p_1", to: "+49 30 •••• 20", name: null, by: "page", state, ...more });
const RECEIVER = { name: "Dario", device: "browser", agent: "Chrome, Android", from: "198.51.100.•", nearby: true };
const SHOWN = { state: "shown", link: "https://v.example.org/c/4xq8c1d2h5k7m9p0r3t6v8", digits: "482917" };
/** How often each message was said. */
const times = (type) => said.filter((message) => message.type === type).length;

test("a code for the desk phone's call is shown, whoever asks is seen and let in, and where the call went is said", { skip }, async () => {
  const { page, context, complaints } = await opens(DESKTOP);
  await page.getByRole("button", { name: "Show a code" }).click();
  const dialog = page.getByRole("dialog", { name: "Move to another device" });
  await dialog.getByRole("button", { name: "Show a code" }).click();
  const asked = await hears("code_show");
  assert.deepEqual([asked.call, asked.code], ["p_1", { confirm: "holder", mutual: false }]);
  code(SHOWN);
  await dialog.locator(".qr svg").waitFor();
  await dialog.getByText("482 917").waitFor();
  await shot(page, "me-code");
  // By keys alone: closed, and the focus is where it was.
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Show a code");
  await page.keyboard.press("Enter");
  await dialog.locator(".qr svg").waitFor();
  await page.keyboard.press("Escape");
  code({ state: "awaiting", asked: true, receiver: RECEIVER });
  const question = page.getByRole("alert").filter({ hasText: "Dario wants to take your call." });
  assert.match(await question.innerText(), /Chrome, Android, beside you/);
  await shot(page, "me-code-asked");
  await question.getByRole("button", { name: "Hand over" }).click();
  const answer = await hears("code_answer");
  assert.deepEqual([answer.code, answer.allow], ["code_1", true]);
  code({ state: "transferred", receiver: RECEIVER });
  tell({ ...everything(), calls: [] });
  await page.getByRole("status").filter({ hasText: "The call has moved: Dario." }).waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});

test("the other device's code is typed or refused in words, in the dialog that is open", { skip }, async () => {
  const { page, context } = await opens(DESKTOP);
  await page.getByRole("button", { name: "Show a code" }).click();
  await page.getByRole("button", { name: "Scan the other device's code" }).click();
  refuses.code_scan = "code_wrong_side";
  await page.getByLabel("Digits on the other device").fill("482 917");
  await page.getByRole("button", { name: "Continue" }).click();
  assert.deepEqual([(await hears("code_scan")).call, said.at(-1).digits], ["p_1", "482917"]);
  await page.getByRole("dialog").getByRole("alert").filter({ hasText: "This code must be read by the other device." }).waitFor();
  await context.close();
});

test("a telephone is called for the desk phone's call, each step is seen, and it is silenced from dialog and page", { skip }, async () => {
  const { page, context, complaints } = await opens(DESKTOP);
  await page.getByRole("button", { name: "Call me" }).click();
  const dialog = page.getByRole("dialog", { name: "Call me" });
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("name")), "number");
  await shot(page, "me-call-me");
  await dialog.getByLabel("Phone number or extension").fill("+49 30 901820");
  await page.keyboard.press("Enter");
  assert.deepEqual([(await hears("call_me")).number, said.at(-1).call], ["+49 30 901820", "p_1"]);
  for (const [state, words] of [["calling", "Calling +49 30 •••• 20"], ["ringing", "rings"], ["accepted", "Press 1 on the phone"]]) {
    callback(state);
    await dialog.locator(".ladder li.now", { hasText: words }).waitFor();
  }
  await dialog.getByRole("button", { name: "Stop calling" }).click();
  assert.equal((await hears("call_me_cancel")).call, "p_1");
  await page.keyboard.press("Escape");
  await page.getByRole("status").filter({ hasText: "Press 1 on the phone" }).waitFor();
  await page.getByRole("button", { name: "Stop calling" }).click();
  callback("canceled");
  await page.getByRole("button", { name: "Stop calling" }).waitFor({ state: "detached" });
  await until("silenced from the page", () => times("call_me_cancel") === 2);
  // One's own telephones need neither number nor key.
  await page.getByRole("button", { name: "Call me" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Snom D785" }).click();
  assert.deepEqual([(await hears("move_there")).device, said.at(-1).call], ["dev_2", "p_1"]);
  // What the node refuses is said where it was asked.
  refuses.call_me = "callback_high_rate";
  await page.getByRole("button", { name: "Call me" }).click();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByRole("alert").filter({ hasText: "costs more" }).waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});

test("of browsers that are not there the two seen last are shown, the others folded away, and forgotten one by one", { skip }, async () => {
  const { page, context } = await opens(DESKTOP);
  await page.getByText("Yealink T54W").first().waitFor();
  const many = everything();
  for (let nth = 1; nth <= 5; nth++) many.devices.push(device(`dev_1${nth}`, `Firefox, Linux (${nth})`, "browser", { online: false, seen: `2026-11-0${nth}T10:00:00.000Z` }));
  tell(many);
  const list = page.getByRole("region", { name: "My devices" });
  // The tablet says nothing of when it was there, and is folded with the older three.
  await list.getByText("Not there now (4)").waitFor();
  assert.deepEqual([await list.getByRole("heading", { name: "Firefox, Linux (5)" }).isVisible(), await list.getByRole("heading", { name: "Firefox, Linux (2)" }).isVisible()], [true, false]);
  await list.getByText("Not there now (4)").click();
  await shot(page, "me-devices");
  // A slip of the finger forgets nothing.
  const dialog = page.getByRole("dialog", { name: "Forget Firefox, Linux (2)?" });
  await list.getByRole("button", { name: "Forget Firefox, Linux (2)" }).click();
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Cancel");
  await shot(page, "me-forget");
  await page.keyboard.press("Enter");
  await dialog.waitFor({ state: "detached" });
  assert.equal(times("set_device"), 0);
  await list.getByRole("button", { name: "Forget Firefox, Linux (2)" }).click();
  await dialog.getByRole("button", { name: "Forget this device" }).click();
  assert.deepEqual([(await hears("set_device")).device, said.at(-1).forget], ["dev_12", true]);
  await dialog.waitFor({ state: "detached" });
  // Forgotten elsewhere meanwhile, it is asked about no more.
  await list.getByRole("button", { name: "Forget Firefox, Linux (1)" }).click();
  tell({ ...many, devices: many.devices.filter((one) => one.id !== "dev_11") });
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await list.locator("summary", { hasText: "Snom D785" }).click();
  const name = list.locator("li", { hasText: "Snom D785" }).locator("input[maxlength='64']");
  await name.fill(" ");
  await page.keyboard.press("Tab");
  await list.getByRole("alert").filter({ hasText: "A device needs a name: this one is still called Snom D785." }).waitFor();
  assert.equal(await name.inputValue(), "Snom D785");
  await shot(page, "me-nameless");
  await name.fill("Kitchen");
  await page.keyboard.press("Tab");
  await until("renamed", () => said.some((message) => message.type === "set_device" && message.name === "Kitchen"));
  await context.close();
});

test("whoever comes to take a call back takes it, and is told where it is theirs no more", { skip }, async () => {
  const { page, context } = await opens(DESKTOP);
  await page.getByText("With +49 30 ••• 20").waitFor();
  await page.goto(`${page.url()}#take=p_1`);
  await page.reload();
  assert.equal((await hears("move_here")).call, "p_1");
  assert.equal(new URL(page.url()).hash, "");
  await page.goto(`${page.url()}#take=p_9`);
  await page.reload();
  await page.getByRole("status").filter({ hasText: "That call is not yours any more." }).waitFor();
  assert.equal(times("move_here"), 1);
  await context.close();
});

test("a call that somebody else's telephone carries is by another telephone, and one that moved there is said so", { skip }, async () => {
  const { page, context } = await opens(DESKTOP);
  await page.getByText("on Yealink T54W").waitFor();
  const away = everything();
  away.calls[0] = { ...away.calls[0], audio: "dev_of_another", leg: "leg_1" };
  tell(away);
  await page.getByText("by another telephone").waitFor();
  tell({ type: "move_over", call: "p_1", device: "dev_of_another" });
  await page.getByText("The call is on another device now.").waitFor();
  await context.close();
});

test("a page that finds its node again shows what goes on now, and nothing of before", { skip }, async () => {
  const { page, context } = await opens(DESKTOP);
  await page.getByText("With +49 30 ••• 20").waitFor();
  callback("ringing");
  await page.getByRole("button", { name: "Stop calling" }).waitFor();
  tell({ ...everything(), id: 7 });
  await page.getByRole("button", { name: "Stop calling" }).waitFor({ state: "detached" });
  await context.close();
});

test("on a telephone's screen a device is chosen by its whole name, and what was refused stands apart from what follows", { skip }, async () => {
  for (const locale of LANGUAGES) {
    const { page, context } = await opens({ ...PHONE, locale });
    await page.locator(".call").waitFor();
    const long = everything();
    long.devices[1].name = "Yealink SIP-T54W (.57)";
    tell(long);
    await page.getByRole("heading", { name: "Yealink SIP-T54W (.57)" }).waitFor();
    for (const settings of await page.locator("summary").all()) await settings.tap();
    const cut = await page.evaluate(() => {
      const pen = document.createElement("canvas").getContext("2d");
      return [...document.querySelectorAll("select")].flatMap((one) => {
        const style = getComputedStyle(one);
        pen.font = style.font;
        // Beside the words there is the arrow.
        const room = one.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight) - 16;
        return [...one.options].map((option) => option.text).filter((text) => pen.measureText(text).width > room);
      });
    });
    assert.deepEqual(cut, [], locale);
    refuses.code_show = "code_wrong_side";
    await page.locator(".actions button:has(svg)").nth(1).tap();
    await page.locator("dialog #show-code").tap();
    await page.locator("dialog .notice").waitFor();
    const apart = () => page.evaluate(() => {
      const notice = document.querySelector("dialog .notice");
      return notice.nextElementSibling.getBoundingClientRect().top - notice.getBoundingClientRect().bottom;
    });
    assert.ok((await apart()) >= 8, `${locale}: ${await apart()}`);
    await page.keyboard.press("Escape");
    await page.locator("dialog").waitFor({ state: "detached" });
    refuses.call_me = "callback_high_rate";
    await page.locator(".actions button:has(svg)").nth(0).tap();
    await page.locator("dialog input").fill("+49 30 901820");
    await page.keyboard.press("Enter");
    await page.locator("dialog .notice").waitFor();
    assert.ok((await apart()) >= 8, `${locale}: ${await apart()}`);
    await context.close();
  }
});

for (const colorScheme of ["light", "dark"]) {
  test(`in every language the dialogs fit a telephone's screen and no word is missing, ${colorScheme}`, { skip }, async () => {
    for (const locale of LANGUAGES) {
      const { page, context, complaints } = await opens({ ...PHONE, locale, colorScheme });
      await page.locator(".call").waitFor();
      for (const [door, name] of [[0, "call-me"], [1, "code"]]) {
        await page.locator(".actions button:has(svg)").nth(door).tap();
        await page.locator("dialog").waitFor();
        if (name === "code") {
          code(SHOWN);
          await page.locator("dialog .qr svg").waitFor();
        }
        const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth || document.querySelector("dialog").scrollWidth > innerWidth);
        assert.ok(!wide, `${locale} ${name}`);
        assert.doesNotMatch(await page.locator("dialog").innerText(), /\b[a-z]+_[a-z_]+\b|[{}]/, `${locale} ${name}`);
        await shot(page, `me-${name}-${locale}-${colorScheme}`);
        await page.keyboard.press("Escape");
        await page.locator("dialog").waitFor({ state: "detached" });
      }
      await shot(page, `me-${locale}-${colorScheme}`);
      assert.deepEqual(complaints, []);
      await context.close();
    }
  });
}
