//! Callbacks: a telephone is rung for somebody who asked for it, and becomes their voice.

use crate::base::id::CallbackId;
use crate::base::{Cause, LegId, Now, ParticipantId};
use crate::gateway::Gateway;
use crate::gateway::ringing::RingId;
use crate::gateway::seating::Unreached;

impl Gateway {
    pub(super) fn callback_rings(&mut self, _id: CallbackId, _now: Now) {}

    pub(super) fn callback_answered(&mut self, _id: CallbackId, leg: LegId, now: Now) {
        self.hang_up(leg, Cause::Cancelled, now);
    }

    pub(super) fn callback_unreached(&mut self, _id: CallbackId, _ring: RingId, _why: Unreached, _now: Now) {}

    pub(super) fn callback_key(&mut self, _leg: LegId, _digit: char, _now: Now) {}

    pub(super) fn callback_seated(&mut self, _leg: LegId, _now: Now) {}

    pub(super) fn callback_leg_ended(&mut self, _leg: LegId, _cause: Cause, _now: Now) {}

    pub(super) fn callbacks_end(&mut self, _participant: ParticipantId, _now: Now) {}
}
