//! Operations on a room: who may do what, decided here for every door.

use crate::base::{Cause, Now, ParticipantId};
use crate::media::web::Source;
use crate::room::{Actor, Announcement, Change, Operation, Output, Participant, Refusal, Role, Room, State, read_name};

impl Room {
    /// Does what is asked, or says why not; nothing is changed by a refusal.
    pub fn operate(&mut self, actor: Actor, operation: &Operation, now: Now) -> Result<(), Refusal> {
        match operation {
            Operation::Mute { participant } => self.mute(actor, *participant),
            Operation::Unmute { participant } => self.unmute(actor, *participant),
            Operation::MuteAll {} => self.mute_all(actor, true),
            Operation::UnmuteAll {} => self.mute_all(actor, false),
            Operation::RaiseHand { participant } => self.set_hand(actor, *participant, true),
            Operation::LowerHand { participant } => self.set_hand(actor, *participant, false),
            Operation::Whisper { participant, to, others } => self.whisper(actor, *participant, to, *others),
            Operation::Rename { participant, name } => self.rename(actor, *participant, name),
            Operation::Admit { participant } => self.admit(actor, *participant),
            Operation::AdmitAll {} => self.admit_all(actor),
            Operation::Refuse { participant } => self.refuse(actor, *participant),
            Operation::Remove { participant } => self.remove(actor, *participant),
            Operation::SetRole { participant, role } => self.set_role(actor, *participant, *role),
            Operation::Say { to, text } => self.say(actor, *to, text, now),
            Operation::React { reaction } => self.react(actor, *reaction, now),
            Operation::Show { participant, source } => self.set_shown(actor, *participant, *source, true),
            Operation::Hide { participant, source } => self.set_shown(actor, *participant, *source, false),
            Operation::Lock {} => self.set_locked(actor, true),
            Operation::Unlock {} => self.set_locked(actor, false),
            Operation::End {} => self.end(actor),
        }
    }

    /// Whether the actor may make invitations to this room: hosts in the meeting.
    pub fn may_invite(&self, actor: Actor) -> Result<(), Refusal> {
        self.require_host(actor)
    }

    fn mute(&mut self, actor: Actor, id: ParticipantId) -> Result<(), Refusal> {
        let by_self = self.own_or_host(actor, id)?;
        let participant = self.active_participant(id)?;
        let was = (participant.muted_by_self, participant.muted_by_host);
        if by_self {
            participant.muted_by_self = true;
        } else {
            participant.muted_by_host = true;
        }
        if was != (participant.muted_by_self, participant.muted_by_host) {
            self.after_muting(id, was.0 || was.1);
        }
        self.tell(id, if by_self { Announcement::YouAreMuted } else { Announcement::MutedByHost });
        Ok(())
    }

    fn unmute(&mut self, actor: Actor, id: ParticipantId) -> Result<(), Refusal> {
        let by_self = self.own_or_host(actor, id)?;
        let self_unmute = self.settings.self_unmute;
        let participant = self.active_participant(id)?;
        let was = participant.is_muted();
        if by_self {
            if participant.muted_by_host && !self_unmute && participant.role != Role::Host {
                return Err(Refusal::MutedByHost);
            }
            participant.muted_by_self = false;
            participant.muted_by_host = false;
        } else {
            if participant.muted_by_self && !participant.muted_by_host {
                return Err(Refusal::MutedItself);
            }
            participant.muted_by_host = false;
        }
        let muted = participant.is_muted();
        self.forget_muted(id);
        if was {
            self.after_muting(id, was);
        }
        match (by_self, muted) {
            (true, false) => self.tell(id, Announcement::YouAreUnmuted),
            (false, false) if was => self.tell(id, Announcement::UnmutedByHost),
            (true, true) | (false, false) => {}
            (false, true) => self.tell(id, Announcement::YouAreMuted),
        }
        Ok(())
    }

    fn mute_all(&mut self, actor: Actor, muted: bool) -> Result<(), Refusal> {
        self.require_host(actor)?;
        self.remember_all(muted);
        let guests: Vec<ParticipantId> = self
            .participants()
            .filter(|p| p.role != Role::Host && p.state == State::Active && p.muted_by_host != muted)
            .map(|p| p.id)
            .collect();
        for id in guests {
            let participant = self.active_participant(id)?;
            let was = participant.is_muted();
            participant.muted_by_host = muted;
            let is = participant.is_muted();
            self.after_muting(id, was);
            if was != is {
                self.tell(id, if is { Announcement::MutedByHost } else { Announcement::UnmutedByHost });
            }
        }
        Ok(())
    }

    fn set_hand(&mut self, actor: Actor, id: ParticipantId, up: bool) -> Result<(), Refusal> {
        self.own_or_host(actor, id)?;
        let next = self.hands + 1;
        let participant = self.active_participant(id)?;
        let before = participant.hand;
        if before.is_some() != up {
            participant.hand = up.then_some(next);
            self.hands = next;
            self.outputs.push_back(Output::Report(Change::Changed(id)));
            if let Some(lowered) = before {
                self.hands_moved_up(lowered);
            }
        }
        self.tell(id, if up { Announcement::HandRaised } else { Announcement::HandLowered });
        Ok(())
    }

    fn rename(&mut self, actor: Actor, id: ParticipantId, name: &str) -> Result<(), Refusal> {
        self.own_or_host(actor, id)?;
        let name = read_name(name)?;
        self.set_name(id, name);
        self.outputs.push_back(Output::Report(Change::Changed(id)));
        Ok(())
    }

    /// Shows camera or screen, or ends that. Nobody's camera is opened by somebody else.
    fn set_shown(&mut self, actor: Actor, id: ParticipantId, source: Source, on: bool) -> Result<(), Refusal> {
        let by_self = self.own_or_host(actor, id)?;
        if on && !by_self {
            return Err(Refusal::OnlyThemselves);
        }
        let participant = self.active_participant(id)?;
        let shown = match source {
            Source::Camera => &mut participant.camera_on,
            Source::Screen => &mut participant.screen_on,
            // What is heard has operations of its own.
            Source::Microphone => return if on { self.unmute(actor, id) } else { self.mute(actor, id) },
        };
        if std::mem::replace(shown, on) != on {
            self.outputs.push_back(Output::Report(Change::Changed(id)));
        }
        Ok(())
    }

    fn admit(&mut self, actor: Actor, id: ParticipantId) -> Result<(), Refusal> {
        self.require_admitter(actor)?;
        let participant = self.participants.get(&id).ok_or(Refusal::NoSuchParticipant)?;
        match participant.state {
            State::Lobby | State::WaitingForHost => {}
            State::Ringing | State::Active => return Err(Refusal::NotInLobby),
        }
        self.tell(id, Announcement::Admitted);
        self.forgive(id);
        self.activate(id);
        self.outputs.push_back(Output::Report(Change::Changed(id)));
        Ok(())
    }

    fn admit_all(&mut self, actor: Actor) -> Result<(), Refusal> {
        self.require_admitter(actor)?;
        let waiting: Vec<ParticipantId> = self
            .participants()
            .filter(|p| matches!(p.state, State::Lobby | State::WaitingForHost))
            .map(|p| p.id)
            .collect();
        if waiting.is_empty() {
            return Err(Refusal::NobodyWaiting);
        }
        for id in waiting {
            self.admit(actor, id)?;
        }
        Ok(())
    }

    fn refuse(&mut self, actor: Actor, id: ParticipantId) -> Result<(), Refusal> {
        self.require_host(actor)?;
        let participant = self.participants.get(&id).ok_or(Refusal::NoSuchParticipant)?;
        if participant.state == State::Active {
            return Err(Refusal::NotInLobby);
        }
        self.remember_removed(id);
        self.dismiss(id, Cause::NotAdmitted, Announcement::NotAdmitted);
        Ok(())
    }

    fn remove(&mut self, actor: Actor, id: ParticipantId) -> Result<(), Refusal> {
        self.require_host(actor)?;
        if !self.participants.contains_key(&id) {
            return Err(Refusal::NoSuchParticipant);
        }
        if actor == Actor::Participant(id) {
            self.dismiss(id, Cause::HungUp, Announcement::Removed);
            return Ok(());
        }
        self.remember_removed(id);
        self.dismiss(id, Cause::Removed, Announcement::Removed);
        Ok(())
    }

    fn set_role(&mut self, actor: Actor, id: ParticipantId, role: Role) -> Result<(), Refusal> {
        self.require_host(actor)?;
        let last = self.is_last_host(id);
        let participant = self.participants.get_mut(&id).ok_or(Refusal::NoSuchParticipant)?;
        if participant.role == role {
            return Ok(());
        }
        if last {
            return Err(Refusal::LastHost);
        }
        participant.role = role;
        let waiting = participant.state != State::Active;
        match role {
            Role::Host => {
                self.tell(id, Announcement::YouAreHost);
                if waiting {
                    self.activate(id);
                }
                self.outputs.push_back(Output::Report(Change::Changed(id)));
                self.host_came();
            }
            Role::Member | Role::Guest => self.outputs.push_back(Output::Report(Change::Changed(id))),
        }
        Ok(())
    }

    fn set_locked(&mut self, actor: Actor, locked: bool) -> Result<(), Refusal> {
        self.require_host(actor)?;
        if self.locked != locked {
            self.locked = locked;
            self.outputs.push_back(Output::Report(Change::Locked(locked)));
        }
        Ok(())
    }

    fn end(&mut self, actor: Actor) -> Result<(), Refusal> {
        self.require_host(actor)?;
        // Hosts last: else members become hosts of a meeting that is over.
        let (hosts, others): (Vec<_>, Vec<_>) = self
            .order
            .iter()
            .copied()
            .partition(|id| self.participants.get(id).is_some_and(|participant| participant.role == Role::Host));
        for id in others.into_iter().chain(hosts) {
            self.dismiss(id, Cause::RoomEnded, Announcement::RoomEnded);
        }
        Ok(())
    }

    /// Whether the actor acts for itself; `Err` when it is neither that nor a host.
    pub(super) fn own_or_host(&self, actor: Actor, id: ParticipantId) -> Result<bool, Refusal> {
        if !self.participants.contains_key(&id) {
            return Err(Refusal::NoSuchParticipant);
        }
        if actor == Actor::Participant(id) {
            return Ok(true);
        }
        self.require_host(actor).map(|()| false)
    }

    fn require_host(&self, actor: Actor) -> Result<(), Refusal> {
        match actor {
            Actor::Api => Ok(()),
            Actor::Participant(id) => match self.participants.get(&id) {
                Some(participant) if participant.role == Role::Host => Ok(()),
                Some(_) => Err(Refusal::HostOnly),
                None => Err(Refusal::NoSuchParticipant),
            },
        }
    }

    /// Hosts and members let people in.
    fn require_admitter(&self, actor: Actor) -> Result<(), Refusal> {
        match actor {
            Actor::Participant(id)
                if self.participants.get(&id).is_some_and(|p| p.role.admits() && p.state == State::Active) =>
            {
                Ok(())
            }
            Actor::Participant(_) | Actor::Api => self.require_host(actor),
        }
    }

    pub(super) fn active_participant(&mut self, id: ParticipantId) -> Result<&mut Participant, Refusal> {
        let participant = self.participants.get_mut(&id).ok_or(Refusal::NoSuchParticipant)?;
        if participant.state == State::Active { Ok(participant) } else { Err(Refusal::NotActive) }
    }

    fn after_muting(&mut self, id: ParticipantId, was: bool) {
        let Some(participant) = self.participants.get(&id) else { return };
        let muted = participant.is_muted();
        if let (true, Some(leg)) = (was != muted, participant.audio) {
            self.outputs.push_back(Output::SetMuted { leg, muted });
        }
        self.quieten(id);
        self.outputs.push_back(Output::Report(Change::Changed(id)));
    }
}
