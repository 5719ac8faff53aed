//! Buying a cart: nobody is charged a total they did not see.

use super::decide::{Decision, check_price};
use super::{Cart, CartEvent, CartRefusal, CartStatus, lines};
use crate::kernel::{Money, OrderId, Timestamp, already, check_line, happened, refuse};
use crate::payment::MAX_PAYMENT_TOKEN;
use crate::pricing::{PricedVariant, Quote, ShippingOffer};

impl Cart {
    pub(super) fn submit(
        &self,
        order_id: OrderId,
        payment_token: String,
        expected_total: Money,
        quote: impl FnOnce() -> Result<Quote, CartRefusal>,
    ) -> Decision {
        if self.status == (CartStatus::Submitted { order_id }) {
            return already();
        }
        self.open()?;
        if self.given_up.contains(&order_id) {
            return refuse(CartRefusal::OrderIdUsed { order_id });
        }
        check_line("payment token", &payment_token, 1..=MAX_PAYMENT_TOKEN)?;
        let quote = quote()?;
        if quote.total != expected_total {
            return refuse(CartRefusal::TotalChanged { expected: expected_total, actual: quote.total });
        }
        let delivery = self.delivery.clone().ok_or(CartRefusal::DeliveryNotSet)?;
        happened(CartEvent::Submitted {
            order_id,
            contact: delivery.contact,
            address: delivery.address,
            quote,
            payment_token,
        })
    }

    /// The quote that holds at `at`: the shopper's own, or after its end today's when the total is the same.
    pub(super) fn quote_at(
        &self,
        at: Timestamp,
        current: &[PricedVariant],
        current_shipping: Option<&ShippingOffer>,
    ) -> Result<Quote, CartRefusal> {
        let quote = self.quote()?;
        if !quote.has_expired(at) {
            return Ok(quote);
        }
        let today = self.at_prices(current, current_shipping)?.quote()?;
        if today.total == quote.total {
            return Ok(today);
        }
        Err(CartRefusal::QuoteExpired { old_total: quote.total, new_total: today.total })
    }

    /// The cart as it is at these prices. Every line must have one, and the shipping when one is chosen.
    pub(super) fn at_prices(
        &self,
        prices: &[PricedVariant],
        shipping: Option<&ShippingOffer>,
    ) -> Result<Self, CartRefusal> {
        let currency = self.terms.as_ref().ok_or(CartRefusal::NotFound)?.currency;
        for line in &self.lines {
            let Some(price) = lines::price_of(prices, line.item.variant_id) else {
                let (line_id, sku) = (line.line_id, line.item.sku.clone());
                return Err(CartRefusal::LineUnavailable { line_id, sku });
            };
            check_price(currency, price.unit_price)?;
        }
        let mut repriced = self.clone();
        lines::reprice(&mut repriced.lines, prices);
        if let Some(chosen) = &mut repriced.shipping {
            let offered = shipping.filter(|offer| offer.shipping.method == chosen.method);
            let unavailable = || CartRefusal::ShippingUnavailable { method: chosen.method.clone() };
            let offered = offered.ok_or_else(unavailable)?;
            self.check_country(offered)?;
            check_price(currency, offered.shipping.price)?;
            *chosen = offered.shipping.clone();
        }
        Ok(repriced)
    }

    pub(super) fn reopen(&self, order_id: OrderId) -> Decision {
        if self.terms.is_none() {
            return refuse(CartRefusal::NotFound);
        }
        if self.given_up.contains(&order_id) {
            return already();
        }
        if self.status == (CartStatus::Submitted { order_id }) {
            return happened(CartEvent::Reopened { order_id });
        }
        refuse(CartRefusal::NotSubmittedAs { order_id })
    }
}
