//! Whether audio waited on its way: TCP holds back what comes after a lost segment, and brings it all at once later. The
//! clocks of the two ends are not compared: the least that a packet took lately is taken for the way itself, and what took
//! much longer waited.

use super::STALE;

/// How long the least of a time counts, in milliseconds. Longer: clocks drift apart meanwhile. Shorter: a long wait
/// is taken for the way.
const SPELL: u32 = 15_000;

/// Measures one direction of a tunnel.
#[derive(Debug, Clone, Copy, Default)]
pub struct Freshness {
    /// The least of the spell before, and of this one: how far the far end's clock is behind ours, and the way.
    before: Option<u32>,
    this: Option<u32>,
    began: u32,
}

impl Freshness {
    /// Whether a packet stamped `stamp` by the far end, that is here at `now` of our own clock, may still be heard. Both count
    /// milliseconds and go around.
    pub fn is_fresh(&mut self, stamp: u32, now: u32) -> bool {
        let took = now.wrapping_sub(stamp);
        if self.this.is_none() {
            self.began = now;
        }
        if now.wrapping_sub(self.began) > SPELL {
            (self.before, self.this, self.began) = (self.this, None, now);
        }
        let less = |one: u32, other: u32| if one.wrapping_sub(other).cast_signed() < 0 { one } else { other };
        let this = self.this.map_or(took, |least| less(took, least));
        self.this = Some(this);
        let least = self.before.map_or(this, |before| less(this, before));
        u128::from(took.wrapping_sub(least)) <= STALE.as_millis()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waited_longer_than_a_tenth_of_a_second_is_not_heard() {
        let mut fresh = Freshness::default();
        // The far end's clock began long before ours.
        let there = |at: u32| at.wrapping_sub(4_000_000_000);
        for at in (0..1000).step_by(20) {
            assert!(fresh.is_fresh(there(at), at + 15), "the way takes 15 ms");
        }
        assert!(fresh.is_fresh(there(1000), 1000 + 115));
        assert!(!fresh.is_fresh(there(1000), 1000 + 116));
        assert!(!fresh.is_fresh(there(1000), 6000), "after five seconds without a segment");
        assert!(fresh.is_fresh(there(6000), 6015), "and what is new is heard at once");
    }

    #[test]
    fn clocks_that_drift_apart_make_nothing_old() {
        let mut fresh = Freshness::default();
        // Ours runs faster by a thousandth: 3.6 s in an hour.
        for at in (0..3_600_000u32).step_by(100) {
            assert!(fresh.is_fresh(at, at + at / 1000 + 10), "{at}");
        }
    }

    #[test]
    fn clocks_that_go_around_do_no_harm() {
        let mut fresh = Freshness::default();
        for at in 0..200u32 {
            let now = (u32::MAX - 2000).wrapping_add(at.wrapping_mul(20));
            assert!(fresh.is_fresh(now.wrapping_sub(77), now.wrapping_add(5)));
        }
    }
}
