//! Who asks: by key in `Authorization`, or by the page's session cookie.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

use super::scope::Scope;
use super::serve::Encrypted;
use super::{App, Problem};
use crate::base::Secret;
use crate::base::id::KeyId;
use crate::store::key::ApiKey;

/// The name of the page's cookie.
pub const COOKIE: &str = "ringlift_session";

/// The header without which a cookie changes nothing: no other site can make a browser send it.
pub const PAGE_HEADER: &str = "x-ringlift-page";

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// By which key.
    pub key: KeyId,
    /// What people call that key.
    pub name: String,
    /// With which rights.
    scopes: BTreeSet<Scope>,
    /// Whether by the page's cookie rather than the key itself.
    pub by_cookie: bool,
}

impl Caller {
    /// Whether it has a right.
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }

    /// Refuses who lacks a right (RFC 6750 §3.1).
    pub fn needs(&self, scope: Scope) -> Result<(), Problem> {
        if self.has(scope) {
            return Ok(());
        }
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{}\"", scope.name());
        let problem =
            Problem::new(StatusCode::FORBIDDEN, "forbidden", format!("this key lacks the scope {}", scope.name()));
        Err(match HeaderValue::from_str(&challenge) {
            Ok(value) => problem.header(header::WWW_AUTHENTICATE, value),
            Err(_) => problem,
        })
    }

    /// Its rights.
    pub fn scopes(&self) -> impl Iterator<Item = Scope> {
        self.scopes.iter().copied()
    }

    pub(super) fn of(key: ApiKey, by_cookie: bool) -> Self {
        let scopes = key.scopes.iter().filter_map(|name| Scope::named(name)).collect();
        Self { key: key.id, name: key.name, scopes, by_cookie }
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        if let Some(value) = parts.headers.get(header::AUTHORIZATION) {
            let shown = value.to_str().ok().and_then(|value| value.split_once(' '));
            let shown = shown.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, key)| key.trim());
            return match shown {
                Some(shown) => by_key(app, shown, client(parts, app)).await,
                None => Err(unauthorised("write the key as `Authorization: Bearer rlk_…`")),
            };
        }
        let Some(session) = cookie(&parts.headers) else {
            return Err(unauthorised("show an API key: `Authorization: Bearer rlk_…`"));
        };
        let Some(id) = app.door.find(session).await else {
            return Err(unauthorised("the login has ended: log in again"));
        };
        let Some(key) = app.handle.store().live_key(id).await? else {
            return Err(unauthorised("the key of this login was revoked"));
        };
        own_page(parts)?;
        Ok(Self::of(key, true))
    }
}

/// Looks a key up; wrong ones are counted by address.
pub(super) async fn by_key(app: &App, shown: &str, from: IpAddr) -> Result<Caller, Problem> {
    if let Some(key) = app.handle.store().key_by_secret(shown).await? {
        return Ok(Caller::of(key, false));
    }
    app.counts.wrong_key();
    match app.door.wrong(from).await {
        Ok(()) => Err(unauthorised("this key is not known, or was revoked")),
        Err(wait) => {
            Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "throttled", "too many wrong keys from this address")
                .retry_after(wait.as_secs().max(1)))
        }
    }
}

/// The address asked from: that of the connection, or what trusted proxies say before it.
pub(super) fn client(parts: &Parts, app: &App) -> IpAddr {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map_or(IpAddr::from([0, 0, 0, 0]), |info| info.0.ip());
    let trusted = |address: IpAddr| app.settings.trusted_proxies.iter().any(|network| network.contains(address));
    let mut address = peer.to_canonical();
    let said = parts.headers.get_all("x-forwarded-for");
    let mut hops: Vec<&str> =
        said.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).map(str::trim).collect();
    while trusted(address) {
        match hops.pop().and_then(|hop| hop.parse::<IpAddr>().ok()) {
            Some(before) => address = before.to_canonical(),
            None => break,
        }
    }
    address
}

/// Whether the far end of the connection speaks HTTPS: with us, or by the word of a trusted proxy.
pub(super) fn by_https(parts: &Parts, app: &App) -> bool {
    if parts.extensions.get::<Encrypted>().is_some_and(|encrypted| encrypted.0) {
        return true;
    }
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let trusted = peer.is_some_and(|peer| app.settings.trusted_proxies.iter().any(|network| network.contains(peer)));
    trusted && parts.headers.get("x-forwarded-proto").is_some_and(|value| value.as_bytes() == b"https")
}

/// The session in the cookie.
pub(super) fn cookie(headers: &HeaderMap) -> Option<Secret> {
    let cookies = headers.get_all(header::COOKIE);
    let mut pairs = cookies.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    pairs.find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE).then(|| Secret::new(value))
    })
}

/// A cookie counts only where our own page sent the request: another site cannot set the header, nor forge its origin.
fn own_page(parts: &Parts) -> Result<(), Problem> {
    let foreign = |why: &str| Problem::new(StatusCode::FORBIDDEN, "foreign-origin", why);
    let origin = parts.headers.get(header::ORIGIN).map(|value| value.to_str().unwrap_or_default());
    let host = parts.headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let same = origin.map(|origin| origin.split_once("://").is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(host)));
    if same == Some(false) {
        return Err(foreign("the request comes from another site"));
    }
    let upgrade = parts.headers.contains_key(header::UPGRADE);
    if upgrade && same.is_none() {
        return Err(foreign("a WebSocket by cookie needs an Origin"));
    }
    if !parts.method.is_safe() && !parts.headers.contains_key(PAGE_HEADER) {
        return Err(foreign("a change by cookie needs the header X-Ringlift-Page"));
    }
    Ok(())
}

fn unauthorised(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorised", detail)
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"ringlift\""))
}
