//! Places for people who are rung, and what is particular to a room that is a call between people: who is left over is
//! let go, and who is on hold hears music.

use std::collections::BTreeSet;

use crate::base::{Cause, LegId, Now, ParticipantId};
use crate::room::{Change, Expected, FirstCaller, Output, Participant, Role, Room, State, Waiting};

impl Room {
    /// Keeps a place for somebody whose telephones are rung.
    pub fn expect(&mut self, expected: Expected, now: Now) {
        let id = expected.id;
        let participant = Participant {
            name: expected.name,
            number: expected.number,
            ..Participant::new(id, Role::Guest, expected.language, now.utc)
        };
        self.participants.insert(id, participant);
        self.order.push(id);
        self.outputs.push_back(Output::Report(Change::Joined(id)));
        self.settle_waiting();
    }

    /// Whoever was rung answered on this leg: the place becomes theirs. Whom the house rings needs no admission.
    pub fn arrive(&mut self, id: ParticipantId, leg: LegId, held: bool) {
        let Some(participant) = self.participants.get_mut(&id).filter(|p| p.state == State::Ringing) else { return };
        participant.audio = Some(leg);
        participant.held = held;
        participant.early = false;
        self.activate(id);
        self.outputs.push_back(Output::Report(Change::Changed(id)));
    }

    /// What is sent before the answer is heard, or no longer: music would cover it.
    pub fn hear_early(&mut self, id: ParticipantId, early: bool) {
        let Some(participant) = self.participants.get_mut(&id).filter(|p| p.state == State::Ringing) else { return };
        participant.early = early;
        self.settle_waiting();
    }

    /// We put a person on hold, or take them back.
    pub fn hold_by_us(&mut self, id: ParticipantId, held: bool) {
        let Some(participant) = self.participants.get_mut(&id) else { return };
        if participant.held_by_us == held {
            return;
        }
        participant.held_by_us = held;
        let (active, muted) = (participant.state == State::Active, participant.is_muted());
        let audience = participant.audience();
        if let (true, Some(leg)) = (active, participant.audio) {
            self.outputs.push_back(match held {
                true => Output::Detach { leg },
                false => Output::Attach { leg, participant: id, muted, audience },
            });
        }
        self.quieten(id);
        self.outputs.push_back(Output::Report(Change::Changed(id)));
        self.settle_waiting();
    }

    /// Who is left alone in a call is let go, unless somebody still rings.
    pub(super) fn release_the_last(&mut self, cause: Cause) {
        let mut left = self.participants.values();
        if let (Some(Participant { audio: Some(leg), .. }), None) = (left.next(), left.next()) {
            self.outputs.push_back(Output::Release { leg: *leg, cause });
        }
    }

    /// Gives music or tones to those who have nobody to hear, and takes them from those who have.
    pub(super) fn settle_waiting(&mut self) {
        let (how, should) = if self.settings.call {
            (Some(Waiting::Music), self.unentertained_in_call())
        } else {
            let how = match self.settings.first_caller {
                FirstCaller::Music => Some(Waiting::Music),
                FirstCaller::Tone => Some(Waiting::Tone),
                FirstCaller::Start | FirstCaller::Host => None,
            };
            let mut should = self.on_hold_by_us();
            let mut active = self.participants.values().filter(|p| p.state == State::Active);
            if let (Some(_), Some(only), None) = (how, active.next(), active.next()) {
                should.insert(only.id);
            }
            (how.or(Some(Waiting::Music)), should)
        };
        for id in self.entertained.difference(&should) {
            if let Some(leg) = self.participants.get(id).and_then(|p| p.audio) {
                self.outputs.push_back(Output::Wait { leg, how: None });
            }
        }
        for id in should.difference(&self.entertained) {
            if let Some(leg) = self.participants.get(id).and_then(|p| p.audio) {
                self.outputs.push_back(Output::Wait { leg, how });
            }
        }
        self.entertained = should;
    }

    fn on_hold_by_us(&self) -> BTreeSet<ParticipantId> {
        self.participants.values().filter(|p| p.state == State::Active && p.held_by_us).map(|p| p.id).collect()
    }

    /// In a call: whom we hold, who waits alone while a telephone rings silently, and whom the only other one holds.
    fn unentertained_in_call(&self) -> BTreeSet<ParticipantId> {
        let mut should = self.on_hold_by_us();
        let mut active = self.participants.values().filter(|p| p.state == State::Active);
        match (active.next(), active.next(), active.next()) {
            (Some(only), None, None) => {
                let ringing = self.participants.values().any(|p| p.state == State::Ringing);
                let early = self.participants.values().any(|p| p.state == State::Ringing && p.early);
                if ringing && !early {
                    should.insert(only.id);
                }
            }
            (Some(one), Some(other), None) => {
                let pairs = [(one, other), (other, one)];
                should.extend(pairs.iter().filter(|(of, by)| by.held && !of.held).map(|(of, _)| of.id));
            }
            (None, _, _) | (Some(_), _, _) => {}
        }
        should
    }
}
