//! How far a text is.
//!
//! ```text
//! queued ──► handing ──► handed ──► sent ──► delivered
//!   ▲ │         │  │        │         └────► undelivered
//!   │ └─────────│──│────────┴──────────────► failed
//!   └───────────┘  └──► unknown ──► whatever the provider says of it later
//! kept: no provider is configured; shown on the page
//! ```
//!
//! `handing` is written before the provider is asked, so that whoever finds it after a sudden end knows that the text may
//! be out: it is never sent again.

use serde::{Deserialize, Serialize};

/// How far a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum TextState {
    /// Waits to be handed to the provider, for the first time or after one that could not take it.
    Queued,
    /// Is being handed to the provider.
    Handing,
    /// The provider has it, and has named it.
    Handed,
    /// The provider gave it to the network.
    Sent,
    /// The telephone has it.
    Delivered,
    /// The network could not deliver it.
    Undelivered,
    /// It was not sent.
    Failed,
    /// The provider may have it or not, and cannot be asked. It is not sent again.
    Unknown,
    /// No provider is configured: it is shown on the page.
    Kept,
}

impl TextState {
    /// Every state.
    pub const ALL: [TextState; 9] = [
        TextState::Queued,
        TextState::Handing,
        TextState::Handed,
        TextState::Sent,
        TextState::Delivered,
        TextState::Undelivered,
        TextState::Failed,
        TextState::Unknown,
        TextState::Kept,
    ];

    /// Its name in the store and the API.
    pub const fn name(self) -> &'static str {
        match self {
            TextState::Queued => "queued",
            TextState::Handing => "handing",
            TextState::Handed => "handed",
            TextState::Sent => "sent",
            TextState::Delivered => "delivered",
            TextState::Undelivered => "undelivered",
            TextState::Failed => "failed",
            TextState::Unknown => "unknown",
            TextState::Kept => "kept",
        }
    }

    /// The state of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing more is expected.
    pub const fn is_final(self) -> bool {
        match self {
            TextState::Delivered | TextState::Undelivered | TextState::Failed | TextState::Kept => true,
            TextState::Queued | TextState::Handing | TextState::Handed | TextState::Sent | TextState::Unknown => false,
        }
    }

    /// Whether what a provider reports comes after this state: reports overtake each other, and come twice.
    pub const fn is_before(self, reported: TextState) -> bool {
        !self.is_final() && self.place() < reported.place()
    }

    const fn place(self) -> u8 {
        match self {
            TextState::Queued => 0,
            // Unknown is told once; what the provider says is better.
            TextState::Handing | TextState::Unknown => 1,
            TextState::Handed => 2,
            TextState::Sent => 3,
            TextState::Delivered | TextState::Undelivered | TextState::Failed | TextState::Kept => 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_reads_back_by_its_name() {
        for state in TextState::ALL {
            assert_eq!(TextState::named(state.name()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
    }

    #[test]
    fn a_report_that_was_overtaken_changes_nothing() {
        assert!(TextState::Handed.is_before(TextState::Sent));
        assert!(!TextState::Sent.is_before(TextState::Handed));
        assert!(!TextState::Delivered.is_before(TextState::Sent));
        assert!(!TextState::Delivered.is_before(TextState::Undelivered), "the first end stands");
        assert!(TextState::Unknown.is_before(TextState::Handed), "the provider knew it after all");
        assert!(TextState::Queued.is_before(TextState::Sent), "it was taken although it said otherwise");
    }
}
