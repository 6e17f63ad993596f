//! The roster: who is here, and what follows when somebody comes, goes, speaks or is put on hold.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::base::id::TicketId;
use crate::base::{Cause, Instant, LegId, Now, ParticipantId, PhoneNumber, Timers};
use crate::media::audience::Audience;
use crate::room::chat::Chat;
use crate::room::memory::{Memory, Sign};
use crate::room::{
    Announcement, ChatLine, FirstCaller, Participant, Reaction, Role, RollCallEntry, RoomSettings, State, Waiting,
};

/// Somebody at the door: authorised, in possession of a PIN or of a number that leads here.
#[derive(Debug, Clone, PartialEq)]
pub struct Entrant {
    /// The place to be taken.
    pub id: ParticipantId,
    /// The leg that carries audio; a browser's carries all.
    pub leg: LegId,
    /// The caller's number, where it was shown.
    pub number: Option<PhoneNumber>,
    /// What people call them, where they said so.
    pub name: Option<String>,
    /// As what: a host keyed the host PIN, or was invited as one.
    pub role: Role,
    /// The language prompts are spoken in.
    pub language: String,
    /// The far end holds us already.
    pub held: bool,
    /// The leg is a browser's: it carries video and data, too.
    pub browser: bool,
    /// Comes in unheard, by their own wish.
    pub muted: bool,
    /// Somebody in the meeting vouches for them: they wait for nobody.
    pub vouched: bool,
    /// By what they are known when they come back; a caller's number need not be named.
    pub signs: Vec<Sign>,
}

/// Somebody whose telephones are being rung for this room.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// The place that is kept.
    pub id: ParticipantId,
    /// What people call them.
    pub name: Option<String>,
    /// Their number, where it is one.
    pub number: Option<PhoneNumber>,
    /// The language prompts are spoken in.
    pub language: String,
}

/// An order of a room.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Put the leg into the bridge.
    Attach {
        /// The leg.
        leg: LegId,
        /// Whose.
        participant: ParticipantId,
        /// Unheard.
        muted: bool,
        /// Whom the voice is meant for, before a word of it is heard; none: everybody.
        audience: Option<Audience>,
    },
    /// Take the leg out of the bridge: its person is on hold and hears nothing of the room. The place stays.
    Detach {
        /// The leg.
        leg: LegId,
    },
    /// Let the bridge hear the leg, or not.
    SetMuted {
        /// The leg.
        leg: LegId,
        /// Unheard.
        muted: bool,
    },
    /// Whom the leg's voice is meant for from now on.
    Direct {
        /// The leg.
        leg: LegId,
        /// These; none: everybody.
        audience: Option<Audience>,
    },
    /// Tell the person something.
    Tell {
        /// The leg.
        leg: LegId,
        /// What.
        what: Announcement,
    },
    /// Music or tones when nothing is being told, until told otherwise.
    Wait {
        /// The leg.
        leg: LegId,
        /// Which; none ends it.
        how: Option<Waiting>,
    },
    /// Everyone hears that somebody came or left.
    Tone {
        /// Came, not left.
        entry: bool,
    },
    /// Take the leg out of the bridge, tell the person, then hang up. The place is gone already.
    Dismiss {
        /// The leg.
        leg: LegId,
        /// Why.
        cause: Cause,
        /// The last word.
        what: Announcement,
    },
    /// Hang up: nobody is left whom the person could talk to, nor rings. The place stays until the leg has ended.
    Release {
        /// The leg.
        leg: LegId,
        /// Why: how the last of the others went.
        cause: Cause,
    },
    /// An invitation for one person is good no more: its holder was removed.
    Withdraw {
        /// Which.
        ticket: TicketId,
    },
    /// Somebody wrote: for everyone who reads, or the two it is between.
    Chat(ChatLine),
    /// Somebody reacted: for everyone who reads.
    Reacted {
        /// Who.
        from: ParticipantId,
        /// How.
        reaction: Reaction,
    },
    /// Something for the event log.
    Report(Change),
}

/// Something for the event log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A place was taken.
    Joined(ParticipantId),
    /// A place's state changed.
    Changed(ParticipantId),
    /// A voice began or stopped being heard.
    Speaking(ParticipantId, bool),
    /// A place is gone.
    Left(ParticipantId, Cause),
    /// The meeting began.
    Started,
    /// Locked or unlocked.
    Locked(bool),
    /// Nobody is left.
    Ended,
}

/// A room with its roster.
#[derive(Debug, Clone)]
pub struct Room {
    pub(super) settings: RoomSettings,
    pub(super) participants: BTreeMap<ParticipantId, Participant>,
    /// Arrival order, for roll call and pages.
    pub(super) order: Vec<ParticipantId>,
    pub(super) started: bool,
    pub(super) locked: bool,
    pub(super) hands: u64,
    pub(super) timers: Timers<ParticipantId>,
    pub(super) outputs: VecDeque<Output>,
    pub(super) chat: Chat,
    pub(super) memory: Memory,
    longest_wait: Duration,
    /// Who hears music or tones for want of anybody to hear.
    pub(super) entertained: BTreeSet<ParticipantId>,
}

impl Room {
    /// An empty room.
    pub fn new(settings: RoomSettings, longest_wait: Duration) -> Self {
        Self {
            settings,
            participants: BTreeMap::new(),
            order: Vec::new(),
            started: false,
            locked: false,
            hands: 0,
            timers: Timers::new(),
            outputs: VecDeque::new(),
            chat: Chat::new(),
            memory: Memory::default(),
            longest_wait,
            entertained: BTreeSet::new(),
        }
    }

    /// Takes over changed settings; who is in stays in.
    pub fn configure(&mut self, settings: RoomSettings) {
        self.settings = settings;
        self.settle_waiting();
    }

    /// Somebody comes to the door.
    pub fn enter(&mut self, entrant: Entrant, now: Now) {
        match self.admits(entrant.role) {
            Ok(()) => {}
            Err(Cause::RoomFull) => return self.turn_away(entrant.leg, Cause::RoomFull, Announcement::RoomFull),
            Err(cause) => return self.turn_away(entrant.leg, cause, Announcement::RoomLocked),
        }
        let (id, leg, role) = (entrant.id, entrant.leg, entrant.role);
        let mut signs = entrant.signs;
        if !entrant.browser {
            signs.push(entrant.number.clone().map_or(Sign::Withheld, Sign::Number));
        }
        let (waits_in_lobby, waits_for_host) = match entrant.vouched {
            true => (false, false),
            false => self.would_wait(&signs, entrant.name.as_deref(), role),
        };
        let participant = Participant {
            number: entrant.number,
            held: entrant.held,
            muted_by_self: entrant.muted,
            muted_by_host: self.was_muted(&signs, role),
            audio: Some(leg),
            video: entrant.browser.then_some(leg),
            data: entrant.browser.then_some(leg),
            signs,
            ..Participant::new(id, role, entrant.language, now.utc)
        };
        self.participants.insert(id, participant);
        self.order.push(id);
        self.set_name(id, entrant.name);
        let host = role == Role::Host;
        if waits_in_lobby {
            self.begin_waiting(id, State::Lobby, now.mono);
            self.outputs.push_back(Output::Report(Change::Joined(id)));
        } else if waits_for_host {
            self.begin_waiting(id, State::WaitingForHost, now.mono);
            self.outputs.push_back(Output::Report(Change::Joined(id)));
        } else {
            if host {
                self.tell(id, Announcement::YouAreHost);
            }
            self.activate(id);
            self.outputs.push_back(Output::Report(Change::Joined(id)));
            if host {
                self.host_came();
            }
        }
    }

    /// Whether somebody who comes now waits in the lobby, and whether for the host.
    pub fn would_wait(&self, signs: &[Sign], name: Option<&str>, role: Role) -> (bool, bool) {
        let lobby = self.is_removed(signs, name, role) || self.settings.lobby && !role.admits();
        (lobby, role != Role::Host && self.settings.first_caller == FirstCaller::Host && !self.started)
    }

    /// Whether somebody of this role may come to the door now; else why not.
    pub fn admits(&self, role: Role) -> Result<(), Cause> {
        if self.locked && role != Role::Host {
            return Err(Cause::RoomLocked);
        }
        if self.participants.len() >= self.settings.max_participants as usize {
            return Err(Cause::RoomFull);
        }
        Ok(())
    }

    /// A participant's call ended.
    pub fn leave(&mut self, id: ParticipantId, cause: Cause) {
        let Some(participant) = self.take(id) else { return };
        self.outputs.push_back(Output::Report(Change::Left(id, cause)));
        self.after_leaving(&participant, cause);
    }

    /// The far end put us on hold, or took us back.
    pub fn hold(&mut self, id: ParticipantId, held: bool) {
        let Some(participant) = self.participants.get_mut(&id) else { return };
        if participant.held == held {
            return;
        }
        participant.held = held;
        self.quieten(id);
        self.outputs.push_back(Output::Report(Change::Changed(id)));
        self.settle_waiting();
    }

    /// The mixer reports that a voice is heard, or no longer.
    pub fn speak(&mut self, id: ParticipantId, speaking: bool) {
        let Some(participant) = self.participants.get_mut(&id) else { return };
        let speaking = speaking && !participant.is_muted() && participant.state == State::Active;
        if participant.speaking != speaking {
            participant.speaking = speaking;
            self.outputs.push_back(Output::Report(Change::Speaking(id, speaking)));
        }
    }

    /// A deadline passed: whoever waited too long is sent away.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(id) = self.timers.expire(now.mono) {
            self.dismiss(id, Cause::NotAdmitted, Announcement::NotAdmitted);
        }
    }

    /// The next order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Room::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// What is configured.
    pub fn settings(&self) -> &RoomSettings {
        &self.settings
    }

    /// Whether the meeting is on.
    pub fn is_started(&self) -> bool {
        self.started
    }

    /// Whether nobody else comes in.
    pub fn is_locked(&self) -> bool {
        self.locked
    }

    /// Whether nobody is here.
    pub fn is_empty(&self) -> bool {
        self.participants.is_empty()
    }

    /// Who is here, in order of arrival.
    pub fn participants(&self) -> impl Iterator<Item = &Participant> {
        self.order.iter().filter_map(|id| self.participants.get(id))
    }

    /// One participant.
    pub fn participant(&self, id: ParticipantId) -> Option<&Participant> {
        self.participants.get(&id)
    }

    /// How many are in the meeting.
    pub fn active(&self) -> u32 {
        let count = self.participants.values().filter(|p| p.state == State::Active).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// The place of a raised hand in the queue, from 1.
    pub fn hand_rank(&self, id: ParticipantId) -> Option<u32> {
        let mine = self.participants.get(&id)?.hand?;
        let before = self.participants.values().filter(|p| p.hand.is_some_and(|hand| hand < mine)).count();
        u32::try_from(before).ok().map(|before| before + 1)
    }

    /// A hand went down: whose hands went up after it are further in front.
    pub(super) fn hands_moved_up(&mut self, lowered: u64) {
        let behind = self.participants().filter(|p| p.hand.is_some_and(|hand| hand > lowered));
        let behind: Vec<ParticipantId> = behind.map(|p| p.id).collect();
        self.outputs.extend(behind.into_iter().map(|id| Output::Report(Change::Changed(id))));
    }

    /// Who is here, for one of them to hear.
    pub fn roll_call(&self, asker: ParticipantId) -> Vec<RollCallEntry> {
        self.participants()
            .filter(|p| p.state == State::Active)
            .map(|p| RollCallEntry {
                last_digits: p.number.as_ref().map(|number| number.last(2).to_owned()),
                host: p.role == Role::Host,
                yourself: p.id == asker,
                muted: p.is_muted(),
                held: p.held,
                hand: p.hand.is_some(),
                state: p.state,
            })
            .collect()
    }

    pub(super) fn tell(&mut self, id: ParticipantId, what: Announcement) {
        if self.settings.call {
            return;
        }
        if let Some(leg) = self.participants.get(&id).and_then(|p| p.audio) {
            self.outputs.push_back(Output::Tell { leg, what });
        }
    }

    pub(super) fn begin_waiting(&mut self, id: ParticipantId, state: State, now: Instant) {
        let Some(participant) = self.participants.get_mut(&id) else { return };
        participant.state = state;
        let Some(leg) = participant.audio else { return };
        let what = match state {
            State::WaitingForHost => Announcement::WaitingForHost,
            State::Lobby | State::Ringing | State::Active => Announcement::WaitingInLobby,
        };
        self.timers.arm(id, now + self.longest_wait);
        self.outputs.push_back(Output::Tell { leg, what });
        self.outputs.push_back(Output::Wait { leg, how: Some(Waiting::Music) });
    }

    /// Puts a participant into the meeting.
    pub(super) fn activate(&mut self, id: ParticipantId) {
        let others = self.active();
        let muted_on_entry = self.settings.muted_on_entry;
        let Some(participant) = self.participants.get_mut(&id) else { return };
        self.timers.disarm(&id);
        let waited = matches!(participant.state, State::Lobby | State::WaitingForHost);
        participant.state = State::Active;
        let entering_muted = muted_on_entry && participant.role == Role::Guest;
        if entering_muted {
            // Muted as if by itself: everyone may undo it with the key that the prompt names.
            participant.muted_by_self = true;
        }
        let (muted, by_host) = (participant.is_muted(), participant.muted_by_host);
        let audience = participant.audience();
        let Some(leg) = participant.audio else { return };
        if waited {
            self.outputs.push_back(Output::Wait { leg, how: None });
        }
        if !self.started {
            self.started = true;
            self.outputs.push_back(Output::Report(Change::Started));
        }
        self.outputs.push_back(Output::Attach { leg, participant: id, muted, audience });
        self.tell(id, if others == 0 { Announcement::YouAreFirst } else { Announcement::Joining { others } });
        match (by_host, entering_muted) {
            (true, _) => self.tell(id, Announcement::MutedByHost),
            (false, true) => self.tell(id, Announcement::YouAreMuted),
            (false, false) => {}
        }
        if others > 0 && others < self.settings.tones_up_to {
            self.outputs.push_back(Output::Tone { entry: true });
        }
        self.settle_waiting();
    }

    pub(super) fn host_came(&mut self) {
        let waiting: Vec<ParticipantId> =
            self.participants().filter(|p| p.state == State::WaitingForHost).map(|p| p.id).collect();
        for id in waiting {
            self.activate(id);
            self.outputs.push_back(Output::Report(Change::Changed(id)));
        }
    }

    /// Takes the place away and sends the person off with a last word.
    pub(super) fn dismiss(&mut self, id: ParticipantId, cause: Cause, what: Announcement) {
        let Some(participant) = self.take(id) else { return };
        if let Some(leg) = participant.audio {
            // Nobody speaks in between in a call.
            self.outputs.push_back(match self.settings.call {
                true => Output::Release { leg, cause },
                false => Output::Dismiss { leg, cause, what },
            });
        }
        self.outputs.push_back(Output::Report(Change::Left(id, cause)));
        self.after_leaving(&participant, cause);
    }

    /// What nobody hears is not speaking.
    pub(super) fn quieten(&mut self, id: ParticipantId) {
        let Some(participant) = self.participants.get_mut(&id) else { return };
        if participant.speaking && (participant.is_muted() || participant.held) {
            participant.speaking = false;
            self.outputs.push_back(Output::Report(Change::Speaking(id, false)));
        }
    }

    fn turn_away(&mut self, leg: LegId, cause: Cause, what: Announcement) {
        self.outputs.push_back(Output::Dismiss { leg, cause, what });
    }

    fn take(&mut self, id: ParticipantId) -> Option<Participant> {
        let participant = self.participants.remove(&id)?;
        self.order.retain(|other| *other != id);
        self.timers.disarm(&id);
        self.entertained.remove(&id);
        self.unname(id);
        self.remember_muted(&participant);
        Some(participant)
    }

    fn after_leaving(&mut self, gone: &Participant, cause: Cause) {
        if let Some(hand) = gone.hand {
            self.hands_moved_up(hand);
        }
        self.unwhisper(gone.id);
        let left = self.active();
        if gone.state == State::Active && left > 0 && left < self.settings.tones_up_to {
            self.outputs.push_back(Output::Tone { entry: false });
        }
        if self.participants.is_empty() {
            let was_on = self.started;
            self.started = false;
            self.hands = 0;
            self.chat = Chat::new();
            self.memory = Memory::default();
            if std::mem::take(&mut self.locked) {
                self.outputs.push_back(Output::Report(Change::Locked(false)));
            }
            if was_on {
                self.outputs.push_back(Output::Report(Change::Ended));
            }
        }
        if self.settings.call {
            self.release_the_last(cause);
        } else if gone.role == Role::Host && gone.state == State::Active {
            self.find_a_host();
        }
        self.settle_waiting();
    }

    /// Whether somebody is host, and nobody else is.
    pub(super) fn is_last_host(&self, id: ParticipantId) -> bool {
        let mut hosts = self.participants.values().filter(|p| p.role == Role::Host).map(|p| p.id);
        hosts.next() == Some(id) && hosts.next().is_none()
    }

    /// The last host is gone: the member who is here longest follows. Guests do not: whoever has the room's link or PIN is
    /// one, and nobody vouched for them.
    fn find_a_host(&mut self) {
        if self.participants.values().any(|p| p.role == Role::Host) {
            return;
        }
        let members = || self.participants().filter(|p| p.role == Role::Member && p.state == State::Active);
        let follows = members().find(|p| !p.away).or_else(|| members().next()).map(|p| p.id);
        let Some(host) = follows.and_then(|id| self.participants.get_mut(&id)) else { return };
        host.role = Role::Host;
        let id = host.id;
        self.tell(id, Announcement::YouAreHost);
        self.outputs.push_back(Output::Report(Change::Changed(id)));
        self.host_came();
    }
}
