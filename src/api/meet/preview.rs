//! What an invitation is for, before anybody joins by it: asking spends and changes nothing.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};

use crate::api::rooms::odd;
use crate::api::{App, Problem, caller, openapi};
use crate::base::Secret;
use crate::gateway::command::{Command, Reply};
use crate::gateway::web::{Code, Preview};

/// What an invitation is for: `Authorization: Bearer <ticket>`. Whoever was in the meeting shows `X-Ringlift-Resume`, too: an
/// invitation that is used up counts for them.
#[utoipa::path(get, path = "/meet/invitation", operation_id = "meet_preview", tag = "meeting",
    responses((status = 200, body = Preview), openapi::Refused))]
pub async fn preview(State(app): State<App>, request: Request) -> Result<Json<Preview>, Problem> {
    let (parts, _) = request.into_parts();
    let from = caller::client(&parts, &app);
    let Some(ticket) = bearer(&parts.headers) else {
        let detail = "show the end of the invitation's link: `Authorization: Bearer <ticket>`";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorised", detail));
    };
    let resume = parts.headers.get("x-ringlift-resume").and_then(|value| value.to_str().ok()).map(Secret::new);
    match app.ask(Command::Preview { ticket, resume, from }).await? {
        Reply::Preview(Ok(preview)) => Ok(Json(*preview)),
        Reply::Preview(Err(code)) => Err(refused(code)),
        _ => Err(odd()),
    }
}

fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, ticket) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Secret::new(ticket.trim()))
}

fn refused(code: Code) -> Problem {
    let (status, kind) = match code {
        Code::ExpiredTicket => (StatusCode::GONE, "expired-ticket"),
        Code::RevokedTicket => (StatusCode::GONE, "revoked-ticket"),
        Code::UsedTicket => (StatusCode::GONE, "used-ticket"),
        Code::TooManyAttempts => (StatusCode::TOO_MANY_REQUESTS, "too-many-attempts"),
        _ => (StatusCode::NOT_FOUND, "bad-ticket"),
    };
    Problem::new(status, kind, code.text())
}
