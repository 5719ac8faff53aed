//! What shoppers and the shop's people do with orders.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, ID, Object};
use daybook_commands::use_cases::{self, Cancelling};
use daybook_domain::OrderId;
use daybook_domain::order::{CancelReason, Order as Aggregate};

use super::status::OrderCancelReason;
use super::{Order, linked};
use crate::auth::Permission;
use crate::graphql::context::request;
use crate::graphql::error::ApiError;
use crate::graphql::id::{IdOf, global, key};
use crate::graphql::payload::{Mutated, mutate, payload};

payload! {
    /// An order that was called off.
    #[graphql(complex)]
    OrderCancelPayload {
        /// Which.
        order_id: ID
    } from ID;
}

#[ComplexObject]
impl OrderCancelPayload {
    /// The order, as it is now.
    async fn order(&self, ctx: &Context<'_>) -> Result<Option<Order>, ApiError> {
        order_of(ctx, self.order_id.as_ref()).await
    }
}

/// The order that a payload is about, no older than what the mutation reached.
pub(crate) async fn order_of(ctx: &Context<'_>, id: Option<&ID>) -> Result<Option<Order>, ApiError> {
    match id.and_then(|id| key(id)) {
        Some(id) => linked(ctx, id).await,
        None => Ok(None),
    }
}

/// The mutations of orders.
#[derive(Default)]
pub(crate) struct OrderMutation;

#[Object]
impl OrderMutation {
    /// Calls an order off. What is held for it is given back, and what was paid is paid back, by itself.
    ///
    /// Without a reason it is `STAFF` for the shop's people; a shopper's is always `CUSTOMER`. `staffNote` is theirs alone
    /// to give and to see.
    async fn order_cancel(
        &self,
        ctx: &Context<'_>,
        order_id: IdOf<OrderId>,
        reason: Option<OrderCancelReason>,
        staff_note: Option<String>,
    ) -> Result<Option<OrderCancelPayload>, ApiError> {
        let scope = request(ctx).identity.scope();
        let mutated = mutate(ctx, Permission::Shop, async |shop, context| {
            let (order_id, reason) = (order_id.0, reason.map(CancelReason::from));
            let cancelling = Cancelling { order_id, reason, note: staff_note };
            let done = use_cases::cancel_order(shop, &context, scope, cancelling).await?;
            Ok(done.map(|_order: Arc<Aggregate>| global(&order_id)))
        });
        let mutated: Mutated<ID> = mutated.await?;
        Ok(Some(mutated.into()))
    }
}
