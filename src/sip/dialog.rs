//! A dialog as plain data (RFC 3261 §12): another node can take it over.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::sip::compose::Parts;
use crate::sip::transport::{Target, Transport, is_local_address};
use crate::wire::sip::{NameAddr, Text, Uri};

/// Max-Forwards of requests that begin with us (§8.1.1.6). Less: long paths end early. More: a circle turns longer.
pub const MAX_FORWARDS: u8 = 70;

/// The state that two user agents share between INVITE and BYE.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dialog {
    /// The Call-ID header.
    pub call_id: Text,
    /// Our tag.
    pub local_tag: Text,
    /// Theirs; empty for an RFC 2543 peer that has none (§12.1.1) and before their first answer.
    pub remote_tag: Text,
    /// From of our requests, tag included.
    pub local: NameAddr,
    /// To of our requests, their tag included.
    pub remote: NameAddr,
    /// The CSeq of our latest request.
    pub local_seq: u32,
    /// The CSeq of their latest request, none before the first.
    pub remote_seq: Option<u32>,
    /// Their Contact: the Request-URI of our requests.
    pub remote_target: Uri,
    /// The Route headers of our requests, first hop first.
    pub route_set: Vec<NameAddr>,
    /// Whether only sips will do (§12.1.1).
    pub secure: bool,
    /// Whether we sent the INVITE that made it, and so own the Call-ID.
    pub outbound: bool,
    /// Where their latest message came from, or our INVITE went: what a name in their Contact resolves to.
    pub hop: Target,
}

/// What a request's CSeq says about its place in the dialog (§12.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Higher than any before; a gap is no fault.
    Next,
    /// Not higher: an old request that came late, to be refused with 500.
    Stale,
}

/// Where a request of ours goes, and by which headers (§12.2.1.1).
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// The Request-URI.
    pub uri: Uri,
    /// The Route headers.
    pub routes: Vec<NameAddr>,
    /// The URI that names the next hop.
    pub next_hop: Uri,
}

impl Dialog {
    /// Notes a request's CSeq, if it is the next.
    pub fn take_in_order(&mut self, seq: u32) -> Order {
        match self.remote_seq {
            Some(last) if seq <= last => Order::Stale,
            Some(_) | None => {
                self.remote_seq = Some(seq);
                Order::Next
            }
        }
    }

    /// The CSeq of our next request.
    pub fn next_seq(&mut self) -> u32 {
        // Below 2³¹ (§8.1.1.5); a dialog never sends that many.
        self.local_seq = self.local_seq.saturating_add(1).min((1 << 31) - 1);
        self.local_seq
    }

    /// Request-URI and routes of our next request: loose routing, and strict routing for an old first hop (§12.2.1.1).
    pub fn path(&self) -> Path {
        match self.route_set.first() {
            None => Path { uri: self.remote_target.clone(), routes: Vec::new(), next_hop: self.remote_target.clone() },
            Some(first) if first.uri.is_loose() => {
                Path { uri: self.remote_target.clone(), routes: self.route_set.clone(), next_hop: first.uri.clone() }
            }
            Some(first) => {
                let mut routes: Vec<NameAddr> = self.route_set.iter().skip(1).cloned().collect();
                routes.push(NameAddr::new(self.remote_target.clone()));
                Path { uri: first.uri.without_headers().without_param("method"), routes, next_hop: first.uri.clone() }
            }
        }
    }

    /// The parts of a request of ours with the CSeq counted last; Via, Contact and the rest are the caller's to add.
    pub fn parts<'a>(&'a self, method: &'a str, path: &'a Path) -> Parts<'a> {
        Parts {
            method,
            uri: &path.uri,
            via: "",
            max_forwards: MAX_FORWARDS,
            routes: &path.routes,
            from: &self.local,
            to: &self.remote,
            call_id: &self.call_id,
            seq: self.local_seq,
            contact: "",
            user_agent: "",
            headers: &[],
            body: None,
        }
    }

    /// The address of a next hop. A name stands for where the far end's messages come from; so does an address of a
    /// private network that the far end's messages did not come from; an open connection is used again (§18.1.1).
    pub fn target(&self, next_hop: &Uri) -> Target {
        target(next_hop, self.hop, self.secure)
    }
}

/// The target that a URI names, given where messages of its owner come from.
pub fn target(uri: &Uri, hop: Target, secure: bool) -> Target {
    let named = uri.param("transport").and_then(Transport::from_name);
    let transport = match named {
        Some(Transport::Tcp) if uri.is_sips() || secure => Transport::Tls,
        Some(transport) => transport,
        None if (uri.is_sips() || secure) && hop.transport == Transport::Udp => Transport::Tls,
        None if uri.is_sips() && hop.transport == Transport::Tcp => Transport::Tls,
        None => hop.transport,
    };
    let from = hop.remote.ip();
    if hop.relay().is_some() {
        // What is named there is in the relay's network, and the relay speaks one transport.
        let named = uri
            .host()
            .and_then(|host| host.ip())
            .filter(|ip| *ip == from || !(ip.is_loopback() || ip.is_unspecified()));
        let port = uri.port().unwrap_or(hop.transport.default_port());
        return named.map_or(hop, |ip| Target { remote: SocketAddr::new(ip, port), ..hop });
    }
    let literal = uri.host().and_then(|host| host.ip()).filter(|ip| {
        let reachable = !is_local_address(*ip) || is_local_address(from) || from.is_loopback();
        *ip == from || (reachable && !ip.is_loopback() && !ip.is_unspecified())
    });
    if transport == hop.transport && transport.is_reliable() && hop.flow.is_some() {
        if literal.is_none_or(|ip| ip == from) {
            return hop;
        }
    } else if transport == hop.transport && literal.is_none() {
        return match uri.port() {
            // A connection's far port is not where it listens; a datagram's is.
            Some(port) if transport.is_reliable() => Target::new(transport, SocketAddr::new(from, port)),
            None if transport.is_reliable() => Target::new(transport, SocketAddr::new(from, transport.default_port())),
            Some(_) | None => hop,
        };
    }
    let ip = literal.unwrap_or(from);
    let local = if transport == hop.transport && !transport.is_reliable() { hop.local } else { None };
    let remote = SocketAddr::new(ip, uri.port().unwrap_or(transport.default_port()));
    Target { transport, remote, flow: None, local }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::transport::FlowId;

    fn dialog(routes: &[&str]) -> Dialog {
        Dialog {
            call_id: Text::from("a"),
            local_tag: Text::from("l"),
            remote_tag: Text::from("r"),
            local: NameAddr::parse("<sip:us@example.org>;tag=l").unwrap(),
            remote: NameAddr::parse("<sip:them@example.net>;tag=r").unwrap(),
            local_seq: 1,
            remote_seq: Some(7),
            remote_target: Uri::parse("sip:them@192.0.2.9:5070").unwrap(),
            route_set: routes.iter().map(|r| NameAddr::parse(r).unwrap()).collect(),
            secure: false,
            outbound: false,
            hop: Target::new(Transport::Udp, "192.0.2.1:5060".parse().unwrap()),
        }
    }

    #[test]
    fn a_gap_in_cseq_is_no_fault_and_an_old_one_is() {
        let mut dialog = dialog(&[]);
        assert_eq!(dialog.take_in_order(7), Order::Stale);
        assert_eq!(dialog.take_in_order(100), Order::Next);
        assert_eq!(dialog.take_in_order(8), Order::Stale);
    }

    #[test]
    fn a_loose_route_keeps_the_target_and_a_strict_one_takes_its_place() {
        let loose = dialog(&["<sip:p1.example.org;lr>", "<sip:p2.example.org;lr>"]).path();
        assert_eq!(loose.uri.as_str(), "sip:them@192.0.2.9:5070");
        assert_eq!(loose.routes.len(), 2);
        assert_eq!(loose.next_hop.as_str(), "sip:p1.example.org;lr");
        let strict = dialog(&["<sip:p1.example.org>", "<sip:p2.example.org;lr>"]).path();
        assert_eq!(strict.uri.as_str(), "sip:p1.example.org");
        let routes: Vec<String> = strict.routes.iter().map(|r| r.to_string()).collect();
        assert_eq!(routes, ["<sip:p2.example.org;lr>", "<sip:them@192.0.2.9:5070>"]);
    }

    #[test]
    fn a_dialog_survives_being_written_and_read() {
        let before = dialog(&["<sip:p1.example.org;lr>"]);
        let text = serde_json::to_string(&before).unwrap();
        assert_eq!(serde_json::from_str::<Dialog>(&text).unwrap(), before);
    }

    #[test]
    fn the_next_hop_is_where_messages_come_from_when_the_contact_is_of_no_use() {
        let public = Target::new(Transport::Udp, "203.0.113.5:40000".parse().unwrap());
        let at = |uri: &str, hop| target(&Uri::parse(uri).unwrap(), hop, false);
        assert_eq!(at("sip:a@192.168.1.5:5060", public).remote, public.remote, "behind NAT");
        assert_eq!(at("sip:a@phone.example.org", public).remote, public.remote, "a name");
        assert_eq!(at("sip:a@198.51.100.7:5080", public).remote, "198.51.100.7:5080".parse::<SocketAddr>().unwrap());
        assert_eq!(at("sip:a@198.51.100.7;transport=tcp", public).transport, Transport::Tcp);
        let flow =
            Target { flow: Some(FlowId(4)), ..Target::new(Transport::Tcp, "203.0.113.5:40000".parse().unwrap()) };
        assert_eq!(at("sip:a@203.0.113.5:5060;transport=tcp", flow), flow, "the connection is open");
        let closed = Target { flow: None, ..flow };
        assert_eq!(
            at("sip:a@203.0.113.5:5062;transport=tcp", closed).remote,
            "203.0.113.5:5062".parse::<SocketAddr>().unwrap()
        );
    }
}
