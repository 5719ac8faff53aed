//! Read models in Postgres: a schema per version, rows and checkpoint in one transaction, views for the readers.

use std::collections::HashMap;

use async_trait::async_trait;
use daybook_eventstore::{Checkpoint, Position, begin_tx};
use sqlx::{Acquire, PgConnection, PgPool};

use super::compare::{Comparing, Comparison, compare_in_postgres};
use super::error::{RuntimeError, TargetError};
use super::fold::{Folded, Keyed, by_key, fold_key};
use super::live::{self, Tenure, Tenures};
use super::model::Tabled;
use super::rows::{Changes, load};
use super::table::Compression;
use super::target::{Applied, Batch, Purpose, Target};
use super::versions::Version;
use super::{parked, versions};

/// A read model's tables in the read database.
pub(crate) struct PostgresTarget<M: Tabled> {
    name: &'static str,
    pool: PgPool,
    tenures: Tenures<M::Row>,
}

/// A batch by key, on its way into one version.
pub(crate) struct Work<'a> {
    /// The version's name and number.
    pub(crate) id: (&'static str, i32),
    /// The schema that its tables are in.
    pub(crate) schema: String,
    /// What it keeps of the batch.
    pub(crate) keyed: Vec<Keyed>,
    /// Where the checkpoint must be.
    pub(crate) from: &'a Checkpoint,
    /// Where it will be.
    pub(crate) to: &'a Checkpoint,
    /// Which events are tried again.
    retried: Vec<Position>,
    purpose: Purpose,
}

/// What came of a batch, and the tenure that begins with it.
type Done<R> = (Applied, Option<Tenure<R>>);

impl<M: Tabled> PostgresTarget<M> {
    pub(crate) fn new(name: &'static str, pool: PgPool) -> Self {
        Self { name, pool, tenures: Tenures::new() }
    }

    fn schema(&self, version: i32) -> String {
        format!("{}_v{version}", self.name)
    }

    /// Applies the batch whatever it is.
    async fn carry_out(&self, work: &Work<'_>) -> Result<Done<M::Row>, TargetError> {
        if work.keyed.is_empty() && work.purpose == Purpose::Live {
            // Nothing goes with the checkpoint, so the statement that moves it is all there is to commit.
            let advanced = versions::advance(&self.pool, work.id, work.from, work.to).await?;
            let advanced = advanced.ok_or(TargetError::Fenced)?;
            return Ok((
                Applied::default(),
                Some(Tenure::new(advanced.stamp)).filter(|_| advanced.parked == 0),
            ));
        }
        match self.attempt(work, &HashMap::new()).await {
            Err(TargetError::Postgres(error)) if is_about_data(&error) => {
                let refused = self.refused(work).await?;
                self.attempt(work, &refused).await
            }
            other => other,
        }
    }

    /// Applies the batch in one transaction, without the keys in `refused`.
    async fn attempt(
        &self,
        work: &Work<'_>,
        refused: &HashMap<&str, String>,
    ) -> Result<Done<M::Row>, TargetError> {
        let mut tx = begin_tx(&self.pool).await?;
        if work.purpose != Purpose::Live {
            // A crash may lose the last batches, rows and checkpoint alike, and they are applied again.
            sqlx::query("SET LOCAL synchronous_commit = off").execute(&mut *tx).await?;
        }
        let advanced = versions::advance(&mut *tx, work.id, work.from, work.to).await?;
        let advanced = advanced.ok_or(TargetError::Fenced)?;
        let stops = if advanced.parked == 0 || work.purpose == Purpose::Retry {
            HashMap::new()
        } else {
            parked::stops(&mut *tx, work.id, &work.keyed).await?
        };
        let folded = Self::fold(&mut tx, work, &stops, refused).await?;
        Changes::<M>::of(&folded)?.save(&mut *tx, &work.schema).await?;
        let parked: Vec<_> = folded.iter().flat_map(|key| key.parked.iter().cloned()).collect();
        if !parked.is_empty() || work.purpose == Purpose::Retry {
            parked::settle(&mut tx, work.id, &parked, &work.retried).await?;
        }
        tx.commit().await?;
        let tenure = Tenure::new(advanced.stamp);
        let undisturbed = advanced.parked == 0 && parked.is_empty() && work.purpose != Purpose::Retry;
        Ok((Applied { keys: folded.len(), parked: parked.len() }, Some(tenure).filter(|_| undisturbed)))
    }

    async fn fold<'a>(
        tx: &mut PgConnection,
        work: &'a Work<'_>,
        stops: &HashMap<String, Position>,
        refused: &HashMap<&str, String>,
    ) -> Result<Vec<Folded<'a, M::Row>>, TargetError> {
        let keys: Vec<&str> = work.keyed.iter().map(|keyed| keyed.key.as_str()).collect();
        let stored = load::<M>(tx, &work.schema, &keys).await?;
        let fold = |keyed: &'a Keyed| match refused.get(keyed.key.as_str()) {
            Some(error) => Folded::parked(keyed, error),
            None => fold_key::<M>(stored.get(&keyed.key), keyed, stops.get(&keyed.key).copied()),
        };
        Ok(work.keyed.iter().map(fold).collect())
    }

    /// Which keys' rows the database refuses, and why; found by writing them one by one, and undone.
    async fn refused<'a>(&self, work: &'a Work<'_>) -> Result<HashMap<&'a str, String>, TargetError> {
        let mut tx = begin_tx(&self.pool).await?;
        let folded = Self::fold(&mut tx, work, &HashMap::new(), &HashMap::new()).await?;
        let mut refused = HashMap::new();
        for key in &folded {
            let mut savepoint = tx.begin().await?;
            let changes = Changes::<M>::of(std::slice::from_ref(key))?;
            match changes.save(&mut *savepoint, &work.schema).await {
                Err(error) if is_about_data(&error) => {
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

/// A failure as what it says of the version's tables (SQLSTATE `undefined_table`, `invalid_schema_name`).
fn gone(error: TargetError) -> TargetError {
    let TargetError::Postgres(failed) = &error else { return error };
    let code = failed.as_database_error().and_then(sqlx::error::DatabaseError::code);
    if matches!(code.as_deref(), Some("42P01" | "3F000")) { TargetError::Gone } else { error }
}

/// Whether the database refused what was written (SQLSTATE classes 22 and 23), rather than failed.
pub(super) fn is_about_data(error: &sqlx::Error) -> bool {
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

    fn sources(&self) -> &'static [&'static str] {
        M::SOURCES
    }

    async fn create(&self, tx: &mut PgConnection, version: i32) -> Result<(), TargetError> {
        let schema = self.schema(version);
        // One may be left from before the read model was kept elsewhere.
        let left = format!("DROP SCHEMA IF EXISTS {schema} CASCADE");
        let mut statements = vec![left, format!("CREATE SCHEMA {schema}")];
        let compression = Compression::of_server(&mut *tx).await?;
        statements.extend(M::TABLE.create_rows(&schema, compression));
        statements.extend(M::JOURNAL.iter().flat_map(|table| table.create_journal(&schema, compression)));
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
        let there = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
            .bind(format!("{}.{}", self.schema(version), M::TABLE.name))
            .fetch_one(&self.pool);
        match versions.into_iter().find(|row| row.version == version) {
            Some(_) if !there.await? => Err(TargetError::Gone),
            row => Ok(row.map(|row| row.checkpoint)),
        }
    }

    fn forget(&self, version: i32) {
        drop(self.tenures.take(version));
    }

    async fn apply(&self, version: i32, batch: Batch) -> Result<Applied, TargetError> {
        let work = Work {
            id: (self.name, version),
            schema: self.schema(version),
            retried: batch.retried(),
            keyed: by_key::<M>(batch.events, &batch.upcasters),
            from: &batch.from,
            to: &batch.to,
            purpose: batch.purpose,
        };
        let tenure = self.tenures.take(version).filter(|_| work.purpose == Purpose::Live);
        let quick = match tenure {
            Some(tenure) => live::apply::<M>(&self.pool, &work, tenure).await?,
            None => None,
        };
        let (applied, tenure) = match quick {
            Some((applied, tenure)) => (applied, Some(tenure)),
            None => self.carry_out(&work).await.map_err(gone)?,
        };
        self.tenures.put(version, tenure);
        Ok(applied)
    }

    async fn compare(
        &self,
        versions: [&Version; 2],
        within: &Comparing<'_>,
    ) -> Result<Comparison, RuntimeError> {
        compare_in_postgres::<M>(&self.pool, within, versions).await
    }
}
