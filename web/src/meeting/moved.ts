// A call that was moved to this device from the personal page: it is taken at once, without a question.

import { takeDevices } from "./capture.js";
import { change, page } from "./page.js";
import { begin } from "./session.js";

/** What is behind the # of such a link: what this device carries, and whether its camera may be opened. */
export function wanted(hash: string): { voice: boolean; camera: boolean } | null {
  const given = new URLSearchParams(hash.slice(1));
  const channels = given.get("take")?.split(",");
  if (!channels) return null;
  return { voice: channels.includes("audio"), camera: channels.includes("video") && given.get("camera") === "1" };
}

/** Takes the call; loaded anew, the page comes back to its place like any other. */
export async function take({ voice, camera }: { voice: boolean; camera: boolean }): Promise<void> {
  const { local } = page;
  history.replaceState(null, "", location.pathname);
  [local.microphone.on, local.camera.on] = [voice, camera];
  change({ phase: "joining" });
  if (voice || camera) await takeDevices();
  begin();
}
