//! `a=` lines.

use std::fmt;

/// An attribute as written: `a=name` or `a=name:value`. `Debug` hides the values that hold keys.
#[derive(Clone, PartialEq, Eq)]
pub struct Attribute {
    /// What stands before the colon.
    pub name: String,
    /// What stands after it.
    pub value: Option<String>,
}

/// Which way a medium flows, seen from who wrote it (RFC 8866 §6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flow {
    /// Both ways; also what holds when nothing is said.
    #[default]
    SendRecv,
    /// The writer sends only.
    SendOnly,
    /// The writer receives only.
    RecvOnly,
    /// Neither.
    Inactive,
}

/// `a=rtpmap:101 telephone-event/8000/1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtpMap {
    /// Which payload type.
    pub payload_type: u8,
    /// Its encoding name, as written; compared without case.
    pub encoding: String,
    /// Its clock rate in hertz.
    pub clock_rate: u32,
    /// Its channels; 1 where not written.
    pub channels: u8,
}

impl Attribute {
    /// `a=name`.
    pub fn flag(name: &str) -> Self {
        Self { name: name.to_owned(), value: None }
    }

    /// `a=name:value`.
    pub fn with(name: &str, value: impl Into<String>) -> Self {
        Self { name: name.to_owned(), value: Some(value.into()) }
    }
}

impl fmt::Debug for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = matches!(self.name.as_str(), "crypto" | "key-mgmt" | "ice-pwd");
        match &self.value {
            None => f.write_str(&self.name),
            Some(_) if secret => write!(f, "{}:***", self.name),
            Some(value) => write!(f, "{}:{value}", self.name),
        }
    }
}

impl Flow {
    /// The flow an attribute name stands for.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "sendrecv" => Some(Flow::SendRecv),
            "sendonly" => Some(Flow::SendOnly),
            "recvonly" => Some(Flow::RecvOnly),
            "inactive" => Some(Flow::Inactive),
            _ => None,
        }
    }

    /// The attribute name.
    pub const fn name(self) -> &'static str {
        match self {
            Flow::SendRecv => "sendrecv",
            Flow::SendOnly => "sendonly",
            Flow::RecvOnly => "recvonly",
            Flow::Inactive => "inactive",
        }
    }
}

impl RtpMap {
    /// Reads what stands after `a=rtpmap:`.
    pub fn parse(value: &str) -> Option<Self> {
        let (payload_type, rest) = value.trim().split_once(char::is_whitespace)?;
        let mut parts = rest.trim().split('/');
        Some(Self {
            payload_type: super::payload_type(payload_type)?,
            encoding: parts.next().filter(|name| !name.is_empty())?.to_owned(),
            clock_rate: parts.next()?.trim().parse().ok().filter(|rate| *rate > 0)?,
            channels: parts.next().and_then(|channels| channels.trim().parse().ok()).unwrap_or(1),
        })
    }

    /// Whether it is this encoding, whatever the case.
    pub fn is(&self, encoding: &str, clock_rate: u32) -> bool {
        self.encoding.eq_ignore_ascii_case(encoding) && self.clock_rate == clock_rate && self.channels == 1
    }
}

/// The number in an attribute; 0, which no length of time is, reads as absent.
pub(super) fn number_in(attributes: &[Attribute], name: &str) -> Option<u32> {
    let value = attributes.iter().find(|attribute| attribute.name == name)?.value.as_deref()?;
    // Some phones write fractions (`ptime:20.0`).
    value.trim().split('.').next()?.parse().ok().filter(|number| *number > 0)
}
