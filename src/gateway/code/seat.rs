//! What a code does with seats: its page takes one over, or gives it back.

use crate::base::id::{CodeId, TicketId};
use crate::base::{Cause, Now, ParticipantId, RoomId, SessionId};
use crate::gateway::Gateway;
use crate::gateway::code::Taker;
use crate::gateway::web::Code as Refused;
use crate::gateway::web::protocol::AudioBy;
use crate::room::Operation;

impl Gateway {
    /// A page joins by the right that a code granted.
    pub(in crate::gateway) fn take_seat_by_code(
        &mut self,
        (session, request): (SessionId, u64),
        place: (RoomId, ParticipantId),
        (code, ticket): (CodeId, TicketId),
        name: Option<String>,
        now: Now,
    ) -> Result<(), Refused> {
        let live = self.codes.live.get_mut(&code).filter(|live| live.machine.is_granted());
        let live = live.ok_or(Refused::ExpiredTicket)?;
        if live.taker != Taker::None {
            return Err(Refused::UsedTicket);
        }
        if let Some(receiver) = live.receiver.as_mut().filter(|_| name.is_some()) {
            receiver.name = name;
        }
        // A page that never offered a connection has none to be kept until the new one stands.
        let old = self.web.seats.get(&place.1).map(|seat| seat.leg).filter(|leg| self.web.is_offered(*leg));
        self.take_over((session, request), place, ticket, now)?;
        if let Some(live) = self.codes.live.get_mut(&code) {
            live.taker = Taker::Page(session, old);
        }
        Ok(())
    }

    /// The voice of a telephone goes to the page that took the rest.
    pub(super) fn voice_to_page(&mut self, participant: ParticipantId, now: Now) -> Result<(), Refused> {
        self.move_audio(participant, AudioBy::Web, false, now)
    }

    /// The page of somebody who went on by telephone is closed.
    pub(super) fn leave_page(&mut self, participant: ParticipantId, now: Now) {
        self.unseat(participant, Cause::Moved, now);
    }

    /// A page that was taking the seat does not get it: the one that had it has it again.
    pub(super) fn refuse_taking_page(&mut self, code: CodeId, session: SessionId, now: Now) {
        let holder = self.codes.live.get(&code).and_then(|live| live.holder);
        let Some(participant) = holder.map(|holder| holder.participant) else { return };
        self.give_back(participant, session, Cause::ConnectionLost, now);
    }

    /// A name that the new device brought is what the person is called from now on.
    pub(in crate::gateway) fn named_by_device(&mut self, participant: ParticipantId, name: &str, now: Now) {
        let found = self.rooms.iter().find(|(_, live)| live.participant(participant).is_some());
        let Some(room) = found.map(|(id, _)| *id) else { return };
        let operation = Operation::Rename { participant, name: name.to_owned() };
        if let Some(live) = self.rooms.get_mut(&room) {
            // Where it is no name, the old one stays.
            let _ = live.operate(crate::room::Actor::Api, &operation, now);
        }
        self.carry_out(room, now);
    }
}
