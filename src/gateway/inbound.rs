//! From an INVITE to an answered call, through its re-negotiations, to its end.

use std::net::IpAddr;

use crate::base::id::DidId;
use crate::base::{Cause, LegId, Now, PhoneNumber, RoomId, Utc};
use crate::call::attendant::{self, Attendant};
use crate::call::offer_answer::{Negotiation, Preferences};
use crate::call::speech::Language;
use crate::gateway::calls::CallPlan;
use crate::gateway::event::Happening;
use crate::gateway::identity::Caller;
use crate::gateway::leg::{Leg, Stage};
use crate::gateway::ringing::reason_header;
use crate::gateway::settings::Settings;
use crate::gateway::show::shown_user;
use crate::gateway::view::CallDirection;
use crate::gateway::webhook::Invitation;
use crate::gateway::{Gateway, Output, Record, Timer};
use crate::identity::Standing;
use crate::media::command::{MediaCommand, PlayId};
use crate::route::{Accepted, Decision, Destination, Dialled, Facts, Party, Table};
use crate::sip::auth::{Prover, Verdict, Verifier};
use crate::sip::endpoint::{Event, Headers, Manner};
use crate::sip::reason::Reason;
use crate::sip::replaces::Replaces;
use crate::sip::transport::Source;
use crate::sip::uui::Uui;
use crate::wire::sip::{Name, NameAddr, Request, Status, Text};

/// Where the attendants' runs are numbered from: beyond any that the gateway itself will ever order.
const FIRST_ATTENDANT_PLAY: PlayId = PlayId(1 << 48);

impl Gateway {
    /// Deals with what the endpoint reports.
    pub(super) fn on_signalling(&mut self, event: Event, now: Now) {
        match event {
            Event::Invited { leg, request, source } => self.on_invited(leg, &request, source, now),
            Event::Acked { leg, sdp } => self.on_acked(leg, sdp.as_deref(), now),
            Event::Offered { leg, sdp, .. } => self.on_offered(leg, sdp.as_deref(), now),
            Event::Info { leg, transaction, content_type, body } => {
                self.on_info(leg, transaction, content_type.as_ref().map(Text::as_str), &body, now);
            }
            Event::Modified { leg, result } => {
                let result = result.as_ref().map(|sdp| sdp.as_deref()).map_err(|status| *status);
                self.on_modified(leg, result, now);
            }
            Event::Refreshed { leg, sdp: Some(sdp) } => self.take_later_answer(leg, &sdp, now),
            Event::Pracked { leg, sdp: Some(sdp) } => self.take_later_answer(leg, &sdp, now),
            Event::EarlyOffered { leg, fork, sdp } => self.on_early_offer(leg, fork, &sdp, now),
            Event::Progress { leg, status, sdp, .. } => self.on_progress(leg, status, sdp.as_deref(), now),
            Event::Answered { leg, sdp, source, .. } => self.on_answered(leg, sdp.as_deref(), source, now),
            Event::Refused { leg, status, retry_after, response } => {
                self.on_refused(leg, status, retry_after, &response, now);
            }
            Event::Ended { leg, cause, reasons } => {
                if !self.tried_again(leg, now) {
                    self.end_leg(leg, cause, &reasons, now);
                }
            }
            Event::Referred { leg, refer, to, referred_by, uui, .. } => {
                self.on_referred(leg, refer, &to, (referred_by.as_deref(), uui), now);
            }
            Event::ReferProgress { leg, refer, step } => self.on_refer_progress(leg, refer, step, now),
            Event::Request { transaction, request, source, .. } => {
                self.on_request(transaction, &request, source, now);
            }
            Event::Response { transaction, result, source } => self.on_response(transaction, result, source, now),
            // What follows a CANCEL is Ended.
            Event::Cancelled { .. } | Event::Pracked { sdp: None, .. } | Event::Refreshed { sdp: None, .. } => {}
        }
    }

    fn on_invited(&mut self, leg: LegId, request: &Request, source: Source, now: Now) {
        self.counters.invited += 1;
        if self.drain.is_some() {
            return self.refuse_invite(leg, Cause::Draining, now);
        }
        let mut facts = Facts { relay: source.relay(), ..facts_of(&self.table, request, source.remote.ip(), now.utc) };
        match self.check_credentials(request, source, now) {
            Some((party, Verdict::Right)) => {
                self.password_shown(source.remote.ip(), true, now);
                facts.proved = Some(party);
            }
            Some((_, Verdict::Stale)) => return self.challenge(leg, request, source, true, now),
            Some((_, Verdict::Wrong)) => self.password_shown(source.remote.ip(), false, now),
            None => facts.proved = self.registered_at(request, &source).map(Party::Trunk),
        }
        if let Some(replaces) = Replaces::of(&request.headers) {
            return self.on_replacing(leg, request, source, &facts, replaces, now);
        }
        if let Some(facts) = self.weigh_identity(leg, request, source, facts, now) {
            self.route_invite(leg, request, source, facts, now);
        }
    }

    /// All is known of an INVITE that is going to be: it goes where it leads.
    pub(super) fn route_invite(&mut self, leg: LegId, request: &Request, source: Source, facts: Facts, now: Now) {
        match self.table.decide(&facts) {
            Decision::Challenge => self.challenge(leg, request, source, false, now),
            Decision::Refuse(Cause::NotAuthorised) => {
                self.count_refusal(Cause::NotAuthorised);
                self.endpoint.turn_away(leg, Status::FORBIDDEN, Cause::NotAuthorised, &Headers::new());
            }
            Decision::Refuse(cause) => self.refuse_invite(leg, cause, now),
            Decision::Accept(accepted) if matches!(accepted.to, Destination::Webhook { .. }) => {
                let call = Invitation { leg, request: request.clone(), source, facts };
                self.ask_webhook(call, *accepted, now);
            }
            Decision::Accept(accepted) => self.on_authorised(leg, request, source, facts, *accepted, now),
        }
    }

    pub(super) fn on_authorised(
        &mut self,
        leg: LegId,
        request: &Request,
        source: Source,
        facts: Facts,
        accepted: Accepted,
        now: Now,
    ) {
        let Accepted { from: party, to: destination, did, caller, caller_user, dialled, .. } = accepted;
        // Whoever calls for help is under no limit.
        let help = dialled.as_ref().is_some_and(Dialled::is_emergency);
        let room_left = if help { Ok(()) } else { self.check_capacity(party, caller.as_ref(), now) };
        if let Err(cause) = room_left {
            return self.refuse_invite(leg, cause, now);
        }
        let from = caller
            .as_ref()
            .map(PhoneNumber::e164)
            .or_else(|| (!caller_user.is_empty()).then(|| shown_user(&caller_user)));
        let language = self.language_of(did, &destination);
        let profile = self.profile_of(party, request.headers.get(Name::UserAgent).unwrap_or_default());
        if !self.endpoint.set_manner(leg, Manner::of(&profile), now) {
            // It was refused for not speaking so.
            return;
        }
        // Who wants our credentials for calls to it may want them in calls from it.
        let trunk = party.trunk().and_then(|id| self.table.trunks.get(&id));
        if let Some(of) = trunk.and_then(|trunk| trunk.outbound.as_ref()?.credentials.clone()) {
            self.endpoint.set_credentials(leg, Prover::new(of.username, of.password));
        }
        let offer = (!request.body.is_empty()).then(|| request.body.clone());
        let plan = match &destination {
            Destination::Extension { .. } | Destination::Group { .. } | Destination::Trunk { .. } => {
                let caller = Caller {
                    number: caller.clone(),
                    user: Some(caller_user.clone()).filter(|user| !user.is_empty()),
                    name: self.name_of_caller(party, request),
                    withheld: is_withheld(request) || (caller.is_none() && caller_user.is_empty()),
                };
                Some(Box::new(CallPlan {
                    party: Some(party),
                    to: destination.clone(),
                    dialled,
                    caller,
                    headers: headers_passed_on(request),
                    seconds: None,
                    auto_answer: false,
                    language: language.clone(),
                    max_forwards: request.headers.max_forwards().unwrap_or(70).saturating_sub(1),
                    name: None,
                }))
            }
            Destination::Attendant {}
            | Destination::Room { .. }
            | Destination::Refuse { .. }
            | Destination::Webhook { .. } => None,
        };
        let negotiation = Negotiation::new(Preferences::of(&profile, &self.settings.audio), &mut self.rng);
        let mut record = Leg::new(leg, CallDirection::Inbound, party, profile, source.remote, negotiation, now);
        record.relay = source.relay();
        record.call_id = request.headers.call_id().unwrap_or_default().to_owned();
        record.from = from;
        record.caller = caller;
        record.to = shown_user(&facts.to_user);
        record.did = did;
        record.destination = destination.clone();
        record.language = language;
        record.help = help;
        record.identity = facts.identity;
        record.stage = Stage::Binding { offer, plan };
        self.begin_record(record, now);
        if facts.identity != Standing::Unchecked {
            self.publish(Happening::CallIdentity { call: leg, identity: facts.identity }, now);
        }
        let refused = match &destination {
            Destination::Refuse { cause } => Some(*cause),
            Destination::Room { room } if !self.rooms.contains_key(room) => Some(Cause::NoRoute),
            Destination::Room { .. } | Destination::Attendant {} => None,
            Destination::Extension { .. } | Destination::Group { .. } | Destination::Trunk { .. } => None,
            Destination::Webhook { .. } => Some(Cause::NoRoute),
        };
        match refused {
            Some(cause) => self.refuse_invite(leg, cause, now),
            None => self.bind_ports(leg),
        }
    }

    /// Keeps a leg, its row and its first event.
    pub(super) fn begin_record(&mut self, record: Leg, now: Now) {
        let shown = self.shown_number(record.caller.as_ref(), record.from.as_deref(), false);
        let to = Self::shown_called(&record, false);
        let happening = Happening::CallBegan { call: record.id, direction: record.direction, from: shown, to };
        self.outputs.push_back(Output::Record(Record::Began(Box::new(record.record(None)))));
        self.legs.insert(record.id, record);
        self.publish(happening, now);
    }

    /// What people call a caller: their name in the house, else what their telephone says.
    fn name_of_caller(&self, party: Party, request: &Request) -> Option<String> {
        let known = party.extension().and_then(|id| self.table.extensions.get(&id)).map(|of| of.name.clone());
        known.or_else(|| {
            let shown = request.headers.name_addr(Name::PAssertedIdentity).or_else(|| request.headers.from())?;
            shown.display_name().map(|name| name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect())
        })
    }

    /// The engine bound ports, or found none.
    pub(super) fn on_ports(&mut self, leg: LegId, rtp_port: Option<u16>, now: Now) {
        let ip = self.audio_address(leg);
        let Some(record) = self.legs.get_mut(&leg) else {
            // The caller gave up in between.
            if rtp_port.is_some() {
                self.outputs.push_back(Output::FreePorts { leg });
            }
            return;
        };
        let Some(rtp_port) = rtp_port else {
            return match record.direction {
                CallDirection::Inbound => self.refuse_invite(leg, Cause::NoPorts, now),
                CallDirection::Outbound => self.end_leg(leg, Cause::NoPorts, &[], now),
            };
        };
        if let Stage::Replacing { .. } = record.stage {
            return self.answer_replacing(leg, rtp_port, now);
        }
        let Stage::Binding { offer, plan } = &mut record.stage else { return self.send_prepared(leg, rtp_port, now) };
        let (offer, plan) = (offer.take(), plan.take());
        // From here on the leg has ports, and gives them back however it ends.
        record.bound = true;
        record.stage = Stage::Answering;
        let Some(ip) = ip else { return self.refuse_invite(leg, Cause::Internal, now) };
        record.negotiation.set_local(ip, rtp_port);
        match plan {
            Some(plan) => self.ring_for(leg, *plan, offer, now),
            // Where nothing can be agreed on it is refused there.
            None => drop(self.accept_call(leg, offer, None, None, now)),
        }
    }

    /// The call is up and the path is open: the attendant begins, or the room the number leads to.
    pub(super) fn begin_attending(&mut self, leg: LegId, now: Now) {
        self.timers.disarm(&Timer::Start(leg));
        let Some(record) = self.legs.get_mut(&leg) else { return };
        let Stage::Answering = record.stage else { return };
        let did = record.did.and_then(|did| self.table.dids.get(&did));
        let direct = match &record.destination {
            Destination::Room { room } => Some(*room),
            Destination::Attendant {}
            | Destination::Extension { .. }
            | Destination::Group { .. }
            | Destination::Trunk { .. }
            | Destination::Refuse { .. }
            | Destination::Webhook { .. } => None,
        };
        match direct {
            Some(room) => self.enter_room(leg, room, false, now),
            None => {
                let offered: Vec<Language> = did
                    .map(|did| did.languages.iter().filter_map(|tag| Language::parse(tag)).collect())
                    .unwrap_or_default();
                let languages = if offered.is_empty() { vec![record.language.clone()] } else { offered };
                let settings = attendant::AttendantSettings { languages, ..self.settings.attendant.clone() };
                record.stage = Stage::Attendant { attendant: Box::new(Attendant::new(settings, FIRST_ATTENDANT_PLAY)) };
                self.attend(leg, attendant::Input::Started, now);
            }
        }
    }

    /// Ends a call from our side.
    pub(super) fn hang_up(&mut self, leg: LegId, cause: Cause, now: Now) {
        match self.legs.get(&leg).map(|leg| &leg.stage) {
            // The endpoint knows nothing of it yet.
            Some(Stage::Preparing { .. }) => self.end_leg(leg, cause, &[], now),
            Some(_) => self.endpoint.hang_up(leg, cause, now),
            None => {}
        }
    }

    /// The last word was said, or took too long.
    pub(super) fn last_word_said(&mut self, leg: LegId, now: Now) {
        if let Some(Leg { stage: Stage::Leaving { cause }, .. }) = self.legs.get(&leg) {
            self.hang_up(leg, *cause, now);
        }
    }

    /// A leg is over: what it held is given back, and whoever it was with is told.
    pub(super) fn end_leg(&mut self, leg: LegId, cause: Cause, reasons: &[Reason], now: Now) {
        let Some(record) = self.legs.remove(&leg) else { return self.forget_invitation(leg) };
        self.spend_ends(leg, now);
        for timer in [Timer::Start, Timer::Attendant, Timer::Keys, Timer::LastWord, Timer::Silence, Timer::Keying] {
            self.timers.disarm(&timer(leg));
        }
        self.touched.remove(&leg);
        self.forget_knock(leg);
        self.code_lost_phone(leg, now);
        if record.open {
            self.closing.insert(leg);
            self.order(MediaCommand::Close { leg });
        } else if record.bound {
            self.outputs.push_back(Output::FreePorts { leg });
        }
        // What a last word announced is why the call ended, whoever said BYE first.
        let cause = match record.stage {
            Stage::Leaving { cause } => cause,
            Stage::Binding { .. }
            | Stage::Calling { .. }
            | Stage::Joining { .. }
            | Stage::Replacing { .. }
            | Stage::Preparing { .. }
            | Stage::Ringing { .. }
            | Stage::Answering
            | Stage::Attendant { .. }
            | Stage::Seating {}
            | Stage::OnTrial {}
            | Stage::InRoom { .. } => cause,
        };
        self.outputs.push_back(Output::Record(Record::Ended(Box::new(record.record(Some((now.utc, cause)))))));
        self.publish(Happening::CallEnded { call: leg, cause }, now);
        match &record.stage {
            Stage::InRoom { room, participant, .. } => {
                let stays = self.goes_on_without(leg, *room, *participant, now)
                    || self.phone_left(leg, *room, *participant, now);
                if stays {
                    return self.after_leg(leg, cause, now);
                }
                self.pass_words_on(*room, reasons);
                self.leave_room(*room, *participant, cause, now);
            }
            Stage::Joining { room } => self.carry_out(*room, now),
            Stage::Calling { ring, .. } => self.abandon_ring(*ring, cause, now),
            Stage::Preparing { ring, call } | Stage::Ringing { ring, call } => {
                self.outgoing_ended(&record, *ring, call, cause, reasons, now);
            }
            Stage::Seating {} => {
                self.web.handoffs.lost(leg);
                self.carry_out_moves(now);
                self.move_leg_ended(leg, now);
            }
            Stage::Binding { .. }
            | Stage::Replacing { .. }
            | Stage::Answering
            | Stage::Attendant { .. }
            | Stage::OnTrial {}
            | Stage::Leaving { .. } => {}
        }
        self.after_leg(leg, cause, now);
    }

    fn after_leg(&mut self, leg: LegId, cause: Cause, now: Now) {
        self.transfer_without(leg, cause, now);
        self.trial_leg_ended(leg, cause, now);
        self.callback_leg_ended(leg, now);
    }

    /// The words with which one of two hangs up go to the other.
    fn pass_words_on(&mut self, room: RoomId, reasons: &[Reason]) {
        let mut others = self.legs_in(room);
        let (Some(other), None) = (others.next(), others.next()) else { return };
        drop(others);
        for (_, value) in reason_header(reasons) {
            self.endpoint.pass_on_reason(other, value);
        }
    }

    pub(super) fn refuse_invite(&mut self, leg: LegId, cause: Cause, now: Now) {
        self.refuse_with(leg, cause, Headers::new(), now);
    }

    /// Refuses an INVITE; a Reason among the headers is a far end's own words.
    pub(super) fn refuse_with(&mut self, leg: LegId, cause: Cause, mut headers: Headers, now: Now) {
        self.count_refusal(cause);
        if cause.status() == 503 {
            let after = self.settings.retry_after.as_secs().to_string();
            headers.push((Name::RetryAfter, Text::from(after)));
        }
        self.endpoint.refuse(leg, status_of(cause), cause, &headers, now);
    }

    pub(super) fn count_refusal(&mut self, cause: Cause) {
        *self.counters.refused.entry(cause).or_default() += 1;
    }

    pub(super) fn challenge(&mut self, leg: LegId, request: &Request, source: Source, stale: bool, now: Now) {
        let headers = self.challenges(request, &source, stale, now);
        self.endpoint.turn_away(leg, Status::UNAUTHORIZED, Cause::NotAuthorised, &headers);
    }

    fn check_credentials(&mut self, request: &Request, source: Source, now: Now) -> Option<(Party, Verdict)> {
        let value = request.headers.fields_of(&Name::Authorization).next()?;
        if !self.may_show_password(source.remote.ip(), now) {
            return None;
        }
        let username = Verifier::username(value)?;
        let Some((party, password)) = self.table.account(&username) else {
            // Guessing names costs as much as guessing passwords.
            self.password_shown(source.remote.ip(), false, now);
            return None;
        };
        let password = password.clone();
        Some((party, self.verifier.verify(value, "INVITE", &request.uri, &password, source.remote.ip(), now.mono)))
    }

    pub(super) fn check_capacity(&mut self, party: Party, caller: Option<&PhoneNumber>, now: Now) -> Result<(), Cause> {
        if self.legs.len() >= self.settings.max_calls as usize {
            return Err(Cause::Overloaded);
        }
        if let Some(trunk) = party.trunk() {
            self.take_trunk(trunk, now)?;
        }
        if let Some(caller) = caller {
            self.calls_by_caller.take(caller, now.mono).map_err(|_| Cause::Throttled)?;
        }
        Ok(())
    }

    fn language_of(&self, did: Option<DidId>, destination: &Destination) -> Language {
        let did = did.and_then(|did| self.table.dids.get(&did));
        let own = did.and_then(|did| did.languages.first().cloned());
        let of_room = || match destination {
            Destination::Room { room } => self.rooms.get(room).and_then(|room| room.settings().language.clone()),
            Destination::Attendant {}
            | Destination::Extension { .. }
            | Destination::Group { .. }
            | Destination::Trunk { .. }
            | Destination::Refuse { .. }
            | Destination::Webhook { .. } => None,
        };
        own.or_else(of_room).and_then(|tag| Language::parse(&tag)).unwrap_or_else(|| self.settings.language.clone())
    }
}

/// Longest display name that is shown on. Longer: telephones cut it, and strangers fill events. Shorter: names are cut.
const LONGEST_NAME: usize = 64;

/// Whether a caller wants not to be known (RFC 3323 §4.2).
fn is_withheld(request: &Request) -> bool {
    let asked = request.headers.values(Name::Privacy).any(|value| {
        value
            .split(';')
            .any(|token| ["id", "user", "header"].iter().any(|kind| token.trim().eq_ignore_ascii_case(kind)))
    });
    let anonymous = |from: NameAddr| from.uri.user().is_some_and(|user| user.eq_ignore_ascii_case("anonymous"));
    asked || request.headers.from().is_some_and(anonymous)
}

/// What a call takes along to whoever is called: what an application tells another, and by whom it was forwarded.
fn headers_passed_on(request: &Request) -> Headers {
    let names = [Name::UserToUser, Name::Diversion, Name::HistoryInfo];
    let values = |name: &Name| {
        let values: Vec<Text> = request.headers.fields_of(name).take(MOST_PASSED_ON).map(Text::from).collect();
        values.into_iter().map(|value| (name.clone(), value)).collect::<Vec<_>>()
    };
    names.iter().flat_map(values).collect()
}

/// Most fields of one name that are passed on. More: a caller's cargo makes our INVITE leave UDP. Less: a call forwarded
/// five times has lost its first number.
const MOST_PASSED_ON: usize = 4;

/// What the routing table looks at.
pub(super) fn facts_of(table: &Table, request: &Request, source: IpAddr, at: Utc) -> Facts {
    let user = |uri: &crate::wire::sip::Uri| uri.user_decoded().map(|user| user.into_owned()).unwrap_or_default();
    let withheld = is_withheld(request);
    let asserted = request.headers.name_addr(Name::PAssertedIdentity).or_else(|| request.headers.from());
    let from_user = match asserted {
        Some(identity) if !withheld => user(&identity.uri),
        Some(_) | None => String::new(),
    };
    let claims = match request.headers.from() {
        Some(from) if from.uri.host() == request.uri.host() => user(&from.uri),
        Some(_) | None => String::new(),
    };
    let uui = Uui::all(&request.headers).into_iter().next();
    Facts {
        claims,
        headers: headers_asked(table, request),
        uui: uui.map(|uui| plain(&uui)),
        ..Facts::new(source, user(&request.uri), from_user, at)
    }
}

/// User-to-User content as rules read it: the text that its hex stands for, where it is text; as written otherwise.
fn plain(uui: &Uui) -> String {
    let text = uui.bytes().and_then(|bytes| String::from_utf8(bytes).ok());
    text.filter(|text| !text.contains(char::is_control)).unwrap_or_else(|| uui.data.to_string())
}

/// The header fields that rules look at.
fn headers_asked(table: &Table, request: &Request) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for test in table.rules.iter().filter_map(|rule| rule.when.header.as_ref()) {
        if found.iter().any(|(name, _)| name.eq_ignore_ascii_case(&test.name)) {
            continue;
        }
        let name = Name::read(&test.name);
        let values = request.headers.fields_of(&name).take(MOST_VALUES);
        found.extend(values.map(|value| (test.name.clone(), value.to_owned())));
    }
    found
}

/// Most fields of one name that a rule looks at. More: a peer makes every rule look at its whole message. Less: the
/// fifth Diversion is not seen.
const MOST_VALUES: usize = 4;

/// The status that refuses an INVITE for a cause; a cause that ends calls that were up refuses with 480.
fn status_of(cause: Cause) -> Status {
    let status = Status(cause.status());
    if status.is_failure() { status } else { Status::TEMPORARILY_UNAVAILABLE }
}

/// Whether audio with a peer there needs IPv6 sockets.
pub(super) fn is_ipv6(peer: IpAddr) -> bool {
    peer.to_canonical().is_ipv6()
}

/// The address a peer there is told to send audio to.
pub(super) fn media_address(settings: &Settings, peer: IpAddr) -> Option<IpAddr> {
    if is_ipv6(peer) { settings.media_v6.map(IpAddr::V6) } else { settings.media_v4.map(IpAddr::V4) }
}
