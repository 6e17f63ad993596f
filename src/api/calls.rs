//! `/v1/calls`: live calls, and what became of one.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

use super::body::Id;
use super::caller::Caller;
use super::records::RecordView;
use super::rooms::odd;
use super::scope::Scope;
use super::{App, Problem, openapi};
use crate::base::LegId;
use crate::gateway::command::{Command, Denial, Reply};
use crate::gateway::view::CallView;
use crate::store::StoreError;

/// Live calls.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct CallList {
    /// In the gateway's order.
    pub items: Vec<CallView>,
}

/// A live call, or the record of one that ended.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum CallOrRecord {
    /// Live: has `state` and no `ended`.
    Call(Box<CallView>),
    /// Ended.
    Record(Box<RecordView>),
}

/// Every live call.
#[utoipa::path(get, path = "/v1/calls", tag = "calls", security(("key" = ["calls:read"])),
    responses((status = 200, body = CallList), openapi::Refused))]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<CallList>, Problem> {
    caller.needs(Scope::CallsRead)?;
    match app.ask(Command::Calls { numbers: caller.has(Scope::NumbersRead) }).await? {
        Reply::Calls(items) => Ok(Json(CallList { items })),
        _ => Err(odd()),
    }
}

/// One call: live, or its record.
#[utoipa::path(get, path = "/v1/calls/{id}", tag = "calls", security(("key" = ["calls:read"])),
    params(("id" = String, Path)), responses((status = 200, body = CallOrRecord), openapi::Refused))]
pub async fn show(State(app): State<App>, caller: Caller, Id(leg): Id<LegId>) -> Result<Json<CallOrRecord>, Problem> {
    caller.needs(Scope::CallsRead)?;
    let numbers = caller.has(Scope::NumbersRead);
    match app.handle.ask(Command::Call { leg, numbers }).await? {
        Ok(Reply::Call(call)) => return Ok(Json(CallOrRecord::Call(call))),
        Ok(_) => return Err(odd()),
        Err(Denial::NotFound(_)) => {}
        Err(denial) => return Err(denial.into()),
    }
    // It may have ended a moment ago.
    app.handle.writer().settle().await;
    match app.handle.store().record(leg).await {
        Ok(record) => Ok(Json(CallOrRecord::Record(Box::new(RecordView::of(record, numbers))))),
        Err(StoreError::NotFound) => Err(Problem::not_found("call")),
        Err(error) => Err(error.into()),
    }
}

/// Hangs up.
#[utoipa::path(delete, path = "/v1/calls/{id}", tag = "calls", security(("key" = ["calls:write"])),
    params(("id" = String, Path)), responses((status = 204, description = "the call ends"), openapi::Refused))]
pub async fn hang_up(State(app): State<App>, caller: Caller, Id(leg): Id<LegId>) -> Result<StatusCode, Problem> {
    caller.needs(Scope::CallsWrite)?;
    app.ask(Command::HangUp(leg)).await?;
    Ok(StatusCode::NO_CONTENT)
}
