// The console's outbox in a real browser: without an SMS account it is how a text reaches its person. The API is made up here.
import assert from "node:assert/strict";
import { test } from "node:test";
import { complaints, DESKTOP, node, open, PHONE, skip, until } from "./browser.js";

const text = (id, rest = {}) => ({ id, to: "+49 170 1234567", body: null, state: "handed", reason: "no_provider", code: null, created: new Date(Date.now() - 65_000).toISOString(), ...rest });

/** The console, with these texts; `show` puts up others and tells of a step. */
async function console_(options, provider, items, scopes = ["rooms:read", "texts:read", "texts:bodies", "events:read"]) {
  const answers = {
    "/v1/session": { name: "test", scopes },
    "/v1/status": { name: "ringlift", version: "0", now: "", how_to_call: [], key_maps: [], gateway: { draining: false }, store: { healthy: true } },
    "/v1/rooms": { items: [] },
    "/v1/calls": { items: [] },
    "/v1/texts": { items, next: null, provider },
  };
  let tell;
  const serve = node.serve.bind(node);
  node.serve = (request, response) => {
    const path = new URL(request.url, node.url).pathname;
    if (path === "/v1/events") {
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      response.write(": here\n\n");
      tell = (event) => response.write(`data: ${JSON.stringify(event)}\n\n`);
      return undefined;
    }
    if (answers[path]) return void response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(answers[path]));
    return serve(request, response);
  };
  node.server.removeAllListeners("request");
  node.server.on("request", (request, response) => node.serve(request, response));
  const page = await open(options, "/console");
  await page.waitForSelector("#texts-title", { state: "attached" });
  await until(() => tell, "the page listens");
  return { page, show: (items) => { answers["/v1/texts"].items = items; tell({ type: "elevation.texted", seq: 1, room: "room_1", participant: "par_1" }); } };
}

test("without an SMS account the console shows each text as it is written, its link to be opened, and says so", { skip }, async () => {
  for (const options of [DESKTOP, PHONE]) {
    const { page, show } = await console_(options, "outbox", []);
    await page.waitForSelector("section:has(#texts-title) >> text=Callers who press *3");
    const link = `${node.url}/e/4xq8c1d2h5k7m9p0r3t6v8`;
    show([text("txt_1", { body: `Board meeting: add video to your call ${link}. Good for 10 minutes.` }), text("txt_2", { body: `Video: ${new URL(node.url).host}/e/aaaaaaaaaaaaaaaaaaaaaa` }), text("txt_3", { body: "javascript:alert(1) <img src=x>" })]);
    await page.waitForSelector("li.text a");
    assert.deepEqual(await page.$$eval("li.text a", (all) => all.map((one) => one.href)), [link, `${node.url}/e/aaaaaaaaaaaaaaaaaaaaaa`], "links end where they end, and nothing else is one");
    assert.equal(await page.locator("li.text .badge:has-text('kept here')").count(), 3);
    await page.waitForSelector("text=no SMS account is configured");
    const [opened] = await Promise.all([page.context().waitForEvent("page"), page.click("li.text a")]);
    await opened.waitForSelector(".elevate button.main");
  }
  assert.deepEqual(complaints, []);
});

test("with a provider it says how far each text is, and a key that may not read them sees none", { skip }, async () => {
  const { page } = await console_(DESKTOP, "twilio", [text("a", { to: "+49 170 •••• 67", state: "delivered", reason: null }), text("b", { state: "undelivered", reason: "landline", code: "30006" })], ["rooms:read", "texts:read", "events:read"]);
  await page.waitForSelector("text=sent by twilio");
  await page.waitForSelector("li.text:has-text('67') >> text=delivered");
  await page.waitForSelector("li.text:has-text('undelivered'):has-text('landline')");
  assert.equal(await page.locator("li.text a").count(), 0);
  assert.equal(await page.locator("text=not for this key").count(), 2);
});
