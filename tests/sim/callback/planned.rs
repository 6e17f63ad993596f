//! Callbacks at a set time.

use std::time::Duration;

use ringlift::base::id::ExtensionId;
use ringlift::base::{Instant, Utc};
use ringlift::callback::{Failure, State};
use ringlift::gateway::callback::view::{CallbackRequest, Kept};
use ringlift::gateway::command::{Command, Denial, Reply};
use ringlift::gateway::settings::Settings;
use ringlift::route::Extension;
use ringlift::wire::sip::Method;
use serde_json::{Value, json};

use super::{MOBILE, answers, logged, shown};
use crate::desks::Desk;
use crate::house::registered;
use crate::telephone::extension;
use crate::world::{ROOM, World};

fn plan(world: &mut World, request: Value) -> Kept {
    let request: CallbackRequest = serde_json::from_value(request).unwrap();
    match world.ask(Command::PlanCallback { room: ROOM, request: Box::new(request) }) {
        Ok(Reply::CallbackPlan(kept)) => *kept,
        other => panic!("{other:?}"),
    }
}

/// RFC 3339 of a moment so long from now.
fn at(world: &World, seconds: i64) -> String {
    Utc(world.now.utc.0 + seconds * 1000).to_string()
}

#[test]
fn a_callback_at_a_set_time_rings_once_then() {
    let mut world = World::office();
    let at = at(&world, 3600);
    let kept = plan(&mut world, json!({ "number": MOBILE, "name": "Carla", "at": at }));
    world.ask(Command::PutCallback(Box::new(kept.clone()))).unwrap();
    assert_eq!(shown(&mut world, kept.id).state, State::None);
    world.pass(Duration::from_secs(3590));
    let mut carrier = Desk::carrier(10);
    assert!(world.asked(&carrier, &Method::Invite).is_none());
    world.pass(Duration::from_secs(11));
    assert!(world.planned.contains(&kept.id), "noted before it rings");
    let leg = answers(&mut world, &mut carrier);
    world.key(leg, "1");
    assert_eq!(shown(&mut world, kept.id).state, State::Success);
    assert_eq!(world.unplanned, [kept.id]);
    world.pass(Duration::from_secs(7200));
    assert!(world.asked(&Desk::carrier(10), &Method::Invite).is_none(), "once");
}

#[test]
fn a_clock_that_jumps_neither_loses_a_callback_nor_lets_it_ring_twice() {
    let mut world = World::office();
    let at = at(&world, 3600);
    let kept = plan(&mut world, json!({ "number": MOBILE, "at": at }));
    world.ask(Command::PutCallback(Box::new(kept.clone()))).unwrap();
    // Two hours forward.
    world.now.utc = Utc(world.now.utc.0 + 7_200_000);
    world.pass(Duration::from_secs(31));
    let mut carrier = Desk::carrier(10);
    world.rung(&mut carrier);
    world.refuses(&carrier, "486 Busy Here", "");
    assert_eq!(shown(&mut world, kept.id).failure, Some(Failure::Busy));
    // And back again. What it was sent before more than once is no second call.
    while world.asked(&carrier, &Method::Invite).is_some() {}
    world.now.utc = Utc(world.now.utc.0 - 7_200_000);
    world.pass(Duration::from_secs(3700));
    assert!(world.asked(&carrier, &Method::Invite).is_none(), "it rang already");
}

#[test]
fn a_callback_survives_a_restart_and_one_that_may_have_rung_does_not_ring_again() {
    let mut world = World::office();
    let at = at(&world, 600);
    let kept = plan(&mut world, json!({ "number": MOBILE, "at": at }));
    let mut again = World::office_with(|directory| directory.callbacks.push((kept.clone(), false)));
    again.pass(Duration::from_secs(601));
    let mut carrier = Desk::carrier(10);
    again.rung(&mut carrier);
    let mut third = World::office_with(|directory| directory.callbacks.push((kept.clone(), true)));
    third.pass(Duration::from_secs(601));
    assert!(third.asked(&carrier, &Method::Invite).is_none());
    assert_eq!(logged(&third).last(), Some(&(State::Failed, Some(Failure::Ours))), "and that is told");
    assert_eq!(third.unplanned, [kept.id]);
}

#[test]
fn a_planned_callback_to_a_desk_waits_until_its_telephone_came_back_after_a_restart() {
    let mut before = World::office();
    extension(&mut before, 101);
    let at = at(&before, 120);
    let kept = plan(&mut before, json!({ "extension": "101", "at": at }));
    // The node starts anew: of registrations it knows nothing.
    let restarted = || {
        World::office_with(|directory| {
            let secret = ringlift::base::Secret::new("secret-101");
            directory.extensions.push(Extension::new(ExtensionId::from_bits(101), "101", secret));
            directory.callbacks.push((kept.clone(), false));
        })
    };
    let mut again = restarted();
    again.pass(Duration::from_secs(180));
    assert_eq!(shown(&mut again, kept.id).state, State::None, "it waits");
    let (_, mut desk) = registered(&mut again, 101, 0);
    again.pass(Duration::from_secs(6));
    again.rung(&mut desk);
    // One that never comes back is given up once its registration would be over anyhow, an hour after the start.
    let mut never = restarted();
    let hour = Instant::START + Duration::from_secs(3600);
    never.pass(hour.since(never.now.mono) - Duration::from_secs(60));
    assert_eq!(shown(&mut never, kept.id).state, State::None);
    never.pass(Duration::from_secs(120));
    assert_eq!(logged(&never).last(), Some(&(State::Failed, Some(Failure::Unreachable))));
    assert_eq!(never.unplanned, [kept.id]);
}

#[test]
fn a_planned_callback_that_may_not_ring_any_more_is_told_as_failed_and_does_not_just_vanish() {
    let mut world = World::office();
    let at = at(&world, 600);
    let kept = plan(&mut world, json!({ "number": MOBILE, "at": at }));
    // The operator forbids them meanwhile, and starts the node again.
    let change = |settings: &mut Settings| settings.callback.allowed = false;
    for (claimed, why) in [(false, Failure::NotAllowed), (true, Failure::Ours)] {
        let stored = (kept.clone(), claimed);
        let again = World::of(|_| {}, change, |directory| directory.callbacks.push(stored));
        assert_eq!(logged(&again), [(State::Failed, Some(why))]);
        assert_eq!(again.unplanned, [kept.id]);
    }
}

#[test]
fn quiet_hours_hold_a_callback_back_until_they_end() {
    let mut world = World::office();
    let minute = |world: &World, ahead: i64| {
        let at = (world.now.utc.0 / 60_000 + ahead).rem_euclid(24 * 60);
        format!("{:02}:{:02}", at / 60, at % 60)
    };
    let quiet = format!("{}-{}", minute(&world, 5), minute(&world, 65));
    let at = at(&world, 600);
    let kept = plan(&mut world, json!({ "number": MOBILE, "at": at, "quiet": [quiet], "time_zone": "UTC" }));
    world.ask(Command::PutCallback(Box::new(kept))).unwrap();
    world.pass(Duration::from_secs(3600));
    assert!(world.asked(&Desk::carrier(10), &Method::Invite).is_none());
    world.pass(Duration::from_secs(400));
    assert!(world.asked(&Desk::carrier(10), &Method::Invite).is_some());
}

#[test]
fn a_set_time_is_read_in_its_place_and_must_be_ahead() {
    let mut world = World::office();
    let mut with = |at: &str, zone: &str| {
        let request = json!({ "number": MOBILE, "at": at, "time_zone": zone });
        let request: CallbackRequest = serde_json::from_value(request).unwrap();
        match world.ask(Command::PlanCallback { room: ROOM, request: Box::new(request) }) {
            Ok(Reply::CallbackPlan(kept)) => Ok(kept.at.to_string()),
            Err(Denial::Invalid(why)) => Err(why),
            other => panic!("{other:?}"),
        }
    };
    let now = with("1999-01-01T09:00:00", "Europe/Berlin");
    assert!(now.is_err(), "it is past");
    assert!(with("tomorrow", "Europe/Berlin").is_err());
    assert!(with("2026-01-01T09:00:00", "Europe/Nowhere").is_err());
}

#[test]
fn a_scheduled_callback_can_be_taken_back() {
    let mut world = World::office();
    let at = at(&world, 600);
    let kept = plan(&mut world, json!({ "number": MOBILE, "at": at }));
    world.ask(Command::PutCallback(Box::new(kept.clone()))).unwrap();
    assert_eq!(world.ask(Command::CancelCallback(kept.id)), Ok(Reply::Done));
    assert_eq!(shown(&mut world, kept.id).state, State::Canceled);
    assert_eq!(world.unplanned, [kept.id]);
    world.pass(Duration::from_secs(700));
    assert!(world.asked(&Desk::carrier(10), &Method::Invite).is_none());
}
