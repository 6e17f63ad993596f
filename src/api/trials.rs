//! `/v1/trunks/{id}/test`: tests of trunks.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::body::{Body, Id};
use super::caller::Caller;
use super::rooms::odd;
use super::scope::Scope;
use super::{App, Problem, openapi};
use crate::base::id::TrunkId;
use crate::gateway::command::{Command, Reply};
use crate::gateway::view::{TrialReport, TrialRequest};

/// Begins a test: OPTIONS, a refreshed registration, and where a number is named a call with a tone, keys, hold, resume, a
/// session refresh, a transfer where one is named, and BYE. One runs at a time.
#[utoipa::path(post, operation_id = "begin_test", path = "/v1/trunks/{id}/test", tag = "routing", security(("key" = ["calls:write"])),
    params(("id" = String, Path)), request_body = TrialRequest,
    responses((status = 202, body = TrialReport, description = "it is under way"), openapi::Refused))]
pub async fn begin(
    State(app): State<App>,
    caller: Caller,
    Id(trunk): Id<TrunkId>,
    body: Body<TrialRequest>,
) -> Result<(StatusCode, Json<TrialReport>), Problem> {
    caller.needs(Scope::CallsWrite)?;
    let report = told(&caller, app.ask(Command::TestTrunk { trunk, request: body.value }).await?)?;
    Ok((StatusCode::ACCEPTED, Json(report)))
}

/// What the latest test of a trunk found, or has found so far. Numbers are masked unless the key has `numbers:read`.
#[utoipa::path(get, operation_id = "show_test", path = "/v1/trunks/{id}/test", tag = "routing", security(("key" = ["routing:read"])),
    params(("id" = String, Path)), responses((status = 200, body = TrialReport), openapi::Refused))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(trunk): Id<TrunkId>,
) -> Result<Json<TrialReport>, Problem> {
    caller.needs(Scope::RoutingRead)?;
    told(&caller, app.ask(Command::TrunkTest(trunk)).await?).map(Json)
}

fn told(caller: &Caller, reply: Reply) -> Result<TrialReport, Problem> {
    match reply {
        Reply::Trial(report) if caller.has(Scope::NumbersRead) => Ok(*report),
        Reply::Trial(report) => Ok(report.masked()),
        _ => Err(odd()),
    }
}
