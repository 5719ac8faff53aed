//! Carts as the shopper sees them: the aggregate's own state, so that there is one definition of what a cart is.

pub mod query;
#[cfg(test)]
mod tests;

use cqrs_es::Aggregate as _;
use daybook_domain::Timestamp;
use daybook_domain::cart::{Cart, CartEvent};
use daybook_domain::catalogue::DomainEvent;
use serde::{Deserialize, Serialize};

use crate::runtime::{Column, Envelope, FoldError, ReadModel, Table, Tabled};

/// The read model of carts.
pub struct Carts;

/// A cart; its quote is [`Cart::quote`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CartRow {
    /// The cart, as its own events make it.
    pub cart: Cart,
    /// When it was taken.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

impl ReadModel for Carts {
    type Row = CartRow;
    const SOURCES: &'static [&'static str] = &["Cart"];
    const REVISION: i32 = 1;

    fn key(event: &Envelope) -> Option<String> {
        Some(event.aggregate_id().to_owned())
    }

    fn fold(row: Option<CartRow>, event: &Envelope) -> Result<Option<CartRow>, FoldError> {
        let DomainEvent::Cart(happened) = &event.event else { return Ok(row) };
        let at = event.occurred_at();
        let mut row = match (row, happened) {
            (Some(row), _) => row,
            (None, CartEvent::Created { .. }) => {
                CartRow { cart: Cart::default(), created_at: at, updated_at: at }
            }
            (None, _) => return Err(FoldError::NothingYet("cart")),
        };
        row.cart.apply(happened.clone());
        row.updated_at = at;
        Ok(Some(row))
    }
}

impl Tabled for Carts {
    const TABLE: Table<CartRow> = Table {
        name: "carts",
        columns: &[Column::Uuid("customer_id", |row| Some(row.cart.terms()?.customer_id?.uuid()))],
        generated: &[],
        indexes: &["(customer_id) WHERE customer_id IS NOT NULL"],
    };
}
