//! What keys do in a room, and what is answered.

use std::time::Duration;

use ringlift::base::LegId;
use ringlift::gateway::command::Command;
use ringlift::gateway::event::Happening;
use ringlift::room::{Operation, Role};

use crate::world::{HOST_PIN, PIN, Phone, ROOM, World};

fn two() -> (World, [Phone; 2], [LegId; 2]) {
    let mut world = World::new();
    let mut phones = [Phone::new(1), Phone::new(2)];
    let host = world.join(&mut phones[0], HOST_PIN);
    let guest = world.join(&mut phones[1], PIN);
    (world, phones, [host, guest])
}

fn end(mut world: World, phones: &mut [Phone; 2]) {
    for phone in phones {
        world.bye(phone);
    }
    world.ends_clean();
}

#[test]
fn star_six_mutes_and_unmutes_and_says_so() {
    let (mut world, mut phones, [_, guest]) = two();
    world.key(guest, "*6");
    world.pass(Duration::from_secs(3));
    assert!(world.place(guest).unwrap().muted_by_self);
    assert_eq!(world.bridged.get(&guest), Some(&true));
    assert!(world.was_told(guest, "you-are-muted"));
    world.key(guest, "*6");
    world.pass(Duration::from_secs(3));
    assert_eq!(world.bridged.get(&guest), Some(&false));
    assert!(world.was_told(guest, "you-are-unmuted"));
    end(world, &mut phones);
}

#[test]
fn a_hand_goes_up_and_down() {
    let (mut world, mut phones, [_, guest]) = two();
    world.key(guest, "*9");
    world.pass(Duration::from_secs(3));
    assert_eq!(world.place(guest).unwrap().hand, Some(1));
    world.key(guest, "*9");
    world.pass(Duration::from_secs(3));
    assert_eq!(world.place(guest).unwrap().hand, None);
    assert!(world.was_told(guest, "hand-raised") && world.was_told(guest, "hand-lowered"));
    end(world, &mut phones);
}

#[test]
fn a_guest_who_presses_a_host_key_is_told_so() {
    let (mut world, mut phones, [host, guest]) = two();
    world.key(guest, "*5");
    world.pass(Duration::from_secs(3));
    assert!(world.was_told(guest, "host-only") && !world.room().locked);
    world.key(host, "*5");
    world.pass(Duration::from_secs(3));
    assert!(world.was_told(host, "meeting-now-locked") && world.room().locked);
    let mut third = Phone::new(3);
    let turned_away = world.join(&mut third, PIN);
    assert!(world.was_told(turned_away, "meeting-locked"));
    world.bye(&mut third);
    end(world, &mut phones);
}

#[test]
fn ninety_nine_mutes_the_guests_and_gives_them_back() {
    let (mut world, mut phones, [host, guest]) = two();
    world.key(host, "99");
    world.pass(Duration::from_secs(3));
    assert_eq!((world.bridged.get(&host), world.bridged.get(&guest)), (Some(&false), Some(&true)));
    assert!(world.was_told(guest, "muted-by-host") && world.was_told(host, "all-muted"));
    world.key(host, "99");
    world.pass(Duration::from_secs(3));
    assert_eq!(world.bridged.get(&guest), Some(&false));
    end(world, &mut phones);
}

#[test]
fn everyone_may_ask_who_is_there() {
    let (mut world, mut phones, [_, guest]) = two();
    world.key(guest, "*#");
    world.pass(Duration::from_secs(3));
    assert!(world.was_told(guest, "number-2"), "{:?}", world.heard.get(&guest));
    world.key(guest, "**");
    world.pass(Duration::from_secs(3));
    assert!(world.was_told(guest, "help-mute-self"), "{:?}", world.heard.get(&guest));
    end(world, &mut phones);
}

#[test]
fn an_unknown_key_has_an_answer_too() {
    let (mut world, mut phones, [_, guest]) = two();
    world.key(guest, "#1");
    world.pass(Duration::from_secs(3));
    assert!(world.was_told(guest, "unknown-key"));
    end(world, &mut phones);
}

#[test]
fn the_host_can_rename_and_remove_through_the_api() {
    let (mut world, mut phones, [_, guest]) = two();
    let id = world.place(guest).unwrap().id;
    let rename = Operation::Rename { participant: id, name: "Anna".into() };
    assert!(world.ask(Command::Operate { room: ROOM, operation: rename }).is_ok());
    assert_eq!(world.place(guest).unwrap().display, "Anna");
    let promote = Operation::SetRole { participant: id, role: Role::Host };
    assert!(world.ask(Command::Operate { room: ROOM, operation: promote }).is_ok());
    assert!(world.was_told(guest, "you-are-host"));
    assert!(world.ask(Command::Operate { room: ROOM, operation: Operation::Remove { participant: id } }).is_ok());
    assert!(world.was_told(guest, "removed") && world.place(guest).is_none());
    assert!(world.request(&phones[1]).is_none(), "the last word is said first");
    world.finish_playing(guest);
    assert!(world.request(&phones[1]).is_some(), "then a BYE");
    assert!(world.events.iter().any(|e| matches!(e, Happening::Left { .. })));
    world.bye(&mut phones[0]);
    world.ends_clean();
}

#[test]
fn a_guest_who_knows_the_host_pin_becomes_host_in_the_call() {
    let (mut world, mut phones, [_, guest]) = two();
    world.key(guest, "*2");
    assert!(world.was_told(guest, "enter-host-pin"));
    world.key(guest, "111#");
    assert!(world.was_told(guest, "host-pin-wrong"));
    assert_eq!(world.place(guest).unwrap().role, Role::Guest);
    world.key(guest, "*2");
    world.key(guest, HOST_PIN);
    world.pass(Duration::from_secs(4));
    assert!(world.was_told(guest, "you-are-host"));
    assert_eq!(world.place(guest).unwrap().role, Role::Host);
    end(world, &mut phones);
}

#[test]
fn thinking_better_of_the_host_pin_counts_as_no_try() {
    let (mut world, mut phones, [_, guest]) = two();
    for _ in 0..8 {
        world.key(guest, "*2#");
    }
    assert!(world.was_told(guest, "cancelled") && !world.was_told(guest, "host-pin-wrong"));
    world.key(guest, &format!("*2{HOST_PIN}#"));
    assert_eq!(world.place(guest).unwrap().role, Role::Host);
    end(world, &mut phones);
}

#[test]
fn the_end_for_all_wants_a_second_key_and_a_host() {
    let (mut world, mut phones, [host, guest]) = two();
    world.key(guest, "*4");
    assert!(world.was_told(guest, "host-only"));
    world.key(guest, "1");
    world.pass(Duration::from_secs(12));
    assert_eq!(world.room().participants.len(), 2);
    world.key(host, "*4");
    assert!(world.was_told(host, "confirm-end"));
    world.key(host, "1");
    assert!(world.was_told(guest, "meeting-ended") && world.was_told(host, "meeting-ended"));
    assert!(world.room().participants.is_empty());
    end(world, &mut phones);
}

#[test]
fn a_phone_that_keys_by_info_is_heard_and_the_wrong_body_is_refused() {
    let (mut world, mut phones, [_, guest]) = two();
    let mut info = |world: &mut World, kind: &str, body: &str| {
        let phone = &mut phones[1];
        phone.cseq += 1;
        let text = phone.request_with("INFO", &phone.target.clone(), kind, body);
        world.send(phone, &text);
        world.response(phone).unwrap().status.code()
    };
    assert_eq!(info(&mut world, "application/dtmf-relay", "Signal=*\nDuration=160\n"), 200);
    assert_eq!(info(&mut world, "application/dtmf", "6"), 200);
    assert_eq!(info(&mut world, "text/plain", "6"), 415);
    assert_eq!(info(&mut world, "application/dtmf-relay", "Signal=x\n"), 400);
    assert!(world.place(guest).unwrap().muted_by_self);
    end(world, &mut phones);
}
