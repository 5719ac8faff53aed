//! Why a payment says no.

use uuid::Uuid;

use crate::kernel::{Currency, Money, RefundId, Refusal, TextError};

/// A payment's refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PaymentRefusal {
    /// It was never asked for.
    #[error("there is no such payment")]
    NotFound,
    /// It was asked for with other content.
    #[error("the payment was requested with other content")]
    AlreadyExists,
    /// The amount is not one that can be moved.
    #[error("the amount must be more than nothing")]
    AmountNotPositive,
    /// An amount in a currency that is not the payment's.
    #[error("the payment is in {p}, not {g}", p = .payment.code(), g = .given.code())]
    CurrencyMismatch {
        /// The payment's currency.
        payment: Currency,
        /// The amount's.
        given: Currency,
    },
    /// The gateway holds nothing.
    #[error("the payment is not authorised")]
    NotAuthorised,
    /// It goes back, or went.
    #[error("the payment is cancelled")]
    Cancelled,
    /// The gateway holds or took something else than was asked.
    #[error("the payment is in conflict: the gateway's amount is not the one asked for")]
    InConflict,
    /// More than what is held and not yet asked for.
    #[error("{remaining} {c} can still be captured, not {asked}", c = .remaining.currency().code())]
    CaptureExceedsAuthorised {
        /// What can still be captured.
        remaining: Money,
        /// What was asked for.
        asked: Money,
    },
    /// The capture was asked for with another amount.
    #[error("capture {capture_id} was requested with another amount")]
    CaptureIdUsed {
        /// The capture.
        capture_id: Uuid,
    },
    /// Nobody asked for this capture.
    #[error("capture {capture_id} was never requested")]
    CaptureNotFound {
        /// The capture.
        capture_id: Uuid,
    },
    /// More than what was captured and not yet given back.
    #[error("{remaining} {c} can still be refunded, not {asked}", c = .remaining.currency().code())]
    RefundExceedsCaptured {
        /// What can still be refunded.
        remaining: Money,
        /// What was asked for.
        asked: Money,
    },
    /// The refund was asked for with another amount.
    #[error("refund {refund_id} was requested with another amount")]
    RefundIdUsed {
        /// The refund.
        refund_id: RefundId,
    },
    /// Nobody asked for this refund.
    #[error("refund {refund_id} was never requested")]
    RefundNotFound {
        /// The refund.
        refund_id: RefundId,
    },
    /// A text is too long or holds what it may not.
    #[error(transparent)]
    Text(#[from] TextError),
}

impl Refusal for PaymentRefusal {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::AmountNotPositive => "AMOUNT_NOT_POSITIVE",
            Self::CurrencyMismatch { .. } => "CURRENCY_MISMATCH",
            Self::NotAuthorised => "PAYMENT_NOT_AUTHORISED",
            Self::Cancelled => "PAYMENT_CANCELLED",
            Self::InConflict => "PAYMENT_IN_CONFLICT",
            Self::CaptureExceedsAuthorised { .. } => "CAPTURE_EXCEEDS_AUTHORISED",
            Self::CaptureIdUsed { .. } => "CAPTURE_ID_USED",
            Self::CaptureNotFound { .. } => "CAPTURE_NOT_FOUND",
            Self::RefundExceedsCaptured { .. } => "REFUND_EXCEEDS_CAPTURED",
            Self::RefundIdUsed { .. } => "REFUND_ID_USED",
            Self::RefundNotFound { .. } => "REFUND_NOT_FOUND",
            Self::Text(_) => "TEXT_INVALID",
        }
    }
}
