// Beside a telephone, in a real browser: the telephone that is kept, the node that began anew, and calls that come into the meeting.
import assert from "node:assert/strict";
import { test } from "node:test";
import { asked, complaints, DESKTOP, enter, node, open, PHONE, skip, until } from "./browser.js";
import { person } from "./fake.js";

const LINK = "/e/4xq8c1d2h5k7m9p0r3t6v8";
const me = (rest = {}) => person("part_you", { number: "+•••••••••••42", display: "+•••••••••••42", audio: "phone", video: false, ...rest });
const redeemed = () => node.posted.filter((one) => one.path === "/meet/elevate");

async function tapped(options = PHONE) {
  node.role = "guest";
  node.people = [person("p1", { name: "Anna Schmidt", camera_on: true, role: "host" }), me()];
  const page = await open({ locale: "en", ...options }, LINK);
  await page.click(".elevate button.main");
  await page.waitForSelector("#stage .tile");
  return page;
}

/** A picture of the page for whoever wants to look: SHOTS names the folder. */
async function shot(page, name) {
  if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/${name}.png` });
}

test("the telephone that is kept on the line is known after a reload, and its hanging up is told", { skip }, async () => {
  const page = await tapped();
  await page.click("#sound-here");
  await page.click("dialog >> text=Keep the phone on the line");
  await page.waitForSelector("#sound-back");
  await page.reload();
  await page.waitForSelector("#stage .tile");
  await page.waitForSelector("#sound-back");
  await shot(page, "kept");
  node.change("part_you", { phone_kept: false });
  await page.waitForSelector("#said:has-text('Your phone hung up. The sound goes on in this browser.')");
  // What is said is there at once, the banner with the next frame.
  await page.waitForSelector("#sound-back", { state: "detached" });
  assert.deepEqual(complaints, []);
});

test("a link whose telephone hung up says that the voice goes by this browser", { skip }, async () => {
  node.phone = false;
  node.people = [me({ audio: "web" })];
  const page = await open({ locale: "en", ...PHONE }, LINK);
  await page.waitForSelector("text=Your phone has hung up");
  assert.equal(await page.locator("text=You stay on the phone").count(), 0);
  assert.equal(await page.locator("text=The sound stays with your phone").count(), 0);
});

test("after a kill of the node the page says that it was restarted and what to do, in the open tab and in a new one", { skip }, async () => {
  const page = await tapped();
  node.refuse = { code: "bad_ticket", detail: "this invitation is not known here" };
  node.redeems = node.informs = () => ({ problem: "unknown", status: 404 });
  node.drop();
  await page.waitForSelector("h1:has-text('The server was restarted, and your call ended with it')");
  await page.waitForSelector("text=Call again and press *3");
  assert.equal(await page.locator("text=not known").count(), 0);
  assert.equal(await page.locator("button:has-text('Join again')").count(), 0, "there is nothing to join");
  await shot(page, "restarted");
  // The same link in the same browser, later.
  const later = await page.context().newPage();
  await later.goto(node.url + LINK);
  await later.waitForSelector(".elevate:has-text('the server was restarted'):has-text('Call again and press *3')");
  assert.equal(await later.locator("text=Are you still in the call").count(), 0);
  await shot(later, "forgotten");
});

test("a tab that was away for long says that the call is over, not that anything was restarted", { skip }, async () => {
  const page = await tapped();
  await page.evaluate(() => {
    const real = performance.now.bind(performance);
    globalThis.later = 0;
    performance.now = () => real() + globalThis.later;
  });
  node.refuse = { code: "bad_ticket", detail: "not known" };
  node.redeems = () => {
    return { problem: "unknown", status: 404 };
  };
  const port = node.port;
  await node.stop();
  await page.waitForSelector(".banner:has-text('connection')");
  await page.evaluate(() => (globalThis.later = 3_600_000));
  await node.start(port);
  await page.waitForSelector("h1:has-text('Your call is over')");
});

test("the yes on the telephone is for the browser that asked: it shows the same secret each time", { skip }, async () => {
  node.people = [me()];
  const page = await open({ locale: "en", ...PHONE }, LINK);
  await page.waitForSelector(".elevate button.main");
  node.redeems = () => ({ problem: "used" });
  await page.click(".elevate button.main");
  await page.waitForSelector("text=Is it you?");
  let answers = 0;
  node.redeems = () => (answers++ < 2 ? { problem: "confirming", after: 1 } : null);
  await page.click("text=Yes, it is me");
  await page.waitForSelector("#stage .tile");
  const secrets = redeemed().slice(1).map((one) => one.asking);
  assert.equal(secrets.length, 3);
  assert.ok(secrets.every((one) => one === secrets[0] && /^[0-9a-f]{32}$/.test(one)), secrets.join());
  assert.equal(redeemed()[0].asking, undefined);
});

test("somebody calls a person in the meeting: let in, declined, or left to ring; and a page that is opened meanwhile is asked, too", { skip }, async () => {
  node.people = [person("p1", { name: "Mila Novak", number: "+•••••••••••07", audio: "phone", video: false })];
  const knock = (call, rest = {}) => ({ call, participant: "p1", name: null, number: "+•••••••••••42", ...rest });
  const page = await open();
  await enter(page);
  for (const [at, [button, answer]] of [["Let in", "take"], ["Decline", "decline"], ["Let it ring", "ring"]].entries()) {
    node.say({ type: "knock", ...knock(`leg_${at}`) });
    await page.waitForSelector(".banner.knock:has-text('+•••••••••••42 calls Mila Novak')");
    if (at === 0) await shot(page, "knock-desktop");
    await page.click(`.banner.knock button:has-text('${button}')`);
    await until(() => asked("knock").some((one) => one.call === `leg_${at}` && one.answer === answer), answer);
    node.say({ type: "knock_over", call: `leg_${at}` });
    await page.waitForSelector(".banner.knock", { state: "detached" });
  }
  node.knocks = [knock("leg_9", { participant: "part_you", name: "Ben" }), knock("leg_10")];
  const phone = await open({ ...PHONE, locale: "en" });
  await enter(phone, "Late");
  await phone.waitForSelector(".banner.knock:has-text('Ben calls you')");
  assert.equal(await phone.locator(".banner.knock").count(), 2);
  await shot(phone, "knock-phone");
  const wide = await phone.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
  assert.ok(wide, "nothing sticks out");
  const touch = await phone.locator(".banner.knock button").first().boundingBox();
  assert.ok(touch.height >= 36, `${touch.height}`);
  assert.deepEqual(complaints, []);
});

test("whom one has on the other line is brought into the meeting by a button", { skip }, async () => {
  const page = await tapped(DESKTOP);
  node.say({ type: "lines", lines: [{ call: "leg_5", name: null, number: "+•••••••••••99" }] });
  await page.waitForSelector(".banner.line:has-text('On your other line: +•••••••••••99')");
  await shot(page, "line-desktop");
  node.refuseMerge = { code: "room_locked", detail: "locked" };
  await page.click("text=Bring into the meeting");
  await page.waitForSelector("#said:has-text('locked')");
  node.refuseMerge = null;
  await page.click("text=Bring into the meeting");
  await until(() => asked("merge").length === 2 && asked("merge")[1].call === "leg_5" && asked("merge")[1].both === false, "brought in");
  node.say({ type: "lines", lines: [] });
  await page.waitForSelector(".banner.line", { state: "detached" });
  // Loaded anew while the call goes on.
  node.lines = [{ call: "leg_6", name: "Ben", number: null }];
  await page.reload();
  await page.waitForSelector(".banner.line:has-text('Ben')");
});
