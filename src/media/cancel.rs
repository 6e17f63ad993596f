//! Takes out of a telephone's voice what comes back of what the telephone hears.
//!
//! ```text
//!   what was sent ──► adaptive filter (NLMS, 64 ms around the delay that [`super::echo`] found) ─┐
//!   what comes    ────────────────────────────────────────────────────────────────────────────► − ─► softened while only
//!                                                                                                    the others talk
//! ```
//!
//! The filter follows a line's own echo (a hybrid, a handset) at 8 kHz. What it leaves, and loudspeakers whose echo is no
//! copy, and other rates are softened while nobody talks there. Who talks over the others is let through, with the echo.
//! It costs as much as decoding fifty voices, so it works where echo was found, and nowhere else.

use super::echo::LineEcho;
use super::{FRAME, Rate};

/// Length of the filter, in samples: 64 ms, of which the delay's uncertainty takes 20 either way. More: it learns more slowly.
const TAPS: usize = 512;

/// What was sent so far back is kept: the longest delay that is looked for, and the filter.
const HISTORY: usize = 17 * FRAME + TAPS;

/// Ticks of levels kept.
const TICKS: usize = HISTORY / FRAME;

/// How much of each error is learned from. More: noise is learned as well. Less: a changed delay is heard for longer.
const STEP: f32 = 0.4;

/// Mean square below which nothing audible was sent: −62 dBov.
const FAINT: f32 = 700.0;

/// Somebody talks there where more comes than this many times the power of the echo that was measured: 6 dB.
const TALK: f32 = 4.0;

/// Once the filter takes out this much of the power (9 dB) what it leaves tells who talks.
const LEARNED: f32 = 0.125;

/// Ticks for which one who talked there counts as talking: 160 ms. More: echo is heard after each word. Less: words' ends are lost.
const HANG: u8 = 8;

/// What is softened is turned down by 24 dB. Less: it is heard. More: the line seems dead.
const SOFT: f32 = 0.06;

/// One leg's canceller.
#[derive(Debug, Clone)]
pub struct Canceller {
    linear: bool,
    /// What was sent, at 8 kHz, the newest last.
    sent: Box<[f32; HISTORY]>,
    /// Mean squares of it, tick by tick.
    powers: [f32; TICKS],
    /// The oldest first.
    weights: Box<[f32; TAPS]>,
    /// From the newest tap to now, in samples.
    delay: usize,
    /// Share of the power that comes back.
    share: f32,
    /// What is left of the echo's power after the filter, smoothed.
    left: f32,
    talks: u8,
    gain: f32,
}

impl Canceller {
    /// Of a leg of this rate, with the echo that was found.
    pub fn new(rate: Rate, found: LineEcho) -> Self {
        let mut canceller = Self {
            linear: rate == Rate::Narrow,
            sent: Box::new([0.0; HISTORY]),
            powers: [0.0; TICKS],
            weights: Box::new([0.0; TAPS]),
            delay: 0,
            share: 0.0,
            left: 1.0,
            talks: 0,
            gain: 1.0,
        };
        canceller.aim(found);
        canceller
    }

    /// The echo is another one.
    pub fn aim(&mut self, found: LineEcho) {
        // Levels tell the delay to a tick either way.
        let delay = (usize::from(found.delay_ms) * 8).saturating_sub(FRAME).clamp(FRAME, HISTORY - TAPS - FRAME);
        if delay != self.delay {
            self.weights.fill(0.0);
            self.left = 1.0;
        }
        self.delay = delay;
        self.share = 10f32.powf(-found.loss_db / 10.0).min(2.0);
    }

    /// Takes the frame that is being sent, after [`Canceller::cancel`] had what came in the same tick.
    pub fn refer(&mut self, frame: &[i16]) {
        self.sent.copy_within(FRAME.., 0);
        self.powers.copy_within(1.., 0);
        let factor = (frame.len() / FRAME).max(1);
        let Some(newest) = self.sent.get_mut(HISTORY - FRAME..) else { return };
        for (place, samples) in newest.iter_mut().zip(frame.chunks(factor)) {
            *place = samples.iter().map(|sample| f32::from(*sample)).sum::<f32>() / factor as f32;
        }
        let power = power(newest);
        if let Some(last) = self.powers.last_mut() {
            *last = power;
        }
    }

    /// Takes its echo out of a frame that came.
    pub fn cancel(&mut self, frame: &mut [i16]) {
        let near =
            frame.iter().map(|sample| f32::from(*sample) * f32::from(*sample)).sum::<f32>() / frame.len().max(1) as f32;
        let far = self.loudest();
        if far < FAINT {
            return self.soften(frame, 1.0);
        }
        let over = near > far * self.share * TALK;
        let (left, taken) = if self.linear { self.filter(frame, !over) } else { (near, 0.0) };
        let known = self.linear && self.left < LEARNED;
        if !over && taken > FAINT {
            self.left += ((left / taken).min(1.0) - self.left) * 0.05;
        }
        // What the filter leaves is the echo's tail, unless it is much more than it uses to be.
        let talks = if known { left > taken * 0.5 && left > FAINT } else { over };
        self.talks = if talks || over { HANG } else { self.talks.saturating_sub(1) };
        self.soften(frame, if self.talks > 0 { 1.0 } else { SOFT });
    }

    /// The loudest that was sent within what may come back now.
    fn loudest(&self) -> f32 {
        let newest = TICKS.saturating_sub(self.delay / FRAME);
        let oldest = newest.saturating_sub(TAPS / FRAME + 2);
        self.powers.get(oldest..newest).unwrap_or(&[]).iter().fold(0.0, |most: f32, power| most.max(*power))
    }

    /// Takes out what the filter knows; returns the power that is left and that which was taken.
    fn filter(&mut self, frame: &mut [i16], learns: bool) -> (f32, f32) {
        let start = HISTORY - self.delay - TAPS + 1;
        let mut energy: f32 = self.sent.get(start..start + TAPS).map_or(0.0, |past| past.iter().map(|x| x * x).sum());
        let (mut left, mut taken, mut came) = (0.0, 0.0, 0.0);
        let mut out = [0.0f32; FRAME];
        for (at, (sample, out)) in frame.iter().zip(&mut out).enumerate() {
            let Some(past) = self.sent.get(start + at..start + at + TAPS) else { break };
            let guess = dot(past, self.weights.as_slice());
            let sample = f32::from(*sample);
            let error = sample - guess;
            if learns {
                let step = STEP * error / (energy + TAPS as f32 * FAINT);
                self.weights.iter_mut().zip(past).for_each(|(weight, x)| *weight += step * x);
            }
            let (oldest, next) = (past.first().copied().unwrap_or(0.0), self.sent.get(start + at + TAPS).copied());
            energy += next.unwrap_or(0.0).powi(2) - oldest * oldest;
            (left, taken, came) = (left + error * error, taken + guess * guess, came + sample * sample);
            *out = error;
        }
        if left > came * 1.2 + FAINT {
            // It makes things worse: the delay has changed, or somebody talks.
            self.weights.iter_mut().for_each(|weight| *weight *= 0.7);
            self.left = (self.left + 0.1).min(1.0);
            return (came / FRAME as f32, 0.0);
        }
        for (sample, out) in frame.iter_mut().zip(&out) {
            // `as` holds what is beyond 16 bits at full scale.
            *sample = out.round() as i16;
        }
        (left / FRAME as f32, taken / FRAME as f32)
    }

    fn soften(&mut self, frame: &mut [i16], to: f32) {
        // Opens within a frame, closes over three.
        let to = if to < self.gain { (self.gain * 0.4).max(to) } else { to };
        let from = std::mem::replace(&mut self.gain, to);
        if from == 1.0 && to == 1.0 {
            return;
        }
        let step = (to - from) / frame.len().max(1) as f32;
        let mut gain = from;
        for sample in frame {
            gain += step;
            *sample = (f32::from(*sample) * gain) as i16;
        }
    }
}

/// In eight sums side by side, which compilers make vectors of.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

fn power(samples: &[f32]) -> f32 {
    samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise of a voice's rhythm and, roughly, its colour.
    fn voice(seed: u32, frames: usize, loud: f32) -> Vec<i16> {
        let mut chance = seed;
        let mut next = move || {
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (chance >> 16) as f32 / 32_768.0 - 1.0
        };
        let (mut low, mut word) = (0.0f32, 0.0f32);
        (0..frames * FRAME)
            .map(|n| {
                if n % 2400 == 0 {
                    word = if next() > -0.4 { 0.4 + 0.6 * next().abs() } else { 0.0 };
                }
                low = low * 0.7 + next() * 0.7;
                (low * word * loud) as i16
            })
            .collect()
    }

    /// A line that sends back what it hears: so much later, so much softer, blurred over 4 ms.
    fn echo(sent: &[i16], delay: usize, part: f32) -> Vec<f32> {
        (0..sent.len())
            .map(|n| {
                let tap = |k: usize| {
                    let at = n.checked_sub(delay + k).and_then(|at| sent.get(at)).copied().unwrap_or(0);
                    f32::from(at) * 0.85f32.powi(k as i32) * if k % 3 == 1 { -0.6 } else { 0.5 }
                };
                (0..32).map(tap).sum::<f32>() * part
            })
            .collect()
    }

    fn loud(samples: &[i16]) -> f32 {
        samples.iter().map(|s| f32::from(*s).powi(2)).sum::<f32>() / samples.len() as f32
    }

    fn run(rate: Rate, sent: &[i16], back: &[i16], found: LineEcho) -> Vec<i16> {
        let mut canceller = Canceller::new(rate, found);
        let mut out = back.to_vec();
        for (out, sent) in out.chunks_mut(rate.samples()).zip(sent.chunks(rate.samples())) {
            canceller.cancel(out);
            canceller.refer(sent);
        }
        out
    }

    fn decibels(before: &[i16], after: &[i16]) -> f32 {
        10.0 * (loud(before) / loud(after).max(0.01)).log10()
    }

    #[test]
    fn echo_is_20_db_softer_a_second_after_it_was_found_wherever_within_the_tick_it_lies() {
        let sent = voice(1, 400, 9000.0);
        for delay in [3 * FRAME - 150, 3 * FRAME, 3 * FRAME + 150, 15 * FRAME] {
            let back: Vec<i16> = echo(&sent, delay, 0.3).iter().map(|sample| *sample as i16).collect();
            let lag = (delay + 80) / FRAME * 20;
            let found = LineEcho { delay_ms: lag as u16, loss_db: decibels(&sent, &back) };
            let out = run(Rate::Narrow, &sent, &back, found);
            let less = decibels(&back[50 * FRAME..], &out[50 * FRAME..]);
            assert!(less > 20.0, "{delay} samples: {less} dB");
        }
    }

    #[test]
    fn who_talks_over_the_others_is_heard_as_loud_as_he_talks_and_without_most_of_the_echo() {
        let (sent, talk) = (voice(1, 500, 9000.0), voice(77, 500, 6000.0));
        let echo = echo(&sent, 3 * FRAME, 0.3);
        // For the first five seconds the others alone.
        let near = |n: usize| if n < 250 * FRAME { 0.0 } else { f32::from(talk[n]) };
        let back: Vec<i16> = echo.iter().enumerate().map(|(n, echo)| (echo + near(n)) as i16).collect();
        let only: Vec<i16> = echo.iter().map(|sample| *sample as i16).collect();
        let found = LineEcho { delay_ms: 60, loss_db: decibels(&sent, &only) };
        let out = run(Rate::Narrow, &sent, &back, found);
        let late = 250 * FRAME..500 * FRAME;
        let kept = -decibels(&talk[late.clone()], &out[late.clone()]);
        assert!(kept.abs() < 2.0, "{kept} dB");
        let error: Vec<i16> = late.clone().map(|n| out[n].wrapping_sub(talk[n])).collect();
        let (before, after) = (loud(&only[late.clone()]), loud(&error));
        assert!(after < before * 0.6, "the echo beneath has {after} of {before}");
    }

    #[test]
    fn who_talks_while_nothing_is_sent_is_untouched() {
        let talk = voice(5, 200, 6000.0);
        let found = LineEcho { delay_ms: 60, loss_db: 12.0 };
        for rate in Rate::ALL {
            let silence = vec![0; talk.len()];
            assert_eq!(run(rate, &silence, &talk, found), talk);
        }
    }

    #[test]
    fn at_other_rates_echo_is_softened_while_only_the_others_talk() {
        let narrow = voice(1, 300, 9000.0);
        let sent: Vec<i16> = narrow.iter().flat_map(|sample| [*sample, *sample]).collect();
        let back: Vec<i16> = (0..sent.len()).map(|n| if n < 960 { 0 } else { sent[n - 960] / 4 }).collect();
        let out = run(Rate::Wide, &sent, &back, LineEcho { delay_ms: 60, loss_db: 12.0 });
        assert!(decibels(&back, &out) > 15.0, "{}", decibels(&back, &out));
    }
}
