//! Where queries read, and how they wait until it has what the client wrote.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_graphql::Context;
use daybook_domain::CartId;
use daybook_eventstore::{Live, LogReader, Position as At};
use daybook_projections::carts::CartRow;
use daybook_projections::read::{Behind, Hot, ReadDb, ReadError, ReplicaWatch};

use super::hot::{self, Copies};
use super::{Loaders, invalid_cursor};
use crate::graphql::context::request;
use crate::graphql::error::{ApiError, Fault};
use crate::graphql::scalar::Position;
use crate::graphql::services::services;

/// How long a query waits for the position that the client asks for.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the log may take to say how far it is.
const LIMIT: Duration = Duration::from_secs(1);

/// How far the log is known to be: a position beyond that is none that a mutation answered with.
#[derive(Debug)]
pub(crate) struct Extent {
    log: LogReader,
    live: Arc<Live>,
    known: AtomicI64,
}

impl Extent {
    /// That of this log, which is followed already.
    pub(crate) const fn new(log: LogReader, live: Arc<Live>) -> Self {
        Self { log, live, known: AtomicI64::new(0) }
    }

    /// The log has this position.
    pub(crate) fn reached(&self, position: At) {
        self.known.fetch_max(position, Ordering::AcqRel);
    }

    /// Whether the log has this position. The log itself is asked only about one that nobody here has heard of; when it
    /// does not answer, waiting for the position will tell.
    async fn has(&self, position: At) -> bool {
        if position <= self.known.load(Ordering::Acquire).max(self.live.position()) {
            return true;
        }
        match tokio::time::timeout(LIMIT, self.log.head()).await {
            Ok(Ok(head)) => {
                self.reached(head.position);
                position <= head.position
            }
            Ok(Err(_)) | Err(_) => true,
        }
    }
}

/// The read models. Cloning shares them.
#[derive(Clone)]
pub struct Reads {
    /// The replica.
    pub(crate) db: ReadDb,
    /// How far the replica is.
    pub(crate) watch: ReplicaWatch,
    /// What is looked up by key.
    pub(crate) load: Loaders,
    /// How far the log is.
    pub(crate) extent: Arc<Extent>,
    copies: Option<Copies>,
}

impl std::fmt::Debug for Reads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reads").field("db", &self.db).finish_non_exhaustive()
    }
}

impl Reads {
    /// Reads from this replica, which is watched for how far it is, and from hot copies that are no older.
    pub(crate) fn new(db: ReadDb, watch: ReplicaWatch, hot: Option<Hot>, extent: Extent) -> Self {
        let copies = hot.map(|hot| Copies::start(hot, watch.clone()));
        let load = Loaders::new(&db, copies.clone());
        Self { db, watch, load, extent: Arc::new(extent), copies }
    }

    /// Waits until the replica has this position of these read models.
    pub(crate) async fn reach(&self, models: &[&str], position: Position) -> Result<(), ApiError> {
        if !self.extent.has(position.0).await {
            return Err(ApiError::bad_input("POSITION_UNKNOWN", "the log has no such position"));
        }
        for model in models {
            self.watch.wait_for(model, position.0, PATIENCE).await?;
            if let Some(copies) = &self.copies {
                copies.reached(model, position.0);
            }
        }
        Ok(())
    }

    /// A cart at this position or later: from the hot copy if that has it already, else from the replica as soon as
    /// that has it.
    pub(crate) async fn cart(
        &self,
        id: CartId,
        after: Option<Position>,
    ) -> Result<Option<Arc<CartRow>>, ApiError> {
        if let Some(hot) = &self.load.hot_carts
            && let Some(told) = hot.get((id, after.map_or(0, |after| after.0))).await?
        {
            return Ok(told);
        }
        if let Some(position) = after {
            self.reach(&[hot::CARTS], position).await?;
        }
        self.load.carts.get(id).await
    }
}

/// The read models, once they have the position that the client asks for. What is linked to what is found there has to
/// have it too.
pub(crate) async fn after<'a>(
    ctx: &Context<'a>,
    models: &[&str],
    position: Option<Position>,
) -> Result<&'a Reads, ApiError> {
    let reads = &services(ctx).reads;
    if let Some(position) = position {
        request(ctx).asked_for(position);
        reads.reach(models, position).await?;
    }
    Ok(reads)
}

/// A cart at the position that the client asks for or later.
pub(crate) async fn cart(
    ctx: &Context<'_>,
    id: CartId,
    position: Option<Position>,
) -> Result<Option<Arc<CartRow>>, ApiError> {
    if let Some(position) = position {
        request(ctx).asked_for(position);
    }
    services(ctx).reads.cart(id, position).await
}

/// The read models of what is linked to something, once they have the position that the client asked for at the root.
pub(crate) async fn linked<'a>(ctx: &Context<'a>, models: &[&str]) -> Result<&'a Reads, ApiError> {
    let reads = &services(ctx).reads;
    reads.reach(models, request(ctx).asked()).await?;
    Ok(reads)
}

impl From<Behind> for ApiError {
    fn from(Behind { position, distance }: Behind) -> Self {
        Self::Behind { position, distance }
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NotBuilt => Self::NotBuilt,
            ReadError::TimedOut => Self::TimedOut,
            ReadError::Search(_) => Self::search_unavailable(error),
            ReadError::Overloaded => Self::Overloaded,
            ReadError::WrongCursor => invalid_cursor(),
            ReadError::Undecodable(_) => Self::Unreadable(Fault::of(error)),
            ReadError::Database(_) => Self::internal(error),
        }
    }
}
