//! Telephone calls that become meetings: who may ask, the ladder carried out, the link redeemed, the seat taken.
//!
//! ```text
//! key *3, host, API ─▶ elevate ─▶ elevation::Elevation ─▶ Text, LookUp, prompts, progress
//!                                        ▲                  link, six digits
//!             POST /meet/elevate ─▶ redeem ─▶ a ticket for one seat ─▶ join: video and data of the same participant
//! ```
//!
//! The telephone's leg is not touched by any of it: the browser's leg is bound to the person's other channels.

mod ask;
mod carry;
mod notify;
mod redeem;
mod seat;
pub mod view;
mod words;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::base::id::{ElevationId, TextId, TicketId};
use crate::base::{Instant, LegId, ParticipantId, RoomId, Secret, Throttle, Utc};
use crate::elevation::{Asker, Elevation, Reason};
use crate::gateway::pin_guard::{PinGuard, THROTTLE_KEYS};
use crate::gateway::settings::Settings;
use crate::texting::LookUpId;
use crate::ticket::Hash;
use view::StepView;

/// Characters of a link's ticket, five random bits each: 110 bits. More: a longer text. Fewer: guessing comes into reach.
const TICKET: usize = 22;

/// Digits of the code that is said.
const CODE: u64 = 1_000_000;

/// Digits of a PIN that is said; five wrong ones end the link.
const PIN: u64 = 10_000;

/// Wrong PINs until a link is good no more.
const WRONG_PINS: u32 = 5;

/// How long after a PIN was said it is said again. Shorter: whoever has the link talks into the call. Longer: who did not catch
/// it waits.
const PIN_AGAIN: Duration = Duration::from_secs(15);

/// Links of one person at once, then one more a minute. More: texts cost money, and keys are pressed for fun. Fewer: who
/// mistyped waits.
const LINKS: (u32, Duration) = (4, Duration::from_secs(60));

/// How long after a link went out it goes out again. Shorter: whoever presses twice gets two texts. Longer: who deleted the text waits.
const AGAIN: Duration = Duration::from_secs(60);

/// How long whoever got a ticket for the seat may take to join by it.
const JOIN_WITHIN: i64 = 60_000;

/// How long the person on the telephone may take to let another browser in.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// How often the person on the telephone is asked in vain: a stranger with the link is not to disturb the call for ever.
const MOST_DECLINED: u32 = 3;

/// How long it is remembered why a link is good no more.
const REMEMBERED: Duration = Duration::from_secs(600);

/// How long after its telephone hung up a page is offered to carry the voice: an accident is dialled again sooner.
const OFFER_AFTER: Duration = Duration::from_secs(3);

/// How long a voice may be nowhere once its browser is gone, where a telephone is kept on the line. Longer: whoever closed the page
/// talks to nobody. Shorter: a page that is loaded anew finds its voice taken.
const BACK_AFTER: Duration = Duration::from_secs(3);

/// What is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elevating {
    /// What links begin with: `https://v.example.org`.
    pub link_base: String,
    /// What holds where neither room nor person says otherwise.
    pub rules: crate::base::elevating::ElevationRules,
    /// How long a link is good.
    pub lasts: Duration,
    /// What kind of line a number is can be asked.
    pub look_up: bool,
    /// The key by which push services know this node, for pages to subscribe with; none where no browser is notified.
    pub push: Option<String>,
}

impl Default for Elevating {
    fn default() -> Self {
        Self {
            link_base: "http://localhost:8080".into(),
            rules: crate::base::elevating::ElevationRules::default(),
            lasts: Duration::from_secs(600),
            look_up: false,
            push: None,
        }
    }
}

/// Every elevation.
#[derive(Debug)]
pub(super) struct Elevations {
    live: BTreeMap<ElevationId, Live>,
    of_text: BTreeMap<TextId, ElevationId>,
    of_look_up: BTreeMap<LookUpId, ElevationId>,
    next_look_up: u64,
    /// Against guessing of links and codes, by address and over all.
    guard: PinGuard<Option<ElevationId>, IpAddr>,
    links: Throttle<String>,
}

/// One elevation.
#[derive(Debug)]
struct Live {
    machine: Elevation,
    participant: ParticipantId,
    room: RoomId,
    leg: LegId,
    by: Asker,
    /// Whose page asked.
    page: Option<ParticipantId>,
    link: Secret,
    /// When the link went out last.
    sent: Instant,
    ticket: TicketId,
    code: Secret,
    /// The code was said or shown: before that nobody can know it.
    code_out: bool,
    pin: Option<Secret>,
    wrong_pins: u32,
    /// When the PIN was said last.
    pin_said: Option<Instant>,
    /// What proves that a browser opened the link before.
    holder: Option<Hash>,
    /// A push service has the link.
    pushed: bool,
    /// A text with the link was ordered.
    texted: bool,
    /// Whoever asked was shown the link.
    link_shown: bool,
    /// The browser in the seat proved that the number is its owner's.
    owns_number: bool,
    /// Another browser wants the seat.
    wants: Option<Wants>,
    /// How often another browser was kept out.
    declined: u32,
    /// Why it is over.
    over: Option<Reason>,
    steps: Vec<StepView>,
    context: Option<String>,
    with: Option<ElevationId>,
    expires: Utc,
}

/// A browser that wants a seat that another one took.
#[derive(Debug, Clone, Copy)]
struct Wants {
    /// What the browser that asked drew, and nobody else knows: an address is many browsers'.
    asking: Hash,
    until: Instant,
    /// What was answered.
    allowed: Option<bool>,
}

impl Elevations {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            live: BTreeMap::new(),
            of_text: BTreeMap::new(),
            of_look_up: BTreeMap::new(),
            next_look_up: 0,
            guard: PinGuard::new(settings),
            links: Throttle::new(LINKS.0, LINKS.1, THROTTLE_KEYS),
        }
    }

    /// The latest of a person that is not over.
    fn of(&self, participant: ParticipantId) -> Option<ElevationId> {
        let mut found = self.live.iter().filter(|(_, live)| live.participant == participant && !live.machine.is_over());
        found.next().map(|(id, _)| *id)
    }
}
