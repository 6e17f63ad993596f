//! What the API (or a test) asks of the gateway, and what it answers.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::base::id::{DidId, TrunkId};
use crate::base::{LegId, RoomId};
use crate::gateway::view::{CallView, RoomView, Status};
use crate::room::{self, Operation, RoomSettings};
use crate::route::{Did, Explanation, Trunk};

/// Names one command; its answer carries it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommandId(pub u64);

/// What is asked. Changes of configuration are stored first by whoever asks; the gateway is told after.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// A trunk was added or changed.
    PutTrunk(Trunk),
    /// A trunk was taken away; its calls go on.
    DeleteTrunk(TrunkId),
    /// A number was added or changed.
    PutDid(Did),
    /// A number was taken away.
    DeleteDid(DidId),
    /// A room was added or changed; a live one takes it over.
    PutRoom(RoomSettings),
    /// A room was taken away; refused while people are in it.
    DeleteRoom(RoomId),
    /// Every room with its roster.
    Rooms {
        /// Whether whole numbers may be shown.
        numbers: bool,
    },
    /// One room with its roster.
    Room {
        /// Which.
        room: RoomId,
        /// Whether whole numbers may be shown.
        numbers: bool,
    },
    /// Something is to be done in a room, with a host's rights.
    Operate {
        /// Where.
        room: RoomId,
        /// What.
        operation: Operation,
    },
    /// Every live call.
    Calls {
        /// Whether whole numbers may be shown.
        numbers: bool,
    },
    /// One live call.
    Call {
        /// Which.
        leg: LegId,
        /// Whether whole numbers may be shown.
        numbers: bool,
    },
    /// Ends a call.
    HangUp(LegId),
    /// Says what would be done with an INVITE, and why.
    Explain(Box<ExplainRequest>),
    /// Counts and state of the node.
    Status,
}

/// An INVITE to be explained: the message itself, or its facts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct ExplainRequest {
    /// The whole INVITE as text; line ends may be LF. Instead of `to` and `from`.
    #[serde(default)]
    pub invite: Option<String>,
    /// The request URI, or just a number or user: `sip:+4930901820@gw.example`, `+4930901820`.
    #[serde(default)]
    pub to: Option<String>,
    /// The From URI, or just a number.
    #[serde(default)]
    pub from: Option<String>,
    /// The address it comes from.
    #[cfg_attr(feature = "node", schema(value_type = String, example = "203.0.113.7"))]
    pub source: IpAddr,
}

/// The answer.
pub type Outcome = Result<Reply, Denial>;

/// What was done or asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Done.
    Done,
    /// Rooms.
    Rooms(Vec<RoomView>),
    /// One room.
    Room(Box<RoomView>),
    /// Calls.
    Calls(Vec<CallView>),
    /// One call.
    Call(Box<CallView>),
    /// What would be done, and why.
    Explained(Box<Explanation>),
    /// The node.
    Status(Box<Status>),
}

/// Why it was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// There is no such thing.
    NotFound(&'static str),
    /// It cannot be done as things stand.
    Conflict(String),
    /// The room says no.
    Refused(room::Refusal),
    /// What was sent cannot be understood.
    Invalid(String),
}
