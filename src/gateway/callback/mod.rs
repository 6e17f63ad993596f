//! Callbacks: a telephone is rung for somebody who asked for it, and becomes their voice.
//!
//! ```text
//! page, API, key, a set time ─▶ ask: allowed? how often? ─▶ callback::Callback ─▶ Ring(way) ─▶ seating::ring_seat
//!                                                               │ press 1 ─▶ seating::seat_phone, or a place of its own
//!                        pages: callback {state}; log: callback.… ◀┘
//! ```

mod ask;
mod carry;
mod key;
mod planned;
mod routes;
pub mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::base::id::{CallbackId, DidId, ExtensionId, TrunkId};
use crate::base::{Instant, LegId, ParticipantId, PhoneNumber, RoomId, Secret, Throttle};
use crate::call::speech::Language;
use crate::callback::Callback;
use crate::gateway::fetch::FetchId;
use crate::gateway::pin_guard::THROTTLE_KEYS;
use crate::gateway::ringing::RingId;
use crate::room::Role;
use crate::route::{Destination, Dialled};
use view::{CallbackBy, Kept};

/// Callbacks to one destination at once, then one more every two minutes. More: somebody is made to be rung all night. Fewer:
/// who missed the first two waits.
const PER_NUMBER: (u32, Duration) = (3, Duration::from_secs(120));

/// By one person at once, then one more every half minute.
const PER_PERSON: (u32, Duration) = (4, Duration::from_secs(30));

/// For one room at once, then one more every three seconds.
const PER_ROOM: (u32, Duration) = (30, Duration::from_secs(3));

/// How long somebody is left alone who declined, or hung up without the key. Longer: an accident costs the meeting.
/// Shorter: a stranger is asked again and again.
const LEFT_ALONE: Duration = Duration::from_secs(600);

/// Destinations of which it is remembered that they declined.
const MOST_DECLINED: usize = 10_000;

/// Callbacks that are under way, wait or are remembered.
const MOST: usize = 2_000;

/// How long one that is over is remembered.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// What is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallbackRules {
    /// Callbacks at all.
    pub allowed: bool,
    /// Callers may ask for one by key.
    pub by_key: bool,
    /// Where call managers and telephones of the house are of no use, a carrier is tried, which costs.
    pub pstn_fallback: bool,
    /// Calls by carriers that a page asks for need a host in the meeting.
    pub needs_host: bool,
    /// Callers of one trunk or address that may ask at once while they are asked for a PIN: nobody has proved anything by then, and
    /// what a carrier says of who calls may be made up. More: strangers are rung. Fewer: a busy hotline's callers are told no.
    pub key_burst: u32,
    /// One more after this long.
    pub key_refill: Duration,
}

impl Default for CallbackRules {
    fn default() -> Self {
        Self {
            allowed: true,
            by_key: true,
            pstn_fallback: true,
            needs_host: true,
            key_burst: 20,
            key_refill: Duration::from_secs(30),
        }
    }
}

/// Every callback.
#[derive(Debug)]
pub(super) struct Callbacks {
    live: BTreeMap<CallbackId, Live>,
    /// Directories that were asked.
    asking: BTreeMap<FetchId, CallbackId>,
    numbers: Throttle<String>,
    people: Throttle<String>,
    rooms: Throttle<RoomId>,
    /// Those who ask at the attendant, by where their calls come from.
    sources: Throttle<String>,
    declined: BTreeMap<String, Instant>,
    /// Callers at the attendant who pressed `*` once.
    starred: BTreeSet<LegId>,
}

/// One callback.
#[derive(Debug)]
struct Live {
    machine: Callback,
    wish: Wish,
    ways: Vec<Way>,
    ring: Option<RingId>,
    /// What answered.
    leg: Option<LegId>,
    /// What is to be silent after a cancel.
    stopping: BTreeSet<LegId>,
    /// The store was asked whether it is to ring.
    claiming: bool,
    /// It counts against how often this may be.
    counted: bool,
}

/// Who is to be called back, where to and how.
#[derive(Debug, Clone)]
struct Wish {
    /// None: whoever answers is asked for a PIN.
    room: Option<RoomId>,
    /// Whose seat; none: somebody new.
    participant: Option<ParticipantId>,
    /// The page that is told.
    page: Option<ParticipantId>,
    /// As it was dialled.
    to: Secret,
    number: Option<PhoneNumber>,
    extension: Option<ExtensionId>,
    name: Option<String>,
    by: CallbackBy,
    press_one: bool,
    language: Language,
    role: Role,
    /// The number of ours that was called before.
    did: Option<DidId>,
    /// It rings when this call has ended.
    after: Option<LegId>,
    /// It rings at a set time.
    kept: Option<Kept>,
}

/// A way to a telephone.
#[derive(Debug, Clone, PartialEq)]
enum Way {
    /// Telephones that are registered here.
    House(ExtensionId),
    /// A call manager.
    Manager(TrunkId, Dialled),
    /// A carrier, by the ordinary rules.
    Pstn(Destination, Dialled),
}

impl Callbacks {
    pub(super) fn new(rules: &CallbackRules) -> Self {
        Self {
            live: BTreeMap::new(),
            asking: BTreeMap::new(),
            numbers: Throttle::new(PER_NUMBER.0, PER_NUMBER.1, THROTTLE_KEYS),
            people: Throttle::new(PER_PERSON.0, PER_PERSON.1, THROTTLE_KEYS),
            rooms: Throttle::new(PER_ROOM.0, PER_ROOM.1, THROTTLE_KEYS),
            sources: Throttle::new(rules.key_burst, rules.key_refill, THROTTLE_KEYS),
            declined: BTreeMap::new(),
            starred: BTreeSet::new(),
        }
    }

    /// Whether nothing rings or is about to.
    pub(super) fn is_idle(&self) -> bool {
        self.live.values().all(|live| live.ring.is_none() && live.leg.is_none())
    }
}
