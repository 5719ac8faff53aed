//! What shoppers do with carts.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, Object};
use daybook_commands::use_cases::{self, NewCart, Submission};
use daybook_domain::cart::Cart as Aggregate;
use daybook_domain::{CartId, LineId, OrderId, ShippingMethod};

use super::Cart;
use super::input::{
    CartCreateInput, CartDeliverySetInput, CartLineInput, CartLineUpdateInput, CartSubmitInput, parse_lines,
};
use crate::auth::Permission;
use crate::graphql::context::request;
use crate::graphql::error::ApiError;
use crate::graphql::id::{IdOf, global};
use crate::graphql::input::parse_money;
use crate::graphql::order::{Order, order_of};
use crate::graphql::payload::{Mutated, UserError, invalid, mutate, payload};
use crate::graphql::scalar::Position;

payload! {
    /// A cart that was taken.
    CartCreatePayload {
        /// The cart.
        cart: Cart
    } from Arc<Aggregate>;
    /// A cart with more in it.
    CartLinesAddPayload {
        /// The cart.
        cart: Cart
    } from Arc<Aggregate>;
    /// A cart with other quantities.
    CartLinesUpdatePayload {
        /// The cart.
        cart: Cart
    } from Arc<Aggregate>;
    /// A cart with less in it.
    CartLinesRemovePayload {
        /// The cart.
        cart: Cart
    } from Arc<Aggregate>;
    /// A cart that is to be delivered somewhere.
    CartDeliverySetPayload {
        /// The cart.
        cart: Cart
    } from Arc<Aggregate>;
    /// A cart with a way of shipping.
    CartShippingSetPayload {
        /// The cart.
        cart: Cart
    } from Arc<Aggregate>;
    /// A cart at today's prices.
    CartRepricePayload {
        /// The cart.
        cart: Cart
    } from Arc<Aggregate>;
    /// A cart with another's lines.
    CartMergePayload {
        /// The cart.
        cart: Cart
    } from Arc<Aggregate>;
}

/// A cart that was bought.
#[derive(async_graphql::SimpleObject)]
#[graphql(complex)]
pub(crate) struct CartSubmitPayload {
    /// The order it becomes.
    order_id: Option<async_graphql::ID>,
    /// The cart.
    cart: Option<Cart>,
    /// Why nothing was done; empty when it was.
    user_errors: Vec<UserError>,
    /// The position the mutation reached: give it to a query as `after` to read at least this.
    position: Option<Position>,
    /// Whether this had been done before under the same idempotency key, and this is its repetition.
    replayed: bool,
}

#[ComplexObject]
impl CartSubmitPayload {
    /// The order it becomes: nothing until it is placed, which `orderUpdated` tells.
    async fn order(&self, ctx: &Context<'_>) -> Result<Option<Order>, ApiError> {
        order_of(ctx, self.order_id.as_ref()).await
    }
}

impl From<Mutated<(OrderId, Arc<Aggregate>)>> for CartSubmitPayload {
    fn from(mutated: Mutated<(OrderId, Arc<Aggregate>)>) -> Self {
        let Mutated { value, user_errors, position, replayed } = mutated;
        let (order_id, cart) = value.unzip();
        Self {
            order_id: order_id.as_ref().map(global),
            cart: cart.map(Cart::from),
            user_errors,
            position,
            replayed,
        }
    }
}

/// The mutations of carts.
#[derive(Default)]
pub(crate) struct CartMutation;

#[Object]
impl CartMutation {
    /// Takes a cart, for the customer who asks or for a guest.
    async fn cart_create(
        &self,
        ctx: &Context<'_>,
        input: CartCreateInput,
    ) -> Result<Option<CartCreatePayload>, ApiError> {
        let customer_id = request(ctx).identity.customer_id();
        let mutated = mutate(ctx, Permission::Shop, async |shop, context| {
            let lines = parse_lines(input.lines)?;
            let new = NewCart { customer_id, currency: input.currency_code.0, lines };
            Ok(use_cases::create_cart(shop, &context, new).await?.map(|(_, cart)| cart))
        });
        Ok(Some(mutated.await?.into()))
    }

    /// Puts lines into a cart at today's prices; a variant that is in it already gets more units.
    async fn cart_lines_add(
        &self,
        ctx: &Context<'_>,
        cart_id: IdOf<CartId>,
        lines: Vec<CartLineInput>,
    ) -> Result<Option<CartLinesAddPayload>, ApiError> {
        let scope = request(ctx).identity.scope();
        let mutated = mutate(ctx, Permission::Shop, async |shop, context| {
            use_cases::add_lines(shop, &context, scope, cart_id.0, parse_lines(lines)?).await
        });
        Ok(Some(mutated.await?.into()))
    }

    /// Gives lines of a cart other quantities.
    async fn cart_lines_update(
        &self,
        ctx: &Context<'_>,
        cart_id: IdOf<CartId>,
        lines: Vec<CartLineUpdateInput>,
    ) -> Result<Option<CartLinesUpdatePayload>, ApiError> {
        let scope = request(ctx).identity.scope();
        let mutated = mutate(ctx, Permission::Shop, async |shop, context| {
            let change = |(index, line): (usize, CartLineUpdateInput)| line.parse(index);
            let changes = lines.into_iter().enumerate().map(change).collect::<Result<_, _>>()?;
            use_cases::change_lines(shop, &context, scope, cart_id.0, changes).await
        });
        Ok(Some(mutated.await?.into()))
    }

    /// Takes lines out of a cart.
    async fn cart_lines_remove(
        &self,
        ctx: &Context<'_>,
        cart_id: IdOf<CartId>,
        line_ids: Vec<IdOf<LineId>>,
    ) -> Result<Option<CartLinesRemovePayload>, ApiError> {
        let scope = request(ctx).identity.scope();
        let mutated = mutate(ctx, Permission::Shop, async |shop, context| {
            let lines = line_ids.into_iter().map(|id| id.0).collect();
            use_cases::remove_lines(shop, &context, scope, cart_id.0, lines).await
        });
        Ok(Some(mutated.await?.into()))
    }

    /// Says who and where to deliver a cart to. Both are sealed before anything is stored.
    async fn cart_delivery_set(
        &self,
        ctx: &Context<'_>,
        input: CartDeliverySetInput,
    ) -> Result<Option<CartDeliverySetPayload>, ApiError> {
        let scope = request(ctx).identity.scope();
        let mutated = mutate(ctx, Permission::Shop, async |shop, context| {
            let cart_id = input.cart_id.0;
            use_cases::set_delivery(shop, &context, scope, cart_id, input.parse()).await
        });
        Ok(Some(mutated.await?.into()))
    }

    /// Chooses a way of shipping, such as `standard` or `express`, at its price for the country delivered to.
    async fn cart_shipping_set(
        &self,
        ctx: &Context<'_>,
        cart_id: IdOf<CartId>,
        shipping_method: String,
    ) -> Result<Option<CartShippingSetPayload>, ApiError> {
        let scope = request(ctx).identity.scope();
        let mutated = mutate(ctx, Permission::Shop, async |shop, context| {
            let method = ShippingMethod::try_new(shipping_method)
                .map_err(|error| invalid("SHIPPING_METHOD_INVALID", error, &["shippingMethod"]))?;
            use_cases::choose_shipping(shop, &context, scope, cart_id.0, method).await
        });
        Ok(Some(mutated.await?.into()))
    }

    /// Gives a cart today's prices, such as when its quote has run out.
    async fn cart_reprice(
        &self,
        ctx: &Context<'_>,
        cart_id: IdOf<CartId>,
    ) -> Result<Option<CartRepricePayload>, ApiError> {
        let scope = request(ctx).identity.scope();
        let mutated = mutate(ctx, Permission::Shop, async |shop, context| {
            use_cases::reprice_cart(shop, &context, scope, cart_id.0).await
        });
        Ok(Some(mutated.await?.into()))
    }

    /// Adds one cart's lines to another and closes it, as at sign-in.
    async fn cart_merge(
        &self,
        ctx: &Context<'_>,
        from_cart_id: IdOf<CartId>,
        into_cart_id: IdOf<CartId>,
    ) -> Result<Option<CartMergePayload>, ApiError> {
        let scope = request(ctx).identity.scope();
        let mutated = mutate(ctx, Permission::Shop, async |shop, context| {
            use_cases::merge_carts(shop, &context, scope, (from_cart_id.0, into_cart_id.0)).await
        });
        Ok(Some(mutated.await?.into()))
    }

    /// Buys a cart for the total that the shopper saw. Stock and payment follow by themselves: the order tells.
    async fn cart_submit(
        &self,
        ctx: &Context<'_>,
        input: CartSubmitInput,
    ) -> Result<Option<CartSubmitPayload>, ApiError> {
        let scope = request(ctx).identity.scope();
        let mutated = mutate(ctx, Permission::Shop, async |shop, context| {
            let expected_total = parse_money(&input.expected_total, &["input", "expectedTotal"])?;
            let CartSubmitInput { cart_id, payment_token, .. } = input;
            let submission = Submission { cart_id: cart_id.0, payment_token, expected_total };
            use_cases::submit_cart(shop, &context, scope, submission).await
        });
        Ok(Some(mutated.await?.into()))
    }
}
