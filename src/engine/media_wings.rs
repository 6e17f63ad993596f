//! Which threads a room's legs are on: a room is a wing, or several when it is too large for one.
//!
//! A wing is a room to its thread, by an id of its own; the first has the room's. Browsers are in that one, for it alone gives places to the speakers
//! that browsers hear; telephones are in the first that has room.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::RoomId;
use crate::media::bridge::{Board, Other, Span};

/// Every room's wings.
#[derive(Debug)]
pub(super) struct Wings {
    rooms: BTreeMap<RoomId, Vec<Wing>>,
    /// Legs of a wing.
    most: usize,
}

#[derive(Debug)]
struct Wing {
    /// What its thread calls it.
    id: RoomId,
    worker: usize,
    legs: usize,
    /// Where it tells others of itself, since there are others.
    board: Option<Arc<Board>>,
}

/// What a thread is to be told of a wing.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) worker: usize,
    pub(super) wing: RoomId,
    /// None: it is a room by itself.
    pub(super) span: Option<Span>,
}

/// Where a leg goes.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) worker: usize,
    pub(super) wing: RoomId,
    /// A wing was added.
    pub(super) grown: bool,
}

impl Wings {
    /// No room yet; each wing takes so many legs.
    pub(super) fn new(most: usize) -> Self {
        Self { rooms: BTreeMap::new(), most: most.max(1) }
    }

    /// Gives a leg a place in a room. A room begins on the thread where the leg is, a further wing on the one named by `quietest`, with an id from `draw`.
    pub(super) fn join(
        &mut self,
        room: RoomId,
        browser: bool,
        here: usize,
        quietest: impl FnOnce() -> Option<usize>,
        draw: impl FnOnce() -> RoomId,
    ) -> Joined {
        let wings = self.rooms.entry(room).or_default();
        let fits = |wing: &&mut Wing| if browser { wing.id == room } else { wing.legs < self.most };
        if let Some(wing) = wings.iter_mut().find(fits) {
            wing.legs += 1;
            return Joined { worker: wing.worker, wing: wing.id, grown: false };
        }
        let worker = if wings.is_empty() { here } else { quietest().unwrap_or(here) };
        let id = if wings.iter().any(|wing| wing.id == room) { draw() } else { room };
        wings.push(Wing { id, worker, legs: 1, board: None });
        Joined { worker, wing: id, grown: wings.len() > 1 }
    }

    /// A leg is gone from a wing. Returns what is to be told of it if it was the last.
    pub(super) fn leave(&mut self, room: RoomId, wing: RoomId) -> Option<Told> {
        let wings = self.rooms.get_mut(&room)?;
        let place = wings.iter().position(|known| known.id == wing)?;
        let left = wings.get_mut(place)?;
        left.legs = left.legs.saturating_sub(1);
        if left.legs > 0 {
            return None;
        }
        let Wing { worker, id, board, .. } = wings.remove(place);
        if wings.is_empty() {
            self.rooms.remove(&room);
        }
        board.map(|_| Told { worker, wing: id, span: None })
    }

    /// What the threads of a room are to be told after its wings have changed.
    pub(super) fn tell(&mut self, room: RoomId) -> Vec<Told> {
        let Some(wings) = self.rooms.get_mut(&room) else { return Vec::new() };
        if wings.len() > 1 {
            wings.iter_mut().filter(|wing| wing.board.is_none()).for_each(|wing| wing.board = Some(Arc::default()));
        } else {
            wings.iter_mut().for_each(|wing| wing.board = None);
        }
        let told = |wing: &Wing| Told {
            worker: wing.worker,
            wing: wing.id,
            span: wing.board.clone().map(|own| {
                let others = wings.iter().filter(|other| other.id != wing.id);
                let known = |other: &Wing| {
                    let same_thread = other.worker == wing.worker;
                    other.board.clone().map(|board| Other { board, same_thread })
                };
                Span { own, others: others.filter_map(known).collect() }
            }),
        };
        wings.iter().map(told).collect()
    }

    /// Whether there is no room.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }

    /// A room's wings, and the threads that they are on.
    pub(super) fn of(&self, room: RoomId) -> Vec<(usize, RoomId)> {
        self.rooms.get(&room).into_iter().flatten().map(|wing| (wing.worker, wing.id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: RoomId = RoomId::from_bits(1);
    const EAST: RoomId = RoomId::from_bits(2);
    const ELSEWHERE: RoomId = RoomId::from_bits(3);

    fn telephone(wings: &mut Wings, id: RoomId) -> (usize, RoomId, bool) {
        let joined = wings.join(ROOM, false, 0, || Some(1), || id);
        (joined.worker, joined.wing, joined.grown)
    }

    #[test]
    fn a_room_grows_by_wings_that_know_each_other_and_shrinks_to_one() {
        let mut wings = Wings::new(2);
        assert_eq!(telephone(&mut wings, EAST), (0, ROOM, false));
        assert_eq!(telephone(&mut wings, EAST), (0, ROOM, false));
        assert_eq!(wings.tell(ROOM).len(), 1);
        assert!(wings.tell(ROOM).iter().all(|told| told.span.is_none()), "one wing is a room");
        assert_eq!(telephone(&mut wings, EAST), (1, EAST, true), "full: another, where there is least to do");
        let told = wings.tell(ROOM);
        let [first, second] = told.as_slice() else { panic!("two wings") };
        let (first, second) = (first.span.as_ref().unwrap(), second.span.as_ref().unwrap());
        assert!(Arc::ptr_eq(&first.own, &second.others[0].board) && !first.others[0].same_thread);
        assert_eq!(wings.of(ROOM), [(0, ROOM), (1, EAST)]);
        assert!(wings.leave(ROOM, ROOM).is_none());
        assert_eq!(telephone(&mut wings, ELSEWHERE), (0, ROOM, false), "who goes leaves a place");
        let gone = wings.leave(ROOM, EAST).unwrap();
        assert!((gone.worker, gone.wing) == (1, EAST) && gone.span.is_none());
        let told = wings.tell(ROOM);
        assert!(told.len() == 1 && told[0].span.is_none(), "it is a room again");
        assert!(wings.leave(ROOM, ROOM).is_none() && wings.leave(ROOM, ROOM).is_none());
        assert!(wings.of(ROOM).is_empty() && wings.tell(ROOM).is_empty());
    }

    #[test]
    fn browsers_are_in_the_first_wing_even_if_it_has_to_begin_anew() {
        let mut wings = Wings::new(1);
        telephone(&mut wings, EAST);
        assert_eq!(telephone(&mut wings, EAST), (1, EAST, true));
        let browser = |wings: &mut Wings| wings.join(ROOM, true, 0, || Some(1), || ELSEWHERE);
        assert_eq!(browser(&mut wings).wing, ROOM, "however full");
        wings.leave(ROOM, ROOM);
        wings.leave(ROOM, ROOM);
        assert_eq!(wings.of(ROOM), [(1, EAST)]);
        let joined = browser(&mut wings);
        assert!(joined.wing == ROOM && joined.grown);
    }
}
