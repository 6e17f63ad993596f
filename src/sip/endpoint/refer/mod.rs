//! REFER in the dialogs of calls, with the subscription that it makes (RFC 3515, RFC 4488, RFC 6665).
//!
//! ```text
//!   theirs   REFER ── Referred ── accept_refer ── 202, NOTIFY 100 ── report_refer ── NOTIFY 180, 200 (terminated)
//!                             └── refuse_refer ── 403, 603 …
//!   ours     refer ── REFER ── 202 ── ReferStep::Accepted ── NOTIFY ── Progress … Finished
//!                          └── 603 … ── Refused
//! ```
//!
//! The subscription is a usage of its own of the dialog (RFC 5057): a BYE ends the call and not it. Until it ends, a copy
//! of the dialog stays.

mod ours;
mod theirs;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::clients::User;
use super::facts::Facts;
use super::leg::State;
use super::{Endpoint, Headers, TimerKey, Unanswered};
use crate::base::{Instant, LegId, Now};
use crate::sip::auth::Prover;
use crate::sip::dialog::{Dialog, Order};
use crate::sip::replaces::Replaces;
use crate::sip::reply::{Answer, Reply};
use crate::sip::transport::{Source, Target};
use crate::wire::sip::{Method, Name, Params, Request, Response, Status, Text};
use ours::Ours;
use theirs::Theirs;

/// Names one REFER of an endpoint, ours or theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReferId(u64);

/// How far a REFER of ours is.
#[derive(Clone)]
pub enum ReferStep {
    /// The far end takes it on (202). Where it reports what comes of it, more steps follow; where not, this is the last.
    Accepted {
        /// Whether it reports.
        subscribed: bool,
    },
    /// The far end does not take it on. The last step.
    Refused(Box<Response>),
    /// It did not answer. The last step.
    Unanswered(Unanswered),
    /// The call it made is that far.
    Progress(Status),
    /// The call it made was answered or refused. The last step.
    Finished(Status),
    /// Its reports ended before the call it made was answered or refused. The last step.
    Lost,
}

/// Open REFERs of one leg, both ways. More: a far end fills memory. Less: a phone that tries again is refused.
const MAX_REFERS: usize = 4;

/// How long a subscription lasts, unless the far end says otherwise. Longer: what a phone forgot is kept. Shorter: a
/// referrer does not hear what became of a target that rings long.
const SUBSCRIPTION: Duration = Duration::from_secs(180);

/// The package of these subscriptions.
const PACKAGE: &str = "refer";

/// What an endpoint knows of REFERs.
#[derive(Default)]
pub(super) struct Refers {
    last: u64,
    open: BTreeMap<(LegId, ReferId), Refer>,
    /// Legs whose far end has been told of a REFER: those after it are named in their reports.
    reported: BTreeSet<LegId>,
    /// Dialogs whose call is over and whose subscription is not.
    lingering: BTreeMap<LegId, Lingering>,
}

/// One REFER.
enum Refer {
    Theirs(Theirs),
    Ours(Ours),
}

/// What is left of a leg.
struct Lingering {
    dialog: Dialog,
    contact: String,
    prover: Option<Prover>,
}

impl Refers {
    /// Whether nothing is held.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.lingering.is_empty()
    }

    fn of(&self, leg: LegId) -> impl Iterator<Item = (ReferId, &Refer)> {
        self.open.range((leg, ReferId(0))..=(leg, ReferId(u64::MAX))).map(|((_, id), refer)| (*id, refer))
    }

    fn fresh(&mut self) -> ReferId {
        self.last = self.last.wrapping_add(1);
        ReferId(self.last)
    }
}

impl Endpoint {
    /// The leg in whose dialog a Replaces header is (RFC 3891 §3), whatever its state. An early dialog of ours whose
    /// far end has not said its tag matches by our own, which nobody guesses.
    pub fn dialog_of(&self, replaces: &Replaces) -> Option<LegId> {
        let id = *self.by_tag.get(&replaces.to_tag)?;
        let leg = self.legs.get(&id)?;
        let silent = matches!(&leg.state, State::Outgoing { early, .. } if early.is_empty());
        let same = leg.is_of(&replaces.call_id, &replaces.from_tag);
        (same || (silent && leg.dialog.call_id == replaces.call_id)).then_some(id)
    }

    /// Whether a tag of ours is that of a call: nobody guesses one.
    pub fn has_tag(&self, tag: &Text) -> bool {
        self.by_tag.contains_key(tag)
    }

    /// Call-ID, our tag and theirs of a leg's dialog, or of its first early one: how others are told of it.
    pub fn tags(&self, leg: LegId) -> Option<(Text, Text, Text)> {
        let leg = self.legs.get(&leg).filter(|leg| !leg.over)?;
        let dialog = match &leg.state {
            State::Outgoing { early, .. } => &early.first()?.dialog,
            _ => &leg.dialog,
        };
        (!dialog.remote_tag.is_empty())
            .then(|| (dialog.call_id.clone(), dialog.local_tag.clone(), dialog.remote_tag.clone()))
    }

    /// The leg that an INVITE with this Replaces header takes over, or the answer that refuses the INVITE (RFC 3891 §3).
    pub fn replaced_by(&self, replaces: &Replaces) -> Result<LegId, Status> {
        let id = self.dialog_of(replaces).ok_or(Status::CALL_DOES_NOT_EXIST)?;
        let leg = self.legs.get(&id).ok_or(Status::CALL_DOES_NOT_EXIST)?;
        match &leg.state {
            State::Closing => Err(Status::DECLINE),
            _ if leg.over => Err(Status::DECLINE),
            State::Confirmed | State::Late { .. } | State::Answered { .. } if replaces.early_only => {
                Err(Status::BUSY_HERE)
            }
            State::Confirmed | State::Late { .. } | State::Answered { .. } | State::Outgoing { .. } => Ok(id),
            // An early dialog that we did not begin.
            State::Incoming { .. } => Err(Status::CALL_DOES_NOT_EXIST),
        }
    }

    /// How the far end of a call that is up is told to let another call of its take this one's place: for the Refer-To of
    /// an attended transfer, or an INVITE of ours to it.
    pub fn replaces(&self, leg: LegId) -> Option<Replaces> {
        let up = |state: &State| matches!(state, State::Confirmed | State::Answered { then: None, .. });
        let leg = self.legs.get(&leg).filter(|leg| !leg.over && up(&leg.state))?;
        let tag = |tag: &Text| if tag.is_empty() { "0".into() } else { tag.clone() };
        Some(Replaces {
            call_id: leg.dialog.call_id.clone(),
            to_tag: tag(&leg.dialog.remote_tag),
            from_tag: leg.dialog.local_tag.clone(),
            early_only: false,
        })
    }

    /// Whether a URI's host is one under which we are reached.
    pub fn is_here(&self, uri: &crate::wire::sip::Uri) -> bool {
        let Some(host) = uri.host().map(ToString::to_string) else { return false };
        let host = host.trim_matches(['[', ']']);
        self.settings.advertised.iter().any(|ours| ours.address.host.eq_ignore_ascii_case(host))
    }

    /// Sends a request of a subscription in the dialog of a leg, or in what is left of it.
    fn send_of(
        &mut self,
        leg: LegId,
        method: Method,
        headers: &Headers,
        body: Option<(&str, &[u8])>,
        user: User,
        now: Now,
    ) -> Option<(super::TransactionId, u32)> {
        let (dialog, contact) = match (self.legs.get_mut(&leg), self.refers.lingering.get_mut(&leg)) {
            (Some(leg), _) => (&mut leg.dialog, &leg.contact),
            (None, Some(left)) => (&mut left.dialog, &left.contact),
            (None, None) => return None,
        };
        let seq = dialog.next_seq();
        let (dialog, contact) = (dialog.clone(), contact.clone());
        Some((self.send_in(&dialog, &contact, method, headers, body, user, now), seq))
    }

    /// What answers challenges in what is left of a leg.
    pub(super) fn prover_left(&mut self, leg: LegId) -> Option<&mut Option<Prover>> {
        self.refers.lingering.get_mut(&leg).map(|left| &mut left.prover)
    }

    /// The dialog that is left of a leg.
    pub(super) fn dialog_left(&mut self, leg: LegId) -> Option<&mut Dialog> {
        self.refers.lingering.get_mut(&leg).map(|left| &mut left.dialog)
    }

    /// Takes a REFER, NOTIFY or SUBSCRIBE in the dialog of a leg.
    pub(super) fn receive_of_refer(
        &mut self,
        leg: LegId,
        transaction: super::TransactionId,
        request: Request,
        seq: u32,
        source: Source,
        now: Now,
    ) {
        match request.method {
            Method::Refer => self.receive_refer(leg, transaction, request, seq, source, now),
            Method::Notify => self.receive_report(leg, transaction, &request, now),
            _ => self.receive_resubscription(leg, transaction, &request, now),
        }
    }

    /// Takes a request in a dialog whose call is over, if a subscription of it is not; says whether it was one.
    pub(super) fn receive_after_call(
        &mut self,
        request: &Request,
        facts: &Facts,
        key: &str,
        source: &Source,
        now: Now,
    ) -> bool {
        if !is_of_subscription(request) || self.is_overfull() {
            return false;
        }
        let of = |left: &Lingering| {
            facts.to_tag() == Some(left.dialog.local_tag.as_str())
                && left.dialog.call_id == facts.call_id
                && left.dialog.remote_tag == *facts.remote_tag()
        };
        let Some((leg, left)) = self.refers.lingering.iter_mut().find(|(_, left)| of(left)) else { return false };
        if left.dialog.take_in_order(facts.seq) == Order::Stale {
            return false;
        }
        left.dialog.hop = Target::back_to(source);
        let leg = *leg;
        let Some(reply) = Reply::to(&request.headers, source) else { return false };
        let transaction = self.begin_server(&request.method, facts, key.to_owned(), reply, None, now);
        match request.method {
            Method::Notify => self.receive_report(leg, transaction, request, now),
            _ => self.receive_resubscription(leg, transaction, request, now),
        }
        true
    }

    /// A REFER outside the dialog of a call is nobody's to ask for here (RFC 3515 §2.4.2); one that names a dialog which
    /// is not there is told so (RFC 4538 §4).
    pub(super) fn refusal_outside(&self, request: &Request) -> Status {
        let named = request.headers.get(Name::TargetDialog).map(crate::sip::replaces::TargetDialog::parse);
        match named {
            Some(Err(_)) => Status::BAD_REQUEST,
            Some(Ok(named)) => {
                // Named from the sender's side.
                let here = Replaces {
                    call_id: named.call_id,
                    to_tag: named.remote_tag,
                    from_tag: named.local_tag,
                    early_only: false,
                };
                if self.dialog_of(&here).is_some() { Status::FORBIDDEN } else { Status::CALL_DOES_NOT_EXIST }
            }
            None => Status::FORBIDDEN,
        }
    }

    /// Their BYE came: a REFER that still waits is answered with 487 (§15.1.2).
    pub(super) fn terminate_asked(&mut self, leg: LegId, now: Now) {
        let tag = self.tag_in(leg);
        for (id, server) in self.asked(leg) {
            self.close_refer(leg, id);
            self.give(server, Answer::plain(Status::REQUEST_TERMINATED, &tag), now);
        }
    }

    fn asked(&self, leg: LegId) -> Vec<(ReferId, super::TransactionId)> {
        let asked: Vec<_> = self
            .refers
            .of(leg)
            .filter_map(|(id, refer)| match refer {
                Refer::Theirs(Theirs::Asked { server, .. }) => Some((id, *server)),
                Refer::Theirs(Theirs::Subscribed(_)) | Refer::Ours(_) => None,
            })
            .collect();
        asked
    }

    /// The leg is about to be forgotten: its subscriptions keep what they need of the dialog.
    pub(super) fn refers_outlive(&mut self, leg: LegId) {
        self.refers.reported.remove(&leg);
        let done = self.refers.of(leg).filter(|(_, refer)| matches!(refer, Refer::Ours(ours) if ours.is_over()));
        let over: Vec<ReferId> = done.map(|(id, _)| id).chain(self.asked(leg).into_iter().map(|(id, _)| id)).collect();
        for id in over {
            self.close_refer(leg, id);
        }
        if self.refers.of(leg).next().is_none() {
            return;
        }
        match self.legs.get(&leg) {
            Some(gone) if self.refers.lingering.len() < self.settings.limits.legs => {
                let (dialog, contact) = (gone.dialog.clone(), gone.contact.clone());
                let left = Lingering { dialog, contact, prover: gone.prover.clone() };
                self.refers.lingering.insert(leg, left);
            }
            Some(_) | None => {
                let rest: Vec<ReferId> = self.refers.of(leg).map(|(id, _)| id).collect();
                for id in rest {
                    self.close_refer(leg, id);
                }
            }
        }
    }

    /// Forgets a REFER, and with the last of them what was kept of a leg that is over.
    fn close_refer(&mut self, leg: LegId, id: ReferId) {
        self.refers.open.remove(&(leg, id));
        self.timers.disarm(&TimerKey::Refer(leg, id));
        if self.refers.of(leg).next().is_none() {
            self.refers.lingering.remove(&leg);
        }
    }

    /// A subscription ran out.
    pub(super) fn refer_timer(&mut self, leg: LegId, id: ReferId, now: Now) {
        match self.refers.open.get(&(leg, id)) {
            Some(Refer::Theirs(_)) => self.expire_theirs(leg, id, now),
            Some(Refer::Ours(_)) => self.expire_ours(leg, id),
            None => {}
        }
    }

    fn arm_refer(&mut self, leg: LegId, id: ReferId, at: Instant) {
        self.timers.arm(TimerKey::Refer(leg, id), at);
    }

    /// The tag of ours in a leg's dialog, or in what is left of it.
    fn tag_in(&self, leg: LegId) -> Text {
        let dialog = self.legs.get(&leg).map(|leg| &leg.dialog);
        let dialog = dialog.or_else(|| self.refers.lingering.get(&leg).map(|left| &left.dialog));
        dialog.map(|dialog| dialog.local_tag.clone()).unwrap_or_default()
    }

    fn contact_in(&self, leg: LegId) -> String {
        let contact = self.legs.get(&leg).map(|leg| &leg.contact);
        let contact = contact.or_else(|| self.refers.lingering.get(&leg).map(|left| &left.contact));
        contact.cloned().unwrap_or_default()
    }
}

/// Whether a request belongs to the subscription of a REFER.
pub(super) fn is_of_subscription(request: &Request) -> bool {
    matches!(request.method, Method::Notify | Method::Subscribe) && event_of(request).is_some()
}

/// The number of the REFER that the Event header names: none in it means the first; none where it is another package.
fn event_of(request: &Request) -> Option<Option<u32>> {
    let value = request.headers.get(Name::Event)?;
    let (package, params) = value.split_at(value.find(';').unwrap_or(value.len()));
    if !package.trim().eq_ignore_ascii_case(PACKAGE) {
        return None;
    }
    Some(Params::parse(params).ok().and_then(|params| params.get("id").and_then(|id| id.parse().ok())))
}

/// Whether a message says that there is no subscription (RFC 4488 §4).
fn declines_reports(headers: &crate::wire::sip::Headers) -> bool {
    let value = headers.get(Name::ReferSub).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("false")
}
