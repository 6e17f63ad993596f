//! Callbacks at a set time. The store has them; one rings only after the store has said that it did not before, so that
//! no restart rings twice.

use std::time::Duration;

use crate::base::id::{CallbackId, ExtensionId};
use crate::base::{Instant, Now, RoomId};
use crate::callback::schedule::{Due, due};
use crate::callback::{Failure, Input, State};
use crate::gateway::callback::Wish;
use crate::gateway::callback::view::{CallbackBy, CallbackRequest, Kept};
use crate::gateway::command::{Denial, Outcome, Reply};
use crate::gateway::event::Happening;
use crate::gateway::{Gateway, Output, Timer};
use crate::route::{Hours, Span, Zone};

/// How often it is looked whether a telephone came back. More: looks for nothing. Less: it rings later than it could.
const COMES_BACK: Duration = Duration::from_secs(5);

/// How far ahead one may be.
const FARTHEST: i64 = 366 * 86_400_000;

impl Gateway {
    /// What is to be kept of a callback at a set time; whoever asks keeps it, and hands it in.
    pub(in crate::gateway) fn plan_callback(&mut self, room: RoomId, request: &CallbackRequest, now: Now) -> Outcome {
        let wish = self.callback_wish(room, request)?;
        if request.participant.is_some() {
            return Err(Denial::Invalid("participant: whoever is called at a set time joins anew".into()));
        }
        if !self.settings.callback.allowed {
            return Err(Denial::NotCalledBack(Failure::NotAllowed));
        }
        match self.callback_ways(&wish, now) {
            Ok(_) | Err(Failure::NoHost | Failure::Unreachable) => {}
            Err(why) => return Err(Denial::NotCalledBack(why)),
        }
        let zone: Zone = request.time_zone.as_deref().unwrap_or_default().parse().map_err(Denial::Invalid)?;
        let wrong =
            || Denial::Invalid("at: write such as 2026-11-23T09:00:00, not past and at most a year ahead".into());
        let at = request.at.as_deref().and_then(|at| zone.moment(at)).ok_or_else(wrong)?;
        if at < now.utc || at.0.saturating_sub(now.utc.0) > FARTHEST {
            return Err(wrong());
        }
        let times: Result<Vec<Span>, String> = request.quiet.iter().map(|span| span.parse()).collect();
        let times = times.map_err(Denial::Invalid)?;
        let quiet = (!times.is_empty()).then(|| Hours { zone, times, ..Hours::default() });
        let id = CallbackId::draw(&mut self.rng);
        let Wish { to, name, press_one, .. } = wish;
        Ok(Reply::CallbackPlan(Box::new(Kept { id, room, to, name, press_one, at, quiet })))
    }

    /// A callback that is kept was made, or was there at the start; `claimed`: the store had said already that it rings.
    pub(in crate::gateway) fn put_callback(&mut self, kept: Kept, claimed: bool, now: Now) -> Outcome {
        let id = kept.id;
        let request = CallbackRequest { number: Some(kept.to.expose().to_owned()), ..CallbackRequest::default() };
        let named = self.whom_to_call(&request).or_else(|_| {
            let extension = request.number.clone();
            self.whom_to_call(&CallbackRequest { extension, ..CallbackRequest::default() })
        });
        let live = self.rooms.get(&kept.room);
        let language = live.and_then(|live| live.settings().language.clone());
        let language = language.as_deref().and_then(crate::call::speech::Language::parse);
        let (to, number, extension) = named.unwrap_or((kept.to.clone(), None, None));
        let wish = Wish {
            room: Some(kept.room),
            participant: None,
            page: None,
            to,
            number,
            extension,
            name: kept.name.clone(),
            by: CallbackBy::Api,
            press_one: kept.press_one,
            language: language.unwrap_or_else(|| self.settings.language.clone()),
            role: crate::room::Role::Guest,
            did: None,
            after: None,
            kept: Some(kept),
        };
        let begun = self.begin_callback(wish.clone(), now);
        if claimed {
            // It may have rung when the node died: nobody can say, so it does not ring again.
            self.callback(id, Input::Forbid(Failure::Ours), now);
        }
        match begun {
            Ok(_) => {
                self.callback_waits(id, now);
                self.callback_view(id).map(|view| Reply::Callback(Box::new(view))).ok_or(Denial::NotFound("callback"))
            }
            Err(why) => {
                // Whoever planned it waits for it: it does not vanish unsaid.
                let why = if claimed { Failure::Ours } else { why };
                let step = self.callback_step(id, &wish, State::Failed, Some(why));
                self.publish(Happening::Callback(Box::new(step)), now);
                self.outputs.push_back(Output::Unplan { callback: id });
                Err(Denial::NotCalledBack(why))
            }
        }
    }

    /// One that waits is looked at.
    pub(in crate::gateway) fn callback_waits(&mut self, id: CallbackId, now: Now) {
        let Some(live) = self.callbacks.live.get_mut(&id) else { return };
        if live.machine.state().0 != State::None || live.claiming {
            return;
        }
        let telephone = live.wish.extension;
        let Some(kept) = &live.wish.kept else { return self.callback_begins(id, now) };
        match due(kept.at, kept.quiet.as_ref(), now.utc) {
            Due::In(wait) => self.timers.arm(Timer::CallbackWaits(id), now.mono + wait),
            Due::Missed => self.callback(id, Input::Missed, now),
            Due::Now if telephone.is_some_and(|whose| self.may_come_back(whose, now)) => {
                self.timers.arm(Timer::CallbackWaits(id), now.mono + COMES_BACK);
            }
            Due::Now => {
                if let Some(live) = self.callbacks.live.get_mut(&id) {
                    live.claiming = true;
                }
                self.outputs.push_back(Output::Claim { callback: id });
            }
        }
    }

    /// A person's telephones are registered with the node that ran before this one: until the longest registration is over they
    /// come back by themselves.
    fn may_come_back(&self, whose: ExtensionId, now: Now) -> bool {
        self.telephones(whose).is_empty() && now.mono.since(Instant::START) < self.settings.registrar.max_expires
    }

    /// The store said whether one is to ring.
    pub(in crate::gateway) fn callback_claimed(&mut self, id: CallbackId, granted: bool, now: Now) {
        if granted {
            self.callback_begins(id, now);
        } else {
            self.callback(id, Input::Forbid(Failure::Ours), now);
        }
    }
}
