//! What auditors look up, many at a time: events by their positions, their proofs, and orders' dossiers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use daybook_domain::OrderId;
use daybook_eventstore::proof::{Note, NoteError};
use daybook_eventstore::{LogReader, Position, RecordedEvent, StoreError};
use daybook_projections::audit::{Dossier, DossierError, TooLarge};
use daybook_projections::notary::{self, ProveError, Proved};
use daybook_projections::read::ReadDb;
use sqlx::PgPool;

use crate::graphql::error::{ApiError, Fault};
use crate::graphql::reads::{Batch, Loader};

/// The most events that a dossier has here; the command line has no such limit.
const MOST: u32 = 10_000;
/// How long the log or the tree may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Where the evidence is. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Evidence {
    /// Events by their positions.
    pub(crate) events: Loader<Events>,
    /// What is known of their places in the log.
    pub(crate) proofs: Loader<Proofs>,
    /// All that happened to orders.
    pub(crate) dossiers: Loader<Dossiers>,
    /// The tree, on the replica.
    pub(crate) tree: PgPool,
}

/// The evidence in this log, its tree and its index.
pub(crate) fn evidence(log: &LogReader, tree: PgPool, index: &ReadDb) -> Evidence {
    Evidence {
        events: Loader::new(Events(log.clone())),
        proofs: Loader::new(Proofs { log: log.clone(), tree: tree.clone() }),
        dossiers: Loader::new(Dossiers { log: log.clone(), index: index.clone() }),
        tree,
    }
}

/// Waits for the log or the tree, but not for ever.
pub(super) async fn within<T, E>(call: impl Future<Output = Result<T, E>>) -> Result<T, ApiError>
where
    ApiError: From<E>,
{
    Ok(tokio::time::timeout(LIMIT, call).await.map_err(|_elapsed| ApiError::TimedOut)??)
}

/// Events of the log. One that cannot be read is nobody's business who asks for others.
async fn at(log: &LogReader, positions: &[Position]) -> Result<Vec<RecordedEvent>, ApiError> {
    let read = tokio::time::timeout(LIMIT, log.at(positions)).await.map_err(|_elapsed| ApiError::TimedOut)?;
    let is_one =
        |error: &StoreError| matches!(error, StoreError::Undecodable { .. } | StoreError::Archive { .. });
    read.map_err(|error| if is_one(&error) { ApiError::Unreadable(Fault::of(error)) } else { error.into() })
}

/// Events by their positions.
pub(crate) struct Events(LogReader);

impl Batch for Events {
    type Key = Position;
    type Value = Arc<RecordedEvent>;

    async fn find(&self, keys: Vec<Position>) -> Result<HashMap<Position, Self::Value>, ApiError> {
        let events = at(&self.0, &keys).await?;
        Ok(events.into_iter().map(|event| (event.position, Arc::new(event))).collect())
    }
}

/// What is known of events' places in the log.
pub(crate) struct Proofs {
    log: LogReader,
    tree: PgPool,
}

impl Batch for Proofs {
    type Key = Position;
    type Value = Arc<Proved>;

    async fn find(&self, keys: Vec<Position>) -> Result<HashMap<Position, Self::Value>, ApiError> {
        let Some(note) = within(notary::checkpoint(&self.tree)).await? else {
            return Ok(keys.into_iter().map(|position| (position, Arc::new(Proved::NotYet))).collect());
        };
        let note: Note = note.parse().map_err(|error: NoteError| ApiError::internal(error))?;
        let events = at(&self.log, &keys).await?;
        let proved = within(notary::prove(&self.tree, &note, &keys, events)).await?;
        Ok(proved.into_iter().map(|(position, proved)| (position, Arc::new(proved))).collect())
    }
}

/// Orders' dossiers.
pub(crate) struct Dossiers {
    log: LogReader,
    index: ReadDb,
}

impl Batch for Dossiers {
    type Key = OrderId;
    /// One that is too large is nobody's business who asks for another.
    type Value = Result<Arc<Dossier>, TooLarge>;

    async fn find(&self, keys: Vec<OrderId>) -> Result<HashMap<OrderId, Self::Value>, ApiError> {
        let found = Dossier::find(&self.index, &self.log, &keys, MOST).await?;
        Ok(found.into_iter().map(|(order, dossier)| (order, dossier.map(Arc::new))).collect())
    }
}

impl From<DossierError> for ApiError {
    fn from(error: DossierError) -> Self {
        match error {
            DossierError::Index(error) => error.into(),
            DossierError::Log(error) => error.into(),
        }
    }
}

impl From<TooLarge> for ApiError {
    fn from(error: TooLarge) -> Self {
        Self::bad_input("DOSSIER_TOO_LARGE", format!("{error}: ask for it on the command line"))
    }
}

impl From<ProveError> for ApiError {
    fn from(error: ProveError) -> Self {
        Self::internal(error)
    }
}

/// Why an event that was asked for is not there: the log has fewer.
pub(super) fn missing(position: Position) -> ApiError {
    ApiError::internal(StoreError::LogDiverged { name: "audit".to_owned(), position })
}
