//! What a telephone says: a tone, 20 ms after 20 ms.

use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use ringlift::engine::os;
use ringlift::wire::codec::Codec;
use ringlift::wire::rtp::{Header, Packet, TelephoneEvent};

use crate::common::abuse::Abuser;
use crate::common::coder::{Coder, number};

/// As loud as a voice, and below clipping when three are mixed.
const AMPLITUDE: f64 = 6000.0;
const PACKET: u64 = 20_000_000;

/// Packets of a key: its duration grows for five, and is said thrice in the end; and packets of audio after it.
const DOWN: u16 = 5;
const ENDS: u16 = 3;
const BETWEEN: usize = 5;

/// A mouth, and what changes about it.
pub struct Mouth {
    /// Whether anything leaves. Time goes on.
    pub sends: bool,
    /// How often each packet leaves.
    pub copies: usize,
    /// In hertz; 0 is silence.
    pub tone: f32,
    /// Whence.
    pub from: Arc<UdpSocket>,
    /// Whither.
    pub to: SocketAddr,
    /// Its source.
    pub ssrc: u32,
    /// Of its next packet.
    pub sequence: u16,
    /// Of its next packet.
    pub timestamp: u32,
    first_timestamp: u32,
    codec: Codec,
    coder: Coder,
    made: u64,
    /// By how much its clock is to be set on.
    pause: Duration,
    over: bool,
    /// What its next packets are in place of audio: of which key, and which of its packets.
    keys: VecDeque<Option<(u8, u16)>>,
    /// Since when the key is down.
    pressed: u32,
    /// When each packet left, by the wall clock.
    pub left: Vec<Duration>,
    /// How late the thread was at worst.
    pub latest: Duration,
}

impl Mouth {
    pub(super) fn new(codec: Codec, tone: f32, from: Arc<UdpSocket>, to: SocketAddr) -> Self {
        Self {
            sends: true,
            copies: 1,
            tone,
            from,
            to,
            ssrc: 0x5eed_0000 | u32::from(to.port()),
            sequence: 65_000,
            timestamp: u32::MAX - 4000,
            first_timestamp: u32::MAX - 4000,
            codec,
            coder: Coder::new(codec),
            made: 0,
            pause: Duration::ZERO,
            over: false,
            keys: VecDeque::new(),
            pressed: 0,
            left: Vec::new(),
            latest: Duration::ZERO,
        }
    }

    /// Begins anew: another source, another sequence, another clock.
    pub fn begin_anew(&mut self) {
        self.ssrc = self.ssrc.wrapping_mul(2_654_435_761).wrapping_add(1);
        self.sequence = self.sequence.wrapping_add(20_011);
        self.timestamp = self.timestamp.wrapping_mul(7).wrapping_add(1_234_567_891);
        self.first_timestamp = self.timestamp;
        self.coder = Coder::new(self.codec);
    }

    /// From now on it speaks so much later, against the gateway's clock.
    pub fn fall_behind(&mut self, by: Duration) {
        self.pause += by;
    }

    /// Keys digits from its next packet on, 160 ms each: durations at 8 kHz, as it offers them, timestamps as its audio's.
    pub fn key(&mut self, digits: &str) {
        for code in digits.chars().filter_map(TelephoneEvent::code) {
            self.keys.extend((1..=DOWN + ENDS).map(|packet| Some((code, packet))));
            self.keys.extend([None; BETWEEN]);
        }
    }

    /// 20 ms of silence, as its coder has it.
    pub fn silence(&mut self) -> Vec<u8> {
        self.coder.encode(self.codec, &vec![0; self.codec.sample_rate() as usize / 50])
    }

    /// A packet like its next one, as somebody else might send it.
    pub fn forged(&mut self) -> Vec<u8> {
        let silence = self.silence();
        let packet = self.packet(false, self.kind(), self.timestamp, &silence);
        self.sequence = self.sequence.wrapping_sub(1);
        packet
    }

    fn say(&mut self) {
        let rate = self.codec.sample_rate();
        let turn = std::f64::consts::TAU * f64::from(self.tone) / f64::from(rate);
        let count = u64::from(rate) / 50;
        if let Some((event, packet)) = self.keys.pop_front().flatten() {
            self.press(event, packet);
        } else if self.sends {
            let samples: Vec<i16> =
                (self.made..self.made + count).map(|n| (AMPLITUDE * (turn * n as f64).sin()) as i16).collect();
            let payload = self.coder.encode(self.codec, &samples);
            let packet = self.packet(false, self.kind(), self.timestamp, &payload);
            self.left.push(os::wall());
            (0..self.copies).for_each(|_| drop(self.from.send_to(&packet, self.to)));
        }
        self.made += count;
        self.timestamp = self.timestamp.wrapping_add(self.codec.clock_rate() / 50);
    }

    fn press(&mut self, event: u8, packet: u16) {
        if packet == 1 {
            self.pressed = self.timestamp;
        }
        let event = TelephoneEvent { event, end: packet > DOWN, volume: 10, duration: 160 * packet.min(DOWN) };
        let packet = self.packet(packet == 1, 101, self.pressed, &event.write());
        let _ = self.from.send_to(&packet, self.to);
    }
}

impl Abuser for Mouth {
    fn codec(&self) -> Codec {
        self.codec
    }

    fn kind(&self) -> u8 {
        number(self.codec)
    }

    fn timestamp(&self) -> u32 {
        self.timestamp
    }

    fn first_timestamp(&self) -> u32 {
        self.first_timestamp
    }

    fn packet(&mut self, marker: bool, payload_type: u8, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        let header = Header { marker, payload_type, sequence: self.sequence, timestamp, ssrc: self.ssrc };
        self.sequence = self.sequence.wrapping_add(1);
        let mut bytes = Vec::new();
        Packet { header, csrcs: &[], extension: None, payload, padding: 0 }.write(&mut bytes);
        bytes
    }
}

/// The thread that moves it.
pub(super) struct Speaking {
    mouth: Arc<Mutex<Mouth>>,
    thread: Option<JoinHandle<()>>,
}

impl Speaking {
    pub(super) fn begin(mouth: Arc<Mutex<Mouth>>) -> Self {
        let moved = mouth.clone();
        let thread = std::thread::spawn(move || {
            // Not allowed everywhere: then it is late more often.
            let _ = os::prefer_this_thread();
            let mut due = os::monotonic();
            loop {
                due += PACKET;
                os::sleep_until(due);
                let mut mouth = moved.lock().unwrap();
                if mouth.over {
                    break;
                }
                mouth.latest = mouth.latest.max(Duration::from_nanos(os::monotonic().saturating_sub(due)));
                mouth.say();
                due += u64::try_from(std::mem::take(&mut mouth.pause).as_nanos()).unwrap();
            }
        });
        Self { mouth, thread: Some(thread) }
    }

    pub(super) fn end(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.mouth.lock().unwrap_or_else(std::sync::PoisonError::into_inner).over = true;
            let _ = thread.join();
        }
    }
}

impl Drop for Speaking {
    fn drop(&mut self) {
        self.end();
    }
}
