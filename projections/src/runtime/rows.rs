//! The tables of one version: rows read by key, and what was folded written by one statement. It moves no checkpoint.

use std::collections::HashMap;

use sqlx::postgres::PgRow;
use sqlx::{Executor, Postgres, Row};

use super::envelope::Envelope;
use super::error::TargetError;
use super::fold::{Folded, Stored};
use super::model::Tabled;
use super::table::{Statement, Written};

/// The stored rows with these keys.
pub(crate) async fn load<'c, M: Tabled>(
    db: impl Executor<'c, Database = Postgres>,
    schema: &str,
    keys: &[&str],
) -> Result<HashMap<String, Stored>, sqlx::Error> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let table = M::TABLE.name;
    let statement = format!("SELECT key, position, doc::text FROM {schema}.{table} WHERE key = ANY($1)");
    // Planned anew: what was planned for the first batch, when the table was empty, reads all of it for each.
    let rows = sqlx::query(&statement).bind(keys).persistent(false).fetch_all(db).await?;
    let stored =
        |row: &PgRow| Ok((row.try_get(0)?, Stored { position: row.try_get(1)?, doc: row.try_get(2)? }));
    rows.iter().map(stored).collect()
}

/// What folded keys change: rows that are written, rows that go, and rows that the journal gets.
pub(crate) struct Changes<'a, M: Tabled> {
    rows: Vec<Written<'a, M::Row>>,
    docs: Vec<String>,
    gone: Vec<&'a str>,
    journal: Vec<Written<'a, Envelope>>,
}

impl<'a, M: Tabled> Changes<'a, M> {
    /// Those of these keys.
    pub(crate) fn of(folded: &'a [Folded<'a, M::Row>]) -> Result<Self, TargetError> {
        let (mut rows, mut docs, mut gone, mut journal) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for key in folded {
            let Some(position) = key.position() else { continue };
            if let Some(row) = &key.row {
                docs.push(serde_json::to_string(row)?);
                rows.push(Written { key: key.key, position, row });
            } else {
                gone.push(key.key);
            }
            if M::JOURNAL.is_some() {
                let written = |row| Written { key: key.key, position: Envelope::position(row), row };
                journal.extend(key.envelopes().map(written));
            }
        }
        Ok(Self { rows, docs, gone, journal })
    }

    /// The changes as items of a `WITH`, one per table, to be made when `when` holds; their arguments, from `$first`
    /// on, are bound by [`Self::bind`].
    pub(crate) fn items(&self, schema: &str, mut first: usize, when: &str) -> Vec<String> {
        let mut items = Vec::new();
        if !self.rows.is_empty() {
            items.push(format!("saved AS ({})", M::TABLE.upsert(schema, first, when)));
            first += M::TABLE.upsert_arguments();
        }
        if !self.gone.is_empty() {
            let table = M::TABLE.name;
            items.push(format!(
                "removed AS (DELETE FROM {schema}.{table} WHERE key = ANY(${first}) AND {when})"
            ));
            first += 1;
        }
        if let Some(journal) = M::JOURNAL.filter(|_| !self.journal.is_empty()) {
            items.push(format!("noted AS ({})", journal.append(schema, first, when)));
        }
        items
    }

    pub(crate) fn bind<'q>(&'q self, mut query: Statement<'q>) -> Statement<'q> {
        if !self.rows.is_empty() {
            query = M::TABLE.bind_rows(query, &self.rows, &self.docs);
        }
        if !self.gone.is_empty() {
            query = query.bind(&self.gone);
        }
        match M::JOURNAL.filter(|_| !self.journal.is_empty()) {
            Some(journal) => journal.bind_journal(query, &self.journal),
            None => query,
        }
    }

    /// Makes them.
    pub(crate) async fn save<'c>(
        &self,
        db: impl Executor<'c, Database = Postgres>,
        schema: &str,
    ) -> Result<(), sqlx::Error> {
        let items = self.items(schema, 1, "true");
        if items.is_empty() {
            return Ok(());
        }
        let statement = format!("WITH {} SELECT 1", items.join(", "));
        self.bind(sqlx::query(&statement)).execute(db).await.map(|_| ())
    }
}
