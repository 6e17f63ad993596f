//! A message came: what it belongs to.

use super::check::Refusal;
use super::facts::Facts;
use super::leg::State;
use super::{Endpoint, Event, SendRef};
use crate::base::{LegId, Now};
use crate::sip::dialog::Order;
use crate::sip::reply::{Answer, Reply};
use crate::sip::transaction::{ClientInput, ServerInput};
use crate::sip::transport::{Source, Target};
use crate::wire::sip::{Message, Method, Name, ParseError, Request, Response, Status, Text};

impl Endpoint {
    pub(super) fn receive(&mut self, message: Result<Message, ParseError>, source: Source, now: Now) {
        match message {
            Ok(Message::Request(request)) => {
                self.counters.requests_received += 1;
                self.receive_request(request, source, now);
            }
            Ok(Message::Response(response)) => {
                self.counters.responses_received += 1;
                match self.client_of(&response) {
                    Some(id) => {
                        let input = ClientInput::of_status(response.status.code());
                        self.client_input(id, input, Some((response, source)), now);
                    }
                    // §18.1.2: dropped.
                    None => self.counters.stray_responses += 1,
                }
            }
            Err(error) => self.receive_malformed(&error, &source, now),
        }
    }

    /// A malformed request is answered without state, so many a second per address; a malformed response, an ACK or
    /// noise is not answered at all.
    fn receive_malformed(&mut self, error: &ParseError, source: &Source, now: Now) {
        self.counters.malformed += 1;
        let Some(response) = error.response() else { return };
        if self.malformed.take(&source.remote.ip(), now.mono).is_err() {
            self.counters.malformed_unanswered += 1;
            return;
        }
        let Some(reply) = Reply::to(&error.readable, source) else { return };
        let tag = self.stateless_tag(&error.readable);
        let answer = Answer {
            reason: Some(response.reason.as_str()),
            server: &self.settings.user_agent,
            ..Answer::plain(response.status, &tag)
        };
        let bytes = reply.write(&answer);
        self.counters.responses_sent += 1;
        self.send(reply.target, bytes, SendRef::Nothing);
    }

    fn receive_request(&mut self, request: Request, source: Source, now: Now) {
        let Some(facts) = Facts::of(&request) else { return };
        let key = facts.key(&request.method);
        // §17.2.3: a copy, or the ACK to a refusal, belongs to its transaction.
        if let Some(id) = self.by_key.get(&key).copied() {
            if request.method == Method::Ack {
                // A 2xx's ACK has a branch of its own, but there are those that use the INVITE's again.
                if self.is_accepted(id) {
                    self.receive_ack(&request, &facts, &source, now);
                } else {
                    self.server_input(id, ServerInput::Acked, now);
                }
            } else {
                self.counters.retransmissions_absorbed += 1;
                self.server_input(id, ServerInput::Repeated, now);
            }
            return;
        }
        if request.method == Method::Ack {
            return self.receive_ack(&request, &facts, &source, now);
        }
        if let Err(refusal) = self.check(&request, &facts) {
            return self.refuse_stateless(&request, &source, refusal);
        }
        if request.method == Method::Cancel {
            return self.receive_cancel(&request, &facts, key, source, now);
        }
        match facts.to_tag() {
            Some(tag) => match self.leg_of(&facts, tag) {
                Some(leg) => self.receive_in_dialog(leg, request, facts, key, source, now),
                // Its dialog is the user's, who knows whether it is there.
                None if request.method == Method::Subscribe => self.receive_new(request, facts, key, source, now),
                // §12.2.2.
                None if self.receive_after_call(&request, &facts, &key, &source, now) => {}
                None => self.refuse_stateless(&request, &source, Refusal::new(Status::CALL_DOES_NOT_EXIST)),
            },
            None => self.receive_new(request, facts, key, source, now),
        }
    }

    /// A request outside any dialog.
    fn receive_new(&mut self, request: Request, facts: Facts, key: String, source: Source, now: Now) {
        let limits = self.settings.limits;
        let over = match request.method {
            Method::Invite => self.held() >= limits.transactions || self.live >= limits.legs,
            _ => self.is_overfull(),
        };
        if over {
            return self.refuse_over_limit(&request, &source);
        }
        match request.method {
            Method::Invite => self.receive_invite(request, facts, key, source, now),
            // These live in dialogs only (§15.1.2, RFC 3311 §5.2, RFC 6086 §4.2.2, RFC 3262 §3).
            Method::Bye | Method::Update | Method::Info | Method::Prack => {
                self.refuse_stateless(&request, &source, Refusal::new(Status::CALL_DOES_NOT_EXIST));
            }
            Method::Refer => {
                let status = self.refusal_outside(&request);
                self.refuse_stateless(&request, &source, Refusal::new(status));
            }
            _ => {
                let Some(reply) = Reply::to(&request.headers, &source) else { return };
                let id = self.begin_server(&request.method, &facts, key, reply, None, now);
                self.report_request(id, request, source, None);
            }
        }
    }

    /// A request in a dialog of ours (§12.2.2).
    fn receive_in_dialog(&mut self, id: LegId, request: Request, facts: Facts, key: String, source: Source, now: Now) {
        // BYE frees what it finds; anything else must not grow without bound.
        if request.method != Method::Bye && self.is_overfull() {
            return self.refuse_over_limit(&request, &source);
        }
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if matches!(leg.state, State::Outgoing { .. }) {
            return self.receive_early(id, request, &facts, key, source, now);
        }
        if leg.dialog.take_in_order(facts.seq) == Order::Stale {
            let refusal = Refusal::new(Status::SERVER_INTERNAL_ERROR).because("CSeq Is Out Of Order");
            return self.refuse_stateless(&request, &source, refusal);
        }
        leg.dialog.hop = Target::back_to(&source);
        // The call is over for us; a BYE that crosses ours is still right (RFC 5407 §3.1.2).
        let of_subscription = super::refer::is_of_subscription(&request);
        if matches!(leg.state, State::Closing) && request.method != Method::Bye && !of_subscription {
            return self.refuse_stateless(&request, &source, Refusal::new(Status::CALL_DOES_NOT_EXIST));
        }
        let Some(reply) = Reply::to(&request.headers, &source) else { return };
        let transaction = self.begin_server(&request.method, &facts, key, reply, Some(id), now);
        match request.method {
            Method::Bye => self.receive_bye(id, transaction, &request, now),
            Method::Invite => self.receive_reinvite(id, transaction, &request, facts.seq, now),
            Method::Update => self.receive_update(id, transaction, &request, facts.seq, now),
            Method::Prack => self.receive_prack(id, transaction, &request, facts.seq, now),
            Method::Info => self.event(Event::Info {
                leg: id,
                transaction,
                content_type: request.headers.get(Name::ContentType).map(Text::from),
                body: request.body,
            }),
            Method::Refer => self.receive_of_refer(id, transaction, request, facts.seq, source, now),
            _ if of_subscription => self.receive_of_refer(id, transaction, request, facts.seq, source, now),
            _ => self.report_request(transaction, request, source, Some(id)),
        }
    }

    /// How many transactions there are.
    fn held(&self) -> usize {
        self.clients.len() + self.servers.len()
    }

    /// Whether even requests that are not new calls are too many.
    pub(super) fn is_overfull(&self) -> bool {
        self.held() >= self.settings.limits.transactions.saturating_mul(2)
    }

    fn refuse_over_limit(&mut self, request: &Request, source: &Source) {
        self.counters.over_limit += 1;
        let refusal = Refusal::new(Status::SERVICE_UNAVAILABLE);
        let refusal = refusal.with(Name::RetryAfter, self.settings.limits.retry_after.to_string());
        self.refuse_stateless(request, source, refusal);
    }

    /// The leg in whose dialog a request is (§12.2.2).
    pub(super) fn leg_of(&self, facts: &Facts, to_tag: &str) -> Option<LegId> {
        let id = *self.by_tag.get(&Text::from(to_tag))?;
        let leg = self.legs.get(&id)?;
        leg.is_of(&facts.call_id, facts.remote_tag()).then_some(id)
    }

    /// Answers a request and keeps nothing of it (§8.2.7). Its copies get the same answer, its ACK belongs to nothing.
    pub(super) fn refuse_stateless(&mut self, request: &Request, source: &Source, refusal: Refusal) {
        self.counters.refused += 1;
        if request.method == Method::Ack {
            return;
        }
        let Some(reply) = Reply::to(&request.headers, source) else { return };
        let tag = self.stateless_tag(&request.headers);
        let answer = Answer {
            reason: refusal.reason,
            server: &self.settings.user_agent,
            headers: &refusal.headers,
            ..Answer::plain(refusal.status, &tag)
        };
        let bytes = reply.write(&answer);
        self.counters.responses_sent += 1;
        self.send(reply.target, bytes, SendRef::Nothing);
    }

    fn stateless_tag(&self, headers: &crate::wire::sip::Headers) -> String {
        let part = |name| headers.get(name).unwrap_or_default();
        super::branch::tag_of(self.secret, &[part(Name::CallId), part(Name::From), part(Name::CSeq)])
    }

    /// The seconds of a Retry-After after a collision: 0 to 10 (§14.2).
    pub(super) fn soon(&mut self) -> Text {
        Text::from(self.rng.below(11).to_string())
    }
}

/// The SDP of a message, if that is what its body is.
pub(super) fn sdp_of_request(request: &Request) -> Option<bytes::Bytes> {
    let is_sdp = !request.body.is_empty() && request.headers.content_type_is("application/sdp");
    is_sdp.then(|| request.body.clone())
}

/// The SDP of a message, if that is what its body is.
pub(super) fn sdp_of_response(response: &Response) -> Option<bytes::Bytes> {
    let is_sdp = !response.body.is_empty() && response.headers.content_type_is("application/sdp");
    is_sdp.then(|| response.body.clone())
}
