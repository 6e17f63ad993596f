//! "Call me": a telephone is rung for somebody, and becomes their voice when they press 1. In virtual time.

use std::time::Duration;

use ringlift::base::id::{CallbackId, TrunkId};
use ringlift::base::{Cause, LegId, Utc};
use ringlift::callback::{Failure, State};
use ringlift::gateway::callback::view::{CallbackRequest, CallbackView, Kept};
use ringlift::gateway::command::{Command, Denial, Reply};
use ringlift::gateway::event::Happening;
use ringlift::gateway::fetch::FetchError;
use ringlift::gateway::web::Code;
use ringlift::gateway::web::protocol::{AudioBy, ServerMessage};
use ringlift::gateway::{Directory, Input};
use ringlift::media::command::MediaEvent;
use ringlift::media::web::{Source, WebCommand};
use ringlift::room::{Operation, Role};
use ringlift::route::{CallManager, Directory as Telephones, Extension};
use ringlift::wire::sip::{Method, Name};
use serde_json::{Value, json};

use crate::desks::Desk;
use crate::house::registered;
use crate::meeting::{connects, publishes};
use crate::pages::{Page, refused};
use crate::telephone::extension;
use crate::world::{HOST_PIN, PIN, Phone, ROOM, World};

const MOBILE: &str = "+4930555777";
const MANAGER: TrunkId = TrunkId::from_bits(7);

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

/// An office whose second trunk is a call manager for 20xx.
fn with_manager(change: impl FnOnce(&mut CallManager)) -> World {
    let mut manager = CallManager { numbers: vec!["20".into(), MOBILE.into()], directory: None };
    change(&mut manager);
    World::office_with(|directory: &mut Directory| {
        let mut trunk = directory.trunks.iter().find(|trunk| trunk.name == "outward").unwrap().clone();
        trunk.id = MANAGER;
        trunk.name = "manager".into();
        trunk.callback = Some(manager);
        let outbound = trunk.outbound.as_mut().unwrap();
        outbound.targets.truncate(1);
        outbound.targets[0].uri = "sip:203.0.113.40".into();
        directory.trunks.push(trunk);
    })
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
fn a_call_manager_is_asked_before_the_carrier() {
    let mut world = with_manager(|_| {});
    let (mut page, _) = host(&mut world);
    call_me(&mut world, &mut page, json!({ "number": "2001" }));
    let mut manager = Desk::carrier(40);
    let invite = world.rung(&mut manager);
    assert_eq!(invite.uri.to_string(), "sip:2001@203.0.113.40");
    world.rings(&manager);
    world.answers(&manager);
    let leg = world.leg_at(true);
    is_heard(&mut world, leg);
    world.key(leg, "1");
    assert_eq!(steps(&mut world, &page).last(), Some(&(State::Success, None)));
}

#[test]
fn a_call_managers_redirection_leads_to_the_telephone_itself() {
    let mut world = with_manager(|_| {});
    let (mut page, _) = host(&mut world);
    call_me(&mut world, &mut page, json!({ "number": "2001" }));
    let (mut manager, mut desk) = (Desk::carrier(40), Desk::carrier(41));
    let invite = world.rung(&mut manager);
    world.respond(&manager, &invite, "302 Moved Temporarily", "Contact: <sip:2001@203.0.113.41>", "");
    let invite = world.rung(&mut desk);
    assert_eq!(invite.uri.to_string(), "sip:2001@203.0.113.41");
    world.rings(&desk);
    world.answers(&desk);
    let leg = world.leg_at(true);
    is_heard(&mut world, leg);
    world.key(leg, "1");
    assert_eq!(steps(&mut world, &page).last(), Some(&(State::Success, None)));
}

#[test]
fn a_directory_says_where_a_telephone_is_and_one_that_is_down_is_no_end() {
    let directory = |manager: &mut CallManager| {
        let secret = Some(ringlift::base::Secret::new("key"));
        manager.directory = Some(Telephones { url: "https://directory.example/who".into(), secret });
    };
    let mut world = with_manager(directory);
    let (mut page, _) = host(&mut world);
    call_me(&mut world, &mut page, json!({ "number": "2001" }));
    let (id, request) = world.fetches.last().cloned().expect("the directory is asked");
    let post = request.post.expect("by POST");
    let asked: Value = serde_json::from_slice(&post.body).unwrap();
    assert_eq!((asked["number"].as_str(), post.signature.is_some()), (Some("2001"), true));
    world.give(Input::Fetched { id, result: Ok(r#"{"uri":"sip:desk-7@203.0.113.42"}"#.into()) });
    let mut desk = Desk::carrier(42);
    assert_eq!(world.rung(&mut desk).uri.to_string(), "sip:desk-7@203.0.113.42");

    let mut world = with_manager(directory);
    let (mut page, _) = host(&mut world);
    call_me(&mut world, &mut page, json!({ "number": MOBILE }));
    let (id, _) = world.fetches.last().cloned().expect("the directory is asked");
    world.give(Input::Fetched { id, result: Err(FetchError::Unreachable) });
    let mut carrier = Desk::carrier(10);
    assert_eq!(world.rung(&mut carrier).uri.to_string(), format!("sip:{MOBILE}@203.0.113.10"), "the carrier is tried");
    // Cancelled while it is asked: nothing rings.
    let mut world = with_manager(directory);
    let (mut page, _) = host(&mut world);
    call_me(&mut world, &mut page, json!({ "number": MOBILE }));
    let (id, _) = world.fetches.last().cloned().expect("the directory is asked");
    world.says(&mut page, json!({ "type": "call_me_cancel" }));
    world.give(Input::Fetched { id, result: Ok(r#"{"uri":"sip:desk-7@203.0.113.42"}"#.into()) });
    assert_eq!(steps(&mut world, &page).last(), Some(&(State::Canceled, None)));
    assert!(world.asked(&Desk::carrier(42), &Method::Invite).is_none());
}

#[test]
fn the_carrier_is_tried_after_503_and_not_after_608_nor_603_nor_where_policy_forbids() {
    let cases = [
        ("503 Service Unavailable", true),
        ("404 Not Found", true),
        ("500 Server Internal Error", true),
        ("608 Rejected", false),
        ("603 Decline", false),
        ("486 Busy Here", false),
    ];
    for (status, falls_back) in cases {
        let mut world = with_manager(|_| {});
        let (mut page, _) = host(&mut world);
        call_me(&mut world, &mut page, json!({ "number": MOBILE }));
        let mut manager = Desk::carrier(40);
        world.rung(&mut manager);
        world.refuses(&manager, status, "");
        let tried = world.asked(&Desk::carrier(10), &Method::Invite).is_some();
        assert_eq!(tried, falls_back, "{status}");
    }
    let mut world = with_manager(|_| {});
    let (mut page, _) = host(&mut world);
    call_me(&mut world, &mut page, json!({ "number": MOBILE }));
    world.pass(Duration::from_secs(8));
    assert!(world.asked(&Desk::carrier(10), &Method::Invite).is_some(), "a call manager that is silent");
    let mut world = World::of(
        |_| {},
        |settings| settings.callback.pstn_fallback = false,
        |directory| {
            let office = with_manager_trunk(directory);
            directory.trunks.push(office);
        },
    );
    let (mut page, _) = host(&mut world);
    call_me(&mut world, &mut page, json!({ "number": MOBILE }));
    let mut manager = Desk::carrier(40);
    world.rung(&mut manager);
    world.refuses(&manager, "503 Service Unavailable", "");
    assert_eq!(steps(&mut world, &page).last(), Some(&(State::Failed, Some(Failure::Unreachable))));
}

/// A call manager alone, without a carrier beside it.
fn with_manager_trunk(directory: &Directory) -> ringlift::route::Trunk {
    let target = ringlift::route::OutboundTarget { uri: "sip:203.0.113.40".into(), priority: 1, weight: 1 };
    let mut trunk = directory.trunks.first().cloned().unwrap();
    trunk.id = MANAGER;
    trunk.name = "manager".into();
    trunk.networks = vec![];
    trunk.outbound = Some(ringlift::route::Outbound {
        targets: vec![target],
        credentials: None,
        register: None,
        caller_id: None,
        follow_redirects: false,
    });
    trunk.callback = Some(CallManager { numbers: vec![MOBILE.into()], directory: None });
    trunk
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
fn a_caller_in_the_meeting_hangs_up_and_is_called_back_into_their_role() {
    let mut world = World::office();
    host(&mut world);
    let mut phone = Phone::new(1);
    phone.number = MOBILE.into();
    let leg = world.join(&mut phone, HOST_PIN);
    world.key(leg, "#2");
    assert!(world.was_told(leg, "callback-ready"));
    assert_eq!(logged(&world), [(State::None, None)]);
    world.pass(Duration::from_secs(30));
    assert!(world.asked(&Desk::carrier(10), &Method::Invite).is_none(), "not before they hang up");
    world.bye(&mut phone);
    world.pass(Duration::from_secs(4));
    let mut carrier = Desk::carrier(10);
    let again = answers(&mut world, &mut carrier);
    world.key(again, "1");
    let place = world.place(again).expect("a place");
    assert_eq!(place.role, Role::Host);
    assert_eq!(logged(&world).last(), Some(&(State::Success, None)));
}

#[test]
fn a_caller_who_is_shown_out_is_not_called_back_into_the_meeting() {
    let mut world = World::office();
    host(&mut world);
    let mut phone = Phone::new(1);
    phone.number = MOBILE.into();
    let leg = world.join(&mut phone, PIN);
    world.key(leg, "#2");
    let participant = world.place(leg).unwrap().id;
    world.ask(Command::Operate { room: ROOM, operation: Operation::Remove { participant } }).unwrap();
    world.pass(Duration::from_secs(20));
    assert!(world.asked(&Desk::carrier(10), &Method::Invite).is_none(), "nobody rings them");
    assert_eq!(logged(&world).last().unwrap().0, State::Canceled);
}

#[test]
fn a_host_is_called_back_into_a_meeting_that_they_locked() {
    let mut world = World::office();
    host(&mut world);
    let mut phone = Phone::new(1);
    phone.number = MOBILE.into();
    let leg = world.join(&mut phone, HOST_PIN);
    world.key(leg, "#2");
    world.ask(Command::Operate { room: ROOM, operation: Operation::Lock {} }).unwrap();
    world.bye(&mut phone);
    world.pass(Duration::from_secs(4));
    let mut carrier = Desk::carrier(10);
    let again = answers(&mut world, &mut carrier);
    world.key(again, "1");
    assert_eq!(world.place(again).expect("a place").role, Role::Host);
}

#[test]
fn a_caller_at_the_attendant_is_called_back_to_the_attendant() {
    let mut world = World::office();
    let mut phone = Phone::new(1);
    phone.number = MOBILE.into();
    let leg = world.call(&mut phone, "+4930901820");
    world.pass(Duration::from_secs(2));
    world.key(leg, "**");
    assert!(world.was_told(leg, "callback-ready"));
    world.bye(&mut phone);
    world.pass(Duration::from_secs(4));
    let mut carrier = Desk::carrier(10);
    let again = answers(&mut world, &mut carrier);
    assert!(world.was_told(again, "callback-join"));
    world.key(again, "1");
    world.finish_playing(again);
    world.pass(Duration::from_secs(1));
    world.key(again, &format!("{PIN}#"));
    assert!(world.place(again).is_some(), "the PIN is asked as ever");
}

#[test]
fn callers_of_one_trunk_who_show_ever_other_numbers_cannot_have_strangers_rung_without_end() {
    let mut world = World::office();
    let asks = |world: &mut World, n: u8| {
        let mut phone = Phone::new(1);
        phone.number = format!("+491700000{n:03}");
        phone.call_id = format!("stranger-{n}");
        let leg = world.call(&mut phone, "+4930901820");
        world.pass(Duration::from_secs(2));
        world.key(leg, "**");
        let ready = world.was_told(leg, "callback-ready");
        assert!(ready || world.was_told(leg, "not-available"));
        world.bye(&mut phone);
        world.pass(Duration::from_secs(1));
        while world.next(&phone).is_some() {}
        ready
    };
    let heard: Vec<bool> = (0..24).map(|n| asks(&mut world, n)).collect();
    let ready = heard.iter().filter(|ready| **ready).count();
    assert!((20..=22).contains(&ready), "twenty at once, then one in half a minute: {ready}");
    assert!(heard[..20].iter().all(|ready| *ready) && !heard[23]);
    world.pass(Duration::from_secs(60));
    assert!(asks(&mut world, 99));
}

fn plan(world: &mut World, request: Value) -> Kept {
    let request: CallbackRequest = serde_json::from_value(request).unwrap();
    match world.ask(Command::PlanCallback { room: ROOM, request: Box::new(request) }) {
        Ok(Reply::CallbackPlan(kept)) => *kept,
        other => panic!("{other:?}"),
    }
}

/// RFC 3339 of a moment so long from now.
fn at(world: &World, seconds: i64) -> String {
    Utc(world.now.utc.0 + seconds * 1000).to_string()
}

#[test]
fn a_callback_at_a_set_time_rings_once_then() {
    let mut world = World::office();
    let at = at(&world, 3600);
    let kept = plan(&mut world, json!({ "number": MOBILE, "name": "Carla", "at": at }));
    world.ask(Command::PutCallback(Box::new(kept.clone()))).unwrap();
    assert_eq!(shown(&mut world, kept.id).state, State::None);
    world.pass(Duration::from_secs(3590));
    let mut carrier = Desk::carrier(10);
    assert!(world.asked(&carrier, &Method::Invite).is_none());
    world.pass(Duration::from_secs(11));
    assert!(world.planned.contains(&kept.id), "noted before it rings");
    let leg = answers(&mut world, &mut carrier);
    world.key(leg, "1");
    assert_eq!(shown(&mut world, kept.id).state, State::Success);
    assert_eq!(world.unplanned, [kept.id]);
    world.pass(Duration::from_secs(7200));
    assert!(world.asked(&Desk::carrier(10), &Method::Invite).is_none(), "once");
}

#[test]
fn a_clock_that_jumps_neither_loses_a_callback_nor_lets_it_ring_twice() {
    let mut world = World::office();
    let at = at(&world, 3600);
    let kept = plan(&mut world, json!({ "number": MOBILE, "at": at }));
    world.ask(Command::PutCallback(Box::new(kept.clone()))).unwrap();
    // Two hours forward.
    world.now.utc = Utc(world.now.utc.0 + 7_200_000);
    world.pass(Duration::from_secs(31));
    let mut carrier = Desk::carrier(10);
    world.rung(&mut carrier);
    world.refuses(&carrier, "486 Busy Here", "");
    assert_eq!(shown(&mut world, kept.id).failure, Some(Failure::Busy));
    // And back again. What it was sent before more than once is no second call.
    while world.asked(&carrier, &Method::Invite).is_some() {}
    world.now.utc = Utc(world.now.utc.0 - 7_200_000);
    world.pass(Duration::from_secs(3700));
    assert!(world.asked(&carrier, &Method::Invite).is_none(), "it rang already");
}

#[test]
fn a_callback_survives_a_restart_and_one_that_may_have_rung_does_not_ring_again() {
    let mut world = World::office();
    let at = at(&world, 600);
    let kept = plan(&mut world, json!({ "number": MOBILE, "at": at }));
    let mut again = World::office_with(|directory| directory.callbacks.push((kept.clone(), false)));
    again.pass(Duration::from_secs(601));
    let mut carrier = Desk::carrier(10);
    again.rung(&mut carrier);
    let mut third = World::office_with(|directory| directory.callbacks.push((kept.clone(), true)));
    third.pass(Duration::from_secs(601));
    assert!(third.asked(&carrier, &Method::Invite).is_none());
    assert_eq!(logged(&third).last(), Some(&(State::Failed, Some(Failure::Ours))), "and that is told");
    assert_eq!(third.unplanned, [kept.id]);
}

#[test]
fn quiet_hours_hold_a_callback_back_until_they_end() {
    let mut world = World::office();
    let minute = |world: &World, ahead: i64| {
        let at = (world.now.utc.0 / 60_000 + ahead).rem_euclid(24 * 60);
        format!("{:02}:{:02}", at / 60, at % 60)
    };
    let quiet = format!("{}-{}", minute(&world, 5), minute(&world, 65));
    let at = at(&world, 600);
    let kept = plan(&mut world, json!({ "number": MOBILE, "at": at, "quiet": [quiet], "time_zone": "UTC" }));
    world.ask(Command::PutCallback(Box::new(kept))).unwrap();
    world.pass(Duration::from_secs(3600));
    assert!(world.asked(&Desk::carrier(10), &Method::Invite).is_none());
    world.pass(Duration::from_secs(400));
    assert!(world.asked(&Desk::carrier(10), &Method::Invite).is_some());
}

#[test]
fn a_set_time_is_read_in_its_place_and_must_be_ahead() {
    let mut world = World::office();
    let mut with = |at: &str, zone: &str| {
        let request = json!({ "number": MOBILE, "at": at, "time_zone": zone });
        let request: CallbackRequest = serde_json::from_value(request).unwrap();
        match world.ask(Command::PlanCallback { room: ROOM, request: Box::new(request) }) {
            Ok(Reply::CallbackPlan(kept)) => Ok(kept.at.to_string()),
            Err(Denial::Invalid(why)) => Err(why),
            other => panic!("{other:?}"),
        }
    };
    let now = with("1999-01-01T09:00:00", "Europe/Berlin");
    assert!(now.is_err(), "it is past");
    assert!(with("tomorrow", "Europe/Berlin").is_err());
    assert!(with("2026-01-01T09:00:00", "Europe/Nowhere").is_err());
}

#[test]
fn a_scheduled_callback_can_be_taken_back() {
    let mut world = World::office();
    let at = at(&world, 600);
    let kept = plan(&mut world, json!({ "number": MOBILE, "at": at }));
    world.ask(Command::PutCallback(Box::new(kept.clone()))).unwrap();
    assert_eq!(world.ask(Command::CancelCallback(kept.id)), Ok(Reply::Done));
    assert_eq!(shown(&mut world, kept.id).state, State::Canceled);
    assert_eq!(world.unplanned, [kept.id]);
    world.pass(Duration::from_secs(700));
    assert!(world.asked(&Desk::carrier(10), &Method::Invite).is_none());
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
