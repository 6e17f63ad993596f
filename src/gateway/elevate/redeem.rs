//! The link or the code is redeemed: one browser gets a ticket for the person's seat.

use std::net::IpAddr;

use crate::base::id::{ElevationId, TicketId};
use crate::base::throttle::network;
use crate::base::{LegId, Now, ParticipantId, RoomId, Secret, Utc};
use crate::call::keys::Action;
use crate::call::speech::Prompt;
use crate::elevation::{Input, Reason};
use crate::gateway::Gateway;
use crate::gateway::command::{Denial, Outcome, Reply};
use crate::gateway::elevate::view::{LinkView, Redeem, Redeemed, Shut};
use crate::gateway::elevate::{ANSWER_WITHIN, JOIN_WITHIN, Live, MOST_DECLINED, PIN_AGAIN, WRONG_PINS, Wants};
use crate::gateway::pin_guard::Trier;
use crate::gateway::web::Code;
use crate::media::clip::{Clip, Tone};
use crate::room::Role;
use crate::ticket::{self, Hash, Right, SeatBy, Ticket};

impl Gateway {
    /// Who is invited to what by a link. Changes nothing but the count of wrong ones.
    pub(in crate::gateway) fn look_at_link(&mut self, shown: &Secret, from: IpAddr, now: Now) -> Outcome {
        let looked = self.link_view(shown, from, now);
        looked.map(|view| Reply::Link(Box::new(view))).map_err(Denial::Shut)
    }

    fn link_view(&mut self, shown: &Secret, from: IpAddr, now: Now) -> Result<LinkView, Shut> {
        let id = self.elevation_of(Some(shown), None, from, now)?;
        let live = self.elevations.live.get(&id).ok_or(Shut::Unknown)?;
        live.shut()?;
        let (name, person) = self.names_of(live).ok_or(Shut::Ended)?;
        let (used, pin) = (live.holder.is_some(), live.pin.is_some());
        let phone = self.phone_of(live.room, live.participant).is_some();
        Ok(LinkView { room: live.room, name, person, phone, used, pin, expires: live.expires.to_string() })
    }

    /// Redeems a link or a code.
    pub(in crate::gateway) fn redeem(&mut self, asked: &Redeem, now: Now) -> Outcome {
        self.try_redeem(asked, now).map(|done| Reply::Redeemed(Box::new(done))).map_err(Denial::Shut)
    }

    fn try_redeem(&mut self, asked: &Redeem, now: Now) -> Result<Redeemed, Shut> {
        let id = self.elevation_of(asked.ticket.as_ref(), asked.code.as_ref(), asked.from, now)?;
        let live = self.elevations.live.get(&id).ok_or(Shut::Unknown)?;
        live.shut()?;
        let holds = asked.holder.as_ref().is_some_and(|holder| live.holder == Some(Hash::of(holder.expose())));
        if !holds {
            // Once somebody is in the seat the link opens it for nobody new after its time.
            if live.expires <= now.utc {
                return Err(Shut::Expired);
            }
            let used = live.holder.is_some();
            if used {
                self.ask_whether(id, asked, now)?;
            }
            self.prove_pin(id, asked.pin.as_ref(), now)?;
        }
        self.elevation(id, Input::Opened, now);
        self.elevation(id, Input::Authenticated, now);
        let (holder, holder_hash) = ticket::draw(&mut self.rng);
        let live = self.elevations.live.get_mut(&id).ok_or(Shut::Unknown)?;
        let holder = if holds { asked.holder.clone().unwrap_or_default() } else { holder };
        if !holds {
            live.holder = Some(holder_hash);
            live.owns_number = asked.ticket.is_some() && live.link_proves_number();
        }
        let push = self.settings.elevating.push.clone().filter(|_| live.owns_number);
        live.wants = None;
        let (room, participant) = (live.room, live.participant);
        let live = self.elevations.live.get(&id).ok_or(Shut::Unknown)?;
        let (name, person) = self.names_of(live).ok_or(Shut::Ended)?;
        let (shown, hash) = ticket::draw(&mut self.rng);
        let expires = Some(Utc(now.utc.0.saturating_add(JOIN_WITHIN)));
        let right = Right::Seat { participant, by: SeatBy::Elevation(id) };
        let id = TicketId::draw(&mut self.rng);
        if !self
            .web
            .tickets
            .put(Ticket { id, hash, room, right, expires, uses: Some(1), used: 0, revoked: false }, now.utc)
        {
            return Err(Shut::TooManyAttempts(60));
        }
        Ok(Redeemed { ticket: shown, holder, room, name, person, push })
    }

    /// Which elevation a link or a code is of. Nobody guesses a link: a right one always opens, and a wrong one counts against
    /// its address alone. Codes are short: wrong ones count against the address, and all together; who had a right link
    /// or code before is measured by the address only, so that strangers keep out strangers at most.
    fn elevation_of(
        &mut self,
        shown: Option<&Secret>,
        code: Option<&Secret>,
        from: IpAddr,
        now: Now,
    ) -> Result<ElevationId, Shut> {
        let from = network(from);
        let trier = Trier { place: None, who: Some(from), key: from.to_string() };
        let wait = Shut::TooManyAttempts(self.settings.pin_refill.as_secs().max(1));
        if let Some(shown) = shown {
            if let Ok(Right::Elevate { elevation }) =
                self.web.tickets.verify(shown.expose(), now.utc).map(|ticket| &ticket.right)
            {
                self.elevations.guard.note_right(&trier);
                return Ok(*elevation);
            }
            return Err(if self.elevations.guard.note_unguessable(&trier, now.mono) { Shut::Unknown } else { wait });
        }
        if !self.elevations.guard.may_try(&trier, now.mono) {
            return Err(wait);
        }
        // A code that nobody has been told is nobody's to know.
        let found = code.and_then(|code| {
            let code = digits_of(code);
            let mut all = self.elevations.live.iter();
            all.find(|(_, live)| live.code_out && live.code.matches(code.expose())).map(|(id, _)| *id)
        });
        match found {
            Some(id) => {
                self.elevations.guard.note_right(&trier);
                Ok(id)
            }
            None => {
                self.elevations.guard.note_wrong(&trier, now.mono);
                Err(Shut::Unknown)
            }
        }
    }

    /// The digits that are said on the telephone, where they are wanted.
    fn prove_pin(&mut self, id: ElevationId, shown: Option<&Secret>, now: Now) -> Result<(), Shut> {
        let Some(live) = self.elevations.live.get_mut(&id) else { return Err(Shut::Unknown) };
        let (Some(pin), leg) = (live.pin.clone(), live.leg) else { return Ok(()) };
        let Some(shown) = shown else {
            let speaks = live.pin_said.is_none_or(|at| at + PIN_AGAIN <= now.mono);
            if speaks {
                live.pin_said = Some(now.mono);
            }
            self.elevation(id, Input::Opened, now);
            if speaks {
                self.speak_pin(leg, pin.expose());
            }
            return Err(Shut::PinWanted);
        };
        if pin.matches(digits_of(shown).expose()) {
            return Ok(());
        }
        let Some(live) = self.elevations.live.get_mut(&id) else { return Err(Shut::Unknown) };
        live.wrong_pins += 1;
        if live.wrong_pins >= WRONG_PINS {
            self.elevation(id, Input::End(Reason::WrongPin), now);
        }
        Err(Shut::PinWrong)
    }

    /// The link was opened before by another browser: the person on the telephone, or a host, is asked.
    fn ask_whether(&mut self, id: ElevationId, asked: &Redeem, now: Now) -> Result<(), Shut> {
        let asking = asked.asking.as_ref().map(|asking| Hash::of(asking.expose()));
        let Some(live) = self.elevations.live.get_mut(&id) else { return Err(Shut::Unknown) };
        let (Some(asking), true) = (asking, asked.confirm) else { return Err(Shut::Used) };
        match live.wants {
            Some(Wants { allowed: Some(true), asking: of, .. }) if of == asking => Ok(()),
            Some(Wants { allowed: Some(false), asking: of, .. }) if of == asking => {
                live.wants = None;
                Err(Shut::Declined)
            }
            _ if live.declined >= MOST_DECLINED => Err(Shut::Declined),
            // One at a time: a second stranger does not take the first one's yes.
            Some(Wants { allowed: None, .. }) => Err(Shut::Confirming),
            // Nor does it make another one's yes void.
            Some(Wants { allowed: Some(true), until, .. }) if now.mono < until => Err(Shut::Confirming),
            Some(_) | None => {
                live.wants = Some(Wants { asking, until: now.mono + ANSWER_WITHIN, allowed: None });
                let (leg, room) = (live.leg, live.room);
                self.ask_on_the_telephone(leg, room);
                self.carry_elevation(id, now);
                self.tell_of_elevation(id, None);
                Err(Shut::Confirming)
            }
        }
    }

    /// Asks the person whether another device may take over: the key that asked for the link is the yes.
    fn ask_on_the_telephone(&mut self, leg: LegId, room: RoomId) {
        let Some(language) = self.legs.get(&leg).map(|record| record.language.clone()) else { return };
        let Some(map) = self.rooms.get(&room).map(|room| self.key_map(&room.settings().keys)) else { return };
        let keys = map.spoken().into_iter().find(|(action, _)| *action == Action::Elevate).map(|(_, keys)| keys);
        if let Some(keys) = keys {
            self.say(leg, language.say_keys(Prompt::ElevateRebind, keys));
        }
    }

    /// Another browser is let into the seat, or kept out.
    pub(super) fn answer_wants(&mut self, id: ElevationId, allow: bool, now: Now) {
        let Some(live) = self.elevations.live.get_mut(&id) else { return };
        let leg = live.leg;
        if let Some(wants) = live.wants.as_mut().filter(|wants| wants.allowed.is_none()) {
            wants.allowed = Some(allow);
            live.declined += u32::from(!allow);
        }
        if allow {
            self.say(leg, [Clip::Tone(Tone::Done)]);
        }
        self.carry_elevation(id, now);
        self.tell_of_elevation(id, None);
    }

    /// A host, or the page in the seat, answers whether another browser may take it.
    pub(in crate::gateway) fn allow_by_page(
        &mut self,
        me: ParticipantId,
        id: ElevationId,
        allow: bool,
        now: Now,
    ) -> Result<(), Code> {
        let room = self.web_room(me).ok_or(Code::NotJoined)?;
        let live = self.elevations.live.get(&id).filter(|live| live.room == room && live.is_asked());
        let live = live.ok_or(Code::NoSuchElevation)?;
        let host = self.rooms.get(&room).and_then(|room| room.participant(me)).is_some_and(|p| p.role == Role::Host);
        if !host && live.participant != me {
            return Err(Code::HostOnly);
        }
        self.answer_wants(id, allow, now);
        Ok(())
    }

    /// What the meeting and the person are called.
    fn names_of(&self, live: &Live) -> Option<(String, String)> {
        let name = self.rooms.get(&live.room)?.settings().name.clone();
        let person = self.participant_view(live.room, live.participant, false)?;
        Some((name, person.display))
    }
}

/// Digits as people write them: in groups.
fn digits_of(shown: &Secret) -> Secret {
    let spaced = |c: &char| c.is_whitespace() || matches!(c, '-' | '.');
    Secret::new(shown.expose().chars().filter(|c| !spaced(c)).collect::<String>())
}

impl Live {
    /// Why it opens nothing any more.
    fn shut(&self) -> Result<(), Shut> {
        match self.over {
            None => Ok(()),
            Some(Reason::TooLate) => Err(Shut::Expired),
            Some(Reason::CallEnded | Reason::PhoneHungUp | Reason::Removed) => Err(Shut::Ended),
            Some(_) => Err(Shut::Unknown),
        }
    }
}
