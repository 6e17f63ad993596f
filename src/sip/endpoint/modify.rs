//! Changes to a call that is up: re-INVITE and UPDATE from either side (RFC 3261 §14, RFC 3311).

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::clients::{Calling, Cancel, User};
use super::leg::{Change, LegTimer, State};
use super::receive::sdp_of_request;
use super::{Endpoint, Event, Fork, Headers, TimerKey, TransactionId};
use crate::base::{Cause, LegId, Now};
use crate::sip::compose::Parts;
use crate::sip::reply::Answer;
use crate::sip::timing::Timer;
use crate::wire::sip::{Method, Name, Request, Status};

/// How long a re-INVITE of ours may stay without a final answer. Its far end is a machine; people are not asked.
const PATIENCE: Duration = Duration::from_secs(60);
/// How soon an offer that found the dialog busy tries again.
const BUSY: Duration = Duration::from_millis(500);

impl Endpoint {
    /// Answers [`Event::Offered`] with a 200. `sdp` is the answer, or our offer where theirs had none.
    pub fn accept_offer(&mut self, id: LegId, sdp: Bytes, now: Now) {
        let interval = self.settings.timing.t1;
        let headers: Headers = vec![(Name::Allow, self.allow())];
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let Change::Theirs { server, method, seq, offered } = &leg.change else { return };
        let (server, seq, offered, by_invite) = (*server, *seq, *offered, *method == Method::Invite);
        leg.change = if by_invite { Change::Unacked { server, seq, interval, late: !offered } } else { Change::None };
        let (tag, contact) = (leg.dialog.local_tag.clone(), leg.contact.clone());
        let body = Some(("application/sdp", &sdp[..]));
        let plain = Answer::plain(Status::OK, &tag);
        self.give(server, Answer { contact: &contact, dialog: true, headers: &headers, body, ..plain }, now);
        if by_invite {
            self.await_ack(id, now);
        }
    }

    /// Answers [`Event::Offered`] with a refusal; the call goes on as it was (§14.2).
    pub fn refuse_offer(&mut self, id: LegId, status: Status, headers: &Headers, now: Now) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let Change::Theirs { server, .. } = leg.change else { return };
        leg.change = Change::None;
        let tag = leg.dialog.local_tag.clone();
        let status = if status.is_failure() { status } else { Status::NOT_ACCEPTABLE_HERE };
        self.give(server, Answer { headers, ..Answer::plain(status, &tag) }, now);
    }

    /// Offers a change by re-INVITE, or asks for their offer; [`Event::Modified`] follows. While another change is under way it waits for its
    /// turn; a later offer replaces one that waits. A collision is repeated after the time of §14.1.
    pub fn reinvite(&mut self, id: LegId, sdp: Option<Bytes>, now: Now) {
        let Some(sdp) = sdp else { return };
        if let Some(leg) = self.legs.get_mut(&id).filter(|leg| !leg.over) {
            leg.waiting = Some(sdp);
            self.offer_waiting(id, now);
        }
    }

    /// Offers a change by UPDATE (RFC 3311), also before the call is up; [`Event::Modified`] follows.
    pub fn update(&mut self, id: LegId, sdp: Bytes, now: Now) {
        self.reinvite(id, Some(sdp), now);
    }

    /// Answers [`Event::EarlyOffered`]; one that was not asked is ignored.
    pub fn accept_early_offer(&mut self, _id: LegId, _fork: Fork, _sdp: Bytes, _now: Now) {}

    /// Refuses [`Event::EarlyOffered`].
    pub fn refuse_early_offer(&mut self, _id: LegId, _fork: Fork, _status: Status, _now: Now) {}

    /// Sends the offer that waits, or lets it wait longer.
    pub(super) fn offer_waiting(&mut self, id: LegId, now: Now) {
        let allow = self.allow();
        let Some(leg) = self.legs.get_mut(&id).filter(|leg| !leg.over) else { return };
        if !matches!((&leg.state, &leg.change), (State::Confirmed, Change::None)) {
            if leg.waiting.is_some() {
                self.timers.arm(TimerKey::Leg(id, LegTimer::Retry), now.mono + BUSY);
            }
            return;
        }
        let Some(sdp) = leg.waiting.take() else { return };
        leg.dialog.next_seq();
        let (dialog, contact) = (leg.dialog.clone(), leg.contact.clone());
        self.timers.disarm(&TimerKey::Leg(id, LegTimer::Retry));
        let path = dialog.path();
        let target = dialog.target(&path.next_hop);
        let calling = Calling {
            leg: id,
            dialog: dialog.clone(),
            initial: false,
            abandoned: None,
            cancel: Cancel::No,
            provisional: false,
            acks: BTreeMap::new(),
            credentials: Vec::new(),
            forks: Vec::new(),
        };
        let agent = self.settings.user_agent.clone();
        let headers: Headers = vec![(Name::Allow, allow)];
        let parts = Parts {
            contact: &contact,
            user_agent: &agent,
            headers: &headers,
            body: Some(("application/sdp", &sdp)),
            ..dialog.parts("INVITE", &path)
        };
        let client = self.begin_client(Method::Invite, parts, target, User::Calling(Box::new(calling)), now);
        self.timers.arm(TimerKey::Client(client, Timer::C), now.mono + PATIENCE);
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.change = Change::Ours { client, sdp };
        }
    }

    /// Their re-INVITE (§14.2).
    pub(super) fn receive_reinvite(&mut self, id: LegId, server: TransactionId, request: &Request, seq: u32, now: Now) {
        let Some(leg) = self.legs.get(&id) else { return };
        let tag = leg.dialog.local_tag.clone();
        match (&leg.state, &leg.change) {
            (State::Confirmed, Change::None) => {}
            // §14.2: an earlier INVITE of theirs has no final answer yet.
            (State::Incoming { .. }, _) | (State::Confirmed, Change::Theirs { .. }) => {
                return self.not_now(server, &tag, now);
            }
            // §14.2: ours is under way; RFC 5407 §3.1.4: the ACK to our 2xx is.
            (State::Confirmed, Change::Ours { .. } | Change::Unacked { .. }) | (State::Answered { .. }, _) => {
                return self.give(server, Answer::plain(Status::REQUEST_PENDING, &tag), now);
            }
            (State::Outgoing { .. } | State::Closing, _) => {
                return self.give(server, Answer::plain(Status::CALL_DOES_NOT_EXIST, &tag), now);
            }
        }
        self.give(server, Answer::plain(Status::TRYING, ""), now);
        self.take_offer(id, server, Method::Invite, request, seq);
    }

    /// Their UPDATE (RFC 3311 §5.2).
    pub(super) fn receive_update(&mut self, id: LegId, server: TransactionId, request: &Request, seq: u32, now: Now) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let (tag, contact) = (leg.dialog.local_tag.clone(), leg.contact.clone());
        if sdp_of_request(request).is_none() {
            // It only says where they are now.
            if let Some(target) = request.headers.contact() {
                leg.dialog.remote_target = target.uri;
            }
            let plain = Answer::plain(Status::OK, &tag);
            return self.give(server, Answer { contact: &contact, dialog: true, ..plain }, now);
        }
        match (&leg.state, &leg.change) {
            (State::Confirmed, Change::None) | (State::Answered { late: false, .. }, Change::None) => {}
            // An offer of theirs is not answered yet.
            (State::Incoming { offered: true, .. }, _) | (_, Change::Theirs { .. }) => {
                return self.not_now(server, &tag, now);
            }
            // An offer of ours is not answered yet, or will be made.
            (State::Incoming { offered: false, .. } | State::Answered { .. }, _)
            | (State::Confirmed, Change::Ours { .. } | Change::Unacked { .. }) => {
                return self.give(server, Answer::plain(Status::REQUEST_PENDING, &tag), now);
            }
            (State::Outgoing { .. } | State::Closing, _) => {
                return self.give(server, Answer::plain(Status::CALL_DOES_NOT_EXIST, &tag), now);
            }
        }
        self.take_offer(id, server, Method::Update, request, seq);
    }

    fn take_offer(&mut self, id: LegId, server: TransactionId, method: Method, request: &Request, seq: u32) {
        let sdp = sdp_of_request(request);
        let Some(leg) = self.legs.get_mut(&id) else { return };
        // §12.2.2: both refresh the target.
        if let Some(target) = request.headers.contact() {
            leg.dialog.remote_target = target.uri;
        }
        leg.change = Change::Theirs { server, method: method.clone(), seq, offered: sdp.is_some() };
        self.event(Event::Offered { leg: id, sdp, method });
    }

    /// 500 with a Retry-After of 0 to 10 seconds (§14.2, RFC 3311 §5.2).
    fn not_now(&mut self, server: TransactionId, tag: &str, now: Now) {
        let headers: Headers = vec![(Name::RetryAfter, self.soon())];
        self.give(server, Answer { headers: &headers, ..Answer::plain(Status::SERVER_INTERNAL_ERROR, tag) }, now);
    }

    /// Our re-INVITE was refused or not answered (§14.1).
    pub(super) fn offer_is_refused(&mut self, calling: &mut Calling, status: Status, now: Now) {
        let id = calling.leg;
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let Change::Ours { .. } = leg.change else { return };
        let Change::Ours { sdp, .. } = std::mem::replace(&mut leg.change, Change::None) else { return };
        match status {
            // §14.1: both asked at once. Who owns the Call-ID waits 2.1 to 4 s, the other up to 2 s, in steps of 10 ms.
            Status::REQUEST_PENDING => {
                let outbound = leg.dialog.outbound;
                leg.waiting.get_or_insert(sdp);
                let (least, steps) = if outbound { (2100, 191) } else { (0, 201) };
                let wait = Duration::from_millis(least + 10 * self.rng.below(steps));
                self.timers.arm(TimerKey::Leg(id, LegTimer::Retry), now.mono + wait);
            }
            // §12.2.1.2: the far end knows nothing of this call, or is not there.
            Status::CALL_DOES_NOT_EXIST | Status::REQUEST_TIMEOUT => {
                self.hang_up(id, Cause::TransportFailed, now);
            }
            status => self.event(Event::Modified { leg: id, result: Err(status) }),
        }
    }
}
