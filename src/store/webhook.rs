//! Programs that are told of events, and what each is still to be told. A delivery is written in its event's own transaction,
//! so that no event is in the log without it; it waits until it arrived, and is sent again by whoever finds it waiting.

use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row};

use super::error::unreadable;
use super::{Store, StoreError};
use crate::base::id::{DeliveryId, WebhookId};
use crate::base::{Secret, Utc};
use crate::gateway::event::Event;

/// How long what arrived is kept, in days. Longer: a bigger file. Shorter: nobody can look up what was told.
const DELIVERED_DAYS: i64 = 7;

/// How long what never arrived is kept to be sent after all.
const DEAD_DAYS: i64 = 30;

/// What still waits after these days does not arrive any more: its endpoint rested longer than its attempts took.
const WAITING_DAYS: i64 = 3;

/// Most that waits for one endpoint; what is older is given up. More: a bigger file for whoever never comes back. Fewer: a busy
/// node's receiver misses events of a night.
const MOST_WAITING: u32 = 200_000;

const DAY: i64 = 86_400_000;

/// Where a program is told of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Names it.
    pub id: WebhookId,
    /// Where it listens.
    pub url: String,
    /// What people call it.
    pub description: String,
    /// What the types of its events begin with; empty is all.
    pub events: Vec<String>,
    /// Whether it is told.
    pub enabled: bool,
    /// It is not, because it said that it is gone.
    pub gone: bool,
    /// What signs.
    pub secret: Secret,
    /// What signs too until then.
    pub old_secret: Option<(Secret, Utc)>,
    /// When it was made.
    pub created: Utc,
    /// When an event last arrived.
    pub succeeded: Option<Utc>,
    /// When one last did not, and why.
    pub failed: Option<(Utc, String)>,
    /// Deliveries that wait, and those that were given up.
    pub counts: (u64, u64),
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is tried, or will be.
    Waiting,
    /// It arrived.
    Delivered,
    /// It was given up, and can be sent again.
    Dead,
}

impl DeliveryState {
    /// Its name in the database and the API.
    pub const fn name(self) -> &'static str {
        match self {
            DeliveryState::Waiting => "waiting",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Dead => "dead",
        }
    }

    /// The state of that name.
    pub fn named(name: &str) -> Option<Self> {
        [DeliveryState::Waiting, DeliveryState::Delivered, DeliveryState::Dead]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// One event on its way to one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Names it to the receiver, at every attempt.
    pub id: DeliveryId,
    /// To whom.
    pub webhook: WebhookId,
    /// The event's number.
    pub seq: u64,
    /// The event, as it stands in the log.
    pub event: String,
    /// How far it is.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next.
    pub due: Utc,
    /// When it began to wait.
    pub created: Utc,
    /// When it was last tried.
    pub tried: Option<Utc>,
    /// What was answered.
    pub status: Option<u16>,
    /// Why it did not arrive.
    pub error: Option<String>,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When it began.
    pub at: Utc,
    /// What was answered.
    pub status: Option<u16>,
    /// Why it did not arrive.
    pub error: Option<String>,
    /// What follows.
    pub then: Then,
}

/// What follows an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Nothing: it arrived.
    Delivered,
    /// Another attempt.
    Again(Utc),
    /// Nothing: it is given up.
    Dead,
    /// Nothing, nor for any other: the endpoint is disabled.
    Gone,
}

/// Which deliveries of an endpoint, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Of this endpoint.
    pub webhook: WebhookId,
    /// Only in this state.
    pub state: Option<DeliveryState>,
    /// After this one in the order.
    pub after: Option<(Utc, DeliveryId)>,
    /// At most so many.
    pub limit: u32,
}

const COLUMNS: &str = "select w.*, (select count(*) from webhook_delivery d where d.webhook = w.id and d.state = 'waiting') waiting, \
    (select count(*) from webhook_delivery d where d.webhook = w.id and d.state = 'dead') dead from webhook w ";

impl Store {
    /// Changes whenever somebody has something new to be told, or is to be told otherwise.
    pub fn webhook_changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.hooks.subscribe()
    }

    pub(super) fn webhooks_changed(&self) {
        self.hooks.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Every endpoint, the oldest first.
    pub async fn webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} order by w.created, w.id")));
        rows.fetch_all(&self.reads).await?.iter().map(read).collect()
    }

    /// The ids of every endpoint.
    pub async fn webhook_ids(&self) -> Result<Vec<WebhookId>, StoreError> {
        let rows: Vec<String> = sqlx::query_scalar("select id from webhook").fetch_all(&self.reads).await?;
        rows.iter().map(|id| id.parse().map_err(|error| unreadable("webhook.id", error))).collect()
    }

    /// One endpoint.
    pub async fn webhook(&self, id: WebhookId) -> Result<Webhook, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} where w.id = ?"))).bind(id.to_string());
        read(&row.fetch_one(&self.reads).await?)
    }

    /// Adds an endpoint.
    pub async fn add_webhook(&self, hook: &Webhook) -> Result<(), StoreError> {
        let sql = "insert into webhook (id, url, description, events, enabled, gone, secret, created) \
            values (?, ?, ?, ?, ?, 0, ?, ?)";
        sqlx::query(sql)
            .bind(hook.id.to_string())
            .bind(hook.url.clone())
            .bind(hook.description.clone())
            .bind(events(hook)?)
            .bind(hook.enabled)
            .bind(hook.secret.expose().to_owned())
            .bind(hook.created.0)
            .execute(&self.writes)
            .await?;
        self.webhooks_changed();
        Ok(())
    }

    /// Writes over what people say of an endpoint, and its secrets; what it did stays.
    pub async fn put_webhook(&self, hook: &Webhook) -> Result<(), StoreError> {
        let sql = "update webhook set url = ?2, description = ?3, events = ?4, enabled = ?5, gone = ?6, secret = ?7, \
            old_secret = ?8, old_until = ?9 where id = ?1";
        let (old, until) = hook.old_secret.clone().unzip();
        let done = sqlx::query(sql)
            .bind(hook.id.to_string())
            .bind(hook.url.clone())
            .bind(hook.description.clone())
            .bind(events(hook)?)
            .bind(hook.enabled)
            .bind(hook.gone && !hook.enabled)
            .bind(hook.secret.expose().to_owned())
            .bind(old.map(|old| old.expose().to_owned()))
            .bind(until.map(|until| until.0))
            .execute(&self.writes)
            .await?;
        self.webhooks_changed();
        if done.rows_affected() == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }

    /// Takes an endpoint away, with what it was to be told.
    pub async fn delete_webhook(&self, id: WebhookId) -> Result<(), StoreError> {
        let done = sqlx::query("delete from webhook where id = ?").bind(id.to_string()).execute(&self.writes).await?;
        self.webhooks_changed();
        if done.rows_affected() == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }

    /// Deliveries of an endpoint that are due, the one that waits longest first.
    pub async fn due_deliveries(&self, hook: WebhookId, now: Utc, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        let sql = "select d.*, e.body from webhook_delivery d join event e on e.seq = d.seq \
            where d.webhook = ? and d.state = 'waiting' and d.due <= ? order by d.due, d.seq limit ?";
        let rows = sqlx::query(sql).bind(hook.to_string()).bind(now.0).bind(limit).fetch_all(&self.reads).await?;
        rows.iter().map(read_delivery).collect()
    }

    /// When the next delivery of an endpoint falls due after now.
    pub async fn next_delivery(&self, hook: WebhookId, now: Utc) -> Result<Option<Utc>, StoreError> {
        let sql = "select min(due) from webhook_delivery where webhook = ? and state = 'waiting' and due > ?";
        let due: Option<i64> =
            sqlx::query_scalar(sql).bind(hook.to_string()).bind(now.0).fetch_one(&self.reads).await?;
        Ok(due.map(Utc))
    }

    /// Writes what came of an attempt.
    pub async fn note_attempt(&self, delivery: &Delivery, attempt: &Attempt) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        // Another attempt beside this one was told meanwhile that the endpoint is gone.
        let sql = "select count(*) from webhook where id = ? and gone";
        let gone: i64 = sqlx::query_scalar(sql).bind(delivery.webhook.to_string()).fetch_one(&mut *tx).await?;
        let then = if gone > 0 && attempt.then != Then::Delivered { Then::Dead } else { attempt.then };
        let (state, due) = match then {
            Then::Delivered => (DeliveryState::Delivered, None),
            Then::Again(due) => (DeliveryState::Waiting, Some(due.0)),
            Then::Dead | Then::Gone => (DeliveryState::Dead, None),
        };
        let sql = "update webhook_delivery set state = ?2, due = coalesce(?3, due), attempts = attempts + 1, tried = ?4, \
            status = ?5, error = ?6 where id = ?1";
        sqlx::query(sql)
            .bind(delivery.id.to_string())
            .bind(state.name())
            .bind(due)
            .bind(attempt.at.0)
            .bind(attempt.status)
            .bind(attempt.error.clone())
            .execute(&mut *tx)
            .await?;
        let sql = match then {
            Then::Delivered => "update webhook set succeeded = ?2 where id = ?1",
            Then::Again(_) | Then::Dead => "update webhook set failed = ?2, error = ?3 where id = ?1",
            Then::Gone => "update webhook set failed = ?2, error = ?3, enabled = 0, gone = 1 where id = ?1",
        };
        let told = sqlx::query(sql).bind(delivery.webhook.to_string()).bind(attempt.at.0);
        let told = if then == Then::Delivered { told } else { told.bind(attempt.error.clone()) };
        told.execute(&mut *tx).await?;
        if then == Then::Gone {
            let sql =
                "update webhook_delivery set state = 'dead', error = 'gone' where webhook = ? and state = 'waiting'";
            sqlx::query(sql).bind(delivery.webhook.to_string()).execute(&mut *tx).await?;
        }
        Ok(tx.commit().await?)
    }

    /// One delivery of an endpoint.
    pub async fn delivery(&self, hook: WebhookId, id: DeliveryId) -> Result<Delivery, StoreError> {
        let sql = "select d.*, e.body from webhook_delivery d join event e on e.seq = d.seq \
            where d.webhook = ? and d.id = ?";
        let row = sqlx::query(sql).bind(hook.to_string()).bind(id.to_string());
        read_delivery(&row.fetch_one(&self.reads).await?)
    }

    /// Deliveries that fit, the newest first.
    pub async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, StoreError> {
        let mut sql = QueryBuilder::new(
            "select d.*, e.body from webhook_delivery d join event e on e.seq = d.seq where d.webhook = ",
        );
        sql.push_bind(filter.webhook.to_string());
        if let Some(state) = filter.state {
            sql.push(" and d.state = ").push_bind(state.name());
        }
        if let Some((created, id)) = filter.after {
            sql.push(" and (d.created, d.id) < (").push_bind(created.0).push(", ").push_bind(id.to_string()).push(")");
        }
        sql.push(" order by d.created desc, d.id desc limit ").push_bind(filter.limit);
        sql.build().fetch_all(&self.reads).await?.iter().map(read_delivery).collect()
    }

    /// Sends one delivery again, whatever became of it.
    pub async fn replay_delivery(&self, hook: WebhookId, id: DeliveryId, now: Utc) -> Result<(), StoreError> {
        let sql = "update webhook_delivery set state = 'waiting', attempts = 0, due = ?3, created = ?3 \
            where webhook = ?1 and id = ?2";
        let done =
            sqlx::query(sql).bind(hook.to_string()).bind(id.to_string()).bind(now.0).execute(&self.writes).await?;
        self.webhooks_changed();
        if done.rows_affected() == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }

    /// Sends everything again that was given up; how much that is.
    pub async fn replay_dead(&self, hook: WebhookId, now: Utc) -> Result<u64, StoreError> {
        let sql = "update webhook_delivery set state = 'waiting', attempts = 0, due = ?2, created = ?2 \
            where webhook = ?1 and state = 'dead'";
        let done = sqlx::query(sql).bind(hook.to_string()).bind(now.0).execute(&self.writes).await?;
        self.webhooks_changed();
        Ok(done.rows_affected())
    }

    /// Forgets what is too old, and gives up what waited for too long or is too much.
    pub async fn prune_deliveries(&self, now: Utc) -> Result<u64, StoreError> {
        let before = |days: i64| now.0.saturating_sub(days * DAY);
        let sql = "delete from webhook_delivery where (state = 'delivered' and created < ?) or (state = 'dead' and created < ?)";
        let done = sqlx::query(sql).bind(before(DELIVERED_DAYS)).bind(before(DEAD_DAYS)).execute(&self.writes).await?;
        // Where the endpoint was disabled by hand it waits until it is enabled, as long as a dead one is kept.
        let sql = "update webhook_delivery set state = 'dead', error = 'waited for too long' where state = 'waiting' \
            and (created < ?1 or (created < ?2 and webhook in (select id from webhook where enabled)))";
        sqlx::query(sql).bind(before(DEAD_DAYS)).bind(before(WAITING_DAYS)).execute(&self.writes).await?;
        for hook in self.webhook_ids().await? {
            let sql = "update webhook_delivery set state = 'dead', error = 'too many wait' where webhook = ?1 \
                and state = 'waiting' and (created, id) <= (select created, id from webhook_delivery \
                where webhook = ?1 and state = 'waiting' order by created desc, id desc limit 1 offset ?2)";
            sqlx::query(sql).bind(hook.to_string()).bind(MOST_WAITING).execute(&self.writes).await?;
        }
        Ok(done.rows_affected())
    }
}

/// Whether anybody is to be told of anything.
pub(super) async fn any_enabled(tx: &mut sqlx::SqliteConnection) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar("select exists (select 1 from webhook where enabled)").fetch_one(&mut *tx).await?)
}

/// Has everybody told of an event who wants to hear of it. True where somebody does.
pub(super) async fn deliver(tx: &mut sqlx::SqliteConnection, event: &Event, body: &str) -> Result<bool, StoreError> {
    let sql = "select id from webhook where enabled and (events = '[]' or exists (select 1 from json_each(events) f \
        where substr(json_extract(?1, '$.type'), 1, length(f.value)) = f.value))";
    let hooks: Vec<String> = sqlx::query_scalar(sql).bind(body.to_owned()).fetch_all(&mut *tx).await?;
    for hook in &hooks {
        let mut random = [0u8; 8];
        getrandom::fill(&mut random).map_err(|error| StoreError::Internal(format!("no randomness: {error}")))?;
        let sql = "insert into webhook_delivery (id, webhook, seq, state, attempts, due, created) \
            values (?1, ?2, ?3, 'waiting', 0, ?4, ?4)";
        sqlx::query(sql)
            .bind(DeliveryId::from_bits(u64::from_le_bytes(random)).to_string())
            .bind(hook.clone())
            .bind(i64::try_from(event.seq).unwrap_or(i64::MAX))
            .bind(event.at.0)
            .execute(&mut *tx)
            .await?;
    }
    Ok(!hooks.is_empty())
}

fn events(hook: &Webhook) -> Result<String, StoreError> {
    serde_json::to_string(&hook.events).map_err(|error| unreadable("webhook.events", error))
}

fn read(row: &SqliteRow) -> Result<Webhook, StoreError> {
    let time = |column: &str| Ok::<_, StoreError>(row.try_get::<Option<i64>, _>(column)?.map(Utc));
    let count = |column: &str| Ok::<_, StoreError>(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or(0));
    let old: Option<String> = row.try_get("old_secret")?;
    let error: Option<String> = row.try_get("error")?;
    Ok(Webhook {
        id: row.try_get::<&str, _>("id")?.parse().map_err(|error| unreadable("webhook.id", error))?,
        url: row.try_get("url")?,
        description: row.try_get("description")?,
        events: serde_json::from_str(row.try_get("events")?).map_err(|error| unreadable("webhook.events", error))?,
        enabled: row.try_get("enabled")?,
        gone: row.try_get("gone")?,
        secret: Secret::new(row.try_get::<String, _>("secret")?),
        old_secret: old.map(Secret::new).zip(time("old_until")?),
        created: Utc(row.try_get("created")?),
        succeeded: time("succeeded")?,
        failed: time("failed")?.map(|at| (at, error.unwrap_or_default())),
        counts: (count("waiting")?, count("dead")?),
    })
}

fn read_delivery(row: &SqliteRow) -> Result<Delivery, StoreError> {
    let state: &str = row.try_get("state")?;
    let status: Option<i64> = row.try_get("status")?;
    Ok(Delivery {
        id: row.try_get::<&str, _>("id")?.parse().map_err(|error| unreadable("webhook_delivery.id", error))?,
        webhook: row
            .try_get::<&str, _>("webhook")?
            .parse()
            .map_err(|error| unreadable("webhook_delivery.webhook", error))?,
        seq: u64::try_from(row.try_get::<i64, _>("seq")?).unwrap_or(0),
        event: row.try_get("body")?,
        state: DeliveryState::named(state).ok_or_else(|| unreadable("webhook_delivery.state", state))?,
        attempts: u32::try_from(row.try_get::<i64, _>("attempts")?).unwrap_or(u32::MAX),
        due: Utc(row.try_get("due")?),
        created: Utc(row.try_get("created")?),
        tried: row.try_get::<Option<i64>, _>("tried")?.map(Utc),
        status: status.and_then(|status| u16::try_from(status).ok()),
        error: row.try_get("error")?,
    })
}
