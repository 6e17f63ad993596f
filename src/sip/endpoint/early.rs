//! The far ends of a call that we make, before one of them answers: each has an early dialog of its own (RFC 3261
//! §12.1.2), its reliable provisional answers are acknowledged (RFC 3262 §4), and it may change what it offers (RFC 3311).

use bytes::Bytes;

use super::clients::{Calling, User};
use super::facts::Facts;
use super::leg::{Exchange, Leg, Peer, State};
use super::receive::{sdp_of_request, sdp_of_response};
use super::{Endpoint, Event, Fork, Headers, TransactionId};
use crate::base::{Cause, LegId, Now, Support};
use crate::sip::dialog::{Dialog, Order};
use crate::sip::reason;
use crate::sip::reply::{Answer, Reply};
use crate::sip::transport::{Source, Target};
use crate::wire::sip::{Method, Name, Request, Response, Status, Text};

/// How many far ends may answer one INVITE before further ones are ignored until they give up. More: memory for a
/// proxy gone wild. Less: phones of a large group that answer together ring on.
pub(super) const MOST_FORKS: usize = 16;

/// One far end.
pub(super) struct Early {
    pub(super) fork: Fork,
    pub(super) dialog: Dialog,
    /// The RSeq of its latest reliable answer.
    rseq: Option<u32>,
    pub(super) exchange: Exchange,
    /// Its latest SDP.
    pub(super) sdp: Option<Bytes>,
    pub(super) peer: Peer,
    pub(super) change: EarlyChange,
}

/// An offer in an early dialog.
pub(super) enum EarlyChange {
    None,
    /// Theirs in a reliable 1xx awaits the user's answer; the PRACK holds it.
    Pracking {
        rseq: u32,
    },
    /// Theirs in an UPDATE awaits the user's answer.
    Theirs {
        server: TransactionId,
        seq: u32,
    },
    /// Ours in an UPDATE awaits their answer.
    Ours {
        client: TransactionId,
        sdp: Bytes,
    },
}

impl Early {
    fn new(fork: Fork, calling: &Calling, tag: &Text, offered: bool) -> Self {
        let mut dialog = calling.dialog.clone();
        dialog.remote_tag = tag.clone();
        Self {
            fork,
            dialog,
            rseq: None,
            exchange: if offered { Exchange::Offered } else { Exchange::Owed },
            sdp: None,
            peer: Peer::UNKNOWN,
            change: EarlyChange::None,
        }
    }

    /// Notes where it is (§12.1.2): its Contact, and its route when it is heard of first.
    fn place(&mut self, response: &Response, source: &Source, first: bool) {
        self.dialog.hop = Target::back_to(source);
        if let Some(contact) = response.headers.contact() {
            self.dialog.remote_target = contact.uri;
        }
        if first {
            if let Some(to) = response.headers.to() {
                self.dialog.remote = to;
            }
            self.dialog.route_set = response.headers.record_routes().unwrap_or_default();
            self.dialog.route_set.reverse();
        }
    }
}

impl Leg {
    /// An offer of ours in an early dialog awaits the answer to another request from now on.
    pub(super) fn early_goes_by(&mut self, before: TransactionId, after: TransactionId) {
        let State::Outgoing { early, .. } = &mut self.state else { return };
        for early in early {
            if let EarlyChange::Ours { client, .. } = &mut early.change
                && *client == before
            {
                *client = after;
            }
        }
    }

    pub(super) fn early_mut(&mut self, fork: Fork) -> Option<&mut Early> {
        match &mut self.state {
            State::Outgoing { early, .. } => early.iter_mut().find(|early| early.fork == fork),
            State::Incoming { .. }
            | State::Answered { .. }
            | State::Late { .. }
            | State::Confirmed
            | State::Closing => None,
        }
    }
}

impl Endpoint {
    /// A 1xx but 100 to a new call of ours, that is still wanted.
    pub(super) fn far_end_progresses(&mut self, calling: &mut Calling, response: Response, source: &Source, now: Now) {
        let tag = tag_of(&response);
        let fork = calling.fork_of(&tag);
        let (id, status) = (calling.leg, response.status);
        let mut sdp = sdp_of_response(&response);
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let prack = leg.manner.prack;
        let State::Outgoing { call, early, .. } = &mut leg.state else { return };
        // §12.1: without a tag there is no dialog.
        if tag.is_empty() {
            return self.tell_progress(id, fork, sdp, false, response);
        }
        // RFC 6228: this far end is done, others may not be.
        if status == Status::EARLY_DIALOG_TERMINATED {
            let gone = early.iter().position(|early| early.fork == fork).map(|place| early.swap_remove(place));
            self.leave_early(gone, now);
            return self.tell_progress(id, fork, None, false, response);
        }
        let place = match early.iter().position(|early| early.fork == fork) {
            Some(place) => place,
            None if early.len() >= MOST_FORKS => return,
            None => {
                let mut new = Early::new(fork, calling, &tag, call.sdp.is_some());
                new.place(&response, source, true);
                early.push(new);
                early.len().saturating_sub(1)
            }
        };
        let Some(far) = early.get_mut(place) else { return };
        let rseq = rseq_of(&response).filter(|_| prack != Support::Off);
        if let Some(rseq) = rseq {
            // RFC 3262 §4: a copy, or one before it is missing; that one will come again, and this one too.
            if far.rseq.is_some_and(|last| rseq != last.saturating_add(1)) {
                return;
            }
            far.rseq = Some(rseq);
        }
        far.place(&response, source, false);
        far.peer.learn(&response.headers);
        let mut offer = None;
        match (far.exchange, rseq) {
            // §13.2.1: only a reliable answer holds an offer.
            (Exchange::Owed, None) => sdp = None,
            (Exchange::Owed, Some(rseq)) => {
                if let Some(theirs) = sdp.take() {
                    far.exchange = Exchange::Turned;
                    far.change = EarlyChange::Pracking { rseq };
                    offer = Some(theirs);
                }
            }
            (Exchange::Offered, Some(_)) if sdp.is_some() => far.exchange = Exchange::Settled,
            (Exchange::Offered | Exchange::Settled | Exchange::Turned, _) => {}
        }
        if let Some(theirs) = sdp.as_ref().or(offer.as_ref()) {
            far.sdp = Some(theirs.clone());
        }
        let pracked = rseq.filter(|_| offer.is_none());
        if let Some(rseq) = pracked {
            self.send_prack(id, fork, calling.dialog.local_seq, rseq, None, now);
        }
        self.tell_progress(id, fork, sdp, rseq.is_some(), response);
        if let Some(sdp) = offer {
            self.event(Event::EarlyOffered { leg: id, fork, sdp });
        }
    }

    fn tell_progress(&mut self, leg: LegId, fork: Fork, sdp: Option<Bytes>, reliable: bool, response: Response) {
        let status = response.status;
        self.event(Event::Progress { leg, fork, status, sdp, reliable, response: Box::new(response) });
    }

    /// Acknowledges a reliable 1xx in its early dialog (RFC 3262 §4).
    fn send_prack(&mut self, id: LegId, fork: Fork, invite: u32, rseq: u32, sdp: Option<&[u8]>, now: Now) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let contact = leg.contact.clone();
        let Some(early) = leg.early_mut(fork) else { return };
        early.dialog.next_seq();
        let dialog = early.dialog.clone();
        let headers = vec![(Name::RAck, Text::from(format!("{rseq} {invite} INVITE")))];
        let body = sdp.map(|sdp| ("application/sdp", sdp));
        // Its answer says nothing: what is wrong shows in the INVITE's own.
        self.send_in(&dialog, &contact, Method::Prack, &headers, body, User::Nobody, now);
    }

    /// Answers [`Event::EarlyOffered`]: in the PRACK, or in the 200 to the UPDATE. One that was not asked is ignored.
    pub fn accept_early_offer(&mut self, id: LegId, fork: Fork, sdp: Bytes, now: Now) {
        let Some(leg) = self.legs.get_mut(&id).filter(|leg| !leg.over) else { return };
        // It answered in between: its offer is the leg's.
        if !matches!(leg.state, State::Outgoing { .. }) {
            return self.accept_offer(id, sdp, now);
        }
        let contact = leg.contact.clone();
        let Some(early) = leg.early_mut(fork) else { return };
        match std::mem::replace(&mut early.change, EarlyChange::None) {
            EarlyChange::Pracking { rseq } => {
                early.exchange = Exchange::Settled;
                leg.local_sdp = Some(sdp.clone());
                let Some(invite) = self.invite_seq(id) else { return };
                self.send_prack(id, fork, invite, rseq, Some(&sdp), now);
            }
            EarlyChange::Theirs { server, .. } => {
                let tag = early.dialog.local_tag.clone();
                leg.local_sdp = Some(sdp.clone());
                let headers = vec![(Name::Allow, self.allow())];
                let body = Some(("application/sdp", &sdp[..]));
                let plain = Answer::plain(Status::OK, &tag);
                self.give(server, Answer { contact: &contact, headers: &headers, body, ..plain }, now);
            }
            other @ (EarlyChange::None | EarlyChange::Ours { .. }) => early.change = other,
        }
    }

    /// Refuses [`Event::EarlyOffered`]: an UPDATE is refused and the far end rings on; an offer in a 1xx cannot be, so that
    /// this far end is hung up (§15: BYE is allowed in an early dialog).
    pub fn refuse_early_offer(&mut self, id: LegId, fork: Fork, status: Status, now: Now) {
        let Some(leg) = self.legs.get_mut(&id).filter(|leg| !leg.over) else { return };
        if !matches!(leg.state, State::Outgoing { .. }) {
            return self.refuse_offer(id, status, &Headers::new(), now);
        }
        let Some(early) = leg.early_mut(fork) else { return };
        match std::mem::replace(&mut early.change, EarlyChange::None) {
            EarlyChange::Pracking { rseq } => {
                let Some(invite) = self.invite_seq(id) else { return };
                self.send_prack(id, fork, invite, rseq, None, now);
                let Some(early) = self.legs.get_mut(&id).and_then(|leg| leg.early_mut(fork)) else { return };
                early.dialog.next_seq();
                let dialog = early.dialog.clone();
                self.bye_for(&dialog, User::Nobody, &reason::write(Cause::NoCommonCodec), now);
            }
            EarlyChange::Theirs { server, .. } => {
                let tag = early.dialog.local_tag.clone();
                let status = if status.is_failure() { status } else { Status::NOT_ACCEPTABLE_HERE };
                self.give(server, Answer::plain(status, &tag), now);
            }
            other @ (EarlyChange::None | EarlyChange::Ours { .. }) => early.change = other,
        }
    }

    /// The CSeq of the INVITE of a call that rings at its far ends.
    fn invite_seq(&self, id: LegId) -> Option<u32> {
        match self.legs.get(&id)?.state {
            State::Outgoing { .. } => self.legs.get(&id).map(|leg| leg.dialog.local_seq),
            State::Incoming { .. }
            | State::Answered { .. }
            | State::Late { .. }
            | State::Confirmed
            | State::Closing => None,
        }
    }

    /// A request of a far end that has not answered our INVITE yet.
    pub(super) fn receive_early(
        &mut self,
        id: LegId,
        request: Request,
        facts: &Facts,
        key: String,
        source: Source,
        now: Now,
    ) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let contact = leg.contact.clone();
        let State::Outgoing { early, .. } = &mut leg.state else { return };
        let Some(far) = early.iter_mut().find(|early| early.dialog.remote_tag == *facts.remote_tag()) else { return };
        if far.dialog.take_in_order(facts.seq) == Order::Stale {
            let refusal = super::check::Refusal::new(Status::SERVER_INTERNAL_ERROR).because("CSeq Is Out Of Order");
            return self.refuse_stateless(&request, &source, refusal);
        }
        far.dialog.hop = Target::back_to(&source);
        far.peer.learn(&request.headers);
        let (fork, tag, alone) = (far.fork, far.dialog.local_tag.clone(), early.len() == 1);
        let Some(reply) = Reply::to(&request.headers, &source) else { return };
        let server = self.begin_server(&request.method, facts, key, reply, Some(id), now);
        match request.method {
            Method::Update => self.receive_early_update(id, fork, server, &request, facts.seq, &contact, now),
            // It gave up after a 2xx that we never got, or does what it must not (§15): its part is over either way.
            Method::Bye => {
                self.give(server, Answer::plain(Status::OK, &tag), now);
                if alone {
                    self.hang_up(id, Cause::HungUpByCallee, now);
                } else if let Some(State::Outgoing { early, .. }) = self.legs.get_mut(&id).map(|leg| &mut leg.state) {
                    let gone = early.iter().position(|early| early.fork == fork).map(|place| early.swap_remove(place));
                    self.leave_early(gone, now);
                }
            }
            Method::Invite | Method::Prack => {
                self.give(server, Answer::plain(Status::CALL_DOES_NOT_EXIST, &tag), now);
            }
            Method::Info => self.event(Event::Info {
                leg: id,
                transaction: server,
                content_type: request.headers.get(Name::ContentType).map(Text::from),
                body: request.body,
            }),
            _ => self.report_request(server, request, source, Some(id)),
        }
    }

    /// Their UPDATE before the call is up (RFC 3311 §5.2).
    #[allow(clippy::too_many_arguments, reason = "the parts of a request and whose it is")]
    fn receive_early_update(
        &mut self,
        id: LegId,
        fork: Fork,
        server: TransactionId,
        request: &Request,
        seq: u32,
        contact: &str,
        now: Now,
    ) {
        let soon = self.soon();
        let Some(early) = self.legs.get_mut(&id).and_then(|leg| leg.early_mut(fork)) else { return };
        let tag = early.dialog.local_tag.clone();
        let offer = sdp_of_request(request);
        let refusal = match (&offer, early.exchange, &early.change) {
            (None, _, _) => None,
            (Some(_), Exchange::Settled, EarlyChange::None) => None,
            // An offer of theirs is not answered yet.
            (Some(_), Exchange::Turned, _)
            | (Some(_), _, EarlyChange::Theirs { .. } | EarlyChange::Pracking { .. }) => {
                Some(Status::SERVER_INTERNAL_ERROR)
            }
            // An offer of ours is not answered yet, or will be made.
            (Some(_), Exchange::Offered | Exchange::Owed, _) | (Some(_), _, EarlyChange::Ours { .. }) => {
                Some(Status::REQUEST_PENDING)
            }
        };
        if let Some(status) = refusal {
            let later = vec![(Name::RetryAfter, soon)];
            let headers = if status == Status::SERVER_INTERNAL_ERROR { later } else { Headers::new() };
            return self.give(server, Answer { headers: &headers, ..Answer::plain(status, &tag) }, now);
        }
        if let Some(target) = request.headers.contact() {
            early.dialog.remote_target = target.uri;
        }
        match offer {
            None => self.give(server, Answer { contact, ..Answer::plain(Status::OK, &tag) }, now),
            Some(sdp) => {
                early.change = EarlyChange::Theirs { server, seq };
                early.sdp = Some(sdp.clone());
                self.event(Event::EarlyOffered { leg: id, fork, sdp });
            }
        }
    }

    /// Offers a change to the far end that was heard of last, if one takes it. Gives the SDP back where none does.
    pub(super) fn update_early(&mut self, id: LegId, sdp: Bytes, now: Now) -> Option<Bytes> {
        let allow = self.allow();
        let Some(leg) = self.legs.get_mut(&id) else { return Some(sdp) };
        let (contact, wanted) = (leg.contact.clone(), leg.manner.update);
        let State::Outgoing { early, .. } = &mut leg.state else { return Some(sdp) };
        let ready = |early: &&mut Early| {
            wanted
                && early.peer.update
                && early.exchange == Exchange::Settled
                && matches!(early.change, EarlyChange::None)
        };
        let Some(far) = early.iter_mut().rev().find(ready) else { return Some(sdp) };
        far.dialog.next_seq();
        let (fork, dialog) = (far.fork, far.dialog.clone());
        let headers = vec![(Name::Allow, allow)];
        let body = Some(("application/sdp", &sdp[..]));
        let user = User::Updating(id, Some(fork));
        let client = self.send_in(&dialog, &contact, Method::Update, &headers, body, user, now);
        if let Some(early) = self.legs.get_mut(&id).and_then(|leg| leg.early_mut(fork)) {
            early.change = EarlyChange::Ours { client, sdp };
        }
        None
    }

    /// Our UPDATE in an early dialog was answered. Says whether it was one.
    pub(super) fn early_update_answered(&mut self, id: LegId, fork: Fork, result: Result<&Response, Status>) -> bool {
        let Some(leg) = self.legs.get_mut(&id) else { return true };
        let Some(early) = leg.early_mut(fork) else {
            // It answered in between: the change is the leg's.
            return matches!(leg.state, State::Outgoing { .. });
        };
        let EarlyChange::Ours { sdp, .. } = std::mem::replace(&mut early.change, EarlyChange::None) else {
            return true;
        };
        let result = match result {
            Ok(response) if response.status.is_success() => {
                if let Some(contact) = response.headers.contact() {
                    early.dialog.remote_target = contact.uri;
                }
                let theirs = sdp_of_response(response);
                early.sdp.clone_from(&theirs);
                leg.local_sdp = Some(sdp);
                Ok(theirs)
            }
            Ok(response) => Err(response.status),
            Err(status) => Err(status),
        };
        self.event(Event::Modified { leg: id, result });
        true
    }

    /// The far ends of a call that is no more.
    pub(super) fn leave_all_early(&mut self, id: LegId, now: Now) {
        if let Some(State::Outgoing { early, .. }) = self.legs.get_mut(&id).map(|leg| &mut leg.state) {
            let gone = std::mem::take(early);
            self.leave_early(gone, now);
        }
    }

    /// Far ends that did not win: what they still ask is refused.
    pub(super) fn leave_early(&mut self, gone: impl IntoIterator<Item = Early>, now: Now) {
        for early in gone {
            if let EarlyChange::Theirs { server, .. } = early.change {
                let tag = early.dialog.local_tag.clone();
                self.give(server, Answer::plain(Status::CALL_DOES_NOT_EXIST, &tag), now);
            }
        }
    }
}

/// The far end's tag.
pub(super) fn tag_of(response: &Response) -> Text {
    response.headers.to().and_then(|to| to.tag().map(Text::from)).unwrap_or_default()
}

/// The RSeq of a reliable provisional answer (RFC 3262 §7.1).
fn rseq_of(response: &Response) -> Option<u32> {
    let reliable = response.headers.require().any(|tag| tag.eq_ignore_ascii_case("100rel"));
    let rseq = response.headers.get(Name::RSeq)?.trim().parse().ok()?;
    (reliable && rseq > 0).then_some(rseq)
}
