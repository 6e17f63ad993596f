//! A known tone sent to a far end that is to send it back, and what came of it: how long it took, how loud it is.
//!
//! ```text
//!   sent   ▁▁███▁▁▁▁▁███▁▁▁▁▁▁▁▁███▁▁▁▁▁▁▁▁▁▁▁▁     bursts of 1000 Hz; the gaps differ, so that one burst that is
//!   heard  ▁▁▁▁▁███▁▁▁▁▁███▁▁▁▁▁▁▁▁███▁▁▁▁▁▁▁▁     lost is not taken for a way that is longer
//! ```

use std::f64::consts::TAU;
use std::time::Duration;

/// The tone: whole periods in every block at every rate, and in the middle of what any codec carries.
const FREQUENCY: f64 = 1000.0;
/// Its peak: 12 dB below the loudest. Louder: a gateway's limiter changes it. Less: a quiet path is taken for a dead one.
const PEAK: f64 = 8000.0;
/// What is looked at as one, in milliseconds: five periods. More: coarser times. Less: noise looks like the tone.
const BLOCK: u32 = 5;
/// When the bursts begin, in milliseconds.
const BURSTS: [u32; 3] = [200, 900, 1900];
/// How long each is.
const LENGTH: u32 = 300;
/// When listening ends; a path of two seconds is as long as satellites and bad networks make them.
const END: u32 = 4200;
/// Quieter than this, nothing came back: 50 dB below what was sent.
const FAINTEST: f64 = PEAK / 316.0;
/// Blocks of it in a row before it counts, and without it before the next burst may begin.
const STEADY: u8 = 2;
/// Two gaps are the same within this, in milliseconds: two packets of jitter.
const ALIKE: u32 = 60;

/// What came back of a tone.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Echo {
    /// Bursts sent.
    pub sent: u8,
    /// Bursts heard.
    pub heard: u8,
    /// From our mouth to our ear, our own buffer included, in milliseconds.
    pub round_trip_ms: Option<u32>,
    /// How loud it came back, against what was sent, in decibels.
    pub level_db: Option<f32>,
    /// Something came that was loud and not the tone.
    pub other: bool,
}

/// Sends the tone and listens for it.
#[derive(Debug, Clone)]
pub struct Sounder {
    /// Samples in a second.
    rate: u32,
    said: u64,
    heard: u64,
    on: bool,
    /// Blocks in a row that contradict `on`.
    against: u8,
    onsets: [Option<u32>; BURSTS.len()],
    /// Of the blocks with the tone.
    amplitude: f64,
    blocks: u32,
    /// Blocks that are loud without being the tone.
    others: u32,
    ends: bool,
}

impl Sounder {
    /// One that begins with the next frame, at this many samples a second.
    pub fn new(rate: u32) -> Self {
        Self {
            rate,
            said: 0,
            heard: 0,
            on: false,
            against: 0,
            onsets: [None; BURSTS.len()],
            amplitude: 0.0,
            blocks: 0,
            others: 0,
            ends: false,
        }
    }

    /// Takes what came in this tick and puts what is said in its place. True when it is over.
    pub fn tick(&mut self, frame: &mut [i16]) -> bool {
        let block = (self.rate * BLOCK / 1000).max(1) as usize;
        for samples in frame.chunks(block) {
            self.hear(samples);
        }
        for sample in frame.iter_mut() {
            let ms = (self.said * 1000 / u64::from(self.rate.max(1))) as u32;
            let on = BURSTS.iter().any(|begin| (*begin..begin + LENGTH).contains(&ms));
            let turns = FREQUENCY * self.said as f64 / f64::from(self.rate.max(1));
            *sample = if on { ((turns * TAU).sin() * PEAK) as i16 } else { 0 };
            self.said += 1;
        }
        let all = self.onsets.iter().all(Option::is_some) && !self.on;
        let over = all || self.said * 1000 >= u64::from(END) * u64::from(self.rate);
        over && !std::mem::replace(&mut self.ends, true)
    }

    /// What came of it so far.
    pub fn echo(&self) -> Echo {
        let heard = self.onsets.iter().flatten().count();
        let mean = (self.blocks > 0).then(|| self.amplitude / f64::from(self.blocks));
        Echo {
            sent: BURSTS.len() as u8,
            heard: heard as u8,
            round_trip_ms: self.round_trip(),
            level_db: mean.filter(|_| heard > 0).map(|mean| (20.0 * (mean / PEAK).log10()) as f32),
            // A tenth of a second of it.
            other: self.others >= 20,
        }
    }

    fn hear(&mut self, samples: &[i16]) {
        let at = (self.heard * 1000 / u64::from(self.rate.max(1))) as u32;
        let (mut cosine, mut sine, mut power) = (0.0, 0.0, 0.0);
        for (index, sample) in samples.iter().enumerate() {
            let angle = TAU * FREQUENCY * index as f64 / f64::from(self.rate.max(1));
            let sample = f64::from(*sample);
            cosine += sample * angle.cos();
            sine += sample * angle.sin();
            power += sample * sample;
        }
        self.heard += samples.len() as u64;
        let count = samples.len().max(1) as f64;
        let amplitude = 2.0 / count * cosine.hypot(sine);
        let loud = (power / count).sqrt() > FAINTEST;
        // Most of what is heard is the tone.
        let tone = amplitude > FAINTEST && amplitude * amplitude / 2.0 > 0.5 * power / count;
        self.others += u32::from(loud && !tone && !self.on);
        if tone && self.on {
            self.amplitude += amplitude;
            self.blocks += 1;
        }
        self.against = if tone == self.on { 0 } else { self.against + 1 };
        if self.against < STEADY {
            return;
        }
        self.on = tone;
        self.against = 0;
        if tone && let Some(place) = self.onsets.iter_mut().find(|onset| onset.is_none()) {
            *place = Some(at.saturating_sub(BLOCK * u32::from(STEADY - 1)));
        }
    }

    /// By the first burst heard, which the gap after it names.
    fn round_trip(&self) -> Option<u32> {
        let first = self.onsets.first().copied().flatten()?;
        let gap = self.onsets.get(1).copied().flatten().map(|second| second - first);
        let [one, two, three] = BURSTS;
        let second_was_first = gap.is_some_and(|gap| gap.abs_diff(three - two) <= ALIKE);
        first.checked_sub(if second_was_first { two } else { one })
    }
}

/// The longest that one takes.
pub const LONGEST: Duration = Duration::from_millis(END as u64 + 500);

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes back by a path of this many frames that multiplies by `gain`; frames for which `lost` says so are silent.
    fn echo(rate: u32, frames: usize, gain: f64, lost: impl Fn(usize) -> bool) -> Echo {
        let mut sounder = Sounder::new(rate);
        let mut path = std::collections::VecDeque::from(vec![vec![0i16; rate as usize / 50]; frames]);
        for tick in 0.. {
            let mut frame = path.pop_front().unwrap();
            if lost(tick) {
                frame.fill(0);
            }
            let over = sounder.tick(&mut frame);
            path.push_back(frame.iter().map(|sample| (f64::from(*sample) * gain) as i16).collect());
            if over {
                break;
            }
        }
        sounder.echo()
    }

    #[test]
    fn an_echo_is_timed_and_weighed_at_every_rate() {
        for rate in [8000, 16_000, 48_000] {
            let echo = echo(rate, 6, 0.5, |_| false);
            assert_eq!((echo.sent, echo.heard, echo.other), (3, 3, false), "{rate}");
            assert!(echo.round_trip_ms.unwrap().abs_diff(120) <= 5, "{echo:?}");
            assert!((echo.level_db.unwrap() + 6.0).abs() < 0.5, "{echo:?}");
        }
    }

    #[test]
    fn a_lost_first_burst_makes_the_way_no_longer() {
        let echo = echo(8000, 6, 1.0, |tick| tick < 35);
        assert_eq!(echo.heard, 2);
        assert!(echo.round_trip_ms.unwrap().abs_diff(120) <= 5, "{echo:?}");
    }

    #[test]
    fn silence_and_speech_are_no_echo() {
        let silent = echo(8000, 6, 0.0, |_| false);
        assert_eq!((silent.heard, silent.round_trip_ms, silent.level_db, silent.other), (0, None, None, false));
        let mut sounder = Sounder::new(8000);
        let mut seed = 1u32;
        loop {
            let mut noise: Vec<i16> = (0..160)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    ((seed >> 17) as i16 - 16_384) / 4
                })
                .collect();
            if sounder.tick(&mut noise) {
                break;
            }
        }
        let echo = sounder.echo();
        assert!(echo.other && echo.heard < 3, "{echo:?}");
    }
}
