//! What is refused before any transaction, with which code, in which order (RFC 3261 §8.2, §16.3). The parser has
//! dealt with 400, 414, 505 and the largest 513 before.

use super::facts::Facts;
use super::{Endpoint, Headers};
use crate::wire::sip::{Method, Name, Request, Scheme, Status, Text};

/// A refusal that keeps nothing of the request.
pub(super) struct Refusal {
    pub(super) status: Status,
    pub(super) reason: Option<&'static str>,
    pub(super) headers: Headers,
}

impl Refusal {
    pub(super) fn new(status: Status) -> Self {
        Self { status, reason: None, headers: Vec::new() }
    }

    pub(super) fn because(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    pub(super) fn with(mut self, name: Name, value: impl Into<Text>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Endpoint {
    /// The checks that need no transaction and no dialog, in the order of §8.2 (the numbers are the answers).
    pub(super) fn check(&self, request: &Request, facts: &Facts) -> Result<(), Refusal> {
        let in_dialog = facts.to_tag().is_some();
        // 513: longer than we care to read.
        if request.body.len() > self.settings.limits.message {
            return Err(Refusal::new(Status::MESSAGE_TOO_LARGE));
        }
        // 483: it may not go on, and what a gateway takes in goes on. OPTIONS ends here by being answered (§11).
        if !in_dialog && request.method != Method::Options && request.headers.max_forwards() == Some(0) {
            return Err(Refusal::new(Status::TOO_MANY_HOPS));
        }
        // 482: it has been here with this very Request-URI (§16.3 item 4).
        if !in_dialog && self.has_been_here(request) {
            return Err(Refusal::new(Status::LOOP_DETECTED));
        }
        // 501, 405 (§8.2.1).
        if let Method::Other(_) = request.method {
            return Err(Refusal::new(Status::NOT_IMPLEMENTED).with(Name::Allow, self.allow()));
        }
        if !self.settings.allow.contains(&request.method) {
            return Err(Refusal::new(Status::METHOD_NOT_ALLOWED).with(Name::Allow, self.allow()));
        }
        // 416 (§8.2.2.1).
        if request.uri.scheme() == Scheme::Other {
            return Err(Refusal::new(Status::UNSUPPORTED_URI_SCHEME));
        }
        // 482: the same request by another path (§8.2.2.2).
        if !in_dialog && self.merged.contains_key(&facts.merge_key(&request.method)) {
            return Err(Refusal::new(Status::LOOP_DETECTED).because("Merged Request"));
        }
        // 420 (§8.2.2.3). A CANCEL's Require is ignored there, and an ACK is never answered.
        if request.method != Method::Cancel {
            let known = |tag: &str| self.settings.supported.iter().any(|known| known.eq_ignore_ascii_case(tag));
            let unknown: Vec<&str> = request.headers.require().filter(|tag| !known(tag)).collect();
            if !unknown.is_empty() {
                return Err(Refusal::new(Status::BAD_EXTENSION).with(Name::Unsupported, unknown.join(", ")));
            }
        }
        self.check_body(request)?;
        // 400: without a Contact there is no way to reach the caller once the call is up (§8.1.1.8). RFC 2543 has none.
        if request.method == Method::Invite && request.headers.contact().is_none() && !facts.is_rfc2543() {
            return Err(Refusal::new(Status::BAD_REQUEST).because("Bad Request: Contact is missing"));
        }
        Ok(())
    }

    /// 415 (§8.2.3): for what offers and answers travel in. Other bodies are their readers' to judge.
    fn check_body(&self, request: &Request) -> Result<(), Refusal> {
        let judged = matches!(request.method, Method::Invite | Method::Update);
        if !judged || request.body.is_empty() {
            return Ok(());
        }
        let headers = &request.headers;
        if headers.values(Name::ContentEncoding).any(|coding| !coding.eq_ignore_ascii_case("identity")) {
            let refusal = Refusal::new(Status::UNSUPPORTED_MEDIA_TYPE).with(Name::AcceptEncoding, "identity");
            return Err(refusal.with(Name::Accept, self.accept()));
        }
        let accepted = match headers.content_type() {
            None => false,
            Some(media_type) => self.settings.accept.iter().any(|known| known.eq_ignore_ascii_case(media_type)),
        };
        let optional = headers
            .get(Name::ContentDisposition)
            .is_some_and(|value| value.to_ascii_lowercase().replace(' ', "").contains("handling=optional"));
        if accepted || optional {
            Ok(())
        } else {
            Err(Refusal::new(Status::UNSUPPORTED_MEDIA_TYPE).with(Name::Accept, self.accept()))
        }
    }

    /// Whether a Via of the request is ours, from a request to the same Request-URI: a circle. With another
    /// Request-URI it is a spiral, which is no fault (§16.3).
    fn has_been_here(&self, request: &Request) -> bool {
        request.headers.values(Name::Via).any(|via| {
            via.split_once(self.cookie.as_str())
                .and_then(|(_, rest)| {
                    rest.get(super::branch::ID_LENGTH..super::branch::ID_LENGTH + super::branch::PRINT_LENGTH)
                })
                .is_some_and(|print| print == super::branch::print_of(request.uri.as_str()))
        })
    }
}
