//! `/v1/codes/printed`: codes on paper, which begin calls. What one shows is shown once; its picture for an hour.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::body::{Args, Body, Id};
use super::caller::Caller;
use super::change::Changed;
use super::once::OnceKey;
use super::pictures_of_codes::{png, svg};
use super::problem::FieldError;
use super::rooms::odd;
use super::scope::Scope;
use super::{App, Problem, openapi, time};
use crate::base::id::CodeId;
use crate::base::phone_number::masked_dialled;
use crate::base::{RoomId, Secret, Utc};
use crate::gateway::code::printed::{Drawn, PrintCommand, PrintRequest};
use crate::gateway::command::{Command, Reply};
use crate::store::clock;
use crate::transfer::{Leads, Printed, Spent};

/// Codes in one answer, where nothing is said, and at most.
const LIMIT: (u32, u32) = (50, 500);

/// A code that is to be printed.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewPrintedCode {
    /// What it is called, shown to whoever reads it, up to 64 characters.
    #[schema(example = "Reception")]
    pub title: String,
    /// Where it leads: into this room.
    #[schema(value_type = Option<String>)]
    pub room: Option<RoomId>,
    /// Or to this number, extension or group, as somebody in the house would dial it; `operator_limits` hold.
    #[schema(example = "204")]
    pub to: Option<String>,
    /// What whoever comes by it is called, where they give no name.
    pub name: Option<String>,
    /// What is known of whom it is printed for, text or JSON, up to 256 bytes on one line: it is in the event, and in
    /// User-to-User (RFC 7433) of the call. Whoever reads the code is not shown it.
    #[schema(example = "order 4711")]
    pub context: Option<String>,
    /// From when it counts: RFC 3339, or milliseconds since 1970; at once where absent.
    pub valid_from: Option<String>,
    /// Until when; as configured where absent (a year), five years at most.
    pub expires: Option<String>,
    /// How many calls it may begin; any number where absent.
    pub uses: Option<u32>,
    /// How many in an hour, 1 to 10000; as configured where absent (60).
    pub per_hour: Option<u32>,
}

/// Whether a printed code begins calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrintedState {
    /// It does.
    Open,
    /// Not yet.
    TooEarly,
    /// No more: its time is over.
    Expired,
    /// No more: it was taken back.
    Revoked,
    /// No more: it began as many as it may.
    UsedUp,
}

/// A printed code, without what it shows.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct PrintedView {
    /// Its id; it opens nothing.
    #[schema(value_type = String)]
    pub id: CodeId,
    /// What it is called.
    pub title: String,
    /// The room it leads into.
    #[schema(value_type = Option<String>)]
    pub room: Option<RoomId>,
    /// Or whom it calls; a number outside is masked without `numbers:read`.
    pub to: Option<String>,
    /// What whoever comes by it is called.
    pub name: Option<String>,
    /// What travels with the call.
    pub context: Option<String>,
    /// Whether it begins calls now.
    pub state: PrintedState,
    /// From when it counts, RFC 3339.
    pub valid_from: Option<String>,
    /// Until when.
    pub expires: Option<String>,
    /// How many calls it may begin.
    pub uses: Option<u32>,
    /// How many it began.
    pub used: u32,
    /// How many in an hour, at most.
    pub per_hour: u32,
    /// When it was made, RFC 3339.
    pub created: String,
    /// When it began a call the last time.
    pub last_used: Option<String>,
    /// When it was taken back.
    pub revoked: Option<String>,
}

/// A printed code as it is shown once.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ShownPrinted {
    /// What is kept of it.
    #[serde(flatten)]
    pub kept: PrintedView,
    /// The link in the picture.
    #[schema(value_type = String)]
    pub link: Secret,
    /// The ten digits to be printed beneath it, for telephones.
    #[schema(value_type = String)]
    pub digits: Secret,
    /// The picture, SVG.
    pub qr: String,
}

/// A page of printed codes.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct PrintedList {
    /// The newest first.
    pub items: Vec<PrintedView>,
    /// The `cursor` of the next page; none at the end.
    pub next: Option<String>,
}

/// Which printed codes.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PrintedArgs {
    /// Where the page before ended: its `next`.
    pub cursor: Option<String>,
    /// At most so many, 1 to 500; 50 where absent.
    pub limit: Option<u32>,
}

impl PrintedView {
    fn of(code: Printed, numbers: bool, now: Utc) -> Self {
        let state = match code.opens(now) {
            Ok(()) => PrintedState::Open,
            Err(Spent::TooEarly) => PrintedState::TooEarly,
            Err(Spent::Expired) => PrintedState::Expired,
            Err(Spent::Revoked) => PrintedState::Revoked,
            Err(Spent::UsedUp) => PrintedState::UsedUp,
        };
        let (room, to) = match code.leads {
            Leads::Room(room) => (Some(room), None),
            Leads::Call(to) => (None, Some(if numbers { to } else { masked_dialled(&to) })),
        };
        let told = |at: Option<Utc>| at.map(|at| at.to_string());
        Self {
            id: code.id,
            title: code.title,
            room,
            to,
            name: code.name,
            context: code.context,
            state,
            valid_from: told(code.valid_from),
            expires: told(code.expires),
            uses: code.uses,
            used: code.used,
            per_hour: code.per_hour,
            created: code.created.to_string(),
            last_used: told(code.last_used),
            revoked: told(code.revoked),
        }
    }
}

impl NewPrintedCode {
    fn read(self) -> Result<PrintRequest, Problem> {
        let mut wrong = Vec::new();
        let mut at = |pointer: &str, text: Option<&String>| {
            let read = text.map(|text| time::parse(text));
            if read == Some(None) {
                let detail = "write a time such as 2026-03-01T12:00:00Z".to_owned();
                wrong.push(FieldError { pointer: pointer.to_owned(), detail });
            }
            read.flatten()
        };
        let (valid_from, expires) =
            (at("/valid_from", self.valid_from.as_ref()), at("/expires", self.expires.as_ref()));
        if !wrong.is_empty() {
            return Err(Problem::fields(wrong));
        }
        let Self { title, room, to, name, context, uses, per_hour, .. } = self;
        Ok(PrintRequest { title, room, to, name, context, valid_from, expires, uses, per_hour })
    }
}

/// Makes a code to be printed. Link and digits are shown this once, so no Idempotency-Key is taken.
#[utoipa::path(post, path = "/v1/codes/printed", operation_id = "print_code", tag = "calls", security(("key" = ["calls:write"])),
    request_body = NewPrintedCode, responses((status = 201, body = ShownPrinted), openapi::Refused))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    once: OnceKey,
    body: Body<NewPrintedCode>,
) -> Result<Response, Problem> {
    caller.needs(Scope::CallsWrite)?;
    if once.is_some() {
        let detail = "a printed code is shown once and cannot be shown again for an Idempotency-Key: if the answer was lost, take that one back and make another";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad-idempotency-key", detail));
    }
    let asked = body.value.read()?;
    let numbers = caller.has(Scope::NumbersRead);
    let made = app
        .change(async move |app| {
            let drawn = match app.ask(Command::Printed(Box::new(PrintCommand::Draw(asked)))).await? {
                Reply::Printed(drawn) => *drawn,
                _ => return Err(odd()),
            };
            app.handle.store().add_printed(&drawn.code).await?;
            let Drawn { code, link, digits } = drawn.clone();
            let qr = svg(&link)?;
            let made = ShownPrinted { kept: PrintedView::of(code, numbers, clock::utc()), link, digits, qr };
            Ok(Changed::stored(made, Command::Printed(Box::new(PrintCommand::Put(drawn)))))
        })
        .await?;
    let location = format!("/v1/codes/printed/{}", made.kept.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(made)).into_response())
}

/// Printed codes, the newest first, without what they show.
#[utoipa::path(get, path = "/v1/codes/printed", operation_id = "printed_codes", tag = "calls", security(("key" = ["calls:read"])),
    params(PrintedArgs), responses((status = 200, body = PrintedList), openapi::Refused))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Args(args): Args<PrintedArgs>,
) -> Result<Json<PrintedList>, Problem> {
    caller.needs(Scope::CallsRead)?;
    let limit = args.limit.unwrap_or(LIMIT.0);
    let wrong = |pointer: &str, detail: &str| {
        let about = vec![FieldError { pointer: pointer.to_owned(), detail: detail.to_owned() }];
        Problem::new(StatusCode::BAD_REQUEST, "bad-query", "a query parameter is wrong").about(about)
    };
    if !(1..=LIMIT.1).contains(&limit) {
        return Err(wrong("?limit", "write 1 to 500"));
    }
    let read =
        |cursor: &String| cursor.split_once('.').and_then(|(at, id)| Some((Utc(at.parse().ok()?), id.parse().ok()?)));
    let after = match &args.cursor {
        Some(cursor) => Some(read(cursor).ok_or_else(|| wrong("?cursor", "send what `next` said"))?),
        None => None,
    };
    let mut codes = app.handle.store().printed_after(after, limit + 1).await?;
    let more = codes.len() > limit as usize;
    codes.truncate(limit as usize);
    let next = codes.last().filter(|_| more).map(|last| format!("{}.{}", last.created.0, last.id));
    let (numbers, now) = (caller.has(Scope::NumbersRead), clock::utc());
    Ok(Json(PrintedList { items: codes.into_iter().map(|code| PrintedView::of(code, numbers, now)).collect(), next }))
}

/// One printed code, without what it shows.
#[utoipa::path(get, path = "/v1/codes/printed/{id}", operation_id = "printed_code", tag = "calls", security(("key" = ["calls:read"])),
    params(("id" = String, Path)), responses((status = 200, body = PrintedView), openapi::Refused))]
pub async fn show(State(app): State<App>, caller: Caller, Id(id): Id<CodeId>) -> Result<Json<PrintedView>, Problem> {
    caller.needs(Scope::CallsRead)?;
    let code = app.handle.store().printed_code(id).await.map_err(|error| Problem::of(error, "printed code"))?;
    Ok(Json(PrintedView::of(code, caller.has(Scope::NumbersRead), clock::utc())))
}

/// Takes a printed code back. Calls that it began go on.
#[utoipa::path(delete, path = "/v1/codes/printed/{id}", operation_id = "revoke_printed_code", tag = "calls", security(("key" = ["calls:write"])),
    params(("id" = String, Path)), responses((status = 204, description = "it begins no call any more"), openapi::Refused))]
pub async fn revoke(State(app): State<App>, caller: Caller, Id(id): Id<CodeId>) -> Result<StatusCode, Problem> {
    caller.needs(Scope::CallsWrite)?;
    app.change(async move |app| {
        let now = clock::utc();
        let revoked = app.handle.store().revoke_printed(id, now).await;
        revoked.map_err(|error| Problem::of(error, "printed code"))?;
        Ok(Changed::stored(StatusCode::NO_CONTENT, Command::Printed(Box::new(PrintCommand::Revoke(id, now)))))
    })
    .await
}

/// A printed code as a picture that scales, for an hour after it was made.
#[utoipa::path(get, path = "/v1/codes/printed/{id}/qr.svg", operation_id = "printed_code_svg", tag = "calls", security(("key" = ["calls:write"])),
    params(("id" = String, Path)),
    responses((status = 200, description = "a QR code", content_type = "image/svg+xml", body = String), openapi::Refused))]
pub async fn as_svg(State(app): State<App>, caller: Caller, Id(id): Id<CodeId>) -> Result<Response, Problem> {
    caller.needs(Scope::CallsWrite)?;
    let link = link_of(&app, id).await?;
    Ok(([(header::CONTENT_TYPE, "image/svg+xml")], svg(&link)?).into_response())
}

/// A printed code as a picture of squares, for an hour after it was made.
#[utoipa::path(get, path = "/v1/codes/printed/{id}/qr.png", operation_id = "printed_code_png", tag = "calls", security(("key" = ["calls:write"])),
    params(("id" = String, Path)),
    responses((status = 200, description = "a QR code", content_type = "image/png", body = Vec<u8>), openapi::Refused))]
pub async fn as_png(State(app): State<App>, caller: Caller, Id(id): Id<CodeId>) -> Result<Response, Problem> {
    caller.needs(Scope::CallsWrite)?;
    let link = link_of(&app, id).await?;
    Ok(([(header::CONTENT_TYPE, "image/png")], png(&link)?).into_response())
}

async fn link_of(app: &App, id: CodeId) -> Result<Secret, Problem> {
    match app.ask(Command::Printed(Box::new(PrintCommand::Link(id)))).await? {
        Reply::PrintedLink(link) => Ok(link),
        _ => Err(odd()),
    }
}
