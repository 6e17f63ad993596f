// A first try from another machine: HTTPS with a certificate of the node's own making. Needs Chromium (CHROMIUM names it).
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { built, free, PATIENCE } from "./tools.js";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const skip = existsSync(executablePath) ? false : `no ${executablePath}`;
/** As phones of the house write this machine; where it is alone, itself. */
const address = Object.values(networkInterfaces()).flat().find((one) => one.family === "IPv4" && !one.internal)?.address ?? "127.0.0.1";

let directory, ports, node, browser;
let printed = "";

before(async () => {
  if (skip) return;
  const program = built();
  directory = mkdtempSync(join(tmpdir(), "ringlift-https-"));
  ports = { http: await free(), https: await free(), sip: await free(), web: await free() };
  writeFileSync(join(directory, "ringlift.toml"), `
[sip]
listen = ["udp:127.0.0.1:${ports.sip}"]
[api]
listen = ["0.0.0.0:${ports.http}"]
tls_listen = ["0.0.0.0:${ports.https}"]
[api.tls]
self_signed = true
[media]
listen = ["127.0.0.1"]
first_port = 47200
last_port = 47399
[web]
listen = ["udp:0.0.0.0:${ports.web}"]
`);
  node = spawn(program, ["serve", "--config", "ringlift.toml"], { cwd: directory });
  for (const stream of [node.stdout, node.stderr]) stream.on("data", (part) => (printed += part));
  for (const end = Date.now() + PATIENCE; ; await new Promise((resolve) => setTimeout(resolve, 100))) {
    if (await fetch(`http://127.0.0.1:${ports.http}/healthz`).then((answer) => answer.ok, () => false)) break;
    assert.ok(Date.now() < end && node.exitCode === null, printed);
  }
  browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--ignore-certificate-errors", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
  });
});

after(async () => {
  await browser?.close();
  node?.kill("SIGTERM");
  if (directory) rmSync(directory, { recursive: true, force: true });
});

test("a page by HTTPS with a certificate of the node's own making may use a microphone", { skip }, async () => {
  const page = await browser.newPage({ ignoreHTTPSErrors: true });
  await page.goto(`https://${address}:${ports.https}/`);
  const may = await page.evaluate(async () => {
    const stream = await navigator.mediaDevices?.getUserMedia({ audio: true });
    return { secure: window.isSecureContext, tracks: stream?.getAudioTracks().map((track) => track.readyState) };
  });
  assert.deepEqual(may, { secure: true, tracks: ["live"] });
  // The socket of the meeting goes the same way.
  const socket = await page.evaluate(() => new Promise((resolve) => {
    const socket = new WebSocket(`wss://${location.host}/meet/socket`);
    socket.onopen = () => resolve("open");
    socket.onerror = () => resolve("refused");
  }));
  assert.equal(socket, "open");
  await page.close();
});

test("a page asked for in plain HTTP from another machine is led to HTTPS", { skip: skip || address === "127.0.0.1" }, async () => {
  const page = await browser.newPage({ ignoreHTTPSErrors: true });
  await page.goto(`http://${address}:${ports.http}/?from=plain`);
  assert.equal(page.url(), `https://${address}:${ports.https}/?from=plain`);
  await page.close();
});

test("this machine's own browser stays with plain HTTP, which is as good there", { skip }, async () => {
  const page = await browser.newPage();
  await page.goto(`http://localhost:${ports.http}/`);
  assert.equal(page.url(), `http://localhost:${ports.http}/`);
  assert.equal(await page.evaluate(() => window.isSecureContext), true);
  await page.close();
});

test("the start says where phones go, what their browsers will say, and how to know the certificate", { skip }, () => {
  assert.match(printed, new RegExp(`Others go to https://${address.replaceAll(".", "\\.")}:${ports.https}/`));
  assert.match(printed, /Your connection is not private/);
  assert.match(printed, /SHA-256 ([0-9A-F]{2}:){15}/);
});
