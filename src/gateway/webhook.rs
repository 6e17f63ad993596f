//! The routing webhook: a program of the operator's says where a call leads, while its caller waits with 100 Trying.
//!
//! Nothing is spent on the call meanwhile: no port, no room, no row. The program has 300 ms; without a useful answer by
//! then the call goes to the destination's fallback. `docs/integrate.md` describes what is sent and what may be answered.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;

use crate::base::id::{DidId, RuleId};
use crate::base::{LegId, Now, PhoneNumber, Secret, Utc};
use crate::gateway::fetch::{FetchError, FetchId, FetchRequest, Post};
use crate::gateway::{Gateway, Output, Timer};
use crate::identity::Standing;
use crate::route::{Accepted, Destination, Facts};
use crate::sip::transport::Source;
use crate::wire::sip::Request;

/// How long a program has. Longer: callers wonder whether it rings. Shorter: programs far away are never asked in time.
const PATIENCE: Duration = Duration::from_millis(300);

/// Longest answer that is read: a destination has some 100 bytes.
const LONGEST_ANSWER: usize = 16 * 1024;

/// Calls that wait for programs. More: a program that is slow makes calls wait by the hundred. Fewer: a burst goes to the
/// fallback although the program would have answered.
const MOST_WAITING: usize = 256;

/// An INVITE that waits for something, with what is known of it.
#[derive(Debug)]
pub(super) struct Invitation {
    pub(super) leg: LegId,
    pub(super) request: Request,
    pub(super) source: Source,
    pub(super) facts: Facts,
}

/// Calls that wait for programs, and what came of others.
#[derive(Debug, Default)]
pub(super) struct Webhooks {
    waiting: BTreeMap<FetchId, Asking>,
    counts: BTreeMap<&'static str, u64>,
}

#[derive(Debug)]
struct Asking {
    call: Invitation,
    accepted: Accepted,
    fallback: Destination,
}

/// What a program is told.
#[derive(Debug, Serialize)]
struct Question<'a> {
    version: u8,
    call: LegId,
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    trunk: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extension: Option<String>,
    source: std::net::IpAddr,
    called: Named<'a>,
    caller: Option<Named<'a>>,
    rule: Option<RuleId>,
    did: Option<DidId>,
    uui: Option<&'a str>,
    identity: Standing,
    headers: Vec<Field<'a>>,
}

#[derive(Debug, Serialize)]
struct Named<'a> {
    user: &'a str,
    number: Option<&'a PhoneNumber>,
}

#[derive(Debug, Serialize)]
struct Field<'a> {
    name: &'a str,
    value: &'a str,
}

impl Webhooks {
    /// What came of calls that were asked about, in all.
    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        self.counts.iter().map(|(what, count)| ((*what).to_owned(), *count)).collect()
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// The caller has gone.
    pub(super) fn forget(&mut self, leg: LegId) -> Option<FetchId> {
        let id = *self.waiting.iter().find(|(_, asking)| asking.call.leg == leg)?.0;
        self.waiting.remove(&id);
        Some(id)
    }
}

impl Gateway {
    /// Asks where this call leads.
    pub(super) fn ask_webhook(&mut self, call: Invitation, accepted: Accepted, now: Now) {
        let Destination::Webhook { url, secret, fallback } = &accepted.to else { return };
        let fallback = (**fallback).clone();
        if self.webhooks.waiting.len() >= MOST_WAITING {
            return self.follow_fallback(call, accepted, fallback, FetchError::Busy.name(), now);
        }
        let Some(body) = question(&call, &accepted, now.utc) else {
            return self.follow_fallback(call, accepted, fallback, "unwritable", now);
        };
        let signature = secret.as_ref().map(|secret| sign(secret, &body, now.utc));
        let request = FetchRequest {
            url: url.clone(),
            post: Some(Post { body: Bytes::from(body), signature }),
            deadline: PATIENCE,
            most: LONGEST_ANSWER,
        };
        let id = self.fetch(request, now);
        self.webhooks.waiting.insert(id, Asking { call, accepted, fallback });
    }

    /// A caller whose INVITE waited has gone.
    pub(super) fn forget_invitation(&mut self, leg: LegId) {
        self.attests.forget(leg);
        if let Some(id) = self.webhooks.forget(leg) {
            self.timers.disarm(&Timer::Fetch(id));
        }
    }

    /// Orders a request; its deadline is kept here as well.
    pub(super) fn fetch(&mut self, request: FetchRequest, now: Now) -> FetchId {
        self.next_fetch += 1;
        let id = FetchId(self.next_fetch);
        self.timers.arm(Timer::Fetch(id), now.mono + request.deadline);
        self.outputs.push_back(Output::Fetch { id, request });
        id
    }

    /// An answer is here, or will not be.
    pub(super) fn on_fetched(&mut self, id: FetchId, result: Result<Bytes, FetchError>, now: Now) {
        self.timers.disarm(&Timer::Fetch(id));
        match self.webhooks.waiting.remove(&id) {
            Some(asking) => self.on_webhook(asking, result, now),
            None if self.directory_answered(id, &result, now) => {}
            None => self.on_certificate(id, result, now),
        }
    }

    fn on_webhook(&mut self, asking: Asking, result: Result<Bytes, FetchError>, now: Now) {
        let Asking { call, accepted, fallback } = asking;
        let answer = match result {
            Ok(body) => serde_json::from_slice::<Destination>(&body).map_err(|_| "garbage"),
            Err(error) => Err(error.name()),
        };
        match answer {
            Ok(Destination::Webhook { .. }) => self.follow_fallback(call, accepted, fallback, "garbage", now),
            Ok(to) if !self.table.check_destination(&to, "").is_empty() => {
                self.follow_fallback(call, accepted, fallback, "nowhere", now);
            }
            Ok(to) => {
                self.webhooks.count("answered");
                self.follow(call, accepted, to, now);
            }
            Err(why) => self.follow_fallback(call, accepted, fallback, why, now),
        }
    }

    fn follow_fallback(
        &mut self,
        call: Invitation,
        accepted: Accepted,
        fallback: Destination,
        why: &'static str,
        now: Now,
    ) {
        self.webhooks.count(why);
        self.follow(call, accepted, fallback, now);
    }

    /// The call goes there, under the same limits as if a rule had said so.
    fn follow(&mut self, call: Invitation, accepted: Accepted, to: Destination, now: Now) {
        let limits = self.table.limits_of(accepted.from);
        let plan = self.table.plan_of(accepted.from);
        match self.table.aim(&limits, &call.facts.to_user, &plan, &to) {
            Ok(dialled) => {
                let accepted = Accepted { to, dialled, ..accepted };
                self.on_authorised(call.leg, &call.request, call.source, call.facts, accepted, now);
            }
            Err((cause, _)) => self.refuse_invite(call.leg, cause, now),
        }
    }
}

fn question(call: &Invitation, accepted: &Accepted, at: Utc) -> Option<Vec<u8>> {
    let facts = &call.facts;
    let caller = (!accepted.caller_user.is_empty())
        .then_some(Named { user: &accepted.caller_user, number: accepted.caller.as_ref() });
    let question = Question {
        version: 1,
        call: call.leg,
        at: at.to_string(),
        trunk: accepted.from.trunk().map(|id| id.to_string()),
        extension: accepted.from.extension().map(|id| id.to_string()),
        source: facts.source,
        called: Named { user: &facts.to_user, number: accepted.called.as_ref() },
        caller,
        rule: accepted.rule,
        did: accepted.did,
        uui: facts.uui.as_deref(),
        identity: facts.identity,
        headers: facts.headers.iter().map(|(name, value)| Field { name, value }).collect(),
    };
    serde_json::to_vec(&question).ok()
}

/// `t=<seconds>,v1=<HMAC-SHA256 over "<seconds>.<body>", hex>`: who has the secret knows who asks, and when.
pub(super) fn sign(secret: &Secret, body: &[u8], at: Utc) -> String {
    let seconds = at.0.div_euclid(1000);
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else { return String::new() };
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    let mut text = format!("t={seconds},v1=");
    for byte in mac.finalize().into_bytes() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_over_the_time_and_the_body() {
        let signature = sign(&Secret::new("key"), b"{}", Utc(1_700_000_000_999));
        let other = sign(&Secret::new("key"), b"{}", Utc(1_700_000_001_000));
        assert!(signature.starts_with("t=1700000000,v1=") && signature.len() == "t=1700000000,v1=".len() + 64);
        assert_ne!(
            signature.split_once(",v1=").map(|(_, v)| v.to_owned()),
            other.split_once(",v1=").map(|(_, v)| v.to_owned())
        );
        // From `printf '1700000000.{}' | openssl dgst -sha256 -hmac key`.
        assert!(signature.ends_with("9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae"), "{signature}");
    }
}
