//! What a REGISTER costs in the whole gateway: read, challenged, its digest checked, kept, answered. Beside it in the same
//! run the reading of the same message alone; the ratio is printed. Then the storm after a power cut, ten thousand
//! telephones while calls are up: how long until all are back, and how long one step keeps a call waiting at most. Last
//! what a registration takes of memory, counted by the allocator itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a bench reads the clock, and one that cannot go on should say where"
)]

mod common;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use common::{Node, Phone, cpu, held, micros, password, sip};
use ringlift::base::elevating::ElevationRules;
use ringlift::base::id::{DidId, ExtensionId, TrunkId};
use ringlift::base::{Instant, RoomId};
use ringlift::gateway::Directory;
use ringlift::gateway::settings::Settings;
use ringlift::room::{FirstCaller, RoomSettings};
use ringlift::route::{Destination, Did, Extension, Trunk};
use ringlift::sip::auth::Algorithm;
use ringlift::wire::sip::{Message, Name};

const PHONES: u64 = 10_000;
const CALLS: u64 = 100;

fn house(registers_per_second: u32) -> Node {
    let mut room = RoomSettings::new(RoomId::from_bits(1), "Room");
    (room.first_caller, room.tones_up_to) = (FirstCaller::Start, 0);
    let extension = |number: u64| Extension::new(ExtensionId::from_bits(number), number.to_string(), password(number));
    let mut trunk = Trunk::new(TrunkId::from_bits(1), "carrier");
    trunk.networks = vec!["192.0.2.0/24".parse().unwrap()];
    let directory = Directory {
        trunks: vec![trunk],
        dids: vec![Did {
            id: DidId::from_bits(1),
            called: "direct".parse().unwrap(),
            trunk: None,
            action: Destination::Room { room: room.id },
            languages: vec![],
            elevation: ElevationRules::default(),
        }],
        rooms: vec![room],
        extensions: (0..PHONES).map(extension).collect(),
        ..Directory::default()
    };
    Node::new(Settings { registers_per_second, caller_burst: 10_000, ..Settings::default() }, sip(), directory)
}

/// Every telephone once, one after the other: the CPU of a challenge and of a REGISTER with credentials.
fn cost(algorithm: Algorithm) {
    let mut node = house(u32::MAX);
    let mut phones: Vec<Phone> = (0..PHONES).map(Phone::new).collect();
    let first: Vec<Bytes> = phones.iter_mut().map(Phone::register).collect();
    let began = cpu();
    first.iter().for_each(|bytes| drop(black_box(Message::parse(black_box(bytes)))));
    let read = cpu() - began;
    for (phone, bytes) in phones.iter_mut().zip(&first) {
        node.receive(phone.remote, bytes);
        let refusal = node.answer();
        phone.take(&refusal, algorithm);
    }
    let challenged = std::mem::take(&mut node.busy);
    let second: Vec<Bytes> = phones.iter_mut().map(Phone::register).collect();
    drop(first);
    for (phone, bytes) in phones.iter().zip(&second) {
        node.receive(phone.remote, bytes);
        assert_eq!(node.answer().status.code(), 200);
    }
    let taken = node.busy;
    let each = |all: Duration| micros(all, PHONES);
    let pair = each(challenged + taken);
    println!(
        "REGISTER with {}: challenge {:.1} µs, with credentials {:.1} µs: {:.0} telephones a second and core; {:.1} times \
         reading the two messages alone",
        algorithm.token(),
        each(challenged),
        each(taken),
        1e6 / pair,
        pair / (2.0 * each(read))
    );
}

/// Somebody calls from the trunk and is answered; who it is, and their BYE.
fn call(node: &mut Node, number: u64) -> (SocketAddr, Bytes) {
    let remote = SocketAddr::from(([192, 0, 2, u8::try_from(number % 250).unwrap()], 5060));
    let sdp = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n";
    let text = |method: &str, uri: &str, to: &str, seq: u32, body: &str| {
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        Bytes::from(format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {remote};branch=z9hG4bKc{number}{method}{seq};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:+49170{number:07}@192.0.2.1>;tag=c{number}\r\nTo: {to}\r\n\
             Call-ID: call-{number}\r\nCSeq: {seq} {method}\r\nContact: <sip:c@{remote}>\r\n{kind}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    };
    node.receive(remote, &text("INVITE", "sip:direct@198.51.100.1", "<sip:direct@198.51.100.1>", 1, sdp));
    let answer = node.answer();
    assert_eq!(answer.status.code(), 200, "the caller is answered");
    let (to, uri) = (answer.headers.get(Name::To).unwrap().to_owned(), answer.headers.contact().unwrap().uri);
    node.receive(remote, &text("ACK", uri.as_str(), &to, 1, ""));
    (remote, text("BYE", uri.as_str(), &to, 2, ""))
}

/// All of them at once, while calls are up and others begin.
fn storm() {
    let mut node = house(Settings::default().registers_per_second);
    let mut calls: Vec<(SocketAddr, Bytes)> = (0..CALLS).map(|number| call(&mut node, number)).collect();
    (node.busy, node.longest) = (Duration::ZERO, Duration::ZERO);
    let began = node.now.mono;
    let mut phones: Vec<Phone> = (0..PHONES).map(Phone::new).collect();
    // Within the first second all of them.
    let mut due: BTreeMap<(Instant, u64), ()> =
        (0..PHONES).map(|number| ((began + Duration::from_micros(number * 100), number), ())).collect();
    let (mut requests, mut sent_away) = (0u64, 0u64);
    let mut next_call = began;
    while let Some(((at, number), ())) = due.pop_first() {
        node.wait(at);
        // Ten calls a second begin meanwhile.
        if at >= next_call {
            calls.push(call(&mut node, calls.len() as u64));
            next_call = at + Duration::from_millis(100);
        }
        let phone = &mut phones[usize::try_from(number).unwrap()];
        let bytes = phone.register();
        node.receive(phone.remote, &bytes);
        requests += 1;
        let answer = node.answer();
        let again = match answer.status.code() {
            200 => continue,
            401 => {
                phone.take(&answer, Algorithm::Md5);
                Duration::from_millis(40)
            }
            503 => {
                sent_away += 1;
                Duration::from_secs(answer.headers.get(Name::RetryAfter).unwrap().parse().unwrap())
            }
            other => panic!("{other}"),
        };
        due.insert((node.now.mono + again, number), ());
    }
    let (took, busy, longest) = (node.now.mono.since(began), node.busy, node.longest);
    let begun = calls.len() as u64 - CALLS;
    for (remote, bye) in &calls {
        node.receive(*remote, bye);
        assert_eq!(node.answer().status.code(), 200, "the call was up until its caller hung up");
    }
    println!(
        "storm of {PHONES} telephones while {CALLS} calls are up and {begun} begin: all registered after {took:.1?} by {requests} \
         requests, {sent_away} sent away for a while, no call refused or cut off; {:.2} s of CPU, {:.1} % of one core; the longest step {longest:.1?}",
        busy.as_secs_f64(),
        100.0 * busy.as_secs_f64() / took.as_secs_f64()
    );
}

/// What stays of ten thousand registrations.
fn memory() {
    let mut node = house(u32::MAX);
    let before = held();
    for number in 0..PHONES {
        let mut phone = Phone::new(number);
        for _ in 0..2 {
            let bytes = phone.register();
            node.receive(phone.remote, &bytes);
            let answer = node.answer();
            if answer.status.code() == 401 {
                phone.take(&answer, Algorithm::Md5);
            }
        }
    }
    node.sent = Vec::new();
    let at_once = held().saturating_sub(before) as u64 / PHONES;
    // Transactions take repetitions no longer.
    node.wait(node.now.mono + Duration::from_secs(40));
    println!(
        "memory: {} bytes a registration, the nonce that it was made with included; {at_once} until its transactions are over",
        held().saturating_sub(before) as u64 / PHONES
    );
}

fn main() {
    cost(Algorithm::Md5);
    cost(Algorithm::Sha256);
    storm();
    memory();
}
