//! How lines come together: the same variant with the same attributes is one line.

use std::collections::BTreeMap;

use super::CartLine;
use crate::kernel::VariantId;
use crate::pricing::{PricedLine, PricedVariant};

impl CartLine {
    /// The line as it is quoted.
    pub(super) fn priced(&self) -> PricedLine<'_> {
        PricedLine {
            line_id: self.line_id,
            item: &self.item,
            quantity: self.quantity,
            attributes: &self.attributes,
        }
    }
}

/// The line that another of this variant with these attributes belongs to.
pub(super) fn same<'a>(
    lines: &'a [CartLine],
    variant_id: VariantId,
    attributes: &BTreeMap<String, String>,
) -> Option<&'a CartLine> {
    lines.iter().find(|line| line.item.variant_id == variant_id && line.attributes == *attributes)
}

/// Puts a line in, or adds its quantity to the one it belongs to, whose price becomes the added one's:
/// a decision has seen to it that this is the newer of the two.
pub(super) fn put(lines: &mut Vec<CartLine>, added: CartLine) {
    let same = lines
        .iter_mut()
        .find(|line| line.item.variant_id == added.item.variant_id && line.attributes == added.attributes);
    match same {
        Some(line) => {
            line.quantity = line.quantity.saturating_add(added.quantity);
            line.item = added.item;
        }
        None => lines.push(added),
    }
}

/// Gives every line that has one its price in `prices`.
pub(super) fn reprice(lines: &mut [CartLine], prices: &[PricedVariant]) {
    for line in lines {
        if let Some(price) = price_of(prices, line.item.variant_id) {
            line.item = price.clone();
        }
    }
}

/// A variant's price.
pub(super) fn price_of(prices: &[PricedVariant], variant_id: VariantId) -> Option<&PricedVariant> {
    prices.iter().find(|price| price.variant_id == variant_id)
}
