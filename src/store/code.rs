//! Printed codes: where they lead, how often they were used, and the hashes of what they show.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::error::unreadable;
use super::{Store, StoreError};
use crate::base::Utc;
use crate::base::id::CodeId;
use crate::ticket::Hash;
use crate::transfer::{Leads, Printed};

/// How long a code that is over is known, for whoever reads it to be told, in milliseconds: ninety days.
pub(super) const KNOWN: i64 = 90 * 86_400_000;

impl Store {
    /// Keeps a printed code.
    pub async fn add_printed(&self, code: &Printed) -> Result<(), StoreError> {
        let (room, called) = match &code.leads {
            Leads::Room(room) => (Some(room.to_string()), None),
            Leads::Call(called) => (None, Some(called.clone())),
        };
        sqlx::query(
            "insert into printed_code (id, title, room, called, name, context, link, digits, valid_from, expires, uses, per_hour, created) \
             values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(code.id.to_string())
        .bind(code.title.clone())
        .bind(room)
        .bind(called)
        .bind(code.name.clone())
        .bind(code.context.clone())
        .bind(code.link.0.to_vec())
        .bind(code.digits.0.to_vec())
        .bind(code.valid_from.map(|at| at.0))
        .bind(code.expires.map(|at| at.0))
        .bind(code.uses)
        .bind(code.per_hour)
        .bind(code.created.0)
        .execute(&self.writes)
        .await?;
        Ok(())
    }

    /// Every printed code that is known.
    pub async fn printed(&self) -> Result<Vec<Printed>, StoreError> {
        let rows = sqlx::query("select * from printed_code").fetch_all(&self.reads).await?;
        rows.iter().map(read).collect()
    }

    /// Some printed codes, the newest first: after this one in that order, at most so many.
    pub async fn printed_after(&self, after: Option<(Utc, CodeId)>, limit: u32) -> Result<Vec<Printed>, StoreError> {
        let (at, id) = after.map_or((Utc(i64::MAX), String::new()), |(at, id)| (at, id.to_string()));
        let sql = "select * from printed_code where (created, id) < (?, ?) order by created desc, id desc limit ?";
        let rows = sqlx::query(sql).bind(at.0).bind(id).bind(limit).fetch_all(&self.reads).await?;
        rows.iter().map(read).collect()
    }

    /// One printed code.
    pub async fn printed_code(&self, id: CodeId) -> Result<Printed, StoreError> {
        let sql = "select * from printed_code where id = ?";
        read(&sqlx::query(sql).bind(id.to_string()).fetch_one(&self.reads).await?)
    }

    /// Takes a printed code back, for good.
    pub async fn revoke_printed(&self, id: CodeId, at: Utc) -> Result<(), StoreError> {
        let done = sqlx::query("update printed_code set revoked = coalesce(revoked, ?) where id = ?")
            .bind(at.0)
            .bind(id.to_string())
            .execute(&self.writes)
            .await?;
        if done.rows_affected() == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }

    /// Forgets codes that were over before.
    pub async fn prune_printed(&self, before: Utc) -> Result<u64, StoreError> {
        let sql = "delete from printed_code where revoked < ?1 or expires < ?1 or (used >= uses and last_used < ?1)";
        Ok(sqlx::query(sql).bind(before.0).execute(&self.writes).await?.rows_affected())
    }
}

/// Notes how many calls a code began.
pub(super) async fn write_used(
    tx: &mut sqlx::SqliteConnection,
    id: CodeId,
    used: u32,
    at: Utc,
) -> Result<(), StoreError> {
    sqlx::query("update printed_code set used = max(used, ?), last_used = ? where id = ?")
        .bind(used)
        .bind(at.0)
        .bind(id.to_string())
        .execute(tx)
        .await?;
    Ok(())
}

fn read(row: &SqliteRow) -> Result<Printed, StoreError> {
    let hash = |column: &str| {
        let bytes: Vec<u8> = row.try_get(column)?;
        bytes.try_into().map(Hash).map_err(|_| unreadable("printed_code", "a hash has 32 bytes"))
    };
    let time = |column: &str| Ok::<_, StoreError>(row.try_get::<Option<i64>, _>(column)?.map(Utc));
    let room = row.try_get::<Option<&str>, _>("room")?.map(str::parse);
    let room = room.transpose().map_err(|error| unreadable("printed_code.room", error))?;
    let leads = match (room, row.try_get::<Option<String>, _>("called")?) {
        (Some(room), None) => Leads::Room(room),
        (None, Some(called)) => Leads::Call(called),
        _ => return Err(unreadable("printed_code", "it leads to one place")),
    };
    Ok(Printed {
        id: row.try_get::<&str, _>("id")?.parse().map_err(|error| unreadable("printed_code.id", error))?,
        title: row.try_get("title")?,
        leads,
        name: row.try_get("name")?,
        context: row.try_get("context")?,
        valid_from: time("valid_from")?,
        expires: time("expires")?,
        uses: row.try_get("uses")?,
        used: row.try_get("used")?,
        per_hour: row.try_get("per_hour")?,
        created: Utc(row.try_get("created")?),
        last_used: time("last_used")?,
        revoked: time("revoked")?,
        link: hash("link")?,
        digits: hash("digits")?,
    })
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test has files of its own")]
mod tests {
    use super::*;
    use crate::base::RoomId;

    fn letter(number: u64) -> Printed {
        Printed {
            id: CodeId::from_bits(number),
            title: format!("Letter {number}"),
            leads: if number.is_multiple_of(2) {
                Leads::Room(RoomId::from_bits(7))
            } else {
                Leads::Call("+4930901820".into())
            },
            name: Some("Anna".into()),
            context: Some(format!("customer {number}")),
            valid_from: Some(Utc(5)),
            expires: Some(Utc(100)),
            uses: Some(2),
            used: 0,
            per_hour: 60,
            created: Utc(i64::try_from(number / 2).unwrap()),
            last_used: None,
            revoked: None,
            link: Hash::of(&format!("link {number}")),
            digits: Printed::hash_of_digits(&number.to_string()),
        }
    }

    #[tokio::test]
    async fn letters_are_read_back_by_pages_counted_taken_back_and_forgotten_when_long_over() {
        let folder = std::env::temp_dir().join(format!("ringlift-store-code-{}", std::process::id()));
        let store = Store::open(&folder.join("node.db"), Utc(0)).await.unwrap().store;
        let all: Vec<Printed> = (1..=5).map(letter).collect();
        for code in &all {
            store.add_printed(code).await.unwrap();
        }
        let again = Printed { id: CodeId::from_bits(9), ..letter(1) };
        assert!(matches!(store.add_printed(&again).await, Err(StoreError::Constraint(_))), "two show the same");
        let first = store.printed_after(None, 2).await.unwrap();
        let last = first.last().map(|code| (code.created, code.id));
        let rest = store.printed_after(last, 10).await.unwrap();
        let listed: Vec<String> = first.iter().chain(&rest).map(|code| code.title.clone()).collect();
        assert_eq!(listed, ["Letter 5", "Letter 4", "Letter 3", "Letter 2", "Letter 1"]);
        let mut tx = store.begin().await.unwrap();
        write_used(&mut tx, CodeId::from_bits(1), 2, Utc(50)).await.unwrap();
        tx.commit().await.unwrap();
        store.revoke_printed(CodeId::from_bits(2), Utc(60)).await.unwrap();
        store.revoke_printed(CodeId::from_bits(2), Utc(70)).await.unwrap();
        assert!(matches!(store.revoke_printed(CodeId::from_bits(99), Utc(70)).await, Err(StoreError::NotFound)));
        let used = Printed { used: 2, last_used: Some(Utc(50)), ..letter(1) };
        assert_eq!(store.printed_code(used.id).await.unwrap(), used);
        let revoked = Printed { revoked: Some(Utc(60)), ..letter(2) };
        assert_eq!(store.printed_code(revoked.id).await.unwrap(), revoked);
        assert_eq!(store.prune_printed(Utc(55)).await.unwrap(), 1, "used up before");
        assert_eq!(store.prune_printed(Utc(61)).await.unwrap(), 1, "taken back before");
        assert_eq!(store.printed().await.unwrap().len(), 3);
        let found = std::fs::read(folder.join("node.db-wal")).unwrap_or_default();
        let text = String::from_utf8_lossy(&found);
        assert!(text.contains("Letter 5") && !text.contains("link 5"));
        store.close().await;
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
