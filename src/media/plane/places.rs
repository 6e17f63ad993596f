//! Where a plane's legs are: alone, in one of its phases, or in a room.

use super::phase::{emptiest, on_grid};
use super::rooms::Room;
use super::{Place, Plane};
use crate::base::{Instant, LegId, ParticipantId, RoomId};
use crate::media::audience::Audience;
use crate::media::bridge::Bridge;
use crate::media::command::MediaEvent;
use crate::media::leg::Leg;
use crate::media::outlet::LegKey;

impl Plane {
    /// Takes a leg out, to be inserted on another thread; its room is left.
    pub fn take_leg(&mut self, leg: LegId) -> Option<Box<Leg>> {
        let (key, place) = self.by_id.remove(&leg)?;
        let phase = match place {
            Place::Alone { phase } => Some(phase),
            Place::Room(room) => self.rooms.get(room).map(|room| room.phase),
        };
        let due = phase.map(|phase| self.due(phase));
        self.displace(key, place);
        let mut leg = self.legs.remove(key)?;
        leg.depart(due);
        Some(leg)
    }

    /// Takes a leg in, outside any room. A leg of the same id is replaced.
    pub fn insert_leg(&mut self, leg: Box<Leg>, now: Instant) -> LegKey {
        let id = leg.id();
        self.take_leg(id);
        let key = self.legs.insert(leg);
        let phase = emptiest(&self.phases, |_| 0);
        self.wake(phase, now);
        self.stand_alone(id, key, phase);
        let due = self.due(phase);
        if let Some(leg) = self.legs.get_mut(key) {
            leg.arrive(due);
        }
        key
    }

    pub(super) fn join(
        &mut self,
        leg: LegId,
        room: RoomId,
        (participant, muted, keys, audience): (ParticipantId, bool, bool, Option<Audience>),
        now: Instant,
        events: &mut Vec<MediaEvent>,
    ) {
        self.leave(leg, events);
        let Some((key, Place::Alone { phase })) = self.by_id.get(&leg).copied() else {
            return;
        };
        self.displace(key, Place::Alone { phase });
        let place = match self.rooms.place(room) {
            Some(place) => place,
            None => {
                let place = self.rooms.insert(room, Room { bridge: Box::new(Bridge::new(room)), phase });
                if let Some(phase) = self.phases.get_mut(phase) {
                    phase.rooms.push(place);
                }
                place
            }
        };
        self.by_id.insert(leg, (key, Place::Room(room)));
        // A room keeps its first leg's phase, so that this leg's packets stay 20 ms apart.
        let Some(Room { bridge, phase }) = self.rooms.at_mut(place) else { return };
        bridge.join(key, participant, muted, keys, &mut self.legs);
        bridge.direct(key, audience);
        bridge.settle(now, &mut self.legs);
        if let Some(phase) = self.phases.get_mut(*phase) {
            phase.take();
        }
    }

    pub(super) fn leave(&mut self, leg: LegId, events: &mut Vec<MediaEvent>) {
        let Some((key, Place::Room(room))) = self.by_id.get(&leg).copied() else {
            return;
        };
        let phase = self.rooms.get(room).map_or(0, |room| room.phase);
        if self.displace(key, Place::Room(room)) {
            events.push(MediaEvent::Talking { leg, talking: false });
        }
        self.stand_alone(leg, key, phase);
    }

    /// Puts a leg among those outside rooms; one that was in this phase before keeps the deadline it had.
    pub(super) fn stand_alone(&mut self, leg: LegId, key: LegKey, phase: usize) {
        self.by_id.insert(leg, (key, Place::Alone { phase }));
        if let Some(phase) = self.phases.get_mut(phase) {
            phase.alone.push(key);
            phase.take();
        }
    }

    /// Takes a leg from its place; a room that it leaves empty ends. Returns whether the room heard it talk.
    pub(super) fn displace(&mut self, key: LegKey, place: Place) -> bool {
        match place {
            Place::Alone { phase } => {
                if let Some(phase) = self.phases.get_mut(phase)
                    && let Some(index) = phase.alone.iter().position(|other| *other == key)
                {
                    phase.alone.swap_remove(index);
                    phase.lose();
                }
                false
            }
            Place::Room(id) => {
                let Some(place) = self.rooms.place(id) else { return false };
                let Some(room) = self.rooms.at_mut(place) else { return false };
                let talked = room.bridge.leave(key, &mut self.legs);
                if let Some(phase) = self.phases.get_mut(room.phase) {
                    phase.lose();
                }
                // A wing may be joined by legs that are under way.
                if room.bridge.is_empty() && room.bridge.spans().is_none() {
                    self.end_room(place);
                }
                talked
            }
        }
    }

    pub(super) fn end_room(&mut self, place: u32) {
        let Some(room) = self.rooms.remove(place) else {
            return;
        };
        let Some(phase) = self.phases.get_mut(room.phase) else {
            return;
        };
        if let Some(index) = phase.rooms.iter().position(|other| *other == place) {
            phase.rooms.remove(index);
            // The unit after it has moved into its place.
            if let Some((ticked, given)) = &mut self.cursor
                && *ticked == room.phase
                && *given > index + 1
            {
                *given -= 1;
            }
        }
    }

    /// Sets an idle phase's next deadline, before a leg is put into it that was not in it before.
    pub(super) fn wake(&mut self, phase: usize, now: Instant) {
        if let Some(units) = self.phases.get_mut(phase)
            && !units.is_busy()
            && self.cursor.is_none_or(|(ticked, _)| ticked != phase)
            && units.due < now
        {
            units.due = on_grid(now, phase);
        }
    }
}
