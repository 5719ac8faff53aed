//! What each event of a product does to its row.

use cqrs_es::Aggregate as _;
use daybook_domain::catalogue::DomainEvent;
use daybook_domain::product::{Product, ProductEvent};
use daybook_domain::{Currency, Money, ProductId, Timestamp};
use serde::{Deserialize, Serialize};

use super::Products;
use crate::runtime::{Envelope, FoldError, ReadModel};

/// A product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductRow {
    /// The product's id.
    pub product_id: ProductId,
    /// The product, as its own events make it.
    pub product: Product,
    /// When it was drawn up.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

impl ProductRow {
    /// The lowest price of its variants in this currency; nothing when none is sold in it.
    pub fn lowest_price(&self, currency: Currency) -> Option<Money> {
        let prices = self.product.variants().iter().filter_map(|variant| variant.price_in(currency));
        prices.min_by_key(|price| price.minor())
    }

    /// The row after the event.
    ///
    /// # Errors
    /// When the product's events do not begin with its creation.
    pub(crate) fn after(row: Option<Self>, event: &Envelope) -> Result<Option<Self>, FoldError> {
        let DomainEvent::Product(happened) = &event.event else { return Ok(row) };
        let at = event.occurred_at();
        let mut row = match (row, happened) {
            (Some(row), _) => row,
            (None, ProductEvent::Created { product_id, .. }) => {
                let product = Product::default();
                Self { product_id: *product_id, product, created_at: at, updated_at: at }
            }
            (None, _) => return Err(FoldError::NothingYet("product")),
        };
        row.product.apply(happened.clone());
        row.updated_at = at;
        Ok(Some(row))
    }
}

impl ReadModel for Products {
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
