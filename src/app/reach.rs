//! Under which addresses far ends reach us: what goes into Contact, Via and SDP, and why.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::config::{self, Config};
use crate::sip::transport::{Advertised, HostPort, Transport};
use crate::webrtc::{Candidate, Wire};

/// What far ends are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// In SDP for IPv4; none where no IPv4 audio is bound.
    pub v4: Option<Ipv4Addr>,
    /// The same for IPv6.
    pub v6: Option<Ipv6Addr>,
    /// In Contact and Via.
    pub advertised: Vec<Advertised>,
    /// One line per address: which, and why.
    pub reasons: Vec<String>,
}

/// Why no address can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreachable {
    /// The advertised name has no address.
    Unresolved(String, String),
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreachable::Unresolved(name, error) => {
                write!(f, "sip.advertised: `{name}` cannot be resolved ({error}): write an address, or mend the name")
            }
        }
    }
}

impl std::error::Error for Unreachable {}

/// Whether this machine has IPv6 at all.
pub fn has_ipv6() -> bool {
    UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

/// Takes the IPv6 loopback entries out that a default configuration has, on a machine without IPv6.
pub fn leave_out_ipv6(config: &mut Config) {
    let here = IpAddr::from(Ipv6Addr::LOCALHOST);
    config.sip.listen.retain(|listen| listen.address.ip() != here);
    config.media.listen.retain(|address| *address != here);
    config.api.listen.retain(|address| address.ip() != here);
    config.web.listen.retain(|listen| listen.address.ip() != here);
}

/// Finds the addresses.
pub async fn find(config: &Config) -> Result<Reach, Unreachable> {
    let host = config.sip.advertised.trim_start_matches('[').trim_end_matches(']');
    let told: Vec<IpAddr> = match host.parse::<IpAddr>() {
        _ if host == "auto" => Vec::new(),
        Ok(address) => vec![address],
        Err(_) => match tokio::net::lookup_host((host, 5060)).await {
            Ok(found) => found.map(|address| address.ip()).collect(),
            Err(error) => return Err(Unreachable::Unresolved(host.to_owned(), error.to_string())),
        },
    };
    let mut reasons = Vec::new();
    let mut family = |ipv6: bool| -> Option<IpAddr> {
        let bound = config.media.listen.iter().copied().find(|address| address.is_ipv6() == ipv6)?;
        let (address, why) = choose(bound, told.iter().copied().find(|address| address.is_ipv6() == ipv6));
        reasons.push(format!("{address} {why}"));
        Some(address)
    };
    let v4 = family(false).and_then(|address| if let IpAddr::V4(v4) = address { Some(v4) } else { None });
    let v6 = family(true).and_then(|address| if let IpAddr::V6(v6) = address { Some(v6) } else { None });
    let name = (host != "auto" && host.parse::<IpAddr>().is_err()).then(|| host.to_owned());
    let advertised = config.sip.listen.iter().filter_map(|listen| {
        let ipv6 = listen.address.is_ipv6();
        let address = if ipv6 { v6.map(IpAddr::V6) } else { v4.map(IpAddr::V4) };
        let host = name.clone().or_else(|| address.map(|address| address.to_string()))?;
        let address = HostPort { host, port: listen.address.port() };
        Some(Advertised { transport: transport(listen.transport), ipv6, address })
    });
    let advertised = advertised.collect();
    Ok(Reach { v4, v6, advertised, reasons })
}

/// The configuration's transport as SIP's.
pub fn transport(transport: config::Transport) -> Transport {
    match transport {
        config::Transport::Udp => Transport::Udp,
        config::Transport::Tcp => Transport::Tcp,
        config::Transport::Tls => Transport::Tls,
    }
}

/// The address of one family, and why this one.
fn choose(bound: IpAddr, told: Option<IpAddr>) -> (IpAddr, &'static str) {
    match told {
        Some(told) if UdpSocket::bind((told, 0)).is_ok() => (told, "(configured; an address of this machine)"),
        Some(told) => (told, "(configured; not an address of this machine: the NAT in front must forward the ports)"),
        None if bound.is_loopback() => (bound, "(this machine only)"),
        None if !bound.is_unspecified() => (bound, "(the address that audio is bound to)"),
        None => match outward(bound.is_ipv6()) {
            Some(address) => (address, "(the address that packets to the internet leave from)"),
            None if bound.is_ipv6() => (Ipv6Addr::LOCALHOST.into(), "(no route out: this machine only)"),
            None => (Ipv4Addr::LOCALHOST.into(), "(no route out: this machine only)"),
        },
    }
}

/// The addresses under which browsers are told to find us, in the order of the configuration.
pub fn candidates(web: &config::Web) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = Vec::new();
    for told in &web.advertised {
        for listen in &web.listen {
            let wire = if listen.transport == config::Transport::Udp { Wire::Udp } else { Wire::Tcp };
            let bound = listen.address.ip();
            let ip = match told.parse::<IpAddr>() {
                Ok(told) if told.is_ipv4() == bound.is_ipv4() => told,
                Ok(_) => continue,
                Err(_) => choose(bound, None).0,
            };
            let candidate = Candidate { wire, address: SocketAddr::new(ip, listen.address.port()) };
            if !candidates.contains(&candidate) {
                candidates.push(candidate);
            }
        }
    }
    candidates
}

/// The local address of a packet to the outside. Nothing is sent: the kernel is asked for the route alone, to an address
/// kept for documentation (RFC 5737, RFC 3849).
pub(super) fn outward(ipv6: bool) -> Option<IpAddr> {
    let (any, far): (IpAddr, IpAddr) = if ipv6 {
        (Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into())
    } else {
        (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into())
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).ok()?;
    socket.connect(SocketAddr::new(far, 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|address| !address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text, []).unwrap()
    }

    #[tokio::test]
    async fn without_configuration_callers_are_told_this_machine() {
        let reach = find(&config("")).await.unwrap();
        assert_eq!((reach.v4, reach.v6), (Some(Ipv4Addr::LOCALHOST), Some(Ipv6Addr::LOCALHOST)));
        assert!(
            reach
                .advertised
                .iter()
                .any(|told| told.transport == Transport::Tcp && told.ipv6 && told.address.to_string() == "[::1]:5060")
        );
    }

    #[tokio::test]
    async fn behind_nat_callers_are_told_the_configured_address() {
        let text =
            "[sip]\nlisten = [\"udp:0.0.0.0:5070\"]\nadvertised = \"203.0.113.5\"\n[media]\nlisten = [\"0.0.0.0\"]";
        let reach = find(&config(text)).await.unwrap();
        assert_eq!((reach.v4, reach.v6), (Some(Ipv4Addr::new(203, 0, 113, 5)), None));
        assert_eq!(reach.advertised.len(), 1);
        assert_eq!(reach.advertised[0].address.to_string(), "203.0.113.5:5070");
        assert!(reach.reasons[0].contains("NAT"), "{:?}", reach.reasons);
    }

    #[tokio::test]
    async fn a_name_goes_into_contact_and_its_address_into_sdp() {
        let text =
            "[sip]\nlisten = [\"udp:0.0.0.0:5070\"]\nadvertised = \"localhost\"\n[media]\nlisten = [\"0.0.0.0\"]";
        let reach = find(&config(text)).await.unwrap();
        assert_eq!(reach.v4, Some(Ipv4Addr::LOCALHOST));
        assert_eq!(reach.advertised[0].address.to_string(), "localhost:5070");
    }

    #[test]
    fn browsers_behind_nat_are_told_the_public_address_first() {
        let text =
            "[web]\nlisten = [\"udp:127.0.0.1:8189\", \"tcp:[::1]:8190\"]\nadvertised = [\"203.0.113.5\", \"auto\"]";
        let told: Vec<String> =
            candidates(&config(text).web).iter().map(|told| format!("{:?} {}", told.wire, told.address)).collect();
        assert_eq!(told, ["Udp 203.0.113.5:8189", "Udp 127.0.0.1:8189", "Tcp [::1]:8190"]);
    }
}
