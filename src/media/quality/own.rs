//! What a far end brings about itself: packets that nobody agreed on, and so many that some have to be dropped.

use super::{Blame, Facts, Figures, Quality, Span};
use crate::base::Instant;

/// So many times what is due of a far end, and what we drop of it is its own doing. Higher: one that floods us has us blamed. Lower: one
/// that sends short packets, and each twice, is blamed for our being late.
const FLOOD: u64 = 4;

/// The packet length that a far end is taken to have at most, in milliseconds: one may send shorter packets than was asked.
const LONGEST_DUE: u8 = 20;

/// The most that is dropped in a call for each packet of a flood that was taken, all of it the flood's doing.
const DROPPED_OF_FLOOD: u64 = 100;

/// What a far end brings about itself.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Own {
    /// What is missing of it came, and could not be played.
    pub(super) refused: bool,
    /// Packets that came, and those that were due; of a call, while it sent many times more than that.
    pub(super) came: u64,
    pub(super) due: u64,
}

/// How much comes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Intake {
    /// When the last interval ended, and what had come by then.
    ended: (Instant, u64),
    flood: Own,
}

impl Intake {
    pub(super) fn new(now: Instant) -> Self {
        Self { ended: (now, 0), ..Self::default() }
    }

    /// Ends an interval; what came in it.
    pub(super) fn interval(&mut self, facts: &Facts) -> Own {
        let (since, before) = std::mem::replace(&mut self.ended, (facts.now, facts.came));
        let milliseconds = u64::try_from(facts.now.since(since).as_millis()).unwrap_or(u64::MAX);
        let came = facts.came.saturating_sub(before);
        let due = milliseconds / u64::from(facts.ptime.clamp(1, LONGEST_DUE));
        // Of less than one packet nothing can be told.
        if due > 0 && came > FLOOD * due {
            self.flood.came += came;
            self.flood.due += due;
        }
        Own { refused: false, came, due }
    }

    /// What came in the intervals in which it was far too much.
    pub(super) fn flood(&self) -> Own {
        self.flood
    }
}

impl Span {
    /// Packets were dropped because far too many came.
    fn blame_flood(&mut self, flooded: bool) {
        if flooded && matches!(self.blame, Blame::Unknown | Blame::WayToUs | Blame::BothWays) {
            self.blame = Blame::TheirEnd;
        }
    }
}

impl Figures {
    /// Adds what only the system knows: packets that it dropped before they were read, and those of ours that it did not
    /// take; in all, and since the last figures.
    pub fn note_system(&mut self, (dropped, unsent): (u64, u64), since: u64) {
        (self.dropped, self.unsent) = (dropped, unsent);
        let Quality { last, call, far_end } = &mut self.quality;
        // What overflows because many times too much comes is not ours to take.
        let flooded = last.own.due > 0 && last.own.came + since > FLOOD * last.own.due;
        last.ours += if flooded { 0 } else { since };
        let flood = dropped <= call.own.came.saturating_mul(DROPPED_OF_FLOOD);
        call.ours += if flood { 0 } else { dropped } + unsent;
        if since > 0 {
            // About five seconds of packets.
            last.judge(250, *far_end);
            last.blame_flood(flooded);
        }
        if dropped + unsent > 0 {
            call.judge(self.received + self.lost, *far_end);
            call.blame_flood(dropped > 0 && flood);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Monitor;
    use super::super::tests::{facts, talk};
    use super::*;
    use crate::wire::codec::Codec;

    #[test]
    fn packets_that_nobody_agreed_on_are_their_fault_and_so_is_what_a_flood_of_theirs_drops() {
        let mut monitor = Monitor::default();
        for round in 0..3 {
            for n in round * 250..(round + 1) * 250u16 {
                if n % 2 == 0 { monitor.arrive(n, true) } else { monitor.refuse(n) }
            }
            monitor.interval(&facts(None));
        }
        let quality = monitor.quality(Codec::Pcmu);
        assert_eq!((quality.last.blame, quality.call.blame), (Blame::TheirEnd, Blame::TheirEnd));
        assert_eq!(quality.call.ingress.unwrap().late, 0.0);

        let blamed = |came: u64, dropped: u64| {
            let mut monitor = Monitor::default();
            for round in 0..3u16 {
                talk(&mut monitor, round * 250, |n| n % 10 != 3);
                let now = Instant::START + Duration::from_secs(5 * u64::from(round));
                monitor.interval(&Facts { came: u64::from(round) * came, now, ..facts(None) });
            }
            let mut figures =
                Figures { received: 3 * came, quality: monitor.quality(Codec::Pcmu), ..Figures::default() };
            figures.note_system((dropped, 0), dropped);
            (figures.quality.last.blame, figures.quality.call.blame, figures.quality.call.ours)
        };
        assert_eq!(blamed(250, 100), (Blame::Us, Blame::Us, 100));
        assert_eq!(blamed(5_000, 20_000), (Blame::TheirEnd, Blame::TheirEnd, 0));
    }

    #[test]
    fn a_flood_that_ends_before_anything_was_reported_is_their_fault_and_what_we_drop_of_a_telephone_is_ours() {
        let blamed = |came: u64, milliseconds: u64, dropped: u64| {
            let mut monitor = Monitor::new(Instant::START);
            let now = Instant::START + Duration::from_millis(milliseconds);
            monitor.end(&Facts { came, now, ..facts(None) });
            let mut figures = Figures { received: came, quality: monitor.quality(Codec::Pcmu), ..Figures::default() };
            figures.note_system((dropped, 0), dropped);
            (figures.quality.last.blame, figures.quality.call.blame, figures.quality.call.ours)
        };
        assert_eq!(blamed(6_400, 2000, 3_600), (Blame::TheirEnd, Blame::TheirEnd, 0));
        assert_eq!(blamed(100, 2000, 50), (Blame::Us, Blame::Us, 50));
        assert_eq!(blamed(1, 10, 50), (Blame::Us, Blame::Us, 50), "of a moment nothing is known");
    }
}
