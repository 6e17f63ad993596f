//! The doors of the web meeting: its WebSocket, invitations, pictures, and meetings made by people without an account.

pub mod invitations;
pub mod look;
pub mod open;
pub mod pictures;
pub mod preview;
pub mod prune;
pub mod push;
pub mod socket;
pub mod words;

use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};

use super::{App, Problem, caller};

/// Refuses what another site's page sends: a browser names the page's own site in `Origin`, and nobody else need send it.
pub(super) fn own_site(parts: &Parts, app: &App) -> Result<(), Problem> {
    let foreign = |why: &str| Err(Problem::new(StatusCode::FORBIDDEN, "foreign-origin", why));
    let Some(origin) = parts.headers.get(header::ORIGIN).and_then(|value| value.to_str().ok()) else {
        return foreign("a browser's Origin is needed here");
    };
    let Some((_, site)) = origin.split_once("://") else { return foreign("the request comes from no site") };
    let ours = [host(&parts.headers), authority(&app.settings.public_url), authority(&app.settings.link_base)];
    match ours.into_iter().flatten().any(|ours| ours.eq_ignore_ascii_case(site)) {
        true => Ok(()),
        false => foreign("the request comes from another site"),
    }
}

/// Where this node is reached by browsers: as it is configured, else as it was asked.
fn base(parts: &Parts, app: &App) -> Result<String, Problem> {
    if !app.settings.public_url.is_empty() {
        return Ok(app.settings.public_url.trim_end_matches('/').to_owned());
    }
    let scheme = if caller::by_https(parts, app) { "https" } else { "http" };
    let fine = |c: char| c.is_ascii_alphanumeric() || ".-:[]_".contains(c);
    match host(&parts.headers).filter(|host| !host.is_empty() && host.len() <= 255 && host.chars().all(fine)) {
        Some(host) => Ok(format!("{scheme}://{host}")),
        None => Err(Problem::new(StatusCode::BAD_REQUEST, "bad-host", "the Host header names no host")),
    }
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST).and_then(|value| value.to_str().ok())
}

/// The host and port of a URL; none of an empty one.
fn authority(url: &str) -> Option<&str> {
    url.split_once("://").and_then(|(_, rest)| rest.split('/').next()).filter(|host| !host.is_empty())
}
