//! A browser takes a seat that another device has: the old one goes when the new one carries, never before.

use crate::base::id::{CodeId, TicketId};
use crate::base::{Cause, LegId, Now, ParticipantId, RoomId, SessionId};
use crate::gateway::Gateway;
use crate::gateway::code::Taker;
use crate::gateway::web::protocol::{AudioBy, ServerMessage};
use crate::gateway::web::{Code as Refused, Seat, WebLeg};
use crate::room::{Channel, Operation, Sign};

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

    /// A page takes the seat of somebody who is there by another device: a browser that has it goes on until the new one's peer
    /// connection stands, and a telephone keeps the voice until then.
    pub(in crate::gateway) fn take_over(
        &mut self,
        (session, request): (SessionId, u64),
        (room, participant): (RoomId, ParticipantId),
        ticket: TicketId,
        now: Now,
    ) -> Result<(), Refused> {
        let there = self.rooms.get(&room).and_then(|live| live.participant(participant)).is_some();
        if !there {
            return Err(Refused::BadTicket);
        }
        if self.web.seats.get(&participant).is_some_and(|seat| seat.next.is_some() || seat.leaving.is_some()) {
            return Err(Refused::NotAllowed);
        }
        self.web.tickets.spend(ticket).map_err(Refused::from)?;
        self.web.tickets.revoke(ticket);
        let from = self.web_address(session);
        if let (Some(live), Some(from)) = (self.rooms.get_mut(&room), from) {
            live.note_sign(participant, Sign::Address(from));
        }
        match self.web.seats.get_mut(&participant) {
            Some(seat) => seat.hand_to_another(),
            None => {
                let leg = LegId::draw(&mut self.rng);
                self.web.legs.insert(leg, WebLeg::new(participant));
                self.web.seats.insert(participant, Seat::new(room, leg, None));
                if let Some(live) = self.rooms.get_mut(&room) {
                    live.bind(participant, &[Channel::Video, Channel::Data], Some(leg));
                }
                self.carry_out(room, now);
            }
        }
        self.returned(participant, now);
        self.welcome(participant, session, request, true, now);
        Ok(())
    }

    /// The voice of a telephone goes to the page that took the rest.
    pub(super) fn voice_to_page(&mut self, participant: ParticipantId, now: Now) -> Result<(), Refused> {
        self.move_audio(participant, AudioBy::Web, false, now)
    }

    /// The page that gave the seat up, and waited until the new one carried, is closed.
    pub(in crate::gateway) fn page_left_behind(&mut self, participant: ParticipantId, cause: Cause) {
        let left = self.web.seats.get_mut(&participant).and_then(|seat| seat.leaving.take());
        if let Some(session) = left {
            self.say_goodbye(session, cause);
        }
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
