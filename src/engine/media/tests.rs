//! Real threads, real sockets, phones that speak a tone each.

use std::f64::consts::TAU;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant as Alarm, MissedTickBehavior, interval, timeout, timeout_at};

use super::*;
use crate::base::ParticipantId;
use crate::media::bridge::WING;
use crate::media::command::{Direction, Format, LegSetup, PlayId, Remote, Security};
use crate::wire::codec::Codec;
use crate::wire::codec::g711::Law;
use crate::wire::rtp::{Header, Packet};

mod browsers;
mod wings;
mod words;

const PATIENCE: Duration = Duration::from_secs(10);

fn plane(threads: usize, first_port: u16, pairs: u16) -> MediaPlane {
    plane_in_wings(WING, threads, first_port, pairs)
}

/// With wings of so many legs.
fn plane_in_wings(wing: usize, threads: usize, first_port: u16, pairs: u16) -> MediaPlane {
    let settings = Settings {
        threads,
        v4: Some(Ipv4Addr::LOCALHOST),
        v6: Some(Ipv6Addr::LOCALHOST),
        first_port,
        last_port: first_port + pairs * 2 - 1,
        quarantine: Duration::from_millis(50),
        identity: None,
        wing,
        real_time: false,
    };
    MediaPlane::start(settings, Arc::new(ClipLibrary::with_tones()), Clock::start(), Rng::from_number(1)).unwrap()
}

/// A phone with a tone.
struct Phone {
    leg: LegId,
    socket: UdpSocket,
    there: SocketAddr,
    frequency: f64,
    sent: u32,
    heard: Vec<i16>,
    sequences: Vec<u16>,
    ssrcs: std::collections::BTreeSet<u32>,
}

impl Phone {
    async fn call(plane: &mut MediaPlane, number: u64, frequency: f64, ipv6: bool) -> Self {
        let leg = LegId::from_bits(number);
        let home = if ipv6 { IpAddr::from(Ipv6Addr::LOCALHOST) } else { Ipv4Addr::LOCALHOST.into() };
        let socket = UdpSocket::bind((home, 0)).await.unwrap();
        let port = plane.bind_ports(leg, ipv6).expect("a port");
        plane.send(MediaCommand::Open { leg, setup: Box::new(setup(socket.local_addr().unwrap())) });
        let there = SocketAddr::new(home, port);
        Self {
            leg,
            socket,
            there,
            frequency,
            sent: 0,
            heard: Vec::new(),
            sequences: Vec::new(),
            ssrcs: Default::default(),
        }
    }

    fn speak(&mut self) {
        let samples: Vec<i16> = (0..160)
            .map(|n| (8000.0 * (TAU * self.frequency * f64::from(self.sent * 160 + n) / 8000.0).sin()) as i16)
            .collect();
        let mut payload = [0; 160];
        Law::Mu.encode(&samples, &mut payload);
        let header =
            Header { marker: false, payload_type: 0, sequence: self.sent as u16, timestamp: self.sent * 160, ssrc: 7 };
        let mut head = [0; Header::LENGTH];
        header.write(&mut head);
        self.sent += 1;
        let _ = self.socket.try_send_to(&[&head[..], &payload].concat(), self.there);
    }

    fn listen(&mut self) {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = self.socket.try_recv_from(&mut buffer) {
            let Ok(packet) = Packet::parse(&buffer[..length]) else { continue };
            assert_eq!(from, self.there, "it comes from the port that was told");
            if packet.header.payload_type == 0 {
                let mut samples = vec![0; packet.payload.len()];
                Law::Mu.decode(packet.payload, &mut samples);
                self.heard.extend(samples);
                self.sequences.push(packet.header.sequence);
                self.ssrcs.insert(packet.header.ssrc);
            }
        }
    }

    /// How loud a frequency was in the last half second heard.
    fn hears(&self, frequency: f64) -> f64 {
        let heard = &self.heard[self.heard.len().saturating_sub(4000)..];
        let (mut sine, mut cosine) = (0.0, 0.0);
        for (n, sample) in heard.iter().enumerate() {
            let phase = TAU * frequency * n as f64 / 8000.0;
            sine += f64::from(*sample) * phase.sin();
            cosine += f64::from(*sample) * phase.cos();
        }
        2.0 * sine.hypot(cosine) / heard.len().max(1) as f64
    }
}

fn setup(remote: SocketAddr) -> LegSetup {
    LegSetup {
        format: Format {
            codec: Codec::Pcmu,
            send_payload_type: 0,
            receive_payload_type: 0,
            ptime: 20,
            telephone_event: Some((101, 101)),
            comfort_noise: None,
            reports: Default::default(),
            opus: Default::default(),
            direction: Direction::SendRecv,
        },
        remote: remote_of(remote),
        security: Security::None,
        ssrc: 99,
        sequence: 65_000,
        timestamp: 5,
        cname: "test".into(),
        media_timeout: Duration::from_secs(30),
    }
}

fn remote_of(remote: SocketAddr) -> Remote {
    Remote {
        rtp: Some(remote),
        rtcp: Some(SocketAddr::new(remote.ip(), remote.port() + 1)),
        rtcp_mux: false,
        signalling: remote.ip(),
    }
}

/// Everyone speaks and listens for so long; returns what the plane reported.
async fn talk(plane: &mut MediaPlane, phones: &mut [&mut Phone], length: Duration) -> Vec<MediaEvent> {
    let end = Alarm::now() + length;
    let mut ticks = interval(Duration::from_millis(20));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut events = Vec::new();
    while Alarm::now() < end {
        tokio::select! {
            _ = ticks.tick() => phones.iter_mut().for_each(|phone| {
                phone.speak();
                phone.listen();
            }),
            event = plane.next() => events.push(event),
        }
    }
    events
}

fn join(phone: &Phone, room: u64, participant: u64) -> MediaCommand {
    enter(phone.leg, true, room, participant)
}

/// A leg, with keys or without, comes into a room.
fn enter(leg: LegId, keys: bool, room: u64, participant: u64) -> MediaCommand {
    let (room, participant) = (RoomId::from_bits(room), ParticipantId::from_bits(participant));
    MediaCommand::Join { leg, room, participant, muted: false, keys, audience: None }
}

async fn until<T>(plane: &mut MediaPlane, mut pick: impl FnMut(&MediaEvent) -> Option<T>) -> T {
    let deadline = Alarm::now() + PATIENCE;
    loop {
        let event = timeout_at(deadline, plane.next()).await.expect("the event never came");
        if let Some(found) = pick(&event) {
            return found;
        }
    }
}

fn closed(event: &MediaEvent) -> Option<(LegId, Figures)> {
    if let MediaEvent::Closed { leg, figures } = event { Some((*leg, *figures)) } else { None }
}

#[tokio::test]
async fn three_in_a_room_hear_the_two_others_and_not_themselves() {
    for ipv6 in [false, true] {
        let mut plane = plane(1, 11_000, 10);
        let mut anna = Phone::call(&mut plane, 1, 400.0, ipv6).await;
        let mut ben = Phone::call(&mut plane, 2, 700.0, ipv6).await;
        let mut carl = Phone::call(&mut plane, 3, 1100.0, ipv6).await;
        for (phone, participant) in [(&anna, 1), (&ben, 2), (&carl, 3)] {
            plane.send(join(phone, 1, participant));
        }
        let events = talk(&mut plane, &mut [&mut anna, &mut ben, &mut carl], Duration::from_millis(1500)).await;
        for phone in [&anna, &ben, &carl] {
            for frequency in [400.0, 700.0, 1100.0] {
                let loud = phone.hears(frequency);
                if frequency == phone.frequency {
                    assert!(loud < 400.0, "hears itself: {loud}");
                } else {
                    assert!(loud > 3000.0, "{} does not hear {frequency}: {loud}", phone.frequency);
                }
            }
            assert!(events.iter().any(|e| matches!(e, MediaEvent::Latched { leg, remote } if *leg == phone.leg && *remote == phone.socket.local_addr().unwrap())));
        }
        plane.send(MediaCommand::Close { leg: anna.leg });
        let (leg, figures) = until(&mut plane, closed).await;
        assert_eq!((leg, figures.strangers, figures.lost), (anna.leg, 0, 0));
        assert!(figures.received >= 70 && figures.sent >= 70, "{figures:?}");
        plane.finish().await;
    }
}

#[tokio::test]
async fn packets_that_come_two_at_a_time_are_all_played() {
    let mut plane = plane(1, 11_660, 5);
    let mut anna = Phone::call(&mut plane, 1, 400.0, false).await;
    let mut ben = Phone::call(&mut plane, 2, 700.0, false).await;
    let carl = Phone::call(&mut plane, 3, 1100.0, false).await;
    for (phone, participant) in [(&anna, 1), (&ben, 2), (&carl, 3)] {
        plane.send(join(phone, 1, participant));
    }
    // As some radio networks deliver: nothing for 40 ms, then two.
    let mut ticks = interval(Duration::from_millis(20));
    for tick in 0..100 {
        ticks.tick().await;
        if tick % 2 == 0 {
            anna.speak();
            anna.speak();
        }
        anna.listen();
        ben.speak();
        ben.listen();
    }
    assert!(ben.hears(400.0) > 3000.0 && anna.hears(700.0) > 3000.0, "{} {}", ben.hears(400.0), anna.hears(700.0));
    plane.send(MediaCommand::Close { leg: anna.leg });
    let (_, figures) = until(&mut plane, closed).await;
    assert_eq!((figures.lost, figures.dropped), (0, 0));
    assert!(figures.received >= 98 && figures.late <= 4, "{figures:?}");
    // When they came is the kernel's word: 20 ms early, 20 ms late.
    assert!((10.0..30.0).contains(&figures.jitter_ms), "{figures:?}");
    plane.finish().await;
}

#[tokio::test]
async fn what_waited_in_the_socket_before_the_leg_began_is_not_heard_as_delay() {
    let mut plane = plane(1, 11_680, 5);
    let mut ben = Phone::call(&mut plane, 2, 700.0, false).await;
    let carl = Phone::call(&mut plane, 3, 1100.0, false).await;
    // A port is offered, and heard by the far end long before our side knows that it was taken.
    let leg = LegId::from_bits(1);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let there = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), plane.bind_ports(leg, false).expect("a port"));
    let mut anna = Phone {
        leg,
        there,
        frequency: 400.0,
        sent: 0,
        heard: Vec::new(),
        sequences: Vec::new(),
        ssrcs: Default::default(),
        socket,
    };
    let mut ticks = interval(Duration::from_millis(20));
    for _ in 0..30 {
        ticks.tick().await;
        anna.speak();
    }
    plane.send(MediaCommand::Open { leg, setup: Box::new(setup(anna.socket.local_addr().unwrap())) });
    for (phone, participant) in [(&anna, 1), (&ben, 2), (&carl, 3)] {
        plane.send(join(phone, 1, participant));
    }
    for _ in 0..50 {
        ticks.tick().await;
        anna.speak();
        ben.listen();
        ben.speak();
    }
    assert!(ben.hears(400.0) > 3000.0, "{}", ben.hears(400.0));
    plane.send(MediaCommand::Close { leg });
    let (_, figures) = until(&mut plane, closed).await;
    assert!(figures.received >= 78, "of 80, none waits: {figures:?}");
    plane.finish().await;
}

#[tokio::test]
async fn what_one_of_two_says_goes_to_the_other_without_waiting_for_a_tick() {
    let mut plane = plane(1, 11_600, 4);
    let mut anna = Phone::call(&mut plane, 1, 400.0, false).await;
    let mut ben = Phone::call(&mut plane, 2, 700.0, false).await;
    plane.send(join(&anna, 1, 1));
    plane.send(join(&ben, 1, 2));
    talk(&mut plane, &mut [&mut anna, &mut ben], Duration::from_millis(1000)).await;
    let hurried = |plane: &MediaPlane| plane.counts()[0].hurried.load(Ordering::Relaxed);
    let before = hurried(&plane);
    talk(&mut plane, &mut [&mut anna, &mut ben], Duration::from_millis(1000)).await;
    // Both packets of a moment may wake it once; those that come just before a deadline wait for it.
    assert!(hurried(&plane) - before > 20, "{}", hurried(&plane) - before);
    assert!(ben.hears(400.0) > 3000.0 && anna.hears(700.0) > 3000.0);
    for phone in [&anna, &ben] {
        assert_eq!(phone.ssrcs.len(), 1, "our stream, before and after");
        assert!(phone.sequences.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)));
    }
    let mut carl = Phone::call(&mut plane, 3, 1100.0, false).await;
    plane.send(join(&carl, 1, 3));
    talk(&mut plane, &mut [&mut anna, &mut ben, &mut carl], Duration::from_millis(700)).await;
    let mixed = hurried(&plane);
    talk(&mut plane, &mut [&mut anna, &mut ben, &mut carl], Duration::from_millis(500)).await;
    assert_eq!(hurried(&plane), mixed, "with three there is no hurry");
    assert!(ben.hears(400.0) > 3000.0 && ben.hears(1100.0) > 3000.0);
    plane.finish().await;
}

#[tokio::test]
async fn a_fault_in_one_room_ends_that_room_only() {
    let mut plane = plane(1, 11_700, 6);
    let mut phones = Vec::new();
    for number in 1..=4u64 {
        let phone = Phone::call(&mut plane, number, 300.0 * number as f64, false).await;
        plane.send(join(&phone, number.div_ceil(2), number));
        phones.push(phone);
    }
    talk(&mut plane, &mut phones.iter_mut().collect::<Vec<_>>(), Duration::from_millis(400)).await;
    let failed = RoomId::from_bits(1);
    plane.post(0, Order::Fail { room: failed });
    let mut events = Vec::new();
    let deadline = Alarm::now() + PATIENCE;
    while !events.contains(&MediaEvent::BridgeFailed { room: failed }) {
        assert!(Alarm::now() < deadline, "{events:?}");
        events.extend(talk(&mut plane, &mut phones.iter_mut().collect::<Vec<_>>(), Duration::from_millis(100)).await);
    }
    let rest = talk(&mut plane, &mut phones.iter_mut().collect::<Vec<_>>(), Duration::from_millis(700)).await;
    events.extend(rest);
    let gone: Vec<LegId> = events.iter().filter_map(closed).map(|(leg, _)| leg).collect();
    assert_eq!(gone, [phones[0].leg, phones[1].leg]);
    assert!(phones[2].hears(1200.0) > 3000.0 && phones[3].hears(900.0) > 3000.0, "the other room talks on");
    assert_eq!(plane.ports_in_use(), 2);
    plane.finish().await;
}

#[tokio::test]
async fn a_leg_that_joins_a_room_on_another_thread_moves_without_a_gap() {
    let mut plane = plane(2, 11_100, 10);
    let mut anna = Phone::call(&mut plane, 1, 400.0, false).await;
    let mut ben = Phone::call(&mut plane, 2, 700.0, false).await;
    assert_ne!(plane.legs[&anna.leg].worker, plane.legs[&ben.leg].worker);
    talk(&mut plane, &mut [&mut anna, &mut ben], Duration::from_millis(400)).await;
    plane.send(join(&anna, 1, 1));
    plane.send(join(&ben, 1, 2));
    talk(&mut plane, &mut [&mut anna, &mut ben], Duration::from_millis(1200)).await;
    assert_eq!(plane.legs[&anna.leg].worker, plane.legs[&ben.leg].worker);
    assert_eq!(plane.workers.iter().map(|worker| worker.legs).sum::<usize>(), 2);
    assert!(ben.hears(400.0) > 3000.0 && anna.hears(700.0) > 3000.0, "{} {}", ben.hears(400.0), anna.hears(700.0));
    assert_eq!(ben.ssrcs.len(), 1);
    for pair in ben.sequences.windows(2) {
        assert_eq!(pair[1], pair[0].wrapping_add(1), "no packet is missing or doubled");
    }
    plane.send(MediaCommand::Close { leg: ben.leg });
    let (_, figures) = until(&mut plane, closed).await;
    assert_eq!((figures.lost, figures.malformed), (0, 0), "{figures:?}");
    assert!(figures.received as u32 >= ben.sent - 2, "{} of {}", figures.received, ben.sent);
    plane.finish().await;
}

#[tokio::test]
async fn a_stranger_is_counted_and_unheard_and_a_new_address_is_learned() {
    let mut plane = plane(1, 11_200, 10);
    let mut anna = Phone::call(&mut plane, 1, 400.0, false).await;
    let mut ben = Phone::call(&mut plane, 2, 700.0, false).await;
    plane.send(join(&anna, 1, 1));
    plane.send(join(&ben, 1, 2));
    talk(&mut plane, &mut [&mut anna, &mut ben], Duration::from_millis(400)).await;
    let mut stranger = Phone {
        socket: UdpSocket::bind("127.0.0.1:0").await.unwrap(),
        frequency: 1900.0,
        there: anna.there,
        ..Phone::call(&mut plane, 3, 0.0, false).await
    };
    talk(&mut plane, &mut [&mut anna, &mut ben, &mut stranger], Duration::from_millis(800)).await;
    assert!(ben.hears(400.0) > 3000.0 && ben.hears(1900.0) < 200.0);
    // Anna's phone moves: a re-INVITE tells the new address.
    anna.socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let there = anna.socket.local_addr().unwrap();
    let LegSetup { format, .. } = setup(there);
    plane.send(MediaCommand::Modify { leg: anna.leg, format, remote: remote_of(there), security: Security::None });
    let events = talk(&mut plane, &mut [&mut anna, &mut ben], Duration::from_millis(800)).await;
    assert!(events.contains(&MediaEvent::Latched { leg: anna.leg, remote: there }));
    assert!(ben.hears(400.0) > 3000.0 && anna.hears(700.0) > 3000.0);
    plane.send(MediaCommand::Close { leg: anna.leg });
    let (_, figures) = until(&mut plane, closed).await;
    assert!(figures.strangers >= 35, "{figures:?}");
    plane.finish().await;
}

#[tokio::test]
async fn when_ports_run_out_there_is_none_and_others_ports_are_passed_over() {
    let mut plane = plane(1, 11_300, 3);
    let _held = std::net::UdpSocket::bind("127.0.0.1:11303").unwrap();
    let legs: Vec<LegId> = (0..3).map(LegId::from_bits).collect();
    let mut ports = [plane.bind_ports(legs[0], false).unwrap(), plane.bind_ports(legs[1], false).unwrap()];
    ports.sort_unstable();
    assert_eq!(ports, [11_300, 11_304], "11303 is another program's");
    assert_eq!(plane.bind_ports(legs[2], false), None);
    assert_eq!(plane.ports_in_use(), 2);
    plane.free_ports(legs[0]);
    let freed = timeout(PATIENCE, async {
        loop {
            if let Some(port) = plane.bind_ports(legs[2], false) {
                break port;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(freed.await.is_ok(), "it comes back after its rest");
    plane.finish().await;
}

#[tokio::test]
async fn two_hundred_calls_leave_no_socket_behind() {
    let mut plane = plane(2, 12_000, 400);
    for number in 0..200 {
        Phone::call(&mut plane, number, 400.0, false).await;
        plane.send(enter(LegId::from_bits(number), true, number / 3, number));
    }
    assert_eq!(bound(12_000, 12_799), 600, "two ports each, and one more socket for strangers");
    for number in 0..200 {
        plane.send(MediaCommand::Close { leg: LegId::from_bits(number) });
    }
    let mut left: std::collections::BTreeSet<LegId> = (0..200).map(LegId::from_bits).collect();
    while !left.is_empty() {
        let (leg, _) = until(&mut plane, closed).await;
        assert!(left.remove(&leg), "closed twice: {leg}");
    }
    assert_eq!((bound(12_000, 12_799), plane.ports_in_use(), plane.wings.is_empty()), (0, 0, true));
    assert_eq!(plane.workers.iter().map(|worker| worker.legs).sum::<usize>(), 0);
    plane.finish().await;
}

#[tokio::test]
async fn orders_that_the_ring_does_not_take_wait_and_none_is_lost() {
    let mut plane = plane(1, 11_500, 4);
    let anna = Phone::call(&mut plane, 1, 400.0, false).await;
    let play = PlayId(7);
    for n in 0..20_000 {
        plane.send(MediaCommand::Mute { leg: anna.leg, muted: n % 2 == 0 });
    }
    plane.send(MediaCommand::Play { leg: anna.leg, play, clips: [].into(), repeat: false });
    until(&mut plane, |event| (*event == MediaEvent::Played { leg: anna.leg, play }).then_some(())).await;
    plane.send(MediaCommand::Close { leg: anna.leg });
    until(&mut plane, closed).await;
    plane.finish().await;
}

#[tokio::test]
async fn a_prompt_plays_to_its_end_and_says_so() {
    let mut plane = plane(1, 11_400, 4);
    let mut anna = Phone::call(&mut plane, 1, 400.0, false).await;
    let clips = [crate::media::clip::Clip::Tone(crate::media::clip::Tone::Entry)];
    plane.send(MediaCommand::Play { leg: anna.leg, play: PlayId(5), clips: clips.into(), repeat: false });
    let events = talk(&mut plane, &mut [&mut anna], Duration::from_millis(1000)).await;
    assert!(events.contains(&MediaEvent::Played { leg: anna.leg, play: PlayId(5) }));
    assert!(anna.heard.iter().any(|sample| sample.abs() > 1000));
    plane.finish().await;
}

/// UDP sockets of this machine bound to local ports in a range.
fn bound(first: u16, last: u16) -> usize {
    #[allow(clippy::disallowed_methods, reason = "what the kernel says of its sockets")]
    let table = std::fs::read_to_string("/proc/net/udp").unwrap();
    let ports = table.lines().skip(1).filter_map(|line| {
        let local = line.split_whitespace().nth(1)?;
        u16::from_str_radix(local.rsplit(':').next()?, 16).ok()
    });
    ports.filter(|port| (first..=last).contains(port)).count()
}
