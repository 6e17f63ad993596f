//! Redirections (3xx) of calls that we make: a carrier's, where its trunk says that they are followed, and a telephone's,
//! which forwards its person's calls by that person's rights.

use crate::base::id::TrunkId;
use crate::base::{Cause, LegId, Now};
use crate::gateway::Gateway;
use crate::gateway::leg::{Leg, Outgoing};
use crate::gateway::ringing::{RingId, Step, Waits};
use crate::route::{Destination, Dialled, Party};
use crate::wire::sip::{Name, Text, Uri};

/// How often one call is redirected. More: redirecting servers that point at each other keep us busy. Less: a call that
/// was forwarded by several people is lost.
const MOST_REDIRECTIONS: u8 = 5;

impl Gateway {
    /// Goes where a refusal points to; false where it points nowhere, or is not to be followed.
    pub(super) fn go_elsewhere(&mut self, record: &Leg, ring_id: RingId, call: &Outgoing, now: Now) -> bool {
        let Some(refused) = call.refused.as_ref().filter(|refused| !refused.elsewhere.is_empty()) else { return false };
        let Some(ring) = self.rings.get_mut(&ring_id).filter(|ring| ring.branches.contains(&record.id)) else {
            return false;
        };
        if ring.redirected >= MOST_REDIRECTIONS {
            self.note_failure(ring_id, Cause::Loop);
            return false;
        }
        ring.redirected += 1;
        let steps = match record.party {
            Party::Trunk(trunk) => self.steps_by_trunk(ring_id, trunk, &refused.elsewhere, now),
            Party::Extension(_) => self.steps_forwarded(ring_id, record, call, &refused.elsewhere, now),
        };
        if steps.is_empty() {
            return false;
        }
        let Some(ring) = self.rings.get_mut(&ring_id) else { return false };
        ring.branches.remove(&record.id);
        let others: Vec<LegId> = std::mem::take(&mut ring.branches).into_iter().collect();
        steps.into_iter().rev().for_each(|step| ring.steps.push_front(step));
        for other in others {
            self.hang_up(other, Cause::AnsweredElsewhere, now);
        }
        self.ring_on(ring_id, now);
        true
    }

    /// A carrier's redirection: by the same trunk, and where the number is another one under the same limits.
    fn steps_by_trunk(&mut self, ring: RingId, trunk_id: TrunkId, elsewhere: &[Uri], now: Now) -> Vec<Step> {
        let Some(trunk) = self.table.trunks.get(&trunk_id) else { return Vec::new() };
        let is_callback = self.rings.get(&ring).is_some_and(|ring| matches!(ring.waits, Waits::Seat(_)));
        let follows = trunk.outbound.as_ref().is_some_and(|outbound| outbound.follow_redirects);
        if !(follows || is_callback && trunk.callback.is_some()) {
            return Vec::new();
        }
        let numbers = trunk.numbers.clone();
        let to = Destination::Trunk { trunks: vec![trunk_id], strip: 0, prefix: String::new() };
        let mut steps = Vec::new();
        for uri in elsewhere {
            let Some(plan) = self.rings.get(&ring).map(|ring| ring.plan.clone()) else { break };
            let user = uri.user_decoded().map(|user| user.into_owned()).unwrap_or_default();
            let dialled = self.table.dialled(&user, &numbers, &to);
            let is_same = match (&dialled, &plan.dialled) {
                (Some(Dialled::Number(one)), Some(Dialled::Number(other))) => one == other,
                (Some(Dialled::Short(one)), Some(Dialled::Short(other) | Dialled::Emergency(other))) => one == other,
                (_, _) => false,
            };
            let admitted = if is_same { Ok(()) } else { self.admit(plan.party.into(), &to, dialled.as_ref(), now) };
            match admitted {
                Ok(()) => steps.push(Step::Redirected(trunk_id, uri.clone())),
                Err(cause) => self.note_failure(ring, cause),
            }
        }
        steps
    }

    /// A telephone forwards its person's calls: to where that person could call, and only their own calls.
    fn steps_forwarded(
        &mut self,
        ring_id: RingId,
        record: &Leg,
        call: &Outgoing,
        elsewhere: &[Uri],
        now: Now,
    ) -> Vec<Step> {
        let Some(ring) = self.rings.get(&ring_id).filter(|ring| ring.plan.is_of_one_person()) else {
            return Vec::new();
        };
        let (party, mut plan) = (record.party, ring.plan.clone());
        let Some(user) = elsewhere.first().and_then(|uri| uri.user_decoded()).map(|user| user.into_owned()) else {
            return Vec::new();
        };
        let found = self.lead(party, &user, now).and_then(|accepted| {
            self.admit(Some(party).into(), &accepted.to, accepted.dialled.as_ref(), now)?;
            (plan.party, plan.to, plan.dialled) = (Some(party), accepted.to, accepted.dialled);
            let host = self.own_host(&call.invite.target);
            let diverted = format!("<sip:{}@{host}>;reason=unconditional", record.to);
            plan.headers.push((Name::Diversion, Text::from(diverted)));
            self.steps_to(&plan).map(|(steps, _)| steps)
        });
        match found {
            Ok(steps) => {
                if let Some(ring) = self.rings.get_mut(&ring_id) {
                    ring.plan = plan;
                }
                steps.into()
            }
            Err(cause) => {
                self.note_failure(ring_id, cause);
                Vec::new()
            }
        }
    }
}
