//! Who keeps the log: cuts old events off into partitions, writes them to files, takes them out of the database and brings
//! them back, while everybody writes and reads.

use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use daybook_eventstore::{Archives, Partition, Partitions, Position, StoreError};
use serde::Serialize;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Executor as _, PgPool};
use tokio::task::JoinHandle;

use super::Failed;
use super::dice::Dice;

/// The name under which the database sees it.
const APPLICATION: &str = "oracle keeper";
/// How many events are left where they are, at most.
const KEEPING: u64 = 9_000;
/// The longest pause between two things, in milliseconds.
const PAUSE: u64 = 3_000;
/// How long it may take to bring everything back in the end.
const BACK: Duration = Duration::from_mins(2);

/// What was done with partitions how often.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Moved {
    pub(crate) cut: u64,
    pub(crate) detached: u64,
    pub(crate) attached: u64,
}

/// A keeper at work.
pub(crate) struct Keeper {
    pool: PgPool,
    stop: Arc<AtomicBool>,
    working: JoinHandle<Result<Moved, StoreError>>,
}

impl Keeper {
    /// Begins to move what is old in this database.
    pub(crate) fn start(database: &str, archives: Archives, dice: Dice) -> Result<Self, Failed> {
        let options = PgConnectOptions::from_str(database)?.application_name(APPLICATION);
        let pool = PgPoolOptions::new().max_connections(2).connect_lazy_with(options);
        let stop = Arc::new(AtomicBool::new(false));
        let partitions = Partitions::new(pool.clone());
        let work = Work { pool: pool.clone(), partitions, archives, dice };
        let working = tokio::spawn(work.go_on(Arc::clone(&stop)));
        Ok(Self { pool, stop, working })
    }

    /// Ends it, when nobody is disturbed any more; what was moved stays where it is, and old events are moved once more, so that
    /// those who read the log in the end find them elsewhere. Its sessions end too.
    pub(crate) async fn end(self) -> Result<Moved, Failed> {
        self.stop.store(true, Ordering::Relaxed);
        let moved = self.working.await??;
        self.pool.close().await;
        Ok(moved)
    }

    /// Brings everything back into this database, as long as that takes.
    pub(crate) async fn bring_back(pool: &PgPool, archives: &Archives) -> Result<u64, Failed> {
        let partitions = Partitions::new(pool.clone());
        let (mut brought, deadline) = (0, Instant::now() + BACK);
        loop {
            let newest = partitions.list().await?.into_iter().rfind(|partition| !partition.attached);
            let Some(newest) = newest else { return Ok(brought) };
            match partitions.attach(newest.last, archives).await {
                Ok(()) => brought += 1,
                Err(error) if Instant::now() > deadline => return Err(error.into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

struct Work {
    pool: PgPool,
    partitions: Partitions,
    archives: Archives,
    dice: Dice,
}

impl Work {
    async fn go_on(mut self, stop: Arc<AtomicBool>) -> Result<Moved, StoreError> {
        let mut moved = Moved::default();
        while !stop.load(Ordering::Relaxed) {
            match self.act(&mut moved).await {
                // What was cut off leaves everything as it was.
                Err(error) if !is_passing(&error) => return Err(error),
                Ok(()) | Err(_) => {}
            }
            tokio::time::sleep(self.dice.between(0, PAUSE)).await;
        }
        // Whoever filled the last blocks may have been killed before they were in the directory, beyond which nothing is cut.
        self.pool.execute("SELECT extend_event_directory(2147483647)").await?;
        self.partitions.cut(Position::MAX, 0).await?;
        let all = self.partitions.list().await?;
        if let Some(oldest) = all.iter().find(|partition| partition.attached) {
            self.detach(oldest.last, &mut moved).await?;
        }
        // What was cut off after it was done was done too.
        let (cut, detached) = (all.len(), all.iter().filter(|partition| !partition.attached).count());
        moved.cut = moved.cut.max(u64::try_from(cut).unwrap_or(0));
        moved.detached = moved.detached.max(u64::try_from(detached).unwrap_or(0));
        Ok(moved)
    }

    async fn detach(&self, last: Position, moved: &mut Moved) -> Result<(), StoreError> {
        self.partitions.archive(last, &self.archives).await?;
        self.partitions.detach(last, &self.archives).await?;
        moved.detached += 1;
        Ok(())
    }

    async fn act(&mut self, moved: &mut Moved) -> Result<(), StoreError> {
        let all = self.partitions.list().await?;
        let oldest = all.iter().find(|partition| partition.attached);
        let newest = all.iter().rfind(|partition| !partition.attached);
        match (self.dice.below(4), oldest, newest) {
            (0 | 1, Some(Partition { last, .. }), _) => self.detach(*last, moved).await?,
            (2, _, Some(Partition { last, .. })) => {
                self.partitions.attach(*last, &self.archives).await?;
                moved.attached += 1;
            }
            (_, _, _) => {
                let keeping = i64::try_from(self.dice.below(KEEPING)).unwrap_or(0);
                let cut = self.partitions.cut(Position::MAX, keeping).await?;
                moved.cut += u64::from(cut.is_some());
            }
        }
        Ok(())
    }
}

/// Whether it is what happens to sessions that are killed, held up by a lock or cut off with their server.
fn is_passing(error: &StoreError) -> bool {
    /// Classes 08 (connection), 40 (rollback), 53 (resources), 55 (not in this state, a lock for example) and 57 (operator
    /// intervention): `PostgreSQL`, appendix A.
    const PASSING: [&str; 5] = ["08", "40", "53", "55", "57"];
    match error {
        StoreError::Database(sqlx::Error::Database(error)) => {
            error.code().is_some_and(|code| PASSING.iter().any(|class| code.starts_with(class)))
        }
        StoreError::Database(_) | StoreError::TimedOut => true,
        StoreError::Migration(_)
        | StoreError::Overloaded
        | StoreError::NotAtHand
        | StoreError::Closed
        | StoreError::Undecodable { .. }
        | StoreError::UnknownEvent { .. }
        | StoreError::LogDiverged { .. }
        | StoreError::Archive { .. }
        | StoreError::Archived { .. }
        | StoreError::NotArchived { .. } => false,
    }
}
