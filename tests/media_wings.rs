//! A room too large for one tick, in wings: each speaker a tone of its own, and who hears it in which wing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

mod media_support;

use std::sync::Arc;

use media_support::{ROOM, World, strangeness};
use ringlift::base::{ParticipantId, RoomId};
use ringlift::media::audience::Audience;
use ringlift::media::bridge::{Board, Other, SPEAKERS, Span};
use ringlift::media::clip::{Clip, Tone};
use ringlift::media::command::{MediaCommand, MediaEvent};
use ringlift::wire::codec::Codec::{self, G722, Opus, Pcma, Pcmu};

/// Of none of them 20 ms are whole periods: what is repeated or left out, is heard.
const TONES: [f32; 6] = [437.0, 613.0, 911.0, 1303.0, 1709.0, 2311.0];
const WINGS: [RoomId; 3] = [ROOM, RoomId::from_bits(20), RoomId::from_bits(30)];

fn boards(count: usize, same_thread: bool) -> Vec<Span> {
    let boards: Vec<Arc<Board>> = (0..count).map(|_| Arc::default()).collect();
    let others = |own: &Arc<Board>| {
        let others = boards.iter().filter(|other| !Arc::ptr_eq(other, own)).cloned();
        others.map(|board| Other { board, same_thread }).collect()
    };
    boards.iter().map(|own| Span { own: own.clone(), others: others(own) }).collect()
}

/// A room in so many wings, on one thread.
fn room(wings: usize) -> World {
    let mut world = World::new();
    for (wing, span) in WINGS.into_iter().zip(boards(wings, true)) {
        world.plane.span(wing, Some(span), world.now);
    }
    world
}

fn join(world: &mut World, phone: usize, wing: usize, participant: u64) {
    let (leg, participant) = (world.phones[phone].leg, ParticipantId::from_bits(participant));
    let room = WINGS[wing];
    world.order(MediaCommand::Join { leg, room, participant, muted: false, keys: true, audience: None });
}

/// A phone in a wing, with a tone.
fn call(world: &mut World, wing: usize, tone: f32, codec: Codec) -> usize {
    let phone = world.call(tone, codec, 20, 20);
    join(world, phone, wing, world.first + phone as u64 + 1);
    phone
}

fn loud(heard: f32) -> bool {
    (4500.0..7500.0).contains(&heard)
}

#[test]
fn all_hear_all_but_themselves_whatever_wings_and_codecs_they_have() {
    for codecs in [[Pcmu, Pcma, Pcmu, Pcmu], [Opus, G722, Pcmu, Opus], [G722, Opus, Opus, Pcma]] {
        let mut world = room(3);
        // One alone in its wing, two in another, and one who listens.
        for ((wing, tone), codec) in [(0, 0), (1, 1), (1, 2), (2, 3)].into_iter().zip(codecs) {
            call(&mut world, wing, TONES[tone], codec);
        }
        let listener = call(&mut world, 2, 0.0, Pcmu);
        world.run(2000);
        for phone in 0..5 {
            for (speaker, tone) in TONES.into_iter().take(4).enumerate() {
                let heard = world.phones[phone].hears(tone, 500);
                let expected = phone == listener || phone != speaker;
                assert!(
                    if expected { loud(heard) } else { heard < 150.0 },
                    "{codecs:?}: {phone} hears {tone}: {heard}"
                );
            }
        }
    }
}

#[test]
fn a_tone_from_another_wing_is_whole_for_a_minute_and_keeps_its_distance() {
    let mut world = room(2);
    call(&mut world, 0, TONES[2], Pcmu);
    let listener = call(&mut world, 1, 0.0, Pcmu);
    call(&mut world, 1, 0.0, Pcmu);
    world.run(1000);
    world.listen_anew();
    world.run(60_000);
    let heard = &world.phones[listener].heard;
    let worst = heard.chunks_exact(400).map(|piece| strangeness(piece, TONES[2])).fold(0.0, f32::max);
    assert!(heard.len() > 470_000 && worst < 0.01, "{worst}");
}

#[test]
fn of_six_in_three_wings_everybody_hears_the_same_four_the_loudest() {
    let mut world = room(3);
    let amplitudes = [9000.0, 700.0, 8000.0, 600.0, 7000.0, 6000.0];
    for (phone, amplitude) in amplitudes.into_iter().enumerate() {
        call(&mut world, phone % 3, TONES[phone], Pcmu);
        world.phones[phone].amplitude = amplitude;
    }
    let listeners = [0, 1, 2].map(|wing| call(&mut world, wing, 0.0, Pcmu));
    let check = |world: &World, expected: [bool; 6]| {
        for listener in listeners {
            for (tone, expected) in TONES.into_iter().zip(expected) {
                let heard = world.phones[listener].hears(tone, 400);
                assert_eq!(heard > 400.0, expected, "{listener} hears {tone}: {heard}");
            }
        }
    };
    world.run(3000);
    check(&world, [true, false, true, false, true, true]);
    // Much louder than the others: it takes the place of the softest, everywhere.
    world.phones[1].amplitude = 25_000.0;
    world.phones[5].amplitude = 900.0;
    world.run(3000);
    check(&world, [true, true, true, false, true, false]);
    let talking =
        |on: bool| move |event: &MediaEvent| matches!(event, MediaEvent::Talking { talking, .. } if *talking == on);
    let now = world.count(talking(true)) - world.count(talking(false));
    assert_eq!(now, SPEAKERS, "no more count as speakers than are heard");
}

#[test]
fn a_word_is_heard_elsewhere_from_its_first_to_its_last_sound_and_soon() {
    let mut world = room(2);
    // Somebody begins after a second, for 300 ms, again and again.
    let script: Vec<i16> = (0..8000 * 8)
        .map(|n| {
            let word = n % 8000 < 2400;
            let phase = f64::from(n) * 1000.0 / 8000.0;
            if word && n > 8000 { (8000.0 * (phase * std::f64::consts::TAU).cos()) as i16 } else { 0 }
        })
        .collect();
    let speaker = call(&mut world, 0, 0.0, Pcmu);
    world.phones[speaker].script = Some(script);
    let near = call(&mut world, 0, 0.0, Pcmu);
    let far = call(&mut world, 1, 0.0, Pcmu);
    call(&mut world, 1, 0.0, Pcmu);
    world.run(8000);
    let words = |phone: usize| {
        let loud: Vec<usize> = (0..world.phones[phone].heard.len())
            .filter(|at| world.phones[phone].heard[*at].unsigned_abs() > 1000)
            .collect();
        // Where each begins, and how long it is.
        let mut words: Vec<(usize, usize)> = Vec::new();
        for at in loud {
            match words.last_mut() {
                Some((begin, length)) if at - *begin - *length < 800 => *length = at - *begin,
                _ => words.push((at, 0)),
            }
        }
        words
    };
    // When a sample went out, in milliseconds: a packet is 160.
    let sent = |phone: usize, sample: usize| world.phones[phone].packets[sample / 160].0.since_start().as_millis();
    let words = [words(near), words(far)];
    assert!(words[0].len() >= 6 && words[0].len() == words[1].len(), "{words:?}");
    for ((begin, length), (later, as_long)) in words[0].iter().zip(&words[1]) {
        assert!(as_long.abs_diff(*length) <= 16, "{length} and {as_long} samples");
        let late = sent(far, *later) - sent(near, *begin);
        assert!((1..=25).contains(&late), "{late} ms later");
    }
}

#[test]
fn what_is_meant_for_one_in_another_wing_is_heard_by_nobody_else_there() {
    let mut world = room(2);
    let coach = call(&mut world, 0, TONES[0], Pcmu);
    let beside = call(&mut world, 0, 0.0, Pcmu);
    let agent = call(&mut world, 1, TONES[1], Pcma);
    let customer = call(&mut world, 1, TONES[2], Pcmu);
    let leg = world.phones[coach].leg;
    let to = ParticipantId::from_bits(agent as u64 + 1);
    world.order(MediaCommand::Direct { leg, audience: Some(Audience::new(&[to], 0)) });
    world.run(2000);
    let hears = |phone: usize| world.phones[phone].hears(TONES[0], 500);
    assert!(loud(hears(agent)), "{}", hears(agent));
    assert!(hears(customer) < 100.0 && hears(beside) < 100.0, "{} {}", hears(customer), hears(beside));
    assert!(loud(world.phones[coach].hears(TONES[2], 500)) && loud(world.phones[customer].hears(TONES[1], 500)));
}

#[test]
fn who_has_a_phone_in_each_of_two_wings_does_not_hear_himself() {
    let mut world = room(2);
    let one = world.call(TONES[0], Pcmu, 20, 20);
    let other = world.call(0.0, Pcmu, 20, 20);
    join(&mut world, one, 0, 50);
    join(&mut world, other, 1, 50);
    let guest = call(&mut world, 1, 0.0, Pcmu);
    world.run(2000);
    assert!(world.phones[other].hears(TONES[0], 500) < 100.0 && loud(world.phones[guest].hears(TONES[0], 500)));
}

#[test]
fn browsers_hear_telephones_of_other_wings_and_are_heard_there() {
    let mut world = room(2);
    let browser = world.browse(TONES[0]);
    world.enter(browser);
    let phone = call(&mut world, 1, TONES[1], Pcmu);
    let other = call(&mut world, 1, TONES[2], G722);
    world.run(3000);
    for tone in [TONES[1], TONES[2]] {
        let heard = world.browsers[browser].hears(tone, 500, world.now);
        assert!(loud(heard), "the browser hears {tone}: {heard}");
    }
    assert!(loud(world.phones[phone].hears(TONES[0], 500)) && loud(world.phones[phone].hears(TONES[2], 500)));
    let slots = world.events.iter().rev().find_map(|(_, event)| match event {
        MediaEvent::Slots { room, slots } => Some((*room, *slots)),
        _ => None,
    });
    let (told, slots) = slots.expect("who is in which slot is told");
    let people: Vec<u64> = slots.into_iter().flatten().map(ParticipantId::bits).collect();
    assert!(told == ROOM && [phone, other].iter().all(|phone| people.contains(&(*phone as u64 + 1))), "{people:?}");
}

#[test]
fn tones_of_the_room_are_played_in_each_wing() {
    let mut world = room(2);
    let phones = [call(&mut world, 0, 0.0, Pcmu), call(&mut world, 1, 0.0, Pcmu)];
    world.run(500);
    world.listen_anew();
    for wing in [0, 1] {
        let clips: Arc<[Clip]> = [Clip::Tone(Tone::Entry)].into();
        world.order(MediaCommand::PlayToRoom { room: WINGS[wing], clips });
    }
    world.run(500);
    for phone in phones {
        assert!(world.phones[phone].heard.iter().any(|sample| sample.unsigned_abs() > 1000), "{phone}");
    }
}

/// Two wings, each in a world (a thread) of its own: a speaker in the first, a listener in the second.
fn two_threads() -> [World; 2] {
    let spans = boards(2, false);
    let mut worlds = [0, 100].map(|first| {
        let mut world = World::new();
        world.first = first;
        world
    });
    for ((world, span), wing) in worlds.iter_mut().zip(spans).zip(0..) {
        world.plane.span(WINGS[wing], Some(span), world.now);
        call(world, wing, if wing == 0 { TONES[1] } else { 0.0 }, Pcmu);
        call(world, wing, 0.0, Pcmu);
    }
    worlds
}

fn run(worlds: &mut [World; 2], milliseconds: u64) {
    for _ in 0..milliseconds / 5 {
        worlds.iter_mut().for_each(|world| world.run(5));
    }
}

#[test]
fn a_thread_that_stands_still_is_faded_out_elsewhere_and_back_whole_after_it() {
    let mut worlds = two_threads();
    run(&mut worlds, 2000);
    let [_, there] = &worlds;
    assert!(loud(there.phones[0].hears(TONES[1], 500)));
    // The speaker's thread stands still for 150 ms; the other goes on.
    worlds[1].listen_anew();
    worlds[1].run(150);
    worlds[0].stand_still(150);
    run(&mut worlds, 1000);
    let heard = &worlds[1].phones[0].heard;
    assert!(loud(worlds[1].phones[0].hears(TONES[1], 500)), "back, and whole");
    let pause = heard.chunks_exact(160).filter(|frame| frame.iter().all(|sample| sample.unsigned_abs() < 100)).count();
    assert!((4..=9).contains(&pause), "{pause} frames of silence");
    // What ends ends softly: no jump between two samples that a tone of this amplitude does not have.
    let steepest = 6000.0 * 2.0 * std::f32::consts::PI * TONES[1] / 8000.0 * 1.3;
    let jump = heard.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap();
    assert!((jump as f32) < steepest, "{jump} of {steepest}");
}

#[test]
fn a_thread_that_is_always_late_is_heard_whole_elsewhere() {
    for late in [5, 10, 15, 20, 25, 40] {
        let mut worlds = two_threads();
        // From here on the listeners' thread is ahead of the speaker's by so much.
        worlds[1].run(late);
        run(&mut worlds, 1000);
        worlds[1].listen_anew();
        run(&mut worlds, 10_000);
        let heard = &worlds[1].phones[0].heard;
        let worst = heard.chunks_exact(400).map(|piece| strangeness(piece, TONES[1])).fold(0.0, f32::max);
        assert!(heard.len() > 79_000 && worst < 0.01, "{late} ms late: {worst}");
    }
}

#[test]
fn while_a_thread_is_late_nobody_takes_the_places_of_its_speakers() {
    let mut worlds = two_threads();
    for tone in [TONES[0], TONES[2], TONES[3]] {
        call(&mut worlds[0], 0, tone, Pcmu);
    }
    let soft = call(&mut worlds[1], 1, TONES[5], Pcmu);
    worlds[1].phones[soft].amplitude = 1500.0;
    worlds[1].phones[soft].sends = false;
    run(&mut worlds, 2000);
    worlds[1].phones[soft].sends = true;
    let told = worlds[1].events.len();
    run(&mut worlds, 2000);
    // Late for the first time, and again.
    for _ in 0..2 {
        worlds[1].run(20);
        run(&mut worlds, 500);
    }
    let leg = worlds[1].phones[soft].leg;
    let talks = |event: &MediaEvent| matches!(event, MediaEvent::Talking { leg: who, .. } if *who == leg);
    assert!(!worlds[1].events[told..].iter().any(|(_, event)| talks(event)), "four are louder");
    assert!(loud(worlds[1].phones[0].hears(TONES[3], 500)) && worlds[1].phones[0].hears(TONES[5], 500) < 100.0);
}

#[test]
fn a_telephone_that_comes_to_be_anothers_is_his_in_other_wings_too() {
    let mut world = room(2);
    let speaker = call(&mut world, 1, TONES[1], Pcmu);
    let his = world.call(0.0, Pcmu, 20, 20);
    join(&mut world, his, 0, 50);
    let browser = world.browse(0.0);
    world.enter(browser);
    world.run(1500);
    assert!(loud(world.phones[his].hears(TONES[1], 500)), "he hears another");
    let told = world.events.len();
    join(&mut world, speaker, 1, 50);
    world.run(500);
    world.listen_anew();
    world.run(1000);
    assert!(world.phones[his].hears(TONES[1], 500) < 100.0, "he does not hear himself");
    assert!(loud(world.browsers[browser].hears(TONES[1], 500, world.now)), "browsers hear him on");
    let people = world.events[told..].iter().rev().find_map(|(_, event)| match event {
        MediaEvent::Slots { slots, .. } => Some(slots.iter().flatten().map(|who| who.bits()).collect::<Vec<_>>()),
        _ => None,
    });
    assert_eq!(people, Some(vec![50]), "and see whose voice it is");
}

#[test]
fn a_wing_that_becomes_a_room_hears_nothing_of_the_others_any_more() {
    let mut worlds = two_threads();
    run(&mut worlds, 1000);
    let now = worlds[1].now;
    worlds[1].plane.span(WINGS[1], None, now);
    run(&mut worlds, 1000);
    assert!(worlds[1].phones[0].hears(TONES[1], 500) < 50.0);
    assert_eq!(worlds[1].plane.rooms(), 1);
    for phone in 0..2 {
        let leg = worlds[1].phones[phone].leg;
        worlds[1].order(MediaCommand::Close { leg });
    }
    assert_eq!(worlds[1].plane.rooms(), 0, "it ends with its last leg");
    // A wing stays for those who are under way, until it is told that nobody is.
    for phone in 0..2 {
        let leg = worlds[0].phones[phone].leg;
        worlds[0].order(MediaCommand::Close { leg });
    }
    assert_eq!(worlds[0].plane.rooms(), 1);
    let now = worlds[0].now;
    worlds[0].plane.span(WINGS[0], None, now);
    assert_eq!(worlds[0].plane.rooms(), 0);
}
