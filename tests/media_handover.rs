//! A voice that goes from a telephone to a browser and back: what the others hear of it, and that nobody hears themselves.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

mod media_support;

use media_support::World;
use ringlift::media::command::MediaCommand;
use ringlift::wire::codec::Codec::{self, Pcma, Pcmu};

/// What the person says into the telephone, into the browser, and what the other says.
const PHONE: f32 = 420.0;
const BROWSER: f32 = 1170.0;
const OTHER: f32 = 730.0;

/// The person's place, telephone and browser alike.
const PERSON: u64 = 100;

/// How long both carry the voice, as `handoff` orders it.
const OVERLAP: u64 = 100;

/// The longest that nothing was heard, in milliseconds.
fn longest_gap(samples: &[i16]) -> usize {
    let loud = |window: &[i16]| {
        let square: f64 = window.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        (square / window.len() as f64).sqrt() > 800.0
    };
    let (mut gap, mut longest) = (0, 0);
    for window in samples.chunks(40) {
        gap = if loud(window) { 0 } else { gap + 5 };
        longest = longest.max(gap);
    }
    longest
}

/// The person by telephone, a browser of theirs that is in no room yet, and the other by telephone.
fn talking(other: Codec) -> World {
    let mut world = World::new();
    world.call(PHONE, Pcmu, 20, 20);
    world.call(OTHER, other, 20, 20);
    world.browse(BROWSER);
    world.join_as(0, PERSON);
    world.join_as(1, 2);
    world.run(3000);
    world
}

fn to_browser(world: &mut World) {
    world.enter(0);
    world.run(OVERLAP);
    world.order(MediaCommand::Leave { leg: world.phones[0].leg });
}

fn to_phone(world: &mut World) {
    world.join_as(0, PERSON);
    world.run(OVERLAP);
    world.order(MediaCommand::Leave { leg: world.browsers[0].leg });
    world.browsers[0].listens = false;
}

#[test]
fn a_voice_that_is_handed_over_ten_times_is_gone_for_sixty_milliseconds_at_most() {
    // Passed on as it comes, and mixed.
    for other in [Pcmu, Pcma] {
        let mut world = talking(other);
        assert!(longest_gap(&world.phones[1].heard[8000..]) <= 5, "before anything is moved");
        world.listen_anew();
        for _ in 0..10 {
            to_browser(&mut world);
            world.run(1500);
            let heard = &world.phones[1];
            assert!(heard.hears(BROWSER, 400) > 4500.0 && heard.hears(PHONE, 400) < 150.0, "one voice, the browser's");
            to_phone(&mut world);
            world.run(1500);
            let heard = &world.phones[1];
            assert!(
                heard.hears(PHONE, 400) > 4500.0 && heard.hears(BROWSER, 400) < 150.0,
                "one voice, the telephone's"
            );
        }
        let gap = longest_gap(&world.phones[1].heard);
        assert!(gap <= 60, "{other:?}: {gap} ms");
        assert!(world.phones[1].heard.len() > 31 * 8000, "all of it was listened to");
    }
}

#[test]
fn a_break_before_the_make_would_be_heard() {
    let mut world = talking(Pcma);
    world.listen_anew();
    world.order(MediaCommand::Leave { leg: world.phones[0].leg });
    world.run(100);
    world.enter(0);
    world.run(1500);
    assert!(longest_gap(&world.phones[1].heard) >= 80);
}

#[test]
fn whose_voice_is_handed_over_hears_the_other_all_the_time_and_never_themselves() {
    let mut world = talking(Pcma);
    let mut heard_by_phone = 0.0f32;
    let mut heard_by_browser = 0.0f32;
    let mut listen = |world: &mut World, milliseconds: u64| {
        for _ in 0..milliseconds / 100 {
            world.run(100);
            heard_by_phone = heard_by_phone.max(world.phones[0].hears(BROWSER, 100));
            heard_by_browser = heard_by_browser.max(world.browsers[0].hears(PHONE, 100, world.now));
        }
    };
    for _ in 0..3 {
        world.enter(0);
        listen(&mut world, OVERLAP);
        world.order(MediaCommand::Leave { leg: world.phones[0].leg });
        listen(&mut world, 1500);
        assert!(world.browsers[0].hears(OTHER, 400, world.now) > 4500.0);
        world.join_as(0, PERSON);
        listen(&mut world, OVERLAP);
        world.order(MediaCommand::Leave { leg: world.browsers[0].leg });
        world.browsers[0].listens = false;
        listen(&mut world, 1500);
        assert!(world.phones[0].hears(OTHER, 400) > 4500.0);
    }
    assert!(heard_by_phone < 400.0, "the telephone plays what its person says into the browser: {heard_by_phone}");
    assert!(heard_by_browser < 400.0, "and the other way round: {heard_by_browser}");
}
