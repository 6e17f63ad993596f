//! Ringing somebody: telephones together or one after the other, carriers in order, until one answers or none is left.
//!
//! ```text
//!   steps ─▶ step begins ─▶ branches ring ─┬─ one answers ──▶ the others hear "completed elsewhere"; two people talk
//!     ▲                                    ├─ all refuse, or time is up ─┐
//!     └──────── another step is left ──────┼──────────────────────────────┘
//!                                          └─ none left ──▶ whoever waits is told why
//! ```

use std::collections::{BTreeSet, VecDeque};

use crate::base::id::{DeviceId, ExtensionId, TrunkId};
use crate::base::{Cause, LegId, Now, ParticipantId, RoomId};
use crate::gateway::calls::CallPlan;
use crate::gateway::event::Happening;
use crate::gateway::leg::{Leg, Stage};
use crate::gateway::seating::{SeatFor, Unreached};
use crate::gateway::trunks::Hop;
use crate::gateway::{Gateway, Timer};
use crate::room::State;
use crate::route::Dialled;
use crate::sip::endpoint::Headers;
use crate::sip::reason::Reason;
use crate::wire::sip::{Name, Status, Text, Uri};

/// Names one attempt to reach somebody, over all telephones and carriers that are tried for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RingId(pub(super) u64);

/// One attempt to reach somebody.
#[derive(Debug)]
pub(super) struct Ring {
    /// The room that whoever answers is put into.
    pub(super) room: RoomId,
    /// The place kept for them there.
    pub(super) participant: ParticipantId,
    /// Who waits for the answer.
    pub(super) waits: Waits,
    /// Who calls, and what is told to whoever is called.
    pub(super) plan: CallPlan,
    /// What is still to be tried.
    pub(super) steps: VecDeque<Step>,
    /// What rings, or is about to.
    pub(super) branches: BTreeSet<LegId>,
    /// Looking for where a trunk's calls go.
    pub(super) locating: bool,
    /// The best of the refusals so far.
    pub(super) failure: Option<Failure>,
    /// The latest final answer that a trunk's far end gave.
    pub(super) status: Option<Status>,
    /// A telephone rings or has rung, and whoever waits was told.
    pub(super) rang: bool,
    /// Whose early audio is heard.
    pub(super) early: Option<LegId>,
    /// The id that whoever ordered this was told: the first leg's.
    pub(super) promised: Option<LegId>,
    /// How often it was redirected.
    pub(super) redirected: u8,
    /// What is being looked for is where a redirection points.
    pub(super) as_it_is: bool,
}

/// Who waits for the answer.
#[derive(Debug)]
pub(super) enum Waits {
    /// A caller, whose INVITE is answered when somebody answers ours, unless it was before.
    Caller(LegId),
    /// The people of the room, if any.
    Room,
    /// Whoever answers is to be connected with somebody else, who is rung then.
    Next(Box<CallPlan>),
    /// The test of a trunk; the room of the attempt is not there.
    Trial,
    /// A seat that somebody has; the room of the attempt is not there.
    Seat(SeatFor),
}

/// What is tried together.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// Every telephone of these people.
    Extensions(Vec<ExtensionId>),
    /// One telephone of this person.
    Contact(ExtensionId, DeviceId),
    /// The places that take a trunk's calls, still to be looked up.
    Trunk(TrunkId),
    /// Where one of them redirects to, to be looked up.
    Redirected(TrunkId, Uri),
    /// One place; whether its URI is to be asked for as it is.
    Hop(Hop, bool),
}

/// Why somebody could not be reached.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Failure {
    pub(super) cause: Cause,
    /// The far end's own words.
    pub(super) reasons: Vec<Reason>,
}

impl Gateway {
    /// Begins the next step; with none left, whoever waits is told why.
    pub(super) fn ring_on(&mut self, id: RingId, now: Now) {
        loop {
            let Some(ring) = self.rings.get_mut(&id) else { return };
            let Some(step) = ring.steps.pop_front() else { return self.ring_failed(id, now) };
            match step {
                Step::Extensions(who) => {
                    let seconds = ring.plan.seconds;
                    self.ring_extensions(id, &who, now);
                    let length = seconds.unwrap_or(self.settings.ring_time);
                    self.timers.arm(Timer::Ring(id), now.mono + length);
                }
                Step::Contact(who, device) => {
                    let seconds = ring.plan.seconds;
                    self.ring_telephone(id, who, device, now);
                    self.timers.arm(Timer::Ring(id), now.mono + seconds.unwrap_or(self.settings.ring_time));
                }
                Step::Trunk(trunk) => {
                    match self.take_trunk_for(id, trunk, now).and_then(|()| self.route_to(trunk, id, now)) {
                        Ok(()) => self.locating(id),
                        Err(cause) => self.note_failure(id, cause),
                    }
                }
                Step::Redirected(trunk, uri) => match self.route_uri(trunk, uri, id, now) {
                    Ok(()) => {
                        self.looks_elsewhere(id);
                        self.locating(id);
                    }
                    Err(cause) => self.note_failure(id, cause),
                },
                Step::Hop(hop, as_it_is) => {
                    self.ring_hop(id, hop, as_it_is, now);
                    let length =
                        self.rings.get(&id).and_then(|ring| ring.plan.seconds).unwrap_or(self.settings.ring_time);
                    self.timers.arm(Timer::Ring(id), now.mono + length);
                }
            }
            match self.rings.get(&id) {
                Some(ring) if ring.branches.is_empty() && !ring.locating => {}
                Some(_) | None => return,
            }
        }
    }

    /// One call more by a trunk; calls for help are under no limit.
    fn take_trunk_for(&mut self, id: RingId, trunk: TrunkId, now: Now) -> Result<(), Cause> {
        let dialled = self.rings.get(&id).and_then(|ring| ring.plan.dialled.as_ref());
        if dialled.is_some_and(Dialled::is_emergency) { Ok(()) } else { self.take_trunk(trunk, now) }
    }

    /// The places that take a trunk's calls were found, in the order in which they are to be tried.
    pub(super) fn trunk_located(&mut self, id: RingId, found: Result<Vec<Hop>, Cause>, now: Now) {
        let Some(ring) = self.rings.get_mut(&id).filter(|ring| ring.locating) else { return };
        ring.locating = false;
        match found {
            Ok(hops) => {
                let as_it_is = std::mem::take(&mut ring.as_it_is);
                hops.into_iter().rev().for_each(|hop| ring.steps.push_front(Step::Hop(hop, as_it_is)));
            }
            Err(cause) => ring.note_failure(Failure { cause, reasons: Vec::new() }),
        }
        self.ring_on(id, now);
    }

    /// It rang long enough.
    pub(super) fn ring_timed_out(&mut self, id: RingId, now: Now) {
        let Some(ring) = self.rings.get_mut(&id) else { return };
        ring.note_failure(Failure { cause: Cause::NoAnswer, reasons: Vec::new() });
        // A trunk that rang and was not answered is not tried by another way: the same telephone would ring again.
        if ring.rang {
            ring.steps.retain(|step| matches!(step, Step::Extensions(_)));
        }
        for leg in std::mem::take(&mut ring.branches) {
            self.hang_up(leg, Cause::NoAnswer, now);
        }
        self.ring_on(id, now);
    }

    /// A branch is over without an answer.
    pub(super) fn branch_ended(&mut self, id: RingId, leg: LegId, failure: Failure, go_on: bool, now: Now) {
        let Some(ring) = self.rings.get_mut(&id) else { return };
        if !ring.branches.remove(&leg) {
            return;
        }
        let (room, participant) = (ring.room, ring.participant);
        if ring.early == Some(leg) {
            ring.early = None;
            self.hear_early(room, participant, false, now);
        }
        let Some(ring) = self.rings.get_mut(&id) else { return };
        // The person declined, not the telephone (RFC 3261 §21.6): the others stop too.
        let declined = failure.cause == Cause::Declined && ring.plan.is_of_one_person();
        ring.note_failure(failure);
        if declined {
            for other in std::mem::take(&mut ring.branches) {
                self.hang_up(other, Cause::Declined, now);
            }
        }
        let Some(ring) = self.rings.get_mut(&id) else { return };
        if !go_on || declined {
            ring.steps.retain(|step| !declined && matches!(step, Step::Extensions(_)));
        }
        if ring.branches.is_empty() && !ring.locating {
            self.timers.disarm(&Timer::Ring(id));
            self.ring_on(id, now);
        }
    }

    /// A telephone rings; with early audio where `early`. Whoever waits is told once.
    pub(super) fn branch_rings(&mut self, id: RingId, leg: LegId, status: Status, early: bool, now: Now) {
        let Some(ring) = self.rings.get_mut(&id) else { return };
        ring.rang = true;
        let (room, participant) = (ring.room, ring.participant);
        let hears = early
            && !matches!(ring.waits, Waits::Trial | Waits::Seat(_))
            && ring.early.is_none_or(|of| of == leg)
            && ring.branches.len() == 1;
        let begins = hears && ring.early != Some(leg);
        if hears {
            ring.early = Some(leg);
        }
        let caller = match ring.waits {
            Waits::Caller(caller) => Some(caller),
            Waits::Seat(what) => return self.seat_rings(what, now),
            Waits::Room | Waits::Next(_) | Waits::Trial => None,
        };
        if begins {
            self.bridge_early(leg, room, participant);
            self.hear_early(room, participant, true, now);
        }
        if let Some(caller) = caller {
            self.tell_caller_it_rings(caller, leg, room, status, hears, now);
        }
        self.handover_rings(id, status, now);
    }

    /// Somebody answered: the others hear that it was answered elsewhere, and two people talk.
    pub(super) fn branch_answered(&mut self, id: RingId, leg: LegId, now: Now) {
        let Some(ring) = self.rings.get_mut(&id) else {
            return self.hang_up(leg, Cause::Cancelled, now);
        };
        ring.branches.remove(&leg);
        for other in std::mem::take(&mut ring.branches) {
            self.hang_up(other, Cause::AnsweredElsewhere, now);
        }
        self.timers.disarm(&Timer::Ring(id));
        let Some(ring) = self.rings.remove(&id) else { return };
        self.sound_before_opening(leg);
        match ring.waits {
            Waits::Caller(caller) => {
                self.forget_knock(caller);
                if let Err(cause) = self.answer_caller(caller, leg, now) {
                    self.leave_room(ring.room, ring.participant, cause, now);
                    return self.hang_up(leg, cause, now);
                }
                self.arrive(leg, ring.room, ring.participant, now);
                self.publish(Happening::CallBridged { call: caller, with: leg, room: ring.room }, now);
            }
            Waits::Room => {
                self.arrive(leg, ring.room, ring.participant, now);
                self.handover_answered(id, leg, now);
            }
            Waits::Trial => self.trial_answered(leg, now),
            Waits::Seat(what) => self.seat_answered(what, leg, now),
            Waits::Next(plan) => {
                let room = ring.room;
                if let Err(cause) = self.place(*plan, room, Waits::Room, now) {
                    self.leave_room(room, ring.participant, cause, now);
                    return self.hang_up(leg, cause, now);
                }
                self.arrive(leg, room, ring.participant, now);
            }
        }
    }

    /// Whoever waited does so no longer.
    pub(super) fn abandon_ring(&mut self, id: RingId, cause: Cause, now: Now) {
        let Some(ring) = self.rings.remove(&id) else { return };
        self.timers.disarm(&Timer::Ring(id));
        for leg in ring.branches {
            self.hang_up(leg, cause, now);
        }
        self.leave_room(ring.room, ring.participant, cause, now);
    }

    /// Somebody left: where nobody is left in a call who could talk with whoever is rung, nobody is rung any longer. Transfers, whose
    /// caller may wait elsewhere, say so themselves.
    pub(super) fn silence_rings_of(&mut self, room: RoomId, now: Now) {
        let live = self.rooms.get(&room).filter(|live| live.settings().call && !live.is_empty());
        if live.is_none_or(|live| live.participants().any(|p| p.state != State::Ringing)) {
            return;
        }
        let rings: Vec<RingId> = self.rings.iter().filter(|(_, ring)| ring.room == room).map(|(id, _)| *id).collect();
        for ring in rings {
            let waits_elsewhere = match self.rings.get(&ring).map(|ring| &ring.waits) {
                // Their own telephone is being answered, or their INVITE waits for an answer.
                Some(Waits::Caller(caller)) => {
                    matches!(
                        self.legs.get(caller),
                        Some(Leg { stage: Stage::Calling { .. } | Stage::Joining { .. }, .. })
                    )
                }
                _ => self.rings_for_handover(ring),
            };
            if !waits_elsewhere {
                self.abandon_ring(ring, Cause::Cancelled, now);
            }
        }
    }

    fn ring_failed(&mut self, id: RingId, now: Now) {
        let Some(ring) = self.rings.remove(&id) else { return };
        self.timers.disarm(&Timer::Ring(id));
        let cause = ring.cause();
        if let Waits::Caller(caller) = ring.waits {
            let unanswered = matches!(self.legs.get(&caller), Some(Leg { stage: Stage::Calling { .. }, .. }));
            if unanswered && !self.knock_waits(caller, cause, ring.failure.as_ref()) {
                let reasons = ring.failure.map(|failure| failure.reasons).unwrap_or_default();
                self.refuse_caller(caller, cause, &reasons, now);
            }
        }
        if matches!(ring.waits, Waits::Trial) {
            self.trial_call_failed(cause, now);
        }
        if let Waits::Seat(what) = ring.waits {
            return self.seat_unreached(what, id, Unreached { cause, status: ring.status, rang: ring.rang }, now);
        }
        self.handover_failed(id, cause, now);
        self.leave_room(ring.room, ring.participant, cause, now);
    }

    /// Takes a place away that nobody came to, or whose person is gone.
    pub(super) fn leave_room(&mut self, room: RoomId, participant: ParticipantId, cause: Cause, now: Now) {
        if let Some(live) = self.rooms.get_mut(&room) {
            live.leave(participant, cause);
        }
        self.carry_out(room, now);
    }

    /// Notes why one way was of no use.
    pub(super) fn note_failure(&mut self, ring: RingId, cause: Cause) {
        if let Some(ring) = self.rings.get_mut(&ring) {
            ring.note_failure(Failure { cause, reasons: Vec::new() });
        }
    }

    fn locating(&mut self, ring: RingId) {
        if let Some(ring) = self.rings.get_mut(&ring) {
            ring.locating = true;
        }
    }

    fn looks_elsewhere(&mut self, ring: RingId) {
        if let Some(ring) = self.rings.get_mut(&ring) {
            ring.as_it_is = true;
        }
    }

    fn hear_early(&mut self, room: RoomId, participant: ParticipantId, early: bool, now: Now) {
        if let Some(live) = self.rooms.get_mut(&room) {
            live.hear_early(participant, early);
        }
        self.carry_out(room, now);
    }
}

impl Ring {
    /// Keeps the best of the refusals: what a person decided beats what a machine said, and that beats silence.
    pub(super) fn note_failure(&mut self, failure: Failure) {
        let better = self.failure.as_ref().is_none_or(|known| weight(failure.cause) > weight(known.cause));
        if better {
            self.failure = Some(failure);
        }
    }

    /// Why nobody was reached.
    fn cause(&self) -> Cause {
        self.failure.as_ref().map_or(Cause::NoAnswer, |failure| failure.cause)
    }
}

/// Which refusal tells a caller most (RFC 3261 §16.7 step 6 in spirit).
fn weight(cause: Cause) -> u8 {
    match cause {
        Cause::Declined | Cause::Blocked => 6,
        Cause::Busy => 5,
        Cause::NoAnswer | Cause::DoNotDisturb => 4,
        Cause::NoRoute | Cause::NoCommonCodec | Cause::NotEncrypted | Cause::BadSdp => 3,
        Cause::Rejected | Cause::LimitReached | Cause::Loop => 2,
        Cause::NotRegistered | Cause::Overloaded => 1,
        _ => 0,
    }
}

/// A Reason header of the far end's own words, for whoever is told of the failure.
pub(super) fn reason_header(reasons: &[Reason]) -> Headers {
    let written = reasons.iter().filter_map(|reason| {
        let cause = reason.cause?;
        let text: String =
            reason.text.as_deref().unwrap_or_default().chars().filter(|c| !matches!(c, '"' | '\\')).collect();
        let protocol =
            reason.protocol.chars().all(|c| c.is_ascii_alphanumeric() || c == '.').then_some(&reason.protocol)?;
        let tail = if text.is_empty() { String::new() } else { format!(";text=\"{text}\"") };
        Some(format!("{protocol};cause={cause}{tail}"))
    });
    let value = written.collect::<Vec<_>>().join(", ");
    if value.is_empty() { Headers::new() } else { vec![(Name::Reason, Text::from(value))] }
}
