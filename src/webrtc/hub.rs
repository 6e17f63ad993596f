//! All browsers of the node as one machine.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::base::timers::Timers;
use crate::base::{Instant, LegId, ParticipantId, Rng, RoomId};
use crate::media::web::{SlotFrame, Source, WebCommand, WebEvent, WebFigures, Wish};
use crate::webrtc::epoch::Epoch;
use crate::webrtc::identity::Identity;
use crate::webrtc::leg::{Fate, Leg, Life, Stage};
use crate::webrtc::offer;
use crate::webrtc::peer::{Heard, Peer, Received};
use crate::webrtc::rooms::Rooms;
use crate::webrtc::{Output, Settings, Via, stun};

/// Between two looks at each leg: silence, flows, layers. Longer: a room reacts later. Shorter: more looks, 4 a second each.
const TICK: Duration = Duration::from_millis(250);
/// One in so many peer connections may be unfinished at a time. More: the half-open keep the finished out.
const UNFINISHED: usize = 2;

/// What it counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Datagrams that came.
    pub received: u64,
    /// Of nobody known: another's checks, or what no check vouched for.
    pub strangers: u64,
    /// None that a browser sends.
    pub malformed: u64,
    /// Above what one browser may send.
    pub flooded: u64,
    /// Datagrams that leave.
    pub sent: u64,
    /// Packets of pictures handed on, once for each viewer.
    pub pictures: u64,
    /// Packets of voices handed on, once for each listener.
    pub voices: u64,
    /// Keyframes that viewers wanted.
    pub keyframes_wanted: u64,
    /// Faults of ours that ended a connection.
    pub failed: u64,
    /// Offers that were refused.
    pub refused: u64,
}

/// The hub.
pub struct Hub {
    pub(super) epoch: Epoch,
    pub(super) settings: Settings,
    identity: Identity,
    rng: Rng,
    pub(super) legs: BTreeMap<LegId, Leg>,
    peers: usize,
    pub(super) routes: BTreeMap<(super::Wire, SocketAddr), (LegId, Via)>,
    ufrags: BTreeMap<String, LegId>,
    pub(super) rooms: Rooms,
    timers: Timers<LegId>,
    dirty: Vec<LegId>,
    heard: Vec<Heard>,
    pub(super) outputs: VecDeque<Output>,
    pub(super) counts: Counts,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hub({} legs, {} peers)", self.legs.len(), self.peers)
    }
}

impl Hub {
    /// One without browsers.
    pub fn new(settings: Settings, identity: Identity, epoch: Epoch, rng: Rng) -> Self {
        Self {
            epoch,
            settings,
            identity,
            rng,
            legs: BTreeMap::new(),
            peers: 0,
            routes: BTreeMap::new(),
            ufrags: BTreeMap::new(),
            rooms: Rooms::default(),
            timers: Timers::new(),
            dirty: Vec::new(),
            heard: Vec::new(),
            outputs: VecDeque::new(),
            counts: Counts::default(),
        }
    }

    /// Carries out an order.
    pub fn command(&mut self, command: WebCommand, now: Instant) {
        let leg = command.leg();
        // A leg begins with its offer.
        if !self.legs.contains_key(&leg) && !matches!(command, WebCommand::Offer { .. }) {
            return;
        }
        match command {
            WebCommand::Offer { sdp, .. } => self.offer(leg, &sdp, now),
            // An agent that makes no checks needs no ways to the browser: its own checks show them (RFC 8445 §2.5).
            WebCommand::Candidate { .. } => {}
            WebCommand::Place { place, .. } => self.place(leg, place, now),
            WebCommand::Listen { listens, .. } => self.with_leg(leg, |leg| leg.deaf = !listens),
            WebCommand::Publish { source, on, .. } => self.with_leg(leg, |leg| leg.permit(source, on)),
            WebCommand::Watch { wishes, .. } => self.watch(leg, wishes, now),
            WebCommand::Close { .. } => self.close(leg, now),
        }
    }

    /// A datagram has come.
    pub fn receive(&mut self, via: Via, from: SocketAddr, bytes: &[u8], now: Instant) {
        self.counts.received += 1;
        let check = stun::is_stun(bytes);
        let known = self.routes.get(&(via.wire, from)).map(|(leg, _)| *leg);
        let found =
            if check { stun::addressee(bytes).and_then(|ufrag| self.ufrags.get(ufrag)).copied() } else { known };
        let Some(id) = found else {
            self.counts.strangers += 1;
            return;
        };
        let Some(to) = self.destination(via, from) else { return };
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if !leg.allowance.take(now) {
            self.counts.flooded += 1;
            return;
        }
        let Some(peer) = leg.peer.as_deref_mut() else { return };
        let datagram = Received { wire: via.wire, from, to, bytes, at: self.epoch.outward(now) };
        if check {
            let vouched = catch_unwind(AssertUnwindSafe(|| peer.vouches(&datagram))).unwrap_or(false);
            if !vouched {
                self.counts.strangers += 1;
                return;
            }
            self.route(id, via, from, stun::nominates(bytes), now);
        }
        let returned = self.legs.get_mut(&id).is_some_and(|leg| leg.life.hear(check, now));
        if returned {
            self.outputs.push_back(Output::Event(WebEvent::Connected { leg: id }));
        }
        self.with_peer(id, now, |hub_counts, peer, heard| {
            if !peer.receive(&datagram, heard) {
                hub_counts.malformed += 1;
            }
        });
    }

    /// One of a room's voices, for all its browsers but those of whoever speaks, or those whom it is meant for.
    pub fn voice(&mut self, frame: &SlotFrame, now: Instant) {
        let payload: Arc<[u8]> = frame.payload.bytes().into();
        for id in self.rooms.legs(frame.room) {
            let Some(leg) = self.legs.get_mut(&id) else { continue };
            let listener = leg.seat.map(|(_, participant)| participant);
            let own = listener == Some(frame.participant);
            let meant = frame.audience.is_none_or(|audience| listener.is_some_and(|listener| audience.has(listener)));
            if own || !meant || leg.deaf {
                continue;
            }
            let Some(peer) = leg.peer.as_deref_mut() else { continue };
            if peer.speak(frame, &payload, now) {
                self.counts.voices += 1;
                if !std::mem::replace(&mut peer.dirty, true) {
                    self.dirty.push(id);
                }
            }
        }
    }

    /// Time has passed: to be called when [`Hub::poll_timeout`] says so, and after every batch of other inputs, which it
    /// carries to their end.
    pub fn advance(&mut self, now: Instant) {
        while let Some(id) = self.timers.expire(now) {
            if self.legs.get(&id).is_some_and(|leg| leg.tick <= now) {
                self.tick(id, now);
            }
            self.with_peer(id, now, |_, peer, heard| {
                if peer.due <= now {
                    peer.drive(now, heard);
                }
            });
        }
        while let Some(id) = self.dirty.pop() {
            self.with_peer(id, now, |_, peer, heard| peer.drive(now, heard));
        }
    }

    /// When it wants to be called although nothing comes.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The next order; drain until none.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Peer connections.
    pub fn peers(&self) -> usize {
        self.peers
    }

    /// What it counted.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn offer(&mut self, id: LegId, sdp: &str, now: Instant) {
        let offer = match offer::read(sdp) {
            Ok(offer) => offer,
            Err(why) => return self.refuse(id, why.to_string()),
        };
        let before = self.legs.get(&id).and_then(|leg| leg.peer.as_ref());
        let same = before.map(|peer| peer.identity == offer.identity);
        let outcome = if same == Some(true) {
            self.renew(id, &offer)
        } else {
            // The browser began a new peer connection: the old one's end of it is not there any more.
            self.drop_peer(id, now);
            self.begin(id, &offer, now)
        };
        match outcome {
            Ok(sdp) => {
                self.outputs.push_back(Output::Event(WebEvent::Answered { leg: id, sdp }));
                self.soil(id);
                self.arm(id, now);
            }
            Err(why) => {
                self.refuse(id, why);
                if same != Some(true) {
                    self.forget(id, now);
                }
            }
        }
    }

    fn begin(&mut self, id: LegId, offer: &offer::Offer, now: Instant) -> Result<String, String> {
        let unfinished = || self.legs.values().filter(|leg| matches!(leg.life.stage, Stage::Begins { .. })).count();
        if self.peers >= self.settings.max_peers {
            return Err("the node is full".into());
        }
        if self.peers >= 32 && unfinished() > self.settings.max_peers / UNFINISHED {
            return Err("too many connections are being set up".into());
        }
        let made = catch_unwind(AssertUnwindSafe(|| {
            let means = (&self.identity, self.settings.candidates.as_slice());
            Peer::answer(id, offer, means, &mut self.rng, self.epoch, now)
        }));
        let (peer, answer) = self.unless_failed(made)?;
        self.ufrags.insert(peer.ufrag.clone(), id);
        let leg = self.legs.entry(id).or_default();
        (leg.life, leg.tick, leg.addresses_ever, leg.probed) = (Life::begin(now), now + TICK, 0, (0, 0));
        leg.peer = Some(Box::new(peer));
        self.peers += 1;
        Ok(answer)
    }

    /// An ICE restart (RFC 8445 §9): other names, the same keys; media goes on meanwhile.
    fn renew(&mut self, id: LegId, offer: &offer::Offer) -> Result<String, String> {
        let Some(leg) = self.legs.get_mut(&id) else { return Err("the leg is gone".into()) };
        let Some(peer) = leg.peer.as_deref_mut() else { return Err("the leg is gone".into()) };
        let before = peer.ufrag.clone();
        let renewed = catch_unwind(AssertUnwindSafe(|| peer.renew(offer)));
        let after = peer.ufrag.clone();
        leg.addresses_ever = 0;
        let answer = self.unless_failed(renewed);
        if before != after {
            self.ufrags.remove(&before);
            self.ufrags.insert(after, id);
        }
        answer
    }

    fn unless_failed<T>(&mut self, outcome: std::thread::Result<Result<T, String>>) -> Result<T, String> {
        outcome.unwrap_or_else(|_| {
            self.counts.failed += 1;
            Err("the offer cannot be answered".into())
        })
    }

    fn refuse(&mut self, leg: LegId, why: String) {
        self.counts.refused += 1;
        self.outputs.push_back(Output::Event(WebEvent::Refused { leg, why }));
    }

    fn place(&mut self, id: LegId, place: Option<(RoomId, ParticipantId)>, now: Instant) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let before = std::mem::replace(&mut leg.seat, place);
        if before == place {
            return;
        }
        if let Some((room, participant)) = before {
            self.rooms.unwatch(id, room, &leg.wishes);
            self.rooms.leave(id, room, participant);
        }
        if let Some((room, participant)) = place {
            self.rooms.enter(id, room, participant);
            self.rooms.watch(id, room, &leg.wishes);
        }
        self.plan(id, now);
    }

    fn watch(&mut self, id: LegId, mut wishes: Vec<Wish>, now: Instant) {
        wishes.retain(|wish| usize::from(wish.slot) < offer::PICTURES && wish.source != Source::Microphone);
        // Of two wishes for a slot the later counts.
        let later = wishes.clone();
        let mut index = 0;
        wishes.retain(|wish| {
            index += 1;
            !later.iter().skip(index).any(|other| other.slot == wish.slot)
        });
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let before = std::mem::replace(&mut leg.wishes, wishes);
        if let Some((room, _)) = leg.seat {
            self.rooms.unwatch(id, room, &before);
            self.rooms.watch(id, room, &leg.wishes);
        }
        self.plan(id, now);
    }

    fn close(&mut self, id: LegId, now: Instant) {
        self.with_peer(id, now, |_, peer, heard| peer.close(now, heard));
        self.forget(id, now);
    }

    /// Nothing is left of a leg.
    fn forget(&mut self, id: LegId, now: Instant) {
        self.drop_peer(id, now);
        self.place(id, None, now);
        self.legs.remove(&id);
    }

    /// Looks after a leg.
    fn tick(&mut self, id: LegId, now: Instant) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.tick = now + TICK;
        match leg.life.check(now) {
            Fate::Lives => {}
            Fate::FallsSilent => self.outputs.push_back(Output::Event(WebEvent::Interrupted { leg: id })),
            Fate::Ends => return self.lose(id, now),
        }
        self.tell_flows(id, now);
        self.plan(id, now);
        self.ask_for_keyframes(id, now);
    }

    /// Gives a leg up.
    pub(super) fn lose(&mut self, id: LegId, now: Instant) {
        if self.legs.contains_key(&id) {
            self.forget(id, now);
            self.outputs.push_back(Output::Event(WebEvent::Lost { leg: id }));
        }
    }

    fn drop_peer(&mut self, id: LegId, now: Instant) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let Some(mut peer) = leg.peer.take() else { return };
        leg.life = Life::default();
        for route in std::mem::take(&mut leg.routes) {
            if self.routes.get(&route).is_some_and(|(owner, _)| *owner == id) {
                self.routes.remove(&route);
            }
        }
        leg.way = None;
        let shown = std::mem::take(&mut leg.shown);
        self.ufrags.remove(&peer.ufrag);
        self.timers.disarm(&id);
        self.peers = self.peers.saturating_sub(1);
        for published in peer.published.iter_mut().filter(|published| published.flowing) {
            published.flowing = false;
            let ended = WebEvent::Flowing { leg: id, source: published.source, on: false };
            self.outputs.push_back(Output::Event(ended));
        }
        if shown.iter().any(|shown| shown.layer.is_some()) {
            self.outputs.push_back(Output::Event(WebEvent::Showing { leg: id, slots: Vec::new() }));
        }
        self.unshow(id, now);
    }

    fn with_leg(&mut self, id: LegId, act: impl FnOnce(&mut Leg)) {
        if let Some(leg) = self.legs.get_mut(&id) {
            act(leg);
        }
    }

    /// Lets a peer connection act, and does what follows. A fault in it ends it alone.
    fn with_peer(&mut self, id: LegId, now: Instant, act: impl FnOnce(&mut Counts, &mut Peer, &mut Vec<Heard>)) {
        let Some(peer) = self.legs.get_mut(&id).and_then(|leg| leg.peer.as_deref_mut()) else { return };
        let mut heard = std::mem::take(&mut self.heard);
        let counts = &mut self.counts;
        if catch_unwind(AssertUnwindSafe(|| act(counts, peer, &mut heard))).is_err() {
            self.counts.failed += 1;
            heard.push(Heard::Gone);
        }
        let mut gone = false;
        for heard in heard.drain(..) {
            match heard {
                Heard::Send(wire, to, bytes) => self.send(id, (wire, to), bytes),
                Heard::Connected => {
                    self.with_leg(id, |leg| leg.life.stage = Stage::Connected);
                    self.outputs.push_back(Output::Event(WebEvent::Connected { leg: id }));
                    self.plan(id, now);
                }
                Heard::Gone => gone = true,
                Heard::Voice(voice) => {
                    let heard = |leg: &Leg| leg.seat.is_some() && leg.permits(Source::Microphone);
                    if self.legs.get(&id).is_some_and(heard) {
                        self.outputs.push_back(Output::Voice(voice));
                    }
                    self.began(id, Source::Microphone);
                }
                Heard::Picture(picture) => {
                    self.forward(id, &picture, now);
                    self.began(id, picture.source);
                }
                Heard::Lost(slot) => self.restore(id, slot, now),
                Heard::Figures(stats) => self.measured(id, &stats),
            }
        }
        self.heard = heard;
        if gone { self.lose(id, now) } else { self.arm(id, now) }
    }

    /// To be driven before the turn ends.
    pub(super) fn soil(&mut self, id: LegId) {
        if let Some(peer) = self.legs.get_mut(&id).and_then(|leg| leg.peer.as_deref_mut())
            && !std::mem::replace(&mut peer.dirty, true)
        {
            self.dirty.push(id);
        }
    }

    pub(super) fn say(&mut self, event: WebEvent) {
        self.outputs.push_back(Output::Event(event));
    }

    pub(super) fn arm(&mut self, id: LegId, now: Instant) {
        let Some(leg) = self.legs.get(&id) else { return };
        let Some(peer) = leg.peer.as_deref() else { return };
        // Not at once again: whatever str0m has to do at this very instant it has done.
        self.timers.arm(id, peer.due.min(leg.tick).max(now + Duration::from_millis(1)));
    }

    #[allow(clippy::cast_possible_truncation, reason = "a rate over three seconds fits")]
    fn measured(&mut self, id: LegId, stats: &str0m::stats::PeerStats) {
        let Some(peer) = self.legs.get_mut(&id).and_then(|leg| leg.peer.as_deref_mut()) else { return };
        let figures = WebFigures {
            round_trip_ms: stats.rtt.map(|rtt| rtt.as_secs_f32() * 1000.0),
            lost_up: stats.ingress_loss_fraction.unwrap_or(0.0).clamp(0.0, 1.0),
            lost_down: stats.egress_loss_fraction.unwrap_or(0.0).clamp(0.0, 1.0),
            sent_to_us: peer.meter.0.since(stats.peer_bytes_rx, stats.timestamp),
            sent_by_us: peer.meter.1.since(stats.peer_bytes_tx, stats.timestamp),
            estimate: peer.estimate,
        };
        self.say(WebEvent::Measured { leg: id, figures });
    }
}

#[cfg(test)]
impl Hub {
    /// The names by which browsers' checks find their peer connections.
    pub(super) fn ufrags_for_tests(&self) -> Vec<String> {
        self.ufrags.keys().cloned().collect()
    }
}
