//! What the tests that run the real program share: a gateway on loopback, telephones of other people's making,
//! recordings and what is heard in them.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test stops where it cannot go on, reads clocks and files, and each test binary uses a part of this"
)]

#[path = "../media_support/abuse.rs"]
pub mod abuse;
pub mod audio;
pub mod bare;
pub mod baresip;
#[path = "../media_support/coder.rs"]
pub mod coder;
pub mod dns;
pub mod gateway;
pub mod impair;
pub mod kamailio;
pub mod linphone;
pub mod page;
pub mod phone;
pub mod ports;
pub mod process;
pub mod providers;
pub mod rtpengine;
pub mod sipp;
pub mod wiretap;

use std::time::{Duration, Instant};

/// Looks until what is looked for is there, and panics with `what` when it has not come by the deadline.
#[track_caller]
pub fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < limit, "{what}: not seen in {limit:?}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Lets a conversation go on for this long: audio takes the time it takes.
pub fn talk(length: Duration) {
    let begun = Instant::now();
    while let Some(left) = length.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}

/// Waits until these tones are heard clearly: the prompts at the door are over.
#[track_caller]
pub fn until_clear(tones: &[f64], heard: impl Fn() -> audio::Recording) {
    until(&format!("{tones:?} Hz to be heard clearly"), s(20), || heard().is_clear(tones).then_some(()));
}

/// A duration in milliseconds.
pub const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A duration in seconds.
pub const fn s(count: u64) -> Duration {
    Duration::from_secs(count)
}
