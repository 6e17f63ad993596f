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

#[path = "browser/mod.rs"]
mod browser;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use ringlift::base::{LegId, ParticipantId, Rng, RoomId};
use ringlift::engine::clock::Clock;
use ringlift::engine::media::{self, MediaPlane};
use ringlift::engine::web::{Settings, WebPlane};
use ringlift::media::clip::ClipLibrary;
use ringlift::media::command::MediaCommand;
use ringlift::media::web::{Source, WebCommand, WebEvent, Wish};
use ringlift::webrtc::{Candidate, Wire};

use browser::Browser;

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
    /// The first speaks and films all the time.
    browsers: Vec<(LegId, Browser)>,
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
            wing: ringlift::media::bridge::WING,
            real_time: false,
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
        let (browser, offer, pending) = Browser::new(vec![vec![0x78; 80]]);
        let (leg, participant) = (LegId::from_bits(number), ParticipantId::from_bits(number));
        self.browsers.push((leg, browser));
        self.media.send(MediaCommand::OpenWeb { leg });
        self.media.send(MediaCommand::Join { leg, room: ROOM, participant, muted: false, keys: false, audience: None });
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
                self.browsers.last_mut().unwrap().1.take(pending.take().expect("one answer"), &answer);
            }
            let (_, browser) = self.browsers.last().unwrap();
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
        for (index, (_, browser)) in self.browsers.iter_mut().enumerate() {
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
        self.browsers.retain(|(of, _)| *of != leg);
    }

    async fn close(self) {
        self.web.finish().await;
        self.media.finish().await;
    }
}
