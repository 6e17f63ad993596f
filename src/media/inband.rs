//! Keys that come as tones in the voice (ITU-T Q.23, Q.24), for telephones and lines that send them no other way: found
//! by Goertzel's algorithm, told, and kept from the others' ears.
//!
//! Two measures, every 10 ms. Over the last 20 ms, what is needed to be sure: two such in a row are a key, so that 40 ms
//! of tone are always enough and speech is rarely taken for one. Over the last 10 ms alone, what is enough to be
//! suspicious: these are silenced at once, because what has been heard cannot be taken back.

use super::Rate;

/// The frequencies of rows and columns.
const TONES: [f32; 8] = [697.0, 770.0, 852.0, 941.0, 1209.0, 1336.0, 1477.0, 1633.0];

const KEYS: [[char; 4]; 4] = [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];

/// Samples of 10 ms at 8 kHz.
const HOP: usize = 80;

/// Mean power below which nobody keyed: −43 dBov, well below what a telephone sends. Lower: crosstalk keys.
const QUIET: f32 = 230.0 * 230.0;

/// Share of the power that the two tones must have to be a key. Higher: noisy lines lose keys. Lower: voices key.
const SURE: f32 = 0.85;

/// The same to be silenced on suspicion. Lower: vowels are cut. Higher: the tone's first 10 ms are heard.
const SUSPICIOUS: f32 = 0.80;

/// How much stronger one tone may be than the other: 8 dB (Q.24 asks for 4 one way and up to 10 the other).
const TWIST: f32 = 6.3;

/// The same on suspicion: 6 dB. Telephones' keys have less; voices' harmonics mostly more.
const USUAL_TWIST: f32 = 4.0;

/// How much stronger a tone must be than its neighbours in its group: 6 dB.
const NEIGHBOURS: f32 = 4.0;

/// Hops without the tone before the key is up: 20 ms. A pause between two presses lasts 40 ms at least.
const UP: u8 = 2;

/// Listens to one leg.
#[derive(Debug, Clone)]
pub struct Inband {
    /// How many times 8 kHz.
    factor: usize,
    coefficients: [f32; 8],
    /// The hop before.
    before: Box<[i16]>,
    /// What the last 20 ms were taken for.
    last: Option<char>,
    /// The key that is down.
    down: Option<char>,
    /// Hops since it was heard last.
    gone: u8,
    /// The last hop was silenced.
    silenced: bool,
}

impl Inband {
    /// Of a leg of this rate.
    pub fn new(rate: Rate) -> Self {
        let factor = rate.factor();
        let sampling = 8000.0 * factor as f32;
        Self {
            factor,
            coefficients: TONES.map(|hertz| 2.0 * (std::f32::consts::TAU * hertz / sampling).cos()),
            before: vec![0; HOP * factor].into(),
            last: None,
            down: None,
            gone: 0,
            silenced: false,
        }
    }

    /// Takes a frame, silences what of it is a key, and returns the key that went down in it.
    pub fn hear(&mut self, frame: &mut [i16]) -> Option<char> {
        let length = HOP * self.factor;
        let mut pressed = None;
        for at in (0..frame.len()).step_by(length.max(1)) {
            let (past, rest) = frame.split_at_mut(at);
            let Some(hop) = rest.get_mut(..length) else { break };
            let alone = self.measure(hop, &[], SUSPICIOUS, USUAL_TWIST);
            let both = self.measure(&self.before, hop, SURE, TWIST);
            self.before.copy_from_slice(hop);
            if both.is_some() && both == self.last && self.down != both {
                (self.down, pressed) = (both, both);
            }
            self.last = both;
            self.gone = if both.is_some() { 0 } else { self.gone.saturating_add(1) };
            if self.gone >= UP {
                self.down = None;
            }
            let silence = alone.is_some() || both.is_some() || self.down.is_some();
            if silence && !self.silenced {
                // The tone began within the hop before, or at its end: what of that is not yet heard goes, too.
                let from = past.len().saturating_sub(length / 2);
                fade(past.get_mut(from..).unwrap_or(&mut []), true);
                if past.is_empty() {
                    fade(hop, true);
                } else {
                    hop.fill(0);
                }
            } else if silence {
                hop.fill(0);
            } else if self.silenced {
                fade(hop, false);
            }
            self.silenced = silence;
        }
        pressed
    }

    /// Whether a key is down, or may be: nobody speaks.
    pub fn is_down(&self) -> bool {
        self.down.is_some() || self.silenced
    }

    /// The key that two runs of samples are, taken as one.
    fn measure(&self, first: &[i16], second: &[i16], share: f32, twist: f32) -> Option<char> {
        let samples = || first.iter().chain(second).map(|sample| f32::from(*sample));
        let count = (first.len() + second.len()) as f32;
        let power = samples().map(|sample| sample * sample).sum::<f32>() / count.max(1.0);
        if power < QUIET {
            return None;
        }
        // All eight abreast, which compilers make vectors of.
        let (mut ones, mut twos) = ([0.0f32; 8], [0.0f32; 8]);
        for sample in samples() {
            for ((one, two), coefficient) in ones.iter_mut().zip(&mut twos).zip(&self.coefficients) {
                (*one, *two) = (sample + coefficient * *one - *two, *one);
            }
        }
        let mut powers = [0.0; 8];
        for (((power, one), two), coefficient) in powers.iter_mut().zip(ones).zip(twos).zip(&self.coefficients) {
            // Of a tone of amplitude a, |X|² is (a · n / 2)², and its power a² / 2.
            *power = 2.0 * (one * one + two * two - coefficient * one * two) / (count * count);
        }
        let (rows, columns) = powers.split_at(4);
        let ((row, low), (column, high)) = (strongest(rows)?, strongest(columns)?);
        let fits = low + high >= share * power && low < high * twist && high < low * twist;
        fits.then(|| KEYS.get(row)?.get(column).copied()).flatten()
    }
}

/// The one that is stronger than all others of its group by far.
fn strongest(group: &[f32]) -> Option<(usize, f32)> {
    let (place, power) = group.iter().copied().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    let next = group.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, power)| *power);
    (power > NEIGHBOURS * next.fold(0.0, f32::max)).then_some((place, power))
}

/// Out over the first quarter and silent after it, or in over all of it.
fn fade(samples: &mut [i16], out: bool) {
    let length = i32::try_from(samples.len()).unwrap_or(0).max(1);
    for (at, sample) in (0..length).zip(samples.iter_mut()) {
        let gain = if out { (length - 4 * at).max(0) } else { at };
        *sample = i16::try_from(i32::from(*sample) * gain / length).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: &str = "123A456B789C*0#D";

    /// A key of so many milliseconds, each tone of this amplitude.
    fn press(key: char, ms: usize, rate: Rate, amplitude: f32) -> Vec<i16> {
        let at = EVERY.find(key).unwrap();
        let sampling = 8000.0 * rate.factor() as f32;
        let sine = |hertz: f32, n: usize| (n as f32 * hertz * std::f32::consts::TAU / sampling).sin() * amplitude;
        let (row, column) = (TONES[at / 4], TONES[4 + at % 4]);
        (0..ms * 8 * rate.factor()).map(|n| (sine(row, n) + sine(column, n)) as i16).collect()
    }

    /// The keys that were heard, and what is left of the sound.
    fn through(rate: Rate, samples: &[i16]) -> (String, Vec<i16>) {
        let mut inband = Inband::new(rate);
        let (mut keys, mut left) = (String::new(), Vec::new());
        for frame in samples.chunks(rate.samples()) {
            let mut frame = frame.to_vec();
            frame.resize(rate.samples(), 0);
            keys.extend(inband.hear(&mut frame));
            left.extend(frame);
        }
        (keys, left)
    }

    #[test]
    fn every_key_of_40_ms_is_heard_at_every_rate_wherever_it_begins_and_told_once() {
        for rate in Rate::ALL {
            for late in [0, 3, 7, 11, 17] {
                let mut samples = Vec::new();
                for key in EVERY.chars().chain("77".chars()) {
                    samples.extend(vec![0; (40 + late) * 8 * rate.factor()]);
                    samples.extend(press(key, 43, rate, 3000.0));
                }
                samples.extend(vec![0; 800]);
                assert_eq!(through(rate, &samples).0, format!("{EVERY}77"), "{rate:?} {late}");
            }
        }
    }

    #[test]
    fn others_hear_at_most_12_ms_of_a_key() {
        for late in 0..20 {
            let mut samples = vec![0; (200 + late) * 8];
            samples.extend(press('5', 200, Rate::Narrow, 3000.0));
            samples.extend(vec![0; 1600]);
            let (_, left) = through(Rate::Narrow, &samples);
            let heard = left.iter().filter(|sample| sample.unsigned_abs() > 300).count();
            assert!(heard <= 96, "{late}: {heard} samples");
        }
    }

    #[test]
    fn a_single_tone_a_chord_and_noise_are_no_key_and_pass_whole() {
        let sine = |hertz: f32| move |n: usize| (n as f32 * hertz * std::f32::consts::TAU / 8000.0).sin() * 4000.0;
        let dial: Vec<i16> = (0..8000).map(|n| (sine(350.0)(n) + sine(440.0)(n)) as i16).collect();
        let single: Vec<i16> = (0..8000).map(|n| sine(941.0)(n) as i16).collect();
        let chord: Vec<i16> = (0..8000).map(|n| (sine(697.0)(n) + sine(1100.0)(n) + sine(1650.0)(n)) as i16).collect();
        let mut chance = 1u32;
        let noise: Vec<i16> = (0..8000)
            .map(|_| {
                chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((chance >> 16) as i16) / 8
            })
            .collect();
        for samples in [dial, single, chord, noise] {
            assert_eq!(through(Rate::Narrow, &samples), (String::new(), samples));
        }
    }

    #[test]
    fn a_key_beside_noise_20_db_below_is_heard_and_a_faint_one_is_not() {
        let mut chance = 1u32;
        let mut noisy = press('9', 80, Rate::Narrow, 3000.0);
        for sample in &mut noisy {
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample += ((chance >> 16) as i16) / 60;
        }
        assert_eq!(through(Rate::Narrow, &noisy).0, "9");
        assert_eq!(through(Rate::Narrow, &press('9', 80, Rate::Narrow, 100.0)).0, "");
    }
}
