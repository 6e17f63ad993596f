//! Browsers' legs in the bridges of rooms, whose voices are where, and how good people's networks are.

use crate::base::{Cause, LegId, Now, ParticipantId, RoomId};
use crate::gateway::Gateway;
use crate::gateway::web::protocol::ServerMessage;
use crate::media::audience::Audience;
use crate::media::command::{Figures, MediaCommand};
use crate::media::web::WebFigures;

impl Gateway {
    /// Puts a browser's leg into its room's bridge. False: the leg is no browser's.
    pub(in crate::gateway) fn attach_web(
        &mut self,
        leg: LegId,
        room: RoomId,
        (id, muted, audience): (ParticipantId, bool, Option<Audience>),
    ) -> bool {
        let Some(record) = self.web.legs.get_mut(&leg) else { return false };
        let opens = !std::mem::replace(&mut record.opened, true);
        let there = record.bridged.replace((room, id)) == Some((room, id));
        if opens {
            self.order(MediaCommand::OpenWeb { leg });
        }
        if there && audience.is_some() {
            self.order(MediaCommand::Direct { leg, audience });
        }
        self.order(match there {
            true => MediaCommand::Mute { leg, muted },
            false => MediaCommand::Join { leg, room, participant: id, muted, keys: false, audience },
        });
        self.project(id);
        true
    }

    /// Takes a browser's leg out of its room's bridge. False: the leg is no browser's.
    pub(in crate::gateway) fn detach_web(&mut self, leg: LegId) -> bool {
        let Some(record) = self.web.legs.get_mut(&leg) else { return false };
        record.bridged = None;
        let id = record.participant;
        self.order(MediaCommand::Leave { leg });
        self.project(id);
        true
    }

    /// Lets the bridge hear a browser's leg, or not. False: the leg is no browser's.
    pub(in crate::gateway) fn mute_web(&mut self, leg: LegId, muted: bool) -> bool {
        let Some(record) = self.web.legs.get(&leg) else { return false };
        let id = record.participant;
        self.order(MediaCommand::Mute { leg, muted });
        self.project(id);
        true
    }

    /// A person is let go by a call's room: nobody else is left in it. False: the leg is no browser's.
    pub(in crate::gateway) fn release_web(&mut self, leg: LegId, cause: Cause, now: Now) -> bool {
        let Some(id) = self.web.legs.get(&leg).map(|record| record.participant) else { return false };
        if let Some(room) = self.web.seats.get(&id).map(|seat| seat.room) {
            self.leave_room(room, id, cause, now);
        }
        true
    }

    /// The place a browser's leg carries audio for.
    pub(in crate::gateway) fn web_place(&self, leg: LegId) -> Option<(RoomId, ParticipantId)> {
        self.web.legs.get(&leg)?.bridged
    }

    /// The media plane gave a browser's leg up. False: the leg is no browser's.
    pub(in crate::gateway) fn web_leg_closed(&mut self, leg: LegId, now: Now) -> bool {
        if self.web.closing.remove(&leg) {
            return true;
        }
        if let Some(record) = self.web.legs.get_mut(&leg) {
            // By itself: nothing can be heard any more.
            record.opened = false;
            record.bridged = None;
        }
        self.release_web(leg, Cause::Internal, now)
    }

    /// A room's bridge failed: whoever was in it by browser begins anew.
    pub(in crate::gateway) fn web_bridge_failed(&mut self, room: RoomId, now: Now) {
        let lost: Vec<ParticipantId> =
            self.web.seats.iter().filter(|(_, seat)| seat.room == room).map(|(id, _)| *id).collect();
        for id in lost {
            self.leave_room(room, id, Cause::Internal, now);
        }
    }

    /// Other voices are on a room's audio tracks.
    pub(in crate::gateway) fn on_slots(&mut self, room: RoomId, slots: &[Option<ParticipantId>]) {
        let slots = slots.to_vec();
        if !self.rooms.contains_key(&room) {
            return;
        }
        self.web.slots.insert(room, slots.clone());
        let sessions = self.readers(room, |_| true);
        self.tell_pages(sessions, ServerMessage::Slots { slots });
    }

    /// How a telephone's audio goes.
    pub(in crate::gateway) fn phone_measured(&mut self, room: RoomId, id: ParticipantId, figures: &Figures) {
        let expected = figures.received.saturating_add(figures.lost);
        if expected == 0 {
            return;
        }
        // Over the whole call: a moment's loss shows less the longer the call is, and a bad line stays bad.
        let lost_up = permille(figures.lost, expected);
        let lost_down = share(figures.remote_loss.unwrap_or(0.0));
        self.note_quality(room, id, grade(lost_up.max(lost_down), figures.round_trip_ms));
    }

    pub(super) fn web_measured(&mut self, leg: LegId, figures: WebFigures) {
        let Some((room, id)) = self.web_place(leg) else { return };
        let lost = share(figures.lost_up).max(share(figures.lost_down));
        self.note_quality(room, id, grade(lost, figures.round_trip_ms));
    }

    fn note_quality(&mut self, room: RoomId, participant: ParticipantId, quality: u8) {
        if self.web.qualities.insert(participant, quality) != Some(quality) {
            let sessions = self.readers(room, |_| true);
            self.tell_pages(sessions, ServerMessage::Quality { participant, quality });
        }
    }
}

fn permille(part: u64, whole: u64) -> u64 {
    part.saturating_mul(1000).checked_div(whole).unwrap_or(0)
}

/// A share of 0 to 1 in thousandths.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held between 0 and 1000")]
fn share(of: f32) -> u64 {
    (of.clamp(0.0, 1.0) * 1000.0) as u64
}

/// From 0, unusable, to 4, good: by lost packets in thousandths and the round trip (ITU-T G.114 wants 150 ms one way).
fn grade(lost: u64, round_trip_ms: Option<f32>) -> u8 {
    let by_loss = match lost {
        0..=9 => 4,
        10..=29 => 3,
        30..=79 => 2,
        80..=199 => 1,
        _ => 0,
    };
    let by_delay = match round_trip_ms {
        Some(ms) if ms > 1500.0 => 1,
        Some(ms) if ms > 700.0 => 2,
        Some(ms) if ms > 350.0 => 3,
        Some(_) | None => 4,
    };
    by_loss.min(by_delay)
}
