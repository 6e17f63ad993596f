//! What the wings of a large room tell each other: each writes on a board of its own, and reads those of the others.
//!
//! One writes and any number read; nobody waits and nothing is asked for. A turn is written over 80 ms later: who reads it meanwhile, sees that.

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

    /// The turn that counts at a tick, on the same thread or another; of each board exactly one does.
    pub(super) fn read(&self, now: Instant, same_thread: bool) -> Option<Read<'_>> {
        let until = (now - if same_thread { SAME } else { MARGIN }).as_nanos() + 1;
        let since = until.saturating_sub(TICK.as_nanos() as u64);
        let turns = self.turns.iter().map(|turn| Read { turn, due: turn.due.load(Ordering::Acquire) });
        turns.into_iter().find(|turn| turn.due > since.max(1) && turn.due <= until)
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
    /// The loudest, and how loud they are.
    pub(super) fn loudest(self) -> impl Iterator<Item = (u32, LegId)> {
        let places = self.turn.loudest.iter().map(|[whose, how]| {
            let loudness = u32::try_from(how.load(Ordering::Relaxed)).unwrap_or(0);
            (loudness, LegId::from_bits(whose.load(Ordering::Relaxed)))
        });
        places.filter(|(loudness, _)| *loudness > 0)
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

    #[test]
    fn of_turns_20_ms_apart_one_counts_at_each_tick_whatever_the_two_are_apart() {
        for (apart, same) in (0..20).flat_map(|apart| [(apart, false), (apart, true)]) {
            let board = Board::new();
            (0..50).for_each(|turn| write(&board, 1000 + 20 * turn, &[turn + 1]));
            // The last of those that are on it still.
            for turn in 46..49 {
                let now = at(1020 + 20 * turn + apart);
                let heard: Vec<u64> = board.read(now, same).unwrap().loudest().map(|(_, leg)| leg.bits()).collect();
                let there = if apart >= if same { 1 } else { 4 } { turn + 2 } else { turn + 1 };
                assert_eq!(heard, [there], "{apart} ms, {same}");
            }
        }
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
            let turn = board.read(at(1010), false).unwrap();
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
        assert!(board.read(at(10), false).is_none(), "nothing was written");
        write(&board, 1000, &[1]);
        assert!(board.read(at(1003), false).is_none(), "it might not be there yet");
        assert!(board.read(at(1003), true).is_some() && board.read(at(1000), true).is_none());
        let turn = board.read(at(1010), false).unwrap();
        assert!(board.read(at(1024), false).is_none() && board.read(at(1021), true).is_none(), "its time is over");
        let pen = board.begin(at(1080)).unwrap();
        assert!(!turn.is_whole() && board.read(at(1010), false).is_none());
        drop(pen);
        assert!(!turn.is_whole());
    }
}
