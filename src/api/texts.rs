//! `/v1/texts`: the outbox. Without a provider it is where the texts are read.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::body::{Args, Id};
use super::caller::Caller;
use super::problem::FieldError;
use super::scope::Scope;
use super::{App, Problem, openapi};
use crate::base::{LegId, Utc};
use crate::sms::Kind;
use crate::store::text::{Text, TextFilter};
use crate::texting::{TextFailure, TextId, TextState};

/// Texts in one answer, where nothing is said, and at most.
const LIMIT: (u32, u32) = (50, 500);

/// Which texts.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TextArgs {
    /// Only of this call.
    pub call: Option<String>,
    /// Only in this state.
    pub state: Option<String>,
    /// Where the page before ended: its `next`.
    pub cursor: Option<String>,
    /// At most so many, 1 to 500; 50 where absent.
    pub limit: Option<u32>,
}

/// A text.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct TextView {
    /// Names it.
    #[schema(value_type = String)]
    pub id: TextId,
    /// Who gets it, masked without `numbers:read`.
    pub to: String,
    /// Another sender than the configured one, masked likewise.
    pub from: Option<String>,
    /// What is written; none without `texts:bodies`.
    pub body: Option<String>,
    /// Messages that it is sent as.
    pub segments: u32,
    /// The call that it is about.
    #[schema(value_type = Option<String>)]
    pub call: Option<LegId>,
    /// How the person asked for it.
    pub consent: String,
    /// Whom it is handed to; `outbox` is nobody.
    pub provider: String,
    /// How far it is.
    pub state: TextState,
    /// What the provider calls it.
    pub provider_id: Option<String>,
    /// Why it did not arrive, or not yet.
    pub reason: Option<TextFailure>,
    /// What the provider calls that.
    pub code: Option<String>,
    /// How often it was begun to be handed over.
    pub attempts: u32,
    /// When it was ordered, RFC 3339.
    pub created: String,
    /// When it last changed.
    pub changed: String,
}

/// A page of texts.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct TextList {
    /// The newest first.
    pub items: Vec<TextView>,
    /// The `cursor` of the next page; none at the end.
    pub next: Option<String>,
    /// Who sends texts now: `outbox` is nobody, they are only shown here.
    pub provider: String,
}

impl TextView {
    /// As this reader may see it.
    fn of(text: Text, caller: &Caller) -> Self {
        let whole = caller.has(Scope::NumbersRead);
        let bodies = caller.has(Scope::TextsBodies);
        let number = |number: &crate::base::PhoneNumber| if whole { number.e164() } else { number.masked() };
        Self {
            id: text.order.id,
            to: number(&text.order.to),
            from: text.order.from.as_ref().map(number),
            body: bodies.then(|| text.order.body.expose().to_owned()),
            segments: text.segments,
            call: text.order.call,
            consent: text.order.consent.into(),
            provider: text.provider,
            state: text.state,
            provider_id: text.provider_id,
            reason: text.reason,
            code: text.code,
            attempts: text.attempts,
            created: text.created.to_string(),
            changed: text.changed.to_string(),
        }
    }
}

impl TextArgs {
    fn filter(&self) -> Result<TextFilter, Problem> {
        let mut wrong = Vec::new();
        let mut note = |name: &str, detail: &str| {
            wrong.push(FieldError { pointer: format!("?{name}"), detail: detail.to_owned() });
        };
        let mut filter = TextFilter { limit: self.limit.unwrap_or(LIMIT.0), ..TextFilter::default() };
        if !(1..=LIMIT.1).contains(&filter.limit) {
            note("limit", "write 1 to 500");
        }
        if let Some(call) = &self.call {
            filter.call = call.parse().ok();
            if filter.call.is_none() {
                note("call", "write a call's id");
            }
        }
        if let Some(state) = &self.state {
            filter.state = TextState::named(state);
            if filter.state.is_none() {
                note("state", "no such state");
            }
        }
        if let Some(cursor) = &self.cursor {
            filter.after = cursor.split_once('.').and_then(|(at, id)| Some((Utc(at.parse().ok()?), id.parse().ok()?)));
            if filter.after.is_none() {
                note("cursor", "send what `next` said");
            }
        }
        if wrong.is_empty() {
            return Ok(filter);
        }
        Err(Problem::new(axum::http::StatusCode::BAD_REQUEST, "bad-query", "a query parameter is wrong").about(wrong))
    }
}

/// Texts, the newest first.
#[utoipa::path(get, path = "/v1/texts", tag = "calls", security(("key" = ["texts:read"])),
    params(TextArgs), responses((status = 200, body = TextList), openapi::Refused))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Args(args): Args<TextArgs>,
) -> Result<Json<TextList>, Problem> {
    caller.needs(Scope::TextsRead)?;
    let mut filter = args.filter()?;
    let limit = filter.limit;
    filter.limit += 1;
    let mut texts = app.handle.store().texts(&filter).await?;
    let more = texts.len() > limit as usize;
    texts.truncate(limit as usize);
    let next = texts.last().filter(|_| more).map(|last| format!("{}.{}", last.created.0, last.order.id));
    let provider = app.settings.texts.as_ref().map_or(Kind::Outbox, |desk| desk.kind()).name().to_owned();
    Ok(Json(TextList { items: texts.into_iter().map(|text| TextView::of(text, &caller)).collect(), next, provider }))
}

/// One text.
#[utoipa::path(get, path = "/v1/texts/{id}", tag = "calls", security(("key" = ["texts:read"])),
    params(("id" = String, Path)), responses((status = 200, body = TextView), openapi::Refused))]
pub async fn show(State(app): State<App>, caller: Caller, Id(id): Id<TextId>) -> Result<Json<TextView>, Problem> {
    caller.needs(Scope::TextsRead)?;
    let text = app.handle.store().text(id).await.map_err(|error| Problem::of(error, "text"))?;
    Ok(Json(TextView::of(text, &caller)))
}
