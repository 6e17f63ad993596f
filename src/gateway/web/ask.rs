//! What the API asks about pages' people.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::base::throttle::network;
use crate::base::{Cause, Now, Secret, Utc};
use crate::gateway::Gateway;
use crate::gateway::command::{Denial, Outcome, Reply};
use crate::gateway::web::Code;
use crate::room::{Refusal, Role, Sign};
use crate::ticket::Ticket;

/// What an invitation is for: what its holder sees before joining.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Preview {
    /// What people call the room.
    pub room: String,
    /// As what the holder comes.
    pub role: Role,
    /// What the holder is called who gives no other name.
    pub name: Option<String>,
    /// For one person: joining takes the place of an older browser.
    pub personal: bool,
    /// The holder will wait until somebody lets them in.
    pub lobby: bool,
    /// The holder will wait until the host comes.
    pub waits_for_host: bool,
    /// People are in the meeting.
    pub started: bool,
    /// Nobody but hosts comes in now.
    pub locked: bool,
    /// Nobody else fits in now.
    pub full: bool,
    /// Until when the invitation counts, in milliseconds since 1970.
    #[cfg_attr(feature = "node", schema(value_type = Option<i64>))]
    pub expires: Option<Utc>,
}

impl Gateway {
    /// What a ticket is for; nothing is spent. Whoever shows what a place was left with comes back without another use.
    pub(in crate::gateway) fn preview(
        &mut self,
        ticket: &Secret,
        resume: Option<&Secret>,
        from: IpAddr,
        now: Now,
    ) -> Result<Box<Preview>, Code> {
        let pass = self.pass_by_ticket(ticket, network(from), now)?;
        let found = pass.invitation.and_then(|id| self.web.tickets.get(id)).ok_or(Code::BadTicket)?;
        let expires = found.expires;
        let spent = found.uses.is_some_and(|uses| found.used >= uses);
        let seated = self.seat_by_invitation(&pass).is_some();
        let returns = resume
            .is_some_and(|resume| self.place_of(resume, now).is_some() || self.pass_by_return(resume, now).is_some());
        if spent && !seated && !returns {
            return Err(Code::UsedTicket);
        }
        let live = self.rooms.get(&pass.room).ok_or(Code::NoSuchRoom)?;
        let signs: Vec<Sign> = pass.signs(network(from));
        let door = live.admits(pass.role);
        let (lobby, waits_for_host) = live.would_wait(&signs, pass.name.as_deref(), pass.role);
        Ok(Box::new(Preview {
            room: live.settings().name.clone(),
            role: pass.role,
            name: pass.name,
            personal: pass.personal,
            lobby: lobby && !seated,
            waits_for_host: waits_for_host && !seated,
            started: live.is_started(),
            locked: live.is_locked(),
            full: door == Err(Cause::RoomFull) && !seated,
            expires,
        }))
    }

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
