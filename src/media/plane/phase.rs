//! What is ticked at the same time: a fourth of the rooms and of the legs outside rooms, or, where there are many, as few as may be.
//!
//! Each wake-up of a thread costs what some legs do, so that few legs share four. Of many the last is sent to long after the wake-up, by as much as the work for those
//! before it takes that time: what they hear is as regular as their number is small.

use std::time::Duration;

use super::rooms::Rooms;
use crate::base::Instant;
use crate::media::TICK;
use crate::media::outlet::LegKey;

/// Deadlines of different phases are this far apart at the least.
pub const STEP: Duration = Duration::from_millis(1);

/// How many there are.
pub(super) const PHASES: usize = 20;

/// As many are used from the first leg on. More: more wake-ups. Fewer: more is done in each.
const FEW: usize = 4;

/// Legs of a phase before another one is begun: what takes about a third of a millisecond. More: they are sent to less regularly. Fewer: more wake-ups.
const FULL: usize = 96;

/// By so many legs the phase of a room's first leg may be fuller than the emptiest for the room to begin there. More: phases are less alike. Fewer: more first
/// legs are once sent to early or late, as all are who come into a room of another phase.
const SLACK: usize = FULL / 12;

/// The steps after each of the first four deadlines at which others are, in the order in which they come to be used.
const BETWEEN: [u32; PHASES / FEW] = [0, 2, 4, 1, 3];

/// Units that are due together.
#[derive(Default)]
pub(super) struct Phase {
    pub(super) due: Instant,
    pub(super) alone: Vec<LegKey>,
    /// By their places.
    pub(super) rooms: Vec<u32>,
    /// Its legs, as they are ticked.
    pub(super) order: Vec<LegKey>,
    /// Somebody came or went since that was so.
    pub(super) stale: bool,
    /// How many legs are ticked in it.
    pub(super) load: usize,
    /// Its units are ticked too late this time.
    pub(super) late: bool,
}

impl Phase {
    /// One leg more is ticked in it.
    pub(super) fn take(&mut self) {
        self.load += 1;
        self.stale = true;
        // Room for all of them, so that a tick asks for none.
        self.order.reserve(self.load.saturating_sub(self.order.len()));
    }

    /// One fewer.
    pub(super) fn lose(&mut self) {
        self.load = self.load.saturating_sub(1);
        self.stale = true;
    }

    /// Whether there is anything to tick.
    pub(super) fn is_busy(&self) -> bool {
        !self.alone.is_empty() || !self.rooms.is_empty()
    }

    /// Notes in which order its legs are ticked.
    pub(super) fn arrange(&mut self, rooms: &Rooms) {
        if std::mem::take(&mut self.stale) {
            self.order.clear();
            self.order.extend(&self.alone);
            self.order.extend(self.rooms.iter().filter_map(|room| rooms.at(*room)).flat_map(|room| room.bridge.legs()));
        }
    }
}

/// The phase of the least load, and that load. Few legs use few phases.
fn least(phases: &[Phase; PHASES], legs: usize, load: impl Fn(&Phase) -> usize) -> (usize, usize) {
    let used = legs.div_ceil(FULL).clamp(FEW, PHASES);
    phases.iter().map(load).enumerate().take(used).min_by_key(|(_, load)| *load).unwrap_or_default()
}

/// Which phase a leg or a wing is to be put into; so many more come to each.
pub(super) fn emptiest(phases: &[Phase; PHASES], more: impl Fn(&Phase) -> usize) -> usize {
    let load = |phase: &Phase| phase.load + more(phase);
    least(phases, phases.iter().map(load).sum::<usize>() + 1, load).0
}

/// Which phase a room is to begin in whose first leg was in the one named: there, unless those in rooms there are more than need be. Who is not in a room
/// yet does not count: he may go to one elsewhere.
pub(super) fn roomiest(phases: &[Phase; PHASES], here: usize) -> usize {
    let load = |phase: &Phase| phase.load.saturating_sub(phase.alone.len());
    let (other, fewest) = least(phases, phases.iter().map(|phase| phase.load).sum::<usize>() + 1, load);
    if phases.get(here).is_some_and(|here| load(here) <= fewest + SLACK) { here } else { other }
}

/// A phase's deadline within the 20 ms.
pub(super) fn offset(phase: usize) -> Duration {
    let first = TICK / FEW as u32 * (phase % FEW) as u32;
    first + STEP * BETWEEN.get(phase / FEW).copied().unwrap_or(0)
}

/// The first deadline of a phase after `now`.
pub(super) fn on_grid(now: Instant, phase: usize) -> Instant {
    let period = TICK.as_nanos();
    let offset = offset(phase).as_nanos();
    let since = now.since_start().as_nanos();
    let ticks = if since < offset { 0 } else { (since - offset) / period + 1 };
    Instant::from_start(Duration::from_nanos(u64::try_from(ticks * period + offset).unwrap_or(u64::MAX)))
}
