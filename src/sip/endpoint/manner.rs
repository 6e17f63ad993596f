//! How a far end is spoken to for the life of a call: which extensions are used with it.

use std::time::Duration;

use crate::base::Support;

/// How a far end is spoken to for the life of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// Reliable provisional answers (RFC 3262). `Supported`: ours are reliable where they carry SDP and the far end knows
    /// how, or where it demands it; theirs are acknowledged. `Require`: demanded of every call, 421 without.
    pub prack: Support,
    /// Session timers (RFC 4028); none: neither asked for nor kept.
    pub timer: Option<SessionTimer>,
    /// Whether UPDATE may be sent (RFC 3311), where the far end lists it in Allow.
    pub update: bool,
}

/// What is wanted of a session timer (RFC 4028).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionTimer {
    /// What we ask for, in seconds.
    pub expires: u32,
    /// The shortest we take, in seconds; below it 422 (§5). Never less than 90 on the wire.
    pub min_se: u32,
    /// Refresh by UPDATE where the far end allows it; else by re-INVITE.
    pub by_update: bool,
    /// Ask for it in every call, and keep it even with a far end that knows nothing of it. Else only said in Supported,
    /// and kept where the far end asks.
    pub demand: bool,
}

/// A session timer that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionInterval {
    /// How long the session lasts without a refresh.
    pub expires: Duration,
    /// Whether the refreshes are ours to send.
    pub ours: bool,
}

impl Default for SessionTimer {
    fn default() -> Self {
        Self { expires: 1800, min_se: 90, by_update: true, demand: false }
    }
}

impl Default for Manner {
    fn default() -> Self {
        Self { prack: Support::Supported, timer: Some(SessionTimer::default()), update: true }
    }
}
