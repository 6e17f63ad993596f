//! What people write and show to each other while the meeting lives.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{Now, ParticipantId, Throttle, Utc};
use crate::room::text::read_line;
use crate::room::{Actor, Output, Refusal, Room, State};

/// Lines kept for those who come later.
const KEPT: usize = 200;

/// Bytes of text kept for those who come later, names included. More: who comes, and comes again, is sent all of it each time.
/// Fewer: of a busy meeting the last minutes alone.
const KEPT_BYTES: usize = 64 * 1024;

/// Lines at once, then one more each second: nobody types faster for long.
const LINES: (u32, Duration) = (10, Duration::from_secs(1));

/// Reactions at once, then one more each half second.
const REACTIONS: (u32, Duration) = (6, Duration::from_millis(500));

/// People remembered by each throttle: as many as a room may hold.
const PEOPLE: usize = 5000;

/// A line of chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct ChatLine {
    /// Its place in the room, from 1.
    pub id: u64,
    /// Who wrote; none: the operator.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub from: Option<ParticipantId>,
    /// To whom alone; none: to everyone.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub to: Option<ParticipantId>,
    /// What the writer was called then.
    pub name: String,
    /// What was written: plain text, never markup.
    pub text: String,
    /// When, in milliseconds since 1970.
    #[cfg_attr(feature = "node", schema(value_type = i64))]
    pub at: Utc,
}

/// How somebody reacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Reaction {
    /// Agrees.
    ThumbsUp,
    /// Loves it.
    Heart,
    /// Laughs.
    Laugh,
    /// Is surprised.
    Surprised,
    /// Applauds.
    Applause,
    /// Celebrates.
    Party,
}

impl ChatLine {
    fn size(&self) -> usize {
        self.text.len() + self.name.len()
    }

    /// Whether it is for this person's eyes.
    pub fn is_for(&self, id: ParticipantId) -> bool {
        self.to.is_none() || self.to == Some(id) || self.from == Some(id)
    }
}

/// What was written in a meeting.
#[derive(Debug, Clone)]
pub(super) struct Chat {
    lines: VecDeque<ChatLine>,
    /// Of all lines.
    bytes: usize,
    next: u64,
    lines_by: Throttle<Option<ParticipantId>>,
    reactions_by: Throttle<ParticipantId>,
}

impl Chat {
    pub(super) fn new() -> Self {
        Self {
            lines: VecDeque::new(),
            bytes: 0,
            next: 1,
            lines_by: Throttle::new(LINES.0, LINES.1, PEOPLE),
            reactions_by: Throttle::new(REACTIONS.0, REACTIONS.1, PEOPLE),
        }
    }
}

impl Chat {
    fn keep(&mut self, line: ChatLine) {
        self.bytes += line.size();
        self.lines.push_back(line);
        while self.lines.len() > KEPT || self.bytes > KEPT_BYTES {
            let Some(oldest) = self.lines.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(oldest.size());
        }
    }
}

impl Room {
    /// What this person may read, the oldest first.
    pub fn chat_for(&self, id: ParticipantId) -> Vec<ChatLine> {
        self.chat.lines.iter().filter(|line| line.is_for(id)).cloned().collect()
    }

    pub(super) fn say(&mut self, actor: Actor, to: Option<ParticipantId>, text: &str, now: Now) -> Result<(), Refusal> {
        let (from, name) = match actor {
            Actor::Api => (None, "Operator".to_owned()),
            Actor::Participant(id) => {
                let writer = self.reader(id)?;
                (Some(id), writer.name.clone().unwrap_or_default())
            }
        };
        if let Some(to) = to {
            self.reader(to)?;
        }
        let text = read_line(text)?;
        self.chat.lines_by.take(&from, now.mono).map_err(|_| Refusal::TooOften)?;
        let line = ChatLine { id: self.chat.next, from, to, name, text, at: now.utc };
        self.chat.next += 1;
        self.chat.keep(line.clone());
        self.outputs.push_back(Output::Chat(line));
        Ok(())
    }

    pub(super) fn react(&mut self, actor: Actor, reaction: Reaction, now: Now) -> Result<(), Refusal> {
        let Actor::Participant(from) = actor else { return Err(Refusal::OnlyThemselves) };
        match self.participants.get(&from) {
            Some(participant) if participant.state == State::Active => {}
            Some(_) => return Err(Refusal::NotActive),
            None => return Err(Refusal::NoSuchParticipant),
        }
        self.chat.reactions_by.take(&from, now.mono).map_err(|_| Refusal::TooOften)?;
        self.outputs.push_back(Output::Reacted { from, reaction });
        Ok(())
    }

    /// Somebody in the meeting who reads.
    fn reader(&self, id: ParticipantId) -> Result<&super::Participant, Refusal> {
        match self.participants.get(&id) {
            None => Err(Refusal::NoSuchParticipant),
            Some(participant) if participant.state != State::Active => Err(Refusal::NotActive),
            Some(participant) if !participant.reads() => Err(Refusal::CannotRead),
            Some(participant) => Ok(participant),
        }
    }
}
