//! Orders: calling one off, and letting a shipment leave.

use std::sync::Arc;

use daybook_domain::order::{CancelReason, Order, OrderCommand, Placement};
use daybook_domain::shipment::{ShipmentRefusal, ShipmentStatus};
use daybook_domain::{OrderId, Sealed, ShipmentId};
use daybook_eventstore::CommandContext;

use super::delivery::line;
use super::error::{Unavailable, UseCaseError};
use super::outcome::{Done, Scope};
use crate::shop::Shop;

/// The longest note of a cancellation.
const MAX_NOTE: usize = 500;

/// An order that is to be called off.
#[derive(Debug, Clone)]
pub struct Cancelling {
    /// The order.
    pub order_id: OrderId,
    /// Why; a shopper's reason is always that they asked for it.
    pub reason: Option<CancelReason>,
    /// What staff say about why. It leaves this process sealed only, and no shopper sees it.
    pub note: Option<String>,
}

impl From<OrderId> for Cancelling {
    /// For the reason that whoever asks has when they give none.
    fn from(order_id: OrderId) -> Self {
        Self { order_id, reason: None, note: None }
    }
}

/// Calls an order off. What is held for it and what was paid goes back by itself.
///
/// # Errors
/// When it is too late, or a shopper says what is for staff to say.
pub async fn cancel_order(
    shop: &Shop,
    context: &CommandContext,
    scope: Scope,
    cancelling: Cancelling,
) -> Result<Done<Arc<Order>>, UseCaseError> {
    let reason = reason(scope, &cancelling)?;
    let id = cancelling.order_id.to_string();
    let order = match shop.orders.remembered(&id).await.filter(|order| order.placement().is_some()) {
        Some(order) => order,
        None => shop.orders.load(&id).await?.state,
    };
    let placement = order.placement().filter(|placement| scope.covers(placement.customer_id));
    let placement = placement.ok_or_else(|| UseCaseError::refused(&Unavailable::NotFound("order")))?;
    let note = match &cancelling.note {
        Some(note) => Some(seal_note(shop, placement, note).await?),
        None => None,
    };
    let command = OrderCommand::Cancel { reason, holds: Vec::new(), note };
    Ok(shop.orders.execute(&id, command, context, "{}").await?.into())
}

fn reason(scope: Scope, cancelling: &Cancelling) -> Result<CancelReason, UseCaseError> {
    let for_staff = |what, field| Err(UseCaseError::refused(&Unavailable::ForStaff(what)).about(&[field]));
    match (scope, cancelling.reason, &cancelling.note) {
        (Scope::All, reason, _) => Ok(reason.unwrap_or(CancelReason::Staff)),
        (Scope::Of(_), _, Some(_)) => for_staff("note", "staffNote"),
        (Scope::Of(_), None | Some(CancelReason::Customer), None) => Ok(CancelReason::Customer),
        (Scope::Of(_), Some(_), None) => for_staff("reason", "reason"),
    }
}

/// What staff note may be about the shopper, so it is sealed and forgotten with what else is.
async fn seal_note(shop: &Shop, placement: &Placement, note: &str) -> Result<Sealed, UseCaseError> {
    line("note", note, 1, MAX_NOTE).map_err(|refused| refused.about(&["staffNote"]))?;
    Ok(shop.vault.seal(placement.contact.subject, &note).await?)
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
