//! Who is at the far end of a call: a carrier link or somebody of the house.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::id::{ExtensionId, TrunkId};

/// Who is at the far end of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
