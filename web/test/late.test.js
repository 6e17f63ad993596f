// The meeting's page where answers come late: the browser's, about microphone and camera, and the node's, about who is muted.
import assert from "node:assert/strict";
import { test } from "node:test";
import { asked, complaints, enter, node, open, skip, until } from "./browser.js";

const own = () => node.people.find((one) => one.id === "part_you");
const unmuted = () => until(() => own() && !own().muted_by_self, "the microphone is there");
const sends = (page) => page.evaluate(() => globalThis.taken.some((one) => one.kind === "audio" && one.readyState === "live" && one.enabled));

/** A browser whose person thinks over whether the page may have microphone and camera, until `give` is called; what is sent is in `sent`. */
async function thinking() {
  const page = await open();
  await page.addInitScript(() => {
    const media = navigator.mediaDevices;
    const take = media.getUserMedia.bind(media);
    const given = new Promise((done) => (globalThis.give = done));
    media.getUserMedia = async (wanted) => {
      if (wanted.audio && wanted.video) await given;
      return take(wanted);
    };
    globalThis.sent = [];
    const { replaceTrack } = RTCRtpSender.prototype;
    RTCRtpSender.prototype.replaceTrack = function (track) {
      globalThis.sent.push({ kind: track?.kind, sender: this, track });
      return replaceTrack.call(this, track);
    };
  });
  await page.reload();
  await page.waitForSelector("#app > *");
  return page;
}

test("of two presses of the microphone the last one counts, whatever the node answers to the first", { skip }, async () => {
  const page = await open();
  await enter(page);
  await unmuted();
  await page.keyboard.press("m");
  await until(() => own().muted_by_self, "muted");
  await page.waitForSelector("#mic.off");
  const answers = [];
  const { hear } = node;
  node.hear = (socket, message) => (message.type === "publish" ? answers.push(() => hear.call(node, socket, message)) : hear.call(node, socket, message));
  await page.keyboard.press("m");
  await page.keyboard.press("m");
  await until(() => answers.length === 2, "both are asked");
  answers[0]();
  await until(() => page.evaluate(() => globalThis.taken.length > 0), "there is a microphone");
  node.say({ type: "chat", line: { id: 7, from: "p1", to: null, name: "Anna", text: "told after the answer", at: Date.now() } });
  await page.waitForSelector("#chat .badge");
  assert.equal(await sends(page), false, "nobody is heard who pressed mute");
  assert.equal(await page.locator("#mic.off").count(), 1);
  answers[1]();
  await until(() => own().muted_by_self, "muted at the node");
});

test("whoever presses the microphone before the browser gave it is heard, also once it gave another one", { skip }, async () => {
  const page = await thinking();
  await enter(page);
  await page.click("#mic");
  await unmuted();
  await page.evaluate(() => globalThis.give());
  await until(() => page.evaluate(() => globalThis.taken.length === 3), "three tracks were given");
  const last = () => page.evaluate(() => {
    const one = globalThis.sent.findLast((one) => one.kind === "audio");
    return one && one.track.readyState === "live" && one.track.enabled && one.sender.track === one.track;
  });
  // The first is over, for both are one microphone.
  await until(() => page.evaluate(() => globalThis.taken.filter((one) => one.kind === "audio" && one.readyState === "live").length === 1), "one microphone is open");
  await until(last, "what is sent is the one that is open");
  await until(() => own().camera_on, "and the camera is seen");
  assert.deepEqual(complaints, []);
});

test("a camera that is switched off before the browser gave it stays off, and its light too", { skip }, async () => {
  const page = await thinking();
  await enter(page);
  await page.click("#camera");
  await until(() => asked("publish").some((one) => one.source === "camera" && !one.on), "off");
  await page.evaluate(() => globalThis.give());
  await unmuted();
  await until(() => page.evaluate(() => globalThis.taken.some((one) => one.kind === "video") && globalThis.taken.every((one) => one.kind !== "video" || one.readyState === "ended")), "no camera is open");
  assert.equal(own().camera_on, false);
});

test("however often one mutes oneself, one copy of the microphone is listened to", { skip }, async () => {
  const page = await open();
  await page.evaluate(() => {
    globalThis.connected = new Set();
    const { createMediaStreamSource } = AudioContext.prototype;
    AudioContext.prototype.createMediaStreamSource = function (stream) {
      const source = createMediaStreamSource.call(this, stream);
      globalThis.connected.add(source);
      const disconnect = source.disconnect.bind(source);
      source.disconnect = (...of) => (globalThis.connected.delete(source), disconnect(...of));
      return source;
    };
  });
  await enter(page);
  await unmuted();
  for (let turn = 0; turn < 3; turn++) {
    for (const muted of [true, false]) {
      await page.keyboard.press("m");
      await until(() => own().muted_by_self === muted, muted ? "muted" : "heard");
      await page.waitForSelector(muted ? "#mic.off" : "#mic:not(.off)");
    }
  }
  assert.equal(await page.evaluate(() => globalThis.connected.size), 0, "who is heard is not listened to");
});
