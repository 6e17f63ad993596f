//! The end of a leg from either side (RFC 3261 §15), and its timers.

use std::time::Duration;

use super::clients::{Cancel, User};
use super::inbound::reasons_of;
use super::leg::{Change, LegTimer, State};
use super::{Endpoint, Event, TimerKey, TransactionId};
use crate::base::{Cause, LegId, Now};
use crate::sip::dialog::Dialog;
use crate::sip::reason::{self, Reason};
use crate::sip::refusal_for;
use crate::sip::reply::Answer;
use crate::sip::transaction::ServerInput;
use crate::wire::sip::{Method, Name, Request, Status, Text};

/// A provisional answer is repeated each minute, or proxies give up after three (§13.3.1.1).
pub(super) const REFRESH: Duration = Duration::from_secs(60);

impl Endpoint {
    /// Ends a leg in whichever way its state asks for: a refusal, a CANCEL, a BYE now or after the ACK.
    /// [`Event::Ended`] with this cause follows at once.
    pub fn hang_up(&mut self, id: LegId, cause: Cause, now: Now) {
        let Some(leg) = self.legs.get_mut(&id).filter(|leg| !leg.over) else { return };
        match &mut leg.state {
            State::Incoming { .. } => self.refuse(id, refusal_for(cause), cause, &Vec::new(), now),
            // §15: the called side must not send BYE before the ACK or its absence.
            State::Answered { then, .. } => {
                *then = Some(cause);
                self.tell_end(id, cause, Vec::new());
            }
            State::Outgoing { client, .. } => {
                let client = *client;
                self.abandon(client, cause, now);
                self.tell_end(id, cause, Vec::new());
                self.leave_all_early(id, now);
                self.forget(id);
            }
            State::Late { .. } | State::Confirmed => {
                self.tell_end(id, cause, Vec::new());
                self.send_bye(id, cause, now);
            }
            State::Closing => {}
        }
    }

    /// What the Reason header of a leg's BYE is to say: another far end's own words, passed on (RFC 3326).
    pub fn pass_on_reason(&mut self, id: LegId, reason: Text) {
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.why = Some(reason);
        }
    }

    /// No longer wants an INVITE of ours: CANCEL now, or with the first provisional answer (§9.1).
    pub(super) fn abandon(&mut self, client: TransactionId, cause: Cause, now: Now) {
        let Some(User::Calling(calling)) = self.clients.get_mut(&client).map(|client| &mut client.user) else { return };
        calling.abandoned = Some(cause);
        // Should a 2xx cross the CANCEL, its BYE counts on from here.
        if let Some(State::Outgoing { early, .. }) = self.legs.get(&calling.leg).map(|leg| &leg.state) {
            for early in early {
                calling.note_seq(&early.dialog.remote_tag, early.dialog.local_seq);
            }
        }
        let sent = calling.provisional && calling.cancel == Cancel::No;
        match (sent, calling.cancel) {
            (true, _) => calling.cancel = Cancel::Sent,
            (false, Cancel::No) => calling.cancel = Cancel::Wanted,
            (false, Cancel::Wanted | Cancel::Sent) => {}
        }
        if sent {
            self.send_cancel(client, cause, now);
        }
    }

    /// Sends BYE and awaits its answer; what was pending in the dialog is ended first.
    pub(super) fn send_bye(&mut self, id: LegId, cause: Cause, now: Now) {
        self.disarm(id, &LegTimer::ALL);
        // A 2xx is acknowledged before its call is ended.
        self.acknowledge_late(id, None);
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.state = State::Closing;
        leg.waiting = None;
        let change = std::mem::replace(&mut leg.change, Change::None);
        let tag = leg.dialog.local_tag.clone();
        match change {
            Change::Theirs { server, .. } => {
                self.give(server, Answer::plain(Status::REQUEST_TERMINATED, &tag), now);
            }
            Change::Ours { client, .. } => self.abandon(client, cause, now),
            Change::Unacked { .. } | Change::Asked { .. } | Change::None => {}
        }
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.dialog.next_seq();
        let dialog = leg.dialog.clone();
        let why = leg.why.take().map_or_else(|| reason::write(cause), |why| why.to_string());
        self.bye_for(&dialog, User::Bye(id), &why, now);
    }

    /// Refuses what of theirs waits in a call that ends before it was up.
    pub(super) fn refuse_pending(&mut self, id: LegId, now: Now) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let tag = leg.dialog.local_tag.clone();
        if let Change::Theirs { server, .. } = std::mem::replace(&mut leg.change, Change::None) {
            self.give(server, Answer::plain(Status::REQUEST_TERMINATED, &tag), now);
        }
    }

    /// A BYE in a dialog, whose CSeq the caller has counted.
    pub(super) fn bye_for(&mut self, dialog: &Dialog, user: User, reason: &str, now: Now) {
        let headers = vec![(Name::Reason, Text::from(reason))];
        self.send_in(dialog, "", Method::Bye, &headers, None, user, now);
    }

    /// Their BYE (§15.1.2). It may come before the ACK, across our own, or instead of a CANCEL.
    pub(super) fn receive_bye(&mut self, id: LegId, transaction: TransactionId, request: &Request, now: Now) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let tag = leg.dialog.local_tag.clone();
        let outbound = leg.dialog.outbound;
        let change = std::mem::replace(&mut leg.change, Change::None);
        let early = match leg.state {
            State::Incoming { server, .. } => Some(server),
            State::Answered { .. }
            | State::Late { .. }
            | State::Confirmed
            | State::Closing
            | State::Outgoing { .. } => None,
        };
        self.give(transaction, Answer::plain(Status::OK, &tag), now);
        self.terminate_asked(id, now);
        // §15.1.2: requests that still wait are answered with 487.
        let pending = match change {
            Change::Theirs { server, .. } => Some(server),
            Change::None | Change::Unacked { .. } | Change::Asked { .. } | Change::Ours { .. } => None,
        };
        for server in early.into_iter().chain(pending) {
            self.give(server, Answer::plain(Status::REQUEST_TERMINATED, &tag), now);
        }
        if let Change::Ours { client, .. } = change {
            self.abandon(client, Cause::HungUp, now);
        }
        let cause = match (early, outbound) {
            (Some(_), _) => Cause::Cancelled,
            (None, true) => Cause::HungUpByCallee,
            (None, false) => Cause::HungUp,
        };
        self.tell_end(id, cause, reasons_of(request));
        self.forget(id);
    }

    /// Tells the user that a leg is over, if it has not been told.
    pub(super) fn tell_end(&mut self, id: LegId, cause: Cause, reasons: Vec<Reason>) {
        if let Some(leg) = self.legs.get_mut(&id).filter(|leg| !leg.over) {
            leg.over = true;
            self.live = self.live.saturating_sub(1);
            self.counters.ended += 1;
            self.event(Event::Ended { leg: id, cause, reasons });
        }
    }

    /// Forgets a leg with all that belongs to it, transactions apart.
    pub(super) fn forget(&mut self, id: LegId) {
        self.disarm(id, &LegTimer::ALL);
        self.refers_outlive(id);
        if let Some(leg) = self.legs.remove(&id) {
            self.by_tag.remove(&leg.dialog.local_tag);
            if !leg.over {
                self.live = self.live.saturating_sub(1);
            }
        }
    }

    pub(super) fn disarm(&mut self, id: LegId, timers: &[LegTimer]) {
        for timer in timers {
            self.timers.disarm(&TimerKey::Leg(id, *timer));
        }
    }

    pub(super) fn leg_timer(&mut self, id: LegId, timer: LegTimer, now: Now) {
        let timing = self.settings.timing;
        let Some(leg) = self.legs.get_mut(&id) else { return };
        match timer {
            LegTimer::Again => {
                let (server, interval) = match (&mut leg.state, &mut leg.change) {
                    (State::Answered { server, interval, .. }, _) => (*server, interval),
                    (State::Confirmed, Change::Unacked { server, interval, .. }) => (*server, interval),
                    _ => return,
                };
                *interval = timing.back_off(*interval);
                let next = *interval;
                self.counters.retransmissions_sent += 1;
                self.server_input(server, ServerInput::Respond(200), now);
                self.timers.arm(TimerKey::Leg(id, timer), now.mono + next);
            }
            // §13.3.1.4: the session is taken to be up, and is ended by BYE.
            LegTimer::NoAck => {
                let cause = match leg.state {
                    State::Answered { then: Some(cause), .. } => cause,
                    _ => Cause::NoAck,
                };
                self.tell_end(id, cause, Vec::new());
                self.send_bye(id, cause, now);
            }
            LegTimer::Refresh => {
                let State::Incoming { server, .. } = leg.state else { return };
                self.server_input(server, ServerInput::Repeated, now);
                self.timers.arm(TimerKey::Leg(id, timer), now.mono + REFRESH);
            }
            LegTimer::Ring => {
                self.refuse(id, Status::TEMPORARILY_UNAVAILABLE, Cause::NoAnswer, &Vec::new(), now);
            }
            LegTimer::Retry => self.offer_waiting(id, now),
            LegTimer::Provisional => self.repeat_provisional(id, now),
            LegTimer::NoPrack => self.give_up_provisional(id, now),
            LegTimer::Renew => self.renew(id, now),
            LegTimer::Expire => self.expire(id, now),
        }
    }
}
