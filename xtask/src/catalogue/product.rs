//! A product of the demo catalogue, as the data file has it and as the API takes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::money;
use crate::failure::{During, Result};

/// A product of the catalogue.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// The categories it is in.
    pub categories: Vec<String>,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
    /// The ways in which its variants differ.
    pub options: Vec<Choice>,
    /// Its variants.
    pub variants: Vec<Variant>,
}

/// A way in which a product's variants differ.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Its name.
    pub name: String,
    /// The values there are.
    pub values: Vec<String>,
}

/// A variant, its prices without tax, and its opening stock.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Its sku.
    pub sku: String,
    /// Its value for each of the product's options, in their order.
    pub options: Vec<String>,
    gbp: String,
    eur: String,
    usd: String,
    london: u32,
    rotterdam: u32,
}

/// The products of a catalogue file.
pub(super) fn parse(file: &str) -> Result<Vec<Product>> {
    serde_json::from_str(file).during(|| "cannot understand the demo catalogue".into())
}

impl Product {
    /// What it is known by: its first sku, which never changes, where a title may.
    pub(super) fn key(&self) -> &str {
        self.variants.first().map_or(&self.title, |variant| &variant.sku)
    }

    /// The `ProductCreateInput`.
    pub(super) fn input(&self) -> Value {
        let variants: Vec<Value> = self.variants.iter().map(|variant| variant.input(&self.options)).collect();
        json!({
            "title": self.title,
            "description": self.description,
            "categories": self.categories,
            "attributes": pairs(&self.attributes),
            "options": self.options,
            "variants": variants,
            "published": true,
        })
    }
}

impl Variant {
    /// How many units there are at the start, by location.
    pub(super) fn stock(&self) -> [(&'static str, u32); 2] {
        [("LON", self.london), ("ROT", self.rotterdam)]
    }

    fn input(&self, choices: &[Choice]) -> Value {
        let options = choices.iter().map(|choice| &choice.name).zip(&self.options);
        json!({
            "sku": self.sku,
            "options": pairs(options),
            "prices": [money(&self.gbp, "GBP"), money(&self.eur, "EUR"), money(&self.usd, "USD")],
        })
    }
}

fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a String, &'a String)>) -> Vec<Value> {
    pairs.into_iter().map(|(key, value)| json!({ "key": key, "value": value })).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::api::minor_units;

    #[test]
    fn every_variant_has_a_sku_of_its_own_a_value_for_each_option_and_stock() {
        let products = crate::catalogue::products().expect("the catalogue");
        assert!(products.len() >= 20);
        let mut skus = BTreeSet::new();
        for product in &products {
            assert!(!product.variants.is_empty() && !product.categories.is_empty(), "{}", product.title);
            for variant in &product.variants {
                assert!(skus.insert(&variant.sku), "{}", variant.sku);
                assert_eq!(variant.options.len(), product.options.len(), "{}", variant.sku);
                for (choice, value) in product.options.iter().zip(&variant.options) {
                    assert!(choice.values.contains(value), "{}: {value}", variant.sku);
                }
                assert!(variant.stock().iter().all(|(_, quantity)| *quantity > 0), "{}", variant.sku);
            }
        }
    }

    #[test]
    fn every_variant_is_priced_in_three_currencies() {
        for product in crate::catalogue::products().expect("the catalogue") {
            for variant in product.input()["variants"].as_array().expect("variants") {
                let prices: Vec<_> =
                    variant["prices"].as_array().into_iter().flatten().filter_map(minor_units).collect();
                assert!(prices.len() == 3 && prices.iter().all(|price| *price > 0), "{variant}");
            }
        }
    }
}
