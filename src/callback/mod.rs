//! Rank 5: somebody wants to be called back: a telephone is rung, and becomes their voice once a person has said so.
//!
//! ```text
//!  None ─(its time)─▶ Calling ─▶ Ringing ─▶ Accepted ──"press 1"──▶ (seat) ─▶ Success
//!                        │ no use: the next way, by rule │ 15 s: Failed(Voicemail)  │ never heard: Failed(Unreachable)
//!                        └ none is left: Failed(…)       └ hangs up: Failed(Refused)
//!  Cancel before the seat is taken: Canceling ─▶ Canceled.   Nobody decides in time: Timeout
//! ```
//!
//! It knows neither rooms nor SIP: ways are numbered, the first is the nearest. Answering is not joining.

pub mod fallback;
pub mod schedule;

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{Instant, Now};
pub use fallback::{End, Verdict};

/// How long a key may take after the answer. Longer: a voicemail records us, and a caller waits in vain for whoever picked
/// up. Shorter: who takes the handset to the ear misses the question.
const DECIDE: Duration = Duration::from_secs(15);

/// From the beginning of one question to that of its repetition: it is said three times within [`DECIDE`].
const AGAIN: Duration = Duration::from_secs(5);

/// How long the answered telephone may take to be heard, a little more than `handoff` gives it: it says so itself.
const SEAT: Duration = Duration::from_secs(25);

/// How long it may take in all, over every way. Longer: a telephone rings whose owner has forgotten why.
const IN_ALL: Duration = Duration::from_secs(180);

/// How long what rings may take to be silent after a cancel, before it is called so.
const SILENCE: Duration = Duration::from_secs(35);

/// Where a callback stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum State {
    /// It waits: for its time, or for the person to hang up.
    None,
    /// A telephone is being called.
    Calling,
    /// It rings.
    Ringing,
    /// Somebody, or something, answered; nobody has joined yet.
    Accepted,
    /// The person talks by it.
    Success,
    /// It came to nothing; why is told beside it.
    Failed,
    /// It is to ring no longer.
    Canceling,
    /// It rings no longer.
    Canceled,
    /// Its time went by.
    Timeout,
}

impl State {
    /// The name in events.
    pub const fn name(self) -> &'static str {
        match self {
            State::None => "scheduled",
            State::Calling => "calling",
            State::Ringing => "ringing",
            State::Accepted => "accepted",
            State::Success => "succeeded",
            State::Failed => "failed",
            State::Canceling => "canceling",
            State::Canceled => "canceled",
            State::Timeout => "timed_out",
        }
    }

    /// Every state.
    pub const ALL: &'static [State] = &[
        State::None,
        State::Calling,
        State::Ringing,
        State::Accepted,
        State::Success,
        State::Failed,
        State::Canceling,
        State::Canceled,
        State::Timeout,
    ];

    /// Whether nothing follows.
    pub const fn is_over(self) -> bool {
        matches!(self, State::Success | State::Failed | State::Canceled | State::Timeout)
    }
}

/// Why a callback came to nothing, or is not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Failure {
    /// The telephone is busy.
    Busy,
    /// It rang, and nobody answered.
    NoAnswer,
    /// A person declined, or hung up without the key.
    Refused,
    /// What answered never pressed the key.
    Voicemail,
    /// No host is in the meeting, and calls out want one.
    NoHost,
    /// The number costs more than calls from here may.
    HighRate,
    /// Too often: to this number, by this person, for this room, or soon after it was declined.
    TooFrequent,
    /// The number may not be called from here.
    NotAllowed,
    /// It is a number of ours: it would lead back here.
    Loop,
    /// The carrier or the call manager blocks it (607, 608).
    Blocked,
    /// It cannot be reached.
    Unreachable,
    /// A fault or a limit of ours.
    Ours,
}

impl Failure {
    /// The name in answers and events.
    pub const fn name(self) -> &'static str {
        match self {
            Failure::Busy => "busy",
            Failure::NoAnswer => "no_answer",
            Failure::Refused => "refused",
            Failure::Voicemail => "voicemail",
            Failure::NoHost => "no_host",
            Failure::HighRate => "high_rate",
            Failure::TooFrequent => "too_frequent",
            Failure::NotAllowed => "not_allowed",
            Failure::Loop => "loop",
            Failure::Blocked => "blocked",
            Failure::Unreachable => "unreachable",
            Failure::Ours => "ours",
        }
    }

    /// For people.
    pub const fn words(self) -> &'static str {
        match self {
            Failure::Busy => "the telephone is busy",
            Failure::NoAnswer => "nobody answered",
            Failure::Refused => "the call was declined",
            Failure::Voicemail => "what answered did not press 1: it may be a voicemail",
            Failure::NoHost => "no host is in the meeting: calls out begin when one is",
            Failure::HighRate => "this number costs more than may be called from here",
            Failure::TooFrequent => "too many calls in too short a time: wait a little",
            Failure::NotAllowed => "this number may not be called from here",
            Failure::Loop => "this is a number of this node: call it from your telephone instead",
            Failure::Blocked => "the carrier blocks this call",
            Failure::Unreachable => "the telephone cannot be reached",
            Failure::Ours => "a fault or a limit of this node",
        }
    }
}

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// How many ways there are.
    pub ways: usize,
    /// Whoever answers is asked for a key: else the telephone is seated as soon as it answers.
    pub press_one: bool,
    /// It waits before it rings.
    pub waits: bool,
}

/// A fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// What it waited for came.
    Begin,
    /// A telephone rings.
    Rings,
    /// One answered.
    Answered,
    /// The key was pressed.
    Pressed,
    /// It carries the person's voice.
    Seated,
    /// A way was of no use.
    Unreached(End),
    /// The answered telephone is gone.
    Gone,
    /// It is not wanted any more.
    Cancel,
    /// What rang is silent.
    Silent,
    /// Nothing may come of it, for this reason.
    Forbid(Failure),
    /// Its time went by before it began.
    Missed,
    /// The deadline of [`Callback::poll_timeout`] passed.
    Timeout,
}

/// An order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Ring by this way.
    Ring(usize),
    /// Ask whoever answered for the key.
    Prompt,
    /// The telephone is to take the person's seat.
    Seat,
    /// What rings or was answered is to be silent.
    Stop,
    /// Tell how far it is.
    Report(State, Option<Failure>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Ringing { way: usize, rings: bool, until: Instant },
    Deciding { again: Instant, until: Instant },
    Seating { until: Instant },
    Canceling { until: Instant },
    Over(State, Option<Failure>),
}

/// One callback.
#[derive(Debug)]
pub struct Callback {
    plan: Plan,
    stage: Stage,
    outputs: VecDeque<Output>,
}

impl Callback {
    /// Begins one.
    pub fn begin(plan: Plan, now: Now) -> Self {
        let mut new = Self { plan, stage: Stage::Waiting, outputs: VecDeque::new() };
        if plan.waits {
            new.outputs.push_back(Output::Report(State::None, None));
        } else {
            new.handle(Input::Begin, now);
        }
        new
    }

    /// How many ways there are is known only now.
    pub fn set_ways(&mut self, ways: usize) {
        self.plan.ways = ways;
    }

    /// Takes in a fact.
    pub fn handle(&mut self, input: Input, now: Now) {
        match (self.stage, input) {
            (Stage::Over(..), _) => {}
            (Stage::Waiting, Input::Begin) => {
                self.outputs.push_back(Output::Report(State::Calling, None));
                self.ring(0, now.mono + IN_ALL);
            }
            (Stage::Waiting, Input::Cancel) => self.end(State::Canceled, None),
            (_, Input::Missed) => self.end(State::Timeout, None),
            (Stage::Waiting, Input::Forbid(why)) => self.end(State::Failed, Some(why)),
            (_, Input::Forbid(why)) => {
                self.outputs.push_back(Output::Stop);
                self.end(State::Failed, Some(why));
            }
            (Stage::Ringing { way, rings: false, until }, Input::Rings) => {
                self.stage = Stage::Ringing { way, rings: true, until };
                self.outputs.push_back(Output::Report(State::Ringing, None));
            }
            (Stage::Ringing { .. }, Input::Answered) => {
                self.outputs.push_back(Output::Report(State::Accepted, None));
                if self.plan.press_one {
                    self.outputs.push_back(Output::Prompt);
                    self.stage = Stage::Deciding { again: now.mono + AGAIN, until: now.mono + DECIDE };
                } else {
                    self.take_seat(now);
                }
            }
            (Stage::Ringing { way, rings, until }, Input::Unreached(end)) => {
                let end = End { rang: end.rang || rings, ..end };
                match fallback::verdict(&end) {
                    Verdict::Next(_) if way + 1 < self.plan.ways => self.ring(way + 1, until),
                    Verdict::Next(why) | Verdict::Stop(why) => self.end(State::Failed, Some(why)),
                }
            }
            (Stage::Deciding { .. }, Input::Pressed) => self.take_seat(now),
            // Whoever hangs up without the key wants no such call.
            (Stage::Deciding { .. }, Input::Gone) => self.end(State::Failed, Some(Failure::Refused)),
            (Stage::Seating { .. }, Input::Seated) => self.end(State::Success, None),
            (Stage::Seating { .. }, Input::Gone) => self.end(State::Failed, Some(Failure::Unreachable)),
            (Stage::Ringing { .. } | Stage::Deciding { .. } | Stage::Seating { .. }, Input::Cancel) => {
                self.outputs.push_back(Output::Report(State::Canceling, None));
                self.stage = Stage::Canceling { until: now.mono + SILENCE };
                self.outputs.push_back(Output::Stop);
            }
            (Stage::Canceling { .. }, Input::Silent | Input::Unreached(_) | Input::Gone) => {
                self.end(State::Canceled, None);
            }
            (stage, Input::Timeout) => self.timed_out(stage, now),
            (_, _) => {}
        }
    }

    /// The next order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.stage {
            Stage::Waiting | Stage::Over(..) => None,
            Stage::Ringing { until, .. } | Stage::Seating { until } | Stage::Canceling { until } => Some(until),
            Stage::Deciding { again, until } => Some(again.min(until)),
        }
    }

    /// Where it stands, and why it came to nothing.
    pub const fn state(&self) -> (State, Option<Failure>) {
        match self.stage {
            Stage::Waiting => (State::None, None),
            Stage::Ringing { rings: false, .. } => (State::Calling, None),
            Stage::Ringing { rings: true, .. } => (State::Ringing, None),
            Stage::Deciding { .. } | Stage::Seating { .. } => (State::Accepted, None),
            Stage::Canceling { .. } => (State::Canceling, None),
            Stage::Over(state, why) => (state, why),
        }
    }

    /// Whether the key is awaited.
    pub const fn is_asked(&self) -> bool {
        matches!(self.stage, Stage::Deciding { .. })
    }

    fn ring(&mut self, way: usize, until: Instant) {
        if way >= self.plan.ways {
            return self.end(State::Failed, Some(Failure::Unreachable));
        }
        self.stage = Stage::Ringing { way, rings: false, until };
        self.outputs.push_back(Output::Ring(way));
    }

    fn take_seat(&mut self, now: Now) {
        self.stage = Stage::Seating { until: now.mono + SEAT };
        self.outputs.push_back(Output::Seat);
    }

    fn timed_out(&mut self, stage: Stage, now: Now) {
        let due = self.poll_timeout().is_some_and(|at| at <= now.mono);
        match stage {
            Stage::Deciding { until, .. } if due && now.mono < until => {
                self.stage = Stage::Deciding { again: now.mono + AGAIN, until };
                self.outputs.push_back(Output::Prompt);
            }
            Stage::Deciding { .. } if due => {
                self.outputs.push_back(Output::Stop);
                self.end(State::Failed, Some(Failure::Voicemail));
            }
            Stage::Ringing { .. } if due => {
                self.outputs.push_back(Output::Stop);
                self.end(State::Timeout, None);
            }
            Stage::Seating { .. } if due => {
                self.outputs.push_back(Output::Stop);
                self.end(State::Failed, Some(Failure::Unreachable));
            }
            Stage::Canceling { .. } if due => self.end(State::Canceled, None),
            Stage::Waiting
            | Stage::Over(..)
            | Stage::Deciding { .. }
            | Stage::Ringing { .. }
            | Stage::Seating { .. }
            | Stage::Canceling { .. } => {}
        }
    }

    fn end(&mut self, state: State, why: Option<Failure>) {
        self.stage = Stage::Over(state, why);
        self.outputs.push_back(Output::Report(state, why));
    }
}

#[cfg(test)]
mod tests;
