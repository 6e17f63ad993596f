//! Comfort noise (RFC 3389): what is heard while a far end sends nothing.
//!
//! ```text
//!  0                   1
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 ...
//! |0|    level    |  coefficient 1 | coefficient 2 ...
//! ```
//!
//! The level is in −dBov; each coefficient is a reflection coefficient of an all-pole filter, 127 standing for none.

/// Most coefficients believed in (§3.1 leaves it open). More: nothing that can be heard.
const ORDER: usize = 10;

/// Loudest noise made (−25 dBov). Louder: whoever sends it is wrong, or means harm.
const LOUDEST: u8 = 25;

/// The level we tell: next to nothing (−78 dBov), as befits one who is silent. Higher: the far end hears a hiss.
pub const OURS: u8 = 78;

/// Makes noise.
#[derive(Debug, Clone, Default)]
pub struct Noise {
    /// Root mean square of what is heard.
    level: f32,
    /// Of what goes into the filter, for this level to come out.
    gain: f32,
    reflections: [f32; ORDER],
    state: [f32; ORDER],
    seed: u32,
}

impl Noise {
    /// Takes a packet's payload; none is silence.
    pub fn set(&mut self, payload: Option<&[u8]>) {
        let Some((level, coefficients)) = payload.and_then(<[u8]>::split_first) else {
            self.level = 0.0;
            return;
        };
        self.level = 32_767.0 * 10.0f32.powf(-f32::from((level & 127).max(LOUDEST)) / 20.0);
        self.reflections = [0.0; ORDER];
        let mut power = 1.0;
        for (reflection, byte) in self.reflections.iter_mut().zip(coefficients) {
            *reflection = (f32::from(*byte) / 127.0 - 1.0).clamp(-0.9, 0.9);
            power *= 1.0 - *reflection * *reflection;
        }
        self.gain = self.level * power.sqrt();
    }

    /// Mean magnitude, as levels are counted.
    pub fn loudness(&self) -> u16 {
        (self.level * 0.8) as u16
    }

    /// Makes some.
    pub fn fill(&mut self, samples: &mut [i16]) {
        if self.level < 1.0 {
            samples.fill(0);
            return;
        }
        for sample in samples {
            let mut forward = self.gain * self.next();
            // An all-pole lattice, last section first.
            for index in (0..ORDER).rev() {
                let (reflection, back) = (self.reflections[index], self.state[index]);
                forward -= reflection * back;
                if let Some(next) = self.state.get_mut(index + 1) {
                    *next = back + reflection * forward;
                }
            }
            self.state[0] = forward;
            *sample = forward as i16;
        }
    }

    /// Evenly spread, with a mean square of one.
    fn next(&mut self) -> f32 {
        self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((self.seed >> 8) as f32 / 8_388_608.0 - 1.0) * 1.732
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loud(payload: &[u8]) -> (f64, u16) {
        let mut noise = Noise::default();
        noise.set(Some(payload));
        let mut samples = vec![0; 16_000];
        noise.fill(&mut samples);
        let power: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        ((power / 16_000.0).sqrt(), noise.loudness())
    }

    #[test]
    fn noise_is_as_loud_as_the_far_end_says_whatever_its_colour() {
        for coefficients in [&[][..], &[0x10], &[0x40, 0xb0, 0x90], &[0; 30], &[255; 30]] {
            for (level, wanted) in [(40, 327.7), (60, 32.8), (30, 1036.0)] {
                let (heard, _) = loud(&[&[level], coefficients].concat());
                assert!(heard < wanted * 1.4, "{level}: {heard}, {coefficients:?}");
                // What no far end means is quieter, at worst.
                assert!(heard > wanted / 1.3 || coefficients.len() > 10, "{level}: {heard}, {coefficients:?}");
            }
        }
        assert!(loud(&[0]).0 < 2000.0, "nobody is deafened");
        assert_eq!(loud(&[120]), (0.0, 0));
        assert_eq!(loud(&[]), (0.0, 0));
    }
}
