//! What is agreed on for the life of a call: offers from either side, and who is on hold.

use std::time::Duration;

use crate::base::{Cause, LegId, Now};
use crate::call::offer_answer::Agreed;
use crate::gateway::command::{Denial, Outcome, Reply};
use crate::gateway::event::{Happening, HeldBy};
use crate::gateway::leg::{Leg, Stage};
use crate::gateway::{Gateway, Timer};
use crate::media::command::{LegSetup, MediaCommand};
use crate::sip::endpoint::Fork;
use crate::wire::sip::Status;

/// How long the attendant waits for the first packet after the ACK, so that the greeting's beginning is not lost in a
/// path that is still opening. Longer: the caller thinks the line is dead.
const FIRST_AUDIO: Duration = Duration::from_millis(500);

impl Gateway {
    /// The ACK to our 200, with their answer where the 200 held our offer.
    pub(super) fn on_acked(&mut self, leg: LegId, sdp: Option<&[u8]>, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        if let Some(sdp) = sdp {
            match record.negotiation.take_answer(sdp, record.peer.ip()) {
                Ok(agreed) => self.apply_media(leg, agreed, now),
                Err(_) => return self.hang_up(leg, Cause::BadSdp, now),
            }
        } else if record.agreed.is_none() {
            // We offered in the 200; an ACK without an answer leaves nothing to talk with (RFC 3264 §4).
            return self.hang_up(leg, Cause::BadSdp, now);
        }
        match self.legs.get(&leg) {
            Some(Leg { stage: Stage::Answering, .. }) => self.timers.arm(Timer::Start(leg), now.mono + FIRST_AUDIO),
            Some(Leg { stage: Stage::Joining { room }, .. }) => {
                let room = *room;
                self.enter_room(leg, room, false, now);
            }
            Some(Leg { stage: Stage::Replacing { .. }, .. }) => self.take_place(leg, now),
            Some(_) | None => {}
        }
    }

    /// They offer a change, or ask for our offer.
    pub(super) fn on_offered(&mut self, leg: LegId, sdp: Option<&[u8]>, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        match sdp {
            Some(sdp) => match record.negotiation.answer(sdp, record.peer.ip()) {
                Ok((answer, agreed)) => {
                    self.apply_media(leg, agreed, now);
                    self.endpoint.accept_offer(leg, answer, now);
                }
                Err(refusal) => {
                    let host = self.settings.realm.clone();
                    self.endpoint.refuse_offer(leg, Status::NOT_ACCEPTABLE_HERE, &refusal.headers(&host), now);
                }
            },
            None => {
                let offer = record.negotiation.offer();
                self.endpoint.accept_offer(leg, offer, now);
            }
        }
    }

    /// Our change was answered, or refused: then what held before holds on.
    pub(super) fn on_modified(&mut self, leg: LegId, result: Result<Option<&[u8]>, Status>, now: Now) {
        match result {
            Ok(Some(sdp)) => self.take_later_answer(leg, sdp, now),
            Ok(None) => {}
            Err(_) => {
                if let Some(record) = self.legs.get_mut(&leg) {
                    record.negotiation.withdraw();
                }
            }
        }
        self.trial_modified(leg, result.map(|sdp| sdp.is_some()), now);
    }

    /// An answer to what we said last: to a change of ours, or to a refresh that repeated it.
    pub(super) fn take_later_answer(&mut self, leg: LegId, sdp: &[u8], now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        if !record.negotiation.is_offering() {
            // The endpoint said it again by itself, after both sides had asked at once or to refresh the session.
            let _ = record.negotiation.offer();
        }
        match record.negotiation.take_answer(sdp, record.peer.ip()) {
            Ok(agreed) => self.apply_media(leg, agreed, now),
            Err(_) => self.hang_up(leg, Cause::BadSdp, now),
        }
    }

    /// A far end of a call we make changes its mind before it answers (RFC 3311).
    pub(super) fn on_early_offer(&mut self, leg: LegId, fork: Fork, sdp: &[u8], now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        match record.negotiation.clone().answer(sdp, record.peer.ip()) {
            Ok((answer, agreed)) => {
                if record.open {
                    self.apply_media(leg, agreed, now);
                }
                self.endpoint.accept_early_offer(leg, fork, answer, now);
            }
            Err(_) => self.endpoint.refuse_early_offer(leg, fork, Status::NOT_ACCEPTABLE_HERE, now),
        }
    }

    /// Puts a far end on hold, or takes it back; it hears music meanwhile.
    pub(super) fn hold(&mut self, leg: LegId, held: bool, now: Now) -> Outcome {
        let Some(record) = self.legs.get_mut(&leg) else { return Err(Denial::NotFound("call")) };
        let Stage::InRoom { room, participant, .. } = record.stage else {
            return Err(Denial::Conflict("the call is not up".into()));
        };
        if record.held_by_us == held {
            return Ok(Reply::Done);
        }
        record.held_by_us = held;
        let style = record.profile.hold;
        let offer = if held { record.negotiation.hold(style) } else { record.negotiation.resume() };
        self.endpoint.reinvite(leg, Some(offer), now);
        self.publish(Happening::CallHeld { call: leg, held, by: HeldBy::Us }, now);
        if let Some(live) = self.rooms.get_mut(&room) {
            live.hold_by_us(participant, held);
        }
        self.carry_out(room, now);
        Ok(Reply::Done)
    }

    /// Begins a leg in the media plane.
    pub(super) fn open_media(&mut self, leg: LegId, agreed: Agreed, now: Now) {
        let timeout = self.settings.media_timeout;
        let setup = LegSetup {
            format: agreed.format.clone(),
            remote: agreed.remote.clone(),
            security: agreed.security,
            ssrc: self.rng.next_u32(),
            sequence: (self.rng.next_u32() & 0x7fff) as u16,
            timestamp: self.rng.next_u32(),
            cname: self.rng.token(12),
            media_timeout: timeout,
        };
        let Some(record) = self.legs.get_mut(&leg) else { return };
        record.open = true;
        record.agreed = Some((agreed.format, agreed.remote));
        self.order(MediaCommand::Open { leg, setup: Box::new(setup) });
        self.treat_first(leg);
        self.settle_hold(leg, agreed.held, now);
    }

    /// Applies what was agreed: to a leg that is open, or to one whose offer was ours.
    pub(super) fn apply_media(&mut self, leg: LegId, agreed: Agreed, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        if !record.open {
            return self.open_media(leg, agreed, now);
        }
        let Agreed { format, remote, security, held } = agreed;
        record.agreed = Some((format.clone(), remote.clone()));
        self.order(MediaCommand::Modify { leg, format, remote, security });
        self.settle_hold(leg, held, now);
    }

    /// Notes whether the far end holds us, and lets nothing of a held phone into its room.
    fn settle_hold(&mut self, leg: LegId, held: bool, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        if record.held == held {
            return;
        }
        record.held = held;
        let place = record.place();
        self.publish(Happening::CallHeld { call: leg, held, by: HeldBy::Them }, now);
        if let Some((room, participant)) = place {
            if let Some(room) = self.rooms.get_mut(&room) {
                room.hold(participant, held);
            }
            self.apply_mute(leg);
            self.carry_out(room, now);
        }
    }
}
