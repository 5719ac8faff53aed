//! How far a payment is, in one word.

use serde::{Deserialize, Serialize};

use super::{Authorisation, Payment, Progress};

/// How far the money is: the second of the three status axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// The gateway has not answered.
    Pending,
    /// The shopper must take a second step.
    ActionRequired,
    /// The gateway holds the amount.
    Authorised,
    /// A part was captured.
    PartiallyCaptured,
    /// All was captured.
    Captured,
    /// A part of what was captured was paid back.
    PartiallyRefunded,
    /// All that was captured was paid back.
    Refunded,
    /// What is held is being let go.
    VoidPending,
    /// What was held was let go.
    Voided,
    /// The gateway refused.
    Declined,
    /// No authorisation came in time.
    Expired,
    /// The gateway holds or took something else than was asked for.
    Conflict,
}

impl Payment {
    /// How far the money is.
    pub fn status(&self) -> PaymentStatus {
        if !self.conflicts.is_empty() {
            return PaymentStatus::Conflict;
        }
        match &self.authorisation {
            Authorisation::Pending => PaymentStatus::Pending,
            Authorisation::ActionRequired { .. } => PaymentStatus::ActionRequired,
            Authorisation::Declined { .. } => PaymentStatus::Declined,
            Authorisation::Expired => PaymentStatus::Expired,
            Authorisation::Held { .. } => self.status_when_held(),
        }
    }

    fn status_when_held(&self) -> PaymentStatus {
        let (captured, refunded) = (self.captured(), self.refunded());
        if !refunded.is_zero() {
            let whole = refunded == captured;
            return if whole { PaymentStatus::Refunded } else { PaymentStatus::PartiallyRefunded };
        }
        if !captured.is_zero() {
            let whole = captured == self.authorised();
            return if whole { PaymentStatus::Captured } else { PaymentStatus::PartiallyCaptured };
        }
        let any = |progress| self.voids.iter().any(|void| void.progress == progress);
        if any(Progress::Pending) {
            PaymentStatus::VoidPending
        } else if any(Progress::Done) {
            PaymentStatus::Voided
        } else {
            PaymentStatus::Authorised
        }
    }
}
