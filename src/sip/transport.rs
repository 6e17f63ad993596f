//! Where messages come from and go to: transports, connections, and the addresses under which we are reached.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::base::id::RelayId;

/// How SIP messages travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream with TLS.
    Tls,
}

impl Transport {
    /// Whether the transport itself repeats what is lost.
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Transport::Udp)
    }

    /// As in a Via header's sent-protocol.
    pub const fn via_name(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
        }
    }

    /// As in a URI's `transport` parameter.
    pub const fn uri_name(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
        }
    }

    /// The transport of this name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        [Transport::Udp, Transport::Tcp, Transport::Tls].into_iter().find(|t| name.eq_ignore_ascii_case(t.uri_name()))
    }

    /// The port where none is written: 5060, or 5061 for TLS (RFC 3261 §18.2.2).
    pub const fn default_port(self) -> u16 {
        match self {
            Transport::Udp | Transport::Tcp => 5060,
            Transport::Tls => 5061,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.uri_name())
    }
}

/// A TCP or TLS connection, named by the engine and never used twice; or a relay, whose name stays the same however often
/// its tunnel is made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FlowId(pub u64);

/// Set in relays' ids and in no connection's.
const OF_RELAY: u64 = 1 << 63;

impl FlowId {
    /// The way through a relay. Messages leave from its socket in its network, whatever connection it has to us.
    pub const fn of_relay(relay: RelayId) -> Self {
        Self(relay.bits() | OF_RELAY)
    }

    /// The relay that it is; none for a connection.
    pub const fn relay(self) -> Option<RelayId> {
        if self.0 & OF_RELAY == 0 { None } else { Some(RelayId::from_bits(self.0)) }
    }
}

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// By which transport.
    pub transport: Transport,
    /// To which socket of ours.
    pub local: SocketAddr,
    /// From where.
    pub remote: SocketAddr,
    /// Over which connection, or through which relay; none for UDP of our own.
    pub flow: Option<FlowId>,
}

impl Source {
    /// The relay in whose network it came; none: in ours.
    pub fn relay(&self) -> Option<RelayId> {
        self.flow.and_then(FlowId::relay)
    }
}

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// By which transport.
    pub transport: Transport,
    /// To where.
    pub remote: SocketAddr,
    /// Over which connection. None for TCP and TLS: an open one to `remote` or a new one.
    pub flow: Option<FlowId>,
    /// From which socket of ours, where it matters: an answer leaves from where its request came in.
    pub local: Option<SocketAddr>,
}

impl Target {
    /// A target by address alone.
    pub const fn new(transport: Transport, remote: SocketAddr) -> Self {
        Self { transport, remote, flow: None, local: None }
    }

    /// Whether what was sent to it may have gone by this connection: by name, or by a choice that was left to the engine.
    pub fn may_have_used(&self, flow: FlowId) -> bool {
        self.transport.is_reliable() && self.flow.is_none_or(|named| named == flow)
    }

    /// The relay in whose network it is; none: in ours.
    pub fn relay(&self) -> Option<RelayId> {
        self.flow.and_then(FlowId::relay)
    }

    /// The same place, told by its address alone: without a connection, but in its relay's network.
    pub fn by_address(&self) -> Self {
        Self { flow: self.flow.filter(|flow| flow.relay().is_some()), ..Self::new(self.transport, self.remote) }
    }

    /// Back to where a message came from.
    pub const fn back_to(source: &Source) -> Self {
        Self { transport: source.transport, remote: source.remote, flow: source.flow, local: Some(source.local) }
    }
}

/// A host and port under which we are reached: sent-by of Via, and Contact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HostPort {
    /// A name or an address; an IPv6 address without brackets.
    pub host: String,
    /// The port, always written.
    pub port: u16,
}

impl fmt::Display for HostPort {
    /// As in a URI: IPv6 in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl From<SocketAddr> for HostPort {
    fn from(address: SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port() }
    }
}

/// Under which address one transport of one family is reached from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advertised {
    /// The transport.
    pub transport: Transport,
    /// For IPv6 peers rather than IPv4 ones.
    pub ipv6: bool,
    /// What the peers of this family are told.
    pub address: HostPort,
}

/// The address that peers of `remote`'s family are told for `transport`; another family's if there is none.
pub fn advertised_for(all: &[Advertised], transport: Transport, remote: IpAddr) -> Option<&HostPort> {
    all.iter()
        .find(|a| a.transport == transport && a.ipv6 == remote.is_ipv6())
        .or_else(|| all.iter().find(|a| a.transport == transport))
        .map(|a| &a.address)
}

/// Whether an address is of no use outside its own network, so that where a message really came from is the better
/// guess: private, link-local, unspecified or shared (RFC 6598) space.
pub fn is_local_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private() || v4.is_link_local() || v4.is_unspecified() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(v6) => {
            let first = v6.segments().first().copied().unwrap_or(0);
            v6.is_unspecified() || first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_host_is_written_in_brackets() {
        let address: SocketAddr = "[2001:db8::1]:5060".parse().unwrap();
        assert_eq!(HostPort::from(address).to_string(), "[2001:db8::1]:5060");
        assert_eq!(HostPort { host: "sip.example.org".into(), port: 5061 }.to_string(), "sip.example.org:5061");
    }

    #[test]
    fn a_relay_keeps_its_name_as_a_way_and_no_connection_is_taken_for_one() {
        let relay = RelayId::from_bits(OF_RELAY | 7);
        assert_eq!(FlowId::of_relay(relay).relay(), Some(relay));
        assert_eq!(FlowId(7).relay(), None);
        let target = Target {
            flow: Some(FlowId::of_relay(relay)),
            ..Target::new(Transport::Udp, "10.0.0.5:5060".parse().unwrap())
        };
        assert_eq!(target.by_address(), target);
        assert_eq!(Target { flow: Some(FlowId(7)), ..target }.by_address(), Target { flow: None, ..target });
    }

    #[test]
    fn a_private_address_is_known_for_what_it_is() {
        for text in ["192.168.1.4", "10.0.0.1", "100.64.3.2", "fe80::1", "fd00::1", "0.0.0.0"] {
            assert!(is_local_address(text.parse().unwrap()), "{text}");
        }
        for text in ["8.8.8.8", "100.128.0.1", "2001:db8::1"] {
            assert!(!is_local_address(text.parse().unwrap()), "{text}");
        }
    }
}
