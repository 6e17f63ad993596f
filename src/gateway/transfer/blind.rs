//! A far end asks us by REFER to call somebody: whoever talks with it is to talk with them instead.

use crate::base::{Cause, LegId, Now, PhoneNumber, RoomId};
use crate::gateway::Gateway;
use crate::gateway::calls::CallPlan;
use crate::gateway::event::TransferWay;
use crate::gateway::identity::Caller;
use crate::gateway::leg::Stage;
use crate::gateway::ringing::{RingId, Waits};
use crate::gateway::transfer::Handover;
use crate::route::{Decision, Destination, Dialled, Facts, Party};
use crate::sip::dialog::MAX_FORWARDS;
use crate::sip::endpoint::{Headers, ReferId};
use crate::sip::refer_to::ReferTo;
use crate::sip::refusal_for;
use crate::sip::uui::Uui;
use crate::wire::sip::{Name, NameAddr, Status, Text, Uri};

/// Who is to take the place, and what is told to them.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// The user part, as somebody would dial it.
    pub(super) user: String,
    /// More header fields of the INVITE.
    pub(super) headers: Headers,
    /// What is told to the target's application.
    pub(super) uui: Vec<Uui>,
}

/// Where a call to it leads, and on whose account.
pub(super) struct Lead {
    /// Whose call it is; none: the operator's own.
    pub(super) party: Option<Party>,
    pub(super) to: Destination,
    pub(super) dialled: Option<Dialled>,
    /// Who calls, as carriers are told.
    pub(super) caller: Caller,
}

/// A REFER that is not taken on.
pub(super) struct Refusal {
    pub(super) status: Status,
    pub(super) cause: Cause,
}

impl Gateway {
    /// A far end asks us to call somebody.
    pub(in crate::gateway) fn on_referred(
        &mut self,
        leg: LegId,
        refer: ReferId,
        to: &ReferTo,
        (by, uui): (Option<&NameAddr>, Vec<Uui>),
        now: Now,
    ) {
        if let Err(refusal) = self.take_referral(leg, refer, to, (by, uui), now) {
            self.count_refusal(refusal.cause);
            self.endpoint.refuse_refer(leg, refer, refusal.status, &Headers::new(), now);
        }
    }

    fn take_referral(
        &mut self,
        leg: LegId,
        refer: ReferId,
        to: &ReferTo,
        (by, uui): (Option<&NameAddr>, Vec<Uui>),
        now: Now,
    ) -> Result<(), Refusal> {
        let refusal = |status, cause| Err(Refusal { status, cause });
        let Some(record) = self.legs.get(&leg) else { return refusal(Status::DECLINE, Cause::NoRoute) };
        let Stage::InRoom { room, .. } = record.stage else { return refusal(Status::DECLINE, Cause::NoRoute) };
        // A meeting is nobody's to hand over, nor may one who waits at its door: its doors are its PIN, lobby and lock.
        let is_call = self.rooms.get(&room).is_some_and(|room| room.settings().call);
        if !record.profile.refer.takes || !is_call {
            return refusal(Status::DECLINE, Cause::RefusedByRule);
        }
        if self.is_in_transfer(leg) {
            return refusal(Status::REQUEST_PENDING, Cause::Throttled);
        }
        if self.drain.is_some() {
            return refusal(Status::SERVICE_UNAVAILABLE, Cause::Draining);
        }
        let others = self.others_of(leg);
        let Some(call) = others.first().copied() else { return refusal(Status::DECLINE, Cause::NoRoute) };
        let user = to.uri.user_decoded().map(|user| user.into_owned()).unwrap_or_default();
        let mut headers = to.carried();
        // RFC 3892 §2.3.
        headers.extend(by.map(|by| (Name::ReferredBy, Text::from(by.to_string()))));
        if let Some(replaces) = &to.replaces {
            if let Some(second) = self.endpoint.dialog_of(replaces) {
                return self.refer_to_own((leg, refer), second, user, now);
            }
            if self.is_here(&to.uri) {
                self.endpoint.accept_refer(leg, refer, now);
                self.endpoint.report_refer(leg, refer, Status::CALL_DOES_NOT_EXIST, now);
                return Ok(());
            }
            // A call that the target has with somebody else.
            headers.push((Name::Replaces, Text::from(replaces.to_string())));
            headers.push((Name::Require, Text::from_static("replaces")));
        }
        let target = Target { user, headers, uui };
        let lead = self.lead_as(leg, &target, now).map_err(|cause| Refusal { status: refusal_for(cause), cause })?;
        match &lead.to {
            Destination::Room { .. } | Destination::Attendant {} => {
                self.endpoint.accept_refer(leg, refer, now);
                let places = self.part(leg, now);
                for other in others {
                    self.send_to(other, &lead.to, now);
                }
                if let Some((room, participant)) = places {
                    self.leave_room(room, participant, Cause::Transferred, now);
                }
                self.endpoint.report_refer(leg, refer, Status::OK, now);
                self.publish_done((call, Some(leg), None), target.user, TransferWay::Bridged, now);
            }
            Destination::Extension { .. }
            | Destination::Group { .. }
            | Destination::Trunk { .. }
            | Destination::Refuse { .. }
            | Destination::Webhook { .. } => {
                let to = target.user.clone();
                let plan = self.plan_of(call, lead, target);
                let handover = Handover { room, giver: Some(leg), call, refer: None, to };
                let ring = self.hand_over(plan, handover, now);
                let ring = ring.map_err(|cause| Refusal { status: refusal_for(cause), cause })?;
                self.accept_handover(ring, leg, refer, now);
            }
        }
        Ok(())
    }

    /// Where a call to this target by the party of a leg leads: by the same rules and limits as if it dialled.
    pub(super) fn lead_as(&mut self, leg: LegId, target: &Target, now: Now) -> Result<Lead, Cause> {
        let record = self.legs.get(&leg).ok_or(Cause::NoRoute)?;
        let party = record.party;
        let facts = Facts {
            proved: Some(party),
            headers: target.headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
            uui: target.uui.first().map(ToString::to_string),
            ..Facts::new(record.peer.ip(), &*target.user, record.from.clone().unwrap_or_default(), now.utc)
        };
        let accepted = match self.table.decide(&facts) {
            Decision::Accept(accepted) => *accepted,
            Decision::Challenge => return Err(Cause::NotAuthorised),
            Decision::Refuse(cause) => return Err(cause),
        };
        let lead = Lead {
            party: Some(party),
            to: accepted.to,
            dialled: accepted.dialled,
            caller: Caller {
                number: accepted.caller,
                user: Some(accepted.caller_user).filter(|user| !user.is_empty()),
                ..Caller::default()
            },
        };
        match lead.to.clone() {
            Destination::Refuse { cause } => Err(cause),
            Destination::Room { room } if !self.rooms.contains_key(&room) => Err(Cause::NoRoute),
            // Who refers waits for an answer to the REFER: the webhook's fallback holds.
            Destination::Webhook { fallback, .. } => {
                let (plan, limits) = (self.table.plan_of(party), self.table.limits_of(party));
                let dialled = self.table.aim(&limits, &target.user, &plan, &fallback).map_err(|(cause, _)| cause)?;
                Ok(Lead { to: *fallback, dialled, ..lead })
            }
            Destination::Attendant {}
            | Destination::Room { .. }
            | Destination::Extension { .. }
            | Destination::Group { .. }
            | Destination::Trunk { .. } => Ok(lead),
        }
    }

    /// What is told to whoever is called for a transferred call: that the other one of it calls, except to carriers, which
    /// take no numbers but those of whoever pays.
    pub(super) fn plan_of(&self, call: LegId, lead: Lead, target: Target) -> CallPlan {
        let caller = match lead.to {
            Destination::Trunk { .. } => lead.caller,
            Destination::Attendant {}
            | Destination::Room { .. }
            | Destination::Extension { .. }
            | Destination::Group { .. }
            | Destination::Refuse { .. }
            | Destination::Webhook { .. } => self.far_end_of(call),
        };
        let mut headers = target.headers;
        headers.extend(target.uui.iter().map(|uui| (Name::UserToUser, Text::from(uui.to_string()))));
        CallPlan {
            party: lead.party,
            to: lead.to,
            dialled: lead.dialled,
            caller,
            headers,
            seconds: None,
            auto_answer: false,
            language: self.legs.get(&call).map_or_else(|| self.settings.language.clone(), |of| of.language.clone()),
            max_forwards: MAX_FORWARDS,
            name: None,
        }
    }

    /// Who is at the far end of a leg, as others are shown.
    fn far_end_of(&self, leg: LegId) -> Caller {
        let Some(record) = self.legs.get(&leg) else { return Caller::default() };
        match (record.party, record.direction) {
            (Party::Extension(id), _) => {
                self.table.extensions.get(&id).map_or_else(Caller::default, |extension| Caller {
                    number: extension.number.clone(),
                    user: Some(extension.user.clone()),
                    name: Some(extension.name.clone()),
                    withheld: false,
                })
            }
            (Party::Trunk(_), crate::gateway::view::CallDirection::Inbound) => Caller {
                number: record.caller.clone(),
                user: record.from.clone(),
                name: None,
                withheld: record.from.is_none(),
            },
            (Party::Trunk(_), crate::gateway::view::CallDirection::Outbound) => {
                Caller { number: PhoneNumber::parse(&record.to), user: Some(record.to.clone()), ..Caller::default() }
            }
        }
    }

    /// Rings somebody who is to take a leg's place. Where that is not possible at all, nothing has happened.
    pub(super) fn hand_over(&mut self, plan: CallPlan, handover: Handover, now: Now) -> Result<RingId, Cause> {
        self.next_ring += 1;
        // Known before the attempt begins, for it may end at once.
        let ring = RingId(self.next_ring);
        let room = handover.room;
        self.transfers.handovers.insert(ring, handover);
        let placed = self.place_as(ring, None, plan, room, Waits::Room, now);
        if placed.is_err() {
            self.transfers.handovers.remove(&ring);
        }
        placed.map(|()| ring)
    }

    /// Takes on a REFER whose target is rung, and reports what is known by now.
    fn accept_handover(&mut self, ring: RingId, leg: LegId, refer: ReferId, now: Now) {
        self.endpoint.accept_refer(leg, refer, now);
        match (self.transfers.handovers.get_mut(&ring), self.transfers.ended) {
            (Some(handover), _) => handover.refer = Some((leg, refer)),
            (None, Some((ended, cause))) if ended == ring => {
                self.endpoint.report_refer(leg, refer, refusal_for(cause), now);
            }
            (None, _) => self.endpoint.report_refer(leg, refer, Status::OK, now),
        }
    }

    /// The telephone of whoever is to take the place rings.
    pub(in crate::gateway) fn handover_rings(&mut self, ring: RingId, status: Status, now: Now) {
        if let Some((leg, refer)) = self.transfers.handovers.get(&ring).and_then(|handover| handover.refer) {
            self.endpoint.report_refer(leg, refer, status, now);
        }
    }

    /// Whoever is to take the place answered, and is in the room.
    pub(in crate::gateway) fn handover_answered(&mut self, ring: RingId, with: LegId, now: Now) {
        let Some(handover) = self.transfers.handovers.remove(&ring) else { return };
        self.report_handover(&handover, Status::OK, now);
        let Handover { room, giver, call, refer, to } = handover;
        match giver {
            Some(giver) => {
                self.let_go(giver, now);
                // Whose phone did not ask for it does not know that it is to hang up.
                if refer.is_none() {
                    self.hang_up(giver, Cause::Transferred, now);
                }
            }
            None => self.bring(call, room, now),
        }
        self.release_holds(room, now);
        self.publish_done((call, giver, Some(with)), to, TransferWay::Bridged, now);
    }

    /// Whoever is to take the place was not reached: everybody keeps the call.
    pub(in crate::gateway) fn handover_failed(&mut self, ring: RingId, cause: Cause, now: Now) {
        let Some(handover) = self.transfers.handovers.remove(&ring) else { return };
        self.transfers.ended = Some((ring, cause));
        self.report_handover(&handover, refusal_for(cause), now);
        self.publish_failed(handover.call, handover.to, cause, None, now);
    }

    /// Puts a leg into a call's room, wherever it was.
    fn bring(&mut self, leg: LegId, room: RoomId, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        match &record.stage {
            Stage::InRoom { .. } => self.move_to(&[leg], room, now),
            Stage::Attendant { .. } | Stage::Answering => self.enter_room(leg, room, false, now),
            Stage::Binding { .. }
            | Stage::Calling { .. }
            | Stage::Joining { .. }
            | Stage::Preparing { .. }
            | Stage::Ringing { .. }
            | Stage::Replacing { .. }
            | Stage::Seating {}
            | Stage::OnTrial {}
            | Stage::Leaving { .. } => {}
        }
    }

    /// Sends somebody who is in a call to a meeting's door or to the attendant.
    pub(super) fn send_to(&mut self, leg: LegId, to: &Destination, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        let place = record.place();
        record.destination = to.clone();
        match to {
            Destination::Room { room } => self.enter_room(leg, *room, false, now),
            _ => {
                record.stage = Stage::Answering;
                self.unbridge(leg);
                self.begin_attending(leg, now);
            }
        }
        if let Some((room, participant)) = place {
            self.leave_room(room, participant, Cause::Transferred, now);
        }
    }

    /// Who was held for somebody who handed the call over is held for nobody.
    pub(super) fn release_holds(&mut self, room: RoomId, now: Now) {
        let Some(live) = self.rooms.get(&room) else { return };
        let held: Vec<_> = live.participants().filter(|p| p.held_by_us).filter_map(|p| p.audio).collect();
        for leg in held {
            // Each is in this room, so that there is nothing to refuse.
            let _ = self.hold(leg, false, now);
        }
    }

    /// Whether a URI's host is this node.
    fn is_here(&self, uri: &Uri) -> bool {
        let named = uri.host().is_some_and(|host| host.to_string().eq_ignore_ascii_case(&self.settings.realm));
        named || self.endpoint.is_here(uri)
    }
}
