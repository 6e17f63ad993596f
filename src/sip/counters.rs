//! What the endpoint counts instead of logging: a flood of bad messages must cost numbers, not lines.

use std::collections::BTreeMap;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Totals since the start. Every field only grows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            /// Every total by its name, for metrics.
            pub fn named(&self) -> BTreeMap<String, u64> {
                BTreeMap::from([$((stringify!($name).to_owned(), self.$name),)*])
            }
        }
    };
}

counters! {
    /// Requests that came, copies included.
    requests_received,
    /// Responses that came, copies included.
    responses_received,
    /// Requests sent, copies included.
    requests_sent,
    /// Responses sent, copies included.
    responses_sent,
    /// Requests recognised as copies and absorbed or answered from the transaction.
    retransmissions_absorbed,
    /// Requests and answers of ours sent again for want of an answer.
    retransmissions_sent,
    /// Messages that could not be parsed.
    malformed,
    /// Malformed requests left unanswered because their source sent too many.
    malformed_unanswered,
    /// Requests refused before any transaction, by the checks of RFC 3261 §8.2.
    refused,
    /// Requests, new INVITEs first, refused with 503 because a limit was reached.
    over_limit,
    /// Responses that belong to no transaction of ours.
    stray_responses,
    /// ACKs that belong to nothing.
    stray_acks,
    /// Transactions nobody answered.
    timeouts,
    /// Messages the transport could not send.
    send_failures,
    /// Inbound INVITEs handed to the user.
    invites_in,
    /// Outbound INVITEs begun.
    invites_out,
    /// Legs that reached a confirmed dialog.
    answered,
    /// Legs that ended.
    ended,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_total_has_its_name() {
        let counters = Counters { malformed: 3, ..Counters::default() };
        assert_eq!(counters.named().get("malformed"), Some(&3));
        assert_eq!(counters.named().len(), std::mem::size_of::<Counters>() / 8);
    }
}
