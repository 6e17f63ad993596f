//! Who may have themselves, or somebody, called back, and how often.

use crate::base::id::CallbackId;
use crate::base::{LegId, Now, ParticipantId, PhoneNumber, RoomId, Secret};
use crate::callback::{Callback, Failure, Input, Plan};
use crate::gateway::Gateway;
use crate::gateway::callback::view::{CallbackBy, CallbackRequest, CallbackView};
use crate::gateway::callback::{LEFT_ALONE, Live, MOST, MOST_DECLINED, Wish};
use crate::gateway::command::{Denial, Outcome, Reply};
use crate::gateway::web::Code;
use crate::room::{Role, State};
use crate::route::{Destination, Dialled, Party};

impl From<Failure> for Code {
    fn from(why: Failure) -> Self {
        match why {
            Failure::NoHost => Code::CallbackNoHost,
            Failure::HighRate => Code::CallbackHighRate,
            Failure::TooFrequent => Code::TooOften,
            Failure::Loop => Code::CallbackLoop,
            Failure::Busy
            | Failure::NoAnswer
            | Failure::Refused
            | Failure::Voicemail
            | Failure::NotAllowed
            | Failure::Blocked => Code::CallbackNotAllowed,
            Failure::Unreachable | Failure::Ours => Code::CallbackUnreachable,
        }
    }
}

impl Gateway {
    /// A page wants its person to be called: only for the place that is theirs.
    pub(in crate::gateway) fn call_me(
        &mut self,
        (room, me): (RoomId, ParticipantId),
        (number, extension): (Option<String>, Option<String>),
        now: Now,
    ) -> Result<(), Code> {
        let live = self.rooms.get(&room).ok_or(Code::NoSuchRoom)?;
        let person = live.participant(me).filter(|p| p.state == State::Active).ok_or(Code::NotJoined)?;
        let language = crate::call::speech::Language::parse(&person.language);
        let (name, role) = (person.name.clone(), person.role);
        if self.callback_of(me).is_some() {
            return Err(Code::CallbackUnderWay);
        }
        let request = CallbackRequest { number, extension, ..CallbackRequest::default() };
        let (to, number, extension) = self.whom_to_call(&request).map_err(|_| Code::CallbackUnreachable)?;
        let press_one = self.wants_key(extension, None);
        let wish = Wish {
            room: Some(room),
            participant: Some(me),
            page: Some(me),
            to,
            number,
            extension,
            name,
            by: CallbackBy::Page,
            press_one,
            language: language.unwrap_or_else(|| self.settings.language.clone()),
            role,
            did: None,
            after: None,
            kept: None,
        };
        self.begin_callback(wish, now).map(drop).map_err(Code::from)
    }

    /// A page wants its person not to be called after all.
    pub(in crate::gateway) fn call_me_cancel(&mut self, me: ParticipantId, now: Now) -> Result<(), Code> {
        let id = self.callback_of(me).ok_or(Code::NoSuchCall)?;
        self.callback(id, Input::Cancel, now);
        Ok(())
    }

    /// An integration has somebody called.
    pub(in crate::gateway) fn callback_by_api(&mut self, room: RoomId, request: &CallbackRequest, now: Now) -> Outcome {
        let wish = self.callback_wish(room, request)?;
        if wish.participant.is_some_and(|person| self.callback_of(person).is_some()) {
            return Err(Denial::Conflict("this person is being called already: cancel that callback first".into()));
        }
        let id = self.begin_callback(wish, now).map_err(Denial::NotCalledBack)?;
        self.callback_view(id).map(|view| Reply::Callback(Box::new(view))).ok_or(Denial::NotFound("callback"))
    }

    /// What a request means.
    pub(super) fn callback_wish(&self, room: RoomId, request: &CallbackRequest) -> Result<Wish, Denial> {
        let live = self.rooms.get(&room).filter(|live| !live.settings().call).ok_or(Denial::NotFound("room"))?;
        let (to, number, extension) = self.whom_to_call(request).map_err(Denial::Invalid)?;
        let person = match request.participant {
            Some(id) => Some(live.participant(id).ok_or(Denial::NotFound("participant"))?),
            None => None,
        };
        let name = crate::room::read_name(request.name.as_deref().unwrap_or_default());
        let name = name.map_err(|_| Denial::Invalid("name: 1 to 64 characters".into()))?;
        let language = person.map(|p| p.language.clone()).or_else(|| live.settings().language.clone());
        let language = language.as_deref().and_then(crate::call::speech::Language::parse);
        Ok(Wish {
            room: Some(room),
            participant: request.participant,
            page: request.participant,
            to,
            number,
            extension,
            name: person.and_then(|p| p.name.clone()).or(name),
            by: CallbackBy::Api,
            press_one: self.wants_key(extension, request.press_one),
            language: language.unwrap_or_else(|| self.settings.language.clone()),
            role: person.map_or(Role::Guest, |p| p.role),
            did: None,
            after: None,
            kept: None,
        })
    }

    /// Whoever is rung, as dialled; the number, where it is one; the extension, where it is one of the house.
    pub(super) fn whom_to_call(
        &self,
        request: &CallbackRequest,
    ) -> Result<(Secret, Option<PhoneNumber>, Option<crate::base::ExtensionId>), String> {
        let (dialled, inside) = match (&request.number, &request.extension) {
            (Some(number), None) => (number.trim(), false),
            (None, Some(user)) => (user.trim(), true),
            (Some(_), Some(_)) | (None, None) => return Err("give either `number` or `extension`".into()),
        };
        let by_user = self.table.extensions.by_user(dialled).filter(|of| of.enabled).map(|of| of.id);
        if inside {
            let id = by_user.ok_or("there is no such extension")?;
            return Ok((Secret::new(dialled), None, Some(id)));
        }
        // As people write numbers.
        let plain: String = dialled.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '/' | '(' | ')')).collect();
        let digits = plain.strip_prefix('+').unwrap_or(&plain);
        if digits.is_empty() || digits.len() > 32 || !digits.chars().all(|c| c.is_ascii_digit()) {
            return Err("`number` is no telephone number: write such as +4930901820, or 204".into());
        }
        let outward = Destination::Trunk { trunks: self.table.outward(), strip: 0, prefix: String::new() };
        let number = match self.table.dialled(&plain, &self.table.home.numbers, &outward) {
            Some(Dialled::Number(number)) => Some(number),
            Some(Dialled::Short(_) | Dialled::Emergency(_)) | None => None,
        };
        let by_number = self.table.extensions.values().find(|of| of.enabled && number.is_some() && of.number == number);
        let extension = by_user.or(by_number.map(|of| of.id));
        Ok((Secret::new(plain), number, extension))
    }

    /// Whether a key is wanted of whoever answers: but for an owner of the house who lets their telephones answer by
    /// themselves, and asked for it.
    fn wants_key(&self, extension: Option<crate::base::ExtensionId>, asked: Option<bool>) -> bool {
        let opted_in = extension.and_then(|id| self.table.extensions.get(&id)).is_some_and(|of| of.auto_answer);
        asked.unwrap_or(true) || !opted_in
    }

    /// Begins a callback, or says why not.
    pub(super) fn begin_callback(&mut self, wish: Wish, now: Now) -> Result<CallbackId, Failure> {
        let id = wish.kept.as_ref().map_or_else(|| CallbackId::draw(&mut self.rng), |kept| kept.id);
        self.may_call_back(&wish, now)?;
        let waits = wish.after.is_some() || wish.kept.is_some();
        let ways = self.callback_ways(&wish, now);
        // Hosts, trunks and telephones come and go: what waits is looked at again in its time.
        let ways = match ways {
            Ok(ways) => ways,
            Err(Failure::NoHost | Failure::Unreachable) if waits => Vec::new(),
            Err(why) => return Err(why),
        };
        let counted = wish.kept.is_none();
        if counted {
            self.count_callback(&wish, now)?;
        }
        let plan = Plan { ways: ways.len(), press_one: wish.press_one, waits };
        let machine = Callback::begin(plan, now);
        let live = Live {
            machine,
            wish,
            ways,
            ring: None,
            leg: None,
            stopping: std::collections::BTreeSet::new(),
            claiming: false,
            counted,
        };
        self.callbacks.live.insert(id, live);
        self.carry_callback(id, now);
        Ok(id)
    }

    fn may_call_back(&mut self, wish: &Wish, now: Now) -> Result<(), Failure> {
        if !self.settings.callback.allowed {
            return Err(Failure::NotAllowed);
        }
        if self.drain.is_some() || self.callbacks.live.len() >= MOST {
            return Err(Failure::Ours);
        }
        if self.was_declined(wish, now) { Err(Failure::TooFrequent) } else { Ok(()) }
    }

    /// Counts one callback against how often they may be.
    pub(super) fn count_callback(&mut self, wish: &Wish, now: Now) -> Result<(), Failure> {
        let too_often = |_| Failure::TooFrequent;
        if let Some(room) = wish.room {
            self.callbacks.rooms.take(&room, now.mono).map_err(too_often)?;
        }
        if let Some(person) = person_of(wish) {
            self.callbacks.people.take(&person, now.mono).map_err(too_often)?;
        }
        self.callbacks.numbers.take(&destination(wish), now.mono).map_err(too_often)
    }

    pub(super) fn was_declined(&self, wish: &Wish, now: Now) -> bool {
        let when = self.callbacks.declined.get(&destination(wish));
        when.is_some_and(|at| now.mono.since(*at) < LEFT_ALONE)
    }

    /// Whoever was rung wants no such call.
    pub(super) fn note_declined(&mut self, id: CallbackId, now: Now) {
        let Some(to) = self.callbacks.live.get(&id).map(|live| destination(&live.wish)) else { return };
        let declined = &mut self.callbacks.declined;
        if declined.len() >= MOST_DECLINED {
            declined.retain(|_, at| now.mono.since(*at) < LEFT_ALONE);
        }
        if declined.len() < MOST_DECLINED {
            declined.insert(to, now.mono);
        }
    }

    /// What is under way for somebody.
    pub(super) fn callback_of(&self, participant: ParticipantId) -> Option<CallbackId> {
        let is_theirs = |live: &Live| live.wish.participant == Some(participant) && !live.machine.state().0.is_over();
        self.callbacks.live.iter().find(|(_, live)| is_theirs(live)).map(|(id, _)| *id)
    }

    /// The one that is under way for somebody's place, as shown.
    pub(in crate::gateway) fn callback_of_place(&self, participant: ParticipantId) -> Option<CallbackView> {
        self.callback_of(participant).and_then(|id| self.callback_view(id))
    }

    /// A callback as shown.
    pub(in crate::gateway) fn callback_view(&self, id: CallbackId) -> Option<CallbackView> {
        let live = self.callbacks.live.get(&id)?;
        let (state, failure) = live.machine.state();
        Some(CallbackView {
            id,
            room: live.wish.room,
            participant: live.wish.participant,
            to: self.shown_target(&live.wish),
            name: live.wish.name.clone(),
            by: live.wish.by,
            state,
            failure,
            call: live.leg,
            at: live.wish.kept.as_ref().map(|kept| kept.at.to_string()),
        })
    }

    /// Every callback, and those that were over lately.
    pub(in crate::gateway) fn callback_views(&self) -> Vec<CallbackView> {
        self.callbacks.live.keys().filter_map(|id| self.callback_view(*id)).collect()
    }

    /// Takes a callback back.
    pub(in crate::gateway) fn cancel_callback(&mut self, id: CallbackId, now: Now) -> Outcome {
        let live = self.callbacks.live.get(&id).ok_or(Denial::NotFound("callback"))?;
        if live.machine.state().0.is_over() {
            return Err(Denial::Conflict("this callback is over".into()));
        }
        self.callback(id, Input::Cancel, now);
        Ok(Reply::Done)
    }

    /// Who is rung, as others may see it.
    pub(super) fn shown_target(&self, wish: &Wish) -> String {
        let extension = wish.extension.and_then(|id| self.table.extensions.get(&id));
        match (extension, &wish.number) {
            (Some(of), _) => of.user.clone(),
            (None, Some(number)) => number.masked(),
            (None, None) => crate::base::phone_number::masked_dialled(wish.to.expose()),
        }
    }

    /// Who called on a leg, as somebody to be called back.
    pub(super) fn caller_to_call(
        &self,
        leg: LegId,
    ) -> Option<(Secret, Option<PhoneNumber>, Option<crate::base::ExtensionId>)> {
        let record = self.legs.get(&leg)?;
        match record.party {
            Party::Extension(id) => {
                let of = self.table.extensions.get(&id)?;
                Some((Secret::new(of.user.clone()), None, Some(id)))
            }
            Party::Trunk(_) => {
                let number = record.caller.clone()?;
                Some((Secret::new(number.e164()), Some(number), None))
            }
        }
    }
}

/// Under what a destination is counted.
fn destination(wish: &Wish) -> String {
    match (wish.extension, &wish.number) {
        (Some(extension), _) => extension.to_string(),
        (None, Some(number)) => number.e164(),
        (None, None) => wish.to.expose().to_owned(),
    }
}

fn person_of(wish: &Wish) -> Option<String> {
    let participant = wish.participant.filter(|_| wish.by == CallbackBy::Page)?;
    Some(participant.to_string())
}
