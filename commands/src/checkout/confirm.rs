//! The money is held: the stock is promised and the order confirmed, or all of it goes back.

use daybook_domain::OrderId;
use daybook_domain::inventory::InventoryCommand;
use daybook_domain::order::{CancelReason, OrderCommand, OrderStatus, StockHold};
use futures::future::try_join_all;

use super::Checkout;
use crate::process::{ProcessError, Reaction};

impl Checkout {
    /// Payment authorised: what is held is promised. Where a hold has run out, stock is taken again if it is there.
    pub(super) async fn confirm(&self, order_id: OrderId, reaction: &Reaction) -> Result<(), ProcessError> {
        let Some(order) = self.order(order_id).await? else { return Ok(()) };
        match order.state.status() {
            OrderStatus::Placed => {}
            OrderStatus::Confirmed | OrderStatus::Completed => return Ok(()),
            OrderStatus::Cancelled => return self.give_money_back(order_id, reaction).await,
        }
        let allocate = |item, quantity| InventoryCommand::Allocate { item, order_id, quantity };
        let sourced = self.source(&order).await?;
        let promising = sourced.iter().map(|one| self.first_that_has(one, "allocate", allocate, reaction));
        let promised = try_join_all(promising).await?;
        let short = promised.contains(&None);
        let allocations: Vec<StockHold> = promised.into_iter().flatten().collect();
        if short {
            return self.cancel(order_id, CancelReason::OutOfStock, allocations, reaction).await;
        }
        let confirmed = OrderCommand::Confirm { allocations };
        if self.note(order_id, "confirm", confirmed, reaction).await? {
            Ok(())
        } else {
            self.compensate(order_id, reaction).await
        }
    }

    /// The gateway holds something else than was asked: a person looks, unless the order is off anyway.
    pub(super) async fn take_conflict(
        &self,
        order_id: OrderId,
        reaction: &Reaction,
    ) -> Result<(), ProcessError> {
        match self.order(order_id).await? {
            Some(order) if order.state.status() == OrderStatus::Cancelled => {
                self.give_money_back(order_id, reaction).await
            }
            Some(_) | None => Ok(()),
        }
    }
}
