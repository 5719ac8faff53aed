//! Old events in partitions by position: cut off the table that new ones go to, written to files, taken out of the
//! database and brought back (`migrations/events/0013_partitions.sql`). No event's position changes, and none is ever in
//! no place.

mod archives;
mod file;
mod text;

use std::path::PathBuf;
use std::time::Duration;

use futures::TryStreamExt as _;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgRow;
use sqlx::{Executor as _, PgPool, Postgres, Row};

pub(crate) use self::archives::Archive;
pub use self::archives::Archives;
use self::file::Digest;
use crate::bounded::bounded;
use crate::error::StoreError;
use crate::event::Position;
use crate::reader::BLOCK;

/// How long the database may take for one block.
const BLOCK_TIME: Duration = Duration::from_secs(30);
/// How long a partition may take that is cut, attached or detached, on the server and in all. It waits for locks only for
/// moments, since who waits for one holds up everybody after.
const STATEMENT_TIME: &str = "SET statement_timeout = '1h'; SET lock_timeout = '200ms'";
const WHOLE_TIME: Duration = Duration::from_hours(2);
/// To make an empty partition holds nobody up who appends or reads, and the server's own housekeeping steps aside only after
/// a second.
const PATIENTLY: &str = "SET lock_timeout = '10s'";
/// How long those who read when an empty partition was made are waited for, and how often they are looked at.
const READERS_TIME: Duration = Duration::from_mins(2);
const READERS_PAUSE: Duration = Duration::from_millis(50);
/// How often a lock is tried for, and the pause between.
const TRIES: u32 = 30;
const PAUSE: Duration = Duration::from_secs(1);
/// `lock_not_available`.
const LOCKED: &str = "55P03";

/// Who reads events now, but for this session.
const READERS: &str = "SELECT DISTINCT virtualtransaction FROM pg_locks WHERE locktype = 'relation' \
     AND relation = 'events'::regclass AND pid <> pg_backend_pid() \
     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// A range of positions whose events lie together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// The position of the first event.
    pub first: Position,
    /// The position of the last event.
    pub last: Position,
    /// Whether the events are in the database.
    pub attached: bool,
    /// Vouches for its file; without one there is none.
    archive: Option<Digest>,
}

impl Partition {
    /// Whether the events are in a file.
    pub const fn is_archived(&self) -> bool {
        self.archive.is_some()
    }
}

/// The partitions of a log, for who keeps it.
///
/// ```no_run
/// # async fn keep(pool: sqlx::PgPool) -> Result<(), daybook_eventstore::StoreError> {
/// use daybook_eventstore::{Archives, Partitions, Position};
///
/// let (partitions, archives) = (Partitions::new(pool), Archives::in_folder("/srv/archives"));
/// if let Some(old) = partitions.cut(Position::MAX, 1_000_000).await? {
///     partitions.archive(old.last, &archives).await?;
///     partitions.detach(old.last, &archives).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Partitions {
    pool: PgPool,
}

impl Partitions {
    /// The partitions of the log on this primary.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// All of them, from the oldest on.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list(&self) -> Result<Vec<Partition>, StoreError> {
        let query = "SELECT first, last, attached, archive_sha256 FROM log_partitions ORDER BY last";
        sqlx::query(query).fetch_all(&self.pool).await?.iter().map(partition).collect()
    }

    /// Moves the events after the last partition into a new one: all blocks that are full, up to this position or to
    /// `keeping` events before the end of the log, whichever is first. Nothing when there is none. Appends and readers
    /// go on meanwhile.
    ///
    /// # Errors
    /// When the database fails; then everything is as before.
    pub async fn cut(&self, upto: Position, keeping: i64) -> Result<Option<Partition>, StoreError> {
        let query = "SELECT least(d.position, h.position - $1), coalesce((SELECT max(last) FROM log_partitions), 0) \
             FROM event_directory_head d, log_head h";
        let row = sqlx::query(query).bind(keeping.max(0)).fetch_one(&self.pool).await?;
        let (full, reached): (Position, Position) = (row.try_get(0)?, row.try_get(1)?);
        let (first, last) = (reached + 1, upto.min(full).max(0) / BLOCK * BLOCK);
        if last < first {
            return Ok(None);
        }
        let mut connection = self.patient().await?;
        let cut = async {
            create(&mut connection, first, last).await?;
            let cut = sqlx::query("SELECT cut_log_partition($1, $2)").bind(first).bind(last);
            cut.execute(&mut *connection).await?;
            tidy(&mut connection, "VACUUM (ANALYZE) events").await;
            Ok(())
        };
        in_time(WHOLE_TIME, cut).await?;
        self.find(last).await
    }

    /// Writes a partition's events to a file in this folder, unless there is a good one, and reads them there before it
    /// relies on them.
    ///
    /// # Errors
    /// When the database fails, or the file cannot be written.
    pub async fn archive(&self, last: Position, archives: &Archives) -> Result<PathBuf, StoreError> {
        let mut partition = self.get(last).await?;
        if let Some(path) = archives.path(&partition)
            && archives.verify(&partition).await.is_ok()
        {
            return Ok(path);
        }
        let mut connection = self.patient().await?;
        let mut writing = archives.begin(partition.first..=partition.last).await?;
        for first in (partition.first..=partition.last).step_by(usize::try_from(BLOCK).unwrap_or(usize::MAX))
        {
            let lines = in_time(BLOCK_TIME, copy_out(&mut connection, &partition, first)).await?;
            writing = archives.add(writing, lines).await?;
        }
        let digest = archives.finish(writing).await?;
        partition.archive = Some(digest);
        archives.verify(&partition).await?;
        let record =
            sqlx::query("UPDATE log_partitions SET archive_sha256 = $2 WHERE last = $1 AND attached");
        let record = record.bind(last).bind(digest.as_slice());
        let recorded = bounded(async { Ok(record.execute(&mut *connection).await?) }).await?;
        if recorded.rows_affected() == 1 { archives.path(&partition) } else { None }
            .ok_or(StoreError::NotArchived { position: last })
    }

    /// Takes the oldest partition out of the database, once its file in this folder has been read through. Who reads the
    /// log from there on, or loads a stream that has events there, must have the folder.
    ///
    /// # Errors
    /// When there is no file that has all of its events, it is not the oldest, or the database fails; then everything is
    /// as before.
    pub async fn detach(&self, last: Position, archives: &Archives) -> Result<(), StoreError> {
        let partition = self.get(last).await?;
        let digest = partition.archive.ok_or(StoreError::NotArchived { position: last })?;
        archives.verify(&partition).await?;
        let mut connection = self.patient().await?;
        let mut tries = 0;
        loop {
            let detach =
                sqlx::query("SELECT detach_log_partition($1, $2)").bind(last).bind(digest.as_slice());
            let detached = in_time(WHOLE_TIME, async { Ok(detach.execute(&mut *connection).await?) }).await;
            tries += 1;
            match detached {
                Err(error) if is_locked(&error) && tries < TRIES => tokio::time::sleep(PAUSE).await,
                detached => return detached.map(drop),
            }
        }
    }

    /// Brings the newest partition that is not in the database back from its file in this folder.
    ///
    /// # Errors
    /// When the file cannot be read, it is not the newest, or the database fails; then everything is as before.
    pub async fn attach(&self, last: Position, archives: &Archives) -> Result<(), StoreError> {
        let partition = self.get(last).await?;
        if partition.attached {
            return Ok(());
        }
        let archive = archives.open(&partition).await?;
        let mut connection = self.patient().await?;
        let filled = async {
            create(&mut connection, partition.first, partition.last).await?;
            connection.execute("BEGIN").await?;
            for block in archive.blocks() {
                let lines = archive.lines(block).await?;
                let copy = format!("COPY {} ({}) FROM STDIN", table(&partition), text::COLUMNS.join(", "));
                let mut copy = connection.copy_in_raw(&copy).await?;
                copy.send(lines).await?;
                copy.finish().await?;
            }
            sqlx::query("SELECT attach_log_partition($1)").bind(last).execute(&mut *connection).await?;
            connection.execute("COMMIT").await?;
            tidy(&mut connection, &format!("ANALYZE {}", table(&partition))).await;
            Ok(())
        };
        in_time(WHOLE_TIME, filled).await
    }

    async fn find(&self, last: Position) -> Result<Option<Partition>, StoreError> {
        Ok(self.list().await?.into_iter().find(|partition| partition.last == last))
    }

    async fn get(&self, last: Position) -> Result<Partition, StoreError> {
        self.find(last).await?.ok_or(StoreError::NotArchived { position: last })
    }

    /// A connection whose statements may take long, but wait for nobody long. It does not go back to the pool.
    async fn patient(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        connection.close_on_drop();
        connection.execute(sqlx::raw_sql(STATEMENT_TIME)).await?;
        Ok(connection)
    }
}

/// Makes an empty partition, and waits for everybody who may not know of it.
async fn create(
    connection: &mut PoolConnection<Postgres>,
    first: Position,
    last: Position,
) -> Result<(), StoreError> {
    connection.execute(PATIENTLY).await?;
    let create = sqlx::query("SELECT create_log_partition($1, $2)").bind(first).bind(last);
    create.execute(&mut **connection).await?;
    connection.execute(sqlx::raw_sql(STATEMENT_TIME)).await?;
    let readers: Vec<String> = sqlx::query_scalar(READERS).fetch_all(&mut **connection).await?;
    let wait = async {
        loop {
            let now: Vec<String> = sqlx::query_scalar(READERS).fetch_all(&mut **connection).await?;
            if !readers.iter().any(|reader| now.contains(reader)) {
                return Ok(());
            }
            tokio::time::sleep(READERS_PAUSE).await;
        }
    };
    in_time(READERS_TIME, wait).await
}

/// Leaves the tables as readers like them. What was done stands without it, and the server does the same in its own time.
async fn tidy(connection: &mut PoolConnection<Postgres>, statement: &str) {
    if let Err(error) = connection.execute(statement).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            statement,
            "left to the server's own housekeeping"
        );
    }
}

fn is_locked(error: &StoreError) -> bool {
    let StoreError::Database(sqlx::Error::Database(error)) = error else { return false };
    error.code().is_some_and(|code| code == LOCKED)
}

/// The partitions that are not in the database, by their last positions, and how often any has left or come back.
pub(crate) async fn detached(
    database: impl sqlx::Executor<'_, Database = Postgres>,
) -> Result<(Vec<Partition>, i64), StoreError> {
    let query = "SELECT first, last, attached, archive_sha256, changes FROM log_partitions ORDER BY last";
    let (mut partitions, mut changes) = (Vec::new(), 0);
    for row in sqlx::query(query).fetch_all(database).await? {
        changes += i64::from(row.try_get::<i32, _>(4)?);
        partitions.push(partition(&row)?);
    }
    partitions.retain(|partition| !partition.attached);
    Ok((partitions, changes))
}

fn partition(row: &PgRow) -> Result<Partition, StoreError> {
    let digest: Option<Vec<u8>> = row.try_get(3)?;
    Ok(Partition {
        first: row.try_get(0)?,
        last: row.try_get(1)?,
        attached: row.try_get(2)?,
        archive: digest.and_then(|digest| digest.try_into().ok()),
    })
}

/// The name of a partition's table.
fn table(partition: &Partition) -> String {
    format!("events_{}_{}", partition.first, partition.last)
}

/// The events of a block, as `COPY` gives them.
async fn copy_out(
    connection: &mut PoolConnection<Postgres>,
    partition: &Partition,
    first: Position,
) -> Result<Vec<u8>, StoreError> {
    let copy = format!(
        "COPY (SELECT {} FROM {} WHERE position BETWEEN {first} AND {} ORDER BY position) TO STDOUT",
        text::COLUMNS.join(", "),
        table(partition),
        first + BLOCK - 1
    );
    let mut pieces = connection.copy_out_raw(&copy).await?;
    let mut lines = Vec::new();
    while let Some(piece) = pieces.try_next().await? {
        lines.extend_from_slice(&piece);
    }
    Ok(lines)
}

async fn in_time<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(limit, call).await.map_err(|_elapsed| StoreError::TimedOut)?
}
