//! Filling gaps: what is lost is replaced by the last pitch periods, fading out (in the spirit of G.711 Appendix I,
//! without its 3.75 ms of delay), and joined to what comes after by a cross-fade; where what comes after is late and not
//! lost, by going on to repeat until both are in phase. The same search for a pitch serves where speech is stretched and
//! shortened. Lengths are in samples at 8 kHz; at other rates they are as many times longer.

use super::{FRAME, Rate};
use crate::base::fetch::fetch;

/// Longest and shortest period searched for: 66 Hz to 200 Hz. A higher voice repeats at a multiple of its period.
pub const LONGEST_PERIOD: usize = 120;
const SHORTEST_PERIOD: usize = 40;

/// Samples compared at each lag: 20 ms, as in Appendix I.
const COMPARED: usize = 160;

/// Samples remembered: enough to compare at the longest lag, and for three periods.
pub const HISTORY: usize = 400;

/// Highest rate, in times 8 kHz.
const MOST_FACTOR: usize = Rate::MOST / FRAME;

/// Samples compared where invented speech is laid beside fresh: 10 ms.
const LAID: usize = 80;

/// Less alike than this, nothing is gained by waiting for a phase.
const ALIKE: f32 = 0.4;

/// Samples at full strength before the fade: 10 ms, and 40 ms for what is so steady that it will not have changed since.
const HOLD: usize = 80;
const HOLD_STEADY: usize = 320;

/// So alike are two periods of what is steady.
const STEADY: f32 = 0.97;

/// Samples from full strength to silence: 50 ms. Longer sounds like a robot, shorter like a gap.
const FADE: usize = 400;

/// Samples of cross-fade into what follows a gap: 5 ms.
const JOIN: usize = 40;

/// Remembers what was heard and invents what is missing.
#[derive(Debug, Clone)]
pub struct Conceal {
    /// How many times 8 kHz.
    factor: usize,
    /// What was heard last. Where all is well, that is only written to, from `oldest` on and round, so that a frame needs the
    /// memory of a frame; put in order where it is looked at.
    history: Box<[i16]>,
    oldest: usize,
    /// Samples invented in this gap; 0 outside a gap.
    gap: usize,
    /// The repeated segment's length.
    period: usize,
    /// Samples at full strength.
    hold: usize,
    /// Where in it we are.
    at: usize,
    /// The repeated segment, its end blended into its beginning.
    segment: Box<[i16]>,
}

impl Conceal {
    /// Of a stream at so many times 8 kHz.
    pub fn new(factor: usize) -> Self {
        let nothing = || vec![0; HISTORY * factor].into_boxed_slice();
        Self { factor, history: nothing(), oldest: 0, gap: 0, period: 0, hold: 0, at: 0, segment: nothing() }
    }

    /// Asks the processor for where the next frame is kept.
    pub fn fetch(&self) {
        let end = (self.oldest + FRAME * self.factor).min(self.history.len());
        fetch(self.history.get(self.oldest..end).unwrap_or(&[]));
    }

    /// Forgets everything: what comes next follows silence.
    pub fn reset(&mut self) {
        self.history.fill(0);
        self.gap = 0;
    }

    /// Takes samples that are there; the first after a gap are changed to join what was invented.
    pub fn heard(&mut self, samples: &mut [i16]) {
        if self.gap > 0 {
            let length = (JOIN * self.factor).min(samples.len());
            for (index, sample) in samples.iter_mut().take(length).enumerate() {
                let invented = i32::from(self.next());
                let (fresh, length, index) = (i32::from(*sample), length as i32, index as i32);
                *sample = ((invented * (length - index) + fresh * index) / length) as i16;
            }
            self.gap = 0;
        }
        self.remember(samples);
    }

    /// Whether what was played last was invented.
    pub fn is_filling(&self) -> bool {
        self.gap > 0
    }

    /// For how many samples at 8 kHz the gap has to go on, so that what is invented and what comes late are in phase.
    pub fn wait(&mut self, fresh: &[i16]) -> usize {
        if self.gap == 0 || self.gap >= self.hold + FADE * self.factor {
            return 0;
        }
        let (period, factor) = (self.period, self.factor);
        wait(self.history(), period, fresh, factor)
    }

    /// Invents samples; returns whether they are more than silence.
    pub fn fill(&mut self, samples: &mut [i16]) -> bool {
        if self.gap == 0 {
            self.begin();
        }
        let audible = self.gap < self.hold + FADE * self.factor;
        for sample in samples.iter_mut() {
            *sample = self.next();
        }
        self.remember(samples);
        audible
    }

    /// Takes silence that is meant: no gap, nothing to invent from.
    pub fn silent(&mut self, samples: &mut [i16]) {
        samples.fill(0);
        self.heard(samples);
    }

    /// What was heard last, oldest first.
    pub fn history(&mut self) -> &[i16] {
        self.history.rotate_left(self.oldest);
        self.oldest = 0;
        &self.history
    }

    fn begin(&mut self) {
        let factor = self.factor;
        let (period, alike) = period(self.history(), factor);
        self.period = period;
        self.hold = if alike > STEADY { HOLD_STEADY } else { HOLD } * self.factor;
        self.take_segment();
        self.at = 0;
    }

    /// Copies the last period, whose last quarter blends into what came before it, so that the end runs into the beginning.
    /// Appendix I takes two and three where a gap lasts: measured (docs/sound.md), that sounds less like the original.
    fn take_segment(&mut self) {
        let length = self.period;
        let blend = self.period / 4;
        let start = self.history.len() - length;
        self.segment[..length].copy_from_slice(&self.history[start..]);
        for index in 0..blend {
            let at = length - blend + index;
            let before = i32::from(self.history[start - blend + index]);
            let own = i32::from(self.segment[at]);
            self.segment[at] = ((own * (blend - index) as i32 + before * index as i32) / blend as i32) as i16;
        }
    }

    fn next(&mut self) -> i16 {
        let (hold, fade) = (self.hold, FADE * self.factor);
        let gain = if self.gap < hold { fade } else { fade.saturating_sub(self.gap - hold) };
        self.gap += 1;
        if gain == 0 || self.period == 0 {
            return 0;
        }
        let sample = self.segment[self.at];
        self.at = (self.at + 1) % self.period;
        (i32::from(sample) * gain as i32 / fade as i32) as i16
    }

    fn remember(&mut self, samples: &[i16]) {
        let room = self.history.len();
        let samples = &samples[samples.len().saturating_sub(room)..];
        let (to_end, from_start) = samples.split_at(samples.len().min(room - self.oldest));
        self.history[self.oldest..self.oldest + to_end.len()].copy_from_slice(to_end);
        self.history[..from_start.len()].copy_from_slice(from_start);
        self.oldest = (self.oldest + samples.len()) % room;
    }
}

/// The lag at which the end of `history` repeats itself best.
fn period(history: &[i16], factor: usize) -> (usize, f32) {
    let mut samples = [0.0; HISTORY * MOST_FACTOR];
    let length = history.len().min(samples.len());
    for (value, sample) in samples.iter_mut().zip(history) {
        *value = f32::from(*sample);
    }
    let recent = length.saturating_sub(COMPARED * factor);
    let lags = (SHORTEST_PERIOD * factor, LONGEST_PERIOD * factor);
    best_lag(samples.get(recent..length).unwrap_or(&[]), lags, 2 * factor, |lag| {
        samples.get(recent.saturating_sub(lag)..length - lag).unwrap_or(&[])
    })
}

/// For how many samples at 8 kHz the last period of `history` has to be repeated until `fresh` is in phase with it; none
/// where they have nothing in common.
fn wait(history: &[i16], period: usize, fresh: &[i16], factor: usize) -> usize {
    let Some(last) = history.len().checked_sub(period).and_then(|from| history.get(from..)) else { return 0 };
    let mut samples = [0.0; LAID * MOST_FACTOR];
    let length = (LAID * factor).min(fresh.len()).min(samples.len());
    let Some(samples) = samples.get_mut(..length) else { return 0 };
    samples.iter_mut().zip(fresh).for_each(|(value, sample)| *value = f32::from(*sample));
    let own: f32 = samples.iter().map(|sample| sample * sample).sum();
    let mut best = (0, ALIKE);
    for wait in 0..period.div_ceil(factor) {
        let (mut product, mut energy) = (0.0f32, 1.0f32);
        for (a, b) in samples.iter().zip(last.iter().cycle().skip(wait * factor)) {
            let b = f32::from(*b);
            product += a * b;
            energy += b * b;
        }
        let alike = product / (energy * (own + 1.0)).sqrt();
        if alike > best.1 {
            best = (wait, alike);
        }
    }
    best.0
}

/// The lag between `least` and `most` at which `shifted(lag)` resembles `samples` most, and how much (1: it is the same):
/// the normalised correlation, looked for at every `step`th lag first and then beside the best.
pub(crate) fn best_lag<'a>(
    samples: &[f32],
    (least, most): (usize, usize),
    step: usize,
    shifted: impl Fn(usize) -> &'a [f32],
) -> (usize, f32) {
    let own: f32 = samples.iter().map(|sample| sample * sample).sum();
    let score = |lag: usize| {
        let (mut product, mut energy) = (0.0f32, 1.0f32);
        for (a, b) in samples.iter().zip(shifted(lag)) {
            product += a * b;
            energy += b * b;
        }
        product / energy.sqrt()
    };
    let mut best = (least, f32::MIN);
    for lag in (least..=most).step_by(step) {
        let value = score(lag);
        if value > best.1 {
            best = (lag, value);
        }
    }
    let coarse = best.0;
    for lag in (coarse + 1).saturating_sub(step).max(least)..=(coarse + step - 1).min(most) {
        let value = score(lag);
        if value > best.1 {
            best = (lag, value);
        }
    }
    (best.0, best.1 / (own + 1.0).sqrt())
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use super::*;

    fn tone(hertz: f32, from: usize, length: usize) -> Vec<i16> {
        (from..from + length).map(|i| (8000.0 * (TAU * hertz * i as f32 / 8000.0).sin()) as i16).collect()
    }

    #[test]
    fn a_lost_frame_of_a_tone_is_filled_with_the_tone() {
        for hertz in [110.0, 200.0, 440.0, 1000.0] {
            let mut conceal = Conceal::new(1);
            conceal.heard(&mut tone(hertz, 0, 400));
            let mut filled = [0; 80];
            assert!(conceal.fill(&mut filled));
            let wanted = tone(hertz, 400, 80);
            let error: f64 =
                filled.iter().zip(&wanted).map(|(a, b)| f64::from(i32::from(*a) - i32::from(*b)).powi(2)).sum();
            let energy: f64 = wanted.iter().map(|b| f64::from(*b).powi(2)).sum();
            assert!(error < energy * 0.1, "{hertz} Hz: {}", error / energy);
        }
    }

    #[test]
    fn what_was_heard_is_told_in_order_however_it_came() {
        for factor in [1, 2, 6] {
            let mut conceal = Conceal::new(factor);
            let all: Vec<i16> = (0..20_000).map(|n| (n % 30_011) as i16).collect();
            let mut told = 0;
            for (round, length) in
                [160, 160, 160, 1, 399, 400, 0, 401, 160, 80, 2_900, 161, 160].into_iter().enumerate()
            {
                conceal.heard(&mut all[told..told + length].to_vec());
                told += length;
                if round % 3 != 1 {
                    let before = vec![0; (HISTORY * factor).saturating_sub(told)];
                    let last = &all[told.saturating_sub(HISTORY * factor)..told];
                    assert_eq!(conceal.history(), [&before, last].concat(), "{factor} after {told}");
                }
            }
        }
    }

    #[test]
    fn a_long_gap_fades_to_silence() {
        let mut conceal = Conceal::new(1);
        conceal.heard(&mut tone(300.0, 0, 400));
        let mut last = [0; 160];
        let audible: Vec<bool> = (0..6).map(|_| conceal.fill(&mut last)).collect();
        assert_eq!(audible, [true, true, true, true, true, false]);
        assert_eq!(last, [0; 160]);
    }
}
