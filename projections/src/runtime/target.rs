//! Where rows are kept: what the runtime asks of Postgres, Redis or a search engine.

use std::time::Duration;

use async_trait::async_trait;
use daybook_eventstore::{Checkpoint, Position, RecordedEvent, Upcasters};
use sqlx::PgConnection;

use super::compare::{Comparing, Comparison};
use super::error::{RuntimeError, TargetError};
use super::versions::Version;

/// How many rows of a batch were touched, and how many of its events were parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Applied {
    /// The keys whose rows were written.
    pub(crate) keys: usize,
    /// The events that were parked.
    pub(crate) parked: usize,
}

/// What a batch is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To follow the log: somebody may be waiting for these events.
    Live,
    /// To follow the log from far behind.
    CatchUp,
    /// To apply what was parked; the checkpoint stays where it is.
    Retry,
}

/// What the read model reads of a part of the log, and the checkpoints before and after that part.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The events as they are stored, in order; there may be others among them.
    pub(crate) events: Vec<RecordedEvent>,
    /// What brings them to today's shape.
    pub(crate) upcasters: Upcasters,
    /// Where the read model must stand.
    pub(crate) from: Checkpoint,
    /// Where it will stand.
    pub(crate) to: Checkpoint,
    /// What for.
    pub(crate) purpose: Purpose,
}

impl Batch {
    /// The positions of the events that are tried again.
    pub(crate) fn retried(&self) -> Vec<Position> {
        let retried = self.events.iter().filter(|_| self.purpose == Purpose::Retry);
        retried.map(|event| event.position).collect()
    }
}

/// Where the rows of one read model are kept, in each of its versions.
#[async_trait]
pub(crate) trait Target: Send + Sync {
    /// What kind of server it is.
    fn kind(&self) -> &'static str;

    /// The revision of the code that folds it.
    fn revision(&self) -> i32;

    /// The aggregates whose events it reads.
    fn sources(&self) -> &'static [&'static str];

    /// How long a batch may take until it counts as too large for this machine.
    fn slow(&self) -> Duration {
        Duration::from_millis(500)
    }

    /// The smallest batch that is worth one: where each costs about as much as the next, smaller ones only fall behind.
    fn least(&self) -> usize {
        1
    }

    /// Makes room for a version, as part of the transaction that registers it.
    async fn create(&self, tx: &mut PgConnection, version: i32) -> Result<(), TargetError>;

    /// Lets readers see this version and no other from the next read on, atomically.
    async fn expose(&self, tx: &mut PgConnection, version: i32) -> Result<(), TargetError>;

    /// The live version has caught up: a target with a fallback hid it until now.
    async fn caught_up(&self, _version: i32) -> Result<(), TargetError> {
        Ok(())
    }

    /// The version was built from a log that is gone: a target with a fallback hides it.
    async fn conceal(&self, _version: i32) -> Result<(), TargetError> {
        Ok(())
    }

    /// Takes a version away.
    async fn discard(&self, tx: &mut PgConnection, version: i32) -> Result<(), TargetError>;

    /// Where a version stands; nothing when there is nothing of it.
    async fn checkpoint(&self, version: i32) -> Result<Option<Checkpoint>, TargetError>;

    /// Notes in the register where a version stands. A target that keeps the checkpoint itself is told so now and then,
    /// whenever there is nothing else to do, and before versions are compared; until then the register is behind.
    async fn note(&self, _version: i32, _at: &Checkpoint) -> Result<(), TargetError> {
        Ok(())
    }

    /// A follower of this version has ended, however it did: what it left in memory is nobody's to go on from.
    fn forget(&self, _version: i32) {}

    /// Applies a batch and moves the checkpoint, both or neither, and only when the checkpoint is at `batch.from`.
    async fn apply(&self, version: i32, batch: Batch) -> Result<Applied, TargetError>;

    /// Compares two of its versions, the live one and another, at one position; both may go on meanwhile.
    async fn compare(
        &self,
        versions: [&Version; 2],
        within: &Comparing<'_>,
    ) -> Result<Comparison, RuntimeError>;
}
