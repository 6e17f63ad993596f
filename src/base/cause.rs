//! Why a leg ended: whose side it was and a stable reason, and from them, in one table, the SIP status,
//! the Q.850 code (RFC 3326) and the word that call records carry.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whose side ended a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Side {
    /// Who rang.
    Caller,
    /// Who was rung, or the room acting for them.
    Callee,
    /// The carrier link.
    Trunk,
    /// This program or its operator.
    Ours,
    /// Nobody can tell.
    Unknown,
}

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $side:ident, $status:literal, $q850:literal, $text:literal;)*) => {
        /// Why a leg ended. The name is stable: call records, events and alerts carry it in snake case.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
        pub enum Cause {
            $($(#[$doc])* $name,)*
        }

        impl Cause {
            /// Every cause there is.
            pub const ALL: &'static [Cause] = &[$(Cause::$name,)*];

            /// Whose side it was.
            pub const fn side(self) -> Side {
                match self { $(Cause::$name => Side::$side,)* }
            }

            /// The SIP status that refuses an INVITE for this reason; 200 where the call was up.
            pub const fn status(self) -> u16 {
                match self { $(Cause::$name => $status,)* }
            }

            /// The Q.850 cause value for a Reason header (RFC 3326).
            pub const fn q850(self) -> u8 {
                match self { $(Cause::$name => $q850,)* }
            }

            /// A line for people.
            pub const fn text(self) -> &'static str {
                match self { $(Cause::$name => $text,)* }
            }
        }
    };
}

causes! {
    /// The far end sent BYE.
    HungUp = Caller, 200, 16, "the caller hung up";
    /// The far end cancelled before the answer.
    Cancelled = Caller, 487, 16, "the caller gave up before the answer";
    /// No ACK came for our 2xx (RFC 3261 §13.3.1.4).
    NoAck = Caller, 408, 102, "the answer was never acknowledged";
    /// Nothing was heard for the media timeout.
    MediaTimeout = Unknown, 408, 102, "no audio arrived for too long";
    /// Offer and our profile have no codec in common.
    NoCommonCodec = Caller, 488, 88, "no codec in common";
    /// The offer or answer could not be read or used.
    BadSdp = Caller, 488, 111, "the session description is unusable";
    /// The source is no trunk of ours and showed no credentials.
    NotAuthorised = Caller, 403, 21, "the source is not known here";
    /// The dialled number leads nowhere.
    NoRoute = Caller, 404, 1, "the dialled number leads nowhere here";
    /// A rule refuses this call.
    RefusedByRule = Callee, 603, 21, "a rule refuses this call";
    /// Three wrong PINs.
    WrongPin = Caller, 403, 21, "no valid PIN was keyed";
    /// No PIN was keyed in time.
    NoPin = Caller, 408, 19, "no PIN was keyed";
    /// Too many calls or wrong PINs from this caller or to this number.
    Throttled = Ours, 503, 42, "too many attempts";
    /// The host removed the participant.
    Removed = Callee, 603, 21, "the host removed the participant";
    /// A host refused the caller at the lobby, or nobody admitted them in time.
    NotAdmitted = Callee, 480, 19, "the caller was not admitted";
    /// The room is locked.
    RoomLocked = Callee, 603, 21, "the room is locked";
    /// The room is full.
    RoomFull = Callee, 486, 17, "the room is full";
    /// The host ended the meeting for everyone.
    RoomEnded = Callee, 200, 16, "the meeting was ended for everyone";
    /// The operator hung up by API.
    HungUpByOperator = Ours, 200, 16, "an operator ended the call";
    /// No RTP port is left.
    NoPorts = Ours, 503, 34, "no media port is free";
    /// More load than this node takes.
    Overloaded = Ours, 503, 42, "more calls than this node takes";
    /// The node is going out of service.
    Draining = Ours, 503, 41, "this node is going out of service";
    /// The drain limit passed with the call still up.
    DrainedOut = Ours, 200, 41, "this node went out of service";
    /// The program died with the call up; found at the next start.
    CutOff = Ours, 500, 41, "the program ended while the call was up";
    /// A fault of ours.
    Internal = Ours, 500, 41, "an internal fault";
    /// The transport to the far end failed.
    TransportFailed = Trunk, 503, 38, "the far end cannot be reached";
    /// The called side did not answer in time.
    NoAnswer = Callee, 480, 19, "nobody answered";
    /// The called side is busy.
    Busy = Callee, 486, 17, "the called side is busy";
    /// The called side declined.
    Declined = Callee, 603, 21, "the called side declined";
    /// The called side hung up.
    HungUpByCallee = Callee, 200, 16, "the called side hung up";
    /// Another telephone of the same call answered first.
    AnsweredElsewhere = Callee, 487, 26, "the call was answered elsewhere";
    /// No telephone of the called side is registered.
    NotRegistered = Callee, 480, 20, "no telephone is registered for the called side";
    /// The called side wishes not to be disturbed.
    DoNotDisturb = Callee, 480, 19, "the called side wishes not to be disturbed";
    /// The leg handed its call over to another.
    Transferred = Caller, 200, 16, "the call was transferred";
    /// Another dialog took this leg's place (RFC 3891).
    Replaced = Unknown, 200, 16, "another telephone took the call over";
    /// The person goes on by another device.
    Moved = Unknown, 200, 16, "the person went on by another device";
    /// The session timer ran out without a refresh (RFC 4028).
    SessionExpired = Unknown, 408, 102, "the session was not refreshed in time";
    /// No trunk that leads there is up.
    TrunkDown = Trunk, 503, 38, "no carrier that leads there can be reached";
    /// The caller's limits do not allow this number: country, premium prefix, or no right to call out.
    NotAllowed = Ours, 403, 21, "this number may not be called from here";
    /// The caller's limit of calls or minutes is reached.
    LimitReached = Ours, 403, 21, "the limit of calls or minutes is reached";
    /// The carrier blocks the call as fraud or spam (607, 608).
    Blocked = Trunk, 608, 21, "the carrier blocks the call";
    /// The caller's signed identity is missing or wrong where it is demanded (RFC 8224).
    BadIdentity = Caller, 438, 21, "the caller's signed identity is not valid";
    /// Encryption is demanded and not offered, or offered and not taken.
    NotEncrypted = Caller, 488, 88, "the audio would not be encrypted";
    /// The call went round in a circle.
    Loop = Ours, 483, 25, "the call went round in a circle";
    /// The connection of a browser dropped and did not come back in time.
    ConnectionLost = Unknown, 408, 102, "the connection was lost and did not come back";
    /// Any other final failure answer from the far end.
    Rejected = Trunk, 500, 31, "the far end refused the call";
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
