//! By which ways a callback goes: telephones of the house, call managers, a carrier.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::base::id::{CallbackId, TrunkId};
use crate::base::phone_number::NumberPlan;
use crate::base::{Cause, Now, PhoneNumber, RoomId};
use crate::callback::{End, Failure, Input};
use crate::gateway::Gateway;
use crate::gateway::callback::view::CallbackBy;
use crate::gateway::callback::{Way, Wish};
use crate::gateway::calls::CallPlan;
use crate::gateway::fetch::{FetchError, FetchId, FetchRequest, Post};
use crate::gateway::identity::Caller;
use crate::gateway::ringing::Step;
use crate::gateway::seating::SeatFor;
use crate::gateway::webhook::sign;
use crate::room::{Role, State};
use crate::route::emergency::may_be_help;
use crate::route::{Called, Destination, Dialled, Did, Trunk, premium, toll};
use crate::sip::dialog::MAX_FORWARDS;
use crate::sip::endpoint::Headers;
use crate::wire::sip::Uri;

/// How long a directory has. Longer: the person waits without a sound. Shorter: one far away is never asked in time.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// Longest answer of a directory.
const LONGEST_ANSWER: usize = 4 * 1024;

/// What a directory is asked.
#[derive(Debug, Serialize)]
struct Question<'a> {
    version: u8,
    callback: CallbackId,
    room: Option<RoomId>,
    number: &'a str,
}

/// What it answers.
#[derive(Debug, Deserialize)]
struct Answer {
    uri: String,
}

impl Gateway {
    /// By which ways a callback goes, the nearest first; or why by none.
    pub(super) fn callback_ways(&self, wish: &Wish, now: Now) -> Result<Vec<Way>, Failure> {
        if let Some(extension) = wish.extension {
            return Ok(vec![Way::House(extension)]);
        }
        let dialled = wish.to.expose();
        if may_be_help(dialled, self.plans()) {
            return Err(Failure::NotAllowed);
        }
        if self.leads_back(dialled) {
            return Err(Failure::Loop);
        }
        let mut ways = Vec::new();
        let mut tried = Vec::new();
        let managers = self.table.trunks.values().filter(|trunk| is_manager(trunk, dialled, wish.number.as_ref()));
        for trunk in managers {
            let to = by(trunk.id);
            match self.table.dialled(dialled, &trunk.numbers, &to) {
                Some(dialled) if dialled.is_emergency() => return Err(Failure::NotAllowed),
                Some(dialled) => {
                    tried.push(trunk.id);
                    ways.push(Way::Manager(trunk.id, dialled));
                }
                None => {}
            }
        }
        let outside = self.callback_outside(wish, now);
        if let Ok(Way::House(extension)) = outside {
            return Ok(vec![Way::House(extension)]);
        }
        let wants_outside = ways.is_empty() || self.settings.callback.pstn_fallback;
        match outside {
            Ok(way) if wants_outside => {
                ways.extend(beyond(way, &tried));
                Ok(ways)
            }
            Err(why) if ways.is_empty() => Err(why),
            Ok(_) | Err(_) => Ok(ways),
        }
    }

    /// Where the ordinary rules lead.
    fn callback_outside(&self, wish: &Wish, now: Now) -> Result<Way, Failure> {
        let led = self.lead_operator(wish.to.expose(), None, now);
        match led {
            Ok((Destination::Extension { extension }, _)) => Ok(Way::House(extension)),
            Ok((to @ Destination::Trunk { .. }, Some(dialled))) if !dialled.is_emergency() => {
                let home = self.table.home_country(&to);
                if toll::may_call(&self.settings.operator_limits, &dialled, home.as_deref()).is_err() {
                    return Err(too_dear(wish.number.as_ref()));
                }
                match &dialled {
                    // A rule took a prefix off.
                    Dialled::Number(number) if self.is_ours(number) => Err(Failure::Loop),
                    _ if self.lacks_host(wish) => Err(Failure::NoHost),
                    _ => Ok(Way::Pstn(to, dialled)),
                }
            }
            Ok((Destination::Trunk { .. } | Destination::Refuse { .. }, _)) => Err(Failure::NotAllowed),
            // A number of ours: whoever is rung would be us.
            Ok(_) => Err(Failure::Loop),
            Err(Cause::NotAllowed | Cause::LimitReached) => Err(too_dear(wish.number.as_ref())),
            Err(Cause::Throttled) => Err(Failure::TooFrequent),
            Err(_) => Err(Failure::Unreachable),
        }
    }

    /// How numbers are written here: by people of the house, and by trunks.
    fn plans(&self) -> impl Iterator<Item = &NumberPlan> {
        std::iter::once(&self.table.home.numbers).chain(self.table.trunks.values().map(|trunk| &trunk.numbers))
    }

    /// Whether this, however it is written, is a number of ours that a meeting or the attendant answers; or what we are
    /// registered as with a call manager, which would call us.
    fn leads_back(&self, dialled: &str) -> bool {
        let mut read = self.plans().filter_map(|plan| PhoneNumber::normalise(dialled, plan));
        let registered = |trunk: &Trunk| {
            let aor = trunk.outbound.as_ref().and_then(|out| out.register.as_ref()).map(|register| &register.aor);
            trunk.callback.is_some()
                && aor.is_some_and(|aor| Uri::parse(aor).is_ok_and(|aor| aor.user() == Some(dialled)))
        };
        read.any(|number| self.is_ours(&number)) || self.table.trunks.values().any(registered)
    }

    /// Whether a meeting or the attendant answers this number of ours.
    fn is_ours(&self, number: &PhoneNumber) -> bool {
        let answers = |to: &Destination| matches!(to, Destination::Attendant {} | Destination::Room { .. });
        let is_it = |did: &Did| matches!(&did.called, Called::Number(ours) if ours == number) && answers(&did.action);
        self.table.dids.values().any(is_it)
    }

    fn lacks_host(&self, wish: &Wish) -> bool {
        let asked = self.settings.callback.needs_host && wish.by == CallbackBy::Page;
        let live = wish.room.and_then(|room| self.rooms.get(&room));
        asked
            && live.is_some_and(|live| {
                !live.settings().call && !live.participants().any(|p| p.role == Role::Host && p.state == State::Active)
            })
    }

    /// Rings by a way.
    pub(super) fn ring_way(&mut self, id: CallbackId, way: usize, now: Now) {
        let found = self.callbacks.live.get(&id).and_then(|live| live.ways.get(way).cloned());
        let Some(way) = found else { return self.callback(id, Input::Forbid(Failure::Ours), now) };
        if let Way::Manager(trunk, _) = &way
            && self.ask_directory(id, *trunk, now)
        {
            return;
        }
        self.ring_way_at(id, way, None, now);
    }

    /// Rings by a way; by a call manager where its directory says.
    fn ring_way_at(&mut self, id: CallbackId, way: Way, place: Option<Uri>, now: Now) {
        let Some(live) = self.callbacks.live.get(&id) else { return };
        let name = live.wish.room.and_then(|room| self.rooms.get(&room)).map(|room| room.settings().name.clone());
        let by_hand = live.wish.press_one;
        let (to, dialled, steps) = match way {
            Way::House(extension) => (Destination::Extension { extension }, None, None),
            Way::Manager(trunk, dialled) => {
                let step = place.map_or(Step::Trunk(trunk), |uri| Step::Redirected(trunk, uri));
                (by(trunk), Some(dialled), Some([step].into()))
            }
            Way::Pstn(to, dialled) => (to, Some(dialled), None),
        };
        let manager = steps.is_some();
        let plan = CallPlan {
            party: None,
            to,
            dialled,
            caller: Caller { name, ..Caller::default() },
            headers: Headers::new(),
            seconds: None,
            auto_answer: !by_hand,
            language: live.wish.language.clone(),
            max_forwards: MAX_FORWARDS,
            name: None,
        };
        let admitted = if manager { self.admit_manager() } else { self.admit_ring(&plan, now) };
        let rung = admitted.and_then(|()| self.ring_seat(plan, steps, SeatFor::Callback(id), now));
        match rung {
            Ok(ring) if self.rings.contains_key(&ring) => {
                if let Some(live) = self.callbacks.live.get_mut(&id) {
                    live.ring = Some(ring);
                }
            }
            // It is told already.
            Ok(_) => {}
            Err(cause) => self.callback(id, Input::Unreached(End { cause, status: None, rang: false }), now),
        }
    }

    /// A call manager's own numbers cost nothing: that its operator names it is the right to call there.
    fn admit_manager(&self) -> Result<(), Cause> {
        if self.drain.is_some() { Err(Cause::Draining) } else { Ok(()) }
    }

    /// Asks a call manager's directory where a telephone is. False: it has none.
    fn ask_directory(&mut self, id: CallbackId, trunk: TrunkId, now: Now) -> bool {
        let of = self.table.trunks.get(&trunk).and_then(|trunk| trunk.callback.as_ref());
        let Some(directory) = of.and_then(|of| of.directory.clone()) else { return false };
        let Some(live) = self.callbacks.live.get(&id) else { return false };
        let number = live.wish.number.as_ref().map(PhoneNumber::e164);
        let number = number.as_deref().unwrap_or(live.wish.to.expose());
        let question = Question { version: 1, callback: id, room: live.wish.room, number };
        let Ok(body) = serde_json::to_vec(&question) else { return false };
        let signature = directory.secret.as_ref().map(|secret| sign(secret, &body, now.utc));
        let post = Some(Post { body: Bytes::from(body), signature });
        let fetch =
            self.fetch(FetchRequest { url: directory.url, post, deadline: PATIENCE, most: LONGEST_ANSWER }, now);
        self.callbacks.asking.insert(fetch, id);
        true
    }

    /// A directory answered, or did not. False: it was none.
    pub(in crate::gateway) fn directory_answered(
        &mut self,
        fetch: FetchId,
        result: &Result<Bytes, FetchError>,
        now: Now,
    ) -> bool {
        let Some(id) = self.callbacks.asking.remove(&fetch) else { return false };
        let Some(live) = self.callbacks.live.get(&id).filter(|live| !live.machine.state().0.is_over()) else {
            return true;
        };
        if live.machine.state().0 == crate::callback::State::Canceling {
            self.callback(id, Input::Silent, now);
            return true;
        }
        let uri = result.as_ref().ok().and_then(|body| serde_json::from_slice::<Answer>(body).ok());
        let uri = uri.and_then(|answer| Uri::parse(&answer.uri).ok()).filter(|uri| uri.host().is_some());
        let way = live.ways.iter().find(|way| matches!(way, Way::Manager(..))).cloned();
        match (way, uri) {
            (Some(way), Some(uri)) => self.ring_way_at(id, way, Some(uri), now),
            // It does not know the telephone, or is not there: what follows is what follows on a network that fails.
            (_, _) => {
                let end = End { cause: Cause::TransportFailed, status: None, rang: false };
                self.callback(id, Input::Unreached(end), now);
            }
        }
        true
    }
}

/// A way out without the call managers that were tried already; none where nothing is left of it.
fn beyond(way: Way, tried: &[TrunkId]) -> Option<Way> {
    match way {
        Way::Pstn(Destination::Trunk { trunks, strip, prefix }, dialled) => {
            let trunks: Vec<TrunkId> = trunks.into_iter().filter(|trunk| !tried.contains(trunk)).collect();
            (!trunks.is_empty()).then_some(Way::Pstn(Destination::Trunk { trunks, strip, prefix }, dialled))
        }
        other => Some(other),
    }
}

fn by(trunk: TrunkId) -> Destination {
    Destination::Trunk { trunks: vec![trunk], strip: 0, prefix: String::new() }
}

/// Whether a trunk is a call manager that has this telephone.
fn is_manager(trunk: &Trunk, dialled: &str, number: Option<&PhoneNumber>) -> bool {
    let Some(of) = trunk.callback.as_ref().filter(|_| trunk.enabled && trunk.outbound.is_some()) else { return false };
    let whole = number.map(PhoneNumber::e164);
    let is_its = |begins: &String| {
        dialled.starts_with(begins.as_str()) || whole.as_ref().is_some_and(|whole| whole.starts_with(begins.as_str()))
    };
    of.numbers.iter().any(is_its)
}

fn too_dear(number: Option<&PhoneNumber>) -> Failure {
    match number.and_then(premium::risk) {
        Some(_) => Failure::HighRate,
        None => Failure::NotAllowed,
    }
}
