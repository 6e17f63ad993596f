// The page in a real browser, against a real listener, store and event log. Needs Chromium: CHROMIUM names it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { PATIENCE, quickest } from "./tools.js";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const skip = existsSync(executablePath) ? false : `no ${executablePath}`;
let node, link, browser;
const complaints = [];

before(async () => {
  if (skip) return;
  // `exec`, so that ending it ends the node.
  node = spawn("cargo", ["test", "--quiet", "--test", "it_api", "a_node_to_look_at", "--", "--ignored", "--nocapture"], { cwd: "..", stdio: ["pipe", "pipe", "inherit"] });
  link = await new Promise((resolve, reject) => {
    let text = "";
    node.stdout.on("data", (data) => {
      text += data;
      const found = text.match(/look at (\S+)/);
      if (found) resolve(found[1]);
    });
    node.on("exit", () => reject(new Error("the node ended")));
  });
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
});

after(async () => {
  await browser?.close();
  node?.stdin.end();
});

async function open(options = {}) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(new URL(link).origin)) complaints.push(`asked a third party: ${url}`);
    if (url.includes("rlk_")) complaints.push("the key is in an address");
  });
  await page.goto(link);
  await page.waitForSelector("article.live");
  return page;
}

test("who begins to speak is lit within 200 ms", { skip }, async () => {
  const page = await open();
  assert.equal(new URL(page.url()).hash, "", "the key leaves the address bar");
  await page.waitForSelector(".pill.live");
  const took = await quickest(200, async () => {
    const began = performance.now();
    node.stdin.write("speak\n");
    await page.waitForSelector("li.speaking >> text=Anna Schmidt");
    const lit = performance.now() - began;
    node.stdin.write("speak\n");
    await page.waitForSelector("li.speaking", { state: "detached" });
    return lit;
  });
  assert.ok(took < 200, `${took} ms`);
});

test("what is clicked happens, and what is refused is said", { skip }, async () => {
  const page = await open();
  await page.click("[aria-label='Admit +15551234567']");
  await page.waitForSelector("[aria-label='Mute +15551234567']");
  await page.click("[aria-label='Mute +15551234567']");
  await page.waitForSelector("li:has-text('+15551234567') >> text=muted by host");
  await page.click("article.live:has-text('Board') >> text=Lock");
  await page.waitForSelector("article.live:has-text('Board') >> text=locked");
  await page.click("text=New room");
  await page.fill("input[name=name]", "Retro");
  await page.fill("input[name=pin]", "4711");
  await page.click("text=Make the room");
  await page.waitForSelector("text=This PIN opens another room");
  await page.fill("input[name=pin]", "");
  await page.click("text=Make the room");
  await page.waitForSelector("article:has-text('Retro') >> text=/^[0-9]{3} [0-9]{3}$/");
  await page.click("article:has-text('Retro') >> text=Delete room");
  await page.click("dialog >> button:has-text('Delete')");
  await page.waitForSelector("article:has-text('Retro')", { state: "detached" });
  await page.click("[aria-label='Hang up +4989123456']");
  await page.click("dialog >> button:has-text('Hang up')");
  await page.waitForSelector("[aria-label='Mute +4989123456']", { state: "detached" });
});

test("telephones, trunks and calls between people are seen, and what is clicked happens to them", { skip }, async () => {
  const page = await open();
  await page.waitForSelector("li.call:has-text('Anna Schmidt') >> text=with Ben Yılmaz");
  await page.waitForSelector("li.row:has-text('Anna Schmidt') >> text=Yealink SIP-T54W");
  await page.waitForSelector("li.row:has-text('front-desk') >> text=not registered");
  await page.waitForSelector("li.row:has-text('A dead carrier') >> text=no answer to OPTIONS");
  await page.waitForSelector("li.row:has-text('Carrier A') >> text=registered");
  await page.click("[aria-label='Hold Anna Schmidt']");
  await page.waitForSelector("li.call:has-text('Anna Schmidt') >> text=on hold");
  await page.click("[aria-label='Resume Anna Schmidt']");
  await page.waitForSelector("[aria-label='Hold Anna Schmidt']");
  await page.click("[aria-label='Transfer Ben Yılmaz']");
  await page.fill("dialog input[name=to]", "front-desk");
  await page.click("dialog >> button:has-text('Transfer')");
  await page.waitForSelector("text=Handing over");
  await page.click("[aria-label='Do not disturb Ben Yılmaz']");
  await page.waitForSelector("li.row:has-text('Ben Yılmaz') >> text=do not disturb");
  await page.click("button:text-is('Dial')");
  await page.selectOption("dialog select[name=from]", { label: "Ben Yılmaz (102)" });
  await page.fill("dialog input[name=to]", "+49 30 555 1234");
  await page.click("dialog >> button:text-is('Dial')");
  await page.waitForSelector("li.call:has-text('+49305551234') >> text=rings");
  await page.click("[aria-label='Hang up +49305551234']");
  await page.click("dialog >> button:has-text('Hang up')");
  await page.waitForSelector("li.call:has-text('+49305551234')", { state: "detached" });
});

test("a new extension's password is shown once, and a new trunk is there", { skip }, async () => {
  const page = await open();
  await page.click("text=New extension");
  await page.fill("dialog input[name=user]", "1 03");
  await page.click("text=Make the extension");
  await page.waitForSelector("text=A user name has 1 to 64 letters");
  await page.fill("dialog input[name=user]", "103");
  await page.click("text=Make the extension");
  const password = await page.textContent("dialog code");
  assert.match(password, /^[0-9A-Za-z]{20}$/);
  await page.click("text=I have it");
  await page.waitForSelector("dialog", { state: "detached" });
  await page.waitForSelector("[aria-label='Remove extension 103']");
  assert.equal((await page.content()).includes(password), false);
  await page.click("text=New trunk");
  await page.fill("dialog input[name=name]", "Carrier B");
  await page.fill("dialog input[name=targets]", "b.example, 198.51.100.9:5062");
  await page.fill("dialog input[name=account]", "acme");
  await page.fill("dialog input[name=secret]", "correct horse");
  await page.check("dialog input[name=register]");
  await page.click("text=Add the trunk");
  await page.waitForSelector("li.row:has-text('Carrier B') >> text=to b.example, 198.51.100.9:5062");
  await page.click("[aria-label='Remove Carrier B']");
  await page.click("dialog >> button:has-text('Remove')");
  await page.waitForSelector("li.row:has-text('Carrier B')", { state: "detached" });
});

test("who waits in the lobby is not said to be in the meeting", { skip }, async () => {
  const page = await open();
  node.stdin.write("lobby\n");
  await page.waitForSelector("li.call:has-text('+442079460000') >> text=in the lobby of Board meeting");
});

test("it can be used by keyboard and by ear", { skip }, async () => {
  const page = await open();
  const nameless = await page.$$eval("button, input, select", (all) => all.filter((one) => !(one.getAttribute("aria-label") || one.textContent.trim() || one.labels?.length)).length);
  assert.equal(nameless, 0);
  await page.locator("text=New room").focus();
  await page.keyboard.press("Enter");
  await page.waitForSelector("dialog[open]");
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("name")), "name");
  await page.keyboard.press("Escape");
  await page.waitForSelector("dialog", { state: "detached" });
  const focused = await page.evaluate(() => document.activeElement.textContent);
  assert.equal(focused, "New room", "focus returns");
  // What happens elsewhere moves no focus.
  node.stdin.write("lobby\n");
  await page.waitForSelector("[aria-label='Admit +442079460000']");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "New room");
});

test("on a telephone nothing sticks out", { skip }, async () => {
  const page = await open({ viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true });
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
});

test("a reader sees no PIN and no buttons", { skip }, async () => {
  const made = await fetch(new URL("/v1/keys", link), {
    method: "POST",
    headers: { Authorization: `Bearer ${link.split("#key=")[1]}`, "Content-Type": "application/json" },
    body: JSON.stringify({ name: "reader", scopes: ["rooms:read", "events:read"] }),
  });
  const { key } = await made.json();
  const page = await (await browser.newContext()).newPage();
  await page.goto(new URL("/console", link).href);
  await page.fill("input[name=key]", key);
  await page.click("button:has-text('Log in')");
  await page.waitForSelector("article.live");
  assert.equal(await page.locator("text=New room").count(), 0);
  assert.equal(await page.locator("button:has-text('Mute'), button:has-text('Remove')").count(), 0);
  assert.equal(await page.locator(".pin").count(), 0);
  assert.equal(await page.locator("text=+15551234567").count(), 0);
});

test("a wrong key is refused, and a lost node is told", { skip }, async () => {
  const page = await (await browser.newContext()).newPage();
  await page.goto(new URL("/console#key=rlk_wrong", link).href);
  await page.waitForSelector("text=This key is not known");
  const watching = await open();
  await watching.waitForSelector(".pill.live");
  assert.deepEqual(complaints.filter((one) => !/status of (404|409|422)/.test(one)), []);
  node.stdin.end();
  await watching.waitForSelector(".pill.lost");
  await watching.waitForSelector("text=Connection lost");
});
