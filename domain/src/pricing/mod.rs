//! What a cart costs: lines at their price, shipping, tax by country. A quote is computed once and then
//! carried as a fact; nothing computes an order's money a second time.

mod quote;
pub(crate) mod samples;
mod shipping;
mod tax;
#[cfg(test)]
mod tests;

pub use quote::{PricedLine, PricedVariant, Quote, QuoteError, QuotedLine, ShippingOffer, ShippingQuote};
pub use shipping::{shipping_rate, shipping_rates};
pub use tax::{TaxTreatment, standard_rate};
