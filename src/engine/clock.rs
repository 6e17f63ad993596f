//! The one reader of clocks.

use std::time::Duration;

use crate::base::{Instant, Now, Utc};
use crate::engine::os;

/// Counts from the program's start. Copies count alike.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: u64,
}

impl Clock {
    /// Begins to count.
    pub fn start() -> Self {
        Self { start: os::monotonic() }
    }

    /// Both clocks now.
    pub fn now(&self) -> Now {
        Now { mono: self.mono(), utc: utc() }
    }

    /// The monotonic clock alone.
    pub fn mono(&self) -> Instant {
        Instant::from_start(Duration::from_nanos(os::monotonic().saturating_sub(self.start)))
    }

    /// How long from now until `at`; nothing when it has passed.
    pub fn until(&self, at: Instant) -> Duration {
        at.since(self.mono())
    }

    /// Blocks this thread until `at`. For media threads alone.
    pub fn sleep_until(&self, at: Instant) {
        let nanos = u64::try_from(at.since_start().as_nanos()).unwrap_or(u64::MAX);
        os::sleep_until(self.start.saturating_add(nanos));
    }
}

/// Tells when a datagram came by the kernel's note of it, which is of the wall clock.
#[derive(Debug, Clone, Copy)]
pub struct Stamps {
    /// Both clocks at one moment.
    mono: Instant,
    wall: Duration,
    /// A note further back is none.
    oldest: Duration,
}

impl Stamps {
    /// A note further back than this, and than we stood still, is no note of a datagram, but of a wall clock that was set: 300 ms. More: datagrams that
    /// count as much too early keep the jitter buffer from waiting as long as it has to. Less: what waited over a few ticks counts as late.
    const OLDEST: Duration = Duration::from_millis(300);

    /// By both clocks as they are now; what waits may have waited for as long as we are `late`.
    pub fn new(clock: &Clock, late: Duration) -> Self {
        Self { mono: clock.mono(), wall: os::wall(), oldest: Self::OLDEST + late }
    }

    /// How long ago that was, as the wall clock goes; nothing is known where nothing was noted.
    pub fn age(&self, noted: Option<Duration>) -> Option<Duration> {
        noted.map(|noted| self.wall.saturating_sub(noted))
    }

    /// When what the kernel noted then came; at `now` at the latest, and where nothing was noted.
    pub fn arrived(&self, noted: Option<Duration>, now: Instant) -> Instant {
        let Some(noted) = noted else { return now };
        let ago = self.wall.saturating_sub(noted);
        let ahead = noted.saturating_sub(self.wall);
        if ago > self.oldest { now } else { (self.mono - ago + ahead).min(now) }
    }
}

/// The wall clock alone.
#[allow(clippy::disallowed_methods, reason = "the one place that reads the wall clock for everyone below")]
pub fn utc() -> Utc {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Utc(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_came_when_the_kernel_had_it_unless_the_wall_clock_was_set() {
        let at = |millis| Instant::from_start(Duration::from_millis(millis));
        let (mono, wall, oldest) = (at(10_000), Duration::from_secs(1_000_000), Stamps::OLDEST);
        let stamps = Stamps { mono, wall, oldest };
        let noted = |millis: i64| Some(Duration::from_millis(u64::try_from(1_000_000_000 + millis).unwrap_or(0)));
        let now = at(10_004);
        for (note, came) in [
            (None, now),
            (noted(0), at(10_000)),
            (noted(-7), at(9_993)),
            (noted(3), at(10_003)),
            (noted(6), now),
            (noted(-290), at(9_710)),
            (noted(-301), now),
            (noted(3_600_000), now),
        ] {
            assert_eq!(stamps.arrived(note, now), came, "{note:?}");
        }
        let stood_still = Stamps { mono, wall, oldest: Stamps::OLDEST + Duration::from_secs(1) };
        for (note, came) in [(noted(-1290), at(8_710)), (noted(-1301), now)] {
            assert_eq!(stood_still.arrived(note, now), came, "{note:?}");
        }
    }
}
