//! What a projection has made: its tables and views, as CSV whose rows are always in the same order.

use std::time::Duration;

use futures::{Stream, TryStreamExt};
use sqlx::{Executor, PgConnection, Row};

use super::account::bounded;
use super::error::{FileError, SqlError};
use super::file::Projection;
use super::session::Session;
use super::state;

/// How long reading a whole table may take.
const LONGEST: Duration = Duration::from_hours(1);
/// How long the database may be silent meanwhile.
const SILENCE: Duration = Duration::from_mins(10);

/// A table or a view that a projection has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// What its rows are ordered by; nothing when it is a view, which has an order of its own.
    order: Option<String>,
}

impl Shown {
    /// How its rows are ordered.
    fn ordered(&self) -> String {
        self.order.as_ref().map_or_else(String::new, |order| format!(" ORDER BY {order}"))
    }
}

/// Types that JSON has something like, and those that are written as they are read again. A `numeric` is text, which keeps
/// all of its digits.
const AS_JSON: &[&str] = &[
    "smallint",
    "integer",
    "bigint",
    "real",
    "double precision",
    "boolean",
    "date",
    "timestamp with time zone",
    "timestamp without time zone",
];

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as Postgres names it.
    pub sql_type: String,
}

/// The tables and views of a schema in the order they were made, column by column: their names, whether it is a view, the
/// columns' names, types and categories of types, and their places in the primary key.
const COLUMNS: &str =
    "SELECT c.relname::text, c.relkind = 'v', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
            t.typcategory::text, t.typname::text, array_position(k.conkey, a.attnum), a.attname::text
     FROM pg_class c
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     JOIN pg_type t ON t.oid = a.atttypid
     LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
     WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'v') AND c.relname <> $1
     ORDER BY c.oid, a.attnum";

/// A column while the order is made out.
struct Found {
    column: Column,
    /// How rows are ordered by it.
    ordered: String,
    /// Its place in the primary key.
    key: Option<i32>,
}

/// Everything in the schema of this connection, in the order it was made.
async fn all(connection: &mut PgConnection) -> Result<Vec<Shown>, SqlError> {
    let rows = bounded(sqlx::query(COLUMNS).bind(state::NAME).fetch_all(connection)).await?;
    let mut relations: Vec<(String, bool, Vec<Found>)> = Vec::new();
    for row in rows {
        let (name, is_view): (String, bool) = (row.try_get(0)?, row.try_get(1)?);
        let (quoted, category): (String, String) = (row.try_get(2)?, row.try_get(4)?);
        // Text is ordered by its bytes, and what has no order by its text.
        let ordered = match (category.as_str(), row.try_get::<String, _>(5)?.as_str()) {
            ("S", _) => format!("{quoted} COLLATE \"C\""),
            (_, "json" | "xml" | "point" | "box" | "polygon" | "line" | "lseg" | "path" | "circle") => {
                format!("{quoted}::text COLLATE \"C\"")
            }
            _ => quoted,
        };
        let column = Column { name: row.try_get(7)?, sql_type: row.try_get(3)? };
        let found = Found { column, ordered, key: row.try_get(6)? };
        match relations.last_mut() {
            Some((last, _, columns)) if *last == name => columns.push(found),
            _ => relations.push((name, is_view, vec![found])),
        }
    }
    Ok(relations.into_iter().map(|(name, is_view, columns)| shown(name, is_view, columns)).collect())
}

fn shown(name: String, is_view: bool, columns: Vec<Found>) -> Shown {
    let mut order: Vec<&Found> = columns.iter().filter(|found| found.key.is_some()).collect();
    order.sort_by_key(|found| found.key);
    if order.is_empty() {
        order = columns.iter().collect();
    }
    let order: Vec<&str> = order.into_iter().map(|found| found.ordered.as_str()).collect();
    let order = Some(order.join(", ")).filter(|_| !is_view);
    Shown { name, order, columns: columns.into_iter().map(|found| found.column).collect() }
}

/// Makes sure that what the projection is to show is there, and that nothing is in the way of what it is given.
pub(super) async fn check(connection: &mut PgConnection, projection: &Projection) -> Result<(), SqlError> {
    let all = all(connection).await?;
    let wrong = |what: String| SqlError::from(FileError { line: projection.tables[0].line, what });
    if all.iter().any(|one| one.name == "events") {
        return Err(wrong(
            "\"events\" is the relation of the events; give the table another name".to_owned(),
        ));
    }
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if let Some(odd) = all.iter().find(|one| !one.name.chars().all(plain)) {
        let name = &odd.name;
        return Err(wrong(format!("{name:?} is no name: small letters, digits and underscores")));
    }
    match projection.shows.iter().find(|name| !all.iter().any(|one| one.name == **name)) {
        Some(missing) => Err(wrong(format!("there is no table or view {missing:?} to be shown"))),
        None => Ok(()),
    }
}

/// The tables and views that a projection is made for.
pub(super) async fn of(
    connection: &mut PgConnection,
    projection: &Projection,
) -> Result<Vec<Shown>, SqlError> {
    let all = all(connection).await?;
    if projection.shows.is_empty() {
        return Ok(all);
    }
    let find = |name: &String| all.iter().find(|one| one.name == *name).cloned();
    Ok(projection.shows.iter().filter_map(find).collect())
}

impl Session {
    /// The tables and views that the projection is made for.
    ///
    /// # Errors
    /// When the read database fails.
    pub async fn shown(&mut self) -> Result<Vec<Shown>, SqlError> {
        of(self.worker.connection(), &self.projection).await
    }

    /// The rows of one as CSV (RFC 4180, with line feeds), its columns' names first.
    ///
    /// # Errors
    /// When the read database fails.
    pub async fn rows(
        &mut self,
        shown: &Shown,
    ) -> Result<impl Stream<Item = Result<impl AsRef<[u8]> + use<>, SqlError>>, SqlError> {
        let (name, order) = (&shown.name, shown.ordered());
        self.copy_out(&format!("COPY (SELECT * FROM \"{name}\"{order}) TO STDOUT (FORMAT csv, HEADER)")).await
    }

    /// The same rows in the same order as a JSON object each, in the text form of `COPY`: a line each, in which a backslash
    /// is written twice. What has no counterpart in JSON is text.
    ///
    /// # Errors
    /// When the read database fails.
    pub async fn json_rows(
        &mut self,
        shown: &Shown,
    ) -> Result<impl Stream<Item = Result<impl AsRef<[u8]> + use<>, SqlError>>, SqlError> {
        let columns = shown.columns.iter().map(|Column { name, sql_type }| {
            let quoted = name.replace('"', "\"\"");
            let text = if AS_JSON.contains(&sql_type.as_str()) { "" } else { "::text" };
            format!("\"{quoted}\"{text} AS \"{quoted}\"")
        });
        let (columns, name, order) = (columns.collect::<Vec<_>>().join(", "), &shown.name, shown.ordered());
        let rows = format!("SELECT {columns} FROM (SELECT * FROM \"{name}\"{order}) shown");
        self.copy_out(&format!("COPY (SELECT row_to_json(r) FROM ({rows}) r) TO STDOUT")).await
    }

    async fn copy_out(
        &mut self,
        statement: &str,
    ) -> Result<impl Stream<Item = Result<impl AsRef<[u8]> + use<>, SqlError>> + use<'_>, SqlError> {
        let connection = self.worker.connection();
        let limit = format!("SET statement_timeout = {}", LONGEST.as_millis());
        bounded(connection.execute(limit.as_str())).await?;
        let rows = tokio::time::timeout(SILENCE, connection.copy_out_raw(statement));
        let rows = rows.await.map_err(|_elapsed| SqlError::TimedOut)??;
        Ok(futures::stream::unfold(Some(rows), async |rows| {
            let mut rows = rows?;
            match tokio::time::timeout(SILENCE, rows.try_next()).await {
                Ok(Ok(part)) => part.map(|part| (Ok(part), Some(rows))),
                Ok(Err(error)) => Some((Err(error.into()), None)),
                Err(_elapsed) => Some((Err(SqlError::TimedOut), None)),
            }
        }))
    }
}
