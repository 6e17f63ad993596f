//! One browser's peer connection: str0m's machine, and what of it is ours: what each m-line is for, what comes in by which
//! layer, and the slots by which it is sent others.
//!
//! Packets are handed on as they come (str0m's RTP mode): no frame is put together and taken apart again, so that a picture's
//! first packet has left before its last has come, and one that is lost holds nobody up.

use std::sync::Arc;
use std::time::Instant as Standard;

use str0m::bwe::{Bitrate, BweKind};
use str0m::change::SdpOffer;
use str0m::format::{Codec, PayloadParams};
use str0m::media::{ExtensionValues, KeyframeRequestKind, Mid, Pt, Rid};
use str0m::net::{DatagramRecv, Protocol, Receive};
use str0m::rtp::{RtpPacket, RtpWrite, Ssrc};
use str0m::stats::PeerStats;
use str0m::{Event, Input, Output, Rtc};

use crate::base::{Instant, LegId, Rng};
use crate::media::web::{Packet, SlotFrame, Source, Voice};
use crate::webrtc::answer;
use crate::webrtc::epoch::Epoch;
use crate::webrtc::glance::{Glance, glance};
use crate::webrtc::identity::Identity;
use crate::webrtc::line::Line as Numbering;
use crate::webrtc::offer::{Offer, Role};
use crate::webrtc::published::{Inbound, Published};
use crate::webrtc::track::{Change, Numbers, Origin, Track, Verdict, numbers};
use crate::webrtc::{Candidate, Wire};

/// What a network is taken to carry before it was measured, in bits per second. More: a thin line stutters at first. Less:
/// everyone is blurred at first.
pub const FIRST_ESTIMATE: u64 = 1_000_000;
/// Between two reports of quality. Longer: a bad line is seen late. Shorter: more to count.
const STATISTICS: std::time::Duration = std::time::Duration::from_secs(3);
/// Answers taken from str0m in a row. It never has this many; without a bound a fault of its would hold everyone up.
const MOST_OUTPUTS: usize = 20_000;
/// What a packet without a level (RFC 6464) is taken for, in dB below full scale: a quiet voice.
const UNKNOWN_LEVEL: u8 = 45;
/// Up to this many bytes an Opus packet is silence or comfort noise (RFC 7587 §3.1.3).
const SILENCE: usize = 3;

/// What a browser did.
pub(super) enum Heard {
    /// A datagram leaves.
    Send(Wire, std::net::SocketAddr, Vec<u8>),
    /// Encrypted, both ways.
    Connected,
    /// It closed the connection, or it failed.
    Gone,
    /// Its voice.
    Voice(Box<Voice>),
    /// A packet of its camera or screen.
    Picture(Box<Picture>),
    /// It cannot decode what it is shown in a slot.
    Lost(u8),
    /// How well it is connected.
    Figures(Box<PeerStats>),
}

/// A packet of a camera or a screen.
pub(super) struct Picture {
    pub source: Source,
    pub layer: u8,
    pub packet: RtpPacket,
    pub numbers: Numbers,
    pub glance: Glance,
    pub params: PayloadParams,
}

/// A browser.
pub(super) struct Peer {
    leg: LegId,
    rtc: Rtc,
    epoch: Epoch,
    /// Which of the browser's peer connections it is.
    pub identity: (String, String),
    /// By which it is found.
    pub ufrag: String,
    pub published: Vec<Published>,
    inbound: Inbound,
    voices: Vec<VoiceSlot>,
    pictures: Vec<PictureSlot>,
    /// When str0m wants to be called.
    pub due: Instant,
    /// What its network carries towards it, in bits per second, once measured.
    pub estimate: Option<u64>,
    /// It is to be driven before the turn ends.
    pub dirty: bool,
    pub connected: bool,
    /// What it sends us, and we send it.
    pub meter: (Meter, Meter),
}

/// A running total, as bits per second since it was last looked at.
#[derive(Debug, Default)]
pub(super) struct Meter(Option<(u64, Standard)>);

impl Meter {
    /// The rate since the last time.
    pub fn since(&mut self, total: u64, at: Standard) -> u64 {
        let before = self.0.replace((total, at));
        let Some((bytes, since)) = before else { return 0 };
        let millis = u64::try_from(at.saturating_duration_since(since).as_millis()).unwrap_or(u64::MAX).max(1);
        total.saturating_sub(bytes).saturating_mul(8000) / millis
    }
}

struct VoiceSlot {
    mid: Mid,
    pt: Option<Pt>,
    numbering: Numbering,
}

struct PictureSlot {
    mid: Mid,
    track: Track,
    /// What the browser can decode there.
    accepted: Vec<Pt>,
    /// Its stream, as the browser was told of it, until somebody is to be shown here: str0m fills whatever streams of pictures
    /// it has with padding, 60 packets a second, to a browser that watches nobody.
    resting: Option<(Ssrc, Option<Ssrc>)>,
    /// The last translation of a payload type.
    translated: Option<(LegId, Pt, Option<Pt>)>,
}

/// What became of a packet that was to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Showed {
    Nothing,
    Sent,
    /// The first of another stream.
    Switched,
    AskAgain,
}

impl Peer {
    /// Answers a browser's offer.
    pub fn answer(
        leg: LegId,
        offer: &Offer,
        (identity, candidates): (&Identity, &[Candidate]),
        rng: &mut Rng,
        epoch: Epoch,
        now: Instant,
    ) -> Result<(Self, String), String> {
        let mut rtc = configure(identity).build(epoch.outward(now));
        for candidate in candidates {
            if let Some(candidate) = candidate.host() {
                rtc.add_local_candidate(candidate);
            }
        }
        let mut peer = Self {
            leg,
            rtc,
            epoch,
            identity: offer.identity.clone(),
            ufrag: String::new(),
            published: Vec::new(),
            inbound: Inbound::default(),
            voices: Vec::new(),
            pictures: Vec::new(),
            due: now,
            estimate: None,
            dirty: false,
            connected: false,
            meter: (Meter::default(), Meter::default()),
        };
        let answer = peer.renew(offer)?;
        for line in &offer.lines {
            let mid = Mid::from(line.mid.as_str());
            let accepted = peer.rtc.media(mid).map(|media| media.remote_pts().to_vec()).unwrap_or_default();
            let (sequence, timestamp) = (rng.next_u32(), rng.next_u32());
            let sequence = u16::try_from(sequence & 0xffff).unwrap_or_default();
            match line.role {
                Role::Microphone => peer.published.push(Published::new(Source::Microphone, mid, &[])),
                Role::Camera => peer.published.push(Published::new(Source::Camera, mid, &line.rids)),
                Role::Screen => peer.published.push(Published::new(Source::Screen, mid, &line.rids)),
                Role::Voice(_) => peer.voices.push(VoiceSlot {
                    mid,
                    pt: peer.payload_type(&accepted, Codec::Opus),
                    numbering: Numbering::new(sequence, timestamp),
                }),
                Role::Picture(_) => peer.pictures.push(PictureSlot {
                    mid,
                    track: Track::new(sequence, timestamp),
                    accepted,
                    resting: None,
                    translated: None,
                }),
                Role::Data | Role::Unused => {}
            }
        }
        peer.rest(|_| true);
        Ok((peer, answer))
    }

    /// Answers another offer of the same peer connection: its ways are renewed, everything else stays.
    pub fn renew(&mut self, offer: &Offer) -> Result<String, String> {
        let parsed = SdpOffer::from_sdp_string(&offer.text).map_err(|_| "the offer is not SDP that can be read")?;
        // The answer names every stream, and names those that rest as before.
        let rested: Vec<bool> = self.pictures.iter().map(|place| place.resting.is_some()).collect();
        for slot in 0..self.slots() {
            self.open(slot);
        }
        let answer = self.rtc.sdp_api().accept_offer(parsed);
        // The reason is str0m's own words about the description; none of them repeats a credential.
        let answer = answer.map_err(|error| format!("the offer cannot be answered: {error}"))?;
        self.ufrag = self.rtc.direct_api().local_ice_credentials().ufrag;
        self.rest(|slot| rested.get(slot).copied().unwrap_or(false));
        Ok(answer::dress(&answer.to_sdp_string(), &offer.lines))
    }

    /// Whether a check (RFC 8445 §7.3) that names it is from its browser.
    pub fn vouches(&self, datagram: &Received<'_>) -> bool {
        let Some(input) = datagram.input() else { return false };
        self.rtc.accepts(&Input::Receive(datagram.at, input))
    }

    /// A datagram has come; false where it is none that a browser sends.
    pub fn receive(&mut self, datagram: &Received<'_>, heard: &mut Vec<Heard>) -> bool {
        let Some(input) = datagram.input() else { return false };
        self.advance(Input::Receive(datagram.at, input), heard);
        true
    }

    /// Time has passed, or something was written.
    pub fn drive(&mut self, now: Instant, heard: &mut Vec<Heard>) {
        self.dirty = false;
        self.advance(Input::Timeout(self.epoch.outward(now)), heard);
    }

    /// Says goodbye.
    pub fn close(&mut self, now: Instant, heard: &mut Vec<Heard>) {
        let _ = self.rtc.close();
        self.drive(now, heard);
    }

    /// One of the room's voices; true where it is to be driven.
    pub fn speak(&mut self, frame: &SlotFrame, payload: &Arc<[u8]>, now: Instant) -> bool {
        let Some(slot) = self.voices.get_mut(usize::from(frame.slot)).filter(|_| self.connected) else { return false };
        let Some(pt) = slot.pt else { return false };
        let (sequence, timestamp) = slot.numbering.number(frame, now);
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_tx_by_mid(slot.mid, None) else { return false };
        let packet = RtpWrite::new(pt, sequence.into(), timestamp, self.epoch.outward(now), payload.clone());
        stream.write_rtp(packet.marker(frame.first));
        true
    }

    /// A packet of somebody who is watched in a slot.
    pub fn show(&mut self, slot: u8, origin: Origin, picture: &Picture, now: Instant) -> Showed {
        let connected = self.connected;
        let Some(place) = self.pictures.get_mut(usize::from(slot)).filter(|_| connected) else {
            return Showed::Nothing;
        };
        let from = picture.packet.header.payload_type;
        let pt = match place.translated {
            Some((leg, theirs, ours)) if (leg, theirs) == (origin.leg, from) => ours,
            _ => {
                let ours = self.rtc.codec_config().match_params(picture.params).map(PayloadParams::pt);
                let ours = ours.filter(|pt| place.accepted.contains(pt));
                place.translated = Some((origin.leg, from, ours));
                ours
            }
        };
        let Some(pt) = pt else { return Showed::Nothing };
        let payload = &picture.packet.payload;
        let verdict = place.track.take(origin, picture.numbers, &picture.glance, payload, now);
        let (sequence, timestamp, change, switched) = match verdict {
            Verdict::Drop => return Showed::Nothing,
            Verdict::AskAgain => return Showed::AskAgain,
            Verdict::Send { sequence, timestamp, change, switched } => (sequence, timestamp, change, switched),
        };
        let (payload, patch) = match change {
            Change::None => (payload.clone(), None),
            Change::Vp8(patch) => (payload.clone(), Some(patch)),
            Change::Rewritten(bytes) => (bytes.into(), None),
        };
        let extensions = ExtensionValues {
            video_orientation: picture.packet.header.ext_vals.video_orientation,
            ..ExtensionValues::default()
        };
        let mut packet = RtpWrite::new(pt, sequence.into(), timestamp, self.epoch.outward(now), payload)
            .marker(picture.packet.header.marker)
            .ext_vals(extensions)
            .nackable(true);
        if let Some(patch) = patch {
            packet = packet.vp8_patch(patch);
        }
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_tx_by_mid(place.mid, None) else { return Showed::Nothing };
        stream.write_rtp(packet);
        if switched { Showed::Switched } else { Showed::Sent }
    }

    /// The slot by which it is shown somebody.
    pub fn track(&mut self, slot: u8) -> Option<&mut Track> {
        self.pictures.get_mut(usize::from(slot)).map(|place| &mut place.track)
    }

    /// Somebody is to be shown in a slot: its stream begins.
    pub fn open(&mut self, slot: u8) {
        let Some(place) = self.pictures.get_mut(usize::from(slot)) else { return };
        if let Some((ssrc, repair)) = place.resting.take() {
            self.rtc.direct_api().declare_stream_tx(ssrc, repair, place.mid, None);
        }
    }

    /// The streams of these slots have carried nothing yet, and rest until they do.
    fn rest(&mut self, which: impl Fn(usize) -> bool) {
        for (_, place) in self.pictures.iter_mut().enumerate().filter(|(slot, _)| which(*slot)) {
            let mut direct = self.rtc.direct_api();
            let stream = direct.stream_tx_by_mid(place.mid, None).map(|stream| (stream.ssrc(), stream.rtx()));
            if let Some((ssrc, _)) = stream {
                direct.remove_stream_tx(ssrc);
            }
            place.resting = stream;
        }
    }

    /// Whether it is known that it cannot decode what a leg sends, where it would be shown in this slot.
    pub fn is_blind(&self, slot: u8, to: LegId) -> bool {
        let place = self.pictures.get(usize::from(slot));
        place.and_then(|place| place.translated).is_some_and(|(leg, _, ours)| leg == to && ours.is_none())
    }

    /// What a leg sends has ended: what comes of it later is another stream, perhaps by another codec.
    pub fn forget_origin(&mut self, from: LegId) {
        for place in &mut self.pictures {
            place.translated.take_if(|(leg, ..)| *leg == from);
            if place.track.flows().or(place.track.aimed()).is_some_and(|origin| origin.leg == from) {
                place.track.stop();
            }
        }
    }

    /// Its slots.
    pub fn slots(&self) -> u8 {
        u8::try_from(self.pictures.len()).unwrap_or(u8::MAX)
    }

    /// What it sends of a kind.
    pub fn publishes(&mut self, source: Source) -> Option<&mut Published> {
        self.published.iter_mut().find(|published| published.source == source)
    }

    /// How much is sent now beyond what flows, to find out what the network carries: up to the next step, and towards everything.
    pub fn probe(&mut self, next: u64, desired: u64) {
        self.rtc.bwe().set_bitrate(Bitrate::from(next), Bitrate::from(desired.max(next)));
    }

    /// Asks the browser for the keyframes that are wanted and may be asked for by now; true where it is to be driven.
    pub fn ask_for_keyframes(&mut self, now: Instant) -> bool {
        let mut asked = false;
        for published in &mut self.published {
            for rid in published.keyframes_to_ask_for(now) {
                let mut direct = self.rtc.direct_api();
                if let Some(stream) = direct.stream_rx_by_mid(published.mid, rid) {
                    stream.request_keyframe(KeyframeRequestKind::Pli);
                    asked = true;
                }
            }
        }
        asked
    }

    fn advance(&mut self, input: Input<'_>, heard: &mut Vec<Heard>) {
        if self.rtc.handle_input(input).is_err() {
            heard.push(Heard::Gone);
            return;
        }
        for _ in 0..MOST_OUTPUTS {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.due = self.epoch.inward(at);
                    break;
                }
                Ok(Output::Transmit(transmit)) => {
                    let wire = if transmit.proto == Protocol::Udp { Wire::Udp } else { Wire::Tcp };
                    heard.push(Heard::Send(wire, transmit.destination, transmit.contents.into()));
                }
                Ok(Output::Event(event)) => self.hear(event, heard),
                Err(_) => {
                    heard.push(Heard::Gone);
                    break;
                }
            }
        }
        if !self.rtc.is_alive() {
            heard.push(Heard::Gone);
        }
    }

    fn hear(&mut self, event: Event, heard: &mut Vec<Heard>) {
        match event {
            Event::Connected => {
                self.connected = true;
                heard.push(Heard::Connected);
            }
            Event::Closed => heard.push(Heard::Gone),
            Event::RtpPacket(packet) => self.packet(packet, heard),
            Event::KeyframeRequest(request) => {
                let slot = self.pictures.iter().position(|place| place.mid == request.mid);
                if let Some(slot) = slot.and_then(|slot| u8::try_from(slot).ok()) {
                    heard.push(Heard::Lost(slot));
                }
            }
            Event::EgressBitrateEstimate(BweKind::Twcc { estimate, can_probe }) => {
                self.estimate = can_probe.then(|| estimate.as_u64());
            }
            Event::EgressBitrateEstimate(BweKind::Remb { estimate, .. }) if self.estimate.is_none() => {
                self.estimate = Some(estimate.as_u64());
            }
            Event::PeerStats(stats) => heard.push(Heard::Figures(Box::new(stats))),
            _ => {}
        }
    }

    /// A packet of media.
    fn packet(&mut self, packet: RtpPacket, heard: &mut Vec<Heard>) {
        let now = self.epoch.inward(packet.timestamp);
        let Some((source, layer)) = self.whose(packet.header.ssrc) else { return };
        let pt = packet.header.payload_type;
        let Some(params) = self.rtc.codec_config().find(|params| params.pt() == pt).copied() else { return };
        let Some(published) = self.published.iter_mut().find(|published| published.source == source) else { return };
        let Some(highest) = published.came(layer, (packet.header.ssrc, *packet.seq_no), packet.payload.len(), now)
        else {
            return;
        };
        if source == Source::Microphone {
            if params.spec().codec == Codec::Opus
                && let Some(payload) = Packet::copy(&packet.payload)
            {
                let level = packet.header.ext_vals.audio_level.map(i8::unsigned_abs);
                heard.push(Heard::Voice(Box::new(Voice {
                    leg: self.leg,
                    sequence: packet.header.sequence_number,
                    timestamp: packet.header.timestamp,
                    level: level.unwrap_or(if packet.payload.len() <= SILENCE { 127 } else { UNKNOWN_LEVEL }).min(127),
                    payload,
                })));
            }
            return;
        }
        let glance = glance(params.spec().codec, &packet.payload);
        if let Some(height) = glance.height {
            published.is_high(layer, height);
        }
        let numbers = numbers(&packet, highest);
        heard.push(Heard::Picture(Box::new(Picture { source, layer, packet, numbers, glance, params })));
    }

    /// What a stream of its carries.
    fn whose(&mut self, ssrc: Ssrc) -> Option<(Source, u8)> {
        if let Some(known) = self.inbound.get(ssrc) {
            return Some(known);
        }
        let mut direct = self.rtc.direct_api();
        let stream = direct.stream_rx(&ssrc)?;
        let (mid, rid): (Mid, Option<Rid>) = (stream.mid(), stream.rid());
        let published = self.published.iter().find(|published| published.mid == mid)?;
        let known = (published.source, published.layer(rid)?);
        self.inbound.learn(ssrc, known);
        Some(known)
    }

    fn payload_type(&self, accepted: &[Pt], codec: Codec) -> Option<Pt> {
        let fits = |params: &PayloadParams| params.spec().codec == codec && accepted.contains(&params.pt());
        self.rtc.codec_config().find(fits).map(PayloadParams::pt)
    }
}

/// A datagram as str0m takes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Received<'a> {
    pub wire: Wire,
    pub from: std::net::SocketAddr,
    /// One of the candidates, of the same wire and family: to str0m every way in is this one.
    pub to: std::net::SocketAddr,
    pub bytes: &'a [u8],
    pub at: Standard,
}

impl<'a> Received<'a> {
    fn input(&self) -> Option<Receive<'a>> {
        let proto = if self.wire == Wire::Udp { Protocol::Udp } else { Protocol::Tcp };
        let contents = DatagramRecv::try_from(self.bytes).ok()?;
        Some(Receive { proto, source: self.from, destination: self.to, contents })
    }
}

/// As an SFU wants it: no checks of our own, packets as they are, and what is sent measured.
fn configure(identity: &Identity) -> str0m::RtcConfig {
    Rtc::builder()
        .set_crypto_provider(identity.provider())
        .set_dtls_cert(identity.certificate())
        .set_ice_lite(true)
        .set_rtp_mode(true)
        .clear_codecs()
        .enable_opus(true, false)
        .enable_vp8(true)
        .enable_h264(true)
        .enable_vp9(true)
        .enable_av1(true)
        .enable_bwe(Some(Bitrate::from(FIRST_ESTIMATE)))
        .set_stats_interval(Some(STATISTICS))
        // A data channel is negotiated for later, and not used: what a browser sends there takes no room.
        .set_sctp_max_message_size(16 * 1024)
        .set_sctp_max_buffered_amount(16 * 1024)
}
