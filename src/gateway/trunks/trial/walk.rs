//! What each step of a test does, and what it makes of what follows.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::report::{StepName, StepOutcome};
use super::{Trial, advice, millis};
use crate::base::id::TrunkId;
use crate::base::{Cause, LegId, Now, ParticipantId, RoomId, Secret};
use crate::gateway::Gateway;
use crate::gateway::calls::CallPlan;
use crate::gateway::identity::Caller;
use crate::gateway::leg::Stage;
use crate::gateway::requests::Asker;
use crate::gateway::ringing::{Ring, RingId, Step, Waits};
use crate::gateway::trunks::{Place, Timer};
use crate::media::command::{Figures, MediaCommand};
use crate::media::sounder::{Echo, LONGEST};
use crate::profile::{DtmfMode, HoldStyle};
use crate::sip::dialog::MAX_FORWARDS;
use crate::sip::endpoint::{Headers, TransactionId, Unanswered};
use crate::sip::registration::{Failure, State};
use crate::wire::sip::{Response, Status, Uri};

/// What is keyed: every row and column of a telephone's keys.
const KEYS: &str = "1590*#";
/// How long the called number may ring. Longer: an operator waits for nobody. Shorter: some announcements begin late.
const RING: Duration = Duration::from_secs(30);
/// How long the call is left on hold. Longer: the test takes longer. Shorter: hold and resume cross in a slow network.
const HELD: Duration = Duration::from_secs(1);
/// An echo fainter than this is a fault, in decibels: people ask each other to speak up.
const FAINT: f32 = -25.0;

use StepOutcome::{Failed, Ok as Well, Skipped};

/// How long a step may take before it has failed; for most what a SIP transaction takes to fail by itself, and some more.
pub(super) const fn patience(step: StepName) -> Duration {
    match step {
        StepName::Options => Duration::from_secs(5),
        StepName::Register | StepName::Hold | StepName::Resume | StepName::Refresh => Duration::from_secs(34),
        StepName::Call => Duration::from_secs(45),
        StepName::Echo => LONGEST,
        // Six keys of a fifth of a second each, and time for them to come back.
        StepName::Keys => Duration::from_millis(3000),
        StepName::Refer => Duration::from_secs(60),
        StepName::HangUp => Duration::from_secs(8),
    }
}

impl Gateway {
    fn trial(&self) -> Option<&Trial> {
        self.trunks.trial.as_deref()
    }

    fn trial_step(&self) -> Option<StepName> {
        self.trial()?.step
    }

    /// The call of the test, where this leg is it.
    fn is_on_trial(&self, leg: LegId) -> bool {
        self.trial().is_some_and(|trial| trial.leg == Some(leg))
    }

    fn skip_trial_step(&mut self, why: &str, now: Now) {
        self.end_trial_step(Skipped, why.to_owned(), None, now);
    }

    /// Does what a step begins with.
    pub(super) fn begin_trial_step(&mut self, step: StepName, now: Now) {
        let Some(trial) = self.trial() else { return };
        let (id, wants_call, wants_refer) = (trial.report.trunk, trial.call.is_some(), trial.refer.is_some());
        let leg = trial.leg.filter(|leg| self.legs.contains_key(leg));
        match (step, leg) {
            (StepName::Options, _) => self.try_options(id, now),
            (StepName::Register, _) => self.try_register(id, now),
            (StepName::Call, _) if !wants_call => {
                self.skip_trial_step("not asked for: name a number that sends back what it hears", now);
            }
            (StepName::Call, _) => self.try_call(id, now),
            (_, _) if !wants_call => self.skip_trial_step("there is no call", now),
            (StepName::Refer, _) if !wants_refer => {
                self.skip_trial_step("not asked for: name a number to transfer to", now);
            }
            (_, None) => self.skip_trial_step("there is no call any more", now),
            (StepName::Echo, Some(leg)) => self.order(MediaCommand::Sound { leg }),
            (StepName::Keys, Some(leg)) => self.try_keys(leg, now),
            (StepName::Hold | StepName::Resume | StepName::Refresh, Some(leg)) => self.try_change(leg, step, now),
            (StepName::Refer, Some(leg)) => self.try_transfer(id, leg, now),
            (StepName::HangUp, Some(leg)) => self.hang_up(leg, Cause::HungUpByOperator, now),
        }
    }

    fn try_options(&mut self, id: TrunkId, now: Now) {
        let Some(link) = self.trunks.links.get(&id) else { return };
        let places: Vec<(Place, Option<Uri>)> = link
            .far_ends
            .iter()
            .map(|(place, far)| (*place, link.lines.get(far.line).map(|line| line.uri.clone())))
            .collect();
        if places.is_empty() {
            let advice = "check the names in `outbound.targets` and the nameservers (`dns.servers`)";
            let seen = "no address is found for any target".to_owned();
            return self.end_trial_step(Failed, seen, Some(advice), now);
        }
        for (place, uri) in places {
            let Some(uri) = uri else { continue };
            let sent = self.send_options(id, place, &uri, now);
            self.askers.insert(sent, Asker::Trial);
            self.trial_sends(id, sent, StepName::Options);
            if let Some(trial) = &mut self.trunks.trial {
                trial.asked.insert(sent, (place, None));
            }
        }
    }

    /// What came of an OPTIONS of the test.
    pub(in crate::gateway) fn trial_options_answered(
        &mut self,
        transaction: TransactionId,
        result: Result<&Response, Unanswered>,
        now: Now,
    ) {
        let Some(trial) = &mut self.trunks.trial else { return };
        if trial.step != Some(StepName::Options) {
            return;
        }
        if let Some((_, outcome)) = trial.asked.get_mut(&transaction) {
            *outcome = Some(result.map(|response| response.status));
        }
        if trial.asked.values().all(|(_, outcome)| outcome.is_some()) {
            self.judge_options(now);
        }
    }

    fn judge_options(&mut self, now: Now) {
        let Some(trial) = self.trial() else { return };
        let asked = self.trunks.links.get(&trial.report.trunk).is_some_and(|link| link.probing.is_some());
        let unwell = |status: Status| status == Status::REQUEST_TIMEOUT || status == Status::SERVICE_UNAVAILABLE;
        let mut said = Vec::new();
        let (mut silent, mut refused) = (false, None);
        for ((transport, remote), outcome) in trial.asked.values() {
            let words = match outcome {
                Some(Ok(status)) => {
                    refused = refused.or(Some(*status).filter(|status| unwell(*status)));
                    status.to_string()
                }
                Some(Err(Unanswered::TransportFailed | Unanswered::NotSent)) => {
                    silent = true;
                    "no connection".to_owned()
                }
                Some(Err(Unanswered::TimedOut)) | None => {
                    silent = true;
                    "no answer".to_owned()
                }
            };
            said.push(format!("{transport} {remote}: {words}"));
        }
        let said = said.join("; ");
        match (silent, refused) {
            (false, None) => self.end_trial_step(Well, said, None, now),
            (true, None) if !asked => {
                self.skip_trial_step(&format!("{said}; the profile says that this carrier may ignore OPTIONS"), now);
            }
            (true, _) => self.end_trial_step(Failed, said, Some(advice::for_silence(StepName::Options)), now),
            (false, Some(status)) => {
                let advice = advice::for_status(StepName::Options, status.code());
                self.end_trial_step(Failed, said, Some(advice), now);
            }
        }
    }

    fn try_register(&mut self, id: TrunkId, now: Now) {
        if self.trunks.links.get(&id).is_none_or(|link| link.registration.is_none()) {
            return self.skip_trial_step("this trunk does not register", now);
        }
        self.with_registration(id, now, |registration, _| registration.refresh());
        self.trial_registration(id, now);
    }

    /// How a trunk's registration stands may have changed.
    pub(in crate::gateway::trunks) fn trial_registration(&mut self, id: TrunkId, now: Now) {
        let under_way = self.trial().filter(|trial| trial.report.trunk == id && trial.step == Some(StepName::Register));
        if under_way.is_none() {
            return;
        }
        let Some(registration) = self.trunks.links.get(&id).and_then(|link| link.registration.as_ref()) else { return };
        match registration.state() {
            State::Idle | State::Locating | State::Asking => {}
            State::Registered { until } => {
                let seen = format!("registered for {} s", until.since(now.mono).as_secs());
                self.end_trial_step(Well, seen, None, now);
            }
            State::Failed(Failure::NotFound) => {
                let advice = "check the name in `register.registrar` and the nameservers (`dns.servers`)";
                self.end_trial_step(Failed, "no address is found for the registrar".to_owned(), Some(advice), now);
            }
            State::Failed(Failure::Silent) => {
                let advice = advice::for_silence(StepName::Register);
                self.end_trial_step(Failed, "the registrar does not answer".to_owned(), Some(advice), now);
            }
            State::Failed(Failure::Refused(status)) => {
                let (seen, advice) =
                    (format!("refused with {status}"), advice::for_status(StepName::Register, status.code()));
                self.end_trial_step(Failed, seen, Some(advice), now);
            }
        }
    }

    fn try_call(&mut self, id: TrunkId, now: Now) {
        let to = self.trial_destination(id);
        let dialled = self.trial().and_then(|trial| trial.call.clone());
        if let Err(cause) = self.admit(None.into(), &to, dialled.as_ref(), now) {
            let advice = "the operator's own limits (`[limits]`) do not let it through";
            return self.end_trial_step(Failed, cause.text().to_owned(), Some(advice), now);
        }
        let plan = CallPlan {
            party: None,
            to,
            dialled,
            caller: Caller::default(),
            headers: Headers::new(),
            seconds: Some(RING),
            auto_answer: false,
            language: self.settings.language.clone(),
            max_forwards: MAX_FORWARDS,
            name: None,
        };
        self.next_ring += 1;
        let ring_id = RingId(self.next_ring);
        let ring = Ring {
            room: RoomId::draw(&mut self.rng),
            participant: ParticipantId::draw(&mut self.rng),
            waits: Waits::Trial,
            plan,
            steps: VecDeque::from([Step::Trunk(id)]),
            branches: BTreeSet::new(),
            locating: false,
            failure: None,
            status: None,
            rang: false,
            early: None,
            promised: None,
            redirected: 0,
            as_it_is: false,
        };
        self.rings.insert(ring_id, ring);
        if let Some(trial) = &mut self.trunks.trial {
            trial.ring = Some(ring_id);
        }
        self.ring_on(ring_id, now);
    }

    /// The test's call was answered.
    pub(in crate::gateway) fn trial_answered(&mut self, leg: LegId, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        record.stage = Stage::OnTrial {};
        let agreed = record.agreed.as_ref().map(|(format, _)| {
            let events = if format.telephone_event.is_some() { "telephone-event" } else { "no telephone-event" };
            format!("{} in packets of {} ms, {events}", format.codec.name(), format.ptime)
        });
        if let Some(trial) = &mut self.trunks.trial {
            trial.leg = Some(leg);
            trial.ring = None;
        }
        let seen = format!("answered: {}", agreed.unwrap_or_default());
        self.end_trial_step(Well, seen, None, now);
    }

    /// Nobody answered the test's call.
    pub(in crate::gateway) fn trial_call_failed(&mut self, cause: Cause, now: Now) {
        let Some(trial) = &mut self.trunks.trial else { return };
        trial.ring = None;
        if trial.step != Some(StepName::Call) {
            return;
        }
        let mut answers = trial.report.steps.last().into_iter().flat_map(|step| step.messages.iter().rev());
        let last = answers.find(|message| !message.sent && message.line.starts_with("SIP/2.0 "));
        let status = last.and_then(|message| message.line.split(' ').nth(1)?.parse::<u16>().ok());
        let advice = match (status.filter(|status| *status >= 300), cause) {
            (Some(status), _) => advice::for_status(StepName::Call, status),
            (None, Cause::BadSdp | Cause::NoCommonCodec | Cause::NotEncrypted) => {
                advice::for_status(StepName::Call, 488)
            }
            (None, Cause::NoAnswer) => advice::for_status(StepName::Call, 480),
            (None, Cause::Overloaded | Cause::LimitReached | Cause::Throttled) => {
                "this trunk's own limits (`max_calls`, `calls_per_second`) do not let it through now"
            }
            (None, _) => advice::for_silence(StepName::Call),
        };
        let seen = match last {
            Some(message) => format!("{}; the last answer was {}", cause.text(), message.line),
            None => cause.text().to_owned(),
        };
        self.end_trial_step(Failed, seen, Some(advice), now);
    }

    /// What came back of the tone.
    pub(in crate::gateway) fn trial_sounded(&mut self, leg: LegId, echo: Echo, figures: Figures, now: Now) {
        if !self.is_on_trial(leg) {
            return;
        }
        let codec = self.codec_of(leg).map(|codec| format!("{}: ", codec.name())).unwrap_or_default();
        let Some(trial) = &mut self.trunks.trial else { return };
        let Some(step) = trial.step.filter(|step| matches!(step, StepName::Echo | StepName::Resume)) else { return };
        if let Some(told) = trial.report.steps.last_mut() {
            told.echo = Some(echo);
        }
        let share = figures.lost as f64 * 100.0 / (figures.received + figures.lost).max(1) as f64;
        let packets = format!(
            "{} packets sent, {} received, {} lost ({share:.1} %), jitter {:.1} ms",
            figures.sent, figures.received, figures.lost, figures.jitter_ms
        );
        let seen = match (echo.round_trip_ms, echo.level_db) {
            (Some(trip), Some(level)) => format!(
                "{codec}{} of {} tones came back after {trip} ms at {level:+.1} dB; {packets}",
                echo.heard, echo.sent
            ),
            (_, _) if echo.other => format!("{codec}sound came, but none of the tones; {packets}"),
            (_, _) => format!("{codec}none of the tones came back; {packets}"),
        };
        trial.echoes = echo.heard > 0;
        let faint = echo.level_db.is_some_and(|level| level < FAINT);
        let advice = match echo.heard {
            0 if figures.received == 0 => Some(advice::for_silence(step)),
            0 => Some(advice::NO_ECHO),
            _ if faint => Some(advice::FAINT),
            _ => None,
        };
        let outcome = if advice.is_none() { Well } else { Failed };
        self.end_trial_step(outcome, seen, advice, now);
    }

    fn try_keys(&mut self, leg: LegId, now: Now) {
        if self.send_digits(leg, &Secret::new(KEYS), now).is_err() {
            self.end_trial_step(Failed, "the call takes no keys".to_owned(), None, now);
        }
    }

    /// A key came from the far end of the test's call.
    pub(in crate::gateway) fn trial_key(&mut self, leg: LegId) {
        if self.is_on_trial(leg)
            && let Some(trial) = &mut self.trunks.trial
        {
            trial.keys += 1;
        }
    }

    fn judge_keys(&mut self, now: Now) {
        let Some(trial) = self.trial() else { return };
        let Some(record) = trial.leg.and_then(|leg| self.legs.get(&leg)) else { return };
        let wanted = record.profile.media.dtmf == DtmfMode::Rfc4733;
        let events = record.agreed.as_ref().and_then(|(format, _)| format.telephone_event);
        let back = match trial.keys {
            0 => "none came back, which an echo of audio alone does not do either".to_owned(),
            keys => format!("{keys} came back"),
        };
        let count = KEYS.len();
        let mut messages = trial.report.steps.last().into_iter().flat_map(|step| &step.messages);
        let refused = messages
            .find(|message| !message.sent && message.cseq.ends_with("INFO") && !message.line.starts_with("SIP/2.0 2"));
        match (wanted, events, refused) {
            (true, Some((payload, _)), _) => {
                let seen = format!("{count} keys sent as telephone-event (payload type {payload}); {back}");
                self.end_trial_step(Well, seen, None, now);
            }
            (true, None, _) => {
                let seen = format!("telephone-event was not agreed on; {count} keys went by INFO; {back}");
                self.end_trial_step(Failed, seen, Some(advice::NO_EVENTS), now);
            }
            (false, _, Some(message)) => {
                let seen = format!("keys by INFO were refused: {}", message.line);
                let advice = "use telephone-event instead: `media.dtmf = \"rfc4733\"` in the profile";
                self.end_trial_step(Failed, seen, Some(advice), now);
            }
            (false, _, None) => self.end_trial_step(Well, format!("{count} keys sent by INFO; {back}"), None, now),
        }
    }

    fn try_change(&mut self, leg: LegId, step: StepName, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        let style: HoldStyle = record.profile.hold;
        let offer = match step {
            StepName::Hold => {
                record.held_by_us = true;
                record.negotiation.hold(style)
            }
            StepName::Resume => {
                record.held_by_us = false;
                record.negotiation.resume()
            }
            _ => record.negotiation.offer(),
        };
        self.endpoint.reinvite(leg, Some(offer), now);
    }

    /// A change of the test's call was answered.
    pub(in crate::gateway) fn trial_modified(&mut self, leg: LegId, result: Result<bool, Status>, now: Now) {
        if !self.is_on_trial(leg) || !self.legs.contains_key(&leg) {
            return;
        }
        let interval = self.endpoint.session_interval(leg);
        let Some(trial) = &mut self.trunks.trial else { return };
        let Some(step) = trial.step.filter(|_| !trial.settled) else { return };
        match (step, result) {
            (StepName::Hold | StepName::Resume | StepName::Refresh, Err(status)) => {
                let advice = advice::for_status(step, status.code());
                self.end_trial_step(Failed, format!("refused with {status}"), Some(advice), now);
            }
            (StepName::Hold | StepName::Resume | StepName::Refresh, Ok(false)) => {
                let advice = "the carrier must answer an offer (RFC 3264 §5): give it the Call-ID above";
                self.end_trial_step(Failed, "200 without an SDP answer".to_owned(), Some(advice), now);
            }
            (StepName::Hold, Ok(true)) => {
                trial.settled = true;
                self.trunks.timers.arm(Timer::Trial, now.mono + HELD);
            }
            (StepName::Resume, Ok(true)) if trial.echoes => {
                trial.settled = true;
                self.trunks.timers.arm(Timer::Trial, now.mono + LONGEST);
                self.order(MediaCommand::Sound { leg });
            }
            (StepName::Resume, Ok(true)) => {
                let seen = "200; whether it is heard again is not known, for nothing was heard before".to_owned();
                self.end_trial_step(Well, seen, None, now);
            }
            (StepName::Refresh, Ok(true)) => {
                let timer = match interval {
                    Some(interval) => format!(
                        "session timer of {} s, refreshed by {}",
                        interval.expires.as_secs(),
                        if interval.ours { "us" } else { "the far end" }
                    ),
                    None => "no session timer was agreed on".to_owned(),
                };
                self.end_trial_step(Well, format!("200; {timer}"), None, now);
            }
            (_, _) => {}
        }
    }

    fn try_transfer(&mut self, id: TrunkId, leg: LegId, now: Now) {
        let (to, dialled) = (self.trial_destination(id), self.trial().and_then(|trial| trial.refer.clone()));
        if let Err(why) = self.refer_on_trial(leg, &to, dialled.as_ref(), now) {
            let advice = "where the carrier takes REFER, say so in the profile: `refer.sends = \"blind\"`";
            self.end_trial_step(Failed, why.to_owned(), Some(advice), now);
        }
    }

    /// What came of the test's REFER.
    pub(in crate::gateway) fn trial_referred(&mut self, leg: LegId, result: Result<(), Option<Status>>, now: Now) {
        if !self.is_on_trial(leg) || self.trial_step() != Some(StepName::Refer) {
            return;
        }
        match result {
            Ok(()) => self.end_trial_step(Well, "the far end transferred itself".to_owned(), None, now),
            Err(Some(status)) => {
                let advice = advice::for_status(StepName::Refer, status.code());
                self.end_trial_step(Failed, format!("the transfer failed with {status}"), Some(advice), now);
            }
            Err(None) => {
                let advice = advice::for_silence(StepName::Refer);
                self.end_trial_step(Failed, "no word of how the transfer went".to_owned(), Some(advice), now);
            }
        }
    }

    /// Our BYE was answered.
    pub(super) fn trial_bye_answered(&mut self, status: Status, now: Now) {
        if status.is_success() {
            return self.end_trial_step(Well, status.to_string(), None, now);
        }
        let advice = advice::for_status(StepName::HangUp, status.code());
        self.end_trial_step(Failed, format!("BYE was answered with {status}"), Some(advice), now);
    }

    /// A leg is over.
    pub(in crate::gateway) fn trial_leg_ended(&mut self, leg: LegId, cause: Cause, now: Now) {
        if !self.is_on_trial(leg) {
            return;
        }
        let Some(trial) = &mut self.trunks.trial else { return };
        match trial.step {
            None => {}
            Some(StepName::HangUp) => {
                let mut messages = trial.report.steps.last().into_iter().flat_map(|step| &step.messages);
                if messages.any(|message| !message.sent && message.line.starts_with("BYE ")) {
                    self.end_trial_step(Well, "the far end hung up first".to_owned(), None, now);
                }
            }
            Some(step) => {
                trial.leg = None;
                let seen = format!(
                    "the call ended meanwhile, after {} ms: {}",
                    millis(now.mono, trial.step_began),
                    cause.text()
                );
                let advice = match cause {
                    Cause::HungUp => "the far end hung up: use a number that stays on the line for half a minute",
                    _ => advice::for_silence(step),
                };
                self.end_trial_step(Failed, seen, Some(advice), now);
            }
        }
    }

    /// The step under way took long enough.
    pub(in crate::gateway::trunks) fn trial_timed_out(&mut self, now: Now) {
        let Some(trial) = &mut self.trunks.trial else { return };
        let Some(step) = trial.step else { return };
        let silence = Some(advice::for_silence(step));
        match step {
            StepName::Options => self.judge_options(now),
            StepName::Call => {
                if let Some(ring) = trial.ring.take() {
                    self.abandon_ring(ring, Cause::NoAnswer, now);
                }
                self.trial_call_failed(Cause::NoAnswer, now);
            }
            StepName::Keys => self.judge_keys(now),
            StepName::Hold if trial.settled => {
                self.end_trial_step(Well, "200; held for a second".to_owned(), None, now);
            }
            StepName::Echo | StepName::Resume if step == StepName::Echo || trial.settled => {
                self.end_trial_step(Failed, "nothing was measured".to_owned(), silence, now);
            }
            StepName::Register
            | StepName::Echo
            | StepName::Hold
            | StepName::Resume
            | StepName::Refresh
            | StepName::Refer
            | StepName::HangUp => self.end_trial_step(Failed, "no answer".to_owned(), silence, now),
        }
    }
}
