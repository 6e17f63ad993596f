//! Somebody calls a person who is in a meeting: the meeting is asked whether they may come in.
//!
//! ```text
//! call for an extension ─▶ rings as ever
//!        └─ the person is in a meeting ─▶ pages: knock; telephones: a tone ─┬─ take ───▶ merged: no PIN, no attendant
//!                                                                          ├─ decline ▶ refused
//!                                                                          └─ ring, or nobody says ▶ as ever
//! ```
//!
//! Telephones that are busy with the meeting do not end the call while it is asked.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{Cause, LegId, Now, ParticipantId, RoomId};
use crate::gateway::leg::{Leg, Stage};
use crate::gateway::merge::MergeRequest;
use crate::gateway::ringing::Failure;
use crate::gateway::web::Code;
use crate::gateway::web::protocol::{Knocking, ServerMessage};
use crate::gateway::{Gateway, Timer};
use crate::media::clip::{Clip, Tone};
use crate::room::{Participant, Role, State};
use crate::route::{Destination, Party};
use crate::sip::endpoint::Headers;
use crate::wire::sip::Status;

/// How long the meeting may take to say. Longer: a caller whom nobody wants waits. Shorter: nobody has read the name.
const ASKED: Duration = Duration::from_secs(20);

/// Between the two tones, in milliseconds.
const BETWEEN: u16 = 150;

/// What a meeting says of somebody who calls a person in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum KnockAnswer {
    /// They come in.
    Take,
    /// They are refused.
    Decline,
    /// The person's other telephones ring on.
    Ring,
}

/// Every call about which a meeting is asked, by the caller's leg.
pub(super) type Knocks = BTreeMap<LegId, Knock>;

/// A call about which a meeting is asked.
#[derive(Debug)]
pub(super) struct Knock {
    room: RoomId,
    /// Who may say: who is called, where they may let others in, and hosts.
    asked: Vec<ParticipantId>,
    /// As it was told.
    what: Knocking,
    /// Why the telephones are of no use; the caller is told when the meeting has not said otherwise.
    failure: Option<Failure>,
}

impl Gateway {
    /// Asks the meeting that the called person is in, if they are.
    pub(super) fn knock(&mut self, caller: LegId, to: &Destination, now: Now) {
        let Destination::Extension { extension } = to else { return };
        let wants_none = self.table.extensions.get(extension).is_none_or(|of| of.dnd || !of.enabled);
        let Some(record) = self.legs.get(&caller).filter(|leg| !leg.help && !wants_none) else { return };
        let called = Party::Extension(*extension);
        if record.party == called {
            return;
        }
        let number = self.shown_number(record.caller.as_ref(), record.from.as_deref(), false);
        let name = record.party.extension().and_then(|id| self.table.extensions.get(&id)).map(|of| of.name.clone());
        let place = |leg: &Leg| leg.place().filter(|_| leg.party == called && leg.id != caller);
        let in_meeting = |(room, participant): (RoomId, ParticipantId)| {
            let live = self.rooms.get(&room).filter(|live| !live.settings().call)?;
            live.participant(participant).filter(|p| p.state == State::Active).map(|p| (room, live, p.id))
        };
        let Some((room, live, participant)) = self.legs.values().filter_map(place).find_map(in_meeting) else { return };
        let what = Knocking { call: caller, participant, name, number };
        let asked = live.participants().filter(|p| may_say(p, &what));
        let asked: Vec<(ParticipantId, Option<LegId>)> = asked.map(|p| (p.id, p.audio)).collect();
        if asked.is_empty() {
            return;
        }
        for leg in asked.iter().filter_map(|(_, leg)| *leg) {
            // Browsers are told in writing; only telephones are said anything.
            self.say(leg, [Clip::Tone(Tone::Done), Clip::Pause(BETWEEN), Clip::Tone(Tone::Done)]);
        }
        let asked: Vec<ParticipantId> = asked.into_iter().map(|(id, _)| id).collect();
        let sessions = self.readers(room, |p| asked.contains(&p.id));
        self.tell_pages(sessions, ServerMessage::Knock(what.clone()));
        self.knocks.insert(caller, Knock { room, asked, what, failure: None });
        self.timers.arm(Timer::Knock(caller), now.mono + ASKED);
        if let Some(Leg { stage: Stage::Calling { told, .. }, .. }) = self.legs.get_mut(&caller) {
            // The telephones may be busy with the meeting, and say nothing that the caller could be told.
            *told = Some(Status::RINGING);
            self.endpoint.ring(caller, Status::RINGING, None, &Headers::new(), now);
        }
    }

    /// Who knocks, for a page that is opened meanwhile; who may say is asked from now on.
    pub(super) fn knocks_for(&mut self, room: RoomId, me: ParticipantId) -> Vec<Knocking> {
        let Some(person) = self.rooms.get(&room).and_then(|room| room.participant(me)) else { return Vec::new() };
        let mine = self.knocks.values_mut().filter(|knock| knock.room == room && may_say(person, &knock.what));
        mine.map(|knock| {
            if !knock.asked.contains(&me) {
                knock.asked.push(me);
            }
            knock.what.clone()
        })
        .collect()
    }

    /// Keeps why the telephones are of no use until the meeting has said; false where none is asked.
    pub(super) fn knock_waits(&mut self, caller: LegId, cause: Cause, failure: Option<&Failure>) -> bool {
        let Some(knock) = self.knocks.get_mut(&caller) else { return false };
        knock.failure = Some(failure.cloned().unwrap_or(Failure { cause, reasons: Vec::new() }));
        true
    }

    /// Somebody of the meeting says what becomes of a call.
    pub(super) fn answer_knock(
        &mut self,
        me: ParticipantId,
        caller: LegId,
        answer: KnockAnswer,
        now: Now,
    ) -> Result<(), Code> {
        let knock = self.knocks.get(&caller).filter(|knock| knock.asked.contains(&me)).ok_or(Code::NoSuchCall)?;
        let room = knock.room;
        match answer {
            KnockAnswer::Take => {
                self.merge(caller, &MergeRequest { room, by: Some(me), both: false }, now).map_err(Code::from)?;
                self.forget_knock(caller);
            }
            KnockAnswer::Decline => {
                self.forget_knock(caller);
                self.refuse_caller(caller, Cause::Declined, &[], now);
            }
            KnockAnswer::Ring => self.knock_over(caller, now),
        }
        Ok(())
    }

    /// A key on a telephone in a meeting, while it is asked: `1` takes the caller in, `2` refuses. True: it was that.
    pub(super) fn knock_key(&mut self, leg: LegId, digit: char, now: Now) -> bool {
        let answer = match digit {
            '1' => KnockAnswer::Take,
            '2' => KnockAnswer::Decline,
            _ => return false,
        };
        let Some(Leg { stage: Stage::InRoom { participant, keys, step_up: None, .. }, .. }) = self.legs.get(&leg)
        else {
            return false;
        };
        let (me, key) = (*participant, digit.to_string());
        let is_the_maps = keys.map().action(&key).is_some() || keys.map().continues(&key);
        if is_the_maps || keys.poll_timeout().is_some() {
            return false;
        }
        let Some(caller) = self.knocks.iter().find(|(_, knock)| knock.asked.contains(&me)).map(|(id, _)| *id) else {
            return false;
        };
        if self.answer_knock(me, caller, answer, now).is_err() {
            self.say(leg, [Clip::Tone(Tone::Unknown)]);
        }
        true
    }

    /// Nobody said, or it is to ring on: it is as if nobody had been asked.
    pub(super) fn knock_over(&mut self, caller: LegId, now: Now) {
        if let Some(Failure { cause, reasons }) = self.forget_knock(caller) {
            self.refuse_caller(caller, cause, &reasons, now);
        }
    }

    /// The question is settled, or the caller gone.
    pub(super) fn forget_knock(&mut self, caller: LegId) -> Option<Failure> {
        let knock = self.knocks.remove(&caller)?;
        self.timers.disarm(&Timer::Knock(caller));
        let sessions = self.readers(knock.room, |p| knock.asked.contains(&p.id));
        self.tell_pages(sessions, ServerMessage::KnockOver { call: caller });
        knock.failure
    }
}

/// Who may say: who is called, where they may let others in, and hosts.
fn may_say(person: &Participant, what: &Knocking) -> bool {
    let called = person.id == what.participant && person.role.admits();
    person.state == State::Active && (person.role == Role::Host || called)
}
