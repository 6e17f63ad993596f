//! A meeting made from the page at `/`, by people without an account where the node lets them.

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::invitations::{ShownInvitation, draw, shown};
use super::own_site;
use crate::api::body::Body;
use crate::api::caller::{self, Caller, PAGE_HEADER};
use crate::api::change::Changed;
use crate::api::scope::Scope;
use crate::api::trunks::random;
use crate::api::valid::Check;
use crate::api::{App, Problem, openapi};
use crate::base::{RoomId, Secret};
use crate::call::speech::Language;
use crate::gateway::command::Command;
use crate::gateway::web::dial_in;
use crate::gateway::web::protocol::VERSION;
use crate::room::{Role, RoomSettings};
use crate::store::error::Constraint;
use crate::store::{StoreError, clock};
use crate::ticket::Wanted;

/// Rooms that people without an account made, at once. More: rows that strangers fill. Fewer: they are refused.
const MOST: u64 = 10_000;

/// How often a drawn PIN may meet one that is taken.
const DRAWS: usize = 9;

/// Digits of a drawn PIN: what people remember from the page to the telephone.
const DIGITS: usize = 8;

/// What this node lets people do who have no account.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct MeetInfo {
    /// The version of the meeting's messages.
    pub version: u32,
    /// What people call this node.
    pub name: String,
    /// Who may make a meeting.
    pub create: WhoCreates,
    /// Languages that something is spoken in.
    pub languages: Vec<String>,
}

/// Who may make a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhoCreates {
    /// Everybody who sees the page.
    Open,
    /// Who is logged in, or shows an API key.
    Login,
}

/// A meeting as it is wished.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMeeting {
    /// What people call it; `Meeting` where absent.
    #[serde(default)]
    pub name: Option<String>,
    /// What whoever makes it is called.
    #[serde(default)]
    pub your_name: Option<String>,
    /// The language of the page.
    #[serde(default)]
    pub language: Option<String>,
}

/// A meeting that was made.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct MadeMeeting {
    /// The room.
    pub room: MadeRoom,
    /// For whoever made it.
    pub host: ShownInvitation,
    /// For everybody else.
    pub guests: ShownInvitation,
}

/// The room of a meeting that was made.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct MadeRoom {
    /// Its id.
    #[schema(value_type = String)]
    pub id: RoomId,
    /// What people call it.
    pub name: String,
}

/// What this node lets people do who have no account.
#[utoipa::path(get, path = "/meet/info", operation_id = "meet_info", tag = "meeting", responses((status = 200, body = MeetInfo)))]
pub async fn info(State(app): State<App>, headers: HeaderMap) -> Json<MeetInfo> {
    let settings = &app.settings;
    Json(MeetInfo {
        version: VERSION,
        name: settings.name.clone(),
        create: if lets_anybody(&headers, &app) { WhoCreates::Open } else { WhoCreates::Login },
        languages: settings.languages.iter().map(|language| language.tag().to_owned()).collect(),
    })
}

/// Makes a meeting: a room with a PIN, a link for its host and one for everybody else. Without an account where the node is
/// reached from its own machine only, or `api.open_rooms` is set; from this site's page only.
#[utoipa::path(post, path = "/meet/rooms", operation_id = "meet_create", tag = "meeting", security((), ("key" = ["rooms:write"]), ("cookie" = [])),
    request_body = NewMeeting, responses((status = 201, body = MadeMeeting), openapi::Refused))]
pub async fn create(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let anonymous = match Caller::from_request_parts(&mut parts, &app).await {
        Ok(caller) => {
            caller.needs(Scope::RoomsWrite)?;
            false
        }
        Err(_) if lets_anybody(&parts.headers, &app) => {
            own_site(&parts, &app)?;
            if !parts.headers.contains_key(PAGE_HEADER) {
                let detail = "a page sends the header X-Ringlift-Page";
                return Err(Problem::new(StatusCode::FORBIDDEN, "foreign-origin", detail));
            }
            let from = caller::client(&parts, &app);
            if let Err(wait) = app.door.makes_room(from).await {
                let detail = "too many meetings from this address";
                let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "throttled", detail);
                return Err(problem.retry_after(wait.as_secs().max(1)));
            }
            true
        }
        Err(_) => {
            let detail =
                "log in, or show an API key with rooms:write; `api.open_rooms = true` lets everybody make meetings";
            return Err(Problem::new(StatusCode::FORBIDDEN, "login-needed", detail));
        }
    };
    let base = super::base(&parts, &app)?;
    let asked = Body::<NewMeeting>::from_request(Request::from_parts(parts, body), &app).await?.value;
    let settings = room_of(&asked, &app)?;
    let host = Wanted { name: asked.your_name, personal: Some(true), ..Wanted::of(Role::Host) };
    let (host, host_ticket) = draw(&host, settings.id)?;
    let (guests, guests_ticket) = draw(&Wanted::of(Role::Guest), settings.id)?;
    let made = app
        .change(async move |app| {
            let store = app.handle.store();
            if anonymous && store.open_rooms().await? >= MOST {
                return Err(Problem::conflict("this node has as many open meetings as it takes"));
            }
            let settings = add_room(&app, settings).await?;
            if anonymous {
                store.add_open_room(settings.id, clock::utc()).await?;
            }
            store.add_invitations(&[host.clone(), guests.clone()], None).await?;
            let dial_in = dial_in::of(&store.table().await?, &settings);
            let made = MadeMeeting {
                room: MadeRoom { id: settings.id, name: settings.name.clone() },
                host: shown(&host, host_ticket, &settings, dial_in.clone(), &base)?,
                guests: shown(&guests, guests_ticket, &settings, dial_in, &base)?,
            };
            let mut tell = vec![Command::PutRoom(settings)];
            tell.extend([&host, &guests].map(|one| Command::PutTicket(Box::new(one.ticket()))));
            Ok(Changed::told(made, tell))
        })
        .await?;
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

/// Whether people without an account may make meetings: where it is configured so, or at the machine itself. What a proxy
/// passed on comes from elsewhere.
fn lets_anybody(headers: &HeaderMap, app: &App) -> bool {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
        .map_or(host, |(name, _)| name);
    let here = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
    let passed_on = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];
    let direct = passed_on.iter().all(|name| !headers.contains_key(*name));
    app.settings.open_rooms || app.settings.of_this_machine && here && direct
}

fn room_of(asked: &NewMeeting, app: &App) -> Result<RoomSettings, Problem> {
    let name = asked.name.as_deref().map(str::trim).filter(|name| !name.is_empty()).unwrap_or("Meeting");
    let mut check = Check::default();
    check.name(name, "/name");
    check.done()?;
    let wanted = asked.language.as_deref().and_then(|tag| Language::best(tag, &app.settings.languages));
    let fresh = RoomSettings::new(RoomId::draw(&mut random()?), name);
    Ok(RoomSettings { language: wanted.map(|language| language.tag().to_owned()), ..fresh })
}

/// Stores the room with a PIN that no other has.
async fn add_room(app: &App, mut settings: RoomSettings) -> Result<RoomSettings, Problem> {
    let mut rng = random()?;
    for _ in 0..DRAWS {
        let pin: String = (0..DIGITS).map(|_| char::from(b'0' + u8::try_from(rng.below(10)).unwrap_or(0))).collect();
        settings.pin = Some(Secret::new(pin));
        match app.handle.store().add_room(&settings, None).await {
            Ok(_) => return Ok(settings),
            Err(StoreError::Constraint(Constraint::Pin)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Problem::unavailable("no free PIN was found"))
}
