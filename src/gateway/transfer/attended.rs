//! Attended transfers: somebody with two calls here joins those at their far ends (RFC 5589 §7).

use crate::base::{Cause, LegId, Now};
use crate::gateway::Gateway;
use crate::gateway::event::TransferWay;
use crate::gateway::transfer::blind::Refusal;
use crate::sip::endpoint::ReferId;
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
        let call = self.others_of(leg).first().copied().unwrap_or(leg);
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
        for leg in moving {
            self.move_to(leg, goal, now);
        }
        for (room, participant) in places.into_iter().flatten() {
            self.leave_room(room, participant, Cause::Transferred, now);
        }
        self.hang_up(second, Cause::Transferred, now);
        self.release_holds(goal, now);
        true
    }
}
