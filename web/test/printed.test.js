// The whole program: a code on paper is read by a stranger's browser, and whoever it calls has a telephone, or none.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "./tools.js";
import { skip, start } from "./whole.js";

let whole;

before(async () => {
  if (!skip) whole = await start({ stranger: 440, visitor: 700, desk: 1000 }, 29_500);
});

after(() => whole?.stop());

test("who reads a printed code that calls somebody without a telephone is told so, where the call can be begun again", { skip, timeout: 600_000 }, async () => {
  await whole.extension("102", "Ben");
  const code = await whole.made("/v1/codes/printed", { title: "Parcel 4711", to: "102" });
  const page = await whole.browserOf("stranger", null, { width: 390, height: 844 });
  await page.goto(whole.url + new URL(code.link).pathname);
  await page.getByText("Calls Ben").waitFor();
  await page.getByRole("button", { name: "Call now" }).click();
  const told = () => page.locator("[role=alert]").allInnerTexts().catch(() => []);
  await until("that nobody can be reached", async () => String(await told()).includes("Nobody can be reached with this code now."), () => page.url());
  assert.equal(new URL(page.url()).pathname, new URL(code.link).pathname);
  assert.ok(await page.getByRole("button", { name: "Call now" }).isEnabled());
});

test("who comes into a meeting by a printed code sees the meeting, not somebody who is rung, and leaves it as any other", { skip, timeout: 60_000 }, async () => {
  const code = await whole.made("/v1/codes/printed", { title: "Poster", room: (await whole.asked("/v1/rooms")).items[0].settings.id });
  const page = await whole.browserOf("visitor", null, { width: 390, height: 844 });
  await page.goto(whole.url + new URL(code.link).pathname);
  await page.getByRole("button", { name: "Call now" }).click();
  await page.getByText("Nobody else is here yet").waitFor();
  assert.ok(!(await page.locator("body").innerText()).includes("ringing"), "nobody's telephone rings");
  await page.locator("#leave").click();
  await page.getByRole("button", { name: "Leave meeting" }).click();
  await page.locator("main.between").waitFor();
  assert.match(page.url(), /\/j\//, "not back to the code");
  assert.ok(!(await page.locator("body").innerText()).includes("Nobody can be reached"));
});
