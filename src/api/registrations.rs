//! `/v1/registrations`: telephones that are registered, and where.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::body::{Args, Id};
use super::caller::Caller;
use super::problem::FieldError;
use super::rooms::odd;
use super::scope::Scope;
use super::{App, Problem, openapi};
use crate::base::id::ExtensionId;
use crate::gateway::command::{Command, Reply};
use crate::gateway::view::RegistrationView;

/// Whose telephones.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RegistrationArgs {
    /// Only of this extension.
    pub extension: Option<String>,
}

/// Telephones.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct RegistrationList {
    /// In the gateway's order.
    pub items: Vec<RegistrationView>,
}

/// Telephones that are registered.
#[utoipa::path(get, path = "/v1/registrations", tag = "people", security(("key" = ["routing:read"])),
    params(RegistrationArgs), responses((status = 200, body = RegistrationList), openapi::Refused))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Args(args): Args<RegistrationArgs>,
) -> Result<Json<RegistrationList>, Problem> {
    caller.needs(Scope::RoutingRead)?;
    let extension = args.extension.map(|id| id.parse::<ExtensionId>()).transpose().map_err(|_| {
        let field = FieldError { pointer: "?extension".into(), detail: "write an extension's id".into() };
        Problem::new(StatusCode::BAD_REQUEST, "bad-query", "extension: write an extension's id").about(vec![field])
    })?;
    Ok(Json(RegistrationList { items: registered(&app, extension).await? }))
}

/// Makes every telephone of an extension read its settings again.
#[utoipa::path(post, path = "/v1/extensions/{id}/check-sync", tag = "people", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), responses((status = 204, description = "they are asked to"), openapi::Refused))]
pub async fn check_sync(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ExtensionId>,
) -> Result<StatusCode, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    app.ask(Command::CheckSync(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Telephones of one extension, or of all.
pub(super) async fn registered(app: &App, extension: Option<ExtensionId>) -> Result<Vec<RegistrationView>, Problem> {
    match app.ask(Command::Registrations { extension }).await? {
        Reply::Registrations(items) => Ok(items),
        _ => Err(odd()),
    }
}
