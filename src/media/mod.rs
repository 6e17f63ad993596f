//! Rank 2: the media plane without its sockets: frames move at 50 Hz.
//!
//! ```text
//!  datagram ──► Plane::receive_rtp ──► Leg: latch ─► telephone-event ─► presses
//!                                            └────► audio ─► jitter buffer
//!  every 20 ms, per bridge: level of every leg by its bytes ─► loudest four ─► decode ─► sum ─► minus own ─► encode ─► Outlet
//!  a browser's Opus ──► Plane::receive_voice ──► chosen by the level it tells ──┬─► decoded for telephones ──► the sum
//!                                                                               └─► Outlet::slot, for browsers, as it is
//! ```
//!
//! A [`plane::Plane`] holds the legs and bridges of one thread. The engine gives it datagrams with the instant at
//! which they came, and asks it for the units that are due. Between ticks commands may allocate; in a
//! tick nothing allocates once the buffers have their size.

pub mod audience;
pub mod bridge;
pub mod cancel;
pub mod clip;
pub mod coded;
pub mod command;
pub mod conceal;
pub mod denoise;
pub mod dial;
pub mod dtls;
pub mod echo;
pub mod egress;
pub mod encoder;
pub mod inband;
pub mod jitter;
pub mod latch;
pub mod leg;
pub mod legs;
pub mod level;
pub mod loudness;
pub mod mix;
pub mod music;
pub mod noise;
pub mod outlet;
pub mod packets;
pub mod plane;
pub mod player;
pub mod playout;
pub mod ports;
pub mod press;
pub mod quality;
pub mod reception;
pub mod relay;
pub mod report;
pub mod resample;
pub mod sounder;
pub mod srtp;
pub mod stretch;
pub mod timeline;
pub mod tone;
pub mod transit;
pub mod treatment;
pub mod web;

use crate::wire::codec::Codec;

/// Samples in one tick: 20 ms at 8 kHz.
pub const FRAME: usize = 160;

/// Longest packet taken of G.711 and G.722: 100 ms, a byte for each unit of media time.
pub const LONGEST_PACKET: usize = 800;

/// Shortest packet taken of them: 2 ms. More: some send 2.5 ms. Less: what is no sound makes work of its own, and seems to come late.
pub const SHORTEST_PACKET: usize = 16;

/// Longest payload taken: the longest of Opus (RFC 6716 §3.4).
pub const LONGEST_PAYLOAD: usize = 1275;

/// One tick's samples.
pub type Frame = [i16; FRAME];

/// A sampling rate that codecs here have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rate {
    /// 8 kHz.
    Narrow,
    /// 16 kHz.
    Wide,
    /// 48 kHz.
    Full,
}

impl Rate {
    /// Every rate.
    pub const ALL: [Rate; 3] = [Rate::Narrow, Rate::Wide, Rate::Full];

    /// Most samples in one tick.
    pub const MOST: usize = 6 * FRAME;

    /// What a codec's samples come at.
    pub const fn of(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu | Codec::Pcma => Rate::Narrow,
            Codec::G722 => Rate::Wide,
            Codec::Opus => Rate::Full,
        }
    }

    /// Samples in one tick.
    pub const fn samples(self) -> usize {
        FRAME * self.factor()
    }

    /// How many times 8 kHz.
    pub const fn factor(self) -> usize {
        match self {
            Rate::Narrow => 1,
            Rate::Wide => 2,
            Rate::Full => 6,
        }
    }

    const fn index(self) -> usize {
        match self {
            Rate::Narrow => 0,
            Rate::Wide => 1,
            Rate::Full => 2,
        }
    }
}

/// The tick's period.
pub const TICK: std::time::Duration = std::time::Duration::from_millis(20);

/// An instant as a count of samples at 8 kHz since the program began.
pub(crate) fn samples_at(now: crate::base::Instant) -> i64 {
    (now.as_nanos() / 125_000).cast_signed()
}
