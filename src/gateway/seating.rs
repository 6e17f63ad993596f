//! An answered telephone becomes the voice of somebody who is there already, by whatever door it came: make before break.
//!
//! ```text
//! ring_seat ─▶ a ring ─▶ answered ─▶ (asked for a key) ─┐
//!             at the attendant, or in another room ─────┴▶ seat_phone ─▶ handoff ─ heard ─▶ Bind ─▶ the old leg goes
//!                                                                          └ not heard in 20 s ─▶ the old leg stays
//! ```
//!
//! Nothing is sent to the others: only which leg carries the person changes.

use std::collections::{BTreeSet, VecDeque};

use crate::base::id::CallbackId;
use crate::base::{Cause, LegId, Now, ParticipantId, RoomId};
use crate::call::key_reader::KeyReader;
use crate::gateway::calls::CallPlan;
use crate::gateway::leg::{Leg, Stage};
use crate::gateway::ringing::{Ring, RingId, Step, Waits};
use crate::gateway::web::Code;
use crate::gateway::{Gateway, Output, Record, Timer};
use crate::handoff::Move;
use crate::media::command::MediaCommand;
use crate::room::{Channel, Participant, State};
use crate::wire::sip::Status;

/// What a telephone is rung for that is to carry somebody's voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SeatFor {
    /// A callback, which says what becomes of it.
    Callback(CallbackId),
    /// Somebody goes on by this telephone as soon as it answers.
    Move {
        /// Where.
        room: RoomId,
        /// Who.
        participant: ParticipantId,
        /// The leg that carried the voice stays on the line, in silence.
        keep_old: bool,
    },
}

/// Why a telephone cannot become somebody's voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unseated {
    /// They are not in the room, or not yet let in.
    NoPlace,
    /// Their channels are on the way already.
    Busy,
    /// The telephone's call is not up.
    NotUp,
    /// It is a call for help, or on hold, or being handed over.
    NotMovable,
}

/// Why nobody answered who was rung for a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreached {
    pub(super) cause: Cause,
    /// The latest final answer of a trunk's far end.
    pub(super) status: Option<Status>,
    /// A telephone rang.
    pub(super) rang: bool,
}

impl From<Unseated> for Code {
    fn from(why: Unseated) -> Self {
        match why {
            Unseated::NoPlace => Code::NotJoined,
            Unseated::Busy | Unseated::NotMovable => Code::NotAllowed,
            Unseated::NotUp => Code::NoSuchCall,
        }
    }
}

impl Gateway {
    /// Whether the account of a plan may make its call now; it takes one of its calls per second.
    pub(super) fn admit_ring(&mut self, plan: &CallPlan, now: Now) -> Result<(), Cause> {
        if self.drain.is_some() {
            return Err(Cause::Draining);
        }
        self.admit(plan.party.into(), &plan.to, plan.dialled.as_ref(), now)
    }

    /// Rings a telephone for a seat. No place in any room is taken by it until it is seated. `steps`: what is tried; none
    /// where the plan's destination says. Whoever orders it has asked the limits ([`Gateway::admit_ring`]).
    pub(super) fn ring_seat(
        &mut self,
        plan: CallPlan,
        steps: Option<VecDeque<Step>>,
        what: SeatFor,
        now: Now,
    ) -> Result<RingId, Cause> {
        let (found, seconds) = self.steps_to(&plan)?;
        let plan = CallPlan { seconds: plan.seconds.or(seconds), ..plan };
        self.next_ring += 1;
        let id = RingId(self.next_ring);
        let ring = Ring {
            // Of no room: nothing that is sent before the answer is heard by anybody.
            room: RoomId::draw(&mut self.rng),
            participant: ParticipantId::draw(&mut self.rng),
            waits: Waits::Seat(what),
            plan,
            steps: steps.unwrap_or(found),
            branches: BTreeSet::new(),
            locating: false,
            failure: None,
            status: None,
            rang: false,
            early: None,
            promised: None,
            redirected: 0,
            as_it_is: false,
        };
        self.rings.insert(id, ring);
        self.ring_on(id, now);
        Ok(id)
    }

    /// A telephone that is rung for a seat rings.
    pub(super) fn seat_rings(&mut self, what: SeatFor, now: Now) {
        match what {
            SeatFor::Callback(id) => self.callback_rings(id, now),
            SeatFor::Move { .. } => {}
        }
    }

    /// Nobody answered who was rung for a seat: nothing changes.
    pub(super) fn seat_unreached(&mut self, what: SeatFor, ring: RingId, why: Unreached, now: Now) {
        match what {
            SeatFor::Callback(id) => self.callback_unreached(id, ring, why, now),
            SeatFor::Move { participant, .. } => self.move_unreached(participant, why.cause, now),
        }
    }

    /// A telephone that was rung for a seat answered.
    pub(super) fn seat_answered(&mut self, what: SeatFor, leg: LegId, now: Now) {
        if let Some(record) = self.legs.get_mut(&leg) {
            record.stage = Stage::Seating {};
        }
        match what {
            SeatFor::Callback(id) => self.callback_answered(id, leg, now),
            SeatFor::Move { room, participant, keep_old } => {
                self.move_answered(leg, (room, participant), keep_old, now);
            }
        }
    }

    /// Lets an answered telephone carry the voice of somebody who is there, as soon as it is heard. Until then, and where
    /// that takes more than twenty seconds, everything is as it was.
    pub(super) fn seat_phone(
        &mut self,
        leg: LegId,
        room: RoomId,
        participant: ParticipantId,
        keep_old: bool,
        now: Now,
    ) -> Result<(), Unseated> {
        let person = self.rooms.get(&room).and_then(|live| live.participant(participant));
        let person = person.filter(|p| p.state != State::Ringing).ok_or(Unseated::NoPlace)?;
        let from = person.audio;
        if self.web.seats.get(&participant).is_some_and(|seat| seat.next.is_some()) {
            return Err(Unseated::Busy);
        }
        let record = self.legs.get(&leg).filter(|record| record.answered.is_some() && record.open);
        let record = record.ok_or(Unseated::NotUp)?;
        if from == Some(leg) {
            return Ok(());
        }
        let is_held = record.held || record.held_by_us;
        match &record.stage {
            Stage::InRoom { .. } if record.help || is_held || self.is_in_transfer(leg) => {
                return Err(Unseated::NotMovable);
            }
            Stage::InRoom { .. } | Stage::Seating {} => {}
            Stage::Attendant { .. } if !record.help => self.leave_attendant(leg),
            Stage::Attendant { .. } => return Err(Unseated::NotMovable),
            Stage::Binding { .. }
            | Stage::Calling { .. }
            | Stage::Joining { .. }
            | Stage::Replacing { .. }
            | Stage::Preparing { .. }
            | Stage::Ringing { .. }
            | Stage::Answering
            | Stage::OnTrial {}
            | Stage::Leaving { .. } => return Err(Unseated::NotUp),
        }
        let heard = self.legs.get(&leg).is_some_and(|record| record.heard);
        // A browser's leg has the video, too, and stays.
        let keep = keep_old || from.is_some_and(|from| self.web.has_leg(from));
        let what = Move { participant, room, channels: vec![Channel::Audio], from, to: leg, keep };
        self.web.handoffs.begin(what, now);
        self.carry_out_moves(now);
        if heard {
            self.web.handoffs.verified(leg, now);
            self.carry_out_moves(now);
        }
        Ok(())
    }

    /// The first packet of a telephone came.
    pub(super) fn phone_heard(&mut self, leg: LegId, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        record.heard = true;
        self.web.handoffs.verified(leg, now);
        self.carry_out_moves(now);
    }

    /// A telephone is bound to somebody's voice: its keys are that room's, and where it was before it is no more. What is
    /// to be left when it talks in the new room is answered.
    pub(super) fn take_the_seat(
        &mut self,
        leg: LegId,
        room: RoomId,
        participant: ParticipantId,
    ) -> Option<(RoomId, ParticipantId)> {
        let map = self.key_map(&self.rooms.get(&room)?.settings().keys);
        let record = self.legs.get_mut(&leg)?;
        let before = record.place().filter(|place| *place != (room, participant));
        if record.place() != Some((room, participant)) {
            record.stage = Stage::InRoom { room, participant, keys: KeyReader::new(map), step_up: None };
            record.last_room = Some(room);
            let row = record.record(None);
            self.outputs.push_back(Output::Record(Record::Changed(Box::new(row))));
            self.timers.disarm(&Timer::Keys(leg));
            self.set_background(leg, None);
        }
        let held = self.legs.get(&leg).is_some_and(|record| record.held);
        if let Some(live) = self.rooms.get_mut(&room) {
            live.hold(participant, held);
        }
        before
    }

    /// What was to be bound was bound: whoever ordered it is told.
    pub(super) fn seated(&mut self, leg: LegId, before: Option<(RoomId, ParticipantId)>, now: Now) {
        if let Some((room, participant)) = before {
            self.leave_room(room, participant, Cause::Transferred, now);
        }
        self.callback_seated(leg, now);
        self.move_seated(leg, now);
    }

    /// A telephone was not heard in time, or is gone: it is let go, unless it talks elsewhere. Who waited for it with
    /// nothing else is gone, too.
    pub(super) fn not_seated(&mut self, leg: LegId, participant: ParticipantId, now: Now) {
        self.move_leg_ended(leg, now);
        if matches!(self.legs.get(&leg), Some(Leg { stage: Stage::Seating {}, .. })) {
            self.hang_up(leg, Cause::MediaTimeout, now);
        }
        let is_left = |p: &Participant| p.audio.is_none() && p.data.is_none() && p.state == State::Active;
        let left = self.rooms.iter().find(|(_, live)| live.participant(participant).is_some_and(is_left));
        if let Some(room) = left.map(|(id, _)| *id) {
            self.leave_room(room, participant, Cause::MediaTimeout, now);
        }
    }

    /// A telephone is not needed any more, unless it carries somebody's voice by now.
    pub(super) fn let_phone_go(&mut self, leg: LegId, now: Now) {
        let place = self.legs.get(&leg).and_then(Leg::place);
        let person = place.and_then(|(room, id)| self.rooms.get(&room)?.participant(id));
        if person.is_none_or(|person| person.audio != Some(leg)) {
            self.hang_up(leg, Cause::Moved, now);
        }
    }

    /// A telephone that had a place is gone. True: its person goes on by another leg, so that nobody leaves.
    pub(super) fn goes_on_without(&mut self, leg: LegId, room: RoomId, id: ParticipantId, now: Now) -> bool {
        let Some(person) = self.rooms.get(&room).and_then(|live| live.participant(id)) else { return false };
        let audio = person.audio;
        if audio == Some(leg) {
            // One that was kept on the line in silence carries the voice again.
            let kept = |(other, record): (&LegId, &Leg)| {
                (*other != leg && record.place() == Some((room, id))).then_some(*other)
            };
            let other = self.legs.iter().find_map(kept);
            match other {
                Some(_) => self.web.handoffs.keep(id),
                // The next one is on its way, and takes over when it is heard.
                None if self.web.handoffs.awaited(id).is_some_and(|next| self.legs.contains_key(&next)) => {
                    self.web.handoffs.lost(leg);
                }
                None => return false,
            }
            self.carry_out_moves(now);
            if let Some(live) = self.rooms.get_mut(&room) {
                live.bind(id, &[Channel::Audio], other);
            }
            self.carry_out(room, now);
            return true;
        }
        self.web.handoffs.lost(leg);
        self.carry_out_moves(now);
        audio.is_some() && !self.web.seats.contains_key(&id)
    }

    /// The attendant falls silent: the telephone is to go elsewhere.
    pub(super) fn leave_attendant(&mut self, leg: LegId) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        if let Stage::Attendant { attendant } = &record.stage {
            record.language = attendant.language().clone();
        }
        record.stage = Stage::Seating {};
        self.timers.disarm(&Timer::Attendant(leg));
        self.fall_silent(leg);
    }

    /// What is being said to a telephone is said no more.
    pub(super) fn fall_silent(&mut self, leg: LegId) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        record.voice.pending.clear();
        if record.voice.playing.take().is_some() {
            self.order(MediaCommand::StopPlaying { leg });
        }
    }
}
