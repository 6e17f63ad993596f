//! What the media plane reports, and what it is told about who is heard.

use crate::base::{Cause, LegId, Now};
use crate::gateway::leg::{Leg, Stage, Way};
use crate::gateway::{Gateway, Output, Record};
use crate::media::command::{MediaCommand, MediaEvent};

impl Gateway {
    /// Deals with a fact from the media plane.
    pub(super) fn on_media(&mut self, event: MediaEvent, now: Now) {
        match event {
            MediaEvent::DigitBegan { leg } => self.on_key_down(leg, now),
            MediaEvent::Digit { leg, digit } => {
                let fresh =
                    self.legs.get_mut(&leg).is_some_and(|leg| leg.keys_heard.is_fresh(digit, Way::Event, now.mono));
                if fresh {
                    self.on_digit(leg, digit, Way::Event, now);
                }
            }
            MediaEvent::Sounded { leg, echo, figures } => self.trial_sounded(leg, echo, figures, now),
            MediaEvent::Played { leg, play } => self.on_played(leg, play, now),
            MediaEvent::Talking { leg, talking } => {
                let place = self.legs.get(&leg).and_then(Leg::place).or_else(|| self.web_place(leg));
                let Some((room, participant)) = place else { return };
                if let Some(room) = self.rooms.get_mut(&room) {
                    room.speak(participant, talking);
                }
                self.carry_out(room, now);
            }
            MediaEvent::Echo { leg, echo } => self.on_echo(leg, echo, now),
            MediaEvent::Music { leg, heard } => self.on_music(leg, heard, now),
            MediaEvent::Slots { room, slots } => self.on_slots(room, &slots),
            MediaEvent::Latched { leg, .. } => {
                self.phone_heard(leg, now);
                if let Some(Leg { stage: Stage::Answering, .. }) = self.legs.get(&leg) {
                    self.begin_attending(leg, now);
                }
            }
            MediaEvent::Secured { .. } => {}
            MediaEvent::SecurityFailed { leg } => self.hang_up(leg, Cause::NotEncrypted, now),
            MediaEvent::TimedOut { leg } => {
                // Before the answer nobody has to send anything.
                let up = self.legs.get(&leg).is_some_and(|record| record.answered.is_some());
                if up {
                    self.hang_up(leg, Cause::MediaTimeout, now);
                }
            }
            MediaEvent::Measured { leg, figures } => {
                let Some(leg) = self.legs.get_mut(&leg) else { return };
                leg.figures = Some(figures);
                if let Some((room, participant)) = leg.place() {
                    self.phone_measured(room, participant, &figures);
                }
            }
            MediaEvent::Closed { leg, .. } if self.web_leg_closed(leg, now) => {}
            MediaEvent::Closed { leg, figures } => {
                self.closing.remove(&leg);
                match self.legs.get_mut(&leg) {
                    // The media plane gave the leg up by itself: nothing can be heard any more.
                    Some(record) => {
                        record.open = false;
                        record.figures = Some(figures);
                        self.hang_up(leg, Cause::Internal, now);
                    }
                    None => {
                        self.outputs.push_back(Output::Record(Record::Measured { leg, figures: Box::new(figures) }))
                    }
                }
            }
            MediaEvent::BridgeFailed { room } => {
                let lost: Vec<LegId> = self
                    .legs
                    .values()
                    .filter(|leg| leg.place().is_some_and(|(of, _)| of == room))
                    .map(|leg| leg.id)
                    .collect();
                for leg in lost {
                    self.hang_up(leg, Cause::Internal, now);
                }
                self.web_bridge_failed(room, now);
            }
        }
    }

    /// Lets the bridge hear a leg, or not: not while its person is muted, nor while its phone holds us and plays music.
    pub(super) fn apply_mute(&mut self, leg: LegId) {
        let Some(record) = self.legs.get(&leg) else { return };
        let Some((room, participant)) = record.place() else { return };
        let muted = self.rooms.get(&room).and_then(|room| room.participant(participant)).is_none_or(|p| p.is_muted());
        let muted = muted || record.held || record.held_by_us || record.shut;
        self.order(MediaCommand::Mute { leg, muted });
    }
}
