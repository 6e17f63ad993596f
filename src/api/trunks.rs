//! `/v1/trunks`: carrier links and switchboards.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::body::{Body, Id};
use super::caller::Caller;
use super::change::Changed;
use super::merge::Patch;
use super::once::{OnceKey, answer, created};
use super::scope::Scope;
use super::valid::Check;
use super::{App, Problem, openapi};
use crate::base::id::TrunkId;
use crate::base::phone_number::NumberPlan;
use crate::base::{Rng, Secret};
use crate::gateway::command::Command;
use crate::route::{Credentials, Network, Trunk};
use crate::store::StoreError;

/// A trunk as it is sent.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTrunk {
    /// What people call it; no other trunk's.
    #[schema(example = "Carrier A")]
    pub name: String,
    /// Networks its signalling comes from.
    #[serde(default)]
    #[schema(value_type = Vec<String>, example = json!(["203.0.113.0/24"]))]
    pub networks: Vec<Network>,
    /// What it shows instead, or besides, by digest.
    #[serde(default)]
    pub credentials: Option<NewCredentials>,
    /// How it writes numbers.
    #[serde(default)]
    pub numbers: NumberPlan,
    /// Calls at once; none means no limit of its own.
    #[serde(default)]
    pub max_calls: Option<u32>,
    /// Whether it may send calls at all.
    #[serde(default = "yes")]
    pub enabled: bool,
}

/// A user name and its password, as they are sent.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCredentials {
    /// The user name; no other trunk's.
    pub username: String,
    /// The password; when a trunk is changed, none keeps the one it has.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    pub password: Option<Secret>,
}

/// A trunk as it is shown: without its password.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct TrunkView {
    /// Its id.
    #[schema(value_type = String, example = "trunk_0123456789abc")]
    pub id: TrunkId,
    /// What people call it.
    pub name: String,
    /// Networks its signalling comes from.
    #[schema(value_type = Vec<String>)]
    pub networks: Vec<Network>,
    /// The user name it shows by digest; the password is never shown.
    pub username: Option<String>,
    /// How it writes numbers.
    pub numbers: NumberPlan,
    /// Calls at once.
    pub max_calls: Option<u32>,
    /// Whether it may send calls.
    pub enabled: bool,
}

/// Trunks.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct TrunkList {
    /// By name.
    pub items: Vec<TrunkView>,
}

fn yes() -> bool {
    true
}

impl From<Trunk> for TrunkView {
    fn from(trunk: Trunk) -> Self {
        Self {
            id: trunk.id,
            name: trunk.name,
            networks: trunk.networks,
            username: trunk.credentials.map(|credentials| credentials.username),
            numbers: trunk.numbers,
            max_calls: trunk.max_calls,
            enabled: trunk.enabled,
        }
    }
}

impl From<&Trunk> for NewTrunk {
    /// As it would have been sent, without its password.
    fn from(trunk: &Trunk) -> Self {
        let credentials = trunk.credentials.as_ref();
        Self {
            name: trunk.name.clone(),
            networks: trunk.networks.clone(),
            credentials: credentials
                .map(|credentials| NewCredentials { username: credentials.username.clone(), password: None }),
            numbers: trunk.numbers.clone(),
            max_calls: trunk.max_calls,
            enabled: trunk.enabled,
        }
    }
}

impl NewTrunk {
    fn trunk(self, id: TrunkId, before: Option<&Trunk>) -> Result<Trunk, Problem> {
        let mut check = Check::default();
        check.name(&self.name, "/name");
        check.that(self.networks.len() <= 256, "/networks", "a trunk has at most 256 networks");
        check.different(&self.networks, "/networks");
        let known = !self.networks.is_empty() || self.credentials.is_some();
        check.that(known, "/networks", "nobody can be known as this trunk: name its networks, or credentials");
        check.that(
            self.max_calls != Some(0),
            "/max_calls",
            "0 would refuse every call: leave it out, or set enabled to false",
        );
        let plan = &self.numbers;
        for (value, most, pointer) in [
            (&plan.country, 3, "/numbers/country"),
            (&plan.national_prefix, 5, "/numbers/national_prefix"),
            (&plan.international_prefix, 5, "/numbers/international_prefix"),
        ] {
            if let Some(digits) = value.as_deref().filter(|digits| !(digits.is_empty() && most == 5)) {
                check.digits(digits, most, pointer, "write digits only, such as 49, 0 or 00");
            }
        }
        let kept = before.and_then(|trunk| trunk.credentials.as_ref()).map(|credentials| credentials.password.clone());
        let credentials = self.credentials.map(|sent| {
            let fine = |c: char| c.is_ascii_graphic() && !"\"\\:".contains(c);
            let name = (1..=64).contains(&sent.username.len()) && sent.username.chars().all(fine);
            check.that(
                name,
                "/credentials/username",
                "a user name has 1 to 64 characters, none of them \" \\ : or space",
            );
            let password = sent.password.or(kept).unwrap_or_default();
            let long = (8..=128).contains(&password.expose().chars().count());
            check.that(long, "/credentials/password", "a password has 8 to 128 characters");
            Credentials { username: sent.username, password }
        });
        check.done()?;
        Ok(Trunk {
            id,
            name: self.name.trim().to_owned(),
            networks: self.networks,
            credentials,
            numbers: self.numbers,
            max_calls: self.max_calls,
            enabled: self.enabled,
            ..before.cloned().unwrap_or_else(|| Trunk::new(id, ""))
        })
    }
}

/// 64 bits of the system's randomness, for a new id.
pub(super) fn random() -> Result<Rng, Problem> {
    let mut seed = [0u8; 32];
    getrandom::fill(&mut seed).map_err(|_| Problem::unavailable("the system gives no randomness"))?;
    Ok(Rng::from_seed(seed))
}

/// Every trunk.
#[utoipa::path(get, path = "/v1/trunks", tag = "routing", security(("key" = ["routing:read"])),
    responses((status = 200, body = TrunkList), openapi::Refused))]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<TrunkList>, Problem> {
    caller.needs(Scope::RoutingRead)?;
    let trunks = app.handle.store().trunks().await?;
    Ok(Json(TrunkList { items: trunks.into_iter().map(TrunkView::from).collect() }))
}

/// Adds a trunk.
#[utoipa::path(post, path = "/v1/trunks", tag = "routing", security(("key" = ["routing:write"])),
    params(openapi::OnceHeader), request_body = NewTrunk,
    responses((status = 201, body = TrunkView), openapi::Refused))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    once: OnceKey,
    body: Body<NewTrunk>,
) -> Result<Response, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    let trunk = body.value.trunk(TrunkId::draw(&mut random()?), None)?;
    let now = created(format!("/v1/trunks/{}", trunk.id), &TrunkView::from(trunk.clone()))?;
    let once = once.with(&caller, body.hash, &now);
    let answered = app
        .change(async move |app| {
            let answered = app.handle.store().add_trunk(&trunk, once).await?;
            Ok(Changed::made(answered, Command::PutTrunk(trunk)))
        })
        .await?;
    answer(answered, now)
}

/// One trunk.
#[utoipa::path(get, path = "/v1/trunks/{id}", tag = "routing", security(("key" = ["routing:read"])),
    params(("id" = String, Path)), responses((status = 200, body = TrunkView), openapi::Refused))]
pub async fn show(State(app): State<App>, caller: Caller, Id(id): Id<TrunkId>) -> Result<Json<TrunkView>, Problem> {
    caller.needs(Scope::RoutingRead)?;
    Ok(Json(find(&app, id).await?.into()))
}

/// Writes over a trunk.
#[utoipa::path(put, path = "/v1/trunks/{id}", tag = "routing", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), request_body = NewTrunk,
    responses((status = 200, body = TrunkView), openapi::Refused))]
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<TrunkId>,
    body: Body<NewTrunk>,
) -> Result<Json<TrunkView>, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    put(app, id, |_| Ok(body.value)).await
}

/// Changes what is sent of a trunk (RFC 7396).
#[utoipa::path(patch, path = "/v1/trunks/{id}", tag = "routing", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), request_body(content = Object, content_type = "application/merge-patch+json"),
    responses((status = 200, body = TrunkView), openapi::Refused))]
pub async fn patch(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<TrunkId>,
    patch: Patch,
) -> Result<Json<TrunkView>, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    put(app, id, |before| patch.over(&NewTrunk::from(before))).await
}

async fn put(
    app: App,
    id: TrunkId,
    sent: impl FnOnce(&Trunk) -> Result<NewTrunk, Problem> + Send + 'static,
) -> Result<Json<TrunkView>, Problem> {
    app.change(async move |app| {
        let before = find(&app, id).await?;
        let trunk = sent(&before)?.trunk(id, Some(&before))?;
        app.handle.store().put_trunk(&trunk).await?;
        Ok(Changed::stored(Json(trunk.clone().into()), Command::PutTrunk(trunk)))
    })
    .await
}

/// Takes a trunk away; its calls go on. Refused while a number names it.
#[utoipa::path(delete, path = "/v1/trunks/{id}", tag = "routing", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), responses((status = 204, description = "gone"), openapi::Refused))]
pub async fn delete(State(app): State<App>, caller: Caller, Id(id): Id<TrunkId>) -> Result<StatusCode, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    app.change(async move |app| {
        app.handle.store().delete_trunk(id).await.map_err(none)?;
        Ok(Changed::stored(StatusCode::NO_CONTENT, Command::DeleteTrunk(id)))
    })
    .await
}

async fn find(app: &App, id: TrunkId) -> Result<Trunk, Problem> {
    app.handle.store().trunk(id).await.map_err(none)
}

fn none(error: StoreError) -> Problem {
    Problem::of(error, "trunk")
}
