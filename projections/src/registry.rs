//! Every read model there is: adding one is adding a folder and a line here.

use std::sync::Arc;

use fred::clients::Client;
use meilisearch_sdk::client::Client as MeiliClient;
use sqlx::PgPool;

use crate::audit::Audit;
use crate::carts::Carts;
use crate::orders::Orders;
use crate::products::Products;
use crate::runtime::{MeiliTarget, PostgresTarget, ReadModel, RedisTarget, RuntimeError, Tabled, Target};
use crate::search::Search;
use crate::stock::{Stock, StockByVariant};

/// The servers that rows are kept on.
#[derive(Debug, Clone)]
pub struct Targets {
    /// The read primary.
    pub postgres: PgPool,
    /// Redis, and what its keys begin with.
    pub redis: Option<(Client, String)>,
    /// Meilisearch, and what its indexes' names begin with; without it, search is kept in Postgres.
    pub meili: Option<(MeiliClient, String)>,
}

type Open = fn(&'static str, &Targets) -> Result<Arc<dyn Target>, RuntimeError>;

const REGISTRY: &[(&str, Open)] = &[
    ("orders", postgres::<Orders>),
    ("audit", postgres::<Audit>),
    ("carts", postgres::<Carts>),
    ("products", postgres::<Products>),
    ("stock", postgres::<Stock>),
    ("search", search),
    ("carts-hot", redis::<Carts>),
    ("stock-hot", redis::<StockByVariant>),
];

/// The names of all read models.
pub fn names() -> Vec<&'static str> {
    REGISTRY.iter().map(|(name, _)| *name).collect()
}

pub(crate) fn find(name: &str, targets: &Targets) -> Result<(&'static str, Arc<dyn Target>), RuntimeError> {
    let known = REGISTRY.iter().find(|(known, _)| *known == name);
    let (name, open) = known.ok_or_else(|| RuntimeError::UnknownName(name.to_owned()))?;
    Ok((name, open(name, targets)?))
}

#[expect(clippy::unnecessary_wraps, reason = "other targets may not be configured")]
fn postgres<M: Tabled>(name: &'static str, targets: &Targets) -> Result<Arc<dyn Target>, RuntimeError> {
    Ok(Arc::new(PostgresTarget::<M>::new(name, targets.postgres.clone())))
}

fn redis<M: ReadModel>(name: &'static str, targets: &Targets) -> Result<Arc<dyn Target>, RuntimeError> {
    let configured = targets.redis.as_ref();
    let (client, prefix) =
        configured.ok_or_else(|| RuntimeError::NotConfigured { name: name.to_owned(), what: "Redis" })?;
    Ok(Arc::new(RedisTarget::<M>::new(name, client.clone(), prefix, targets.postgres.clone())))
}

fn search(name: &'static str, targets: &Targets) -> Result<Arc<dyn Target>, RuntimeError> {
    match &targets.meili {
        Some((client, prefix)) => {
            Ok(Arc::new(MeiliTarget::<Search>::new(name, client.clone(), prefix, targets.postgres.clone())))
        }
        None => postgres::<Search>(name, targets),
    }
}
