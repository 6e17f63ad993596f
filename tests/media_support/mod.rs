//! Phones without sockets: each sends a tone (or nothing) in packets of its own length, over a network that may lose,
//! delay and reorder, to one plane in virtual time, and keeps what it hears by timestamp.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

pub mod abuse;
pub mod browser;
pub mod coder;

use std::f32::consts::TAU;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ringlift::base::{Instant, LegId, ParticipantId, Rng, RoomId};
use ringlift::media::clip::ClipLibrary;
use ringlift::media::command::{Direction, Format, LegSetup, MediaCommand, MediaEvent, Remote, Security};
use ringlift::media::outlet::{LegKey, Outbox, Port};
use ringlift::media::plane::{Plane, Unit};
use ringlift::wire::codec::{Codec, opus};
use ringlift::wire::rtp::{Header, Packet, TelephoneEvent};

pub use coder::{Coder, amplitude_at, number};

pub const ROOM: RoomId = RoomId::from_bits(1);

/// What a phone's network does on the way to us.
#[derive(Clone, Copy, Default)]
pub struct Network {
    /// Lost packets of a thousand.
    pub lost: u64,
    /// Packets are late by up to this many milliseconds.
    pub jitter: u64,
    /// Doubled packets of a thousand.
    pub doubled: u64,
}

pub struct Phone {
    pub leg: LegId,
    pub key: LegKey,
    pub address: SocketAddr,
    pub codec: Codec,
    pub coder: Coder,
    /// The payload type of its audio, where it is not everybody's.
    pub kind: Option<u8>,
    pub ptime: u64,
    /// Hertz; 0 is silence.
    pub tone: f32,
    pub amplitude: f32,
    /// What it says instead of its tone, at its codec's rate; silence after it.
    pub script: Option<Vec<i16>>,
    pub sends: bool,
    pub network: Network,
    /// Parts per million by which its clock runs fast.
    pub drift: i64,
    /// Keys: milliseconds of pressing and length, in order.
    pub presses: Vec<(u64, char, u64)>,
    /// What their durations and their timestamps count, in units per 1/8000 s, where that is not its codec's.
    pub event_clocks: Option<(u32, u32)>,
    pub ssrc: u32,
    pub first_timestamp: u32,
    pub sequence: u16,
    /// Samples made so far.
    made: u64,
    begun_at: u64,
    /// By sample since the first timestamp received.
    pub heard: Vec<i16>,
    pub packets: Vec<(Instant, Header, usize)>,
    pub digits: Vec<TelephoneEvent>,
    pub rtcp: Vec<Vec<u8>>,
    /// Payloads of audio, as they left and as they came.
    pub said: Vec<Vec<u8>>,
    pub got: Vec<Vec<u8>>,
    /// Payloads of comfort noise.
    pub noise: Vec<Vec<u8>>,
    first_heard: Option<u32>,
}

pub struct World {
    pub plane: Plane,
    pub now: Instant,
    pub outbox: Outbox,
    pub phones: Vec<Phone>,
    pub browsers: Vec<browser::Browser>,
    pub events: Vec<(Instant, MediaEvent)>,
    pub rng: Rng,
    /// The legs of its phones have higher numbers, where there are several worlds.
    pub first: u64,
    members: Vec<(Unit, LegKey)>,
    in_flight: Vec<(Instant, usize, Vec<u8>)>,
}

pub fn format(codec: Codec, ptime: u8) -> Format {
    let payload_type = number(codec);
    Format {
        codec,
        send_payload_type: payload_type,
        receive_payload_type: payload_type,
        ptime,
        telephone_event: Some((101, 101)),
        comfort_noise: None,
        reports: Default::default(),
        opus: opus::Parameters::ours(),
        direction: Direction::SendRecv,
    }
}

pub fn remote(address: SocketAddr) -> Remote {
    Remote {
        rtp: Some(address),
        rtcp: Some(SocketAddr::new(address.ip(), address.port() + 1)),
        rtcp_mux: false,
        signalling: address.ip(),
    }
}

pub fn setup(number: u64, address: SocketAddr, codec: Codec, ptime: u8) -> LegSetup {
    LegSetup {
        format: format(codec, ptime),
        remote: remote(address),
        security: Security::None,
        ssrc: 1000 + number as u32,
        sequence: 60_000,
        timestamp: u32::MAX - 20_000,
        cname: format!("leg{number}"),
        media_timeout: Duration::from_secs(10),
    }
}

impl World {
    pub fn new() -> Self {
        Self::with(ClipLibrary::with_tones())
    }

    pub fn with(library: ClipLibrary) -> Self {
        Self {
            plane: Plane::new(Arc::new(library)),
            now: Instant::from_start(Duration::from_secs(100)),
            outbox: Outbox::with_capacity(64),
            phones: Vec::new(),
            browsers: Vec::new(),
            events: Vec::new(),
            rng: Rng::from_number(7),
            first: 0,
            members: Vec::new(),
            in_flight: Vec::new(),
        }
    }

    /// A phone calls: its leg is open and it sends a tone from now on.
    pub fn call(&mut self, tone: f32, codec: Codec, their_ptime: u64, our_ptime: u8) -> usize {
        let index = self.phones.len();
        let number = self.first + index as u64 + 1;
        let address: SocketAddr = format!("192.0.2.{number}:{}", 4000 + 10 * number).parse().unwrap();
        let leg = LegId::from_bits(number);
        let setup = Box::new(setup(number, address, codec, our_ptime));
        self.order(MediaCommand::Open { leg, setup });
        let begun_at = self.millis() + self.rng.below(20);
        self.phones.push(Phone {
            leg,
            key: self.plane.key(leg).unwrap(),
            address,
            codec,
            coder: Coder::new(codec),
            kind: None,
            ptime: their_ptime,
            tone,
            amplitude: 6000.0,
            script: None,
            sends: true,
            network: Network::default(),
            drift: 0,
            presses: Vec::new(),
            event_clocks: None,
            ssrc: 77 + number as u32,
            first_timestamp: u32::MAX - 4000,
            sequence: 65_500,
            made: 0,
            begun_at,
            heard: Vec::new(),
            packets: Vec::new(),
            digits: Vec::new(),
            rtcp: Vec::new(),
            said: Vec::new(),
            got: Vec::new(),
            noise: Vec::new(),
            first_heard: None,
        });
        index
    }

    pub fn join(&mut self, phone: usize) {
        self.join_as(phone, phone as u64 + 1);
    }

    pub fn join_as(&mut self, phone: usize, participant: u64) {
        let participant = ParticipantId::from_bits(participant);
        self.order(MediaCommand::Join {
            leg: self.phones[phone].leg,
            room: ROOM,
            participant,
            muted: false,
            keys: true,
            audience: None,
        });
    }

    pub fn order(&mut self, command: MediaCommand) {
        let mut events = Vec::new();
        self.plane.overtake(self.now);
        self.plane.handle(command, self.now, &mut self.outbox, &mut events);
        self.take(events);
        self.hear();
    }

    pub fn millis(&self) -> u64 {
        self.now.since_start().as_millis() as u64
    }

    /// Lets time pass in turns of 5 ms, as the engine does.
    pub fn run(&mut self, milliseconds: u64) {
        let end = self.millis() + milliseconds;
        while self.millis() < end {
            self.now = self.now + Duration::from_millis(5);
            self.plane.overtake(self.now);
            self.phones_send();
            self.deliver();
            self.browsers_speak();
            let mut events = Vec::new();
            while let Some(unit) = self.plane.poll_due(self.now) {
                // Several together, as the engine does.
                self.members.clear();
                let mut units = vec![unit];
                units.extend(std::iter::from_fn(|| self.plane.poll_more()).take(3));
                units.iter().for_each(|unit| self.plane.members(*unit, &mut self.members));
                for (unit, leg) in &self.members {
                    self.plane.foresee();
                    self.plane.listen(*unit, *leg, &mut self.outbox, &mut events);
                }
                units.iter().for_each(|unit| self.plane.tick(*unit, &mut self.outbox, &mut events));
            }
            self.take(events);
            self.hear();
        }
    }

    /// We stand still for so long; telephones do not, and what they send waits.
    pub fn stand_still(&mut self, milliseconds: u64) {
        self.now = self.now + Duration::from_millis(milliseconds);
        self.phones_send();
    }

    /// Gives a datagram in, from anywhere.
    pub fn inject(&mut self, phone: usize, from: &str, bytes: &[u8]) {
        let mut events = Vec::new();
        self.plane.receive_rtp(
            self.phones[phone].key,
            from.parse().unwrap(),
            bytes,
            self.now,
            &mut self.outbox,
            &mut events,
        );
        self.take(events);
    }

    pub fn figures(&self, phone: usize) -> ringlift::media::command::Figures {
        self.plane.leg(self.phones[phone].key).unwrap().figures()
    }

    /// The digits that were reported, in order.
    pub fn digits(&self) -> String {
        self.events
            .iter()
            .filter_map(|(_, e)| if let MediaEvent::Digit { digit, .. } = e { Some(*digit) } else { None })
            .collect()
    }

    pub fn count(&self, wanted: impl Fn(&MediaEvent) -> bool) -> usize {
        self.events.iter().filter(|(_, event)| wanted(event)).count()
    }

    /// Forgets what was heard so far.
    pub fn listen_anew(&mut self) {
        for phone in &mut self.phones {
            phone.heard.clear();
            phone.got.clear();
            phone.said.clear();
            phone.packets.clear();
            phone.first_heard = None;
        }
    }

    fn take(&mut self, events: Vec<MediaEvent>) {
        self.events.extend(events.into_iter().map(|event| (self.now, event)));
    }

    fn phones_send(&mut self) {
        let now = self.millis();
        for (index, phone) in self.phones.iter_mut().enumerate() {
            loop {
                let length = phone.ptime * 8;
                let ready = (phone.made + length) as i64 * 125 * (1_000_000 - phone.drift) / 1_000_000;
                let at = phone.begun_at * 1000 + ready as u64;
                if at > now * 1000 {
                    break;
                }
                let packets = phone.make(length);
                for bytes in packets {
                    let copies = 1 + u64::from(self.rng.below(1000) < phone.network.doubled);
                    for _ in 0..copies {
                        if self.rng.below(1000) >= phone.network.lost {
                            let late = self.rng.below(phone.network.jitter * 1000 + 1);
                            let arrival = Instant::from_start(Duration::from_micros(at + late));
                            self.in_flight.push((arrival, index, bytes.clone()));
                        }
                    }
                }
            }
        }
    }

    fn deliver(&mut self) {
        self.in_flight.sort_by_key(|(at, ..)| *at);
        let arrived = self.in_flight.partition_point(|(at, ..)| *at <= self.now);
        let mut events = Vec::new();
        for (at, index, bytes) in self.in_flight.drain(..arrived) {
            let phone = &self.phones[index];
            // What waited while we stood still came when it came.
            let arrived = if self.now.since(at).as_millis() < 5 { self.now } else { at };
            self.plane.receive_rtp(phone.key, phone.address, &bytes, arrived, &mut self.outbox, &mut events);
        }
        self.take(events);
    }

    fn hear(&mut self) {
        for packet in self.outbox.packets() {
            let Some(phone) = self.phones.iter_mut().find(|phone| phone.key == packet.leg) else { continue };
            if packet.port == Port::Rtcp {
                phone.rtcp.push(packet.bytes().to_vec());
                continue;
            }
            let rtp = Packet::parse(packet.bytes()).unwrap();
            phone.packets.push((self.now, rtp.header, rtp.payload.len()));
            if rtp.header.payload_type == 101 {
                phone.digits.push(TelephoneEvent::parse(rtp.payload).unwrap());
                continue;
            }
            if rtp.header.payload_type == 13 {
                phone.noise.push(rtp.payload.to_vec());
                continue;
            }
            assert_eq!(rtp.header.payload_type, number(phone.codec), "what we answer is what we send");
            phone.got.push(rtp.payload.to_vec());
            let first = *phone.first_heard.get_or_insert(rtp.header.timestamp);
            let at = rtp.header.timestamp.wrapping_sub(first) as usize * phone.per_unit();
            let samples = phone.coder.decode(phone.codec, rtp.payload);
            if phone.heard.len() < at + samples.len() {
                phone.heard.resize(at + samples.len(), 0);
            }
            phone.heard[at..at + samples.len()].copy_from_slice(&samples);
        }
        self.browsers_hear();
        self.outbox.clear();
    }
}

impl Phone {
    /// The packets for the next `length` samples: audio, or the events of a key that is down.
    fn make(&mut self, length: u64) -> Vec<Vec<u8>> {
        let clock = self.codec.clock_rate() / 8000;
        let (from, timestamp) = (self.made, self.first_timestamp.wrapping_add(self.made as u32 * clock));
        self.made += length;
        if !self.sends {
            return Vec::new();
        }
        let began = |press: &(u64, char, u64)| press.0 * 8 / length * length;
        let press = self.presses.iter().find(|p| (began(p)..began(p) + p.2 * 8 + length).contains(&from)).copied();
        let mut packets = Vec::new();
        match press {
            Some(press) => {
                let start = began(&press);
                let duration = (from - start + length).min(press.2 * 8);
                let end = from - start + length > press.2 * 8;
                let code = TelephoneEvent::code(press.1).unwrap();
                let (lasts, at) = self.event_clocks.unwrap_or((clock, clock));
                let event = TelephoneEvent { event: code, end, volume: 10, duration: (duration as u32 * lasts) as u16 };
                let timestamp = self.first_timestamp.wrapping_add(start as u32 * at);
                for _ in 0..if end { 3 } else { 1 } {
                    packets.push(self.packet(from == start, 101, timestamp, &event.write()));
                }
            }
            None => {
                // Samples made so far are counted at 8 kHz, tones at the codec's own rate.
                let rate = self.codec.sample_rate();
                let factor = u64::from(rate / 8000);
                let samples: Vec<i16> = (from * factor..(from + length) * factor)
                    .map(|n| {
                        if let Some(script) = &self.script {
                            return script.get(n as usize).copied().unwrap_or(0);
                        }
                        let phase = (f64::from(self.tone) * n as f64 / f64::from(rate)).fract();
                        (self.amplitude * (TAU * phase as f32).sin()) as i16
                    })
                    .collect();
                let bytes = self.coder.encode(self.codec, &samples);
                self.said.push(bytes.clone());
                packets.push(self.packet(from == 0, self.kind(), timestamp, &bytes));
            }
        }
        packets
    }

    /// The payload type of its audio.
    pub fn kind(&self) -> u8 {
        self.kind.unwrap_or(number(self.codec))
    }

    /// The timestamp of what it makes next.
    pub fn timestamp(&self) -> u32 {
        self.first_timestamp.wrapping_add(self.made as u32 * (self.codec.clock_rate() / 8000))
    }

    /// Samples of audio per timestamp unit.
    fn per_unit(&self) -> usize {
        (self.codec.sample_rate() / self.codec.clock_rate()) as usize
    }

    /// From now on everything comes this much later: the clock stands still, as it does when a route gets longer or a
    /// phone stops its timestamps.
    pub fn pause_route(&mut self, milliseconds: u64) {
        self.begun_at += milliseconds;
    }

    /// From now on in packets of this length.
    pub fn set_ptime(&mut self, ptime: u64) {
        self.ptime = ptime;
    }

    pub fn packet(&mut self, marker: bool, payload_type: u8, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        let header = Header { marker, payload_type, sequence: self.sequence, timestamp, ssrc: self.ssrc };
        self.sequence = self.sequence.wrapping_add(1);
        let mut bytes = Vec::new();
        Packet { header, csrcs: &[], extension: None, payload, padding: 0 }.write(&mut bytes);
        bytes
    }

    /// 20 ms of its silence.
    pub fn silence(&mut self) -> Vec<u8> {
        self.coder.encode(self.codec, &vec![0; self.codec.sample_rate() as usize / 50])
    }

    /// The amplitude at which a tone was heard over the last `milliseconds`.
    pub fn hears(&self, hertz: f32, milliseconds: usize) -> f32 {
        let rate = self.codec.sample_rate();
        let from = self.heard.len().saturating_sub(milliseconds * rate as usize / 1000);
        amplitude_at(&self.heard[from..], hertz, rate)
    }
}

impl abuse::Abuser for Phone {
    fn codec(&self) -> Codec {
        self.codec
    }

    fn kind(&self) -> u8 {
        self.kind()
    }

    fn timestamp(&self) -> u32 {
        self.timestamp()
    }

    fn first_timestamp(&self) -> u32 {
        self.first_timestamp
    }

    fn packet(&mut self, marker: bool, payload_type: u8, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        self.packet(marker, payload_type, timestamp, payload)
    }
}

/// The amplitude of one frequency in samples (Goertzel's sum, written as a projection).
pub fn amplitude(samples: &[i16], hertz: f32) -> f32 {
    amplitude_at(samples, hertz, 8000)
}

/// The share of a window's energy that is not the tone: clicks, gaps and steps in phase show here.
pub fn strangeness(samples: &[i16], hertz: f32) -> f32 {
    let (mut cc, mut ss, mut cs, mut xc, mut xs, mut xx) = (0.0f64, 0.0, 0.0, 0.0, 0.0, 1e-9);
    for (n, sample) in samples.iter().enumerate() {
        let (s, c) = (std::f64::consts::TAU * f64::from(hertz) * n as f64 / 8000.0).sin_cos();
        let x = f64::from(*sample);
        cc += c * c;
        ss += s * s;
        cs += c * s;
        xc += x * c;
        xs += x * s;
        xx += x * x;
    }
    let det = cc * ss - cs * cs;
    let (a, b) = ((xc * ss - xs * cs) / det, (xs * cc - xc * cs) / det);
    ((xx - a * xc - b * xs) / xx) as f32
}
