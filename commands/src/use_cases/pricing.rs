//! Today's prices, from the products on the primary.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::Duration;
use daybook_domain::pricing::PricedVariant;
use daybook_domain::product::Product;
use daybook_domain::{Currency, IdError, ProductId, Timestamp, VariantId};

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

/// The prices of these variants, in the order asked for, each with why there is none: one statement, whatever
/// their number.
pub(super) async fn prices(
    shop: &Shop,
    variants: &[VariantRef],
    currency: Currency,
    now: Timestamp,
) -> Result<Vec<Result<PricedVariant, UseCaseError>>, UseCaseError> {
    let mut products: BTreeMap<ProductId, Option<std::sync::Arc<Product>>> =
        variants.iter().map(|variant| (variant.product_id, None)).collect();
    let ids: Vec<String> = products.keys().map(ToString::to_string).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    for (slot, loaded) in products.values_mut().zip(shop.products.load_many(&ids).await?) {
        *slot = Some(loaded.state);
    }
    let price = |variant: &VariantRef| {
        let product = products.get(&variant.product_id).and_then(Option::as_deref);
        price(product, *variant, currency, now)
    };
    Ok(variants.iter().map(price).collect())
}

/// The prices of those of these variants that have one.
pub(super) async fn available_prices(
    shop: &Shop,
    variants: &[VariantRef],
    currency: Currency,
    now: Timestamp,
) -> Result<Vec<PricedVariant>, UseCaseError> {
    Ok(prices(shop, variants, currency, now).await?.into_iter().filter_map(Result::ok).collect())
}

fn price(
    product: Option<&Product>,
    wanted: VariantRef,
    currency: Currency,
    now: Timestamp,
) -> Result<PricedVariant, UseCaseError> {
    let not_for_sale = || UseCaseError::refused(&Unavailable::NotForSale(wanted));
    let product = product.filter(|product| product.is_published()).ok_or_else(not_for_sale)?;
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
