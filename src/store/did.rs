//! Numbers routed to us.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::error::{Constraint, unreadable};
use super::{Answered, Idempotency, Store, StoreError, idempotency};
use crate::base::id::DidId;
use crate::route::{Destination, Did, Table};

impl Store {
    /// Trunks and numbers, as routing wants them at start.
    pub async fn table(&self) -> Result<Table, StoreError> {
        let trunks = self.trunks().await?.into_iter().map(|trunk| (trunk.id, trunk)).collect();
        let dids = self.dids().await?.into_iter().map(|did| (did.id, did)).collect();
        let rooms = self.rooms().await?.into_iter().map(|room| room.id).collect();
        Ok(Table { trunks, dids, rooms, ..Table::default() })
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
        let sql = "insert into did (id, called, trunk, leads_to, room, cause, languages) values (?, ?, ?, ?, ?, ?, ?)";
        write(&mut tx, did, sql).await?;
        tx.commit().await?;
        Ok(Answered::Now)
    }

    /// Writes over a number.
    pub async fn put_did(&self, did: &Did) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let sql = "update did set called = ?2, trunk = ?3, leads_to = ?4, room = ?5, cause = ?6, languages = ?7 where id = ?1";
        if write(&mut tx, did, sql).await? == 0 {
            return Err(StoreError::NotFound);
        }
        Ok(tx.commit().await?)
    }

    /// Takes a number away.
    pub async fn delete_did(&self, id: DidId) -> Result<(), StoreError> {
        let done = sqlx::query("delete from did where id = ?").bind(id.to_string()).execute(&self.writes).await?;
        if done.rows_affected() == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }
}

async fn write(tx: &mut sqlx::SqliteConnection, did: &Did, sql: &'static str) -> Result<u64, StoreError> {
    let (leads_to, room, cause) = match &did.action {
        Destination::Attendant {} => ("attendant", None, None),
        Destination::Room { room } => ("room", Some(room.to_string()), None),
        Destination::Refuse { cause } => ("refuse", None, Some(super::record::cause_name(*cause))),
        Destination::Extension { .. }
        | Destination::Group { .. }
        | Destination::Trunk { .. }
        | Destination::Webhook { .. } => {
            return Err(unreadable("did.leads_to", "a number leads to the attendant, a room or a refusal"));
        }
    };
    let done = sqlx::query(sql)
        .bind(did.id.to_string())
        .bind(did.called.to_string())
        .bind(did.trunk.map(|trunk| trunk.to_string()))
        .bind(leads_to)
        .bind(room.clone())
        .bind(cause)
        .bind(serde_json::to_string(&did.languages).map_err(|error| unreadable("did.languages", error))?)
        .execute(&mut *tx)
        .await
        .map_err(StoreError::from);
    match done {
        // SQLite does not say which reference hangs in the air.
        Err(StoreError::Constraint(Constraint::StillUsed)) => {
            let here: i64 =
                sqlx::query_scalar("select count(*) from room where id = ?").bind(room.clone()).fetch_one(tx).await?;
            let missing = if room.is_some() && here == 0 { Constraint::NoSuchRoom } else { Constraint::NoSuchTrunk };
            Err(StoreError::Constraint(missing))
        }
        other => Ok(other?.rows_affected()),
    }
}

fn read(row: &SqliteRow) -> Result<Did, StoreError> {
    let room: Option<&str> = row.try_get("room")?;
    let cause: Option<&str> = row.try_get("cause")?;
    let action = match (row.try_get::<&str, _>("leads_to")?, room, cause) {
        ("room", Some(room), _) => {
            Destination::Room { room: room.parse().map_err(|error| unreadable("did.room", error))? }
        }
        ("refuse", _, Some(cause)) => Destination::Refuse {
            cause: super::record::read_cause(cause)
                .ok_or_else(|| unreadable("did.cause", "not a cause this version knows"))?,
        },
        _ => Destination::Attendant {},
    };
    let trunk: Option<&str> = row.try_get("trunk")?;
    Ok(Did {
        id: row.try_get::<&str, _>("id")?.parse().map_err(|error| unreadable("did.id", error))?,
        called: row.try_get::<&str, _>("called")?.parse().map_err(|error| unreadable("did.called", error))?,
        trunk: trunk.map(str::parse).transpose().map_err(|error| unreadable("did.trunk", error))?,
        action,
        languages: serde_json::from_str(row.try_get("languages")?)
            .map_err(|error| unreadable("did.languages", error))?,
    })
}
