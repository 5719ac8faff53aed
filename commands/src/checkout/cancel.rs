//! Cancelling: first the decision, durably, then everything it gives back.

use daybook_domain::cart::{CartCommand, CartRefusal};
use daybook_domain::inventory::{InventoryCommand, StockItem};
use daybook_domain::order::{CancelReason, OrderCommand, OrderRefusal, StockHold};
use daybook_domain::payment::{PaymentCommand, PaymentRefusal};
use daybook_domain::shipment::{ShipmentCommand, ShipmentRefusal};
use daybook_domain::{OrderId, RefundId, ShipmentId};
use daybook_eventstore::Unit;
use futures::future::try_join_all;

use super::{Checkout, PlacedOrder};
use crate::process::{ProcessError, Reaction, ask, must, tell};
use crate::related::{payment_of, rest_of, shipment_of};

impl Checkout {
    /// Decides that the order comes to nothing. What it holds is given back in the reaction to that decision, so a
    /// crash in between loses nothing.
    pub(super) async fn cancel(
        &self,
        order_id: OrderId,
        reason: CancelReason,
        holds: Vec<StockHold>,
        reaction: &Reaction,
    ) -> Result<(), ProcessError> {
        let context = reaction.context("cancel", self.shop.clock.now());
        let command = OrderCommand::Cancel { reason, holds, note: None };
        match ask(&self.shop.orders, &order_id.to_string(), command, &context).await? {
            // Called off before.
            Ok(told) if told.appended == 0 => self.compensate(order_id, reaction).await,
            // What has left is paid for or returned, never cancelled.
            Ok(_) | Err(OrderRefusal::AlreadyDispatched) => Ok(()),
            Err(refusal) => Err(ProcessError::refused(&refusal)),
        }
    }

    /// The same for want of stock, with whatever else is decided at once.
    pub(super) fn call_off(&self, unit: &mut Unit<'_>, order_id: OrderId) -> Result<(), ProcessError> {
        let (reason, holds) = (CancelReason::OutOfStock, Vec::new());
        let command = OrderCommand::Cancel { reason, holds, note: None };
        must(unit.execute(&self.shop.orders, &order_id.to_string(), command)?)
    }

    /// Order cancelled: stock and money go back, nothing is shipped, and when it was not the shopper's wish the
    /// cart is theirs again.
    pub(super) async fn compensate(
        &self,
        order_id: OrderId,
        reaction: &Reaction,
    ) -> Result<(), ProcessError> {
        let Some(order) = self.order(order_id).await? else { return Ok(()) };
        // Wherever a run of an earlier step may have held something, noted or not.
        let items = self.items(&order.placement.quote);
        let released = try_join_all(items.into_iter().map(|item| self.release(order_id, item, reaction)));
        let refunded = self.give_money_back(order_id, reaction);
        let stopped = self.cancel_shipments(order_id, reaction);
        let reopened = self.reopen_cart(&order, reaction);
        tokio::try_join!(released, refunded, stopped, reopened).map(|_| ())
    }

    async fn release(
        &self,
        order_id: OrderId,
        item: StockItem,
        reaction: &Reaction,
    ) -> Result<(), ProcessError> {
        let id = item.to_string();
        let context = reaction.context(&format!("release {id}"), self.shop.clock.now());
        tell(&self.shop.inventory, &id, InventoryCommand::Release { item, order_id }, &context, |_| false)
            .await
    }

    /// Whatever is held or was taken for a cancelled order goes back, however late it came.
    pub(super) async fn give_money_back(
        &self,
        order_id: OrderId,
        reaction: &Reaction,
    ) -> Result<(), ProcessError> {
        let context = reaction.context("cancel payment", self.shop.clock.now());
        let command = PaymentCommand::Cancel { refund_id: RefundId::derived(order_id.uuid(), "cancelled") };
        // An order that was short of stock never had a payment.
        tell(&self.shop.payments, &payment_of(order_id).to_string(), command, &context, |refusal| {
            matches!(refusal, PaymentRefusal::NotFound)
        })
        .await
    }

    async fn cancel_shipments(&self, order_id: OrderId, reaction: &Reaction) -> Result<(), ProcessError> {
        let first = self.shop.locations.iter().map(|one| shipment_of(order_id, &one.code));
        try_join_all(first.map(|shipment_id| self.cancel_shipment_and_rest(shipment_id, reaction))).await?;
        Ok(())
    }

    async fn cancel_shipment_and_rest(
        &self,
        first: ShipmentId,
        reaction: &Reaction,
    ) -> Result<(), ProcessError> {
        let mut shipment_id = first;
        loop {
            let id = shipment_id.to_string();
            let context = reaction.context(&format!("cancel shipment {id}"), self.shop.clock.now());
            match ask(&self.shop.shipments, &id, ShipmentCommand::Cancel, &context).await? {
                Ok(_) => shipment_id = rest_of(shipment_id),
                Err(ShipmentRefusal::NotFound) => return Ok(()),
                Err(refusal) => {
                    return Err(ProcessError::refused(&refusal));
                }
            }
        }
    }

    async fn reopen_cart(&self, order: &PlacedOrder, reaction: &Reaction) -> Result<(), ProcessError> {
        match order.state.cancel_reason() {
            Some(
                CancelReason::Customer | CancelReason::Staff | CancelReason::Fraud | CancelReason::Other,
            )
            | None => return Ok(()),
            Some(CancelReason::OutOfStock | CancelReason::PaymentDeclined | CancelReason::PaymentExpired) => {
            }
        }
        let context = reaction.context("reopen cart", self.shop.clock.now());
        let command = CartCommand::Reopen { order_id: order.order_id };
        let cart_id = order.placement.cart_id.to_string();
        tell(&self.shop.carts, &cart_id, command, &context, |refusal| {
            matches!(refusal, CartRefusal::NotSubmittedAs { .. })
        })
        .await
    }
}
