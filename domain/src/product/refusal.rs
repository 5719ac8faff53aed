//! Why a product says no.

use super::MAX_PRICE;
use crate::kernel::{Refusal, Sku, TextError};

/// A product's refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProductRefusal {
    /// It was never drawn up.
    #[error("there is no such product")]
    NotFound,
    /// It was drawn up with other content.
    #[error("the product was created with other content")]
    AlreadyExists,
    /// There is more of something than a product holds.
    #[error("a product has at most {max} {what}, not {given}")]
    TooMany {
        /// Of what, such as `variants`.
        what: &'static str,
        /// The most there may be.
        max: usize,
        /// How many there would be.
        given: usize,
    },
    /// An option without a choice.
    #[error("option {option} has no values")]
    OptionEmpty {
        /// The option.
        option: String,
    },
    /// Two options of one name, or one value twice.
    #[error("{text} is listed twice")]
    OptionRepeated {
        /// The name or value.
        text: String,
    },
    /// The variant lacks a value.
    #[error("the variant has no value for option {option}")]
    OptionMissing {
        /// The option.
        option: String,
    },
    /// The product has no such option.
    #[error("the product has no option {option}")]
    OptionUnknown {
        /// The option.
        option: String,
    },
    /// The option has no such value.
    #[error("option {option} has no value {value}")]
    OptionValueUnknown {
        /// The option.
        option: String,
        /// The value.
        value: String,
    },
    /// Another variant has the same values.
    #[error("variant {sku} has the same options")]
    OptionsTaken {
        /// The other variant.
        sku: Sku,
    },
    /// Another variant has the sku.
    #[error("sku {sku} is another variant's")]
    SkuTaken {
        /// The sku.
        sku: Sku,
    },
    /// The variant was added with other content.
    #[error("the variant was added with other content")]
    VariantExists,
    /// The product has no such variant.
    #[error("the product has no such variant")]
    VariantNotFound,
    /// Two prices in one currency.
    #[error("there are two prices in {currency}")]
    PriceRepeated {
        /// The currency's code.
        currency: &'static str,
    },
    /// The price is negative or absurd.
    #[error("a price is from 0 to {MAX_PRICE} minor units")]
    PriceOutOfRange,
    /// A product for sale that nobody could buy.
    #[error("a product for sale has a variant with a price")]
    NothingToSell,
    /// A text is too long or holds what it may not.
    #[error(transparent)]
    Text(#[from] TextError),
}

impl Refusal for ProductRefusal {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::TooMany { .. } => "TOO_MANY",
            Self::OptionEmpty { .. } => "OPTION_EMPTY",
            Self::OptionRepeated { .. } => "OPTION_REPEATED",
            Self::OptionMissing { .. } => "OPTION_MISSING",
            Self::OptionUnknown { .. } => "OPTION_UNKNOWN",
            Self::OptionValueUnknown { .. } => "OPTION_VALUE_UNKNOWN",
            Self::OptionsTaken { .. } => "OPTIONS_TAKEN",
            Self::SkuTaken { .. } => "SKU_TAKEN",
            Self::VariantExists => "VARIANT_EXISTS",
            Self::VariantNotFound => "VARIANT_NOT_FOUND",
            Self::PriceRepeated { .. } => "PRICE_REPEATED",
            Self::PriceOutOfRange => "PRICE_OUT_OF_RANGE",
            Self::NothingToSell => "NOTHING_TO_SELL",
            Self::Text(_) => "TEXT_INVALID",
        }
    }
}
