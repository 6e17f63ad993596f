//! Where numbers and rules lead, as references: nothing is taken away while something still leads there.

use std::collections::BTreeSet;

use sqlx::Row;

use super::error::Constraint;
use super::{Store, StoreError};
use crate::base::RoomId;
use crate::base::id::{ExtensionId, GroupId, TrunkId};
use crate::route::{Destination, Origin, Party, When};

/// Something that a number or a rule may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// A room.
    Room(RoomId),
    /// An extension.
    Extension(ExtensionId),
    /// A group.
    Group(GroupId),
    /// A trunk.
    Trunk(TrunkId),
}

/// Whose reference it is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Owner<'a> {
    Did(&'a str),
    Rule(&'a str),
}

impl End {
    /// The column that names it.
    fn column(self) -> &'static str {
        match self {
            End::Room(_) => "room",
            End::Extension(_) => "extension",
            End::Group(_) => "ring_group",
            End::Trunk(_) => "trunk",
        }
    }

    fn id(self) -> String {
        match self {
            End::Room(id) => id.to_string(),
            End::Extension(id) => id.to_string(),
            End::Group(id) => id.to_string(),
            End::Trunk(id) => id.to_string(),
        }
    }
}

/// Everything that a destination names.
pub(crate) fn of_destination(to: &Destination, ends: &mut BTreeSet<End>) {
    match to {
        Destination::Room { room } => drop(ends.insert(End::Room(*room))),
        Destination::Extension { extension } => drop(ends.insert(End::Extension(*extension))),
        Destination::Group { group } => drop(ends.insert(End::Group(*group))),
        Destination::Trunk { trunks, .. } => ends.extend(trunks.iter().map(|trunk| End::Trunk(*trunk))),
        Destination::Webhook { fallback, .. } => of_destination(fallback, ends),
        Destination::Attendant {} | Destination::Refuse { .. } => {}
    }
}

/// Everything that a condition names.
pub(crate) fn of_condition(when: &When, ends: &mut BTreeSet<End>) {
    ends.extend(when.sources.iter().filter_map(|source| match source {
        Origin::One(Party::Trunk(trunk)) => Some(End::Trunk(*trunk)),
        Origin::One(Party::Extension(extension)) => Some(End::Extension(*extension)),
        Origin::AnyTrunk | Origin::AnyExtension | Origin::Api => None,
    }));
}

/// Writes what something names, over what it named before.
pub(crate) async fn write(
    tx: &mut sqlx::SqliteConnection,
    owner: Owner<'_>,
    ends: &BTreeSet<End>,
) -> Result<(), StoreError> {
    let (column, id) = match owner {
        Owner::Did(id) => ("did", id),
        Owner::Rule(id) => ("rule", id),
    };
    let sql = sqlx::AssertSqlSafe(format!("delete from leads_to where {column} = ?"));
    sqlx::query(sql).bind(id.to_owned()).execute(&mut *tx).await?;
    for end in ends {
        let sql = sqlx::AssertSqlSafe(format!("insert into leads_to ({column}, {}) values (?, ?)", end.column()));
        let done = sqlx::query(sql).bind(id.to_owned()).bind(end.id()).execute(&mut *tx).await;
        done.map_err(StoreError::from).map_err(nowhere)?;
    }
    Ok(())
}

/// A reference that hangs in the air, seen from where it hangs.
pub(crate) fn nowhere(error: StoreError) -> StoreError {
    match error {
        StoreError::Constraint(Constraint::StillUsed) => StoreError::Constraint(Constraint::Nowhere),
        other => other,
    }
}

impl Store {
    /// What still names this, in words: `the number +4930901820`, `the rule Night`, `the group Sales`.
    pub async fn used_by(&self, end: End) -> Result<Vec<String>, StoreError> {
        let column = end.column();
        let mut parts = vec![
            format!(
                "select 'the number ' || did.called from leads_to join did on did.id = leads_to.did where leads_to.{column} = ?1"
            ),
            format!(
                "select 'the rule ' || rule.name from leads_to join rule on rule.id = leads_to.rule where leads_to.{column} = ?1"
            ),
        ];
        match end {
            End::Trunk(_) => parts.push("select 'the number ' || called from did where trunk = ?1".to_owned()),
            End::Extension(_) => parts.push(
                "select 'the group ' || ring_group.name from ring_group_member \
                 join ring_group on ring_group.id = ring_group_member.ring_group where extension = ?1"
                    .to_owned(),
            ),
            End::Room(_) | End::Group(_) => {}
        }
        let sql = sqlx::AssertSqlSafe(parts.join(" union "));
        let rows = sqlx::query(sql).bind(end.id()).fetch_all(&self.reads).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}
