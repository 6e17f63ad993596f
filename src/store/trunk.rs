//! Trunks.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::error::unreadable;
use super::user_name::{self, Bearer};
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
        let sql = "insert into trunk (id, name, networks, username, password, numbers, max_calls, enabled, profile, calls_per_second, outbound, tls, limits, identity, relay, callback) \
            values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        write(&mut tx, trunk, sql).await?;
        tx.commit().await?;
        Ok(Answered::Now)
    }

    /// Writes over a trunk.
    pub async fn put_trunk(&self, trunk: &Trunk) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let sql = "update trunk set name = ?2, networks = ?3, username = ?4, password = ?5, numbers = ?6, max_calls = ?7, enabled = ?8, profile = ?9, \
            calls_per_second = ?10, outbound = ?11, tls = ?12, limits = ?13, identity = ?14, relay = ?15, callback = ?16 where id = ?1";
        write(&mut tx, trunk, sql).await?;
        Ok(tx.commit().await?)
    }

    /// Takes a trunk away; refused while a number or a rule names it.
    pub async fn delete_trunk(&self, id: TrunkId) -> Result<(), StoreError> {
        let done = sqlx::query("delete from trunk where id = ?").bind(id.to_string()).execute(&self.writes).await?;
        if done.rows_affected() == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }
}

async fn write(tx: &mut sqlx::SqliteConnection, trunk: &Trunk, sql: &'static str) -> Result<(), StoreError> {
    let id = trunk.id.to_string();
    let credentials = trunk.credentials.as_ref();
    let done = sqlx::query(sql)
        .bind(id.clone())
        .bind(trunk.name.clone())
        .bind(json(&trunk.networks)?)
        .bind(credentials.map(|credentials| credentials.username.clone()))
        .bind(credentials.map(|credentials| credentials.password.expose().to_owned()))
        .bind(json(&trunk.numbers)?)
        .bind(trunk.max_calls)
        .bind(trunk.enabled)
        .bind(trunk.profile.clone())
        .bind(trunk.calls_per_second)
        .bind(trunk.outbound.as_ref().map(json).transpose()?)
        .bind(trunk.tls.as_ref().map(json).transpose()?)
        .bind(json(&trunk.limits)?)
        .bind(json(&trunk.identity)?)
        .bind(trunk.relay.map(|relay| relay.to_string()))
        .bind(trunk.callback.as_ref().map(json).transpose()?)
        .execute(&mut *tx)
        .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::NotFound);
    }
    user_name::write(tx, Bearer::Trunk(&id), credentials.map(|credentials| credentials.username.as_str())).await
}

fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| unreadable("trunk", error))
}

/// A column of JSON; none where nothing was written.
fn parsed<T: DeserializeOwned>(row: &SqliteRow, column: &str) -> Result<Option<T>, StoreError> {
    let text: Option<&str> = row.try_get(column)?;
    text.map(serde_json::from_str).transpose().map_err(|error| unreadable(&format!("trunk.{column}"), error))
}

fn read(row: &SqliteRow) -> Result<Trunk, StoreError> {
    let username: Option<String> = row.try_get("username")?;
    let password: Option<String> = row.try_get("password")?;
    let id = row.try_get::<&str, _>("id")?.parse().map_err(|error| unreadable("trunk.id", error))?;
    let plain = Trunk::new(id, row.try_get::<String, _>("name")?);
    Ok(Trunk {
        networks: parsed(row, "networks")?.unwrap_or_default(),
        credentials: username
            .zip(password)
            .map(|(username, password)| Credentials { username, password: Secret::new(password) }),
        numbers: parsed(row, "numbers")?.unwrap_or_default(),
        max_calls: row.try_get("max_calls")?,
        calls_per_second: row.try_get("calls_per_second")?,
        enabled: row.try_get("enabled")?,
        profile: row.try_get("profile")?,
        outbound: parsed(row, "outbound")?,
        callback: parsed(row, "callback")?,
        tls: parsed(row, "tls")?,
        limits: parsed(row, "limits")?.unwrap_or(plain.limits),
        identity: parsed(row, "identity")?.unwrap_or_default(),
        relay: row
            .try_get::<Option<&str>, _>("relay")?
            .map(str::parse)
            .transpose()
            .map_err(|error| unreadable("trunk.relay", error))?,
        id: plain.id,
        name: plain.name,
    })
}
