//! The speakers' places in what a room's browsers hear: four streams of Opus, each of one speaker at a time.
//!
//! ```text
//! a browser speaks    ── its packets, as they come ──────────┐
//!                                                            ├─► slot: one clock, whoever speaks ─► every browser of the room
//! a telephone speaks  ── its voice, encoded once per tick ───┘
//! ```
//!
//! A speaker keeps its slot while it is one, and after that until another needs it: the one unused for longest goes first.
//! Who begins to speak while a slot is idle has it with the first audible packet, not at the next tick; nothing older is
//! sent after, since what comes in a burst is late, and makes browsers wait longer for all that follows.

use std::time::Duration;

use crate::base::{Instant, ParticipantId, RoomId};
use crate::media::audience::Audience;
use crate::media::command::MediaEvent;
use crate::media::encoder::Encoder;
use crate::media::outlet::{LegKey, Outlet, Spoken};
use crate::media::web::{SLOTS, Voice};
use crate::wire::codec::{Codec, opus};

/// Longest payload of a frame that is encoded here: it would take 192 kbit/s to need more.
const ENCODED: usize = 480;

/// Samples at 48 kHz in a frame that is encoded here.
const FRAME: u32 = opus::FRAME as u32;

/// A timestamp this far from where time puts it is not late or early but counted anew: 2 s. More: a browser that sets its
/// timestamps back is unheard for as long. Less: a stall of its network leaves a leap.
const ASTRAY: i64 = 96_000;

/// A pause longer than this counts as this long: 3 hours, for timestamps tell later from earlier by half their range.
const LONGEST_PAUSE: u64 = 3 * 3600 * 48_000;

/// Who listens by one kind of leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Ears {
    /// Nobody.
    #[default]
    None,
    /// This person alone.
    Of(ParticipantId),
    /// More than one.
    Many,
}

impl Ears {
    /// One leg more.
    pub(super) fn note(&mut self, participant: ParticipantId) {
        *self = match *self {
            Ears::None => Ears::Of(participant),
            Ears::Of(known) if known == participant => Ears::Of(known),
            Ears::Of(_) | Ears::Many => Ears::Many,
        };
    }

    /// Whether anybody listens.
    pub(super) fn any(self) -> bool {
        self != Ears::None
    }

    /// Whether anybody else than this person listens.
    pub(super) fn any_but(self, participant: ParticipantId) -> bool {
        match self {
            Ears::None => false,
            Ears::Of(known) => known != participant,
            Ears::Many => true,
        }
    }
}

/// A room's slots.
// In this order: what a room of telephones needs comes first.
#[repr(C)]
pub(super) struct Slots {
    /// The gateway has yet to hear that other voices are in them.
    changed: bool,
    /// Somebody has had one since browsers listen.
    taken: bool,
    room: RoomId,
    slots: [Slot; SLOTS],
    bytes: Box<[u8; ENCODED]>,
}

/// One slot.
#[derive(Default)]
struct Slot {
    owner: Option<(LegKey, ParticipantId)>,
    /// Its owner is among the speakers.
    busy: bool,
    /// When its owner was last a speaker.
    used: Instant,
    clock: Clock,
    /// Of browsers' packets: ours less theirs, and their sequence number last forwarded; none before the first.
    theirs: Option<(u32, u16)>,
    /// The next is another's than the one before.
    anew: bool,
    /// For telephones' voices.
    encoder: Option<Encoder>,
}

/// When within the slot its last packet began, at 48 kHz. It starts with the program's own clock, so that who changes rooms
/// hears timestamps go on.
#[derive(Debug, Clone, Copy, Default)]
struct Clock {
    timestamp: u32,
    /// 0: there was none yet.
    length: u32,
    at: Instant,
}

impl Clock {
    /// Samples that passed since the last packet began.
    fn passed(&self, now: Instant) -> u32 {
        u32::try_from(samples(now.since(self.at)).min(LONGEST_PAUSE)).unwrap_or(u32::MAX)
    }

    /// Where a packet that has no time of its own belongs.
    fn next(&self, now: Instant) -> u32 {
        match self.length {
            // Its lower half.
            0 => (samples(now.since_start()) & u64::from(u32::MAX)) as u32,
            length => self.timestamp.wrapping_add(self.passed(now).max(length)),
        }
    }

    /// Whether a packet at this timestamp follows the last one without a gap.
    fn follows(&self, timestamp: u32) -> bool {
        timestamp == self.timestamp.wrapping_add(self.length)
    }

    /// How far a timestamp lies behind the last one (negative: before it), and behind where time puts it.
    fn ahead(&self, timestamp: u32, now: Instant) -> (i64, i64) {
        let ahead = i64::from(timestamp.wrapping_sub(self.timestamp).cast_signed());
        (ahead, ahead - i64::from(self.passed(now)))
    }
}

/// In samples at 48 kHz.
fn samples(time: Duration) -> u64 {
    u64::try_from(time.as_micros() * 48 / 1000).unwrap_or(u64::MAX)
}

impl Slots {
    /// Empty ones.
    pub(super) fn new(room: RoomId) -> Self {
        Self { changed: false, taken: false, room, slots: Default::default(), bytes: Box::new([0; ENCODED]) }
    }

    /// The last of what a room of telephones needs from its beginning on.
    pub(super) fn hot(&self) -> &impl Sized {
        &self.taken
    }

    /// Asks for the memory that telephones' voices need, or gives it back.
    pub(super) fn prepare(&mut self, telephones: bool) {
        // Without DTX: who is silent is no speaker, and an encoder's own judgement takes steady tones for noise.
        let parameters = opus::Parameters::ours();
        for slot in &mut self.slots {
            match slot.encoder {
                Some(_) if telephones => {}
                _ => slot.encoder = telephones.then(|| Encoder::new(Codec::Opus, &parameters)),
            }
        }
    }

    /// These are the speakers from now on.
    pub(super) fn seat(&mut self, speakers: impl Iterator<Item = (LegKey, ParticipantId)> + Clone, now: Instant) {
        self.slots.iter_mut().for_each(|slot| slot.busy = false);
        for (leg, _) in speakers.clone() {
            if let Some(slot) = self.slot_of(leg) {
                (slot.busy, slot.used) = (true, now);
            }
        }
        for (leg, participant) in speakers {
            self.admit(leg, participant, now);
        }
    }

    /// Makes someone a speaker, if there is room: in the slot that it had, or in the one unused for longest.
    pub(super) fn admit(&mut self, leg: LegKey, participant: ParticipantId, now: Instant) -> bool {
        let slot = match self.slot_of(leg) {
            Some(slot) => slot,
            None => {
                let idle = self.slots.iter_mut().filter(|slot| !slot.busy);
                let Some(slot) = idle.min_by_key(|slot| (slot.owner.is_some(), slot.used)) else { return false };
                self.changed |= slot.owner.is_none_or(|(_, before)| before != participant);
                slot.take(leg, participant);
                slot
            }
        };
        (slot.busy, slot.used, self.taken) = (true, now, true);
        true
    }

    /// Whether a leg is a speaker.
    pub(super) fn has(&mut self, leg: LegKey) -> bool {
        self.slot_of(leg).is_some_and(|slot| slot.busy)
    }

    /// A leg is gone.
    pub(super) fn leave(&mut self, leg: LegKey) {
        if let Some(slot) = self.slot_of(leg) {
            (slot.owner, slot.busy) = (None, false);
            self.changed = true;
        }
    }

    /// Nobody listens any more.
    pub(super) fn clear(&mut self) {
        if !std::mem::take(&mut self.taken) {
            return;
        }
        for slot in &mut self.slots {
            self.changed |= slot.owner.take().is_some();
            slot.busy = false;
        }
    }

    /// Says who is where, if that changed.
    pub(super) fn tell(&mut self, events: &mut Vec<MediaEvent>) {
        if std::mem::take(&mut self.changed) {
            let slots = self.slots.each_ref().map(|slot| slot.owner.map(|(_, participant)| participant));
            events.push(MediaEvent::Slots { room: self.room, slots });
        }
    }

    /// Forwards a browser's packet that lasts `length`; one that comes after a later one is let fall.
    pub(super) fn forward(
        &mut self,
        leg: LegKey,
        audience: Option<Audience>,
        (voice, length): (&Voice, u32),
        now: Instant,
        outlet: &mut impl Outlet,
    ) {
        let room = self.room;
        let Some((index, slot)) = self.find(leg) else { return };
        let Some((_, participant)) = slot.owner else { return };
        let (shift, first) = match slot.theirs {
            Some((shift, sequence)) => {
                let timestamp = voice.timestamp.wrapping_add(shift);
                let (ahead, early) = slot.clock.ahead(timestamp, now);
                if ahead < -ASTRAY || early > ASTRAY {
                    (slot.clock.next(now).wrapping_sub(voice.timestamp), true)
                } else if ahead <= 0 {
                    return;
                } else {
                    // Nothing is missing between the two, but time has passed: it was silent.
                    let next = voice.sequence == sequence.wrapping_add(1);
                    (shift, next && !slot.clock.follows(timestamp))
                }
            }
            None => (slot.clock.next(now).wrapping_sub(voice.timestamp), true),
        };
        let first = first || slot.anew;
        let timestamp = voice.timestamp.wrapping_add(shift);
        slot.theirs = Some((shift, voice.sequence));
        slot.anew = false;
        slot.clock = Clock { timestamp, length, at: now };
        let payload = voice.payload.bytes();
        outlet.slot(Spoken { room, slot: index, participant, audience, timestamp, first, payload });
    }

    /// Encodes a telephone's voice, a frame of this tick.
    pub(super) fn speak(
        &mut self,
        leg: LegKey,
        audience: Option<Audience>,
        frame: &[i16],
        now: Instant,
        outlet: &mut impl Outlet,
    ) {
        let room = self.room;
        let Some(index) = self.index_of(leg) else { return };
        let (Some(slot), Ok(number)) = (self.slots.get_mut(index), u8::try_from(index)) else { return };
        let (Some((_, participant)), Some(encoder)) = (slot.owner, &mut slot.encoder) else { return };
        let length = encoder.encode(frame, self.bytes.as_mut_slice());
        let Some(payload) = self.bytes.get(..length).filter(|payload| !payload.is_empty()) else { return };
        let timestamp = slot.clock.next(now);
        let first = std::mem::take(&mut slot.anew) || !slot.clock.follows(timestamp);
        slot.clock = Clock { timestamp, length: FRAME, at: now };
        outlet.slot(Spoken { room, slot: number, participant, audience, timestamp, first, payload });
    }

    fn index_of(&self, leg: LegKey) -> Option<usize> {
        self.slots.iter().position(|slot| slot.owner.is_some_and(|(owner, _)| owner == leg))
    }

    fn slot_of(&mut self, leg: LegKey) -> Option<&mut Slot> {
        self.find(leg).map(|(_, slot)| slot)
    }

    fn find(&mut self, leg: LegKey) -> Option<(u8, &mut Slot)> {
        let index = self.index_of(leg)?;
        Some((u8::try_from(index).ok()?, self.slots.get_mut(index)?))
    }
}

impl Slot {
    fn take(&mut self, leg: LegKey, participant: ParticipantId) {
        self.owner = Some((leg, participant));
        self.theirs = None;
        self.anew = true;
        if let Some(encoder) = &mut self.encoder {
            encoder.begin(None);
        }
    }
}

#[cfg(test)]
mod tests;
