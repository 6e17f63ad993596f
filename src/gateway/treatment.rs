//! What is done to a telephone's voice: as its profile has it, until somebody says otherwise; and its echo.

use crate::base::{LegId, Now};
use crate::gateway::Gateway;
use crate::gateway::command::{Denial, Outcome, Reply};
use crate::gateway::event::Happening;
use crate::media::command::{MediaCommand, Treatment};
use crate::media::echo::LineEcho;

/// What is changed of it; the rest stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct TreatmentChange {
    /// Its loudness is brought slowly to that of the others.
    pub level: Option<bool>,
    /// Steady noise is made softer.
    pub denoise: Option<bool>,
    /// Keys that come as tones are heard as keys, and nobody hears the tones.
    pub tones: Option<bool>,
}

impl Gateway {
    /// A leg's media began: its profile says what is done to its voice.
    pub(super) fn treat_first(&mut self, leg: LegId) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        let sound = &record.profile.sound;
        record.treatment = Treatment { level: sound.level, denoise: sound.denoise, tones: sound.tones };
        let treatment = record.treatment;
        if treatment != Treatment::default() {
            self.order(MediaCommand::Treat { leg, treatment });
        }
    }

    /// Somebody says what is done to a call's voice.
    pub(super) fn treat(&mut self, leg: LegId, change: TreatmentChange) -> Outcome {
        let Some(record) = self.legs.get_mut(&leg) else { return Err(Denial::NotFound("call")) };
        let Treatment { level, denoise, tones } = &mut record.treatment;
        for (is, wanted) in [(level, change.level), (denoise, change.denoise), (tones, change.tones)] {
            *is = wanted.unwrap_or(*is);
        }
        let treatment = record.treatment;
        if record.open {
            self.order(MediaCommand::Treat { leg, treatment });
        }
        self.touched.insert(leg);
        Ok(Reply::Done)
    }

    /// What a leg hears comes back from it, or no longer does.
    pub(super) fn on_echo(&mut self, leg: LegId, echo: Option<LineEcho>, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        if let Some(figures) = &mut record.figures {
            figures.echo = echo;
        }
        let delay_ms = echo.map(|echo| echo.delay_ms);
        // What is louder than what went out counts as no loss; `as` holds the rest within range.
        let loss_db = echo.map(|echo| echo.loss_db.max(0.0).round() as u8);
        self.publish(Happening::CallEcho { call: leg, heard: echo.is_some(), delay_ms, loss_db }, now);
    }
}
