//! Where a URI leads, and from which address of ours.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use super::PhoneError;
use crate::sip::transport::{Target, Transport};
use crate::wire::sip::Uri;

/// Reads a URI and finds out where it leads.
pub(super) async fn resolve(text: &str, transport: Option<Transport>) -> Result<(Uri, Target), PhoneError> {
    let text = if text.contains(':') && text.starts_with("sip") { text.to_owned() } else { format!("sip:{text}") };
    let uri = Uri::parse(&text).map_err(|_| PhoneError::Usage(format!("{text} is no SIP URI: write sip:1000@host")))?;
    let named = uri.param("transport").and_then(Transport::from_name);
    let secure = if uri.is_sips() { Some(Transport::Tls) } else { None };
    let transport = transport.or(secure).or(named).unwrap_or(Transport::Udp);
    let host = uri.host().ok_or_else(|| PhoneError::Usage(format!("{text} names no host")))?;
    let port = uri.port().unwrap_or(transport.default_port());
    let remote = match host.ip() {
        Some(ip) => SocketAddr::new(ip, port),
        None => {
            let name = host.to_string();
            let mut found = tokio::net::lookup_host((name.as_str(), port))
                .await
                .map_err(|error| PhoneError::Unreachable(format!("{name}: {error}")))?;
            found.next().ok_or_else(|| PhoneError::Unreachable(format!("{name} has no address")))?
        }
    };
    Ok((uri, Target::new(transport, remote)))
}

/// Our address on the way to the far end: the kernel's choice, without a packet sent.
pub(super) fn address_towards(remote: SocketAddr) -> Result<IpAddr, PhoneError> {
    let any: SocketAddr = if remote.is_ipv6() { ([0u16; 8], 0).into() } else { ([0u8; 4], 0).into() };
    let found = UdpSocket::bind(any).and_then(|socket| socket.connect(remote).and_then(|()| socket.local_addr()));
    found.map(|address| address.ip()).map_err(|error| PhoneError::Unreachable(format!("{remote}: {error}")))
}
