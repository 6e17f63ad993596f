//! Callbacks: somebody is rung, now or at a set time, and is in the meeting once they press 1.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::body::{Body, Id};
use super::caller::Caller;
use super::rooms::odd;
use super::scope::Scope;
use super::{App, Problem, openapi};
use crate::base::RoomId;
use crate::base::id::CallbackId;
use crate::gateway::callback::view::{CallbackRequest, CallbackView};
use crate::gateway::command::{Command, Reply};

/// Callbacks.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct CallbackList {
    /// Those that wait, are under way, or were over within the last hour.
    pub items: Vec<CallbackView>,
}

/// Has somebody called back: a telephone rings, and whoever presses 1 is in the meeting, in the seat of `participant` where
/// one is named.
#[utoipa::path(post, path = "/v1/rooms/{id}/callbacks", operation_id = "call_back", tag = "rooms",
    security(("key" = ["calls:write", "rooms:write"])), params(("id" = String, Path)), request_body = CallbackRequest,
    responses((status = 202, description = "a telephone rings, or will at the set time", body = CallbackView), openapi::Refused))]
pub async fn begin(
    State(app): State<App>,
    caller: Caller,
    Id(room): Id<RoomId>,
    body: Body<CallbackRequest>,
) -> Result<Response, Problem> {
    caller.needs(Scope::CallsWrite)?;
    caller.needs(Scope::RoomsWrite)?;
    let request = Box::new(body.value);
    let reply = if request.at.is_none() {
        app.ask(Command::CallBack { room, request }).await?
    } else {
        // Stored first: what was promised is not lost with this run of the program.
        let Reply::CallbackPlan(kept) = app.ask(Command::PlanCallback { room, request }).await? else {
            return Err(odd());
        };
        app.handle.store().add_callback(&kept).await?;
        app.ask(Command::PutCallback(kept)).await?
    };
    let Reply::Callback(view) = reply else { return Err(odd()) };
    let place = [(header::LOCATION, format!("/v1/callbacks/{}", view.id))];
    Ok((StatusCode::ACCEPTED, place, Json(view)).into_response())
}

/// Every callback.
#[utoipa::path(get, path = "/v1/callbacks", operation_id = "callbacks", tag = "rooms", security(("key" = ["calls:read"])),
    responses((status = 200, body = CallbackList), openapi::Refused))]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<CallbackList>, Problem> {
    caller.needs(Scope::CallsRead)?;
    match app.ask(Command::Callbacks).await? {
        Reply::Callbacks(items) => Ok(Json(CallbackList { items })),
        _ => Err(odd()),
    }
}

/// How far a callback is.
#[utoipa::path(get, path = "/v1/callbacks/{id}", operation_id = "callback", tag = "rooms", security(("key" = ["calls:read"])),
    params(("id" = String, Path)), responses((status = 200, body = CallbackView), openapi::Refused))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<CallbackId>,
) -> Result<Json<CallbackView>, Problem> {
    caller.needs(Scope::CallsRead)?;
    match app.ask(Command::Callback(id)).await? {
        Reply::Callback(view) => Ok(Json(*view)),
        _ => Err(odd()),
    }
}

/// Takes a callback back: what rings is silent at once.
#[utoipa::path(delete, path = "/v1/callbacks/{id}", operation_id = "cancel_callback", tag = "rooms",
    security(("key" = ["calls:write"])), params(("id" = String, Path)),
    responses((status = 204, description = "it rings no longer"), openapi::Refused))]
pub async fn cancel(State(app): State<App>, caller: Caller, Id(id): Id<CallbackId>) -> Result<StatusCode, Problem> {
    caller.needs(Scope::CallsWrite)?;
    app.ask(Command::CancelCallback(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
