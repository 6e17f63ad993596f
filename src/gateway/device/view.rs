//! What is asked of devices from outside, what is answered, and what is told of moves.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::base::id::{DeviceId, ExtensionId};
use crate::base::{LegId, ParticipantId, RoomId, Secret};
use crate::device::{Activity, Capability, Failure, How, Kind, Phase, Report, Transfers};
use crate::room::Channel;

/// A device as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct DeviceView {
    /// Its id.
    #[cfg_attr(feature = "node", schema(value_type = String, example = "dev_0123456789abc"))]
    pub id: DeviceId,
    /// Whose.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub extension: ExtensionId,
    /// What it is.
    pub kind: Kind,
    /// What the person calls it; of a telephone without a name, its User-Agent. Where several are called the same, with the end of
    /// its address, or a number.
    pub name: String,
    /// What it can do.
    pub capabilities: BTreeSet<Capability>,
    /// Whether calls may be moved to it.
    pub transfers: Transfers,
    /// Whether its camera may be opened by a move.
    pub camera: bool,
    /// Its telephone is registered, its page open, its program heard of.
    pub online: bool,
    /// When a browser was last there, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// The places whose calls it carries, in whole or in part.
    #[cfg_attr(feature = "node", schema(value_type = Vec<String>))]
    pub calls: Vec<ParticipantId>,
    /// What the person does with it, as it reported last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<Activity>,
}

/// A call of a person, as shown to that person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct CallOfMine {
    /// The person's place: what a move names.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub call: ParticipantId,
    /// Where it is.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub room: RoomId,
    /// The meeting's name; none of a call between people.
    pub meeting: Option<String>,
    /// With whom, as others see them; the first few of a meeting.
    pub with: Vec<String>,
    /// Since when, RFC 3339.
    pub since: String,
    /// The leg that carries the voice.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub leg: Option<LegId>,
    /// The device that carries the voice, where it is known.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub audio: Option<DeviceId>,
    /// The device that carries pictures.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub video: Option<DeviceId>,
    /// It may be moved; else it is on hold, not up, or a call for help.
    pub movable: bool,
    /// A move of it that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moving: Option<Moving>,
    /// Where it can be handed back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub back: Option<DeviceId>,
}

/// A move under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Moving {
    /// To which device.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub device: DeviceId,
    /// How far.
    pub phase: Phase,
    /// What is moved.
    #[cfg_attr(feature = "node", schema(value_type = Vec<String>))]
    pub channels: Vec<Channel>,
}

/// Everything that a personal page shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Me {
    /// The message `me` that this answers; none where something changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// What brings this browser back as the same device; told once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub key: Option<Secret>,
    /// Which of the devices this page is.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub device: DeviceId,
    /// The person's name.
    pub name: String,
    /// What others dial for them.
    pub user: String,
    /// Their devices.
    pub devices: Vec<DeviceView>,
    /// Their calls.
    pub calls: Vec<CallOfMine>,
    /// Calls follow the person by themselves.
    pub follow: bool,
    /// Seconds for which no call follows, because one was just moved.
    pub rests: u64,
}

/// A device as it is wished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct NewDevice {
    /// Whose.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub extension: ExtensionId,
    /// What the person calls it, up to 64 characters.
    #[cfg_attr(feature = "node", schema(example = "Anna's tablet"))]
    pub name: String,
    /// What it can do; `audio` and `video` where absent.
    #[serde(default = "both")]
    pub capabilities: BTreeSet<Capability>,
    /// Whether calls may be moved to it; it is asked where absent.
    #[serde(default)]
    pub transfers: Transfers,
    /// Whether its camera may be opened by a move.
    #[serde(default)]
    pub camera: bool,
}

fn both() -> BTreeSet<Capability> {
    [Capability::Audio, Capability::Video].into()
}

/// What changes about a device; what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct DeviceChange {
    /// What the person calls it.
    pub name: Option<String>,
    /// What it can do; of telephones always the voice alone.
    pub capabilities: Option<BTreeSet<Capability>>,
    /// Whether calls may be moved to it.
    pub transfers: Option<Transfers>,
    /// Whether its camera may be opened by a move.
    pub camera: Option<bool>,
}

/// How a call is to be moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct MoveRequest {
    /// To which device of the same person; none hands the call back to where it came from.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub device: Option<DeviceId>,
    /// `audio`, `video`; these alone move. None: the whole call, and what the device cannot carry ends.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Option<Vec<String>>))]
    pub channels: Option<Vec<Channel>>,
    /// The telephone that carried the voice stays on the line, in silence, to go back to.
    #[serde(default)]
    pub keep: bool,
    /// The device itself asks: what it is asked by others does not matter.
    #[serde(default)]
    pub pull: bool,
}

/// Which call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallRef {
    /// That which this leg of the person carries.
    Leg(LegId),
    /// This place.
    Place(RoomId, ParticipantId),
    /// The only one of this person.
    Of(ExtensionId),
}

/// What is asked of devices by the API.
#[derive(Debug, Clone, PartialEq)]
pub enum DeviceCommand {
    /// Devices of a person, or all.
    List(Option<ExtensionId>),
    /// One.
    Show(DeviceId),
    /// A program's device.
    Add(NewDevice),
    /// Something about one.
    Change(DeviceId, DeviceChange),
    /// It is one no more.
    Delete(DeviceId),
    /// What it noticed.
    Report(DeviceId, Report),
    /// A program's device says whether it takes a call, or is to be asked no more.
    Answer {
        /// Which.
        device: DeviceId,
        /// Which call.
        call: ParticipantId,
        /// It does.
        takes: bool,
    },
    /// A call is to move.
    Move(CallRef, MoveRequest),
    /// A move is taken back.
    CancelMove(CallRef),
    /// The calls of a person.
    Calls(ExtensionId),
    /// A personal link, for so many seconds.
    Link(ExtensionId, u64),
    /// A person's links open nothing more.
    Unlink(ExtensionId),
    /// Whether calls follow a person; none only asks.
    Follow(ExtensionId, Option<bool>),
}

/// What is answered about devices.
#[derive(Debug, Clone, PartialEq)]
pub enum DeviceReply {
    /// Devices.
    Devices(Vec<DeviceView>),
    /// One device.
    Device(Box<DeviceView>),
    /// Calls of a person.
    Calls(Vec<CallOfMine>),
    /// A move that begins.
    Moving(MoveView),
    /// A device takes a call: what its leg joins by.
    Taking(TakeCall),
    /// A personal link's end.
    Link(Secret, String),
    /// Whether calls follow a person.
    Follow(bool),
}

/// A move that begins, as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct MoveView {
    /// Whose place.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub call: ParticipantId,
    /// Where.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub room: RoomId,
    /// To which device.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub device: DeviceId,
    /// What is moved.
    #[cfg_attr(feature = "node", schema(value_type = Vec<String>))]
    pub channels: Vec<Channel>,
    /// How far.
    pub phase: Phase,
}

/// What a page or program takes a call by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct TakeCall {
    /// Whose place.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub call: ParticipantId,
    /// Where.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub room: RoomId,
    /// For `join`, within a minute, once.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub ticket: Secret,
    /// What it is to carry.
    #[cfg_attr(feature = "node", schema(value_type = Vec<String>))]
    pub channels: Vec<Channel>,
    /// The camera may be opened.
    pub camera: bool,
}

/// A device is asked whether it takes a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct MoveAsked {
    /// Whose place.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub call: ParticipantId,
    /// The device that carries it now, where it is known.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub from: Option<DeviceId>,
    /// With whom.
    pub with: Vec<String>,
    /// What it would carry.
    #[cfg_attr(feature = "node", schema(value_type = Vec<String>))]
    pub channels: Vec<Channel>,
    /// At whose wish.
    pub how: How,
}

/// A move that does not begin: why, and which calls there are where one has to be named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct NotMoved {
    /// The request.
    pub id: u64,
    /// The stable name, such as `move-busy`.
    pub why: String,
    /// In words.
    pub text: String,
    /// The calls there are, where one has to be named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "node", schema(value_type = Vec<String>))]
    pub calls: Vec<ParticipantId>,
}

/// How a move ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct MoveOver {
    /// Whose place.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub call: ParticipantId,
    /// To which device.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub device: DeviceId,
    /// Why it came to nothing; none: the device carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// How far a move is, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum MoveStep {
    /// The device rings, or its page opens.
    #[serde(rename = "move.began")]
    Began,
    /// The device is asked.
    #[serde(rename = "move.asked")]
    Asked,
    /// The device carries the call.
    #[serde(rename = "move.done")]
    Done,
    /// It came to nothing, and nothing has changed.
    #[serde(rename = "move.failed")]
    Failed,
}

/// A step of a move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct MoveEvent {
    /// How far.
    #[serde(rename = "type")]
    pub step: MoveStep,
    /// Where.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub room: RoomId,
    /// Whose place.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub participant: ParticipantId,
    /// Whose call.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub extension: ExtensionId,
    /// To which device.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub device: DeviceId,
    /// From which, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub from: Option<DeviceId>,
    /// What.
    #[cfg_attr(feature = "node", schema(value_type = Vec<String>))]
    pub channels: Vec<Channel>,
    /// At whose wish.
    pub how: How,
    /// Why it came to nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Failure>,
}
