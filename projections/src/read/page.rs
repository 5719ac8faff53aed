//! Pages of a list: after a cursor, so many at most, with the total when asked. Cursors are opaque to clients and
//! stable while rows come and go.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder, Row};

use super::db::{ReadDb, ReadError, doc};

/// Where a row is in its list: how that is sorted, its sort value and its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The name of the list's order: in another one the cursor means nothing.
    pub sort: String,
    /// The sort value, as text that Postgres reads back.
    pub value: String,
    /// The key, for rows with the same sort value.
    pub key: String,
}

/// Which page is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// At most this many rows.
    pub first: u32,
    /// Those after this cursor; from the beginning without.
    pub after: Option<Cursor>,
    /// Whether to count all rows of the list as well.
    pub with_total: bool,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows, each with the cursor to go on from.
    pub rows: Vec<(Cursor, T)>,
    /// Whether there are more after these.
    pub has_next: bool,
    /// How many rows the whole list has, when asked.
    pub total: Option<u64>,
}

/// How a list is sorted: by an expression over the view's columns that is never null, then by key.
pub(crate) struct Sort<'a> {
    /// Its name, for cursors.
    pub(crate) name: &'a str,
    /// The expression.
    pub(crate) by: &'a str,
    /// Its type.
    pub(crate) sql_type: &'a str,
    /// From the largest.
    pub(crate) descending: bool,
}

/// A page of a view's documents, with `matching` adding ` AND …` conditions. Page and total come from one
/// statement, so that they are of one moment.
pub(crate) async fn fetch<T: DeserializeOwned>(
    db: &ReadDb,
    view: &str,
    sort: &Sort<'_>,
    page: &PageRequest,
    matching: impl Fn(&mut QueryBuilder<'_, Postgres>),
) -> Result<Page<T>, ReadError> {
    let Sort { name, by, sql_type, descending } = sort;
    if page.after.as_ref().is_some_and(|after| after.sort != *name) {
        return Err(ReadError::WrongCursor);
    }
    let (direction, beyond) = if *descending { ("DESC", "<") } else { ("ASC", ">") };
    let mut query = QueryBuilder::new(
        "SELECT totals.total, page.key, page.sort::text AS value, page.doc::text AS doc FROM ",
    );
    if page.with_total {
        query.push(format_args!("(SELECT count(*) AS total FROM live.{view} WHERE true"));
        matching(&mut query);
        query.push(")");
    } else {
        query.push("(SELECT NULL::bigint AS total)");
    }
    query.push(format_args!(
        " AS totals LEFT JOIN (SELECT key, {by} AS sort, doc FROM live.{view} WHERE true"
    ));
    matching(&mut query);
    if let Some(after) = &page.after {
        query.push(format_args!(" AND ({by}, key) {beyond} (")).push_bind(after.value.clone());
        query.push(format_args!("::text::{sql_type}, ")).push_bind(after.key.clone()).push(")");
    }
    query.push(format_args!(" ORDER BY {by} {direction}, key {direction} LIMIT "));
    query.push_bind(i64::from(page.first) + 1);
    query.push(format_args!(") AS page ON true ORDER BY page.sort {direction}, page.key {direction}"));
    match db.within(query.build().fetch_all(db.pool())).await {
        Ok(rows) => from_rows(&rows, page, name),
        // Nobody but the cursor brings a value that Postgres has to read.
        Err(ReadError::Database(error)) if page.after.is_some() && is_of_data(&error) => {
            Err(ReadError::WrongCursor)
        }
        Err(error) => Err(error),
    }
}

/// Whether a value could not be read as its type (SQLSTATE class 22).
fn is_of_data(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code.starts_with("22"))
}

fn from_rows<T: DeserializeOwned>(
    rows: &[PgRow],
    request: &PageRequest,
    sort: &str,
) -> Result<Page<T>, ReadError> {
    let first = usize::try_from(request.first).unwrap_or(usize::MAX);
    let total: Option<i64> = rows.first().map(|row| row.try_get("total")).transpose()?.flatten();
    let mut page =
        Page { rows: Vec::new(), has_next: false, total: total.and_then(|n| u64::try_from(n).ok()) };
    for row in rows {
        // The total's row is there even when the page has none.
        let Some(key) = row.try_get("key")? else { continue };
        if page.rows.len() == first {
            page.has_next = true;
            break;
        }
        let cursor = Cursor { sort: sort.to_owned(), value: row.try_get("value")?, key };
        page.rows.push((cursor, doc(row)?));
    }
    Ok(page)
}
