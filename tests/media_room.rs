//! What people in a room hear, in virtual time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

mod media_support;

use media_support::{Network, ROOM, World, amplitude, format, remote, strangeness};
use ringlift::media::clip::{Clip, ClipLibrary, Tone};
use ringlift::media::command::{Direction, MediaCommand, MediaEvent, PlayId, Security};
use ringlift::wire::codec::Codec::{Pcma, Pcmu};

const TONES: [f32; 3] = [420.0, 730.0, 1170.0];

/// Each phone hears the tones of exactly these others.
fn assert_hears(world: &World, phone: usize, others: &[usize]) {
    for (other, tone) in world.phones.iter().map(|phone| phone.tone).enumerate().filter(|(_, tone)| *tone > 0.0) {
        let loud = world.phones[phone].hears(tone, 500);
        if others.contains(&other) {
            assert!((5000.0..7000.0).contains(&loud), "phone {phone} hears {tone} Hz at {loud}");
        } else {
            assert!(loud < 60.0, "phone {phone} must not hear {tone} Hz, heard at {loud}");
        }
    }
}

#[test]
fn three_phones_hear_exactly_the_two_others_be_one_on_pcma_and_one_at_30_ms() {
    let mut world = World::new();
    world.call(TONES[0], Pcmu, 20, 20);
    world.call(TONES[1], Pcma, 20, 20);
    world.call(TONES[2], Pcmu, 30, 30);
    (0..3).for_each(|phone| world.join(phone));
    world.run(3000);
    assert_hears(&world, 0, &[1, 2]);
    assert_hears(&world, 1, &[0, 2]);
    assert_hears(&world, 2, &[0, 1]);
}

#[test]
fn every_packet_length_is_understood_and_sent() {
    for theirs in [10, 20, 30, 40, 60] {
        for ours in [10, 20, 30, 40, 60] {
            let mut world = World::new();
            world.call(420.0, Pcmu, theirs, 20);
            world.call(730.0, Pcma, 20, ours);
            (0..2).for_each(|phone| world.join(phone));
            world.run(2000);
            assert_hears(&world, 0, &[1]);
            assert_hears(&world, 1, &[0]);
            assert!(world.phones[1].packets.iter().all(|(_, _, length)| *length == usize::from(ours) * 8));
            let heard = &world.phones[1].heard;
            for window in heard[heard.len() - 4000..].chunks_exact(160) {
                assert!(strangeness(window, 420.0) < 0.02, "{theirs} ms in, {ours} ms out");
            }
        }
    }
}

#[test]
fn a_tone_crosses_the_room_for_a_minute_without_a_click() {
    let mut world = World::new();
    world.call(437.0, Pcmu, 20, 20);
    world.call(0.0, Pcmu, 20, 20);
    world.call(0.0, Pcma, 20, 20);
    (0..3).for_each(|phone| world.join(phone));
    world.run(60_500);
    for listener in [1, 2] {
        let heard = &world.phones[listener].heard[4000..];
        assert!(heard.len() >= 59 * 8000);
        let worst = heard.chunks_exact(160).map(|window| strangeness(window, 437.0)).fold(0.0, f32::max);
        assert!(worst < 0.01, "{worst}");
    }
    assert_eq!(world.figures(0).concealed, 0);
    assert_eq!(world.phones[0].hears(437.0, 60_000).round(), 0.0);
}

#[test]
fn a_phone_whose_clock_runs_off_stays_whole_and_near() {
    for drift in [-300, 300] {
        let mut world = World::new();
        world.call(437.0, Pcmu, 20, 20);
        world.call(0.0, Pcmu, 20, 20);
        world.phones[0].drift = drift;
        (0..2).for_each(|phone| world.join(phone));
        world.run(120_000);
        let heard = &world.phones[1].heard[8000..];
        let windows: Vec<f32> = heard.chunks_exact(160).map(|window| strangeness(window, 437.0)).collect();
        let broken = windows.iter().filter(|strange| **strange > 0.05).count();
        assert!(broken < 8, "{drift} ppm: {broken} windows of {}", windows.len());
        assert!(world.figures(0).delay_ms < 60.0, "{}", world.figures(0).delay_ms);
    }
}

#[test]
fn loss_jitter_and_reordering_leave_speech_whole_and_every_key_once() {
    let mut world = World::new();
    world.call(420.0, Pcmu, 20, 20);
    world.call(0.0, Pcmu, 20, 20);
    world.phones[0].network = Network { lost: 50, jitter: 40, doubled: 20 };
    let keys = "1234567890*#ABCD55";
    world.phones[0].presses = keys.chars().enumerate().map(|(n, key)| (20_000 + n as u64 * 300, key, 100)).collect();
    world.call(0.0, Pcmu, 20, 20);
    (0..3).for_each(|phone| world.join(phone));
    world.run(30_000);
    assert_eq!(world.digits(), keys);
    assert_eq!(world.count(|event| matches!(event, MediaEvent::DigitBegan { .. })), keys.len());
    let heard = &world.phones[1].heard[8000..19 * 8000];
    let windows = heard.chunks_exact(160);
    let total = windows.len();
    let whole = windows.filter(|window| amplitude(window, 420.0) > 3000.0).count();
    let score = whole as f32 / total as f32;
    println!("whole: {score}, {:?}", world.figures(0));
    assert!(score > 0.97, "{score}");
    assert!(world.figures(0).delay_ms < 90.0);
    assert!(world.figures(0).late < 40, "{:?}", world.figures(0));
}

#[test]
fn the_room_does_not_hear_keys() {
    let mut world = World::new();
    world.call(420.0, Pcmu, 20, 20);
    world.call(0.0, Pcmu, 20, 20);
    world.phones[0].presses = vec![(2000, '5', 1500)];
    world.call(0.0, Pcmu, 20, 20);
    (0..3).for_each(|phone| world.join(phone));
    world.run(3300);
    assert!(world.phones[1].hears(420.0, 800) < 10.0);
    assert_eq!(world.digits(), "");
    world.run(2000);
    assert_eq!(world.digits(), "5");
    assert!(world.phones[1].hears(420.0, 800) > 5000.0);
}

#[test]
fn two_devices_of_one_person_do_not_hear_each_other() {
    let mut world = World::new();
    TONES.iter().for_each(|tone| {
        world.call(*tone, Pcmu, 20, 20);
    });
    world.join_as(0, 1);
    world.join_as(1, 1);
    world.join_as(2, 2);
    world.run(2000);
    assert_hears(&world, 0, &[2]);
    assert_hears(&world, 1, &[2]);
    assert_hears(&world, 2, &[0, 1]);
}

#[test]
fn who_is_muted_is_unheard_and_hears_on() {
    let mut world = World::new();
    TONES.iter().for_each(|tone| {
        world.call(*tone, Pcmu, 20, 20);
    });
    (0..3).for_each(|phone| world.join(phone));
    world.run(1000);
    world.order(MediaCommand::Mute { leg: world.phones[0].leg, muted: true });
    world.run(1500);
    assert_hears(&world, 0, &[1, 2]);
    assert_hears(&world, 1, &[2]);
    assert!(world.figures(0).received > 100);
    world.order(MediaCommand::Mute { leg: world.phones[0].leg, muted: false });
    world.run(1500);
    assert_hears(&world, 1, &[0, 2]);
}

#[test]
fn a_leg_on_hold_neither_sends_nor_is_heard_nor_times_out_and_comes_back_whole() {
    let mut world = World::new();
    TONES.iter().for_each(|tone| {
        world.call(*tone, Pcmu, 20, 20);
    });
    (0..3).for_each(|phone| world.join(phone));
    world.run(1000);
    let (leg, address) = (world.phones[0].leg, world.phones[0].address);
    let hold = ringlift::media::command::Format { direction: Direction::Inactive, ..format(Pcmu, 20) };
    world.order(MediaCommand::Modify { leg, format: hold, remote: remote(address), security: Security::None });
    let before = world.phones[0].packets.len();
    world.run(30_000);
    assert_eq!(world.phones[0].packets.len(), before, "nothing goes out");
    assert_hears(&world, 1, &[2]);
    assert_eq!(world.count(|event| matches!(event, MediaEvent::TimedOut { .. })), 0);
    world.order(MediaCommand::Modify {
        leg,
        format: format(Pcmu, 20),
        remote: remote(address),
        security: Security::None,
    });
    world.run(1500);
    assert_hears(&world, 0, &[1, 2]);
    assert_hears(&world, 1, &[0, 2]);
}

#[test]
fn strangers_are_counted_and_neither_heard_nor_answered() {
    let mut world = World::new();
    world.call(0.0, Pcmu, 20, 20);
    world.call(0.0, Pcmu, 20, 20);
    (0..2).for_each(|phone| world.join(phone));
    world.phones[0].sends = false;
    let mut loud = world.phones[0].packet(true, 0, 1, &[0x80; 160]);
    for n in 0..100u8 {
        loud[3] = n;
        world.inject(0, "203.0.113.66:4010", &loud);
        world.run(20);
    }
    assert_eq!(world.figures(0).strangers, 100);
    assert_eq!(world.figures(0).received, 0);
    assert!(world.phones[1].heard.iter().all(|sample| sample.abs() < 10));
    assert_eq!(world.count(|event| matches!(event, MediaEvent::Latched { leg, .. } if *leg == world.phones[0].leg)), 0);
    assert!(world.phones[0].packets.len() >= 99, "we send from the first moment");
}

#[test]
fn what_is_not_rtp_or_not_negotiated_is_counted_and_comfort_noise_is_silence() {
    let mut world = World::new();
    world.call(0.0, Pcmu, 20, 20);
    world.phones[0].sends = false;
    let from = world.phones[0].address.to_string();
    world.inject(0, &from, b"not rtp");
    let opus = world.phones[0].packet(false, 111, 0, &[0; 40]);
    world.inject(0, &from, &opus);
    assert_eq!(world.figures(0).malformed, 2);
    let noise = world.phones[0].packet(false, 13, 0, &[60]);
    world.inject(0, &from, &noise);
    assert_eq!((world.figures(0).malformed, world.figures(0).received), (2, 1));
}

#[test]
fn a_new_source_from_the_same_phone_is_heard_on() {
    let mut world = World::new();
    world.call(420.0, Pcmu, 20, 20);
    world.call(0.0, Pcmu, 20, 20);
    (0..2).for_each(|phone| world.join(phone));
    world.run(1000);
    world.phones[0].ssrc = 999_999;
    world.phones[0].first_timestamp = 5;
    world.run(1000);
    assert!(world.phones[1].hears(420.0, 800) > 5000.0);
    assert_eq!(world.figures(0).lost, 0);
}

#[test]
fn talking_is_told_within_200_ms_and_ends_after_the_hang() {
    let mut world = World::new();
    world.call(420.0, Pcmu, 20, 20);
    world.call(0.0, Pcmu, 20, 20);
    world.phones[0].amplitude = 0.0;
    (0..2).for_each(|phone| world.join(phone));
    world.run(2000);
    world.phones[0].amplitude = 3000.0;
    let begun = world.now;
    world.run(1000);
    world.phones[0].amplitude = 0.0;
    let ended = world.now;
    world.run(2000);
    let talk: Vec<_> = world
        .events
        .iter()
        .filter_map(
            |(at, event)| if let MediaEvent::Talking { talking, .. } = event { Some((*at, *talking)) } else { None },
        )
        .collect();
    assert_eq!(talk.iter().map(|(_, talking)| *talking).collect::<Vec<_>>(), [true, false]);
    assert!(talk[0].0.since(begun).as_millis() <= 200);
    assert!((550..800).contains(&talk[1].0.since(ended).as_millis()));
}

#[test]
fn a_prompt_is_heard_over_the_ducked_room_by_one_and_ends_with_a_report() {
    let mut library = ClipLibrary::with_tones();
    let prompt: Vec<i16> =
        (0..8000).map(|n| (8000.0 * (n as f32 * 0.2 * std::f32::consts::TAU).sin()) as i16).collect();
    library.insert_prompt("en", "hello", prompt.into());
    let mut world = World::with(library);
    world.call(420.0, Pcmu, 20, 20);
    world.call(0.0, Pcmu, 20, 20);
    world.call(0.0, Pcmu, 20, 20);
    (0..3).for_each(|phone| world.join(phone));
    world.run(1000);
    let clips = [Clip::Prompt("fr".into(), "hello".into())].into();
    world.order(MediaCommand::Play { leg: world.phones[1].leg, play: PlayId(3), clips, repeat: false });
    world.run(900);
    assert!((7000.0..8500.0).contains(&world.phones[1].hears(1600.0, 500)));
    assert!((900.0..1500.0).contains(&world.phones[1].hears(420.0, 500)), "ducked");
    assert!(world.phones[2].hears(1600.0, 500) < 20.0);
    assert!(world.phones[2].hears(420.0, 500) > 5000.0);
    world.run(1100);
    assert_eq!(world.count(|event| *event == MediaEvent::Played { leg: world.phones[1].leg, play: PlayId(3) }), 1);
    assert!(world.phones[1].hears(420.0, 500) > 5000.0);
    world.order(MediaCommand::PlayToRoom { room: ROOM, clips: [Clip::Tone(Tone::Entry)].into() });
    world.listen_anew();
    world.run(120);
    for phone in 0..3 {
        assert!(amplitude(&world.phones[phone].heard[160..720], 523.25) > 2000.0, "phone {phone} hears the entry tone");
    }
}

#[test]
fn outside_a_room_a_caller_hears_silence_from_the_first_moment_and_what_is_played() {
    let mut library = ClipLibrary::with_tones();
    library.set_music((0..400).map(|n| (8000.0 * (n as f32 * 0.05 * std::f32::consts::TAU).sin()) as i16).collect());
    let mut world = World::with(library);
    world.call(0.0, Pcma, 20, 20);
    world.run(100);
    assert_eq!(world.phones[0].packets.len(), 5);
    let leg = world.phones[0].leg;
    world.order(MediaCommand::Play { leg, play: PlayId(1), clips: [Clip::Music].into(), repeat: true });
    world.run(5000);
    let heard = &world.phones[0].heard[2000..];
    assert!(heard.chunks_exact(160).all(|window| strangeness(window, 400.0) < 0.01), "the loop has no seam");
    world.order(MediaCommand::StopPlaying { leg });
    world.run(1000);
    assert!(world.phones[0].hears(400.0, 500) < 5.0);
    assert_eq!(world.count(|event| matches!(event, MediaEvent::Played { .. })), 0);
}

#[test]
fn silence_of_theirs_is_reported_once_and_again_after_life() {
    let mut world = World::new();
    world.call(0.0, Pcmu, 20, 20);
    world.run(1000);
    world.phones[0].sends = false;
    world.run(9900);
    assert_eq!(world.count(|event| matches!(event, MediaEvent::TimedOut { .. })), 0);
    world.run(30_000);
    assert_eq!(world.count(|event| matches!(event, MediaEvent::TimedOut { .. })), 1);
    world.phones[0].sends = true;
    world.run(1000);
    world.phones[0].sends = false;
    world.run(11_000);
    assert_eq!(world.count(|event| matches!(event, MediaEvent::TimedOut { .. })), 2);
}

#[test]
fn a_phone_that_holds_us_and_falls_silent_is_not_given_up() {
    let mut world = World::new();
    world.call(0.0, Pcmu, 20, 20);
    world.run(1000);
    let (leg, address) = (world.phones[0].leg, world.phones[0].address);
    let hold = ringlift::media::command::Format { direction: Direction::RecvOnly, ..format(Pcmu, 20) };
    world.order(MediaCommand::Modify { leg, format: hold, remote: remote(address), security: Security::None });
    world.phones[0].sends = false;
    world.run(60_000);
    assert_eq!(world.count(|event| matches!(event, MediaEvent::TimedOut { .. })), 0);
    world.order(MediaCommand::Modify {
        leg,
        format: format(Pcmu, 20),
        remote: remote(address),
        security: Security::None,
    });
    world.run(9000);
    assert_eq!(world.count(|event| matches!(event, MediaEvent::TimedOut { .. })), 0, "counted from the resume");
    world.run(2000);
    assert_eq!(world.count(|event| matches!(event, MediaEvent::TimedOut { .. })), 1);
}

#[test]
fn digits_we_key_are_understood_by_another_of_our_legs() {
    let mut world = World::new();
    world.call(0.0, Pcmu, 20, 20);
    let leg = world.phones[0].leg;
    "19#".chars().for_each(|digit| world.order(MediaCommand::SendDigit { leg, digit, duration: 100 }));
    world.run(2000);
    let events = &world.phones[0].digits;
    assert_eq!(events.iter().filter(|event| event.end).count(), 9, "three ends each");
    let headers: Vec<_> = world.phones[0].packets.iter().map(|(_, header, _)| *header).collect();
    assert!(headers.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1)));
    let mut presses = ringlift::media::press::Presses::default();
    let mut keyed = String::new();
    let packets = world.phones[0].packets.iter().filter(|(_, header, _)| header.payload_type == 101);
    for ((at, header, _), event) in packets.zip(events) {
        keyed.extend(presses.receive(header.timestamp, header.marker, *event, *at).digits.into_iter().flatten());
    }
    assert_eq!(keyed, "19#");
}

#[test]
fn reports_go_out_and_goodbye_is_said() {
    use ringlift::wire::rtp::rtcp::{Compound, Report};
    let mut world = World::new();
    world.call(420.0, Pcmu, 20, 20);
    world.run(30_000);
    let count = world.phones[0].rtcp.len();
    assert!((3..12).contains(&count), "{count}");
    world.order(MediaCommand::Close { leg: world.phones[0].leg });
    let rtcp = &world.phones[0].rtcp;
    let first: Vec<_> = Compound::parse(&rtcp[1]).unwrap().collect();
    match first[0] {
        Report::Sender { ssrc, info, mut blocks } => {
            assert_eq!(ssrc, 1001);
            assert!(info.packets > 100);
            assert_eq!(blocks.next().map(|block| (block.ssrc, block.lost)), Some((78, 0)));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(first[1], Report::Description { ssrc: Some(1001), cname: Some(b"leg1") });
    assert!(Compound::parse(rtcp.last().unwrap()).unwrap().any(|report| report == Report::Bye { ssrc: Some(1001) }));
    assert_eq!(world.count(|event| matches!(event, MediaEvent::Closed { .. })), 1);
    assert!(world.plane.is_empty() && world.plane.poll_timeout().is_none());
}

#[test]
fn a_leg_moves_to_another_thread_and_its_stream_goes_on() {
    let mut world = World::new();
    world.call(420.0, Pcmu, 20, 20);
    world.call(0.0, Pcmu, 20, 20);
    (0..2).for_each(|phone| world.join(phone));
    world.run(1000);
    let leg = world.plane.take_leg(world.phones[1].leg).unwrap();
    assert_eq!(world.plane.len(), 1);
    world.phones[1].key = world.plane.insert_leg(leg, world.now);
    world.join(1);
    world.run(1000);
    assert!(world.phones[1].hears(420.0, 800) > 5000.0);
    let headers: Vec<_> = world.phones[1].packets.iter().map(|(_, header, _)| *header).collect();
    assert!(headers.windows(2).all(|pair| {
        pair[1].sequence == pair[0].sequence.wrapping_add(1) && pair[1].timestamp == pair[0].timestamp.wrapping_add(160)
    }));
}

#[test]
fn who_hears_us_after_we_stood_still_hears_us_no_later_and_it_counts_as_ours() {
    for pause in [100, 300, 1000] {
        let mut world = World::new();
        (0..3).for_each(|_| {
            let phone = world.call(420.0, Pcmu, 20, 20);
            world.join(phone);
        });
        world.run(2000);
        let before = world.phones[1].packets.len();
        world.stand_still(pause);
        world.run(2000);
        let (last, header, _) = world.phones[1].packets[before - 1];
        let (now, after, _) = *world.phones[1].packets.last().unwrap();
        let (passed, sent) =
            (now.since(last).as_millis() as u64 * 8, u64::from(after.timestamp.wrapping_sub(header.timestamp)));
        assert!(passed.abs_diff(sent) <= 160, "{pause} ms: {passed} of time, {sent} of audio");
        let lost = u64::from(after.sequence.wrapping_sub(header.sequence)) as usize;
        assert_eq!(lost, world.phones[1].packets.len() - before, "numbers go on");
        let overruns = world.figures(1).overruns;
        assert!(overruns + 1 >= pause / 20 - 1 && overruns <= pause / 20, "{pause} ms: {overruns} ticks");
    }
}

#[test]
fn a_bridge_that_failed_takes_its_own_legs_only() {
    let mut world = World::new();
    TONES.iter().for_each(|tone| {
        world.call(*tone, Pcmu, 20, 20);
    });
    (0..2).for_each(|phone| world.join(phone));
    world.run(200);
    let mut events = Vec::new();
    let room = world.plane.unit(ROOM).unwrap();
    world.plane.fail(room, &mut events);
    assert_eq!(events.iter().filter(|event| matches!(event, MediaEvent::Closed { .. })).count(), 2);
    assert_eq!(events.last(), Some(&MediaEvent::BridgeFailed { room: ROOM }));
    assert_eq!((world.plane.len(), world.plane.rooms()), (1, 0));
    world.listen_anew();
    world.run(1000);
    assert_eq!(world.phones[2].packets.len(), 50);
}

#[test]
fn from_mouth_to_ear_half_of_all_packets_wait_15_ms_at_most() {
    // A click in an otherwise silent stream: when it came in, when it went out.
    let mut waits = Vec::new();
    for seed in 0..40 {
        let mut world = World::new();
        world.rng = ringlift::base::Rng::from_number(seed);
        world.call(420.0, Pcmu, 20, 20);
        world.call(0.0, Pcmu, 20, 20);
        (0..2).for_each(|phone| world.join(phone));
        world.run(3000);
        waits.push(world.figures(0).delay_ms);
        assert_eq!(world.figures(0).concealed, 0);
    }
    waits.sort_by(f32::total_cmp);
    println!("median {} ms, most {} ms", waits[20], waits[39]);
    assert!(waits[20] <= 15.0 && waits[39] <= 25.0, "{waits:?}");
}

#[test]
fn of_six_who_talk_at_once_the_loudest_four_are_heard_and_a_louder_newcomer_gets_in() {
    let mut world = World::new();
    let tones = [310.0, 470.0, 630.0, 790.0, 950.0, 1110.0, 0.0];
    for (index, tone) in tones.iter().enumerate() {
        world.call(*tone, Pcmu, 20, 20);
        world.phones[index].amplitude = 4000.0 - 300.0 * index as f32;
        world.join(index);
    }
    world.run(2000);
    let heard = |world: &World| -> Vec<f32> {
        tones[..6].iter().copied().filter(|tone| world.phones[6].hears(*tone, 500) > 1000.0).collect()
    };
    assert_eq!(heard(&world), tones[..4]);
    world.phones[5].amplitude = 3500.0;
    world.run(2000);
    assert_eq!(heard(&world), tones[..4], "a little louder than the softest speaker is not enough");
    world.phones[5].amplitude = 9000.0;
    world.run(2000);
    assert_eq!(heard(&world), [310.0, 470.0, 630.0, 1110.0]);
}
