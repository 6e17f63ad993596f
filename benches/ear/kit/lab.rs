//! One talker, one listener and a third person who says nothing, so that audio is mixed and not passed on; between the
//! talker and the plane a network.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ringlift::base::{Instant, LegId, ParticipantId, Rng, RoomId};
use ringlift::media::Rate;
use ringlift::media::clip::ClipLibrary;
use ringlift::media::command::{Direction, Figures, Format, LegSetup, MediaCommand, Remote, Security};
use ringlift::media::outlet::{LegKey, Outbox, Port};
use ringlift::media::plane::Plane;
use ringlift::wire::codec::{Codec, g722, opus};
use ringlift::wire::rtp::{Header, Packet, is_rtcp};

/// What lies between the talker and us.
#[derive(Debug, Clone, Copy, Default)]
pub struct Network {
    /// Packets of a thousand that are lost, each by itself.
    pub lost: u64,
    /// Losses that come together (Gilbert): of a thousand packets so many begin a burst, and of a thousand packets in
    /// a burst so many are its last.
    pub burst: Option<(u64, u64)>,
    /// Packets are late by anything up to this many milliseconds, and overtake each other.
    pub jitter: u64,
    /// Packets of a thousand that are overtaken by the next one, on a way that is even otherwise.
    pub overtaken: u64,
    /// Parts per million by which the talker's clock runs fast.
    pub drift: i64,
}

/// The networks of the table, each with its name.
pub const NETWORKS: [(&str, Network); 12] = {
    const CLEAN: Network = Network { lost: 0, burst: None, jitter: 0, overtaken: 0, drift: 0 };
    [
        ("clean", CLEAN),
        ("loss 1 %", Network { lost: 10, ..CLEAN }),
        ("loss 5 %", Network { lost: 50, ..CLEAN }),
        ("loss 10 %", Network { lost: 100, ..CLEAN }),
        ("bursts 5 %", Network { burst: Some((20, 380)), ..CLEAN }),
        ("jitter 20 ms", Network { jitter: 20, ..CLEAN }),
        ("jitter 40 ms", Network { jitter: 40, ..CLEAN }),
        ("reorder 5 %", Network { overtaken: 50, ..CLEAN }),
        ("drift +100", Network { drift: 100, ..CLEAN }),
        ("drift -100", Network { drift: -100, ..CLEAN }),
        ("loss+jitter", Network { lost: 50, jitter: 40, ..CLEAN }),
        ("all at once", Network { lost: 20, burst: Some((10, 400)), jitter: 40, overtaken: 20, drift: 100 }),
    ]
};

/// What came of it.
pub struct Heard {
    /// Samples at the codec's rate; the first left us at the beginning of time.
    pub samples: Vec<i16>,
    /// What the talker's leg amounted to.
    pub figures: Figures,
    /// When the talker's first packet left, in microseconds since the beginning of time.
    pub left: u64,
    /// The longest pause between two packets to the listener, in milliseconds.
    pub pause: u64,
}

/// What encodes and decodes for a telephone.
enum Coder {
    G711,
    G722(Box<(g722::Encoder, g722::Decoder)>),
    Opus(Box<(opus::Encoder, opus::Decoder)>),
}

impl Coder {
    fn new(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu | Codec::Pcma => Coder::G711,
            Codec::G722 => Coder::G722(Box::default()),
            Codec::Opus => Coder::Opus(Box::new((opus::Encoder::new(&opus::Parameters::ours()), Default::default()))),
        }
    }

    fn encode(&mut self, codec: Codec, samples: &[i16], bytes: &mut [u8]) -> usize {
        match self {
            Coder::G711 => {
                codec.law().unwrap().encode(samples, bytes);
                samples.len()
            }
            Coder::G722(both) => {
                both.0.encode(samples, bytes);
                samples.len() / 2
            }
            Coder::Opus(both) => both.0.encode(samples, bytes),
        }
    }

    fn decode(&mut self, codec: Codec, bytes: &[u8], samples: &mut Vec<i16>) {
        let from = samples.len();
        samples.resize(from + Rate::of(codec).samples(), 0);
        let out = &mut samples[from..];
        match self {
            Coder::G711 => codec.law().unwrap().decode(bytes, out),
            Coder::G722(both) => both.1.decode(bytes, out),
            Coder::Opus(both) => {
                both.1.decode(bytes, out);
            }
        }
    }
}

const ROOM: RoomId = RoomId::from_bits(1);
/// A media thread drains its sockets this often.
const DRAIN: u64 = 5000;
const PACKET: u64 = 20_000;

/// The payload type that everyone here has for a codec.
pub fn number(codec: Codec) -> u8 {
    codec.static_payload_type().unwrap_or(107)
}

/// A leg's setup.
pub fn setup(index: u64, codec: Codec) -> (LegId, SocketAddr, Box<LegSetup>) {
    let address = SocketAddr::from(([192, 0, 2, index as u8], 4000));
    let payload_type = number(codec);
    let format = Format {
        codec,
        send_payload_type: payload_type,
        receive_payload_type: payload_type,
        ptime: 20,
        telephone_event: Some((101, 101)),
        comfort_noise: None,
        opus: opus::Parameters::ours(),
        reports: Default::default(),
        direction: Direction::SendRecv,
    };
    let setup = LegSetup {
        format,
        remote: Remote { rtp: Some(address), rtcp: None, rtcp_mux: true, signalling: address.ip() },
        security: Security::None,
        ssrc: index as u32,
        sequence: 0,
        timestamp: 0,
        cname: "ear".into(),
        media_timeout: Duration::ZERO,
    };
    (LegId::from_bits(index), address, Box::new(setup))
}

/// Says what `source` gives, so many packets of 20 ms of it, over a network, and hears what the other one gets.
pub fn listen(
    codec: Codec,
    network: Network,
    packets: u64,
    seed: u64,
    mut source: impl FnMut(u64, &mut [i16]),
) -> Heard {
    let mut plane = Plane::new(Arc::new(ClipLibrary::with_tones()));
    let mut outbox = Outbox::with_capacity(64);
    let mut events = Vec::new();
    let begin = Duration::from_secs(10);
    let at = |micros: u64| Instant::from_start(begin + Duration::from_micros(micros));
    let mut keys: Vec<(LegKey, SocketAddr)> = Vec::new();
    for (index, codec) in [(1, codec), (2, codec), (3, Codec::Pcmu)] {
        let (leg, address, setup) = setup(index, codec);
        plane.handle(MediaCommand::Open { leg, setup }, at(0), &mut outbox, &mut events);
        keys.push((plane.key(leg).unwrap(), address));
        let participant = ParticipantId::from_bits(index);
        let join = MediaCommand::Join { leg, room: ROOM, participant, muted: false, keys: false, audience: None };
        plane.handle(join, at(0), &mut outbox, &mut events);
    }
    let mut rng = Rng::from_number(seed);
    let (mut there, mut here) = (Coder::new(codec), Coder::new(codec));
    let left = PACKET + rng.below(PACKET / 1000) * 1000 + 300;
    let (mut made, mut bad, mut now) = (0, false, 0);
    let mut flying: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut frame = vec![0; Rate::of(codec).samples()];
    let mut bytes = [0; 1275];
    let (mut heard, mut last, mut pause, mut first) = (Vec::new(), None, 0, true);
    let end = packets * PACKET + left + PACKET * 25;
    while now < end {
        now += DRAIN;
        while made < packets {
            let leaves = left + (made as i64 * PACKET as i64 * (1_000_000 - network.drift) / 1_000_000) as u64;
            if leaves > now {
                break;
            }
            source(made, &mut frame);
            let length = there.encode(codec, &frame, &mut bytes);
            let header = Header {
                marker: made == 0,
                payload_type: number(codec),
                sequence: 65_000u16.wrapping_add(made as u16),
                timestamp: (u32::MAX - 50_000).wrapping_add((made as u32).wrapping_mul(codec.clock_rate() / 50)),
                ssrc: 4711,
            };
            made += 1;
            let mut packet = Vec::new();
            Packet { header, csrcs: &[], extension: None, payload: &bytes[..length], padding: 0 }.write(&mut packet);
            if let Some((begins, ends)) = network.burst {
                bad = if bad { rng.below(1000) >= ends } else { rng.below(1000) < begins };
            }
            if bad || rng.below(1000) < network.lost {
                continue;
            }
            let overtaken = if rng.below(1000) < network.overtaken { PACKET + PACKET / 2 } else { 0 };
            flying.push((leaves + rng.below(network.jitter * 1000 + 1) + overtaken, packet));
        }
        flying.sort_by_key(|(arrives, _)| *arrives);
        let arrived = flying.partition_point(|(arrives, _)| *arrives <= now);
        for (_, packet) in flying.drain(..arrived) {
            plane.receive_rtp(keys[0].0, keys[0].1, &packet, at(now), &mut outbox, &mut events);
        }
        plane.tick_all(at(now), &mut outbox, &mut events);
        events.clear();
        for packet in outbox.packets().iter().filter(|packet| packet.leg == keys[1].0 && packet.port == Port::Rtp) {
            if is_rtcp(packet.bytes()) {
                continue;
            }
            let rtp = Packet::parse(packet.bytes()).unwrap();
            if first {
                // What comes before the first packet is time, too.
                heard.resize((now * frame.len() as u64 / PACKET) as usize, 0);
                first = false;
            }
            pause = pause.max(last.map_or(0, |last| now - last) / 1000);
            last = Some(now);
            here.decode(codec, rtp.payload, &mut heard);
        }
        outbox.clear();
    }
    let figures = plane.leg(keys[0].0).unwrap().figures();
    Heard { samples: heard, figures, left, pause }
}
