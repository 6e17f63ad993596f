//! `/sms/…`: where providers of text messages report, and pass on what people answer. Nobody logs in here: what counts is
//! proved by its signature over the address as the provider knows it (`api.public_url`), the body, or both.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::{HeaderMap, StatusCode};

use super::{App, Problem, body, caller};
use crate::engine::texter::{Desk, NotTaken};
use crate::sms::NotTheirs;
use crate::texting::TextId;

/// How long taking something in may take. Telnyx waits two seconds and then sends it again.
const PATIENCE: Duration = Duration::from_millis(1800);

/// What came, as it came.
struct Came {
    path_and_query: String,
    headers: HeaderMap,
    body: Bytes,
    from: std::net::IpAddr,
}

/// A report of a text.
pub async fn status(
    State(app): State<App>,
    Path((provider, id)): Path<(String, String)>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let (desk, came) = (desk(&app)?, read(&app, request).await?);
    // Whoever guesses ids learns nothing that a wrong signature does not say.
    let id: TextId = id.parse().map_err(|_| Problem::not_found("text"))?;
    taken(&app, &came, desk.report(&provider, id, &came.path_and_query, &came.headers, &came.body)).await
}

/// A text that somebody sent to us.
pub async fn inbound(
    State(app): State<App>,
    Path(provider): Path<String>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let (desk, came) = (desk(&app)?, read(&app, request).await?);
    taken(&app, &came, desk.receive(&provider, &came.path_and_query, &came.headers, &came.body)).await
}

fn desk(app: &App) -> Result<&Desk, Problem> {
    app.settings.texts.as_ref().ok_or_else(|| Problem::not_found("provider"))
}

async fn read(app: &App, request: Request) -> Result<Came, Problem> {
    let (parts, content) = request.into_parts();
    let from = caller::client(&parts, app);
    let path_and_query = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let headers = parts.headers.clone();
    let content: Result<Bytes, BytesRejection> = Bytes::from_request(Request::from_parts(parts, content), app).await;
    Ok(Came { path_and_query, headers, body: content.map_err(body::too_large)?, from })
}

async fn taken(
    app: &App,
    came: &Came,
    taking: impl Future<Output = Result<(), NotTaken>>,
) -> Result<StatusCode, Problem> {
    let refused =
        |kind: &'static str| metrics::counter!("ringlift_text_reports_refused_total", "why" => kind).increment(1);
    let Ok(taken) = tokio::time::timeout(PATIENCE, taking).await else {
        return Err(Problem::unavailable("the outbox does not answer: send it again"));
    };
    match taken {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(NotTaken::NotFound) => Err(Problem::not_found("text")),
        Err(NotTaken::Store(error)) => Err(error.into()),
        Err(NotTaken::NotTheirs(why @ NotTheirs::Unreadable)) => {
            refused("unreadable");
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unreadable", why.to_string()))
        }
        Err(NotTaken::NotTheirs(why)) => {
            refused(if why == NotTheirs::Stale { "stale" } else { "forged" });
            tracing::debug!(%why, from = %came.from, "a report of a text is refused");
            match app.door.wrong(came.from).await {
                Ok(()) => Err(Problem::new(StatusCode::FORBIDDEN, "not-theirs", why.to_string())),
                Err(wait) => {
                    let detail = "too many reports that are nobody's from this address";
                    Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "throttled", detail)
                        .retry_after(wait.as_secs().max(1)))
                }
            }
        }
    }
}
