//! Transfers: one of those who talk hands the call over to somebody else.
//!
//! ```text
//!   their REFER ───────────┬─ names another call of theirs ──▶ attended: the others of both calls talk
//!                          └─ names somebody ─▶ rung into the room ─┬─ answers ──▶ whoever handed over is let go
//!   our command ─┬─────────▲                                       └─ does not ─▶ everybody keeps the call
//!                └─ REFER to the carrier ─┬─ it calls by itself ──▶ both legs end
//!                                         └─ refused ──▶ bridged here, as above
//!   INVITE with Replaces ──▶ the new telephone takes the place of the old one
//! ```
//!
//! Whoever is not touched keeps its leg, its dialog and its stream of packets: only the place in a room changes.

mod attended;
mod blind;
mod ordered;
mod replaced;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::base::{Cause, LegId, Now, ParticipantId, RoomId};
use crate::gateway::event::{Happening, TransferWay};
use crate::gateway::leg::Stage;
use crate::gateway::ringing::RingId;
use crate::gateway::{Gateway, Timer};
use crate::room::{Expected, State};
use crate::sip::endpoint::ReferId;
use crate::sip::refusal_for;
use crate::wire::sip::Status;
pub(super) use ordered::Order;
use ordered::Ordered;

/// Transfers under way.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    /// By whom is rung for them.
    handovers: BTreeMap<RingId, Handover>,
    /// What came of the latest that ended unanswered: it may have been at once.
    ended: Option<(RingId, Cause)>,
    /// By whom we asked to call somebody else.
    ordered: BTreeMap<LegId, Ordered>,
}

/// Somebody is rung who is to take a leg's place.
#[derive(Debug)]
struct Handover {
    /// The room that whoever answers is put into: that of the call, or one of their own where whoever is handed over is
    /// in a meeting or with the attendant.
    room: RoomId,
    /// Who hands over; none once gone.
    giver: Option<LegId>,
    /// Whose call is handed over.
    call: LegId,
    /// Who is told by NOTIFY how it goes.
    refer: Option<(LegId, ReferId)>,
    /// What was dialled, as it may be shown.
    to: String,
}

/// How long a phone that handed its call over may take to hang up by itself, before we do. Grandstream waits four
/// seconds by default; a phone that has been told needs half of one. Longer: its line stays busy. Shorter: its goodbye
/// and ours cross, and some count that as a failed transfer.
const GOODBYE: Duration = Duration::from_secs(5);

impl Transfers {
    /// Another leg has taken a leg's place, and with it its part in a transfer.
    fn rename(&mut self, old: LegId, new: LegId) {
        for it in self.handovers.values_mut() {
            it.giver = it.giver.map(|leg| if leg == old { new } else { leg });
            it.call = if it.call == old { new } else { it.call };
        }
    }
}

impl Gateway {
    /// Takes a leg out of its room because it handed its place over. It hears nothing more, and ends when its phone hangs
    /// up, or soon by itself.
    fn let_go(&mut self, leg: LegId, now: Now) {
        if let Some((room, participant)) = self.part(leg, now) {
            self.leave_room(room, participant, Cause::Transferred, now);
        }
    }

    /// Begins to let a leg go; its place in the room is the caller's to take away.
    fn part(&mut self, leg: LegId, now: Now) -> Option<(RoomId, ParticipantId)> {
        let record = self.legs.get_mut(&leg)?;
        let place = record.place()?;
        record.stage = Stage::Leaving { cause: Cause::Transferred };
        record.voice.background = None;
        record.voice.pending.clear();
        record.voice.playing = None;
        self.timers.disarm(&Timer::Keys(leg));
        self.timers.arm(Timer::LastWord(leg), now.mono + GOODBYE);
        self.unbridge(leg);
        self.touched.insert(leg);
        Some(place)
    }

    /// Takes people from their rooms to one where others are; their legs go on as they are. They all arrive before the
    /// first leaves, so that nobody is left alone for a moment.
    pub(in crate::gateway) fn move_to(&mut self, legs: &[LegId], room: RoomId, now: Now) {
        let left: Vec<_> = legs.iter().filter_map(|leg| self.move_one(*leg, room, now)).collect();
        for (old, participant) in left {
            self.leave_room(old, participant, Cause::Transferred, now);
        }
    }

    /// Gives a person a place in another room; the old one is the caller's to take away.
    fn move_one(&mut self, leg: LegId, room: RoomId, now: Now) -> Option<(RoomId, ParticipantId)> {
        let record = self.legs.get(&leg)?;
        let (old, participant) = record.place().filter(|(old, _)| *old != room)?;
        let name = self.rooms.get(&old).and_then(|old| old.participant(participant)).and_then(|p| p.name.clone());
        let (number, language) = (record.caller.clone(), record.language.tag().to_owned());
        let live = self.rooms.get_mut(&room)?;
        live.expect(Expected { id: participant, name, number, language }, now);
        self.timers.disarm(&Timer::Keys(leg));
        // The music was the old room's; the new one says what is heard there.
        self.set_background(leg, None);
        self.arrive(leg, room, participant, now);
        Some((old, participant))
    }

    /// Who is in a leg's room beside it, with legs that are up.
    pub(in crate::gateway) fn others_of(&self, leg: LegId) -> Vec<LegId> {
        let place = self.legs.get(&leg).and_then(|record| record.place());
        let Some((room, own)) = place else { return Vec::new() };
        let Some(live) = self.rooms.get(&room) else { return Vec::new() };
        live.participants().filter(|p| p.id != own && p.state == State::Active).filter_map(|p| p.audio).collect()
    }

    /// Whether somebody is rung who is to take a leg's place.
    pub(in crate::gateway) fn rings_for_handover(&self, ring: RingId) -> bool {
        self.transfers.handovers.contains_key(&ring)
    }

    /// Whether a leg's call is being handed over, by it or with it.
    pub(in crate::gateway) fn is_in_transfer(&self, leg: LegId) -> bool {
        self.transfers.ordered.contains_key(&leg)
            || self.transfers.handovers.values().any(|it| it.giver == Some(leg) || it.call == leg)
    }

    /// A leg has ended: a transfer may go on without it, or not.
    pub(super) fn transfer_without(&mut self, leg: LegId, cause: Cause, now: Now) {
        self.ordered_leg_ended(leg, now);
        for handover in self.transfers.handovers.values_mut().filter(|it| it.giver == Some(leg)) {
            handover.giver = None;
        }
        let is_left = |it: &Handover| {
            let there =
                self.rooms.get(&it.room).map(|live| live.participants().collect::<Vec<_>>()).unwrap_or_default();
            let others = there.iter().any(|p| p.state == State::Active && p.audio != it.giver);
            !others && !self.legs.contains_key(&it.call)
        };
        let left: Vec<RingId> =
            self.transfers.handovers.iter().filter(|(_, it)| is_left(it)).map(|(ring, _)| *ring).collect();
        // Nobody is left who could talk with whoever is rung.
        for ring in left {
            let Some(handover) = self.transfers.handovers.remove(&ring) else { continue };
            self.report_handover(&handover, Status::REQUEST_TERMINATED, now);
            self.publish_failed(handover.call, handover.to, Cause::Cancelled, None, now);
            self.abandon_ring(ring, cause, now);
        }
    }

    fn report_handover(&mut self, handover: &Handover, status: Status, now: Now) {
        if let Some((leg, refer)) = handover.refer {
            self.endpoint.report_refer(leg, refer, status, now);
        }
    }

    fn publish_failed(&mut self, call: LegId, to: String, cause: Cause, status: Option<Status>, now: Now) {
        let status = status.unwrap_or_else(|| refusal_for(cause)).code();
        self.publish(Happening::CallTransferFailed { call, to, cause, status }, now);
    }

    fn publish_done(
        &mut self,
        (call, by, with): (LegId, Option<LegId>, Option<LegId>),
        to: String,
        way: TransferWay,
        now: Now,
    ) {
        self.publish(Happening::CallTransferred { call, by, with, to, way }, now);
    }
}
