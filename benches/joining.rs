//! How long who comes in waits: from the offer to the first voice and to the first picture, over loopback, with the planes'
//! own threads, in real time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    missing_docs,
    reason = "a measuring program that stops where it cannot go on"
)]

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringlift::base::{LegId, ParticipantId, Rng, RoomId};
use ringlift::engine::clock::Clock;
use ringlift::engine::media::{self, MediaPlane};
use ringlift::engine::web::{Settings, WebPlane};
use ringlift::media::clip::ClipLibrary;
use ringlift::media::command::MediaCommand;
use ringlift::media::web::{Source, WebCommand, WebEvent, Wish};
use ringlift::webrtc::{Candidate, Wire};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::format::Codec;
use str0m::media::{Direction, ExtensionValues, MediaKind, Mid};
use str0m::net::{DatagramRecv, Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Event, Input, Output, Rtc};

const ROOM: RoomId = RoomId::from_bits(1);
/// How often somebody comes in.
const TIMES: u64 = 20;
/// Nobody waits so long.
const LIMIT: Duration = Duration::from_secs(10);
/// Between two looks at sockets: what is measured is true to this.
const LOOK: Duration = Duration::from_millis(1);

fn main() {
    // `cargo test --benches` runs this too; there is nothing to test.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut house = House::open();
        house.come(1).await;
        let (mut voices, mut pictures) = (Vec::new(), Vec::new());
        for number in 0..TIMES {
            let waited = house.come(2 + number).await;
            voices.push(waited.0);
            pictures.push(waited.1);
            house.leave(2 + number);
        }
        for (what, mut waited) in [("voice", voices), ("picture", pictures)] {
            waited.sort_unstable();
            let (middle, worst) = (waited[waited.len() / 2], waited[waited.len() - 1]);
            println!(
                "from the offer to the first {what:8} {middle:8.1?} in the middle, {worst:.1?} at worst, of {TIMES}"
            );
        }
        house.close().await;
    });
}

/// The planes, and everybody's browsers.
struct House {
    media: MediaPlane,
    web: WebPlane,
    hub: SocketAddr,
    browsers: Vec<Browser>,
}

/// A browser with a socket of its own. The first of all speaks and films all the time.
struct Browser {
    leg: LegId,
    rtc: Rtc,
    socket: UdpSocket,
    address: SocketAddr,
    microphone: Mid,
    camera: Mid,
    began: Instant,
    connected: bool,
    voice: Option<Duration>,
    picture: Option<Duration>,
    keyframe: bool,
    spoken: u64,
    filmed: u64,
}

impl House {
    fn open() -> Self {
        let clock = Clock::start();
        let settings = media::Settings {
            threads: 1,
            v4: Some(Ipv4Addr::LOCALHOST),
            v6: None,
            first_port: 19_100,
            last_port: 19_199,
            quarantine: Duration::from_millis(50),
            identity: None,
        };
        let clips = Arc::new(ClipLibrary::with_tones());
        let mut media = MediaPlane::start(settings, clips, clock, Rng::from_number(1)).unwrap();
        let ends = media.web_ends().unwrap();
        let hub = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let candidates = vec![Candidate { wire: Wire::Udp, address: hub }];
        let settings = Settings { udp: vec![hub], tcp: Vec::new(), candidates, max_peers: 20 };
        let web = WebPlane::start(settings, ends, clock, Rng::from_number(2)).unwrap();
        Self { media, web, hub, browsers: Vec::new() }
    }

    /// Somebody comes in and watches the first; how long until the first voice and the first picture.
    async fn come(&mut self, number: u64) -> (Duration, Duration) {
        let (browser, offer, pending) = Browser::new(number);
        let (leg, participant) = (browser.leg, ParticipantId::from_bits(number));
        self.browsers.push(browser);
        self.media.send(MediaCommand::OpenWeb { leg });
        self.media.send(MediaCommand::Join { leg, room: ROOM, participant, muted: false, keys: false });
        self.web.send(WebCommand::Offer { leg, sdp: offer });
        self.web.send(WebCommand::Place { leg, place: Some((ROOM, participant)) });
        for source in [Source::Microphone, Source::Camera] {
            self.web.send(WebCommand::Publish { leg, source, on: true });
        }
        let first = number == 1;
        if !first {
            let wish = Wish { slot: 0, participant: ParticipantId::from_bits(1), source: Source::Camera, height: 360 };
            self.web.send(WebCommand::Watch { leg, wishes: vec![wish] });
        }
        let mut pending = Some(pending);
        loop {
            if let Some(answer) = self.pass(leg).await {
                let answer = SdpAnswer::from_sdp_string(&answer).unwrap();
                let pending = pending.take().expect("one answer");
                self.browsers.last_mut().unwrap().rtc.sdp_api().accept_answer(pending, answer).unwrap();
            }
            let browser = self.browsers.last().unwrap();
            assert!(browser.began.elapsed() < LIMIT, "{number}: nothing came");
            match (browser.voice, browser.picture) {
                (Some(voice), Some(picture)) => return (voice, picture),
                _ if first && browser.connected && browser.spoken > 50 => return Default::default(),
                _ => {}
            }
        }
    }

    /// A look at every socket, and at what the planes say; the answer to this leg's offer, where it came.
    async fn pass(&mut self, leg: LegId) -> Option<String> {
        for (index, browser) in self.browsers.iter_mut().enumerate() {
            browser.live(self.hub, index == 0);
        }
        let said = tokio::time::timeout(LOOK, async {
            tokio::select! {
                event = self.web.next() => Some(event),
                _ = self.media.next() => None,
            }
        });
        match said.await.ok().flatten() {
            Some(WebEvent::Answered { leg: of, sdp }) if of == leg => Some(sdp),
            Some(WebEvent::Refused { why, .. }) => panic!("{why}"),
            _ => None,
        }
    }

    fn leave(&mut self, number: u64) {
        let leg = LegId::from_bits(number);
        self.web.send(WebCommand::Close { leg });
        self.media.send(MediaCommand::Close { leg });
        self.browsers.retain(|browser| browser.leg != leg);
    }

    async fn close(self) {
        self.web.finish().await;
        self.media.finish().await;
    }
}

impl Browser {
    fn new(number: u64) -> (Self, String, SdpPendingOffer) {
        let began = Instant::now();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let address = socket.local_addr().unwrap();
        let mut rtc = Rtc::builder().set_rtp_mode(true).build(began);
        rtc.add_local_candidate(str0m::Candidate::host(address, "udp").unwrap());
        let mut api = rtc.sdp_api();
        let microphone = api.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
        let camera = api.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
        for _ in 0..4 {
            api.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        }
        for _ in 0..9 {
            api.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        }
        let (offer, pending) = api.apply().unwrap();
        let browser = Self {
            leg: LegId::from_bits(number),
            rtc,
            socket,
            address,
            microphone,
            camera,
            began,
            connected: false,
            voice: None,
            picture: None,
            keyframe: true,
            spoken: 0,
            filmed: 0,
        };
        (browser, offer.to_sdp_string(), pending)
    }

    /// What has come is taken, what is due is sent.
    fn live(&mut self, hub: SocketAddr, speaks: bool) {
        let mut bytes = [0; 2000];
        while let Ok((length, _)) = self.socket.recv_from(&mut bytes) {
            let contents = DatagramRecv::try_from(&bytes[..length]).unwrap();
            let receive = Receive { proto: Protocol::Udp, source: hub, destination: self.address, contents };
            self.rtc.handle_input(Input::Receive(Instant::now(), receive)).unwrap();
            self.drain();
        }
        if speaks && self.connected {
            self.speak();
            self.film();
        }
        self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
        self.drain();
    }

    fn speak(&mut self) {
        if self.began.elapsed() < Duration::from_millis(20 * self.spoken) {
            return;
        }
        let pt = self.rtc.codec_config().find(|params| params.spec().codec == Codec::Opus).unwrap().pt();
        let levels =
            ExtensionValues { audio_level: Some(-20), voice_activity: Some(true), ..ExtensionValues::default() };
        let timestamp = u32::try_from(self.spoken * 960).unwrap();
        let packet = RtpWrite::new(pt, (500 + self.spoken).into(), timestamp, Instant::now(), vec![0x78; 80]);
        self.spoken += 1;
        let mut direct = self.rtc.direct_api();
        direct.stream_tx_by_mid(self.microphone, None).unwrap().write_rtp(packet.ext_vals(levels));
    }

    /// Thirty frames a second of one packet; a keyframe where one was asked for.
    fn film(&mut self) {
        if self.began.elapsed() < Duration::from_millis(33 * self.filmed) {
            return;
        }
        let pt = self.rtc.codec_config().find(|params| params.spec().codec == Codec::Vp8).unwrap().pt();
        let mut payload = vec![0x10, u8::from(!std::mem::take(&mut self.keyframe))];
        payload.resize(1000, 7);
        let timestamp = u32::try_from(self.filmed * 33 * 90).unwrap();
        let packet = RtpWrite::new(pt, (1000 + self.filmed).into(), timestamp, Instant::now(), payload).marker(true);
        self.filmed += 1;
        let mut direct = self.rtc.direct_api();
        direct.stream_tx_by_mid(self.camera, None).unwrap().write_rtp(packet);
    }

    fn drain(&mut self) {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(_) => return,
                Output::Transmit(transmit) => drop(self.socket.send_to(&transmit.contents, transmit.destination)),
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(Event::KeyframeRequest(_)) => self.keyframe = true,
                Output::Event(Event::RtpPacket(packet)) => {
                    let pt = packet.header.payload_type;
                    let opus =
                        self.rtc.codec_config().find(|params| params.pt() == pt).map(|params| params.spec().codec);
                    let first = if opus == Some(Codec::Opus) { &mut self.voice } else { &mut self.picture };
                    first.get_or_insert_with(|| self.began.elapsed());
                }
                Output::Event(_) => {}
            }
        }
    }
}
