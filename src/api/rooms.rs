//! `/v1/rooms`: rooms, their settings, and who is in them.

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
use crate::base::elevating::ElevationRules;
use crate::base::{RoomId, Secret};
use crate::gateway::command::{Command, Denial, Reply};
use crate::gateway::view::RoomView;
use crate::media::treatment::TreatmentChange;
use crate::room::{FirstCaller, RoomSettings};
use crate::store::error::Constraint;
use crate::store::leads_to::End;
use crate::store::{Answered, StoreError};

/// Most participants that a room may be given: what one core mixes with room to spare.
const MOST: u32 = 5000;

/// How often a drawn PIN may meet one that is taken. With a tenth of all PINs in use: once in a thousand million.
const DRAWS: usize = 9;

/// A room as it is sent.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRoom {
    /// What people call it.
    #[schema(example = "Monday call")]
    pub name: String,
    /// What guests key to come in: 1 to 20 digits, no other room's.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "482913")]
    pub pin: Option<Secret>,
    /// Instead of `pin`: draws one of so many digits, 4 to 20.
    #[serde(default)]
    pub pin_digits: Option<u8>,
    /// What hosts key.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub host_pin: Option<Secret>,
    /// What the first caller meets.
    #[serde(default)]
    pub first_caller: FirstCaller,
    /// Whether guests wait until a host or the API admits them.
    #[serde(default)]
    pub lobby: bool,
    /// Whether guests come in muted.
    #[serde(default)]
    pub muted_on_entry: bool,
    /// Whether a guest muted by a host may unmute alone; true where absent.
    #[serde(default)]
    pub self_unmute: Option<bool>,
    /// Most participants at once, up to 5000; 1000 where absent.
    #[serde(default)]
    pub max_participants: Option<u32>,
    /// Tones when somebody comes or goes, as long as no more than this many are in; 0 means never, 8 where absent.
    #[serde(default)]
    pub tones_up_to: Option<u32>,
    /// The key map: `zoom` (where absent), `webex`, `microsoft`, or one from the configuration.
    #[serde(default)]
    pub keys: Option<String>,
    /// The language of callers whose number names none.
    #[serde(default)]
    pub language: Option<String>,
    /// What of adding video to telephone calls differs here from the node's rules and the number's.
    #[serde(default)]
    pub elevation: ElevationRules,
    /// What is done to the voices of its telephones, where that differs from their profiles.
    #[serde(default)]
    pub sound: TreatmentChange,
}

/// Rooms.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct RoomList {
    /// In the gateway's order.
    pub items: Vec<RoomView>,
}

impl From<RoomSettings> for NewRoom {
    fn from(room: RoomSettings) -> Self {
        Self {
            name: room.name,
            pin: room.pin,
            pin_digits: None,
            host_pin: room.host_pin,
            first_caller: room.first_caller,
            lobby: room.lobby,
            muted_on_entry: room.muted_on_entry,
            self_unmute: Some(room.self_unmute),
            max_participants: Some(room.max_participants),
            tones_up_to: Some(room.tones_up_to),
            keys: Some(room.keys),
            language: room.language,
            elevation: room.elevation,
            sound: room.sound,
        }
    }
}

impl NewRoom {
    fn settings(self, id: RoomId, app: &App) -> Result<RoomSettings, Problem> {
        let mut check = Check::default();
        check.name(&self.name, "/name");
        for (pin, pointer) in [(&self.pin, "/pin"), (&self.host_pin, "/host_pin")] {
            if let Some(pin) = pin {
                check.digits(pin.expose(), 20, pointer, "a PIN has 1 to 20 digits");
            }
        }
        if let (Some(pin), Some(host)) = (&self.pin, &self.host_pin) {
            check.that(!pin.matches(host.expose()), "/host_pin", "the host PIN must differ from the guests'");
        }
        if let Some(digits) = self.pin_digits {
            check.that((4..=20).contains(&digits), "/pin_digits", "draw 4 to 20 digits");
            check.that(self.pin.is_none(), "/pin_digits", "send either pin or pin_digits");
        }
        if let Some(language) = &self.language {
            check.language(language, &app.settings.languages, "/language");
        }
        let fresh = RoomSettings::new(id, self.name.trim());
        let settings = RoomSettings {
            pin: self.pin,
            host_pin: self.host_pin,
            first_caller: self.first_caller,
            lobby: self.lobby,
            muted_on_entry: self.muted_on_entry,
            self_unmute: self.self_unmute.unwrap_or(fresh.self_unmute),
            max_participants: self.max_participants.unwrap_or(fresh.max_participants),
            tones_up_to: self.tones_up_to.unwrap_or(fresh.tones_up_to),
            keys: self.keys.unwrap_or_else(|| fresh.keys.clone()),
            language: self.language,
            elevation: self.elevation,
            sound: self.sound,
            ..fresh
        };
        let held = (1..=MOST).contains(&settings.max_participants);
        check.that(held, "/max_participants", "a room holds 1 to 5000 participants");
        if !app.settings.key_maps.contains(&settings.keys) {
            let known = app.settings.key_maps.join(", ");
            check.that(false, "/keys", &format!("no such key map; there are {known}"));
        }
        check.done()?;
        Ok(settings)
    }
}

/// What a reader may see of a room: PINs only with `rooms:write`.
pub(super) fn shown(mut view: RoomView, caller: &Caller) -> RoomView {
    if !caller.has(Scope::RoomsWrite) {
        view.settings.pin = None;
        view.settings.host_pin = None;
    }
    view
}

/// Every room and who is in it; not those that calls between people make for themselves.
#[utoipa::path(get, path = "/v1/rooms", tag = "rooms", security(("key" = ["rooms:read"])),
    responses((status = 200, body = RoomList), openapi::Refused))]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<RoomList>, Problem> {
    caller.needs(Scope::RoomsRead)?;
    let reply = app.ask(Command::Rooms { numbers: caller.has(Scope::NumbersRead) }).await?;
    let Reply::Rooms(rooms) = reply else { return Err(odd()) };
    // The rooms of calls between people come and go with them: `/v1/calls` has those.
    let meetings = rooms.into_iter().filter(|room| !room.settings.call);
    Ok(Json(RoomList { items: meetings.map(|room| shown(room, &caller)).collect() }))
}

/// Adds a room.
#[utoipa::path(post, path = "/v1/rooms", tag = "rooms", security(("key" = ["rooms:write"])),
    params(openapi::OnceHeader), request_body = NewRoom, responses((status = 201, body = RoomView), openapi::Refused))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    once: OnceKey,
    body: Body<NewRoom>,
) -> Result<Response, Problem> {
    caller.needs(Scope::RoomsWrite)?;
    let digits = body.value.pin_digits;
    let mut rng = random()?;
    let mut settings = body.value.settings(RoomId::draw(&mut rng), &app)?;
    app.change(async move |app| {
        for draw in 1..=DRAWS {
            if let Some(digits) = digits {
                let drawn: String = (0..digits).map(|_| char::from(b'0' + (rng.below(10) % 10) as u8)).collect();
                settings.pin = Some(Secret::new(drawn));
            }
            let view = RoomView { settings: settings.clone(), started: false, locked: false, participants: Vec::new() };
            let now = created(format!("/v1/rooms/{}", settings.id), &view)?;
            match app.handle.store().add_room(&settings, once.with(&caller, body.hash, &now)).await {
                Err(StoreError::Constraint(Constraint::Pin)) if digits.is_some() && draw < DRAWS => {}
                Err(error) => return Err(taken(error, &settings)),
                Ok(Answered::Now) => {
                    return Ok(Changed::stored(answer(Answered::Now, now)?, Command::PutRoom(settings)));
                }
                Ok(before) => return Ok(Changed::silent(answer(before, now)?)),
            }
        }
        Err(Problem::conflict("no free PIN was found: draw more digits"))
    })
    .await
}

/// One room and who is in it.
#[utoipa::path(get, path = "/v1/rooms/{id}", tag = "rooms", security(("key" = ["rooms:read"])),
    params(("id" = String, Path)), responses((status = 200, body = RoomView), openapi::Refused))]
pub async fn show(State(app): State<App>, caller: Caller, Id(id): Id<RoomId>) -> Result<Json<RoomView>, Problem> {
    caller.needs(Scope::RoomsRead)?;
    Ok(Json(view(&app, &caller, id).await?))
}

/// Writes over a room's settings; who is in it stays. `pin_digits` is for new rooms.
#[utoipa::path(put, path = "/v1/rooms/{id}", tag = "rooms", security(("key" = ["rooms:write"])),
    params(("id" = String, Path)), request_body = NewRoom, responses((status = 200, body = RoomView), openapi::Refused))]
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<RoomId>,
    body: Body<NewRoom>,
) -> Result<Json<RoomView>, Problem> {
    caller.needs(Scope::RoomsWrite)?;
    put(app, caller, id, |_| Ok(body.value)).await
}

/// Changes what is sent of a room's settings (RFC 7396); who is in it stays.
#[utoipa::path(patch, path = "/v1/rooms/{id}", tag = "rooms", security(("key" = ["rooms:write"])),
    params(("id" = String, Path)), request_body(content = Object, content_type = "application/merge-patch+json"),
    responses((status = 200, body = RoomView), openapi::Refused))]
pub async fn patch(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<RoomId>,
    patch: Patch,
) -> Result<Json<RoomView>, Problem> {
    caller.needs(Scope::RoomsWrite)?;
    put(app, caller, id, |before| patch.over(&before.into())).await
}

async fn put(
    app: App,
    caller: Caller,
    id: RoomId,
    sent: impl FnOnce(RoomSettings) -> Result<NewRoom, Problem> + Send + 'static,
) -> Result<Json<RoomView>, Problem> {
    app.change(async move |app| {
        let before = app.handle.store().room(id).await.map_err(none)?;
        let sent = sent(before)?;
        if sent.pin_digits.is_some() {
            return Err(Problem::field("/pin_digits", "a PIN is drawn for new rooms only: send pin"));
        }
        let settings = sent.settings(id, &app)?;
        app.handle.store().put_room(&settings).await.map_err(|error| taken(error, &settings))?;
        Ok(Changed::stored((), Command::PutRoom(settings)))
    })
    .await?;
    Ok(Json(view(&app, &caller, id).await?))
}

/// Takes a room away. Refused while people are in it, or a number or a rule leads to it.
#[utoipa::path(delete, path = "/v1/rooms/{id}", tag = "rooms", security(("key" = ["rooms:write"])),
    params(("id" = String, Path)), responses((status = 204, description = "gone"), openapi::Refused))]
pub async fn delete(State(app): State<App>, caller: Caller, Id(id): Id<RoomId>) -> Result<StatusCode, Problem> {
    caller.needs(Scope::RoomsWrite)?;
    take_away(&app, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a room away that nobody is in and nothing leads to.
pub(super) async fn take_away(app: &App, id: RoomId) -> Result<(), Problem> {
    app.change(async move |app| {
        let before = app.handle.store().room(id).await.map_err(none)?;
        // In the store it is gone only when the gateway let it go, and the other way about.
        let deletion = match app.handle.store().delete_room(id).await {
            Ok(deletion) => deletion,
            Err(error) => return Err(used(&app, End::Room(id), error, "room").await),
        };
        match app.handle.ask(Command::DeleteRoom(id)).await {
            Ok(Ok(_) | Err(Denial::NotFound(_))) => {}
            Ok(Err(denial)) => return Err(denial.into()),
            Err(unavailable) => return Ok(Changed::undone(unavailable.into(), Command::PutRoom(before))),
        }
        Ok(match deletion.commit().await {
            Ok(()) => Changed::silent(()),
            Err(error) => Changed::undone(error.into(), Command::PutRoom(before)),
        })
    })
    .await
}

fn none(error: StoreError) -> Problem {
    Problem::of(error, "room")
}

/// A clash of PINs names the field that was sent.
fn taken(error: StoreError, settings: &RoomSettings) -> Problem {
    let host = matches!(error, StoreError::Constraint(Constraint::Pin)) && settings.pin.is_none();
    let mut problem = Problem::from(error);
    for field in problem.errors.iter_mut().filter(|_| host) {
        field.pointer = "/host_pin".to_owned();
    }
    problem
}

pub(super) async fn view(app: &App, caller: &Caller, room: RoomId) -> Result<RoomView, Problem> {
    match app.ask(Command::Room { room, numbers: caller.has(Scope::NumbersRead) }).await? {
        Reply::Room(room) => Ok(shown(*room, caller)),
        _ => Err(odd()),
    }
}

/// An answer to another question than was asked.
pub(super) fn odd() -> Problem {
    tracing::error!("the gateway answered another question than was asked");
    Problem::internal()
}
