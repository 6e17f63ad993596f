// Drives headless Chromium: one browser context for each person, and a small language for what they do.
//
//   node drive.mjs <playwright-core> <chromium> <origin> <scenario>     prints what was seen as JSON
import { pathToFileURL } from "node:url";

const [playwright, chromium, origin, scenario] = process.argv.slice(2);
const { chromium: driver } = await import(pathToFileURL(`${playwright}/index.mjs`).href);
const browser = await driver.launch({
  executablePath: chromium,
  args: [
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    // Chromium offers names instead of its addresses; nobody here resolves them, and nobody needs to.
    // Where there is no other network.
    "--allow-loopback-in-peer-connection",
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
    "--disable-gpu",
    ...(process.env.BROWSER_ARGS ?? "").split(" ").filter(Boolean),
  ],
});

const people = new Map();
const join = async (leg, settings) => {
  const page = await (await browser.newContext()).newPage();
  page.on("pageerror", (error) => console.error(`page ${leg}: ${error}`));
  await page.goto(`${origin}/?leg=${leg}`);
  await page.waitForFunction("window.ready");
  const began = performance.now();
  await page.evaluate((settings) => window.begin(settings), settings);
  await page.waitForFunction("connection.connectionState === 'connected'", null, { timeout: 20_000 });
  people.set(leg, page);
  return performance.now() - began;
};
const ask = (leg, expression, argument) => people.get(leg).evaluate(expression, argument);
const until = async (what, look, seconds = 25) => {
  const deadline = performance.now() + seconds * 1000;
  let last;
  while (performance.now() < deadline) {
    last = await look();
    if (last?.done) return last;
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  throw new Error(`${what} did not come about: ${JSON.stringify(last)}`);
};
const near = (heard, tone) => heard !== null && Math.abs(heard - tone) < 25;

try {
  const scenarios = (await import("./scenarios.mjs")).default;
  const seen = await scenarios[scenario]({ join, ask, until, near, people, origin });
  console.log(JSON.stringify({ ok: true, seen }));
} catch (error) {
  const report = {};
  for (const [leg, page] of people) report[leg] = await page.evaluate("window.see()").catch(String);
  console.log(JSON.stringify({ ok: false, why: String(error), report }));
} finally {
  await browser.close();
}
