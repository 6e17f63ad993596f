//! Where a plane's legs are: alone, in one of its phases, or in a room.

use super::phase::{emptiest, on_grid, roomiest};
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
        let before = self.due(phase);
        let place = match self.rooms.place(room) {
            Some(place) => place,
            None => {
                // Who joins later comes here from whatever phase: were all rooms to begin where their first legs were, chance would fill some phases.
                let roomiest = roomiest(&self.phases, phase);
                if roomiest != phase {
                    self.wake(roomiest, now);
                }
                let room_of_its_own = Room { bridge: Box::new(Bridge::new(room)), phase: roomiest };
                let place = self.rooms.insert(room, room_of_its_own);
                if let Some(phase) = self.phases.get_mut(roomiest) {
                    phase.rooms.push(place);
                }
                place
            }
        };
        self.by_id.insert(leg, (key, Place::Room(room)));
        let Some(phase) = self.rooms.at(place).map(|room| room.phase) else { return };
        let due = self.due(phase);
        if let Some(leg) = self.legs.get_mut(key) {
            leg.depart(Some(before));
            leg.arrive(due);
        }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::media::clip::ClipLibrary;
    use crate::media::command::{Direction, Format, LegSetup, MediaCommand, Remote, Security};
    use crate::media::outlet::Outbox;
    use crate::wire::codec::{Codec, opus};

    fn setup() -> LegSetup {
        let format = Format {
            codec: Codec::Pcmu,
            send_payload_type: 0,
            receive_payload_type: 0,
            ptime: 20,
            telephone_event: None,
            comfort_noise: None,
            reports: Default::default(),
            opus: opus::Parameters::ours(),
            direction: Direction::SendRecv,
        };
        LegSetup {
            format,
            remote: Remote { rtp: None, rtcp: None, rtcp_mux: false, signalling: [192, 0, 2, 1].into() },
            security: Security::None,
            ssrc: 1,
            sequence: 1,
            timestamp: 1,
            cname: String::new(),
            media_timeout: Duration::from_secs(10),
        }
    }

    fn join(leg: u64, room: u64) -> MediaCommand {
        let (room, participant) = (RoomId::from_bits(room), ParticipantId::from_bits(leg));
        MediaCommand::Join { leg: LegId::from_bits(leg), room, participant, muted: false, keys: true, audience: None }
    }

    /// In which order those who came together are put into rooms.
    #[derive(Debug, Clone, Copy)]
    enum Order {
        AsTheyCame,
        /// The first of each room before the others.
        FirstOnesFirst,
        /// As they are ticked: those whose prompts end together.
        ByPhase,
    }

    /// The legs of each phase after so many came, so many at once, for rooms of so many.
    fn loads(legs: u64, at_once: u64, room: u64, order: Order) -> Vec<usize> {
        let mut plane = Plane::new(Arc::new(ClipLibrary::with_tones()));
        let (mut outbox, mut events) = (Outbox::with_capacity(1), Vec::new());
        let now = Instant::from_start(Duration::from_secs(1));
        for batch in 0..legs / at_once {
            let mut who: Vec<u64> = (batch * at_once..(batch + 1) * at_once).collect();
            for leg in &who {
                let (leg, setup) = (LegId::from_bits(leg + 1), Box::new(setup()));
                plane.handle(MediaCommand::Open { leg, setup }, now, &mut outbox, &mut events);
            }
            let phase = |leg: &u64| match plane.by_id.get(&LegId::from_bits(leg + 1)) {
                Some((_, Place::Alone { phase })) => *phase as u64,
                _ => 0,
            };
            match order {
                Order::AsTheyCame => {}
                Order::FirstOnesFirst => who.sort_by_key(|leg| leg % room > 0),
                Order::ByPhase => who.sort_by_key(phase),
            }
            for leg in who {
                let order = join(leg + 1, leg / room + 1);
                plane.handle(order, now, &mut outbox, &mut events);
            }
        }
        plane.phases.iter().map(|phase| phase.load).collect()
    }

    #[test]
    fn many_legs_are_spread_over_all_phases_however_they_come() {
        for order in [Order::AsTheyCame, Order::FirstOnesFirst, Order::ByPhase] {
            for (at_once, room) in [(1, 3), (2, 2), (30, 3), (60, 3), (60, 20), (300, 5), (50, 3), (3000, 2), (3000, 3)]
            {
                // 150 in each would be the best.
                let many = loads(3000, at_once, room, order);
                assert!(
                    many.iter().all(|load| *load <= 300),
                    "{order:?}, {at_once} at once, rooms of {room}: {many:?}"
                );
                // Few: four wake-ups.
                let few = loads(300, at_once.min(300), room, order);
                let (used, others) = few.split_at(4);
                assert!(used.iter().all(|load| *load <= 150) && others.iter().all(|load| *load == 0), "{few:?}");
            }
        }
    }

    #[test]
    fn a_leg_that_begins_a_room_in_a_late_turn_misses_no_tick() {
        let mut plane = Plane::new(Arc::new(ClipLibrary::with_tones()));
        let (mut outbox, mut events) = (Outbox::with_capacity(1), Vec::new());
        let (leg, setup) = (LegId::from_bits(1), Box::new(setup()));
        plane.handle(
            MediaCommand::Open { leg, setup },
            Instant::from_start(Duration::from_secs(1)),
            &mut outbox,
            &mut events,
        );
        let due = plane.poll_timeout().unwrap();
        let order = join(1, 1);
        plane.handle(order, due + Duration::from_millis(2), &mut outbox, &mut events);
        assert_eq!(plane.poll_timeout(), Some(due));
    }
}
