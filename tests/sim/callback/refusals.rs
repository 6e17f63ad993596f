//! What is refused, each in its own words, and who is left alone.

use std::time::Duration;

use ringlift::base::id::{DidId, RuleId};
use ringlift::callback::{Failure, State};
use ringlift::gateway::Directory;
use ringlift::gateway::command::{Command, Denial};
use ringlift::gateway::web::Code;
use ringlift::route::{Called, Destination, Did, Rule, When};
use ringlift::wire::sip::Method;
use serde_json::json;

use super::{MOBILE, answers, asks, call_me, host, is_heard, logged, steps};
use crate::desks::Desk;
use crate::house::registered;
use crate::meeting::connects;
use crate::telephone::extension;
use crate::world::{PIN, Phone, World};

#[test]
fn each_refusal_of_a_telephone_is_told_apart() {
    let cases = [
        ("486 Busy Here", Failure::Busy),
        ("600 Busy Everywhere", Failure::Busy),
        ("603 Decline", Failure::Refused),
        ("608 Rejected", Failure::Blocked),
        ("607 Unwanted", Failure::Blocked),
        ("404 Not Found", Failure::Unreachable),
        ("488 Not Acceptable Here", Failure::Unreachable),
    ];
    for (status, failure) in cases {
        let mut world = World::office();
        let (mut page, _) = host(&mut world);
        call_me(&mut world, &mut page, json!({ "number": MOBILE }));
        let mut carrier = Desk::carrier(10);
        world.rung(&mut carrier);
        world.refuses(&carrier, status, "");
        assert_eq!(steps(&mut world, &page).last(), Some(&(State::Failed, Some(failure))), "{status}");
    }
    let mut world = World::office();
    let (mut page, _) = host(&mut world);
    call_me(&mut world, &mut page, json!({ "number": MOBILE }));
    let mut carrier = Desk::carrier(10);
    world.rung(&mut carrier);
    world.rings(&carrier);
    world.pass(Duration::from_secs(61));
    world.is_cancelled(&carrier);
    assert_eq!(steps(&mut world, &page).last(), Some(&(State::Failed, Some(Failure::NoAnswer))));
}

#[test]
fn who_hangs_up_without_the_key_is_left_alone_for_ten_minutes() {
    let mut world = World::office();
    let (mut page, _) = host(&mut world);
    call_me(&mut world, &mut page, json!({ "number": MOBILE }));
    let mut carrier = Desk::carrier(10);
    let leg = answers(&mut world, &mut carrier);
    is_heard(&mut world, leg);
    world.asks(&mut carrier, "BYE", "");
    assert_eq!(steps(&mut world, &page).last(), Some(&(State::Failed, Some(Failure::Refused))));
    assert_eq!(call_me(&mut world, &mut page, json!({ "number": MOBILE })), Some(Code::TooOften));
    world.pass(Duration::from_secs(601));
    let (mut page, _) = host(&mut world);
    assert_eq!(call_me(&mut world, &mut page, json!({ "number": MOBILE })), None);
}

#[test]
fn strangers_are_not_rung_by_the_dozen() {
    let mut world = World::office();
    host(&mut world);
    for _ in 0..3 {
        let view = asks(&mut world, json!({ "number": MOBILE })).unwrap();
        world.ask(Command::CancelCallback(view.id)).unwrap();
    }
    let denied = asks(&mut world, json!({ "number": MOBILE })).unwrap_err();
    assert_eq!(denied, Denial::NotCalledBack(Failure::TooFrequent));
    assert!(asks(&mut world, json!({ "number": "+4930555778" })).is_ok(), "another number is another matter");
}

#[test]
fn what_may_not_be_called_is_not_called() {
    let mut world = World::office();
    let (mut page, _) = host(&mut world);
    let cases = [
        ("+4930901820", Code::CallbackLoop),
        ("+4990012345", Code::CallbackHighRate),
        ("+8821234567", Code::CallbackHighRate),
        ("+33123456789", Code::CallbackNotAllowed),
        ("112", Code::CallbackNotAllowed),
        ("nobody", Code::CallbackUnreachable),
    ];
    for (number, code) in cases {
        assert_eq!(call_me(&mut world, &mut page, json!({ "number": number })), Some(code), "{number}");
    }
    assert_eq!(call_me(&mut world, &mut page, json!({ "extension": "999" })), Some(Code::CallbackUnreachable));
    assert!(world.asked(&Desk::carrier(10), &Method::Invite).is_none());
    assert!(logged(&world).is_empty());
}

/// What leads back here or to help, however it is written.
const FORBIDDEN: &[(&str, Failure)] = &[
    ("+4930901820", Failure::Loop),
    ("0049 30 901820", Failure::Loop),
    ("030/901820", Failure::Loop),
    ("4930901820", Failure::Loop),
    ("1000", Failure::Loop),
    (PIN, Failure::Loop),
    ("112", Failure::NotAllowed),
    ("110", Failure::NotAllowed),
    ("911", Failure::NotAllowed),
    ("0112", Failure::NotAllowed),
    ("9911", Failure::NotAllowed),
    ("+49112", Failure::NotAllowed),
    ("0049110", Failure::NotAllowed),
];

/// A node whose attendant answers whatever nobody else does; with trunks out, or without.
fn with_attendant(trunks: bool) -> World {
    let any = |directory: &mut Directory| {
        directory.dids.push(Did { id: DidId::from_bits(9), called: Called::Any, ..directory.dids[0].clone() });
        if !trunks {
            directory.trunks.retain(|trunk| trunk.outbound.is_none());
        }
    };
    World::office_with(any)
}

#[test]
fn help_and_what_leads_back_are_refused_by_their_own_names_however_they_are_written() {
    for trunks in [true, false] {
        let mut world = with_attendant(trunks);
        let (mut page, _) = host(&mut world);
        for (number, failure) in FORBIDDEN {
            let denied = asks(&mut world, json!({ "number": number })).unwrap_err();
            assert_eq!(denied, Denial::NotCalledBack(*failure), "{number}, trunks: {trunks}");
            let code = call_me(&mut world, &mut page, json!({ "number": number }));
            assert_eq!(code, Some(Code::from(*failure)), "{number}, trunks: {trunks}");
        }
        assert!(world.asked(&Desk::carrier(10), &Method::Invite).is_none());
        assert!(logged(&world).is_empty());
    }
}

#[test]
fn a_prefix_that_a_rule_takes_off_hides_no_number_of_ours() {
    let mut world = World::office_with(|directory| {
        let outward = directory.trunks.iter().find(|trunk| trunk.outbound.is_some()).unwrap().id;
        let then = Destination::Trunk { trunks: vec![outward], strip: 2, prefix: String::new() };
        let when = When { called: vec!["77*".parse().unwrap()], ..When::default() };
        let (id, name) = (RuleId::from_bits(1), "a line".to_owned());
        directory.rules.push(Rule { id, position: 1, name, enabled: true, when, then });
    });
    host(&mut world);
    let denied = asks(&mut world, json!({ "number": "77030901820" })).unwrap_err();
    assert_eq!(denied, Denial::NotCalledBack(Failure::Loop));
    assert!(asks(&mut world, json!({ "number": "77030555777" })).is_ok(), "another number goes out");
}

#[test]
fn whoever_calls_from_a_number_of_ours_is_not_called_back_by_key() {
    let mut world = World::office();
    host(&mut world);
    let mut phone = Phone::new(1);
    phone.number = "+4930901820".into();
    let leg = world.join(&mut phone, PIN);
    world.key(leg, "#2");
    assert!(world.was_told(leg, "not-available") && !world.was_told(leg, "callback-ready"));
    world.bye(&mut phone);
    world.pass(Duration::from_secs(10));
    assert!(world.asked(&Desk::carrier(10), &Method::Invite).is_none());
    assert!(logged(&world).is_empty());
}

#[test]
fn calls_by_carriers_begin_only_while_a_host_is_there() {
    let mut world = World::office();
    extension(&mut world, 101);
    registered(&mut world, 101, 0);
    let mut page = world.page_by_pin(PIN, "Ben");
    connects(&mut world, &mut page);
    assert_eq!(call_me(&mut world, &mut page, json!({ "number": MOBILE })), Some(Code::CallbackNoHost));
    assert_eq!(
        call_me(&mut world, &mut page, json!({ "number": "101" })),
        None,
        "a telephone of the house costs nothing"
    );
    assert_eq!(call_me(&mut world, &mut page, json!({ "number": MOBILE })), Some(Code::CallbackUnderWay));
}
