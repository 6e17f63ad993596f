//! Rank 4: the one operation that moves a person's channels from one leg to another, make before break.
//!
//! ```text
//!  Begin          Verified(new)         a moment later        a second later
//!    │ Preparing ───────────▶ Bound ───────────────▶ Quiet ──────────────▶ (done)
//!    │    │                   Bind(new)              Quieten(old)          Release(old), unless it is kept
//!    │    └ Lost(new), too late: Failed(new); the old leg carries everything as before
//! ```
//!
//! It knows no SIP and no WebRTC: whoever owns the legs says that a new one is verified both ways, and carries out the
//! orders. A browser that comes back with a new peer connection is one such move, from phone to browser and back are others.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::base::{Instant, LegId, Now, ParticipantId, RoomId, Timers};
use crate::room::Channel;

/// How long the new leg may take until it is verified. Longer: a half-open leg is kept for nothing. Shorter: a slow network
/// never gets there.
const PREPARED_WITHIN: Duration = Duration::from_secs(20);

/// How long both carry the channels. Longer: whoever listens on both hears double. Shorter: what is under way on the old
/// one is lost.
const OVERLAP: Duration = Duration::from_millis(100);

/// How long the old one is kept after that. Longer: two legs for one person. Shorter: late packets meet a closed port.
const QUIET: Duration = Duration::from_secs(1);

/// What is moved, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Whose channels.
    pub participant: ParticipantId,
    /// Where their place is.
    pub room: RoomId,
    /// Which.
    pub channels: Vec<Channel>,
    /// The leg that carries them; none where nothing does.
    pub from: Option<LegId>,
    /// The leg that is to carry them.
    pub to: LegId,
    /// The old leg stays up, quiet, when all is done: to go back to.
    pub keep: bool,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// The new leg carries these channels from now on.
    Bind {
        /// In which room.
        room: RoomId,
        /// Whose.
        participant: ParticipantId,
        /// Which.
        channels: Vec<Channel>,
        /// By which leg.
        leg: LegId,
    },
    /// This leg is not heard and hears nothing any more, as far as these channels go.
    Quieten {
        /// Which.
        leg: LegId,
        /// Which channels.
        channels: Vec<Channel>,
    },
    /// This leg is not needed any more.
    Release {
        /// Which.
        leg: LegId,
    },
    /// The new leg did not come to stand; it is to be given up.
    Failed {
        /// Whose.
        participant: ParticipantId,
        /// Which.
        leg: LegId,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Preparing,
    Bound,
    Quiet,
}

/// Every move under way, one for each person.
#[derive(Debug, Default)]
pub struct Handoffs {
    moves: BTreeMap<ParticipantId, (Move, Stage)>,
    timers: Timers<ParticipantId>,
    outputs: VecDeque<Output>,
}

impl Handoffs {
    /// Begins a move: the new leg is being set up. One that is under way for this person is overtaken.
    pub fn begin(&mut self, what: Move, now: Now) {
        self.cancel(what.participant);
        self.timers.arm(what.participant, now.mono + PREPARED_WITHIN);
        self.moves.insert(what.participant, (what, Stage::Preparing));
    }

    /// A leg was verified both ways.
    pub fn verified(&mut self, leg: LegId, now: Now) {
        let found = self.moves.values_mut().find(|(what, stage)| what.to == leg && *stage == Stage::Preparing);
        let Some((what, stage)) = found else { return };
        *stage = Stage::Bound;
        self.timers.arm(what.participant, now.mono + OVERLAP);
        let (room, participant, channels) = (what.room, what.participant, what.channels.clone());
        self.outputs.push_back(Output::Bind { room, participant, channels, leg });
    }

    /// A leg is gone by itself.
    pub fn lost(&mut self, leg: LegId) {
        let failed = self.moves.values().find(|(what, stage)| what.to == leg && *stage == Stage::Preparing);
        if let Some(participant) = failed.map(|(what, _)| what.participant) {
            self.fail(participant);
        }
        for (what, _) in self.moves.values_mut().filter(|(what, _)| what.from == Some(leg)) {
            what.from = None;
        }
    }

    /// A person is gone, or moves elsewhere: a leg that was being set up is given up, an old one is let go at once.
    pub fn cancel(&mut self, participant: ParticipantId) {
        self.timers.disarm(&participant);
        let Some((what, stage)) = self.moves.remove(&participant) else { return };
        match (stage, what.from) {
            (Stage::Preparing, _) => self.outputs.push_back(Output::Release { leg: what.to }),
            (Stage::Bound, Some(leg)) => {
                self.outputs.push_back(Output::Quieten { leg, channels: what.channels });
                self.release(what.from, what.keep);
            }
            (Stage::Quiet, from) => self.release(from, what.keep),
            (Stage::Bound, None) => {}
        }
    }

    /// The old leg carries the channels again, because the new one is gone: neither is let go.
    pub fn keep(&mut self, participant: ParticipantId) {
        if self.moves.get(&participant).is_some_and(|(_, stage)| *stage != Stage::Preparing) {
            self.timers.disarm(&participant);
            self.moves.remove(&participant);
        }
    }

    /// The leg that is being set up for this person.
    pub fn awaited(&self, participant: ParticipantId) -> Option<LegId> {
        self.moves.get(&participant).filter(|(_, stage)| *stage == Stage::Preparing).map(|(what, _)| what.to)
    }

    /// A deadline passed.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(participant) = self.timers.expire(now.mono) {
            let Some((what, stage)) = self.moves.get_mut(&participant) else { continue };
            match stage {
                Stage::Preparing => self.fail(participant),
                Stage::Bound => {
                    *stage = Stage::Quiet;
                    self.timers.arm(participant, now.mono + QUIET);
                    if let Some(leg) = what.from {
                        self.outputs.push_back(Output::Quieten { leg, channels: what.channels.clone() });
                    }
                }
                Stage::Quiet => {
                    let (from, keep) = (what.from, what.keep);
                    self.moves.remove(&participant);
                    self.release(from, keep);
                }
            }
        }
    }

    /// The next order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Handoffs::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    fn fail(&mut self, participant: ParticipantId) {
        self.timers.disarm(&participant);
        if let Some((what, _)) = self.moves.remove(&participant) {
            self.outputs.push_back(Output::Failed { participant, leg: what.to });
        }
    }

    fn release(&mut self, leg: Option<LegId>, keep: bool) {
        if let Some(leg) = leg.filter(|_| !keep) {
            self.outputs.push_back(Output::Release { leg });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Utc;

    const OLD: LegId = LegId::from_bits(1);
    const NEW: LegId = LegId::from_bits(2);
    const ANNA: ParticipantId = ParticipantId::from_bits(7);

    fn at(ms: u64) -> Now {
        Now { mono: Instant::START + Duration::from_millis(ms), utc: Utc(0) }
    }

    fn begun(keep: bool) -> Handoffs {
        let mut moves = Handoffs::default();
        let channels = vec![Channel::Audio, Channel::Video];
        let room = RoomId::from_bits(1);
        moves.begin(Move { participant: ANNA, room, channels, from: Some(OLD), to: NEW, keep }, at(0));
        moves
    }

    fn ordered(moves: &mut Handoffs) -> Vec<&'static str> {
        std::iter::from_fn(|| moves.poll_output())
            .map(|output| match output {
                Output::Bind { leg: NEW, .. } => "bind new",
                Output::Quieten { leg: OLD, .. } => "quieten old",
                Output::Release { leg: OLD } => "release old",
                Output::Release { leg: NEW } => "release new",
                Output::Failed { leg: NEW, .. } => "failed new",
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn the_old_leg_is_quiet_only_after_the_new_one_carries() {
        let mut moves = begun(false);
        assert_eq!(ordered(&mut moves), [""; 0]);
        moves.verified(NEW, at(500));
        assert_eq!(ordered(&mut moves), ["bind new"]);
        moves.handle_timeout(at(600));
        assert_eq!(ordered(&mut moves), ["quieten old"]);
        moves.handle_timeout(at(1600));
        assert_eq!(ordered(&mut moves), ["release old"]);
        assert_eq!(moves.poll_timeout(), None);
    }

    #[test]
    fn a_leg_that_never_stands_changes_nothing() {
        let mut moves = begun(false);
        moves.handle_timeout(at(20_000));
        assert_eq!(ordered(&mut moves), ["failed new"]);
        let mut moves = begun(false);
        moves.lost(NEW);
        assert_eq!(ordered(&mut moves), ["failed new"]);
        moves.verified(NEW, at(1));
        assert_eq!(ordered(&mut moves), [""; 0], "too late");
    }

    #[test]
    fn an_old_leg_that_is_lost_or_kept_is_not_released() {
        let mut moves = begun(false);
        moves.lost(OLD);
        moves.verified(NEW, at(1));
        moves.handle_timeout(at(200));
        moves.handle_timeout(at(2000));
        assert_eq!(ordered(&mut moves), ["bind new"]);
        let mut moves = begun(true);
        moves.verified(NEW, at(1));
        moves.handle_timeout(at(200));
        moves.handle_timeout(at(2000));
        assert_eq!(ordered(&mut moves), ["bind new", "quieten old"]);
    }

    #[test]
    fn a_new_leg_that_is_lost_while_both_are_up_costs_the_old_one_nothing() {
        let mut moves = begun(false);
        assert_eq!(moves.awaited(ANNA), Some(NEW));
        moves.keep(ANNA);
        assert_eq!(moves.awaited(ANNA), Some(NEW), "nothing carries yet that could be lost");
        moves.verified(NEW, at(1));
        assert_eq!(moves.awaited(ANNA), None);
        moves.keep(ANNA);
        moves.handle_timeout(at(2000));
        assert_eq!(ordered(&mut moves), ["bind new"]);
        assert_eq!(moves.poll_timeout(), None);
    }

    #[test]
    fn whoever_goes_leaves_no_leg_behind() {
        let mut moves = begun(false);
        moves.cancel(ANNA);
        assert_eq!(ordered(&mut moves), ["release new"]);
        let mut moves = begun(false);
        moves.verified(NEW, at(1));
        moves.cancel(ANNA);
        assert_eq!(ordered(&mut moves), ["bind new", "quieten old", "release old"]);
        assert_eq!(moves.poll_timeout(), None);
    }
}
