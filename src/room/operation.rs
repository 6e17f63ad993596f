//! What can be asked of a room, by whom, and why it may be refused. One place decides, whatever the door: keys,
//! API, page.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::base::ParticipantId;
use crate::media::web::Source;
use crate::room::{Reaction, Role};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// Somebody in the room, by key or page.
    Participant(ParticipantId),
    /// The operator or an integration, by API: has a host's rights.
    Api,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Operation {
    /// Nobody hears the participant.
    Mute {
        /// Who.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        participant: ParticipantId,
    },
    /// The room hears the participant again.
    Unmute {
        /// Who.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        participant: ParticipantId,
    },
    /// Mutes every guest, and who comes until `unmute_all`.
    MuteAll {},
    /// Lifts what `mute_all` and hosts did; who muted themselves stays muted.
    UnmuteAll {},
    /// Raises the hand.
    RaiseHand {
        /// Whose.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        participant: ParticipantId,
    },
    /// Lowers the hand.
    LowerHand {
        /// Whose.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        participant: ParticipantId,
    },
    /// From now on the participant speaks to these alone: to coach somebody, or to whisper. What it hears stays.
    Whisper {
        /// Who speaks.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        participant: ParticipantId,
        /// To whom: up to four people; none ends it.
        #[cfg_attr(feature = "node", schema(value_type = Vec<String>))]
        to: Vec<ParticipantId>,
        /// How loud the others hear it, in percent of the amplitude, 0 to 99; browsers of others hear nothing.
        #[serde(default, deserialize_with = "less_than_all")]
        #[cfg_attr(feature = "node", schema(maximum = 99))]
        others: u8,
    },
    /// Gives a name; an empty one takes it away.
    Rename {
        /// Who.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        participant: ParticipantId,
        /// Up to 64 characters. One that somebody here has already gets a number behind it.
        name: String,
    },
    /// Lets one in from the lobby.
    Admit {
        /// Who.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        participant: ParticipantId,
    },
    /// Lets everyone in from the lobby.
    AdmitAll {},
    /// Sends one away from the lobby; an invitation for them alone is withdrawn.
    Refuse {
        /// Who.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        participant: ParticipantId,
    },
    /// Sends one out of the meeting. Who comes again waits in the lobby; an invitation for them alone is withdrawn.
    Remove {
        /// Who.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        participant: ParticipantId,
    },
    /// Makes somebody host, member or guest; the last host stays one.
    SetRole {
        /// Who.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        participant: ParticipantId,
        /// As what.
        role: Role,
    },
    /// Writes to everyone, or to one alone.
    Say {
        /// To whom; none for everyone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
        to: Option<ParticipantId>,
        /// 1 to 2000 characters.
        text: String,
    },
    /// Shows a reaction to everyone.
    React {
        /// Which.
        reaction: Reaction,
    },
    /// Lets the others see one's camera or screen.
    Show {
        /// Whose: one's own.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        participant: ParticipantId,
        /// Which.
        source: Source,
    },
    /// Ends that. A host may for anybody.
    Hide {
        /// Whose.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        participant: ParticipantId,
        /// Which.
        source: Source,
    },
    /// Nobody else comes in.
    Lock {},
    /// People come in again.
    Unlock {},
    /// Ends the meeting for everyone.
    End {},
}

/// A share in percent that is less than all.
fn less_than_all<'de, D: Deserializer<'de>>(from: D) -> Result<u8, D::Error> {
    let share = u8::deserialize(from).ok().filter(|share| *share < 100);
    share.ok_or_else(|| D::Error::custom("wrong field `others`: write a whole number from 0 to 99"))
}

/// Why an operation was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Only a host may.
    HostOnly,
    /// No such participant is in this room.
    NoSuchParticipant,
    /// The participant does not wait in the lobby.
    NotInLobby,
    /// A host muted this participant and the room does not let it unmute alone.
    MutedByHost,
    /// The participant muted itself; only it can unmute.
    MutedItself,
    /// Nobody is waiting.
    NobodyWaiting,
    /// One speaks to one to four others who are here, who hear more of it than those who are left.
    BadAudience,
    /// A name has 1 to 64 characters, one of them visible at least.
    BadName,
    /// The participant is not in the meeting yet.
    NotActive,
    /// A line has 1 to 2000 characters.
    BadText,
    /// The participant is on a telephone and reads nothing.
    CannotRead,
    /// Lines or reactions follow each other too fast.
    TooOften,
    /// Only the participant itself may.
    OnlyThemselves,
    /// A meeting that has a host keeps one.
    LastHost,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::HostOnly => "only a host may do this",
            Refusal::NoSuchParticipant => "no such participant is in this room",
            Refusal::NotInLobby => "the participant does not wait in the lobby",
            Refusal::MutedByHost => "a host muted this participant, and the room does not let it unmute alone",
            Refusal::MutedItself => "the participant muted itself; only it can unmute",
            Refusal::NobodyWaiting => "nobody is waiting",
            Refusal::BadAudience => {
                "who speaks to some alone speaks to one to four others here, and the rest hear less of it"
            }
            Refusal::BadName => "a name has 1 to 64 characters, one of them visible at least",
            Refusal::NotActive => "the participant is not in the meeting yet",
            Refusal::BadText => "a line has 1 to 2000 characters",
            Refusal::CannotRead => "this participant is on a telephone and cannot read",
            Refusal::TooOften => "too many lines or reactions in a short time",
            Refusal::LastHost => "this is the last host: make somebody else host first",
            Refusal::OnlyThemselves => "only the participant itself may do this",
        })
    }
}
