//! The rooms of a plane.

use std::collections::BTreeMap;

use crate::base::RoomId;
use crate::media::bridge::Bridge;

/// A room's bridge, and in which phase it is ticked.
pub(super) struct Room {
    pub(super) bridge: Box<Bridge>,
    pub(super) phase: usize,
}

/// The rooms, by place: each tick goes through them, and looking for each by its id would be a good part of it.
#[derive(Default)]
pub(super) struct Rooms {
    slots: Vec<Option<Room>>,
    free: Vec<u32>,
    by_id: BTreeMap<RoomId, u32>,
}

impl Rooms {
    /// Where a room is.
    pub(super) fn place(&self, id: RoomId) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    /// The room at a place.
    pub(super) fn at(&self, place: u32) -> Option<&Room> {
        self.slots.get(place as usize)?.as_ref()
    }

    /// The same, to be changed.
    pub(super) fn at_mut(&mut self, place: u32) -> Option<&mut Room> {
        self.slots.get_mut(place as usize)?.as_mut()
    }

    /// A room by its id.
    pub(super) fn get(&self, id: RoomId) -> Option<&Room> {
        self.at(self.place(id)?)
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, id: RoomId) -> Option<&mut Room> {
        self.at_mut(self.place(id)?)
    }

    /// Takes a room in; the place of one that ended is given again.
    pub(super) fn insert(&mut self, id: RoomId, room: Room) -> u32 {
        let place = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        if let Some(slot) = self.slots.get_mut(place as usize) {
            *slot = Some(room);
        }
        self.by_id.insert(id, place);
        place
    }

    /// Lets a room go.
    pub(super) fn remove(&mut self, place: u32) -> Option<Room> {
        let room = self.slots.get_mut(place as usize)?.take()?;
        self.by_id.remove(&room.bridge.room());
        self.free.push(place);
        Some(room)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }
}
