//! In which pattern packets go missing: by number, once it is certain that they will not come.

/// Numbers for which a packet is waited: 1.3 s of packets of 20 ms. More: the last losses are told late. Fewer: what is
/// only out of order counts as lost.
const WAIT: u32 = 64;

/// A jump forward of this many is a sender that began anew.
const MAX_DROPOUT: u16 = 3000;

/// What became of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Packets that could be played.
    pub heard: u64,
    /// Packets that never came, or too late.
    pub missing: u64,
    /// Of these, those that came too late.
    pub late: u64,
    /// Of these, those that came and could not be played.
    pub refused: u64,
    /// Runs of missing ones.
    pub runs: u64,
    /// Bursts: spans that begin and end with a missing one and have fewer than [`GAP`] heard in a row (RFC 3611 §4.7.2).
    pub bursts: u64,
    /// Packets within bursts, missing or not.
    pub burst_packets: u64,
    /// Missing ones within bursts.
    pub burst_missing: u64,
}

/// Packets heard in a row that end a burst (`Gmin`, RFC 3611 §4.7.2).
pub const GAP: u8 = 16;

impl Tally {
    /// What came after an earlier one.
    pub fn since(self, then: Tally) -> Tally {
        Tally {
            heard: self.heard.saturating_sub(then.heard),
            missing: self.missing.saturating_sub(then.missing),
            late: self.late.saturating_sub(then.late),
            refused: self.refused.saturating_sub(then.refused),
            runs: self.runs.saturating_sub(then.runs),
            bursts: self.bursts.saturating_sub(then.bursts),
            burst_packets: self.burst_packets.saturating_sub(then.burst_packets),
            burst_missing: self.burst_missing.saturating_sub(then.burst_missing),
        }
    }

    /// Share that is missing, 0 to 1.
    pub fn loss(self) -> f64 {
        self.missing as f64 / (self.heard + self.missing).max(1) as f64
    }

    /// Whether at least half of what is missing came, and could not be played.
    pub fn is_refused(self) -> bool {
        self.refused > 0 && self.refused * 2 >= self.missing
    }

    /// How much longer the runs are than those of random loss would be (`BurstR` of G.107); at least 1.
    pub fn burst(self) -> f64 {
        let length = self.missing as f64 / self.runs.max(1) as f64;
        (length * (1.0 - self.loss())).max(1.0)
    }
}

/// The numbers of one stream.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pattern {
    started: bool,
    highest: u16,
    /// Numbers since the beginning, at most [`WAIT`].
    known: u32,
    /// Bit `n`: number `highest − n` can be played.
    came: u64,
    /// Bit `n`: it came too late.
    late: u64,
    /// Bit `n`: it came, and could not be played.
    refused: u64,
    in_run: bool,
    /// Heard since the last missing one.
    since: u8,
    /// Packets and missing ones of what may be a burst.
    cluster: (u64, u64),
    tally: Tally,
}

impl Pattern {
    /// Takes a packet's number, and whether it came in time.
    pub fn arrive(&mut self, sequence: u16, in_time: bool) {
        let back = self.reach(sequence);
        if back < self.known {
            let bit = 1 << back;
            if in_time { self.came |= bit } else { self.late |= bit }
        }
    }

    /// Takes the number of a packet that came and cannot be played: it counts as missing.
    pub fn refuse(&mut self, sequence: u16) {
        let back = self.reach(sequence);
        if back < self.known {
            self.refused |= 1 << back;
        }
    }

    /// Counts up to a number; returns how far it lies behind the highest.
    fn reach(&mut self, sequence: u16) -> u32 {
        let ahead = sequence.wrapping_sub(self.highest);
        if !self.started || (MAX_DROPOUT..u16::MAX - MAX_DROPOUT).contains(&ahead) {
            self.pause();
            *self = Self { started: true, highest: sequence, known: 1, tally: self.tally, ..Self::default() };
            return 0;
        }
        if ahead < MAX_DROPOUT {
            (0..ahead).for_each(|_| self.step());
            self.highest = sequence;
            return 0;
        }
        u32::from(ahead.wrapping_neg())
    }

    /// What comes is not taken for a while, or is another stream: what goes by meanwhile is not lost.
    pub fn pause(&mut self) {
        while self.started && self.known > 0 {
            self.settle();
            self.known -= 1;
        }
        self.started = false;
        self.in_run = false;
        self.end_cluster();
    }

    /// What is certain.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// What is certain, and what is likely: all that came, and what is missing before it.
    pub fn in_all(&self) -> Tally {
        let mut end = *self;
        end.pause();
        end.tally
    }

    fn step(&mut self) {
        if self.known == WAIT {
            self.settle();
        } else {
            self.known += 1;
        }
        self.came <<= 1;
        self.late <<= 1;
        self.refused <<= 1;
    }

    /// The oldest number that is known of is decided.
    fn settle(&mut self) {
        let bit = 1u64 << (self.known - 1);
        let came = self.came & bit != 0;
        self.tally.heard += u64::from(came);
        self.tally.missing += u64::from(!came);
        self.tally.late += u64::from(!came && self.late & bit != 0);
        self.tally.refused += u64::from(!came && self.refused & bit != 0);
        self.tally.runs += u64::from(!came && !self.in_run);
        self.in_run = !came;
        if came {
            self.since = self.since.saturating_add(1);
            return;
        }
        if self.cluster.1 > 0 && self.since < GAP {
            self.cluster = (self.cluster.0 + u64::from(self.since) + 1, self.cluster.1 + 1);
        } else {
            self.end_cluster();
            self.cluster = (1, 1);
        }
        self.since = 0;
    }

    /// One missing packet alone is no burst.
    fn end_cluster(&mut self) {
        let (packets, missing) = std::mem::take(&mut self.cluster);
        if missing > 1 {
            self.tally.bursts += 1;
            self.tally.burst_packets += packets;
            self.tally.burst_missing += missing;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(numbers: impl IntoIterator<Item = (u16, bool)>) -> Tally {
        let mut pattern = Pattern::default();
        numbers.into_iter().for_each(|(number, in_time)| pattern.arrive(number, in_time));
        pattern.in_all()
    }

    #[test]
    fn what_is_lost_late_and_out_of_order_is_told_apart_across_the_wrap() {
        let numbers = (0..400u16).map(|n| n.wrapping_add(65_400));
        let lost = |n: &u16| (100..105).contains(&n.wrapping_sub(65_400)) || n.wrapping_sub(65_400) == 200;
        let tally = of(numbers.clone().filter(|n| !lost(n)).map(|n| (n, n != 65_450)));
        assert_eq!(
            tally,
            Tally {
                heard: 393,
                missing: 7,
                late: 1,
                refused: 0,
                runs: 3,
                bursts: 1,
                burst_packets: 5,
                burst_missing: 5
            }
        );
        let swapped: Vec<(u16, bool)> =
            numbers.collect::<Vec<_>>().chunks(2).flat_map(|two| two.iter().rev().map(|n| (*n, true))).collect();
        assert_eq!(
            of(swapped),
            Tally { heard: 399, ..Tally::default() },
            "nothing is known of what was before the first"
        );
    }

    #[test]
    fn random_loss_has_a_burst_ratio_of_one_and_bursts_of_five_of_about_five() {
        let mut chance = 7u32;
        let random = (0..30_000u16).filter(|_| {
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (chance >> 16) % 100 >= 10
        });
        let random = of(random.map(|n| (n, true)));
        assert!((random.loss() - 0.1).abs() < 0.01 && random.burst() < 1.05, "{random:?}");
        let bursts = of((0..30_000u16).filter(|n| n % 100 >= 5).map(|n| (n, true)));
        assert!((bursts.burst() - 4.75).abs() < 0.1, "{}", bursts.burst());
    }

    #[test]
    fn a_hold_and_a_sender_that_begins_anew_are_no_loss() {
        let mut pattern = Pattern::default();
        (0..10).for_each(|n| pattern.arrive(n, true));
        pattern.pause();
        (500..510).for_each(|n| pattern.arrive(n, true));
        (40_000..40_010).for_each(|n| pattern.arrive(n, true));
        assert_eq!(pattern.in_all(), Tally { heard: 30, ..Tally::default() });
    }
}
