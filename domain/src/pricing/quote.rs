//! The quote: every number of a cart's total, with the time until which it holds.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TaxTreatment;
use crate::kernel::{
    CountryCode, Currency, LineId, Money, MoneyError, ProductId, Quantity, ShippingMethod, Sku, Timestamp,
    VariantId,
};

/// A variant at the price the shop asked for it at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShippingQuote {
    /// The way of shipping.
    pub method: ShippingMethod,
    /// Its price, without tax.
    pub price: Money,
}

/// A way of shipping at the price the shop asks for it to one country: somewhere else it has another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShippingOffer {
    /// The country it was priced for.
    pub country: CountryCode,
    /// The way of shipping at its price.
    pub shipping: ShippingQuote,
}

/// One line of a quote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// One line to be quoted.
#[derive(Debug, Clone, Copy)]
pub struct PricedLine<'a> {
    /// The line.
    pub line_id: LineId,
    /// The variant at its price.
    pub item: &'a PricedVariant,
    /// How many.
    pub quantity: Quantity,
    /// What the shopper asked for beside the variant.
    pub attributes: &'a BTreeMap<String, String>,
}

/// There is no quote for this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuoteError {
    /// Nothing to quote.
    #[error("there are no lines")]
    NoLines,
    /// The money cannot be summed.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl Quote {
    /// What these lines cost, shipped this way to this country. Tax is rounded once per line, and the quote
    /// holds as long as the shortest-lived of its prices.
    pub fn compute(
        lines: &[PricedLine<'_>],
        shipping: ShippingQuote,
        country: CountryCode,
        treatment: TaxTreatment,
    ) -> Result<Self, QuoteError> {
        let expires_at =
            lines.iter().map(|line| line.item.honoured_until).min().ok_or(QuoteError::NoLines)?;
        let tax_rate = treatment.rate(&country);
        let lines = lines.iter().map(|line| quoted(line, tax_rate)).collect::<Result<Vec<_>, _>>()?;
        let currency = shipping.price.currency();
        let shipping_tax = shipping.price.basis_points(tax_rate)?;
        let net = Money::sum(currency, lines.iter().map(|line| line.net))?;
        let tax = Money::sum(currency, lines.iter().map(|line| line.tax))?.checked_add(shipping_tax)?;
        let total = net.checked_add(tax)?.checked_add(shipping.price)?;
        Ok(Self { lines, shipping, country, tax_rate, shipping_tax, net, tax, total, expires_at })
    }

    /// The currency of every number in it.
    pub fn currency(&self) -> Currency {
        self.total.currency()
    }

    /// Whether it holds no longer.
    pub fn has_expired(&self, at: Timestamp) -> bool {
        at >= self.expires_at
    }

    /// How many of each variant it takes, summed over its lines, in the order in which they first appear.
    pub fn demand(&self) -> Vec<(VariantId, Quantity)> {
        let mut demand: Vec<(VariantId, Quantity)> = Vec::with_capacity(self.lines.len());
        for line in &self.lines {
            match demand.iter_mut().find(|(variant, _)| *variant == line.variant_id) {
                Some((_, quantity)) => *quantity = quantity.saturating_add(line.quantity),
                None => demand.push((line.variant_id, line.quantity)),
            }
        }
        demand
    }
}

fn quoted(line: &PricedLine<'_>, tax_rate: u32) -> Result<QuotedLine, MoneyError> {
    let net = line.item.unit_price.checked_mul(line.quantity.count())?;
    let tax = net.basis_points(tax_rate)?;
    Ok(QuotedLine {
        line_id: line.line_id,
        product_id: line.item.product_id,
        variant_id: line.item.variant_id,
        sku: line.item.sku.clone(),
        title: line.item.title.clone(),
        attributes: line.attributes.clone(),
        quantity: line.quantity,
        unit_price: line.item.unit_price,
        net,
        tax,
        gross: net.checked_add(tax)?,
    })
}
