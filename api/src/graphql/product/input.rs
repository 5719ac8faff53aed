//! What products are drawn up from.

use async_graphql::InputObject;
use daybook_commands::use_cases::{NewProduct, NewVariant, UseCaseError};
use daybook_domain::Sku;
use daybook_domain::product::ProductOption;

use crate::graphql::input::{AttributeInput, parse_attributes, parse_money};
use crate::graphql::money::MoneyInput;
use crate::graphql::payload::invalid;

/// A way in which a product's variants differ, such as colour.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct ProductOptionInput {
    /// Its name.
    name: String,
    /// The values there are.
    values: Vec<String>,
}

/// A variant.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct ProductVariantInput {
    /// Its sku: 1 to 64 visible ASCII characters.
    sku: String,
    /// The value it has for each of the product's options.
    #[graphql(default)]
    options: Vec<AttributeInput>,
    /// Its price in each currency it is sold in, without tax.
    #[graphql(default)]
    prices: Vec<MoneyInput>,
}

impl ProductVariantInput {
    /// The variant, which stands at `at` in the input.
    pub(super) fn parse(self, at: &[&str]) -> Result<NewVariant, UseCaseError> {
        let field = |name| [at, &[name]].concat();
        let sku = Sku::try_new(self.sku).map_err(|error| invalid("SKU_INVALID", error, &field("sku")))?;
        let options = parse_attributes(self.options, &field("options"))?;
        let price = |given| parse_money(&given, &field("prices"));
        let prices = self.prices.into_iter().map(price).collect::<Result<_, _>>()?;
        Ok(NewVariant { sku, options, prices })
    }
}

/// A product.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct ProductCreateInput {
    /// Its title.
    title: String,
    /// Its description.
    #[graphql(default)]
    description: String,
    /// The ways in which its variants differ.
    #[graphql(default)]
    options: Vec<ProductOptionInput>,
    /// The categories it is in.
    #[graphql(default)]
    categories: Vec<String>,
    /// Its attributes.
    #[graphql(default)]
    attributes: Vec<AttributeInput>,
    /// Its first variants.
    #[graphql(default)]
    variants: Vec<ProductVariantInput>,
    /// Whether it is for sale at once.
    #[graphql(default)]
    published: bool,
}

impl ProductCreateInput {
    /// The product.
    pub(super) fn parse(self) -> Result<NewProduct, UseCaseError> {
        let option = |given: ProductOptionInput| ProductOption { name: given.name, values: given.values };
        let variant = |(index, given): (usize, ProductVariantInput)| {
            given.parse(&["input", "variants", &index.to_string()])
        };
        Ok(NewProduct {
            title: self.title,
            description: self.description,
            options: self.options.into_iter().map(option).collect(),
            categories: self.categories,
            attributes: parse_attributes(self.attributes, &["input", "attributes"])?,
            variants: self.variants.into_iter().enumerate().map(variant).collect::<Result<_, _>>()?,
            published: self.published,
        })
    }
}
