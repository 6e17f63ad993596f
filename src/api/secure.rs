//! The plain door beside the encrypted one: it leads there, and answers an authority that proves our name.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;

use super::serve::Encrypted;
use super::{App, Problem};
use crate::engine::https::Challenges;

/// What the plain door knows of the encrypted one.
#[derive(Debug, Clone)]
pub struct Secure {
    /// The port of HTTPS.
    pub port: u16,
    /// What an authority is answered.
    pub challenges: watch::Receiver<Challenges>,
}

/// The port of HTTPS that need not be written.
const USUAL: u16 = 443;

/// What may be asked in plain HTTP by other machines: whether the node lives, for whoever watches over it.
const OPEN: &[&str] = &["/healthz", "/readyz"];

/// Answers an authority that looks for its text (RFC 8555 §8.3).
pub async fn challenge(State(app): State<App>, Path(token): Path<String>) -> Result<Response, Problem> {
    let proof = app.settings.secure.as_ref().and_then(|secure| secure.challenges.borrow().get(&token).cloned());
    let proof = proof.ok_or_else(|| Problem::not_found("challenge"))?;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))], proof).into_response())
}

/// Leads browsers to HTTPS. This machine's own browsers stay, for which plain HTTP is as good, and so do proxies, which
/// say by themselves what they speak.
pub async fn lead(State(app): State<App>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match app.settings.secure.as_ref().filter(|_| !may_stay(&parts, &app)) {
        None => next.run(Request::from_parts(parts, body)).await,
        Some(secure) => there(&parts, secure.port),
    }
}

fn may_stay(parts: &Parts, app: &App) -> bool {
    if parts.extensions.get::<Encrypted>().is_some_and(|encrypted| encrypted.0) {
        return true;
    }
    let path = parts.uri.path();
    if OPEN.contains(&path) || path.starts_with("/.well-known/acme-challenge/") {
        return true;
    }
    let peer: Option<IpAddr> =
        parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip().to_canonical());
    peer.is_some_and(|peer| {
        peer.is_loopback() || app.settings.trusted_proxies.iter().any(|network| network.contains(peer))
    })
}

/// The same page by HTTPS. What carries a key or changes something is refused instead: its sender would go on to tell
/// everybody on the way.
fn there(parts: &Parts, port: u16) -> Response {
    let carries = parts.headers.contains_key(header::AUTHORIZATION);
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let Some(host) = host else {
        return Problem::new(StatusCode::BAD_REQUEST, "bad-host", "the Host header names no host").into_response();
    };
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let port = if port == USUAL { String::new() } else { format!(":{port}") };
    let place = format!("https://{}{port}{path}", host.host());
    match HeaderValue::from_str(&place) {
        Ok(place) if !carries && matches!(parts.method, Method::GET | Method::HEAD) => {
            (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, place)]).into_response()
        }
        _ => Problem::new(StatusCode::FORBIDDEN, "https-needed", format!("this is done by HTTPS only: {place}"))
            .into_response(),
    }
}
