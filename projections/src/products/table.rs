//! The table of products. The prices of the currencies that the shop ships in are columns, so that a list sorted by
//! one reads an index; those of others are looked up in `prices`.

use std::collections::BTreeMap;

use daybook_domain::{Currency, Money};

use super::facet::Facet;
use super::{ProductRow, Products};
use crate::runtime::{Column, Table, Tabled};

/// The currencies that have a column.
const COLUMNS: &[(Currency, &str)] =
    &[(Currency::EUR, "price_eur"), (Currency::GBP, "price_gbp"), (Currency::USD, "price_usd")];

impl Tabled for Products {
    const TABLE: Table<ProductRow> = Table {
        name: "products",
        columns: &[
            Column::Text("title", |row| Some(row.product.title().to_owned())),
            Column::Text("sort_title", |row| Some(row.product.title().to_lowercase())),
            Column::Flag("published", |row| Some(row.product.is_published())),
            Column::Time("created_at", |row| Some(row.created_at)),
            Column::Words("facets", Facet::words),
            Column::Words("variant_ids", |row| of_variants(row, |variant| variant.variant_id.to_string())),
            Column::Words("skus", |row| of_variants(row, |variant| variant.sku.to_string())),
            Column::Number("price_eur", |row| row.lowest_price(Currency::EUR).map(Money::minor)),
            Column::Number("price_gbp", |row| row.lowest_price(Currency::GBP).map(Money::minor)),
            Column::Number("price_usd", |row| row.lowest_price(Currency::USD).map(Money::minor)),
            Column::Json("prices", prices),
        ],
        generated: &[],
        indexes: &[
            "(published, created_at DESC, key DESC)",
            "(published, sort_title, key)",
            "(published, price_eur, key)",
            "(published, price_gbp, key)",
            "(published, price_usd, key)",
            "USING gin (facets)",
            "USING gin (variant_ids)",
            "USING gin (skus)",
            "USING gin (title gin_trgm_ops)",
        ],
    };
}

/// The expression for a product's lowest price in a currency, null when it is not sold in it.
pub(super) fn price_expression(currency: Currency) -> String {
    let column = COLUMNS.iter().find(|(known, _)| *known == currency);
    // A currency's code is three letters.
    column.map_or_else(|| format!("(prices->>'{}')::bigint", currency.code()), |(_, name)| (*name).to_owned())
}

fn prices(row: &ProductRow) -> Option<String> {
    let all = row.product.variants().iter().flat_map(|variant| &variant.prices);
    let mut lowest: BTreeMap<&str, i64> = BTreeMap::new();
    for price in all {
        let known = lowest.entry(price.currency().code()).or_insert(i64::MAX);
        *known = price.minor().min(*known);
    }
    serde_json::to_string(&lowest).ok()
}

fn of_variants(row: &ProductRow, get: fn(&daybook_domain::product::Variant) -> String) -> Vec<String> {
    row.product.variants().iter().map(get).collect()
}
