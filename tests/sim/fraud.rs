//! Who calls at the expense of others does not get far, and whoever calls for help always does.

use std::time::Duration;

use ringlift::base::id::ExtensionId;
use ringlift::base::{Cause, Secret};
use ringlift::gateway::command::{Command, Denial, DialRequest};
use ringlift::route::{CallLimits, Calling, Extension};

use crate::desks::Desk;
use crate::house::{dial, final_status, hang_up, is_connected};
use crate::telephone::{Telephone, extension};
use crate::world::{Phone, ROOM, World};

fn limited(world: &mut World, number: u64, limits: CallLimits) {
    let id = ExtensionId::from_bits(number);
    let password = Secret::new(format!("secret-{number}"));
    let extension = Extension { limits, ..Extension::new(id, number.to_string(), password) };
    world.ask(Command::PutExtension(Box::new(extension))).unwrap();
}

/// INVITEs that went to the carrier.
fn invites(world: &mut World) -> usize {
    let carrier = Desk::carrier(10).as_phone();
    let mut count = 0;
    while let Some(request) = world.request(&carrier) {
        count += usize::from(request.method == ringlift::wire::sip::Method::Invite);
    }
    count
}

/// Calls a number; what still came of calls before is not looked at.
fn calls(world: &mut World, phone: &mut Telephone, to: &str) {
    while phone.response(world).is_some() {}
    dial(world, phone, to);
}

/// Tries a number; the final answer, or none while it rings.
fn attempt(world: &mut World, phone: &mut Telephone, to: &str) -> Option<u16> {
    calls(world, phone, to);
    let answer = std::iter::from_fn(|| phone.response(world)).find(|answer| answer.status.is_final());
    answer.map(|answer| answer.status.code())
}

#[test]
fn fifty_calls_from_nowhere_to_a_dear_number_reach_no_carrier() {
    let mut world = World::office();
    extension(&mut world, 101);
    for n in 0..50u8 {
        let thief = Phone { call_id: format!("x{n}"), ..Phone::at("198.18.3.3".parse().unwrap(), n) };
        let text = thief.request_text("INVITE", "sip:+88213123456@198.51.100.1", &thief.offer("sendrecv"));
        world.send(&thief, &text);
        assert_eq!(world.response(&thief).unwrap().status.code(), 401);
    }
    assert_eq!((invites(&mut world), world.ports_bound), (0, 0));
}

#[test]
fn a_stolen_password_calls_neither_dear_numbers_nor_other_countries() {
    let mut world = World::office();
    extension(&mut world, 101);
    for (n, to) in ["+88213123456", "0090012345", "00881612345678", "0033142278186", "0018765551234", "118118"]
        .into_iter()
        .enumerate()
    {
        let mut thief = Telephone { call_id: format!("t{n}"), ..Telephone::new(101) };
        assert_eq!(attempt(&mut world, &mut thief, to), Some(403), "{to}");
    }
    assert_eq!(world.status().refused.get(&Cause::NotAllowed), Some(&6));
    assert_eq!(invites(&mut world), 0);
    let mut owner = Telephone { call_id: "home".into(), ..Telephone::new(101) };
    assert_eq!(attempt(&mut world, &mut owner, "030555501"), None, "at home it rings");
    assert_eq!(invites(&mut world), 1);
}

#[test]
fn calls_at_once_and_calls_per_second_have_an_end() {
    let mut world = World::office();
    limited(&mut world, 101, CallLimits { max_calls: 3, calls_per_second: 2, ..CallLimits::default() });
    let call = |world: &mut World, n: u32| {
        let mut phone = Telephone { call_id: format!("c{n}"), ..Telephone::new(101) };
        attempt(world, &mut phone, "030555501")
    };
    assert_eq!([call(&mut world, 1), call(&mut world, 2)], [None, None]);
    assert_eq!(call(&mut world, 3), Some(503), "two in a second");
    world.pass(Duration::from_secs(1));
    assert_eq!(call(&mut world, 4), None);
    world.pass(Duration::from_secs(1));
    assert_eq!(call(&mut world, 5), Some(403), "three at once");
    let refused = world.status().refused;
    assert_eq!((refused.get(&Cause::Throttled), refused.get(&Cause::LimitReached)), (Some(&1), Some(&1)));
}

#[test]
fn a_call_ends_when_the_minutes_of_the_day_are_used_up_and_tomorrow_is_another_day() {
    let mut world = World::office();
    limited(&mut world, 101, CallLimits { minutes_per_day: 3, ..CallLimits::default() });
    let mut phone = Telephone::new(101);
    calls(&mut world, &mut phone, "030555501");
    let mut carrier = Desk::carrier(10);
    world.rung(&mut carrier);
    world.answers(&carrier);
    is_connected(&mut world, &mut phone);
    world.pass(Duration::from_secs(179));
    assert_eq!(world.calls().len(), 2);
    world.pass(Duration::from_secs(2));
    assert!(world.is_hung_up(&carrier).contains("cause=21"), "the carrier is hung up");
    let mut again = Telephone { call_id: "again".into(), ..Telephone::new(101) };
    assert_eq!(attempt(&mut world, &mut again, "030555502"), Some(403));
    world.pass(Duration::from_secs(17 * 3600));
    let mut tomorrow = Telephone { call_id: "tomorrow".into(), ..Telephone::new(101) };
    assert_eq!(attempt(&mut world, &mut tomorrow, "030555503"), None);
}

#[test]
fn whoever_calls_for_help_gets_through_whatever_the_limits_are() {
    let mut world = World::office();
    let nothing = CallLimits { calling: Calling::None, max_calls: 0, calls_per_second: 0, ..CallLimits::default() };
    limited(&mut world, 101, nothing);
    let refuse_all = serde_json::from_str(
        r#"{"id":"rule_0000000000001","position":1,"name":"night","then":{"to":"refuse","cause":"declined"}}"#,
    );
    world.ask(Command::PutRule(Box::new(refuse_all.unwrap()))).unwrap();
    for (n, number) in ["112", "110"].into_iter().enumerate() {
        let mut phone = Telephone { call_id: format!("help{n}"), ..Telephone::new(101) };
        calls(&mut world, &mut phone, number);
        let mut carrier = Desk::carrier(10);
        let invite = world.rung(&mut carrier);
        assert_eq!(invite.uri.to_string(), format!("sip:{number}@203.0.113.10"), "as it was dialled");
        world.answers(&carrier);
        is_connected(&mut world, &mut phone);
        hang_up(&mut world, &mut phone);
        world.is_hung_up(&carrier);
    }
    let mut phone = Telephone { call_id: "other".into(), ..Telephone::new(101) };
    assert_eq!(attempt(&mut world, &mut phone, "030555501"), Some(603), "the rule holds for everything else");
}

#[test]
fn a_scanner_hears_nothing_and_is_counted() {
    let mut world = World::office();
    for (n, agent) in ["friendly-scanner", "sipvicious", "sipcli/v1.8", "PPLSIP"].into_iter().enumerate() {
        let scanner = Phone { call_id: format!("s{n}"), ..Phone::at("198.18.4.4".parse().unwrap(), 4) };
        for method in ["OPTIONS", "REGISTER", "INVITE"] {
            let text = scanner.request_text(method, "sip:100@198.51.100.1", "");
            world.send(&scanner, &text.replacen("Contact:", &format!("User-Agent: {agent}\r\nContact:"), 1));
            world.pass(Duration::from_secs(1));
            assert!(world.next(&scanner).is_none(), "{agent} {method}");
        }
        // Nor by pretending that it has a call.
        let pretends = Phone { to_tag: Some("abc".into()), cseq: 9, ..scanner };
        let text = pretends.request_text("OPTIONS", "sip:100@198.51.100.1", "");
        world.send(&pretends, &text.replacen("Contact:", &format!("User-Agent: {agent}\r\nContact:"), 1));
        world.pass(Duration::from_secs(1));
        assert!(world.next(&pretends).is_none(), "{agent}");
    }
    assert_eq!(world.status().ignored.get("scanner"), Some(&16));
    assert_eq!(world.status().invited, 0);
}

#[test]
fn who_guesses_passwords_gets_no_answer_after_a_while_and_a_neighbour_with_the_right_one_does() {
    let mut world = World::office();
    extension(&mut world, 101);
    extension(&mut world, 102);
    let guess = |world: &mut World, n: u32, ip: &str| {
        let mut phone = Telephone { call_id: format!("g{n}"), password: "guess".into(), ..Telephone::new(101) };
        phone.source.remote = ip.parse().unwrap();
        phone.send(world, "OPTIONS", "sip:198.51.100.1", "", "");
        let heard = phone.response(world).is_some();
        if heard {
            dial(world, &mut phone, "030555501");
            assert_eq!(final_status(world, &phone), 401);
        }
        heard
    };
    // Alone behind an address: silence.
    let heard = (0..20).filter(|n| guess(&mut world, *n, "198.18.5.5:5060")).count();
    assert_eq!(heard, 10);
    assert!(world.status().ignored.get("wrong_passwords").is_some_and(|count| *count == 10));
    // Behind the address of an office where somebody has the right password: not looked at, but answered.
    let mut ben = Telephone::new(102);
    ben.source.remote = "198.18.6.6:5061".parse().unwrap();
    assert_eq!(ben.register(&mut world, 300).status.code(), 200);
    let heard = (20..40).filter(|n| guess(&mut world, *n, "198.18.6.6:5060")).count();
    assert_eq!(heard, 20);
    assert_eq!(invites(&mut world), 0);
}

#[test]
fn what_the_api_dials_has_limits_of_its_own() {
    let mut world = World::office();
    let to = |to: &str| Command::Dial(Box::new(DialRequest { to: to.into(), room: Some(ROOM), ..Default::default() }));
    assert!(world.ask(to("0090012345")).is_err());
    assert!(world.ask(to("+88213123456")).is_err());
    assert_eq!(invites(&mut world), 0);
    world.ask(to("030555501")).unwrap();
    assert_eq!(invites(&mut world), 1);
}

#[test]
fn a_program_that_dials_too_fast_is_told_when_to_come_back() {
    let mut world = World::office();
    let dial =
        || Command::Dial(Box::new(DialRequest { to: "030555501".into(), room: Some(ROOM), ..Default::default() }));
    (0..10).for_each(|_| drop(world.ask(dial()).unwrap()));
    assert!(matches!(world.ask(dial()), Err(Denial::TooOften(_, 1))));
    assert_eq!(invites(&mut world), 10);
    world.pass(Duration::from_secs(1));
    assert!(world.ask(dial()).is_ok(), "a second later");
}
