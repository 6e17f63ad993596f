//! The jitter buffer of one G.711 stream: bytes by timestamp in a ring, a play point that moves with the ticks, and
//! a delay that follows the measured lateness.
//!
//! ```text
//!              play                      newest
//!   ───────────┬──────────┬──────────────┬────────►  media time (samples)
//!     played   │ frame    │  waiting     │
//! ```
//!
//! One sample is one byte, so a packet of any length lies at its timestamp and needs no slot; a bit per sample says
//! whether it came. With `D` = tick − play, a packet that begins at `S` is in time iff its transit (arrival − S) is
//! at most `D` where the frame grid and the packets' grid coincide, and at most `D` − (160 − g) in general, with `g`
//! the common measure of packet length and frame (160 for 20, 40, 60 ms; 80 for 10 and 30 ms). So the least delay is
//! the smallest `D` on the packets' grid that is at least the transits' high mark: on a clean line the newest whole
//! frame is played at each tick, and a packet waits 10 ms in the mean, which is the tick's own price.
//!
//! Delay changes where it is heard least. A leg that nobody hears moves its play point; one that is heard is
//! shortened or stretched by a pitch period under a cross-fade; a gap that has to be concealed anyway is lengthened
//! when more delay is wanted.

use super::conceal::{Conceal, HISTORY, LONGEST_PERIOD, best_lag};
use super::transit::Transit;
use super::{FRAME, Frame, LONGEST_PACKET};
use crate::wire::codec::g711::Law;

/// Samples held: 512 ms.
const RING: usize = 4096;
const MASK: i64 = RING as i64 - 1;
const WORDS: usize = RING / 64;

/// Most delay in samples: 400 ms. More would keep more late packets and make a conversation impossible.
const MOST_DELAY: i64 = 3200;

/// A packet this far behind the play point is no late packet but a sender that set its timestamps anew: 1 s.
const FAR_BEHIND: i64 = 8000;

/// Slack beyond the high mark before delay is taken back: 2 ms. Less: it swings with every ripple. More: a
/// stream just beside the grid keeps 20 ms that it does not need.
const MARGIN: i64 = 16;

/// Shortest stretch worth a cross-fade: 4 ms.
const LEAST_SHIFT: i64 = 32;

const FRAME_I: i64 = FRAME as i64;

const NOT_SILENT: (i64, i64) = (i64::MAX, i64::MIN);

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// It waits to be played.
    Waiting,
    /// Its time has passed.
    Late,
    /// It lies so far from the others that one more like it begins anew.
    Estranged,
}

/// The buffer of one stream.
#[derive(Debug, Clone)]
pub struct JitterBuffer {
    play: i64,
    newest: i64,
    started: bool,
    /// Counts beginnings.
    generation: u32,
    estranged: u8,
    /// From the first to the second, absence means silence: comfort noise or a telephone-event came.
    silent: (i64, i64),
    /// A timestamp with its place in media time.
    anchor: (u32, i64),
    grid: i64,
    /// Smoothed time from arrival to playing, in 1/16 sample.
    waited: i64,
    transit: Transit,
    there: [u64; WORDS],
    ring: [u8; RING],
}

impl Default for JitterBuffer {
    fn default() -> Self {
        Self {
            play: 0,
            newest: 0,
            started: false,
            generation: 0,
            estranged: 0,
            silent: NOT_SILENT,
            anchor: (0, 0),
            grid: FRAME_I,
            waited: 0,
            transit: Transit::default(),
            there: [0; WORDS],
            ring: [0xff; RING],
        }
    }
}

impl JitterBuffer {
    /// Begins anew with the next packet: another source, another codec, the end of a hold.
    pub fn reset(&mut self) {
        self.started = false;
        self.estranged = 0;
        self.silent = NOT_SILENT;
        self.waited = 0;
        self.transit = Transit::default();
        self.there = [0; WORDS];
    }

    /// Takes a packet's bytes; `arrived` and `tick` elsewhere are samples on one clock.
    pub fn insert(&mut self, timestamp: u32, bytes: &[u8], arrived: i64) -> Placed {
        let bytes = bytes.get(..LONGEST_PACKET).unwrap_or(bytes);
        let length = i64::try_from(bytes.len()).unwrap_or(0);
        let mut start = self.place(timestamp);
        if !self.started {
            start = self.begin(timestamp);
        } else if start > self.play + MOST_DELAY || start + length <= self.play - FAR_BEHIND {
            self.estranged += 1;
            if self.estranged < 2 {
                return Placed::Estranged;
            }
            self.reset();
            start = self.begin(timestamp);
        }
        self.estranged = 0;
        self.anchor = (timestamp, start);
        if length > 0 {
            self.grid = common_measure(length, FRAME_I);
        }
        self.transit.note(arrived - start, arrived);
        let starving = self.newest <= self.play;
        if start < self.play && starving && start >= self.newest {
            // Late, but there is nothing else to play: playing it now is the least delay there is.
            self.play = start;
        }
        if start + length <= self.play {
            return Placed::Late;
        }
        let (from, until) = self.silent;
        if start >= from && until == i64::MAX {
            self.silent = (from, start);
        }
        let skipped = (self.play - start).max(0);
        let fresh = usize::try_from(skipped).ok().and_then(|skipped| bytes.get(skipped..)).unwrap_or(&[]);
        self.store(start + skipped, fresh);
        self.newest = self.newest.max(start + length);
        Placed::Waiting
    }

    /// From this timestamp on, absence means silence (comfort noise, a telephone-event) until audio comes again.
    pub fn insert_silence(&mut self, timestamp: u32) {
        if self.started {
            let start = self.place(timestamp);
            if start >= self.newest && start - self.newest < FAR_BEHIND {
                let (from, until) = self.silent;
                let open = until == i64::MAX && from < start;
                self.silent = (if open { from } else { start }, i64::MAX);
            }
        }
    }

    /// The mean magnitude of the frame that is next, by table; what has not come counts as silence.
    pub fn level(&self, law: Law) -> u16 {
        if !self.started || self.newest <= self.play {
            return 0;
        }
        let table = law.magnitudes();
        let sum: u32 = if self.is_there(self.play, FRAME_I) {
            let (first, second) = self.slices(self.play, FRAME);
            let add = |sum: u32, byte: &u8| sum + u32::from(table[usize::from(*byte)]);
            second.iter().fold(first.iter().fold(0, add), add)
        } else {
            (self.play..self.play + FRAME_I)
                .filter(|at| self.is_there(*at, 1))
                .map(|at| u32::from(table[usize::from(self.ring[(at & MASK) as usize])]))
                .sum()
        };
        u16::try_from(sum / FRAME as u32).unwrap_or(u16::MAX)
    }

    /// Steps over the next frame, which nobody hears.
    pub fn skip(&mut self, tick: i64) {
        if !self.started {
            return;
        }
        let step = FRAME_I + self.wanted(tick).clamp(-FRAME_I, MOST_DELAY);
        self.advance(step);
    }

    /// Plays the next frame; returns whether something audible had to be invented.
    pub fn take(&mut self, tick: i64, law: Law, conceal: &mut Conceal, out: &mut Frame) -> bool {
        if !self.started {
            conceal.silent(out);
            return false;
        }
        let wanted = self.wanted(tick);
        if !self.is_there(self.play, FRAME_I) {
            return self.take_broken(wanted, law, conceal, out);
        }
        let shift = self.scaled(wanted, law, conceal.history(), out);
        if shift == 0 {
            self.decode(self.play, law, out);
        }
        conceal.heard(out);
        self.advance(FRAME_I + shift);
        false
    }

    /// The media time that is next to be played.
    pub fn play(&self) -> i64 {
        self.play
    }

    /// Another number means that places before it have nothing to do with those after.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Where a timestamp lies in media time.
    pub fn place(&self, timestamp: u32) -> i64 {
        let (known, place) = self.anchor;
        place + i64::from(timestamp.wrapping_sub(known).cast_signed())
    }

    /// The timestamp of a media time.
    pub fn timestamp_of(&self, place: i64) -> u32 {
        let (known, anchor) = self.anchor;
        known.wrapping_add((place - anchor) as u32)
    }

    /// The next run of media time, at `from` or later, that is there.
    pub fn waiting(&self, from: i64) -> Option<(i64, i64)> {
        let there = |at: &i64| self.is_there(*at, 1);
        let start = (from..self.newest).find(there)?;
        let end = (start..self.newest).find(|at| !there(at)).unwrap_or(self.newest);
        Some((start, end))
    }

    /// The bytes of a run that is there.
    pub fn read(&self, from: i64, bytes: &mut [u8]) {
        let (first, second) = self.slices(from, bytes.len());
        let (head, tail) = bytes.split_at_mut(first.len());
        head.copy_from_slice(first);
        tail.copy_from_slice(second);
    }

    /// Moves the play point, forwards or back, where nobody hears it.
    pub fn step(&mut self, by: i64) {
        if by > 0 {
            self.advance(by);
        } else {
            self.play += by;
        }
    }

    /// Hands what came last to whoever is to fill gaps after it.
    pub fn recall(&self, law: Law, conceal: &mut Conceal) {
        conceal.reset();
        if self.started {
            let mut last = [0; HISTORY];
            self.decode(self.play - HISTORY as i64, law, &mut last);
            conceal.heard(&mut last);
        }
    }

    /// Time from arrival to playing in samples, smoothed.
    pub fn delay(&self) -> i64 {
        self.waited / 16
    }

    /// How many samples to leave out (positive) or put in (negative).
    fn wanted(&mut self, tick: i64) -> i64 {
        let (Some(high), Some(low)) = (self.transit.high(), self.transit.low()) else {
            return 0;
        };
        let delay = tick - self.play;
        let mean_wait = delay - low;
        self.waited += mean_wait - self.waited / 16;
        let high = high.min(low + MOST_DELAY) + FRAME_I - self.grid;
        let least = self.on_grid(high, tick);
        if delay < least {
            return delay - least;
        }
        let excess = delay - self.on_grid(high + MARGIN, tick);
        if excess < LEAST_SHIFT { 0 } else { excess }
    }

    /// The smallest delay on the packets' grid that is at least `delay`.
    fn on_grid(&self, delay: i64, tick: i64) -> i64 {
        delay + (tick - self.anchor.1 - delay).rem_euclid(self.grid)
    }

    /// Plays a whole frame shortened or stretched by about a pitch period; returns by how much, 0 where it cannot.
    fn scaled(&self, wanted: i64, law: Law, history: &[i16; HISTORY], out: &mut Frame) -> i64 {
        let most = usize::try_from(wanted.unsigned_abs()).unwrap_or(0).min(LONGEST_PERIOD);
        if most == 0 {
            return 0;
        }
        let mut here = [0i16; FRAME + LONGEST_PERIOD];
        let shorten = wanted > 0;
        let needed = FRAME + if shorten { most } else { 0 };
        if shorten && !self.is_there(self.play, needed as i64) {
            return 0;
        }
        self.decode(self.play, law, here.get_mut(..needed).unwrap_or(&mut []));
        // `all` is what was heard last and what comes; frame starts at `base`.
        const BASE: usize = LONGEST_PERIOD;
        let mut all = [0.0f32; LONGEST_PERIOD + FRAME + LONGEST_PERIOD];
        for (value, sample) in all.iter_mut().zip(history[HISTORY - BASE..].iter().chain(&here)) {
            *value = f32::from(*sample);
        }
        let frame = all.get(BASE..BASE + FRAME).unwrap_or(&[]);
        let other = |lag: usize| {
            let from = if shorten { BASE + lag } else { BASE - lag };
            all.get(from..from + FRAME).unwrap_or(&[])
        };
        let lag = best_lag(frame, most.min(LEAST_SHIFT as usize), most, other);
        for (index, ((sample, a), b)) in out.iter_mut().zip(frame).zip(other(lag)).enumerate() {
            let weight = index as f32 / FRAME as f32;
            *sample = (a + (b - a) * weight) as i16;
        }
        let lag = i64::try_from(lag).unwrap_or(0);
        if shorten { lag } else { -lag }
    }

    /// Plays a frame of which some or all has not come.
    fn take_broken(&mut self, wanted: i64, law: Law, conceal: &mut Conceal, out: &mut Frame) -> bool {
        let mut invented = false;
        let mut stretched = 0;
        let mut at = 0;
        while at < FRAME {
            let place = self.play + at as i64 - stretched;
            let there = self.is_there(place, 1);
            let mut end = at + 1;
            while end < FRAME && self.is_there(self.play + end as i64 - stretched, 1) == there {
                end += 1;
            }
            let Some(run) = out.get_mut(at..end) else { break };
            if there {
                self.decode(place, law, run);
                conceal.heard(run);
            } else if (self.silent.0..self.silent.1).contains(&place) {
                conceal.silent(run);
            } else {
                invented |= conceal.fill(run);
                // More delay is wanted: this gap grows, and what should fill it may yet come.
                let more = (-wanted - stretched).clamp(0, run.len() as i64);
                stretched += more;
            }
            at = end;
        }
        self.advance(FRAME_I - stretched);
        invented
    }

    fn begin(&mut self, timestamp: u32) -> i64 {
        self.started = true;
        self.generation = self.generation.wrapping_add(1);
        // Far from zero, so that nothing before the first packet is negative.
        let start = 1 << 32;
        self.anchor = (timestamp, start);
        self.play = start;
        self.newest = start;
        start
    }

    fn advance(&mut self, step: i64) {
        let (from, to) = (self.play, self.play + step.max(0));
        self.mark(from, (to - from).min(RING as i64), false);
        self.play = to;
    }

    fn store(&mut self, start: i64, bytes: &[u8]) {
        let at = (start & MASK) as usize;
        let first = bytes.len().min(RING - at);
        let (head, tail) = bytes.split_at(first);
        self.ring[at..at + first].copy_from_slice(head);
        self.ring[..tail.len()].copy_from_slice(tail);
        self.mark(start, bytes.len() as i64, true);
    }

    fn slices(&self, start: i64, length: usize) -> (&[u8], &[u8]) {
        let at = (start & MASK) as usize;
        let first = length.min(RING - at);
        (&self.ring[at..at + first], &self.ring[..length - first])
    }

    fn decode(&self, start: i64, law: Law, out: &mut [i16]) {
        let (first, second) = self.slices(start, out.len());
        let (head, tail) = out.split_at_mut(first.len());
        law.decode(first, head);
        law.decode(second, tail);
    }

    /// Whether every sample of a range came.
    fn is_there(&self, start: i64, length: i64) -> bool {
        bits(start, length).all(|(word, mask)| self.there[word] & mask == mask)
    }

    fn mark(&mut self, start: i64, length: i64, there: bool) {
        for (word, mask) in bits(start, length) {
            if there {
                self.there[word] |= mask;
            } else {
                self.there[word] &= !mask;
            }
        }
    }
}

/// The words that hold a range of bits, each with its mask.
fn bits(start: i64, length: i64) -> impl Iterator<Item = (usize, u64)> {
    let (mut at, end) = (start, start + length);
    std::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let bit = at & 63;
        let count = (64 - bit).min(end - at);
        let mask = (u64::MAX >> (64 - count)) << bit;
        let word = ((at & MASK) >> 6) as usize;
        at += count;
        Some((word, mask))
    })
}

fn common_measure(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}
