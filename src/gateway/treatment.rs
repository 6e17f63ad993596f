//! What is done to a telephone's voice: as its profile has it, then its room, then whoever said so of the call; and what
//! is found wrong with it.

use crate::base::{LegId, Now, RoomId};
use crate::gateway::Gateway;
use crate::gateway::command::{Denial, Outcome, Reply};
use crate::gateway::event::Happening;
use crate::gateway::leg::Leg;
use crate::media::command::{MediaCommand, Treatment};
use crate::media::echo::LineEcho;
use crate::media::treatment::TreatmentChange;
pub use crate::media::treatment::TreatmentOrder;

impl Gateway {
    /// A leg's media began.
    pub(super) fn treat_first(&mut self, leg: LegId) {
        if let Some(record) = self.legs.get_mut(&leg) {
            record.treatment = Treatment::default();
        }
        self.treat_again(leg);
    }

    /// Whatever decides what is done to a leg's voice may have changed.
    pub(super) fn treat_again(&mut self, leg: LegId) {
        let Some(record) = self.legs.get(&leg) else { return };
        let treatment = self.treatment(record);
        if treatment != record.treatment && record.open {
            self.order_treatment(leg, treatment);
        }
    }

    /// The same for everybody in a room.
    pub(super) fn treat_room(&mut self, room: RoomId) {
        let legs: Vec<LegId> = self.legs_in(room).collect();
        legs.into_iter().for_each(|leg| self.treat_again(leg));
    }

    /// Somebody says what is done to a call's voice.
    pub(super) fn treat(&mut self, leg: LegId, order: TreatmentOrder) -> Outcome {
        let Some(record) = self.legs.get_mut(&leg) else { return Err(Denial::NotFound("call")) };
        let machine = record.profile.sound.machine;
        let asked = order.after(TreatmentChange::default()).apply(Treatment::default());
        if machine && asked != Treatment::default() {
            return Err(Denial::Conflict("its profile says that a machine talks there".to_owned()));
        }
        record.treatment_change = order.after(record.treatment_change);
        self.treat_again(leg);
        self.touched.insert(leg);
        Ok(Reply::Done)
    }

    /// What a leg hears comes back from it, or no longer does.
    pub(super) fn on_echo(&mut self, leg: LegId, echo: Option<LineEcho>, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        record.figures.get_or_insert_default().echo = echo;
        let (treatment, place) = (record.treatment, record.place());
        if treatment.echo {
            // What takes it out begins now, or ends: it needs memory, which no tick asks for.
            self.order_treatment(leg, treatment);
        }
        let delay_ms = echo.map(|echo| echo.delay_ms);
        // What is louder than what went out counts as no loss; `as` holds the rest within range.
        let loss_db = echo.map(|echo| echo.loss_db.max(0.0).round() as u8);
        let heard = echo.is_some();
        self.publish(
            Happening::CallEcho { call: leg, heard, removed: heard && treatment.echo, delay_ms, loss_db },
            now,
        );
        self.pages_look(place, now);
    }

    /// What a leg sends is music, or a voice again.
    pub(super) fn on_music(&mut self, leg: LegId, heard: bool, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        record.figures.get_or_insert_default().music = heard;
        let place = record.place();
        let (room, participant) = (place.map(|(room, _)| room), place.map(|(_, participant)| participant));
        self.publish(Happening::CallMusic { call: leg, room, participant, heard }, now);
        self.pages_look(place, now);
    }

    fn pages_look(&mut self, place: Option<(RoomId, crate::base::ParticipantId)>, now: Now) {
        let Some((id, participant)) = place else { return };
        if let Some(room) = self.rooms.get_mut(&id) {
            room.look_again(participant);
            self.carry_out(id, now);
        }
    }

    fn treatment(&self, leg: &Leg) -> Treatment {
        let sound = &leg.profile.sound;
        if sound.machine {
            return Treatment::default();
        }
        let room = leg.place().and_then(|(room, _)| self.rooms.get(&room)).map(|room| room.settings().sound);
        let own = Treatment {
            level: sound.level,
            denoise: sound.denoise,
            tones: sound.tones,
            music: sound.music,
            echo: sound.echo,
        };
        room.unwrap_or_default().and(leg.treatment_change).apply(own)
    }

    fn order_treatment(&mut self, leg: LegId, treatment: Treatment) {
        if let Some(record) = self.legs.get_mut(&leg) {
            record.treatment = treatment;
        }
        self.order(MediaCommand::Treat { leg, treatment });
    }
}
