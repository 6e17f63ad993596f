//! What is sent: JSON bodies, query parameters, ids in the path. What cannot be read is refused with the place.

use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::problem::FieldError;
use super::{App, Problem};

/// Longest body. More: memory for whoever holds a key. Less: refuses a trunk with many networks.
pub const LIMIT: usize = 64 * 1024;

/// A JSON body, and the hash of method, path and body for idempotency.
#[derive(Debug)]
pub struct Body<T> {
    /// What was sent.
    pub value: T,
    /// SHA-256 of method, path and body.
    pub hash: [u8; 32],
}

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let json =
            request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|kind| {
                let kind = kind.split(';').next().unwrap_or_default().trim();
                kind.eq_ignore_ascii_case("application/json")
                    || (kind.starts_with("application/") && kind.ends_with("+json"))
            });
        if !json {
            let detail = "send JSON with `Content-Type: application/json`";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", detail));
        }
        let mut hash = Sha256::new();
        hash.update(request.method().as_str());
        hash.update(b" ");
        hash.update(request.uri().path());
        hash.update(b"\n");
        let bytes = Bytes::from_request(request, app).await.map_err(too_large)?;
        hash.update(&bytes);
        Ok(Self { value: parse(&bytes)?, hash: hash.finalize().into() })
    }
}

fn too_large(rejection: BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let detail = format!("a body has at most {LIMIT} bytes");
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail);
    }
    Problem::new(StatusCode::BAD_REQUEST, "unreadable", "the body ended early")
}

/// Reads a JSON object; an error names the field.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // A list would be taken for the fields in the order of our code.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::field("", "the body is a JSON object, not a list"));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let pointer = pointer(error.path());
        let error = error.into_inner();
        match error.classify() {
            serde_json::error::Category::Data => {
                let detail = error.to_string();
                let detail = detail.rsplit_once(" at line ").map_or(detail.as_str(), |(detail, _)| detail);
                Problem::fields(vec![FieldError { pointer, detail: detail.to_owned() }])
            }
            _ => Problem::new(StatusCode::BAD_REQUEST, "not-json", format!("the body is not JSON: {error}")),
        }
    })?;
    json.end()
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "not-json", format!("the body is not JSON: {error}")))?;
    Ok(value)
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut text = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => text.push_str(&format!("/{index}")),
            Segment::Map { key } => text.push_str(&format!("/{}", key.replace('~', "~0").replace('/', "~1"))),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    text
}

/// Query parameters.
#[derive(Debug)]
pub struct Args<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Args<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, app).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => {
                let text = rejection.body_text();
                let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
                Err(Problem::new(StatusCode::BAD_REQUEST, "bad-query", text))
            }
        }
    }
}

/// An id in the path; one that is none names nothing.
#[derive(Debug, Clone, Copy)]
pub struct Id<T>(pub T);

impl<T: FromStr + Send> FromRequestParts<App> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, app).await;
        path.ok().and_then(|Path(text)| text.parse().ok()).map(Self).ok_or_else(|| Problem::not_found("id"))
    }
}
