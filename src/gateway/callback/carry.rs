//! Carries out what a callback orders, and tells it what came of that.

use crate::base::id::CallbackId;
use crate::base::{Cause, LegId, Now, ParticipantId, SessionId};
use crate::call::speech::Prompt;
use crate::callback::{End, Failure, Input, Output, State};
use crate::gateway::callback::view::CallbackStep;
use crate::gateway::callback::{Live, REMEMBERED, Wish};
use crate::gateway::event::Happening;
use crate::gateway::leg::Stage;
use crate::gateway::ringing::RingId;
use crate::gateway::seating::Unreached;
use crate::gateway::web::protocol::ServerMessage;
use crate::gateway::{Gateway, Output as Order, Timer};
use crate::room::{Actor, Announcement, Expected, Operation, Role};
use crate::route::Destination;

impl Gateway {
    /// Tells a callback a fact.
    pub(in crate::gateway) fn callback(&mut self, id: CallbackId, input: Input, now: Now) {
        let Some(live) = self.callbacks.live.get_mut(&id) else { return };
        if live.machine.state().0.is_over() && input == Input::Timeout {
            // It was remembered long enough.
            self.callbacks.live.remove(&id);
            return;
        }
        live.machine.handle(input, now);
        self.carry_callback(id, now);
    }

    /// Does what it orders.
    pub(super) fn carry_callback(&mut self, id: CallbackId, now: Now) {
        while let Some(output) = self.callbacks.live.get_mut(&id).and_then(|live| live.machine.poll_output()) {
            match output {
                Output::Ring(way) => self.ring_way(id, way, now),
                Output::Prompt => self.ask_for_one(id),
                Output::Seat => self.take_called_seat(id, now),
                Output::Stop => self.silence_callback(id, now),
                Output::Report(state, why) => self.report_callback(id, state, why, now),
            }
        }
        let Some(live) = self.callbacks.live.get(&id) else { return };
        match live.machine.poll_timeout() {
            Some(at) => self.timers.arm(Timer::Callback(id), at),
            None if live.machine.state().0.is_over() => {
                self.timers.arm(Timer::Callback(id), now.mono + REMEMBERED);
            }
            None => drop(self.timers.disarm(&Timer::Callback(id))),
        }
    }

    pub(in crate::gateway) fn callback_rings(&mut self, id: CallbackId, now: Now) {
        self.callback(id, Input::Rings, now);
    }

    /// A telephone that was rung answered.
    pub(in crate::gateway) fn callback_answered(&mut self, id: CallbackId, leg: LegId, now: Now) {
        let state = self.callbacks.live.get(&id).map(|live| live.machine.state().0);
        match (state, self.callbacks.live.get_mut(&id)) {
            (Some(State::Calling | State::Ringing), Some(live)) => {
                live.ring = None;
                live.leg = Some(leg);
                self.callback(id, Input::Answered, now);
            }
            (Some(_) | None, _) => self.hang_up(leg, Cause::Cancelled, now),
        }
    }

    /// Nobody answered by this way.
    pub(in crate::gateway) fn callback_unreached(&mut self, id: CallbackId, ring: RingId, why: Unreached, now: Now) {
        if let Some(live) = self.callbacks.live.get_mut(&id).filter(|live| live.ring == Some(ring)) {
            live.ring = None;
        }
        let end = End { cause: why.cause, status: why.status.map(|status| status.code()), rang: why.rang };
        self.callback(id, Input::Unreached(end), now);
    }

    /// The key of a telephone that is asked.
    pub(in crate::gateway) fn callback_key(&mut self, leg: LegId, digit: char, now: Now) {
        let asked = |live: &Live| live.leg == Some(leg) && live.machine.is_asked();
        let Some(id) = self.callbacks.live.iter().find(|(_, live)| asked(live)).map(|(id, _)| *id) else { return };
        if digit == '1' {
            self.fall_silent(leg);
            self.callback(id, Input::Pressed, now);
        }
    }

    /// A telephone carries somebody's voice.
    pub(in crate::gateway) fn callback_seated(&mut self, leg: LegId, now: Now) {
        if let Some(id) = self.callback_by_leg(leg) {
            self.callback(id, Input::Seated, now);
        }
    }

    /// A call ended, whatever it was.
    pub(in crate::gateway) fn callback_leg_ended(&mut self, leg: LegId, now: Now) {
        if self.callbacks.live.is_empty() {
            return;
        }
        self.callbacks.starred.remove(&leg);
        if let Some(id) = self.callback_by_leg(leg) {
            self.callback(id, Input::Gone, now);
            if let Some(live) = self.callbacks.live.get_mut(&id) {
                live.leg = None;
            }
        }
        let stopping = self.callbacks.live.iter_mut().find(|(_, live)| live.stopping.contains(&leg));
        if let Some((id, live)) = stopping {
            live.stopping.remove(&leg);
            let (id, silent) = (*id, live.stopping.is_empty());
            if silent {
                self.callback(id, Input::Silent, now);
            }
        }
        self.callback_after(leg, now);
    }

    /// Somebody's place is gone: nobody is to be rung for it.
    pub(in crate::gateway) fn callbacks_end(&mut self, participant: ParticipantId, cause: Cause, now: Now) {
        if let Some(id) = self.callback_of(participant) {
            let shown_out = matches!(cause, Cause::Removed | Cause::NotAdmitted | Cause::RoomEnded);
            let waits = !shown_out && self.callbacks.live.get(&id).is_some_and(|live| live.wish.after.is_some());
            if waits {
                // They hang up to be called back, and come anew.
                if let Some(live) = self.callbacks.live.get_mut(&id) {
                    live.wish.participant = None;
                }
            } else {
                self.callback(id, Input::Cancel, now);
            }
        }
    }

    /// Whether a telephone was rung for somebody's place: whosever telephone it is, the place is theirs.
    pub(in crate::gateway) fn is_called_back(&self, leg: LegId) -> bool {
        self.callback_by_leg(leg).is_some()
    }

    fn callback_by_leg(&self, leg: LegId) -> Option<CallbackId> {
        self.callbacks.live.iter().find(|(_, live)| live.leg == Some(leg)).map(|(id, _)| *id)
    }

    /// Says what the call is, and which key joins.
    fn ask_for_one(&mut self, id: CallbackId) {
        let Some(leg) = self.callbacks.live.get(&id).and_then(|live| live.leg) else { return };
        let language = self.language(leg);
        self.say(leg, language.say_keys(Prompt::CallbackJoin, "1"));
    }

    /// The telephone takes the person's seat, or a place of its own, or talks with the attendant.
    fn take_called_seat(&mut self, id: CallbackId, now: Now) {
        let Some(live) = self.callbacks.live.get(&id) else { return };
        let (Some(leg), wish) = (live.leg, live.wish.clone()) else { return };
        match (wish.room, wish.participant) {
            (Some(room), Some(participant)) => {
                if self.seat_phone(leg, room, participant, false, now).is_err() {
                    self.callback(id, Input::Forbid(Failure::Ours), now);
                }
            }
            (Some(room), None) => {
                let admitted = self.rooms.get(&room).map(|live| live.admits(wish.role));
                if let Some(Err(_)) | None = admitted {
                    let full = matches!(admitted, Some(Err(Cause::RoomFull)));
                    let what = if full { Announcement::RoomFull } else { Announcement::RoomLocked };
                    if let Some(live) = self.callbacks.live.get_mut(&id) {
                        live.leg = None;
                    }
                    self.callback(id, Input::Forbid(Failure::NotAllowed), now);
                    return self.dismiss(leg, Cause::RoomLocked, &what, now);
                }
                let participant = ParticipantId::draw(&mut self.rng);
                let language = wish.language.tag().to_owned();
                if let Some(live) = self.rooms.get_mut(&room) {
                    live.expect(Expected { id: participant, name: wish.name, number: wish.number, language }, now);
                }
                self.arrive(leg, room, participant, now);
                if let Some(live) = self.rooms.get_mut(&room).filter(|_| wish.role != Role::Guest) {
                    // What they were before they hung up.
                    let _ = live.operate(Actor::Api, &Operation::SetRole { participant, role: wish.role }, now);
                }
                self.carry_out(room, now);
                if let Some(live) = self.callbacks.live.get_mut(&id) {
                    live.wish.participant = Some(participant);
                }
                self.callback(id, Input::Seated, now);
            }
            (None, _) => {
                if let Some(record) = self.legs.get_mut(&leg) {
                    record.stage = Stage::Answering;
                    record.destination = Destination::Attendant {};
                    record.did = wish.did;
                    record.caller = wish.number;
                }
                self.begin_attending(leg, now);
                self.callback(id, Input::Seated, now);
            }
        }
    }

    /// Whatever rings, was answered or is about to be looked for is given up, at once.
    fn silence_callback(&mut self, id: CallbackId, now: Now) {
        let Some(live) = self.callbacks.live.get_mut(&id) else { return };
        let (ring, leg) = (live.ring.take(), live.leg.take());
        let legs = ring.and_then(|ring| self.rings.get(&ring)).map(|ring| ring.branches.clone()).unwrap_or_default();
        let stopping: std::collections::BTreeSet<LegId> = legs.into_iter().chain(leg).collect();
        let asks = self.callbacks.asking.values().any(|of| *of == id);
        if let Some(live) = self.callbacks.live.get_mut(&id) {
            live.stopping.clone_from(&stopping);
        }
        if let Some(ring) = ring {
            self.abandon_ring(ring, Cause::Cancelled, now);
        }
        if let Some(leg) = leg {
            self.hang_up(leg, Cause::Cancelled, now);
        }
        if stopping.is_empty() && !asks {
            self.callback(id, Input::Silent, now);
        }
    }

    fn report_callback(&mut self, id: CallbackId, state: State, failure: Option<Failure>, now: Now) {
        if failure == Some(Failure::Refused) {
            self.note_declined(id, now);
        }
        let Some(live) = self.callbacks.live.get(&id) else { return };
        let (kept, page) = (live.wish.kept.is_some(), live.wish.page);
        let step = self.callback_step(id, &live.wish, state, failure);
        if state.is_over() && kept {
            self.outputs.push_back(Order::Unplan { callback: id });
        }
        let own = page.map(|page| self.personal_pages(page)).unwrap_or_default();
        let sessions: Vec<SessionId> = page.and_then(|page| self.web_session(page)).into_iter().chain(own).collect();
        if !sessions.is_empty()
            && let Some(view) = self.callback_view(id)
        {
            let view = super::view::CallbackView { state, failure, ..view };
            self.tell_pages(sessions, ServerMessage::Callback(Box::new(view)));
        }
        self.publish(Happening::Callback(Box::new(step)), now);
    }

    /// How far a callback is, for the log.
    pub(super) fn callback_step(
        &self,
        id: CallbackId,
        wish: &Wish,
        state: State,
        failure: Option<Failure>,
    ) -> CallbackStep {
        CallbackStep {
            state,
            callback: id,
            room: wish.room,
            participant: wish.participant,
            to: self.shown_target(wish),
            name: wish.name.clone(),
            by: wish.by,
            failure,
        }
    }
}
