//! Pictures among the browsers of a room: whose packet goes to whom, which layer each viewer is sent, and who is asked for a
//! keyframe.

use crate::base::{Instant, LegId};
use crate::media::web::{Shown, Source, WebEvent, Wish};
use crate::webrtc::hub::Hub;
use crate::webrtc::layers::{self, Want};
use crate::webrtc::peer::{FIRST_ESTIMATE, Picture, Showed};
use crate::webrtc::track::Origin;

/// What is kept free for voices, in bits per second: four of them, with all that is around them. More: pictures are coarse
/// on thin lines. Less: voices stutter there.
const VOICES: u64 = 180_000;
/// So long after something was made smaller for want of room nothing is made larger. Longer: it stays coarse. Shorter: where the
/// estimate wavers the picture pumps, with a keyframe each time.
const CALM: std::time::Duration = std::time::Duration::from_secs(4);
/// What is looked for changes by at least so many percent before str0m is told. Less: it is told at every tick.
const WORTH_TELLING: u64 = 10;

impl Hub {
    /// A packet of somebody's picture goes to all who watch it.
    pub(super) fn forward(&mut self, id: LegId, picture: &Picture, now: Instant) {
        let Some(leg) = self.legs.get(&id) else { return };
        let Some((room, participant)) = leg.seat.filter(|_| leg.permits(picture.source)) else { return };
        if self.rooms.seat(room, participant) != Some(id) {
            return;
        }
        let origin = Origin { leg: id, source: picture.source, layer: picture.layer };
        let viewers = self.rooms.viewers(room, participant, picture.source).len();
        let mut ask = false;
        for index in 0..viewers {
            let viewer = self.rooms.viewers(room, participant, picture.source).get(index).copied();
            let Some((viewer, slot)) = viewer else { break };
            let peer = self.legs.get_mut(&viewer).and_then(|leg| leg.peer.as_deref_mut());
            let Some(peer) = peer.filter(|_| viewer != id) else { continue };
            match peer.show(slot, origin, picture, now) {
                Showed::Nothing => {}
                Showed::AskAgain => ask = true,
                showed @ (Showed::Sent | Showed::Switched) => {
                    self.counts.pictures += 1;
                    self.soil(viewer);
                    if showed == Showed::Switched {
                        self.tell_shown(viewer);
                    }
                }
            }
        }
        if ask {
            self.want_keyframe(origin, now);
        }
    }

    /// A viewer cannot decode what it is sent in a slot.
    pub(super) fn restore(&mut self, id: LegId, slot: u8, now: Instant) {
        let peer = self.legs.get_mut(&id).and_then(|leg| leg.peer.as_deref_mut());
        let track = peer.and_then(|peer| peer.track(slot));
        let origin = track.and_then(|track| track.flows().or(track.aimed()));
        if let Some(origin) = origin {
            self.want_keyframe(origin, now);
        }
    }

    fn want_keyframe(&mut self, origin: Origin, now: Instant) {
        self.counts.keyframes_wanted += 1;
        let peer = self.legs.get_mut(&origin.leg).and_then(|leg| leg.peer.as_deref_mut());
        let Some(peer) = peer else { return };
        if let Some(published) = peer.publishes(origin.source) {
            published.want_keyframe(origin.layer);
        }
        self.ask_for_keyframes(origin.leg, now);
    }

    /// Asks for the keyframes of a leg that are wanted and may be asked for by now; the others when the time has come.
    pub(super) fn ask_for_keyframes(&mut self, id: LegId, now: Instant) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let Some(peer) = leg.peer.as_deref_mut() else { return };
        let asked = peer.ask_for_keyframes(now);
        if let Some(next) = peer.published.iter().filter_map(|published| published.next_ask()).min() {
            leg.tick = leg.tick.min(next);
        }
        if asked {
            self.soil(id);
        }
        self.arm(id, now);
    }

    /// Chooses what a leg is shown in each slot.
    pub(super) fn plan(&mut self, id: LegId, now: Instant) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let Some(slots) = leg.peer.as_ref().map(|peer| peer.slots()) else { return };
        let estimate = leg.peer.as_ref().and_then(|peer| peer.estimate).unwrap_or(FIRST_ESTIMATE);
        let wishes: Vec<Wish> = leg.wishes.iter().filter(|wish| wish.slot < slots).copied().collect();
        let room = leg.seat.map(|(room, _)| room);
        let mut wanted: Vec<(Wish, LegId, Want)> = Vec::with_capacity(wishes.len());
        for wish in &wishes {
            let seat = room.and_then(|room| self.rooms.seat(room, wish.participant)).filter(|seat| *seat != id);
            let Some(seat) = seat else { continue };
            let Some(layers) = self.facts(seat, wish.source, now) else { continue };
            let own = self.legs.get_mut(&id).and_then(|leg| leg.peer.as_deref_mut());
            let Some(own) = own.filter(|peer| !peer.is_blind(wish.slot, seat)) else { continue };
            let flows = own.track(wish.slot).and_then(|track| track.flows());
            let now = flows.filter(|flow| (flow.leg, flow.source) == (seat, wish.source)).map(|flow| flow.layer);
            wanted.push((*wish, seat, Want { source: wish.source, height: wish.height, layers, now }));
        }
        let budget = estimate.saturating_sub(VOICES).max(estimate / 4);
        let wants: Vec<Want> = wanted.iter().map(|(_, _, want)| want.clone()).collect();
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let plan = layers::plan(&wants, budget, leg.squeezed.is_none_or(|since| now.since(since) >= CALM));
        if plan.squeezed {
            leg.squeezed = Some(now);
        }
        let mut asks = Vec::new();
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let Some(peer) = leg.peer.as_deref_mut() else { return };
        for slot in 0..slots {
            let Some(track) = peer.track(slot) else { continue };
            let chosen = wanted.iter().zip(&plan.layers).find(|((wish, ..), _)| wish.slot == slot);
            match chosen.and_then(|((wish, seat, _), layer)| layer.map(|layer| (*seat, wish.source, layer))) {
                None => {
                    track.stop();
                }
                Some((leg, source, layer)) => {
                    let origin = Origin { leg, source, layer };
                    if track.aim(origin, now) || track.asks_again(now) {
                        asks.push(origin);
                    }
                    peer.open(slot);
                }
            }
        }
        // What is looked for: room for the next step, and for all that is wanted; nothing where that would change nothing.
        let (next, desired) = plan.next.map_or((0, 0), |next| (next + VOICES, plan.desired + VOICES));
        let (next, desired) = (next.saturating_mul(layers::SPARE) / 100, desired.saturating_mul(layers::SPARE) / 100);
        let differs = |a: u64, b: u64| a.abs_diff(b).saturating_mul(100) > a.max(b).saturating_mul(WORTH_TELLING);
        if differs(next, leg.probed.0) || differs(desired, leg.probed.1) {
            leg.probed = (next, desired);
            peer.probe(next, desired);
            self.soil(id);
        }
        for origin in asks {
            self.want_keyframe(origin, now);
        }
        self.tell_shown(id);
    }

    /// What a leg sent has ended: who watched it is shown nothing of it, until it sends again.
    pub(super) fn unshow(&mut self, id: LegId, now: Instant) {
        let Some((room, participant)) = self.legs.get(&id).and_then(|leg| leg.seat) else { return };
        for source in [Source::Camera, Source::Screen] {
            for (viewer, _) in self.rooms.viewers(room, participant, source).to_vec() {
                if let Some(peer) = self.legs.get_mut(&viewer).and_then(|leg| leg.peer.as_deref_mut()) {
                    peer.forget_origin(id);
                }
                self.plan(viewer, now);
            }
        }
    }

    /// The layers of what somebody sends, where the room may have it.
    fn facts(&mut self, id: LegId, source: Source, now: Instant) -> Option<Vec<layers::Layer>> {
        let leg = self.legs.get_mut(&id)?;
        if !leg.permits(source) {
            return None;
        }
        let published = leg.peer.as_deref_mut()?.publishes(source)?;
        published.flows(now).then(|| published.facts(now))
    }

    /// Says what a leg is shown, where that changed.
    fn tell_shown(&mut self, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let Some(peer) = leg.peer.as_deref_mut() else { return };
        let room = leg.seat.map(|(room, _)| room);
        let mut shown = Vec::with_capacity(leg.wishes.len());
        for wish in &leg.wishes {
            let Some(track) = peer.track(wish.slot) else { continue };
            let seat = room.and_then(|room| self.rooms.seat(room, wish.participant));
            let flow = track.flows().filter(|flow| Some(flow.leg) == seat && flow.source == wish.source);
            let layer = flow.map(|flow| flow.layer);
            shown.push(Shown { slot: wish.slot, participant: wish.participant, source: wish.source, layer });
        }
        shown.sort_by_key(|shown| shown.slot);
        if shown != leg.shown {
            leg.shown.clone_from(&shown);
            self.say(WebEvent::Showing { leg: id, slots: shown });
        }
    }

    /// Something of a kind came: said when it is the first.
    pub(super) fn began(&mut self, id: LegId, source: Source) {
        let peer = self.legs.get_mut(&id).and_then(|leg| leg.peer.as_deref_mut());
        let Some(published) = peer.and_then(|peer| peer.publishes(source)) else { return };
        if !std::mem::replace(&mut published.flowing, true) {
            self.say(WebEvent::Flowing { leg: id, source, on: true });
        }
    }

    /// Says what ceased to come.
    pub(super) fn tell_flows(&mut self, id: LegId, now: Instant) {
        let Some(peer) = self.legs.get_mut(&id).and_then(|leg| leg.peer.as_deref_mut()) else { return };
        let mut ended = Vec::new();
        for published in peer.published.iter_mut().filter(|published| published.flowing) {
            if !published.flows(now) {
                published.flowing = false;
                ended.push(published.source);
            }
        }
        for source in ended {
            self.say(WebEvent::Flowing { leg: id, source, on: false });
        }
    }
}
