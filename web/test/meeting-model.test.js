// What the meeting's page knows, where it puts people, and what it says.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { build } from "esbuild";
import { person } from "./fake.js";

async function load(path) {
  const { outputFiles } = await build({ entryPoints: [path], bundle: true, format: "esm", write: false, charset: "utf8" });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}
const model = await load("src/meeting/model.ts");
const layout = await load("src/meeting/layout.ts");
const { landing } = await load("src/i18n/landing.ts");
const core = await load("src/i18n/core.ts");
/** The meeting's words in every language. */
const words = {};
for (const language of Object.keys(core.LANGUAGES)) words[language] = (await load(`src/i18n/${language}.ts`))[language];
const { destination } = await load("src/landing/where.ts");
const { qr } = await load("src/meeting/qr.ts");

const room = { id: "room_1", name: "Board", locked: false, started: true, muted_on_entry: false, self_unmute: true };
const welcome = (people, rest = {}) => ({ type: "welcome", id: 1, version: 1, session: "s", resume: "r", resumed: false, you: "you", role: "guest", state: "active", room, people, chat: [], slots: [], ice_servers: [], limits: { chat_chars: 2000, video_slots: 9, avatar_bytes: 1 }, dial_in: { numbers: [] }, ...rest });
const meeting = (...people) => model.receive(model.blank, welcome([person("you", { name: "Dora", since: "2026-01-01T09:00:00Z" }), ...people]), 0)[0];
const after = (state, ...messages) => messages.reduce(([now, notes], message) => { const [next, more] = model.receive(now, message, 1000); return [next, [...notes, ...more]]; }, [state, []]);

test("who joins, speaks, raises a hand and leaves is known and told of", () => {
  const anna = person("a", { name: "Anna" });
  const [now, notes] = after(meeting(), { type: "joined", person: anna }, { type: "speaking", participant: "a", speaking: true }, { type: "changed", person: { ...anna, hand: 1, speaking: true } });
  assert.equal(now.people.get("a").speaking, true);
  assert.deepEqual(now.spoke, ["a"]);
  assert.deepEqual(notes.map((one) => one.say), ["somebody_joined", "hand_up"]);
  const [gone, told] = after({ ...now, pinned: "a", to: "a" }, { type: "left", participant: "a", cause: "hung_up" });
  assert.equal(gone.people.has("a"), false);
  assert.deepEqual([gone.pinned, gone.to, gone.spoke, told[0].say], [null, null, [], "somebody_left"]);
});

test("a guest is not told who waits; a host and a member are", () => {
  const waits = { type: "joined", person: person("w", { name: "W", state: "lobby" }) };
  assert.deepEqual(after(meeting(), waits)[1], []);
  for (const role of ["host", "member"]) {
    const state = model.receive(model.blank, welcome([person("you", { role })], { role }), 0)[0];
    assert.equal(after(state, waits)[1][0].say, "somebody_waits");
    assert.equal(model.waiting(after(state, waits)[0]).length, 1);
  }
});

test("the lobby ends when the node says so, and the same welcome twice is one seat", () => {
  const [lobby] = model.receive(model.blank, welcome([], { state: "lobby" }), 0);
  assert.equal(lobby.phase, "lobby");
  const [inside] = model.receive(lobby, { ...welcome([person("you")]), type: "admitted" }, 0);
  assert.equal(inside.phase, "in");
  assert.equal(model.receive(inside, welcome([person("you")], { resumed: true }), 0)[1][0].say, "back");
  assert.equal(model.receive(inside, welcome([person("you")], { resumed: false, you: "other" }), 0)[1][0].say, "joined_anew");
  assert.equal(model.receive(model.blank, welcome([person("you")]), 0)[1].length, 0);
});

test("what never came through is said to be blocked until it comes through, whatever the node says meanwhile", () => {
  const blocked = { ...meeting(), media: "refused" };
  assert.equal(after(blocked, { type: "media", state: "lost" })[0].media, "refused");
  assert.equal(after(blocked, { type: "media", state: "connected" })[0].media, "connected");
  assert.equal(after(meeting(), { type: "media", state: "lost" })[0].media, "lost");
});

test("what a host does to oneself is said, what one did oneself is not", () => {
  const you = person("you", { name: "Dora" });
  const says = (rest, before = you) => after(model.receive(model.blank, welcome([before]), 0)[0], { type: "changed", person: { ...before, ...rest } })[1].map((one) => one.say);
  assert.deepEqual(says({ muted_by_host: true }), ["host_muted_you"]);
  assert.deepEqual(says({ muted_by_self: true }), []);
  assert.deepEqual(says({ muted_by_host: false }, { ...you, muted_by_host: true }), ["host_unmuted_you"]);
  assert.deepEqual(says({ role: "host" }), ["you_are_host"]);
});

test("unread lines are counted while the chat is closed, and no line is shown twice", () => {
  const line = { id: 7, from: "a", to: null, name: "Anna", text: "<img src=x>", at: 0 };
  const [now, notes] = after(meeting(person("a")), { type: "chat", line }, { type: "chat", line });
  assert.deepEqual([now.chat.length, now.unread, notes.length], [1, 1, 1]);
  const [open] = after({ ...meeting(), panel: "chat" }, { type: "chat", line });
  assert.equal(open.unread, 0);
  const [own] = after(meeting(), { type: "chat", line: { ...line, from: "you" } });
  assert.equal(own.unread, 0);
  let many = meeting();
  for (let id = 1; id <= 300; id++) [many] = after(many, { type: "chat", line: { ...line, id } });
  assert.equal(many.chat.length, 200);
});

test("hands stand in the order in which they went up", () => {
  const state = meeting(person("a", { hand: 3 }), person("b", { hand: 1 }), person("c", { hand: 2 }), person("d"));
  assert.deepEqual(model.hands(state).map((one) => one.id), ["b", "c", "a"]);
  assert.equal(model.handPlace(state, state.people.get("a")), 3);
  assert.equal(model.handPlace(state, state.people.get("d")), null);
});

test("reactions that nobody knows are not shown, and known ones pass", () => {
  const [now] = after(meeting(person("a")), { type: "reaction", from: "a", reaction: "<b>" }, { type: "reaction", from: "a", reaction: "heart" });
  assert.deepEqual(now.floating.map((one) => one.reaction), ["heart"]);
  assert.deepEqual(model.fresh(now.floating, 1000 + model.FLOATS), []);
});

test("of who speaks to some alone it is said what others hear, and that nobody is left", () => {
  const says = (rest) => model.whispers(person("w", rest));
  assert.equal(says({}), null);
  assert.equal(says({ whispers_to: ["a"], others_hear: 0 }), "state_whispers");
  assert.equal(says({ whispers_to: ["a"], others_hear: 25 }), "state_whispers_softly");
  assert.equal(says({ others_hear: 0 }), "state_whispers_nobody");
  assert.equal(core.fill("en", words.en.state_whispers_softly, { n: 25 }), "speaks to some alone, phones of others hear 25 %");
  for (const [language, table] of Object.entries(words)) assert.ok(table.state_whispers_softly.includes("{n}"), language);
});

test("initials are of names, in every script, and never of numbers", () => {
  assert.deepEqual(["Anna Schmidt", "zoë", "王小明", "+49 ••• 67", "", "Élodie de la Tour", "👍"].map(model.initials), ["AS", "Z", "王", "", "", "ÉT", ""]);
});

test("tiles stay on the stage and do not overlap, for one to fifty people on every screen", () => {
  for (const [width, height] of [[1256, 620], [374, 690], [740, 330], [250, 200], [3000, 1500]]) {
    for (const view of ["grid", "speaker"]) for (const sharing of [false, true]) for (let count = 1; count <= 50; count += count > 12 ? 7 : 1) {
      const people = Array.from({ length: count - 1 }, (_, at) => person(`p${at}`, { screen_on: sharing && at === 0 }));
      const state = { ...meeting(...people), view };
      const paged = view === "grid" && !sharing ? layout.stage(state, [], width, height).pages : 1;
      const everybody = Array.from({ length: paged }, (_, at) => layout.stage(state, [], width, height, at).tiles).flat();
      if (view === "grid" && !sharing) assert.deepEqual(everybody.map((one) => one.participant).sort(), ["you", ...people.map((one) => one.id)].sort(), "each on one page");
      for (let at = 0; at < paged; at++) {
      const shown = layout.stage(state, [], width, height, at);
      const cells = [...shown.tiles, ...(shown.rest ? [shown.rest] : [])];
      const where = `${count} on ${width}×${height} ${view} ${sharing}`;
      for (const one of cells) assert.ok(one.x >= 0 && one.y >= 0 && one.x + one.width <= width + 1 && one.y + one.height <= height + 1 && one.width > 0 && one.height > 0, `${where}: ${JSON.stringify(one)}`);
      cells.forEach((one, at) => cells.slice(at + 1).forEach((other) => assert.ok(one.x + one.width <= other.x || other.x + other.width <= one.x || one.y + one.height <= other.y || other.y + other.height <= one.y, `${where} overlap`)));
      assert.equal(shown.tiles.filter((one) => !(one.large && one.source === "screen")).length + shown.hidden, count, where);
      assert.equal(shown.hidden > 0, shown.rest !== null || paged > 1);
      }
    }
  }
});

test("where more cameras are on than can be shown, a page has as many as can", () => {
  const state = meeting(...Array.from({ length: 20 }, (_, at) => person(`p${at}`, { camera_on: true })));
  const shown = layout.stage(state, [], 1256, 620, 0, 9);
  assert.deepEqual([shown.tiles.length, shown.pages], [10, 3]);
  const spoken = layout.stage({ ...state, spoke: ["p19"] }, shown.first, 1256, 620, 0, 9);
  assert.ok(spoken.first.includes("p19") && spoken.first.includes("you"));
  const later = layout.stage({ ...state, spoke: ["p19"] }, shown.first, 1256, 620, 2, 9);
  assert.deepEqual(later.first, shown.first, "while a later page is looked at, nobody changes pages");
  assert.equal(layout.stage(state, [], 1256, 620, 99, 9).page, 2);
});

test("who speaks and has no tile takes that of the one silent for longest, and nobody else moves", () => {
  const all = ["you", "a", "b", "c", "d", "e"];
  const before = layout.seats(all, [], [], 4, ["you"]);
  assert.deepEqual(before, ["you", "a", "b", "c"]);
  const now = layout.seats(all, before, ["e", "c", "a"], 4, ["you"]);
  assert.deepEqual(now, ["you", "a", "e", "c"]);
  assert.deepEqual(layout.seats(all, now, ["a", "e", "c"], 4, ["you"]), now);
});

test("what is not seen is not asked for, and who is seen keeps the slot", () => {
  const state = meeting(person("a", { camera_on: true, screen_on: true }), person("b", { camera_on: true }), person("c"), person("gone", { camera_on: true, away: true }));
  const tile = (participant, height, rest = {}) => ({ participant, source: "camera", large: false, height, ...rest });
  const first = layout.wishes(state, [tile("you", 300), tile("a", 300), tile("b", 170), tile("c", 300), tile("gone", 300)], [], 9);
  assert.deepEqual(first, [{ slot: 0, participant: "a", source: "camera", height: 360 }, { slot: 1, participant: "b", source: "camera", height: 180 }]);
  const second = layout.wishes(state, [tile("a", 700, { source: "screen", large: true }), tile("b", 90)], first, 9);
  assert.deepEqual(second, [{ slot: 0, participant: "a", source: "screen", height: 720 }, { slot: 1, participant: "b", source: "camera", height: 90 }]);
  assert.equal(layout.wishes(state, [tile("a", 90), tile("b", 90)], [], 1).length, 1);
});

test("every language says everything, with the same places to fill", () => {
  const places = (text) => [...text.matchAll(/\{(\w+)\}/g)].map((one) => one[1]).sort();
  for (const tables of [words, landing]) for (const [language, table] of Object.entries(tables)) {
    assert.deepEqual(Object.keys(table).sort(), Object.keys(tables.en).sort(), language);
    for (const [key, text] of Object.entries(table)) {
      assert.ok(text.trim() !== "", `${language}.${key}`);
      assert.deepEqual(places(text), places(tables.en[key]), `${language}.${key}`);
    }
  }
  const same = Object.keys(words.en).filter((key) => words.en[key].length > 12 && words.de[key] === words.en[key] && words.fr[key] === words.en[key]);
  assert.deepEqual(same, ["chat_from"].filter((key) => same.includes(key)));
});

test("every problem and every end that the docs name has words of its own", () => {
  const docs = readFileSync("../docs/meeting.md", "utf8");
  const table = docs.slice(docs.indexOf("## Problems"), docs.indexOf("## Invitations"));
  const codes = [...table.matchAll(/^\| ([^|]+) \|/gm)].flatMap((row) => [...row[1].matchAll(/`(\w+)`/g)].map((one) => one[1]));
  assert.ok(codes.length > 20);
  // What a page of ours does not say, or answers by itself.
  const ours = ["draining", "bad_message", "not_joined", "already_joined", "bad_offer"];
  assert.deepEqual(codes.filter((code) => !ours.includes(code) && !words.en[`problem_${code}`]), []);
  const [, causes] = docs.match(/Its `cause` is one of\s+those of calls: ([^;]*?)(?:;|\. After)/s);
  const ends = [...causes.matchAll(/`(\w+)`/g)].map((one) => one[1]).filter((cause) => !["leave", "internal", "drained_out"].includes(cause));
  assert.deepEqual(ends.filter((cause) => !words.en[`ended_${cause}`]), []);
  // Who has a telephone in the meeting is told of it, and who moved the call to another device; nobody else.
  const ofPhones = ["ended_moved", "ended_not_moved", "ended_left_video", "ended_restarted", "ended_call_ended", "ended_forgotten"];
  for (const [key, text] of Object.entries(words.en)) if (key.startsWith("ended_") && !ofPhones.includes(key)) assert.doesNotMatch(text, /phone|call/i, key);
});

test("the language is the one chosen, else the browser's first that we have", () => {
  assert.equal(core.choose(null, ["nl-NL", "pt-BR", "en"]), "pt");
  assert.equal(core.choose("zh", ["de"]), "zh");
  assert.equal(core.choose("<b>", ["sv"]), "en");
  assert.equal(core.fill("de", "{n} {n|wartet|warten}", { n: 1 }), "1 wartet");
  assert.equal(core.fill("de", "{n} {n|wartet|warten}", { n: 1200 }), "1.200 warten");
});

test("a number leads to its meeting behind the #, a link of ours where it points, another's nowhere", () => {
  const to = (text) => destination(text, "https://meet.example");
  assert.deepEqual(to(" 482 913 "), { path: "/m/number#passcode=482913" });
  assert.deepEqual(to("482-913#"), { path: "/m/number#passcode=482913" });
  assert.deepEqual(to("https://meet.example/j/abc_DEF"), { path: "/j/abc_DEF" });
  assert.deepEqual(to("meet.example/m/482913"), { path: "/m/482913" });
  assert.deepEqual(to("https://evil.example/j/abc"), { wrong: "foreign_link" });
  assert.deepEqual(to("https://meet.example/v1/keys"), { wrong: "foreign_link" });
  assert.deepEqual(to("javascript:alert(1)"), { wrong: "number_missing" });
  assert.deepEqual(to(""), { wrong: "number_missing" });
});

test("a QR code grows with the link, has its three corners, and says when a link is too long", () => {
  for (const [length, size] of [[5, 21], [60, 33], [84, 37], [213, 57]]) {
    const code = qr("x".repeat(length));
    assert.equal(code.length, size, `${length} bytes`);
    for (const [y, x] of [[0, 0], [0, size - 7], [size - 7, 0]]) assert.ok(code[y][x] && code[y + 6][x + 6] && !code[y + 1][x + 1] && code[y + 3][x + 3]);
  }
  assert.equal(qr("x".repeat(214)), null);
});
