//! What the shop's people do with products.

use std::sync::Arc;

use async_graphql::{Context, InputObject, Object};
use daybook_commands::use_cases::{self, UseCaseError, VariantRef};
use daybook_domain::ProductId;
use daybook_domain::product::{Product as Aggregate, ProductCommand};

use super::input::{ProductCreateInput, ProductVariantInput};
use super::{Product, ProductVariant};
use crate::auth::Permission;
use crate::graphql::error::ApiError;
use crate::graphql::id::IdOf;
use crate::graphql::input::{AttributeInput, parse_attributes, parse_money};
use crate::graphql::money::MoneyInput;
use crate::graphql::payload::{Mutated, mutate, payload};
use crate::graphql::scalar::CurrencyCode;

payload! {
    /// A product that was drawn up.
    ProductCreatePayload {
        /// The product.
        product: Product
    } from Arc<Aggregate>;
    /// A product that was changed.
    ProductUpdatePayload {
        /// The product.
        product: Product
    } from Arc<Aggregate>;
    /// A product that is for sale.
    ProductPublishPayload {
        /// The product.
        product: Product
    } from Arc<Aggregate>;
    /// A product that is not for sale.
    ProductUnpublishPayload {
        /// The product.
        product: Product
    } from Arc<Aggregate>;
    /// A variant that is offered.
    ProductVariantAddPayload {
        /// The variant.
        variant: ProductVariant
    } from ProductVariant;
    /// A product with a variant less.
    ProductVariantRemovePayload {
        /// The product.
        product: Product
    } from Arc<Aggregate>;
    /// A variant whose price was set.
    ProductVariantPriceSetPayload {
        /// The product.
        product: Product
    } from Arc<Aggregate>;
    /// A variant that is not sold in a currency any more.
    ProductVariantPriceWithdrawPayload {
        /// The product.
        product: Product
    } from Arc<Aggregate>;
}

/// What to change of a product; what is left out stays.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct ProductUpdateInput {
    /// The product.
    id: IdOf<ProductId>,
    /// Another title.
    title: Option<String>,
    /// Another description.
    description: Option<String>,
    /// These categories, and no others.
    categories: Option<Vec<String>>,
    /// These attributes, and no others.
    attributes: Option<Vec<AttributeInput>>,
}

impl ProductUpdateInput {
    fn parse(self) -> Result<Vec<ProductCommand>, UseCaseError> {
        let mut commands = Vec::new();
        if self.title.is_some() || self.description.is_some() {
            commands.push(ProductCommand::Describe { title: self.title, description: self.description });
        }
        if let Some(categories) = self.categories {
            commands.push(ProductCommand::Categorise { categories });
        }
        if let Some(given) = self.attributes {
            let attributes = parse_attributes(given, &["input", "attributes"])?;
            commands.push(ProductCommand::SetAttributes { attributes });
        }
        Ok(commands)
    }
}

/// The mutations of products.
#[derive(Default)]
pub(crate) struct ProductMutation;

#[Object]
impl ProductMutation {
    /// Draws up a product.
    async fn product_create(
        &self,
        ctx: &Context<'_>,
        input: ProductCreateInput,
    ) -> Result<Option<ProductCreatePayload>, ApiError> {
        let mutated = mutate(ctx, Permission::ManageProducts, async |shop, context| {
            use_cases::create_product(shop, &context, input.parse()?).await
        });
        Ok(Some(mutated.await?.into()))
    }

    /// Changes a product's description, categories or attributes.
    async fn product_update(
        &self,
        ctx: &Context<'_>,
        input: ProductUpdateInput,
    ) -> Result<Option<ProductUpdatePayload>, ApiError> {
        Ok(Some(change(ctx, input.id.0, || input.parse()).await?.into()))
    }

    /// Puts a product up for sale.
    async fn product_publish(
        &self,
        ctx: &Context<'_>,
        id: IdOf<ProductId>,
    ) -> Result<Option<ProductPublishPayload>, ApiError> {
        Ok(Some(change(ctx, id.0, || Ok(vec![ProductCommand::Publish])).await?.into()))
    }

    /// Takes a product off sale.
    async fn product_unpublish(
        &self,
        ctx: &Context<'_>,
        id: IdOf<ProductId>,
    ) -> Result<Option<ProductUnpublishPayload>, ApiError> {
        Ok(Some(change(ctx, id.0, || Ok(vec![ProductCommand::Unpublish])).await?.into()))
    }

    /// Offers another variant of a product.
    async fn product_variant_add(
        &self,
        ctx: &Context<'_>,
        product_id: IdOf<ProductId>,
        input: ProductVariantInput,
    ) -> Result<Option<ProductVariantAddPayload>, ApiError> {
        let mutated = mutate(ctx, Permission::ManageProducts, async |shop, context| {
            let new = input.parse(&["input"])?;
            use_cases::add_variant(shop, &context, product_id.0, new).await
        });
        let Mutated { value, user_errors, position, replayed } = mutated.await?;
        let value = value.and_then(|(product, variant_id)| {
            Product::from(product).find(VariantRef { product_id: product_id.0, variant_id })
        });
        Ok(Some(Mutated { value, user_errors, position, replayed }.into()))
    }

    /// Offers a variant no longer.
    async fn product_variant_remove(
        &self,
        ctx: &Context<'_>,
        id: IdOf<VariantRef>,
    ) -> Result<Option<ProductVariantRemovePayload>, ApiError> {
        let VariantRef { product_id, variant_id } = id.0;
        let command = ProductCommand::RemoveVariant { variant_id };
        Ok(Some(change(ctx, product_id, || Ok(vec![command])).await?.into()))
    }

    /// Asks a price for a variant, in the price's currency.
    async fn product_variant_price_set(
        &self,
        ctx: &Context<'_>,
        id: IdOf<VariantRef>,
        price: MoneyInput,
    ) -> Result<Option<ProductVariantPriceSetPayload>, ApiError> {
        let VariantRef { product_id, variant_id } = id.0;
        let command = || {
            let price = parse_money(&price, &["price"])?;
            Ok(vec![ProductCommand::SetPrice { variant_id, price }])
        };
        Ok(Some(change(ctx, product_id, command).await?.into()))
    }

    /// Sells a variant no longer in a currency.
    async fn product_variant_price_withdraw(
        &self,
        ctx: &Context<'_>,
        id: IdOf<VariantRef>,
        currency: CurrencyCode,
    ) -> Result<Option<ProductVariantPriceWithdrawPayload>, ApiError> {
        let VariantRef { product_id, variant_id } = id.0;
        let command = ProductCommand::WithdrawPrice { variant_id, currency: currency.0 };
        Ok(Some(change(ctx, product_id, || Ok(vec![command])).await?.into()))
    }
}

/// Asks things of a product.
async fn change(
    ctx: &Context<'_>,
    product_id: ProductId,
    commands: impl FnOnce() -> Result<Vec<ProductCommand>, UseCaseError>,
) -> Result<Mutated<Arc<Aggregate>>, ApiError> {
    mutate(ctx, Permission::ManageProducts, async |shop, context| {
        use_cases::change_product(shop, &context, product_id, &commands()?).await
    })
    .await
}
