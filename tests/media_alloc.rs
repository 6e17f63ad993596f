//! The tick does not allocate: counted by the allocator itself, over seconds of ordinary life.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

mod media_support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use media_support::abuse::Abuse;
use media_support::{Coder, ROOM, World, number, setup};
use ringlift::base::{Instant, LegId, ParticipantId, Rng, RoomId};
use ringlift::media::bridge::{Board, Other, Span};
use ringlift::media::clip::{Clip, ClipLibrary, Tone};
use ringlift::media::command::{MediaCommand, MediaEvent, PlayId, Sdes, Security, SrtpKey, Treatment};
use ringlift::media::outlet::{LegKey, Outbox};
use ringlift::media::plane::Plane;
use ringlift::media::srtp::Sender;
use ringlift::media::web::{self, Voice};
use ringlift::wire::codec::Codec;
use ringlift::wire::rtp::{Header, Packet, TelephoneEvent};
use ringlift::wire::sdp::{MasterKey, Suite};

struct Counting;

thread_local! {
    static COUNT: Cell<Option<u64>> = const { Cell::new(None) };
}

fn note() {
    let _ = COUNT.try_with(|count| count.set(count.get().map(|n| n + 1)));
}

#[allow(unsafe_code, reason = "an allocator cannot be written without; it only counts and passes on")]
// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note();
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often memory was asked for or given back meanwhile.
fn counted(work: impl FnOnce()) -> u64 {
    COUNT.set(Some(0));
    work();
    COUNT.replace(None).unwrap()
}

fn key(fill: u8) -> SrtpKey {
    let suite = Suite::Aes128Sha1Tag80;
    SrtpKey { suite, master: MasterKey::new(suite, &[fill; 30]).unwrap(), mki: 0 }
}

#[test]
fn seconds_of_talk_keys_prompts_loss_and_reports_ask_for_no_memory() {
    let mut plane = Plane::new(Arc::new(ClipLibrary::with_tones()));
    let mut outbox = Outbox::with_capacity(1000);
    let mut events = Vec::with_capacity(1000);
    let mut now = Instant::from_start(Duration::from_secs(1));
    let mut legs: Vec<(LegKey, SocketAddr, Codec)> = Vec::new();
    for number in 0..12u64 {
        let address: SocketAddr = format!("192.0.2.{}:{}", number + 1, 4000).parse().unwrap();
        let codec = if number % 3 == 0 { Codec::Pcma } else { Codec::Pcmu };
        let ptime = [10, 20, 30, 60][number as usize % 4];
        let leg = LegId::from_bits(number);
        // Every fourth is encrypted.
        let mut setup = Box::new(setup(number, address, codec, ptime));
        if number % 4 == 2 {
            setup.security = Security::Sdes(Box::new(Sdes { send: key(1), receive: key(2) }));
        }
        plane.handle(MediaCommand::Open { leg, setup }, now, &mut outbox, &mut events);
        if number % 3 == 1 {
            let treatment = Treatment { level: true, denoise: true, tones: number == 4, music: true, echo: true };
            plane.handle(MediaCommand::Treat { leg, treatment }, now, &mut outbox, &mut events);
        }
        if number < 9 {
            let participant = ParticipantId::from_bits(number);
            let join =
                MediaCommand::Join { leg, room: ROOM, participant, muted: number == 8, keys: true, audience: None };
            plane.handle(join, now, &mut outbox, &mut events);
        }
        legs.push((plane.key(leg).unwrap(), address, codec));
    }
    let clips: Arc<[Clip]> = [Clip::Tone(Tone::Entry), Clip::Pause(100), Clip::Tone(Tone::Exit)].into();
    let mut packets: Vec<Vec<u8>> = legs.iter().map(|_| Vec::with_capacity(300)).collect();
    let mut asked = 0;
    let mut senders = [2, 6, 10].map(|index| (index, Sender::new(&key(2)).unwrap()));
    for turn in 0..500u32 {
        now = now + Duration::from_millis(20);
        outbox.clear();
        events.clear();
        if turn % 100 == 50 {
            // Orders may ask for memory: they come between ticks.
            let play =
                MediaCommand::Play { leg: LegId::from_bits(1), play: PlayId(1), clips: clips.clone(), repeat: false };
            plane.handle(play, now, &mut outbox, &mut events);
            let alone =
                MediaCommand::Play { leg: LegId::from_bits(10), play: PlayId(2), clips: clips.clone(), repeat: true };
            plane.handle(alone, now, &mut outbox, &mut events);
            plane.handle(MediaCommand::PlayToRoom { room: ROOM, clips: clips.clone() }, now, &mut outbox, &mut events);
        }
        for (index, (packet, (_, _, codec))) in packets.iter_mut().zip(&legs).enumerate() {
            // Voices come and go; one phone presses a key for ever.
            let loud = (turn / 37 + index as u32).is_multiple_of(5);
            let samples: Vec<i16> =
                (0..160).map(|n| if loud { ((n * 37 + index * 911) % 3000) as i16 } else { 0 }).collect();
            let mut payload = vec![0; 160];
            codec.law().unwrap().encode(&samples, &mut payload);
            let mut header = Header {
                marker: false,
                payload_type: codec.static_payload_type().unwrap(),
                sequence: turn as u16,
                timestamp: turn * 160,
                ssrc: index as u32,
            };
            if index == 3 {
                header.payload_type = 101;
                header.timestamp = turn / 8 * 8 * 160;
                let event =
                    TelephoneEvent { event: 5, end: turn % 8 == 7, volume: 10, duration: (turn % 8 + 1) as u16 * 160 };
                payload = event.write().to_vec();
            }
            packet.clear();
            Packet { header, csrcs: &[], extension: None, payload: &payload, padding: 0 }.write(packet);
            if let Some((_, sender)) = senders.iter_mut().find(|(encrypted, _)| *encrypted == index) {
                let mut sealed = [0; 600];
                let length = sender.rtp(packet, &mut sealed).unwrap();
                packet.clear();
                packet.extend_from_slice(&sealed[..length]);
            }
        }
        let count = counted(|| {
            for (index, (packet, (key, address, _))) in packets.iter().zip(&legs).enumerate() {
                if !(turn as usize + index * 7).is_multiple_of(23) {
                    plane.receive_rtp(*key, *address, packet, now, &mut outbox, &mut events);
                }
            }
            plane.tick_all(now, &mut outbox, &mut events);
        });
        // The first tick after a long idle time catches up; everything after it is ordinary life.
        if turn > 0 {
            asked += count;
        }
    }
    assert_eq!(asked, 0);
    for (index, _) in senders {
        let figures = plane.leg(legs[index].0).unwrap().figures();
        assert!(figures.received > 400 && figures.sent > 100 && figures.unauthentic == 0, "{figures:?}");
    }
    assert!(counted(|| drop(vec![1])) >= 2, "the count counts");
}

#[test]
fn what_no_telephone_should_send_asks_for_no_memory() {
    for codec in Codec::ALL {
        let mut world = World::new();
        for codec in [codec, Codec::Pcmu, Codec::Pcma] {
            let phone = world.call(400.0, codec, 20, 20);
            world.join(phone);
        }
        world.run(1000);
        let (mut rng, mut events) = (Rng::from_number(9), Vec::with_capacity(1000));
        let silence = world.phones[0].silence();
        let (key, own) = (world.phones[0].key, world.phones[0].address);
        let stranger: SocketAddr = "203.0.113.9:4000".parse().unwrap();
        for abuse in Abuse::ALL {
            let mut asked = 0;
            for _ in 0..300 {
                let datagram = abuse.next(&mut world.phones[0], &silence, &mut rng);
                let World { plane, outbox, now, .. } = &mut world;
                *now = *now + Duration::from_millis(5);
                events.clear();
                outbox.clear();
                asked += counted(|| {
                    for from in [own, stranger] {
                        plane.receive_rtp(key, from, &datagram, *now, outbox, &mut events);
                        plane.receive_rtcp(key, from, &datagram, *now);
                    }
                    plane.tick_all(*now, outbox, &mut events);
                });
            }
            assert_eq!(asked, 0, "{codec:?}, {abuse:?}");
        }
    }
}

#[test]
fn seconds_of_talk_in_every_codec_ask_for_no_memory() {
    talk_in_every_codec(false);
}

#[test]
fn seconds_of_talk_in_wings_of_a_room_ask_for_no_memory() {
    talk_in_every_codec(true);
}

fn talk_in_every_codec(in_wings: bool) {
    let mut plane = Plane::new(Arc::new(ClipLibrary::with_tones()));
    let mut outbox = Outbox::with_capacity(1000);
    let mut events = Vec::with_capacity(1000);
    let mut now = Instant::from_start(Duration::from_secs(1));
    // One room of all codecs, and two calls of two whose packets go on as they come, until a prompt is played; or all of them wings of one room.
    let people = [
        (Codec::Pcmu, 1),
        (Codec::G722, 1),
        (Codec::Opus, 1),
        (Codec::G722, 1),
        (Codec::Opus, 1),
        (Codec::Opus, 2),
        (Codec::Opus, 2),
        (Codec::G722, 3),
        (Codec::G722, 3),
    ];
    let mut legs = Vec::new();
    for (number, (codec, room)) in people.into_iter().enumerate() {
        let address: SocketAddr = format!("192.0.2.{}:{}", number + 1, 4000).parse().unwrap();
        let leg = LegId::from_bits(number as u64);
        let setup = Box::new(setup(number as u64, address, codec, 20));
        plane.handle(MediaCommand::Open { leg, setup }, now, &mut outbox, &mut events);
        if room == 1 {
            let treatment = Treatment { level: true, denoise: true, tones: number == 2, music: true, echo: true };
            plane.handle(MediaCommand::Treat { leg, treatment }, now, &mut outbox, &mut events);
        }
        let (room, participant) = (RoomId::from_bits(room), ParticipantId::from_bits(number as u64));
        let join = MediaCommand::Join { leg, room, participant, muted: false, keys: true, audience: None };
        plane.handle(join, now, &mut outbox, &mut events);
        legs.push((plane.key(leg).unwrap(), address, codec, Coder::new(codec)));
    }
    let boards: Vec<Arc<Board>> = (0..3).map(|_| Arc::default()).collect();
    for (room, own) in boards.iter().enumerate().filter(|_| in_wings) {
        let others = boards.iter().filter(|other| !Arc::ptr_eq(other, own)).cloned();
        let others = others.map(|board| Other { board, same_thread: true }).collect();
        plane.span(RoomId::from_bits(room as u64 + 1), Some(Span { own: own.clone(), others }), now);
    }
    let clips: Arc<[Clip]> = [Clip::Tone(Tone::Entry)].into();
    let mut packets: Vec<Vec<u8>> = legs.iter().map(|_| Vec::with_capacity(600)).collect();
    let mut asked = 0;
    for turn in 0..300u32 {
        now = now + Duration::from_millis(20);
        outbox.clear();
        events.clear();
        if turn % 100 == 50 {
            for leg in [2, 6, 8] {
                let (leg, play) = (LegId::from_bits(leg), PlayId(1));
                let play = MediaCommand::Play { leg, play, clips: clips.clone(), repeat: false };
                plane.handle(play, now, &mut outbox, &mut events);
            }
        }
        for (index, (packet, (_, _, codec, coder))) in packets.iter_mut().zip(&mut legs).enumerate() {
            let loud = (turn / 37 + index as u32).is_multiple_of(3);
            let samples: Vec<i16> = (0..codec.sample_rate() as usize / 50)
                .map(|n| if loud { ((n * 37 + index * 911) % 3000) as i16 } else { 0 })
                .collect();
            let payload = coder.encode(*codec, &samples);
            let mut header = Header {
                marker: false,
                payload_type: number(*codec),
                sequence: turn as u16,
                timestamp: turn * codec.clock_rate() / 50,
                ssrc: index as u32,
            };
            let mut event = payload;
            if index == 1 && turn % 50 < 5 {
                header.payload_type = 101;
                header.timestamp = turn / 50 * 8000;
                let pressed = TelephoneEvent { event: 5, end: turn % 50 == 4, volume: 10, duration: 800 };
                event = pressed.write().to_vec();
            }
            packet.clear();
            Packet { header, csrcs: &[], extension: None, payload: &event, padding: 0 }.write(packet);
        }
        let count = counted(|| {
            for (index, (packet, (key, address, ..))) in packets.iter().zip(&legs).enumerate() {
                if !(turn as usize + index * 7).is_multiple_of(23) {
                    plane.receive_rtp(*key, *address, packet, now, &mut outbox, &mut events);
                }
            }
            plane.tick_all(now, &mut outbox, &mut events);
        });
        if turn > 0 {
            asked += count;
        }
    }
    assert_eq!(asked, 0);
}

#[test]
fn seconds_of_browsers_and_telephones_in_a_room_ask_for_no_memory() {
    let mut plane = Plane::new(Arc::new(ClipLibrary::with_tones()));
    let mut outbox = Outbox::with_capacity(1000);
    let mut events = Vec::with_capacity(1000);
    let mut now = Instant::from_start(Duration::from_secs(1));
    let join = |number: u64| MediaCommand::Join {
        leg: LegId::from_bits(number),
        room: ROOM,
        participant: ParticipantId::from_bits(number),
        muted: number == 11,
        keys: false,
        audience: None,
    };
    let mut phones = Vec::new();
    for (number, codec) in [(0, Codec::Pcmu), (1, Codec::G722), (2, Codec::Opus), (3, Codec::Pcma)] {
        let address: SocketAddr = format!("192.0.2.{}:{}", number + 1, 4000).parse().unwrap();
        let leg = LegId::from_bits(number);
        let setup = Box::new(setup(number, address, codec, 20));
        plane.handle(MediaCommand::Open { leg, setup }, now, &mut outbox, &mut events);
        plane.handle(join(number), now, &mut outbox, &mut events);
        phones.push((plane.key(leg).unwrap(), address, codec, Coder::new(codec)));
    }
    let mut browsers: Vec<Coder> = Vec::new();
    for number in 4..12 {
        plane.handle(MediaCommand::OpenWeb { leg: LegId::from_bits(number) }, now, &mut outbox, &mut events);
        plane.handle(join(number), now, &mut outbox, &mut events);
        browsers.push(Coder::new(Codec::Opus));
    }
    let mut packets: Vec<Vec<u8>> = phones.iter().map(|_| Vec::with_capacity(600)).collect();
    let mut voices: Vec<Voice> = Vec::with_capacity(browsers.len());
    let (mut asked, mut slots, mut changes) = (0, 0, 0);
    for turn in 0..400u32 {
        now = now + Duration::from_millis(20);
        outbox.clear();
        events.clear();
        // Who speaks changes all the while, so that slots change hands between telephones and browsers.
        let samples = |index: u32, count: usize| -> Vec<i16> {
            let loud = (turn / 29 + index).is_multiple_of(2);
            (0..count).map(|n| if loud { ((n * 37 + index as usize * 911) % 3000) as i16 } else { 0 }).collect()
        };
        for (index, (packet, (_, _, codec, coder))) in packets.iter_mut().zip(&mut phones).enumerate() {
            let payload = coder.encode(*codec, &samples(index as u32 / 2, codec.sample_rate() as usize / 50));
            let header = Header {
                marker: false,
                payload_type: number(*codec),
                sequence: turn as u16,
                timestamp: turn * codec.clock_rate() / 50,
                ssrc: index as u32,
            };
            packet.clear();
            Packet { header, csrcs: &[], extension: None, payload: &payload, padding: 0 }.write(packet);
        }
        voices.clear();
        for (index, coder) in browsers.iter_mut().enumerate() {
            let samples = samples(index as u32 / 3 + 1, 960);
            let voice = Voice {
                leg: LegId::from_bits(index as u64 + 4),
                sequence: turn as u16,
                timestamp: turn * 960,
                level: if samples[0..10].iter().any(|sample| *sample != 0) { 25 } else { 127 },
                payload: web::Packet::copy(&coder.encode(Codec::Opus, &samples)).unwrap(),
            };
            voices.push(voice);
        }
        let count = counted(|| {
            for (packet, (key, address, ..)) in packets.iter().zip(&phones) {
                plane.receive_rtp(*key, *address, packet, now, &mut outbox, &mut events);
            }
            for (index, voice) in voices.iter().enumerate() {
                if !(turn as usize + index * 7).is_multiple_of(23) {
                    plane.receive_voice(voice, now, &mut outbox, &mut events);
                }
            }
            plane.tick_all(now, &mut outbox, &mut events);
        });
        if turn > 0 {
            asked += count;
        }
        slots += outbox.slots().len();
        changes += events.iter().filter(|event| matches!(event, MediaEvent::Slots { .. })).count();
    }
    assert_eq!(asked, 0);
    assert!(slots > 1000 && changes > 10, "{slots} packets, {changes} changes");
}
