//! Encrypted legs in a room: who has the key hears and is heard, whoever has not is neither, and is counted.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

mod media_support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use media_support::{ROOM, amplitude, format, remote, setup};
use ringlift::base::{Instant, LegId, ParticipantId};
use ringlift::media::clip::ClipLibrary;
use ringlift::media::command::{Figures, MediaCommand, MediaEvent, Sdes, Security, SrtpKey};
use ringlift::media::outlet::{LegKey, Outbox, Port};
use ringlift::media::plane::Plane;
use ringlift::media::srtp::{Receiver, Sender};
use ringlift::wire::codec::Codec::Pcmu;
use ringlift::wire::rtp::rtcp::Compound;
use ringlift::wire::rtp::{Header, Packet};
use ringlift::wire::sdp::{MasterKey, Suite};

/// A telephone with a tone for a voice.
struct Phone {
    key: LegKey,
    leg: LegId,
    address: SocketAddr,
    hertz: f32,
    sequence: u16,
    lock: Option<(Sender, Receiver)>,
    heard: Vec<i16>,
    /// What could not be read.
    noise: usize,
    reports: usize,
}

struct World {
    plane: Plane,
    now: Instant,
    outbox: Outbox,
    phones: Vec<Phone>,
}

fn key(suite: Suite, fill: u8) -> SrtpKey {
    SrtpKey { suite, master: MasterKey::new(suite, &vec![fill; suite.key_length() + 14]).unwrap(), mki: 0 }
}

fn sdes(send: &SrtpKey, receive: &SrtpKey) -> Security {
    Security::Sdes(Box::new(Sdes { send: send.clone(), receive: receive.clone() }))
}

impl World {
    fn new() -> Self {
        Self {
            plane: Plane::new(Arc::new(ClipLibrary::with_tones())),
            now: Instant::from_start(Duration::from_secs(100)),
            outbox: Outbox::with_capacity(64),
            phones: Vec::new(),
        }
    }

    /// A phone joins the room; `ours` is what the leg was told, `theirs` what the phone uses: what it sends with, and what
    /// it reads by.
    fn call(&mut self, hertz: f32, ours: Security, theirs: Option<(&SrtpKey, &SrtpKey)>) -> usize {
        let number = self.phones.len() as u64 + 1;
        let address: SocketAddr = format!("192.0.2.{number}:4000").parse().unwrap();
        let leg = LegId::from_bits(number);
        let mut setup = setup(number, address, Pcmu, 20);
        setup.security = ours;
        self.order(MediaCommand::Open { leg, setup: Box::new(setup) });
        let participant = ParticipantId::from_bits(number);
        self.order(MediaCommand::Join { leg, room: ROOM, participant, muted: false, keys: true, audience: None });
        let lock = theirs.map(|(send, receive)| (Sender::new(send).unwrap(), Receiver::new(receive).unwrap()));
        let key = self.plane.key(leg).unwrap();
        let phone = Phone { key, leg, address, hertz, sequence: 65_500, lock, heard: Vec::new(), noise: 0, reports: 0 };
        self.phones.push(phone);
        self.phones.len() - 1
    }

    fn order(&mut self, command: MediaCommand) {
        self.plane.handle(command, self.now, &mut self.outbox, &mut Vec::new());
        self.deliver();
    }

    fn run(&mut self, milliseconds: u64) {
        let end = self.now + Duration::from_millis(milliseconds);
        let mut events: Vec<MediaEvent> = Vec::new();
        while self.now < end {
            self.now = self.now + Duration::from_millis(20);
            for phone in &mut self.phones {
                let packet = phone.speak();
                self.plane.receive_rtp(phone.key, phone.address, &packet, self.now, &mut self.outbox, &mut events);
            }
            self.plane.tick_all(self.now, &mut self.outbox, &mut events);
            self.deliver();
        }
    }

    fn deliver(&mut self) {
        for packet in self.outbox.packets() {
            if let Some(phone) = self.phones.iter_mut().find(|phone| phone.key == packet.leg) {
                phone.hear(packet.port, packet.bytes());
            }
        }
        self.outbox.clear();
    }

    fn hears(&self, phone: usize, other: usize) -> bool {
        let heard = &self.phones[phone].heard;
        amplitude(&heard[heard.len().saturating_sub(4000)..], self.phones[other].hertz) > 2000.0
    }

    fn figures(&self, phone: usize) -> Figures {
        self.plane.leg(self.phones[phone].key).unwrap().figures()
    }
}

impl Phone {
    fn speak(&mut self) -> Vec<u8> {
        let begun = u32::from(self.sequence.wrapping_sub(65_500)) * 160;
        let tone = |n: u32| {
            (6000.0 * (std::f32::consts::TAU * (self.hertz * (begun + n) as f32 / 8000.0).fract()).sin()) as i16
        };
        let samples: Vec<i16> = (0..160).map(tone).collect();
        let mut payload = vec![0; 160];
        Pcmu.law().unwrap().encode(&samples, &mut payload);
        let header =
            Header { marker: false, payload_type: 0, sequence: self.sequence, timestamp: begun, ssrc: self.key.0 + 70 };
        self.sequence = self.sequence.wrapping_add(1);
        let mut packet = Vec::new();
        Packet { header, csrcs: &[], extension: None, payload: &payload, padding: 0 }.write(&mut packet);
        match &mut self.lock {
            None => packet,
            Some((sender, _)) => {
                let mut sealed = [0; 600];
                let length = sender.rtp(&packet, &mut sealed).unwrap();
                sealed[..length].to_vec()
            }
        }
    }

    fn hear(&mut self, port: Port, bytes: &[u8]) {
        let mut clear = [0; 1500];
        let opened = match (&mut self.lock, port) {
            (None, _) => Some(bytes),
            (Some((_, receiver)), Port::Rtp) => receiver.rtp(bytes, &mut clear).ok().map(|length| &clear[..length]),
            (Some((_, receiver)), Port::Rtcp) => receiver.rtcp(bytes, &mut clear).ok().map(|length| &clear[..length]),
        };
        match (opened, port) {
            (None, _) => self.noise += 1,
            (Some(report), Port::Rtcp) => self.reports += usize::from(Compound::parse(report).is_ok()),
            (Some(packet), Port::Rtp) => {
                let packet = Packet::parse(packet).unwrap();
                let mut samples = vec![0; packet.payload.len()];
                Pcmu.law().unwrap().decode(packet.payload, &mut samples);
                self.heard.extend(samples);
            }
        }
    }
}

#[test]
fn two_encrypted_phones_and_a_plain_one_hear_each_other() {
    let mut world = World::new();
    let (ours, anna) = (key(Suite::Aes128Sha1Tag80, 1), key(Suite::Aes128Sha1Tag80, 2));
    let (ours_too, ben) = (key(Suite::Aes256Sha1Tag32, 3), key(Suite::Aes256Sha1Tag32, 4));
    world.call(400.0, sdes(&ours, &anna), Some((&anna, &ours)));
    world.call(700.0, sdes(&ours_too, &ben), Some((&ben, &ours_too)));
    world.call(1100.0, Security::None, None);
    world.run(12_000);
    for (one, other) in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)] {
        assert!(world.hears(one, other), "{one} hears {other}");
    }
    for (number, phone) in world.phones.iter().enumerate() {
        let figures = world.figures(number);
        assert_eq!((figures.unauthentic, figures.malformed, figures.lost), (0, 0, 0), "{number}");
        assert_eq!((phone.noise, figures.received), (0, 600), "{number}");
        assert!(phone.reports > 0, "{number} is told how it is heard");
    }
}

#[test]
fn who_has_another_key_or_none_is_not_heard_and_is_counted() {
    let mut world = World::new();
    let (ours, theirs, wrong) =
        (key(Suite::Aes128Sha1Tag80, 1), key(Suite::Aes128Sha1Tag80, 2), key(Suite::Aes128Sha1Tag80, 9));
    world.call(400.0, Security::None, None);
    world.call(700.0, sdes(&ours, &theirs), Some((&wrong, &wrong)));
    world.call(1100.0, sdes(&ours, &theirs), None);
    world.run(3000);
    assert!(!world.hears(0, 1) && !world.hears(0, 2));
    for stranger in [1, 2] {
        let figures = world.figures(stranger);
        assert_eq!((figures.received, figures.unauthentic), (0, 150));
        assert!(figures.sent > 140, "what it is sent is encrypted all the same");
    }
    assert!(!world.hears(1, 0) && !world.hears(2, 0), "and neither reads what is said");
    assert_eq!(world.phones[1].heard.len(), 0);
}

#[test]
fn a_packet_that_is_sent_again_by_somebody_else_is_heard_once() {
    let mut world = World::new();
    let (ours, theirs) = (key(Suite::Aes128Sha1Tag80, 1), key(Suite::Aes128Sha1Tag80, 2));
    world.call(400.0, sdes(&ours, &theirs), Some((&theirs, &ours)));
    world.run(400);
    let packet = world.phones[0].speak();
    let (key, address) = (world.phones[0].key, world.phones[0].address);
    for _ in 0..3 {
        world.plane.receive_rtp(key, address, &packet, world.now, &mut world.outbox, &mut Vec::new());
    }
    let figures = world.figures(0);
    assert_eq!((figures.received, figures.unauthentic, figures.duplicates), (21, 2, 0));
}

#[test]
fn keys_change_and_stay_over_a_hold() {
    let mut world = World::new();
    let (ours, theirs, later) =
        (key(Suite::Aes128Sha1Tag80, 1), key(Suite::Aes128Sha1Tag80, 2), key(Suite::Aes128Sha1Tag80, 3));
    world.call(400.0, Security::None, None);
    let ben = world.call(700.0, sdes(&ours, &theirs), Some((&theirs, &ours)));
    world.run(1000);
    let (leg, address) = (world.phones[ben].leg, world.phones[ben].address);
    let modify = |security| MediaCommand::Modify { leg, format: format(Pcmu, 20), remote: remote(address), security };
    world.order(modify(sdes(&ours, &theirs)));
    world.run(1000);
    assert!(world.hears(0, ben) && world.hears(ben, 0));
    assert_eq!(world.figures(ben).unauthentic, 0, "the same keys go on");
    world.order(modify(sdes(&ours, &later)));
    if let Some((sender, _)) = &mut world.phones[ben].lock {
        assert!(sender.rekey(&later));
    }
    world.run(1000);
    assert!(world.hears(0, ben) && world.hears(ben, 0));
    assert_eq!((world.figures(ben).unauthentic, world.phones[ben].noise), (0, 0));
}
