//! Trunks' far ends: where each is reached, in which order its targets are tried, and how they are.
//!
//! ```text
//!   learn_trunk ─► lines ─► locate ─► far ends ─► OPTIONS each ─► up, down ─► trunk.up, trunk.down
//!                    └────► REGISTER, kept ──────────────────────────┘
//!   route_to ────► locate each line ─► hops in order; what is down is left out, what rests comes last
//! ```

mod trial;
mod view;
mod watch;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use crate::base::id::TrunkId;
use crate::base::{Cause, Instant, Now, Rng, Timers};
use crate::gateway::requests::Asker;
use crate::gateway::ringing::RingId;
use crate::gateway::{Gateway, Output};
use crate::route::{TlsRules, Trunk};
use crate::sip::locate::{Located, REST, SearchId, Wish};
use crate::sip::probe::{Health, Probe, Rules};
use crate::sip::registration::{Order, Registration};
use crate::sip::transport::{Target, Transport};
use crate::wire::sip::{Status, Uri};
pub use trial::{StepName, StepOutcome, TrialMessage, TrialReport, TrialRequest, TrialStep};
pub use view::{FarEndView, TrunkStateView};
use watch::Standing;

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
struct Line {
    uri: Uri,
    /// The lowest first.
    priority: u16,
    /// Its share among those of one priority.
    weight: u16,
}

/// What is known of trunks' far ends.
#[derive(Debug, Default)]
pub(super) struct Trunks {
    links: BTreeMap<TrunkId, Link>,
    searches: BTreeMap<SearchId, Search>,
    routing: BTreeMap<RingId, Routing>,
    routed: VecDeque<(RingId, Result<Vec<Hop>, Cause>)>,
    /// Whom we have said is at an address that TLS connects to.
    peers: BTreeMap<SocketAddr, (String, Option<TlsRules>)>,
    /// The test that runs, or the last one.
    trial: Option<Box<trial::Trial>>,
    timers: Timers<Timer>,
}

/// What a search is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Search {
    /// A call, and which of its lines.
    Call(RingId, usize),
    /// To know the far ends of a trunk's line.
    Watch(TrunkId, usize),
    /// The registrar of a trunk.
    Registrar(TrunkId),
}

/// An address that a trunk's lines lead to.
type Place = (Transport, SocketAddr);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A line's addresses are to be looked up again.
    Locate(TrunkId, usize),
    /// A far end is to be probed.
    Probe(TrunkId, Place),
    /// The registration of a trunk.
    Registration(TrunkId),
    /// A step of the test takes too long.
    Trial,
}

/// One trunk that calls go out by, or that we register with.
#[derive(Debug)]
struct Link {
    trunk: Trunk,
    lines: Vec<Line>,
    wish: Wish,
    /// How far ends are probed; none: they are not.
    probing: Option<Rules>,
    far_ends: BTreeMap<Place, FarEnd>,
    registration: Option<Registration>,
    standing: Standing,
}

/// One address that a line leads to.
#[derive(Debug)]
struct FarEnd {
    line: usize,
    probe: Option<Probe>,
}

/// A call whose targets are being looked for.
#[derive(Debug)]
struct Routing {
    trunk: TrunkId,
    lines: Vec<Line>,
    found: BTreeMap<usize, Vec<Target>>,
    awaited: BTreeSet<SearchId>,
}

impl Trunks {
    /// When [`Gateway::trunks_timed_out`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Forgets what was under way for a trunk.
    fn forget(&mut self, id: TrunkId) -> Option<Link> {
        let of = |timer: &Timer| match timer {
            Timer::Locate(trunk, _) | Timer::Probe(trunk, _) | Timer::Registration(trunk) => *trunk == id,
            Timer::Trial => false,
        };
        let link = self.links.remove(&id)?;
        let lines = (0..link.lines.len()).map(|line| Timer::Locate(id, line));
        let probes = link.far_ends.keys().map(|place| Timer::Probe(id, *place));
        for timer in lines.chain(probes).chain([Timer::Registration(id)]).filter(of) {
            self.timers.disarm(&timer);
        }
        let watching = |search: &Search| match search {
            Search::Watch(trunk, _) | Search::Registrar(trunk) => *trunk == id,
            Search::Call(..) => false,
        };
        self.searches.retain(|_, search| !watching(search));
        Some(link)
    }
}

impl Gateway {
    /// Takes over where a trunk's calls go and where we register, or that it is gone.
    pub(super) fn learn_trunk(&mut self, id: TrunkId, now: Now) {
        let trunk = self.table.trunks.get(&id).filter(|trunk| trunk.enabled && trunk.outbound.is_some()).cloned();
        if let Some(trunk) = &trunk
            && self.trunks.links.get(&id).is_some_and(|link| link.trunk == *trunk)
        {
            return;
        }
        if let Some(mut old) = self.trunks.forget(id)
            && let Some(registration) = &mut old.registration
        {
            registration.stop(&mut self.rng);
            self.carry_out_registration(id, registration, now);
            // What is answered to it is nobody's matter any more.
            self.askers.retain(|_, asker| *asker != Asker::Registration(id));
        }
        let Some(trunk) = trunk else { return };
        let link = self.link_of(trunk);
        let lines = link.lines.len();
        self.trunks.links.insert(id, link);
        for line in 0..lines {
            self.look_up_line(id, line, now);
        }
        self.begin_registration(id, now);
    }

    fn link_of(&self, trunk: Trunk) -> Link {
        let profile = self.profiles.get(&trunk.profile);
        let outbound = trunk.outbound.as_ref();
        let targets = outbound.map(|outbound| outbound.targets.as_slice()).unwrap_or_default();
        let lines = targets
            .iter()
            .filter_map(|target| {
                let uri = Uri::parse(&target.uri).ok()?;
                Some(Line { uri, priority: target.priority, weight: target.weight })
            })
            .collect();
        let rules = &profile.transport;
        let wish = Wish {
            transports: rules.kinds.iter().filter_map(|kind| Transport::from_name(kind)).collect(),
            naptr: rules.naptr,
            srv: rules.srv,
            ipv4: self.settings.media_v4.is_some(),
            ipv6: self.settings.media_v6.is_some(),
        };
        let (down_after, up_after) = (profile.options.down_after, profile.options.up_after);
        let probing = profile.probe_every().map(|every| Rules { every, down_after, up_after });
        let registration = outbound.and_then(|outbound| {
            let register = outbound.register.as_ref()?;
            let aor = Uri::parse(&register.aor).ok()?;
            let registrar = match &register.registrar {
                Some(registrar) => Uri::parse(registrar).ok()?,
                None => aor.with_user(None),
            };
            let account = outbound.credentials.as_ref();
            let keep_alive = rules.keep_alive;
            Some(Registration::new(Order {
                aor,
                registrar,
                account: account.map(|account| (account.username.clone(), account.password.clone())),
                expires: Duration::from_secs(u64::from(register.expires)),
                keep_alive: (keep_alive > 0).then(|| Duration::from_secs(u64::from(keep_alive))),
            }))
        });
        let standing = Standing::default();
        Link { trunk, lines, wish, probing, far_ends: BTreeMap::new(), registration, standing }
    }

    /// Looks for the targets of a trunk on behalf of a call. [`Gateway::poll_routed`] says which, in the order in which
    /// they are to be tried: within this very input where everything is known.
    pub(super) fn route_to(&mut self, trunk: TrunkId, call: RingId, now: Now) -> Result<(), Cause> {
        let link = self.trunks.links.get(&trunk).filter(|link| !link.lines.is_empty()).ok_or(Cause::NoRoute)?;
        if self.is_cut_off(&link.trunk) {
            return Err(Cause::TrunkDown);
        }
        let lines = in_order(&link.lines, &mut self.rng);
        self.look_for(trunk, lines, call, now);
        Ok(())
    }

    /// The same for one URI that a trunk's far end points to.
    pub(super) fn route_uri(&mut self, trunk: TrunkId, uri: Uri, call: RingId, now: Now) -> Result<(), Cause> {
        let link = self.trunks.links.get(&trunk).ok_or(Cause::NoRoute)?;
        if self.is_cut_off(&link.trunk) {
            return Err(Cause::TrunkDown);
        }
        self.look_for(trunk, vec![Line { uri, priority: 0, weight: 1 }], call, now);
        Ok(())
    }

    /// How a trunk's far ends are looked for.
    pub(super) fn wish_of(&self, trunk: TrunkId) -> Wish {
        self.trunks.links.get(&trunk).map(|link| link.wish.clone()).unwrap_or_default()
    }

    fn look_for(&mut self, trunk: TrunkId, lines: Vec<Line>, call: RingId, now: Now) {
        let searches: Vec<SearchId> = lines.iter().map(|line| self.look_up(trunk, &line.uri, now.mono)).collect();
        for (at, search) in searches.iter().enumerate() {
            self.trunks.searches.insert(*search, Search::Call(call, at));
        }
        let awaited = searches.into_iter().collect();
        self.trunks.routing.insert(call, Routing { trunk, lines, found: BTreeMap::new(), awaited });
    }

    /// The next call whose targets are found; none of it where the call is gone meanwhile.
    pub(super) fn poll_routed(&mut self) -> Option<(RingId, Result<Vec<Hop>, Cause>)> {
        self.trunks.routed.pop_front()
    }

    /// A hop was of no use: later calls try it last for a while, and it is looked at.
    pub(super) fn hop_failed(&mut self, hop: &Hop, failure: Failure, now: Now) {
        let rest = match failure {
            Failure::Silent => {
                self.suspect(hop, now);
                REST
            }
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
        match self.trunks.searches.remove(&search) {
            Some(Search::Call(call, line)) => self.call_located(search, call, line, located.targets, now),
            Some(Search::Watch(trunk, line)) => self.line_located(trunk, line, located, now),
            Some(Search::Registrar(trunk)) => self.registrar_located(trunk, located.targets, now),
            None => {}
        }
    }

    fn call_located(&mut self, search: SearchId, call: RingId, line: usize, targets: Vec<Target>, now: Now) {
        let Some(routing) = self.trunks.routing.get_mut(&call) else { return };
        routing.awaited.remove(&search);
        routing.found.insert(line, targets);
        if !routing.awaited.is_empty() {
            return;
        }
        let Some(routing) = self.trunks.routing.remove(&call) else { return };
        let link = self.trunks.links.get(&routing.trunk);
        let is_down = |target: &Target| {
            let place = (target.transport, target.remote);
            let probe = link.and_then(|link| link.far_ends.get(&place)?.probe.as_ref());
            probe.is_some_and(|probe| matches!(probe.health(), Health::Down(_)))
        };
        let mut hops: Vec<Hop> = Vec::new();
        for (at, line) in routing.lines.iter().enumerate() {
            let found = routing.found.get(&at).into_iter().flatten();
            for target in found.filter(|target| !is_down(target)) {
                hops.push(Hop { trunk: routing.trunk, uri: line.uri.clone(), target: *target });
            }
        }
        // Stable: the order stays among those that rest and among those that do not.
        hops.sort_by_key(|hop| self.locator.is_resting(&hop.target, now.mono));
        for hop in &hops {
            self.expect_peer(hop.trunk, &hop.uri, &hop.target);
        }
        let result = if hops.is_empty() { Err(Cause::TrunkDown) } else { Ok(hops) };
        self.trunks.routed.push_back((call, result));
    }

    /// Says who is at an address before TLS connects to it: once, and again when that changes.
    fn expect_peer(&mut self, trunk: TrunkId, uri: &Uri, target: &Target) {
        let Some(host) = uri.host().filter(|_| target.transport == Transport::Tls) else { return };
        let rules = self.table.trunks.get(&trunk).and_then(|trunk| trunk.tls.clone());
        let (remote, name) = (target.remote, host.to_string());
        let expected = (name.clone(), rules.clone());
        if self.trunks.peers.get(&remote) == Some(&expected) {
            return;
        }
        if self.trunks.peers.len() >= MOST_PEERS {
            self.trunks.peers.pop_first();
        }
        self.trunks.peers.insert(remote, expected);
        self.outputs.push_back(Output::ExpectPeer { remote, name, rules });
    }
}

/// Far ends of which it is remembered what was said. Fewer: some things are said again.
const MOST_PEERS: usize = 4096;

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
