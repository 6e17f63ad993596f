//! `/v1/phones`: desk phones that fetch their settings, and `/provision/…`, where they fetch them.
//!
//! The address a phone is given holds a secret that opens once: after the phone has read its password, and the two minutes
//! in which phones restart and read again, it opens nothing. Only HTTPS serves it.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::body::{Args, Body, Id};
use super::caller::{self, Caller};
use super::scope::Scope;
use super::trunks::random;
use super::valid::Check;
use super::{App, Problem, openapi};
use crate::base::id::{ExtensionId, PhoneId};
use crate::base::{Secret, Utc};
use crate::provision::{self, Asked, Family, LampKey, Mac};
use crate::sip::transport::Transport;
use crate::store::StoreError;
use crate::store::clock;
use crate::store::phone::Phone;

/// How long a new secret waits for its phone, in milliseconds. Longer: a letter with the address in it may be found. Shorter: the phone
/// arrives too late.
const LIFE: i64 = 7 * 24 * 3600 * 1000;

/// Registration time that phones are told, in seconds. Longer: a phone that moved is rung where it was. Shorter: traffic.
const EXPIRES: u32 = 300;

/// What phones are told of this node.
#[derive(Debug)]
pub struct Provisioning {
    /// Where settings are fetched, without `/provision`: `https://pbx.example.org:8443`.
    pub url: String,
    /// Where phones register: a name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// By which transport.
    pub transport: Transport,
    /// Whether our certificate is one that a phone can verify.
    pub verify: bool,
    /// The files.
    pub templates: provision::Templates,
}

/// A phone as it is sent.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPhone {
    /// Whose telephone it is.
    #[schema(value_type = String)]
    pub extension: ExtensionId,
    /// Its hardware address, from the label on its back.
    #[schema(value_type = String, example = "00:15:65:12:34:56")]
    pub mac: Mac,
    /// Whose make.
    pub family: Family,
    /// Keys that show others' state.
    #[serde(default)]
    pub lamps: Vec<LampKey>,
}

/// A phone as it is shown.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct PhoneView {
    /// Its id.
    #[schema(value_type = String)]
    pub id: PhoneId,
    /// Whose telephone it is.
    #[schema(value_type = String)]
    pub extension: ExtensionId,
    /// Its hardware address.
    #[schema(value_type = String)]
    pub mac: Mac,
    /// Whose make.
    pub family: Family,
    /// Keys that show others' state.
    pub lamps: Vec<LampKey>,
    /// Until when the address for its settings opens, RFC 3339.
    pub expires: String,
    /// When it fetched its settings; the address opens no more.
    pub fetched: Option<String>,
}

/// A phone, this once with the address of its settings.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct NewAddress {
    /// What to enter as provisioning server, in the phone or in DHCP option 66; not shown again.
    #[schema(example = "https://pbx.example.org:8443/provision/…/")]
    pub url: String,
    /// The phone.
    #[serde(flatten)]
    pub phone: PhoneView,
}

/// Phones.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct PhoneList {
    /// By hardware address.
    pub items: Vec<PhoneView>,
}

/// Which phones.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Only those of this extension.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    pub extension: Option<ExtensionId>,
}

impl From<Phone> for PhoneView {
    fn from(phone: Phone) -> Self {
        Self {
            id: phone.id,
            extension: phone.extension,
            mac: phone.mac,
            family: phone.family,
            lamps: phone.lamps,
            expires: phone.expires.to_string(),
            fetched: phone.fetched.map(|at| at.to_string()),
        }
    }
}

/// Every phone.
#[utoipa::path(get, path = "/v1/phones", tag = "people", security(("key" = ["routing:read"])),
    params(Which), responses((status = 200, body = PhoneList), openapi::Refused))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Args(which): Args<Which>,
) -> Result<Json<PhoneList>, Problem> {
    caller.needs(Scope::RoutingRead)?;
    let phones = app.handle.store().phones(which.extension).await?;
    Ok(Json(PhoneList { items: phones.into_iter().map(PhoneView::from).collect() }))
}

/// Adds a phone, and shows the address of its settings this once.
#[utoipa::path(post, path = "/v1/phones", tag = "people", security(("key" = ["routing:write"])),
    request_body = NewPhone, responses((status = 201, body = NewAddress), openapi::Refused))]
pub async fn create(State(app): State<App>, caller: Caller, body: Body<NewPhone>) -> Result<Response, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    let sent = body.value;
    let mut check = Check::default();
    check.that(sent.lamps.len() <= 60, "/lamps", "a phone has at most 60 keys with lamps");
    let printable = |text: &str| (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    check.that(
        sent.lamps.iter().all(|lamp| printable(&lamp.label) && printable(&lamp.user)),
        "/lamps",
        "label and user have 1 to 64 characters",
    );
    check.done()?;
    let phone = Phone {
        id: PhoneId::draw(&mut random()?),
        extension: sent.extension,
        mac: sent.mac,
        family: sent.family,
        lamps: sent.lamps,
        expires: until(),
        fetched: None,
    };
    app.handle.store().extension(phone.extension).await.map_err(|error| Problem::of(error, "extension"))?;
    let location = format!("/v1/phones/{}", phone.id);
    let shown = give(&app, phone).await?;
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(shown)).into_response())
}

/// One phone.
#[utoipa::path(get, path = "/v1/phones/{id}", tag = "people", security(("key" = ["routing:read"])),
    params(("id" = String, Path)), responses((status = 200, body = PhoneView), openapi::Refused))]
pub async fn show(State(app): State<App>, caller: Caller, Id(id): Id<PhoneId>) -> Result<Json<PhoneView>, Problem> {
    caller.needs(Scope::RoutingRead)?;
    Ok(Json(find(&app, id).await?.into()))
}

/// Gives a phone a new address for its settings; the old one opens nothing any more.
#[utoipa::path(post, path = "/v1/phones/{id}/renew", tag = "people", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), responses((status = 200, body = NewAddress), openapi::Refused))]
pub async fn renew(State(app): State<App>, caller: Caller, Id(id): Id<PhoneId>) -> Result<Json<NewAddress>, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    let phone = Phone { expires: until(), fetched: None, ..find(&app, id).await? };
    Ok(Json(give(&app, phone).await?))
}

/// Takes a phone away; its registration is the extension's matter.
#[utoipa::path(delete, path = "/v1/phones/{id}", tag = "people", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), responses((status = 204, description = "gone"), openapi::Refused))]
pub async fn delete(State(app): State<App>, caller: Caller, Id(id): Id<PhoneId>) -> Result<StatusCode, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    app.handle.store().delete_phone(id).await.map_err(|error| Problem::of(error, "phone"))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn find(app: &App, id: PhoneId) -> Result<Phone, Problem> {
    app.handle.store().phone(id).await.map_err(|error| Problem::of(error, "phone"))
}

/// Stores a phone with a new secret and shows the address.
async fn give(app: &App, phone: Phone) -> Result<NewAddress, Problem> {
    let base = here(app)?.url.clone();
    let secret = Secret::new(random()?.token(32));
    app.handle.store().put_phone(&phone, hash(secret.expose())).await?;
    Ok(NewAddress {
        url: format!("{}/provision/{}/", base.trim_end_matches('/'), secret.expose()),
        phone: phone.into(),
    })
}

fn here(app: &App) -> Result<&Provisioning, Problem> {
    app.settings.provisioning.as_deref().ok_or_else(|| {
        Problem::conflict(
            "phones fetch their settings by HTTPS, and this node serves none: set api.tls_listen, or provisioning.url where a \
             proxy with TLS stands before it",
        )
    })
}

/// What a phone asks for, at the address it was given. A wrong secret counts like a wrong key.
pub async fn fetch(
    State(app): State<App>,
    Path((secret, file)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let from = caller::client(&parts, &app);
    if !caller::by_https(&parts, &app) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "https-only", "settings of phones are served by HTTPS only"));
    }
    let (hash, now) = (hash(&secret), clock::utc());
    let store = app.handle.store();
    let phone = match store.phone_of(hash, from, now).await {
        Err(StoreError::NotFound) => return Err(wrong(&app, from).await),
        found => found?,
    };
    let asked = provision::asked(phone.family, phone.mac, &file).ok_or_else(|| Problem::not_found("file"))?;
    let phone = match asked {
        Asked::Settings => match store.spend_phone_secret(hash, from, now).await {
            Err(StoreError::NotFound) => return Err(wrong(&app, from).await),
            spent => spent?,
        },
        Asked::Master | Asked::Nothing => phone,
    };
    let settings = settings_of(&app, &phone).await?;
    let rendered = here(&app)?.templates.render(&settings, asked).map_err(|error| {
        tracing::error!(%error, "a template for phones cannot be filled in");
        Problem::internal()
    })?;
    let (media_type, text) = rendered.ok_or_else(|| Problem::not_found("file"))?;
    Ok(([(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, "no-store")], text).into_response())
}

async fn wrong(app: &App, from: std::net::IpAddr) -> Problem {
    match app.door.wrong(from).await {
        Ok(()) => Problem::not_found("file"),
        Err(wait) => Problem::new(StatusCode::TOO_MANY_REQUESTS, "throttled", "too many wrong addresses from here")
            .retry_after(wait.as_secs().max(1)),
    }
}

async fn settings_of(app: &App, phone: &Phone) -> Result<provision::Phone, Problem> {
    let extension =
        app.handle.store().extension(phone.extension).await.map_err(|error| Problem::of(error, "extension"))?;
    let here = here(app)?;
    Ok(provision::Phone {
        family: phone.family,
        mac: phone.mac,
        user: extension.user,
        name: extension.name,
        password: extension.password,
        host: here.host.clone(),
        port: here.port,
        transport: here.transport,
        expires: EXPIRES,
        srtp: here.transport == Transport::Tls,
        verify: here.verify,
        auto_answer: extension.auto_answer,
        codecs: app.settings.profiles.get(phone.family.name()).media.codecs.clone(),
        keys: phone.lamps.clone(),
    })
}

/// When a secret made now opens nothing any more.
fn until() -> Utc {
    Utc(clock::utc().0 + LIFE)
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
