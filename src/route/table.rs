//! What is configured: trunks and the numbers routed to us.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base::id::{DidId, TrunkId};
use crate::base::phone_number::NumberPlan;
use crate::base::{Cause, PhoneNumber, RoomId, Secret};
use crate::route::Network;

/// A carrier link or a switchboard: who may send us calls, and how it writes numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Trunk {
    /// Its id.
    #[cfg_attr(feature = "node", schema(value_type = String, example = "trunk_0123456789abc"))]
    pub id: TrunkId,
    /// What people call it.
    pub name: String,
    /// Networks its signalling comes from.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Vec<String>, example = json!(["54.172.60.0/30"])))]
    pub networks: Vec<Network>,
    /// What it shows instead, or besides, by digest (RFC 8760).
    #[serde(default)]
    pub credentials: Option<Credentials>,
    /// How it writes numbers.
    #[serde(default)]
    pub numbers: NumberPlan,
    /// Calls at once; none means no limit of its own.
    #[serde(default)]
    pub max_calls: Option<u32>,
    /// Whether it may send calls at all.
    #[serde(default = "yes")]
    pub enabled: bool,
}

/// A user name and its password.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Credentials {
    /// As in the `username` of an Authorization header.
    pub username: String,
    /// The password; never shown again by the API.
    #[cfg_attr(feature = "node", schema(value_type = String, format = Password))]
    pub password: Secret,
}

/// A number routed to us, and where it leads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Did {
    /// Its id.
    #[cfg_attr(feature = "node", schema(value_type = String, example = "did_0123456789abc"))]
    pub id: DidId,
    /// What must have been dialled.
    #[cfg_attr(feature = "node", schema(value_type = String, example = "+4930901820"))]
    pub called: Called,
    /// Only for calls of this trunk; none means any trunk.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub trunk: Option<TrunkId>,
    /// Where it leads.
    pub action: Action,
    /// The languages offered to the caller, the first spoken when there is no choice; empty means the node's.
    #[serde(default)]
    pub languages: Vec<String>,
}

/// What must have been dialled.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Called {
    /// A telephone number, compared in E.164.
    Number(PhoneNumber),
    /// The user part of the request URI as it stands, such as `1000` or `meet`.
    User(String),
    /// Anything: a last resort.
    Any,
}

/// Where a number leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Action {
    /// The attendant, who asks for a PIN.
    Attendant {},
    /// Straight into a room, as a guest.
    Room {
        /// Which.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        room: RoomId,
    },
    /// Nowhere.
    Refuse {
        /// As what.
        cause: Cause,
    },
}

/// Trunks and numbers, by id.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// Carrier links.
    pub trunks: BTreeMap<TrunkId, Trunk>,
    /// Numbers.
    pub dids: BTreeMap<DidId, Did>,
}

fn yes() -> bool {
    true
}

impl fmt::Display for Called {
    /// As it is configured and stored; a number in full, for it is the operator's own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Called::Number(number) => f.write_str(&number.e164()),
            Called::User(user) => f.write_str(user),
            Called::Any => f.write_str("*"),
        }
    }
}

impl FromStr for Called {
    type Err = String;

    /// `*` is anything, `+…` a number, everything else a user part.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "*" {
            return Ok(Called::Any);
        }
        if text.starts_with('+') {
            return PhoneNumber::parse(text)
                .map(Called::Number)
                .ok_or_else(|| "a number is written + and 3 to 15 digits, the first not 0".to_owned());
        }
        let printable = !text.is_empty()
            && text.len() <= 64
            && text.chars().all(|c| c.is_ascii_graphic() && !"@:;<>\"".contains(c));
        if printable {
            Ok(Called::User(text.to_owned()))
        } else {
            Err("write *, +digits, or the user part of a SIP URI".to_owned())
        }
    }
}

impl Serialize for Called {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Called {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
