//! The quote: every number of a cart's total, with the time until which it holds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::kernel::{
    CountryCode, LineId, Money, ProductId, Quantity, ShippingMethod, Sku, Timestamp, VariantId,
};

/// A variant at the price the shop asked for it at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PricedVariant {
    /// The product it is a variant of.
    pub product_id: ProductId,
    /// The variant.
    pub variant_id: VariantId,
    /// Its sku at that moment.
    pub sku: Sku,
    /// The title shown to the shopper at that moment.
    pub title: String,
    /// The price of one unit, without tax.
    pub unit_price: Money,
    /// Until when the shop honours this price.
    pub honoured_until: Timestamp,
}

/// A way of shipping at the price the shop asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShippingQuote {
    /// The way of shipping.
    pub method: ShippingMethod,
    /// Its price, without tax.
    pub price: Money,
}

/// One line of a quote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotedLine {
    /// The line.
    pub line_id: LineId,
    /// The product.
    pub product_id: ProductId,
    /// The variant.
    pub variant_id: VariantId,
    /// Its sku.
    pub sku: Sku,
    /// Its title as shown.
    pub title: String,
    /// What the shopper asked for beside the variant, such as an engraving.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// How many.
    pub quantity: Quantity,
    /// The price of one, without tax.
    pub unit_price: Money,
    /// Quantity times unit price.
    pub net: Money,
    /// Tax on `net`, rounded once for the line.
    pub tax: Money,
    /// `net` and `tax` together.
    pub gross: Money,
}

/// What a cart costs, to the last minor unit: `total = Σ lines.gross + shipping.price + shipping_tax`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// The lines, in the cart's order.
    pub lines: Vec<QuotedLine>,
    /// The way of shipping and its price.
    pub shipping: ShippingQuote,
    /// The country whose tax applies.
    pub country: CountryCode,
    /// The tax rate, in basis points.
    pub tax_rate: u32,
    /// Tax on the shipping price.
    pub shipping_tax: Money,
    /// Σ lines.net.
    pub net: Money,
    /// All tax, shipping's included.
    pub tax: Money,
    /// What the shopper pays.
    pub total: Money,
    /// Until when this holds.
    pub expires_at: Timestamp,
}
