//! API keys: 256 random bits shown once, of which only the SHA-256 is kept.

use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::error::unreadable;
use super::{Store, StoreError};
use crate::base::id::KeyId;
use crate::base::{Secret, Utc};

/// What a key begins with, so that people and secret scanners know one when they see it.
const PREFIX: &str = "rlk_";

/// An API key as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its public half.
    pub id: KeyId,
    /// What people call it.
    pub name: String,
    /// What it may do, by the API's names.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created: Utc,
    /// When it was revoked.
    pub revoked: Option<Utc>,
}

/// Whether a key was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    /// It opens nothing any more.
    Done,
    /// It is the last of its kind and stays.
    Kept,
}

impl Store {
    /// Makes a key and returns it with its secret half, which is not kept.
    pub async fn add_key(&self, name: &str, scopes: &[String], now: Utc) -> Result<(ApiKey, Secret), StoreError> {
        let mut random = [0u8; 40];
        getrandom::fill(&mut random).map_err(|error| StoreError::Internal(format!("no randomness: {error}")))?;
        let (secret, id) = random.split_at(32);
        let id = KeyId::from_bits(id.iter().fold(0, |bits, byte| (bits << 8) | u64::from(*byte)));
        let shown: String = PREFIX.chars().chain(secret.iter().flat_map(|byte| hex(*byte))).collect();
        let key = ApiKey { id, name: name.to_owned(), scopes: scopes.to_vec(), created: now, revoked: None };
        sqlx::query("insert into api_key (id, name, hash, scopes, created) values (?, ?, ?, ?, ?)")
            .bind(key.id.to_string())
            .bind(key.name.clone())
            .bind(hash(&shown))
            .bind(serde_json::to_string(&key.scopes).map_err(|error| unreadable("api_key.scopes", error))?)
            .bind(now.0)
            .execute(&self.writes)
            .await?;
        Ok((key, Secret::new(shown)))
    }

    /// The key whose secret half this is; not one that was revoked.
    pub async fn key_by_secret(&self, shown: &str) -> Result<Option<ApiKey>, StoreError> {
        if !shown.starts_with(PREFIX) || shown.len() != PREFIX.len() + 64 {
            return Ok(None);
        }
        let row = sqlx::query("select * from api_key where hash = ? and revoked is null")
            .bind(hash(shown))
            .fetch_optional(&self.reads)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// A key by its public half; not one that was revoked.
    pub async fn live_key(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
        let row = sqlx::query("select * from api_key where id = ? and revoked is null")
            .bind(id.to_string())
            .fetch_optional(&self.reads)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// Every key, the oldest first.
    pub async fn keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        let rows = sqlx::query("select * from api_key order by created, id").fetch_all(&self.reads).await?;
        rows.iter().map(read).collect()
    }

    /// Revokes a key, for good; but not the last that opens with the scope `keep`. Decided in one transaction: of two that
    /// would each leave the other, one stays.
    pub async fn revoke_key(&self, id: KeyId, keep: &str, now: Utc) -> Result<Revoked, StoreError> {
        let mut tx = self.begin().await?;
        let id = id.to_string();
        let row = sqlx::query("select * from api_key where id = ?").bind(id.clone()).fetch_one(&mut *tx).await?;
        let key = read(&row)?;
        if key.revoked.is_none() && key.scopes.iter().any(|scope| scope == keep) {
            let others: i64 = sqlx::query_scalar(
                "select count(*) from api_key where id <> ? and revoked is null \
                 and exists (select 1 from json_each(scopes) where value = ?)",
            )
            .bind(id.clone())
            .bind(keep.to_owned())
            .fetch_one(&mut *tx)
            .await?;
            if others == 0 {
                return Ok(Revoked::Kept);
            }
        }
        sqlx::query("update api_key set revoked = coalesce(revoked, ?) where id = ?")
            .bind(now.0)
            .bind(id)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(Revoked::Done)
    }

    /// Forgets a key that nobody has seen.
    pub async fn forget_key(&self, id: KeyId) -> Result<(), StoreError> {
        sqlx::query("delete from api_key where id = ?").bind(id.to_string()).execute(&self.writes).await?;
        Ok(())
    }
}

fn hash(shown: &str) -> Vec<u8> {
    Sha256::digest(shown.as_bytes()).to_vec()
}

fn hex(byte: u8) -> [char; 2] {
    [byte >> 4, byte & 15].map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('0'))
}

fn read(row: &SqliteRow) -> Result<ApiKey, StoreError> {
    Ok(ApiKey {
        id: row.try_get::<&str, _>("id")?.parse().map_err(|error| unreadable("api_key.id", error))?,
        name: row.try_get("name")?,
        scopes: serde_json::from_str(row.try_get("scopes")?).map_err(|error| unreadable("api_key.scopes", error))?,
        created: Utc(row.try_get("created")?),
        revoked: row.try_get::<Option<i64>, _>("revoked")?.map(Utc),
    })
}
