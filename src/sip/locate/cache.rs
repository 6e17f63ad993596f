//! Answers of the DNS for as long as they are good, and longer where there is nobody to ask.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Lookup, Question, Records};
use crate::base::Instant;

/// Answers kept. Fewer: names are asked for again. More: memory for names that strangers make us look up.
const MOST: usize = 2048;
/// An answer is kept at least this long, or one call would ask several times.
const SHORTEST: Duration = Duration::from_secs(1);
/// And at most this long, whatever its records say.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// That there is nothing is believed at most this long: a record just made is found soon.
const LONGEST_NOTHING: Duration = Duration::from_secs(60);
/// After its time an answer still serves this long while nobody can be asked (RFC 8767 §5).
const STALE: Duration = Duration::from_secs(3 * 24 * 3600);
/// Once nobody answered, stale answers serve this long before the name is asked for again (RFC 8767 §5).
const RECHECK: Duration = Duration::from_secs(5);

/// What is known of a question.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Known {
    /// It is answered.
    Fresh(Option<Records>, Instant),
    /// It was answered, some time ago.
    Stale(Option<Records>),
    /// Nothing.
    Unknown,
}

/// Answers by question, in bounded memory.
#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: BTreeMap<Question, Entry>,
    /// Those that go first when there is no room.
    by_end: BTreeSet<(Instant, Question)>,
}

#[derive(Debug)]
struct Entry {
    /// None: there are none.
    records: Option<Records>,
    fresh_until: Instant,
    /// Nobody could be asked lately: what there is serves until then.
    bridged_until: Instant,
    end: Instant,
}

impl Cache {
    pub(super) fn get(&self, question: &Question, now: Instant) -> Known {
        match self.entries.get(question) {
            Some(entry) if entry.fresh_until > now => Known::Fresh(entry.records.clone(), entry.fresh_until),
            Some(entry) if entry.bridged_until > now => Known::Fresh(entry.records.clone(), entry.bridged_until),
            Some(entry) if entry.end > now => Known::Stale(entry.records.clone()),
            Some(_) | None => Known::Unknown,
        }
    }

    /// Keeps what came of a question. A failure keeps what there was, and is remembered for a short while.
    pub(super) fn put(&mut self, question: &Question, lookup: Lookup, now: Instant) {
        let (records, ttl) = match lookup {
            Lookup::Found { records, ttl } => (Some(records), ttl.clamp(SHORTEST, LONGEST)),
            Lookup::Nothing { ttl } => (None, ttl.clamp(SHORTEST, LONGEST_NOTHING)),
            Lookup::Failed => return self.bridge(question, now),
        };
        // That there was nothing is no use once it is old.
        let stale = if records.is_some() { STALE } else { Duration::ZERO };
        let fresh_until = now + ttl;
        self.insert(question, Entry { records, fresh_until, bridged_until: now, end: fresh_until + stale });
    }

    /// How many answers are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    fn bridge(&mut self, question: &Question, now: Instant) {
        match self.entries.get_mut(question).filter(|entry| entry.end > now) {
            Some(entry) => entry.bridged_until = now + RECHECK,
            None => {
                let until = now + SHORTEST;
                self.insert(question, Entry { records: None, fresh_until: until, bridged_until: now, end: until });
            }
        }
    }

    fn insert(&mut self, question: &Question, entry: Entry) {
        let end = entry.end;
        if let Some(old) = self.entries.insert(question.clone(), entry) {
            self.by_end.remove(&(old.end, question.clone()));
        }
        self.by_end.insert((end, question.clone()));
        while self.entries.len() > MOST {
            let Some((_, first)) = self.by_end.pop_first() else { return };
            self.entries.remove(&first);
        }
    }
}
