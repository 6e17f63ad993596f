//! Music on hold, ringback and other tones that a telephone sends into a meeting whose person has put it on hold.
//!
//! Two things tell them from speech. Speech falls by 10 dB within any second or so, between syllables if not between words;
//! and its harmonics glide, while notes and tones stay where they are. The first is cheap and looked at always; the second,
//! a spectrum per tick, only where the first has found nothing for 0.6 s, or something was found already.
//!
//! Who speaks again after music is looked for in another way, for eSpeak's even voices, and some people's, have harmonics that
//! hardly glide: sounds that end before any of their peaks has been where it is for 160 ms, or go on without such peaks, are a
//! voice once there are nine ticks of them more than of music, with a fall among them. A tick of noise is neither.
//!
//! Singing and held vowels of seconds are music to it, and spoken announcements between the music are speech.

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

/// Ticks of a voice, less half of those of music, after which it is music no more. Higher: who says a word is not heard. Lower: music
/// that begins anew after a rest is.
const VOICE: f32 = 9.0;

/// As many count before the first fall. Higher: music that swells and then ends is a voice. Lower: who is louder than the music was
/// loses a syllable more.
const UNPROVEN: f32 = 5.0;

/// What each tick of music takes away, and each of silence: a word is forgotten in 0.4 s of music, or 4 s of silence. More: who says
/// words far between is not heard. Less: notes with rests between add up.
const LESS_BY_MUSIC: f32 = 0.5;
const LESS_BY_SILENCE: f32 = 0.04;

/// Share of a tick's power in peaks that stay, above which it is music where a voice is looked for. Higher: the beginning of a note is a
/// voice. Lower: a vowel is music.
const STILL: f32 = 0.55;

/// Share in its two highest peaks, below which it is noise: of white noise a sixth. Higher: consonants are noise too. Lower: so is none.
const VOICED: f32 = 0.25;

/// 20 dB below the loudest lately counts as silence where a voice is looked for: rests of music on a noisy line. Higher: who speaks
/// softly after loud music is heard late. Lower: noise is looked at.
const REST: f32 = 0.01;

/// A sound of fewer ticks is a click, or the end of a note. More: short syllables do not count. Fewer: clicks do.
const LEAST_SOUND: u8 = 3;

/// Listens to one leg.
#[derive(Debug, Clone)]
pub struct Music {
    factor: usize,
    past: [f32; SPAN],
    window: [f32; SPAN],
    turns: [(f32, f32); BINS],
    ages: [u8; BINS],
    /// Where each peak was when it began.
    homes: [u8; BINS],
    loudest: f32,
    run: u16,
    /// Ticks looked at in a row.
    looked: u8,
    score: i32,
    /// While it is music: how much of a voice there has been.
    voice: f32,
    /// Ticks of a sound of which nothing can be said yet.
    unsaid: u8,
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
            homes: [0; BINS],
            loudest: 0.0,
            run: 0,
            looked: 0,
            score: 0,
            voice: 0.0,
            unsaid: 0,
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
        if self.on && (power < FAINT || power < self.loudest * REST) {
            return self.rest();
        }
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
        if self.on {
            return self.listen(steady, pure);
        }
        if self.looked <= AGE {
            // Nothing can have stayed yet.
            return None;
        }
        if steady > STEADY {
            self.score = (self.score + if pure > PURE { 3 } else { 1 }).min(MOST);
        } else {
            self.score = (self.score - 1).max(0);
        }
        if self.score < MUSIC {
            return None;
        }
        (self.on, self.voice, self.unsaid) = (true, 0.0, 0);
        Some(true)
    }

    /// Looks for a voice in a tick of sound.
    fn listen(&mut self, steady: f32, pure: f32) -> Option<bool> {
        if self.looked <= AGE {
            self.unsaid += 1;
        } else if steady > STILL || pure > PURE {
            self.unsaid = 0;
            self.voice -= LESS_BY_MUSIC;
        } else if pure > VOICED {
            self.voice += 1.0 + f32::from(std::mem::take(&mut self.unsaid));
        }
        self.open()
    }

    /// Takes a tick of silence.
    fn rest(&mut self) -> Option<bool> {
        self.looked = 0;
        let sound = std::mem::take(&mut self.unsaid);
        if sound >= LEAST_SOUND {
            self.voice += f32::from(sound);
        }
        self.voice -= LESS_BY_SILENCE;
        self.open()
    }

    fn open(&mut self) -> Option<bool> {
        let fell = self.run < RUN;
        self.voice = self.voice.clamp(0.0, if fell { VOICE } else { UNPROVEN });
        if self.voice < VOICE {
            return None;
        }
        (self.on, self.score) = (false, 0);
        Some(false)
    }

    /// The share of this tick's power in peaks that have stayed where they are, and in its two highest. Where a voice is looked for
    /// a peak that has glided by more than a bin begins anew.
    fn shares(&mut self) -> (f32, f32) {
        let powers = self.spectrum();
        let at = |bin: usize| powers.get(bin).copied().unwrap_or(0.0);
        let total: f32 = powers.iter().skip(4).sum();
        let (mut ages, mut homes) = ([0u8; BINS], [0u8; BINS]);
        let (mut steady, mut highest) = (0.0, [0.0f32; 2]);
        for bin in 5..BINS - 1 {
            let height = at(bin);
            if height < total * 0.002 || height < at(bin - 1) || height <= at(bin + 1) {
                continue;
            }
            let near =
                [bin - 1, bin, bin + 1].into_iter().filter_map(|near| self.ages.get(near).zip(self.homes.get(near)));
            let (old, home) = near.max_by_key(|(age, _)| **age).map_or((0, 0), |(age, home)| (*age, *home));
            let here = bin as u8;
            let stays = old > 0 && (!self.on || home.abs_diff(here) <= 1);
            let (age, home) = if stays { (old.saturating_add(1), home) } else { (1, here) };
            if let Some((place, begun)) = ages.get_mut(bin).zip(homes.get_mut(bin)) {
                (*place, *begun) = (age, home);
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
        (self.ages, self.homes) = (ages, homes);
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
