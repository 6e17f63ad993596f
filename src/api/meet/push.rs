//! Browsers that are notified instead of a text the next time, because whoever has them wanted it.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::Deserialize;

use crate::api::elevations::of_page;
use crate::api::rooms::odd;
use crate::api::{App, Problem, openapi};
use crate::base::Secret;
use crate::elevation::push::Subscription;
use crate::engine::pusher::{Desk, NotKept};
use crate::gateway::command::{Command, Reply};
use crate::identity::base64url;

/// A browser's subscription, with what proves whose it is.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Subscribing {
    /// What the answer to the link gave this browser.
    #[schema(value_type = String)]
    pub holder: Secret,
    /// Where its push service takes messages.
    #[schema(value_type = String, example = "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV")]
    pub endpoint: Secret,
    /// Its keys.
    pub keys: Keys,
}

/// The keys of a subscription, base64url (W3C Push API).
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// Its public key, 65 bytes.
    pub p256dh: String,
    /// What it shares with this node alone, 16 bytes.
    #[schema(value_type = String)]
    pub auth: Secret,
}

/// A subscription that ends.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Unsubscribing {
    /// Where its push service takes messages.
    #[schema(value_type = String)]
    pub endpoint: Secret,
    /// What it shares with this node alone: nobody else ends it.
    #[schema(value_type = String)]
    pub auth: Secret,
}

/// Notifies this browser instead of a text when its owner's call is elevated the next time. It opened the link of a text.
#[utoipa::path(post, path = "/meet/push", operation_id = "meet_push", tag = "meeting", request_body = Subscribing,
    responses((status = 204, description = "it is notified"), openapi::Refused))]
pub async fn keep(State(app): State<App>, request: Request) -> Result<StatusCode, Problem> {
    let (from, asked) = of_page::<Subscribing>(&app, request).await?;
    let desk = desk(&app)?;
    let of = Subscription {
        endpoint: asked.endpoint,
        key: bytes(&asked.keys.p256dh, "/keys/p256dh")?,
        auth: bytes(asked.keys.auth.expose(), "/keys/auth")?,
    };
    let number = match app.ask(Command::NumberOfHolder { holder: asked.holder, from }).await? {
        Reply::Telephone(number) => number,
        _ => return Err(odd()),
    };
    match desk.keep(&number, &of).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(NotKept::Endpoint) => Err(Problem::field("/endpoint", "no address of a push service: https, and public")),
        Err(NotKept::Key) => Err(Problem::field("/keys/p256dh", "no point of P-256")),
        Err(NotKept::Store(error)) => Err(Problem::of(error, "subscription")),
    }
}

/// Ends the notifications of this browser. One that is not known is no problem.
#[utoipa::path(delete, path = "/meet/push", operation_id = "meet_push_end", tag = "meeting", request_body = Unsubscribing,
    responses((status = 204, description = "it is notified no more"), openapi::Refused))]
pub async fn forget(State(app): State<App>, request: Request) -> Result<StatusCode, Problem> {
    let (_, asked) = of_page::<Unsubscribing>(&app, request).await?;
    let auth = bytes(asked.auth.expose(), "/auth")?;
    let forgotten = desk(&app)?.forget(asked.endpoint.expose(), &auth).await;
    forgotten.map(|_| StatusCode::NO_CONTENT).map_err(|error| Problem::of(error, "subscription"))
}

fn desk(app: &App) -> Result<&Desk, Problem> {
    app.settings.browsers.as_ref().ok_or_else(|| Problem::not_found("subscription"))
}

fn bytes<const N: usize>(text: &str, pointer: &str) -> Result<[u8; N], Problem> {
    // Some browsers write the padding.
    let bytes = base64url::decode(text.trim_end_matches('=')).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| Problem::field(pointer, format!("is {N} bytes in base64url")))
}
