//! The SIP endpoint of a node: it owns every transaction, dialog and INVITE session of all transports.
//!
//! ```text
//!   Received ─ receive ─┬─ copy? ───────────── server transaction ── the same answer again
//!                       ├─ check (§8.2) ────── stateless refusal
//!                       ├─ INVITE, CANCEL ──── inbound ┐
//!                       ├─ in a dialog ─────── modify, close ├── Event
//!                       └─ response ────────── client transaction ── outbound ┘
//! ```

mod branch;
mod broken;
mod challenge;
mod check;
mod clients;
mod close;
mod debug;
mod early;
mod event;
mod facts;
mod inbound;
mod leg;
mod manner;
mod modify;
mod outbound;
mod outside;
mod progress;
mod propose;
mod receive;
mod refer;
mod reliable;
mod servers;
mod session;
mod settings;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

pub use event::{
    Attempt, Event, Fork, Headers, Input, OutboundInvite, OutboundRequest, Output, SendRef, TransactionId, Unanswered,
};
pub use manner::{Manner, SessionInterval, SessionTimer};
pub use refer::{ReferId, ReferStep};
pub use settings::{Limits, Settings};

use crate::base::throttle::Throttle;
use crate::base::{Instant, LegId, Now, Rng, Support, Timers};
use crate::sip::counters::Counters;
use crate::sip::dialog::Dialog;
use crate::sip::reply::Answer;
use crate::sip::timing::Timer;
use crate::sip::transaction::Effect;
use crate::sip::transport::{FlowId, HostPort, Source, Target, Transport, advertised_for};
use crate::wire::sip::{Name, Request, Status, Text};
use clients::Client;
use leg::{Leg, LegTimer};
use servers::Server;

/// One per node. Give it facts with [`Endpoint::handle`] and orders with the methods named after what they do; after
/// each, drain [`Endpoint::poll_output`] and re-read [`Endpoint::poll_timeout`]. An order about a leg or transaction
/// that is not there, or not in a state for it, is ignored: its end has been or is being reported.
pub struct Endpoint {
    settings: Settings,
    rng: Rng,
    /// What all branches of this endpoint begin with, so that it knows its own.
    cookie: String,
    /// Makes the tags of stateless answers unpredictable and yet the same for each copy of a request.
    secret: u64,
    outputs: VecDeque<Output>,
    timers: Timers<TimerKey>,
    /// Kept between calls, so that its memory is.
    effects: Vec<Effect>,
    clients: BTreeMap<TransactionId, Client>,
    servers: BTreeMap<TransactionId, Server>,
    by_key: BTreeMap<String, TransactionId>,
    merged: BTreeMap<String, TransactionId>,
    legs: BTreeMap<LegId, Leg>,
    by_tag: BTreeMap<Text, LegId>,
    /// Legs whose end has not been told.
    live: usize,
    refers: refer::Refers,
    counters: Counters,
    malformed: Throttle<IpAddr>,
    /// Where we are reached in the networks of relays.
    relays: BTreeMap<FlowId, HostPort>,
}

/// Which timer of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum TimerKey {
    Client(TransactionId, Timer),
    Server(TransactionId, Timer),
    Leg(LegId, LegTimer),
    Refer(LegId, refer::ReferId),
}

/// How much an endpoint holds at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Transactions of requests we sent.
    pub client_transactions: usize,
    /// Transactions of requests that came.
    pub server_transactions: usize,
    /// Legs whose end has not been told.
    pub legs: usize,
    /// Legs that are over for the user and still owe the protocol a BYE or await an ACK.
    pub closing: usize,
    /// Timers set.
    pub timers: usize,
}

/// How many addresses that send malformed requests are remembered at a time.
const MALFORMED_SOURCES: usize = 1024;

impl Endpoint {
    /// An endpoint that holds nothing yet.
    pub fn new(settings: Settings, mut rng: Rng) -> Self {
        let answers = settings.limits.malformed_answers.max(1);
        Self {
            cookie: format!("z9hG4bK{}", rng.token(6)),
            secret: rng.next_u64(),
            malformed: Throttle::new(answers, Duration::from_secs(1) / answers, MALFORMED_SOURCES),
            settings,
            rng,
            outputs: VecDeque::new(),
            timers: Timers::new(),
            effects: Vec::new(),
            clients: BTreeMap::new(),
            servers: BTreeMap::new(),
            by_key: BTreeMap::new(),
            merged: BTreeMap::new(),
            legs: BTreeMap::new(),
            by_tag: BTreeMap::new(),
            live: 0,
            refers: refer::Refers::default(),
            relays: BTreeMap::new(),
            counters: Counters::default(),
        }
    }

    /// Takes a fact.
    pub fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::Received { message, source } => self.receive(message, source, now),
            Input::SendFailed { reference } => self.send_failed(reference, now),
            Input::FlowClosed { flow } => self.flow_closed(flow, now),
            Input::Timeout => {
                while let Some(key) = self.timers.expire(now.mono) {
                    match key {
                        TimerKey::Client(id, timer) => self.client_timer(id, timer, now),
                        TimerKey::Server(id, timer) => self.server_timer(id, timer, now),
                        TimerKey::Leg(leg, timer) => self.leg_timer(leg, timer, now),
                        TimerKey::Refer(leg, refer) => self.refer_timer(leg, refer, now),
                    }
                }
            }
        }
    }

    /// Answers a request that was handed up by [`Event::Request`] or [`Event::Info`]. One outside any dialog is answered
    /// and forgotten: its copies are asked about again, and whoever sends it, known or not, fills nothing.
    pub fn respond(
        &mut self,
        transaction: TransactionId,
        status: Status,
        headers: &Headers,
        body: Option<(&str, &[u8])>,
        now: Now,
    ) {
        let Some(server) = self.servers.get(&transaction) else { return };
        let (leg, advertises) = (server.leg, server.advertises_methods);
        let mut headers = headers.clone();
        if advertises {
            self.advertise(&mut headers);
        }
        let Some(leg) = leg else {
            return self.answer_once(transaction, Answer { headers: &headers, body, ..Answer::plain(status, "") });
        };
        let in_dialog = self.legs.get(&leg).map(|leg| leg.dialog.local_tag.clone());
        let tag = in_dialog.unwrap_or_else(|| Text::from(self.rng.token(12)));
        self.answer_with(transaction, status, &tag, false, &headers, body, now);
    }

    /// Says what we can do, where the user has not said it (§11.2).
    fn advertise(&self, headers: &mut Headers) {
        let supported = (!self.settings.supported.is_empty()).then(|| Text::from(self.settings.supported.join(", ")));
        let ours =
            [(Name::Allow, Some(self.allow())), (Name::Accept, Some(self.accept())), (Name::Supported, supported)];
        for (name, value) in ours {
            if let Some(value) = value.filter(|_| !headers.iter().any(|(said, _)| *said == name)) {
                headers.push((name, value));
            }
        }
    }

    /// Changes the addresses under which we are reached; live dialogs keep theirs until their next offer.
    pub fn set_advertised(&mut self, advertised: Vec<crate::sip::transport::Advertised>) {
        self.settings.advertised = advertised;
    }

    /// An order or a report; drain until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Endpoint::handle`] with [`Input::Timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// What was counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What is held.
    pub fn counts(&self) -> Counts {
        Counts {
            client_transactions: self.clients.len(),
            server_transactions: self.servers.len(),
            legs: self.live,
            closing: self.legs.len().saturating_sub(self.live),
            timers: self.timers.len(),
        }
    }

    /// Whether nothing is held: no transaction, no dialog, no leg, no timer.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
            && self.servers.is_empty()
            && self.legs.is_empty()
            && self.by_key.is_empty()
            && self.merged.is_empty()
            && self.by_tag.is_empty()
            && self.refers.is_empty()
            && self.timers.is_empty()
            && self.live == 0
    }

    /// Whether every goodbye has been said: no leg, none closing, and no request of ours without an answer. What
    /// transactions still absorb does not count, so a node may leave now.
    pub fn is_quiet(&self) -> bool {
        self.legs.is_empty() && !self.clients.values().any(Client::awaits_answer)
    }

    /// The legs that are not over.
    pub fn legs(&self) -> impl Iterator<Item = LegId> {
        self.legs.iter().filter(|(_, leg)| !leg.over).map(|(id, _)| *id)
    }

    /// A leg's dialog, for a record or for another node to take over.
    pub fn dialog(&self, leg: LegId) -> Option<&Dialog> {
        self.legs.get(&leg).filter(|leg| !leg.over).map(|leg| &leg.dialog)
    }

    /// The session timer of a leg, if one runs (RFC 4028).
    pub fn session_interval(&self, leg: LegId) -> Option<SessionInterval> {
        self.legs.get(&leg).filter(|leg| !leg.over)?.interval
    }

    /// Takes over a call that is up from another node: its dialog goes on here, first by a re-INVITE of ours that names
    /// our Contact. None if a call with that tag is here already.
    pub fn adopt(&mut self, dialog: Dialog) -> Option<LegId> {
        if self.by_tag.contains_key(&dialog.local_tag) {
            return None;
        }
        let id = LegId::draw(&mut self.rng);
        let contact = self.contact(&dialog.hop, dialog.secure, None);
        self.by_tag.insert(dialog.local_tag.clone(), id);
        self.legs.insert(id, Leg::confirmed(dialog, contact));
        self.live += 1;
        Some(id)
    }

    /// A fresh tag: 60 random bits (§19.3 asks for 32).
    fn tag(&mut self) -> Text {
        Text::from(self.rng.token(12))
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn send(&mut self, to: Target, bytes: bytes::Bytes, reference: SendRef) {
        self.outputs.push_back(Output::Send { to, bytes, reference });
    }

    fn allow(&self) -> Text {
        Text::from(self.settings.allow.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(", "))
    }

    /// The option tags that we say we understand in a new call: what its far end is to use, and what belongs in calls.
    fn supported(&self, manner: &Manner) -> Option<(Name, Text)> {
        let wanted = |tag: &&String| match tag.as_str() {
            "100rel" => manner.prack != Support::Off,
            "timer" => manner.timer.is_some(),
            // Of registrations alone.
            "path" | "outbound" => false,
            _ => true,
        };
        supported_field(self.settings.supported.iter().filter(wanted))
    }

    /// The same in a call that is up: nothing rings there, so nothing provisional is reliable.
    fn supported_within(&self, leg: LegId) -> Option<(Name, Text)> {
        let manner = Manner { prack: Support::Off, ..self.legs.get(&leg)?.manner };
        self.supported(&manner)
    }

    fn accept(&self) -> Text {
        Text::from(self.settings.accept.join(", "))
    }

    /// Says where we are reached in the network of a relay: what goes that way names this address.
    pub fn reached_through(&mut self, relay: FlowId, address: HostPort) {
        self.relays.insert(relay, address);
    }

    /// The address peers at `target` are told for a transport; one that is not advertised has none.
    fn address(&self, transport: Transport, target: &Target) -> Option<&HostPort> {
        match target.relay() {
            // A relay has the one socket.
            Some(relay) => self.relays.get(&FlowId::of_relay(relay)).filter(|_| transport == target.transport),
            None => advertised_for(&self.settings.advertised, transport, target.remote.ip()),
        }
    }

    fn report_request(&mut self, id: TransactionId, request: Request, source: Source, leg: Option<LegId>) {
        self.event(Event::Request { transaction: id, request: Box::new(request), source, leg });
    }
}

fn supported_field<'a>(tags: impl Iterator<Item = &'a String>) -> Option<(Name, Text)> {
    let tags = tags.map(String::as_str).collect::<Vec<_>>().join(", ");
    (!tags.is_empty()).then(|| (Name::Supported, Text::from(tags)))
}
