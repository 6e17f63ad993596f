//! What follows when a way to a telephone was of no use: the next way, or none, so that no telephone rings twice, no
//! declined person is called by another road, and no fault of ours costs a call by the public network.

use crate::base::{Cause, Side};
use crate::callback::Failure;

/// How a way ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// Why.
    pub cause: Cause,
    /// The far end's final answer, where it gave one.
    pub status: Option<u16>,
    /// A telephone rang.
    pub rang: bool,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The next way is tried; with none left it failed for this reason.
    Next(Failure),
    /// No other way is tried.
    Stop(Failure),
}

/// What follows on this end: the next way on trouble with DNS, TCP and TLS and on 380 and 400 to 699, but not where a
/// person or a carrier has decided (486, 600, 603, 607, 608), where a telephone rang that nobody answered, and never
/// after a failure of ours.
pub fn verdict(end: &End) -> Verdict {
    match (end.status, end.cause) {
        (Some(603), _) | (_, Cause::Declined) => Verdict::Stop(Failure::Refused),
        (Some(607 | 608), _) | (_, Cause::Blocked) => Verdict::Stop(Failure::Blocked),
        (Some(486 | 600), _) | (_, Cause::Busy | Cause::DoNotDisturb) => Verdict::Stop(Failure::Busy),
        (Some(408 | 480 | 487), _) if end.rang => Verdict::Stop(Failure::NoAnswer),
        (Some(380 | 400..=699), _) => Verdict::Next(Failure::Unreachable),
        (Some(_), _) => Verdict::Stop(Failure::Unreachable),
        (None, Cause::NoAnswer) => Verdict::Stop(Failure::NoAnswer),
        (None, Cause::TransportFailed | Cause::TrunkDown | Cause::NotRegistered) if !end.rang => {
            Verdict::Next(Failure::Unreachable)
        }
        (None, Cause::Throttled) => Verdict::Stop(Failure::TooFrequent),
        (None, Cause::NotAllowed | Cause::LimitReached) => Verdict::Stop(Failure::NotAllowed),
        (None, Cause::Loop) => Verdict::Stop(Failure::Loop),
        (None, cause) if cause.side() == Side::Ours => Verdict::Stop(Failure::Ours),
        (None, _) => Verdict::Stop(Failure::Unreachable),
    }
}
