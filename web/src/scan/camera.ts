// A camera that looks for codes: by the browser's own detector where it has one, else by ours.

import { decode, greyOf } from "./decode.js";

/** How often it is looked, in ms. More often: a warm telephone. Less: one holds still for long. */
const LOOKS = 120;

/** The longer side of the picture that is looked at. More: slower. Less: a code far away is not seen. */
const SIDE = 640;

interface Detector {
  detect(source: HTMLVideoElement): Promise<{ rawValue: string }[]>;
}

interface DetectorKind {
  new (options: { formats: string[] }): Detector;
  getSupportedFormats(): Promise<string[]>;
}

/** The browser's own detector, where it knows these codes. */
async function detector(): Promise<Detector | null> {
  const kind = (globalThis as unknown as { BarcodeDetector?: DetectorKind }).BarcodeDetector;
  try {
    if (!kind || !(await kind.getSupportedFormats()).includes("qr_code")) return null;
    return new kind({ formats: ["qr_code"] });
  } catch {
    return null;
  }
}

/** Why there is no picture. */
export type NoPicture = "insecure" | "denied" | "missing" | "busy";

export class Camera {
  private stream: MediaStream | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private closed = false;
  private readonly canvas = document.createElement("canvas");
  /** By which means it looks: for whoever wants to know. */
  by: "browser" | "page" = "page";

  constructor(private readonly found: (text: string) => void) {}

  /** Opens the camera on the far side; why not, where that fails. */
  async open(): Promise<MediaStream | NoPicture> {
    if (!navigator.mediaDevices?.getUserMedia) return "insecure";
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: { ideal: "environment" }, width: { ideal: 1280 }, height: { ideal: 720 } } });
    } catch (error) {
      const name = error instanceof DOMException ? error.name : "";
      return name === "NotAllowedError" || name === "SecurityError" ? "denied" : name === "NotFoundError" || name === "OverconstrainedError" ? "missing" : "busy";
    }
    if (this.closed) this.stop();
    return this.stream;
  }

  /** Looks at what this element shows, until something is found or the camera closes. */
  async look(video: HTMLVideoElement): Promise<void> {
    const own = await detector();
    this.by = own ? "browser" : "page";
    const again = async () => {
      if (this.closed) return;
      const text = video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA ? await this.read(video, own) : null;
      if (this.closed) return;
      if (text) this.found(text);
      this.timer = setTimeout(() => void again(), LOOKS);
    };
    await again();
  }

  private async read(video: HTMLVideoElement, own: Detector | null): Promise<string | null> {
    if (own) {
      try {
        return (await own.detect(video))[0]?.rawValue ?? null;
      } catch {
        // A detector that gives up is replaced by ours.
      }
    }
    const scale = Math.min(1, SIDE / Math.max(video.videoWidth, video.videoHeight, 1));
    const [width, height] = [Math.round(video.videoWidth * scale), Math.round(video.videoHeight * scale)];
    if (width < 32 || height < 32) return null;
    [this.canvas.width, this.canvas.height] = [width, height];
    const surface = this.canvas.getContext("2d", { willReadFrequently: true });
    if (!surface) return null;
    surface.drawImage(video, 0, 0, width, height);
    return decode(greyOf(surface.getImageData(0, 0, width, height).data, width, height));
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.stop();
  }

  private stop(): void {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
  }
}

/** The end of a link as this node shows it in a picture; null for anything else. */
export function ticketOf(text: string): string | null {
  return /\/c\/([0-9a-z]{16,40})\/?$/i.exec(text.trim())?.[1] ?? null;
}
