//! Calls between people: from a destination to what is rung, and from an answer to two people who talk.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use crate::base::{Cause, LegId, Now, ParticipantId, RoomId};
use crate::call::key_reader::KeyReader;
use crate::call::offer_answer::Unacceptable;
use crate::call::speech::Language;
use crate::gateway::event::Happening;
use crate::gateway::identity::Caller;
use crate::gateway::leg::Stage;
use crate::gateway::ringing::{Ring, RingId, Step, Waits, reason_header};
use crate::gateway::{Gateway, Output, Record};
use crate::media::command::MediaCommand;
use crate::profile::EarlyMedia;
use crate::room::{Expected, Room, RoomSettings};
use crate::route::{Destination, Dialled, Party, Ring as Order};
use crate::sip::endpoint::Headers;
use crate::sip::reason::Reason;
use crate::wire::codec::Codec;
use crate::wire::sip::Status;

/// Who calls whom, and what is told to whoever is called.
#[derive(Debug, Clone)]
pub(super) struct CallPlan {
    /// Whose call it is: whose rights and limits it is under. None: the operator's own.
    pub(super) party: Option<Party>,
    /// Whom.
    pub(super) to: Destination,
    /// What is dialled on trunks, where the destination is one.
    pub(super) dialled: Option<Dialled>,
    /// Who.
    pub(super) caller: Caller,
    /// More header fields of the INVITE.
    pub(super) headers: Headers,
    /// How long it may ring; none: as long as the destination's own rule or the node's says.
    pub(super) seconds: Option<Duration>,
    /// The telephone is asked to answer by itself, where its owner opted in.
    pub(super) auto_answer: bool,
    /// The language prompts are spoken in.
    pub(super) language: Language,
    /// What the INVITE has left of Max-Forwards.
    pub(super) max_forwards: u8,
    /// A name for the roster.
    pub(super) name: Option<String>,
}

impl CallPlan {
    /// Whether all telephones are one person's, who may decline for all of them.
    pub(super) fn is_of_one_person(&self) -> bool {
        matches!(self.to, Destination::Extension { .. })
    }
}

impl Gateway {
    /// Rings somebody for a caller whose INVITE waits for the answer.
    pub(super) fn ring_for(&mut self, caller: LegId, plan: CallPlan, offer: Option<Bytes>, now: Now) {
        let room = self.make_call_room(&plan);
        if let Some(record) = self.legs.get_mut(&caller) {
            // Known before the attempt begins, for it may end at once.
            self.next_ring += 1;
            let ring = RingId(self.next_ring);
            record.last_room = Some(room);
            record.stage = Stage::Calling { ring, offer, early: None, told: None };
            self.knock(caller, &plan.to, now);
            if let Err(cause) = self.place_as(ring, None, plan, room, Waits::Caller(caller), now) {
                self.forget_knock(caller);
                self.refuse_caller(caller, cause, &[], now);
            }
        }
        self.carry_out(room, now);
    }

    /// A room for a call between people.
    pub(super) fn make_call_room(&mut self, plan: &CallPlan) -> RoomId {
        let id = RoomId::draw(&mut self.rng);
        let settings = RoomSettings {
            language: Some(plan.language.tag().to_owned()),
            ..RoomSettings::of_call(id, plan.name.clone().unwrap_or_else(|| "Call".to_owned()))
        };
        self.rooms.insert(id, Room::new(settings, self.settings.longest_wait));
        id
    }

    /// Rings somebody for a room that is there. Whoever answers has a place in it.
    pub(super) fn place(&mut self, plan: CallPlan, room: RoomId, waits: Waits, now: Now) -> Result<RingId, Cause> {
        self.next_ring += 1;
        let id = RingId(self.next_ring);
        self.place_as(id, None, plan, room, waits, now).map(|()| id)
    }

    /// The same for an order from outside, which is told the id of the first leg before there is one.
    pub(super) fn place_promised(
        &mut self,
        plan: CallPlan,
        room: RoomId,
        waits: Waits,
        now: Now,
    ) -> Result<LegId, Cause> {
        self.next_ring += 1;
        let id = RingId(self.next_ring);
        let leg = LegId::draw(&mut self.rng);
        self.place_as(id, Some(leg), plan, room, waits, now).map(|()| leg)
    }

    pub(super) fn place_as(
        &mut self,
        id: RingId,
        promised: Option<LegId>,
        plan: CallPlan,
        room: RoomId,
        waits: Waits,
        now: Now,
    ) -> Result<(), Cause> {
        if plan.max_forwards == 0 {
            return Err(Cause::Loop);
        }
        self.admit(plan.party.into(), &plan.to, plan.dialled.as_ref(), now)?;
        let (steps, seconds) = self.steps_to(&plan)?;
        let plan = CallPlan { seconds: plan.seconds.or(seconds), ..plan };
        let number = match &plan.dialled {
            Some(Dialled::Number(number)) => Some(number.clone()),
            Some(Dialled::Short(_) | Dialled::Emergency(_)) | None => None,
        };
        let name = plan.name.clone().or_else(|| self.name_of(&plan.to));
        let language = plan.language.tag().to_owned();
        let participant = ParticipantId::draw(&mut self.rng);
        let Some(live) = self.rooms.get_mut(&room) else { return Err(Cause::NoRoute) };
        live.expect(Expected { id: participant, name, number, language }, now);
        let ring = Ring {
            room,
            participant,
            waits,
            plan,
            steps,
            branches: BTreeSet::new(),
            locating: false,
            failure: None,
            status: None,
            rang: false,
            early: None,
            promised,
            redirected: 0,
            as_it_is: false,
        };
        self.rings.insert(id, ring);
        self.carry_out(room, now);
        self.ring_on(id, now);
        Ok(())
    }

    /// What is tried for a destination, in order, and how long each may ring where the destination says so.
    pub(super) fn steps_to(&self, plan: &CallPlan) -> Result<(VecDeque<Step>, Option<Duration>), Cause> {
        match &plan.to {
            Destination::Extension { extension } => Ok((VecDeque::from([Step::Extensions(vec![*extension])]), None)),
            Destination::Group { group } => {
                let group = self.table.groups.get(group).ok_or(Cause::NoRoute)?;
                // Nobody rings the telephone in their hand.
                let own = plan.party.and_then(Party::extension);
                let members: Vec<_> = group.members.iter().copied().filter(|member| Some(*member) != own).collect();
                let steps = match group.ring {
                    Order::Parallel => VecDeque::from([Step::Extensions(members)]),
                    Order::Serial => members.into_iter().map(|member| Step::Extensions(vec![member])).collect(),
                };
                Ok((steps, Some(Duration::from_secs(u64::from(group.seconds)))))
            }
            Destination::Trunk { trunks, .. } => Ok((trunks.iter().copied().map(Step::Trunk).collect(), None)),
            Destination::Refuse { cause } => Err(*cause),
            Destination::Attendant {} | Destination::Room { .. } | Destination::Webhook { .. } => Err(Cause::NoRoute),
        }
    }

    /// What people call whoever is rung.
    pub(super) fn name_of(&self, to: &Destination) -> Option<String> {
        match to {
            Destination::Extension { extension } => self.table.extensions.get(extension).map(|of| of.name.clone()),
            Destination::Group { group } => self.table.groups.get(group).map(|of| of.name.clone()),
            Destination::Trunk { .. }
            | Destination::Attendant {}
            | Destination::Room { .. }
            | Destination::Refuse { .. }
            | Destination::Webhook { .. } => None,
        }
    }

    /// Tells a caller who waits that it rings; with the early audio of that leg where it is heard.
    pub(super) fn tell_caller_it_rings(
        &mut self,
        caller: LegId,
        callee: LegId,
        room: RoomId,
        status: Status,
        hears: bool,
        now: Now,
    ) {
        let codec = self.codec_of(callee);
        let Some(record) = self.legs.get_mut(&caller) else { return };
        let takes = hears && record.profile.early_media == EarlyMedia::Pass;
        let peer = record.peer.ip();
        let Stage::Calling { offer, early, told, .. } = &mut record.stage else { return };
        let answered = match (&early, &offer) {
            (None, Some(offer)) if takes => {
                if let Some(codec) = codec {
                    record.negotiation.prefer(codec);
                }
                record.negotiation.answer(offer, peer).ok()
            }
            (Some(_), _) | (None, _) => None,
        };
        match answered {
            Some((sdp, agreed)) => {
                *early = Some(sdp.clone());
                *told = Some(Status::SESSION_PROGRESS);
                self.open_media(caller, agreed, now);
                let participant = ParticipantId::draw(&mut self.rng);
                self.bridge_early(caller, room, participant);
                self.endpoint.ring(caller, Status::SESSION_PROGRESS, Some(sdp), &Headers::new(), now);
            }
            // Whoever hears early audio needs no tone made for them.
            None if early.is_none() && *told != Some(status) => {
                *told = Some(status);
                self.endpoint.ring(caller, status, None, &Headers::new(), now);
            }
            None => {}
        }
    }

    /// Puts a leg whose call is not up into the room's bridge.
    pub(super) fn bridge_early(&mut self, leg: LegId, room: RoomId, participant: ParticipantId) {
        let Some(record) = self.legs.get_mut(&leg).filter(|record| record.open && record.bridged.is_none()) else {
            return;
        };
        record.bridged = Some((room, participant));
        let muted = record.shut;
        self.order(MediaCommand::Join { leg, room, participant, muted, keys: true, audience: None });
    }

    /// Answers a caller who waited, with the codec of whoever answered where the caller has it, and gives them a place.
    pub(super) fn answer_caller(&mut self, caller: LegId, callee: LegId, now: Now) -> Result<(), Cause> {
        let codec = self.codec_of(callee);
        let Some(record) = self.legs.get_mut(&caller) else { return Err(Cause::Cancelled) };
        match &record.stage {
            Stage::Calling { ring, offer, early, .. } => {
                let room = self.rings.get(ring).map(|ring| ring.room).or(record.last_room);
                let (offer, early) = (offer.clone(), early.clone());
                let Some(room) = room else { return Err(Cause::Internal) };
                self.accept_call(caller, offer, early, codec, now)?;
                self.seat(caller, room, now);
                Ok(())
            }
            Stage::InRoom { .. } | Stage::Joining { .. } => Ok(()),
            Stage::Binding { .. }
            | Stage::Preparing { .. }
            | Stage::Ringing { .. }
            | Stage::Answering
            | Stage::Attendant { .. }
            | Stage::Replacing { .. }
            | Stage::Seating {}
            | Stage::OnTrial {}
            | Stage::Leaving { .. } => Err(Cause::Cancelled),
        }
    }

    /// Answers an INVITE: with what was said before the answer, or an answer to its offer, or an offer of ours. Where
    /// nothing can be agreed on, it is refused.
    pub(super) fn accept_call(
        &mut self,
        leg: LegId,
        offer: Option<Bytes>,
        early: Option<Bytes>,
        prefer: Option<Codec>,
        now: Now,
    ) -> Result<(), Cause> {
        let Some(record) = self.legs.get_mut(&leg) else { return Err(Cause::Cancelled) };
        if let Some(codec) = prefer {
            record.negotiation.prefer(codec);
        }
        let sdp = match (early, offer) {
            (Some(sdp), _) => sdp,
            (None, Some(offer)) => match record.negotiation.answer(&offer, record.peer.ip()) {
                Ok((sdp, agreed)) => {
                    self.open_media(leg, agreed, now);
                    sdp
                }
                Err(refusal) => {
                    let headers = refusal.headers(&self.settings.realm);
                    let cause = cause_of(refusal);
                    self.count_refusal(cause);
                    self.endpoint.refuse(leg, Status::NOT_ACCEPTABLE_HERE, cause, &headers, now);
                    return Err(cause);
                }
            },
            (None, None) => record.negotiation.offer(),
        };
        self.endpoint.answer(leg, sdp, &Headers::new(), now);
        self.counters.answered += 1;
        if let Some(record) = self.legs.get_mut(&leg) {
            record.answered = Some(now.utc);
            let row = record.record(None);
            self.outputs.push_back(Output::Record(Record::Changed(Box::new(row))));
        }
        self.publish(Happening::CallAnswered { call: leg }, now);
        Ok(())
    }

    /// Gives a caller a place in the room of the call: now, or once the ACK has brought the answer to our offer.
    pub(super) fn seat(&mut self, leg: LegId, room: RoomId, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        if record.open {
            self.enter_room(leg, room, false, now);
        } else {
            record.stage = Stage::Joining { room };
        }
    }

    /// Whoever was rung takes the place that was kept.
    pub(super) fn arrive(&mut self, leg: LegId, room: RoomId, participant: ParticipantId, now: Now) {
        let Some(map) = self.rooms.get(&room).map(|room| self.key_map(&room.settings().keys)) else {
            return self.hang_up(leg, Cause::NoRoute, now);
        };
        let Some(record) = self.legs.get_mut(&leg) else { return };
        record.stage = Stage::InRoom { room, participant, keys: KeyReader::new(map), step_up: None };
        record.last_room = Some(room);
        let held = record.held;
        let row = record.record(None);
        self.outputs.push_back(Output::Record(Record::Changed(Box::new(row))));
        if let Some(live) = self.rooms.get_mut(&room) {
            live.arrive(participant, leg, held);
        }
        self.carry_out(room, now);
    }

    /// Tells a caller why nobody was reached, in the far end's own words where it had some.
    pub(super) fn refuse_caller(&mut self, caller: LegId, cause: Cause, reasons: &[Reason], now: Now) {
        self.refuse_with(caller, cause, reason_header(reasons), now);
    }

    /// The codec a leg speaks.
    pub(super) fn codec_of(&self, leg: LegId) -> Option<Codec> {
        self.legs.get(&leg)?.agreed.as_ref().map(|(format, _)| format.codec)
    }
}

/// Why a call whose media cannot be agreed on is refused.
pub(super) const fn cause_of(refusal: Unacceptable) -> Cause {
    match refusal {
        Unacceptable::Codec => Cause::NoCommonCodec,
        Unacceptable::Encrypted | Unacceptable::NotEncrypted => Cause::NotEncrypted,
        Unacceptable::NotSdp
        | Unacceptable::NotAnAnswer
        | Unacceptable::NoAudio
        | Unacceptable::Protocol
        | Unacceptable::Address => Cause::BadSdp,
    }
}
