//! Somebody calls a person who is in a meeting: the meeting is asked, by page and by telephone.

use std::time::Duration;

use ringlift::base::LegId;
use ringlift::base::elevating::ElevationRules;
use ringlift::base::id::DidId;
use ringlift::gateway::command::Command;
use ringlift::gateway::event::Happening;
use ringlift::gateway::web::Code;
use ringlift::gateway::web::protocol::ServerMessage;
use ringlift::media::clip::{Clip, Tone};
use ringlift::media::command::MediaCommand;
use ringlift::route::{Destination, Did};
use serde_json::json;

use crate::desks::Desk;
use crate::house::{dial, is_connected, registered};
use crate::pages::{Page, refused};
use crate::telephone::extension;
use crate::world::{HOST_PIN, PIN, Phone, ROOM, World};

/// Anna's number.
const ANNA: &str = "+4930901822";

/// Anna of the house is in the meeting by her telephone, as host where `host`.
fn anna_meets(world: &mut World, host: bool) -> (LegId, Desk) {
    let action = Destination::Extension { extension: extension(world, 101) };
    let (id, called) = (DidId::from_bits(9), ANNA.parse().unwrap());
    let elevation = ElevationRules::default();
    world.ask(Command::PutDid(Did { id, called, trunk: None, action, languages: vec![], elevation })).unwrap();
    let (mut line, desk) = registered(world, 101, 0);
    dial(world, &mut line, "direct");
    is_connected(world, &mut line);
    world.pass(Duration::from_secs(2));
    let leg = world.calls()[0].id;
    if host {
        world.key(leg, "*2");
        world.key(leg, &format!("{HOST_PIN}#"));
    }
    world.finish_playing(leg);
    (leg, desk)
}

/// Somebody from outside calls Anna.
fn calls_anna(world: &mut World, n: u8) -> (Phone, LegId) {
    let before: Vec<LegId> = world.calls().iter().map(|call| call.id).collect();
    let mut phone = Phone::new(n);
    world.invite(&mut phone, ANNA);
    let new = world.calls();
    let leg = new.iter().find(|call| !before.contains(&call.id) && call.trunk.is_some()).expect("a call").id;
    (phone, leg)
}

impl World {
    fn final_status(&mut self, phone: &Phone) -> Option<u16> {
        let answers = std::iter::from_fn(|| self.response(phone));
        answers.map(|answer| answer.status).find(|status| status.is_final()).map(|status| status.code())
    }
}

fn knocked(told: &[ServerMessage]) -> Option<LegId> {
    told.iter().find_map(|told| match told {
        ServerMessage::Knock(knock) => Some(knock.call),
        _ => None,
    })
}

/// Heard two short tones, which nobody else did.
fn heard_knock(world: &World, leg: LegId) -> bool {
    let is = |clips: &[Clip]| clips.iter().filter(|clip| **clip == Clip::Tone(Tone::Done)).count() == 2;
    world
        .orders
        .iter()
        .any(|order| matches!(order, MediaCommand::Play { leg: of, clips, .. } if *of == leg && is(clips)))
}

fn answers(page: &mut Page, world: &mut World, call: LegId, answer: &str) -> ServerMessage {
    world.says(page, json!({ "type": "knock", "call": call, "answer": answer }))
}

#[test]
fn a_host_takes_whoever_calls_a_person_in_the_meeting_in_and_the_desk_stops_ringing() {
    let mut world = World::with(|room| room.lobby = true, |_| {});
    let mut host = world.page_by_pin(HOST_PIN, "Host");
    let (anna, mut desk) = anna_meets(&mut world, true);
    let guest = world.page_by_pin(PIN, "Gus");
    world.told(&host);
    let (mut phone, call) = calls_anna(&mut world, 1);
    assert_eq!(world.response(&phone).unwrap().status.code(), 180);
    world.rung(&mut desk);
    world.rings(&desk);
    let told = world.told(&host);
    assert_eq!(knocked(&told), Some(call));
    let seen = told.iter().find_map(|told| match told {
        ServerMessage::Knock(knock) => Some((knock.participant, knock.number.clone())),
        _ => None,
    });
    let (whom, number) = seen.unwrap();
    assert_eq!(Some(whom), world.place(anna).map(|place| place.id));
    assert!(number.is_some_and(|number| number.contains('•')), "masked, as on the roster");
    assert!(heard_knock(&world, anna), "Anna's telephone, too");
    assert!(knocked(&world.told(&guest)).is_none(), "guests let nobody in");
    assert!(matches!(answers(&mut host, &mut world, call, "take"), ServerMessage::Done { .. }));
    let answer = world.response(&phone).unwrap();
    assert_eq!(answer.status.code(), 200);
    world.ack(&mut phone, &answer);
    let merged = world.events.iter().any(|event| {
        matches!(event, Happening::CallMerged { call: of, room: ROOM, by, .. } if *of == call && *by == Some(host.you))
    });
    assert!(merged && world.bridged.get(&call) == Some(&false), "no attendant, no lobby, and the log has who said so");
    assert!(!world.was_told(call, "greeting") && !world.was_told(call, "enter-pin"));
    world.is_cancelled(&desk);
    assert!(world.told(&host).contains(&ServerMessage::KnockOver { call }));
    assert_eq!(refused(&answers(&mut host, &mut world, call, "decline")), Some(Code::NoSuchCall), "once");
    assert!(world.place(anna).is_some() && world.place(call).is_some());
}

#[test]
fn on_a_telephone_one_takes_the_caller_in_and_two_refuses() {
    let mut world = World::new();
    let (anna, mut desk) = anna_meets(&mut world, true);
    let (phone, call) = calls_anna(&mut world, 1);
    world.rung(&mut desk);
    world.rings(&desk);
    assert!(heard_knock(&world, anna));
    world.key(anna, "1");
    assert_eq!(world.final_status(&phone), Some(200));
    assert!(world.place(call).is_some());
    world.is_cancelled(&desk);
    let (phone, _) = calls_anna(&mut world, 2);
    world.rung(&mut desk);
    world.rings(&desk);
    world.key(anna, "2");
    assert_eq!(world.final_status(&phone), Some(603));
    world.is_cancelled(&desk);
    // Where nobody knocks the key means what it meant.
    world.pass(Duration::from_secs(3));
    world.key(anna, "1");
    world.pass(Duration::from_secs(3));
    assert!(world.was_told(anna, "unknown-key"));
}

#[test]
fn nobody_says_and_it_is_as_if_nobody_had_been_asked() {
    let mut world = World::new();
    let mut host = world.page_by_pin(HOST_PIN, "Host");
    let (_, mut desk) = anna_meets(&mut world, false);
    // Her telephone is busy with the meeting: the caller is told when the meeting has had its time.
    let (phone, call) = calls_anna(&mut world, 1);
    world.rung(&mut desk);
    world.refuses(&desk, "486 Busy Here", "");
    assert_eq!(world.final_status(&phone), None, "it rings");
    world.pass(Duration::from_secs(19));
    assert_eq!(world.final_status(&phone), None);
    world.pass(Duration::from_secs(2));
    assert_eq!(world.final_status(&phone), Some(486));
    let told = world.told(&host);
    assert!(knocked(&told) == Some(call) && told.contains(&ServerMessage::KnockOver { call }));
    // A telephone that rings rings on, and is answered.
    let (phone, call) = calls_anna(&mut world, 2);
    world.rung(&mut desk);
    world.rings(&desk);
    assert!(matches!(answers(&mut host, &mut world, call, "ring"), ServerMessage::Done { .. }));
    world.pass(Duration::from_secs(2));
    world.answers(&desk);
    assert_eq!(world.final_status(&phone), Some(200));
    // Who gives up knocks no more.
    let (mut phone, call) = calls_anna(&mut world, 3);
    world.rung(&mut desk);
    phone.cseq = 1;
    let cancel = phone.request_text("CANCEL", &format!("sip:{ANNA}@198.51.100.1"), "");
    let cancel = cancel.replace("CANCEL1;rport", "INVITE1;rport");
    world.send(&phone, &cancel);
    assert!(world.told(&host).contains(&ServerMessage::KnockOver { call }));
}

#[test]
fn nobody_is_asked_where_only_guests_are_or_the_person_is_not_there_and_a_locked_meeting_stays_shut() {
    let mut world = World::new();
    let (anna, mut desk) = anna_meets(&mut world, false);
    let (phone, _) = calls_anna(&mut world, 1);
    world.rung(&mut desk);
    world.refuses(&desk, "486 Busy Here", "");
    assert_eq!(world.final_status(&phone), Some(486), "at once, as ever");
    assert!(!heard_knock(&world, anna), "a guest lets nobody in");
    let mut host = world.page_by_pin(HOST_PIN, "Host");
    assert_eq!(world.does(&mut host, json!({ "operation": "lock" })), None);
    let (phone, call) = calls_anna(&mut world, 2);
    world.rung(&mut desk);
    world.rings(&desk);
    assert_eq!(refused(&answers(&mut host, &mut world, call, "take")), Some(Code::RoomLocked));
    assert_eq!(world.final_status(&phone), None, "it rings on");
    assert_eq!(world.does(&mut host, json!({ "operation": "unlock" })), None);
    assert!(matches!(answers(&mut host, &mut world, call, "take"), ServerMessage::Done { .. }));
    world.is_cancelled(&desk);
    // Anna hung up: her calls are hers alone.
    world.ask(Command::HangUp(anna)).unwrap();
    world.told(&host);
    calls_anna(&mut world, 3);
    assert!(knocked(&world.told(&host)).is_none());
}

#[test]
fn a_page_that_is_opened_while_somebody_knocks_is_asked_too() {
    let mut world = World::new();
    let _first = world.page_by_pin(HOST_PIN, "Host");
    let (anna, mut desk) = anna_meets(&mut world, false);
    let (phone, call) = calls_anna(&mut world, 1);
    world.rung(&mut desk);
    world.rings(&desk);
    world.pass(Duration::from_secs(10));
    let mut guest = world.opens_page();
    let welcome = world.joins(&mut guest, json!({ "passcode": PIN, "name": "Gus" }));
    assert!(welcome.knocks.is_empty(), "guests let nobody in");
    let mut late = world.opens_page();
    let welcome = world.joins(&mut late, json!({ "passcode": HOST_PIN, "name": "Late" }));
    let knock = welcome.knocks.first().expect("the open question");
    assert_eq!((knock.call, Some(knock.participant)), (call, world.place(anna).map(|place| place.id)));
    assert!(matches!(answers(&mut late, &mut world, call, "take"), ServerMessage::Done { .. }));
    assert_eq!(world.final_status(&phone), Some(200));
    let mut later = world.opens_page();
    assert!(world.joins(&mut later, json!({ "passcode": HOST_PIN, "name": "Later" })).knocks.is_empty());
}
