//! What a browser that listens costs in a room of 100 with three speakers: the speakers' packets, sent on to each, against a
//! mix encoded for each. Both are encrypted for each listener; sockets are left out of both.

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ringlift::base::{Instant, LegId, ParticipantId, RoomId};
use ringlift::media::clip::ClipLibrary;
use ringlift::media::command::{MediaCommand, MediaEvent, SrtpKey};
use ringlift::media::mix;
use ringlift::media::outlet::{LegKey, Outbox};
use ringlift::media::plane::Plane;
use ringlift::media::srtp::Sender;
use ringlift::media::web::{self, Voice};
use ringlift::wire::codec::opus;
use ringlift::wire::rtp::{Header, Packet};
use ringlift::wire::sdp::{MasterKey, Suite};

use super::{clock, setup};

const SPEAKERS: u64 = 3;
const PEOPLE: u64 = 100;

/// How the speakers are connected.
#[derive(Clone, Copy, PartialEq)]
pub enum By {
    Browser,
    Telephone,
}

pub struct Room {
    by: By,
    plane: Plane,
    phones: Vec<(LegKey, SocketAddr)>,
    outbox: Outbox,
    events: Vec<MediaEvent>,
    now: Instant,
    turn: u32,
    /// The speakers' packets of a second.
    said: Vec<[Vec<u8>; SPEAKERS as usize]>,
    decoders: [opus::Decoder; SPEAKERS as usize],
    listeners: Vec<(Sender, opus::Encoder)>,
}

impl Room {
    pub fn new(by: By) -> Self {
        let key = SrtpKey {
            suite: Suite::Aes128Sha1Tag80,
            master: MasterKey::new(Suite::Aes128Sha1Tag80, &[7; 30]).expect("thirty bytes"),
            mki: 0,
        };
        let parameters = opus::Parameters::ours();
        let mut speakers = [0; SPEAKERS as usize].map(|_| opus::Encoder::new(&parameters));
        // Not speech, but as hard to encode: tones that glide, over noise.
        let mut noise = 1u32;
        let mut sample = |speaker: usize, n: usize| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let time = n as f32 / 48_000.0;
            let tone = (std::f32::consts::TAU * (200.0 + 300.0 * time) * (speaker + 1) as f32 * time).sin();
            (5000.0 * tone) as i16 + ((noise >> 16) % 500) as i16
        };
        let said = (0..50)
            .map(|frame| {
                let mut index = 0;
                speakers.each_mut().map(|encoder| {
                    let samples: Vec<i16> = (0..960).map(|n| sample(index, frame * 960 + n)).collect();
                    index += 1;
                    let mut bytes = vec![0; 1275];
                    let length = encoder.encode(&samples, &mut bytes);
                    bytes.truncate(length);
                    bytes
                })
            })
            .collect();
        let mut room = Self {
            by,
            plane: Plane::new(Arc::new(ClipLibrary::with_tones())),
            phones: Vec::new(),
            outbox: Outbox::with_capacity(1000),
            events: Vec::with_capacity(1000),
            now: Instant::from_start(Duration::from_secs(1)),
            turn: 0,
            said,
            decoders: Default::default(),
            listeners: (SPEAKERS..PEOPLE)
                .map(|_| (Sender::new(&key).expect("a key"), opus::Encoder::new(&parameters)))
                .collect(),
        };
        for number in 0..PEOPLE {
            let leg = LegId::from_bits(number);
            if by == By::Telephone && number < SPEAKERS {
                let address = SocketAddr::from(([10, 0, 0, number as u8], 4000));
                room.order(MediaCommand::Open { leg, setup: Box::new(setup(number, address)) });
                room.phones.push((room.plane.key(leg).expect("just opened"), address));
            } else {
                room.order(MediaCommand::OpenWeb { leg });
            }
            let (to, participant) = (RoomId::from_bits(1), ParticipantId::from_bits(number));
            room.order(MediaCommand::Join { leg, room: to, participant, muted: false, keys: false, audience: None });
        }
        (0..100).for_each(|_| {
            room.forward();
        });
        // Each slot's packet to each listener, and none beside.
        assert_eq!(room.outbox.slots().len() as u64, SPEAKERS);
        room
    }

    fn order(&mut self, command: MediaCommand) {
        self.plane.handle(command, self.now, &mut self.outbox, &mut self.events);
    }

    /// 20 ms as they are here.
    pub fn forward(&mut self) -> Duration {
        self.turn += 1;
        self.now = self.now + Duration::from_millis(20);
        self.events.clear();
        self.outbox.clear();
        let said = &self.said[self.turn as usize % self.said.len()];
        let voices: Vec<Voice> = said
            .iter()
            .enumerate()
            .map(|(speaker, bytes)| Voice {
                leg: LegId::from_bits(speaker as u64),
                sequence: self.turn as u16,
                timestamp: self.turn * 960,
                level: 20,
                payload: web::Packet::copy(bytes).expect("short"),
            })
            .collect();
        let packets: Vec<Vec<u8>> = (0..SPEAKERS as u32).map(|speaker| telephoned(speaker, self.turn)).collect();
        let started = clock();
        match self.by {
            By::Browser => voices.iter().for_each(|voice| {
                self.plane.receive_voice(voice, self.now, &mut self.outbox, &mut self.events);
            }),
            By::Telephone => self.phones.iter().zip(&packets).for_each(|((key, from), packet)| {
                self.plane.receive_rtp(*key, *from, packet, self.now, &mut self.outbox, &mut self.events);
            }),
        }
        self.plane.tick_all(self.now, &mut self.outbox, &mut self.events);
        for (sender, _) in &mut self.listeners {
            for frame in self.outbox.slots() {
                seal(sender, u32::from(frame.slot), self.turn, frame.payload.bytes());
            }
        }
        started.elapsed()
    }

    /// The same 20 ms, mixed and encoded for each.
    pub fn encode(&mut self) -> Duration {
        self.turn += 1;
        let started = clock();
        let said = &self.said[self.turn as usize % self.said.len()];
        let mut voices = [[0; opus::FRAME]; SPEAKERS as usize];
        for ((decoder, bytes), voice) in self.decoders.iter_mut().zip(said).zip(&mut voices) {
            decoder.decode(bytes, voice);
        }
        for (sender, encoder) in &mut self.listeners {
            let (mut sum, mut frame, mut bytes) = ([0; opus::FRAME], [0; opus::FRAME], [0; 480]);
            voices.iter().for_each(|voice| mix::add(&mut sum, voice));
            mix::limit(&sum, &mut frame);
            let length = encoder.encode(&frame, &mut bytes);
            seal(sender, 9, self.turn, &bytes[..length]);
        }
        started.elapsed()
    }
}

/// A packet of a telephone: a tone that is as loud as a voice.
fn telephoned(speaker: u32, turn: u32) -> Vec<u8> {
    let payload: Vec<u8> = (0..160u32).map(|n| if (n + speaker * 7) % 20 < 10 { 0xa0 } else { 0x20 }).collect();
    let header = Header { marker: false, payload_type: 0, sequence: turn as u16, timestamp: turn * 160, ssrc: speaker };
    let mut bytes = Vec::new();
    Packet { header, csrcs: &[], extension: None, payload: &payload, padding: 0 }.write(&mut bytes);
    bytes
}

/// What each listener's packet costs, whatever is in it.
fn seal(sender: &mut Sender, ssrc: u32, turn: u32, payload: &[u8]) {
    let mut packet = [0; 1500];
    let header =
        Header { marker: false, payload_type: 111, sequence: turn as u16, timestamp: turn.wrapping_mul(960), ssrc };
    let (head, body) = packet.split_at_mut(Header::LENGTH);
    if let Some(head) = head.first_chunk_mut() {
        header.write(head);
    }
    body[..payload.len()].copy_from_slice(payload);
    let mut sealed = [0; 1600];
    black_box(sender.rtp(&packet[..Header::LENGTH + payload.len()], &mut sealed));
}

/// Prints what each listener costs, both ways.
pub fn compare() {
    println!("\n{:>14} {:>18} {:>18} {:>8}", "speakers by", "forward ns/each", "encode ns/each", "share");
    for (name, by) in [("browser", By::Browser), ("telephone", By::Telephone)] {
        let mut room = Room::new(by);
        let listeners = (PEOPLE - SPEAKERS) as f64;
        let mut least = |turn: fn(&mut Room) -> Duration| {
            (0..100).map(|_| turn(&mut room).as_nanos() as f64 / listeners).fold(f64::MAX, f64::min)
        };
        let (forward, encode) = (least(Room::forward), least(Room::encode));
        println!("{name:>14} {forward:>18.1} {encode:>18.1} {:>8.4}", forward / encode);
    }
}
