//! "Call me back at this number", by key.

use std::time::Duration;

use ringlift::callback::State;
use ringlift::gateway::command::Command;
use ringlift::room::{Operation, Role};
use ringlift::wire::sip::Method;

use super::{MOBILE, answers, host, logged};
use crate::desks::Desk;
use crate::world::{HOST_PIN, PIN, Phone, ROOM, World};

#[test]
fn a_caller_in_the_meeting_hangs_up_and_is_called_back_into_their_role() {
    let mut world = World::office();
    host(&mut world);
    let mut phone = Phone::new(1);
    phone.number = MOBILE.into();
    let leg = world.join(&mut phone, HOST_PIN);
    world.key(leg, "#2");
    assert!(world.was_told(leg, "callback-ready"));
    assert_eq!(logged(&world), [(State::None, None)]);
    world.pass(Duration::from_secs(30));
    assert!(world.asked(&Desk::carrier(10), &Method::Invite).is_none(), "not before they hang up");
    world.bye(&mut phone);
    world.pass(Duration::from_secs(4));
    let mut carrier = Desk::carrier(10);
    let again = answers(&mut world, &mut carrier);
    world.key(again, "1");
    let place = world.place(again).expect("a place");
    assert_eq!(place.role, Role::Host);
    assert_eq!(logged(&world).last(), Some(&(State::Success, None)));
}

#[test]
fn a_caller_who_is_shown_out_is_not_called_back_into_the_meeting() {
    let mut world = World::office();
    host(&mut world);
    let mut phone = Phone::new(1);
    phone.number = MOBILE.into();
    let leg = world.join(&mut phone, PIN);
    world.key(leg, "#2");
    let participant = world.place(leg).unwrap().id;
    world.ask(Command::Operate { room: ROOM, operation: Operation::Remove { participant } }).unwrap();
    world.pass(Duration::from_secs(20));
    assert!(world.asked(&Desk::carrier(10), &Method::Invite).is_none(), "nobody rings them");
    assert_eq!(logged(&world).last().unwrap().0, State::Canceled);
}

#[test]
fn a_host_is_called_back_into_a_meeting_that_they_locked() {
    let mut world = World::office();
    host(&mut world);
    let mut phone = Phone::new(1);
    phone.number = MOBILE.into();
    let leg = world.join(&mut phone, HOST_PIN);
    world.key(leg, "#2");
    world.ask(Command::Operate { room: ROOM, operation: Operation::Lock {} }).unwrap();
    world.bye(&mut phone);
    world.pass(Duration::from_secs(4));
    let mut carrier = Desk::carrier(10);
    let again = answers(&mut world, &mut carrier);
    world.key(again, "1");
    assert_eq!(world.place(again).expect("a place").role, Role::Host);
}

#[test]
fn a_caller_at_the_attendant_is_called_back_to_the_attendant() {
    let mut world = World::office();
    let mut phone = Phone::new(1);
    phone.number = MOBILE.into();
    let leg = world.call(&mut phone, "+4930901820");
    world.pass(Duration::from_secs(2));
    world.key(leg, "**");
    assert!(world.was_told(leg, "callback-ready"));
    world.bye(&mut phone);
    world.pass(Duration::from_secs(4));
    let mut carrier = Desk::carrier(10);
    let again = answers(&mut world, &mut carrier);
    assert!(world.was_told(again, "callback-join"));
    world.key(again, "1");
    world.finish_playing(again);
    world.pass(Duration::from_secs(1));
    world.key(again, &format!("{PIN}#"));
    assert!(world.place(again).is_some(), "the PIN is asked as ever");
}

#[test]
fn callers_of_one_trunk_who_show_ever_other_numbers_cannot_have_strangers_rung_without_end() {
    let mut world = World::office();
    let asks = |world: &mut World, n: u8| {
        let mut phone = Phone::new(1);
        phone.number = format!("+491700000{n:03}");
        phone.call_id = format!("stranger-{n}");
        let leg = world.call(&mut phone, "+4930901820");
        world.pass(Duration::from_secs(2));
        world.key(leg, "**");
        let ready = world.was_told(leg, "callback-ready");
        assert!(ready || world.was_told(leg, "not-available"));
        world.bye(&mut phone);
        world.pass(Duration::from_secs(1));
        while world.next(&phone).is_some() {}
        ready
    };
    let heard: Vec<bool> = (0..24).map(|n| asks(&mut world, n)).collect();
    let ready = heard.iter().filter(|ready| **ready).count();
    assert!((20..=22).contains(&ready), "twenty at once, then one in half a minute: {ready}");
    assert!(heard[..20].iter().all(|ready| *ready) && !heard[23]);
    world.pass(Duration::from_secs(60));
    assert!(asks(&mut world, 99));
}
