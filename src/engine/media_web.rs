//! Between the media threads and the web thread, which owns browsers' peer connections:
//!
//! ```text
//!             ── Voice (ring) ────────────────────► media thread 0: chosen, mixed for telephones
//! web thread  ◄── SlotFrame (ring, one doorbell) ── the chosen, for every browser of the room
//!             ── Voice ──► ◄── SlotFrame ──         media thread 1
//!             ◄── which thread has a leg (ring) ─── MediaPlane
//! ```
//!
//! A media thread looks at its voices every 5 ms; the web thread is rung for once in a wake-up. What a
//! full ring does not take is lost, as on any network, and counted.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use rtrb::{Consumer, Producer, RingBuffer};

use crate::base::LegId;
use crate::engine::os::Doorbell;
use crate::media::outlet::Spoken;
use crate::media::web::{Packet, SlotFrame, Voice};

/// Voices in a thread's ring: those of 250 who speak for 80 ms. More: memory, 1.3 KB each. Less: a stall of that thread is
/// heard sooner.
const VOICES: usize = 1024;
/// Packets in a thread's ring to browsers: those of 64 rooms with four speakers for 80 ms. The same trade.
const SLOT_FRAMES: usize = 1024;
/// Changes of legs' threads in their ring; more wait with the sender.
const HOMES: usize = 1024;

/// Which media thread has a browser's leg; none when it is gone.
type Home = (LegId, Option<usize>);

/// The web thread's end.
#[derive(Debug)]
pub struct WebEnds {
    threads: Vec<Ends>,
    changes: Consumer<Home>,
    homes: BTreeMap<LegId, usize>,
    doorbell: Arc<Doorbell>,
    /// The thread whose packets are next looked at.
    next: usize,
    dropped: u64,
}

#[derive(Debug)]
struct Ends {
    voices: Producer<Voice>,
    slots: Consumer<SlotFrame>,
}

/// A media thread's end.
pub(super) struct ThreadEnds {
    pub(super) voices: Consumer<Voice>,
    slots: Producer<SlotFrame>,
    doorbell: Arc<Doorbell>,
    rung: bool,
}

/// The control side's end.
#[derive(Debug)]
pub(super) struct Homes {
    changes: Producer<Home>,
    waiting: VecDeque<Home>,
}

impl WebEnds {
    /// Without threads yet.
    pub(super) fn new() -> io::Result<(Homes, Self)> {
        let (changes, changed) = RingBuffer::new(HOMES);
        let doorbell = Arc::new(Doorbell::new()?);
        let homes = Homes { changes, waiting: VecDeque::new() };
        let ends =
            Self { threads: Vec::new(), changes: changed, homes: BTreeMap::new(), doorbell, next: 0, dropped: 0 };
        Ok((homes, ends))
    }

    /// One thread more; returns its end.
    pub(super) fn add_thread(&mut self) -> ThreadEnds {
        let (voices, heard) = RingBuffer::new(VOICES);
        let (spoken, slots) = RingBuffer::new(SLOT_FRAMES);
        self.threads.push(Ends { voices, slots });
        ThreadEnds { voices: heard, slots: spoken, doorbell: self.doorbell.clone(), rung: false }
    }

    /// Gives a voice to the thread that has its leg; false where it is lost: nobody has the leg, or the ring is full.
    pub fn speak(&mut self, voice: Voice) -> bool {
        self.settle();
        let home = self.homes.get(&voice.leg);
        let taken =
            home.and_then(|home| self.threads.get_mut(*home)).is_some_and(|ends| ends.voices.push(voice).is_ok());
        self.dropped += u64::from(!taken);
        taken
    }

    /// The next packet of a room's voices. Those of one slot come in order.
    pub fn poll_slot(&mut self) -> Option<SlotFrame> {
        self.settle();
        for _ in 0..self.threads.len() {
            if let Some(frame) = self.threads.get_mut(self.next).and_then(|ends| ends.slots.pop().ok()) {
                return Some(frame);
            }
            self.next = (self.next + 1) % self.threads.len();
        }
        None
    }

    /// Rings when packets came: to be answered before [`WebEnds::poll_slot`] is asked until it has none.
    pub fn doorbell(&self) -> &Arc<Doorbell> {
        &self.doorbell
    }

    /// Voices that were lost here.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn settle(&mut self) {
        while let Ok((leg, thread)) = self.changes.pop() {
            match thread {
                Some(thread) => self.homes.insert(leg, thread),
                None => self.homes.remove(&leg),
            };
        }
    }
}

impl ThreadEnds {
    /// Hands a packet to the web thread; false where it has no room.
    pub(super) fn push(&mut self, spoken: Spoken<'_>) -> bool {
        let Spoken { room, slot, participant, audience, timestamp, first, payload } = spoken;
        let Some(payload) = Packet::copy(payload) else { return false };
        let frame = SlotFrame { room, slot, participant, audience, timestamp, first, payload };
        let pushed = self.slots.push(frame).is_ok();
        self.rung |= pushed;
        pushed
    }

    /// Rings once for everything handed over since the last time.
    pub(super) fn ring(&mut self) {
        if std::mem::take(&mut self.rung) {
            self.doorbell.ring();
        }
    }
}

impl Homes {
    /// Tells which thread has a leg.
    pub(super) fn tell(&mut self, leg: LegId, thread: Option<usize>) {
        self.waiting.push_back((leg, thread));
        self.flush();
    }

    /// Moves what waits into the ring as far as it has room.
    pub(super) fn flush(&mut self) {
        while let Some(home) = self.waiting.pop_front() {
            if self.changes.is_abandoned() {
                self.waiting.clear();
            } else if let Err(rtrb::PushError::Full(home)) = self.changes.push(home) {
                self.waiting.push_front(home);
                break;
            }
        }
    }
}
