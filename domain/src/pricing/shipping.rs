//! What shipping costs: a rate for each way of shipping and currency, higher across a border.

use super::ShippingQuote;
use crate::kernel::{CountryCode, Currency, Money, ShippingMethod};

/// (method, currency, domestic, abroad), in minor units without tax. The shop ships from these currencies' homes.
const RATES: &[(&str, Currency, i64, i64)] = &[
    ("standard", Currency::EUR, 490, 990),
    ("standard", Currency::GBP, 390, 890),
    ("standard", Currency::USD, 590, 1_490),
    ("express", Currency::EUR, 1_290, 2_490),
    ("express", Currency::GBP, 990, 2_290),
    ("express", Currency::USD, 1_490, 3_990),
];

/// The countries a parcel priced in a currency does not leave home for.
const HOME: &[(Currency, &[&str])] = &[
    (Currency::EUR, &["AT", "BE", "DE", "ES", "FI", "FR", "IE", "IT", "LU", "NL", "PT"]),
    (Currency::GBP, &["GB"]),
    (Currency::USD, &["US"]),
];

fn is_domestic(country: &CountryCode, currency: Currency) -> bool {
    HOME.iter().any(|(unit, countries)| *unit == currency && countries.contains(&country.as_str()))
}

/// Every way of shipping to `country` that is priced in `currency`.
pub fn shipping_rates(country: &CountryCode, currency: Currency) -> Vec<ShippingQuote> {
    let domestic = is_domestic(country, currency);
    let offered = RATES.iter().filter(|(_, unit, ..)| *unit == currency);
    let quote = |(name, _, home, abroad): &(&str, Currency, i64, i64)| {
        let price = Money::new(if domestic { *home } else { *abroad }, currency);
        Some(ShippingQuote { method: ShippingMethod::try_new(*name).ok()?, price })
    };
    offered.filter_map(quote).collect()
}

/// What `method` costs to `country` in `currency`; nothing when the shop does not offer it.
pub fn shipping_rate(
    method: &ShippingMethod,
    country: &CountryCode,
    currency: Currency,
) -> Option<ShippingQuote> {
    shipping_rates(country, currency).into_iter().find(|quote| quote.method == *method)
}
