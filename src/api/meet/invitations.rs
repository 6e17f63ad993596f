//! Invitations: a link that opens a room, and everything that goes into the message it is sent by.

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use qrcode::QrCode;
use qrcode::render::svg;
use serde::Serialize;

use super::words::{self, Text};
use crate::api::body::{Body, Id};
use crate::api::caller::Caller;
use crate::api::change::Changed;
use crate::api::once::OnceKey;
use crate::api::scope::Scope;
use crate::api::trunks::random;
use crate::api::{App, Problem, openapi};
use crate::base::id::TicketId;
use crate::base::{RoomId, Secret};
use crate::gateway::command::Command;
use crate::gateway::web::dial_in;
use crate::gateway::web::protocol::DialIn;
use crate::room::{Refusal, Role, RoomSettings};
use crate::store::invitation::Invited;
use crate::store::{StoreError, clock};
use crate::ticket::{Unfit, Wanted};

/// An invitation.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct InvitationView {
    /// Its id; it opens nothing.
    #[schema(value_type = String)]
    pub id: TicketId,
    /// Where to.
    #[schema(value_type = String)]
    pub room: RoomId,
    /// As what.
    pub role: Role,
    /// Whom.
    pub name: Option<String>,
    /// For one person.
    pub personal: bool,
    /// Until when it counts, RFC 3339.
    pub expires: Option<String>,
    /// How many may come by it.
    pub uses: Option<u32>,
    /// How many came.
    pub used: u32,
    /// When it was made, RFC 3339.
    pub created: String,
    /// When it was withdrawn, RFC 3339.
    pub revoked: Option<String>,
}

/// An invitation as it is shown once: with its ticket.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ShownInvitation {
    /// What is kept of it.
    #[serde(flatten)]
    pub kept: InvitationView,
    /// What opens the room.
    #[schema(value_type = String)]
    pub ticket: Secret,
    /// The same as a link.
    #[schema(value_type = String)]
    pub link: Secret,
    /// How to come by telephone.
    pub dial_in: DialIn,
    /// The link as a picture for a telephone's camera, SVG.
    pub qr: String,
    /// The invitation in words, by language.
    pub text: Text,
}

/// Invitations.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct InvitationList {
    /// The newest first.
    pub items: Vec<InvitationView>,
}

impl From<&Invited> for InvitationView {
    fn from(invited: &Invited) -> Self {
        Self {
            id: invited.id,
            room: invited.room,
            role: invited.as_whom.role,
            name: invited.as_whom.name.clone(),
            personal: invited.as_whom.personal,
            expires: invited.expires.map(|at| at.to_string()),
            uses: invited.uses,
            used: invited.used,
            created: invited.created.to_string(),
            revoked: invited.revoked.map(|at| at.to_string()),
        }
    }
}

/// What is kept of a wished invitation, and its ticket.
pub(super) fn draw(wanted: &Wanted, room: RoomId) -> Result<(Invited, Secret), Problem> {
    let created = clock::utc();
    let (ticket, shown) = wanted.draw(room, &mut random()?, created).map_err(|unfit| match unfit {
        Unfit::Name => Problem::field("/name", Refusal::BadName.to_string()),
        Unfit::Uses => Problem::field("/uses", "an invitation for nobody invites nobody"),
        Unfit::Seconds => Problem::field("/seconds", "an invitation counts a minute to two years"),
    })?;
    let invited = Invited::of(ticket, created).ok_or_else(Problem::internal)?;
    Ok((invited, shown))
}

/// An invitation with its ticket, as it is shown once.
pub(super) fn shown(
    invited: &Invited,
    ticket: Secret,
    room: &RoomSettings,
    dial_in: DialIn,
    base: &str,
) -> Result<ShownInvitation, Problem> {
    let link = format!("{base}/j/{}", ticket.expose());
    let code = QrCode::new(&link).map_err(|_| Problem::internal())?;
    let qr = code.render::<svg::Color<'_>>().min_dimensions(240, 240).quiet_zone(true).build();
    let text = words::invitation(&room.name, &link, &dial_in);
    Ok(ShownInvitation { kept: invited.into(), ticket, link: Secret::new(link), dial_in, qr, text })
}

/// Invites to a room. The ticket and its link are shown this once, so no Idempotency-Key is taken.
#[utoipa::path(post, path = "/v1/rooms/{id}/invitations", operation_id = "invite", tag = "meeting", security(("key" = ["rooms:write"])),
    params(("id" = String, Path)), request_body = Wanted,
    responses((status = 201, body = ShownInvitation), openapi::Refused))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Id(room): Id<RoomId>,
    once: OnceKey,
    request: Request,
) -> Result<Response, Problem> {
    caller.needs(Scope::RoomsWrite)?;
    if once.is_some() {
        let detail = "an invitation is shown once and cannot be shown again for an Idempotency-Key: if the answer was lost, withdraw that one and make another";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad-idempotency-key", detail));
    }
    let (parts, body) = request.into_parts();
    let base = super::base(&parts, &app)?;
    let body = Body::<Wanted>::from_request(Request::from_parts(parts, body), &app).await?;
    let (invited, ticket) = draw(&body.value, room)?;
    let made = app
        .change(async move |app| {
            let store = app.handle.store();
            let settings = store.room(room).await.map_err(|error| Problem::of(error, "room"))?;
            let dial_in = dial_in::of(&store.table().await?, &settings);
            store.add_invitations(std::slice::from_ref(&invited), None).await?;
            let made = shown(&invited, ticket, &settings, dial_in, &base)?;
            Ok(Changed::stored(made, Command::PutTicket(Box::new(invited.ticket()))))
        })
        .await?;
    let location = format!("/v1/invitations/{}", made.kept.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(made)).into_response())
}

/// The invitations to a room, without their tickets.
#[utoipa::path(get, path = "/v1/rooms/{id}/invitations", operation_id = "invitations", tag = "meeting", security(("key" = ["rooms:write"])),
    params(("id" = String, Path)), responses((status = 200, body = InvitationList), openapi::Refused))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Id(room): Id<RoomId>,
) -> Result<Json<InvitationList>, Problem> {
    caller.needs(Scope::RoomsWrite)?;
    let store = app.handle.store();
    store.room(room).await.map_err(|error| Problem::of(error, "room"))?;
    let items = store.invitations(room).await?;
    Ok(Json(InvitationList { items: items.iter().map(InvitationView::from).collect() }))
}

/// Withdraws an invitation. Whoever came by it stays.
#[utoipa::path(delete, path = "/v1/invitations/{id}", tag = "meeting", security(("key" = ["rooms:write"])),
    params(("id" = String, Path)), responses((status = 204, description = "withdrawn"), openapi::Refused))]
pub async fn revoke(State(app): State<App>, caller: Caller, Id(id): Id<TicketId>) -> Result<StatusCode, Problem> {
    caller.needs(Scope::RoomsWrite)?;
    app.change(async move |app| {
        let gone = |error: StoreError| Problem::of(error, "invitation");
        app.handle.store().revoke_invitation(id, clock::utc()).await.map_err(gone)?;
        Ok(Changed::stored(StatusCode::NO_CONTENT, Command::DeleteTicket(id)))
    })
    .await
}
