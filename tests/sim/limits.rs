//! Throttles, limits, drain.

use std::time::Duration;

use ringlift::base::id::TrunkId;
use ringlift::base::{Cause, Rng, Secret};
use ringlift::gateway::Input;
use ringlift::gateway::command::Command;
use ringlift::media::command::MediaEvent;
use ringlift::route::{Credentials, Trunk};
use ringlift::sip::auth::Challenge;
use ringlift::wire::sip::Name;

use crate::world::{PIN, Phone, World, reason};

#[test]
fn wrong_pins_are_throttled_per_caller_over_many_calls() {
    let mut world = World::new();
    let mut throttled = false;
    for call in 0..4 {
        let mut phone = Phone::new(1);
        phone.call_id = format!("guess-{call}");
        let leg = world.call(&mut phone, "+4930901820");
        for guess in 0..3 {
            world.key(leg, &format!("00{call}{guess}#"));
        }
        throttled |= world.was_told(leg, "throttled");
        world.bye(&mut phone);
    }
    assert!(throttled, "the seventh guess within a minute is not looked at");
    let mut other = Phone::new(2);
    let leg = world.join(&mut other, PIN);
    assert!(world.place(leg).is_some(), "another caller is not punished");
    world.bye(&mut other);
    world.ends_clean();
}

#[test]
fn whoever_guesses_under_many_numbers_keeps_no_regular_caller_out() {
    let mut world = World::with(
        |_| {},
        |settings| {
            settings.did_pin_burst = 10;
            settings.did_pin_refill = Duration::from_secs(3600);
        },
    );
    let mut regular = Phone::new(1);
    world.join(&mut regular, PIN);
    world.bye(&mut regular);
    for caller in 10..20 {
        let mut phone = Phone::new(caller);
        let leg = world.call(&mut phone, "+4930901820");
        world.key(leg, "0001#0002#");
        world.bye(&mut phone);
    }
    let mut newcomer = Phone::new(2);
    let leg = world.join(&mut newcomer, PIN);
    assert!(world.was_told(leg, "throttled") && world.place(leg).is_none(), "guessing is stopped");
    world.bye(&mut newcomer);
    regular = Phone::new(1);
    regular.call_id = "next-day".into();
    while world.next(&regular).is_some() {}
    let leg = world.join(&mut regular, PIN);
    assert!(world.place(leg).is_some(), "who was right before comes in");
    world.bye(&mut regular);
    world.ends_clean();
}

#[test]
fn a_caller_who_calls_too_often_gets_503_and_when_to_come_back() {
    let mut world = World::with(|_| {}, |settings| settings.caller_burst = 2);
    for call in 0..3 {
        let mut phone = Phone::new(1);
        phone.call_id = format!("again-{call}");
        world.invite(&mut phone, "+4930901820");
        let answer = world.response(&phone).unwrap();
        if call < 2 {
            assert_eq!(answer.status.code(), 200);
            world.ack(&mut phone, &answer);
            world.bye(&mut phone);
        } else {
            assert_eq!(answer.status.code(), 503);
            assert!(answer.headers.get(ringlift::wire::sip::Name::RetryAfter).is_some());
        }
        while world.next(&phone).is_some() {}
    }
    world.ends_clean();
}

#[test]
fn silence_ends_a_call_with_a_reason() {
    let mut world = World::new();
    let mut phone = Phone::new(1);
    let leg = world.join(&mut phone, PIN);
    world.give(Input::Media(MediaEvent::TimedOut { leg }));
    let bye = world.request(&phone).expect("a BYE");
    assert!(reason(&bye.headers).is_some_and(|reason| reason.contains("cause=102")), "{:?}", reason(&bye.headers));
    world.ends_clean();
}

#[test]
fn a_node_going_out_of_service_takes_nothing_new_and_lets_calls_finish() {
    let mut world = World::new();
    let mut phone = Phone::new(1);
    world.join(&mut phone, PIN);
    world.give(Input::DrainAsked);
    let mut late = Phone::new(2);
    world.invite(&mut late, "+4930901820");
    let answer = world.response(&late).unwrap();
    assert_eq!(answer.status.code(), 503);
    assert!(answer.headers.get(ringlift::wire::sip::Name::RetryAfter).is_some());
    let options = late.request_text("OPTIONS", "sip:198.51.100.1", "");
    world.send(&late, &options);
    assert_eq!(world.response(&late).unwrap().status.code(), 503);
    assert_eq!(world.drained, None);
    world.bye(&mut phone);
    assert_eq!(world.drained, Some(0));
    world.ends_clean();
}

#[test]
fn at_the_drain_limit_calls_end_with_a_reason() {
    let mut world = World::new();
    let mut phone = Phone::new(1);
    world.join(&mut phone, PIN);
    world.give(Input::DrainAsked);
    world.pass(Duration::from_secs(301));
    let bye = world.request(&phone).expect("a BYE");
    assert!(reason(&bye.headers).is_some_and(|reason| reason.contains("cause=41")));
    assert!(
        world
            .records
            .iter()
            .any(|r| matches!(r, ringlift::gateway::Record::Ended(c) if c.cause == Some(Cause::DrainedOut)))
    );
    world.ends_clean();
    assert_eq!(world.drained, Some(1));
}

#[test]
fn a_call_to_an_address_family_without_media_gives_its_ports_back() {
    let mut world = World::with(|_| {}, |settings| settings.media_v4 = None);
    let mut phone = Phone::new(1);
    world.invite(&mut phone, "+4930901820");
    assert!(world.response(&phone).unwrap().status.code() >= 400);
    assert_eq!(world.ports_bound, 1);
    world.ends_clean();
}

#[test]
fn a_body_that_is_no_sdp_is_not_put_down_to_codecs() {
    let mut world = World::new();
    let phone = Phone::new(1);
    let text = phone.request_text("INVITE", "sip:+4930901820@198.51.100.1", "hello");
    world.send(&phone, &text);
    assert_eq!(world.response(&phone).unwrap().status.code(), 488);
    let cause = world.records.iter().find_map(|record| match record {
        ringlift::gateway::Record::Ended(call) => call.cause,
        _ => None,
    });
    assert_eq!(cause, Some(Cause::BadSdp));
    world.ends_clean();
}

#[test]
fn passwords_are_not_guessed_at_speed() {
    let mut world = World::new();
    let mut trunk = Trunk {
        credentials: Some(Credentials { username: "carrier".into(), password: Secret::new("right") }),
        ..Trunk::new(TrunkId::from_bits(2), "by password")
    };
    world.ask(Command::PutTrunk(trunk.clone())).unwrap();
    let mut rng = Rng::from_number(5);
    let mut call = |world: &mut World, last: u8, n: u32, password: &str| {
        let mut phone = Phone::at("203.0.113.9".parse().unwrap(), last);
        phone.call_id = format!("guess-{last}-{n}");
        world.invite(&mut phone, "+4930901820");
        let asked = world.response(&phone).unwrap();
        assert_eq!(asked.status.code(), 401);
        let mut challenge = Challenge::strongest(asked.headers.fields_of(&Name::WwwAuthenticate)).unwrap();
        let uri = "sip:+4930901820@198.51.100.1";
        let shown = challenge.answer("carrier", &Secret::new(password), "INVITE", uri, &mut rng);
        phone.cseq += 1;
        let text = phone.request_text("INVITE", uri, &phone.offer("sendrecv"));
        let text = text.replacen("Contact:", &format!("Authorization: {shown}\r\nContact:"), 1);
        world.send(&phone, &text);
        let answer = world.response(&phone).unwrap();
        if answer.status.code() == 200 {
            world.ack(&mut phone, &answer);
            world.bye(&mut phone);
        }
        while world.next(&phone).is_some() {}
        answer.status.code()
    };
    assert_eq!(call(&mut world, 9, 0, "right"), 200);
    for n in 1..=10 {
        assert_eq!(call(&mut world, 9, n, "wrong"), 401);
    }
    assert_eq!(call(&mut world, 9, 11, "right"), 401, "not looked at any more");
    world.pass(Duration::from_secs(7));
    assert_eq!(call(&mut world, 9, 12, "right"), 200, "a while later one is");
    trunk.enabled = false;
    world.ask(Command::PutTrunk(trunk)).unwrap();
    world.ends_clean();
}
