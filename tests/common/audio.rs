//! Recordings, and what is heard in them: which tones, how loud, with which gaps and clicks.

use std::f64::consts::TAU;
use std::path::Path;
use std::time::Duration;

/// Telephone audio: 8,000 samples a second, one channel.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recording(pub Vec<i16>);

pub const RATE: u32 = 8000;

/// One frame of analysis: 40 ms resolves tones 100 Hz apart, every 10 ms finds the loss of a single packet.
const FRAME: usize = 320;
const HOP: usize = 80;

/// Below this a tone is not there: 20 dB under the tones that the tests send, 20 dB over what a window lets through.
const THERE_DB: f64 = -40.0;

impl Recording {
    /// A tone, 0 dB being as loud as digits go.
    pub fn tone(frequency: f64, db: f64, length: Duration) -> Self {
        Self::tones(&[frequency], db, length)
    }

    /// Several tones at once, each at this level.
    pub fn tones(frequencies: &[f64], db: f64, length: Duration) -> Self {
        let peak = 32767.0 * 10f64.powf(db / 20.0);
        let count = (length.as_secs_f64() * f64::from(RATE)) as usize;
        let sample =
            |n: usize| frequencies.iter().map(|f| (TAU * f * n as f64 / f64::from(RATE)).sin()).sum::<f64>() * peak;
        Self((0..count).map(|n| sample(n) as i16).collect())
    }

    /// Reads a WAV file of one channel and 8,000 samples a second; a file still being written is read as far as it goes,
    /// which may be not at all.
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_default();
        let Some(data) = bytes.windows(4).position(|w| w == b"data") else { return Self::default() };
        assert_eq!(bytes[22..28], [1, 0, 0x40, 0x1f, 0, 0], "{}: not one channel at 8 kHz", path.display());
        let samples = bytes.get(data + 8..).unwrap_or_default().chunks_exact(2);
        Self(samples.map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
    }

    /// Writes a WAV file.
    pub fn write(&self, path: &Path) {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: RATE,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(path, spec).unwrap();
        self.0.iter().for_each(|sample| writer.write_sample(*sample).unwrap());
        writer.finalize().unwrap();
    }

    /// How long it is.
    pub fn length(&self) -> Duration {
        Duration::from_secs_f64(self.0.len() as f64 / f64::from(RATE))
    }

    /// The part between these moments, counted from the beginning.
    pub fn between(&self, from: Duration, to: Duration) -> Self {
        let at = |moment: Duration| ((moment.as_secs_f64() * f64::from(RATE)) as usize).min(self.0.len());
        Self(self.0[at(from)..at(to)].to_vec())
    }

    /// The last so much of it.
    pub fn last(&self, length: Duration) -> Self {
        self.between(self.length().saturating_sub(length), self.length())
    }

    /// The level of a tone over the whole, in dB below the loudest sine.
    pub fn level(&self, frequency: f64) -> f64 {
        level(&self.0, frequency)
    }

    /// The level of a tone from frame to frame, every 10 ms.
    pub fn course(&self, frequency: f64) -> Vec<f64> {
        self.0.windows(FRAME).step_by(HOP).map(|frame| level(frame, frequency)).collect()
    }

    /// For how much of the recording the tone is there.
    pub fn presence(&self, frequency: f64) -> Duration {
        let there = self.course(frequency).iter().filter(|db| **db > THERE_DB).count();
        Duration::from_millis(there as u64 * 10)
    }

    /// Between its first and last moment, how long the tone was away each time; a lost packet of 20 ms shows as a drop
    /// of level by more than 12 dB under its median.
    pub fn gaps(&self, frequency: f64) -> Vec<Duration> {
        let course = self.course(frequency);
        let mut sorted: Vec<f64> = course.iter().copied().filter(|db| *db > THERE_DB).collect();
        sorted.sort_by(f64::total_cmp);
        let Some(median) = sorted.get(sorted.len() / 2) else { return Vec::new() };
        let there: Vec<bool> = course.iter().map(|db| *db > median - 12.0).collect();
        let (Some(first), Some(last)) = (there.iter().position(|t| *t), there.iter().rposition(|t| *t)) else {
            return Vec::new();
        };
        let runs = there[first..=last].split(|t| *t).filter(|run| !run.is_empty());
        runs.map(|run| Duration::from_millis(run.len() as u64 * 10)).collect()
    }

    /// Where the sound breaks: a recording of nothing but these tones obeys a recurrence, and a place that does not is
    /// a jump of phase or level. `G.711` and mixing leave noise some 35 dB below; a click stands out from it.
    pub fn clicks(&self, frequencies: &[f64]) -> Vec<Duration> {
        let mut residue: Vec<f64> = self.0.iter().map(|sample| f64::from(*sample)).collect();
        let mut gain = 1.0;
        for frequency in frequencies {
            let turn = 2.0 * (TAU * frequency / f64::from(RATE)).cos();
            gain *= 2.0 + turn.abs();
            residue = residue.windows(3).map(|w| w[2] - turn * w[1] + w[0]).collect();
        }
        let loud = (self.0.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / self.0.len().max(1) as f64).sqrt();
        let mut clicks: Vec<Duration> = Vec::new();
        for (at, _) in residue.iter().enumerate().filter(|(_, r)| r.abs() > 0.12 * gain * loud) {
            let moment = Duration::from_micros(at as u64 * 125);
            if clicks.last().is_none_or(|last| moment - *last > Duration::from_millis(20)) {
                clicks.push(moment);
            }
        }
        clicks
    }

    /// Whether anything but silence is in it.
    pub fn is_audible(&self) -> bool {
        self.0.iter().any(|sample| sample.unsigned_abs() > 600)
    }

    /// Whether these tones are heard in its last moment as loud as they were said, not ducked under a prompt.
    pub fn is_clear(&self, tones: &[f64]) -> bool {
        let moment = self.last(Duration::from_millis(400));
        moment.length() > Duration::from_millis(300) && tones.iter().all(|tone| moment.level(*tone) > -20.0)
    }

    /// Panics unless exactly these of all tones are heard, each the whole time.
    #[track_caller]
    pub fn hears_exactly(&self, who: &str, heard: &[f64], all: &[f64]) {
        assert!(self.length() > Duration::from_millis(500), "{who} has heard {:?} only", self.length());
        let levels: Vec<(f64, f64)> = all.iter().map(|f| (*f, self.level(*f))).collect();
        for (frequency, db) in &levels {
            if heard.contains(frequency) {
                let share = self.presence(*frequency).as_secs_f64() / self.length().as_secs_f64();
                assert!(
                    share > 0.9,
                    "{who} hears {frequency} Hz {:.0} % of the time, levels (Hz, dB): {levels:.1?}",
                    share * 100.0
                );
            } else {
                assert!(*db < THERE_DB - 10.0, "{who} hears {frequency} Hz, levels (Hz, dB): {levels:.1?}");
            }
        }
    }

    /// How much of the energy course of `original` is in this, from 0 to 1: second by second, each found within 300 ms of
    /// where it is due (delay may change on the way), the whole anywhere in the first five seconds. Speech with holes, or
    /// said twice, scores low; another level or a little noise does not matter.
    pub fn likeness(&self, original: &Recording) -> f64 {
        const SECOND: usize = 100;
        const STRAY: usize = 30;
        let (ours, theirs) = (self.envelope(), original.envelope());
        let latest = ours.len().saturating_sub(theirs.len() / 2).min(5 * SECOND);
        let shift =
            (0..=latest).map(|shift| (correlation(&ours[shift..], &theirs), shift)).max_by(|a, b| a.0.total_cmp(&b.0));
        let (_, shift) = shift.unwrap_or_default();
        let mut scores = Vec::new();
        for (at, second) in theirs.chunks_exact(SECOND).enumerate() {
            // A second of silence sounds like any other.
            if second.iter().filter(|loud| **loud > 20.0).count() < SECOND / 4 {
                continue;
            }
            let due = shift + at * SECOND;
            let found = (due.saturating_sub(STRAY)..=due + STRAY)
                .map(|from| ours.get(from..from + SECOND).map_or(0.0, |part| correlation(part, second)));
            scores.push(found.fold(0.0, f64::max));
        }
        scores.iter().sum::<f64>() / scores.len().max(1) as f64
    }

    /// Loudness every 10 ms, in dB above -60.
    fn envelope(&self) -> Vec<f64> {
        let loud = |frame: &[i16]| {
            let power = frame.iter().map(|x| (f64::from(*x) / 32768.0).powi(2)).sum::<f64>() / frame.len() as f64;
            (10.0 * (power + 1e-12).log10() + 60.0).max(0.0)
        };
        self.0.chunks_exact(HOP).map(loud).collect()
    }
}

/// Goertzel's filter under a Hann window, 0 dB for the loudest sine.
fn level(samples: &[i16], frequency: f64) -> f64 {
    let turn = TAU * frequency / f64::from(RATE);
    let count = samples.len().max(1) as f64;
    let (mut one, mut two) = (0.0, 0.0);
    for (at, sample) in samples.iter().enumerate() {
        let window = 0.5 - 0.5 * (TAU * at as f64 / count).cos();
        (one, two) = (f64::from(*sample) / 32768.0 * window + 2.0 * turn.cos() * one - two, one);
    }
    let power = one * one + two * two - 2.0 * turn.cos() * one * two;
    // The window's mean is one half, and a sine's line carries half of its amplitude.
    20.0 * (power.max(0.0).sqrt() * 4.0 / count + 1e-9).log10()
}

/// Pearson's correlation over the common length.
fn correlation(one: &[f64], two: &[f64]) -> f64 {
    let count = one.len().min(two.len());
    let mean = |x: &[f64]| x.iter().take(count).sum::<f64>() / count.max(1) as f64;
    let (a, b) = (mean(one), mean(two));
    let sums = one
        .iter()
        .zip(two)
        .fold((0.0, 0.0, 0.0), |s, (x, y)| (s.0 + (x - a) * (y - b), s.1 + (x - a).powi(2), s.2 + (y - b).powi(2)));
    if sums.1 * sums.2 == 0.0 { 0.0 } else { sums.0 / (sums.1 * sums.2).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::{ms, s};

    const ALL: &[f64] = &[440.0, 1000.0, 1500.0];

    #[test]
    fn two_tones_are_told_from_a_third() {
        let both = Recording::tones(&[440.0, 1500.0], -20.0, s(2));
        both.hears_exactly("the analyser", &[440.0, 1500.0], ALL);
        assert!((both.level(440.0) + 20.0).abs() < 0.2, "{}", both.level(440.0));
        assert!(both.level(1000.0) < -70.0, "{}", both.level(1000.0));
    }

    #[test]
    fn a_missing_packet_is_a_gap_and_a_click() {
        let mut whole = Recording::tone(440.0, -12.0, s(1));
        assert!(whole.gaps(440.0).is_empty() && whole.clicks(&[440.0]).is_empty());
        whole.0[4007..4007 + 480].fill(0);
        assert_eq!(whole.clicks(&[440.0]).len(), 2);
        assert_eq!(whole.gaps(440.0).len(), 1);
        let gap = whole.gaps(440.0)[0];
        assert!((ms(20)..=ms(70)).contains(&gap), "{gap:?}");
    }

    #[test]
    fn a_cut_of_phase_is_a_click() {
        let mut spliced = Recording::tones(&[440.0, 1500.0], -18.0, s(1));
        assert!(spliced.clicks(&[440.0, 1500.0]).is_empty());
        spliced.0.drain(4000..4013);
        assert_eq!(spliced.clicks(&[440.0, 1500.0]).len(), 1);
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = crate::common::process::Folder::new("wav");
        let tone = Recording::tone(440.0, -12.0, ms(500));
        tone.write(&folder.file("tone.wav"));
        assert_eq!(Recording::read(&folder.file("tone.wav")), tone);
    }

    #[test]
    fn speech_with_holes_is_less_like_itself() {
        let syllables = |n: usize| if n % 2400 < 1400 { (n % 2400) as i16 * 8 } else { 0 };
        let speech = Recording((0..32_000).map(|n| if n % 7 < 3 { syllables(n) } else { -syllables(n) }).collect());
        let mut late = Recording(vec![0; 5000]);
        late.0.extend(&speech.0);
        assert!(late.likeness(&speech) > 0.98, "{}", late.likeness(&speech));
        let mut holes = speech.clone();
        holes.0.chunks_mut(1600).for_each(|part| part.iter_mut().take(900).for_each(|x| *x = 0));
        assert!(holes.likeness(&speech) < 0.8, "{}", holes.likeness(&speech));
    }
}
