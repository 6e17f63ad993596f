//! Groups of extensions that ring for one number.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::error::unreadable;
use super::leads_to::nowhere;
use super::user_name::{self, Bearer};
use super::{Answered, Idempotency, Store, StoreError, idempotency};
use crate::base::id::{ExtensionId, GroupId};
use crate::route::{Group, Ring};

const SELECT: &str = "select ring_group.*, user_name.name as user, \
    (select json_group_array(extension) from \
        (select extension from ring_group_member where ring_group = ring_group.id order by place)) as members \
    from ring_group join user_name on user_name.ring_group = ring_group.id";

impl Store {
    /// Every group, by what is dialled.
    pub async fn groups(&self) -> Result<Vec<Group>, StoreError> {
        let sql = sqlx::AssertSqlSafe(format!("{SELECT} order by user_name.name"));
        let rows = sqlx::query(sql).fetch_all(&self.reads).await?;
        rows.iter().map(read).collect()
    }

    /// One group.
    pub async fn group(&self, id: GroupId) -> Result<Group, StoreError> {
        let sql = sqlx::AssertSqlSafe(format!("{SELECT} where ring_group.id = ?"));
        read(&sqlx::query(sql).bind(id.to_string()).fetch_one(&self.reads).await?)
    }

    /// Adds a group, once per idempotency key.
    pub async fn add_group(&self, group: &Group, once: Option<Idempotency>) -> Result<Answered, StoreError> {
        let mut tx = self.begin().await?;
        if let Some(kept) = idempotency::claim(&mut tx, once).await? {
            return Ok(Answered::Before(kept));
        }
        write(&mut tx, group, "insert into ring_group (id, name, ring, seconds) values (?, ?, ?, ?)").await?;
        tx.commit().await?;
        Ok(Answered::Now)
    }

    /// Writes over a group.
    pub async fn put_group(&self, group: &Group) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        write(&mut tx, group, "update ring_group set name = ?2, ring = ?3, seconds = ?4 where id = ?1").await?;
        Ok(tx.commit().await?)
    }

    /// Takes a group away; refused while a number or a rule leads to it.
    pub async fn delete_group(&self, id: GroupId) -> Result<(), StoreError> {
        let done =
            sqlx::query("delete from ring_group where id = ?").bind(id.to_string()).execute(&self.writes).await?;
        if done.rows_affected() == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }
}

async fn write(tx: &mut sqlx::SqliteConnection, group: &Group, sql: &'static str) -> Result<(), StoreError> {
    let id = group.id.to_string();
    let ring = match group.ring {
        Ring::Parallel => "parallel",
        Ring::Serial => "serial",
    };
    let done = sqlx::query(sql)
        .bind(id.clone())
        .bind(group.name.clone())
        .bind(ring)
        .bind(group.seconds)
        .execute(&mut *tx)
        .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::NotFound);
    }
    user_name::write(&mut *tx, Bearer::Group(&id), Some(&group.user)).await?;
    sqlx::query("delete from ring_group_member where ring_group = ?").bind(id.clone()).execute(&mut *tx).await?;
    for (place, member) in (1_i64..).zip(&group.members) {
        sqlx::query("insert into ring_group_member (ring_group, place, extension) values (?, ?, ?)")
            .bind(id.clone())
            .bind(place)
            .bind(member.to_string())
            .execute(&mut *tx)
            .await
            .map_err(|error| nowhere(error.into()))?;
    }
    Ok(())
}

fn read(row: &SqliteRow) -> Result<Group, StoreError> {
    let members: Vec<ExtensionId> =
        serde_json::from_str(row.try_get("members")?).map_err(|error| unreadable("ring_group_member", error))?;
    Ok(Group {
        id: row.try_get::<&str, _>("id")?.parse().map_err(|error| unreadable("ring_group.id", error))?,
        user: row.try_get("user")?,
        name: row.try_get("name")?,
        members,
        ring: if row.try_get::<&str, _>("ring")? == "serial" { Ring::Serial } else { Ring::Parallel },
        seconds: row.try_get("seconds")?,
    })
}
