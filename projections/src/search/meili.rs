//! Search in Meilisearch.

use std::time::Duration;

use daybook_domain::ProductId;
use meilisearch_sdk::client::Client;
use meilisearch_sdk::errors::{Error, ErrorCode};
use meilisearch_sdk::search::{MatchingStrategies, SearchQuery, SearchResults, Selectors};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::document::{Search, keywords};
use super::{SearchRequest, SearchResult};
use crate::products::ProductRow;
use crate::products::facet::{Facet, FacetCount};
use crate::read::ReadError;
use crate::runtime::{Indexed, is_absent};

impl Indexed for Search {
    const SEARCHED: &'static [&'static str] = &["title", "keywords", "description"];
    const FILTERED: &'static [&'static str] = &["published", "facets"];

    fn document(row: &ProductRow) -> Map<String, Value> {
        let fields = [
            ("title", json!(row.product.title())),
            ("keywords", json!(keywords(row))),
            ("description", json!(row.product.description())),
            ("published", json!(row.product.is_published())),
            ("facets", json!(Facet::words(row))),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// The engine.
#[derive(Debug, Clone)]
pub struct MeiliSearch {
    client: Client,
    index: String,
    limit: Duration,
}

/// What of a document is read.
#[derive(Debug, Deserialize)]
struct Hit {
    id: String,
    title: Option<String>,
}

impl MeiliSearch {
    /// Asks the index of this name, never longer than `limit`.
    pub(super) const fn new(client: Client, index: String, limit: Duration) -> Self {
        Self { client, index, limit }
    }

    pub(super) async fn search(&self, request: &SearchRequest) -> Result<SearchResult, ReadError> {
        let index = self.client.index(&self.index);
        let filter = filter(&request.facets);
        let mut query = SearchQuery::new(&index);
        // Every word must be there, as in the other engine: what has only some of them would be counted too.
        query.with_query(&request.text).with_matching_strategy(MatchingStrategies::ALL).with_filter(&filter);
        query.with_offset(number(request.offset)).with_limit(number(request.first));
        query.with_attributes_to_retrieve(Selectors::Some(&["id"]));
        if request.with_facets {
            query.with_facets(Selectors::Some(&["facets"]));
        }
        let found = self.ask(query.execute::<Hit>()).await?;
        let mut counts: Vec<FacetCount> = found
            .facet_distribution
            .iter()
            .flatten()
            .flat_map(|(_, of)| of)
            .filter_map(|(word, count)| {
                Some(FacetCount { facet: Facet::from_word(word)?, count: *count as u64 })
            })
            .collect();
        counts.sort_by(|a, b| (kind(&a.facet), b.count, &a.facet).cmp(&(kind(&b.facet), a.count, &b.facet)));
        Ok(SearchResult {
            total: total(found.estimated_total_hits, request, found.hits.len()) as u64,
            hits: found.hits.iter().filter_map(|hit| hit.result.id.parse::<ProductId>().ok()).collect(),
            facets: counts,
            corrected: None,
        })
    }

    pub(super) async fn suggest(&self, typed: &str, limit: u32) -> Result<Vec<String>, ReadError> {
        if typed.trim().is_empty() {
            return Ok(Vec::new());
        }
        let index = self.client.index(&self.index);
        let mut query = SearchQuery::new(&index);
        query.with_query(typed).with_matching_strategy(MatchingStrategies::ALL);
        query.with_filter("published = true").with_limit(number(limit));
        query.with_attributes_to_search_on(&["title"]);
        query.with_attributes_to_retrieve(Selectors::Some(&["id", "title"]));
        let found = self.ask(query.execute::<Hit>()).await?;
        let mut titles: Vec<String> = Vec::new();
        for title in found.hits.into_iter().filter_map(|hit| hit.result.title) {
            if !titles.contains(&title) {
                titles.push(title);
            }
        }
        Ok(titles)
    }

    async fn ask(
        &self,
        query: impl Future<Output = Result<SearchResults<Hit>, Error>>,
    ) -> Result<SearchResults<Hit>, ReadError> {
        let answer = tokio::time::timeout(self.limit, query).await;
        answer.map_err(|_| ReadError::TimedOut)?.map_err(|error| {
            let unbuilt = is_absent(&error) || is_bare(&error);
            if unbuilt { ReadError::NotBuilt } else { ReadError::Search(error) }
        })
    }
}

/// Whether it says that the index knows none of the attributes that a built one has: for a moment, before the first
/// version takes its place, there is an index with nothing in it.
fn is_bare(error: &Error) -> bool {
    let Error::Meilisearch(error) = error else { return false };
    matches!(error.error_code, ErrorCode::InvalidSearchFilter | ErrorCode::InvalidSearchFacets)
}

/// Only what is for sale, and of each group at least one facet.
fn filter(groups: &[Vec<Facet>]) -> String {
    let any_of = |group: &Vec<Facet>| {
        // A JSON string is quoted and escaped as a filter's value is.
        let facets = group.iter().map(|facet| format!("facets = {}", Value::from(facet.word())));
        format!(" AND ({})", facets.collect::<Vec<_>>().join(" OR "))
    };
    let groups: String = groups.iter().filter(|group| !group.is_empty()).map(any_of).collect();
    format!("published = true{groups}")
}

/// How many there are. The engine estimates it, and may think of more than it has: a page that is not full has the last of
/// them, so that nobody is told to go on.
pub(super) fn total(estimated: Option<usize>, request: &SearchRequest, hits: usize) -> usize {
    let (offset, first) = (number(request.offset), number(request.first));
    let (estimated, end) = (estimated.unwrap_or_default(), offset.saturating_add(hits));
    if hits < first { estimated.min(end) } else { estimated.max(end) }
}

const fn kind(facet: &Facet) -> u8 {
    match facet {
        Facet::Attribute { .. } => 0,
        Facet::Category(_) => 1,
        Facet::Option { .. } => 2,
    }
}

fn number(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
