//! Who speaks, from levels alone. A level is a frame's mean magnitude, 0 to 32,767, taken from its bytes before decoding;
//! full-scale speech has about 4,000, a quiet line less than 20.

/// Below this a leg is not mixed at all (−66 dBFS). Higher: soft speech is swallowed. Lower: idle noise is decoded.
pub const AUDIBLE: u16 = 16;

/// Speech is at least this loud on a quiet line (−52 dBFS). Higher: soft talkers never light up. Lower: breath does.
const LEAST_SPEECH: u16 = 80;

/// On a noisy line nothing louder than this (−34 dBFS) is called noise. Higher: a car drowns its driver.
const MOST_NOISE: u16 = 650;

/// Speech is this many times louder than the noise beneath it.
const OVER_NOISE: u16 = 3;

/// Loud frames before somebody talks: 60 ms. More: the light comes late. Fewer: a click lights it.
const ATTACK: u8 = 3;

/// Quiet frames before somebody has stopped: 600 ms, longer than a pause between words.
const HANG: u8 = 30;

/// Decides whether one leg's voice is speech.
#[derive(Debug, Clone, Copy, Default)]
pub struct Voice {
    /// The noise beneath, in 1/256 of a level.
    floor: u32,
    loud: u8,
    hang: u8,
    /// The level, quick to rise, slow to fall (half in 100 ms): what speakers are chosen by.
    smooth: u16,
}

impl Voice {
    /// Takes a frame's level.
    pub fn hear(&mut self, level: u16) {
        let wide = u32::from(level) << 8;
        self.floor =
            if wide < self.floor { self.floor - (self.floor - wide) / 8 } else { self.floor + self.floor / 512 + 1 };
        self.smooth = level.max(self.smooth - self.smooth.div_ceil(8));
        let noise = u16::try_from(self.floor >> 8).unwrap_or(u16::MAX);
        let threshold = noise.saturating_mul(OVER_NOISE).clamp(LEAST_SPEECH, MOST_NOISE);
        if level >= threshold {
            self.loud = (self.loud + 1).min(ATTACK);
            if self.loud == ATTACK {
                self.hang = HANG;
            }
        } else {
            self.loud = self.loud.saturating_sub(1);
            self.hang = self.hang.saturating_sub(1);
        }
    }

    /// Whether it is speech.
    pub fn talks(&self) -> bool {
        self.hang > 0
    }

    /// Whether it is speech, or begins to be.
    pub fn stirs(&self) -> bool {
        self.hang > 0 || self.loud > 0
    }

    /// The level that speakers are chosen by.
    pub fn loudness(&self) -> u16 {
        self.smooth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn talking_begins_within_200_ms_and_ends_600_ms_after_the_last_word() {
        let mut voice = Voice::default();
        (0..100).for_each(|_| voice.hear(10));
        assert!(!voice.talks());
        let begun = (1..).find(|_| {
            voice.hear(2000);
            voice.talks()
        });
        assert!(begun <= Some(10));
        let ended = (1..).find(|_| {
            voice.hear(10);
            !voice.talks()
        });
        assert_eq!(ended, Some(30));
    }

    #[test]
    fn steady_noise_is_no_speech_in_the_long_run_and_a_click_never() {
        let mut voice = Voice::default();
        (0..3000).for_each(|_| voice.hear(150));
        assert!(!voice.talks());
        voice.hear(9000);
        assert!(!voice.talks());
        (0..5).for_each(|_| voice.hear(2000));
        assert!(voice.talks(), "speech over the noise");
    }
}
