//! Collects a PIN from keys: `#` ends it, a pause ends it too, `*` begins it anew.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{Instant, Now, Secret};

/// Longest PIN. What is keyed beyond it is no PIN of ours, and stays wrong however much follows.
pub const LONGEST_PIN: usize = 20;

/// What a key did to a PIN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keyed {
    /// It goes on; the key may also have been none that counts.
    More,
    /// It is complete.
    Complete(Secret),
    /// It begins anew.
    Cleared,
    /// `#` came and nothing before it.
    Empty,
}

/// Collects one PIN after the other. Whether the digits so far are some room's PIN plays no part in when they are
/// handed over, so that nobody learns by timing how long the PINs are.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinReader {
    digits: Secret,
    gap: Duration,
    until: Option<Instant>,
}

impl PinReader {
    /// A reader that takes a pause of `gap` for the end.
    pub fn new(gap: Duration) -> Self {
        Self { digits: Secret::default(), gap, until: None }
    }

    /// Takes a key.
    pub fn key(&mut self, key: char, now: Now) -> Keyed {
        match key {
            '0'..='9' => {
                // One more than the longest is kept: it makes the whole a wrong PIN.
                if self.digits.expose().len() <= LONGEST_PIN {
                    self.digits = Secret::new(format!("{}{key}", self.digits.expose()));
                }
                self.until = Some(now.mono + self.gap);
                Keyed::More
            }
            '*' => {
                self.take();
                Keyed::Cleared
            }
            '#' => self.take().map_or(Keyed::Empty, Keyed::Complete),
            _ => Keyed::More,
        }
    }

    /// A key went down: the pause ends here, though which key it is will be known when it is let go.
    pub fn key_began(&mut self, now: Now) {
        if self.until.is_some() {
            self.until = Some(now.mono + self.gap);
        }
    }

    /// The PIN that the pause completed, if it did.
    pub fn expire(&mut self, now: Now) -> Option<Secret> {
        self.until.filter(|until| *until <= now.mono)?;
        self.take()
    }

    /// When the pause completes the PIN; none while no digit is there.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.until
    }

    fn take(&mut self) -> Option<Secret> {
        self.until = None;
        Some(std::mem::take(&mut self.digits)).filter(|digits| !digits.is_empty())
    }
}

impl fmt::Debug for PinReader {
    /// Not even how many digits there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinReader").field("until", &self.until).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: Duration = Duration::from_secs(3);

    fn at(ms: u64) -> Now {
        Now::default().plus(Duration::from_millis(ms))
    }

    fn keyed(reader: &mut PinReader, keys: &str) -> Keyed {
        keys.chars().map(|key| reader.key(key, at(0))).last().unwrap()
    }

    #[test]
    fn pound_or_a_pause_ends_a_pin_of_any_length() {
        for pin in ["7", "4711", "12345678901234567890"] {
            let mut reader = PinReader::new(GAP);
            assert_eq!(keyed(&mut reader, pin), Keyed::More);
            assert_eq!(keyed(&mut reader, "#"), Keyed::Complete(Secret::new(pin)));
            assert_eq!(keyed(&mut reader, pin), Keyed::More);
            assert_eq!(reader.expire(at(2999)), None);
            assert_eq!(reader.expire(at(3000)), Some(Secret::new(pin)));
            assert_eq!(reader.poll_timeout(), None);
        }
    }

    #[test]
    fn star_begins_anew_and_a_key_held_down_is_no_pause() {
        let mut reader = PinReader::new(GAP);
        assert_eq!(keyed(&mut reader, "99*"), Keyed::Cleared);
        assert_eq!(keyed(&mut reader, "#"), Keyed::Empty);
        assert_eq!(keyed(&mut reader, "4"), Keyed::More);
        reader.key_began(at(2900));
        assert_eq!(reader.expire(at(3100)), None);
    }

    #[test]
    fn more_digits_than_any_pin_has_are_wrong_not_cut_to_fit() {
        let mut reader = PinReader::new(GAP);
        let Keyed::Complete(pin) = keyed(&mut reader, "123456789012345678901234567890#") else {
            panic!("not complete")
        };
        assert_eq!(pin.expose().len(), LONGEST_PIN + 1);
    }
}
