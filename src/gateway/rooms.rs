//! Legs into rooms, and what rooms order carried out.

use crate::base::{LegId, Now, ParticipantId, RoomId};
use crate::call::key_reader::KeyReader;
use crate::elevation::Reason;
use crate::gateway::event::Happening;
use crate::gateway::leg::Stage;
use crate::gateway::{Gateway, Output, Record, Timer};
use crate::media::clip::{Clip, Tone};
use crate::media::command::MediaCommand;
use crate::room::{self, Change, ChatLine, Entrant, Role};

impl Gateway {
    /// Somebody with a PIN, or by a number that leads there, comes to a room's door.
    pub(super) fn enter_room(&mut self, leg: LegId, room_id: RoomId, host: bool, now: Now) {
        let Some(map) = self.rooms.get(&room_id).map(|room| self.key_map(&room.settings().keys)) else {
            return self.hang_up(leg, crate::base::Cause::NoRoute, now);
        };
        let Some(room) = self.rooms.get_mut(&room_id) else { return };
        let Some(record) = self.legs.get_mut(&leg) else { return };
        let extension = record.party.extension().and_then(|id| self.table.extensions.get(&id));
        let name = extension.map(|of| of.name.clone()).filter(|name| !name.is_empty());
        let early = record.bridged.filter(|(room, _)| *room == room_id).map(|(_, participant)| participant);
        let participant = early.unwrap_or_else(|| ParticipantId::draw(&mut self.rng));
        let keys = KeyReader::new(map);
        let vouched = record.vouched.take();
        record.stage = Stage::InRoom { room: room_id, participant, keys, step_up: None };
        record.last_room = Some(room_id);
        record.voice.playing = None;
        self.timers.disarm(&Timer::Attendant(leg));
        room.enter(
            Entrant {
                id: participant,
                leg,
                number: record.caller.clone(),
                name,
                role: if host { Role::Host } else { Role::Guest },
                language: record.language.tag().to_owned(),
                held: record.held,
                browser: false,
                muted: false,
                vouched: vouched.is_some(),
                signs: Vec::new(),
            },
            now,
        );
        let row = record.record(None);
        self.outputs.push_back(Output::Record(Record::Changed(Box::new(row))));
        self.carry_out(room_id, now);
        if let Some(vouched) = vouched {
            self.tell_of_merge(leg, vouched, now);
        }
        self.elevate_on_arrival(leg, now);
    }

    /// Carries out what a room ordered.
    pub(super) fn carry_out(&mut self, room_id: RoomId, now: Now) {
        while let Some(output) = self.rooms.get_mut(&room_id).and_then(room::Room::poll_output) {
            match output {
                room::Output::Attach { leg, participant, muted, audience }
                    if self.attach_web(leg, room_id, (participant, muted, audience)) => {}
                room::Output::Attach { leg, participant, muted, audience } => {
                    let Some(record) = self.legs.get_mut(&leg) else { continue };
                    let muted = muted || record.held || record.shut;
                    // In a meeting keys are orders to us, and PINs; in a call they are the other's business.
                    let keys = self.rooms.get(&room_id).is_some_and(|room| room.settings().call);
                    // Whoever was heard before the answer is there already.
                    let order = match record.bridged.replace((room_id, participant)) {
                        Some(there) if there == (room_id, participant) => {
                            if audience.is_some() {
                                self.order(MediaCommand::Direct { leg, audience });
                            }
                            MediaCommand::Mute { leg, muted }
                        }
                        Some(_) | None => MediaCommand::Join { leg, room: room_id, participant, muted, keys, audience },
                    };
                    self.order(order);
                    self.treat_again(leg);
                }
                room::Output::Detach { leg } if self.detach_web(leg) => {}
                room::Output::Detach { leg } => self.unbridge(leg),
                room::Output::Release { leg, cause } if self.release_web(leg, cause, now) => {}
                // One who handed over says goodbye in its own time, and one who went to another room talks there.
                room::Output::Release { leg, cause } if self.is_in(leg, room_id) => self.hang_up(leg, cause, now),
                room::Output::Release { .. } => {}
                room::Output::SetMuted { leg, muted } if self.mute_web(leg, muted) => {}
                room::Output::SetMuted { leg, .. } => self.apply_mute(leg),
                room::Output::Direct { leg, audience } => self.order(MediaCommand::Direct { leg, audience }),
                room::Output::Tell { leg, what } => self.tell(leg, &what),
                room::Output::Wait { leg, how } => self.set_background(leg, how),
                room::Output::Tone { entry } => {
                    let tone = if entry { Tone::Entry } else { Tone::Exit };
                    self.order(MediaCommand::PlayToRoom { room: room_id, clips: [Clip::Tone(tone)].into() });
                }
                room::Output::Dismiss { leg, cause, what } => self.dismiss(leg, cause, &what, now),
                room::Output::Withdraw { ticket } => self.withdraw(ticket, now),
                room::Output::Chat(line) => self.said(room_id, line, now),
                room::Output::Reacted { from, reaction } => self.pages_see(room_id, from, reaction),
                room::Output::Report(change) => self.report(room_id, change, now),
            }
        }
        match self.rooms.get(&room_id).and_then(room::Room::poll_timeout) {
            Some(at) => self.timers.arm(Timer::Room(room_id), at),
            None => {
                self.timers.disarm(&Timer::Room(room_id));
            }
        }
        // A call's room is gone with its last place.
        if self.rooms.get(&room_id).is_some_and(|room| room.settings().call && room.is_empty()) {
            self.rooms.remove(&room_id);
        }
    }

    /// The legs that have a place in a room: by the room's own list, which is short where the gateway's is long.
    pub(super) fn legs_in(&self, room: RoomId) -> impl Iterator<Item = LegId> {
        let participants = self.rooms.get(&room).into_iter().flat_map(room::Room::participants);
        participants.filter_map(|participant| participant.audio).filter(move |leg| self.is_in(*leg, room))
    }

    fn is_in(&self, leg: LegId, room: RoomId) -> bool {
        self.legs.get(&leg).and_then(|record| record.place()).is_some_and(|(place, _)| place == room)
    }

    /// Takes a leg out of whatever bridge it is in.
    pub(super) fn unbridge(&mut self, leg: LegId) {
        if let Some(record) = self.legs.get_mut(&leg) {
            record.bridged = None;
        }
        self.order(MediaCommand::Leave { leg });
    }

    /// Takes a leg out of the meeting, says a last word, then hangs up.
    pub(super) fn dismiss(&mut self, leg: LegId, cause: crate::base::Cause, what: &room::Announcement, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        record.stage = Stage::Leaving { cause };
        record.voice.background = None;
        record.voice.pending.clear();
        record.voice.playing = None;
        self.timers.disarm(&Timer::Keys(leg));
        self.unbridge(leg);
        self.tell(leg, what);
        // Nothing to say in this language, or no library: then nothing keeps the caller.
        if self.legs.get(&leg).is_some_and(|leg| leg.voice.pending.is_empty()) {
            self.hang_up(leg, cause, now);
        }
    }

    fn report(&mut self, room: RoomId, change: Change, now: Now) {
        let what = match change {
            Change::Joined(id) => self
                .participant_view(room, id, false)
                .map(|view| Happening::Joined { room, participant: Box::new(view) }),
            Change::Changed(id) => self
                .participant_view(room, id, false)
                .map(|view| Happening::Changed { room, participant: Box::new(view) }),
            Change::Speaking(participant, speaking) => Some(Happening::Speaking { room, participant, speaking }),
            Change::Left(participant, cause) => {
                // Whoever is rung for a place that was taken away is rung no longer.
                let rung = self.rings.iter().find(|(_, ring)| ring.participant == participant).map(|(id, _)| *id);
                match rung {
                    Some(ring) => self.abandon_ring(ring, cause, now),
                    None => self.silence_rings_of(room, now),
                }
                self.web.handoffs.cancel(participant);
                self.carry_out_moves(now);
                self.callbacks_end(participant, cause, now);
                let why = if cause == crate::base::Cause::Removed { Reason::Removed } else { Reason::CallEnded };
                self.elevations_end(participant, why, now);
                self.codes_end(participant, crate::transfer::Reason::CallEnded, now);
                Some(Happening::Left { room, participant, cause })
            }
            Change::Started => Some(Happening::RoomStarted { room }),
            Change::Locked(locked) => Some(Happening::RoomLocked { room, locked }),
            Change::Ended => Some(Happening::RoomEnded { room }),
        };
        if let Some(what) = what {
            self.publish(what, now);
        }
        self.pages_follow(room, change, now);
    }

    /// Somebody wrote. What is said to one alone is told to nobody else, nor kept.
    fn said(&mut self, room: RoomId, line: ChatLine, now: Now) {
        if line.to.is_none() {
            let (from, name, text) = (line.from, line.name.clone(), line.text.clone());
            self.publish(Happening::Said { room, from, name, text }, now);
        }
        self.pages_read(room, line);
    }
}
