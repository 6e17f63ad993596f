//! A call that we make, and other requests of ours: the client side (RFC 3261 §13.2, §9.1).

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::clients::{Calling, Cancel, User};
use super::leg::{Change, Leg, State};
use super::receive::sdp_of_response;
use super::{Endpoint, Event, OutboundInvite, OutboundRequest, SendRef, TimerKey, TransactionId, Unanswered};
use crate::base::{Cause, LegId, Now};
use crate::sip::compose::Parts;
use crate::sip::dialog::{Dialog, MAX_FORWARDS};
use crate::sip::reason::{self, Reason};
use crate::sip::timing::Timer;
use crate::sip::transport::{Source, Target};
use crate::wire::sip::{Method, Name, Response, Status, Text};

/// How many far ends may answer one INVITE before further ones are ignored until they give up. More: memory for a
/// proxy gone wild. Less: phones of a large group that answer together ring on.
const MAX_FORKS: usize = 16;

impl Endpoint {
    /// Calls. Over the limits, or with nothing advertised for the transport, the leg ends at once.
    pub fn invite(&mut self, call: OutboundInvite, now: Now) -> LegId {
        let id = LegId::draw(&mut self.rng);
        self.counters.invites_out += 1;
        let (local_tag, call_id, seq) = match call.again {
            Some(again) => (again.local_tag, again.call_id, again.seq.saturating_add(1)),
            None => (self.tag(), Text::from(self.rng.token(20)), 1),
        };
        let secure = call.uri.is_sips() || call.routes.first().is_some_and(|route| route.uri.is_sips());
        let dialog = Dialog {
            call_id,
            local: call.from.with_tag(&local_tag),
            local_tag: local_tag.clone(),
            remote_tag: Text::default(),
            remote: call.to,
            local_seq: seq,
            remote_seq: None,
            remote_target: call.uri,
            route_set: call.routes,
            secure,
            outbound: true,
            hop: call.target,
        };
        let contact = self.contact(&call.target, secure, call.contact_user.as_deref());
        let over = self.live >= self.settings.limits.legs || self.is_overfull();
        if over || contact.is_empty() {
            let cause = if over { Cause::Overloaded } else { Cause::TransportFailed };
            self.counters.ended += 1;
            self.event(Event::Ended { leg: id, cause, reasons: Vec::new() });
            return id;
        }
        let path = dialog.path();
        let mut headers = call.headers;
        headers.push((Name::Allow, self.allow()));
        let is_credential = |name: &Name| *name == Name::Authorization || *name == Name::ProxyAuthorization;
        let credentials = headers.iter().filter(|(name, _)| is_credential(name)).cloned().collect();
        let agent = self.settings.user_agent.clone();
        let calling = Calling {
            leg: id,
            dialog: dialog.clone(),
            initial: true,
            abandoned: None,
            cancel: Cancel::No,
            provisional: false,
            acks: BTreeMap::new(),
            credentials,
            forks: Vec::new(),
        };
        let parts = Parts {
            contact: &contact,
            user_agent: &agent,
            headers: &headers,
            max_forwards: call.max_forwards,
            body: call.sdp.as_deref().map(|sdp| ("application/sdp", sdp)),
            ..dialog.parts("INVITE", &path)
        };
        let client = self.begin_client(Method::Invite, parts, call.target, User::Calling(Box::new(calling)), now);
        self.timers.arm(TimerKey::Client(client, Timer::C), now.mono + call.ring);
        let mut leg = Leg::new(dialog, State::Outgoing { client }, contact);
        leg.manner = call.manner;
        self.by_tag.insert(local_tag, id);
        self.legs.insert(id, leg);
        self.live += 1;
        id
    }

    /// Sends a request outside any dialog; [`Event::Response`] follows.
    pub fn request(&mut self, request: OutboundRequest, now: Now) -> TransactionId {
        let (local_tag, call_id, seq) = match request.again {
            Some(again) => (again.local_tag, again.call_id, again.seq.saturating_add(1)),
            None => (self.tag(), Text::from(self.rng.token(20)), 1),
        };
        let from = request.from.with_tag(&local_tag);
        let has_contact = request.headers.iter().any(|(name, _)| *name == Name::Contact);
        let contact =
            if has_contact { String::new() } else { self.contact(&request.target, request.uri.is_sips(), None) };
        let agent = self.settings.user_agent.clone();
        let parts = Parts {
            method: request.method.as_str(),
            uri: &request.uri,
            via: "",
            max_forwards: MAX_FORWARDS,
            routes: &request.routes,
            from: &from,
            to: &request.to,
            call_id: &call_id,
            seq,
            contact: &contact,
            user_agent: &agent,
            headers: &request.headers,
            body: request.body.as_ref().map(|(media_type, body)| (media_type.as_str(), &body[..])),
        };
        self.begin_client(request.method.clone(), parts, request.target, User::Reported(None), now)
    }

    /// Sends an INFO in a call that is up (RFC 6086); [`Event::Response`] follows. None if the call is not up.
    pub fn info(&mut self, id: LegId, content_type: &str, body: &[u8], now: Now) -> Option<TransactionId> {
        let leg = self.legs.get_mut(&id).filter(|leg| !leg.over && matches!(leg.state, State::Confirmed))?;
        leg.dialog.next_seq();
        let dialog = leg.dialog.clone();
        let path = dialog.path();
        let target = dialog.target(&path.next_hop);
        let agent = self.settings.user_agent.clone();
        let parts = Parts { user_agent: &agent, body: Some((content_type, body)), ..dialog.parts("INFO", &path) };
        Some(self.begin_client(Method::Info, parts, target, User::Reported(Some(id)), now))
    }

    pub(super) fn client_answered(
        &mut self,
        id: TransactionId,
        user: &mut User,
        response: Response,
        source: Source,
        now: Now,
    ) {
        match user {
            User::Nobody => {}
            User::Refer(leg, refer) if response.status.is_final() => {
                self.refer_answered(*leg, *refer, Ok(response), now);
            }
            User::Notify(leg, refer) if response.status.is_final() => {
                self.notified(*leg, *refer, Some(response.status), now);
            }
            User::Refer(..) | User::Notify(..) => {}
            User::Bye(leg) => {
                if response.status.is_final() {
                    self.forget(*leg);
                }
            }
            User::Reported(leg) => {
                if response.status.is_final() {
                    let gone = response.status == Status::CALL_DOES_NOT_EXIST;
                    let leg = *leg;
                    let result = Ok(Box::new(response));
                    self.event(Event::Response { transaction: id, result, source: Some(source) });
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
                    0..=199 => self.call_progresses(id, calling, response, now),
                    200..=299 => self.call_is_answered(calling, response, source, now),
                    _ if calling.initial => self.call_is_refused(calling, response),
                    _ => self.offer_is_refused(calling, response.status, now),
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
            User::Reported(_) => {
                self.event(Event::Response { transaction: id, result: Err(why), source: None });
            }
            User::Calling(calling) if calling.abandoned.is_some() => {}
            // §8.1.3.1: as if 408 or 503 had come.
            User::Calling(calling) if calling.initial => {
                self.tell_end(calling.leg, Cause::TransportFailed, Vec::new());
                self.forget(calling.leg);
            }
            User::Calling(calling) => self.offer_is_refused(calling, Status::REQUEST_TIMEOUT, now),
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
            self.forget(leg);
        } else if let Some(state) = self.legs.get_mut(&leg).filter(|leg| matches!(leg.change, Change::Ours { .. })) {
            state.change = Change::None;
            self.event(Event::Modified { leg, result: Err(Status::REQUEST_TIMEOUT) });
        }
    }

    /// A 1xx (§13.2.2.1). It also opens the way for a CANCEL that waits (§9.1).
    fn call_progresses(&mut self, id: TransactionId, calling: &mut Calling, response: Response, now: Now) {
        calling.provisional = true;
        if let (Cancel::Wanted, Some(cause)) = (calling.cancel, calling.abandoned) {
            calling.cancel = Cancel::Sent;
            self.send_cancel(id, cause, now);
        }
        if calling.initial && calling.abandoned.is_none() && response.status != Status::TRYING {
            let sdp = sdp_of_response(&response);
            let fork = calling.fork_of(&tag_of(&response));
            let (leg, status) = (calling.leg, response.status);
            self.event(Event::Progress { leg, fork, status, sdp, reliable: false, response: Box::new(response) });
        }
    }

    /// A 2xx (§13.2.2.4): always acknowledged, each time; hung up if it is not the first or no longer wanted.
    fn call_is_answered(&mut self, calling: &mut Calling, response: Response, source: Source, now: Now) {
        let tag = tag_of(&response);
        if let Some((target, bytes)) = calling.acks.get(&tag).cloned() {
            self.counters.requests_sent += 1;
            return self.send(target, bytes, SendRef::Nothing);
        }
        if calling.acks.len() >= MAX_FORKS {
            return;
        }
        let mut dialog = calling.dialog.clone();
        dialog.hop = Target::back_to(&source);
        if let Some(contact) = response.headers.contact() {
            dialog.remote_target = contact.uri;
        }
        if calling.initial {
            dialog.remote_tag = tag.clone();
            if let Some(to) = response.headers.to() {
                dialog.remote = to;
            }
            // §12.1.2: in reverse order; it replaces a preloaded route set.
            dialog.route_set = response.headers.record_routes().unwrap_or_default();
            dialog.route_set.reverse();
        }
        let ack = self.acknowledge(&dialog, calling);
        calling.acks.insert(tag.clone(), ack);
        if calling.initial {
            let awaited = calling.abandoned.is_none() && calling.acks.len() == 1;
            match self.legs.get_mut(&calling.leg).filter(|_| awaited) {
                Some(leg) => {
                    leg.dialog = dialog;
                    leg.state = State::Confirmed;
                    self.counters.answered += 1;
                    let sdp = sdp_of_response(&response);
                    let fork = calling.fork_of(&tag);
                    let (leg, response) = (calling.leg, Box::new(response));
                    self.event(Event::Answered { leg, fork, sdp, offer: false, response, source });
                }
                // A fork that lost, or an answer that crossed our CANCEL.
                None => {
                    dialog.next_seq();
                    let reason = match calling.abandoned {
                        Some(cause) => reason::write(cause),
                        None => "SIP;cause=200;text=\"Call completed elsewhere\"".to_owned(),
                    };
                    self.bye_for(&dialog, User::Nobody, &reason, now);
                }
            }
        } else if let Some(leg) = self.legs.get_mut(&calling.leg) {
            leg.dialog.remote_target = dialog.remote_target;
            leg.dialog.hop = dialog.hop;
            if matches!(leg.change, Change::Ours { .. }) {
                leg.change = Change::None;
                let sdp = sdp_of_response(&response);
                self.event(Event::Modified { leg: calling.leg, result: Ok(sdp) });
            }
        }
    }

    /// Sends the ACK to a 2xx; it is no transaction's (§13.2.2.4, §17.1.1.3).
    fn acknowledge(&mut self, dialog: &Dialog, calling: &Calling) -> (Target, Bytes) {
        let path = dialog.path();
        let target = dialog.target(&path.next_hop);
        let branch = TransactionId(self.rng.next_u64());
        let via = self.via(branch, &path.uri, &target);
        let parts = Parts { via: &via, headers: &calling.credentials, ..dialog.parts("ACK", &path) };
        let bytes = parts.write();
        self.counters.requests_sent += 1;
        self.send(target, bytes.clone(), SendRef::Nothing);
        (target, bytes)
    }

    /// A 3xx to 6xx to a new call (§13.2.2.2, §13.2.2.3).
    fn call_is_refused(&mut self, calling: &mut Calling, response: Response) {
        if calling.abandoned.is_some() || !self.legs.contains_key(&calling.leg) {
            return;
        }
        let status = response.status;
        let reasons = response.headers.fields_of(&Name::Reason).flat_map(Reason::read).collect();
        let retry_after = response
            .headers
            .get(Name::RetryAfter)
            .and_then(|value| value.split([' ', ';', '(']).next()?.parse().ok())
            .map(Duration::from_secs);
        self.event(Event::Refused { leg: calling.leg, status, retry_after, response: Box::new(response) });
        self.tell_end(calling.leg, reason::of_status(status.code()), reasons);
        self.forget(calling.leg);
    }
}

/// The far end's tag.
fn tag_of(response: &Response) -> Text {
    response.headers.to().and_then(|to| to.tag().map(Text::from)).unwrap_or_default()
}
