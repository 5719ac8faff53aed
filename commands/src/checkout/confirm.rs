//! The money is held: the stock is promised and the order confirmed, or all of it goes back.

use daybook_domain::OrderId;
use daybook_domain::inventory::InventoryCommand;
use daybook_domain::order::{CancelReason, OrderCommand, OrderRefusal, StockHold};
use futures::future::try_join_all;

use super::{Checkout, PlacedOrder};
use crate::process::{ProcessError, Reaction, tell};

impl Checkout {
    /// Payment authorised: what is held is promised. Where a hold has run out, stock is taken again if it is there.
    pub(super) async fn confirm(&self, order_id: OrderId, reaction: &Reaction) -> Result<(), ProcessError> {
        // A cancelled order's money goes back by the payment's own decision.
        let Some(order) = self.order(order_id).await?.filter(PlacedOrder::is_open) else { return Ok(()) };
        let allocate = |item, quantity| InventoryCommand::Allocate { item, order_id, quantity };
        let sourced = self.source(&order).await?;
        let promising = sourced.iter().map(|one| self.first_that_has(one, "allocate", allocate, reaction));
        let promised = try_join_all(promising).await?;
        let short = promised.contains(&None);
        let allocations: Vec<StockHold> = promised.into_iter().flatten().collect();
        if short {
            return self.cancel(order_id, CancelReason::OutOfStock, allocations, reaction).await;
        }
        let context = reaction.context("confirm", self.shop.clock.now());
        let command = OrderCommand::Confirm { allocations };
        // Cancelled in between: the reaction to that gives the stock back.
        tell(&self.shop.orders, &order_id.to_string(), command, &context, |refusal| {
            matches!(refusal, OrderRefusal::Cancelled)
        })
        .await
    }
}
