//! Desk phones that fetch their settings, and the secrets by which they may: each opens once.

use std::net::IpAddr;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::error::unreadable;
use super::{Store, StoreError};
use crate::base::Utc;
use crate::base::id::{ExtensionId, PhoneId};
use crate::provision::{Family, LampKey, Mac};

/// After its first fetch a phone may ask again from the same address for this long, in milliseconds: phones fetch twice when
/// they restart to use what they read. Longer: whoever shares the phone's address may fetch the password too.
const AGAIN: i64 = 120_000;

/// A phone of the house.
#[derive(Debug, Clone, PartialEq)]
pub struct Phone {
    /// Its id.
    pub id: PhoneId,
    /// Whose telephone it is.
    pub extension: ExtensionId,
    /// Its hardware address.
    pub mac: Mac,
    /// Whose make.
    pub family: Family,
    /// Keys that show others' state.
    pub lamps: Vec<LampKey>,
    /// Until when its secret opens, where it was not used.
    pub expires: Utc,
    /// When it fetched its password.
    pub fetched: Option<Utc>,
}

impl Store {
    /// Every phone, or those of an extension, by hardware address.
    pub async fn phones(&self, of: Option<ExtensionId>) -> Result<Vec<Phone>, StoreError> {
        let rows = sqlx::query("select * from phone where ?1 is null or extension = ?1 order by mac")
            .bind(of.map(|of| of.to_string()))
            .fetch_all(&self.reads)
            .await?;
        rows.iter().map(read).collect()
    }

    /// One phone.
    pub async fn phone(&self, id: PhoneId) -> Result<Phone, StoreError> {
        read(&sqlx::query("select * from phone where id = ?").bind(id.to_string()).fetch_one(&self.reads).await?)
    }

    /// Adds a phone with a secret, or writes over it with a new one; `hash` is the secret's SHA-256.
    pub async fn put_phone(&self, phone: &Phone, hash: [u8; 32]) -> Result<(), StoreError> {
        let lamps = serde_json::to_string(&phone.lamps).map_err(|error| unreadable("phone.lamps", error))?;
        sqlx::query(
            "insert into phone (id, extension, mac, family, lamps, secret, expires) values (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
             on conflict (id) do update set extension = ?2, mac = ?3, family = ?4, lamps = ?5, secret = ?6, \
             expires = ?7, fetched = null, source = null",
        )
        .bind(phone.id.to_string())
        .bind(phone.extension.to_string())
        .bind(phone.mac.plain())
        .bind(phone.family.name())
        .bind(lamps)
        .bind(&hash[..])
        .bind(phone.expires.0)
        .execute(&self.writes)
        .await?;
        Ok(())
    }

    /// Takes a phone away; its secret opens nothing from then on.
    pub async fn delete_phone(&self, id: PhoneId) -> Result<(), StoreError> {
        let done = sqlx::query("delete from phone where id = ?").bind(id.to_string()).execute(&self.writes).await?;
        if done.rows_affected() == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }

    /// The phone of a secret that can still be used from this address; it is not used up by looking.
    pub async fn phone_of(&self, hash: [u8; 32], source: IpAddr, now: Utc) -> Result<Phone, StoreError> {
        let sql = "select * from phone where secret = ?1 and \
            ((fetched is null and expires > ?2) or (source = ?3 and fetched > ?2 - ?4))";
        let row = sqlx::query(sql)
            .bind(&hash[..])
            .bind(now.0)
            .bind(source.to_string())
            .bind(AGAIN)
            .fetch_one(&self.reads)
            .await?;
        read(&row)
    }

    /// Uses the secret up, in one step: of two who come at once, one gets in.
    pub async fn spend_phone_secret(&self, hash: [u8; 32], source: IpAddr, now: Utc) -> Result<Phone, StoreError> {
        let sql = "update phone set fetched = coalesce(fetched, ?2), source = ?3 where secret = ?1 and \
            ((fetched is null and expires > ?2) or (source = ?3 and fetched > ?2 - ?4)) returning *";
        let row = sqlx::query(sql)
            .bind(&hash[..])
            .bind(now.0)
            .bind(source.to_string())
            .bind(AGAIN)
            .fetch_one(&self.writes)
            .await?;
        read(&row)
    }
}

fn read(row: &SqliteRow) -> Result<Phone, StoreError> {
    let fault = |column: &'static str| move |error: String| unreadable(column, error);
    Ok(Phone {
        id: row.try_get::<&str, _>("id")?.parse().map_err(|error| unreadable("phone.id", error))?,
        extension: row
            .try_get::<&str, _>("extension")?
            .parse()
            .map_err(|error| unreadable("phone.extension", error))?,
        mac: row.try_get::<&str, _>("mac")?.parse().map_err(fault("phone.mac"))?,
        family: row.try_get::<&str, _>("family")?.parse().map_err(fault("phone.family"))?,
        lamps: serde_json::from_str(row.try_get("lamps")?).map_err(|error| unreadable("phone.lamps", error))?,
        expires: Utc(row.try_get("expires")?),
        fetched: row.try_get::<Option<i64>, _>("fetched")?.map(Utc),
    })
}
