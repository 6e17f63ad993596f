//! Pictures of people: kept as they came, served by a name that nobody guesses.

use sqlx::Row;

use super::{Store, StoreError};
use crate::base::Utc;

/// Bytes of all pictures together; the oldest make room. More: a bigger file. Fewer: pictures of a long meeting go.
const MOST_BYTES: i64 = 256 * 1024 * 1024;

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Its media type, found by looking at it.
    pub kind: String,
    /// As it came.
    pub body: Vec<u8>,
}

impl Store {
    /// Keeps a picture.
    pub async fn add_picture(&self, id: &str, picture: &Picture, now: Utc) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("insert into picture (id, kind, body, created) values (?, ?, ?, ?)")
            .bind(id.to_owned())
            .bind(picture.kind.clone())
            .bind(picture.body.clone())
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        let all: Option<i64> = sqlx::query_scalar("select sum(length(body)) from picture").fetch_one(&mut *tx).await?;
        if all.is_some_and(|all| all > MOST_BYTES) {
            // As many as the new one needs, and some more, so that this is not done for each.
            sqlx::query("delete from picture where id in (select id from picture order by created, id limit 32)")
                .execute(&mut *tx)
                .await?;
        }
        Ok(tx.commit().await?)
    }

    /// A picture by its name.
    pub async fn picture(&self, id: &str) -> Result<Picture, StoreError> {
        let row = sqlx::query("select kind, body from picture where id = ?")
            .bind(id.to_owned())
            .fetch_one(&self.reads)
            .await?;
        Ok(Picture { kind: row.try_get("kind")?, body: row.try_get("body")? })
    }

    /// Forgets pictures from before this moment.
    pub async fn prune_pictures(&self, before: Utc) -> Result<u64, StoreError> {
        let done = sqlx::query("delete from picture where created < ?").bind(before.0).execute(&self.writes).await?;
        Ok(done.rows_affected())
    }
}
