//! `POST /v1/explain`: what would be done with an INVITE, and why.

use axum::Json;
use axum::extract::State;

use super::body::Body;
use super::caller::Caller;
use super::rooms::odd;
use super::scope::Scope;
use super::{App, Problem, openapi};
use crate::gateway::command::{Command, ExplainRequest, Reply};
use crate::route::Explanation;

/// Says what would be done with an INVITE, which rule matched, which nearly did, and why not. Nothing is done.
#[utoipa::path(post, path = "/v1/explain", tag = "routing", security(("key" = ["routing:read"])),
    request_body = ExplainRequest, responses((status = 200, body = Explanation), openapi::Refused))]
pub async fn explain(
    State(app): State<App>,
    caller: Caller,
    body: Body<ExplainRequest>,
) -> Result<Json<Explanation>, Problem> {
    caller.needs(Scope::RoutingRead)?;
    match app.ask(Command::Explain(Box::new(body.value))).await? {
        Reply::Explained(explanation) => Ok(Json(*explanation)),
        _ => Err(odd()),
    }
}
