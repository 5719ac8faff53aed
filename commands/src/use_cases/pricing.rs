//! Today's prices, from the products on the primary.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use chrono::Duration;
use daybook_domain::pricing::PricedVariant;
use daybook_domain::{Currency, IdError, ProductId, Timestamp, VariantId};
use daybook_eventstore::Unit;

use super::error::{Unavailable, UseCaseError};
use crate::shop::Shop;

/// For how long a price that a shopper was shown is honoured.
const HONOURED: Duration = Duration::minutes(15);

/// A variant and the product it is of; its text is `product/variant`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VariantRef {
    /// The product.
    pub product_id: ProductId,
    /// The variant.
    pub variant_id: VariantId,
}

impl fmt::Display for VariantRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.product_id, self.variant_id)
    }
}

impl FromStr for VariantRef {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (product, variant) = text.split_once('/').ok_or(IdError)?;
        Ok(Self { product_id: product.parse()?, variant_id: variant.parse()? })
    }
}

/// Sees to it that the products of these variants are at hand when their prices are looked up.
pub(super) async fn have_at_hand(
    shop: &Shop,
    variants: impl Iterator<Item = VariantRef>,
) -> Result<(), UseCaseError> {
    let ids: Vec<String> = products(variants).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    Ok(shop.products.have_at_hand(&ids).await?)
}

/// Turns to the products of these variants, all at once.
pub(super) fn turn_to(
    shop: &Shop,
    unit: &mut Unit<'_>,
    variants: impl Iterator<Item = VariantRef>,
) -> Result<(), UseCaseError> {
    Ok(unit.states(&shop.products, products(variants)).map(drop)?)
}

fn products(variants: impl Iterator<Item = VariantRef>) -> impl Iterator<Item = String> {
    let products: BTreeSet<ProductId> = variants.map(|variant| variant.product_id).collect();
    products.into_iter().map(|id| id.to_string())
}

/// The prices of those of these variants that have one.
pub(super) fn available_prices(
    shop: &Shop,
    unit: &mut Unit<'_>,
    variants: impl Iterator<Item = VariantRef> + Clone,
    (currency, now): (Currency, Timestamp),
) -> Result<Vec<PricedVariant>, UseCaseError> {
    turn_to(shop, unit, variants.clone())?;
    let mut available = Vec::new();
    for variant in variants {
        match price(shop, unit, variant, (currency, now)) {
            Ok(priced) => available.push(priced),
            Err(UseCaseError::Refused(_)) => {}
            Err(failed) => return Err(failed),
        }
    }
    Ok(available)
}

/// Today's price of a variant. That its product is still as it was seen is a condition of what is decided with it.
pub(super) fn price(
    shop: &Shop,
    unit: &mut Unit<'_>,
    wanted: VariantRef,
    (currency, now): (Currency, Timestamp),
) -> Result<PricedVariant, UseCaseError> {
    let product = unit.state(&shop.products, &wanted.product_id.to_string())?;
    let not_for_sale = || UseCaseError::refused(&Unavailable::NotForSale(wanted));
    if !product.is_published() {
        return Err(not_for_sale());
    }
    let variant = product.variant(wanted.variant_id).ok_or_else(not_for_sale)?;
    let unit_price = variant.price_in(currency).ok_or_else(|| {
        UseCaseError::refused(&Unavailable::NotSoldIn { sku: variant.sku.clone(), currency: currency.code() })
    })?;
    Ok(PricedVariant {
        product_id: wanted.product_id,
        variant_id: wanted.variant_id,
        sku: variant.sku.clone(),
        title: product.title().to_owned(),
        unit_price,
        honoured_until: now + HONOURED,
    })
}
