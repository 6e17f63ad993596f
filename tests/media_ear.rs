//! What the golden ear hears (docs/sound.md), as far as a test has time for it: `cargo bench --bench ear` is the whole of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

#[path = "../benches/ear/kit/mod.rs"]
mod kit;
mod media_support;

use kit::lab::{self, Network};
use kit::score::{Score, score};
use kit::{speech, tone};
use media_support::{World, amplitude_at, format, number, remote, strangeness};
use ringlift::base::Rng;
use ringlift::media::Rate;
use ringlift::media::command::{MediaCommand, Security};
use ringlift::media::playout::Playout;
use ringlift::wire::codec::Codec::{self, G722, Opus, Pcma, Pcmu};

/// Ten minutes at 100 ppm are 60 ms of drift; so is half a minute at 2000.
fn drifts_without_a_flaw(codec: Codec) {
    let rate = Rate::of(codec);
    for drift in [2000, -2000] {
        let network = Network { drift, ..Network::default() };
        let heard = lab::listen(codec, network, 1500, 1, |n, frame| tone::fill(437.0, rate, n, frame));
        let second = rate.samples() * 50;
        let flaws = tone::flaws(&heard.samples[second..heard.samples.len() - second], 437.0, rate);
        println!("{codec:?} at {drift} ppm: {flaws:?}, pause {} ms", heard.pause);
        assert_eq!((flaws.clicks, flaws.gap_ms), (0, 0), "{codec:?} at {drift} ppm: {flaws:?}");
        assert_eq!(heard.pause, 20);
    }
}

#[test]
fn a_tone_has_no_click_and_no_gap_while_60_ms_of_drift_are_made_up_for_in_g711() {
    drifts_without_a_flaw(Pcmu);
    drifts_without_a_flaw(Pcma);
}

#[test]
fn a_tone_has_no_click_and_no_gap_while_60_ms_of_drift_are_made_up_for_in_g722() {
    drifts_without_a_flaw(G722);
}

#[test]
fn a_tone_has_no_click_and_no_gap_while_60_ms_of_drift_are_made_up_for_in_opus() {
    drifts_without_a_flaw(Opus);
}

fn hear(said: &[i16], codec: Codec, network: Network) -> Score {
    let rate = Rate::of(codec);
    let heard = lab::listen(codec, network, (said.len() / rate.samples()) as u64, 1, |index, frame| {
        frame.copy_from_slice(&said[index as usize * frame.len()..][..frame.len()]);
    });
    score(said, &heard.samples, rate, heard.left, network.drift)
}

/// The margins that docs/sound.md states.
fn speech_is_within_its_margin(codec: Codec, of_loss: f64, of_jitter: f64, least: f64) {
    let said = speech::speech(Rate::of(codec), 10);
    let clean = hear(&said, codec, Network::default());
    let lossy = hear(&said, codec, Network { lost: 50, ..Network::default() });
    let jittery = hear(&said, codec, Network { jitter: 40, ..Network::default() });
    println!("{codec:?}: clean {clean:?}\nloss {lossy:?}\njitter {jittery:?}");
    assert!(clean.likeness > least && clean.clicks == 0.0 && clean.gaps == 0.0, "{clean:?}");
    assert!(clean.likeness - lossy.likeness < of_loss, "{} to {}", clean.likeness, lossy.likeness);
    assert!(clean.likeness - jittery.likeness < of_jitter, "{} to {}", clean.likeness, jittery.likeness);
    assert!(jittery.gaps == 0.0 && jittery.clicks == 0.0, "{jittery:?}");
    // The buffer's own share of 40 ms of jitter.
    assert!(jittery.delay.1 < clean.delay.1 + 65.0, "{} ms", jittery.delay.1);
}

#[test]
fn speech_at_5_percent_loss_and_at_40_ms_jitter_is_within_its_margin_in_g711() {
    speech_is_within_its_margin(Pcmu, 0.06, 0.01, 0.98);
}

#[test]
fn speech_at_5_percent_loss_and_at_40_ms_jitter_is_within_its_margin_in_g722() {
    speech_is_within_its_margin(G722, 0.06, 0.01, 0.97);
}

#[test]
fn speech_at_5_percent_loss_and_at_40_ms_jitter_is_within_its_margin_in_opus() {
    speech_is_within_its_margin(Opus, 0.03, 0.01, 0.92);
}

/// One talks, one listens, one makes it a mix.
fn room(codec: Codec) -> World {
    let mut world = World::new();
    world.call(420.0, codec, 20, 20);
    world.call(0.0, Pcmu, 20, 20);
    world.call(0.0, Pcma, 20, 20);
    (0..3).for_each(|phone| world.join(phone));
    world.run(2000);
    world
}

/// Milliseconds until the listener hears the tone for 10 ms.
fn until_heard(world: &mut World) -> usize {
    let from = world.phones[1].heard.len();
    world.run(200);
    let windows = world.phones[1].heard[from..].windows(80).step_by(8);
    let heard = windows.map(|window| amplitude_at(window, 420.0, 8000)).position(|loud| loud > 4000.0);
    heard.expect("it is heard again") + 10
}

#[test]
fn a_phone_that_went_silent_is_heard_within_60_ms_of_its_return() {
    for codec in Codec::ALL {
        for pause in [300, 3000, 20_000] {
            let mut world = room(codec);
            world.phones[0].sends = false;
            world.run(pause);
            world.phones[0].sends = true;
            let back = until_heard(&mut world);
            assert!(back <= 60, "{codec:?} after {pause} ms: {back} ms");
        }
    }
}

#[test]
fn a_phone_that_changes_its_source_is_heard_on_within_60_ms() {
    for codec in Codec::ALL {
        let mut world = room(codec);
        world.phones[0].ssrc = 999_999;
        world.phones[0].first_timestamp = 123_456;
        let back = until_heard(&mut world);
        assert!(back <= 60, "{codec:?}: {back} ms");
        assert!(world.phones[1].hears(420.0, 100) > 5000.0);
    }
}

#[test]
fn a_phone_that_changes_its_port_by_another_offer_is_heard_on_within_60_ms() {
    for codec in Codec::ALL {
        let mut world = room(codec);
        let leg = world.phones[0].leg;
        let address = std::net::SocketAddr::new(world.phones[0].address.ip(), 5002);
        world.order(MediaCommand::Modify {
            leg,
            format: format(codec, 20),
            remote: remote(address),
            security: Security::None,
        });
        world.phones[0].address = address;
        let back = until_heard(&mut world);
        assert!(back <= 60, "{codec:?}: {back} ms");
        let there = world.phones[0].packets.len();
        world.run(100);
        assert!(world.phones[0].packets.len() >= there + 5, "and hears on");
    }
}

#[test]
fn the_first_sound_of_a_new_speaker_is_as_loud_as_those_that_follow() {
    for codec in Codec::ALL {
        let mut world = World::new();
        world.call(420.0, codec, 20, 20);
        world.call(0.0, Pcmu, 20, 20);
        world.call(0.0, Pcma, 20, 20);
        world.phones[0].amplitude = 0.0;
        (0..3).for_each(|phone| world.join(phone));
        world.run(1000);
        let from = world.phones[1].heard.len();
        world.phones[0].amplitude = 6000.0;
        world.run(400);
        let heard = &world.phones[1].heard[from..];
        let begins = heard.iter().position(|sample| sample.abs() > 500).expect("it is heard");
        let first = &heard[begins..begins + 160];
        let loud = amplitude_at(first, 420.0, 8000);
        assert!(loud > 5000.0, "{codec:?}: {loud} in its first 20 ms");
    }
}

#[test]
fn whoever_talks_alone_is_never_cut_however_softly() {
    let said: Vec<i16> = speech::speech(Rate::Narrow, 10).iter().map(|sample| sample / 8).collect();
    let soft = hear(&said, Pcmu, Network::default());
    assert!(soft.gaps == 0.0 && soft.likeness > 0.9, "{soft:?}");
}

/// What a phone that is broken, or means harm, sends in one go from its own address.
fn nonsense(world: &mut World, rng: &mut Rng, turn: u64) -> Vec<u8> {
    let codec = world.phones[0].codec;
    let mut noise = [0u8; 1500];
    rng.fill(&mut noise);
    let phone = &mut world.phones[0];
    let timestamp = phone.timestamp();
    match turn % 9 {
        // Payload types that nobody agreed on.
        0 => phone.packet(false, 96 + (rng.below(30) as u8 & 7), timestamp, &noise[..160]),
        // Leaps of the timestamp, of the sequence number, and another source each time.
        1 => phone.packet(true, number(codec), timestamp.wrapping_add(rng.below(1 << 32) as u32), &[0xd5; 160]),
        2 => {
            let mut packet = phone.packet(false, number(codec), timestamp, &[0xff; 160]);
            packet[2..4].copy_from_slice(&noise[..2]);
            packet
        }
        3 => {
            let mut packet = phone.packet(false, number(codec), timestamp, &[0xff; 160]);
            packet[8..12].copy_from_slice(&noise[..4]);
            packet
        }
        4 => noise[..1].to_vec(),
        5 => phone.packet(false, number(codec), timestamp, &noise[..1488]),
        // Keys of any kind, each with a timestamp of its own.
        6 => phone.packet(true, 101, timestamp.wrapping_add(rng.below(1 << 32) as u32), &noise[..4]),
        7 => phone.packet(false, 13, timestamp, &noise[..rng.below(40) as usize]),
        _ => noise[..rng.below(1500) as usize].to_vec(),
    }
}

#[test]
fn whatever_a_broken_phone_sends_the_others_hear_each_other_without_a_flaw() {
    for codec in Codec::ALL {
        let mut world = World::new();
        world.call(0.0, codec, 20, 20);
        world.call(420.0, Pcmu, 20, 20);
        world.call(0.0, Pcma, 20, 20);
        (0..3).for_each(|phone| world.join(phone));
        // It is muted, as its host would: what counts is that nothing of it comes by another way.
        world.order(MediaCommand::Mute { leg: world.phones[0].leg, muted: true });
        world.run(1000);
        world.listen_anew();
        let mut rng = Rng::from_number(11);
        let own = world.phones[0].address.to_string();
        for turn in 0..1000 {
            for n in 0..9 {
                let packet = nonsense(&mut world, &mut rng, n);
                world.inject(0, &own, &packet);
                world.inject(0, &format!("203.0.113.9:{}", 1024 + rng.below(60_000)), &packet);
                // And whoever is neither of them, at the leg of one who talks.
                world.inject(1, &format!("198.51.100.7:{}", 1024 + rng.below(60_000)), &packet);
            }
            world.run(if turn % 4 == 0 { 20 } else { 5 });
        }
        let heard = &world.phones[2].heard[1600..];
        assert!(heard.len() > 7 * 8000);
        for (index, window) in heard.chunks_exact(160).enumerate() {
            let strange = strangeness(window, 420.0);
            assert!(strange < 0.02, "{codec:?}: {strange} in window {index}");
        }
        assert_eq!(world.figures(1).concealed, 0);
        assert!(world.figures(0).delay_ms < 500.0, "{:?}", world.figures(0));
    }
}

#[test]
fn nothing_that_comes_makes_a_buffer_stop_or_run_away() {
    for codec in Codec::ALL {
        let mut playout = Playout::new(codec);
        let mut rng = Rng::from_number(codec.clock_rate().into());
        let mut frame = vec![0; Rate::of(codec).samples()];
        let mut payload = [0u8; 1275];
        let (mut now, mut timestamp) = (1_000_000i64, 0u32);
        for _ in 0..20_000 {
            if rng.below(200) == 0 {
                timestamp = rng.below(1 << 32) as u32;
            }
            timestamp = timestamp.wrapping_add(codec.clock_rate() / 50);
            for _ in 0..rng.below(3) {
                let length = match rng.below(4) {
                    0 => rng.below(3) as usize,
                    1 => rng.below(800) as usize,
                    _ => 160,
                };
                rng.fill(&mut payload[..length.min(8)]);
                let stamp = timestamp.wrapping_add(rng.below(5) as u32 * 480).wrapping_sub(rng.below(2) as u32 * 960);
                if let Some(duration) = playout.duration(&payload[..length]) {
                    playout.insert(stamp, duration, &payload[..length], now - rng.below(160) as i64);
                }
            }
            match rng.below(40) {
                0 => playout.insert_silence(timestamp, Some(&payload[..11])),
                1 => playout.reset(),
                2 => playout.forget(),
                3 => drop(playout.recall(None)),
                _ => {}
            }
            now += 160;
            match rng.below(6) {
                0 => playout.skip(now),
                1 => playout.silent(now, &mut frame),
                2 => {
                    playout.level(now, rng.below(2) == 0);
                }
                _ => {
                    playout.take(now, &mut frame);
                }
            }
        }
        assert!(playout.time().delay() < 8000, "{codec:?}: {}", playout.time().delay());
    }
}
