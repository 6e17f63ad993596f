// One's call on another device, in a real browser: where it can go, how it goes, and what a page says that gave it away or did not get it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { asked, complaints, DESKTOP, enter, node, open, PHONE, skip, until } from "./browser.js";
import { person } from "./fake.js";

const shot = async (page, name) => process.env.SHOTS && page.screenshot({ path: `${process.env.SHOTS}/${name}.png` });
const device = (id, name, kind, more = {}) => ({ id, extension: "ext_1", kind, name, capabilities: ["audio"], transfers: "ask", camera: false, online: true, calls: [], ...more });

async function there(options = {}) {
  node.people = [person("p1", { name: "Anna Schmidt", role: "host" })];
  const page = await open({ locale: "en", ...DESKTOP, ...options });
  await enter(page);
  return page;
}

async function movesDialog(page) {
  await page.click("#more");
  await page.getByRole("button", { name: "Move to another device" }).click();
  return page.getByRole("dialog", { name: "Move to another device" });
}

test("whose devices are known moves the call to one of them, takes that back, and is told how it ends", { skip }, async () => {
  const page = await there();
  node.devices = [device("dev_1", "Snom D785 (.57)", "telephone"), device("dev_2", "Snom D785 (.58)", "telephone", { online: false }), device("dev_3", "Chrome, Linux", "browser", { calls: ["part_you"] }), device("dev_4", "Tablet", "app", { transfers: "never" })];
  node.back = "dev_1";
  const dialog = await movesDialog(page);
  await dialog.getByRole("button", { name: "Hand back to Snom D785 (.57)" }).waitFor();
  // What is not there, takes no calls or has this one is not offered.
  assert.equal(await dialog.getByText(/\(\.58\)|Tablet|Chrome, Linux/).count(), 0);
  await shot(page, "moves");
  await dialog.getByRole("button", { name: "Hand back to Snom D785 (.57)" }).click();
  await until(() => asked("hand_back").length === 1, "handed back");
  await dialog.getByRole("status").filter({ hasText: "Snom D785 (.57)" }).waitFor();
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await until(() => asked("move_answer")[0]?.call === "part_you" && asked("move_answer")[0]?.takes === false, "taken back");
  node.back = null;
  node.say({ type: "move_over", call: "part_you", device: "dev_1", failure: "no_answer" });
  await page.waitForSelector("#said:has-text('The other device was not reached. The call stays here.')");
  await dialog.getByRole("button", { name: "Snom D785 (.57)", exact: true }).click();
  await until(() => asked("move_there")[0]?.device === "dev_1", "moved there");
  assert.deepEqual(complaints, []);
});

test("of whom the node knows no devices there is the code alone", { skip }, async () => {
  const page = await there();
  const dialog = await movesDialog(page);
  await until(() => asked("devices").length === 1, "asked for");
  await dialog.locator("#show-code").waitFor();
  assert.equal(await dialog.getByText("My devices").count(), 0);
});

test("a page whose call went to another device of its person says so, and its first button takes it back", { skip }, async () => {
  const page = await there();
  await page.evaluate(() => localStorage.setItem("ringlift.me.ticket", "abcdefghijklmnopqrstuvwxyz"));
  node.say({ type: "bye", cause: "moved", text: "moved" });
  await page.waitForSelector("h1:has-text('The call has moved to another device')");
  await shot(page, "moved-mine");
  assert.equal(await page.locator(".between .main").innerText(), "Take it back here");
  assert.equal(new URL(await page.locator(".between a.main").evaluate((link) => link.href)).hash, "#take=part_you");
  assert.equal(await page.getByRole("button", { name: "Join again" }).count(), 0);
});

test("a page that gave its call away by a code does not offer to take it back", { skip }, async () => {
  const page = await there(PHONE);
  await page.evaluate(() => localStorage.setItem("ringlift.me.ticket", "abcdefghijklmnopqrstuvwxyz"));
  const code = { type: "code", code: "code_1", participant: "part_you", topology: "holder_shows", confirm: "holder", channels: ["audio"], expires: Date.now() + 60_000 };
  node.say({ ...code, state: "awaiting", asked: true, receiver: { name: null, device: "telephone", agent: null, from: "+49 •••• 20", nearby: false } });
  const question = page.getByRole("alert").filter({ hasText: "Somebody wants to take your call." });
  assert.match(await question.innerText(), /a telephone, \+49 •••• 20/);
  await shot(page, "asked");
  node.say({ ...code, state: "transferred" });
  node.say({ type: "bye", cause: "moved", text: "moved" });
  await page.waitForSelector("h1:has-text('The call has moved to another device')");
  await shot(page, "moved-given");
  assert.equal(await page.locator(".between .main").count(), 0);
});

test("a page to which a call was to come, and did not, says that it goes on where it was", { skip }, async () => {
  node.answer = null;
  node.people = [person("p1", { name: "Anna Schmidt", role: "host" })];
  const page = await open({ locale: "en", ...PHONE }, "/j/a-ticket#take=audio,video&camera=0");
  await page.waitForSelector("#stage .tile");
  node.say({ type: "bye", cause: "connection_lost", text: "lost" });
  await page.waitForSelector("h1:has-text('The call stayed where it was')");
  await shot(page, "not-moved");
  assert.equal(await page.getByRole("button", { name: "Join again" }).count(), 0);
  assert.deepEqual(complaints, []);
});

test("a connection that is lost and found again is told once each, and no words stay to be read again", { skip }, async () => {
  const page = await there();
  await page.evaluate(() => {
    globalThis.read = [];
    // Each text that appears anywhere, once.
    new MutationObserver((all) => all.forEach((one) => one.addedNodes.forEach((added) => added.nodeType === Node.TEXT_NODE && globalThis.read.push(added.data)))).observe(document.body, { childList: true, subtree: true });
  });
  node.drop();
  await page.waitForSelector("#said:has-text('connected again')");
  await until(() => page.evaluate(() => document.getElementById("said").textContent === "" && document.getElementById("heard").textContent === ""), "silent again");
  const lost = await page.evaluate(() => globalThis.read.filter((words) => words.includes("Connection lost")).length);
  assert.equal(lost, 1);
  assert.equal(await page.evaluate(() => globalThis.read.filter((words) => words.includes("You are connected again")).length), 1);
});
