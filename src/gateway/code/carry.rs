//! What a code orders, carried out: who is asked, who is told, and what follows when the new leg carries the call.

use crate::base::id::CodeId;
use crate::base::{Cause, LegId, Now, ParticipantId, SessionId};
use crate::call::speech::Prompt;
use crate::gateway::code::{Holder, LINGERS, Live, REMEMBERED, Taker};
use crate::gateway::command::{Denial, Outcome};
use crate::gateway::event::{CodeStep, Happening};
use crate::gateway::leg::{Leg, Stage};
use crate::gateway::web::Code as Refused;
use crate::gateway::web::protocol::{CodeProgress, ServerMessage};
use crate::gateway::{Gateway, Timer};
use crate::media::clip::{Clip, Tone};
use crate::room::{Channel, Role, State as Standing};
use crate::transfer::{Input, Output, Reason, State, Who};

impl Gateway {
    /// Gives a code a fact and does what it orders.
    pub(in crate::gateway) fn code(&mut self, id: CodeId, input: Input, now: Now) {
        let Some(live) = self.codes.live.get_mut(&id) else { return };
        live.machine.handle(input, now);
        self.carry_code(id, now);
    }

    /// A deadline of a code passed.
    pub(in crate::gateway) fn code_timed_out(&mut self, id: CodeId, now: Now) {
        if self.codes.is_printed(id) {
            return self.picture_forgotten(id);
        }
        let Some(live) = self.codes.live.get(&id) else { return };
        if !live.machine.is_over() {
            return self.code(id, Input::Timeout, now);
        }
        if let Some(participant) = live.holder.map(|holder| holder.participant).filter(|_| live.lingers) {
            if let Some(live) = self.codes.live.get_mut(&id) {
                live.lingers = false;
            }
            self.timers.arm(Timer::Code(id), now.mono + REMEMBERED);
            return self.leave_page(participant, now);
        }
        // Long enough to have told whoever came late.
        let Some(live) = self.codes.live.remove(&id) else { return };
        for shown in [Some(live.shown), live.counter].into_iter().flatten() {
            self.web.tickets.revoke(shown.ticket);
        }
    }

    pub(super) fn carry_code(&mut self, id: CodeId, now: Now) {
        loop {
            let Some(live) = self.codes.live.get_mut(&id) else { return };
            let Some(output) = live.machine.poll_output() else { break };
            match output {
                Output::Counter => {
                    let room = live.holder.map(|holder| holder.room);
                    let shown = self.draw_shown(id, room, now);
                    let digits = shown.as_ref().map(|shown| shown.digits.clone());
                    let Some(live) = self.codes.live.get_mut(&id) else { return };
                    live.counter = shown;
                    // What a telephone cannot show it says, and it is typed where it would have been scanned.
                    if let (Taker::Phone(leg), Some(digits)) = (live.taker, digits) {
                        self.say_code(leg, Prompt::ElevatePin, &digits);
                    }
                    self.tell_of_code(id);
                }
                Output::Ask(Who::Holder) => self.ask_holder(id, now),
                Output::Ask(Who::Remote) => self.ask_remotes(id, now),
                Output::Settled => self.code_settled(id),
                Output::Grant => self.code_granted(id, now),
                Output::Report(state, reason) => self.report_code(id, state, reason, now),
            }
        }
        let Some(live) = self.codes.live.get(&id) else { return };
        let at = match live.machine.is_over() {
            true => Some(now.mono + if live.lingers { LINGERS } else { REMEMBERED }),
            false => live.machine.poll_timeout(),
        };
        if let Some(at) = at {
            self.timers.arm(Timer::Code(id), at);
        }
    }

    /// Whoever has the call is asked: on the page, or on the telephone.
    fn ask_holder(&mut self, id: CodeId, now: Now) {
        let Some(holder) = self.codes.live.get(&id).and_then(|live| live.holder) else { return };
        self.tell_of_code(id);
        let at_desk = self.codes.live.get(&id).is_some_and(|live| live.at_desk)
            && !self.personal_pages(holder.participant).is_empty();
        if self.web_session(holder.participant).is_none() && !at_desk {
            match self.phone_of(holder.room, holder.participant) {
                Some(leg) => self.ask_on_telephone(leg, Prompt::CodeAsk),
                None => self.code(id, Input::Nobody(Who::Holder), now),
            }
        }
    }

    /// Whoever they talk with is asked: in a call the others; in a meeting its hosts, and where there is none, all.
    fn ask_remotes(&mut self, id: CodeId, now: Now) {
        let Some(holder) = self.codes.live.get(&id).and_then(|live| live.holder) else { return };
        let Some(room) = self.rooms.get(&holder.room) else { return };
        let is_call = room.settings().call;
        let others = || room.participants().filter(|p| p.id != holder.participant && p.state == Standing::Active);
        let hosts: Vec<ParticipantId> = others().filter(|p| !is_call && p.role == Role::Host).map(|p| p.id).collect();
        let asked = if hosts.is_empty() { others().map(|p| p.id).collect() } else { hosts };
        let phones: Vec<LegId> = others()
            .filter(|p| asked.contains(&p.id) && !self.web.seats.contains_key(&p.id))
            .filter_map(|p| p.audio)
            .filter(|leg| self.legs.contains_key(leg))
            .collect();
        let reachable = asked.iter().any(|p| self.web_session(*p).is_some()) || !phones.is_empty();
        if let Some(live) = self.codes.live.get_mut(&id) {
            live.remotes = asked;
        }
        if !reachable {
            return self.code(id, Input::Nobody(Who::Remote), now);
        }
        self.tell_of_code(id);
        for leg in phones {
            self.ask_on_telephone(leg, Prompt::CodeAskRemote);
        }
    }

    /// Asks privately: `1` is the yes.
    fn ask_on_telephone(&mut self, leg: LegId, question: Prompt) {
        let Some(language) = self.legs.get(&leg).map(|record| record.language.clone()) else { return };
        self.say(leg, [Clip::Tone(Tone::Done)]);
        self.say(leg, language.say_keys(question, "1"));
    }

    /// A key on a telephone whose person is asked: `1` is yes, `2` no. True: it was that.
    pub(in crate::gateway) fn code_key(&mut self, leg: LegId, digit: char, now: Now) -> bool {
        let allow = match digit {
            '1' => true,
            '2' => false,
            _ => return false,
        };
        let Some(Leg { stage: Stage::InRoom { participant, keys, step_up: None, .. }, .. }) = self.legs.get(&leg)
        else {
            return false;
        };
        let (me, key) = (*participant, digit.to_string());
        if keys.map().action(&key).is_some() || keys.map().continues(&key) || keys.poll_timeout().is_some() {
            return false;
        }
        let asked = self.codes.live.iter().find_map(|(id, live)| live.asks(me).map(|who| (*id, who)));
        let Some((id, who)) = asked else { return false };
        self.say(leg, [Clip::Tone(if allow { Tone::Done } else { Tone::Unknown })]);
        self.code(id, Input::Answered(who, allow), now);
        true
    }

    /// A page answers.
    pub(in crate::gateway) fn answer_code(
        &mut self,
        me: ParticipantId,
        id: CodeId,
        allow: bool,
        now: Now,
    ) -> Result<(), Refused> {
        let who = self.codes.live.get(&id).and_then(|live| live.asks(me)).ok_or(Refused::NoSuchCode)?;
        self.code(id, Input::Answered(who, allow), now);
        Ok(())
    }

    /// An integration answers for the holder, whose device shows no page.
    pub(in crate::gateway) fn answer_code_by_api(&mut self, id: CodeId, allow: bool, now: Now) -> Outcome {
        let live = self.codes.live.get(&id).ok_or(Denial::NotFound("code"))?;
        if !live.machine.is_asked(Who::Holder) {
            return Err(Denial::Conflict("the holder of this code is not being asked".into()));
        }
        self.code(id, Input::Answered(Who::Holder, allow), now);
        self.code_outcome(id)
    }

    /// Questions that nobody need answer any more fall silent.
    fn code_settled(&mut self, id: CodeId) {
        let Some(live) = self.codes.live.get_mut(&id) else { return };
        let remotes = std::mem::take(&mut live.remotes);
        let Some(message) = self.code_progress(id, false, false) else { return };
        let room = self.codes.live.get(&id).and_then(|live| live.holder).map(|holder| holder.room);
        if let Some(room) = room {
            let sessions = self.readers(room, |p| remotes.contains(&p.id));
            self.tell_pages(sessions, ServerMessage::Code(Box::new(message)));
        }
    }

    /// Everybody agreed: a telephone takes the seat; a page or app is given its ticket when it asks.
    fn code_granted(&mut self, id: CodeId, now: Now) {
        self.grant_seat(id, now);
        self.tell_of_code(id);
        let Some(live) = self.codes.live.get(&id) else { return };
        let (Some(Holder { room, participant, .. }), Taker::Phone(leg)) = (live.holder, live.taker) else { return };
        self.set_background(leg, None);
        if self.seat_phone(leg, room, participant, false, now).is_err() {
            self.code(id, Input::NotMoved, now);
        }
    }

    /// The code of this person under whose right a device is taking over.
    fn code_moving(&self, participant: ParticipantId) -> Option<CodeId> {
        let of = |live: &Live| live.holder.is_some_and(|holder| holder.participant == participant);
        let mut all = self.codes.live.iter();
        all.find(|(_, live)| of(live) && live.machine.is_granted() && live.taker != Taker::None).map(|(id, _)| *id)
    }

    /// A leg came to carry somebody's channels, or a browser's to stand: where that is what a code was for, it is done.
    pub(in crate::gateway) fn codes_follow(&mut self, participant: ParticipantId, now: Now) {
        let Some(id) = self.code_moving(participant) else { return };
        let Some(live) = self.codes.live.get(&id) else { return };
        let (taker, channels, holder) = (live.taker, live.channels.clone(), live.holder);
        let Some(Holder { room, .. }) = holder else { return };
        let audio = self.rooms.get(&room).and_then(|room| room.participant(participant)).and_then(|p| p.audio);
        match taker {
            Taker::None => {}
            Taker::Phone(leg) if audio == Some(leg) => {
                // All of it moved, and a telephone shows no pictures: the page is not needed any more.
                if let Some(live) = self.codes.live.get_mut(&id) {
                    live.lingers = channels.contains(&Channel::Video);
                }
                self.code(id, Input::Moved, now);
                self.code_done(id, participant, now);
            }
            Taker::Phone(_) => {}
            Taker::Page(session, old) => {
                let Some(seat) = self.web.seats.get(&participant) else { return };
                let leg = seat.leg;
                let is_new = Some(leg) != old && seat.next.is_none() && self.web.stands(leg);
                if seat.session() != Some(session) || !is_new {
                    return;
                }
                if channels.contains(&Channel::Audio) && audio != Some(leg) {
                    // The pictures stand; the voice comes from the telephone, and this is told again when it has come.
                    let done = self.voice_to_page(participant, now);
                    if done.is_err() {
                        self.code(id, Input::NotMoved, now);
                    }
                    return;
                }
                self.code(id, Input::Moved, now);
                self.page_left_behind(participant, Cause::Moved);
                self.code_done(id, participant, now);
            }
        }
    }

    /// A leg that was to carry somebody's channels came to nothing.
    pub(in crate::gateway) fn codes_fail(&mut self, participant: ParticipantId, now: Now) {
        if let Some(id) = self.code_moving(participant) {
            self.code(id, Input::NotMoved, now);
        }
    }

    /// What opened the place before opens it no more: it was given away. A name that the new device brought is taken on.
    fn code_done(&mut self, id: CodeId, participant: ParticipantId, now: Now) {
        let name = self.codes.live.get(&id).and_then(|live| live.receiver.as_ref()?.name.clone());
        if let Some(name) = name {
            self.named_by_device(participant, &name, now);
        }
        self.elevations_end(participant, crate::elevation::Reason::Superseded, now);
        self.close_older_doors(participant);
        let to = self.codes.live.get(&id).map(|live| {
            let whole = live.channels.contains(&Channel::Audio);
            (whole, live.receiver.as_ref().and_then(|receiver| receiver.extension))
        });
        if let Some((true, to)) = to {
            self.given_away(participant, to);
        }
    }

    /// A telephone that was taking over is gone.
    pub(in crate::gateway) fn code_lost_phone(&mut self, leg: LegId, now: Now) {
        let of = |live: &Live| live.taker == Taker::Phone(leg) && !live.machine.is_over();
        let found = self.codes.live.iter().find(|(_, live)| of(live)).map(|(id, _)| *id);
        if let Some(id) = found {
            let why = if self.codes.live.get(&id).is_some_and(|live| live.machine.is_granted()) {
                Input::NotMoved
            } else {
                Input::End(Reason::ReceiverLeft)
            };
            self.code(id, why, now);
        }
    }

    /// A person's place is gone: so is whatever moves it.
    pub(in crate::gateway) fn codes_end(&mut self, participant: ParticipantId, reason: Reason, now: Now) {
        let theirs = |live: &Live| {
            live.holder.is_some_and(|holder| holder.participant == participant) && !live.machine.is_over()
        };
        let ids: Vec<CodeId> = self.codes.live.iter().filter(|(_, live)| theirs(live)).map(|(id, _)| *id).collect();
        for id in ids {
            self.code(id, Input::End(reason), now);
        }
    }

    fn report_code(&mut self, id: CodeId, state: State, reason: Option<Reason>, now: Now) {
        self.codes.count(state.name());
        let Some(live) = self.codes.live.get(&id) else { return };
        let (taker, seat) = (live.taker, live.seat.as_ref().map(|(ticket, _)| *ticket));
        if let Some(Holder { room, participant, leg }) = live.holder {
            let step = CodeStep {
                state,
                code: id,
                call: leg,
                room,
                participant,
                topology: live.machine.plan().topology,
                confirm: live.machine.plan().confirm,
                reason,
                receiver: live.receiver.clone(),
                context: live.context.clone(),
            };
            self.publish(Happening::Code(Box::new(step)), now);
        }
        self.tell_of_code(id);
        if matches!(state, State::Refused | State::Expired) {
            if let Some(ticket) = seat {
                self.web.tickets.revoke(ticket);
            }
            match taker {
                Taker::Phone(leg) => self.refuse_taker(leg, now),
                Taker::Page(session, _) => self.refuse_taking_page(id, session, now),
                Taker::None => {}
            }
        }
    }

    /// A telephone does not get the call: it is told so.
    fn refuse_taker(&mut self, leg: LegId, now: Now) {
        if !matches!(self.legs.get(&leg), Some(Leg { stage: Stage::Seating {}, .. })) {
            return;
        }
        self.set_background(leg, None);
        if let Some(record) = self.legs.get_mut(&leg) {
            record.stage = Stage::Leaving { cause: Cause::Declined };
            record.voice.playing = None;
        }
        self.say_prompt(leg, Prompt::CodeRefused);
        if self.legs.get(&leg).is_some_and(|record| record.voice.pending.is_empty()) {
            self.hang_up(leg, Cause::Declined, now);
        }
    }

    /// Tells pages how far a code is: the holder's everything, and whoever is asked for the far end what they are asked.
    pub(super) fn tell_of_code(&mut self, id: CodeId) {
        let Some(live) = self.codes.live.get(&id) else { return };
        let Some(holder) = live.holder else { return };
        let (asked, remotes) = (live.machine.is_asked(Who::Holder), live.remotes.clone());
        let leaving = self.web.seats.get(&holder.participant).and_then(|seat| seat.leaving);
        let session = leaving.or(self.web_session(holder.participant));
        let own: Vec<SessionId> = session.into_iter().chain(self.personal_pages(holder.participant)).collect();
        if !own.is_empty()
            && let Some(message) = self.code_progress(id, asked, true)
        {
            self.tell_pages(own, ServerMessage::Code(Box::new(message)));
        }
        if !remotes.is_empty()
            && let Some(message) = self.code_progress(id, true, false)
        {
            let sessions = self.readers(holder.room, |p| remotes.contains(&p.id));
            self.tell_pages(sessions, ServerMessage::Code(Box::new(message)));
        }
    }

    /// Whose call a code is about.
    pub(in crate::gateway) fn code_holder(&self, id: CodeId) -> Option<ParticipantId> {
        self.codes.live.get(&id)?.holder.map(|holder| holder.participant)
    }

    /// Somebody who has the call by another device shows its code on the personal page.
    pub(in crate::gateway) fn code_shown_at_desk(&mut self, participant: ParticipantId) {
        if let Some(live) = self.codes.of(participant).and_then(|id| self.codes.live.get_mut(&id)) {
            live.at_desk = true;
        }
    }

    /// The code of somebody's place that counts, as its own pages are told of it.
    pub(in crate::gateway) fn code_of_place(&self, participant: ParticipantId) -> Option<CodeProgress> {
        let id = self.codes.of(participant)?;
        let asked = self.codes.live.get(&id)?.machine.is_asked(Who::Holder);
        self.code_progress(id, asked, true)
    }

    fn code_progress(&self, id: CodeId, asked: bool, whole: bool) -> Option<CodeProgress> {
        let live = self.codes.live.get(&id)?;
        let holder = live.holder?;
        let plan = live.machine.plan();
        let shown = Some(&live.shown).filter(|_| whole && live.machine.is_fresh());
        Some(CodeProgress {
            code: id,
            participant: holder.participant,
            state: live.machine.state(),
            reason: live.machine.reason(),
            topology: plan.topology,
            confirm: plan.confirm,
            channels: live.channels.clone(),
            receiver: live.receiver.clone(),
            asked,
            scan: whole && live.machine.wants_counter(),
            link: shown.map(|shown| shown.link.clone()),
            digits: shown.map(|shown| shown.digits.clone()),
            expires: live.expires,
        })
    }
}

impl Live {
    /// For whom this person is asked about it.
    fn asks(&self, me: ParticipantId) -> Option<Who> {
        let holds = self.holder.is_some_and(|holder| holder.participant == me);
        if holds && self.machine.is_asked(Who::Holder) {
            return Some(Who::Holder);
        }
        (self.remotes.contains(&me) && self.machine.is_asked(Who::Remote)).then_some(Who::Remote)
    }
}
