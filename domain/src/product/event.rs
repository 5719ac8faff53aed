//! What can have happened to a product.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kernel::{Currency, Money, ProductId, Sku, VariantId, event_types};

/// A fact about a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the fields' meaning is their name; the catalogue says each event's")]
pub enum ProductEvent {
    Created {
        product_id: ProductId,
        title: String,
        description: String,
        options: Vec<ProductOption>,
    },
    Described {
        title: String,
        description: String,
    },
    Categorised {
        categories: Vec<String>,
    },
    AttributesSet {
        attributes: BTreeMap<String, String>,
    },
    VariantAdded {
        variant: Variant,
    },
    VariantRemoved {
        variant_id: VariantId,
    },
    PriceSet {
        variant_id: VariantId,
        price: Money,
        previous: Option<Money>,
    },
    PriceWithdrawn {
        variant_id: VariantId,
        #[schemars(with = "String")]
        currency: Currency,
    },
    Published {},
    Unpublished {},
}

/// A way in which a product's variants differ, such as colour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProductOption {
    /// Its name, such as `Colour`.
    pub name: String,
    /// The values there are.
    pub values: Vec<String>,
}

/// A variant: what is stocked, priced and sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Variant {
    /// The variant.
    pub variant_id: VariantId,
    /// Its sku.
    pub sku: Sku,
    /// The value it has for each of the product's options.
    pub options: BTreeMap<String, String>,
    /// Its price in each currency it is sold in, without tax; one at most per currency.
    pub prices: Vec<Money>,
}

impl Variant {
    /// Its price in this currency.
    pub fn price_in(&self, currency: Currency) -> Option<Money> {
        self.prices.iter().copied().find(|price| price.currency() == currency)
    }
}

event_types!(ProductEvent, "Product", {
    Created = "1": "a product was drawn up, not yet for sale",
    Described = "1": "its title and description became these",
    Categorised = "1": "it was put into these categories, and no others",
    AttributesSet = "1": "its attributes became these, and no others",
    VariantAdded = "1": "a variant was added",
    VariantRemoved = "1": "a variant is no longer offered",
    PriceSet = "1": "a variant's price in one currency became this",
    PriceWithdrawn = "1": "a variant is no longer sold in one currency",
    Published = "1": "it is for sale from now on",
    Unpublished = "1": "it is no longer for sale",
});
