//! Rank 5: one elevation: somebody on a telephone gets a link that adds video, screen and chat to the call.
//!
//! ```text
//! begin ─▶ Pushing ─6 s─▶ LookingUp ─▶ Texting ─refused, 20 s without a receipt─▶ Spoken ─30 s─▶ Shown
//!            │               │            │ delivered: waits                        │             │
//!            └───────────────┴────────────┴──────────── opened ◀────────────────────┴─────────────┘
//!                                                         │ authenticated, bound
//!                                                         ▼
//!                                                       Bound ◀─▶ Closed                ─▶ Over
//! ```
//!
//! The ladder goes on by itself; whatever was sent before still counts. It knows no SIP, no provider and no browser:
//! whoever owns those says what became of each, and carries out the orders.

mod plan;
pub mod push;
mod step;

pub use plan::{Plan, Writing};
pub use step::{Asker, Reason, Step};

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::id::TextId;
use crate::base::{Instant, Now, PhoneNumber, Utc};
use crate::texting::{LineType, TextEvent, TextFailure, TextOrder, TextState};

/// How long a push may go unanswered, from the asking on. Longer: who has no look at the screen waits. Shorter: a telephone asleep gets a text
/// besides.
pub const PUSH: Duration = Duration::from_secs(6);

/// How long a look-up may take; whoever asks has a limit of its own, and this holds where it fails.
pub const LOOK_UP: Duration = Duration::from_millis(2500);

/// How long the receipt of a text is waited for. Longer: the caller hears nothing. Shorter: a slow network's text and the
/// spoken code come together.
pub const RECEIPT: Duration = Duration::from_secs(20);

/// How long somebody may take to type the code before it is shown to whoever asked, too.
pub const TYPING: Duration = Duration::from_secs(30);

/// A fact about an elevation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A push service took the notification.
    Pushed,
    /// None took it, and why; no reason where the person has no browser that takes any.
    PushFailed(Option<Reason>),
    /// What kind of line the number is.
    LookedUp(LineType),
    /// What became of the text.
    Text(TextEvent),
    /// Whoever was asked pressed the key once more: the text does not come, or nobody understood the code.
    AskedAgain,
    /// Somebody asked again, long enough after the last text: the same link goes out in another one, and is good for its whole time.
    SendAgain(TextId),
    /// Somebody opened the link on purpose, or entered the code.
    Opened,
    /// They proved who they are.
    Authenticated,
    /// Their browser is in the person's seat.
    Bound,
    /// Their browser is gone from it.
    Closed(Reason),
    /// It is over.
    End(Reason),
    /// A deadline passed.
    Timeout,
}

/// An order of an elevation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Tell the person's app.
    Push,
    /// Find out what kind of line this is.
    LookUp(PhoneNumber),
    /// Send this text.
    Text(TextOrder),
    /// Say the short link and the code on the telephone; before it, why no text comes.
    Speak {
        /// Why.
        why: Option<Reason>,
    },
    /// Show link and code to whoever asked.
    Show,
    /// Tell how far it is.
    Report {
        /// How far.
        step: Step,
        /// Why.
        reason: Option<Reason>,
    },
}

/// Where an elevation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Pushing,
    LookingUp,
    Texting {
        /// The telephone has it: nothing is to be said.
        delivered: bool,
    },
    Spoken,
    Shown,
    Opened,
    Bound,
    Closed,
    Over,
}

/// One elevation.
#[derive(Debug, Clone)]
pub struct Elevation {
    plan: Plan,
    stage: Stage,
    /// When the ladder goes on by itself.
    next: Option<Instant>,
    /// When the link is good no more.
    expires: Instant,
    /// The text that is on its way, and whether the provider is known to have it.
    text: Option<(TextId, bool)>,
    /// It was said that the text arrived.
    delivered: bool,
    /// Texts do not reach this person.
    in_vain: bool,
    spoken: bool,
    step: Step,
    outputs: VecDeque<Output>,
}

impl Elevation {
    /// Begins: the person asked for it, or somebody for them.
    pub fn begin(plan: Plan, now: Now) -> Self {
        let expires = now.mono + plan.lasts;
        let mut elevation = Self {
            plan,
            stage: Stage::Pushing,
            next: None,
            expires,
            text: None,
            delivered: false,
            in_vain: false,
            spoken: false,
            step: Step::Asked,
            outputs: VecDeque::new(),
        };
        elevation.report(Step::Asked, None);
        if elevation.plan.push {
            elevation.next = Some(now.mono + PUSH);
            elevation.outputs.push_back(Output::Push);
        } else {
            elevation.look_up(None, now);
        }
        elevation
    }

    /// Takes in a fact.
    pub fn handle(&mut self, input: Input, now: Now) {
        if self.stage == Stage::Over {
            return;
        }
        match input {
            Input::Pushed if self.stage == Stage::Pushing => self.report(Step::Pushed, None),
            Input::PushFailed(why) if self.stage == Stage::Pushing => self.look_up(why, now),
            Input::LookedUp(line) if self.stage == Stage::LookingUp => match line.may_get_texts() {
                true => self.send(None, now),
                false => {
                    self.in_vain = true;
                    self.speak(Some(Reason::Text(TextFailure::Landline)), now);
                }
            },
            Input::Pushed | Input::PushFailed(_) | Input::LookedUp(_) => {}
            Input::Text(event) => self.texted(&event, now),
            Input::AskedAgain => match self.stage {
                Stage::Pushing => self.look_up(Some(Reason::AskedAgain), now),
                Stage::LookingUp | Stage::Texting { .. } | Stage::Spoken | Stage::Shown | Stage::Opened => {
                    self.speak(Some(Reason::AskedAgain), now);
                }
                Stage::Bound | Stage::Closed | Stage::Over => {}
            },
            Input::SendAgain(id) => self.send_again(id, now),
            Input::Opened => {
                if !matches!(self.stage, Stage::Opened | Stage::Bound | Stage::Closed) {
                    self.rest(Stage::Opened);
                    self.report(Step::Opened, None);
                }
            }
            Input::Authenticated => self.report(Step::Authenticated, None),
            Input::Bound if self.stage == Stage::Bound => {}
            Input::Bound => {
                self.rest(Stage::Bound);
                self.report(Step::Bound, None);
            }
            Input::Closed(reason) => {
                if self.stage == Stage::Bound {
                    self.stage = Stage::Closed;
                    self.report(Step::Closed, Some(reason));
                }
            }
            Input::End(reason) => {
                let step = if self.was_bound() { Step::Ended } else { Step::Failed };
                self.rest(Stage::Over);
                self.report(step, Some(reason));
            }
            Input::Timeout => self.timed_out(now),
        }
    }

    /// The next order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.stage {
            Stage::Over => None,
            // A seat that was taken is held by who holds it, not by the link.
            Stage::Bound | Stage::Closed => None,
            _ => Some(self.next.map_or(self.expires, |next| next.min(self.expires))),
        }
    }

    /// What was told last.
    pub fn step(&self) -> Step {
        self.step
    }

    /// Whether it is over: the link is good no more.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Whether a browser has been in the seat.
    pub fn was_bound(&self) -> bool {
        matches!(self.stage, Stage::Bound | Stage::Closed)
    }

    /// What it was begun with.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Somebody with a screen asked, too: link and code may be shown.
    pub fn shows_too(&mut self) {
        self.plan.shows = true;
    }

    fn send_again(&mut self, id: TextId, now: Now) {
        if self.was_bound() {
            return;
        }
        self.expires = now.mono + self.plan.lasts;
        match &mut self.plan.text {
            Some(text) if !self.in_vain => {
                text.id = id;
                self.delivered = false;
                self.send(Some(Reason::AskedAgain), now);
            }
            Some(_) | None => self.speak(Some(Reason::AskedAgain), now),
        }
    }

    fn timed_out(&mut self, now: Now) {
        if self.was_bound() {
            return;
        }
        if self.expires <= now.mono {
            return self.handle(Input::End(Reason::TooLate), now);
        }
        if self.next.is_none_or(|at| at > now.mono) {
            return;
        }
        self.next = None;
        match self.stage {
            Stage::Pushing => self.look_up(Some(Reason::NoAnswer), now),
            Stage::LookingUp => self.send(None, now),
            Stage::Texting { delivered: false } => self.speak(Some(Reason::NoReceipt), now),
            Stage::Spoken => self.show(Some(Reason::NotEntered)),
            Stage::Texting { delivered: true }
            | Stage::Shown
            | Stage::Opened
            | Stage::Bound
            | Stage::Closed
            | Stage::Over => {}
        }
    }

    fn texted(&mut self, event: &TextEvent, now: Now) {
        let Some((id, handed)) = &mut self.text else { return };
        if *id != event.id {
            return;
        }
        let waits = matches!(self.stage, Stage::Texting { delivered: false });
        self.in_vain |= matches!(event.state, TextState::Undelivered | TextState::Failed | TextState::Kept);
        match event.state {
            TextState::Queued | TextState::Handing => {}
            TextState::Handed | TextState::Sent => {
                if !std::mem::replace(handed, true) {
                    self.report(Step::Sent, None);
                }
            }
            TextState::Delivered => {
                if !std::mem::replace(&mut self.delivered, true) {
                    if waits {
                        self.stage = Stage::Texting { delivered: true };
                        self.next = None;
                    }
                    self.report(Step::Delivered, None);
                }
            }
            TextState::Undelivered | TextState::Failed | TextState::Unknown if waits => {
                let failure = event.reason.unwrap_or(TextFailure::Unknown);
                self.speak(Some(Reason::Text(failure)), now);
            }
            TextState::Kept if waits => self.speak(Some(Reason::NoProvider), now),
            TextState::Undelivered | TextState::Failed | TextState::Unknown | TextState::Kept => {}
        }
    }

    /// The rung of the text begins: with a question about the line where that can be asked.
    fn look_up(&mut self, why: Option<Reason>, now: Now) {
        let Some(writing) = &self.plan.text else {
            let reason = self.plan.no_text.or(why);
            return self.speak(reason, now);
        };
        if !self.plan.look_up {
            return self.send(why, now);
        }
        let to = writing.to.clone();
        self.stage = Stage::LookingUp;
        self.next = Some(now.mono + LOOK_UP);
        self.outputs.push_back(Output::LookUp(to));
        self.report(Step::LookingUp, why);
    }

    fn send(&mut self, why: Option<Reason>, now: Now) {
        let Some(writing) = &self.plan.text else { return self.speak(why, now) };
        let until = i64::try_from(RECEIPT.as_millis()).unwrap_or(i64::MAX);
        let order = TextOrder {
            id: writing.id,
            to: writing.to.clone(),
            from: None,
            body: writing.body.clone(),
            call: Some(writing.call),
            consent: writing.consent.clone(),
            until: Utc(now.utc.0.saturating_add(until)),
        };
        self.text = Some((order.id, false));
        self.stage = Stage::Texting { delivered: false };
        self.next = Some(now.mono + RECEIPT);
        self.outputs.push_back(Output::Text(order));
        self.report(Step::Texted, why);
    }

    fn speak(&mut self, why: Option<Reason>, now: Now) {
        if !self.plan.speaks {
            return self.show(why);
        }
        let again = std::mem::replace(&mut self.spoken, true);
        if self.stage != Stage::Shown && self.stage != Stage::Opened {
            self.stage = Stage::Spoken;
            self.next = self.plan.shows.then_some(now.mono + TYPING);
        }
        self.outputs.push_back(Output::Speak { why: why.filter(|_| !again) });
        self.report(Step::Spoken, why);
    }

    /// The last rung: whoever asked has a screen. Where nobody has, the link that was sent is all there is.
    fn show(&mut self, why: Option<Reason>) {
        self.next = None;
        if self.plan.shows {
            self.stage = Stage::Shown;
            self.outputs.push_back(Output::Show);
            self.report(Step::Shown, why);
        } else if self.text.is_none() && !self.spoken {
            // No way is left that could reach the person.
            self.rest(Stage::Over);
            self.report(Step::Failed, why);
        }
    }

    fn rest(&mut self, stage: Stage) {
        self.stage = stage;
        self.next = None;
    }

    fn report(&mut self, step: Step, reason: Option<Reason>) {
        self.step = step;
        self.outputs.push_back(Output::Report { step, reason });
    }
}

#[cfg(test)]
mod tests;
