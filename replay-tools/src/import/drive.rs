//! Many invoices at once, each customer's one after another, in the file's order.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::checkpoint::Checkpoint;
use super::error::ImportError;
use super::patience::Patience;
use super::plan::{Unit, Work};
use super::story::Desk;
use super::{sell, take_back};
use crate::bar::Bar;

/// How often the checkpoint is written.
const EVERY: Duration = Duration::from_millis(500);

/// What has the plans take effect.
pub(super) struct Driver {
    pub(super) desk: Arc<Desk>,
    pub(super) checkpoint: Checkpoint,
    pub(super) bar: Bar,
    /// How many invoices may be on their way.
    pub(super) in_flight: usize,
    pub(super) stop: CancellationToken,
}

/// What is on its way.
#[derive(Default)]
struct Underway {
    tasks: JoinSet<Result<Unit, ImportError>>,
    /// The last document of each customer: the next one waits for it.
    customers: HashMap<u32, oneshot::Receiver<()>>,
    /// The units that were begun: whether each is through, by its last line.
    begun: BTreeMap<u64, bool>,
    failure: Option<ImportError>,
}

impl Driver {
    /// Takes plans until there are no more or the import is to stop; what was begun is always ended.
    pub(super) async fn run(&mut self, mut units: mpsc::Receiver<Unit>) -> Result<(), ImportError> {
        let mut underway = Underway::default();
        let (mut through, mut saved) = (0, Instant::now());
        loop {
            let goes_on = underway.failure.is_none() && !self.stop.is_cancelled();
            tokio::select! {
                () = self.stop.cancelled(), if goes_on => {}
                Some(ended) = underway.tasks.join_next() => {
                    if let Some(lines) = underway.end(ended) {
                        self.bar.advance(lines);
                    }
                }
                unit = units.recv(), if goes_on && underway.tasks.len() < self.in_flight => match unit {
                    Some(unit) => underway.begin(&self.desk, unit, &self.stop),
                    None => break,
                },
                else => break,
            }
            through = underway.through().unwrap_or(through);
            if saved.elapsed() >= EVERY && through > 0 {
                self.checkpoint.advance(through, &self.stop).await?;
                saved = Instant::now();
            }
        }
        while let Some(ended) = underway.tasks.join_next().await {
            if let Some(lines) = underway.end(ended) {
                self.bar.advance(lines);
            }
        }
        through = underway.through().unwrap_or(through);
        self.checkpoint.advance(through, &self.stop).await?;
        underway.failure.map_or(Ok(()), Err)
    }
}

impl Underway {
    fn begin(&mut self, desk: &Arc<Desk>, unit: Unit, stop: &CancellationToken) {
        self.begun.insert(unit.end, false);
        let (done, next) = oneshot::channel();
        let before = unit.work.customer().and_then(|customer| self.customers.insert(customer, next));
        let (desk, stop) = (Arc::clone(desk), stop.clone());
        self.tasks.spawn(async move {
            if let Some(before) = before {
                // When it failed, the import stops, and what rests on it must not begin.
                before.await.map_err(|_| ImportError::Stopped)?;
            }
            take_effect(&desk, &unit.work, &stop).await?;
            // Nobody may wait for it.
            let _ = done.send(());
            Ok(unit)
        });
    }

    /// Notes the end of a unit, and says how many lines are through with it.
    fn end(&mut self, ended: Result<Result<Unit, ImportError>, JoinError>) -> Option<u64> {
        let failure = match ended {
            Ok(Ok(unit)) => {
                self.begun.insert(unit.end, true);
                return Some(unit.lines);
            }
            Ok(Err(ImportError::Stopped)) if self.failure.is_some() => return None,
            Ok(Err(failure)) => failure,
            Err(lost) => lost.into(),
        };
        let is_consequence = matches!(failure, ImportError::Stopped);
        if self.failure.is_none() || matches!(self.failure, Some(ImportError::Stopped)) && !is_consequence {
            self.failure = Some(failure);
        }
        None
    }

    /// The line up to which every unit is through; forgets those before it.
    fn through(&mut self) -> Option<u64> {
        let mut through = None;
        while let Some(first) = self.begun.first_entry().filter(|first| *first.get()) {
            through = Some(*first.key());
            first.remove();
        }
        through
    }
}

/// Has a plan take effect; begins it anew when the database was away, since what is sent again changes nothing.
async fn take_effect(desk: &Desk, work: &Work, stop: &CancellationToken) -> Result<(), ImportError> {
    let mut patience = Patience::new(stop);
    loop {
        let taken = match work {
            Work::Sale(sale) => sell::sell(desk, sale).await,
            Work::Return(note) => take_back::take_back(desk, note).await,
        };
        match taken {
            Ok(()) => return Ok(()),
            Err(failure) => patience.outlast(failure).await?,
        }
    }
}
