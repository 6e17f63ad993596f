//! Provisional answers of ours that must arrive (RFC 3262 §3): each goes out again until its PRACK.
//!
//! ```text
//!   ring ── unacknowledged: queue ── else send ── again after T1, 2·T1, … ── 64·T1: 504 and the end
//!                                          PRACK ── the next of the queue ── the 2xx that waited
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::leg::{Change, Exchange, Leg, LegTimer, State};
use super::receive::sdp_of_request;
use super::session::Asked;
use super::{Endpoint, Event, Headers, SendRef, TimerKey, TransactionId};
use crate::base::{Cause, LegId, Now, Support};
use crate::sip::reply::Answer;
use crate::wire::sip::{Method, Name, Request, Status, Text};

/// How many reliable provisional answers wait for the one before them. More: a user that rings without pause fills
/// memory. Less: a 183 after several 180 is lost.
const MOST_QUEUED: usize = 8;

/// The reliable provisional answers of a leg.
#[derive(Default)]
pub(super) struct Reliable {
    /// The RSeq used last; 0 before the first.
    last: u32,
    unacked: Option<Unacked>,
    queue: VecDeque<Provisional>,
    /// The 2xx that waits for the PRACK.
    answer: Option<(Bytes, Headers)>,
}

/// One that went out and was not acknowledged.
struct Unacked {
    rseq: u32,
    bytes: Bytes,
    interval: Duration,
    has_sdp: bool,
}

/// One that waits for its turn.
struct Provisional {
    status: Status,
    sdp: Option<Bytes>,
    headers: Headers,
}

impl Reliable {
    /// Whether a 2xx has to wait: the far end may not have the SDP of ours (§3).
    pub(super) fn holds_answer(&self) -> bool {
        self.unacked.as_ref().is_some_and(|unacked| unacked.has_sdp)
    }

    /// Whether all of ours were acknowledged.
    pub(super) fn is_idle(&self) -> bool {
        self.unacked.is_none() && self.queue.is_empty()
    }

    /// Keeps a 2xx for later.
    pub(super) fn hold(&mut self, sdp: Bytes, headers: Headers) {
        self.answer = Some((sdp, headers));
    }

    /// A final answer goes out: nothing waits any more. A PRACK that is on its way still finds what it acknowledges.
    pub(super) fn finish(&mut self) {
        self.queue.clear();
        self.answer = None;
    }
}

impl Leg {
    /// Whether a provisional answer of ours is to be reliable: where it is demanded, or where SDP has to arrive and the
    /// far end knows how.
    pub(super) fn rings_reliably(&self, has_sdp: bool) -> bool {
        match (self.manner.prack, self.peer.prack) {
            (Support::Off, _) | (_, Support::Off) => false,
            (Support::Require, _) | (_, Support::Require) => true,
            (Support::Supported, Support::Supported) => has_sdp,
        }
    }
}

impl Endpoint {
    /// Sends a reliable provisional answer, or has it wait for the one before.
    pub(super) fn ring_reliably(&mut self, id: LegId, status: Status, sdp: Option<Bytes>, headers: &Headers, now: Now) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let provisional = Provisional { status, sdp, headers: headers.clone() };
        if leg.reliable.unacked.is_some() {
            // Without SDP one more says nothing that the last in the queue will not.
            if leg.reliable.queue.len() < MOST_QUEUED {
                leg.reliable.queue.push_back(provisional);
            }
            return;
        }
        self.send_reliably(id, provisional, now);
    }

    fn send_reliably(&mut self, id: LegId, provisional: Provisional, now: Now) {
        let first = 1 + u32::try_from(self.rng.below(10_000)).unwrap_or(0);
        let interval = self.settings.timing.t1;
        let allow = self.allow();
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let State::Incoming { server, exchange, .. } = &mut leg.state else { return };
        let server = *server;
        let Provisional { status, sdp, mut headers } = provisional;
        // Once offer and answer are certain, no 1xx holds SDP (§5).
        let sdp = sdp.filter(|_| *exchange != Exchange::Settled);
        if sdp.is_some() {
            *exchange = if *exchange == Exchange::Offered { Exchange::Settled } else { Exchange::Turned };
            leg.local_sdp.clone_from(&sdp);
        }
        let rseq = if leg.reliable.last == 0 { first } else { leg.reliable.last.saturating_add(1) };
        leg.reliable.last = rseq;
        headers.push((Name::Require, Text::from("100rel")));
        headers.push((Name::RSeq, Text::from(rseq.to_string())));
        headers.push((Name::Allow, allow));
        let (tag, contact) = (leg.dialog.local_tag.clone(), leg.contact.clone());
        let body = sdp.as_deref().map(|sdp| ("application/sdp", sdp));
        let plain = Answer::plain(status, &tag);
        self.give(server, Answer { contact: &contact, dialog: true, headers: &headers, body, ..plain }, now);
        let bytes = self.servers.get(&server).map(|server| server.latest.clone()).unwrap_or_default();
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.reliable.unacked = Some(Unacked { rseq, bytes, interval, has_sdp: sdp.is_some() });
        }
        self.timers.arm(TimerKey::Leg(id, LegTimer::Provisional), now.mono + interval);
        self.timers.arm(TimerKey::Leg(id, LegTimer::NoPrack), now.mono + self.settings.timing.give_up());
    }

    /// No PRACK yet: once more, after twice as long (§3).
    pub(super) fn repeat_provisional(&mut self, id: LegId, now: Now) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let State::Incoming { server, .. } = leg.state else { return };
        let Some(unacked) = &mut leg.reliable.unacked else { return };
        unacked.interval = unacked.interval.saturating_mul(2);
        let (next, bytes) = (unacked.interval, unacked.bytes.clone());
        let Some(to) = self.servers.get(&server).map(|server| server.reply.target) else { return };
        self.counters.retransmissions_sent += 1;
        self.counters.responses_sent += 1;
        self.send(to, bytes, SendRef::Server(server));
        self.timers.arm(TimerKey::Leg(id, LegTimer::Provisional), now.mono + next);
    }

    /// No PRACK came (§3).
    pub(super) fn give_up_provisional(&mut self, id: LegId, now: Now) {
        self.refuse(id, Status::SERVER_TIMEOUT, Cause::NoAck, &Headers::new(), now);
    }

    /// Their PRACK (§3): 481 where it acknowledges nothing of ours.
    pub(super) fn receive_prack(&mut self, id: LegId, server: TransactionId, request: &Request, seq: u32, now: Now) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let tag = leg.dialog.local_tag.clone();
        let invite = match &leg.state {
            State::Incoming { seq, .. } | State::Answered { seq, .. } => Some(*seq),
            State::Outgoing { .. } | State::Late { .. } | State::Confirmed | State::Closing => None,
        };
        let named = request.headers.get(Name::RAck).and_then(rack);
        let ours = leg.reliable.unacked.as_ref().map(|unacked| unacked.rseq).zip(invite);
        if named.is_none() || named != ours {
            return self.give(server, Answer::plain(Status::CALL_DOES_NOT_EXIST, &tag), now);
        }
        leg.reliable.unacked = None;
        leg.peer.learn(&request.headers);
        let sdp = sdp_of_request(request);
        let mut offered = None;
        let answer = match (&mut leg.state, sdp) {
            (State::Incoming { exchange, .. }, sdp) if *exchange == Exchange::Turned => {
                // Without an answer ours is made again in the 2xx, and theirs comes in the ACK.
                *exchange = if sdp.is_some() { Exchange::Settled } else { Exchange::Owed };
                leg.remote_sdp.clone_from(&sdp);
                sdp
            }
            (State::Incoming { exchange: Exchange::Settled, .. }, Some(sdp)) if matches!(leg.change, Change::None) => {
                offered = Some(sdp);
                None
            }
            _ => None,
        };
        if offered.is_some() {
            let (method, asked) = (Method::Prack, Asked::default());
            leg.change = Change::Theirs { server, method, seq, offered: true, asked };
        } else {
            self.give(server, Answer::plain(Status::OK, &tag), now);
        }
        self.disarm(id, &[LegTimer::Provisional, LegTimer::NoPrack]);
        self.event(Event::Pracked { leg: id, sdp: answer });
        if let Some(sdp) = offered {
            self.event(Event::Offered { leg: id, sdp: Some(sdp), method: Method::Prack });
        }
        self.go_on_ringing(id, now);
    }

    /// What waited for a PRACK: the next provisional answer, the 2xx, an UPDATE of ours.
    fn go_on_ringing(&mut self, id: LegId, now: Now) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if let Some(next) = leg.reliable.queue.pop_front() {
            self.send_reliably(id, next, now);
        }
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if leg.reliable.holds_answer() {
            return;
        }
        match leg.reliable.answer.take() {
            Some((sdp, headers)) => self.answer(id, sdp, &headers, now),
            None if leg.waiting.is_some() => self.offer_waiting(id, now),
            None => {}
        }
    }
}

/// The RSeq and CSeq that a RAck names, if it is of an INVITE (RFC 3262 §7.2).
fn rack(value: &str) -> Option<(u32, u32)> {
    let mut parts = value.split_ascii_whitespace();
    let (rseq, cseq, method) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?);
    (method == Method::Invite.as_str() && parts.next().is_none()).then_some((rseq, cseq))
}
