//! The page of a device takes the seat that a call was moved to: it carries the call once its peer connection stands, and
//! until then everything is as it was.

use crate::base::id::{DeviceId, TicketId};
use crate::base::{Cause, LegId, Now, ParticipantId, RoomId, SessionId};
use crate::device::{Failure, Order, Phase, Target};
use crate::gateway::Gateway;
use crate::gateway::web::Code;
use crate::gateway::web::protocol::AudioBy;
use crate::room::Channel;

/// A page that takes a seat.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taking {
    pub(super) session: SessionId,
    /// The peer connection that carried the seat before, where there was one.
    old: Option<LegId>,
    /// The device whose page had the seat.
    before: Option<DeviceId>,
}

impl Gateway {
    /// A page joins by the right that a move gave its device.
    pub(in crate::gateway) fn take_seat_by_device(
        &mut self,
        (session, request): (SessionId, u64),
        (room, participant): (RoomId, ParticipantId),
        (device, ticket): (DeviceId, TicketId),
        now: Now,
    ) -> Result<(), Code> {
        let moving = self.devices.moves.get(participant);
        let meant = moving.is_some_and(|(order, phase)| order.device == device && phase == Phase::Opening);
        if !meant {
            return Err(Code::ExpiredTicket);
        }
        // A page that never offered a connection has none to be kept until the new one stands.
        let old = self.web.seats.get(&participant).map(|seat| seat.leg).filter(|leg| self.web.is_offered(*leg));
        let before = self.devices.seats.get(&participant).copied();
        self.take_over((session, request), (room, participant), ticket, now)?;
        self.devices.taking.insert(participant, Taking { session, old, before });
        self.devices.moves.taken(participant, now);
        Ok(())
    }

    /// Somebody's channels are carried by another leg, or a browser's leg stands: where that is what a move waits for, it is
    /// done.
    pub(in crate::gateway) fn moves_follow(&mut self, participant: ParticipantId, now: Now) {
        let Some(Taking { session, old, .. }) = self.devices.taking.get(&participant).copied() else { return };
        let Some((order, Phase::Settling)) = self.devices.moves.get(participant) else { return };
        let (voice, keep) = (order.channels.contains(&Channel::Audio), order.keep);
        let Some(seat) = self.web.seats.get(&participant) else { return };
        let leg = seat.leg;
        let stands = Some(leg) != old && seat.next.is_none() && self.web.stands(leg);
        if seat.session() != Some(session) || !stands {
            return;
        }
        let audio = self.rooms.get(&seat.room).and_then(|live| live.participant(participant)).and_then(|p| p.audio);
        if voice && audio != Some(leg) {
            // The pictures stand; this is told again when the voice has come.
            if self.move_audio(participant, AudioBy::Web, keep, now).is_err() {
                self.devices.moves.failed(participant, Failure::NotConnected);
                self.carry_moves(now);
            }
            return;
        }
        let Some((Order { device, .. }, _)) = self.devices.moves.get(participant) else { return };
        let device = *device;
        self.devices.taking.remove(&participant);
        self.devices.seats.insert(participant, device);
        self.page_left_behind(participant, Cause::Moved);
        self.devices.moves.carried(participant);
        self.carry_moves(now);
    }

    /// A leg that was to carry somebody's channels came to nothing.
    pub(in crate::gateway) fn moves_fail(&mut self, participant: ParticipantId, now: Now) {
        if self.devices.taking.contains_key(&participant) {
            self.devices.moves.failed(participant, Failure::NotConnected);
            self.carry_moves(now);
        }
    }

    /// A page that was to take a call does not: the one that had the seat has it again, or the telephone alone.
    pub(super) fn page_gives_up(&mut self, order: &Order, now: Now) {
        if order.target == Target::Telephone {
            return;
        }
        self.devices.given = None;
        let Some(taking) = self.devices.taking.remove(&order.participant) else { return };
        match taking.before {
            Some(before) => drop(self.devices.seats.insert(order.participant, before)),
            None => drop(self.devices.seats.remove(&order.participant)),
        }
        self.give_back(order.participant, taking.session, Cause::ConnectionLost, now);
    }
}
