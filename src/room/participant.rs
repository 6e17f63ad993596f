//! A person's place in a room.

use serde::{Deserialize, Serialize};

use crate::base::{LegId, ParticipantId, PhoneNumber, Utc};

/// What a participant may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Role {
    /// May mute, admit, remove, lock, end.
    Host,
    /// May speak, mute itself, raise a hand.
    Guest,
}

/// Where a participant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum State {
    /// Being called; not here yet.
    Ringing,
    /// Here, until the host comes.
    WaitingForHost,
    /// Here, until admitted.
    Lobby,
    /// In the meeting.
    Active,
}

/// A person's place in a room. Which leg carries the voice is a binding: it can change without the place changing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Participant {
    /// Its id.
    pub id: ParticipantId,
    /// Given by the host or the API.
    pub name: Option<String>,
    /// The caller's number, where it was shown.
    pub number: Option<PhoneNumber>,
    /// What it may do.
    pub role: Role,
    /// Where it stands.
    pub state: State,
    /// The far end has put us on hold.
    pub held: bool,
    /// We have put the far end on hold: it hears music and nothing of the room.
    pub held_by_us: bool,
    /// Its telephone still rings, and what it sends before the answer is heard already.
    pub early: bool,
    /// Muted by itself.
    pub muted_by_self: bool,
    /// Muted by a host or the API.
    pub muted_by_host: bool,
    /// The order in which hands went up.
    pub hand: Option<u64>,
    /// Among the voices the room hears.
    pub speaking: bool,
    /// The language prompts are spoken in.
    pub language: String,
    /// The leg that carries audio.
    pub audio: Option<LegId>,
    /// When the place was taken.
    pub since: Utc,
}

impl Participant {
    /// Whether the room must not hear it.
    pub const fn is_muted(&self) -> bool {
        self.muted_by_self || self.muted_by_host
    }
}
