//! A call is moved: asked for by pages, programs and nearness, decided at rank 5, carried out here.

use std::collections::VecDeque;

use crate::base::id::{DeviceId, ExtensionId, TicketId};
use crate::base::{Cause, LegId, Now, ParticipantId, Secret, Utc};
use crate::call::speech::Language;
use crate::device::{
    Back, Channels, Device, Failure, How, Kind, Order, Output, Phase, Refusal, Target, Transfers, check,
};
use crate::gateway::Gateway;
use crate::gateway::calls::CallPlan;
use crate::gateway::command::Denial;
use crate::gateway::device::view::{
    CallRef, DeviceReply, MoveAsked, MoveEvent, MoveOver, MoveRequest, MoveStep, MoveView, TakeCall,
};
use crate::gateway::event::Happening;
use crate::gateway::identity::Caller;
use crate::gateway::leg::{Leg, Stage};
use crate::gateway::ringing::Step;
use crate::gateway::seating::SeatFor;
use crate::gateway::web::protocol::ServerMessage;
use crate::room::Channel;
use crate::route::{Destination, Party};
use crate::sip::dialog::MAX_FORWARDS;
use crate::sip::endpoint::Headers;
use crate::ticket::{self, Right, SeatBy, Ticket};

/// How long a page may take from its ticket to `join`, in milliseconds.
const JOINS_WITHIN: i64 = 60_000;

impl Gateway {
    /// Begins to move a call of a person to one of their devices. The call is the only one there is, or named.
    pub(super) fn move_call(
        &mut self,
        extension: ExtensionId,
        call: Option<ParticipantId>,
        device: DeviceId,
        wanted: &Channels,
        (keep, how): (bool, How),
        now: Now,
    ) -> Result<MoveView, Refusal> {
        let call = self.which_call(extension, call)?;
        let device = self.device(device).ok_or(Refusal::NoSuchDevice)?;
        if device.extension != extension {
            return Err(Refusal::AnotherPerson);
        }
        if self.devices.moves.get(call).is_some() {
            return Err(Refusal::UnderWay);
        }
        let standing = self.standing(&device, call, now);
        let channels = check(&device, &standing, self.call_facts(call), wanted, how)?;
        self.devices.throttle.take(&extension, now.mono).map_err(|_| Refusal::TooOften)?;
        let asks = !matches!(how, How::Pulled) && device.consent.transfers != Transfers::AtOnce;
        let target = match device.kind {
            Kind::Telephone => Target::Telephone,
            Kind::Browser | Kind::App => Target::Page { asks },
        };
        let main = channels.first().copied().unwrap_or(Channel::Audio);
        let order = Order {
            participant: call,
            device: device.id,
            target,
            channels: channels.clone(),
            whole: *wanted == Channels::Whole,
            keep,
            how,
            from: self.carrier(call, main).or_else(|| self.carrier(call, Channel::Audio)),
        };
        let (mine, _) = self.my_place(call).ok_or(Refusal::NoSuchCall)?;
        self.devices.moves.begin(order, now)?;
        let phase = self.devices.moves.get(call).map_or(Phase::Settling, |(_, phase)| phase);
        self.devices.changed.insert(extension);
        self.carry_moves(now);
        Ok(MoveView { call, room: mine.room, device: device.id, channels, phase })
    }

    /// Hands a call back to the device that it came from.
    pub(super) fn hand_back(
        &mut self,
        extension: ExtensionId,
        call: Option<ParticipantId>,
        now: Now,
    ) -> Result<MoveView, Refusal> {
        let call = self.which_call(extension, call)?;
        let Back { device, channels } = self.devices.moves.back(call).cloned().ok_or(Refusal::NothingToHandBack)?;
        let (mine, _) = self.my_place(call).ok_or(Refusal::NoSuchCall)?;
        if self.devices.moves.get(call).is_some() {
            return Err(Refusal::UnderWay);
        }
        let phone = self.device(device).is_some_and(|device| device.kind == Kind::Telephone);
        if phone && self.carrier(call, Channel::Audio) == Some(device) {
            // Only pictures had gone, and a telephone takes none: they end, and the call is as it was.
            self.devices.moves.forget_back(call);
            self.unseat(call, Cause::Moved, now);
            self.note_moved(extension, true, now);
            return Ok(MoveView { call, room: mine.room, device, channels, phase: Phase::Settling });
        }
        let wanted = match phone {
            true => Channels::Whole,
            false => Channels::Only(channels),
        };
        self.move_call(extension, Some(call), device, &wanted, (false, How::HandedBack), now)
    }

    pub(super) fn which_call(
        &self,
        extension: ExtensionId,
        named: Option<ParticipantId>,
    ) -> Result<ParticipantId, Refusal> {
        let calls = self.calls_of(extension);
        match (named, calls.as_slice()) {
            (Some(named), calls) if calls.contains(&named) => Ok(named),
            (Some(_), _) => Err(Refusal::NoSuchCall),
            (None, []) => Err(Refusal::NoCall),
            (None, [only]) => Ok(*only),
            (None, _) => Err(Refusal::SeveralCalls(calls)),
        }
    }

    /// A program wants a call moved.
    pub(super) fn move_by_api(&mut self, call: CallRef, asked: &MoveRequest, now: Now) -> Result<DeviceReply, Denial> {
        if asked.channels.as_ref().is_some_and(|only| only.is_empty() || only.contains(&Channel::Data)) {
            return Err(Denial::Invalid("channels: `audio`, `video`, or both; all where the key is absent".into()));
        }
        let (extension, call) = self.named_call(call)?;
        let Some(device) = asked.device else {
            return self.hand_back(extension, call, now).map(DeviceReply::Moving).map_err(Denial::NotMoved);
        };
        let wanted = asked.channels.clone().map_or(Channels::Whole, Channels::Only);
        let how = if asked.pull { How::Pulled } else { How::Pushed };
        let moving =
            self.move_call(extension, call, device, &wanted, (asked.keep, how), now).map_err(Denial::NotMoved)?;
        // A program that takes a call is given what it joins by.
        Ok(match self.devices.given.take() {
            Some(taking) if taking.call == moving.call => DeviceReply::Taking(taking),
            Some(_) | None => DeviceReply::Moving(moving),
        })
    }

    /// A program says for its device whether it takes a call.
    pub(super) fn answer_by_api(
        &mut self,
        device: DeviceId,
        call: ParticipantId,
        takes: bool,
        now: Now,
    ) -> Result<DeviceReply, Denial> {
        self.devices.heard.insert(device, now.mono);
        if !self.devices.moves.answered(call, device, takes, now) {
            return Err(Denial::Conflict("this device is not asked about that call, or no longer".into()));
        }
        self.carry_moves(now);
        match self.devices.given.take() {
            Some(taking) => Ok(DeviceReply::Taking(taking)),
            None => Ok(DeviceReply::Calls(Vec::new())),
        }
    }

    /// A program takes a move back.
    pub(super) fn cancel_by_api(&mut self, call: CallRef, now: Now) -> Result<(), Denial> {
        let (extension, call) = self.named_call(call)?;
        let call = self.which_call(extension, call).map_err(Denial::NotMoved)?;
        if self.devices.moves.get(call).is_none() {
            return Err(Denial::Conflict("this call is not being moved".into()));
        }
        self.devices.moves.failed(call, Failure::Cancelled);
        self.carry_moves(now);
        Ok(())
    }

    fn named_call(&self, call: CallRef) -> Result<(ExtensionId, Option<ParticipantId>), Denial> {
        let not_ones = || Denial::NotMoved(Refusal::NoSuchCall);
        let of = |participant: ParticipantId| self.devices.mine.get(&participant).map(|mine| mine.extension);
        match call {
            CallRef::Leg(leg) => {
                let record = self.legs.get(&leg).ok_or(Denial::NotFound("call"))?;
                if record.help {
                    return Err(Denial::NotMoved(Refusal::Emergency));
                }
                let (_, participant) = record.place().ok_or(Denial::NotMoved(Refusal::NotUp))?;
                Ok((of(participant).ok_or_else(not_ones)?, Some(participant)))
            }
            CallRef::Place(room, participant) => {
                let there = self.rooms.get(&room).and_then(|live| live.participant(participant));
                there.ok_or(Denial::NotFound("participant in this room"))?;
                Ok((of(participant).ok_or_else(not_ones)?, Some(participant)))
            }
            CallRef::Of(extension) if self.table.extensions.get(&extension).is_some() => Ok((extension, None)),
            CallRef::Of(_) => Err(Denial::NotFound("extension")),
        }
    }

    /// Carries out what moves order.
    pub(super) fn carry_moves(&mut self, now: Now) {
        while let Some(output) = self.devices.moves.poll_output() {
            match output {
                Output::Ring(order) => {
                    self.report_move(&order, MoveStep::Began, None, now);
                    self.ring_for_move(&order, now);
                }
                Output::Ask(order) => {
                    self.report_move(&order, MoveStep::Asked, None, now);
                    self.ask_page(&order);
                }
                Output::Open(order) => {
                    self.report_move(&order, MoveStep::Began, None, now);
                    self.open_for_move(&order, now);
                }
                Output::GiveUp(order, phase) => self.give_up_move(&order, phase, now),
                Output::Moved(order) => {
                    self.move_is_done(&order, now);
                    self.report_move(&order, MoveStep::Done, None, now);
                }
                Output::Failed(order, why) => {
                    if let Some(mine) = self.devices.mine.get(&order.participant).copied()
                        && order.how == How::Followed
                        && let Some(near) = self.devices.near.get_mut(&mine.extension)
                    {
                        near.failed(now.mono);
                    }
                    self.report_move(&order, MoveStep::Failed, Some(why), now);
                }
            }
        }
    }

    /// Asks on a device's pages whether it takes a call.
    pub(super) fn ask_page(&mut self, order: &Order) {
        let asked = MoveAsked {
            call: order.participant,
            from: order.from,
            with: self.others_in(order.participant),
            channels: order.channels.clone(),
            how: order.how,
        };
        self.tell_device(order.device, ServerMessage::MoveAsked(Box::new(asked)));
    }

    /// Rings the telephone that a call is to go to; one that is kept on the line needs none.
    fn ring_for_move(&mut self, order: &Order, now: Now) {
        let call = order.participant;
        let Some((mine, place)) = self.my_place(call) else { return };
        let room = mine.room;
        let language = Language::parse(&place.language).unwrap_or_else(|| self.settings.language.clone());
        let kept =
            |leg: &&Leg| leg.place() == Some((room, call)) && self.device_of_leg(leg.id, call) == Some(order.device);
        if let Some(leg) = self.legs.values().find(kept).map(|leg| leg.id) {
            self.devices.answered.insert(leg, call);
            self.devices.moves.taken(call, now);
            if self.seat_phone(leg, room, call, order.keep, now).is_err() {
                self.move_leg_ended(leg, now);
            }
            return;
        }
        let user = self.table.extensions.get(&mine.extension).map(|of| of.user.clone());
        let other = self.rooms.get(&room).and_then(|live| live.participants().find(|p| p.id != call));
        let number = other.and_then(|other| other.number.clone());
        let plan = CallPlan {
            party: Some(Party::Extension(mine.extension)),
            to: Destination::Extension { extension: mine.extension },
            dialled: None,
            // The telephone shows whom its person goes on talking with.
            caller: Caller { number, user, name: self.others_in(call).into_iter().next(), withheld: false },
            headers: Headers::new(),
            seconds: None,
            auto_answer: true,
            language,
            max_forwards: MAX_FORWARDS,
            name: None,
        };
        let steps = VecDeque::from([Step::Contact(mine.extension, order.device)]);
        let what = SeatFor::Move { room, participant: call, keep_old: order.keep };
        match self.ring_seat(plan, Some(steps), what, now) {
            Ok(ring) if self.devices.moves.get(call).is_some() => {
                self.devices.rings.insert(call, ring);
            }
            Ok(_) => {}
            Err(cause) => self.move_unreached(call, cause, now),
        }
    }

    /// Nobody answered the telephone.
    pub(in crate::gateway) fn move_unreached(&mut self, call: ParticipantId, cause: Cause, now: Now) {
        self.devices.rings.remove(&call);
        self.devices.moves.failed(call, cause.into());
        self.carry_moves(now);
    }

    /// The telephone answered: once its tone was heard, it is seated.
    pub(in crate::gateway) fn move_answered(
        &mut self,
        leg: LegId,
        (room, participant): (crate::base::RoomId, ParticipantId),
        keep: bool,
        now: Now,
    ) {
        self.devices.rings.remove(&participant);
        if self.devices.moves.get(participant).is_none() {
            return self.hang_up(leg, Cause::Cancelled, now);
        }
        self.devices.answered.insert(leg, participant);
        self.devices.moves.taken(participant, now);
        if self.legs.get(&leg).is_some_and(|record| record.shut) {
            self.devices.opening.insert(leg, super::Seating { room, participant, keep });
        } else if self.seat_phone(leg, room, participant, keep, now).is_err() {
            self.hang_up(leg, Cause::Cancelled, now);
        }
    }

    /// A telephone whose tone was heard may speak.
    pub(in crate::gateway) fn opened(&mut self, leg: LegId, now: Now) {
        let Some(of) = self.devices.opening.remove(&leg) else { return };
        if self.seat_phone(leg, of.room, of.participant, of.keep, now).is_err() {
            self.hang_up(leg, Cause::Cancelled, now);
        }
    }

    /// A telephone carries the voice that it was rung for.
    pub(in crate::gateway) fn move_seated(&mut self, leg: LegId, now: Now) {
        let Some(call) = self.devices.answered.remove(&leg) else { return };
        self.devices.moves.carried(call);
        self.carry_moves(now);
    }

    /// A telephone that answered for a move is gone, or was not heard.
    pub(in crate::gateway) fn move_leg_ended(&mut self, leg: LegId, now: Now) {
        self.devices.opening.remove(&leg);
        let Some(call) = self.devices.answered.remove(&leg) else { return };
        self.devices.moves.failed(call, Failure::NotConnected);
        self.carry_moves(now);
    }

    /// Gives a page, or a program, what it takes the seat by.
    fn open_for_move(&mut self, order: &Order, now: Now) {
        let call = order.participant;
        let Some((mine, _)) = self.my_place(call) else { return };
        let device = self.device(order.device);
        let (shown, hash): (Secret, _) = ticket::draw(&mut self.rng);
        let id = TicketId::draw(&mut self.rng);
        let right = Right::Seat { participant: call, by: SeatBy::Device(order.device) };
        let expires = Some(Utc(now.utc.0.saturating_add(JOINS_WITHIN)));
        let made = Ticket { id, hash, room: mine.room, right, expires, uses: Some(1), used: 0, revoked: false };
        if !self.web.tickets.put(made, now.utc) {
            self.devices.moves.failed(call, Failure::Ours);
            return;
        }
        let taking = TakeCall {
            call,
            room: mine.room,
            ticket: shown,
            channels: order.channels.clone(),
            camera: device.as_ref().is_some_and(|device| device.consent.camera),
        };
        if device.is_some_and(|device: Device| device.kind == Kind::App) {
            self.devices.given = Some(taking);
        } else {
            self.tell_device(order.device, ServerMessage::TakeCall(Box::new(taking)));
        }
    }

    fn give_up_move(&mut self, order: &Order, phase: Phase, now: Now) {
        let call = order.participant;
        if let Some(ring) = self.devices.rings.remove(&call) {
            self.abandon_ring(ring, Cause::Cancelled, now);
        }
        let answered = self.devices.answered.iter().filter(|(_, of)| **of == call).map(|(leg, _)| *leg);
        let answered: Vec<LegId> = answered.collect();
        for leg in answered {
            self.devices.answered.remove(&leg);
            self.devices.opening.remove(&leg);
            if matches!(self.legs.get(&leg), Some(Leg { stage: Stage::Seating {}, .. })) {
                self.hang_up(leg, Cause::Cancelled, now);
            }
        }
        if matches!(phase, Phase::Opening | Phase::Settling) {
            self.page_gives_up(order, now);
        }
    }

    /// The device carries the call: what is left elsewhere of a whole move ends.
    fn move_is_done(&mut self, order: &Order, now: Now) {
        if let Some(mine) = self.devices.mine.get(&order.participant).copied() {
            self.note_moved(mine.extension, order.how != How::Followed, now);
        }
        if order.whole && order.target == Target::Telephone {
            self.devices.seats.remove(&order.participant);
            self.unseat(order.participant, Cause::Moved, now);
        }
    }

    fn note_moved(&mut self, extension: ExtensionId, by_hand: bool, now: Now) {
        self.devices.changed.insert(extension);
        if self.devices.follows(extension) {
            self.devices.near.entry(extension).or_default().moved(by_hand, now.mono);
        }
    }

    /// Tells the log and the person's pages how far a move is.
    fn report_move(&mut self, order: &Order, step: MoveStep, reason: Option<Failure>, now: Now) {
        let Some(mine) = self.devices.mine.get(&order.participant).copied() else { return };
        self.devices.changed.insert(mine.extension);
        self.publish(
            Happening::Move(MoveEvent {
                step,
                room: mine.room,
                participant: order.participant,
                extension: mine.extension,
                device: order.device,
                from: order.from,
                channels: order.channels.clone(),
                how: order.how,
                reason,
            }),
            now,
        );
        if matches!(step, MoveStep::Done | MoveStep::Failed) {
            let over = MoveOver { call: order.participant, device: order.device, failure: reason };
            let pages = self.pages_of(mine.extension);
            let own = self.web_session(order.participant);
            let sessions = pages.into_iter().chain(own).collect();
            self.tell_pages(sessions, ServerMessage::MoveOver(over));
        }
    }
}
