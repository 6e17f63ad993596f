//! The jitter buffer of one G.711 stream: bytes by timestamp in a ring, a play point that moves with the ticks, and a
//! delay that follows the measured lateness (see [`super::timeline`]).
//!
//! One sample is one byte and a unit of media time, so that any stretch of the ring can be decoded at any time.
//!
//! Delay changes where it is heard least. A leg that nobody hears moves its play point; one that is heard is
//! shortened or stretched by a pitch period under a cross-fade; a gap that has to be concealed anyway is lengthened
//! when more delay is wanted.

use super::conceal::{Conceal, HISTORY, LONGEST_PERIOD};
use super::noise::Noise;
use super::timeline::{HELD, MASK, Placed, Timeline};
use super::{FRAME, LONGEST_PACKET, stretch};
use crate::base::fetch::fetch;
use crate::wire::codec::g711::Law;

const FRAME_I: i64 = FRAME as i64;

/// The buffer of one stream.
#[derive(Debug, Clone)]
// In this order: what every packet and every frame needs is in one piece.
#[repr(C, align(64))]
pub struct JitterBuffer {
    conceal: Conceal,
    law: Law,
    pub(super) time: Timeline,
    pub(super) noise: Noise,
    ring: Ring,
}

/// Bytes by media time, the last 512 ms of them.
#[derive(Debug, Clone)]
pub(super) struct Ring([u8; HELD]);

impl Default for Ring {
    fn default() -> Self {
        Self([0xff; HELD])
    }
}

impl Ring {
    pub(super) fn store(&mut self, start: i64, bytes: &[u8]) {
        let at = (start & MASK) as usize;
        let first = bytes.len().min(HELD - at);
        let (head, tail) = bytes.split_at(first);
        self.0[at..at + first].copy_from_slice(head);
        self.0[..tail.len()].copy_from_slice(tail);
    }

    pub(super) fn slices(&self, start: i64, length: usize) -> (&[u8], &[u8]) {
        let at = (start & MASK) as usize;
        let first = length.min(HELD - at);
        (&self.0[at..at + first], &self.0[..length - first])
    }

    /// Keeps what of a packet is not over yet; `start` is its place.
    pub(super) fn keep(&mut self, start: i64, bytes: &[u8], time: &Timeline) {
        let skipped = (time.play() - start).max(0);
        let fresh = usize::try_from(skipped).ok().and_then(|skipped| bytes.get(skipped..)).unwrap_or(&[]);
        self.store(start + skipped, fresh);
    }

    /// Copies a run out.
    pub(super) fn read(&self, from: i64, bytes: &mut [u8]) {
        let (first, second) = self.slices(from, bytes.len());
        let (head, tail) = bytes.split_at_mut(first.len());
        head.copy_from_slice(first);
        tail.copy_from_slice(second);
    }
}

impl JitterBuffer {
    /// Of a stream by this law.
    pub fn new(law: Law) -> Self {
        Self {
            time: Timeline::new(8000),
            law,
            conceal: Conceal::new(1),
            noise: Noise::default(),
            ring: Ring::default(),
        }
    }

    /// Takes a packet's bytes; `arrived` and `tick` elsewhere are samples on one clock.
    pub fn insert(&mut self, timestamp: u32, bytes: &[u8], arrived: i64) -> Placed {
        let bytes = bytes.get(..LONGEST_PACKET).unwrap_or(bytes);
        let length = i64::try_from(bytes.len()).unwrap_or(0);
        let ring = &mut self.ring;
        self.time.insert(timestamp, length, arrived, |start, time| ring.keep(start, bytes, time))
    }

    /// Asks the processor for what the next packet and the next frame need.
    pub fn fetch(&self) {
        fetch(&self.conceal);
        fetch(&self.law);
        self.time.fetch();
    }

    /// Asks it for what that points to, also for what a voice needs that is heard; to be called once that is there.
    pub fn fetch_places(&self, voiced: bool) {
        self.time.fetch_places();
        if voiced {
            self.conceal.fetch();
        }
        // Where the next packet goes; where the next frame is, it went a moment ago.
        let (first, second) = self.ring.slices(self.time.play() + self.time.ahead().max(0), FRAME);
        fetch(first);
        fetch(second);
    }

    /// The mean magnitude of the frame that is next, without decoding it; what has not come counts as silence.
    pub fn level(&self) -> u16 {
        let play = self.time.play();
        if !self.time.started() || self.time.starves() {
            return if self.time.is_silent(play) { self.noise.loudness() } else { 0 };
        }
        let sum: u32 = if self.time.is_there(play, FRAME_I) {
            let (first, second) = self.ring.slices(play, FRAME);
            self.law.magnitude(first) + self.law.magnitude(second)
        } else {
            (play..play + FRAME_I)
                .filter(|at| self.time.is_there(*at, 1))
                .map(|at| self.law.magnitude(self.ring.slices(at, 1).0))
                .sum()
        };
        u16::try_from(sum / FRAME as u32).unwrap_or(u16::MAX)
    }

    /// Plays the next frame; returns whether something audible had to be invented.
    pub fn take(&mut self, tick: i64, out: &mut [i16]) -> bool {
        if !self.time.started() {
            self.conceal.silent(out);
            return false;
        }
        let play = self.time.play();
        let wanted = self.time.wanted(tick, play);
        if !self.time.is_there(play, FRAME_I) {
            return self.take_broken(wanted, out);
        }
        if self.time.take_delayed() {
            return self.resume(play, out);
        }
        let shift = self.scaled(wanted, out);
        if shift == 0 {
            self.decode(play, out);
        }
        self.conceal.heard(out);
        self.time.advance(FRAME_I + shift);
        false
    }

    /// Silence is played while a key is down.
    pub fn silent(&mut self, out: &mut [i16]) {
        self.conceal.silent(out);
    }

    /// Nobody heard what came before.
    pub fn forget(&mut self) {
        self.conceal.reset();
    }

    /// The far end hears on where packets were passed on: what came last is what gaps are filled from.
    pub fn recall(&mut self) {
        self.conceal.reset();
        if self.time.started() {
            let mut last = [0; HISTORY];
            self.decode(self.time.play() - HISTORY as i64, &mut last);
            self.conceal.heard(&mut last);
        }
    }

    /// The bytes of a run that is there.
    pub fn read(&self, from: i64, bytes: &mut [u8]) {
        self.ring.read(from, bytes);
    }

    /// Plays what follows a gap that was longer than what is missing: the gap lasts until both are in phase.
    fn resume(&mut self, play: i64, out: &mut [i16]) -> bool {
        self.decode(play, out);
        let wait = self.conceal.wait(out).min(out.len());
        if wait > 0 {
            let (before, after) = out.split_at_mut(wait);
            self.conceal.fill(before);
            self.decode(play, after);
            self.conceal.heard(after);
        } else {
            self.conceal.heard(out);
        }
        self.time.advance(FRAME_I - wait as i64);
        wait > 0
    }

    /// Plays a whole frame shortened or stretched by about a pitch period; returns by how much, 0 where it cannot.
    fn scaled(&mut self, wanted: i64, out: &mut [i16]) -> i64 {
        let most = stretch::most(wanted);
        if most == 0 {
            return 0;
        }
        let needed = FRAME + if wanted > 0 { most } else { 0 };
        if wanted > 0 && !self.time.is_there(self.time.play(), needed as i64) {
            return 0;
        }
        let mut here = [0i16; FRAME + LONGEST_PERIOD];
        let here = here.get_mut(..needed).unwrap_or(&mut []);
        self.decode(self.time.play(), here);
        stretch::play(wanted, 1, self.conceal.history(), here, out)
    }

    /// Plays a frame of which some or all has not come.
    fn take_broken(&mut self, wanted: i64, out: &mut [i16]) -> bool {
        let mut invented = false;
        let mut stretched = 0;
        let mut at = 0;
        while at < FRAME {
            let place = self.time.play() + at as i64 - stretched;
            let there = self.time.is_there(place, 1);
            let mut end = at + 1;
            while end < FRAME && self.time.is_there(self.time.play() + end as i64 - stretched, 1) == there {
                end += 1;
            }
            let Some(run) = out.get_mut(at..end) else { break };
            if there {
                self.decode(place, run);
                self.conceal.heard(run);
            } else if self.time.is_silent(place) {
                self.noise.fill(run);
                self.conceal.heard(run);
            } else {
                invented |= self.conceal.fill(run);
                // More delay is wanted: this gap grows, and what should fill it may yet come.
                let more = (-wanted - stretched).clamp(0, run.len() as i64);
                stretched += more;
            }
            at = end;
        }
        self.time.advance(FRAME_I - stretched);
        if stretched > 0 {
            self.time.delay_next();
        }
        invented
    }

    fn decode(&self, start: i64, out: &mut [i16]) {
        let (first, second) = self.ring.slices(start, out.len());
        let (head, tail) = out.split_at_mut(first.len());
        self.law.decode(first, head);
        self.law.decode(second, tail);
    }
}
