//! When what did not arrive is tried again, and when no more.

use std::time::Duration;

use crate::base::Rng;

/// Pauses between attempts, and between attempts at an endpoint that fails again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The first pause. Longer: a restart of the receiver is felt. Shorter: it is asked again while it still restarts.
    pub first: Duration,
    /// The longest. Longer: after a long failure news come late. Shorter: more is asked for nothing.
    pub longest: Duration,
    /// Attempts in all: with the pauses between, some two days. More: what arrives is old. Fewer: a weekend is lost.
    pub attempts: u32,
    /// How long an endpoint rests that failed once; twice as long each time, to sixty times this. Whatever waits for it, waits
    /// as one. Longer: it is found to be back later. Shorter: one that is down is asked for each of thousands of events.
    pub rest: Duration,
}

/// Each pause is so many times the one before.
const FACTOR: u32 = 4;

impl Default for Pace {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(5),
            longest: Duration::from_secs(12 * 3600),
            attempts: 12,
            rest: Duration::from_secs(1),
        }
    }
}

impl Pace {
    /// How long to wait after so many attempts; none when that was the last. What the receiver named counts where it is longer.
    pub fn pause(&self, attempts: u32, named: Option<Duration>, rng: &mut Rng) -> Option<Duration> {
        if attempts >= self.attempts {
            return None;
        }
        let grown = self.first.saturating_mul(FACTOR.saturating_pow(attempts.saturating_sub(1))).min(self.longest);
        // A fifth by chance: what failed together does not come back together.
        let millis = u64::try_from(grown.as_millis()).unwrap_or(u64::MAX);
        let spread = Duration::from_millis(millis - rng.below(millis / 5 + 1));
        Some(spread.max(named.unwrap_or_default().min(self.longest)))
    }

    /// How long an endpoint rests after so many failures in a row, from 1.
    pub fn rest(&self, failures: u32) -> Duration {
        self.rest.saturating_mul(1 << failures.saturating_sub(1).min(6)).min(self.rest * 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_five_seconds_to_twelve_hours_and_end_after_two_days() {
        let (pace, mut rng) = (Pace::default(), Rng::from_number(1));
        let pauses: Vec<Duration> = (1..).map_while(|attempts| pace.pause(attempts, None, &mut rng)).collect();
        assert_eq!(pauses.len(), 11);
        assert!((4..=5).contains(&pauses[0].as_secs()), "{:?}", pauses[0]);
        assert!(pauses.iter().all(|pause| *pause <= pace.longest));
        let all: Duration = pauses.iter().sum();
        assert!((40..54).contains(&(all.as_secs() / 3600)), "{all:?}");
    }

    #[test]
    fn a_receiver_that_names_a_time_is_not_asked_before_it() {
        let (pace, mut rng) = (Pace::default(), Rng::from_number(1));
        let named = Duration::from_secs(600);
        assert_eq!(pace.pause(1, Some(named), &mut rng), Some(named));
        assert_eq!(pace.pause(1, Some(Duration::MAX), &mut rng), Some(pace.longest));
        assert_eq!(pace.rest(1), Duration::from_secs(1));
        assert_eq!(pace.rest(40), Duration::from_secs(60));
    }
}
