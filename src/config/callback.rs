//! `[callback]`: telephones that are rung for people in meetings.

use serde::{Deserialize, Serialize};

use crate::gateway::callback::CallbackRules;

/// Telephones that are rung for people in meetings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Callback {
    /// Whether anybody is called back.
    pub allowed: bool,
    /// Whether callers may ask for it by key.
    pub by_key: bool,
    /// Whether a carrier is tried where call managers are of no use.
    pub pstn_fallback: bool,
    /// Whether calls by carriers that a page asks for need a host in the meeting.
    pub needs_host: bool,
}

impl Default for Callback {
    fn default() -> Self {
        let CallbackRules { allowed, by_key, pstn_fallback, needs_host } = CallbackRules::default();
        Self { allowed, by_key, pstn_fallback, needs_host }
    }
}

impl Callback {
    /// What the gateway is given.
    pub(super) const fn gateway(&self) -> CallbackRules {
        let Self { allowed, by_key, pstn_fallback, needs_host } = *self;
        CallbackRules { allowed, by_key, pstn_fallback, needs_host }
    }
}
