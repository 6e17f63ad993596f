// What the page knows, and how what happens changes it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { build } from "esbuild";

const { outputFiles } = await build({ entryPoints: ["src/console/model.ts"], bundle: true, format: "esm", write: false });
const model = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);

const participant = (id, rest = {}) => ({
  id, display: "+•••67", name: null, number: "+•••67", role: "guest", state: "active", held: false, muted_by_self: false,
  muted_by_host: false, hand: null, speaking: false, audio: null, since: "2026-01-01T00:00:00.000Z", ...rest,
});
const room = (id, participants = [], rest = {}) => ({
  settings: { id, name: id, pin: "482913", host_pin: null, first_caller: "music", lobby: false }, started: true, locked: false, participants, ...rest,
});
const state = (rooms, scopes = ["rooms:read"]) => ({ ...model.blank, session: { name: "k", scopes }, rooms: new Map(rooms.map((one) => [one.settings.id, one])) });

test("each step of an elevation reads the texts anew", () => {
  for (const step of ["asked", "texted", "failed", "some_new_step"]) assert.deepEqual(model.happen(model.blank, { type: `elevation.${step}`, seq: 1, room: "r", participant: "p" })[1], ["texts"]);
});

test("what happens to a trunk's places is read anew, as what happens to the trunk", () => {
  for (const type of ["trunk.up", "trunk.down", "trunk.target_up", "trunk.target_down"]) {
    assert.deepEqual(model.happen(model.blank, { type, seq: 1, trunk: "trk_1", address: "udp:192.0.2.1:5060" })[1], ["routing"], type);
  }
});

test("somebody who joins, speaks, is muted and leaves is shown so", () => {
  let [now] = model.happen(state([room("r")]), { type: "participant.joined", seq: 1, room: "r", participant: participant("p") });
  assert.equal(now.rooms.get("r").participants.length, 1);
  [now] = model.happen(now, { type: "participant.speaking", seq: 2, room: "r", participant: "p", speaking: true });
  assert.equal(now.rooms.get("r").participants[0].speaking, true);
  [now] = model.happen(now, { type: "participant.changed", seq: 3, room: "r", participant: participant("p", { muted_by_host: true }) });
  assert.equal(now.rooms.get("r").participants[0].muted_by_host, true);
  [now] = model.happen(now, { type: "participant.left", seq: 4, room: "r", participant: "p" });
  assert.equal(now.rooms.get("r").participants.length, 0);
});

test("an event told twice changes nothing more", () => {
  const event = { type: "participant.joined", seq: 1, room: "r", participant: participant("p") };
  const [once] = model.happen(state([room("r")]), event);
  const [twice] = model.happen(once, event);
  assert.deepEqual([...twice.rooms.values()], [...once.rooms.values()]);
});

test("a number that was read whole is not hidden again by an event", () => {
  const whole = participant("p", { number: "+15551234567" });
  const [now] = model.happen(state([room("r", [whole])]), { type: "participant.changed", seq: 1, room: "r", participant: participant("p", { held: true }) });
  assert.equal(model.called(now.rooms.get("r").participants[0]), "+15551234567");
  const [, anew] = model.happen(state([room("r")], ["admin"]), { type: "participant.joined", seq: 1, room: "r", participant: participant("p") });
  assert.deepEqual(anew, [{ room: "r" }, "calls"], "who may see it whole reads it");
});

test("a room that the page does not know is read", () => {
  const [, anew] = model.happen(state([]), { type: "participant.joined", seq: 1, room: "r", participant: participant("p") });
  assert.deepEqual(anew, [{ room: "r" }]);
  const [same, nothing] = model.happen(state([room("r")]), { type: "something.new", seq: 1, room: "r" });
  assert.deepEqual([same.rooms.size, nothing], [1, []]);
});

test("rooms with people come first, and are found by name, PIN and person", () => {
  const full = state([room("Alpha"), room("Beta", [participant("p", { name: "Zoë" })])]);
  const names = (search) => model.shownRooms({ ...full, search }).map((one) => one.settings.id);
  assert.deepEqual(names(""), ["Beta", "Alpha"]);
  assert.deepEqual(names("alph"), ["Alpha"]);
  assert.deepEqual(names("zoë"), ["Beta"]);
  assert.deepEqual(names("4829"), ["Beta", "Alpha"]);
});

test("PINs are grouped as people read them out", () => {
  for (const [pin, shown] of [["1", "1"], ["4711", "4711"], ["48291", "482 91"], ["482913", "482 913"], ["4829131", "482 9131"], ["77120458", "7712 0458"]]) {
    assert.equal(model.grouped(pin), shown);
  }
});

test("a call sounds as bad as its worst figure", () => {
  const figures = { received: 1000, lost: 0, late: 0, jitter_ms: 2, round_trip_ms: null, remote_loss: null };
  const grade = (change) => model.quality({ figures: { ...figures, ...change } })?.grade;
  assert.equal(grade({}), "good");
  assert.equal(grade({ lost: 20 }), "fair");
  assert.equal(grade({ remote_loss: 0.2 }), "poor");
  assert.equal(grade({ jitter_ms: 100 }), "poor");
  assert.equal(grade({ received: 0 }), undefined);
});

test("a call that is scored says how it sounds each way, and whose fault it is", () => {
  const score = (mos, loss) => ({ loss, late: 0, jitter_ms: 3, delay_ms: 61.4, mos });
  const of = (ingress, egress, blame) => {
    const span = { ingress, egress, blame };
    const figures = { received: 1000, lost: 500, late: 0, jitter_ms: 2, round_trip_ms: null, remote_loss: null, quality: { last: span, call: span, far_end: null } };
    return model.quality({ figures });
  };
  assert.deepEqual(of(score(4.38, 0), score(4.4, 0), "nobody"), { grade: "good", text: "heard 4.4, hears 4.4 of 4.4 · 61 ms" });
  const lossy = of(score(3.2, 0.084), null, "way_to_us");
  assert.deepEqual(lossy, { grade: "poor", text: "heard 3.2, hears – of 4.4 · 8.4 % lost · 61 ms · their way to us loses packets" });
  assert.equal(of(null, score(3.8, 0.02), "us").grade, "fair");
  assert.equal(of(null, null, "unknown").grade, "poor", "without scores, by what is lost");
});

test("every verdict that the node can give has words of its own, also where there is no score", () => {
  const source = readFileSync(new URL("../../src/media/quality/mod.rs", import.meta.url), "utf8");
  const verdicts = [...source.matchAll(/Blame::\w+ => "(\w+)"/g)].map(([, name]) => name);
  assert.equal(verdicts.length, Number(source.match(/ALL: \[Blame; (\d+)\]/)[1]), "all of them are found");
  const score = { loss: 0, late: 0, jitter_ms: 3, delay_ms: 61.4, mos: 3.2 };
  const figures = { received: 1000, lost: 500, late: 0, jitter_ms: 2, round_trip_ms: null, remote_loss: null };
  for (const [ingress, before] of [[score, "heard 3.2, hears – of 4.4 · 61 ms"], [null, "33.3 % lost · jitter 2 ms"]]) {
    const told = verdicts.map((blame) => {
      const span = { ingress, egress: null, blame };
      const { text } = model.quality({ figures: { ...figures, quality: { last: span, call: span, far_end: null } } });
      assert.ok(text.startsWith(`${before} · `), `${blame}: ${text}`);
      return text.slice(before.length + 3);
    });
    assert.ok(told.every((words) => /^[a-z].{10,}$/.test(words) && !words.includes("undefined")), told.join("; "));
    assert.equal(new Set(told).size, verdicts.length, told.join("; "));
  }
});

test("of somebody who whispers it is said to whom, and how much of it others hear", () => {
  const says = (rest) => {
    const one = participant("w", rest);
    return model.whispers(room("r", [participant("a", { name: "Anna" }), participant("b", { name: "Ben" }), one]), one);
  };
  assert.equal(says({ whispers_to: ["a"], others_hear: 0 }), "whispers to Anna · others hear nothing");
  assert.equal(says({ whispers_to: ["a", "b"], others_hear: 25 }), "whispers to Anna, Ben · other phones hear 25 %");
  assert.equal(says({ others_hear: 25 }), "whispers to people who left · other phones hear 25 %");
});

test("durations read as clocks do", () => {
  const since = "2026-01-01T00:00:00.000Z";
  const at = (seconds) => model.lasted(since, Date.parse(since) + seconds * 1000);
  assert.deepEqual([at(-5), at(5), at(65), at(3723)], ["0:00", "0:05", "1:05", "1:02:03"]);
});
