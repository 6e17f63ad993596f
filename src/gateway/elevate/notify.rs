//! The first rung: browsers of the person, which took notifications upon an earlier elevation.

use std::net::IpAddr;

use crate::base::id::ElevationId;
use crate::base::throttle::network;
use crate::base::{Now, Secret};
use crate::elevation::push::{PushOrder, PushOutcome};
use crate::elevation::{Asker, Input};
use crate::gateway::command::{Denial, Outcome, Reply};
use crate::gateway::elevate::Live;
use crate::gateway::elevate::view::Shut;
use crate::gateway::pin_guard::Trier;
use crate::gateway::{Gateway, Output as Order};
use crate::media::clip::{Clip, Tone};
use crate::ticket::Hash;

impl Gateway {
    /// Has the person's browsers told.
    pub(super) fn notify(&mut self, id: ElevationId, now: Now) {
        let Some(live) = self.elevations.live.get(&id) else { return };
        let to = live.machine.plan().text.as_ref().map(|text| text.to.clone());
        let Some(to) = to else { return self.notified(id, PushOutcome::Nobody, now) };
        let room = self.rooms.get(&live.room).map(|room| room.settings().name.clone()).unwrap_or_default();
        let order = PushOrder { elevation: id, to, link: live.link.clone(), room };
        self.outputs.push_back(Order::Push(Box::new(order)));
    }

    /// Deals with what came of a notification.
    pub(in crate::gateway) fn notified(&mut self, id: ElevationId, outcome: PushOutcome, now: Now) {
        let input = match outcome {
            PushOutcome::Taken => {
                let Some(live) = self.elevations.live.get_mut(&id) else { return };
                live.pushed = true;
                // Whoever pressed the key hears that something is on its way; the words for a text would not be true.
                let (leg, by_key) = (live.leg, live.by == Asker::Key);
                if by_key && !live.machine.was_bound() && !live.machine.is_over() {
                    self.say(leg, [Clip::Tone(Tone::Done)]);
                }
                Input::Pushed
            }
            PushOutcome::Nobody => Input::PushFailed(None),
            PushOutcome::Failed(why) => Input::PushFailed(Some(why)),
        };
        self.elevation(id, input, now);
    }

    /// Whose telephone number the browser has that shows this: for its notifications the next time.
    pub(in crate::gateway) fn number_of_holder(&mut self, holder: &Secret, from: IpAddr, now: Now) -> Outcome {
        let from = network(from);
        let trier = Trier { place: None, who: Some(from), key: from.to_string() };
        if !self.elevations.guard.may_try(&trier, now.mono) {
            return Err(Denial::Shut(Shut::TooManyAttempts(self.settings.pin_refill.as_secs().max(1))));
        }
        let hash = Some(Hash::of(holder.expose()));
        let mut all = self.elevations.live.values();
        match all.find(|live| live.holder == hash && live.over.is_none()) {
            None => {
                self.elevations.guard.note_wrong(&trier, now.mono);
                Err(Denial::Shut(Shut::Unknown))
            }
            Some(live) if live.owns_number => {
                let number = live.machine.plan().text.as_ref().map(|text| text.to.clone());
                number.map(Reply::Telephone).ok_or(Denial::Shut(Shut::NotProved))
            }
            Some(_) => Err(Denial::Shut(Shut::NotProved)),
        }
    }
}

impl Live {
    /// Whether whoever has the link read it in a text to the number: what is said, shown to others, or sent to a browser that
    /// was known before, proves nothing of the number, for a caller's number can be forged and gets other owners.
    pub(super) fn link_proves_number(&self) -> bool {
        self.texted && !self.pushed && !self.link_shown
    }
}
