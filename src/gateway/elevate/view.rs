//! What is asked of elevations from outside, and what is answered.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::base::id::ElevationId;
use crate::base::{LegId, ParticipantId, PhoneNumber, RoomId, Secret};
use crate::elevation::{Asker, Reason, Step};

/// How a call is to be elevated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct ElevateRequest {
    /// What is written, with `{link}` in it; one message of the seven-bit alphabet. None: our own words.
    pub template: Option<String>,
    /// The language of the words, such as `de`; none: the one that the caller hears.
    pub locale: Option<String>,
    /// Something of the integration's own, up to 256 characters; it is shown in every answer and event of this elevation.
    pub context: Option<String>,
    /// Where the text goes, where it is not the caller's number.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub number: Option<PhoneNumber>,
    /// Digits are wanted besides the link, whatever is configured.
    pub pin: bool,
}

/// One step of an elevation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct StepView {
    /// How far.
    pub step: Step,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub reason: Option<Reason>,
    /// When, RFC 3339.
    pub at: String,
}

/// An elevation as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct ElevationView {
    /// Its id; it opens nothing.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub id: ElevationId,
    /// The call.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub call: LegId,
    /// Where the person is.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub room: RoomId,
    /// Whose.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub participant: ParticipantId,
    /// At whose wish.
    pub by: Asker,
    /// How far it is.
    pub step: Step,
    /// Every step, the oldest first.
    pub steps: Vec<StepView>,
    /// The integration's own.
    pub context: Option<String>,
    /// The other party's elevation, where a call between people was elevated.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub with: Option<ElevationId>,
    /// Until when the link is good, RFC 3339.
    pub expires: String,
    /// The link: for whoever may do things to calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub link: Option<Secret>,
    /// The six digits, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub code: Option<Secret>,
}

/// Somebody redeems a link or a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redeem {
    /// The end of the link.
    pub ticket: Option<Secret>,
    /// Instead: the six digits.
    pub code: Option<Secret>,
    /// The digits that are said on the telephone.
    pub pin: Option<Secret>,
    /// The person on the telephone is to be asked, where the link was opened before.
    pub confirm: bool,
    /// With `confirm`: what this browser drew, and shows each time it asks. The yes is for whoever shows it.
    pub asking: Option<Secret>,
    /// What an earlier answer gave this browser.
    pub holder: Option<Secret>,
    /// Where it comes from.
    pub from: IpAddr,
}

/// A link or code was redeemed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Redeemed {
    /// For `join`, within a minute, once.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub ticket: Secret,
    /// Opens the link again in this browser.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub holder: Secret,
    /// The meeting.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub room: RoomId,
    /// What people call it.
    pub name: String,
    /// Whose seat it is, as others see them.
    pub person: String,
    /// This browser may be notified instead of a text the next time: the key to subscribe with (RFC 8292), base64url.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub push: Option<String>,
}

/// Who is invited to what by a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct LinkView {
    /// The meeting.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub room: RoomId,
    /// What people call it.
    pub name: String,
    /// Whose seat it is, as others see them.
    pub person: String,
    /// A telephone of theirs is on the line; else their voice goes by the browser.
    pub phone: bool,
    /// It was opened before.
    pub used: bool,
    /// Digits are wanted besides.
    pub pin: bool,
    /// Until when it is good, RFC 3339.
    pub expires: String,
}

/// Why a link or code opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shut {
    /// None of ours, or taken back.
    Unknown,
    /// Its time is over.
    Expired,
    /// The call is over.
    Ended,
    /// It was opened before, by another browser.
    Used,
    /// The person on the telephone is being asked.
    Confirming,
    /// They said no, or nothing.
    Declined,
    /// Digits are being said on the telephone.
    PinWanted,
    /// These are not the digits.
    PinWrong,
    /// Too many wrong ones; seconds until the next is looked at.
    TooManyAttempts(u64),
    /// Nothing proves that the telephone number is theirs.
    NotProved,
}

impl Shut {
    /// The stable name of the problem.
    pub const fn name(self) -> &'static str {
        match self {
            Shut::Unknown => "elevation-unknown",
            Shut::Expired => "elevation-expired",
            Shut::Ended => "elevation-ended",
            Shut::Used => "elevation-used",
            Shut::Confirming => "elevation-confirming",
            Shut::Declined => "elevation-declined",
            Shut::PinWanted => "elevation-pin-wanted",
            Shut::PinWrong => "elevation-pin-wrong",
            Shut::TooManyAttempts(_) => "elevation-too-many-attempts",
            Shut::NotProved => "elevation-not-proved",
        }
    }

    /// In words.
    pub const fn text(self) -> &'static str {
        match self {
            Shut::Unknown => "this link or code is not known here: press the key on the telephone again",
            Shut::Expired => "this link has expired: press the key on the telephone again",
            Shut::Ended => "the call that this link belongs to is over",
            Shut::Used => "this link was opened before; with `confirm` the person on the telephone is asked",
            Shut::Confirming => "the person on the telephone is being asked: send the same again in a moment",
            Shut::Declined => "the person on the telephone did not agree",
            Shut::PinWanted => "digits are being said on the telephone: send them as `pin`",
            Shut::PinWrong => "these are not the digits that were said on the telephone",
            Shut::TooManyAttempts(_) => "too many attempts: wait a little",
            Shut::NotProved => "only a browser that opened the link of a text can be notified instead of the next one",
        }
    }
}

/// Why a call is not elevated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// It is on hold.
    Held,
    /// A call of more than two people.
    MultiParty,
    /// The room, the number or the person is kept from it.
    Excluded,
    /// A desk phone of the house.
    DeskPhone,
    /// It is in no room.
    NoPlace,
    /// There is no way to reach the person: no number, and nothing can be said.
    NoWay,
    /// Asked for too often; seconds until the next.
    TooOften(u64),
    /// The link is out, and not sent again yet; seconds until it would be.
    AlreadySent(u64),
    /// A page is in the seat.
    PageOpen,
    /// The integration's own is too long.
    BadContext,
    /// What is to be written has no `{link}`, or is longer than one message.
    BadTemplate,
}

impl Unfit {
    /// The stable name of the problem.
    pub const fn name(self) -> &'static str {
        match self {
            Unfit::Held => "elevate-held",
            Unfit::MultiParty => "elevate-multi-party",
            Unfit::Excluded => "elevate-excluded",
            Unfit::DeskPhone => "elevate-desk-phone",
            Unfit::NoPlace => "elevate-no-place",
            Unfit::NoWay => "elevate-no-number",
            Unfit::TooOften(_) => "throttled",
            Unfit::AlreadySent(_) => "elevate-already-sent",
            Unfit::PageOpen => "elevate-page-open",
            Unfit::BadTemplate | Unfit::BadContext => "invalid",
        }
    }

    /// In words, with what to do instead.
    pub const fn text(self) -> &'static str {
        match self {
            Unfit::Held => "this call is on hold: take it back, then ask again",
            Unfit::MultiParty => "more than two people are in this call: bring them into a room first, then ask again",
            Unfit::Excluded => "video is not added to this call: the node, the room or the person is configured so",
            Unfit::DeskPhone => {
                "this is a desk phone of the house: send its person an invitation to the room, or allow it for this extension"
            }
            Unfit::NoPlace => "this call is in no room: connect it to a person or a room first",
            Unfit::NoWay => "the caller's number is withheld and nothing can be said: give a `number`",
            Unfit::TooOften(_) => "links were asked for too often: wait a little",
            Unfit::AlreadySent(_) => {
                "the link is on its way, and is good: it is sent again where somebody asks a minute after the last time"
            }
            Unfit::PageOpen => "the person's page is open already",
            Unfit::BadContext => "the context has at most 256 characters",
            Unfit::BadTemplate => "the template must have `{link}` in it and fit into one message of 160 characters",
        }
    }
}
