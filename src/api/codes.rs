//! Codes by which a call moves to another device: made and answered by integrations, read by pages and apps.

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::body::{Body, Id};
use super::caller::{self, Caller};
use super::elevations::of_page;
use super::pictures_of_codes::{png, svg};
use super::rooms::odd;
use super::scope::Scope;
use super::{App, Problem, agents, openapi};
use crate::base::id::{CodeId, ExtensionId};
use crate::base::{LegId, Secret};
use crate::gateway::code::view::{ClaimView, Claiming, CodeInfo, CodeRequest, CodeView, DeviceKind, Read, Receiver};
use crate::gateway::command::{Command, Reply};

/// Longest name of a device's person.
const NAME: usize = 64;

/// A code as it was read.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReadCode {
    /// What was in the picture: the link, or its end.
    #[schema(value_type = Option<String>)]
    pub ticket: Option<Secret>,
    /// Instead: the digits.
    #[schema(value_type = Option<String>, example = "482917")]
    pub digits: Option<Secret>,
    /// What whoever reads it is called, for those who are asked.
    pub name: Option<String>,
}

/// A device of an app reads a code, or asks for one of its own.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AppCode {
    /// What was in the picture: the link, or its end.
    #[schema(value_type = Option<String>)]
    pub ticket: Option<Secret>,
    /// Instead: the digits. Neither: the app shows a code of its own, which somebody in a call is to read.
    #[schema(value_type = Option<String>, example = "482917")]
    pub digits: Option<Secret>,
    /// What whoever holds the device is called, for those who are asked.
    pub name: Option<String>,
    /// Whose device it is, of the house: whoever holds the key answers for it.
    #[schema(value_type = Option<String>)]
    pub extension: Option<ExtensionId>,
    /// What the device is, in a few words, for those who are asked.
    pub device: Option<String>,
}

/// What a device that wants a call was given.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Claimed {
    /// The `claim` of the first answer.
    #[schema(value_type = String)]
    pub claim: Secret,
}

/// The holder's answer, by an integration.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeAnswer {
    /// The device may take the call.
    pub allow: bool,
}

/// Has a code made by which this call, a telephone's or a browser's, moves to another device.
#[utoipa::path(post, path = "/v1/calls/{id}/codes", operation_id = "show_code", tag = "calls", security(("key" = ["calls:write"])),
    params(("id" = String, Path)), request_body = CodeRequest,
    responses((status = 201, body = CodeView), openapi::Refused))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Id(leg): Id<LegId>,
    body: Body<CodeRequest>,
) -> Result<Response, Problem> {
    caller.needs(Scope::CallsWrite)?;
    match app.ask(Command::ShowCode { leg, request: Box::new(body.value) }).await? {
        Reply::Code(view) => {
            let place = [(header::LOCATION, format!("/v1/codes/{}", view.id))];
            Ok((StatusCode::CREATED, place, Json(view)).into_response())
        }
        _ => Err(odd()),
    }
}

/// How far a code is. Link and digits are shown to keys with `calls:write`, while they can be read.
#[utoipa::path(get, path = "/v1/codes/{id}", operation_id = "code", tag = "calls", security(("key" = ["calls:read"])),
    params(("id" = String, Path)), responses((status = 200, body = CodeView), openapi::Refused))]
pub async fn show(State(app): State<App>, caller: Caller, Id(id): Id<CodeId>) -> Result<Json<CodeView>, Problem> {
    caller.needs(Scope::CallsRead)?;
    let view = find(&app, id).await?;
    Ok(Json(if caller.has(Scope::CallsWrite) { view } else { CodeView { link: None, digits: None, ..view } }))
}

/// Takes a code back. A call that has moved by it stays where it is.
#[utoipa::path(delete, path = "/v1/codes/{id}", operation_id = "withdraw_code", tag = "calls", security(("key" = ["calls:write"])),
    params(("id" = String, Path)), responses((status = 204, description = "the code opens nothing"), openapi::Refused))]
pub async fn withdraw(State(app): State<App>, caller: Caller, Id(id): Id<CodeId>) -> Result<StatusCode, Problem> {
    caller.needs(Scope::CallsWrite)?;
    app.ask(Command::WithdrawCode(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Answers for the holder, who is asked whether a device may take the call.
#[utoipa::path(post, path = "/v1/codes/{id}/answer", operation_id = "answer_code", tag = "calls", security(("key" = ["calls:write"])),
    params(("id" = String, Path)), request_body = CodeAnswer, responses((status = 200, body = CodeView), openapi::Refused))]
pub async fn answer(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<CodeId>,
    body: Body<CodeAnswer>,
) -> Result<Json<CodeView>, Problem> {
    caller.needs(Scope::CallsWrite)?;
    match app.ask(Command::AnswerCode { code: id, allow: body.value.allow }).await? {
        Reply::Code(view) => Ok(Json(*view)),
        _ => Err(odd()),
    }
}

/// The code as a picture that scales.
#[utoipa::path(get, path = "/v1/codes/{id}/qr.svg", operation_id = "code_svg", tag = "calls", security(("key" = ["calls:write"])),
    params(("id" = String, Path)),
    responses((status = 200, description = "a QR code", content_type = "image/svg+xml", body = String), openapi::Refused))]
pub async fn as_svg(State(app): State<App>, caller: Caller, Id(id): Id<CodeId>) -> Result<Response, Problem> {
    caller.needs(Scope::CallsWrite)?;
    let link = link_of(find(&app, id).await?)?;
    Ok(([(header::CONTENT_TYPE, "image/svg+xml")], svg(&link)?).into_response())
}

/// The code as a picture of squares.
#[utoipa::path(get, path = "/v1/codes/{id}/qr.png", operation_id = "code_png", tag = "calls", security(("key" = ["calls:write"])),
    params(("id" = String, Path)),
    responses((status = 200, description = "a QR code", content_type = "image/png", body = Vec<u8>), openapi::Refused))]
pub async fn as_png(State(app): State<App>, caller: Caller, Id(id): Id<CodeId>) -> Result<Response, Problem> {
    caller.needs(Scope::CallsWrite)?;
    let link = link_of(find(&app, id).await?)?;
    Ok(([(header::CONTENT_TYPE, "image/png")], png(&link)?).into_response())
}

/// A device of an app reads a code, or asks for one of its own to show.
#[utoipa::path(post, path = "/v1/codes/claims", operation_id = "claim_code", tag = "calls", security(("key" = ["calls:write"])),
    request_body = AppCode, responses((status = 200, body = ClaimView), openapi::Refused))]
pub async fn claim(State(app): State<App>, request: Request) -> Result<Json<ClaimView>, Problem> {
    let (mut parts, body) = request.into_parts();
    Caller::from_request_parts(&mut parts, &app).await?.needs(Scope::CallsWrite)?;
    let from = caller::client(&parts, &app);
    let asked = Body::<AppCode>::from_request(Request::from_parts(parts, body), &app).await?.value;
    let AppCode { ticket, digits, name, extension, device } = asked;
    let read = read_of(ticket.as_ref(), digits.as_ref())?;
    let agent = device.map(|text| agents::shortened(&text));
    let device = DeviceKind::App;
    let receiver = Receiver { name: named(name)?, device, agent, from: None, nearby: false, extension };
    claimed(&app, Command::ClaimCode(Box::new(Claiming { read, receiver, from }))).await
}

/// How far it is, for the device that wants the call: with a `ticket` for `join` as soon as it may come.
#[utoipa::path(post, path = "/v1/codes/claims/state", operation_id = "claim_state", tag = "calls", security(("key" = ["calls:write"])),
    request_body = Claimed, responses((status = 200, body = ClaimView), openapi::Refused))]
pub async fn claim_state(
    State(app): State<App>,
    caller: Caller,
    body: Body<Claimed>,
) -> Result<Json<ClaimView>, Problem> {
    caller.needs(Scope::CallsWrite)?;
    claimed(&app, Command::Claim(body.value.claim)).await
}

/// What a code is for. Changes nothing.
#[utoipa::path(post, path = "/meet/codes/info", operation_id = "meet_look_at_code", tag = "meeting",
    request_body = ReadCode, responses((status = 200, body = CodeInfo), openapi::Refused))]
pub async fn info(State(app): State<App>, request: Request) -> Result<Json<CodeInfo>, Problem> {
    let (from, asked) = of_page::<ReadCode>(&app, request).await?;
    let read = read_of(asked.ticket.as_ref(), asked.digits.as_ref())?;
    let read = read.ok_or_else(|| Problem::field("/ticket", "give either `ticket` or `digits`"))?;
    match app.ask(Command::LookAtCode { read, from }).await? {
        Reply::CodeInfo(info) => Ok(Json(*info)),
        _ => Err(odd()),
    }
}

/// A page reads a code: it gets the call, as soon as those who are asked agree.
#[utoipa::path(post, path = "/meet/codes/redeem", operation_id = "meet_redeem_code", tag = "meeting",
    request_body = ReadCode, responses((status = 200, body = ClaimView), openapi::Refused))]
pub async fn redeem(State(app): State<App>, request: Request) -> Result<Json<ClaimView>, Problem> {
    of_reader(app, request, true).await
}

/// A page shows a code of its own, which somebody in a call is to read.
#[utoipa::path(post, path = "/meet/codes/ask", operation_id = "meet_ask_by_code", tag = "meeting",
    request_body = ReadCode, responses((status = 200, body = ClaimView), openapi::Refused))]
pub async fn ask(State(app): State<App>, request: Request) -> Result<Json<ClaimView>, Problem> {
    of_reader(app, request, false).await
}

async fn of_reader(app: App, request: Request, reads: bool) -> Result<Json<ClaimView>, Problem> {
    let agent = agent_of(request.headers());
    let (from, asked) = of_page::<ReadCode>(&app, request).await?;
    let read = read_of(asked.ticket.as_ref(), asked.digits.as_ref())?;
    if read.is_some() != reads {
        let detail = if reads { "give either `ticket` or `digits`" } else { "a page that asks has read nothing" };
        return Err(Problem::field("/ticket", detail));
    }
    let device = DeviceKind::Browser;
    let receiver = Receiver { name: named(asked.name)?, device, agent, from: None, nearby: false, extension: None };
    claimed(&app, Command::ClaimCode(Box::new(Claiming { read, receiver, from }))).await
}

/// How far it is, for the page that wants the call.
#[utoipa::path(post, path = "/meet/codes/wait", operation_id = "meet_wait_for_code", tag = "meeting",
    request_body = Claimed, responses((status = 200, body = ClaimView), openapi::Refused))]
pub async fn wait(State(app): State<App>, request: Request) -> Result<Json<ClaimView>, Problem> {
    let (_, asked) = of_page::<Claimed>(&app, request).await?;
    claimed(&app, Command::Claim(asked.claim)).await
}

/// The page that wanted the call gives up.
#[utoipa::path(post, path = "/meet/codes/leave", operation_id = "meet_leave_code", tag = "meeting",
    request_body = Claimed, responses((status = 204, description = "nobody waits for this page"), openapi::Refused))]
pub async fn leave(State(app): State<App>, request: Request) -> Result<StatusCode, Problem> {
    let (_, asked) = of_page::<Claimed>(&app, request).await?;
    app.ask(Command::LeaveClaim(asked.claim)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn find(app: &App, id: CodeId) -> Result<CodeView, Problem> {
    match app.ask(Command::Code(id)).await? {
        Reply::Code(view) => Ok(*view),
        _ => Err(odd()),
    }
}

async fn claimed(app: &App, command: Command) -> Result<Json<ClaimView>, Problem> {
    match app.ask(command).await? {
        Reply::Claimed(view) => Ok(Json(*view)),
        _ => Err(odd()),
    }
}

fn link_of(view: CodeView) -> Result<Secret, Problem> {
    view.link.ok_or_else(|| Problem::conflict("this code can be read no more: it has no picture"))
}

fn read_of(ticket: Option<&Secret>, digits: Option<&Secret>) -> Result<Option<Read>, Problem> {
    match (ticket, digits) {
        (Some(link), None) => Ok(Some(Read::link(link))),
        (None, Some(digits)) => Ok(Some(Read::typed(digits))),
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(Problem::field("/ticket", "give either `ticket` or `digits`")),
    }
}

fn named(name: Option<String>) -> Result<Option<String>, Problem> {
    let name = name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    match name {
        Some(name) if name.chars().count() > NAME || name.chars().any(char::is_control) => {
            Err(Problem::field("/name", "a name has 1 to 64 characters"))
        }
        name => Ok(name),
    }
}

fn agent_of(headers: &HeaderMap) -> Option<String> {
    headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).and_then(agents::of)
}
