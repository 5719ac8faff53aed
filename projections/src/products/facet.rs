//! Facets: what a product can be found by and counted under, each as one word of an array column.

use std::collections::BTreeSet;

use super::ProductRow;

/// What separates the parts of a facet's word; no title, name or value has it.
const SEPARATOR: char = '\u{1f}';

/// One facet of a product.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Facet {
    /// It is in this category.
    Category(String),
    /// It has this attribute with this value.
    Attribute {
        /// The attribute.
        name: String,
        /// Its value.
        value: String,
    },
    /// It has a variant with this value of this option.
    Option {
        /// The option.
        name: String,
        /// Its value.
        value: String,
    },
}

impl Facet {
    /// Its word.
    pub(crate) fn word(&self) -> String {
        let word = match self {
            Self::Category(name) => format!("c{SEPARATOR}{name}"),
            Self::Attribute { name, value } => format!("a{SEPARATOR}{name}{SEPARATOR}{value}"),
            Self::Option { name, value } => format!("o{SEPARATOR}{name}{SEPARATOR}{value}"),
        };
        // A column of words has one to a line.
        word.replace('\n', " ")
    }

    /// The facet of a word.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        let (kind, rest) = word.split_once(SEPARATOR)?;
        let pair = || rest.split_once(SEPARATOR).map(|(name, value)| (name.to_owned(), value.to_owned()));
        match kind {
            "c" => Some(Self::Category(rest.to_owned())),
            "a" => pair().map(|(name, value)| Self::Attribute { name, value }),
            "o" => pair().map(|(name, value)| Self::Option { name, value }),
            _ => None,
        }
    }

    /// All facets of a product.
    pub fn of(row: &ProductRow) -> BTreeSet<Self> {
        let product = &row.product;
        let pair = |(name, value): (&String, &String)| (name.clone(), value.clone());
        let categories = product.categories().iter().cloned().map(Self::Category);
        let attributes = product.attributes().iter().map(pair);
        let options = product.variants().iter().flat_map(|variant| variant.options.iter().map(pair));
        categories
            .chain(attributes.map(|(name, value)| Self::Attribute { name, value }))
            .chain(options.map(|(name, value)| Self::Option { name, value }))
            .collect()
    }

    /// The words of all facets of a product.
    pub(crate) fn words(row: &ProductRow) -> Vec<String> {
        Self::of(row).iter().map(Self::word).collect()
    }
}

/// How many of the products that match have a facet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FacetCount {
    /// The facet.
    pub facet: Facet,
    /// How many products.
    pub count: u64,
}
