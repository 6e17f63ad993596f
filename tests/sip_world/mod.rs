//! A world for SIP endpoints in virtual time: a seeded network that loses, doubles and reorders, and peers that a test
//! plays by hand.

#![allow(dead_code, reason = "each test file uses its own part of the world")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use ringlift::base::{Cause, Instant, LegId, Now, Rng};
use ringlift::sip::endpoint::{Event, Input, Manner, OutboundInvite, Output, Settings};
use ringlift::sip::transport::{Advertised, HostPort};
use ringlift::sip::{Endpoint, FlowId, Source, Target, Transport};
use ringlift::wire::sip::{Message, NameAddr, Uri};

pub const OFFER: &str =
    "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
pub const ANSWER: &str =
    "v=0\r\no=- 2 2 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\n";

/// What a node's user does about an event at once.
pub type User = fn(&mut Endpoint, &Event, Now);

pub struct Node {
    pub endpoint: Endpoint,
    pub address: SocketAddr,
    pub user: User,
    pub events: Vec<(Duration, Event)>,
}

/// What went over the wire.
#[derive(Debug, Clone)]
pub struct Seen {
    pub at: Duration,
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub transport: Transport,
    pub text: String,
}

struct Packet {
    source: Source,
    bytes: Bytes,
}

pub struct World {
    pub nodes: Vec<Node>,
    pub now: Now,
    pub log: Vec<Seen>,
    /// What reached addresses that no node has.
    pub inbox: VecDeque<Seen>,
    pub rng: Rng,
    /// Per cent of datagrams lost, and doubled.
    pub loss: u64,
    pub doubled: u64,
    /// Up to how much later than at once a datagram comes, in milliseconds.
    pub jitter: u64,
    /// Loses what it says true to.
    pub lose: Option<fn(&Seen) -> bool>,
    /// TCP does not work.
    pub no_tcp: bool,
    flying: BTreeMap<(Instant, u64), Packet>,
    flows: BTreeMap<(SocketAddr, SocketAddr), FlowId>,
    count: u64,
}

pub fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub fn address(node: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, node], 5060))
}

pub fn settings(address: SocketAddr) -> Settings {
    let advertised = [Transport::Udp, Transport::Tcp].map(|transport| Advertised {
        transport,
        ipv6: address.is_ipv6(),
        address: HostPort::from(address),
    });
    Settings { advertised: advertised.to_vec(), user_agent: "Ringlift".into(), ..Settings::default() }
}

pub fn nobody(_: &mut Endpoint, _: &Event, _: Now) {}

/// Rings, answers, accepts every offer.
pub fn willing(endpoint: &mut Endpoint, event: &Event, now: Now) {
    match event {
        Event::Invited { leg, .. } => {
            endpoint.ring(*leg, ringlift::wire::sip::Status::RINGING, None, &Vec::new(), now);
            endpoint.answer(*leg, Bytes::from_static(ANSWER.as_bytes()), &Vec::new(), now);
        }
        Event::Offered { leg, .. } => endpoint.accept_offer(*leg, Bytes::from_static(ANSWER.as_bytes()), now),
        Event::Info { transaction, .. } | Event::Request { transaction, .. } => {
            endpoint.respond(*transaction, ringlift::wire::sip::Status::OK, &Vec::new(), None, now);
        }
        _ => {}
    }
}

impl World {
    pub fn new(seed: u64, users: &[User]) -> Self {
        let mut rng = Rng::from_number(seed);
        let nodes = users
            .iter()
            .zip(1u8..)
            .map(|(user, n)| Node {
                endpoint: Endpoint::new(settings(address(n)), rng.fork()),
                address: address(n),
                user: *user,
                events: Vec::new(),
            })
            .collect();
        Self {
            nodes,
            now: Now::default(),
            log: Vec::new(),
            inbox: VecDeque::new(),
            rng,
            loss: 0,
            doubled: 0,
            jitter: 0,
            lose: None,
            no_tcp: false,
            flying: BTreeMap::new(),
            flows: BTreeMap::new(),
            count: 0,
        }
    }

    /// The first node calls `to`.
    pub fn call(&mut self, from: usize, to: SocketAddr) -> LegId {
        let leg = self.nodes[from].endpoint.invite(outbound(to), self.now);
        self.drain(from);
        leg
    }

    /// Has a node do something now.
    pub fn with<T>(&mut self, node: usize, act: impl FnOnce(&mut Endpoint, Now) -> T) -> T {
        let now = self.now;
        let result = act(&mut self.nodes[node].endpoint, now);
        self.drain(node);
        result
    }

    /// Lets a peer that the test plays send a message.
    pub fn inject(&mut self, from: SocketAddr, to: SocketAddr, text: &str) {
        let text = text.replace("\r\n", "\n").replace('\n', "\r\n");
        let source = Source { transport: Transport::Udp, local: to, remote: from, flow: None };
        self.arrive(Packet { source, bytes: Bytes::from(text) });
    }

    /// Every connection breaks, with what is on its way; both ends are told.
    pub fn break_connections(&mut self) {
        self.flying.retain(|_, packet| packet.source.flow.is_none());
        for ((a, b), flow) in std::mem::take(&mut self.flows) {
            for index in 0..self.nodes.len() {
                if [a, b].contains(&self.nodes[index].address) {
                    self.with(index, |endpoint, now| endpoint.handle(Input::FlowClosed { flow }, now));
                }
            }
        }
    }

    /// Lets this much time pass.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now.mono + time;
        loop {
            let flight = self.flying.first_key_value().map(|((at, _), _)| *at);
            let timer = self.nodes.iter().filter_map(|node| node.endpoint.poll_timeout()).min();
            let Some(next) = flight.into_iter().chain(timer).min().filter(|next| *next <= end) else { break };
            self.now = self.now.plus(next.since(self.now.mono));
            while let Some(entry) = self.flying.first_entry().filter(|entry| entry.key().0 <= next) {
                let packet = entry.remove();
                self.arrive(packet);
            }
            for index in 0..self.nodes.len() {
                if self.nodes[index].endpoint.poll_timeout().is_some_and(|at| at <= next) {
                    let now = self.now;
                    self.nodes[index].endpoint.handle(Input::Timeout, now);
                    self.drain(index);
                }
            }
        }
        self.now = self.now.plus(end.since(self.now.mono));
    }

    pub fn pass_ms(&mut self, milliseconds: u64) {
        self.pass(ms(milliseconds));
    }

    /// Lets every timer run out.
    pub fn settle(&mut self) {
        self.pass(Duration::from_secs(400));
        for node in &self.nodes {
            assert!(node.endpoint.is_empty(), "{} still holds {:?}", node.address, node.endpoint.counts());
        }
    }

    /// The next message for an address that no node has.
    pub fn received(&mut self) -> Option<Seen> {
        self.inbox.pop_front()
    }

    /// The next such message whose first line begins so; others before it are dropped.
    pub fn expect(&mut self, start: &str) -> Seen {
        let mut others = Vec::new();
        while let Some(seen) = self.inbox.pop_front() {
            if seen.text.starts_with(start) {
                return seen;
            }
            others.push(seen.first_line().to_owned());
        }
        panic!("no {start}; there came {others:?}");
    }

    pub fn ended(&self, node: usize, leg: LegId) -> Vec<Cause> {
        self.nodes[node]
            .events
            .iter()
            .filter_map(|(_, event)| match event {
                Event::Ended { leg: other, cause, .. } if *other == leg => Some(*cause),
                _ => None,
            })
            .collect()
    }

    pub fn happened(&self, node: usize, what: impl Fn(&Event) -> bool) -> usize {
        self.nodes[node].events.iter().filter(|(_, event)| what(event)).count()
    }

    /// The leg of the first INVITE a node was offered.
    pub fn invited(&self, node: usize) -> LegId {
        self.nodes[node]
            .events
            .iter()
            .find_map(|(_, event)| match event {
                Event::Invited { leg, .. } => Some(*leg),
                _ => None,
            })
            .expect("nobody called")
    }

    /// How many messages with this start went from one address to another.
    pub fn sent(&self, from: SocketAddr, start: &str) -> usize {
        self.log.iter().filter(|seen| seen.from == from && seen.text.starts_with(start)).count()
    }

    fn arrive(&mut self, packet: Packet) {
        let Some(index) = self.nodes.iter().position(|node| node.address == packet.source.local) else {
            self.inbox.push_back(Seen {
                at: self.now.mono.since_start(),
                from: packet.source.remote,
                to: packet.source.local,
                transport: packet.source.transport,
                text: String::from_utf8_lossy(&packet.bytes).into_owned(),
            });
            return;
        };
        let message = Message::parse(&packet.bytes);
        let now = self.now;
        self.nodes[index].endpoint.handle(Input::Received { message, source: packet.source }, now);
        self.drain(index);
    }

    pub fn drain(&mut self, index: usize) {
        while let Some(output) = self.nodes[index].endpoint.poll_output() {
            match output {
                Output::Event(event) => {
                    let at = self.now.mono.since_start();
                    let node = &mut self.nodes[index];
                    (node.user)(&mut node.endpoint, &event, self.now);
                    node.events.push((at, event));
                }
                Output::Send { to, bytes, reference } => {
                    let from = self.nodes[index].address;
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    // What a malformed request lacks, its refusal lacks too.
                    let lacking = ["SIP/2.0 400", "SIP/2.0 414", "SIP/2.0 505", "SIP/2.0 513"];
                    let reads = Message::parse(&bytes).is_ok() || lacking.iter().any(|start| text.starts_with(start));
                    assert!(reads, "we sent what does not parse:\n{text}");
                    let at = self.now.mono.since_start();
                    let seen = Seen { at, from, to: to.remote, transport: to.transport, text };
                    if to.transport == Transport::Tcp && self.no_tcp {
                        let now = self.now;
                        self.nodes[index].endpoint.handle(Input::SendFailed { reference }, now);
                        continue;
                    }
                    self.fly(from, to, bytes, &seen);
                    self.log.push(seen);
                }
            }
        }
    }

    fn fly(&mut self, from: SocketAddr, to: Target, bytes: Bytes, seen: &Seen) {
        let reliable = to.transport.is_reliable();
        let flow = reliable.then(|| {
            let next = FlowId(self.count + 1);
            *self.flows.entry((from.min(to.remote), from.max(to.remote))).or_insert(next)
        });
        let lost = self.lose.is_some_and(|lose| lose(seen));
        let copies = if self.rng.below(100) < self.doubled { 2 } else { 1 };
        for _ in 0..copies {
            if !reliable && (lost || self.rng.below(100) < self.loss) {
                continue;
            }
            let late = if reliable { 1 } else { 1 + self.rng.below(self.jitter.max(1)) };
            self.count += 1;
            let source = Source { transport: to.transport, local: to.remote, remote: from, flow };
            self.flying.insert((self.now.mono + ms(late), self.count), Packet { source, bytes: bytes.clone() });
        }
    }
}

impl Seen {
    pub fn first_line(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// The value of the first field of this name.
    pub fn field(&self, name: &str) -> &str {
        self.text
            .lines()
            .find_map(|line| line.split_once(':').filter(|(field, _)| field.eq_ignore_ascii_case(name)))
            .map(|(_, value)| value.trim())
            .unwrap_or_default()
    }

    pub fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default()
    }
}

pub fn outbound(to: SocketAddr) -> OutboundInvite {
    OutboundInvite {
        uri: Uri::parse(&format!("sip:bob@{to}")).unwrap(),
        from: NameAddr::parse("\"Alice\" <sip:alice@example.org>").unwrap(),
        to: NameAddr::parse("<sip:bob@example.org>").unwrap(),
        target: Target::new(Transport::Udp, to),
        routes: Vec::new(),
        headers: Vec::new(),
        sdp: Some(Bytes::from_static(OFFER.as_bytes())),
        contact_user: None,
        manner: Manner::default(),
        ring: Duration::from_secs(180),
        max_forwards: 70,
        again: None,
    }
}

/// A response of a peer that the test plays.
pub fn answer_to(request: &Seen, status: &str, tag: &str, more: &str, body: &str) -> String {
    let vias: String = request
        .text
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("Via:") || line.starts_with("Record-Route:"))
        .map(|line| format!("{line}\r\n"))
        .collect();
    let to = request.field("To");
    let to = if to.contains("tag=") || tag.is_empty() { to.to_owned() } else { format!("{to};tag={tag}") };
    let content = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "SIP/2.0 {status}\r\n{vias}From: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <sip:bob@{}>\r\n\
         {more}{content}Content-Length: {}\r\n\r\n{body}",
        request.field("From"),
        request.field("Call-ID"),
        request.field("CSeq"),
        request.to,
        body.len(),
    )
}

/// A request of a peer that the test plays. `more` is further header lines, each with its line end.
#[allow(clippy::too_many_arguments, reason = "the parts of a request, for tests to vary")]
pub fn request(
    method: &str,
    from: SocketAddr,
    branch: &str,
    to_tag: &str,
    call_id: &str,
    seq: u32,
    more: &str,
    body: &str,
) -> String {
    let tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
    let content = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "{method} sip:room@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch={branch};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:carol@example.net>;tag=carol\r\nTo: <sip:room@192.0.2.1>{tag}\r\nCall-ID: {call_id}\r\n\
         CSeq: {seq} {method}\r\nContact: <sip:carol@{from}>\r\n{more}{content}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The tag in a To value.
pub fn tag_of(value: &str) -> String {
    value.split(";tag=").nth(1).unwrap_or_default().split(';').next().unwrap_or_default().to_owned()
}
