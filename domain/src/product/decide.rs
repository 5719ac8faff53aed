//! What a product lets happen.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    MAX_DESCRIPTION, MAX_PRICE, MAX_TITLE, MAX_VARIANTS, Product, ProductCommand, ProductEvent,
    ProductOption, ProductRefusal, Variant,
};
use crate::kernel::{
    self, Currency, Money, ProductId, VariantId, already, check_line, check_prose, happened, refuse,
};

type Decision = kernel::Decision<ProductEvent, ProductRefusal>;
type Check = Result<(), ProductRefusal>;

const MAX_OPTIONS: usize = 10;
const MAX_OPTION_VALUES: usize = 100;
const MAX_CATEGORIES: usize = 50;
const MAX_ATTRIBUTES: usize = 100;
const MAX_PRICES: usize = 50;
/// The most characters of an option, a value, a category or an attribute's name.
const MAX_NAME: usize = 100;
/// The most characters of an attribute's value.
const MAX_ATTRIBUTE: usize = 1_000;

impl Product {
    /// What happens when `command` is asked of it.
    pub fn decide(&self, command: ProductCommand) -> Decision {
        match command {
            ProductCommand::Create { product_id, title, description, options } => {
                self.create(product_id, title, description, options)
            }
            _ if self.id.is_none() => refuse(ProductRefusal::NotFound),
            ProductCommand::Describe { title, description } => self.describe(title, description),
            ProductCommand::Categorise { categories } => self.categorise(categories),
            ProductCommand::SetAttributes { attributes } => self.set_attributes(attributes),
            ProductCommand::AddVariant { variant } => self.add_variant(variant),
            ProductCommand::RemoveVariant { variant_id } => self.remove_variant(variant_id),
            ProductCommand::SetPrice { variant_id, price } => self.set_price(variant_id, price),
            ProductCommand::WithdrawPrice { variant_id, currency } => {
                self.withdraw_price(variant_id, currency)
            }
            ProductCommand::Publish => self.publish(),
            ProductCommand::Unpublish => self.unpublish(),
        }
    }

    fn create(
        &self,
        id: ProductId,
        title: String,
        description: String,
        options: Vec<ProductOption>,
    ) -> Decision {
        check_description(&title, &description)?;
        check_options(&options)?;
        match self.id {
            None => happened(ProductEvent::Created { product_id: id, title, description, options }),
            Some(ours) => {
                let same = ours == id
                    && self.title == title
                    && self.description == description
                    && self.options == options;
                if same { already() } else { refuse(ProductRefusal::AlreadyExists) }
            }
        }
    }

    /// What is left out stays as it is.
    fn describe(&self, title: Option<String>, description: Option<String>) -> Decision {
        let title = title.unwrap_or_else(|| self.title.clone());
        let description = description.unwrap_or_else(|| self.description.clone());
        check_description(&title, &description)?;
        if self.title == title && self.description == description {
            return already();
        }
        happened(ProductEvent::Described { title, description })
    }

    /// A category named twice is one.
    fn categorise(&self, mut categories: Vec<String>) -> Decision {
        check_count("categories", MAX_CATEGORIES, categories.len())?;
        for category in &categories {
            check_line("category", category, 1..=MAX_NAME)?;
        }
        let mut seen = BTreeSet::new();
        categories.retain(|category| seen.insert(category.clone()));
        if self.categories == categories {
            return already();
        }
        happened(ProductEvent::Categorised { categories })
    }

    fn set_attributes(&self, attributes: BTreeMap<String, String>) -> Decision {
        check_count("attributes", MAX_ATTRIBUTES, attributes.len())?;
        for (name, value) in &attributes {
            check_line("attribute", name, 1..=MAX_NAME)?;
            check_line("attribute value", value, 0..=MAX_ATTRIBUTE)?;
        }
        if self.attributes == attributes {
            return already();
        }
        happened(ProductEvent::AttributesSet { attributes })
    }

    fn add_variant(&self, variant: Variant) -> Decision {
        match self.variant(variant.variant_id) {
            Some(ours) if *ours == variant => return already(),
            Some(_) => return refuse(ProductRefusal::VariantExists),
            None => {}
        }
        check_count("variants", MAX_VARIANTS, self.variants.len() + 1)?;
        self.check_variant_options(&variant)?;
        check_prices(&variant.prices)?;
        for other in &self.variants {
            if other.sku == variant.sku {
                return refuse(ProductRefusal::SkuTaken { sku: variant.sku });
            }
            if other.options == variant.options {
                return refuse(ProductRefusal::OptionsTaken { sku: other.sku.clone() });
            }
        }
        happened(ProductEvent::VariantAdded { variant })
    }

    /// A variant that is not there is as good as removed.
    fn remove_variant(&self, variant_id: VariantId) -> Decision {
        if self.variant(variant_id).is_none() {
            return already();
        }
        self.check_still_sold(|variant, _| variant.variant_id != variant_id)?;
        happened(ProductEvent::VariantRemoved { variant_id })
    }

    fn set_price(&self, variant_id: VariantId, price: Money) -> Decision {
        check_price(price)?;
        let variant = self.variant(variant_id).ok_or(ProductRefusal::VariantNotFound)?;
        let previous = variant.price_in(price.currency());
        if previous == Some(price) {
            return already();
        }
        if previous.is_none() {
            check_count("prices of a variant", MAX_PRICES, variant.prices.len() + 1)?;
        }
        happened(ProductEvent::PriceSet { variant_id, price, previous })
    }

    fn withdraw_price(&self, variant_id: VariantId, currency: Currency) -> Decision {
        let variant = self.variant(variant_id).ok_or(ProductRefusal::VariantNotFound)?;
        if variant.price_in(currency).is_none() {
            return already();
        }
        self.check_still_sold(|other, price| other.variant_id != variant_id || price.currency() != currency)?;
        happened(ProductEvent::PriceWithdrawn { variant_id, currency })
    }

    fn publish(&self) -> Decision {
        if self.published {
            return already();
        }
        if !self.is_sold(|_, _| true) {
            return refuse(ProductRefusal::NothingToSell);
        }
        happened(ProductEvent::Published {})
    }

    fn unpublish(&self) -> Decision {
        if self.published { happened(ProductEvent::Unpublished {}) } else { already() }
    }

    /// Whether one of the prices that `kept` keeps is there to be paid.
    fn is_sold(&self, kept: impl Fn(&Variant, &Money) -> bool) -> bool {
        self.variants.iter().any(|variant| variant.prices.iter().any(|price| kept(variant, price)))
    }

    fn check_still_sold(&self, kept: impl Fn(&Variant, &Money) -> bool) -> Check {
        if self.published && !self.is_sold(kept) { Err(ProductRefusal::NothingToSell) } else { Ok(()) }
    }

    fn check_variant_options(&self, variant: &Variant) -> Check {
        for option in &self.options {
            let name = || option.name.clone();
            let value = variant.options.get(&option.name);
            let value = value.ok_or_else(|| ProductRefusal::OptionMissing { option: name() })?;
            if !option.values.contains(value) {
                let value = value.chars().take(MAX_NAME).collect();
                return Err(ProductRefusal::OptionValueUnknown { option: name(), value });
            }
        }
        let unknown = variant.options.keys().find(|name| self.options.iter().all(|ours| ours.name != **name));
        match unknown {
            Some(name) => {
                Err(ProductRefusal::OptionUnknown { option: name.chars().take(MAX_NAME).collect() })
            }
            None => Ok(()),
        }
    }
}

fn check_description(title: &str, description: &str) -> Check {
    check_line("title", title, 1..=MAX_TITLE)?;
    check_prose("description", description, 0..=MAX_DESCRIPTION)?;
    Ok(())
}

fn check_options(options: &[ProductOption]) -> Check {
    check_count("options", MAX_OPTIONS, options.len())?;
    check_distinct("option", options.iter().map(|option| option.name.as_str()))?;
    for option in options {
        if option.values.is_empty() {
            return Err(ProductRefusal::OptionEmpty { option: option.name.clone() });
        }
        check_count("values of an option", MAX_OPTION_VALUES, option.values.len())?;
        check_distinct("option value", option.values.iter().map(String::as_str))?;
    }
    Ok(())
}

fn check_distinct<'a>(field: &'static str, texts: impl Iterator<Item = &'a str>) -> Check {
    let mut seen = BTreeSet::new();
    for text in texts {
        check_line(field, text, 1..=MAX_NAME)?;
        if !seen.insert(text) {
            return Err(ProductRefusal::OptionRepeated { text: text.to_owned() });
        }
    }
    Ok(())
}

fn check_prices(prices: &[Money]) -> Check {
    check_count("prices of a variant", MAX_PRICES, prices.len())?;
    let mut seen = BTreeSet::new();
    for price in prices {
        check_price(*price)?;
        let currency = price.currency().code();
        if !seen.insert(currency) {
            return Err(ProductRefusal::PriceRepeated { currency });
        }
    }
    Ok(())
}

fn check_price(price: Money) -> Check {
    if (0..=MAX_PRICE).contains(&price.minor()) { Ok(()) } else { Err(ProductRefusal::PriceOutOfRange) }
}

fn check_count(what: &'static str, max: usize, given: usize) -> Check {
    if given > max { Err(ProductRefusal::TooMany { what, max, given }) } else { Ok(()) }
}
