//! `[callback]`: telephones that are rung for people in meetings.

use serde::{Deserialize, Serialize};

use super::check::Findings;
use super::{Config, Period};
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
    /// Callers of one trunk or address that may ask for it at once while they are asked for a PIN.
    pub key_burst: u32,
    /// One more after this long.
    pub key_refill: Period,
}

impl Default for Callback {
    fn default() -> Self {
        let CallbackRules { allowed, by_key, pstn_fallback, needs_host, key_burst, key_refill } =
            CallbackRules::default();
        Self { allowed, by_key, pstn_fallback, needs_host, key_burst, key_refill: Period(key_refill) }
    }
}

impl Callback {
    /// What the gateway is given.
    pub(super) const fn gateway(&self) -> CallbackRules {
        let Self { allowed, by_key, pstn_fallback, needs_host, key_burst, key_refill: Period(key_refill) } = *self;
        CallbackRules { allowed, by_key, pstn_fallback, needs_host, key_burst, key_refill }
    }
}

pub(super) fn check(config: &Config, found: &mut Findings) {
    let of = &config.callback;
    if !(1..=1000).contains(&of.key_burst) {
        found.fatal("callback.key_burst", "must be 1 to 1000; to have callers never called back, write by_key = false");
    }
    if !(1..=86_400).contains(&of.key_refill.0.as_secs()) {
        found.fatal("callback.key_refill", "must be 1s to 1d");
    }
}
