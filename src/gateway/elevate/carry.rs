//! What an elevation orders, carried out: texts, look-ups, words on the telephone, progress for whoever asked.

use crate::base::id::ElevationId;
use crate::base::{LegId, Now, ParticipantId};
use crate::call::speech::{Language, Prompt};
use crate::elevation::{Asker, Input, Output, Reason, Step};
use crate::gateway::elevate::view::StepView;
use crate::gateway::elevate::{Live, REMEMBERED, Wants};
use crate::gateway::event::{ElevationStep, Happening};
use crate::gateway::web::protocol::{Progress, ServerMessage};
use crate::gateway::{Gateway, Output as Order, Timer};
use crate::media::clip::Clip;
use crate::room::Role;
use crate::texting::{LookUpId, TextFailure, Texting};

/// Between the parts of what is said, in milliseconds: a listener writes it down.
const PAUSE: u16 = 500;

/// Steps that are remembered of one elevation. More: memory. Fewer: the beginning is lost of one that came and went often.
const STEPS: usize = 64;

impl Live {
    /// Another browser wants the seat, and nobody has answered yet.
    pub(super) fn is_asked(&self) -> bool {
        matches!(self.wants, Some(Wants { allowed: None, .. }))
    }
}

impl Gateway {
    /// Gives an elevation a fact and does what it orders.
    pub(in crate::gateway) fn elevation(&mut self, id: ElevationId, input: Input, now: Now) {
        let Some(live) = self.elevations.live.get_mut(&id) else { return };
        live.machine.handle(input, now);
        self.carry_elevation(id, now);
    }

    /// A deadline of an elevation passed.
    pub(in crate::gateway) fn elevation_timed_out(&mut self, id: ElevationId, now: Now) {
        let Some(live) = self.elevations.live.get_mut(&id) else { return };
        if live.wants.is_some_and(|wants| wants.until <= now.mono && wants.allowed.is_none()) {
            self.answer_wants(id, false, now);
        }
        let Some(live) = self.elevations.live.get(&id) else { return };
        if live.machine.is_over() {
            // Long enough to have told whoever came late.
            self.web.tickets.revoke(live.ticket);
            self.elevations.live.remove(&id);
            self.elevations.of_text.retain(|_, of| *of != id);
            self.elevations.of_look_up.retain(|_, of| *of != id);
            return;
        }
        self.elevation(id, Input::Timeout, now);
    }

    /// Deals with a fact about texts.
    pub(in crate::gateway) fn on_texting(&mut self, fact: Texting, now: Now) {
        match fact {
            Texting::Text(event) => {
                let (text, is_final) = (event.id, event.state.is_final());
                if let Some(id) = self.elevations.of_text.get(&text).copied() {
                    self.elevation(id, Input::Text(event), now);
                }
                if is_final {
                    self.elevations.of_text.remove(&text);
                }
            }
            Texting::LookedUp { id, line } => {
                if let Some(id) = self.elevations.of_look_up.remove(&id) {
                    self.elevation(id, Input::LookedUp(line), now);
                }
            }
            // The outbox looks at it before each try.
            Texting::Opted { .. } => {}
        }
    }

    pub(super) fn carry_elevation(&mut self, id: ElevationId, now: Now) {
        loop {
            let Some(live) = self.elevations.live.get_mut(&id) else { return };
            let Some(output) = live.machine.poll_output() else { break };
            match output {
                Output::Push => self.notify(id, now),
                Output::LookUp(number) => {
                    self.elevations.next_look_up += 1;
                    let question = LookUpId(self.elevations.next_look_up);
                    self.elevations.of_look_up.insert(question, id);
                    self.outputs.push_back(Order::LookUp { id: question, number });
                }
                Output::Text(order) => {
                    (live.texted, live.sent) = (true, now.mono);
                    let told = (live.by == Asker::Key && live.machine.plan().push).then_some(live.leg);
                    self.elevations.of_text.insert(order.id, id);
                    self.outputs.push_back(Order::Text(Box::new(order)));
                    if let Some(leg) = told {
                        self.say_prompt(leg, Prompt::ElevateTexted);
                    }
                }
                Output::Speak { why } => {
                    live.code_out = true;
                    let (leg, code) = (live.leg, live.code.clone());
                    self.speak_code(leg, code.expose(), why);
                }
                Output::Show => (live.code_out, live.link_shown) = (true, true),
                Output::Report { step, reason } => self.report_step(id, step, reason, now),
            }
        }
        let Some(live) = self.elevations.live.get(&id) else { return };
        let wants = live.wants.filter(|wants| wants.allowed.is_none()).map(|wants| wants.until);
        let at = match live.machine.is_over() {
            true => Some(now.mono + REMEMBERED),
            false => live.machine.poll_timeout().into_iter().chain(wants).min(),
        };
        match at {
            Some(at) => self.timers.arm(Timer::Elevation(id), at),
            None => {
                self.timers.disarm(&Timer::Elevation(id));
            }
        }
    }

    /// Says the short link and the code; before it, why no text comes, where the person can do something about it.
    fn speak_code(&mut self, leg: LegId, code: &str, why: Option<Reason>) {
        let Some(language) = self.legs.get(&leg).map(|record| record.language.clone()) else { return };
        let mut clips = Vec::new();
        if why == Some(Reason::Text(TextFailure::OptedOut)) {
            clips.push(language.say(Prompt::ElevateOptedOut));
            clips.push(Clip::Pause(PAUSE));
        }
        clips.push(language.say(Prompt::ElevateOpen));
        clips.push(Clip::Pause(PAUSE));
        clips.extend(language.spell(&self.spoken_address()));
        clips.push(Clip::Pause(PAUSE));
        // Once more for those who were still looking for a pen.
        clips.extend(code_in(&language, code));
        clips.push(Clip::Pause(PAUSE));
        clips.extend(code_in(&language, code));
        self.say(leg, clips);
    }

    /// What is said of the link: where the digits are entered.
    fn spoken_address(&self) -> String {
        let base = self.settings.elevating.link_base.trim_end_matches('/');
        let address = base.split_once("://").map_or(base, |(_, address)| address);
        format!("{}/e", address.to_ascii_lowercase())
    }

    /// Says the digits that are wanted besides the link.
    pub(super) fn speak_pin(&mut self, leg: LegId, pin: &str) {
        let Some(language) = self.legs.get(&leg).map(|record| record.language.clone()) else { return };
        let mut clips = language.say_keys(Prompt::ElevatePin, pin);
        clips.push(Clip::Pause(PAUSE));
        clips.extend(language.digits(pin));
        self.say(leg, clips);
    }

    fn report_step(&mut self, id: ElevationId, step: Step, reason: Option<Reason>, now: Now) {
        let Some(live) = self.elevations.live.get_mut(&id) else { return };
        if live.steps.len() < STEPS {
            live.steps.push(StepView { step, reason, at: now.utc.to_string() });
        }
        if live.machine.is_over() && live.over.is_none() {
            live.over = reason;
            live.wants = None;
        }
        let event = ElevationStep {
            step,
            elevation: id,
            call: live.leg,
            room: live.room,
            participant: live.participant,
            by: live.by,
            reason,
            context: live.context.clone(),
        };
        self.publish(Happening::Elevation(event), now);
        self.tell_of_elevation(id, Some((step, reason)));
    }

    /// Tells pages how far an elevation is: whoever asked, hosts, and the person's own.
    pub(super) fn tell_of_elevation(&mut self, id: ElevationId, told: Option<(Step, Option<Reason>)>) {
        let Some(live) = self.elevations.live.get(&id) else { return };
        let (step, reason) = told.unwrap_or((live.machine.step(), None));
        let progress = Progress {
            elevation: id,
            participant: live.participant,
            step,
            reason,
            by: live.by,
            wants: live.is_asked(),
            link: None,
            code: None,
        };
        let whole = Progress { link: Some(live.link.clone()), code: Some(live.code.clone()), ..progress.clone() };
        let (room, participant, page) = (live.room, live.participant, live.page);
        let hosts = |p: &crate::room::Participant| p.role == Role::Host || p.id == participant;
        let sessions = self.readers(room, |p| Some(p.id) != page && hosts(p));
        self.tell_pages(sessions, ServerMessage::Elevation(Box::new(progress.clone())));
        if let Some(session) = page.and_then(|page| self.web_session(page)) {
            let message = if step == Step::Shown { whole } else { progress };
            self.tell_page(session, ServerMessage::Elevation(Box::new(message)));
        }
    }

    /// A person's place is gone: so is whatever opened it.
    pub(in crate::gateway) fn elevations_end(&mut self, participant: ParticipantId, reason: Reason, now: Now) {
        let theirs = |live: &Live| live.participant == participant && !live.machine.is_over();
        let ids: Vec<ElevationId> =
            self.elevations.live.iter().filter(|(_, live)| theirs(live)).map(|(id, _)| *id).collect();
        for id in ids {
            self.elevation(id, Input::End(reason), now);
        }
    }
}

fn code_in(language: &Language, code: &str) -> Vec<Clip> {
    let (first, last) = code.split_at_checked(3).unwrap_or((code, ""));
    let mut clips = language.say_keys(Prompt::ElevateCode, first);
    clips.push(Clip::Pause(PAUSE / 2));
    clips.extend(language.digits(last));
    clips
}
