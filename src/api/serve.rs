//! Every route in one place, and the listener they are served on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::query::Known;
use super::{
    App, Problem, acts, body, callbacks, calls, codes, devices, dids, elevations, events, explain, extensions, groups,
    keys, meet, metrics, openapi, operations, page, phones, printed, profiles, query, records, registrations, relays,
    rooms, rules, secure, session, sms, sound, status, texts, trials, trunks, webhooks,
};
use crate::transport::tls;

/// Connections at once on one listener. More: descriptors. Fewer: readers of events shut others out.
const CONNECTIONS: usize = 2048;

/// How long the head of a request may take. Longer: idle strangers hold connections. Shorter: weak links fail.
const HEAD: Duration = Duration::from_secs(15);

/// How long the body of a request and its answer's beginning may take.
const ANSWER: Duration = Duration::from_secs(30);

/// What the kernel may hold of a connection beyond what is on its way, in bytes. More: audio grows old there. Less: more
/// wake-ups for a page's files.
const UNSENT: u32 = 16 * 1024;

/// How long a reader may take nothing of what waits for it. Longer: whoever asks and does not read holds a connection and
/// megabytes of the system's memory. Shorter: weak links fail.
const UNREAD: Duration = Duration::from_secs(60);

/// How long answers under way may take when the node stops.
const GOODBYE: Duration = Duration::from_secs(3);

fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::Doc::openapi())
        .routes(routes!(rooms::list, rooms::create))
        .routes(routes!(rooms::show, rooms::change, rooms::patch, rooms::delete))
        .routes(routes!(meet::invitations::list, meet::invitations::create))
        .routes(routes!(meet::invitations::revoke))
        .routes(routes!(meet::open::info))
        .routes(routes!(meet::preview::preview))
        .routes(routes!(meet::open::create))
        .routes(routes!(meet::socket::socket))
        .routes(routes!(meet::pictures::set, meet::pictures::clear))
        .routes(routes!(meet::pictures::show))
        .routes(routes!(operations::operate))
        .routes(routes!(operations::to_room))
        .routes(routes!(operations::to_participant))
        .routes(routes!(acts::dial_into))
        .routes(routes!(calls::list, acts::dial))
        .routes(routes!(calls::show, calls::hang_up))
        .routes(routes!(callbacks::begin))
        .routes(routes!(callbacks::list))
        .routes(routes!(callbacks::show, callbacks::cancel))
        .routes(routes!(elevations::begin))
        .routes(routes!(elevations::show, elevations::withdraw))
        .routes(routes!(elevations::info))
        .routes(routes!(elevations::redeem))
        .routes(routes!(codes::create))
        .routes(routes!(printed::list, printed::create))
        .routes(routes!(printed::show, printed::revoke))
        .routes(routes!(printed::as_svg))
        .routes(routes!(printed::as_png))
        .routes(routes!(codes::claim))
        .routes(routes!(codes::claim_state))
        .routes(routes!(codes::show, codes::withdraw))
        .routes(routes!(codes::answer))
        .routes(routes!(codes::as_svg))
        .routes(routes!(codes::as_png))
        .routes(routes!(codes::info))
        .routes(routes!(codes::redeem))
        .routes(routes!(codes::ask))
        .routes(routes!(codes::wait))
        .routes(routes!(codes::leave))
        .routes(routes!(meet::push::keep, meet::push::forget))
        .routes(routes!(acts::digits))
        .routes(routes!(sound::change))
        .routes(routes!(acts::play))
        .routes(routes!(acts::transfer))
        .routes(routes!(acts::merge))
        .routes(routes!(acts::to_call))
        .routes(routes!(devices::list, devices::create))
        .routes(routes!(devices::show, devices::patch, devices::delete))
        .routes(routes!(devices::report))
        .routes(routes!(devices::answer))
        .routes(routes!(devices::of_call))
        .routes(routes!(devices::of_participant))
        .routes(routes!(devices::of_person, devices::cancel))
        .routes(routes!(devices::calls))
        .routes(routes!(devices::link, devices::unlink))
        .routes(routes!(devices::following, devices::follow))
        .routes(routes!(records::list))
        .routes(routes!(trunks::list, trunks::create))
        .routes(routes!(trunks::show, trunks::change, trunks::patch, trunks::delete))
        .routes(routes!(trials::begin, trials::show))
        .routes(routes!(relays::list, relays::create))
        .routes(routes!(relays::show, relays::delete))
        .routes(routes!(relays::renew))
        .routes(routes!(relays::tunnel))
        .routes(routes!(dids::list, dids::create))
        .routes(routes!(dids::show, dids::change, dids::patch, dids::delete))
        .routes(routes!(rules::list, rules::create))
        .routes(routes!(rules::order))
        .routes(routes!(rules::show, rules::change, rules::patch, rules::delete))
        .routes(routes!(extensions::list, extensions::create))
        .routes(routes!(extensions::show, extensions::change, extensions::patch, extensions::delete))
        .routes(routes!(extensions::password))
        .routes(routes!(registrations::check_sync))
        .routes(routes!(registrations::list))
        .routes(routes!(groups::list, groups::create))
        .routes(routes!(groups::show, groups::change, groups::patch, groups::delete))
        .routes(routes!(profiles::list))
        .routes(routes!(phones::list, phones::create))
        .routes(routes!(phones::show, phones::delete))
        .routes(routes!(phones::renew))
        .routes(routes!(explain::explain))
        .routes(routes!(events::sse))
        .routes(routes!(events::ws))
        .routes(routes!(texts::list))
        .routes(routes!(texts::show))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::show, webhooks::patch, webhooks::delete))
        .routes(routes!(webhooks::rotate))
        .routes(routes!(webhooks::deliveries))
        .routes(routes!(webhooks::replay))
        .routes(routes!(webhooks::replay_dead))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::revoke))
        .routes(routes!(session::login))
        .routes(routes!(session::logout))
        .routes(routes!(session::session))
        .routes(routes!(status::status))
        .routes(routes!(status::healthz))
        .routes(routes!(status::readyz))
        .routes(routes!(metrics::metrics))
        .routes(routes!(openapi::openapi))
}

/// The description of every route.
pub fn description() -> utoipa::openapi::OpenApi {
    let mut doc = routes().into_openapi();
    openapi::complete(&mut doc);
    doc
}

/// Every route, ready to be served.
pub fn router(app: App) -> Router {
    let (router, doc) = routes().split_for_parts();
    let known = Known::of(&doc);
    router
        .route_layer(middleware::from_fn(move |request, next| query::check(known.clone(), request, next)))
        .merge(page::routes())
        .route("/provision/{secret}/{file}", get(phones::fetch))
        .route("/sms/{provider}/status/{id}", post(sms::status))
        .route("/sms/{provider}/inbound", post(sms::inbound))
        .route("/.well-known/acme-challenge/{token}", get(secure::challenge))
        .fallback(async || Problem::not_found("page"))
        .method_not_allowed_fallback(not_allowed)
        .layer(DefaultBodyLimit::max(body::LIMIT))
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }))
        .layer(middleware::from_fn_with_state(app.clone(), secure::lead))
        .layer(middleware::from_fn_with_state(app.clone(), around))
        .with_state(app)
}

async fn not_allowed(method: Method) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", format!("{method} is not done here; see Allow"))
}

/// What every answer carries, and its count.
async fn around(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = match tokio::time::timeout(ANSWER, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the request took too long").into_response(),
    };
    let status = response.status();
    app.counts.answered(status.as_u16());
    // What a panic leaves: a fault without a body.
    if status == StatusCode::INTERNAL_SERVER_ERROR && !response.headers().contains_key(header::CONTENT_TYPE) {
        app.counts.panicked();
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, page::POLICY);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Serves until `stop` resolves; then streams say goodbye and answers under way have three seconds.
///
/// With a certificate it is HTTPS.
pub async fn serve(
    listener: TcpListener,
    certificate: Option<watch::Receiver<Arc<ServerConfig>>>,
    app: App,
    stop: impl Future<Output = ()>,
) {
    let router = router(app.clone());
    let mut connections = JoinSet::new();
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept(), if connections.len() < CONNECTIONS => accepted,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Most often: no descriptors left. Those of others may come free.
                tracing::warn!(%error, "the API cannot take a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let _ = socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(UNREAD));
        // What is not on its way yet stays with us, where old audio of a relay can still be dropped.
        let _ = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT);
        let known = (ConnectInfo(peer), Encrypted(certificate.is_some()));
        let service = TowerToHyperService::new(router.clone());
        let acceptor = certificate.as_ref().map(tls::acceptor);
        let (builder, closing) = (builder.clone(), app.closing.subscribe());
        connections.spawn(async move {
            match acceptor {
                None => converse(builder, stream, service, known, closing).await,
                Some(acceptor) => {
                    if let Ok(Ok(stream)) = tokio::time::timeout(HEAD, acceptor.accept(stream)).await {
                        converse(builder, stream, service, known, closing).await;
                    }
                }
            }
        });
    }
    drop(listener);
    app.closing.send_replace(true);
    let _ = tokio::time::timeout(GOODBYE, async { while connections.join_next().await.is_some() {} }).await;
}

/// Serves one connection to its end, or until the node stops.
async fn converse<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    builder: http1::Builder,
    stream: S,
    service: TowerToHyperService<Router>,
    (peer, encrypted): (ConnectInfo<SocketAddr>, Encrypted),
    mut closing: watch::Receiver<bool>,
) {
    // Said of each request, not by a layer for each connection: that is the whole table of routes once more.
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(encrypted);
        service.call(request)
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // A peer's mistake is traffic.
        _ = &mut connection => return,
        _ = closing.wait_for(|closing| *closing) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Whether a request came by TLS to us ourselves.
#[derive(Debug, Clone, Copy)]
pub struct Encrypted(pub bool);
