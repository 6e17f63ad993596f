//! G.722 that is passed on from one of two people to the other: the listener's decoder has its state of what it heard, and another encoder's bytes are
//! a bang to it. What is heard is what a telephone's own decoder makes of our packets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

mod media_support;

use media_support::{Coder, World};
use ringlift::media::command::MediaCommand;
use ringlift::wire::codec::Codec::G722;

const TONES: [f32; 4] = [200.0, 400.0, 900.0, 3000.0];

fn loudest(heard: &[i16]) -> u16 {
    heard.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0)
}

fn passes(world: &World, phone: usize) -> bool {
    world.plane.leg(world.phones[phone].key).unwrap().passes()
}

/// Words of one tone, 600 ms each, with half a second between them.
fn words(tone: f32) -> Vec<i16> {
    let word = |n: usize| (std::f32::consts::TAU * tone * n as f32 / 16_000.0).sin() * 6000.0;
    (0..16_000 * 30).map(|n| if n % 17_600 < 9600 { word(n) as i16 } else { 0 }).collect()
}

/// One who talks, one who listens, and a third, all outside the room.
fn people(tone: f32) -> World {
    let mut world = World::new();
    (0..3).for_each(|_| {
        world.call(0.0, G722, 20, 20);
    });
    world.phones[0].script = Some(words(tone));
    world
}

/// The two of them in it, until he is in the middle of a word.
fn call(tone: f32) -> World {
    let mut world = people(tone);
    (0..2).for_each(|phone| world.join(phone));
    world.run(3500);
    assert!(passes(&world, 0));
    world
}

/// What happens.
type Change = (&'static str, fn(&mut World));

const CHANGES: [Change; 6] = [
    ("another source with an encoder of its own", |world| {
        world.phones[0].ssrc = 999_999;
        world.phones[0].first_timestamp = 123_456;
        world.phones[0].coder = Coder::new(G722);
    }),
    ("a third comes and goes", |world| {
        world.join(2);
        world.run(1000);
        world.order(MediaCommand::Leave { leg: world.phones[2].leg });
    }),
    ("a third comes and goes at once", |world| {
        world.join(2);
        world.run(40);
        world.order(MediaCommand::Leave { leg: world.phones[2].leg });
    }),
    ("its network is gone for a second", |world| {
        world.phones[0].network.lost = 1000;
        world.run(1000);
        world.phones[0].network.lost = 0;
    }),
    ("it sends nothing for a second", |world| {
        world.phones[0].sends = false;
        world.run(1000);
        world.phones[0].sends = true;
    }),
    ("out of the room and in again", |world| {
        world.order(MediaCommand::Leave { leg: world.phones[1].leg });
        world.run(1000);
        world.join(1);
    }),
];

#[test]
fn whatever_happens_to_who_is_passed_on_is_no_bang_to_the_other() {
    let mut worst = Vec::new();
    for (what, change) in CHANGES {
        for tone in TONES {
            let mut world = call(tone);
            let from = world.phones[1].heard.len();
            let before = loudest(&world.phones[1].heard[from - 16_000..]);
            change(&mut world);
            world.run(4000);
            let after = loudest(&world.phones[1].heard[from..]);
            let silent = world.phones[1].heard[from..].chunks(3200).filter(|heard| loudest(heard) < 5000).count();
            println!(
                "{what}, {tone} Hz: {before} before, {after} after, {silent} silent, passed on: {}",
                passes(&world, 0)
            );
            assert!(passes(&world, 0));
            if after > before + before / 4 {
                worst.push((what, tone, after));
            }
        }
    }
    assert!(worst.is_empty(), "{worst:#?}");
}

#[test]
fn the_noise_of_a_room_between_words_is_rest() {
    for loud in [20, 100] {
        let mut world = people(400.0);
        let mut chance = 1u32;
        let noise = move |sample: i16| {
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            sample + (chance >> 16) as i16 % loud
        };
        let noisy = words(400.0).into_iter().map(noise).collect();
        world.phones[0].script = Some(noisy);
        (0..2).for_each(|phone| world.join(phone));
        world.run(3500);
        assert!(passes(&world, 0), "{loud}");
    }
}

#[test]
fn who_is_in_the_middle_of_a_word_when_a_call_of_two_begins_is_no_bang() {
    for tone in TONES {
        let mut world = people(tone);
        world.run(2400);
        let from = world.phones[1].heard.len();
        (0..2).for_each(|phone| world.join(phone));
        world.run(3000);
        let heard = loudest(&world.phones[1].heard[from..]);
        println!("{tone} Hz: {heard}");
        assert!(passes(&world, 0) && heard < 7800, "{tone} Hz: {heard}");
    }
}
