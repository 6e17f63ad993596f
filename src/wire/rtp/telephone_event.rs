//! Telephone-events (RFC 4733): one key press as a run of packets that share a timestamp.
//!
//! A key press on the wire: `5` held for 80 ms, packets every 20 ms, audio before and after.
//!
//! ```text
//! ms   marker  timestamp  sequence  payload type  event  end  duration
//!   0    0        8000       100      0 (audio)
//!  20    1        8160       101     101            5     0      160      the key goes down
//!  40    0        8160       102     101            5     0      320
//!  60    0        8160       103     101            5     0      480
//!  80    0        8160       104     101            5     1      640      the key is up
//! 100    0        8160       105     101            5     1      640      repeated, should the first be lost
//! 120    0        8160       106     101            5     1      640
//! 140    1        9120       107      0 (audio)
//! ```
//!
//! The timestamp names the press and stays the same until its end; the sequence number goes on. A press longer
//! than 65,535 units (8.19 s) goes on in another segment whose timestamp is the first's plus 65,535 (§2.5.1.3).

use std::fmt;

/// The payload of one telephone-event packet (RFC 4733 §2.3).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// Event code: 0 to 15 are the keys.
    pub event: u8,
    /// Whether the event is over.
    pub end: bool,
    /// Power in −dBm0, 0 to 63.
    pub volume: u8,
    /// How long it has lasted so far, in timestamp units.
    pub duration: u16,
}

/// The payload is shorter than four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnEvent;

impl fmt::Display for NotAnEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("shorter than a telephone-event")
    }
}

impl std::error::Error for NotAnEvent {}

const KEYS: &[u8; 16] = b"0123456789*#ABCD";

impl TelephoneEvent {
    /// Length on the wire.
    pub const LENGTH: usize = 4;

    /// Reads a payload; bytes after the fourth are ignored (a second event block is never sent for keys).
    pub fn parse(payload: &[u8]) -> Result<Self, NotAnEvent> {
        let [event, flags, d0, d1] = *payload.first_chunk::<4>().ok_or(NotAnEvent)?;
        Ok(Self { event, end: flags & 0x80 != 0, volume: flags & 0x3f, duration: u16::from_be_bytes([d0, d1]) })
    }

    /// The payload's bytes.
    pub const fn write(&self) -> [u8; Self::LENGTH] {
        let [d0, d1] = self.duration.to_be_bytes();
        [self.event, ((self.end as u8) << 7) | (self.volume & 0x3f), d0, d1]
    }

    /// The same where durations count in another clock. One that is too long for it is as long as can be told: segments (§2.5.1.3) would be taken
    /// for more keys by those who do not know them.
    #[must_use]
    pub fn at_clock(self, from: u32, to: u32) -> Self {
        let duration = u64::from(self.duration) * u64::from(to) / u64::from(from.max(1));
        Self { duration: u16::try_from(duration).unwrap_or(u16::MAX), ..self }
    }

    /// The key of an event code (RFC 4733 §3.2), none for what is no key.
    pub fn digit(&self) -> Option<char> {
        KEYS.get(usize::from(self.event)).copied().map(char::from)
    }

    /// The event code of a key.
    pub fn code(digit: char) -> Option<u8> {
        let digit = digit.to_ascii_uppercase();
        KEYS.iter().position(|&key| char::from(key) == digit).and_then(|index| u8::try_from(index).ok())
    }
}

impl fmt::Debug for TelephoneEvent {
    /// Everything but which key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TelephoneEvent")
            .field("end", &self.end)
            .field("duration", &self.duration)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_parses_back((event, end, volume, duration) in any::<(u8, bool, u8, u16)>()) {
            let written = TelephoneEvent { event, end, volume: volume & 0x3f, duration };
            prop_assert_eq!(TelephoneEvent::parse(&written.write()), Ok(written));
        }
    }

    #[test]
    fn every_key_has_its_code_and_prints_nowhere() {
        for (code, key) in "0123456789*#ABCD".chars().enumerate() {
            let event = TelephoneEvent { event: code as u8, end: false, volume: 10, duration: 160 };
            assert_eq!(event.digit(), Some(key));
            assert_eq!(TelephoneEvent::code(key), Some(code as u8));
        }
        assert_eq!(TelephoneEvent::code('d'), Some(15));
        assert_eq!(TelephoneEvent::code('x'), None);
        let flash = TelephoneEvent { event: 16, end: true, volume: 0, duration: 0 };
        assert_eq!(flash.digit(), None);
        assert_eq!(format!("{flash:?}"), "TelephoneEvent { end: true, duration: 0, .. }");
        assert_eq!(TelephoneEvent::parse(&[1, 2, 3]), Err(NotAnEvent));
    }
}
