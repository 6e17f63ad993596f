//! Browsers that take notifications instead of texts, by telephone number.

use sqlx::Row;

use super::error::unreadable;
use super::{Store, StoreError};
use crate::base::{PhoneNumber, Secret, Utc};
use crate::elevation::push::Subscription;

/// Browsers of one number. More: one elevation is many requests. Fewer: who has a telephone, a tablet and two computers loses one.
pub const MOST: u32 = 8;

impl Store {
    /// Keeps a browser of a number; beyond [`MOST`] the one that was proved the longest ago goes.
    pub async fn put_push(&self, number: &PhoneNumber, of: &Subscription, now: Utc) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let sql = "insert into push_subscription (number, endpoint, key, auth, proved) values (?, ?, ?, ?, ?) \
                   on conflict (number, endpoint) do update set key = excluded.key, auth = excluded.auth, proved = excluded.proved";
        sqlx::query(sql)
            .bind(number.e164())
            .bind(of.endpoint.expose())
            .bind(of.key.to_vec())
            .bind(of.auth.to_vec())
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        let sql = "delete from push_subscription where number = ?1 and endpoint not in (select endpoint from push_subscription \
                   where number = ?1 order by (endpoint = ?2) desc, proved desc, endpoint limit ?3)";
        sqlx::query(sql).bind(number.e164()).bind(of.endpoint.expose()).bind(MOST).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The browsers of a number that were proved since then.
    pub async fn pushes(&self, number: &PhoneNumber, since: Utc) -> Result<Vec<Subscription>, StoreError> {
        let sql =
            "select endpoint, key, auth from push_subscription where number = ? and proved >= ? order by proved desc";
        let rows = sqlx::query(sql).bind(number.e164()).bind(since.0).fetch_all(&self.reads).await?;
        rows.iter()
            .map(|row| {
                let (key, auth): (Vec<u8>, Vec<u8>) = (row.try_get("key")?, row.try_get("auth")?);
                Ok(Subscription {
                    endpoint: Secret::new(row.try_get::<&str, _>("endpoint")?),
                    key: key.try_into().map_err(|_| unreadable("push_subscription.key", "not 65 bytes"))?,
                    auth: auth.try_into().map_err(|_| unreadable("push_subscription.auth", "not 16 bytes"))?,
                })
            })
            .collect()
    }

    /// Forgets a browser that wants no more notifications, whosever numbers it had; it proves itself by what it shares with us.
    pub async fn withdraw_push(&self, endpoint: &str, auth: &[u8; 16]) -> Result<bool, StoreError> {
        let sql = "delete from push_subscription where endpoint = ? and auth = ?";
        let done = sqlx::query(sql).bind(endpoint).bind(auth.to_vec()).execute(&self.writes).await?;
        Ok(done.rows_affected() > 0)
    }

    /// Forgets a browser of which its push service says that it is gone.
    pub async fn drop_push(&self, endpoint: &str) -> Result<(), StoreError> {
        sqlx::query("delete from push_subscription where endpoint = ?").bind(endpoint).execute(&self.writes).await?;
        Ok(())
    }

    /// Forgets those that were not proved since then: numbers get other owners.
    pub async fn prune_pushes(&self, since: Utc) -> Result<u64, StoreError> {
        let done =
            sqlx::query("delete from push_subscription where proved < ?").bind(since.0).execute(&self.writes).await?;
        Ok(done.rows_affected())
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test has files of its own")]
mod tests {
    use super::*;

    fn browser(number: u8) -> Subscription {
        let endpoint = Secret::new(format!("https://push.example.net/{number}"));
        Subscription { endpoint, key: [number; 65], auth: [number; 16] }
    }

    #[tokio::test]
    async fn browsers_are_kept_by_number_few_of_them_and_forgotten_by_themselves_by_their_service_and_by_time() {
        let folder = std::env::temp_dir().join(format!("ringlift-store-push-{}", std::process::id()));
        let store = Store::open(&folder.join("node.db"), Utc(0)).await.unwrap().store;
        let number = |text: &str| PhoneNumber::parse(text).unwrap();
        let (ben, anna) = (number("+4915112345672"), number("+4915112345671"));
        for one in 1..=10 {
            store.put_push(&ben, &browser(one), Utc(i64::from(one))).await.unwrap();
        }
        let kept = store.pushes(&ben, Utc(0)).await.unwrap();
        assert_eq!(kept, (3..=10).rev().map(browser).collect::<Vec<_>>(), "the latest, the newest first");
        // A tablet that two share; proved anew it is the newest, with its new keys.
        store.put_push(&anna, &browser(3), Utc(20)).await.unwrap();
        let renewed = Subscription { auth: [33; 16], ..browser(3) };
        store.put_push(&ben, &renewed, Utc(21)).await.unwrap();
        let kept = store.pushes(&ben, Utc(0)).await.unwrap();
        assert!(kept.len() == 8 && kept[0] == renewed);
        assert_eq!(store.pushes(&ben, Utc(21)).await.unwrap(), [renewed]);
        let endpoint = "https://push.example.net/4";
        assert!(!store.withdraw_push(endpoint, &[5; 16]).await.unwrap(), "not without what it shares with us");
        assert!(store.withdraw_push(endpoint, &[4; 16]).await.unwrap());
        store.drop_push("https://push.example.net/3").await.unwrap();
        assert!(store.pushes(&anna, Utc(0)).await.unwrap().is_empty());
        assert_eq!(store.prune_pushes(Utc(10)).await.unwrap(), 5);
        assert_eq!(store.pushes(&ben, Utc(0)).await.unwrap(), [browser(10)]);
        store.close().await;
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
