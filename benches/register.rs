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

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant as Clock};

use bytes::Bytes;
use ringlift::base::id::{DidId, ExtensionId, TrunkId};
use ringlift::base::{Instant, Now, Rng, RoomId, Secret, Utc};
use ringlift::gateway::settings::Settings;
use ringlift::gateway::{Directory, Gateway, Input, Output};
use ringlift::room::{FirstCaller, RoomSettings};
use ringlift::route::{Destination, Did, Extension, Trunk};
use ringlift::sip::auth::{Algorithm, Challenge};
use ringlift::sip::endpoint;
use ringlift::sip::transport::{Advertised, HostPort, Source, Transport};
use ringlift::wire::sip::{Message, Name, Response};

const PHONES: u64 = 10_000;
const CALLS: u64 = 100;

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

#[allow(unsafe_code, reason = "an allocator cannot be written without; it only counts and passes on")]
// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        HELD.fetch_add(size, Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A gateway, and what it cost.
struct Node {
    gateway: Gateway,
    now: Now,
    /// What was sent, by where.
    sent: Vec<(SocketAddr, Bytes)>,
    busy: Duration,
    longest: Duration,
}

impl Node {
    fn new(registers_per_second: u32) -> Self {
        let mut room = RoomSettings::new(RoomId::from_bits(1), "Room");
        (room.first_caller, room.tones_up_to) = (FirstCaller::Start, 0);
        let extension = |number: u64| {
            Extension::new(ExtensionId::from_bits(number), number.to_string(), Secret::new(format!("secret-{number}")))
        };
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
            }],
            rooms: vec![room],
            extensions: (0..PHONES).map(extension).collect(),
            ..Directory::default()
        };
        let address = HostPort { host: "198.51.100.1".into(), port: 5060 };
        let sip = endpoint::Settings {
            advertised: vec![Advertised { transport: Transport::Udp, ipv6: false, address }],
            ..endpoint::Settings::default()
        };
        let settings = Settings { registers_per_second, caller_burst: 10_000, ..Settings::default() };
        let now = Now { mono: Instant::START + Duration::from_secs(1), utc: Utc(1_800_000_000_000) };
        let gateway = Gateway::new(settings, sip, BTreeMap::new(), directory, Rng::from_number(1), now);
        let mut node = Self { gateway, now, sent: Vec::new(), busy: Duration::ZERO, longest: Duration::ZERO };
        node.drain();
        node.sent.clear();
        node
    }

    /// A datagram comes: read, dealt with, and every order taken, as the program does it.
    fn receive(&mut self, remote: SocketAddr, bytes: &Bytes) {
        let local = SocketAddr::from(([198, 51, 100, 1], 5060));
        let source = Source { transport: Transport::Udp, local, remote, flow: None };
        let began = Clock::now();
        let message = Message::parse(bytes);
        self.gateway.handle(Input::Signalling(endpoint::Input::Received { message, source }), self.now);
        self.drain();
        self.note(began);
    }

    /// Time passes until then.
    fn wait(&mut self, until: Instant) {
        while let Some(at) = self.gateway.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.plus(at.since(self.now.mono));
            let began = Clock::now();
            self.gateway.handle(Input::Timeout, self.now);
            self.drain();
            self.note(began);
        }
        self.now = self.now.plus(until.since(self.now.mono));
    }

    fn note(&mut self, began: Clock) {
        let took = began.elapsed();
        self.busy += took;
        self.longest = self.longest.max(took);
    }

    fn drain(&mut self) {
        while let Some(output) = self.gateway.poll_output() {
            match output {
                Output::Send { to, bytes, .. } => self.sent.push((to.remote, bytes)),
                Output::BindPorts { leg, .. } => {
                    self.gateway.handle(Input::PortsBound { leg, rtp_port: 20_000 }, self.now);
                }
                other => drop(black_box(other)),
            }
        }
    }

    /// The last final answer that was sent.
    fn answer(&mut self) -> Response {
        let answers = self.sent.drain(..).filter_map(|(_, bytes)| match Message::parse(&bytes) {
            Ok(Message::Response(response)) if response.status.is_final() => Some(response),
            _ => None,
        });
        answers.last().expect("an answer")
    }
}

/// A telephone behind a NAT of its own.
struct Phone {
    number: u64,
    remote: SocketAddr,
    seq: u32,
    rng: Rng,
    shown: Option<String>,
}

impl Phone {
    fn new(number: u64) -> Self {
        let [.., high, low] = number.to_be_bytes();
        let remote = SocketAddr::from(([203, 0, high, low], 41_000));
        Self { number, remote, seq: 0, rng: Rng::from_number(number), shown: None }
    }

    fn request(&mut self) -> Bytes {
        self.seq += 1;
        let (number, seq) = (self.number, self.seq);
        let shown = self.shown.as_ref().map(|shown| format!("Authorization: {shown}\r\n")).unwrap_or_default();
        Bytes::from(format!(
            "REGISTER sip:198.51.100.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.7:5060;branch=z9hG4bK{number}-{seq};rport\r\n\
             Max-Forwards: 70\r\nFrom: \"Phone {number}\" <sip:{number}@198.51.100.1>;tag=f{number}\r\n\
             To: \"Phone {number}\" <sip:{number}@198.51.100.1>\r\nCall-ID: {number}@10.0.0.7\r\nCSeq: {seq} REGISTER\r\n\
             Contact: <sip:{number}@10.0.0.7:5060>;+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-{number:012}>\"\r\n\
             Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, NOTIFY, REFER, INFO, UPDATE, PRACK\r\nSupported: path, outbound\r\n\
             User-Agent: Yealink SIP-T46U 108.86.0.45\r\nExpires: 3600\r\n{shown}Content-Length: 0\r\n\r\n"
        ))
    }

    fn take(&mut self, refusal: &Response, algorithm: Algorithm) {
        let challenges = refusal.headers.fields_of(&Name::WwwAuthenticate).filter_map(Challenge::parse);
        let mut challenge = challenges.into_iter().find(|c| c.algorithm() == algorithm).expect("a challenge");
        let password = Secret::new(format!("secret-{}", self.number));
        let user = self.number.to_string();
        self.shown = Some(challenge.answer(&user, &password, "REGISTER", "sip:198.51.100.1", &mut self.rng));
    }
}

/// Every telephone once, one after the other: the CPU of a challenge and of a REGISTER with credentials.
fn cost(algorithm: Algorithm) {
    let mut node = Node::new(u32::MAX);
    let mut phones: Vec<Phone> = (0..PHONES).map(Phone::new).collect();
    let first: Vec<Bytes> = phones.iter_mut().map(Phone::request).collect();
    let began = Clock::now();
    first.iter().for_each(|bytes| drop(black_box(Message::parse(black_box(bytes)))));
    let read = began.elapsed();
    for (phone, bytes) in phones.iter_mut().zip(&first) {
        node.receive(phone.remote, bytes);
        let refusal = node.answer();
        phone.take(&refusal, algorithm);
    }
    let challenged = std::mem::take(&mut node.busy);
    let second: Vec<Bytes> = phones.iter_mut().map(Phone::request).collect();
    drop(first);
    for (phone, bytes) in phones.iter().zip(&second) {
        node.receive(phone.remote, bytes);
        assert_eq!(node.answer().status.code(), 200);
    }
    let taken = node.busy;
    let each = |all: Duration| all.as_secs_f64() * 1e6 / PHONES as f64;
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

/// All of them at once, while calls are up.
fn storm() {
    let mut node = Node::new(Settings::default().registers_per_second);
    let mut calls = Vec::new();
    for number in 0..CALLS {
        let remote = SocketAddr::from(([192, 0, 2, u8::try_from(number % 250).unwrap()], 5060));
        let sdp =
            "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n";
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
        assert_eq!(answer.status.code(), 200);
        let (to, uri) = (answer.headers.get(Name::To).unwrap().to_owned(), answer.headers.contact().unwrap().uri);
        node.receive(remote, &text("ACK", uri.as_str(), &to, 1, ""));
        calls.push((remote, text("BYE", uri.as_str(), &to, 2, "")));
    }
    (node.busy, node.longest) = (Duration::ZERO, Duration::ZERO);
    let began = node.now.mono;
    let mut phones: Vec<Phone> = (0..PHONES).map(Phone::new).collect();
    // Within the first second all of them.
    let mut due: BTreeMap<(Instant, u64), ()> =
        (0..PHONES).map(|number| ((began + Duration::from_micros(number * 100), number), ())).collect();
    let (mut requests, mut sent_away) = (0u64, 0u64);
    while let Some(((at, number), ())) = due.pop_first() {
        node.wait(at);
        let phone = &mut phones[usize::try_from(number).unwrap()];
        let bytes = phone.request();
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
    for (remote, bye) in &calls {
        node.receive(*remote, bye);
        assert_eq!(node.answer().status.code(), 200, "the call was up until its caller hung up");
    }
    println!(
        "storm of {PHONES} telephones while {CALLS} calls are up: all registered after {took:.1?} by {requests} requests, \
         {sent_away} sent away for a while; {:.2} s of CPU, {:.1} % of one core; the longest step {longest:.1?}",
        busy.as_secs_f64(),
        100.0 * busy.as_secs_f64() / took.as_secs_f64()
    );
}

/// What stays of ten thousand registrations.
fn memory() {
    let mut node = Node::new(u32::MAX);
    let before = HELD.load(Ordering::Relaxed);
    for number in 0..PHONES {
        let mut phone = Phone::new(number);
        for _ in 0..2 {
            let bytes = phone.request();
            node.receive(phone.remote, &bytes);
            let answer = node.answer();
            if answer.status.code() == 401 {
                phone.take(&answer, Algorithm::Md5);
            }
        }
    }
    node.sent = Vec::new();
    let held = HELD.load(Ordering::Relaxed).saturating_sub(before);
    println!(
        "memory: {} bytes a registration, the nonce that it was made with included",
        held / usize::try_from(PHONES).unwrap()
    );
}

fn main() {
    cost(Algorithm::Md5);
    cost(Algorithm::Sha256);
    storm();
    memory();
}
