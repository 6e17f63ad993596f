//! Callbacks at a set time: when one is due by a clock that may jump, and not in somebody's night.

use std::time::Duration;

use crate::base::Utc;
use crate::route::Hours;

/// How often the clock on the wall is looked at while one waits. Longer: a clock that was set is noticed later. Shorter:
/// the node wakes for nothing.
const LOOK: Duration = Duration::from_secs(30);

/// How late one may still ring: the node was down, the clock was set, or it was night. Later it is called off.
const LATE: Duration = Duration::from_secs(24 * 3600);

/// What is to be done about one now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// It is time.
    Now,
    /// Look again after this.
    In(Duration),
    /// It is too late.
    Missed,
}

/// Whether one is due: its time has come, and the quiet hours do not hold. What they hold back rings when they end.
pub fn due(at: Utc, quiet: Option<&Hours>, now: Utc) -> Due {
    let ahead = u64::try_from(at.0.saturating_sub(now.0)).unwrap_or(0);
    if ahead > 0 {
        return Due::In(Duration::from_millis(ahead).min(LOOK));
    }
    let late = u64::try_from(now.0.saturating_sub(at.0)).unwrap_or(0);
    if Duration::from_millis(late) > LATE {
        return Due::Missed;
    }
    match quiet {
        Some(hours) if hours.hold(now) => Due::In(LOOK),
        Some(_) | None => Due::Now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn utc(text: &str) -> Utc {
        Utc(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn it_is_due_at_its_time_and_the_wall_clock_is_looked_at_until_then() {
        let at = utc("2026-11-21T10:00:00Z");
        assert_eq!(due(at, None, Utc(at.0 - 5_000)), Due::In(Duration::from_secs(5)));
        assert_eq!(due(at, None, Utc(at.0 - 60 * MINUTE)), Due::In(LOOK), "a clock that is set meanwhile is noticed");
        assert_eq!(due(at, None, at), Due::Now);
        assert_eq!(due(at, None, Utc(at.0 + 120 * MINUTE)), Due::Now, "the clock leapt, or the node was down");
        assert_eq!(due(at, None, Utc(at.0 + 25 * 60 * MINUTE)), Due::Missed);
    }

    #[test]
    fn nobody_is_rung_in_their_night_and_summer_time_is_minded() {
        let quiet: Hours = serde_json::from_str(r#"{"zone":"Europe/Berlin","times":["22:00-07:00"]}"#).unwrap();
        let winter = utc("2026-11-21T05:30:00Z");
        assert_eq!(due(winter, Some(&quiet), winter), Due::In(LOOK), "half past six in Berlin");
        assert_eq!(due(winter, Some(&quiet), utc("2026-11-21T06:00:00Z")), Due::Now);
        let summer = utc("2026-07-21T05:00:00Z");
        assert_eq!(due(summer, Some(&quiet), summer), Due::Now, "seven in Berlin, where it is summer");
    }
}
