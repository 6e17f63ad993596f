//! A person's place in a room.

use serde::{Deserialize, Serialize};

use crate::base::{LegId, ParticipantId, PhoneNumber, Utc};
use crate::room::{Sign, Whisper};

/// What a participant may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Role {
    /// May mute, admit, remove, lock, end.
    Host,
    /// Is known here: comes in without waiting in the lobby and lets others in from it; else as a guest.
    Member,
    /// May speak, mute itself, raise a hand, write, show camera and screen.
    Guest,
}

impl Role {
    /// Whether it lets people in from the lobby, and so sees who waits there.
    pub const fn admits(self) -> bool {
        matches!(self, Role::Host | Role::Member)
    }
}

/// What of a person a leg carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// The voice, and what is heard.
    Audio,
    /// Camera and screen, and what is seen.
    Video,
    /// What is read and written: roster, chat, reactions.
    Data,
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
    /// Whom alone it speaks to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whispers: Option<Whisper>,
    /// The order in which hands went up.
    pub hand: Option<u64>,
    /// Among the voices the room hears.
    pub speaking: bool,
    /// The language prompts are spoken in.
    pub language: String,
    /// The leg that carries audio.
    pub audio: Option<LegId>,
    /// The leg that carries camera and screen.
    pub video: Option<LegId>,
    /// The leg that carries roster and chat: a browser's.
    pub data: Option<LegId>,
    /// Wants its camera to be seen.
    pub camera_on: bool,
    /// Wants its screen to be seen.
    pub screen_on: bool,
    /// Its picture: a path on this node.
    pub avatar: Option<String>,
    /// The connection of its page dropped; the place is kept for a while.
    pub away: bool,
    /// By what they are known when they come back.
    #[serde(skip)]
    pub signs: Vec<Sign>,
    /// When the place was taken.
    pub since: Utc,
}

impl Participant {
    /// A place that is not entered yet, without a leg.
    pub(super) fn new(id: ParticipantId, role: Role, language: String, since: Utc) -> Self {
        Self {
            id,
            name: None,
            number: None,
            role,
            state: State::Ringing,
            held: false,
            held_by_us: false,
            early: false,
            muted_by_self: false,
            muted_by_host: false,
            whispers: None,
            hand: None,
            speaking: false,
            language,
            audio: None,
            video: None,
            data: None,
            camera_on: false,
            screen_on: false,
            avatar: None,
            away: false,
            signs: Vec::new(),
            since,
        }
    }

    /// Whether it reads what is written: not on a telephone alone.
    pub const fn reads(&self) -> bool {
        self.data.is_some()
    }

    /// The leg that carries a channel.
    pub const fn leg(&self, channel: Channel) -> Option<LegId> {
        match channel {
            Channel::Audio => self.audio,
            Channel::Video => self.video,
            Channel::Data => self.data,
        }
    }

    /// Whether the room must not hear it.
    pub const fn is_muted(&self) -> bool {
        self.muted_by_self || self.muted_by_host
    }
}
