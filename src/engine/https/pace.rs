//! When an authority is asked: in time, and never too often.

use std::time::Duration;

use crate::base::{Rng, Utc};

/// The first pause after an authority said no. Longer: what was mended counts late. Shorter: Let's Encrypt allows five
/// failed proofs of a name in an hour, and these are four.
const REFUSED: Duration = Duration::from_secs(300);

/// The first pause after none was reached, which costs nobody anything.
const UNREACHED: Duration = Duration::from_secs(60);

/// The longest pause. Longer: a mended thing counts a day later. Shorter: months of refusals for nothing.
const LONGEST: Duration = Duration::from_secs(12 * 3600);

/// The longest pause that an authority can ask for: a certificate that is good for longer is renewed in time all the same.
const MOST_ASKED: Duration = Duration::from_secs(7 * 24 * 3600);

/// The least time between two attempts, over restarts too: who is started anew each second must not ask each second.
pub const LEAST: Duration = Duration::from_secs(20);

/// When a certificate is renewed: before a third of its life is left, and not all nodes of the world at one second.
pub fn renewal(begins: Utc, ends: Utc, rng: &mut Rng) -> Utc {
    let life = u64::try_from(ends.0.saturating_sub(begins.0)).unwrap_or(0);
    let early = rng.below(life / 30 + 1);
    Utc(ends.0.saturating_sub(i64::try_from(life / 3 + early).unwrap_or(0)))
}

/// How long to wait after so many failures in a row (from 1); what the authority named counts where it is longer.
pub fn pause(failures: u32, reached: bool, named: Option<Duration>, rng: &mut Rng) -> Duration {
    let first = if reached { REFUSED } else { UNREACHED };
    let doubled = first.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST);
    // A tenth by chance, so that those whom one failure hit do not come back as one.
    let spread = doubled + Duration::from_millis(rng.below(u64::try_from(doubled.as_millis()).unwrap_or(0) / 10 + 1));
    spread.max(named.unwrap_or_default().min(MOST_ASKED))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    #[test]
    fn a_certificate_of_ninety_days_is_renewed_with_thirty_to_thirty_three_left() {
        let mut rng = Rng::from_number(1);
        for _ in 0..100 {
            let at = renewal(Utc(0), Utc(90 * DAY), &mut rng);
            assert!((57 * DAY..=60 * DAY).contains(&at.0), "{at}");
        }
        assert_eq!(renewal(Utc(5), Utc(5), &mut rng), Utc(5));
        assert_eq!(renewal(Utc(9), Utc(5), &mut rng), Utc(5));
    }

    #[test]
    fn failures_are_followed_by_longer_and_longer_pauses_never_by_none() {
        let mut rng = Rng::from_number(2);
        let mut within_an_hour = 0;
        let mut passed = Duration::ZERO;
        for failures in 1..40 {
            let pause = pause(failures, true, None, &mut rng);
            assert!(pause >= REFUSED && pause <= LONGEST + LONGEST / 10, "{failures}: {pause:?}");
            passed += pause;
            within_an_hour += u32::from(passed < Duration::from_secs(3600));
        }
        assert!(within_an_hour < 4, "with the first attempt, fewer than five in an hour");
        assert!(pause(1, false, None, &mut rng) < REFUSED);
    }

    #[test]
    fn an_authority_that_names_a_time_is_not_asked_before_it() {
        let mut rng = Rng::from_number(3);
        let named = Duration::from_secs(36 * 3600);
        assert_eq!(pause(1, true, Some(named), &mut rng), named);
        assert!(pause(1, true, Some(Duration::from_secs(1)), &mut rng) >= REFUSED);
        assert_eq!(pause(1, true, Some(Duration::MAX), &mut rng), MOST_ASKED);
    }
}
