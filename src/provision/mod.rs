//! Rank 6: settings for desk phones, as the files that they fetch. The templates are under `sip-profiles/phones`; an
//! operator's own replace them.
//!
//! A phone asks for several files under one address. Only one of them holds the password; [`Asked`] tells them apart.

mod mac;
mod template;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::Secret;
use crate::wire::codec::Codec;
pub use mac::Mac;
pub use template::{TemplateError, Templates};

/// Makers whose phones can be set up by a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Yealink T and W.
    Yealink,
    /// Poly VVX, Edge, CCX.
    Poly,
    /// Cisco with multiplatform firmware.
    CiscoMpp,
    /// Grandstream GRP and GXP.
    Grandstream,
    /// Snom D.
    Snom,
}

impl Family {
    /// Every family.
    pub const ALL: [Family; 5] = [Family::Yealink, Family::Poly, Family::CiscoMpp, Family::Grandstream, Family::Snom];

    /// The name in the API, and of the profile that its phones have.
    pub const fn name(self) -> &'static str {
        match self {
            Family::Yealink => "yealink",
            Family::Poly => "poly",
            Family::CiscoMpp => "cisco-mpp",
            Family::Grandstream => "grandstream",
            Family::Snom => "snom",
        }
    }

    /// What its settings call a codec; none for one that it does not speak.
    const fn codec_name(self, codec: Codec) -> Option<&'static str> {
        match (self, codec) {
            (Family::Yealink | Family::Snom, Codec::Pcmu) => Some("pcmu"),
            (Family::Yealink | Family::Snom, Codec::Pcma) => Some("pcma"),
            (Family::Yealink | Family::Snom, Codec::G722) => Some("g722"),
            (Family::Yealink, Codec::Opus) => Some("opus"),
            (Family::Poly, Codec::Pcmu) => Some("G711_Mu"),
            (Family::Poly, Codec::Pcma) => Some("G711_A"),
            (Family::Poly, Codec::G722) => Some("G722"),
            (Family::Poly, Codec::Opus) => Some("Opus"),
            (Family::CiscoMpp, Codec::Pcmu) => Some("G711u"),
            (Family::CiscoMpp, Codec::Pcma) => Some("G711a"),
            (Family::CiscoMpp, Codec::G722) => Some("G722"),
            (Family::CiscoMpp, Codec::Opus) => Some("OPUS"),
            (Family::Grandstream, Codec::Pcmu) => Some("0"),
            (Family::Grandstream, Codec::Pcma) => Some("8"),
            (Family::Grandstream, Codec::G722) => Some("9"),
            (Family::Grandstream, Codec::Opus) => Some("123"),
            (Family::Snom, Codec::Opus) => None,
        }
    }
}

impl FromStr for Family {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Family::ALL
            .into_iter()
            .find(|family| family.name() == text)
            .ok_or_else(|| format!("`{text}` is none of {}", Family::ALL.map(Family::name).join(", ")))
    }
}

/// Which of a phone's files is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The one with the account and its password.
    Settings,
    /// A file that names the others, without a secret.
    Master,
    /// One that we have nothing to say in: firmware, directories, model-wide settings. The phone goes on without it.
    Nothing,
}

/// Says which file of a phone a name is; none where it is of another phone.
pub fn asked(family: Family, mac: Mac, file: &str) -> Option<Asked> {
    let file = file.to_ascii_lowercase();
    let mac = mac.plain();
    let settings = match family {
        Family::Yealink => format!("{mac}.cfg"),
        Family::Poly => format!("{mac}-phone.cfg"),
        Family::CiscoMpp | Family::Snom => format!("{mac}.xml"),
        Family::Grandstream => format!("cfg{mac}.xml"),
    };
    if file == settings {
        return Some(Asked::Settings);
    }
    if family == Family::Poly && (file == format!("{mac}.cfg") || file == "000000000000.cfg") {
        return Some(Asked::Master);
    }
    // A file with another phone's address in its name is none of this one's business.
    let other =
        file.as_bytes().windows(12).any(|part| part.iter().all(u8::is_ascii_hexdigit) && part != mac.as_bytes());
    let general = file.starts_with("y0000") || file.starts_with("000000000000");
    (!other || general).then_some(Asked::Nothing)
}

/// A phone to be set up.
#[derive(Clone)]
pub struct Phone {
    /// Whose make.
    pub family: Family,
    /// Its hardware address.
    pub mac: Mac,
    /// The extension's user name.
    pub user: String,
    /// Who sits there.
    pub name: String,
    /// The extension's password.
    pub password: Secret,
    /// Where it registers: a name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// `udp`, `tcp` or `tls`.
    pub transport: crate::sip::transport::Transport,
    /// Registration time in seconds.
    pub expires: u32,
    /// Demand encrypted audio.
    pub srtp: bool,
    /// Whether our certificate is one that the phone can verify.
    pub verify: bool,
    /// Whether it may be made to answer by itself.
    pub auto_answer: bool,
    /// Codecs, the best first.
    pub codecs: Vec<Codec>,
    /// Keys that show others' state.
    pub keys: Vec<LampKey>,
}

/// A key with a lamp.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LampKey {
    /// What is written beside it.
    pub label: String,
    /// Whose state it shows: an extension's user name or a room's number.
    pub user: String,
}

impl fmt::Debug for Phone {
    /// Which phone; nothing that it is told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Phone").field("family", &self.family).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
