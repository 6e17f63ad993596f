//! What the endpoint counts instead of logging: a flood of bad messages must cost numbers, not lines.

/// Totals since the start. Every field only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Requests that came, copies included.
    pub requests_received: u64,
    /// Responses that came, copies included.
    pub responses_received: u64,
    /// Requests sent, copies included.
    pub requests_sent: u64,
    /// Responses sent, copies included.
    pub responses_sent: u64,
    /// Requests recognised as copies and absorbed or answered from the transaction.
    pub retransmissions_absorbed: u64,
    /// Requests and answers of ours sent again for want of an answer.
    pub retransmissions_sent: u64,
    /// Messages that could not be parsed.
    pub malformed: u64,
    /// Malformed requests left unanswered because their source sent too many.
    pub malformed_unanswered: u64,
    /// Requests refused before any transaction, by the checks of RFC 3261 §8.2.
    pub refused: u64,
    /// New INVITEs refused with 503 because a limit was reached.
    pub over_limit: u64,
    /// Responses that belong to no transaction of ours.
    pub stray_responses: u64,
    /// ACKs that belong to nothing.
    pub stray_acks: u64,
    /// Transactions nobody answered.
    pub timeouts: u64,
    /// Messages the transport could not send.
    pub send_failures: u64,
    /// Inbound INVITEs handed to the user.
    pub invites_in: u64,
    /// Outbound INVITEs begun.
    pub invites_out: u64,
    /// Legs that reached a confirmed dialog.
    pub answered: u64,
    /// Legs that ended.
    pub ended: u64,
}
