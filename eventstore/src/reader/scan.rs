//! Reading much of the log: batch after batch. The next ones are read while one is dealt with, and no further ahead.

use futures::TryStreamExt as _;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Postgres, QueryBuilder};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::detached::{Detached, blocks_of, in_slice};
use super::directory::{BLOCK, Directory, Stretch};
use super::selection::Selection;
use super::view::EventView;
use crate::bounded::bounded;
use crate::error::StoreError;
use crate::event::{Position, RecordedEvent};
use crate::partition::Archives;

/// How many batches are read ahead.
const AHEAD: usize = 2;

/// Some events, as they were sent.
#[derive(Debug)]
pub struct Batch(Source);

/// Where they came from.
#[derive(Debug)]
enum Source {
    Database(Vec<PgRow>),
    Archive(Vec<RecordedEvent>),
}

impl Batch {
    /// The events, in the order of their positions.
    pub fn events(&self) -> impl Iterator<Item = EventView<'_>> {
        let (rows, events) = match &self.0 {
            Source::Database(rows) => (rows.as_slice(), [].as_slice()),
            Source::Archive(events) => ([].as_slice(), events.as_slice()),
        };
        rows.iter().map(EventView::of).chain(events.iter().map(EventView::archived))
    }

    /// How many there are; at least one.
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub const fn len(&self) -> usize {
        match &self.0 {
            Source::Database(rows) => rows.len(),
            Source::Archive(events) => events.len(),
        }
    }
}

/// A selection that is being read. Whoever does not ask for more holds the reading up, and whoever drops it ends it.
#[derive(Debug)]
pub struct Scan {
    /// Nothing is the end, which is said: that nobody reads any more is none.
    batches: mpsc::Receiver<Result<Option<Batch>, StoreError>>,
    ended: bool,
    reading: JoinHandle<()>,
}

impl Scan {
    pub(super) fn start(
        pool: PgPool,
        archives: Option<Archives>,
        selection: Selection,
        batch: usize,
    ) -> Self {
        let (pass_on, batches) = mpsc::channel(AHEAD);
        let reading = tokio::spawn(async move {
            let end = read(&pool, archives, selection, batch.max(1), &pass_on).await;
            // Whoever asked may have gone.
            let _ = pass_on.send(end.map(|()| None)).await;
        });
        Self { batches, ended: false, reading }
    }

    /// The next events; nothing at the end of the selection, or where the log ends when that is reached.
    ///
    /// # Errors
    /// When the database does not answer, or a position is missing. Then this is the end.
    pub async fn next(&mut self) -> Result<Option<Batch>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        let next = self.batches.recv().await.unwrap_or(Err(StoreError::Closed));
        self.ended = !matches!(next, Ok(Some(_)));
        next
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// How many events one statement reads. It ends soon enough for the server to tidy up behind it.
const PAGE: usize = 50_000;
/// How many it reads at positions that are listed.
const LISTED_PAGE: usize = 4_096;
/// `query_canceled`: the statement took longer than statements may, since whoever reads takes their time.
const CANCELED: &str = "57014";

/// How often what is missing is looked for again.
const TRIES: u32 = 3;

/// Who reads, and for whom: on one connection, which knows the statements after their first use.
struct Reading<'a> {
    connection: PoolConnection<Postgres>,
    selection: Selection,
    batch: usize,
    pass_on: &'a mpsc::Sender<Result<Option<Batch>, StoreError>>,
}

async fn read(
    pool: &PgPool,
    archives: Option<Archives>,
    selection: Selection,
    batch: usize,
    pass_on: &mpsc::Sender<Result<Option<Batch>, StoreError>>,
) -> Result<(), StoreError> {
    let connection = bounded(async { Ok(pool.acquire().await?) }).await?;
    let mut reading = Reading { connection, selection, batch, pass_on };
    let mut directory = Directory::new();
    // Who reads every position sees when one is not there, and asks then.
    let mut detached =
        if reading.selection.is_whole() { None } else { Some(reading.detached(archives.as_ref()).await?) };
    let changes = detached.as_ref().map(Detached::changes);
    let mut stuck = (reading.selection.begins(), 0);
    loop {
        let stretch = directory.next(&mut reading.connection, &reading.selection).await?;
        let hole = match reading.stretch(stretch, detached.as_mut()).await {
            Ok(true) => continue,
            Ok(false) => reading.hole_at_the_end().await?,
            Err(StoreError::LogDiverged { position, .. }) if reading.selection.is_whole() => Some(position),
            Err(error) => return Err(error),
        };
        let Some(position) = hole else { break };
        let now = reading.detached(archives.as_ref()).await?;
        if now.reaches() > position {
            detached = Some(now);
            continue;
        }
        // It may have come, or come back, since it was missed.
        stuck = if stuck.0 == position { (position, stuck.1 + 1) } else { (position, 1) };
        if stuck.1 == TRIES {
            return Err(missing(position));
        }
        detached = None;
    }
    // What left or came back while others were looked for may not have been seen.
    match changes {
        Some(changes) if reading.detached(archives.as_ref()).await?.changes() != changes => {
            Err(missing(reading.selection.begins()))
        }
        _ => Ok(()),
    }
}

impl Reading<'_> {
    /// What has left the database.
    async fn detached(&mut self, archives: Option<&Archives>) -> Result<Detached, StoreError> {
        bounded(Detached::now(&mut *self.connection, archives.cloned())).await
    }

    /// After which position the end of a range is missing that should be there whole.
    async fn hole_at_the_end(&mut self) -> Result<Option<Position>, StoreError> {
        let begins = self.selection.begins();
        if !self.selection.is_whole() || self.selection.ends().is_none_or(|until| until <= begins) {
            return Ok(None);
        }
        let head = sqlx::query_scalar("SELECT position FROM log_head").fetch_one(&mut *self.connection);
        let head: Position = bounded(async { Ok(head.await?) }).await?;
        Ok((head > begins).then_some(begins))
    }

    /// Reads a stretch of the log, the part of it first that has left the database; whether there may be more.
    async fn stretch(
        &mut self,
        stretch: Stretch,
        detached: Option<&mut Detached>,
    ) -> Result<bool, StoreError> {
        let left = detached.as_ref().map_or(0, |detached| detached.reaches());
        let until = match stretch {
            Stretch::Unlisted { until } => {
                if let Some(detached) = detached
                    && self.selection.begins() < left
                {
                    let end = self.selection.up_to(until).ends().map_or(left, |end| end.min(left));
                    let blocks = self.blocks(end).await?;
                    self.archived(detached, blocks).await?;
                    self.selection.go_on(end);
                    return Ok(self.selection.ends() != Some(end));
                }
                self.look(until).await?;
                until
            }
            Stretch::Listed { positions, until } => {
                let (gone, there) =
                    positions.split_at(positions.partition_point(|position| *position <= left));
                if let Some(detached) = detached
                    && !gone.is_empty()
                {
                    let mut blocks: Vec<i64> = gone.iter().map(|position| (position - 1) / BLOCK).collect();
                    blocks.dedup();
                    self.archived(detached, blocks).await?;
                }
                self.listed(there).await?;
                Some(until)
            }
        };
        let Some(until) = until.filter(|until| self.selection.ends() != Some(*until)) else {
            return Ok(false);
        };
        self.selection.go_on(until);
        Ok(true)
    }

    /// The blocks up to `end` that may have something that is wanted.
    async fn blocks(&mut self, end: Position) -> Result<Vec<i64>, StoreError> {
        let all = self.selection.begins() / BLOCK..=(end - 1) / BLOCK;
        match self.selection.streams() {
            Some(streams) => {
                let blocks = bounded(blocks_of(&mut *self.connection, streams)).await?;
                Ok(blocks.into_iter().filter(|block| all.contains(block)).collect())
            }
            None => Ok(all.collect()),
        }
    }

    /// Passes on what is wanted of blocks that have left the database.
    async fn archived(&mut self, detached: &mut Detached, blocks: Vec<i64>) -> Result<(), StoreError> {
        for block in blocks {
            let mut events = detached.events(block).await?;
            events.retain(|event| self.selection.includes(event));
            if let Some(slice) = self.selection.slice() {
                let ids = bounded(in_slice(&mut *self.connection, &events, slice)).await?;
                events.retain(|event| ids.contains(&event.aggregate_id));
            }
            let mut events = events.into_iter().peekable();
            while events.peek().is_some() {
                let batch: Vec<_> = events.by_ref().take(self.batch).collect();
                self.pass(Batch(Source::Archive(batch))).await?;
            }
        }
        Ok(())
    }

    async fn pass(&self, batch: Batch) -> Result<(), StoreError> {
        self.pass_on.send(Ok(Some(batch))).await.map_err(|_gone| StoreError::Closed)
    }

    /// Reads one event after another.
    async fn look(&mut self, until: Option<Position>) -> Result<(), StoreError> {
        loop {
            let began = self.selection.begins();
            let query = self.selection.up_to(until).query(PAGE);
            match self.pass_rows(query).await {
                Ok(PAGE) => {}
                Ok(_) => return Ok(()),
                Err(error) if is_canceled(&error) && self.selection.begins() > began => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads what is at these positions.
    async fn listed(&mut self, positions: &[Position]) -> Result<(), StoreError> {
        let mut positions = positions;
        while !positions.is_empty() {
            let began = self.selection.begins();
            let (page, rest) = positions.split_at(positions.len().min(LISTED_PAGE));
            match self.pass_rows(self.selection.query_at(page)).await {
                Ok(read) if read == page.len() || !self.selection.is_of_types_alone() => positions = rest,
                Ok(_) => return Err(missing(began)),
                Err(error) if is_canceled(&error) && self.selection.begins() > began => {
                    positions = &positions[positions.partition_point(|at| *at <= self.selection.begins())..];
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Passes on what a query gives; how many events that were.
    ///
    /// # Errors
    /// [`StoreError::Closed`] when nobody wants the rest, besides those of the database.
    async fn pass_rows(&mut self, mut query: QueryBuilder<'static, Postgres>) -> Result<usize, StoreError> {
        let mut stream = query.build().fetch(&mut *self.connection);
        let mut count = 0;
        loop {
            let mut rows = Vec::with_capacity(self.batch);
            let fill = async {
                while rows.len() < self.batch
                    && let Some(row) = stream.try_next().await?
                {
                    rows.push(row);
                }
                Ok(())
            };
            bounded(fill).await?;
            let Some(last) = rows.last() else { return Ok(count) };
            let (last, has_more) = (EventView::of(last).position()?, rows.len() == self.batch);
            if self.selection.is_whole() && last - self.selection.begins() != length(&rows) {
                return Err(missing(self.selection.begins()));
            }
            self.selection.go_on(last);
            count += rows.len();
            let passed = self.pass_on.send(Ok(Some(Batch(Source::Database(rows))))).await;
            passed.map_err(|_gone| StoreError::Closed)?;
            if !has_more {
                return Ok(count);
            }
        }
    }
}

/// Something that must be there after this position is not.
fn missing(position: Position) -> StoreError {
    StoreError::LogDiverged { name: "a scan".to_owned(), position }
}

fn is_canceled(error: &StoreError) -> bool {
    let StoreError::Database(sqlx::Error::Database(error)) = error else { return false };
    error.code().is_some_and(|code| code == CANCELED)
}

fn length(rows: &[PgRow]) -> Position {
    Position::try_from(rows.len()).unwrap_or(Position::MAX)
}
