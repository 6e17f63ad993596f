//! Rank 5: one code: a call moves to a device that nobody knew before, by a picture, six digits or a link.
//!
//! ```text
//! holder shows, receiver reads ─┐
//! receiver shows, holder reads ─┼─▶ Shown ─read─▶ (Scanned) ─▶ Awaiting ─all said yes─▶ Granted ─the new leg carries─▶ Transferred
//! each reads the other's ───────┘      │ 120 s        │ the other one is read, too   │ no, 30 s     │ 60 s
//!                                      └▶ Expired     └▶ Expired                     └▶ Refused     └▶ Refused
//! ```
//!
//! A code is good once. Whoever photographs it as well comes second and is refused; who was first is seen by the holder, and
//! by the far end where both are asked. It knows no SIP, no browser and no room: whoever owns those says what was read
//! and answered, and carries out the orders. Until [`Input::Moved`] nothing has changed for the call.

mod digits;
mod printed;
mod state;

#[cfg(test)]
mod tests;

pub use digits::{DIGITS, PRINTED_DIGITS, check, with_check};
pub use printed::{Leads, Printed, Spent};
pub use state::{Confirm, Reason, State, Topology, Who};

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::{Instant, Now};

/// How long a code counts. Longer: a photograph of it is worth more. Shorter: who fumbles for the other phone begins anew.
pub const LASTS: Duration = Duration::from_secs(120);

/// How long whoever is asked may take. Longer: the receiver stands there. Shorter: a telephone is not back at the ear yet.
pub const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// How long the receiver may take to come once it may. Longer: a right lies about. Shorter: nobody finds the button that
/// allows the microphone.
pub const COMES_WITHIN: Duration = Duration::from_secs(60);

/// Wrong readings of the receiver's code until this one counts no more, where each reads the other's.
pub const WRONG: u32 = 5;

/// What a code begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Who shows, who reads.
    pub topology: Topology,
    /// Who is asked.
    pub confirm: Confirm,
    /// How long it counts.
    pub lasts: Duration,
}

/// A fact about a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// It was read, by whom it is for.
    Scanned,
    /// The receiver's code was read by the holder, too.
    Matched,
    /// The holder read something else.
    Mismatched,
    /// The holder said how the far end is asked, when it is about the call of the one who reads.
    Confirms(Confirm),
    /// Somebody who was asked said yes or no.
    Answered(Who, bool),
    /// Nobody is there who could be asked this.
    Nobody(Who),
    /// The receiver's leg carries the channels.
    Moved,
    /// The receiver's leg did not come to stand.
    NotMoved,
    /// It is over, for this.
    End(Reason),
    /// A deadline passed.
    Timeout,
}

/// An order of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Make a code for the receiver to show, and tell it alone.
    Counter,
    /// Ask.
    Ask(Who),
    /// Whoever was asked need not answer any more.
    Settled,
    /// The receiver may come now.
    Grant,
    /// Tell how far it is.
    Report(State, Option<Reason>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Shown,
    Scanned,
    Awaiting { holder: Option<bool>, remote: Option<bool> },
    Granted,
    Transferred,
    Over(Reason),
}

/// One code.
#[derive(Debug, Clone)]
pub struct Code {
    plan: Plan,
    stage: Stage,
    due: Instant,
    wrong: u32,
    outputs: VecDeque<Output>,
}

impl Code {
    /// Begins: it is shown.
    pub fn begin(plan: Plan, now: Now) -> Self {
        let due = now.mono + plan.lasts;
        let outputs = VecDeque::from([Output::Report(State::Shown, None)]);
        Self { plan, stage: Stage::Shown, due, wrong: 0, outputs }
    }

    /// Takes in a fact.
    pub fn handle(&mut self, input: Input, now: Now) {
        if self.is_over() {
            return;
        }
        match input {
            Input::Confirms(confirm) if self.stage == Stage::Shown => self.plan.confirm = confirm,
            Input::Confirms(_) => {}
            Input::Scanned => self.scanned(now),
            Input::Matched if self.stage == Stage::Scanned => self.ask(now),
            Input::Mismatched if self.stage == Stage::Scanned => {
                self.wrong += 1;
                if self.wrong >= WRONG {
                    self.end(Reason::TooManyWrong);
                }
            }
            Input::Matched | Input::Mismatched => {}
            Input::Answered(who, yes) => self.answered(who, yes, now),
            // A call whose far end nobody can ask is not given away on the quiet.
            Input::Nobody(who) => self.answered(who, false, now),
            Input::Moved if self.stage == Stage::Granted => {
                self.stage = Stage::Transferred;
                self.outputs.push_back(Output::Report(State::Transferred, None));
            }
            Input::NotMoved if self.stage == Stage::Granted => self.end(Reason::NotConnected),
            Input::Moved | Input::NotMoved => {}
            Input::End(reason) => self.end(reason),
            Input::Timeout if self.due <= now.mono => match self.stage {
                Stage::Shown | Stage::Scanned => self.end(Reason::TooLate),
                Stage::Awaiting { .. } => self.end(Reason::NoAnswer),
                Stage::Granted => self.end(Reason::NotConnected),
                Stage::Transferred | Stage::Over(_) => {}
            },
            Input::Timeout => {}
        }
    }

    /// The next order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        (!self.is_over()).then_some(self.due)
    }

    /// How far it is.
    pub fn state(&self) -> State {
        match self.stage {
            Stage::Shown => State::Shown,
            Stage::Scanned => State::Scanned,
            Stage::Awaiting { .. } | Stage::Granted => State::Awaiting,
            Stage::Transferred => State::Transferred,
            Stage::Over(Reason::TooLate) => State::Expired,
            Stage::Over(_) => State::Refused,
        }
    }

    /// Why it came to nothing.
    pub fn reason(&self) -> Option<Reason> {
        match self.stage {
            Stage::Over(reason) => Some(reason),
            Stage::Shown | Stage::Scanned | Stage::Awaiting { .. } | Stage::Granted | Stage::Transferred => None,
        }
    }

    /// Whether it counts no more, however it ended.
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Transferred | Stage::Over(_))
    }

    /// Whether nobody has read it yet.
    pub fn is_fresh(&self) -> bool {
        self.stage == Stage::Shown
    }

    /// Whether the receiver's own code is waited for.
    pub fn wants_counter(&self) -> bool {
        self.stage == Stage::Scanned
    }

    /// Whether the receiver may come, and has not yet.
    pub fn is_granted(&self) -> bool {
        self.stage == Stage::Granted
    }

    /// Whether this one was asked and has not said anything.
    pub fn is_asked(&self, who: Who) -> bool {
        match (self.stage, who) {
            (Stage::Awaiting { holder, .. }, Who::Holder) => holder.is_none(),
            (Stage::Awaiting { remote, .. }, Who::Remote) => remote.is_none(),
            _ => false,
        }
    }

    /// What it was begun with.
    pub fn plan(&self) -> Plan {
        self.plan
    }

    fn scanned(&mut self, now: Now) {
        if self.stage != Stage::Shown {
            return;
        }
        self.stage = Stage::Scanned;
        self.outputs.push_back(Output::Report(State::Scanned, None));
        match self.plan.topology {
            Topology::Mutual => self.outputs.push_back(Output::Counter),
            Topology::HolderShows | Topology::ReceiverShows => self.ask(now),
        }
    }

    fn ask(&mut self, now: Now) {
        // Whoever reads the receiver's code has it before the eyes: that is the holder's yes.
        let agreed = self.plan.topology != Topology::HolderShows;
        let holder = (agreed || self.plan.confirm == Confirm::Nobody).then_some(true);
        let remote = (self.plan.confirm != Confirm::HolderAndRemote).then_some(true);
        self.stage = Stage::Awaiting { holder, remote };
        self.due = now.mono + ANSWERED_WITHIN;
        if holder.is_some() && remote.is_some() {
            return self.grant(now);
        }
        self.outputs.push_back(Output::Report(State::Awaiting, None));
        // Both at once: one after the other would take twice as long.
        for (who, asked) in [(Who::Holder, holder.is_none()), (Who::Remote, remote.is_none())] {
            if asked {
                self.outputs.push_back(Output::Ask(who));
            }
        }
    }

    fn answered(&mut self, who: Who, yes: bool, now: Now) {
        let Stage::Awaiting { holder, remote } = &mut self.stage else { return };
        let (asked, no) = match who {
            Who::Holder => (holder, Reason::Declined),
            Who::Remote => (remote, Reason::DeclinedByRemote),
        };
        if asked.is_some() {
            return;
        }
        *asked = Some(yes);
        if !yes {
            return self.end(no);
        }
        if self.stage == (Stage::Awaiting { holder: Some(true), remote: Some(true) }) {
            self.grant(now);
        }
    }

    fn grant(&mut self, now: Now) {
        self.stage = Stage::Granted;
        self.due = now.mono + COMES_WITHIN;
        self.outputs.push_back(Output::Settled);
        self.outputs.push_back(Output::Grant);
    }

    fn end(&mut self, reason: Reason) {
        self.stage = Stage::Over(reason);
        self.outputs.push_back(Output::Settled);
        self.outputs.push_back(Output::Report(self.state(), Some(reason)));
    }
}
