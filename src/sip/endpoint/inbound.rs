//! A call that comes in: the server side of an INVITE until its ACK (RFC 3261 §13.3).

use bytes::Bytes;

use super::facts::Facts;
use super::leg::{Change, Exchange, Leg, LegTimer, State};
use super::manner::Manner;
use super::receive::sdp_of_request;
use super::session::Asked;
use super::{Endpoint, Event, Headers, TimerKey, TransactionId};
use crate::base::{Cause, LegId, Now, Support};
use crate::sip::dialog::Dialog;
use crate::sip::reason::{self, Reason};
use crate::sip::refusal_for;
use crate::sip::reply::{Answer, Reply};
use crate::sip::transport::{Source, Target};
use crate::wire::sip::{Method, Name, Request, Status, Text};

impl Endpoint {
    /// Says how the far end of an inbound leg is spoken to: to be called right after [`Event::Invited`], before the call
    /// rings or is answered. False: the far end does not speak so, and the call is refused with 420, 421 or 422;
    /// [`Event::Ended`] follows.
    pub fn set_manner(&mut self, id: LegId, manner: Manner, now: Now) -> bool {
        let Some(leg) = self.legs.get_mut(&id).filter(|leg| !leg.over) else { return false };
        leg.manner = manner;
        let State::Incoming { server, asked, .. } = leg.state else { return true };
        let required = |tag: &str| vec![(Name::Require, Text::from(tag))];
        let unsupported = |tag: &str| vec![(Name::Unsupported, Text::from(tag))];
        let refusal = match (manner.prack, leg.peer.prack) {
            (Support::Off, Support::Require) => Some((Status::BAD_EXTENSION, unsupported("100rel"))),
            (Support::Require, Support::Off) => Some((Status::EXTENSION_REQUIRED, required("100rel"))),
            _ if manner.timer.is_none() && asked.demands() => Some((Status::BAD_EXTENSION, unsupported("timer"))),
            _ => leg.too_small(asked).map(|headers| (Status::SESSION_INTERVAL_TOO_SMALL, headers)),
        };
        let Some((status, headers)) = refusal else { return true };
        let tag = leg.dialog.local_tag.clone();
        self.answer_with(server, status, &tag, false, &headers, None, now);
        self.tell_end(id, Cause::Rejected, Vec::new());
        self.forget(id);
        false
    }

    /// Tells the caller how far the call is: 180, 183 and their kin (§13.3.1.1); reliably where both sides want it, and
    /// then one after the other as they are acknowledged (RFC 3262 §3).
    pub fn ring(&mut self, id: LegId, status: Status, sdp: Option<Bytes>, headers: &Headers, now: Now) {
        let Some(leg) = self.legs.get(&id) else { return };
        let (State::Incoming { server, .. }, 101..=199) = (&leg.state, status.code()) else { return };
        let (server, tag, contact) = (*server, leg.dialog.local_tag.clone(), leg.contact.clone());
        if leg.rings_reliably(sdp.is_some()) {
            self.ring_reliably(id, status, sdp, headers, now);
        } else {
            let body = sdp.as_deref().map(|sdp| ("application/sdp", sdp));
            let answer = Answer { contact: &contact, dialog: true, headers, body, ..Answer::plain(status, &tag) };
            self.give(server, answer, now);
        }
        self.timers.arm(TimerKey::Leg(id, LegTimer::Refresh), now.mono + super::close::REFRESH);
    }

    /// Answers the call with a 200, repeated until its ACK (§13.3.1.4). `sdp` is the answer to the INVITE's offer, or
    /// our offer where it had none. It waits for the PRACK of a provisional answer with SDP; where offer and answer are
    /// through already the 200 has none.
    pub fn answer(&mut self, id: LegId, sdp: Bytes, headers: &Headers, now: Now) {
        let interval = self.settings.timing.t1;
        let mut sent = headers.clone();
        sent.push((Name::Allow, self.allow()));
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let State::Incoming { server, seq, exchange, asked } = leg.state else { return };
        if leg.reliable.holds_answer() {
            return leg.reliable.hold(sdp, headers.clone());
        }
        leg.reliable.finish();
        let (body, late) = match exchange {
            Exchange::Offered => (Some(sdp), false),
            Exchange::Owed | Exchange::Turned => (Some(sdp), true),
            Exchange::Settled => (None, false),
        };
        if body.is_some() {
            leg.local_sdp.clone_from(&body);
        }
        sent.extend(leg.settle_timer(asked));
        let manner = leg.manner;
        leg.state = State::Answered { server, seq, interval, late, then: None };
        let (tag, contact) = (leg.dialog.local_tag.clone(), leg.contact.clone());
        sent.extend(self.supported(&manner));
        let body = body.as_deref().map(|sdp| ("application/sdp", sdp));
        let plain = Answer::plain(Status::OK, &tag);
        self.give(server, Answer { contact: &contact, dialog: true, headers: &sent, body, ..plain }, now);
        self.counters.answered += 1;
        self.disarm(id, &[LegTimer::Refresh, LegTimer::Ring, LegTimer::Provisional, LegTimer::NoPrack]);
        self.await_ack(id, now);
        self.arm_session(id, now);
    }

    /// Refuses the call with a 3xx to 6xx; the cause goes into its Reason header and into [`Event::Ended`].
    pub fn refuse(&mut self, id: LegId, status: Status, cause: Cause, headers: &Headers, now: Now) {
        let Some((server, status, headers)) = self.refusal(id, status, cause, headers) else { return };
        let Some(tag) = self.legs.get(&id).map(|leg| leg.dialog.local_tag.clone()) else { return };
        self.refuse_pending(id, now);
        self.answer_with(server, status, &tag, false, &headers, None, now);
        self.tell_end(id, cause, Vec::new());
        self.forget(id);
    }

    /// Refuses a stranger's call as [`Endpoint::refuse`] does, but once, and keeps nothing of it: a copy of the INVITE
    /// is a new call that gets the same answer, and a flood of them fills nothing (§8.2.7, §26.3.2.4).
    pub fn turn_away(&mut self, id: LegId, status: Status, cause: Cause, headers: &Headers) {
        let Some((server, status, headers)) = self.refusal(id, status, cause, headers) else { return };
        self.answer_once(server, Answer { headers: &headers, ..Answer::plain(status, "") });
        self.tell_end(id, cause, Vec::new());
        self.forget(id);
    }

    /// What refuses a call that was not answered yet: its transaction, the status, the headers with Reason and Retry-After.
    fn refusal(
        &self,
        id: LegId,
        status: Status,
        cause: Cause,
        headers: &Headers,
    ) -> Option<(TransactionId, Status, Headers)> {
        let State::Incoming { server, .. } = self.legs.get(&id)?.state else { return None };
        let status = if status.is_failure() { status } else { refusal_for(cause) };
        let mut headers = headers.clone();
        // Where the user passes on a far end's own words, they are better than ours.
        if !headers.iter().any(|(name, _)| *name == Name::Reason) {
            headers.push((Name::Reason, Text::from(reason::write(cause))));
        }
        if status == Status::SERVICE_UNAVAILABLE && !headers.iter().any(|(name, _)| *name == Name::RetryAfter) {
            headers.push((Name::RetryAfter, Text::from(self.settings.limits.retry_after.to_string())));
        }
        Some((server, status, headers))
    }

    /// A new call: 100 at once, and the user decides (§13.3.1).
    pub(super) fn receive_invite(&mut self, request: Request, facts: Facts, key: String, source: Source, now: Now) {
        let Some(reply) = Reply::to(&request.headers, &source) else { return };
        let remote_target = request.headers.contact().map_or_else(|| facts.from.uri.clone(), |contact| contact.uri);
        let id = LegId::draw(&mut self.rng);
        let tag = self.tag();
        let secure = request.uri.is_sips();
        let target = Target::back_to(&source);
        let dialog = Dialog {
            call_id: facts.call_id.clone(),
            local_tag: tag.clone(),
            remote_tag: Text::from(facts.remote_tag()),
            local: facts.to.clone().with_tag(&tag),
            remote: facts.from.clone(),
            local_seq: 0,
            remote_seq: Some(facts.seq),
            remote_target,
            route_set: request.headers.record_routes().unwrap_or_default(),
            secure: secure && source.transport == crate::sip::Transport::Tls,
            outbound: false,
            hop: target,
        };
        let server = self.begin_server(&Method::Invite, &facts, key, reply, Some(id), now);
        let offer = sdp_of_request(&request);
        let contact = self.contact(&target, secure, None);
        let exchange = if offer.is_some() { Exchange::Offered } else { Exchange::Owed };
        let state = State::Incoming { server, seq: facts.seq, exchange, asked: Asked::of(&request.headers) };
        let mut leg = Leg { remote_sdp: offer, ..Leg::new(dialog, state, contact) };
        leg.peer.learn(&request.headers);
        self.legs.insert(id, leg);
        self.by_tag.insert(tag, id);
        self.live += 1;
        self.counters.invites_in += 1;
        // §8.2.6.1: a 100 has no tag of ours.
        self.give(server, Answer::plain(Status::TRYING, ""), now);
        self.timers.arm(TimerKey::Leg(id, LegTimer::Ring), now.mono + self.settings.limits.ring);
        self.event(Event::Invited { leg: id, request: Box::new(request), source });
    }

    /// A CANCEL (§9.2): it ends an INVITE that has no final answer yet, and changes nothing else.
    pub(super) fn receive_cancel(&mut self, request: &Request, facts: &Facts, key: String, source: Source, now: Now) {
        let invite = self.by_key.get(&facts.key(&Method::Invite)).copied();
        let Some(invite) = invite else {
            let refusal = super::check::Refusal::new(Status::CALL_DOES_NOT_EXIST);
            return self.refuse_stateless(request, &source, refusal);
        };
        let Some(reply) = Reply::to(&request.headers, &source) else { return };
        let id = self.servers.get(&invite).and_then(|server| server.leg);
        let local_tag = id.and_then(|id| self.legs.get(&id)).map(|leg| leg.dialog.local_tag.clone());
        let tag = local_tag.unwrap_or_else(|| self.tag());
        let cancel = self.begin_server(&Method::Cancel, facts, key, reply, None, now);
        self.give(cancel, Answer::plain(Status::OK, &tag), now);
        if !self.is_proceeding(invite) {
            return;
        }
        self.give(invite, Answer::plain(Status::REQUEST_TERMINATED, &tag), now);
        let Some((id, leg)) = id.and_then(|id| self.legs.get_mut(&id).map(|leg| (id, leg))) else { return };
        match (&leg.state, &leg.change) {
            (State::Incoming { .. }, _) => {
                self.refuse_pending(id, now);
                self.event(Event::Cancelled { leg: id });
                self.tell_end(id, Cause::Cancelled, reasons_of(request));
                self.forget(id);
            }
            (_, Change::Theirs { server, .. }) if *server == invite => leg.change = Change::None,
            _ => {}
        }
    }

    /// An ACK to a 2xx of ours (§13.3.1.4, §14.2).
    pub(super) fn receive_ack(&mut self, request: &Request, facts: &Facts, source: &Source, now: Now) {
        let Some(id) = facts.to_tag().and_then(|tag| self.leg_of(facts, tag)) else {
            self.counters.stray_acks += 1;
            return;
        };
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let sdp = sdp_of_request(request);
        match (&leg.state, &leg.change) {
            (State::Answered { seq, late, then, .. }, _) if *seq == facts.seq => {
                let (late, then) = (*late, *then);
                leg.dialog.hop = Target::back_to(source);
                leg.state = State::Confirmed;
                let sdp = sdp.filter(|_| late);
                if sdp.is_some() {
                    leg.remote_sdp.clone_from(&sdp);
                }
                self.disarm(id, &[LegTimer::Again, LegTimer::NoAck]);
                match then {
                    Some(cause) => self.send_bye(id, cause, now),
                    None => {
                        self.event(Event::Acked { leg: id, sdp });
                        self.send_waiting_refers(id, now);
                        self.offer_waiting(id, now);
                    }
                }
            }
            (State::Confirmed, Change::Unacked { seq, late, .. }) if *seq == facts.seq => {
                let late = *late;
                leg.change = Change::None;
                if late && sdp.is_some() {
                    leg.remote_sdp.clone_from(&sdp);
                }
                self.disarm(id, &[LegTimer::Again, LegTimer::NoAck]);
                if late {
                    self.event(Event::Acked { leg: id, sdp });
                }
                self.offer_waiting(id, now);
            }
            // A copy.
            _ => {}
        }
    }

    /// Sets the timers under which a 2xx is repeated and its ACK missed.
    pub(super) fn await_ack(&mut self, id: LegId, now: Now) {
        let timing = self.settings.timing;
        self.timers.arm(TimerKey::Leg(id, LegTimer::Again), now.mono + timing.t1);
        self.timers.arm(TimerKey::Leg(id, LegTimer::NoAck), now.mono + timing.give_up());
    }
}

/// The reasons a request gives.
pub(super) fn reasons_of(request: &Request) -> Vec<Reason> {
    request.headers.fields_of(&Name::Reason).flat_map(Reason::read).collect()
}
