//! Orders: calling one off, and letting a shipment leave.

use std::sync::Arc;

use daybook_domain::order::{CancelReason, Order, OrderCommand};
use daybook_domain::shipment::{ShipmentRefusal, ShipmentStatus};
use daybook_domain::{OrderId, ShipmentId};
use daybook_eventstore::CommandContext;

use super::error::{Unavailable, UseCaseError};
use super::outcome::{Done, Scope};
use crate::shop::Shop;

/// Calls an order off. What is held for it and what was paid goes back by itself.
///
/// # Errors
/// When it is too late.
pub async fn cancel_order(
    shop: &Shop,
    context: &CommandContext,
    scope: Scope,
    order_id: OrderId,
) -> Result<Done<Arc<Order>>, UseCaseError> {
    let id = order_id.to_string();
    let order = match shop.orders.remembered(&id).await.filter(|order| order.placement().is_some()) {
        Some(order) => order,
        None => shop.orders.load(&id).await?.state,
    };
    if !order.placement().is_some_and(|placement| scope.covers(placement.customer_id)) {
        return Err(UseCaseError::refused(&Unavailable::NotFound("order")));
    }
    let reason = match scope {
        Scope::All => CancelReason::Staff,
        Scope::Of(_) => CancelReason::Customer,
    };
    let command = OrderCommand::Cancel { reason, holds: Vec::new() };
    Ok(shop.orders.execute(&id, command, context, "{}").await?.into())
}

/// A parcel that is to leave.
#[derive(Debug, Clone)]
pub struct Dispatching {
    /// The shipment.
    pub shipment_id: ShipmentId,
    /// Who carries it.
    pub carrier: String,
    /// The carrier's number for it.
    pub tracking: String,
}

/// Lets a packed shipment leave. The order decides, since that is where a cancel may have come first; the parcel
/// itself, the stock and the money follow by themselves.
///
/// # Errors
/// When the shipment is not packed, or the order was called off.
pub async fn dispatch_shipment(
    shop: &Shop,
    context: &CommandContext,
    dispatching: Dispatching,
) -> Result<Done<Arc<Order>>, UseCaseError> {
    let Dispatching { shipment_id, carrier, tracking } = dispatching;
    let shipment = shop.shipments.load(&shipment_id.to_string()).await?.state;
    let refusal = match shipment.status() {
        ShipmentStatus::Unopened => Some(ShipmentRefusal::NotFound),
        ShipmentStatus::Open => Some(ShipmentRefusal::NotPacked),
        ShipmentStatus::Cancelled => Some(ShipmentRefusal::Cancelled),
        // One that has left is the order's to answer for: the same dispatch again is no error.
        ShipmentStatus::Packed
        | ShipmentStatus::Dispatched
        | ShipmentStatus::Delivered
        | ShipmentStatus::Failed => None,
    };
    if let Some(refusal) = refusal {
        return Err(UseCaseError::refused(&refusal));
    }
    let lines = shipment.lines().to_vec();
    let command = OrderCommand::Dispatch { shipment_id, lines, carrier, tracking };
    let id = shipment.order_id().to_string();
    Ok(shop.orders.execute(&id, command, context, "{}").await?.into())
}
