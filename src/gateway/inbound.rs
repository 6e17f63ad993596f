//! From an INVITE to an answered call, through its re-negotiations, to its end.

use std::net::IpAddr;
use std::time::Duration;

use crate::base::id::DidId;
use crate::base::{Cause, LegId, Now, PhoneNumber, Utc};
use crate::call::attendant::{self, Attendant};
use crate::call::offer_answer::{Agreed, Negotiation, Preferences, Unacceptable};
use crate::call::speech::Language;
use crate::gateway::event::{Happening, HeldBy};
use crate::gateway::leg::{KeysHeard, Leg, Stage, Voice};
use crate::gateway::settings::Settings;
use crate::gateway::show::shown_user;
use crate::gateway::view::CallDirection;
use crate::gateway::{Gateway, Output, Record, Timer};
use crate::media::command::{LegSetup, MediaCommand, PlayId};
use crate::route::{Accepted, Decision, Destination, Facts, Party, Table};
use crate::sip::auth::{Verdict, Verifier};
use crate::sip::endpoint::{Event, Headers, TransactionId};
use crate::sip::transport::Source;
use crate::sip::uui::Uui;
use crate::wire::sip::{Method, Name, Request, Status, Text};

/// How long the attendant waits for the first packet after the ACK, so that the greeting's beginning is not lost in a
/// path that is still opening. Longer: the caller thinks the line is dead.
const FIRST_AUDIO: Duration = Duration::from_millis(500);

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
            Event::Ended { leg, cause, .. } => self.end_leg(leg, cause, now),
            Event::Referred { leg, refer, .. } => self.on_referred(leg, refer, now),
            Event::Request { transaction, request, .. } => self.on_request(transaction, &request, now),
            // What follows a CANCEL is Ended; the gateway makes no calls and sends no requests of its own.
            Event::Cancelled { .. }
            | Event::Modified { .. }
            | Event::Pracked { .. }
            | Event::Refreshed { .. }
            | Event::EarlyOffered { .. }
            | Event::Progress { .. }
            | Event::Answered { .. }
            | Event::Refused { .. }
            | Event::ReferProgress { .. }
            | Event::Response { .. } => {}
        }
    }

    fn on_invited(&mut self, leg: LegId, request: &Request, source: Source, now: Now) {
        self.counters.invited += 1;
        if self.drain.is_some() {
            return self.refuse_invite(leg, Cause::Draining, now);
        }
        let mut facts = facts_of(&self.table, request, source.remote.ip(), now.utc);
        match self.check_credentials(request, source, now) {
            Some((party, Verdict::Right)) => facts.proved = Some(party),
            Some((_, Verdict::Stale)) => return self.challenge(leg, source, true, now),
            Some((_, Verdict::Wrong)) => {
                // Counted only: how many more are looked at was asked before this one was.
                let _ = self.wrong_passwords.take(&source.remote.ip(), now.mono);
            }
            None => {}
        }
        match self.table.decide(&facts) {
            Decision::Challenge => self.challenge(leg, source, false, now),
            Decision::Refuse(Cause::NotAuthorised) => {
                self.count_refusal(Cause::NotAuthorised);
                self.endpoint.turn_away(leg, Status::FORBIDDEN, Cause::NotAuthorised, &Headers::new());
            }
            Decision::Refuse(cause) => self.refuse_invite(leg, cause, now),
            Decision::Accept(accepted) => self.on_authorised(leg, request, source, facts, *accepted, now),
        }
    }

    fn on_authorised(
        &mut self,
        leg: LegId,
        request: &Request,
        source: Source,
        facts: Facts,
        accepted: Accepted,
        now: Now,
    ) {
        let Accepted { from: party, to: destination, did, caller, caller_user, .. } = accepted;
        if let Err(cause) = self.check_capacity(party, caller.as_ref(), now) {
            return self.refuse_invite(leg, cause, now);
        }
        let from = caller
            .as_ref()
            .map(PhoneNumber::e164)
            .or_else(|| (!caller_user.is_empty()).then(|| shown_user(&caller_user)));
        let language = self.language_of(did, &destination);
        let profile = self.profile_of(party);
        let offer = (!request.body.is_empty()).then(|| request.body.clone());
        let record = Leg {
            id: leg,
            direction: CallDirection::Inbound,
            party,
            profile: profile.clone(),
            peer: source.remote,
            call_id: request.headers.call_id().unwrap_or_default().to_owned(),
            from,
            caller,
            to: shown_user(&facts.to_user),
            did,
            destination: destination.clone(),
            began: now.utc,
            answered: None,
            language,
            negotiation: Negotiation::new(Preferences::of(&profile, &self.settings.audio), &mut self.rng),
            agreed: None,
            open: false,
            bound: false,
            held: false,
            held_by_us: false,
            stage: Stage::Binding { offer },
            last_room: None,
            figures: None,
            voice: Voice::default(),
            keys_heard: KeysHeard::default(),
        };
        let shown = self.shown_number(record.caller.as_ref(), record.from.as_deref(), false);
        let happening =
            Happening::CallBegan { call: leg, direction: record.direction, from: shown, to: record.to.clone() };
        self.outputs.push_back(Output::Record(Record::Began(Box::new(record.record(None)))));
        self.legs.insert(leg, record);
        self.publish(happening, now);
        let refused = match &destination {
            Destination::Refuse { cause } => Some(*cause),
            Destination::Room { room } if !self.rooms.contains_key(room) => Some(Cause::NoRoute),
            Destination::Room { .. } | Destination::Attendant {} => None,
            Destination::Extension { .. } | Destination::Group { .. } => Some(Cause::NotRegistered),
            Destination::Trunk { .. } => Some(Cause::TrunkDown),
            Destination::Webhook { .. } => Some(Cause::NoRoute),
        };
        match refused {
            Some(cause) => self.refuse_invite(leg, cause, now),
            None => self.outputs.push_back(Output::BindPorts { leg, ipv6: is_ipv6(source.remote.ip()) }),
        }
    }

    /// The engine bound ports, or found none.
    pub(super) fn on_ports(&mut self, leg: LegId, rtp_port: Option<u16>, now: Now) {
        let Some(rtp_port) = rtp_port else { return self.refuse_invite(leg, Cause::NoPorts, now) };
        let Some(record) = self.legs.get_mut(&leg) else {
            // The caller gave up in between.
            self.outputs.push_back(Output::FreePorts { leg });
            return;
        };
        let Stage::Binding { offer } = &mut record.stage else { return };
        let offer = offer.take();
        // From here on the leg has ports, and gives them back however it ends.
        record.bound = true;
        record.stage = Stage::Answering;
        let ip = media_address(&self.settings, record.peer.ip());
        let Some(ip) = ip else { return self.refuse_invite(leg, Cause::Internal, now) };
        record.negotiation.set_local(ip, rtp_port);
        let sdp = match offer {
            Some(offer) => match record.negotiation.answer(&offer, record.peer.ip()) {
                Ok((sdp, agreed)) => {
                    self.open_media(leg, agreed, now);
                    sdp
                }
                Err(refusal) => {
                    let headers = refusal.headers(&ip.to_string());
                    let cause = match refusal {
                        Unacceptable::Codec => Cause::NoCommonCodec,
                        Unacceptable::Encrypted | Unacceptable::NotEncrypted => Cause::NotEncrypted,
                        Unacceptable::NotSdp
                        | Unacceptable::NotAnAnswer
                        | Unacceptable::NoAudio
                        | Unacceptable::Protocol
                        | Unacceptable::Address => Cause::BadSdp,
                    };
                    self.count_refusal(cause);
                    self.endpoint.refuse(leg, Status::NOT_ACCEPTABLE_HERE, cause, &headers, now);
                    return;
                }
            },
            None => record.negotiation.offer(),
        };
        self.endpoint.answer(leg, sdp, &Headers::new(), now);
        self.counters.answered += 1;
        if let Some(record) = self.legs.get_mut(&leg) {
            record.answered = Some(now.utc);
            let row = record.record(None);
            self.outputs.push_back(Output::Record(Record::Changed(Box::new(row))));
        }
        self.publish(Happening::CallAnswered { call: leg }, now);
    }

    fn on_acked(&mut self, leg: LegId, sdp: Option<&[u8]>, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        if let Some(sdp) = sdp {
            match record.negotiation.take_answer(sdp, record.peer.ip()) {
                Ok(agreed) => self.apply_media(leg, agreed, now),
                Err(_) => return self.hang_up(leg, Cause::BadSdp, now),
            }
        } else if record.agreed.is_none() {
            // We offered in the 200; an ACK without an answer leaves nothing to talk with (RFC 3264 §4).
            return self.hang_up(leg, Cause::BadSdp, now);
        }
        if let Some(Leg { stage: Stage::Answering, .. }) = self.legs.get(&leg) {
            self.timers.arm(Timer::Start(leg), now.mono + FIRST_AUDIO);
        }
    }

    fn on_offered(&mut self, leg: LegId, sdp: Option<&[u8]>, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        match sdp {
            Some(sdp) => match record.negotiation.answer(sdp, record.peer.ip()) {
                Ok((answer, agreed)) => {
                    self.apply_media(leg, agreed, now);
                    self.endpoint.accept_offer(leg, answer, now);
                }
                Err(refusal) => {
                    let host = self.settings.realm.clone();
                    self.endpoint.refuse_offer(leg, Status::NOT_ACCEPTABLE_HERE, &refusal.headers(&host), now);
                }
            },
            None => {
                let offer = record.negotiation.offer();
                self.endpoint.accept_offer(leg, offer, now);
            }
        }
    }

    /// Begins a leg in the media plane.
    fn open_media(&mut self, leg: LegId, agreed: Agreed, now: Now) {
        let timeout = self.settings.media_timeout;
        let setup = LegSetup {
            format: agreed.format.clone(),
            remote: agreed.remote.clone(),
            security: agreed.security,
            ssrc: self.rng.next_u32(),
            sequence: (self.rng.next_u32() & 0x7fff) as u16,
            timestamp: self.rng.next_u32(),
            cname: self.rng.token(12),
            media_timeout: timeout,
        };
        let Some(record) = self.legs.get_mut(&leg) else { return };
        record.open = true;
        record.agreed = Some((agreed.format, agreed.remote));
        self.order(MediaCommand::Open { leg, setup: Box::new(setup) });
        self.settle_hold(leg, now);
    }

    /// Applies what was agreed: to a leg that is open, or to one whose offer was ours.
    fn apply_media(&mut self, leg: LegId, agreed: Agreed, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        if !record.open {
            return self.open_media(leg, agreed, now);
        }
        let Agreed { format, remote, security, .. } = agreed;
        record.agreed = Some((format.clone(), remote.clone()));
        self.order(MediaCommand::Modify { leg, format, remote, security });
        self.settle_hold(leg, now);
    }

    /// Notes whether the far end holds us, and lets nothing of a held phone into its room.
    fn settle_hold(&mut self, leg: LegId, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        let held = record.agreed.as_ref().is_some_and(|(format, _)| !format.direction.sends());
        if record.held == held {
            return;
        }
        record.held = held;
        let place = record.place();
        self.publish(Happening::CallHeld { call: leg, held, by: HeldBy::Them }, now);
        if let Some((room, participant)) = place {
            if let Some(room) = self.rooms.get_mut(&room) {
                room.hold(participant, held);
            }
            self.apply_mute(leg);
            self.carry_out(room, now);
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
        if self.legs.contains_key(&leg) {
            self.endpoint.hang_up(leg, cause, now);
        }
    }

    /// The last word was said, or took too long.
    pub(super) fn last_word_said(&mut self, leg: LegId, now: Now) {
        if let Some(Leg { stage: Stage::Leaving { cause }, .. }) = self.legs.get(&leg) {
            self.hang_up(leg, *cause, now);
        }
    }

    fn end_leg(&mut self, leg: LegId, cause: Cause, now: Now) {
        let Some(record) = self.legs.remove(&leg) else { return };
        for timer in [Timer::Start(leg), Timer::Attendant(leg), Timer::Keys(leg), Timer::LastWord(leg)] {
            self.timers.disarm(&timer);
        }
        self.touched.remove(&leg);
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
            | Stage::Preparing { .. }
            | Stage::Ringing { .. }
            | Stage::Answering
            | Stage::Attendant { .. }
            | Stage::InRoom { .. } => cause,
        };
        if let Some((room, participant)) = record.place() {
            if let Some(room) = self.rooms.get_mut(&room) {
                room.leave(participant, cause);
            }
            self.carry_out(room, now);
        }
        self.outputs.push_back(Output::Record(Record::Ended(Box::new(record.record(Some((now.utc, cause)))))));
        self.publish(Happening::CallEnded { call: leg, cause }, now);
    }

    fn refuse_invite(&mut self, leg: LegId, cause: Cause, now: Now) {
        self.count_refusal(cause);
        let mut headers = Headers::new();
        if cause.status() == 503 {
            let after = self.settings.retry_after.as_secs().to_string();
            headers.push((Name::RetryAfter, Text::from(after)));
        }
        self.endpoint.refuse(leg, status_of(cause), cause, &headers, now);
    }

    fn count_refusal(&mut self, cause: Cause) {
        *self.counters.refused.entry(cause).or_default() += 1;
    }

    fn challenge(&mut self, leg: LegId, source: Source, stale: bool, now: Now) {
        let values = self.verifier.challenges(source.remote.ip(), stale, &mut self.rng, now.mono);
        let headers = values.into_iter().map(|value| (Name::WwwAuthenticate, Text::from(value))).collect();
        self.endpoint.turn_away(leg, Status::UNAUTHORIZED, Cause::NotAuthorised, &headers);
    }

    fn check_credentials(&mut self, request: &Request, source: Source, now: Now) -> Option<(Party, Verdict)> {
        let value = request.headers.fields_of(&Name::Authorization).next()?;
        if !self.wrong_passwords.allows(&source.remote.ip(), now.mono) {
            return None;
        }
        let username = Verifier::username(value)?;
        let (party, password) = self.table.account(&username)?;
        let password = password.clone();
        Some((party, self.verifier.verify(value, "INVITE", &request.uri, &password, source.remote.ip(), now.mono)))
    }

    fn check_capacity(&mut self, party: Party, caller: Option<&PhoneNumber>, now: Now) -> Result<(), Cause> {
        if self.legs.len() >= self.settings.max_calls as usize {
            return Err(Cause::Overloaded);
        }
        let trunk = party.trunk().and_then(|trunk| self.table.trunks.get(&trunk));
        if let Some(most) = trunk.and_then(|trunk| trunk.max_calls) {
            let calls = self.legs.values().filter(|leg| leg.party == party).count();
            if calls >= most as usize {
                return Err(Cause::Overloaded);
            }
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

    fn on_request(&mut self, transaction: TransactionId, request: &Request, now: Now) {
        let (status, headers) = match (&request.method, self.drain.is_some()) {
            (Method::Options, true) => {
                let after = self.settings.retry_after.as_secs().to_string();
                (Status::SERVICE_UNAVAILABLE, vec![(Name::RetryAfter, Text::from(after))])
            }
            (Method::Options, false) => (
                Status::OK,
                vec![(Name::Accept, Text::from_static("application/sdp, application/dtmf-relay, application/dtmf"))],
            ),
            _ => (Status::NOT_IMPLEMENTED, Headers::new()),
        };
        self.endpoint.respond(transaction, status, &headers, None, now);
    }
}

/// What the routing table looks at.
pub(super) fn facts_of(table: &Table, request: &Request, source: IpAddr, at: Utc) -> Facts {
    let user = |uri: &crate::wire::sip::Uri| uri.user_decoded().map(|user| user.into_owned()).unwrap_or_default();
    let withheld = request.headers.values(Name::Privacy).any(|value| {
        value
            .split(';')
            .any(|token| ["id", "user", "header"].iter().any(|kind| token.trim().eq_ignore_ascii_case(kind)))
    });
    let asserted = request.headers.name_addr(Name::PAssertedIdentity).or_else(|| request.headers.from());
    let from_user = match asserted {
        Some(identity) if !withheld => user(&identity.uri),
        Some(_) | None => String::new(),
    };
    let from_user = if from_user.eq_ignore_ascii_case("anonymous") { String::new() } else { from_user };
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
