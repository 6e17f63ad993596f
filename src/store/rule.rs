//! The ordered routing rules. Positions are 1, 2, 3 and so on, whatever is added, moved or taken away.

use std::collections::BTreeSet;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::error::unreadable;
use super::leads_to::{self, Owner};
use super::{Answered, Idempotency, Store, StoreError, idempotency};
use crate::base::id::RuleId;
use crate::route::Rule;

impl Store {
    /// Every rule, in order.
    pub async fn rules(&self) -> Result<Vec<Rule>, StoreError> {
        let rows = sqlx::query("select * from rule order by position, id").fetch_all(&self.reads).await?;
        rows.iter().map(read).collect()
    }

    /// One rule.
    pub async fn rule(&self, id: RuleId) -> Result<Rule, StoreError> {
        read(&sqlx::query("select * from rule where id = ?").bind(id.to_string()).fetch_one(&self.reads).await?)
    }

    /// Adds a rule at its position, once per idempotency key; those from there on move down.
    pub async fn add_rule(&self, rule: &Rule, once: Option<Idempotency>) -> Result<Answered, StoreError> {
        let mut tx = self.begin().await?;
        if let Some(kept) = idempotency::claim(&mut tx, once).await? {
            return Ok(Answered::Before(kept));
        }
        let sql = "insert into rule (id, position, name, enabled, condition, leads_to) values (?, 0, ?, ?, ?, ?)";
        write(&mut tx, rule, sql).await?;
        place(&mut tx, rule).await?;
        tx.commit().await?;
        Ok(Answered::Now)
    }

    /// Writes over a rule, and moves it to its position.
    pub async fn put_rule(&self, rule: &Rule) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let sql = "update rule set name = ?2, enabled = ?3, condition = ?4, leads_to = ?5 where id = ?1";
        write(&mut tx, rule, sql).await?;
        place(&mut tx, rule).await?;
        Ok(tx.commit().await?)
    }

    /// Takes a rule away; those below move up.
    pub async fn delete_rule(&self, id: RuleId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("delete from rule where id = ?").bind(id.to_string()).execute(&mut *tx).await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::NotFound);
        }
        let ids = order(&mut tx).await?;
        write_order(&mut tx, &ids).await?;
        Ok(tx.commit().await?)
    }

    /// Puts the rules into this order, which names every rule once; `NotFound` where it does not.
    pub async fn order_rules(&self, wanted: &[RuleId]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        let here: BTreeSet<String> = order(&mut tx).await?.into_iter().collect();
        if wanted.len() != here.len() || wanted.iter().cloned().collect::<BTreeSet<_>>() != here {
            return Err(StoreError::NotFound);
        }
        write_order(&mut tx, &wanted).await?;
        Ok(tx.commit().await?)
    }
}

/// Moves a rule to its position, and numbers all anew.
async fn place(tx: &mut sqlx::SqliteConnection, rule: &Rule) -> Result<(), StoreError> {
    let id = rule.id.to_string();
    let mut ids = order(&mut *tx).await?;
    ids.retain(|other| *other != id);
    let at = usize::try_from(rule.position.saturating_sub(1)).unwrap_or(usize::MAX).min(ids.len());
    ids.insert(at, id);
    write_order(tx, &ids).await
}

async fn order(tx: &mut sqlx::SqliteConnection) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar("select id from rule order by position, id").fetch_all(tx).await?)
}

async fn write_order(tx: &mut sqlx::SqliteConnection, ids: &[String]) -> Result<(), StoreError> {
    for (position, id) in (1_i64..).zip(ids) {
        sqlx::query("update rule set position = ?1 where id = ?2 and position <> ?1")
            .bind(position)
            .bind(id.clone())
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

async fn write(tx: &mut sqlx::SqliteConnection, rule: &Rule, sql: &'static str) -> Result<(), StoreError> {
    let id = rule.id.to_string();
    let done = sqlx::query(sql)
        .bind(id.clone())
        .bind(rule.name.clone())
        .bind(rule.enabled)
        .bind(serde_json::to_string(&rule.when).map_err(|error| unreadable("rule.condition", error))?)
        .bind(serde_json::to_string(&rule.then).map_err(|error| unreadable("rule.leads_to", error))?)
        .execute(&mut *tx)
        .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::NotFound);
    }
    let mut ends = BTreeSet::new();
    leads_to::of_destination(&rule.then, &mut ends);
    leads_to::of_condition(&rule.when, &mut ends);
    leads_to::write(tx, Owner::Rule(&id), &ends).await
}

fn read(row: &SqliteRow) -> Result<Rule, StoreError> {
    Ok(Rule {
        id: row.try_get::<&str, _>("id")?.parse().map_err(|error| unreadable("rule.id", error))?,
        position: row.try_get("position")?,
        name: row.try_get("name")?,
        enabled: row.try_get("enabled")?,
        when: serde_json::from_str(row.try_get("condition")?).map_err(|error| unreadable("rule.condition", error))?,
        then: serde_json::from_str(row.try_get("leads_to")?).map_err(|error| unreadable("rule.leads_to", error))?,
    })
}
