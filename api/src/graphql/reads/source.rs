//! Where queries read, and how they wait until it has what the client wrote.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::Context;
use daybook_domain::CartId;
use daybook_projections::carts::CartRow;
use daybook_projections::read::{Behind, Hot, ReadDb, ReadError, ReplicaWatch};

use super::hot::{self, Copies};
use super::{Loaders, invalid_cursor};
use crate::graphql::error::{ApiError, Fault};
use crate::graphql::scalar::Position;
use crate::graphql::services::services;

/// How long a query waits for the position that the client asks for.
const PATIENCE: Duration = Duration::from_secs(3);

/// The read models. Cloning shares them.
#[derive(Clone)]
pub struct Reads {
    /// The replica.
    pub(crate) db: ReadDb,
    /// How far the replica is.
    pub(crate) watch: ReplicaWatch,
    /// What is looked up by key.
    pub(crate) load: Loaders,
    copies: Option<Copies>,
}

impl std::fmt::Debug for Reads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reads").field("db", &self.db).finish_non_exhaustive()
    }
}

impl Reads {
    /// Reads from this replica, which is watched for how far it is, and from hot copies that are no older.
    pub fn new(db: ReadDb, watch: ReplicaWatch, hot: Option<Hot>) -> Self {
        let copies = hot.map(|hot| Copies::start(hot, watch.clone()));
        let load = Loaders::new(&db, copies.clone());
        Self { db, watch, load, copies }
    }

    /// Waits until the replica has this position of these read models.
    pub(crate) async fn reach(&self, models: &[&str], position: Position) -> Result<(), ApiError> {
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

/// The read models, once they have the position that the client asks for.
pub(crate) async fn after<'a>(
    ctx: &Context<'a>,
    models: &[&str],
    position: Option<Position>,
) -> Result<&'a Reads, ApiError> {
    let reads = &services(ctx).reads;
    if let Some(position) = position {
        reads.reach(models, position).await?;
    }
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
