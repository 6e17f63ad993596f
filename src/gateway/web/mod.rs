//! Browsers in rooms: their sessions (one WebSocket each), their places, their legs, and what each page is told.
//!
//! ```text
//! Session (a WebSocket) ── join ──▶ Seat (a person's place here) ── offer ──▶ WebLeg (a peer connection)
//!     │ drops: the seat is kept 30 s, away         │                             │ a new one: make before break (handoff)
//!     └ resume ────────────────────────────────────┘                             └ media plane (audio), web plane (all)
//! ```
//!
//! The room knows nothing of browsers: a person's channels are bound to a leg, whatever it is.

pub mod code;
pub mod dial_in;
pub mod ice;
pub mod protocol;
pub mod told;

mod ask;
mod invite;
mod join;
mod media;
mod offer;
mod seat;
mod take;
mod tell;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::base::id::TicketId;
use crate::base::throttle::network;
use crate::base::{Cause, LegId, Now, ParticipantId, RoomId, SessionId, Throttle};
use crate::gateway::pin_guard::{PinGuard, THROTTLE_KEYS};
use crate::gateway::settings::Settings;
use crate::gateway::{Gateway, Output as Order, Timer};
use crate::handoff::Handoffs;
use crate::media::web::{Source, Wish};
use crate::ticket::Tickets;
use protocol::{Request, ServerMessage, Unreadable};

pub use ask::Preview;
pub use code::Code;
pub use tell::LARGEST_PICTURE;
pub(super) use tell::nameless;

/// Connections at once. More: memory. Fewer: a large meeting does not fit.
const MOST_SESSIONS: usize = 10_000;

/// Connections at once from one address. More: one stranger takes what there is. Fewer: an office behind one address, all
/// in one meeting, is shut out.
const MOST_PER_ADDRESS: u32 = 500;

/// How long a connection may stay silent before it joins (RFC 6455 knows no such thing; strangers hold sockets).
const JOIN_WITHIN: Duration = Duration::from_secs(10);

/// How long somebody may look for the right passcode after a wrong one.
const TRY_AGAIN_WITHIN: Duration = Duration::from_secs(300);

/// How long a place is kept for a page whose connection dropped. Longer: ghosts on the roster. Shorter: a lift or a change
/// of network costs the seat.
const KEPT_FOR: Duration = Duration::from_secs(30);

/// Messages that cannot be read before the connection is closed.
const MOST_GARBLED: u32 = 20;

/// Offers of one person at once, then one more every five seconds: each costs a handshake.
const OFFERS: (u32, Duration) = (10, Duration::from_secs(5));

/// Pictures of one person at once, then one more each minute.
const PICTURES: (u32, Duration) = (5, Duration::from_secs(60));

/// Times one place is taken again at once, then once more every five seconds: a tab on a bad network needs a few.
const RETURNS: (u32, Duration) = (8, Duration::from_secs(5));

/// Places taken again by one address at once, then one more each tenth of a second: an office comes back at once when its
/// network does.
const RETURNS_FROM: (u32, Duration) = (300, Duration::from_millis(100));

/// Invitations of one room's pages at once, then one more every five seconds. More: rows that a host's page fills.
const INVITATIONS: (u32, Duration) = (60, Duration::from_secs(5));

/// A fact about a page's WebSocket.
#[derive(Debug)]
pub enum Input {
    /// A page connected.
    Opened {
        /// Its name from now on.
        session: SessionId,
        /// Where it comes from.
        from: IpAddr,
    },
    /// It says something.
    Said {
        /// Which.
        session: SessionId,
        /// What.
        request: Box<Request>,
    },
    /// It says something that cannot be read.
    Garbled {
        /// Which.
        session: SessionId,
        /// Why.
        why: Unreadable,
    },
    /// The connection is gone, whoever ended it.
    Closed {
        /// Which.
        session: SessionId,
    },
}

/// An order about pages' WebSockets.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Tell these pages something.
    Tell {
        /// Which, each once.
        sessions: Vec<SessionId>,
        /// What.
        message: Box<ServerMessage>,
    },
    /// Close the connection once everything told before has left.
    Close {
        /// Which.
        session: SessionId,
    },
}

/// Everything about browsers.
#[derive(Debug)]
pub(super) struct Web {
    sessions: BTreeMap<SessionId, Session>,
    by_address: BTreeMap<IpAddr, u32>,
    pub(super) seats: BTreeMap<ParticipantId, Seat>,
    pub(super) legs: BTreeMap<LegId, WebLeg>,
    /// Legs that the media plane still holds.
    closing: BTreeSet<LegId>,
    pub(super) tickets: Tickets,
    pub(super) handoffs: Handoffs,
    guard: PinGuard<Option<RoomId>, IpAddr>,
    offers: Throttle<ParticipantId>,
    pictures: Throttle<ParticipantId>,
    invitations: Throttle<RoomId>,
    joins: Throttle<(IpAddr, RoomId)>,
    returns: Throttle<ParticipantId>,
    returns_from: Throttle<IpAddr>,
    /// Whose voices are on the audio tracks of a room.
    slots: BTreeMap<RoomId, Vec<Option<ParticipantId>>>,
    /// How good people's networks are, by telephone or browser.
    qualities: BTreeMap<ParticipantId, u8>,
}

/// A page that is connected.
#[derive(Debug)]
struct Session {
    from: IpAddr,
    /// Whose place it shows; none before it joined, and after it lost the place.
    participant: Option<ParticipantId>,
    garbled: u32,
    /// Its connection is being closed: it is told nothing any more, and not listened to.
    over: bool,
}

/// A person's place as far as a browser has to do with it.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) room: RoomId,
    /// The page that shows it, once it was welcomed; none while the connection is down.
    pub(super) session: Option<SessionId>,
    /// The page that had it before, until the other device's carries the call.
    pub(super) leaving: Option<SessionId>,
    /// What takes it again: the latest, and the one before, whose successor may not have arrived.
    resume: [Option<TicketId>; 2],
    /// The invitation it was taken by.
    invitation: Option<TicketId>,
    /// The leg that is bound to the place.
    pub(super) leg: LegId,
    /// The leg that is being set up to take over.
    pub(super) next: Option<LegId>,
    /// The telephone that is kept on the line in silence, while the browser carries the voice.
    pub(super) parked: Option<LegId>,
    /// The offer that waits for its answer, and for which leg.
    offer: Option<(u64, LegId)>,
    wishes: Vec<Wish>,
    /// Calls beside the meeting that the page was told of last.
    pub(super) lines: Vec<protocol::Line>,
    /// What the page was told last of its own standing: in the meeting, and letting others in.
    told: (bool, bool),
}

/// A browser's peer connection.
#[derive(Debug)]
pub(super) struct WebLeg {
    participant: ParticipantId,
    /// The web plane knows it.
    offered: bool,
    /// It stands: packets flow both ways.
    pub(super) connected: bool,
    /// Its microphone is heard.
    pub(super) speaks: bool,
    /// The media plane knows it.
    opened: bool,
    /// The bridge it is in.
    bridged: Option<(RoomId, ParticipantId)>,
    /// What the web plane was told last.
    told: Told,
}

/// What the web plane was told of a leg.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Told {
    place: Option<(RoomId, ParticipantId)>,
    listens: bool,
    publishes: BTreeSet<Source>,
}

impl Web {
    pub(super) fn new(settings: &Settings, tickets: Tickets) -> Self {
        Self {
            sessions: BTreeMap::new(),
            by_address: BTreeMap::new(),
            seats: BTreeMap::new(),
            legs: BTreeMap::new(),
            closing: BTreeSet::new(),
            tickets,
            handoffs: Handoffs::default(),
            guard: PinGuard::new(settings),
            offers: Throttle::new(OFFERS.0, OFFERS.1, MOST_SESSIONS),
            pictures: Throttle::new(PICTURES.0, PICTURES.1, MOST_SESSIONS),
            joins: Throttle::new(settings.join_burst, settings.join_refill, THROTTLE_KEYS),
            returns: Throttle::new(RETURNS.0, RETURNS.1, THROTTLE_KEYS),
            returns_from: Throttle::new(RETURNS_FROM.0, RETURNS_FROM.1, THROTTLE_KEYS),
            invitations: Throttle::new(INVITATIONS.0, INVITATIONS.1, MOST_SESSIONS),
            slots: BTreeMap::new(),
            qualities: BTreeMap::new(),
        }
    }

    /// Whether nobody is here by browser; connections that did not join do not count.
    pub(super) fn is_idle(&self) -> bool {
        self.seats.is_empty() && self.legs.is_empty() && self.closing.is_empty()
    }

    /// Whether a browser's peer connection stands: packets flow both ways.
    pub(super) fn stands(&self, leg: LegId) -> bool {
        self.legs.get(&leg).is_some_and(|record| record.connected)
    }

    /// Whether the web plane knows a browser's leg.
    pub(super) fn is_offered(&self, leg: LegId) -> bool {
        self.legs.get(&leg).is_some_and(|record| record.offered)
    }

    /// Whether a leg is a browser's.
    pub(super) fn has_leg(&self, leg: LegId) -> bool {
        self.legs.contains_key(&leg)
    }

    /// Pages that are connected.
    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// When [`Gateway::web_timed_out`] is due.
    pub(super) fn poll_timeout(&self) -> Option<crate::base::Instant> {
        self.handoffs.poll_timeout()
    }
}

impl Gateway {
    /// The room of a person with a browser.
    pub(super) fn web_room(&self, participant: ParticipantId) -> Option<RoomId> {
        self.web.seats.get(&participant).map(|seat| seat.room)
    }

    /// The page that shows a person's place.
    pub(super) fn web_session(&self, participant: ParticipantId) -> Option<SessionId> {
        self.web.seats.get(&participant)?.session
    }

    /// Where a page comes from.
    pub(super) fn web_address(&self, session: SessionId) -> Option<IpAddr> {
        self.web.sessions.get(&session).map(|page| page.from)
    }

    /// Deals with a fact about a page.
    pub(super) fn on_web(&mut self, input: Input, now: Now) {
        match input {
            Input::Opened { session, from } => self.page_opened(session, from, now),
            Input::Said { session, request } => self.page_said(session, *request, now),
            Input::Garbled { session, why } => self.page_garbled(session, why),
            Input::Closed { session } => self.page_closed(session, now),
        }
    }

    /// A deadline of browsers' passed.
    pub(super) fn web_timed_out(&mut self, now: Now) {
        self.web.handoffs.handle_timeout(now);
        self.carry_out_moves(now);
    }

    fn page_opened(&mut self, session: SessionId, from: IpAddr, now: Now) {
        let from = network(from);
        let here = self.web.by_address.entry(from).or_default();
        *here += 1;
        let crowded = *here > MOST_PER_ADDRESS || self.web.sessions.len() >= MOST_SESSIONS;
        self.web.sessions.insert(session, Session { from, participant: None, garbled: 0, over: false });
        if crowded {
            self.refuse_page(session, None, Code::TooManyAttempts, None);
            return self.close_page(session);
        }
        self.timers.arm(Timer::Page(session), now.mono + JOIN_WITHIN);
    }

    /// A page did not join in time.
    pub(super) fn page_timed_out(&mut self, session: SessionId) {
        self.refuse_page(session, None, Code::NotJoined, None);
        self.close_page(session);
    }

    /// Closes a page's connection once it has taken what it was told.
    pub(super) fn close_page(&mut self, session: SessionId) {
        self.timers.disarm(&Timer::Page(session));
        if let Some(page) = self.web.sessions.get_mut(&session).filter(|page| !page.over) {
            page.over = true;
            self.outputs.push_back(Order::Web(Output::Close { session }));
        }
    }

    fn page_garbled(&mut self, session: SessionId, why: Unreadable) {
        let Some(page) = self.web.sessions.get_mut(&session) else { return };
        page.garbled += 1;
        let enough = page.garbled > MOST_GARBLED;
        let message = ServerMessage::Problem { id: why.id, code: why.code, detail: why.why, after_ms: None };
        self.tell_page(session, message);
        if enough {
            self.close_page(session);
        }
    }

    fn page_closed(&mut self, session: SessionId, now: Now) {
        let Some(page) = self.web.sessions.remove(&session) else { return };
        self.personal_page_closed(session, now);
        self.timers.disarm(&Timer::Page(session));
        if let Some(here) = self.web.by_address.get_mut(&page.from) {
            *here = here.saturating_sub(1);
            if *here == 0 {
                self.web.by_address.remove(&page.from);
            }
        }
        let Some(id) = page.participant else { return };
        let Some(seat) = self.web.seats.get_mut(&id).filter(|seat| seat.session == Some(session)) else { return };
        if seat.leaving.is_some() {
            // It was taking over: nothing has changed yet.
            self.codes_fail(id, now);
            return self.give_back(id, session, Cause::ConnectionLost, now);
        }
        seat.session = None;
        seat.offer = None;
        let room = seat.room;
        self.timers.arm(Timer::Away(id), now.mono + KEPT_FOR);
        self.voice_may_fall_silent(id, now);
        // Whoever talks by telephone is there all the same.
        let by_phone = self.phone_of(room, id).is_some();
        if let Some(live) = self.rooms.get_mut(&room) {
            live.set_away(id, !by_phone);
        }
        self.carry_out(room, now);
    }

    /// A page did not come back in time.
    pub(super) fn stayed_away(&mut self, id: ParticipantId, now: Now) {
        if self.unseat(id, Cause::ConnectionLost, now) {
            return;
        }
        if let Some(room) = self.web.seats.get(&id).map(|seat| seat.room) {
            self.leave_room(room, id, Cause::ConnectionLost, now);
        }
    }

    /// Tells every page that the node goes out of service.
    pub(super) fn warn_pages(&mut self) {
        let sessions: Vec<SessionId> = self.web.sessions.keys().copied().collect();
        // Nobody is kept from leaving by pages: they come back by themselves.
        let after = if self.legs.is_empty() { Duration::ZERO } else { self.settings.drain_limit };
        let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        let text = Code::Draining.text().to_owned();
        self.tell_pages(sessions, ServerMessage::Goaway { after_ms, text });
    }

    /// Ends every page: the node is out of service.
    pub(super) fn dismiss_pages(&mut self, now: Now) {
        let seats: Vec<(ParticipantId, RoomId)> = self.web.seats.iter().map(|(id, seat)| (*id, seat.room)).collect();
        for (id, room) in seats {
            self.leave_room(room, id, Cause::DrainedOut, now);
        }
        let sessions: Vec<SessionId> = self.web.sessions.keys().copied().collect();
        for session in sessions {
            self.close_page(session);
        }
    }
}
