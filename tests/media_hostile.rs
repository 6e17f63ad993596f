//! One telephone sends what no telephone should: the others hear each other as if it were not there, nothing grows, and as soon as
//! it speaks properly it is heard.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

mod media_support;

use media_support::abuse::Abuse;
use media_support::{World, amplitude_at, strangeness};
use proptest::prelude::*;
use ringlift::base::Rng;
use ringlift::media::command::MediaEvent;
use ringlift::wire::codec::Codec::{self, Pcma, Pcmu};

/// The tones of the one and of who talks while it raves: ten milliseconds hold whole periods of both.
const OWN: f32 = 900.0;
const TALK: f32 = 400.0;

/// One of this codec who speaks, one who talks, one who listens.
fn room(codec: Codec) -> World {
    let mut world = World::new();
    world.call(OWN, codec, 20, 20);
    world.call(TALK, Pcmu, 20, 20);
    world.call(0.0, Pcma, 20, 20);
    (0..3).for_each(|phone| world.join(phone));
    world.run(1500);
    world
}

/// It stops speaking; what the others hear from here on.
fn quiet(world: &mut World) -> usize {
    world.phones[0].amplitude = 0.0;
    world.run(400);
    world.phones[0].sends = false;
    world.phones[2].heard.len()
}

/// It sends nothing but this for so long, so many datagrams each 5 ms; so do strangers, to it and to who talks.
fn rave(world: &mut World, abuse: &[Abuse], milliseconds: u64, each: usize, rng: &mut Rng) {
    let silence = world.phones[0].silence();
    let own = world.phones[0].address;
    for turn in 0..milliseconds / 5 {
        for n in 0..each {
            let kind = abuse[(turn as usize * each + n) % abuse.len()];
            let datagram = kind.next(&mut world.phones[0], &silence, rng);
            if kind == Abuse::Reports {
                let (key, from, now) = (world.phones[0].key, own, world.now);
                world.plane.receive_rtcp(key, from, &datagram, now);
            }
            world.inject(0, &own.to_string(), &datagram);
            world.inject(0, &format!("203.0.113.9:{}", 1024 + rng.below(60_000)), &datagram);
            world.inject(1, &format!("198.51.100.7:{}", 1024 + rng.below(60_000)), &datagram);
        }
        world.run(5);
    }
}

/// What the listener hears from here on is the talker alone.
fn assert_clean(world: &World, from: usize, what: &str) {
    let heard = &world.phones[2].heard[from..];
    for (index, window) in heard.chunks_exact(160).enumerate() {
        let strange = strangeness(window, TALK);
        assert!(strange < 0.02, "{what}: {strange} in window {index}");
    }
}

/// Milliseconds from its first proper packet on until the listener hears its own tone again, for 10 ms of it.
fn until_heard(world: &mut World) -> Option<usize> {
    (world.phones[0].sends, world.phones[0].amplitude) = (true, 6000.0);
    let said = world.phones[0].said.len();
    while world.phones[0].said.len() == said {
        world.run(5);
    }
    let from = world.phones[2].heard.len();
    world.run(600);
    let windows = world.phones[2].heard[from..].windows(80).step_by(8);
    let heard = windows.map(|window| amplitude_at(window, OWN, 8000)).position(|loud| loud > 3500.0);
    heard.map(|at| at + 10)
}

#[test]
fn whatever_one_sends_the_others_hear_each_other_cleanly_and_it_is_heard_60_ms_after_it_speaks_properly() {
    let mut slow = Vec::new();
    for codec in Codec::ALL {
        for abuse in Abuse::ALL {
            let mut world = room(codec);
            let mut rng = Rng::from_number(3);
            let from = quiet(&mut world);
            rave(&mut world, &[abuse], 1000, 20, &mut rng);
            assert_clean(&world, from, &format!("{codec:?}, {abuse:?}"));
            assert_eq!(world.figures(1).concealed, 0);
            let back = until_heard(&mut world);
            println!("{codec:?}, {abuse:?}: back after {back:?} ms");
            // Who has set its clock to and fro within what a network may delay is taken to have such a network, for some seconds.
            let (most, delay) = if abuse == Abuse::Timestamps { (420, 420.0) } else { (60, 60.0) };
            if back.is_none_or(|back| back > most) {
                slow.push((codec, abuse, back));
            }
            assert!(world.figures(0).delay_ms < delay, "{codec:?}, {abuse:?}: {:?}", world.figures(0));
            if abuse == Abuse::Timestamps {
                world.run(20_000);
            }
            assert!(world.figures(0).delay_ms < 60.0, "{codec:?}, {abuse:?}: {:?}", world.figures(0));
        }
    }
    assert!(slow.is_empty(), "{slow:?}");
}

#[test]
fn all_of_it_at_once_is_got_over_as_well() {
    for codec in Codec::ALL {
        let mut world = room(codec);
        let mut rng = Rng::from_number(4);
        let from = quiet(&mut world);
        let abuse = Abuse::ALL.map(|kind| if kind == Abuse::Timestamps { Abuse::Sequences } else { kind });
        rave(&mut world, &abuse, 2000, 40, &mut rng);
        assert_clean(&world, from, &format!("{codec:?}"));
        let back = until_heard(&mut world);
        println!("{codec:?}: back after {back:?} ms");
        assert!(back.is_some_and(|back| back <= 80), "{codec:?}: {back:?}");
    }
}

#[test]
fn a_storm_of_keys_tells_no_more_of_them_than_a_machine_could_have_pressed() {
    let mut world = room(Pcmu);
    quiet(&mut world);
    rave(&mut world, &[Abuse::Keys], 2000, 50, &mut Rng::from_number(5));
    // Those without an end are given up on.
    world.run(400);
    let told = world.count(|event| matches!(event, MediaEvent::Digit { .. } | MediaEvent::DigitBegan { .. }));
    assert!((50..=2 * (16 + 2000 / 40 + 1)).contains(&told), "20,000 packets: {told}");
    // And the keys of one who talks on count.
    world.phones[1].presses = vec![(5000, '5', 100), (5300, '6', 100)];
    let before = world.digits().len();
    world.run(2500);
    assert_eq!(&world.digits()[before..], "56");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(8) })]

    #[test]
    fn in_whatever_order_it_comes_the_others_hear_each_other(
        seed in any::<u64>(),
        codec in prop::sample::select(Codec::ALL.to_vec()),
        runs in prop::collection::vec((prop::sample::select(Abuse::ALL.to_vec()), 1usize..8, 1usize..60), 1..6),
        speaks in any::<bool>(),
    ) {
        let mut world = room(codec);
        let mut rng = Rng::from_number(seed);
        let from = quiet(&mut world);
        for (abuse, turns, each) in runs {
            rave(&mut world, &[abuse], turns as u64 * 20, each, &mut rng);
        }
        assert_clean(&world, from, &format!("{codec:?}"));
        if speaks {
            let back = until_heard(&mut world);
            prop_assert!(back.is_some_and(|back| back <= 420), "{:?}", back);
        }
    }
}
