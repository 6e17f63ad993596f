//! A room's media on one thread: who is loud, what everyone hears.
//!
//! Per tick: every leg's level by table; the loudest few decoded; one sum; everyone who is no speaker and is played
//! nothing of their own hears the same bytes, encoded once per codec, and gets them with a header of their own.

use super::command::MediaEvent;
use super::egress::Encoded;
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
}

struct Member {
    leg: LegKey,
    participant: ParticipantId,
    muted: bool,
    voice: Voice,
    speaks: bool,
    talking: bool,
    taken: bool,
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
        }
    }

    /// Puts a leg in.
    pub fn join(&mut self, leg: LegKey, participant: ParticipantId, muted: bool) {
        self.leave(leg);
        let voice = Voice::default();
        self.members.push(Member { leg, participant, muted, voice, speaks: false, talking: false, taken: false });
    }

    /// Takes a leg out; returns whether it talked.
    pub fn leave(&mut self, leg: LegKey) -> bool {
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

    /// One tick of 20 ms; `now` is its scheduled instant.
    pub fn tick(&mut self, now: Instant, legs: &mut Legs, outlet: &mut impl Outlet, events: &mut Vec<MediaEvent>) {
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
            let speaks = speakers.contains(&Some(index));
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
            let talking = speaks && member.voice.talks();
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

fn subtract_own(sum: &mut Sum, owners: &[Option<ParticipantId>], frames: &[Frame; DECODED], own: ParticipantId) {
    for (owner, frame) in owners.iter().zip(frames) {
        if *owner == Some(own) {
            mix::subtract(sum, frame);
        }
    }
}
