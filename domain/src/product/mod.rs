//! A product: what is for sale, in which variants and at what prices.
//!
//! What is for sale can be bought: a published product always has a variant with a price. It never knows
//! stock, and never another product: that no two products share a sku is not decided here.

mod command;
mod decide;
mod event;
mod refusal;
mod samples;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::kernel::{Currency, ProductId, VariantId, aggregate};

pub use command::ProductCommand;
pub use event::{ProductEvent, ProductOption, Variant};
pub use refusal::ProductRefusal;
pub use samples::samples;

/// The most characters of a title.
pub const MAX_TITLE: usize = 200;
/// The most characters of a description.
pub const MAX_DESCRIPTION: usize = 10_000;
/// The most variants.
pub const MAX_VARIANTS: usize = 250;
/// The highest price in minor units: a line of the largest quantity at this price still fits an `i64`.
pub const MAX_PRICE: i64 = 1_000_000_000_000;

/// What is for sale, in which variants and at what prices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    id: Option<ProductId>,
    title: String,
    description: String,
    options: Vec<ProductOption>,
    categories: Vec<String>,
    attributes: BTreeMap<String, String>,
    variants: Vec<Variant>,
    published: bool,
}

impl Product {
    /// Its id; nothing before it is created.
    pub fn product_id(&self) -> Option<ProductId> {
        self.id
    }

    /// Its title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Its description.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The ways in which its variants differ.
    pub fn options(&self) -> &[ProductOption] {
        &self.options
    }

    /// The categories it is in.
    pub fn categories(&self) -> &[String] {
        &self.categories
    }

    /// Its attributes.
    pub fn attributes(&self) -> &BTreeMap<String, String> {
        &self.attributes
    }

    /// Its variants, in the order they were added.
    pub fn variants(&self) -> &[Variant] {
        &self.variants
    }

    /// The variant with this id.
    pub fn variant(&self, variant_id: VariantId) -> Option<&Variant> {
        self.variants.iter().find(|variant| variant.variant_id == variant_id)
    }

    /// Whether it is for sale.
    pub fn is_published(&self) -> bool {
        self.published
    }

    fn evolve(&mut self, event: ProductEvent) {
        match event {
            ProductEvent::Created { product_id, title, description, options } => {
                self.id = Some(product_id);
                self.title = title;
                self.description = description;
                self.options = options;
            }
            ProductEvent::Described { title, description } => {
                self.title = title;
                self.description = description;
            }
            ProductEvent::Categorised { categories } => self.categories = categories,
            ProductEvent::AttributesSet { attributes } => self.attributes = attributes,
            ProductEvent::VariantAdded { variant } => self.variants.push(variant),
            ProductEvent::VariantRemoved { variant_id } => {
                self.variants.retain(|variant| variant.variant_id != variant_id);
            }
            ProductEvent::PriceSet { variant_id, price, .. } => {
                self.drop_price(variant_id, price.currency());
                if let Some(variant) = self.variant_mut(variant_id) {
                    variant.prices.push(price);
                }
            }
            ProductEvent::PriceWithdrawn { variant_id, currency } => self.drop_price(variant_id, currency),
            ProductEvent::Published {} => self.published = true,
            ProductEvent::Unpublished {} => self.published = false,
        }
    }

    fn drop_price(&mut self, variant_id: VariantId, currency: Currency) {
        if let Some(variant) = self.variant_mut(variant_id) {
            variant.prices.retain(|price| price.currency() != currency);
        }
    }

    fn variant_mut(&mut self, variant_id: VariantId) -> Option<&mut Variant> {
        self.variants.iter_mut().find(|variant| variant.variant_id == variant_id)
    }
}

aggregate!(Product, "Product", ProductCommand, ProductEvent, ProductRefusal);
