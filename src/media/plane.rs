//! All media of one thread: its legs, its bridges, and when each is due.
//!
//! Deadlines lie on a grid of 1 ms; each bridge, and each leg outside a room, belongs to one of some phases and is
//! due every 20 ms. The engine's turn, every 5 ms, and those of its parts that are not of commands, at each deadline:
//!
//! ```text
//! first:          plane.overtake(grid)                                            grid: the scheduled instant of this turn
//! commands:       plane.handle(command, grid, outlet, events)
//! ticks:          while let Some(unit) = plane.poll_due(grid), and perhaps plane.poll_more() {
//!                     plane.members(unit, legs)
//!                     of each: plane.foresee(); plane.receive_rtp(key, from, bytes, arrived, outlet, events) of what its socket has; plane.listen(unit, key, outlet, events)
//!                     catch_unwind(plane.tick(unit, outlet, events)); on a panic: plane.fail(unit, events)
//!                 }
//! carry events away; sleep until plane.poll_timeout() or the next turn
//! ```
//!
//! `arrived` is never after `grid`, so that a packet which was there before a tick counts as in time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::bridge::{Bridge, Desk};
use super::clip::ClipLibrary;
use super::command::{MediaCommand, MediaEvent, PlayId};
use super::dtls::Handshakes;
use super::egress::Encoded;
use super::leg::Leg;
use super::legs::Legs;
use super::outlet::{LegKey, Outlet};
use super::player::Playlist;
use super::web::Voice;
use super::{Rate, TICK};
use crate::base::{Instant, LegId, RoomId};
use crate::wire::codec::g711::Law;

mod late;
mod phase;
mod places;
mod rooms;
mod wings;

use late::OVERRUN;
use phase::{PHASES, Phase, offset};
use rooms::{Room, Rooms};

pub use phase::STEP;

/// What is ticked, and may fail, as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A room's bridge, by its place in the plane.
    Bridge(u32),
    /// The legs outside rooms of one phase.
    Alone(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Alone { phase: usize },
    Room(RoomId),
}

/// One thread's media.
pub struct Plane {
    library: Arc<ClipLibrary>,
    handshakes: Option<Arc<dyn Handshakes>>,
    legs: Legs,
    by_id: BTreeMap<LegId, (LegKey, Place)>,
    rooms: Rooms,
    phases: [Phase; PHASES],
    /// Units of the phase being ticked that have been given out.
    cursor: Option<(usize, usize)>,
    ticking: Option<LegKey>,
    /// How many legs of the phase being ticked have been dealt with.
    dealt: usize,
    desk: Desk,
    own: Encoded,
    /// Silence by both of G.711's laws.
    silence: [Encoded; 2],
    frame: Box<[i16]>,
}

/// Whose turn comes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Foreseen {
    /// Soon.
    pub far: Option<LegKey>,
    /// Sooner.
    pub middle: Option<LegKey>,
}

/// How many legs before its turn a leg's memory is asked for, its time, and its voice. More: others' is thrown out for it. Less: it has not come.
const FAR: usize = 6;
const MIDDLE: usize = 4;
const NEAR: usize = 2;

impl Plane {
    /// An empty plane.
    pub fn new(library: Arc<ClipLibrary>) -> Self {
        Self {
            library,
            handshakes: None,
            legs: Legs::default(),
            by_id: BTreeMap::new(),
            rooms: Rooms::default(),
            phases: std::array::from_fn(|phase| Phase { due: Instant::START + offset(phase), ..Phase::default() }),
            cursor: None,
            ticking: None,
            dealt: 0,
            desk: Bridge::desk(),
            own: Encoded::default(),
            silence: [Law::Mu, Law::A].map(|law| {
                let mut silence = Encoded::default();
                silence.silence(law);
                silence
            }),
            frame: vec![0; Rate::MOST].into(),
        }
    }

    /// Gives it what carries out handshakes; without it no leg can be encrypted by DTLS.
    pub fn with_handshakes(mut self, handshakes: Option<Arc<dyn Handshakes>>) -> Self {
        self.handshakes = handshakes;
        self
    }

    /// Carries out an order. One about a leg or room that is not here is ignored.
    pub fn handle(
        &mut self,
        command: MediaCommand,
        now: Instant,
        outlet: &mut impl Outlet,
        events: &mut Vec<MediaEvent>,
    ) {
        match command {
            MediaCommand::Open { leg, setup } => {
                let mut leg = Box::new(Leg::new(leg, *setup, now));
                leg.equip(self.handshakes.clone(), now);
                self.insert_leg(leg, now);
            }
            MediaCommand::OpenWeb { leg } => {
                self.insert_leg(Box::new(Leg::of_browser(leg, now)), now);
            }
            MediaCommand::Modify { leg, format, remote, security } => {
                if let Some(leg) = self.leg_mut(leg).filter(|leg| !leg.is_browser()) {
                    leg.modify(format, remote, security, now);
                }
                if let Some((_, Place::Room(room))) = self.by_id.get(&leg)
                    && let Some(room) = self.rooms.get_mut(*room)
                {
                    room.bridge.prepare(&self.legs);
                }
                self.settle(leg, now);
            }
            MediaCommand::Play { leg, play, repeat, .. } if self.leg_mut(leg).is_some_and(|leg| leg.is_browser()) => {
                // What would never end by itself is not over either.
                if !repeat {
                    events.push(MediaEvent::Played { leg, play });
                }
            }
            MediaCommand::Play { leg, play, clips, repeat } => {
                let list = Playlist::new(play, &clips, repeat, &self.library);
                if let Some(leg) = self.leg_mut(leg) {
                    leg.play(list);
                }
                self.settle(leg, now);
            }
            MediaCommand::StopPlaying { leg } => {
                if let Some(leg) = self.leg_mut(leg) {
                    leg.stop_playing();
                }
                self.settle(leg, now);
            }
            MediaCommand::Join { leg, room, participant, muted, keys, audience } => {
                self.join(leg, room, (participant, muted, keys, audience), now, events)
            }
            MediaCommand::Leave { leg } => self.leave(leg, events),
            MediaCommand::Mute { leg, muted } => {
                if let Some((key, Place::Room(room))) = self.by_id.get(&leg)
                    && let Some(room) = self.rooms.get_mut(*room)
                {
                    room.bridge.mute(*key, muted);
                }
                self.settle(leg, now);
            }
            MediaCommand::PlayToRoom { room, clips } => {
                if let Some(room) = self.rooms.get_mut(room) {
                    room.bridge.play(Playlist::new(PlayId(0), &clips, false, &self.library));
                    room.bridge.settle(now, &mut self.legs);
                }
            }
            MediaCommand::SendDigit { leg, digit, duration } => {
                if let Some(leg) = self.leg_mut(leg) {
                    leg.send_digit(digit, duration);
                }
                self.settle(leg, now);
            }
            MediaCommand::Sound { leg } => {
                if let Some(leg) = self.leg_mut(leg) {
                    leg.sound();
                }
            }
            MediaCommand::Treat { leg: id, treatment } => {
                if let Some(leg) = self.leg_mut(id).filter(|leg| !leg.is_browser()) {
                    leg.treat(treatment);
                }
                self.settle(id, now);
            }
            MediaCommand::Direct { leg, audience } => {
                if let Some((key, Place::Room(room))) = self.by_id.get(&leg)
                    && let Some(room) = self.rooms.get_mut(*room)
                {
                    room.bridge.direct(*key, audience);
                }
                self.settle(leg, now);
            }
            MediaCommand::Close { leg } => {
                if let Some(mut leg) = self.take_leg(leg) {
                    let figures = leg.close(now, outlet);
                    events.push(MediaEvent::Closed { leg: leg.id(), figures });
                }
            }
        }
    }

    /// Takes a datagram from a leg's RTP socket.
    pub fn receive_rtp(
        &mut self,
        leg: LegKey,
        from: SocketAddr,
        bytes: &[u8],
        now: Instant,
        outlet: &mut impl Outlet,
        events: &mut Vec<MediaEvent>,
    ) {
        let peer = self.legs.get(leg).and_then(|leg| leg.link().partner);
        if let Some((leg, peer)) = self.legs.pair_mut(leg, peer) {
            leg.receive_rtp(from, bytes, now, peer, outlet, events);
        }
    }

    /// Takes a browser's voice. Of a leg that is in no room, or not here (any more), it is let fall.
    pub fn receive_voice(
        &mut self,
        voice: &Voice,
        now: Instant,
        outlet: &mut impl Outlet,
        events: &mut Vec<MediaEvent>,
    ) {
        if let Some((key, Place::Room(room))) = self.by_id.get(&voice.leg)
            && let Some(room) = self.rooms.get_mut(*room)
        {
            room.bridge.receive_voice(*key, voice, now, &mut self.legs, outlet, events);
        }
    }

    /// Takes a datagram from a leg's RTCP socket.
    pub fn receive_rtcp(&mut self, leg: LegKey, from: SocketAddr, bytes: &[u8], now: Instant) {
        if let Some(leg) = self.legs.get_mut(leg) {
            leg.receive_rtcp(from, bytes, now);
        }
    }

    /// The next unit that is due; it is to be given to [`Plane::tick`], with those of [`Plane::poll_more`], before the next is asked for.
    pub fn poll_due(&mut self, now: Instant) -> Option<Unit> {
        self.overtake(now);
        loop {
            let (phase, given) = match self.cursor {
                Some(cursor) => cursor,
                None => (self.next_phase().filter(|phase| self.due(*phase) <= now)?, 0),
            };
            let units = self.phases.get_mut(phase)?;
            if given == 0 {
                units.late = now.since(units.due) >= OVERRUN;
                self.cursor = Some((phase, 1));
                self.dealt = 0;
                units.arrange(&self.rooms);
                for (place, key) in units.order.iter().take(FAR).enumerate() {
                    let Some(leg) = self.legs.get(*key) else { continue };
                    leg.fetch();
                    if place < MIDDLE {
                        leg.fetch_playout();
                    }
                    if place < NEAR {
                        leg.fetch_voice();
                    }
                }
                if !units.alone.is_empty() {
                    return Some(Unit::Alone(u8::try_from(phase).unwrap_or(0)));
                }
                continue;
            }
            if let Some(room) = self.next_room(phase, given) {
                return Some(room);
            }
            if let Some(units) = self.phases.get_mut(phase) {
                units.due = units.due + TICK;
            }
            self.cursor = None;
        }
    }

    /// Another unit that is due at the same instant as the one that [`Plane::poll_due`] gave last; all of them may be ticked together.
    pub fn poll_more(&mut self) -> Option<Unit> {
        let (phase, given) = self.cursor?;
        self.next_room(phase, given)
    }

    fn next_room(&mut self, phase: usize, given: usize) -> Option<Unit> {
        let rooms = &self.phases.get(phase)?.rooms;
        let room = *rooms.get(given.checked_sub(1)?)?;
        self.cursor = Some((phase, given + 1));
        // Two are given out in one go.
        for (ahead, deep) in [(0, true), (2, false)] {
            let next = rooms.get(given + ahead).and_then(|room| self.rooms.at(*room));
            next.into_iter().for_each(|room| room.bridge.fetch(deep));
        }
        Some(Unit::Bridge(room))
    }

    /// Adds the legs of a unit: their packets are to be taken before it is ticked.
    pub fn members(&self, unit: Unit, legs: &mut Vec<(Unit, LegKey)>) {
        match unit {
            Unit::Bridge(room) => {
                let room = self.rooms.at(room).into_iter();
                legs.extend(room.flat_map(|room| room.bridge.legs()).map(|leg| (unit, leg)));
            }
            Unit::Alone(phase) => {
                let phase = self.phases.get(usize::from(phase)).into_iter();
                legs.extend(phase.flat_map(|phase| &phase.alone).map(|leg| (unit, *leg)));
            }
        }
    }

    /// To be called for each of [`Plane::members`] before its packets are taken: asks the processor for the memory of those whose turn comes
    /// next. Returns some of them, for what the caller has of them.
    pub fn foresee(&mut self) -> Foreseen {
        let order = self.cursor.and_then(|(phase, _)| self.phases.get(phase)).map_or(&[][..], |phase| &phase.order);
        let at = self.dealt;
        self.dealt += 1;
        let far = order.get(at + FAR).copied();
        if let Some(leg) = far.and_then(|key| self.legs.get(key)) {
            leg.fetch();
        }
        let middle = order.get(at + MIDDLE).copied();
        if let Some(leg) = middle.and_then(|key| self.legs.get(key)) {
            leg.fetch_playout();
        }
        if let Some(leg) = order.get(at + NEAR).and_then(|key| self.legs.get(*key)) {
            leg.fetch_voice();
        }
        Foreseen { far, middle }
    }

    /// To be called, of [`Plane::members`] in their order, once the packets of one are taken: looks at what came while it is in the processor's caches.
    /// A tick does so itself with whom it was not called for.
    pub fn listen(&mut self, unit: Unit, leg: LegKey, outlet: &mut impl Outlet, events: &mut Vec<MediaEvent>) {
        let Unit::Bridge(room) = unit else { return };
        if let Some(room) = self.rooms.at_mut(room) {
            let now = self.phases.get(room.phase).map(|phase| phase.due).unwrap_or_default();
            room.bridge.listen(leg, now, &mut self.legs, outlet, events);
        }
    }

    /// Ticks one unit at its scheduled instant.
    pub fn tick(&mut self, unit: Unit, outlet: &mut impl Outlet, events: &mut Vec<MediaEvent>) {
        self.note_late(unit);
        match unit {
            Unit::Bridge(room) => {
                if let Some(room) = self.rooms.at_mut(room) {
                    let now = self.phases.get(room.phase).map(|phase| phase.due).unwrap_or_default();
                    room.bridge.tick(now, &mut self.legs, &mut self.desk, outlet, events);
                }
            }
            Unit::Alone(phase) => {
                let Some(Phase { due: now, alone, .. }) = self.phases.get(usize::from(phase)) else { return };
                for key in alone {
                    self.ticking = Some(*key);
                    let Some(leg) = self.legs.get_mut(*key).filter(|leg| !leg.is_browser()) else { continue };
                    leg.begin_tick(*now, outlet, events);
                    if leg.is_sounding() {
                        let frame = self.frame.get_mut(..leg.rate().samples()).unwrap_or(&mut []);
                        leg.echo(*now, frame, events);
                        leg.encode(frame, &mut self.own);
                        leg.send_frame(&mut self.own, false, outlet);
                        continue;
                    }
                    leg.skip(*now);
                    if leg.is_early() {
                        continue;
                    }
                    let [ulaw, alaw] = &mut self.silence;
                    match leg.codec().law() {
                        Some(Law::Mu) if !leg.hears_own() => leg.send_frame(ulaw, true, outlet),
                        Some(Law::A) if !leg.hears_own() => leg.send_frame(alaw, true, outlet),
                        Some(_) | None => {
                            let frame = self.frame.get_mut(..leg.rate().samples()).unwrap_or(&mut []);
                            frame.fill(0);
                            let silent = !leg.hears_own();
                            if !silent {
                                leg.mix_own(frame, events);
                            }
                            leg.encode(frame, &mut self.own);
                            leg.send_frame(&mut self.own, silent, outlet);
                        }
                    }
                }
                self.ticking = None;
            }
        }
    }

    /// Ticks everything that is due, for callers that contain no panics.
    pub fn tick_all(&mut self, now: Instant, outlet: &mut impl Outlet, events: &mut Vec<MediaEvent>) {
        while let Some(unit) = self.poll_due(now) {
            self.tick(unit, outlet, events);
        }
    }

    /// Removes what panicked: a bridge with its legs, or the one leg outside rooms that was being ticked.
    pub fn fail(&mut self, unit: Unit, events: &mut Vec<MediaEvent>) {
        let (failed, room): (Vec<LegKey>, _) = match unit {
            Unit::Bridge(room) => match self.rooms.at(room) {
                Some(Room { bridge, .. }) => (bridge.legs().collect(), Some((room, bridge.room()))),
                None => (Vec::new(), None),
            },
            Unit::Alone(_) => (self.ticking.take().into_iter().collect(), None),
        };
        for key in failed {
            if let Some(id) = self.legs.get(key).map(Leg::id)
                && let Some(leg) = self.take_leg(id)
            {
                events.push(MediaEvent::Closed { leg: id, figures: leg.figures() });
            }
        }
        if let Some((place, room)) = room {
            // It may have been at its desk.
            self.desk = Bridge::desk();
            // Unless it ended with its last leg.
            let at = (self.rooms.place(room) == Some(place)).then(|| self.rooms.at(place)).flatten();
            let wing = at.and_then(|room| Some((room.phase, room.bridge.spans()?.clone())));
            if at.is_some() {
                self.end_room(place);
            }
            match wing {
                // The others of its room go on, and it is there for who comes.
                Some((phase, span)) => self.begin_wing(room, phase, span),
                None => events.push(MediaEvent::BridgeFailed { room }),
            }
        }
    }

    /// The next leg whose packets began or ceased to go on as they come: the engine wakes for such packets.
    pub fn poll_turned(&mut self) -> Option<(LegKey, bool)> {
        self.legs.poll_turned()
    }

    /// Makes a room's next tick panic.
    #[cfg(test)]
    pub(crate) fn fail_next(&mut self, room: RoomId) {
        if let Some(room) = self.rooms.get_mut(room) {
            room.bridge.fail_next();
        }
    }

    /// A leg's key, for the engine's table of sockets.
    pub fn key(&self, leg: LegId) -> Option<LegKey> {
        self.by_id.get(&leg).map(|(key, _)| *key)
    }

    /// A leg.
    pub fn leg(&self, key: LegKey) -> Option<&Leg> {
        self.legs.get(key)
    }

    /// When the next unit is due, none when there is nothing to tick.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next_phase().map(|phase| self.due(phase))
    }

    /// What a room is ticked as.
    pub fn unit(&self, room: RoomId) -> Option<Unit> {
        self.rooms.place(room).map(Unit::Bridge)
    }

    /// How many legs there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is no leg.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// How many rooms have a bridge.
    pub fn rooms(&self) -> usize {
        self.rooms.len()
    }

    /// Lets a leg's room decide anew whether packets may be passed on.
    fn settle(&mut self, leg: LegId, now: Instant) {
        if let Some((_, Place::Room(room))) = self.by_id.get(&leg)
            && let Some(room) = self.rooms.get_mut(*room)
        {
            room.bridge.settle(now, &mut self.legs);
        }
    }

    fn leg_mut(&mut self, leg: LegId) -> Option<&mut Leg> {
        let (key, _) = self.by_id.get(&leg)?;
        self.legs.get_mut(*key)
    }

    fn next_phase(&self) -> Option<usize> {
        let phases = self.phases.iter().enumerate().filter(|(_, phase)| phase.is_busy());
        phases.min_by_key(|(_, phase)| phase.due).map(|(index, _)| index)
    }

    fn due(&self, phase: usize) -> Instant {
        self.phases.get(phase).map(|phase| phase.due).unwrap_or_default()
    }
}
