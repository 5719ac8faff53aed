//! The money is held: the stock is promised and the order confirmed, or all of it goes back.

use daybook_domain::OrderId;
use daybook_domain::inventory::InventoryCommand;
use daybook_domain::order::{OrderCommand, OrderStatus, StockHold};
use daybook_eventstore::Unit;

use super::fulfil::by_location;
use super::{Checkout, PlacedOrder};
use crate::process::{ProcessError, Reaction, must, together};

impl Checkout {
    /// Payment authorised: the order is confirmed, or called off for want of stock. The money of an order that was called
    /// off before goes back.
    pub(super) async fn confirm(&self, order_id: OrderId, reaction: &Reaction) -> Result<(), ProcessError> {
        let Some(order) = self.order(order_id).await? else { return Ok(()) };
        if order.is_open() {
            self.promise(&order, reaction).await?;
        }
        self.return_money_if_off(order_id, reaction).await
    }

    /// In one append what is held is promised, the order confirmed, and each location that has promised opens a
    /// shipment. Where a hold has run out, stock is taken again if it is there.
    async fn promise(&self, order: &PlacedOrder, reaction: &Reaction) -> Result<(), ProcessError> {
        let order_id = order.order_id;
        let sourced = self.source(order_id, &order.placement.quote).await?;
        let context = reaction.context("confirm", self.shop.clock.now());
        together(&self.shop.store, &context, |unit| {
            if unit.state(&self.shop.orders, &order_id.to_string())?.status() != OrderStatus::Placed {
                return Ok(());
            }
            match self.first_that_have(unit, order_id, &sourced)? {
                Some(allocations) => self.confirm_with(unit, order, allocations),
                None => self.call_off(unit, order_id),
            }
        })
        .await
    }

    fn confirm_with(
        &self,
        unit: &mut Unit<'_>,
        order: &PlacedOrder,
        allocations: Vec<StockHold>,
    ) -> Result<(), ProcessError> {
        let order_id = order.order_id;
        for StockHold { item, quantity } in &allocations {
            let (id, item, quantity) = (item.to_string(), item.clone(), *quantity);
            let command = InventoryCommand::Allocate { item, order_id, quantity };
            must(unit.execute(&self.shop.inventory, &id, command)?)?;
        }
        let shipments = by_location(&order.placement.quote.lines, &allocations);
        let confirm = OrderCommand::Confirm { allocations };
        must(unit.execute(&self.shop.orders, &order_id.to_string(), confirm)?)?;
        shipments.into_iter().try_for_each(|(location, lines)| self.open(unit, order_id, location, lines))
    }

    /// Money that is held, or held otherwise than was asked: a person looks, unless the order is off anyway.
    pub(super) async fn return_money_if_off(
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
