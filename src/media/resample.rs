//! From one sampling rate to another: polyphase filters of 2 ms, which delay by 1 ms.
//!
//! All rates are 8, 16 or 48 kHz, so that one is 2, 3 or 6 times the other. The filter belongs to the higher rate and
//! passes what the lower one can carry: a sinc under a Kaiser window, 50 dB down beyond a transition of 1.5 kHz around
//! half the lower rate. Longer filters would cut more steeply and delay more.

use std::f64::consts::PI;

use super::Rate;

/// Kaiser's β for 50 dB.
const BETA: f64 = 4.55;

/// Most samples remembered: 2 ms at 48 kHz.
const MEMORY: usize = 96;

/// To the higher rate: taps of phase 0, then of phase 1, and so on.
static UP_TWO: [f32; 32] = phases::<32>(2);
static UP_THREE: [f32; 96] = phases::<96>(3);
static UP_SIX: [f32; 96] = phases::<96>(6);
/// To the lower rate: the whole filter.
static DOWN_TWO: [f32; 32] = whole::<32>(2);
static DOWN_THREE: [f32; 96] = whole::<96>(3);
static DOWN_SIX: [f32; 96] = whole::<96>(6);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Same,
    Up,
    Down,
}

/// One stream from one rate to another.
#[derive(Debug, Clone)]
pub struct Resampler {
    from: Rate,
    way: Way,
    factor: usize,
    taps: &'static [f32],
    /// What came last, oldest first.
    memory: [f32; MEMORY],
}

impl Resampler {
    /// From a rate to another.
    pub fn new(from: Rate, to: Rate) -> Self {
        let (low, high) = (from.samples().min(to.samples()), from.samples().max(to.samples()));
        let factor = high / low;
        let way = match from.samples().cmp(&to.samples()) {
            std::cmp::Ordering::Less => Way::Up,
            std::cmp::Ordering::Equal => Way::Same,
            std::cmp::Ordering::Greater => Way::Down,
        };
        let taps: &'static [f32] = match (way, factor) {
            (Way::Down, 2) => &DOWN_TWO,
            (Way::Down, 3) => &DOWN_THREE,
            (Way::Down, _) => &DOWN_SIX,
            (Way::Up | Way::Same, 2) => &UP_TWO,
            (Way::Up | Way::Same, 3) => &UP_THREE,
            (Way::Up | Way::Same, _) => &UP_SIX,
        };
        Self { from, way, factor, taps, memory: [0.0; MEMORY] }
    }

    /// The rate of what comes.
    pub fn from(&self) -> Rate {
        self.from
    }

    /// Forgets what came before.
    pub fn reset(&mut self) {
        self.memory = [0.0; MEMORY];
    }

    /// Converts a frame; `out` is as many times longer or shorter as the rates are apart.
    pub fn process(&mut self, input: &[i16], out: &mut [i16]) {
        match self.way {
            Way::Same => out.iter_mut().zip(input).for_each(|(out, sample)| *out = *sample),
            Way::Up => self.up(input, out),
            Way::Down => self.down(input, out),
        }
    }

    /// Each sample that comes makes `factor` of them, each by its own phase of the filter.
    fn up(&mut self, input: &[i16], out: &mut [i16]) {
        let length = self.taps.len() / self.factor;
        let mut line = [0.0f32; MEMORY + Rate::MOST];
        let Some(line) = self.fill(input, length, &mut line) else { return };
        for (index, group) in out.chunks_exact_mut(self.factor).enumerate() {
            let window = line.get(index + 1..index + 1 + length).unwrap_or(&[]);
            for (sample, taps) in group.iter_mut().zip(self.taps.chunks_exact(length)) {
                *sample = round(dot(window, taps));
            }
        }
    }

    /// Every `factor`th sample of the filtered signal.
    fn down(&mut self, input: &[i16], out: &mut [i16]) {
        let length = self.taps.len();
        let mut line = [0.0f32; MEMORY + Rate::MOST];
        let Some(line) = self.fill(input, length, &mut line) else { return };
        for (index, sample) in out.iter_mut().enumerate() {
            let from = index * self.factor + self.factor;
            *sample = round(dot(line.get(from..from + length).unwrap_or(&[]), self.taps));
        }
    }

    /// Lays what is remembered before what comes, and remembers its end.
    fn fill<'a>(&mut self, input: &[i16], length: usize, line: &'a mut [f32]) -> Option<&'a [f32]> {
        let line = line.get_mut(..length + input.len())?;
        let (before, now) = line.split_at_mut(length);
        before.copy_from_slice(self.memory.get(..length)?);
        now.iter_mut().zip(input).for_each(|(value, sample)| *value = f32::from(*sample));
        self.memory.get_mut(..length)?.copy_from_slice(line.get(input.len()..)?);
        Some(line)
    }
}

#[inline]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    // Four sums, so that the processor need not wait for one before the next.
    let mut sums = [0.0f32; 4];
    for (a, b) in a.chunks_exact(4).zip(b.chunks_exact(4)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

#[inline]
fn round(value: f32) -> i16 {
    // A conversion from floating point keeps to the range.
    (value + if value < 0.0 { -0.5 } else { 0.5 }) as i16
}

/// The filter between a rate and `factor` times it, taps of each phase oldest first and together `factor`: each phase
/// alone sums to about one.
const fn phases<const N: usize>(factor: usize) -> [f32; N] {
    let mut taps = [0.0f32; N];
    let length = N / factor;
    let mut phase = 0;
    while phase < factor {
        let mut sum = 0.0;
        let mut index = 0;
        while index < length {
            sum += prototype(index * factor + phase, N, factor);
            index += 1;
        }
        let mut index = 0;
        while index < length {
            // The newest sample meets the filter's beginning.
            taps[phase * length + length - 1 - index] = (prototype(index * factor + phase, N, factor) / sum) as f32;
            index += 1;
        }
        phase += 1;
    }
    taps
}

/// The same filter in one piece, oldest first; together about one.
const fn whole<const N: usize>(factor: usize) -> [f32; N] {
    let phases = phases::<N>(factor);
    let length = N / factor;
    let mut taps = [0.0f32; N];
    let mut index = 0;
    while index < N {
        let (phase, step) = (index % factor, index / factor);
        taps[N - 1 - index] = phases[phase * length + length - 1 - step] / factor as f32;
        index += 1;
    }
    taps
}

/// The prototype at a sample of the higher rate: a sinc with its first zero `factor` samples from its middle.
const fn prototype(index: usize, length: usize, factor: usize) -> f64 {
    let middle = length as f64 / 2.0;
    let from_middle = index as f64 - middle;
    let x = from_middle / factor as f64;
    let sinc = if index * 2 == length { 1.0 } else { sine(PI * x) / (PI * x) };
    let edge = from_middle / middle;
    sinc * bessel(BETA * root(1.0 - edge * edge)) / bessel(BETA)
}

/// The sine by its series, after taking whole turns away.
const fn sine(angle: f64) -> f64 {
    let turns = angle / (2.0 * PI);
    let whole = turns as i64 as f64;
    let x = (turns - whole) * 2.0 * PI;
    let (mut term, mut sum, mut n) = (x, x, 1.0);
    while n < 40.0 {
        term = -term * x * x / ((2.0 * n) * (2.0 * n + 1.0));
        sum += term;
        n += 1.0;
    }
    sum
}

/// The modified Bessel function of order zero by its series.
const fn bessel(x: f64) -> f64 {
    let (mut term, mut sum, mut n) = (1.0, 1.0, 1.0);
    while n < 30.0 {
        term = term * (x / 2.0) * (x / 2.0) / (n * n);
        sum += term;
        n += 1.0;
    }
    sum
}

/// The square root by Newton's rule; 0 for what has none.
const fn root(x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let (mut guess, mut n) = (if x > 1.0 { x } else { 1.0 }, 0);
    while n < 60 {
        guess = 0.5 * (guess + x / guess);
        n += 1;
    }
    guess
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    const RATES: [Rate; 3] = [Rate::Narrow, Rate::Wide, Rate::Full];

    fn hertz(rate: Rate) -> f64 {
        rate.samples() as f64 * 50.0
    }

    fn through(from: Rate, to: Rate, tone: f64) -> Vec<i16> {
        let mut resampler = Resampler::new(from, to);
        let mut out = Vec::new();
        for frame in 0..50 {
            let samples: Vec<i16> = (0..from.samples())
                .map(|n| (8000.0 * (TAU * tone * (frame * from.samples() + n) as f64 / hertz(from)).sin()) as i16)
                .collect();
            let mut converted = vec![0; to.samples()];
            resampler.process(&samples, &mut converted);
            out.extend(converted);
        }
        out.split_off(to.samples() * 2)
    }

    /// Amplitude and phase (as a delay in seconds) of a tone, and the share of energy that is something else.
    fn measure(samples: &[i16], tone: f64, rate: Rate) -> (f64, f64, f64) {
        let (mut re, mut im, mut energy) = (0.0, 0.0, 1e-9);
        for (n, sample) in samples.iter().enumerate() {
            let (sin, cos) = (TAU * tone * n as f64 / hertz(rate)).sin_cos();
            re += f64::from(*sample) * sin;
            im += f64::from(*sample) * cos;
            energy += f64::from(*sample).powi(2);
        }
        let count = samples.len() as f64;
        let amplitude = 2.0 * re.hypot(im) / count;
        (amplitude, -im.atan2(re) / TAU / tone, 1.0 - amplitude.powi(2) / 2.0 * count / energy)
    }

    #[test]
    fn what_both_rates_carry_goes_through_whole_and_1_ms_late() {
        for from in RATES {
            for to in RATES {
                let low = hertz(from).min(hertz(to));
                for tone in [300.0, 1000.0, low / 2.0 * 0.75] {
                    let (amplitude, _, rest) = measure(&through(from, to, tone), tone, to);
                    assert!((7700.0..8300.0).contains(&amplitude), "{from:?} to {to:?}: {tone} Hz at {amplitude}");
                    assert!(rest < 0.001, "{from:?} to {to:?}: {tone} Hz, {rest} is something else");
                }
                if from != to {
                    let (_, delay, _) = measure(&through(from, to, 300.0), 300.0, to);
                    assert!((delay - 0.001).abs() < 0.000_2, "{from:?} to {to:?}: {delay}");
                }
            }
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_carry_is_not_folded_into_it() {
        for (from, to, tone, folded) in [
            (Rate::Wide, Rate::Narrow, 6000.0, 2000.0),
            (Rate::Full, Rate::Narrow, 6000.0, 2000.0),
            (Rate::Full, Rate::Wide, 10_000.0, 6000.0),
        ] {
            let (amplitude, ..) = measure(&through(from, to, tone), folded, to);
            assert!(amplitude < 60.0, "{from:?} to {to:?}: {tone} Hz comes as {folded} Hz at {amplitude}");
        }
    }
}
