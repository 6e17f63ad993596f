//! Call records.

use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row};

use super::error::unreadable;
use super::{Store, StoreError};
use crate::base::{Cause, LegId, RoomId, Utc};
use crate::gateway::view::{CallDirection, CallRecord};
use crate::media::command::Figures;

/// Which records, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only of this room.
    pub room: Option<RoomId>,
    /// Only those that ended so.
    pub cause: Option<Cause>,
    /// Begun at or after.
    pub since: Option<Utc>,
    /// Begun before.
    pub until: Option<Utc>,
    /// After this record in the order: its beginning and id.
    pub after: Option<(Utc, LegId)>,
    /// At most so many.
    pub limit: u32,
}

impl Store {
    /// Records that fit, newest first.
    pub async fn records(&self, filter: &Filter) -> Result<Vec<CallRecord>, StoreError> {
        let mut sql = QueryBuilder::new("select * from call_record where true");
        if let Some(room) = filter.room {
            sql.push(" and room = ").push_bind(room.to_string());
        }
        if let Some(cause) = filter.cause {
            sql.push(" and cause = ").push_bind(cause_name(cause));
        }
        if let Some(since) = filter.since {
            sql.push(" and began >= ").push_bind(since.0);
        }
        if let Some(until) = filter.until {
            sql.push(" and began < ").push_bind(until.0);
        }
        if let Some((began, id)) = filter.after {
            sql.push(" and (began, id) < (").push_bind(began.0).push(", ").push_bind(id.to_string()).push(")");
        }
        sql.push(" order by began desc, id desc limit ").push_bind(filter.limit);
        let rows = sql.build().fetch_all(&self.reads).await?;
        rows.iter().map(read).collect()
    }

    /// One record.
    pub async fn record(&self, id: LegId) -> Result<CallRecord, StoreError> {
        read(&sqlx::query("select * from call_record where id = ?").bind(id.to_string()).fetch_one(&self.reads).await?)
    }

    /// Forgets records of calls that ended before.
    pub async fn prune_records(&self, before: Utc) -> Result<u64, StoreError> {
        let done = sqlx::query("delete from call_record where ended < ?").bind(before.0).execute(&self.writes).await?;
        Ok(done.rows_affected())
    }
}

/// Writes a record, over what is there. A measurement that came before it is kept.
pub(crate) async fn write(tx: &mut sqlx::SqliteConnection, record: &CallRecord) -> Result<(), StoreError> {
    sqlx::query(
        "insert into call_record (id, call_id, caller, called, trunk, did, room, began, answered, ended, cause, figures, direction, extension) \
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         on conflict (id) do update set room = excluded.room, trunk = excluded.trunk, answered = excluded.answered, ended = excluded.ended, \
         cause = excluded.cause, figures = coalesce(excluded.figures, figures)",
    )
    .bind(record.id.to_string())
    .bind(record.call_id.clone())
    .bind(record.from.clone())
    .bind(record.to.clone())
    .bind(record.trunk.map(|id| id.to_string()))
    .bind(record.did.map(|id| id.to_string()))
    .bind(record.room.map(|id| id.to_string()))
    .bind(record.began.0)
    .bind(record.answered.map(|at| at.0))
    .bind(record.ended.map(|at| at.0))
    .bind(record.cause.map(cause_name))
    .bind(record.figures.and_then(|figures| serde_json::to_string(&figures).ok()))
    .bind(match record.direction {
        CallDirection::Inbound => "inbound",
        CallDirection::Outbound => "outbound",
    })
    .bind(record.extension.map(|id| id.to_string()))
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes figures that came after the end.
pub(crate) async fn write_figures(
    tx: &mut sqlx::SqliteConnection,
    leg: LegId,
    figures: &Figures,
) -> Result<(), StoreError> {
    sqlx::query("update call_record set figures = ? where id = ?")
        .bind(serde_json::to_string(figures).ok())
        .bind(leg.to_string())
        .execute(tx)
        .await?;
    Ok(())
}

fn read(row: &SqliteRow) -> Result<CallRecord, StoreError> {
    fn id<T: std::str::FromStr<Err = crate::base::id::NotAnId>>(text: Option<&str>) -> Result<Option<T>, StoreError> {
        text.map(str::parse).transpose().map_err(|error| unreadable("call_record", error))
    }
    Ok(CallRecord {
        id: row.try_get::<&str, _>("id")?.parse().map_err(|error| unreadable("call_record.id", error))?,
        call_id: row.try_get("call_id")?,
        from: row.try_get("caller")?,
        to: row.try_get("called")?,
        direction: match row.try_get::<&str, _>("direction")? {
            "outbound" => CallDirection::Outbound,
            _ => CallDirection::Inbound,
        },
        extension: id(row.try_get("extension")?)?,
        trunk: id(row.try_get("trunk")?)?,
        did: id(row.try_get("did")?)?,
        room: id(row.try_get("room")?)?,
        began: Utc(row.try_get("began")?),
        answered: row.try_get::<Option<i64>, _>("answered")?.map(Utc),
        ended: row.try_get::<Option<i64>, _>("ended")?.map(Utc),
        cause: row.try_get::<Option<&str>, _>("cause")?.map(|name| read_cause(name).unwrap_or(Cause::Internal)),
        // Figures that cannot be read (of another version) are no reason to withhold the record.
        figures: row.try_get::<Option<&str>, _>("figures")?.and_then(|text| serde_json::from_str(text).ok()),
    })
}

/// A cause by the name it has in JSON.
pub(crate) fn cause_name(cause: Cause) -> String {
    match serde_json::to_value(cause) {
        Ok(serde_json::Value::String(name)) => name,
        Ok(_) | Err(_) => "internal".to_owned(),
    }
}

/// The cause of that name.
pub(crate) fn read_cause(name: &str) -> Option<Cause> {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).ok()
}
