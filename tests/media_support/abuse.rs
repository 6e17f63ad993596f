//! What a telephone that is broken, or means harm, sends: nothing of it is sound.

use ringlift::base::Rng;
use ringlift::wire::codec::Codec;
use ringlift::wire::rtp::TelephoneEvent;

/// A telephone that sends it.
pub trait Abuser {
    /// The codec of its audio.
    fn codec(&self) -> Codec;
    /// The payload type of that.
    fn kind(&self) -> u8;
    /// The timestamp of what it makes next.
    fn timestamp(&self) -> u32;
    /// The timestamp that it began with.
    fn first_timestamp(&self) -> u32;
    /// Its next packet.
    fn packet(&mut self, marker: bool, payload_type: u8, timestamp: u32, payload: &[u8]) -> Vec<u8>;
}

/// A kind of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abuse {
    /// Payload types that nobody agreed on.
    WrongTypes,
    /// Another source in every packet.
    Sources,
    /// Leaps of the sequence number.
    Sequences,
    /// Leaps of the timestamp, near and far.
    Timestamps,
    /// Datagrams and payloads of one byte.
    Single,
    /// Datagrams of 1,500 bytes.
    Longest,
    /// Keys without end, each with a timestamp of its own.
    Keys,
    /// One key for ever, whose duration leaps.
    EndlessKey,
    /// RTCP that is none, or says what cannot be.
    Reports,
    /// Bytes.
    Noise,
}

impl Abuse {
    pub const ALL: [Abuse; 10] = [
        Abuse::WrongTypes,
        Abuse::Sources,
        Abuse::Sequences,
        Abuse::Timestamps,
        Abuse::Single,
        Abuse::Longest,
        Abuse::Keys,
        Abuse::EndlessKey,
        Abuse::Reports,
        Abuse::Noise,
    ];

    /// The next datagram. Where it is audio by its payload type it is silence.
    pub fn next(self, phone: &mut impl Abuser, silence: &[u8], rng: &mut Rng) -> Vec<u8> {
        let (kind, timestamp) = (phone.kind(), phone.timestamp());
        let wild = rng.below(1 << 32) as u32;
        let mut noise = vec![0u8; 1500];
        rng.fill(&mut noise);
        match self {
            Abuse::WrongTypes => {
                let mut wrong = (1..128).map(|n| (wild as u8).wrapping_add(n) & 127);
                let wrong = wrong.find(|number| ![kind, 101, 13].contains(number)).unwrap();
                phone.packet(false, wrong, timestamp, &noise[..160])
            }
            Abuse::Sources => {
                let mut packet = phone.packet(false, kind, timestamp, silence);
                packet[8..12].copy_from_slice(&noise[..4]);
                packet
            }
            Abuse::Sequences => {
                let mut packet = phone.packet(false, kind, timestamp, silence);
                packet[2..4].copy_from_slice(&noise[..2]);
                packet
            }
            Abuse::Timestamps => {
                let leap = if wild & 1 == 0 { wild } else { (wild % 20_000).wrapping_sub(10_000) };
                phone.packet(true, kind, timestamp.wrapping_add(leap), silence)
            }
            Abuse::Single if wild & 1 == 0 => noise[..1].to_vec(),
            Abuse::Single => phone.packet(false, kind, timestamp, &silence[..1]),
            Abuse::Longest => {
                let mut packet = phone.packet(wild & 1 == 0, kind, timestamp, &noise[..1488]);
                if phone.codec() == Codec::Opus {
                    // Of a length that cannot be.
                    packet[12] = 0xff;
                    packet[13] = 0xff;
                }
                packet
            }
            Abuse::Keys => phone.packet(wild & 1 == 0, 101, timestamp.wrapping_add(wild), &[noise[0] & 15, 10, 1, 144]),
            Abuse::EndlessKey => {
                let event = TelephoneEvent { event: 5, end: false, volume: 10, duration: wild as u16 };
                phone.packet(false, 101, phone.first_timestamp(), &event.write())
            }
            Abuse::Reports => {
                let length = 8 + rng.below(40) as usize / 4 * 4;
                noise.truncate(length);
                // A report of so many blocks, most of which are not there; some with lengths that lie.
                noise[0] = 0x80 | (noise[0] & 31);
                noise[1] = 200 + (noise[1] & 7);
                let words = if wild & 1 == 0 { length as u16 / 4 - 1 } else { wild as u16 };
                noise[2..4].copy_from_slice(&words.to_be_bytes());
                noise
            }
            Abuse::Noise => {
                noise.truncate(rng.below(1500) as usize);
                if let Some(first) = noise.first_mut() {
                    // No version that ever was.
                    *first &= 0x7f;
                }
                noise
            }
        }
    }
}
