//! What runs the statements: a batch in one transaction, with the checkpoint. When a statement fails, it finds out with
//! which event.

use std::time::{Duration, Instant};

use daybook_eventstore::{Checkpoint, CopyRows};
use sqlx::postgres::{PgDatabaseError, PgErrorPosition};
use sqlx::{Connection, Executor, PgConnection};

use super::account::{PATIENCE, bounded};
use super::error::{Blamed, SqlError};
use super::file::{Projection, Section, Statement};
use super::gather::Batch;
use super::relation::{self, Rows};
use super::state;

/// How much is sent at once.
const SENDING: usize = 1 << 20;
/// `query_canceled`.
const CANCELED: &str = "57014";
/// What is not a statement's fault, by the beginning of its code: the connection, a transaction that others ended, room on
/// disk and in memory, a lock, somebody who stops the server.
const ELSEWHERE: &[&str] =
    &["08", "25", "40", "53000", "53100", "53200", "53300", "55P03", "55006", "57", "58"];

/// A connection of the projection's account.
pub(super) struct Worker {
    connection: PgConnection,
    /// How long one statement may take.
    limit: Duration,
}

/// What is wrong with a statement.
struct Wrong {
    /// The line of the file.
    line: usize,
    error: sqlx::Error,
    /// It took as long as it may.
    too_long: bool,
}

impl Wrong {
    /// As whoever wrote the statement is told of it.
    fn explained(self, blamed: Blamed, limit: Duration) -> SqlError {
        let Self { line, error, too_long } = self;
        let Some(failed) = postgres(&error) else { return error.into() };
        if too_long {
            return SqlError::TooLong { line, blamed, limit };
        }
        if ELSEWHERE.iter().any(|class| failed.code().starts_with(class)) {
            return error.into();
        }
        let more = [failed.detail(), failed.hint()].into_iter().flatten();
        let message = std::iter::once(failed.message()).chain(more).collect::<Vec<_>>().join("; ");
        SqlError::Statement { line, blamed, message }
    }
}

/// Why a batch could not be applied.
enum Failed {
    /// A statement of a section failed, or its events could not be sent.
    Section(usize, Wrong),
    /// Something else failed.
    Other(SqlError),
}

impl<E: Into<SqlError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

impl Worker {
    /// With this connection, and this limit on a statement.
    pub(super) const fn new(connection: PgConnection, limit: Duration) -> Self {
        Self { connection, limit }
    }

    /// The connection.
    pub(super) const fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Makes the tables and begins the run, both or neither.
    pub(super) async fn make(
        &mut self,
        projection: &Projection,
        asked: &state::Asked,
        at: &Checkpoint,
    ) -> Result<(), SqlError> {
        let limit = self.limit;
        let mut tx = bounded(self.connection.begin()).await?;
        for statement in &projection.tables {
            let done = run(&mut tx, statement, limit).await;
            done.map_err(|wrong| wrong.explained(Blamed::Nothing, limit))?;
        }
        bounded(state::begin(&mut tx, &projection.title(), asked, at)).await?;
        bounded(tx.commit()).await?;
        Ok(())
    }

    /// By what the server knows the connection.
    pub(super) async fn backend(&mut self) -> Result<i32, SqlError> {
        bounded(sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut self.connection)).await
    }

    /// Makes the relation of the events, which goes with the connection.
    pub(super) async fn make_relation(&mut self) -> Result<(), SqlError> {
        bounded(self.connection.execute(relation::TABLE)).await?;
        Ok(())
    }

    /// Has every statement planned, and none of them run.
    pub(super) async fn plan(&mut self, projection: &Projection) -> Result<(), SqlError> {
        const EXPLAIN: &str = "EXPLAIN ";
        for statement in projection.sections.iter().flat_map(|section| &section.statements) {
            let planned = Statement { sql: format!("{EXPLAIN}{}", statement.sql), line: statement.line };
            let ran = run(&mut self.connection, &planned, self.limit).await;
            ran.map_err(|wrong| wrong.explained(Blamed::Nothing, self.limit))?;
        }
        Ok(())
    }

    /// Applies a batch and moves the checkpoint, both or neither.
    pub(super) async fn apply(
        &mut self,
        projection: &Projection,
        batch: &Batch,
        from: &Checkpoint,
    ) -> Result<(), SqlError> {
        let limit = self.limit;
        match self.attempt(projection, batch, from).await {
            Ok(()) => Ok(()),
            Err(Failed::Other(error)) => Err(error),
            Err(Failed::Section(section, wrong)) => {
                let (first, last) = batch.rows[section].span();
                let whole = wrong.explained(Blamed::Batch(first, last), limit);
                if !matches!(whole, SqlError::Statement { .. }) {
                    return Err(whole);
                }
                // That nobody can be blamed does not change what was wrong.
                Err(self.blame(projection, batch, section).await.ok().flatten().unwrap_or(whole))
            }
        }
    }

    async fn attempt(
        &mut self,
        projection: &Projection,
        batch: &Batch,
        from: &Checkpoint,
    ) -> Result<(), Failed> {
        let limit = self.limit;
        let mut tx = bounded(self.connection.begin()).await?;
        if !bounded(state::advance(&mut tx, from, &batch.to)).await? {
            return Err(Failed::Other(SqlError::UnderWay(projection.title())));
        }
        let mut filled = false;
        for (index, (section, rows)) in projection.sections.iter().zip(&batch.rows).enumerate() {
            if rows.is_empty() {
                continue;
            }
            if filled {
                bounded(tx.execute(relation::CLEAR)).await?;
            }
            filled = true;
            let ran = run_section(&mut tx, section, rows, rows.len(), limit).await;
            ran.map_err(|wrong| Failed::Section(index, wrong))?;
        }
        bounded(tx.commit()).await?;
        Ok(())
    }

    /// What a section fails with, at the first event it fails with; everything is undone. It goes well without events, so
    /// between that and all of them there is one with which it begins to fail.
    async fn blame(
        &mut self,
        projection: &Projection,
        batch: &Batch,
        failed: usize,
    ) -> Result<Option<SqlError>, SqlError> {
        let limit = self.limit;
        let mut tx = bounded(self.connection.begin()).await?;
        for (section, rows) in projection.sections.iter().zip(&batch.rows).take(failed) {
            bounded(tx.execute(relation::CLEAR)).await?;
            if !rows.is_empty() {
                let ran = run_section(&mut tx, section, rows, rows.len(), limit).await;
                ran.map_err(|wrong| wrong.error)?;
            }
        }
        let (section, rows) = (&projection.sections[failed], &batch.rows[failed]);
        let (mut well, mut ill, mut found) = (None, rows.len(), None);
        while well.is_none_or(|well| well + 1 < ill) {
            let count = well.map_or(0, |well: usize| usize::midpoint(well, ill));
            let mut savepoint = bounded(tx.begin()).await?;
            bounded(savepoint.execute(relation::CLEAR)).await?;
            let ran = run_section(&mut savepoint, section, rows, count, limit).await;
            bounded(savepoint.rollback()).await?;
            match ran {
                Ok(()) => well = Some(count),
                Err(_) if count == 0 => break,
                Err(wrong) => {
                    ill = count;
                    found = Some(wrong);
                }
            }
        }
        let Some(_) = well else { return Ok(None) };
        if found.is_none() {
            // It fails with all of them alone: with the last one.
            bounded(tx.execute(relation::CLEAR)).await?;
            found = run_section(&mut tx, section, rows, ill, limit).await.err();
        }
        let blamed = Blamed::Event(rows.position(ill));
        Ok(found.map(|wrong| wrong.explained(blamed, limit)))
    }
}

/// Sends the first events of a section and runs its statements.
async fn run_section(
    connection: &mut PgConnection,
    section: &Section,
    rows: &Rows,
    count: usize,
    limit: Duration,
) -> Result<(), Wrong> {
    let began = section.statements.first().map_or(0, |statement| statement.line);
    let sent = send(connection, rows, count).await;
    sent.map_err(|error| Wrong { line: began, error, too_long: false })?;
    for statement in &section.statements {
        run(connection, statement, limit).await?;
    }
    // What a table demands only at the end, it demands here, where it is known whose doing it is.
    let demand = Statement { sql: "SET CONSTRAINTS ALL IMMEDIATE".to_owned(), line: began };
    run(connection, &demand, limit).await
}

/// Fills the relation with the first events.
async fn send(connection: &mut PgConnection, rows: &Rows, count: usize) -> Result<(), sqlx::Error> {
    let sending = async {
        let mut copy = connection.copy_in_raw(rows.copy()).await?;
        for part in rows.first(count).chunks(SENDING) {
            copy.send(part).await?;
        }
        copy.send(CopyRows::TRAILER.as_slice()).await?;
        copy.finish().await
    };
    tokio::time::timeout(PATIENCE * 3, sending).await.map_err(|_elapsed| sqlx::Error::PoolTimedOut)?.map(drop)
}

/// Runs a statement: planned anew each time, since only then is it known how many events there are.
async fn run(connection: &mut PgConnection, statement: &Statement, limit: Duration) -> Result<(), Wrong> {
    let began = Instant::now();
    let running = sqlx::query(&statement.sql).persistent(false).execute(connection);
    // The server ends it; this is for when the server is out of reach.
    let ran = tokio::time::timeout(limit + PATIENCE, running).await;
    match ran.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
        Ok(_) => Ok(()),
        Err(error) => {
            let canceled = postgres(&error).is_some_and(|failed| failed.code() == CANCELED);
            // Somebody may have cancelled it by hand, which says nothing of the statement.
            let too_long = canceled && began.elapsed() + limit / 10 >= limit;
            Err(Wrong { line: line(statement, &error), error, too_long })
        }
    }
}

/// The line of the file that the error is about.
fn line(statement: &Statement, error: &sqlx::Error) -> usize {
    match postgres(error).and_then(PgDatabaseError::position) {
        Some(PgErrorPosition::Original(character)) => statement.line_of(character),
        Some(PgErrorPosition::Internal { .. }) | None => statement.line,
    }
}

fn postgres(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error().and_then(|error| error.try_downcast_ref())
}
