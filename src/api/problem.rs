//! What went wrong, as `application/problem+json` (RFC 9457).

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::callback::Failure;
use crate::device::Refusal as Moved;
use crate::engine::handle::Unavailable;
use crate::gateway::code::view::{Closed, Unfit as NoCode};
use crate::gateway::command::Denial;
use crate::gateway::elevate::view::{Shut, Unfit};
use crate::room::Refusal;
use crate::store::StoreError;

/// What went wrong with a request.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// A stable name of the kind of problem: `urn:ringlift:problem:…`.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: Box<str>,
    /// The status in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong here, and what to do.
    pub detail: String,
    /// The fields that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<FieldError>,
    /// Headers of the answer.
    #[serde(skip)]
    #[schema(ignore)]
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// A field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Where in the body, as a JSON pointer (RFC 6901); `?name` is a query parameter.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

impl Problem {
    /// A problem of this status; `kind` is its stable name.
    pub fn new(status: StatusCode, kind: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:ringlift:problem:{kind}").into(),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// 404.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", format!("there is no such {what}"))
    }

    /// What the store refused; what is not there is called so.
    pub fn of(error: StoreError, what: &str) -> Self {
        match error {
            StoreError::NotFound => Self::not_found(what),
            other => other.into(),
        }
    }

    /// 409.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// 422 about one field.
    pub fn field(pointer: &str, detail: impl Into<String>) -> Self {
        Self::fields(vec![FieldError { pointer: pointer.to_owned(), detail: detail.into() }])
    }

    /// 422 about these fields.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] if one.pointer.is_empty() => one.detail.clone(),
            [one] => format!("{}: {}", one.pointer, one.detail),
            _ => format!("{} fields are wrong", errors.len()),
        };
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail) }
    }

    /// 503.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).retry_after(2)
    }

    /// 500: the log has it.
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "a fault of ours; the log has it")
    }

    /// Names the fields that are wrong.
    pub fn about(self, errors: Vec<FieldError>) -> Self {
        Self { errors, ..self }
    }

    /// Says when to try again.
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Adds a header to the answer.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&self).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::not_found("thing"),
            StoreError::Constraint(constraint) => {
                let errors = match constraint.pointer() {
                    "" => Vec::new(),
                    pointer => vec![FieldError { pointer: pointer.into(), detail: constraint.text().into() }],
                };
                Self { errors, ..Self::conflict(constraint.text()) }
            }
            StoreError::Unavailable(why) => {
                tracing::warn!(%why, "the database refused a request");
                Self::unavailable("the database does not take this now: try again")
            }
            StoreError::Internal(why) => {
                tracing::error!(%why, "the database failed");
                Self::internal()
            }
        }
    }
}

impl From<Unavailable> for Problem {
    fn from(unavailable: Unavailable) -> Self {
        Self::unavailable(unavailable.to_string())
    }
}

/// The key of the body that a refusal begins with, as in `name: 1 to 64 characters`, and what is wrong with it.
fn named_key(why: &str) -> Option<(&str, &str)> {
    let is_key = |key: &&str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    why.split_once(": ").filter(|(key, _)| is_key(key))
}

impl From<Denial> for Problem {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::NotFound(what) => Self::not_found(what),
            Denial::Conflict(why) => Self::conflict(why),
            Denial::TooOften(why, seconds) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "throttled", why).retry_after(seconds)
            }
            Denial::Invalid(why) => match named_key(&why) {
                Some((key, detail)) => Self::field(&format!("/{key}"), detail),
                None => Self::field("", why),
            },
            Denial::NotElevated(Unfit::BadTemplate) => Self::field("/template", Unfit::BadTemplate.text()),
            Denial::NotElevated(Unfit::BadContext) => Self::field("/context", Unfit::BadContext.text()),
            Denial::NotElevated(unfit @ Unfit::AlreadySent(seconds)) => {
                Self::new(StatusCode::CONFLICT, unfit.name(), unfit.text()).retry_after(seconds)
            }
            Denial::NotElevated(unfit @ Unfit::TooOften(seconds)) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, unfit.name(), unfit.text()).retry_after(seconds)
            }
            Denial::NotElevated(unfit) => Self::new(StatusCode::CONFLICT, unfit.name(), unfit.text()),
            Denial::NotMoved(why) => {
                let status = match why {
                    Moved::NoSuchDevice | Moved::NoSuchCall => StatusCode::NOT_FOUND,
                    Moved::AnotherPerson => StatusCode::FORBIDDEN,
                    Moved::TooOften => StatusCode::TOO_MANY_REQUESTS,
                    _ => StatusCode::CONFLICT,
                };
                let problem = Self::new(status, why.name(), why.text());
                if why == Moved::TooOften { problem.retry_after(2) } else { problem }
            }
            Denial::NotCalledBack(why @ Failure::TooFrequent) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "callback-too-frequent", why.words()).retry_after(60)
            }
            Denial::NotCalledBack(why) => {
                Self::new(StatusCode::CONFLICT, &format!("callback-{}", why.name().replace('_', "-")), why.words())
            }
            Denial::NotMerged(why) => Self::new(StatusCode::CONFLICT, why.name(), why.text()),
            Denial::Shut(shut) => {
                let (status, after) = match shut {
                    Shut::Unknown => (StatusCode::NOT_FOUND, None),
                    Shut::Expired | Shut::Ended => (StatusCode::GONE, None),
                    Shut::Used | Shut::Declined => (StatusCode::CONFLICT, None),
                    Shut::Confirming => (StatusCode::CONFLICT, Some(2)),
                    Shut::PinWanted | Shut::PinWrong | Shut::NotProved => (StatusCode::FORBIDDEN, None),
                    Shut::TooManyAttempts(seconds) => (StatusCode::TOO_MANY_REQUESTS, Some(seconds)),
                };
                let problem = Self::new(status, shut.name(), shut.text());
                match after {
                    Some(seconds) => problem.retry_after(seconds),
                    None => problem,
                }
            }
            Denial::NoCode(unfit @ NoCode::TooOften(seconds)) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, unfit.name(), unfit.text()).retry_after(seconds)
            }
            Denial::NoCode(unfit) => Self::new(StatusCode::CONFLICT, unfit.name(), unfit.text()),
            Denial::Closed(closed) => {
                let status = StatusCode::from_u16(closed.status()).unwrap_or(StatusCode::CONFLICT);
                let problem = Self::new(status, closed.name(), closed.text());
                match closed {
                    Closed::TooManyAttempts(seconds) | Closed::TooOften(seconds) => problem.retry_after(seconds),
                    _ => problem,
                }
            }
            Denial::Refused(Refusal::NoSuchParticipant) => Self::not_found("participant in this room"),
            Denial::Refused(refusal @ Refusal::BadName) => Self::field("/name", refusal.to_string()),
            Denial::Refused(refusal @ Refusal::BadAudience) => Self::field("/to", refusal.to_string()),
            Denial::Refused(refusal @ Refusal::BadText) => Self::field("/text", refusal.to_string()),
            Denial::Refused(
                refusal @ (Refusal::HostOnly
                | Refusal::NotInLobby
                | Refusal::MutedByHost
                | Refusal::NobodyWaiting
                | Refusal::MutedItself
                | Refusal::NotActive
                | Refusal::CannotRead
                | Refusal::TooOften
                | Refusal::OnlyThemselves
                | Refusal::LastHost),
            ) => Self::new(StatusCode::CONFLICT, "refused", refusal.to_string()),
        }
    }
}
