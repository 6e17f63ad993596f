//! RTP of many phones from one thread: 50 packets a second each, spread over the 20 ms, one of each room's first three speaking at
//! a time. Phones share sockets, as those behind one NAT share an address: they are told apart by the port at which the far end
//! has them.

use std::net::UdpSocket;
use std::time::Duration;

use ringlift::base::Instant;
use ringlift::engine::clock::Clock;
use ringlift::wire::codec::g711::Law;

use crate::system::{BATCH, Batch, roomy_socket, wall_clock};

/// Phones on a socket. More: fewer calls. Fewer: packets of one tick find room.
const SHARE: usize = 64;
/// Between two looks at the sockets.
const STEP: Duration = Duration::from_millis(1);
/// Steps in the 20 ms of a packet.
const STEPS: usize = 20;
/// Ticks of a turn to speak: one second.
const TURN: u32 = 50;
/// Of them with sound.
const SOUND: u32 = 40;
/// Speakers of a room at most, one after the other.
const SPEAKERS: usize = 3;
const RTP: usize = 172;

pub struct Phones {
    sockets: Vec<UdpSocket>,
    phones: Vec<Phone>,
    /// By the far end's port.
    by_port: Vec<u32>,
    /// Phones in a room.
    room: usize,
    batch: Batch,
    clock: Clock,
    /// When the next step is due: one that is late is made up for, because phones do not pause.
    next: Instant,
    step: u64,
    tone: Vec<u8>,
    pub sent: u64,
    pub came: u64,
    pub times: Times,
}

#[derive(Default, Clone, Copy)]
struct Phone {
    /// The far end's port.
    port: u16,
    /// When its latest turn to speak left, by the wall clock.
    spoke: u64,
    /// The packet before: when it arrived, and its timestamp.
    before: Option<(u64, u32)>,
    loud: bool,
}

/// What was measured of packets that came, in nanoseconds.
#[derive(Default)]
pub struct Times {
    /// Each packet carries when it left, for far ends that send it on as it is.
    pub stamped: bool,
    /// How long those took.
    pub inside: Vec<u64>,
    /// From a speaker's packet to the same samples at a listener.
    pub mouth_to_ear: Vec<u64>,
    /// How far the time between two packets was from what their timestamps say.
    pub jitter: Vec<u64>,
}

impl Phones {
    /// So many, in rooms of so many.
    pub fn new(count: usize, room: usize) -> Self {
        let clock = Clock::start();
        Self {
            sockets: (0..count.div_ceil(SHARE)).map(|_| roomy_socket()).collect(),
            phones: vec![Phone::default(); count],
            by_port: vec![u32::MAX; 65_536],
            room,
            batch: Batch::new(),
            clock,
            next: clock.mono(),
            step: 0,
            tone: tone(),
            sent: 0,
            came: 0,
            // A growing list would make the generator late.
            times: Times {
                stamped: false,
                inside: Vec::with_capacity(1 << 20),
                mouth_to_ear: Vec::with_capacity(1 << 18),
                jitter: Vec::with_capacity(1 << 22),
            },
        }
    }

    pub fn len(&self) -> usize {
        self.phones.len()
    }

    /// Where a phone listens.
    pub fn port(&self, phone: usize) -> u16 {
        self.sockets[phone / SHARE].local_addr().unwrap().port()
    }

    /// Where its far end does.
    pub fn connect(&mut self, phone: usize, port: u16) {
        self.phones[phone].port = port;
        self.by_port[usize::from(port)] = phone as u32;
    }

    /// Forgets what was counted so far.
    pub fn begin(&mut self, stamped: bool) {
        (self.sent, self.came) = (0, 0);
        self.times.stamped = stamped;
        self.times.inside.clear();
        self.times.mouth_to_ear.clear();
        self.times.jitter.clear();
    }

    /// Media for so long; goes on where it stopped if that was just now.
    pub fn run(&mut self, length: Duration) {
        self.run_beside(None, length);
    }

    /// The same, and of others step by step with these.
    pub fn run_beside(&mut self, mut others: Option<&mut Phones>, length: Duration) {
        if self.clock.mono().since(self.next) > Duration::from_millis(100) {
            self.next = self.clock.mono();
        }
        let end = self.next + length;
        while self.next < end {
            self.next = self.next + STEP;
            self.clock.sleep_until(self.next);
            self.step();
            others.iter_mut().for_each(|others| others.step());
        }
    }

    fn step(&mut self) {
        self.send();
        self.receive();
        self.step += 1;
    }

    fn send(&mut self) {
        let (round, step) = ((self.step / STEPS as u64) as u32, self.step as usize % STEPS);
        for (number, (group, socket)) in self.phones.chunks_mut(SHARE).zip(&self.sockets).enumerate() {
            let mut now = wall_clock();
            for (place, phone) in group.iter_mut().enumerate() {
                let index = number * SHARE + place;
                // A room's phones are in step with nobody.
                if index * 7 % STEPS != step || phone.port == 0 {
                    continue;
                }
                // Nor do people of different rooms wait for each other's words.
                let said = round + (index / self.room * 7) as u32 % TURN;
                let speaks =
                    said % TURN < SOUND && (said / TURN) as usize % SPEAKERS.min(self.room) == index % self.room;
                let packet = self.batch.add(phone.port, RTP);
                packet[..2].copy_from_slice(&[0x80, 0]);
                packet[2..4].copy_from_slice(&(round as u16).to_be_bytes());
                packet[4..8].copy_from_slice(&(round * 160).to_be_bytes());
                packet[8..12].copy_from_slice(&(index as u32 + 1).to_be_bytes());
                if speaks {
                    packet[12..].copy_from_slice(&self.tone[(round as usize % 2) * 160..][..160]);
                    if said.is_multiple_of(TURN) {
                        phone.spoke = now;
                    }
                } else {
                    packet[12..].fill(0xff);
                }
                if self.times.stamped {
                    packet[12..20].copy_from_slice(&now.to_be_bytes());
                }
                if self.batch.is_full() {
                    self.sent += self.batch.send(socket) as u64;
                    now = wall_clock();
                }
            }
            self.sent += self.batch.send(socket) as u64;
        }
    }

    fn receive(&mut self) {
        for socket in &self.sockets {
            loop {
                let found = self.batch.receive(socket, BATCH);
                for index in 0..found {
                    let (port, arrived, bytes) = self.batch.received(index);
                    let phone = self.by_port[usize::from(port)] as usize;
                    if bytes.len() != RTP || phone >= self.phones.len() {
                        continue;
                    }
                    self.came += 1;
                    hear(&mut self.phones, &mut self.times, (phone, self.room), arrived, bytes);
                }
                if found < BATCH {
                    break;
                }
            }
        }
    }
}

/// What a phone makes of a packet.
fn hear(phones: &mut [Phone], times: &mut Times, (index, room): (usize, usize), arrived: u64, bytes: &[u8]) {
    let timestamp = u32::from_be_bytes(bytes[4..8].try_into().unwrap());
    if let Some((before, then)) = phones[index].before.replace((arrived, timestamp)) {
        let due = u64::from(timestamp.wrapping_sub(then)) * 125_000;
        if due < 1_000_000_000 {
            times.jitter.push((arrived - before).abs_diff(due));
        }
    }
    if times.stamped {
        let left = u64::from_be_bytes(bytes[12..20].try_into().unwrap());
        times.inside.push(arrived.saturating_sub(left));
        return;
    }
    // Louder than a sixteenth of the most there is, by µ-law.
    let begins = bytes[12..].iter().position(|byte| byte & 0x7f < 0x40);
    let was = std::mem::replace(&mut phones[index].loud, begins.is_some());
    if let Some(begins) = begins.filter(|_| !was) {
        // Who of the room began last, before this came.
        let first = index / room * room;
        let speakers = phones[first..].iter().take(room.min(SPEAKERS)).map(|phone| phone.spoke);
        let spoke = speakers.filter(|spoke| *spoke < arrived).max().unwrap_or(0);
        let took = arrived.saturating_sub(spoke) + begins as u64 * 125_000;
        // The beginning of a run, or a turn that was not heard from its first word.
        if spoke > 0 {
            times.mouth_to_ear.push(took);
        }
    }
}

/// Two frames of a tone in µ-law.
fn tone() -> Vec<u8> {
    let samples: Vec<i16> =
        (0..320).map(|n| (8000.0 * (std::f64::consts::TAU * 425.0 * f64::from(n) / 8000.0).cos()) as i16).collect();
    let mut bytes = vec![0; 320];
    Law::Mu.encode(&samples, &mut bytes);
    bytes
}

/// In milliseconds.
pub fn percentile(times: &mut [u64], tenths: usize) -> f64 {
    if times.is_empty() {
        return f64::NAN;
    }
    let at = (times.len() * tenths / 1000).min(times.len() - 1);
    *times.select_nth_unstable(at).1 as f64 / 1e6
}
