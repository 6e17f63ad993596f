//! A leg as the gateway knows it: where it came from, where it stands, what it hears.

use crate::base::id::{DidId, TrunkId};
use crate::base::{Cause, Instant, LegId, ParticipantId, PhoneNumber, RoomId, Utc};
use crate::call::attendant::Attendant;
use crate::call::key_reader::KeyReader;
use crate::call::offer_answer::Negotiation;
use crate::call::pin::PinReader;
use crate::call::speech::Language;
use crate::gateway::view::{CallRecord, CallState};
use crate::media::clip::Clip;
use crate::media::command::{Figures, Format, PlayId, Remote};
use crate::room::Waiting;
use crate::sip::transport::Source;

/// A live call.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) id: LegId,
    pub(super) source: Source,
    pub(super) call_id: String,
    /// Who rings, where shown: in E.164, or as the carrier wrote it when it is no telephone number.
    pub(super) from: Option<String>,
    pub(super) caller: Option<PhoneNumber>,
    pub(super) to: String,
    pub(super) trunk: TrunkId,
    pub(super) did: DidId,
    pub(super) began: Utc,
    pub(super) answered: Option<Utc>,
    pub(super) language: Language,
    pub(super) negotiation: Negotiation,
    /// What was agreed, once it was.
    pub(super) agreed: Option<(Format, Remote)>,
    /// The media plane knows the leg.
    pub(super) open: bool,
    pub(super) held: bool,
    pub(super) stage: Stage,
    pub(super) last_room: Option<RoomId>,
    pub(super) figures: Option<Figures>,
    pub(super) voice: Voice,
    pub(super) keys_heard: KeysHeard,
}

/// Where a call stands.
#[derive(Debug)]
pub(super) enum Stage {
    /// Ports are being bound; the offer, where the INVITE had one.
    Binding { offer: Option<bytes::Bytes> },
    /// Our 200 is out.
    Answering,
    /// The attendant speaks.
    Attendant { attendant: Box<Attendant> },
    /// Has a place.
    InRoom { room: RoomId, participant: ParticipantId, keys: KeyReader, step_up: Option<PinReader> },
    /// Hears a last word.
    Leaving { cause: Cause },
}

/// What a leg is made to hear.
#[derive(Debug, Default)]
pub(super) struct Voice {
    /// What is being played once, and which run.
    pub(super) playing: Option<(PlayId, Owner)>,
    /// To be said as soon as this input has been dealt with.
    pub(super) pending: Vec<Clip>,
    /// What is heard when nothing is being said.
    pub(super) background: Option<Waiting>,
}

/// Who asked for what is being played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// The attendant, who wants to know when it ends.
    Attendant,
    /// The room.
    Room,
    /// Music or tones.
    Background,
}

/// How keys arrived, so that a phone that sends both ways is heard once.
#[derive(Debug, Default)]
pub(super) struct KeysHeard {
    /// The last key by INFO.
    pub(super) info: Option<(char, Instant)>,
    /// The last key by telephone-event.
    pub(super) event: Option<(char, Instant)>,
}

impl KeysHeard {
    /// One press arrives by both ways within this time. Shorter: slow signalling doubles keys. Longer: a quick second
    /// press of the same key by the other way is lost, which no phone does.
    const SAME_PRESS: std::time::Duration = std::time::Duration::from_millis(1500);

    /// Notes a key by telephone-event; false where INFO brought the same press before.
    pub(super) fn by_event(&mut self, digit: char, now: Instant) -> bool {
        let again = matches!(self.info, Some((seen, at)) if seen == digit && now.since(at) < Self::SAME_PRESS);
        self.event = Some((digit, now));
        if again {
            self.info = None;
        }
        !again
    }

    /// Notes a key by INFO; false where a telephone-event brought the same press before.
    pub(super) fn by_info(&mut self, digit: char, now: Instant) -> bool {
        let again = matches!(self.event, Some((seen, at)) if seen == digit && now.since(at) < Self::SAME_PRESS);
        if again {
            self.event = None;
        } else {
            self.info = Some((digit, now));
        }
        !again
    }
}

impl Leg {
    /// The state shown.
    pub(super) fn call_state(&self) -> CallState {
        match self.stage {
            Stage::Binding { .. } => CallState::Inviting,
            Stage::Answering | Stage::Attendant { .. } => CallState::Attendant,
            Stage::InRoom { .. } => CallState::InRoom,
            Stage::Leaving { .. } => CallState::Leaving,
        }
    }

    /// The place it carries.
    pub(super) fn place(&self) -> Option<(RoomId, ParticipantId)> {
        match self.stage {
            Stage::InRoom { room, participant, .. } => Some((room, participant)),
            Stage::Binding { .. } | Stage::Answering | Stage::Attendant { .. } | Stage::Leaving { .. } => None,
        }
    }

    /// Whether ports are bound for it.
    pub(super) fn has_ports(&self) -> bool {
        !matches!(self.stage, Stage::Binding { .. })
    }

    /// The row kept of it.
    pub(super) fn record(&self, ended: Option<(Utc, Cause)>) -> CallRecord {
        CallRecord {
            id: self.id,
            call_id: self.call_id.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            trunk: Some(self.trunk),
            did: Some(self.did),
            room: self.last_room,
            began: self.began,
            answered: self.answered,
            ended: ended.map(|(at, _)| at),
            cause: ended.map(|(_, cause)| cause),
            figures: self.figures,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_phone_that_keys_both_ways_is_heard_once() {
        let at = |ms| Instant::START + Duration::from_millis(ms);
        let mut keys = KeysHeard::default();
        assert!(keys.by_event('5', at(0)));
        assert!(!keys.by_info('5', at(120)), "the same press");
        assert!(keys.by_info('5', at(200)), "a second press, by INFO first");
        assert!(!keys.by_event('5', at(300)));
        assert!(keys.by_event('5', at(500)), "a third, by event alone");
        assert!(keys.by_event('5', at(700)), "a fourth");
        assert!(keys.by_info('6', at(800)));
    }
}
