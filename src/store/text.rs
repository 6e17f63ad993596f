//! The outbox: texts, and how far each is. Whoever hands one over writes that first ([`Store::begin_handing`]), so that
//! after a sudden end nobody sends it again.

use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row};

use super::error::unreadable;
use super::{Store, StoreError};
use crate::base::{LegId, PhoneNumber, Secret, Utc};
use crate::texting::{LineType, TextFailure, TextId, TextOrder, TextState};
use crate::wire::gsm7;

/// A text as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// What was ordered.
    pub order: TextOrder,
    /// Messages that it is sent as.
    pub segments: u32,
    /// Whom it is handed to.
    pub provider: String,
    /// How far it is.
    pub state: TextState,
    /// What the provider calls it.
    pub provider_id: Option<String>,
    /// Why it did not arrive, or not yet.
    pub reason: Option<TextFailure>,
    /// What the provider calls that.
    pub code: Option<String>,
    /// How often it was begun to be handed over.
    pub attempts: u32,
    /// When it was ordered.
    pub created: Utc,
    /// When it last changed.
    pub changed: Utc,
}

/// What is known of a text anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextChange {
    /// How far it is.
    pub state: TextState,
    /// What the provider calls it, where that is known.
    pub provider_id: Option<Box<str>>,
    /// Why it did not arrive.
    pub reason: Option<TextFailure>,
    /// What the provider calls that.
    pub code: Option<Box<str>>,
}

/// Which texts, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextFilter {
    /// Only of this call.
    pub call: Option<LegId>,
    /// Only in this state.
    pub state: Option<TextState>,
    /// After this one in the order: its beginning and id.
    pub after: Option<(Utc, TextId)>,
    /// At most so many.
    pub limit: u32,
}

impl Store {
    /// Keeps an order in this state: queued, kept, failed, or already being handed over. False where it was there.
    pub async fn add_text(
        &self,
        order: &TextOrder,
        provider: &str,
        state: TextState,
        reason: Option<TextFailure>,
        now: Utc,
    ) -> Result<bool, StoreError> {
        let handing = state == TextState::Handing;
        let segments = gsm7::length(order.body.expose()).segments;
        let done = sqlx::query(
            "insert into text_message (id, recipient, sender, body, segments, call, consent, provider, state, reason, \
             attempts, until, created, handing, changed) \
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?13) on conflict (id) do nothing",
        )
        .bind(order.id.to_string())
        .bind(order.to.e164())
        .bind(order.from.as_ref().map(PhoneNumber::e164))
        .bind(order.body.expose().to_owned())
        .bind(i64::try_from(segments).unwrap_or(i64::MAX))
        .bind(order.call.map(|call| call.to_string()))
        .bind(order.consent.to_string())
        .bind(provider.to_owned())
        .bind(state.name())
        .bind(reason.map(TextFailure::name))
        .bind(i64::from(handing))
        .bind(order.until.0)
        .bind(now.0)
        .bind(handing.then_some(now.0))
        .execute(&self.writes)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Takes a queued text to be handed over, for one alone. False where it is not queued: somebody else has it, or the
    /// provider reported meanwhile that it has it.
    pub async fn begin_handing(&self, id: TextId, now: Utc) -> Result<bool, StoreError> {
        let sql = "update text_message set state = 'handing', handing = ?2, changed = ?2, attempts = attempts + 1, \
            reason = null, code = null where id = ?1 and state = 'queued' and until > ?2";
        let done = sqlx::query(sql).bind(id.to_string()).bind(now.0).execute(&self.writes).await?;
        Ok(done.rows_affected() == 1)
    }

    /// Puts a text back that the provider certainly does not have. False where it is not being handed over any more.
    pub async fn requeue_text(
        &self,
        id: TextId,
        reason: TextFailure,
        code: Option<&str>,
        now: Utc,
    ) -> Result<bool, StoreError> {
        let sql = "update text_message set state = 'queued', reason = ?2, code = ?3, changed = ?4 \
            where id = ?1 and state = 'handing'";
        let done = sqlx::query(sql)
            .bind(id.to_string())
            .bind(reason.name())
            .bind(code.map(str::to_owned))
            .bind(now.0)
            .execute(&self.writes)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Writes what is known anew, unless it is overtaken by what is known already, or of another message of the provider.
    /// True where something changed.
    pub async fn advance_text(&self, id: TextId, change: &TextChange, now: Utc) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let sql = "select state, provider_id from text_message where id = ?";
        let row = sqlx::query(sql).bind(id.to_string()).fetch_one(&mut *tx).await?;
        let state = state_of(&row)?;
        let known: Option<String> = row.try_get("provider_id")?;
        let another = matches!((&known, &change.provider_id), (Some(known), Some(told)) if **known != **told);
        if another || !state.is_before(change.state) {
            // Its name is worth having even where its state is old news: a report may come before the answer.
            if !another && known.is_none() && change.provider_id.is_some() {
                sqlx::query("update text_message set provider_id = ? where id = ?")
                    .bind(change.provider_id.as_deref().map(str::to_owned))
                    .bind(id.to_string())
                    .execute(&mut *tx)
                    .await?;
                tx.commit().await?;
            }
            return Ok(false);
        }
        let sql = "update text_message set state = ?2, provider_id = coalesce(provider_id, ?3), reason = ?4, code = ?5, \
            changed = ?6 where id = ?1";
        sqlx::query(sql)
            .bind(id.to_string())
            .bind(change.state.name())
            .bind(change.provider_id.as_deref().map(str::to_owned))
            .bind(change.reason.map(TextFailure::name))
            .bind(change.code.as_deref().map(str::to_owned))
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Marks a text as one of which nobody knows, where it is still being handed over.
    pub async fn give_up_text(&self, id: TextId, now: Utc) -> Result<bool, StoreError> {
        let sql = "update text_message set state = 'unknown', reason = 'unknown', changed = ?2 \
            where id = ?1 and state = 'handing'";
        let done = sqlx::query(sql).bind(id.to_string()).bind(now.0).execute(&self.writes).await?;
        Ok(done.rows_affected() == 1)
    }

    /// Texts that wait, or were being handed over, when the program last ended; the oldest first.
    pub async fn open_texts(&self) -> Result<Vec<Text>, StoreError> {
        let sql = "select * from text_message where state in ('queued', 'handing') order by created, id";
        let rows = sqlx::query(sql).fetch_all(&self.reads).await?;
        rows.iter().map(read).collect()
    }

    /// Which of these names of the provider belong to no text that is kept.
    pub async fn unclaimed(&self, provider: &str, names: Vec<Box<str>>) -> Result<Vec<Box<str>>, StoreError> {
        let mut free = Vec::new();
        for name in names {
            let sql = "select count(*) from text_message where provider = ? and provider_id = ?";
            let taken: i64 =
                sqlx::query_scalar(sql).bind(provider.to_owned()).bind(name.to_string()).fetch_one(&self.reads).await?;
            if taken == 0 {
                free.push(name);
            }
        }
        Ok(free)
    }

    /// One text.
    pub async fn text(&self, id: TextId) -> Result<Text, StoreError> {
        read(&sqlx::query("select * from text_message where id = ?").bind(id.to_string()).fetch_one(&self.reads).await?)
    }

    /// Texts that fit, the newest first.
    pub async fn texts(&self, filter: &TextFilter) -> Result<Vec<Text>, StoreError> {
        let mut sql = QueryBuilder::new("select * from text_message where true");
        if let Some(call) = filter.call {
            sql.push(" and call = ").push_bind(call.to_string());
        }
        if let Some(state) = filter.state {
            sql.push(" and state = ").push_bind(state.name());
        }
        if let Some((created, id)) = filter.after {
            sql.push(" and (created, id) < (").push_bind(created.0).push(", ").push_bind(id.to_string()).push(")");
        }
        sql.push(" order by created desc, id desc limit ").push_bind(filter.limit);
        let rows = sql.build().fetch_all(&self.reads).await?;
        rows.iter().map(read).collect()
    }

    /// Deletes texts, received ones and look-ups from before. Who wants no texts stays, and so do the words that said it: a
    /// report that is played again must not undo a later one.
    pub async fn prune_texts(&self, before: Utc) -> Result<u64, StoreError> {
        let done =
            sqlx::query("delete from text_message where created < ?").bind(before.0).execute(&self.writes).await?;
        sqlx::query("delete from text_received where at < ? and keyword is null")
            .bind(before.0)
            .execute(&self.writes)
            .await?;
        sqlx::query("delete from line_type where at < ?").bind(before.0).execute(&self.writes).await?;
        Ok(done.rows_affected())
    }

    /// What kind of line a number was since then.
    pub async fn line_type(&self, number: &PhoneNumber, since: Utc) -> Result<Option<LineType>, StoreError> {
        let sql = "select type from line_type where number = ? and at >= ?";
        let found: Option<String> =
            sqlx::query_scalar(sql).bind(number.e164()).bind(since.0).fetch_optional(&self.reads).await?;
        Ok(found.as_deref().and_then(LineType::named))
    }

    /// Remembers what kind of line a number is.
    pub async fn put_line_type(&self, number: &PhoneNumber, line: LineType, now: Utc) -> Result<(), StoreError> {
        let sql = "insert into line_type (number, type, at) values (?1, ?2, ?3) \
            on conflict (number) do update set type = ?2, at = ?3";
        sqlx::query(sql).bind(number.e164()).bind(line.name()).bind(now.0).execute(&self.writes).await?;
        Ok(())
    }
}

fn state_of(row: &SqliteRow) -> Result<TextState, StoreError> {
    let name: &str = row.try_get("state")?;
    TextState::named(name).ok_or_else(|| unreadable("text_message.state", name))
}

fn read(row: &SqliteRow) -> Result<Text, StoreError> {
    let number = |column: &'static str, text: &str| {
        PhoneNumber::parse(text).ok_or_else(|| unreadable(column, "it is no number"))
    };
    let sender = row.try_get::<Option<&str>, _>("sender")?;
    let call = row.try_get::<Option<&str>, _>("call")?.map(str::parse).transpose();
    let order = TextOrder {
        id: row.try_get::<&str, _>("id")?.parse().map_err(|error| unreadable("text_message.id", error))?,
        to: number("text_message.recipient", row.try_get("recipient")?)?,
        from: sender.map(|sender| number("text_message.sender", sender)).transpose()?,
        body: Secret::new(row.try_get::<String, _>("body")?),
        call: call.map_err(|error| unreadable("text_message.call", error))?,
        consent: row.try_get::<&str, _>("consent")?.into(),
        until: Utc(row.try_get("until")?),
    };
    Ok(Text {
        order,
        segments: u32::try_from(row.try_get::<i64, _>("segments")?).unwrap_or(u32::MAX),
        provider: row.try_get("provider")?,
        state: state_of(row)?,
        provider_id: row.try_get("provider_id")?,
        reason: row.try_get::<Option<&str>, _>("reason")?.and_then(TextFailure::named),
        code: row.try_get("code")?,
        attempts: u32::try_from(row.try_get::<i64, _>("attempts")?).unwrap_or(u32::MAX),
        created: Utc(row.try_get("created")?),
        changed: Utc(row.try_get("changed")?),
    })
}
