//! Events from the log, gathered into batches that begin and end at the same positions in every run: the same file over the
//! same range does the same with the same events, however often it was interrupted.

use daybook_domain::Timestamp;
use daybook_eventstore::{Checkpoint, EventView, Position, Scan, StoreError};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::error::SqlError;
use super::relation::{Rows, Sorting};

/// How many positions a batch is of at most; it ends at a multiple of this.
pub(super) const WINDOW: Position = 8_192;
/// How many bytes of events a batch is of at most, but for the last event.
const MOST: usize = 32 << 20;
/// How many batches are gathered ahead.
const AHEAD: usize = 1;

/// Events of a part of the log, section by section.
#[derive(Debug)]
pub(super) struct Batch {
    /// Those of each section.
    pub(super) rows: Vec<Rows>,
    /// How many there are; one in several sections counts once.
    pub(super) events: u64,
    /// Where the run stands once they are applied.
    pub(super) to: Checkpoint,
    /// When the last one was recorded.
    pub(super) recorded_at: Timestamp,
}

/// A part of the log that is being gathered.
#[derive(Debug)]
pub(super) struct Open {
    rows: Vec<Rows>,
    events: u64,
    /// The batch's end.
    last: Option<(Checkpoint, Timestamp)>,
    window: Position,
}

impl Open {
    pub(super) fn new(sorting: &Sorting) -> Self {
        Self { rows: sorting.rows(), events: 0, last: None, window: 0 }
    }

    /// Whether the event at this position belongs to the next batch.
    fn is_over(&self, position: Position) -> bool {
        self.events > 0
            && ((position - 1) / WINDOW != self.window
                || self.rows.iter().map(Rows::bytes).sum::<usize>() > MOST)
    }

    /// Puts an event where it belongs; whether that is anywhere.
    pub(super) fn sort(&mut self, event: EventView<'_>, sorting: &Sorting) -> Result<bool, SqlError> {
        let found = sorting.sort(event, &mut self.rows)?;
        if found {
            self.window = (event.position()? - 1) / WINDOW;
            self.events += 1;
        }
        Ok(found)
    }

    /// The batch ends with this event, as far as it is known yet.
    pub(super) fn ends_with(&mut self, event: EventView<'_>, epoch: Uuid) -> Result<(), SqlError> {
        let event = event.to_recorded()?;
        self.last = Some((Checkpoint::on(epoch, &event), event.recorded_at));
        Ok(())
    }

    /// The batch, when there is anything in it; the next one begins.
    pub(super) fn close(&mut self, sorting: &Sorting) -> Option<Batch> {
        let Self { rows, events, last, .. } = std::mem::replace(self, Self::new(sorting));
        last.map(|(to, recorded_at)| Batch { rows, events, to, recorded_at })
    }
}

/// Batches that are being gathered; whoever drops it ends that.
#[derive(Debug)]
pub(super) struct Gather {
    batches: mpsc::Receiver<Result<Option<Batch>, SqlError>>,
    task: JoinHandle<()>,
}

impl Gather {
    /// Begins to gather what a scan gives, of the log with this epoch.
    pub(super) fn start(scan: Scan, sorting: Sorting, epoch: Uuid) -> Self {
        let (pass_on, batches) = mpsc::channel(AHEAD);
        let task = tokio::spawn(async move {
            let ended = gather(scan, &sorting, epoch, &pass_on).await;
            // Whoever asked may have gone.
            let _ = pass_on.send(ended.map(|()| None)).await;
        });
        Self { batches, task }
    }

    /// The next batch; nothing at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Batch>, SqlError> {
        self.batches.recv().await.unwrap_or_else(|| Err(StoreError::Closed.into()))
    }
}

impl Drop for Gather {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn gather(
    mut scan: Scan,
    sorting: &Sorting,
    epoch: Uuid,
    pass_on: &mpsc::Sender<Result<Option<Batch>, SqlError>>,
) -> Result<(), SqlError> {
    let mut open = Open::new(sorting);
    while let Some(read) = scan.next().await? {
        let mut last = None;
        for event in read.events() {
            if open.is_over(event.position()?) {
                if let Some(event) = last.take() {
                    open.ends_with(event, epoch)?;
                }
                pass(&mut open, sorting, pass_on).await?;
            }
            if open.sort(event, sorting)? {
                last = Some(event);
            }
        }
        if let Some(event) = last {
            open.ends_with(event, epoch)?;
        }
    }
    pass(&mut open, sorting, pass_on).await
}

async fn pass(
    open: &mut Open,
    sorting: &Sorting,
    pass_on: &mpsc::Sender<Result<Option<Batch>, SqlError>>,
) -> Result<(), SqlError> {
    if let Some(batch) = open.close(sorting) {
        pass_on.send(Ok(Some(batch))).await.map_err(|_gone| StoreError::Closed)?;
    }
    Ok(())
}
