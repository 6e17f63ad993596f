//! A browser's leg: no sockets, nothing out; its voice comes from the web plane, which tells how loud it is.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::Leg;
use crate::base::{Instant, LegId};
use crate::media::command::{Direction, Format, LegSetup, Remote, Security};
use crate::media::encoder::Encoder;
use crate::media::reception::Arrival;
use crate::media::samples_at;
use crate::media::timeline::Placed;
use crate::media::web::Voice;
use crate::wire::codec::g711::Law;
use crate::wire::codec::{Codec, opus};

/// Ticks for which a level holds when no packet tells another: the longest packet that browsers make. More: who sends no
/// silence keeps a speaker's place after the last word. Less: jitter is taken for silence.
const HELD: u8 = 3;

/// How loud a browser says it is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Loudness {
    /// Of the loudest packet since the last tick, or the last one before.
    level: u16,
    /// A packet came since the last tick.
    fresh: bool,
    /// Ticks without one.
    age: u8,
}

/// What a browser's packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// How long it lasts, at 48 kHz.
    pub length: u32,
    /// How loud it is, as telephones' levels are measured.
    pub level: u16,
}

impl Loudness {
    fn hear(&mut self, level: u16) {
        self.level = if self.fresh { self.level.max(level) } else { level };
        self.fresh = true;
    }

    /// Of the next frame.
    pub(super) fn next(&mut self) -> u16 {
        match (std::mem::take(&mut self.fresh), self.age) {
            (true, _) => self.age = 0,
            (false, age) if age < HELD => self.age += 1,
            (false, _) => self.level = 0,
        }
        self.level
    }
}

impl Leg {
    /// Begins a browser's leg.
    pub fn of_browser(id: LegId, now: Instant) -> Self {
        let setup = LegSetup {
            format: Format {
                codec: Codec::Opus,
                send_payload_type: 0,
                receive_payload_type: 0,
                ptime: 20,
                telephone_event: None,
                comfort_noise: None,
                reports: Default::default(),
                opus: opus::Parameters::default(),
                direction: Direction::RecvOnly,
            },
            remote: Remote { rtp: None, rtcp: None, rtcp_mux: true, signalling: IpAddr::V4(Ipv4Addr::UNSPECIFIED) },
            security: Security::None,
            ssrc: 0,
            sequence: 0,
            timestamp: 0,
            cname: String::new(),
            media_timeout: Duration::ZERO,
        };
        let mut leg = Self::new(id, setup, now);
        // Nothing is ever encoded for it alone, and this one has no memory to pay for.
        leg.encoder = Encoder::G711(Law::Mu);
        leg.prompt = None;
        leg.browser = Some(Loudness::default());
        leg
    }

    /// Whether it is a browser's.
    pub fn is_browser(&self) -> bool {
        self.browser.is_some()
    }

    /// A browser's voice begins anew with the next packet: what came before was heard by nobody.
    pub fn begin_voice(&mut self) {
        if self.is_browser() {
            self.playout.reset();
            self.browser = Some(Loudness::default());
        }
    }

    /// Takes a browser's packet, and keeps it to be decoded where that is `wanted`; returns what it is, where it is a new one
    /// of that browser's voice.
    pub fn receive_voice(&mut self, voice: &Voice, wanted: bool, now: Instant) -> Option<Heard> {
        let loudness = self.browser.as_mut()?;
        let payload = voice.payload.bytes();
        let Some(length) = opus::duration(payload) else {
            self.counters.malformed += 1;
            return None;
        };
        if self.reception.ssrc().is_none() {
            self.reception.begin(0, voice.sequence);
        }
        match self.reception.arrive(voice.sequence) {
            Arrival::Fresh => self.counters.received += 1,
            Arrival::Duplicate => {
                self.counters.duplicates += 1;
                return None;
            }
            Arrival::Astray => {
                self.counters.malformed += 1;
                return None;
            }
        }
        let level = level(voice.level);
        loudness.hear(level);
        let arrived = samples_at(now);
        self.reception.time(arrived.wrapping_mul(i64::from(self.egress.clock())), voice.timestamp);
        if wanted {
            let placed = self.playout.insert(voice.timestamp, i64::from(length) / 6, payload, arrived);
            self.counters.late += u64::from(placed != Placed::Waiting);
        }
        Some(Heard { length, level })
    }
}

/// A level as telephones' are measured, a frame's mean magnitude, of one in dB below full scale (RFC 6464). What is told is
/// the root of the mean square, of which a voice's mean magnitude is about four fifths.
fn level(below: u8) -> u16 {
    const LEVELS: [u16; 128] = levels();
    LEVELS.get(usize::from(below)).copied().unwrap_or(0)
}

const fn levels() -> [u16; 128] {
    let mut levels = [0; 128];
    // In 1/65,536 of a level; a decibel less is 0.891251 of it.
    let mut level: u64 = (32_767 * 4 / 5) << 16;
    let mut below = 0;
    while below < 127 {
        levels[below] = (level >> 16) as u16;
        level = (level * 58_409) >> 16;
        below += 1;
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_in_decibels_is_what_a_telephone_as_loud_measures() {
        assert_eq!((level(0), level(127), level(200)), (26_213, 0, 0));
        assert!((2600..2640).contains(&level(20)), "{}", level(20));
        assert!((24..29).contains(&level(60)), "{}", level(60));
    }

    #[test]
    fn a_level_outlasts_jitter_and_not_silence() {
        let mut loudness = Loudness::default();
        assert_eq!(loudness.next(), 0);
        loudness.hear(500);
        loudness.hear(300);
        assert_eq!([0; 5].map(|_| loudness.next()), [500, 500, 500, 500, 0]);
        loudness.hear(20);
        assert_eq!(loudness.next(), 20);
    }
}
