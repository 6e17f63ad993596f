//! What our stream's reports amount to.

use super::pattern::Tally;
use crate::media::report::Reported;

/// What a far end can have of jitter: 2 s in milliseconds. What is above is none.
const MOST_JITTER: f32 = 2000.0;

/// Numbers by which a far end's reports may run ahead of ours: those on their way, and those of a report that came late.
const ON_THE_WAY: u32 = 500;

/// What the far end reported.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sent {
    reported: Option<Reported>,
    /// Numbers left out that its next report may still call lost.
    left_out: u64,
    /// In milliseconds.
    jitter: f32,
    expected: u64,
    lost: u64,
    discarded: u64,
}

impl Sent {
    /// What a report adds to the one before; none where it is not news. The far end threw away such a share of what reached it.
    pub(super) fn report(&mut self, reported: Reported, discarded: f64, clock: u32) -> Option<(Tally, f32)> {
        let before = self.reported.replace(reported);
        let (block, then) = (reported.block, before.unwrap_or_default());
        let expected = match before {
            Some(before) => block.highest.wrapping_sub(before.block.highest),
            // Of the first, only its fraction says how many of how many.
            None => 256,
        };
        let packets = reported.packets.wrapping_sub(then.packets);
        let left_out = reported.left_out.saturating_sub(then.left_out);
        let numbers = packets.saturating_add(left_out);
        if expected == 0 {
            // Of the same moment: what was left out since then is still to be told.
            self.reported = before;
            return None;
        }
        // A stream of theirs that began anew, or more than we sent.
        if before.is_some() && expected > numbers.saturating_add(ON_THE_WAY) {
            return None;
        }
        let (lost, left_out) = match before {
            Some(_) => {
                let lost = u64::try_from(i64::from(block.lost) - i64::from(then.block.lost)).unwrap_or(0);
                (lost, u64::from(left_out))
            }
            None => (u64::from(block.fraction_lost), (u64::from(left_out) << 8) / u64::from(numbers.max(1))),
        };
        let expected = u64::from(expected);
        // More lost than there were.
        if lost > expected {
            return None;
        }
        // What never came to us is not lost on the way from us. Of what was left out last, some may not be reported yet.
        let known = (self.left_out + left_out).min(lost);
        self.left_out = (self.left_out + left_out - known).min(left_out);
        let lost = lost - known;
        // Packets are counted in whole: `as` cuts what is below one.
        let discarded = ((expected - lost) as f64 * discarded) as u64;
        self.expected += expected;
        self.lost += lost;
        self.discarded += discarded;
        let jitter = block.jitter as f32 * 1000.0 / clock.max(1) as f32;
        if jitter <= MOST_JITTER {
            self.jitter = jitter;
        }
        Some((tally(expected, lost, discarded), self.jitter))
    }

    /// Whether it told anything.
    pub(super) fn is_known(&self) -> bool {
        self.expected > 0
    }

    /// All of it.
    pub(super) fn tally(self) -> Tally {
        tally(self.expected, self.lost, self.discarded)
    }
}

fn tally(expected: u64, lost: u64, discarded: u64) -> Tally {
    let missing = lost + discarded;
    Tally { heard: expected - missing.min(expected), missing, late: discarded, runs: missing, ..Tally::default() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{facts, report, talk};
    use super::super::{Blame, Monitor};
    use super::*;
    use crate::wire::codec::Codec;
    use crate::wire::rtp::rtcp::ReportBlock;
    use crate::wire::rtp::xr::VoipMetrics;

    #[test]
    fn what_never_came_to_us_is_not_lost_on_the_way_from_us() {
        let judged = |left_out: u32, lost: i32| {
            let mut monitor = Monitor::default();
            for round in 0..4 {
                talk(&mut monitor, round * 250, |_| true);
                let round = u32::from(round);
                let fraction_lost = u8::try_from(lost * 256 / 250).unwrap();
                let (highest, lost) = (1000 + round * 250, round.cast_signed() * lost);
                let block = ReportBlock { highest, lost, fraction_lost, ..ReportBlock::default() };
                let (packets, left_out) = ((round + 1) * (250 - left_out), (round + 1) * left_out);
                monitor.interval(&facts(Some(Reported { block, packets, left_out })));
            }
            let call = monitor.quality(Codec::Pcmu).call;
            (call.blame, call.egress.unwrap().loss)
        };
        assert_eq!(judged(25, 25), (Blame::Nobody, 0.0));
        assert_eq!(judged(25, 20), (Blame::Nobody, 0.0), "never below zero");
        let (blame, loss) = judged(25, 50);
        assert!(blame == Blame::WayFromUs && (0.09..0.11).contains(&loss), "{blame:?}, {loss}");
    }

    #[test]
    fn a_report_of_what_cannot_be_tells_nothing() {
        let mut monitor = Monitor::default();
        for round in 0..3 {
            monitor.interval(&facts(report(1000 + round * 250, 0)));
        }
        let block = ReportBlock { highest: 1750, jitter: u32::MAX, ..ReportBlock::default() };
        monitor.interval(&facts(Some(Reported { block, packets: 1750, left_out: 0 })));
        assert_eq!(monitor.quality(Codec::Pcmu).last.egress.unwrap().jitter_ms, 10.0, "the jitter of before");
        let block = ReportBlock { highest: 900_000, lost: 0x7f_ffff, ..ReportBlock::default() };
        monitor.interval(&facts(Some(Reported { block, packets: 2000, left_out: 0 })));
        let quality = monitor.quality(Codec::Pcmu);
        assert_eq!((quality.last.egress, quality.call.egress.unwrap().loss), (None, 0.0), "more than we ever sent");
        for (highest, lost) in [(2000, 0), (2250, -0x80_0000), (2500, 0)] {
            monitor.interval(&facts(report(highest, lost)));
        }
        let quality = monitor.quality(Codec::Pcmu);
        assert_eq!((quality.last.egress, quality.call.egress.unwrap().loss), (None, 0.0), "more than there were");
        monitor.receive(&VoipMetrics { loss_rate: 255, discard_rate: 255, ..VoipMetrics::default() });
        assert_eq!(monitor.far_end(), None, "twice all of our packets");
    }
}
