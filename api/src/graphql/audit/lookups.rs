//! What auditors look up, many at a time: events by their positions, their proofs, and orders' dossiers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use daybook_domain::OrderId;
use daybook_eventstore::{LogReader, Position, RecordedEvent, StoreError};
use daybook_projections::audit::{Dossier, DossierError};
use daybook_projections::notary::{self, ProveError, Proved};
use daybook_projections::read::ReadDb;
use sqlx::PgPool;

use crate::graphql::error::ApiError;
use crate::graphql::reads::{Batch, Loader};

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

/// Events by their positions.
pub(crate) struct Events(LogReader);

impl Batch for Events {
    type Key = Position;
    type Value = Arc<RecordedEvent>;

    async fn find(&self, keys: Vec<Position>) -> Result<HashMap<Position, Self::Value>, ApiError> {
        let events = within(self.0.at(&keys)).await?;
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
        let events = within(self.log.at(&keys)).await?;
        let proved = within(notary::prove(&self.tree, events)).await?;
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
    type Value = Arc<Dossier>;

    async fn find(&self, keys: Vec<OrderId>) -> Result<HashMap<OrderId, Self::Value>, ApiError> {
        let found = Dossier::find(&self.index, &self.log, &keys).await?;
        Ok(found.into_iter().map(|(order, dossier)| (order, Arc::new(dossier))).collect())
    }
}

impl From<DossierError> for ApiError {
    fn from(error: DossierError) -> Self {
        match error {
            DossierError::Index(error) => error.into(),
            DossierError::Log(error) => error.into(),
            DossierError::TooLarge { .. } => Self::bad_input("DOSSIER_TOO_LARGE", error.to_string()),
        }
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
