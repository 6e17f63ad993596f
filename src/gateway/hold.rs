//! What is agreed on for the life of a call: offers from either side, and who is on hold.

use std::time::Duration;

use crate::base::{Cause, LegId, Now};
use crate::call::offer_answer::Agreed;
use crate::gateway::event::{Happening, HeldBy};
use crate::gateway::leg::{Leg, Stage};
use crate::gateway::{Gateway, Timer};
use crate::media::command::{LegSetup, MediaCommand};
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
        self.settle_hold(leg, now);
    }

    /// Applies what was agreed: to a leg that is open, or to one whose offer was ours.
    pub(super) fn apply_media(&mut self, leg: LegId, agreed: Agreed, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        if !record.open {
            return self.open_media(leg, agreed, now);
        }
        let Agreed { format, remote, security, .. } = agreed;
        record.agreed = Some((format.clone(), remote.clone()));
        self.order(MediaCommand::Modify { leg, format, remote, security });
        self.settle_hold(leg, now);
    }

    /// Notes whether the far end holds us, and lets nothing of a held phone into its room.
    fn settle_hold(&mut self, leg: LegId, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        let held = record.agreed.as_ref().is_some_and(|(format, _)| !format.direction.sends());
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
