//! A timer table: at most one deadline per key, soonest first.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Instant;

/// Deadlines by key. Arming a key again replaces its deadline. A key is an enum of one machine's
/// timers, or such an enum beside the id of the thing it belongs to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound(serialize = "K: Serialize", deserialize = "K: Deserialize<'de> + Ord"))]
pub struct Timers<K: Ord> {
    by_key: BTreeMap<K, Instant>,
    by_time: BTreeSet<(Instant, K)>,
}

impl<K: Ord + Clone> Default for Timers<K> {
    fn default() -> Self {
        Self { by_key: BTreeMap::new(), by_time: BTreeSet::new() }
    }
}

impl<K: Ord + Clone> Timers<K> {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets or moves the deadline of `key`.
    pub fn arm(&mut self, key: K, at: Instant) {
        self.disarm(&key);
        self.by_key.insert(key.clone(), at);
        self.by_time.insert((at, key));
    }

    /// Forgets `key`; returns whether it was armed.
    pub fn disarm(&mut self, key: &K) -> bool {
        match self.by_key.remove_entry(key) {
            Some((key, at)) => self.by_time.remove(&(at, key)),
            None => false,
        }
    }

    /// Takes one key whose deadline is at or before `now`, soonest first.
    pub fn expire(&mut self, now: Instant) -> Option<K> {
        let (at, _) = self.by_time.first()?;
        if *at > now {
            return None;
        }
        let (_, key) = self.by_time.pop_first()?;
        self.by_key.remove(&key);
        Some(key)
    }

    /// The soonest deadline.
    pub fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// The deadline of `key`.
    pub fn deadline(&self, key: &K) -> Option<Instant> {
        self.by_key.get(key).copied()
    }

    /// Whether no key is armed.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// How many keys are armed.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn rearming_moves_the_deadline() {
        let at = |ms| Instant::START + Duration::from_millis(ms);
        let mut timers = Timers::new();
        timers.arm('a', at(10));
        timers.arm('b', at(20));
        timers.arm('a', at(30));
        assert_eq!(timers.next(), Some(at(20)));
        assert_eq!(timers.expire(at(19)), None);
        assert_eq!(timers.expire(at(40)), Some('b'));
        assert!(timers.disarm(&'a'));
        assert!(timers.is_empty());
    }
}
