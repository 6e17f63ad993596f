//! Telephones that answer by themselves: their microphone is heard only after they played a tone.

use crate::base::{LegId, Now};
use crate::gateway::Gateway;
use crate::gateway::leg::Owner;
use crate::media::clip::{Clip, Tone};
use crate::media::command::{MediaCommand, PlayId};

/// Between its two notes, in milliseconds.
const BETWEEN: u16 = 120;

impl Gateway {
    /// A telephone that was asked to answer by itself did: it plays a tone, and says nothing into any room before.
    pub(in crate::gateway) fn sound_before_opening(&mut self, leg: LegId) {
        let next = PlayId(self.plays + 1);
        let Some(record) = self.legs.get_mut(&leg).filter(|record| record.shut && record.open) else { return };
        record.voice.playing = Some((next, Owner::Opening));
        self.plays += 1;
        let clips = [Clip::Tone(Tone::Done), Clip::Pause(BETWEEN), Clip::Tone(Tone::Done)];
        self.order(MediaCommand::Play { leg, play: next, clips: clips.into(), repeat: false });
    }

    /// The tone was played to its end: the microphone is open.
    pub(in crate::gateway) fn tone_was_played(&mut self, leg: LegId, now: Now) {
        let Some(record) = self.legs.get_mut(&leg).filter(|record| record.shut) else { return };
        record.shut = false;
        self.apply_mute(leg);
        self.opened(leg, now);
    }
}
