//! One person, one seat: a browser beside the telephone, and the voice moved between the two.

use crate::base::id::{ElevationId, TicketId};
use crate::base::{Cause, LegId, Now, ParticipantId, RoomId, SessionId};
use crate::elevation::{Input, Reason};
use crate::gateway::elevate::{BACK_AFTER, OFFER_AFTER};
use crate::gateway::web::Code;
use crate::gateway::web::protocol::{AudioBy, ServerMessage};
use crate::gateway::{Gateway, Timer};
use crate::handoff::Move;
use crate::media::clip::{Clip, Tone};
use crate::room::Channel;

impl Gateway {
    /// A page takes the seat of somebody on a telephone.
    pub(in crate::gateway) fn take_elevated(
        &mut self,
        (session, request): (SessionId, u64),
        (room, participant): (RoomId, ParticipantId),
        (elevation, ticket): (ElevationId, TicketId),
        now: Now,
    ) -> Result<(), Code> {
        self.redeem_seat(session, (room, participant), ticket)?;
        if self.web.seats.contains_key(&participant) {
            self.take_seat(participant, session, request, now);
        } else {
            self.sit_beside(room, participant, now);
            self.welcome(participant, session, request, true, now);
        }
        self.elevation(elevation, Input::Bound, now);
        Ok(())
    }

    /// The telephone that carries, or could carry, a person's voice.
    pub(in crate::gateway) fn phone_of(&self, room: RoomId, participant: ParticipantId) -> Option<LegId> {
        let audio = self.rooms.get(&room)?.participant(participant)?.audio;
        if let Some(leg) = audio.filter(|leg| self.legs.contains_key(leg)) {
            return Some(leg);
        }
        self.legs.values().find(|record| record.place() == Some((room, participant))).map(|record| record.id)
    }

    /// A page is gone for good. True: its person stays, by telephone.
    pub(in crate::gateway) fn unseat(&mut self, participant: ParticipantId, cause: Cause, now: Now) -> bool {
        let Some(room) = self.web_room(participant) else { return false };
        let Some(phone) = self.phone_of(room, participant) else { return false };
        let audio = self.rooms.get(&room).and_then(|room| room.participant(participant)).and_then(|p| p.audio);
        if audio != Some(phone) {
            self.say(phone, [Clip::Tone(Tone::Done)]);
        }
        if let Some(live) = self.rooms.get_mut(&room) {
            if audio != Some(phone) {
                live.bind(participant, &[Channel::Audio], Some(phone));
            }
            live.bind(participant, &[Channel::Video, Channel::Data], None);
            live.set_away(participant, false);
        }
        self.end_seat(participant, cause, now);
        self.carry_out(room, now);
        if let Some(id) = self.elevations.of(participant) {
            self.elevation(id, Input::Closed(Reason::PageClosed), now);
        }
        true
    }

    /// A person's telephone hung up. True: the page in their seat stays, and is offered to carry the voice.
    pub(in crate::gateway) fn phone_left(&mut self, leg: LegId, room: RoomId, id: ParticipantId, now: Now) -> bool {
        if !self.web.seats.contains_key(&id) {
            return false;
        }
        let Some(live) = self.rooms.get_mut(&room) else { return false };
        let Some(person) = live.participant(id) else { return false };
        // Nobody is left in a call whom the page could talk to.
        if live.settings().call && live.participants().count() == 1 {
            return false;
        }
        // A telephone that was kept on the line in silence takes nothing with it.
        if person.audio == Some(leg) {
            live.bind(id, &[Channel::Audio], None);
            self.web.handoffs.lost(leg);
            self.carry_out(room, now);
            self.timers.arm(Timer::AudioOffer(id), now.mono + OFFER_AFTER);
        } else {
            self.web.handoffs.lost(leg);
            if let Some(seat) = self.web.seats.get_mut(&id) {
                seat.parked = seat.parked.filter(|parked| *parked != leg);
            }
            live.look_again(id);
            self.carry_out(room, now);
        }
        true
    }

    /// The telephone did not come back at once: the page is asked.
    pub(in crate::gateway) fn offer_audio(&mut self, participant: ParticipantId) {
        let Some(room) = self.web_room(participant) else { return };
        let without =
            self.rooms.get(&room).and_then(|room| room.participant(participant)).is_some_and(|p| p.audio.is_none());
        if let Some(session) = self.web_session(participant).filter(|_| without) {
            self.tell_page(session, ServerMessage::AudioOffer { reason: Reason::PhoneHungUp });
        }
    }

    /// A browser that may carry the voice is heard no more: where a telephone is kept on the line, it takes over soon.
    pub(in crate::gateway) fn voice_may_fall_silent(&mut self, participant: ParticipantId, now: Now) {
        if self.web.seats.get(&participant).is_some_and(|seat| seat.parked.is_some()) {
            self.timers.arm(Timer::VoiceBack(participant), now.mono + BACK_AFTER);
        }
    }

    /// Nothing comes from a browser's leg any more, though its page is there.
    pub(in crate::gateway) fn web_leg_silent(&mut self, leg: LegId, now: Now) {
        let carries = self.web_place(leg).map(|(_, participant)| participant);
        if let Some(participant) = carries {
            self.voice_may_fall_silent(participant, now);
        }
    }

    /// A browser's leg is heard again.
    pub(in crate::gateway) fn web_leg_heard(&mut self, leg: LegId) {
        let Some((_, participant)) = self.web_place(leg) else { return };
        if self.web_session(participant).is_some() {
            self.timers.disarm(&Timer::VoiceBack(participant));
        }
    }

    /// The browser did not come back in time: the telephone that was kept on the line carries the voice, and its person hears that.
    pub(in crate::gateway) fn voice_back(&mut self, participant: ParticipantId, now: Now) {
        let Some(seat) = self.web.seats.get_mut(&participant) else { return };
        let Some(phone) = seat.parked else { return };
        if seat.session.is_some() && seat.next.is_some() {
            // The page is there and sets up another peer connection: that comes about, or is given up.
            return self.timers.arm(Timer::VoiceBack(participant), now.mono + BACK_AFTER);
        }
        seat.next = None;
        if self.move_audio(participant, AudioBy::Phone, false, now).is_ok() {
            self.say(phone, [Clip::Tone(Tone::Done)]);
        }
    }

    /// Moves a person's voice to the browser, or back to the telephone on the line.
    pub(in crate::gateway) fn move_audio(
        &mut self,
        me: ParticipantId,
        by: AudioBy,
        keep: bool,
        now: Now,
    ) -> Result<(), Code> {
        let seat = self.web.seats.get(&me).ok_or(Code::NotJoined)?;
        let (room, web) = (seat.room, seat.leg);
        if seat.next.is_some() {
            // Another peer connection is on its way; it would be given up for this.
            return Err(Code::NotAllowed);
        }
        let person = self.rooms.get(&room).and_then(|room| room.participant(me)).ok_or(Code::NotJoined)?;
        let from = person.audio;
        let to = match by {
            AudioBy::Web => Some(web).filter(|leg| self.web.legs.get(leg).is_some_and(|record| record.connected)),
            AudioBy::Phone => self.phone_of(room, me),
            AudioBy::None => return Err(Code::NotAllowed),
        };
        let to = to.ok_or(Code::NoSuchAudio)?;
        if from == Some(to) {
            // Whatever was on its way elsewhere is not wanted any more.
            self.web.handoffs.cancel(me);
            self.carry_out_moves(now);
            return Ok(());
        }
        let kept = from.filter(|from| keep && by == AudioBy::Web && self.legs.contains_key(from));
        if let Some(seat) = self.web.seats.get_mut(&me) {
            seat.parked = kept;
        }
        // The browser's leg has the video, too, and stays.
        let keep = keep || from == Some(web);
        let what = Move { participant: me, room, channels: vec![Channel::Audio], from, to, keep };
        self.web.handoffs.begin(what, now);
        self.carry_out_moves(now);
        // A browser stands, but may send nothing: until its microphone is heard the telephone carries the voice.
        let heard = self.legs.contains_key(&to) || self.web.legs.get(&to).is_some_and(|record| record.speaks);
        if heard || from.is_none() {
            self.web.handoffs.verified(to, now);
            self.carry_out_moves(now);
        }
        Ok(())
    }

    /// A browser's microphone is heard, or no more: a voice that waits for it comes.
    pub(in crate::gateway) fn web_leg_speaks(&mut self, leg: LegId, on: bool, now: Now) {
        let Some(record) = self.web.legs.get_mut(&leg) else { return };
        record.speaks = on;
        if on && record.connected {
            self.web.handoffs.verified(leg, now);
            self.carry_out_moves(now);
        }
    }
}
