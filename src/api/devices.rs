//! `/v1/devices`: the devices of people of the house, what they report, and calls that move between them.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::body::{Args, Body, Id};
use super::caller::Caller;
use super::merge::Patch;
use super::problem::FieldError;
use super::rooms::odd;
use super::scope::Scope;
use super::{App, Problem, openapi};
use crate::base::id::{DeviceId, ExtensionId};
use crate::base::{LegId, ParticipantId, RoomId};
use crate::device::Report;
use crate::gateway::command::{Command, Reply};
use crate::gateway::device::view::{
    CallOfMine, CallRef, DeviceChange, DeviceCommand, DeviceReply, DeviceView, MoveRequest, MoveView, NewDevice,
    TakeCall,
};

/// For how long a personal link opens the page where nothing is said, in seconds: ninety days.
const USUAL: u64 = 90 * 86_400;

/// Devices.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct DeviceList {
    /// By person; telephones first.
    pub items: Vec<DeviceView>,
}

/// Calls of a person.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct CallOfMineList {
    /// The oldest first.
    pub items: Vec<CallOfMine>,
}

/// Whose.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Whose {
    /// One person's; everybody's where absent.
    #[serde(default)]
    pub extension: Option<String>,
}

/// What came of a move that was asked for.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum MoveAnswer {
    /// It begins; how it goes on is told by events (`move.done`, `move.failed`).
    Moving(MoveView),
    /// The device is a program's and takes the call at once: what its browser joins by.
    Taking(TakeCall),
}

/// Whether a device takes a call that it was asked about (`move.asked`).
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Answering {
    /// Which call: the person's place, as the event names it.
    #[schema(value_type = String)]
    pub call: ParticipantId,
    /// It takes it.
    pub takes: bool,
}

/// For how long a personal link opens the page.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LinkWanted {
    /// In seconds: an hour to a year; ninety days where absent.
    pub seconds: Option<u64>,
}

/// A personal link, this once.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct PersonalLinkView {
    /// What its person opens; whoever else has it can move their calls, too. A path where the node does not know how
    /// browsers reach it.
    #[schema(example = "https://meet.example/me#7f3kq…")]
    pub url: String,
    /// Until when, RFC 3339.
    pub expires: String,
}

/// Whether calls follow a person.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Following {
    /// Calls move by themselves to the device that the person is nearer to, by what devices report.
    pub follow: bool,
}

async fn ask(app: &App, command: DeviceCommand) -> Result<Option<DeviceReply>, Problem> {
    match app.ask(Command::Devices(Box::new(command))).await? {
        Reply::Device(reply) => Ok(Some(*reply)),
        Reply::Done => Ok(None),
        _ => Err(odd()),
    }
}

async fn one(app: &App, command: DeviceCommand) -> Result<DeviceView, Problem> {
    match ask(app, command).await? {
        Some(DeviceReply::Device(view)) => Ok(*view),
        _ => Err(odd()),
    }
}

/// The devices of a person, or of all.
#[utoipa::path(get, path = "/v1/devices", operation_id = "list_devices", tag = "devices", security(("key" = ["routing:read"])), params(Whose),
    responses((status = 200, body = DeviceList), openapi::Refused))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Args(whose): Args<Whose>,
) -> Result<Json<DeviceList>, Problem> {
    caller.needs(Scope::RoutingRead)?;
    let extension = whose.extension.map(|id| id.parse::<ExtensionId>()).transpose().map_err(|_| {
        let field = FieldError { pointer: "?extension".into(), detail: "write an extension's id".into() };
        Problem::new(StatusCode::BAD_REQUEST, "bad-query", "extension: write an extension's id").about(vec![field])
    })?;
    match ask(&app, DeviceCommand::List(extension)).await? {
        Some(DeviceReply::Devices(items)) => Ok(Json(DeviceList { items })),
        _ => Err(odd()),
    }
}

/// Registers a program's device. Telephones and browsers register by themselves.
#[utoipa::path(post, path = "/v1/devices", operation_id = "create_device", tag = "devices", security(("key" = ["routing:write"])),
    request_body = NewDevice, responses((status = 201, body = DeviceView), openapi::Refused))]
pub async fn create(State(app): State<App>, caller: Caller, body: Body<NewDevice>) -> Result<Response, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    let view = one(&app, DeviceCommand::Add(body.value)).await?;
    let place = [(header::LOCATION, format!("/v1/devices/{}", view.id))];
    Ok((StatusCode::CREATED, place, Json(view)).into_response())
}

/// One device.
#[utoipa::path(get, path = "/v1/devices/{id}", operation_id = "device", tag = "devices", security(("key" = ["routing:read"])),
    params(("id" = String, Path)), responses((status = 200, body = DeviceView), openapi::Refused))]
pub async fn show(State(app): State<App>, caller: Caller, Id(id): Id<DeviceId>) -> Result<Json<DeviceView>, Problem> {
    caller.needs(Scope::RoutingRead)?;
    Ok(Json(one(&app, DeviceCommand::Show(id)).await?))
}

/// Changes what is sent of a device: its name, what it can do, what its person allows of it.
#[utoipa::path(patch, path = "/v1/devices/{id}", operation_id = "change_device", tag = "devices", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), request_body(content = DeviceChange, content_type = "application/merge-patch+json"),
    responses((status = 200, body = DeviceView), openapi::Refused))]
pub async fn patch(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<DeviceId>,
    patch: Patch,
) -> Result<Json<DeviceView>, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    let change: DeviceChange = patch.over(&DeviceChange::default())?;
    Ok(Json(one(&app, DeviceCommand::Change(id, change)).await?))
}

/// Forgets a device. A telephone that registers is one again.
#[utoipa::path(delete, path = "/v1/devices/{id}", operation_id = "delete_device", tag = "devices", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), responses((status = 204, description = "forgotten"), openapi::Refused))]
pub async fn delete(State(app): State<App>, caller: Caller, Id(id): Id<DeviceId>) -> Result<StatusCode, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    ask(&app, DeviceCommand::Delete(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a device noticed of its person: how far away, how loud, what they do with it.
#[utoipa::path(post, path = "/v1/devices/{id}/reports", operation_id = "device_report", tag = "devices", security(("key" = ["calls:write"])),
    params(("id" = String, Path)), request_body = Report,
    responses((status = 204, description = "noted"), openapi::Refused))]
pub async fn report(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<DeviceId>,
    body: Body<Report>,
) -> Result<StatusCode, Problem> {
    caller.needs(Scope::CallsWrite)?;
    ask(&app, DeviceCommand::Report(id, body.value)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Says for a program's device whether it takes a call that it was asked about.
#[utoipa::path(post, path = "/v1/devices/{id}/answer", operation_id = "device_answer", tag = "devices", security(("key" = ["calls:write"])),
    params(("id" = String, Path)), request_body = Answering,
    responses((status = 200, body = TakeCall), (status = 204, description = "declined"), openapi::Refused))]
pub async fn answer(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<DeviceId>,
    body: Body<Answering>,
) -> Result<Response, Problem> {
    caller.needs(Scope::CallsWrite)?;
    let Answering { call, takes } = body.value;
    match ask(&app, DeviceCommand::Answer { device: id, call, takes }).await? {
        Some(DeviceReply::Taking(taking)) => Ok(Json(taking).into_response()),
        _ => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// Moves a call to another device of its person, or without `device` back to where it came from. The others' calls are not touched.
#[utoipa::path(post, path = "/v1/calls/{id}/move", operation_id = "move_call", tag = "devices", security(("key" = ["calls:write"])),
    params(("id" = String, Path)), request_body = MoveRequest,
    responses((status = 202, body = MoveAnswer), openapi::Refused))]
pub async fn of_call(
    State(app): State<App>,
    caller: Caller,
    Id(leg): Id<LegId>,
    body: Body<MoveRequest>,
) -> Result<Response, Problem> {
    caller.needs(Scope::CallsWrite)?;
    moved(&app, CallRef::Leg(leg), body.value).await
}

/// Moves the call that carries a place to another device of its person: also where that is a browser.
#[utoipa::path(post, path = "/v1/rooms/{id}/participants/{participant}/move", operation_id = "move_participant", tag = "devices", security(("key" = ["calls:write"])),
    params(("id" = String, Path), ("participant" = String, Path)), request_body = MoveRequest,
    responses((status = 202, body = MoveAnswer), openapi::Refused))]
pub async fn of_participant(
    State(app): State<App>,
    caller: Caller,
    Path((room, participant)): Path<(String, String)>,
    body: Body<MoveRequest>,
) -> Result<Response, Problem> {
    caller.needs(Scope::CallsWrite)?;
    let (Ok(room), Ok(participant)) = (room.parse::<RoomId>(), participant.parse::<ParticipantId>()) else {
        return Err(Problem::not_found("participant in this room"));
    };
    moved(&app, CallRef::Place(room, participant), body.value).await
}

/// Moves the only call of a person; refused, with the list, where there are several.
#[utoipa::path(post, path = "/v1/extensions/{id}/move", operation_id = "move_call_of", tag = "devices", security(("key" = ["calls:write"])),
    params(("id" = String, Path)), request_body = MoveRequest,
    responses((status = 202, body = MoveAnswer), openapi::Refused))]
pub async fn of_person(
    State(app): State<App>,
    caller: Caller,
    Id(extension): Id<ExtensionId>,
    body: Body<MoveRequest>,
) -> Result<Response, Problem> {
    caller.needs(Scope::CallsWrite)?;
    moved(&app, CallRef::Of(extension), body.value).await
}

/// Takes back a move of the only call of a person that is under way: the telephone rings no more, the page is asked no more.
#[utoipa::path(delete, path = "/v1/extensions/{id}/move", operation_id = "cancel_move", tag = "devices", security(("key" = ["calls:write"])),
    params(("id" = String, Path)), responses((status = 204, description = "the call stays"), openapi::Refused))]
pub async fn cancel(State(app): State<App>, caller: Caller, Id(id): Id<ExtensionId>) -> Result<StatusCode, Problem> {
    caller.needs(Scope::CallsWrite)?;
    ask(&app, DeviceCommand::CancelMove(CallRef::Of(id))).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn moved(app: &App, call: CallRef, request: MoveRequest) -> Result<Response, Problem> {
    let answer = match ask(app, DeviceCommand::Move(call, request)).await? {
        Some(DeviceReply::Moving(view)) => MoveAnswer::Moving(view),
        Some(DeviceReply::Taking(taking)) => MoveAnswer::Taking(taking),
        _ => return Err(odd()),
    };
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

/// The calls of a person, and which devices carry them.
#[utoipa::path(get, path = "/v1/extensions/{id}/calls", operation_id = "calls_of", tag = "devices", security(("key" = ["calls:read"])),
    params(("id" = String, Path)), responses((status = 200, body = CallOfMineList), openapi::Refused))]
pub async fn calls(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ExtensionId>,
) -> Result<Json<CallOfMineList>, Problem> {
    caller.needs(Scope::CallsRead)?;
    match ask(&app, DeviceCommand::Calls(id)).await? {
        Some(DeviceReply::Calls(items)) => Ok(Json(CallOfMineList { items })),
        _ => Err(odd()),
    }
}

/// Makes a personal link: the page of this person, with their calls and devices. It is shown this once.
#[utoipa::path(post, path = "/v1/extensions/{id}/me_link", operation_id = "me_link", tag = "devices", security(("key" = ["routing:write", "calls:write"])),
    params(("id" = String, Path)), request_body = LinkWanted,
    responses((status = 201, body = PersonalLinkView), openapi::Refused))]
pub async fn link(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ExtensionId>,
    body: Body<LinkWanted>,
) -> Result<Response, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    caller.needs(Scope::CallsWrite)?;
    match ask(&app, DeviceCommand::Link(id, body.value.seconds.unwrap_or(USUAL))).await? {
        Some(DeviceReply::Link(ticket, expires)) => {
            // Behind `#`: no server sees it, and no log holds it.
            let base = Some(&app.settings.public_url).filter(|url| !url.is_empty()).unwrap_or(&app.settings.link_base);
            let url = format!("{}/me#{}", base.trim_end_matches('/'), ticket.expose());
            Ok((StatusCode::CREATED, Json(PersonalLinkView { url, expires })).into_response())
        }
        _ => Err(odd()),
    }
}

/// Takes every personal link of a person back. Pages that are open are closed.
#[utoipa::path(delete, path = "/v1/extensions/{id}/me_link", operation_id = "revoke_me_links", tag = "devices", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), responses((status = 204, description = "they open nothing"), openapi::Refused))]
pub async fn unlink(State(app): State<App>, caller: Caller, Id(id): Id<ExtensionId>) -> Result<StatusCode, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    ask(&app, DeviceCommand::Unlink(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether calls follow a person.
#[utoipa::path(get, path = "/v1/extensions/{id}/follow", operation_id = "follow", tag = "devices", security(("key" = ["routing:read"])),
    params(("id" = String, Path)), responses((status = 200, body = Following), openapi::Refused))]
pub async fn following(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ExtensionId>,
) -> Result<Json<Following>, Problem> {
    caller.needs(Scope::RoutingRead)?;
    follows(&app, DeviceCommand::Follow(id, None)).await
}

/// Lets calls follow a person, or not: off until they want it.
#[utoipa::path(put, path = "/v1/extensions/{id}/follow", operation_id = "set_follow", tag = "devices", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), request_body = Following,
    responses((status = 200, body = Following), openapi::Refused))]
pub async fn follow(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ExtensionId>,
    body: Body<Following>,
) -> Result<Json<Following>, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    follows(&app, DeviceCommand::Follow(id, Some(body.value.follow))).await
}

async fn follows(app: &App, command: DeviceCommand) -> Result<Json<Following>, Problem> {
    match ask(app, command).await? {
        Some(DeviceReply::Follow(follow)) => Ok(Json(Following { follow })),
        _ => Err(odd()),
    }
}
