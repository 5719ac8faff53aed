//! From a filled cart to a submitted one: shipping, today's prices, and buying.

use std::sync::Arc;

use daybook_domain::cart::{Cart, CartCommand};
use daybook_domain::pricing::{PricedVariant, ShippingOffer, ShippingQuote, shipping_rate, shipping_rates};
use daybook_domain::{CartId, Money, OrderId, ShippingMethod, Timestamp};
use daybook_eventstore::{CommandContext, Unit};
use serde_json::json;

use super::cart::{find, on_cart};
use super::error::{Unavailable, UseCaseError};
use super::outcome::{Done, Scope, recorded};
use super::pricing::{self, VariantRef};
use crate::shop::Shop;

/// The ways of shipping that can be chosen for a cart: none before it is known where to deliver to.
pub fn shipping_offers(cart: &Cart) -> Vec<ShippingQuote> {
    match (cart.delivery(), cart.terms()) {
        (Some(delivery), Some(terms)) => shipping_rates(&delivery.country, terms.currency),
        (Some(_) | None, Some(_) | None) => Vec::new(),
    }
}

/// Chooses a way of shipping, at its price for the country delivered to.
///
/// # Errors
/// When the shop does not ship this way, nobody said where to, or it goes to another country by now.
pub async fn choose_shipping(
    shop: &Shop,
    context: &CommandContext,
    scope: Scope,
    cart_id: CartId,
    method: ShippingMethod,
) -> Result<Done<Arc<Cart>>, UseCaseError> {
    let chosen = on_cart(shop, context, (scope, cart_id), "{}", |_, cart| {
        Ok(vec![CartCommand::ChooseShipping { offer: offer(cart, &method)? }])
    });
    Ok(chosen.await?.map(|(_, cart)| cart))
}

/// Gives a cart today's prices.
///
/// # Errors
/// When something in it is not for sale any more.
pub async fn reprice_cart(
    shop: &Shop,
    context: &CommandContext,
    scope: Scope,
    cart_id: CartId,
) -> Result<Done<Arc<Cart>>, UseCaseError> {
    let cart = find(shop, scope, cart_id).await?;
    pricing::have_at_hand(shop, variants(&cart)).await?;
    let repriced = on_cart(shop, context, (scope, cart_id), "{}", |unit, cart| {
        let (prices, shipping) = today(shop, unit, cart, context.occurred_at)?;
        Ok(vec![CartCommand::Reprice { prices, shipping }])
    });
    Ok(repriced.await?.map(|(_, cart)| cart))
}

/// What a shopper buys a cart with.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The cart.
    pub cart_id: CartId,
    /// What the gateway knows the shopper's means of payment by.
    pub payment_token: String,
    /// The total the shopper saw.
    pub expected_total: Money,
}

#[derive(serde::Deserialize)]
struct Submitted {
    order_id: OrderId,
}

/// Buys a cart. Says which order it becomes.
///
/// # Errors
/// When the cart is not complete, its quote ran out, or the total is not what the shopper saw.
pub async fn submit_cart(
    shop: &Shop,
    context: &CommandContext,
    scope: Scope,
    submission: Submission,
) -> Result<Done<(OrderId, Arc<Cart>)>, UseCaseError> {
    let Submission { cart_id, payment_token, expected_total } = submission;
    let at = context.occurred_at;
    let has_expired = |cart: &Cart| cart.quote().is_ok_and(|quote| quote.has_expired(at));
    let cart = find(shop, scope, cart_id).await?;
    if has_expired(&cart) {
        pricing::have_at_hand(shop, variants(&cart)).await?;
    }
    let order_id = OrderId::generate(shop.ids.as_ref());
    let outcome = json!({ "order_id": order_id }).to_string();
    let submitted = on_cart(shop, context, (scope, cart_id), &outcome, |unit, cart| {
        // Today's prices count only once the quote has run out.
        let (current, current_shipping) =
            if has_expired(cart) { today(shop, unit, cart, at)? } else { (Vec::new(), None) };
        let payment_token = payment_token.clone();
        Ok(vec![CartCommand::Submit {
            order_id,
            payment_token,
            expected_total,
            current,
            current_shipping,
            at,
        }])
    });
    let Done { value: (outcome, cart), position, replayed } = submitted.await?;
    let Submitted { order_id } = recorded(&outcome)?;
    Ok(Done { value: (order_id, cart), position, replayed })
}

/// Today's prices of what is in a cart, as far as it is still for sale.
fn today(
    shop: &Shop,
    unit: &mut Unit<'_>,
    cart: &Cart,
    now: Timestamp,
) -> Result<(Vec<PricedVariant>, Option<ShippingOffer>), UseCaseError> {
    let Some(terms) = cart.terms() else { return Ok((Vec::new(), None)) };
    let prices = pricing::available_prices(shop, unit, variants(cart), (terms.currency, now))?;
    let shipping = cart.shipping().and_then(|chosen| offer(cart, &chosen.method).ok());
    Ok((prices, shipping))
}

fn variants(cart: &Cart) -> impl Iterator<Item = VariantRef> + Clone {
    let variant =
        |item: &PricedVariant| VariantRef { product_id: item.product_id, variant_id: item.variant_id };
    cart.lines().iter().map(move |line| variant(&line.item))
}

fn offer(cart: &Cart, method: &ShippingMethod) -> Result<ShippingOffer, UseCaseError> {
    let unavailable = || UseCaseError::refused(&Unavailable::Shipping).about(&["shippingMethod"]);
    let delivery = cart
        .delivery()
        .ok_or_else(|| UseCaseError::refused(&daybook_domain::cart::CartRefusal::DeliveryNotSet))?;
    let terms = cart.terms().ok_or_else(unavailable)?;
    let shipping = shipping_rate(method, &delivery.country, terms.currency).ok_or_else(unavailable)?;
    Ok(ShippingOffer { country: delivery.country.clone(), shipping })
}
