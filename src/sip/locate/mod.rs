//! Where a SIP URI is reached (RFC 3263): NAPTR to SRV to addresses, as a machine that knows no DNS client.
//!
//! ```text
//!   locate ─► what does the cache say? ─ all there ─────────────────────► Output::Located
//!                 │ not all                                                  ▲
//!                 ▼                                                          │
//!             Output::Resolve ─► resolved ─► ask the cache again ────────────┤
//!                                patience at its end: stale answers serve ───┘
//! ```
//!
//! A search is worked out anew from the cache each time an answer comes; what is missing is asked for.

mod cache;
mod records;
mod search;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

pub use records::{Kind, Lookup, LookupId, Naptr, Question, Records, Srv};

use crate::base::id::RelayId;
use crate::base::{Instant, Rng, Timers};
use crate::sip::transport::{Target, Transport};
use crate::wire::sip::Uri;
use cache::{Cache, Known};
use search::Found;

/// A target that did not answer is tried last for this long. Longer: one that is back waits. Shorter: calls wait for it
/// again and again.
pub const REST: Duration = Duration::from_secs(30);
/// How long a stale answer waits for a fresh one. Longer: calls ring later while the DNS is gone. Shorter: a far
/// nameserver's change is used a call later.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long a search may take where nothing is known. Longer: a caller hears nothing. Shorter: slow nameservers lose calls.
const DEADLINE: Duration = Duration::from_secs(4);
/// Searches under way. More: memory for names that nobody answers for.
const MOST_SEARCHES: usize = 1024;
/// Targets that rest. More: memory. Fewer: one is tried before its time.
const MOST_RESTING: usize = 4096;

/// How a far end is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Transports that it takes and we have, the best first.
    pub transports: Vec<Transport>,
    /// Ask for NAPTR.
    pub naptr: bool,
    /// Ask for SRV.
    pub srv: bool,
    /// Ask for IPv4 addresses.
    pub ipv4: bool,
    /// Ask for IPv6 addresses.
    pub ipv6: bool,
}

impl Default for Wish {
    fn default() -> Self {
        let transports = vec![Transport::Udp, Transport::Tcp, Transport::Tls];
        Self { transports, naptr: true, srv: true, ipv4: true, ipv6: true }
    }
}

/// Names one search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SearchId(pub u64);

/// Where a URI is reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    /// In the order in which they are to be tried; those that rest come last. Empty: nowhere.
    pub targets: Vec<Target>,
    /// When to look again.
    pub until: Instant,
}

/// An order or a result.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Ask the DNS; [`Locator::resolved`] takes the answer.
    Resolve {
        /// To answer by.
        id: LookupId,
        /// What.
        question: Question,
    },
    /// A search is over.
    Located {
        /// Which.
        search: SearchId,
        /// What it found.
        located: Located,
    },
}

/// Looks for far ends.
#[derive(Debug)]
pub struct Locator {
    cache: Cache,
    searches: BTreeMap<SearchId, Search>,
    asked: BTreeMap<Question, (LookupId, Instant)>,
    questions: BTreeMap<LookupId, Question>,
    waiting: BTreeMap<Question, BTreeSet<SearchId>>,
    timers: Timers<SearchId>,
    /// By transport, address and, in another's network, relay.
    resting: BTreeMap<Resting, Instant>,
    next: u64,
    rng: Rng,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
struct Search {
    uri: Uri,
    wish: Wish,
    /// Stale answers serve from now on, and what is not known counts as nothing.
    impatient: bool,
    deadline: Instant,
}

impl Locator {
    /// Knows nothing yet.
    pub fn new(rng: Rng) -> Self {
        Self {
            cache: Cache::default(),
            searches: BTreeMap::new(),
            asked: BTreeMap::new(),
            questions: BTreeMap::new(),
            waiting: BTreeMap::new(),
            timers: Timers::new(),
            resting: BTreeMap::new(),
            next: 0,
            rng,
            outputs: VecDeque::new(),
        }
    }

    /// Looks for a URI; [`Output::Located`] follows, at once where everything is known.
    pub fn locate(&mut self, uri: &Uri, wish: &Wish, now: Instant) -> SearchId {
        self.next += 1;
        let id = SearchId(self.next);
        let deadline = now + DEADLINE;
        let impatient = self.searches.len() >= MOST_SEARCHES;
        self.searches.insert(id, Search { uri: uri.clone(), wish: wish.clone(), impatient, deadline });
        self.go_on(id, now);
        id
    }

    /// Takes what was found without it; [`Output::Located`] follows at once, as if it had been looked for.
    pub fn found(&mut self, targets: Vec<Target>, until: Instant) -> SearchId {
        self.next += 1;
        let search = SearchId(self.next);
        self.outputs.push_back(Output::Located { search, located: Located { targets, until } });
        search
    }

    /// Takes what came of a question.
    pub fn resolved(&mut self, id: LookupId, lookup: Lookup, now: Instant) {
        let Some(question) = self.questions.remove(&id) else { return };
        self.asked.remove(&question);
        self.cache.put(&question, lookup, now);
        for search in self.waiting.remove(&question).unwrap_or_default() {
            self.go_on(search, now);
        }
    }

    /// The moment that [`Locator::poll_timeout`] named has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(id) = self.timers.expire(now) {
            if let Some(search) = self.searches.get_mut(&id) {
                search.impatient = true;
                self.go_on(id, now);
            }
        }
    }

    /// When to call [`Locator::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// An order or a result; drain until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Lets a target rest that did not answer, or said when to come back.
    pub fn rest(&mut self, target: &Target, length: Duration, now: Instant) {
        if self.resting.len() >= MOST_RESTING {
            self.resting.retain(|_, until| *until > now);
        }
        if self.resting.len() < MOST_RESTING {
            self.resting.insert(resting(target), now + length);
        }
    }

    /// A target answered: it rests no more.
    pub fn wake(&mut self, target: &Target) {
        self.resting.remove(&resting(target));
    }

    /// Whether a target rests.
    pub fn is_resting(&self, target: &Target, now: Instant) -> bool {
        self.resting.get(&resting(target)).is_some_and(|until| *until > now)
    }

    /// Works a search out from what is known, and asks for what is missing.
    fn go_on(&mut self, id: SearchId, now: Instant) {
        let Some(search) = self.searches.get(&id) else { return };
        let impatient = search.impatient;
        let (mut missing, mut stale, mut until) = (Vec::new(), false, search.deadline + LOOK_AGAIN);
        let (cache, rng) = (&self.cache, &mut self.rng);
        let mut ask = |question: Question| match cache.get(&question, now) {
            Known::Fresh(records, fresh) => {
                until = until.min(fresh);
                Some(records)
            }
            Known::Stale(records) if impatient => {
                until = until.min(now + PATIENCE);
                Some(records)
            }
            Known::Unknown if impatient => Some(None),
            Known::Stale(_) => {
                stale = true;
                missing.push(question);
                None
            }
            Known::Unknown => {
                missing.push(question);
                None
            }
        };
        match search::work_out(&search.uri, &search.wish, &mut ask, rng) {
            Found::Targets(mut targets) => {
                // Stable: among those that rest, and among those that do not, the order stays.
                targets.sort_by_key(|target| self.is_resting(target, now));
                self.searches.remove(&id);
                self.timers.disarm(&id);
                self.outputs.push_back(Output::Located { search: id, located: Located { targets, until } });
            }
            Found::NotYet => {
                // A stale answer serves soon; where nothing is known the search has its whole time.
                let end = if stale { now + PATIENCE } else { search.deadline };
                let armed = self.timers.deadline(&id).unwrap_or(search.deadline);
                self.timers.arm(id, end.min(armed));
                for question in missing {
                    self.ask(question, id, now);
                }
            }
        }
    }

    fn ask(&mut self, question: Question, search: SearchId, now: Instant) {
        self.waiting.entry(question.clone()).or_default().insert(search);
        // One that was never answered, which ought not to be, is asked again.
        match self.asked.get(&question) {
            Some((_, since)) if now.since(*since) < FORGOTTEN => return,
            Some((forgotten, _)) => drop(self.questions.remove(forgotten)),
            None => {}
        }
        self.next += 1;
        let id = LookupId(self.next);
        self.asked.insert(question.clone(), (id, now));
        self.questions.insert(id, question.clone());
        self.outputs.push_back(Output::Resolve { id, question });
    }
}

type Resting = (Transport, SocketAddr, Option<RelayId>);

fn resting(target: &Target) -> Resting {
    (target.transport, target.remote, target.relay())
}

/// A question that was not answered for so long never will be.
const FORGOTTEN: Duration = Duration::from_secs(30);
/// Where no record says when to look again.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests;
