//! RTP ports: even from a configurable range, RTCP beside them (RFC 3550 §11), in random order, with a quarantine
//! before one is used again.

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::{Instant, Rng};

/// Time before a port is given out again. The caller of the last call may send for a moment yet, and a packet in
/// flight lives some seconds at most. Shorter: the next call hears the end of the last (and may latch on to it).
/// Longer: a small range runs dry under many short calls (ports × 1/quarantine is the most calls a second).
pub const QUARANTINE: Duration = Duration::from_secs(5);

/// The free ports of one address.
#[derive(Debug, Clone)]
pub struct PortPool {
    free: Vec<u16>,
    resting: VecDeque<(Instant, u16)>,
    quarantine: Duration,
    size: usize,
}

impl PortPool {
    /// The even ports of `first..=last` whose odd neighbours are in the range too.
    pub fn new(first: u16, last: u16, quarantine: Duration) -> Self {
        let first = first.max(2);
        let free: Vec<u16> = (first..last).filter(|port| port % 2 == 0).collect();
        let size = free.len();
        Self { free, resting: VecDeque::with_capacity(size), quarantine, size }
    }

    /// Takes an RTP port; its RTCP port is the next. None when all are in use or resting.
    pub fn take(&mut self, rng: &mut Rng, now: Instant) -> Option<u16> {
        while let Some((since, port)) = self.resting.front().copied()
            && now.since(since) >= self.quarantine
        {
            self.resting.pop_front();
            self.free.push(port);
        }
        let index = usize::try_from(rng.below(self.free.len() as u64)).ok()?;
        (index < self.free.len()).then(|| self.free.swap_remove(index))
    }

    /// Gives a port back; it rests first. Also for a port that turned out to be another program's.
    pub fn give_back(&mut self, port: u16, now: Instant) {
        if self.free.len() + self.resting.len() < self.size {
            self.resting.push_back((now, port));
        }
    }

    /// How many ports there are in all.
    pub fn size(&self) -> usize {
        self.size
    }

    /// How many are in use.
    pub fn in_use(&self) -> usize {
        self.size - self.free.len() - self.resting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_even_run_out_and_come_back_after_their_rest() {
        let at = |s| Instant::START + Duration::from_secs(s);
        let mut rng = Rng::from_number(1);
        let mut pool = PortPool::new(10_001, 10_010, QUARANTINE);
        let mut taken: Vec<u16> = std::iter::from_fn(|| pool.take(&mut rng, at(0))).collect();
        assert_ne!(taken, [10_002, 10_004, 10_006, 10_008], "not in order");
        taken.sort_unstable();
        assert_eq!(taken, [10_002, 10_004, 10_006, 10_008], "10010 has no neighbour inside");
        assert_eq!((pool.size(), pool.in_use()), (4, 4));
        pool.give_back(10_004, at(10));
        assert_eq!(pool.in_use(), 3);
        assert_eq!(pool.take(&mut rng, at(14)), None, "resting");
        assert_eq!(pool.take(&mut rng, at(15)), Some(10_004));
    }

    #[test]
    fn a_range_without_a_pair_is_empty() {
        let mut rng = Rng::from_number(1);
        for (first, last) in [(10_001, 10_002), (5, 4), (10_000, 10_000)] {
            assert_eq!(PortPool::new(first, last, QUARANTINE).take(&mut rng, Instant::START), None);
        }
        assert_eq!(PortPool::new(65_534, 65_535, QUARANTINE).take(&mut rng, Instant::START), Some(65_534));
    }
}
