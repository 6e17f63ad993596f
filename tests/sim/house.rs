//! People of the house call each other: all telephones of one ring, groups ring, and the operator connects people.

use std::time::Duration;

use ringlift::base::elevating::ElevationRules;
use ringlift::base::id::GroupId;
use ringlift::base::{Cause, Secret};
use ringlift::gateway::Record;
use ringlift::gateway::command::{Command, DialRequest, Reply};
use ringlift::gateway::event::Happening;
use ringlift::route::{Extension, Group, Ring};
use ringlift::sip::auth::Challenge;
use ringlift::wire::sip::{Method, Name};

use crate::desks::Desk;
use crate::telephone::{Telephone, extension};
use crate::world::{Phone, World};

/// A telephone of the house registers; as it is called and as it calls.
pub fn registered(world: &mut World, number: u64, nth: u8) -> (Telephone, Desk) {
    let mut phone = Telephone::new(number);
    phone.source.remote.set_ip([203, 0, 113, u8::try_from(number % 100).unwrap() + nth * 100].into());
    phone.call_id = format!("desk-{number}-{nth}");
    phone.contact = format!("<sip:{number}@10.0.{nth}.9:5060>");
    assert_eq!(phone.register(world, 3600).status.code(), 200);
    let desk = Desk { tag: format!("t{number}-{nth}"), ..Desk::at(phone.source.remote) };
    (phone, desk)
}

/// Two people with a telephone each.
fn two(world: &mut World) -> (Telephone, Desk) {
    extension(world, 101);
    extension(world, 102);
    let (anna, _) = registered(world, 101, 0);
    let (_, ben) = registered(world, 102, 0);
    (anna, ben)
}

/// Sends an INVITE and shows credentials where asked.
pub fn dial(world: &mut World, from: &mut Telephone, to: &str) {
    let uri = format!("sip:{to}@198.51.100.1");
    let sdp = Phone::at(from.source.remote.ip(), 1).offer("sendrecv");
    from.call_id = format!("{}-{to}", from.call_id);
    from.to_tag = None;
    let lines = format!("Contact: <sip:{}@{}>\n", from.user, from.source.remote);
    from.send(world, "INVITE", &uri, &lines, &sdp);
    let asked = from.response(world).expect("a challenge");
    assert_eq!(asked.status.code(), 401);
    from.to_tag = asked.headers.to().and_then(|to| to.tag().map(str::to_owned));
    from.send(world, "ACK", &uri, "", "");
    from.to_tag = None;
    let mut challenge = asked
        .headers
        .fields_of(&Name::WwwAuthenticate)
        .filter_map(Challenge::parse)
        .find(|challenge| challenge.algorithm() == from.algorithm)
        .expect("a challenge");
    let shown = challenge.answer(&from.user, &Secret::new(&*from.password), "INVITE", &uri, &mut from.rng);
    from.send(world, "INVITE", &uri, &format!("{lines}Authorization: {shown}\n"), &sdp);
}

pub fn hang_up(world: &mut World, phone: &mut Telephone) {
    phone.send(world, "BYE", "sip:198.51.100.1", "", "");
    assert_eq!(phone.response(world).map(|answer| answer.status.code()), Some(200));
}

/// The caller's call is up: the 200 came and is acknowledged.
pub fn is_connected(world: &mut World, phone: &mut Telephone) {
    let answer = std::iter::from_fn(|| phone.response(world)).find(|answer| answer.status.is_final());
    let answer = answer.expect("an answer");
    assert_eq!(answer.status.code(), 200);
    phone.to_tag = answer.headers.to().and_then(|to| to.tag().map(str::to_owned));
    phone.send(world, "ACK", "sip:198.51.100.1", "", "");
}

pub fn final_status(world: &mut World, phone: &Telephone) -> u16 {
    let mut answers = std::iter::from_fn(|| phone.response(world));
    answers.find(|answer| answer.status.is_final()).expect("an answer").status.code()
}

#[test]
fn one_desk_calls_another() {
    let mut world = World::new();
    let (mut anna, mut ben) = two(&mut world);
    dial(&mut world, &mut anna, "102");
    let invite = world.rung(&mut ben);
    assert_eq!(invite.uri.to_string(), "sip:102@10.0.0.9:5060", "the contact it registered");
    assert!(invite.headers.get(Name::From).unwrap().contains("sip:101@198.51.100.1"), "as it is called back");
    world.rings(&ben);
    assert_eq!(anna.response(&mut world).unwrap().status.code(), 180);
    world.answers(&ben);
    is_connected(&mut world, &mut anna);
    assert_eq!(world.bridged.len(), 2);
    let calls = world.calls();
    assert!(calls.iter().all(|call| call.extension.is_some() && call.trunk.is_none()));
    hang_up(&mut world, &mut anna);
    world.is_hung_up(&ben);
    world.ends_clean();
}

#[test]
fn all_telephones_ring_and_the_others_learn_that_it_was_answered_elsewhere() {
    let mut world = World::new();
    let (mut anna, mut desk) = two(&mut world);
    let (_, mut mobile) = registered(&mut world, 102, 1);
    dial(&mut world, &mut anna, "102");
    world.rung(&mut desk);
    world.rung(&mut mobile);
    world.rings(&desk);
    world.rings(&mobile);
    world.answers(&mobile);
    assert!(world.is_cancelled(&desk).contains("SIP;cause=200;text=\"Call completed elsewhere\""));
    is_connected(&mut world, &mut anna);
    let elsewhere =
        world.records.iter().filter(|r| matches!(r, Record::Ended(c) if c.cause == Some(Cause::AnsweredElsewhere)));
    assert_eq!(elsewhere.count(), 1);
    hang_up(&mut world, &mut anna);
    world.is_hung_up(&mobile);
    world.ends_clean();
}

#[test]
fn an_answer_that_crosses_the_others_is_hung_up() {
    let mut world = World::new();
    let (mut anna, mut desk) = two(&mut world);
    let (_, mut mobile) = registered(&mut world, 102, 1);
    dial(&mut world, &mut anna, "102");
    let invite = world.rung(&mut desk);
    world.rung(&mut mobile);
    world.rings(&desk);
    world.answers(&mobile);
    let cancel = world.asked(&desk, &Method::Cancel).expect("a CANCEL");
    world.respond(&desk, &cancel, "200 OK", "", "");
    world.respond(&desk, &invite, "200 OK", "", &desk.sdp("sendrecv"));
    assert!(world.is_hung_up(&desk).contains("cause=200"), "no ghost call");
    is_connected(&mut world, &mut anna);
    assert_eq!(world.calls().len(), 2);
}

#[test]
fn one_busy_telephone_does_not_stop_the_other_and_a_decline_stops_all() {
    let mut world = World::new();
    let (mut anna, mut desk) = two(&mut world);
    let (_, mut mobile) = registered(&mut world, 102, 1);
    dial(&mut world, &mut anna, "102");
    world.rung(&mut desk);
    world.rung(&mut mobile);
    world.rings(&mobile);
    world.refuses(&desk, "486 Busy Here", "");
    assert!(world.asked(&mobile, &Method::Cancel).is_none());
    world.refuses(&mobile, "603 Decline", "");
    assert_eq!(final_status(&mut world, &anna), 603);
    dial(&mut world, &mut anna, "102");
    world.rung(&mut desk);
    world.rung(&mut mobile);
    world.rings(&mobile);
    world.refuses(&desk, "603 Decline", "");
    world.is_cancelled(&mobile);
    assert_eq!(final_status(&mut world, &anna), 603);
    world.ends_clean();
}

#[test]
fn who_is_not_there_or_wants_no_calls_is_not_rung() {
    let mut world = World::new();
    let (mut anna, ben) = two(&mut world);
    let id = extension(&mut world, 103);
    dial(&mut world, &mut anna, "103");
    assert_eq!(final_status(&mut world, &anna), 480);
    let resting = Extension { dnd: true, ..Extension::new(id, "102", Secret::new("secret-102")) };
    let resting = Extension { id: extension(&mut world, 102), ..resting };
    world.ask(Command::PutExtension(Box::new(resting))).unwrap();
    dial(&mut world, &mut anna, "102");
    assert_eq!(final_status(&mut world, &anna), 480);
    assert!(world.asked(&ben, &Method::Invite).is_none(), "do not disturb");
    let causes: Vec<_> = world
        .records
        .iter()
        .filter_map(|record| match record {
            Record::Ended(call) => call.cause,
            Record::Began(_)
            | Record::Changed(_)
            | Record::Measured { .. }
            | Record::Invited { .. }
            | Record::ResumeKept { .. }
            | Record::ResumeGone { .. }
            | Record::TicketRevoked { .. }
            | Record::Person(_)
            | Record::CodeUsed { .. }
            | Record::TicketUsed { .. } => None,
        })
        .collect();
    assert_eq!(causes, [Cause::NotRegistered, Cause::DoNotDisturb]);
}

fn group(world: &mut World, ring: Ring) {
    let members = [102, 103].map(|number| extension(world, number)).to_vec();
    let group =
        Group { id: GroupId::from_bits(1), user: "600".into(), name: "Sales".into(), members, ring, seconds: 10 };
    world.ask(Command::PutGroup(group)).unwrap();
}

#[test]
fn a_group_rings_one_after_the_other() {
    let mut world = World::new();
    let (mut anna, mut ben) = two(&mut world);
    group(&mut world, Ring::Serial);
    let (_, mut carla) = registered(&mut world, 103, 0);
    dial(&mut world, &mut anna, "600");
    world.rung(&mut ben);
    world.rings(&ben);
    assert!(world.asked(&carla, &Method::Invite).is_none());
    world.pass(Duration::from_secs(11));
    world.is_cancelled(&ben);
    world.rung(&mut carla);
    world.rings(&carla);
    world.answers(&carla);
    is_connected(&mut world, &mut anna);
    hang_up(&mut world, &mut anna);
    world.is_hung_up(&carla);
    world.ends_clean();
}

#[test]
fn a_group_rings_together_and_goes_on_when_one_declines() {
    let mut world = World::new();
    let (mut anna, mut ben) = two(&mut world);
    group(&mut world, Ring::Parallel);
    let (_, mut carla) = registered(&mut world, 103, 0);
    dial(&mut world, &mut anna, "600");
    world.rung(&mut ben);
    world.rung(&mut carla);
    world.rings(&carla);
    world.refuses(&ben, "603 Decline", "");
    world.answers(&carla);
    is_connected(&mut world, &mut anna);
    hang_up(&mut world, &mut anna);
    world.is_hung_up(&carla);
    world.ends_clean();
}

#[test]
fn the_operator_connects_two_people() {
    let mut world = World::new();
    let (_, mut ben) = two(&mut world);
    let (_, mut anna) = registered(&mut world, 101, 0);
    let from = extension(&mut world, 101);
    let request = DialRequest { to: "102".into(), from: Some(from), ..DialRequest::default() };
    let outcome = world.ask(Command::Dial(Box::new(request)));
    let Ok(Reply::Dialled { call, .. }) = outcome else { panic!("{outcome:?}") };
    let invite = world.rung(&mut anna);
    assert!(invite.headers.get(Name::From).unwrap().contains("sip:102@"), "shows whom it is about to talk with");
    assert!(world.asked(&ben, &Method::Invite).is_none(), "who asked picks up first");
    world.rings(&anna);
    world.answers(&anna);
    assert!(world.was_told(call, "music"), "until the other answers");
    let invite = world.rung(&mut ben);
    assert!(invite.headers.get(Name::From).unwrap().contains("sip:101@"));
    world.answers(&ben);
    assert_eq!(world.bridged.len(), 2);
    assert!(world.playing.is_empty());
    world.asks(&mut ben, "BYE", "");
    world.is_hung_up(&anna);
    world.ends_clean();
}

#[test]
fn a_dialled_call_that_nobody_takes_lets_the_first_one_go() {
    let mut world = World::new();
    let (_, mut ben) = two(&mut world);
    let (_, mut anna) = registered(&mut world, 101, 0);
    let from = extension(&mut world, 101);
    let dial =
        |to: &str| Command::Dial(Box::new(DialRequest { to: to.into(), from: Some(from), ..DialRequest::default() }));
    world.ask(dial("102")).unwrap();
    world.rung(&mut anna);
    world.answers(&anna);
    world.rung(&mut ben);
    world.refuses(&ben, "486 Busy Here", "");
    assert!(world.is_hung_up(&anna).contains("cause=17"), "and says why");
    let Ok(Reply::Dialled { call, .. }) = world.ask(dial("102")) else { panic!("not dialled") };
    world.rung(&mut anna);
    world.rings(&anna);
    world.ask(Command::HangUp(call)).unwrap();
    world.is_cancelled(&anna);
    world.ends_clean();
    assert!(world.asked(&ben, &Method::Invite).is_none());
    assert!(world.ask(dial("no-such-person")).is_err());
}

#[test]
fn a_forked_call_is_heard_from_whoever_speaks_and_kept_with_whoever_answers() {
    let mut world = World::new();
    let (mut anna, mut ben) = two(&mut world);
    dial(&mut world, &mut anna, "102");
    let invite = world.rung(&mut ben);
    let other = Desk { tag: "voicemail".into(), ..ben.clone() };
    world.respond(&ben, &invite, "183 Session Progress", "", &ben.sdp("sendrecv"));
    assert_eq!(anna.response(&mut world).unwrap().status.code(), 183);
    let moved = ben.sdp("sendrecv").replace("30000", "31000");
    world.respond(&other, &invite, "183 Session Progress", "", &moved);
    world.respond(&other, &invite, "200 OK", "", &moved);
    assert!(world.asked(&ben, &Method::Ack).is_some());
    is_connected(&mut world, &mut anna);
    assert_eq!(world.calls().len(), 2);
    let ringing = world.events.iter().filter(|event| matches!(event, Happening::CallRinging { .. })).count();
    assert_eq!(ringing, 1);
    hang_up(&mut world, &mut anna);
    let bye = world.asked(&ben, &Method::Bye).expect("a BYE");
    assert_eq!(bye.headers.to().unwrap().tag(), Some("voicemail"), "to whoever answered");
    world.respond(&other, &bye, "200 OK", "", "");
    world.ends_clean();
}

#[test]
fn a_caller_from_outside_reaches_a_desk_and_the_desk_calls_out() {
    let mut world = World::office();
    let (mut anna, mut ben) = two(&mut world);
    let mut phone = Phone::new(1);
    world.invite(&mut phone, "102");
    assert!(world.response(&phone).is_some_and(|answer| answer.status.code() == 404), "no number leads there");
    let did = ringlift::route::Did {
        id: ringlift::base::id::DidId::from_bits(9),
        called: "+4930901822".parse().unwrap(),
        trunk: None,
        action: ringlift::route::Destination::Extension { extension: extension(&mut world, 102) },
        languages: vec![],
        elevation: ElevationRules::default(),
    };
    world.ask(Command::PutDid(did)).unwrap();
    phone = Phone::new(2);
    world.invite(&mut phone, "+4930901822");
    let invite = world.rung(&mut ben);
    assert!(invite.headers.get(Name::From).unwrap().contains("+491700000002"));
    world.answers(&ben);
    let answer = world.response(&phone).unwrap();
    world.ack(&mut phone, &answer);
    assert_eq!(world.bridged.len(), 2);
    world.bye(&mut phone);
    world.is_hung_up(&ben);
    let mut carrier = Desk::carrier(10);
    dial(&mut world, &mut anna, "030555501");
    let invite = world.rung(&mut carrier);
    assert_eq!(invite.uri.to_string(), "sip:+4930555501@203.0.113.10");
    world.answers(&carrier);
    is_connected(&mut world, &mut anna);
    world.asks(&mut carrier, "BYE", "");
    assert!(world.calls().iter().all(|call| call.trunk.is_none()));
}

#[test]
fn a_forwarded_telephone_sends_its_calls_on_by_its_persons_rights() {
    let mut world = World::office();
    let (mut anna, mut ben) = two(&mut world);
    extension(&mut world, 103);
    let (_, mut carla) = registered(&mut world, 103, 0);
    dial(&mut world, &mut anna, "102");
    let invite = world.rung(&mut ben);
    world.respond(&ben, &invite, "302 Moved Temporarily", "Contact: <sip:103@198.51.100.1>", "");
    let invite = world.rung(&mut carla);
    assert!(invite.headers.get(Name::Diversion).unwrap().contains("sip:102@"));
    world.answers(&carla);
    is_connected(&mut world, &mut anna);
    hang_up(&mut world, &mut anna);
    world.is_hung_up(&carla);
    dial(&mut world, &mut anna, "102");
    let invite = world.rung(&mut ben);
    world.respond(&ben, &invite, "302 Moved Temporarily", "Contact: <sip:+8821234567@198.51.100.1>", "");
    assert!(final_status(&mut world, &anna) >= 400);
    assert!(world.asked(&Desk::carrier(10), &Method::Invite).is_none(), "no call abroad by a forward");
    world.ends_clean();
}

#[test]
fn telephones_that_forward_to_each_other_end() {
    let mut world = World::new();
    let (mut anna, mut ben) = two(&mut world);
    extension(&mut world, 103);
    let (_, mut carla) = registered(&mut world, 103, 0);
    dial(&mut world, &mut anna, "102");
    for _ in 0..3 {
        let invite = world.rung(&mut ben);
        world.respond(&ben, &invite, "302 Moved", "Contact: <sip:103@198.51.100.1>", "");
        let Some(invite) = world.asked(&carla, &Method::Invite) else { break };
        carla.invite = Some(invite.clone());
        world.respond(&carla, &invite, "302 Moved", "Contact: <sip:102@198.51.100.1>", "");
    }
    assert!(final_status(&mut world, &anna) >= 400);
    world.ends_clean();
}
