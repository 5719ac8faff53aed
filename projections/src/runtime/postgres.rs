//! Read models in Postgres: a schema per version, rows and checkpoint in one transaction, views for the readers.

use std::collections::{HashMap, HashSet};
use std::marker::PhantomData;

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use sqlx::{Acquire, PgConnection, PgPool, Row};

use super::envelope::Arrived;
use super::error::TargetError;
use super::fold::{Folded, Keyed, Stored, by_key, fold_unless_stopped};
use super::model::Tabled;
use super::table::Written;
use super::target::{Applied, Batch, Purpose, Target};
use super::{parked, versions};
use daybook_eventstore::Checkpoint;

/// A read model's tables in the read database.
pub(crate) struct PostgresTarget<M> {
    name: &'static str,
    pool: PgPool,
    model: PhantomData<fn() -> M>,
}

/// A batch by key, on its way into one version.
struct Work<'a> {
    version: i32,
    schema: String,
    keyed: Vec<Keyed>,
    from: &'a Checkpoint,
    to: &'a Checkpoint,
    purpose: Purpose,
}

impl<M: Tabled> PostgresTarget<M> {
    pub(crate) const fn new(name: &'static str, pool: PgPool) -> Self {
        Self { name, pool, model: PhantomData }
    }

    fn schema(&self, version: i32) -> String {
        format!("{}_v{version}", self.name)
    }

    /// Applies the batch in one transaction, without the keys in `refused`.
    async fn attempt(
        &self,
        work: &Work<'_>,
        refused: &HashMap<&str, String>,
    ) -> Result<Applied, TargetError> {
        let id = (self.name, work.version);
        let mut tx = self.pool.begin().await?;
        if work.purpose != Purpose::Live {
            // A crash may lose the last batches, rows and checkpoint alike, and they are applied again.
            sqlx::query("SET LOCAL synchronous_commit = off").execute(&mut *tx).await?;
        }
        let advanced = versions::advance(&mut *tx, id, work.from, work.to).await?;
        let parked_before = advanced.ok_or(TargetError::Fenced)?;
        let stopped = if parked_before == 0 || work.purpose == Purpose::Retry {
            HashSet::new()
        } else {
            parked::keys(&mut tx, id).await?
        };
        let folded = Self::fold(&mut tx, work, &stopped, refused).await?;
        Self::save(&mut tx, &work.schema, &folded).await?;
        let parked: Vec<_> = folded.iter().flat_map(|key| key.parked.iter().cloned()).collect();
        if !parked.is_empty() || work.purpose == Purpose::Retry {
            let applied: Vec<_> = folded.iter().flat_map(|key| key.applied).map(Arrived::position).collect();
            parked::settle(&mut tx, id, &parked, &applied).await?;
        }
        tx.commit().await?;
        Ok(Applied { keys: folded.len(), parked: parked.len() })
    }

    async fn fold<'a>(
        tx: &mut PgConnection,
        work: &'a Work<'_>,
        stopped: &HashSet<String>,
        refused: &HashMap<&str, String>,
    ) -> Result<Vec<Folded<'a, M::Row>>, TargetError> {
        let stored = Self::load(tx, work).await?;
        let fold = |keyed: &'a Keyed| match refused.get(keyed.key.as_str()) {
            Some(error) => Folded::parked(keyed, error),
            None => fold_unless_stopped::<M>(stored.get(&keyed.key), keyed, stopped),
        };
        Ok(work.keyed.iter().map(fold).collect())
    }

    async fn load(tx: &mut PgConnection, work: &Work<'_>) -> Result<HashMap<String, Stored>, TargetError> {
        if work.keyed.is_empty() {
            return Ok(HashMap::new());
        }
        let keys: Vec<&str> = work.keyed.iter().map(|keyed| keyed.key.as_str()).collect();
        let statement = format!(
            "SELECT key, position, doc::text FROM {}.{} WHERE key = ANY($1)",
            work.schema,
            M::TABLE.name
        );
        let rows = sqlx::query(&statement).bind(keys).fetch_all(tx).await?;
        let stored =
            |row: &PgRow| Ok((row.try_get(0)?, Stored { position: row.try_get(1)?, doc: row.try_get(2)? }));
        rows.iter().map(stored).collect()
    }

    /// Writes what was folded: one statement per table.
    async fn save(
        tx: &mut PgConnection,
        schema: &str,
        folded: &[Folded<'_, M::Row>],
    ) -> Result<(), TargetError> {
        let (mut rows, mut docs, mut gone, mut journal) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for key in folded {
            let Some(position) = key.position() else { continue };
            if let Some(row) = &key.row {
                docs.push(serde_json::to_string(row)?);
                rows.push(Written { key: key.key, position, row });
            } else {
                gone.push(key.key);
            }
            let written = |row| Written { key: key.key, position: super::Envelope::position(row), row };
            journal.extend(key.envelopes().map(written));
        }
        if !rows.is_empty() {
            M::TABLE.save(tx, schema, &rows, docs).await?;
        }
        if !gone.is_empty() {
            let statement = format!("DELETE FROM {schema}.{} WHERE key = ANY($1)", M::TABLE.name);
            sqlx::query(&statement).bind(gone).execute(&mut *tx).await?;
        }
        if let Some(table) = M::JOURNAL.filter(|_| !journal.is_empty()) {
            table.append(tx, schema, &journal).await?;
        }
        Ok(())
    }

    /// Which keys' rows the database refuses, and why; found by writing them one by one, and undone.
    async fn refused<'a>(&self, work: &'a Work<'_>) -> Result<HashMap<&'a str, String>, TargetError> {
        let mut tx = self.pool.begin().await?;
        let folded = Self::fold(&mut tx, work, &HashSet::new(), &HashMap::new()).await?;
        let mut refused = HashMap::new();
        for key in &folded {
            let mut savepoint = tx.begin().await?;
            match Self::save(&mut savepoint, &work.schema, std::slice::from_ref(key)).await {
                Err(TargetError::Postgres(error)) if is_about_data(&error) => {
                    refused.insert(key.key, super::envelope::chain(&error));
                }
                other => other?,
            }
            savepoint.rollback().await?;
        }
        tx.rollback().await?;
        Ok(refused)
    }
}

/// Whether the database refused what was written (SQLSTATE classes 22 and 23), rather than failed.
fn is_about_data(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}

#[async_trait]
impl<M: Tabled> Target for PostgresTarget<M> {
    fn kind(&self) -> &'static str {
        "postgres"
    }

    fn revision(&self) -> i32 {
        M::REVISION
    }

    async fn create(&self, tx: &mut PgConnection, version: i32) -> Result<(), TargetError> {
        let schema = self.schema(version);
        // One may be left from before the read model was kept elsewhere.
        let left = format!("DROP SCHEMA IF EXISTS {schema} CASCADE");
        let mut statements = vec![left, format!("CREATE SCHEMA {schema}")];
        statements.extend(M::TABLE.create_rows(&schema));
        statements.extend(M::JOURNAL.iter().flat_map(|table| table.create_journal(&schema)));
        for statement in statements {
            sqlx::query(&statement).execute(&mut *tx).await?;
        }
        Ok(())
    }

    async fn expose(&self, tx: &mut PgConnection, version: i32) -> Result<(), TargetError> {
        let schema = self.schema(version);
        let journal = M::JOURNAL.map(|table| table.name);
        for table in std::iter::once(M::TABLE.name).chain(journal) {
            // Dropped and made anew: another revision may have other columns.
            let drop = format!("DROP VIEW IF EXISTS live.{table}");
            sqlx::query(&drop).execute(&mut *tx).await?;
            let create = format!("CREATE VIEW live.{table} AS SELECT * FROM {schema}.{table}");
            sqlx::query(&create).execute(&mut *tx).await?;
        }
        Ok(())
    }

    async fn discard(&self, tx: &mut PgConnection, version: i32) -> Result<(), TargetError> {
        let statement = format!("DROP SCHEMA IF EXISTS {} CASCADE", self.schema(version));
        sqlx::query(&statement).execute(tx).await?;
        Ok(())
    }

    async fn checkpoint(&self, version: i32) -> Result<Option<Checkpoint>, TargetError> {
        let versions = versions::list(&self.pool, self.name).await?;
        Ok(versions.into_iter().find(|row| row.version == version).map(|row| row.checkpoint))
    }

    async fn apply(&self, version: i32, batch: Batch) -> Result<Applied, TargetError> {
        let work = Work {
            version,
            schema: self.schema(version),
            keyed: by_key::<M>(batch.events),
            from: &batch.from,
            to: &batch.to,
            purpose: batch.purpose,
        };
        if work.keyed.is_empty() && work.purpose == Purpose::Live {
            // Nothing goes with the checkpoint, so the statement that moves it is all there is to commit.
            let advanced = versions::advance(&self.pool, (self.name, version), work.from, work.to).await?;
            return advanced.map(|_| Applied::default()).ok_or(TargetError::Fenced);
        }
        match self.attempt(&work, &HashMap::new()).await {
            Err(TargetError::Postgres(error)) if is_about_data(&error) => {
                let refused = self.refused(&work).await?;
                self.attempt(&work, &refused).await
            }
            other => other,
        }
    }
}
