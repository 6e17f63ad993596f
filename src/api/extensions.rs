//! `/v1/extensions`: people of the house, whose telephones register here.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::body::{Body, Id};
use super::caller::Caller;
use super::change::Changed;
use super::leads::used;
use super::limits::NewLimits;
use super::merge::Patch;
use super::once::{OnceKey, answer, created};
use super::registrations::registered;
use super::scope::Scope;
use super::trunks::random;
use super::valid::Check;
use super::{App, Problem, openapi};
use crate::base::elevating::ElevationRules;
use crate::base::id::ExtensionId;
use crate::base::{PhoneNumber, Rng, Secret};
use crate::gateway::command::Command;
use crate::gateway::view::RegistrationView;
use crate::route::{CallLimits, Extension};
use crate::store::StoreError;
use crate::store::leads_to::End;

/// Characters of a password that is drawn: 100 bits, and nothing that is mistaken for something else when typed.
const DRAWN: usize = 20;

/// What they are drawn from.
const ALPHABET: &[u8; 32] = b"23456789abcdefghjkmnpqrstuvwxyzA";

/// An extension as it is sent.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewExtension {
    /// What others dial, and the user name of its telephones; no other's: `101`, `anna`.
    #[schema(example = "101")]
    pub user: String,
    /// What people call it; the user name where absent.
    #[serde(default)]
    pub name: Option<String>,
    /// What its telephones show by digest. Of a new extension, none draws one, which is shown once; when an extension is
    /// changed, none keeps the one it has.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    pub password: Option<Secret>,
    /// Its number outside, shown when it calls out; no other's.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "+4930901821")]
    pub number: Option<PhoneNumber>,
    /// Whether it may register, call and be called; true where absent.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Wishes not to be disturbed: calls to it are refused.
    #[serde(default)]
    pub dnd: bool,
    /// Telephones registered at once, 1 to 20; 5 where absent.
    #[serde(default)]
    pub max_contacts: Option<u8>,
    /// Its telephones answer by themselves where the caller asks it.
    #[serde(default)]
    pub auto_answer: bool,
    /// The dialect of its telephones; none means by their User-Agent.
    #[serde(default)]
    pub profile: Option<String>,
    /// What its calls out may cost; what is left out is as configured.
    #[serde(default)]
    pub limits: Option<NewLimits>,
    /// What of adding video to its calls differs from the node's rules, the number's and the room's.
    #[serde(default)]
    pub elevation: ElevationRules,
}

/// An extension as it is shown: without its password.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ExtensionView {
    /// Its id.
    #[schema(value_type = String, example = "ext_0123456789abc")]
    pub id: ExtensionId,
    /// What others dial.
    pub user: String,
    /// What people call it.
    pub name: String,
    /// Its number outside.
    #[schema(value_type = Option<String>)]
    pub number: Option<PhoneNumber>,
    /// Whether it may register, call and be called.
    pub enabled: bool,
    /// Wishes not to be disturbed.
    pub dnd: bool,
    /// Telephones registered at once.
    pub max_contacts: u8,
    /// Its telephones answer by themselves where the caller asks it.
    pub auto_answer: bool,
    /// The dialect of its telephones.
    pub profile: Option<String>,
    /// What its calls out may cost.
    pub limits: CallLimits,
    /// What of adding video to its calls differs from the node's rules, the number's and the room's.
    pub elevation: ElevationRules,
    /// Its telephones that are registered now.
    pub registered: Vec<RegistrationView>,
}

/// An extension, this once with the password that was drawn for it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ShownExtension {
    /// The password that was drawn; not shown again. None where one was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub password: Option<String>,
    /// The extension.
    #[serde(flatten)]
    pub view: ExtensionView,
}

/// A password, this once.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ShownPassword {
    /// What the telephones show from now on; not shown again.
    pub password: String,
}

/// Extensions.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ExtensionList {
    /// By user name.
    pub items: Vec<ExtensionView>,
}

fn yes() -> bool {
    true
}

impl ExtensionView {
    fn of(extension: Extension, registered: Vec<RegistrationView>) -> Self {
        Self {
            id: extension.id,
            user: extension.user,
            name: extension.name,
            number: extension.number,
            enabled: extension.enabled,
            dnd: extension.dnd,
            max_contacts: extension.max_contacts,
            auto_answer: extension.auto_answer,
            profile: extension.profile,
            limits: extension.limits,
            elevation: extension.elevation,
            registered,
        }
    }
}

impl From<&Extension> for NewExtension {
    /// As it would have been sent, without its password.
    fn from(extension: &Extension) -> Self {
        Self {
            user: extension.user.clone(),
            name: Some(extension.name.clone()),
            password: None,
            number: extension.number.clone(),
            enabled: extension.enabled,
            dnd: extension.dnd,
            max_contacts: Some(extension.max_contacts),
            auto_answer: extension.auto_answer,
            profile: extension.profile.clone(),
            limits: Some((&extension.limits).into()),
            elevation: extension.elevation,
        }
    }
}

impl NewExtension {
    /// The extension that is meant; `password` is what it has where none is sent.
    fn extension(self, id: ExtensionId, password: Secret, app: &App) -> Result<Extension, Problem> {
        let mut check = Check::default();
        check.user(&self.user, "/user");
        let name = self.name.unwrap_or_else(|| self.user.clone());
        check.name(&name, "/name");
        let password = self.password.unwrap_or(password);
        check.password(&password, "/password");
        let fresh = Extension::new(id, self.user, password);
        let max_contacts = self.max_contacts.unwrap_or(fresh.max_contacts);
        check.that((1..=20).contains(&max_contacts), "/max_contacts", "1 to 20 telephones");
        check.profile(self.profile.as_deref(), &app.settings.profiles);
        let limits = self.limits.unwrap_or_default().over(&app.settings.limits, &mut check);
        check.done()?;
        Ok(Extension {
            name: name.trim().to_owned(),
            number: self.number,
            enabled: self.enabled,
            dnd: self.dnd,
            max_contacts,
            auto_answer: self.auto_answer,
            profile: self.profile,
            limits,
            elevation: self.elevation,
            ..fresh
        })
    }
}

fn draw_password(rng: &mut Rng) -> Secret {
    let text: String = (0..DRAWN)
        .map(|_| usize::try_from(rng.below(32)).ok().and_then(|at| ALPHABET.get(at)).copied().unwrap_or(b'2'))
        .map(char::from)
        .collect();
    Secret::new(text)
}

/// Every extension.
#[utoipa::path(get, path = "/v1/extensions", tag = "people", security(("key" = ["routing:read"])),
    responses((status = 200, body = ExtensionList), openapi::Refused))]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<ExtensionList>, Problem> {
    caller.needs(Scope::RoutingRead)?;
    let extensions = app.handle.store().extensions().await?;
    let mut phones: BTreeMap<ExtensionId, Vec<RegistrationView>> = BTreeMap::new();
    for phone in registered(&app, None).await? {
        phones.entry(phone.extension).or_default().push(phone);
    }
    let items = extensions.into_iter().map(|extension| {
        let registered = phones.remove(&extension.id).unwrap_or_default();
        ExtensionView::of(extension, registered)
    });
    Ok(Json(ExtensionList { items: items.collect() }))
}

/// Adds an extension. Where no password is sent, one is drawn and shown this once.
#[utoipa::path(post, path = "/v1/extensions", tag = "people", security(("key" = ["routing:write"])),
    params(openapi::OnceHeader), request_body = NewExtension,
    responses((status = 201, body = ShownExtension), openapi::Refused))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    once: OnceKey,
    body: Body<NewExtension>,
) -> Result<Response, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    let mut rng = random()?;
    let drawn = draw_password(&mut rng);
    let password = body.value.password.is_none().then(|| drawn.expose().to_owned());
    let extension = body.value.extension(ExtensionId::draw(&mut rng), drawn, &app)?;
    let shown = ShownExtension { password, view: ExtensionView::of(extension.clone(), Vec::new()) };
    let now = created(format!("/v1/extensions/{}", extension.id), &shown)?;
    let once = once.with(&caller, body.hash, &now);
    let answered = app
        .change(async move |app| {
            let answered = app.handle.store().add_extension(&extension, once).await?;
            Ok(Changed::made(answered, Command::PutExtension(Box::new(extension))))
        })
        .await?;
    answer(answered, now)
}

/// One extension.
#[utoipa::path(get, path = "/v1/extensions/{id}", tag = "people", security(("key" = ["routing:read"])),
    params(("id" = String, Path)), responses((status = 200, body = ExtensionView), openapi::Refused))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ExtensionId>,
) -> Result<Json<ExtensionView>, Problem> {
    caller.needs(Scope::RoutingRead)?;
    let extension = find(&app, id).await?;
    Ok(Json(view(&app, extension).await?))
}

/// Writes over an extension.
#[utoipa::path(put, path = "/v1/extensions/{id}", tag = "people", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), request_body = NewExtension,
    responses((status = 200, body = ExtensionView), openapi::Refused))]
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ExtensionId>,
    body: Body<NewExtension>,
) -> Result<Json<ExtensionView>, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    let extension = put(app.clone(), id, |_| Ok(body.value)).await?;
    Ok(Json(view(&app, extension).await?))
}

/// Changes what is sent of an extension (RFC 7396): `{"dnd": true}`.
#[utoipa::path(patch, path = "/v1/extensions/{id}", tag = "people", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), request_body(content = Object, content_type = "application/merge-patch+json"),
    responses((status = 200, body = ExtensionView), openapi::Refused))]
pub async fn patch(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ExtensionId>,
    patch: Patch,
) -> Result<Json<ExtensionView>, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    let extension = put(app.clone(), id, |before| patch.over(&NewExtension::from(before))).await?;
    Ok(Json(view(&app, extension).await?))
}

/// Draws a new password and shows it this once. Telephones that are registered stay so until they register again.
#[utoipa::path(post, path = "/v1/extensions/{id}/password", tag = "people", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), responses((status = 200, body = ShownPassword), openapi::Refused))]
pub async fn password(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ExtensionId>,
) -> Result<Json<ShownPassword>, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    let drawn = draw_password(&mut random()?);
    let extension = put(app, id, |before| Ok(NewExtension { password: Some(drawn), ..before.into() })).await?;
    Ok(Json(ShownPassword { password: extension.password.expose().to_owned() }))
}

async fn put(
    app: App,
    id: ExtensionId,
    sent: impl FnOnce(&Extension) -> Result<NewExtension, Problem> + Send + 'static,
) -> Result<Extension, Problem> {
    app.change(async move |app| {
        let before = find(&app, id).await?;
        let extension = sent(&before)?.extension(id, before.password, &app)?;
        app.handle.store().put_extension(&extension).await?;
        Ok(Changed::stored(extension.clone(), Command::PutExtension(Box::new(extension))))
    })
    .await
}

/// Takes an extension away; its calls go on. Refused while a number, a rule or a group names it.
#[utoipa::path(delete, path = "/v1/extensions/{id}", tag = "people", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), responses((status = 204, description = "gone"), openapi::Refused))]
pub async fn delete(State(app): State<App>, caller: Caller, Id(id): Id<ExtensionId>) -> Result<StatusCode, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    app.change(async move |app| {
        if let Err(error) = app.handle.store().delete_extension(id).await {
            return Err(used(&app, End::Extension(id), error, "extension").await);
        }
        Ok(Changed::stored(StatusCode::NO_CONTENT, Command::DeleteExtension(id)))
    })
    .await
}

async fn view(app: &App, extension: Extension) -> Result<ExtensionView, Problem> {
    let phones = registered(app, Some(extension.id)).await?;
    Ok(ExtensionView::of(extension, phones))
}

async fn find(app: &App, id: ExtensionId) -> Result<Extension, Problem> {
    app.handle.store().extension(id).await.map_err(|error: StoreError| Problem::of(error, "extension"))
}
