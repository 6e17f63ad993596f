//! `/v1/relays`: processes in customers' networks that carry a trunk's SIP and audio; `/relay`: where their tunnels come in.

use std::net::SocketAddr;

use axum::Json;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocketUpgrade};
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};

use super::body::{Body, Id};
use super::caller::{self, Caller};
use super::change::Changed;
use super::once::OnceKey;
use super::scope::Scope;
use super::valid::Check;
use super::{App, Problem, openapi};
use crate::base::Secret;
use crate::base::id::RelayId;
use crate::engine::relay::{Tunnel, View};
use crate::store::StoreError;
use crate::store::clock;
use crate::store::error::Constraint;
use crate::store::relay::Relay;
use crate::transport::relay::writer::writer;
use crate::transport::relay::{LONGEST_FRAME, Malformed, Packet};

/// Most relays. More: each may hold a tunnel and a thousand calls.
const RELAYS: usize = 1000;

/// A relay to be made.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRelay {
    /// What people call it; no other relay's.
    #[schema(example = "Head office")]
    pub name: String,
}

/// A relay.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct RelayView {
    /// Names it: a trunk's `relay`.
    #[schema(value_type = String, example = "relay_0123456789abc")]
    pub id: RelayId,
    /// What people call it.
    pub name: String,
    /// When it was made, RFC 3339.
    pub created: String,
    /// Whether its tunnel stands.
    pub connected: bool,
    /// How it stands; none where it has not come since the node began.
    pub state: Option<RelayState>,
}

/// How a relay stands.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct RelayState {
    /// Since when its tunnel stands, or is gone.
    pub since: String,
    /// Where its tunnel comes, or came, from.
    pub from: String,
    /// The program and its version.
    pub software: String,
    /// Where its SIP is reached in its network: what Via and Contact show there.
    pub sip: String,
    /// Where its audio is reached in its network.
    pub media: String,
    /// Call managers it may speak with, by the names that trunks may use.
    pub managers: Vec<String>,
    /// Calls it can carry at once.
    pub calls: usize,
    /// Calls it carries.
    pub in_use: usize,
}

/// A relay, this once with its secret.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ShownRelay {
    /// What the relay shows: its secret file. Not shown again.
    #[schema(example = "rlr_5f…")]
    pub secret: String,
    /// The rest.
    #[serde(flatten)]
    pub view: RelayView,
}

/// Relays.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct RelayList {
    /// By name.
    pub items: Vec<RelayView>,
}

impl RelayView {
    fn of(relay: Relay, app: &App) -> Self {
        let seen = app.settings.relays.as_ref().and_then(|door| door.view(relay.id));
        let connected = seen.as_ref().is_some_and(|view| view.connected);
        let created = relay.created.to_string();
        Self { id: relay.id, name: relay.name, created, connected, state: seen.map(RelayState::from) }
    }
}

impl From<View> for RelayState {
    fn from(view: View) -> Self {
        Self {
            since: view.since.to_string(),
            from: view.from.to_string(),
            software: view.software,
            sip: view.reach.sip.to_string(),
            media: view.reach.media.to_string(),
            managers: view.reach.managers.into_iter().map(|(name, _)| name).collect(),
            calls: view.ports,
            in_use: view.in_use,
        }
    }
}

fn none(error: StoreError) -> Problem {
    Problem::of(error, "relay")
}

fn shown(relay: Relay, secret: &Secret, app: &App) -> ShownRelay {
    ShownRelay { secret: secret.expose().to_owned(), view: RelayView::of(relay, app) }
}

/// Every relay, and how each stands.
#[utoipa::path(get, path = "/v1/relays", tag = "routing", operation_id = "list_relays", security(("key" = ["routing:read"])),
    responses((status = 200, body = RelayList), openapi::Refused))]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<RelayList>, Problem> {
    caller.needs(Scope::RoutingRead)?;
    let relays = app.handle.store().relays().await?;
    Ok(Json(RelayList { items: relays.into_iter().map(|relay| RelayView::of(relay, &app)).collect() }))
}

/// One relay, and how it stands.
#[utoipa::path(get, path = "/v1/relays/{id}", tag = "routing", operation_id = "show_relay", security(("key" = ["routing:read"])),
    params(("id" = String, Path)), responses((status = 200, body = RelayView), openapi::Refused))]
pub async fn show(State(app): State<App>, caller: Caller, Id(id): Id<RelayId>) -> Result<Json<RelayView>, Problem> {
    caller.needs(Scope::RoutingRead)?;
    let relay = app.handle.store().relay(id).await.map_err(none)?;
    Ok(Json(RelayView::of(relay, &app)))
}

/// Makes a relay and shows its secret this once. Takes no Idempotency-Key: an answer kept for a repetition would keep the
/// secret.
#[utoipa::path(post, path = "/v1/relays", tag = "routing", operation_id = "create_relay", security(("key" = ["routing:write"])),
    request_body = NewRelay, responses((status = 201, body = ShownRelay), openapi::Refused))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    once: OnceKey,
    body: Body<NewRelay>,
) -> Result<Response, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    if once.is_some() {
        let detail = "a secret is shown once and cannot be shown again for an Idempotency-Key: if the answer was lost, ask for another secret";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad-idempotency-key", detail));
    }
    let mut check = Check::default();
    check.name(&body.value.name, "/name");
    check.done()?;
    app.change(async move |app| {
        let store = app.handle.store();
        if store.relays().await?.len() >= RELAYS {
            return Err(Problem::conflict("there are 1000 relays already: that is as many as may be"));
        }
        let (relay, secret) = store.add_relay(body.value.name.trim(), clock::utc()).await.map_err(none)?;
        let location = format!("/v1/relays/{}", relay.id);
        let shown = Json(shown(relay, &secret, &app));
        Ok(Changed::silent((StatusCode::CREATED, [(header::LOCATION, location)], shown).into_response()))
    })
    .await
}

/// Gives a relay another secret and shows it this once. The one before opens nothing any more; a tunnel that stands by it ends.
#[utoipa::path(post, path = "/v1/relays/{id}/secret", tag = "routing", operation_id = "renew_relay", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), responses((status = 200, body = ShownRelay), openapi::Refused))]
pub async fn renew(State(app): State<App>, caller: Caller, Id(id): Id<RelayId>) -> Result<Json<ShownRelay>, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    app.change(async move |app| {
        let relay = app.handle.store().relay(id).await.map_err(none)?;
        let secret = app.handle.store().renew_relay(id).await.map_err(none)?;
        revoke(&app, id).await;
        Ok(Changed::silent(Json(shown(relay, &secret, &app))))
    })
    .await
}

/// Takes a relay away; its tunnel ends. Refused while a trunk names it.
#[utoipa::path(delete, path = "/v1/relays/{id}", tag = "routing", operation_id = "delete_relay", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), responses((status = 204, description = "gone"), openapi::Refused))]
pub async fn delete(State(app): State<App>, caller: Caller, Id(id): Id<RelayId>) -> Result<StatusCode, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    app.change(async move |app| {
        app.handle.store().delete_relay(id).await.map_err(|error| match error {
            StoreError::Constraint(Constraint::StillUsed) => {
                Problem::conflict("a trunk is reached by this relay: change or delete that first")
            }
            error => none(error),
        })?;
        revoke(&app, id).await;
        Ok(Changed::silent(StatusCode::NO_CONTENT))
    })
    .await
}

async fn revoke(app: &App, id: RelayId) {
    if let Some(door) = &app.settings.relays {
        door.revoke(id).await;
    }
}

/// Where relays' tunnels come in: a WebSocket, opened with a relay's secret as bearer.
#[utoipa::path(get, path = "/relay", tag = "routing", operation_id = "relay_tunnel",
    responses((status = 101, description = "a tunnel of SIP and audio (docs/relay.md)"), openapi::Refused))]
pub async fn tunnel(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let door = app.settings.relays.clone().ok_or_else(|| Problem::not_found("page"))?;
    let told = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let secret = told.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let secret = secret.map_or("", |(_, secret)| secret.trim()).to_owned();
    let from = caller::client(&parts, &app);
    let Some(relay) = app.handle.store().relay_by_secret(&secret).await? else {
        app.counts.wrong_key();
        return Err(match app.door.wrong(from).await {
            Ok(()) => Problem::new(StatusCode::UNAUTHORIZED, "unauthorised", "no relay has this secret"),
            Err(wait) => {
                let detail = "too many wrong secrets from this address";
                Problem::new(StatusCode::TOO_MANY_REQUESTS, "throttled", detail).retry_after(wait.as_secs().max(1))
            }
        });
    };
    let port = parts.extensions.get::<ConnectInfo<SocketAddr>>().map_or(0, |peer| peer.0.port());
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &app)
        .await
        .map_err(|rejection| Problem::new(rejection.status(), "no-websocket", rejection.body_text()))?;
    let upgrade = upgrade.max_message_size(LONGEST_FRAME).max_frame_size(LONGEST_FRAME);
    Ok(upgrade.on_upgrade(async move |socket| {
        let (sink, packets) = socket.split();
        let sink = sink.with(|packet| std::future::ready(Ok::<_, axum::Error>(written(packet))));
        let packets = packets.filter_map(|message| std::future::ready(read(message))).boxed();
        let (writer, writing) = writer(sink);
        let (name, from) = (relay.name, SocketAddr::new(from, port));
        // The node ends, and its connections with it.
        door.bring(relay.id, Tunnel { packets, writer, writing: Box::pin(writing), name, from }).await;
    }))
}

fn written(packet: Packet) -> Message {
    match packet {
        Packet::Text(text) => Message::Text(text.into()),
        Packet::Binary(bytes) => Message::Binary(bytes),
        Packet::Close(code, reason) => Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from(reason) })),
    }
}

fn read(message: Result<Message, axum::Error>) -> Option<Result<Packet, Malformed>> {
    match message {
        Ok(Message::Text(text)) => Some(Ok(Packet::Text(text.to_string()))),
        Ok(Message::Binary(bytes)) => Some(Ok(Packet::Binary(bytes))),
        Ok(Message::Close(frame)) => {
            let (code, why) = frame.map_or((1005, String::new()), |frame| (frame.code, frame.reason.to_string()));
            Some(Ok(Packet::Close(code, why)))
        }
        Ok(Message::Ping(_) | Message::Pong(_)) => None,
        Err(error) if error.to_string().contains("too long") => Some(Err(Malformed("a frame is too long"))),
        Err(_) => Some(Ok(Packet::Close(1006, "the connection broke".to_owned()))),
    }
}
