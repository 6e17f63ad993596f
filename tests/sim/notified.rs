//! A browser that is known by the caller's number is told before a text is sent, in virtual time.

use std::time::Duration;

use ringlift::base::{PhoneNumber, Secret};
use ringlift::elevation::push::PushOutcome;
use ringlift::elevation::{Reason, Step};
use ringlift::gateway::Input;
use ringlift::gateway::command::{Command, Denial, Reply};
use ringlift::gateway::elevate::view::{Redeemed, Shut};
use ringlift::texting::{TextFailure, TextState};
use serde_json::json;

use crate::elevation::{host_and_caller, link_of, spoken_code};
use crate::world::World;

/// A node whose pages may subscribe to notifications.
fn world_with_push() -> World {
    World::with(|_| {}, |settings| settings.elevating.push = Some("the-key".into()))
}

impl World {
    /// What came of the latest notification.
    fn notified(&mut self, outcome: PushOutcome) {
        let elevation = self.pushes.last().expect("a notification").elevation;
        self.give(Input::Notified { elevation, outcome });
    }

    /// Whose number a browser has, as it wants to be notified.
    fn number_of(&mut self, done: &Redeemed) -> Result<PhoneNumber, Shut> {
        let asked = Command::NumberOfHolder { holder: done.holder.clone(), from: "203.0.113.80".parse().unwrap() };
        match self.ask(asked) {
            Ok(Reply::Telephone(number)) => Ok(number),
            Err(Denial::Shut(shut)) => Err(shut),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_browser_is_told_before_a_text_is_sent_and_the_text_follows_where_nobody_answers() {
    let mut world = world_with_push();
    let (_, phone, leg) = host_and_caller(&mut world);
    world.key(leg, "*3");
    let number = PhoneNumber::parse(&phone.number).unwrap();
    let order = world.pushes.last().expect("a notification").clone();
    assert_eq!((order.to, order.room.as_str()), (number, "Room"));
    assert_eq!(world.last_step(), (Step::Asked, None), "nobody has it yet");
    world.notified(PushOutcome::Taken);
    assert_eq!(world.last_step(), (Step::Pushed, None));
    world.pass(Duration::from_secs(5));
    assert!(world.texts.is_empty() && !world.was_told(leg, "elevate-texted"), "what is not sent is not told");
    world.pass(Duration::from_secs(2));
    assert_eq!(world.last_step(), (Step::Texted, Some(Reason::NoAnswer)));
    assert!(world.was_told(leg, "elevate-texted") && world.texts.len() == 1);
    assert_eq!(link_of(order.link.expose()), world.link(), "one link, whichever way it came");
    let done = world.redeems(json!({ "ticket": world.link() })).unwrap();
    world.takes_seat(&done);
    assert_eq!(world.last_step().0, Step::Bound);
    // Answered at once, no text is sent at all.
    let mut world = world_with_push();
    let (_, _, leg) = host_and_caller(&mut world);
    world.key(leg, "*3");
    world.notified(PushOutcome::Taken);
    let link = link_of(world.pushes[0].link.expose());
    let done = world.redeems(json!({ "ticket": link })).unwrap();
    world.takes_seat(&done);
    world.pass(Duration::from_secs(60));
    assert!(world.texts.is_empty());
}

#[test]
fn who_has_no_browser_gets_the_text_at_once_and_a_notification_that_fails_is_told_with_its_reason() {
    for (outcome, reason) in [
        (PushOutcome::Nobody, None),
        (PushOutcome::Failed(Reason::PushGone), Some(Reason::PushGone)),
        (PushOutcome::Failed(Reason::PushDown), Some(Reason::PushDown)),
    ] {
        let mut world = world_with_push();
        let (_, _, leg) = host_and_caller(&mut world);
        world.key(leg, "*3");
        assert!(world.texts.is_empty());
        world.notified(outcome);
        assert_eq!(world.last_step(), (Step::Texted, reason));
        assert!(world.texts.len() == 1 && !world.steps().iter().any(|(step, _)| *step == Step::Pushed));
        // What is said late changes nothing.
        world.notified(PushOutcome::Taken);
        assert_eq!(world.last_step(), (Step::Texted, reason));
    }
}

#[test]
fn a_browser_is_known_by_a_number_only_where_a_text_to_it_brought_the_link() {
    let mut world = world_with_push();
    let (_, phone, leg) = host_and_caller(&mut world);
    let number = PhoneNumber::parse(&phone.number).unwrap();
    world.key(leg, "*3");
    world.notified(PushOutcome::Nobody);
    let done = world.redeems(json!({ "ticket": world.link() })).unwrap();
    assert_eq!((done.push.as_deref(), world.number_of(&done)), (Some("the-key"), Ok(number)));
    let forged = Redeemed { holder: Secret::new("0c2f4h6k8m1p3r5t7v9x0z2b4d"), ..done };
    assert_eq!(world.number_of(&forged), Err(Shut::Unknown));
    // By the code that is said: whoever forges a number hears it.
    let mut world = world_with_push();
    let (_, _, leg) = host_and_caller(&mut world);
    world.key(leg, "*3");
    world.notified(PushOutcome::Nobody);
    world.text_is(TextState::Failed, Some(TextFailure::Landline));
    let code = spoken_code(&world, leg);
    let done = world.redeems(json!({ "code": code })).unwrap();
    assert_eq!((done.push.as_deref(), world.number_of(&done)), (None, Err(Shut::NotProved)));
    // By a notification: the number may be somebody else's by now.
    let mut world = world_with_push();
    let (_, _, leg) = host_and_caller(&mut world);
    world.key(leg, "*3");
    world.notified(PushOutcome::Taken);
    world.pass(Duration::from_secs(7));
    let done = world.redeems(json!({ "ticket": world.link() })).unwrap();
    assert_eq!((done.push.as_deref(), world.number_of(&done)), (None, Err(Shut::NotProved)));
    // By a link that the host was shown.
    let mut world = world_with_push();
    let (mut host, _, leg) = host_and_caller(&mut world);
    let caller = world.place(leg).unwrap().id;
    world.says(&mut host, json!({ "type": "elevate", "participant": caller.to_string() }));
    world.notified(PushOutcome::Nobody);
    world.text_is(TextState::Failed, Some(TextFailure::Unreachable));
    world.pass(Duration::from_secs(31));
    assert_eq!(world.last_step().0, Step::Shown);
    let done = world.redeems(json!({ "ticket": world.link() })).unwrap();
    assert_eq!((done.push.as_deref(), world.number_of(&done)), (None, Err(Shut::NotProved)));
}
