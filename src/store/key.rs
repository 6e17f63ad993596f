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

    /// Revokes a key; for good.
    pub async fn revoke_key(&self, id: KeyId, now: Utc) -> Result<(), StoreError> {
        let done = sqlx::query("update api_key set revoked = coalesce(revoked, ?) where id = ?")
            .bind(now.0)
            .bind(id.to_string())
            .execute(&self.writes)
            .await?;
        if done.rows_affected() == 0 { Err(StoreError::NotFound) } else { Ok(()) }
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
