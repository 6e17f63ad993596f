//! Numbers routed to us.

use std::collections::BTreeSet;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::error::unreadable;
use super::leads_to::{self, Owner};
use super::{Answered, Idempotency, Store, StoreError, idempotency};
use crate::base::id::DidId;
use crate::route::{Did, Table};

impl Store {
    /// Everything that routing looks at, as it is at start.
    pub async fn table(&self) -> Result<Table, StoreError> {
        let trunks = self.trunks().await?.into_iter().map(|trunk| (trunk.id, trunk)).collect();
        let dids = self.dids().await?.into_iter().map(|did| (did.id, did)).collect();
        let extensions = self.extensions().await?.into_iter().collect();
        let groups = self.groups().await?.into_iter().map(|group| (group.id, group)).collect();
        let rules = self.rules().await?;
        let rooms = self.rooms().await?.into_iter().map(|room| room.id).collect();
        Ok(Table { trunks, dids, extensions, groups, rules, rooms, ..Table::default() })
    }

    /// Every number, in order.
    pub async fn dids(&self) -> Result<Vec<Did>, StoreError> {
        let rows = sqlx::query("select * from did order by called, id").fetch_all(&self.reads).await?;
        rows.iter().map(read).collect()
    }

    /// One number.
    pub async fn did(&self, id: DidId) -> Result<Did, StoreError> {
        read(&sqlx::query("select * from did where id = ?").bind(id.to_string()).fetch_one(&self.reads).await?)
    }

    /// Adds a number, once per idempotency key.
    pub async fn add_did(&self, did: &Did, once: Option<Idempotency>) -> Result<Answered, StoreError> {
        let mut tx = self.begin().await?;
        if let Some(kept) = idempotency::claim(&mut tx, once).await? {
            return Ok(Answered::Before(kept));
        }
        let sql = "insert into did (id, called, trunk, leads_to, languages, elevation) values (?, ?, ?, ?, ?, ?)";
        write(&mut tx, did, sql).await?;
        tx.commit().await?;
        Ok(Answered::Now)
    }

    /// Writes over a number.
    pub async fn put_did(&self, did: &Did) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let sql = "update did set called = ?2, trunk = ?3, leads_to = ?4, languages = ?5, elevation = ?6 where id = ?1";
        write(&mut tx, did, sql).await?;
        Ok(tx.commit().await?)
    }

    /// Takes a number away.
    pub async fn delete_did(&self, id: DidId) -> Result<(), StoreError> {
        let done = sqlx::query("delete from did where id = ?").bind(id.to_string()).execute(&self.writes).await?;
        if done.rows_affected() == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }
}

async fn write(tx: &mut sqlx::SqliteConnection, did: &Did, sql: &'static str) -> Result<(), StoreError> {
    let id = did.id.to_string();
    let done = sqlx::query(sql)
        .bind(id.clone())
        .bind(did.called.to_string())
        .bind(did.trunk.map(|trunk| trunk.to_string()))
        .bind(serde_json::to_string(&did.action).map_err(|error| unreadable("did.leads_to", error))?)
        .bind(serde_json::to_string(&did.languages).map_err(|error| unreadable("did.languages", error))?)
        .bind(serde_json::to_string(&did.elevation).map_err(|error| unreadable("did.elevation", error))?)
        .execute(&mut *tx)
        .await
        .map_err(|error| leads_to::nowhere(error.into()))?;
    if done.rows_affected() == 0 {
        return Err(StoreError::NotFound);
    }
    let mut ends = BTreeSet::new();
    leads_to::of_destination(&did.action, &mut ends);
    leads_to::write(tx, Owner::Did(&id), &ends).await
}

fn read(row: &SqliteRow) -> Result<Did, StoreError> {
    let trunk: Option<&str> = row.try_get("trunk")?;
    Ok(Did {
        id: row.try_get::<&str, _>("id")?.parse().map_err(|error| unreadable("did.id", error))?,
        called: row.try_get::<&str, _>("called")?.parse().map_err(|error| unreadable("did.called", error))?,
        trunk: trunk.map(str::parse).transpose().map_err(|error| unreadable("did.trunk", error))?,
        action: serde_json::from_str(row.try_get("leads_to")?).map_err(|error| unreadable("did.leads_to", error))?,
        languages: serde_json::from_str(row.try_get("languages")?)
            .map_err(|error| unreadable("did.languages", error))?,
        elevation: serde_json::from_str(row.try_get("elevation")?)
            .map_err(|error| unreadable("did.elevation", error))?,
    })
}
