//! Wings of large rooms, as a plane has them.

use super::Plane;
use super::phase::{Phase, emptiest};
use super::rooms::Room;
use crate::base::{Instant, RoomId};
use crate::media::bridge::{Bridge, Span, WING};

impl Plane {
    /// Makes a room a wing of a larger one, tells it of other wings, or makes it a room again. A wing begins before its first leg, and ends when it is
    /// a room again and nobody is in it.
    pub fn span(&mut self, room: RoomId, span: Option<Span>, now: Instant) {
        match (self.rooms.place(room), span) {
            (Some(place), span) => {
                let ends = span.is_none();
                let Some(room) = self.rooms.at_mut(place) else { return };
                room.bridge.span(span, now, &mut self.legs);
                if ends && room.bridge.is_empty() {
                    self.end_room(place);
                }
            }
            (None, Some(span)) => {
                let phase = emptiest(&self.phases, |phase| self.promised(phase));
                self.wake(phase, now);
                self.begin_wing(room, phase, span);
            }
            (None, None) => {}
        }
    }

    pub(super) fn begin_wing(&mut self, room: RoomId, phase: usize, span: Span) {
        let mut bridge = Box::new(Bridge::new(room));
        bridge.span(Some(span), self.due(phase), &mut self.legs);
        let place = self.rooms.insert(room, Room { bridge, phase });
        let Some(units) = self.phases.get_mut(phase) else { return };
        // Before those that are to be ticked, if that is going on: its own first tick is the next.
        units.rooms.insert(0, place);
        if let Some((_, given)) = self.cursor.as_mut().filter(|(ticked, _)| *ticked == phase) {
            *given += 1;
        }
    }

    /// Legs that will come to a phase: those that its wings have room for.
    pub(super) fn promised(&self, phase: &Phase) -> usize {
        let wings =
            phase.rooms.iter().filter_map(|room| self.rooms.at(*room)).filter(|room| room.bridge.spans().is_some());
        wings.map(|wing| WING.saturating_sub(wing.bridge.legs().count())).sum()
    }
}
