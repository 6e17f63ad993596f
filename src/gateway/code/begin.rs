//! A call begins by a printed code: from the page of a stranger, or by digits that are keyed at the attendant. What is known of
//! whom it was printed for goes to whoever is called (User-to-User, RFC 7433) and into the log; whoever reads it is not told.

use crate::base::id::{CodeId, TicketId};
use crate::base::throttle::network;
use crate::base::{Cause, LegId, Now, ParticipantId, RoomId, Secret, Utc};
use crate::call::speech::Prompt;
use crate::gateway::calls::CallPlan;
use crate::gateway::code::EVERYTHING;
use crate::gateway::code::read::JOIN_WITHIN;
use crate::gateway::code::view::{ClaimView, Claiming, Closed, CodeInfo, CodeKind, DeviceKind};
use crate::gateway::event::{CodeBegan, Happening};
use crate::gateway::identity::Caller;
use crate::gateway::leg::{Leg, Stage};
use crate::gateway::ringing::{RingId, Waits};
use crate::gateway::web::Code as Refused;
use crate::gateway::{Gateway, Output, Record};
use crate::route::{Destination, Dialled};
use crate::sip::dialog::MAX_FORWARDS;
use crate::sip::uui::Uui;
use crate::ticket::{self, Right, Ticket};
use crate::transfer::{Confirm, Printed, State, Topology};
use crate::wire::sip::{Name, Text};

/// A call that begins: where, and whoever is rung for it.
pub(in crate::gateway) struct Begin {
    code: CodeId,
    /// Where whoever read the code goes.
    pub(in crate::gateway) room: RoomId,
    /// What they are called, where they give no name.
    pub(in crate::gateway) name: Option<String>,
    ring: Option<RingId>,
    ticket: TicketId,
}

impl Gateway {
    /// What a printed code is for, for whoever reads it.
    pub(super) fn printed_info(&self, id: CodeId, now: Now) -> Result<CodeInfo, Closed> {
        let code = self.codes.prints.codes.get(&id).ok_or(Closed::Unknown)?;
        code.opens(now.utc)?;
        let (to, _) = self.aim_of(&code.leads, now)?;
        Ok(CodeInfo {
            kind: CodeKind::Call,
            name: Some(code.title.clone()),
            person: self.called_of(&to),
            rings: !matches!(to, Destination::Room { .. }),
            confirm: Confirm::Nobody,
            channels: EVERYTHING.to_vec(),
            expires: code.expires.map(|at| at.to_string()),
        })
    }

    /// What people call whoever is reached. Numbers are not shown: a poster is read by everybody.
    fn called_of(&self, to: &Destination) -> Option<String> {
        match to {
            Destination::Room { room } => self.rooms.get(room).map(|live| live.settings().name.clone()),
            other => self.name_of(other),
        }
    }

    /// A page reads a printed code: it gets a ticket to join by. Nothing begins before it does.
    pub(super) fn claim_printed(&mut self, id: CodeId, asked: &Claiming, now: Now) -> Result<ClaimView, Closed> {
        let info = self.printed_info(id, now)?;
        let from = network(asked.from).to_string();
        self.codes.prints.by_source.take(&from, now.mono).map_err(too_often)?;
        let (shown, hash) = ticket::draw(&mut self.rng);
        let ticket = TicketId::draw(&mut self.rng);
        let expires = Utc(now.utc.0.saturating_add(JOIN_WITHIN));
        let put = Ticket {
            id: ticket,
            hash,
            room: RoomId::from_bits(0),
            right: Right::Begin { code: id },
            expires: Some(expires),
            uses: Some(1),
            used: 0,
            revoked: false,
        };
        // Whoever read one and did not come is forgotten with the next.
        let tickets = &self.web.tickets;
        let counts = |id: &TicketId| tickets.get(*id).is_some_and(|of| of.expires.is_some_and(|at| at > now.utc));
        self.codes.prints.begins.retain(|id, _| counts(id));
        if !self.web.tickets.put(put, now.utc) {
            return Err(Closed::Unavailable);
        }
        self.codes.prints.begins.insert(ticket, asked.receiver.name.clone());
        Ok(ClaimView {
            claim: None,
            state: State::Awaiting,
            reason: None,
            topology: Topology::HolderShows,
            confirm: Confirm::Nobody,
            channels: EVERYTHING.to_vec(),
            link: None,
            digits: None,
            expires: expires.to_string(),
            room: None,
            name: info.name,
            person: info.person,
            ticket: Some(shown),
        })
    }

    /// Whether somebody joins by what a printed code gave them.
    pub(in crate::gateway) fn begins_by(&self, shown: &Secret, now: Now) -> Option<TicketId> {
        let ticket = self.web.tickets.verify(shown.expose(), now.utc).ok()?;
        self.codes.prints.begins.contains_key(&ticket.id).then_some(ticket.id)
    }

    /// A page that read a printed code joins: whoever is called is rung. It is to enter the room now.
    pub(in crate::gateway) fn begin_by_page(
        &mut self,
        ticket: TicketId,
        name: Option<&String>,
        now: Now,
    ) -> Result<Begin, Refused> {
        let Some(Right::Begin { code }) = self.web.tickets.get(ticket).map(|of| of.right.clone()) else {
            return Err(Refused::BadTicket);
        };
        let named = self.codes.prints.begins.get(&ticket).cloned().flatten();
        let name = name.cloned().or(named);
        let begun = self.begin(code, name.clone(), None, now).and_then(|(printed, room, ring)| {
            if self.rooms.contains_key(&room) {
                return Ok(Begin { code, room, name: name.or(printed.name), ring, ticket });
            }
            // Nobody could be rung, and the room of the call is gone with that.
            Err(Closed::Nowhere)
        });
        if let Err(closed) = begun {
            self.codes.count(closed.name());
        }
        begun.map_err(|closed| match closed {
            Closed::Nowhere => Refused::CallbackUnreachable,
            other => Refused::from(other),
        })
    }

    /// The page has its place.
    pub(in crate::gateway) fn begun_by_page(&mut self, begin: Begin, participant: ParticipantId, now: Now) {
        self.codes.prints.begins.remove(&begin.ticket);
        self.web.tickets.revoke(begin.ticket);
        let Some(leg) = self.web.seats.get(&participant).map(|seat| seat.leg) else { return };
        self.note_begun(begin.code, (begin.room, participant, leg), DeviceKind::Browser, now);
    }

    /// The page does not get its place: nobody is rung for it.
    pub(in crate::gateway) fn not_begun(&mut self, begin: Begin, now: Now) {
        if let Some(ring) = begin.ring {
            self.abandon_ring(ring, Cause::Cancelled, now);
        }
    }

    /// A telephone at the attendant keyed the digits of a printed code.
    pub(super) fn begin_by_phone(&mut self, id: CodeId, leg: LegId, now: Now) -> Result<(), Closed> {
        let record = self.legs.get(&leg).ok_or(Closed::Unavailable)?;
        let source = record.caller.as_ref().map_or_else(|| record.peer.ip().to_string(), |number| number.e164());
        self.codes.prints.by_source.take(&source, now.mono).map_err(too_often)?;
        let stranger = record.party.extension().is_none();
        let (code, room, ring) = self.begin(id, None, Some(leg), now)?;
        self.leave_attendant(leg);
        if self.rooms.contains_key(&room) {
            self.enter_room(leg, room, false, now);
        }
        let place = self.legs.get(&leg).and_then(Leg::place);
        match place {
            Some((room, participant)) => {
                if let Some(name) = code.name.filter(|_| stranger) {
                    self.named_by_device(participant, &name, now);
                }
                self.note_begun(id, (room, participant, leg), DeviceKind::Telephone, now);
            }
            None => {
                if let Some(ring) = ring {
                    self.abandon_ring(ring, Cause::Cancelled, now);
                }
                self.last_word(leg, Prompt::NotAvailable, Cause::NoRoute, now);
            }
        }
        Ok(())
    }

    /// A telephone whose printed code begins no call is told so, and let go.
    pub(in crate::gateway) fn refuse_begin(&mut self, leg: LegId, closed: Closed, now: Now) {
        let (prompt, cause) = match closed {
            Closed::TooOften(_) => (Prompt::Throttled, Cause::Throttled),
            _ => (Prompt::NotAvailable, Cause::Declined),
        };
        self.codes.count(closed.name());
        self.leave_attendant(leg);
        self.last_word(leg, prompt, cause, now);
    }

    fn last_word(&mut self, leg: LegId, prompt: Prompt, cause: Cause, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        record.stage = Stage::Leaving { cause };
        record.voice.playing = None;
        self.say_prompt(leg, prompt);
        if self.legs.get(&leg).is_some_and(|record| record.voice.pending.is_empty()) {
            self.hang_up(leg, cause, now);
        }
    }

    /// Rings whoever the code leads to, where it leads to a call. A room that was made for it is empty yet.
    fn begin(
        &mut self,
        id: CodeId,
        name: Option<String>,
        phone: Option<LegId>,
        now: Now,
    ) -> Result<(Printed, RoomId, Option<RingId>), Closed> {
        if self.drain.is_some() {
            return Err(Closed::Unavailable);
        }
        let code = self.codes.prints.codes.get(&id).cloned().ok_or(Closed::Unknown)?;
        code.opens(now.utc)?;
        let (to, dialled) = self.aim_of(&code.leads, now)?;
        // A sixth of an hour's at once, so that a queue of people before a poster is served.
        let (burst, refill) = (code.per_hour.div_ceil(6), std::time::Duration::from_secs(3600) / code.per_hour.max(1));
        self.codes.prints.by_code.take_within(&id, burst, refill, now.mono).map_err(too_often)?;
        if let Destination::Room { room } = to {
            return Ok((code, room, None));
        }
        let plan = self.plan_of_code(&code, (to, dialled), name, phone);
        let room = self.make_call_room(&plan);
        let waits = phone.map_or(Waits::Room, Waits::Caller);
        match self.place(plan, room, waits, now) {
            Ok(ring) => Ok((code, room, Some(ring))),
            Err(_) => {
                self.rooms.remove(&room);
                Err(Closed::Unavailable)
            }
        }
    }

    fn plan_of_code(
        &self,
        code: &Printed,
        (to, dialled): (Destination, Option<Dialled>),
        name: Option<String>,
        phone: Option<LegId>,
    ) -> CallPlan {
        let inside = !matches!(to, Destination::Trunk { .. });
        let record = phone.and_then(|leg| self.legs.get(&leg));
        // Carriers take no number but those of whoever pays.
        let number = record.and_then(|record| record.caller.clone()).filter(|_| inside);
        let shown = name.or_else(|| code.name.clone()).unwrap_or_else(|| code.title.clone());
        let uui = code.context.as_ref().map(|context| Uui::hex(context.as_bytes()));
        CallPlan {
            party: None,
            to,
            dialled,
            caller: Caller { number, name: Some(shown).filter(|_| inside), ..Caller::default() },
            headers: uui.iter().map(|uui| (Name::UserToUser, Text::from(uui.to_string()))).collect(),
            seconds: None,
            auto_answer: false,
            language: record.map_or_else(|| self.settings.language.clone(), |record| record.language.clone()),
            max_forwards: MAX_FORWARDS,
            name: None,
        }
    }

    /// A call began: that is one use.
    fn note_begun(&mut self, id: CodeId, place: (RoomId, ParticipantId, LegId), by: DeviceKind, now: Now) {
        let (room, participant, call) = place;
        let Some(code) = self.codes.prints.codes.get_mut(&id) else { return };
        code.used = code.used.saturating_add(1);
        code.last_used = Some(now.utc);
        let began = CodeBegan {
            code: id,
            title: code.title.clone(),
            call,
            room,
            participant,
            by,
            used: code.used,
            context: code.context.clone(),
        };
        self.outputs.push_back(Output::Record(Record::CodeUsed { code: id, used: code.used, at: now.utc }));
        self.codes.count("printed_used");
        self.publish(Happening::CodeBegan(Box::new(began)), now);
    }
}

fn too_often(wait: std::time::Duration) -> Closed {
    Closed::TooOften(wait.as_secs().max(1))
}
