//! A call is brought into a meeting because somebody there vouches: no PIN, no lobby, and no dialog touched.

use std::time::Duration;

use ringlift::base::{LegId, ParticipantId};
use ringlift::gateway::command::{Command, Denial};
use ringlift::gateway::event::Happening;
use ringlift::gateway::merge::{MergeRequest, Unmerged};
use ringlift::gateway::view::CallDirection;
use ringlift::gateway::web::Code;
use ringlift::gateway::web::protocol::ServerMessage;
use ringlift::media::command::MediaCommand;
use ringlift::room::{Operation, State};
use ringlift::wire::sip::Method;
use serde_json::json;

use crate::calls::talking;
use crate::desks::Desk;
use crate::house::{dial, is_connected, registered};
use crate::meeting::connects;
use crate::pages::{Page, refused};
use crate::telephone::extension;
use crate::world::{HOST_PIN, PIN, Phone, ROOM, World};

impl World {
    /// Somebody in the meeting vouches for a call; the operator where nobody is named.
    pub fn merges(&mut self, leg: LegId, by: Option<ParticipantId>, both: bool) -> Result<(), Unmerged> {
        match self.ask(Command::Merge { leg, request: MergeRequest { room: ROOM, by, both } }) {
            Ok(_) => Ok(()),
            Err(Denial::NotMerged(why)) => Err(why),
            other => panic!("{other:?}"),
        }
    }

    /// Who was brought in, and who vouched.
    fn merged(&self) -> Vec<(LegId, ParticipantId, Option<ParticipantId>)> {
        let of = |event: &Happening| match event {
            Happening::CallMerged { call, room: ROOM, participant, by } => Some((*call, *participant, *by)),
            _ => None,
        };
        self.events.iter().filter_map(of).collect()
    }

    /// The call from outside of those that are up.
    fn caller(&mut self) -> LegId {
        self.calls().iter().find(|call| call.direction == CallDirection::Inbound).unwrap().id
    }
}

/// A page of a host in the meeting.
fn host(world: &mut World) -> Page {
    let mut host = world.page_by_pin(HOST_PIN, "Host");
    connects(world, &mut host);
    host
}

fn is_heard_in_meeting(world: &World, leg: LegId) -> bool {
    let last = world.orders.iter().rev().find_map(|order| match order {
        MediaCommand::Join { leg: of, room, muted, keys, .. } if *of == leg => Some((*room, *muted, *keys)),
        MediaCommand::Leave { leg: of } if *of == leg => Some((ROOM, true, false)),
        _ => None,
    });
    // In a meeting keys are orders to us.
    last == Some((ROOM, false, false))
}

#[test]
fn a_caller_who_knows_no_pin_is_brought_in_past_the_lobby_and_both_sides_are_told() {
    let mut world = World::with(|room| room.lobby = true, |_| {});
    let host = host(&mut world);
    world.told(&host);
    let phone = &mut Phone::new(1);
    let leg = world.call(phone, "+4930901820");
    world.pass(Duration::from_secs(3));
    assert!(world.place(leg).is_none(), "the attendant asks for the PIN");
    world.merges(leg, Some(host.you), false).unwrap();
    let place = world.place(leg).unwrap();
    assert!(place.state == State::Active && is_heard_in_meeting(&world, leg));
    assert_eq!(world.merged(), [(leg, place.id, Some(host.you))], "the log has who vouched");
    let told = world.told(&host);
    let merged = ServerMessage::Merged { participant: place.id, by: Some(host.you) };
    assert!(told.contains(&merged) && told.iter().any(|told| matches!(told, ServerMessage::Joined { .. })));
    assert!(world.was_told(leg, "admitted") && !world.was_told(leg, "waiting-in-lobby"));
    assert!(world.request(phone).is_none(), "its dialog is not touched");
    // The right was this one person's, this once.
    let other = world.join(&mut Phone::new(2), PIN);
    assert_eq!(world.place(other).unwrap().state, State::Lobby);
    world.bye(phone);
    assert!(world.place(leg).is_none());
}

#[test]
fn of_a_call_of_two_one_comes_along_and_the_other_is_let_go_or_both_come() {
    for both in [false, true] {
        let mut world = World::office();
        let host = host(&mut world);
        let (mut phone, desk) = talking(&mut world);
        let leg = world.caller();
        let other = world.calls().iter().find(|call| call.direction == CallDirection::Outbound).unwrap().id;
        world.merges(leg, None, both).unwrap();
        assert!(is_heard_in_meeting(&world, leg) && world.place(leg).is_some());
        assert!(world.request(&phone).is_none(), "no re-INVITE: who stays keeps dialog and stream");
        assert!(!world.orders.iter().any(|order| matches!(order, MediaCommand::Close { leg: of } if *of == leg)));
        if both {
            assert!(is_heard_in_meeting(&world, other) && world.asked(&desk, &Method::Bye).is_none());
            assert_eq!(world.merged().len(), 2);
            assert_eq!(world.room().participants.len(), 3);
            world.ask(Command::HangUp(other)).unwrap();
            world.is_hung_up(&desk);
        } else {
            world.is_hung_up(&desk);
            assert_eq!(world.merged().iter().map(|(_, _, by)| *by).collect::<Vec<_>>(), [None]);
        }
        assert!(world.place(leg).is_some(), "the meeting goes on");
        world.bye(&mut phone);
        world.drops(&host);
        world.pass(Duration::from_secs(60));
        world.ends_clean();
    }
}

#[test]
fn whoever_heard_music_on_hold_hears_the_meeting_and_no_music() {
    let mut world = World::office();
    let _host = host(&mut world);
    let (_phone, mut desk) = talking(&mut world);
    let leg = world.caller();
    let sdp = desk.sdp("sendonly");
    world.asks(&mut desk, "INVITE", &sdp);
    world.acks(&desk);
    assert!(world.playing[&leg].2, "the other went to the meeting and left music");
    world.merges(leg, None, false).unwrap();
    world.pass(Duration::from_secs(1));
    world.finish_playing(leg);
    world.pass(Duration::from_secs(1));
    assert!(!world.playing.get(&leg).is_some_and(|(_, _, repeat)| *repeat), "{:?}", world.playing.get(&leg));
}

#[test]
fn a_caller_for_whom_somebody_is_rung_is_answered_into_the_meeting() {
    let mut world = World::office();
    let _host = host(&mut world);
    let (mut phone, mut desk) = (Phone::new(1), Desk::carrier(10));
    world.invite(&mut phone, crate::desks::OUTSIDE);
    world.rung(&mut desk);
    world.rings(&desk);
    assert_eq!(world.response(&phone).unwrap().status.code(), 180);
    let leg = world.caller();
    world.merges(leg, None, false).unwrap();
    let answer = world.response(&phone).unwrap();
    assert_eq!(answer.status.code(), 200);
    world.ack(&mut phone, &answer);
    assert!(is_heard_in_meeting(&world, leg) && world.place(leg).is_some());
    let reason = world.is_cancelled(&desk);
    assert!(reason.contains("200"), "answered elsewhere, and no missed call is shown: {reason}");
}

#[test]
fn a_page_brings_in_a_call_of_its_own_persons_telephone_and_no_other() {
    let mut world = World::office();
    let id = extension(&mut world, 101);
    let anna = ringlift::route::Extension::new(id, "101", ringlift::base::Secret::new("secret-101"));
    let elevation = ringlift::base::elevating::ElevationRules { allowed: Some(true), ..anna.elevation };
    world.ask(Command::PutExtension(Box::new(ringlift::route::Extension { elevation, ..anna }))).unwrap();
    extension(&mut world, 102);
    let (mut line, _) = registered(&mut world, 101, 0);
    let (_, mut ben) = registered(&mut world, 102, 0);
    dial(&mut world, &mut line, "direct");
    is_connected(&mut world, &mut line);
    world.pass(Duration::from_secs(2));
    let first = world.caller();
    world.key(first, "*2");
    world.key(first, &format!("{HOST_PIN}#"));
    let request = serde_json::from_value(json!({ "number": "+491709998877" })).unwrap();
    world.ask(Command::Elevate { leg: first, request: Box::new(request) }).unwrap();
    let link = world.link();
    let done = world.redeems(json!({ "ticket": link })).unwrap();
    let mut page = world.opens_page();
    let welcome = world.joins(&mut page, json!({ "ticket": done.ticket.expose() }));
    assert!(welcome.lines.is_empty());
    world.told(&page);
    // On her second line she talks with Ben.
    let mut second = crate::telephone::Telephone { call_id: "second".into(), ..line.clone() };
    dial(&mut world, &mut second, "102");
    world.rung(&mut ben);
    world.answers(&ben);
    is_connected(&mut world, &mut second);
    let called = world.calls().iter().find(|call| call.direction == CallDirection::Outbound).unwrap().id;
    let lines = |world: &mut World, page: &Page| {
        world.told(page).into_iter().rev().find_map(|told| match told {
            ServerMessage::Lines { lines } => Some(lines.into_iter().map(|line| line.call).collect::<Vec<_>>()),
            _ => None,
        })
    };
    assert_eq!(lines(&mut world, &page), Some(vec![called]), "the page knows whom she talks with");
    // Somebody else's call is nobody's to bring in.
    let (_phone, _desk) = talking(&mut world);
    let foreign = world.calls().iter().find(|call| call.trunk.is_some()).unwrap().id;
    let said = world.says(&mut page, json!({ "type": "merge", "call": foreign }));
    assert_eq!(refused(&said), Some(Code::NoSuchCall));
    assert_eq!(world.does(&mut page, json!({ "operation": "lock" })), None);
    let said = world.says(&mut page, json!({ "type": "merge", "call": called }));
    assert_eq!(refused(&said), Some(Code::RoomLocked));
    assert_eq!(world.does(&mut page, json!({ "operation": "unlock" })), None);
    let said = world.says(&mut page, json!({ "type": "merge", "call": called }));
    assert!(matches!(said, ServerMessage::Done { .. }), "{said:?}");
    assert!(is_heard_in_meeting(&world, called));
    assert_eq!(lines(&mut world, &page), Some(vec![]), "and that there is nobody left on it");
    assert_eq!(world.merged().last().map(|(call, _, by)| (*call, *by)), Some((called, Some(page.you))));
    assert_eq!(second.request(&mut world).map(|request| request.method), Some(Method::Bye), "her second line is free");
    assert!(world.place(first).is_some());
}

#[test]
fn a_call_that_is_not_answered_or_is_being_handed_over_is_merged_later() {
    let mut world = World::office();
    let _host = host(&mut world);
    let (mut phone, mut desk) = (Phone::new(1), Desk::carrier(10));
    world.invite(&mut phone, crate::desks::OUTSIDE);
    world.rung(&mut desk);
    world.rings(&desk);
    let rung = world.calls().iter().find(|call| call.direction == CallDirection::Outbound).unwrap().id;
    assert_eq!(world.merges(rung, None, false), Err(Unmerged::NotUp));
    world.answers(&desk);
    assert_eq!(world.response(&phone).unwrap().status.code(), 180);
    let answer = world.response(&phone).unwrap();
    world.ack(&mut phone, &answer);
    let leg = world.caller();
    // Handed over to somebody whose telephone still rings.
    let to = crate::desks::OUTSIDE.into();
    world.ask(Command::Transfer { leg, to, consult: None, headers: Vec::new(), uui: None }).unwrap();
    assert_eq!(world.merges(leg, None, false), Err(Unmerged::HandedOver));
    assert!(world.merged().is_empty());
}

#[test]
fn who_may_not_be_brought_in_is_told_why_and_the_call_stays_as_it_is() {
    let mut world = World::office();
    let (phone, _desk) = talking(&mut world);
    let leg = world.caller();
    assert_eq!(world.merges(leg, None, false), Err(Unmerged::NotOn), "nobody is there");
    let host = host(&mut world);
    let guest = world.page_by_pin(PIN, "Gus");
    assert_eq!(world.merges(leg, Some(guest.you), false), Err(Unmerged::NoInsider));
    world.ask(Command::Hold(leg)).unwrap();
    assert_eq!(world.merges(leg, None, false), Err(Unmerged::Held));
    world.ask(Command::Unhold(leg)).unwrap();
    world.ask(Command::Operate { room: ROOM, operation: Operation::Lock {} }).unwrap();
    assert_eq!(world.merges(leg, Some(host.you), false), Err(Unmerged::Locked));
    world.ask(Command::Operate { room: ROOM, operation: Operation::Unlock {} }).unwrap();
    let settings = world.room().settings;
    let narrow = ringlift::room::RoomSettings { max_participants: 3, ..settings.clone() };
    world.ask(Command::PutRoom(narrow)).unwrap();
    assert_eq!(world.merges(leg, None, true), Err(Unmerged::Full), "one fits in, two do not");
    world.ask(Command::PutRoom(settings)).unwrap();
    let inside = world.join(&mut Phone::new(3), PIN);
    assert_eq!(world.merges(inside, None, false), Err(Unmerged::InMeeting));
    let unknown = MergeRequest { room: ROOM, by: None, both: false };
    assert_eq!(world.ask(Command::Merge { leg: LegId::from_bits(7), request: unknown }), Err(Denial::NotFound("call")));
    while let Some(request) = world.request(&phone) {
        assert_ne!(request.method, Method::Bye, "the two talk on");
    }
    assert!(world.merged().is_empty());
    // A call for help is nobody's to move.
    let mut world = World::office();
    let _host = self::host(&mut world);
    extension(&mut world, 101);
    let (mut line, _) = registered(&mut world, 101, 0);
    dial(&mut world, &mut line, "112");
    let mut carrier = Desk::carrier(10);
    world.rung(&mut carrier);
    world.answers(&carrier);
    is_connected(&mut world, &mut line);
    for call in world.calls() {
        for both in [false, true] {
            assert_eq!(world.merges(call.id, None, both), Err(Unmerged::Emergency));
        }
    }
}
