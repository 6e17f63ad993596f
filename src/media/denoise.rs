//! Steady noise made softer: a fan, a car, a bad line.
//!
//! The voice is split into bands by first-order filters whose outputs add up to what went in, so that nothing is changed
//! where no band is. In each the noise is what never falls away (the least of the last seconds), and a band is turned down
//! as far as it is no more than that. There is no delay: 5 ms are measured and turned down themselves.
//!
//! It costs about half a millisecond per leg and second at 8 kHz, and takes steady noise alone: no dog, no keyboard. A
//! network trained for it (RNNoise) does better, but works at 48 kHz only.

use super::Rate;

/// Where bands meet, in hertz; those beyond a rate's own range are left out.
const EDGES: [f32; 6] = [250.0, 600.0, 1200.0, 2200.0, 4500.0, 9000.0];

const BANDS: usize = EDGES.len() + 1;

/// Samples measured at once, at 8 kHz: 5 ms. More: words begin softly. Fewer: low voices are heard to rattle.
const BLOCK: usize = 40;

/// Least gain: −14 dB. Less: the line seems dead between words, and the noise is heard to come and go.
const LEAST: f32 = 0.2;

/// How many times the least is taken for the noise: the least is below the mean.
const BIAS: f32 = 3.5;

/// Blocks in which the least is looked for, twice: 1.5 s together at most. Longer: what begins to hum goes on humming.
/// Shorter: vowels that last are taken for noise.
const SPAN: u16 = 150;

/// Blocks after which a gain that falls has fallen by two thirds: 30 ms. It rises at once: a word's beginning is whole.
const RELEASE: f32 = 6.0;

#[derive(Debug, Clone, Copy)]
struct Band {
    /// Of the filter: its coefficient and its state.
    share: f32,
    state: f32,
    smooth: f32,
    /// The least of this span and of the one before.
    least: [f32; 2],
    gain: f32,
}

/// Makes the noise of one leg softer.
#[derive(Debug, Clone)]
pub struct Denoise {
    factor: usize,
    count: usize,
    bands: [Band; BANDS],
    blocks: u16,
}

impl Denoise {
    /// Of a leg of this rate.
    pub fn new(rate: Rate) -> Self {
        let factor = rate.factor();
        let sampling = 8000.0 * factor as f32;
        let share = |hertz: f32| 1.0 - (-std::f32::consts::TAU * hertz / sampling).exp();
        let mut edges = EDGES.iter().map(|hertz| share(*hertz));
        let bands = std::array::from_fn(|_| Band {
            share: edges.next().unwrap_or(1.0),
            state: 0.0,
            smooth: 0.0,
            least: [f32::MAX; 2],
            gain: 1.0,
        });
        let below = EDGES.iter().filter(|hertz| **hertz < sampling * 0.4).count();
        Self { factor, count: below + 1, bands, blocks: 0 }
    }

    /// Takes a frame and makes its noise softer.
    pub fn refine(&mut self, frame: &mut [i16]) {
        for block in frame.chunks_mut(BLOCK * self.factor) {
            self.block(block);
        }
    }

    fn block(&mut self, block: &mut [i16]) {
        let mut parts = [[0.0f32; BLOCK * 6]; BANDS];
        let mut powers = [0.0f32; BANDS];
        let last = self.count - 1;
        for (at, sample) in block.iter().enumerate() {
            let mut rest = f32::from(*sample);
            for ((index, band), (part, power)) in
                self.bands.iter_mut().enumerate().zip(parts.iter_mut().zip(&mut powers)).take(self.count)
            {
                let low = if index == last {
                    rest
                } else {
                    band.state += (rest - band.state) * band.share;
                    band.state
                };
                rest -= low;
                *power += low * low;
                if let Some(place) = part.get_mut(at) {
                    *place = low;
                }
            }
        }
        self.blocks += 1;
        let turn = self.blocks >= SPAN;
        if turn {
            self.blocks = 0;
        }
        let mut sum = [0.0f32; BLOCK * 6];
        let length = block.len().max(1) as f32;
        for ((band, part), power) in self.bands.iter_mut().zip(&parts).zip(&powers).take(self.count) {
            let from = band.gain;
            band.follow(power / length, turn);
            let step = (band.gain - from) / length;
            let mut gain = from;
            for (sum, sample) in sum.iter_mut().zip(part).take(block.len()) {
                gain += step;
                *sum += sample * gain;
            }
        }
        for (sample, sum) in block.iter_mut().zip(&sum) {
            // `as` holds what is beyond 16 bits at full scale.
            *sample = sum.round() as i16;
        }
    }
}

impl Band {
    fn follow(&mut self, power: f32, turn: bool) {
        // Falls quickly, so that the noise is seen between two words.
        self.smooth += (power - self.smooth) * if power < self.smooth { 0.35 } else { 0.15 };
        let [now, before] = &mut self.least;
        *now = now.min(self.smooth);
        let noise = now.min(*before) * BIAS;
        if turn {
            (*before, *now) = (*now, self.smooth);
        }
        // A word's first 5 ms count by themselves.
        let power = power.max(self.smooth).max(1.0);
        let wanted = (1.0 - noise / power).max(0.0).sqrt().clamp(LEAST, 1.0);
        self.gain = if wanted > self.gain { wanted } else { self.gain + (wanted - self.gain) / RELEASE };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize, amplitude: f32) -> Vec<i16> {
        let mut chance = 3u32;
        (0..count)
            .map(|_| {
                chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (f32::from((chance >> 16) as i16) / 32_768.0 * amplitude) as i16
            })
            .collect()
    }

    /// Words of 300 ms with 200 ms between: harmonics of a low voice.
    fn talk(count: usize, rate: Rate) -> Vec<i16> {
        let sampling = 8000.0 * rate.factor() as f32;
        (0..count)
            .map(|n| {
                let t = n as f32 / sampling;
                let on = if t % 0.5 < 0.3 { 1.0 } else { 0.0 };
                let hertz = 110.0 + 20.0 * (t / 0.5).floor().rem_euclid(4.0);
                let voice: f32 = (1..12).map(|k| (t * hertz * k as f32 * std::f32::consts::TAU).sin() / k as f32).sum();
                (voice * 2500.0 * on) as i16
            })
            .collect()
    }

    fn power(samples: &[i16]) -> f32 {
        samples.iter().map(|s| f32::from(*s) * f32::from(*s)).sum::<f32>() / samples.len() as f32
    }

    fn refined(samples: &[i16], rate: Rate) -> Vec<i16> {
        let mut denoise = Denoise::new(rate);
        let mut out = samples.to_vec();
        out.chunks_mut(rate.samples()).for_each(|frame| denoise.refine(frame));
        out
    }

    #[test]
    fn a_fan_is_made_softer_by_10_db_and_more_within_two_seconds_at_every_rate() {
        for rate in Rate::ALL {
            let second = rate.samples() * 50;
            let samples = noise(second * 5, 600.0);
            let out = refined(&samples, rate);
            let less = 10.0 * (power(&samples[second * 2..]) / power(&out[second * 2..])).log10();
            assert!(less > 10.0, "{rate:?}: {less} dB");
        }
    }

    #[test]
    fn a_voice_without_noise_passes_as_it_is_and_one_within_noise_keeps_its_loudness() {
        for rate in Rate::ALL {
            let second = rate.samples() * 50;
            let voice = talk(second * 6, rate);
            let out = refined(&voice, rate);
            let error: Vec<i16> = voice.iter().zip(&out).map(|(a, b)| a.wrapping_sub(*b)).collect();
            let clean = 10.0 * (power(&voice) / power(&error).max(0.01)).log10();
            assert!(clean > 20.0, "{rate:?}: {clean} dB");
            let hiss = noise(voice.len(), 500.0);
            let both: Vec<i16> = voice.iter().zip(&hiss).map(|(a, b)| a + b).collect();
            let out = refined(&both, rate);
            // In words and between them, after two seconds.
            let (mut words, mut pauses) = ((0.0, 0.0), (0.0, 0.0));
            for at in (second * 2..voice.len()).step_by(second / 50) {
                let place = at % (second / 2) * 10 / second;
                let span = at..at + second / 50;
                let (from, to) = (power(&both[span.clone()]), power(&out[span]));
                match place {
                    0 | 1 => words = (words.0 + from, words.1 + to),
                    4 => pauses = (pauses.0 + from, pauses.1 + to),
                    _ => {}
                }
            }
            let (kept, less) = (10.0 * (words.1 / words.0).log10(), 10.0 * (pauses.0 / pauses.1).log10());
            assert!(kept > -1.0, "{rate:?}: words {kept} dB");
            assert!(less > 8.0, "{rate:?}: pauses {less} dB");
        }
    }
}
