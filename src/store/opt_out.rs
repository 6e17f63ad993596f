//! Who wants no texts, by their own word; and the texts that said so, each counted once.

use super::{Store, StoreError};
use crate::base::{PhoneNumber, Utc};
use crate::texting::Keyword;

impl Store {
    /// Whether somebody wants no texts.
    pub async fn is_opted_out(&self, number: &PhoneNumber) -> Result<bool, StoreError> {
        let found: i64 = sqlx::query_scalar("select count(*) from opt_out where number = ?")
            .bind(number.e164())
            .fetch_one(&self.reads)
            .await?;
        Ok(found > 0)
    }

    /// Takes in that a text came, and does what its word orders, as one step. False where it was taken in before:
    /// providers send again what was not answered in time, and others play it again.
    pub async fn take_received(
        &self,
        provider: &str,
        provider_id: &str,
        (from, to): (&PhoneNumber, &str),
        keyword: Option<Keyword>,
        now: Utc,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "insert into text_received (provider, provider_id, sender, recipient, keyword, at) values (?, ?, ?, ?, ?, ?) \
             on conflict (provider, provider_id) do nothing",
        )
        .bind(provider.to_owned())
        .bind(provider_id.to_owned())
        .bind(from.e164())
        .bind(to.to_owned())
        .bind(keyword.map(name))
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        let sql = match keyword {
            Some(Keyword::Stop) => "insert into opt_out (number, at) values (?1, ?2) on conflict (number) do nothing",
            Some(Keyword::Start) => "delete from opt_out where number = ?1 and at <= ?2",
            Some(Keyword::Help) | None => "",
        };
        if !sql.is_empty() {
            sqlx::query(sql).bind(from.e164()).bind(now.0).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}

const fn name(keyword: Keyword) -> &'static str {
    match keyword {
        Keyword::Stop => "stop",
        Keyword::Start => "start",
        Keyword::Help => "help",
    }
}
