//! What is sent: JSON bodies, query parameters, ids in the path. What cannot be read is refused with the place.

use std::str::FromStr;

use axum::body::{Bytes, HttpBody as _};
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::problem::FieldError;
use super::{App, Problem, words};
use crate::base::strict::Strict;

/// Longest body. More: memory for whoever holds a key. Less: refuses a trunk with many networks.
pub const LIMIT: usize = 64 * 1024;

/// A JSON body, and the hash of method, path and body for idempotency. A POST without a body is as one with `{}`, where nothing
/// in it is needed: nobody guesses that something is to be sent that says nothing.
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
        let json = media_type(request.headers()).is_some_and(|kind| {
            kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
        });
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        if method == Method::POST
            && request.body().is_end_stream()
            && let Ok(value) = parse(b"{}")
        {
            return Ok(Self { value, hash: hash(method.as_str(), &path, b"") });
        }
        if !json {
            let detail = "send JSON with `Content-Type: application/json`";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", detail));
        }
        let bytes = Bytes::from_request(request, app).await.map_err(too_large)?;
        Ok(Self { value: parse(&bytes)?, hash: hash(method.as_str(), &path, &bytes) })
    }
}

/// SHA-256 of method, path and body: the same for the same request.
pub(super) fn hash(method: &str, path: &str, body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [method.as_bytes(), b" ", path.as_bytes(), b"\n", body] {
        hash.update(part);
    }
    hash.finalize().into()
}

/// What the body says it is, without parameters.
pub(super) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// Why a body did not come.
pub(super) fn too_large(rejection: BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let detail = format!("a body has at most {LIMIT} bytes");
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail);
    }
    Problem::new(StatusCode::BAD_REQUEST, "unreadable", "the body ended early")
}

/// Reads a JSON object; an error names the field.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::field("", "the body is a JSON object, not a list"));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(Strict(&mut json)).map_err(wrong)?;
    json.end()
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "not-json", format!("the body is not JSON: {error}")))?;
    Ok(value)
}

/// Reads a value; an error names the field.
pub(super) fn read<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(Strict(value)).map_err(wrong)
}

fn wrong(error: serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let mut pointer = pointer(error.path());
    let error = error.into_inner();
    match error.classify() {
        serde_json::error::Category::Data => {
            let error = error.to_string();
            let (fields, detail) = words::plain(&error);
            let below: String = fields.iter().map(|field| format!("/{}", escaped(field))).collect();
            // Where it names a place of its own, that is within the one that is known.
            if error.starts_with("wrong field `") || !pointer.ends_with(&below) {
                pointer.push_str(&below);
            }
            Problem::fields(vec![FieldError { pointer, detail }])
        }
        _ => Problem::new(StatusCode::BAD_REQUEST, "not-json", format!("the body is not JSON: {error}")),
    }
}

/// A name as part of a JSON pointer (RFC 6901 §3).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut text = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => text.push_str(&format!("/{index}")),
            Segment::Map { key } => text.push_str(&format!("/{}", escaped(key))),
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
                let (named, text) = match text.split_once(": ") {
                    // The reader names the parameter before what is wrong with it.
                    Some((name, rest)) if !name.contains(' ') => (Some(name.to_owned()), rest),
                    _ => (None, text),
                };
                let (fields, detail) = words::plain(text);
                let problem = |detail: String| Problem::new(StatusCode::BAD_REQUEST, "bad-query", detail);
                Err(match named.or(fields.into_iter().next()) {
                    Some(name) => problem(format!("{name}: {detail}"))
                        .about(vec![FieldError { pointer: format!("?{name}"), detail }]),
                    None => problem(detail),
                })
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
