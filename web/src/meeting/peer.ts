// The browser's one peer connection: fixed tracks, no renegotiation but to renew its ways.

import type { Link } from "./link.js";
import { Problem } from "./link.js";

/** Voices received side by side. */
export const VOICES = 4;

/** Layers of the camera: a quarter, a half, all of it; in bit/s what looks good at 720p. */
const LAYERS: RTCRtpEncodingParameters[] = [
  { rid: "q", scaleResolutionDownBy: 4, maxBitrate: 150_000 },
  { rid: "h", scaleResolutionDownBy: 2, maxBitrate: 500_000 },
  { rid: "f", scaleResolutionDownBy: 1, maxBitrate: 1_700_000 },
];

/** A screen is text: sharp rather than smooth. */
const SCREEN: RTCRtpEncodingParameters[] = [{ maxBitrate: 2_500_000, maxFramerate: 15 }];

/** How often it is looked whether packets come, in ms. More often: batteries. Less: a lost network is noticed late. */
const LOOK = 400;

/** Looks without a packet after which the node is asked whether it is there. */
const DOUBT = 3;

/** Looks without a packet after which the ways are renewed though the node answers: where packets came all the time, and where they did not. */
const DEAD = { lively: 5, quiet: 15 };

/** A connection that does not come about in so many ms is said to be blocked. Longer: one waits without a word. Shorter: slow networks are slandered. */
const SLOW = 8000;

/** From here on it is lively: each look with packets adds a tenth, each without takes two. */
const LIVELY = 0.8;

export interface PeerTold {
  /** A track of a slot is there to be shown or heard. */
  voice(slot: number, stream: MediaStream): void;
  picture(slot: number, stream: MediaStream): void;
  state(state: "connected" | "interrupted" | "blocked" | "refused" | "failed"): void;
}

export class Peer {
  private readonly connection: RTCPeerConnection;
  private readonly senders: { microphone: RTCRtpSender; camera: RTCRtpSender; screen: RTCRtpSender };
  private offering: Promise<void> = Promise.resolve();
  private offered = false;
  private answered = false;
  private early: string[] = [];
  private closed = false;
  /** It was connected once. */
  private reached = false;
  /** A TURN server did not take what we were told to show it. */
  private refused = false;
  private slow: ReturnType<typeof setTimeout> | undefined;
  private restarting = false;
  private packets = 0;
  private empty = 0;
  /** How steadily packets come, 0 to 1. */
  private lively = 0;
  private readonly look: ReturnType<typeof setInterval>;

  constructor(
    private readonly link: Link,
    servers: RTCIceServer[],
    slots: number,
    private readonly told: PeerTold,
  ) {
    this.connection = new RTCPeerConnection({ iceServers: servers, bundlePolicy: "max-bundle", rtcpMuxPolicy: "require" });
    const send = (kind: "audio" | "video", sendEncodings: RTCRtpEncodingParameters[] = []) => this.connection.addTransceiver(kind, { direction: "sendonly", sendEncodings }).sender;
    this.senders = { microphone: send("audio"), camera: send("video", LAYERS), screen: send("video", SCREEN) };
    for (let slot = 0; slot < VOICES; slot++) told.voice(slot, new MediaStream([this.connection.addTransceiver("audio", { direction: "recvonly" }).receiver.track]));
    for (let slot = 0; slot < slots; slot++) told.picture(slot, new MediaStream([this.connection.addTransceiver("video", { direction: "recvonly" }).receiver.track]));
    this.connection.createDataChannel("ringlift");
    this.connection.addEventListener("icecandidate", (event) => this.found(event.candidate));
    this.connection.addEventListener("icecandidateerror", ({ errorCode, url }) => (this.refused ||= errorCode === 401 && url.startsWith("turn")));
    this.connection.addEventListener("connectionstatechange", () => this.changed());
    this.connection.addEventListener("iceconnectionstatechange", () => this.changed());
    this.look = setInterval(() => void this.watch(), LOOK);
    addEventListener("online", this.doubt);
    const network = (navigator as { connection?: EventTarget }).connection;
    network?.addEventListener("change", this.doubt);
    this.offer(false);
  }

  /** Packets come, or there is no reason to think that they do not. */
  get connected(): boolean {
    return this.empty < DOUBT && this.flows;
  }

  private get flows(): boolean {
    return this.connection.connectionState === "connected" && this.connection.iceConnectionState !== "disconnected";
  }

  async send(source: "microphone" | "camera" | "screen", track: MediaStreamTrack | null): Promise<void> {
    if (track && source === "screen") track.contentHint = "detail";
    if (track && source === "camera") track.contentHint = "motion";
    await this.senders[source].replaceTrack(track).catch(() => undefined);
  }

  /** Renews its ways: after the network changed, or where packets cease to come. */
  restart(): void {
    if (this.closed || this.restarting || !this.answered) return;
    this.restarting = true;
    this.connection.restartIce();
    this.offer(true);
  }

  /** A way to the node. */
  candidate(line: string): void {
    if (!this.answered) {
      this.early.push(line);
      return;
    }
    void this.connection.addIceCandidate(line ? { candidate: line, sdpMLineIndex: 0, sdpMid: "0" } : undefined).catch(() => undefined);
  }

  stats(): Promise<RTCStatsReport> {
    return this.connection.getStats();
  }

  close(): void {
    this.closed = true;
    clearInterval(this.look);
    clearTimeout(this.slow);
    removeEventListener("online", this.doubt);
    (navigator as { connection?: EventTarget }).connection?.removeEventListener("change", this.doubt);
    this.connection.close();
  }

  private offer(restart: boolean): void {
    this.offering = this.offering
      .then(async () => {
        if (this.closed) return;
        await this.connection.setLocalDescription();
        const sdp = this.connection.localDescription?.sdp ?? "";
        this.offered = true;
        const asked = this.link.ask({ type: "offer", sdp, restart });
        const answer = await asked;
        if (this.closed || answer.type !== "answer") return;
        await this.connection.setRemoteDescription({ type: "answer", sdp: answer.sdp });
        this.answered = true;
        if (!restart) this.slow = setTimeout(() => !this.reached && this.told.state(this.refused ? "refused" : "blocked"), SLOW);
        this.early.splice(0).forEach((line) => this.candidate(line));
      })
      .catch(async (error: unknown) => {
        if (this.closed) return;
        // The offer that nobody answered is taken back, so that another can be made.
        if (this.connection.signalingState === "have-local-offer") await this.connection.setLocalDescription({ type: "rollback" }).catch(() => undefined);
        // Where the way to the node dropped, it is offered again once that is back.
        if (!(error instanceof Problem && error.code === "no_connection")) this.told.state("failed");
      })
      .finally(() => {
        this.restarting = false;
      });
  }

  private found(candidate: RTCIceCandidate | null): void {
    if (!this.offered || this.closed) return;
    void this.link.ask({ type: "candidate", candidate: candidate?.candidate ?? "" }).catch(() => undefined);
  }

  private changed(): void {
    if (this.closed) return;
    const { connectionState, iceConnectionState } = this.connection;
    if (connectionState === "failed" || connectionState === "closed") {
      if (iceConnectionState === "failed" && this.answered) this.restart();
      this.told.state("failed");
    } else if (iceConnectionState === "disconnected") {
      this.told.state("interrupted");
      this.doubt();
      this.restart();
    } else if (connectionState === "connected") {
      this.empty = 0;
      this.reached = true;
      this.told.state("connected");
    }
  }

  /** The network may be another one: is the node there, and does anything come? */
  private readonly doubt = (): void => {
    this.link.probe(800);
    this.empty = Math.max(this.empty, DOUBT - 1);
  };

  /** A network that is gone is seen by the packets that do not come before any state says so. */
  private async watch(): Promise<void> {
    if (this.closed || !this.flows) return;
    let packets = 0;
    for (const one of (await this.connection.getStats()).values() as Iterable<{ type: string; nominated?: boolean; packetsReceived?: number; responsesReceived?: number }>) {
      if (one.type === "candidate-pair") packets += (one.packetsReceived ?? 0) + (one.responsesReceived ?? 0);
    }
    const came = packets !== this.packets;
    this.packets = packets;
    if (came) {
      this.lively = Math.max(0, Math.min(1, this.lively + 0.1 - 0.2 * this.empty));
      this.empty = 0;
      return;
    }
    this.empty += 1;
    if (this.empty === DOUBT) this.link.probe(800);
    if (this.empty === (this.lively >= LIVELY ? DEAD.lively : DEAD.quiet)) {
      // Not again and again: a way that stays silent is asked in longer turns.
      this.lively = 0;
      this.restart();
    }
  }
}
