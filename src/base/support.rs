//! How far an extension of a protocol is used with a far end.

use serde::{Deserialize, Serialize};

/// Whether an extension is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Support {
    /// Never.
    Off,
    /// When the far end wants it.
    #[default]
    Supported,
    /// Demanded.
    Require,
}
