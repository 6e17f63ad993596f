//! Video added to telephone calls: asked for by integrations, redeemed by pages.

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::body::{Body, Id};
use super::caller::{self, Caller, PAGE_HEADER};
use super::meet::own_site;
use super::rooms::odd;
use super::scope::Scope;
use super::{App, Problem, openapi};
use crate::base::id::ElevationId;
use crate::base::{LegId, Secret};
use crate::gateway::command::{Command, Reply};
use crate::gateway::elevate::view::{ElevateRequest, ElevationView, LinkView, Redeem, Redeemed};

/// A link, or the code that was said.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Redeeming {
    /// The end of the link.
    #[schema(value_type = Option<String>)]
    pub ticket: Option<Secret>,
    /// Instead: the six digits.
    #[schema(value_type = Option<String>, example = "482913")]
    pub code: Option<Secret>,
    /// The digits that are said on the telephone, where they are wanted.
    #[schema(value_type = Option<String>)]
    pub pin: Option<Secret>,
    /// Where the link was opened before: the person on the telephone is to be asked.
    pub confirm: bool,
    /// With `confirm`: 16 to 64 characters that this browser drew, and shows each time it asks. The yes is for whoever shows them.
    #[schema(value_type = Option<String>)]
    pub asking: Option<Secret>,
    /// What an earlier answer gave this browser.
    #[schema(value_type = Option<String>)]
    pub holder: Option<Secret>,
}

/// A link that is looked at.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Looking {
    /// The end of the link.
    #[schema(value_type = String)]
    pub ticket: Secret,
}

/// Has video added to a call: the person gets a link by text message, or hears a code. The call itself is not touched.
#[utoipa::path(post, path = "/v1/calls/{id}/elevate", operation_id = "elevate", tag = "calls", security(("key" = ["calls:write"])),
    params(("id" = String, Path)), request_body = ElevateRequest,
    responses((status = 202, description = "the person is being reached", body = ElevationView), openapi::Refused))]
pub async fn begin(
    State(app): State<App>,
    caller: Caller,
    Id(leg): Id<LegId>,
    body: Body<ElevateRequest>,
) -> Result<Response, Problem> {
    caller.needs(Scope::CallsWrite)?;
    match app.ask(Command::Elevate { leg, request: Box::new(body.value) }).await? {
        Reply::Elevation(view) => {
            let place = [(header::LOCATION, format!("/v1/elevations/{}", view.id))];
            Ok((StatusCode::ACCEPTED, place, Json(view)).into_response())
        }
        _ => Err(odd()),
    }
}

/// How far an elevation is. Link and code are shown to keys with `calls:write`.
#[utoipa::path(get, path = "/v1/elevations/{id}", operation_id = "elevation", tag = "calls", security(("key" = ["calls:read"])),
    params(("id" = String, Path)), responses((status = 200, body = ElevationView), openapi::Refused))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ElevationId>,
) -> Result<Json<ElevationView>, Problem> {
    caller.needs(Scope::CallsRead)?;
    match app.ask(Command::Elevation(id)).await? {
        Reply::Elevation(view) if caller.has(Scope::CallsWrite) => Ok(Json(*view)),
        Reply::Elevation(view) => Ok(Json(ElevationView { link: None, code: None, ..*view })),
        _ => Err(odd()),
    }
}

/// Takes an elevation's link back. A browser that is in the seat stays there.
#[utoipa::path(delete, path = "/v1/elevations/{id}", operation_id = "withdraw", tag = "calls", security(("key" = ["calls:write"])),
    params(("id" = String, Path)), responses((status = 204, description = "the link opens nothing"), openapi::Refused))]
pub async fn withdraw(State(app): State<App>, caller: Caller, Id(id): Id<ElevationId>) -> Result<StatusCode, Problem> {
    caller.needs(Scope::CallsWrite)?;
    app.ask(Command::WithdrawElevation(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who is invited to what by a link. Changes nothing.
#[utoipa::path(post, path = "/meet/elevate/info", operation_id = "meet_look_at_link", tag = "meeting",
    request_body = Looking, responses((status = 200, body = LinkView), openapi::Refused))]
pub async fn info(State(app): State<App>, request: Request) -> Result<Json<LinkView>, Problem> {
    let (from, asked) = of_page::<Looking>(&app, request).await?;
    match app.ask(Command::LookAtLink { ticket: asked.ticket, from }).await? {
        Reply::Link(view) => Ok(Json(*view)),
        _ => Err(odd()),
    }
}

/// Redeems a link or a code: the answer's ticket takes the person's seat, by `join`.
#[utoipa::path(post, path = "/meet/elevate", operation_id = "meet_elevate", tag = "meeting",
    request_body = Redeeming, responses((status = 200, body = Redeemed), openapi::Refused))]
pub async fn redeem(State(app): State<App>, request: Request) -> Result<Json<Redeemed>, Problem> {
    let (from, asked) = of_page::<Redeeming>(&app, request).await?;
    if asked.ticket.is_some() == asked.code.is_some() {
        return Err(Problem::field("/ticket", "give either `ticket` or `code`"));
    }
    let Redeeming { ticket, code, pin, confirm, asking, holder } = asked;
    let drawn = |asking: &Secret| (16..=64).contains(&asking.expose().len());
    if confirm && !asking.as_ref().is_some_and(drawn) {
        return Err(Problem::field("/asking", "draw 16 to 64 characters, and show them each time you ask"));
    }
    match app.ask(Command::Redeem(Box::new(Redeem { ticket, code, pin, confirm, asking, holder, from }))).await? {
        Reply::Redeemed(done) => Ok(Json(*done)),
        _ => Err(odd()),
    }
}

/// What a page of this site sends, and from where: another site's page cannot send the header.
pub(super) async fn of_page<T: serde::de::DeserializeOwned>(
    app: &App,
    request: Request,
) -> Result<(std::net::IpAddr, T), Problem> {
    let (parts, body) = request.into_parts();
    own_site(&parts, app)?;
    if !parts.headers.contains_key(PAGE_HEADER) {
        let detail = "a page sends the header X-Ringlift-Page";
        return Err(Problem::new(StatusCode::FORBIDDEN, "foreign-origin", detail));
    }
    let from = caller::client(&parts, app);
    let asked = Body::<T>::from_request(Request::from_parts(parts, body), app).await?.value;
    Ok((from, asked))
}
