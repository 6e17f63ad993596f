//! Where in time a stream is: which of its media time came, what is played next, and the delay that the measured
//! lateness asks for.
//!
//! ```text
//!              play                      newest
//!   ───────────┬──────────┬──────────────┬────────►  media time (1/8000 s)
//!     played   │ frame    │  waiting     │
//! ```
//!
//! A packet of any length lies at its timestamp and needs no slot; a bit per unit says whether it came. With
//! `D` = tick − play, a packet that begins at `S` is in time iff its transit (arrival − S) is at most `D` where the
//! frame grid and the packets' grid coincide, and at most `D` − (160 − g) in general, with `g` the common measure of
//! packet length and frame (160 for 20, 40, 60 ms; 80 for 10 and 30 ms). So the least delay is the smallest `D` on the
//! packets' grid that is at least the transits' high mark: on a clean line the newest whole frame is played at each
//! tick, and a packet waits 10 ms in the mean, which is the tick's own price.

use super::FRAME;
use super::transit::Transit;
use crate::base::fetch::{fetch, fetch_from};

/// Units held: 512 ms.
pub const HELD: usize = 4096;
/// A place in media time is held at this many of its lower bits.
pub const MASK: i64 = HELD as i64 - 1;
const WORDS: usize = HELD / 64;

/// Most delay: 400 ms. More would keep more late packets and make a conversation impossible.
const MOST_DELAY: i64 = 3200;

/// A packet this far behind the play point is no late packet but a sender that set its timestamps anew: 1 s.
const FAR_BEHIND: i64 = 8000;

/// Slack beyond the high mark before delay is taken back: 2 ms. Less: it swings with every ripple. More: a
/// stream just beside the grid keeps 20 ms that it does not need.
const MARGIN: i64 = 16;

/// Shortest change of delay worth a cross-fade: 4 ms.
pub const LEAST_SHIFT: i64 = 32;

/// Where less than a frame of delay is too much, only every so many ticks are looked at for a place to leave it out. More:
/// delay falls later. Less: work for nothing, where a voice has no period as short as that.
const PATIENCE: i64 = 4;

/// A packet that follows the one before it by its number, and by its timestamp comes sooner after it than it can, by more than this
/// (60 ms): its sender set its timestamps forward. More: it is waited for. Less: a way that gets shorter is taken for it.
const LEAP: i64 = 480;

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

/// The time of one stream.
#[derive(Debug, Clone)]
// In this order: what every packet and every frame needs comes first.
#[repr(C)]
pub struct Timeline {
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
    /// Timestamp units per unit of media time.
    clock: u32,
    grid: i64,
    /// Delay that is wanted beyond what lateness asks for.
    reserve: i64,
    /// What is played next comes later than it was to: the gap before it grew.
    delayed: bool,
    /// We stood still, and nothing has been played since.
    lapsed: bool,
    /// Smoothed time from arrival to playing, in 1/16 unit.
    waited: i64,
    transit: Transit,
    there: [u64; WORDS],
}

impl Timeline {
    /// Of a stream whose timestamps count in so many hertz, a multiple of 8000.
    pub fn new(clock_rate: u32) -> Self {
        Self {
            play: 0,
            newest: 0,
            started: false,
            generation: 0,
            estranged: 0,
            silent: NOT_SILENT,
            anchor: (0, 0),
            clock: (clock_rate / 8000).max(1),
            grid: FRAME_I,
            reserve: 0,
            delayed: false,
            lapsed: false,
            waited: 0,
            transit: Transit::default(),
            there: [0; WORDS],
        }
    }

    /// Begins anew with the next packet: another source, another codec, the end of a hold.
    pub fn reset(&mut self) {
        self.started = false;
        self.estranged = 0;
        self.silent = NOT_SILENT;
        self.waited = 0;
        (self.delayed, self.lapsed) = (false, false);
        self.transit = Transit::default();
        self.there = [0; WORDS];
    }

    /// Asks the processor for what the next packet and the next frame need.
    pub fn fetch(&self) {
        fetch_from(&self.play, self.transit.hot());
    }

    /// Asks it for what that points to; to be called once that is there.
    pub fn fetch_places(&self) {
        for at in [self.play, self.newest] {
            self.there.get(((at & MASK) >> 6) as usize).into_iter().for_each(fetch);
        }
    }

    /// Takes a packet of so much media time; `arrived` and `tick` elsewhere are on one clock. Where it waits, `keep` is
    /// told where in media time it begins.
    pub fn insert(&mut self, timestamp: u32, length: i64, arrived: i64, keep: impl FnOnce(i64, &Self)) -> Placed {
        let mut start = self.place(timestamp);
        if !self.started {
            start = self.begin(timestamp);
        } else if start > self.play + MOST_DELAY || start + length <= self.play - FAR_BEHIND {
            if self.lapsed && (self.newest - FAR_BEHIND..self.play).contains(&start) {
                // It waited while we stood still, however long that was.
                return Placed::Late;
            }
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
        if start < self.play && self.starves() && start >= self.newest && !self.lapsed {
            // Late, but there is nothing else to play: playing it now is the least delay there is. What waited while we stood still is not late:
            // what follows it is there as well.
            self.play = start;
            self.delayed = true;
        }
        if start + length <= self.play {
            return Placed::Late;
        }
        let (from, until) = self.silent;
        if start >= from && until == i64::MAX {
            self.silent = (from, start);
        }
        keep(start, self);
        let fresh = start.max(self.play);
        self.mark(fresh, start + length - fresh, true);
        self.newest = self.newest.max(start + length);
        Placed::Waiting
    }

    /// Whether what follows the last packet without a loss was set forward: nothing will ever fill the hole before it.
    pub fn leaps(&self, timestamp: u32, arrived: i64) -> bool {
        let start = self.place(timestamp);
        let sooner = |low: i64| arrived - start < low - LEAP;
        let far = start - self.newest > LEAP + self.ahead().max(0);
        self.started && far && !self.lapsed && self.transit.low().is_some_and(sooner)
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

    /// How much to leave out (positive) or put in (negative), where what is played at this tick begins at `play`.
    pub fn wanted(&mut self, tick: i64, play: i64) -> i64 {
        let (Some(high), Some(low)) = (self.transit.high(), self.transit.low()) else {
            return 0;
        };
        let delay = tick - play;
        let mean_wait = delay - low;
        self.waited += mean_wait - self.waited / 16;
        let high = high.min(low + MOST_DELAY) + FRAME_I - self.grid + self.reserve;
        let least = self.on_grid(high, tick);
        if delay < least {
            return delay - least;
        }
        let excess = delay - self.raise(least, high + MARGIN);
        let patient = excess < FRAME_I && (tick / FRAME_I) % PATIENCE != 0;
        if excess < LEAST_SHIFT || patient { 0 } else { excess }
    }

    /// Steps over the next frame, which nobody hears, and over what delay there is too much of.
    pub fn skip(&mut self, tick: i64) {
        if self.started {
            let step = FRAME_I + self.wanted(tick, self.play).clamp(-FRAME_I, MOST_DELAY);
            self.advance(step);
        }
    }

    /// Moves the play point, forwards or back, where nobody hears it.
    pub fn step(&mut self, by: i64) {
        if by > 0 {
            self.advance(by);
        } else {
            self.play += by;
        }
    }

    /// So much time has passed in which we stood still and nothing was played.
    pub fn lapse(&mut self, by: i64) {
        if self.started {
            self.advance(by);
            self.lapsed = true;
        }
    }

    /// Asks for so much delay beyond what lateness asks for.
    pub fn reserve(&mut self, delay: i64) {
        self.reserve = delay;
    }

    /// Says that a gap grows: what follows it comes later than it was to.
    pub fn delay_next(&mut self) {
        self.delayed = true;
    }

    /// Whether what is played now comes later than it was to; asked once.
    pub fn take_delayed(&mut self) -> bool {
        std::mem::take(&mut self.delayed)
    }

    /// Moves the play point on.
    pub fn advance(&mut self, step: i64) {
        let (from, to) = (self.play, self.play + step.max(0));
        self.mark(from, (to - from).min(HELD as i64), false);
        self.play = to;
        self.lapsed = false;
    }

    /// Whether a packet has come since the last beginning.
    pub fn started(&self) -> bool {
        self.started
    }

    /// The media time that is next to be played.
    pub fn play(&self) -> i64 {
        self.play
    }

    /// Whether we stood still, and nothing has been played since: what comes late now is late by us.
    pub fn stood_still(&self) -> bool {
        self.lapsed
    }

    /// How much media time lies between what is played next and the newest.
    pub fn ahead(&self) -> i64 {
        self.newest - self.play
    }

    /// Whether nothing waits.
    pub fn starves(&self) -> bool {
        self.newest <= self.play
    }

    /// Another number means that places before it have nothing to do with those after.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Time from arrival to playing, smoothed.
    pub fn delay(&self) -> i64 {
        self.waited / 16
    }

    /// Whether absence at this place means silence.
    pub fn is_silent(&self, at: i64) -> bool {
        (self.silent.0..self.silent.1).contains(&at)
    }

    /// Whether all of a range came.
    pub fn is_there(&self, start: i64, length: i64) -> bool {
        bits(start, length).all(|(word, mask)| self.there[word] & mask == mask)
    }

    /// Where a timestamp lies in media time.
    pub fn place(&self, timestamp: u32) -> i64 {
        let (known, place) = self.anchor;
        let units = i64::from(timestamp.wrapping_sub(known).cast_signed());
        // Of a telephone there is nothing to divide, which takes a processor as long as all else here.
        place + if self.clock == 1 { units } else { units / i64::from(self.clock) }
    }

    /// The timestamp of a media time.
    pub fn timestamp_of(&self, place: i64) -> u32 {
        let (known, anchor) = self.anchor;
        known.wrapping_add(((place - anchor) as u32).wrapping_mul(self.clock))
    }

    /// The next run of media time, at `from` or later, that is there.
    pub fn waiting(&self, from: i64) -> Option<(i64, i64)> {
        let there = |at: &i64| self.is_there(*at, 1);
        let start = (from..self.newest).find(there)?;
        let end = (start..self.newest).find(|at| !there(at)).unwrap_or(self.newest);
        Some((start, end))
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

    /// The smallest delay on the packets' grid that is at least `delay`.
    fn on_grid(&self, delay: i64, tick: i64) -> i64 {
        delay + (tick - self.anchor.1 - delay).rem_euclid(self.grid)
    }

    /// The smallest delay on the packets' grid that is at least `delay`, from one on it that is not much less.
    fn raise(&self, mut on_grid: i64, delay: i64) -> i64 {
        while on_grid < delay {
            on_grid += self.grid;
        }
        on_grid
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
    while b != 0 && a != b {
        (a, b) = (b, a % b);
    }
    a.max(1)
}
