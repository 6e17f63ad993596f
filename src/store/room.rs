//! Rooms and their PINs.

use serde_json::Value;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::error::unreadable;
use super::{Answered, Idempotency, Store, StoreError, idempotency};
use crate::base::RoomId;
use crate::room::RoomSettings;

/// A room that is gone as soon as this is committed; dropped, it stays.
#[derive(Debug)]
pub struct RoomDeletion(sqlx::Transaction<'static, sqlx::Sqlite>);

impl RoomDeletion {
    /// Makes it so.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.0.commit().await?)
    }
}

const SELECT: &str = "select room.id, room.name, room.settings, guest.pin as pin, host.pin as host_pin from room \
    left join room_pin guest on guest.room = room.id and guest.role = 'guest' \
    left join room_pin host on host.room = room.id and host.role = 'host'";

impl Store {
    /// Every room, by name.
    pub async fn rooms(&self) -> Result<Vec<RoomSettings>, StoreError> {
        let sql = sqlx::AssertSqlSafe(format!("{SELECT} order by room.name, room.id"));
        let rows = sqlx::query(sql).fetch_all(&self.reads).await?;
        rows.iter().map(read).collect()
    }

    /// One room.
    pub async fn room(&self, id: RoomId) -> Result<RoomSettings, StoreError> {
        let sql = sqlx::AssertSqlSafe(format!("{SELECT} where room.id = ?"));
        read(&sqlx::query(sql).bind(id.to_string()).fetch_one(&self.reads).await?)
    }

    /// Adds a room, once per idempotency key.
    pub async fn add_room(&self, room: &RoomSettings, once: Option<Idempotency>) -> Result<Answered, StoreError> {
        let mut tx = self.begin().await?;
        if let Some(kept) = idempotency::claim(&mut tx, once).await? {
            return Ok(Answered::Before(kept));
        }
        sqlx::query("insert into room (id, name, settings) values (?, ?, ?)")
            .bind(room.id.to_string())
            .bind(room.name.clone())
            .bind(rest(room)?)
            .execute(&mut *tx)
            .await?;
        write_pins(&mut tx, room).await?;
        tx.commit().await?;
        Ok(Answered::Now)
    }

    /// Writes over a room.
    pub async fn put_room(&self, room: &RoomSettings) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("update room set name = ?2, settings = ?3 where id = ?1")
            .bind(room.id.to_string())
            .bind(room.name.clone())
            .bind(rest(room)?)
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::NotFound);
        }
        sqlx::query("delete from room_pin where room = ?").bind(room.id.to_string()).execute(&mut *tx).await?;
        write_pins(&mut tx, room).await?;
        Ok(tx.commit().await?)
    }

    /// Begins to take a room away; refused while a number leads there. It is gone once committed.
    pub async fn delete_room(&self, id: RoomId) -> Result<RoomDeletion, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("delete from room where id = ?").bind(id.to_string()).execute(&mut *tx).await?;
        if done.rows_affected() == 0 { Err(StoreError::NotFound) } else { Ok(RoomDeletion(tx)) }
    }
}

async fn write_pins(tx: &mut sqlx::SqliteConnection, room: &RoomSettings) -> Result<(), StoreError> {
    for (pin, role) in [(&room.pin, "guest"), (&room.host_pin, "host")] {
        let Some(pin) = pin else { continue };
        sqlx::query("insert into room_pin (pin, room, role) values (?, ?, ?)")
            .bind(pin.expose().to_owned())
            .bind(room.id.to_string())
            .bind(role)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// The settings without what has a column of its own.
fn rest(room: &RoomSettings) -> Result<String, StoreError> {
    let mut value = serde_json::to_value(room).map_err(|error| unreadable("room.settings", error))?;
    if let Value::Object(fields) = &mut value {
        for column in ["id", "name", "pin", "host_pin"] {
            fields.remove(column);
        }
    }
    Ok(value.to_string())
}

fn read(row: &SqliteRow) -> Result<RoomSettings, StoreError> {
    let mut value: Value =
        serde_json::from_str(row.try_get("settings")?).map_err(|error| unreadable("room.settings", error))?;
    if let Value::Object(fields) = &mut value {
        fields.insert("id".into(), row.try_get::<String, _>("id")?.into());
        fields.insert("name".into(), row.try_get::<String, _>("name")?.into());
        fields.insert("pin".into(), row.try_get::<Option<String>, _>("pin")?.into());
        fields.insert("host_pin".into(), row.try_get::<Option<String>, _>("host_pin")?.into());
    }
    serde_json::from_value(value).map_err(|error| unreadable("room.settings", error))
}
