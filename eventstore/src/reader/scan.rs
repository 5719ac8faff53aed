//! Reading much of the log: batch after batch. The next ones are read while one is dealt with, and no further ahead.

use futures::TryStreamExt as _;
use sqlx::PgPool;
use sqlx::postgres::PgRow;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

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
/// `query_canceled`: the statement took longer than statements may, since whoever reads takes their time.
const CANCELED: &str = "57014";

async fn read(
    pool: &PgPool,
    mut selection: Selection,
    batch: usize,
    pass_on: &mpsc::Sender<Result<Option<Batch>, StoreError>>,
) -> Result<(), StoreError> {
    loop {
        let began = selection.begins();
        match read_page(pool, &mut selection, batch, pass_on).await {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) if is_canceled(&error) && selection.begins() > began => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether there may be more.
async fn read_page(
    pool: &PgPool,
    selection: &mut Selection,
    batch: usize,
    pass_on: &mpsc::Sender<Result<Option<Batch>, StoreError>>,
) -> Result<bool, StoreError> {
    let mut query = selection.query(PAGE);
    let mut stream = query.build().fetch(pool);
    let mut count = 0;
    loop {
        let mut rows = Vec::with_capacity(batch);
        let fill = async {
            while rows.len() < batch
                && let Some(row) = stream.try_next().await?
            {
                rows.push(row);
            }
            Ok(())
        };
        bounded(fill).await?;
        let Some(last) = rows.last() else { return Ok(count == PAGE) };
        let (last, has_more) = (EventView::of(last).position()?, rows.len() == batch);
        if selection.is_whole() && last - selection.begins() != length(&rows) {
            return Err(StoreError::LogDiverged { name: "a scan".to_owned(), position: selection.begins() });
        }
        selection.go_on(last);
        count += rows.len();
        if pass_on.send(Ok(Some(Batch { rows }))).await.is_err() {
            return Ok(false);
        }
        if !has_more {
            return Ok(count == PAGE);
        }
    }
}

fn is_canceled(error: &StoreError) -> bool {
    let StoreError::Database(sqlx::Error::Database(error)) = error else { return false };
    error.code().is_some_and(|code| code == CANCELED)
}

fn length(rows: &[PgRow]) -> Position {
    Position::try_from(rows.len()).unwrap_or(Position::MAX)
}
