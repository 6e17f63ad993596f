//! Browsers, the network between, and the time that passes.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant as Standard};

use str0m::change::SdpAnswer;
use str0m::format::Codec;
use str0m::media::{Direction, ExtensionValues, MediaKind, Mid, Pt, Rid, Simulcast, SimulcastLayer};
use str0m::net::{DatagramRecv, Protocol, Receive};
use str0m::rtp::{RtpPacket, RtpWrite};
use str0m::{Event, Input, Output as Out, Rtc};

use crate::base::{Instant, LegId, ParticipantId, Rng, RoomId};
use crate::media::audience::Audience;
use crate::media::web::{Packet, SlotFrame, Source, Voice, WebCommand, WebEvent, Wish};
use crate::webrtc::epoch::Epoch;
use crate::webrtc::hub::Hub;
use crate::webrtc::identity::Identity;
use crate::webrtc::{Candidate, Output, Settings, Via, Wire};

pub const ROOM: RoomId = RoomId::from_bits(77);
pub const HUB: &str = "10.0.0.1:8189";

/// A browser.
pub struct Browser {
    pub leg: LegId,
    pub who: ParticipantId,
    pub rtc: Rtc,
    pub address: SocketAddr,
    pub mids: Vec<Mid>,
    pub connected: bool,
    pub heard: BTreeMap<Mid, Vec<RtpPacket>>,
    pub keyframes_asked: Vec<(Instant, Option<Rid>)>,
    /// Nothing of it passes while it is in a tunnel.
    pub in_tunnel: bool,
    /// How much reached it.
    pub reached: Reached,
    /// From where its pictures' packets are counted.
    pub counts_from: u64,
    sequence: BTreeMap<String, u64>,
}

/// Packets and bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reached {
    pub packets: u64,
    pub bytes: u64,
}

/// All of it.
pub struct House {
    pub hub: Hub,
    pub now: Instant,
    epoch: Epoch,
    pub browsers: Vec<Browser>,
    pub events: Vec<WebEvent>,
    pub voices: Vec<Voice>,
    /// One in so many datagrams is lost, both ways; 0: none.
    pub loss: u64,
    rng: Rng,
    wire: VecDeque<(Instant, SocketAddr, SocketAddr, Vec<u8>)>,
}

pub fn at(ms: u64) -> Instant {
    Instant::from_start(Duration::from_millis(ms))
}

impl House {
    #[allow(clippy::disallowed_methods, reason = "a beginning is needed; no time passes by it")]
    pub fn new() -> Self {
        let epoch = Epoch(Standard::now());
        let candidates = vec![Candidate { wire: Wire::Udp, address: HUB.parse().unwrap() }];
        let settings = Settings { candidates, max_peers: 10 };
        let hub = Hub::new(settings, Identity::generate().unwrap(), epoch, Rng::from_number(7));
        Self {
            hub,
            now: at(1000),
            epoch,
            browsers: Vec::new(),
            events: Vec::new(),
            voices: Vec::new(),
            loss: 0,
            rng: Rng::from_number(9),
            wire: VecDeque::new(),
        }
    }

    /// A browser that offers, is answered, and comes into the room with everything permitted.
    pub fn join(&mut self, number: u64) -> usize {
        let (mut browser, offer, pending) = self.browser(number);
        let answer = self.offer(browser.leg, offer);
        browser.rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&answer).unwrap()).unwrap();
        self.place(&browser);
        self.browsers.push(browser);
        self.browsers.len() - 1
    }

    pub fn place(&mut self, browser: &Browser) {
        let (leg, who) = (browser.leg, browser.who);
        self.order(WebCommand::Place { leg, place: Some((ROOM, who)) });
        for source in [Source::Microphone, Source::Camera, Source::Screen] {
            self.order(WebCommand::Publish { leg, source, on: true });
        }
    }

    /// A browser before its offer is given.
    pub fn browser(&mut self, number: u64) -> (Browser, String, str0m::change::SdpPendingOffer) {
        let mut rtc = Rtc::builder().set_rtp_mode(true).build(self.epoch.outward(self.now));
        let address: SocketAddr = format!("10.0.1.{number}:5000").parse().unwrap();
        rtc.add_local_candidate(str0m::Candidate::host(address, "udp").unwrap());
        let mut api = rtc.sdp_api();
        let mut simulcast = Simulcast::new();
        for rid in ["q", "h", "f"] {
            simulcast.add_send_layer(SimulcastLayer::new(rid));
        }
        let mut mids = vec![
            api.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None),
            api.add_media(MediaKind::Video, Direction::SendOnly, None, None, Some(simulcast)),
            api.add_media(MediaKind::Video, Direction::SendOnly, None, None, None),
        ];
        for _ in 0..4 {
            mids.push(api.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None));
        }
        for _ in 0..3 {
            mids.push(api.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None));
        }
        api.add_channel("data".into());
        let (offer, pending) = api.apply().unwrap();
        let browser = Browser {
            leg: LegId::from_bits(number),
            who: ParticipantId::from_bits(number + 100),
            rtc,
            address,
            mids,
            connected: false,
            heard: BTreeMap::new(),
            keyframes_asked: Vec::new(),
            in_tunnel: false,
            reached: Reached::default(),
            counts_from: 1000,
            sequence: BTreeMap::new(),
        };
        (browser, offer.to_sdp_string(), pending)
    }

    pub fn offer(&mut self, leg: LegId, sdp: String) -> String {
        self.order(WebCommand::Offer { leg, sdp });
        match self.events.iter().rev().find(|event| matches!(event, WebEvent::Answered { leg: of, .. } if *of == leg)) {
            Some(WebEvent::Answered { sdp, .. }) => sdp.clone(),
            _ => panic!("{:?}", self.events.last()),
        }
    }

    pub fn order(&mut self, command: WebCommand) {
        self.hub.command(command, self.now);
        self.settle();
    }

    pub fn watch(&mut self, viewer: usize, wishes: &[(u8, usize, Source, u16)]) {
        let wish = |(slot, whom, source, height): &(u8, usize, Source, u16)| Wish {
            slot: *slot,
            participant: self.browsers[*whom].who,
            source: *source,
            height: *height,
        };
        let wishes = wishes.iter().map(wish).collect();
        self.order(WebCommand::Watch { leg: self.browsers[viewer].leg, wishes });
    }

    /// A room's voice, as the media plane hands it over.
    pub fn speak(&mut self, slot: u8, participant: ParticipantId, timestamp: u32) {
        self.whisper(slot, participant, None, timestamp);
    }

    /// One that is meant for some alone.
    pub fn whisper(&mut self, slot: u8, participant: ParticipantId, audience: Option<Audience>, timestamp: u32) {
        let payload = Packet::copy(&[0xf8, slot, 1, 2, 3]).unwrap();
        let frame = SlotFrame { room: ROOM, slot, participant, audience, timestamp, first: false, payload };
        self.hub.voice(&frame, self.now);
        self.settle();
    }

    /// What the hub wants done.
    fn settle(&mut self) {
        self.hub.advance(self.now);
        while let Some(output) = self.hub.poll_output() {
            match output {
                Output::Send { to, bytes, .. } => {
                    if self.loss == 0 || self.rng.below(self.loss) != 0 {
                        self.wire.push_back((self.now + Duration::from_millis(10), HUB.parse().unwrap(), to, bytes));
                    }
                }
                Output::Voice(voice) => self.voices.push(*voice),
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    /// Lets time pass, millisecond by millisecond.
    pub fn pass(&mut self, millis: u64) {
        for _ in 0..millis {
            self.now = self.now + Duration::from_millis(1);
            while self.wire.front().is_some_and(|(due, ..)| *due <= self.now) {
                let (_, from, to, bytes) = self.wire.pop_front().unwrap();
                self.deliver(from, to, &bytes);
            }
            for index in 0..self.browsers.len() {
                self.drive(index);
            }
            if self.hub.poll_timeout().is_some_and(|at| at <= self.now) {
                self.settle();
            }
        }
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        if to == HUB.parse::<SocketAddr>().unwrap() {
            self.hub.receive(Via { wire: Wire::Udp, socket: 0, local: None }, from, bytes, self.now);
            return self.settle();
        }
        let now = self.epoch.outward(self.now);
        let Some(index) = self.browsers.iter().position(|browser| browser.address == to && !browser.in_tunnel) else {
            return;
        };
        let receive = Receive {
            proto: Protocol::Udp,
            source: from,
            destination: to,
            contents: DatagramRecv::try_from(bytes).unwrap(),
        };
        let reached = &mut self.browsers[index].reached;
        (reached.packets, reached.bytes) = (reached.packets + 1, reached.bytes + bytes.len() as u64);
        self.browsers[index].rtc.handle_input(Input::Receive(now, receive)).unwrap();
        self.drain(index);
    }

    fn drive(&mut self, index: usize) {
        let now = self.epoch.outward(self.now);
        self.browsers[index].rtc.handle_input(Input::Timeout(now)).unwrap();
        self.drain(index);
    }

    fn drain(&mut self, index: usize) {
        let browser = &mut self.browsers[index];
        loop {
            match browser.rtc.poll_output().unwrap() {
                Out::Timeout(_) => break,
                Out::Transmit(transmit) => {
                    let lost = self.loss > 0 && self.rng.below(self.loss) == 0;
                    if !browser.in_tunnel && !lost {
                        let due = self.now + Duration::from_millis(10);
                        self.wire.push_back((due, transmit.source, transmit.destination, transmit.contents.to_vec()));
                    }
                }
                Out::Event(Event::Connected) => browser.connected = true,
                Out::Event(Event::RtpPacket(packet)) => {
                    let mut direct = browser.rtc.direct_api();
                    let mid = direct.stream_rx(&packet.header.ssrc).unwrap().mid();
                    browser.heard.entry(mid).or_default().push(packet);
                }
                Out::Event(Event::KeyframeRequest(request)) => browser.keyframes_asked.push((self.now, request.rid)),
                Out::Event(_) => {}
            }
        }
    }

    pub fn connect(&mut self) {
        for _ in 0..300 {
            self.pass(10);
            if self.browsers.iter().all(|browser| browser.connected) {
                return self.pass(50);
            }
        }
        panic!("no connection after three seconds");
    }
}

impl Browser {
    /// The layer's packets go out: one frame of so many packets.
    pub fn film(&mut self, house: (Epoch, Instant), line: usize, rid: Option<&str>, keyframe: bool, packets: usize) {
        let (mid, rid) = (self.mids[line], rid.map(Rid::from));
        let pt = self.pt(Codec::Vp8);
        let next = self.sequence.entry(format!("{mid} {rid:?}")).or_insert(self.counts_from);
        let timestamp = u32::try_from(house.1.since_start().as_millis() * 90 % (1 << 32)).unwrap();
        let picture = u16::try_from(*next & 0x7fff).unwrap();
        for index in 0..packets {
            let first = if index == 0 { 0x90 } else { 0x80 };
            let [high, low] = picture.to_be_bytes();
            let mut payload = vec![first, 0xe0, 0x80 | high, low, low, 0x20, u8::from(!keyframe), 0, 0];
            if keyframe && index == 0 {
                payload.extend([0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00]);
            }
            payload.resize(600, 7);
            let packet = RtpWrite::new(pt, (*next).into(), timestamp, house.0.outward(house.1), payload)
                .marker(index + 1 == packets)
                .nackable(true);
            *next += 1;
            self.rtc.direct_api().stream_tx_by_mid(mid, rid).unwrap().write_rtp(packet);
        }
    }

    pub fn say(&mut self, house: (Epoch, Instant), level: i8) {
        let mid = self.mids[0];
        let pt = self.pt(Codec::Opus);
        let next = self.sequence.entry(format!("{mid}")).or_insert(500);
        let timestamp = u32::try_from(*next * 960).unwrap();
        let levels =
            ExtensionValues { audio_level: Some(level), voice_activity: Some(true), ..ExtensionValues::default() };
        let packet = RtpWrite::new(pt, (*next).into(), timestamp, house.0.outward(house.1), vec![0xf8, 9, 9, 9]);
        *next += 1;
        self.rtc.direct_api().stream_tx_by_mid(mid, None).unwrap().write_rtp(packet.ext_vals(levels));
    }

    pub fn received(&self, line: usize) -> &[RtpPacket] {
        self.heard.get(&self.mids[line]).map_or(&[], Vec::as_slice)
    }

    fn pt(&self, codec: Codec) -> Pt {
        self.rtc.codec_config().find(|params| params.spec().codec == codec).unwrap().pt()
    }
}

impl House {
    pub fn clock(&self) -> (Epoch, Instant) {
        (self.epoch, self.now)
    }

    /// Cameras run for so long, thirty frames a second in the layers named, keyframes as they are asked for.
    pub fn film(&mut self, who: &[usize], layers: &[&str], millis: u64) {
        let mut asked: BTreeMap<usize, usize> = who.iter().map(|index| (*index, 0)).collect();
        for frame in 0..millis / 33 {
            for index in who {
                let clock = self.clock();
                let browser = &mut self.browsers[*index];
                let seen = asked.get_mut(index).unwrap();
                let wanted: Vec<Option<Rid>> = browser.keyframes_asked[*seen..].iter().map(|(_, rid)| *rid).collect();
                *seen = browser.keyframes_asked.len();
                for (number, rid) in layers.iter().enumerate() {
                    let keyframe = frame == 0 || wanted.contains(&Some(Rid::from(*rid)));
                    browser.film(clock, 1, Some(rid), keyframe, 1 + number);
                }
            }
            self.pass(33);
        }
    }
}
