//! The one ordered event log: what happened, numbered, for pages, integrations and the store.

use serde::{Deserialize, Serialize};

use crate::base::{Cause, LegId, ParticipantId, RoomId, Utc};
use crate::gateway::view::ParticipantView;

/// An event with its place in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Event {
    /// Grows with every event; a restart leaves a gap, never a repetition.
    pub seq: u64,
    /// When, in milliseconds since 1970.
    #[cfg_attr(feature = "node", schema(value_type = i64))]
    pub at: Utc,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// What happened. Numbers in it are masked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Happening {
    /// The node began.
    #[serde(rename = "node.started")]
    NodeStarted {},
    /// The node goes out of service.
    #[serde(rename = "node.draining")]
    NodeDraining {},
    /// An authorised call came in.
    #[serde(rename = "call.began")]
    CallBegan {
        /// The leg.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        call: LegId,
        /// Who rings, masked.
        from: Option<String>,
        /// What was dialled.
        to: String,
    },
    /// A call was answered.
    #[serde(rename = "call.answered")]
    CallAnswered {
        /// The leg.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        call: LegId,
    },
    /// The far end put a call on hold or took it back.
    #[serde(rename = "call.held")]
    CallHeld {
        /// The leg.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        call: LegId,
        /// On hold.
        held: bool,
    },
    /// A call ended.
    #[serde(rename = "call.ended")]
    CallEnded {
        /// The leg.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        call: LegId,
        /// Why.
        cause: Cause,
    },
    /// Somebody took a place in a room.
    #[serde(rename = "participant.joined")]
    Joined {
        /// The room.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        room: RoomId,
        /// Who, in full.
        participant: Box<ParticipantView>,
    },
    /// Somebody's state, mute, hand, name, role or hold changed; speaking has an event of its own.
    #[serde(rename = "participant.changed")]
    Changed {
        /// The room.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        room: RoomId,
        /// Who, in full.
        participant: Box<ParticipantView>,
    },
    /// Somebody began or stopped being heard.
    #[serde(rename = "participant.speaking")]
    Speaking {
        /// The room.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        room: RoomId,
        /// Who.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        participant: ParticipantId,
        /// Began or stopped.
        speaking: bool,
    },
    /// Somebody's place is gone.
    #[serde(rename = "participant.left")]
    Left {
        /// The room.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        room: RoomId,
        /// Who.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        participant: ParticipantId,
        /// Why.
        cause: Cause,
    },
    /// Somebody pressed the key for help.
    #[serde(rename = "participant.operator")]
    OperatorAsked {
        /// The room.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        room: RoomId,
        /// Who.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        participant: ParticipantId,
    },
    /// The meeting began.
    #[serde(rename = "room.started")]
    RoomStarted {
        /// The room.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        room: RoomId,
    },
    /// The room was locked or unlocked.
    #[serde(rename = "room.locked")]
    RoomLocked {
        /// The room.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        room: RoomId,
        /// Locked.
        locked: bool,
    },
    /// The last participant left, or a host ended the meeting.
    #[serde(rename = "room.ended")]
    RoomEnded {
        /// The room.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        room: RoomId,
    },
    /// A room was made or its settings changed.
    #[serde(rename = "room.configured")]
    RoomConfigured {
        /// The room.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        room: RoomId,
    },
    /// A room was taken away.
    #[serde(rename = "room.deleted")]
    RoomDeleted {
        /// The room.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        room: RoomId,
    },
}

impl Happening {
    /// The room it happened in.
    pub fn room(&self) -> Option<RoomId> {
        match self {
            Happening::Joined { room, .. }
            | Happening::Changed { room, .. }
            | Happening::Speaking { room, .. }
            | Happening::Left { room, .. }
            | Happening::OperatorAsked { room, .. }
            | Happening::RoomStarted { room }
            | Happening::RoomLocked { room, .. }
            | Happening::RoomEnded { room }
            | Happening::RoomConfigured { room }
            | Happening::RoomDeleted { room } => Some(*room),
            Happening::NodeStarted {}
            | Happening::NodeDraining {}
            | Happening::CallBegan { .. }
            | Happening::CallAnswered { .. }
            | Happening::CallHeld { .. }
            | Happening::CallEnded { .. } => None,
        }
    }
}
