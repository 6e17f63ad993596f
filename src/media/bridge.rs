//! A room's media on one thread: who is loud, what everyone hears.
//!
//! Per tick: every leg's level by table; the loudest few decoded; one sum; everyone who is no speaker and is played
//! nothing of their own hears the same bytes, encoded once per codec, and gets them with a header of their own.

use super::command::MediaEvent;
use super::egress::Encoded;
use super::leg::Leg;
use super::legs::Legs;
use super::level::{AUDIBLE, Voice};
use super::mix::{self, Sum};
use super::outlet::{LegKey, Outlet};
use super::player::{Played, Playlist};
use super::{FRAME, Frame};
use crate::base::{Instant, ParticipantId, RoomId};
use crate::wire::codec::g711::Law;

/// Voices mixed at once. More: noise adds up and nobody can follow. Fewer: an interjection goes unheard.
pub const SPEAKERS: usize = 4;

/// Frames decoded in one tick at most: the speakers, and those who have just stopped being ones and fade out.
const DECODED: usize = 2 * SPEAKERS;

/// How much louder another must be to take a speaker's place (6 dB). More: new speakers wait. Less: they alternate.
const ADVANTAGE: u32 = 2;

/// A room's tones are this loud, of 256 (−6 dB): they come while people talk.
const TONES: i32 = 128;

/// A room's media.
pub struct Bridge {
    room: RoomId,
    members: Vec<Member>,
    tones: Option<Playlist>,
    tones_on: bool,
    frames: [Frame; DECODED],
    owners: [Option<ParticipantId>; DECODED],
    shared: [Shared; 2],
    own: Encoded,
    silence: [Encoded; 2],
    /// Whether some member's packets may go on to another as they come.
    linked: bool,
    #[cfg(test)]
    fails: bool,
}

struct Member {
    leg: LegKey,
    participant: ParticipantId,
    muted: bool,
    voice: Voice,
    speaks: bool,
    talking: bool,
    taken: bool,
    /// What it hears comes to it packet by packet.
    fed: bool,
}

#[derive(Default)]
struct Shared {
    ready: bool,
    bytes: Encoded,
}

const LAWS: [Law; 2] = [Law::Mu, Law::A];

const fn index(law: Law) -> usize {
    match law {
        Law::Mu => 0,
        Law::A => 1,
    }
}

/// Silence in every codec.
pub(crate) fn silences() -> [Encoded; 2] {
    LAWS.map(|law| {
        let mut silence = Encoded::default();
        silence.silence(law);
        silence
    })
}

/// The one of these that has a law's bytes.
pub(crate) fn of(law: Law, silences: &mut [Encoded; 2]) -> &mut Encoded {
    &mut silences[index(law)]
}

impl Bridge {
    /// A room without members.
    pub fn new(room: RoomId) -> Self {
        Self {
            room,
            members: Vec::new(),
            tones: None,
            tones_on: false,
            frames: [[0; FRAME]; DECODED],
            owners: [None; DECODED],
            shared: Default::default(),
            own: Encoded::default(),
            silence: silences(),
            linked: false,
            #[cfg(test)]
            fails: false,
        }
    }

    /// Puts a leg in.
    pub fn join(&mut self, leg: LegKey, participant: ParticipantId, muted: bool) {
        self.members.push(Member {
            leg,
            participant,
            muted,
            voice: Voice::default(),
            speaks: false,
            talking: false,
            taken: false,
            fed: false,
        });
    }

    /// Takes a leg out; returns whether it talked.
    pub fn leave(&mut self, leg: LegKey, legs: &mut Legs) -> bool {
        for index in 0..self.members.len() {
            self.link(index, None, legs);
        }
        match self.members.iter().position(|member| member.leg == leg) {
            Some(index) => self.members.swap_remove(index).talking,
            None => false,
        }
    }

    /// Whether the room may hear a leg.
    pub fn mute(&mut self, leg: LegKey, muted: bool) {
        if let Some(member) = self.members.iter_mut().find(|member| member.leg == leg) {
            member.muted = muted;
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

    /// Decides between passing packets on and mixing: two people of one codec, of whom neither hears anything but the
    /// other, need no mix. To be called after whatever may change that.
    pub fn settle(&mut self, now: Instant, legs: &mut Legs) {
        let pair = match self.members.as_slice() {
            [a, b] if a.participant != b.participant && !self.tones_on => Some((a.leg, b.leg)),
            _ => None,
        };
        if pair.is_none() && !self.linked {
            return;
        }
        self.linked = pair.is_some();
        for index in 0..self.members.len() {
            let Some(member) = self.members.get(index) else { continue };
            let other = pair.map(|(a, b)| if member.leg == a { b } else { a }).filter(|_| !member.muted);
            let peer = match legs.pair_mut(member.leg, other) {
                Some((leg, Some(peer))) if leg.may_pass_to(peer) => other,
                _ => None,
            };
            let starves = legs.get(member.leg).is_some_and(|leg| leg.starves(now));
            if starves {
                self.link(index, None, legs);
            }
            self.link(index, peer, legs);
        }
        for index in 0..self.members.len() {
            let other = self.members.get(usize::from(index == 0));
            let fed = pair.is_some() && other.is_some_and(|other| passes(other, legs));
            if let Some(member) = self.members.get_mut(index) {
                member.fed = fed;
            }
        }
    }

    /// Makes the next tick panic.
    #[cfg(test)]
    pub(crate) fn fail_next(&mut self) {
        self.fails = true;
    }

    /// Says where a member's packets go as they come.
    fn link(&mut self, index: usize, peer: Option<LegKey>, legs: &mut Legs) {
        let Some(member) = self.members.get_mut(index) else { return };
        let Some(before) = legs.get(member.leg).map(Leg::peer) else { return };
        if before == peer {
            return;
        }
        if let Some((leg, old)) = legs.pair_mut(member.leg, before) {
            // The mix goes on in the middle of a word.
            member.speaks |= leg.end_passing(old);
            leg.set_peer(peer);
            legs.turn(member.leg);
        }
    }

    /// One tick of 20 ms; `now` is its scheduled instant.
    pub fn tick(&mut self, now: Instant, legs: &mut Legs, outlet: &mut impl Outlet, events: &mut Vec<MediaEvent>) {
        #[cfg(test)]
        assert!(!self.fails, "as the test wants it");
        self.settle(now, legs);
        let speakers = self.listen(now, legs, outlet, events);
        let decoded = self.decode(&speakers, now, legs, events);
        let mut total: Sum = [0; FRAME];
        let frames = self.frames.get(..decoded).unwrap_or(&[]);
        frames.iter().for_each(|frame| mix::add(&mut total, frame));
        let toned = self.add_tones(&mut total);
        let silent = decoded == 0 && !toned;
        self.shared.iter_mut().for_each(|shared| shared.ready = false);
        for member in &mut self.members {
            let Some(leg) = legs.get_mut(member.leg) else { continue };
            if !member.taken {
                leg.skip(now);
            }
            if member.fed || leg.is_early() {
                continue;
            }
            let law = leg.law();
            let owners = self.owners.get(..decoded).unwrap_or(&[]);
            let mine = owners.iter().filter(|owner| **owner == Some(member.participant)).count();
            let nothing = silent || (mine == decoded && !toned);
            if leg.hears_own() {
                let mut sum = total;
                subtract_own(&mut sum, owners, &self.frames, member.participant);
                let mut frame = [0; FRAME];
                mix::limit(&sum, &mut frame);
                leg.mix_own(&mut frame, events);
                self.own.encode(law, &frame);
                leg.send(&mut self.own, outlet);
            } else if nothing {
                leg.send(of(law, &mut self.silence), outlet);
            } else if mine > 0 {
                let mut sum = total;
                subtract_own(&mut sum, owners, &self.frames, member.participant);
                let mut frame = [0; FRAME];
                mix::limit(&sum, &mut frame);
                self.own.encode(law, &frame);
                leg.send(&mut self.own, outlet);
            } else {
                let shared = &mut self.shared[index(law)];
                if !shared.ready {
                    let mut frame = [0; FRAME];
                    mix::limit(&total, &mut frame);
                    shared.bytes.encode(law, &frame);
                    shared.ready = true;
                }
                leg.send(&mut shared.bytes, outlet);
            }
        }
    }

    /// Hears every leg's level and chooses the speakers: members' indices, loudest first.
    fn listen(
        &mut self,
        now: Instant,
        legs: &mut Legs,
        outlet: &mut impl Outlet,
        events: &mut Vec<MediaEvent>,
    ) -> [Option<usize>; SPEAKERS] {
        let mut chosen: [(u32, Option<usize>); SPEAKERS] = [(0, None); SPEAKERS];
        for (index, member) in self.members.iter_mut().enumerate() {
            member.taken = false;
            let Some(leg) = legs.get_mut(member.leg) else { continue };
            leg.begin_tick(now, outlet, events);
            member.voice.hear(leg.level());
            let loudness = member.voice.loudness();
            if member.muted || loudness < AUDIBLE {
                continue;
            }
            let mut entry = (u32::from(loudness) * if member.speaks { ADVANTAGE } else { 1 }, Some(index));
            for place in &mut chosen {
                if entry.0 > place.0 {
                    std::mem::swap(place, &mut entry);
                }
            }
        }
        chosen.map(|(_, index)| index)
    }

    /// Decodes the speakers and those who cease to be ones; returns how many frames there are.
    fn decode(
        &mut self,
        speakers: &[Option<usize>; SPEAKERS],
        now: Instant,
        legs: &mut Legs,
        events: &mut Vec<MediaEvent>,
    ) -> usize {
        let mut decoded = 0;
        for (index, member) in self.members.iter_mut().enumerate() {
            let chosen = speakers.contains(&Some(index));
            let speaks = chosen && !passes(member, legs);
            if (speaks || member.speaks)
                && let Some(leg) = legs.get_mut(member.leg)
                && let (Some(frame), Some(owner)) = (self.frames.get_mut(decoded), self.owners.get_mut(decoded))
            {
                leg.take(!member.speaks, now, frame);
                mix::ramp(frame, if member.speaks { 256 } else { 0 }, if speaks { 256 } else { 0 });
                *owner = Some(member.participant);
                member.taken = true;
                decoded += 1;
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
        decoded
    }

    fn add_tones(&mut self, total: &mut Sum) -> bool {
        let Some(list) = self.tones.as_mut().filter(|_| self.tones_on) else {
            return false;
        };
        let mut frame = [0; FRAME];
        if let Played::Done(_) = list.frame(&mut frame) {
            self.tones_on = false;
        }
        mix::ramp(&mut frame, TONES, TONES);
        mix::add(total, &frame);
        true
    }
}

fn passes(member: &Member, legs: &Legs) -> bool {
    legs.get(member.leg).is_some_and(Leg::passes)
}

fn subtract_own(sum: &mut Sum, owners: &[Option<ParticipantId>], frames: &[Frame; DECODED], own: ParticipantId) {
    for (owner, frame) in owners.iter().zip(frames) {
        if *owner == Some(own) {
            mix::subtract(sum, frame);
        }
    }
}
