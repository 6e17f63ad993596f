//! How far a code is, and why it came to nothing: the stable names of both.

use serde::{Deserialize, Serialize};

/// Who shows a code, and who reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Topology {
    /// The device in the call shows, the one that takes over reads.
    #[default]
    HolderShows,
    /// The device that wants the call shows, the one in the call reads; that is its yes.
    ReceiverShows,
    /// The one in the call shows, the other reads and shows another one, which the first reads: a photograph is not enough.
    Mutual,
}

/// Who is asked before a call moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Confirm {
    /// The code is enough.
    Nobody,
    /// Whoever is in the call on the device that is left.
    #[default]
    Holder,
    /// And whoever they talk with.
    HolderAndRemote,
}

/// How far a code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum State {
    /// It can be read.
    Shown,
    /// It was read; another reader comes too late.
    Scanned,
    /// Somebody is asked, or the new device is on its way.
    Awaiting,
    /// The new device carries the call.
    Transferred,
    /// It came to nothing; the call is as it was.
    Refused,
    /// Nobody read it in time; the call is as it was.
    Expired,
}

impl State {
    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            State::Shown => "shown",
            State::Scanned => "scanned",
            State::Awaiting => "awaiting",
            State::Transferred => "transferred",
            State::Refused => "refused",
            State::Expired => "expired",
        }
    }
}

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// Whoever has the call.
    Holder,
    /// Whom they talk with.
    Remote,
}

/// Why a code came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Reason {
    /// Nobody read it in time.
    TooLate,
    /// The holder said no.
    Declined,
    /// The far end said no, or cannot be asked.
    DeclinedByRemote,
    /// Whoever was asked said nothing.
    NoAnswer,
    /// The holder showed a newer one.
    Superseded,
    /// It was taken back.
    Withdrawn,
    /// The holder is not in the call any more, or by another device.
    HolderLeft,
    /// The call is over.
    CallEnded,
    /// The new device did not come, or was never heard.
    NotConnected,
    /// The receiver's code was read wrong too often.
    TooManyWrong,
    /// The device that wanted the call gave up.
    ReceiverLeft,
}
