//! Line echo: what a telephone hears comes back from it, for lack of a good hybrid, or from its loudspeaker.
//!
//! Loudness alone tells: what comes from a leg rises and falls as what went to it did, always the same time later. People
//! who talk with each other do the reverse. So 16 correlations of levels per tick suffice, and only for legs from which
//! something is heard.

use super::level::AUDIBLE;

/// Delays looked at, in ticks: up to 300 ms. Longer: no line has it. Shorter: two mobile networks have more than 200.
const LAGS: usize = 16;

/// Forgets half in 4 s. Longer: the alarm comes late. Shorter: a few words in common are taken for echo.
const FORGET: f32 = 1.0 / 288.0;

/// Ticks between two verdicts: 1 s.
const EVERY: u8 = 50;

/// What comes back follows what went out as closely as this. Lower: people who agree are an echo. Higher: one who talks
/// meanwhile hides his line's echo.
const ALIKE: f32 = 0.75;

/// And no longer at all below this.
const UNLIKE: f32 = 0.35;

/// Verdicts in a row before it is said: 4 s.
const SURE: u8 = 4;

/// Echo this much softer than what went out is not heard, in dB.
const INAUDIBLE: f32 = 45.0;

/// No line makes louder what comes back: beyond this, in dB, it is the far end's echo of this leg's own voice.
const LOUDER: f32 = -3.0;

/// Words lately, with pauses between them, from which something can be told. Fewer: two tones that begin at once are an echo.
/// More: who speaks slowly is never found.
const WORDS: f32 = 4.0;

/// Ticks without anything audible after which there is nothing to look for: 4 s.
const SILENT: u16 = 200;

/// What comes back from a leg.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct LineEcho {
    /// How much later, in milliseconds, to 20 ms; the network and our buffer count.
    pub delay_ms: u16,
    /// How much softer, in dB.
    pub loss_db: f32,
}

/// Listens for the echo of one leg.
#[derive(Debug, Clone, Default)]
pub struct EchoWatch {
    /// What was sent, the newest at `at`, lag by lag further into the past; each twice, so that it lies in one piece wherever it begins.
    sent: [u16; 2 * LAGS],
    at: usize,
    /// Means, and what is left around them.
    mean_sent: f32,
    mean_back: f32,
    power_sent: f32,
    power_back: f32,
    alike: [f32; LAGS],
    /// Whether a word goes out, and how many have begun lately.
    word: bool,
    words: f32,
    silent: u16,
    ticks: u8,
    /// Verdicts in a row that differ from what was told.
    doubts: u8,
    told: Option<LineEcho>,
}

impl EchoWatch {
    /// Takes how loud this tick's sound to the leg is, and from it; returns what is to be told, if that is news.
    pub fn hear(&mut self, sent: u16, back: u16) -> Option<Option<LineEcho>> {
        if back >= AUDIBLE {
            self.silent = 0;
        } else if self.silent > SILENT {
            return None;
        } else {
            self.silent += 1;
            if self.silent > SILENT {
                let before = std::mem::replace(self, Self { silent: self.silent, ..Self::default() });
                return if before.told.is_some() { Some(None) } else { None };
            }
        }
        self.at = (self.at + LAGS - 1) % LAGS;
        for at in [self.at, self.at + LAGS] {
            if let Some(place) = self.sent.get_mut(at) {
                *place = sent;
            }
        }
        let (sent, back) = (f32::from(sent), f32::from(back));
        self.mean_sent += (sent - self.mean_sent) * FORGET;
        self.mean_back += (back - self.mean_back) * FORGET;
        let around = back - self.mean_back;
        self.words -= self.words * FORGET;
        if !self.word && sent > 1.5 * self.mean_sent {
            (self.word, self.words) = (true, self.words + 1.0);
        } else if sent < 0.5 * self.mean_sent {
            self.word = false;
        }
        self.power_sent += ((sent - self.mean_sent).powi(2) - self.power_sent) * FORGET;
        self.power_back += (around * around - self.power_back) * FORGET;
        let mean = self.mean_sent;
        if let Some(past) = self.sent.get(self.at..).and_then(|past| past.first_chunk::<LAGS>()) {
            for (alike, sent) in self.alike.iter_mut().zip(past) {
                *alike += ((f32::from(*sent) - mean) * around - *alike) * FORGET;
            }
        }
        self.ticks += 1;
        if self.ticks < EVERY {
            return None;
        }
        self.ticks = 0;
        self.judge()
    }

    /// What was told last.
    pub fn told(&self) -> Option<LineEcho> {
        self.told
    }

    fn judge(&mut self) -> Option<Option<LineEcho>> {
        // Nobody speaks to it: nothing can come back, and nothing is known.
        if self.power_sent < f32::from(AUDIBLE).powi(2) {
            return None;
        }
        // Nothing comes back within the tick in which it goes out.
        let (lag, most) = self.alike.iter().copied().enumerate().skip(1).max_by(|(_, a), (_, b)| a.total_cmp(b))?;
        let likeness = most / (self.power_sent * self.power_back).sqrt().max(1.0);
        let loss_db = -20.0 * (most / self.power_sent).max(1e-6).log10();
        let found = self.words >= WORDS && likeness > ALIKE && loss_db > LOUDER && loss_db < INAUDIBLE;
        let gone = likeness < UNLIKE;
        let doubted = if self.told.is_some() { gone } else { found };
        self.doubts = if doubted { self.doubts + 1 } else { 0 };
        if self.doubts < SURE {
            return None;
        }
        self.doubts = 0;
        // A lag is a tick, and there are 16.
        self.told = found.then_some(LineEcho { delay_ms: lag as u16 * 20, loss_db });
        Some(self.told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loudness of somebody who talks: words, pauses between, by chance; silent in the other's turns.
    fn voice(seed: u32, ticks: usize) -> Vec<u16> {
        let mut chance = seed;
        let mut next = move || {
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            chance >> 16
        };
        let mut levels = Vec::new();
        while levels.len() < ticks {
            let (on, off) = (5 + next() % 15, 2 + next() % 12);
            let loud = 300 + next() % 1500;
            levels.extend((0..on).map(|_| (loud * (60 + next() % 80) / 100) as u16));
            levels.extend((0..off).map(|_| (next() % 12) as u16));
        }
        levels.truncate(ticks);
        levels
    }

    fn told(sent: &[u16], back: &[u16]) -> Vec<(usize, Option<LineEcho>)> {
        let mut watch = EchoWatch::default();
        let both = sent.iter().zip(back).enumerate();
        both.filter_map(|(tick, (sent, back))| watch.hear(*sent, *back).map(|news| (tick, news))).collect()
    }

    fn delayed(levels: &[u16], ticks: usize, part: u16) -> Vec<u16> {
        let silence = std::iter::repeat_n(0, ticks);
        silence.chain(levels.iter().map(|level| level / part)).take(levels.len()).collect()
    }

    #[test]
    fn echo_is_found_within_ten_seconds_with_its_delay_and_loss_and_its_end_too() {
        let sent = voice(1, 3000);
        for (delay, part) in [(3, 4), (12, 10), (15, 2)] {
            let mut back = delayed(&sent, delay, part);
            back[1500..].fill(0);
            let told = told(&sent, &back);
            let (tick, Some(found)) = told[0] else { panic!("{told:?}") };
            assert!(tick < 500, "after {tick} ticks");
            assert_eq!(usize::from(found.delay_ms), delay * 20);
            assert!((found.loss_db - 20.0 * f32::from(part).log10()).abs() < 2.0, "{found:?}");
            assert_eq!(told.len(), 2);
            assert!(told[1].0 > 1500 && told[1].1.is_none(), "{told:?}");
        }
    }

    #[test]
    fn people_who_take_turns_interrupt_or_talk_at_once_are_no_echo() {
        let (a, b) = (voice(1, 6000), voice(99, 6000));
        assert_eq!(told(&a, &b), [], "both at once");
        let turns: (Vec<u16>, Vec<u16>) =
            a.iter().zip(&b).enumerate().map(|(n, (a, b))| if n / 200 % 2 == 0 { (*a, 5) } else { (8, *b) }).unzip();
        assert_eq!(told(&turns.0, &turns.1), []);
        // One who hums assent in the other's pauses, always a moment later.
        let hums: Vec<u16> = delayed(&a, 8, 1).iter().zip(&b).map(|(a, b)| if *a < 12 { b / 2 } else { 6 }).collect();
        assert_eq!(told(&a, &hums), []);
        assert_eq!(told(&a, &vec![40; 6000]), [], "a noisy line");
        let tone: Vec<u16> = (0..3000).map(|n| if n < 30 { 0 } else { 3000 }).collect();
        for (delay, part) in [(0, 1), (1, 2), (6, 2)] {
            assert_eq!(told(&tone, &delayed(&tone, delay, part)), [], "tones that begin at the same time");
        }
    }

    #[test]
    fn echo_is_found_although_its_person_talks_now_and_then() {
        let sent = voice(1, 3000);
        let talk = voice(5, 3000);
        let back: Vec<u16> = delayed(&sent, 6, 3)
            .iter()
            .zip(&talk)
            .enumerate()
            .map(|(n, (echo, talk))| echo + if n / 100 % 8 == 7 { talk / 2 } else { 0 })
            .collect();
        assert!(matches!(told(&sent, &back)[..], [(_, Some(LineEcho { delay_ms: 120, .. })), ..]));
    }
}
