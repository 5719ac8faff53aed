//! Where queries read, and how they wait until it has what the client wrote.

use std::time::Duration;

use async_graphql::Context;
use daybook_projections::read::{Behind, ReadDb, ReadError, ReplicaWatch};

use super::Loaders;
use crate::graphql::error::ApiError;
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
}

impl std::fmt::Debug for Reads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reads").field("db", &self.db).finish_non_exhaustive()
    }
}

impl Reads {
    /// Reads from this replica, which is watched for how far it is.
    pub fn new(db: ReadDb, watch: ReplicaWatch) -> Self {
        let load = Loaders::new(&db);
        Self { db, watch, load }
    }

    /// Waits until the replica has this position of these read models.
    pub(crate) async fn reach(&self, models: &[&str], position: Position) -> Result<(), ApiError> {
        for model in models {
            self.watch.wait_for(model, position.0, PATIENCE).await?;
        }
        Ok(())
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
            ReadError::Database(_) | ReadError::Undecodable(_) | ReadError::Search(_) => {
                Self::internal(error)
            }
        }
    }
}
