//! INVITE with Replaces (RFC 3891): a telephone takes the place of another one, in a call that is up or one that rings.

use bytes::Bytes;

use crate::base::{Cause, LegId, Now};
use crate::call::key_reader::KeyReader;
use crate::call::offer_answer::{Negotiation, Preferences};
use crate::gateway::event::TransferWay;
use crate::gateway::leg::{Leg, Stage};
use crate::gateway::view::CallDirection;
use crate::gateway::{Gateway, Output, Record};
use crate::route::{Decision, Facts, Party};
use crate::sip::endpoint::{Headers, Manner};
use crate::sip::replaces::Replaces;
use crate::sip::transport::Source;
use crate::wire::sip::{Name, Problem, Request, Status};

impl Gateway {
    /// A new call that is to take another's place.
    pub(in crate::gateway) fn on_replacing(
        &mut self,
        leg: LegId,
        request: &Request,
        source: Source,
        facts: &Facts,
        replaces: Result<Replaces, Problem>,
        now: Now,
    ) {
        let party = match self.table.party(facts) {
            Ok(party) => party,
            Err(Decision::Challenge) => return self.challenge(leg, request, source, false, now),
            Err(Decision::Accept(_) | Decision::Refuse(_)) => {
                self.count_refusal(Cause::NotAuthorised);
                return self.endpoint.turn_away(leg, Status::FORBIDDEN, Cause::NotAuthorised, &Headers::new());
            }
        };
        let old = match replaces.map_err(|problem| problem.status()).and_then(|it| self.endpoint.replaced_by(&it)) {
            Ok(old) => old,
            Err(status) => return self.refuse_replacing(leg, status, now),
        };
        if !self.may_replace(party, old) {
            return self.refuse_replacing(leg, Status::FORBIDDEN, now);
        }
        if let Err(cause) = self.check_capacity(party, None, now) {
            return self.refuse_invite(leg, cause, now);
        }
        let profile = self.profile_of(party, request.headers.get(Name::UserAgent).unwrap_or_default());
        let negotiation = Negotiation::new(Preferences::of(&profile, &self.settings.audio), &mut self.rng);
        if !self.endpoint.set_manner(leg, Manner::of(&profile), now) {
            return;
        }
        let mut record = Leg::new(leg, CallDirection::Inbound, party, profile, source.remote, negotiation, now);
        record.relay = source.relay();
        record.call_id = request.headers.call_id().unwrap_or_default().to_owned();
        let of_old = self.legs.get(&old).map(|old| (old.to.clone(), old.from.clone(), old.language.clone()));
        if let Some((to, from, language)) = of_old {
            (record.to, record.from, record.language) = (to, from, language);
        }
        record.stage = Stage::Replacing { old, offer: (!request.body.is_empty()).then(|| request.body.clone()) };
        self.begin_record(record, now);
        self.bind_ports(leg);
    }

    /// Its own calls anybody may take to another telephone; what rings, anybody of the house may pick up.
    fn may_replace(&self, party: Party, old: LegId) -> bool {
        let Some(record) = self.legs.get(&old) else { return false };
        let rings = matches!(record.stage, Stage::Ringing { .. }) && record.party.extension().is_some();
        record.party == party || (rings && party.extension().is_some())
    }

    fn refuse_replacing(&mut self, leg: LegId, status: Status, now: Now) {
        let cause = match status {
            Status::FORBIDDEN => Cause::NotAllowed,
            Status::BUSY_HERE => Cause::AnsweredElsewhere,
            _ => Cause::NoRoute,
        };
        self.count_refusal(cause);
        self.endpoint.refuse(leg, status, cause, &Headers::new(), now);
    }

    /// Ports are bound for it: it is answered, and takes the place as soon as audio is agreed on.
    pub(in crate::gateway) fn answer_replacing(&mut self, leg: LegId, rtp_port: u16, now: Now) {
        let ip = self.audio_address(leg);
        let Some(record) = self.legs.get_mut(&leg) else { return };
        let Stage::Replacing { old, offer } = &mut record.stage else { return };
        let (old, offer): (LegId, Option<Bytes>) = (*old, offer.take());
        record.bound = true;
        let Some(ip) = ip else {
            return self.refuse_invite(leg, Cause::Internal, now);
        };
        record.negotiation.set_local(ip, rtp_port);
        if !self.is_replaceable(old) {
            return self.refuse_replacing(leg, Status::CALL_DOES_NOT_EXIST, now);
        }
        let codec = self.codec_of(old);
        if self.accept_call(leg, offer, None, codec, now).is_ok() && self.legs.get(&leg).is_some_and(|leg| leg.open) {
            self.take_place(leg, now);
        }
    }

    /// Audio is agreed on: the new leg takes the place of the old one, which ends.
    pub(in crate::gateway) fn take_place(&mut self, leg: LegId, now: Now) {
        let Some(Leg { stage: Stage::Replacing { old, .. }, .. }) = self.legs.get(&leg) else { return };
        let old = *old;
        match self.legs.get(&old).map(|record| &record.stage) {
            Some(Stage::InRoom { room, participant, .. }) => {
                let (room, participant) = (*room, *participant);
                let Some(map) = self.rooms.get(&room).map(|room| self.key_map(&room.settings().keys)) else { return };
                if let Some(record) = self.legs.get_mut(&old) {
                    record.stage = Stage::Leaving { cause: Cause::Replaced };
                    self.unbridge(old);
                }
                let Some(record) = self.legs.get_mut(&leg) else { return };
                record.stage = Stage::InRoom { room, participant, keys: KeyReader::new(map), step_up: None };
                record.last_room = Some(room);
                let (held, row) = (record.held, record.record(None));
                self.outputs.push_back(Output::Record(Record::Changed(Box::new(row))));
                if let Some(live) = self.rooms.get_mut(&room) {
                    live.rebind(participant, leg, held);
                }
                self.carry_out(room, now);
                self.transfers.rename(old, leg);
                self.hang_up(old, Cause::Replaced, now);
            }
            // As if the telephone that rings had answered.
            Some(Stage::Ringing { ring, .. }) => {
                let ring = *ring;
                self.branch_answered(ring, leg, now);
            }
            Some(_) | None => return self.hang_up(leg, Cause::Cancelled, now),
        }
        let to = self.legs.get(&leg).map(|record| record.to.clone()).unwrap_or_default();
        self.publish_done((old, None, Some(leg)), to, TransferWay::Replaced, now);
    }

    fn is_replaceable(&self, old: LegId) -> bool {
        self.legs.get(&old).is_some_and(|old| matches!(old.stage, Stage::InRoom { .. } | Stage::Ringing { .. }))
    }
}
