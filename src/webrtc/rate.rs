//! How much comes through, over the last second or so.

use std::time::Duration;

use crate::base::Instant;

/// Over how long is counted. Longer: a change is seen later. Shorter: every keyframe looks like one.
const WINDOW: Duration = Duration::from_millis(1000);

/// Bits per second, smoothed over [`WINDOW`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Rate {
    began: Instant,
    bytes: u64,
    rate: u64,
    known: bool,
}

impl Rate {
    /// So many bytes have come.
    pub fn add(&mut self, bytes: usize, now: Instant) {
        self.settle(now);
        if self.bytes == 0 && !self.known && self.began == Instant::START {
            self.began = now;
        }
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Bits per second; none before the first second is over.
    pub fn get(&mut self, now: Instant) -> Option<u64> {
        self.settle(now);
        self.known.then_some(self.rate)
    }

    fn settle(&mut self, now: Instant) {
        let over = now.since(self.began);
        if over < WINDOW || self.began == Instant::START {
            return;
        }
        let millis = u64::try_from(over.as_millis()).unwrap_or(u64::MAX).max(1);
        let latest = self.bytes.saturating_mul(8000) / millis;
        // Half the old, half the new: a keyframe's peak has gone after two windows, a layer that began is seen after one.
        self.rate = if self.known && over < WINDOW * 3 { self.rate.midpoint(latest) } else { latest };
        (self.known, self.began, self.bytes) = (true, now, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_is_measured_and_its_end_is_seen() {
        let mut rate = Rate::default();
        let at = |ms| Instant::from_start(Duration::from_millis(ms));
        assert_eq!(rate.get(at(5)), None);
        for packet in 0..300 {
            rate.add(125, at(10 + packet * 10));
        }
        let measured = rate.get(at(3010)).unwrap();
        assert!((95_000..=105_000).contains(&measured), "{measured}");
        assert_eq!(rate.get(at(9000)).unwrap(), 0);
    }
}
