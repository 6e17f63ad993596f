//! G.722 (ITU-T, 1988) at 64 kbit/s: 16 kHz of audio in 8,000 bytes a second.
//!
//! A quadrature mirror filter halves the band; each half is ADPCM at 8 kHz, six bits below 4 kHz and two above. Both
//! ends adapt by what was sent, so that neither needs to be told the other's state:
//!
//! ```text
//! samples ─► QMF ─┬─ low ──► − ─► 6 bits ─┬─► byte: hh llllll
//!                 └─ high ─► − ─► 2 bits ─┘
//!                            ▲        │
//!                            └ predictor ◄ scale, both from the bits alone
//! ```
//!
//! Block names (LOGSCL, UPPOL2 and so on) are the Recommendation's.

/// Samples of audio per byte.
pub const SAMPLES_PER_BYTE: usize = 2;

const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];

/// Decision levels of the 6-bit quantiser, in 1/4096 of the scale.
const Q6: [i32; 32] = [
    0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219, 1339,
    1458, 1612, 1765, 1980, 2195, 2557, 2919, 0, 0,
];
/// Codes of its intervals for negative and positive differences.
const NEGATIVE: [u8; 32] = [
    0, 63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5,
    4, 0,
];
const POSITIVE: [u8; 32] = [
    0, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34,
    33, 32, 0,
];
/// Outputs of the inverse quantisers of 6, 4 and 2 bits, in 1/32768 of the scale.
const QM6: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576,
    -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040,
    -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
    4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
];
const QM4: [i32; 16] =
    [0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0];
const QM2: [i32; 4] = [-7408, -1616, 7408, 1616];
/// Logarithm of the scale: how it moves by code, in the low band (by its upper four bits) and the high.
const W4: [i32; 16] = [-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60];
const W2: [i32; 4] = [798, -214, 798, -214];
/// The scale by the logarithm's fraction.
const ILB: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025,
    3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];
/// Largest logarithms (LIMIT in LOGSCL and LOGSCH).
const MOST_LOW: i32 = 18_432;
const MOST_HIGH: i32 = 22_528;

/// One band's adaptive predictor and scale.
#[derive(Debug, Clone, Copy)]
struct Band {
    /// Prediction, and its part by the zeros.
    s: i32,
    sz: i32,
    /// Reconstructed and partly reconstructed signals, newest first.
    r: [i32; 2],
    p: [i32; 2],
    /// Poles and zeros.
    a: [i32; 2],
    b: [i32; 6],
    /// Quantised differences, newest first.
    d: [i32; 6],
    /// The scale and its logarithm.
    det: i32,
    nb: i32,
}

impl Band {
    const LOW: Band = Band::of(32);
    const HIGH: Band = Band::of(8);

    const fn of(det: i32) -> Self {
        Band { s: 0, sz: 0, r: [0; 2], p: [0; 2], a: [0; 2], b: [0; 6], d: [0; 6], det, nb: 0 }
    }

    /// LOGSCL and SCALEL.
    #[inline]
    fn scale_low(&mut self, code: usize) {
        self.nb = log_low(self.nb, code);
        self.det = scale(self.nb, 8);
    }

    /// LOGSCH and SCALEH.
    #[inline]
    fn scale_high(&mut self, code: usize) {
        self.nb = log_high(self.nb, code);
        self.det = scale(self.nb, 10);
    }

    /// Takes a quantised difference: the prediction of the next sample (block 4).
    #[inline]
    fn predict(&mut self, d: i32) {
        // RECONS, PARREC
        let r = saturate(self.s + d);
        let p = saturate(self.sz + d);
        let [p1, p2] = self.p;
        let [a1, a2] = self.a;
        // UPPOL2
        let wd1 = saturate(a1 << 2);
        let wd2 = if (p ^ p1) >= 0 { (-wd1).min(32_767) } else { wd1 };
        let leak = if (p ^ p2) >= 0 { 128 } else { -128 };
        let a2 = ((wd2 >> 7) + leak + ((a2 * 32_512) >> 15)).clamp(-12_288, 12_288);
        // UPPOL1
        let step = if (p ^ p1) >= 0 { 192 } else { -192 };
        let most = saturate(15_360 - a2);
        let a1 = saturate(step + ((a1 * 32_640) >> 15)).clamp(-most, most);
        // UPZERO
        let step = if d == 0 { 0 } else { 128 };
        for (b, old) in self.b.iter_mut().zip(self.d) {
            let step = if (d ^ old) >= 0 { step } else { -step };
            *b = saturate(step + ((*b * 32_640) >> 15));
        }
        // DELAYA
        self.d.copy_within(..5, 1);
        self.d[0] = d;
        self.r = [r, self.r[0]];
        self.p = [p, p1];
        self.a = [a1, a2];
        // FILTEP, FILTEZ, PREDIC
        let poles = ((a1 * saturate(2 * self.r[0])) >> 15) + ((a2 * saturate(2 * self.r[1])) >> 15);
        let zeros = self.b.iter().zip(self.d).map(|(b, d)| (b * saturate(2 * d)) >> 15).sum();
        self.sz = saturate(zeros);
        self.s = saturate(saturate(poles) + self.sz);
    }
}

#[inline]
fn log_low(nb: i32, code: usize) -> i32 {
    (((nb * 127) >> 7) + W4[(code >> 2) & 15]).clamp(0, MOST_LOW)
}

#[inline]
fn log_high(nb: i32, code: usize) -> i32 {
    (((nb * 127) >> 7) + W2[code & 3]).clamp(0, MOST_HIGH)
}

#[inline]
fn scale(nb: i32, whole: i32) -> i32 {
    let (fraction, shift) = (ILB[((nb >> 6) & 31) as usize], whole - (nb >> 11));
    (if shift < 0 { fraction << -shift } else { fraction >> shift }) << 2
}

#[inline]
fn saturate(value: i32) -> i32 {
    value.clamp(-32_768, 32_767)
}

/// Turns samples into bytes; its state is the far end's.
#[derive(Debug, Clone)]
pub struct Encoder {
    low: Band,
    high: Band,
    /// The last 22 samples and the two that come, oldest first.
    x: [i32; 24],
}

impl Default for Encoder {
    fn default() -> Self {
        Self { low: Band::LOW, high: Band::HIGH, x: [0; 24] }
    }
}

impl Encoder {
    /// For a far end that has decoded another encoder's bytes, as this decoder has.
    pub fn after(decoder: &Decoder) -> Self {
        Self { low: decoder.low, high: decoder.high, x: [0; 24] }
    }

    /// Encodes pairs of samples at 16 kHz, as many as both have room for.
    pub fn encode(&mut self, samples: &[i16], bytes: &mut [u8]) {
        for (pair, byte) in samples.chunks_exact(SAMPLES_PER_BYTE).zip(bytes) {
            self.x.copy_within(2.., 0);
            for (x, sample) in self.x[22..].iter_mut().zip(pair) {
                *x = i32::from(*sample);
            }
            let (mut even, mut odd) = (0, 0);
            for (index, pair) in self.x.chunks_exact(2).enumerate() {
                even += pair[0] * QMF[index];
                odd += pair[1] * QMF[11 - index];
            }
            *byte = self.byte((even + odd) >> 14, (odd - even) >> 14);
        }
    }

    fn byte(&mut self, low: i32, high: i32) -> u8 {
        let difference = saturate(low - self.low.s);
        let magnitude = if difference >= 0 { difference } else { -(difference + 1) };
        let interval = (1..30).find(|index| magnitude < (Q6[*index] * self.low.det) >> 12).unwrap_or(30);
        let code = if difference < 0 { NEGATIVE[interval] } else { POSITIVE[interval] };
        let d = (self.low.det * QM4[usize::from(code >> 2)]) >> 15;
        self.low.scale_low(usize::from(code));
        self.low.predict(d);

        let difference = saturate(high - self.high.s);
        let magnitude = if difference >= 0 { difference } else { -(difference + 1) };
        let far = magnitude >= (564 * self.high.det) >> 12;
        let upper: u8 = match (difference < 0, far) {
            (true, false) => 1,
            (true, true) => 0,
            (false, false) => 3,
            (false, true) => 2,
        };
        let d = (self.high.det * QM2[usize::from(upper)]) >> 15;
        self.high.scale_high(usize::from(upper));
        self.high.predict(d);
        (upper << 6) | code
    }
}

/// Turns bytes into samples.
#[derive(Debug, Clone)]
pub struct Decoder {
    low: Band,
    high: Band,
    /// Sums and differences of the bands, oldest first.
    x: [i32; 24],
}

impl Default for Decoder {
    fn default() -> Self {
        Self { low: Band::LOW, high: Band::HIGH, x: [0; 24] }
    }
}

impl Decoder {
    /// Decodes to pairs of samples at 16 kHz, as many as both have room for.
    pub fn decode(&mut self, bytes: &[u8], samples: &mut [i16]) {
        for (byte, pair) in bytes.iter().zip(samples.chunks_exact_mut(SAMPLES_PER_BYTE)) {
            let (code, upper) = (usize::from(byte & 63), usize::from(byte >> 6));
            let low = (self.low.s + ((self.low.det * QM6[code]) >> 15)).clamp(-16_384, 16_383);
            let d = (self.low.det * QM4[code >> 2]) >> 15;
            self.low.scale_low(code);
            self.low.predict(d);
            let d = (self.high.det * QM2[upper]) >> 15;
            let high = (self.high.s + d).clamp(-16_384, 16_383);
            self.high.scale_high(upper);
            self.high.predict(d);
            self.x.copy_within(2.., 0);
            self.x[22] = low + high;
            self.x[23] = low - high;
            let (mut first, mut second) = (0, 0);
            for (index, pair) in self.x.chunks_exact(2).enumerate() {
                second += pair[0] * QMF[index];
                first += pair[1] * QMF[11 - index];
            }
            for (sample, sum) in pair.iter_mut().zip([first, second]) {
                *sample = saturate(sum >> 11) as i16;
            }
        }
    }
}

/// Measures loudness from the bytes alone: the scales follow what cannot be predicted, so that a steady tone counts
/// for less than it is. Good enough to tell speech from silence at a tenth of a decoder's price.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gauge {
    low: i32,
    high: i32,
}

impl Gauge {
    /// About the mean magnitude of what these bytes stand for, on the scale of 16-bit samples.
    pub fn measure(&mut self, bytes: &[u8]) -> u16 {
        let (mut low, mut high) = (0, 0);
        for byte in bytes {
            self.low = log_low(self.low, usize::from(byte & 63));
            self.high = log_high(self.high, usize::from(byte >> 6));
            low += self.low;
            high += self.high;
        }
        let count = i32::try_from(bytes.len()).unwrap_or(1).max(1);
        // White noise has scales of four times its mean magnitude in both bands; speech is twice as loud as what is left
        // of it after prediction, and has little in the upper band. Silence itself leaves the least scales.
        let loud = (scale(low / count, 8) + scale(high / count, 10) / 2) / 4 - 10;
        u16::try_from(loud.max(0)).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    fn tone(hertz: f64, amplitude: f64, length: usize) -> Vec<i16> {
        (0..length).map(|n| (amplitude * (TAU * hertz * n as f64 / 16_000.0).sin()) as i16).collect()
    }

    fn through(samples: &[i16]) -> Vec<i16> {
        let mut bytes = vec![0; samples.len() / 2];
        let mut out = vec![0; samples.len()];
        Encoder::default().encode(samples, &mut bytes);
        Decoder::default().decode(&bytes, &mut out);
        out
    }

    #[test]
    fn tones_from_200_hz_to_7_khz_keep_their_pitch_and_level() {
        for hertz in [200.0, 1000.0, 3000.0, 5000.0, 6000.0, 6900.0] {
            let out = through(&tone(hertz, 8000.0, 16_000));
            let (mut re, mut im, mut energy) = (0.0, 0.0, 0.0);
            for (n, sample) in out[4000..].iter().enumerate() {
                let (sin, cos) = (TAU * hertz * n as f64 / 16_000.0).sin_cos();
                re += f64::from(*sample) * cos;
                im += f64::from(*sample) * sin;
                energy += f64::from(*sample).powi(2);
            }
            let amplitude = 2.0 * re.hypot(im) / 12_000.0;
            let share = amplitude.powi(2) / 2.0 * 12_000.0 / energy;
            assert!((7200.0..8800.0).contains(&amplitude), "{hertz} Hz at {amplitude}");
            assert!(share > 0.98, "{hertz} Hz: {share} of the energy");
        }
    }

    #[test]
    fn silence_stays_silent_and_full_scale_does_not_wrap() {
        assert!(through(&[0; 3200]).iter().all(|sample| sample.abs() < 8));
        let square: Vec<i16> = (0..16_000).map(|n| if n / 40 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
        let out = through(&square);
        for (n, sample) in out.iter().enumerate().skip(8000) {
            // 22 samples of delay by the two filters; away from the edges the sign is the square's.
            let within = (n - 22) % 40;
            if (8..32).contains(&within) {
                assert_eq!(*sample > 0, (n - 22) / 40 % 2 == 0, "sample {n}: {sample}");
            }
        }
    }

    #[test]
    fn a_decoder_that_begins_in_the_middle_finds_its_way_within_100_ms() {
        let samples = tone(440.0, 6000.0, 32_000);
        let mut bytes = vec![0; 16_000];
        Encoder::default().encode(&samples, &mut bytes);
        let (mut whole, mut late) = (vec![0; 32_000], vec![0; 16_000]);
        Decoder::default().decode(&bytes, &mut whole);
        Decoder::default().decode(&bytes[8000..], &mut late);
        let apart = whole[16_000 + 1600..].iter().zip(&late[1600..]).map(|(a, b)| (a - b).unsigned_abs()).max();
        assert!(apart < Some(300), "{apart:?}");
    }

    #[test]
    fn the_gauge_tells_speech_from_silence_without_decoding() {
        let mut noise = 1u32;
        let mut next = |amplitude: i32| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((noise >> 16) as i32 - 32_768) * amplitude / 32_768
        };
        for amplitude in [0, 100, 1000, 10_000] {
            let samples: Vec<i16> = (0..3200).map(|_| next(amplitude) as i16).collect();
            let mut bytes = vec![0; 1600];
            Encoder::default().encode(&samples, &mut bytes);
            let mut gauge = Gauge::default();
            let level = bytes.chunks(160).map(|frame| gauge.measure(frame)).last().unwrap();
            let mean = amplitude as f64 / 2.0;
            match amplitude {
                0 => assert!(level < 16, "{level}"),
                _ => {
                    assert!(f64::from(level) > mean * 0.5 && f64::from(level) < mean * 2.0, "{level} for {mean}")
                }
            }
        }
    }
}
