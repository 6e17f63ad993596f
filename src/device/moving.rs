//! The machine of moves: one for each call that is being moved to another device of its person.
//!
//! ```text
//!            ┌ telephone ─▶ Ringing ─ answered ─┐
//!  begin ────┼ page, asked ▶ Asked ─ yes ─▶ Opening ─ its page is in the seat ─▶ Settling ─ verified ─▶ Moved
//!            └ page, at once ──────────────────▶┘
//!  no answer, declined, busy, lost, too late, call over: Failed; the call is as it was
//! ```
//!
//! A move never takes anything from the device that carries the call: only `handoff` does, once the new leg stands.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::id::DeviceId;
use crate::base::{Instant, Now, ParticipantId, Timers};
use crate::device::{Capability, Device, Failure, Kind, Refusal, Transfers};
use crate::room::Channel;

/// How long a page is asked. Longer: who asked waits for somebody who is not there. Shorter: nobody reaches the laptop.
const ASKED: Duration = Duration::from_secs(30);

/// How long a page may take from its yes until it is in the seat and its peer connection stands. Longer: a move hangs on a
/// page that never loads. Shorter: who is asked for the microphone first has no time to say yes.
const OPENS_WITHIN: Duration = Duration::from_secs(45);

/// At whose wish a call is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum How {
    /// From the device that it goes to.
    Pulled,
    /// From elsewhere: another device, or a program.
    Pushed,
    /// By itself, because the person is nearer to the other device.
    Followed,
    /// Back to where it came from.
    HandedBack,
}

/// What a device is asked to carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Channels {
    /// The whole call: whatever the device can carry of it. What is left behind ends.
    Whole,
    /// These alone; the others stay where they are.
    Only(Vec<Channel>),
}

/// How a device is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// It rings.
    Telephone,
    /// Its page is told; `asks` where the person has to say yes there.
    Page {
        /// Asked first.
        asks: bool,
    },
}

/// A move that may begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Whose call.
    pub participant: ParticipantId,
    /// To which device.
    pub device: DeviceId,
    /// How it is reached.
    pub target: Target,
    /// What is moved.
    pub channels: Vec<Channel>,
    /// What the device cannot carry ends with the move.
    pub whole: bool,
    /// The old leg stays up, silent, to go back to.
    pub keep: bool,
    /// At whose wish.
    pub how: How,
    /// The device that carries it now, where that is known.
    pub from: Option<DeviceId>,
}

/// What is known of a call that is to be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallFacts {
    /// It is a call for help, or somebody's in its room is.
    pub help: bool,
    /// It is on hold.
    pub held: bool,
    /// The person talks.
    pub up: bool,
}

/// What is known of the device it is to go to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// Its telephone is registered, its page open.
    pub online: bool,
    /// It carries another call.
    pub busy: bool,
    /// Its person wishes not to be disturbed.
    pub dnd: bool,
    /// What it carries of this call already.
    pub carries: Vec<Channel>,
}

/// Decides whether a call may be moved to a device, and what of it goes there.
pub fn check(
    device: &Device,
    standing: &Standing,
    call: CallFacts,
    wanted: &Channels,
    how: How,
) -> Result<Vec<Channel>, Refusal> {
    if call.help {
        return Err(Refusal::Emergency);
    }
    if !call.up {
        return Err(Refusal::NotUp);
    }
    if call.held {
        return Err(Refusal::Held);
    }
    let lacks = |channel| match channel {
        Channel::Audio => Refusal::Lacks(Capability::Audio),
        Channel::Video | Channel::Data => Refusal::Lacks(Capability::Video),
    };
    let channels: Vec<Channel> = match wanted {
        Channels::Whole if !device.carries(Channel::Audio) => return Err(lacks(Channel::Audio)),
        Channels::Whole => {
            [Channel::Audio, Channel::Video].into_iter().filter(|channel| device.carries(*channel)).collect()
        }
        Channels::Only(only) => match only.iter().find(|channel| !device.carries(**channel)) {
            Some(missing) => return Err(lacks(*missing)),
            None => only.clone(),
        },
    };
    let left: Vec<Channel> = channels.into_iter().filter(|channel| !standing.carries.contains(channel)).collect();
    if left.is_empty() {
        return Err(Refusal::AlreadyThere);
    }
    // Who stands at a device may take the call to it, whatever it is asked by others.
    if how != How::Pulled && device.consent.transfers == Transfers::Never {
        return Err(Refusal::Unwilling);
    }
    if !standing.online {
        return Err(Refusal::Offline);
    }
    if standing.busy {
        return Err(Refusal::Busy);
    }
    if standing.dnd && device.kind == Kind::Telephone && how != How::Pulled {
        return Err(Refusal::DoNotDisturb);
    }
    Ok(left)
}

/// How far a move is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Phase {
    /// The telephone rings.
    Ringing,
    /// The page asks the person.
    Asked,
    /// The page takes the seat.
    Opening,
    /// The new leg is there, and is not verified yet.
    Settling,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Ring this telephone for the seat.
    Ring(Order),
    /// Ask on this page whether it takes the call.
    Ask(Order),
    /// Give this page what takes the seat.
    Open(Order),
    /// What was begun at the device is given up: it rings no more, is asked no more, opens nothing.
    GiveUp(Order, Phase),
    /// The device carries it.
    Moved(Order),
    /// Nothing has changed.
    Failed(Order, Failure),
}

/// Where a call came from, to hand it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Back {
    /// The device.
    pub device: DeviceId,
    /// What it carried.
    pub channels: Vec<Channel>,
}

/// Every move under way, one for each call.
#[derive(Debug, Default)]
pub struct Moves {
    moves: BTreeMap<ParticipantId, (Order, Phase)>,
    backs: BTreeMap<ParticipantId, Back>,
    timers: Timers<ParticipantId>,
    outputs: VecDeque<Output>,
}

impl Moves {
    /// Begins a move that was checked.
    pub fn begin(&mut self, order: Order, now: Now) -> Result<(), Refusal> {
        if self.moves.contains_key(&order.participant) {
            return Err(Refusal::UnderWay);
        }
        let (phase, output) = match order.target {
            Target::Telephone => (Phase::Ringing, Output::Ring(order.clone())),
            Target::Page { asks: true } => (Phase::Asked, Output::Ask(order.clone())),
            Target::Page { asks: false } => (Phase::Opening, Output::Open(order.clone())),
        };
        self.arm(order.participant, phase, now);
        self.moves.insert(order.participant, (order, phase));
        self.outputs.push_back(output);
        Ok(())
    }

    /// Somebody at the device says whether it takes the call. False: it is not asked.
    pub fn answered(&mut self, participant: ParticipantId, device: DeviceId, takes: bool, now: Now) -> bool {
        let asked = self.moves.get_mut(&participant);
        let asked = asked.filter(|(order, phase)| order.device == device && *phase == Phase::Asked);
        let Some((order, phase)) = asked else { return false };
        if takes {
            *phase = Phase::Opening;
            self.outputs.push_back(Output::Open(order.clone()));
            self.arm(participant, Phase::Opening, now);
        } else {
            self.failed(participant, Failure::Declined);
        }
        true
    }

    /// The device has a leg for the call: it answered, or its page is in the seat.
    pub fn taken(&mut self, participant: ParticipantId, now: Now) {
        let Some((_, phase)) = self.moves.get_mut(&participant) else { return };
        *phase = Phase::Settling;
        self.arm(participant, Phase::Settling, now);
    }

    /// The device carries what was to be moved.
    pub fn carried(&mut self, participant: ParticipantId) {
        self.timers.disarm(&participant);
        let Some((order, _)) = self.moves.remove(&participant) else { return };
        match (order.how, order.from) {
            (How::HandedBack, _) | (_, None) => drop(self.backs.remove(&participant)),
            (_, Some(device)) => {
                self.backs.insert(participant, Back { device, channels: order.channels.clone() });
            }
        }
        self.outputs.push_back(Output::Moved(order));
    }

    /// It came to nothing. What was begun at the device is given up.
    pub fn failed(&mut self, participant: ParticipantId, why: Failure) {
        self.timers.disarm(&participant);
        let Some((order, phase)) = self.moves.remove(&participant) else { return };
        self.outputs.push_back(Output::GiveUp(order.clone(), phase));
        self.outputs.push_back(Output::Failed(order, why));
    }

    /// The call is over.
    pub fn ended(&mut self, participant: ParticipantId) {
        self.failed(participant, Failure::CallEnded);
        self.backs.remove(&participant);
    }

    /// A deadline passed.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(participant) = self.timers.expire(now.mono) {
            let why = match self.moves.get(&participant) {
                Some((_, Phase::Asked | Phase::Ringing)) => Failure::NoAnswer,
                Some((_, Phase::Opening | Phase::Settling)) => Failure::NotConnected,
                None => continue,
            };
            self.failed(participant, why);
        }
    }

    /// The next order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Moves::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The move of a call that is under way.
    pub fn get(&self, participant: ParticipantId) -> Option<(&Order, Phase)> {
        self.moves.get(&participant).map(|(order, phase)| (order, *phase))
    }

    /// Every move under way.
    pub fn all(&self) -> impl Iterator<Item = (&Order, Phase)> {
        self.moves.values().map(|(order, phase)| (order, *phase))
    }

    /// Where a call can be handed back to.
    pub fn back(&self, participant: ParticipantId) -> Option<&Back> {
        self.backs.get(&participant)
    }

    /// It was handed back by other means.
    pub fn forget_back(&mut self, participant: ParticipantId) {
        self.backs.remove(&participant);
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.moves.is_empty()
    }

    fn arm(&mut self, participant: ParticipantId, phase: Phase, now: Now) {
        match phase {
            // Who rings it knows how long.
            Phase::Ringing => drop(self.timers.disarm(&participant)),
            Phase::Asked => self.timers.arm(participant, now.mono + ASKED),
            Phase::Opening | Phase::Settling => self.timers.arm(participant, now.mono + OPENS_WITHIN),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::base::Utc;
    use crate::base::id::ExtensionId;
    use crate::device::Consent;

    const ANNA: ParticipantId = ParticipantId::from_bits(1);
    const LAPTOP: DeviceId = DeviceId::from_bits(2);
    const DESK: DeviceId = DeviceId::from_bits(3);

    fn at(seconds: u64) -> Now {
        Now { mono: Instant::START + Duration::from_secs(seconds), utc: Utc(0) }
    }

    fn device(kind: Kind, transfers: Transfers) -> Device {
        let capabilities: BTreeSet<Capability> = match kind {
            Kind::Telephone => [Capability::Audio].into(),
            Kind::Browser | Kind::App => [Capability::Audio, Capability::Video].into(),
        };
        Device {
            id: LAPTOP,
            extension: ExtensionId::from_bits(1),
            kind,
            name: "laptop".into(),
            capabilities,
            consent: Consent { transfers, camera: false },
            key: None,
            created: Utc(0),
            seen: Utc(0),
        }
    }

    fn order(target: Target) -> Order {
        Order {
            participant: ANNA,
            device: LAPTOP,
            target,
            channels: vec![Channel::Audio, Channel::Video],
            whole: true,
            keep: false,
            how: How::Pushed,
            from: Some(DESK),
        }
    }

    fn names(moves: &mut Moves) -> Vec<String> {
        std::iter::from_fn(|| moves.poll_output())
            .map(|output| match output {
                Output::Ring(_) => "ring".to_owned(),
                Output::Ask(_) => "ask".to_owned(),
                Output::Open(_) => "open".to_owned(),
                Output::GiveUp(_, phase) => format!("give up {phase:?}"),
                Output::Moved(_) => "moved".to_owned(),
                Output::Failed(_, why) => format!("{why:?}"),
            })
            .collect()
    }

    const UP: CallFacts = CallFacts { help: false, held: false, up: true };

    #[test]
    fn each_refusal_is_its_own() {
        let (laptop, phone) = (device(Kind::Browser, Transfers::Ask), device(Kind::Telephone, Transfers::Ask));
        let there = Standing { online: true, ..Standing::default() };
        let pushed = |device: &Device, standing: &Standing, call, wanted: &Channels| {
            check(device, standing, call, wanted, How::Pushed)
        };
        let whole = Channels::Whole;
        assert_eq!(pushed(&laptop, &there, UP, &whole), Ok(vec![Channel::Audio, Channel::Video]));
        assert_eq!(pushed(&phone, &there, UP, &whole), Ok(vec![Channel::Audio]));
        assert_eq!(pushed(&laptop, &there, CallFacts { help: true, ..UP }, &whole), Err(Refusal::Emergency));
        assert_eq!(pushed(&laptop, &there, CallFacts { held: true, ..UP }, &whole), Err(Refusal::Held));
        assert_eq!(pushed(&laptop, &there, CallFacts::default(), &whole), Err(Refusal::NotUp));
        let video = Channels::Only(vec![Channel::Video]);
        assert_eq!(pushed(&phone, &there, UP, &video), Err(Refusal::Lacks(Capability::Video)));
        assert_eq!(pushed(&laptop, &there, UP, &video), Ok(vec![Channel::Video]));
        assert_eq!(pushed(&laptop, &Standing::default(), UP, &whole), Err(Refusal::Offline));
        assert_eq!(pushed(&laptop, &Standing { busy: true, ..there.clone() }, UP, &whole), Err(Refusal::Busy));
        let dnd = Standing { dnd: true, ..there.clone() };
        assert_eq!(pushed(&phone, &dnd, UP, &whole), Err(Refusal::DoNotDisturb));
        let all = Standing { carries: vec![Channel::Audio, Channel::Video], ..there.clone() };
        assert_eq!(pushed(&laptop, &all, UP, &whole), Err(Refusal::AlreadyThere));
        let unwilling = device(Kind::Browser, Transfers::Never);
        assert_eq!(pushed(&unwilling, &there, UP, &whole), Err(Refusal::Unwilling));
        assert!(check(&unwilling, &there, UP, &whole, How::Pulled).is_ok(), "whoever stands at it may take the call");
        let mut deaf = device(Kind::App, Transfers::Ask);
        deaf.capabilities.remove(&Capability::Audio);
        assert_eq!(pushed(&deaf, &there, UP, &whole), Err(Refusal::Lacks(Capability::Audio)));
        assert_eq!(pushed(&deaf, &there, UP, &video), Ok(vec![Channel::Video]));
    }

    #[test]
    fn a_page_that_is_asked_takes_the_call_and_it_can_be_handed_back() {
        let mut moves = Moves::default();
        moves.begin(order(Target::Page { asks: true }), at(0)).unwrap();
        assert_eq!(moves.begin(order(Target::Telephone), at(0)), Err(Refusal::UnderWay));
        assert_eq!(names(&mut moves), ["ask"]);
        assert!(!moves.answered(ANNA, DESK, true, at(1)), "another device was asked");
        assert!(moves.answered(ANNA, LAPTOP, true, at(1)));
        assert!(!moves.answered(ANNA, LAPTOP, false, at(1)), "it said yes");
        moves.taken(ANNA, at(2));
        moves.carried(ANNA);
        assert_eq!(names(&mut moves), ["open", "moved"]);
        assert_eq!(moves.back(ANNA).map(|back| back.device), Some(DESK));
        moves.begin(Order { how: How::HandedBack, device: DESK, ..order(Target::Telephone) }, at(3)).unwrap();
        moves.taken(ANNA, at(3));
        moves.carried(ANNA);
        assert_eq!(names(&mut moves), ["ring", "moved"]);
        assert_eq!(moves.back(ANNA), None, "it is back");
        assert_eq!(moves.poll_timeout(), None);
    }

    #[test]
    fn whoever_declines_or_does_nothing_changes_nothing() {
        let mut moves = Moves::default();
        moves.begin(order(Target::Page { asks: true }), at(0)).unwrap();
        moves.answered(ANNA, LAPTOP, false, at(1));
        assert_eq!(names(&mut moves), ["ask", "give up Asked", "Declined"]);
        moves.begin(order(Target::Page { asks: true }), at(2)).unwrap();
        moves.handle_timeout(at(32));
        assert_eq!(names(&mut moves), ["ask", "give up Asked", "NoAnswer"]);
        moves.begin(order(Target::Page { asks: false }), at(40)).unwrap();
        moves.handle_timeout(at(85));
        assert_eq!(names(&mut moves), ["open", "give up Opening", "NotConnected"]);
        moves.begin(order(Target::Telephone), at(90)).unwrap();
        moves.failed(ANNA, Failure::Busy);
        assert_eq!(names(&mut moves), ["ring", "give up Ringing", "Busy"]);
        moves.begin(order(Target::Telephone), at(91)).unwrap();
        moves.ended(ANNA);
        assert_eq!(names(&mut moves), ["ring", "give up Ringing", "CallEnded"]);
        assert!(moves.is_empty() && moves.poll_timeout().is_none() && moves.back(ANNA).is_none());
    }
}
