//! Whether a far end answers: OPTIONS (RFC 3261 §11) at an interval, and what their answers, or silence, amount to.
//!
//! ```text
//!   Unknown ──any answer──► Up ──`down_after` misses──► Down
//!      └──`down_after` misses──────────────────────────► │
//!                            ▲──`up_after` answers───────┘
//!   503 with Retry-After: Down until then
//! ```
//!
//! After a miss the next probe follows soon, not an interval later, so that a far end that is gone is known within
//! `down_after` intervals however the misses fall.

use std::time::Duration;

use crate::base::Instant;
use crate::wire::sip::Status;

/// The longest wait for an answer. Longer: a dead far end is found out late. Shorter: a slow one is called dead.
const LONGEST_WAIT: Duration = Duration::from_secs(4);
/// The longest rest that a far end may ask for.
const LONGEST_REST: Duration = Duration::from_secs(600);

/// How a far end is probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Between two probes.
    pub every: Duration,
    /// Misses in a row before it is down.
    pub down_after: u8,
    /// Answers in a row before it is up again.
    pub up_after: u8,
}

/// How a far end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// No probe has come to anything yet.
    Unknown,
    /// It answers.
    Up,
    /// It does not, or asked to be left alone.
    Down(Why),
}

/// Why a far end is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It does not answer.
    Silent,
    /// It answers that it is out of service.
    Unavailable(Status),
}

/// Probes one far end.
#[derive(Debug, Clone)]
pub struct Probe {
    rules: Rules,
    health: Health,
    missed: u8,
    answered: u8,
    state: State,
    round_trip: Option<Duration>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// The next probe is due then.
    Resting(Instant),
    /// One went out then; an answer is awaited until.
    Waiting { sent: Instant, until: Instant },
}

/// What a moment or an answer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Send an OPTIONS now.
    pub send: bool,
    /// The far end's health has changed.
    pub changed: bool,
}

impl Probe {
    /// A probe that begins at this moment.
    pub fn new(rules: Rules, first: Instant) -> Self {
        let state = State::Resting(first);
        Self { rules, health: Health::Unknown, missed: 0, answered: 0, state, round_trip: None }
    }

    /// The moment that [`Probe::poll_timeout`] named has come.
    pub fn handle_timeout(&mut self, now: Instant) -> Step {
        match self.state {
            State::Resting(due) if due <= now => {
                let until = now + self.patience();
                self.state = State::Waiting { sent: now, until };
                Step { send: true, changed: false }
            }
            State::Waiting { until, .. } if until <= now => {
                let changed = self.miss(Why::Silent);
                // At once while that decides something; while it is down there is time.
                self.state = State::Resting(if self.is_down() { now + self.pause() } else { now });
                let step = if self.is_down() { Step { send: false, changed: false } } else { self.handle_timeout(now) };
                Step { changed, ..step }
            }
            State::Resting(_) | State::Waiting { .. } => Step { send: false, changed: false },
        }
    }

    /// An answer came; whether that changes its health.
    pub fn answered(&mut self, status: Status, retry_after: Option<Duration>, now: Instant) -> bool {
        let State::Waiting { sent, .. } = self.state else { return false };
        self.round_trip = Some(now.since(sent));
        if status == Status::SERVICE_UNAVAILABLE {
            let rest = retry_after.map(|after| after.min(LONGEST_REST));
            self.state = State::Resting(now + rest.unwrap_or(self.pause()));
            // Who says when to come back has said that it is out of service until then.
            self.missed = if rest.is_some() { self.rules.down_after } else { self.missed };
            return self.miss(Why::Unavailable(status));
        }
        self.missed = 0;
        self.answered = self.answered.saturating_add(1);
        let enough = self.health == Health::Unknown || self.answered >= self.rules.up_after.max(1);
        let changed = self.health != Health::Up && enough;
        if changed {
            self.health = Health::Up;
        }
        // While it may be back, soon again.
        self.state = State::Resting(now + if self.is_down() { self.patience() } else { self.rules.every });
        changed
    }

    /// The probe could not be sent, or its connection did not stand; whether that changes its health.
    pub fn failed(&mut self, now: Instant) -> bool {
        let State::Waiting { .. } = self.state else { return false };
        let changed = self.miss(Why::Silent);
        self.state = State::Resting(now + if self.is_down() { self.pause() } else { self.patience() });
        changed
    }

    /// A call got no answer from it: the next probe does not wait.
    pub fn suspect(&mut self, now: Instant) {
        if let State::Resting(due) = self.state
            && !self.is_down()
        {
            self.state = State::Resting(due.min(now));
        }
    }

    /// When to call [`Probe::handle_timeout`].
    pub fn poll_timeout(&self) -> Instant {
        match self.state {
            State::Resting(due) => due,
            State::Waiting { until, .. } => until,
        }
    }

    /// How it is.
    pub fn health(&self) -> Health {
        self.health
    }

    /// How long its latest answer took.
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    fn is_down(&self) -> bool {
        matches!(self.health, Health::Down(_))
    }

    fn miss(&mut self, why: Why) -> bool {
        self.answered = 0;
        self.missed = self.missed.saturating_add(1);
        let enough = self.missed >= self.rules.down_after.max(1);
        let changed = enough && !self.is_down();
        if enough {
            self.health = Health::Down(why);
        }
        changed
    }

    /// How long an answer may take.
    fn patience(&self) -> Duration {
        (self.rules.every / 2).min(LONGEST_WAIT)
    }

    /// What is left of an interval once an answer was waited for.
    fn pause(&self) -> Duration {
        self.rules.every.saturating_sub(self.patience())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::START + Duration::from_secs(seconds)
    }

    fn probe(every: u64) -> Probe {
        Probe::new(Rules { every: Duration::from_secs(every), down_after: 3, up_after: 2 }, at(0))
    }

    /// Runs until a moment, answering or not; the moments at which the health changed.
    fn run(probe: &mut Probe, until: u64, answers: impl Fn(Instant) -> Option<Status>) -> Vec<(u64, Health)> {
        let mut changes = Vec::new();
        while probe.poll_timeout() <= at(until) {
            let now = probe.poll_timeout();
            let step = probe.handle_timeout(now);
            let mut changed = step.changed;
            if step.send
                && let Some(status) = answers(now)
            {
                changed |= probe.answered(status, None, now + Duration::from_millis(20));
            }
            if changed {
                changes.push((now.since_start().as_secs(), probe.health()));
            }
        }
        changes
    }

    #[test]
    fn a_far_end_that_stops_answering_is_down_within_three_intervals_and_back_after_two_answers() {
        let mut probe = probe(30);
        let gone = |now: Instant| (!(at(45)..at(300)).contains(&now)).then_some(Status::OK);
        let changes = run(&mut probe, 400, gone);
        assert_eq!(changes[0], (0, Health::Up));
        assert_eq!(changes[1], (72, Health::Down(Why::Silent)), "gone at 45, and 90 later at the latest");
        let (back, health) = changes[2];
        assert!(health == Health::Up && (300..=340).contains(&back), "back at {back}");
        assert_eq!(changes.len(), 3);
    }

    #[test]
    fn any_answer_but_a_503_is_a_sign_of_life() {
        for status in [Status::FORBIDDEN, Status::NOT_FOUND, Status::METHOD_NOT_ALLOWED, Status::UNAUTHORIZED] {
            assert_eq!(run(&mut probe(10), 100, |_| Some(status)), [(0, Health::Up)]);
        }
        let out = run(&mut probe(10), 100, |_| Some(Status::SERVICE_UNAVAILABLE));
        assert_eq!(out.len(), 1);
        assert_eq!(out[0].1, Health::Down(Why::Unavailable(Status::SERVICE_UNAVAILABLE)));
    }

    #[test]
    fn who_says_when_to_come_back_is_left_alone_until_then() {
        let mut probe = probe(10);
        assert!(probe.handle_timeout(at(0)).send);
        assert!(probe.answered(Status::SERVICE_UNAVAILABLE, Some(Duration::from_secs(120)), at(0)));
        assert_eq!(probe.poll_timeout(), at(120));
    }

    #[test]
    fn a_single_lost_probe_changes_nothing() {
        let lost = |now: Instant| (now != at(30)).then_some(Status::OK);
        assert_eq!(run(&mut probe(30), 200, lost), [(0, Health::Up)]);
    }

    #[test]
    fn a_call_without_answer_has_its_far_end_looked_at_at_once() {
        let mut probe = probe(30);
        assert!(probe.handle_timeout(at(0)).send);
        probe.answered(Status::OK, None, at(0));
        probe.suspect(at(5));
        assert_eq!(probe.poll_timeout(), at(5));
        assert_eq!(probe.round_trip(), Some(Duration::ZERO));
    }
}
