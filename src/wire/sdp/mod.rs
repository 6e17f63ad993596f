//! Session descriptions (RFC 8866): text to values and back, total and panic-free.
//!
//! ```text
//! v=0                                   version            }
//! o=- 42 1 IN IP4 192.0.2.1             origin             } session
//! s=-                                   name               }
//! c=IN IP4 192.0.2.1                    connection, for all media without their own
//! t=0 0                                 time
//! a=sendrecv                            attributes, for all media without their own
//! m=audio 40000 RTP/AVP 8 101           a medium: kind, port, protocol, formats
//! a=rtpmap:101 telephone-event/8000     its attributes
//! ```
//!
//! Tolerant where carriers are sloppy (line ends, missing `s=` or `t=`, unknown lines, spaces at line ends), strict where
//! a guess could send audio to the wrong place (addresses, ports).

mod attribute;
mod crypto;
mod fingerprint;
mod read;
mod write;

use std::net::IpAddr;

pub use attribute::{Attribute, Flow, RtpMap};
pub use crypto::{Crypto, MasterKey, Suite};
pub use fingerprint::{Fingerprint, Hash, Setup};

/// Longest description that is read, in bytes. More: time for senders who mean harm. Less: browsers' offers are refused.
pub const MAX_LENGTH: usize = 64 * 1024;

/// Most lines of one description.
pub const MAX_LINES: usize = 2000;

/// Most media of one description. More: work for senders who mean harm, for an answer mirrors each. Less: browsers'
/// offers are refused.
pub const MAX_MEDIA: usize = 64;

/// Most formats of one medium: there are 128 payload types. More: work for senders who mean harm, for each is looked
/// up among the attributes.
pub const MAX_FORMATS: usize = 128;

/// A session description. `Debug` shows of the `other` lines only the letters: `p=` is a telephone number.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionDescription {
    /// `o=`: who made it, and which version it is.
    pub origin: Origin,
    /// `s=`: its name, `-` where there is none.
    pub name: String,
    /// `c=` for all media without their own.
    pub connection: Option<Connection>,
    /// `b=` lines, as written.
    pub bandwidth: Vec<String>,
    /// `t=`, as written.
    pub time: String,
    /// Session-level `i`, `u`, `e`, `p`, `r`, `z`, `k` lines, as written with their letter.
    pub other: Vec<(char, String)>,
    /// Session-level attributes in order.
    pub attributes: Vec<Attribute>,
    /// Media in order; an answer keeps the order and the number (RFC 3264 §6).
    pub media: Vec<Media>,
}

/// `o=`: username, id, version, address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `-` where there is none.
    pub username: String,
    /// Digits; kept as text, for some senders write more than 64 bits.
    pub session_id: String,
    /// Digits; grows with every change.
    pub version: String,
    /// Where it was made, as written after `IN`.
    pub address: Connection,
}

/// Where media are received: `IN IP4 192.0.2.1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// An address.
    Ip(IpAddr),
    /// A name (RFC 8866 §5.7), `IP6` where true.
    Name(String, bool),
}

impl Connection {
    /// The address, where it is one.
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Connection::Ip(ip) => Some(*ip),
            Connection::Name(..) => None,
        }
    }

    /// Whether it is `0.0.0.0` or `::`: media are not to be sent (RFC 2543's hold, RFC 3264 §8.4).
    pub fn is_unspecified(&self) -> bool {
        self.ip().is_some_and(|ip| ip.is_unspecified())
    }
}

/// One `m=` section. `Debug` shows of the `other` lines only the letters: `k=` is a key.
#[derive(Clone, PartialEq, Eq)]
pub struct Media {
    /// `audio`, `video`, `application`, `image`, ...
    pub kind: String,
    /// The port; 0 refuses or ends the medium.
    pub port: u16,
    /// How many ports, where written (`m=audio 4000/2`).
    pub port_count: Option<u16>,
    /// `RTP/AVP`, `RTP/SAVP`, `udptl`, ...
    pub protocol: String,
    /// Payload types, or whatever the protocol names.
    pub formats: Vec<String>,
    /// `c=` of its own.
    pub connection: Option<Connection>,
    /// `b=` lines, as written.
    pub bandwidth: Vec<String>,
    /// `i=` and `k=` lines, as written with their letter.
    pub other: Vec<(char, String)>,
    /// Attributes in order.
    pub attributes: Vec<Attribute>,
}

/// Why a description cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SdpError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

impl std::fmt::Display for SdpError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for SdpError {}

impl SessionDescription {
    /// Reads a description.
    pub fn parse(bytes: &[u8]) -> Result<Self, SdpError> {
        read::description(bytes)
    }

    /// Whose direction holds for a medium: its own, else the session's, else `sendrecv` (RFC 8866 §6.7).
    pub fn flow(&self, media: &Media) -> Flow {
        media.flow().or_else(|| flow_in(&self.attributes)).unwrap_or_default()
    }

    /// Where a medium is received: its own address, else the session's.
    pub fn connection_of<'a>(&'a self, media: &'a Media) -> Option<&'a Connection> {
        media.connection.as_ref().or(self.connection.as_ref())
    }

    /// `a=ptime` of a medium, else of the session, in milliseconds.
    pub fn ptime(&self, media: &Media) -> Option<u32> {
        media.ptime().or_else(|| attribute::number_in(&self.attributes, "ptime"))
    }

    /// The fingerprints of a medium, else of the session (RFC 8122 §5); those of hashes that are not believed are left out.
    pub fn fingerprints(&self, media: &Media) -> Vec<Fingerprint> {
        let of = |attributes: &[Attribute]| -> Vec<Fingerprint> {
            values_in(attributes, "fingerprint").filter_map(Fingerprint::parse).collect()
        };
        if media.has("fingerprint") { of(&media.attributes) } else { of(&self.attributes) }
    }

    /// `a=setup` of a medium, else of the session.
    pub fn setup(&self, media: &Media) -> Option<Setup> {
        let of = |attributes: &[Attribute]| values_in(attributes, "setup").find_map(Setup::parse);
        of(&media.attributes).or_else(|| of(&self.attributes))
    }

    /// `a=maxptime` of a medium, else of the session, in milliseconds.
    pub fn maxptime(&self, media: &Media) -> Option<u32> {
        attribute::number_in(&media.attributes, "maxptime")
            .or_else(|| attribute::number_in(&self.attributes, "maxptime"))
    }
}

impl Media {
    /// Its own direction, where it states one.
    pub fn flow(&self) -> Option<Flow> {
        flow_in(&self.attributes)
    }

    /// Its own `a=ptime` in milliseconds.
    pub fn ptime(&self) -> Option<u32> {
        attribute::number_in(&self.attributes, "ptime")
    }

    /// What a payload type stands for by `a=rtpmap`.
    pub fn rtpmap(&self, payload_type: u8) -> Option<RtpMap> {
        let about_it =
            |value: &&str| value.split_whitespace().next().and_then(self::payload_type) == Some(payload_type);
        self.values("rtpmap").filter(about_it).find_map(RtpMap::parse)
    }

    /// The parameters of a format by `a=fmtp`.
    pub fn fmtp(&self, payload_type: u8) -> Option<&str> {
        self.values("fmtp").find_map(|value| {
            let (format, parameters) = value.split_once(char::is_whitespace)?;
            (self::payload_type(format) == Some(payload_type)).then(|| parameters.trim())
        })
    }

    /// The payload types in the order of preference; what is no number from 0 to 127 is left out.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> {
        self.formats.iter().filter_map(|format| payload_type(format))
    }

    /// `a=rtcp` (RFC 3605): the port, and the address where it is another.
    pub fn rtcp(&self) -> Option<(u16, Option<Connection>)> {
        self.values("rtcp").find_map(|value| {
            let (port, address) = match value.split_once(char::is_whitespace) {
                Some((port, address)) => (port, Some(address)),
                None => (value, None),
            };
            let address = match address {
                Some(text) => Some(read::connection(text)?),
                None => None,
            };
            Some((read::digits(port)?, address))
        })
    }

    /// Whether an attribute stands there, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.attributes.iter().any(|attribute| attribute.name == name)
    }

    /// The values of an attribute.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        values_in(&self.attributes, name)
    }

    /// The `a=crypto` lines that can be used here, in their order.
    pub fn cryptos(&self) -> impl Iterator<Item = Crypto> {
        self.values("crypto").filter_map(Crypto::parse)
    }
}

/// Digits that are a payload type.
fn payload_type(text: &str) -> Option<u8> {
    read::digits(text).and_then(|number| u8::try_from(number).ok()).filter(|number| *number < 128)
}

impl std::fmt::Debug for SessionDescription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let letters: String = self.other.iter().map(|(letter, _)| *letter).collect();
        f.debug_struct("SessionDescription")
            .field("origin", &self.origin)
            .field("name", &self.name)
            .field("connection", &self.connection)
            .field("bandwidth", &self.bandwidth)
            .field("time", &self.time)
            .field("other", &letters)
            .field("attributes", &self.attributes)
            .field("media", &self.media)
            .finish()
    }
}

impl std::fmt::Debug for Media {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let letters: String = self.other.iter().map(|(letter, _)| *letter).collect();
        f.debug_struct("Media")
            .field("kind", &self.kind)
            .field("port", &self.port)
            .field("port_count", &self.port_count)
            .field("protocol", &self.protocol)
            .field("formats", &self.formats)
            .field("connection", &self.connection)
            .field("bandwidth", &self.bandwidth)
            .field("other", &letters)
            .field("attributes", &self.attributes)
            .finish()
    }
}

fn values_in<'a>(attributes: &'a [Attribute], name: &'a str) -> impl Iterator<Item = &'a str> {
    attributes.iter().filter(move |attribute| attribute.name == name).filter_map(|a| a.value.as_deref())
}

fn flow_in(attributes: &[Attribute]) -> Option<Flow> {
    attributes.iter().find_map(|attribute| Flow::parse(&attribute.name))
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
