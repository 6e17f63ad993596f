//! The event log.

use std::collections::BTreeSet;

use sqlx::{QueryBuilder, Row};

use super::error::unreadable;
use super::{Store, StoreError, webhook};
use crate::base::{RoomId, Utc};
use crate::gateway::event::Event;

/// Adds events, given as a list of lists; one that is there already stays as it is.
const INSERT: &str = "insert into event (seq, at, room, body) \
    select value ->> 0, value ->> 1, value ->> 2, value ->> 3 from json_each(?1) where true on conflict (seq) do nothing";
/// The same, and which of them were not there.
const INSERT_AND_TELL: &str = "insert into event (seq, at, room, body) \
    select value ->> 0, value ->> 1, value ->> 2, value ->> 3 from json_each(?1) where true on conflict (seq) do nothing returning seq";

impl Store {
    /// Stored events after this number, in order, at most `limit`.
    pub async fn events(&self, after: u64, room: Option<RoomId>, limit: u32) -> Result<Vec<Event>, StoreError> {
        let mut sql = QueryBuilder::new("select body from event where seq > ");
        sql.push_bind(i64::try_from(after).unwrap_or(i64::MAX));
        if let Some(room) = room {
            sql.push(" and room = ").push_bind(room.to_string());
        }
        sql.push(" order by seq limit ").push_bind(limit);
        let rows = sql.build().fetch_all(&self.reads).await?;
        rows.iter()
            .map(|row| serde_json::from_str(row.try_get("body")?).map_err(|error| unreadable("event.body", error)))
            .collect()
    }

    /// The first and the last stored number.
    pub async fn event_range(&self) -> Result<Option<(u64, u64)>, StoreError> {
        let row = sqlx::query("select min(seq), max(seq) from event").fetch_one(&self.reads).await?;
        let (first, last): (Option<i64>, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
        Ok(first.zip(last).map(|(first, last)| (u64::try_from(first).unwrap_or(0), u64::try_from(last).unwrap_or(0))))
    }

    /// Forgets events from before, never the last one: the numbering goes on from it; nor what somebody is to be told of.
    pub async fn prune_events(&self, before: Utc) -> Result<u64, StoreError> {
        let sql = "delete from event where at < ? and seq < (select max(seq) from event) \
            and not exists (select 1 from webhook_delivery d where d.seq = event.seq)";
        let done = sqlx::query(sql).bind(before.0).execute(&self.writes).await?;
        Ok(done.rows_affected())
    }
}

/// Writes events, and who is to be told of them; one that is there already stays as it is. True where somebody is.
pub(crate) async fn write<'a>(
    tx: &mut sqlx::SqliteConnection,
    events: impl Iterator<Item = &'a Event>,
) -> Result<bool, StoreError> {
    let hooks = webhook::any_enabled(tx).await?;
    let mut rows = Vec::new();
    for event in events {
        rows.push((event, serde_json::to_string(event).map_err(|error| unreadable("event", error))?));
    }
    // All of them as one text, so that the statement is read once and not each time.
    let values: Vec<_> = rows
        .iter()
        .map(|(event, body)| {
            let seq = i64::try_from(event.seq).unwrap_or(i64::MAX);
            (seq, event.at.0, event.what.room().map(|room| room.to_string()), body)
        })
        .collect();
    let values = serde_json::to_string(&values).map_err(|error| unreadable("event", error))?;
    if !hooks {
        sqlx::query(INSERT).bind(values).execute(&mut *tx).await?;
        return Ok(false);
    }
    // Each number comes back by a change of thread: only where somebody is told.
    let new: Vec<i64> = sqlx::query_scalar(INSERT_AND_TELL).bind(values).fetch_all(&mut *tx).await?;
    let new: BTreeSet<i64> = new.into_iter().collect();
    let mut told = false;
    for (event, body) in rows {
        if i64::try_from(event.seq).is_ok_and(|seq| new.contains(&seq)) {
            told |= webhook::deliver(tx, event, &body).await?;
        }
    }
    Ok(told)
}
