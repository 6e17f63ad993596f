//! Via: where a request has been and where its response goes.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Host, Params, Problem, Text, params, scan};

/// What carries messages (RFC 3261 §25.1 `transport`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// WebSocket (RFC 7118).
    Ws,
    /// WebSocket over TLS (RFC 7118).
    Wss,
    /// SCTP (RFC 4168).
    Sctp,
    /// Any other token, as written.
    Other(Text),
}

impl Transport {
    /// Reads a transport in any case.
    pub fn read(text: &str) -> Self {
        match text {
            _ if text.eq_ignore_ascii_case("udp") => Transport::Udp,
            _ if text.eq_ignore_ascii_case("tcp") => Transport::Tcp,
            _ if text.eq_ignore_ascii_case("tls") => Transport::Tls,
            _ if text.eq_ignore_ascii_case("ws") => Transport::Ws,
            _ if text.eq_ignore_ascii_case("wss") => Transport::Wss,
            _ if text.eq_ignore_ascii_case("sctp") => Transport::Sctp,
            _ => Transport::Other(Text::from(text)),
        }
    }

    /// As it stands in a Via, in upper case.
    pub fn as_str(&self) -> &str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            Transport::Ws => "WS",
            Transport::Wss => "WSS",
            Transport::Sctp => "SCTP",
            Transport::Other(text) => text,
        }
    }

    /// Whether it delivers or says that it did not, so that nothing is retransmitted (RFC 3261 §17).
    pub fn is_reliable(&self) -> bool {
        !matches!(self, Transport::Udp)
    }

    /// Whether it is encrypted.
    pub fn is_secure(&self) -> bool {
        matches!(self, Transport::Tls | Transport::Wss)
    }

    /// The port where none is written: 5061 where encrypted, else 5060 (RFC 3261 §19.1.2); 443 and 80 for WebSocket.
    pub fn default_port(&self) -> u16 {
        match self {
            Transport::Tls => 5061,
            Transport::Ws => 80,
            Transport::Wss => 443,
            _ => 5060,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One Via value (RFC 3261 §20.42).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    /// What carried the request.
    pub transport: Transport,
    /// The sender's own idea of its host.
    pub host: Host,
    /// And of its port.
    pub port: Option<u16>,
    /// `branch`, `received`, `rport` and the rest.
    pub params: Params,
}

/// What a conforming branch begins with (RFC 3261 §8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

impl Via {
    /// A Via with a branch.
    pub fn new(transport: Transport, host: Host, port: Option<u16>, branch: &str) -> Self {
        let mut params = Params::default();
        params.set("branch", branch);
        Self { transport, host, port, params }
    }

    /// Reads one Via value.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        Self::parse_shared(text, &Text::default())
    }

    /// Takes any version, so that a request of another version can be answered 505; [`check`] does not.
    pub(super) fn parse_shared(text: &str, source: &Text) -> Result<Self, Problem> {
        let Parts { transport, host, port, parameters, .. } = split(text)?;
        Ok(Self {
            transport: Transport::read(transport),
            host: Host::parse_shared(host, source)?,
            port,
            params: Params::checked(source.share(parameters)),
        })
    }

    /// Sets `received` (RFC 3261 §18.2.1).
    pub fn set_received(&mut self, address: IpAddr) {
        self.params.set("received", &address.to_string());
    }

    /// Fills in `rport` (RFC 3581 §4).
    pub fn set_rport(&mut self, port: u16) {
        self.params.set("rport", &port.to_string());
    }

    /// The branch, if there is one.
    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch").filter(|branch| !branch.is_empty())
    }

    /// The address that the next hop saw; brackets around IPv6 are accepted (RFC 5118 §4.5).
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params.get("received")?;
        text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text).parse().ok()
    }

    /// `rport` (RFC 3581): `None` when absent, `Some(None)` when asked for, `Some(Some(port))` when filled in.
    pub fn rport(&self) -> Option<Option<u16>> {
        self.params.get("rport").map(scan::port)
    }

    /// `maddr`, the address that responses shall go to instead (RFC 3261 §18.2.2).
    pub fn maddr(&self) -> Option<&str> {
        self.params.get("maddr").filter(|host| !host.is_empty())
    }

    /// The port written, or the transport's own.
    pub fn port_or_default(&self) -> u16 {
        self.port.unwrap_or_else(|| self.transport.default_port())
    }

    /// Where a response over UDP goes when the addresses say so by themselves: `received` or an address as
    /// sent-by, with `rport` or the port (RFC 3261 §18.2.2, RFC 3581 §4). `None` when a name must be resolved.
    pub fn response_address(&self) -> Option<SocketAddr> {
        let address = self.received().or_else(|| self.host.ip())?;
        let port = self.rport().flatten().unwrap_or_else(|| self.port_or_default());
        Some(SocketAddr::new(address, port))
    }
}

/// The parts of a Via value, checked but for the version and the host.
struct Parts<'a> {
    version: &'a str,
    transport: &'a str,
    host: &'a str,
    port: Option<u16>,
    parameters: &'a str,
}

fn split(text: &str) -> Result<Parts<'_>, Problem> {
    let (protocol, rest) = scan::split_once(text, b'/').ok_or(Problem::Via)?;
    let (version, rest) = scan::split_once(rest, b'/').ok_or(Problem::Via)?;
    if !scan::trim(protocol).eq_ignore_ascii_case("SIP") || !scan::is_token(scan::trim(version)) {
        return Err(Problem::Via);
    }
    let rest = scan::trim(rest);
    let space = rest.bytes().position(|byte| byte == b' ' || byte == b'\t').ok_or(Problem::Via)?;
    let (transport, rest) = rest.split_at_checked(space).ok_or(Problem::Via)?;
    if !scan::is_token(transport) {
        return Err(Problem::Via);
    }
    let rest = scan::trim(rest);
    let (sent_by, parameters) = scan::split_params(rest);
    params::check(parameters)?;
    let (host, port) = Host::split_port(scan::trim(sent_by))?;
    Ok(Parts { version: scan::trim(version), transport, host, port, parameters })
}

/// Checks a Via value without keeping anything.
pub(super) fn check(text: &str) -> Result<(), Problem> {
    let parts = split(text)?;
    if parts.version == "2.0" { Host::check(parts.host) } else { Err(Problem::Via) }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)
    }
}

impl FromStr for Via {
    type Err = Problem;
    fn from_str(text: &str) -> Result<Self, Problem> {
        Self::parse(text)
    }
}

impl Serialize for Via {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Via {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
