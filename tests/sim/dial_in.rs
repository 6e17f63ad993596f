//! People dial in, key a PIN, are in the room, and leave.

use std::time::Duration;

use ringlift::base::Cause;
use ringlift::gateway::Record;
use ringlift::gateway::event::Happening;
use ringlift::room::{FirstCaller, State};

use crate::world::{HOST_PIN, PIN, Phone, World, reason};

#[test]
fn three_callers_key_the_pin_and_share_a_room() {
    let mut world = World::new();
    let mut phones: Vec<Phone> = (1..=3).map(Phone::new).collect();
    let legs: Vec<_> = phones.iter_mut().map(|phone| world.join(phone, PIN)).collect();
    assert!(legs.iter().all(|leg| world.bridged.get(leg) == Some(&false)), "all are heard");
    assert!(world.was_told(legs[0], "enter-pin") && world.was_told(legs[0], "you-are-first"));
    assert!(world.was_told(legs[1], "joining"));
    let room = world.room();
    assert_eq!(room.participants.len(), 3);
    assert!(
        room.participants.iter().all(|p| p.state == State::Active && p.display.contains('•')),
        "numbers are masked"
    );
    for phone in &mut phones {
        world.bye(phone);
    }
    assert!(world.room().participants.is_empty());
    let ended =
        world.records.iter().filter(|r| matches!(r, Record::Ended(call) if call.cause == Some(Cause::HungUp))).count();
    assert_eq!(ended, 3);
    world.ends_clean();
}

#[test]
fn a_stranger_costs_no_port_no_row_and_no_prompt() {
    let mut world = World::new();
    let mut stranger = Phone::at("203.0.113.9".parse().unwrap(), 9);
    world.invite(&mut stranger, "+4930901820");
    let answer = world.response(&stranger).unwrap();
    assert_eq!(answer.status.code(), 403);
    assert_eq!((world.ports_bound, world.records.len()), (0, 0));
    assert!(!world.events.iter().any(|event| matches!(event, Happening::CallBegan { .. })));
    assert!(world.calls().is_empty());
    let ack = stranger.request_text("ACK", "sip:+4930901820@198.51.100.1", "");
    world.send(&stranger, &ack);
    world.ends_clean();
}

#[test]
fn a_flood_of_strangers_keeps_no_caller_out() {
    let mut world = World::new();
    let tag = |answer: &ringlift::wire::sip::Response| answer.headers.to().and_then(|to| to.tag().map(str::to_owned));
    let mut stranger = Phone::at("203.0.113.9".parse().unwrap(), 9);
    world.invite(&mut stranger, "+4930901820");
    let first = world.response(&stranger).unwrap();
    world.invite(&mut stranger, "+4930901820");
    let copy = world.response(&stranger).unwrap();
    assert_eq!((copy.status.code(), tag(&copy)), (403, tag(&first)), "a copy gets the same answer");
    let options = stranger.request_text("OPTIONS", "sip:198.51.100.1", "");
    world.send(&stranger, &options);
    let able = world.response(&stranger).unwrap();
    assert_eq!(able.status.code(), 200);
    assert_eq!(able.headers.fields_of(&ringlift::wire::sip::Name::Accept).count(), 1, "said once");
    let status = world.status();
    assert_eq!((status.transactions, status.dialogs), (0, 0), "nothing of them is kept that could fill up");
    let mut phone = Phone::new(1);
    let leg = world.join(&mut phone, PIN);
    assert!(world.place(leg).is_some());
    world.bye(&mut phone);
    world.ends_clean();
}

#[test]
fn a_wrong_number_is_refused_with_404_and_kept_on_record() {
    let mut world = World::new();
    let mut phone = Phone::new(1);
    world.invite(&mut phone, "+4930999999");
    assert_eq!(world.response(&phone).unwrap().status.code(), 404);
    assert_eq!(world.ports_bound, 0);
    world.ends_clean();
}

#[test]
fn three_wrong_pins_and_the_caller_is_let_go_after_the_goodbye() {
    let mut world = World::new();
    let mut phone = Phone::new(1);
    let leg = world.call(&mut phone, "+4930901820");
    for _ in 0..3 {
        world.key(leg, "0000#");
    }
    assert!(world.was_told(leg, "pin-wrong") && world.was_told(leg, "pin-wrong-last"));
    assert!(world.request(&phone).is_none(), "the goodbye is said first");
    world.finish_playing(leg);
    let bye = world.request(&phone).expect("a BYE");
    assert!(reason(&bye.headers).is_some_and(|reason| reason.contains("cause=21")));
    let ok = format!(
        "SIP/2.0 200 OK\r\nVia: {}\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {}\r\nContent-Length: 0\r\n\r\n",
        bye.headers.get(ringlift::wire::sip::Name::Via).unwrap(),
        bye.headers.get(ringlift::wire::sip::Name::From).unwrap(),
        bye.headers.get(ringlift::wire::sip::Name::To).unwrap(),
        bye.headers.call_id().unwrap(),
        bye.headers.get(ringlift::wire::sip::Name::CSeq).unwrap(),
    );
    world.send(&phone, &ok);
    assert!(world.records.iter().any(|r| matches!(r, Record::Ended(call) if call.cause == Some(Cause::WrongPin))));
    world.ends_clean();
}

#[test]
fn a_pin_without_pound_is_taken_after_a_pause() {
    let mut world = World::new();
    let mut phone = Phone::new(1);
    let leg = world.call(&mut phone, "+4930901820");
    world.key(leg, PIN);
    assert!(world.place(leg).is_none(), "more digits may come");
    world.pass(Duration::from_secs(6));
    assert!(world.place(leg).is_some());
    world.bye(&mut phone);
    world.ends_clean();
}

#[test]
fn a_number_may_lead_straight_into_a_room() {
    let mut world = World::new();
    let mut phone = Phone::new(1);
    let leg = world.call(&mut phone, "direct");
    assert!(world.place(leg).is_some());
    assert!(!world.was_told(leg, "enter-pin"));
    world.bye(&mut phone);
    world.ends_clean();
}

#[test]
fn guests_wait_with_music_until_the_host_comes() {
    let mut world = World::with(|room| room.first_caller = FirstCaller::Host, |_| {});
    let (mut guest, mut host) = (Phone::new(1), Phone::new(2));
    let waiting = world.join(&mut guest, PIN);
    assert_eq!(world.place(waiting).unwrap().state, State::WaitingForHost);
    assert!(world.was_told(waiting, "waiting-for-host"));
    world.finish_playing(waiting);
    assert!(world.was_told(waiting, "music"));
    assert!(!world.bridged.contains_key(&waiting));
    let leg = world.join(&mut host, HOST_PIN);
    assert!(world.was_told(leg, "you-are-host"));
    assert_eq!(world.bridged.get(&waiting), Some(&false));
    world.bye(&mut host);
    world.bye(&mut guest);
    world.ends_clean();
}

#[test]
fn a_held_phone_is_not_heard_and_comes_back() {
    let mut world = World::new();
    let mut phone = Phone::new(1);
    let leg = world.join(&mut phone, PIN);
    for (direction, held) in [("sendonly", true), ("sendrecv", false), ("inactive", true), ("sendrecv", false)] {
        phone.cseq += 1;
        let text = phone.request_text("INVITE", &phone.target.clone(), &phone.offer(direction));
        world.send(&phone, &text);
        let answer = world.response(&phone).unwrap();
        assert_eq!(answer.status.code(), 200, "{direction}");
        let sdp = String::from_utf8_lossy(&answer.body).to_string();
        let expected = match direction {
            "sendonly" => "a=recvonly",
            "inactive" => "a=inactive",
            _ => "a=sendrecv",
        };
        assert!(sdp.contains(expected), "{direction} is answered {expected}: {sdp}");
        let ack = phone.request_text("ACK", &phone.target.clone(), "");
        world.send(&phone, &ack);
        assert_eq!(world.place(leg).unwrap().held, held, "{direction}");
        assert_eq!(world.bridged.get(&leg), Some(&held), "{direction}: music on hold stays out of the room");
    }
    world.bye(&mut phone);
    world.ends_clean();
}

#[test]
fn an_offer_we_cannot_speak_is_refused_and_its_ports_come_back() {
    let mut world = World::new();
    let phone = Phone::new(1);
    let sdp = phone.offer("sendrecv").replace("RTP/AVP 8 0 101", "RTP/AVP 18").replace("a=rtpmap:101", "a=rtpmap:18");
    let text = phone.request_text("INVITE", "sip:+4930901820@198.51.100.1", &sdp);
    world.send(&phone, &text);
    let answer = world.response(&phone).unwrap();
    assert_eq!(answer.status.code(), 488);
    assert!(answer.headers.get(ringlift::wire::sip::Name::Warning).is_some());
    let ack = phone.request_text("ACK", "sip:+4930901820@198.51.100.1", "");
    world.send(&phone, &ack);
    world.ends_clean();
}
