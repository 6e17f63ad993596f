//! What the API asks about pages' people.

use crate::base::{Now, Secret};
use crate::gateway::Gateway;
use crate::gateway::command::{Denial, Outcome, Reply};
use crate::room::Refusal;
use crate::ticket::Ticket;

impl Gateway {
    /// An invitation was made, or is read at the start.
    pub(in crate::gateway) fn put_ticket(&mut self, ticket: Ticket, now: Now) -> Outcome {
        if !self.rooms.contains_key(&ticket.room) {
            return Err(Denial::NotFound("room"));
        }
        match self.web.tickets.put(ticket, now.utc) {
            true => Ok(Reply::Done),
            false => Err(Denial::Conflict("there are too many invitations: withdraw some".into())),
        }
    }

    /// Whether whoever holds this resume ticket may set a picture now; it counts as one.
    pub(in crate::gateway) fn may_picture(&mut self, resume: &Secret, now: Now) -> Outcome {
        let participant = self.place_of(resume, now).ok_or(Denial::NotFound("place in a meeting"))?;
        match self.web.pictures.take(&participant, now.mono) {
            Ok(()) => Ok(Reply::Done),
            Err(_) => Err(Denial::Refused(Refusal::TooOften)),
        }
    }

    /// Sets somebody's picture, or takes it away.
    pub(in crate::gateway) fn set_picture(&mut self, resume: &Secret, picture: Option<String>, now: Now) -> Outcome {
        let participant = self.place_of(resume, now).ok_or(Denial::NotFound("place in a meeting"))?;
        let room = self.web.seats.get(&participant).map(|seat| seat.room).ok_or(Denial::NotFound("room"))?;
        if let Some(live) = self.rooms.get_mut(&room) {
            live.set_avatar(participant, picture);
        }
        self.carry_out(room, now);
        Ok(Reply::Done)
    }
}
