//! A REFER that we send, and the reports about it (RFC 3515 §2.4).

use std::time::Duration;

use super::{Endpoint, Refer, ReferId, ReferStep, SUBSCRIPTION, User, declines_reports, event_of};
use crate::base::{Cause, LegId, Now};
use crate::sip::endpoint::leg::State;
use crate::sip::endpoint::{Event, Headers, TransactionId, Unanswered};
use crate::sip::refer_to::ReferTo;
use crate::sip::reply::Answer;
use crate::wire::sip::{Method, Name, Params, Request, Response, Status, Text};

/// A REFER of ours.
pub(super) struct Ours {
    /// Its CSeq, which names the subscription.
    seq: u32,
    state: Phase,
    /// Its header fields, while it waits for the ACK to our 2xx: a far end that has not heard our answer yet knows no call
    /// in which it could be asked.
    waiting: Option<Headers>,
}

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It awaits its answer; whether we want reports.
    Asking { reports: bool },
    /// Taken on; reports come.
    Accepted,
    /// The last step was told; what still comes of reports is answered and passed over.
    Told,
}

impl Ours {
    /// Whether nothing of it outlives its call: all is told, or nothing was asked.
    pub(super) fn is_over(&self) -> bool {
        self.state == Phase::Told || self.waiting.is_some()
    }
}

impl Endpoint {
    /// Asks the far end of a call to call somebody (RFC 3515); [`Event::ReferProgress`] follows. `reports` says whether
    /// we want to hear what comes of it; a far end that cannot report is told that none is wanted (RFC 4488). A call that we
    /// answered is asked once the far end has acknowledged that. None if the call is not up.
    pub fn refer(&mut self, leg: LegId, to: &ReferTo, reports: bool, headers: &Headers, now: Now) -> Option<ReferId> {
        let unacknowledged = match self.legs.get(&leg).filter(|leg| !leg.over)?.state {
            State::Confirmed => false,
            State::Answered { then: None, .. } => true,
            _ => return None,
        };
        let id = self.refers.fresh();
        let mut headers = headers.clone();
        headers.push((Name::ReferTo, Text::from(to.to_string())));
        if !reports {
            headers.push((Name::ReferSub, Text::from_static("false")));
            headers.push((Name::Supported, Text::from_static("norefersub")));
        }
        let (seq, waiting) = match unacknowledged {
            true => (0, Some(headers)),
            false => (self.send_of(leg, Method::Refer, &headers, None, User::Refer(leg, id), now)?.1, None),
        };
        self.refers.open.insert((leg, id), Refer::Ours(Ours { seq, state: Phase::Asking { reports }, waiting }));
        Some(id)
    }

    /// The far end has acknowledged our answer: sends what waited for that.
    pub(in crate::sip::endpoint) fn send_waiting_refers(&mut self, leg: LegId, now: Now) {
        let waiting = |(id, refer): (ReferId, &Refer)| match refer {
            Refer::Ours(Ours { waiting: Some(headers), .. }) => Some((id, headers.clone())),
            Refer::Ours(_) | Refer::Theirs(_) => None,
        };
        let waiting: Vec<_> = self.refers.of(leg).filter_map(waiting).collect();
        for (id, headers) in waiting {
            let Some((_, seq)) = self.send_of(leg, Method::Refer, &headers, None, User::Refer(leg, id), now) else {
                continue;
            };
            if let Some(Refer::Ours(ours)) = self.refers.open.get_mut(&(leg, id)) {
                (ours.seq, ours.waiting) = (seq, None);
            }
        }
    }

    /// A REFER of ours was finally answered, or was not.
    pub(in crate::sip::endpoint) fn refer_answered(
        &mut self,
        leg: LegId,
        id: ReferId,
        result: Result<Response, Unanswered>,
        now: Now,
    ) {
        let Some(Refer::Ours(ours)) = self.refers.open.get_mut(&(leg, id)) else { return };
        // A NOTIFY may have come before the answer, and says the same.
        let Phase::Asking { reports } = ours.state else { return };
        match result {
            Ok(response) if response.status.is_success() => {
                let subscribed = reports && !declines_reports(&response.headers);
                ours.state = if subscribed { Phase::Accepted } else { Phase::Told };
                // Timer N (RFC 6665 §4.1.2.4).
                let patience = if subscribed { self.settings.timing.give_up() } else { SUBSCRIPTION };
                self.arm_refer(leg, id, now.mono + patience);
                self.tell_refer(leg, id, ReferStep::Accepted { subscribed });
            }
            Ok(response) => {
                self.close_refer(leg, id);
                let gone = response.status == Status::CALL_DOES_NOT_EXIST;
                self.tell_refer(leg, id, ReferStep::Refused(Box::new(response)));
                // §12.2.1.2: the far end knows nothing of this call.
                if gone {
                    self.hang_up(leg, Cause::TransportFailed, now);
                }
            }
            Err(why) => {
                self.close_refer(leg, id);
                self.tell_refer(leg, id, ReferStep::Unanswered(why));
            }
        }
    }

    /// NOTIFY: how the call that we asked for fares.
    pub(super) fn receive_report(&mut self, leg: LegId, server: TransactionId, request: &Request, now: Now) {
        let tag = self.tag_in(leg);
        let asked = event_of(request).flatten();
        let found = self.refers.of(leg).find_map(|(id, refer)| match refer {
            Refer::Ours(ours) if ours.waiting.is_none() && asked.is_none_or(|seq| seq == ours.seq) => {
                Some((id, ours.state))
            }
            Refer::Ours(_) | Refer::Theirs(_) => None,
        });
        let Some((id, state)) = found else {
            return self.give(server, Answer::plain(Status::CALL_DOES_NOT_EXIST, &tag), now);
        };
        self.give(server, Answer::plain(Status::OK, &tag), now);
        let (over, expires) = subscription_state(request);
        if state == Phase::Told {
            if over {
                self.close_refer(leg, id);
            }
            return;
        }
        if let Phase::Asking { .. } = state {
            self.tell_refer(leg, id, ReferStep::Accepted { subscribed: true });
        }
        let status = status_of(&request.body);
        let last = match status {
            Some(status) if status.is_final() => Some(ReferStep::Finished(status)),
            Some(_) | None if over => Some(ReferStep::Lost),
            Some(_) | None => None,
        };
        match (last, status) {
            (Some(step), _) => {
                if over {
                    self.close_refer(leg, id);
                } else {
                    self.set_ours(leg, id, Phase::Told);
                    self.arm_refer(leg, id, now.mono + SUBSCRIPTION);
                }
                self.tell_refer(leg, id, step);
            }
            (None, status) => {
                self.set_ours(leg, id, Phase::Accepted);
                self.arm_refer(leg, id, now.mono + expires.unwrap_or(SUBSCRIPTION));
                if let Some(status) = status {
                    self.tell_refer(leg, id, ReferStep::Progress(status));
                }
            }
        }
    }

    pub(super) fn expire_ours(&mut self, leg: LegId, id: ReferId) {
        let Some(Refer::Ours(ours)) = self.refers.open.get(&(leg, id)) else { return };
        let told = ours.state == Phase::Told;
        self.close_refer(leg, id);
        if !told {
            self.tell_refer(leg, id, ReferStep::Lost);
        }
    }

    /// A REFER of ours went out again with credentials; its new CSeq names the subscription.
    pub(in crate::sip::endpoint) fn refer_is_asked_again(&mut self, leg: LegId, id: ReferId, seq: u32) {
        if let Some(Refer::Ours(ours)) = self.refers.open.get_mut(&(leg, id)) {
            ours.seq = seq;
        }
    }

    fn set_ours(&mut self, leg: LegId, id: ReferId, state: Phase) {
        if let Some(Refer::Ours(ours)) = self.refers.open.get_mut(&(leg, id)) {
            ours.state = state;
        }
    }

    fn tell_refer(&mut self, leg: LegId, refer: ReferId, step: ReferStep) {
        self.event(Event::ReferProgress { leg, refer, step });
    }
}

/// Whether a NOTIFY is the last, and how much longer the subscription lasts otherwise.
fn subscription_state(request: &Request) -> (bool, Option<Duration>) {
    let value = request.headers.get(Name::SubscriptionState).unwrap_or_default();
    let (state, params) = value.split_at(value.find(';').unwrap_or(value.len()));
    let expires =
        Params::parse(params).ok().and_then(|params| params.get("expires").and_then(|text| text.parse().ok()));
    // An hour bounds what a far end may have us keep.
    let expires = expires.map(|seconds: u32| Duration::from_secs(u64::from(seconds.clamp(1, 3600))));
    (state.trim().eq_ignore_ascii_case("terminated"), expires)
}

/// The status line of a sipfrag (RFC 3420).
fn status_of(body: &[u8]) -> Option<Status> {
    let code = body.trim_ascii_start().strip_prefix(b"SIP/2.0 ")?.get(..3)?;
    let code: u16 = std::str::from_utf8(code).ok()?.parse().ok()?;
    (100..700).contains(&code).then_some(Status(code))
}
