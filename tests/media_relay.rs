//! Two people whose codecs agree: their packets go on as they come, and the mix takes over and gives back without a seam.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

mod media_support;

use media_support::{Network, ROOM, World, format, remote, strangeness};
use ringlift::media::clip::{Clip, Tone};
use ringlift::media::command::{Direction, MediaCommand, MediaEvent, PlayId, Security};
use ringlift::wire::codec::Codec::{Pcma, Pcmu};

/// A call of two that has been up for a while.
fn call_of_two(tones: [f32; 2]) -> World {
    let mut world = World::new();
    tones.iter().for_each(|tone| {
        world.call(*tone, Pcmu, 20, 20);
    });
    (0..2).for_each(|phone| world.join(phone));
    world.run(1000);
    world.listen_anew();
    world
}

fn passes(world: &World, phone: usize) -> bool {
    world.plane.leg(world.phones[phone].key).unwrap().passes()
}

/// Nothing repeated, nothing left out, nothing later than a packet and a half; every 20 ms window of the tone whole.
fn assert_seamless(world: &World, phone: usize, hertz: f32) {
    let packets = &world.phones[phone].packets;
    for pair in packets.windows(2) {
        let ((then, before, length), (now, after, _)) = (pair[0], pair[1]);
        assert_eq!(after.sequence, before.sequence.wrapping_add(1), "at {then:?}");
        assert_eq!(after.timestamp, before.timestamp.wrapping_add(length as u32), "at {then:?}");
        assert_eq!(after.ssrc, before.ssrc);
        assert!(now.since(then).as_millis() <= 40, "{:?} without a packet at {then:?}", now.since(then));
        assert!(!after.marker, "nothing began anew at {then:?}");
    }
    for (index, window) in world.phones[phone].heard.chunks_exact(160).enumerate() {
        let strange = strangeness(window, hertz);
        assert!(strange < 0.02, "{strange} in window {index}");
    }
}

#[test]
fn two_people_get_each_others_packets_at_once_and_byte_for_byte() {
    let mut world = call_of_two([420.0, 730.0]);
    world.run(2000);
    for (speaker, listener) in [(0, 1), (1, 0)] {
        assert!(passes(&world, speaker));
        let (said, got) = (&world.phones[speaker].said, &world.phones[listener].got);
        assert!(got.len() >= 99);
        assert_eq!(said[said.len() - got.len()..], got[..]);
        assert_eq!(world.phones[listener].packets[0].1.ssrc, 1001 + listener as u32, "our stream, not theirs");
        assert_seamless(&world, listener, world.phones[speaker].tone);
    }
    assert!(world.count(|event| matches!(event, MediaEvent::Talking { talking: true, .. })) == 2, "talkers are told");
    assert!(!world.phones[0].rtcp.is_empty() || world.millis() < 105_000);
}

#[test]
fn a_third_comes_and_goes_and_nobody_misses_a_sample() {
    let mut world = call_of_two([437.0, 0.0]);
    world.call(0.0, Pcmu, 20, 20);
    for stay in [500, 505, 510, 515] {
        world.run(stay);
        assert!(passes(&world, 0));
        world.join(2);
        assert!(!passes(&world, 0), "mixed for three");
        world.run(stay + 15);
        world.order(MediaCommand::Leave { leg: world.phones[2].leg });
        world.run(stay);
        assert!(passes(&world, 0), "passed on again");
    }
    assert_seamless(&world, 1, 437.0);
    assert!(world.phones[1].packets.len() > 290);
}

#[test]
fn a_prompt_a_tone_or_a_mute_is_heard_and_the_call_goes_on_as_it_was() {
    let mut world = call_of_two([437.0, 0.0]);
    let (first, second) = (world.phones[0].leg, world.phones[1].leg);
    let clips: std::sync::Arc<[Clip]> = [Clip::Tone(Tone::Entry)].into();
    world.order(MediaCommand::Play { leg: second, play: PlayId(1), clips: clips.clone(), repeat: false });
    assert!(!passes(&world, 0), "the one who hears a prompt is mixed for");
    assert!(passes(&world, 1), "the other is not");
    world.run(1000);
    assert!(world.phones[1].hears(523.25, 1000) > 500.0);
    assert!(passes(&world, 0));
    world.order(MediaCommand::PlayToRoom { room: ROOM, clips });
    assert!(!passes(&world, 0) && !passes(&world, 1));
    world.run(1000);
    assert!(passes(&world, 0) && passes(&world, 1));
    world.listen_anew();
    world.order(MediaCommand::Mute { leg: first, muted: true });
    world.run(1000);
    assert!(!passes(&world, 0));
    assert!(world.phones[1].hears(437.0, 900) < 10.0);
    assert!(world.phones[1].packets.len() >= 49, "silence is sent");
    world.order(MediaCommand::Mute { leg: first, muted: false });
    world.run(100);
    world.listen_anew();
    world.run(500);
    assert_seamless(&world, 1, 437.0);
}

#[test]
fn keys_go_through_and_are_told() {
    let mut world = call_of_two([420.0, 730.0]);
    world.phones[0].presses = vec![(1500, '5', 200), (2200, '#', 100)];
    world.run(2000);
    assert_eq!(world.digits(), "5#");
    let keyed = &world.phones[1].digits;
    let ends: Vec<char> = keyed.iter().filter(|event| event.end).filter_map(|event| event.digit()).collect();
    assert_eq!(ends, ['5', '5', '5', '#', '#', '#']);
    let events: Vec<_> = world.phones[1].packets.iter().filter(|(_, header, _)| header.payload_type == 101).collect();
    assert!(events[0].1.marker, "the first of a press is marked");
    let presses: std::collections::BTreeSet<u32> = events.iter().map(|(_, header, _)| header.timestamp).collect();
    assert_eq!(presses.len(), 2, "one timestamp a press");
    for pair in world.phones[1].packets.windows(2) {
        assert_eq!(pair[1].1.sequence, pair[0].1.sequence.wrapping_add(1));
    }
}

#[test]
fn who_falls_silent_leaves_a_stream_of_silence_and_is_heard_again_at_once() {
    let mut world = call_of_two([437.0, 0.0]);
    world.phones[0].sends = false;
    world.run(2000);
    assert!(!passes(&world, 0));
    assert!(world.phones[1].packets.len() >= 96, "{}", world.phones[1].packets.len());
    world.phones[0].sends = true;
    world.listen_anew();
    world.run(1000);
    assert!(passes(&world, 0));
    let packets = &world.phones[1].packets;
    for pair in packets.windows(2) {
        assert_eq!(pair[1].1.sequence, pair[0].1.sequence.wrapping_add(1));
        assert!(pair[1].1.timestamp.wrapping_sub(pair[0].1.timestamp) < 800);
    }
    assert!(world.phones[1].hears(437.0, 800) > 5000.0);
}

#[test]
fn a_phone_that_begins_anew_in_the_middle_is_heard_on_under_our_numbers() {
    let mut world = call_of_two([437.0, 0.0]);
    world.run(300);
    world.phones[0].ssrc += 1;
    world.phones[0].first_timestamp = world.phones[0].first_timestamp.wrapping_add(123_456_789);
    world.run(500);
    // The same source with other timestamps.
    world.phones[0].first_timestamp = world.phones[0].first_timestamp.wrapping_add(99_999_999);
    world.run(500);
    assert!(passes(&world, 0));
    let packets = &world.phones[1].packets;
    assert!(packets.len() > 60);
    for pair in packets.windows(2) {
        assert_eq!(pair[1].1.sequence, pair[0].1.sequence.wrapping_add(1));
        assert!(pair[1].1.timestamp.wrapping_sub(pair[0].1.timestamp) <= 480);
        assert_eq!(pair[1].1.ssrc, pair[0].1.ssrc);
    }
    let strange = world.phones[1].heard[world.phones[1].heard.len() - 2400..]
        .chunks_exact(160)
        .map(|window| strangeness(window, 437.0))
        .fold(0.0, f32::max);
    assert!(strange < 0.02, "{strange}");
}

#[test]
fn loss_is_passed_on_as_loss_and_no_number_is_used_twice() {
    let mut world = call_of_two([437.0, 0.0]);
    world.call(0.0, Pcmu, 20, 20);
    world.phones[0].network = Network { lost: 50, jitter: 40, doubled: 50 };
    for _ in 0..10 {
        world.run(1000);
        world.join(2);
        world.run(700);
        world.order(MediaCommand::Leave { leg: world.phones[2].leg });
    }
    let mut numbers: Vec<u16> = world.phones[1].packets.iter().map(|(_, header, _)| header.sequence).collect();
    let sent = numbers.len();
    assert!(sent > 780, "{sent}");
    let first = numbers[0];
    numbers.sort_by_key(|number| number.wrapping_sub(first));
    numbers.dedup();
    assert_eq!(numbers.len(), sent);
}

#[test]
fn what_comes_late_and_is_left_out_takes_no_number_from_what_follows() {
    let mut world = call_of_two([437.0, 0.0]);
    // Nobody agreed on comfort noise with the other.
    let timestamp = world.phones[0].timestamp();
    let late = world.phones[0].packet(false, 13, timestamp, &[60]);
    world.run(100);
    let address = world.phones[0].address.to_string();
    world.inject(0, &address, &late);
    world.run(1000);
    assert!(passes(&world, 0));
    let mut numbers: Vec<u16> = world.phones[1].packets.iter().map(|(_, header, _)| header.sequence).collect();
    let sent = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), sent, "no number is used twice");
}

#[test]
fn different_codecs_are_mixed_and_a_change_of_codec_in_the_call_is_followed() {
    let mut world = World::new();
    world.call(420.0, Pcmu, 20, 20);
    world.call(730.0, Pcma, 20, 20);
    (0..2).for_each(|phone| world.join(phone));
    world.run(1000);
    assert!(!passes(&world, 0) && !passes(&world, 1));
    assert!(world.phones[0].hears(730.0, 500) > 5000.0);
    let (leg, address) = (world.phones[1].leg, world.phones[1].address);
    let modify = |format| MediaCommand::Modify { leg, format, remote: remote(address), security: Security::None };
    world.order(modify(format(Pcmu, 20)));
    world.phones[1].codec = Pcmu;
    world.run(1000);
    assert!(passes(&world, 0) && passes(&world, 1));
    let held = ringlift::media::command::Format { direction: Direction::Inactive, ..format(Pcmu, 20) };
    world.order(modify(held));
    assert!(!passes(&world, 0) && !passes(&world, 1), "nothing is passed to or from one on hold");
    world.listen_anew();
    world.run(1000);
    assert!(world.phones[1].packets.is_empty());
    assert!(world.phones[0].hears(730.0, 900) < 10.0);
    assert!(world.phones[0].packets.len() >= 49);
}

#[test]
fn who_comes_from_another_thread_says_anew_that_its_packets_go_on_as_they_come() {
    let mut world = call_of_two([420.0, 730.0]);
    while world.plane.poll_turned().is_some() {}
    let leg = world.phones[0].leg;
    let moved = world.plane.take_leg(leg).unwrap();
    // Nobody asked before it left.
    while world.plane.poll_turned().is_some() {}
    world.phones[0].key = world.plane.insert_leg(moved, world.now);
    world.join(0);
    world.run(500);
    assert!(passes(&world, 0));
    let mut told: Vec<_> = std::iter::from_fn(|| world.plane.poll_turned()).collect();
    told.sort_by_key(|(key, _)| key.0);
    let mut both: Vec<_> = world.phones.iter().map(|phone| (phone.key, true)).collect();
    both.sort_by_key(|(key, _)| key.0);
    assert_eq!(told, both, "or the engine would not wake for its packets");
}
