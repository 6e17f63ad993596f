//! What becomes of ticks that come too late.

use std::time::Duration;

use super::phase::on_grid;
use super::{Plane, Unit};
use crate::base::Instant;
use crate::media::TICK;
use crate::media::leg::Leg;

/// A plane this late lets frames fall rather than catch up with a burst of packets. More: longer bursts after a
/// stall. Less: a short stall is heard that a phone's buffer would have hidden.
const MOST_LATE: Duration = Duration::from_millis(200);

/// A tick that comes this late is one that the far ends' jitter buffers notice: two turns. Less: what a turn late
/// by one costs is within what they bear anyway.
pub(super) const OVERRUN: Duration = Duration::from_millis(10);

impl Plane {
    /// Leaves out ticks that are too late to be made up for. To be called first in a turn: orders and packets find everybody's time where it is.
    ///
    /// If one phase is too late all of them are overtaken, for a leg that goes from one to another is to be as late in both.
    pub fn overtake(&mut self, now: Instant) {
        let late = |phase: &super::Phase| phase.is_busy() && now.since(phase.due) > MOST_LATE;
        if self.cursor.is_some() || !self.phases.iter().any(late) {
            return;
        }
        let Self { phases, rooms, legs, .. } = self;
        for (index, phase) in phases.iter_mut().enumerate().filter(|(_, phase)| phase.is_busy()) {
            let due = on_grid(now - TICK, index);
            let ticks = u32::try_from(due.since(phase.due).as_nanos() / TICK.as_nanos()).unwrap_or(u32::MAX);
            if ticks == 0 {
                continue;
            }
            phase.due = due;
            let alone = phase.alone.iter();
            alone.for_each(|key| legs.get_mut(*key).into_iter().for_each(|leg| leg.lapse(ticks, false, false)));
            phase.rooms.iter().filter_map(|room| rooms.at(*room)).for_each(|room| room.bridge.lapse(ticks, legs));
        }
    }

    /// Tells the legs of a unit when it is ticked too late.
    pub(super) fn note_late(&mut self, unit: Unit) {
        let Self { phases, rooms, legs, .. } = self;
        let (phase, room) = match unit {
            Unit::Bridge(room) => (rooms.at(room).map(|room| room.phase), rooms.at(room)),
            Unit::Alone(phase) => (Some(usize::from(phase)), None),
        };
        let Some(phase) = phase.and_then(|phase| phases.get(phase)).filter(|phase| phase.late) else { return };
        let overrun = |leg: Option<&mut Leg>| leg.into_iter().for_each(Leg::overrun);
        match room {
            Some(room) => room.bridge.legs().for_each(|key| overrun(legs.get_mut(key))),
            None => phase.alone.iter().for_each(|key| overrun(legs.get_mut(*key))),
        }
    }
}
