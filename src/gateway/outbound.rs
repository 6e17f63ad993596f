//! Calls that we make: to telephones of the house and to carriers, with credentials where they ask for them.

use std::sync::Arc;
use std::time::Duration;

use crate::base::id::{DeviceId, ExtensionId};
use crate::base::{Cause, LegId, Now};
use crate::call::offer_answer::{Negotiation, Preferences};
use crate::gateway::event::Happening;
use crate::gateway::identity::Manners;
use crate::gateway::leg::{Leg, Outgoing, Refused, Stage};
use crate::gateway::ringing::{Failure, RingId, Waits};
use crate::gateway::trunks::{self, Hop};
use crate::gateway::view::CallDirection;
use crate::gateway::{Gateway, Output, Record, Timer};
use crate::profile::{AutoAnswer, Profile};
use crate::route::{Dialled, Extension, Party};
use crate::sip::auth::Prover;
use crate::sip::endpoint::{Attempt, Headers, Manner, OutboundInvite};
use crate::sip::reason::Reason;
use crate::sip::registrar::Contact;
use crate::sip::transport::{Source, Target};
use crate::wire::codec::Codec;
use crate::wire::sip::{Host, Method, Name, NameAddr, Response, Status, Text, Uri};

/// How long a place may stay silent before the next one is tried. Longer: the caller hears nothing. Shorter: a carrier
/// behind a slow link is passed over although it would ring.
const SILENCE: Duration = Duration::from_millis(3500);
/// The same for the last place there is.
const LAST_SILENCE: Duration = Duration::from_secs(7);
/// The endpoint's own bound of an INVITE that rings (timer C): beyond every ring time of ours, which end it first.
const RING_BOUND: Duration = Duration::from_secs(600);

/// Contacts of one redirection that are tried. More: a far end has us ring half the world. Fewer: a list is cut short.
const MOST_CONTACTS: usize = 5;

/// Whom one INVITE is for.
struct Branch {
    party: Party,
    profile: Arc<Profile>,
    uri: Uri,
    to: NameAddr,
    /// As on records.
    called: String,
    target: Target,
    /// The trunk's place it is, where it is one.
    hop: Option<Hop>,
    routes: Vec<NameAddr>,
    prover: Option<Prover>,
    auto_answer: bool,
}

impl Gateway {
    /// Rings every telephone of these people; who has none, or wants no calls, is noted as the reason.
    pub(super) fn ring_extensions(&mut self, ring: RingId, who: &[ExtensionId], now: Now) {
        for id in who {
            let (extension, contacts) = match self.table.extensions.get(id).filter(|extension| extension.enabled) {
                None => (None, Err(Cause::NoRoute)),
                Some(extension) if extension.dnd => (Some(extension.clone()), Err(Cause::DoNotDisturb)),
                Some(extension) => {
                    let contacts = self.telephones(*id);
                    let reachable = if contacts.is_empty() { Err(Cause::NotRegistered) } else { Ok(contacts) };
                    (Some(extension.clone()), reachable)
                }
            };
            let (extension, contacts) = match (extension, contacts) {
                (Some(extension), Ok(contacts)) => (extension, contacts),
                (_, Err(cause)) => {
                    self.note_failure(ring, cause);
                    continue;
                }
                (None, Ok(_)) => continue,
            };
            for contact in contacts {
                let by_itself = extension.auto_answer;
                self.ring_contact(ring, &extension, &contact, by_itself, now);
            }
        }
    }

    /// Rings one telephone of somebody, because they want to go on by it: what others are refused is nothing to them.
    pub(super) fn ring_telephone(&mut self, ring: RingId, who: ExtensionId, device: DeviceId, now: Now) {
        let extension = self.table.extensions.get(&who).filter(|extension| extension.enabled).cloned();
        let Some(extension) = extension else { return self.note_failure(ring, Cause::NoRoute) };
        let Some(contact) = self.phone_contact(who, device) else {
            return self.note_failure(ring, Cause::NotRegistered);
        };
        let by_itself = extension.auto_answer || self.answers_by_itself(device);
        self.ring_contact(ring, &extension, &contact, by_itself, now);
    }

    fn ring_contact(&mut self, ring: RingId, extension: &Extension, contact: &Contact, auto_answer: bool, now: Now) {
        let party = Party::Extension(extension.id);
        let profile = self.profile_of(party, &contact.user_agent);
        let host = self.own_host(&contact.target);
        let to = NameAddr::new(Uri::sip(Some(&extension.user), host, None)).with_display(&extension.name);
        let branch = Branch {
            party,
            profile,
            uri: contact.uri.clone(),
            to,
            called: extension.user.clone(),
            target: contact.target,
            hop: None,
            routes: contact.routes.clone(),
            prover: None,
            auto_answer,
        };
        self.begin_branch(ring, branch, now);
    }

    /// Rings by one place of a trunk.
    pub(super) fn ring_hop(&mut self, ring: RingId, hop: Hop, as_it_is: bool, now: Now) {
        let trunk_id = hop.trunk;
        let Some(plan) = self.rings.get(&ring).map(|ring| ring.plan.clone()) else { return };
        let profile = self.profile_of(Party::Trunk(trunk_id), "");
        let Some(trunk) = self.table.trunks.get(&trunk_id) else { return self.note_failure(ring, Cause::NoRoute) };
        let credentials = trunk.outbound.as_ref().and_then(|outbound| outbound.credentials.clone());
        let host = hop.uri.host().cloned().unwrap_or_else(|| self.own_host(&hop.target));
        let manners = Manners { profile: &profile, plan: &trunk.numbers, host: &host, account: None, inside: false };
        let (number, called) = match &plan.dialled {
            Some(Dialled::Number(number)) => (Some(number), number.e164()),
            Some(Dialled::Short(user) | Dialled::Emergency(user)) => (None, user.clone()),
            None => return self.note_failure(ring, Cause::NoRoute),
        };
        let (uri, called) = if as_it_is {
            // Where a redirection points is written by whoever redirects.
            let user = hop.uri.user_decoded().map_or(called, |user| user.into_owned());
            (hop.uri.without_headers(), user)
        } else {
            (manners.called(number, &called, &hop.uri), called)
        };
        let branch = Branch {
            party: Party::Trunk(trunk_id),
            to: NameAddr::new(uri.clone()),
            profile,
            uri,
            called,
            target: hop.target,
            hop: Some(hop),
            routes: Vec::new(),
            prover: credentials.map(|of| Prover::new(of.username, of.password)),
            auto_answer: false,
        };
        self.begin_branch(ring, branch, now);
    }

    fn begin_branch(&mut self, ring_id: RingId, branch: Branch, now: Now) {
        let Some(ring) = self.rings.get(&ring_id) else { return };
        let plan = ring.plan.clone();
        let help = plan.dialled.as_ref().is_some_and(Dialled::is_emergency);
        if self.legs.len() >= self.settings.max_calls as usize && !help {
            return self.note_failure(ring_id, Cause::Overloaded);
        }
        let wanted = match ring.waits {
            Waits::Caller(caller) => self.codec_of_caller(caller),
            Waits::Room | Waits::Next(_) | Waits::Trial | Waits::Seat(_) => None,
        };
        let Branch { party, profile, uri, to, called, target, hop, routes, mut prover, auto_answer } = branch;
        let inside = party.extension().is_some();
        let trunk = party.trunk().and_then(|id| self.table.trunks.get(&id));
        let outbound = trunk.and_then(|trunk| trunk.outbound.as_ref());
        let account = outbound.and_then(|outbound| outbound.credentials.as_ref()).map(|of| of.username.clone());
        let host =
            if inside { self.own_host(&target) } else { uri.host().cloned().unwrap_or_else(|| self.own_host(&target)) };
        let numbers = trunk.map(|trunk| trunk.numbers.clone()).unwrap_or_default();
        let manners = Manners { profile: &profile, plan: &numbers, host: &host, account: account.as_deref(), inside };
        let mut caller = plan.caller.clone();
        if !inside && caller.number.is_none() {
            caller.number = outbound.and_then(|outbound| outbound.caller_id.clone());
        }
        let (from, mut headers) = manners.from(&caller);
        headers.extend(plan.headers.iter().cloned());
        let mut uri = uri;
        let by_itself = plan.auto_answer && auto_answer && profile.auto_answer != AutoAnswer::None;
        if by_itself {
            uri = ask_to_answer(&profile, uri, &host, &mut headers);
        }
        if let Some(prover) = &mut prover {
            headers.extend(prover.headers(&Method::Invite, &uri, &mut self.rng));
        }
        let invite = OutboundInvite {
            uri,
            from,
            to,
            target,
            routes,
            headers,
            sdp: None,
            contact_user: None,
            manner: Manner::of(&profile),
            ring: RING_BOUND,
            max_forwards: plan.max_forwards,
            again: None,
        };
        let promised = self.rings.get_mut(&ring_id).and_then(|ring| ring.promised.take());
        let leg = promised.unwrap_or_else(|| LegId::draw(&mut self.rng));
        let mut negotiation = Negotiation::new(Preferences::of(&profile, &self.settings.audio), &mut self.rng);
        if let Some(codec) = wanted {
            negotiation.prefer(codec);
        }
        let call = Box::new(Outgoing { invite, hop, prover, rings: false, refused: None });
        let mut record = Leg::new(leg, CallDirection::Outbound, party, profile, target.remote, negotiation, now);
        record.relay = target.relay();
        record.help = help;
        record.shut = by_itself;
        record.caller = caller.number.clone().filter(|_| !caller.withheld);
        record.from = caller.shown();
        record.to = called;
        record.language = plan.language.clone();
        record.stage = Stage::Preparing { ring: ring_id, call };
        self.begin_record(record, now);
        if !inside {
            self.spend(leg, plan.party.into(), plan.dialled.as_ref());
        }
        if let Some(ring) = self.rings.get_mut(&ring_id) {
            ring.branches.insert(leg);
        }
        self.bind_ports(leg);
    }

    /// Ports are bound for a call that we make: the INVITE goes out.
    pub(super) fn send_prepared(&mut self, leg: LegId, rtp_port: u16, now: Now) {
        let ip = self.audio_address(leg);
        let Some(record) = self.legs.get_mut(&leg) else { return };
        record.bound = true;
        let Some(ip) = ip else {
            return self.end_leg(leg, Cause::Internal, &[], now);
        };
        record.negotiation.set_local(ip, rtp_port);
        let sdp = record.negotiation.offer();
        match std::mem::replace(&mut record.stage, Stage::Answering) {
            Stage::Preparing { ring, mut call } => {
                call.invite.sdp = Some(sdp);
                record.stage = Stage::Ringing { ring, call };
                self.send_invite(leg, now);
            }
            other => record.stage = other,
        }
    }

    fn send_invite(&mut self, leg: LegId, now: Now) {
        let Some(Leg { stage: Stage::Ringing { ring, call }, .. }) = self.legs.get(&leg) else { return };
        let (ring, invite, prover) = (*ring, call.invite.clone(), call.prover.clone());
        self.endpoint.invite_as(leg, invite, now);
        if let Some(mut prover) = prover {
            prover.passed();
            self.endpoint.set_credentials(leg, prover);
        }
        let call_id = self.endpoint.dialog(leg).map(|dialog| dialog.call_id.to_string());
        if let Some(call_id) = &call_id {
            self.trial_calls(ring, call_id);
        }
        if let Some(record) = self.legs.get_mut(&leg) {
            record.call_id = call_id.unwrap_or_default();
            let row = record.record(None);
            self.outputs.push_back(Output::Record(Record::Changed(Box::new(row))));
        }
        let others = self.rings.get(&ring).is_some_and(|ring| !ring.steps.is_empty());
        let patience = if others { SILENCE } else { LAST_SILENCE };
        self.timers.arm(Timer::Silence(leg), now.mono + patience);
    }

    /// Nothing came back for a while.
    pub(super) fn silence_lasted(&mut self, leg: LegId, now: Now) {
        if matches!(self.legs.get(&leg), Some(Leg { stage: Stage::Ringing { .. }, .. })) && !self.endpoint.is_heard(leg)
        {
            self.hang_up(leg, Cause::TransportFailed, now);
        }
    }

    /// A 18x to our INVITE.
    pub(super) fn on_progress(&mut self, leg: LegId, status: Status, sdp: Option<&[u8]>, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        let Stage::Ringing { ring, call } = &mut record.stage else { return };
        let ring = *ring;
        let first = !std::mem::replace(&mut call.rings, true);
        // What one far end says of its media is heard until another one speaks.
        let early = sdp.filter(|_| record.profile.early_media == crate::profile::EarlyMedia::Pass);
        let agreed = early.and_then(|sdp| record.negotiation.take_early_answer(sdp, record.peer.ip()).ok());
        let hears = agreed.is_some();
        let only = self.rings.get(&ring).is_some_and(|ring| ring.branches.len() == 1);
        if let Some(agreed) = agreed.filter(|_| only) {
            self.apply_media(leg, agreed, now);
        }
        if first {
            self.publish(Happening::CallRinging { call: leg, early_media: hears }, now);
        }
        self.branch_rings(ring, leg, status, hears && only, now);
    }

    /// A 2xx to our INVITE.
    pub(super) fn on_answered(&mut self, leg: LegId, sdp: Option<&[u8]>, source: Source, now: Now) {
        self.timers.disarm(&Timer::Silence(leg));
        let Some(record) = self.legs.get_mut(&leg) else { return };
        let Stage::Ringing { ring, call } = &record.stage else { return };
        let (ring, hop) = (*ring, call.hop.clone());
        record.peer = source.remote;
        record.answered = Some(now.utc);
        let agreed = sdp.map(|sdp| record.negotiation.take_answer(sdp, source.remote.ip()));
        let Some(Ok(agreed)) = agreed else { return self.hang_up(leg, Cause::BadSdp, now) };
        self.counters.answered += 1;
        let row = record.record(None);
        self.outputs.push_back(Output::Record(Record::Changed(Box::new(row))));
        self.spend_begins(leg, now);
        self.apply_media(leg, agreed, now);
        self.publish(Happening::CallAnswered { call: leg }, now);
        if let Some(hop) = hop {
            self.hop_answered(&hop);
        }
        self.branch_answered(ring, leg, now);
    }

    /// A final refusal of our INVITE; its end is told next.
    pub(super) fn on_refused(
        &mut self,
        leg: LegId,
        status: Status,
        retry_after: Option<Duration>,
        response: &Response,
        now: Now,
    ) {
        let Some(Leg { stage: Stage::Ringing { call, .. }, .. }) = self.legs.get_mut(&leg) else { return };
        let answerable = call.prover.as_mut().is_some_and(|prover| prover.take(response));
        let again = if answerable { Attempt::of(response) } else { None };
        let challenged = again.is_some();
        let elsewhere = if (300..400).contains(&status.code()) { contacts_of(response) } else { Vec::new() };
        call.refused = Some(Refused { status, again, elsewhere });
        if let Some(hop) = call.hop.clone().filter(|_| !challenged) {
            self.hop_failed(&hop, trunks::Failure::Refused(status, retry_after), now);
        }
    }

    /// Sends the same again with credentials, where it was refused for want of them. True where it did.
    pub(super) fn tried_again(&mut self, leg: LegId, now: Now) -> bool {
        let Some(Leg { stage: Stage::Ringing { call, .. }, .. }) = self.legs.get_mut(&leg) else { return false };
        let Some(again) = call.refused.as_mut().and_then(|refused| refused.again.take()) else { return false };
        let Some(prover) = &mut call.prover else { return false };
        let is_credential = |name: &Name| *name == Name::Authorization || *name == Name::ProxyAuthorization;
        call.invite.headers.retain(|(name, _)| !is_credential(name));
        call.invite.headers.extend(prover.headers(&Method::Invite, &call.invite.uri, &mut self.rng));
        call.invite.again = Some(again);
        call.refused = None;
        self.send_invite(leg, now);
        true
    }

    /// Tells its attempt that a call of ours is over unanswered, and whether that lets another way be tried.
    pub(super) fn outgoing_ended(
        &mut self,
        record: &Leg,
        ring: RingId,
        call: &Outgoing,
        cause: Cause,
        reasons: &[Reason],
        now: Now,
    ) {
        if self.go_elsewhere(record, ring, call, now) {
            return;
        }
        let rang = self.rings.get(&ring).is_some_and(|ring| ring.rang);
        let status = call.refused.as_ref().map(|refused| refused.status);
        if let (Some(ring), Some(status)) = (self.rings.get_mut(&ring), status) {
            ring.status = Some(status);
        }
        let (cause, go_on) = match record.party {
            // Whose telephone is not there, is not there: it is no carrier's fault.
            Party::Extension(_) if cause == Cause::TransportFailed => (Cause::NotRegistered, true),
            Party::Extension(_) => (cause, true),
            Party::Trunk(_) => {
                match &call.hop {
                    Some(hop) if cause == Cause::TransportFailed => self.hop_failed(hop, trunks::Failure::Silent, now),
                    Some(hop) if status.is_some_and(|status| status != Status::SERVICE_UNAVAILABLE) => {
                        self.hop_answered(hop)
                    }
                    Some(_) | None => {}
                }
                let named = status.is_none_or(|status| record.profile.transport.failover.contains(&status.code()));
                (cause, named && !rang)
            }
        };
        self.branch_ended(ring, record.id, Failure { cause, reasons: reasons.to_vec() }, go_on, now);
    }

    /// What the caller would speak with us, so that it is offered first to whoever is called.
    fn codec_of_caller(&self, caller: LegId) -> Option<Codec> {
        let record = self.legs.get(&caller)?;
        if let Some((format, _)) = &record.agreed {
            return Some(format.codec);
        }
        let Stage::Calling { offer: Some(offer), .. } = &record.stage else { return None };
        record.negotiation.clone().answer(offer, record.peer.ip()).ok().map(|(_, agreed)| agreed.format.codec)
    }

    /// Under which host peers reached by `target` know us.
    pub(super) fn own_host(&self, target: &Target) -> Host {
        self.endpoint.own_host(target).unwrap_or(Host::V4(std::net::Ipv4Addr::UNSPECIFIED))
    }
}

/// Where a redirection points, the most wanted first (RFC 3261 §8.1.3.4).
fn contacts_of(response: &Response) -> Vec<Uri> {
    let mut contacts = response.headers.contacts().unwrap_or_default();
    let thousandths = |contact: &NameAddr| {
        let q: f32 = contact.params.get("q").and_then(|q| q.parse().ok()).unwrap_or(1.0);
        (q.clamp(0.0, 1.0) * -1000.0) as i32
    };
    contacts.sort_by_key(thousandths);
    contacts.into_iter().take(MOST_CONTACTS).map(|contact| contact.uri).collect()
}

/// Makes a telephone answer by itself, as its family understands it.
fn ask_to_answer(profile: &Profile, uri: Uri, host: &Host, headers: &mut Headers) -> Uri {
    let call_info = (Name::CallInfo, Text::from(format!("<sip:{host}>;answer-after=0")));
    let alert_info = (Name::AlertInfo, Text::from(format!("<http://{host}>;info=alert-autoanswer;delay=0")));
    match profile.auto_answer {
        AutoAnswer::None => uri,
        AutoAnswer::CallInfo => {
            headers.push(call_info);
            uri
        }
        AutoAnswer::AlertInfo => {
            headers.push(alert_info);
            uri
        }
        AutoAnswer::RingAnswer => {
            headers.push((Name::AlertInfo, Text::from_static("Ring Answer")));
            uri
        }
        AutoAnswer::AnswerMode => {
            headers.push((Name::Other(Text::from_static("Answer-Mode")), Text::from_static("Auto")));
            uri
        }
        AutoAnswer::All => {
            headers.push(call_info);
            headers.push(alert_info);
            uri.with_param("intercom", "true")
        }
    }
}
