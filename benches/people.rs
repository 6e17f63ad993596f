//! What a call between two people of the house costs the gateway, from bytes to bytes: INVITE, challenge, INVITE with
//! credentials, the other telephone rings and answers, ACK, BYE. Beside it in the same run what no gateway is spared:
//! reading and writing the same messages alone, and the two dialogs in a bare SIP endpoint that knows of no digest, route,
//! offer, room, record or event. The ratios travel; the microseconds belong to the machine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a bench reads the clock, and one that cannot go on should say where"
)]

mod common;

use std::collections::{BTreeMap, VecDeque};
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use common::{Node, Phone, cpu, held, micros, password, sip, source, start};
use ringlift::base::id::ExtensionId;
use ringlift::base::{Cause, LegId, Now, Rng};
use ringlift::gateway::Directory;
use ringlift::gateway::settings::Settings;
use ringlift::route::{CallLimits, Extension};
use ringlift::sip::auth::Algorithm;
use ringlift::sip::endpoint::{self, Event, Input, Limits, Manner, OutboundInvite, Output};
use ringlift::sip::{Endpoint, Target, Transport};
use ringlift::wire::sip::{Message, Method, Name, NameAddr, Request, Response, Status, Uri};

const PHONES: u64 = 1000;
const CALLS: u64 = 20_000;
/// Calls that are up while the next one is made.
const UP: usize = 400;
/// Calls whose messages are kept, to read and write them alone.
const KEPT: u64 = 1000;
/// Between two calls: a thousand begin each second.
const APART: Duration = Duration::from_millis(1);

/// More at a time than a gateway is given by default: a thousand calls a second leave 32 seconds of transactions behind.
fn many() -> endpoint::Settings {
    endpoint::Settings { limits: Limits { transactions: 1_000_000, legs: 100_000, ..Limits::default() }, ..sip() }
}

/// What stands between the telephones.
trait Between {
    fn receive(&mut self, remote: SocketAddr, bytes: &Bytes) -> Vec<(SocketAddr, Bytes)>;
    fn pass(&mut self, length: Duration);
    fn busy(&self) -> Duration;
}

impl Between for Node {
    fn receive(&mut self, remote: SocketAddr, bytes: &Bytes) -> Vec<(SocketAddr, Bytes)> {
        Node::receive(self, remote, bytes);
        std::mem::take(&mut self.sent)
    }
    fn pass(&mut self, length: Duration) {
        self.wait(self.now.mono + length);
        assert!(self.sent.is_empty(), "nothing is sent twice: {:?}", self.sent);
    }
    fn busy(&self) -> Duration {
        self.busy
    }
}

/// The SIP machines alone: whoever is called is called on at the same user's address, with the same SDP.
struct Bare {
    endpoint: Endpoint,
    now: Now,
    busy: Duration,
    other: BTreeMap<LegId, LegId>,
}

impl Bare {
    fn new() -> Self {
        let endpoint = Endpoint::new(many(), Rng::from_number(1));
        Self { endpoint, now: start(), busy: Duration::ZERO, other: BTreeMap::new() }
    }

    fn drain(&mut self) -> Vec<(SocketAddr, Bytes)> {
        let mut sent = Vec::new();
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Send { to, bytes, .. } => sent.push((to.remote, bytes)),
                Output::Event(Event::Invited { leg, request, .. }) => {
                    let user = request.uri.user().unwrap().parse().unwrap();
                    let call = OutboundInvite {
                        uri: Uri::parse(&format!("sip:{user}@10.0.0.7:5060")).unwrap(),
                        from: NameAddr::parse(request.headers.get(Name::From).unwrap()).unwrap(),
                        to: NameAddr::parse(request.headers.get(Name::To).unwrap()).unwrap(),
                        target: Target::new(Transport::Udp, Phone::new(user).remote),
                        routes: Vec::new(),
                        headers: Vec::new(),
                        sdp: Some(request.body.clone()),
                        contact_user: None,
                        manner: Manner::default(),
                        ring: Duration::from_secs(180),
                        max_forwards: 69,
                        again: None,
                    };
                    let outbound = self.endpoint.invite(call, self.now);
                    self.other.insert(leg, outbound);
                    self.other.insert(outbound, leg);
                }
                Output::Event(Event::Progress { leg, status, .. }) => {
                    self.endpoint.ring(self.other[&leg], status, None, &Vec::new(), self.now);
                }
                Output::Event(Event::Answered { leg, sdp, .. }) => {
                    self.endpoint.answer(self.other[&leg], sdp.unwrap(), &Vec::new(), self.now);
                }
                Output::Event(Event::Ended { leg, .. }) => {
                    if let Some(other) = self.other.remove(&leg) {
                        self.endpoint.hang_up(other, Cause::HungUp, self.now);
                    }
                }
                Output::Event(other) => drop(black_box(other)),
            }
        }
        sent
    }
}

impl Between for Bare {
    fn receive(&mut self, remote: SocketAddr, bytes: &Bytes) -> Vec<(SocketAddr, Bytes)> {
        let source = source(remote);
        let began = cpu();
        let message = Message::parse(bytes);
        self.endpoint.handle(Input::Received { message, source }, self.now);
        let sent = self.drain();
        self.busy += cpu() - began;
        sent
    }
    fn pass(&mut self, length: Duration) {
        let end = self.now.plus(length);
        let began = cpu();
        while let Some(at) = self.endpoint.poll_timeout().filter(|at| *at <= end.mono) {
            self.now = self.now.plus(at.since(self.now.mono));
            self.endpoint.handle(Input::Timeout, self.now);
            assert!(self.drain().is_empty(), "nothing is sent twice");
        }
        self.busy += cpu() - began;
        self.now = end;
    }
    fn busy(&self) -> Duration {
        self.busy
    }
}

/// A call that is up.
struct Call {
    number: u64,
    caller: u64,
    callee: u64,
    to: String,
    target: String,
    seq: u32,
}

/// The telephones, and what went over the wire of the first calls.
struct Phones {
    phones: Vec<Phone>,
    came: Vec<Bytes>,
    went: Vec<Bytes>,
    keep: bool,
    /// Bytes for each call that has ended and whose transactions still take repetitions.
    ended: f64,
}

fn sdp(port: u64) -> String {
    format!(
        "v=0\r\no=- 20017 20017 IN IP4 10.0.0.7\r\ns=SDP data\r\nc=IN IP4 10.0.0.7\r\nt=0 0\r\nm=audio {port} RTP/AVP 9 8 0 101\r\n\
         a=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
         a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    )
}

/// What telephones say of themselves in requests and answers that make a dialog.
const SELF: &str = "User-Agent: Yealink SIP-T46U 108.86.0.45\r\nAllow: INVITE, INFO, PRACK, ACK, BYE, CANCEL, OPTIONS, NOTIFY, \
                    REGISTER, SUBSCRIBE, REFER, PUBLISH, UPDATE, MESSAGE\r\nSupported: replaces\r\n";

impl Phones {
    fn new() -> Self {
        Self {
            phones: (0..PHONES).map(Phone::new).collect(),
            came: Vec::new(),
            went: Vec::new(),
            keep: false,
            ended: 0.0,
        }
    }

    fn phone(&mut self, number: u64) -> &mut Phone {
        &mut self.phones[usize::try_from(number).unwrap()]
    }

    fn send(&mut self, to: &mut impl Between, from: u64, text: String) -> Vec<(SocketAddr, Message)> {
        let (bytes, remote) = (Bytes::from(text), self.phone(from).remote);
        let sent = to.receive(remote, &bytes);
        if self.keep {
            self.came.push(bytes);
            self.went.extend(sent.iter().map(|(_, bytes)| bytes.clone()));
        }
        sent.into_iter().map(|(to, bytes)| (to, Message::parse(&bytes).expect("it can be read"))).collect()
    }

    fn request(&mut self, method: &str, call: &Call, uri: &str, more: &str, body: &str) -> String {
        let Call { number, caller, to, seq, .. } = call;
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.7:5060;branch=z9hG4bK{number}{method}{seq};rport\r\n\
             Max-Forwards: 70\r\nFrom: \"Phone {caller}\" <sip:{caller}@198.51.100.1>;tag=c{number}\r\nTo: {to}\r\n\
             Call-ID: call-{number}@10.0.0.7\r\nCSeq: {seq} {method}\r\nContact: <sip:{caller}@10.0.0.7:5060>\r\n{more}{SELF}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    fn answer(request: &Request, status: &str, tag: u64, body: &str) -> String {
        let fields = [Name::Via, Name::From, Name::CallId, Name::CSeq];
        let copied: String = fields
            .into_iter()
            .map(|name| format!("{name}: {}\r\n", request.headers.get(name.clone()).unwrap()))
            .collect();
        let to = request.headers.get(Name::To).unwrap();
        let tag = if to.contains("tag=") { String::new() } else { format!(";tag=t{tag}") };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "SIP/2.0 {status}\r\n{copied}To: {to}{tag}\r\nContact: <sip:phone@10.0.0.7:5060>\r\n{SELF}{kind}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    /// A call is made, and both talk.
    fn call(&mut self, between: &mut impl Between, number: u64) -> Call {
        let (caller, callee) = (number * 2 % PHONES, (number * 2 + 1) % PHONES);
        let uri = format!("sip:{callee}@198.51.100.1");
        let mut call = Call { number, caller, callee, to: format!("<{uri}>"), target: uri.clone(), seq: 1 };
        let (offer, kind) = (sdp(11_780), "Content-Type: application/sdp\r\n");
        let text = self.request("INVITE", &call, &uri, kind, &offer);
        let mut sent = self.send(between, caller, text);
        if let Some(refusal) = answered(&sent, 401) {
            let refused_to = refusal.headers.get(Name::To).unwrap().to_owned();
            let shown = self.phone(caller).credentials(refusal, Algorithm::Sha256, "INVITE", &uri);
            let refused = Call { to: refused_to, target: uri.clone(), ..call };
            let text = self.request("ACK", &refused, &uri, "", "");
            assert!(self.send(between, caller, text).is_empty());
            call.seq = 2;
            call.to = format!("<{uri}>");
            let text = self.request("INVITE", &call, &uri, &format!("Authorization: {shown}\r\n{kind}"), &offer);
            sent = self.send(between, caller, text);
        }
        let there = self.phone(callee).remote;
        let invite = asked(&sent, there, &Method::Invite).expect("the telephone rings").clone();
        let rung = self.send(between, callee, Self::answer(&invite, "180 Ringing", number, ""));
        assert!(answered(&rung, 180).is_some(), "the caller hears that it rings");
        let mut sent = self.send(between, callee, Self::answer(&invite, "200 OK", number, &sdp(11_790)));
        let answer = answered(&sent, 200).expect("the caller is answered");
        call.to = answer.headers.get(Name::To).unwrap().to_owned();
        call.target = answer.headers.contact().unwrap().uri.to_string();
        let text = self.request("ACK", &call, &call.target, "", "");
        sent.extend(self.send(between, caller, text));
        assert!(asked(&sent, there, &Method::Ack).is_some(), "whoever was called is acknowledged");
        call
    }

    /// The caller hangs up.
    fn hang_up(&mut self, between: &mut impl Between, mut call: Call) {
        call.seq += 1;
        let text = self.request("BYE", &call, &call.target, "", "");
        let sent = self.send(between, call.caller, text);
        assert!(answered(&sent, 200).is_some());
        let there = self.phone(call.callee).remote;
        let bye = asked(&sent, there, &Method::Bye).expect("the other is hung up").clone();
        assert!(self.send(between, call.callee, Self::answer(&bye, "200 OK", 0, "")).is_empty());
    }

    /// Calls come and go, until every timer of the last has run out. The processor's time for each.
    fn all_day(&mut self, between: &mut impl Between) -> f64 {
        let mut up = VecDeque::new();
        let before = between.busy();
        for number in 0..CALLS {
            self.keep = number < KEPT;
            up.push_back(self.call(between, number));
            if up.len() > UP {
                let call = up.pop_front().unwrap();
                self.keep = call.number < KEPT;
                self.hang_up(between, call);
            }
            between.pass(APART);
        }
        self.keep = false;
        up.into_iter().for_each(|call| self.hang_up(between, call));
        let before_timers = held();
        between.pass(Duration::from_secs(40));
        self.ended = before_timers.saturating_sub(held()) as f64 / CALLS as f64;
        micros(between.busy() - before, CALLS)
    }
}

fn answered(sent: &[(SocketAddr, Message)], code: u16) -> Option<&Response> {
    sent.iter().find_map(|(_, message)| match message {
        Message::Response(response) if response.status.code() == code => Some(response),
        _ => None,
    })
}

fn asked<'a>(sent: &'a [(SocketAddr, Message)], there: SocketAddr, method: &Method) -> Option<&'a Request> {
    sent.iter().find_map(|(to, message)| match message {
        Message::Request(request) if *to == there && request.method == *method => Some(request),
        _ => None,
    })
}

/// A house where everybody is registered.
fn house(phones: &mut Phones) -> Node {
    let extension = |number: u64| Extension {
        limits: CallLimits { calls_per_second: 1_000_000, max_calls: 1_000_000, ..CallLimits::default() },
        ..Extension::new(ExtensionId::from_bits(number), number.to_string(), password(number))
    };
    let settings =
        Settings { registers_per_second: u32::MAX, caller_burst: u32::MAX, max_calls: 100_000, ..Settings::default() };
    let directory = Directory { extensions: (0..PHONES).map(extension).collect(), ..Directory::default() };
    let mut node = Node::new(settings, many(), directory);
    for phone in &mut phones.phones {
        let bytes = phone.register();
        node.receive(phone.remote, &bytes);
        phone.take(&node.answer(), Algorithm::Sha256);
        let bytes = phone.register();
        node.receive(phone.remote, &bytes);
        assert_eq!(node.answer().status, Status::OK);
    }
    node
}

/// Per call, of many rounds: reading all that came and writing all that went.
fn messages(phones: &Phones) -> f64 {
    let written: Vec<Message> = phones.went.iter().map(|bytes| Message::parse(bytes).unwrap()).collect();
    const ROUNDS: u64 = 20;
    let began = cpu();
    for _ in 0..ROUNDS {
        phones.came.iter().for_each(|bytes| drop(black_box(Message::parse(black_box(bytes)))));
        written.iter().for_each(|message| drop(black_box(black_box(message).to_bytes())));
    }
    micros(cpu() - began, KEPT * ROUNDS)
}

/// Bytes for each call between two people, while it is up.
fn memory(node: &mut Node, phones: &mut Phones) -> f64 {
    const TALKING: u64 = 500;
    let before = held();
    let calls: Vec<Call> = (0..TALKING).map(|number| phones.call(node, CALLS + number)).collect();
    // What transactions keep for repetitions is gone after this.
    Between::pass(node, Duration::from_secs(40));
    let used = held().saturating_sub(before) as f64 / TALKING as f64;
    calls.into_iter().for_each(|call| phones.hang_up(node, call));
    used
}

fn main() {
    // `cargo test --benches` runs this too; there is nothing to test.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let mut phones = Phones::new();
    let mut node = house(&mut phones);
    let call = phones.all_day(&mut node);
    let (came, went) = (phones.came.len() as f64 / KEPT as f64, phones.went.len() as f64 / KEPT as f64);
    let messages = messages(&phones);
    let ended = phones.ended;
    let bare = phones.all_day(&mut Bare::new());
    println!(
        "a call between two people       {call:7.1} µs of CPU: {:.0} calls a second and core, {UP} up, {PHONES} telephones",
        1e6 / call
    );
    println!(
        "its messages alone              {messages:7.1} µs to read {came:.0} and write {went:.0}: the call is {:.1} times that",
        call / messages
    );
    println!(
        "its dialogs in a bare endpoint  {bare:7.1} µs without digest, routes, offers, rooms, records: the call is {:.1} times that",
        call / bare
    );
    println!(
        "memory                          {:7.1} KiB for a call that is up, {:.1} for one that ended, for 32 s",
        memory(&mut node, &mut phones) / 1024.0,
        ended / 1024.0
    );
}
