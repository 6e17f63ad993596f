//! `/v1/profiles`: the dialects of carriers and phones that a trunk or an extension may name.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::caller::Caller;
use super::scope::Scope;
use super::{App, Problem, openapi};

/// A dialect.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ProfileView {
    /// What a trunk or extension names.
    #[schema(example = "generic")]
    pub name: String,
    /// Whose it is.
    pub about: String,
    /// Beginnings of `User-Agent` by which a registering phone is known.
    pub user_agents: Vec<String>,
    /// Transports it takes, the best first.
    pub transports: Vec<String>,
}

/// Dialects.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ProfileList {
    /// By name.
    pub items: Vec<ProfileView>,
}

/// Every dialect that this node speaks.
#[utoipa::path(get, path = "/v1/profiles", tag = "routing", security(("key" = ["routing:read"])),
    responses((status = 200, body = ProfileList), openapi::Refused))]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<ProfileList>, Problem> {
    caller.needs(Scope::RoutingRead)?;
    let items = app.settings.profiles.iter().map(|profile| ProfileView {
        name: profile.name.clone(),
        about: profile.about.clone(),
        user_agents: profile.user_agents.clone(),
        transports: profile.transport.kinds.clone(),
    });
    Ok(Json(ProfileList { items: items.collect() }))
}
