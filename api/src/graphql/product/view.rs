//! Products as clients see them.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_graphql::{ID, Object, SimpleObject};
use daybook_commands::use_cases::VariantRef;
use daybook_domain::product::{ProductOption as Choice, Variant};
use daybook_domain::{Currency, ProductId};

use crate::graphql::id::global;
use crate::graphql::input::{Attribute, attributes};
use crate::graphql::money::MoneyV2;
use crate::graphql::scalar::CurrencyCode;

/// A product, from whichever side it was read.
#[derive(Debug, Clone)]
pub(crate) struct ProductView {
    pub(crate) id: ProductId,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) options: Vec<Choice>,
    pub(crate) categories: Vec<String>,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) variants: Vec<Variant>,
    pub(crate) published: bool,
}

/// A product: what is for sale, in which variants and at what prices.
#[derive(Debug, Clone)]
pub(crate) struct Product(pub(crate) Arc<ProductView>);

impl From<Arc<daybook_domain::product::Product>> for Product {
    fn from(product: Arc<daybook_domain::product::Product>) -> Self {
        Self(Arc::new(ProductView {
            id: product.product_id().unwrap_or_default(),
            title: product.title().to_owned(),
            description: product.description().to_owned(),
            options: product.options().to_vec(),
            categories: product.categories().to_vec(),
            attributes: product.attributes().clone(),
            variants: product.variants().to_vec(),
            published: product.is_published(),
        }))
    }
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
    async fn id(&self) -> ID {
        global(&self.0.id)
    }

    /// Its title.
    async fn title(&self) -> &str {
        &self.0.title
    }

    /// Its description.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// The ways in which its variants differ.
    async fn options(&self) -> Vec<ProductOption> {
        let option =
            |choice: &Choice| ProductOption { name: choice.name.clone(), values: choice.values.clone() };
        self.0.options.iter().map(option).collect()
    }

    /// The categories it is in.
    async fn categories(&self) -> &[String] {
        &self.0.categories
    }

    /// Its attributes.
    async fn attributes(&self) -> Vec<Attribute> {
        attributes(&self.0.attributes)
    }

    /// Its variants.
    async fn variants(&self) -> Vec<ProductVariant> {
        (0..self.0.variants.len()).map(|index| self.variant(index)).collect()
    }

    /// Whether it is for sale.
    async fn published(&self) -> bool {
        self.0.published
    }
}

impl Product {
    fn variant(&self, index: usize) -> ProductVariant {
        ProductVariant { product: Arc::clone(&self.0), index }
    }

    /// The variant with this id.
    pub(crate) fn find(&self, variant: VariantRef) -> Option<ProductVariant> {
        let index = self.0.variants.iter().position(|one| one.variant_id == variant.variant_id)?;
        Some(self.variant(index))
    }
}

/// A variant of a product: what is stocked, priced and sold.
#[derive(Debug, Clone)]
pub(crate) struct ProductVariant {
    product: Arc<ProductView>,
    index: usize,
}

impl ProductVariant {
    fn variant(&self) -> &Variant {
        &self.product.variants[self.index]
    }
}

#[Object]
impl ProductVariant {
    /// Its id: what goes into a cart.
    async fn id(&self) -> ID {
        global(&VariantRef { product_id: self.product.id, variant_id: self.variant().variant_id })
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
    async fn price(&self, #[graphql(name = "currency")] currency: CurrencyCode) -> Option<MoneyV2> {
        let currency: Currency = currency.0;
        self.variant().price_in(currency).map(MoneyV2::from)
    }

    /// The product it is of.
    async fn product(&self) -> Product {
        Product(Arc::clone(&self.product))
    }
}
