//! What is done to live calls: dial, answer, hold, resume, transfer, digits, play.
//!
//! Each may carry an `Idempotency-Key`: sent again, it is not done again.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::body::{Body, Id};
use super::caller::Caller;
use super::once::{OnceKey, answer};
use super::rooms::odd;
use super::scope::Scope;
use super::valid::Check;
use super::{App, Problem, openapi};
use crate::base::id::ExtensionId;
use crate::base::{LegId, PhoneNumber, RoomId, Secret};
use crate::call::speech::names;
use crate::gateway::command::{Command, DialRequest, Playable, Reply};
use crate::gateway::merge::MergeRequest;
use crate::store::{Answered, Kept};

/// Most header fields that a call may be given. More: an INVITE outgrows a datagram.
const HEADERS: usize = 16;

/// Longest ringing that may be asked for, in seconds: no carrier lets a call ring longer.
const RINGING: u16 = 600;

/// A call to be made: somebody of the house and whom they want, or whom to fetch into a room.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewCall {
    /// A number or a user of the house, as somebody there would dial it.
    #[schema(required, example = "+4930901820")]
    pub to: String,
    /// Whose call it is: an extension, rung first; `to` is rung once it has answered, under its rights and limits. None:
    /// `to` is rung at once, which needs `room`.
    #[schema(value_type = Option<String>)]
    pub from: Option<ExtensionId>,
    /// The room that whoever answers is put into; none makes a call of two.
    #[schema(value_type = Option<String>)]
    pub room: Option<RoomId>,
    /// The number shown, where a trunk lets us choose; else that of `from`, else the trunk's.
    #[schema(value_type = Option<String>)]
    pub caller_id: Option<PhoneNumber>,
    /// A name shown, and put on the roster.
    pub name: Option<String>,
    /// How long it may ring, in seconds, 5 to 600.
    pub seconds: Option<u16>,
    /// The telephone of `from` answers by itself, where its owner opted in.
    pub auto_answer: bool,
    /// More header fields of the INVITE to `to`: names that begin with `X-`.
    #[schema(value_type = Object, example = json!({ "X-Order": "1871" }))]
    pub headers: BTreeMap<String, String>,
    /// User-to-User content (RFC 7433) for `to`.
    pub uui: Option<String>,
}

/// A call that is being made.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Dialled {
    /// The first leg that is made.
    #[schema(value_type = String)]
    pub call: LegId,
    /// The room that whoever answers is put into.
    #[schema(value_type = String)]
    pub room: RoomId,
}

/// Digits to be keyed.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Digits {
    /// `0`-`9`, `*`, `#`, `A`-`D`; `w` waits half a second, `p` or `,` two seconds.
    #[schema(value_type = String, example = "1w4711#")]
    pub digits: Secret,
}

/// What is to be heard.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Playing {
    /// What, in order.
    pub what: Vec<Playable>,
    /// From the beginning again at the end, until stopped.
    #[serde(default)]
    pub repeat: bool,
}

/// Where a call is to go.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTransfer {
    /// To whom: a number or a user of the house. Not needed with `consult`.
    #[serde(default)]
    pub to: Option<String>,
    /// For an attended transfer: the other call of the one who hands over.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub consult: Option<LegId>,
    /// More header fields for the new call: names that begin with `X-`.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub headers: BTreeMap<String, String>,
    /// User-to-User content (RFC 7433) for the new call.
    #[serde(default)]
    pub uui: Option<String>,
}

/// What is done to a call without saying more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CallVerb {
    /// Answers a caller for whom somebody is being rung, before they answer.
    Answer,
    /// Puts it on hold: the far end hears music.
    Hold,
    /// Takes it back from hold.
    Resume,
    /// Ends what is played.
    StopPlaying,
    /// Ends it.
    Hangup,
}

impl CallVerb {
    fn command(self, leg: LegId) -> Command {
        match self {
            CallVerb::Answer => Command::Answer(leg),
            CallVerb::Hold => Command::Hold(leg),
            CallVerb::Resume => Command::Unhold(leg),
            CallVerb::StopPlaying => Command::StopPlaying(leg),
            CallVerb::Hangup => Command::HangUp(leg),
        }
    }
}

impl NewCall {
    fn request(self) -> Result<DialRequest, Problem> {
        let mut check = Check::default();
        check.dialled(&self.to, "/to");
        check.headers(&self.headers, HEADERS);
        if let Some(name) = &self.name {
            check.name(name, "/name");
        }
        if let Some(seconds) = self.seconds {
            check.that((5..=RINGING).contains(&seconds), "/seconds", "let it ring 5 to 600 seconds");
        }
        check.done()?;
        Ok(DialRequest {
            to: self.to,
            from: self.from,
            room: self.room,
            caller_id: self.caller_id,
            name: self.name,
            seconds: self.seconds,
            auto_answer: self.auto_answer,
            headers: self.headers.into_iter().collect(),
            uui: self.uui,
        })
    }
}

/// Makes a call.
#[utoipa::path(post, path = "/v1/calls", tag = "calls", security(("key" = ["calls:write"])),
    params(openapi::OnceHeader), request_body = NewCall,
    responses((status = 201, body = Dialled, description = "it rings, or is about to"), openapi::Refused))]
pub async fn dial(
    State(app): State<App>,
    caller: Caller,
    once: OnceKey,
    body: Body<NewCall>,
) -> Result<Response, Problem> {
    caller.needs(Scope::CallsWrite)?;
    if body.value.from.is_none() && body.value.room.is_none() {
        return Err(Problem::field("/from", "say whose call it is, or name the room that whoever answers is put into"));
    }
    let request = body.value.request()?;
    act(&app, &caller, once, body.hash, Command::Dial(Box::new(request))).await
}

/// Rings somebody for a room, of a meeting or of a call; whoever answers has a place in it.
#[utoipa::path(post, path = "/v1/rooms/{id}/dial", tag = "calls", security(("key" = ["calls:write"])),
    params(("id" = String, Path), openapi::OnceHeader), request_body = NewCall,
    responses((status = 201, body = Dialled, description = "it rings, or is about to"), openapi::Refused))]
pub async fn dial_into(
    State(app): State<App>,
    caller: Caller,
    Id(room): Id<RoomId>,
    once: OnceKey,
    body: Body<NewCall>,
) -> Result<Response, Problem> {
    caller.needs(Scope::CallsWrite)?;
    if body.value.room.is_some_and(|named| named != room) {
        return Err(Problem::field("/room", "is another than that of the path: leave it out"));
    }
    if body.value.from.is_some() {
        return Err(Problem::field("/from", "nobody of the house is rung first here: leave it out"));
    }
    let request = Box::new(body.value.request()?);
    act(&app, &caller, once, body.hash, Command::AddToRoom { room, request }).await
}

/// Keys digits to the far end.
#[utoipa::path(post, path = "/v1/calls/{id}/digits", tag = "calls", security(("key" = ["calls:write"])),
    params(("id" = String, Path), openapi::OnceHeader), request_body = Digits,
    responses((status = 204, description = "they are being sent"), openapi::Refused))]
pub async fn digits(
    State(app): State<App>,
    caller: Caller,
    Id(leg): Id<LegId>,
    once: OnceKey,
    body: Body<Digits>,
) -> Result<Response, Problem> {
    caller.needs(Scope::CallsWrite)?;
    let digits = body.value.digits;
    let fine = |c: char| c.is_ascii_digit() || "*#ABCDabcdwWpP,".contains(c);
    let text = digits.expose();
    if !(1..=128).contains(&text.len()) || !text.chars().all(fine) {
        return Err(Problem::field("/digits", "write 1 to 128 of 0-9, *, #, A-D, and w or p to wait"));
    }
    act(&app, &caller, once, body.hash, Command::SendDigits { leg, digits }).await
}

/// Plays to the far end, over what else it hears.
#[utoipa::path(post, path = "/v1/calls/{id}/play", tag = "calls", security(("key" = ["calls:write"])),
    params(("id" = String, Path), openapi::OnceHeader), request_body = Playing,
    responses((status = 204, description = "it is heard"), openapi::Refused))]
pub async fn play(
    State(app): State<App>,
    caller: Caller,
    Id(leg): Id<LegId>,
    once: OnceKey,
    body: Body<Playing>,
) -> Result<Response, Problem> {
    caller.needs(Scope::CallsWrite)?;
    let Playing { what, repeat } = body.value;
    if !(1..=32).contains(&what.len()) {
        return Err(Problem::field("/what", "name 1 to 32 things to be played"));
    }
    let known = names();
    let mut check = Check::default();
    for (index, one) in what.iter().enumerate() {
        if let Playable::Prompt { name } = one {
            check.that(known.contains(name), &format!("/what/{index}/name"), "there is no such prompt");
        }
    }
    check.done()?;
    act(&app, &caller, once, body.hash, Command::Play { leg, what, repeat }).await
}

/// Hands a call over: its far end is to talk with somebody else instead.
#[utoipa::path(post, path = "/v1/calls/{id}/transfer", tag = "calls", security(("key" = ["calls:write"])),
    params(("id" = String, Path), openapi::OnceHeader), request_body = NewTransfer,
    responses((status = 204, description = "it is under way"), openapi::Refused))]
pub async fn transfer(
    State(app): State<App>,
    caller: Caller,
    Id(leg): Id<LegId>,
    once: OnceKey,
    body: Body<NewTransfer>,
) -> Result<Response, Problem> {
    caller.needs(Scope::CallsWrite)?;
    let NewTransfer { to, consult, headers, uui } = body.value;
    let mut check = Check::default();
    match &to {
        Some(to) => check.dialled(to, "/to"),
        None => check.that(consult.is_some(), "/to", "say to whom, or name the other call in consult"),
    }
    check.that(consult != Some(leg), "/consult", "is the call itself");
    check.headers(&headers, HEADERS);
    check.done()?;
    let headers = headers.into_iter().collect();
    let command = Command::Transfer { leg, to: to.unwrap_or_default(), consult, headers, uui };
    act(&app, &caller, once, body.hash, command).await
}

/// Brings a call into a meeting that is on, without PIN and lobby: a host or member who is there, or the key's holder,
/// vouches for whoever calls. Also a caller who is still with the attendant, or for whom somebody is rung.
#[utoipa::path(post, path = "/v1/calls/{id}/merge", tag = "calls", security(("key" = ["calls:write", "rooms:write"])),
    params(("id" = String, Path), openapi::OnceHeader), request_body = MergeRequest,
    responses((status = 204, description = "the person is in the meeting"), openapi::Refused))]
pub async fn merge(
    State(app): State<App>,
    caller: Caller,
    Id(leg): Id<LegId>,
    once: OnceKey,
    body: Body<MergeRequest>,
) -> Result<Response, Problem> {
    caller.needs(Scope::CallsWrite)?;
    caller.needs(Scope::RoomsWrite)?;
    act(&app, &caller, once, body.hash, Command::Merge { leg, request: body.value }).await
}

/// What needs no body.
#[utoipa::path(post, path = "/v1/calls/{id}/{verb}", tag = "calls", security(("key" = ["calls:write"])),
    params(("id" = String, Path), ("verb" = CallVerb, Path), openapi::OnceHeader),
    responses((status = 204, description = "done"), openapi::Refused))]
pub async fn to_call(
    State(app): State<App>,
    caller: Caller,
    Path((leg, verb)): Path<(String, String)>,
    once: OnceKey,
) -> Result<Response, Problem> {
    caller.needs(Scope::CallsWrite)?;
    let leg: LegId = leg.parse().map_err(|_| Problem::not_found("call"))?;
    let command =
        serde_json::from_value::<CallVerb>(verb.as_str().into()).map_err(|_| Problem::not_found("operation"))?;
    let hash = super::body::hash("POST", &format!("/v1/calls/{leg}/{verb}"), b"");
    act(&app, &caller, once, hash, command.command(leg)).await
}

/// Does it, or repeats the answer of then. It goes on although the client hangs up: whether somebody is rung does not
/// hang on whether the answer was read.
async fn act(app: &App, caller: &Caller, once: OnceKey, hash: [u8; 32], command: Command) -> Result<Response, Problem> {
    let Some(claim) = once.with(caller, hash, &Kept { status: 0, location: String::new(), body: String::new() }) else {
        return done(app.ask(command).await?)?.response(false);
    };
    let worker = app.clone();
    let acting = tokio::spawn(async move {
        let app = worker;
        // One at a time: of two that come at once, one is the repetition.
        let _turn = app.acting.lock().await;
        if let Some(kept) = app.handle.store().kept(&claim).await? {
            return Ok((Answered::Before(kept), claim.answer));
        }
        let now = done(app.ask(command).await?)?.0;
        app.handle.store().keep(crate::store::Idempotency { answer: now.clone(), ..claim }).await?;
        Ok::<_, Problem>((Answered::Now, now))
    });
    match acting.await {
        Ok(Ok((Answered::Before(None), now))) => answer(Answered::Before(None), now),
        Ok(Ok((Answered::Before(Some(kept)), _))) => Outcome(kept).response(true),
        Ok(Ok((Answered::Now, now))) => Outcome(now).response(false),
        Ok(Err(problem)) => Err(problem),
        Err(_) => {
            app.counts.panicked();
            Err(Problem::internal())
        }
    }
}

/// What was done, as it is answered and kept.
struct Outcome(Kept);

fn done(reply: Reply) -> Result<Outcome, Problem> {
    match reply {
        Reply::Done => {
            Ok(Outcome(Kept { status: StatusCode::NO_CONTENT.as_u16(), location: String::new(), body: String::new() }))
        }
        Reply::Dialled { call, room } => {
            super::once::created(format!("/v1/calls/{call}"), &Dialled { call, room }).map(Outcome)
        }
        _ => Err(odd()),
    }
}

impl Outcome {
    fn response(self, again: bool) -> Result<Response, Problem> {
        if !self.0.body.is_empty() {
            let answered = if again { Answered::Before(Some(self.0.clone())) } else { Answered::Now };
            return answer(answered, self.0);
        }
        let mut response = StatusCode::NO_CONTENT.into_response();
        if again {
            response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
        }
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }
}
