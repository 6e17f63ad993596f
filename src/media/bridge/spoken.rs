//! How loud people are together.

use super::Member;
use crate::media::legs::Legs;

/// How loud people are together in what others hear: all that is chosen, and what of it is voices and not the noise of their lines.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spoken {
    all: u32,
    voices: u32,
}

impl Spoken {
    /// Nobody is heard.
    pub(super) const NOBODY: Self = Self { all: 0, voices: 0 };

    /// Of both together.
    pub(super) fn and(self, more: Spoken) -> Self {
        Self { all: self.all + more.all, voices: self.voices + more.voices }
    }

    /// Both in one word.
    pub(super) fn bits(self) -> u64 {
        u64::from(self.all) << 32 | u64::from(self.voices)
    }

    /// As [`Spoken::bits`] made it.
    pub(super) fn from_bits(bits: u64) -> Self {
        Self { all: (bits >> 32) as u32, voices: (bits & u64::from(u32::MAX)) as u32 }
    }

    /// What is left for one who does not hear itself.
    pub(super) fn but(self, own: Spoken) -> (u16, u16) {
        let less = |all: u32, own: u32| u16::try_from(all.saturating_sub(own)).unwrap_or(u16::MAX);
        (less(self.all, own.all), less(self.voices, own.voices))
    }
}

impl Member {
    /// How loud it is in what others hear.
    pub(super) fn spoken(&self, legs: &Legs) -> Spoken {
        if !self.chosen {
            return Spoken::default();
        }
        let all = legs.get(self.leg).map_or(0, |leg| u32::from(leg.heard(self.level)));
        Spoken { all, voices: if self.voice.stirs() { all } else { 0 } }
    }
}
