//! Login of the page: a key becomes a cookie that scripts cannot read and other sites cannot use.

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::body::Body;
use super::caller::{self, COOKIE, Caller};
use super::door::SESSION;
use super::{App, Problem, openapi};
use crate::base::Secret;
use crate::base::id::KeyId;

/// A key to log in with.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The API key.
    #[schema(value_type = String, format = Password)]
    pub key: Secret,
}

/// Who is logged in.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Session {
    /// By which key.
    #[schema(value_type = String)]
    pub key: KeyId,
    /// What people call that key.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<super::scope::Scope>,
}

impl From<&Caller> for Session {
    fn from(caller: &Caller) -> Self {
        Self { key: caller.key, name: caller.name.clone(), scopes: caller.scopes().collect() }
    }
}

/// Logs the page in: sets a cookie.
#[utoipa::path(post, path = "/v1/login", tag = "page", request_body = Login,
    responses((status = 200, body = Session), openapi::Refused))]
pub async fn login(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let (from, https) = (caller::client(&parts, &app), caller::by_https(&parts, &app));
    let body = Body::<Login>::from_request(Request::from_parts(parts, body), &app).await?;
    let caller = caller::by_key(&app, body.value.key.expose(), from).await?;
    let Some(session) = app.door.open(caller.key).await else {
        return Err(Problem::unavailable("no login can be opened now"));
    };
    let cookie = cookie(session.expose(), SESSION.as_secs(), https)?;
    Ok(([(header::SET_COOKIE, cookie)], Json(Session::from(&caller))).into_response())
}

/// Logs the page out.
#[utoipa::path(post, path = "/v1/logout", tag = "page", security(("cookie" = [])),
    responses((status = 204, description = "logged out"), openapi::Refused))]
pub async fn logout(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let session = caller::cookie(&parts.headers);
    Caller::from_request_parts(&mut parts, &app).await?;
    if let Some(session) = session {
        app.door.close(session).await;
    }
    let cookie = cookie("", 0, caller::by_https(&parts, &app))?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// Who is asking, with which rights.
#[utoipa::path(get, path = "/v1/session", tag = "page", security(("key" = [])),
    responses((status = 200, body = Session), openapi::Refused))]
pub async fn session(caller: Caller) -> Json<Session> {
    Json(Session::from(&caller))
}

fn cookie(session: &str, seconds: u64, https: bool) -> Result<HeaderValue, Problem> {
    let secure = if https { "; Secure" } else { "" };
    let text = format!("{COOKIE}={session}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&text).map_err(|_| Problem::unavailable("no login can be opened now"))
}
