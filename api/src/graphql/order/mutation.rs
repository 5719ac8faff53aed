//! What shoppers and the shop's people do with orders.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use daybook_commands::use_cases;
use daybook_domain::OrderId;
use daybook_domain::order::Order as Aggregate;

use crate::auth::Permission;
use crate::graphql::context::request;
use crate::graphql::error::ApiError;
use crate::graphql::id::{IdOf, global};
use crate::graphql::payload::{Mutated, mutate, payload};

payload! {
    /// An order that was called off.
    OrderCancelPayload {
        /// The order.
        order_id: ID
    } from ID;
}

/// The mutations of orders.
#[derive(Default)]
pub(crate) struct OrderMutation;

#[Object]
impl OrderMutation {
    /// Calls an order off. What is held for it is given back, and what was paid is paid back, by itself.
    async fn order_cancel(
        &self,
        ctx: &Context<'_>,
        order_id: IdOf<OrderId>,
    ) -> Result<Option<OrderCancelPayload>, ApiError> {
        let scope = request(ctx).identity.scope();
        let mutated = mutate(ctx, Permission::Shop, async |shop, context| {
            let done = use_cases::cancel_order(shop, &context, scope, order_id.0).await?;
            Ok(done.map(|_order: Arc<Aggregate>| global(&order_id.0)))
        });
        let mutated: Mutated<ID> = mutated.await?;
        Ok(Some(mutated.into()))
    }
}
