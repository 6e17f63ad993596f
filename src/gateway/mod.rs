//! Rank 6: the whole node as one machine. Bytes, media events and commands go in; datagrams, media orders, records
//! and events come out. The engine gives it a clock, sockets and a store; a test gives it virtual time.

pub mod callback;
pub mod code;
pub mod command;
pub mod device;
pub mod elevate;
pub mod event;
pub mod fetch;
pub mod knock;
pub mod merge;
pub mod relays;
pub mod settings;
pub mod view;
pub mod web;

mod ask;
mod attest;
mod calls;
mod check_sync;
mod control;
mod drain;
mod hold;
mod identity;
mod inbound;
mod io;
mod keys;
mod leg;
mod manner;
mod media;
mod outbound;
mod pin_guard;
mod policy;
mod presence;
mod redirect;
mod registrar;
mod requests;
mod ringing;
mod rooms;
mod seating;
mod show;
mod transfer;
pub mod treatment;
mod trunks;
mod voice;
mod webhook;
mod words;

pub use ask::explain;
pub use io::{Input, Output, Record};

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::base::id::{CallbackId, CodeId, DidId, ElevationId, RelayId, TrunkId};
use crate::base::{
    Cause, Instant, LegId, Now, ParticipantId, PhoneNumber, Rng, RoomId, Secret, SessionId, Throttle, Timers,
};
use crate::call::keys::KeyMap;
use crate::gateway::event::{Event, Happening};
use crate::gateway::leg::Leg;
use crate::gateway::ringing::{Ring, RingId};
use crate::gateway::settings::Settings;
use crate::media::command::MediaCommand;
use crate::profile::{Book, GENERIC, Profile};
use crate::room::{Room, RoomSettings};
use crate::route::{Did, Extension, Group, Home, Party, Rule, Table, Trunk};
use crate::sip::auth::Verifier;
use crate::sip::endpoint::{self, Endpoint, TransactionId};
use crate::sip::locate::{self, Locator};
use crate::ticket::{Ticket, Tickets};
use crate::transfer::Printed;
use crate::wire::sip::Message;

/// The whole node as one machine: one input, then drain the outputs, then re-read the timeout.
#[derive(Debug)]
pub struct Gateway {
    settings: Settings,
    endpoint: Endpoint,
    verifier: Verifier,
    table: Table,
    profiles: Book,
    rooms: BTreeMap<RoomId, Room>,
    key_maps: BTreeMap<String, Arc<KeyMap>>,
    legs: BTreeMap<LegId, Leg>,
    /// Attempts to reach somebody.
    rings: BTreeMap<RingId, Ring>,
    next_ring: u64,
    /// Legs whose ports the media plane still holds.
    closing: BTreeSet<LegId>,
    /// Legs to which something is to be played when this input has been dealt with.
    touched: BTreeSet<LegId>,
    plays: u64,
    /// Where far ends are.
    locator: Locator,
    trunks: trunks::Trunks,
    relays: relays::Relays,
    /// Telephones that register.
    phones: registrar::Phones,
    /// Who watches whom.
    presence: presence::Presence,
    /// Requests of ours that are no calls, and who awaits their answers.
    askers: BTreeMap<TransactionId, requests::Asker>,
    transfers: transfer::Transfers,
    timers: Timers<Timer>,
    rng: Rng,
    /// Wrong passwords by where they came from; further ones are not looked at.
    wrong_passwords: Throttle<IpAddr>,
    /// What was spent on calls out, and who is not answered.
    policy: policy::Policy,
    /// Calls whose routing webhook has not answered yet.
    webhooks: webhook::Webhooks,
    /// Certificates of signed identities, and calls that wait for one.
    attests: attest::Attests,
    next_fetch: u64,
    calls_by_caller: Throttle<PhoneNumber>,
    pins: pin_guard::PinGuard<Option<DidId>, PhoneNumber>,
    /// Browsers in rooms.
    web: web::Web,
    /// Telephone calls that become meetings.
    elevations: elevate::Elevations,
    knocks: knock::Knocks,
    /// People's devices, and calls that move between them.
    devices: device::Devices,
    /// Somebody is to be called back.
    callbacks: callback::Callbacks,
    /// Calls that move by a code.
    codes: code::Codes,
    next_seq: u64,
    counters: Counters,
    drain: Option<drain::Drain>,
    outputs: VecDeque<Output>,
}

/// Deadlines of the gateway's own; the endpoint keeps its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The attendant begins although no audio has come.
    Start(LegId),
    /// The attendant of this leg.
    Attendant(LegId),
    /// The key reader of this leg.
    Keys(LegId),
    /// A last word takes too long.
    LastWord(LegId),
    /// A far end that took a REFER on does not hang up.
    TakesOver(LegId),
    /// A room of this id.
    Room(RoomId),
    /// It rang long enough.
    Ring(RingId),
    /// Nothing has come back to an INVITE of ours.
    Silence(LegId),
    /// What was asked for by HTTP is not here in time.
    Fetch(fetch::FetchId),
    /// An account's minutes for calls out may be used up.
    Minutes(policy::Account),
    /// The next key is to be sent to this leg.
    Keying(LegId),
    /// A page did not join.
    Page(SessionId),
    /// A page did not come back.
    Away(ParticipantId),
    /// A page is to be offered the voice that its telephone carried.
    AudioOffer(ParticipantId),
    /// The browser that carried a voice is gone, and a telephone is kept on the line: it takes the voice back.
    VoiceBack(ParticipantId),
    /// A step of an elevation.
    Elevation(ElevationId),
    /// A meeting was asked long enough about a call.
    Knock(LegId),
    /// A relay did not come back.
    Relay(RelayId),
    /// A step of a callback.
    Callback(CallbackId),
    /// A callback that waits is looked at again.
    CallbackWaits(CallbackId),
    /// A step of a code.
    Code(CodeId),
    /// Calls are told that the node goes out of service.
    DrainWarning,
    /// Calls still up are ended.
    DrainLimit,
}

/// Wrong trunk passwords from one address before no more are looked at. More: guessing goes faster. Fewer: a carrier
/// whose password was just changed is locked out sooner.
const WRONG_PASSWORDS: u32 = 10;

/// After this long one more is looked at: 600 guesses an hour, of a password that ought to have sixty bits.
const WRONG_PASSWORD_EVERY: Duration = Duration::from_secs(6);

/// What is counted in all.
#[derive(Debug, Clone, Default)]
struct Counters {
    invited: u64,
    answered: u64,
    refused: BTreeMap<Cause, u64>,
    commands: u64,
}

/// What is configured and stored when the node begins.
#[derive(Debug, Default)]
pub struct Directory {
    /// Carrier links.
    pub trunks: Vec<Trunk>,
    /// Numbers.
    pub dids: Vec<Did>,
    /// People of the house.
    pub extensions: Vec<Extension>,
    /// Groups of them.
    pub groups: Vec<Group>,
    /// The ordered rules.
    pub rules: Vec<Rule>,
    /// What of routing is the node's own.
    pub home: Home,
    /// Rooms.
    pub rooms: Vec<RoomSettings>,
    /// Callbacks at set times, and whether they rang when the node died.
    pub callbacks: Vec<(callback::view::Kept, bool)>,
    /// Invitations that count.
    pub tickets: Vec<Ticket>,
    /// Printed codes.
    pub printed: Vec<Printed>,
    /// People's devices.
    pub people: device::Directory,
    /// The dialects of far ends.
    pub profiles: Book,
    /// The first free place in the event log.
    pub next_seq: u64,
}

impl Gateway {
    /// A node at its start.
    pub fn new(
        settings: Settings,
        sip: endpoint::Settings,
        key_maps: BTreeMap<String, KeyMap>,
        directory: Directory,
        mut rng: Rng,
        now: Now,
    ) -> Self {
        let mut table = Table::default();
        table.trunks.extend(directory.trunks.into_iter().map(|trunk| (trunk.id, trunk)));
        table.dids.extend(directory.dids.into_iter().map(|did| (did.id, did)));
        table.extensions = directory.extensions.into_iter().collect();
        table.groups.extend(directory.groups.into_iter().map(|group| (group.id, group)));
        directory.rules.into_iter().for_each(|rule| table.put_rule(rule));
        table.rooms.extend(directory.rooms.iter().map(|room| room.id));
        table.home = directory.home;
        let wait = settings.longest_wait;
        let mut tickets = Tickets::default();
        let live = directory.tickets.into_iter().filter(|ticket| table.rooms.contains(&ticket.room));
        for ticket in live {
            // One more than there may be is one that does not count.
            let _ = tickets.put(ticket, now.utc);
        }
        let rooms = directory.rooms.into_iter().map(|room| (room.id, Room::new(room, wait))).collect();
        let endpoint = Endpoint::new(sip, rng.fork());
        let verifier = Verifier::new(settings.realm.clone(), &mut rng);
        let decoy = Secret::new(rng.token(24));
        let phones = registrar::Phones::new(settings.registrar, settings.registers_per_second, decoy);
        let mut gateway = Self {
            wrong_passwords: Throttle::new(WRONG_PASSWORDS, WRONG_PASSWORD_EVERY, pin_guard::THROTTLE_KEYS),
            policy: policy::Policy::new(),
            webhooks: webhook::Webhooks::default(),
            attests: attest::Attests::default(),
            next_fetch: 0,
            calls_by_caller: Throttle::new(settings.caller_burst, settings.caller_refill, pin_guard::THROTTLE_KEYS),
            pins: pin_guard::PinGuard::new(&settings),
            web: web::Web::new(&settings, tickets),
            elevations: elevate::Elevations::new(&settings),
            knocks: knock::Knocks::new(),
            devices: device::Devices::new(&settings, directory.people),
            callbacks: callback::Callbacks::new(&settings.callback),
            codes: code::Codes::new(&settings),
            settings,
            endpoint,
            verifier,
            table,
            profiles: directory.profiles,
            rooms,
            key_maps: key_maps.into_iter().map(|(name, map)| (name, Arc::new(map))).collect(),
            legs: BTreeMap::new(),
            rings: BTreeMap::new(),
            next_ring: 0,
            closing: BTreeSet::new(),
            touched: BTreeSet::new(),
            plays: 0,
            locator: Locator::new(rng.fork()),
            trunks: trunks::Trunks::default(),
            relays: relays::Relays::default(),
            phones,
            presence: presence::Presence::default(),
            askers: BTreeMap::new(),
            transfers: transfer::Transfers::default(),
            timers: Timers::new(),
            rng,
            next_seq: directory.next_seq,
            counters: Counters::default(),
            drain: None,
            outputs: VecDeque::new(),
        };
        let trunks: Vec<TrunkId> = gateway.table.trunks.keys().copied().collect();
        trunks.into_iter().for_each(|trunk| gateway.learn_trunk(trunk, now));
        gateway.publish(Happening::NodeStarted {}, now);
        for code in directory.printed {
            gateway.put_printed(code, now);
        }
        for (kept, claimed) in directory.callbacks {
            // What became of it is told by its event.
            let _ = gateway.put_callback(kept, claimed, now);
        }
        gateway.settle(now);
        gateway
    }

    /// The dialects this node knows.
    pub fn profiles(&self) -> &Book {
        &self.profiles
    }

    /// Takes in a fact.
    pub fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::Signalling(input) => {
                if let endpoint::Input::FlowClosed { flow } = &input {
                    self.on_flow_closed(*flow, now);
                }
                if let endpoint::Input::Received { message: Ok(message), source } = &input
                    && self.is_trying()
                {
                    self.trial_notes(message, false, source.transport, source.remote, now);
                }
                if !self.is_ignored(&input, now) {
                    self.endpoint.handle(input, now);
                }
            }
            Input::PortsBound { leg, rtp_port } => self.on_ports(leg, Some(rtp_port), now),
            Input::PortsExhausted { leg } => self.on_ports(leg, None, now),
            Input::Media(event) => self.on_media(event, now),
            Input::Relay(fact) => self.on_relay(fact, now),
            Input::Web(input) => self.on_web(input, now),
            Input::WebMedia(event) => self.on_web_media(event, now),
            Input::Texting(fact) => self.on_texting(fact, now),
            Input::Notified { elevation, outcome } => self.notified(elevation, outcome, now),
            Input::Asked { id, command } => {
                let outcome = self.ask(*command, now);
                self.outputs.push_back(Output::Answer { id, outcome });
            }
            Input::Resolved { id, lookup } => self.locator.resolved(id, lookup, now.mono),
            Input::Fetched { id, result } => self.on_fetched(id, result, now),
            Input::Claimed { callback, granted } => self.callback_claimed(callback, granted, now),
            Input::DrainAsked => self.begin_drain(now),
            Input::StopAsked => self.stop(now),
            Input::Timeout => self.on_timeout(now),
        }
        self.settle(now);
    }

    /// The next order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let own = [self.endpoint.poll_timeout(), self.locator.poll_timeout(), self.timers.next()];
        let outside = [
            self.phones.registrar.poll_timeout(),
            self.presence.poll_timeout(),
            self.trunks.poll_timeout(),
            self.web.poll_timeout(),
            self.devices.poll_timeout(),
        ];
        own.into_iter().chain(outside).flatten().min()
    }

    /// Whether a page shows what happens here while it happens.
    pub fn is_watched(&self) -> bool {
        self.web.len() > 0
    }

    /// Whether nothing is left of any call: what a test asks at its end.
    pub fn is_idle(&self) -> bool {
        self.legs.is_empty()
            && self.closing.is_empty()
            && self.rings.is_empty()
            && self.callbacks.is_idle()
            && self.web.is_idle()
            && self.devices.is_idle()
            && self.rooms.values().all(|room| room.is_empty() && !room.settings().call)
            && self.endpoint.is_empty()
    }

    fn on_timeout(&mut self, now: Now) {
        if self.endpoint.poll_timeout().is_some_and(|at| at <= now.mono) {
            self.endpoint.handle(endpoint::Input::Timeout, now);
        }
        self.locator.handle_timeout(now.mono);
        self.phones.registrar.handle_timeout(now);
        self.tell_of_phones(now);
        self.presence.handle_timeout(now);
        self.trunks_timed_out(now);
        self.web_timed_out(now);
        self.devices_timed_out(now);
        while let Some(timer) = self.timers.expire(now.mono) {
            match timer {
                Timer::Start(leg) => self.begin_attending(leg, now),
                Timer::Attendant(leg) => self.attend(leg, crate::call::attendant::Input::Timeout, now),
                Timer::Keys(leg) => self.keys_timed_out(leg, now),
                Timer::LastWord(leg) => self.last_word_said(leg, now),
                Timer::TakesOver(leg) => self.did_not_take_over(leg, now),
                Timer::Room(room) => {
                    if let Some(room) = self.rooms.get_mut(&room) {
                        room.handle_timeout(now);
                    }
                    self.carry_out(room, now);
                }
                Timer::Ring(ring) => self.ring_timed_out(ring, now),
                Timer::Silence(leg) => self.silence_lasted(leg, now),
                Timer::Fetch(id) => self.on_fetched(id, Err(fetch::FetchError::TimedOut), now),
                Timer::Minutes(account) => self.minutes_passed(account, now),
                Timer::Keying(leg) => self.key_on(leg, now),
                Timer::Page(session) => self.page_timed_out(session),
                Timer::Away(participant) => self.stayed_away(participant, now),
                Timer::AudioOffer(participant) => self.offer_audio(participant),
                Timer::VoiceBack(participant) => self.voice_back(participant, now),
                Timer::Knock(caller) => self.knock_over(caller, now),
                Timer::Elevation(id) => self.elevation_timed_out(id, now),
                Timer::Relay(relay) => self.relay_stayed_away(relay, now),
                Timer::Callback(id) => self.callback(id, crate::callback::Input::Timeout, now),
                Timer::CallbackWaits(id) => self.callback_waits(id, now),
                Timer::Code(id) => self.code_timed_out(id, now),
                Timer::DrainWarning => self.warn_of_drain(),
                Timer::DrainLimit => self.end_drain(now),
            }
        }
    }

    /// Carries what one machine ordered to the others, until none has anything left to say.
    fn settle(&mut self, now: Now) {
        loop {
            let mut quiet = true;
            while let Some(output) = self.endpoint.poll_output() {
                quiet = false;
                match output {
                    endpoint::Output::Send { to, bytes, reference } => {
                        if self.is_trying()
                            && let Ok(message) = Message::parse(&bytes)
                        {
                            self.trial_notes(&message, true, to.transport, to.remote, now);
                        }
                        self.outputs.push_back(Output::Send { to, bytes, reference });
                    }
                    endpoint::Output::Event(event) => self.on_signalling(event, now),
                }
            }
            while let Some(output) = self.locator.poll_output() {
                quiet = false;
                match output {
                    locate::Output::Resolve { id, question } => {
                        self.outputs.push_back(Output::Resolve { id, question })
                    }
                    locate::Output::Located { search, located } => self.on_located(search, located, now),
                }
            }
            while let Some((ring, found)) = self.poll_routed() {
                quiet = false;
                self.trunk_located(ring, found, now);
            }
            quiet &= !self.tell_watchers(now);
            quiet &= !self.tell_personal_pages(now);
            if !self.touched.is_empty() {
                quiet = false;
                self.flush_voices(now);
            }
            if quiet {
                break;
            }
        }
        self.finish_drain(now);
    }

    /// The dialect spoken with a party: the one that is configured for it, or for a telephone the one its name tells.
    fn profile_of(&self, party: Party, user_agent: &str) -> Arc<Profile> {
        match party {
            Party::Trunk(id) => self.profiles.get(self.table.trunks.get(&id).map_or(GENERIC, |trunk| &trunk.profile)),
            Party::Extension(id) => match self.table.extensions.get(&id).and_then(|of| of.profile.as_deref()) {
                Some(named) => self.profiles.get(named),
                None => self.profiles.of_agent(user_agent),
            },
        }
    }

    fn order(&mut self, command: MediaCommand) {
        self.outputs.push_back(Output::Media(command));
    }

    fn publish(&mut self, what: Happening, now: Now) {
        self.note_for_lamps(&what, now);
        self.note_for_devices(&what, now);
        let seq = self.next_seq;
        self.next_seq += 1;
        self.outputs.push_back(Output::Publish(Event { seq, at: now.utc, what }));
    }
}
