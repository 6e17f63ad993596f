//! A telephone that goes silent, begins anew or moves: by its tone, how long the others do not hear it. Between two, whose packets
//! go on as they come, and among three, where they are mixed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

mod media_support;

use std::net::SocketAddr;

use media_support::{Coder, World, amplitude_at, format, number, remote};
use ringlift::media::command::{Format, MediaCommand, Security};
use ringlift::wire::codec::Codec::{self, G722, Opus, Pcma, Pcmu};
use ringlift::wire::codec::opus;

const TONE: f32 = 400.0;

/// The longest that may be missing.
const MOST: usize = 60;

/// One talks, one of the same codec listens; with a third it is a mix.
fn room(codec: Codec, people: usize, behind_nat: bool) -> World {
    let mut world = World::new();
    for (tone, codec) in [(TONE, codec), (0.0, codec), (0.0, Pcma)].into_iter().take(people) {
        world.call(tone, codec, 20, 20);
    }
    if behind_nat {
        world.phones[0].address.set_port(61_000);
    }
    (0..people).for_each(|phone| world.join(phone));
    world.run(2000);
    world
}

/// Every codec, between two and among three.
fn everywhere(mut check: impl FnMut(Codec, usize)) {
    for codec in Codec::ALL {
        (2..=3).for_each(|people| check(codec, people));
    }
}

/// Windows of 10 ms, one each millisecond, in which the tone is missing.
fn missing(heard: &[i16], rate: u32) -> impl Iterator<Item = bool> + '_ {
    let step = rate as usize / 1000;
    heard.windows(10 * step).step_by(step).map(move |window| amplitude_at(window, TONE, rate) < 4000.0)
}

/// Milliseconds for which the tone was missing at most, since the listener had heard so much.
fn longest_gap(world: &World, from: usize) -> usize {
    let phone = &world.phones[1];
    let (mut most, mut run) = (0, 0);
    for missing in missing(&phone.heard[from..], phone.codec.sample_rate()) {
        run = if missing { run + 1 } else { 0 };
        most = most.max(run);
    }
    most
}

/// Milliseconds from the moment at which its first packet left until the listener hears the tone, for 10 ms of it.
fn until_heard(world: &mut World) -> usize {
    let said = world.phones[0].said.len();
    while world.phones[0].said.len() == said {
        world.run(5);
    }
    let from = world.phones[1].heard.len();
    world.run(300);
    let phone = &world.phones[1];
    let heard = missing(&phone.heard[from..], phone.codec.sample_rate()).position(|missing| !missing);
    heard.expect("it is heard again") + 10
}

fn modify(world: &mut World, format: Format, address: SocketAddr) {
    let leg = world.phones[0].leg;
    world.order(MediaCommand::Modify { leg, format, remote: remote(address), security: Security::None });
}

#[test]
fn who_goes_silent_is_heard_60_ms_after_coming_back() {
    everywhere(|codec, people| {
        for pause in [70, 300, 3000, 20_000] {
            for clock_stands in [false, true] {
                let mut world = room(codec, people, false);
                if clock_stands {
                    world.phones[0].pause_route(pause);
                } else {
                    world.phones[0].sends = false;
                }
                world.run(pause);
                world.phones[0].sends = true;
                let back = until_heard(&mut world);
                assert!(back <= MOST, "{codec:?}, {people}, {pause} ms, clock stands {clock_stands}: {back} ms");
                let from = world.phones[1].heard.len();
                world.run(1000);
                assert_eq!(longest_gap(&world, from), 0, "and from then on whole");
            }
        }
    });
}

#[test]
fn who_begins_anew_is_missing_for_60_ms_at_most_whatever_begins_anew() {
    type Change = (&'static str, fn(&mut media_support::Phone));
    let changes: [Change; 9] = [
        ("source", |phone| phone.ssrc = 999_999),
        ("source and clock", |phone| (phone.ssrc, phone.first_timestamp) = (999_999, 123_456)),
        ("clock", |phone| phone.first_timestamp = 123_456_789),
        ("clock, half a second back", |phone| {
            phone.first_timestamp = phone.first_timestamp.wrapping_sub(phone.codec.clock_rate() / 2)
        }),
        ("clock, a moment on", |phone| {
            phone.first_timestamp = phone.first_timestamp.wrapping_add(phone.codec.clock_rate() / 4)
        }),
        ("numbers, a few back", |phone| phone.sequence = phone.sequence.wrapping_sub(5)),
        ("numbers, some back", |phone| phone.sequence = phone.sequence.wrapping_sub(63)),
        ("numbers, a hundred back", |phone| phone.sequence = phone.sequence.wrapping_sub(100)),
        ("clock, a moment back", |phone| {
            phone.first_timestamp = phone.first_timestamp.wrapping_sub(phone.codec.clock_rate() / 10)
        }),
    ];
    everywhere(|codec, people| {
        for (what, change) in changes {
            let mut world = room(codec, people, false);
            let from = world.phones[1].heard.len();
            change(&mut world.phones[0]);
            world.run(1000);
            let gap = longest_gap(&world, from);
            println!("{codec:?}, {people}, {what}: {gap} ms");
            assert!(gap <= MOST, "{codec:?}, {people}, {what}: {gap} ms");
        }
    });
}

#[test]
fn another_source_with_an_encoder_of_its_own_is_no_bang() {
    for tone in [400.0, 900.0] {
        let mut world = World::new();
        for (tone, codec) in [(tone, Codec::G722), (0.0, Codec::G722), (0.0, Codec::Pcma)] {
            let phone = world.call(tone, codec, 20, 20);
            world.join(phone);
        }
        world.run(3000);
        let loudest = |heard: &[i16]| heard.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        let from = world.phones[1].heard.len();
        let before = loudest(&world.phones[1].heard[from - 16_000..]);
        world.phones[0].ssrc = 999_999;
        world.phones[0].first_timestamp = 123_456;
        world.phones[0].coder = media_support::Coder::new(Codec::G722);
        world.run(1000);
        let after = loudest(&world.phones[1].heard[from..]);
        println!("{tone} Hz: {before} before, {after} after");
        assert!(before > 3000 && after < before + before / 4, "{tone} Hz: {before} before, {after} after");
    }
}

#[test]
fn who_moves_by_another_offer_is_missing_for_60_ms_at_most_with_packets_still_on_the_way_from_the_old_place() {
    everywhere(|codec, people| {
        for behind_nat in [false, true] {
            for host in ["192.0.2.1", "198.51.100.77"] {
                if behind_nat && host != "192.0.2.1" {
                    // Nothing from there is allowed where it does not come from the very address.
                    continue;
                }
                let mut world = room(codec, people, behind_nat);
                let from = world.phones[1].heard.len();
                let said: SocketAddr = format!("{host}:5002").parse().unwrap();
                modify(&mut world, format(codec, 20), said);
                // It waits for our answer.
                world.run(100);
                world.phones[0].address = said;
                if behind_nat {
                    world.phones[0].address.set_port(61_002);
                }
                world.run(3000);
                let gap = longest_gap(&world, from);
                println!("{codec:?}, {people}, NAT {behind_nat}, {host}: {gap} ms");
                assert!(gap <= MOST, "{codec:?}, {people}, NAT {behind_nat}, {host}: {gap} ms");
                assert_eq!(world.figures(0).strangers, 0);
            }
        }
    });
}

#[test]
fn a_payload_type_agreed_anew_costs_nothing_and_what_is_on_the_way_has_the_old_one() {
    everywhere(|codec, people| {
        let mut world = room(codec, people, false);
        let from = world.phones[1].heard.len();
        let agreed = Format { receive_payload_type: 120, ..format(codec, 20) };
        let address = world.phones[0].address;
        modify(&mut world, agreed, address);
        world.run(100);
        world.phones[0].kind = Some(120);
        world.run(1000);
        assert_eq!(longest_gap(&world, from), 0, "{codec:?}, {people}");
        assert_eq!(world.figures(0).malformed, 0);
    });
}

#[test]
fn a_codec_agreed_anew_is_heard_within_60_ms() {
    for (before, after) in [(Pcmu, G722), (G722, Opus), (Opus, Pcma), (Pcma, Pcmu)] {
        for people in 2..=3 {
            let mut world = room(before, people, false);
            let from = world.phones[1].heard.len();
            let address = world.phones[0].address;
            modify(&mut world, format(after, 20), address);
            let phone = &mut world.phones[0];
            (phone.codec, phone.coder) = (after, Coder::new(after));
            // Its clock may count in another unit from here on.
            phone.kind = Some(number(after));
            world.run(1000);
            let gap = longest_gap(&world, from);
            println!("{before:?} to {after:?}, {people}: {gap} ms");
            assert!(gap <= MOST, "{before:?} to {after:?}, {people}: {gap} ms");
        }
    }
}

fn loudness(samples: &[i16]) -> f32 {
    (samples.iter().map(|sample| f32::from(*sample).powi(2)).sum::<f32>() / samples.len().max(1) as f32).sqrt()
}

/// Speech with pauses of two seconds, whose sender sends nothing in them (Opus with DTX), and the noise of its room.
#[test]
fn who_sends_nothing_in_pauses_by_opus_is_heard_from_the_first_sound_on_without_a_click_and_nothing_counts_as_lost() {
    let mut world = World::new();
    for codec in [Opus, Pcmu, Pcma] {
        let phone = world.call(0.0, codec, 20, 20);
        world.join(phone);
    }
    world.phones[0].sends = false;
    let parameters = opus::Parameters { dtx: true, ..opus::Parameters::ours() };
    let mut encoder = opus::Encoder::new(&parameters);
    let mut chance = 1u32;
    let mut noise = move || {
        chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((chance >> 16) as i16) / 105
    };
    let (mut reference, mut left_out, mut timestamp) = (Vec::new(), 0, 5000u32);
    // What libopus by itself makes of it.
    let mut decoder = opus::Decoder::default();
    let own = world.phones[0].address.to_string();
    // Two seconds of its room, one of a voice; thrice.
    let frames = 450u32;
    for frame in 0..frames {
        let voice = frame % 150 >= 100;
        let samples: Vec<i16> = (0..960)
            .map(|n| {
                let at = (frame * 960 + n) as f32 / 48_000.0;
                let hum =
                    (1..=5).map(|k| (std::f32::consts::TAU * 150.0 * k as f32 * at).sin() / k as f32).sum::<f32>();
                // Syllables.
                let envelope = 0.6 + 0.4 * (std::f32::consts::TAU * 4.0 * at).cos();
                (if voice { hum * envelope * 5000.0 } else { 0.0 }) as i16 + noise()
            })
            .collect();
        let (mut packet, mut decoded) = ([0; 1275], [0i16; 960]);
        let length = encoder.encode(&samples, &mut packet);
        if length > 2 {
            // Its numbers go on without a hole: what was not sent has none.
            let bytes = world.phones[0].packet(false, number(Opus), timestamp, &packet[..length]);
            world.inject(0, &own, &bytes);
            decoder.decode(&packet[..length], &mut decoded);
        } else {
            left_out += 1;
            decoder.conceal(&mut decoded);
        }
        reference.push(loudness(&decoded));
        timestamp = timestamp.wrapping_add(960);
        world.run(20);
    }
    assert!(left_out > 100, "the encoder was silent in pauses: {left_out}");
    let figures = world.figures(0);
    println!("left out {left_out}, {figures:?}");
    assert_eq!((figures.lost, figures.concealed, figures.late), (0, 0, 0), "{figures:?}");
    assert_eq!(figures.clicks, 0);
    // By frames of 20 ms: how loud it is.
    let heard = &world.phones[1].heard;
    let loud: Vec<f32> = heard.chunks_exact(160).map(loudness).collect();
    // Between leaving and being heard lie our clock and the codec: the same for each word.
    let begins: Vec<usize> =
        (1..loud.len()).filter(|n| loud[*n] > 800.0 && (n.saturating_sub(20)..*n).all(|m| loud[m] < 800.0)).collect();
    println!("begins {begins:?}");
    assert_eq!(begins.len(), 3, "{begins:?}");
    assert_eq!((begins[1] - begins[0], begins[2] - begins[1]), (150, 150), "each word comes when it was said");
    for begin in &begins {
        // Its first 100 ms are as loud as libopus makes them; our ticks lie anywhere in its frames.
        let (heard, made) = (&loud[*begin..begin + 5], &reference[*begin..begin + 5]);
        let (all, wanted) = (heard.iter().sum::<f32>(), made.iter().sum::<f32>());
        println!("{heard:?}, libopus {made:?}");
        assert!(all > wanted * 0.85 && all < wanted * 1.15, "{heard:?}, libopus {made:?}");
        assert!(heard[0] > made[0] * 0.6, "the first 20 ms: {heard:?}, libopus {made:?}");
    }
    for pause in [begins[0] + 70..begins[1] - 7, begins[1] + 70..begins[2] - 7] {
        // No dead frame between two descriptions of the noise, and as loud as libopus makes the part of it that 8 kHz carry.
        for from in pause {
            let sum = |loud: &[f32]| loud[from..from + 5].iter().sum::<f32>();
            let (heard, made) = (sum(&loud), sum(&reference));
            assert!(
                heard > made * 0.3 && heard < made * 0.8 && loud[from] > 10.0,
                "frame {from}: {heard}, libopus {made}"
            );
        }
    }
    let steps = heard.windows(3).map(|w| (i32::from(w[0]) - 2 * i32::from(w[1]) + i32::from(w[2])).abs());
    let in_pause = steps.enumerate().filter(|(n, _)| !(begins.iter().any(|b| (b * 160..(b + 60) * 160).contains(n))));
    assert!(in_pause.map(|(_, step)| step).max() < Some(1500), "no click");
}
