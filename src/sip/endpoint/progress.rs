//! What comes back for our requests: how far a call of ours is, its answer, its refusal (RFC 3261 §13.2.2).

use std::time::Duration;

use bytes::Bytes;

use super::clients::{Calling, Cancel, User};
use super::early::{EarlyChange, MOST_FORKS, tag_of};
use super::leg::{Change, Exchange, Proposal, State};
use super::receive::sdp_of_response;
use super::session::Asked;
use super::{Endpoint, Event, Headers, SendRef, TimerKey, TransactionId, Unanswered};
use crate::base::{Cause, Now};
use crate::sip::compose::Parts;
use crate::sip::dialog::Dialog;
use crate::sip::reason::{self, Reason};
use crate::sip::timing::Timer;
use crate::sip::transport::{Source, Target};
use crate::wire::sip::{Method, Name, Response, Status, Text};

impl Endpoint {
    pub(super) fn client_answered(
        &mut self,
        id: TransactionId,
        user: &mut User,
        response: Response,
        source: Source,
        now: Now,
    ) {
        if self.answer_challenge(id, user, &response, now) {
            return;
        }
        match user {
            User::Nobody => {}
            User::Refer(leg, refer) if response.status.is_final() => {
                self.refer_answered(*leg, *refer, Ok(response), now);
            }
            User::Notify(leg, refer) if response.status.is_final() => {
                self.notified(*leg, *refer, Some(response.status), now);
            }
            User::Updating(leg, fork) if response.status.is_final() => {
                self.update_is_answered(*leg, *fork, Ok((&response, &source)), now);
            }
            User::Refer(..) | User::Notify(..) | User::Updating(..) => {}
            User::Bye(leg) => {
                if response.status.is_final() {
                    self.forget(*leg);
                }
            }
            User::Reported(leg, first) => {
                if response.status.is_final() {
                    let gone = response.status == Status::CALL_DOES_NOT_EXIST;
                    let (leg, transaction) = (*leg, first.unwrap_or(id));
                    let result = Ok(Box::new(response));
                    self.event(Event::Response { transaction, result, source: Some(source) });
                    // §12.2.1.2: the far end knows nothing of this call.
                    if let Some(leg) = leg.filter(|_| gone) {
                        self.hang_up(leg, Cause::TransportFailed, now);
                    }
                }
            }
            User::Calling(calling) => {
                if response.status.is_final() {
                    self.timers.disarm(&TimerKey::Client(id, Timer::C));
                }
                match response.status.code() {
                    0..=199 => self.call_progresses(id, calling, response, &source, now),
                    200..=299 => self.call_is_answered(id, calling, response, source, now),
                    _ if calling.initial => self.call_is_refused(calling, response, now),
                    _ => self.change_is_refused(calling.leg, response.status, Some(&response), now),
                }
            }
        }
    }

    pub(super) fn client_unanswered(&mut self, id: TransactionId, user: &mut User, why: Unanswered, now: Now) {
        self.timers.disarm(&TimerKey::Client(id, Timer::C));
        match user {
            User::Nobody => {}
            User::Refer(leg, refer) => self.refer_answered(*leg, *refer, Err(why), now),
            User::Notify(leg, refer) => self.notified(*leg, *refer, None, now),
            User::Bye(leg) => self.forget(*leg),
            User::Reported(_, first) => {
                self.event(Event::Response { transaction: first.unwrap_or(id), result: Err(why), source: None });
            }
            User::Calling(calling) if calling.abandoned.is_some() => {}
            // §8.1.3.1: as if 408 or 503 had come.
            User::Calling(calling) if calling.initial => {
                self.tell_end(calling.leg, Cause::TransportFailed, Vec::new());
                self.leave_all_early(calling.leg, now);
                self.forget(calling.leg);
            }
            User::Calling(calling) => self.change_is_refused(calling.leg, Status::REQUEST_TIMEOUT, None, now),
            User::Updating(leg, fork) => self.update_is_answered(*leg, *fork, Err(Status::REQUEST_TIMEOUT), now),
        }
    }

    /// Timer C: it rang too long, or nothing came after our CANCEL (§9.1).
    pub(super) fn rang_too_long(&mut self, id: TransactionId, now: Now) {
        let Some(User::Calling(calling)) = self.clients.get(&id).map(|client| &client.user) else { return };
        if calling.cancel == Cancel::Sent {
            return self.end_client(id);
        }
        let (leg, initial, wanted) = (calling.leg, calling.initial, calling.abandoned.is_none());
        self.abandon(id, Cause::NoAnswer, now);
        if initial && wanted {
            self.tell_end(leg, Cause::NoAnswer, Vec::new());
            self.leave_all_early(leg, now);
            self.forget(leg);
        } else if !initial {
            self.change_takes_too_long(leg, now);
        }
    }

    /// A 1xx (§13.2.2.1). It also opens the way for a CANCEL that waits (§9.1).
    fn call_progresses(
        &mut self,
        id: TransactionId,
        calling: &mut Calling,
        response: Response,
        source: &Source,
        now: Now,
    ) {
        calling.provisional = true;
        if let (Cancel::Wanted, Some(cause)) = (calling.cancel, calling.abandoned) {
            calling.cancel = Cancel::Sent;
            self.send_cancel(id, cause, now);
        }
        if calling.initial && calling.abandoned.is_none() && response.status != Status::TRYING {
            self.far_end_progresses(calling, response, source, now);
        }
    }

    /// A 2xx (§13.2.2.4): always acknowledged, each time; hung up if it is not the first or no longer wanted.
    fn call_is_answered(
        &mut self,
        id: TransactionId,
        calling: &mut Calling,
        response: Response,
        source: Source,
        now: Now,
    ) {
        let tag = tag_of(&response);
        if let Some((target, bytes)) = calling.acks.get(&tag).cloned() {
            self.counters.requests_sent += 1;
            return self.send(target, bytes, SendRef::Nothing);
        }
        if calling.acks.len() >= MOST_FORKS || self.awaits_user(id, calling, &tag) {
            return;
        }
        if !calling.initial {
            return self.change_is_answered(calling, tag, &response, &source, now);
        }
        let first = calling.abandoned.is_none() && !std::mem::replace(&mut calling.taken, true);
        if first && self.legs.contains_key(&calling.leg) {
            return self.far_end_answers(id, calling, tag, response, source, now);
        }
        // A fork that lost, or an answer that crossed our CANCEL.
        let mut dialog = calling.dialog.clone();
        dialog.remote_tag = tag.clone();
        confirm(&mut dialog, &response, &source);
        let ack = self.acknowledge(&dialog, &calling.credentials, None);
        calling.acks.insert(tag.clone(), ack);
        dialog.local_seq = calling.forks.iter().find(|(known, _)| *known == tag).map_or(0, |(_, seq)| *seq);
        dialog.local_seq = dialog.local_seq.max(calling.dialog.local_seq);
        dialog.next_seq();
        let reason = reason::write(calling.abandoned.unwrap_or(Cause::AnsweredElsewhere));
        self.bye_for(&dialog, User::Nobody, &reason, now);
    }

    /// Whether the ACK to this far end's 2xx waits for the user.
    fn awaits_user(&self, id: TransactionId, calling: &Calling, tag: &Text) -> bool {
        self.legs.get(&calling.leg).is_some_and(|leg| match (&leg.state, &leg.change) {
            (State::Late { client, tag: waits, .. }, _) | (_, Change::Asked { client, tag: waits, .. }) => {
                *client == id && waits == tag
            }
            _ => false,
        })
    }

    /// A 2xx to our re-INVITE (§14.1).
    fn change_is_answered(&mut self, calling: &mut Calling, tag: Text, response: &Response, source: &Source, now: Now) {
        let late = self.legs.get(&calling.leg).is_some_and(|leg| {
            matches!(leg.change, Change::Ours { proposal: Proposal::Ask, .. }) && sdp_of_response(response).is_some()
        });
        if !late || calling.abandoned.is_some() {
            let mut dialog = calling.dialog.clone();
            dialog.hop = Target::back_to(source);
            if let Some(contact) = response.headers.contact() {
                dialog.remote_target = contact.uri;
            }
            let ack = self.acknowledge(&dialog, &calling.credentials, None);
            calling.acks.insert(tag, ack);
        }
        if calling.abandoned.is_none() {
            self.change_is_accepted(calling.leg, calling.dialog.local_seq, response, source, now);
        }
    }

    /// The first 2xx to a new call of ours: the call is up with this far end, the others have lost.
    fn far_end_answers(
        &mut self,
        client: TransactionId,
        calling: &mut Calling,
        tag: Text,
        response: Response,
        source: Source,
        now: Now,
    ) {
        let fork = calling.fork_of(&tag);
        let Some(leg) = self.legs.get_mut(&calling.leg) else { return };
        let State::Outgoing { call, early, .. } = &mut leg.state else { return };
        let mut others = std::mem::take(early);
        let offered = call.sdp.is_some();
        let won = others.iter().position(|early| early.fork == fork).map(|place| others.swap_remove(place));
        // Should one of them answer too, its BYE counts on from here.
        for other in &others {
            calling.note_seq(&other.dialog.remote_tag, other.dialog.local_seq);
        }
        let (mut dialog, exchange, known, change) = match won {
            Some(won) => {
                leg.peer = won.peer;
                (won.dialog, won.exchange, won.sdp, won.change)
            }
            None => {
                let exchange = if offered { Exchange::Offered } else { Exchange::Owed };
                (Dialog { remote_tag: tag.clone(), ..calling.dialog.clone() }, exchange, None, EarlyChange::None)
            }
        };
        confirm(&mut dialog, &response, &source);
        leg.peer.learn(&response.headers);
        leg.take_timer(&response.headers);
        leg.change = match change {
            EarlyChange::None | EarlyChange::Pracking { .. } => Change::None,
            EarlyChange::Theirs { server, seq } => {
                Change::Theirs { server, method: Method::Update, seq, offered: true, asked: Asked::default() }
            }
            EarlyChange::Ours { client, sdp } => {
                Change::Ours { client, proposal: Proposal::Offer { sdp, by_update: true } }
            }
        };
        let sdp = sdp_of_response(&response).or(known);
        let offer = match exchange {
            Exchange::Offered | Exchange::Settled => false,
            Exchange::Owed | Exchange::Turned => sdp.is_some(),
        };
        leg.remote_sdp.clone_from(&sdp);
        leg.dialog = dialog.clone();
        // §13.2.2.4: the ACK has the number of its INVITE.
        let seq = calling.dialog.local_seq;
        if offer {
            leg.state = State::Late { client, seq, tag };
        } else {
            leg.state = State::Confirmed;
            let ack = self.acknowledge(&Dialog { local_seq: seq, ..dialog }, &calling.credentials, None);
            calling.acks.insert(tag, ack);
        }
        let leg = calling.leg;
        self.counters.answered += 1;
        self.leave_early(others, now);
        self.event(Event::Answered { leg, fork, sdp, offer, response: Box::new(response), source });
        self.arm_session(leg, now);
        self.offer_waiting(leg, now);
    }

    /// Sends the ACK to a 2xx; it is no transaction's (§13.2.2.4, §17.1.1.3).
    pub(super) fn acknowledge(
        &mut self,
        dialog: &Dialog,
        credentials: &Headers,
        sdp: Option<&[u8]>,
    ) -> (Target, Bytes) {
        let path = dialog.path();
        let target = dialog.target(&path.next_hop);
        let branch = TransactionId(self.rng.next_u64());
        let via = self.via(branch, &path.uri, &target);
        let body = sdp.map(|sdp| ("application/sdp", sdp));
        let parts = Parts { via: &via, headers: credentials, body, ..dialog.parts("ACK", &path) };
        let bytes = parts.write();
        self.counters.requests_sent += 1;
        self.send(target, bytes.clone(), SendRef::Nothing);
        (target, bytes)
    }

    /// A 3xx to 6xx to a new call (§13.2.2.2, §13.2.2.3).
    fn call_is_refused(&mut self, calling: &mut Calling, response: Response, now: Now) {
        if calling.abandoned.is_some() || !self.legs.contains_key(&calling.leg) {
            return;
        }
        let status = response.status;
        if status == Status::SESSION_INTERVAL_TOO_SMALL && self.ask_for_longer(calling, &response, now) {
            return;
        }
        let reasons = response.headers.fields_of(&Name::Reason).flat_map(Reason::read).collect();
        let retry_after = retry_after(&response);
        self.event(Event::Refused { leg: calling.leg, status, retry_after, response: Box::new(response) });
        self.tell_end(calling.leg, reason::of_status(status.code()), reasons);
        self.leave_all_early(calling.leg, now);
        self.forget(calling.leg);
    }

    /// Calls again with the session interval that a 422 asks for (RFC 4028 §7.3). Says whether it did.
    fn ask_for_longer(&mut self, calling: &mut Calling, response: &Response, now: Now) -> bool {
        let Some(leg) = self.legs.get_mut(&calling.leg) else { return false };
        if leg.retries >= MOST_LONGER || !leg.take_too_small(&response.headers) {
            return false;
        }
        leg.retries += 1;
        leg.dialog.next_seq();
        let (dialog, contact, min_se) = (leg.dialog.clone(), leg.contact.clone(), leg.min_se);
        let State::Outgoing { call, early, .. } = &mut leg.state else { return false };
        let (mut call, early) = (call.clone(), std::mem::take(early));
        if let Some(prover) = &mut leg.prover {
            // The count of a nonce rises with each request (RFC 7616 §3.4), or it looks like a replay.
            call.headers.retain(|(name, _)| *name != Name::Authorization && *name != Name::ProxyAuthorization);
            call.headers.extend(prover.headers(&Method::Invite, &call.uri, &mut self.rng));
        }
        self.leave_early(early, now);
        let forks = std::mem::take(&mut calling.forks);
        let client = self.send_invite(calling.leg, &dialog, &contact, &call, min_se, forks, now);
        if let Some(State::Outgoing { client: at, .. }) = self.legs.get_mut(&calling.leg).map(|leg| &mut leg.state) {
            *at = client;
        }
        true
    }
}

/// How often one call is asked for a longer session interval. More: proxies that outbid each other delay it. Less: a path
/// of several that each ask for more is not gone through.
const MOST_LONGER: u8 = 3;

/// Makes of an early dialog, or none, what a 2xx says (§12.1.2): the route set in reverse order replaces any before.
fn confirm(dialog: &mut Dialog, response: &Response, source: &Source) {
    dialog.hop = Target::back_to(source);
    if let Some(contact) = response.headers.contact() {
        dialog.remote_target = contact.uri;
    }
    if let Some(to) = response.headers.to() {
        dialog.remote = to;
    }
    dialog.route_set = response.headers.record_routes().unwrap_or_default();
    dialog.route_set.reverse();
}

/// The Retry-After of an answer.
pub(super) fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers.get(Name::RetryAfter)?;
    value.split([' ', ';', '(']).next()?.parse().ok().map(Duration::from_secs)
}
