//! "Call me": a telephone is rung for somebody, and becomes their voice when they press 1. In virtual time.

mod by_key;
mod managers;
mod planned;
mod refusals;

use std::time::Duration;

use ringlift::base::id::CallbackId;
use ringlift::base::{Cause, LegId};
use ringlift::callback::{Failure, State};
use ringlift::gateway::Input;
use ringlift::gateway::callback::view::{CallbackRequest, CallbackView};
use ringlift::gateway::command::{Command, Denial, Reply};
use ringlift::gateway::event::Happening;
use ringlift::gateway::web::Code;
use ringlift::gateway::web::protocol::{AudioBy, ServerMessage};
use ringlift::media::command::MediaEvent;
use ringlift::media::web::{Source, WebCommand};
use ringlift::room::{Operation, Role};
use ringlift::route::Extension;
use ringlift::wire::sip::{Method, Name};
use serde_json::{Value, json};

use crate::desks::Desk;
use crate::house::registered;
use crate::meeting::{connects, publishes};
use crate::pages::{Page, refused};
use crate::telephone::extension;
use crate::world::{HOST_PIN, PIN, Phone, ROOM, World};

const MOBILE: &str = "+4930555777";

/// A host in the meeting, with an audio path.
fn host(world: &mut World) -> (Page, LegId) {
    let mut page = world.page_by_pin(HOST_PIN, "Anna");
    let leg = connects(world, &mut page);
    (page, leg)
}

/// The page asks to be called; why not, if not.
fn call_me(world: &mut World, page: &mut Page, to: Value) -> Option<Code> {
    let mut message = json!({ "type": "call_me" });
    for (name, value) in to.as_object().unwrap() {
        message[name] = value.clone();
    }
    let said = world.says(page, message);
    refused(&said)
}

/// Where the callbacks of a page are, in order.
fn steps(world: &mut World, page: &Page) -> Vec<(State, Option<Failure>)> {
    let told = world.told(page);
    let of = |message| match message {
        ServerMessage::Callback(view) => Some((view.state, view.failure)),
        _ => None,
    };
    told.into_iter().filter_map(of).collect()
}

/// Where callbacks are, as the log tells.
fn logged(world: &World) -> Vec<(State, Option<Failure>)> {
    let of = |event: &Happening| match event {
        Happening::Callback(step) => Some((step.state, step.failure)),
        _ => None,
    };
    world.events.iter().filter_map(of).collect()
}

/// The telephone is heard for the first time.
fn is_heard(world: &mut World, leg: LegId) {
    world.give(Input::Media(MediaEvent::Latched { leg, remote: "203.0.113.2:30000".parse().unwrap() }));
}

/// The telephone answers; its leg.
fn answers(world: &mut World, desk: &mut Desk) -> LegId {
    world.rung(desk);
    world.rings(desk);
    world.answers(desk);
    world.leg_at(true)
}

/// An integration asks.
fn asks(world: &mut World, request: Value) -> Result<CallbackView, Denial> {
    let request: CallbackRequest = serde_json::from_value(request).unwrap();
    match world.ask(Command::CallBack { room: ROOM, request: Box::new(request) }) {
        Ok(Reply::Callback(view)) => Ok(*view),
        Err(denial) => Err(denial),
        other => panic!("{other:?}"),
    }
}

fn shown(world: &mut World, id: CallbackId) -> CallbackView {
    match world.ask(Command::Callback(id)) {
        Ok(Reply::Callback(view)) => *view,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_telephone_takes_the_voice_of_its_person_and_the_browser_falls_silent() {
    let mut world = World::new();
    extension(&mut world, 101);
    let (_, mut desk) = registered(&mut world, 101, 0);
    let (mut page, web) = host(&mut world);
    assert!(publishes(&world, web, Source::Microphone));
    world.told(&page);
    assert_eq!(call_me(&mut world, &mut page, json!({ "extension": "101" })), None);
    let invite = world.rung(&mut desk);
    assert!(invite.headers.get(Name::From).unwrap().contains("Room"), "the telephone shows which meeting calls");
    world.rings(&desk);
    assert_eq!(steps(&mut world, &page), [(State::Calling, None), (State::Ringing, None)]);
    world.answers(&desk);
    let leg = world.leg_at(true);
    assert_eq!(steps(&mut world, &page), [(State::Accepted, None)]);
    assert!(world.was_told(leg, "callback-join") && world.was_told(leg, "digit-1"));
    assert!(!world.bridged.contains_key(&leg), "answering is not joining");
    is_heard(&mut world, leg);
    world.key(leg, "2");
    assert!(!world.bridged.contains_key(&leg), "another key is none");
    assert!(world.playing.contains_key(&leg), "it is still being asked");
    world.key(leg, "1");
    assert!(!world.playing.contains_key(&leg), "nobody hears the question to its end in the meeting");
    assert_eq!(steps(&mut world, &page).last(), Some(&(State::Success, None)));
    assert_eq!(world.bridged.get(&leg), Some(&false));
    let me = world.room().participants.into_iter().find(|p| p.id == page.you).unwrap();
    assert_eq!((me.audio, me.video, me.audio_by), (Some(leg), Some(web), AudioBy::Phone));
    assert_eq!(world.room().participants.len(), 1, "one person, one place");
    assert!(!publishes(&world, web, Source::Microphone), "the browser is silent");
    let listens = world.web_orders.iter().rev().find_map(|order| match order {
        WebCommand::Listen { listens, .. } => Some(*listens),
        _ => None,
    });
    assert_eq!(listens, Some(false));
    world.pass(Duration::from_secs(5));
    assert_eq!(world.place(leg).map(|p| p.id), Some(page.you), "both stay up");
    // The telephone hangs up: the meeting goes on by browser, which is asked.
    world.asks(&mut desk, "BYE", "");
    world.pass(Duration::from_secs(4));
    assert!(world.told(&page).iter().any(|told| matches!(told, ServerMessage::AudioOffer { .. })));
    assert_eq!(world.room().participants.len(), 1);
}

#[test]
fn a_telephone_that_is_never_heard_takes_nothing_over() {
    let mut world = World::new();
    extension(&mut world, 101);
    let (_, mut desk) = registered(&mut world, 101, 0);
    let (mut page, web) = host(&mut world);
    call_me(&mut world, &mut page, json!({ "extension": "101" }));
    let leg = answers(&mut world, &mut desk);
    world.key(leg, "1");
    assert!(publishes(&world, web, Source::Microphone), "the browser carries the voice");
    world.pass(Duration::from_secs(21));
    assert_eq!(steps(&mut world, &page).last(), Some(&(State::Failed, Some(Failure::Unreachable))));
    world.is_hung_up(&desk);
    assert!(publishes(&world, web, Source::Microphone));
    assert_eq!(world.place(web).map(|p| p.id), Some(page.you));
}

#[test]
fn a_voicemail_stays_out_of_the_room() {
    let mut world = World::office();
    let (mut page, web) = host(&mut world);
    call_me(&mut world, &mut page, json!({ "number": MOBILE }));
    let mut carrier = Desk::carrier(10);
    let leg = answers(&mut world, &mut carrier);
    is_heard(&mut world, leg);
    world.pass(Duration::from_secs(16));
    let asked = world.heard[&leg].iter().filter(|name| *name == "callback-join").count();
    assert_eq!(asked, 3, "it is asked three times");
    world.is_hung_up(&carrier);
    assert_eq!(steps(&mut world, &page).last(), Some(&(State::Failed, Some(Failure::Voicemail))));
    assert!(!world.bridged.contains_key(&leg) && world.bridged.contains_key(&web));
    assert_eq!(world.room().participants.len(), 1);
}

#[test]
fn what_rings_is_silent_in_the_same_moment_in_which_it_is_cancelled() {
    let mut world = World::office();
    let (mut page, _) = host(&mut world);
    call_me(&mut world, &mut page, json!({ "number": MOBILE }));
    let mut carrier = Desk::carrier(10);
    world.rung(&mut carrier);
    world.rings(&carrier);
    let before = world.now.mono;
    assert_eq!(refused(&world.says(&mut page, json!({ "type": "call_me_cancel" }))), None);
    world.is_cancelled(&carrier);
    assert_eq!(world.now.mono, before, "no time passed");
    assert_eq!(steps(&mut world, &page).split_off(2), [(State::Canceling, None), (State::Canceled, None)]);
    assert!(world.asked(&Desk::carrier(11), &Method::Invite).is_none(), "nothing else is tried");
    assert_eq!(refused(&world.says(&mut page, json!({ "type": "call_me_cancel" }))), Some(Code::NoSuchCall));
}

#[test]
fn what_a_program_cancels_is_silent_in_the_same_moment_whether_it_rings_or_was_answered() {
    for answered in [false, true] {
        let mut world = World::office();
        host(&mut world);
        let view = asks(&mut world, json!({ "number": MOBILE })).unwrap();
        let mut carrier = Desk::carrier(10);
        world.rung(&mut carrier);
        world.rings(&carrier);
        if answered {
            world.answers(&carrier);
        }
        let before = world.now.mono;
        assert_eq!(world.ask(Command::CancelCallback(view.id)), Ok(Reply::Done));
        if answered {
            world.is_hung_up(&carrier);
        } else {
            world.is_cancelled(&carrier);
        }
        assert_eq!(world.now.mono, before, "no time passed");
        assert_eq!(shown(&mut world, view.id).state, State::Canceled);
    }
}

#[test]
fn an_invitee_without_a_place_joins_on_one_by_the_given_name() {
    let mut world = World::office();
    host(&mut world);
    let view = asks(&mut world, json!({ "number": MOBILE, "name": "Carla" })).unwrap();
    assert_eq!((view.state, view.participant), (State::Calling, None));
    assert!(!view.to.contains("555777"), "masked");
    let mut carrier = Desk::carrier(10);
    let leg = answers(&mut world, &mut carrier);
    assert_eq!(world.room().participants.len(), 1);
    world.key(leg, "1");
    let carla = world.room().participants.into_iter().find(|p| p.audio == Some(leg)).unwrap();
    assert_eq!((carla.name.as_deref(), carla.role), (Some("Carla"), Role::Guest));
    let view = shown(&mut world, view.id);
    assert_eq!((view.state, view.participant, view.call), (State::Success, Some(carla.id), Some(leg)));
    let names = logged(&world).into_iter().map(|(state, _)| state.name()).collect::<Vec<_>>();
    assert_eq!(names, ["calling", "ringing", "accepted", "succeeded"]);
}

#[test]
fn an_invitee_does_not_come_into_a_locked_meeting() {
    let mut world = World::office();
    host(&mut world);
    let view = asks(&mut world, json!({ "number": MOBILE })).unwrap();
    let mut carrier = Desk::carrier(10);
    let leg = answers(&mut world, &mut carrier);
    world.ask(Command::Operate { room: ROOM, operation: Operation::Lock {} }).unwrap();
    world.key(leg, "1");
    assert!(world.was_told(leg, "meeting-locked"));
    world.finish_playing(leg);
    world.is_hung_up(&carrier);
    assert_eq!(shown(&mut world, view.id).failure, Some(Failure::NotAllowed));
    assert_eq!(world.room().participants.len(), 1);
}

#[test]
fn whoever_leaves_the_meeting_is_rung_no_longer() {
    let mut world = World::office();
    let (mut page, _) = host(&mut world);
    host(&mut world);
    call_me(&mut world, &mut page, json!({ "number": MOBILE }));
    let mut carrier = Desk::carrier(10);
    world.rung(&mut carrier);
    world.rings(&carrier);
    world.says(&mut page, json!({ "type": "leave" }));
    world.is_cancelled(&carrier);
    assert_eq!(logged(&world).last(), Some(&(State::Canceled, None)));
}

#[test]
fn a_telephone_of_the_house_that_is_not_there_is_unreachable() {
    let mut world = World::office();
    extension(&mut world, 101);
    let (mut page, _) = host(&mut world);
    assert_eq!(call_me(&mut world, &mut page, json!({ "number": "101" })), None);
    assert_eq!(steps(&mut world, &page).last(), Some(&(State::Failed, Some(Failure::Unreachable))));
}

#[test]
fn a_telephone_whose_owner_lets_it_answer_by_itself_needs_no_key() {
    let mut world = World::new();
    let id = extension(&mut world, 101);
    let mut own = Extension::new(id, "101".to_owned(), ringlift::base::Secret::new("secret-101"));
    own.auto_answer = true;
    world.ask(Command::PutExtension(Box::new(own))).unwrap();
    let (_, mut desk) = registered(&mut world, 101, 0);
    let (page, _) = host(&mut world);
    let view = asks(&mut world, json!({ "extension": "101", "participant": page.you, "press_one": false })).unwrap();
    world.rung(&mut desk);
    world.answers(&desk);
    let leg = world.leg_at(true);
    assert!(!world.was_told(leg, "callback-join"));
    is_heard(&mut world, leg);
    assert_eq!(shown(&mut world, view.id).state, State::Success);
    assert_eq!(world.place(leg).map(|p| p.id), Some(page.you));
}

#[test]
fn a_person_on_one_telephone_goes_on_by_another_and_the_first_is_let_go() {
    let mut world = World::office();
    extension(&mut world, 101);
    let (_, mut desk) = registered(&mut world, 101, 0);
    host(&mut world);
    let mut phone = Phone::new(1);
    let old = world.join(&mut phone, PIN);
    let me = world.place(old).unwrap().id;
    asks(&mut world, json!({ "extension": "101", "participant": me })).unwrap();
    let leg = answers(&mut world, &mut desk);
    is_heard(&mut world, leg);
    world.key(leg, "1");
    assert_eq!(world.place(leg).map(|p| p.id), Some(me));
    assert!(world.bridged.contains_key(&old), "both carry for a moment");
    world.pass(Duration::from_millis(150));
    assert!(!world.bridged.contains_key(&old));
    world.pass(Duration::from_secs(2));
    let why = world.caller_is_hung_up(&phone);
    assert!(why.contains("went on by another device"), "{why}");
    assert_eq!(world.place(leg).map(|p| p.id), Some(me), "nobody left");
    let left = world.events.iter().any(|event| matches!(event, Happening::Left { .. }));
    assert!(!left);
    let ended = world
        .events
        .iter()
        .any(|event| matches!(event, Happening::CallEnded { call, cause: Cause::Moved } if *call == old));
    assert!(ended);
}

#[test]
fn a_person_whose_new_telephone_drops_at_once_is_carried_by_the_old_one() {
    let mut world = World::office();
    extension(&mut world, 101);
    let (_, mut desk) = registered(&mut world, 101, 0);
    host(&mut world);
    let mut phone = Phone::new(1);
    let old = world.join(&mut phone, PIN);
    let me = world.place(old).unwrap().id;
    asks(&mut world, json!({ "extension": "101", "participant": me })).unwrap();
    let leg = answers(&mut world, &mut desk);
    is_heard(&mut world, leg);
    world.key(leg, "1");
    world.pass(Duration::from_millis(20));
    world.asks(&mut desk, "BYE", "");
    world.pass(Duration::from_secs(5));
    assert_eq!(world.place(old).map(|p| p.id), Some(me));
    assert_eq!(world.bridged.get(&old), Some(&false));
    assert!(world.request(&phone).is_none(), "it is not hung up");
}
