//! What of a product can be found, and its table in Postgres.

use crate::products::ProductRow;
use crate::products::facet::Facet;
use crate::runtime::{Column, Envelope, FoldError, ReadModel, Table, Tabled};

/// The read model of search.
pub struct Search;

impl ReadModel for Search {
    type Row = ProductRow;
    const SOURCES: &'static [&'static str] = &["Product"];
    const REVISION: i32 = 1;

    fn key(event: &Envelope) -> Option<String> {
        Some(event.aggregate_id().to_owned())
    }

    fn fold(row: Option<ProductRow>, event: &Envelope) -> Result<Option<ProductRow>, FoldError> {
        ProductRow::after(row, event)
    }
}

impl Tabled for Search {
    const TABLE: Table<ProductRow> = Table {
        name: "search_documents",
        columns: &[
            Column::Text("title", |row| Some(row.product.title().to_owned())),
            Column::Text("keywords", |row| Some(keywords(row))),
            Column::Text("description", |row| Some(row.product.description().to_owned())),
            Column::Flag("published", |row| Some(row.product.is_published())),
            Column::Words("facets", Facet::words),
        ],
        // Without a language's stemming: a shop's titles are in any.
        generated: &["vector tsvector GENERATED ALWAYS AS (
            setweight(to_tsvector('simple', title), 'A') || setweight(to_tsvector('simple', keywords), 'B')
            || setweight(to_tsvector('simple', description), 'C')) STORED"],
        indexes: &["USING gin (vector) WHERE published", "(title, key) WHERE published"],
    };
}

/// Skus, categories and the values of attributes and options.
pub(super) fn keywords(row: &ProductRow) -> String {
    let product = &row.product;
    let skus = product.variants().iter().map(|variant| variant.sku.as_str());
    let options = product.variants().iter().flat_map(|variant| variant.options.values());
    let words = product.categories().iter().chain(product.attributes().values()).chain(options);
    let all: std::collections::BTreeSet<&str> = skus.chain(words.map(String::as_str)).collect();
    all.into_iter().collect::<Vec<_>>().join(" ")
}
