//! What a cart lets happen while it is filled. Buying it is in `submit`.

use std::collections::BTreeMap;

use super::{
    Cart, CartCommand, CartEvent, CartLine, CartRefusal, CartStatus, CartTerms, MAX_ATTRIBUTES, MAX_LINES,
    lines,
};
use crate::kernel::{
    self, CartId, CountryCode, Currency, LineId, Money, Quantity, Sealed, VariantId, already, check_line,
    happened, refuse,
};
use crate::pricing::{PricedVariant, ShippingOffer};

pub(super) type Decision = kernel::Decision<CartEvent, CartRefusal>;

/// The longest name of an attribute.
const MAX_ATTRIBUTE_NAME: usize = 64;
/// The longest value of an attribute.
const MAX_ATTRIBUTE_VALUE: usize = 255;

impl Cart {
    /// What happens when `command` is asked of it.
    pub fn decide(&self, command: CartCommand) -> Decision {
        match command {
            CartCommand::Create { cart_id, customer_id, currency, tax } => {
                self.create(&CartTerms { cart_id, customer_id, currency, tax })
            }
            CartCommand::AddLine { line_id, item, quantity, attributes } => {
                self.add_line(CartLine { line_id, item, quantity, attributes })
            }
            CartCommand::ChangeQuantity { line_id, quantity } => self.change_quantity(line_id, quantity),
            CartCommand::RemoveLine { line_id } => self.remove_line(line_id),
            CartCommand::SetDelivery { contact, address, country } => {
                self.set_delivery(contact, address, country)
            }
            CartCommand::ChooseShipping { offer } => self.choose_shipping(offer),
            CartCommand::Reprice { prices, shipping } => self.reprice(&prices, shipping.as_ref()),
            CartCommand::Merge { from, lines } => self.merge(from, lines),
            CartCommand::CloseInto { cart_id } => self.close_into(cart_id),
            CartCommand::Submit {
                order_id,
                payment_token,
                expected_total,
                current,
                current_shipping,
                at,
            } => {
                let quote = || self.quote_at(at, &current, current_shipping.as_ref());
                self.submit(order_id, payment_token, expected_total, quote)
            }
            CartCommand::Reopen { order_id } => self.reopen(order_id),
        }
    }

    /// What it was created with, when it can be changed.
    pub(super) fn open(&self) -> Result<&CartTerms, CartRefusal> {
        let terms = self.terms.as_ref().ok_or(CartRefusal::NotFound)?;
        match self.status {
            CartStatus::Open => Ok(terms),
            CartStatus::Submitted { .. } | CartStatus::Merged { .. } => Err(CartRefusal::NotOpen),
        }
    }

    fn create(&self, terms: &CartTerms) -> Decision {
        match &self.terms {
            Some(existing) if existing == terms => already(),
            Some(_) => refuse(CartRefusal::AlreadyExists),
            None => {
                let CartTerms { cart_id, customer_id, currency, tax } = *terms;
                happened(CartEvent::Created { cart_id, customer_id, currency, tax })
            }
        }
    }

    fn add_line(&self, mut line: CartLine) -> Decision {
        let terms = self.open()?;
        check_new_line(terms.currency, &line)?;
        let mut after = self.lines.clone();
        add_checked(&mut after, &mut line)?;
        check_sizes(&after)?;
        happened(CartEvent::LineAdded { line })
    }

    fn change_quantity(&self, line_id: LineId, quantity: Quantity) -> Decision {
        self.open()?;
        let line = self.line(line_id)?;
        if line.quantity == quantity {
            return already();
        }
        let others = units_of(&self.lines, line.item.variant_id) - u64::from(line.quantity.get());
        check_units(others + u64::from(quantity.get()))?;
        happened(CartEvent::LineQuantityChanged { line_id, quantity })
    }

    fn remove_line(&self, line_id: LineId) -> Decision {
        self.open()?;
        self.line(line_id)?;
        happened(CartEvent::LineRemoved { line_id })
    }

    fn set_delivery(&self, contact: Sealed, address: Sealed, country: CountryCode) -> Decision {
        self.open()?;
        let same = self.delivery.as_ref().is_some_and(|delivery| {
            delivery.contact == contact && delivery.address == address && delivery.country == country
        });
        if same { already() } else { happened(CartEvent::DeliverySet { contact, address, country }) }
    }

    fn choose_shipping(&self, offer: ShippingOffer) -> Decision {
        let terms = self.open()?;
        check_price(terms.currency, offer.shipping.price)?;
        self.check_country(&offer)?;
        let ShippingOffer { shipping, .. } = offer;
        if self.shipping.as_ref() == Some(&shipping) {
            return already();
        }
        happened(CartEvent::ShippingChosen { shipping })
    }

    fn reprice(&self, prices: &[PricedVariant], shipping: Option<&ShippingOffer>) -> Decision {
        self.open()?;
        let repriced = self.at_prices(prices, shipping)?;
        if repriced.lines == self.lines && repriced.shipping == self.shipping {
            return already();
        }
        let mut used: Vec<PricedVariant> = Vec::new();
        for line in repriced.lines {
            if lines::price_of(&used, line.item.variant_id).is_none() {
                used.push(line.item);
            }
        }
        happened(CartEvent::Repriced { prices: used, shipping: repriced.shipping })
    }

    fn merge(&self, from: CartId, mut lines: Vec<CartLine>) -> Decision {
        let terms = self.open()?;
        if from == terms.cart_id {
            return refuse(CartRefusal::MergeIntoItself);
        }
        if self.merged.contains(&from) {
            return already();
        }
        let mut after = self.lines.clone();
        for line in &mut lines {
            check_new_line(terms.currency, line)?;
            add_checked(&mut after, line)?;
        }
        check_sizes(&after)?;
        happened(CartEvent::Merged { from, lines })
    }

    fn close_into(&self, cart_id: CartId) -> Decision {
        let terms = self.terms.as_ref().ok_or(CartRefusal::NotFound)?;
        if cart_id == terms.cart_id {
            return refuse(CartRefusal::MergeIntoItself);
        }
        match self.status {
            CartStatus::Open => happened(CartEvent::MergedInto { cart_id }),
            CartStatus::Merged { into } if into == cart_id => already(),
            CartStatus::Merged { .. } | CartStatus::Submitted { .. } => refuse(CartRefusal::NotOpen),
        }
    }

    /// An offer holds for the country it was priced for, which may be another by now.
    pub(super) fn check_country(&self, offer: &ShippingOffer) -> Result<(), CartRefusal> {
        let delivery = self.delivery.as_ref().ok_or(CartRefusal::DeliveryNotSet)?;
        if delivery.country == offer.country {
            return Ok(());
        }
        let (offered, country) = (offer.country.clone(), delivery.country.clone());
        Err(CartRefusal::ShippingForAnotherCountry { offered, country })
    }

    fn line(&self, line_id: LineId) -> Result<&CartLine, CartRefusal> {
        self.lines.iter().find(|line| line.line_id == line_id).ok_or(CartRefusal::LineNotFound { line_id })
    }
}

/// Adds `line`, which takes the id of the line it becomes a part of and the newer of the two prices.
fn add_checked(lines: &mut Vec<CartLine>, line: &mut CartLine) -> Result<(), CartRefusal> {
    match lines::same(lines, line.item.variant_id, &line.attributes) {
        Some(existing) => {
            line.line_id = existing.line_id;
            if existing.item.honoured_until > line.item.honoured_until {
                line.item = existing.item.clone();
            }
        }
        None if lines.iter().any(|other| other.line_id == line.line_id) => {
            return Err(CartRefusal::LineIdTaken { line_id: line.line_id });
        }
        None => {}
    }
    check_units(units_of(lines, line.item.variant_id) + u64::from(line.quantity.get()))?;
    lines::put(lines, line.clone());
    Ok(())
}

fn check_new_line(currency: Currency, line: &CartLine) -> Result<(), CartRefusal> {
    check_price(currency, line.item.unit_price)?;
    check_attributes(&line.attributes)
}

/// A price is the cart's currency and not below zero.
pub(super) fn check_price(cart: Currency, price: Money) -> Result<(), CartRefusal> {
    if price.currency() != cart {
        return Err(CartRefusal::CurrencyMismatch { cart, given: price.currency() });
    }
    if price.is_negative() { Err(CartRefusal::NegativePrice) } else { Ok(()) }
}

fn check_attributes(attributes: &BTreeMap<String, String>) -> Result<(), CartRefusal> {
    if attributes.len() > MAX_ATTRIBUTES {
        return Err(CartRefusal::TooManyAttributes { given: attributes.len() });
    }
    for (name, value) in attributes {
        check_line("attribute name", name, 1..=MAX_ATTRIBUTE_NAME)?;
        check_line("attribute value", value, 0..=MAX_ATTRIBUTE_VALUE)?;
    }
    Ok(())
}

fn check_sizes(lines: &[CartLine]) -> Result<(), CartRefusal> {
    if lines.len() > MAX_LINES { Err(CartRefusal::TooManyLines) } else { Ok(()) }
}

/// Units are counted per variant, over all its lines: that is what is taken from stock at once.
fn check_units(asked: u64) -> Result<(), CartRefusal> {
    if asked > u64::from(Quantity::MAX) { Err(CartRefusal::QuantityTooLarge { asked }) } else { Ok(()) }
}

fn units_of(lines: &[CartLine], variant_id: VariantId) -> u64 {
    let of_variant = lines.iter().filter(|line| line.item.variant_id == variant_id);
    of_variant.map(|line| u64::from(line.quantity.get())).sum()
}
