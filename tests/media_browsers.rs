//! Browsers and telephones in one room: who hears whom, in virtual time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

mod media_support;

use std::time::Duration;

use media_support::{ROOM, World};
use ringlift::base::ParticipantId;
use ringlift::media::clip::{Clip, Tone};
use ringlift::media::command::{MediaCommand, MediaEvent, PlayId};
use ringlift::wire::codec::Codec::{Opus, Pcma, Pcmu};

/// Two telephones, two browsers.
const TONES: [f32; 4] = [420.0, 730.0, 1170.0, 1710.0];

/// Everyone listed hears the tones of exactly these of [`TONES`]; telephones come first.
fn assert_hears(world: &World, listener: usize, others: &[usize]) {
    for (other, tone) in TONES.into_iter().enumerate() {
        let phones = world.phones.len();
        let loud = match listener.checked_sub(phones) {
            None => world.phones[listener].hears(tone, 400),
            Some(browser) => world.browsers[browser].hears(tone, 400, world.now),
        };
        if others.contains(&other) {
            assert!((4500.0..7500.0).contains(&loud), "{listener} hears {tone} Hz at {loud}");
        } else {
            assert!(loud < 150.0, "{listener} must not hear {tone} Hz, heard at {loud}");
        }
    }
}

fn four() -> World {
    let mut world = World::new();
    world.call(TONES[0], Pcmu, 20, 20);
    world.call(TONES[1], Pcma, 20, 20);
    world.browse(TONES[2]);
    world.browse(TONES[3]);
    (0..2).for_each(|phone| world.join(phone));
    (0..2).for_each(|browser| world.enter(browser));
    world
}

#[test]
fn two_telephones_and_two_browsers_hear_exactly_the_others() {
    let mut world = four();
    world.run(3000);
    assert_hears(&world, 0, &[1, 2, 3]);
    assert_hears(&world, 1, &[0, 2, 3]);
    assert_hears(&world, 2, &[0, 1, 3]);
    assert_hears(&world, 3, &[0, 1, 2]);
    let mut people: Vec<_> = world.slots().into_iter().flatten().collect();
    people.sort();
    assert_eq!(people, [1, 2, 100, 101].map(ParticipantId::from_bits));
    let talking = |leg| world.count(|event| *event == MediaEvent::Talking { leg, talking: true });
    assert_eq!(talking(world.browsers[0].leg) + talking(world.phones[0].leg), 2);
    // Who speaks first is whose slot it stays.
    assert!(world.count(|event| matches!(event, MediaEvent::Slots { .. })) <= 4);
}

#[test]
fn within_a_slot_time_goes_on_without_a_gap_while_somebody_speaks() {
    let mut world = four();
    world.run(3000);
    for browser in &world.browsers {
        for slot in 0..4 {
            let frames: Vec<_> = browser.frames.iter().filter(|(_, frame)| frame.slot == slot).collect();
            assert!(frames.iter().skip(1).all(|(_, frame)| !frame.first));
            for pair in frames.windows(2) {
                assert_eq!(pair[1].1.timestamp, pair[0].1.timestamp.wrapping_add(960));
            }
        }
    }
}

#[test]
fn browsers_alone_get_packets_as_they_come_and_nothing_is_decoded() {
    let mut world = World::new();
    world.browse(TONES[0]);
    world.browse(TONES[1]);
    (0..2).for_each(|browser| world.enter(browser));
    world.run(100);
    // What could not be decoded is heard as it is: nobody looked inside.
    let mut voice = world.browsers[0].make();
    voice.payload = ringlift::media::web::Packet::copy(&[0xf8, 1, 2, 3, 4, 5]).unwrap();
    let before = world.browsers[1].frames.len();
    world.say(&voice);
    let (at, frame) = world.browsers[1].frames[before].clone();
    assert_eq!((at, frame.payload.bytes()), (world.now, &[0xf8, 1, 2, 3, 4, 5][..]), "at once, not at the tick");
    world.run(1000);
    assert!(world.browsers[1].hears(TONES[0], 400, world.now) > 4500.0);
    assert!(world.browsers[0].frames.len() > 50);
    assert_eq!(world.browsers[0].frames.iter().filter(|(_, f)| f.participant.bits() == 100).count(), 0);
}

#[test]
fn the_first_word_of_a_browser_is_heard_from_its_first_packet() {
    let mut world = four();
    for phone in &mut world.phones {
        phone.amplitude = 0.0;
    }
    world.browsers[0].amplitude = 0.0;
    world.browsers[1].amplitude = 0.0;
    world.run(3000);
    let before = world.browsers[1].frames.len();
    world.browsers[0].amplitude = 6000.0;
    let voice = world.browsers[0].make();
    world.say(&voice);
    assert_eq!(world.browsers[1].frames[before].1.payload.bytes(), voice.payload.bytes());
    assert!(world.browsers[1].frames[before].1.first);
    let begun = world.now;
    world.run(300);
    let leg = world.browsers[0].leg;
    let (at, _) = world.events.iter().find(|(_, e)| *e == MediaEvent::Talking { leg, talking: true }).unwrap();
    assert!(at.since(begun) <= Duration::from_millis(100), "{:?}", at.since(begun));
}

#[test]
fn who_is_muted_is_heard_by_neither_kind_and_hears_on() {
    let mut world = four();
    world.run(1000);
    world.order(MediaCommand::Mute { leg: world.browsers[0].leg, muted: true });
    world.order(MediaCommand::Mute { leg: world.phones[0].leg, muted: true });
    world.run(20);
    let before = [0, 1].map(|browser| world.browsers[browser].frames.len());
    world.run(1500);
    assert_hears(&world, 1, &[3]);
    assert_hears(&world, 0, &[1, 3]);
    assert_hears(&world, 2, &[1, 3]);
    assert_hears(&world, 3, &[1]);
    for (browser, before) in world.browsers.iter().zip(before) {
        let others = |id: u64| browser.frames[before..].iter().filter(|(_, f)| f.participant.bits() == id).count();
        assert_eq!((others(1), others(100)), (0, 0), "not a packet");
    }
    world.order(MediaCommand::Mute { leg: world.browsers[0].leg, muted: false });
    world.run(1000);
    assert_hears(&world, 1, &[2, 3]);
    assert_hears(&world, 3, &[1, 2]);
}

#[test]
fn a_browser_outside_the_room_is_unheard_and_comes_back_whole() {
    let mut world = four();
    world.run(1000);
    let leg = world.browsers[0].leg;
    world.order(MediaCommand::Leave { leg });
    assert_eq!(world.count(|event| *event == MediaEvent::Talking { leg, talking: false }), 1);
    world.run(5000);
    assert_hears(&world, 0, &[1, 3]);
    assert_hears(&world, 3, &[0, 1]);
    assert!(!world.slots().contains(&Some(world.browsers[0].participant)));
    world.enter(0);
    world.run(1500);
    assert_hears(&world, 0, &[1, 2, 3]);
    assert_hears(&world, 3, &[0, 1, 2]);
    world.order(MediaCommand::Close { leg });
    assert!(world.events.iter().any(|(_, event)| matches!(event, MediaEvent::Closed { leg: closed, figures }
        if *closed == leg && figures.received > 100 && figures.sent == 0)));
}

#[test]
fn a_telephone_and_a_browser_hear_each_other_and_nothing_is_passed_by_the_mix() {
    let mut world = World::new();
    world.call(TONES[0], Opus, 20, 20);
    world.browse(TONES[1]);
    world.join(0);
    world.enter(0);
    world.run(2000);
    assert!((4500.0..7500.0).contains(&world.phones[0].hears(TONES[1], 400)));
    assert!(world.phones[0].hears(TONES[0], 400) < 150.0);
    assert!((4500.0..7500.0).contains(&world.browsers[0].hears(TONES[0], 400, world.now)));
    let headers: Vec<_> = world.phones[0].packets.iter().map(|(_, header, _)| header.sequence).collect();
    assert!(headers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)));
    // A second telephone: two of one codec, but three people.
    world.call(TONES[2], Opus, 20, 20);
    world.join(1);
    world.run(1500);
    for tone in [TONES[0], TONES[2]] {
        assert!(world.browsers[0].hears(tone, 400, world.now) > 4500.0);
    }
    // The browser goes: the telephones are on their own again.
    world.order(MediaCommand::Close { leg: world.browsers[0].leg });
    world.run(1500);
    assert!(world.phones[0].hears(TONES[2], 400) > 4500.0 && world.phones[0].hears(TONES[1], 400) < 150.0);
}

#[test]
fn a_rooms_tones_are_for_telephones_and_what_is_played_to_a_browser_is_over_at_once() {
    let mut world = World::new();
    world.call(0.0, Pcmu, 20, 20);
    world.browse(0.0);
    world.join(0);
    world.enter(0);
    world.run(500);
    let clips: std::sync::Arc<[Clip]> = [Clip::Tone(Tone::Entry)].into();
    world.order(MediaCommand::PlayToRoom { room: ROOM, clips: clips.clone() });
    world.listen_anew();
    world.run(120);
    assert!(media_support::amplitude(&world.phones[0].heard[160..720], 523.25) > 2000.0);
    assert!(world.browsers[0].hears(523.25, 120, world.now) < 20.0);
    let leg = world.browsers[0].leg;
    world.order(MediaCommand::Play { leg, play: PlayId(4), clips, repeat: false });
    assert_eq!(world.count(|event| *event == MediaEvent::Played { leg, play: PlayId(4) }), 1);
}

#[test]
fn of_six_who_talk_at_once_four_are_heard_and_only_the_place_of_who_gave_way_changes() {
    let mut world = World::new();
    let tones = [310.0, 630.0, 950.0, 1270.0, 1590.0, 1910.0];
    for (index, tone) in tones.into_iter().enumerate() {
        world.browse(tone);
        world.browsers[index].amplitude = if index < 4 { 6000.0 - 600.0 * index as f32 } else { 0.0 };
        world.enter(index);
    }
    world.call(0.0, Pcmu, 20, 20);
    world.join(0);
    world.run(2000);
    let heard = |world: &World| -> Vec<usize> {
        (0..6).filter(|index| world.phones[0].hears(tones[*index], 300) > 1000.0).collect()
    };
    assert_eq!(heard(&world), [0, 1, 2, 3]);
    let before = world.slots();
    world.browsers[4].amplitude = 6000.0;
    world.run(1000);
    assert_eq!(world.slots(), before, "a little louder than the softest is not enough");
    world.browsers[5].amplitude = 12_000.0;
    world.run(1000);
    assert_eq!(heard(&world), [0, 1, 2, 5]);
    let after = world.slots();
    let place = before.iter().position(|who| *who == Some(world.browsers[3].participant)).unwrap();
    for slot in 0..4 {
        let expected = if slot == place { Some(world.browsers[5].participant) } else { before[slot] };
        assert_eq!(after[slot], expected);
    }
    let frames: Vec<_> = world.browsers[4].frames.iter().filter(|(_, f)| usize::from(f.slot) == place).collect();
    assert!(frames.windows(2).all(|pair| pair[1].1.timestamp.wrapping_sub(pair[0].1.timestamp).cast_signed() > 0));
    assert_eq!(frames.iter().filter(|(_, frame)| frame.first).count(), 2, "whoever is new there begins");
}

#[test]
fn a_browser_that_says_it_is_silent_is_not_heard_whatever_it_sends() {
    let mut world = four();
    world.browsers[0].claims = Some(127);
    world.run(2000);
    assert_hears(&world, 0, &[1, 3]);
    assert_hears(&world, 3, &[0, 1]);
}

#[test]
fn a_person_with_telephone_and_browser_does_not_hear_herself() {
    let mut world = four();
    world.browsers[0].participant = ParticipantId::from_bits(1);
    world.enter(0);
    world.run(1500);
    assert_hears(&world, 0, &[1, 3]);
    assert_hears(&world, 2, &[1, 3]);
    assert_hears(&world, 3, &[0, 1, 2]);
}
