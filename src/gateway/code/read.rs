//! Codes are read: by a device that wants the call, by the one that has it, by a telephone at the attendant.

use crate::base::id::CodeId;
use crate::base::throttle::network;
use crate::base::{LegId, Now, ParticipantId, RoomId, Secret, Utc};
use crate::call::speech::Prompt;
use crate::gateway::Gateway;
use crate::gateway::code::view::{
    ClaimView, Claiming, Closed, CodeInfo, CodeKind, CodeRequest, DeviceKind, Read, Receiver,
};
use crate::gateway::code::{Live, Taker, masked};
use crate::gateway::command::{Denial, Outcome, Reply};
use crate::gateway::pin_guard::Trier;
use crate::gateway::web::Code as Refused;
use crate::room::Waiting;
use crate::ticket::{self, Hash, Right, SeatBy, Ticket};
use crate::transfer::{DIGITS, Input, PRINTED_DIGITS, Printed, Reason, State, Topology, check};

/// How long whoever got a ticket for the seat may take to join by it, in milliseconds.
pub(super) const JOIN_WITHIN: i64 = 60_000;

impl From<Closed> for Refused {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::Unknown | Closed::NotYours => Refused::NoSuchCode,
            Closed::Mistyped => Refused::CodeMistyped,
            Closed::Expired | Closed::UsedUp => Refused::CodeExpired,
            Closed::Used => Refused::CodeUsed,
            Closed::Superseded | Closed::Ended | Closed::Revoked => Refused::CodeSuperseded,
            Closed::OtherAccount => Refused::CodeOtherAccount,
            Closed::WrongSide => Refused::CodeWrongSide,
            Closed::Mismatch => Refused::CodeMismatch,
            Closed::Declined | Closed::Unavailable | Closed::TooEarly | Closed::Nowhere | Closed::NotShown => {
                Refused::NotAllowed
            }
            Closed::TooManyAttempts(_) => Refused::TooManyAttempts,
            Closed::TooOften(_) => Refused::TooOften,
        }
    }
}

impl Gateway {
    /// A device reads a code, or shows one of its own.
    pub(in crate::gateway) fn claim_code(&mut self, asked: &Claiming, now: Now) -> Outcome {
        let done = match &asked.read {
            Some(read) => self.take_by_code(read, asked, now),
            None => self.ask_by_code(asked, now),
        };
        done.map(|view| Reply::Claimed(Box::new(view))).map_err(|closed| self.refuse_code(closed))
    }

    fn take_by_code(&mut self, read: &Read, asked: &Claiming, now: Now) -> Result<ClaimView, Closed> {
        let trier = by_address(asked.from);
        let id = self.code_read(read, &trier, now)?;
        if self.codes.is_printed(id) {
            return self.claim_printed(id, asked, now);
        }
        self.open_for_reader(id, asked.receiver.extension, now)?;
        let nearby = self.is_nearby(id, asked);
        let (claim, hash) = ticket::draw(&mut self.rng);
        let live = self.codes.live.get_mut(&id).ok_or(Closed::Unknown)?;
        live.receiver = Some(Receiver { from: Some(masked(asked.from)), nearby, ..asked.receiver.clone() });
        live.claim = Some(hash);
        self.code(id, Input::Scanned, now);
        let view = self.claim_view(id).ok_or(Closed::Ended)?;
        Ok(ClaimView { claim: Some(claim), ..view })
    }

    /// How far it is, for the device that wants the call.
    pub(in crate::gateway) fn code_claim(&mut self, claim: &Secret, now: Now) -> Outcome {
        let id = self.code_of_claim(claim).ok_or(Closed::NotYours);
        let view = id.and_then(|id| {
            // Where it is granted, each answer has the same ticket until it was used.
            self.grant_seat(id, now);
            self.claim_view(id).ok_or(Closed::NotYours)
        });
        view.map(|view| Reply::Claimed(Box::new(view))).map_err(Denial::Closed)
    }

    /// The device that wanted the call gives up.
    pub(in crate::gateway) fn leave_claim(&mut self, claim: &Secret, now: Now) -> Outcome {
        let Some(id) = self.code_of_claim(claim) else { return Err(Denial::Closed(Closed::NotYours)) };
        self.code(id, Input::End(Reason::ReceiverLeft), now);
        Ok(Reply::Done)
    }

    fn code_of_claim(&self, claim: &Secret) -> Option<CodeId> {
        let hash = Hash::of(claim.expose());
        self.codes.live.iter().find(|(_, live)| live.claim == Some(hash)).map(|(id, _)| *id)
    }

    /// What a code is for. Changes nothing but the count of wrong ones.
    pub(in crate::gateway) fn look_at_code(&mut self, read: &Read, from: std::net::IpAddr, now: Now) -> Outcome {
        let found = self.code_read(read, &by_address(from), now).and_then(|id| {
            if self.codes.is_printed(id) {
                return self.printed_info(id, now);
            }
            let live = self.codes.live.get(&id).ok_or(Closed::Unknown)?;
            live.is_open()?;
            let plan = live.machine.plan();
            let kind = if live.holder.is_some() { CodeKind::Take } else { CodeKind::Give };
            let (name, person) = self.code_names(live).unzip();
            let expires = Some(live.expires.to_string());
            Ok(CodeInfo {
                kind,
                name,
                person,
                rings: false,
                confirm: plan.confirm,
                channels: live.channels.clone(),
                expires,
            })
        });
        found.map(|info| Reply::CodeInfo(Box::new(info))).map_err(|closed| self.refuse_code(closed))
    }

    /// The page in the call reads the code of a device: one that asks for calls, or one that read ours.
    pub(in crate::gateway) fn scan_by_page(
        &mut self,
        place: (RoomId, ParticipantId),
        read: &Read,
        asked: &CodeRequest,
        now: Now,
    ) -> Result<(), Refused> {
        let done = self.scan(place, read, asked, now);
        if let Err(closed) = done {
            self.codes.count(closed.name());
        }
        done.map_err(Refused::from)
    }

    fn scan(
        &mut self,
        (room, me): (RoomId, ParticipantId),
        read: &Read,
        asked: &CodeRequest,
        now: Now,
    ) -> Result<(), Closed> {
        let trier = Trier { place: Some(room), who: Some(me.to_string()), key: me.to_string() };
        let own = self.codes.of(me).and_then(|id| self.codes.live.get(&id).map(|live| (id, live)));
        if let Some((id, live)) = own.filter(|(_, live)| live.machine.wants_counter()) {
            let right = live.counter.as_ref().is_some_and(|counter| self.is_shown(counter, read, now));
            self.code(id, if right { Input::Matched } else { Input::Mismatched }, now);
            return if right { Ok(()) } else { Err(Closed::Mismatch) };
        }
        let id = self.code_read(read, &trier, now)?;
        if self.codes.is_printed(id) {
            return Err(Closed::WrongSide);
        }
        let live = self.codes.live.get(&id).ok_or(Closed::Unknown)?;
        live.is_open()?;
        if live.machine.plan().topology != Topology::ReceiverShows {
            return Err(Closed::WrongSide);
        }
        let (holder, channels) = self.may_move((room, me), &asked.channels).map_err(|_| Closed::Unavailable)?;
        if let Some(older) = self.codes.of(me) {
            self.code(older, Input::End(Reason::Superseded), now);
        }
        let confirm = asked.confirm.unwrap_or(self.settings.coding.confirm);
        let live = self.codes.live.get_mut(&id).ok_or(Closed::Unknown)?;
        live.holder = Some(holder);
        live.channels = channels;
        self.code(id, Input::Confirms(confirm), now);
        self.code(id, Input::Scanned, now);
        Ok(())
    }

    /// A telephone at the attendant keyed digits that are no PIN. True: they are a code's, and the telephone is dealt with.
    pub(in crate::gateway) fn key_code(&mut self, leg: LegId, digits: &Secret, now: Now) -> Option<Result<(), Closed>> {
        let found = self.codes.live.iter().find(|(_, live)| {
            live.shown.digits == *digits || live.counter.as_ref().is_some_and(|counter| counter.digits == *digits)
        });
        let printed = || self.printed_by_digits(digits, now);
        let id = found.map(|(id, _)| *id).or_else(printed)?;
        let printed = self.codes.is_printed(id);
        let done = match printed {
            true => self.begin_by_phone(id, leg, now),
            false => self.take_by_phone(id, leg, now),
        };
        if let Err(closed) = done {
            self.codes.count(closed.name());
            if printed {
                // The digits were right: another try is of no use.
                self.refuse_begin(leg, closed, now);
                return Some(Ok(()));
            }
        }
        Some(done)
    }

    fn take_by_phone(&mut self, id: CodeId, leg: LegId, now: Now) -> Result<(), Closed> {
        let record = self.legs.get(&leg).ok_or(Closed::Unavailable)?;
        let extension = record.party.extension();
        let from = self.shown_number(record.caller.as_ref(), record.from.as_deref(), false);
        let name = extension.and_then(|of| self.table.extensions.get(&of)).map(|of| of.name.clone());
        let live = self.codes.live.get(&id).ok_or(Closed::Unknown)?;
        let topology = live.machine.plan().topology;
        if topology == Topology::ReceiverShows {
            // What another device shows that wants a call is not for this one.
            return Err(Closed::WrongSide);
        }
        self.open_for_reader(id, extension, now)?;
        let agent = record_agent(extension.is_some());
        let device = DeviceKind::Telephone;
        let receiver = Receiver { name, device, agent, from, nearby: false, extension };
        let live = self.codes.live.get_mut(&id).ok_or(Closed::Unknown)?;
        live.receiver = Some(receiver);
        live.taker = Taker::Phone(leg);
        self.leave_attendant(leg);
        self.code(id, Input::Scanned, now);
        // Somebody is being asked.
        if self
            .codes
            .live
            .get(&id)
            .is_some_and(|live| live.machine.state() == State::Awaiting && !live.machine.is_granted())
        {
            self.say_prompt(leg, Prompt::CodeWait);
            self.set_background(leg, Some(Waiting::Music));
        }
        Ok(())
    }

    /// Which code was read. Nobody guesses a link; digits are short: wrong ones count against who tries, and where.
    fn code_read(&mut self, read: &Read, trier: &Trier<Option<RoomId>, String>, now: Now) -> Result<CodeId, Closed> {
        let wait = Closed::TooManyAttempts(self.settings.pin_refill.as_secs().max(1));
        match read {
            Read::Ticket(shown) => {
                let found = self.web.tickets.verify(shown.expose(), now.utc).ok();
                if let Some(Right::Code { code } | Right::Begin { code }) = found.map(|ticket| &ticket.right) {
                    let code = *code;
                    self.codes.guard.note_right(trier);
                    return Ok(code);
                }
                Err(if self.codes.guard.note_unguessable(trier, now.mono) { Closed::Unknown } else { wait })
            }
            Read::Digits(digits) => {
                if !self.codes.guard.may_try(trier, now.mono) {
                    return Err(wait);
                }
                if ![DIGITS, PRINTED_DIGITS].contains(&digits.expose().len()) || !check(digits.expose()) {
                    // A slip is no guess: whoever guesses makes none.
                    return Err(Closed::Mistyped);
                }
                let mut all = self.codes.live.iter();
                let is = |live: &Live| {
                    live.shown.digits == *digits || live.counter.as_ref().is_some_and(|of| of.digits == *digits)
                };
                let found = all.find(|(_, live)| is(live)).map(|(id, _)| *id);
                match found.or_else(|| self.printed_by_digits(digits, now)) {
                    Some(id) => {
                        self.codes.guard.note_right(trier);
                        Ok(id)
                    }
                    None => {
                        self.codes.guard.note_wrong(trier, now.mono);
                        Err(Closed::Unknown)
                    }
                }
            }
        }
    }

    /// The printed code that shows these digits.
    fn printed_by_digits(&self, digits: &Secret, now: Now) -> Option<CodeId> {
        if digits.expose().len() != PRINTED_DIGITS {
            return None;
        }
        let hash = Printed::hash_of_digits(digits.expose());
        match self.web.tickets.by_hash(hash, now.utc).ok()?.right {
            Right::Begin { code } => Some(code),
            _ => None,
        }
    }

    fn is_shown(&self, shown: &super::Shown, read: &Read, now: Now) -> bool {
        match read {
            Read::Digits(digits) => shown.digits == *digits,
            Read::Ticket(text) => {
                self.web.tickets.verify(text.expose(), now.utc).is_ok_and(|ticket| ticket.id == shown.ticket)
            }
        }
    }

    /// Whether a device may take the call by this code.
    fn open_for_reader(
        &mut self,
        id: CodeId,
        account: Option<crate::base::ExtensionId>,
        now: Now,
    ) -> Result<(), Closed> {
        let live = self.codes.live.get(&id).ok_or(Closed::Unknown)?;
        live.is_open()?;
        let holder = live.holder.ok_or(Closed::WrongSide)?;
        if live.only.is_some() && live.only != account {
            return Err(Closed::OtherAccount);
        }
        let still = self.may_move((holder.room, holder.participant), &live.channels);
        if still.is_err() {
            self.code(id, Input::End(Reason::HolderLeft), now);
            return Err(Closed::Ended);
        }
        Ok(())
    }

    fn is_nearby(&self, id: CodeId, asked: &Claiming) -> bool {
        let holder = self.codes.live.get(&id).and_then(|live| live.holder);
        let Some(holder) = holder else { return false };
        let page = self.web_session(holder.participant).and_then(|session| self.web_address(session));
        let phone = self.legs.get(&holder.leg).map(|record| network(record.peer.ip()));
        let from = network(asked.from);
        page == Some(from) || phone == Some(from)
    }

    /// Counts a refusal.
    fn refuse_code(&mut self, closed: Closed) -> Denial {
        self.codes.count(closed.name());
        Denial::Closed(closed)
    }

    /// Makes the ticket that the granted device joins by, once.
    pub(super) fn grant_seat(&mut self, id: CodeId, now: Now) {
        let Some(live) = self.codes.live.get(&id) else { return };
        let Some(holder) = live.holder.filter(|_| live.machine.is_granted() && live.seat.is_none()) else { return };
        let (shown, hash) = ticket::draw(&mut self.rng);
        let right = Right::Seat { participant: holder.participant, by: SeatBy::Code(id) };
        let expires = Some(Utc(now.utc.0.saturating_add(JOIN_WITHIN)));
        let ticket = crate::base::id::TicketId::draw(&mut self.rng);
        let put =
            Ticket { id: ticket, hash, room: holder.room, right, expires, uses: Some(1), used: 0, revoked: false };
        if self.web.tickets.put(put, now.utc)
            && let Some(live) = self.codes.live.get_mut(&id)
        {
            live.seat = Some((ticket, shown));
        }
    }

    /// A code as the device is told that wants the call.
    pub(super) fn claim_view(&self, id: CodeId) -> Option<ClaimView> {
        let live = self.codes.live.get(&id)?;
        let plan = live.machine.plan();
        let shown = match plan.topology {
            Topology::ReceiverShows if live.machine.is_fresh() => Some(&live.shown),
            Topology::Mutual if live.machine.wants_counter() => live.counter.as_ref(),
            Topology::HolderShows | Topology::ReceiverShows | Topology::Mutual => None,
        };
        let (name, person) = self.code_names(live).unzip();
        let granted = live.machine.is_granted();
        Some(ClaimView {
            claim: None,
            state: live.machine.state(),
            reason: live.machine.reason(),
            topology: plan.topology,
            confirm: plan.confirm,
            channels: live.channels.clone(),
            link: shown.map(|shown| shown.link.clone()),
            digits: shown.map(|shown| shown.digits.clone()),
            expires: live.expires.to_string(),
            room: live.holder.map(|holder| holder.room),
            name,
            person,
            ticket: live.seat.as_ref().filter(|_| granted).map(|(_, shown)| shown.clone()),
        })
    }

    /// What the meeting and the person are called.
    fn code_names(&self, live: &Live) -> Option<(String, String)> {
        let holder = live.holder?;
        let name = self.rooms.get(&holder.room)?.settings().name.clone();
        let person = self.participant_view(holder.room, holder.participant, false)?;
        Some((name, person.display))
    }
}

impl Live {
    /// Whether it can be read; else why not.
    pub(super) fn is_open(&self) -> Result<(), Closed> {
        match self.machine.reason() {
            None if self.machine.is_fresh() => Ok(()),
            None => Err(Closed::Used),
            Some(Reason::TooLate) => Err(Closed::Expired),
            Some(Reason::Superseded | Reason::Withdrawn) => Err(Closed::Superseded),
            Some(Reason::CallEnded | Reason::HolderLeft) => Err(Closed::Ended),
            Some(
                Reason::Declined
                | Reason::DeclinedByRemote
                | Reason::NoAnswer
                | Reason::NotConnected
                | Reason::TooManyWrong
                | Reason::ReceiverLeft,
            ) => Err(Closed::Used),
        }
    }
}

fn by_address(from: std::net::IpAddr) -> Trier<Option<RoomId>, String> {
    let from = network(from).to_string();
    Trier { place: None, who: Some(from.clone()), key: from }
}

fn record_agent(of_the_house: bool) -> Option<String> {
    of_the_house.then(|| "desk phone".to_owned())
}
