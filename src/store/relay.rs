//! Relays: 256 random bits shown once, of which only the SHA-256 is kept.

use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::error::unreadable;
use super::{Store, StoreError};
use crate::base::id::RelayId;
use crate::base::{Secret, Utc};
use crate::sip::transport::FlowId;

/// What a secret begins with, so that people and secret scanners know one when they see it.
const PREFIX: &str = "rlr_";

/// A relay as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// Names it, to trunks as well.
    pub id: RelayId,
    /// What people call it.
    pub name: String,
    /// When it was made.
    pub created: Utc,
}

impl Store {
    /// Makes a relay and returns it with its secret, which is not kept.
    pub async fn add_relay(&self, name: &str, now: Utc) -> Result<(Relay, Secret), StoreError> {
        let mut bits = [0u8; 8];
        getrandom::fill(&mut bits).map_err(no_randomness)?;
        // Its id is its way, too.
        let drawn = FlowId::of_relay(RelayId::from_bits(u64::from_be_bytes(bits)));
        let id = RelayId::from_bits(drawn.0);
        let (shown, hash) = draw()?;
        sqlx::query("insert into relay (id, name, hash, created) values (?, ?, ?, ?)")
            .bind(id.to_string())
            .bind(name.to_owned())
            .bind(hash)
            .bind(now.0)
            .execute(&self.writes)
            .await?;
        Ok((Relay { id, name: name.to_owned(), created: now }, shown))
    }

    /// The relay whose secret this is.
    pub async fn relay_by_secret(&self, shown: &str) -> Result<Option<Relay>, StoreError> {
        if !shown.starts_with(PREFIX) || shown.len() != PREFIX.len() + 64 {
            return Ok(None);
        }
        let row = sqlx::query("select * from relay where hash = ?")
            .bind(Sha256::digest(shown.as_bytes()).to_vec())
            .fetch_optional(&self.reads)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// One relay.
    pub async fn relay(&self, id: RelayId) -> Result<Relay, StoreError> {
        read(&sqlx::query("select * from relay where id = ?").bind(id.to_string()).fetch_one(&self.reads).await?)
    }

    /// Every relay, by name.
    pub async fn relays(&self) -> Result<Vec<Relay>, StoreError> {
        let rows = sqlx::query("select * from relay order by name, id").fetch_all(&self.reads).await?;
        rows.iter().map(read).collect()
    }

    /// Gives a relay another secret and returns that; the one before opens nothing any more.
    pub async fn renew_relay(&self, id: RelayId) -> Result<Secret, StoreError> {
        let (shown, hash) = draw()?;
        let done = sqlx::query("update relay set hash = ? where id = ?")
            .bind(hash)
            .bind(id.to_string())
            .execute(&self.writes)
            .await?;
        if done.rows_affected() == 0 { Err(StoreError::NotFound) } else { Ok(shown) }
    }

    /// Takes a relay away; refused while a trunk names it.
    pub async fn delete_relay(&self, id: RelayId) -> Result<(), StoreError> {
        let done = sqlx::query("delete from relay where id = ?").bind(id.to_string()).execute(&self.writes).await?;
        if done.rows_affected() == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }
}

/// A new secret, and what is kept of it.
fn draw() -> Result<(Secret, Vec<u8>), StoreError> {
    let mut random = [0u8; 32];
    getrandom::fill(&mut random).map_err(no_randomness)?;
    let shown = random.iter().fold(PREFIX.to_owned(), |text, byte| format!("{text}{byte:02x}"));
    let hash = Sha256::digest(shown.as_bytes()).to_vec();
    Ok((Secret::new(shown), hash))
}

fn no_randomness(error: getrandom::Error) -> StoreError {
    StoreError::Internal(format!("no randomness: {error}"))
}

fn read(row: &SqliteRow) -> Result<Relay, StoreError> {
    Ok(Relay {
        id: row.try_get::<&str, _>("id")?.parse().map_err(|error| unreadable("relay.id", error))?,
        name: row.try_get("name")?,
        created: Utc(row.try_get("created")?),
    })
}
