//! The fixed prices and quote that sample events are made of.

use std::collections::BTreeMap;

use super::{PricedVariant, Quote, QuotedLine, ShippingQuote};
use crate::kernel::{
    CodeError, CountryCode, Currency, LineId, Money, ProductId, Sealed, ShippingMethod, Sku, SubjectId,
    VariantId, sample,
};

/// The samples' currency.
pub(crate) const CURRENCY: Currency = Currency::GBP;

/// A sealed value of the samples' subject.
pub(crate) fn sealed(data: &str) -> Sealed {
    Sealed { subject: SubjectId::new(sample::id(0x81)), data: data.to_owned() }
}

/// Where the samples are delivered to.
pub(crate) fn country() -> Result<CountryCode, CodeError> {
    CountryCode::try_new("GB")
}

/// A variant at 12.50.
pub(crate) fn priced_variant() -> Result<PricedVariant, CodeError> {
    Ok(PricedVariant {
        product_id: ProductId::new(sample::id(0x10)),
        variant_id: VariantId::new(sample::id(0x11)),
        sku: Sku::try_new("MUG-RED")?,
        title: "Mug, red".to_owned(),
        unit_price: Money::new(1_250, CURRENCY),
        honoured_until: sample::moment(3_600),
    })
}

/// Shipping at 3.90.
pub(crate) fn shipping() -> Result<ShippingQuote, CodeError> {
    Ok(ShippingQuote { method: ShippingMethod::try_new("standard")?, price: Money::new(390, CURRENCY) })
}

/// Two mugs shipped: written out, because a golden file must not change with the tax table.
pub(crate) fn quote() -> Result<Quote, CodeError> {
    let item = priced_variant()?;
    let money = |minor| Money::new(minor, CURRENCY);
    Ok(Quote {
        lines: vec![QuotedLine {
            line_id: LineId::new(sample::id(0x61)),
            product_id: item.product_id,
            variant_id: item.variant_id,
            sku: item.sku,
            title: item.title,
            attributes: BTreeMap::new(),
            quantity: sample::quantity(2),
            unit_price: item.unit_price,
            net: money(2_500),
            tax: money(500),
            gross: money(3_000),
        }],
        shipping: shipping()?,
        country: country()?,
        tax_rate: 2_000,
        shipping_tax: money(78),
        net: money(2_500),
        tax: money(578),
        total: money(3_468),
        expires_at: item.honoured_until,
    })
}
