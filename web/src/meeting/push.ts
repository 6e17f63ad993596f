// Notified in this browser instead of by a text the next time: asked for by a button, ended by another.

import { remember, remembered } from "../i18n/core.js";
import { draw, t } from "./page.js";
import { say } from "./say.js";

interface Pushing {
  /** By which the node signs; none where nothing proves whose number it is. */
  key: string | null;
  /** Whose telephone, as others see the number. */
  person: string;
  /** This browser takes notifications. */
  on: boolean;
  busy: boolean;
}

export const pushing: Pushing = { key: null, person: "", on: false, busy: false };

/** The worker answers for no page: nothing is at this place. */
const SCOPE = "/push/";

/** For whose telephone the button was pressed in this browser, or that it is not wanted. */
const CHOSEN = "ringlift.push";
const NO = "no";

const able = (): boolean => "serviceWorker" in navigator && "PushManager" in globalThis && "Notification" in globalThis;

/** What opened the seat, and proves whose number it is. */
let holder: string | null = null;

async function known(): Promise<PushSubscription | null> {
  const registration = await navigator.serviceWorker.getRegistration(SCOPE);
  return (await registration?.pushManager.getSubscription()) ?? null;
}

async function tell(method: "POST" | "DELETE", body: object): Promise<boolean> {
  const headers = { "Content-Type": "application/json", Accept: "application/json", "X-Ringlift-Page": "1" };
  const asked = { method, headers, credentials: "same-origin", cache: "no-store", body: JSON.stringify(body), signal: AbortSignal.timeout(15_000) } as const;
  return (await fetch("/meet/push", asked)).ok;
}

/** The node's answer to a link: whether this browser may be asked. */
export async function opened(answer: { push?: string; holder?: string; person?: string }): Promise<void> {
  if (!able()) return;
  holder = answer.holder ?? holder;
  Object.assign(pushing, { key: answer.push ?? null, person: answer.person ?? "" });
  try {
    pushing.on = (await known()) !== null;
    // Wanted before, for the same telephone: the text that came proves once more whose it is.
    if (pushing.on && pushing.key && remembered(CHOSEN) === pushing.person) await keep(pushing.key);
  } catch {
    // Asked again the next time.
  }
  draw();
}

/** Whether the button is shown. */
export function offers(): boolean {
  const chosen = remembered(CHOSEN);
  return able() && pushing.key !== null && chosen !== NO && !(pushing.on && chosen === pushing.person) && Notification.permission !== "denied";
}

/** Subscribes for this key; a subscription for another one is of no use to this node. */
async function keep(key: string): Promise<boolean> {
  await navigator.serviceWorker.register("/push.js", { scope: SCOPE });
  const registration = await navigator.serviceWorker.getRegistration(SCOPE);
  if (!registration || !holder) return false;
  if (!registration.active) await activated(registration);
  const wanted = bytes(key);
  let subscription = await registration.pushManager.getSubscription();
  if (subscription && !same(subscription.options.applicationServerKey, wanted)) {
    await subscription.unsubscribe();
    subscription = null;
  }
  subscription ??= await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: wanted });
  const { endpoint, keys } = subscription.toJSON();
  return tell("POST", { holder, endpoint, keys: { p256dh: keys?.p256dh, auth: keys?.auth } });
}

function activated(registration: ServiceWorkerRegistration): Promise<void> {
  const worker = registration.installing ?? registration.waiting;
  return new Promise((done) => {
    if (!worker || worker.state === "activated") return done();
    worker.addEventListener("statechange", () => worker.state === "activated" && done());
  });
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
}

function same(one: ArrayBuffer | null, other: Uint8Array): boolean {
  const there = new Uint8Array(one ?? new ArrayBuffer(0));
  return there.length === other.length && there.every((byte, at) => byte === other[at]);
}

/** The button: the browser asks, too. */
export async function notifyHere(): Promise<void> {
  const { key, person, busy } = pushing;
  if (busy || key === null) return;
  Object.assign(pushing, { busy: true });
  draw();
  try {
    if ((await Notification.requestPermission()) !== "granted") say(t("push_blocked"), { wrong: true });
    else if (await keep(key)) {
      remember(CHOSEN, person);
      pushing.on = true;
      say(t("push_on"));
    } else say(t("push_failed"), { wrong: true });
  } catch {
    say(t("push_failed"), { wrong: true });
  }
  pushing.busy = false;
  draw();
}

/** Not now, and not asked again in this browser. */
export function notNotified(): void {
  remember(CHOSEN, NO);
  draw();
}

/** No more notifications: the node forgets this browser first, then the browser the node. */
export async function notifyNoMore(): Promise<void> {
  try {
    const subscription = await known();
    const { endpoint, keys } = subscription?.toJSON() ?? {};
    if (subscription && endpoint && keys?.auth) {
      // Where the node is not told now, its push service tells it that this browser is gone.
      await tell("DELETE", { endpoint, auth: keys.auth }).catch(() => false);
      await subscription.unsubscribe();
    }
    remember(CHOSEN, "");
    pushing.on = false;
    say(t("push_is_off"));
  } catch {
    say(t("push_failed"), { wrong: true });
  }
  draw();
}
