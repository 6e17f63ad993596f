//! Callbacks at a set time: kept until they are over, told to ring once.

use sqlx::Row;

use super::error::unreadable;
use super::{Store, StoreError};
use crate::base::id::CallbackId;
use crate::gateway::callback::view::Kept;

impl Store {
    /// Keeps one.
    pub async fn add_callback(&self, kept: &Kept) -> Result<(), StoreError> {
        let plan = serde_json::to_string(kept).map_err(|error| unreadable("callback.plan", error))?;
        sqlx::query("insert into callback (id, room, due, plan) values (?, ?, ?, ?)")
            .bind(kept.id.to_string())
            .bind(kept.room.to_string())
            .bind(kept.at.0)
            .bind(plan)
            .execute(&self.writes)
            .await?;
        Ok(())
    }

    /// Every one that is not over, and whether it was told to ring.
    pub async fn callbacks(&self) -> Result<Vec<(Kept, bool)>, StoreError> {
        let rows = sqlx::query("select plan, claimed from callback order by due").fetch_all(&self.reads).await?;
        rows.iter()
            .map(|row| {
                let plan = serde_json::from_str(row.try_get("plan")?);
                Ok((plan.map_err(|error| unreadable("callback.plan", error))?, row.try_get("claimed")?))
            })
            .collect()
    }

    /// Notes that one is told to ring; false where that was noted before, or it is over.
    pub async fn claim_callback(&self, id: CallbackId) -> Result<bool, StoreError> {
        let sql = "update callback set claimed = 1 where id = ? and claimed = 0";
        Ok(sqlx::query(sql).bind(id.to_string()).execute(&self.writes).await?.rows_affected() > 0)
    }

    /// Forgets one that is over.
    pub async fn drop_callback(&self, id: CallbackId) -> Result<(), StoreError> {
        sqlx::query("delete from callback where id = ?").bind(id.to_string()).execute(&self.writes).await?;
        Ok(())
    }
}
