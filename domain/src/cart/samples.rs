//! One event of each kind, always the same: for golden files and the event catalogue.

use std::collections::BTreeMap;

use super::{CartEvent, CartLine};
use crate::kernel::{CartId, CodeError, CustomerId, LineId, OrderId, Quantity, sample};
use crate::pricing::{TaxTreatment, samples as pricing};

/// One or more events of every type.
pub fn samples() -> Vec<CartEvent> {
    build().unwrap_or_default()
}

fn build() -> Result<Vec<CartEvent>, CodeError> {
    let line_id = LineId::new(sample::id(0x61));
    let order_id = OrderId::new(sample::id(0x21));
    let (contact, address) = (pricing::sealed("Y29udGFjdA"), pricing::sealed("YWRkcmVzcw"));
    let line = |attributes| {
        Ok(CartLine { line_id, item: pricing::priced_variant()?, quantity: sample::quantity(2), attributes })
    };
    Ok(vec![
        CartEvent::Created {
            cart_id: CartId::new(sample::id(0x51)),
            customer_id: Some(CustomerId::new(sample::id(0x71))),
            currency: pricing::CURRENCY,
            tax: TaxTreatment::Standard,
        },
        CartEvent::LineAdded {
            line: line(BTreeMap::from([("engraving".to_owned(), "For Ada".to_owned())]))?,
        },
        CartEvent::LineQuantityChanged { line_id, quantity: Quantity::ONE },
        CartEvent::LineRemoved { line_id },
        CartEvent::DeliverySet {
            contact: contact.clone(),
            address: address.clone(),
            country: pricing::country()?,
        },
        CartEvent::ShippingChosen { shipping: pricing::shipping()? },
        CartEvent::Repriced {
            prices: vec![pricing::priced_variant()?],
            shipping: Some(pricing::shipping()?),
        },
        CartEvent::Merged { from: CartId::new(sample::id(0x52)), lines: vec![line(BTreeMap::new())?] },
        CartEvent::MergedInto { cart_id: CartId::new(sample::id(0x51)) },
        CartEvent::Submitted {
            order_id,
            contact,
            address,
            quote: pricing::quote()?,
            payment_token: "card_approved".to_owned(),
        },
        CartEvent::Reopened { order_id },
    ])
}
