//! Changes that the far end proposes to a call: re-INVITE and UPDATE of theirs (RFC 3261 §14.2, RFC 3311 §5.2).

use bytes::Bytes;

use super::leg::{Change, Exchange, State};
use super::receive::sdp_of_request;
use super::session::Asked;
use super::{Endpoint, Event, Headers, TransactionId};
use crate::base::{Cause, LegId, Now};
use crate::sip::reply::Answer;
use crate::wire::sip::{Method, Name, Request, Status};

impl Endpoint {
    /// Answers [`Event::Offered`] with a 200. `sdp` is the answer, or our offer where theirs had none. After
    /// [`Event::Answered`] or [`Event::Modified`] with an offer it is the answer that goes in the ACK.
    pub fn accept_offer(&mut self, id: LegId, sdp: Bytes, now: Now) {
        if self.acknowledge_late(id, Some(sdp.clone())) {
            return self.offer_waiting(id, now);
        }
        let interval = self.settings.timing.t1;
        let mut headers: Headers = vec![(Name::Allow, self.allow())];
        headers.extend(self.supported_within(id));
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let Change::Theirs { server, method, seq, offered, asked } = &leg.change else { return };
        let (server, seq, offered, asked) = (*server, *seq, *offered, *asked);
        let (by_invite, by_prack) = (*method == Method::Invite, *method == Method::Prack);
        leg.change = if by_invite { Change::Unacked { server, seq, interval, late: !offered } } else { Change::None };
        let up = matches!(leg.state, State::Confirmed | State::Answered { .. });
        if up && !by_prack {
            headers.extend(leg.settle_timer(asked));
        }
        leg.local_sdp = Some(sdp.clone());
        let (tag, contact) = (leg.dialog.local_tag.clone(), leg.contact.clone());
        let body = Some(("application/sdp", &sdp[..]));
        let plain = Answer::plain(Status::OK, &tag);
        self.give(server, Answer { contact: &contact, dialog: true, headers: &headers, body, ..plain }, now);
        if by_invite {
            self.await_ack(id, now);
        }
        if up {
            self.arm_session(id, now);
        }
        self.offer_waiting(id, now);
    }

    /// Answers [`Event::Offered`] with a refusal; the call goes on as it was (§14.2). An offer in a 2xx cannot be refused:
    /// the call that it answers is hung up, and a call that is up is given the SDP that stands.
    pub fn refuse_offer(&mut self, id: LegId, status: Status, headers: &Headers, now: Now) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        match (&leg.state, &leg.change) {
            (State::Late { .. }, _) => return self.hang_up(id, Cause::NoCommonCodec, now),
            (_, Change::Asked { .. }) => {
                let standing = leg.local_sdp.clone();
                self.acknowledge_late(id, standing);
                return self.offer_waiting(id, now);
            }
            _ => {}
        }
        let Change::Theirs { server, .. } = leg.change else { return };
        leg.change = Change::None;
        let tag = leg.dialog.local_tag.clone();
        let status = if status.is_failure() { status } else { Status::NOT_ACCEPTABLE_HERE };
        self.give(server, Answer { headers, ..Answer::plain(status, &tag) }, now);
        self.offer_waiting(id, now);
    }

    /// Their re-INVITE (§14.2).
    pub(super) fn receive_reinvite(&mut self, id: LegId, server: TransactionId, request: &Request, seq: u32, now: Now) {
        let Some(leg) = self.legs.get(&id) else { return };
        let tag = leg.dialog.local_tag.clone();
        match (&leg.state, &leg.change) {
            (State::Confirmed, Change::None) => {}
            // §14.2: an earlier INVITE of theirs has no final answer yet, or an offer of theirs has no answer.
            (State::Incoming { .. } | State::Late { .. }, _)
            | (State::Confirmed, Change::Theirs { .. } | Change::Asked { .. }) => {
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
        if self.refuse_too_small(id, server, request, now) {
            return;
        }
        self.give(server, Answer::plain(Status::TRYING, ""), now);
        self.take_offer(id, server, Method::Invite, request, seq);
    }

    /// Their UPDATE (RFC 3311 §5.2).
    pub(super) fn receive_update(&mut self, id: LegId, server: TransactionId, request: &Request, seq: u32, now: Now) {
        let Some(leg) = self.legs.get(&id) else { return };
        let up = matches!(leg.state, State::Confirmed | State::Answered { .. });
        if up && self.refuse_too_small(id, server, request, now) {
            return;
        }
        if sdp_of_request(request).is_none() {
            return self.refresh_theirs(id, server, request, up, now);
        }
        let Some(leg) = self.legs.get(&id) else { return };
        let tag = leg.dialog.local_tag.clone();
        match (&leg.state, &leg.change) {
            (State::Confirmed, Change::None) | (State::Answered { late: false, .. }, Change::None) => {}
            // Before the call is up: once the first offer and its answer are through.
            (State::Incoming { exchange: Exchange::Settled, .. }, Change::None) => {}
            // An offer of theirs is not answered yet.
            (State::Incoming { exchange: Exchange::Offered, .. } | State::Late { .. }, _)
            | (_, Change::Theirs { .. } | Change::Asked { .. }) => {
                return self.not_now(server, &tag, now);
            }
            // An offer of ours is not answered yet, or will be made.
            (State::Incoming { .. } | State::Answered { .. }, _)
            | (State::Confirmed, Change::Ours { .. } | Change::Unacked { .. }) => {
                return self.give(server, Answer::plain(Status::REQUEST_PENDING, &tag), now);
            }
            (State::Outgoing { .. } | State::Closing, _) => {
                return self.give(server, Answer::plain(Status::CALL_DOES_NOT_EXIST, &tag), now);
            }
        }
        self.take_offer(id, server, Method::Update, request, seq);
    }

    /// Their UPDATE without SDP: it says where they are now, and that the session goes on.
    fn refresh_theirs(&mut self, id: LegId, server: TransactionId, request: &Request, up: bool, now: Now) {
        let mut headers: Headers = vec![(Name::Allow, self.allow())];
        headers.extend(self.supported_within(id));
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if let Some(target) = request.headers.contact() {
            leg.dialog.remote_target = target.uri;
        }
        leg.peer.learn(&request.headers);
        if up {
            headers.extend(leg.settle_timer(Asked::of(&request.headers)));
        }
        let runs = up && leg.interval.is_some();
        let (tag, contact) = (leg.dialog.local_tag.clone(), leg.contact.clone());
        let plain = Answer::plain(Status::OK, &tag);
        self.give(server, Answer { contact: &contact, dialog: true, headers: &headers, ..plain }, now);
        if up {
            self.arm_session(id, now);
        }
        if runs {
            self.tell_refreshed(id, None);
        }
    }

    /// Refuses a request whose session interval is shorter than we take (RFC 4028 §9). Says whether it did.
    fn refuse_too_small(&mut self, id: LegId, server: TransactionId, request: &Request, now: Now) -> bool {
        let Some(leg) = self.legs.get(&id) else { return false };
        let Some(headers) = leg.too_small(Asked::of(&request.headers)) else { return false };
        let tag = leg.dialog.local_tag.clone();
        let plain = Answer::plain(Status::SESSION_INTERVAL_TOO_SMALL, &tag);
        self.give(server, Answer { headers: &headers, ..plain }, now);
        true
    }

    fn take_offer(&mut self, id: LegId, server: TransactionId, method: Method, request: &Request, seq: u32) {
        let sdp = sdp_of_request(request);
        let Some(leg) = self.legs.get_mut(&id) else { return };
        // §12.2.2: both refresh the target.
        if let Some(target) = request.headers.contact() {
            leg.dialog.remote_target = target.uri;
        }
        leg.peer.learn(&request.headers);
        if sdp.is_some() {
            leg.remote_sdp.clone_from(&sdp);
        }
        let asked = Asked::of(&request.headers);
        leg.change = Change::Theirs { server, method: method.clone(), seq, offered: sdp.is_some(), asked };
        self.event(Event::Offered { leg: id, sdp, method });
    }

    /// 500 with a Retry-After of 0 to 10 seconds (§14.2, RFC 3311 §5.2).
    fn not_now(&mut self, server: TransactionId, tag: &str, now: Now) {
        let headers: Headers = vec![(Name::RetryAfter, self.soon())];
        self.give(server, Answer { headers: &headers, ..Answer::plain(Status::SERVER_INTERNAL_ERROR, tag) }, now);
    }
}
