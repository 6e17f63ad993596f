//! What the wings of a large room tell each other: each writes on a board of its own, and reads those of the others.
//!
//! One writes and any number read; nobody waits and nothing is asked for. A turn is written over 80 ms later: who reads it meanwhile can tell, and lets go what it has read.

use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Duration;

use super::mixes::Owner;
use super::spoken::Spoken;
use super::{DECODED, SPEAKERS};
use crate::base::{Instant, LegId, ParticipantId};
use crate::media::audience::{Audience, MOST};
use crate::media::{Rate, TICK};

/// Turns that are on a board. More: memory. Fewer: who reads late finds what it reads written over.
const TURNS: usize = 4;

/// A turn counts for a wing on another thread that is ticked so long after it. Less: the slightest delay of a thread leaves a gap. More: all of a room hear each
/// other later.
const MARGIN: Duration = Duration::from_millis(4);

/// On the same thread what is due earlier has been ticked earlier, however late both are.
const SAME: Duration = Duration::from_nanos(1);

/// So many silent turns, none of them late, before what a wing is behind is made up for: a second. More: it is heard late for longer. Less: one that is late now and
/// again has a gap at each word.
const CALM: u8 = 50;

/// Samples of a word of 64 bits.
const SAMPLES: usize = 4;

/// A wing's last turns.
#[derive(Debug, Default)]
pub struct Board {
    turns: [Turn; TURNS],
}

/// What a wing tells of one tick.
#[derive(Debug, Default)]
struct Turn {
    /// The tick's scheduled instant and one more, in nanoseconds; 0 while it is written.
    due: AtomicU64,
    spoken: AtomicU64,
    /// Its loudest: whose, and how loud.
    loudest: [[AtomicU64; 2]; SPEAKERS],
    voices: [Voice; DECODED],
}

/// A voice that is heard by all wings.
#[derive(Debug)]
struct Voice {
    /// 0: there is none; else its rate and where its frame lies.
    kind: AtomicU64,
    leg: AtomicU64,
    participant: AtomicU64,
    audience: [AtomicU64; MOST + 1],
    frame: Box<[AtomicU64]>,
}

impl Default for Voice {
    fn default() -> Self {
        Self {
            kind: AtomicU64::default(),
            leg: AtomicU64::default(),
            participant: AtomicU64::default(),
            audience: Default::default(),
            frame: (0..Rate::MOST / SAMPLES).map(|_| AtomicU64::default()).collect(),
        }
    }
}

/// What is known of a voice but its sound.
#[derive(Clone, Copy)]
pub(super) struct Said {
    pub(super) leg: LegId,
    pub(super) owner: Owner,
    pub(super) rate: Rate,
    /// It was not heard in the tick before.
    pub(super) first: bool,
    /// It will not be heard in the next, and fades.
    pub(super) last: bool,
}

/// Where a wing's turns are read by another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Which was read last.
    last: Option<u64>,
    /// Turns in which nobody spoke and that were there in time, since one that was not so.
    calm: u8,
}

impl Place {
    /// None was read yet.
    pub(super) const START: Self = Self { last: None, calm: 0 };
}

/// Bits of [`Voice::kind`], beside those of the rate.
const IS: u64 = 4;
const FIRST: u64 = 8;
const LAST: u64 = 16;

/// Writes a turn; it is read from when this is dropped.
pub(super) struct Pen<'a> {
    turn: &'a Turn,
    due: u64,
    voices: usize,
}

impl Board {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins to write the turn of a tick.
    pub(super) fn begin(&self, now: Instant) -> Option<Pen<'_>> {
        let turn = self.turns.get(place(now))?;
        turn.due.store(0, Ordering::Relaxed);
        fence(Ordering::Release);
        Some(Pen { turn, due: now.as_nanos() + 1, voices: 0 })
    }

    /// The turn to be read at a tick; none where it is not there (yet).
    ///
    /// It is the one after that of before. Where a wing comes later than it is read, once or always, it is heard with a gap of one tick, and from then on by that
    /// much later, without another. What is behind is made up for where nothing was said for a second and none was late, or where it is too much.
    pub(super) fn read(&self, now: Instant, place: &mut Place, same_thread: bool) -> Option<Read<'_>> {
        let read = self.find(now, *place, same_thread);
        place.calm = if read.is_some_and(|read| !read.speaks()) { place.calm.saturating_add(1) } else { 0 };
        if let Some(read) = read {
            if place.last.is_some_and(|last| read.due > last + TICK.as_nanos() as u64) {
                place.calm = 0;
            }
            place.last = Some(read.due);
        }
        read
    }

    fn find(&self, now: Instant, Place { last, calm }: Place, same_thread: bool) -> Option<Read<'_>> {
        let tick = TICK.as_nanos() as u64;
        let until = (now - if same_thread { SAME } else { MARGIN }).as_nanos() + 1;
        let turns = self.turns.iter().map(|turn| Read { turn, due: turn.due.load(Ordering::Acquire) });
        let there = turns.filter(|read| read.due > 0 && read.due <= now.as_nanos());
        let newest = there.filter(|read| read.due <= until && until - read.due < 3 * tick).max_by_key(|read| read.due);
        let Some(last) = last else { return newest };
        let next = self.turn(last + tick).filter(|next| next.due <= now.as_nanos());
        match (next, newest) {
            (Some(next), Some(newest)) if newest.due > next.due => {
                let behind = newest.due > next.due + tick || calm >= CALM && !next.speaks();
                Some(if behind { newest } else { next })
            }
            (Some(next), _) => Some(next),
            (None, newest) => newest.filter(|newest| newest.due > last),
        }
    }

    /// The turn of a tick, if it is there.
    fn turn(&self, due: u64) -> Option<Read<'_>> {
        let turn = self.turns.get(place(Instant::from_start(Duration::from_nanos(due.saturating_sub(1)))))?;
        (turn.due.load(Ordering::Acquire) == due).then_some(Read { turn, due })
    }
}

/// Where a tick's turn is.
fn place(now: Instant) -> usize {
    usize::try_from(now.as_nanos() / TICK.as_nanos() as u64 % TURNS as u64).unwrap_or(0)
}

impl Pen<'_> {
    /// Who is among the loudest, and how loud.
    pub(super) fn loudest(&mut self, loudest: [(u32, Option<LegId>); SPEAKERS]) {
        for (place, (loudness, leg)) in self.turn.loudest.iter().zip(loudest) {
            let [whose, how] = place;
            whose.store(leg.map_or(0, LegId::bits), Ordering::Relaxed);
            how.store(leg.map_or(0, |_| u64::from(loudness)), Ordering::Relaxed);
        }
    }

    /// A voice and its frame; beyond [`DECODED`] it is let fall.
    pub(super) fn voice(&mut self, said: &Said, frame: &[i16]) {
        let Some(voice) = self.turn.voices.get(self.voices) else { return };
        self.voices += 1;
        let Said { leg, owner, rate, first, last } = *said;
        let kind = IS | rate.index() as u64 | if first { FIRST } else { 0 } | if last { LAST } else { 0 };
        voice.kind.store(kind, Ordering::Relaxed);
        voice.leg.store(leg.bits(), Ordering::Relaxed);
        voice.participant.store(owner.participant.bits(), Ordering::Relaxed);
        for (place, word) in voice.audience.iter().zip(to_words(owner.audience)) {
            place.store(word, Ordering::Relaxed);
        }
        for (place, samples) in voice.frame.iter().zip(frame.chunks_exact(SAMPLES)) {
            let word = samples.iter().rev().fold(0, |word, sample| word << 16 | u64::from(sample.cast_unsigned()));
            place.store(word, Ordering::Relaxed);
        }
    }

    /// How loud all of them are together.
    pub(super) fn spoken(&mut self, spoken: Spoken) {
        self.turn.spoken.store(spoken.bits(), Ordering::Relaxed);
    }
}

impl Drop for Pen<'_> {
    fn drop(&mut self) {
        // Of half a turn, the other half is one of before.
        if std::thread::panicking() {
            return;
        }
        if let Some(end) = self.turn.voices.get(self.voices) {
            end.kind.store(0, Ordering::Relaxed);
        }
        self.turn.due.store(self.due, Ordering::Release);
    }
}

/// A turn that is read.
#[derive(Clone, Copy)]
pub(super) struct Read<'a> {
    turn: &'a Turn,
    due: u64,
}

impl<'a> Read<'a> {
    /// Whether there are voices in it.
    fn speaks(self) -> bool {
        self.turn.voices.first().is_some_and(|voice| voice.kind.load(Ordering::Relaxed) > 0)
    }

    /// The loudest, and how loud they are; 0: there is nobody.
    pub(super) fn loudest(self) -> [(u32, LegId); SPEAKERS] {
        self.turn.loudest.each_ref().map(|[whose, how]| {
            let loudness = u32::try_from(how.load(Ordering::Relaxed)).unwrap_or(0);
            (loudness, LegId::from_bits(whose.load(Ordering::Relaxed)))
        })
    }

    /// How loud all are together.
    pub(super) fn spoken(self) -> Spoken {
        Spoken::from_bits(self.turn.spoken.load(Ordering::Relaxed))
    }

    /// The voices; each with what copies its sound.
    pub(super) fn voices(self) -> impl Iterator<Item = (Said, impl Fn(&mut [i16]) + 'a)> {
        let voices = self.turn.voices.iter().map_while(|voice| {
            let kind = voice.kind.load(Ordering::Relaxed);
            let rate = *Rate::ALL.get((kind & 3) as usize).filter(|_| kind & IS > 0)?;
            let owner = Owner {
                participant: ParticipantId::from_bits(voice.participant.load(Ordering::Relaxed)),
                audience: from_words(voice.audience.each_ref().map(|word| word.load(Ordering::Relaxed))),
            };
            let leg = LegId::from_bits(voice.leg.load(Ordering::Relaxed));
            let said = Said { leg, owner, rate, first: kind & FIRST > 0, last: kind & LAST > 0 };
            Some((said, &voice.frame))
        });
        voices.map(|(said, words)| {
            (said, move |frame: &mut [i16]| {
                for (samples, word) in frame.chunks_exact_mut(SAMPLES).zip(words) {
                    let word = word.load(Ordering::Relaxed);
                    for (place, sample) in samples.iter_mut().enumerate() {
                        *sample = ((word >> (16 * place)) as u16).cast_signed();
                    }
                }
            })
        })
    }

    /// Whether what was read is of one turn, and not half of another.
    pub(super) fn is_whole(self) -> bool {
        fence(Ordering::Acquire);
        self.turn.due.load(Ordering::Relaxed) == self.due
    }
}

/// The people a voice is meant for, and in the last word how loud others hear it, and how many people there are; 0: it is meant for all.
fn to_words(audience: Option<Audience>) -> [u64; MOST + 1] {
    let mut words = [0; MOST + 1];
    let Some(audience) = audience else { return words };
    let mut count = 0;
    for (place, listener) in words.iter_mut().zip(audience.listeners()) {
        *place = listener.bits();
        count += 1;
    }
    if let Some(last) = words.last_mut() {
        *last = IS | count << 8 | u64::from(audience.others().cast_unsigned()) << 16;
    }
    words
}

fn from_words(words: [u64; MOST + 1]) -> Option<Audience> {
    let (last, people) = words.split_last().filter(|(last, _)| *last & IS > 0)?;
    let count = (last >> 8 & 0xff) as usize;
    let people = people.iter().take(count).map(|bits| ParticipantId::from_bits(*bits));
    Some(Audience::of(people, i32::try_from(last >> 16).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_start(Duration::from_millis(millis))
    }

    fn said(leg: u64, audience: Option<Audience>) -> Said {
        let owner = Owner { participant: ParticipantId::from_bits(leg + 100), audience };
        Said { leg: LegId::from_bits(leg), owner, rate: Rate::Wide, first: true, last: false }
    }

    fn write(board: &Board, millis: u64, legs: &[u64]) {
        let mut pen = board.begin(at(millis)).unwrap();
        pen.loudest(std::array::from_fn(|place| (7, legs.get(place).map(|leg| LegId::from_bits(*leg)))));
        let frame: Vec<i16> = (0..320).map(|n| (n * 100 - 16_000) as i16).collect();
        legs.iter().for_each(|leg| pen.voice(&said(*leg, None), &frame));
    }

    /// What a wing reads in so many ticks of another, `apart` ms before it, of which each turn is there `late` ms after its time, and says something or not.
    fn heard(
        ticks: u64,
        apart: u64,
        late: impl Fn(u64) -> u64,
        same: bool,
        says: impl Fn(u64) -> bool,
    ) -> Vec<Option<u64>> {
        let board = Board::new();
        let (mut place, mut written) = (Place::START, 0);
        let read = |tick: u64| {
            let now = 1000 + 20 * tick + apart;
            while 1000 + 20 * written + late(written) <= now {
                write(&board, 1000 + 20 * written, if says(written) { &[1] } else { &[] });
                written += 1;
            }
            let read = board.read(at(now), &mut place, same)?;
            Some((read.due / 1_000_000 - 1000) / 20)
        };
        (0..ticks).map(read).collect()
    }

    #[test]
    fn each_turn_is_read_once_whatever_two_wings_are_apart_and_however_late_one_is() {
        for (apart, late, same) in (1..20).flat_map(|apart| (0..30).map(move |late| (apart, late, late == 0))) {
            let heard: Vec<u64> = heard(40, apart, |_| late, same, |_| true).into_iter().flatten().collect();
            assert!(heard.windows(2).all(|pair| pair[1] == pair[0] + 1), "{apart} ms, {late} late: {heard:?}");
            // The last tick is the 39th.
            let behind = 39 - heard.last().unwrap();
            assert!(behind <= 1 + u64::from(late > apart) + u64::from(late > 20), "{apart} ms, {late} late: {behind}");
            assert!(heard.len() >= 37);
        }
    }

    #[test]
    fn who_is_late_once_is_heard_with_one_gap_and_made_up_for_when_nothing_is_said() {
        let once = |turn: u64| if turn == 10 { 15 } else { 0 };
        for says in [true, false] {
            let heard = heard(100, 10, once, false, |_| says);
            assert_eq!((heard[9], heard[10]), (Some(9), None), "{heard:?}");
            let after: Vec<u64> = heard[11..].iter().copied().flatten().collect();
            assert_eq!(after.len(), 89, "no other gap");
            assert_eq!((after[0], *after.last().unwrap()), (10, if says { 98 } else { 99 }));
        }
        // Three turns late are too many to be played one by one.
        let heard =
            heard(40, 10, |turn| if (10..13).contains(&turn) { 10 + 20 * (13 - turn) } else { 0 }, false, |_| true);
        assert_eq!(heard.last().unwrap(), &Some(39), "{heard:?}");
    }

    #[test]
    fn of_who_is_late_now_and_again_each_word_is_whole() {
        // Words of half a second, and pauses as long.
        let says = |turn: u64| turn / 25 % 2 == 1;
        let heard = heard(1000, 10, |turn| if turn % 2 == 0 { 5 } else { 15 }, false, says);
        let lost = |turn: &u64| says(*turn) && !heard.contains(&Some(*turn));
        assert_eq!((0..990).filter(lost).count(), 0, "{heard:?}");
        assert_eq!(heard[25..].iter().filter(|turn| turn.is_none()).count(), 0, "{heard:?}");
    }

    #[test]
    fn what_is_said_is_read_as_it_was_written() {
        let board = Board::new();
        let frame: Vec<i16> = (0..320).map(|n| (n * 100 - 16_000) as i16).collect();
        let people = [3, 4].map(ParticipantId::from_bits);
        for audience in [None, Some(Audience::new(&people, 25)), Some(Audience::new(&[], 0))] {
            let mut pen = board.begin(at(1000)).unwrap();
            pen.voice(&said(9, audience), &frame);
            pen.spoken(Spoken::default());
            drop(pen);
            let turn = board.read(at(1010), &mut { Place::START }, false).unwrap();
            let voices: Vec<_> = turn.voices().collect();
            let [(said, copy)] = voices.as_slice() else { panic!("one voice") };
            assert_eq!((said.leg.bits(), said.owner.participant.bits(), said.rate), (9, 109, Rate::Wide));
            assert_eq!((said.first, said.last, said.owner.audience), (true, false, audience));
            let mut heard = vec![0; 320];
            copy(&mut heard);
            assert_eq!(heard, frame);
            assert!(turn.is_whole());
        }
    }

    #[test]
    fn a_turn_that_is_written_over_is_no_turn() {
        let board = Board::new();
        let read = |millis| board.read(at(millis), &mut { Place::START }, false);
        assert!(read(10).is_none(), "nothing was written");
        write(&board, 1000, &[1]);
        assert!(read(1003).is_none(), "it might not be there yet");
        assert!(
            board.read(at(1003), &mut { Place::START }, true).is_some()
                && board.read(at(1000), &mut { Place::START }, true).is_none()
        );
        let turn = read(1010).unwrap();
        assert!(read(1070).is_none(), "its time is over");
        let pen = board.begin(at(1080)).unwrap();
        assert!(!turn.is_whole() && read(1010).is_none());
        drop(pen);
        assert!(!turn.is_whole());
    }
}
