//! Who may have a call elevated, and how it begins.

use std::time::Duration;

use crate::base::elevating::{ElevationRules, PinRule};
use crate::base::id::{ElevationId, TextId, TicketId};
use crate::base::{LegId, Now, ParticipantId, PhoneNumber, RoomId, Secret, Utc};
use crate::call::keys::Action;
use crate::call::speech::{Language, Prompt};
use crate::elevation::{Asker, Elevation, Input, Plan, Reason, Step, Writing};
use crate::gateway::Gateway;
use crate::gateway::command::{Denial, Outcome, Reply};
use crate::gateway::elevate::view::{ElevateRequest, ElevationView, Unfit};
use crate::gateway::elevate::{AGAIN, CODE, Live, PIN, TICKET, words};
use crate::gateway::web::Code;
use crate::identity::{Attestation, Standing};
use crate::room::{Role, State};
use crate::route::Party;
use crate::ticket::{Hash, Right, Ticket};

/// Longest context of an integration.
const CONTEXT: usize = 256;

/// Who asks, and for whom.
struct Asked {
    by: Asker,
    /// The key that was pressed.
    key: Option<String>,
    /// Whose page asks, and is shown everything.
    page: Option<ParticipantId>,
}

impl From<Unfit> for Code {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Held => Code::ElevateHeld,
            Unfit::MultiParty => Code::ElevateMultiParty,
            Unfit::Excluded => Code::ElevateExcluded,
            Unfit::DeskPhone => Code::ElevateDeskPhone,
            Unfit::NoPlace | Unfit::NoWay => Code::ElevateNoPhone,
            Unfit::TooOften(_) => Code::TooOften,
            Unfit::AlreadySent(_) => Code::ElevateAlreadySent,
            Unfit::PageOpen => Code::ElevatePageOpen,
            Unfit::BadTemplate | Unfit::BadContext => Code::BadText,
        }
    }
}

impl Gateway {
    /// Somebody on a telephone pressed the key.
    pub(in crate::gateway) fn elevate_by_key(&mut self, leg: LegId, now: Now) {
        let place = self.legs.get(&leg).and_then(|record| record.place());
        let known = place.and_then(|(_, participant)| self.elevations.of(participant));
        if let Some(id) = known {
            // Another browser wants in: the key is the yes.
            if self.elevations.live.get(&id).is_some_and(|live| live.is_asked()) {
                return self.answer_wants(id, true, now);
            }
            // The text does not come, or nobody understood the code: it is said. Later the link goes out once more.
            let soon = |live: &Live| !live.machine.was_bound() && now.mono < live.sent + AGAIN;
            if self.elevations.live.get(&id).is_some_and(soon) {
                return self.elevation(id, Input::AskedAgain, now);
            }
        }
        let asked = Asked { by: Asker::Key, key: place.and_then(|(room, _)| self.elevate_key(room)), page: None };
        match self.elevate(leg, asked, &ElevateRequest::default(), now) {
            Ok(id) => {
                self.elevate_the_other(leg, id, Asker::Other, &ElevateRequest::default(), now);
                let plan = self.elevations.live.get(&id).map(|live| live.machine.plan());
                // Where a browser is told first, it is said once the text is on its way.
                if plan.is_some_and(|plan| plan.text.is_some() && !plan.push) {
                    self.say_prompt(leg, Prompt::ElevateTexted);
                }
            }
            Err(unfit) => self.say_prompt(leg, refusal(unfit)),
        }
    }

    /// A page asks for somebody, or for oneself.
    pub(in crate::gateway) fn elevate_by_page(
        &mut self,
        me: ParticipantId,
        participant: ParticipantId,
        now: Now,
    ) -> Result<(), (Code, Option<Duration>)> {
        let at_once = |code| (code, None);
        let room = self.web_room(me).ok_or(at_once(Code::NotJoined))?;
        let live = self.rooms.get(&room).ok_or(at_once(Code::NoSuchRoom))?;
        let is_call = live.settings().call;
        let host = live.participant(me).is_some_and(|p| p.role == Role::Host);
        let person = live.participant(participant).ok_or(at_once(Code::NoSuchParticipant))?;
        if !host && me != participant && !is_call {
            return Err(at_once(Code::HostOnly));
        }
        let leg = person.audio.filter(|leg| self.legs.contains_key(leg)).ok_or(at_once(Code::ElevateNoPhone))?;
        let by = if is_call && me != participant { Asker::Other } else { Asker::Host };
        let asked = Asked { by, key: None, page: Some(me) };
        let request = ElevateRequest::default();
        let id = self.elevate(leg, asked, &request, now).map_err(|unfit| {
            let after = match unfit {
                Unfit::TooOften(seconds) | Unfit::AlreadySent(seconds) => Some(Duration::from_secs(seconds)),
                _ => None,
            };
            (Code::from(unfit), after)
        })?;
        self.elevate_the_other(leg, id, Asker::Other, &request, now);
        Ok(())
    }

    /// In a call between two the other gets a link, too, in the own way; who cannot stays on the telephone. The room that
    /// the call is, is the meeting of both.
    fn elevate_the_other(&mut self, leg: LegId, id: ElevationId, by: Asker, request: &ElevateRequest, now: Now) {
        let Some((room, _)) = self.legs.get(&leg).and_then(|record| record.place()) else { return };
        if !self.rooms.get(&room).is_some_and(|room| room.settings().call) {
            return;
        }
        let Some(other) = self.legs_in(room).find(|other| *other != leg) else { return };
        let place = self.legs.get(&other).and_then(|record| record.place());
        let has_one =
            place.is_some_and(|(_, person)| self.elevations.of(person).is_some() || self.web_room(person).is_some());
        if has_one {
            return;
        }
        // What was asked for one person's sake is not the other's: neither a number nor a language.
        let request = ElevateRequest { number: None, locale: None, ..request.clone() };
        let Ok(with) = self.elevate(other, Asked { by, key: None, page: None }, &request, now) else { return };
        for (one, two) in [(id, with), (with, id)] {
            if let Some(live) = self.elevations.live.get_mut(&one) {
                live.with = Some(two);
            }
        }
    }

    /// An integration asks. Of a call between people both are elevated, each in the own way.
    pub(in crate::gateway) fn elevate_by_api(&mut self, leg: LegId, request: &ElevateRequest, now: Now) -> Outcome {
        if !self.legs.contains_key(&leg) {
            return Err(Denial::NotFound("call"));
        }
        if request.context.as_ref().is_some_and(|context| context.chars().count() > CONTEXT) {
            return Err(Denial::NotElevated(Unfit::BadContext));
        }
        let asked = Asked { by: Asker::Api, key: None, page: None };
        let id = self.elevate(leg, asked, request, now).map_err(Denial::NotElevated)?;
        self.elevate_the_other(leg, id, Asker::Api, request, now);
        self.elevation_view(id).map(|view| Reply::Elevation(Box::new(view))).ok_or(Denial::NotFound("elevation"))
    }

    /// Somebody came in by telephone: where it is configured so, they get a link without asking.
    pub(in crate::gateway) fn elevate_on_arrival(&mut self, leg: LegId, now: Now) {
        let Some((room, participant)) = self.legs.get(&leg).and_then(|record| record.place()) else { return };
        if self.elevation_rules(leg, room).on_arrival != Some(true) || self.elevations.of(participant).is_some() {
            return;
        }
        // Nobody asked, so nobody is told why not; and nobody hears a code who wants none.
        let mobile =
            self.rooms.get(&room).and_then(|room| room.participant(participant)).is_some_and(|p| p.number.is_some());
        if mobile {
            let _ =
                self.elevate(leg, Asked { by: Asker::Rule, key: None, page: None }, &ElevateRequest::default(), now);
        }
    }

    /// What holds for this call: the node's rules, over them those of the number it came by, the room's and the person's.
    fn elevation_rules(&self, leg: LegId, room: RoomId) -> ElevationRules {
        let did = self.legs.get(&leg).and_then(|record| self.table.dids.get(&record.did?));
        let number = did.map(|did| did.elevation).unwrap_or_default();
        let room = self.rooms.get(&room).map(|room| room.settings().elevation).unwrap_or_default();
        self.settings.elevating.rules.under(number).under(room).under(self.elevation_rules_of_person(leg))
    }

    fn elevation_rules_of_person(&self, leg: LegId) -> ElevationRules {
        match self.legs.get(&leg).map(|record| record.party) {
            Some(Party::Extension(id)) => self.table.extensions.get(&id).map(|of| of.elevation).unwrap_or_default(),
            Some(Party::Trunk(_)) | None => ElevationRules::default(),
        }
    }

    fn elevate(&mut self, leg: LegId, asked: Asked, request: &ElevateRequest, now: Now) -> Result<ElevationId, Unfit> {
        let record = self.legs.get(&leg).ok_or(Unfit::NoPlace)?;
        let (room, participant) = record.place().ok_or(Unfit::NoPlace)?;
        let live = self.rooms.get(&room).ok_or(Unfit::NoPlace)?;
        let person = live.participant(participant).ok_or(Unfit::NoPlace)?;
        let rules = self.elevation_rules(leg, room);
        let others_may = match asked.by {
            Asker::Key => rules.by_key,
            Asker::Host | Asker::Other => rules.by_host,
            Asker::Api | Asker::Rule => None,
        };
        if rules.allowed == Some(false) || others_may == Some(false) {
            return Err(Unfit::Excluded);
        }
        if record.held || record.held_by_us {
            return Err(Unfit::Held);
        }
        let people = live.participants().filter(|p| p.state == State::Active).count();
        if live.settings().call && people > 2 {
            return Err(Unfit::MultiParty);
        }
        let desk = matches!(record.party, Party::Extension(_));
        if desk && self.elevation_rules_of_person(leg).allowed != Some(true) && request.number.is_none() {
            return Err(Unfit::DeskPhone);
        }
        if self.web_session(participant).is_some() {
            return Err(Unfit::PageOpen);
        }
        // A desk phone's number is the house's own.
        let own = person.number.clone().filter(|_| !desk);
        let other_number = request.number.is_some() && request.number != own;
        let number = request.number.clone().or(own);
        if let Some(older) = self.elevations.of(participant)
            && self.is_same_wish(older, number.as_ref(), request)
        {
            return self.send_again(older, asked.page, now);
        }
        let language = request.locale.as_deref().and_then(Language::parse).unwrap_or_else(|| record.language.clone());
        let vouched = Standing::Valid { attestation: Attestation::A };
        let unproved = other_number || record.identity != vouched;
        let wants_pin = request.pin
            || match rules.pin.unwrap_or_default() {
                PinRule::Never => false,
                PinRule::Unproved => unproved,
                PinRule::Always => true,
            };
        let shown = Secret::new(self.rng.token(TICKET));
        let base = self.settings.elevating.link_base.trim_end_matches('/');
        let link = Secret::new(format!("{base}/e/{}", shown.expose()));
        let body = words::body(request.template.as_deref(), &language, &link).ok_or(Unfit::BadTemplate)?;
        // What cannot be sent is not counted.
        let who = number.as_ref().map_or_else(|| participant.to_string(), PhoneNumber::e164);
        if let Err(wait) = self.elevations.links.take(&who, now.mono) {
            return Err(Unfit::TooOften(wait.as_secs().max(1)));
        }
        let consent = match asked.by {
            Asker::Key => format!("key {}, {}", asked.key.as_deref().unwrap_or_default(), now.utc),
            by => format!("{}, {}", by.name(), now.utc),
        };
        let text =
            number.map(|to| Writing { id: TextId::draw(&mut self.rng), to, body, call: leg, consent: consent.into() });
        let plan = Plan {
            push: text.is_some() && self.settings.elevating.push.is_some(),
            no_text: text.is_none().then_some(Reason::NoNumber),
            text,
            look_up: self.settings.elevating.look_up,
            // Nobody is spoken to who did not ask and may be talking.
            speaks: asked.by != Asker::Rule,
            shows: asked.page.is_some() || asked.by == Asker::Api,
            lasts: self.settings.elevating.lasts,
        };
        if let Some(older) = self.elevations.of(participant) {
            self.elevation(older, Input::End(Reason::Superseded), now);
        }
        let id = ElevationId::draw(&mut self.rng);
        let ticket = TicketId::draw(&mut self.rng);
        let lasts = i64::try_from(plan.lasts.as_millis()).unwrap_or(i64::MAX);
        let expires = Utc(now.utc.0.saturating_add(lasts));
        let right = Right::Elevate { elevation: id };
        // Its time is kept here, so that it is told apart from what never was.
        let put = Ticket {
            id: ticket,
            hash: Hash::of(shown.expose()),
            room,
            right,
            expires: None,
            uses: None,
            used: 0,
            revoked: false,
        };
        if !self.web.tickets.put(put, now.utc) {
            return Err(Unfit::TooOften(60));
        }
        let code = self.draw_code();
        let pin = wants_pin.then(|| Secret::new(format!("{:04}", self.rng.below(PIN))));
        let live = Live {
            machine: Elevation::begin(plan, now),
            participant,
            room,
            leg,
            by: asked.by,
            page: asked.page,
            link,
            sent: now.mono,
            ticket,
            code,
            code_out: false,
            pin,
            wrong_pins: 0,
            pin_said: None,
            holder: None,
            pushed: false,
            texted: false,
            link_shown: false,
            owns_number: false,
            wants: None,
            declined: 0,
            over: None,
            steps: Vec::new(),
            context: request.context.clone(),
            with: None,
            expires,
        };
        self.elevations.live.insert(id, live);
        self.carry_elevation(id, now);
        Ok(id)
    }

    /// The key by which callers in a room ask.
    fn elevate_key(&self, room: RoomId) -> Option<String> {
        let map = self.rooms.get(&room).map(|room| self.key_map(&room.settings().keys))?;
        map.spoken().into_iter().find(|(action, _)| *action == Action::Elevate).map(|(_, keys)| keys.to_owned())
    }

    /// Whether a link that is out, and that nobody took the seat by, is what is asked for.
    fn is_same_wish(&self, older: ElevationId, number: Option<&PhoneNumber>, request: &ElevateRequest) -> bool {
        let Some(live) = self.elevations.live.get(&older).filter(|live| !live.machine.was_bound()) else {
            return false;
        };
        let same_number = live.machine.plan().text.as_ref().map(|text| &text.to) == number;
        let same_context = request.context.is_none() || request.context == live.context;
        same_number && same_context && request.template.is_none() && (!request.pin || live.pin.is_some())
    }

    /// Somebody asks for what is out already: it goes out once more, where the last time is long enough ago.
    fn send_again(&mut self, id: ElevationId, page: Option<ParticipantId>, now: Now) -> Result<ElevationId, Unfit> {
        let live = self.elevations.live.get_mut(&id).ok_or(Unfit::NoPlace)?;
        if live.page.is_none() && page.is_some() {
            // What comes of it is shown to them, too.
            live.page = page;
            live.machine.shows_too();
        }
        let next = live.sent + AGAIN;
        if now.mono < next {
            return Err(Unfit::AlreadySent(next.since(now.mono).as_secs().max(1)));
        }
        let who = live.machine.plan().text.as_ref().map_or_else(|| live.participant.to_string(), |text| text.to.e164());
        if let Err(wait) = self.elevations.links.take(&who, now.mono) {
            return Err(Unfit::TooOften(wait.as_secs().max(1)));
        }
        let lasts = i64::try_from(live.machine.plan().lasts.as_millis()).unwrap_or(i64::MAX);
        live.sent = now.mono;
        live.expires = Utc(now.utc.0.saturating_add(lasts));
        let text = TextId::draw(&mut self.rng);
        self.elevation(id, Input::SendAgain(text), now);
        Ok(id)
    }

    /// Six digits that no other link has now.
    fn draw_code(&mut self) -> Secret {
        loop {
            let code = Secret::new(format!("{:06}", self.rng.below(CODE)));
            if !self.elevations.live.values().any(|live| live.code == code) {
                return code;
            }
        }
    }

    /// An elevation as shown.
    pub(in crate::gateway) fn elevation_view(&self, id: ElevationId) -> Option<ElevationView> {
        let live = self.elevations.live.get(&id)?;
        let good = live.over.is_none();
        Some(ElevationView {
            id,
            call: live.leg,
            room: live.room,
            participant: live.participant,
            by: live.by,
            step: live.steps.last().map_or(Step::Asked, |step| step.step),
            steps: live.steps.clone(),
            context: live.context.clone(),
            with: live.with,
            expires: live.expires.to_string(),
            link: good.then(|| live.link.clone()),
            code: good.then(|| live.code.clone()),
        })
    }

    /// Takes a link back; a browser that is in the seat stays.
    pub(in crate::gateway) fn withdraw_elevation(&mut self, id: ElevationId, now: Now) -> Outcome {
        if !self.elevations.live.contains_key(&id) {
            return Err(Denial::NotFound("elevation"));
        }
        self.elevation(id, Input::End(Reason::Withdrawn), now);
        Ok(Reply::Done)
    }
}

/// What a caller is told whose call is not elevated.
const fn refusal(unfit: Unfit) -> Prompt {
    match unfit {
        Unfit::Held => Prompt::ElevateHeld,
        Unfit::MultiParty => Prompt::ElevateMultiParty,
        Unfit::DeskPhone => Prompt::ElevateDeskPhone,
        Unfit::PageOpen => Prompt::ElevatePageOpen,
        Unfit::Excluded | Unfit::NoPlace | Unfit::NoWay | Unfit::BadTemplate | Unfit::BadContext => {
            Prompt::NotAvailable
        }
        Unfit::AlreadySent(_) => Prompt::ElevateTexted,
        Unfit::TooOften(_) => Prompt::ElevateTooOften,
    }
}
