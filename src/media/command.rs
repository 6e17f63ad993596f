//! What the control plane orders of the media plane, and what the media plane reports back. Plain data:
//! the engine carries commands in by a ring and events out by another.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::base::{LegId, ParticipantId, RoomId};
use crate::media::audience::Audience;
use crate::media::clip::Clip;
use crate::media::echo::LineEcho;
use crate::media::quality::Quality;
use crate::media::sounder::Echo;
pub use crate::media::treatment::Treatment;
use crate::media::web::SLOTS;
use crate::wire::codec::{Codec, opus};
use crate::wire::sdp::{Fingerprint, MasterKey, Suite};

/// Which way media may flow, seen from us (RFC 3264 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// We send, they do not.
    SendOnly,
    /// They send, we do not.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// Whether we may send.
    pub const fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// Whether the far end may send.
    pub const fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }
}

/// How a leg's audio is sent and received: the outcome of offer and answer (RFC 3264).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// The codec both ways.
    pub codec: Codec,
    /// The payload type we send (the far end's number for it).
    pub send_payload_type: u8,
    /// The payload type the far end sends (our number for it).
    pub receive_payload_type: u8,
    /// Length of the packets we send, in milliseconds: 10, 20, 30, 40 or 60. Opus is sent in 20 ms always.
    pub ptime: u8,
    /// The telephone-event payload types (send, receive), none where they were not negotiated (RFC 4733). Their
    /// clock is the codec's, unless `opus` has it otherwise.
    pub telephone_event: Option<(u8, u8)>,
    /// The comfort noise payload types (send, receive), none where it was not negotiated (RFC 3389).
    pub comfort_noise: Option<(u8, u8)>,
    /// What the far end's `a=fmtp` says, where the codec is Opus.
    pub opus: opus::Parameters,
    /// Which extended reports the far end asks for.
    pub reports: Extended,
    /// Whether the far end's speech and events are to be taken and ours sent.
    pub direction: Direction,
}

/// Which extended reports a far end asks for by `a=rtcp-xr` (RFC 3611 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Extended {
    /// What we measure of its voice (`voip-metrics`).
    pub metrics: bool,
    /// Our clock, so that it learns the round-trip time while it only receives (`rcvr-rtt`).
    pub round_trip: bool,
}

/// Where a leg's packets go and who may send to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Address and port from the SDP; none where it was `0.0.0.0` or port 0 with a hold.
    pub rtp: Option<SocketAddr>,
    /// From `a=rtcp`, else RTP port + 1, else the RTP port itself with rtcp-mux.
    pub rtcp: Option<SocketAddr>,
    /// RTCP shares the RTP port (RFC 5761).
    pub rtcp_mux: bool,
    /// Where the signalling came from: the one other address that may win the learning window.
    pub signalling: IpAddr,
}

/// How a leg's packets are protected (RFC 3711). Keys do not print.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Security {
    /// They are not.
    #[default]
    None,
    /// By keys that stood in SDP (RFC 4568).
    Sdes(Box<Sdes>),
    /// By keys that a handshake on the RTP port makes (RFC 5764).
    Dtls(Box<Dtls>),
}

/// The keys of both ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sdes {
    /// Ours: we encrypt with it.
    pub send: SrtpKey,
    /// Theirs.
    pub receive: SrtpKey,
}

/// One way's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SrtpKey {
    /// Cipher and authenticator.
    pub suite: Suite,
    /// Key and salt.
    pub master: MasterKey,
    /// Length of the master key identifier in each packet, in bytes; 0 for none.
    pub mki: u8,
}

/// A handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dtls {
    /// Whether we begin it.
    pub role: DtlsRole,
    /// What the far end's certificate must hash to: one of these.
    pub fingerprints: Vec<Fingerprint>,
    /// Counts the handshakes that offer and answer asked for; another number begins anew.
    pub association: u32,
}

/// Who begins a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum DtlsRole {
    /// We do (`a=setup:active`).
    Client,
    /// They do (`a=setup:passive`).
    Server,
}

impl Security {
    /// Whether packets are encrypted.
    pub const fn is_on(&self) -> bool {
        !matches!(self, Security::None)
    }
}

/// Everything a leg needs to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegSetup {
    /// Codec, packet length, events, direction.
    pub format: Format,
    /// Far end.
    pub remote: Remote,
    /// How its packets are protected.
    pub security: Security,
    /// Our synchronisation source.
    pub ssrc: u32,
    /// First sequence number (RFC 3550 §5.1 wants it unpredictable).
    pub sequence: u16,
    /// First timestamp.
    pub timestamp: u32,
    /// Our canonical name in RTCP; says nothing about a person.
    pub cname: String,
    /// Silence of theirs after which [`MediaEvent::TimedOut`] is reported; suspended while they are not to send.
    pub media_timeout: Duration,
}

/// Names one run of [`MediaCommand::Play`]; the reporter of its end repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlayId(pub u64);

/// An order to the media plane. It takes effect at the next tick. An order about a leg or room that is not there
/// (any more) is ignored.
#[derive(Clone, PartialEq)]
pub enum MediaCommand {
    /// Begins a leg on the sockets that were bound for it: packets flow from now on, silence included.
    Open {
        /// The leg.
        leg: LegId,
        /// Its media.
        setup: Box<LegSetup>,
    },
    /// Begins a browser's leg. It has no sockets: its voice comes by [`super::plane::Plane::receive_voice`], and what the
    /// room says goes to all its browsers by [`super::outlet::Outlet::slot`]. It is joined, muted, taken out and closed as
    /// a telephone's is; there is no way to play to it, so that what is played once is over at once.
    OpenWeb {
        /// The leg.
        leg: LegId,
    },
    /// Applies a re-negotiation: hold, resume, another codec, another address (which is learned anew).
    Modify {
        /// The leg.
        leg: LegId,
        /// Codec, packet length, events, direction.
        format: Format,
        /// Far end.
        remote: Remote,
        /// How its packets are protected; what did not change goes on as it was.
        security: Security,
    },
    /// Plays clips, one after the other, to this leg alone: mixed over the room when it is in one (the room is
    /// ducked), alone otherwise. Replaces what was playing. Ends with [`MediaEvent::Played`].
    Play {
        /// The leg.
        leg: LegId,
        /// Which run this is.
        play: PlayId,
        /// What, in order.
        clips: Arc<[Clip]>,
        /// Whether to begin again at the end, for music on hold.
        repeat: bool,
    },
    /// Ends what is playing to this leg, without a report.
    StopPlaying {
        /// The leg.
        leg: LegId,
    },
    /// Puts the leg into the room's bridge; the bridge begins with its first leg. Legs of one participant do not
    /// hear each other.
    Join {
        /// The leg.
        leg: LegId,
        /// The room.
        room: RoomId,
        /// Whose leg it is.
        participant: ParticipantId,
        /// Joins unheard.
        muted: bool,
        /// The keys it presses go through to the other, while there are exactly two people in the room.
        keys: bool,
        /// Whom its voice is meant for from the first sound on; none: everybody.
        audience: Option<Audience>,
    },
    /// Takes the leg out of its room; it stays open, hearing silence or what is played to it. The bridge ends with
    /// its last leg.
    Leave {
        /// The leg.
        leg: LegId,
    },
    /// Whether the room may hear this leg.
    Mute {
        /// The leg.
        leg: LegId,
        /// True: unheard.
        muted: bool,
    },
    /// Plays clips to everyone in the room, mixed with what they hear: entry and exit tones.
    PlayToRoom {
        /// The room.
        room: RoomId,
        /// What, in order.
        clips: Arc<[Clip]>,
    },
    /// Sends a digit as telephone-events (RFC 4733 §2.5); the phone client keys with it.
    SendDigit {
        /// The leg.
        leg: LegId,
        /// `0`–`9`, `*`, `#`, `A`–`D`.
        digit: char,
        /// How long, in milliseconds.
        duration: u16,
    },
    /// Sends a known tone to a leg outside any room, whose far end sends back what it hears. Ends with
    /// [`MediaEvent::Sounded`].
    Sound {
        /// The leg.
        leg: LegId,
    },
    /// What is done to the leg's voice from now on; nothing at its beginning.
    Treat {
        /// The leg.
        leg: LegId,
        /// What.
        treatment: Treatment,
    },
    /// Whom the leg's voice is meant for in its room; for everybody, at its beginning. Ends when it leaves.
    Direct {
        /// The leg.
        leg: LegId,
        /// For these; none: for everybody.
        audience: Option<Audience>,
    },
    /// Ends the leg: RTCP BYE, sockets closed, [`MediaEvent::Closed`] reported.
    Close {
        /// The leg.
        leg: LegId,
    },
}

/// A fact from the media plane.
#[derive(Clone, PartialEq)]
pub enum MediaEvent {
    /// A key was pressed and its telephone-event ended (or was given up on); once per press.
    Digit {
        /// The leg.
        leg: LegId,
        /// Which key.
        digit: char,
    },
    /// A key went down: prompts stop at once, before the digit is complete.
    DigitBegan {
        /// The leg.
        leg: LegId,
    },
    /// The clips of this run ended by themselves.
    Played {
        /// The leg.
        leg: LegId,
        /// Which run.
        play: PlayId,
    },
    /// What came back of the tone that [`MediaCommand::Sound`] sent.
    Sounded {
        /// The leg.
        leg: LegId,
        /// What.
        echo: Echo,
        /// The leg's figures so far.
        figures: Figures,
    },
    /// The leg's voice began or stopped being among those the room hears.
    Talking {
        /// The leg.
        leg: LegId,
        /// Began or stopped.
        talking: bool,
    },
    /// What the leg hears comes back from it, or no longer does.
    Echo {
        /// The leg.
        leg: LegId,
        /// How late and how loud; none: no longer.
        echo: Option<LineEcho>,
    },
    /// What the leg sends is music or a tone, and not a voice, as after its person put us on hold; or no longer is.
    Music {
        /// The leg.
        leg: LegId,
        /// It is.
        heard: bool,
    },
    /// Other voices than before are where a room's browsers hear them: whose, slot by slot. A slot that nobody has taken
    /// over is still its last speaker's, who may be silent.
    Slots {
        /// The room.
        room: RoomId,
        /// Slot by slot.
        slots: [Option<ParticipantId>; SLOTS],
    },
    /// The first packet was accepted and the far end's address is known.
    Latched {
        /// The leg.
        leg: LegId,
        /// Where packets go from now on.
        remote: SocketAddr,
    },
    /// The handshake is done: packets are encrypted from now on.
    Secured {
        /// The leg.
        leg: LegId,
    },
    /// The handshake failed, or the far end is not who its description says: nothing can be heard.
    SecurityFailed {
        /// The leg.
        leg: LegId,
    },
    /// Nothing arrived for the leg's media timeout.
    TimedOut {
        /// The leg.
        leg: LegId,
    },
    /// Periodic figures, every five seconds.
    Measured {
        /// The leg.
        leg: LegId,
        /// So far.
        figures: Figures,
    },
    /// The leg is gone and its ports are free.
    Closed {
        /// The leg.
        leg: LegId,
        /// In all.
        figures: Figures,
    },
    /// A room's bridge failed (our bug); its legs are gone. Of a wing of a larger room only the legs' ends are told; of one that was left alone
    /// this, too, with the wing's id, which is no room's.
    BridgeFailed {
        /// The room.
        room: RoomId,
    },
}

impl fmt::Debug for MediaCommand {
    /// Which order and about whom; never which key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MediaCommand::Open { leg, .. } => write!(f, "Open({leg})"),
            MediaCommand::OpenWeb { leg } => write!(f, "OpenWeb({leg})"),
            MediaCommand::Modify { leg, format, .. } => write!(f, "Modify({leg}, {format:?})"),
            MediaCommand::Play { leg, play, clips, repeat } => write!(f, "Play({leg}, {play:?}, {clips:?}, {repeat})"),
            MediaCommand::StopPlaying { leg } => write!(f, "StopPlaying({leg})"),
            MediaCommand::Join { leg, room, participant, muted, .. } => {
                write!(f, "Join({leg}, {room}, {participant}, muted: {muted})")
            }
            MediaCommand::Leave { leg } => write!(f, "Leave({leg})"),
            MediaCommand::Mute { leg, muted } => write!(f, "Mute({leg}, {muted})"),
            MediaCommand::PlayToRoom { room, clips } => write!(f, "PlayToRoom({room}, {clips:?})"),
            MediaCommand::SendDigit { leg, .. } => write!(f, "SendDigit({leg})"),
            MediaCommand::Sound { leg } => write!(f, "Sound({leg})"),
            MediaCommand::Treat { leg, treatment } => write!(f, "Treat({leg}, {treatment:?})"),
            MediaCommand::Direct { leg, audience } => write!(f, "Direct({leg}, {audience:?})"),
            MediaCommand::Close { leg } => write!(f, "Close({leg})"),
        }
    }
}

impl fmt::Debug for MediaEvent {
    /// Which fact and about whom; never which key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MediaEvent::Digit { leg, .. } => write!(f, "Digit({leg})"),
            MediaEvent::DigitBegan { leg } => write!(f, "DigitBegan({leg})"),
            MediaEvent::Played { leg, play } => write!(f, "Played({leg}, {play:?})"),
            MediaEvent::Sounded { leg, echo, figures: _ } => write!(f, "Sounded({leg}, {echo:?})"),
            MediaEvent::Talking { leg, talking } => write!(f, "Talking({leg}, {talking})"),
            MediaEvent::Echo { leg, echo } => write!(f, "Echo({leg}, {echo:?})"),
            MediaEvent::Music { leg, heard } => write!(f, "Music({leg}, {heard})"),
            MediaEvent::Slots { room, slots } => write!(f, "Slots({room}, {slots:?})"),
            MediaEvent::Latched { leg, remote } => write!(f, "Latched({leg}, {remote})"),
            MediaEvent::Secured { leg } => write!(f, "Secured({leg})"),
            MediaEvent::SecurityFailed { leg } => write!(f, "SecurityFailed({leg})"),
            MediaEvent::TimedOut { leg } => write!(f, "TimedOut({leg})"),
            MediaEvent::Measured { leg, figures } => write!(f, "Measured({leg}, {figures:?})"),
            MediaEvent::Closed { leg, figures } => write!(f, "Closed({leg}, {figures:?})"),
            MediaEvent::BridgeFailed { room } => write!(f, "BridgeFailed({room})"),
        }
    }
}

/// What a leg's media amounted to.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Figures {
    /// RTP packets accepted.
    pub received: u64,
    /// RTP packets sent.
    pub sent: u64,
    /// Packets that never came (RFC 3550 §A.3).
    pub lost: u64,
    /// Packets that came too late to be played.
    pub late: u64,
    /// Copies of packets that had come already.
    pub duplicates: u64,
    /// Packets from an address that may not send to this leg.
    pub strangers: u64,
    /// Packets that an encrypted leg did not believe: not encrypted, with a wrong tag, or replayed.
    #[serde(default)]
    pub unauthentic: u64,
    /// Packets that are not RTP, or of a payload type not negotiated.
    pub malformed: u64,
    /// Packets that the system dropped because we did not read them in time.
    #[serde(default)]
    pub dropped: u64,
    /// Packets of ours that the system did not take.
    #[serde(default)]
    pub unsent: u64,
    /// Ticks of ours that came too late, by 10 ms or more.
    #[serde(default)]
    pub overruns: u64,
    /// Frames filled in for want of a packet.
    pub concealed: u64,
    /// Steps in what was played of it, such as no voice has.
    #[serde(default)]
    pub clicks: u64,
    /// Interarrival jitter in milliseconds (RFC 3550 §6.4.1).
    pub jitter_ms: f32,
    /// Playout delay of the jitter buffer in milliseconds.
    pub delay_ms: f32,
    /// Round-trip time by RTCP in milliseconds, none before the far end reported.
    pub round_trip_ms: Option<f32>,
    /// Share of our packets that the far end reports lost, 0 to 1.
    pub remote_loss: Option<f32>,
    /// What it hears comes back from it, where that was found.
    #[serde(default)]
    pub echo: Option<LineEcho>,
    /// What it sends is music or a tone, and not a voice.
    #[serde(default)]
    pub music: bool,
    /// How it sounds each way, and who is to blame where it does not.
    #[serde(default)]
    pub quality: Quality,
}
