//! The personal page, whichever device has the call: codes are shown there, telephones called, and nobody else's calls touched.

use std::time::Duration;

use ringlift::base::Utc;
use ringlift::base::id::ExtensionId;
use ringlift::callback::State as Callback;
use ringlift::device::REMEMBERED;
use ringlift::gateway::command::Command;
use ringlift::gateway::web::Code;
use ringlift::gateway::web::protocol::ServerMessage;
use ringlift::transfer::State;
use serde_json::json;

use crate::codes;
use crate::desks::Desk;
use crate::device::{ANNA, ben_is_asked_nothing, link, link_of, opens_me, talking};
use crate::house::{dial, hang_up, is_connected, registered};
use crate::meeting::{connects, speaks};
use crate::pages::{Page, refused};
use crate::telephone::extension;
use crate::world::World;

/// How far a telephone is that is called, as a page was told.
fn called(world: &mut World, page: &Page) -> Vec<Callback> {
    let told = world.told(page).into_iter();
    told.filter_map(|told| match told {
        ServerMessage::Callback(view) => Some(view.state),
        _ => None,
    })
    .collect()
}

#[test]
fn a_code_on_the_personal_page_moves_the_desk_phones_call_and_its_person_is_asked_there() {
    let mut world = World::new();
    let (mut ben, desk, _, first) = talking(&mut world);
    let ticket = link(&mut world);
    let (mut me, all) = opens_me(&mut world, &ticket);
    let said = world.says(&mut me, json!({ "type": "code_show", "call": all.calls[0].call.to_string() }));
    assert_eq!(refused(&said), None);
    let shown = world.told_of_code(&me).expect("the code");
    assert!(shown.link.is_some() && shown.digits.is_some());
    // A page that opens meanwhile, of the same person, shows it too.
    let (second, _) = opens_me(&mut world, &ticket);
    assert_eq!(world.told_of_code(&second).map(|code| code.code), Some(shown.code));
    let claim = world.reads(codes::link(&shown)).unwrap();
    let asked = world.told_of_code(&me).unwrap();
    assert!(asked.asked && asked.link.is_none());
    assert!(!world.was_told(first, "code-ask"), "nobody talks into the call on the desk phone");
    assert_eq!(world.answers_code(&mut me, asked.code, true), None);
    let granted = world.asks_again(&claim).unwrap();
    let mut driver = world.comes(&granted);
    assert!(world.bridged.contains_key(&first), "until the other device carries it nothing has changed");
    let new = connects(&mut world, &mut driver);
    speaks(&mut world, new, true);
    world.pass(Duration::from_secs(2));
    world.is_hung_up(&desk);
    assert!(world.bridged.contains_key(&new) && !world.bridged.contains_key(&first));
    assert_eq!(world.code_steps().last(), Some(&(State::Transferred, None)));
    ben_is_asked_nothing(&mut world, &ben);
    // It was given to somebody whom nobody knows: it is Anna's no more, and comes back by nothing.
    assert!(world.annas_calls().is_empty());
    assert!(matches!(world.says(&mut me, json!({ "type": "move_here" })), ServerMessage::NotMoved(_)));
    hang_up(&mut world, &mut ben);
}

#[test]
fn a_code_that_was_shown_by_key_asks_on_the_telephone_though_a_personal_page_is_open_somewhere() {
    let mut world = World::new();
    let (_, _, _, first) = talking(&mut world);
    let ticket = link(&mut world);
    let (me, _) = opens_me(&mut world, &ticket);
    world.key(first, "#7");
    let shown = world.told_of_code(&me).expect("the page shows it as well");
    world.reads(codes::link(&shown)).unwrap();
    assert!(world.was_told(first, "code-ask"));
    assert!(world.told_of_code(&me).unwrap().asked, "and the page may answer");
}

#[test]
fn a_telephone_that_the_personal_page_has_called_takes_the_voice_of_the_desk_phone() {
    let mut world = World::new();
    let (mut ben, desk, _, first) = talking(&mut world);
    extension(&mut world, 103);
    let (_, mut guest) = registered(&mut world, 103, 0);
    let ticket = link(&mut world);
    let (mut me, all) = opens_me(&mut world, &ticket);
    let call = all.calls[0].call;
    let said = world.says(&mut me, json!({ "type": "call_me", "call": call.to_string(), "extension": "103" }));
    assert_eq!(refused(&said), None);
    world.rung(&mut guest);
    world.rings(&guest);
    assert_eq!(called(&mut world, &me), [Callback::Calling, Callback::Ringing]);
    let again = world.says(&mut me, json!({ "type": "call_me", "extension": "103" }));
    assert_eq!(refused(&again), Some(Code::CallbackUnderWay));
    world.answers(&guest);
    let leg = world.last_leg();
    world.latches(leg);
    assert!(world.bridged.contains_key(&first) && !world.bridged.contains_key(&leg), "answering is not joining");
    world.key(leg, "1");
    assert_eq!(called(&mut world, &me).last(), Some(&Callback::Success));
    world.pass(Duration::from_secs(2));
    world.is_hung_up(&desk);
    assert!(world.bridged.contains_key(&leg) && !world.bridged.contains_key(&first));
    assert_eq!(world.annas_call().call, call, "whosever telephone it is, the call is hers");
    ben_is_asked_nothing(&mut world, &ben);
    hang_up(&mut world, &mut ben);
}

#[test]
fn what_rings_is_silenced_from_the_personal_page_and_the_call_stays_at_the_desk() {
    let mut world = World::new();
    let (_, _, device, _) = talking(&mut world);
    extension(&mut world, 103);
    let (_, mut guest) = registered(&mut world, 103, 0);
    let ticket = link(&mut world);
    let (mut me, _) = opens_me(&mut world, &ticket);
    world.says(&mut me, json!({ "type": "call_me", "extension": "103" }));
    world.rung(&mut guest);
    world.rings(&guest);
    assert_eq!(refused(&world.says(&mut me, json!({ "type": "call_me_cancel" }))), None);
    world.is_cancelled(&guest);
    assert_eq!(called(&mut world, &me).last(), Some(&Callback::Canceled));
    assert_eq!(world.annas_call().audio, Some(device));
}

#[test]
fn nobody_shows_answers_or_withdraws_a_code_or_calls_a_telephone_for_somebody_elses_call() {
    let mut world = World::new();
    let (_, _, _, _) = talking(&mut world);
    let ticket = link(&mut world);
    let (mut me, all) = opens_me(&mut world, &ticket);
    world.says(&mut me, json!({ "type": "code_show" }));
    let shown = world.told_of_code(&me).unwrap();
    let call = all.calls[0].call.to_string();
    // Carla of the house, who is in no call.
    extension(&mut world, 104);
    let hers = link_of(&mut world, ExtensionId::from_bits(104));
    let (mut other, carla) = opens_me(&mut world, &hers);
    assert!(carla.calls.is_empty());
    for message in [
        json!({ "type": "code_show", "call": call }),
        json!({ "type": "code_scan", "call": call, "digits": "482917" }),
        json!({ "type": "call_me", "call": call, "number": "+4930901820" }),
        json!({ "type": "call_me_cancel", "call": call }),
    ] {
        let said = world.says(&mut other, message.clone());
        assert_eq!(refused(&said), Some(Code::NoSuchCall), "{message}");
    }
    for message in [
        json!({ "type": "code_answer", "code": shown.code.to_string(), "allow": true }),
        json!({ "type": "code_withdraw", "code": shown.code.to_string() }),
    ] {
        let said = world.says(&mut other, message.clone());
        assert_eq!(refused(&said), Some(Code::NoSuchCode), "{message}");
    }
    assert!(world.told_of_code(&other).is_none());
    // Her own is taken back.
    let said = world.says(&mut me, json!({ "type": "code_withdraw", "code": shown.code.to_string() }));
    assert_eq!(refused(&said), None);
    assert_eq!(world.told_of_code(&me).unwrap().state, State::Refused);
}

#[test]
fn a_call_on_hold_stays_where_it_is() {
    let mut world = World::new();
    let (_, _, _, leg) = talking(&mut world);
    let ticket = link(&mut world);
    let (mut me, _) = opens_me(&mut world, &ticket);
    world.ask(Command::Hold(leg)).unwrap();
    world.pass(Duration::from_secs(1));
    for message in [json!({ "type": "code_show" }), json!({ "type": "call_me", "number": "+4930901820" })] {
        assert_eq!(refused(&world.says(&mut me, message)), Some(Code::ElevateHeld));
    }
}

#[test]
fn a_browser_that_nobody_comes_back_with_is_forgotten_and_one_in_use_is_not() {
    let mut world = World::new();
    let (_, _, _, _) = talking(&mut world);
    let ticket = link(&mut world);
    let (old, first) = opens_me(&mut world, &ticket);
    world.drops(&old);
    let later = |world: &mut World, ms: i64| world.now.utc = Utc(world.now.utc.0 + ms);
    later(&mut world, REMEMBERED);
    assert!(world.annas().iter().any(|device| device.id == first.device), "on its last day");
    let ticket = link(&mut world);
    let (_in_use, second) = opens_me(&mut world, &ticket);
    assert_eq!(second.devices.iter().filter(|device| device.name.starts_with("Laptop")).count(), 2);
    assert!(second.devices.iter().any(|device| device.name == "Laptop (2)"), "told apart: {:?}", second.devices);
    later(&mut world, REMEMBERED + 1);
    let left = world.annas();
    assert!(!left.iter().any(|device| device.id == first.device), "nobody came back");
    assert!(left.iter().any(|device| device.id == second.device), "its page is open all the time");
}

#[test]
fn a_call_for_help_is_moved_by_nothing_on_the_personal_page() {
    let mut world = World::office();
    extension(&mut world, ANNA);
    let (mut anna, _) = registered(&mut world, ANNA, 0);
    dial(&mut world, &mut anna, "112");
    let mut carrier = Desk::carrier(10);
    world.rung(&mut carrier);
    world.answers(&carrier);
    is_connected(&mut world, &mut anna);
    let ticket = link(&mut world);
    let (mut me, all) = opens_me(&mut world, &ticket);
    assert!(!all.calls[0].movable);
    for message in [json!({ "type": "code_show" }), json!({ "type": "call_me", "number": "+4930901820" })] {
        assert_eq!(refused(&world.says(&mut me, message)), Some(Code::CallForHelp));
    }
}
