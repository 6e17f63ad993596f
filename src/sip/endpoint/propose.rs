//! Changes that we propose to a call: re-INVITE and UPDATE of ours, and refreshes of the session (RFC 3261 §14.1,
//! RFC 3311 §5.1, RFC 4028 §7.4). One at a time; what cannot go yet waits, what collided is repeated.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::clients::{Calling, Cancel, User};
use super::leg::{Change, Exchange, Leg, LegTimer, Proposal, State};
use super::receive::sdp_of_response;
use super::{Endpoint, Event, Fork, Headers, TimerKey, TransactionId};
use crate::base::{Cause, LegId, Now};
use crate::sip::compose::Parts;
use crate::sip::dialog::Dialog;
use crate::sip::timing::Timer;
use crate::sip::transport::{Source, Target};
use crate::wire::sip::{Method, Name, Response, Status};

/// How long a re-INVITE of ours may stay without a final answer. Its far end is a machine; people are not asked.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// How soon an offer that found the dialog busy tries again.
const BUSY: Duration = Duration::from_millis(500);
/// How often a change that was refused for the moment is repeated. More: a far end that always refuses so is asked for
/// ever. Less: two sides that collide twice give up.
const MOST_RETRIES: u8 = 8;

impl Endpoint {
    /// Offers a change by re-INVITE, or asks for their offer; [`Event::Modified`] follows. While another change is under
    /// way it waits for its turn; a later one replaces one that waits. A collision is repeated after the time of §14.1.
    pub fn reinvite(&mut self, id: LegId, sdp: Option<Bytes>, now: Now) {
        let proposal = match sdp {
            Some(sdp) => Proposal::Offer { sdp, by_update: false },
            None => Proposal::Ask,
        };
        self.propose(id, proposal, now);
    }

    /// Offers a change by UPDATE (RFC 3311), also before the call is up; by re-INVITE where the far end takes none and the
    /// call is up. [`Event::Modified`] follows. While another change is under way it waits for its turn.
    pub fn update(&mut self, id: LegId, sdp: Bytes, now: Now) {
        if let Some(sdp) = self.update_early(id, sdp, now) {
            self.propose(id, Proposal::Offer { sdp, by_update: true }, now);
        }
    }

    fn propose(&mut self, id: LegId, proposal: Proposal, now: Now) {
        if let Some(leg) = self.legs.get_mut(&id).filter(|leg| !leg.over) {
            leg.waiting = Some(proposal);
            leg.retries = 0;
            self.offer_waiting(id, now);
        }
    }

    /// Sends the change that waits, or lets it wait longer.
    pub(super) fn offer_waiting(&mut self, id: LegId, now: Now) {
        let Some(leg) = self.legs.get_mut(&id).filter(|leg| !leg.over) else { return };
        let Some(proposal) = &leg.waiting else { return };
        let by_update = leg.goes_by_update(proposal);
        let ready = match (&leg.state, &leg.change) {
            (State::Confirmed, Change::None) => true,
            (State::Incoming { exchange: Exchange::Settled, .. }, Change::None) => by_update && leg.reliable.is_idle(),
            _ => false,
        };
        if !ready {
            // Before the call is up it is a PRACK or an ACK that brings its turn.
            if matches!(leg.state, State::Confirmed | State::Answered { .. } | State::Late { .. }) {
                self.timers.arm(TimerKey::Leg(id, LegTimer::Retry), now.mono + BUSY);
            }
            return;
        }
        let Some(proposal) = leg.waiting.take() else { return };
        let sdp = match (&proposal, by_update) {
            (Proposal::Offer { sdp, .. }, _) => Some(sdp.clone()),
            (Proposal::Ask, _) | (Proposal::Refresh, true) => None,
            (Proposal::Refresh, false) => match leg.local_sdp.clone() {
                // A re-INVITE without SDP would ask for an offer.
                None => return self.renew_later(id, now),
                sdp => sdp,
            },
        };
        leg.dialog.next_seq();
        let (dialog, contact, timer) = (leg.dialog.clone(), leg.contact.clone(), leg.timer_in_request());
        let mut headers: Headers = vec![(Name::Allow, self.allow())];
        headers.extend(self.supported_within(id));
        headers.extend(timer);
        self.timers.disarm(&TimerKey::Leg(id, LegTimer::Retry));
        let body = sdp.as_deref().map(|sdp| ("application/sdp", sdp));
        let client = if by_update {
            self.send_in(&dialog, &contact, Method::Update, &headers, body, User::Updating(id, None), now)
        } else {
            let calling = Calling::again(id, &dialog);
            let user = User::Calling(Box::new(calling));
            let client = self.send_in(&dialog, &contact, Method::Invite, &headers, body, user, now);
            self.timers.arm(TimerKey::Client(client, Timer::C), now.mono + PATIENCE);
            client
        };
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.change = Change::Ours { client, proposal };
        }
    }

    /// Sends a request in a dialog, whose CSeq the caller has counted.
    #[allow(clippy::too_many_arguments, reason = "the parts of a request and who awaits its answer")]
    pub(super) fn send_in(
        &mut self,
        dialog: &Dialog,
        contact: &str,
        method: Method,
        headers: &Headers,
        body: Option<(&str, &[u8])>,
        mut user: User,
        now: Now,
    ) -> TransactionId {
        let path = dialog.path();
        let target = dialog.target(&path.next_hop);
        let credentials = self.credentials_in(&mut user, &method, &path.uri);
        let shown: Vec<_>;
        let headers = if credentials.is_empty() {
            headers
        } else {
            shown = headers.iter().cloned().chain(credentials).collect();
            &shown
        };
        let agent = self.settings.user_agent.clone();
        let name = method.clone();
        let parts = Parts { contact, user_agent: &agent, headers, body, ..dialog.parts(name.as_str(), &path) };
        self.begin_client(method, parts, target, user, now)
    }

    /// A 2xx to a change of ours; a re-INVITE's was acknowledged, or is to be with the user's answer.
    pub(super) fn change_is_accepted(&mut self, id: LegId, seq: u32, response: &Response, source: &Source, now: Now) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.dialog.hop = Target::back_to(source);
        if let Some(contact) = response.headers.contact() {
            leg.dialog.remote_target = contact.uri;
        }
        let (client, proposal) = match std::mem::replace(&mut leg.change, Change::None) {
            Change::Ours { client, proposal } => (client, proposal),
            other => {
                leg.change = other;
                return;
            }
        };
        leg.retries = 0;
        leg.peer.learn(&response.headers);
        leg.take_timer(&response.headers);
        let theirs = sdp_of_response(response);
        let changed = theirs.is_some() && theirs != leg.remote_sdp;
        if theirs.is_some() {
            leg.remote_sdp.clone_from(&theirs);
        }
        let event = match proposal {
            Proposal::Offer { sdp, .. } => {
                leg.local_sdp = Some(sdp);
                Event::Modified { leg: id, result: Ok(theirs) }
            }
            Proposal::Ask => {
                if theirs.is_some() {
                    leg.change = Change::Asked { client, seq, tag: super::early::tag_of(response) };
                }
                Event::Modified { leg: id, result: Ok(theirs) }
            }
            Proposal::Refresh => Event::Refreshed { leg: id, sdp: theirs.filter(|_| changed) },
        };
        self.event(event);
        self.arm_session(id, now);
        self.offer_waiting(id, now);
    }

    /// A change of ours was refused, or not answered, which counts as 408 (§14.1).
    pub(super) fn change_is_refused(&mut self, id: LegId, status: Status, response: Option<&Response>, now: Now) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let proposal = match std::mem::replace(&mut leg.change, Change::None) {
            Change::Ours { proposal, .. } => proposal,
            other => {
                leg.change = other;
                return;
            }
        };
        let by_update = leg.goes_by_update(&proposal);
        let outbound = leg.dialog.outbound;
        let pause = match status {
            // §14.1: both asked at once. Who owns the Call-ID waits 2.1 to 4 s, the other up to 2 s, in steps of 10 ms.
            Status::REQUEST_PENDING => {
                let (least, steps) = if outbound { (2100, 191) } else { (0, 201) };
                Some(Duration::from_millis(least + 10 * self.rng.below(steps)))
            }
            // §14.2: theirs is under way.
            Status::SERVER_INTERNAL_ERROR => {
                response.and_then(super::progress::retry_after).filter(|after| *after <= MOST_SOON)
            }
            // RFC 4028 §7.3.
            Status::SESSION_INTERVAL_TOO_SMALL => {
                response.is_some_and(|response| leg.take_too_small(&response.headers)).then_some(Duration::ZERO)
            }
            Status::METHOD_NOT_ALLOWED | Status::NOT_IMPLEMENTED if by_update => {
                leg.peer.update = false;
                Some(Duration::ZERO)
            }
            _ => None,
        };
        if let Some(pause) = pause.filter(|_| leg.retries < MOST_RETRIES) {
            leg.retries += 1;
            // What the user proposed since is newer.
            leg.waiting.get_or_insert(proposal);
            self.timers.arm(TimerKey::Leg(id, LegTimer::Retry), now.mono + pause);
            return;
        }
        leg.retries = 0;
        let refresh = matches!(proposal, Proposal::Refresh);
        match status {
            // §12.2.1.2: the far end knows nothing of this call, or is not there (RFC 4028 §10).
            Status::CALL_DOES_NOT_EXIST | Status::REQUEST_TIMEOUT => {
                let cause = if refresh { Cause::SessionExpired } else { Cause::TransportFailed };
                self.hang_up(id, cause, now);
            }
            _ if refresh => self.renew_later(id, now),
            status => self.event(Event::Modified { leg: id, result: Err(status) }),
        }
        self.offer_waiting(id, now);
    }

    /// Our re-INVITE has no final answer for too long; its CANCEL is on its way.
    pub(super) fn change_takes_too_long(&mut self, id: LegId, now: Now) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let Change::Ours { proposal, .. } = &leg.change else { return };
        let refresh = matches!(proposal, Proposal::Refresh);
        leg.change = Change::None;
        if refresh {
            self.renew_later(id, now);
        } else {
            self.event(Event::Modified { leg: id, result: Err(Status::REQUEST_TIMEOUT) });
        }
        self.offer_waiting(id, now);
    }

    /// Our UPDATE was answered, or not.
    pub(super) fn update_is_answered(
        &mut self,
        id: LegId,
        fork: Option<Fork>,
        result: Result<(&Response, &Source), Status>,
        now: Now,
    ) {
        let status = result.map_or_else(|status| status, |(response, _)| response.status);
        if let Some(fork) = fork
            && self.early_update_answered(id, fork, result.map(|(response, _)| response))
        {
            return;
        }
        match result {
            Ok((response, source)) if status.is_success() => self.change_is_accepted(id, 0, response, source, now),
            Ok((response, _)) => self.change_is_refused(id, status, Some(response), now),
            Err(status) => self.change_is_refused(id, status, None, now),
        }
    }

    /// Sends the ACK that waited for the user: with their answer to the far end's offer, or with none before a BYE. Says
    /// whether one waited.
    pub(super) fn acknowledge_late(&mut self, id: LegId, sdp: Option<Bytes>) -> bool {
        let Some(leg) = self.legs.get_mut(&id) else { return false };
        let (client, seq, tag) = match (&leg.state, &leg.change) {
            (State::Late { client, seq, tag }, _) => {
                let waits = (*client, *seq, tag.clone());
                leg.state = State::Confirmed;
                waits
            }
            (State::Confirmed, Change::Asked { client, seq, tag }) => {
                let waits = (*client, *seq, tag.clone());
                leg.change = Change::None;
                waits
            }
            _ => return false,
        };
        if sdp.is_some() {
            leg.local_sdp.clone_from(&sdp);
        }
        let dialog = Dialog { local_seq: seq, ..leg.dialog.clone() };
        let credentials = match self.clients.get(&client).map(|client| &client.user) {
            Some(User::Calling(calling)) => calling.credentials.clone(),
            Some(_) | None => Headers::new(),
        };
        let ack = self.acknowledge(&dialog, &credentials, sdp.as_deref());
        if let Some(User::Calling(calling)) = self.clients.get_mut(&client).map(|client| &mut client.user) {
            calling.acks.insert(tag, ack);
        }
        true
    }
}

/// The longest Retry-After of a refusal for the moment (§14.2).
const MOST_SOON: Duration = Duration::from_secs(10);

impl Leg {
    /// Whether a change goes by UPDATE.
    fn goes_by_update(&self, proposal: &Proposal) -> bool {
        self.takes_update()
            && match proposal {
                Proposal::Offer { by_update, .. } => *by_update,
                Proposal::Ask => false,
                Proposal::Refresh => self.manner.timer.is_none_or(|timer| timer.by_update),
            }
    }
}

impl Calling {
    /// For a re-INVITE.
    fn again(leg: LegId, dialog: &Dialog) -> Self {
        Self {
            leg,
            dialog: dialog.clone(),
            initial: false,
            taken: false,
            abandoned: None,
            cancel: Cancel::No,
            provisional: false,
            acks: BTreeMap::new(),
            forks: Vec::new(),
            credentials: Headers::new(),
        }
    }
}
