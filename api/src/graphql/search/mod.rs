//! Search: what is for sale, by what a shopper types.

use async_graphql::{Context, InputObject, Object};
use daybook_projections::search::SearchRequest;
use futures::future::try_join_all;

use super::error::ApiError;
use super::product::{AttributeFilterInput, Facet, Product, facets, words};
use super::reads::{self, Paging, Slice, connection, cost, invalid_cursor};
use super::scalar::Position;
use super::services::services;

/// The read models: what is found, and what it is shown from.
const MODELS: &[&str] = &["search", "products"];
/// The read model of suggestions.
const SUGGESTING: &[&str] = &["search"];
/// The list's name, for cursors.
const LIST: &str = "search";
/// The longest text that is searched for.
const MAX_TEXT: usize = 200;
/// How far a list of hits can be walked.
const MAX_OFFSET: u32 = 1_000;
/// How many suggestions there are at most.
const MAX_SUGGESTIONS: i32 = 20;

/// Which of the products that are found.
#[derive(Debug, Clone, Default, InputObject)]
pub(crate) struct SearchFilterInput {
    /// Those in this category.
    category: Option<String>,
    /// Those with these attributes, all of them.
    #[graphql(default)]
    attributes: Vec<AttributeFilterInput>,
    /// Those with variants that have these options, all of them.
    #[graphql(default)]
    options: Vec<AttributeFilterInput>,
}

connection! {
    /// Products that were found, best first.
    SearchConnection { typed: String, counts: Vec<Facet>, corrected: Option<String>, }, SearchEdge of Product;

    /// What the whole list can be narrowed down by.
    async fn facets(&self) -> &[Facet] {
        &self.counts
    }

    /// What was searched for instead, when what was typed finds nothing and something like it does.
    async fn corrected_query(&self) -> Option<&str> {
        self.corrected.as_deref()
    }

    /// Titles that go on as the shopper has begun.
    #[graphql(complexity = 20)]
    async fn suggestions(&self, ctx: &Context<'_>) -> Result<Vec<String>, ApiError> {
        Ok(services(ctx).search.suggest(&self.typed, 10).await?)
    }
}

/// The queries of the search.
#[derive(Default)]
pub(crate) struct SearchQuery;

#[Object]
impl SearchQuery {
    /// Products for sale that match what a shopper typed, misspelt or half typed; all of them when it is empty.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn search(
        &self,
        ctx: &Context<'_>,
        query: String,
        first: Option<i32>,
        after: Option<String>,
        #[graphql(default)] filter: SearchFilterInput,
        after_position: Option<Position>,
    ) -> Result<SearchConnection, ApiError> {
        let (first, offset) = Paging { first, after }.by_number(LIST)?;
        let offset =
            u32::try_from(offset).ok().filter(|offset| *offset <= MAX_OFFSET).ok_or_else(invalid_cursor)?;
        let typed = check(query)?;
        let request = SearchRequest {
            text: typed.clone(),
            facets: words(filter.category, filter.attributes, filter.options)?,
            first,
            offset,
            with_facets: ctx.look_ahead().field("facets").exists(),
        };
        let reads = reads::after(ctx, MODELS, after_position).await?;
        let found = services(ctx).search.search(&request).await?;
        let rows = try_join_all(found.hits.iter().map(|id| reads.load.products.get(*id))).await?;
        // What is not there any more, or not for sale, was found by an index that is a moment behind.
        let products = rows.into_iter().map(|row| row.map(Product::Read)).collect();
        let slice = Slice::at_offset(LIST, products, offset, found.total, |product| product.is_visible(ctx));
        Ok(SearchConnection { slice, typed, counts: facets(found.facets), corrected: found.corrected })
    }

    /// Titles of products for sale that go on as the shopper has begun. `afterPosition` makes it wait until it knows at
    /// least what a mutation reached.
    async fn search_suggestions(
        &self,
        ctx: &Context<'_>,
        query: String,
        #[graphql(default = 10)] first: i32,
        after_position: Option<Position>,
    ) -> Result<Vec<String>, ApiError> {
        let limit = u32::try_from(first.min(MAX_SUGGESTIONS))
            .map_err(|_| ApiError::bad_input("PAGE_SIZE_INVALID", "first is not below 0"))?;
        let typed = check(query)?;
        reads::after(ctx, SUGGESTING, after_position).await?;
        Ok(services(ctx).search.suggest(&typed, limit).await?)
    }
}

fn check(text: String) -> Result<String, ApiError> {
    if text.chars().count() <= MAX_TEXT && !text.contains('\0') {
        return Ok(text);
    }
    Err(ApiError::bad_input(
        "QUERY_INVALID",
        format!("a search has at most {MAX_TEXT} characters, none of them NUL"),
    ))
}

#[cfg(test)]
mod tests {
    use daybook_projections::products::facet::Facet as Word;

    use super::*;

    #[test]
    fn a_search_is_short_and_has_no_nul() {
        assert!(check("lantern".to_owned()).is_ok());
        assert!(check("x".repeat(MAX_TEXT + 1)).is_err());
        assert!(check("a\0b".to_owned()).is_err());
        assert_eq!(
            words(Some("Tea".to_owned()), Vec::new(), Vec::new()).ok(),
            Some(vec![vec![Word::Category("Tea".to_owned())]])
        );
    }
}
