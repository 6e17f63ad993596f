//! `/v1/dids`: the numbers routed to us and where they lead.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::body::{Body, Id};
use super::caller::Caller;
use super::change::Changed;
use super::leads::{check_destination, keep_secret};
use super::merge::Patch;
use super::once::{OnceKey, answer, created};
use super::scope::Scope;
use super::trunks::random;
use super::valid::Check;
use super::{App, Problem, openapi};
use crate::base::elevating::ElevationRules;
use crate::base::id::{DidId, TrunkId};
use crate::gateway::command::Command;
use crate::route::{Called, Destination, Did};
use crate::store::StoreError;

/// A number as it is sent.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDid {
    /// What must have been dialled: `+` and digits, the user part of a SIP URI, or `*` for anything.
    #[schema(value_type = String, example = "+4930901820")]
    pub called: Called,
    /// Only for calls of this trunk; none means any.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub trunk: Option<TrunkId>,
    /// Where it leads.
    pub action: Destination,
    /// The languages offered, the first spoken when there is no choice; empty means the node's.
    #[serde(default)]
    pub languages: Vec<String>,
    /// What of adding video to calls by this number differs from the node's rules.
    #[serde(default)]
    pub elevation: ElevationRules,
}

/// Numbers.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct DidList {
    /// In order.
    pub items: Vec<Did>,
}

impl From<&Did> for NewDid {
    fn from(did: &Did) -> Self {
        let Did { called, trunk, action, languages, elevation, .. } = did.clone();
        Self { called, trunk, action, languages, elevation }
    }
}

impl NewDid {
    async fn did(self, id: DidId, app: &App) -> Result<Did, Problem> {
        let mut check = Check::default();
        check.that(self.languages.len() <= 10, "/languages", "at most ten languages: one per key");
        for (index, language) in self.languages.iter().enumerate() {
            check.language(language, &app.settings.languages, &format!("/languages/{index}"));
        }
        check.different(&self.languages, "/languages");
        if let Some(trunk) = self.trunk {
            match app.handle.store().trunk(trunk).await {
                Err(StoreError::NotFound) => check.that(false, "/trunk", "there is no such trunk"),
                other => drop(other?),
            }
        }
        check.done()?;
        check_destination(app, &self.action, "/action").await?;
        let Self { called, trunk, action, languages, elevation } = self;
        Ok(Did { id, called, trunk, action, languages, elevation })
    }
}

/// Every number.
#[utoipa::path(get, path = "/v1/dids", tag = "routing", security(("key" = ["routing:read"])),
    responses((status = 200, body = DidList), openapi::Refused))]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<DidList>, Problem> {
    caller.needs(Scope::RoutingRead)?;
    Ok(Json(DidList { items: app.handle.store().dids().await?.into_iter().map(shown).collect() }))
}

/// Adds a number.
#[utoipa::path(post, path = "/v1/dids", tag = "routing", security(("key" = ["routing:write"])),
    params(openapi::OnceHeader), request_body = NewDid, responses((status = 201, body = Did), openapi::Refused))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    once: OnceKey,
    body: Body<NewDid>,
) -> Result<Response, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    app.change(async move |app| {
        let did = body.value.did(DidId::draw(&mut random()?), &app).await?;
        let now = created(format!("/v1/dids/{}", did.id), &shown(did.clone()))?;
        let answered = app.handle.store().add_did(&did, once.with(&caller, body.hash, &now)).await?;
        Changed::made(answered, Command::PutDid(did)).then(|answered| answer(answered, now))
    })
    .await
}

/// One number.
#[utoipa::path(get, path = "/v1/dids/{id}", tag = "routing", security(("key" = ["routing:read"])),
    params(("id" = String, Path)), responses((status = 200, body = Did), openapi::Refused))]
pub async fn show(State(app): State<App>, caller: Caller, Id(id): Id<DidId>) -> Result<Json<Did>, Problem> {
    caller.needs(Scope::RoutingRead)?;
    Ok(Json(shown(app.handle.store().did(id).await.map_err(none)?)))
}

/// Writes over a number.
#[utoipa::path(put, path = "/v1/dids/{id}", tag = "routing", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), request_body = NewDid, responses((status = 200, body = Did), openapi::Refused))]
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<DidId>,
    body: Body<NewDid>,
) -> Result<Json<Did>, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    put(app, id, |before| {
        let mut sent = body.value;
        keep_secret(&mut sent.action, &before.action);
        Ok(sent)
    })
    .await
}

/// Changes what is sent of a number (RFC 7396).
#[utoipa::path(patch, path = "/v1/dids/{id}", tag = "routing", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), request_body(content = Object, content_type = "application/merge-patch+json"),
    responses((status = 200, body = Did), openapi::Refused))]
pub async fn patch(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<DidId>,
    patch: Patch,
) -> Result<Json<Did>, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    put(app, id, |before| patch.over(&NewDid::from(before))).await
}

async fn put(
    app: App,
    id: DidId,
    sent: impl FnOnce(&Did) -> Result<NewDid, Problem> + Send + 'static,
) -> Result<Json<Did>, Problem> {
    app.change(async move |app| {
        let before = app.handle.store().did(id).await.map_err(none)?;
        let did = sent(&before)?.did(id, &app).await?;
        app.handle.store().put_did(&did).await?;
        Ok(Changed::stored(Json(shown(did.clone())), Command::PutDid(did)))
    })
    .await
}

/// Takes a number away; its calls go on.
#[utoipa::path(delete, path = "/v1/dids/{id}", tag = "routing", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), responses((status = 204, description = "gone"), openapi::Refused))]
pub async fn delete(State(app): State<App>, caller: Caller, Id(id): Id<DidId>) -> Result<StatusCode, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    app.change(async move |app| {
        app.handle.store().delete_did(id).await.map_err(none)?;
        Ok(Changed::stored(StatusCode::NO_CONTENT, Command::DeleteDid(id)))
    })
    .await
}

/// As it may be shown: without a webhook's secret.
fn shown(did: Did) -> Did {
    Did { action: did.action.shown(), ..did }
}

fn none(error: StoreError) -> Problem {
    Problem::of(error, "number")
}
