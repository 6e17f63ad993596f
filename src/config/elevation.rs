//! `[elevation]`: telephone calls that become meetings.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::Findings;
use super::{Config, Period, SmsProvider};
use crate::base::elevating::{ElevationRules, PinRule};
use crate::gateway::elevate::Elevating;

/// Telephone calls that become meetings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Elevation {
    /// Whether video may be added to calls; rooms and extensions may say otherwise.
    pub allowed: bool,
    /// Whether callers may ask for it by key.
    pub by_key: bool,
    /// Whether hosts may ask for callers.
    pub by_host: bool,
    /// Whether every caller gets a link on arrival.
    pub on_arrival: bool,
    /// What links begin with, a short domain of one's own; empty: `api.public_url`, else where the API listens.
    pub link_base: String,
    /// How long a link is good.
    pub link_lasts: Period,
    /// Digits that are wanted besides the link.
    pub pin: PinRule,
    /// Whether browsers are notified instead of a text, where their owners want it.
    pub push: bool,
    /// Whom push services may write to: `mailto:` or `https:`; empty: where links lead.
    pub push_contact: String,
}

impl Elevation {
    /// Whom push services may write to; empty where nobody is known.
    pub fn contact(&self, public_url: &str) -> String {
        let told = [self.push_contact.as_str(), self.link_base.as_str(), public_url];
        let fine = |told: &&str| told.starts_with("mailto:") || told.starts_with("https://");
        told.into_iter().find(fine).unwrap_or_default().to_owned()
    }
}

impl Default for Elevation {
    fn default() -> Self {
        Self {
            allowed: true,
            by_key: true,
            by_host: true,
            on_arrival: false,
            link_base: String::new(),
            link_lasts: Period(Duration::from_secs(600)),
            pin: PinRule::Never,
            push: true,
            push_contact: String::new(),
        }
    }
}

/// Longest beginning of a link: more leaves no room for words beside it.
const LONGEST: usize = 60;

/// What the gateway is given.
pub(super) fn gateway(config: &Config) -> Elevating {
    let of = &config.elevation;
    let base = match (&*of.link_base, &*config.api.public_url, config.api.listen.first(), config.api.tls_listen.first())
    {
        ("", "", Some(address), _) => format!("http://{address}"),
        ("", "", None, Some(address)) => format!("https://{address}"),
        ("", "", None, None) => String::new(),
        ("", public, ..) => public.to_owned(),
        (own, ..) => own.to_owned(),
    };
    Elevating {
        link_base: base,
        rules: ElevationRules {
            allowed: Some(of.allowed),
            by_key: Some(of.by_key),
            by_host: Some(of.by_host),
            on_arrival: Some(of.on_arrival),
            pin: Some(of.pin),
        },
        lasts: of.link_lasts.0,
        look_up: config.sms.lookup,
        // The key is made at the start.
        push: None,
    }
}

pub(super) fn check(config: &Config, found: &mut Findings) {
    let of = &config.elevation;
    let base = &of.link_base;
    let address = base.strip_prefix("https://").or_else(|| base.strip_prefix("http://"));
    if !base.is_empty() && address.is_none_or(|address| address.is_empty() || address.contains(['?', '#', ' '])) {
        found.fatal("elevation.link_base", format!("`{base}` is no address: write such as https://v.example.org"));
    }
    if base.is_empty() && config.api.public_url.is_empty() && config.sms.provider != SmsProvider::Outbox {
        let text = "is empty, and so is api.public_url: links in texts lead to this machine's own address, which telephones \
                    elsewhere do not reach; write such as https://v.example.org";
        found.warn("elevation.link_base", text);
    }
    if base.len() > LONGEST {
        found.fatal("elevation.link_base", format!("is longer than {LONGEST} characters: a link must fit into a text"));
    }
    let contact = &of.push_contact;
    if !contact.is_empty() && !contact.starts_with("mailto:") && !contact.starts_with("https://") {
        found.fatal(
            "elevation.push_contact",
            format!("`{contact}` is no address: write such as mailto:ops@example.org"),
        );
    }
    if !(60..=86_400).contains(&of.link_lasts.0.as_secs()) {
        found.fatal("elevation.link_lasts", "must be 1m to 1d: a text takes its time, and links are lost");
    }
}
