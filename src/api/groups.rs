//! `/v1/groups`: extensions that ring for one number.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::body::{Body, Id};
use super::caller::Caller;
use super::change::Changed;
use super::leads::used;
use super::merge::Patch;
use super::once::{OnceKey, answer, created};
use super::scope::Scope;
use super::trunks::random;
use super::valid::Check;
use super::{App, Problem, openapi};
use crate::base::id::{ExtensionId, GroupId};
use crate::gateway::command::Command;
use crate::route::{Group, Ring};
use crate::store::StoreError;
use crate::store::leads_to::End;

/// Most members. More: one call rings half a house.
const MEMBERS: usize = 64;

/// How long members ring where nothing is said, in seconds.
const SECONDS: u16 = 20;

/// A group as it is sent.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGroup {
    /// What others dial; no other's: `600`, `sales`.
    #[schema(example = "600")]
    pub user: String,
    /// What people call it; the user name where absent.
    #[serde(default)]
    pub name: Option<String>,
    /// Extensions, in order.
    #[schema(value_type = Vec<String>)]
    pub members: Vec<ExtensionId>,
    /// In which order they ring; `parallel` where absent.
    #[serde(default)]
    pub ring: Ring,
    /// How long each rings where one follows the other, or all where they ring together: 5 to 600 seconds; 20 where
    /// absent.
    #[serde(default)]
    pub seconds: Option<u16>,
}

/// Groups.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct GroupList {
    /// By what is dialled.
    pub items: Vec<Group>,
}

impl From<&Group> for NewGroup {
    fn from(group: &Group) -> Self {
        let Group { user, name, members, ring, seconds, .. } = group.clone();
        Self { user, name: Some(name), members, ring, seconds: Some(seconds) }
    }
}

impl NewGroup {
    async fn group(self, id: GroupId, app: &App) -> Result<Group, Problem> {
        let mut check = Check::default();
        check.user(&self.user, "/user");
        let name = self.name.unwrap_or_else(|| self.user.clone());
        check.name(&name, "/name");
        check.that((1..=MEMBERS).contains(&self.members.len()), "/members", "a group has 1 to 64 members");
        check.different(&self.members, "/members");
        for (index, member) in self.members.iter().take(MEMBERS).enumerate() {
            match app.handle.store().extension(*member).await {
                Err(StoreError::NotFound) => {
                    check.that(false, &format!("/members/{index}"), "there is no such extension");
                }
                other => drop(other?),
            }
        }
        let seconds = self.seconds.unwrap_or(SECONDS);
        check.that((5..=600).contains(&seconds), "/seconds", "let it ring 5 to 600 seconds");
        check.done()?;
        let name = name.trim().to_owned();
        Ok(Group { id, user: self.user, name, members: self.members, ring: self.ring, seconds })
    }
}

/// Every group.
#[utoipa::path(get, path = "/v1/groups", tag = "people", security(("key" = ["routing:read"])),
    responses((status = 200, body = GroupList), openapi::Refused))]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<GroupList>, Problem> {
    caller.needs(Scope::RoutingRead)?;
    Ok(Json(GroupList { items: app.handle.store().groups().await? }))
}

/// Adds a group.
#[utoipa::path(post, path = "/v1/groups", tag = "people", security(("key" = ["routing:write"])),
    params(openapi::OnceHeader), request_body = NewGroup,
    responses((status = 201, body = Group), openapi::Refused))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    once: OnceKey,
    body: Body<NewGroup>,
) -> Result<Response, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    app.change(async move |app| {
        let group = body.value.group(GroupId::draw(&mut random()?), &app).await?;
        let now = created(format!("/v1/groups/{}", group.id), &group)?;
        let answered = app.handle.store().add_group(&group, once.with(&caller, body.hash, &now)).await?;
        Changed::made(answered, Command::PutGroup(group)).then(|answered| answer(answered, now))
    })
    .await
}

/// One group.
#[utoipa::path(get, path = "/v1/groups/{id}", tag = "people", security(("key" = ["routing:read"])),
    params(("id" = String, Path)), responses((status = 200, body = Group), openapi::Refused))]
pub async fn show(State(app): State<App>, caller: Caller, Id(id): Id<GroupId>) -> Result<Json<Group>, Problem> {
    caller.needs(Scope::RoutingRead)?;
    Ok(Json(find(&app, id).await?))
}

/// Writes over a group.
#[utoipa::path(put, path = "/v1/groups/{id}", tag = "people", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), request_body = NewGroup,
    responses((status = 200, body = Group), openapi::Refused))]
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<GroupId>,
    body: Body<NewGroup>,
) -> Result<Json<Group>, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    put(app, id, |_| Ok(body.value)).await
}

/// Changes what is sent of a group (RFC 7396).
#[utoipa::path(patch, path = "/v1/groups/{id}", tag = "people", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), request_body(content = Object, content_type = "application/merge-patch+json"),
    responses((status = 200, body = Group), openapi::Refused))]
pub async fn patch(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<GroupId>,
    patch: Patch,
) -> Result<Json<Group>, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    put(app, id, |before| patch.over(&NewGroup::from(before))).await
}

async fn put(
    app: App,
    id: GroupId,
    sent: impl FnOnce(&Group) -> Result<NewGroup, Problem> + Send + 'static,
) -> Result<Json<Group>, Problem> {
    app.change(async move |app| {
        let before = find(&app, id).await?;
        let group = sent(&before)?.group(id, &app).await?;
        app.handle.store().put_group(&group).await?;
        Ok(Changed::stored(Json(group.clone()), Command::PutGroup(group)))
    })
    .await
}

/// Takes a group away. Refused while a number or a rule leads to it.
#[utoipa::path(delete, path = "/v1/groups/{id}", tag = "people", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), responses((status = 204, description = "gone"), openapi::Refused))]
pub async fn delete(State(app): State<App>, caller: Caller, Id(id): Id<GroupId>) -> Result<StatusCode, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    app.change(async move |app| {
        if let Err(error) = app.handle.store().delete_group(id).await {
            return Err(used(&app, End::Group(id), error, "group").await);
        }
        Ok(Changed::stored(StatusCode::NO_CONTENT, Command::DeleteGroup(id)))
    })
    .await
}

async fn find(app: &App, id: GroupId) -> Result<Group, Problem> {
    app.handle.store().group(id).await.map_err(|error| Problem::of(error, "group"))
}
