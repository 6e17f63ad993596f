//! Hosts: names and addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Problem, Text, scan};

/// Where something is: a name or an address (RFC 3261 §25.1 `host`). Names compare without regard to case.
#[derive(Clone)]
pub enum Host {
    /// A domain name.
    Name(Text),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, written in brackets.
    V6(Ipv6Addr),
}

impl Host {
    /// Reads a host: a name, an IPv4 address, or an IPv6 address in brackets.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        Self::parse_shared(text, &Text::default())
    }

    /// The address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Host::Name(_) => None,
            Host::V4(address) => Some(IpAddr::V4(*address)),
            Host::V6(address) => Some(IpAddr::V6(*address)),
        }
    }

    /// Checks a host without keeping it.
    pub(super) fn check(text: &str) -> Result<(), Problem> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or(Problem::Host)?;
            return parse_v6(inner).map(|_| ());
        }
        if text.is_empty() || text.len() > 255 || !scan::all(text, scan::HOST) { Err(Problem::Host) } else { Ok(()) }
    }

    /// Reads `text`, sharing a name with `source` when it is part of it.
    pub(super) fn parse_shared(text: &str, source: &Text) -> Result<Self, Problem> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or(Problem::Host)?;
            return parse_v6(inner).map(Host::V6);
        }
        let digit = text.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
        if digit && let Ok(address) = text.parse() {
            return Ok(Host::V4(address));
        }
        Self::check(text)?;
        Ok(Host::Name(source.share(text)))
    }

    /// Splits `host[:port]`, minding brackets; white space around the colon is allowed (RFC 3261 §25.1 `COLON`).
    pub(super) fn split_port(text: &str) -> Result<(&str, Option<u16>), Problem> {
        let after_bracket = if text.starts_with('[') { scan::find(text, b']').ok_or(Problem::Host)? } else { 0 };
        let rest = text.get(after_bracket..).unwrap_or_default();
        match scan::find(rest, b':') {
            None => Ok((text, None)),
            Some(colon) => {
                let host = scan::trim(text.get(..after_bracket + colon).unwrap_or_default());
                let port = scan::trim(rest.get(colon + 1..).unwrap_or_default());
                Ok((host, Some(scan::port(port).ok_or(Problem::Port)?)))
            }
        }
    }
}

/// Reads an IPv6 address; the third colon before an embedded IPv4 address, which the grammar of RFC 3261 asks
/// for by mistake, is passed over (RFC 5118 §4.10).
fn parse_v6(text: &str) -> Result<Ipv6Addr, Problem> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (before, v4) = text.rsplit_once(":::").ok_or(Problem::Host)?;
    v4.parse::<Ipv4Addr>().map_err(|_| Problem::Host)?;
    format!("{before}::{v4}").parse().map_err(|_| Problem::Host)
}

impl std::str::FromStr for Host {
    type Err = Problem;
    fn from_str(text: &str) -> Result<Self, Problem> {
        Self::parse(text)
    }
}

impl PartialEq for Host {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Host::Name(a), Host::Name(b)) => a.eq_ignore_ascii_case(b),
            (Host::V4(a), Host::V4(b)) => a == b,
            (Host::V6(a), Host::V6(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Host {}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Host::V4(address),
            IpAddr::V6(address) => Host::V6(address),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::V4(address) => write!(f, "{address}"),
            Host::V6(address) => write!(f, "[{address}]"),
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
