//! Stock as clients see it.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, ID, SimpleObject};
use daybook_domain::inventory::{Inventory, StockItem};
use daybook_projections::stock::StockLevel as Row;

use crate::graphql::error::ApiError;
use crate::graphql::id::{global, key};
use crate::graphql::product::{self, ProductVariant};

/// Stock of one variant at one location.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub(crate) struct StockLevel {
    /// Its id.
    #[graphql(owned)]
    pub(crate) id: ID,
    /// The location.
    location: String,
    /// How many units are in the building.
    on_hand: i64,
    /// How many are promised to orders.
    committed: i64,
    /// How many are held for shoppers who are paying.
    reserved: i64,
    /// How many are kept back from sale.
    safety_stock: i64,
    /// How many can be sold.
    available: i64,
}

#[ComplexObject]
impl StockLevel {
    /// The variant; nothing when the client may not see it.
    async fn variant(&self, ctx: &Context<'_>) -> Result<Option<ProductVariant>, ApiError> {
        match key::<StockItem>(&self.id) {
            Some(item) => product::variant(ctx, item.variant_id).await,
            None => Ok(None),
        }
    }
}

impl StockLevel {
    /// The stock of an item, as the aggregate has it.
    pub(crate) fn of(item: &StockItem, stock: &Inventory) -> Self {
        Self {
            id: global(item),
            location: item.location.to_string(),
            on_hand: stock.on_hand(),
            committed: stock.committed(),
            reserved: stock.reserved(),
            safety_stock: i64::from(stock.safety_stock()),
            available: stock.available(),
        }
    }
}

impl StockLevel {
    /// How many can be sold.
    pub(crate) const fn available_units(&self) -> i64 {
        self.available
    }
}

impl From<&Row> for StockLevel {
    fn from(row: &Row) -> Self {
        let item = StockItem { variant_id: row.variant_id, location: row.location.clone() };
        Self {
            id: global(&item),
            location: item.location.to_string(),
            on_hand: row.on_hand,
            committed: row.committed,
            reserved: row.reserved,
            safety_stock: row.safety_stock,
            available: row.available(),
        }
    }
}

impl From<(StockItem, Arc<Inventory>)> for StockLevel {
    fn from((item, stock): (StockItem, Arc<Inventory>)) -> Self {
        Self::of(&item, &stock)
    }
}
