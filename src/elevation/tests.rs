//! The ladder in virtual time: every rung failing in turn.

use super::*;
use crate::base::{LegId, Secret};
use Step::{
    Asked, Authenticated, Bound, Closed, Delivered, Ended, Failed, LookingUp, Opened, Pushed, Sent, Shown, Spoken,
    Texted,
};

const TEXT: TextId = TextId::from_bits(5);

/// A person with an app, a number that can be looked up, ears, and somebody with a screen who asked.
fn plan() -> Plan {
    let writing = Writing {
        id: TEXT,
        to: PhoneNumber::parse("+491701234567").unwrap(),
        body: Secret::new("link"),
        call: LegId::from_bits(1),
        consent: "key *3".into(),
    };
    let lasts = Duration::from_secs(600);
    Plan { push: true, text: Some(writing), no_text: None, look_up: true, speaks: true, shows: true, lasts }
}

struct Try {
    elevation: Elevation,
    now: Now,
    orders: Vec<&'static str>,
    steps: Vec<(Step, Option<Reason>)>,
}

impl Try {
    fn of(change: impl FnOnce(&mut Plan)) -> Self {
        let mut plan = plan();
        change(&mut plan);
        let now = Now { mono: Instant::START, utc: Utc(1000) };
        let mut one = Self { elevation: Elevation::begin(plan, now), now, orders: vec![], steps: vec![] };
        one.drain();
        one
    }

    fn give(&mut self, input: Input) -> &mut Self {
        self.elevation.handle(input, self.now);
        self.drain();
        self
    }

    fn text(&mut self, state: TextState, reason: Option<TextFailure>) -> &mut Self {
        let at = self.now.utc;
        self.give(Input::Text(TextEvent { id: TEXT, state, reason, code: None, at }))
    }

    fn pass(&mut self, seconds: u64) -> &mut Self {
        let end = self.now.mono + Duration::from_secs(seconds);
        while let Some(at) = self.elevation.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.plus(at.since(self.now.mono));
            self.give(Input::Timeout);
        }
        self.now = self.now.plus(end.since(self.now.mono));
        self
    }

    fn drain(&mut self) {
        while let Some(output) = self.elevation.poll_output() {
            match output {
                Output::Push => self.orders.push("push"),
                Output::LookUp(_) => self.orders.push("look up"),
                Output::Text(order) => {
                    assert!(order.until.0 == self.now.utc.0 + 20_000 && &*order.consent == "key *3");
                    self.orders.push("text");
                }
                Output::Speak { .. } => self.orders.push("speak"),
                Output::Show => self.orders.push("show"),
                Output::Report { step, reason } => self.steps.push((step, reason)),
            }
        }
    }

    fn names(&self) -> Vec<Step> {
        self.steps.iter().map(|(step, _)| *step).collect()
    }

    fn last(&self) -> (Step, Option<Reason>) {
        *self.steps.last().unwrap()
    }
}

#[test]
fn a_text_that_arrives_and_is_tapped_is_all_it_takes() {
    let mut one = Try::of(|plan| (plan.push, plan.look_up) = (false, false));
    one.text(TextState::Handing, None).text(TextState::Handed, None).text(TextState::Sent, None);
    one.text(TextState::Delivered, None).text(TextState::Delivered, None).pass(500);
    assert_eq!(one.orders, ["text"], "nothing is said to somebody who has the text");
    one.give(Input::Opened).give(Input::Opened).give(Input::Authenticated).give(Input::Bound).pass(3600);
    assert_eq!(one.names(), [Asked, Texted, Sent, Delivered, Opened, Authenticated, Bound]);
    assert!(!one.elevation.is_over(), "the seat is held beyond the link's time");
    one.give(Input::Closed(Reason::PageClosed)).give(Input::Bound).give(Input::End(Reason::CallEnded));
    assert_eq!(one.names()[7..], [Closed, Bound, Ended]);
}

#[test]
fn every_rung_fails_in_turn_and_the_next_follows_by_itself() {
    let mut one = Try::of(|_| ());
    assert_eq!(one.names(), [Asked], "what no push service has is not told as pushed");
    one.give(Input::Pushed).pass(5);
    assert_eq!(one.orders, ["push"]);
    one.pass(1);
    assert_eq!(one.last(), (LookingUp, Some(Reason::NoAnswer)));
    one.pass(3);
    assert_eq!(one.orders, ["push", "look up", "text"], "a look-up without an answer holds nothing up");
    one.text(TextState::Handed, None).pass(19);
    assert_eq!(one.last(), (Sent, None));
    one.pass(1);
    assert_eq!(one.last(), (Spoken, Some(Reason::NoReceipt)));
    one.pass(30);
    assert_eq!(one.last(), (Shown, Some(Reason::NotEntered)));
    one.text(TextState::Delivered, None);
    assert_eq!(one.last(), (Delivered, None), "late is better than never");
    one.pass(600);
    assert_eq!(one.last(), (Failed, Some(Reason::TooLate)));
    assert_eq!(one.names(), [Asked, Pushed, LookingUp, Texted, Sent, Spoken, Shown, Delivered, Failed]);
    assert!(one.elevation.is_over() && one.elevation.poll_timeout().is_none());
    one.give(Input::Opened);
    assert_eq!(one.last().0, Failed, "what is over stays over");
}

#[test]
fn a_refusal_of_the_provider_is_answered_at_once() {
    for failure in TextFailure::ALL {
        let mut one = Try::of(|plan| (plan.push, plan.look_up) = (false, false));
        one.text(TextState::Failed, Some(failure));
        assert_eq!(one.last(), (Spoken, Some(Reason::Text(failure))));
        assert_eq!(one.orders, ["text", "speak"]);
    }
    let mut one = Try::of(|plan| plan.push = false);
    one.give(Input::LookedUp(LineType::Mobile)).text(TextState::Handed, None).pass(4);
    one.text(TextState::Undelivered, Some(TextFailure::Unreachable));
    assert_eq!(one.last(), (Spoken, Some(Reason::Text(TextFailure::Unreachable))));
    let mut one = Try::of(|plan| (plan.push, plan.look_up) = (false, false));
    one.text(TextState::Kept, None);
    assert_eq!(one.last(), (Spoken, Some(Reason::NoProvider)));
}

#[test]
fn no_text_is_sent_to_a_line_on_a_wall_nor_to_a_withheld_number() {
    let mut one = Try::of(|plan| plan.push = false);
    one.give(Input::LookedUp(LineType::Landline));
    assert_eq!(one.orders, ["look up", "speak"]);
    let withheld = |plan: &mut Plan| (plan.push, plan.text, plan.no_text) = (false, None, Some(Reason::NoNumber));
    let mut one = Try::of(withheld);
    assert_eq!(one.orders, ["speak"]);
    assert_eq!(one.last(), (Spoken, Some(Reason::NoNumber)));
    one.give(Input::LookedUp(LineType::Mobile)).text(TextState::Delivered, None);
    assert_eq!(one.orders, ["speak"], "what was not asked changes nothing");
}

#[test]
fn where_nothing_can_be_said_it_is_shown_and_where_nothing_can_be_shown_it_fails() {
    let mute = |plan: &mut Plan| (plan.push, plan.text, plan.speaks) = (false, None, false);
    let one = Try::of(mute);
    assert_eq!(one.names(), [Asked, Shown]);
    let one = Try::of(|plan| {
        mute(plan);
        plan.shows = false;
    });
    assert_eq!(one.names(), [Asked, Failed]);
    // A text that is out may yet be read.
    let mut one = Try::of(|plan| (plan.push, plan.look_up, plan.speaks, plan.shows) = (false, false, false, false));
    one.pass(30);
    assert!(!one.elevation.is_over());
    one.give(Input::Opened).give(Input::Bound);
    assert_eq!(one.last(), (Bound, None));
}

#[test]
fn the_key_pressed_again_goes_on_to_the_spoken_code_and_says_it_as_often_as_wanted() {
    let mut one = Try::of(|plan| plan.look_up = false);
    one.give(Input::AskedAgain);
    assert_eq!(one.orders, ["push", "text"]);
    one.give(Input::AskedAgain).give(Input::AskedAgain);
    assert_eq!(one.orders, ["push", "text", "speak", "speak"]);
    one.give(Input::Opened).pass(60);
    assert_eq!(one.last(), (Opened, None), "the ladder ends where somebody opened the link");
    assert_eq!(one.orders.len(), 4);
}

#[test]
fn the_call_may_end_at_any_step() {
    for steps in 0..6 {
        let mut one = Try::of(|_| ());
        let inputs = [
            Input::PushFailed(None),
            Input::LookedUp(LineType::Mobile),
            Input::Opened,
            Input::Authenticated,
            Input::Bound,
            Input::Closed(Reason::PageClosed),
        ];
        for input in inputs.into_iter().take(steps) {
            one.give(input);
        }
        one.give(Input::End(Reason::CallEnded));
        let ended = if steps >= 5 { Ended } else { Failed };
        assert_eq!(one.last(), (ended, Some(Reason::CallEnded)), "after {steps}");
        assert_eq!(one.elevation.poll_timeout(), None);
    }
}

#[test]
fn a_notification_that_nobody_takes_goes_on_at_once_and_one_that_is_late_changes_nothing() {
    let mut one = Try::of(|plan| plan.look_up = false);
    one.give(Input::PushFailed(None));
    assert_eq!((one.names(), one.last()), (vec![Asked, Texted], (Texted, None)));
    one.give(Input::Pushed).give(Input::PushFailed(Some(Reason::PushDown)));
    assert_eq!(one.names(), [Asked, Texted]);
    let mut one = Try::of(|plan| plan.look_up = false);
    one.give(Input::PushFailed(Some(Reason::PushGone)));
    assert_eq!(one.last(), (Texted, Some(Reason::PushGone)));
    let mut one = Try::of(|plan| plan.look_up = false);
    one.give(Input::Pushed).give(Input::Opened).give(Input::Bound).pass(60);
    assert_eq!((one.names(), one.orders), (vec![Asked, Pushed, Opened, Bound], vec!["push"]));
}
