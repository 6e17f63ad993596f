//! `/v1/call-records`: calls from their first to their last moment.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::body::Args;
use super::caller::Caller;
use super::problem::FieldError;
use super::scope::Scope;
use super::{App, Problem, openapi, time};
use crate::base::id::{DidId, ExtensionId, TrunkId};
use crate::base::phone_number::masked_dialled;
use crate::base::{Cause, LegId, PhoneNumber, RoomId, Side, Utc};
use crate::gateway::view::{CallDirection, CallRecord};
use crate::media::command::Figures;
use crate::store::record::Filter;

/// Records in one answer, where nothing is said, and at most.
const LIMIT: (u32, u32) = (50, 500);

/// Which records.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RecordArgs {
    /// Only of this room.
    pub room: Option<String>,
    /// Only those that ended so, by the cause's name.
    pub cause: Option<String>,
    /// Begun at or after: RFC 3339, or milliseconds since 1970.
    pub since: Option<String>,
    /// Begun before.
    pub until: Option<String>,
    /// Where the page before ended: its `next`.
    pub cursor: Option<String>,
    /// At most so many, 1 to 500; 50 where absent.
    pub limit: Option<u32>,
}

/// A call record as it is shown.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct RecordView {
    /// Our id of the leg.
    #[schema(value_type = String)]
    pub id: LegId,
    /// SIP's Call-ID.
    pub call_id: String,
    /// Who rang whom.
    pub direction: CallDirection,
    /// Who rang, masked without `numbers:read`; none when withheld.
    pub from: Option<String>,
    /// What was dialled; a number outside is masked without `numbers:read`.
    pub to: String,
    /// Which trunk it came or went by.
    #[schema(value_type = Option<String>)]
    pub trunk: Option<TrunkId>,
    /// Whose telephone it was, where it was one of the house.
    #[schema(value_type = Option<String>)]
    pub extension: Option<ExtensionId>,
    /// Which number rule it matched.
    #[schema(value_type = Option<String>)]
    pub did: Option<DidId>,
    /// The last room it was in.
    #[schema(value_type = Option<String>)]
    pub room: Option<RoomId>,
    /// When the INVITE came, RFC 3339.
    pub began: String,
    /// When it was answered.
    pub answered: Option<String>,
    /// When it ended; none while it is up.
    pub ended: Option<String>,
    /// From answer to end, in milliseconds.
    pub talked_ms: Option<i64>,
    /// Why it ended.
    pub cause: Option<Cause>,
    /// Whose side that was.
    pub side: Option<Side>,
    /// What its media amounted to.
    pub figures: Option<Figures>,
}

/// A page of records.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct RecordList {
    /// The newest first.
    pub items: Vec<RecordView>,
    /// The `cursor` of the next page; none at the end.
    pub next: Option<String>,
}

impl RecordView {
    /// As this reader may see it.
    pub fn of(record: CallRecord, numbers: bool) -> Self {
        let talked = record.answered.zip(record.ended).map(|(answered, ended)| ended.0.saturating_sub(answered.0));
        Self {
            id: record.id,
            call_id: record.call_id,
            direction: record.direction,
            from: record.from.map(|from| if numbers { from } else { masked(&from) }),
            to: {
                // By which number of ours we are called is no secret of anybody's.
                let ours = record.direction == CallDirection::Inbound && record.extension.is_none();
                if numbers || ours { record.to } else { masked_dialled(&record.to) }
            },
            trunk: record.trunk,
            extension: record.extension,
            did: record.did,
            room: record.room,
            began: record.began.to_string(),
            answered: record.answered.map(|at| at.to_string()),
            ended: record.ended.map(|at| at.to_string()),
            talked_ms: talked,
            cause: record.cause,
            side: record.cause.map(Cause::side),
            figures: record.figures,
        }
    }
}

/// What is no telephone number is hidden whole: it may be one that we do not know to read.
fn masked(from: &str) -> String {
    PhoneNumber::parse(from).map_or_else(|| "•••".to_owned(), |number| number.masked())
}

impl RecordArgs {
    fn filter(&self) -> Result<Filter, Problem> {
        let mut wrong = Vec::new();
        let mut note = |name: &str, detail: &str| {
            wrong.push(FieldError { pointer: format!("?{name}"), detail: detail.to_owned() });
        };
        let mut filter = Filter { limit: self.limit.unwrap_or(LIMIT.0), ..Filter::default() };
        if !(1..=LIMIT.1).contains(&filter.limit) {
            note("limit", "write 1 to 500");
        }
        if let Some(room) = &self.room {
            match room.parse() {
                Ok(room) => filter.room = Some(room),
                Err(_) => note("room", "write a room's id"),
            }
        }
        if let Some(cause) = &self.cause {
            match serde_json::from_value(cause.as_str().into()) {
                Ok(cause) => filter.cause = Some(cause),
                Err(_) => note("cause", "no such cause"),
            }
        }
        for (name, value, field) in
            [("since", &self.since, &mut filter.since), ("until", &self.until, &mut filter.until)]
        {
            if let Some(text) = value {
                *field = time::parse(text);
                if field.is_none() {
                    note(name, "write a time such as 2026-03-01T12:00:00Z");
                }
            }
        }
        if let Some(cursor) = &self.cursor {
            let read = cursor.split_once('.').and_then(|(at, id)| Some((Utc(at.parse().ok()?), id.parse().ok()?)));
            match read {
                Some(after) => filter.after = Some(after),
                None => note("cursor", "send what `next` said"),
            }
        }
        if wrong.is_empty() {
            return Ok(filter);
        }
        Err(Problem::new(axum::http::StatusCode::BAD_REQUEST, "bad-query", "a query parameter is wrong").about(wrong))
    }
}

/// Call records, the newest first.
#[utoipa::path(get, path = "/v1/call-records", tag = "calls", security(("key" = ["calls:read"])),
    params(RecordArgs), responses((status = 200, body = RecordList), openapi::Refused))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Args(args): Args<RecordArgs>,
) -> Result<Json<RecordList>, Problem> {
    caller.needs(Scope::CallsRead)?;
    let mut filter = args.filter()?;
    let limit = filter.limit;
    filter.limit += 1;
    let mut records = app.handle.store().records(&filter).await?;
    let more = records.len() > limit as usize;
    records.truncate(limit as usize);
    let next = records.last().filter(|_| more).map(|last| format!("{}.{}", last.began.0, last.id));
    let numbers = caller.has(Scope::NumbersRead);
    Ok(Json(RecordList { items: records.into_iter().map(|record| RecordView::of(record, numbers)).collect(), next }))
}
