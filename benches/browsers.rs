//! What browsers cost the web thread: a listener in a room of a hundred with three voices, and a viewer of one picture, without
//! the calls of the operating system (which `packets` measures). The first against what it would cost to encode for each listener.
//!
//! Time is made up; what is measured is the thread's CPU between two readings.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    unsafe_code,
    missing_docs,
    reason = "a measuring program that stops where it cannot go on"
)]

use std::collections::VecDeque;
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

use ringlift::base::{Instant, LegId, ParticipantId, Rng, RoomId};
use ringlift::media::web::{Packet, SlotFrame, Source, WebCommand, WebEvent, Wish};
use ringlift::webrtc::epoch::Epoch;
use ringlift::webrtc::hub::Hub;
use ringlift::webrtc::identity::Identity;
use ringlift::webrtc::{Candidate, Output, Settings, Via, Wire};
use str0m::change::SdpAnswer;
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{DatagramRecv, Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Event, Input, Output as Out, Rtc};

const ROOM: RoomId = RoomId::from_bits(1);
const HUB: &str = "10.0.0.1:8189";
const VIA: Via = Via { wire: Wire::Udp, socket: 0, local: None };
/// Browsers in the room.
const BROWSERS: u64 = 100;
/// Voices at once.
const VOICES: u8 = 3;
/// Seconds measured.
const SECONDS: u64 = 5;
/// A camera: frames a second, packets a frame, bytes a packet: 1.3 Mbit/s.
const FRAMES: u64 = 30;
const PACKETS: u64 = 5;
const BYTES: usize = 1100;

fn main() {
    // `cargo test --benches` runs this too; there is nothing to test.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let mut room = Room::full();
    let listener = room.listen();
    let encoding = encode();
    println!(
        "a listener of {VOICES} voices       {listener:8.1} µs of CPU per second, with encryption, in a room of {BROWSERS}"
    );
    println!("an encoder of its own       {encoding:8.1} µs of CPU per second");
    println!("ratio                       {:8.3} (goal: at most 0.25)", listener / encoding);
    let (viewer, packet) = room.view();
    println!("a viewer of one picture     {viewer:8.1} µs of CPU per second at 1.3 Mbit/s, {packet:.2} µs per packet");
    println!("a core forwards             {:8.0} such pictures", 1e6 / viewer);
}

/// A browser at the far end.
struct Browser {
    rtc: Rtc,
    address: SocketAddr,
    camera: Mid,
    connected: bool,
}

struct Room {
    hub: Hub,
    browsers: Vec<Browser>,
    epoch: Epoch,
    now: Instant,
}

impl Room {
    /// Everyone connected and let in.
    fn full() -> Self {
        let candidates = vec![Candidate { wire: Wire::Udp, address: HUB.parse().unwrap() }];
        let settings = Settings { candidates, max_peers: 1000 };
        let epoch = Epoch(std::time::Instant::now());
        let hub = Hub::new(settings, Identity::generate().unwrap(), epoch, Rng::from_number(1));
        let mut room = Self { hub, browsers: Vec::new(), epoch, now: Instant::from_start(Duration::from_secs(1)) };
        for number in 0..BROWSERS {
            room.join(number);
            // One after the other: that many handshakes at once would be refused.
            for _ in 0..3000 {
                room.pass(true);
                if room.browsers.last().is_some_and(|browser| browser.connected) {
                    break;
                }
            }
        }
        assert!(room.browsers.iter().all(|browser| browser.connected));
        room
    }

    fn join(&mut self, number: u64) {
        let mut rtc = Rtc::builder().set_rtp_mode(true).build(self.epoch.outward(self.now));
        let address = SocketAddr::from(([10, 0, 1, u8::try_from(number).unwrap()], 5000));
        rtc.add_local_candidate(str0m::Candidate::host(address, "udp").unwrap());
        let mut api = rtc.sdp_api();
        api.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
        let camera = api.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
        for _ in 0..4 {
            api.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        }
        for _ in 0..9 {
            api.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        }
        let (offer, pending) = api.apply().unwrap();
        let (leg, participant) = (LegId::from_bits(number), ParticipantId::from_bits(number));
        self.hub.command(WebCommand::Offer { leg, sdp: offer.to_sdp_string() }, self.now);
        let answer = std::iter::from_fn(|| self.hub.poll_output()).find_map(|output| match output {
            Output::Event(WebEvent::Answered { sdp, .. }) => Some(sdp),
            _ => None,
        });
        let answer = SdpAnswer::from_sdp_string(&answer.expect("an answer")).unwrap();
        rtc.sdp_api().accept_answer(pending, answer).unwrap();
        self.hub.command(WebCommand::Place { leg, place: Some((ROOM, participant)) }, self.now);
        self.hub.command(WebCommand::Publish { leg, source: Source::Camera, on: true }, self.now);
        self.browsers.push(Browser { rtc, address, camera, connected: false });
    }

    /// A millisecond, with the browsers' ends alive; only the last one's where that is enough.
    fn pass(&mut self, last: bool) {
        self.now = self.now + Duration::from_millis(1);
        let at = self.epoch.outward(self.now);
        let from = if last { self.browsers.len() - 1 } else { 0 };
        let mut sent = VecDeque::new();
        for browser in &mut self.browsers[from..] {
            browser.rtc.handle_input(Input::Timeout(at)).unwrap();
            drain(browser, &mut sent);
        }
        for (address, bytes) in sent {
            self.hub.receive(VIA, address, &bytes, self.now);
        }
        self.hub.advance(self.now);
        let mut back = VecDeque::new();
        while let Some(output) = self.hub.poll_output() {
            let Output::Send { to, bytes, .. } = output else { continue };
            let Some(browser) = self.browsers.iter_mut().find(|browser| browser.address == to) else { continue };
            let contents = DatagramRecv::try_from(bytes.as_slice()).unwrap();
            let receive = Receive { proto: Protocol::Udp, source: HUB.parse().unwrap(), destination: to, contents };
            browser.rtc.handle_input(Input::Receive(at, receive)).unwrap();
            drain(browser, &mut back);
        }
        for (address, bytes) in back {
            self.hub.receive(VIA, address, &bytes, self.now);
        }
    }

    /// CPU per listener and second while three telephones speak.
    fn listen(&mut self) -> f64 {
        let mut spent = Duration::ZERO;
        for tick in 0..SECONDS * 50 {
            self.now = self.now + Duration::from_millis(20);
            let began = cpu();
            for slot in 0..VOICES {
                let frame = SlotFrame {
                    room: ROOM,
                    slot,
                    participant: ParticipantId::from_bits(1000 + u64::from(slot)),
                    audience: None,
                    timestamp: u32::try_from(tick * 960).unwrap(),
                    first: false,
                    payload: Packet::copy(&[0x78; 80]).unwrap(),
                };
                self.hub.voice(&frame, self.now);
            }
            self.hub.advance(self.now);
            while let Some(output) = self.hub.poll_output() {
                black_box(output);
            }
            spent += cpu() - began;
            // Checks and reports of the browsers, so that nobody is taken for lost.
            self.pass(false);
        }
        spent.as_secs_f64() * 1e6 / (SECONDS * BROWSERS) as f64
    }

    /// CPU per viewer and second, and per packet, while everyone watches the first.
    fn view(&mut self) -> (f64, f64) {
        let wish = Wish { slot: 0, participant: ParticipantId::from_bits(0), source: Source::Camera, height: 360 };
        for number in 1..BROWSERS {
            let command = WebCommand::Watch { leg: LegId::from_bits(number), wishes: vec![wish] };
            self.hub.command(command, self.now);
        }
        let (mut spent, mut sequence) = (Duration::ZERO, 1000u64);
        let before = |room: &Self| room.hub.counts().pictures;
        let mut forwarded = 0;
        for frame in 0..SECONDS * FRAMES {
            let mut sent = VecDeque::new();
            self.film(&mut sequence, frame % (FRAMES / 2) == 0, &mut sent);
            let counted = before(self);
            let began = cpu();
            for (address, bytes) in &sent {
                self.hub.receive(VIA, *address, bytes, self.now);
            }
            self.hub.advance(self.now);
            while let Some(output) = self.hub.poll_output() {
                black_box(output);
            }
            spent += cpu() - began;
            forwarded += before(self) - counted;
            for _ in 0..33 {
                self.pass(false);
            }
        }
        let expected = SECONDS * FRAMES * PACKETS * (BROWSERS - 1);
        assert!(forwarded * 10 >= expected * 8, "{forwarded} of {expected} packets were handed on");
        let packet = spent.as_secs_f64() * 1e6 / forwarded as f64;
        (packet * (FRAMES * PACKETS) as f64, packet)
    }

    /// A frame of the first browser's camera, encrypted.
    fn film(&mut self, sequence: &mut u64, keyframe: bool, sent: &mut VecDeque<(SocketAddr, Vec<u8>)>) {
        let at = self.epoch.outward(self.now);
        let browser = &mut self.browsers[0];
        let pt = browser.rtc.codec_config().find(|params| params.spec().codec == Codec::Vp8).unwrap().pt();
        let timestamp = u32::try_from(self.now.since_start().as_millis() * 90).unwrap();
        for index in 0..PACKETS {
            let mut payload = vec![if index == 0 { 0x10 } else { 0 }, u8::from(!keyframe)];
            payload.resize(BYTES, 7);
            let packet = RtpWrite::new(pt, (*sequence).into(), timestamp, at, payload);
            *sequence += 1;
            let mut direct = browser.rtc.direct_api();
            direct.stream_tx_by_mid(browser.camera, None).unwrap().write_rtp(packet.marker(index + 1 == PACKETS));
        }
        browser.rtc.handle_input(Input::Timeout(at)).unwrap();
        drain(browser, sent);
    }
}

fn drain(browser: &mut Browser, sent: &mut VecDeque<(SocketAddr, Vec<u8>)>) {
    loop {
        match browser.rtc.poll_output().unwrap() {
            Out::Timeout(_) => return,
            Out::Transmit(transmit) => sent.push_back((browser.address, transmit.contents.to_vec())),
            Out::Event(Event::Connected) => browser.connected = true,
            Out::Event(_) => {}
        }
    }
}

/// CPU per second of encoding 20 ms packets of speech at the complexity of the media plane.
fn encode() -> f64 {
    let mut encoder = opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Voip).unwrap();
    encoder.set_complexity(5).unwrap();
    let (mut out, mut rng) = ([0u8; 1275], Rng::from_number(3));
    let samples: Vec<i16> = (0..48_000u32)
        .map(|n| {
            let tone = f64::from(n) * 220.0 / 48_000.0 * std::f64::consts::TAU;
            let noise = rng.below(2000) as f64 - 1000.0;
            (6000.0 * tone.sin() + 3000.0 * (tone * 3.1).sin() + noise) as i16
        })
        .collect();
    let began = cpu();
    for _ in 0..SECONDS {
        for frame in samples.chunks(960) {
            black_box(encoder.encode(frame, &mut out).unwrap());
        }
    }
    (cpu() - began).as_secs_f64() * 1e6 / SECONDS as f64
}

/// What this thread has used.
fn cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for one timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
}
