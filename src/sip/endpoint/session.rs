//! Session timers (RFC 4028): who refreshes, how often, and the end of a session that nobody refreshed.
//!
//! ```text
//!   2xx with Session-Expires ── arm ─┬─ ours: Renew at half ── UPDATE or re-INVITE ── 2xx: arm again
//!                                    └─ Expire, a third (at most 32 s) before the end ── BYE
//! ```

use std::time::Duration;

use super::leg::{Leg, LegTimer, Proposal};
use super::manner::{Manner, SessionInterval};
use super::{Endpoint, Event, Headers, TimerKey};
use crate::base::{Cause, LegId, Now};
use crate::wire::sip::{self, Name, Text};

/// The shortest interval a far end can make us keep, in seconds. Less: a far end's slip has us refresh without pause.
const SHORTEST: u32 = 10;
/// How long before its end a session is given up, at most (RFC 4028 §10).
const MARGIN: Duration = Duration::from_secs(32);

/// What a request asks of the session timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Asked {
    /// Session-Expires, in seconds.
    expires: Option<u32>,
    /// Whether its sender is to refresh, where it says who.
    by_sender: Option<bool>,
    /// Min-SE, in seconds.
    min_se: u32,
    /// Whether its sender knows session timers, and demands one.
    known: bool,
    demands: bool,
}

impl Asked {
    pub(super) fn of(headers: &sip::Headers) -> Self {
        let (expires, refresher) = headers.session_expires().unzip();
        let by_sender = refresher.flatten().map(|role| role.eq_ignore_ascii_case("uac"));
        let demands = headers.require().any(|tag| tag.eq_ignore_ascii_case("timer"));
        let known = demands || headers.supports("timer");
        Self { expires, by_sender, min_se: headers.min_se().unwrap_or(0), known, demands }
    }

    /// Whether its sender demands a session timer.
    pub(super) const fn demands(&self) -> bool {
        self.demands
    }
}

impl Manner {
    /// What a request of ours asks, before any session timer runs. `min_se` is what the far end asked for by 422.
    pub(super) fn ask_for_timer(&self, min_se: u32) -> Headers {
        match self.timer {
            Some(timer) if timer.demand || min_se > 0 => {
                request_fields(timer.expires.max(min_se), None, timer.min_se.max(min_se))
            }
            Some(_) | None => Headers::new(),
        }
    }
}

impl Leg {
    /// What a re-INVITE or UPDATE of ours says of the session timer (RFC 4028 §7.4).
    pub(super) fn timer_in_request(&self) -> Headers {
        match (self.interval, self.manner.timer) {
            (Some(running), timer) => {
                let expires = seconds(running.expires).max(self.min_se);
                let least = timer.map_or(0, |timer| timer.min_se).max(self.min_se);
                request_fields(expires, Some(running.ours), least.min(expires))
            }
            (None, Some(_)) => self.manner.ask_for_timer(self.min_se),
            (None, None) => Headers::new(),
        }
    }

    /// Settles the session timer by what a request of theirs asked, and returns what our 2xx says of it (RFC 4028 §9).
    pub(super) fn settle_timer(&mut self, asked: Asked) -> Headers {
        let Some(timer) = self.manner.timer else {
            self.interval = None;
            return Headers::new();
        };
        let expires = match (asked.expires, self.interval) {
            // Only down to what they take (§9), and only by who wants it shorter.
            (Some(theirs), _) if timer.demand => theirs.min(timer.expires.max(asked.min_se)),
            (Some(theirs), _) => theirs,
            (None, Some(running)) => seconds(running.expires).max(asked.min_se),
            (None, None) if timer.demand => timer.expires.max(asked.min_se),
            (None, None) => return Headers::new(),
        };
        // One that knows nothing of timers cannot refresh, and cannot be told that its own is too short.
        let expires = if asked.known { expires } else { expires.max(timer.min_se) }.max(SHORTEST);
        let ours = match (asked.known, asked.by_sender) {
            (false, _) => true,
            (true, Some(by_sender)) => !by_sender,
            (true, None) => self.interval.is_some_and(|running| running.ours),
        };
        self.interval = Some(SessionInterval { expires: Duration::from_secs(expires.into()), ours });
        let role = if ours { "uas" } else { "uac" };
        let mut headers = vec![(Name::SessionExpires, Text::from(format!("{expires};refresher={role}")))];
        if asked.known {
            headers.push((Name::Require, Text::from("timer")));
        }
        headers
    }

    /// Settles the session timer by their 2xx to a request of ours (RFC 4028 §7.2).
    pub(super) fn take_timer(&mut self, answer: &sip::Headers) {
        let Some(timer) = self.manner.timer else {
            self.interval = None;
            return;
        };
        let said = answer.session_expires().filter(|(expires, _)| *expires > 0);
        self.interval = match (said, self.interval) {
            (Some((expires, role)), _) => {
                let ours = !role.is_some_and(|role| role.eq_ignore_ascii_case("uas"));
                Some(SessionInterval { expires: Duration::from_secs(expires.max(SHORTEST).into()), ours })
            }
            // It keeps none. Ours goes on: what does not answer refreshes is dead all the same.
            (None, Some(running)) if running.ours => Some(running),
            (None, _) if timer.demand => {
                let expires = timer.expires.max(self.min_se).max(SHORTEST);
                Some(SessionInterval { expires: Duration::from_secs(expires.into()), ours: true })
            }
            (None, _) => None,
        };
    }

    /// What refuses a request with 422, whose interval is shorter than we take (RFC 4028 §9).
    pub(super) fn too_small(&self, asked: Asked) -> Option<Headers> {
        let least = self.manner.timer?.min_se;
        let small = asked.known && asked.expires.is_some_and(|expires| expires < least);
        small.then(|| vec![(Name::MinSe, Text::from(least.to_string()))])
    }

    /// Takes what a 422 says; whether asking again is of any use.
    pub(super) fn take_too_small(&mut self, refusal: &sip::Headers) -> bool {
        let asks = refusal.min_se().unwrap_or(0);
        let wider = asks > self.min_se && self.manner.timer.is_some();
        if wider {
            self.min_se = asks;
        }
        wider
    }
}

impl Endpoint {
    /// Sets the timers of a session that was begun or refreshed just now.
    pub(super) fn arm_session(&mut self, id: LegId, now: Now) {
        self.disarm(id, &[LegTimer::Renew, LegTimer::Expire]);
        let Some(running) = self.legs.get(&id).filter(|leg| !leg.over).and_then(|leg| leg.interval) else { return };
        let margin = MARGIN.min(running.expires / 3);
        self.timers.arm(TimerKey::Leg(id, LegTimer::Expire), now.mono + running.expires.saturating_sub(margin));
        if running.ours {
            self.timers.arm(TimerKey::Leg(id, LegTimer::Renew), now.mono + running.expires / 2);
        }
    }

    /// It is time for our refresh. A change that waits is one too.
    pub(super) fn renew(&mut self, id: LegId, now: Now) {
        if let Some(leg) = self.legs.get_mut(&id).filter(|leg| !leg.over) {
            leg.waiting.get_or_insert(Proposal::Refresh);
            self.offer_waiting(id, now);
        }
    }

    /// Our refresh was refused for a reason of its own: another one later, until the session expires.
    pub(super) fn renew_later(&mut self, id: LegId, now: Now) {
        let Some(running) = self.legs.get(&id).and_then(|leg| leg.interval) else { return };
        let wait = (running.expires / 8).max(Duration::from_secs(2));
        self.timers.arm(TimerKey::Leg(id, LegTimer::Renew), now.mono + wait);
    }

    /// Nobody refreshed the session.
    pub(super) fn expire(&mut self, id: LegId, now: Now) {
        self.hang_up(id, Cause::SessionExpired, now);
    }

    /// Tells the user that a session goes on.
    pub(super) fn tell_refreshed(&mut self, id: LegId, sdp: Option<bytes::Bytes>) {
        self.event(Event::Refreshed { leg: id, sdp });
    }
}

fn request_fields(expires: u32, ours: Option<bool>, min_se: u32) -> Headers {
    let role = match ours {
        Some(true) => ";refresher=uac",
        Some(false) => ";refresher=uas",
        None => "",
    };
    vec![(Name::SessionExpires, Text::from(format!("{expires}{role}"))), (Name::MinSe, Text::from(min_se.to_string()))]
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}
