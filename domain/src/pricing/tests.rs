//! What a quote promises, whatever is in it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{
    PricedLine, PricedVariant, Quote, QuoteError, ShippingQuote, TaxTreatment, samples, shipping_rate,
    standard_rate,
};
use crate::kernel::{
    CountryCode, Currency, LineId, Money, MoneyError, Quantity, ShippingMethod, VariantId, sample,
};

fn gbp(minor: i64) -> Money {
    Money::new(minor, Currency::GBP)
}

fn country(code: &str) -> CountryCode {
    CountryCode::try_new(code).expect("country")
}

fn variant(number: u16, price: Money) -> PricedVariant {
    let variant_id = VariantId::new(sample::id(number));
    PricedVariant { variant_id, unit_price: price, ..samples::priced_variant().expect("sample") }
}

fn shipping(minor: i64) -> ShippingQuote {
    ShippingQuote { price: gbp(minor), ..samples::shipping().expect("sample") }
}

/// The quote of these (price, quantity) lines, each of its own variant, shipped to `to`.
fn quote(
    lines: &[(i64, i64)],
    shipping_price: i64,
    to: &str,
    tax: TaxTreatment,
) -> Result<Quote, QuoteError> {
    let none = BTreeMap::new();
    let items: Vec<_> = (0..).zip(lines).map(|(number, (price, _))| variant(number, gbp(*price))).collect();
    let lines: Vec<_> = (0..)
        .zip(items.iter().zip(lines))
        .map(|(number, (item, (_, count)))| PricedLine {
            line_id: LineId::new(sample::id(number)),
            item,
            quantity: sample::quantity(*count),
            attributes: &none,
        })
        .collect();
    Quote::compute(&lines, shipping(shipping_price), country(to), tax)
}

#[test]
fn tax_is_rounded_once_per_line_and_shipping_is_taxed_too() {
    let quote = quote(&[(333, 3), (1, 1)], 390, "GB", TaxTreatment::Standard).expect("quote");
    assert_eq!(quote.lines[0].net, gbp(999));
    assert_eq!(quote.lines[0].tax, gbp(200));
    assert_eq!(quote.lines[0].gross, gbp(1_199));
    assert_eq!(quote.lines[1].tax, gbp(0));
    assert_eq!((quote.net, quote.shipping_tax, quote.tax), (gbp(1_000), gbp(78), gbp(278)));
    assert_eq!(quote.total, gbp(1_668));
    assert_eq!(quote.tax_rate, 2_000);
}

#[test]
fn an_exempt_cart_and_an_export_carry_no_tax() {
    for (to, treatment) in [("GB", TaxTreatment::Exempt), ("JP", TaxTreatment::Standard)] {
        let quote = quote(&[(1_000, 2)], 390, to, treatment).expect("quote");
        assert_eq!((quote.tax, quote.total), (gbp(0), gbp(2_390)));
    }
}

#[test]
fn a_quote_holds_as_long_as_its_shortest_lived_price() {
    let none = BTreeMap::new();
    let brief = PricedVariant { honoured_until: sample::moment(60), ..variant(1, gbp(1)) };
    let long = PricedVariant { honoured_until: sample::moment(3_600), ..variant(2, gbp(1)) };
    let line =
        |item| PricedLine { line_id: LineId::default(), item, quantity: Quantity::ONE, attributes: &none };
    let quote =
        Quote::compute(&[line(&long), line(&brief)], shipping(0), country("GB"), TaxTreatment::Exempt)
            .expect("quote");
    assert_eq!(quote.expires_at, sample::moment(60));
    assert!(!quote.has_expired(sample::moment(59)));
    assert!(quote.has_expired(sample::moment(60)));
}

#[test]
fn nothing_has_no_quote() {
    assert_eq!(quote(&[], 390, "GB", TaxTreatment::Standard), Err(QuoteError::NoLines));
}

#[test]
fn a_total_that_does_not_fit_is_refused() {
    let refused = Err(QuoteError::Money(MoneyError::OutOfRange));
    assert_eq!(quote(&[(i64::MAX, 2)], 0, "GB", TaxTreatment::Exempt), refused);
    assert_eq!(quote(&[(i64::MAX, 1), (1, 1)], 0, "GB", TaxTreatment::Exempt), refused);
    assert_eq!(quote(&[(i64::MAX, 1)], 1, "GB", TaxTreatment::Exempt), refused);
}

#[test]
fn demand_is_summed_per_variant() {
    let mut quote = quote(&[(100, 2), (100, 3), (100, 4)], 0, "GB", TaxTreatment::Exempt).expect("quote");
    quote.lines[2].variant_id = quote.lines[0].variant_id;
    let (first, second) = (quote.lines[0].variant_id, quote.lines[1].variant_id);
    assert_eq!(quote.demand(), [(first, sample::quantity(6)), (second, sample::quantity(3))]);
}

#[test]
fn shipping_costs_more_across_a_border_and_not_everything_is_offered() {
    let rate = |method: &str, to: &str, currency| {
        let method = ShippingMethod::try_new(method).expect("method");
        shipping_rate(&method, &country(to), currency).map(|quote| quote.price.minor())
    };
    assert_eq!(rate("standard", "GB", Currency::GBP), Some(390));
    assert_eq!(rate("standard", "FR", Currency::GBP), Some(890));
    assert_eq!(rate("express", "AT", Currency::EUR), Some(1_290));
    assert_eq!(rate("drone", "GB", Currency::GBP), None);
    assert_eq!(rate("standard", "JP", Currency::JPY), None);
}

#[test]
fn tax_is_the_rate_of_the_country_delivered_to() {
    assert_eq!(standard_rate(&country("DE")), 1_900);
    assert_eq!(standard_rate(&country("FI")), 2_550);
    assert_eq!(standard_rate(&country("JP")), 0);
}

#[test]
fn tax_treatments_are_stored_by_these_names() {
    let names =
        [TaxTreatment::Standard, TaxTreatment::Exempt].map(|one| serde_json::to_string(&one).expect("json"));
    assert_eq!(names, [r#""standard""#, r#""exempt""#]);
}

proptest! {
    #[test]
    fn every_quote_adds_up(
        lines in prop::collection::vec((0..10_000_000_i64, 1..=i64::from(Quantity::MAX)), 1..30),
        price in 0..100_000_i64,
        to in prop::sample::select(vec!["GB", "DE", "FI", "CH", "JP"]),
    ) {
        let quote = quote(&lines, price, to, TaxTreatment::Standard).expect("quote");
        let sum = |of: fn(&super::QuotedLine) -> Money| Money::sum(Currency::GBP, quote.lines.iter().map(of));
        let goods = sum(|line| line.gross).expect("sum");
        let whole = goods.checked_add(quote.shipping.price).and_then(|sum| sum.checked_add(quote.shipping_tax));
        prop_assert_eq!(Ok(quote.total), whole);
        prop_assert_eq!(Ok(quote.net), sum(|line| line.net));
        prop_assert_eq!(Ok(quote.tax), sum(|line| line.tax).expect("sum").checked_add(quote.shipping_tax));
        for line in &quote.lines {
            prop_assert_eq!(Ok(line.gross), line.net.checked_add(line.tax));
            prop_assert_eq!(Ok(line.net), line.unit_price.checked_mul(line.quantity.count()));
        }
    }

    #[test]
    fn no_prices_make_it_panic(
        lines in prop::collection::vec((any::<i64>(), 1..=i64::from(Quantity::MAX)), 0..10),
        price in any::<i64>(),
    ) {
        let exact: i128 = lines.iter().map(|(price, count)| i128::from(*price) * i128::from(*count)).sum();
        if let Ok(quote) = quote(&lines, price, "JP", TaxTreatment::Standard) {
            prop_assert_eq!(i128::from(quote.total.minor()), exact + i128::from(price));
        }
    }
}
