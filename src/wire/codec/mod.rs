//! Audio codecs: what a payload format is called, and samples to bytes and back.

pub mod g711;
pub mod g722;
pub mod opus;

use serde::{Deserialize, Serialize};

use g711::Law;

/// A codec that phone legs speak (RFC 3551 §4.5, RFC 7587).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Codec {
    /// G.711 µ-law, static payload type 0.
    #[serde(rename = "PCMU")]
    Pcmu,
    /// G.711 A-law, static payload type 8.
    #[serde(rename = "PCMA")]
    Pcma,
    /// G.722 at 64 kbit/s, static payload type 9: 16 kHz of audio under a clock of 8 kHz (RFC 3551 §4.5.2).
    G722,
    /// Opus, a dynamic payload type (RFC 7587).
    #[serde(rename = "OPUS", alias = "opus", alias = "Opus")]
    Opus,
}

impl Codec {
    /// Every codec.
    pub const ALL: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];

    /// The encoding name in `a=rtpmap`.
    pub const fn name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G722",
            Codec::Opus => "opus",
        }
    }

    /// The RTP clock rate in hertz, as `a=rtpmap` has it; G.722's is half of what it samples at.
    pub const fn clock_rate(self) -> u32 {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => 8000,
            Codec::Opus => 48_000,
        }
    }

    /// The channels that `a=rtpmap` names; Opus says two always (RFC 7587 §7), even where one is sent.
    pub const fn channels(self) -> u8 {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => 1,
            Codec::Opus => 2,
        }
    }

    /// Samples of audio in a second.
    pub const fn sample_rate(self) -> u32 {
        match self {
            Codec::Pcmu | Codec::Pcma => 8000,
            Codec::G722 => 16_000,
            Codec::Opus => 48_000,
        }
    }

    /// The static payload type, where the format has one.
    pub const fn static_payload_type(self) -> Option<u8> {
        match self {
            Codec::Pcmu => Some(0),
            Codec::Pcma => Some(8),
            Codec::G722 => Some(9),
            Codec::Opus => None,
        }
    }

    /// The law of a G.711 codec, whose bytes are samples each by itself; none for one that has a state.
    pub const fn law(self) -> Option<Law> {
        match self {
            Codec::Pcmu => Some(Law::Mu),
            Codec::Pcma => Some(Law::A),
            Codec::G722 | Codec::Opus => None,
        }
    }
}
