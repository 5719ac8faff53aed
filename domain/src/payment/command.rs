//! What can be asked of a payment.

use uuid::Uuid;

use crate::kernel::{Money, OrderId, PaymentId, RefundId, Timestamp};

/// A request to a payment, or the gateway's answer to one.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields' meaning is their name")]
pub enum PaymentCommand {
    /// Have the amount held.
    RequestAuthorisation {
        payment_id: PaymentId,
        order_id: OrderId,
        amount: Money,
        payment_token: String,
        deadline: Timestamp,
    },
    /// The gateway wants a second step.
    RequireAction { url: String },
    /// The gateway holds `amount`; another amount than asked is a conflict. After a cancellation it goes back.
    RecordAuthorised { amount: Money, gateway_reference: String },
    /// The gateway refused.
    RecordDeclined { code: String },
    /// Give up waiting for an authorisation, when `at` is not before the deadline.
    Expire { at: Timestamp },
    /// Take a part of what is held.
    RequestCapture { capture_id: Uuid, amount: Money },
    /// Take what is missing of `due`, the sum of all that is due so far, as far as it is held.
    CaptureDue { capture_id: Uuid, due: Money },
    /// The gateway took it.
    RecordCaptured { capture_id: Uuid, amount: Money },
    /// The gateway refused to take it.
    RecordCaptureFailed { capture_id: Uuid, code: String },
    /// The order is off: void what is held, refund what was captured (with this refund id).
    Cancel { refund_id: RefundId },
    /// The gateway let go what it calls this: the rest of the payment, or a second hold.
    RecordVoided { gateway_reference: String },
    /// The gateway refused to let it go.
    RecordVoidFailed { gateway_reference: String, code: String },
    /// Ask again for second holds to be let go, where the gateway refused.
    VoidExtras,
    /// Pay something back: at most what was captured and is not yet refunded or being refunded.
    RequestRefund { refund_id: RefundId, amount: Money, reason: String },
    /// The gateway paid it back.
    RecordRefunded { refund_id: RefundId },
    /// The gateway refused to.
    RecordRefundFailed { refund_id: RefundId, code: String },
}
