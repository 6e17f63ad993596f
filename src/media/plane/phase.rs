//! What is ticked at the same time: a fourth of the rooms, and of the legs outside rooms.

use std::time::Duration;

use super::rooms::Rooms;
use crate::base::Instant;
use crate::media::TICK;
use crate::media::outlet::LegKey;

/// Deadlines of different phases are this far apart.
pub const PHASE: Duration = Duration::from_millis(5);

/// How many there are.
pub(super) const PHASES: usize = 4;

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

/// The first deadline of a phase after `now`.
pub(super) fn on_grid(now: Instant, phase: usize) -> Instant {
    let period = TICK.as_nanos();
    let offset = PHASE.as_nanos() * phase as u128;
    let since = now.since_start().as_nanos();
    let ticks = if since < offset { 0 } else { (since - offset) / period + 1 };
    Instant::from_start(Duration::from_nanos(u64::try_from(ticks * period + offset).unwrap_or(u64::MAX)))
}
