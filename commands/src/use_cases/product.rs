//! Products: drawing them up and changing them.

use std::collections::BTreeMap;
use std::sync::Arc;

use daybook_domain::product::{Product, ProductCommand, ProductOption, Variant};
use daybook_domain::{Money, ProductId, Sku, VariantId};
use daybook_eventstore::CommandContext;
use serde_json::json;

use super::error::UseCaseError;
use super::outcome::{Done, recorded, step};
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

/// Draws up a product, with all that is given of it.
///
/// It is one command after another: a refusal half-way leaves what was done before it, and the same operation
/// with the same command id goes on from there.
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
    let create = ProductCommand::Create { product_id, title, description, options };
    let outcome = json!({ "product_id": product_id }).to_string();
    let created = shop.products.create(&product_id.to_string(), create, context, &outcome).await?;
    let Created { product_id } = recorded(&created.outcome)?;

    let mut rest = Vec::new();
    if !categories.is_empty() {
        rest.push(ProductCommand::Categorise { categories });
    }
    if !attributes.is_empty() {
        rest.push(ProductCommand::SetAttributes { attributes });
    }
    for (index, variant) in variants.into_iter().enumerate() {
        // The same product gets the same variants when this is done again.
        rest.push(variant.command(VariantId::derived(product_id.uuid(), &format!("variant {index}"))));
    }
    if published {
        rest.push(ProductCommand::Publish);
    }
    let mut done: Done<Arc<Product>> = created.into();
    if done.replayed {
        done.value = shop.products.load(&product_id.to_string()).await?.state;
    }
    for (index, command) in rest.into_iter().enumerate() {
        let context = step(context, index + 1);
        let next: Done<_> =
            shop.products.execute(&product_id.to_string(), command, &context, "{}").await?.into();
        done = Done { replayed: done.replayed && next.replayed, ..next };
    }
    Ok(done)
}

#[derive(serde::Deserialize)]
struct Created {
    product_id: ProductId,
}

/// Asks things of a product, one after another, until one is refused.
///
/// # Errors
/// When the product refuses.
pub async fn change_product(
    shop: &Shop,
    context: &CommandContext,
    product_id: ProductId,
    commands: Vec<ProductCommand>,
) -> Result<Done<Arc<Product>>, UseCaseError> {
    let id = product_id.to_string();
    let mut done: Option<Done<Arc<Product>>> = None;
    for (index, command) in commands.into_iter().enumerate() {
        let next: Done<_> = shop.products.execute(&id, command, &step(context, index), "{}").await?.into();
        let replayed = next.replayed && done.as_ref().is_none_or(|done| done.replayed);
        done = Some(Done { replayed, ..next });
    }
    if let Some(done) = done {
        return Ok(done);
    }
    let value = shop.products.load(&id).await?.state;
    Ok(Done { value, position: None, replayed: false })
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
