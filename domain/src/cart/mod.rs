//! A cart: what a shopper means to buy, at prices that are honoured for a time.
//!
//! Lines with the same variant and the same attributes are one line. The cart never looks a price up: prices
//! come in with the commands, and a submit decides whether the ones the shopper saw still hold.

mod command;
mod decide;
mod event;
mod lines;
mod refusal;
mod samples;
mod submit;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::kernel::{CartId, CountryCode, Currency, CustomerId, OrderId, Sealed, aggregate};
use crate::pricing::{PricedLine, Quote, ShippingQuote, TaxTreatment};

pub use command::CartCommand;
pub use event::{CartEvent, CartLine};
pub use refusal::CartRefusal;
pub use samples::samples;

/// The most lines a cart has.
pub const MAX_LINES: usize = 200;
/// The most attributes a line has.
pub const MAX_ATTRIBUTES: usize = 16;

/// A cart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cart {
    terms: Option<CartTerms>,
    status: CartStatus,
    lines: Vec<CartLine>,
    delivery: Option<Delivery>,
    shipping: Option<ShippingQuote>,
    /// The carts whose lines are in this one, so that a merge told twice counts once.
    merged: Vec<CartId>,
    /// The orders that came to nothing, so that none of them is submitted again.
    given_up: Vec<OrderId>,
}

/// What a cart is created with and never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CartTerms {
    /// The cart.
    pub cart_id: CartId,
    /// Whose it is; nobody's yet when the shopper is not signed in.
    pub customer_id: Option<CustomerId>,
    /// The currency of all its prices.
    pub currency: Currency,
    /// Whether tax is added.
    pub tax: TaxTreatment,
}

/// Whether a cart can be changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CartStatus {
    /// It can.
    #[default]
    Open,
    /// It became an order.
    Submitted {
        /// The order.
        order_id: OrderId,
    },
    /// Its lines went into another cart.
    Merged {
        /// That cart.
        into: CartId,
    },
}

/// Who and where to deliver to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Name, e-mail and the like.
    pub contact: Sealed,
    /// The address.
    pub address: Sealed,
    /// Its country, in clear because tax and shipping depend on it.
    pub country: CountryCode,
}

impl Cart {
    /// What it was created with; nothing before that.
    pub fn terms(&self) -> Option<&CartTerms> {
        self.terms.as_ref()
    }

    /// Whether it can be changed.
    pub fn status(&self) -> CartStatus {
        self.status
    }

    /// Its lines, in the order in which they came.
    pub fn lines(&self) -> &[CartLine] {
        &self.lines
    }

    /// Who and where to deliver to.
    pub fn delivery(&self) -> Option<&Delivery> {
        self.delivery.as_ref()
    }

    /// The way of shipping, at its price.
    pub fn shipping(&self) -> Option<&ShippingQuote> {
        self.shipping.as_ref()
    }

    /// What it costs at the prices its lines were quoted.
    pub fn quote(&self) -> Result<Quote, CartRefusal> {
        let terms = self.terms.as_ref().ok_or(CartRefusal::NotFound)?;
        if self.lines.is_empty() {
            return Err(CartRefusal::Empty);
        }
        let delivery = self.delivery.as_ref().ok_or(CartRefusal::DeliveryNotSet)?;
        let shipping = self.shipping.clone().ok_or(CartRefusal::ShippingNotChosen)?;
        let lines: Vec<PricedLine<'_>> = self.lines.iter().map(CartLine::priced).collect();
        Ok(Quote::compute(&lines, shipping, delivery.country.clone(), terms.tax)?)
    }

    fn evolve(&mut self, event: CartEvent) {
        match event {
            CartEvent::Created { cart_id, customer_id, currency, tax } => {
                self.terms = Some(CartTerms { cart_id, customer_id, currency, tax });
            }
            CartEvent::LineAdded { line } => lines::put(&mut self.lines, line),
            CartEvent::LineQuantityChanged { line_id, quantity } => {
                if let Some(line) = self.lines.iter_mut().find(|line| line.line_id == line_id) {
                    line.quantity = quantity;
                }
            }
            CartEvent::LineRemoved { line_id } => self.lines.retain(|line| line.line_id != line_id),
            CartEvent::DeliverySet { contact, address, country } => {
                if self.delivery.as_ref().is_some_and(|old| old.country != country) {
                    // Shipping was priced for another country.
                    self.shipping = None;
                }
                self.delivery = Some(Delivery { contact, address, country });
            }
            CartEvent::ShippingChosen { shipping } => self.shipping = Some(shipping),
            CartEvent::Repriced { prices, shipping } => {
                lines::reprice(&mut self.lines, &prices);
                self.shipping = shipping;
            }
            CartEvent::Merged { from, lines } => {
                self.merged.push(from);
                for line in lines {
                    lines::put(&mut self.lines, line);
                }
            }
            CartEvent::MergedInto { cart_id } => self.status = CartStatus::Merged { into: cart_id },
            CartEvent::Submitted { order_id, .. } => self.status = CartStatus::Submitted { order_id },
            CartEvent::Reopened { order_id } => {
                self.status = CartStatus::Open;
                self.given_up.push(order_id);
            }
        }
    }
}

aggregate!(Cart, "Cart", CartCommand, CartEvent, CartRefusal);
