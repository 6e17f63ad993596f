//! A throttle: so many per so long, per key, in bounded memory.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use super::Instant;

/// What counts as one address: who commands one IPv6 address commands its /64.
pub fn network(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) & (u128::MAX << 64))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Token buckets by key. Holds at most `capacity` keys; when full, keys whose bucket is full again are
/// forgotten first, and if none is, the new key is refused (a flood of keys must not cost memory).
#[derive(Debug, Clone)]
pub struct Throttle<K: Ord> {
    burst: u32,
    refill: Duration,
    capacity: usize,
    buckets: BTreeMap<K, Bucket>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: u32,
    since: Instant,
}

impl<K: Ord + Clone> Throttle<K> {
    /// Allows `burst` at once and one more every `refill`.
    pub fn new(burst: u32, refill: Duration, capacity: usize) -> Self {
        Self { burst: burst.max(1), refill: refill.max(Duration::from_nanos(1)), capacity, buckets: BTreeMap::new() }
    }

    /// Takes one; `Err` says how long until the next is allowed.
    pub fn take(&mut self, key: &K, now: Instant) -> Result<(), Duration> {
        self.take_within(key, self.burst, self.refill, now)
    }

    /// Takes one where this key has a burst and a refill of its own.
    pub fn take_within(&mut self, key: &K, burst: u32, refill: Duration, now: Instant) -> Result<(), Duration> {
        let refill = refill.max(Duration::from_nanos(1));
        if !self.buckets.contains_key(key) && self.buckets.len() >= self.capacity {
            self.forget_idle(now);
            if self.buckets.len() >= self.capacity {
                return Err(self.refill);
            }
        }
        let bucket = self.buckets.entry(key.clone()).or_insert(Bucket { tokens: burst, since: now });
        bucket.fill(burst, refill, now);
        if bucket.tokens == 0 {
            return Err(refill.saturating_sub(now.since(bucket.since)));
        }
        bucket.tokens -= 1;
        Ok(())
    }

    /// Whether one could be taken now, without taking it.
    pub fn allows(&mut self, key: &K, now: Instant) -> bool {
        let (burst, refill) = (self.burst, self.refill);
        match self.buckets.get_mut(key) {
            Some(bucket) => {
                bucket.fill(burst, refill, now);
                bucket.tokens > 0
            }
            None => true,
        }
    }

    /// Gives a key its full burst back.
    pub fn forgive(&mut self, key: &K) {
        self.buckets.remove(key);
    }

    /// How many keys are remembered.
    pub fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Whether no key is remembered.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    fn forget_idle(&mut self, now: Instant) {
        let (burst, refill) = (self.burst, self.refill);
        self.buckets.retain(|_, bucket| {
            bucket.fill(burst, refill, now);
            bucket.tokens < burst
        });
    }
}

impl Bucket {
    fn fill(&mut self, burst: u32, refill: Duration, now: Instant) {
        let passed = now.since(self.since).as_nanos() / refill.as_nanos();
        let gained = u32::try_from(passed).unwrap_or(u32::MAX);
        if gained == 0 {
            return;
        }
        self.tokens = self.tokens.saturating_add(gained).min(burst);
        self.since = if self.tokens == burst { now } else { self.since + refill * gained };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_one_per_refill() {
        let at = |s| Instant::START + Duration::from_secs(s);
        let mut throttle = Throttle::new(2, Duration::from_secs(10), 100);
        assert_eq!(throttle.take(&1, at(0)), Ok(()));
        assert_eq!(throttle.take(&1, at(0)), Ok(()));
        assert_eq!(throttle.take(&1, at(4)), Err(Duration::from_secs(6)));
        assert_eq!(throttle.take(&2, at(4)), Ok(()), "another caller is not punished");
        assert_eq!(throttle.take(&1, at(10)), Ok(()));
        assert!(!throttle.allows(&1, at(10)));
    }

    #[test]
    fn a_key_may_have_a_burst_of_its_own() {
        let at = |ms| Instant::START + Duration::from_millis(ms);
        let mut throttle = Throttle::new(1, Duration::from_secs(1), 100);
        let third = Duration::from_millis(333);
        let taken = (0..5).filter(|_| throttle.take_within(&1, 3, third, at(0)).is_ok()).count();
        assert_eq!(taken, 3);
        assert!(throttle.take_within(&1, 3, third, at(333)).is_ok());
        assert!(throttle.take_within(&1, 0, third, at(9000)).is_err(), "none at all is none");
    }

    #[test]
    fn a_flood_of_keys_stays_within_the_capacity() {
        let at = |s| Instant::START + Duration::from_secs(s);
        let mut throttle = Throttle::new(1, Duration::from_secs(10), 8);
        for key in 0..1000 {
            let _ = throttle.take(&key, at(0));
        }
        assert_eq!(throttle.len(), 8);
        assert_eq!(throttle.take(&5000, at(11)), Ok(()), "idle keys make room");
    }
}
