//! Music on hold, ringback and other tones that a telephone sends into a meeting whose person has put it on hold.
//!
//! Two things tell them from speech. Speech falls by 10 dB within any second or so, between syllables if not between words;
//! and its harmonics glide, while notes and tones stay where they are. The first is cheap and looked at always; the second,
//! a spectrum per tick, only where the first has found nothing for 0.6 s, or something was found already.
//!
//! Singing and held vowels of seconds are music to it, and spoken announcements between the music are speech. Speech opens
//! the gate within half a second.

use super::{FRAME, Rate};

const BINS: usize = 128;
const SPAN: usize = 2 * BINS;

/// Mean square below which there is silence: −52 dBov.
const FAINT: f32 = 6_800.0;

/// Ticks without a fall before the spectrum is looked at: 0.6 s. More: ringing in bursts of a second is missed. Fewer: work for nothing.
const RUN: u16 = 30;

/// A fall: 10 dB below the loudest lately.
const FALL: f32 = 0.1;

/// Ticks for which a peak has stayed where it is: 160 ms, longer than most vowels.
const AGE: u8 = 8;

/// Share of a tick's power in peaks that stay. Higher: music with drums passes. Lower: slow talkers are music.
const STEADY: f32 = 0.45;

/// Share in one or two peaks: a tone of a telephone network.
const PURE: f32 = 0.9;

/// The score at which it is music: four seconds of it, or 1.3 of a pure tone. Lower: one who hums is cut off.
const MUSIC: i32 = 200;

/// The score does not grow beyond.
const MOST: i32 = 300;

/// Ticks of speech, less those of music, after which it is none any more: 0.4 s.
const SPEECH: u8 = 20;

/// Listens to one leg.
#[derive(Debug, Clone)]
pub struct Music {
    factor: usize,
    past: [f32; SPAN],
    window: [f32; SPAN],
    turns: [(f32, f32); BINS],
    ages: [u8; BINS],
    loudest: f32,
    run: u16,
    /// Ticks looked at in a row.
    looked: u8,
    score: i32,
    speech: u8,
    on: bool,
}

impl Music {
    /// Of a leg of this rate.
    pub fn new(rate: Rate) -> Self {
        let turn = |n: usize| (n as f32 / SPAN as f32 * std::f32::consts::TAU).sin_cos();
        Self {
            factor: rate.factor(),
            past: [0.0; SPAN],
            window: std::array::from_fn(|n| 0.5 - 0.5 * turn(n).1),
            turns: std::array::from_fn(|n| (turn(n).1, -turn(n).0)),
            ages: [0; BINS],
            loudest: 0.0,
            run: 0,
            looked: 0,
            score: 0,
            speech: 0,
            on: false,
        }
    }

    /// Whether what comes is music.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Takes a frame; returns whether it is music now, where that is news.
    pub fn hear(&mut self, frame: &[i16]) -> Option<bool> {
        self.past.copy_within(FRAME.., 0);
        let fresh = self.past.iter_mut().skip(SPAN - FRAME);
        let mut power = 0.0;
        for (place, samples) in fresh.zip(frame.chunks(self.factor)) {
            *place = samples.iter().map(|sample| f32::from(*sample)).sum::<f32>() / self.factor as f32;
            power += *place * *place;
        }
        power /= FRAME as f32;
        self.loudest = power.max(self.loudest * 0.98);
        let fell = power < FAINT || power < self.loudest * FALL;
        self.run = if fell { 0 } else { self.run.saturating_add(1) };
        if power < FAINT {
            self.looked = 0;
            return None;
        }
        if self.run < RUN && self.score < MUSIC / 4 && !self.on {
            self.looked = 0;
            self.score = (self.score - 1).max(0);
            return None;
        }
        self.look()
    }

    fn look(&mut self) -> Option<bool> {
        let (steady, pure) = self.shares();
        self.looked = self.looked.saturating_add(1);
        if self.looked <= AGE {
            // Nothing can have stayed yet.
            return None;
        }
        if steady > STEADY {
            self.score = (self.score + if pure > PURE { 3 } else { 1 }).min(MOST);
            self.speech = self.speech.saturating_sub(1);
        } else {
            self.score = (self.score - 1).max(0);
            // Speech has fallen lately, or has just begun.
            self.speech = (self.speech + u8::from(self.run < RUN)).min(SPEECH);
        }
        let before = self.on;
        if self.score >= MUSIC && !self.on {
            (self.on, self.speech) = (true, 0);
        } else if self.on && self.speech >= SPEECH {
            (self.on, self.score) = (false, 0);
        }
        (self.on != before).then_some(self.on)
    }

    /// The share of this tick's power in peaks that have stayed where they are, and in its two highest.
    fn shares(&mut self) -> (f32, f32) {
        let powers = self.spectrum();
        let at = |bin: usize| powers.get(bin).copied().unwrap_or(0.0);
        let total: f32 = powers.iter().skip(4).sum();
        let mut ages = [0u8; BINS];
        let (mut steady, mut highest) = (0.0, [0.0f32; 2]);
        for bin in 5..BINS - 1 {
            let height = at(bin);
            if height < total * 0.002 || height < at(bin - 1) || height <= at(bin + 1) {
                continue;
            }
            let old = [bin - 1, bin, bin + 1].iter().filter_map(|near| self.ages.get(*near)).max();
            let age = old.copied().unwrap_or(0).saturating_add(1);
            if let Some(place) = ages.get_mut(bin) {
                *place = age;
            }
            // Hann's window makes a tone three bins wide.
            let around = at(bin - 1) + height + at(bin + 1);
            if age > AGE {
                steady += around;
            }
            let [first, second] = &mut highest;
            if around > *first {
                (*first, *second) = (around, *first);
            } else if around > *second {
                *second = around;
            }
        }
        self.ages = ages;
        let total = total.max(1.0);
        ((steady / total).min(1.0), (highest.iter().sum::<f32>() / total).min(1.0))
    }

    /// Powers, bin by bin of 31 Hz.
    fn spectrum(&self) -> [f32; BINS] {
        let mut values = [(0.0f32, 0.0f32); SPAN];
        for (n, (sample, window)) in self.past.iter().zip(&self.window).enumerate() {
            let place = (n as u8).reverse_bits();
            if let Some(value) = values.get_mut(usize::from(place)) {
                *value = (sample * window, 0.0);
            }
        }
        let mut half = 1;
        while half < SPAN {
            let stride = BINS / half;
            for group in values.chunks_exact_mut(2 * half) {
                let (even, odd) = group.split_at_mut(half);
                for ((a, b), turn) in even.iter_mut().zip(odd).zip(self.turns.iter().step_by(stride)) {
                    let turned = (b.0 * turn.0 - b.1 * turn.1, b.0 * turn.1 + b.1 * turn.0);
                    (*a, *b) = ((a.0 + turned.0, a.1 + turned.1), (a.0 - turned.0, a.1 - turned.1));
                }
            }
            half *= 2;
        }
        let mut powers = [0.0; BINS];
        for (power, value) in powers.iter_mut().zip(&values) {
            *power = value.0 * value.0 + value.1 * value.1;
        }
        powers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: usize = 8000;

    fn tone(seconds: usize, parts: &[f32], on: impl Fn(usize) -> bool) -> Vec<i16> {
        let sample =
            |n: usize| parts.iter().map(move |hertz| (n as f32 / 8000.0 * hertz * std::f32::consts::TAU).sin());
        (0..seconds * SECOND).map(|n| if on(n) { (sample(n).sum::<f32>() * 3000.0) as i16 } else { 0 }).collect()
    }

    /// A tune over chords with a beat beneath: three voices that swell, notes of a third of a second.
    fn tune(seconds: usize, rate: Rate) -> Vec<i16> {
        let sampling = (SECOND * rate.factor()) as f32;
        let mut chance = 3u32;
        (0..seconds * SECOND * rate.factor())
            .map(|n| {
                let time = n as f32 / sampling;
                let root = [220.0, 247.0, 196.0, 262.0][time as usize % 4];
                let melody = [880.0, 988.0, 1047.0, 784.0, 880.0, 1319.0][(time * 3.0) as usize % 6];
                let note = |hertz: f32| (time * hertz * std::f32::consts::TAU).sin();
                let beat = (-(time * 2.0).fract() * 18.0).exp();
                chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let hiss = ((chance >> 16) as f32 / 32_768.0 - 1.0) * beat * 0.8;
                let swell = 1.0 - 0.4 * (time * 3.0).fract();
                let chord = note(root) + note(root * 1.26) + note(root * 1.5) + note(root * 2.0) * 0.6;
                ((chord + note(melody) * 1.4 * swell + hiss) * 1500.0) as i16
            })
            .collect()
    }

    /// When it was told what, in ticks.
    fn told(samples: &[i16], rate: Rate) -> Vec<(usize, bool)> {
        let mut music = Music::new(rate);
        let frames = samples.chunks_exact(rate.samples()).enumerate();
        frames.filter_map(|(tick, frame)| music.hear(frame).map(|on| (tick, on))).collect()
    }

    #[test]
    fn tones_of_telephone_networks_are_found_and_the_pauses_between_do_not_hide_them() {
        let dial = tone(10, &[440.0], |_| true);
        let ringback = tone(20, &[440.0, 480.0], |n| n % (6 * SECOND) < 2 * SECOND);
        let german = tone(30, &[425.0], |n| n % (5 * SECOND) < SECOND);
        for (name, samples, within) in [("dial", dial, 150), ("ringback", ringback, 400), ("german", german, 1300)] {
            let told = told(&samples, Rate::Narrow);
            assert!(matches!(told[..], [(tick, true)] if tick < within), "{name}: {told:?}");
        }
    }

    #[test]
    fn music_is_found_within_ten_seconds_at_every_rate() {
        for rate in Rate::ALL {
            let told = told(&tune(30, rate), rate);
            assert!(matches!(told[..], [(tick, true)] if tick < 500), "{rate:?}: {told:?}");
        }
    }

    #[test]
    fn a_fan_is_no_music() {
        let mut chance = 1u32;
        let noise: Vec<i16> = (0..20 * SECOND)
            .map(|_| {
                chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((chance >> 16) as i16) / 20
            })
            .collect();
        assert_eq!(told(&noise, Rate::Narrow), []);
    }
}
