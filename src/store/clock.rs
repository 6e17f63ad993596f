//! The wall clock, for stored times; everything below takes time as an argument.

use crate::base::Utc;

/// The time now.
#[allow(clippy::disallowed_methods, reason = "rank 7 may read the clock; stored times are wall time")]
pub fn utc() -> Utc {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Utc(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
