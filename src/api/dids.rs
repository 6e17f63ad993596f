//! `/v1/dids`: the numbers routed to us and where they lead.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::body::{Body, Id};
use super::caller::Caller;
use super::once::{OnceKey, answer, created};
use super::scope::Scope;
use super::trunks::random;
use super::valid::Check;
use super::{App, Problem, openapi};
use crate::base::id::{DidId, TrunkId};
use crate::gateway::command::Command;
use crate::route::{Action, Called, Did};
use crate::store::{Answered, StoreError};

/// A number as it is sent.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
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
    pub action: Action,
    /// The languages offered, the first spoken when there is no choice; empty means the node's.
    #[serde(default)]
    pub languages: Vec<String>,
}

/// Numbers.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct DidList {
    /// In order.
    pub items: Vec<Did>,
}

impl NewDid {
    fn did(self, id: DidId) -> Result<Did, Problem> {
        let mut check = Check::default();
        check.that(self.languages.len() <= 10, "/languages", "at most ten languages: one per key");
        for (index, language) in self.languages.iter().enumerate() {
            check.language(language, &format!("/languages/{index}"));
        }
        check.done()?;
        Ok(Did { id, called: self.called, trunk: self.trunk, action: self.action, languages: self.languages })
    }
}

/// Every number.
#[utoipa::path(get, path = "/v1/dids", tag = "routing", security(("key" = ["routing:read"])),
    responses((status = 200, body = DidList), openapi::Refused))]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<DidList>, Problem> {
    caller.needs(Scope::RoutingRead)?;
    Ok(Json(DidList { items: app.handle.store().dids().await? }))
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
    let did = body.value.did(DidId::draw(&mut random()?))?;
    let now = created(format!("/v1/dids/{}", did.id), &did)?;
    let answered = app.handle.store().add_did(&did, once.with(&caller, body.hash, &now)).await?;
    if answered == Answered::Now {
        app.tell(Command::PutDid(did)).await?;
    }
    answer(answered, now)
}

/// One number.
#[utoipa::path(get, path = "/v1/dids/{id}", tag = "routing", security(("key" = ["routing:read"])),
    params(("id" = String, Path)), responses((status = 200, body = Did), openapi::Refused))]
pub async fn show(State(app): State<App>, caller: Caller, Id(id): Id<DidId>) -> Result<Json<Did>, Problem> {
    caller.needs(Scope::RoutingRead)?;
    match app.handle.store().did(id).await {
        Err(StoreError::NotFound) => Err(Problem::not_found("number")),
        other => Ok(Json(other?)),
    }
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
    let did = body.value.did(id)?;
    match app.handle.store().put_did(&did).await {
        Err(StoreError::NotFound) => return Err(Problem::not_found("number")),
        other => other?,
    }
    app.tell(Command::PutDid(did.clone())).await?;
    Ok(Json(did))
}

/// Takes a number away; its calls go on.
#[utoipa::path(delete, path = "/v1/dids/{id}", tag = "routing", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), responses((status = 204, description = "gone"), openapi::Refused))]
pub async fn delete(State(app): State<App>, caller: Caller, Id(id): Id<DidId>) -> Result<StatusCode, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    match app.handle.store().delete_did(id).await {
        Err(StoreError::NotFound) => return Err(Problem::not_found("number")),
        other => other?,
    }
    app.tell(Command::DeleteDid(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
