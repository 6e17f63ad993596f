//! User names: what is dialled inside, or shown by digest, is exactly one extension's, group's or trunk's.

use super::StoreError;

/// Whose name it is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bearer<'a> {
    Extension(&'a str),
    Group(&'a str),
    Trunk(&'a str),
}

/// Gives a name, over the one before; none takes it away.
pub(crate) async fn write(
    tx: &mut sqlx::SqliteConnection,
    bearer: Bearer<'_>,
    name: Option<&str>,
) -> Result<(), StoreError> {
    let (column, id) = match bearer {
        Bearer::Extension(id) => ("extension", id),
        Bearer::Group(id) => ("ring_group", id),
        Bearer::Trunk(id) => ("trunk", id),
    };
    let sql = sqlx::AssertSqlSafe(format!("delete from user_name where {column} = ?"));
    sqlx::query(sql).bind(id.to_owned()).execute(&mut *tx).await?;
    if let Some(name) = name {
        let sql = sqlx::AssertSqlSafe(format!("insert into user_name (name, {column}) values (?, ?)"));
        sqlx::query(sql).bind(name.to_owned()).bind(id.to_owned()).execute(tx).await?;
    }
    Ok(())
}
