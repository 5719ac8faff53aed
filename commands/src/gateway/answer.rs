//! What a gateway answers, and what each answer tells the payment. `Pending` tells it nothing: the result comes
//! as a notice.

use daybook_domain::payment::PaymentCommand;
use daybook_domain::{Money, RefundId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The answer to an authorisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuthoriseAnswer {
    /// The amount is held; the payment compares it with what was asked.
    Authorised {
        /// How much is held.
        amount: Money,
        /// The gateway's name for it.
        gateway_reference: String,
    },
    /// Nothing is held, and asking again is pointless.
    Declined {
        /// Why, as the gateway says it.
        code: String,
    },
    /// The shopper must take a second step.
    ActionRequired {
        /// Where.
        url: String,
    },
    /// The result comes as a notice.
    Pending,
}

/// The answer to a capture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CaptureAnswer {
    /// It was taken.
    Captured {
        /// How much.
        amount: Money,
    },
    /// It was not.
    Failed {
        /// Why, as the gateway says it.
        code: String,
    },
    /// The result comes as a notice.
    Pending,
}

/// The answer to a void.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum VoidAnswer {
    /// Nothing is held any more.
    Voided,
    /// It is still held.
    Failed {
        /// Why, as the gateway says it.
        code: String,
    },
    /// The result comes as a notice.
    Pending,
}

/// The answer to a refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefundAnswer {
    /// It was paid back.
    Refunded,
    /// It was not.
    Failed {
        /// Why, as the gateway says it.
        code: String,
    },
    /// The result comes as a notice.
    Pending,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// No answer came in time: it may or may not have been done. Ask again with the same key.
    #[error("the payment gateway did not answer in time")]
    TimedOut,
    /// The gateway could not be reached or is broken: it may or may not have been done. Ask again with the same key.
    #[error("the payment gateway is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The gateway does not take the request as it is: nothing was done, and asking again is pointless.
    #[error("the payment gateway rejected the request as {code}")]
    Rejected {
        /// Why, as the gateway says it.
        code: String,
    },
}

impl GatewayError {
    /// The gateway's word that nothing was done and nothing will be; none where the outcome is unknown.
    pub fn rejection(&self) -> Option<&str> {
        match self {
            Self::Rejected { code } => Some(code),
            Self::TimedOut | Self::Unavailable(_) => None,
        }
    }
}

impl AuthoriseAnswer {
    /// What the payment is to be told.
    pub fn command(self) -> Option<PaymentCommand> {
        match self {
            Self::Authorised { amount, gateway_reference } => {
                Some(PaymentCommand::RecordAuthorised { amount, gateway_reference })
            }
            Self::Declined { code } => Some(PaymentCommand::RecordDeclined { code }),
            Self::ActionRequired { url } => Some(PaymentCommand::RequireAction { url }),
            Self::Pending => None,
        }
    }
}

impl CaptureAnswer {
    /// What the payment is to be told of this capture.
    pub fn command(self, capture_id: Uuid) -> Option<PaymentCommand> {
        match self {
            Self::Captured { amount } => Some(PaymentCommand::RecordCaptured { capture_id, amount }),
            Self::Failed { code } => Some(PaymentCommand::RecordCaptureFailed { capture_id, code }),
            Self::Pending => None,
        }
    }
}

impl VoidAnswer {
    /// What the payment is to be told of what the gateway calls this.
    pub fn command(self, gateway_reference: String) -> Option<PaymentCommand> {
        match self {
            Self::Voided => Some(PaymentCommand::RecordVoided { gateway_reference }),
            Self::Failed { code } => Some(PaymentCommand::RecordVoidFailed { gateway_reference, code }),
            Self::Pending => None,
        }
    }
}

impl RefundAnswer {
    /// What the payment is to be told of this refund.
    pub fn command(self, refund_id: RefundId) -> Option<PaymentCommand> {
        match self {
            Self::Refunded => Some(PaymentCommand::RecordRefunded { refund_id }),
            Self::Failed { code } => Some(PaymentCommand::RecordRefundFailed { refund_id, code }),
            Self::Pending => None,
        }
    }
}
