//! What legs are made to hear: announcements, one after the other, over music or a room.

use std::sync::Arc;
use std::time::Duration;

use crate::base::{LegId, Now};
use crate::gateway::leg::{Owner, Stage, Voice};
use crate::gateway::{Gateway, Timer, words};
use crate::media::clip::{Clip, Tone};
use crate::media::command::{MediaCommand, PlayId};
use crate::room::{Announcement, Waiting};

/// Longest last word; after it the call ends even if the end of the prompt is never reported.
const LAST_WORD: Duration = Duration::from_secs(20);

/// Silence between two tones for somebody who is alone. Shorter: it nags. Longer: the line seems dead.
const BETWEEN_TONES: u16 = 8_000;

impl Gateway {
    /// Says something to a leg, after what else is said to it by this input.
    pub(super) fn tell(&mut self, leg: LegId, what: &Announcement) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        let clips = words::announcement(what, &record.language);
        record.voice.pending.extend(clips);
        self.touched.insert(leg);
    }

    /// Says ready-made clips to a leg.
    pub(super) fn say(&mut self, leg: LegId, clips: impl IntoIterator<Item = Clip>) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        record.voice.pending.extend(clips);
        self.touched.insert(leg);
    }

    /// Plays what the attendant asked for.
    pub(super) fn play_for_attendant(&mut self, leg: LegId, play: PlayId, clips: Arc<[Clip]>) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        record.voice.playing = Some((play, Owner::Attendant));
        self.order(MediaCommand::Play { leg, play, clips, repeat: false });
    }

    /// Sets or ends what is heard when nothing is said.
    pub(super) fn set_background(&mut self, leg: LegId, how: Option<Waiting>) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        record.voice.background = how;
        self.touched.insert(leg);
    }

    /// Plays what was asked for during this input.
    pub(super) fn flush_voices(&mut self, now: Now) {
        for leg in std::mem::take(&mut self.touched) {
            let next_play = PlayId(self.plays + 1);
            let Some(record) = self.legs.get_mut(&leg) else { continue };
            let leaving = matches!(record.stage, Stage::Leaving { .. });
            let voice = &mut record.voice;
            // What is said meanwhile follows.
            if matches!(voice.playing, Some((_, Owner::Opening))) && !leaving {
                continue;
            }
            let order = if !voice.pending.is_empty() {
                voice.playing = Some((next_play, Owner::Room));
                let clips: Arc<[Clip]> = std::mem::take(&mut voice.pending).into();
                if leaving {
                    self.timers.arm(Timer::LastWord(leg), now.mono + LAST_WORD);
                }
                Some(MediaCommand::Play { leg, play: next_play, clips, repeat: false })
            } else {
                background_order(voice, leg, next_play)
            };
            if let Some(order) = order {
                self.plays += 1;
                self.order(order);
            }
        }
    }

    /// A run ended by itself.
    pub(super) fn on_played(&mut self, leg: LegId, play: PlayId, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        let owner = match record.voice.playing {
            Some((playing, owner)) if playing == play => owner,
            Some(_) | None => return,
        };
        record.voice.playing = None;
        match (owner, &record.stage) {
            (Owner::Attendant, _) => self.attend(leg, crate::call::attendant::Input::Played(play), now),
            (Owner::Room, Stage::Leaving { cause }) => {
                let cause = *cause;
                self.hang_up(leg, cause, now);
            }
            (Owner::Opening, _) => {
                self.touched.insert(leg);
                self.tone_was_played(leg, now);
            }
            // What was played over the tone was not the tone.
            (Owner::Operator, _) if record.shut => self.sound_before_opening(leg),
            (Owner::Room | Owner::Operator | Owner::Background, _) => {
                self.touched.insert(leg);
            }
        }
    }

    /// A key went down: what is being said stops.
    pub(super) fn on_key_down(&mut self, leg: LegId, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        if let Stage::InRoom { step_up: Some(pin), .. } = &mut record.stage {
            // However long this key is held, it is no pause after the one before.
            pin.key_began(now);
            if let Some(at) = pin.poll_timeout() {
                self.timers.arm(Timer::Keys(leg), at);
            }
        }
        match (&record.stage, record.voice.playing) {
            (Stage::Attendant { .. }, _) => self.attend(leg, crate::call::attendant::Input::DigitBegan, now),
            (Stage::InRoom { .. }, Some((_, Owner::Room))) => {
                record.voice.playing = None;
                self.touched.insert(leg);
                self.order(MediaCommand::StopPlaying { leg });
            }
            (
                Stage::InRoom { .. }
                | Stage::Binding { .. }
                | Stage::Calling { .. }
                | Stage::Joining { .. }
                | Stage::Replacing { .. }
                | Stage::Preparing { .. }
                | Stage::Ringing { .. }
                | Stage::Answering
                | Stage::Seating {}
                | Stage::OnTrial {}
                | Stage::Leaving { .. },
                _,
            ) => {}
        }
    }
}

fn background_order(voice: &mut Voice, leg: LegId, play: PlayId) -> Option<MediaCommand> {
    match (voice.playing, voice.background) {
        (None, Some(how)) => {
            voice.playing = Some((play, Owner::Background));
            let clips: Arc<[Clip]> = match how {
                Waiting::Music => Arc::new([Clip::Music]),
                Waiting::Tone => Arc::new([Clip::Pause(BETWEEN_TONES), Clip::Tone(Tone::Done)]),
            };
            Some(MediaCommand::Play { leg, play, clips, repeat: true })
        }
        (Some((_, Owner::Background)), None) => {
            voice.playing = None;
            Some(MediaCommand::StopPlaying { leg })
        }
        (None, None) | (Some(_), _) => None,
    }
}
