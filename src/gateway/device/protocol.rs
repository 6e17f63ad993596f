//! What personal pages say over the WebSocket, besides what every page says.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::base::id::DeviceId;
use crate::base::{ParticipantId, Secret};
use crate::device::{Capability, Transfers};
use crate::room::Channel;

/// The first message of a personal page: whose it is, and which device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct OpenMe {
    /// The end of the personal link.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub ticket: Secret,
    /// What an earlier answer gave this browser; none registers it as a new device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub key: Option<Secret>,
    /// What a new device is called, such as `Chrome, Linux`.
    #[serde(default)]
    pub name: String,
    /// What the browser can do.
    #[serde(default)]
    pub capabilities: BTreeSet<Capability>,
}

/// Takes a call to this page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct MoveHere {
    /// Which, where there are several: the person's place.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub call: Option<ParticipantId>,
    /// `audio`, `video`: these alone; none for the whole call.
    #[cfg_attr(feature = "node", schema(value_type = Option<Vec<String>>))]
    pub channels: Option<Vec<Channel>>,
    /// The telephone that carried the voice stays on the line, in silence.
    pub keep: bool,
}

/// Moves a call to another device of the same person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct MoveThere {
    /// Which device.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub device: DeviceId,
    /// Which call, where there are several.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub call: Option<ParticipantId>,
    /// `audio`, `video`: these alone; none for the whole call.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Option<Vec<String>>))]
    pub channels: Option<Vec<Channel>>,
    /// The telephone that carried the voice stays on the line, in silence.
    #[serde(default)]
    pub keep: bool,
}

/// Says whether this device takes the call it was asked about; whoever asked may take the question back likewise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct AnswerMove {
    /// Which call.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub call: ParticipantId,
    /// Takes it.
    pub takes: bool,
}

/// Changes a device of the person, or forgets it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct SetDevice {
    /// Which; none: this page's own.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub device: Option<DeviceId>,
    /// What it is called.
    pub name: Option<String>,
    /// Whether calls may be moved to it.
    pub transfers: Option<Transfers>,
    /// Whether its camera may be opened by a move.
    pub camera: Option<bool>,
    /// It is one no more.
    pub forget: bool,
}
