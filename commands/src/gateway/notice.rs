//! What a gateway says unasked: the result of a call that was pending, or once more what it answered already.

use daybook_domain::payment::PaymentCommand;
use daybook_domain::{CommandId, Money, PaymentId, RefundId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One thing that a gateway says happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayNotice {
    /// The gateway's id of this saying: the same when it says it again.
    pub event_id: Uuid,
    /// Whose money.
    pub payment_id: PaymentId,
    /// What came with the authorisation.
    pub correlation_id: Uuid,
    /// The trace context that came with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// What happened.
    pub outcome: GatewayOutcome,
}

/// What happened at the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields' meaning is their name")]
pub enum GatewayOutcome {
    /// The amount is held.
    Authorised { amount: Money, gateway_reference: String },
    /// Nothing is held.
    Declined { code: String },
    /// This part was taken.
    Captured { capture_id: Uuid, amount: Money },
    /// This part was not.
    CaptureFailed { capture_id: Uuid, code: String },
    /// Nothing of this is held any more; without a name, of what was held first.
    Voided {
        #[serde(default, skip_serializing_if = "String::is_empty")]
        gateway_reference: String,
    },
    /// It is still held.
    VoidFailed {
        #[serde(default, skip_serializing_if = "String::is_empty")]
        gateway_reference: String,
        code: String,
    },
    /// This refund was paid.
    Refunded { refund_id: RefundId },
    /// This refund was not, or came back.
    RefundFailed { refund_id: RefundId, code: String },
}

impl GatewayNotice {
    /// The id of the command to the payment: said again, the notice takes no effect again.
    pub fn command_id(&self) -> CommandId {
        CommandId::derived(self.event_id, "gateway notice")
    }

    /// What the payment is to be told.
    pub fn command(self) -> PaymentCommand {
        match self.outcome {
            GatewayOutcome::Authorised { amount, gateway_reference } => {
                PaymentCommand::RecordAuthorised { amount, gateway_reference }
            }
            GatewayOutcome::Declined { code } => PaymentCommand::RecordDeclined { code },
            GatewayOutcome::Captured { capture_id, amount } => {
                PaymentCommand::RecordCaptured { capture_id, amount }
            }
            GatewayOutcome::CaptureFailed { capture_id, code } => {
                PaymentCommand::RecordCaptureFailed { capture_id, code }
            }
            GatewayOutcome::Voided { gateway_reference } => {
                PaymentCommand::RecordVoided { gateway_reference }
            }
            GatewayOutcome::VoidFailed { gateway_reference, code } => {
                PaymentCommand::RecordVoidFailed { gateway_reference, code }
            }
            GatewayOutcome::Refunded { refund_id } => PaymentCommand::RecordRefunded { refund_id },
            GatewayOutcome::RefundFailed { refund_id, code } => {
                PaymentCommand::RecordRefundFailed { refund_id, code }
            }
        }
    }
}
