//! A room too large for one tick, in wings: each is a [`Bridge`] of its own, of some legs of the room, on any thread and due at any time.
//!
//! ```text
//! wing 1: its loudest ──► list: who, how loud ──► board 1 ──┐        ┌── wing 2: of all lists, is any of mine among the loudest few?
//!         those of them that are among the loudest of all:  ├────────┤            mixes its own who are, and the voices on the boards,
//!         decoded, treated, faded ──► voices  ──► board 1 ──┘        └──          and sends to its own legs
//! ```
//!
//! So nobody is asked who is to be heard: each has all lists, and finds the same where none is late (Cisco's US 9,591,037 has one server merge them; that is a way there and back
//! in which a first syllable is lost). Two who begin in the same instant may both be heard for a tick. What has been decoded once is not decoded again, and
//! a voice is levelled, gated and cleared of echo where its telephone is. All clocks are one, so a turn of each board belongs to each tick, and nothing is buffered but
//! for the time that two wings' ticks are apart: 10 ms in the mean on one thread, 14 on two.

use std::sync::Arc;
use std::time::Duration;

use super::board::{Board, Pen, Place, Read, Said};
use super::mixes::{Mixes, Owner, Resamplers};
use super::spoken::Spoken;
use super::{Bridge, DECODED, Ears, ONSET, SPEAKERS};
use crate::base::{Instant, LegId, ParticipantId};
use crate::media::leg::Leg;
use crate::media::legs::Legs;
use crate::media::outlet::{LegKey, Outlet};
use crate::media::{Rate, mix};

/// Legs of a wing. More: who is sent to last waits longer, and hears less regularly. Fewer: voices come to more wings, and what each hears is encoded more often.
pub const WING: usize = 512;

/// Other wings' voices that are mixed at once.
const GUESTS: usize = DECODED;

/// Where a wing tells of itself, and where it hears of the others.
#[derive(Debug, Clone)]
pub struct Span {
    /// Its own.
    pub own: Arc<Board>,
    /// The other wings.
    pub others: Vec<Other>,
}

/// Another wing.
#[derive(Debug, Clone)]
pub struct Other {
    /// Where it tells of itself.
    pub board: Arc<Board>,
    /// It is ticked by the same thread.
    pub same_thread: bool,
}

/// What a bridge has of other wings.
pub(super) struct Wings {
    span: Span,
    /// What is known of each of the others.
    known: Vec<Known>,
    guests: [Guest; GUESTS],
}

/// What is known of another wing.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// Where its turns are read.
    place: Place,
    /// How loud its loudest are. It stays for some ticks in which no turn comes: else others would take their places meanwhile.
    list: [(u32, LegId); SPEAKERS],
    spoken: Spoken,
    /// When the last turn came.
    at: Instant,
}

impl Known {
    const NOTHING: Self = Self { place: Place::START, list: NOBODY, spoken: Spoken::NOBODY, at: Instant::START };
}

const NOBODY: [(u32, LegId); SPEAKERS] = [(0, LegId::from_bits(0)); SPEAKERS];

/// After so long nothing is known of a wing that stands still. More: its loudest keep others from being heard. Less: others are heard in each of its pauses.
const STILL: Duration = Duration::from_millis(60);

/// Who was not heard for so long is let go: he may be gone from the room. More: pages name him for longer. Less: one who speaks again begins anew.
const RESTS: Duration = Duration::from_secs(10);

/// Room for a voice of another wing, which is kept until another needs it.
struct Guest {
    said: Option<Said>,
    frame: Box<[i16]>,
    /// It came in this tick; it was heard in the one before, and is not over.
    came: bool,
    heard: bool,
    /// Another had this room in the tick before.
    anew: bool,
    /// When it was heard last.
    used: Instant,
    /// By its rate.
    resamplers: [Resamplers; 3],
}

impl Wings {
    fn new(span: Span) -> Self {
        let guest = |_| Guest {
            said: None,
            frame: vec![0; Rate::MOST].into(),
            came: false,
            heard: false,
            anew: false,
            used: Instant::START,
            resamplers: Default::default(),
        };
        let known = vec![Known::NOTHING; span.others.len()];
        Self { span, known, guests: std::array::from_fn(guest) }
    }

    /// Other wings have come or gone.
    fn change(&mut self, span: Span) {
        let known = |other: &Other| {
            let place = self.span.others.iter().position(|known| Arc::ptr_eq(&known.board, &other.board))?;
            self.known.get(place).copied()
        };
        self.known = span.others.iter().map(|other| known(other).unwrap_or(Known::NOTHING)).collect();
        self.span = span;
    }

    /// Where it tells of itself.
    pub(super) fn board(&self) -> Arc<Board> {
        self.span.own.clone()
    }

    /// Takes what the others tell.
    fn gather(&mut self, now: Instant) {
        let Self { span, known, guests } = self;
        for guest in guests.iter_mut() {
            guest.came = false;
            if guest.said.is_some() && !guest.heard && now.since(guest.used) > RESTS {
                guest.forget();
            }
        }
        for (other, known) in span.others.iter().zip(known) {
            let Some(turn) = other.board.read(now, &mut known.place, other.same_thread) else {
                if now.since(known.at) > STILL {
                    (known.list, known.spoken) = (NOBODY, Spoken::NOBODY);
                }
                continue;
            };
            let (list, spoken) = (turn.loudest(), turn.spoken());
            let mut came = [false; GUESTS];
            receive(guests, turn, &mut came);
            if turn.is_whole() {
                (known.list, known.spoken, known.at) = (list, spoken, now);
                continue;
            }
            // Half of it may be of another turn, and be meant for others: nothing of it may be heard.
            guests.iter_mut().zip(came).filter(|(_, came)| *came).for_each(|(guest, _)| guest.forget());
        }
    }

    /// How many of the others are louder than a leg.
    fn louder(&self, loudness: u32, leg: LegId) -> usize {
        let others = self.known.iter().flat_map(|known| &known.list);
        others.filter(|other| other.0 > 0 && **other > (loudness, leg)).count()
    }

    /// A leg is in this wing now.
    pub(super) fn forget(&mut self, leg: LegId) {
        let its = |guest: &&mut Guest| guest.said.is_some_and(|said| said.leg == leg);
        self.guests.iter_mut().filter(its).for_each(Guest::forget);
    }

    /// Asks for the memory that others' voices need.
    pub(super) fn prepare(&mut self, mixes: &Mixes) {
        for (rate, guest) in self.guests.iter_mut().flat_map(|guest| Rate::ALL.iter().zip(&mut guest.resamplers)) {
            guest.prepare(*rate, mixes);
        }
    }

    /// How loud the others are together.
    pub(super) fn spoken(&self) -> Spoken {
        self.known.iter().fold(Spoken::NOBODY, |all, known| all.and(known.spoken))
    }

    /// Others who are heard in this tick and will be in the next, or were in the one before and may be again.
    pub(super) fn speakers(&self) -> impl Iterator<Item = (LegKey, ParticipantId)> + Clone {
        let guests = self.guests.iter().enumerate().filter(|(_, guest)| guest.came || guest.heard);
        guests.filter_map(|(place, guest)| {
            let said = guest.said.filter(|said| !guest.came || !said.last)?;
            Some((key(place), said.owner.participant))
        })
    }
}

impl Guest {
    /// Nobody is in this room any more.
    fn forget(&mut self) {
        (self.said, self.came, self.heard, self.anew) = (None, false, false, true);
    }
}

/// Puts each voice of a turn where it was in the one before, or where there is room: where nobody was, or was for longest.
fn receive(guests: &mut [Guest; GUESTS], turn: Read<'_>, came: &mut [bool; GUESTS]) {
    for (said, copy) in turn.voices() {
        let known = guests.iter().position(|guest| guest.said.is_some_and(|other| other.leg == said.leg));
        let free = || {
            let resting = guests.iter().enumerate().filter(|(_, guest)| !guest.came && !guest.heard);
            resting.min_by_key(|(_, guest)| (guest.said.is_some(), guest.used)).map(|(place, _)| place)
        };
        let Some(place) = known.or_else(free) else { continue };
        let (Some(guest), Some(came)) = (guests.get_mut(place), came.get_mut(place)) else { continue };
        copy(guest.frame.get_mut(..said.rate.samples()).unwrap_or_default());
        let before = guest.said.replace(said).filter(|before| before.leg == said.leg);
        // A telephone may come to be another's.
        guest.anew |= before.is_none_or(|before| before.owner.participant != said.owner.participant);
        guest.heard &= before.is_some_and(|before| before.rate == said.rate);
        (guest.came, *came) = (true, true);
    }
}

/// What a guest is called where a leg is asked for. No leg has such a key.
fn key(place: usize) -> LegKey {
    LegKey(u32::MAX - u32::try_from(place).unwrap_or(0))
}

impl Bridge {
    /// Makes it a wing of a larger room, tells it of other wings, or makes it a room again.
    pub fn span(&mut self, span: Option<Span>, now: Instant, legs: &mut Legs) {
        let telephoned = self.telephones.any();
        match (span, &mut self.wings) {
            (Some(span), Some(wings)) => wings.change(span),
            (Some(span), wings) => {
                *wings = Some(Box::new(Wings::new(span)));
                self.mixes.make_room(DECODED + GUESTS);
            }
            (None, wings) => {
                *wings = None;
                (0..GUESTS).for_each(|place| self.slots.leave(key(place)));
            }
        }
        self.count_ears();
        if !telephoned && self.telephones.any() {
            self.begin_voices(legs);
        }
        self.prepare(legs);
        self.settle(now, legs);
    }

    /// Whether it is a wing, and of what.
    pub fn spans(&self) -> Option<&Span> {
        self.wings.as_ref().map(|wings| &wings.span)
    }

    /// Counts who listens how. In other wings telephones do.
    pub(super) fn count_ears(&mut self) {
        let elsewhere = if self.wings.is_some() { Ears::Many } else { Ears::None };
        (self.telephones, self.browsers) = (elsewhere, Ears::None);
        for member in &self.members {
            let ears = if self.seats.contains_key(&member.leg) { &mut self.browsers } else { &mut self.telephones };
            ears.note(member.participant);
        }
    }

    /// Who is to be heard in this tick: the loudest, unless other wings have louder ones, who are told of them.
    pub(super) fn rank(&mut self, now: Instant, legs: &Legs, pen: &mut Option<Pen<'_>>) -> [Option<usize>; SPEAKERS] {
        let loudest = self.loudest.map(|(_, index)| index);
        let Self { wings: Some(wings), members, slots, .. } = self else { return loudest };
        wings.gather(now);
        for (place, guest) in wings.guests.iter_mut().enumerate() {
            if std::mem::take(&mut guest.anew) {
                slots.leave(key(place));
            }
        }
        let id = |index: usize| Some(legs.get(members.get(index)?.leg)?.id());
        let list = self.loudest.map(|(loudness, index)| (loudness, index.and_then(id)));
        pen.iter_mut().for_each(|pen| pen.loudest(list));
        std::array::from_fn(|place| {
            let (loudness, leg) = list.get(place).copied()?;
            let others = wings.louder(loudness, leg?);
            loudest.get(place).copied().flatten().filter(|_| place + others < SPEAKERS)
        })
    }

    /// Adds the voices of other wings.
    pub(super) fn add_guests(&mut self, now: Instant, outlet: &mut impl Outlet) {
        let Self { wings: Some(wings), mixes, slots, browsers, .. } = self else { return };
        for (place, guest) in wings.guests.iter_mut().enumerate() {
            let Some(Said { owner, rate, first, last, .. }) = guest.said else { continue };
            let Guest { frame, came, heard, used, resamplers, .. } = guest;
            if *came || *heard {
                let Some(resamplers) = resamplers.get_mut(rate.index()) else { continue };
                if !*heard {
                    resamplers.reset();
                }
                let Owner { participant, audience } = owner;
                let number = mixes.add(owner, rate, resamplers, |mixed| {
                    mixed.copy_from_slice(frame.get(..mixed.len()).unwrap_or_default());
                    if !*came {
                        // Its thread stands still, or it has gone: backwards from where it ended.
                        mixed.reverse();
                        mix::ramp(mixed, 256, 0);
                    } else if !*heard && !first {
                        // It goes on in the middle of a word.
                        let step = mixed.len() / ONSET;
                        mix::ramp(mixed.get_mut(..step).unwrap_or(&mut []), 0, 256);
                    }
                });
                if let Some(number) = number.filter(|_| browsers.any_but(participant)) {
                    slots.speak(key(place), audience, mixes.voice(Rate::Full, number), now, outlet);
                }
            }
            *heard = *came && !last;
            if *came {
                *used = now;
            }
        }
    }

    /// Somebody wants browsers' voices who did not before.
    pub(super) fn begin_voices(&mut self, legs: &mut Legs) {
        self.seats.keys().for_each(|leg| legs.get_mut(*leg).into_iter().for_each(Leg::begin_voice));
    }
}
