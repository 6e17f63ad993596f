//! What comes in from a leg's far end: whose it is, what it is, where it goes.

use std::net::SocketAddr;

use super::{COMFORT_NOISE, Leg, event_clock};
use crate::base::Instant;
use crate::media::command::MediaEvent;
use crate::media::latch::Verdict;
use crate::media::outlet::Outlet;
use crate::media::press::Pressed;
use crate::media::reception::Arrival;
use crate::media::relay::Payload;
use crate::media::samples_at;
use crate::media::srtp::{self, Refused};
use crate::media::timeline::Placed;
use crate::wire::rtp::rtcp::Compound;
use crate::wire::rtp::{Packet, TelephoneEvent, is_rtcp};

impl Leg {
    /// Takes a datagram from the RTP socket; `peer` is the partner that [`Leg::link`] names, to whom it may go on at once.
    pub fn receive_rtp(
        &mut self,
        from: SocketAddr,
        bytes: &[u8],
        now: Instant,
        peer: Option<&mut Leg>,
        outlet: &mut impl Outlet,
        events: &mut Vec<MediaEvent>,
    ) {
        if self.guard.is_handshake(bytes) {
            if self.latch.judge_rtp(from, now) == Verdict::Stranger {
                self.counters.strangers += 1;
                return;
            }
            self.alive(now);
            return self.shake(Some(bytes), now, outlet, events);
        }
        if is_rtcp(bytes) && self.latch.multiplexed() {
            return self.receive_rtcp(from, bytes, now);
        }
        if self.guard.is_on() {
            return self.receive_sealed(from, bytes, now, peer, outlet, events);
        }
        self.receive_clear(from, bytes, now, peer, outlet, events);
    }

    /// Opens an encrypted packet; apart, because its room costs those who need none.
    #[inline(never)]
    fn receive_sealed(
        &mut self,
        from: SocketAddr,
        bytes: &[u8],
        now: Instant,
        peer: Option<&mut Leg>,
        outlet: &mut impl Outlet,
        events: &mut Vec<MediaEvent>,
    ) {
        let mut clear = [0; srtp::LONGEST];
        let opened = self.guard.open_rtp(bytes, &mut clear);
        if let Some(bytes) = self.believe(opened).and_then(|length| clear.get(..length)) {
            self.receive_clear(from, bytes, now, peer, outlet, events);
        }
    }

    fn receive_clear(
        &mut self,
        from: SocketAddr,
        bytes: &[u8],
        now: Instant,
        mut peer: Option<&mut Leg>,
        outlet: &mut impl Outlet,
        events: &mut Vec<MediaEvent>,
    ) {
        let Ok(packet) = Packet::parse(bytes) else {
            self.counters.malformed += 1;
            return;
        };
        let header = packet.header;
        let kind = header.payload_type;
        let is_event = self.format.telephone_event.is_some_and(|(_, receive)| receive == kind);
        let is_noise = kind == self.format.comfort_noise.map_or(COMFORT_NOISE, |(_, receive)| receive);
        let is_audio = kind == self.format.receive_payload_type || self.former_type == Some(kind);
        if !is_event && !is_audio && !is_noise {
            self.counters.malformed += 1;
            // From a far end that is known it arrived, though nobody can play it.
            let known = self.latch.is_locked_to(from) && self.reception.ssrc() == Some(header.ssrc);
            if known && self.format.direction.receives() && self.reception.refuse(header.sequence) {
                self.monitor.refuse(header.sequence);
            }
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
            self.begin_source(peer.as_deref_mut());
            self.reception.begin(header.ssrc, header.sequence);
            self.monitor.pause();
        }
        let mut astray = false;
        let mut arrival = self.reception.arrive(header.sequence);
        if arrival == Arrival::Duplicate && is_audio {
            arrival = self.reception.look_again(header.sequence, header.timestamp);
            if arrival == Arrival::Fresh {
                self.monitor.pause();
            }
        }
        match arrival {
            Arrival::Fresh => self.counters.received += 1,
            Arrival::Duplicate => {
                self.counters.duplicates += 1;
                return;
            }
            Arrival::Astray => {
                self.counters.malformed += 1;
                astray = true;
                // Audio has its place by its timestamp, whatever its number.
                if !is_audio {
                    return;
                }
            }
        }
        let (mut in_time, mut told) = (true, None);
        let other = |types: Option<(u8, u8)>| types.map(|(send, _)| Payload::Other(send));
        let passed = if is_event {
            let Ok(event) = TelephoneEvent::parse(packet.payload) else {
                self.counters.malformed += 1;
                return;
            };
            self.receive_event(header.timestamp, header.marker, event, now, peer.as_deref_mut(), events);
            if let Some(peer) = peer.as_deref() {
                // Beside Opus they count in one of two clocks, and the other may have agreed on the other.
                let (ours, theirs) = (event_clock(&self.format), event_clock(&peer.format));
                told = Some(event.at_clock(ours, theirs).write()).filter(|_| ours != theirs);
            }
            other(peer.as_ref().filter(|_| self.link().keys).and_then(|peer| peer.format.telephone_event))
        } else if is_noise {
            self.playout.insert_silence(header.timestamp, Some(packet.payload));
            other(peer.as_ref().and_then(|peer| peer.format.comfort_noise))
        } else {
            let Some(length) = self.playout.duration(packet.payload) else {
                self.counters.malformed += 1;
                return;
            };
            let arrived = samples_at(now);
            let clock = i64::from(self.egress.clock());
            self.reception.time(arrived.wrapping_mul(clock), header.timestamp);
            let back = !astray && self.reception.turns_back(header.sequence, header.timestamp);
            let follows = !astray && self.reception.follows(header.sequence);
            if back || (follows && self.playout.time().leaps(header.timestamp, arrived)) {
                self.part(peer.as_deref_mut());
                self.playout.reset();
            }
            let (generation, by_us) = (self.playout.time().generation(), self.playout.time().stood_still());
            let placed = self.playout.insert(header.timestamp, length, packet.payload, arrived);
            if placed != Placed::Estranged && !astray {
                let anew = self.playout.time().generation() != generation;
                self.reception.place(header.sequence, header.timestamp, anew);
            }
            match placed {
                Placed::Waiting => Some(Payload::Audio(length)),
                Placed::Late => {
                    self.counters.late += u64::from(!by_us);
                    // Who hears it as it comes hears it in time. What waited while we stood still came in time.
                    in_time = self.passes() || by_us;
                    // Nothing begins with what is over.
                    Some(Payload::Audio(length)).filter(|_| self.passes())
                }
                Placed::Estranged => {
                    self.counters.late += u64::from(!by_us);
                    self.part(peer.as_deref_mut());
                    None
                }
            }
        };
        if !astray {
            self.monitor.arrive(header.sequence, in_time);
        }
        if let Some(peer) = peer {
            let payload = told.as_ref().map_or(packet.payload, |told| told);
            self.pass_on(&header, passed, payload, now, peer, outlet);
        }
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
            Ok(_) if self.latch.judge_rtcp(from, now) == Verdict::Stranger => self.counters.strangers += 1,
            Ok(compound) => {
                self.alive(now);
                if let Some(metrics) = self.reporter.receive(compound, &self.egress, now) {
                    self.monitor.receive(&metrics);
                }
            }
        }
    }

    fn receive_event(
        &mut self,
        timestamp: u32,
        marker: bool,
        event: TelephoneEvent,
        now: Instant,
        partner: Option<&mut Leg>,
        events: &mut Vec<MediaEvent>,
    ) {
        self.playout.insert_silence(timestamp, None);
        self.keys_by_event();
        let Pressed { began, digits } = self.presses.receive(timestamp, marker, event, now);
        let (leg, all) = (self.id, digits);
        let mut digits = digits.into_iter().flatten();
        // A press that this one ends was there before it.
        let before = if began && !event.end { digits.next() } else { None };
        events.extend(before.map(|digit| MediaEvent::Digit { leg, digit }));
        if began {
            events.push(MediaEvent::DigitBegan { leg });
        }
        events.extend(digits.map(|digit| MediaEvent::Digit { leg, digit }));
        if let Some(partner) = partner {
            all.into_iter().flatten().for_each(|digit| self.press_for(partner, digit));
        }
    }

    /// Gives a datagram, or the time, to the handshake, and sends what it asks for.
    /// Counts a packet that an encrypted leg did not believe.
    fn believe(&mut self, opened: Result<usize, Refused>) -> Option<usize> {
        self.counters.unauthentic += u64::from(opened.is_err());
        opened.ok()
    }
}
