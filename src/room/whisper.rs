//! One who speaks to some alone: a coach to an agent, a host to a member.

use serde::{Deserialize, Serialize};

use crate::base::ParticipantId;
use crate::media::audience::{self, Audience};
use crate::room::{Actor, Change, Output, Participant, Refusal, Room, State};

/// Whom one speaks to, and how loud the others hear it. Once all of them have left, nobody: whoever thought to be heard by some
/// alone is not heard by all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whisper {
    /// These hear it as it is.
    pub to: Vec<ParticipantId>,
    /// In percent.
    pub others: u8,
}

impl Whisper {
    fn audience(&self) -> Audience {
        Audience::new(&self.to, self.others)
    }
}

impl Room {
    /// Somebody speaks to these alone from now on, or to everybody again.
    pub(super) fn whisper(
        &mut self,
        actor: Actor,
        id: ParticipantId,
        to: &[ParticipantId],
        others: u8,
    ) -> Result<(), Refusal> {
        self.own_or_host(actor, id)?;
        let here = |of: &ParticipantId| self.participants.get(of).is_some_and(|p| p.state == State::Active);
        if to.len() > audience::MOST || others > 99 || to.contains(&id) || !to.iter().all(here) {
            return Err(Refusal::BadAudience);
        }
        let whispers = (!to.is_empty()).then(|| Whisper { to: to.to_vec(), others });
        let participant = self.active_participant(id)?;
        if participant.whispers != whispers {
            participant.whispers = whispers;
            if let Some(leg) = participant.audio {
                let audience = participant.audience();
                self.outputs.push_back(Output::Direct { leg, audience });
            }
            self.outputs.push_back(Output::Report(Change::Changed(id)));
        }
        Ok(())
    }

    /// Somebody left: nobody speaks to them any more. Nothing changes for who is left, so that the mixer is told nothing.
    pub(super) fn unwhisper(&mut self, gone: ParticipantId) {
        let whispers = self.participants.values_mut().filter_map(|p| Some((p.id, &mut p.whispers.as_mut()?.to)));
        for (id, to) in whispers {
            if to.contains(&gone) {
                to.retain(|one| *one != gone);
                self.outputs.push_back(Output::Report(Change::Changed(id)));
            }
        }
    }
}

impl Participant {
    /// Whom its voice is meant for; none: everybody.
    pub(super) fn audience(&self) -> Option<Audience> {
        self.whispers.as_ref().map(Whisper::audience)
    }
}
