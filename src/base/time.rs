//! Time as an argument. Monotonic time orders and arms; UTC is compared with stored expiries only.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Nanoseconds since the program began. Never underflows: a difference is at least zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Instant(u64);

impl Instant {
    /// The program's first instant.
    pub const START: Instant = Instant(0);

    /// The instant this long after the start.
    pub const fn from_start(since: Duration) -> Self {
        Self(since.as_nanos() as u64)
    }

    /// How long after the start this is.
    pub const fn since_start(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// Nanoseconds after the start: what is to be reckoned with at every packet.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was, zero when it lies ahead.
    pub const fn since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The latest whole multiple of `period` after the start that is not after this.
    pub const fn floor(self, period: Duration) -> Instant {
        let period = nanos(period);
        match self.0.checked_div(period) {
            Some(whole) => Instant(whole * period),
            None => self,
        }
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    fn add(self, length: Duration) -> Instant {
        Instant(self.0.saturating_add(nanos(length)))
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;
    fn sub(self, length: Duration) -> Instant {
        Instant(self.0.saturating_sub(nanos(length)))
    }
}

/// At most 584 years.
const fn nanos(length: Duration) -> u64 {
    length.as_secs().saturating_mul(1_000_000_000).saturating_add(length.subsec_nanos() as u64)
}

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Utc(pub i64);

impl fmt::Display for Utc {
    /// RFC 3339 with milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.rem_euclid(1000);
        let seconds = self.0.div_euclid(1000);
        let days = seconds.div_euclid(86_400);
        let of_day = seconds.rem_euclid(86_400);
        // Civil date from a day count (Howard Hinnant's algorithm, proleptic Gregorian).
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = doy - (153 * mp + 2) / 5 + 1;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = yoe + era * 400 + i64::from(month <= 2);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{millis:03}Z",
            of_day / 3600,
            of_day / 60 % 60,
            of_day % 60
        )
    }
}

/// Both clocks at one moment; the last argument of whatever needs time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// For order and timers.
    pub mono: Instant,
    /// For what people and stored expiries read.
    pub utc: Utc,
}

impl Now {
    /// The moment this much later on both clocks.
    pub fn plus(self, length: Duration) -> Self {
        Self { mono: self.mono + length, utc: Utc(self.utc.0 + i64::try_from(length.as_millis()).unwrap_or(i64::MAX)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utc_prints_as_people_write_it() {
        assert_eq!(Utc(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Utc(1_709_210_096_789).to_string(), "2024-02-29T12:34:56.789Z");
        assert_eq!(Utc(-1).to_string(), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn a_difference_is_never_negative() {
        let early = Instant::START + Duration::from_secs(1);
        assert_eq!(Instant::START.since(early), Duration::ZERO);
        assert_eq!(Instant::START - Duration::from_secs(9), Instant::START);
    }
}
