//! Attended transfers: somebody with two calls here joins those at their far ends (RFC 5589 §7).

use crate::base::{Cause, LegId, Now};
use crate::gateway::Gateway;
use crate::gateway::event::TransferWay;
use crate::gateway::leg::Stage;
use crate::gateway::ringing::{RingId, Waits};
use crate::gateway::transfer::Handover;
use crate::gateway::transfer::blind::Refusal;
use crate::room::State;
use crate::sip::endpoint::{Headers, ReferId};
use crate::wire::sip::Status;

impl Gateway {
    /// A REFER whose target is the far end of another call of the same one.
    pub(super) fn refer_to_own(
        &mut self,
        (leg, refer): (LegId, ReferId),
        second: LegId,
        to: String,
        now: Now,
    ) -> Result<(), Refusal> {
        let party = |leg: LegId| self.legs.get(&leg).map(|record| record.party);
        // The call of somebody else is not theirs to hand over, even if they know its tags.
        if party(leg) != party(second) {
            return Err(Refusal { status: Status::FORBIDDEN, cause: Cause::NotAllowed });
        }
        // Whoever waits at a meeting's door lets nobody in.
        if self.place_state(second).is_some_and(|state| state != State::Active) {
            return Err(Refusal { status: Status::DECLINE, cause: Cause::NotAllowed });
        }
        let call = self.others_of(leg).first().copied().unwrap_or(leg);
        if let Some(ring) = self.rung_for(second) {
            self.hand_over_ringing((leg, refer), (call, second), ring, to, now);
            return Ok(());
        }
        let with = self.others_of(second).first().copied();
        self.endpoint.accept_refer(leg, refer, now);
        if self.join_calls(leg, second, now) {
            self.endpoint.report_refer(leg, refer, Status::OK, now);
            self.publish_done((call, Some(leg), with), to, TransferWay::Bridged, now);
        } else {
            // The second is not up, or nobody is there.
            self.endpoint.report_refer(leg, refer, Status::CALL_DOES_NOT_EXIST, now);
            self.publish_failed(call, to, Cause::NoRoute, Some(Status::CALL_DOES_NOT_EXIST), now);
        }
        Ok(())
    }

    /// Where somebody stands in a room.
    fn place_state(&self, leg: LegId) -> Option<State> {
        let (room, participant) = self.legs.get(&leg)?.place()?;
        Some(self.rooms.get(&room)?.participant(participant)?.state)
    }

    /// Whom somebody waits for, whose call is not answered yet.
    fn rung_for(&self, leg: LegId) -> Option<RingId> {
        match self.legs.get(&leg)?.stage {
            Stage::Calling { ring, .. } => Some(ring),
            _ => None,
        }
    }

    /// The far end hands over before its second call was answered: from here on the telephone rings for both of them, and
    /// whoever answers takes the place of the one who hands over, as in a blind transfer.
    fn hand_over_ringing(
        &mut self,
        (leg, refer): (LegId, ReferId),
        (call, second): (LegId, LegId),
        ring: RingId,
        to: String,
        now: Now,
    ) {
        self.endpoint.accept_refer(leg, refer, now);
        let Some(live) = self.rings.get_mut(&ring) else { return };
        live.waits = Waits::Room;
        let (room, rang) = (live.room, live.rang);
        if let Some(record) = self.legs.get_mut(&second) {
            record.stage = Stage::Leaving { cause: Cause::Transferred };
            self.unbridge(second);
        }
        let talking: Vec<LegId> = self.others_of(leg).into_iter().chain([leg]).collect();
        self.move_to(&talking, room, now);
        let handover = Handover { room, giver: Some(leg), call, refer: Some((leg, refer)), to };
        self.transfers.handovers.insert(ring, handover);
        if rang {
            self.endpoint.report_refer(leg, refer, Status::RINGING, now);
        }
        self.endpoint.refuse(second, Status::REQUEST_TERMINATED, Cause::Transferred, &Headers::new(), now);
    }

    /// Lets the others of two calls of one who hands over talk with each other, and ends both calls for the one; false
    /// where there is nobody to join. The others keep their legs; where one of the two is a meeting it goes on, and the
    /// others join it.
    pub(super) fn join_calls(&mut self, first: LegId, second: LegId, now: Now) -> bool {
        let room_of = |leg: LegId| self.legs.get(&leg).and_then(|record| record.place()).map(|(room, _)| room);
        let (Some(one), Some(two)) = (room_of(first), room_of(second)) else { return false };
        let (of_first, of_second) = (self.others_of(first), self.others_of(second));
        if one == two || of_first.is_empty() || of_second.is_empty() {
            return false;
        }
        let is_meeting = self.rooms.get(&two).is_some_and(|room| !room.settings().call);
        let (goal, moving) = if is_meeting { (two, of_first) } else { (one, of_second) };
        let places = [first, second].map(|leg| self.part(leg, now));
        self.move_to(&moving, goal, now);
        for (room, participant) in places.into_iter().flatten() {
            self.leave_room(room, participant, Cause::Transferred, now);
        }
        self.hang_up(second, Cause::Transferred, now);
        self.release_holds(goal, now);
        true
    }
}
