//! Tax by country: the standard rate of the country delivered to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kernel::CountryCode;

/// Whether a cart's prices have tax added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaxTreatment {
    /// The standard rate of the country delivered to.
    #[default]
    Standard,
    /// None, as for a business that accounts for it itself (reverse charge).
    Exempt,
}

impl TaxTreatment {
    /// The rate for a delivery to `country`, in basis points.
    pub fn rate(self, country: &CountryCode) -> u32 {
        match self {
            Self::Standard => standard_rate(country),
            Self::Exempt => 0,
        }
    }
}

/// Standard VAT rates in basis points, from the European Commission's "VAT rates applied in the Member
/// States" and gov.uk, as of 2025. A country that is not listed is exported to without tax.
const STANDARD_RATES: &[(&str, u32)] = &[
    ("AT", 2_000),
    ("BE", 2_100),
    ("BG", 2_000),
    ("CH", 810),
    ("CY", 1_900),
    ("CZ", 2_100),
    ("DE", 1_900),
    ("DK", 2_500),
    ("EE", 2_400),
    ("ES", 2_100),
    ("FI", 2_550),
    ("FR", 2_000),
    ("GB", 2_000),
    ("GR", 2_400),
    ("HR", 2_500),
    ("HU", 2_700),
    ("IE", 2_300),
    ("IT", 2_200),
    ("LT", 2_100),
    ("LU", 1_700),
    ("LV", 2_100),
    ("MT", 1_800),
    ("NL", 2_100),
    ("NO", 2_500),
    ("PL", 2_300),
    ("PT", 2_300),
    ("RO", 2_100),
    ("SE", 2_500),
    ("SI", 2_200),
    ("SK", 2_300),
];

/// The standard tax rate of `country`, in basis points; nothing for a country that is not in the table.
pub fn standard_rate(country: &CountryCode) -> u32 {
    STANDARD_RATES.iter().find(|(code, _)| *code == country.as_str()).map_or(0, |(_, rate)| *rate)
}
