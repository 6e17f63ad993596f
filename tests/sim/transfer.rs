//! People hand their calls over: what each telephone sees, who talks with whom, and what the log says.

use std::time::Duration;

use ringlift::base::id::{ExtensionId, RuleId, TrunkId};
use ringlift::base::phone_number::NumberPlan;
use ringlift::base::{Cause, LegId, RoomId, Secret};
use ringlift::gateway::command::{Command, Denial, Reply};
use ringlift::gateway::event::{Happening, TransferWay};
use ringlift::gateway::view::CallView;
use ringlift::media::command::MediaCommand;
use ringlift::profile::{Book, Profile, ReferSupport};
use ringlift::route::{Credentials, Destination, Outbound, OutboundTarget, Rule, Trunk, When};
use ringlift::wire::sip::{Method, Name};

use crate::line::Line;
use crate::telephone::{Telephone, extension};
use crate::world::{Phone, ROOM, World};

/// The office of the one who hands over, of the one who takes over, and a carrier.
const OFFICES: [(u64, &str, &str); 3] =
    [(2, "203.0.113.9:5060", "+498911*"), (3, "198.18.0.7:5060", "+498922*"), (4, "198.18.1.7:5060", "+1212*")];
const ANNA: &str = "203.0.113.9:5060";
const CARLA: &str = "198.18.0.7:5060";

fn house() -> World {
    house_with(|_| {})
}

fn house_with(change: impl Fn(&mut Profile)) -> World {
    house_of(change, |_| {})
}

fn german() -> NumberPlan {
    NumberPlan {
        country: Some("49".into()),
        national_prefix: Some("0".into()),
        international_prefix: Some("00".into()),
    }
}

fn out(address: &str) -> Outbound {
    Outbound {
        targets: vec![OutboundTarget { uri: format!("sip:{address}"), priority: 1, weight: 1 }],
        ..serde_json::from_str(r#"{"targets":[]}"#).unwrap()
    }
}

fn office(id: u64, address: &str) -> Trunk {
    let ip = address.split(':').next().unwrap();
    Trunk {
        networks: vec![format!("{ip}/32").parse().unwrap()],
        numbers: german(),
        outbound: Some(out(address)),
        ..Trunk::new(TrunkId::from_bits(id), format!("office {id}"))
    }
}

fn house_of(change: impl Fn(&mut Profile), carrier: impl Fn(&mut Trunk)) -> World {
    World::of(
        |_| {},
        |_| {},
        |directory| {
            for trunk in &mut directory.trunks {
                trunk.numbers = german();
                trunk.outbound = Some(out("192.0.2.50:5060"));
                carrier(trunk);
            }
            let mut profile = Profile { name: "generic".into(), ..Profile::default() };
            change(&mut profile);
            directory.profiles = Book::new([profile]);
            for (id, address, called) in OFFICES {
                directory.trunks.push(office(id, address));
                directory.rules.push(rule(
                    id,
                    called,
                    Destination::Trunk { trunks: vec![TrunkId::from_bits(id)], strip: 0, prefix: String::new() },
                ));
            }
            let outward = Destination::Trunk { trunks: vec![TrunkId::from_bits(1)], strip: 0, prefix: String::new() };
            directory.rules.push(rule(20, "+49900*", outward.clone()));
            directory.rules.push(rule(21, "+4930777*", outward));
            directory.rules.push(rule(22, "meet", Destination::Room { room: ROOM }));
        },
    )
}

fn rule(bits: u64, called: &str, then: Destination) -> Rule {
    Rule {
        id: RuleId::from_bits(bits),
        position: u32::try_from(bits).unwrap(),
        name: called.to_owned(),
        enabled: true,
        when: When { called: vec![called.parse().unwrap()], ..When::default() },
        then,
    }
}

/// A caller talks with somebody at this address.
fn talking(world: &mut World, caller: u8, called: &str, at: &str) -> (Line, Line) {
    let mut phone = Phone::new(caller);
    world.invite(&mut phone, called);
    let mut desk = Line::at(at);
    desk.pick_up(world);
    let answer = world.response(&phone).expect("an answer");
    assert_eq!(answer.status.code(), 180);
    let answer = world.response(&phone).expect("an answer");
    assert_eq!(answer.status.code(), 200, "the caller is connected");
    world.ack(&mut phone, &answer);
    (Line::of(&phone), desk)
}

/// The leg of a telephone's call.
fn leg_of(world: &mut World, line: &Line) -> LegId {
    world.calls().iter().find(|call| call.call_id == line.call_id).expect("its call").id
}

fn call_of(world: &mut World, line: &Line) -> Option<CallView> {
    world.calls().into_iter().find(|call| call.call_id == line.call_id)
}

/// Who is in the bridge with this telephone, itself included; from the media plane's orders alone.
fn hears(world: &mut World, leg: LegId) -> Vec<LegId> {
    let mut places: std::collections::BTreeMap<LegId, RoomId> = Default::default();
    for order in &world.orders {
        match order {
            MediaCommand::Join { leg, room, .. } => drop(places.insert(*leg, *room)),
            MediaCommand::Leave { leg } | MediaCommand::Close { leg } => drop(places.remove(leg)),
            _ => {}
        }
    }
    let Some(room) = places.get(&leg).copied() else { return Vec::new() };
    places.into_iter().filter(|(_, other)| *other == room).map(|(leg, _)| leg).collect()
}

fn both(one: LegId, other: LegId) -> Vec<LegId> {
    Vec::from([one.min(other), one.max(other)])
}

fn transferred(world: &World) -> Vec<(LegId, Option<LegId>, TransferWay)> {
    let of = |event: &Happening| match event {
        Happening::CallTransferred { call, by, way, .. } => Some((*call, *by, *way)),
        _ => None,
    };
    world.events.iter().filter_map(of).collect()
}

fn failures(world: &World) -> Vec<(Cause, u16)> {
    let of = |event: &Happening| match event {
        Happening::CallTransferFailed { cause, status, .. } => Some((*cause, *status)),
        _ => None,
    };
    world.events.iter().filter_map(of).collect()
}

fn opened(world: &World, leg: LegId) -> usize {
    world.orders.iter().filter(|order| matches!(order, MediaCommand::Open { leg: it, .. } if *it == leg)).count()
}

fn refer(to: &str) -> String {
    format!("Refer-To: <sip:{to}@198.51.100.1>\r\nReferred-By: <sip:anna@office>\r\n")
}

/// As a phone names another call of its own to us.
fn attended(other: &Line) -> String {
    let tag = |value: &str| value.split(";tag=").nth(1).unwrap().to_owned();
    let replaces = format!("{};to-tag={};from-tag={}", other.call_id, tag(&other.remote), tag(&other.local));
    let escaped = replaces.replace(';', "%3B").replace('=', "%3D").replace('@', "%40");
    format!("Refer-To: <sip:carla@198.51.100.1?Replaces={escaped}>\r\n")
}

#[test]
fn a_blind_transfer_connects_the_caller_with_the_target_and_lets_the_referrer_go() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    let (bobs, annas) = (leg_of(&mut world, &bob), leg_of(&mut world, &anna));
    anna.request(&mut world, "REFER", &refer("+49892201"), "");
    assert_eq!(anna.answered(&mut world, Method::Refer), Some(202));
    assert_eq!(anna.told(&mut world), ["100 Trying"]);
    let mut carla = Line::at(CARLA);
    let invite = carla.rung(&mut world);
    assert_eq!(hears(&mut world, bobs), both(bobs, annas), "the call goes on while the target rings");
    carla.ring(&mut world, &invite);
    assert_eq!(anna.told(&mut world), ["180 Ringing"]);
    carla.answer(&mut world, &invite);
    assert_eq!(anna.told(&mut world), ["200 OK, the last"]);
    let carlas = leg_of(&mut world, &carla);
    assert_eq!(invite.headers.get(Name::ReferredBy), Some("<sip:anna@office>"));
    assert_eq!(hears(&mut world, bobs), both(bobs, carlas));
    assert_eq!(transferred(&world), [(bobs, Some(annas), TransferWay::Bridged)]);
    assert_eq!(opened(&world, bobs), 1, "the same stream goes on to the one who was not touched");
    bob.look(&mut world);
    assert!(bob.seen.iter().all(|request| request.method == Method::Ack), "the caller's telephone was asked nothing");
    // The phone hangs up by itself, as it should.
    anna.hang_up(&mut world);
    assert_eq!(anna.answered(&mut world, Method::Bye), Some(200));
    assert_eq!(world.calls().len(), 2, "one dialog each");
    bob.hang_up(&mut world);
    assert_eq!(carla.take(&mut world, Method::Bye).len(), 1);
    world.ends_clean();
}

#[test]
fn a_referrer_that_does_not_hang_up_is_hung_up() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    anna.request(&mut world, "REFER", &refer("+49892201"), "");
    let mut carla = Line::at(CARLA);
    carla.pick_up(&mut world);
    assert_eq!(anna.take(&mut world, Method::Bye).len(), 0, "not at once: the phone is told first");
    world.pass(Duration::from_secs(6));
    assert_eq!(anna.take(&mut world, Method::Bye).len(), 1);
    assert_eq!(world.calls().len(), 2);
    carla.hang_up(&mut world);
    assert_eq!(bob.take(&mut world, Method::Bye).len(), 1);
    world.ends_clean();
}

#[test]
fn a_busy_target_leaves_the_call_with_the_referrer() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    let (bobs, annas) = (leg_of(&mut world, &bob), leg_of(&mut world, &anna));
    anna.request(&mut world, "REFER", &refer("+49892201"), "");
    let mut carla = Line::at(CARLA);
    let invite = carla.rung(&mut world);
    carla.reply(&mut world, &invite, "486 Busy Here", "", "");
    assert_eq!(anna.told(&mut world), ["100 Trying", "486 Busy Here, the last"]);
    assert_eq!(failures(&world), [(Cause::Busy, 486)]);
    assert_eq!(hears(&mut world, bobs), both(bobs, annas));
    // And another try is one more try.
    anna.request(&mut world, "REFER", &refer("+49892202"), "");
    carla.pick_up(&mut world);
    assert_eq!(anna.told(&mut world).last().unwrap(), "200 OK, the last");
    bob.hang_up(&mut world);
    anna.hang_up(&mut world);
    carla.look(&mut world);
    world.ends_clean();
}

#[test]
fn a_referrer_who_hangs_up_at_once_has_handed_over_all_the_same() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    let bobs = leg_of(&mut world, &bob);
    anna.request(&mut world, "REFER", &refer("+49892201"), "");
    anna.hang_up(&mut world);
    assert_eq!(bob.take(&mut world, Method::Bye).len(), 0, "the caller waits for the target");
    let mut carla = Line::at(CARLA);
    carla.pick_up(&mut world);
    let carlas = leg_of(&mut world, &carla);
    assert_eq!(hears(&mut world, bobs), both(bobs, carlas));
    assert_eq!(anna.told(&mut world).last().unwrap(), "200 OK, the last", "also after the goodbye (RFC 5057)");
    bob.hang_up(&mut world);
    carla.look(&mut world);
    world.ends_clean();
}

#[test]
fn a_caller_whose_referrer_is_gone_and_whose_target_is_busy_is_told_so() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    anna.request(&mut world, "REFER", &refer("+49892201"), "");
    anna.hang_up(&mut world);
    let mut carla = Line::at(CARLA);
    let invite = carla.rung(&mut world);
    carla.reply(&mut world, &invite, "486 Busy Here", "", "");
    let bye = bob.take(&mut world, Method::Bye);
    assert!(bye[0].headers.get(Name::Reason).unwrap().contains("Q.850;cause=17"));
    assert_eq!(anna.told(&mut world).last().unwrap(), "486 Busy Here, the last");
    world.ends_clean();
}

#[test]
fn a_caller_who_hangs_up_while_the_target_rings_silences_it() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    anna.request(&mut world, "REFER", &refer("+49892201"), "");
    let mut carla = Line::at(CARLA);
    let invite = carla.rung(&mut world);
    carla.ring(&mut world, &invite);
    bob.hang_up(&mut world);
    assert_eq!(carla.take(&mut world, Method::Cancel).len(), 1);
    carla.reply(&mut world, &invite, "487 Request Terminated", "", "");
    assert_eq!(anna.told(&mut world).last().unwrap(), "487 Request Terminated, the last");
    assert_eq!(anna.take(&mut world, Method::Bye).len(), 1, "nobody is left to talk to");
    assert_eq!(failures(&world).len(), 1);
    world.ends_clean();
}

#[test]
fn the_same_call_is_handed_over_once_at_a_time() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    anna.request(&mut world, "REFER", &refer("+49892201"), "");
    anna.request(&mut world, "REFER", &refer("+49892202"), "");
    assert_eq!(anna.answered(&mut world, Method::Refer), Some(491));
    bob.request(&mut world, "REFER", &refer("+49892202"), "");
    assert_eq!(bob.answered(&mut world, Method::Refer), Some(491));
    let mut carla = Line::at(CARLA);
    carla.pick_up(&mut world);
    assert_eq!(world.calls().len(), 3);
    for line in [&mut anna, &mut bob] {
        line.hang_up(&mut world);
    }
    carla.look(&mut world);
    world.ends_clean();
}

#[test]
fn a_refer_to_a_premium_number_is_refused_and_counted() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    let (bobs, annas) = (leg_of(&mut world, &bob), leg_of(&mut world, &anna));
    anna.request(&mut world, "REFER", &refer("+499001234567"), "");
    assert_eq!(anna.answered(&mut world, Method::Refer), Some(403));
    assert_eq!(world.status().refused.get(&Cause::NotAllowed), Some(&1));
    anna.request(&mut world, "REFER", &refer("nobody"), "");
    assert_eq!(anna.answered(&mut world, Method::Refer), Some(404));
    assert!(anna.told(&mut world).is_empty(), "what is refused is not reported upon");
    assert_eq!(hears(&mut world, bobs), both(bobs, annas), "nothing else is disturbed");
    bob.hang_up(&mut world);
    anna.look(&mut world);
    world.ends_clean();
}

#[test]
fn a_profile_that_takes_no_refer_declines_it() {
    let mut world = house_with(|profile| profile.refer.takes = false);
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    anna.request(&mut world, "REFER", &refer("+49892201"), "");
    assert_eq!(anna.answered(&mut world, Method::Refer), Some(603));
    bob.hang_up(&mut world);
    anna.look(&mut world);
    world.ends_clean();
}

#[test]
fn a_caller_is_transferred_into_a_meeting() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    let bobs = leg_of(&mut world, &bob);
    anna.request(&mut world, "REFER", &refer("meet"), "");
    assert_eq!(anna.told(&mut world), ["100 Trying", "200 OK, the last"]);
    assert_eq!(call_of(&mut world, &bob).unwrap().room, Some(ROOM));
    assert_eq!(hears(&mut world, bobs), [bobs]);
    anna.hang_up(&mut world);
    bob.hang_up(&mut world);
    world.ends_clean();
}

#[test]
fn an_attended_transfer_leaves_one_dialog_each_and_the_same_streams() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    // Anna holds Bob and calls Carla.
    let hold = anna.sdp("sendonly");
    anna.request(&mut world, "INVITE", "", &hold);
    anna.acknowledge(&mut world);
    let (bobs, annas) = (leg_of(&mut world, &bob), leg_of(&mut world, &anna));
    let (mut anna2, mut carla) = consult(&mut world);
    let carlas = leg_of(&mut world, &carla);
    anna.request(&mut world, "REFER", &attended(&anna2), "");
    assert_eq!(anna.answered(&mut world, Method::Refer), Some(202));
    assert_eq!(anna.told(&mut world), ["100 Trying", "200 OK, the last"]);
    assert_eq!(hears(&mut world, bobs), both(bobs, carlas));
    assert_eq!(transferred(&world), [(bobs, Some(annas), TransferWay::Bridged)]);
    assert_eq!(anna2.take(&mut world, Method::Bye).len(), 1, "her second call is over at once");
    anna.hang_up(&mut world);
    assert_eq!(world.calls().len(), 2, "one dialog each");
    for (line, leg) in [(&mut bob, bobs), (&mut carla, carlas)] {
        line.look(&mut world);
        assert!(line.seen.iter().all(|request| request.method == Method::Ack), "asked nothing");
        assert_eq!(opened(&world, leg), 1, "the same stream goes on");
    }
    let rooms = call_of(&mut world, &bob).unwrap().room == call_of(&mut world, &carla).unwrap().room;
    assert!(rooms);
    bob.hang_up(&mut world);
    assert_eq!(carla.take(&mut world, Method::Bye).len(), 1);
    world.ends_clean();
}

/// Anna calls Carla on another line.
fn consult(world: &mut World) -> (Line, Line) {
    let mut phone = Phone { call_id: "consult".into(), ..Phone::at("203.0.113.9".parse().unwrap(), 9) };
    world.invite(&mut phone, "+49892201");
    let mut carla = Line::at(CARLA);
    carla.pick_up(world);
    let mut anna = Line::of(&phone);
    anna.look(world);
    let answer = anna.answers.iter().find(|answer| answer.status.code() == 200).expect("an answer").clone();
    world.ack(&mut phone, &answer);
    (Line::of(&phone), carla)
}

#[test]
fn a_call_handed_over_while_the_second_still_rings_rings_on_for_the_caller() {
    for answered in [true, false] {
        let mut world = house();
        let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
        let (bobs, annas) = (leg_of(&mut world, &bob), leg_of(&mut world, &anna));
        let mut phone = Phone { call_id: "consult".into(), ..Phone::at("203.0.113.9".parse().unwrap(), 9) };
        world.invite(&mut phone, "+49892201");
        let mut carla = Line::at(CARLA);
        let invite = carla.rung(&mut world);
        carla.ring(&mut world, &invite);
        let mut anna2 = Line { call_id: "consult".into(), ..Line::of(&phone) };
        anna2.look(&mut world);
        let ringing = anna2.answers.iter().find(|answer| answer.status.code() == 180).unwrap();
        anna2.remote = ringing.headers.get(Name::To).unwrap().to_owned();
        anna.request(&mut world, "REFER", &attended(&anna2), "");
        assert_eq!(anna.told(&mut world), ["100 Trying", "180 Ringing"]);
        assert_eq!(anna2.answered(&mut world, Method::Invite), Some(487));
        assert!(carla.take(&mut world, Method::Cancel).is_empty(), "it rings on");
        assert_eq!(hears(&mut world, bobs), both(bobs, annas));
        if answered {
            carla.answer(&mut world, &invite);
            let carlas = leg_of(&mut world, &carla);
            assert_eq!(hears(&mut world, bobs), both(bobs, carlas));
            assert_eq!(anna.told(&mut world), ["200 OK, the last"]);
        } else {
            carla.reply(&mut world, &invite, "486 Busy Here", "", "");
            assert_eq!(anna.told(&mut world), ["486 Busy Here, the last"]);
            assert_eq!(hears(&mut world, bobs), both(bobs, annas), "everybody keeps the call");
        }
        anna.hang_up(&mut world);
        bob.hang_up(&mut world);
        carla.look(&mut world);
        world.ends_clean();
    }
}

#[test]
fn nobody_hands_over_a_call_of_somebody_else() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    let (mut anna2, mut carla) = consult(&mut world);
    let before = world.calls().len();
    // Bob has seen the tags of Anna's call.
    bob.request(&mut world, "REFER", &attended(&anna2), "");
    assert_eq!(bob.answered(&mut world, Method::Refer), Some(403));
    assert_eq!(world.calls().len(), before);
    // A call that is not there.
    let gone = Line { call_id: "gone".into(), ..anna2.clone() };
    anna.request(&mut world, "REFER", &attended(&gone), "");
    assert_eq!(anna.answered(&mut world, Method::Refer), Some(202));
    assert_eq!(anna.told(&mut world).last().unwrap(), "481 Call/Transaction Does Not Exist, the last");
    assert_eq!(world.calls().len(), before);
    bob.hang_up(&mut world);
    anna2.hang_up(&mut world);
    for line in [&mut anna, &mut carla] {
        line.look(&mut world);
    }
    world.ends_clean();
}

#[test]
fn a_telephone_takes_its_call_to_another_one() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    let (bobs, annas) = (leg_of(&mut world, &bob), leg_of(&mut world, &anna));
    let place = call_of(&mut world, &anna).unwrap().participant;
    let mut cell = replacing(&mut world, "203.0.113.9", &anna);
    let answer = world.response(&cell).unwrap();
    assert_eq!(answer.status.code(), 200);
    world.ack(&mut cell, &answer);
    let mut cell = Line::of(&cell);
    let cells = leg_of(&mut world, &cell);
    assert_eq!(hears(&mut world, bobs), both(bobs, cells));
    assert_eq!(call_of(&mut world, &cell).unwrap().participant, place, "the same place in the same room");
    assert_eq!(anna.take(&mut world, Method::Bye).len(), 1, "the old telephone's call is over");
    assert_eq!(transferred(&world), [(annas, None, TransferWay::Replaced)]);
    assert_eq!(opened(&world, bobs), 1);
    cell.hang_up(&mut world);
    bob.look(&mut world);
    world.ends_clean();
}

#[test]
fn a_telephone_that_lets_us_offer_takes_the_place_with_its_acknowledgement() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    let (bobs, annas) = (leg_of(&mut world, &bob), leg_of(&mut world, &anna));
    let mut cell = replacing_with(&mut world, "203.0.113.9", &anna, "");
    let answer = world.response(&cell).unwrap();
    assert_eq!(answer.status.code(), 200);
    assert_eq!(hears(&mut world, bobs), both(bobs, annas), "nothing is agreed on yet");
    cell.to_tag = answer.headers.to().and_then(|to| to.tag().map(str::to_owned));
    cell.target = answer.headers.contact().unwrap().uri.to_string();
    let text = cell.request_text("ACK", &cell.target.clone(), &cell.offer("sendrecv"));
    world.send(&cell, &text);
    let mut cell = Line::of(&cell);
    let cells = leg_of(&mut world, &cell);
    assert_eq!(hears(&mut world, bobs), both(bobs, cells));
    assert_eq!(anna.take(&mut world, Method::Bye).len(), 1);
    bob.hang_up(&mut world);
    cell.look(&mut world);
    world.ends_clean();
}

/// A call that is to take the place of a line's call.
fn replacing(world: &mut World, ip: &str, line: &Line) -> Phone {
    let offer = Phone::at(ip.parse().unwrap(), 77).offer("sendrecv");
    replacing_with(world, ip, line, &offer)
}

fn replacing_with(world: &mut World, ip: &str, line: &Line, offer: &str) -> Phone {
    let phone = Phone { call_id: "takes".into(), ..Phone::at(ip.parse().unwrap(), 77) };
    let tag = |value: &str| value.split(";tag=").nth(1).unwrap().to_owned();
    let header = format!(
        "Replaces: {};to-tag={};from-tag={}\r\nContent-Length",
        line.call_id,
        tag(&line.remote),
        tag(&line.local)
    );
    let text = phone.request_text("INVITE", "sip:198.51.100.1", offer);
    world.send(&phone, &text.replacen("Content-Length", &header, 1));
    phone
}

#[test]
fn a_stranger_takes_nobodys_place() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    // Another trunk that has seen the tags; nobody's network; and a call that is not there.
    for (ip, line, code) in [
        ("198.18.0.7", anna.clone(), 403),
        ("100.64.0.1", anna.clone(), 403),
        ("203.0.113.9", Line { call_id: "gone".into(), ..anna.clone() }, 481),
    ] {
        let phone = replacing(&mut world, ip, &line);
        assert_eq!(world.response(&phone).unwrap().status.code(), code, "{ip}");
        world.pass(Duration::from_secs(40));
    }
    assert_eq!(world.calls().len(), 2);
    assert!(transferred(&world).is_empty());
    bob.hang_up(&mut world);
    anna.look(&mut world);
    world.ends_clean();
}

#[test]
fn an_operator_hands_a_call_over_by_bridging() {
    let mut world = house_with(|profile| profile.refer.sends = ReferSupport::None);
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    let (bobs, annas) = (leg_of(&mut world, &bob), leg_of(&mut world, &anna));
    let order = |to: &str| Command::Transfer {
        leg: bobs,
        to: to.into(),
        consult: None,
        headers: vec![("X-Ticket".into(), "7".into())],
        uui: Some("00fa;encoding=hex".into()),
    };
    assert_eq!(world.ask(order("+49892201")), Ok(Reply::Done));
    assert!(matches!(world.ask(order("+49892202")), Err(Denial::Conflict(_))), "once at a time");
    let mut carla = Line::at(CARLA);
    let invite = carla.rung(&mut world);
    assert_eq!(invite.headers.get(Name::UserToUser), Some("00fa;encoding=hex"));
    assert_eq!(invite.headers.get(Name::from("X-Ticket")), Some("7"));
    carla.answer(&mut world, &invite);
    let carlas = leg_of(&mut world, &carla);
    assert_eq!(hears(&mut world, bobs), both(bobs, carlas));
    assert_eq!(anna.take(&mut world, Method::Bye).len(), 1, "her telephone did not ask for it");
    assert_eq!(transferred(&world), [(bobs, Some(annas), TransferWay::Bridged)]);
    bob.hang_up(&mut world);
    carla.look(&mut world);
    world.ends_clean();
}

#[test]
fn an_operator_joins_two_calls_of_one_who_hands_over() {
    for by_far_end in [false, true] {
        let mut world = house_with(|profile| profile.refer.sends = ReferSupport::None);
        let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
        let (mut anna2, mut carla) = consult(&mut world);
        let (bobs, carlas) = (leg_of(&mut world, &bob), leg_of(&mut world, &carla));
        let consult = if by_far_end { carlas } else { leg_of(&mut world, &anna2) };
        let order =
            Command::Transfer { leg: bobs, to: String::new(), consult: Some(consult), headers: vec![], uui: None };
        assert_eq!(world.ask(order), Ok(Reply::Done));
        assert_eq!(hears(&mut world, bobs), both(bobs, carlas));
        assert_eq!(anna.take(&mut world, Method::Bye).len() + anna2.take(&mut world, Method::Bye).len(), 2);
        assert_eq!(world.calls().len(), 2, "one dialog each");
        bob.hang_up(&mut world);
        carla.look(&mut world);
        world.ends_clean();
    }
}

/// Bob, who came by the carrier, is to be sent to a number that the carrier reaches by itself.
fn refer_to_carrier(world: &mut World) -> (Line, Line, LegId, ringlift::wire::sip::Request) {
    let (mut bob, anna) = talking(world, 1, "+49891101", ANNA);
    let bobs = leg_of(world, &bob);
    let order = Command::Transfer {
        leg: bobs,
        to: "+493077712".into(),
        consult: None,
        headers: vec![("X-Ticket".into(), "7".into())],
        uui: Some("00fa;encoding=hex".into()),
    };
    assert_eq!(world.ask(order), Ok(Reply::Done));
    let refer = bob.take(world, Method::Refer).remove(0);
    (bob, anna, bobs, refer)
}

fn notify(line: &mut Line, world: &mut World, state: &str, status: &str) {
    let more = format!("Event: refer\r\nSubscription-State: {state}\r\nContent-Type: message/sipfrag\r\n");
    line.notify(world, &more, &format!("SIP/2.0 {status}\r\n"));
}

#[test]
fn a_carrier_that_takes_refer_calls_by_itself_and_both_legs_end() {
    let mut world = house_with(|profile| {
        profile.refer.uri = "sip:{number}@sip.carrier.example".into();
        profile.refer.uui_in_refer_to = true;
    });
    let (mut bob, mut anna, bobs, refer) = refer_to_carrier(&mut world);
    assert_eq!(
        refer.headers.get(Name::ReferTo),
        Some("<sip:+493077712@sip.carrier.example?User-to-User=00fa%3Bencoding%3Dhex>")
    );
    assert_eq!(refer.headers.get(Name::from("X-Ticket")), Some("7"));
    assert!(refer.headers.has(Name::ReferredBy));
    bob.reply(&mut world, &refer, "202 Accepted", "", "");
    notify(&mut bob, &mut world, "active;expires=60", "100 Trying");
    notify(&mut bob, &mut world, "active;expires=60", "180 Ringing");
    assert!(transferred(&world).is_empty());
    notify(&mut bob, &mut world, "terminated;reason=noresource", "200 OK");
    assert_eq!(transferred(&world).len(), 1);
    assert_eq!(transferred(&world)[0].0, bobs);
    assert_eq!(transferred(&world)[0].2, TransferWay::Referred);
    assert_eq!(bob.take(&mut world, Method::Bye).len(), 1);
    assert_eq!(anna.take(&mut world, Method::Bye).len(), 1);
    world.ends_clean();
}

#[test]
fn a_carrier_that_refuses_refer_is_bridged() {
    for refusal in ["603 Decline", "405 Method Not Allowed", "403 Forbidden"] {
        let mut world = house();
        let (mut bob, mut anna, bobs, refer) = refer_to_carrier(&mut world);
        assert_eq!(refer.headers.get(Name::UserToUser), Some("00fa;encoding=hex"));
        bob.reply(&mut world, &refer, refusal, "", "");
        let mut carla = Line::at("192.0.2.50:5060");
        let invite = carla.rung(&mut world);
        assert_eq!(invite.uri.user(), Some("+493077712"));
        assert_eq!(invite.headers.get(Name::UserToUser), Some("00fa;encoding=hex"));
        carla.answer(&mut world, &invite);
        let carlas = leg_of(&mut world, &carla);
        assert_eq!(hears(&mut world, bobs), both(bobs, carlas), "{refusal}");
        assert_eq!(anna.take(&mut world, Method::Bye).len(), 1);
        bob.hang_up(&mut world);
        carla.look(&mut world);
        world.ends_clean();
    }
}

#[test]
fn a_carrier_that_asks_for_credentials_gets_them_with_the_refer() {
    let mut world = house_of(
        |_| {},
        |trunk| {
            let password = Secret::new("s3cret");
            if let Some(outbound) = &mut trunk.outbound {
                outbound.credentials = Some(Credentials { username: "acc7".into(), password });
            }
        },
    );
    let (mut bob, mut anna, bobs, refer) = refer_to_carrier(&mut world);
    assert!(!refer.headers.has(Name::ProxyAuthorization));
    let challenge = "Proxy-Authenticate: Digest realm=\"carrier\", nonce=\"n1\", qop=\"auth\"\r\n";
    bob.reply(&mut world, &refer, "407 Proxy Authentication Required", challenge, "");
    let again = bob.take(&mut world, Method::Refer).remove(0);
    assert!(again.headers.get(Name::ProxyAuthorization).is_some_and(|value| value.contains("username=\"acc7\"")));
    assert_eq!(again.headers.get(Name::ReferTo), refer.headers.get(Name::ReferTo));
    bob.reply(&mut world, &again, "202 Accepted", "", "");
    notify(&mut bob, &mut world, "terminated;reason=noresource", "200 OK");
    assert_eq!(transferred(&world).first().map(|it| (it.0, it.2)), Some((bobs, TransferWay::Referred)));
    for line in [&mut bob, &mut anna] {
        assert_eq!(line.take(&mut world, Method::Bye).len(), 1);
    }
    world.ends_clean();
}

#[test]
fn a_referrer_who_has_no_call_left_to_spend_is_refused() {
    let mut world = house_of(|_| {}, |_| {});
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    let mut trunk = office(2, ANNA);
    trunk.limits.max_calls = 0;
    world.ask(Command::PutTrunk(trunk)).unwrap();
    anna.request(&mut world, "REFER", &refer("+49892201"), "");
    assert_eq!(anna.answered(&mut world, Method::Refer), Some(403));
    assert!(world.status().refused.contains_key(&Cause::LimitReached));
    assert!(Line::at(CARLA).take(&mut world, Method::Invite).is_empty(), "nobody was rung");
    bob.hang_up(&mut world);
    anna.look(&mut world);
    world.ends_clean();
}

/// A telephone of the house, registered at its own address.
fn desk(world: &mut World, number: u64) -> (Telephone, Line) {
    extension(world, number);
    let mut desk = Telephone::new(number);
    assert_eq!(desk.register(world, 600).status.code(), 200);
    let line = Line::at(&desk.source.remote.to_string());
    (Telephone { call_id: format!("call-of-{number}"), seq: 0, ..desk }, line)
}

#[test]
fn a_call_that_rings_on_anothers_desk_is_picked_up_by_the_lamp() {
    let mut world = house();
    let (_, mut ringing) = desk(&mut world, 101);
    let (mut picker, mut pickers) = desk(&mut world, 102);
    world
        .ask(Command::PutRule(Box::new(rule(
            1,
            "house",
            Destination::Extension { extension: ExtensionId::from_bits(101) },
        ))))
        .unwrap();
    let lines = "Event: dialog\nAccept: application/dialog-info+xml\nExpires: 600\nContact: <sip:102@10.0.0.102>\n";
    let mut lamp = Telephone { call_id: "lamp".into(), ..picker.clone() };
    assert_eq!(lamp.ask(&mut world, "SUBSCRIBE", "sip:101@198.51.100.1", lines, "").status.code(), 200);
    let mut phone = Phone::new(1);
    world.invite(&mut phone, "house");
    let invite = ringing.rung(&mut world);
    ringing.ring(&mut world, &invite);
    // What the lamp says of the call is enough to pick it up.
    let said = std::iter::from_fn(|| {
        let notify = lamp.request(&mut world)?;
        lamp.answer(&mut world, &notify, 200, "");
        Some(String::from_utf8(notify.body.to_vec()).unwrap())
    });
    let said = said.last().expect("a NOTIFY");
    let part = |name: &str| said.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap().to_owned();
    let replaces = format!(
        "Replaces: {};to-tag={};from-tag={};early-only\nContact: {}\n",
        part("call-id"),
        part("remote-tag"),
        part("local-tag"),
        picker.contact
    );
    let offer = Phone::new(9).offer("sendrecv");
    let answer = picker.ask(&mut world, "INVITE", "sip:101@198.51.100.1", &replaces, &offer);
    assert_eq!(answer.status.code(), 200);
    picker.to_tag = answer.headers.to().unwrap().tag().map(str::to_owned);
    picker.send(&mut world, "ACK", "sip:198.51.100.1", "", "");
    // The desk that rang is told that the call was answered elsewhere; the caller is connected.
    let cancel = ringing.take(&mut world, Method::Cancel);
    assert!(cancel[0].headers.get(Name::Reason).unwrap().contains("Call completed elsewhere"));
    ringing.reply(&mut world, &invite, "487 Request Terminated", "", "");
    assert_eq!(world.response(&phone).unwrap().status.code(), 180);
    let answer = world.response(&phone).unwrap();
    assert_eq!(answer.status.code(), 200);
    world.ack(&mut phone, &answer);
    let mut bob = Line::of(&phone);
    let (bobs, pick) =
        (leg_of(&mut world, &bob), world.calls().iter().find(|c| c.call_id == "call-of-102").unwrap().id);
    assert_eq!(hears(&mut world, bobs), both(bobs, pick));
    // Once it is answered nobody picks it up any more.
    let (mut late, _) = desk(&mut world, 103);
    let answer = late.ask(&mut world, "INVITE", "sip:101@198.51.100.1", &replaces, &offer);
    assert_eq!(answer.status.code(), 481);
    bob.hang_up(&mut world);
    pickers.call_id = "call-of-102".into();
    assert_eq!(pickers.take(&mut world, Method::Bye).len(), 1);
    lamp.to_tag = None;
    world.pass(Duration::from_secs(700));
    assert!(world.calls().is_empty());
}

#[test]
fn an_extension_hands_over_by_its_own_rights_and_its_caller_is_shown() {
    let mut world = house();
    let (_, mut anna) = desk(&mut world, 101);
    let (_, mut carla) = desk(&mut world, 102);
    world
        .ask(Command::PutRule(Box::new(rule(
            1,
            "house",
            Destination::Extension { extension: ExtensionId::from_bits(101) },
        ))))
        .unwrap();
    let mut phone = Phone::new(1);
    world.invite(&mut phone, "house");
    anna.pick_up(&mut world);
    for code in [180, 200] {
        let answer = world.response(&phone).unwrap();
        assert_eq!(answer.status.code(), code);
        if code == 200 {
            world.ack(&mut phone, &answer);
        }
    }
    let mut bob = Line::of(&phone);
    anna.request(&mut world, "REFER", &refer("+499001234567"), "");
    assert_eq!(anna.answered(&mut world, Method::Refer), Some(403));
    anna.request(&mut world, "REFER", &refer("102"), "");
    assert_eq!(anna.answered(&mut world, Method::Refer), Some(202));
    let invite = carla.rung(&mut world);
    let from = invite.headers.get(Name::From).unwrap();
    assert!(from.contains("491700000001"), "Carla sees who is handed to her: {from}");
    carla.answer(&mut world, &invite);
    let (bobs, carlas) = (leg_of(&mut world, &bob), leg_of(&mut world, &carla));
    assert_eq!(hears(&mut world, bobs), both(bobs, carlas));
    anna.hang_up(&mut world);
    bob.hang_up(&mut world);
    assert_eq!(carla.take(&mut world, Method::Bye).len(), 1);
}

#[test]
fn a_carrier_whose_target_is_busy_keeps_the_call_with_us() {
    let mut world = house();
    let (mut bob, mut anna, bobs, refer) = refer_to_carrier(&mut world);
    bob.reply(&mut world, &refer, "202 Accepted", "", "");
    notify(&mut bob, &mut world, "terminated;reason=noresource", "486 Busy Here");
    assert_eq!(failures(&world), [(Cause::Busy, 486)]);
    let annas = leg_of(&mut world, &anna);
    assert_eq!(hears(&mut world, bobs), both(bobs, annas), "they talk on, and nobody was rung twice");
    assert!(Line::at("192.0.2.50:5060").take(&mut world, Method::Invite).is_empty());
    bob.hang_up(&mut world);
    anna.look(&mut world);
    world.ends_clean();
}

#[test]
fn a_carrier_that_reports_nothing_has_taken_over_when_it_hangs_up() {
    let mut world = house_with(|profile| profile.refer.notify = false);
    let (mut bob, mut anna, bobs, refer) = refer_to_carrier(&mut world);
    assert_eq!(refer.headers.get(Name::ReferSub), Some("false"));
    bob.reply(&mut world, &refer, "202 Accepted", "Refer-Sub: false\r\n", "");
    world.pass(Duration::from_secs(5));
    assert!(transferred(&world).is_empty());
    bob.hang_up(&mut world);
    assert_eq!(transferred(&world).first().map(|it| (it.0, it.2)), Some((bobs, TransferWay::Referred)));
    assert_eq!(anna.take(&mut world, Method::Bye).len(), 1);
    world.ends_clean();

    // And one that does neither did not.
    let mut world = house_with(|profile| profile.refer.notify = false);
    let (mut bob, mut anna, _, refer) = refer_to_carrier(&mut world);
    bob.reply(&mut world, &refer, "202 Accepted", "Refer-Sub: false\r\n", "");
    world.pass(Duration::from_secs(33));
    assert_eq!(failures(&world).len(), 1);
    assert_eq!(world.calls().len(), 2);
    bob.hang_up(&mut world);
    anna.look(&mut world);
    world.ends_clean();
}

#[test]
fn somebody_in_a_meeting_is_handed_to_a_person() {
    let mut world = house_with(|profile| profile.refer.sends = ReferSupport::None);
    let mut phone = Phone::new(5);
    world.invite(&mut phone, "meet");
    let answer = world.response(&phone).unwrap();
    world.ack(&mut phone, &answer);
    let mut bob = Line::of(&phone);
    let bobs = leg_of(&mut world, &bob);
    world.pass(Duration::from_secs(1));
    assert_eq!(call_of(&mut world, &bob).unwrap().room, Some(ROOM));
    let order = |to: &str| Command::Transfer { leg: bobs, to: to.into(), consult: None, headers: vec![], uui: None };
    assert_eq!(world.ask(order("+49892201")), Ok(Reply::Done));
    let mut carla = Line::at("192.0.2.50:5060");
    let invite = carla.rung(&mut world);
    assert_eq!(call_of(&mut world, &bob).unwrap().room, Some(ROOM), "in the meeting until somebody answers");
    carla.reply(&mut world, &invite, "486 Busy Here", "", "");
    assert_eq!(failures(&world), [(Cause::Busy, 486)]);
    assert_eq!(call_of(&mut world, &bob).unwrap().room, Some(ROOM));
    assert_eq!(world.ask(order("+49892202")), Ok(Reply::Done));
    carla.pick_up(&mut world);
    let carlas = leg_of(&mut world, &carla);
    assert_eq!(hears(&mut world, bobs), both(bobs, carlas));
    assert!(world.room().participants.is_empty());
    bob.hang_up(&mut world);
    carla.look(&mut world);
    world.ends_clean();
}

#[test]
fn a_transfer_that_nobody_can_ask_for_is_denied() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    let bobs = leg_of(&mut world, &bob);
    let order = |to: &str, headers: Vec<(String, String)>, uui: Option<String>| Command::Transfer {
        leg: bobs,
        to: to.into(),
        consult: None,
        headers,
        uui,
    };
    assert!(matches!(world.ask(order("nobody", vec![], None)), Err(Denial::Conflict(_))));
    assert!(matches!(world.ask(order("+499001234567", vec![], None)), Err(Denial::Conflict(_))));
    assert!(matches!(world.ask(order("", vec![], None)), Err(Denial::Invalid(_))));
    let evil = vec![("From".to_owned(), "<sip:boss>".to_owned())];
    assert!(matches!(world.ask(order("+49892201", evil, None)), Err(Denial::Invalid(_))));
    assert!(matches!(world.ask(order("+49892201", vec![], Some("xyz".into()))), Err(Denial::Invalid(_))));
    let nobody = Command::Transfer {
        leg: LegId::from_bits(7),
        to: "+49892201".into(),
        consult: None,
        headers: vec![],
        uui: None,
    };
    assert!(matches!(world.ask(nobody), Err(Denial::NotFound(_))));
    bob.hang_up(&mut world);
    anna.look(&mut world);
    world.ends_clean();
}

#[test]
fn a_refer_and_a_reinvite_that_cross_do_not_disturb_each_other() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    let hold = anna.sdp("sendonly");
    anna.request(&mut world, "INVITE", "", &hold);
    anna.request(&mut world, "REFER", &refer("+49892201"), "");
    assert_eq!(anna.answered(&mut world, Method::Invite), Some(200));
    assert_eq!(anna.answered(&mut world, Method::Refer), Some(202));
    let bobs = leg_of(&mut world, &bob);
    assert!(world.heard.get(&bobs).is_some_and(|heard| heard.contains(&"music".to_owned())), "Bob is held");
    let mut carla = Line::at(CARLA);
    carla.pick_up(&mut world);
    let carlas = leg_of(&mut world, &carla);
    assert_eq!(hears(&mut world, bobs), both(bobs, carlas));
    assert!(!world.playing.contains_key(&bobs), "and hears no music any more");
    anna.hang_up(&mut world);
    bob.hang_up(&mut world);
    carla.look(&mut world);
    world.ends_clean();
}
