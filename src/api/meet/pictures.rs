//! Pictures of people: set by whoever has a place, seen by whoever knows the roster.

use axum::Json;
use axum::body::to_bytes;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::look::{Unfit, look};
use crate::api::trunks::random;
use crate::api::{App, Problem, openapi};
use crate::base::Secret;
use crate::gateway::command::{Command, Denial};
use crate::gateway::web::LARGEST_PICTURE;
use crate::room::Refusal;
use crate::store::clock;
use crate::store::picture::Picture;

/// Characters of a picture's name, five random bits each.
const NAME: usize = 26;

/// Where somebody's picture is.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct PictureView {
    /// A path on this node; none where there is none any more.
    pub avatar: Option<String>,
}

/// Sets the picture of whoever has this place: PNG, JPEG or WebP, up to 256 KiB and 2048 pixels a side.
#[utoipa::path(put, path = "/meet/avatar", operation_id = "meet_set_picture", tag = "meeting",
    request_body(content_type = "image/png", description = "PNG, JPEG or WebP; shown right: `Authorization: Bearer <resume>`"),
    responses((status = 200, body = PictureView), openapi::Refused))]
pub async fn set(State(app): State<App>, request: Request) -> Result<Json<PictureView>, Problem> {
    let resume = resume(request.headers())?;
    asked(&app, Command::MayPicture(resume.clone())).await?;
    let most = usize::try_from(LARGEST_PICTURE).unwrap_or(usize::MAX);
    let body = to_bytes(request.into_body(), most).await.map_err(|_| too_large())?;
    let looked = look(&body).map_err(|unfit| match unfit {
        Unfit::Kind => {
            Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", "send a whole picture as PNG, JPEG or WebP")
        }
        Unfit::Size => Problem::field("", "a picture has 1 to 2048 pixels a side"),
    })?;
    let name = random()?.token(NAME);
    let picture = Picture { kind: looked.kind.to_owned(), body: body.to_vec() };
    app.handle.store().add_picture(&name, &picture, clock::utc()).await?;
    let path = format!("/meet/avatar/{name}");
    asked(&app, Command::SetPicture { resume, picture: Some(path.clone()) }).await?;
    Ok(Json(PictureView { avatar: Some(path) }))
}

/// Takes the picture away.
#[utoipa::path(delete, path = "/meet/avatar", operation_id = "meet_clear_picture", tag = "meeting",
    responses((status = 200, body = PictureView), openapi::Refused))]
pub async fn clear(State(app): State<App>, headers: HeaderMap) -> Result<Json<PictureView>, Problem> {
    let resume = resume(&headers)?;
    asked(&app, Command::SetPicture { resume, picture: None }).await?;
    Ok(Json(PictureView { avatar: None }))
}

/// A picture. Its name is the right to see it.
#[utoipa::path(get, path = "/meet/avatar/{id}", operation_id = "meet_picture", tag = "meeting", params(("id" = String, Path)),
    responses((status = 200, description = "the picture", content_type = "image/png"), openapi::Refused))]
pub async fn show(State(app): State<App>, Path(id): Path<String>) -> Result<Response, Problem> {
    if id.len() != NAME || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Problem::not_found("picture"));
    }
    let picture = app.handle.store().picture(&id).await.map_err(|error| Problem::of(error, "picture"))?;
    let kind = match picture.kind.as_str() {
        "image/png" => HeaderValue::from_static("image/png"),
        "image/jpeg" => HeaderValue::from_static("image/jpeg"),
        _ => HeaderValue::from_static("image/webp"),
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("inline; filename=\"picture\"")),
        // What a name stands for never changes.
        (header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=86400, immutable")),
    ];
    Ok((headers, picture.body).into_response())
}

fn resume(headers: &HeaderMap) -> Result<Secret, Problem> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let shown =
        value.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    shown.map(|(_, resume)| Secret::new(resume.trim())).ok_or_else(no_place)
}

fn no_place() -> Problem {
    let detail = "show what the meeting's welcome gave: `Authorization: Bearer <resume>`";
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorised", detail)
}

fn too_large() -> Problem {
    let detail = format!("a picture has at most {LARGEST_PICTURE} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
}

async fn asked(app: &App, command: Command) -> Result<(), Problem> {
    match app.handle.ask(command).await? {
        Ok(_) => Ok(()),
        Err(Denial::Refused(Refusal::TooOften)) => {
            let detail = "too many pictures: wait a minute";
            Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "throttled", detail).retry_after(60))
        }
        Err(Denial::NotFound(_)) => Err(no_place()),
        Err(denial) => Err(denial.into()),
    }
}
