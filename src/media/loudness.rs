//! Loudness levelling: everybody is brought, slowly, to about the same loudness.
//!
//! What counts is how loud somebody is while talking (the active level of ITU-T P.56, in dBov: 0 is the square wave of full
//! scale), not how loud a pause or a shout is. Only speech is measured: a frame that is well above the noise beneath, in
//! two seconds that have pauses, as speech has and music, tones and machines' noise have not. What is no speech keeps the
//! gain that is there, which begins at none. Peaks that the gain would push beyond full scale are bent, not cut.

use super::mix;
use crate::base::wide::{alter, largest, sum, wide};

/// What everybody is brought to: −20 dBov. Higher: loud voices are bent more. Lower: all are soft.
const TARGET: f32 = -20.0;

/// Most gain either way in dB. More: the noise of quiet lines comes up with the voice.
const MOST: f32 = 12.0;

/// Gain rises by this much per frame of speech: 2 dB a second. Quicker: it is heard to pump.
const RISE: f32 = 0.04;

/// And falls by this much: 6 dB a second. Who is too loud hurts, who is too soft only strains.
const FALL: f32 = 0.12;

/// Frames of speech before anything is done: half a second.
const FIRST: u32 = 25;

/// Frames of speech over which the level is a plain mean; then older ones fade: 4 s.
const SPAN: u32 = 200;

/// Within this of the target nothing is changed, in dB: a voice itself varies by more.
const CLOSE: f32 = 1.0;

/// Fainter than this is not speech that anybody should hear louder: −52 dBov.
const FAINT: f32 = 32_768.0 * 32_768.0 * 6.3e-6;

/// Speech is this many times the noise's power: 9 dB.
const OVER_NOISE: f32 = 8.0;

/// Frames in which there must be pauses: 2 s.
const WINDOW: usize = 100;

/// Pauses are frames this far below the loudest of the window, in power: 15 dB, to within half of one by [`coarse`]; and there are at least so many.
const PAUSE: f32 = 0.03;
const PAUSES: usize = 12;

/// Ticks within which what went out may come back: 320 ms, as far as echo is looked for. More: who takes turns quickly is levelled later. Less:
/// mobile networks' echo is taken for a voice.
const BACK: usize = 16;

/// A voice is its own where its power is this many times the square of the loudest mean magnitude that went to it: of one sound, power is one and a half
/// to two times that. Less: the echo of a line that loses nothing is levelled up. More: who talks over others is not heard by this.
const OWN: f32 = 2.0;

/// The level of one leg's voice and the gain that it gets.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub struct Loudness {
    floor: f32,
    /// Powers of the last frames, each by [`coarse`].
    window: [u8; WINDOW],
    at: u8,
    seen: u8,
    /// Mean power of speech, and of how many frames.
    speech: f32,
    heard: u32,
    /// In dB.
    gain: f32,
    /// What was applied last, of [`ONE`].
    applied: i16,
}

/// How loud others' voices were that went to a leg in the last ticks: what is softer may be their echo. Apart from [`Loudness`], for it is written at every
/// tick, and that is of those who speak.
#[derive(Debug, Clone, Copy, Default)]
pub struct Others {
    loudness: [u16; BACK],
    newest: u8,
}

impl Others {
    /// Takes how loud they are in this tick, as mean magnitude.
    pub fn hear(&mut self, loudness: u16) {
        self.newest = (self.newest + 1) % BACK as u8;
        if let Some(place) = self.loudness.get_mut(usize::from(self.newest)) {
            *place = loudness;
        }
    }

    fn loudest(&self) -> u16 {
        self.loudness.iter().fold(0, |most, loudness| (*loudness).max(most))
    }
}

/// A gain of 1.
const ONE: i16 = 4096;

impl Default for Loudness {
    fn default() -> Self {
        Self { floor: 0.0, window: [0; WINDOW], at: 0, seen: 0, speech: 0.0, heard: 0, gain: 0.0, applied: ONE }
    }
}

impl Loudness {
    /// Takes a frame that is heard, and levels it; `others` may be what it is the echo of, `echo` says that its line was found to echo, and nothing takes
    /// that out.
    pub fn level(&mut self, frame: &mut [i16], others: &Others, echo: bool) {
        let (power, before) = (power(frame), self.gain);
        // What comes back of others' voices would be made louder, and louder again there.
        let own = power > OWN * f32::from(others.loudest()).powi(2);
        if self.is_speech(power) && own {
            self.heard = (self.heard + 1).min(SPAN);
            self.speech += (power - self.speech) / self.heard as f32;
            if self.heard >= FIRST {
                let active = 10.0 * (self.speech.max(1.0) / (32_768.0 * 32_768.0)).log10();
                let wanted = (TARGET - active).clamp(-MOST, MOST);
                let change = wanted - self.gain;
                if change.abs() > CLOSE {
                    self.gain += change.clamp(-FALL, RISE);
                }
            }
        }
        if echo && self.gain > 0.0 {
            self.gain = (self.gain - FALL).max(0.0);
        }
        let to = if self.gain == before { self.applied } else { factor(self.gain) };
        apply(frame, self.applied, to);
        self.applied = to;
    }

    /// How loud the others hear it that was so loud.
    pub fn heard(&self, loudness: u16) -> u16 {
        let levelled = u32::from(loudness) * u32::from(self.applied.unsigned_abs()) / u32::from(ONE.unsigned_abs());
        u16::try_from(levelled).unwrap_or(u16::MAX)
    }

    /// The gain in dB.
    pub fn gain(&self) -> f32 {
        self.gain
    }

    fn is_speech(&mut self, power: f32) -> bool {
        self.floor =
            if power < self.floor { self.floor + (power - self.floor) / 8.0 } else { self.floor * 1.005 + 1.0 };
        if let Some(place) = self.window.get_mut(usize::from(self.at)) {
            *place = coarse(power);
        }
        self.at = (self.at + 1) % WINDOW as u8;
        self.seen = (self.seen + 1).min(WINDOW as u8);
        if power < FAINT || power < self.floor * OVER_NOISE {
            return false;
        }
        let seen = usize::from(self.seen);
        pauses(self.window.get(..seen).unwrap_or(&[])) * WINDOW >= PAUSES * seen
    }
}

/// Bits of a power below those that tell eighths of a doubling.
const EIGHTHS: u32 = 20;

/// A power to within half a decibel, in a number of the same order: the upper bits of it. Many are compared in a moment, and take little memory.
fn coarse(power: f32) -> u8 {
    let least = 1f32.to_bits() >> EIGHTHS;
    u8::try_from((power.max(1.0).to_bits() >> EIGHTHS) - least).unwrap_or(u8::MAX)
}

/// The power again: the middle of what it may have been.
fn fine(coarse: u8) -> f32 {
    f32::from_bits((u32::from(coarse) << EIGHTHS) + (1 << (EIGHTHS - 1)) + 1f32.to_bits())
}

/// A gain in dB, of [`ONE`]: ±12 dB fit well.
fn factor(gain: f32) -> i16 {
    (10f32.powf(gain / 20.0) * f32::from(ONE)) as i16
}

wide! {
    /// How many of these are pauses.
    fn pauses(powers: &[u8]) -> usize {
        let loudest = powers.iter().fold(0, |most, power| (*power).max(most));
        let quiet = coarse(fine(loudest) * PAUSE);
        // At most a hundred: a number as narrow as what is counted, so that many are counted at once.
        usize::from(powers.iter().fold(0u8, |count, power| count + u8::from(*power < quiet)))
    }
}

wide! {
    /// A frame's power.
    fn power(frame: &[i16]) -> f32 {
        sum(frame, |sample| f32::from(sample) * f32::from(sample)) / frame.len().max(1) as f32
    }
}

wide! {
    /// Scales by a gain that goes from one value to another in steps that nobody hears.
    fn apply(frame: &mut [i16], from: i16, to: i16) {
        /// Steps of 2 ms: 0.012 dB at most.
        const STEPS: usize = 10;
        if from == ONE && to == ONE {
            return;
        }
        let loudest = largest(frame, i16::unsigned_abs);
        let most = (i32::from(loudest) * i32::from(from.max(to))) >> 12;
        if from == to {
            return scale(frame, to, most);
        }
        let change = i32::from(to) - i32::from(from);
        for (step, piece) in (1..).zip(frame.chunks_mut(frame.len().div_ceil(STEPS).max(1))) {
            scale(piece, from + (change * step / STEPS as i32) as i16, most);
        }
    }
}

/// Scales samples of which the loudest becomes so loud.
#[inline(always)]
fn scale(samples: &mut [i16], gain: i16, most: i32) {
    let scaled = |sample: i16| (i32::from(sample) * i32::from(gain)) >> 12;
    if most < mix::KNEE {
        alter(samples, |sample| scaled(sample) as i16);
    } else {
        alter(samples, |sample| mix::bend(scaled(sample)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::wide::tests::on_each;
    use crate::media::FRAME;

    #[test]
    fn a_voice_is_levelled_alike_by_whatever_processor() {
        for (length, most) in [(160, 900), (480, 30_000), (70, 32_767)] {
            let frame: Vec<i16> = (0..length).map(|n| (n * 7919 % (2 * most) - most) as i16).collect();
            let levelled = on_each(|| {
                let mut levelled = [(ONE, ONE), (ONE, 9000), (9000, 9000), (3000, 1000)].map(|(from, to)| {
                    let mut frame = frame.clone();
                    apply(&mut frame, from, to);
                    frame
                });
                levelled.iter_mut().for_each(|frame| {
                    frame.push(pauses(&frame[..70].iter().map(|sample| *sample as u8).collect::<Vec<_>>()) as i16)
                });
                (levelled, power(&frame))
            });
            let end = levelled.0[2][..frame.len()].iter().zip(&frame);
            assert!(end.clone().all(|(to, from)| *to == mix::bend((i32::from(*from) * 9000) >> 12)), "{length}");
            assert_eq!(levelled.0[0][..frame.len()], frame);
        }
    }

    /// Words: 300 ms of a buzz that changes its pitch, 150 ms of silence; so loud while it is on.
    fn talk(seconds: usize, dbov: f32) -> Vec<i16> {
        let amplitude = 32_768.0 * 10f32.powf(dbov / 20.0) * std::f32::consts::SQRT_2;
        (0..seconds * 8000)
            .map(|n| {
                let (word, at) = (n / 3600, n % 3600);
                let hertz = 120.0 + 40.0 * (word % 4) as f32;
                let on = if at < 2400 { 1.0 } else { 0.0 };
                ((n as f32 * hertz * std::f32::consts::TAU / 8000.0).sin() * amplitude * on) as i16
            })
            .collect()
    }

    fn dbov(samples: &[i16]) -> f32 {
        let loud: Vec<f32> = samples.chunks(FRAME).map(power).filter(|power| *power > 1000.0).collect();
        10.0 * (loud.iter().sum::<f32>() / loud.len() as f32 / (32_768.0 * 32_768.0)).log10()
    }

    fn levelled(samples: &[i16]) -> (Vec<i16>, f32) {
        let mut loudness = Loudness::default();
        let mut out = samples.to_vec();
        out.chunks_mut(FRAME).for_each(|frame| loudness.level(frame, &Others::default(), false));
        (out, loudness.gain())
    }

    #[test]
    fn soft_and_loud_people_are_equally_loud_after_some_seconds() {
        for spoken in [-30.0, -26.0, -20.0, -14.0, -11.0] {
            let (out, _) = levelled(&talk(15, spoken));
            let heard = dbov(&out[10 * 8000..]);
            assert!((heard + 20.0).abs() < 2.0, "{spoken} is heard at {heard}");
        }
        let (out, gain) = levelled(&talk(15, -40.0));
        assert!((gain - 12.0).abs() < 1.1, "{gain}");
        assert!(dbov(&out[10 * 8000..]) < -27.0, "and no further: the line's noise would come up");
    }

    #[test]
    fn an_echo_of_others_is_not_made_louder_before_it_is_found_nor_after() {
        let gain_after = |sent: u16, echo: bool| {
            let (mut loudness, mut others) = (Loudness::default(), Others::default());
            for (tick, frame) in talk(15, -30.0).chunks_mut(FRAME).enumerate() {
                // Now and then, as words are.
                others.hear(if tick % 12 == 0 { sent } else { 0 });
                loudness.level(frame, &others, echo);
            }
            loudness.gain()
        };
        // −30 dBov of speech are 1,036 in the root of the mean of squares.
        assert!(gain_after(650, false) > 8.0, "who talks louder than what goes to it");
        assert_eq!(gain_after(900, false), 0.0, "as loud as what goes to it, but for what the measures differ by");
        assert_eq!(gain_after(2000, false), 0.0);
        assert!(gain_after(0, true) < 0.2);
    }

    #[test]
    fn nobody_hears_it_happen_and_nothing_is_cut() {
        let samples = talk(12, -30.0);
        let mut loudness = Loudness::default();
        let mut last = 0.0;
        for frame in samples.chunks(FRAME) {
            loudness.level(&mut frame.to_vec(), &Others::default(), false);
            assert!((loudness.gain() - last).abs() <= 0.121);
            last = loudness.gain();
        }
        // Then a shout: bent, never wrapped.
        let mut shout: Vec<i16> = talk(1, -3.5);
        let before = shout.clone();
        shout.chunks_mut(FRAME).for_each(|frame| loudness.level(frame, &Others::default(), false));
        assert!(shout.iter().zip(&before).all(|(out, sample)| i32::from(*out) * i32::from(*sample) >= 0));
        assert!(shout.iter().any(|sample| *sample > 28_000) && shout.iter().all(|sample| *sample > i16::MIN));
    }

    #[test]
    fn music_a_tone_and_the_noise_of_a_line_keep_their_loudness() {
        let tone: Vec<i16> = (0..160_000).map(|n| ((n as f32 * 0.345).sin() * 900.0) as i16).collect();
        // Three notes at a time, another chord each half second, each swelling a little.
        let music: Vec<i16> = (0..160_000)
            .map(|n| {
                let root = [220.0, 247.0, 196.0, 262.0][n / 4000 % 4];
                let swell = 0.7 + 0.3 * (n as f32 / 4000.0 * std::f32::consts::TAU).sin();
                let note = |times: f32| (n as f32 * root * times * std::f32::consts::TAU / 8000.0).sin();
                ((note(1.0) + note(1.26) + note(1.5)) * 500.0 * swell) as i16
            })
            .collect();
        let mut chance = 1u32;
        let noise: Vec<i16> = (0..160_000)
            .map(|_| {
                chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((chance >> 16) as i16) / 100
            })
            .collect();
        for samples in [tone, music, noise] {
            let (out, gain) = levelled(&samples);
            assert_eq!(gain, 0.0);
            assert_eq!(out, samples);
        }
    }

    #[test]
    fn talk_over_a_noisy_line_is_levelled_and_the_pauses_between_do_not_swell_on() {
        let mut chance = 1u32;
        let mut noise = move || {
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((chance >> 16) as i16) / 400
        };
        let mut samples: Vec<i16> = talk(10, -30.0).iter().map(|sample| sample + noise()).collect();
        samples.extend((0..80_000).map(|_| noise()));
        let mut loudness = Loudness::default();
        let mut gains = Vec::new();
        for frame in samples.chunks(FRAME) {
            loudness.level(&mut frame.to_vec(), &Others::default(), false);
            gains.push(loudness.gain());
        }
        assert!((gains[499] - 10.0).abs() < 2.0, "{}", gains[499]);
        assert_eq!(gains[999], gains[510], "ten seconds of noise alone change nothing");
    }
}
