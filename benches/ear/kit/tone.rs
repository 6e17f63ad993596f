//! A steady tone, and what is wrong with it.

use std::f64::consts::TAU;

use ringlift::media::Rate;

/// How loud it is: −15 dBFS.
pub const AMPLITUDE: f64 = 6000.0;

/// A window in which more than this share of the energy is not the tone is a click: −20 dB, which takes a step in
/// phase of some 30° or an edge that a listener hears as a tick.
const CLICK: f64 = 0.01;

/// What was found.
#[derive(Debug, Clone, Copy, Default)]
pub struct Flaws {
    /// Runs of windows of 10 ms with something that is not the tone.
    pub clicks: usize,
    /// Milliseconds in which the tone had less than half its amplitude.
    pub gap_ms: usize,
    /// The greatest share of a window that is not the tone.
    pub worst: f64,
    /// When the first click was, in milliseconds.
    pub first: Option<usize>,
    /// The least and the greatest amplitude of a window, of what it should be.
    pub amplitude: (f64, f64),
}

/// Fills packet number `index` of a tone.
pub fn fill(hertz: f64, rate: Rate, index: u64, frame: &mut [i16]) {
    let step = hertz / (rate.samples() as f64 * 50.0);
    for (n, sample) in (index * frame.len() as u64..).zip(frame) {
        *sample = (AMPLITUDE * (TAU * (step * n as f64).fract()).sin()) as i16;
    }
}

/// Looks for clicks and gaps in windows of 10 ms.
pub fn flaws(samples: &[i16], hertz: f64, rate: Rate) -> Flaws {
    let length = rate.samples() / 2;
    let step = TAU * hertz / (rate.samples() as f64 * 50.0);
    let waves: Vec<(f64, f64)> = (0..length).map(|n| (step * n as f64).sin_cos()).collect();
    let (mut cc, mut ss, mut cs) = (0.0, 0.0, 0.0);
    for (s, c) in &waves {
        (cc, ss, cs) = (cc + c * c, ss + s * s, cs + c * s);
    }
    let det = cc * ss - cs * cs;
    let mut flaws = Flaws { amplitude: (f64::MAX, 0.0), ..Flaws::default() };
    let mut bad = false;
    for (index, window) in samples.chunks_exact(length).enumerate() {
        let (mut xc, mut xs, mut xx) = (0.0, 0.0, 1e-9);
        for (sample, (s, c)) in window.iter().zip(&waves) {
            let x = f64::from(*sample);
            (xc, xs, xx) = (xc + x * c, xs + x * s, xx + x * x);
        }
        let (a, b) = ((xc * ss - xs * cs) / det, (xs * cc - xc * cs) / det);
        let strange = ((xx - a * xc - b * xs) / xx).max(0.0);
        let amplitude = a.hypot(b) / AMPLITUDE;
        flaws.worst = flaws.worst.max(strange);
        flaws.amplitude = (flaws.amplitude.0.min(amplitude), flaws.amplitude.1.max(amplitude));
        flaws.gap_ms += if amplitude < 0.5 { 10 } else { 0 };
        if strange > CLICK && !bad {
            flaws.clicks += 1;
            flaws.first = flaws.first.or(Some(index * 10));
        }
        bad = strange > CLICK;
    }
    flaws
}
