//! Which columns of the events a projection uses. Most of what it costs to send an event is its payload, and many a
//! statement does not look at it. Postgres itself is asked: a statement that may not read a column fails when it is
//! planned, if it uses the column in any way.

use sqlx::{Executor, PgConnection};

use super::account::bounded;
use super::error::SqlError;
use super::file::{Projection, Statement};
use super::relation::{Column, Share};

/// What each section is given, on a connection that has the relation and is the role's.
pub(super) async fn shares(
    connection: &mut PgConnection,
    projection: &Projection,
    role: &str,
) -> Result<Vec<Share>, SqlError> {
    let of_types = |types: &Vec<String>| Share { types: types.clone(), columns: Vec::new() };
    let mut shares: Vec<Share> = projection.sections.iter().map(|section| of_types(&section.types)).collect();
    for column in Column::ALL {
        let others: Vec<&str> =
            Column::ALL.iter().filter(|other| **other != column).map(|other| other.name()).collect();
        let without = format!(
            "REVOKE SELECT ON pg_temp.events FROM {role}; GRANT SELECT ({}) ON pg_temp.events TO {role}",
            others.join(", ")
        );
        bounded(connection.execute(without.as_str())).await?;
        for (section, share) in projection.sections.iter().zip(&mut shares) {
            // A row without columns cannot be sent.
            if column == Column::Position || is_used(connection, &section.statements).await? {
                share.columns.push(column);
            }
        }
    }
    let all = format!("GRANT SELECT ON pg_temp.events TO {role}");
    bounded(connection.execute(all.as_str())).await?;
    Ok(shares)
}

/// Whether one of the statements needs what may not be read now.
async fn is_used(connection: &mut PgConnection, statements: &[Statement]) -> Result<bool, SqlError> {
    for statement in statements {
        let planned = format!("EXPLAIN {}", statement.sql);
        let planning = sqlx::query(&planned).persistent(false).execute(&mut *connection);
        let planned = tokio::time::timeout(super::account::PATIENCE, planning).await;
        match planned.map_err(|_elapsed| SqlError::TimedOut)? {
            Ok(_) => {}
            // It may not read the column; whatever else it is, to send a column is never wrong.
            Err(sqlx::Error::Database(_)) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}
