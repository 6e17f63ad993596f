//! What the transports count instead of logging.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Totals since the start, written by the receiving tasks.
        #[derive(Debug, Default)]
        pub struct Counts {
            $($(#[$doc])* pub $name: AtomicU64,)*
        }

        impl Counts {
            /// Every total with its name, for metrics.
            pub fn read(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.load(Ordering::Relaxed)),)*]
            }
        }
    };
}

counts! {
    /// Datagrams that came, keep-alives included.
    datagrams_received,
    /// Datagrams sent.
    datagrams_sent,
    /// Datagrams that the kernel would not take: no route, a full send buffer.
    datagrams_unsent,
    /// Empty datagrams, CRLF and other keep-alives (RFC 5626 §3.5).
    keep_alives,
    /// STUN binding requests answered (RFC 5389), the other keep-alive of RFC 5626.
    stun_requests,
    /// Messages longer than the limit.
    oversized,
    /// Datagrams and messages that are not SIP.
    malformed,
    /// Requests by UDP dropped because the gateway has too much to do; they come again.
    dropped_requests,
    /// Responses and ACKs by UDP dropped for the same reason.
    dropped_others,
    /// Connections accepted.
    accepted,
    /// Connections refused: too many in all.
    refused_total,
    /// Connections refused: too many of one source.
    refused_source,
    /// TLS handshakes that failed.
    handshakes_failed,
    /// Connections opened by us.
    connected,
    /// Connections that could not be opened.
    connect_failed,
    /// Connections closed because a message was not complete in time.
    too_slow,
    /// Connections closed because nothing came for too long.
    idle,
    /// Connections closed because their bytes could not be told apart into messages.
    unframed,
    /// Connections closed because the far end does not read.
    not_reading,
}

/// Adds one.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
