//! Payments: what people do by hand.

use std::sync::Arc;

use daybook_domain::payment::{Payment, PaymentCommand};
use daybook_domain::{Money, OrderId, PaymentId, RefundId};
use daybook_eventstore::CommandContext;
use serde_json::json;
use uuid::Uuid;

use super::error::UseCaseError;
use super::outcome::Done;
use crate::shop::Shop;

/// The payment of an order.
fn payment_of(order_id: OrderId) -> PaymentId {
    PaymentId::derived(order_id.uuid(), "payment")
}

/// Takes a part of what is held for an order; without an amount, all of it.
///
/// # Errors
/// When the payment refuses.
pub async fn capture_payment(
    shop: &Shop,
    context: &CommandContext,
    order_id: OrderId,
    amount: Option<Money>,
) -> Result<Done<Arc<Payment>>, UseCaseError> {
    let id = payment_of(order_id).to_string();
    let amount = match amount {
        Some(amount) => amount,
        None => shop.payments.load(&id).await?.state.capturable(),
    };
    // The same command is the same capture.
    let capture_id = Uuid::new_v5(&context.command_id.uuid(), b"capture");
    let command = PaymentCommand::RequestCapture { capture_id, amount };
    let outcome = json!({ "capture_id": capture_id }).to_string();
    Ok(shop.payments.execute(&id, command, context, &outcome).await?.into())
}

/// Pays back a part of what was captured for an order. Says which refund it is.
///
/// # Errors
/// When the payment refuses, as for more than what is left.
pub async fn refund_payment(
    shop: &Shop,
    context: &CommandContext,
    order_id: OrderId,
    (amount, reason): (Money, String),
) -> Result<Done<(RefundId, Arc<Payment>)>, UseCaseError> {
    // The same command is the same refund.
    let refund_id = RefundId::derived(context.command_id.uuid(), "refund");
    let command = PaymentCommand::RequestRefund { refund_id, amount, reason };
    let outcome = json!({ "refund_id": refund_id }).to_string();
    let executed =
        shop.payments.execute(&payment_of(order_id).to_string(), command, context, &outcome).await?;
    Ok(Done::from(executed).map(|payment| (refund_id, payment)))
}
