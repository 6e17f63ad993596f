//! The way from a URI to addresses (RFC 3263 §4), worked out from what is known.

use std::net::{IpAddr, SocketAddr};

use super::{Kind, Naptr, Question, Records, Srv, Wish};
use crate::base::Rng;
use crate::sip::transport::{Target, Transport};
use crate::wire::sip::{Host, Uri};

/// Targets of one search. More are not tried within a call's patience.
const MOST_TARGETS: usize = 16;
/// Servers of one service that are looked at.
const MOST_SERVERS: usize = 16;

/// How far a search is.
pub(super) enum Found {
    /// It is done.
    Targets(Vec<Target>),
    /// Something is still to be asked.
    NotYet,
}

/// Says what is known of a question: none while it is to be asked, `Some(None)` where there is nothing.
type Ask<'a> = dyn FnMut(Question) -> Option<Option<Records>> + 'a;

/// Works out where a URI is reached.
pub(super) fn work_out(uri: &Uri, wish: &Wish, ask: &mut Ask<'_>, rng: &mut Rng) -> Found {
    let Some(host) = host_of(uri) else { return Found::Targets(Vec::new()) };
    let transports = allowed(uri, wish);
    let Some(first) = transports.first().copied() else { return Found::Targets(Vec::new()) };
    let named = named_transport(uri);
    if let Some(ip) = host.ip() {
        let transport = named.unwrap_or(first);
        let port = uri.port().unwrap_or(transport.default_port());
        return Found::Targets(vec![Target::new(transport, SocketAddr::new(ip, port))]);
    }
    let name = host.to_string();
    // §4.2: a port says that there is no service to look for.
    if let Some(port) = uri.port() {
        return addresses(&name, named.unwrap_or(first), port, wish, ask);
    }
    let services = match named {
        // §4.1: the transport is given.
        Some(transport) if wish.srv => vec![service(&name, transport)],
        Some(_) => Vec::new(),
        None => match services_of(&name, uri.is_sips(), &transports, wish, ask) {
            Some(services) => services,
            None => return Found::NotYet,
        },
    };
    let mut servers: Vec<(Transport, Vec<Srv>)> = Vec::new();
    let mut missing = false;
    for (transport, question) in services {
        match ask(question) {
            None => missing = true,
            Some(Some(Records::Services(records))) => servers.push((transport, records)),
            Some(_) => {}
        }
    }
    if missing {
        return Found::NotYet;
    }
    if servers.is_empty() {
        // §4.2: no service; the name itself, at the usual port.
        let transport = named.unwrap_or(first);
        return addresses(&name, transport, transport.default_port(), wish, ask);
    }
    reach_servers(servers, wish, ask, rng)
}

/// The services to ask for when no transport is given: as NAPTR names them, else each transport that we may use (§4.1).
fn services_of(
    name: &str,
    sips: bool,
    transports: &[Transport],
    wish: &Wish,
    ask: &mut Ask<'_>,
) -> Option<Vec<(Transport, Question)>> {
    if !wish.srv {
        return Some(Vec::new());
    }
    let mut pointers = match wish.naptr.then(|| ask(Question::new(name, Kind::Naptr))) {
        Some(None) => return None,
        Some(Some(Some(Records::Pointers(pointers)))) => pointers,
        Some(Some(_)) | None => Vec::new(),
    };
    pointers.sort();
    let pointed: Vec<(Transport, Question)> = pointers
        .iter()
        .filter_map(|pointer| {
            let transport = transport_of(pointer).filter(|transport| transports.contains(transport))?;
            Some((transport, Question::new(&pointer.replacement, Kind::Srv)))
        })
        .collect();
    if !pointed.is_empty() {
        return Some(pointed);
    }
    let usable = transports.iter().filter(|transport| !sips || **transport == Transport::Tls);
    Some(usable.map(|transport| service(name, *transport)).collect())
}

/// Servers in order, each with its addresses (RFC 2782).
fn reach_servers(servers: Vec<(Transport, Vec<Srv>)>, wish: &Wish, ask: &mut Ask<'_>, rng: &mut Rng) -> Found {
    let mut targets = Vec::new();
    let mut missing = false;
    for (transport, records) in servers {
        for server in in_order(records, rng).into_iter().take(MOST_SERVERS) {
            // §RFC 2782: `.` says that there decidedly is none.
            if server.target.trim_end_matches('.').is_empty() {
                continue;
            }
            match addresses(&server.target, transport, server.port, wish, ask) {
                Found::Targets(found) => targets.extend(found),
                Found::NotYet => missing = true,
            }
        }
    }
    if missing {
        return Found::NotYet;
    }
    targets.truncate(MOST_TARGETS);
    Found::Targets(targets)
}

/// By priority, and within one by chance in proportion to weight (RFC 2782).
fn in_order(mut records: Vec<Srv>, rng: &mut Rng) -> Vec<Srv> {
    // Those of weight 0 first, so that they have a small chance.
    records.sort_by_key(|record| (record.priority, record.weight));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(first) = records.first() {
        let priority = first.priority;
        let group = records.iter().take_while(|record| record.priority == priority);
        let total: u64 = group.map(|record| u64::from(record.weight)).sum();
        let mut drawn = rng.below(total + 1);
        let chosen = records
            .iter()
            .take_while(|record| record.priority == priority)
            .position(|record| {
                let weight = u64::from(record.weight);
                let hit = drawn <= weight;
                drawn = drawn.saturating_sub(weight);
                hit
            })
            .unwrap_or(0);
        ordered.push(records.remove(chosen));
    }
    ordered
}

/// The addresses of a name, IPv4 before IPv6.
fn addresses(name: &str, transport: Transport, port: u16, wish: &Wish, ask: &mut Ask<'_>) -> Found {
    if let Ok(ip) = name.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Found::Targets(vec![Target::new(transport, SocketAddr::new(ip, port))]);
    }
    let kinds = [(Kind::A, wish.ipv4), (Kind::Aaaa, wish.ipv6)];
    let (mut targets, mut missing) = (Vec::new(), false);
    for (kind, _) in kinds.into_iter().filter(|(_, wanted)| *wanted) {
        match ask(Question::new(name, kind)) {
            None => missing = true,
            Some(Some(Records::Addresses(found))) => {
                targets.extend(found.into_iter().map(|ip| Target::new(transport, SocketAddr::new(ip, port))));
            }
            Some(_) => {}
        }
    }
    targets.truncate(MOST_TARGETS);
    if missing { Found::NotYet } else { Found::Targets(targets) }
}

/// The host that is looked for: `maddr`, or the URI's own (§4).
fn host_of(uri: &Uri) -> Option<Host> {
    uri.param("maddr").and_then(|text| Host::parse(text).ok()).or_else(|| uri.host().cloned())
}

/// The transport that the URI names (§4.1).
fn named_transport(uri: &Uri) -> Option<Transport> {
    match uri.param("transport").and_then(Transport::from_name)? {
        Transport::Tcp if uri.is_sips() => Some(Transport::Tls),
        transport => Some(transport),
    }
}

/// The transports that may be used, the best first.
fn allowed(uri: &Uri, wish: &Wish) -> Vec<Transport> {
    match named_transport(uri) {
        Some(named) => vec![named],
        None => wish.transports.iter().copied().filter(|t| !uri.is_sips() || *t == Transport::Tls).collect(),
    }
}

fn service(name: &str, transport: Transport) -> (Transport, Question) {
    let label = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
    };
    (transport, Question::new(&format!("{label}.{name}"), Kind::Srv))
}

/// What a NAPTR record's service stands for (§4.1, RFC 3263 §11).
fn transport_of(pointer: &Naptr) -> Option<Transport> {
    let terminal = pointer.flags.eq_ignore_ascii_case("s") && !pointer.replacement.trim_end_matches('.').is_empty();
    let known = [("SIP+D2U", Transport::Udp), ("SIP+D2T", Transport::Tcp), ("SIPS+D2T", Transport::Tls)];
    known.into_iter().find(|(service, _)| terminal && pointer.service.eq_ignore_ascii_case(service)).map(|(_, t)| t)
}
