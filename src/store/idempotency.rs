//! Answers kept for a day, so that a creation asked for twice happens once.

use sqlx::Row;

use super::{Store, StoreError};
use crate::base::Utc;

/// How long an answer is kept. Longer: more rows. Shorter: a client that retries after a long outage creates twice.
pub const KEPT: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// A creation that is to happen once: who asked, under which key, what, and what the answer will be.
#[derive(Debug, Clone)]
pub struct Idempotency {
    /// Whose: keys of different API keys do not meet.
    pub api_key: String,
    /// The `Idempotency-Key` header.
    pub key: String,
    /// SHA-256 of method, path and body.
    pub request: [u8; 32],
    /// The answer, if this is the first time.
    pub answer: Kept,
    /// Now.
    pub at: Utc,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its status.
    pub status: u16,
    /// Its `Location`.
    pub location: String,
    /// Its body.
    pub body: String,
}

/// Whether a creation happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// Now.
    Now,
    /// Before: this was the answer. None: under this key something else was asked for.
    Before(Option<Kept>),
}

/// Claims the key within the creation's own transaction. `Some` when it was claimed before: the answer then, or `None`
/// inside when the request was another.
pub(crate) async fn claim(
    tx: &mut sqlx::SqliteConnection,
    once: Option<Idempotency>,
) -> Result<Option<Option<Kept>>, StoreError> {
    let Some(once) = once else { return Ok(None) };
    if let Some(kept) = find(&mut *tx, &once).await? {
        return Ok(Some(kept));
    }
    write(tx, once).await?;
    Ok(None)
}

/// The answer given before, or `None` inside when the request was another.
async fn find<'a>(
    executor: impl sqlx::Executor<'a, Database = sqlx::Sqlite>,
    once: &Idempotency,
) -> Result<Option<Option<Kept>>, StoreError> {
    let oldest = once.at.0.saturating_sub(i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX));
    let before = sqlx::query(
        "select request, status, location, answer from idempotency where api_key = ? and key = ? and at > ?",
    )
    .bind(once.api_key.clone())
    .bind(once.key.clone())
    .bind(oldest)
    .fetch_optional(executor)
    .await?;
    let Some(row) = before else { return Ok(None) };
    let request: Vec<u8> = row.try_get("request")?;
    let same = request == once.request;
    let kept =
        Kept { status: row.try_get("status")?, location: row.try_get("location")?, body: row.try_get("answer")? };
    Ok(Some(same.then_some(kept)))
}

async fn write<'a>(
    executor: impl sqlx::Executor<'a, Database = sqlx::Sqlite>,
    once: Idempotency,
) -> Result<(), StoreError> {
    sqlx::query("insert or replace into idempotency (api_key, key, request, status, location, answer, at) values (?, ?, ?, ?, ?, ?, ?)")
        .bind(once.api_key)
        .bind(once.key)
        .bind(once.request.to_vec())
        .bind(once.answer.status)
        .bind(once.answer.location)
        .bind(once.answer.body)
        .bind(once.at.0)
        .execute(executor)
        .await?;
    Ok(())
}

impl Store {
    /// The answer kept for what was done before under this key; `None` inside when that was something else. Nothing is
    /// claimed: whoever asks sees to it that nobody does the same meanwhile.
    pub async fn kept(&self, once: &Idempotency) -> Result<Option<Option<Kept>>, StoreError> {
        find(&self.writes, once).await
    }

    /// Keeps the answer of what was done.
    pub async fn keep(&self, once: Idempotency) -> Result<(), StoreError> {
        write(&self.writes, once).await
    }

    /// Forgets answers older than a day.
    pub async fn prune_idempotency(&self, now: Utc) -> Result<u64, StoreError> {
        let oldest = now.0.saturating_sub(i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX));
        let done = sqlx::query("delete from idempotency where at <= ?").bind(oldest).execute(&self.writes).await?;
        Ok(done.rows_affected())
    }
}
