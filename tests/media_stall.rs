//! We stand still: the machine was paused, or had no processor for us. What goes out afterwards belongs where it would have been.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

mod media_support;

use media_support::World;
use ringlift::media::command::{MediaCommand, Treatment};
use ringlift::wire::codec::Codec::{self, G722, Pcmu};
use ringlift::wire::rtp::rtcp::{Compound, Report};

const PAUSES: [u64; 4] = [210, 300, 450, 1000];

fn call(codec: Codec, people: usize) -> World {
    let mut world = World::new();
    for person in 0..people {
        world.call(400.0 + 100.0 * person as f32, codec, 20, 20);
    }
    world
}

/// By how many milliseconds the newest packet to a phone is earlier or later in its stream's time than in ours, since the one of that number.
fn astray(world: &World, phone: usize, since: usize) -> i64 {
    let packets = &world.phones[phone].packets;
    let ((then, first, _), (now, last, _)) = (packets[since], *packets.last().unwrap());
    let clock = world.phones[phone].codec.clock_rate() / 1000;
    i64::from(last.timestamp.wrapping_sub(first.timestamp) / clock) - now.since(then).as_millis() as i64
}

#[test]
fn who_joins_a_room_right_after_we_stood_still_is_sent_to_in_time() {
    for pause in PAUSES {
        for others in [0, 1, 2] {
            // Alone in its phase, or with others in theirs.
            let mut world = call(Pcmu, 1 + others);
            world.run(1000);
            let since = world.phones[0].packets.len() - 1;
            world.stand_still(pause);
            (0..=others).for_each(|phone| world.join(phone));
            world.run(1000);
            let astray = astray(&world, 0, since);
            println!("{pause} ms, {others} others: {astray} ms");
            // Of two, packets go on before their turn.
            assert!(astray.abs() <= if others == 1 { 40 } else { 20 }, "{pause} ms, {others} others: {astray} ms");
            world.order(MediaCommand::Leave { leg: world.phones[0].leg });
        }
    }
}

#[test]
fn who_steps_out_of_a_room_right_after_we_stood_still_is_sent_to_in_time() {
    for pause in PAUSES {
        for people in [1, 2, 3] {
            let mut world = call(Pcmu, people);
            (0..people).for_each(|phone| world.join(phone));
            world.run(1000);
            let since = world.phones[0].packets.len() - 1;
            world.stand_still(pause);
            world.order(MediaCommand::Leave { leg: world.phones[0].leg });
            world.run(1000);
            let astray = astray(&world, 0, since);
            println!("{pause} ms, {people}: {astray} ms");
            assert!(astray.abs() <= 20, "{pause} ms, {people}: {astray} ms");
        }
    }
}

#[test]
fn who_goes_to_another_thread_that_stood_still_is_sent_to_in_time() {
    for pause in PAUSES {
        let mut world = call(Pcmu, 1);
        world.run(1000);
        let since = world.phones[0].packets.len() - 1;
        let moved = world.plane.take_leg(world.phones[0].leg).unwrap();
        world.stand_still(pause);
        world.phones[0].key = world.plane.insert_leg(moved, world.now);
        world.run(1000);
        let astray = astray(&world, 0, since);
        println!("{pause} ms: {astray} ms");
        assert!(astray.abs() <= 20, "{pause} ms: {astray} ms");
        assert!(world.figures(0).overruns + 1 >= pause / 20 - 1);
    }
}

#[test]
fn who_goes_to_another_thread_that_is_behind_is_not_sent_the_same_time_twice() {
    for behind in [20, 60, 160] {
        let (mut ahead, mut late) = (call(Pcmu, 5), call(Pcmu, 4));
        ahead.run(1000 + behind);
        late.run(1000);
        late.stand_still(behind);
        let mut phone = ahead.phones.remove(4);
        let since = phone.packets.len() - 1;
        let moved = ahead.plane.take_leg(phone.leg).unwrap();
        phone.key = late.plane.insert_leg(moved, late.now);
        late.phones.push(phone);
        late.run(1000);
        let astray = astray(&late, 4, since);
        println!("{behind} ms: {astray} ms");
        assert!(astray.abs() <= 20, "{behind} ms: {astray} ms");
    }
}

#[test]
fn keys_that_come_as_tones_while_we_stand_still_are_heard() {
    for pause in [210, 300, 380] {
        let mut world = call(Pcmu, 1);
        let treatment = Treatment { tones: true, ..Treatment::default() };
        world.order(MediaCommand::Treat { leg: world.phones[0].leg, treatment });
        // Fives of 80 ms with pauses of 80 ms, from the moment on at which we stop.
        let key = |n: usize| {
            let wave = |hertz: f32| (std::f32::consts::TAU * hertz * n as f32 / 8000.0).sin() * 4000.0;
            let down = (8000..8000 + 8 * 160 * (pause as usize / 160 + 1)).contains(&n)
                && ((n - 8000) / 640).is_multiple_of(2);
            if down { (wave(770.0) + wave(1336.0)) as i16 } else { 0 }
        };
        world.phones[0].script = Some((0..80_000).map(key).collect());
        world.run(1000);
        world.stand_still(pause);
        world.run(1500);
        assert_eq!(world.digits(), "5".repeat(pause as usize / 160 + 1), "{pause} ms");
    }
}

#[test]
fn of_two_whose_packets_went_on_as_they_came_each_is_in_time_whatever_comes_after_we_stood_still() {
    for (pause, codec) in PAUSES.into_iter().flat_map(|pause| [(pause, Pcmu), (pause, G722)]) {
        // Their packets waited, or were lost meanwhile; they talk on, are silent, or a third comes at once.
        for (lost, silent, third) in (0..8).map(|n| (n & 1 > 0, n & 2 > 0, n & 4 > 0)) {
            let mut world = call(codec, 3);
            (0..2).for_each(|phone| world.join(phone));
            // G.722 is passed on from a pause on.
            world.phones[0].tone = 0.0;
            world.run(1000);
            world.phones[0].tone = 400.0;
            world.run(1000);
            assert!(world.plane.leg(world.phones[0].key).unwrap().passes());
            let since = world.phones[1].packets.len() - 1;
            world.phones[0].sends = !lost;
            world.stand_still(pause);
            world.phones[0].sends = !silent;
            if third {
                world.join(2);
            }
            world.run(1500);
            if !third {
                // The mix takes over.
                world.join(2);
                world.run(500);
            }
            let astray = astray(&world, 1, since);
            let what = format!("{pause} ms, {codec:?}, lost {lost}, silent {silent}, third {third}: {astray} ms");
            println!("{what}");
            assert!(astray.abs() <= 40, "{what}");
        }
    }
}

#[test]
fn a_report_that_is_sent_right_after_we_stood_still_tells_the_time_of_the_packets_beside_it() {
    let mut told = 0;
    for pause in (300..5000).step_by(240) {
        let mut world = call(Pcmu, 3);
        (0..3).for_each(|phone| world.join(phone));
        world.run(2000);
        world.phones.iter_mut().for_each(|phone| phone.rtcp.clear());
        world.stand_still(pause);
        world.run(20);
        for phone in &world.phones {
            let Some(report) = phone.rtcp.first() else { continue };
            let sender = Compound::parse(report).unwrap().find_map(|report| match report {
                Report::Sender { info, .. } => Some(info),
                _ => None,
            });
            let (now, header, _) = phone.packets.last().unwrap();
            let info = sender.unwrap();
            // Its clock is ours, a second on.
            let clock = (info.ntp >> 16) as f64 / 65_536.0 - 1.0 - now.since_start().as_secs_f64();
            let audio = f64::from(info.timestamp.wrapping_sub(header.timestamp).cast_signed()) / 8000.0;
            told += 1;
            assert!((clock - audio).abs() <= 0.021, "{pause} ms: {clock} s by the clock, {audio} s by the audio");
        }
    }
    println!("{told} reports");
    assert!(told > 10, "{told}");
}
