//! What brings people back to places on which a use of an invitation was spent: the hashes of their resume tickets.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::error::unreadable;
use super::{Store, StoreError};
use crate::base::Utc;
use crate::base::id::TicketId;
use crate::ticket::{Hash, Right, Ticket};

impl Store {
    /// Every one whose invitation counts.
    pub async fn resumes(&self, now: Utc) -> Result<Vec<Ticket>, StoreError> {
        let sql = "select seat.id, seat.hash, seat.participant, seat.invitation, invitation.room, invitation.expires \
                   from seat join invitation on invitation.id = seat.invitation \
                   where revoked is null and (expires is null or expires > ?) order by seat.created";
        let rows = sqlx::query(sql).bind(now.0).fetch_all(&self.reads).await?;
        rows.iter().map(read).collect()
    }

    /// Forgets those whose invitation counts no more.
    pub(super) async fn prune_seats(&self, now: Utc) -> Result<u64, StoreError> {
        let sql = "delete from seat where invitation in \
                   (select id from invitation where revoked is not null or expires <= ?)";
        Ok(sqlx::query(sql).bind(now.0).execute(&self.writes).await?.rows_affected())
    }
}

/// Keeps one, where its invitation is there yet.
pub(super) async fn write(tx: &mut sqlx::SqliteConnection, ticket: &Ticket, at: Utc) -> Result<(), StoreError> {
    let Right::Resume { participant, invitation: Some(invitation) } = ticket.right else { return Ok(()) };
    let sql = "insert or replace into seat (id, invitation, participant, hash, created) \
               select ?, id, ?, ?, ? from invitation where id = ?";
    sqlx::query(sql)
        .bind(ticket.id.to_string())
        .bind(participant.to_string())
        .bind(ticket.hash.0.to_vec())
        .bind(at.0)
        .bind(invitation.to_string())
        .execute(&mut *tx)
        .await?;
    Ok(())
}

/// Forgets one.
pub(super) async fn remove(tx: &mut sqlx::SqliteConnection, id: TicketId) -> Result<(), StoreError> {
    sqlx::query("delete from seat where id = ?").bind(id.to_string()).execute(&mut *tx).await?;
    Ok(())
}

fn read(row: &SqliteRow) -> Result<Ticket, StoreError> {
    let hash: Vec<u8> = row.try_get("hash")?;
    let participant = row.try_get::<&str, _>("participant")?;
    let invitation = row.try_get::<&str, _>("invitation")?;
    Ok(Ticket {
        id: row.try_get::<&str, _>("id")?.parse().map_err(|error| unreadable("seat.id", error))?,
        hash: Hash(hash.try_into().map_err(|_| unreadable("seat.hash", "not 32 bytes"))?),
        room: row.try_get::<&str, _>("room")?.parse().map_err(|error| unreadable("invitation.room", error))?,
        right: Right::Resume {
            participant: participant.parse().map_err(|error| unreadable("seat.participant", error))?,
            invitation: Some(invitation.parse().map_err(|error| unreadable("seat.invitation", error))?),
        },
        expires: row.try_get::<Option<i64>, _>("expires")?.map(Utc),
        uses: None,
        used: 0,
        revoked: false,
    })
}
