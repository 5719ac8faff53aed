//! What can have happened to a payment.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::kernel::{Money, OrderId, PaymentId, RefundId, Timestamp, event_types};

/// A fact about a payment. What is *requested* is recorded before the gateway is called, what it answered
/// after, so a crash in between leaves a fact that can be seen and tried again with the same key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the fields' meaning is their name; the catalogue says each event's")]
pub enum PaymentEvent {
    AuthorisationRequested {
        payment_id: PaymentId,
        order_id: OrderId,
        amount: Money,
        payment_token: String,
        deadline: Timestamp,
    },
    ActionRequired {
        order_id: OrderId,
        url: String,
    },
    Authorised {
        order_id: OrderId,
        amount: Money,
        gateway_reference: String,
    },
    Declined {
        order_id: OrderId,
        code: String,
    },
    Expired {
        order_id: OrderId,
    },
    Conflicted {
        order_id: OrderId,
        asked: Money,
        got: Money,
        gateway_reference: String,
    },
    CaptureRequested {
        order_id: OrderId,
        capture_id: Uuid,
        amount: Money,
    },
    Captured {
        order_id: OrderId,
        capture_id: Uuid,
        amount: Money,
        captured_total: Money,
    },
    CaptureFailed {
        order_id: OrderId,
        capture_id: Uuid,
        amount: Money,
        code: String,
    },
    CaptureFellShort {
        order_id: OrderId,
        shortfall: Money,
    },
    CancellationRequested {
        order_id: OrderId,
    },
    VoidRequested {
        order_id: OrderId,
        amount: Money,
    },
    Voided {
        order_id: OrderId,
        amount: Money,
    },
    VoidFailed {
        order_id: OrderId,
        code: String,
    },
    RefundRequested {
        order_id: OrderId,
        refund_id: RefundId,
        amount: Money,
        reason: String,
    },
    Refunded {
        order_id: OrderId,
        refund_id: RefundId,
        amount: Money,
        refunded_total: Money,
    },
    RefundFailed {
        order_id: OrderId,
        refund_id: RefundId,
        amount: Money,
        code: String,
    },
    ExtraAuthorised {
        order_id: OrderId,
        amount: Money,
        gateway_reference: String,
    },
    ExtraVoidRequested {
        order_id: OrderId,
        amount: Money,
        gateway_reference: String,
    },
    ExtraVoided {
        order_id: OrderId,
        amount: Money,
        gateway_reference: String,
    },
    ExtraVoidFailed {
        order_id: OrderId,
        gateway_reference: String,
        code: String,
    },
}

impl PaymentEvent {
    /// The order it is about.
    pub const fn order_id(&self) -> OrderId {
        match self {
            Self::AuthorisationRequested { order_id, .. }
            | Self::ActionRequired { order_id, .. }
            | Self::Authorised { order_id, .. }
            | Self::Declined { order_id, .. }
            | Self::Expired { order_id, .. }
            | Self::Conflicted { order_id, .. }
            | Self::CaptureRequested { order_id, .. }
            | Self::Captured { order_id, .. }
            | Self::CaptureFailed { order_id, .. }
            | Self::CaptureFellShort { order_id, .. }
            | Self::CancellationRequested { order_id, .. }
            | Self::VoidRequested { order_id, .. }
            | Self::Voided { order_id, .. }
            | Self::VoidFailed { order_id, .. }
            | Self::RefundRequested { order_id, .. }
            | Self::Refunded { order_id, .. }
            | Self::RefundFailed { order_id, .. }
            | Self::ExtraAuthorised { order_id, .. }
            | Self::ExtraVoidRequested { order_id, .. }
            | Self::ExtraVoided { order_id, .. }
            | Self::ExtraVoidFailed { order_id, .. } => *order_id,
        }
    }
}

event_types!(PaymentEvent, "Payment", {
    AuthorisationRequested = "1": "the gateway is to be asked to hold this amount, until a deadline",
    ActionRequired = "1": "the shopper must take a second step with the bank",
    Authorised = "1": "the gateway holds the amount",
    Declined = "1": "the gateway refused",
    Expired = "1": "no authorisation came before the deadline",
    Conflicted = "1": "the gateway holds another amount or currency than was asked: nothing may be shipped on it",
    CaptureRequested = "1": "the gateway is to be asked to take this part of the authorised amount",
    Captured = "1": "the gateway took it, or with a conflict another amount",
    CaptureFailed = "1": "the gateway refused to take it",
    CaptureFellShort = "1": "so much of what is due is not held any more and cannot be taken: somebody must see to it",
    CancellationRequested = "1": "the order was cancelled while the gateway had not answered: whatever it answers goes back",
    VoidRequested = "1": "the gateway is to be asked to let the uncaptured rest go",
    Voided = "1": "the gateway let it go",
    VoidFailed = "1": "the gateway refused to let it go",
    RefundRequested = "1": "the gateway is to be asked to pay this back",
    Refunded = "1": "the gateway paid it back",
    RefundFailed = "1": "the gateway refused, and the amount may be refunded again",
    ExtraAuthorised = "1": "the gateway holds a second amount for the same payment, under another name: it goes back by itself",
    ExtraVoidRequested = "1": "the gateway is to be asked to let the second amount go",
    ExtraVoided = "1": "the gateway let the second amount go",
    ExtraVoidFailed = "1": "the gateway refused to let the second amount go",
});
