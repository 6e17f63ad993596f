//! Clicks: steps in a waveform, and single samples that do not belong there, such as no voice makes.
//!
//! ```text
//!   a step:  ────┐         an onset:   ────╱╲  ╱╲       clipping:   ╱──╲
//!                └────                       ╲╱  ╲╱                ╱    ╲
//! ```
//!
//! What is looked at is the jump between two samples: how far it is from one to the other, less the mean of the ways just
//! before and after. A slope has none, however steep. An onset, a consonant or a key has them too, but goes on with them:
//! a click alone stands far above all jumps of the 2.5 ms before *and* after it. Where a curve bends without a step, as it does
//! where it is clipped, the ways before and after differ by as much as the jump; beside a step they do not.

use crate::base::wide::{PIECE, fold, wide};

/// The farthest jump of 2.5 ms on either side goes this many times into a click. Higher: clicks in a loud voice are missed. Lower:
/// clipped speech and short bursts are counted (at 3: several in a minute).
const TIMES: i16 = 4;

/// The same where one side is silent: no voice ends at once or begins with a step, a packet that is missing does. Higher: gaps in a
/// voice are missed. Lower: consonants that burst out of silence are counted.
const TIMES_AT_SILENCE: i16 = 2;

/// What jumps less is silent: more than what G.711 makes of silence, less than the hiss of a line.
const SILENT: i16 = 40;

/// And it is at least this large, of 32,767: less is not heard beside a voice.
const LEAST: i16 = 3000;

/// The jumps beside a step go the other way, half as far; beside a bend, one is nothing. They are at most so many times smaller.
/// Higher: bends between two samples are counted. Lower: steps where a voice is steep are missed.
const ALIKE: i16 = 8;

/// Samples on either side that a click reaches itself.
const BESIDE: usize = 2;

/// The most samples of 2.5 ms: at 48 kHz.
const LONGEST: usize = 120;

/// And at 8 kHz.
const NARROW: usize = 20;

/// The fewest that say anything of what is around a click.
const SHORTEST: usize = 4 * BESIDE;

/// Samples beyond 5 ms that are kept: what is before the first sample whose jump is looked at, and beside it.
const MORE: usize = BESIDE + 2;

/// Counts clicks of one stream; each is counted 2.5 ms after it was heard.
#[derive(Debug, Clone, Copy)]
// In this order, so that what a telephone's frame needs of it comes together.
#[repr(C)]
pub(super) struct Clicks {
    count: u64,
    /// Samples of 2.5 ms.
    piece: usize,
    /// What was heard before is known, so that the first samples are not a step from silence.
    known: bool,
    /// The farthest jump of the last frame.
    before: i16,
    /// The last 5 ms and [`MORE`] samples.
    last: [i16; 2 * LONGEST + MORE],
}

impl Default for Clicks {
    fn default() -> Self {
        Self { count: 0, piece: 0, known: false, before: 0, last: [0; 2 * LONGEST + MORE] }
    }
}

impl Clicks {
    /// Takes the next 20 ms.
    pub(super) fn hear(&mut self, frame: &[i16]) {
        let piece = frame.len() / 8;
        if !frame.len().is_multiple_of(8) || !(SHORTEST..=LONGEST).contains(&piece) {
            return self.forget();
        }
        if piece != self.piece {
            self.forget();
            self.piece = piece;
        }
        let kept = 2 * piece + MORE;
        let mut seam = [0; 6];
        seam[..3].copy_from_slice(&self.last[kept - 3..kept]);
        seam[3..].copy_from_slice(&frame[..3]);
        let mut most = farthest(frame);
        each_jump(&seam, |_, jump| most = size(jump).max(most));
        // Mostly, nothing in it jumps far enough to be looked at.
        if most.max(self.before) > LEAST {
            match piece {
                ..=20 => self.look::<{ 10 * 20 + MORE }>(frame),
                21..=40 => self.look::<{ 10 * 40 + MORE }>(frame),
                _ => self.look::<{ 10 * LONGEST + MORE }>(frame),
            }
        }
        self.last[..kept].copy_from_slice(&frame[frame.len() - kept..]);
        (self.known, self.before) = (true, most);
    }

    /// Counts the clicks from 2.5 ms before a frame to 2.5 ms before its end, in room for that frame and what was kept.
    fn look<const ROOM: usize>(&mut self, frame: &[i16]) {
        let (piece, kept) = (self.piece, 2 * self.piece + MORE);
        let mut wave = [0; ROOM];
        wave[..kept].copy_from_slice(&self.last[..kept]);
        wave[kept..kept + frame.len()].copy_from_slice(frame);
        let mut jumps = [0; ROOM];
        each_jump(&wave, |at, jump| jumps[at] = jump);
        let first = if self.known { piece + BESIDE + 1 } else { kept + piece + MORE };
        let end = piece + BESIDE + 1 + frame.len();
        for begin in (first..end).step_by(piece) {
            // No other within 2.5 ms can be one: a click stands above all of them.
            let part = &jumps[begin..end.min(begin + piece)];
            let most = longest(part);
            let Some(at) = part.iter().position(|jump| size(*jump) == most) else { continue };
            if most > LEAST && is_click(&jumps, begin + at, piece) {
                self.count += 1;
            }
        }
    }

    /// The last of what the next frame of a telephone needs; to ask whether it is one would be to wait for it.
    pub(super) fn hot(&self) -> &impl Sized {
        &self.last[2 * NARROW + MORE - 1]
    }

    /// What is heard next does not follow what was heard before.
    pub(super) fn forget(&mut self) {
        (self.known, self.before) = (false, 0);
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }
}

/// Whether a jump that is large enough is a click.
fn is_click(jumps: &[i16], at: usize, piece: usize) -> bool {
    let (jump, beside) = (jumps[at], [jumps[at - 1], jumps[at + 1]]);
    let far = size(jump);
    let opposite = beside.iter().all(|other| (*other < 0) == (jump > 0) && size(*other) >= far / ALIKE);
    // Of two jumps of one wrong sample, the first counts.
    if !opposite || size(beside[0]) >= far || size(beside[1]) > far {
        return false;
    }
    let (before, after) = (longest(&jumps[at - piece..at - BESIDE]), longest(&jumps[at + BESIDE + 1..=at + piece]));
    let times = if before.min(after) < SILENT { TIMES_AT_SILENCE } else { TIMES };
    before.max(after) < far / times
}

/// The longest of jumps.
fn longest(jumps: &[i16]) -> i16 {
    jumps.iter().fold(0, |most, jump| size(*jump).max(most))
}

#[inline]
fn size(jump: i16) -> i16 {
    jump.max(0i16.saturating_sub(jump))
}

/// How far it is from `last` to `sample`, less the mean of the ways before and after; no more than 16 bits tell.
#[inline]
fn jump(before: i16, last: i16, sample: i16, after: i16) -> i16 {
    // Half of each way: no step is too far for 16 bits then.
    let way = |from: i16, to: i16| to.saturating_sub(from) >> 1;
    let (first, second, third) = (way(before, last), way(last, sample), way(sample, after));
    second.saturating_sub(first).saturating_sub(third.saturating_sub(second))
}

wide! {
    /// The farthest jump within samples.
    fn farthest(wave: &[i16]) -> i16 {
        let count = wave.len().saturating_sub(3);
        let mut most = [0; PIECE];
        let mut hear = |from: usize| {
            let Some((places, most)) = wave.get(from..from + PIECE + 3).zip(most.get_mut(..PIECE)) else { return };
            for at in 0..PIECE {
                most[at] = size(jump(places[at], places[at + 1], places[at + 2], places[at + 3])).max(most[at]);
            }
        };
        (0..count / PIECE).for_each(|piece| hear(piece * PIECE));
        // The last piece has some of the one before it: that does not matter to the most.
        match count.checked_sub(PIECE) {
            Some(last) => hear(last),
            None => each_jump(wave, |_, jump| most[0] = size(jump).max(most[0])),
        }
        fold(most, Ord::max)
    }
}

/// Goes through the jumps of samples, of all but the first two and the last.
#[inline]
fn each_jump(wave: &[i16], mut take: impl FnMut(usize, i16)) {
    let count = wave.len().saturating_sub(3);
    let (before, last) = (&wave[..count], &wave[1..=count]);
    let (sample, after) = (&wave[2..count + 2], &wave[3..count + 3]);
    for at in 0..count {
        take(at + 2, jump(before[at], last[at], sample[at], after[at]));
    }
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use super::*;
    use crate::base::Rng;
    use crate::base::wide::tests::on_each;

    #[test]
    fn the_farthest_jump_is_found_wherever_it_is_by_whatever_processor() {
        for length in [0, 3, 4, 6, 34, 35, 36, 66, 160, 960] {
            for at in 0..length {
                let mut wave = vec![0; length];
                wave[at..].fill(9000);
                let mut most = 0;
                each_jump(&wave, |_, jump| most = size(jump).max(most));
                assert_eq!(on_each(|| farthest(&wave)), most, "a step at {at} of {length}");
            }
        }
    }

    fn heard(samples: &[i16], rate: usize) -> u64 {
        let mut clicks = Clicks::default();
        samples.chunks_exact(rate / 50).for_each(|frame| clicks.hear(frame));
        clicks.count()
    }

    fn tone(hertz: f32, from: usize, count: usize) -> Vec<i16> {
        (from..from + count).map(|n| ((n as f32 * hertz * TAU / 8000.0).sin() * 8000.0) as i16).collect()
    }

    fn noise(rng: &mut Rng) -> f32 {
        rng.below(20_001) as f32 / 10_000.0 - 1.0
    }

    /// A voice without consonants: 40 harmonics of a pitch that rises and falls, in syllables; formants as of "a".
    fn voice(rate: usize, seconds: usize) -> Vec<f32> {
        let mut phase = 0.0f32;
        let sample = |n: usize| {
            let at = n as f32 / rate as f32;
            let pitch = 120.0 + 30.0 * (at * 2.0).sin();
            phase = (phase + TAU * pitch / rate as f32) % TAU;
            let harmonic = |k: usize| {
                let hertz = pitch * k as f32;
                let formant = |middle: f32, width: f32| 1.0 / (1.0 + ((hertz - middle) / width).powi(2));
                let loud = 0.01 + formant(700.0, 130.0) + 0.4 * formant(1200.0, 150.0) + 0.05 * formant(2600.0, 200.0);
                if hertz < 3400.0 { (phase * k as f32 + 0.7 * (k * k) as f32).sin() * loud } else { 0.0 }
            };
            (1..=28).map(harmonic).sum::<f32>() * 4000.0 * (0.55 + 0.45 * (at * 25.0).sin())
        };
        (0..rate * seconds).map(sample).collect()
    }

    fn whole(samples: &[f32]) -> Vec<i16> {
        samples.iter().map(|sample| *sample as i16).collect()
    }

    #[test]
    fn a_tone_noise_and_a_voice_have_none_and_a_splice_is_one() {
        for hertz in [100.0, 440.0, 1004.0] {
            assert_eq!(heard(&tone(hertz, 0, 16_000), 8000), 0, "{hertz}");
        }
        let mut rng = Rng::from_number(1);
        let hiss: Vec<i16> = (0..16_000).map(|_| (noise(&mut rng) * 8000.0) as i16).collect();
        assert_eq!(heard(&hiss, 8000), 0);
        for rate in [8000, 16_000, 48_000] {
            assert_eq!(heard(&whole(&voice(rate, 4)), rate), 0, "{rate}");
        }
        // Half a period is missing in the middle.
        let mut spliced = tone(250.0, 0, 4008);
        spliced.extend(tone(250.0, 4024, 4000));
        assert_eq!(heard(&spliced, 8000), 1);
        // A frame of silence: out and in again.
        let mut gap = tone(440.0, 0, 4015);
        gap.extend([0; 160]);
        gap.extend(tone(440.0, 4175, 4000));
        assert_eq!(heard(&gap, 8000), 2);
    }

    #[test]
    fn what_begins_suddenly_and_goes_on_is_no_click() {
        let mut rng = Rng::from_number(2);
        for rate in [8000, 16_000, 48_000] {
            // Consonants that burst out of silence: some die away within 2 ms, some stay.
            let mut bursts = Vec::new();
            for n in 0..60 {
                let stays = [0.002, 0.005, 0.02, 1.0][n % 4];
                bursts.extend(vec![0.0; rate / 20]);
                let loud = 6000.0 + 300.0 * n as f32;
                bursts
                    .extend((0..rate / 10).map(|n| noise(&mut rng) * loud * (-(n as f32) / rate as f32 / stays).exp()));
            }
            assert_eq!(heard(&whole(&bursts), rate), 0, "consonants at {rate}");
            // Keys in a voice, as they begin and end in telephones: at nothing.
            let mut keys = voice(rate, 4);
            for (n, (low, high)) in [(697.0, 1209.0), (770.0, 1477.0), (941.0, 1336.0), (852.0, 1633.0f32)]
                .iter()
                .cycle()
                .take(30)
                .enumerate()
            {
                let (begin, length) = (n * rate / 8 + 7 * n, rate / 14);
                for (at, sample) in keys[begin..begin + length].iter_mut().enumerate() {
                    let seconds = at as f32 / rate as f32;
                    let end = ((length - at) as f32 * 500.0 / rate as f32).min(1.0);
                    *sample += ((TAU * low * seconds).sin() + (TAU * high * seconds).sin()) * 6000.0 * end;
                }
            }
            assert_eq!(heard(&whole(&keys), rate), 0, "keys at {rate}");
            // A voice that is too loud for its telephone, or was for another before.
            for (gain, most) in [(4.0, 32_767.0), (20.0, 32_767.0), (4.0, 8000.0)] {
                let clipped: Vec<f32> =
                    voice(rate, 4).iter().map(|sample| (sample * gain).clamp(-most, most)).collect();
                assert_eq!(heard(&whole(&clipped), rate), 0, "clipped at {most}, {gain} times too loud, at {rate}");
            }
        }
    }

    #[test]
    fn gaps_wrong_samples_and_missing_pieces_of_a_voice_are_counted() {
        for rate in [8000, 16_000, 48_000] {
            let clean = whole(&voice(rate, 10));
            let far = |from: i16, to: i16| i32::from(from).abs_diff(i32::from(to)) > 4000;
            // (what was done at so many places that are to be heard, what came of it)
            let (mut gaps, mut edges) = (clean.clone(), 0);
            let (mut wrong, mut count) = (clean.clone(), 0);
            for at in (rate / 10..clean.len() - rate / 10).step_by(rate / 9 + 11) {
                let end = at + rate / 50;
                edges += u64::from(far(clean[at - 1], 0)) + u64::from(far(0, clean[end]));
                gaps[at..end].fill(0);
                wrong[at] = clean[at].saturating_add(if clean[at] < 0 { 9000 } else { -9000 });
                count += 1;
            }
            let (mut cut, mut seams) = (Vec::new(), 0);
            for (n, piece) in clean.chunks(rate / 7).enumerate() {
                let rest = &piece[(rate / 150 + n).min(piece.len())..];
                if let (Some(last), Some(next)) = (cut.last(), rest.first()) {
                    seams += u64::from(far(*last, *next));
                }
                cut.extend_from_slice(rest);
            }
            // In a telephone's band a voice is as steep as what does not fit together, where it is loud.
            let fits = if rate == 8000 { 2 } else { 9 };
            for (what, samples, places, tenths) in
                [("gaps", gaps, edges, 9), ("wrong samples", wrong, count, 9), ("cuts", cut, seams, fits)]
            {
                let found = heard(&samples, rate);
                assert!(places > 10 && found * 10 >= places * tenths, "{what} at {rate}: {found} of {places}");
            }
        }
    }
}
