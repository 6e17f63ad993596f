//! Who asks again: one link, one text, and a page that is open stays open.

use std::time::Duration;

use ringlift::elevation::{Reason, Step};
use ringlift::gateway::elevate::view::{ElevateRequest, Unfit};
use ringlift::gateway::web::Code;
use ringlift::gateway::web::protocol::ServerMessage;
use ringlift::texting::{TextFailure, TextState};
use serde_json::json;

use crate::elevation::{host_and_caller, link_of};
use crate::meeting::connects;
use crate::pages::Page;
use crate::world::World;

/// A host asks for somebody; why not, and when to ask again.
fn asks(world: &mut World, host: &mut Page, leg: ringlift::base::LegId) -> Option<(Code, Option<u64>)> {
    let caller = world.place(leg).unwrap().id;
    match world.says(host, json!({ "type": "elevate", "participant": caller })) {
        ServerMessage::Done { .. } => None,
        ServerMessage::Problem { code, after_ms, .. } => Some((code, after_ms)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_host_who_presses_three_times_has_sent_one_text_and_its_link_is_good() {
    let mut world = World::new();
    let (mut host, _, leg) = host_and_caller(&mut world);
    assert_eq!(asks(&mut world, &mut host, leg), None);
    for _ in 0..3 {
        world.pass(Duration::from_secs(5));
        let (code, after) = asks(&mut world, &mut host, leg).expect("sent already");
        assert_eq!(code, Code::ElevateAlreadySent);
        assert!(after.is_some_and(|ms| (40_000..60_000).contains(&ms)), "and when again: {after:?}");
    }
    assert_eq!(world.texts.len(), 1);
    let link = world.link();
    // A minute later it goes out once more, and is the same.
    world.pass(Duration::from_secs(50));
    assert_eq!(asks(&mut world, &mut host, leg), None);
    assert_eq!(world.texts.len(), 2);
    assert_ne!(world.texts[0].id, world.texts[1].id, "another text, for the outbox sends none twice");
    assert_eq!(link_of(world.texts[1].body.expose()), link);
    assert_eq!(world.last_step(), (Step::Texted, Some(Reason::AskedAgain)));
    assert_eq!(asks(&mut world, &mut host, leg).map(|(code, _)| code), Some(Code::ElevateAlreadySent));
    // It is good for its whole time from then on.
    world.pass(Duration::from_secs(560));
    let done = world.redeems(json!({ "ticket": link })).unwrap();
    world.takes_seat(&done);
}

#[test]
fn a_host_who_asks_after_the_caller_did_is_shown_what_comes_of_it() {
    let mut world = World::new();
    let (mut host, _, leg) = host_and_caller(&mut world);
    world.key(leg, "*3");
    world.told(&host);
    assert_eq!(asks(&mut world, &mut host, leg).map(|(code, _)| code), Some(Code::ElevateAlreadySent));
    world.text_is(TextState::Failed, Some(TextFailure::Unreachable));
    world.pass(Duration::from_secs(31));
    let shown = world.told(&host).into_iter().rev().find_map(|told| match told {
        ServerMessage::Elevation(progress) if progress.step == Step::Shown => progress.link,
        _ => None,
    });
    assert!(shown.expect("the host's screen is the last rung").expose().ends_with(&world.link()));
}

#[test]
fn while_the_page_is_open_nobody_sends_anything_and_its_link_stays_what_it_is() {
    let mut world = World::new();
    let (mut host, _, leg) = host_and_caller(&mut world);
    world.key(leg, "*3");
    let link = world.link();
    let done = world.redeems(json!({ "ticket": link })).unwrap();
    let mut page = world.takes_seat(&done);
    connects(&mut world, &mut page);
    world.pass(Duration::from_secs(120));
    world.key(leg, "*3");
    world.pass(Duration::from_secs(3));
    assert!(world.was_told(leg, "elevate-page-open"));
    assert_eq!(asks(&mut world, &mut host, leg), Some((Code::ElevatePageOpen, None)));
    assert_eq!(world.elevates(leg, ElevateRequest::default()), Err(Unfit::PageOpen));
    assert_eq!(world.texts.len(), 1);
    assert_eq!(world.last_step(), (Step::Bound, None));
    assert!(!world.pages.closed.contains(&page.session));
    // Its browser comes back by the same link; once it is closed for good the key sends another.
    let holder = done.holder.expose();
    let done = world.redeems(json!({ "ticket": link, "holder": holder })).unwrap();
    let page = world.takes_seat(&done);
    world.drops(&page);
    world.key(leg, "*3");
    assert_eq!(world.texts.len(), 2);
    assert_ne!(world.link(), link);
}

#[test]
fn the_key_pressed_again_says_the_code_and_a_minute_later_sends_the_same_link_again() {
    let mut world = World::new();
    let (_, _, leg) = host_and_caller(&mut world);
    world.key(leg, "*3");
    world.text_is(TextState::Handed, None);
    world.text_is(TextState::Delivered, None);
    let link = world.link();
    world.pass(Duration::from_secs(5));
    world.key(leg, "*3");
    assert_eq!(world.last_step(), (Step::Spoken, Some(Reason::AskedAgain)));
    assert_eq!(world.texts.len(), 1);
    world.pass(Duration::from_secs(60));
    world.key(leg, "*3");
    assert_eq!(world.texts.len(), 2);
    assert_eq!(world.link(), link);
    // Where texts do not arrive, none is sent in vain.
    world.text_is(TextState::Failed, Some(TextFailure::Landline));
    world.pass(Duration::from_secs(61));
    world.key(leg, "*3");
    assert_eq!((world.texts.len(), world.last_step().0), (2, Step::Spoken));
}

#[test]
fn an_integration_that_asks_twice_is_told_and_one_that_wants_something_else_gets_it() {
    let mut world = World::new();
    let (_, _, leg) = host_and_caller(&mut world);
    let first = world.elevates(leg, ElevateRequest::default()).unwrap();
    assert!(matches!(world.elevates(leg, ElevateRequest::default()), Err(Unfit::AlreadySent(1..=60))));
    let number = serde_json::from_value(json!("+491709998877")).ok();
    let other = world.elevates(leg, ElevateRequest { number, ..ElevateRequest::default() }).unwrap();
    assert_ne!(first.id, other.id, "to another telephone it is another link");
    assert_eq!(world.texts.len(), 2);
}
