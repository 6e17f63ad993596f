//! Who is where, and who watches whom: what a packet is looked up in, never searched for.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{LegId, ParticipantId, RoomId};
use crate::media::web::{Source, Wish};

/// Where somebody's picture is wanted: by which leg, in which of its slots.
pub(super) type Viewer = (LegId, u8);

/// All rooms that browsers are in.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    rooms: BTreeMap<RoomId, Room>,
    watched: BTreeMap<(RoomId, ParticipantId, Source), Vec<Viewer>>,
}

#[derive(Debug, Default)]
struct Room {
    legs: BTreeSet<LegId>,
    /// Through which leg a person is seen: the latest.
    seats: BTreeMap<ParticipantId, LegId>,
}

impl Rooms {
    /// A leg comes in.
    pub fn enter(&mut self, leg: LegId, room: RoomId, participant: ParticipantId) {
        let room = self.rooms.entry(room).or_default();
        room.legs.insert(leg);
        room.seats.insert(participant, leg);
    }

    /// It leaves.
    pub fn leave(&mut self, leg: LegId, room: RoomId, participant: ParticipantId) {
        let Some(found) = self.rooms.get_mut(&room) else { return };
        found.legs.remove(&leg);
        if found.seats.get(&participant) == Some(&leg) {
            found.seats.remove(&participant);
        }
        if found.legs.is_empty() {
            self.rooms.remove(&room);
        }
    }

    /// The legs in a room.
    pub fn legs(&self, room: RoomId) -> impl Iterator<Item = LegId> {
        self.rooms.get(&room).into_iter().flat_map(|room| room.legs.iter().copied())
    }

    /// Through which leg a person is seen.
    pub fn seat(&self, room: RoomId, participant: ParticipantId) -> Option<LegId> {
        self.rooms.get(&room)?.seats.get(&participant).copied()
    }

    /// A leg in a room wants to see these.
    pub fn watch(&mut self, leg: LegId, room: RoomId, wishes: &[Wish]) {
        for wish in wishes {
            self.watched.entry((room, wish.participant, wish.source)).or_default().push((leg, wish.slot));
        }
    }

    /// No longer.
    pub fn unwatch(&mut self, leg: LegId, room: RoomId, wishes: &[Wish]) {
        for wish in wishes {
            let key = (room, wish.participant, wish.source);
            let Some(viewers) = self.watched.get_mut(&key) else { continue };
            viewers.retain(|(viewer, slot)| (*viewer, *slot) != (leg, wish.slot));
            if viewers.is_empty() {
                self.watched.remove(&key);
            }
        }
    }

    /// Who watches.
    pub fn viewers(&self, room: RoomId, participant: ParticipantId, source: Source) -> &[Viewer] {
        self.watched.get(&(room, participant, source)).map_or(&[], Vec::as_slice)
    }

    /// Whether nothing is left.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty() && self.watched.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_of_two_tabs_is_the_one_that_is_seen_and_nothing_stays_behind() {
        let mut rooms = Rooms::default();
        let (room, anna) = (RoomId::from_bits(1), ParticipantId::from_bits(2));
        let (old, new) = (LegId::from_bits(3), LegId::from_bits(4));
        rooms.enter(old, room, anna);
        rooms.enter(new, room, anna);
        rooms.leave(old, room, anna);
        assert_eq!(rooms.seat(room, anna), Some(new));
        let wishes = [Wish { slot: 0, participant: anna, source: Source::Camera, height: 90 }];
        rooms.watch(new, room, &wishes);
        assert_eq!(rooms.viewers(room, anna, Source::Camera), [(new, 0)]);
        assert!(rooms.viewers(room, anna, Source::Screen).is_empty());
        rooms.unwatch(new, room, &wishes);
        rooms.leave(new, room, anna);
        assert!(rooms.is_empty());
    }
}
