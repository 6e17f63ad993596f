// A call that was moved to this device from the personal page: it is taken at once, without a question.

import { takeDevices } from "./capture.js";
import { you } from "./model.js";
import { change, draw, page } from "./page.js";
import { begin } from "./session.js";
import { useAudio } from "./sound.js";

/** How often it is looked whether the voice has come, every tenth of a second: as long as the node waits for it. */
const MOVES = 200;

/** What is behind the # of such a link: what this device carries, and whether its camera may be opened. */
export function wanted(hash: string): { voice: boolean; camera: boolean } | null {
  const given = new URLSearchParams(hash.slice(1));
  const channels = given.get("take")?.split(",");
  if (!channels) return null;
  return { voice: channels.includes("audio"), camera: channels.includes("video") && given.get("camera") === "1" };
}

/** Takes the call; loaded anew, the page comes back to its place like any other. */
export async function take({ voice, camera }: { voice: boolean; camera: boolean }): Promise<void> {
  history.replaceState(null, "", location.pathname);
  await comeOver(voice, camera);
}

/** Somebody's call comes to this device, without a question, for it was asked before. */
export async function comeOver(voice: boolean, camera: boolean): Promise<void> {
  const { local } = page;
  [local.microphone.on, local.camera.on] = [voice, camera];
  change({ phase: "joining" });
  // A tab that is loaded anew has the call already.
  if (page.resume === null) page.coming = voice ? "all" : "pictures";
  // Until the voice is here, both ways stay open: where a telephone has it, it goes on until this microphone is heard.
  local.moving = voice && page.resume === null;
  if (voice || camera) await takeDevices();
  begin();
  for (let looks = 0; local.moving && looks < MOVES && you(page.state)?.audio !== "web"; looks++) await new Promise((later) => setTimeout(later, 100));
  if (!local.moving) return;
  local.moving = false;
  void useAudio();
  draw();
}
