// From a text message into the meeting, in a real browser: what a link shows, what a tap does, and whose sound goes where.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { build } from "esbuild";
import { asked, complaints, DESKTOP, enter, node, open, PHONE, skip, until } from "./browser.js";
import { person } from "./fake.js";

const LINK = "/e/4xq8c1d2h5k7m9p0r3t6v8";
const me = (rest = {}) => person("part_you", { number: "+•••••••••••42", display: "+•••••••••••42", audio: "phone", video: false, ...rest });
const redeemed = () => node.posted.filter((one) => one.path === "/meet/elevate");

/** In the room already, by telephone. */
async function byPhone(options = PHONE, path = LINK) {
  node.role = "guest";
  node.people = [person("p1", { name: "Anna Schmidt", camera_on: true, role: "host" }), me()];
  return open({ locale: "en", ...options }, path);
}

async function tap(page) {
  await page.click(".elevate button.main");
  await page.waitForSelector("#stage .tile");
}

const open_ = (page, kind) => page.evaluate((kind) => globalThis.taken.filter((one) => one.kind === kind && one.readyState === "live").length, kind);

test("looking at a link changes nothing: no tap, no camera, no place; a robot's GET posts nothing at all", { skip }, async () => {
  const robot = await fetch(node.url + LINK);
  assert.equal(robot.status, 200);
  assert.equal(node.posted.length, 0);
  const page = await byPhone();
  await page.waitForSelector("text=Board meeting");
  await page.waitForSelector("text=You stay on the phone: +•••••••••••42");
  assert.equal(redeemed().length, 0);
  assert.equal(asked("join").length, 0);
  assert.deepEqual(await page.evaluate(() => globalThis.taken.length), 0);
  assert.equal(await page.locator(".elevate button.main").count(), 1, "one big button");
  assert.ok((await page.locator(".elevate button.main").boundingBox()).height >= 56);
});

test("a tap takes the telephone's seat: camera and chat here, microphone and room sound nowhere", { skip }, async () => {
  const page = await byPhone();
  await page.waitForSelector(".elevate button.main");
  await tap(page);
  assert.deepEqual(redeemed(), [{ path: "/meet/elevate", ticket: "4xq8c1d2h5k7m9p0r3t6v8" }]);
  const { ticket, passcode, name, listen_only } = asked("join")[0];
  assert.deepEqual({ ticket, passcode, name, listen_only }, { ticket: "seat2", passcode: undefined, name: "", listen_only: false });
  await page.waitForSelector(".tile[data-person=part_you] video");
  assert.equal(await page.locator(".tile").count(), 2, "one person, one seat");
  await page.waitForSelector(".banner:has-text('Sound by your phone')");
  await until(() => asked("publish").some((one) => one.source === "camera" && one.on), "the camera is shown");
  const offer = await until(() => asked("offer")[0], "an offer");
  assert.equal((offer.sdp.match(/^m=audio/gm) ?? []).length, 5, "the same m-lines as anybody's");
  assert.equal(await open_(page, "audio"), 0);
  assert.equal(await page.evaluate(() => globalThis.played.some((one) => !one.paused || !one.muted)), false);
  await page.click("#chat");
  await page.fill("#panel textarea", "Here is the picture");
  await page.keyboard.press("Enter");
  await until(() => asked("chat").length === 1, "chat");
  assert.deepEqual(complaints, []);
});

test("only to watch, no camera is opened", { skip }, async () => {
  const page = await byPhone(DESKTOP);
  await page.click("text=Only watch, without my camera");
  await page.waitForSelector("#stage .tile");
  assert.equal(await page.evaluate(() => globalThis.taken.length), 0);
  assert.equal(asked("publish").length, 0);
});

test("mute on the page mutes the telephone, and *6 on the telephone shows on the page", { skip }, async () => {
  const page = await byPhone();
  await page.waitForSelector(".elevate button.main");
  await tap(page);
  await page.click("#mic");
  await until(() => asked("operate").some((one) => one.operation.operation === "mute" && one.operation.participant === "part_you"), "mute");
  await page.waitForSelector("#mic.off");
  node.change("part_you", { muted_by_self: false });
  await page.waitForSelector("#mic:not(.off)");
  node.change("part_you", { muted_by_self: true });
  await page.waitForSelector("#mic.off");
  assert.equal(await open_(page, "audio"), 0);
});

test("each state of a link is said in words, with what to do", { skip }, async () => {
  for (const [problem, status, words, hint] of [["expired", 410, "ten minutes are over", "Press *3"], ["ended", 410, "call has ended", "Press *3"], ["unknown", 404, "not known", "Press *3"]]) {
    node.informs = () => ({ problem, status });
    const page = await byPhone();
    await page.waitForSelector(`.elevate:has-text('no longer works'):has-text('${words}'):has-text('${hint}')`);
    assert.equal(await page.locator(".elevate button.main").count(), 0);
  }
  node.informs = null;
  const page = await byPhone();
  await page.waitForSelector(".elevate button.main");
  for (const [refused, words] of [[{ problem: "too-many-attempts", status: 429, after: 42 }, "Wait 42 seconds"], [{ problem: "declined" }, "the answer was no"]]) {
    node.redeems = () => refused;
    await page.click(".elevate button.main");
    await page.waitForSelector(`.elevate:has-text('${words}')`);
  }
});

test("a link that was opened elsewhere asks whether it is the same person, and waits for the telephone", { skip }, async () => {
  const page = await byPhone();
  await page.waitForSelector(".elevate button.main");
  node.redeems = () => ({ problem: "used" });
  await page.click(".elevate button.main");
  await page.waitForSelector("text=Is it you?");
  assert.equal(redeemed()[0].confirm, undefined);
  let answers = 0;
  node.redeems = () => (answers++ < 2 ? { problem: "confirming", after: 1 } : null);
  await page.click("text=Yes, it is me");
  await page.waitForSelector("text=Listen to your phone");
  await page.waitForSelector("#stage .tile");
  assert.ok(redeemed().slice(1).every((one) => one.confirm === true));
  assert.equal(answers, 3);
});

test("where a PIN is wanted it is asked for, and a wrong one can be entered again", { skip }, async () => {
  node.pin = true;
  const page = await byPhone();
  await page.waitForSelector("input[name=pin]");
  node.redeems = (posted) => (posted.pin === "4711" ? null : { problem: posted.pin ? "pin-wrong" : "pin-wanted", status: 403 });
  await page.fill("input[name=pin]", "1234");
  await page.click(".elevate button.main");
  await page.waitForSelector(".wrong:has-text('PIN is wrong')");
  assert.equal(await page.inputValue("input[name=pin]"), "");
  await page.fill("input[name=pin]", "4711");
  await tap(page);
});

test("six digits that were said on the telephone do what the link does", { skip }, async () => {
  const page = await byPhone(DESKTOP, "/e");
  await page.waitForSelector("input[name=code]");
  assert.equal(await page.isDisabled(".elevate button.main"), true);
  assert.equal(await page.getAttribute("input[name=code]", "autocomplete"), "one-time-code");
  node.redeems = () => ({ problem: "unknown", status: 404 });
  await page.fill("input[name=code]", "000 000");
  await page.click(".elevate button.main");
  await page.waitForSelector(".wrong:has-text('not known')");
  node.redeems = null;
  await page.fill("input[name=code]", "482 913");
  await tap(page);
  assert.equal(redeemed().at(-1).code, "482913");
});

test("the same browser comes back without a question: loaded anew, and after the node began anew", { skip }, async () => {
  const page = await byPhone();
  await page.waitForSelector(".elevate button.main");
  await tap(page);
  await until(() => node.people.find((one) => one.id === "part_you").camera_on, "the camera is on");
  await page.reload();
  await page.waitForSelector("#stage .tile");
  await page.waitForSelector(".tile[data-person=part_you] video");
  assert.equal(await page.locator("text=The browser holds back the sound").count(), 0, "the telephone plays it");
  assert.equal(redeemed().length, 1, "by its place");
  assert.equal(asked("join").at(-1).resume, "resume-token");
  node.refuse = { code: "bad_ticket", detail: "not known" };
  node.redeems = (posted) => {
    node.refuse = null;
    return posted.holder === "holder-of-this-browser" ? null : { problem: "used" };
  };
  node.drop();
  await until(() => redeemed().length === 2, "by what it kept");
  await page.waitForSelector("#stage .tile");
  await until(() => asked("join").at(-1).ticket === "seat3", "with the new ticket");
});

test("the telephone hangs up: this browser's sound is offered, or a call back", { skip }, async () => {
  const page = await byPhone();
  await page.waitForSelector(".elevate button.main");
  await tap(page);
  node.change("part_you", { audio: "none" });
  assert.equal(await page.locator("#sound-web").count(), 0, "not before the node says so");
  node.say({ type: "audio_offer", reason: "phone_hung_up" });
  await page.waitForSelector(".banner:has-text('Your phone hung up')");
  await page.click("#call-back");
  await page.waitForSelector("dialog.call-me");
  await page.keyboard.press("Escape");
  await page.click("#sound-web");
  await until(() => asked("audio").some((one) => one.by === "web" && one.keep === false), "asked for");
  await page.waitForSelector("#sound-web", { state: "detached" });
  await until(async () => (await open_(page, "audio")) === 1, "the microphone is open");
  await until(() => page.evaluate(() => globalThis.played.every((one) => !one.muted)), "and the room is heard");
});

test("the sound moves here and back: the microphone is open before the telephone is quiet, and closed once it is not needed", { skip }, async () => {
  const page = await byPhone();
  await page.waitForSelector(".elevate button.main");
  await tap(page);
  for (let round = 0; round < 2; round++) {
    await page.click("#sound-here");
    await page.click("dialog >> text=Keep the phone on the line");
    const moved = await until(() => asked("audio").filter((one) => one.by === "web")[round], "moved");
    assert.equal(moved.keep, true);
    assert.equal(await open_(page, "audio"), 1, "the new way is there");
    await page.waitForSelector(".banner:has-text('Your phone is on the line, silent')");
    await page.click("#sound-back");
    await until(() => asked("audio").filter((one) => one.by === "phone").length === round + 1, "back");
    await page.waitForSelector(".banner:has-text('Sound by your phone')");
    await until(async () => (await open_(page, "audio")) === 0, "closed");
  }
  node.refuseOperation = { code: "no_such_audio", detail: "no peer connection" };
  await page.click("#sound-here");
  await page.click("dialog >> text=Hang up the phone");
  await page.waitForSelector("#said:has-text('cannot go this way')");
  await until(async () => (await open_(page, "audio")) === 0, "what did not move is closed again");
  await page.waitForSelector(".banner:has-text('Sound by your phone')");
});

test("a host sends a video link and sees each step with its reason, the code at last, and who wants the seat", { skip }, async () => {
  node.people = [person("p1", { name: "Karl", number: "+•••••••••••42", audio: "phone", video: false }), person("p2", { name: "Ben" })];
  const page = await open();
  await enter(page);
  await page.click("#people");
  await page.click("#menu-here-p2");
  await page.waitForSelector("dialog[open] .item");
  assert.equal(await page.locator("dialog .item:has-text('video link')").count(), 0, "who is in a browser needs none");
  await page.keyboard.press("Escape");
  await page.waitForSelector("dialog", { state: "detached" });
  await page.click("#menu-here-p1");
  await page.click("dialog .item:has-text('Send a video link')");
  await until(() => asked("elevate").length === 1 && asked("elevate")[0].participant === "p1", "asked");
  const step = (step, rest = {}) => node.say({ type: "elevation", elevation: "elv_1", participant: "p1", step, by: "host", ...rest });
  for (const [name, reason, words] of [["asked", null, "Asked for"], ["looking_up", null, "Looking up"], ["pushed", null, "app was told"], ["texted", "no_answer", "no answer from the app"], ["sent", null, "handed over"], ["spoken", "landline", "a landline gets no texts"]]) {
    step(name, reason ? { reason } : {});
    await page.waitForSelector(`.ladder li.now:has-text('${words}')`);
  }
  await page.waitForSelector("li.person:has-text('Karl') >> text=Short link and code");
  step("shown", { reason: "not_entered", link: "https://v.example.org/e/4xq8c1d2h5k7m9p0r3t6v8", code: "482913" });
  await page.waitForSelector(".spell:has-text('482 913')");
  await page.waitForSelector("dialog:has-text('v.example.org/e') .qr path");
  step("opened", { wants: true });
  await page.click("dialog >> text=Let in");
  await until(() => asked("allow").some((one) => one.elevation === "elv_1" && one.allow === true), "let in");
  step("authenticated");
  step("bound");
  await page.waitForSelector("#said:has-text('Karl now has video')");
  // A code that was used is shown no more.
  await page.waitForSelector(".spell", { state: "detached" });
  step("failed", { reason: "some_new_reason" });
  await page.waitForSelector(".ladder li.failed:has-text('some new reason')");
  await page.click("dialog >> text=Send again");
  await until(() => asked("elevate").length === 2, "asked again");
});

test("closing the video leaves the call alone, says so, and the same browser comes back by a tap", { skip }, async () => {
  const page = await byPhone();
  await page.waitForSelector(".elevate button.main");
  await tap(page);
  await page.click("#leave");
  await page.waitForSelector("dialog:has-text('Your phone call goes on')");
  await page.click("dialog >> text=Close video");
  await page.waitForSelector("text=The video is closed. Your call goes on.");
  assert.equal(await open_(page, "video"), 0);
  await page.click("text=Add video");
  await page.waitForSelector(".elevate button.main");
  await tap(page);
  assert.equal(redeemed().at(-1).holder, "holder-of-this-browser");
});

test("who may let another browser in is asked, wherever the page stands", { skip }, async () => {
  node.people = [person("p1", { name: "Karl", audio: "phone" })];
  const page = await open();
  await enter(page);
  node.say({ type: "elevation", elevation: "elv_1", participant: "p1", step: "bound", by: "key", wants: true });
  await page.waitForSelector(".notice:has-text('the place of Karl')");
  await page.click("text=Keep out");
  await until(() => asked("allow").some((one) => one.elevation === "elv_1" && one.allow === false), "kept out");
  node.say({ type: "elevation", elevation: "elv_1", participant: "p1", step: "bound", by: "key" });
  await page.waitForSelector(".notice", { state: "detached" });
});

test("why somebody's call gets no video is said, and nothing is left open", { skip }, async () => {
  node.people = [person("p1", { name: "Karl", audio: "phone", video: false })];
  const page = await open();
  await enter(page);
  await page.click("#people");
  for (const [code, words] of [["elevate_desk_phone", "on a computer instead"], ["elevate_held", "on hold"], ["elevate_multi_party", "make it a meeting first"], ["elevate_excluded", "not added"]]) {
    node.refuseElevate = { code, detail: "no" };
    await page.click("#menu-here-p1");
    await page.click("dialog .item:has-text('Send a video link')");
    await page.waitForSelector(`#said:has-text('${words}')`);
    await page.waitForSelector("dialog", { state: "detached" });
  }
});

const docs = new URL("../../docs/elevation.md", import.meta.url);

test("every step, reason and refusal that the docs name has its words in every language", { skip: existsSync(docs) ? false : `no ${docs}` }, async () => {
  const words = {};
  for (const language of ["en", "de", "es", "fr", "pt", "zh"]) {
    const { outputFiles } = await build({ entryPoints: [`src/i18n/${language}.ts`], bundle: true, format: "esm", write: false, charset: "utf8" });
    words[language] = (await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`))[language];
  }
  const protocol = readFileSync("src/meeting/protocol.ts", "utf8");
  const steps = [...protocol.match(/type Step = ([^;]+);/)[1].matchAll(/"(\w+)"/g)].map((one) => `step_${one[1]}`);
  const text = readFileSync(docs, "utf8");
  const reasons = [...text.slice(text.indexOf("## Progress")).matchAll(/^\| (`[^|]+) \|/gm)].flatMap((row) => [...row[1].matchAll(/`(\w+)`/g)].map((one) => `reason_${one[1]}`));
  // Those that the page answers with a question of its own.
  const asked = ["used", "confirming", "pin_wanted"];
  const refusals = [...text.matchAll(/^\| `elevation-([a-z-]+)` \|/gm)].map((row) => row[1].replaceAll("-", "_")).filter((one) => !asked.includes(one)).map((one) => `elevate_${one}`);
  assert.ok(steps.length === 14 && reasons.length > 20 && refusals.length >= 6, `${steps.length} ${reasons.length} ${refusals.length}`);
  for (const [language, table] of Object.entries(words)) assert.deepEqual([...steps, ...reasons, ...refusals].filter((key) => !table[key]), [], language);
});
