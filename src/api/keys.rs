//! `/v1/keys`: API keys. A key is shown once, when it is made.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::body::{Body, Id};
use super::caller::Caller;
use super::once::OnceKey;
use super::scope::Scope;
use super::valid::Check;
use super::{App, Problem, openapi};
use crate::base::id::KeyId;
use crate::store::clock;
use crate::store::key::{ApiKey, Revoked};

/// A key to be made.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// What people call it.
    #[schema(example = "calendar")]
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

/// A key without its secret.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct KeyView {
    /// Its id.
    #[schema(value_type = String, example = "key_0123456789abc")]
    pub id: KeyId,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it was made, RFC 3339.
    pub created: String,
    /// When it was revoked; none while it opens.
    pub revoked: Option<String>,
}

/// A key, this once with its secret.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ShownKey {
    /// The key itself; not shown again, not even to you.
    #[schema(example = "rlk_5f…")]
    pub key: String,
    /// What is kept of it.
    #[serde(flatten)]
    pub view: KeyView,
}

/// Keys.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct KeyList {
    /// The oldest first.
    pub items: Vec<KeyView>,
}

impl From<ApiKey> for KeyView {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            scopes: key.scopes,
            created: key.created.to_string(),
            revoked: key.revoked.map(|at| at.to_string()),
        }
    }
}

/// Every key, without secrets.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", security(("key" = ["keys:write"])),
    responses((status = 200, body = KeyList), openapi::Refused))]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<KeyList>, Problem> {
    caller.needs(Scope::KeysWrite)?;
    let keys = app.handle.store().keys().await?;
    Ok(Json(KeyList { items: keys.into_iter().map(KeyView::from).collect() }))
}

/// Makes a key and shows it this once. Takes no Idempotency-Key: an answer kept for a repetition would keep the key.
#[utoipa::path(post, path = "/v1/keys", tag = "keys", security(("key" = ["keys:write"])), request_body = NewKey,
    responses((status = 201, body = ShownKey), openapi::Refused))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    once: OnceKey,
    body: Body<NewKey>,
) -> Result<Response, Problem> {
    caller.needs(Scope::KeysWrite)?;
    if once.is_some() {
        let detail = "a key is shown once and cannot be shown again for an Idempotency-Key: if the answer was lost, revoke that key and make another";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad-idempotency-key", detail));
    }
    let mut check = Check::default();
    check.name(&body.value.name, "/name");
    check.that(!body.value.scopes.is_empty(), "/scopes", "a key without scopes opens nothing");
    for (index, scope) in body.value.scopes.iter().enumerate() {
        check.that(caller.has(*scope), &format!("/scopes/{index}"), "your key lacks this scope, so it cannot give it");
    }
    check.done()?;
    let mut scopes = body.value.scopes.clone();
    scopes.sort_unstable();
    scopes.dedup();
    let names: Vec<String> = scopes.iter().map(|scope| scope.name().to_owned()).collect();
    let (key, secret) = app.handle.store().add_key(body.value.name.trim(), &names, clock::utc()).await?;
    let location = format!("/v1/keys/{}", key.id);
    let shown = ShownKey { key: secret.expose().to_owned(), view: key.into() };
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(shown)).into_response())
}

/// Revokes a key, for good: its next request gets 401, its streams end within seconds.
#[utoipa::path(delete, path = "/v1/keys/{id}", tag = "keys", security(("key" = ["keys:write"])),
    params(("id" = String, Path)), responses((status = 204, description = "revoked"), openapi::Refused))]
pub async fn revoke(State(app): State<App>, caller: Caller, Id(id): Id<KeyId>) -> Result<StatusCode, Problem> {
    caller.needs(Scope::KeysWrite)?;
    let store = app.handle.store();
    let admin = Scope::Admin.name();
    let live = store.live_key(id).await?;
    if live.is_some_and(|key| key.scopes.iter().any(|scope| scope == admin)) && !caller.has(Scope::Admin) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "only an admin key revokes an admin key"));
    }
    match store.revoke_key(id, admin, clock::utc()).await.map_err(|error| Problem::of(error, "key"))? {
        Revoked::Done => Ok(StatusCode::NO_CONTENT),
        Revoked::Kept => Err(Problem::conflict("this is the last admin key: make another before you revoke it")),
    }
}
