// What people do and see, by name. Legs are numbers; the person of leg n is participant n.
const tones = { 1: 400, 2: 800, 3: 1300 };
const colours = { 1: "#d00000", 2: "#00a000", 3: "#0000d0" };
const isColour = (seen, leg) => {
  if (!seen?.colour) return false;
  const wanted = { 1: 0, 2: 1, 3: 2 }[leg];
  return seen.colour.every((value, index) => (index === wanted ? value > 90 : value < 90));
};
const others = (leg, all) => all.filter((other) => other !== leg);

export default {
  // Three people hear exactly the others' tones, and see the others' colours.
  async meeting({ join, ask, until, near }) {
    const all = [1, 2, 3];
    const times = {};
    for (const leg of all) times[leg] = await join(leg, { tone: tones[leg], colour: colours[leg] });
    for (const leg of all) {
      const wishes = others(leg, all).map((other, slot) => ({ slot, participant: other, source: "camera", height: 135 }));
      await ask(leg, (wishes) => window.watch(wishes), wishes);
    }
    const heard = {};
    for (const leg of all) {
      heard[leg] = await until(`${leg} hears the others`, async () => {
        const frequencies = (await ask(leg, "window.hear()")).filter((frequency) => frequency !== null);
        const done = frequencies.length === 2 && others(leg, all).every((other) => frequencies.some((f) => near(f, tones[other])));
        return { done, frequencies };
      });
    }
    const seen = {};
    for (const leg of all) {
      seen[leg] = await until(`${leg} sees the others`, async () => {
        const { seen, voices, sent, pair } = await ask(leg, "window.see()");
        const done = others(leg, all).every((other, slot) => seen[slot]?.frames > 10 && isColour(seen[slot], other));
        return { done, seen, voices, sent, pair };
      });
    }
    const sizes = { offer: await ask(1, "window.offerBytes"), answer: await ask(1, "window.answerText.length") };
    return { times, heard, seen, sizes };
  },

  // The same picture small, then large, then small again: the layer follows.
  async layers({ join, ask, until }) {
    await join(1, { tone: tones[1], colour: colours[1], width: 1280, height: 720 });
    await join(2, {});
    const heights = [];
    for (const height of [180, 720, 180]) {
      await ask(2, (wishes) => window.watch(wishes), [{ slot: 0, participant: 1, source: "camera", height }]);
      const last = await until(`a picture of ${height} lines`, async () => {
        const { seen, sent } = await ask(2, "window.see()");
        const publisher = (await ask(1, "window.see()")).sent;
        return { done: seen[0]?.height === height, seen: seen[0], sent, publisher };
      }, 40);
      heights.push(last.seen);
    }
    return { heights };
  },

  // Camera off, another's screen on: replaceTrack alone changes what is sent.
  async screen({ join, ask, until }) {
    await join(1, { colour: colours[1], screen: colours[3] });
    await join(2, {});
    await ask(2, (wishes) => window.watch(wishes), [
      { slot: 0, participant: 1, source: "camera", height: 135 },
      { slot: 1, participant: 1, source: "screen", height: 360 },
    ]);
    const both = await until("camera and screen", async () => {
      const { seen } = await ask(2, "window.see()");
      return { done: isColour(seen[0], 1) && isColour(seen[1], 3), seen };
    });
    await ask(1, "camera.sender.replaceTrack(null)");
    await until("the camera is off", async () => {
      const shown = await (await fetch(`${process.argv[4]}/shown?leg=2`)).json();
      return { done: shown.find((slot) => slot.slot === 0)?.layer === null && shown.find((slot) => slot.slot === 1)?.layer === 0, shown };
    });
    return both;
  },

  // On a network that loses one packet in twenty on the way to the node, and one in twenty from there: the tone is there all the time, and little of it is made up; the picture goes on.
  async lossy({ join, ask, until, near }) {
    await join(1, { tone: tones[1], colour: colours[1] });
    await join(2, { tone: tones[2], colour: colours[2] });
    for (const [leg, other] of [[1, 2], [2, 1]]) {
      await ask(leg, (wishes) => window.watch(wishes), [{ slot: 0, participant: other, source: "camera", height: 135 }]);
    }
    const hears = async (leg, other) => (await ask(leg, "window.hear()")).some((f) => near(f, tones[other]));
    await until("both hear and see", async () => {
      const [one, two] = [await ask(1, "window.see()"), await ask(2, "window.see()")];
      return { done: (await hears(1, 2)) && (await hears(2, 1)) && one.seen[0]?.frames > 10 && two.seen[0]?.frames > 10, one: one.seen[0], two: two.seen[0] };
    });
    const before = await ask(2, "window.see()");
    let [looks, heard, moved, frames, longest] = [0, 0, performance.now(), before.seen[0].frames, 0];
    const end = performance.now() + 15_000;
    await until("fifteen seconds have passed", async () => {
      const { seen } = await ask(2, "window.see()");
      looks += 1;
      heard += (await hears(2, 1)) ? 1 : 0;
      if (seen[0].frames > frames) [frames, moved] = [seen[0].frames, performance.now()];
      longest = Math.max(longest, performance.now() - moved);
      return { done: performance.now() > end };
    });
    const after = await ask(2, "window.see()");
    const voice = (report) => report.voices.filter(Boolean).reduce((most, one) => (one.packets > (most?.packets ?? 0) ? one : most), null);
    const [then, now] = [voice(before), voice(after)];
    const made_up = (now.concealed - then.concealed) / (now.samples - then.samples);
    const told = { looks, heard, longest, made_up, frames: after.seen[0].frames - before.seen[0].frames, lost: now.lost, seen: after.seen[0], colour: isColour(after.seen[0], 1) };
    const done = heard >= looks * 0.95 && made_up < 0.15 && told.frames > 15 * 15 * 0.5 && longest < 3000 && told.seen.repaired > 0 && told.colour;
    if (!done) throw new Error(JSON.stringify(told));
    return told;
  },

  // A restart of the ways, and after it a new peer connection: sound and picture go on.
  async restart({ join, ask, until, near }) {
    await join(1, { tone: tones[1], colour: colours[1] });
    await join(2, { tone: tones[2] });
    await ask(2, (wishes) => window.watch(wishes), [{ slot: 0, participant: 1, source: "camera", height: 135 }]);
    const goesOn = (what) => until(what, async () => {
      const heard = await ask(2, "window.hear()");
      const { seen } = await ask(2, "window.see()");
      return { done: heard.some((f) => near(f, tones[1])) && isColour(seen[0], 1) && seen[0].frames > 10, heard, seen };
    });
    const first = await goesOn("before");
    const before = (await ask(2, "window.see()")).seen[0].frames;
    await ask(1, "window.offer({ iceRestart: true })");
    await until("frames after the restart", async () => {
      const { seen, state } = await ask(2, "window.see()");
      return { done: seen[0].frames > before + 45, seen, state };
    });
    const state = (await ask(1, "window.see()")).state;
    await ask(1, (settings) => window.begin(settings), { tone: tones[1], colour: colours[1] });
    const again = (await ask(2, "window.see()")).seen[0].frames;
    await until("frames of the new connection", async () => {
      const { seen } = await ask(2, "window.see()");
      return { done: seen[0].frames > again + 30, seen };
    });
    return { first, state, last: await goesOn("after") };
  },
};
