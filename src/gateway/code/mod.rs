//! Calls that move by a code: shown, read, asked about, carried out by `handoff`.
//!
//! ```text
//! key, page, API ─▶ show ─▶ transfer::Code ─▶ link, six digits
//!                               ▲    │ Ask ─▶ pages, telephones (1 yes, 2 no), API
//! page, API, telephone ─▶ read ─┘    │ Grant
//!                                    ▼
//!                    a ticket for the seat (browser, app) · the seat itself (telephone) ─▶ handoff ─▶ Moved
//! ```
//!
//! Nothing of the call is touched before the new leg carries it: the old one is let go after that, by `handoff`.

mod begin;
mod carry;
pub mod printed;
mod read;
mod seat;
mod show;
pub mod view;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::base::id::{CodeId, ExtensionId, TicketId};
use crate::base::{LegId, ParticipantId, RoomId, Secret, SessionId, Throttle, Utc};
use crate::gateway::pin_guard::{PinGuard, THROTTLE_KEYS};
use crate::gateway::settings::Settings;
use crate::room::Channel;
use crate::ticket::Hash;
use crate::transfer::{Code, Confirm, LASTS};
use printed::Prints;
use view::Receiver;

/// Characters of a link's ticket, five random bits each: 110 bits. More: a picture of more, smaller squares. Fewer: guessing
/// comes into reach.
const TICKET: usize = 22;

/// Codes at once. More: a guess of six digits is right more often; at this many, once in a hundred. Fewer: a busy house waits.
const MOST: usize = 1000;

/// Codes of one person at once, then one more every ten seconds. More: pictures that nobody reads. Fewer: who missed waits.
const CODES: (u32, Duration) = (6, Duration::from_secs(10));

/// How long it is remembered why a code counts no more.
const REMEMBERED: Duration = Duration::from_secs(300);

/// How long a page that is not needed any more stays after a telephone took the call. Shorter: what it said last is cut off. Longer:
/// two devices show the same call.
const LINGERS: Duration = Duration::from_millis(500);

/// All that a person's place has.
const EVERYTHING: [Channel; 3] = [Channel::Audio, Channel::Video, Channel::Data];

/// What is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coding {
    /// Calls may be moved by codes at all.
    pub allowed: bool,
    /// Who is asked, where nothing else is said.
    pub confirm: Confirm,
    /// How long a code counts.
    pub lasts: Duration,
    /// Telephones have a code said by a key.
    pub by_key: bool,
    /// Codes may be printed that begin calls.
    pub printed: bool,
    /// How long those count, where nothing else is said.
    pub printed_lasts: Duration,
    /// How many calls one of those begins in an hour, where nothing else is said.
    pub per_hour: u32,
    /// Calls that one address or number may begin at once, by whatever printed code. More: a poster rings the reception for fun.
    /// Fewer: an office behind one address waits.
    pub begin_burst: u32,
    /// One more after this long.
    pub begin_refill: Duration,
}

impl Default for Coding {
    fn default() -> Self {
        Self {
            allowed: true,
            confirm: Confirm::Holder,
            lasts: LASTS,
            by_key: true,
            printed: true,
            printed_lasts: Duration::from_secs(365 * 86_400),
            per_hour: 60,
            begin_burst: 5,
            begin_refill: Duration::from_secs(30),
        }
    }
}

/// Every code.
#[derive(Debug)]
pub(super) struct Codes {
    live: BTreeMap<CodeId, Live>,
    /// Against guessing: by who tries, and by the room whose code is tried where that is known.
    guard: PinGuard<Option<RoomId>, String>,
    shows: Throttle<String>,
    /// Those that were printed, and begin calls.
    prints: Prints,
    /// What was shown, moved and refused, by name.
    pub(super) counts: BTreeMap<&'static str, u64>,
}

/// One code.
#[derive(Debug)]
struct Live {
    machine: Code,
    /// Whose call; none until somebody in a call reads a receiver's code.
    holder: Option<Holder>,
    channels: Vec<Channel>,
    /// Only devices of this person may take it.
    only: Option<ExtensionId>,
    shown: Shown,
    /// What the receiver shows in turn, where each reads the other's.
    counter: Option<Shown>,
    receiver: Option<Receiver>,
    /// What the receiver asks by.
    claim: Option<Hash>,
    taker: Taker,
    /// It was shown on the personal page of whoever has the call by another device: they are asked there.
    at_desk: bool,
    /// The call went to a telephone; the page that had it is still to be closed.
    lingers: bool,
    /// Whoever is asked for the far end, while they are.
    remotes: Vec<ParticipantId>,
    /// What the receiver joins by.
    seat: Option<(TicketId, Secret)>,
    context: Option<String>,
    expires: Utc,
}

/// Whose call a code is about.
#[derive(Debug, Clone, Copy)]
struct Holder {
    room: RoomId,
    participant: ParticipantId,
    /// What carried the first of the channels when the code was made.
    leg: LegId,
}

/// What is shown of a code.
#[derive(Debug, Clone)]
struct Shown {
    ticket: TicketId,
    link: Secret,
    digits: Secret,
}

/// What takes the call over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taker {
    /// Nothing yet.
    None,
    /// A telephone that keyed the digits.
    Phone(LegId),
    /// A page or app that joined; and the browser's leg that it takes over from, if there is one.
    Page(SessionId, Option<LegId>),
}

impl Codes {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            live: BTreeMap::new(),
            guard: PinGuard::new(settings),
            shows: Throttle::new(CODES.0, CODES.1, THROTTLE_KEYS),
            prints: Prints::new(&settings.coding),
            counts: BTreeMap::new(),
        }
    }

    /// Whether nothing could be asked.
    pub(super) fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// Whether a code was printed, and begins calls.
    fn is_printed(&self, id: CodeId) -> bool {
        self.prints.codes.contains_key(&id)
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// A person's code that counts.
    fn of(&self, participant: ParticipantId) -> Option<CodeId> {
        let theirs = |live: &Live| live.holder.is_some_and(|holder| holder.participant == participant);
        self.live.iter().find(|(_, live)| theirs(live) && !live.machine.is_over()).map(|(id, _)| *id)
    }
}

/// An address with its end hidden: enough to know one's own network by.
fn masked(from: IpAddr) -> String {
    match from.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.•")
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:…")
        }
    }
}
