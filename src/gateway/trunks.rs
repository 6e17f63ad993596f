//! Trunks' far ends: where each is reached, in which order its targets are tried, and how they are.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::base::id::TrunkId;
use crate::base::{Cause, Now, Rng};
use crate::gateway::Gateway;
use crate::gateway::ringing::RingId;
use crate::sip::locate::{Located, REST, SearchId, Wish};
use crate::sip::transport::Target;
use crate::wire::sip::{Status, Uri};

/// The longest a target rests because it said so. Longer: a carrier's slip of the pen silences a trunk.
const LONGEST_REST: Duration = Duration::from_secs(600);

/// One place to send a call to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hop {
    /// Whose.
    pub(super) trunk: TrunkId,
    /// The URI that is configured for it: its host is the one the carrier goes by.
    pub(super) uri: Uri,
    /// Where it is.
    pub(super) target: Target,
}

/// Why a hop was of no use to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// Nobody answered, or it could not be reached.
    Silent,
    /// It answered so, and perhaps said when to come back.
    Refused(Status, Option<Duration>),
}

/// A place where a trunk takes calls, as configured.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    /// Where.
    pub(super) uri: Uri,
    /// The lowest first.
    pub(super) priority: u16,
    /// Its share among those of one priority.
    pub(super) weight: u16,
}

/// What is known of trunks' far ends.
#[derive(Debug, Default)]
pub(super) struct Trunks {
    links: BTreeMap<TrunkId, Link>,
    /// Searches for calls: which call's, and which of its lines.
    searches: BTreeMap<SearchId, (RingId, usize)>,
    routing: BTreeMap<RingId, Routing>,
    routed: VecDeque<(RingId, Result<Vec<Hop>, Cause>)>,
}

#[derive(Debug)]
struct Link {
    lines: Vec<Line>,
    wish: Wish,
}

/// A call whose targets are being looked for.
#[derive(Debug)]
struct Routing {
    trunk: TrunkId,
    lines: Vec<Line>,
    found: BTreeMap<usize, Vec<Target>>,
    awaited: BTreeSet<SearchId>,
}

impl Gateway {
    /// Takes over where a trunk takes calls; no lines: nowhere.
    pub(super) fn follow_trunk(&mut self, trunk: TrunkId, lines: Vec<Line>, wish: Wish) {
        if lines.is_empty() {
            self.trunks.links.remove(&trunk);
        } else {
            self.trunks.links.insert(trunk, Link { lines, wish });
        }
    }

    /// Looks for the targets of a trunk on behalf of a call. [`Gateway::poll_routed`] says which, in the order in which
    /// they are to be tried: within this very input where everything is known.
    pub(super) fn route_to(&mut self, trunk: TrunkId, call: RingId, now: Now) -> Result<(), Cause> {
        let link = self.trunks.links.get(&trunk).ok_or(Cause::NoRoute)?;
        let (lines, wish) = (in_order(&link.lines, &mut self.rng), link.wish.clone());
        let searches: Vec<SearchId> =
            lines.iter().map(|line| self.locator.locate(&line.uri, &wish, now.mono)).collect();
        for (at, search) in searches.iter().enumerate() {
            self.trunks.searches.insert(*search, (call, at));
        }
        let awaited = searches.into_iter().collect();
        self.trunks.routing.insert(call, Routing { trunk, lines, found: BTreeMap::new(), awaited });
        Ok(())
    }

    /// The next call whose targets are found; none of it where the call is gone meanwhile.
    pub(super) fn poll_routed(&mut self) -> Option<(RingId, Result<Vec<Hop>, Cause>)> {
        self.trunks.routed.pop_front()
    }

    /// A hop was of no use: later calls try it last for a while.
    pub(super) fn hop_failed(&mut self, hop: &Hop, failure: Failure, now: Now) {
        let rest = match failure {
            Failure::Silent => REST,
            Failure::Refused(Status::SERVICE_UNAVAILABLE, Some(after)) => after.min(LONGEST_REST),
            Failure::Refused(..) => return,
        };
        self.locator.rest(&hop.target, rest, now.mono);
    }

    /// A hop answered.
    pub(super) fn hop_answered(&mut self, hop: &Hop) {
        self.locator.wake(&hop.target);
    }

    /// The locator found something.
    pub(super) fn on_located(&mut self, search: SearchId, located: Located, now: Now) {
        let Some((call, line)) = self.trunks.searches.remove(&search) else { return };
        let Some(routing) = self.trunks.routing.get_mut(&call) else { return };
        routing.awaited.remove(&search);
        routing.found.insert(line, located.targets);
        if !routing.awaited.is_empty() {
            return;
        }
        let Some(routing) = self.trunks.routing.remove(&call) else { return };
        let mut hops: Vec<Hop> = Vec::new();
        for (at, line) in routing.lines.iter().enumerate() {
            for target in routing.found.get(&at).into_iter().flatten() {
                hops.push(Hop { trunk: routing.trunk, uri: line.uri.clone(), target: *target });
            }
        }
        // Stable: the order stays among those that rest and among those that do not.
        hops.sort_by_key(|hop| self.locator.is_resting(&hop.target, now.mono));
        let result = if hops.is_empty() { Err(Cause::TrunkDown) } else { Ok(hops) };
        self.trunks.routed.push_back((call, result));
    }
}

/// By priority, and within one by chance in proportion to weight.
fn in_order(lines: &[Line], rng: &mut Rng) -> Vec<Line> {
    let mut left: Vec<Line> = lines.to_vec();
    left.sort_by_key(|line| line.priority);
    let mut ordered = Vec::with_capacity(left.len());
    while let Some(first) = left.first() {
        let priority = first.priority;
        let group = || left.iter().take_while(|line| line.priority == priority);
        let total: u64 = group().map(|line| u64::from(line.weight)).sum();
        let mut drawn = rng.below(total.max(1));
        let chosen = group().position(|line| {
            let weight = u64::from(line.weight);
            let hit = drawn < weight;
            drawn = drawn.saturating_sub(weight);
            hit
        });
        ordered.push(left.remove(chosen.unwrap_or(0)));
    }
    ordered
}
