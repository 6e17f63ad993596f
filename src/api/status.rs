//! How the node is: for people, for load balancers.

use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

use super::caller::Caller;
use super::rooms::odd;
use super::{App, Problem, openapi};
use crate::gateway::command::{Command, Reply};
use crate::gateway::view::Status;
use crate::store::clock;

/// The node as a whole.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct NodeStatus {
    /// What people call it.
    pub name: String,
    /// The program's version.
    pub version: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// Its time now.
    pub now: String,
    /// SIP addresses to call for a try.
    pub how_to_call: Vec<String>,
    /// Key maps that a room may name.
    pub key_maps: Vec<String>,
    /// Calls, rooms, counters.
    pub gateway: Status,
    /// The database.
    pub store: StoreStatus,
}

/// How the database is.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct StoreStatus {
    /// Whether it takes what is written.
    pub healthy: bool,
    /// Records and events waiting to be written.
    pub waiting: u64,
    /// Records and events written, in all.
    pub written: u64,
    /// Transactions that failed and were tried again, in all.
    pub failures: u64,
    /// Events that were never written, in all.
    pub events_lost: u64,
    /// Changes of call records that were never written, in all.
    pub records_lost: u64,
}

pub(super) fn store_status(app: &App) -> StoreStatus {
    let counters = app.handle.writer().counters();
    let of = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    StoreStatus {
        healthy: !counters.failing.load(Ordering::Relaxed),
        waiting: of(&counters.waiting),
        written: of(&counters.written),
        failures: of(&counters.failures),
        events_lost: of(&counters.events_lost),
        records_lost: of(&counters.records_lost),
    }
}

pub(super) async fn gateway_status(app: &App) -> Result<Status, Problem> {
    match app.ask(Command::Status).await? {
        Reply::Status(status) => Ok(*status),
        _ => Err(odd()),
    }
}

/// The node in words and figures; any key may ask.
#[utoipa::path(get, path = "/v1/status", tag = "node", security(("key" = [])),
    responses((status = 200, body = NodeStatus), openapi::Refused))]
pub async fn status(State(app): State<App>, _caller: Caller) -> Result<Json<NodeStatus>, Problem> {
    Ok(Json(NodeStatus {
        name: app.settings.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: app.started.to_string(),
        now: clock::utc().to_string(),
        how_to_call: app.settings.how_to_call.clone(),
        key_maps: app.settings.key_maps.clone(),
        gateway: gateway_status(&app).await?,
        store: store_status(&app),
    }))
}

/// Whether the program runs at all.
#[utoipa::path(get, path = "/healthz", tag = "node", responses((status = 200, description = "it runs")))]
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether it takes new calls: not while it drains, nor without its database.
#[utoipa::path(get, path = "/readyz", tag = "node",
    responses((status = 200, description = "it takes calls"), (status = 503, description = "it does not, and why")))]
pub async fn readyz(State(app): State<App>) -> (StatusCode, &'static str) {
    match gateway_status(&app).await {
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the gateway does not answer\n"),
        Ok(status) if status.draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        Ok(_) if app.handle.store().ping().await.is_err() => {
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n")
        }
        Ok(_) => (StatusCode::OK, "ready\n"),
    }
}
