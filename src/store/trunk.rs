//! Trunks.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::error::unreadable;
use super::{Answered, Idempotency, Store, StoreError, idempotency};
use crate::base::Secret;
use crate::base::id::TrunkId;
use crate::route::{Credentials, Trunk};

impl Store {
    /// Every trunk, by name.
    pub async fn trunks(&self) -> Result<Vec<Trunk>, StoreError> {
        let rows = sqlx::query("select * from trunk order by name").fetch_all(&self.reads).await?;
        rows.iter().map(read).collect()
    }

    /// One trunk.
    pub async fn trunk(&self, id: TrunkId) -> Result<Trunk, StoreError> {
        read(&sqlx::query("select * from trunk where id = ?").bind(id.to_string()).fetch_one(&self.reads).await?)
    }

    /// Adds a trunk, once per idempotency key.
    pub async fn add_trunk(&self, trunk: &Trunk, once: Option<Idempotency>) -> Result<Answered, StoreError> {
        let mut tx = self.begin().await?;
        if let Some(kept) = idempotency::claim(&mut tx, once).await? {
            return Ok(Answered::Before(kept));
        }
        write(&mut tx, trunk, "insert into trunk (id, name, networks, username, password, numbers, max_calls, enabled) values (?, ?, ?, ?, ?, ?, ?, ?)").await?;
        tx.commit().await?;
        Ok(Answered::Now)
    }

    /// Writes over a trunk.
    pub async fn put_trunk(&self, trunk: &Trunk) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let sql = "update trunk set name = ?2, networks = ?3, username = ?4, password = ?5, numbers = ?6, max_calls = ?7, enabled = ?8 where id = ?1";
        if write(&mut tx, trunk, sql).await? == 0 {
            return Err(StoreError::NotFound);
        }
        Ok(tx.commit().await?)
    }

    /// Takes a trunk away; refused while a number names it.
    pub async fn delete_trunk(&self, id: TrunkId) -> Result<(), StoreError> {
        let done = sqlx::query("delete from trunk where id = ?").bind(id.to_string()).execute(&self.writes).await?;
        if done.rows_affected() == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }
}

async fn write(tx: &mut sqlx::SqliteConnection, trunk: &Trunk, sql: &'static str) -> Result<u64, StoreError> {
    let json = |value: serde_json::Result<String>| value.map_err(|error| unreadable("trunk", error));
    let done = sqlx::query(sql)
        .bind(trunk.id.to_string())
        .bind(trunk.name.clone())
        .bind(json(serde_json::to_string(&trunk.networks))?)
        .bind(trunk.credentials.as_ref().map(|credentials| credentials.username.clone()))
        .bind(trunk.credentials.as_ref().map(|credentials| credentials.password.expose().to_owned()))
        .bind(json(serde_json::to_string(&trunk.numbers))?)
        .bind(trunk.max_calls)
        .bind(trunk.enabled)
        .execute(tx)
        .await?;
    Ok(done.rows_affected())
}

fn read(row: &SqliteRow) -> Result<Trunk, StoreError> {
    let username: Option<String> = row.try_get("username")?;
    let password: Option<String> = row.try_get("password")?;
    let id = row.try_get::<&str, _>("id")?.parse().map_err(|error| unreadable("trunk.id", error))?;
    let name: String = row.try_get("name")?;
    Ok(Trunk {
        networks: serde_json::from_str(row.try_get("networks")?)
            .map_err(|error| unreadable("trunk.networks", error))?,
        credentials: username
            .zip(password)
            .map(|(username, password)| Credentials { username, password: Secret::new(password) }),
        numbers: serde_json::from_str(row.try_get("numbers")?).map_err(|error| unreadable("trunk.numbers", error))?,
        max_calls: row.try_get("max_calls")?,
        enabled: row.try_get("enabled")?,
        ..Trunk::new(id, name)
    })
}
