// Microphone, camera and screen: taken, changed, lost; each trouble by a name that the words know.

export type Trouble = "denied" | "denied_by_system" | "none" | "in_use" | "insecure" | "unsupported" | "failed";
export type Kind = "microphone" | "camera";

export interface Device {
  id: string;
  label: string;
}

export interface Devices {
  microphones: Device[];
  cameras: Device[];
  speakers: Device[];
}

/** Why there is no device; null where there may be one. */
export function impossible(): Trouble | null {
  if (!isSecureContext) return "insecure";
  if (!navigator.mediaDevices?.getUserMedia || typeof RTCPeerConnection === "undefined") return "unsupported";
  return null;
}

export function trouble(error: unknown): Trouble {
  if (!(error instanceof DOMException || error instanceof Error)) return "failed";
  switch (error.name) {
    case "NotAllowedError":
      return /system/i.test(error.message) ? "denied_by_system" : "denied";
    case "SecurityError":
      return "denied";
    case "NotFoundError":
    case "DevicesNotFoundError":
      return "none";
    case "NotReadableError":
    case "AbortError":
      return "in_use";
    default:
      return "failed";
  }
}

function wanted(kind: Kind, device: string | null): MediaStreamConstraints {
  const chosen = device ? { deviceId: { exact: device } } : {};
  if (kind === "microphone") return { audio: { ...chosen, echoCancellation: true, noiseSuppression: true, autoGainControl: true } };
  return { video: { ...chosen, width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 }, ...(device ? {} : { facingMode: "user" }) } };
}

/** Takes a device; the one that was chosen, or where that is gone, any. */
export async function take(kind: Kind, device: string | null): Promise<{ track: MediaStreamTrack } | { trouble: Trouble }> {
  const no = impossible();
  if (no) return { trouble: no };
  for (const id of device ? [device, null] : [null]) {
    try {
      const stream = await navigator.mediaDevices.getUserMedia(wanted(kind, id));
      const track = stream.getTracks()[0];
      return track ? { track } : { trouble: "none" };
    } catch (error) {
      const gone = error instanceof DOMException && (error.name === "OverconstrainedError" || error.name === "NotFoundError");
      if (id !== null && gone) continue;
      return { trouble: error instanceof DOMException && error.name === "OverconstrainedError" ? "none" : trouble(error) };
    }
  }
  return { trouble: "none" };
}

/** Takes both at once, so that people are asked once; each alone where that fails. */
export async function takeBoth(microphone: string | null, camera: string | null) {
  const no = impossible();
  if (no) return { microphone: { trouble: no }, camera: { trouble: no } };
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ ...wanted("microphone", microphone), ...wanted("camera", camera) });
    const [audio, video] = [stream.getAudioTracks()[0], stream.getVideoTracks()[0]];
    if (audio && video) return { microphone: { track: audio }, camera: { track: video } };
  } catch {
    // Each alone says which of them it is.
  }
  return { microphone: await take("microphone", microphone), camera: await take("camera", camera) };
}

export async function list(): Promise<Devices> {
  const all = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
  const of = (kind: MediaDeviceKind) => all.filter((one) => one.kind === kind && one.deviceId !== "").map((one) => ({ id: one.deviceId, label: one.label }));
  return { microphones: of("audioinput"), cameras: of("videoinput"), speakers: "setSinkId" in HTMLMediaElement.prototype ? of("audiooutput") : [] };
}

export function canShare(): boolean {
  return isSecureContext && typeof navigator.mediaDevices?.getDisplayMedia === "function";
}

/** Asks which screen; none where the person changed their mind. */
export async function screen(): Promise<{ track: MediaStreamTrack } | { trouble: Trouble } | null> {
  try {
    const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { max: 15 } }, audio: false });
    const track = stream.getVideoTracks()[0];
    return track ? { track } : { trouble: "none" };
  } catch (error) {
    const why = trouble(error);
    return why === "denied" ? null : { trouble: why };
  }
}

/** How loud a microphone is, 0 to 1, as often as the screen is drawn. */
export class Meter {
  private readonly context = new AudioContext();
  private readonly analyser = this.context.createAnalyser();
  private readonly samples = new Float32Array(512);
  private source: MediaStreamAudioSourceNode | null = null;
  private frame = 0;

  constructor(private readonly show: (level: number) => void) {
    this.analyser.fftSize = 512;
    this.draw();
  }

  of(track: MediaStreamTrack | null): void {
    this.source?.disconnect();
    this.source = track ? this.context.createMediaStreamSource(new MediaStream([track])) : null;
    this.source?.connect(this.analyser);
    // Browsers let audio begin only once somebody touched the page.
    void this.context.resume().catch(() => undefined);
  }

  close(): void {
    cancelAnimationFrame(this.frame);
    this.source?.disconnect();
    void this.context.close().catch(() => undefined);
  }

  private draw(): void {
    this.frame = requestAnimationFrame(() => this.draw());
    this.analyser.getFloatTimeDomainData(this.samples);
    // From a quiet room (−60 dB) to close to the microphone (−10 dB).
    this.show(this.source ? Math.max(0, Math.min(1, (decibels(this.samples) + 60) / 50)) : 0);
  }
}

/** How often it is listened whether somebody talks, in ms. More often: batteries. Less: short words are missed. */
const LISTENS = 100;

/** From here on it is a voice and no room, in dB of full scale. Lower: fans. Higher: quiet people. */
const VOICE = -42;

/** Loud looks of the last ten that make it talking. Fewer: a cough. More: it is noticed late. */
const TALKS = 5;

/** Hears whether somebody talks into a microphone that is muted: by a copy of it, which goes nowhere. */
export class Listener {
  private context: AudioContext | null = null;
  private of_: MediaStreamTrack | null = null;
  private copy: MediaStreamTrack | null = null;
  private source: MediaStreamAudioSourceNode | null = null;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly talks: () => void) {}

  of(track: MediaStreamTrack | null): void {
    if (track === this.of_) return;
    this.of_ = track;
    clearInterval(this.timer);
    this.copy?.stop();
    this.copy = null;
    // What is connected is run for as long as the context lives, though nothing comes by it.
    this.source?.disconnect();
    this.source = null;
    if (!track) return void this.context?.suspend().catch(() => undefined);
    this.copy = track.clone();
    this.copy.enabled = true;
    this.context ??= new AudioContext();
    void this.context.resume().catch(() => undefined);
    const analyser = this.context.createAnalyser();
    analyser.fftSize = 2048;
    this.source = this.context.createMediaStreamSource(new MediaStream([this.copy]));
    this.source.connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const loud: boolean[] = [];
    this.timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      loud.push(decibels(samples) > VOICE);
      if (loud.length > 10) loud.shift();
      if (loud.filter(Boolean).length < TALKS) return;
      loud.length = 0;
      this.talks();
    }, LISTENS);
  }
}

function decibels(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return 10 * Math.log10(sum / samples.length + 1e-9);
}
