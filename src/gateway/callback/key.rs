//! "Call me back at this number": a caller presses a key, hangs up, and is rung.

use std::time::Duration;

use crate::base::{LegId, Now};
use crate::call::speech::Prompt;
use crate::callback::{Failure, Input};
use crate::gateway::callback::Wish;
use crate::gateway::callback::view::CallbackBy;
use crate::gateway::leg::Stage;
use crate::gateway::{Gateway, Timer};
use crate::room::Role;
use crate::route::Party;

/// After the caller hung up, until they are rung. Longer: they put the telephone away. Shorter: it is busy with hanging up.
const PAUSE: Duration = Duration::from_secs(3);

impl Gateway {
    /// A caller in a meeting, or at the attendant, wants to be called back at the number they call from.
    pub(in crate::gateway) fn call_back_by_key(&mut self, leg: LegId, now: Now) {
        let known =
            self.callbacks.live.values().any(|live| live.wish.after == Some(leg) && !live.machine.state().0.is_over());
        if known {
            return self.say_prompt(leg, Prompt::CallbackReady);
        }
        let asked = self.key_wish(leg).filter(|_| self.settings.callback.by_key);
        // Who is in a meeting knew its PIN; at the attendant a caller may be anybody, and call as anybody.
        let asked = asked.filter(|wish| wish.room.is_some() || self.may_ask_at_the_door(leg, now));
        match asked.map(|wish| self.begin_callback(wish, now)) {
            Some(Ok(_)) => self.say_prompt(leg, Prompt::CallbackReady),
            Some(Err(_)) | None => self.say_prompt(leg, Prompt::NotAvailable),
        }
    }

    /// Whether one more from where this call comes from may ask: of a trunk as of a telephone, whatever number it shows.
    fn may_ask_at_the_door(&mut self, leg: LegId, now: Now) -> bool {
        let Some(record) = self.legs.get(&leg) else { return false };
        let source = match record.party {
            Party::Trunk(id) => id.to_string(),
            Party::Extension(id) => id.to_string(),
        };
        self.callbacks.sources.take(&source, now.mono).is_ok()
    }

    fn key_wish(&self, leg: LegId) -> Option<Wish> {
        let record = self.legs.get(&leg).filter(|record| !record.help)?;
        let (to, number, extension) = self.caller_to_call(leg)?;
        let place = match record.stage {
            Stage::InRoom { room, participant, .. } => Some((room, participant)),
            Stage::Attendant { .. } => None,
            _ => return None,
        };
        let person = place.and_then(|(room, id)| {
            let live = self.rooms.get(&room).filter(|live| !live.settings().call)?;
            live.participant(id)
        });
        if place.is_some() && person.is_none() {
            return None;
        }
        // A page stays in the seat when its telephone hangs up; who has none comes anew.
        let stays = place.map(|(_, id)| id);
        Some(Wish {
            room: place.map(|(room, _)| room),
            participant: stays,
            page: stays,
            to,
            number: number.or_else(|| record.caller.clone()),
            extension,
            name: person.and_then(|p| p.name.clone()),
            by: CallbackBy::Key,
            press_one: true,
            language: record.language.clone(),
            role: person.map_or(Role::Guest, |p| p.role),
            did: record.did,
            after: Some(leg),
            kept: None,
        })
    }

    /// A caller at the attendant presses `*`; twice running it is the wish to be called back. True: it was the second.
    pub(in crate::gateway) fn star_at_attendant(&mut self, leg: LegId, digit: char) -> bool {
        if digit != '*' {
            self.callbacks.starred.remove(&leg);
            return false;
        }
        if self.callbacks.starred.remove(&leg) {
            return true;
        }
        self.callbacks.starred.insert(leg);
        false
    }

    /// A caller hung up who is to be called back.
    pub(super) fn callback_after(&mut self, leg: LegId, now: Now) {
        let waits = self.callbacks.live.iter_mut().find(|(_, live)| live.wish.after == Some(leg));
        let Some((id, live)) = waits else { return };
        live.wish.after = None;
        self.timers.arm(Timer::CallbackWaits(*id), now.mono + PAUSE);
    }

    /// It is time to ring, with the ways that there are now.
    pub(super) fn callback_begins(&mut self, id: crate::base::id::CallbackId, now: Now) {
        let Some(wish) = self.callbacks.live.get(&id).map(|live| live.wish.clone()) else { return };
        let counted = self.callbacks.live.get(&id).is_some_and(|live| live.counted);
        let may = match counted {
            // They may have said no to another one meanwhile.
            _ if self.was_declined(&wish, now) => Err(Failure::TooFrequent),
            true => Ok(()),
            false => self.count_callback(&wish, now),
        };
        match may.and_then(|()| self.callback_ways(&wish, now)) {
            Ok(ways) => {
                if let Some(live) = self.callbacks.live.get_mut(&id) {
                    live.counted = true;
                    live.machine.set_ways(ways.len());
                    live.ways = ways;
                }
                self.callback(id, Input::Begin, now);
            }
            Err(why) => self.callback(id, Input::Forbid(why), now),
        }
    }
}
