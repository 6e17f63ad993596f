//! What bad networks and odd phones do to what the room hears, in virtual time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

mod media_support;

use media_support::{Network, World, amplitude, strangeness};
use ringlift::media::command::MediaEvent;
use ringlift::wire::codec::Codec::{Pcma, Pcmu};

/// A talker at 420 Hz and a listener in one room.
fn talk(network: Network) -> World {
    let mut world = World::new();
    world.call(420.0, Pcmu, 20, 20);
    world.call(0.0, Pcma, 20, 20);
    world.phones[0].network = network;
    (0..2).for_each(|phone| world.join(phone));
    world
}

/// The share of 20 ms windows in which the tone is there.
fn whole(heard: &[i16]) -> f32 {
    let windows = heard.chunks_exact(160);
    let total = windows.len();
    windows.filter(|window| amplitude(window, 420.0) > 3000.0).count() as f32 / total as f32
}

#[test]
fn a_burst_of_loss_is_a_gap_and_not_more() {
    let mut world = talk(Network::default());
    world.run(3000);
    world.phones[0].network.lost = 1000;
    world.run(500);
    world.phones[0].network.lost = 0;
    world.run(3000);
    let heard = &world.phones[1].heard[2 * 8000..];
    let gap = heard.chunks_exact(160).filter(|window| amplitude(window, 420.0) < 3000.0).count() * 20;
    assert!((300..=600).contains(&gap), "{gap} ms");
    assert!(world.figures(0).delay_ms < 30.0);
    assert_eq!(world.figures(0).lost, 25);
}

#[test]
fn jitter_of_200_ms_costs_delay_and_no_words() {
    let mut world = talk(Network { jitter: 200, ..Network::default() });
    world.run(12_000);
    let heard = &world.phones[1].heard[3 * 8000..];
    assert!(whole(heard) > 0.97, "{}", whole(heard));
    assert!(world.figures(0).delay_ms < 260.0, "{}", world.figures(0).delay_ms);
    world.phones[0].network.jitter = 0;
    world.run(15_000);
    assert!(world.figures(0).delay_ms < 30.0, "delay falls again: {}", world.figures(0).delay_ms);
    assert!(whole(&world.phones[1].heard[13 * 8000..]) > 0.98, "and nothing is cut out");
}

#[test]
fn a_route_that_gets_longer_is_followed_at_once() {
    let mut world = talk(Network::default());
    world.run(3000);
    world.phones[0].pause_route(300);
    world.run(2000);
    let heard = &world.phones[1].heard[2 * 8000..];
    let gap = heard.chunks_exact(160).filter(|window| amplitude(window, 420.0) < 3000.0).count() * 20;
    assert!(gap <= 340, "{gap} ms");
    assert!(world.phones[1].hears(420.0, 1000) > 5000.0);
}

#[test]
fn a_phone_that_suppresses_silence_is_heard_when_it_speaks_again() {
    for clock_goes_on in [true, false] {
        let mut world = talk(Network::default());
        world.run(2000);
        if clock_goes_on {
            world.phones[0].sends = false;
            world.run(8000);
            world.phones[0].sends = true;
        } else {
            world.phones[0].pause_route(8000);
            world.run(8000);
        }
        world.run(600);
        assert!(world.phones[1].hears(420.0, 400) > 5000.0, "clock goes on: {clock_goes_on}");
        let before = world.phones[1].heard.len();
        world.run(2000);
        let heard = &world.phones[1].heard[before..];
        assert!(heard.chunks_exact(160).all(|window| strangeness(window, 420.0) < 0.02));
    }
}

#[test]
fn packets_of_changing_length_are_one_stream() {
    let mut world = talk(Network::default());
    for ptime in [20, 10, 30, 20, 60, 40, 10, 20] {
        world.phones[0].set_ptime(ptime);
        world.run(600);
    }
    world.run(1000);
    let heard = &world.phones[1].heard[4000..];
    assert!(whole(heard) > 0.95, "{}", whole(heard));
    assert!(world.phones[1].hears(420.0, 500) > 5000.0);
}

#[test]
fn a_flood_from_strangers_disturbs_nobody() {
    let mut world = talk(Network::default());
    world.run(1000);
    for turn in 0..200u64 {
        for n in 0..50u64 {
            world.inject(
                0,
                &format!("203.0.113.9:{}", 1024 + n),
                &[0x80, 0, 0, n as u8, 0, 0, 0, turn as u8, 0, 0, 0, 1, 9, 9],
            );
            world.inject(0, "203.0.113.9:53", b"\x12\x34garbage");
        }
        world.run(5);
    }
    assert_eq!((world.figures(0).strangers, world.figures(0).malformed), (10_000, 10_000));
    let heard = &world.phones[1].heard;
    assert!(heard[heard.len() - 8000..].chunks_exact(160).all(|window| strangeness(window, 420.0) < 0.02));
    assert_eq!(world.count(|event| matches!(event, MediaEvent::Latched { .. })), 2);
}

#[test]
fn speech_keeps_its_shape_while_delay_changes() {
    // Jitter that comes and goes: the buffer grows and shrinks under a steady tone.
    let mut world = talk(Network::default());
    for jitter in [0, 60, 0, 60, 0] {
        world.phones[0].network.jitter = jitter;
        world.run(12_000);
    }
    let heard = &world.phones[1].heard[8000..];
    let windows: Vec<f32> = heard.chunks_exact(160).map(|window| strangeness(window, 420.0)).collect();
    let broken = windows.iter().filter(|strange| **strange > 0.2).count();
    println!("{broken} of {} windows changed", windows.len());
    assert!(broken * 100 < windows.len(), "{broken} of {}", windows.len());
    assert!(whole(heard) > 0.99);
}
