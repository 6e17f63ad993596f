//! What is done in a room with a host's rights: mute, admit, remove, lock, end.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;

use super::body::{Body, Id};
use super::caller::Caller;
use super::scope::Scope;
use super::{App, Problem, openapi};
use crate::base::{ParticipantId, RoomId};
use crate::gateway::command::Command;
use crate::gateway::view::RoomView;
use crate::room::Operation;

/// What can be done to one participant without saying more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ParticipantVerb {
    /// Nobody hears the participant.
    Mute,
    /// The room hears the participant again.
    Unmute,
    /// Raises the hand.
    RaiseHand,
    /// Lowers the hand.
    LowerHand,
    /// Lets it in from the lobby.
    Admit,
    /// Sends it away from the lobby.
    Refuse,
    /// Sends it out of the meeting.
    Remove,
}

/// What can be done to a whole room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RoomVerb {
    /// Mutes every guest.
    MuteAll,
    /// Lifts what hosts muted.
    UnmuteAll,
    /// Lets everyone in from the lobby.
    AdmitAll,
    /// Nobody else comes in.
    Lock,
    /// People come in again.
    Unlock,
    /// Ends the meeting for everyone.
    End,
}

impl ParticipantVerb {
    fn operation(self, participant: ParticipantId) -> Operation {
        match self {
            ParticipantVerb::Mute => Operation::Mute { participant },
            ParticipantVerb::Unmute => Operation::Unmute { participant },
            ParticipantVerb::RaiseHand => Operation::RaiseHand { participant },
            ParticipantVerb::LowerHand => Operation::LowerHand { participant },
            ParticipantVerb::Admit => Operation::Admit { participant },
            ParticipantVerb::Refuse => Operation::Refuse { participant },
            ParticipantVerb::Remove => Operation::Remove { participant },
        }
    }
}

impl RoomVerb {
    fn operation(self) -> Operation {
        match self {
            RoomVerb::MuteAll => Operation::MuteAll {},
            RoomVerb::UnmuteAll => Operation::UnmuteAll {},
            RoomVerb::AdmitAll => Operation::AdmitAll {},
            RoomVerb::Lock => Operation::Lock {},
            RoomVerb::Unlock => Operation::Unlock {},
            RoomVerb::End => Operation::End {},
        }
    }
}

/// Does something in a room and shows the room after it.
#[utoipa::path(post, path = "/v1/rooms/{id}/operations", tag = "rooms", security(("key" = ["rooms:write"])),
    params(("id" = String, Path)), request_body = Operation,
    responses((status = 200, body = RoomView), openapi::Refused))]
pub async fn operate(
    State(app): State<App>,
    caller: Caller,
    Id(room): Id<RoomId>,
    body: Body<Operation>,
) -> Result<Json<RoomView>, Problem> {
    caller.needs(Scope::RoomsWrite)?;
    app.ask(Command::Operate { room, operation: body.value }).await?;
    Ok(Json(super::rooms::view(&app, &caller, room).await?))
}

/// The same for a whole room, without a body.
#[utoipa::path(post, path = "/v1/rooms/{id}/{verb}", tag = "rooms", security(("key" = ["rooms:write"])),
    params(("id" = String, Path), ("verb" = RoomVerb, Path)),
    responses((status = 204, description = "done"), openapi::Refused))]
pub async fn to_room(
    State(app): State<App>,
    caller: Caller,
    Path((room, verb)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    caller.needs(Scope::RoomsWrite)?;
    let room: RoomId = room.parse().map_err(|_| Problem::not_found("room"))?;
    let verb: RoomVerb = read(&verb)?;
    app.ask(Command::Operate { room, operation: verb.operation() }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The same for one participant, without a body.
#[utoipa::path(post, path = "/v1/rooms/{id}/participants/{participant}/{verb}", tag = "rooms",
    security(("key" = ["rooms:write"])),
    params(("id" = String, Path), ("participant" = String, Path), ("verb" = ParticipantVerb, Path)),
    responses((status = 204, description = "done"), openapi::Refused))]
pub async fn to_participant(
    State(app): State<App>,
    caller: Caller,
    Path((room, participant, verb)): Path<(String, String, String)>,
) -> Result<StatusCode, Problem> {
    caller.needs(Scope::RoomsWrite)?;
    let room: RoomId = room.parse().map_err(|_| Problem::not_found("room"))?;
    let participant: ParticipantId = participant.parse().map_err(|_| Problem::not_found("participant in this room"))?;
    let verb: ParticipantVerb = read(&verb)?;
    app.ask(Command::Operate { room, operation: verb.operation(participant) }).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn read<T: serde::de::DeserializeOwned>(verb: &str) -> Result<T, Problem> {
    serde_json::from_value(verb.into()).map_err(|_| Problem::not_found("operation"))
}
