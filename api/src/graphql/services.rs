//! What the resolvers work with.

use std::sync::Arc;

use async_graphql::Context;
use daybook_commands::Shop;
use daybook_eventstore::{Live, LogReader};
use daybook_projections::search::SearchEngine;
use sqlx::PgPool;

use super::reads::Reads;

/// The services behind the schema. Cloning shares them.
#[derive(Clone)]
pub struct Services {
    /// The shop: every mutation ends here.
    pub shop: Shop,
    /// The read models: every query ends here.
    pub reads: Reads,
    /// What searches are put to.
    pub search: SearchEngine,
    /// The log itself, for auditors.
    pub log: LogReader,
    /// The tree of it, on the replica.
    pub tree: PgPool,
    /// What happens, as it happens.
    pub live: Arc<Live>,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services").field("shop", &self.shop).finish_non_exhaustive()
    }
}

/// The services of the schema that this field is part of.
pub(crate) fn services<'a>(ctx: &Context<'a>) -> &'a Services {
    ctx.data_unchecked::<Services>()
}
