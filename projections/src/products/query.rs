//! Reading products: by id, sku or variant, as lists, and the facets of what a list would show.

use std::collections::HashMap;
use std::sync::Arc;

use daybook_domain::{Currency, ProductId, Sku, VariantId};
use sqlx::{Postgres, QueryBuilder, Row};

use super::ProductRow;
use super::facet::{Facet, FacetCount};
use super::table::price_expression;
use crate::read::page::{self, Sort};
use crate::read::{Page, PageRequest, ReadDb, ReadError, doc};

/// A range of prices in one currency, both ends included. A product is in it with its lowest price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceRange {
    /// The currency.
    pub currency: Currency,
    /// From this many minor units.
    pub from: Option<i64>,
    /// To this many.
    pub to: Option<i64>,
}

/// Which products are asked for; all of them without.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProductFilter {
    /// Only those for sale (`true`), or only those that are not.
    pub published: Option<bool>,
    /// Those that have, of each of these groups, at least one facet: sizes S or M, and category Shirts.
    pub facets: Vec<Vec<Facet>>,
    /// Those in this range of prices.
    pub price: Option<PriceRange>,
    /// Those whose title has this text in it, in any case.
    pub title: Option<String>,
}

/// How a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProductSort {
    /// Newest first.
    #[default]
    Newest,
    /// By title, in any case.
    Title,
    /// Cheapest first, by the lowest price in this currency; those not sold in it are left out.
    PriceAscending(Currency),
    /// Dearest first, likewise.
    PriceDescending(Currency),
}

impl ProductSort {
    /// Its name, for cursors.
    fn name(self) -> String {
        match self {
            Self::Newest => "newest".to_owned(),
            Self::Title => "title".to_owned(),
            Self::PriceAscending(currency) => format!("cheapest {}", currency.code()),
            Self::PriceDescending(currency) => format!("dearest {}", currency.code()),
        }
    }
}

/// The products with these ids, those that there are.
///
/// # Errors
/// When the replica fails or does not answer in time.
pub async fn by_ids(
    db: &ReadDb,
    ids: &[ProductId],
) -> Result<HashMap<ProductId, Arc<ProductRow>>, ReadError> {
    let keys = ids.iter().map(ToString::to_string).collect();
    let rows = find(db, "key = ANY($1)", keys).await?;
    Ok(rows.into_iter().map(|row| (row.product_id, row)).collect())
}

/// The products that these variants are of, for those that there are.
///
/// # Errors
/// When the replica fails or does not answer in time.
pub async fn by_variants(
    db: &ReadDb,
    ids: &[VariantId],
) -> Result<HashMap<VariantId, Arc<ProductRow>>, ReadError> {
    let keys = ids.iter().map(ToString::to_string).collect();
    let mut found = HashMap::with_capacity(ids.len());
    for row in find(db, "variant_ids && $1", keys).await? {
        let variants = row.product.variants().iter().map(|variant| variant.variant_id);
        found.extend(variants.filter(|id| ids.contains(id)).map(|id| (id, Arc::clone(&row))));
    }
    Ok(found)
}

/// The products with these skus, for those that there are.
///
/// # Errors
/// When the replica fails or does not answer in time.
pub async fn by_skus(db: &ReadDb, skus: &[Sku]) -> Result<HashMap<Sku, Arc<ProductRow>>, ReadError> {
    let keys = skus.iter().map(ToString::to_string).collect();
    let mut found = HashMap::with_capacity(skus.len());
    for row in find(db, "skus && $1", keys).await? {
        let variants = row.product.variants().iter().map(|variant| variant.sku.clone());
        found.extend(variants.filter(|sku| skus.contains(sku)).map(|sku| (sku, Arc::clone(&row))));
    }
    Ok(found)
}

/// A page of the products that match. Page and total are of one moment.
///
/// # Errors
/// When the replica fails or does not answer in time.
pub async fn list(
    db: &ReadDb,
    filter: &ProductFilter,
    sort: ProductSort,
    page: &PageRequest,
) -> Result<Page<ProductRow>, ReadError> {
    let (by, sql_type, descending) = match sort {
        ProductSort::Newest => ("created_at".to_owned(), "timestamptz", true),
        ProductSort::Title => ("sort_title".to_owned(), "text", false),
        ProductSort::PriceAscending(currency) => (price_expression(currency), "bigint", false),
        ProductSort::PriceDescending(currency) => (price_expression(currency), "bigint", true),
    };
    let name = sort.name();
    let sorted = Sort { name: &name, by: &by, sql_type, descending };
    let matching = |query: &mut QueryBuilder<'_, Postgres>| {
        matching(query, filter);
        query.push(format_args!(" AND {by} IS NOT NULL"));
    };
    page::fetch(db, "products", &sorted, page, matching).await
}

/// How many of the products that match have each facet, most frequent first within the kind.
///
/// # Errors
/// When the replica fails or does not answer in time.
pub async fn facets(db: &ReadDb, filter: &ProductFilter) -> Result<Vec<FacetCount>, ReadError> {
    let mut query = QueryBuilder::new(
        "SELECT facet, count(*) AS count FROM (SELECT unnest(facets) AS facet FROM live.products WHERE true",
    );
    matching(&mut query, filter);
    query.push(") AS all_facets GROUP BY facet ORDER BY left(facet, 1), count(*) DESC, facet");
    let rows = db.within(query.build().fetch_all(db.pool())).await?;
    let mut counts = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Some(facet) = Facet::from_word(row.try_get("facet")?) {
            counts.push(FacetCount {
                facet,
                count: u64::try_from(row.try_get::<i64, _>("count")?).unwrap_or(0),
            });
        }
    }
    Ok(counts)
}

async fn find(db: &ReadDb, condition: &str, keys: Vec<String>) -> Result<Vec<Arc<ProductRow>>, ReadError> {
    let statement = format!("SELECT doc::text AS doc FROM live.products WHERE {condition}");
    let rows = db.within(sqlx::query(&statement).bind(keys).fetch_all(db.pool())).await?;
    rows.iter().map(|row| Ok(Arc::new(doc(row)?))).collect()
}

fn matching(query: &mut QueryBuilder<'_, Postgres>, filter: &ProductFilter) {
    if let Some(published) = filter.published {
        // In clear, so that the planner knows how many there are.
        query.push(if published { " AND published = true" } else { " AND published = false" });
    }
    for group in &filter.facets {
        let words: Vec<String> = group.iter().map(Facet::word).collect();
        query.push(" AND facets && ").push_bind(words).push("::text[]");
    }
    if let Some(PriceRange { currency, from, to }) = filter.price {
        let price = price_expression(currency);
        query.push(format_args!(" AND {price} BETWEEN ")).push_bind(from.unwrap_or(0));
        query.push(" AND ").push_bind(to.unwrap_or(i64::MAX));
    }
    if let Some(title) = &filter.title {
        let escaped = title.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        query.push(" AND title ILIKE ").push_bind(format!("%{escaped}%"));
    }
}
