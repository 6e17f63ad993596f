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

/// The wall clock alone.
#[allow(clippy::disallowed_methods, reason = "the one place that reads the wall clock for everyone below")]
pub fn utc() -> Utc {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Utc(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
