//! Products: drawing them up and changing them.

use std::collections::BTreeMap;
use std::sync::Arc;

use daybook_domain::product::{Product, ProductCommand, ProductOption, Variant};
use daybook_domain::{Money, ProductId, Sku, VariantId};
use daybook_eventstore::CommandContext;
use serde_json::json;

use super::error::UseCaseError;
use super::outcome::{Done, recorded};
use crate::shop::Shop;

/// A product to be drawn up.
#[derive(Debug, Clone)]
pub struct NewProduct {
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// The ways in which its variants differ.
    pub options: Vec<ProductOption>,
    /// The categories it is in.
    pub categories: Vec<String>,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
    /// Its first variants.
    pub variants: Vec<NewVariant>,
    /// Whether it is for sale at once.
    pub published: bool,
}

/// A variant to be offered.
#[derive(Debug, Clone)]
pub struct NewVariant {
    /// Its sku.
    pub sku: Sku,
    /// The value it has for each option.
    pub options: BTreeMap<String, String>,
    /// Its price in each currency.
    pub prices: Vec<Money>,
}

impl NewVariant {
    fn command(self, variant_id: VariantId) -> ProductCommand {
        let Self { sku, options, prices } = self;
        ProductCommand::AddVariant { variant: Variant { variant_id, sku, options, prices } }
    }
}

/// Draws up a product, with all that is given of it or not at all.
///
/// # Errors
/// When a part of it is refused.
pub async fn create_product(
    shop: &Shop,
    context: &CommandContext,
    new: NewProduct,
) -> Result<Done<Arc<Product>>, UseCaseError> {
    let NewProduct { title, description, options, categories, attributes, variants, published } = new;
    let product_id = ProductId::generate(shop.ids.as_ref());
    let mut commands = vec![ProductCommand::Create { product_id, title, description, options }];
    if !categories.is_empty() {
        commands.push(ProductCommand::Categorise { categories });
    }
    if !attributes.is_empty() {
        commands.push(ProductCommand::SetAttributes { attributes });
    }
    let add = |variant: NewVariant| variant.command(VariantId::generate(shop.ids.as_ref()));
    commands.extend(variants.into_iter().map(add));
    if published {
        commands.push(ProductCommand::Publish);
    }
    let (id, outcome) = (product_id.to_string(), json!({ "product_id": product_id }).to_string());
    shop.products.presume_new(&id).await;
    let created = shop.products.execute_all(&id, &commands, context, &outcome).await?;
    let Created { product_id } = recorded(&created.outcome)?;
    let mut done: Done<Arc<Product>> = created.into();
    if done.replayed {
        done.value = shop.products.load(&product_id.to_string()).await?.state;
    }
    Ok(done)
}

#[derive(serde::Deserialize)]
struct Created {
    product_id: ProductId,
}

/// Asks things of a product, all or nothing.
///
/// # Errors
/// When the product refuses one of them.
pub async fn change_product(
    shop: &Shop,
    context: &CommandContext,
    product_id: ProductId,
    commands: &[ProductCommand],
) -> Result<Done<Arc<Product>>, UseCaseError> {
    Ok(shop.products.execute_all(&product_id.to_string(), commands, context, "{}").await?.into())
}

/// Offers another variant of a product. Says which.
///
/// # Errors
/// When the product refuses.
pub async fn add_variant(
    shop: &Shop,
    context: &CommandContext,
    product_id: ProductId,
    new: NewVariant,
) -> Result<Done<(Arc<Product>, VariantId)>, UseCaseError> {
    #[derive(serde::Deserialize)]
    struct Added {
        variant_id: VariantId,
    }
    let variant_id = VariantId::generate(shop.ids.as_ref());
    let outcome = json!({ "variant_id": variant_id }).to_string();
    let command = new.command(variant_id);
    let added = shop.products.execute(&product_id.to_string(), command, context, &outcome).await?;
    let Added { variant_id } = recorded(&added.outcome)?;
    Ok(Done::from(added).map(|product| (product, variant_id)))
}
