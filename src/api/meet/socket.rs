//! `/meet/socket`: a page's WebSocket, from text to the gateway and back.
//!
//! ```text
//! page ─ frames ─▶ listen: size, pace, JSON ─▶ engine::pages ─▶ gateway
//!      ◀─ frames ─ speak: a queue of its own ◀──────────────────┘
//! ```
//!
//! A page that says more than it may is listened to more slowly; one that does not read is cut off. Neither is felt by others.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts, Request, State};
use axum::response::Response;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, interval, sleep_until, timeout};

use super::own_site;
use crate::api::trunks::random;
use crate::api::{App, Problem, caller};
use crate::base::SessionId;
use crate::engine::pages::{FromPage, ToPage, queue};
use crate::gateway::web::Code;
use crate::gateway::web::protocol::{LONGEST_OFFER, Request as Asked, Unreadable};

/// How long one message may take to leave. Longer: a stuck reader holds a connection. Shorter: a weak link is cut.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a silent page is asked whether it is there. Longer: it is away for longer before anybody sees it.
const PING: Duration = Duration::from_secs(10);

/// Silence after which a page is taken for gone: three pings unanswered.
const GONE: Duration = Duration::from_secs(33);

/// Messages at once: candidates come by the dozen. Then one more every [`PACE`].
const BURST: u32 = 120;

/// The pace at which a page is listened to: nobody clicks twenty times a second.
const PACE: Duration = Duration::from_millis(50);

/// How long a page may take its goodbye when the node stops.
const GOODBYE: Duration = Duration::from_secs(2);

/// Why a connection ends, as the close frame says it (RFC 6455 §7.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Everything is said.
    Done,
    /// The node stops.
    Stops,
    /// It did not take what it was told.
    Slow,
    /// It sent more at once than it may.
    TooLarge,
    /// It is gone.
    Gone,
}

impl End {
    fn frame(self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            End::Done => (1000, ""),
            End::Stops => (1001, "the node stops"),
            End::Slow => (1008, "too slow"),
            End::TooLarge => (1009, "too large"),
            End::Gone => return None,
        };
        Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) })
    }
}

/// The meeting's WebSocket, for pages of this site alone. `docs/meeting.md` has the messages.
#[utoipa::path(get, path = "/meet/socket", operation_id = "meet_socket", tag = "meeting",
    responses((status = 101, description = "a WebSocket: one JSON object per text message, ClientMessage and ServerMessage"),
        crate::api::openapi::Refused))]
pub async fn socket(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    own_site(&parts, &app)?;
    let from = caller::client(&parts, &app);
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &app)
        .await
        .map_err(|rejection| Problem::new(rejection.status(), "no-websocket", rejection.body_text()))?;
    let session = SessionId::draw(&mut random()?);
    let upgrade = upgrade.max_message_size(LONGEST_OFFER).max_frame_size(LONGEST_OFFER);
    Ok(upgrade.on_upgrade(move |socket| converse(app, socket, session, from)))
}

async fn converse(app: App, socket: WebSocket, session: SessionId, from: IpAddr) {
    let pages = app.handle.pages().clone();
    let (tell, told) = queue();
    if pages.send(FromPage::Opened(session, from, tell)).await.is_err() {
        return;
    }
    let (mut sink, mut source) = socket.split();
    let closing = app.closing.subscribe();
    let end = tokio::select! {
        end = listen(&mut source, &pages, session) => end,
        end = speak(&mut sink, told, &pages, closing) => end,
    };
    if let Some(frame) = end.frame() {
        let _ = timeout(PATIENCE, sink.send(Message::Close(Some(frame)))).await;
    }
    // The loop ends only with the node.
    let _ = pages.send(FromPage::Closed(session)).await;
}

/// Takes what the page says, as fast as it may.
async fn listen(source: &mut SplitStream<WebSocket>, pages: &mpsc::Sender<FromPage>, session: SessionId) -> End {
    let mut pace = Pace { left: BURST, since: Instant::now() };
    loop {
        let said = match timeout(GONE, source.next()).await {
            Ok(Some(Ok(Message::Text(text)))) => match Asked::parse(text.as_str()) {
                Ok(request) => FromPage::Said(session, Box::new(request)),
                Err(why) => FromPage::Garbled(session, why),
            },
            Ok(Some(Ok(Message::Binary(_)))) => {
                let why = Unreadable { id: None, code: Code::BadMessage, why: "messages are text".into() };
                FromPage::Garbled(session, why)
            }
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => continue,
            Ok(Some(Err(error))) => {
                let large = error.to_string().to_ascii_lowercase().contains("too long");
                return if large { End::TooLarge } else { End::Gone };
            }
            Ok(Some(Ok(Message::Close(_))) | None) | Err(_) => return End::Gone,
        };
        if pages.send(said).await.is_err() {
            return End::Stops;
        }
        pace.wait().await;
    }
}

/// Sends the page what it is told, until all is said.
async fn speak(
    sink: &mut SplitSink<WebSocket, Message>,
    mut told: mpsc::Receiver<ToPage>,
    pages: &mpsc::Sender<FromPage>,
    mut closing: watch::Receiver<bool>,
) -> End {
    let mut ping = interval(PING);
    let mut until = None;
    loop {
        let message = tokio::select! {
            told = told.recv() => match told {
                Some(ToPage::Tell(text)) => match Utf8Bytes::try_from(text) {
                    Ok(text) => Message::Text(text),
                    Err(_) => continue,
                },
                Some(ToPage::Close) => return End::Done,
                None if pages.is_closed() => return End::Stops,
                // The loop let go of it: the queue was full.
                None => return End::Slow,
            },
            _ = ping.tick() => Message::Ping(axum::body::Bytes::new()),
            // What is said already still leaves.
            _ = closing.wait_for(|closing| *closing), if until.is_none() => {
                until = Some(Instant::now() + GOODBYE);
                continue;
            }
            () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => return End::Stops,
        };
        match timeout(PATIENCE, sink.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return End::Gone,
            Err(_) => return End::Slow,
        }
    }
}

/// How many messages are taken at once.
struct Pace {
    left: u32,
    since: Instant,
}

impl Pace {
    /// Waits until the next message may be taken: TCP slows the page down.
    async fn wait(&mut self) {
        let gained = self.since.elapsed().as_millis() / PACE.as_millis();
        if gained > 0 {
            self.left = self.left.saturating_add(u32::try_from(gained).unwrap_or(u32::MAX)).min(BURST);
            self.since = Instant::now();
        }
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => sleep_until(Instant::now() + PACE).await,
        }
    }
}
