//! What a tick costs per member: rooms of 3, 50 and 500 with two speakers each, packets in and out included, against
//! a bare echo of the same packets in memory, and what a browser that listens costs. No sockets: the engine's share is measured
//! elsewhere.

#![allow(missing_docs, reason = "criterion's macros")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot go on should say where")]

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use criterion::Criterion;
use ringlift::base::{Instant, LegId, ParticipantId, RoomId};
use ringlift::media::clip::ClipLibrary;
use ringlift::media::command::{Direction, Format, LegSetup, MediaCommand, MediaEvent, Remote, Security};
use ringlift::media::outlet::{LegKey, MAX_DATAGRAM, Outgoing, Outlet};
use ringlift::media::plane::Plane;
use ringlift::wire::codec::Codec;
use ringlift::wire::rtp::{Header, Packet};

#[path = "tick/listeners.rs"]
mod listeners;

/// Takes packets as a socket would: copies them away.
struct Sink {
    buffer: [u8; MAX_DATAGRAM],
    packets: u64,
}

impl Outlet for Sink {
    fn send(&mut self, packet: Outgoing<'_>) {
        self.buffer[..packet.bytes.len()].copy_from_slice(packet.bytes);
        black_box((&self.buffer, packet.to));
        self.packets += 1;
    }
}

struct Load {
    plane: Plane,
    legs: Vec<(LegKey, SocketAddr)>,
    packets: Vec<Vec<u8>>,
    events: Vec<MediaEvent>,
    sink: Sink,
    now: Instant,
    turn: u32,
}

impl Load {
    fn new(rooms: u64, members: u64) -> Self {
        let mut load = Self {
            plane: Plane::new(Arc::new(ClipLibrary::with_tones())),
            legs: Vec::new(),
            packets: Vec::new(),
            events: Vec::with_capacity(10_000),
            sink: Sink { buffer: [0; MAX_DATAGRAM], packets: 0 },
            now: Instant::from_start(Duration::from_secs(1)),
            turn: 0,
        };
        for number in 0..rooms * members {
            let address = SocketAddr::from(([10, 0, (number >> 8) as u8, number as u8], 4000));
            let leg = LegId::from_bits(number);
            let setup = Box::new(setup(number, address));
            load.order(MediaCommand::Open { leg, setup });
            let (room, participant) = (RoomId::from_bits(number / members), ParticipantId::from_bits(number));
            load.order(MediaCommand::Join { leg, room, participant, muted: false, keys: true, audience: None });
            load.legs.push((load.plane.key(leg).unwrap(), address));
            let speaks = number % members < 2;
            let payload: Vec<u8> = (0..160u64).map(|n| if speaks { (n * 7 + number) as u8 } else { 0xff }).collect();
            let header = Header { marker: false, payload_type: 0, sequence: 0, timestamp: 0, ssrc: number as u32 };
            let mut bytes = Vec::new();
            Packet { header, csrcs: &[], extension: None, payload: &payload, padding: 0 }.write(&mut bytes);
            load.packets.push(bytes);
        }
        (0..100).for_each(|_| {
            load.turn();
        });
        load
    }

    fn order(&mut self, command: MediaCommand) {
        self.plane.handle(command, self.now, &mut self.sink, &mut self.events);
    }

    /// The phones' part, not measured.
    fn number_packets(&mut self) {
        self.turn += 1;
        for packet in &mut self.packets {
            packet[2..4].copy_from_slice(&(self.turn as u16).to_be_bytes());
            packet[4..8].copy_from_slice(&(self.turn * 160).to_be_bytes());
        }
    }

    /// One period of 20 ms: every leg's packet in, every leg's packet out.
    fn turn(&mut self) -> Duration {
        self.number_packets();
        self.now = self.now + Duration::from_millis(20);
        self.events.clear();
        let started = clock();
        for ((key, address), packet) in self.legs.iter().zip(&self.packets) {
            self.plane.receive_rtp(*key, *address, packet, self.now, &mut self.sink, &mut self.events);
        }
        self.plane.tick_all(self.now, &mut self.sink, &mut self.events);
        started.elapsed()
    }

    /// The same packets back as they came.
    fn echo(&mut self) -> Duration {
        self.number_packets();
        let started = clock();
        for ((key, address), packet) in self.legs.iter().zip(&self.packets) {
            let port = ringlift::media::outlet::Port::Rtp;
            self.sink.send(Outgoing { leg: *key, port, to: address, bytes: black_box(packet) });
        }
        started.elapsed()
    }
}

fn setup(number: u64, address: SocketAddr) -> LegSetup {
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
        remote: Remote { rtp: Some(address), rtcp: None, rtcp_mux: true, signalling: address.ip() },
        security: Security::None,
        ssrc: number as u32,
        sequence: 0,
        timestamp: 0,
        cname: "bench".into(),
        media_timeout: Duration::from_secs(60),
    }
}

#[allow(clippy::disallowed_methods, reason = "a bench measures real time")]
fn clock() -> std::time::Instant {
    std::time::Instant::now()
}

const ROOMS: [(u64, u64); 4] = [(50, 3), (3, 50), (1, 500), (1, 5000)];

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(20);
    for (rooms, members) in ROOMS {
        let mut load = Load::new(rooms, members);
        criterion.bench_function(&format!("tick/{rooms}x{members}"), |bench| {
            bench.iter_custom(|count| (0..count).map(|_| load.turn()).sum());
        });
    }
    criterion.final_summary();
    println!("\n{:>14} {:>16} {:>16} {:>8}", "rooms x of", "tick ns/member", "echo ns/member", "ratio");
    for (rooms, members) in ROOMS {
        let mut load = Load::new(rooms, members);
        let legs = (rooms * members) as f64;
        let least = |measure: &mut dyn FnMut() -> Duration| {
            (0..200).map(|_| measure().as_nanos() as f64 / legs).fold(f64::MAX, f64::min)
        };
        let tick = least(&mut || load.turn());
        let echo = least(&mut || load.echo());
        println!("{:>14} {tick:>16.1} {echo:>16.1} {:>8.1}", format!("{rooms} x {members}"), tick / echo);
    }
    listeners::compare();
}
