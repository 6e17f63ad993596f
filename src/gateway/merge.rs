//! Merging: a call is brought into a meeting that is on, because somebody in it vouches for whoever calls.
//!
//! ```text
//! page, API ─▶ merge ─┬─ with the attendant ──▶ no PIN, no lobby: in the meeting
//!                     ├─ still ringing ───────▶ answered, nobody else rings, likewise
//!                     └─ in a call of two ────▶ takes the place along; the other is let go, or comes, too
//! ```
//!
//! Only the place changes: no re-INVITE goes out, and what the leg sends and hears stays one stream.

use serde::{Deserialize, Serialize};

use crate::base::id::ExtensionId;
use crate::base::{Cause, LegId, Now, ParticipantId, RoomId};
use crate::gateway::Gateway;
use crate::gateway::command::{Denial, Outcome, Reply};
use crate::gateway::event::Happening;
use crate::gateway::leg::{Leg, Stage, Vouched};
use crate::gateway::web::Code;
use crate::gateway::web::protocol::{Line, ServerMessage};
use crate::room::{Announcement, Role, State};
use crate::route::Party;

/// How a call is to be merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct MergeRequest {
    /// The meeting.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub room: RoomId,
    /// Who vouches: a host or member who is in the meeting. None: whoever holds the API key.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub by: Option<ParticipantId>,
    /// Of a call between people the others come, too; else nobody but this one, and who is left alone is let go.
    #[serde(default)]
    pub both: bool,
}

/// Why a call is not merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmerged {
    /// It is not answered, or is ending.
    NotUp,
    /// It is a call for help.
    Emergency,
    /// It is on hold.
    Held,
    /// It is being handed over.
    HandedOver,
    /// A page is in the person's place.
    HasPage,
    /// It is in a meeting.
    InMeeting,
    /// Nobody is in the meeting, or it is a call itself.
    NotOn,
    /// The meeting is locked.
    Locked,
    /// The meeting is full.
    Full,
    /// Who vouches is no host or member in the meeting.
    NoInsider,
}

impl Unmerged {
    /// The stable name of the problem.
    pub const fn name(self) -> &'static str {
        match self {
            Unmerged::NotUp => "merge-not-up",
            Unmerged::Emergency => "merge-emergency",
            Unmerged::Held => "merge-held",
            Unmerged::HandedOver => "merge-handed-over",
            Unmerged::HasPage => "merge-has-page",
            Unmerged::InMeeting => "merge-in-meeting",
            Unmerged::NotOn => "merge-not-on",
            Unmerged::Locked => "merge-locked",
            Unmerged::Full => "merge-full",
            Unmerged::NoInsider => "merge-no-insider",
        }
    }

    /// In words, with what to do instead.
    pub const fn text(self) -> &'static str {
        match self {
            Unmerged::NotUp => "this call is not up: answer it first",
            Unmerged::Emergency => "this is an emergency call: it stays as it is; call the others from another line",
            Unmerged::Held => "this call is on hold: take it back, then merge it",
            Unmerged::HandedOver => "this call is being handed over: wait until that is done",
            Unmerged::HasPage => "this person has a page in the call: send them an invitation to the meeting",
            Unmerged::InMeeting => "this person is in a meeting: let them in there, or let them leave it first",
            Unmerged::NotOn => "nobody is in this meeting: give the caller its number and PIN, or transfer the call",
            Unmerged::Locked => "the meeting is locked: unlock it, then merge the call",
            Unmerged::Full => "the meeting is full: raise its max_participants, or let somebody leave first",
            Unmerged::NoInsider => "only a host or member who is in the meeting can vouch for somebody",
        }
    }
}

impl From<Unmerged> for Code {
    fn from(unmerged: Unmerged) -> Self {
        match unmerged {
            Unmerged::NotUp | Unmerged::InMeeting | Unmerged::HandedOver => Code::NoSuchCall,
            Unmerged::Emergency => Code::CallForHelp,
            Unmerged::Held => Code::ElevateHeld,
            Unmerged::HasPage => Code::CallHasPage,
            Unmerged::NotOn | Unmerged::NoInsider => Code::NotAllowed,
            Unmerged::Locked => Code::RoomLocked,
            Unmerged::Full => Code::RoomFull,
        }
    }
}

impl Gateway {
    /// An integration merges a call.
    pub(super) fn merge_by_api(&mut self, leg: LegId, request: &MergeRequest, now: Now) -> Outcome {
        if !self.legs.contains_key(&leg) {
            return Err(Denial::NotFound("call"));
        }
        if !self.rooms.contains_key(&request.room) {
            return Err(Denial::NotFound("room"));
        }
        self.merge(leg, request, now).map(|()| Reply::Done).map_err(Denial::NotMerged)
    }

    /// A page merges a call of its own person: one they have on the telephone beside the meeting.
    pub(super) fn merge_by_page(&mut self, me: ParticipantId, leg: LegId, both: bool, now: Now) -> Result<(), Code> {
        let room = self.web_room(me).ok_or(Code::NotJoined)?;
        let own = self.extension_of(room, me).filter(|own| self.is_call_of(leg, *own));
        if own.is_none() {
            return Err(Code::NoSuchCall);
        }
        self.merge(leg, &MergeRequest { room, by: Some(me), both }, now).map_err(Code::from)
    }

    /// Somebody of the house, by the telephone that they have in a meeting.
    pub(super) fn extension_of(&self, room: RoomId, participant: ParticipantId) -> Option<ExtensionId> {
        let phone = self.phone_of(room, participant)?;
        self.legs.get(&phone)?.party.extension()
    }

    /// Whether a call is somebody's with the house: the other end of it is theirs.
    fn is_call_of(&self, leg: LegId, own: ExtensionId) -> bool {
        let Some((room, _)) = self.legs.get(&leg).and_then(Leg::place) else { return false };
        let is_call = self.rooms.get(&room).is_some_and(|room| room.settings().call);
        let theirs = |other: LegId| self.legs.get(&other).is_some_and(|leg| leg.party == Party::Extension(own));
        is_call && self.legs_in(room).any(|other| other != leg && theirs(other))
    }

    /// Calls that a page's person has on the telephone beside the meeting, as far as they may bring them in.
    fn lines_of(&self, room: RoomId, me: ParticipantId) -> Vec<Line> {
        let admits = self.rooms.get(&room).and_then(|room| room.participant(me)).is_some_and(|p| p.role.admits());
        let Some(own) = self.extension_of(room, me).filter(|_| admits) else { return Vec::new() };
        let of_call = |leg: &Leg| leg.place().filter(|(place, _)| *place != room).map(|(place, _)| (place, leg.id));
        let beside = self.legs.values().filter(|leg| leg.party == Party::Extension(own)).filter_map(of_call);
        let far = beside.flat_map(|(place, near)| self.legs_in(place).filter(move |leg| *leg != near));
        let mine = far.filter(|leg| self.is_call_of(*leg, own));
        mine.filter_map(|call| {
            let record = self.legs.get(&call)?;
            let name = record.party.extension().and_then(|id| self.table.extensions.get(&id)).map(|of| of.name.clone());
            let number = self.shown_number(record.caller.as_ref(), record.from.as_deref(), false);
            Some(Line { call, name, number })
        })
        .collect()
    }

    /// The same, for a page that is told everything anew.
    pub(super) fn lines_told(&mut self, room: RoomId, me: ParticipantId) -> Vec<Line> {
        let lines = self.lines_of(room, me);
        if let Some(seat) = self.web.seats.get_mut(&me) {
            seat.lines.clone_from(&lines);
        }
        lines
    }

    /// Something changed in a call's room: pages of people who are in a meeting besides are told of it.
    pub(super) fn lines_follow(&mut self, call: RoomId) {
        if self.web.seats.is_empty() || !self.rooms.get(&call).is_some_and(|room| room.settings().call) {
            return;
        }
        let own: Vec<ExtensionId> =
            self.legs_in(call).filter_map(|leg| self.legs.get(&leg)?.party.extension()).collect();
        let theirs = |leg: &Leg| leg.party.extension().is_some_and(|id| own.contains(&id));
        let mut told: Vec<(RoomId, ParticipantId)> =
            self.legs.values().filter(|leg| theirs(leg)).filter_map(Leg::place).collect();
        // Who was told of a call that may be over.
        told.extend(
            self.web.seats.iter().filter(|(_, seat)| !seat.lines.is_empty()).map(|(id, seat)| (seat.room, *id)),
        );
        told.sort_unstable();
        told.dedup();
        for (room, me) in told {
            let Some(seat) = self.web.seats.get(&me).filter(|seat| seat.room == room) else { continue };
            let (session, before) = (seat.session, seat.lines.clone());
            let lines = self.lines_told(room, me);
            if let Some(session) = session.filter(|_| lines != before) {
                self.tell_page(session, ServerMessage::Lines { lines });
            }
        }
    }

    /// Brings a call into a meeting.
    pub(super) fn merge(&mut self, leg: LegId, request: &MergeRequest, now: Now) -> Result<(), Unmerged> {
        let &MergeRequest { room, by, both } = request;
        let live = self.rooms.get(&room).filter(|live| !live.settings().call && live.active() > 0);
        let live = live.ok_or(Unmerged::NotOn)?;
        let vouches =
            |id: ParticipantId| live.participant(id).is_some_and(|p| p.state == State::Active && p.role.admits());
        if by.is_some_and(|by| !vouches(by)) {
            return Err(Unmerged::NoInsider);
        }
        let others = if both { self.others_of(leg) } else { Vec::new() };
        let coming: Vec<LegId> = std::iter::once(leg).chain(others).collect();
        for one in &coming {
            self.may_be_merged(*one)?;
        }
        match live.admits(Role::Guest) {
            Err(Cause::RoomLocked) => return Err(Unmerged::Locked),
            Err(_) => return Err(Unmerged::Full),
            Ok(()) => {}
        }
        let most = usize::try_from(live.settings().max_participants).unwrap_or(usize::MAX);
        if live.participants().count().saturating_add(coming.len()) > most {
            return Err(Unmerged::Full);
        }
        let placed = |record: &Leg| matches!(record.stage, Stage::InRoom { .. });
        let (moving, entering): (Vec<LegId>, Vec<LegId>) =
            coming.into_iter().partition(|leg| self.legs.get(leg).is_some_and(placed));
        for leg in entering {
            self.answer_for(leg, now)?;
            if let Some(record) = self.legs.get_mut(&leg) {
                record.vouched = Some(Vouched { by });
            }
            self.tell(leg, &Announcement::Admitted);
            self.seat(leg, room, now);
        }
        for leg in &moving {
            self.tell(*leg, &Announcement::Admitted);
        }
        self.move_to(&moving, room, now);
        for leg in moving {
            self.tell_of_merge(leg, Vouched { by }, now);
        }
        Ok(())
    }

    /// Somebody came in because another vouched for them: the log and the meeting's pages are told who.
    pub(super) fn tell_of_merge(&mut self, leg: LegId, vouched: Vouched, now: Now) {
        let Some((room, participant)) = self.legs.get(&leg).and_then(Leg::place) else { return };
        let by = vouched.by;
        self.publish(Happening::CallMerged { call: leg, room, participant, by }, now);
        let sessions = self.readers(room, |_| true);
        self.tell_pages(sessions, ServerMessage::Merged { participant, by });
    }

    fn may_be_merged(&self, leg: LegId) -> Result<(), Unmerged> {
        let record = self.legs.get(&leg).ok_or(Unmerged::NotUp)?;
        if record.help {
            return Err(Unmerged::Emergency);
        }
        if self.is_in_transfer(leg) {
            return Err(Unmerged::HandedOver);
        }
        match &record.stage {
            Stage::Attendant { .. } | Stage::Calling { .. } => Ok(()),
            Stage::InRoom { room, participant, .. } => {
                if !self.rooms.get(room).is_some_and(|room| room.settings().call) {
                    return Err(Unmerged::InMeeting);
                }
                if record.held || record.held_by_us {
                    return Err(Unmerged::Held);
                }
                let has_page = self.web.seats.contains_key(participant);
                if has_page { Err(Unmerged::HasPage) } else { Ok(()) }
            }
            Stage::Binding { .. }
            | Stage::Joining { .. }
            | Stage::Replacing { .. }
            | Stage::Preparing { .. }
            | Stage::Ringing { .. }
            | Stage::Answering
            | Stage::Seating {}
            | Stage::OnTrial {}
            | Stage::Leaving { .. } => Err(Unmerged::NotUp),
        }
    }

    /// Answers a caller for whom somebody is still rung, who is rung no longer.
    fn answer_for(&mut self, leg: LegId, now: Now) -> Result<(), Unmerged> {
        let Some(record) = self.legs.get(&leg) else { return Err(Unmerged::NotUp) };
        let Stage::Calling { ring, offer, early, .. } = &record.stage else { return Ok(()) };
        let (ring, offer, early) = (*ring, offer.clone(), early.clone());
        self.accept_call(leg, offer, early, None, now).map_err(|_| Unmerged::NotUp)?;
        self.abandon_ring(ring, Cause::AnsweredElsewhere, now);
        Ok(())
    }
}
