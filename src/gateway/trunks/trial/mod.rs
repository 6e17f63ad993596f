//! A test of a trunk, on this node's own sockets, with its own registration and account: what a carrier sees of it is what it
//! will see of calls.
//!
//! ```text
//!   OPTIONS ─► REGISTER ─► call ─► echo ─► keys ─► hold ─► resume ─► refresh ─► REFER ─► BYE ─► report
//!                           └── refused, or over too early: what needs a call is left out ────────▲
//! ```
//!
//! One runs at a time; its report stays until the next.

mod advice;
mod report;
mod trace;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Place, Timer};
use crate::base::id::TrunkId;
use crate::base::{Cause, Instant, LegId, Now};
use crate::gateway::Gateway;
use crate::gateway::command::{Denial, Outcome, Reply};
use crate::gateway::ringing::RingId;
use crate::route::{Destination, Dialled, Party};
use crate::sip::endpoint::{TransactionId, Unanswered};
use crate::sip::transport::Transport;
use crate::wire::sip::{Message, Name, Status, Text};
pub use report::{StepName, StepOutcome, TrialMessage, TrialReport, TrialStep};

/// Most messages that are told of one test. More: a far end that repeats itself fills memory. Fewer: the end is missing.
const MOST_MESSAGES: usize = 400;

/// What is to be tested of a trunk, beyond OPTIONS and its registration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct TrialRequest {
    /// A number that answers and sends back what it hears; none: no call is made.
    #[cfg_attr(feature = "node", schema(example = "9196"))]
    pub call: Option<String>,
    /// Whom the far end is to be transferred to at the end of the call.
    pub refer: Option<String>,
}

/// A test and its report.
#[derive(Debug)]
pub(super) struct Trial {
    report: TrialReport,
    began: Instant,
    step_began: Instant,
    step: Option<StepName>,
    /// Whom to call and whom to transfer to, each as the trunk's numbers want it.
    call: Option<Dialled>,
    refer: Option<Dialled>,
    /// Call-IDs of its own.
    calls: BTreeSet<Text>,
    /// OPTIONS, and what came of each.
    asked: BTreeMap<TransactionId, (Place, Option<Result<Status, Unanswered>>)>,
    ring: Option<RingId>,
    leg: Option<LegId>,
    /// The tone came back.
    echoes: bool,
    /// The step's request was answered as it should be; what follows is under way.
    settled: bool,
    /// Keys that came back.
    keys: u32,
    messages: usize,
}

impl Gateway {
    /// Begins a test of a trunk.
    pub(in crate::gateway) fn begin_trial(&mut self, id: TrunkId, request: TrialRequest, now: Now) -> Outcome {
        let conflict = |why: &str| Err(Denial::Conflict(why.to_owned()));
        let Some(trunk) = self.table.trunks.get(&id).cloned() else { return Err(Denial::NotFound("trunk")) };
        if self.drain.is_some() {
            return conflict(Cause::Draining.text());
        }
        if !self.trunks.links.contains_key(&id) {
            return conflict("this trunk is disabled, or no calls go out by it: there is nothing to test");
        }
        if self.trunks.trial.as_ref().is_some_and(|trial| trial.report.running) {
            return conflict("another test is under way");
        }
        if request.refer.is_some() && request.call.is_none() {
            return Err(Denial::Invalid("a transfer needs a call: name a number in `call`".into()));
        }
        let call = request.call.as_deref().map(|number| self.number_on(id, number)).transpose()?;
        let refer = request.refer.as_deref().map(|number| self.number_on(id, number)).transpose()?;
        let report = TrialReport {
            trunk: id,
            name: trunk.name,
            profile: trunk.profile,
            ours: concat!("Ringlift/", env!("CARGO_PKG_VERSION")).to_owned(),
            our_addresses: Vec::new(),
            seen_at: Vec::new(),
            far_ends: Vec::new(),
            began: now.utc.to_string(),
            took_ms: 0,
            running: true,
            passed: false,
            steps: Vec::new(),
        };
        self.trunks.trial = Some(Box::new(Trial {
            report,
            began: now.mono,
            step_began: now.mono,
            step: None,
            call,
            refer,
            calls: BTreeSet::new(),
            asked: BTreeMap::new(),
            ring: None,
            leg: None,
            echoes: false,
            settled: false,
            keys: 0,
            messages: 0,
        }));
        self.next_trial_step(now);
        self.trial_report(id, now)
    }

    /// What a test found so far.
    pub(in crate::gateway) fn trial_report(&self, id: TrunkId, now: Now) -> Outcome {
        let trial = self.trunks.trial.as_ref().filter(|trial| trial.report.trunk == id);
        let Some(trial) = trial else { return Err(Denial::NotFound("test")) };
        let mut report = trial.report.clone();
        if report.running {
            report.took_ms = millis(now.mono, trial.began);
        }
        Ok(Reply::Trial(Box::new(report)))
    }

    /// A number as this trunk is to be sent it, under the operator's own limits.
    fn number_on(&self, id: TrunkId, number: &str) -> Result<Dialled, Denial> {
        let to = self.trial_destination(id);
        let plan = self.table.plan_of(Party::Trunk(id));
        let aimed = self.table.aim(&self.settings.operator_limits, number.trim(), &plan, &to);
        match aimed.map_err(|(cause, why)| Denial::Conflict(format!("{}: {why}", cause.text())))? {
            Some(Dialled::Emergency(_)) => Err(Denial::Invalid("nobody calls for help to test a line".into())),
            Some(dialled) if !number.trim().is_empty() => Ok(dialled),
            Some(_) | None => Err(Denial::Invalid("name a number to call".into())),
        }
    }

    fn trial_destination(&self, id: TrunkId) -> Destination {
        Destination::Trunk { trunks: vec![id], strip: 0, prefix: String::new() }
    }

    /// A request of ours belongs to the test, if it is of this trunk and the step sends such requests.
    pub(in crate::gateway) fn trial_sends(&mut self, id: TrunkId, sent: TransactionId, step: StepName) {
        let Some(call_id) = self.endpoint.call_id_of(sent) else { return };
        if let Some(trial) = &mut self.trunks.trial
            && trial.report.trunk == id
            && trial.step == Some(step)
        {
            trial.calls.insert(call_id);
        }
    }

    /// An INVITE of ours goes out for this attempt.
    pub(in crate::gateway) fn trial_calls(&mut self, ring: RingId, call_id: &str) {
        if let Some(trial) = &mut self.trunks.trial
            && trial.ring == Some(ring)
        {
            trial.calls.insert(Text::from(call_id));
        }
    }

    /// Whether messages are looked at.
    pub(in crate::gateway) fn is_trying(&self) -> bool {
        self.trunks.trial.as_ref().is_some_and(|trial| trial.report.running && !trial.calls.is_empty())
    }

    /// Notes a message, where it is the test's.
    pub(in crate::gateway) fn trial_notes(
        &mut self,
        message: &Message,
        sent: bool,
        transport: Transport,
        remote: std::net::SocketAddr,
        now: Now,
    ) {
        let Some(trial) = &mut self.trunks.trial else { return };
        let headers = message.headers();
        if !headers.call_id().is_some_and(|call_id| trial.calls.iter().any(|own| own == call_id)) {
            return;
        }
        let via = headers.top_via();
        if sent && matches!(message, Message::Request(_)) {
            let shown = via.as_ref().map(|via| match via.port {
                Some(port) => format!("{transport} {}:{port}", via.host),
                None => format!("{transport} {}", via.host),
            });
            note_once(&mut trial.report.our_addresses, shown);
        }
        if !sent {
            let agent = headers.get(Name::Server).or_else(|| headers.get(Name::UserAgent));
            note_once(&mut trial.report.far_ends, agent.map(str::to_owned));
            if let (Message::Response(_), Some(via)) = (message, via) {
                let seen = via.params.get("received").map(|ip| match via.params.get("rport") {
                    Some(port) => format!("{ip}:{port}"),
                    None => ip.to_owned(),
                });
                note_once(&mut trial.report.seen_at, seen);
            }
        }
        if trial.messages < MOST_MESSAGES
            && let Some(step) = trial.report.steps.last_mut()
        {
            trial.messages += 1;
            step.messages.push(trace::told(message, sent, (transport, remote), now.utc));
        }
        if let (false, Some(StepName::HangUp), Message::Response(response)) = (sent, trial.step, message)
            && headers.cseq_is(&crate::wire::sip::Method::Bye)
            && response.status.code() >= 200
        {
            self.trial_bye_answered(response.status, now);
        }
    }

    /// The step under way ends so; the next begins.
    fn end_trial_step(&mut self, outcome: StepOutcome, seen: String, advice: Option<&str>, now: Now) {
        let Some(trial) = &mut self.trunks.trial else { return };
        let took = millis(now.mono, trial.step_began);
        if let Some(step) = trial.report.steps.last_mut() {
            step.outcome = outcome;
            step.seen = seen;
            step.advice = advice.map(str::to_owned);
            step.took_ms = took;
        }
        self.trunks.timers.disarm(&Timer::Trial);
        self.next_trial_step(now);
    }

    fn next_trial_step(&mut self, now: Now) {
        let Some(trial) = &mut self.trunks.trial else { return };
        let next = StepName::ALL.into_iter().find(|step| trial.step.is_none_or(|last| *step > last));
        trial.step = next;
        trial.step_began = now.mono;
        trial.settled = false;
        let Some(step) = next else {
            trial.report.running = false;
            trial.report.took_ms = millis(now.mono, trial.began);
            trial.report.passed = trial.report.steps.iter().all(|step| step.outcome != StepOutcome::Failed);
            return;
        };
        trial.report.steps.push(TrialStep {
            step,
            outcome: StepOutcome::Running,
            began: now.utc.to_string(),
            took_ms: 0,
            expected: step.expected().to_owned(),
            seen: "under way".to_owned(),
            advice: None,
            echo: None,
            messages: Vec::new(),
        });
        self.trunks.timers.arm(Timer::Trial, now.mono + walk::patience(step));
        self.begin_trial_step(step, now);
    }
}

fn note_once(list: &mut Vec<String>, item: Option<String>) {
    if let Some(item) = item.filter(|item| !list.contains(item)) {
        list.push(item);
    }
}

fn millis(now: Instant, since: Instant) -> u64 {
    u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX)
}
