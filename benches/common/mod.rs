//! A whole gateway in virtual time with real time measured around it, an allocator that counts, and telephones behind NATs
//! of their own.

#![allow(dead_code, reason = "each bench uses its own part")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use ringlift::base::{Instant, Now, Rng, Secret, Utc};
use ringlift::gateway::settings::Settings;
use ringlift::gateway::{Directory, Gateway, Input, Output};
use ringlift::media::command::{MediaCommand, MediaEvent};
use ringlift::sip::auth::{Algorithm, Challenge};
use ringlift::sip::endpoint;
use ringlift::sip::transport::{Advertised, HostPort, Source, Transport};
use ringlift::wire::sip::{Message, Name, Response};

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

/// Bytes that are asked for and not given back.
pub fn held() -> usize {
    HELD.load(Ordering::Relaxed)
}

/// The processor's time that this thread has had: what others on the machine take does not count.
pub fn cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the time is a plain value on the stack, and the call only writes it.
    #[allow(unsafe_code, reason = "the library of the language has no such clock")]
    let done = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(done, 0);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

pub fn micros(all: Duration, count: u64) -> f64 {
    all.as_secs_f64() * 1e6 / count as f64
}

/// The endpoint's settings, with the address that telephones know.
pub fn sip() -> endpoint::Settings {
    let address = HostPort { host: "198.51.100.1".into(), port: 5060 };
    endpoint::Settings {
        advertised: vec![Advertised { transport: Transport::Udp, ipv6: false, address }],
        ..endpoint::Settings::default()
    }
}

pub fn source(remote: SocketAddr) -> Source {
    Source { transport: Transport::Udp, local: SocketAddr::from(([198, 51, 100, 1], 5060)), remote, flow: None }
}

pub fn start() -> Now {
    Now { mono: Instant::START + Duration::from_secs(1), utc: Utc(1_800_000_000_000) }
}

/// A gateway, and what it cost.
pub struct Node {
    pub gateway: Gateway,
    pub now: Now,
    /// What was sent, by where.
    pub sent: Vec<(SocketAddr, Bytes)>,
    pub busy: Duration,
    pub longest: Duration,
}

impl Node {
    pub fn new(settings: Settings, sip: endpoint::Settings, directory: Directory) -> Self {
        let now = start();
        let gateway = Gateway::new(settings, sip, BTreeMap::new(), directory, Rng::from_number(1), now);
        let mut node = Self { gateway, now, sent: Vec::new(), busy: Duration::ZERO, longest: Duration::ZERO };
        node.drain();
        node.sent.clear();
        node
    }

    /// A datagram comes: read, dealt with, and every order taken, as the program does it.
    pub fn receive(&mut self, remote: SocketAddr, bytes: &Bytes) {
        let source = source(remote);
        let began = cpu();
        let message = Message::parse(bytes);
        self.gateway.handle(Input::Signalling(endpoint::Input::Received { message, source }), self.now);
        self.drain();
        self.note(began);
    }

    /// Time passes until then.
    pub fn wait(&mut self, until: Instant) {
        while let Some(at) = self.gateway.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.plus(at.since(self.now.mono));
            let began = cpu();
            self.gateway.handle(Input::Timeout, self.now);
            self.drain();
            self.note(began);
        }
        self.now = self.now.plus(until.since(self.now.mono));
    }

    /// The last final answer that was sent.
    pub fn answer(&mut self) -> Response {
        let answers = self.sent.drain(..).filter_map(|(_, bytes)| match Message::parse(&bytes) {
            Ok(Message::Response(response)) if response.status.is_final() => Some(response),
            _ => None,
        });
        answers.last().expect("an answer")
    }

    fn note(&mut self, began: Duration) {
        let took = cpu() - began;
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
                Output::Media(MediaCommand::Close { leg }) => {
                    let closed = MediaEvent::Closed { leg, figures: Default::default() };
                    self.gateway.handle(Input::Media(closed), self.now);
                }
                other => drop(black_box(other)),
            }
        }
    }
}

/// A telephone behind a NAT of its own.
pub struct Phone {
    pub number: u64,
    pub remote: SocketAddr,
    pub seq: u32,
    rng: Rng,
    shown: Option<String>,
}

/// The password of an extension.
pub fn password(number: u64) -> Secret {
    Secret::new(format!("secret-{number}"))
}

impl Phone {
    pub fn new(number: u64) -> Self {
        let [.., high, low] = number.to_be_bytes();
        let remote = SocketAddr::from(([203, 0, high, low], 41_000));
        Self { number, remote, seq: 0, rng: Rng::from_number(number), shown: None }
    }

    /// Its next REGISTER.
    pub fn register(&mut self) -> Bytes {
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

    /// Shows credentials for this challenge from now on.
    pub fn take(&mut self, refusal: &Response, algorithm: Algorithm) {
        self.shown = Some(self.credentials(refusal, algorithm, "REGISTER", "sip:198.51.100.1"));
    }

    /// Credentials for one request.
    pub fn credentials(&mut self, refusal: &Response, algorithm: Algorithm, method: &str, uri: &str) -> String {
        let challenges = refusal.headers.fields_of(&Name::WwwAuthenticate).filter_map(Challenge::parse);
        let mut challenge = challenges.into_iter().find(|c| c.algorithm() == algorithm).expect("a challenge");
        challenge.answer(&self.number.to_string(), &password(self.number), method, uri, &mut self.rng)
    }
}
