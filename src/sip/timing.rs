//! The timers of RFC 3261 table 4 and RFC 6026, by their letters, and the three values they are made of.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A transaction's timer. The letters are the RFC's (3261 table 4; `L` and `M` from RFC 6026).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Timer {
    /// INVITE request retransmission, unreliable transports only.
    A,
    /// INVITE client transaction timeout.
    B,
    /// How long an INVITE may ring (§16.6 item 11); a user agent keeps it too, or a lost final answer rings for ever.
    C,
    /// Wait for retransmitted non-2xx answers to an INVITE.
    D,
    /// Non-INVITE request retransmission, unreliable transports only.
    E,
    /// Non-INVITE client transaction timeout.
    F,
    /// INVITE non-2xx answer retransmission.
    G,
    /// Wait for the ACK.
    H,
    /// Wait for retransmitted ACKs.
    I,
    /// Wait for retransmitted non-INVITE requests.
    J,
    /// Wait for retransmitted answers to a non-INVITE.
    K,
    /// Wait for retransmitted INVITEs after a 2xx (RFC 6026).
    L,
    /// Wait for retransmitted and forked 2xx (RFC 6026).
    M,
}

/// The values all SIP timers are made of (RFC 3261 §17.1.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// Estimate of the round trip; 500 ms. More: a lost message costs longer. Less: needless copies.
    pub t1: Duration,
    /// The longest interval between copies of a non-INVITE request or an answer to an INVITE; 4 s.
    pub t2: Duration,
    /// How long the network may hold a message; 5 s.
    pub t4: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

impl Timing {
    /// 64·T1: timers B, F, H, L and M, and J on unreliable transports; 32 s.
    pub const fn give_up(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// Timer D: at least 32 s on unreliable transports, nothing on reliable ones (§17.1.1.2).
    pub fn d(&self, reliable: bool) -> Duration {
        if reliable { Duration::ZERO } else { self.give_up().max(Duration::from_secs(32)) }
    }

    /// Timers I and K: T4 on unreliable transports, nothing on reliable ones.
    pub const fn linger(&self, reliable: bool) -> Duration {
        if reliable { Duration::ZERO } else { self.t4 }
    }

    /// Timer J: 64·T1 on unreliable transports (§17.2.2). On reliable ones the RFC asks for nothing; T1 leaves the
    /// engine the time to find that the connection is gone, so that the answer can go by a new one (§18.2.2).
    pub const fn j(&self, reliable: bool) -> Duration {
        if reliable { self.t1 } else { self.give_up() }
    }

    /// Twice the interval, at most T2.
    pub fn back_off(&self, interval: Duration) -> Duration {
        interval.saturating_mul(2).min(self.t2)
    }
}
