//! The test cards: each behaves in one way, every time.

use serde::Serialize;

/// What a gateway can be asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Operation {
    Authorise,
    Capture,
    Void,
    Refund,
}

/// How a result is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Telling {
    /// By the answer alone.
    Answer,
    /// By the answer, and by this many webhooks.
    AnswerAndNotices(i32),
    /// By a webhook, and only then by the answer.
    NoticeFirst,
    /// The answer says "pending"; after a while this many webhooks tell the result.
    NoticesLater(i32),
}

/// A test card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TestCard {
    Approve,
    Decline,
    Action,
    TimeoutOnce,
    TimeoutCapture,
    Late,
    LateTwice,
    Twice,
    WebhookFirst,
    WrongAmount,
    WrongCurrency,
    CaptureDeclined,
    VoidFails,
    RefundFails,
    RefundFailsLate,
}

impl TestCard {
    /// The card with this token; any other token is a card that is declined.
    pub(super) fn of(token: &str) -> Self {
        match token {
            "card_approve" => Self::Approve,
            "card_action" => Self::Action,
            "card_timeout_once" => Self::TimeoutOnce,
            "card_timeout_capture" => Self::TimeoutCapture,
            "card_late" => Self::Late,
            "card_late_twice" => Self::LateTwice,
            "card_twice" => Self::Twice,
            "card_webhook_first" => Self::WebhookFirst,
            "card_wrong_amount" => Self::WrongAmount,
            "card_wrong_currency" => Self::WrongCurrency,
            "card_capture_declined" => Self::CaptureDeclined,
            "card_void_fails" => Self::VoidFails,
            "card_refund_fails" => Self::RefundFails,
            "card_refund_fails_late" => Self::RefundFailsLate,
            _ => Self::Decline,
        }
    }

    /// How this card's results are told.
    pub(super) const fn telling(self, operation: Operation) -> Telling {
        match (self, operation) {
            (Self::Twice, _) => Telling::AnswerAndNotices(5),
            (Self::WebhookFirst, _) => Telling::NoticeFirst,
            (Self::Late, _) | (Self::RefundFailsLate, Operation::Refund) => Telling::NoticesLater(1),
            (Self::LateTwice, _) => Telling::NoticesLater(5),
            _ => Telling::Answer,
        }
    }

    /// Whether the first answer is lost on its way, though the thing was done.
    pub(super) const fn loses_answer(self, operation: Operation) -> bool {
        matches!(
            (self, operation),
            (Self::TimeoutOnce, Operation::Authorise) | (Self::TimeoutCapture, Operation::Capture)
        )
    }
}
