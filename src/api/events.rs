//! `/v1/events`: the event log, by server-sent events and by WebSocket.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{
    CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{self, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{SinkExt, StreamExt, stream};
use serde::Deserialize;
use tokio::time::{Instant, timeout};

use super::body::Args;
use super::caller::Caller;
use super::feed::{Feed, Next, PING};
use super::scope::Scope;
use super::{App, Problem, openapi};
use crate::base::RoomId;
use crate::gateway::event::Event;

/// How long one message may take to leave. Longer: a stuck reader holds a connection. Shorter: a weak link is cut.
const PATIENCE: Duration = Duration::from_secs(10);

/// Silence of a WebSocket's far end after which it is taken for gone: three pings unanswered.
const GONE: Duration = Duration::from_secs(50);

/// How soon a browser comes back, in milliseconds.
const RETRY: Duration = Duration::from_millis(1000);

/// From where, and what.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventArgs {
    /// The last number seen: the stream goes on after it. 0 is the beginning of what is kept; none is now. A
    /// `Last-Event-ID` header wins over it.
    pub after: Option<u64>,
    /// Only events of this room.
    pub room: Option<String>,
}

impl EventArgs {
    fn feed(self, app: &App, caller: &Caller, headers: &HeaderMap) -> Result<Feed, Problem> {
        caller.needs(Scope::EventsRead)?;
        let bad = |detail: &str| Problem::new(StatusCode::BAD_REQUEST, "bad-query", detail);
        let room =
            self.room.map(|room| room.parse::<RoomId>()).transpose().map_err(|_| bad("room: write a room's id"))?;
        let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).map(str::trim);
        let after = match last.filter(|last| !last.is_empty()) {
            Some(last) => Some(last.parse().map_err(|_| bad("Last-Event-ID: write the number of an event"))?),
            None => self.after,
        };
        Feed::begin(app, caller.key, after, room)
            .ok_or_else(|| Problem::unavailable("too many streams of events are open"))
    }
}

/// Events as server-sent events: `id` is the number, `data` an event. `gap` says that events are missing and rooms and
/// calls are to be read anew, `end` why the stream ends; a comment every 15 seconds keeps it alive. Numbers are masked.
#[utoipa::path(get, path = "/v1/events", tag = "events", security(("key" = ["events:read"])),
    params(EventArgs, openapi::LastEvent),
    responses((status = 200, body = Event, content_type = "text/event-stream"), openapi::Refused))]
pub async fn sse(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Args(args): Args<EventArgs>,
) -> Result<Response, Problem> {
    let feed = args.feed(&app, &caller, &headers)?;
    let hello = stream::iter([Ok::<_, Infallible>(sse::Event::default().retry(RETRY).comment("ringlift"))]);
    let rest = stream::unfold(feed, |mut feed| async move {
        let next = feed.next().await?;
        let event = match next {
            Next::Event(event) => {
                sse::Event::default().id(event.seq.to_string()).data(serde_json::to_string(&*event).unwrap_or_default())
            }
            Next::Gap(seq) => sse::Event::default().event("gap").data(format!("{{\"seq\":{seq}}}")),
            Next::Ping => sse::Event::default().comment("ping"),
            Next::End(reason) => {
                sse::Event::default().event("end").data(serde_json::json!({ "reason": reason }).to_string())
            }
        };
        Some((Ok(event), feed))
    });
    // Nginx holds a stream back unless told not to.
    Ok(([("x-accel-buffering", "no")], Sse::new(hello.chain(rest))).into_response())
}

/// Events by WebSocket: each text message is an event, or `{"type":"gap","seq":n}`, or `{"type":"end","reason":…}`
/// before the close. The server pings every 15 seconds. What the client sends is ignored.
#[utoipa::path(get, path = "/v1/events/ws", tag = "events", security(("key" = ["events:read"])),
    params(EventArgs, openapi::LastEvent),
    responses((status = 101, description = "a WebSocket of events"), openapi::Refused))]
pub async fn ws(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Args(args): Args<EventArgs>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|rejection| {
        Problem::new(
            rejection.status(),
            "no-websocket",
            format!("{}; for plain HTTP use /v1/events", rejection.body_text()),
        )
    })?;
    let feed = args.feed(&app, &caller, &headers)?;
    Ok(upgrade.max_message_size(4096).on_upgrade(move |socket| follow(socket, feed)))
}

async fn follow(socket: WebSocket, mut feed: Feed) {
    let (mut sink, mut source) = socket.split();
    let mut heard = Instant::now();
    loop {
        let (message, end) = tokio::select! {
            next = feed.next() => match next {
                None => return,
                Some(Next::Event(event)) => (serde_json::to_string(&*event).unwrap_or_default(), None),
                Some(Next::Gap(seq)) => (format!("{{\"type\":\"gap\",\"seq\":{seq}}}"), None),
                Some(Next::End(reason)) => (serde_json::json!({ "type": "end", "reason": reason }).to_string(), Some(reason)),
                Some(Next::Ping) => {
                    if heard.elapsed() > GONE || !sent(sink.send(Message::Ping(Default::default()))).await {
                        return;
                    }
                    continue;
                }
            },
            came = source.next() => match came {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {
                    heard = Instant::now();
                    continue;
                }
            },
        };
        if !sent(sink.send(Message::Text(message.into()))).await {
            return;
        }
        if let Some(reason) = end {
            // 1001: going away; 1008: policy (RFC 6455 §7.4.1).
            let code = if reason.starts_with("the node") { 1001 } else { 1008 };
            let close = Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }));
            sent(sink.send(close)).await;
            return;
        }
    }
}

async fn sent<E>(sending: impl Future<Output = Result<(), E>>) -> bool {
    debug_assert!(PATIENCE < PING);
    matches!(timeout(PATIENCE, sending).await, Ok(Ok(())))
}
