//! Search: products for sale, found by what a shopper types, misspelt or half typed. One port, two engines: Postgres
//! full text in the read database, and Meilisearch where there is one. Neither knows stock.

mod correct;
mod document;
mod meili;
mod postgres;
#[cfg(test)]
mod tests;

use std::time::Duration;

use daybook_domain::ProductId;
use meilisearch_sdk::client::Client;

use crate::products::facet::{Facet, FacetCount};
use crate::read::{ReadDb, ReadError};

pub use document::Search;
pub use meili::MeiliSearch;
pub use postgres::PostgresSearch;

/// What the names of Meilisearch's indexes begin with, where nothing else is configured.
pub const PREFIX: &str = "daybook-";

/// What a shopper looks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchRequest {
    /// What was typed; everything there is for sale when empty.
    pub text: String,
    /// Only products that have, of each of these groups, at least one facet.
    pub facets: Vec<Vec<Facet>>,
    /// At most this many hits.
    pub first: u32,
    /// After this many.
    pub offset: u32,
    /// Whether to count the facets of all that was found.
    pub with_facets: bool,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchResult {
    /// The products, best first.
    pub hits: Vec<ProductId>,
    /// How many were found in all.
    pub total: u64,
    /// The facets of all that was found, when asked.
    pub facets: Vec<FacetCount>,
    /// What was searched for instead, when what was typed finds nothing and something like it does. An engine that
    /// tolerates typos without saying so leaves it empty.
    pub corrected: Option<String>,
}

/// The engine that searches are put to.
#[derive(Debug, Clone)]
pub enum SearchEngine {
    /// The read database.
    Postgres(PostgresSearch),
    /// A Meilisearch server.
    Meili(MeiliSearch),
}

impl SearchEngine {
    /// Whether searches are answered, with the whole of what is asked on the way. The read database is not asked: whoever
    /// reads there knows how it is.
    ///
    /// # Errors
    /// When they are not.
    pub async fn ping(&self) -> Result<(), ReadError> {
        match self {
            Self::Postgres(_) => Ok(()),
            Self::Meili(engine) => engine.search(&SearchRequest::default()).await.map(drop),
        }
    }

    /// The read database's own.
    pub fn postgres(db: ReadDb) -> Self {
        Self::Postgres(PostgresSearch::new(db))
    }

    /// A Meilisearch server, asked never longer than `limit`; `prefix` is what its indexes' names begin with.
    pub fn meili(client: Client, prefix: &str, limit: Duration) -> Self {
        Self::Meili(MeiliSearch::new(client, format!("{prefix}search"), limit))
    }

    /// The products for sale that match, best first.
    ///
    /// # Errors
    /// When the engine fails or does not answer in time.
    pub async fn search(&self, request: &SearchRequest) -> Result<SearchResult, ReadError> {
        match self {
            Self::Postgres(engine) => engine.search(request).await,
            Self::Meili(engine) => engine.search(request).await,
        }
    }

    /// Titles of products for sale that go on as the shopper has begun, at most `limit`, best first.
    ///
    /// # Errors
    /// When the engine fails or does not answer in time.
    pub async fn suggest(&self, typed: &str, limit: u32) -> Result<Vec<String>, ReadError> {
        match self {
            Self::Postgres(engine) => engine.suggest(typed, limit).await,
            Self::Meili(engine) => engine.suggest(typed, limit).await,
        }
    }
}
