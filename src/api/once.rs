//! Creation that happens once per `Idempotency-Key`, and its answer.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::caller::Caller;
use super::{App, Problem};
use crate::store::{Answered, Idempotency, Kept, clock};

/// The `Idempotency-Key` header, where there is one.
#[derive(Debug, Clone)]
pub struct OnceKey(Option<String>);

impl FromRequestParts<App> for OnceKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self(None)) };
        match value.to_str() {
            Ok(key) if (1..=255).contains(&key.len()) => Ok(Self(Some(key.to_owned()))),
            Ok(_) | Err(_) => {
                let detail = "an Idempotency-Key has 1 to 255 printable ASCII characters";
                Err(Problem::new(StatusCode::BAD_REQUEST, "bad-idempotency-key", detail))
            }
        }
    }
}

impl OnceKey {
    /// Whether a key was sent.
    pub fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// What the store needs to make a creation happen once.
    pub fn with(&self, caller: &Caller, hash: [u8; 32], answer: &Kept) -> Option<Idempotency> {
        self.0.as_ref().map(|key| Idempotency {
            api_key: caller.key.to_string(),
            key: key.clone(),
            request: hash,
            answer: answer.clone(),
            at: clock::utc(),
        })
    }
}

/// The answer to a creation.
pub fn created(location: String, value: &impl Serialize) -> Result<Kept, Problem> {
    let body = serde_json::to_string(value).map_err(|_| Problem::internal())?;
    Ok(Kept { status: StatusCode::CREATED.as_u16(), location, body })
}

/// The answer of now, or that of then.
pub fn answer(answered: Answered, now: Kept) -> Result<Response, Problem> {
    let (kept, again) = match answered {
        Answered::Now => (now, false),
        Answered::Before(Some(kept)) => (kept, true),
        Answered::Before(None) => {
            let detail = "this Idempotency-Key was used for another request in the last 24 hours";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", detail));
        }
    };
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::CREATED);
    let mut response = (status, [(header::CONTENT_TYPE, "application/json")], kept.body).into_response();
    if let Ok(location) = HeaderValue::from_str(&kept.location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    if again {
        response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    }
    Ok(response)
}
