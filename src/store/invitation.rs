//! Invitations: what they are good for, and the hash of their tickets.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::error::unreadable;
use super::{Answered, Idempotency, Store, StoreError, idempotency};
use crate::base::id::TicketId;
use crate::base::{RoomId, Utc};
use crate::room::Role;
use crate::ticket::{Hash, Invitation, Right, Ticket};

/// Invitations that are over and are known all the same, some 200 bytes each. Fewer: an old link is called unknown.
const MOST_OVER: u32 = 20_000;

/// An invitation as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invited {
    /// Its id.
    pub id: TicketId,
    /// Where to.
    pub room: RoomId,
    /// Of its ticket.
    pub hash: Hash,
    /// As whom.
    pub as_whom: Invitation,
    /// How many may come by it; none for any number.
    pub uses: Option<u32>,
    /// How many came.
    pub used: u32,
    /// When it was made.
    pub created: Utc,
    /// Until when it counts.
    pub expires: Option<Utc>,
    /// When it was withdrawn.
    pub revoked: Option<Utc>,
}

impl Invited {
    /// A ticket that was just made; none of one that is no invitation.
    pub fn of(ticket: Ticket, created: Utc) -> Option<Self> {
        let Right::Enter(as_whom) = ticket.right else { return None };
        let Ticket { id, hash, room, expires, uses, used, .. } = ticket;
        Some(Self { id, room, hash, as_whom, uses, used, created, expires, revoked: None })
    }

    /// As the gateway knows it.
    pub fn ticket(&self) -> Ticket {
        Ticket {
            id: self.id,
            hash: self.hash,
            room: self.room,
            right: Right::Enter(self.as_whom.clone()),
            expires: self.expires,
            uses: self.uses,
            used: self.used,
            revoked: self.revoked.is_some(),
        }
    }
}

impl Store {
    /// Every invitation that counts, and the latest of those that did, for their holders to be told.
    pub async fn tickets(&self, now: Utc) -> Result<Vec<Ticket>, StoreError> {
        let over = "(revoked is not null or coalesce(expires <= ?1, false))";
        let sql = format!(
            "select * from invitation where not ({over}) union all \
             select * from (select * from invitation where {over} order by created desc limit {MOST_OVER})"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(now.0).fetch_all(&self.reads).await?;
        rows.iter().map(|row| read(row).map(|invited| invited.ticket())).collect()
    }

    /// The invitations of a room, the newest first.
    pub async fn invitations(&self, room: RoomId) -> Result<Vec<Invited>, StoreError> {
        let rows = sqlx::query("select * from invitation where room = ? order by created desc, id limit 1000")
            .bind(room.to_string())
            .fetch_all(&self.reads)
            .await?;
        rows.iter().map(read).collect()
    }

    /// Adds invitations, once per idempotency key.
    pub async fn add_invitations(
        &self,
        invited: &[Invited],
        once: Option<Idempotency>,
    ) -> Result<Answered, StoreError> {
        let mut tx = self.begin().await?;
        if let Some(kept) = idempotency::claim(&mut tx, once).await? {
            return Ok(Answered::Before(kept));
        }
        for one in invited {
            write(&mut tx, one).await?;
        }
        tx.commit().await?;
        Ok(Answered::Now)
    }

    /// Withdraws an invitation, for good.
    pub async fn revoke_invitation(&self, id: TicketId, now: Utc) -> Result<(), StoreError> {
        let mut writes = self.writes.acquire().await?;
        if write_revoked(&mut writes, id, now).await? == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }

    /// Notes that a room was made by somebody without an account; how many there are.
    pub async fn add_open_room(&self, room: RoomId, now: Utc) -> Result<(), StoreError> {
        sqlx::query("insert into open_room (room, created, used) values (?1, ?2, ?2)")
            .bind(room.to_string())
            .bind(now.0)
            .execute(&self.writes)
            .await?;
        Ok(())
    }

    /// Rooms that were made by people without an account, and that nobody was in since.
    pub async fn unused_rooms(&self, before: Utc) -> Result<Vec<RoomId>, StoreError> {
        let rows = sqlx::query("select room from open_room where used <= ? order by used limit 1000")
            .bind(before.0)
            .fetch_all(&self.reads)
            .await?;
        let read = |row: &SqliteRow| row.try_get::<&str, _>("room").map(str::parse);
        rows.iter().map(|row| read(row)?.map_err(|error| unreadable("open_room.room", error))).collect()
    }

    /// Notes that people are in these rooms; those that were made with an account are passed over.
    pub async fn note_used_rooms(&self, rooms: &[RoomId], now: Utc) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for room in rooms {
            let sql = "update open_room set used = ? where room = ?";
            sqlx::query(sql).bind(now.0).bind(room.to_string()).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// How many rooms were made by people without an account, and are there yet.
    pub async fn open_rooms(&self) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar("select count(*) from open_room").fetch_one(&self.reads).await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}

/// Keeps an invitation to a room that is there yet.
pub(super) async fn write(tx: &mut sqlx::SqliteConnection, one: &Invited) -> Result<(), StoreError> {
    let role = serde_json::to_value(one.as_whom.role).map_err(|error| unreadable("invitation.role", error))?;
    sqlx::query(
        "insert into invitation (id, room, hash, role, name, personal, uses, used, created, expires) \
         select ?, room.id, ?, ?, ?, ?, ?, 0, ?, ? from room where room.id = ?",
    )
    .bind(one.id.to_string())
    .bind(one.hash.0.to_vec())
    .bind(role.as_str().unwrap_or_default().to_owned())
    .bind(one.as_whom.name.clone())
    .bind(one.as_whom.personal)
    .bind(one.uses)
    .bind(one.created.0)
    .bind(one.expires.map(|at| at.0))
    .bind(one.room.to_string())
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Notes that an invitation was withdrawn; how many rows that changed.
pub(super) async fn write_revoked(tx: &mut sqlx::SqliteConnection, id: TicketId, at: Utc) -> Result<u64, StoreError> {
    let done = sqlx::query("update invitation set revoked = coalesce(revoked, ?) where id = ?")
        .bind(at.0)
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?;
    Ok(done.rows_affected())
}

/// Notes how many came by an invitation.
pub(super) async fn write_used(tx: &mut sqlx::SqliteConnection, id: TicketId, used: u32) -> Result<(), StoreError> {
    sqlx::query("update invitation set used = max(used, ?) where id = ?")
        .bind(used)
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?;
    Ok(())
}

fn read(row: &SqliteRow) -> Result<Invited, StoreError> {
    let hash: Vec<u8> = row.try_get("hash")?;
    let role: String = row.try_get("role")?;
    let role: Role = serde_json::from_value(role.into()).map_err(|error| unreadable("invitation.role", error))?;
    let (name, personal) = (row.try_get("name")?, row.try_get("personal")?);
    Ok(Invited {
        id: row.try_get::<&str, _>("id")?.parse().map_err(|error| unreadable("invitation.id", error))?,
        room: row.try_get::<&str, _>("room")?.parse().map_err(|error| unreadable("invitation.room", error))?,
        hash: Hash(hash.try_into().map_err(|_| unreadable("invitation.hash", "not 32 bytes"))?),
        as_whom: Invitation { role, name, personal },
        uses: row.try_get("uses")?,
        used: row.try_get("used")?,
        created: Utc(row.try_get("created")?),
        expires: row.try_get::<Option<i64>, _>("expires")?.map(Utc),
        revoked: row.try_get::<Option<i64>, _>("revoked")?.map(Utc),
    })
}
