//! Why a call is not moved: what is refused at once, and what failed on the way. In both cases nothing has changed.

use serde::{Deserialize, Serialize};

use crate::base::{Cause, ParticipantId};
use crate::device::Capability;

/// Why a move does not begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The person is in no call.
    NoCall,
    /// The person is in several: these. One has to be named.
    SeveralCalls(Vec<ParticipantId>),
    /// The person is in no such call.
    NoSuchCall,
    /// There is no such device.
    NoSuchDevice,
    /// The device is another person's.
    AnotherPerson,
    /// A call for help stays where it is.
    Emergency,
    /// The call is on hold.
    Held,
    /// The call is not up yet, or waits to be let in.
    NotUp,
    /// The device takes no calls that are moved to it.
    Unwilling,
    /// The device is not there: not registered, its page not open.
    Offline,
    /// The device is in another call.
    Busy,
    /// The person wishes not to be disturbed.
    DoNotDisturb,
    /// The device lacks what is to be moved.
    Lacks(Capability),
    /// The device carries that already.
    AlreadyThere,
    /// Another move of this call is under way.
    UnderWay,
    /// There is nothing to hand back, or nobody to hand it back to.
    NothingToHandBack,
    /// Too many moves in too short a time.
    TooOften,
}

impl Refusal {
    /// The stable name of the problem.
    pub const fn name(&self) -> &'static str {
        match self {
            Refusal::NoCall => "move-no-call",
            Refusal::SeveralCalls(_) => "move-several-calls",
            Refusal::NoSuchCall => "move-no-such-call",
            Refusal::NoSuchDevice => "move-no-such-device",
            Refusal::AnotherPerson => "move-another-person",
            Refusal::Emergency => "move-emergency",
            Refusal::Held => "move-held",
            Refusal::NotUp => "move-not-up",
            Refusal::Unwilling => "move-unwilling",
            Refusal::Offline => "move-offline",
            Refusal::Busy => "move-busy",
            Refusal::DoNotDisturb => "move-do-not-disturb",
            Refusal::Lacks(Capability::Audio) => "move-lacks-audio",
            Refusal::Lacks(Capability::Video) => "move-lacks-video",
            Refusal::Lacks(Capability::Screen) => "move-lacks-screen",
            Refusal::AlreadyThere => "move-already-there",
            Refusal::UnderWay => "move-under-way",
            Refusal::NothingToHandBack => "move-nothing-to-hand-back",
            Refusal::TooOften => "move-too-often",
        }
    }

    /// In words, with what to do instead.
    pub fn text(&self) -> String {
        let text = match self {
            Refusal::NoCall => "this person is in no call",
            Refusal::SeveralCalls(calls) => {
                let calls: Vec<String> = calls.iter().map(ToString::to_string).collect();
                return format!("this person is in several calls: name one of {}", calls.join(", "));
            }
            Refusal::NoSuchCall => "this person is in no such call",
            Refusal::NoSuchDevice => "there is no such device",
            Refusal::AnotherPerson => "this device is another person's: calls move between devices of one person only",
            Refusal::Emergency => "this is an emergency call: it stays where it is",
            Refusal::Held => "this call is on hold: take it back first",
            Refusal::NotUp => "this call is not up yet",
            Refusal::Unwilling => {
                "this device takes no calls that are moved to it: take the call from the device itself"
            }
            Refusal::Offline => "this device is not there: its telephone is not registered, or its page not open",
            Refusal::Busy => "this device is in another call",
            Refusal::DoNotDisturb => "this person wishes not to be disturbed",
            Refusal::Lacks(Capability::Audio) => "this device carries no voice",
            Refusal::Lacks(Capability::Video | Capability::Screen) => "this device carries no pictures",
            Refusal::AlreadyThere => "this device carries that already",
            Refusal::UnderWay => "this call is being moved already",
            Refusal::NothingToHandBack => "there is no device that this call could be handed back to",
            Refusal::TooOften => "too many moves: wait a little",
        };
        text.to_owned()
    }
}

/// Why a move that began came to nothing; the call stays where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Failure {
    /// Nobody answered there.
    NoAnswer,
    /// It was declined there.
    Declined,
    /// The device is busy.
    Busy,
    /// The device cannot be reached.
    Unreachable,
    /// It was answered, and its audio or its connection did not come to stand.
    NotConnected,
    /// Whoever asked took it back.
    Cancelled,
    /// The call itself ended.
    CallEnded,
    /// A fault of ours.
    Ours,
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::NoAnswer => Failure::NoAnswer,
            Cause::Declined | Cause::Rejected | Cause::Blocked | Cause::DoNotDisturb => Failure::Declined,
            Cause::Busy => Failure::Busy,
            Cause::Cancelled => Failure::Cancelled,
            Cause::Internal | Cause::Overloaded => Failure::Ours,
            Cause::MediaTimeout | Cause::NoCommonCodec | Cause::BadSdp | Cause::NotEncrypted => Failure::NotConnected,
            _ => Failure::Unreachable,
        }
    }
}
