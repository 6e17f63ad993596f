//! What is asked of codes from outside, and what is answered.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::base::id::{CodeId, ExtensionId};
use crate::base::{LegId, ParticipantId, RoomId, Secret};
use crate::room::Channel;
use crate::transfer::{Confirm, Reason, State, Topology};

/// How a call is to be moved by a code.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct CodeRequest {
    /// What moves: `audio`, `video` (with what is written); none or nothing for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "node", schema(value_type = Vec<String>))]
    pub channels: Vec<Channel>,
    /// Who is asked; none: as configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirm: Option<Confirm>,
    /// Each device reads the other's code: a photograph is not enough.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub mutual: bool,
    /// Only devices of this person of the house may take it; anonymous ones may not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub extension: Option<ExtensionId>,
    /// How long it counts, in seconds: 10 to 600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u16>,
    /// Something of the integration's own, up to 256 characters; it is in every answer and event of this code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
}

/// What kind of device wants a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum DeviceKind {
    /// A page of ours.
    Browser,
    /// A program that uses the API.
    App,
    /// A telephone, by keys.
    Telephone,
}

/// Who wants a call, for whoever is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Receiver {
    /// What they call themselves; nobody has proved it.
    pub name: Option<String>,
    /// What it is.
    pub device: DeviceKind,
    /// Which, in a few words, such as `Chrome on Android`; nobody has proved it.
    pub agent: Option<String>,
    /// Where it comes from: an address or a number, with its end hidden.
    pub from: Option<String>,
    /// It comes from the same address as the device that has the call: most likely it stands beside it.
    pub nearby: bool,
    /// Whose it is, where that is proved: a telephone of the house, or an app that says so with a key.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub extension: Option<ExtensionId>,
}

/// A code as shown to integrations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct CodeView {
    /// Its id; it opens nothing.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub id: CodeId,
    /// The call; none until somebody in a call reads a receiver's code.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub call: Option<LegId>,
    /// Where it is.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub room: Option<RoomId>,
    /// Whose.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub participant: Option<ParticipantId>,
    /// Who shows, who reads.
    pub topology: Topology,
    /// Who is asked.
    pub confirm: Confirm,
    /// What moves.
    #[cfg_attr(feature = "node", schema(value_type = Vec<String>))]
    pub channels: Vec<Channel>,
    /// How far it is.
    pub state: State,
    /// Why it came to nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Who wants the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver: Option<Receiver>,
    /// The integration's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Until when it can be read, RFC 3339.
    pub expires: String,
    /// The link in the picture, while it can be read: for whoever may do things to calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub link: Option<Secret>,
    /// The six digits, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub digits: Option<Secret>,
}

/// A code as read: the end of its link, or its digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// The end of the link, or all of it.
    Ticket(Secret),
    /// The digits.
    Digits(Secret),
}

impl Read {
    /// The end of a link as it may have been read from a picture: what stands after the last `/`.
    pub fn link(text: &Secret) -> Self {
        let end = text.expose().trim().rsplit('/').next().unwrap_or_default();
        Read::Ticket(Secret::new(end))
    }

    /// The one of the two that was read; none where both are said, or neither.
    pub fn either(ticket: Option<Secret>, digits: Option<Secret>) -> Option<Self> {
        match (ticket, digits) {
            (Some(link), None) => Some(Read::link(&link)),
            (None, Some(digits)) => Some(Read::typed(&digits)),
            (Some(_), Some(_)) | (None, None) => None,
        }
    }

    /// Digits as they may have been typed: in groups.
    pub fn typed(text: &Secret) -> Self {
        Read::Digits(Secret::new(text.expose().chars().filter(|c| !matches!(c, ' ' | '-')).collect::<String>()))
    }
}

/// A device reads a code, or shows one of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claiming {
    /// What it read; none: it shows a code of its own, which somebody in a call is to read.
    pub read: Option<Read>,
    /// Who it is.
    pub receiver: Receiver,
    /// Where it comes from.
    pub from: IpAddr,
}

/// What a device that wants a call is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct ClaimView {
    /// To ask again by how far it is; told once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub claim: Option<Secret>,
    /// How far it is.
    pub state: State,
    /// Why it came to nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Who shows, who reads.
    pub topology: Topology,
    /// Who is asked.
    pub confirm: Confirm,
    /// What moves.
    #[cfg_attr(feature = "node", schema(value_type = Vec<String>))]
    pub channels: Vec<Channel>,
    /// What this device is to show now, for the other one to read: a link.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub link: Option<Secret>,
    /// The same as digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub digits: Option<Secret>,
    /// Until when, RFC 3339.
    pub expires: String,
    /// The meeting or call.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub room: Option<RoomId>,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whose place it is, as others see them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// For `join`, within a minute, once: the device may come.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub ticket: Option<Secret>,
}

/// What a code is for, before anything is done with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct CodeInfo {
    /// What reading it does.
    pub kind: CodeKind,
    /// What people call the meeting, or the printed code.
    pub name: Option<String>,
    /// Whose call it is, as others see them; whom a printed code calls, or where it leads.
    pub person: Option<String>,
    /// Whether somebody's telephone rings by a printed code; it leads into a meeting where it does not.
    pub rings: bool,
    /// Who is asked.
    pub confirm: Confirm,
    /// What moves.
    #[cfg_attr(feature = "node", schema(value_type = Vec<String>))]
    pub channels: Vec<Channel>,
    /// Until when it counts, RFC 3339.
    pub expires: Option<String>,
}

/// What reading a code does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum CodeKind {
    /// The reader takes the call.
    Take,
    /// The reader gives a call away: it is for a device that is in one.
    Give,
    /// A call begins.
    Call,
}

/// Why a code opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Closed {
    /// None of ours.
    Unknown,
    /// The check digit does not fit: a slip.
    Mistyped,
    /// Its time is over.
    Expired,
    /// Somebody else read it before.
    Used,
    /// A newer one was shown, or it was taken back.
    Superseded,
    /// The call is over, or its holder is gone from it.
    Ended,
    /// It is for another account.
    OtherAccount,
    /// Not this way: the holder's is for another device, the receiver's for the one in the call.
    WrongSide,
    /// It is not the code of the device that read ours.
    Mismatch,
    /// Whoever was asked said no, or nothing.
    Declined,
    /// The device that is asked about is none that wants this call.
    NotYours,
    /// Too many wrong ones; seconds until the next is looked at.
    TooManyAttempts(u64),
    /// It is not up to this: nothing of the room could take it in.
    Unavailable,
    /// A printed code does not count yet.
    TooEarly,
    /// A printed code was taken back.
    Revoked,
    /// A printed code began as many calls as it may.
    UsedUp,
    /// Too many calls began by this code, or from here; seconds until the next.
    TooOften(u64),
    /// Where a printed code leads, nobody can be reached.
    Nowhere,
    /// What a printed code shows is known for an hour after it was made.
    NotShown,
}

impl Closed {
    /// The stable name of the problem.
    pub const fn name(self) -> &'static str {
        match self {
            Closed::Unknown => "code-unknown",
            Closed::Mistyped => "code-mistyped",
            Closed::Expired => "code-expired",
            Closed::Used => "code-used",
            Closed::Superseded => "code-superseded",
            Closed::Ended => "code-ended",
            Closed::OtherAccount => "code-other-account",
            Closed::WrongSide => "code-wrong-side",
            Closed::Mismatch => "code-mismatch",
            Closed::Declined => "code-declined",
            Closed::NotYours => "code-not-yours",
            Closed::TooManyAttempts(_) => "code-too-many-attempts",
            Closed::Unavailable => "code-unavailable",
            Closed::TooEarly => "code-too-early",
            Closed::Revoked => "code-revoked",
            Closed::UsedUp => "code-used-up",
            Closed::TooOften(_) => "code-too-often",
            Closed::Nowhere => "code-nowhere",
            Closed::NotShown => "code-not-shown",
        }
    }

    /// The HTTP status of the problem.
    pub const fn status(self) -> u16 {
        match self {
            Closed::Unknown | Closed::NotYours => 404,
            Closed::Mistyped => 422,
            Closed::Expired | Closed::Superseded | Closed::Ended | Closed::Revoked | Closed::UsedUp => 410,
            Closed::Used
            | Closed::WrongSide
            | Closed::Mismatch
            | Closed::Declined
            | Closed::Unavailable
            | Closed::TooEarly
            | Closed::Nowhere
            | Closed::NotShown => 409,
            Closed::OtherAccount => 403,
            Closed::TooManyAttempts(_) | Closed::TooOften(_) => 429,
        }
    }

    /// In words.
    pub const fn text(self) -> &'static str {
        match self {
            Closed::Unknown => "this code is not known here: have a new one shown",
            Closed::Mistyped => "these digits cannot be a code: one of them is wrong, or two changed places",
            Closed::Expired => "this code has expired: have a new one shown",
            Closed::Used => "another device read this code before: have a new one shown",
            Closed::Superseded => "a newer code took the place of this one, or it was taken back",
            Closed::Ended => "the call that this code belongs to is over, or went elsewhere",
            Closed::OtherAccount => "this code is for devices of another person",
            Closed::WrongSide => "this code is to be read by the other device",
            Closed::Mismatch => "this is not the code of the device that read ours",
            Closed::Declined => "whoever was asked did not agree",
            Closed::NotYours => "this device did not ask for a call, or too long ago",
            Closed::TooManyAttempts(_) => "too many wrong codes: wait a little",
            Closed::Unavailable => "this cannot be begun now: try again later",
            Closed::TooEarly => "this code does not count yet",
            Closed::Revoked => "this code was taken back",
            Closed::UsedUp => "this code began as many calls as it may",
            Closed::TooOften(_) => "too many calls were begun by this code, or from here: wait a little",
            Closed::Nowhere => "nobody can be reached where this code leads",
            Closed::NotShown => "what a code shows is kept as a hash alone: make another one, and take this one back",
        }
    }
}

/// Why no code is made for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// Codes are switched off here.
    Off,
    /// It is in no room, or waits at the door of one.
    NoPlace,
    /// It is a call for help.
    Emergency,
    /// It is on hold.
    Held,
    /// It is on its way to another device.
    Moving,
    /// These channels cannot be moved: it does not have them, or one device carries both.
    Channels,
    /// Asked for too often; seconds until the next.
    TooOften(u64),
}

impl Unfit {
    /// The stable name of the problem.
    pub const fn name(self) -> &'static str {
        match self {
            Unfit::Off => "code-off",
            Unfit::NoPlace => "code-no-place",
            Unfit::Emergency => "code-emergency",
            Unfit::Held => "code-held",
            Unfit::Moving => "code-moving",
            Unfit::Channels => "code-channels",
            Unfit::TooOften(_) => "throttled",
        }
    }

    /// In words, with what to do instead.
    pub const fn text(self) -> &'static str {
        match self {
            Unfit::Off => "calls are not moved by codes here: `codes.allowed` is false",
            Unfit::NoPlace => "this call is in no room: connect it to a person or a room first",
            Unfit::Emergency => "this is an emergency call: it stays where it is",
            Unfit::Held => "this call is on hold: take it back, then ask again",
            Unfit::Moving => "this call is on its way to another device: wait until that is done",
            Unfit::Channels => "these channels cannot be moved alone: move all of them",
            Unfit::TooOften(_) => "codes were asked for too often: wait a little",
        }
    }
}
