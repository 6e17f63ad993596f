//! Audio codecs: what a payload format is called, and samples to bytes and back.

pub mod g711;

use serde::{Deserialize, Serialize};

/// A codec that phone legs speak (RFC 3551 §4.5.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Codec {
    /// G.711 µ-law, static payload type 0.
    #[serde(rename = "PCMU")]
    Pcmu,
    /// G.711 A-law, static payload type 8.
    #[serde(rename = "PCMA")]
    Pcma,
}

impl Codec {
    /// The encoding name in `a=rtpmap`.
    pub const fn name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
        }
    }

    /// The RTP clock rate in hertz.
    pub const fn clock_rate(self) -> u32 {
        8000
    }

    /// The static payload type, where the format has one.
    pub const fn static_payload_type(self) -> Option<u8> {
        match self {
            Codec::Pcmu => Some(0),
            Codec::Pcma => Some(8),
        }
    }

    /// The byte that means silence.
    pub const fn silence(self) -> u8 {
        match self {
            Codec::Pcmu => 0xff,
            Codec::Pcma => 0xd5,
        }
    }

    /// Samples by byte.
    pub const fn decoding(self) -> &'static [i16; 256] {
        match self {
            Codec::Pcmu => &g711::ULAW_TO_LINEAR,
            Codec::Pcma => &g711::ALAW_TO_LINEAR,
        }
    }

    /// Magnitudes by byte, for measuring without decoding.
    pub const fn magnitudes(self) -> &'static [u16; 256] {
        match self {
            Codec::Pcmu => &g711::ULAW_MAGNITUDE,
            Codec::Pcma => &g711::ALAW_MAGNITUDE,
        }
    }

    /// Turns bytes into samples, as many as both have room for.
    pub fn decode(self, bytes: &[u8], samples: &mut [i16]) {
        let table = self.decoding();
        for (sample, byte) in samples.iter_mut().zip(bytes) {
            *sample = table[usize::from(*byte)];
        }
    }

    /// Turns samples into bytes, as many as both have room for.
    pub fn encode(self, samples: &[i16], bytes: &mut [u8]) {
        match self {
            Codec::Pcmu => samples.iter().zip(bytes).for_each(|(sample, byte)| *byte = g711::ulaw(*sample)),
            Codec::Pcma => samples.iter().zip(bytes).for_each(|(sample, byte)| *byte = g711::alaw(*sample)),
        }
    }
}
