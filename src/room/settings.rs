//! What is configured of a room.

use serde::{Deserialize, Serialize};

use crate::base::elevating::ElevationRules;
use crate::base::{RoomId, Secret};
use crate::media::treatment::TreatmentChange;

/// What is configured of a room; kept in the store, changed by API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct RoomSettings {
    /// Its id.
    #[cfg_attr(feature = "node", schema(value_type = String, example = "room_0123456789abc"))]
    pub id: RoomId,
    /// What people call it.
    pub name: String,
    /// What guests key to come in: 1 to 20 digits, no other room's; none keeps it to numbers that lead straight here.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>, example = "482913"))]
    pub pin: Option<Secret>,
    /// What hosts key to come in, or later by the key map's step-up.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub host_pin: Option<Secret>,
    /// What the first caller meets.
    #[serde(default)]
    pub first_caller: FirstCaller,
    /// Whether guests wait until a host or the API admits them.
    #[serde(default)]
    pub lobby: bool,
    /// Whether guests come in muted.
    #[serde(default)]
    pub muted_on_entry: bool,
    /// Whether a guest muted by a host may unmute alone.
    #[serde(default = "yes")]
    pub self_unmute: bool,
    /// Most participants at once, those in the lobby included.
    #[serde(default = "default_max")]
    pub max_participants: u32,
    /// Tones when somebody comes or goes, as long as no more than this many are in; 0 means never.
    #[serde(default = "default_tones")]
    pub tones_up_to: u32,
    /// The key map: `zoom`, `webex`, `microsoft`, or one from the configuration.
    #[serde(default = "default_keys")]
    pub keys: String,
    /// The language of callers whose number names none.
    #[serde(default)]
    pub language: Option<String>,
    /// A call between people rather than a meeting: nothing is announced, keys go through to the others, and the room is
    /// gone with its last leg. Made by calls only; the API refuses it.
    #[serde(default, skip_serializing_if = "is_no")]
    #[cfg_attr(feature = "node", schema(read_only))]
    pub call: bool,
    /// What of adding video to telephone calls differs here from the node's rules and the number's.
    #[serde(default, skip_serializing_if = "ElevationRules::is_empty")]
    pub elevation: ElevationRules,
    /// What is done to the voices of its telephones, where that differs from their profiles.
    #[serde(default, skip_serializing_if = "TreatmentChange::is_empty")]
    pub sound: TreatmentChange,
}

/// What the first caller of an empty room meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum FirstCaller {
    /// Is told to be the first, then music until a second comes.
    #[default]
    Music,
    /// Is told to be the first, then a soft tone every few seconds until a second comes.
    Tone,
    /// Is told to be the first; the meeting is on.
    Start,
    /// Waits with music until a host comes, who keyed the host PIN.
    Host,
}

fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_no(value: &bool) -> bool {
    !*value
}

/// As many as a bridge on one core carries with room to spare; the store refuses more than 5,000.
fn default_max() -> u32 {
    1000
}

/// Beyond eight people the tones of comings and goings disturb more than they tell.
fn default_tones() -> u32 {
    8
}

fn default_keys() -> String {
    "zoom".to_owned()
}

impl RoomSettings {
    /// A room with the defaults.
    pub fn new(id: RoomId, name: impl Into<String>) -> Self {
        Self {
            id,
            name: name.into(),
            pin: None,
            host_pin: None,
            first_caller: FirstCaller::default(),
            lobby: false,
            muted_on_entry: false,
            self_unmute: true,
            max_participants: default_max(),
            tones_up_to: default_tones(),
            keys: default_keys(),
            language: None,
            call: false,
            elevation: ElevationRules::default(),
            sound: TreatmentChange::default(),
        }
    }

    /// The room of a call between people: no PIN, no tones, no lobby, nobody told to be the first.
    pub fn of_call(id: RoomId, name: impl Into<String>) -> Self {
        Self { first_caller: FirstCaller::Start, tones_up_to: 0, call: true, ..Self::new(id, name) }
    }
}
