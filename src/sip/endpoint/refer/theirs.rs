//! A REFER that came: the user takes it on or not, and says how the call it asked for fares (RFC 3515 §2.4).

use super::{Endpoint, MAX_REFERS, Refer, ReferId, SUBSCRIPTION, User, declines_reports, event_of};
use crate::base::{Instant, LegId, Now};
use crate::sip::endpoint::leg::State;
use crate::sip::endpoint::{Event, Headers, TransactionId};
use crate::sip::refer_to::ReferTo;
use crate::sip::reply::Answer;
use crate::sip::transport::Source;
use crate::sip::uui::Uui;
use crate::wire::sip::{Method, Name, Request, Scheme, Status, Text};

/// Where a REFER of theirs stands.
pub(super) enum Theirs {
    /// The user has not answered.
    Asked {
        server: TransactionId,
        /// Its CSeq, which names the subscription.
        seq: u32,
        /// They want no reports (RFC 4488).
        quiet: bool,
    },
    /// Taken on, and reported upon.
    Subscribed(Subscription),
}

/// What they are told, and when.
pub(super) struct Subscription {
    seq: u32,
    /// Whether the Event header names the REFER: in all but the first of a dialog (RFC 3515 §2.4.6).
    named: bool,
    until: Instant,
    latest: Status,
    /// A NOTIFY awaits its answer: the next waits for it, and only the latest of those that wait goes out.
    sending: bool,
    waiting: bool,
    /// Why it ends, once it does.
    ends: Option<&'static str>,
}

impl Endpoint {
    /// Takes on what [`Event::Referred`] asks for: 202, and reports by NOTIFY begin where they are wanted.
    pub fn accept_refer(&mut self, leg: LegId, id: ReferId, now: Now) {
        let Some(Refer::Theirs(Theirs::Asked { server, seq, quiet })) = self.refers.open.get(&(leg, id)) else {
            return;
        };
        let (server, seq, quiet) = (*server, *seq, *quiet);
        let (tag, contact) = (self.tag_in(leg), self.contact_in(leg));
        let mut headers = Headers::new();
        if quiet {
            headers.push((Name::ReferSub, Text::from_static("false")));
        }
        let plain = Answer::plain(Status::ACCEPTED, &tag);
        self.give(server, Answer { contact: &contact, headers: &headers, ..plain }, now);
        if quiet {
            return self.close_refer(leg, id);
        }
        let named = !self.refers.reported.insert(leg);
        let until = now.mono + SUBSCRIPTION;
        let latest = Status::TRYING;
        let subscription = Subscription { seq, named, until, latest, sending: false, waiting: false, ends: None };
        self.refers.open.insert((leg, id), Refer::Theirs(Theirs::Subscribed(subscription)));
        self.arm_refer(leg, id, until);
        self.notify(leg, id, now);
    }

    /// Does not take on what [`Event::Referred`] asks for.
    pub fn refuse_refer(&mut self, leg: LegId, id: ReferId, status: Status, headers: &Headers, now: Now) {
        let Some(Refer::Theirs(Theirs::Asked { server, .. })) = self.refers.open.get(&(leg, id)) else { return };
        let (server, tag) = (*server, self.tag_in(leg));
        let status = if status.is_failure() { status } else { Status::DECLINE };
        self.close_refer(leg, id);
        self.give(server, Answer { headers, ..Answer::plain(status, &tag) }, now);
    }

    /// Tells the referrer how the call fares, by a NOTIFY with a status line. A final status is the last report. Where
    /// they want no reports nothing is sent.
    pub fn report_refer(&mut self, leg: LegId, id: ReferId, status: Status, now: Now) {
        let Some(Refer::Theirs(Theirs::Subscribed(subscription))) = self.refers.open.get_mut(&(leg, id)) else {
            return;
        };
        if subscription.ends.is_some() || subscription.latest == status {
            return;
        }
        subscription.latest = status;
        if status.is_final() {
            subscription.ends = Some("noresource");
        }
        self.notify(leg, id, now);
    }

    /// Sends the latest status, or lets it wait for the answer to the one before.
    fn notify(&mut self, leg: LegId, id: ReferId, now: Now) {
        let Some(Refer::Theirs(Theirs::Subscribed(subscription))) = self.refers.open.get_mut(&(leg, id)) else {
            return;
        };
        if subscription.sending {
            subscription.waiting = true;
            return;
        }
        subscription.sending = true;
        let event = match subscription.named {
            true => format!("refer;id={}", subscription.seq),
            false => "refer".to_owned(),
        };
        let state = match subscription.ends {
            Some(reason) => format!("terminated;reason={reason}"),
            None => format!("active;expires={}", subscription.until.since(now.mono).as_secs()),
        };
        let line = format!("SIP/2.0 {}\r\n", subscription.latest);
        let headers = vec![(Name::Event, Text::from(event)), (Name::SubscriptionState, Text::from(state))];
        let body = Some(("message/sipfrag;version=2.0", line.as_bytes()));
        if self.send_of(leg, Method::Notify, &headers, body, User::Notify(leg, id), now).is_none() {
            self.close_refer(leg, id);
        }
    }

    /// A NOTIFY of ours was answered, or was not. A far end that does not know the subscription any more has ended it;
    /// the call is another matter (RFC 5057 §5.1).
    pub(in crate::sip::endpoint) fn notified(&mut self, leg: LegId, id: ReferId, status: Option<Status>, now: Now) {
        let Some(Refer::Theirs(Theirs::Subscribed(subscription))) = self.refers.open.get_mut(&(leg, id)) else {
            return;
        };
        subscription.sending = false;
        let wanted = status.is_some_and(Status::is_success);
        if wanted && subscription.waiting {
            subscription.waiting = false;
            self.notify(leg, id, now);
        } else if !wanted || subscription.ends.is_some() {
            self.close_refer(leg, id);
        }
    }

    pub(super) fn expire_theirs(&mut self, leg: LegId, id: ReferId, now: Now) {
        let Some(Refer::Theirs(Theirs::Subscribed(subscription))) = self.refers.open.get_mut(&(leg, id)) else {
            return;
        };
        if subscription.ends.is_none() {
            subscription.ends = Some("timeout");
            self.notify(leg, id, now);
        }
    }

    pub(super) fn receive_refer(
        &mut self,
        leg: LegId,
        server: TransactionId,
        request: Request,
        seq: u32,
        source: Source,
        now: Now,
    ) {
        let tag = self.tag_in(leg);
        let up = self.legs.get(&leg).is_some_and(|leg| matches!(leg.state, State::Confirmed | State::Answered { .. }));
        let to = ReferTo::of(&request.headers);
        let refusal = match &to {
            Err(problem) => Some(problem.status()),
            Ok(to) if to.uri.scheme() == Scheme::Other => Some(Status::UNSUPPORTED_URI_SCHEME),
            // Nothing but calls is made for others.
            Ok(to) if to.method != Method::Invite => Some(Status::DECLINE),
            Ok(_) if !up => Some(Status::DECLINE),
            Ok(_) if self.refers.of(leg).count() >= MAX_REFERS => Some(Status::REQUEST_PENDING),
            Ok(_) => None,
        };
        let (to, refusal) = (to.ok(), refusal);
        let (Some(to), None) = (to, refusal) else {
            let status = refusal.unwrap_or(Status::BAD_REQUEST);
            return self.give(server, Answer::plain(status, &tag), now);
        };
        // A REFER refreshes the target (RFC 3515 §2.2).
        if let (Some(contact), Some(leg)) = (request.headers.contact(), self.legs.get_mut(&leg)) {
            leg.dialog.remote_target = contact.uri;
        }
        let id = self.refers.fresh();
        let quiet = declines_reports(&request.headers);
        self.refers.open.insert((leg, id), Refer::Theirs(Theirs::Asked { server, seq, quiet }));
        let referred_by = request.headers.name_addr(Name::ReferredBy).map(Box::new);
        let mut uui = to.uui.clone();
        uui.extend(Uui::all(&request.headers));
        let (to, request) = (Box::new(to), Box::new(request));
        self.event(Event::Referred { leg, refer: id, to, referred_by, uui, request, source });
    }

    /// SUBSCRIBE to what a REFER began: longer, or no more (RFC 3515 §2.4.4).
    pub(super) fn receive_resubscription(&mut self, leg: LegId, server: TransactionId, request: &Request, now: Now) {
        let tag = self.tag_in(leg);
        let asked = event_of(request).flatten();
        let found = self.refers.of(leg).find_map(|(id, refer)| match refer {
            Refer::Theirs(Theirs::Subscribed(s)) if asked.is_none_or(|seq| seq == s.seq) => Some(id),
            _ => None,
        });
        let Some(id) = found else {
            return self.give(server, Answer::plain(Status::CALL_DOES_NOT_EXIST, &tag), now);
        };
        let Some(Refer::Theirs(Theirs::Subscribed(subscription))) = self.refers.open.get_mut(&(leg, id)) else {
            return;
        };
        let most = u32::try_from(SUBSCRIPTION.as_secs()).unwrap_or(u32::MAX);
        let expires = request.headers.expires().unwrap_or(most).min(most);
        let until = now.mono + std::time::Duration::from_secs(u64::from(expires));
        subscription.until = until;
        if expires == 0 {
            subscription.ends = Some("timeout");
        }
        let contact = self.contact_in(leg);
        let headers = vec![(Name::Expires, Text::from(expires.to_string()))];
        let plain = Answer::plain(Status::OK, &tag);
        self.give(server, Answer { contact: &contact, headers: &headers, ..plain }, now);
        if expires > 0 {
            self.arm_refer(leg, id, until);
        }
        self.notify(leg, id, now);
    }
}
