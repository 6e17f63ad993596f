//! A leg's media: what comes in from one far end and what goes out to it.

use std::net::SocketAddr;
use std::time::Duration;

use super::command::{Direction, Figures, Format, LegSetup, MediaEvent, Remote, Security};
use super::conceal::Conceal;
use super::dial::{Dial, Order};
use super::egress::{Egress, Encoded};
use super::jitter::{JitterBuffer, Placed};
use super::latch::{Latch, Verdict};
use super::outlet::{LegKey, MAX_DATAGRAM, Outgoing, Outlet, Port};
use super::player::{Played, Playlist};
use super::press::{Pressed, Presses};
use super::reception::{Arrival, Reception};
use super::relay::{Payload, Relay};
use super::report::Reporter;
use super::srtp::{self, Guard, Refused};
use super::{Frame, LONGEST_PACKET, mix, samples_at};
use crate::base::{Instant, LegId};
use crate::wire::codec::g711::Law;
use crate::wire::rtp::rtcp::Compound;
use crate::wire::rtp::{Header, Packet, TelephoneEvent, is_rtcp};

/// Comfort noise (RFC 3389): taken as silence, negotiated or not, because phones send it unasked.
const COMFORT_NOISE: u8 = 13;

/// The room's gain under a prompt, of 256 (−14 dB). Higher: words are lost in talk. Lower: the room seems gone.
const DUCKED: i32 = 51;
const FULL: i32 = 256;

/// The room comes back this much per tick: 100 ms in all, while it leaves within one.
const RELEASE: i32 = 41;

/// One leg's media, boxed by its owner and free to move from thread to thread between ticks.
pub struct Leg {
    id: LegId,
    key: LegKey,
    latch: Latch,
    format: Format,
    life: Instant,
    timed_out: bool,
    media_timeout: Duration,
    playing: bool,
    duck: i32,
    counters: Counters,
    presses: Presses,
    egress: Egress,
    jitter: JitterBuffer,
    reception: Reception,
    reporter: Reporter,
    dial: Dial,
    playlist: Option<Playlist>,
    conceal: Conceal,
    guard: Guard,
    way: Way,
}

/// Where what comes from the far end goes at once, besides into the jitter buffer.
#[derive(Debug, Clone, Copy, Default)]
struct Way {
    /// To this leg.
    peer: Option<LegKey>,
    /// From the first packet on.
    relay: Option<Relay>,
    /// The engine has yet to hear that this changed.
    turned: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counters {
    received: u64,
    sent: u64,
    late: u64,
    duplicates: u64,
    strangers: u64,
    malformed: u64,
    unauthentic: u64,
    concealed: u64,
}

impl Leg {
    /// Begins a leg: from the next tick on it sends, silence included.
    pub fn new(id: LegId, setup: LegSetup, now: Instant) -> Self {
        let LegSetup { format, remote, security, ssrc, sequence, timestamp, cname, media_timeout } = setup;
        let seed = (u64::from(ssrc) << 32) ^ u64::from(timestamp) ^ (u64::from(sequence) << 16);
        Self {
            id,
            key: LegKey(u32::MAX),
            latch: Latch::new(remote),
            life: now,
            timed_out: false,
            media_timeout,
            playing: false,
            duck: FULL,
            counters: Counters::default(),
            presses: Presses::default(),
            egress: Egress::new(ssrc, sequence, timestamp, format.send_payload_type, format.ptime),
            jitter: JitterBuffer::default(),
            reception: Reception::default(),
            reporter: Reporter::new(&cname, seed, now),
            dial: Dial::default(),
            playlist: None,
            conceal: Conceal::default(),
            guard: Guard::new(security),
            way: Way::default(),
            format,
        }
    }

    /// Takes a datagram from the RTP socket; `peer` is the leg that [`Leg::peer`] names, to which it goes on at once.
    pub fn receive_rtp(
        &mut self,
        from: SocketAddr,
        bytes: &[u8],
        now: Instant,
        peer: Option<&mut Leg>,
        outlet: &mut impl Outlet,
        events: &mut Vec<MediaEvent>,
    ) {
        if self.latch.multiplexed() && is_rtcp(bytes) {
            return self.receive_rtcp(from, bytes, now);
        }
        let mut clear = [0; srtp::LONGEST];
        let bytes = if self.guard.is_on() {
            let opened = self.guard.open_rtp(bytes, &mut clear);
            let Some(length) = self.believe(opened) else { return };
            clear.get(..length).unwrap_or_default()
        } else {
            bytes
        };
        let Ok(packet) = Packet::parse(bytes) else {
            self.counters.malformed += 1;
            return;
        };
        let header = packet.header;
        let kind = header.payload_type;
        let is_event = self.format.telephone_event.is_some_and(|(_, receive)| receive == kind);
        if !is_event && kind != self.format.receive_payload_type && kind != COMFORT_NOISE {
            self.counters.malformed += 1;
            return;
        }
        if self.latch.judge_rtp(from, now) == Verdict::Stranger {
            self.counters.strangers += 1;
            return;
        }
        self.alive(now);
        if !self.format.direction.receives() {
            return;
        }
        if self.reception.ssrc() != Some(header.ssrc) {
            self.reception.begin(header.ssrc, header.sequence);
            self.jitter.reset();
        }
        match self.reception.arrive(header.sequence) {
            Arrival::Fresh => self.counters.received += 1,
            Arrival::Duplicate => {
                self.counters.duplicates += 1;
                return;
            }
            Arrival::Astray => {
                self.counters.malformed += 1;
                return;
            }
        }
        let other = |types: Option<(u8, u8)>| types.map(|(send, _)| Payload::Other(send));
        let passed = if is_event {
            let Ok(event) = TelephoneEvent::parse(packet.payload) else {
                self.counters.malformed += 1;
                return;
            };
            self.receive_event(header.timestamp, header.marker, event, now, events);
            other(peer.as_ref().and_then(|peer| peer.format.telephone_event))
        } else if kind == COMFORT_NOISE {
            self.jitter.insert_silence(header.timestamp);
            other(peer.as_ref().and_then(|peer| peer.format.comfort_noise))
        } else if packet.payload.len() > LONGEST_PACKET {
            self.counters.malformed += 1;
            return;
        } else {
            let arrived = samples_at(now);
            self.reception.time(arrived, header.timestamp);
            match self.jitter.insert(header.timestamp, packet.payload, arrived) {
                Placed::Waiting => Some(Payload::Audio(packet.payload.len() as i64)),
                Placed::Late => {
                    self.counters.late += 1;
                    Some(Payload::Audio(packet.payload.len() as i64))
                }
                Placed::Estranged => {
                    self.counters.late += 1;
                    None
                }
            }
        };
        if let Some(peer) = peer {
            self.pass_on(&header, passed, packet.payload, now, peer, outlet);
        }
    }

    /// The leg to which packets go on as they come.
    pub fn peer(&self) -> Option<LegKey> {
        self.way.peer
    }

    /// Whether packets go on as they come: nothing is to be mixed for that leg from this one.
    pub fn passes(&self) -> bool {
        self.way.relay.is_some()
    }

    /// Whether this far end's packets are what the other one may be sent as they are.
    pub fn may_pass_to(&self, peer: &Leg) -> bool {
        let (ours, theirs) = (&self.format, &peer.format);
        (ours.codec, ours.ptime) == (theirs.codec, theirs.ptime)
            && ours.direction.receives()
            && theirs.direction.sends()
            && !peer.hears_own()
            && peer.dial.is_idle()
            && peer.latch.rtp().is_some()
    }

    /// Says to which leg packets are to go on from now on.
    pub fn set_peer(&mut self, peer: Option<LegKey>) {
        self.way.peer = peer;
    }

    /// Notes that the engine is to hear of a change; whether it is news.
    pub fn turn(&mut self) -> bool {
        !std::mem::replace(&mut self.way.turned, true)
    }

    /// The engine has heard of it.
    pub fn turned(&mut self) {
        self.way.turned = false;
    }

    /// Stops passing packets on, for want of them or because the mix takes over; the leg they went to is the one that
    /// [`Leg::peer`] names. Returns whether it was passing.
    pub fn end_passing(&mut self, peer: Option<&mut Leg>) -> bool {
        let Some(relay) = self.way.relay.take() else { return false };
        if let Some(peer) = peer {
            relay.end(&mut self.jitter, &mut peer.egress);
        }
        self.jitter.recall(self.law(), &mut self.conceal);
        true
    }

    /// Whether nothing has been passed on for too long.
    pub fn starves(&self, now: Instant) -> bool {
        self.way.relay.is_some_and(|relay| relay.starves(now))
    }

    /// Whether this tick's audio was sent before it came, when packets were still passed on.
    pub fn is_early(&mut self) -> bool {
        self.egress.take_early()
    }

    /// Takes a datagram from the RTCP socket. RTCP counts as life: a phone that suppresses silence, or is muted at
    /// its own end, may send no RTP for minutes and goes on reporting; one that is gone sends neither.
    pub fn receive_rtcp(&mut self, from: SocketAddr, bytes: &[u8], now: Instant) {
        let mut clear = [0; srtp::LONGEST];
        let bytes = if self.guard.is_on() {
            let opened = self.guard.open_rtcp(bytes, &mut clear);
            let Some(length) = self.believe(opened) else { return };
            clear.get(..length).unwrap_or_default()
        } else {
            bytes
        };
        match Compound::parse(bytes) {
            Err(_) => self.counters.malformed += 1,
            Ok(_) if self.latch.judge_rtcp(from) == Verdict::Stranger => self.counters.strangers += 1,
            Ok(compound) => {
                self.alive(now);
                self.reporter.receive(compound, self.egress.ssrc(), now);
            }
        }
    }

    /// Applies a re-negotiation.
    pub fn modify(&mut self, format: Format, remote: Remote, security: Security, now: Instant) {
        self.guard.modify(security);
        self.latch.modify(remote);
        self.egress.modify(format.send_payload_type, format.ptime);
        let opened = format.direction.receives() && !self.format.direction.receives();
        let resumed = format.direction == Direction::SendRecv && self.format.direction != Direction::SendRecv;
        if opened || format.codec != self.format.codec || !format.direction.receives() {
            self.jitter.reset();
        }
        if resumed {
            // Their silence is counted from the moment at which they may send.
            self.alive(now);
        }
        self.format = format;
    }

    /// Plays clips to this leg alone, in place of what was playing.
    pub fn play(&mut self, playlist: Playlist) {
        self.playlist = Some(playlist);
        self.playing = true;
    }

    /// Ends what is playing.
    pub fn stop_playing(&mut self) {
        self.playlist = None;
        self.playing = false;
    }

    /// Queues a digit; without negotiated telephone-events there is no way to key it, and it is left out.
    pub fn send_digit(&mut self, digit: char, milliseconds: u16) {
        if self.format.telephone_event.is_some() {
            self.dial.push(digit, milliseconds);
        }
    }

    /// What falls due in a tick apart from audio: digits given up on, the latch, the timeout, RTCP.
    pub fn begin_tick(&mut self, now: Instant, outlet: &mut impl Outlet, events: &mut Vec<MediaEvent>) {
        let leg = self.id;
        while let Some(digit) = self.presses.expire(now) {
            events.push(MediaEvent::Digit { leg, digit });
        }
        if let Some(remote) = self.latch.poll_latched(now) {
            events.push(MediaEvent::Latched { leg, remote });
        }
        // A phone that holds us may play music, and may as well send nothing: only who is to talk is timed.
        let timed = self.format.direction == Direction::SendRecv;
        let silent = timed && now.since(self.life) >= self.media_timeout;
        if silent && !self.timed_out && !self.media_timeout.is_zero() {
            self.timed_out = true;
            events.push(MediaEvent::TimedOut { leg });
        }
        if self.reporter.poll_due(now) {
            self.send_report(false, now, outlet);
            events.push(MediaEvent::Measured { leg, figures: self.figures() });
        }
    }

    /// How loud the next frame is; zero where the room must not hear it.
    pub fn level(&self) -> u16 {
        if self.presses.is_down() { 0 } else { self.jitter.level(self.law()) }
    }

    /// Steps over the next frame, which nobody hears.
    pub fn skip(&mut self, now: Instant) {
        self.jitter.skip(samples_at(now));
    }

    /// Decodes the next frame, repaired where need be; `first` when the room did not hear the one before.
    pub fn take(&mut self, first: bool, now: Instant, out: &mut Frame) {
        if first {
            self.conceal.reset();
        }
        if self.presses.is_down() {
            self.jitter.skip(samples_at(now));
            self.conceal.silent(out);
            return;
        }
        let law = self.law();
        if self.jitter.take(samples_at(now), law, &mut self.conceal, out) {
            self.counters.concealed += 1;
        }
    }

    /// Whether this leg hears something that nobody else does.
    pub fn hears_own(&self) -> bool {
        self.playing || self.duck != FULL
    }

    /// Mixes what is played to this leg alone over what it hears else.
    pub fn mix_own(&mut self, frame: &mut Frame, events: &mut Vec<MediaEvent>) {
        let duck = if self.playing { DUCKED } else { (self.duck + RELEASE).min(FULL) };
        mix::ramp(frame, self.duck, duck);
        self.duck = duck;
        if let Some(list) = self.playlist.as_mut().filter(|_| self.playing) {
            let mut prompt = [0; super::FRAME];
            if let Played::Done(play) = list.frame(&mut prompt) {
                // The list itself is let go outside the tick, by the next order.
                self.playing = false;
                events.push(MediaEvent::Played { leg: self.id, play });
            }
            for (sample, own) in frame.iter_mut().zip(&prompt) {
                *sample = sample.saturating_add(*own);
            }
        }
    }

    /// Sends a frame, or lets its time pass where we are not to send.
    pub fn send(&mut self, frame: &mut Encoded, outlet: &mut impl Outlet) {
        let Some(to) = self.latch.rtp().filter(|_| self.format.direction.sends()) else {
            self.egress.pause();
            return;
        };
        let (leg, sent, guard) = (self.key, &mut self.counters.sent, &mut self.guard);
        let send = |bytes: &[u8]| {
            *sent += u64::from(guard.send_rtp(Outgoing { leg, port: Port::Rtp, to, bytes }, outlet));
        };
        if !self.dial.is_idle()
            && let Some((payload_type, _)) = self.format.telephone_event
            && let Order::Event { marker, timestamp, event } = self.dial.tick(self.egress.timestamp())
        {
            self.egress.event(payload_type, marker, timestamp, event, send);
        } else {
            self.egress.frame(frame, send);
        }
    }

    /// Says goodbye by RTCP and tells what it all amounted to.
    pub fn close(&mut self, now: Instant, outlet: &mut impl Outlet) -> Figures {
        self.send_report(true, now, outlet);
        self.figures()
    }

    /// Names the leg within its plane.
    pub fn set_key(&mut self, key: LegKey) {
        self.key = key;
    }

    /// The leg's id.
    pub fn id(&self) -> LegId {
        self.id
    }

    /// The law of its bytes.
    pub fn law(&self) -> Law {
        self.format.codec.law().unwrap_or(Law::Mu)
    }

    /// The far end's final RTP address, once it is known: from then on the socket may be connected to it.
    pub fn latched(&self) -> Option<SocketAddr> {
        self.latch.locked()
    }

    /// What it amounted to so far.
    pub fn figures(&self) -> Figures {
        let Counters { received, sent, late, duplicates, strangers, malformed, unauthentic, concealed } = self.counters;
        Figures {
            received,
            sent,
            lost: self.reception.lost(),
            late,
            duplicates,
            strangers,
            unauthentic,
            malformed,
            concealed,
            jitter_ms: self.reception.jitter() as f32 / 8.0,
            delay_ms: self.jitter.delay() as f32 / 8.0,
            round_trip_ms: self.reporter.round_trip().map(|trip| trip.as_secs_f32() * 1000.0),
            remote_loss: self.reporter.remote_loss(),
        }
    }

    /// Sends a packet of this far end to the other one.
    fn pass_on(
        &mut self,
        header: &Header,
        kind: Option<Payload>,
        payload: &[u8],
        now: Instant,
        peer: &mut Leg,
        outlet: &mut impl Outlet,
    ) {
        let Some(to) = peer.latch.rtp() else { return };
        let send = |bytes: &[u8]| {
            let packet = Outgoing { leg: peer.key, port: Port::Rtp, to, bytes };
            peer.counters.sent += u64::from(peer.guard.send_rtp(packet, outlet));
        };
        let egress = &mut peer.egress;
        match (&mut self.way.relay, kind) {
            (Some(relay), None) => relay.leave_out(header),
            (Some(relay), Some(kind)) if relay.fits(&self.jitter) => {
                relay.pass(header, kind, payload, (&self.jitter, now), egress, send);
            }
            (relay, Some(Payload::Audio(_))) if egress.early() == 0 => {
                if relay.take().is_some() {
                    egress.interrupt();
                }
                *relay = Some(Relay::begin(&self.jitter, self.reception.highest() as u16, now, egress, send));
            }
            (_, Some(_) | None) => {}
        }
    }

    fn receive_event(
        &mut self,
        timestamp: u32,
        marker: bool,
        event: TelephoneEvent,
        now: Instant,
        events: &mut Vec<MediaEvent>,
    ) {
        self.jitter.insert_silence(timestamp);
        let Pressed { began, digits } = self.presses.receive(timestamp, marker, event, now);
        let leg = self.id;
        let mut digits = digits.into_iter().flatten();
        // A press that this one ends was there before it.
        let before = if began && !event.end { digits.next() } else { None };
        events.extend(before.map(|digit| MediaEvent::Digit { leg, digit }));
        if began {
            events.push(MediaEvent::DigitBegan { leg });
        }
        events.extend(digits.map(|digit| MediaEvent::Digit { leg, digit }));
    }

    /// Counts a packet that an encrypted leg did not believe.
    fn believe(&mut self, opened: Result<usize, Refused>) -> Option<usize> {
        self.counters.unauthentic += u64::from(opened.is_err());
        opened.ok()
    }

    fn alive(&mut self, now: Instant) {
        self.life = now;
        self.timed_out = false;
    }

    fn send_report(&mut self, bye: bool, now: Instant, outlet: &mut impl Outlet) {
        let Some(to) = self.latch.rtcp() else {
            return;
        };
        let mut buffer = [0; MAX_DATAGRAM];
        let length = self.reporter.write(&self.egress, &mut self.reception, bye, now, &mut buffer);
        let port = if self.latch.multiplexed() { Port::Rtp } else { Port::Rtcp };
        if let Some(bytes) = buffer.get(..length) {
            self.guard.send_rtcp(Outgoing { leg: self.key, port, to, bytes }, outlet);
        }
    }
}
