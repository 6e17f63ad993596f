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

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test has files of its own")]
mod tests {
    use super::*;
    use crate::base::{RoomId, Secret, Utc};
    use crate::room::RoomSettings;
    use crate::route::Hours;

    #[tokio::test]
    async fn a_callback_is_told_to_ring_once_whoever_asks_and_however_often_the_node_begins() {
        let folder = std::env::temp_dir().join(format!("ringlift-store-callback-{}", std::process::id()));
        let file = folder.join("node.db");
        let store = Store::open(&file, Utc(0)).await.unwrap().store;
        let room = RoomId::from_bits(7);
        store.add_room(&RoomSettings::new(room, "Room"), None).await.unwrap();
        let quiet: Hours = serde_json::from_str(r#"{"zone":"Europe/Berlin","times":["22:00-07:00"]}"#).unwrap();
        let of = |bits, at| Kept {
            id: CallbackId::from_bits(bits),
            room,
            to: Secret::new("+4930555777"),
            name: Some("Carla".into()),
            press_one: true,
            at: Utc(at),
            quiet: Some(quiet.clone()),
        };
        for kept in [of(2, 2000), of(1, 1000)] {
            store.add_callback(&kept).await.unwrap();
        }
        assert_eq!(store.callbacks().await.unwrap(), [(of(1, 1000), false), (of(2, 2000), false)]);
        assert!(store.claim_callback(CallbackId::from_bits(1)).await.unwrap());
        assert!(!store.claim_callback(CallbackId::from_bits(1)).await.unwrap(), "once");
        store.close().await;
        drop(store);
        let store = Store::open(&file, Utc(0)).await.unwrap().store;
        assert!(!store.claim_callback(CallbackId::from_bits(1)).await.unwrap(), "not after a restart either");
        assert_eq!(store.callbacks().await.unwrap(), [(of(1, 1000), true), (of(2, 2000), false)]);
        store.drop_callback(CallbackId::from_bits(1)).await.unwrap();
        assert!(!store.claim_callback(CallbackId::from_bits(1)).await.unwrap());
        assert_eq!(store.callbacks().await.unwrap().len(), 1);
        store.close().await;
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
