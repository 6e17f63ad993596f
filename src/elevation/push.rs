//! Notifications as data: a browser that takes them, what it is told, and what came of it.

use std::fmt;

use crate::base::id::ElevationId;
use crate::base::{PhoneNumber, Secret};
use crate::elevation::Reason;

/// Longest address of a push service that is kept. More: somebody's long text in our database. Fewer: those of the large
/// services, some 200 to 600 characters, do not fit.
pub const LONGEST_ENDPOINT: usize = 1024;

/// A browser that takes notifications (W3C Push API, `PushSubscription`).
#[derive(Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Where its push service takes messages for it; whoever knows it may send some.
    pub endpoint: Secret,
    /// The browser's public key: a point of P-256, uncompressed (RFC 8291 §3.1).
    pub key: [u8; 65],
    /// What it shares with us alone (RFC 8291 §3.2).
    pub auth: [u8; 16],
}

/// A notification to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushOrder {
    /// Whose elevation; a newer message of the same replaces the older one.
    pub elevation: ElevationId,
    /// Whose browsers.
    pub to: PhoneNumber,
    /// What opens the seat.
    pub link: Secret,
    /// What the meeting is called.
    pub room: String,
}

/// What came of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushOutcome {
    /// A push service took it.
    Taken,
    /// No browser of theirs takes any.
    Nobody,
    /// No push service took it.
    Failed(Reason),
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscription(***)")
    }
}
