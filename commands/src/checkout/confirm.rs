//! The money is held: the stock is promised and the order confirmed, or all of it goes back.

use daybook_domain::OrderId;
use daybook_domain::inventory::{InventoryCommand, InventoryRefusal, StockItem};
use daybook_domain::order::{CancelReason, OrderCommand, OrderRefusal, StockHold};
use futures::future::try_join_all;

use super::{Checkout, PlacedOrder};
use crate::process::{ProcessError, Reaction, ask, tell};

impl Checkout {
    /// Payment authorised: what is held is promised. Where a hold has run out, stock is taken again if it is there.
    pub(super) async fn confirm(&self, order_id: OrderId, reaction: &Reaction) -> Result<(), ProcessError> {
        // A cancelled order's money goes back by the payment's own decision.
        let Some(order) = self.order(order_id).await?.filter(PlacedOrder::is_open) else { return Ok(()) };
        let holds = order.state.holds();
        let promised = try_join_all(holds.iter().map(|hold| self.allocate(order_id, hold, reaction))).await?;
        let short = promised.contains(&None) || promised.is_empty();
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

    /// Promises what was held where it was held, or else wherever it is.
    async fn allocate(
        &self,
        order_id: OrderId,
        hold: &StockHold,
        reaction: &Reaction,
    ) -> Result<Option<StockHold>, ProcessError> {
        let elsewhere =
            self.shop.locations.iter().map(|one| &one.code).filter(|code| **code != hold.item.location);
        for location in std::iter::once(&hold.item.location).chain(elsewhere) {
            let item = StockItem { variant_id: hold.item.variant_id, location: location.clone() };
            let (id, quantity) = (item.to_string(), hold.quantity);
            let context = reaction.context(&format!("allocate {id}"), self.shop.clock.now());
            let command = InventoryCommand::Allocate { item: item.clone(), order_id, quantity };
            match ask(&self.shop.inventory, &id, command, &context).await? {
                Ok(_) => return Ok(Some(StockHold { item, quantity })),
                Err(InventoryRefusal::OutOfStock { .. }) => {}
                Err(refusal) => {
                    return Err(ProcessError::refused(&refusal));
                }
            }
        }
        Ok(None)
    }
}
