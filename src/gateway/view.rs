//! What readers are shown: rooms, participants, calls. Numbers are masked unless the reader has the right.

use serde::{Deserialize, Serialize};

pub use crate::gateway::registrar::RegistrationView;
pub use crate::gateway::trunks::{
    FarEndView, StepName, StepOutcome, TrialMessage, TrialReport, TrialRequest, TrialStep, TrunkStateView,
};
pub use crate::gateway::web::protocol::AudioBy;

use crate::base::id::{DidId, ExtensionId, TrunkId};
use crate::base::{Cause, LegId, ParticipantId, RoomId, Utc};
use crate::identity::Standing;
use crate::media::command::{Figures, Treatment};
use crate::room::{Role, RoomSettings, State};

/// A room and who is in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct RoomView {
    /// What is configured; PINs are shown to readers with `rooms:write` only, and taken out by the API otherwise.
    pub settings: RoomSettings,
    /// Whether the meeting is on.
    pub started: bool,
    /// Whether nobody else comes in.
    pub locked: bool,
    /// Who is here, in order of arrival.
    pub participants: Vec<ParticipantView>,
}

/// A person's place, as shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct ParticipantView {
    /// Its id.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub id: ParticipantId,
    /// The name given, else the masked number, else `Anonymous caller`.
    pub display: String,
    /// The name given.
    pub name: Option<String>,
    /// The number, masked unless the reader may see it.
    pub number: Option<String>,
    /// What it may do.
    pub role: Role,
    /// Where it stands.
    pub state: State,
    /// On hold by its own phone: what the phone plays is kept out of the room.
    pub held: bool,
    /// On hold by us: it hears music and nothing of the room.
    #[serde(default)]
    pub held_by_us: bool,
    /// Muted by itself.
    pub muted_by_self: bool,
    /// Muted by a host or the API.
    pub muted_by_host: bool,
    /// Whom alone it speaks to. Nobody: it speaks to everybody, or with `others_hear` to people who have left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "node", schema(value_type = Vec<String>))]
    pub whispers_to: Vec<ParticipantId>,
    /// While it speaks to some alone: how loud the telephones of others hear it, in percent of the amplitude.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others_hear: Option<u8>,
    /// Music on hold comes from its telephone, and is kept from the others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub music: bool,
    /// What its telephone hears comes back from it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub echo: bool,
    /// Its place in the queue of raised hands, from 1; none when the hand is down.
    pub hand: Option<u32>,
    /// Among the voices the room hears.
    pub speaking: bool,
    /// The language prompts are spoken in.
    pub language: String,
    /// The leg that carries audio.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub audio: Option<LegId>,
    /// What carries the voice.
    #[serde(default)]
    pub audio_by: AudioBy,
    /// A telephone is kept on the line in silence, while a browser carries the voice.
    #[serde(default)]
    pub phone_kept: bool,
    /// The leg that carries camera and screen.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub video: Option<LegId>,
    /// Its camera can be seen.
    #[serde(default)]
    pub camera_on: bool,
    /// Its screen can be seen.
    #[serde(default)]
    pub screen_on: bool,
    /// Its picture: a path on this node.
    #[serde(default)]
    pub avatar: Option<String>,
    /// The connection of its page dropped; the place is kept for a while.
    #[serde(default)]
    pub away: bool,
    /// When the place was taken, RFC 3339.
    pub since: String,
}

/// Where a live call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum CallState {
    /// An INVITE was sent or received; no telephone rings yet.
    Inviting,
    /// A telephone rings: this one, or for a caller the one that was called.
    Ringing,
    /// Answered, the ACK is awaited or the attendant speaks.
    Attendant,
    /// Has a place in a room.
    InRoom,
    /// Hears a last word, then is hung up.
    Leaving,
}

/// Who rang whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum CallDirection {
    /// They rang us.
    #[default]
    Inbound,
    /// We rang them.
    Outbound,
}

/// A live call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct CallView {
    /// Our id of the leg.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub id: LegId,
    /// SIP's Call-ID.
    pub call_id: String,
    /// Who rang whom.
    #[serde(default)]
    pub direction: CallDirection,
    /// Where it stands.
    pub state: CallState,
    /// Who rings, masked unless the reader may see it; none when withheld.
    pub from: Option<String>,
    /// What was dialled.
    pub to: String,
    /// Which trunk it came or went by.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub trunk: Option<TrunkId>,
    /// Whose telephone it is, where it is one of the house.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub extension: Option<ExtensionId>,
    /// The dialect spoken with it.
    #[serde(default)]
    pub profile: String,
    /// Which number rule it matched.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub did: Option<DidId>,
    /// What the caller's signed identity was worth (STIR/SHAKEN).
    #[serde(default)]
    pub identity: Standing,
    /// The room it is in.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub room: Option<RoomId>,
    /// Whose place it carries.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub participant: Option<ParticipantId>,
    /// On hold by the far end.
    pub held: bool,
    /// On hold by us.
    #[serde(default)]
    pub held_by_us: bool,
    /// The codec and packet length, such as `PCMA/20`.
    pub media: Option<String>,
    /// What is done to its voice.
    #[serde(default)]
    pub sound: Treatment,
    /// The latest figures of its media.
    pub figures: Option<Figures>,
    /// When it began, RFC 3339.
    pub since: String,
    /// When it was answered, RFC 3339.
    pub answered: Option<String>,
}

/// The node in figures.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Status {
    /// Live calls.
    pub calls: u64,
    /// Rooms with somebody in them.
    pub live_rooms: u64,
    /// Participants in all rooms.
    pub participants: u64,
    /// SIP dialogs.
    pub dialogs: u64,
    /// SIP transactions.
    pub transactions: u64,
    /// RTP port pairs in use.
    pub ports: u64,
    /// Telephones that are registered.
    #[serde(default)]
    pub registrations: u64,
    /// Lamps that are told who talks.
    #[serde(default)]
    pub lamps: u64,
    /// Pages of meetings that are connected.
    #[serde(default)]
    pub pages: u64,
    /// Whether the node is going out of service.
    pub draining: bool,
    /// INVITEs seen, in all.
    pub invited: u64,
    /// Calls answered, in all.
    pub answered: u64,
    /// Calls refused, in all, by cause.
    #[cfg_attr(feature = "node", schema(value_type = Object))]
    pub refused: std::collections::BTreeMap<Cause, u64>,
    /// Requests that got no answer at all, in all, by why: `scanner`, `wrong_passwords`.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Object))]
    pub ignored: std::collections::BTreeMap<String, u64>,
    /// Calls whose routing webhook was asked, in all, by what came of it: `answered`, or why they went to the fallback.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Object))]
    pub webhooks: std::collections::BTreeMap<String, u64>,
    /// Codes by which calls move: how far they came, and how readers were refused.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Object))]
    pub codes: std::collections::BTreeMap<String, u64>,
    /// SIP counters by name: what was malformed, dropped, answered statelessly.
    #[cfg_attr(feature = "node", schema(value_type = Object))]
    pub sip: std::collections::BTreeMap<String, u64>,
}

/// A call from its first to its last moment: what is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    /// Our id of the leg.
    pub id: LegId,
    /// SIP's Call-ID.
    pub call_id: String,
    /// Who rang whom.
    pub direction: CallDirection,
    /// Who rang, in E.164 or as shown; none when withheld.
    pub from: Option<String>,
    /// What was dialled.
    pub to: String,
    /// Which trunk it came or went by.
    pub trunk: Option<TrunkId>,
    /// Whose telephone it was, where it was one of the house.
    pub extension: Option<ExtensionId>,
    /// Which number rule it matched.
    pub did: Option<DidId>,
    /// The last room it was in.
    pub room: Option<RoomId>,
    /// When the INVITE came.
    pub began: Utc,
    /// When it was answered.
    pub answered: Option<Utc>,
    /// When it ended.
    pub ended: Option<Utc>,
    /// Why it ended.
    pub cause: Option<Cause>,
    /// What its media amounted to.
    pub figures: Option<Figures>,
}
