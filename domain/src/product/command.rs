//! What can be asked of a product.

use std::collections::BTreeMap;

use super::event::{ProductOption, Variant};
use crate::kernel::{Currency, Money, ProductId, VariantId};

/// A request to a product.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields' meaning is their name")]
pub enum ProductCommand {
    /// Draw up a product.
    Create { product_id: ProductId, title: String, description: String, options: Vec<ProductOption> },
    /// Give it another title and description.
    Describe { title: Option<String>, description: Option<String> },
    /// Put it into these categories, and no others.
    Categorise { categories: Vec<String> },
    /// Give it these attributes, and no others.
    SetAttributes { attributes: BTreeMap<String, String> },
    /// Offer a variant.
    AddVariant { variant: Variant },
    /// Offer a variant no longer.
    RemoveVariant { variant_id: VariantId },
    /// Ask this price for a variant.
    SetPrice { variant_id: VariantId, price: Money },
    /// Sell a variant no longer in this currency.
    WithdrawPrice { variant_id: VariantId, currency: Currency },
    /// Put it up for sale.
    Publish,
    /// Take it off sale.
    Unpublish,
}
