//! Rank 5: the devices of a person, and how a call follows the person from one to the other.
//!
//! ```text
//! a person (an extension) ─┬─ telephones: they register by themselves
//!                          └─ browsers, apps: registered by the personal page or the API
//!
//! pull "move here", push "move there", nearness ──▶ moving ──▶ ring | ask | open ──▶ handoff
//! ```
//!
//! Pure: who is online, who carries what and how a leg is moved is the gateway's to know and do.

pub mod moving;
pub mod naming;
pub mod nearness;
pub mod refusal;

pub use moving::{Back, CallFacts, Channels, How, Moves, Order, Output, Phase, Standing, Target, check};
pub use naming::{Named, told_apart};
pub use nearness::{Activity, Nearness, Report};
pub use refusal::{Failure, Refusal};

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::base::Utc;
use crate::base::id::{DeviceId, ExtensionId};
use crate::room::Channel;
use crate::ticket::Hash;

/// Devices of one person. More: a page left open in a hundred places fills the list. Fewer: a desk, a laptop, a tablet and
/// some telephones do not fit.
pub const MOST: usize = 24;

/// How long a browser is remembered that nobody comes back with, in milliseconds: 90 days. Longer: lists of browsers that nobody
/// has. Shorter: after a long leave one's own browser is a stranger, and what was allowed of it forgotten.
pub const REMEMBERED: i64 = 90 * 24 * 3600 * 1000;

/// The longest name of a device, in characters.
pub const LONGEST_NAME: usize = 64;

/// What a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Kind {
    /// A SIP telephone that is registered for the extension.
    Telephone,
    /// A browser with the personal page open.
    Browser,
    /// A program that uses the API.
    App,
}

/// What a device can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Capability {
    /// Hears and speaks.
    Audio,
    /// Has a camera, shows pictures.
    Video,
    /// Can show its screen.
    Screen,
}

/// Whether a device takes calls that are moved to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Transfers {
    /// Never: only from the device itself can a call be taken to it.
    Never,
    /// It is asked, as a telephone is by ringing.
    #[default]
    Ask,
    /// At once, without a question.
    AtOnce,
}

/// What the person allows of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Consent {
    /// Whether calls may be moved to it.
    pub transfers: Transfers,
    /// Whether its camera may be opened by a move; else the person turns it on there.
    pub camera: bool,
}

impl Default for Consent {
    fn default() -> Self {
        Self { transfers: Transfers::Ask, camera: false }
    }
}

/// A device of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// Whose.
    pub extension: ExtensionId,
    /// What it is.
    pub kind: Kind,
    /// What the person calls it.
    pub name: String,
    /// What it can do.
    pub capabilities: BTreeSet<Capability>,
    /// What the person allows of it.
    pub consent: Consent,
    /// What is kept of the secret by which a browser is known as this device again; none for telephones.
    pub key: Option<Hash>,
    /// When it was registered.
    pub created: Utc,
    /// When a browser was last there; of others, when they were registered.
    pub seen: Utc,
}

impl Device {
    /// Whether it is a browser that nobody comes back with.
    pub fn is_forgotten(&self, now: Utc) -> bool {
        self.kind == Kind::Browser && self.seen.0.saturating_add(REMEMBERED) < now.0
    }

    /// Whether it can carry a channel.
    pub fn carries(&self, channel: Channel) -> bool {
        match channel {
            Channel::Audio => self.capabilities.contains(&Capability::Audio),
            Channel::Video => {
                self.capabilities.contains(&Capability::Video) || self.capabilities.contains(&Capability::Screen)
            }
            Channel::Data => self.kind != Kind::Telephone,
        }
    }
}

/// The id of a telephone: the same however often it registers, and after a restart. Drawn from whose it is and what names
/// it: its instance (RFC 5626 §4.1) where it says one, else its contact.
pub fn telephone_id(extension: ExtensionId, instance: &str, contact: &str) -> DeviceId {
    let named = if instance.is_empty() { contact } else { instance };
    let hash = Sha256::digest(format!("{extension} {named}").as_bytes());
    let bits = hash.iter().take(8).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    DeviceId::from_bits(bits)
}

/// What is allowed and known of a person beyond their devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Habits {
    /// Calls follow the person to the device that is nearer, by what devices report. Off until the person wants it.
    pub follow: bool,
}

/// A personal link that opens the page of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonalLink {
    /// Whose.
    pub extension: ExtensionId,
    /// What is kept of its text.
    pub hash: Hash,
    /// Until when it opens the page.
    pub expires: Utc,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_telephone_keeps_its_id_and_no_two_share_one() {
        let anna = ExtensionId::from_bits(1);
        let desk = telephone_id(anna, "urn:uuid:1", "sip:anna@192.0.2.1:5060");
        assert_eq!(desk, telephone_id(anna, "urn:uuid:1", "sip:anna@192.0.2.9:40000"), "behind another address");
        assert_ne!(desk, telephone_id(anna, "", "sip:anna@192.0.2.1:5060"));
        assert_ne!(desk, telephone_id(ExtensionId::from_bits(2), "urn:uuid:1", ""));
    }
}
