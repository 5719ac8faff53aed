//! Short codes that people type and see: each valid by construction.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The text does not have the form of the code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0}")]
pub struct CodeError(&'static str);

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident($what:literal, $valid:expr),)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(inline)]
        pub struct $name(String);

        impl $name {
            /// The code with this text.
            pub fn try_new(text: impl Into<String>) -> Result<Self, CodeError> {
                let text = text.into();
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) { Ok(Self(text)) } else { Err(CodeError($what)) }
            }

            /// Its text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = CodeError;
            fn from_str(text: &str) -> Result<Self, CodeError> {
                Self::try_new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = CodeError;
            fn try_from(text: String) -> Result<Self, CodeError> {
                Self::try_new(text)
            }
        }

        impl From<$name> for String {
            fn from(code: $name) -> Self {
                code.0
            }
        }
    )+};
}

codes! {
    /// The shop's own name for a variant, as printed on the shelf: 1 to 64 visible ASCII characters or inner spaces.
    Sku("sku", |text| (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
        && text.trim() == text),
    /// A place that holds stock: 1 to 16 of `A-Z`, `0-9` and `-`.
    LocationCode("location code", |text| (1..=16).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-')),
    /// A country, as two capital letters (ISO 3166-1 alpha-2).
    CountryCode("country code", |text| text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase())),
    /// A way of shipping that the shop offers: 1 to 32 of `a-z`, `0-9`, `-` and `_`.
    ShippingMethod("shipping method", |text| (1..=32).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')),
}
