//! Clicks: steps in a waveform that no voice makes.
//!
//! A voice's curve bends evenly. Where two pieces are put together that do not fit, it bends at one place many times more
//! than around it. What is looked at is the second difference, which a steady slope does not have.

/// The bend is this many times that of the last 5 ms. Higher: only the worst are found. Lower: consonants are.
const TIMES: u32 = 12;

/// And at least this large, of 32,767: less is not heard beside a voice.
const LEAST: u32 = 3000;

/// Samples after a click in which another is the same one: 5 ms at 8 kHz.
const DEAF: u32 = 40;

/// Samples looked at together: 5 ms at 8 kHz.
const PIECE: usize = 40;

/// Counts clicks of one stream.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Clicks {
    last: [i32; 2],
    /// Mean bend in 1/32.
    usual: u32,
    /// Samples heard in a row, so that the first are not a step from silence.
    known: u32,
    deaf: u32,
    count: u64,
}

impl Clicks {
    pub(super) fn hear(&mut self, samples: &[i16]) {
        for piece in samples.chunks(PIECE) {
            if !self.bends_little(piece) {
                self.hear_each(piece);
            }
        }
    }

    /// Takes a piece in which nothing bends far enough to be a click, all of it at once; false where something does.
    fn bends_little(&mut self, piece: &[i16]) -> bool {
        if piece.len() < PIECE {
            return false;
        }
        let last = self.last.map(|sample| sample as i16);
        let (mut most, mut sum) = bends(piece);
        for bend in [bend(last[0], last[1], piece[0]), bend(last[1], piece[0], piece[1])] {
            (most, sum) = (most.max(bend), sum + u32::from(bend.unsigned_abs()));
        }
        if u32::from(most.unsigned_abs()) > LEAST {
            return false;
        }
        self.usual = sum * 32 / PIECE as u32;
        self.last = [i32::from(piece[PIECE - 2]), i32::from(piece[PIECE - 1])];
        self.known = (self.known + PIECE as u32).min(2 * DEAF);
        self.deaf = self.deaf.saturating_sub(PIECE as u32);
        true
    }

    /// Takes samples one by one.
    fn hear_each(&mut self, samples: &[i16]) {
        for sample in samples {
            let sample = i32::from(*sample);
            let [before, last] = self.last;
            let bend = (sample - 2 * last + before).unsigned_abs();
            self.last = [last, sample];
            self.deaf = self.deaf.saturating_sub(1);
            if self.known < 2 * DEAF {
                self.known += 1;
            } else if bend > LEAST && bend * 32 > self.usual * TIMES && self.deaf == 0 {
                self.count += 1;
                self.deaf = DEAF;
                continue;
            }
            self.usual = self.usual - self.usual / 32 + bend;
        }
    }

    pub(super) fn forget(&mut self) {
        (self.last, self.usual, self.known) = ([0; 2], 0, 0);
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }
}

/// How far a curve bends, as far as 16 bits tell.
fn bend(before: i16, last: i16, sample: i16) -> i16 {
    let bend = sample.saturating_sub(last).saturating_sub(last.saturating_sub(before));
    bend.max(0i16.saturating_sub(bend))
}

/// The farthest bend within a piece, and the sum of all.
fn bends(piece: &[i16]) -> (i16, u32) {
    let count = piece.len().saturating_sub(2);
    let (before, last, sample) = (&piece[..count], &piece[1..=count], &piece[2..count + 2]);
    let (mut most, mut sum) = (0, 0);
    for at in 0..count {
        let bend = bend(before[at], last[at], sample[at]);
        most = bend.max(most);
        sum += i32::from(bend);
    }
    (most, sum.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use super::*;

    fn tone(hertz: f32, from: usize, count: usize) -> Vec<i16> {
        (from..from + count).map(|n| ((n as f32 * hertz * TAU / 8000.0).sin() * 8000.0) as i16).collect()
    }

    #[test]
    fn a_tone_noise_and_a_voice_have_none_and_a_splice_is_one() {
        let heard = |samples: &[i16]| {
            let mut clicks = Clicks::default();
            samples.chunks(160).for_each(|frame| clicks.hear(frame));
            clicks.count()
        };
        for hertz in [100.0, 440.0, 1004.0] {
            assert_eq!(heard(&tone(hertz, 0, 16_000)), 0, "{hertz}");
        }
        let mut chance = 1u32;
        let noise: Vec<i16> = (0..16_000)
            .map(|_| {
                chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((chance >> 16) as i16) / 4
            })
            .collect();
        assert_eq!(heard(&noise), 0);
        // Half a period is missing in the middle.
        let mut spliced = tone(250.0, 0, 4008);
        spliced.extend(tone(250.0, 4024, 4000));
        assert_eq!(heard(&spliced), 1);
        // A frame of silence: out and in again.
        let mut gap = tone(440.0, 0, 4015);
        gap.extend([0; 160]);
        gap.extend(tone(440.0, 4175, 4000));
        assert_eq!(heard(&gap), 2);
    }
}
