//! What a gateway is asked for. The idempotency key of each request follows from the ids in it, so no caller can
//! choose a wrong one.

use daybook_domain::{Money, OrderId, PaymentId, RefundId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Hold this amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthoriseRequest {
    /// The payment it is for: one authorisation each.
    pub payment_id: PaymentId,
    /// The order that is paid.
    pub order_id: OrderId,
    /// How much.
    pub amount: Money,
    /// The gateway's own name for the shopper's card, as the shop's page got it.
    pub payment_token: String,
    /// Comes back with every notice about this payment, so that what follows can be traced to its cause.
    pub correlation_id: Uuid,
    /// The W3C trace context of that cause; it comes back with the notices too.
    pub traceparent: Option<String>,
}

/// Take this part of what is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureRequest {
    /// The payment.
    pub payment_id: PaymentId,
    /// The gateway's name for what it holds.
    pub gateway_reference: String,
    /// The capture: one taking each.
    pub capture_id: Uuid,
    /// How much.
    pub amount: Money,
}

/// Let the rest go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoidRequest {
    /// The payment.
    pub payment_id: PaymentId,
    /// The gateway's name for what it holds.
    pub gateway_reference: String,
    /// How many voids of this were refused before: under an old key the gateway would only repeat that.
    pub refused: usize,
}

/// Pay this back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundRequest {
    /// The payment.
    pub payment_id: PaymentId,
    /// The gateway's name for what it took.
    pub gateway_reference: String,
    /// The refund: one repayment each.
    pub refund_id: RefundId,
    /// How much.
    pub amount: Money,
}

impl AuthoriseRequest {
    /// The key under which the gateway does this once.
    pub fn key(&self) -> String {
        self.payment_id.to_string()
    }
}

impl CaptureRequest {
    /// The key under which the gateway does this once.
    pub fn key(&self) -> String {
        self.capture_id.to_string()
    }
}

impl VoidRequest {
    /// The key under which the gateway does this once.
    pub fn key(&self) -> String {
        // A payment may have a second hold; a gateway's name may be longer than its keys.
        let hold = Uuid::new_v5(&self.payment_id.uuid(), self.gateway_reference.as_bytes());
        format!("void:{hold}:{}", self.refused)
    }
}

impl RefundRequest {
    /// The key under which the gateway does this once.
    pub fn key(&self) -> String {
        self.refund_id.to_string()
    }
}
