//! A page takes the seat of somebody who is there already: beside a telephone, or in the place of another browser, which goes when
//! the new one carries, never before. Links of texts, codes and moves between devices come by here.

use crate::base::id::TicketId;
use crate::base::{Cause, LegId, Now, ParticipantId, RoomId, SessionId};
use crate::gateway::Gateway;
use crate::gateway::web::protocol::ServerMessage;
use crate::gateway::web::{Code, Seat, WebLeg};
use crate::room::{Channel, Sign};

impl Gateway {
    /// Spends the ticket of a seat, and notes from where its page comes.
    pub(in crate::gateway) fn redeem_seat(
        &mut self,
        session: SessionId,
        (room, participant): (RoomId, ParticipantId),
        ticket: TicketId,
    ) -> Result<(), Code> {
        let there = self.rooms.get(&room).and_then(|live| live.participant(participant)).is_some();
        if !there {
            return Err(Code::BadTicket);
        }
        self.web.tickets.spend(ticket).map_err(Code::from)?;
        self.web.tickets.revoke(ticket);
        let from = self.web_address(session);
        if let (Some(live), Some(from)) = (self.rooms.get_mut(&room), from) {
            live.note_sign(participant, Sign::Address(from));
        }
        Ok(())
    }

    /// A browser's leg beside the telephone of somebody who had none: the pictures are its, the voice stays where it is.
    pub(in crate::gateway) fn sit_beside(&mut self, room: RoomId, participant: ParticipantId, now: Now) {
        let leg = LegId::draw(&mut self.rng);
        self.web.legs.insert(leg, WebLeg::new(participant));
        self.web.seats.insert(participant, Seat::new(room, leg, None));
        if let Some(live) = self.rooms.get_mut(&room) {
            live.bind(participant, &[Channel::Video, Channel::Data], Some(leg));
        }
        self.carry_out(room, now);
    }

    /// A page takes the seat of somebody who is there by another device: a browser that has it goes on until the new one's peer
    /// connection stands, and a telephone keeps the voice until then.
    pub(in crate::gateway) fn take_over(
        &mut self,
        (session, request): (SessionId, u64),
        (room, participant): (RoomId, ParticipantId),
        ticket: TicketId,
        now: Now,
    ) -> Result<(), Code> {
        if self.web.seats.get(&participant).is_some_and(|seat| seat.next.is_some() || seat.leaving.is_some()) {
            return Err(Code::NotAllowed);
        }
        self.redeem_seat(session, (room, participant), ticket)?;
        match self.web.seats.get_mut(&participant) {
            Some(seat) => seat.hand_to_another(),
            None => self.sit_beside(room, participant, now),
        }
        self.returned(participant, now);
        self.welcome(participant, session, request, true, now);
        Ok(())
    }

    /// The page that gave the seat up, and waited until the new one carried, is closed.
    pub(in crate::gateway) fn page_left_behind(&mut self, participant: ParticipantId, cause: Cause) {
        let left = self.web.seats.get_mut(&participant).and_then(|seat| seat.leaving.take());
        if let Some(session) = left {
            self.say_goodbye(session, cause);
        }
    }

    /// The seat goes back to the page that had it, or to the telephone alone.
    pub(in crate::gateway) fn give_back(
        &mut self,
        participant: ParticipantId,
        session: SessionId,
        cause: Cause,
        now: Now,
    ) {
        let Some(seat) = self.web.seats.get_mut(&participant) else { return };
        if seat.session() != Some(session) {
            return;
        }
        let before = seat.leaving.take();
        let (room, next) = (seat.room, seat.next.take());
        if next.is_some() {
            self.web.handoffs.cancel(participant);
            self.carry_out_moves(now);
        }
        self.say_goodbye(session, cause);
        match before {
            Some(before) => self.show_again(participant, before, room, now),
            None => drop(self.unseat(participant, cause, now)),
        }
    }

    /// A page has its place again, and is told what it missed.
    fn show_again(&mut self, participant: ParticipantId, session: SessionId, room: RoomId, now: Now) {
        self.seat_shown_by(participant, session, now);
        let people = self.people_for(room, participant);
        self.tell_page(session, ServerMessage::People { people });
        self.tell_slots(room, session);
    }
}
