//! A table declared once: its columns with how to fill them, from which follow its DDL and its set-based writes.

use std::fmt::Write as _;

use daybook_domain::Timestamp;
use daybook_eventstore::Position;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{Executor, Postgres};
use uuid::Uuid;

/// A column, with the value that a row has in it.
pub enum Column<R: 'static> {
    /// Text.
    Text(&'static str, fn(&R) -> Option<String>),
    /// A UUID.
    Uuid(&'static str, fn(&R) -> Option<Uuid>),
    /// A whole number.
    Number(&'static str, fn(&R) -> Option<i64>),
    /// Yes or no.
    Flag(&'static str, fn(&R) -> Option<bool>),
    /// A moment.
    Time(&'static str, fn(&R) -> Option<Timestamp>),
    /// JSON, kept as it is written.
    Json(&'static str, fn(&R) -> Option<String>),
    /// A set of words without line feeds.
    Words(&'static str, fn(&R) -> Vec<String>),
}

/// A statement whose arguments are being bound.
pub(crate) type Statement<'q> = Query<'q, Postgres, PgArguments>;

impl<R> Column<R> {
    const fn name(&self) -> &'static str {
        match self {
            Self::Text(name, _)
            | Self::Uuid(name, _)
            | Self::Number(name, _)
            | Self::Flag(name, _)
            | Self::Time(name, _)
            | Self::Json(name, _)
            | Self::Words(name, _) => name,
        }
    }

    const fn sql_type(&self) -> &'static str {
        match self {
            Self::Text(..) => "text",
            Self::Uuid(..) => "uuid",
            Self::Number(..) => "bigint",
            Self::Flag(..) => "boolean",
            Self::Time(..) => "timestamptz",
            Self::Json(..) => "json",
            Self::Words(..) => "text[]",
        }
    }

    fn bind<'q>(&self, query: Statement<'q>, rows: &[&R]) -> Statement<'q> {
        let rows = rows.iter();
        match self {
            Self::Text(_, get) | Self::Json(_, get) => {
                query.bind(rows.map(|row| get(row)).collect::<Vec<_>>())
            }
            Self::Uuid(_, get) => query.bind(rows.map(|row| get(row)).collect::<Vec<_>>()),
            Self::Number(_, get) => query.bind(rows.map(|row| get(row)).collect::<Vec<_>>()),
            Self::Flag(_, get) => query.bind(rows.map(|row| get(row)).collect::<Vec<_>>()),
            Self::Time(_, get) => query.bind(rows.map(|row| get(row)).collect::<Vec<_>>()),
            Self::Words(_, get) => query.bind(rows.map(|row| get(row).join("\n")).collect::<Vec<_>>()),
        }
    }
}

/// A table of a read model. Besides its columns it has `key`, `position` (of the last event in the row) and,
/// for rows, `doc`: the row itself.
pub struct Table<R: 'static> {
    /// Its name.
    pub name: &'static str,
    /// Its columns.
    pub columns: &'static [Column<R>],
    /// Generated columns, as they stand in `CREATE TABLE`.
    pub generated: &'static [&'static str],
    /// Its indexes: what follows `CREATE INDEX ON table`.
    pub indexes: &'static [&'static str],
}

/// How a server compresses what is too large for a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    /// LZ4: a rebuild of orders takes two thirds of the time.
    Lz4,
    /// The server's own, which every server has.
    Own,
}

impl Compression {
    /// What a server is able to do.
    pub(crate) async fn of_server(db: impl Executor<'_, Database = Postgres>) -> Result<Self, sqlx::Error> {
        let able = "SELECT EXISTS (SELECT FROM pg_settings
                        WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals))";
        Ok(if sqlx::query_scalar(able).fetch_one(db).await? { Self::Lz4 } else { Self::Own })
    }

    /// What is said of a column of this type.
    fn of(self, sql_type: &str) -> &'static str {
        if self == Self::Lz4 && sql_type == "json" { " COMPRESSION lz4" } else { "" }
    }
}

/// One row to be written.
pub(crate) struct Written<'a, R> {
    /// Its key.
    pub(crate) key: &'a str,
    /// The position of the last event in it.
    pub(crate) position: Position,
    /// What its columns are filled from.
    pub(crate) row: &'a R,
}

/// The columns that every table of rows has, and those that every journal has.
const OF_ROWS: &[(&str, &str)] = &[("key", "text"), ("position", "bigint"), ("doc", "json")];
const OF_JOURNAL: &[(&str, &str)] = &[("key", "text"), ("position", "bigint")];

impl<R> Table<R> {
    /// The statements that make it as a table of rows, with JSON that is too large for a row compressed so.
    pub(crate) fn create_rows(&self, schema: &str, compression: Compression) -> Vec<String> {
        self.create(schema, OF_ROWS, "key", compression)
    }

    /// The statements that make it as a journal.
    pub(crate) fn create_journal(&self, schema: &str, compression: Compression) -> Vec<String> {
        self.create(schema, OF_JOURNAL, "key, position", compression)
    }

    fn create(
        &self,
        schema: &str,
        fixed: &[(&str, &str)],
        primary: &str,
        compression: Compression,
    ) -> Vec<String> {
        let mut create = format!("CREATE TABLE {schema}.{} (", self.name);
        for (name, kind) in fixed {
            let collate = if *name == "key" { " COLLATE \"C\"" } else { "" };
            let _ = write!(create, "{name} {kind}{}{collate} NOT NULL, ", compression.of(kind));
        }
        for column in self.columns {
            let kind = column.sql_type();
            let _ = write!(create, "{} {kind}{}, ", column.name(), compression.of(kind));
        }
        for generated in self.generated {
            let _ = write!(create, "{generated}, ");
        }
        let _ = write!(create, "PRIMARY KEY ({primary}))");
        let indexes = self.indexes.iter();
        let indexes = indexes.map(|index| format!("CREATE INDEX ON {schema}.{} {index}", self.name));
        std::iter::once(create).chain(indexes).collect()
    }

    /// The statement that writes rows whole, when `when` holds; its arguments, from `$first` on, are bound by
    /// [`Self::bind_rows`].
    pub(crate) fn upsert(&self, schema: &str, first: usize, when: &str) -> String {
        let names = ["position", "doc"].into_iter().chain(self.columns.iter().map(Column::name));
        let updates: Vec<_> = names.map(|name| format!("{name} = EXCLUDED.{name}")).collect();
        let insert = self.insert(schema, OF_ROWS, first, when);
        format!("{insert} ON CONFLICT (key) DO UPDATE SET {}", updates.join(", "))
    }

    /// How many arguments [`Self::upsert`] has.
    pub(crate) const fn upsert_arguments(&self) -> usize {
        OF_ROWS.len() + self.columns.len()
    }

    pub(crate) fn bind_rows<'q>(
        &self,
        query: Statement<'q>,
        rows: &[Written<'_, R>],
        docs: &'q [String],
    ) -> Statement<'q> {
        self.bind_columns(bind_keys(query, rows).bind(docs), rows)
    }

    /// The statement that adds a row per event, when `when` holds; those that are there already stay as they are. Its
    /// arguments, from `$first` on, are bound by [`Self::bind_journal`].
    pub(crate) fn append(&self, schema: &str, first: usize, when: &str) -> String {
        let insert = self.insert(schema, OF_JOURNAL, first, when);
        format!("{insert} ON CONFLICT (key, position) DO NOTHING")
    }

    pub(crate) fn bind_journal<'q>(&self, query: Statement<'q>, rows: &[Written<'_, R>]) -> Statement<'q> {
        self.bind_columns(bind_keys(query, rows), rows)
    }

    fn insert(
        &self,
        schema: &str,
        fixed: &[(&'static str, &'static str)],
        first: usize,
        when: &str,
    ) -> String {
        let mut names: Vec<&str> = fixed.iter().map(|(name, _)| *name).collect();
        names.extend(self.columns.iter().map(Column::name));
        let fixed = fixed.iter().map(|(name, kind)| unnested(name, kind));
        let columns = self.columns.iter().map(|column| unnested(column.name(), column.sql_type()));
        let (types, values): (Vec<&str>, Vec<String>) = fixed.chain(columns).unzip();
        let arrays = (first..).zip(types).map(|(at, kind)| format!("${at}::{kind}[]"));
        format!(
            "INSERT INTO {schema}.{} ({names}) SELECT {} FROM unnest({}) AS new ({names}) WHERE {when}",
            self.name,
            values.join(", "),
            arrays.collect::<Vec<_>>().join(", "),
            names = names.join(", "),
        )
    }

    fn bind_columns<'q>(&self, query: Statement<'q>, rows: &[Written<'_, R>]) -> Statement<'q> {
        let rows: Vec<&R> = rows.iter().map(|written| written.row).collect();
        self.columns.iter().fold(query, |query, column| column.bind(query, &rows))
    }
}

/// The type of a column's element in `unnest`, and how that becomes its value. An array of arrays would unnest
/// flat, and JSON travels as text so that it is checked once.
fn unnested(name: &str, sql_type: &'static str) -> (&'static str, String) {
    match sql_type {
        "text[]" => ("text", format!("string_to_array({name}, E'\\n')")),
        "json" => ("text", format!("{name}::json")),
        other => (other, name.to_owned()),
    }
}

fn bind_keys<'q, R>(query: Statement<'q>, rows: &[Written<'_, R>]) -> Statement<'q> {
    query
        .bind(rows.iter().map(|written| written.key.to_owned()).collect::<Vec<_>>())
        .bind(rows.iter().map(|written| written.position).collect::<Vec<_>>())
}
