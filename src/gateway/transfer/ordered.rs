//! Transfers that the API orders: by REFER where the carrier of the one who is handed over takes it, else bridged here.

use std::time::Duration;

use crate::base::{Cause, LegId, Now, RoomId};
use crate::gateway::calls::CallPlan;
use crate::gateway::command::{Denial, Outcome, Reply};
use crate::gateway::event::TransferWay;
use crate::gateway::identity::{Caller, Manners};
use crate::gateway::leg::{Leg, Stage};
use crate::gateway::transfer::Handover;
use crate::gateway::transfer::blind::{Lead, Target};
use crate::gateway::{Gateway, Timer};
use crate::profile::{Quirk, ReferSupport};
use crate::route::{Destination, Dialled, Party};
use crate::sip::endpoint::{Headers, ReferId, ReferStep, Unanswered};
use crate::sip::reason::of_status;
use crate::sip::refer_to::ReferTo;
use crate::sip::uui::Uui;
use crate::wire::sip::{Name, Status, Text, Uri};

/// What is asked for.
pub(in crate::gateway) struct Order {
    /// The call to be handed over.
    pub(in crate::gateway) leg: LegId,
    /// To whom, as somebody of the house would dial it.
    pub(in crate::gateway) to: String,
    /// The other call of the one who hands over, or the far end of that call.
    pub(in crate::gateway) consult: Option<LegId>,
    /// More header fields, for the new call.
    pub(in crate::gateway) headers: Vec<(String, String)>,
    /// User-to-User, for the new call.
    pub(in crate::gateway) uui: Option<String>,
}

/// A far end that we asked to call somebody.
pub(super) struct Ordered {
    refer: ReferId,
    /// Who hands over, and has no call any more afterwards.
    giver: Option<LegId>,
    /// What is done where the far end does not take it.
    instead: Instead,
    /// What was dialled, as it may be shown.
    to: String,
    /// It took it on: when it hangs up, it did so.
    taken: bool,
}

/// The bridge that a REFER would have saved.
enum Instead {
    /// Somebody is rung.
    Ring(Box<CallPlan>),
    /// The call is joined with another.
    Join(LegId),
    /// None: it is a test.
    Report,
}

/// How long a carrier that took a REFER on and reports nothing may take to hang up. Longer: the API waits for word.
/// Shorter: a transfer that goes well is called a failure.
const TAKES_OVER: Duration = Duration::from_secs(32);

impl std::fmt::Debug for Ordered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ordered").field("giver", &self.giver).field("taken", &self.taken).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Begins to hand a call over; what comes of it is told by an event.
    pub(in crate::gateway) fn transfer(&mut self, order: Order, now: Now) -> Outcome {
        let leg = order.leg;
        let record = self.legs.get(&leg).ok_or(Denial::NotFound("call"))?;
        if !matches!(record.stage, Stage::InRoom { .. } | Stage::Attendant { .. }) {
            return Err(Denial::Conflict("this call is not up".into()));
        }
        if self.is_in_transfer(leg) {
            return Err(Denial::Conflict("this call is being handed over already".into()));
        }
        let target = target_of(&order)?;
        let giver = self.giver_of(leg);
        if giver.is_some_and(|giver| self.is_in_transfer(giver)) {
            return Err(Denial::Conflict("this call is being handed over already".into()));
        }
        match order.consult {
            Some(consult) => self.transfer_attended(leg, giver, consult, target, now),
            None => self.transfer_blind(leg, giver, target, now),
        }
    }

    fn transfer_attended(
        &mut self,
        leg: LegId,
        giver: Option<LegId>,
        consult: LegId,
        target: Target,
        now: Now,
    ) -> Outcome {
        let conflict = |why: &str| Err(Denial::Conflict(why.to_owned()));
        let Some(giver) = giver else { return conflict("nobody hands this call over: it is no call of two") };
        let party = |leg: LegId| self.legs.get(&leg).map(|record| record.party);
        if party(consult).is_none() {
            return Err(Denial::NotFound("call"));
        }
        // Named by the call of the one who hands over, or by the far end of it.
        let (second, far) = match (party(consult) == party(giver), self.others_of(consult).as_slice()) {
            (true, [far, ..]) => (consult, *far),
            (false, [second]) => (*second, consult),
            (true | false, _) => return conflict("the other call is not up, or no call of two"),
        };
        let way = self.endpoint.replaces(far).zip(self.endpoint.dialog(far).map(|dialog| dialog.remote_target.clone()));
        let same_trunk = party(leg) == party(far) && party(leg).is_some_and(|party| party.trunk().is_some());
        let takes = self.legs.get(&leg).is_some_and(|record| record.profile.refer.sends == ReferSupport::Attended);
        if let Some((replaces, uri)) = way.filter(|_| same_trunk && takes) {
            let refer_to = ReferTo::replacing(uri, replaces);
            if self.ask_far_end(leg, Some(giver), refer_to, Instead::Join(second), &target, now) {
                return Ok(Reply::Done);
            }
        }
        if self.join_calls(giver, second, now) {
            self.publish_done((leg, Some(giver), Some(far)), target.user, TransferWay::Bridged, now);
            // Neither phone asked for it, so neither knows that it is to hang up.
            self.hang_up(giver, Cause::Transferred, now);
            return Ok(Reply::Done);
        }
        conflict("the two calls cannot be joined")
    }

    fn transfer_blind(&mut self, leg: LegId, giver: Option<LegId>, target: Target, now: Now) -> Outcome {
        if self.drain.is_some() {
            return Err(Denial::Conflict("this node is going out of service".into()));
        }
        // On the account of whoever hands over; where nobody does, on the operator's.
        let lead = match giver {
            Some(giver) => self.lead_as(giver, &target, now),
            None => self.lead_operator(&target.user, None, now).map(|(to, dialled)| Lead {
                party: None,
                to,
                dialled,
                caller: Caller::default(),
            }),
        };
        let lead = lead.map_err(|cause| Denial::Conflict(format!("it leads nowhere: {cause}")))?;
        if let Destination::Room { .. } | Destination::Attendant {} = lead.to {
            let part = giver.and_then(|giver| self.part(giver, now));
            self.send_to(leg, &lead.to, now);
            if let Some((room, participant)) = part {
                self.leave_room(room, participant, Cause::Transferred, now);
            }
            if let Some(giver) = giver {
                self.hang_up(giver, Cause::Transferred, now);
            }
            self.publish_done((leg, giver, None), target.user, TransferWay::Bridged, now);
            return Ok(Reply::Done);
        }
        let refer_to = self.refer_target(leg, &lead.to, lead.dialled.as_ref());
        let plan = self.plan_of(leg, lead, target.clone());
        match refer_to {
            Some(uri) => {
                let instead = Instead::Ring(Box::new(plan.clone()));
                if !self.ask_far_end(leg, giver, ReferTo::new(uri), instead, &target, now) {
                    self.bridge(leg, giver, plan, target.user, now);
                }
            }
            None => self.bridge(leg, giver, plan, target.user, now),
        }
        Ok(Reply::Done)
    }

    /// Rings whoever is to take the giver's place; without a giver, in a room of their own to which the call is brought.
    fn bridge(&mut self, leg: LegId, giver: Option<LegId>, plan: CallPlan, to: String, now: Now) {
        let place = self.legs.get(&leg).and_then(|record| record.place());
        let room: RoomId = match (giver, place) {
            (Some(_), Some((room, _))) => room,
            (None, _) | (_, None) => self.make_call_room(&plan),
        };
        let handover = Handover { room, giver, call: leg, refer: None, to: to.clone() };
        if let Err(cause) = self.hand_over(plan, handover, now) {
            self.publish_failed(leg, to, cause, None, now);
            // A room of its own that nobody came to.
            self.carry_out(room, now);
        }
    }

    /// Asks the far end of a test's call to call somebody else.
    pub(in crate::gateway) fn refer_on_trial(
        &mut self,
        leg: LegId,
        to: &Destination,
        dialled: Option<&Dialled>,
        now: Now,
    ) -> Result<(), &'static str> {
        let uri = self.refer_target(leg, to, dialled).ok_or("the profile says that this carrier takes no REFER")?;
        let target =
            Target { user: uri.user().unwrap_or_default().to_owned(), headers: Headers::new(), uui: Vec::new() };
        if self.ask_far_end(leg, None, ReferTo::new(uri), Instead::Report, &target, now) {
            Ok(())
        } else {
            Err("REFER could not be sent")
        }
    }

    /// Asks a far end by REFER; false if that is not possible now.
    fn ask_far_end(
        &mut self,
        leg: LegId,
        giver: Option<LegId>,
        mut to: ReferTo,
        instead: Instead,
        target: &Target,
        now: Now,
    ) -> bool {
        let Some(record) = self.legs.get(&leg) else { return false };
        let (reports, embeds) = (record.profile.refer.notify, record.profile.refer.uui_in_refer_to);
        let mut headers = target.headers.clone();
        if embeds {
            to.uui.extend(target.uui.iter().cloned());
        } else {
            headers.extend(target.uui.iter().map(|uui| (Name::UserToUser, Text::from(uui.to_string()))));
        }
        if let Some(dialog) = self.endpoint.dialog(leg) {
            headers.push((Name::ReferredBy, Text::from(format!("<{}>", dialog.local.uri))));
        }
        let Some(refer) = self.endpoint.refer(leg, &to, reports, &headers, now) else { return false };
        let ordered = Ordered { refer, giver, instead, to: target.user.clone(), taken: false };
        self.transfers.ordered.insert(leg, ordered);
        true
    }

    /// How far a REFER of ours is.
    pub(in crate::gateway) fn on_refer_progress(&mut self, leg: LegId, refer: ReferId, step: ReferStep, now: Now) {
        let Some(ordered) = self.transfers.ordered.get_mut(&leg).filter(|ordered| ordered.refer == refer) else {
            return;
        };
        match step {
            ReferStep::Accepted { subscribed } => {
                ordered.taken = true;
                if !subscribed {
                    self.timers.arm(Timer::TakesOver(leg), now.mono + TAKES_OVER);
                }
            }
            ReferStep::Progress(_) => {}
            ReferStep::Finished(status) if status.is_success() => self.ordered_done(leg, now),
            ReferStep::Finished(status) => {
                self.ordered_failed(leg, of_status(status.code()), Some(status), now);
            }
            // It may have done what it was asked for: to do it once more here would ring somebody twice.
            ReferStep::Unanswered(Unanswered::TimedOut) | ReferStep::Lost => {
                self.ordered_failed(leg, Cause::TransportFailed, Some(Status::REQUEST_TIMEOUT), now);
            }
            ReferStep::Refused(response) => self.bridge_instead(leg, Some(response.status), now),
            ReferStep::Unanswered(_) => self.bridge_instead(leg, None, now),
        }
    }

    fn bridge_instead(&mut self, leg: LegId, refused: Option<Status>, now: Now) {
        let Some(ordered) = self.transfers.ordered.remove(&leg) else { return };
        let giver = ordered.giver.filter(|giver| self.legs.contains_key(giver));
        match (ordered.instead, giver) {
            (Instead::Ring(plan), giver) => self.bridge(leg, giver, *plan, ordered.to, now),
            (Instead::Join(second), Some(giver)) if self.join_calls(giver, second, now) => {
                self.publish_done((leg, Some(giver), None), ordered.to, TransferWay::Bridged, now);
                self.hang_up(giver, Cause::Transferred, now);
            }
            (Instead::Report, _) => self.trial_referred(leg, Err(refused), now),
            (Instead::Join(_), _) => self.publish_failed(leg, ordered.to, Cause::NoRoute, None, now),
        }
    }

    /// The far end has called by itself: neither it nor whoever handed over has anything to do with us any more.
    fn ordered_done(&mut self, leg: LegId, now: Now) {
        let Some(ordered) = self.transfers.ordered.remove(&leg) else { return };
        self.timers.disarm(&Timer::TakesOver(leg));
        if matches!(ordered.instead, Instead::Report) {
            return self.trial_referred(leg, Ok(()), now);
        }
        self.publish_done((leg, ordered.giver, None), ordered.to, TransferWay::Referred, now);
        if let Instead::Join(second) = ordered.instead {
            self.hang_up(second, Cause::Transferred, now);
        }
        for leg in [Some(leg), ordered.giver].into_iter().flatten() {
            self.hang_up(leg, Cause::Transferred, now);
        }
    }

    fn ordered_failed(&mut self, leg: LegId, cause: Cause, status: Option<Status>, now: Now) {
        let Some(ordered) = self.transfers.ordered.remove(&leg) else { return };
        self.timers.disarm(&Timer::TakesOver(leg));
        if matches!(ordered.instead, Instead::Report) {
            return self.trial_referred(leg, Err(status), now);
        }
        self.publish_failed(leg, ordered.to, cause, status, now);
    }

    /// A carrier that took it on reported nothing and did not hang up.
    pub(in crate::gateway) fn did_not_take_over(&mut self, leg: LegId, now: Now) {
        self.ordered_failed(leg, Cause::NoAnswer, None, now);
    }

    /// A leg has ended: one that took a REFER on has done as it was asked.
    pub(super) fn ordered_leg_ended(&mut self, leg: LegId, now: Now) {
        match self.transfers.ordered.get(&leg).map(|ordered| ordered.taken) {
            Some(true) => self.ordered_done(leg, now),
            Some(false) => self.ordered_failed(leg, Cause::HungUp, None, now),
            None => {}
        }
        for ordered in self.transfers.ordered.values_mut().filter(|ordered| ordered.giver == Some(leg)) {
            ordered.giver = None;
        }
    }

    /// The Refer-To for the far end of a leg; none where it is not to be asked: by its profile, or because it cannot call
    /// whom we can.
    fn refer_target(&self, leg: LegId, to: &Destination, dialled: Option<&Dialled>) -> Option<Uri> {
        let record = self.legs.get(&leg)?;
        let (Party::Trunk(trunk), Destination::Trunk { trunks, .. }) = (record.party, to) else { return None };
        if record.profile.refer.sends == ReferSupport::None || !trunks.contains(&trunk) {
            return None;
        }
        let trunk = self.table.trunks.get(&trunk)?;
        let own = trunk.outbound.as_ref().and_then(|outbound| outbound.targets.first());
        let own = own.and_then(|target| Uri::parse(&target.uri).ok()?.host().cloned());
        let host = match record.profile.has(Quirk::OwnHostInReferTo) {
            true => own.or_else(|| self.host_of_far_end(record)),
            false => self.host_of_far_end(record).or(own),
        }?;
        let place = Uri::sip(None, host.clone(), None);
        let manners =
            Manners { profile: &record.profile, plan: &trunk.numbers, host: &host, account: None, inside: false };
        let plain = match dialled? {
            Dialled::Number(number) => manners.called(Some(number), &number.e164(), &place),
            Dialled::Short(user) | Dialled::Emergency(user) => manners.called(None, user, &place),
        };
        let template = record.profile.refer.uri.as_str();
        if template.is_empty() {
            return Some(plain);
        }
        let written = template.replace("{number}", plain.user()?).replace("{host}", &host.to_string());
        Uri::parse(&written).ok()
    }

    /// What the far end of a leg calls itself.
    fn host_of_far_end(&self, record: &Leg) -> Option<crate::wire::sip::Host> {
        let dialog = self.endpoint.dialog(record.id)?;
        let named = dialog.remote.uri.host().filter(|host| !host.to_string().ends_with(".invalid"));
        named.or_else(|| dialog.remote_target.host()).cloned()
    }

    /// The other one of a call of two: who hands over.
    fn giver_of(&self, leg: LegId) -> Option<LegId> {
        let (room, _) = self.legs.get(&leg)?.place()?;
        let is_call = self.rooms.get(&room).is_some_and(|room| room.settings().call);
        match self.others_of(leg).as_slice() {
            [other] if is_call => Some(*other),
            _ => None,
        }
    }
}

fn target_of(order: &Order) -> Result<Target, Denial> {
    let uui = match &order.uui {
        Some(text) => vec![Uui::parse(text).map_err(|_| Denial::Invalid("`uui` is no User-to-User value".into()))?],
        None => Vec::new(),
    };
    let mut headers = Headers::new();
    for (name, value) in &order.headers {
        let token = |c: char| c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c);
        let own = name.len() > 2 && name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("X-"));
        if !own || !name.chars().all(token) {
            return Err(Denial::Invalid("header names begin with `X-`".into()));
        }
        headers.push((Name::from(name.as_str()), Text::from(value.as_str())));
    }
    if order.to.is_empty() && order.consult.is_none() {
        return Err(Denial::Invalid("`to` is missing".into()));
    }
    Ok(Target { user: order.to.clone(), headers, uui })
}
