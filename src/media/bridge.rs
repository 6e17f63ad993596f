//! A room's media on one thread: who is loud, what everyone hears.
//!
//! Per tick: every leg's level by its bytes; the loudest few decoded; one sum; everyone who is no speaker and is played
//! nothing of their own hears the same bytes, encoded once per codec, and gets them with a header of their own. Two
//! people of one codec need none of it: their packets go on as they come.

use std::collections::BTreeMap;

use super::audience::Audience;
use super::command::MediaEvent;
use super::egress::Encoded;
use super::leg::{Leg, Link};
use super::legs::Legs;
use super::level::{AUDIBLE, Voice};
use super::mix;
use super::outlet::{LegKey, Outlet};
use super::player::{Played, Playlist};
use super::web;
use super::{FRAME, Rate};
use crate::base::fetch::{fetch, fetch_from};
use crate::base::{Instant, ParticipantId, RoomId};

mod board;
mod mixes;
mod pair;
mod slots;
mod spoken;
mod streams;
mod wings;

use board::{Pen, Said};
use mixes::{Mixes, Owner, Resamplers};
use pair::passes;
use spoken::Spoken;

pub use board::Board;
pub use mixes::Desk;
use slots::{Ears, Slots};
use streams::Streams;
use wings::Wings;
pub use wings::{Other, Span, WING};

/// Voices mixed at once. More: noise adds up and nobody can follow. Fewer: an interjection goes unheard.
pub const SPEAKERS: usize = 4;

/// Frames decoded in one tick at most: the speakers, and those who have just stopped being ones and fade out.
const DECODED: usize = 2 * SPEAKERS;

/// Voices mixed in one tick at most: in a large room, as many come from its other wings.
const VOICES: usize = 2 * DECODED;

/// How much louder another must be to take a speaker's place (6 dB). More: new speakers wait. Less: they alternate.
const ADVANTAGE: u32 = 2;

/// The part of a frame over which a new speaker is let in: 1.25 ms. Longer: the first sound of a word is lost. Shorter: who
/// begins in the middle of one does so with a click.
const ONSET: usize = 16;

/// Of so many members the first is out of the processor's nearest cache before it is sent to. Fewer: memory is asked for that is there. More: it is waited
/// for.
const MANY: usize = 16;

/// A room's tones are this loud, of 256 (−6 dB): they come while people talk.
const TONES: i32 = 128;

/// Ticks for which one who fell silent keeps an encoder with a memory: 200 ms. Both encoders hear the same meanwhile,
/// so that the far end's decoder does not notice the change. More: work for nothing.
const KEPT: u8 = 10;

/// A room's media.
// In this order: what a tick needs comes first.
#[repr(C)]
pub struct Bridge {
    room: RoomId,
    members: Vec<Member>,
    tones: Option<Playlist>,
    tones_on: bool,
    mixes: Mixes,
    streams: Streams,
    /// Whether there are exactly two people, whose packets may go on as they come.
    linked: bool,
    /// The others of a room that is too large for one.
    wings: Option<Box<Wings>>,
    /// Who listens by telephone, and who by browser.
    telephones: Ears,
    browsers: Ears,
    /// Of how many members it is known how loud they are in this tick, and who of them are the loudest.
    listened: usize,
    loudest: [(u32, Option<usize>); SPEAKERS],
    /// Browsers' legs among the members.
    seats: BTreeMap<LegKey, usize>,
    slots: Slots,
    #[cfg(test)]
    fails: bool,
}

struct Member {
    leg: LegKey,
    participant: ParticipantId,
    muted: bool,
    /// Whom its voice is meant for.
    audience: Option<Audience>,
    /// Keys go through to the other of two.
    keys: bool,
    voice: Voice,
    /// Of this tick.
    level: u16,
    /// It is among the speakers.
    chosen: bool,
    /// It is decoded.
    speaks: bool,
    talking: bool,
    taken: bool,
    /// What it hears comes to it packet by packet.
    fed: bool,
    /// Ticks for which it keeps an encoder of its own.
    own: u8,
    /// Which stream it hears when it is silent.
    stream: usize,
    resamplers: Resamplers,
}

impl Bridge {
    /// A room without members.
    pub fn new(room: RoomId) -> Self {
        Self {
            room,
            members: Vec::new(),
            tones: None,
            tones_on: false,
            mixes: Mixes::new(DECODED),
            streams: Streams::default(),
            linked: false,
            wings: None,
            telephones: Ears::None,
            browsers: Ears::None,
            slots: Slots::new(room),
            listened: 0,
            loudest: [(0, None); SPEAKERS],
            seats: BTreeMap::new(),
            #[cfg(test)]
            fails: false,
        }
    }

    /// Puts a leg in; `keys` says whether keys go through to the other, where there are two.
    pub fn join(&mut self, leg: LegKey, participant: ParticipantId, muted: bool, keys: bool, legs: &mut Legs) {
        let both = self.mixes_for_browsers();
        let telephoned = self.telephones.any();
        if let (Some(wings), Some(known)) = (&mut self.wings, legs.get(leg)) {
            wings.forget(known.id());
        }
        self.members.push(Member {
            leg,
            participant,
            muted,
            audience: None,
            keys,
            voice: Voice::default(),
            level: 0,
            chosen: false,
            speaks: false,
            talking: false,
            taken: false,
            fed: false,
            own: KEPT,
            stream: usize::MAX,
            resamplers: Resamplers::default(),
        });
        match legs.get_mut(leg) {
            Some(browser) if browser.is_browser() => {
                browser.begin_voice();
                self.browsers.note(participant);
                self.seats.insert(leg, self.members.len() - 1);
            }
            _ => self.telephones.note(participant),
        }
        if !telephoned && self.telephones.any() {
            // Nobody had asked for their voices.
            self.begin_voices(legs);
        }
        let known = streams::kind(leg, legs).map(|(codec, parameters)| self.streams.place(codec, parameters));
        if known == Some(usize::MAX) || both != self.mixes_for_browsers() {
            return self.prepare(legs);
        }
        if let (Some(leg), Some(member)) = (legs.get(leg), self.members.last_mut()) {
            member.stream = known.unwrap_or(usize::MAX);
            member.resamplers.prepare(leg.rate(), &self.mixes);
        }
    }

    /// Whether telephones' voices are wanted by browsers.
    fn mixes_for_browsers(&self) -> bool {
        self.browsers.any() && self.telephones.any()
    }

    /// Takes a browser's voice.
    pub fn receive_voice(
        &mut self,
        leg: LegKey,
        voice: &web::Voice,
        now: Instant,
        legs: &mut Legs,
        outlet: &mut impl Outlet,
        events: &mut Vec<MediaEvent>,
    ) {
        let Some(member) = self.seats.get(&leg).and_then(|index| self.members.get_mut(*index)) else { return };
        let wanted = self.telephones.any();
        let Some(heard) = legs.get_mut(leg).and_then(|leg| leg.receive_voice(voice, wanted, now)) else { return };
        if member.muted {
            return;
        }
        if !self.slots.has(leg) {
            if heard.level < AUDIBLE || !self.slots.admit(leg, member.participant, now) {
                return;
            }
            member.chosen = true;
            self.slots.tell(events);
        }
        if self.browsers.any_but(member.participant) {
            self.slots.forward(leg, member.audience, (voice, heard.length), now, outlet);
        }
    }

    /// Takes a leg out; returns whether it talked.
    pub fn leave(&mut self, leg: LegKey, legs: &mut Legs) -> bool {
        for index in 0..self.members.len() {
            self.link(index, Link::default(), legs);
        }
        let Some(index) = self.members.iter().position(|member| member.leg == leg) else { return false };
        let both = self.mixes_for_browsers();
        let gone = self.members.swap_remove(index);
        self.begin_listening();
        self.seats.remove(&leg);
        if let Some(seat) = self.members.get(index).and_then(|moved| self.seats.get_mut(&moved.leg)) {
            *seat = index;
        }
        self.slots.leave(leg);
        self.count_ears();
        let unheard = gone.stream != usize::MAX && self.members.iter().all(|member| member.stream != gone.stream);
        if unheard || both != self.mixes_for_browsers() {
            self.prepare(legs);
        }
        gone.talking
    }

    /// Asks for the memory that the members' codecs need. To be called when one of them changes.
    pub fn prepare(&mut self, legs: &Legs) {
        let both = self.mixes_for_browsers();
        let Self { members, streams, mixes, slots, wings, .. } = self;
        slots.prepare(both);
        streams.begin();
        for (codec, parameters) in members.iter().filter_map(|member| streams::kind(member.leg, legs)) {
            streams.need(codec, parameters);
        }
        streams.end();
        mixes.prepare(|rate| streams.listen_at(rate) || both && rate == Rate::Full);
        wings.iter_mut().for_each(|wings| wings.prepare(mixes));
        for member in members {
            if let Some((codec, parameters)) = streams::kind(member.leg, legs) {
                member.stream = streams.place(codec, parameters);
            }
            if let Some(leg) = legs.get(member.leg) {
                member.resamplers.prepare(leg.rate(), mixes);
            }
        }
    }

    /// Whether the room may hear a leg.
    pub fn mute(&mut self, leg: LegKey, muted: bool) {
        if let Some(member) = self.members.iter_mut().find(|member| member.leg == leg) {
            member.muted = muted;
        }
    }

    /// Whom a leg's voice is meant for.
    pub fn direct(&mut self, leg: LegKey, audience: Option<Audience>) {
        if let Some(member) = self.members.iter_mut().find(|member| member.leg == leg) {
            member.audience = audience;
        }
    }

    /// Plays clips to everyone, in place of what was playing.
    pub fn play(&mut self, playlist: Playlist) {
        self.tones = Some(playlist);
        self.tones_on = true;
    }

    /// The room.
    pub fn room(&self) -> RoomId {
        self.room
    }

    /// The legs inside.
    pub fn legs(&self) -> impl Iterator<Item = LegKey> {
        self.members.iter().map(|member| member.leg)
    }

    /// How many legs are inside.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether nobody is inside.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Makes the next tick panic.
    #[cfg(test)]
    pub(crate) fn fail_next(&mut self) {
        self.fails = true;
    }

    /// A desk for bridges.
    pub fn desk() -> Desk {
        Desk::new(VOICES)
    }

    /// Asks the processor for what a tick needs first; by itself, then what that points to.
    pub fn fetch(&self, deep: bool) {
        if deep {
            /// A large room's other members come one after the other, which processors foresee.
            const FIRST: usize = 4;
            fetch(self.members.get(..FIRST).unwrap_or(&self.members));
            self.streams.fetch();
            self.mixes.fetch();
        } else {
            fetch_from(self, self.slots.hot());
        }
    }

    /// One tick of 20 ms at a desk; `now` is its scheduled instant.
    pub fn tick(
        &mut self,
        now: Instant,
        legs: &mut Legs,
        desk: &mut Desk,
        outlet: &mut impl Outlet,
        events: &mut Vec<MediaEvent>,
    ) {
        self.mixes.exchange(desk);
        self.tick_with(now, legs, &mut desk.own, outlet, events);
        self.mixes.exchange(desk);
    }

    fn tick_with(
        &mut self,
        now: Instant,
        legs: &mut Legs,
        alone_hears: &mut Encoded,
        outlet: &mut impl Outlet,
        events: &mut Vec<MediaEvent>,
    ) {
        #[cfg(test)]
        assert!(!self.fails, "as the test wants it");
        self.settle(now, legs);
        while self.listened < self.members.len() {
            self.listen_to_next(now, legs, outlet, events);
        }
        let board = self.wings.as_ref().map(|wings| wings.board());
        let mut pen = board.as_ref().and_then(|board| board.begin(now));
        let speakers = self.rank(now, legs, &mut pen);
        self.begin_listening();
        self.seat(&speakers, now);
        self.mixes.clear();
        self.decode(&speakers, now, legs, &mut pen, outlet, events);
        self.add_guests(now, outlet);
        self.slots.tell(events);
        let toned = self.add_tones();
        self.streams.clear();
        // Said before anything is encoded: who is sent to first does not know who comes after.
        for member in self.members.iter().filter(|member| (1..KEPT).contains(&member.own)) {
            self.streams.get_mut(member.stream).into_iter().for_each(|stream| stream.expect(member.own - 1));
        }
        let mut spoken = self.members.iter().fold(Spoken::default(), |all, member| all.and(member.spoken(legs)));
        if let Some(wings) = &self.wings {
            pen.iter_mut().for_each(|pen| pen.spoken(spoken));
            spoken = spoken.and(wings.spoken());
        }
        // Before anything is sent: others wait for it.
        drop(pen);
        // The last to be heard are the first to be sent to: of a large room only they are still in the processor's caches.
        for index in (0..self.members.len()).rev() {
            if self.members.len() >= MANY {
                self.foresee(index, legs, outlet);
            }
            self.send_to(index, (spoken, toned), now, legs, alone_hears, outlet, events);
        }
    }

    /// Asks the processor for the memory of those to whom is sent soon.
    fn foresee(&self, index: usize, legs: &Legs, outlet: &mut impl Outlet) {
        /// As in the plane, but for a step that is not needed: their voices are not.
        const FAR: usize = 4;
        const NEAR: usize = 2;
        let leg = |ahead| self.members.get(index.checked_sub(ahead)?).map(|member| member.leg);
        if let Some(key) = leg(FAR) {
            legs.get(key).into_iter().for_each(Leg::fetch);
            outlet.expect(key);
        }
        if let Some(leg) = leg(NEAR).and_then(|key| legs.get(key)) {
            leg.fetch_time();
        }
    }

    /// Sends a member what it hears; `spoken` is how loud everybody is together, `toned` says whether tones are among it.
    #[allow(clippy::too_many_arguments, reason = "what a tick has in hands")]
    fn send_to(
        &mut self,
        index: usize,
        (spoken, toned): (Spoken, bool),
        now: Instant,
        legs: &mut Legs,
        alone_hears: &mut Encoded,
        outlet: &mut impl Outlet,
        events: &mut Vec<MediaEvent>,
    ) {
        let Some(member) = self.members.get_mut(index) else { return };
        let own = member.spoken(legs);
        let Some(leg) = legs.get_mut(member.leg) else { return };
        if !leg.is_browser() {
            leg.watch_echo(spoken.but(own), member.level, events);
        }
        if !member.taken {
            leg.skip(now);
        }
        if member.fed || leg.is_early() {
            return;
        }
        let Some(stream) = self.streams.get_mut(member.stream) else { return };
        if leg.cancels_echo() {
            leg.refer(self.mixes.heard(leg.rate(), Some(member.participant)));
        }
        let (own, nothing) = self.mixes.ear(member.participant);
        let nothing = !toned && nothing;
        let alone = leg.hears_own() || own;
        match &mut stream.silence {
            Some(silence) if nothing && !leg.hears_own() => return leg.send_frame(silence, true, outlet),
            None if alone && member.own == 0 => {
                leg.follow(&stream.encoder);
                member.own = KEPT;
            }
            None if alone => member.own = KEPT,
            None if member.own > 0 => {
                member.own -= 1;
                if member.own == 0 && stream.is_free() {
                    leg.lead(&mut stream.encoder);
                }
                // Both encoders hear the same until then.
                if !stream.ready {
                    stream.encode(self.mixes.heard(leg.rate(), None));
                }
            }
            Some(_) | None => {}
        }
        if alone || (stream.silence.is_none() && member.own > 0) {
            let frame = self.mixes.heard(leg.rate(), Some(member.participant));
            let silent = nothing && !leg.hears_own();
            if leg.hears_own() {
                leg.mix_own(frame, events);
            }
            leg.encode(frame, alone_hears);
            return leg.send_frame(alone_hears, silent, outlet);
        }
        if !stream.ready {
            stream.encode(self.mixes.heard(leg.rate(), None));
        }
        stream.hear();
        leg.send_frame(&mut stream.bytes, nothing, outlet);
    }

    /// Nothing is known of the next tick.
    fn begin_listening(&mut self) {
        (self.listened, self.loudest) = (0, [(0, None); SPEAKERS]);
    }

    /// Hears how loud a leg is in the tick that comes next, whose packets are there; in the order of [`Bridge::legs`].
    pub fn listen(
        &mut self,
        leg: LegKey,
        now: Instant,
        legs: &mut Legs,
        outlet: &mut impl Outlet,
        events: &mut Vec<MediaEvent>,
    ) {
        // Of two it is to be settled first whether their packets go on as they come.
        if self.members.len() > 2 && self.members.get(self.listened).is_some_and(|member| member.leg == leg) {
            self.listen_to_next(now, legs, outlet, events);
        }
    }

    /// Hears the next member's level, and whether it is among the loudest.
    fn listen_to_next(
        &mut self,
        now: Instant,
        legs: &mut Legs,
        outlet: &mut impl Outlet,
        events: &mut Vec<MediaEvent>,
    ) {
        let index = self.listened;
        self.listened += 1;
        // Of two, one hears what the other's telephone plays: it may be what they wait for.
        let crowd = self.members.len() > 2 || self.wings.is_some();
        let Some(member) = self.members.get_mut(index) else { return };
        member.taken = false;
        let Some(leg) = legs.get_mut(member.leg) else { return };
        leg.begin_tick(now, outlet, events);
        member.level = leg.level(now);
        member.voice.hear(member.level);
        let loudness = member.voice.loudness();
        if member.muted || loudness < AUDIBLE || (crowd && leg.plays_music()) {
            return;
        }
        let advantage = if member.chosen || member.speaks { ADVANTAGE } else { 1 };
        let mut entry = (u32::from(loudness) * advantage, Some(index));
        for place in &mut self.loudest {
            if entry.0 > place.0 {
                std::mem::swap(place, &mut entry);
            }
        }
    }

    /// Gives the speakers their places in what browsers hear.
    fn seat(&mut self, speakers: &[Option<usize>; SPEAKERS], now: Instant) {
        if !self.browsers.any() {
            return self.slots.clear();
        }
        let members = &self.members;
        let chosen = speakers.iter().flatten().filter_map(|index| members.get(*index));
        let guests = self.wings.iter().flat_map(|wings| wings.speakers());
        self.slots.seat(chosen.map(|member| (member.leg, member.participant)).chain(guests), now);
    }

    /// Decodes the speakers and those who cease to be ones, and tells other wings.
    fn decode(
        &mut self,
        speakers: &[Option<usize>; SPEAKERS],
        now: Instant,
        legs: &mut Legs,
        pen: &mut Option<Pen<'_>>,
        outlet: &mut impl Outlet,
        events: &mut Vec<MediaEvent>,
    ) {
        for (index, member) in self.members.iter_mut().enumerate() {
            let chosen = speakers.contains(&Some(index));
            if !chosen && !member.chosen && !member.speaks && !member.talking {
                continue;
            }
            let browser = legs.get(member.leg).is_some_and(Leg::is_browser);
            let wanted = !browser || self.telephones.any_but(member.participant);
            let speaks = chosen && wanted && !passes(member, legs);
            member.chosen = chosen;
            if (speaks || member.speaks)
                && let Some(leg) = legs.get_mut(member.leg)
            {
                let first = !member.speaks;
                if first {
                    member.resamplers.reset();
                }
                let owner = Owner { participant: member.participant, audience: member.audience };
                let number = self.mixes.add(owner, leg.rate(), &mut member.resamplers, |frame| {
                    leg.take(first, now, frame);
                    if speaks {
                        // The first sound of a word is half of it: only the step is taken off.
                        let step = frame.len() / ONSET;
                        mix::ramp(frame.get_mut(..step).unwrap_or(&mut []), if first { 0 } else { 256 }, 256);
                    } else {
                        mix::ramp(frame, if first { 0 } else { 256 }, 0);
                    }
                    member.taken = true;
                    if let Some(pen) = pen {
                        let (leg, rate) = (leg.id(), leg.rate());
                        pen.voice(&Said { leg, owner, rate, first, last: !speaks }, frame);
                    }
                });
                if let Some(number) = number.filter(|_| !browser && self.browsers.any_but(member.participant)) {
                    let frame = self.mixes.voice(Rate::Full, number);
                    self.slots.speak(member.leg, member.audience, frame, now, outlet);
                }
            }
            member.speaks = speaks;
            let talking = chosen && member.voice.talks();
            if talking != member.talking
                && let Some(leg) = legs.get(member.leg)
            {
                member.talking = talking;
                events.push(MediaEvent::Talking { leg: leg.id(), talking });
            }
        }
    }

    fn add_tones(&mut self) -> bool {
        let Some(list) = self.tones.as_mut().filter(|_| self.tones_on) else {
            return false;
        };
        let mut frame = [0; FRAME];
        if let Played::Done(_) = list.frame(&mut frame) {
            self.tones_on = false;
        }
        mix::ramp(&mut frame, TONES, TONES);
        self.mixes.add_tone(&frame);
        true
    }
}
