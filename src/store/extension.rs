//! Extensions.

use serde_json::Value;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::error::unreadable;
use super::user_name::{self, Bearer};
use super::{Answered, Idempotency, Store, StoreError, idempotency};
use crate::base::id::ExtensionId;
use crate::route::Extension;

const SELECT: &str = "select extension.*, user_name.name as user from extension \
    join user_name on user_name.extension = extension.id";

/// What has a column of its own.
const COLUMNS: [&str; 7] = ["id", "user", "name", "password", "number", "enabled", "dnd"];

impl Store {
    /// Every extension, by user name.
    pub async fn extensions(&self) -> Result<Vec<Extension>, StoreError> {
        let sql = sqlx::AssertSqlSafe(format!("{SELECT} order by user_name.name"));
        let rows = sqlx::query(sql).fetch_all(&self.reads).await?;
        rows.iter().map(read).collect()
    }

    /// One extension.
    pub async fn extension(&self, id: ExtensionId) -> Result<Extension, StoreError> {
        let sql = sqlx::AssertSqlSafe(format!("{SELECT} where extension.id = ?"));
        read(&sqlx::query(sql).bind(id.to_string()).fetch_one(&self.reads).await?)
    }

    /// Adds an extension, once per idempotency key.
    pub async fn add_extension(
        &self,
        extension: &Extension,
        once: Option<Idempotency>,
    ) -> Result<Answered, StoreError> {
        let mut tx = self.begin().await?;
        if let Some(kept) = idempotency::claim(&mut tx, once).await? {
            return Ok(Answered::Before(kept));
        }
        let sql =
            "insert into extension (id, name, password, number, enabled, dnd, settings) values (?, ?, ?, ?, ?, ?, ?)";
        write(&mut tx, extension, sql).await?;
        tx.commit().await?;
        Ok(Answered::Now)
    }

    /// Writes over an extension.
    pub async fn put_extension(&self, extension: &Extension) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let sql = "update extension set name = ?2, password = ?3, number = ?4, enabled = ?5, dnd = ?6, settings = ?7 where id = ?1";
        write(&mut tx, extension, sql).await?;
        Ok(tx.commit().await?)
    }

    /// Takes an extension away; refused while a number, a rule or a group names it.
    pub async fn delete_extension(&self, id: ExtensionId) -> Result<(), StoreError> {
        let done = sqlx::query("delete from extension where id = ?").bind(id.to_string()).execute(&self.writes).await?;
        if done.rows_affected() == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }
}

async fn write(tx: &mut sqlx::SqliteConnection, extension: &Extension, sql: &'static str) -> Result<(), StoreError> {
    let id = extension.id.to_string();
    let mut settings = serde_json::to_value(extension).map_err(|error| unreadable("extension.settings", error))?;
    if let Value::Object(fields) = &mut settings {
        for column in COLUMNS {
            fields.remove(column);
        }
    }
    let done = sqlx::query(sql)
        .bind(id.clone())
        .bind(extension.name.clone())
        .bind(extension.password.expose().to_owned())
        .bind(extension.number.as_ref().map(|number| number.e164()))
        .bind(extension.enabled)
        .bind(extension.dnd)
        .bind(settings.to_string())
        .execute(&mut *tx)
        .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::NotFound);
    }
    user_name::write(tx, Bearer::Extension(&id), Some(&extension.user)).await
}

fn read(row: &SqliteRow) -> Result<Extension, StoreError> {
    let mut value: Value =
        serde_json::from_str(row.try_get("settings")?).map_err(|error| unreadable("extension.settings", error))?;
    if let Value::Object(fields) = &mut value {
        for column in ["id", "user", "name", "password"] {
            fields.insert(column.into(), row.try_get::<String, _>(column)?.into());
        }
        fields.insert("number".into(), row.try_get::<Option<String>, _>("number")?.into());
        for column in ["enabled", "dnd"] {
            fields.insert(column.into(), row.try_get::<bool, _>(column)?.into());
        }
    }
    serde_json::from_value(value).map_err(|error| unreadable("extension.settings", error))
}
