//! Speech as it was said against speech as it was heard, at 8 kHz.

use std::f64::consts::{PI, TAU};

use ringlift::media::Rate;

use super::speech::change;

const SECOND: usize = 8000;
/// Speech is compared in patches of 320 ms, each at the delay at which it fits best.
const PATCH: usize = 2560;
const WINDOW: usize = 256;
const HOP: usize = 80;
/// Bands, evenly spaced as the ear resolves them (ERB), between these frequencies.
const BANDS: usize = 24;
const LOWEST: f64 = 80.0;
const HIGHEST: f64 = 3600.0;
/// What is this far below the loudest counts as silence, in dB.
const RANGE: f64 = 50.0;
/// Delays looked for: from 10 ms early to 400 ms late.
const EARLIEST: i64 = -80;
const LATEST: i64 = 3200;
/// First looks followed up.
const CANDIDATES: usize = 10;

/// What came of a comparison.
#[derive(Debug, Clone, Copy, Default)]
pub struct Score {
    /// Likeness of the spectrograms (NSIM), 1 for the same.
    pub likeness: f64,
    /// Log-spectral distance in dB.
    pub distance: f64,
    /// Segmental signal-to-noise ratio in dB, each segment between −10 and 35.
    pub snr: f64,
    /// Clicks in a minute.
    pub clicks: f64,
    /// Milliseconds of speech missing in a minute.
    pub gaps: f64,
    /// Mean and greatest delay in milliseconds.
    pub delay: (f64, f64),
}

/// Compares; `left` is when the first sample's packet left, in microseconds, where `heard` begins at 0.
pub fn score(said: &[i16], heard: &[i16], rate: Rate, left: u64, drift: i64) -> Score {
    let (said, heard) = (change(said, rate, Rate::Narrow), change(heard, rate, Rate::Narrow));
    let place = |sample: usize| {
        let late = sample as f64 * (1.0 - drift as f64 / 1e6);
        (left as f64 * SECOND as f64 / 1e6 + late) as i64
    };
    let (said_slow, heard_slow) = (slow(&said), slow(&heard));
    let loudest = (0..said.len() / PATCH).map(|n| power(&said[n * PATCH..(n + 1) * PATCH])).fold(0.0, f64::max);
    let ear = Ear::new();
    let top = ear.loudest(&said);
    let (mut total, mut patches, mut frames, mut segments) = (Score::default(), 0.0, 0.0, 0.0);
    let (mut clicks, mut missing) = (0, 0);
    let mut from = 0;
    while from + PATCH + WINDOW <= said.len() {
        let start = from;
        from += PATCH;
        let original = &said[start..start + PATCH + WINDOW];
        if power(&original[..PATCH]) < loudest / 300.0 {
            continue;
        }
        let expected = place(start);
        let Some(lag) = align((&said, &said_slow), (&heard, &heard_slow), start, expected) else { continue };
        let at = (expected + lag) as usize;
        let Some(copy) = heard.get(at..at + PATCH + WINDOW) else { continue };
        let delay = lag as f64 / 8.0;
        total.delay = (total.delay.0 + delay, total.delay.1.max(delay));
        let (a, b) = (ear.spectrogram(original, top), ear.spectrogram(copy, top));
        total.likeness += likeness(&a, &b);
        patches += 1.0;
        for (a, b) in a.iter().zip(&b).filter(|(a, _)| a.iter().any(|level| *level > 0.0)) {
            total.distance += (a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / BANDS as f64).sqrt();
            frames += 1.0;
        }
        for (a, b) in original[..PATCH].chunks_exact(160).zip(copy.chunks_exact(160)) {
            if power(a) > loudest / 1000.0 {
                let noise: f64 = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>();
                total.snr += (10.0 * (power(a) * 160.0 / (noise + 1.0)).log10()).clamp(-10.0, 35.0);
                segments += 1.0;
            }
        }
        for (a, b) in original[..PATCH].chunks_exact(80).zip(copy.chunks_exact(80)) {
            missing += if power(a) > loudest / 300.0 && power(b) * 30.0 < power(a) { 10 } else { 0 };
        }
        clicks += clicked(&original[..PATCH], &copy[..PATCH]);
    }
    let minutes = patches * PATCH as f64 / SECOND as f64 / 60.0;
    Score {
        likeness: total.likeness / patches,
        distance: total.distance / frames,
        snr: total.snr / segments,
        clicks: clicks as f64 / minutes,
        gaps: missing as f64 / minutes,
        delay: (total.delay.0 / patches, total.delay.1),
    }
}

/// Edges that the original does not have nearby: second differences more than half as large again, and audible.
fn clicked(said: &[i16], heard: &[i16]) -> usize {
    let edges = |samples: &[i16]| -> Vec<i32> {
        let bend = |w: &[i16]| i32::from(w[0]) - 2 * i32::from(w[1]) + i32::from(w[2]);
        samples.windows(3).map(|w| bend(w).abs()).collect()
    };
    let (said, heard) = (edges(said), edges(heard));
    let mut count = 0;
    let mut after = 0;
    for (index, edge) in heard.iter().enumerate() {
        if index >= after && *edge > 1500 {
            let nearby = &said[index.saturating_sub(240)..(index + 240).min(said.len())];
            if *edge > nearby.iter().max().copied().unwrap_or(0) * 3 / 2 + 1000 {
                count += 1;
                after = index + 80;
            }
        }
    }
    count
}

fn power(samples: &[i16]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len() as f64
}

/// At a quarter of the rate, for a first look.
fn slow(samples: &[i16]) -> Vec<f32> {
    samples.chunks_exact(4).map(|four| four.iter().map(|sample| f32::from(*sample)).sum()).collect()
}

/// The delay at which a patch fits best: looked for at a quarter of the rate, where several fit about as well, and then
/// beside each of those.
fn align(
    (said, said_slow): (&[i16], &[f32]),
    (heard, heard_slow): (&[i16], &[f32]),
    start: usize,
    expected: i64,
) -> Option<i64> {
    let patch = &said_slow[start / 4..(start + PATCH) / 4];
    let mut coarse: Vec<(f32, i64)> = (EARLIEST / 4..=LATEST / 4)
        .filter_map(|lag| {
            let from = usize::try_from(expected / 4 + lag).ok()?;
            let other = heard_slow.get(from..from + patch.len())?;
            Some((resemblance(patch.iter().copied(), other.iter().copied()), lag))
        })
        .collect();
    coarse.sort_by(|a, b| b.0.total_cmp(&a.0));
    let patch = &said[start..start + PATCH];
    let around = |(_, lag): &(f32, i64)| {
        let middle = lag * 4 + expected / 4 * 4 - expected;
        middle - 3..=middle + 3
    };
    let fine = coarse.iter().take(CANDIDATES).flat_map(around).filter_map(|lag| {
        let from = usize::try_from(expected + lag).ok()?;
        let other = heard.get(from..from + PATCH)?;
        Some((resemblance(patch.iter().map(|s| f32::from(*s)), other.iter().map(|s| f32::from(*s))), lag))
    });
    fine.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, lag)| lag)
}

fn resemblance(a: impl Iterator<Item = f32>, b: impl Iterator<Item = f32>) -> f32 {
    let (mut product, mut energy) = (0.0, 1.0);
    for (a, b) in a.zip(b) {
        product += a * b;
        energy += b * b;
    }
    product / energy.sqrt()
}

type Levels = [f64; BANDS];

/// Levels by band and time.
struct Ear {
    hann: Vec<f64>,
    /// Of each line of the spectrum, its band.
    bands: Vec<Option<usize>>,
}

impl Ear {
    fn new() -> Self {
        let erb = |hertz: f64| 21.4 * (1.0 + 0.004_37 * hertz).log10();
        let bands = (0..WINDOW / 2).map(|line| {
            let hertz = line as f64 * SECOND as f64 / WINDOW as f64;
            let place = (erb(hertz) - erb(LOWEST)) / (erb(HIGHEST) - erb(LOWEST)) * BANDS as f64;
            (0.0..BANDS as f64).contains(&place).then_some(place as usize)
        });
        let hann = (0..WINDOW).map(|n| 0.5 - 0.5 * (TAU * n as f64 / WINDOW as f64).cos());
        Self { hann: hann.collect(), bands: bands.collect() }
    }

    /// In dB, as it comes.
    fn levels(&self, samples: &[i16]) -> Levels {
        let mut spectrum: Vec<(f64, f64)> =
            samples.iter().zip(&self.hann).map(|(sample, weight)| (f64::from(*sample) * weight, 0.0)).collect();
        transform(&mut spectrum);
        let mut levels = [1.0; BANDS];
        for ((re, im), band) in spectrum.iter().zip(&self.bands) {
            if let Some(band) = band {
                levels[*band] += re * re + im * im;
            }
        }
        levels.map(|power| 10.0 * power.log10())
    }

    fn loudest(&self, samples: &[i16]) -> f64 {
        let frames = samples.windows(WINDOW).step_by(WINDOW);
        frames.flat_map(|frame| self.levels(frame)).fold(0.0, f64::max)
    }

    /// Above what counts as silence.
    fn spectrogram(&self, samples: &[i16], top: f64) -> Vec<Levels> {
        let frames = samples.windows(WINDOW).step_by(HOP);
        frames.map(|frame| self.levels(frame).map(|level| (level - top + RANGE).max(0.0))).collect()
    }
}

/// The neurogram similarity index (Hines and Harte, 2012): how alike two spectrograms are, in means and in shape,
/// through a window of three by three.
fn likeness(a: &[Levels], b: &[Levels]) -> f64 {
    const WEIGHTS: [[f64; 3]; 3] =
        [[0.011_3, 0.083_8, 0.011_3], [0.083_8, 0.619_6, 0.083_8], [0.011_3, 0.083_8, 0.011_3]];
    const C1: f64 = (0.01 * RANGE) * (0.01 * RANGE);
    const C3: f64 = (0.03 * RANGE) * (0.03 * RANGE) / 2.0;
    let (mut total, mut count) = (0.0, 0.0);
    for time in 1..a.len().min(b.len()) - 1 {
        for band in 1..BANDS - 1 {
            let (mut ma, mut mb, mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for (dt, row) in WEIGHTS.iter().enumerate() {
                for (db, weight) in row.iter().enumerate() {
                    let (x, y) = (a[time + dt - 1][band + db - 1], b[time + dt - 1][band + db - 1]);
                    (ma, mb) = (ma + weight * x, mb + weight * y);
                    (aa, bb, ab) = (aa + weight * x * x, bb + weight * y * y, ab + weight * x * y);
                }
            }
            let (va, vb, cov) = ((aa - ma * ma).max(0.0), (bb - mb * mb).max(0.0), ab - ma * mb);
            let means = (2.0 * ma * mb + C1) / (ma * ma + mb * mb + C1);
            total += means * (cov + C3) / ((va * vb).sqrt() + C3);
            count += 1.0;
        }
    }
    total / count
}

/// Fourier's transform in place, of a length that is a power of two.
fn transform(values: &mut [(f64, f64)]) {
    let length = values.len();
    let mut to = 0;
    for from in 1..length {
        let mut bit = length >> 1;
        while to & bit != 0 {
            to ^= bit;
            bit >>= 1;
        }
        to |= bit;
        if from < to {
            values.swap(from, to);
        }
    }
    let mut size = 2;
    while size <= length {
        let (s, c) = (-2.0 * PI / size as f64).sin_cos();
        for block in values.chunks_exact_mut(size) {
            let (low, high) = block.split_at_mut(size / 2);
            let (mut wr, mut wi) = (1.0, 0.0);
            for (a, b) in low.iter_mut().zip(high) {
                let (re, im) = (b.0 * wr - b.1 * wi, b.0 * wi + b.1 * wr);
                (*b, *a) = ((a.0 - re, a.1 - im), (a.0 + re, a.1 + im));
                (wr, wi) = (wr * c - wi * s, wr * s + wi * c);
            }
        }
        size *= 2;
    }
}
