//! Which nonces were used, and how often: a replay is told from a retry.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::base::Instant;

/// Used nonces remembered for each life of one. Fewer: who shows a right password in a storm is asked again (`stale`), and in
/// vain. More: memory, some 25 bytes each; this many are used only by 8,000 calls and registrations a second.
const MOST: usize = 500_000;

/// Highest counts, by what tells nonces apart. Two generations: what is in the older one ran out before it is dropped as a
/// whole, so that nothing is ever searched for what is old.
#[derive(Debug, Clone)]
pub(super) struct UsedNonces {
    life: Duration,
    recent: BTreeMap<u64, u32>,
    older: BTreeMap<u64, u32>,
    since: Instant,
}

impl UsedNonces {
    /// For nonces that are good for so long.
    pub(super) fn new(life: Duration) -> Self {
        Self { life, recent: BTreeMap::new(), older: BTreeMap::new(), since: Instant::START }
    }

    /// Notes a use; whether this count of this nonce is new.
    pub(super) fn note(&mut self, nonce: u64, count: u32, now: Instant) -> bool {
        if now.since(self.since) > self.life {
            self.older = std::mem::take(&mut self.recent);
            self.since = now;
        }
        let full = self.recent.len() >= MOST;
        match self.recent.get_mut(&nonce).or_else(|| self.older.get_mut(&nonce)) {
            Some(highest) if count <= *highest => false,
            Some(highest) => {
                *highest = count;
                true
            }
            None if full => false,
            None => {
                self.recent.insert(nonce, count);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::START + Duration::from_secs(seconds)
    }

    #[test]
    fn each_count_passes_once_for_as_long_as_the_nonce_is_good() {
        let mut used = UsedNonces::new(Duration::from_secs(60));
        assert!(used.note(1, 1, at(59)) && !used.note(1, 1, at(60)));
        assert!(used.note(2, 1, at(61)), "a new generation begins");
        assert!(!used.note(1, 1, at(119)), "and the older one still counts");
        assert!(used.note(1, 2, at(119)) && !used.note(1, 2, at(119)));
        assert!(used.note(3, 1, at(190)) && used.note(4, 1, at(260)));
        assert!(used.older.len() + used.recent.len() <= 2, "what has run out is gone");
    }

    #[test]
    fn twenty_thousand_telephones_in_a_minute_are_all_remembered() {
        let mut used = UsedNonces::new(Duration::from_secs(60));
        assert!((0..20_000).all(|nonce| used.note(nonce, 1, at(5))));
        assert!((0..20_000).all(|nonce| !used.note(nonce, 1, at(6))));
    }
}
