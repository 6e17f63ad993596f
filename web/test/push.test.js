// Notified in the browser instead of by a text: what is asked, when, and what the node is told. Headless Chromium has no push
// service: `pushManager` is made up, the service worker and its notifications are not.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import vm from "node:vm";
import { complaints, DESKTOP, node, open, PHONE, skip, until } from "./browser.js";
import { person } from "./fake.js";

const KEY = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";

/** In the seat of a telephone whose number a text proved; the browser's own answer to the question is `permission`. */
async function seated(permission = "granted", screen = PHONE) {
  node.role = "guest";
  node.people = [person("p1", { name: "Anna Schmidt", role: "host" }), person("part_you", { number: "+•••••••••••42", audio: "phone", video: false })];
  const page = await open({ locale: "en", ...screen }, "/e/4xq8c1d2h5k7m9p0r3t6v8");
  await page.evaluate((permission) => {
    globalThis.asked = 0;
    let current = permission === "denied" ? "default" : permission;
    Object.defineProperty(Notification, "permission", { get: () => current });
    Notification.requestPermission = async () => ((globalThis.asked += 1), (current = permission));
    let subscription = null;
    const manager = PushManager.prototype;
    manager.getSubscription = async () => subscription;
    manager.subscribe = async (options) => {
      globalThis.wanted = { visible: options.userVisibleOnly, key: Array.from(options.applicationServerKey) };
      subscription = {
        options: { applicationServerKey: options.applicationServerKey.buffer },
        toJSON: () => ({ endpoint: "https://push.example.net/1", expirationTime: null, keys: { p256dh: "their-key", auth: "their-secret" } }),
        unsubscribe: async () => ((subscription = null), (globalThis.ended = true)),
      };
      return subscription;
    };
  }, permission);
  await page.click(".elevate button.main");
  await page.waitForSelector("#stage .tile");
  return page;
}

test("nobody is asked until the button is pressed; then the node knows the browser, and another button ends it", { skip }, async () => {
  node.pushKey = KEY;
  const page = await seated("granted", DESKTOP);
  await page.waitForSelector(".banner:has-text('notify this browser instead of a text')");
  assert.equal(await page.evaluate(() => globalThis.asked), 0);
  assert.equal(await page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length), 0, "nothing is installed unasked");
  await page.click("#push-yes");
  await until(() => node.pushes.length === 1, "the node is told");
  assert.deepEqual(node.pushes[0], { method: "POST", page: "1", holder: "holder-of-this-browser", endpoint: "https://push.example.net/1", keys: { p256dh: "their-key", auth: "their-secret" } });
  assert.deepEqual(await page.evaluate(() => globalThis.wanted), { visible: true, key: Array.from(Buffer.from(KEY, "base64url")) });
  await page.waitForSelector("#said:has-text('notified next time')");
  await page.waitForSelector("#push-yes", { state: "detached" });
  const worker = await page.evaluate(async () => {
    const [one] = await navigator.serviceWorker.getRegistrations();
    return { scope: new URL(one.scope).pathname, script: new URL(one.active.scriptURL).pathname, controls: navigator.serviceWorker.controller !== null, caches: (await caches.keys()).length };
  });
  assert.deepEqual(worker, { scope: "/push/", script: "/push.js", controls: false, caches: 0 });
  await page.click("#people");
  await page.click("#menu-here-part_you");
  await page.click("dialog .item:has-text('No more notifications')");
  await until(() => node.pushes.length === 2, "the node is told of the end");
  assert.deepEqual(node.pushes[1], { method: "DELETE", page: "1", endpoint: "https://push.example.net/1", auth: "their-secret" });
  await page.waitForFunction(() => globalThis.ended === true);
  assert.deepEqual(complaints, []);
});

test("where nothing proves the number nobody is offered anything, and a no is not asked again", { skip }, async () => {
  const unproved = await seated();
  assert.equal(await unproved.locator("#push-yes").count(), 0);
  node.pushKey = KEY;
  const page = await seated();
  await page.click("#push-no");
  await page.waitForSelector("#push-yes", { state: "detached" });
  await page.reload();
  await page.waitForSelector("#stage .tile, .elevate button.main");
  assert.equal(await page.locator("#push-yes").count(), 0);
  assert.deepEqual(node.pushes, []);
});

test("what the browser or the node refuses is said, and texts go on", { skip }, async () => {
  node.pushKey = KEY;
  const blocked = await seated("denied");
  await blocked.click("#push-yes");
  await blocked.waitForSelector("#said:has-text('blocked in this browser')");
  assert.deepEqual(node.pushes, []);
  node.refusesPush = true;
  const page = await seated();
  await page.click("#push-yes");
  await page.waitForSelector("#said:has-text('You get texts as before')");
  await page.waitForSelector("#push-yes");
});

test("the worker shows the meeting's name, opens the link, and nothing that is none", async () => {
  const heard = {};
  const shown = [];
  const opened = [];
  const scope = {
    registration: { showNotification: async (title, options) => void shown.push({ title, ...options }) },
    navigator: { language: "de-AT" },
    clients: { openWindow: async (url) => void opened.push(url) },
    addEventListener: (kind, hear) => (heard[kind] = hear),
    URL,
  };
  vm.runInNewContext(readFileSync(new URL("../dist/push.js", import.meta.url), "utf8"), scope);
  assert.deepEqual(Object.keys(heard).sort(), ["notificationclick", "push"], "no request of a page is answered, nothing is kept");
  const waits = [];
  const push = (json) => heard.push({ data: { json }, waitUntil: (done) => waits.push(done) });
  push(() => ({ link: "https://v.example.org/e/4xq8c1d2h5k7m9p0r3t6v8", room: "Board meeting" }));
  push(() => ({ link: "javascript:alert(1)", room: "Trap" }));
  push(() => JSON.parse("no"));
  await Promise.all(waits);
  assert.deepEqual(shown.map((one) => [one.title, one.data]), [["Board meeting", "https://v.example.org/e/4xq8c1d2h5k7m9p0r3t6v8"], ["Ringlift", null], ["Ringlift", null]]);
  assert.ok(shown[0].body.startsWith("Ihr Anruf läuft weiter"));
  for (const { data } of shown) heard.notificationclick({ notification: { data, close: () => undefined }, waitUntil: () => undefined });
  assert.deepEqual(opened, ["https://v.example.org/e/4xq8c1d2h5k7m9p0r3t6v8"]);
});
