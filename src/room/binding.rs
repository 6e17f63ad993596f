//! Which leg carries what of a person: it can change without the place changing.

use crate::base::{LegId, ParticipantId};
use crate::room::{Change, Channel, Output, Room, State};

impl Room {
    /// The leg that carries a person's audio changed: another telephone took the call over.
    pub fn rebind(&mut self, id: ParticipantId, leg: LegId, held: bool) {
        let Some(participant) = self.participants.get_mut(&id) else { return };
        participant.held = held;
        participant.held_by_us = false;
        self.bind(id, &[Channel::Audio], Some(leg));
    }

    /// These channels of a person are carried by this leg from now on, or by none. The leg that carried them is not told:
    /// whoever moves them makes it quiet once the new one is heard.
    pub fn bind(&mut self, id: ParticipantId, channels: &[Channel], leg: Option<LegId>) {
        let Some(participant) = self.participants.get_mut(&id) else { return };
        for channel in channels {
            match channel {
                Channel::Audio => participant.audio = leg,
                Channel::Video => participant.video = leg,
                Channel::Data => participant.data = leg,
            }
        }
        if participant.video.is_none() {
            participant.camera_on = false;
            participant.screen_on = false;
        }
        let (active, muted) = (participant.state == State::Active, participant.is_muted());
        let (held, audience) = (participant.held_by_us, participant.audience());
        if let (true, true, false, Some(leg)) = (channels.contains(&Channel::Audio), active, held, leg) {
            self.outputs.push_back(Output::Attach { leg, participant: id, muted, audience });
        }
        if channels.contains(&Channel::Audio) {
            // What the old leg was made to hear went with it.
            self.entertained.remove(&id);
        }
        self.outputs.push_back(Output::Report(Change::Changed(id)));
        self.settle_waiting();
    }

    /// The connection of a person's page dropped, or is back.
    pub fn set_away(&mut self, id: ParticipantId, away: bool) {
        let Some(participant) = self.participants.get_mut(&id).filter(|p| p.away != away) else { return };
        participant.away = away;
        self.outputs.push_back(Output::Report(Change::Changed(id)));
    }

    /// Something of a person changed that others look after: whoever shows them looks again.
    pub fn look_again(&mut self, id: ParticipantId) {
        if self.participants.contains_key(&id) {
            self.outputs.push_back(Output::Report(Change::Changed(id)));
        }
    }

    /// A person has a picture, or none any more.
    pub fn set_avatar(&mut self, id: ParticipantId, avatar: Option<String>) {
        let Some(participant) = self.participants.get_mut(&id).filter(|p| p.avatar != avatar) else { return };
        participant.avatar = avatar;
        self.outputs.push_back(Output::Report(Change::Changed(id)));
    }
}
