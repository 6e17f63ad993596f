//! Who is at the far end of a call: a carrier link or somebody of the house.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base::id::{ExtensionId, TrunkId};

/// Who is at the far end of a call; as text, the id of either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// A carrier link.
    Trunk(TrunkId),
    /// Somebody of the house.
    Extension(ExtensionId),
}

impl Party {
    /// The trunk, where it is one.
    pub const fn trunk(self) -> Option<TrunkId> {
        match self {
            Party::Trunk(id) => Some(id),
            Party::Extension(_) => None,
        }
    }

    /// The extension, where it is one.
    pub const fn extension(self) -> Option<ExtensionId> {
        match self {
            Party::Trunk(_) => None,
            Party::Extension(id) => Some(id),
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Party::Trunk(id) => write!(f, "{id}"),
            Party::Extension(id) => write!(f, "{id}"),
        }
    }
}

impl FromStr for Party {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let trunk = text.parse().map(Party::Trunk);
        let party = trunk.or_else(|_| text.parse().map(Party::Extension));
        party.map_err(|_| format!("`{text}` is no id of a trunk or an extension"))
    }
}

impl Serialize for Party {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Party {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
