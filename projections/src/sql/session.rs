//! A run of a projection: begun, or gone on with where the last one was; built from the log; put in its place.

use std::time::Duration;

use daybook_domain::Timestamp;
use daybook_eventstore::{Checkpoint, LogReader, Position, Selection, StoreError, Upcasters};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::account::{Account, Limits, bounded};
use super::error::SqlError;
use super::file::Projection;
use super::gather::{Batch, Gather};
use super::relation::Sorting;
use super::resume;
use super::state::{self, Asked, Place};
use super::worker::Worker;
use super::{shown, used, volatile};

/// How long a batch may take to end after the run was told to stop.
const GRACE: Duration = Duration::from_secs(2);
/// How many events are read at once.
const READ: usize = 1_000;

/// What a run is asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Only events after this position.
    pub after: Position,
    /// The run is to end at this position: what is further is not gone on with. Without it, it is to end nowhere.
    pub until: Option<Position>,
    /// Only what had happened in the world by then.
    pub as_of: Option<Timestamp>,
    /// The schema that is to stay; without one, nothing stays.
    pub schema: Option<String>,
    /// Whether what is in that schema may be replaced by what another file, or other events, make.
    pub replace: bool,
    /// What the statements may use.
    pub limits: Limits,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The position of the last event that was dealt with.
    pub position: Position,
    /// How many events were given to the projection.
    pub events: u64,
}

/// A run of a projection that is under way.
pub struct Session {
    pub(super) projection: Projection,
    request: Request,
    account: Account,
    pub(super) worker: Worker,
    pub(super) sorting: Sorting,
    pub(super) log: LogReader,
    /// Where it is being built.
    schema: String,
    /// What there was in the place where it is to stay.
    found: Place,
    pub(super) at: Checkpoint,
    /// Whether it goes on with what a run before had begun.
    resumed: bool,
    /// By what the server knows the connection that the statements run on.
    backend: i32,
}

impl Session {
    /// Begins a run, or goes on with one that was asked for the same.
    ///
    /// # Errors
    /// When another run is under way, the tables cannot be made, or there is something in the place of what is asked for.
    pub async fn open(
        log: LogReader,
        upcasters: Upcasters,
        read: &PgPool,
        projection: Projection,
        request: Request,
    ) -> Result<Self, SqlError> {
        let mut account = Account::take(read, &projection, &request.limits).await?;
        let asked = Asked::of(&projection, request.after, request.as_of);
        let found = resume::reserve(&mut account, &request).await?;
        let going_on = resume::find(&mut account, &log, &projection, &request, (&asked, found)).await?;
        let resumed = going_on.is_some();
        let (schema, at) = match going_on {
            Some(going_on) => going_on,
            None => (resume::working(&projection), origin(&log, request.after).await?),
        };
        if !resumed {
            account.make_schema(&schema).await?;
        }
        let connection = match account.connect(&schema).await {
            Ok(connection) => connection,
            Err(error) => {
                if !resumed {
                    account.discard(&schema).await?;
                }
                return Err(error);
            }
        };
        let sorting = Sorting { shares: Vec::new(), upcasters, as_of: request.as_of };
        let worker = Worker::new(connection, request.limits.statement);
        let mut session = Self {
            projection,
            request,
            account,
            worker,
            sorting,
            log,
            schema,
            found,
            at,
            resumed,
            backend: 0,
        };
        match session.prepare(&asked).await {
            Ok(()) => Ok(session),
            Err(error) if resumed => Err(session.after_failure(error).await),
            Err(error) => Err(session.undone(error).await),
        }
    }

    /// Makes what is not there yet.
    async fn prepare(&mut self, asked: &Asked) -> Result<(), SqlError> {
        volatile::check(self.worker.connection(), &self.projection).await?;
        if !self.resumed {
            self.worker.make(&self.projection, asked, &self.at).await?;
        }
        shown::check(self.worker.connection(), &self.projection).await?;
        self.backend = self.worker.backend().await?;
        self.worker.make_relation().await?;
        self.sorting.shares =
            used::shares(self.worker.connection(), &self.projection, self.account.role()).await?;
        Ok(())
    }

    /// Where it stands.
    pub const fn at(&self) -> Position {
        self.at.position
    }

    /// Whether it goes on with what a run before had begun.
    pub const fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// The projection.
    pub const fn projection(&self) -> &Projection {
        &self.projection
    }

    /// The role that its statements run as.
    pub fn role(&self) -> &str {
        self.account.role()
    }

    /// Builds it from the log up to this position, or until it is told to stop; whether it came to the end.
    ///
    /// # Errors
    /// When a statement fails, or a database does. What was built so far stays; a statement's failure takes it away with
    /// [`Self::after_failure`].
    pub async fn build(
        &mut self,
        until: Position,
        stop: &CancellationToken,
        mut tell: impl FnMut(Progress),
    ) -> Result<bool, SqlError> {
        let mut events = 0;
        tell(Progress { position: self.at.position, events });
        while !stop.is_cancelled() {
            match self.gather(until, stop, &mut events, &mut tell).await {
                // What is committed was whole; what comes after it is read again.
                Err(SqlError::Moved) => tracing::info!("the log was moved while it was read; reading on"),
                Ok(true) => {
                    self.pass_to(until).await?;
                    tell(Progress { position: self.at.position, events });
                    return Ok(true);
                }
                other => return other,
            }
        }
        Ok(false)
    }

    /// Applies what there is up to this position; whether it came to the end.
    async fn gather(
        &mut self,
        until: Position,
        stop: &CancellationToken,
        events: &mut u64,
        tell: &mut impl FnMut(Progress),
    ) -> Result<bool, SqlError> {
        let mark = self.log.mark().await?;
        let reads = self.projection.reads.clone();
        let scan = self.log.scan(Selection::after(self.at.position).until(until).of_types(reads), READ);
        let mut gather = Gather::start(scan, self.sorting.clone(), self.at.epoch);
        loop {
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(false),
                next = gather.next() => next,
            };
            // Whether anything was passed over is known only now that it was read.
            if self.log.mark().await? != mark {
                return Err(SqlError::Moved);
            }
            let Some(batch) = next? else { return Ok(true) };
            if !self.apply_unless(stop, &batch).await? {
                return Ok(false);
            }
            *events += batch.events;
            tell(Progress { position: self.at.position, events: *events });
        }
    }

    /// Applies a batch, unless it is told to stop and the batch takes long; whether it was applied.
    async fn apply_unless(&mut self, stop: &CancellationToken, batch: &Batch) -> Result<bool, SqlError> {
        let stopped = async {
            stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            applied = self.apply(batch) => return applied.map(|()| true),
            () = stopped => {}
        }
        // Nothing of it is committed; its locks are not to be waited for by the next run.
        self.account.end(self.backend).await?;
        Ok(false)
    }

    /// Applies a batch.
    pub(super) async fn apply(&mut self, batch: &Batch) -> Result<(), SqlError> {
        self.worker.apply(&self.projection, batch, &self.at).await?;
        self.at = batch.to;
        Ok(())
    }

    /// Notes that there is nothing for it up to this position.
    async fn pass_to(&mut self, position: Position) -> Result<(), SqlError> {
        if position <= self.at.position {
            return Ok(());
        }
        let to = origin(&self.log, position).await?;
        self.note(to).await
    }

    /// Moves the checkpoint alone.
    pub(super) async fn note(&mut self, to: Checkpoint) -> Result<(), SqlError> {
        if !bounded(state::advance(self.worker.connection(), &self.at, &to)).await? {
            return Err(SqlError::UnderWay(self.projection.title()));
        }
        self.at = to;
        Ok(())
    }

    /// Puts what was built in its place, if it is to stay; readers see it from now on.
    ///
    /// # Errors
    /// When the read database fails.
    pub async fn settle(&mut self) -> Result<(), SqlError> {
        let Some(place) = self.request.schema.clone().filter(|place| *place != self.schema) else {
            return Ok(());
        };
        self.account.rename_schema(&self.schema, &place, self.found).await?;
        self.found = Place::Ours { begun: true };
        self.schema = place;
        self.reconnect().await
    }

    /// A new connection, in place of one that was lost or looks elsewhere.
    pub(super) async fn reconnect(&mut self) -> Result<(), SqlError> {
        let connection = self.account.connect(&self.schema).await?;
        self.worker = Worker::new(connection, self.request.limits.statement);
        self.backend = self.worker.backend().await?;
        self.worker.make_relation().await
    }

    /// Ends the run: what was not asked to stay goes.
    ///
    /// # Errors
    /// When the read database fails.
    pub async fn finish(self) -> Result<(), SqlError> {
        if self.request.schema.is_some() { self.account.release().await } else { self.discard().await }
    }

    /// What is left after a failure: what another run can go on with, and nothing of what a wrong statement was making.
    pub async fn after_failure(self, error: SqlError) -> SqlError {
        if error.is_of_the_file() && self.request.schema.as_ref() != Some(&self.schema) {
            self.undone(error).await
        } else {
            error
        }
    }

    /// What was being built goes; the reason stays.
    async fn undone(self, error: SqlError) -> SqlError {
        if let Err(failed) = self.discard().await {
            tracing::warn!(error = &failed as &dyn std::error::Error, "what was being built stays behind");
        }
        error
    }

    async fn discard(self) -> Result<(), SqlError> {
        let Self { account, worker, schema, .. } = self;
        drop(worker);
        account.discard(&schema).await
    }
}

/// After this position of the log.
pub(super) async fn origin(log: &LogReader, position: Position) -> Result<Checkpoint, SqlError> {
    let start = Checkpoint::origin(log).await?;
    if position == 0 {
        return Ok(start);
    }
    let event = log.find(position).await?;
    let event = event.ok_or(StoreError::LogDiverged { name: "a projection in SQL".to_owned(), position })?;
    Ok(Checkpoint::on(start.epoch, &event))
}
