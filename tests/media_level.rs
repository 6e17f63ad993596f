//! What people hear of each other's loudness, keys and noise, and what operators see of how a call sounds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

mod media_support;

use std::f32::consts::TAU;
use std::net::SocketAddr;

use media_support::{Network, World, amplitude_at};
use ringlift::media::command::{Extended, MediaCommand, MediaEvent, Security, Treatment};
use ringlift::media::quality::{Blame, Quality};
use ringlift::wire::codec::Codec;
use ringlift::wire::rtp::rtcp::{Compound, Report, ReportBlock, Writer};
use ringlift::wire::rtp::xr::{Block, VoipMetrics};

/// A telephone's own report: what it received of our stream, and what it measured of it.
fn reports(world: &mut World, phone: usize, block: ReportBlock, metrics: Option<VoipMetrics>) {
    let (key, address, ours) = (world.phones[phone].key, world.phones[phone].address, our_source(world, phone));
    let mut buffer = [0; 512];
    let mut writer = Writer::new(&mut buffer);
    writer.receiver_report(world.phones[phone].ssrc, Some(&ReportBlock { ssrc: ours, ..block }));
    let metrics = metrics.map(|metrics| Block::Voip(VoipMetrics { ssrc: ours, ..metrics }));
    writer.extended(world.phones[phone].ssrc, metrics);
    let length = writer.finish();
    let from = SocketAddr::new(address.ip(), address.port() + 1);
    world.plane.receive_rtcp(key, from, &buffer[..length], world.now);
}

/// The source of what a telephone hears.
fn our_source(world: &World, phone: usize) -> u32 {
    world.phones[phone].packets.last().unwrap().1.ssrc
}

/// A minute of two people in a room of three; the first one's way to us, and from us, loses so many of a thousand.
fn minute(to_us: u64, from_us: i32) -> Quality {
    let mut world = World::new();
    for tone in [440.0, 620.0, 0.0] {
        let phone = world.call(tone, Codec::Pcmu, 20, 20);
        world.join(phone);
    }
    world.phones[0].network = Network { lost: to_us, ..Network::default() };
    for five in 0..12i32 {
        world.run(5000);
        let highest = 60_000 + (five.cast_unsigned() + 1) * 250;
        let lost = five * from_us / 4;
        reports(&mut world, 0, ReportBlock { highest, lost, jitter: 16, ..ReportBlock::default() }, None);
    }
    world.run(8000);
    assert!(to_us > 0 || world.figures(0).clicks == 0, "{:?}", world.figures(0));
    world.figures(0).quality
}

#[test]
fn an_operator_sees_who_is_to_blame_and_by_how_much() {
    let (good, lost_in, lost_out, both) = (minute(0, 0), minute(60, 0), minute(0, 60), minute(60, 60));
    let blamed = [good, lost_in, lost_out, both].map(|quality| quality.call.blame);
    assert_eq!(blamed, [Blame::Nobody, Blame::WayToUs, Blame::WayFromUs, Blame::BothWays]);
    let scores = |quality: Quality| (quality.call.ingress.unwrap(), quality.call.egress.unwrap());
    let ((ingress, egress), (bad_in, fine_out), (fine_in, bad_out)) = (scores(good), scores(lost_in), scores(lost_out));
    assert!(ingress.mos > 4.3 && egress.mos > 4.2, "{ingress:?} {egress:?}");
    assert_eq!((ingress.loss, ingress.late, ingress.burst), (0.0, 0.0, 1.0));
    assert!((bad_in.loss - 0.06).abs() < 0.015 && bad_in.mos < 4.0, "{bad_in:?}");
    assert!((bad_out.loss - 0.06).abs() < 0.015 && bad_out.mos < 4.0, "{bad_out:?}");
    assert!(fine_out.mos > 4.2 && fine_in.mos > 4.3);
}

/// Half a minute of two people whose packets are passed on as they come; the first one's way to us, and ours to the second, lose so
/// many of a thousand. How it goes for the second.
fn two(to_us: u64, from_us: u64) -> Quality {
    let mut world = World::new();
    for tone in [440.0, 620.0] {
        let phone = world.call(tone, Codec::Pcmu, 20, 20);
        world.join(phone);
    }
    world.phones[0].network = Network { lost: to_us, ..Network::default() };
    for _ in 0..6 {
        world.run(5000);
        let mut numbers: Vec<u16> = world.phones[1].packets.iter().map(|(_, header, _)| header.sequence).collect();
        let first = numbers[0];
        numbers.sort_by_key(|number| number.wrapping_sub(first));
        let last = u32::from(numbers[numbers.len() - 1].wrapping_sub(first));
        let received = numbers.iter().filter(|number| u64::from(**number) * 7919 % 1000 >= from_us).count();
        let lost = (last as usize + 1 - received) as i32;
        // Of the first report its fraction counts.
        let fraction_lost = (lost * 256 / (last as i32 + 1)) as u8;
        let highest = 0x1_0000 + u32::from(first) + last;
        reports(&mut world, 1, ReportBlock { highest, lost, fraction_lost, ..ReportBlock::default() }, None);
    }
    world.run(8000);
    assert!(world.plane.leg(world.phones[0].key).unwrap().passes());
    assert_eq!(world.figures(0).quality.call.blame, if to_us > 0 { Blame::WayToUs } else { Blame::Nobody });
    world.figures(1).quality
}

#[test]
fn of_two_people_what_one_loses_on_its_way_to_us_is_not_the_fault_of_the_others_line() {
    let quality = two(100, 0);
    let (call, last) = (quality.call, quality.last);
    assert_eq!((call.blame, last.blame), (Blame::Nobody, Blame::Nobody));
    assert!(call.egress.unwrap().loss < 0.005 && call.egress.unwrap().mos > 4.2, "{call:?}");
    for to_us in [0, 100] {
        let quality = two(to_us, 100);
        let egress = quality.call.egress.unwrap();
        assert_eq!(quality.call.blame, Blame::WayFromUs);
        assert!((0.07..0.13).contains(&egress.loss), "{egress:?}");
    }
}

#[test]
fn packets_of_a_codec_that_was_not_agreed_arrived_and_are_their_own_fault() {
    let mut world = World::new();
    for tone in [440.0, 620.0, 0.0] {
        let phone = world.call(tone, Codec::Pcmu, 20, 20);
        world.join(phone);
    }
    for half in 0..40 {
        world.phones[0].kind = (half % 2 == 1).then_some(8);
        world.run(500);
    }
    let figures = world.figures(0);
    assert!(figures.malformed > 400 && figures.lost == 0, "{figures:?}");
    assert_eq!((figures.quality.call.blame, figures.quality.last.blame), (Blame::TheirEnd, Blame::TheirEnd));
    // A stranger who sends such, and such of another source, change nothing.
    let before = figures;
    let address = world.phones[0].address.to_string();
    for number in 0..200u16 {
        let mut packet = [0u8; 172];
        packet[..2].copy_from_slice(&[0x80, 8]);
        packet[2..4].copy_from_slice(&(number * 50).to_be_bytes());
        world.inject(0, &address, &packet);
        packet[8..12].copy_from_slice(&world.phones[0].ssrc.to_be_bytes());
        world.inject(0, "203.0.113.9:4000", &packet);
    }
    world.phones[0].kind = None;
    world.run(14_000);
    let after = world.figures(0);
    assert_eq!((after.lost, after.malformed), (before.lost, before.malformed + 400));
    assert_eq!(after.quality.last.blame, Blame::Nobody);
}

#[test]
fn a_far_end_that_asks_is_told_what_we_measured_and_what_it_measured_is_shown() {
    let mut world = World::new();
    for tone in [440.0, 620.0, 0.0] {
        let phone = world.call(tone, Codec::Pcmu, 20, 20);
        world.join(phone);
    }
    let mut format = media_support::format(Codec::Pcmu, 20);
    format.reports = Extended { metrics: true, round_trip: true };
    let (leg, address) = (world.phones[0].leg, world.phones[0].address);
    let remote = media_support::remote(address);
    world.order(MediaCommand::Modify { leg, format, remote, security: Security::None });
    world.phones[0].network = Network { lost: 100, ..Network::default() };
    world.run(20_000);
    let metrics = VoipMetrics {
        discard_rate: 20,
        end_system_delay: 90,
        echo_return_loss: Some(48),
        rating: Some(70),
        mos_listening: Some(36),
        ..VoipMetrics::default()
    };
    reports(&mut world, 0, ReportBlock { highest: 61_000, ..ReportBlock::default() }, Some(metrics));
    world.run(10_000);
    let far = world.figures(0).quality.far_end.unwrap();
    assert_eq!((far.rating, far.mos, far.echo_db, far.end_delay_ms), (Some(70), Some(3.6), Some(48), 90));
    assert_eq!(world.figures(0).quality.call.blame, Blame::TheirEnd, "it threw away what reached it");
    let told = |phone: usize| -> Vec<Block> {
        let compounds = world.phones[phone].rtcp.iter().filter_map(|bytes| Compound::parse(bytes).ok()).flatten();
        let extended = compounds.filter_map(|report| match report {
            Report::Extended { blocks, .. } => Some(blocks),
            _ => None,
        });
        extended.flatten().collect()
    };
    let metrics: Vec<VoipMetrics> = told(0)
        .iter()
        .filter_map(|block| if let Block::Voip(metrics) = block { Some(*metrics) } else { None })
        .collect();
    let last = metrics.last().unwrap();
    assert_eq!(last.ssrc, world.phones[0].ssrc);
    assert!(
        (18..34).contains(&last.loss_rate) && last.rating < Some(80) && last.mos_conversation > Some(20),
        "{last:?}"
    );
    assert!(told(0).iter().any(|block| matches!(block, Block::ReceiverTime { .. })));
    assert_eq!(told(1), [], "nobody is sent what was not asked for");
}

/// Samples at 8 kHz of a sum of tones: hertz and amplitude.
fn tones(milliseconds: usize, parts: &[(f32, f32)]) -> Vec<i16> {
    let sample = |n: usize, (hertz, amplitude): &(f32, f32)| (n as f32 * hertz * TAU / 8000.0).sin() * amplitude;
    (0..milliseconds * 8).map(|n| parts.iter().map(|part| sample(n, part)).sum::<f32>() as i16).collect()
}

/// Words of a voice so loud (dBov while it lasts), with pauses between.
fn talk(seconds: usize, dbov: f32) -> Vec<i16> {
    let amplitude = 32_768.0 * 10f32.powf(dbov / 20.0);
    let word = |n: usize| 130.0 + 30.0 * (n % 5) as f32;
    (0..seconds * 2)
        .flat_map(|n| {
            // Two harmonics of equal strength have the amplitude of each as their effective value.
            let mut samples = tones(320, &[(word(n), amplitude), (word(n) * 3.0, amplitude)]);
            samples.extend([0; 180 * 8]);
            samples
        })
        .collect()
}

/// How loud it is while it is, in dBov.
fn loudness(samples: &[i16]) -> f32 {
    let power = |frame: &[i16]| frame.iter().map(|s| f32::from(*s) * f32::from(*s)).sum::<f32>() / frame.len() as f32;
    let loud: Vec<f32> = samples.chunks(160).map(power).filter(|power| *power > 3000.0).collect();
    10.0 * (loud.iter().sum::<f32>() / loud.len() as f32 / (32_768.0 * 32_768.0)).log10()
}

fn treat(world: &mut World, phone: usize, treatment: Treatment) {
    let leg = world.phones[phone].leg;
    world.order(MediaCommand::Treat { leg, treatment });
}

#[test]
fn keys_that_come_as_tones_are_keys_and_the_others_do_not_hear_them() {
    for codec in [Codec::Pcma, Codec::G722] {
        let factor = codec.sample_rate() as usize / 8000;
        let mut world = World::new();
        for _ in 0..3 {
            let phone = world.call(0.0, codec, 20, 20);
            world.join(phone);
        }
        treat(&mut world, 0, Treatment { tones: true, ..Treatment::default() });
        // "4", speech, "#", in the telephone's own samples.
        let keyed = |parts: &[(f32, f32)], ms: usize| {
            tones(
                ms * factor,
                &parts.iter().map(|(hertz, amplitude)| (hertz / factor as f32, *amplitude)).collect::<Vec<_>>(),
            )
        };
        let mut script = vec![0; 8000 * factor];
        script.extend(keyed(&[(770.0, 3000.0), (1209.0, 3000.0)], 100));
        script.extend(vec![0; 2400 * factor]);
        script.extend(keyed(&[(500.0, 4000.0)], 500));
        script.extend(vec![0; 2400 * factor]);
        script.extend(keyed(&[(941.0, 3000.0), (1477.0, 3000.0)], 60));
        world.phones[0].script = Some(script);
        world.run(4000);
        assert_eq!(world.digits(), "4#", "{codec:?}");
        let begun = world.count(|event| matches!(event, MediaEvent::DigitBegan { .. }));
        assert_eq!(begun, 2);
        let heard = &world.phones[1].heard;
        let loud = |hertz: f32| {
            let spans = heard.chunks(400 * factor).map(|span| amplitude_at(span, hertz, codec.sample_rate()));
            spans.fold(0.0, f32::max)
        };
        assert!(loud(500.0) > 3000.0, "what is said between is heard: {}", loud(500.0));
        for hertz in [770.0, 1209.0, 941.0, 1477.0] {
            // Of 50 ms, less than 12 were heard.
            assert!(loud(hertz) < 700.0, "{codec:?} {hertz} {}", loud(hertz));
        }
    }
}

#[test]
fn a_caller_alone_with_the_attendant_and_one_who_is_muted_key_by_tones_too() {
    let mut world = World::new();
    let (alone, muted, other) = (
        world.call(0.0, Codec::Pcmu, 20, 20),
        world.call(0.0, Codec::Pcmu, 20, 20),
        world.call(440.0, Codec::Pcmu, 20, 20),
    );
    world.join(muted);
    world.join(other);
    world.order(MediaCommand::Mute { leg: world.phones[muted].leg, muted: true });
    for (phone, parts) in [(alone, [(697.0, 2500.0), (1477.0, 2500.0)]), (muted, [(852.0, 2500.0), (1336.0, 2500.0)])] {
        treat(&mut world, phone, Treatment { tones: true, ..Treatment::default() });
        let mut script = vec![0; 8000 + 8000 * phone];
        script.extend(tones(80, &parts));
        world.phones[phone].script = Some(script);
    }
    world.run(4000);
    assert_eq!(world.digits(), "38");
}

#[test]
fn a_soft_and_a_loud_caller_are_heard_equally_loud_and_one_who_is_not_levelled_as_he_speaks() {
    let heard = |dbov: f32, level: bool| {
        let mut world = World::new();
        for _ in 0..3 {
            let phone = world.call(0.0, Codec::Pcmu, 20, 20);
            world.join(phone);
        }
        treat(&mut world, 0, Treatment { level, ..Treatment::default() });
        world.phones[0].script = Some(talk(20, dbov));
        world.run(12_000);
        world.listen_anew();
        world.run(8000);
        loudness(&world.phones[1].heard)
    };
    let (soft, loud) = (heard(-32.0, true), heard(-12.0, true));
    assert!((soft + 21.0).abs() < 2.5 && (loud + 20.0).abs() < 2.5, "{soft} {loud}");
    let (soft, loud) = (heard(-32.0, false), heard(-12.0, false));
    assert!((soft + 32.0).abs() < 1.5 && (loud + 12.0).abs() < 1.5, "{soft} {loud}");
}

#[test]
fn a_telephone_from_which_the_others_hear_themselves_is_found_and_no_other_one() {
    let mut world = World::new();
    for _ in 0..3 {
        let phone = world.call(0.0, Codec::Pcmu, 20, 20);
        world.join(phone);
    }
    // One talks; the second telephone sends back what it hears, a quarter as loud; the third is quiet.
    world.phones[0].script = Some(talk(20, -18.0));
    world.phones[1].script = Some(vec![0; 1200]);
    let mut returned = 0;
    while world.phones[1].heard.len() < 8000 * 15 {
        world.run(20);
        let phone = &mut world.phones[1];
        let fresh = phone.heard[returned..].iter().map(|sample| sample / 4);
        phone.script.as_mut().unwrap().extend(fresh);
        returned = phone.heard.len();
    }
    let found: Vec<_> = world
        .events
        .iter()
        .filter_map(|(_, event)| if let MediaEvent::Echo { leg, echo } = event { Some((*leg, *echo)) } else { None })
        .collect();
    let [(leg, Some(echo))] = found[..] else { panic!("{found:?}") };
    assert_eq!(leg, world.phones[1].leg);
    assert!((100..=260).contains(&echo.delay_ms) && (9.0..15.0).contains(&echo.loss_db), "{echo:?}");
    assert_eq!(world.figures(1).echo, Some(echo));
    assert_eq!(world.figures(0).echo, None);
}

#[test]
fn a_fan_beside_a_caller_is_made_softer_for_the_others_and_the_caller_is_not() {
    let heard = |denoise: bool| {
        let mut world = World::new();
        for _ in 0..3 {
            let phone = world.call(0.0, Codec::Pcmu, 20, 20);
            world.join(phone);
        }
        treat(&mut world, 0, Treatment { denoise, ..Treatment::default() });
        let mut chance = 1u32;
        let mut fan = || {
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((chance >> 16) as i16) / 100
        };
        world.phones[0].script = Some(talk(10, -20.0).iter().map(|sample| sample + fan()).collect());
        world.run(4000);
        world.listen_anew();
        world.run(5000);
        let mut frames: Vec<f32> = world.phones[1]
            .heard
            .chunks_exact(160)
            .map(|frame| frame.iter().map(|s| f32::from(*s).powi(2)).sum::<f32>() / 160.0)
            .collect();
        frames.sort_by(f32::total_cmp);
        let db = |power: f32| 10.0 * power.max(1.0).log10();
        // Between words, and within them.
        (db(frames[frames.len() / 6]), db(frames[frames.len() * 4 / 5]))
    };
    let ((fan, voice), (softer, kept)) = (heard(false), heard(true));
    assert!(fan - softer > 6.0, "{fan} {softer}");
    assert!((voice - kept).abs() < 1.0, "{voice} {kept}");
}

#[test]
fn what_comes_back_of_a_soft_voice_that_is_levelled_up_is_not_taken_for_a_voice() {
    for loss in [2, 3] {
        let mut world = World::new();
        for phone in 0..4 {
            world.call(0.0, Codec::Pcmu, 20, 20);
            treat(&mut world, phone, Treatment { level: true, ..Treatment::default() });
        }
        world.phones[0].script = Some(talk(30, -32.0));
        [0, 2, 3].into_iter().for_each(|phone| world.join(phone));
        world.run(10_000);
        // Who comes then is silent, and its line echoes what has been levelled up by now.
        world.phones[1].script = Some(vec![0; 8000 * 10 + 1200]);
        world.join(1);
        let (mut returned, mut most) = (world.phones[1].heard.len(), 0.0f32);
        for _ in 0..50 {
            for _ in 0..10 {
                world.run(20);
                let phone = &mut world.phones[1];
                let fresh: Vec<i16> = phone.heard[returned..].iter().map(|sample| sample / loss).collect();
                phone.script.as_mut().unwrap().extend(fresh);
                returned = phone.heard.len();
            }
            let last = |phone: usize| loudness(&world.phones[phone].heard[world.phones[phone].heard.len() - 8000..]);
            let up = last(0) - last(1) + 20.0 * f32::from(loss).log10();
            most = most.max(up);
        }
        println!("what loses {:.0} dB is levelled up by {most}", 20.0 * f32::from(loss).log10());
        assert!(most < 1.0, "levelled up by {most}");
    }
}

#[test]
fn a_very_soft_voice_is_levelled_up_beside_the_steady_noise_of_anothers_line() {
    let mut world = World::new();
    for phone in 0..3 {
        world.call(0.0, Codec::Pcmu, 20, 20);
        world.join(phone);
    }
    treat(&mut world, 0, Treatment { level: true, ..Treatment::default() });
    world.phones[0].script = Some(talk(70, -44.0));
    let mut chance = 1u32;
    let noise = (0..70 * 8000).map(|_| {
        chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((chance >> 16) as i16) / 70
    });
    world.phones[1].script = Some(noise.collect());
    world.run(56_000);
    world.listen_anew();
    world.run(8000);
    // Who has the noise does not hear it.
    let heard = loudness(&world.phones[1].heard);
    println!("−44 dBov, heard at {heard}");
    assert!(heard > -34.0, "heard at {heard}");
}
