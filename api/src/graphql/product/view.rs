//! Products as clients see them.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use daybook_commands::use_cases::VariantRef;
use daybook_domain::product::{Product as Aggregate, ProductOption as Choice, Variant};
use daybook_domain::{Currency, ProductId, Timestamp, VariantId};
use daybook_projections::products::ProductRow;

use crate::auth::Permission;
use crate::graphql::context::request;
use crate::graphql::error::ApiError;
use crate::graphql::id::global;
use crate::graphql::input::{Attribute, attributes};
use crate::graphql::money::MoneyV2;
use crate::graphql::reads;
use crate::graphql::scalar::CurrencyCode;
use crate::graphql::stock::StockLevel;

/// A product: what is for sale, in which variants and at what prices.
#[derive(Debug, Clone)]
pub(crate) enum Product {
    /// As a mutation left it.
    Decided(Arc<Aggregate>),
    /// As a read model has it.
    Read(Arc<ProductRow>),
}

impl From<Arc<Aggregate>> for Product {
    fn from(product: Arc<Aggregate>) -> Self {
        Self::Decided(product)
    }
}

impl Product {
    fn get(&self) -> &Aggregate {
        match self {
            Self::Decided(product) => product,
            Self::Read(row) => &row.product,
        }
    }

    fn product_id(&self) -> ProductId {
        self.get().product_id().unwrap_or_default()
    }

    /// Whether this client may see it: what is not for sale is the shop's own business.
    pub(crate) fn is_visible(&self, ctx: &Context<'_>) -> bool {
        self.get().is_published() || request(ctx).identity.may(Permission::ManageProducts)
    }

    /// The variant with this id.
    pub(crate) fn find(&self, variant: VariantRef) -> Option<ProductVariant> {
        self.find_variant(variant.variant_id)
    }

    fn find_variant(&self, id: VariantId) -> Option<ProductVariant> {
        let index = self.get().variants().iter().position(|one| one.variant_id == id)?;
        Some(ProductVariant { product: self.clone(), index })
    }
}

/// The variant as it is now, for something that refers to it; nothing when the client may not see it any more.
pub(crate) async fn variant(ctx: &Context<'_>, id: VariantId) -> Result<Option<ProductVariant>, ApiError> {
    let reads = reads::linked(ctx, &["products"]).await?;
    let product = reads.load.products_by_variant.get(id).await?.map(Product::Read);
    Ok(product.filter(|product| product.is_visible(ctx)).and_then(|product| product.find_variant(id)))
}

/// A way in which a product's variants differ, such as colour.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct ProductOption {
    /// Its name.
    name: String,
    /// The values there are.
    values: Vec<String>,
}

#[Object]
impl Product {
    /// Its id.
    pub(crate) async fn id(&self) -> ID {
        global(&self.product_id())
    }

    /// Its title.
    async fn title(&self) -> &str {
        self.get().title()
    }

    /// Its description.
    async fn description(&self) -> &str {
        self.get().description()
    }

    /// The ways in which its variants differ.
    async fn options(&self) -> Vec<ProductOption> {
        let option =
            |choice: &Choice| ProductOption { name: choice.name.clone(), values: choice.values.clone() };
        self.get().options().iter().map(option).collect()
    }

    /// The categories it is in.
    async fn categories(&self) -> &[String] {
        self.get().categories()
    }

    /// Its attributes.
    async fn attributes(&self) -> Vec<Attribute> {
        attributes(self.get().attributes())
    }

    /// Its variants.
    #[graphql(complexity = "5 * child_complexity")]
    async fn variants(&self) -> Vec<ProductVariant> {
        let variant = |index| ProductVariant { product: self.clone(), index };
        (0..self.get().variants().len()).map(variant).collect()
    }

    /// Whether it is for sale.
    async fn published(&self) -> bool {
        self.get().is_published()
    }

    /// When it was drawn up; nothing right after a mutation.
    async fn created_at(&self) -> Option<Timestamp> {
        match self {
            Self::Decided(_) => None,
            Self::Read(row) => Some(row.created_at),
        }
    }
}

/// A variant of a product: what is stocked, priced and sold.
#[derive(Debug, Clone)]
pub(crate) struct ProductVariant {
    product: Product,
    index: usize,
}

impl ProductVariant {
    fn variant(&self) -> &Variant {
        &self.product.get().variants()[self.index]
    }

    async fn levels(&self, ctx: &Context<'_>) -> Result<Vec<StockLevel>, ApiError> {
        let reads = reads::linked(ctx, &["stock"]).await?;
        let levels = reads.load.stock.get(self.variant().variant_id).await?;
        Ok(levels.iter().flat_map(|levels| levels.iter()).map(StockLevel::from).collect())
    }
}

#[Object]
impl ProductVariant {
    /// Its id: what goes into a cart.
    pub(crate) async fn id(&self) -> ID {
        global(&VariantRef { product_id: self.product.product_id(), variant_id: self.variant().variant_id })
    }

    /// Its sku.
    async fn sku(&self) -> &str {
        self.variant().sku.as_str()
    }

    /// The value it has for each of the product's options.
    async fn options(&self) -> Vec<Attribute> {
        attributes(&self.variant().options)
    }

    /// Its price in each currency it is sold in, without tax.
    async fn prices(&self) -> Vec<MoneyV2> {
        self.variant().prices.iter().copied().map(MoneyV2::from).collect()
    }

    /// Its price in one currency, without tax; nothing when it is not sold in it.
    async fn price(&self, currency_code: CurrencyCode) -> Option<MoneyV2> {
        let currency: Currency = currency_code.0;
        self.variant().price_in(currency).map(MoneyV2::from)
    }

    /// How many units can be sold, all locations together, as of a moment ago.
    async fn quantity_available(&self, ctx: &Context<'_>) -> Result<i64, ApiError> {
        Ok(self.levels(ctx).await?.iter().map(StockLevel::available_units).sum())
    }

    /// Its stock at each location, for the shop's own people.
    #[graphql(complexity = "3 * child_complexity")]
    async fn stock(&self, ctx: &Context<'_>) -> Result<Vec<StockLevel>, ApiError> {
        if !request(ctx).identity.may(Permission::ManageStock) {
            return Err(ApiError::Forbidden);
        }
        self.levels(ctx).await
    }

    /// The product it is of.
    async fn product(&self) -> Product {
        self.product.clone()
    }
}
