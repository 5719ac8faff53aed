//! What can be looked up by key.

use std::collections::HashMap;
use std::sync::Arc;

use daybook_domain::{CartId, OrderId, ProductId, Sku, VariantId};
use daybook_projections::carts::{self, CartRow};
use daybook_projections::orders::query::{HistoryEntry, HistoryPart};
use daybook_projections::orders::{self, OrderRow};
use daybook_projections::products::{self, ProductRow};
use daybook_projections::read::ReadDb;
use daybook_projections::stock::{self, StockLevel};
use uuid::Uuid;

use super::hot::{self, Copies, HotCarts, Source, answered};
use super::loader::{Batch, Loader};
use crate::graphql::error::ApiError;

macro_rules! batches {
    ($($(#[$doc:meta])+ $name:ident($key:ty => $value:ty) |$db:ident, $keys:ident| $find:expr;)+) => {$(
        $(#[$doc])+
        pub(crate) struct $name(ReadDb);

        impl Batch for $name {
            type Key = $key;
            type Value = $value;

            async fn find(&self, $keys: Vec<$key>) -> Result<HashMap<$key, $value>, ApiError> {
                let $db = &self.0;
                Ok($find)
            }
        }
    )+};
}

batches! {
    /// Products by their ids.
    Products(ProductId => Arc<ProductRow>) |db, keys| products::query::by_ids(db, &keys).await?;
    /// Products by the skus of their variants.
    ProductsBySku(Sku => Arc<ProductRow>) |db, keys| products::query::by_skus(db, &keys).await?;
    /// Products by their variants.
    ProductsByVariant(VariantId => Arc<ProductRow>) |db, keys| products::query::by_variants(db, &keys).await?;
    /// Carts by their ids.
    Carts(CartId => Arc<CartRow>) |db, keys| {
        let found = carts::query::by_ids(db, &keys).await?;
        answered(hot::CARTS, Source::Replica, keys.len());
        shared(found)
    };
    /// Orders by their ids.
    Orders(OrderId => Arc<OrderRow>) |db, keys| shared(orders::query::by_ids(db, &keys).await?);
    /// Orders by their payments, refunds and shipments.
    OrdersByPart(Uuid => Arc<OrderRow>) |db, keys| orders::query::by_parts(db, &keys).await?;
    /// Parts of the histories of orders.
    Histories(HistoryPart => Arc<Vec<HistoryEntry>>) |db, keys| {
        shared(orders::query::history(db, &keys).await?)
    };
    /// How long the histories of orders are.
    HistoryLengths(OrderId => u64) |db, keys| orders::query::history_lengths(db, &keys).await?;
}

/// The stock of variants, at each location: from the hot copy, and without one from the replica.
pub(crate) struct Stock {
    db: ReadDb,
    copies: Option<Copies>,
}

impl Batch for Stock {
    type Key = VariantId;
    type Value = Arc<Vec<StockLevel>>;

    async fn find(&self, keys: Vec<VariantId>) -> Result<HashMap<VariantId, Self::Value>, ApiError> {
        if let Some(copies) = &self.copies
            && let Some(found) = copies.stock(&keys).await
        {
            return Ok(shared(found));
        }
        let found = stock::query::by_variants(&self.db, &keys).await?;
        answered(hot::STOCK, Source::Replica, keys.len());
        Ok(shared(found))
    }
}

fn shared<K: Eq + std::hash::Hash, V>(found: HashMap<K, V>) -> HashMap<K, Arc<V>> {
    found.into_iter().map(|(key, value)| (key, Arc::new(value))).collect()
}

/// All lookups. Cloning shares them.
#[derive(Clone)]
pub(crate) struct Loaders {
    /// Products by their ids.
    pub(crate) products: Loader<Products>,
    /// Products by the skus of their variants.
    pub(crate) products_by_sku: Loader<ProductsBySku>,
    /// Products by their variants.
    pub(crate) products_by_variant: Loader<ProductsByVariant>,
    /// Carts by their ids, on the replica.
    pub(crate) carts: Loader<Carts>,
    /// Carts in the hot copy, where there is one.
    pub(crate) hot_carts: Option<Loader<HotCarts>>,
    /// Orders by their ids.
    pub(crate) orders: Loader<Orders>,
    /// Orders by their payments, refunds and shipments.
    pub(crate) orders_by_part: Loader<OrdersByPart>,
    /// Parts of the histories of orders.
    pub(crate) histories: Loader<Histories>,
    /// How long the histories of orders are.
    pub(crate) history_lengths: Loader<HistoryLengths>,
    /// The stock of variants.
    pub(crate) stock: Loader<Stock>,
}

impl Loaders {
    /// Lookups in this database, and in the hot copies where there are some.
    pub(crate) fn new(db: &ReadDb, copies: Option<Copies>) -> Self {
        Self {
            products: Loader::new(Products(db.clone())),
            products_by_sku: Loader::new(ProductsBySku(db.clone())),
            products_by_variant: Loader::new(ProductsByVariant(db.clone())),
            carts: Loader::new(Carts(db.clone())),
            hot_carts: copies.clone().map(|copies| Loader::new(HotCarts(copies))),
            orders: Loader::new(Orders(db.clone())),
            orders_by_part: Loader::new(OrdersByPart(db.clone())),
            histories: Loader::new(Histories(db.clone())),
            history_lengths: Loader::new(HistoryLengths(db.clone())),
            stock: Loader::new(Stock { db: db.clone(), copies }),
        }
    }
}
