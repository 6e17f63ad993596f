//! `/v1/webhooks`: programs that are told of events, signed (Standard Webhooks), and what became of each.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::body::{Args, Body, Id};
use super::caller::Caller;
use super::change::Changed;
use super::merge::Patch;
use super::once::OnceKey;
use super::problem::FieldError;
use super::scope::Scope;
use super::trunks::random;
use super::valid::Check;
use super::{App, Problem, openapi};
use crate::base::id::{DeliveryId, WebhookId};
use crate::base::{Secret, Utc};
use crate::engine::fetch::leads_inside;
use crate::hooks::SigningSecret;
use crate::route::Network;
use crate::store::StoreError;
use crate::store::clock;
use crate::store::webhook::{Delivery, DeliveryFilter, DeliveryState, Webhook};

/// Most endpoints. More: each event is written for each, and each has connections of its own.
const WEBHOOKS: usize = 100;

/// Most beginnings of types that one endpoint names.
const EVENTS: usize = 50;

/// How long the secret before signs too. Longer: one that leaked is believed for longer. Shorter: receivers that are changed by
/// hand refuse events meanwhile.
const ROTATION: i64 = 24 * 3_600_000;

/// Deliveries in one answer, where nothing is said, and at most.
const LIMIT: (u32, u32) = (50, 500);

/// A webhook as it is sent.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// Where events are posted to. It has to be a public address, unless `routing.private_networks` opens it.
    #[schema(example = "https://example.org/ringlift")]
    pub url: String,
    /// What people call it.
    #[serde(default)]
    pub description: String,
    /// What the types of its events begin with, such as `call.` or `room.ended`; empty is every event.
    #[serde(default)]
    pub events: Vec<String>,
    /// Whether it is told; true where absent. What happens while it is not, it is never told.
    #[serde(default = "yes")]
    pub enabled: bool,
}

/// A webhook.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct WebhookView {
    /// Names it.
    #[schema(value_type = String)]
    pub id: WebhookId,
    /// Where events are posted to.
    pub url: String,
    /// What people call it.
    pub description: String,
    /// What the types of its events begin with; empty is every event.
    pub events: Vec<String>,
    /// Whether it is told.
    pub enabled: bool,
    /// It is not, because it answered 410.
    pub gone: bool,
    /// When it was made, RFC 3339.
    pub created: String,
    /// Until when the secret before signs too.
    pub old_secret_until: Option<String>,
    /// Events that it is still to be told.
    pub waiting: u64,
    /// Events that were given up.
    pub dead: u64,
    /// When an event last arrived.
    pub last_success: Option<String>,
    /// When one last did not.
    pub last_failure: Option<String>,
    /// Why.
    pub last_error: Option<String>,
}

/// A webhook with its secret, which is shown this once.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ShownWebhook {
    /// What signs: keep it.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    pub secret: String,
    /// The rest.
    #[serde(flatten)]
    pub view: WebhookView,
}

/// Webhooks.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct WebhookList {
    /// The oldest first.
    pub items: Vec<WebhookView>,
}

/// Which deliveries.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeliveryArgs {
    /// Only in this state: `waiting`, `delivered` or `dead`.
    pub state: Option<String>,
    /// Where the page before ended: its `next`.
    pub cursor: Option<String>,
    /// At most so many, 1 to 500; 50 where absent.
    pub limit: Option<u32>,
}

/// One event on its way to one webhook.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct DeliveryView {
    /// `webhook-id`, the same at every attempt.
    #[schema(value_type = String)]
    pub id: DeliveryId,
    /// The event's number.
    pub seq: u64,
    /// The event, as it is posted.
    #[schema(value_type = crate::gateway::event::Event)]
    pub event: serde_json::Value,
    /// How far it is.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next; none where it is not.
    pub next_attempt: Option<String>,
    /// When it began to wait.
    pub created: String,
    /// When it was last tried.
    pub last_attempt: Option<String>,
    /// What was answered then.
    pub status: Option<u16>,
    /// Why it did not arrive.
    pub error: Option<String>,
}

/// A page of deliveries.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct DeliveryList {
    /// The newest first.
    pub items: Vec<DeliveryView>,
    /// The `cursor` of the next page; none at the end.
    pub next: Option<String>,
}

/// What is sent again.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Replayed {
    /// So many events.
    pub replayed: u64,
}

fn yes() -> bool {
    true
}

impl From<&Webhook> for NewWebhook {
    fn from(hook: &Webhook) -> Self {
        let Webhook { url, description, events, enabled, .. } = hook.clone();
        Self { url, description, events, enabled }
    }
}

impl NewWebhook {
    fn check(&self, opened: &[Network]) -> Result<(), Problem> {
        let mut check = Check::default();
        let fine = self.url.len() <= 2048
            && self.url.split_once("://").is_some_and(|(scheme, rest)| {
                matches!(scheme, "http" | "https") && !rest.is_empty() && !rest.starts_with('/')
            });
        check.that(fine, "/url", "write an http or https address of at most 2048 characters");
        let url = Url::parse(&self.url).ok().filter(|_| fine);
        let with_password = url.as_ref().is_some_and(|url| !url.username().is_empty() || url.password().is_some());
        check.that(
            !with_password,
            "/url",
            "write no name and password into the address: requests are signed, and addresses are shown",
        );
        let closed = url.as_ref().is_some_and(|url| leads_inside(url, opened));
        check.that(!closed, "/url", "is not public: write a public address, or open it by routing.private_networks");
        check.that(self.description.chars().count() <= 200, "/description", "at most 200 characters");
        check.that(self.events.len() <= EVENTS, "/events", "at most 50; leave it empty for every event");
        for (index, begins) in self.events.iter().enumerate() {
            let known = (1..=64).contains(&begins.len())
                && begins.bytes().all(|b| b.is_ascii_lowercase() || b == b'.' || b == b'_');
            let pointer = format!("/events/{index}");
            check.that(known, &pointer, "write what types of events begin with, such as call. or room.ended");
        }
        check.done()
    }

    fn over(self, hook: Webhook) -> Webhook {
        Webhook { url: self.url, description: self.description, events: self.events, enabled: self.enabled, ..hook }
    }
}

impl From<Webhook> for WebhookView {
    fn from(hook: Webhook) -> Self {
        let now = clock::utc();
        let (failed, error) = hook.failed.unzip();
        Self {
            id: hook.id,
            url: hook.url,
            description: hook.description,
            events: hook.events,
            enabled: hook.enabled,
            gone: hook.gone,
            created: hook.created.to_string(),
            old_secret_until: hook.old_secret.filter(|(_, until)| *until > now).map(|(_, until)| until.to_string()),
            waiting: hook.counts.0,
            dead: hook.counts.1,
            last_success: hook.succeeded.map(|at| at.to_string()),
            last_failure: failed.map(|at| at.to_string()),
            last_error: error,
        }
    }
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        let waits = delivery.state == DeliveryState::Waiting;
        Self {
            id: delivery.id,
            seq: delivery.seq,
            event: serde_json::from_str(&delivery.event).unwrap_or_default(),
            state: delivery.state,
            attempts: delivery.attempts,
            next_attempt: waits.then(|| delivery.due.to_string()),
            created: delivery.created.to_string(),
            last_attempt: delivery.tried.map(|at| at.to_string()),
            status: delivery.status,
            error: delivery.error,
        }
    }
}

impl DeliveryArgs {
    fn filter(&self, webhook: WebhookId) -> Result<DeliveryFilter, Problem> {
        let mut wrong = Vec::new();
        let mut note = |name: &str, detail: &str| {
            wrong.push(FieldError { pointer: format!("?{name}"), detail: detail.to_owned() });
        };
        let limit = self.limit.unwrap_or(LIMIT.0);
        if !(1..=LIMIT.1).contains(&limit) {
            note("limit", "write 1 to 500");
        }
        let state = self.state.as_deref().map(DeliveryState::named);
        if state == Some(None) {
            note("state", "write waiting, delivered or dead");
        }
        let cursor =
            |text: &str| text.split_once('.').and_then(|(at, id)| Some((Utc(at.parse().ok()?), id.parse().ok()?)));
        let after = self.cursor.as_deref().map(cursor);
        if after == Some(None) {
            note("cursor", "send what `next` said");
        }
        if !wrong.is_empty() {
            let problem = Problem::new(StatusCode::BAD_REQUEST, "bad-query", "a query parameter is wrong");
            return Err(problem.about(wrong));
        }
        Ok(DeliveryFilter { webhook, state: state.flatten(), after: after.flatten(), limit })
    }
}

fn none(error: StoreError) -> Problem {
    Problem::of(error, "webhook")
}

/// A new secret.
fn secret() -> Result<SigningSecret, Problem> {
    let mut bytes = [0u8; 32];
    random()?.fill(&mut bytes);
    Ok(SigningSecret::of(bytes))
}

/// Every webhook, without secrets.
#[utoipa::path(get, path = "/v1/webhooks", tag = "events", security(("key" = ["webhooks:read"])),
    responses((status = 200, body = WebhookList), openapi::Refused))]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<WebhookList>, Problem> {
    caller.needs(Scope::WebhooksRead)?;
    let hooks = app.handle.store().webhooks().await?;
    Ok(Json(WebhookList { items: hooks.into_iter().map(WebhookView::from).collect() }))
}

/// Adds a webhook, and shows its secret this once. Needs `events:read`, too. Takes no Idempotency-Key: an answer kept for a
/// repetition would keep the secret.
#[utoipa::path(post, path = "/v1/webhooks", tag = "events",
    security(("key" = ["webhooks:write", "events:read"])), request_body = NewWebhook, responses((status = 201, body = ShownWebhook), openapi::Refused))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    once: OnceKey,
    body: Body<NewWebhook>,
) -> Result<Response, Problem> {
    caller.needs(Scope::WebhooksWrite)?;
    caller.needs(Scope::EventsRead)?;
    if once.is_some() {
        let detail = "a secret is shown once and cannot be shown again for an Idempotency-Key: if the answer was lost, delete that webhook and make another";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad-idempotency-key", detail));
    }
    body.value.check(&app.settings.opened)?;
    app.change(async move |app| {
        let store = app.handle.store();
        if store.webhook_ids().await?.len() >= WEBHOOKS {
            return Err(Problem::conflict("there are 100 webhooks already: that is as many as may be"));
        }
        let secret = secret()?;
        let hook = body.value.over(Webhook {
            id: WebhookId::draw(&mut random()?),
            url: String::new(),
            description: String::new(),
            events: Vec::new(),
            enabled: true,
            gone: false,
            secret: secret.text().clone(),
            old_secret: None,
            created: clock::utc(),
            succeeded: None,
            failed: None,
            counts: (0, 0),
        });
        store.add_webhook(&hook).await?;
        let location = format!("/v1/webhooks/{}", hook.id);
        let shown = ShownWebhook { secret: secret.text().expose().to_owned(), view: hook.into() };
        let answer = (StatusCode::CREATED, [(header::LOCATION, location)], Json(shown)).into_response();
        Ok(Changed::silent(answer))
    })
    .await
}

/// One webhook.
#[utoipa::path(get, path = "/v1/webhooks/{id}", tag = "events", security(("key" = ["webhooks:read"])),
    params(("id" = String, Path)), responses((status = 200, body = WebhookView), openapi::Refused))]
pub async fn show(State(app): State<App>, caller: Caller, Id(id): Id<WebhookId>) -> Result<Json<WebhookView>, Problem> {
    caller.needs(Scope::WebhooksRead)?;
    Ok(Json(app.handle.store().webhook(id).await.map_err(none)?.into()))
}

/// Changes what is sent of a webhook (RFC 7396). `enabled: true` brings one back that said it is gone.
#[utoipa::path(patch, path = "/v1/webhooks/{id}", tag = "events",
    security(("key" = ["webhooks:write", "events:read"])),
    params(("id" = String, Path)), request_body(content = Object, content_type = "application/merge-patch+json"),
    responses((status = 200, body = WebhookView), openapi::Refused))]
pub async fn patch(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<WebhookId>,
    patch: Patch,
) -> Result<Json<WebhookView>, Problem> {
    caller.needs(Scope::WebhooksWrite)?;
    caller.needs(Scope::EventsRead)?;
    app.change(async move |app| {
        let before = app.handle.store().webhook(id).await.map_err(none)?;
        let sent: NewWebhook = patch.over(&NewWebhook::from(&before))?;
        sent.check(&app.settings.opened)?;
        app.handle.store().put_webhook(&sent.over(before)).await.map_err(none)?;
        Ok(Changed::silent(Json(app.handle.store().webhook(id).await.map_err(none)?.into())))
    })
    .await
}

/// Takes a webhook away, with what it was still to be told.
#[utoipa::path(delete, path = "/v1/webhooks/{id}", tag = "events", security(("key" = ["webhooks:write"])),
    params(("id" = String, Path)), responses((status = 204, description = "gone"), openapi::Refused))]
pub async fn delete(State(app): State<App>, caller: Caller, Id(id): Id<WebhookId>) -> Result<StatusCode, Problem> {
    caller.needs(Scope::WebhooksWrite)?;
    app.change(async move |app| {
        app.handle.store().delete_webhook(id).await.map_err(none)?;
        Ok(Changed::silent(StatusCode::NO_CONTENT))
    })
    .await
}

/// Makes another secret and shows it this once. For a day the one before signs too, so that receivers can be changed one
/// after the other.
#[utoipa::path(post, path = "/v1/webhooks/{id}/secret", tag = "events",
    security(("key" = ["webhooks:write", "events:read"])),
    params(("id" = String, Path)), responses((status = 200, body = ShownWebhook), openapi::Refused))]
pub async fn rotate(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<WebhookId>,
) -> Result<Json<ShownWebhook>, Problem> {
    caller.needs(Scope::WebhooksWrite)?;
    caller.needs(Scope::EventsRead)?;
    app.change(async move |app| {
        let before = app.handle.store().webhook(id).await.map_err(none)?;
        let secret = secret()?;
        let old: (Secret, Utc) = (before.secret.clone(), Utc(clock::utc().0 + ROTATION));
        let hook = Webhook { secret: secret.text().clone(), old_secret: Some(old), ..before };
        app.handle.store().put_webhook(&hook).await.map_err(none)?;
        Ok(Changed::silent(Json(ShownWebhook { secret: secret.text().expose().to_owned(), view: hook.into() })))
    })
    .await
}

/// What a webhook was told, or is still to be told, the newest first. What arrived is kept for 7 days, what was given up for 30.
#[utoipa::path(get, path = "/v1/webhooks/{id}/deliveries", tag = "events",
    security(("key" = ["webhooks:read", "events:read"])),
    params(("id" = String, Path), DeliveryArgs), responses((status = 200, body = DeliveryList), openapi::Refused))]
pub async fn deliveries(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<WebhookId>,
    Args(args): Args<DeliveryArgs>,
) -> Result<Json<DeliveryList>, Problem> {
    caller.needs(Scope::WebhooksRead)?;
    caller.needs(Scope::EventsRead)?;
    let mut filter = args.filter(id)?;
    let limit = filter.limit as usize;
    filter.limit += 1;
    let store = app.handle.store();
    store.webhook(id).await.map_err(none)?;
    let mut found = store.deliveries(&filter).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| format!("{}.{}", last.created.0, last.id));
    Ok(Json(DeliveryList { items: found.into_iter().map(DeliveryView::from).collect(), next }))
}

/// Sends one event again, with the same id, whatever became of it.
#[utoipa::path(post, path = "/v1/webhooks/{id}/deliveries/{delivery}/replay", tag = "events",
    security(("key" = ["webhooks:write"])), params(("id" = String, Path), ("delivery" = String, Path)),
    responses((status = 202, description = "it is sent again"), openapi::Refused))]
pub async fn replay(
    State(app): State<App>,
    caller: Caller,
    Path((id, delivery)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    caller.needs(Scope::WebhooksWrite)?;
    let none = || Problem::not_found("delivery");
    let (id, delivery) = (id.parse().map_err(|_| none())?, delivery.parse().map_err(|_| none())?);
    let done = app.handle.store().replay_delivery(id, delivery, clock::utc()).await;
    done.map(|()| StatusCode::ACCEPTED).map_err(|error| Problem::of(error, "delivery"))
}

/// Sends everything again that was given up.
#[utoipa::path(post, path = "/v1/webhooks/{id}/replay", tag = "events", security(("key" = ["webhooks:write"])),
    params(("id" = String, Path)), responses((status = 202, body = Replayed), openapi::Refused))]
pub async fn replay_dead(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<WebhookId>,
) -> Result<(StatusCode, Json<Replayed>), Problem> {
    caller.needs(Scope::WebhooksWrite)?;
    let store = app.handle.store();
    store.webhook(id).await.map_err(none)?;
    let replayed = store.replay_dead(id, clock::utc()).await?;
    Ok((StatusCode::ACCEPTED, Json(Replayed { replayed })))
}
