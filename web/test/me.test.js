// The personal page in a browser: calls, devices, and moving the one to the other.
import assert from "node:assert/strict";
import { test } from "node:test";
import { everything, hears, opens, said, shot, skip, tell, TICKET } from "./me-fake.js";

test("a person sees calls and devices, and moves the one to the other", { skip }, async () => {
  const { page, context, complaints } = await opens();
  await page.getByText("With +49 30 ••• 20").waitFor();
  assert.equal(new URL(page.url()).hash, "", "the link leaves the address bar");
  const hello = await hears("me");
  assert.deepEqual([hello.ticket, hello.name], [TICKET, "Chrome, Linux"]);
  await shot(page, "me-desktop");
  await page.getByRole("button", { name: "Move here" }).click();
  assert.equal((await hears("move_here")).call, "p_1");
  await page.getByRole("combobox", { name: "Move to …" }).selectOption({ label: "Snom D785" });
  await page.getByRole("button", { name: "Move", exact: true }).click();
  assert.deepEqual([(await hears("move_there")).device, said.at(-1).call], ["dev_2", "p_1"]);
  const ringing = everything();
  ringing.calls[0].moving = { device: "dev_2", phase: "ringing", channels: ["audio"] };
  tell(ringing);
  await page.getByText("Snom D785 rings …").waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  assert.equal((await hears("move_answer")).takes, false);
  tell(everything());
  tell({ type: "move_over", call: "p_1", device: "dev_2", failure: "busy" });
  await page.getByText("Snom D785 is busy. The call stays where it was.").waitFor();
  await page.getByText("Settings").nth(1).click();
  await page.locator("details[open] select").selectOption("at_once");
  assert.deepEqual([(await hears("set_device")).device, said.at(-1).transfers], ["dev_2", "at_once"]);
  await page.getByLabel("Calls follow me").check();
  assert.equal((await hears("follow")).on, true);
  await shot(page, "me-desktop-open");
  assert.deepEqual(complaints, []);
  await context.close();
});

test("a page that is asked takes the call, and the meeting opens in its place", { skip }, async () => {
  const { page, context, complaints } = await opens({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, locale: "de" });
  await page.getByText("Mit +49 30 ••• 20").waitFor();
  const moving = everything();
  moving.calls[0].moving = { device: "dev_3", phase: "asked", channels: ["audio", "video"] };
  tell(moving);
  tell({ type: "move_asked", call: "p_1", from: "dev_1", with: ["+49 30 ••• 20"], channels: ["audio", "video"], how: "pushed" });
  await page.getByText("Gespräch hier übernehmen?").waitFor();
  await shot(page, "me-phone-asked");
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  assert.ok(!wide, "nothing is wider than the screen");
  await page.getByRole("button", { name: "Übernehmen" }).tap();
  assert.equal((await hears("move_answer")).takes, true);
  tell({ type: "take_call", call: "p_1", room: "room_1", ticket: "seat", channels: ["audio", "video"], camera: false });
  await page.waitForURL(/\/j\/seat/);
  const join = await hears("join");
  assert.equal(join.ticket, "seat");
  assert.deepEqual(complaints, []);
  await context.close();
});

test("a link that opens nothing says so, in each language", { skip }, async () => {
  for (const [locale, words] of [["en", "opens nothing"], ["de", "öffnet nichts"], ["es", "ya no abre nada"], ["fr", "n’ouvre"], ["pt", "já não abre nada"], ["zh", "已失效"]]) {
    const { page, context } = await opens({ locale }, "#wrongwrongwrongwrongwrong");
    await page.getByText(words).waitFor();
    await context.close();
  }
  const { page, context } = await opens({}, "");
  await page.getByText("Open this page by your personal link.").waitFor();
  await context.close();
});
