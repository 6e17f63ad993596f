//! Phones of different codecs in one room: everyone hears every voice at its pitch and level, as wide as both ends carry.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

mod media_support;

use media_support::{Network, World, format, remote};
use ringlift::media::clip::{Clip, Tone};
use ringlift::media::command::{Format, MediaCommand, PlayId, Security};
use ringlift::wire::codec::Codec::{self, G722, Opus, Pcma, Pcmu};
use ringlift::wire::codec::opus;

fn room(people: &[(Codec, f32)]) -> World {
    let mut world = World::new();
    for (index, (codec, tone)) in people.iter().enumerate() {
        world.call(*tone, *codec, 20, 20);
        world.join(index);
    }
    world
}

/// Each hears the others at their level and not itself.
fn assert_all_hear_all(world: &World) {
    for (listener, phone) in world.phones.iter().enumerate() {
        for (speaker, other) in world.phones.iter().enumerate().filter(|(_, other)| other.tone > 0.0) {
            let loud = phone.hears(other.tone, 500);
            let (codec, theirs) = (phone.codec, other.codec);
            if speaker == listener {
                assert!(loud < 200.0, "{codec:?} hears itself at {loud}");
            } else {
                assert!((4800.0..7200.0).contains(&loud), "{codec:?} hears {theirs:?} at {loud}");
            }
        }
    }
}

#[test]
fn every_codec_hears_every_other_at_the_right_pitch_and_level() {
    for one in Codec::ALL {
        for other in Codec::ALL {
            let mut world = room(&[(one, 440.0), (other, 1170.0)]);
            world.run(2000);
            assert_all_hear_all(&world);
            assert_eq!((world.figures(0).concealed, world.figures(1).concealed), (0, 0), "{one:?}, {other:?}");
        }
    }
}

#[test]
fn three_codecs_in_one_room_are_mixed_at_three_rates() {
    let mut world = room(&[(Pcma, 440.0), (G722, 1170.0), (Opus, 1900.0)]);
    world.run(3000);
    assert_all_hear_all(&world);
}

#[test]
fn wideband_stays_wideband_between_two_in_a_room_of_three() {
    for wide in [G722, Opus] {
        let mut world = room(&[(wide, 6000.0), (wide, 0.0), (Pcmu, 0.0)]);
        world.run(2000);
        let loud = world.phones[1].hears(6000.0, 1000);
        assert!((4500.0..7500.0).contains(&loud), "{wide:?}: {loud}");
        // What the narrow phone cannot carry must not come as something else.
        assert!(world.phones[2].hears(2000.0, 1000) < 60.0);
    }
}

#[test]
fn a_listener_who_begins_to_speak_and_falls_silent_again_hears_on_without_a_break() {
    for codec in [G722, Opus] {
        let mut world = room(&[(codec, 440.0), (codec, 0.0), (Pcmu, 0.0)]);
        world.run(1500);
        world.listen_anew();
        for _ in 0..3 {
            world.phones[1].tone = 1170.0;
            world.run(1000);
            world.phones[1].tone = 0.0;
            world.run(1500);
        }
        let heard = &world.phones[1].heard;
        let rate = codec.sample_rate();
        for (index, window) in heard.chunks_exact(rate as usize / 50).enumerate() {
            let loud = media_support::amplitude_at(window, 440.0, rate);
            assert!(loud > 4000.0 && loud < 8000.0, "{codec:?}: {loud} in window {index}");
        }
    }
}

#[test]
fn two_of_one_wide_codec_get_each_others_packets_and_a_third_makes_no_gap() {
    for codec in [G722, Opus] {
        let mut world = room(&[(codec, 0.0), (codec, 0.0)]);
        world.call(0.0, Pcmu, 20, 20);
        world.run(1000);
        world.phones[0].tone = 440.0;
        world.run(100);
        world.listen_anew();
        // G.722 is passed on again after a pause alone (`media_passed`).
        for _ in 0..if codec == G722 { 1 } else { 3 } {
            world.run(500);
            assert!(world.plane.leg(world.phones[0].key).unwrap().passes(), "{codec:?}");
            world.join(2);
            world.run(515);
            world.order(MediaCommand::Leave { leg: world.phones[2].leg });
        }
        world.run(500);
        let phone = &world.phones[1];
        let per_tick = codec.clock_rate() / 50;
        for pair in phone.packets.windows(2) {
            let ((then, before, _), (now, after, _)) = (pair[0], pair[1]);
            assert_eq!(after.sequence, before.sequence.wrapping_add(1), "{codec:?} at {then:?}");
            assert_eq!(after.timestamp, before.timestamp.wrapping_add(per_tick), "{codec:?} at {then:?}");
            assert!(now.since(then).as_millis() <= 40);
        }
        let rate = codec.sample_rate();
        for (index, window) in phone.heard.chunks_exact(rate as usize / 50).enumerate() {
            let loud = media_support::amplitude_at(window, 440.0, rate);
            // Encoded once more, Opus comes some milliseconds later: the tone's phase steps with each change.
            let least = if codec == Opus { 2000.0 } else { 4000.0 };
            assert!(loud > least && loud < 8000.0, "{codec:?}: {loud} in window {index}");
        }
    }
}

#[test]
fn loss_and_jitter_leave_wideband_speech_whole() {
    for codec in [G722, Opus] {
        let mut world = room(&[(codec, 440.0), (Pcmu, 0.0), (codec, 0.0)]);
        world.phones[0].network = Network { lost: 50, jitter: 40, doubled: 20 };
        world.run(10_000);
        for listener in [1, 2] {
            let rate = world.phones[listener].codec.sample_rate();
            let heard = &world.phones[listener].heard[rate as usize..];
            let windows = heard.chunks_exact(rate as usize / 50);
            let total = windows.len();
            let whole =
                windows.filter(|window| media_support::amplitude_at(window, 440.0, rate) > 3000.0).count() as f32;
            // libopus has no second copy of what it takes for noise, as it does a steady tone, and lets it fade.
            let enough = if codec == Opus { 0.88 } else { 0.97 };
            assert!(whole / total as f32 > enough, "{codec:?} to {listener}: {whole} of {total}");
        }
        assert!(world.figures(0).delay_ms < 90.0, "{:?}", world.figures(0));
        assert!(world.figures(0).concealed > 10, "{:?}", world.figures(0));
    }
}

#[test]
fn a_clock_that_runs_off_is_followed_by_every_codec() {
    for codec in [G722, Opus] {
        for drift in [-1000, 1000] {
            let mut world = room(&[(codec, 440.0), (Pcmu, 0.0), (Pcmu, 0.0)]);
            world.phones[0].drift = drift;
            world.run(20_000);
            let heard = &world.phones[1].heard[8000..];
            let broken =
                heard.chunks_exact(160).filter(|window| media_support::amplitude(window, 440.0) < 4000.0).count();
            assert!(broken < 5, "{codec:?} at {drift} ppm: {broken} windows");
            assert!(world.figures(0).delay_ms < 60.0, "{:?}", world.figures(0));
        }
    }
}

#[test]
fn prompts_and_tones_sound_at_their_pitch_at_every_rate() {
    for codec in Codec::ALL {
        let mut world = room(&[(codec, 0.0), (Pcmu, 0.0), (Pcma, 0.0)]);
        world.run(300);
        let clips: std::sync::Arc<[Clip]> = [Clip::Tone(Tone::Done), Clip::Tone(Tone::Done)].into();
        let play = |leg| MediaCommand::Play { leg, play: PlayId(1), clips: clips.clone(), repeat: false };
        world.order(play(world.phones[0].leg));
        world.run(240);
        assert!(world.phones[0].hears(1046.5, 150) > 3500.0, "{codec:?}: {}", world.phones[0].hears(1046.5, 150));
        world.run(500);
        world.order(MediaCommand::PlayToRoom { room: media_support::ROOM, clips: clips.clone() });
        world.run(240);
        assert!(world.phones[0].hears(1046.5, 150) > 1700.0, "{codec:?}: {}", world.phones[0].hears(1046.5, 150));
        // Outside a room, too.
        world.order(MediaCommand::Leave { leg: world.phones[0].leg });
        world.run(500);
        assert!(world.phones[0].hears(1046.5, 200) < 30.0);
        world.order(play(world.phones[0].leg));
        world.run(240);
        assert!(world.phones[0].hears(1046.5, 150) > 3500.0, "{codec:?}");
    }
}

#[test]
fn keys_of_an_opus_phone_are_told_once_and_pressed_for_the_other_whatever_its_codec() {
    let mut world = room(&[(Opus, 440.0), (Pcmu, 0.0)]);
    world.phones[0].presses = vec![(1000, '7', 100), (1500, '#', 200)];
    world.run(2500);
    assert_eq!(world.digits(), "7#");
    let ends: String =
        world.phones[1].digits.iter().filter(|event| event.end).filter_map(|event| event.digit()).collect();
    assert_eq!(ends, "777###");
}

/// Agrees with an Opus phone on telephone-events of the clock that most phones know.
fn count_events_at_8_khz(world: &mut World, phone: usize) {
    let (leg, address) = (world.phones[phone].leg, world.phones[phone].address);
    let narrow = opus::Parameters { narrow_events: true, ..opus::Parameters::ours() };
    let format = Format { opus: narrow, ..format(Opus, 20) };
    world.order(MediaCommand::Modify { leg, format, remote: remote(address), security: Security::None });
}

#[test]
fn keys_of_an_opus_phone_whose_events_count_at_8_khz_are_told_once_and_its_voice_goes_on_between_them() {
    // Timestamps of the audio's clock, as most send them, and of the event's own.
    for time in [6, 1] {
        for others in 1..3 {
            let mut people = vec![(Opus, 440.0)];
            people.resize(1 + others, (Pcmu, 0.0));
            let mut world = room(&people);
            count_events_at_8_khz(&mut world, 0);
            world.phones[0].event_clocks = Some((1, time));
            world.phones[0].presses = vec![(1000, '7', 100), (1500, '7', 100), (2000, '#', 200)];
            world.run(1400);
            assert!(world.phones[1].hears(440.0, 150) > 4000.0, "between keys, {time}, {others}");
            world.run(1600);
            assert!(world.phones[1].hears(440.0, 400) > 4000.0, "after them, {time}, {others}");
            assert_eq!(world.digits(), "77#", "{time}, {others}");
            let ends = world.phones[1].digits.iter().filter(|event| event.end).count();
            assert_eq!(ends, if others == 1 { 9 } else { 0 }, "pressed for the other of two");
        }
    }
}

#[test]
fn a_key_lasts_as_long_for_the_other_of_two_opus_phones_whose_events_count_by_another_clock() {
    let told = |clocks: [u32; 2], milliseconds: u64| {
        let mut world = room(&[(Opus, 0.0), (Opus, 0.0)]);
        for (phone, clock) in clocks.into_iter().enumerate() {
            if clock == 1 {
                count_events_at_8_khz(&mut world, phone);
            }
            world.phones[phone].event_clocks = Some((clock, 6));
        }
        world.run(1000);
        assert!(world.plane.leg(world.phones[0].key).unwrap().passes());
        world.phones[0].presses = vec![(1500, '7', milliseconds)];
        world.run(4000);
        assert_eq!(world.digits(), "7");
        world.phones[1].digits.iter().map(|event| event.duration).collect::<Vec<_>>()
    };
    let in_ticks = |tick: u16| [1, 2, 3, 4, 5, 5, 5, 5].map(|ticks| ticks * tick);
    for (clocks, tick) in [([1, 1], 160), ([1, 6], 960), ([6, 1], 160), ([6, 6], 960)] {
        assert_eq!(told(clocks, 100), in_ticks(tick), "{clocks:?}");
    }
    // As long as can be told without a second key.
    assert_eq!(told([1, 6], 2000).last(), Some(&u16::MAX));
}

#[test]
fn a_key_for_an_opus_phone_whose_events_count_at_8_khz_lasts_as_long_as_it_is_pressed() {
    let mut world = room(&[(Opus, 0.0)]);
    count_events_at_8_khz(&mut world, 0);
    let leg = world.phones[0].leg;
    "19".chars().for_each(|digit| world.order(MediaCommand::SendDigit { leg, digit, duration: 100 }));
    world.run(1000);
    let lasted: Vec<u16> = world.phones[0].digits.iter().map(|event| event.duration).collect();
    assert_eq!(lasted, [160, 320, 480, 640, 800, 800, 800].repeat(2));
    let events = world.phones[0].packets.iter().filter(|(_, header, _)| header.payload_type == 101);
    let began: Vec<u32> =
        events.filter(|(_, header, _)| header.marker).map(|(_, header, _)| header.timestamp).collect();
    assert_eq!(began[1].wrapping_sub(began[0]), 960 * 11, "by the clock of the audio");
}

#[test]
fn a_change_of_codec_in_the_call_is_heard_at_once() {
    let mut world = room(&[(Pcmu, 440.0), (Pcmu, 1170.0)]);
    world.run(1000);
    for codec in [Opus, G722, Pcma, G722] {
        let (leg, address) = (world.phones[1].leg, world.phones[1].address);
        let format = format(codec, 20);
        world.order(MediaCommand::Modify { leg, format, remote: remote(address), security: Security::None });
        world.phones[1].codec = codec;
        world.phones[1].coder = media_support::Coder::new(codec);
        world.listen_anew();
        world.run(1500);
        assert_all_hear_all(&world);
    }
}

#[test]
fn comfort_noise_stands_for_silence_where_it_was_agreed_and_is_heard_as_noise() {
    let mut world = World::new();
    for index in 0..3 {
        world.call(0.0, Pcmu, 20, 20);
        world.join(index);
    }
    let (leg, address) = (world.phones[0].leg, world.phones[0].address);
    let agreed = Format { comfort_noise: Some((13, 13)), ..format(Pcmu, 20) };
    world.order(MediaCommand::Modify { leg, format: agreed, remote: remote(address), security: Security::None });
    world.run(1000);
    world.listen_anew();
    world.run(4000);
    let packets = world.phones[0].packets.len();
    assert!((9..=11).contains(&packets), "{packets} packets in four seconds of silence");
    assert!(world.phones[0].noise.iter().all(|noise| noise[..] == [78]));
    assert!(world.phones[1].packets.len() >= 199, "who did not agree gets silence");
    world.phones[1].tone = 440.0;
    world.listen_anew();
    world.run(1000);
    assert!(world.phones[0].packets.iter().any(|(_, header, _)| header.marker), "speech begins with a marker");
    assert!(world.phones[0].hears(440.0, 800) > 5000.0);
    // The other way: a phone that says how its silence sounds.
    world.phones[1].tone = 0.0;
    world.phones[0].sends = false;
    let timestamp = world.phones[0].timestamp();
    let noise = world.phones[0].packet(false, 13, timestamp, &[40]);
    let from = world.phones[0].address.to_string();
    world.inject(0, &from, &noise);
    world.run(1500);
    let heard = &world.phones[2].heard;
    let last = &heard[heard.len() - 4000..];
    let power: f64 = last.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    let rms = (power / 4000.0).sqrt();
    assert!((200.0..500.0).contains(&rms), "−40 dBov is 328, heard {rms}");
}

#[test]
fn who_asks_for_nothing_in_pauses_by_opus_is_sent_little_in_them_and_the_first_word_in_time() {
    let mut world = room(&[(Pcmu, 400.0), (Opus, 0.0), (Opus, 0.0)]);
    let (leg, address) = (world.phones[1].leg, world.phones[1].address);
    let asked = Format { opus: opus::Parameters { dtx: true, ..opus::Parameters::ours() }, ..format(Opus, 20) };
    world.order(MediaCommand::Modify { leg, format: asked, remote: remote(address), security: Security::None });
    world.run(1500);
    for pause in [1000, 5000] {
        assert!(world.phones[1].hears(400.0, 400) > 4000.0, "a voice is sent");
        world.phones[0].amplitude = 0.0;
        // The voice is on its way, and the encoder listens for a while whether it goes on.
        world.run(500);
        let sent = [1, 2].map(|phone| world.phones[phone].packets.len());
        world.run(pause);
        let sent = [1, 2].map(|phone| world.phones[phone].packets.len() - sent[phone - 1]);
        // Each 400 ms a description of the silence, and none of two bytes, which says nothing.
        println!("of {} packets in {pause} ms, {} were sent to who asked", pause / 20, sent[0]);
        assert!(sent[0] >= pause as usize / 500 && sent[0] <= pause as usize / 200, "{} of {pause} ms", sent[0]);
        assert!(sent[1] >= pause as usize / 20 - 1, "who did not ask is sent all: {}", sent[1]);
        world.phones[0].amplitude = 6000.0;
        let (now, packets) = (world.now, [1, 2].map(|phone| world.phones[phone].packets.len()));
        world.run(500);
        // The first packet with sound is as late for one as for the other, and marked as a beginning.
        let loud = |phone: usize| {
            let after = &world.phones[phone].packets[packets[phone - 1]..];
            let (at, header, _) = after.iter().find(|(_, _, length)| *length > 40).unwrap();
            (at.since(now), *header)
        };
        let ((asked, header), (other, _)) = (loud(1), loud(2));
        println!("sound is sent after {asked:?}, to the other after {other:?}");
        assert!(
            asked <= other + std::time::Duration::from_millis(20) && asked.as_millis() <= 60,
            "{asked:?}, {other:?}"
        );
        assert!(header.marker, "a beginning");
        world.run(500);
    }
    // Nothing is missing by its numbers, and the clock went on in the pauses.
    let headers: Vec<_> = world.phones[1].packets.iter().map(|(at, header, _)| (*at, *header)).collect();
    for pair in headers.windows(2).skip(100) {
        let [(before, one), (after, two)] = pair else { unreachable!() };
        assert_eq!(two.sequence, one.sequence.wrapping_add(1));
        let units = u128::from(two.timestamp.wrapping_sub(one.timestamp));
        assert_eq!(units, after.since(*before).as_millis() * 48, "{before:?}");
    }
    let figures = world.figures(1);
    assert_eq!(figures.sent, headers.len() as u64);
}
