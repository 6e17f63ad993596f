//! How a page gets a place: by an invitation's ticket, by a passcode, or by what it was given the last time.

use std::net::IpAddr;
use std::time::Duration;

use crate::base::id::TicketId;
use crate::base::{Cause, LegId, Now, ParticipantId, RoomId, Secret, SessionId};
use crate::call::speech::Language;
use crate::gateway::pin_guard::Trier;
use crate::gateway::web::protocol::{Join, VERSION};
use crate::gateway::web::{Code, Seat, TRY_AGAIN_WITHIN, WebLeg};
use crate::gateway::{Gateway, Output as Order, Record, Timer};
use crate::room::{Entrant, Role, Sign, read_name};
use crate::ticket::{Flaw, Right, SeatBy};

/// By what right somebody comes in.
pub(super) struct Pass {
    pub(super) room: RoomId,
    pub(super) role: Role,
    /// What they are called where they give no name.
    pub(super) name: Option<String>,
    pub(super) invitation: Option<TicketId>,
    /// The invitation is for one person.
    pub(super) personal: bool,
    /// What was shown to come back without another use, and whose place it was.
    returns: Option<(TicketId, ParticipantId)>,
}

impl Pass {
    /// For a guest who needs no invitation.
    fn guest_of(room: RoomId, name: Option<String>) -> Self {
        Self { room, role: Role::Guest, name, invitation: None, personal: false, returns: None }
    }

    /// By what whoever comes by it from this address is known again.
    pub(super) fn signs(&self, from: IpAddr) -> Vec<Sign> {
        let own = self.invitation.filter(|_| self.personal);
        [Sign::Address(from)].into_iter().chain(own.map(Sign::Invitation)).collect()
    }
}

/// Why nobody comes in, and when to try again where waiting helps.
struct Refused {
    code: Code,
    after: Option<Duration>,
}

impl From<Code> for Refused {
    fn from(code: Code) -> Self {
        Self { code, after: None }
    }
}

/// People of one address who may be in a room whatever its size: an office, a class.
const ALWAYS: usize = 50;

impl From<Flaw> for Code {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::Unknown => Code::BadTicket,
            Flaw::Revoked => Code::RevokedTicket,
            Flaw::Expired => Code::ExpiredTicket,
            Flaw::UsedUp => Code::UsedTicket,
        }
    }
}

impl Gateway {
    /// A page asks for a place.
    pub(super) fn join(&mut self, session: SessionId, id: u64, join: Join, now: Now) {
        if let Err(Refused { code, after }) = self.try_join(session, id, join, now) {
            let after = after.or((code == Code::TooManyAttempts).then_some(self.settings.pin_refill));
            self.refuse_page(session, Some(id), code, after);
            self.timers.arm(Timer::Page(session), now.mono + TRY_AGAIN_WITHIN);
        }
    }

    fn try_join(&mut self, session: SessionId, id: u64, join: Join, now: Now) -> Result<(), Refused> {
        let page = self.web.sessions.get(&session).ok_or(Code::NotJoined)?;
        let from = page.from;
        if page.participant.is_some() || self.is_personal(session) {
            return Err(Code::AlreadyJoined.into());
        }
        if join.version != VERSION {
            return Err(Code::BadVersion.into());
        }
        if self.drain.is_some() {
            return Err(Code::Draining.into());
        }
        let held = join.resume.as_ref().and_then(|resume| self.place_of(resume, now));
        if let Some(participant) = held {
            self.may_return(participant, from, now)?;
            self.take_seat(participant, session, id, now);
            return Ok(());
        }
        let name = read_name(&join.name).map_err(Code::from)?;
        if let Some((place, by)) = join.ticket.as_ref().and_then(|ticket| self.seat_of(ticket, now)) {
            let taken = match by {
                (SeatBy::Elevation(elevation), ticket) => {
                    self.take_elevated((session, id), place, (elevation, ticket), now)
                }
                (SeatBy::Code(code), ticket) => self.take_seat_by_code((session, id), place, (code, ticket), name, now),
                (SeatBy::Device(device), ticket) => {
                    self.take_seat_by_device((session, id), place, (device, ticket), now)
                }
            };
            return taken.map_err(Refused::from);
        }
        if let Some(ticket) = join.ticket.as_ref().and_then(|ticket| self.begins_by(ticket, now)) {
            let begin = self.begin_by_page(ticket, name.as_ref(), now)?;
            let pass = Pass::guest_of(begin.room, begin.name.clone());
            return match self.enter_by(pass, name, &join, (session, id), now) {
                Ok(participant) => {
                    self.begun_by_page(begin, participant, now);
                    Ok(())
                }
                Err(refused) => {
                    self.not_begun(begin, now);
                    Err(refused)
                }
            };
        }
        let returns = join.resume.as_ref().and_then(|resume| self.pass_by_return(resume, now));
        let pass = match (returns, &join.ticket, &join.passcode) {
            (Some(pass), _, _) => pass,
            (None, Some(ticket), _) => self.pass_by_ticket(ticket, from, now)?,
            (None, None, Some(passcode)) => self.pass_by_passcode(passcode, join.room.as_deref(), from, now)?,
            // Only the place that was held counts, and it is gone.
            (None, None, None) if join.resume.is_some() => return Err(Code::BadTicket.into()),
            (None, None, None) => return Err(Code::WrongPasscode.into()),
        };
        if let Some(participant) = self.seat_by_invitation(&pass) {
            self.may_return(participant, from, now)?;
            self.take_seat(participant, session, id, now);
            return Ok(());
        }
        self.enter_by(pass, name, &join, (session, id), now).map(drop)
    }

    /// Somebody who may come in gets a place.
    fn enter_by(
        &mut self,
        pass: Pass,
        name: Option<String>,
        join: &Join,
        (session, id): (SessionId, u64),
        now: Now,
    ) -> Result<ParticipantId, Refused> {
        let from = self.web_address(session).ok_or(Code::NotJoined)?;
        let live = self.rooms.get(&pass.room).ok_or(Code::NoSuchRoom)?;
        live.admits(pass.role).map_err(Code::of_door)?;
        let share = u64::from(live.settings().max_participants) * u64::from(self.settings.join_share) / 100;
        let most = usize::try_from(share).unwrap_or(usize::MAX).max(ALWAYS);
        if live.participants().filter(|p| p.signs.contains(&Sign::Address(from))).count() >= most {
            return Err(Code::AddressFull.into());
        }
        let wait = |after| Refused { code: Code::TooOften, after: Some(after) };
        self.web.joins.take(&(from, pass.room), now.mono).map_err(wait)?;
        let language = join.language.as_deref().and_then(Language::parse);
        let rooms = live.settings().language.as_deref().and_then(Language::parse);
        let language = language.or(rooms).unwrap_or_else(|| self.settings.language.clone());
        if let (Some(ticket), None) = (pass.invitation, pass.returns) {
            let used = self.web.tickets.spend(ticket).map_err(Code::from)?;
            self.outputs.push_back(Order::Record(Record::TicketUsed { ticket, used }));
        }
        let (participant, leg) = (ParticipantId::draw(&mut self.rng), LegId::draw(&mut self.rng));
        let room = pass.room;
        let signs = pass.signs(from);
        self.web.legs.insert(leg, WebLeg::new(participant));
        self.web.seats.insert(participant, Seat::new(room, leg, pass.invitation));
        let entrant = Entrant {
            vouched: false,
            id: participant,
            leg,
            number: None,
            name: name.or(pass.name),
            role: pass.role,
            language: language.tag().to_owned(),
            held: false,
            browser: true,
            muted: join.listen_only,
            signs,
        };
        if let Some(live) = self.rooms.get_mut(&room) {
            live.enter(entrant, now);
        }
        if let Some((shown, before)) = pass.returns {
            self.replace_resumes(shown, before, participant);
        }
        self.carry_out(room, now);
        self.welcome(participant, session, id, false, now);
        Ok(participant)
    }

    /// Whether a place may be taken again now: each time costs the whole roster and chat.
    fn may_return(&mut self, participant: ParticipantId, from: IpAddr, now: Now) -> Result<(), Refused> {
        let wait = |after| Refused { code: Code::TooOften, after: Some(after) };
        self.web.returns.take(&participant, now.mono).map_err(wait)?;
        self.web.returns_from.take(&from, now.mono).map_err(wait)
    }

    /// By what right a resume ticket comes in whose place is gone: where a use of an invitation was spent on the place.
    pub(super) fn pass_by_return(&self, resume: &Secret, now: Now) -> Option<Pass> {
        let shown = self.web.tickets.verify(resume.expose(), now.utc).ok()?;
        let Right::Resume { participant, invitation: Some(invitation) } = shown.right else { return None };
        let ticket = self.web.tickets.get(invitation).filter(|ticket| !ticket.revoked)?;
        let Right::Enter(as_whom) = &ticket.right else { return None };
        let live = self.rooms.contains_key(&ticket.room) && ticket.expires.is_none_or(|at| at > now.utc);
        live.then(|| Pass {
            room: ticket.room,
            role: as_whom.role,
            name: as_whom.name.clone(),
            invitation: Some(invitation),
            personal: as_whom.personal,
            returns: Some((shown.id, participant)),
        })
    }

    /// What was shown counts for the new place, once more; whatever else there was of the old one is gone.
    fn replace_resumes(&mut self, shown: TicketId, before: ParticipantId, participant: ParticipantId) {
        for ticket in self.web.tickets.resumes_of(before).into_iter().filter(|ticket| *ticket != shown) {
            self.forget_resume(ticket);
        }
        let Some(seat) = self.web.seats.get_mut(&participant) else { return };
        seat.resume = [Some(shown), None];
        let invitation = seat.invitation;
        self.web.tickets.turn_into(shown, Right::Resume { participant, invitation });
    }

    /// A resume ticket counts no more.
    pub(super) fn forget_resume(&mut self, id: TicketId) {
        let Some(ticket) = self.web.tickets.revoke(id) else { return };
        if matches!(ticket.right, Right::Resume { invitation: Some(_), .. }) {
            self.outputs.push_back(Order::Record(Record::ResumeGone { ticket: id }));
        }
    }

    /// Whose place a resume ticket takes again, where it is there yet.
    pub(super) fn place_of(&self, resume: &Secret, now: Now) -> Option<ParticipantId> {
        match self.web.tickets.verify(resume.expose(), now.utc).ok()?.right {
            Right::Resume { participant, .. } => self.web.seats.contains_key(&participant).then_some(participant),
            Right::Enter(_) | Right::Elevate { .. } | Right::Code { .. } | Right::Begin { .. } | Right::Seat { .. } => {
                None
            }
        }
    }

    /// The seat of somebody on a telephone that a ticket is for.
    fn seat_of(&self, shown: &Secret, now: Now) -> Option<((RoomId, ParticipantId), (SeatBy, TicketId))> {
        let ticket = self.web.tickets.verify(shown.expose(), now.utc).ok()?;
        match ticket.right {
            Right::Seat { participant, by } => Some(((ticket.room, participant), (by, ticket.id))),
            Right::Enter(_)
            | Right::Resume { .. }
            | Right::Elevate { .. }
            | Right::Code { .. }
            | Right::Begin { .. } => None,
        }
    }

    pub(super) fn pass_by_ticket(&mut self, shown: &Secret, from: IpAddr, now: Now) -> Result<Pass, Code> {
        // Nobody guesses 130 bits; whoever tries costs nothing more after a while.
        let trier = Trier { place: None, who: Some(from), key: format!("ticket {from}") };
        if !self.web.guard.may_try(&trier, now.mono) {
            return Err(Code::TooManyAttempts);
        }
        let found = self.web.tickets.verify(shown.expose(), now.utc).map_err(Code::from);
        let pass = found.and_then(|ticket| match &ticket.right {
            Right::Enter(invitation) if self.rooms.contains_key(&ticket.room) => Ok(Pass {
                room: ticket.room,
                role: invitation.role,
                name: invitation.name.clone(),
                invitation: Some(ticket.id),
                personal: invitation.personal,
                returns: None,
            }),
            Right::Enter(_)
            | Right::Resume { .. }
            | Right::Elevate { .. }
            | Right::Code { .. }
            | Right::Begin { .. }
            | Right::Seat { .. } => Err(Code::BadTicket),
        });
        if matches!(pass, Err(Code::BadTicket)) {
            self.web.guard.note_wrong(&trier, now.mono);
        }
        pass
    }

    fn pass_by_passcode(
        &mut self,
        passcode: &Secret,
        room: Option<&str>,
        from: IpAddr,
        now: Now,
    ) -> Result<Pass, Code> {
        let only = match room.map(str::parse::<RoomId>) {
            None => None,
            Some(Ok(id)) if self.rooms.get(&id).is_some_and(|room| !room.settings().call) => Some(id),
            Some(_) => return Err(Code::NoSuchRoom),
        };
        let trier = Trier { place: only, who: Some(from), key: from.to_string() };
        if !self.web.guard.may_try(&trier, now.mono) {
            return Err(Code::TooManyAttempts);
        }
        let Some((room, host)) = self.room_of_pin(passcode, only) else {
            self.web.guard.note_wrong(&trier, now.mono);
            return Err(Code::WrongPasscode);
        };
        self.web.guard.note_right(&trier);
        let role = if host { Role::Host } else { Role::Guest };
        Ok(Pass { role, ..Pass::guest_of(room, None) })
    }

    /// The place that is taken already by an invitation for one person.
    pub(super) fn seat_by_invitation(&self, pass: &Pass) -> Option<ParticipantId> {
        let ticket = pass.invitation.filter(|_| pass.personal)?;
        self.web.seats.iter().find(|(_, seat)| seat.invitation == Some(ticket)).map(|(id, _)| *id)
    }

    /// A page takes a place that is there: after its connection dropped, or from another tab.
    pub(in crate::gateway) fn take_seat(&mut self, participant: ParticipantId, session: SessionId, id: u64, now: Now) {
        let Some(seat) = self.web.seats.get_mut(&participant) else { return };
        seat.offer = None;
        let room = seat.room;
        for before in [seat.session.take(), seat.leaving.take()].into_iter().flatten() {
            if before != session {
                self.say_goodbye(before, Cause::Replaced);
            }
        }
        self.timers.disarm(&Timer::Away(participant));
        self.timers.disarm(&Timer::VoiceBack(participant));
        if let Some(live) = self.rooms.get_mut(&room) {
            live.set_away(participant, false);
        }
        self.carry_out(room, now);
        self.welcome(participant, session, id, true, now);
    }

    /// Makes a new resume ticket; the one before still counts, for its successor may be lost on the way.
    pub(super) fn renew(&mut self, participant: ParticipantId, now: Now) -> Secret {
        let Some(seat) = self.web.seats.get_mut(&participant) else { return Secret::default() };
        let invited = seat.invitation.and_then(|id| self.web.tickets.get(id)).filter(|ticket| ticket.uses.is_some());
        let (invitation, expires) = (invited.map(|ticket| ticket.id), invited.and_then(|ticket| ticket.expires));
        let right = Right::Resume { participant, invitation };
        let (ticket, shown) = self.web.tickets.issue(seat.room, right, expires, &mut self.rng, now.utc);
        let [latest, before] = seat.resume;
        seat.resume = [Some(ticket.id), latest];
        if let Some(before) = before {
            self.forget_resume(before);
        }
        // A spent use is not to be lost with this run of the program.
        if invitation.is_some() {
            self.outputs.push_back(Order::Record(Record::ResumeKept { ticket: Box::new(ticket), at: now.utc }));
        }
        shown
    }
}
