//! `/v1/rules`: the ordered list that decides where calls lead. The first enabled rule that fits decides.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::body::{Body, Id};
use super::caller::Caller;
use super::change::Changed;
use super::leads::{check_rule, keep_secret};
use super::merge::Patch;
use super::once::{OnceKey, answer, created};
use super::scope::Scope;
use super::trunks::random;
use super::valid::Check;
use super::{App, Problem, openapi};
use crate::base::id::RuleId;
use crate::gateway::command::Command;
use crate::route::{Destination, Rule, When};
use crate::store::{Answered, StoreError};

/// Most rules. More: every call walks them all, and nobody oversees them.
const RULES: usize = 1000;

/// A rule as it is sent.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRule {
    /// Its place, from 1; those from there on move down. Of a new rule, none means the end; of one that is changed, none
    /// leaves it where it is.
    #[serde(default)]
    pub position: Option<u32>,
    /// What people call it.
    #[schema(example = "Night")]
    pub name: String,
    /// Whether it is looked at; true where absent.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// When it holds; what is left out always fits.
    #[serde(default)]
    pub when: When,
    /// Where the call then leads.
    pub then: Destination,
}

/// Rules.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct RuleList {
    /// In order.
    pub items: Vec<Rule>,
    /// Which list this is: to be sent back with a new order, as `version` or in If-Match.
    pub version: String,
}

/// A new order.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    /// Every rule, once, in the order wanted.
    #[schema(value_type = Vec<String>)]
    pub rules: Vec<RuleId>,
    /// The list it was made from; or in If-Match.
    #[serde(default)]
    pub version: Option<String>,
}

fn yes() -> bool {
    true
}

impl From<&Rule> for NewRule {
    fn from(rule: &Rule) -> Self {
        let Rule { position, name, enabled, when, then, .. } = rule.clone();
        Self { position: Some(position), name, enabled, when, then }
    }
}

impl NewRule {
    async fn rule(self, id: RuleId, position: u32, app: &App) -> Result<Rule, Problem> {
        let mut check = Check::default();
        check.name(&self.name, "/name");
        check.that(self.position != Some(0), "/position", "positions count from 1");
        let lists = [
            (self.when.sources.len(), "/when/sources"),
            (self.when.called.len(), "/when/called"),
            (self.when.caller.len(), "/when/caller"),
        ];
        for (length, pointer) in lists {
            check.that(length <= 256, pointer, "at most 256; make a second rule");
        }
        check.done()?;
        let name = self.name.trim().to_owned();
        let position = self.position.unwrap_or(position);
        let rule = Rule { id, position, name, enabled: self.enabled, when: self.when, then: self.then };
        check_rule(app, &rule).await?;
        Ok(rule)
    }
}

/// As it may be shown: without a webhook's secret.
fn shown(rule: Rule) -> Rule {
    Rule { then: rule.then.shown(), ..rule }
}

/// Names this list and no other.
fn version(rules: &[Rule]) -> Result<String, Problem> {
    let text = serde_json::to_vec(rules).map_err(|_| Problem::internal())?;
    Ok(Sha256::digest(&text).iter().take(12).map(|byte| format!("{byte:02x}")).collect())
}

fn listed(rules: Vec<Rule>) -> Result<Response, Problem> {
    let version = version(&rules)?;
    let tag = HeaderValue::from_str(&format!("\"{version}\"")).map_err(|_| Problem::internal())?;
    let items = rules.into_iter().map(shown).collect();
    Ok(([(header::ETAG, tag)], Json(RuleList { items, version })).into_response())
}

/// What the gateway is told after a change: the rule, and the order.
fn told(rules: &[Rule], changed: Option<RuleId>) -> Vec<Command> {
    let rule = rules.iter().find(|rule| Some(rule.id) == changed);
    let put = rule.map(|rule| Command::PutRule(Box::new(rule.clone())));
    put.into_iter().chain([Command::OrderRules(rules.iter().map(|rule| rule.id).collect())]).collect()
}

/// Every rule, in order.
#[utoipa::path(get, path = "/v1/rules", tag = "routing", security(("key" = ["routing:read"])),
    responses((status = 200, body = RuleList), openapi::Refused))]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    caller.needs(Scope::RoutingRead)?;
    listed(app.handle.store().rules().await?)
}

/// Adds a rule, at its position or at the end.
#[utoipa::path(post, path = "/v1/rules", tag = "routing", security(("key" = ["routing:write"])),
    params(openapi::OnceHeader), request_body = NewRule, responses((status = 201, body = Rule), openapi::Refused))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    once: OnceKey,
    body: Body<NewRule>,
) -> Result<Response, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    app.change(async move |app| {
        let store = app.handle.store();
        let count = store.rules().await?.len();
        if count >= RULES {
            return Err(Problem::conflict("there are 1000 rules already: that is as many as may be"));
        }
        let end = u32::try_from(count + 1).unwrap_or(u32::MAX);
        let mut rule = body.value.rule(RuleId::draw(&mut random()?), end, &app).await?;
        rule.position = rule.position.min(end);
        let now = created(format!("/v1/rules/{}", rule.id), &shown(rule.clone()))?;
        match store.add_rule(&rule, once.with(&caller, body.hash, &now)).await? {
            Answered::Now => {
                let rules = store.rules().await?;
                Ok(Changed::told(answer(Answered::Now, now)?, told(&rules, Some(rule.id))))
            }
            before => Ok(Changed::silent(answer(before, now)?)),
        }
    })
    .await
}

/// One rule.
#[utoipa::path(get, path = "/v1/rules/{id}", tag = "routing", security(("key" = ["routing:read"])),
    params(("id" = String, Path)), responses((status = 200, body = Rule), openapi::Refused))]
pub async fn show(State(app): State<App>, caller: Caller, Id(id): Id<RuleId>) -> Result<Json<Rule>, Problem> {
    caller.needs(Scope::RoutingRead)?;
    Ok(Json(shown(find(&app, id).await?)))
}

/// Writes over a rule.
#[utoipa::path(put, path = "/v1/rules/{id}", tag = "routing", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), request_body = NewRule, responses((status = 200, body = Rule), openapi::Refused))]
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<RuleId>,
    body: Body<NewRule>,
) -> Result<Json<Rule>, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    put(app, id, |before| {
        let mut sent = body.value;
        keep_secret(&mut sent.then, &before.then);
        Ok(sent)
    })
    .await
}

/// Changes what is sent of a rule (RFC 7396); `{"position": 1}` moves it to the top.
#[utoipa::path(patch, path = "/v1/rules/{id}", tag = "routing", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), request_body(content = Object, content_type = "application/merge-patch+json"),
    responses((status = 200, body = Rule), openapi::Refused))]
pub async fn patch(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<RuleId>,
    patch: Patch,
) -> Result<Json<Rule>, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    put(app, id, |before| patch.over(&NewRule::from(before))).await
}

async fn put(
    app: App,
    id: RuleId,
    sent: impl FnOnce(&Rule) -> Result<NewRule, Problem> + Send + 'static,
) -> Result<Json<Rule>, Problem> {
    app.change(async move |app| {
        let before = find(&app, id).await?;
        let rule = sent(&before)?.rule(id, before.position, &app).await?;
        app.handle.store().put_rule(&rule).await?;
        let rules = app.handle.store().rules().await?;
        let now = rules.iter().find(|other| other.id == id).cloned().unwrap_or(rule);
        Ok(Changed::told(Json(shown(now)), told(&rules, Some(id))))
    })
    .await
}

/// Puts all rules into a new order at once. The list that it was made from is named, so that nobody undoes what another did
/// meanwhile: 412 where it has changed.
#[utoipa::path(put, path = "/v1/rules/order", tag = "routing", security(("key" = ["routing:write"])),
    params(openapi::MatchHeader), request_body = NewOrder,
    responses((status = 200, body = RuleList), openapi::Refused))]
pub async fn order(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    body: Body<NewOrder>,
) -> Result<Response, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    let matching = headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok());
    let matching = matching.map(|value| value.trim().trim_start_matches("W/").trim_matches('"').to_owned());
    let Some(wanted) = body.value.version.or(matching) else {
        let detail = "say which list the order was made from: its version, or If-Match with its ETag";
        return Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, "version-required", detail));
    };
    let order = body.value.rules;
    app.change(async move |app| {
        let store = app.handle.store();
        if wanted != "*" && wanted != version(&store.rules().await?)? {
            let detail = "the rules have changed meanwhile: read them again";
            return Err(Problem::new(StatusCode::PRECONDITION_FAILED, "changed", detail));
        }
        store.order_rules(&order).await.map_err(|error| match error {
            StoreError::NotFound => Problem::field("/rules", "name every rule once"),
            other => other.into(),
        })?;
        let rules = store.rules().await?;
        let tell = told(&rules, None);
        Ok(Changed::told(listed(rules)?, tell))
    })
    .await
}

/// Takes a rule away; those below move up.
#[utoipa::path(delete, path = "/v1/rules/{id}", tag = "routing", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), responses((status = 204, description = "gone"), openapi::Refused))]
pub async fn delete(State(app): State<App>, caller: Caller, Id(id): Id<RuleId>) -> Result<StatusCode, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    app.change(async move |app| {
        let store = app.handle.store();
        store.delete_rule(id).await.map_err(|error| Problem::of(error, "rule"))?;
        let mut tell = vec![Command::DeleteRule(id)];
        tell.extend(told(&store.rules().await?, None));
        Ok(Changed::told(StatusCode::NO_CONTENT, tell))
    })
    .await
}

async fn find(app: &App, id: RuleId) -> Result<Rule, Problem> {
    app.handle.store().rule(id).await.map_err(|error| Problem::of(error, "rule"))
}
