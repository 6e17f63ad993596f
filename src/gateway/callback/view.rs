//! What is asked of callbacks from outside, and what is answered.

use serde::{Deserialize, Serialize};

use crate::base::id::CallbackId;
use crate::base::{LegId, ParticipantId, RoomId, Secret, Utc};
use crate::callback::{Failure, State};
use crate::route::Hours;

/// Whom to call back, and how.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct CallbackRequest {
    /// A telephone number, as somebody of the house would dial it.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>, example = "+4930901820"))]
    pub number: Option<String>,
    /// Instead: somebody of the house, by the user of their extension.
    #[cfg_attr(feature = "node", schema(example = "204"))]
    pub extension: Option<String>,
    /// What they are called, where they have no place in the meeting yet.
    pub name: Option<String>,
    /// Whose voice the telephone becomes; none: somebody new, who joins by pressing 1.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub participant: Option<ParticipantId>,
    /// When: `2026-11-23T09:00:00` in `time_zone`, or with an offset (RFC 3339); none: now.
    #[cfg_attr(feature = "node", schema(example = "2026-11-23T09:00:00"))]
    pub at: Option<String>,
    /// The place whose time `at` and `quiet` mean, `Europe/Berlin`; UTC where none is given.
    #[cfg_attr(feature = "node", schema(example = "Europe/Berlin"))]
    pub time_zone: Option<String>,
    /// Times of day at which nobody is rung, `22:00-07:00`; what they hold back rings when they end.
    #[cfg_attr(feature = "node", schema(example = json!(["22:00-07:00"])))]
    pub quiet: Vec<String>,
    /// Whether whoever answers must press 1; only telephones that answer by themselves need not. True where absent.
    pub press_one: Option<bool>,
}

/// At whose wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum CallbackBy {
    /// A page's person.
    Page,
    /// A caller, by key.
    Key,
    /// An integration.
    Api,
}

/// A callback as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct CallbackView {
    /// Its id.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub id: CallbackId,
    /// The meeting; none: whoever answers is asked for a PIN.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub room: Option<RoomId>,
    /// Whose voice it becomes; none until somebody new has joined.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub participant: Option<ParticipantId>,
    /// Who is rung: a number, masked, or the user of an extension.
    pub to: String,
    /// What they are called.
    pub name: Option<String>,
    /// At whose wish.
    pub by: CallbackBy,
    /// Where it stands.
    pub state: State,
    /// Why it came to nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub failure: Option<Failure>,
    /// The call, once one was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub call: Option<LegId>,
    /// When it is to ring, RFC 3339; none: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// How far a callback is. Whom it rings is masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct CallbackStep {
    /// `callback.` and where it stands: `scheduled`, `calling`, `ringing`, `accepted`, `succeeded`, `failed`, `canceling`,
    /// `canceled`, `timed_out`.
    #[serde(rename = "type", with = "callback_type")]
    #[cfg_attr(feature = "node", schema(value_type = String, pattern = r"^callback\.[a-z_]+$"))]
    pub state: State,
    /// Which.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub callback: CallbackId,
    /// The meeting.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub room: Option<RoomId>,
    /// Whose voice it becomes.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub participant: Option<ParticipantId>,
    /// Who is rung, masked.
    pub to: String,
    /// What they are called.
    pub name: Option<String>,
    /// At whose wish.
    pub by: CallbackBy,
    /// Why it came to nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub failure: Option<Failure>,
}

/// A callback at a set time, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// Its id.
    pub id: CallbackId,
    /// The meeting.
    pub room: RoomId,
    /// Who is rung, as it was dialled.
    pub to: Secret,
    /// What they are called.
    pub name: Option<String>,
    /// Whoever answers must press 1.
    pub press_one: bool,
    /// When.
    pub at: Utc,
    /// When nobody is rung.
    pub quiet: Option<Hours>,
}

/// A state as the type of an event: `callback.` before its name.
mod callback_type {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::callback::State;

    const PREFIX: &str = "callback.";

    pub fn serialize<S: Serializer>(state: &State, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{PREFIX}{}", state.name()))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<State, D::Error> {
        let name = String::deserialize(deserializer)?;
        let state = name.strip_prefix(PREFIX).ok_or_else(|| D::Error::custom("no event of a callback"))?;
        let known = State::ALL.iter().find(|known| known.name() == state);
        known.copied().ok_or_else(|| D::Error::custom("no such state"))
    }
}
