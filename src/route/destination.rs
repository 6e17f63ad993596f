//! Where a call leads: what a rule, a number, or a routing webhook says.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::base::id::{ExtensionId, GroupId, TrunkId};
use crate::base::strict::Strict;
use crate::base::{Cause, RoomId, Secret};

/// Where a call leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Destination {
    /// The attendant, who asks for a PIN.
    Attendant {},
    /// Straight into a room, as a guest.
    Room {
        /// Which.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        room: RoomId,
    },
    /// To every telephone of an extension.
    Extension {
        /// Whose.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        extension: ExtensionId,
    },
    /// To the members of a group, together or one after the other.
    Group {
        /// Which.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        group: GroupId,
    },
    /// Out by the first of these trunks that is up and takes the call.
    Trunk {
        /// Which, in order.
        #[cfg_attr(feature = "node", schema(value_type = Vec<String>))]
        trunks: Vec<TrunkId>,
        /// Characters taken off the front of what was dialled, before it is read as a number.
        #[serde(default)]
        strip: u8,
        /// Put in front of what is left, before it is read as a number.
        #[serde(default)]
        prefix: String,
    },
    /// Nowhere.
    Refuse {
        /// As what.
        cause: Cause,
    },
    /// Wherever a program of the operator's says, asked by HTTPS while the caller waits.
    Webhook {
        /// Whom to ask.
        url: String,
        /// Signs what is asked (HMAC-SHA256), so that the program knows who asks; never shown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "node", schema(value_type = Option<String>, format = Password))]
        secret: Option<Secret>,
        /// Where the call leads when no useful answer comes in time; not another webhook.
        #[serde(deserialize_with = "fallback")]
        #[cfg_attr(feature = "node", schema(no_recursion))]
        fallback: Box<Destination>,
    },
}

/// What an object that says by a field which one it is holds, is read from serde's own copy of it: that takes a list for an
/// object again, and knows no place.
fn fallback<'de, D: Deserializer<'de>>(from: D) -> Result<Box<Destination>, D::Error> {
    let inner = Destination::deserialize(Strict(from));
    inner.map(Box::new).map_err(|error| D::Error::custom(format!("wrong field `fallback`: {error}")))
}

impl Destination {
    /// In a few words, for people.
    pub fn words(&self) -> String {
        match self {
            Destination::Attendant {} => "answered by the attendant, who asks for a PIN".to_owned(),
            Destination::Room { room } => format!("answered straight into {room}"),
            Destination::Extension { extension } => format!("rings {extension}"),
            Destination::Group { group } => format!("rings the members of {group}"),
            Destination::Trunk { trunks, .. } => {
                let names: Vec<String> = trunks.iter().map(ToString::to_string).collect();
                format!("goes out by {}", names.join(", then "))
            }
            Destination::Refuse { cause } => format!("refused with {}: {cause}", cause.status()),
            Destination::Webhook { fallback, .. } => {
                format!("asks its routing webhook; without an answer it is {}", fallback.words())
            }
        }
    }

    /// The same without its secret: what may be shown.
    pub fn shown(&self) -> Self {
        match self {
            Destination::Webhook { url, fallback, .. } => {
                Destination::Webhook { url: url.clone(), secret: None, fallback: fallback.clone() }
            }
            other => other.clone(),
        }
    }
}
