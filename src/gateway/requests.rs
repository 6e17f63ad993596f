//! Requests outside any call, and answers to ours: who deals with which.

use std::net::SocketAddr;

use crate::base::Now;
use crate::base::id::{ExtensionId, TrunkId};
use crate::gateway::Gateway;
use crate::sip::endpoint::{Headers, TransactionId, Unanswered};
use crate::sip::subscription::SubscriptionId;
use crate::sip::transport::{Source, Transport};
use crate::wire::sip::{Method, Name, Request, Response, Status, Text};

/// Who awaits the answer to a request of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// A watcher's NOTIFY.
    Subscription(SubscriptionId),
    /// A trunk's OPTIONS, and to where.
    Probe(TrunkId, (Transport, SocketAddr)),
    /// A trunk's REGISTER.
    Registration(TrunkId),
    /// An OPTIONS of a trunk's test.
    Trial,
    /// A NOTIFY that makes a telephone read its settings again, not repeated with credentials yet.
    Telephone {
        /// Whose.
        extension: ExtensionId,
        /// It was repeated with credentials.
        again: bool,
    },
}

impl Gateway {
    /// A request came that is no call and belongs to none.
    pub(super) fn on_request(&mut self, transaction: TransactionId, request: &Request, source: Source, now: Now) {
        match request.method {
            Method::Options => self.on_options(transaction, source, now),
            Method::Register => self.on_register(transaction, request, source, now),
            Method::Subscribe => self.on_subscribe(transaction, request, source, now),
            Method::Notify => self.on_notify(transaction, request, now),
            _ => self.endpoint.respond(transaction, Status::NOT_IMPLEMENTED, &Headers::new(), None, now),
        }
    }

    /// A request of ours that is no call was answered, or not.
    pub(super) fn on_response(
        &mut self,
        transaction: TransactionId,
        result: Result<Box<Response>, Unanswered>,
        source: Option<Source>,
        now: Now,
    ) {
        let result = match &result {
            Ok(response) => Ok(&**response),
            Err(why) => Err(*why),
        };
        match self.askers.remove(&transaction) {
            Some(Asker::Subscription(id)) => {
                let status = result.ok().map(|response| response.status);
                self.presence.answered(id, status, now);
            }
            Some(Asker::Probe(trunk, place)) => self.on_probed(trunk, place, result, now),
            Some(Asker::Trial) => self.trial_options_answered(transaction, result, now),
            Some(Asker::Registration(trunk)) => self.on_registered(trunk, result, source, now),
            Some(Asker::Telephone { extension, again }) => self.on_check_sync(extension, again, result, now),
            None => {}
        }
    }

    /// OPTIONS: whether calls are taken (RFC 3261 §11).
    fn on_options(&mut self, transaction: TransactionId, source: Source, now: Now) {
        let full = self.legs.len() >= self.settings.max_calls as usize;
        if (full || self.drain.is_some()) && self.tells_health(source) {
            let after = self.settings.retry_after.as_secs().to_string();
            let headers = vec![(Name::RetryAfter, Text::from(after))];
            return self.endpoint.respond(transaction, Status::SERVICE_UNAVAILABLE, &headers, None, now);
        }
        let accept = Text::from_static("application/sdp, application/dtmf-relay, application/dtmf");
        self.endpoint.respond(transaction, Status::OK, &vec![(Name::Accept, accept)], None, now);
    }

    /// Whether who asks is told that no calls are taken: everybody but trunks whose profile says otherwise.
    fn tells_health(&self, source: Source) -> bool {
        let ip = source.remote.ip();
        let asks = |trunk: &&crate::route::Trunk| trunk.networks.iter().any(|network| network.contains(ip));
        let trunk = self.table.trunks.values().find(asks);
        trunk.is_none_or(|trunk| self.profiles.get(&trunk.profile).options.answer)
    }

    /// NOTIFY outside any call: telephones keep their way open by it.
    fn on_notify(&mut self, transaction: TransactionId, request: &Request, now: Now) {
        let (package, _) = crate::sip::subscription::event_of(request);
        let status = if package == "keep-alive" { Status::OK } else { Status::BAD_EVENT };
        self.endpoint.respond(transaction, status, &Headers::new(), None, now);
    }
}
