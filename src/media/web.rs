//! Browsers' legs as plain data: what the gateway orders of the web plane (the thread that owns peer connections), what that
//! reports, and what passes between it and the media plane, which owns rooms' audio.
//!
//! ```text
//! browser ─ SRTP ─▶ web plane ─ Voice ─────▶ media plane: chosen, mixed for telephones
//!         ◀─ SRTP ─           ◀─ SlotFrame ─ media plane: the chosen, one Opus stream each, for every browser of the room
//!         ◀─ video ─ web plane ◀─ video of the others, forwarded there
//! ```

use std::fmt;

use crate::base::{LegId, ParticipantId, RoomId};
use crate::media::audience::Audience;

/// Voices that browsers are sent side by side: as many as are mixed for telephones.
pub const SLOTS: usize = super::bridge::SPEAKERS;

/// Longest Opus packet that is taken on, in bytes (RFC 6716 §3.4 allows 1275 for a frame).
pub const LONGEST_VOICE: usize = 1275;

/// What a browser sends, or is sent, as one track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Source {
    /// Its microphone.
    Microphone,
    /// Its camera.
    Camera,
    /// Its screen, or a window of it.
    Screen,
}

/// Whom a browser wants to see in one of its video slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Wish {
    /// Which slot, from 0.
    pub slot: u8,
    /// Whom.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub participant: ParticipantId,
    /// Camera or screen.
    pub source: Source,
    /// How high it is shown there, in pixels: no more is sent than that needs.
    pub height: u16,
}

/// What a browser is shown in one of its video slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Shown {
    /// Which slot.
    pub slot: u8,
    /// Whom.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub participant: ParticipantId,
    /// Camera or screen.
    pub source: Source,
    /// Which layer of a simulcast, 0 the smallest; none while nothing flows.
    pub layer: Option<u8>,
}

/// An order to the web plane. One about a leg that is not there (any more) is ignored.
#[derive(Clone, PartialEq)]
pub enum WebCommand {
    /// A browser's offer: begins its peer connection, or, where the leg has one, renews its ways (ICE restart, RFC 8445 §2.4).
    /// Answered by [`WebEvent::Answered`] or [`WebEvent::Refused`].
    Offer {
        /// The leg.
        leg: LegId,
        /// SDP.
        sdp: String,
    },
    /// One more way to the browser (trickle ICE, RFC 8838): a line `candidate:…`.
    Candidate {
        /// The leg.
        leg: LegId,
        /// The line.
        candidate: String,
    },
    /// Where its person is: in a room, or nowhere yet. Video flows among the legs of one room.
    Place {
        /// The leg.
        leg: LegId,
        /// The room and whose leg it is there; none in the lobby.
        place: Option<(RoomId, ParticipantId)>,
    },
    /// Whether it hears the room: not while a telephone carries its person's audio.
    Listen {
        /// The leg.
        leg: LegId,
        /// It does.
        listens: bool,
    },
    /// Whether the room may have what it sends. What it sends of a kind that is not permitted is dropped.
    Publish {
        /// The leg.
        leg: LegId,
        /// Of which kind.
        source: Source,
        /// It may.
        on: bool,
    },
    /// Whom it wants to see, in every slot; what is not named is empty.
    Watch {
        /// The leg.
        leg: LegId,
        /// Slot by slot.
        wishes: Vec<Wish>,
    },
    /// Ends it.
    Close {
        /// The leg.
        leg: LegId,
    },
}

/// A fact from the web plane.
#[derive(Debug, Clone, PartialEq)]
pub enum WebEvent {
    /// The answer to an offer.
    Answered {
        /// The leg.
        leg: LegId,
        /// SDP.
        sdp: String,
    },
    /// An offer was not understood, or asks for what we do not have.
    Refused {
        /// The leg.
        leg: LegId,
        /// Why, for whoever wrote the page.
        why: String,
    },
    /// Packets flow, encrypted, both ways.
    Connected {
        /// The leg.
        leg: LegId,
    },
    /// Nothing is heard of it for some seconds; it may come back, or begin anew by another offer.
    Interrupted {
        /// The leg.
        leg: LegId,
    },
    /// It is given up: closed, failed, or silent for long.
    Lost {
        /// The leg.
        leg: LegId,
    },
    /// What it sends of a kind began to come, or ceased to.
    Flowing {
        /// The leg.
        leg: LegId,
        /// Of which kind.
        source: Source,
        /// It comes.
        on: bool,
    },
    /// What it is shown changed.
    Showing {
        /// The leg.
        leg: LegId,
        /// Slot by slot; empty slots are left out.
        slots: Vec<Shown>,
    },
    /// How well it is connected, every few seconds.
    Measured {
        /// The leg.
        leg: LegId,
        /// In figures.
        figures: WebFigures,
    },
}

/// How well a browser is connected.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct WebFigures {
    /// Round-trip time in milliseconds.
    pub round_trip_ms: Option<f32>,
    /// Share of its packets that did not reach us, 0 to 1.
    pub lost_up: f32,
    /// Share of ours that did not reach it, 0 to 1.
    pub lost_down: f32,
    /// What it sends, in bits per second.
    pub sent_to_us: u64,
    /// What we send it, in bits per second.
    pub sent_by_us: u64,
    /// What its network is estimated to carry towards it, in bits per second.
    pub estimate: Option<u64>,
}

/// A browser's voice on its way into a room: one Opus packet as it came.
#[derive(Debug, Clone)]
pub struct Voice {
    /// Whose.
    pub leg: LegId,
    /// Its place in the stream.
    pub sequence: u16,
    /// When, at 48 kHz.
    pub timestamp: u32,
    /// How loud, in dB below full scale: 0 the loudest, 127 silence (RFC 6464).
    pub level: u8,
    /// Opus.
    pub payload: Packet,
}

/// One of a room's voices on its way to the browsers.
#[derive(Debug, Clone)]
pub struct SlotFrame {
    /// The room.
    pub room: RoomId,
    /// Which slot.
    pub slot: u8,
    /// Whose voice: no browser of this person is sent it.
    pub participant: ParticipantId,
    /// Whom it is meant for; none: for everybody.
    pub audience: Option<Audience>,
    /// When within the slot, at 48 kHz: grows without a leap backwards, whoever speaks.
    pub timestamp: u32,
    /// The first after a silence.
    pub first: bool,
    /// Opus.
    pub payload: Packet,
}

/// An Opus packet, held in place so that rings need no allocation.
#[derive(Clone)]
pub struct Packet {
    length: u16,
    bytes: [u8; LONGEST_VOICE],
}

impl Packet {
    /// A copy of these bytes; none where there are too many.
    pub fn copy(of: &[u8]) -> Option<Self> {
        let length = u16::try_from(of.len()).ok()?;
        let mut bytes = [0; LONGEST_VOICE];
        bytes.get_mut(..of.len())?.copy_from_slice(of);
        Some(Self { length, bytes })
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl fmt::Debug for Packet {
    /// How long it is; what is said is nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Packet({} bytes)", self.length)
    }
}

impl fmt::Debug for WebCommand {
    /// Which order and about whom; never credentials, which SDP holds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WebCommand::Offer { leg, .. } => write!(f, "Offer({leg})"),
            WebCommand::Candidate { leg, .. } => write!(f, "Candidate({leg})"),
            WebCommand::Place { leg, place } => write!(f, "Place({leg}, {place:?})"),
            WebCommand::Listen { leg, listens } => write!(f, "Listen({leg}, {listens})"),
            WebCommand::Publish { leg, source, on } => write!(f, "Publish({leg}, {source:?}, {on})"),
            WebCommand::Watch { leg, wishes } => write!(f, "Watch({leg}, {wishes:?})"),
            WebCommand::Close { leg } => write!(f, "Close({leg})"),
        }
    }
}

impl WebCommand {
    /// The leg it is about.
    pub fn leg(&self) -> LegId {
        match self {
            WebCommand::Offer { leg, .. }
            | WebCommand::Candidate { leg, .. }
            | WebCommand::Place { leg, .. }
            | WebCommand::Listen { leg, .. }
            | WebCommand::Publish { leg, .. }
            | WebCommand::Watch { leg, .. }
            | WebCommand::Close { leg } => *leg,
        }
    }
}
