//! Invitations that are made in a meeting, by its page.

use crate::base::id::TicketId;
use crate::base::{Now, ParticipantId, Secret};
use crate::gateway::web::Code;
use crate::gateway::web::protocol::Invited;
use crate::gateway::{Gateway, Output as Order, Record};
use crate::room::Actor;
use crate::ticket::{Right, Unfit, Wanted};

impl From<Unfit> for Code {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Name => Code::BadName,
            Unfit::Uses | Unfit::Seconds => Code::BadInvitation,
        }
    }
}

impl Gateway {
    /// Somebody in a meeting invites to it.
    pub(super) fn invite(&mut self, me: ParticipantId, wanted: &Wanted, now: Now) -> Result<Invited, Code> {
        let room = self.web.seats.get(&me).map(|seat| seat.room).ok_or(Code::NotJoined)?;
        let live = self.rooms.get(&room).ok_or(Code::NoSuchRoom)?;
        live.may_invite(Actor::Participant(me)).map_err(Code::from)?;
        let (ticket, shown) = wanted.draw(room, &mut self.rng, now.utc).map_err(Code::from)?;
        self.web.invitations.take(&room, now.mono).map_err(|_| Code::TooOften)?;
        let Right::Enter(as_whom) = ticket.right.clone() else { return Err(Code::NotAllowed) };
        if !self.web.tickets.put(ticket.clone(), now.utc) {
            return Err(Code::TooOften);
        }
        let invited = Invited {
            id: ticket.id,
            role: as_whom.role,
            name: as_whom.name,
            personal: as_whom.personal,
            uses: ticket.uses,
            expires: ticket.expires,
            path: Secret::new(format!("/j/{}", shown.expose())),
            ticket: shown,
        };
        self.outputs.push_back(Order::Record(Record::Invited { ticket: Box::new(ticket), created: now.utc }));
        Ok(invited)
    }

    /// An invitation is good no more, for good: its holder was removed.
    pub(in crate::gateway) fn withdraw(&mut self, ticket: TicketId, now: Now) {
        self.web.tickets.withdraw(ticket);
        self.outputs.push_back(Order::Record(Record::TicketRevoked { ticket, at: now.utc }));
    }
}
