//! Reading much of the log: batch after batch. The next ones are read while one is dealt with, and no further ahead.

use futures::TryStreamExt as _;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Postgres, QueryBuilder};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::directory::{Directory, Stretch};
use super::selection::Selection;
use super::view::EventView;
use crate::bounded::bounded;
use crate::error::StoreError;
use crate::event::Position;

/// How many batches are read ahead.
const AHEAD: usize = 2;

/// Some events, as they were sent.
#[derive(Debug)]
pub struct Batch {
    rows: Vec<PgRow>,
}

impl Batch {
    /// The events, in the order of their positions.
    pub fn events(&self) -> impl Iterator<Item = EventView<'_>> {
        self.rows.iter().map(EventView::of)
    }

    /// How many there are; at least one.
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub const fn len(&self) -> usize {
        self.rows.len()
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
    pub(super) fn start(pool: PgPool, selection: Selection, batch: usize) -> Self {
        let (pass_on, batches) = mpsc::channel(AHEAD);
        let reading = tokio::spawn(async move {
            let end = read(&pool, selection, batch.max(1), &pass_on).await;
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

/// Who reads, and for whom: on one connection, which knows the statements after their first use.
struct Reading<'a> {
    connection: PoolConnection<Postgres>,
    selection: Selection,
    batch: usize,
    pass_on: &'a mpsc::Sender<Result<Option<Batch>, StoreError>>,
}

async fn read(
    pool: &PgPool,
    selection: Selection,
    batch: usize,
    pass_on: &mpsc::Sender<Result<Option<Batch>, StoreError>>,
) -> Result<(), StoreError> {
    let connection = bounded(async { Ok(pool.acquire().await?) }).await?;
    let mut reading = Reading { connection, selection, batch, pass_on };
    let mut directory = Directory::new();
    loop {
        let stretch = directory.next(&mut reading.connection, &reading.selection).await?;
        let reached = match stretch {
            Stretch::Unlisted { until } => reading.look(until).await.map(|()| until)?,
            Stretch::Listed { positions, until } => reading.listed(&positions).await.map(|()| Some(until))?,
        };
        match reached {
            Some(until) if reading.selection.ends() != Some(until) => reading.selection.go_on(until),
            _ => return Ok(()),
        }
    }
}

impl Reading<'_> {
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
            if self.pass_on.send(Ok(Some(Batch { rows }))).await.is_err() {
                return Err(StoreError::Closed);
            }
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
