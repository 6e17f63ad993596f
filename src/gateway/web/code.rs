//! Why a request of a page was refused, as stable names.

use serde::{Deserialize, Serialize};

use crate::base::Cause;
use crate::room::Refusal;

/// Why a request was refused. The names are stable: pages translate them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Code {
    /// The ticket is none of ours.
    BadTicket,
    /// The ticket was withdrawn: by the operator, or because its holder was removed.
    RevokedTicket,
    /// The ticket was good once.
    ExpiredTicket,
    /// As many people as the ticket was for have come.
    UsedTicket,
    /// There is no such room, or none with this passcode.
    NoSuchRoom,
    /// The passcode is not this room's.
    WrongPasscode,
    /// Too many wrong tickets or passcodes: wait.
    TooManyAttempts,
    /// Nobody else comes in.
    RoomLocked,
    /// Nobody else fits in.
    RoomFull,
    /// As many people of this address are in the room as may be.
    AddressFull,
    /// The node goes out of service: come back in a moment.
    Draining,
    /// Another version of this protocol.
    BadVersion,
    /// A message that cannot be read.
    BadMessage,
    /// A message that is too long.
    TooLarge,
    /// Too many messages in too short a time.
    TooOften,
    /// Not for this role, or not at this moment.
    NotAllowed,
    /// The first message is `join`.
    NotJoined,
    /// This connection has a place already.
    AlreadyJoined,
    /// The offer was not understood, or there is no peer connection that it could restart.
    BadOffer,
    /// Only a host may.
    HostOnly,
    /// No such participant is in this room.
    NoSuchParticipant,
    /// The participant does not wait in the lobby.
    NotInLobby,
    /// A host muted the participant, who may not unmute alone.
    MutedByHost,
    /// The participant muted itself.
    MutedItself,
    /// Nobody waits.
    NobodyWaiting,
    /// A name has 1 to 64 characters, one of them visible at least.
    BadName,
    /// The participant is not in the meeting yet.
    NotActive,
    /// A line has 1 to 2000 characters.
    BadText,
    /// That person is on a telephone and reads nothing.
    CannotRead,
    /// A meeting that has a host keeps one.
    LastHost,
    /// An invitation is for one or more people, for a minute to two years.
    BadInvitation,
    /// The person's telephone is on hold: take the call back first.
    ElevateHeld,
    /// A call of more than two: make it a meeting first.
    ElevateMultiParty,
    /// This room, number or person is kept from it.
    ElevateExcluded,
    /// A desk phone of the house: its person opens the meeting on a computer.
    ElevateDeskPhone,
    /// There is no telephone to be elevated.
    ElevateNoPhone,
    /// The person's link is out, and not sent again yet.
    ElevateAlreadySent,
    /// The person's page is open already.
    ElevatePageOpen,
    /// There is no such elevation, or it is over.
    NoSuchElevation,
    /// There is no such call, or it is not one that this person may bring in.
    NoSuchCall,
    /// A call for help: it stays as it is.
    CallForHelp,
    /// The person has a page in the call: an invitation brings them in.
    CallHasPage,
    /// There is no such code, or it is not this page's to answer.
    NoSuchCode,
    /// Digits that cannot be a code: a slip.
    CodeMistyped,
    /// The code was good once.
    CodeExpired,
    /// Another device read the code before.
    CodeUsed,
    /// A newer code took its place, or its call is over.
    CodeSuperseded,
    /// The code is for devices of another person.
    CodeOtherAccount,
    /// The code is to be read by the other device.
    CodeWrongSide,
    /// This is not the code of the device that read ours.
    CodeMismatch,
    /// These channels cannot be moved alone.
    CodeChannels,
    /// Calls are not moved by codes here.
    CodeOff,
    /// There is no way to carry the voice by that: no telephone is on the line, or no peer connection stands.
    NoSuchAudio,
    /// No host is in the meeting: calls out begin when one is.
    CallbackNoHost,
    /// The number costs more than may be called from here.
    CallbackHighRate,
    /// It is a number of this node.
    CallbackLoop,
    /// This number may not be called from here.
    CallbackNotAllowed,
    /// This is no number that can be reached.
    CallbackUnreachable,
    /// A telephone is being called already.
    CallbackUnderWay,
}

impl Code {
    /// In words, for whoever writes pages.
    pub const fn text(self) -> &'static str {
        match self {
            Code::BadTicket => "this invitation is not known here",
            Code::RevokedTicket => "this invitation was withdrawn",
            Code::ExpiredTicket => "this invitation has expired",
            Code::UsedTicket => "this invitation was used by as many people as it was for",
            Code::NoSuchRoom => "there is no such room",
            Code::WrongPasscode => "the passcode is wrong",
            Code::TooManyAttempts => "too many attempts: wait a little",
            Code::RoomLocked => "the meeting is locked",
            Code::RoomFull => "the meeting is full",
            Code::AddressFull => "as many people of your address are in the meeting as may be",
            Code::Draining => "this node goes out of service: come back in a moment",
            Code::BadVersion => "this node speaks version 1: load the page anew",
            Code::BadMessage => "the message cannot be read",
            Code::TooLarge => "the message is too long",
            Code::TooOften => "too often: slow down",
            Code::NotAllowed => "this is not allowed now",
            Code::NotJoined => "join first",
            Code::AlreadyJoined => "this connection has a place already",
            Code::BadOffer => "the offer cannot be used",
            Code::HostOnly => "only a host may do this",
            Code::NoSuchParticipant => "no such participant is in this room",
            Code::NotInLobby => "the participant does not wait in the lobby",
            Code::MutedByHost => "a host muted this participant, and the room does not let it unmute alone",
            Code::MutedItself => "the participant muted itself; only it can unmute",
            Code::NobodyWaiting => "nobody is waiting",
            Code::BadName => "a name has 1 to 64 characters, one of them visible at least",
            Code::NotActive => "the participant is not in the meeting yet",
            Code::BadText => "a line has 1 to 2000 characters",
            Code::LastHost => "this is the last host: make somebody else host first",
            Code::BadInvitation => "an invitation is for one or more people, for a minute to two years",
            Code::CannotRead => "this person is on a telephone and cannot read",
            Code::ElevateHeld => "this call is on hold: take it back first",
            Code::ElevateMultiParty => "more than two are in this call: bring them into a meeting first",
            Code::ElevateExcluded => "video is not added to calls here",
            Code::ElevateDeskPhone => "this is a desk phone: open the meeting on a computer instead",
            Code::ElevateNoPhone => "this person is not here by telephone",
            Code::ElevateAlreadySent => "the link was sent already, and is good: wait a minute before it is sent again",
            Code::ElevatePageOpen => "this person's page is open already",
            Code::NoSuchElevation => "there is no such elevation, or it is over",
            Code::NoSuchCall => "there is no such call that you could bring in",
            Code::CallForHelp => "this is an emergency call: it stays as it is",
            Code::CallHasPage => "this person has a page in the call: send them an invitation to the meeting",
            Code::CallbackNoHost => "no host is in the meeting: calls out begin when one is",
            Code::CallbackHighRate => "this number costs more than may be called from here",
            Code::CallbackLoop => "this is a number of this node: call it from your telephone instead",
            Code::CallbackNotAllowed => "this number may not be called from here",
            Code::CallbackUnreachable => "this is no number that can be reached from here",
            Code::CallbackUnderWay => "a telephone is being called already",
            Code::NoSuchAudio => {
                "no telephone is on the line, or no peer connection stands: call in again, or let this browser carry the voice"
            }
            Code::NoSuchCode => "there is no such code",
            Code::CodeMistyped => "these digits cannot be a code: one of them is wrong, or two changed places",
            Code::CodeExpired => "this code has expired: have a new one shown",
            Code::CodeUsed => "another device read this code before: have a new one shown",
            Code::CodeSuperseded => "a newer code took the place of this one, or its call is over",
            Code::CodeOtherAccount => "this code is for devices of another person",
            Code::CodeWrongSide => "this code is to be read by the other device",
            Code::CodeMismatch => "this is not the code of the device that read yours",
            Code::CodeChannels => "this cannot be moved alone: move everything",
            Code::CodeOff => "calls are not moved by codes here",
        }
    }

    /// For whom the room's door is closed.
    pub const fn of_door(cause: Cause) -> Self {
        match cause {
            Cause::RoomLocked => Code::RoomLocked,
            Cause::RoomFull => Code::RoomFull,
            _ => Code::NotAllowed,
        }
    }
}

impl From<Refusal> for Code {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::HostOnly => Code::HostOnly,
            Refusal::NoSuchParticipant => Code::NoSuchParticipant,
            Refusal::NotInLobby => Code::NotInLobby,
            Refusal::MutedByHost => Code::MutedByHost,
            Refusal::NobodyWaiting => Code::NobodyWaiting,
            Refusal::MutedItself => Code::MutedItself,
            Refusal::BadName => Code::BadName,
            Refusal::NotActive => Code::NotActive,
            Refusal::BadText => Code::BadText,
            Refusal::CannotRead => Code::CannotRead,
            Refusal::TooOften => Code::TooOften,
            Refusal::LastHost => Code::LastHost,
            Refusal::OnlyThemselves | Refusal::BadAudience => Code::NotAllowed,
        }
    }
}
