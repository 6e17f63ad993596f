//! `/v1/calls/{id}/sound`: what is done to a call's voice.

use axum::extract::State;
use axum::http::StatusCode;

use super::body::{Body, Id};
use super::caller::Caller;
use super::scope::Scope;
use super::{App, Problem, openapi};
use crate::base::LegId;
use crate::gateway::command::Command;
use crate::gateway::treatment::TreatmentOrder;

/// Says what is done to a call's voice from now on; what is left out stays as it is, and null takes back what was
/// said of the call before: what its room and profile say counts again.
#[utoipa::path(post, path = "/v1/calls/{id}/sound", tag = "calls", security(("key" = ["calls:write"])),
    params(("id" = String, Path)), request_body = TreatmentOrder,
    responses((status = 204, description = "it is done"), openapi::Refused))]
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(leg): Id<LegId>,
    body: Body<TreatmentOrder>,
) -> Result<StatusCode, Problem> {
    caller.needs(Scope::CallsWrite)?;
    app.ask(Command::Treat { leg, order: body.value }).await?;
    Ok(StatusCode::NO_CONTENT)
}
