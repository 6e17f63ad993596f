//! Registering, and credentials for whoever asks for them.

use std::time::Duration;

use serde_json::Value;

use super::PhoneError;
use super::run::Phone;
use crate::base::{Instant, Secret};
use crate::sip::auth::Challenge;
use crate::sip::endpoint::{Attempt, Headers, OutboundRequest, TransactionId};
use crate::sip::registration::{granted, refresh_after};
use crate::sip::transport::Target;
use crate::wire::sip::{Method, Name, NameAddr, Response, Status, Text, Uri};

/// After a registration that could not be made anew, until the next attempt. Longer: a registrar that was started again does
/// not know the phone. Shorter: nothing is gained.
const AGAIN: Duration = Duration::from_secs(10);

pub(super) struct Registering {
    pub(super) transaction: TransactionId,
    pub(super) uri: Uri,
    pub(super) target: Target,
    pub(super) expires: u32,
    pub(super) challenged: bool,
    /// It stood before: another attempt follows where this one comes to nothing.
    pub(super) stood: bool,
}

/// A registration that stands, and when it is made anew.
pub(super) struct Kept {
    pub(super) at: Instant,
    uri: Uri,
    target: Target,
    expires: u32,
    last: Option<Attempt>,
}

impl Phone {
    pub(super) fn register(&mut self, uri: Uri, target: Target, expires: u32) {
        self.teller.tell("registering", &format!("registering at {}", target.remote), &[]);
        let transaction = self.send_register(&uri, target, expires, Headers::new(), None);
        self.registering = Some(Registering { transaction, uri, target, expires, challenged: false, stood: false });
    }

    /// Before the time of the last one is over.
    pub(super) fn register_again(&mut self, kept: Kept) {
        let Kept { uri, target, expires, last, .. } = kept;
        let transaction = self.send_register(&uri, target, expires, Headers::new(), last);
        self.registering = Some(Registering { transaction, uri, target, expires, challenged: false, stood: true });
    }

    /// Has it made anew after so long, while calls are waited for.
    fn keep(&mut self, registering: Registering, last: Option<Attempt>, after: Duration) {
        let Registering { uri, target, expires, .. } = registering;
        if self.answers && self.calls_left > 0 && expires > 0 {
            self.kept = Some(Kept { at: self.clock.mono() + after, uri, target, expires, last });
        }
    }

    fn send_register(
        &mut self,
        uri: &Uri,
        target: Target,
        expires: u32,
        mut headers: Headers,
        again: Option<Attempt>,
    ) -> TransactionId {
        headers.push((Name::Expires, Text::from(expires.to_string())));
        let address = NameAddr::new(uri.without_param("transport"));
        let request = OutboundRequest {
            method: Method::Register,
            uri: uri.with_user(None),
            from: address.clone(),
            to: address,
            target,
            routes: Vec::new(),
            headers,
            body: None,
            again,
        };
        self.endpoint.request(request, self.clock.now())
    }

    /// Credentials for what a response asks, if we have any.
    pub(super) fn credentials(&mut self, response: &Response, method: &str, uri: &Uri) -> Option<Headers> {
        let (asked, answer) = match response.status {
            Status::UNAUTHORIZED => (Name::WwwAuthenticate, Name::Authorization),
            Status::PROXY_AUTHENTICATION_REQUIRED => (Name::ProxyAuthenticate, Name::ProxyAuthorization),
            _ => return None,
        };
        let (user, password) = (self.common.user.as_deref()?, self.password.as_ref()?);
        let mut challenge = Challenge::strongest(response.headers.fields_of(&asked))?;
        let value = challenge.answer(user, password, method, uri.as_str(), &mut self.rng);
        Some(vec![(answer, Text::from(value))])
    }

    pub(super) fn registered(&mut self, transaction: TransactionId, result: Result<Box<Response>, String>) {
        let Some(mut registering) = self.registering.take_if(|registering| registering.transaction == transaction)
        else {
            return;
        };
        let status = match &result {
            Ok(response) => response.status.to_string(),
            Err(why) => why.clone(),
        };
        let response = match result {
            Ok(response) if response.status.is_success() => {
                self.well = true;
                let asked = Duration::from_secs(u64::from(registering.expires));
                // Our Contact has no user part.
                let after = refresh_after(granted(&response, None, asked), &mut self.rng);
                self.keep(registering, attempt_of(&response), after);
                return self.teller.tell("registered", &format!("registered: {status}"), &[]);
            }
            Ok(response) if !registering.challenged => Some(response),
            _ => None,
        };
        let own = registering.uri.with_user(None);
        if let Some(response) = response
            && let Some(headers) = self.credentials(&response, "REGISTER", &own)
        {
            self.teller.tell("challenged", "asked for credentials", &[]);
            registering.challenged = true;
            registering.transaction = self.send_register(
                &registering.uri.clone(),
                registering.target,
                registering.expires,
                headers,
                attempt_of(&response),
            );
            self.registering = Some(registering);
            return;
        }
        if registering.stood {
            let sentence = format!("not registered any more: {status}");
            self.teller.tell("unregistered", &sentence, &[("status", Value::from(status))]);
            return self.keep(registering, None, AGAIN);
        }
        self.well = false;
        self.calls_left = 0;
        self.teller.tell("refused", &format!("not registered: {status}"), &[("status", Value::from(status.clone()))]);
    }
}

/// What a refused request used, for its repetition.
pub(super) fn attempt_of(response: &Response) -> Option<Attempt> {
    Some(Attempt {
        call_id: Text::from(response.headers.call_id()?),
        local_tag: Text::from(response.headers.from()?.tag()?),
        seq: response.headers.cseq()?.seq,
    })
}

#[allow(clippy::disallowed_methods, reason = "the phone's one file of its own; config.rs knows nothing of it")]
pub(super) fn read_password(path: &std::path::Path) -> Result<Secret, PhoneError> {
    let text = std::fs::read_to_string(path).map_err(|error| PhoneError::File(path.to_owned(), error.to_string()))?;
    Ok(Secret::new(text.lines().next().unwrap_or_default().trim()))
}
