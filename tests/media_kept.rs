//! What is kept from whom: whispers from those whom they are not meant for, music on hold and echo from everybody; and what is
//! heard of a telephone that sends nothing while its person is silent.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

#[path = "../benches/ear/kit/mod.rs"]
mod kit;
mod media_support;

use std::time::Duration;

use kit::speech;
use media_support::{ROOM, World, amplitude_at, format, remote};
use ringlift::base::{ParticipantId, Rng};
use ringlift::media::Rate;
use ringlift::media::audience::Audience;
use ringlift::media::command::{Direction, Format, MediaCommand, MediaEvent, Security, Treatment};
use ringlift::media::music::Music;
use ringlift::wire::codec::Codec::{self, G722, Opus, Pcma, Pcmu};

const TONES: [f32; 3] = [420.0, 620.0, 900.0];
const CUSTOMER: usize = 0;
const AGENT: usize = 1;
const COACH: usize = 2;

fn person(phone: usize) -> ParticipantId {
    ParticipantId::from_bits(phone as u64 + 1)
}

/// Whom a telephone's voice is meant for.
fn direct(world: &mut World, phone: usize, audience: Option<Audience>) {
    let leg = world.phones[phone].leg;
    world.order(MediaCommand::Direct { leg, audience });
}

/// A customer, an agent, a coach.
fn call(codecs: [Codec; 3]) -> World {
    let mut world = World::new();
    for (tone, codec) in TONES.into_iter().zip(codecs) {
        let phone = world.call(tone, codec, 20, 20);
        world.join(phone);
    }
    world
}

fn heard(world: &World) -> [[f32; 3]; 3] {
    [0, 1, 2].map(|phone| TONES.map(|tone| world.phones[phone].hears(tone, 500)))
}

#[test]
fn a_coach_hears_both_the_agent_hears_the_coach_and_the_customer_does_not() {
    for codecs in [[Pcmu, Pcma, Pcmu], [Pcma, G722, Opus], [Opus, Opus, Opus], [G722, Pcmu, G722]] {
        let mut world = call(codecs);
        // Before anybody heard a word.
        direct(&mut world, COACH, Some(Audience::new(&[person(AGENT)], 0)));
        world.run(2000);
        let [customer, agent, coach] = heard(&world);
        let loud = |heard: f32| (4500.0..7500.0).contains(&heard);
        assert!(loud(customer[AGENT]) && customer[COACH] < 100.0, "{codecs:?}: the customer hears {customer:?}");
        assert!(loud(agent[CUSTOMER]) && loud(agent[COACH]) && agent[AGENT] < 100.0, "{codecs:?}: the agent {agent:?}");
        assert!(loud(coach[CUSTOMER]) && loud(coach[AGENT]) && coach[COACH] < 100.0, "{codecs:?}: the coach {coach:?}");
        let all = &world.phones[CUSTOMER].heard;
        let most =
            all.chunks_exact(160).map(|frame| amplitude_at(frame, TONES[COACH], world.phones[0].codec.sample_rate()));
        let most = most.fold(0.0f32, f32::max);
        assert!(world.phones[CUSTOMER].codec != Pcmu || most < 1000.0, "not for a moment: {most}");
        // Now everybody hears the coach; and then the customer as from afar.
        direct(&mut world, COACH, None);
        world.run(1000);
        assert!(loud(heard(&world)[CUSTOMER][COACH]), "{codecs:?}");
        direct(&mut world, COACH, Some(Audience::new(&[person(AGENT)], 25)));
        world.run(1000);
        let [customer, agent, _] = heard(&world);
        assert!((1100.0..1900.0).contains(&customer[COACH]), "{codecs:?}: {customer:?}");
        assert!(loud(customer[AGENT]) && loud(agent[COACH]) && loud(agent[CUSTOMER]), "{codecs:?}");
    }
}

/// The loudest that a telephone of G.711 heard of a tone in any frame.
fn loudest(world: &World, phone: usize, tone: f32) -> f32 {
    let frames = world.phones[phone].heard.chunks_exact(160);
    frames.map(|frame| amplitude_at(frame, tone, 8000)).fold(0.0, f32::max)
}

#[test]
fn who_comes_in_whispering_and_comes_back_from_a_hold_is_not_heard_by_others_for_a_single_frame() {
    // Tones of which a frame of 20 ms holds whole periods.
    const TONES: [f32; 3] = [400.0, 600.0, 900.0];
    for wait in [0, 5, 10, 15] {
        let mut world = World::new();
        for (tone, codec) in TONES.into_iter().zip([Pcmu, Pcma, Pcmu]) {
            world.call(tone, codec, 20, 20);
        }
        world.join(CUSTOMER);
        world.join(AGENT);
        world.phones[AGENT].sends = false;
        world.run(1000 + wait);
        let (leg, address) = (world.phones[COACH].leg, world.phones[COACH].address);
        let audience = Some(Audience::new(&[person(AGENT)], 0));
        let join =
            MediaCommand::Join { leg, room: ROOM, participant: person(COACH), muted: false, keys: true, audience };
        world.order(join.clone());
        world.run(1000 + wait);
        assert!(world.phones[AGENT].hears(TONES[COACH], 500) > 4500.0);
        // We hold the coach, and take him back.
        world.order(MediaCommand::Leave { leg });
        world.run(500 + wait);
        assert!(world.phones[AGENT].hears(TONES[COACH], 200) < 50.0);
        world.order(join);
        world.run(500 + wait);
        // His telephone holds us, and comes back.
        for direction in [Direction::RecvOnly, Direction::SendRecv] {
            let format = Format { direction, ..format(Pcmu, 20) };
            world.order(MediaCommand::Modify { leg, format, remote: remote(address), security: Security::None });
            world.run(500 + wait);
        }
        assert!(world.phones[AGENT].hears(TONES[COACH], 300) > 4500.0);
        let most = loudest(&world, CUSTOMER, TONES[COACH]);
        assert!(most < 100.0, "the customer hears {most} of the coach");
        // An audience ends with its place: who joins without one is heard by all.
        let participant = person(COACH);
        world.order(MediaCommand::Leave { leg });
        let all = MediaCommand::Join { leg, room: ROOM, participant, muted: false, keys: true, audience: None };
        world.order(all);
        world.run(500);
        assert!(world.phones[CUSTOMER].hears(TONES[COACH], 200) > 4500.0);
    }
}

#[test]
fn of_two_people_one_who_speaks_to_nobody_here_is_not_passed_on_either() {
    let mut world = World::new();
    for tone in [420.0, 620.0] {
        let phone = world.call(tone, Pcmu, 20, 20);
        world.join(phone);
    }
    world.run(1000);
    assert!(world.phones[1].hears(420.0, 200) > 5000.0);
    direct(&mut world, 0, Some(Audience::new(&[person(7)], 0)));
    world.run(1000);
    assert!(world.phones[1].hears(420.0, 500) < 50.0);
    assert!(world.phones[0].hears(620.0, 500) > 5000.0, "and hears on");
    direct(&mut world, 0, None);
    world.run(1000);
    assert!(world.phones[1].hears(420.0, 500) > 5000.0);
}

#[test]
fn what_browsers_are_sent_of_a_whisper_names_whom_it_is_meant_for() {
    let mut world = call([Pcmu, Pcma, Pcmu]);
    world.browse(0.0);
    world.browse(1200.0);
    (0..2).for_each(|browser| world.enter(browser));
    let audience = Some(Audience::new(&[world.browsers[0].participant], 0));
    direct(&mut world, COACH, audience);
    let (leg, for_agent) = (world.browsers[1].leg, Some(Audience::new(&[person(AGENT)], 0)));
    world.order(MediaCommand::Direct { leg, audience: for_agent });
    world.run(2000);
    let of = |participant: ParticipantId| {
        let frames = world.browsers[0].frames.iter().map(|(_, frame)| frame);
        frames.filter(move |frame| frame.participant == participant).collect::<Vec<_>>()
    };
    let coach = of(person(COACH));
    assert!(coach.len() > 80 && coach.iter().all(|frame| frame.audience == audience), "{}", coach.len());
    assert!(of(person(AGENT)).iter().all(|frame| frame.audience.is_none()));
    // A browser's whisper reaches the telephone that it is for.
    assert!(world.phones[AGENT].hears(1200.0, 500) > 4500.0);
    assert!(world.phones[CUSTOMER].hears(1200.0, 500) < 100.0);
}

fn treat(world: &mut World, phone: usize, treatment: Treatment) {
    let leg = world.phones[phone].leg;
    world.order(MediaCommand::Treat { leg, treatment });
}

fn loudness(samples: &[i16]) -> f32 {
    (samples.iter().map(|sample| f32::from(*sample).powi(2)).sum::<f32>() / samples.len().max(1) as f32).sqrt()
}

/// How loud the last so many milliseconds are for a telephone.
fn hears(world: &World, phone: usize, milliseconds: usize) -> f32 {
    let phone = &world.phones[phone];
    let span = milliseconds * phone.codec.sample_rate() as usize / 1000;
    loudness(&phone.heard[phone.heard.len().saturating_sub(span)..])
}

#[test]
fn music_of_one_who_put_the_meeting_on_hold_is_kept_from_it_until_he_speaks_again() {
    for codec in [Pcmu, G722, Opus] {
        let mut world = World::new();
        for codec in [codec, Pcmu, Pcma] {
            let phone = world.call(0.0, codec, 20, 20);
            world.join(phone);
        }
        treat(&mut world, 0, Treatment { music: true, ..Treatment::default() });
        let rate = Rate::of(codec);
        let second = rate.samples() * 50;
        let mut script: Vec<i16> = speech::music(rate).into_iter().cycle().take(20 * second).collect();
        script.extend(speech::speech(rate, 10));
        world.phones[0].script = Some(script);
        world.run(2000);
        assert!(hears(&world, 1, 1000) > 200.0, "{codec:?}: at first");
        world.run(17_000);
        let music = |world: &World| -> Vec<bool> {
            let told = world.events.iter();
            told.filter_map(|(_, event)| if let MediaEvent::Music { heard, .. } = event { Some(*heard) } else { None })
                .collect()
        };
        assert_eq!(music(&world), [true], "{codec:?}");
        assert!(world.figures(0).music);
        assert!(hears(&world, 1, 5000) < 5.0, "{codec:?}: {}", hears(&world, 1, 5000));
        world.run(4000);
        assert_eq!(music(&world), [true, false], "{codec:?}");
        assert!(hears(&world, 1, 2000) > 200.0, "{codec:?}: {}", hears(&world, 1, 2000));
    }
}

/// Every prompt of ours in English, by its name.
fn prompts() -> Vec<(String, Vec<i16>)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts/en");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: std::path::PathBuf| {
        #[allow(clippy::disallowed_methods, reason = "a test reads its own speech")]
        let bytes = std::fs::read(&path).unwrap();
        let samples = ringlift::engine::sound::opus(&bytes, Duration::from_secs(30)).unwrap();
        (path.file_stem().unwrap().to_string_lossy().into_owned(), samples)
    };
    let mut all: Vec<_> = files.map(read).collect();
    all.sort();
    all
}

/// So many decibels louder, in white noise as soft as that.
fn on_a_line(samples: &[i16], louder: f32, noise: f32) -> Vec<i16> {
    let (gain, width) = (10f32.powf(louder / 20.0), 32_768.0 * 10f32.powf(noise / 20.0) * 3f32.sqrt());
    let mut rng = Rng::from_number(5);
    let mut chance = || (rng.below(1 << 16) as f32 / 32_768.0 - 1.0) * width;
    samples.iter().map(|sample| (f32::from(*sample) * gain + chance()) as i16).collect()
}

#[test]
fn whatever_one_says_after_music_is_heard_within_half_a_second_nine_times_in_ten_and_no_music_is() {
    let prompts = prompts();
    let music: Vec<i16> = speech::music(Rate::Narrow).into_iter().cycle().take(60 * 8000).collect();
    let beating = |n: usize| [440.0, 480.0].map(|hertz| (n as f32 / 8000.0 * hertz * std::f32::consts::TAU).sin());
    let sounds = |n: usize| n % (6 * 8000) < 2 * 8000;
    let tone = |n: usize| if sounds(n) { (beating(n).iter().sum::<f32>() * 3000.0) as i16 } else { 0 };
    let ringback: Vec<i16> = (0..60 * 8000).map(tone).collect();
    for (what, before, louder, noise, least) in [
        ("music", &music, 0.0, -90.0, 88),
        ("music", &music, 6.0, -90.0, 89),
        ("music", &music, -12.0, -90.0, 75),
        ("music", &music, 0.0, -50.0, 83),
        ("music", &music, 0.0, -40.0, 80),
        ("ringback", &ringback, 0.0, -90.0, 75),
    ] {
        let mut gate = Music::new(Rate::Narrow);
        let before = on_a_line(before, 0.0, noise);
        let (first, rest) = before.split_at(14 * 8000);
        let told: Vec<bool> = first.chunks_exact(160).filter_map(|frame| gate.hear(frame)).collect();
        assert_eq!(told, [true], "{what} is found in noise of {noise} dBov");
        let mut on = gate.clone();
        assert!(
            rest.chunks_exact(160).all(|frame| on.hear(frame).is_none()),
            "{what} stays so in noise of {noise} dBov"
        );
        let mut late = Vec::new();
        for (name, said) in &prompts {
            let mut gate = gate.clone();
            // Over and over, as one says hello who is not answered.
            let said: Vec<i16> = said.iter().copied().chain(std::iter::repeat_n(0, 6400)).collect();
            let begun = said.iter().position(|sample| sample.unsigned_abs() > 80).unwrap() / 160;
            let said: Vec<i16> = said.into_iter().cycle().take(10 * 8000).collect();
            let mut frames = on_a_line(&said, louder, noise).chunks_exact(160).map(<[i16]>::to_vec).collect::<Vec<_>>();
            frames.drain(..begun);
            let heard = frames.iter().position(|frame| gate.hear(frame) == Some(false));
            late.push((heard.map_or(usize::MAX, |tick| (tick + 1) * 20), name));
        }
        late.sort();
        let at = |percent: usize| late[(late.len() - 1) * percent / 100].0;
        let within = late.iter().filter(|(late, _)| *late <= 500).count() * 100 / late.len();
        let last = late[late.len() - 1];
        println!("{what}, {louder:+} dB, noise {noise}: {within} % within 0.5 s; {} ms, {}, {last:?}", at(50), at(95));
        assert!(within >= least && last.0 <= 5000, "{what}, {louder} dB, noise {noise}: {within} %, {last:?}");
    }
}

#[test]
fn of_two_people_one_hears_the_music_that_the_other_is_played() {
    let mut world = World::new();
    for codec in [Pcmu, Pcma] {
        let phone = world.call(0.0, codec, 20, 20);
        world.join(phone);
    }
    treat(&mut world, 0, Treatment { music: true, ..Treatment::default() });
    world.phones[0].script = Some(speech::music(Rate::Narrow).into_iter().cycle().take(30 * 8000).collect());
    world.run(20_000);
    assert!(hears(&world, 1, 5000) > 200.0);
}

#[test]
fn nobody_who_speaks_is_taken_for_music() {
    for rate in Rate::ALL {
        let mut music = Music::new(rate);
        for (tick, frame) in speech::speech(rate, 60).chunks_exact(rate.samples()).enumerate() {
            assert_eq!(music.hear(frame), None, "{rate:?} in tick {tick}");
        }
    }
}

/// One talks; the second telephone sends back a third of what it hears, and its own person talks after `talks` seconds.
fn echoing(cancels: bool, codec: Codec) -> World {
    let mut world = World::new();
    for codec in [codec, codec, Pcma] {
        let phone = world.call(0.0, codec, 20, 20);
        world.join(phone);
    }
    let rate = Rate::of(codec);
    let second = rate.samples() * 50;
    let treatment = Treatment { echo: cancels, ..Treatment::default() };
    treat(&mut world, 1, treatment);
    world.phones[0].script = Some(speech::speech(rate, 30));
    world.phones[1].script = Some(vec![0; second / 10]);
    let (mut returned, mut told) = (0, 0);
    while world.phones[1].heard.len() < second * 25 {
        world.run(20);
        let phone = &mut world.phones[1];
        let fresh = phone.heard[returned..].iter().map(|sample| sample / 3);
        phone.script.as_mut().unwrap().extend(fresh);
        returned = phone.heard.len();
        let found = world.count(|event| matches!(event, MediaEvent::Echo { .. }));
        if found > told {
            // The gateway orders it again, so that what takes echo out has its memory.
            treat(&mut world, 1, treatment);
            told = found;
        }
    }
    world
}

#[test]
fn echo_that_was_found_is_taken_out_and_who_talks_is_not_softened() {
    for codec in [Pcmu, G722] {
        let (with, without) = (echoing(false, codec), echoing(true, codec));
        // Who talks hears nobody but himself.
        let (before, after) = (hears(&with, 0, 8000), hears(&without, 0, 8000));
        println!("{codec:?}: echo of {before}, then {after}");
        assert!(before > 100.0 && after < before / 10.0, "{codec:?}: {before} to {after}");
        assert!(without.figures(1).echo.is_some(), "and still told");
        let (talker, same) = (hears(&with, 1, 8000), hears(&without, 1, 8000));
        assert!((talker / same - 1.0).abs() < 0.05, "{talker} and {same}");
    }
}

fn quieter(samples: &[i16], by: i16) -> Vec<i16> {
    samples.iter().map(|sample| sample / by).collect()
}

#[test]
fn a_telephone_that_sends_noise_for_its_silence_leaves_neither_a_hole_nor_a_click() {
    for codec in [Pcmu, Pcma, G722] {
        let mut world = World::new();
        for codec in [codec, Pcmu, Pcma] {
            let phone = world.call(0.0, codec, 20, 20);
            world.join(phone);
        }
        let (leg, address) = (world.phones[0].leg, world.phones[0].address);
        let agreed = Format { comfort_noise: Some((13, 13)), ..format(codec, 20) };
        world.order(MediaCommand::Modify { leg, format: agreed, remote: remote(address), security: Security::None });
        // A room with noise of −45 dBov, in which somebody talks for a second.
        let mut chance = 1u32;
        let mut noise = || {
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((chance >> 16) as i16) / 105
        };
        let rate = Rate::of(codec);
        let talk: Vec<i16> = quieter(&speech::speech(rate, 3), 2).iter().map(|sample| sample + noise()).collect();
        world.phones[0].script = Some(talk);
        world.run(3000);
        world.phones[0].sends = false;
        world.listen_anew();
        for _ in 0..3 {
            let timestamp = world.phones[0].timestamp();
            let packet = world.phones[0].packet(false, 13, timestamp, &[45, 127, 127]);
            let from = world.phones[0].address.to_string();
            world.inject(0, &from, &packet);
            world.run(1000);
        }
        let heard = &world.phones[1].heard;
        // From the first frame that can be of the noise on, none is dead and none is loud.
        for (index, frame) in heard.chunks_exact(160).enumerate().skip(6) {
            let loud = loudness(frame);
            assert!((90.0..400.0).contains(&loud), "{codec:?}: {loud} in frame {index}");
        }
        let steps = heard[960..].windows(2).map(|pair| i32::from(pair[1]) - i32::from(pair[0]));
        assert!(steps.map(i32::abs).max() < Some(1500), "{codec:?}");
        assert_eq!(world.figures(0).concealed, 0, "nothing is lost");
        // And is heard again at once when somebody speaks.
        world.phones[0].script = None;
        world.phones[0].tone = 440.0;
        world.phones[0].sends = true;
        world.run(100);
        assert!(world.phones[1].hears(440.0, 20) > 5000.0, "{codec:?}");
    }
}

#[test]
fn noise_in_place_of_our_silence_is_written_as_rfc_3389_has_it_in_every_codec_that_has_it() {
    for codec in [Pcmu, Pcma, G722] {
        let mut world = World::new();
        for index in 0..3 {
            world.call(0.0, codec, 20, 20);
            world.join(index);
        }
        let (leg, address) = (world.phones[0].leg, world.phones[0].address);
        let agreed = Format { comfort_noise: Some((13, 13)), ..format(codec, 20) };
        world.order(MediaCommand::Modify { leg, format: agreed, remote: remote(address), security: Security::None });
        world.run(2000);
        world.listen_anew();
        world.run(4000);
        world.phones[1].tone = 440.0;
        world.run(1000);
        let packets = &world.phones[0].packets;
        let numbers: Vec<u16> = packets.iter().map(|(_, header, _)| header.sequence).collect();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "{codec:?}: no number is left out");
        let first = packets[0];
        for (at, header, length) in packets {
            // A timestamp is the time, through silence as well.
            let passed = at.since(first.0).as_millis() as u32 * 8;
            let stamped = header.timestamp.wrapping_sub(first.1.timestamp);
            assert_eq!(stamped, passed, "{codec:?}");
            assert!(header.payload_type != 13 || (*length == 1 && !header.marker), "{header:?}");
        }
        assert!(world.phones[0].noise.iter().all(|noise| noise.len() == 1 && noise[0] < 128));
        let speech = packets.iter().position(|(_, header, _)| header.payload_type != 13).unwrap();
        assert!(packets[speech].1.marker, "{codec:?}: speech begins with a marker");
        assert!(packets[speech + 1..].iter().all(|(_, header, _)| !header.marker && header.payload_type != 13));
        assert!(world.phones[0].hears(440.0, 500) > 5000.0);
    }
}
