//! A leg as the gateway knows it: where it came from, where it stands, what it hears.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::base::id::{DidId, RelayId};
use crate::base::{Cause, Instant, LegId, Now, ParticipantId, PhoneNumber, RoomId, Utc};
use crate::call::attendant::Attendant;
use crate::call::key_reader::KeyReader;
use crate::call::offer_answer::Negotiation;
use crate::call::pin::PinReader;
use crate::call::speech::Language;
use crate::gateway::calls::CallPlan;
use crate::gateway::ringing::RingId;
use crate::gateway::trunks::Hop;
use crate::gateway::view::{CallDirection, CallRecord, CallState};
use crate::identity::Standing;
use crate::media::clip::Clip;
use crate::media::command::{Figures, Format, PlayId, Remote, Treatment};
use crate::media::treatment::TreatmentChange;
use crate::profile::Profile;
use crate::room::Waiting;
use crate::route::{Destination, Party};
use crate::sip::auth::Prover;
use crate::sip::endpoint::{Attempt, OutboundInvite};
use crate::wire::sip::{Status, Uri};

/// A live call.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) id: LegId,
    pub(super) direction: CallDirection,
    /// Who is at the far end.
    pub(super) party: Party,
    /// The dialect spoken with it.
    pub(super) profile: Arc<Profile>,
    /// Where its signalling comes from, or goes to.
    pub(super) peer: SocketAddr,
    /// The relay in whose network that is; none: in ours.
    pub(super) relay: Option<RelayId>,
    pub(super) call_id: String,
    /// Who rings, where shown: in E.164, or as the carrier wrote it when it is no telephone number.
    pub(super) from: Option<String>,
    pub(super) caller: Option<PhoneNumber>,
    pub(super) to: String,
    pub(super) did: Option<DidId>,
    /// Where it leads.
    pub(super) destination: Destination,
    /// It is a call for help.
    pub(super) help: bool,
    /// Somebody in the meeting it comes to vouches for it: no lobby.
    pub(super) vouched: Option<Vouched>,
    /// What the caller's signed identity was worth.
    pub(super) identity: Standing,
    pub(super) began: Utc,
    pub(super) answered: Option<Utc>,
    pub(super) language: Language,
    pub(super) negotiation: Negotiation,
    /// What was agreed, once it was.
    pub(super) agreed: Option<(Format, Remote)>,
    /// The media plane knows the leg.
    pub(super) open: bool,
    /// It was asked to answer by itself: nothing that it sends is heard before it played a tone.
    pub(super) shut: bool,
    /// Packets of its far end came.
    pub(super) heard: bool,
    /// Ports are bound for it.
    pub(super) bound: bool,
    /// The far end holds us.
    pub(super) held: bool,
    /// We hold the far end.
    pub(super) held_by_us: bool,
    pub(super) stage: Stage,
    pub(super) last_room: Option<RoomId>,
    pub(super) figures: Option<Figures>,
    /// What is done to its voice.
    pub(super) treatment: Treatment,
    /// What was said of it.
    pub(super) treatment_change: TreatmentChange,
    pub(super) voice: Voice,
    pub(super) keys_heard: KeysHeard,
    /// The bridge the media plane has it in, and whose leg it is there.
    pub(super) bridged: Option<(RoomId, ParticipantId)>,
    /// Keys and pauses that are still to be sent to the far end.
    pub(super) keying: Keying,
}

/// A right to come into a meeting without PIN and lobby, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Vouched {
    /// Who vouches; none: the operator.
    pub(super) by: Option<ParticipantId>,
}

/// Where a call stands.
#[derive(Debug)]
pub(super) enum Stage {
    /// Inbound: ports are being bound; the offer, where the INVITE had one.
    Binding { offer: Option<Bytes>, plan: Option<Box<CallPlan>> },
    /// Inbound: somebody is rung for this caller, who hears that it rings.
    Calling {
        ring: RingId,
        /// The offer to be answered, until it is.
        offer: Option<Bytes>,
        /// What answered it before the 200: the 200 says the same (RFC 6337 §3.1).
        early: Option<Bytes>,
        /// What the caller was told last of how far it is.
        told: Option<Status>,
    },
    /// Inbound: the 200 held our offer, so that the place is taken when the ACK brings the answer.
    Joining { room: RoomId },
    /// Inbound: it is to take another leg's place; the offer, until it is answered.
    Replacing { old: LegId, offer: Option<Bytes> },
    /// Outbound: ports are being bound for what is to be sent.
    Preparing { ring: RingId, call: Box<Outgoing> },
    /// Outbound: our INVITE is out.
    Ringing { ring: RingId, call: Box<Outgoing> },
    /// Our 200 is out.
    Answering,
    /// The attendant speaks.
    Attendant { attendant: Box<Attendant> },
    /// Has a place.
    InRoom { room: RoomId, participant: ParticipantId, keys: KeyReader, step_up: Option<PinReader> },
    /// It is to take a seat that somebody has: asked for a key before, or its audio is awaited.
    Seating {},
    /// Outbound: it is there to test its trunk.
    OnTrial {},
    /// Hears a last word.
    Leaving { cause: Cause },
}

/// A call we make, until its answer.
pub(super) struct Outgoing {
    /// What is sent; kept for a repetition with credentials. Its SDP is written when the ports are known.
    pub(super) invite: OutboundInvite,
    /// The trunk's place it goes to, where it goes by a trunk.
    pub(super) hop: Option<Hop>,
    /// What challenges are answered with, and how often they were.
    pub(super) prover: Option<Prover>,
    /// Its telephone rings.
    pub(super) rings: bool,
    /// How it was refused, until its end is told.
    pub(super) refused: Option<Refused>,
}

/// How a call we make was refused.
#[derive(Debug, Clone)]
pub(super) struct Refused {
    pub(super) status: Status,
    /// Its challenge can be answered: the same again, with credentials.
    pub(super) again: Option<Attempt>,
    /// Where a redirection points, the most wanted first.
    pub(super) elsewhere: Vec<Uri>,
}

impl fmt::Debug for Outgoing {
    /// Never the headers: they hold numbers and answers to challenges.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("target", &self.invite.target)
            .field("rings", &self.rings)
            .finish_non_exhaustive()
    }
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
    /// The operator, by API.
    Operator,
    /// Music or tones.
    Background,
    /// The tone before a microphone opens.
    Opening,
}

/// Presses that came by one way and not yet by the other, so that a phone that sends both ways is heard once. Signalling
/// may lag behind audio by several presses, so each waits for its own counterpart.
#[derive(Default)]
pub(super) struct KeysHeard {
    waiting: VecDeque<Heard>,
}

/// One press, by one way.
struct Heard {
    digit: char,
    way: Way,
    at: Instant,
}

/// How a press arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Telephone-events.
    Event,
    /// SIP INFO.
    Info,
}

/// Keys and pauses that are still to be sent.
#[derive(Default)]
pub(super) struct Keying {
    pub(super) waiting: VecDeque<Keyed>,
}

/// A key or a pause that is to be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyed {
    /// A key.
    Key(char),
    /// Nothing, for so long.
    Pause(Duration),
}

impl fmt::Debug for Keying {
    /// Keys do not print.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keying").finish_non_exhaustive()
    }
}

impl KeysHeard {
    /// One press arrives by both ways within this time. Shorter: slow signalling doubles keys. Longer: a quick second
    /// press of the same key by the other way is lost, which no phone does.
    const SAME_PRESS: std::time::Duration = std::time::Duration::from_millis(1500);

    /// Most presses that wait for their counterpart: nobody keys more in that time.
    const MOST: usize = 32;

    /// Notes a press; false where it came by the other way before.
    pub(super) fn is_fresh(&mut self, digit: char, way: Way, now: Instant) -> bool {
        while self.waiting.front().is_some_and(|heard| now.since(heard.at) >= Self::SAME_PRESS) {
            self.waiting.pop_front();
        }
        if let Some(index) = self.waiting.iter().position(|heard| heard.digit == digit && heard.way != way) {
            self.waiting.remove(index);
            return false;
        }
        if self.waiting.len() >= Self::MOST {
            self.waiting.pop_front();
        }
        self.waiting.push_back(Heard { digit, way, at: now });
        true
    }
}

impl fmt::Debug for KeysHeard {
    /// Keys do not print.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeysHeard").finish_non_exhaustive()
    }
}

impl Leg {
    /// A leg of which nothing more is known.
    pub(super) fn new(
        id: LegId,
        direction: CallDirection,
        party: Party,
        profile: Arc<Profile>,
        peer: SocketAddr,
        negotiation: Negotiation,
        now: Now,
    ) -> Self {
        Self {
            id,
            direction,
            party,
            profile,
            peer,
            relay: None,
            call_id: String::new(),
            from: None,
            caller: None,
            to: String::new(),
            did: None,
            destination: Destination::Attendant {},
            help: false,
            vouched: None,
            identity: Standing::Unchecked,
            began: now.utc,
            answered: None,
            language: Language::english(),
            negotiation,
            agreed: None,
            open: false,
            shut: false,
            heard: false,
            bound: false,
            held: false,
            held_by_us: false,
            stage: Stage::Binding { offer: None, plan: None },
            last_room: None,
            figures: None,
            treatment: Treatment::default(),
            treatment_change: TreatmentChange::default(),
            voice: Voice::default(),
            keys_heard: KeysHeard::default(),
            bridged: None,
            keying: Keying::default(),
        }
    }

    /// The state shown.
    pub(super) fn call_state(&self) -> CallState {
        match &self.stage {
            Stage::Binding { .. } | Stage::Preparing { .. } => CallState::Inviting,
            Stage::Ringing { call, .. } if !call.rings => CallState::Inviting,
            Stage::Calling { .. } | Stage::Ringing { .. } | Stage::Joining { .. } | Stage::Replacing { .. } => {
                CallState::Ringing
            }
            Stage::Answering | Stage::Attendant { .. } | Stage::Seating {} => CallState::Attendant,
            Stage::InRoom { .. } | Stage::OnTrial {} => CallState::InRoom,
            Stage::Leaving { .. } => CallState::Leaving,
        }
    }

    /// The place it carries.
    pub(super) fn place(&self) -> Option<(RoomId, ParticipantId)> {
        match self.stage {
            Stage::InRoom { room, participant, .. } => Some((room, participant)),
            Stage::Binding { .. }
            | Stage::Calling { .. }
            | Stage::Joining { .. }
            | Stage::Replacing { .. }
            | Stage::Preparing { .. }
            | Stage::Ringing { .. }
            | Stage::Answering
            | Stage::Attendant { .. }
            | Stage::Seating {}
            | Stage::OnTrial {}
            | Stage::Leaving { .. } => None,
        }
    }

    /// The row kept of it.
    pub(super) fn record(&self, ended: Option<(Utc, Cause)>) -> CallRecord {
        CallRecord {
            id: self.id,
            call_id: self.call_id.clone(),
            direction: self.direction,
            from: self.from.clone(),
            to: self.to.clone(),
            trunk: self.party.trunk(),
            extension: self.party.extension(),
            did: self.did,
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

    fn at(ms: u64) -> Instant {
        Instant::START + Duration::from_millis(ms)
    }

    #[test]
    fn a_phone_that_keys_both_ways_is_heard_once() {
        let mut keys = KeysHeard::default();
        assert!(keys.is_fresh('5', Way::Event, at(0)));
        assert!(!keys.is_fresh('5', Way::Info, at(120)), "the same press");
        assert!(keys.is_fresh('5', Way::Info, at(200)), "a second press, by INFO first");
        assert!(!keys.is_fresh('5', Way::Event, at(300)));
        assert!(keys.is_fresh('5', Way::Event, at(500)), "a third, by event alone");
        assert!(keys.is_fresh('5', Way::Event, at(700)), "a fourth");
        assert!(keys.is_fresh('6', Way::Info, at(800)));
        assert!(keys.is_fresh('5', Way::Info, at(2200)), "too late to be one of those");
    }

    #[test]
    fn signalling_that_lags_several_presses_behind_doubles_none() {
        let mut keys = KeysHeard::default();
        let presses: Vec<(u64, char)> = (0..).step_by(140).zip("118833#".chars()).collect();
        let mut arrivals: Vec<(u64, char, Way)> = presses.iter().map(|(ms, digit)| (*ms, *digit, Way::Event)).collect();
        arrivals.extend(presses.iter().map(|(ms, digit)| (ms + 700, *digit, Way::Info)));
        arrivals.sort_by_key(|(ms, _, _)| *ms);
        let heard: String = arrivals
            .into_iter()
            .filter(|(ms, digit, way)| keys.is_fresh(*digit, *way, at(*ms)))
            .map(|(_, digit, _)| digit)
            .collect();
        assert_eq!(heard, "118833#");
    }
}
