//! One event of each kind, always the same: for golden files and the event catalogue.

use std::collections::BTreeMap;

use super::{ProductEvent, ProductOption, Variant};
use crate::kernel::{CodeError, Currency, Money, ProductId, Sku, VariantId, sample};

/// One or more events of every type.
pub fn samples() -> Vec<ProductEvent> {
    build().unwrap_or_default()
}

fn build() -> Result<Vec<ProductEvent>, CodeError> {
    let product_id = ProductId::new(sample::id(0x10));
    let variant_id = VariantId::new(sample::id(0x11));
    let (price, dearer) = (Money::new(1_250, Currency::GBP), Money::new(1_395, Currency::GBP));
    let text = str::to_owned;
    Ok(vec![
        ProductEvent::Created {
            product_id,
            title: text("Cotton bag"),
            description: text("Carries the shopping."),
            options: vec![ProductOption { name: text("Colour"), values: vec![text("Red"), text("Blue")] }],
        },
        ProductEvent::Described { title: text("Jumbo cotton bag"), description: text("Carries more.") },
        ProductEvent::Categorised { categories: vec![text("Bags"), text("Gifts")] },
        ProductEvent::AttributesSet { attributes: BTreeMap::from([(text("material"), text("cotton"))]) },
        ProductEvent::VariantAdded {
            variant: Variant {
                variant_id,
                sku: Sku::try_new("BAG-RED")?,
                options: BTreeMap::from([(text("Colour"), text("Red"))]),
                prices: vec![price],
            },
        },
        ProductEvent::VariantRemoved { variant_id },
        ProductEvent::PriceSet { variant_id, price: dearer, previous: Some(price) },
        ProductEvent::PriceWithdrawn { variant_id, currency: Currency::GBP },
        ProductEvent::Published {},
        ProductEvent::Unpublished {},
    ])
}
